#!/usr/bin/perl

# Tests for dm-account beside itself: one that opens the store while another,
# the last that had it open, closes it.  LMDB destroys its mutexes there.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use File::Temp qw/ tempdir /;
use POSIX ();

use lib 'lib';
use Test::DmSec::Preload qw/ preload /;
use Test::DmSec::Process qw/ heard must slurp wait_for /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my @beside = ([qw/ list /], [qw/ add new --name new /],
    [qw/ disable first /], [qw/ export /], [qw/ check /]);

plan(tests => 3 * @beside);

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

must([ @account, 'init', '--realm', 'example' ]);
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

###############################################################################

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
