#!/usr/bin/perl

# Tests for dm-account add and set with secrets that they make: one that
# nobody has seen is not in force.

###############################################################################

use warnings;
use strict;

use POSIX ();
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::DmAccount;
use Test::DmSec::Preload qw/ preload /;

###############################################################################

plan(skip_all => 'no /dev/full') unless -c '/dev/full';

done("init --realm r --owner $me --map-size 16m", '', 'init');
done('add IMEI:1 --generate-password --psk-identity i1 --generate-psk', '',
    'add');

my $before = run('export --secrets')->{out};

my @made = map { ($_, "$_ --json") } 'set IMEI:1 --generate-password',
    'set IMEI:1 --generate-password --slow-hash',
    'set IMEI:1 --psk-identity i1 --generate-psk',
    'add IMEI:2 --generate-password',
    'add IMEI:2 --psk-identity i2 --generate-psk --disabled';

for my $verb (@made) {
    for my $where ('>/dev/full', '>&-') {
        is(system("$bin $verb $where 2>$d/err") >> 8, 1, "$verb $where");
        like(content("$d/err"),
            qr/cannot write to stdout: .*; nothing is changed/,
            "$verb $where: it is told");
        is(run('export --secrets')->{out}, $before,
            "$verb $where: nothing is changed");
    }
}

# a reader that has gone kills it, before the change

for my $verb (@made[0 .. 1]) {
    isnt(unread("$bin $verb 2>$d/err"), 0, "$verb: nobody reads");
    is(run('export --secrets')->{out}, $before, "$verb: nothing is changed");
}

# a commit that fails behind it says what was shown in vain

my $fails = preload($d, 'fails', <<'EOF_C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>

/* the first is of the opening */
int
mdb_txn_commit(void *txn)
{
    static int  n;

    return n++ ? EIO : ((int (*)(void *)) dlsym(RTLD_NEXT,
                                                "mdb_txn_commit"))(txn);
}
EOF_C

for my $json ('', ' --json') {
    is(system("LD_PRELOAD=$fails $bin set IMEI:1 --generate-password$json "
        . ">$d/out 2>$d/err") >> 8, 1, "commit fails$json");
    like(content("$d/out"), qr/password/, "commit fails$json: it was shown");
    like(content("$d/err"), qr/may not be in force: .*dm-account verify/,
        "commit fails$json: it is told");
    is(run('export --secrets')->{out}, $before,
        "commit fails$json: nothing is changed");
}

# without a secret a change is in force, and is told as made

is(system("$bin disable IMEI:1 >/dev/full 2>$d/err") >> 8, 1, 'disable');
like(content("$d/err"), qr/is done, but cannot write to stdout/,
    'disable: it is told that it is done');
is(show('IMEI:1')->{state}, 'disabled', 'disable: it is done');
is(system("$bin enable IMEI:1 --json >/dev/full 2>$d/err") >> 8, 1, 'enable');
like(content("$d/err"), qr/is done, but cannot write to stdout/,
    'enable, json: it is told that it is done');
is(system("$bin list >/dev/full 2>$d/err") >> 8, 1, 'list');
unlike(content("$d/err"), qr/is done/, 'list: nothing was to be done');

done_testing();

###############################################################################

# the status of a command whose stdout is a pipe that nobody reads
sub unread {
    my ($command) = @_;

    pipe(my $from, my $to) or die "pipe: $!\n";
    close $from;

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDOUT, '>&', $to or POSIX::_exit(9);
        exec('sh', '-c', $command) or POSIX::_exit(9);
    }

    close $to;
    waitpid($pid, 0);

    return $?;
}

###############################################################################
