#!/usr/bin/perl

# Tests for dm-account beside itself: one that opens the store while another,
# the last that had it open, closes it.  LMDB destroys its mutexes there.  And
# beside a process that never lets such a lock go: it is told for whom it waits,
# and why.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use Fcntl qw/ :flock F_SETLK F_WRLCK SEEK_SET /;
use File::Temp qw/ tempdir /;
use POSIX ();

# of Linux, which Fcntl has not
use constant F_OFD_SETLK => 37;

use lib 'lib';
use Test::DmSec::Preload qw/ preload /;
use Test::DmSec::Process qw/ heard must slurp wait_for /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my @beside = ([qw/ list /], [qw/ add new --name new /],
    [qw/ disable first /], [qw/ export /], [qw/ check /]);

# by the octet that another has locked: dm_store_internal.h

my ($aside, $gate) = (0, 1);

plan(tests => 3 * @beside + 24);

my $bin = $ENV{TEST_DM_ACCOUNT} || '../build/dm-account';
my $d = tempdir("dm-account-XXXXXXXX", TMPDIR => 1, CLEANUP => 1);

my %ended;

# the first process stands still behind the first mutex that it has destroyed,
# and the second tells that it is about to wait for a lock

my $halts = preload($d, 'halts', <<"EOF_C");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

int
pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    int         rc;
    static int  halted;

    rc = ((int (*)(pthread_mutex_t *))
          dlsym(RTLD_NEXT, "pthread_mutex_destroy"))(mutex);

    if (!halted) {
        halted = 1;
        (void) close(open("$d/halted", O_WRONLY|O_CREAT, 0666));

        while (access("$d/halted", F_OK) == 0) {
            (void) usleep(1000);
        }
    }

    return rc;
}
EOF_C

