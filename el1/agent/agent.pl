#!/usr/bin/perl
# agent.pl DEVICE | fd:NUMBER: executes commands and moves files for the host, over a byte stream that may lose its peer at
# any time (a virtio-serial port in dom0, the PV console in a guest). The other end is host/agent/.
#
# Frames as in RFC 1662: 0x7e body 0x7e, with 0x7d escaping. 0x0f is escaped too: Linux takes it on an hvc
# console for the SysRq key. The body is
#   kind (1 byte)  id (u32, big-endian)  data  sum (u32: of all bytes before it)
# From the host                                    To the host
#   H session      forget what was before            H session   ready
#   X command      run with sh, no input             O output    S standard error
#   x command      run with sh, input follows        C code      ended
#   I bytes        input; none = end of input        F text      cannot be done
#   K signal       to the command's process group    D bytes     contents of a file
#   W mode path    write a file; then D…, then E     A count     bytes of a file taken so far
#   R path         read a file
#   B              the host has gone: end all        B             the guest has gone (said by relay.pl)
use strict;
use warnings;

my ($device) = @ARGV;
my $VERSION = 1;
# Numbers of Linux on arm64: the modules that know them would have to be in every initramfs.
my ($WNOHANG, $O_RDWR, $O_NONBLOCK, $F_SETFL, $EINTR, $EIO, $EAGAIN) = (1, 2, 2048, 4, 4, 5, 11);
my $OUTPUT_LIMIT = 65536;    # more than this waiting for the host: commands wait
my $CHUNK = 1024;

my %commands;                # id => { pid, outputs => { handle => kind }, input, pending, code }
my %files;                   # id => { handle, path, temporary, mode, size }
my @orphans;                 # killed, to be reaped when the kernel lets them go
my @reads;                   # files on their way to the host: { id, handle }
my $out = "";
my $session;

my $port;
if ($device =~ /^fd:(\d+)$/) { open($port, "+<&=", $1) && fcntl($port, $F_SETFL, $O_RDWR | $O_NONBLOCK) }
else                         { sysopen($port, $device, $O_RDWR | $O_NONBLOCK) }
defined fileno($port) or die "$device: $!\n";
# While it is open: a console forgets its settings when the last one closes it.
if (-t $port) { system("stty", "-F", $device, "raw", "-echo") == 0 or die "$device: stty failed\n" }
$SIG{PIPE} = "IGNORE";
$SIG{CHLD} = sub { };        # interrupts select, so that an end is seen at once

sub frame {
    my ($kind, $id, $data) = @_;
    my $body = pack("a1 N", $kind, $id) . $data;
    $body .= pack("N", unpack("%32C*", $body));
    $body =~ s/([\x0f\x7d\x7e])/"\x7d" . chr(ord($1) ^ 0x20)/ge;
    $out .= "\x7e$body\x7e";
}

sub fail { my ($id, $text) = @_; frame("F", $id, $text) }

my $in = "";

sub take_bytes {
    my ($bytes) = @_;
    $in .= $bytes;
    while ((my $end = index($in, "\x7e")) >= 0) {
        my $body = substr($in, 0, $end);
        $in = substr($in, $end + 1);
        next if length($body) < 9;
        $body =~ s/\x7d(.)/chr(ord($1) ^ 0x20)/gse;
        my $sum = unpack("N", substr($body, -4, 4, ""));
        next if $sum != unpack("%32C*", $body);
        take_frame(unpack("a1 N a*", $body));
    }
    $in = "" if length($in) > 1 << 20;    # noise, not a frame
}

sub take_frame {
    my ($kind, $id, $data) = @_;
    if    ($kind eq "H") { end_session(); $session = $data; $out = ""; frame("H", 0, "$data $VERSION") }
    elsif ($kind eq "B") { end_session() }
    elsif (!defined $session) { }
    elsif ($kind eq "X") { start($id, $data, 0) }
    elsif ($kind eq "x") { start($id, $data, 1) }
    elsif ($kind eq "I") { feed($id, $data) }
    elsif ($kind eq "K") { my $c = $commands{$id}; kill(-$data, $c->{pid}) if $c }
    elsif ($kind eq "W") { open_for_write($id, $data) }
    elsif ($kind eq "D") { append($id, $data) }
    elsif ($kind eq "E") { finish_write($id) }
    elsif ($kind eq "R") { open_for_read($id, $data) }
    else                 { fail($id, "unknown request $kind") }
}

