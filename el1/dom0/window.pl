#!/usr/bin/perl
# window.pl SLOT START SIZE: makes SIZE bytes at START of dom0's disk a partition, /dev/vdaN for slot N-1, in place of
# the one that the slot had before. The kernel's table of partitions only (BLKPG, <linux/blkpg.h>): nothing is written.
use strict;
use warnings;

my ($slot, $start, $size) = @ARGV;
my ($BLKPG, $ADD, $DELETE, $ENXIO, $EBUSY) = (0x1269, 1, 2, 6, 16);
my $number = $slot + 1;

open(my $disk, "<", "/dev/vda") or die "/dev/vda: $!\n";

sub change {
    my ($operation) = @_;
    my $partition = pack("q q l a64 a64 x4", $start, $size, $number, "", "");
    my $argument = pack("l l l x4 P", $operation, 0, length($partition), $partition);
    return ioctl($disk, $BLKPG, $argument);
}

# The backend of the slot's last guest may be about to let go of it.
for my $try (1 .. 50) {
    last if change($DELETE) || $! == $ENXIO;
    die "/dev/vda$number is in use\n" if $! != $EBUSY || $try == 50;
    select(undef, undef, undef, 0.1);
}
change($ADD) or die "/dev/vda$number: $!\n";