my $tells = preload($d, 'tells', <<"EOF_C");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#define TELLS(name)                                                           \\
    int                                                                       \\
    name(int fd, int command, ...)                                            \\
    {                                                                         \\
        long     argument;                                                    \\
        va_list  args;                                                        \\
                                                                              \\
        va_start(args, command);                                              \\
        argument = va_arg(args, long);                                        \\
        va_end(args);                                                         \\
                                                                              \\
        if (command == F_SETLKW) {                                            \\
            (void) close(open("$d/waits", O_WRONLY|O_CREAT, 0666));           \\
        }                                                                     \\
                                                                              \\
        return ((int (*)(int, int, ...)) dlsym(RTLD_NEXT, #name))             \\
               (fd, command, argument);                                       \\
    }

TELLS(fcntl)
TELLS(fcntl64)
EOF_C

my @account = ($bin, '--store', "$d/store", '--key', "$d/key");

must([ @account, 'init', '--realm', 'example',
    $> ? ('--owner', scalar(getpwuid($>))) : () ]);
must([ @account, qw/ add first --name first / ]);

foreach my $args (@beside) {
    my ($verb) = @$args;
    my ($first) = start($halts, 'list');

    wait_for(60, sub { -e "$d/halted" || ended($first) });

    SKIP: {

    skip 'LMDB destroys no mutex', 3 if !-e "$d/halted";

    unlink("$d/waits");
    my ($second) = start($tells, @$args);

    wait_for(60, sub { -e "$d/waits" || ended($second) });
    ok(-e "$d/waits", "$verb: waits for who closes the store");

    unlink("$d/halted");
    waitpid($first, 0) if !ended($first);
    wait_for(60, sub { ended($second) });

    is(ended($second), 'exited 0', "$verb: opens it then");
    is(heard(slurp("$d/$second.err")), '', "$verb: no error");

    }
}

# no lock of the store is waited for without a word

foreach my $args (@beside) {
    my ($verb, @args) = map { s/^new$/later/r } @$args;
    my ($holder) = holds($gate);

    waits($holder, "$verb, to open the store", start('', $verb, @args));
}

my ($writer) = holds();

waits(holds($aside), 'disable beside a writer', start('', qw/ disable first /));
waits(holds($gate), 'disable beside a writer, to open the store',
    start('', qw/ disable first /));
let_go($writer);

# what is disabled beside the records is taken over by the next writer

waits(holds($aside), 'enable, to take over', start('', qw/ enable first /));

# the lock comes while the store is open

my ($batch, $in, $out) = batch();

print {$in} '{"verb":"show","id":"first"}' . "\n";
like(scalar <$out>, qr/"first"/, 'a batch has the store open');
my $holder = holds($gate, $in);
close $in;
waits($holder, 'a batch, to close the store', $batch);

# disable cannot go past a writer where a worker would not see it, and says so

$writer = holds();
my $old = holds('slot');

my $waiting = start('', qw/ disable first /);

my $told = said($waiting, qr/waiting for it/);

like($told, qr/beside process $writer->{pid}, .*: process $old->{pid} of user /,
    'a worker that does not see it is told');
like($told, qr/ does not read its file "disabled".* $writer->{pid} writes to /s,
    'and why, before the wait');
let_go($_) foreach $writer, $old;
wait_for(60, sub { ended($waiting) });
is(ended($waiting), 'exited 0', 'and it is done behind the writer');

# nor where that cannot be seen

$writer = holds();
open my $file, '>', "$d/store/readers.65533" or die "open: $!\n";
close $file;
$waiting = start('', qw/ disable first /);
like(said($waiting, qr/waiting for it/),
    qr/nothing can be .* "readers.65533" of the store cannot be searched/,
    'what cannot be searched for workers is told');
unlink("$d/store/readers.65533");
let_go($writer);
wait_for(60, sub { ended($waiting) });
is(ended($waiting), 'exited 0', 'and it is done then');

###############################################################################

# a process that has locked an octet of the store, has the writer's lock or a
# slot as a worker of an older version, and ends with the test; what else of it
# that one is not to have open
sub holds {
    my ($octet, @not) = @_;

    pipe(my $ready, my $tell) or die "pipe: $!\n";
    pipe(my $end, my $held) or die "pipe: $!\n";

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        close $_ foreach $held, @not;
        my $what = $octet // 'writer';
        my ($slots) = glob("$d/store/readers.*");
        my $name = $what eq 'slot' ? "$slots/" . 'ab' x 12
            : "$d/store/write.lock";

        open my $lock, '+>>', $name or POSIX::_exit(1);

        # of a slot: a counter, a badge, the process and where that has a number
        syswrite $lock, pack('Q4', 0, 0, $$, (stat('/proc/self/ns/pid'))[1])
            if $what eq 'slot';

        $what eq 'writer' ? flock($lock, LOCK_EX)
            : $what eq 'slot' ? fcntl($lock, F_OFD_SETLK, range(0))
            : fcntl($lock, F_SETLK, range($what)) or POSIX::_exit(1);

        syswrite $tell, '1';
        sysread($end, my $nothing, 1);
        POSIX::_exit(0);
    }

    close $tell;
    sysread($ready, my $one, 1) or die "it has no lock\n";

    return { pid => $pid, held => $held };
}


# struct flock: l_type, l_whence, l_start, l_len, l_pid
sub range {
    my ($octet) = @_;

    return pack('s s x![q] q q l x![q]', F_WRLCK, SEEK_SET, $octet, 1, 0);
}


# what it has told, once it has told that
sub said {
    my ($pid, $what) = @_;

    wait_for(60, sub { slurp("$d/$pid.err") =~ $what || ended($pid) });

    return slurp("$d/$pid.err");
}


sub let_go {
    my ($holder) = @_;

    kill('KILL', $holder->{pid});
    waitpid($holder->{pid}, 0);
}


# it tells for whom it waits, and goes on when that one has gone
sub waits {
    my ($holder, $what, $pid) = @_;

    like(said($pid, qr/waiting for it/),
        qr/process $holder->{pid} has locked \\?"\Q$d\E\/store\/write.lock/,
        "$what: the wait is told");

    let_go($holder);
    wait_for(60, sub { ended($pid) });
    is(ended($pid), 'exited 0', "$what: and ends")
        or diag(slurp("$d/$pid.err"));
}


sub batch {
    pipe my $down, my $in or die "pipe: $!\n";
    pipe my $out, my $up or die "pipe: $!\n";

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        close $in;
        open STDIN, '<&', $down;
        open STDOUT, '>&', $up;
        open STDERR, '>', "$d/$$.err";
        exec(@account, 'batch') or POSIX::_exit(9);
    }

    close $up;
    $in->autoflush(1);

    return ($pid, $in, $out);
}


sub start {
    my ($library, @args) = @_;
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        $ENV{LD_PRELOAD} = join ' ', $library, $ENV{LD_PRELOAD} // ();
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', "$d/$$.err";
        exec(@account, @args) or POSIX::_exit(9);
    }

    return $pid;
}


# how it ended, or ''
sub ended {
    my ($pid) = @_;

    if (!$ended{$pid} && waitpid($pid, POSIX::WNOHANG()) == $pid) {
        $ended{$pid} = $? & 127 ? 'killed by ' . ($? & 127)
            : 'exited ' . ($? >> 8);
    }

    return $ended{$pid} // '';
}

###############################################################################
