#!/usr/bin/perl
# relay.pl SLOT CONSOLE-PTY AGENT-PTY: carries bytes between a guest's consoles and the host's ports for the
# guest's slot. Goes into the background when all are open, and ends when the guest does.
#   agent PTY   <-> port vtz.agent.SLOT
#   console PTY <-> port vtz.console.SLOT (what nobody listens to is dropped), and --> port vtz.log.SLOT
use strict;
use warnings;

my ($slot, $console_path, $agent_path) = @ARGV;
my ($O_RDWR, $O_NONBLOCK, $O_NOCTTY, $EINTR, $EAGAIN, $EBUSY) = (2, 2048, 256, 4, 11, 16);    # arm64
my $LIMIT = 65536;
my $CHUNK = 4096;

# A frame of kind B (see agent.pl): the other side has gone.
my $bye = pack("a1 N", "B", 0);
$bye = "\x7e" . $bye . pack("N", unpack("%32C*", $bye)) . "\x7e";

$SIG{PIPE} = "IGNORE";

sub open_port {
    my ($name) = @_;
    opendir(my $ports, "/sys/class/virtio-ports") or return undef;
    for my $node (readdir($ports)) {
        open(my $file, "<", "/sys/class/virtio-ports/$node/name") or next;
        my $found = <$file> // "";
        chomp $found;
        next unless $found eq $name;
        # One process at a time has a port: the relay of the slot's last guest may be about to end.
        for my $try (1 .. 50) {
            my $port;
            return $port if sysopen($port, "/dev/$node", $O_RDWR | $O_NONBLOCK);
            last if $! != $EBUSY;
            select(undef, undef, undef, 0.1);
        }
        die "port $name: $!\n";
    }
    return undef;
}

sub open_pty {
    my ($path) = @_;
    sysopen(my $pty, $path, $O_RDWR | $O_NONBLOCK | $O_NOCTTY) or die "$path: $!\n";
    system("stty", "-F", $path, "raw", "-echo") == 0 or die "$path: stty failed\n";
    return $pty;
}

# An end: handle, bytes waiting to be written to it, and whether a peer is there (ptys always have one).
my %ends;

sub add_end {
    my ($name, $handle, $is_port) = @_;
    return unless defined $handle;
    $ends{$name} = { handle => $handle, number => fileno($handle), out => "", is_port => $is_port, has_peer => !$is_port };
}

add_end("console", open_pty($console_path), 0);
add_end("agent",   open_pty($agent_path),   0);
add_end("console-port", open_port("vtz.console.$slot"), 1);
add_end("agent-port",   open_port("vtz.agent.$slot"),   1);
add_end("log-port",     open_port("vtz.log.$slot"),     1);

my %routes = (
    "console"      => [ "console-port", "log-port" ],
    "agent"        => ["agent-port"],
    "console-port" => ["console"],
    "agent-port"   => ["agent"],
    "log-port"     => [],
);

# Backpressure: an end is read only while all that it feeds have room. A port without a peer has always room,
# since what goes there is dropped; so has the console's: a reader that sleeps must not stop the guest's kernel,
# which waits for its UART. The log is for later readers: it waits for its file.
sub may_read {
    my ($name) = @_;
    for my $target (grep { $_ ne "console-port" } @{ $routes{$name} }) {
        my $end = $ends{$target} or next;
        return 0 if length($end->{out}) >= $LIMIT;
    }
    return 1;
}

sub pass_on {
    my ($name, $bytes) = @_;
    for my $target (@{ $routes{$name} }) {
        my $end = $ends{$target} or next;
        next if $target eq "console-port" && length($end->{out}) >= $LIMIT;
        $end->{out} .= $bytes if $end->{has_peer} || $target eq "log-port";
    }
}

sub peer_left {
    my ($name, $end) = @_;
    return unless $end->{has_peer};
    $end->{has_peer} = 0;
    $end->{out} = "" unless $name eq "log-port";
    $ends{agent}{out} .= $bye if $name eq "agent-port";
}

# Bytes, "" when there are none now, undef when the guest is gone.
sub read_end {
    my ($name, $end) = @_;
    my $count = sysread($end->{handle}, my $bytes, $CHUNK);
    if ($count) { $end->{has_peer} = 1; return $bytes }
    return undef unless $end->{is_port} || (!defined $count && ($! == $EAGAIN || $! == $EINTR));
    if (defined $count) { peer_left($name, $end) }    # a port without a host reads as ended
    else                { $end->{has_peer} = 1 }
    return "";
}

# The guest is gone: what it still said goes out, and the host's client is told, so that it waits no longer.
sub finish {
    while (my $bytes = read_end("console", $ends{console})) { pass_on("console", $bytes) }
    pass_on("agent", $bye);
    for my $try (1 .. 20) {
        flush_end($_) for values %ends;
        last unless grep { $_->{is_port} && $_->{has_peer} && $_->{out} ne "" } values %ends;
        select(undef, undef, undef, 0.1);
    }
    exit 0;
}

sub flush_end {
    my ($end) = @_;
    return if $end->{out} eq "" || !$end->{has_peer};
    my $count = syswrite($end->{handle}, $end->{out}, $CHUNK);
    substr($end->{out}, 0, $count, "") if $count;
}

my $child = fork() // die "fork: $!\n";
exit 0 if $child;
open(STDOUT, ">", "/dev/null");
open(STDERR, ">", "/dev/console");

while (1) {
    my ($readable, $writable) = ("", "");
    for my $name (keys %ends) {
        my $end = $ends{$name};
        vec($readable, $end->{number}, 1) = 1 if $end->{has_peer} && may_read($name);
        vec($writable, $end->{number}, 1) = 1 if $end->{out} ne "" && $end->{has_peer};
    }
    my $is_idle = grep { $_->{is_port} && !$_->{has_peer} } values %ends;
    ($readable, $writable) = ("", "") if select($readable, $writable, undef, $is_idle ? 0.1 : 60) < 0;
    for my $name (keys %ends) {
        my $end = $ends{$name};
        if (vec($readable, $end->{number}, 1) || ($end->{is_port} && !$end->{has_peer})) {
            my $bytes = read_end($name, $end);
            finish() unless defined $bytes;
            pass_on($name, $bytes) if $bytes ne "";
        }
        flush_end($end);
    }
}