sub end_session {
    kill("KILL", -$_->{pid}) for values %commands;
    push @orphans, map { $_->{pid} } grep { !defined $_->{code} } values %commands;
    unlink($_->{temporary}) for values %files;
    %commands = ();
    %files    = ();
    @reads    = ();
    $out      = "";
    undef $session;
}

# --- commands -------------------------------------------------------------------------------------------------

sub start {
    my ($id, $text, $with_input) = @_;
    my ($in_read, $in_write);
    pipe(my $out_read, my $out_write) && pipe(my $err_read, my $err_write) or return fail($id, "pipe: $!");
    if ($with_input) { pipe($in_read, $in_write) or return fail($id, "pipe: $!") }
    else             { open($in_read, "<", "/dev/null") or return fail($id, "/dev/null: $!") }
    my $pid = fork();
    return fail($id, "fork: $!") unless defined $pid;
    if ($pid == 0) {
        setpgrp(0, 0);
        open(STDIN,  "<&", $in_read);
        open(STDOUT, ">&", $out_write);
        open(STDERR, ">&", $err_write);
        $SIG{$_} = "DEFAULT" for qw(PIPE CHLD);
        exec("/bin/sh", "-c", $text) or print STDERR "/bin/sh: $!\n";
        CORE::exit(127);
    }
    setpgrp($pid, $pid);    # in both, whoever comes first
    if ($with_input) { fcntl($in_write, $F_SETFL, $O_NONBLOCK) }
    $commands{$id} = {
        pid     => $pid,
        outputs => { fileno($out_read) => [ $out_read, "O" ], fileno($err_read) => [ $err_read, "S" ] },
        input   => $in_write,
        pending => "",
    };
}

sub feed {
    my ($id, $data) = @_;
    my $command = $commands{$id} or return;
    if ($data eq "") { $command->{input_ends} = 1 }
    else             { $command->{pending} .= $data }
    flush_input($command);
}

sub flush_input {
    my ($command) = @_;
    my $input = $command->{input} or return;
    if ($command->{pending} ne "") {
        my $count = syswrite($input, $command->{pending});
        if (defined $count) { substr($command->{pending}, 0, $count, "") }
        elsif ($! != $EAGAIN && $! != $EINTR) { $command->{pending} = ""; $command->{input_ends} = 1 }
    }
    if ($command->{pending} eq "" && $command->{input_ends}) { close($input); delete $command->{input} }
}

# Output first, then the code: a command has ended when it is reaped and both its outputs are at their end. A
# process that it left behind may hold them open: they count as ended when nothing comes for a moment.
sub reap {
    @orphans = grep { waitpid($_, $WNOHANG) == 0 } @orphans;
    for my $id (keys %commands) {
        my $command = $commands{$id};
        if (!defined $command->{code} && waitpid($command->{pid}, $WNOHANG) == $command->{pid}) {
            $command->{code} = $? & 127 ? 128 + ($? & 127) : $? >> 8;
            $command->{last_output} = time();
        }
        next unless defined $command->{code};
        $command->{last_output} = time() if length($out) >= $OUTPUT_LIMIT;    # it was not asked
        next if %{ $command->{outputs} } && time() - $command->{last_output} < 2;
        frame("C", $id, $command->{code});
        delete $commands{$id};
    }
}

# --- files ----------------------------------------------------------------------------------------------------

sub open_for_write {
    my ($id, $data) = @_;
    my ($mode, $path) = split(/ /, $data, 2);
    my $temporary = "$path.vtz-$id";
    make_folders($path);
    open(my $handle, ">:raw", $temporary) or return fail($id, "$path: $!");
    $files{$id} = { handle => $handle, path => $path, temporary => $temporary, mode => oct($mode), size => 0 };
}

