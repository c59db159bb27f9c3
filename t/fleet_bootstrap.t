#!/usr/bin/perl

# Tests for dm-replica: a node gets the fleet's state from the engine's rows,
# all of it or nothing, and serves the state before until then.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::DmSec::Preload qw/ preload /;
use Test::DmSec::Process qw/ run_command slurp wait_for /;
use Test::Postgres qw/ needs_postgres /;
use Test::Postgres::Relay;
use Test::Postgres::Replica;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

needs_postgres();

use constant ACCOUNTS => 300;


my $pg = Test::Postgres->new();
my $fleet = Test::Postgres::Replica->new($pg, ACCOUNTS);
my $d = $fleet->dir();
my $relay = Test::Postgres::Relay->new($pg);

# whom it does not believe, or that is not there: no store is made

my $is = $fleet->once('node1', role => 'nobody');
is($is->{exit}, 1, 'no such role');
ok(!-e "$d/node1", 'no store is made');

rename "$d/authority.pub", "$d/kept.pub";
write_file('authority.pub', 'boss ' . 'ab' x 32 . "\n");
$is = $fleet->once('node1');
is($is->{exit}, 1, 'another authority');
like($is->{said}, qr/head is not signed by the authority/, 'it says so');
ok(!-e "$d/node1", 'no store is made');
chmod 0666, "$d/authority.pub";
like($fleet->once('node1')->{said}, qr/can be changed by others/,
    'an authority that all can write');
rename "$d/kept.pub", "$d/authority.pub";

# a new node, also at the place that another one has

my ($number, $chain) = $fleet->write('append 3 5');
$is = $fleet->once('node1', args => [ '--expect', "$number:$chain" ]);
is($is->{exit}, 0, 'a new node') or diag($is->{said});
is("$is->{number} $is->{accounts}", "$number " . ACCOUNTS, 'all of it');
is($fleet->damage('node1'), '', 'sound');
like($is->{said}, qr/bootstrapped: 300 accounts, at entry 3/, 'it says so');

($number, $chain) = $fleet->write('append 1 5');
$is = $fleet->once('node2', args => [ '--expect', '4:' . '0' x 64 ]);
is($is->{exit}, 1, 'another chain than another node has');
is($is->{state}, 'forked', 'which is a fork');
is($is->{accounts}, 0, 'nothing is taken');
$is = $fleet->once('node2', args => [ '--expect', "5:$chain" ]);
is($is->{state}, 'rolled_back', 'an entry that is not there yet');
is($is->{accounts}, 0, 'nothing is taken');
is($fleet->once('node2')->{accounts}, ACCOUNTS, 'and without');

# the log begins later than the store ends

$fleet->write('append 5 3');
$fleet->write('del 20');
($number) = $fleet->write('disable 21');
$pg->psql("DELETE FROM dm_sec.entry WHERE number < $number");
$is = $fleet->once('node1');
is($is->{number}, $number, 'a log that begins later');
like($is->{said}, qr/bootstrapped/, 'all is read');
is($fleet->account('node1', 20)->{state}, 'none', 'who was deleted is gone');
is($fleet->account('node1', 21)->{state}, 'disabled', 'who was disabled is so');
is($fleet->damage('node1'), '', 'sound');

# whom a person has disabled on this machine alone stays so

is(($fleet->account_command('node1', 'disable', 'device-0000022', '--here'))[0],
    0, 'disabled here');
$is = $fleet->once('node1', args => [ '--bootstrap' ]);
is($is->{state}, 'following', 'bootstrapped again') or diag($is->{said});
is($fleet->account('node1', 22)->{state}, 'disabled', 'still disabled here');
is(($fleet->account_command('node1', 'enable', 'device-0000022', '--here'))[0],
    0, 'and enabled here');
is($fleet->account('node1', 22)->{state}, 'active', 'it is');

# each manipulation of the rows: nothing of it is taken

