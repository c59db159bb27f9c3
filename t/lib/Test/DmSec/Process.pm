package Test::DmSec::Process;

# Commands and waiting, each with a bound.

use warnings;
use strict;

use Exporter qw/ import /;

use IO::Handle;
use IO::Select;
use IPC::Open3 qw/ open3 /;
use Symbol qw/ gensym /;
use Time::HiRes qw/ sleep time /;

our @EXPORT_OK = qw/ heard must run_command slurp wait_for /;


# wait_for($seconds, $sub): what the sub returns as soon as that is true,
# undef when the time is over
sub wait_for {
    my ($seconds, $sub) = @_;
    my ($end, $value);

    $end = time() + $seconds;

    while (!($value = $sub->())) {
        return if time() >= $end;
        sleep(0.02);
    }

    return $value;
}


# run_command([program, args...], %options): (exit, stdout, stderr).  exit is
# 128 + N after signal N, 124 after the timeout.
#
#   stdin    what it reads, nothing unless given
#   open     keep its standard input open until it ends
#   timeout  seconds, 300 unless given
sub run_command {
    my ($command, %o) = @_;
    my ($pid, $in, $out, $err, $text, $finished);
    local ($?, $!);

    $err = gensym();
    $pid = open3($in, $out, $err, @$command);

    ($finished, $text) = talk($in, $out, $err, %o);

    kill 'KILL', $pid unless $finished;
    waitpid $pid, 0;

    return ($finished ? $? & 127 ? 128 + ($? & 127) : $? >> 8 : 124,
        $text->{$out}, heard($text->{$err}));
}


# What dm-account said but for this: where a machine has no syslog, or a store
# is root's, that is said each time, and is no news to tests of something else.
sub heard {
    my ($said) = @_;
    my $head = qr/(?:^|(?<=\e\[K))(?:dm-account: warning: |\{"warning":")/m;

    $said =~ s/$head(?:syslog cannot |store \\?".*" is root's).*\n//g
        if defined $said;

    return $said;
}


# (finished, { handle => what it said }): both outputs to their ends, or until
# the time is over
sub talk {
    my ($in, $out, $err, %o) = @_;
    my ($end, $select, $stdin, %text);
    local $SIG{PIPE} = 'IGNORE';

    $end = time() + ($o{timeout} || 300);
    $select = IO::Select->new($out, $err);
    $stdin = $o{stdin} // '';
    $in->blocking(0);

    while ($select->count()) {
        return (0, \%text) if time() >= $end;

        if ($stdin eq '' && !$o{open} && defined fileno $in) {
            close $in;
        }

        my ($ready, $writable) = IO::Select->select($select,
            $stdin eq '' ? undef : IO::Select->new($in), undef, $end - time());

        if (@{ $writable || [] }) {
            my $n = syswrite $in, $stdin;
            $stdin = $n ? substr $stdin, $n : $!{EAGAIN} ? $stdin : '';
        }

        foreach my $fh (@{ $ready || [] }) {
            $text{$fh} //= '';
            next if sysread $fh, $text{$fh}, 65536, length $text{$fh};
            $select->remove($fh);
        }
    }

    return (1, \%text);
}


# dies with what the command said unless it succeeds, returns its stdout
sub must {
    my ($command, %o) = @_;
    my ($exit, $out, $err);

    ($exit, $out, $err) = run_command($command, %o);
    die "@$command: exit $exit: $err$out\n" if $exit;

    return $out;
}


# empty where there is no such file: a process may be gone
sub slurp {
    my ($file) = @_;
    my ($fh);

    open $fh, '<:raw', $file or return '';
    local $/;

    return scalar(<$fh>) // '';
}


1;