sub append {
    my ($id, $data) = @_;
    my $file = $files{$id} or return;
    if (!defined syswrite($file->{handle}, $data)) { give_up($id, "$file->{path}: $!"); return }
    $file->{size} += length($data);
    frame("A", $id, $file->{size});
}

sub finish_write {
    my ($id) = @_;
    my $file = $files{$id} or return;
    if (close($file->{handle}) && chmod($file->{mode}, $file->{temporary}) && rename($file->{temporary}, $file->{path})) {
        delete $files{$id};
        frame("C", $id, 0);
    }
    else { give_up($id, "$file->{path}: $!") }
}

sub give_up {
    my ($id, $text) = @_;
    unlink($files{$id}{temporary});
    delete $files{$id};
    fail($id, $text);
}

sub make_folders {
    my ($path) = @_;
    for (my $at = index($path, "/", 1); $at > 0; $at = index($path, "/", $at + 1)) {
        mkdir(substr($path, 0, $at));
    }
}

sub open_for_read {
    my ($id, $path) = @_;
    -f $path or return fail($id, -e $path ? "$path: is not a file" : "$path: no such file");
    open(my $handle, "<:raw", $path) or return fail($id, "$path: $!");
    push @reads, { id => $id, handle => $handle, mode => (stat($handle))[2] & 07777 };
}

sub send_files {
    while (@reads && length($out) < $OUTPUT_LIMIT) {
        my $file = $reads[0];
        my $count = sysread($file->{handle}, my $bytes, $CHUNK);
        if ($count) { frame("D", $file->{id}, $bytes); next }
        if (defined $count) { frame("C", $file->{id}, $file->{mode}) }
        else                { fail($file->{id}, "$!") }
        shift @reads;
    }
}

# --- the loop -------------------------------------------------------------------------------------------------

sub bits { my $bits = ""; vec($bits, $_, 1) = 1 for @_; $bits }

my $is_idle = 0;    # the host is not connected: a virtio-serial port then reads as ended
while (1) {
    my $may_send = length($out) < $OUTPUT_LIMIT;
    my %outputs = $may_send ? (map { %{ $_->{outputs} } } values %commands) : ();
    my @inputs = map { fileno($_->{input}) } grep { $_->{input} && $_->{pending} ne "" } values %commands;
    my $readable = bits($is_idle ? () : fileno($port), keys %outputs);
    my $writable = bits($out ne "" && !$is_idle ? fileno($port) : (), @inputs);
    my $ending = grep { defined $_->{code} } values %commands;
    my $patience = @reads && $may_send ? 0 : $is_idle || $ending ? 0.1 : %commands || @orphans ? 1 : 60;
    ($readable, $writable) = ("", "") if select($readable, $writable, undef, $patience) < 0;

    if ($is_idle || vec($readable, fileno($port), 1)) {
        my $count = sysread($port, my $bytes, 65536);
        if ($count) { $is_idle = 0; take_bytes($bytes) }
        elsif (defined $count) {
            end_session() unless $is_idle;
            $is_idle = 1;
            $in = "";
        }
        else { $is_idle = 0 unless $! == $EIO }
    }
    for my $command (values %commands) {
        for my $number (keys %{ $command->{outputs} }) {
            next unless vec($readable, $number, 1);
            my ($handle, $kind) = @{ $command->{outputs}{$number} };
            my ($id) = grep { $commands{$_} == $command } keys %commands;
            if (sysread($handle, my $bytes, $CHUNK)) { frame($kind, $id, $bytes); $command->{last_output} = time() }
            else                                     { delete $command->{outputs}{$number} }
        }
        flush_input($command);
    }
    reap();
    send_files();
    if ($out ne "" && !$is_idle) {
        my $count = syswrite($port, $out, 4096);
        substr($out, 0, $count, "") if $count;
    }
}