my @manipulations = (
    [ 'an octet of a row', qr/a row of the engine is not to be believed/,
        'UPDATE dm_sec."row" SET body = set_byte(body, 40,'
            . ' get_byte(body, 40) # 1) WHERE key = K' ],
    [ 'a row cut short', qr/a row of the engine is not to be believed/,
        'UPDATE dm_sec."row" SET body = substr(body, 1, 20) WHERE key = K' ],
    [ 'a row taken away', qr/are 298 accounts, and its head has signed 299/,
        'DELETE FROM dm_sec."row" WHERE key = K' ],
    [ 'a row under two keys', qr/not to be believed/,
        'INSERT INTO dm_sec."row" SELECT sha256(key), body FROM dm_sec."row"'
            . ' WHERE key = K' ],
    [ 'two rows exchanged', qr/not to be believed/,
        'UPDATE dm_sec."row" r SET body = (SELECT o.body FROM dm_sec."row" o'
            . ' WHERE o.key <> r.key AND o.key IN (K, L))'
            . ' WHERE r.key IN (K, L)' ],
    [ 'an old row', qr/sum of the engine's rows is not the one/,
        'UPDATE dm_sec."row" r SET body = o.body FROM kept_old_row o'
            . ' WHERE o.key = r.key AND o.body <> r.body' ],
    [ 'an octet of the head', qr/head is not signed/,
        'UPDATE dm_sec.head SET body = set_byte(body, 60,'
            . ' get_byte(body, 60) # 1)' ],
    [ 'an old head', qr/nothing is taken back/,
        'UPDATE dm_sec.head SET (number, body) = (SELECT number, body'
            . ' FROM kept_old_head)', 'rolled_back' ],
    [ 'no head', qr/has no head/, 'UPDATE dm_sec.head SET body = NULL' ],
);

$fleet->keep('old');
$fleet->write('disable 30');
($number) = $fleet->write('disable 31');
$fleet->once('node1');
$fleet->keep('new');

my $key = '(SELECT key FROM kept_new_row ORDER BY key LIMIT 1)';
my $last = '(SELECT key FROM kept_new_row ORDER BY key DESC LIMIT 1)';

foreach my $one (@manipulations) {
    my ($what, $says, $sql, $state) = @$one;

    $sql =~ s/\bK\b/$key/g;
    $sql =~ s/\bL\b/$last/g;
    $pg->psql($sql);

    # a node whose log was pruned, as by --bootstrap, which would take what is
    # older, too

    my $args = $state ? [] : [ '--bootstrap' ];

    $is = $fleet->once('node1', args => $args);
    is($is->{exit}, 1, "$what: refused");
    is($is->{state}, $state // 'bad_entry', "$what: the state")
        or diag($is->{said});
    like($is->{error}, $says, "$what: it says so");
    is($is->{number}, $number, "$what: the store is where it was");
    is($fleet->account('node1', 31)->{state}, 'disabled', "$what: it serves");
    is($fleet->damage('node1'), '', "$what: sound");

    $is = $fleet->once('node3');
    is($is->{exit}, $state ? 0 : 1, "$what: a new node") unless $state;
    is($is->{accounts} // 0, 0, "$what: has nothing") unless $state;

    $fleet->put_back('new');
}

is($fleet->once('node1')->{state}, 'following', 'it is over');
is($fleet->once('node3')->{number}, $number, 'for a new node, too');

# an old state of all is an old state, but for who asks for it

$fleet->put_back('old');
$is = $fleet->once('node1');
is($is->{state}, 'rolled_back', 'an old state');
is($is->{number}, $number, 'is not taken');
$is = $fleet->once('node1', args => [ '--bootstrap' ]);
is($is->{number}, $number - 2, 'with --bootstrap it is');
is($fleet->account('node1', 31)->{state}, 'active', 'all of it');
is($fleet->damage('node1'), '', 'sound');
$fleet->put_back('new');
is($fleet->once('node1')->{number}, $number, 'and on');

# the state before serves as long as rows come

$fleet->write('disable 40');
($number) = $fleet->write('append 1 10');
$pg->psql("DELETE FROM dm_sec.entry WHERE number < $number");

my $halted = halts();

$fleet->start('node1', preload => $halted, args => [ '--poll', 1 ]);
ok(wait_for(60, sub { -e "$d/halted" }), 'all rows are there');
is($fleet->account('node1', 40)->{state}, 'active', 'the state before serves');
is($fleet->damage('node1'), '', 'sound');
is($fleet->notified('node1') =~ /^READY=1$/m ? 1 : 0, 0, 'not ready yet');

# killed before its commit, and after it

$fleet->stop('node1', 'KILL');
unlink "$d/halted";
is($fleet->account('node1', 40)->{state}, 'active', 'killed: all is as it was');
is($fleet->damage('node1'), '', 'killed: sound');
$is = $fleet->once('node1');
is($is->{number}, $number, 'killed: it goes on');
is($fleet->account('node1', 40)->{state}, 'disabled', 'killed: all is there');
is($fleet->damage('node1'), '', 'killed: sound');

foreach my $n (1 .. 3) {
    ($number) = $fleet->write('append 3 50');
    $fleet->once('node1', args => [ '--bootstrap' ],
        preload => dies("after$n", $n));
    is($fleet->damage('node1'), '', "killed after commit $n: sound");
    $is = $fleet->once('node1');
    is($is->{number}, $number, "killed after commit $n: it goes on");
}

# the link is cut while rows come

$relay->set('after COPY');
$is = $fleet->once('node1', socket => $relay->dir(), args => [ '--bootstrap' ]);
is($is->{state}, 'disconnected', 'cut while rows come') or diag($is->{said});
is($is->{number}, $number, 'the store is where it was');
is($fleet->damage('node1'), '', 'sound');
$relay->set('pass');

# a store of its own is nobody's to replace

is((run_command([ Test::Postgres::Replica::program('TEST_DM_ACCOUNT',
    'dm-account'), '--store', "$d/alone", '--key', "$d/store.key", 'init',
    qw{ --realm alone --share-key --owner }, scalar(getpwuid($>)) ]))[0], 0,
    'a store that is alone');
is(($fleet->account_command('alone', 'add', 'device-0000001'))[0], 0,
    'with an account');
$is = $fleet->once('alone', role => 'node1', args => [ '--bootstrap' ]);
is($is->{exit}, 1, 'it is not replaced');
like($is->{error}, qr/is another one than the engine has: move it away/,
    'it says so');
is($fleet->account('alone', 1)->{state}, 'active', 'it is as it was');

# root makes nothing for others where others can put something in its place

SKIP: {
    skip 'not root', 2 if $> != 0 || !getpwnam('daemon');

    $is = $fleet->once('other', role => 'node1', args => [ '--user', 'daemon',
        '--owner', 'nobody' ]);
    like($is->{said}, qr/others than root can change names in \\?"/,
        'a store of another user');
    ok(!-e "$d/other", 'is not made below a directory of all');
}

done_testing();

###############################################################################


sub write_file {
    my ($name, $text) = @_;

    open my $fh, '>', "$d/$name" or die "Can't open $name: $!\n";
    print $fh $text;
    close $fh;
}


# a library with which the commit of a transaction of any size waits: it makes
# the file "halted", and waits for its end
sub halts {
    return preload($d, 'halts', <<"EOF_C");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

static int  puts;

int
mdb_put(void *txn, unsigned dbi, void *key, void *data, unsigned flags)
{
    puts++;

    return ((int (*)(void *, unsigned, void *, void *, unsigned))
            dlsym(RTLD_NEXT, "mdb_put"))(txn, dbi, key, data, flags);
}

int
mdb_txn_commit(void *txn)
{
    if (puts > 300) {
        (void) close(open("$d/halted", O_WRONLY|O_CREAT, 0666));

        while (access("$d/halted", F_OK) == 0) {
            (void) usleep(1000);
        }
    }

    return ((int (*)(void *)) dlsym(RTLD_NEXT, "mdb_txn_commit"))(txn);
}
EOF_C
}


# one with which a program is killed just after its Nth commit
sub dies {
    my ($name, $n) = @_;

    return preload($d, $name, <<"EOF_C");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

int
mdb_txn_commit(void *txn)
{
    int         rc;
    static int  n;

    rc = ((int (*)(void *)) dlsym(RTLD_NEXT, "mdb_txn_commit"))(txn);

    if (++n == $n) {
        (void) kill(getpid(), SIGKILL);
    }

    return rc;
}
EOF_C
}
