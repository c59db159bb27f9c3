#!/usr/bin/perl

# Tests for dm-replica: a node follows the log, through cut links and an engine
# that stops, and believes nothing that the engine's superuser has changed.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::DmSec::Preload qw/ preload /;
use Test::DmSec::Process qw/ slurp wait_for /;
use Test::Postgres qw/ needs_postgres /;
use Test::Postgres::Relay;
use Test::Postgres::Replica;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

needs_postgres();

use constant ACCOUNTS => 200;

my $pg = Test::Postgres->new();
my $fleet = Test::Postgres::Replica->new($pg, ACCOUNTS);
my $d = $fleet->dir();
my $relay = Test::Postgres::Relay->new($pg);

# once

my $is = $fleet->once('node1');

is($is->{exit}, 0, 'a new node') or diag($is->{said});
is($is->{state}, 'following', 'it follows');
is($is->{accounts}, ACCOUNTS, 'it has all accounts');
is($fleet->damage('node1'), '', 'and they are sound');

$fleet->write('append 3 5');
$fleet->write('swap 1 2');
$fleet->write('del 3');
$fleet->write('disable 4');
$is = $fleet->once('node1');

is("$is->{number} $is->{entries} $is->{changes}", '6 6 20', 'entries');
is($fleet->account('node1', 1)->{name}, 'name-0000002', 'names exchanged');
is($fleet->account('node1', 3)->{state}, 'none', 'a deleted account');
is($fleet->account('node1', 4)->{state}, 'disabled', 'a disabled one');
is($fleet->damage('node1'), '', 'all is sound');
is($fleet->once('node1')->{entries}, 0, 'nothing is left');

# the daemon, over a link that is cut

my $ready = "$d/ready";

$fleet->start('node1', socket => $relay->dir(), args => [ '--ready', $ready,
    '--poll', 1 ]);

ok($fleet->says('node1', qr/: following$/m), 'the daemon follows');
ok(wait_for(60, sub { -e $ready }), 'the ready file');
ok(wait_for(60, sub { $fleet->{told} .= $fleet->notified('node1');
    $fleet->{told} =~ /^READY=1$/m && $fleet->{told} =~ /^STATUS=following$/m
    }), 'READY=1 and STATUS=');

$fleet->write('disable 5');
ok($fleet->becomes('node1', 5, 'disabled'), 'a change is visible');
is($fleet->line('node1')->{state}, 'following', 'the engine knows its state');

$relay->set('cut');
ok($fleet->says('node1', qr/\[warn\] .*: disconnected: /), 'the link is cut');
my ($number) = $fleet->write('append 20 2');
$fleet->write('disable 6');
is($fleet->account('node1', 6)->{state}, 'active', 'cut off');
is($fleet->damage('node1'), '', 'and sound');
ok(-e $ready, 'it is still ready');

$fleet->forget('node1');
$relay->set('pass');
ok($fleet->becomes('node1', 6, 'disabled'), 'the link is back');
ok($fleet->says('node1', qr/: following$/m), 'it follows');
ok($fleet->reaches('node1', $number + 1), 'the engine knows where it is');

# held up: nothing ends, and nothing comes

$relay->set('hold');
$fleet->write('disable 7');
$relay->set('pass');
ok($fleet->becomes('node1', 7, 'disabled'), 'a link that was held up');

# the engine is down, and back

$fleet->forget('node1');
$pg->stop();
ok($fleet->says('node1', qr/: disconnected: /), 'the engine is down');
is($fleet->account('node1', 7)->{state}, 'disabled', 'the store serves');
$pg->start();
ok($fleet->says('node1', qr/: following$/m), 'the engine is back');

$fleet->write('open ' . $pg->conninfo('postgres'));
$fleet->write('disable 8');
ok($fleet->becomes('node1', 8, 'disabled'), 'it goes on');

is($fleet->stop('node1'), 0, 'SIGTERM');
ok(!-e $ready, 'no ready file any more');
like($fleet->notified('node1'), qr/^STOPPING=1$/m, 'STOPPING=1');

# SIGTERM while nothing answers

$fleet->forget('node1');
$fleet->start('node1', socket => $relay->dir());
ok($fleet->says('node1', qr/: following$/m), 'it runs again');
$relay->set('hold');
$fleet->write('disable 9');
is($fleet->stop('node1'), 0, 'SIGTERM while nothing answers');
$relay->set('pass');

# batches

($number) = $fleet->write('append 500 1') foreach 1 .. 2;
$fleet->forget('node1');
$fleet->start('node1');
ok($fleet->reaches('node1', $number), 'catches up');
like($fleet->log('node1'), qr/: catching_up\n.*: following\n/s, 'and says so');
is($fleet->stop('node1'), 0, 'SIGTERM');
is($fleet->damage('node1'), '', 'all is sound');

# killed before and after each commit

foreach my $when (qw/ before after /) {
    foreach my $n (1 .. 4) {
        ($number) = $fleet->write('append 3 7');
        $is = $fleet->once('node1', preload => dies("dies_${when}_$n", $when,
            $n));
        is($fleet->damage('node1'), '', "killed $when commit $n: sound");
        $is = $fleet->once('node1');
        is("$is->{exit} $is->{number}", "0 $number",
            "killed $when commit $n: it goes on") or diag($is->{said});
        is($fleet->damage('node1'), '', "killed $when commit $n: all of it");
    }
}

# killed whenever

$fleet->write('append 300 3');

foreach my $n (1 .. 8) {
    $fleet->start('node1');

    # pause: wherever it is by then
    select undef, undef, undef, 0.004 * $n * $n;

    $fleet->stop('node1', 'KILL');
    is($fleet->damage('node1'), '', "killed after $n: sound");
}

($number) = $fleet->write('disable 10');
is($fleet->once('node1')->{number}, $number, 'it goes on');

# each manipulation; nothing of it is applied, and it goes on when that is over

my @manipulations = (
    [ 'an octet of an entry', 'bad_entry', qr/is not signed by the authority/,
        'UPDATE dm_sec.entry SET body = set_byte(body, 200,'
            . ' get_byte(body, 200) # 1) WHERE number = N + 2' ],
    [ 'an entry cut short', 'bad_entry', qr/is not whole|is not signed/,
        'UPDATE dm_sec.entry SET body = substr(body, 1, 100)'
            . ' WHERE number = N + 2' ],
    [ 'an old entry again', 'bad_entry', qr/entry \d+ stands where \d+ is to/,
        'UPDATE dm_sec.entry SET body = (SELECT body FROM dm_sec.entry'
            . ' WHERE number = N) WHERE number = N + 2' ],
    [ 'two entries exchanged', 'bad_entry', qr/stands where/,
        'UPDATE dm_sec.entry e SET body = (SELECT o.body FROM dm_sec.entry o'
            . ' WHERE o.number = N * 2 + 3 - e.number)'
            . ' WHERE number IN (N + 1, N + 2)' ],
    [ 'an octet of the head', 'bad_entry', qr/head is not (?:signed|whole)/,
        'UPDATE dm_sec.head SET body = set_byte(body, 60,'
            . ' get_byte(body, 60) # 1)' ],
    [ 'no head', 'rolled_back', qr/no head any more/,
        'UPDATE dm_sec.head SET body = NULL' ],
    [ 'an entry of somebody', 'bad_entry', qr/not whole|not signed/,
        'UPDATE dm_sec.entry SET body = \'\\x0102\' WHERE number = N + 1' ],
);

foreach my $one (@manipulations) {
    my ($what, $state, $says, $sql) = @$one;
    my ($before) = $fleet->once('node1')->{number};

    $fleet->write('append 2 3');
    $fleet->write('disable 11');
    $fleet->keep('whole');
    $sql =~ s/\bN\b/$before/g;
    $pg->psql($sql);

    $is = $fleet->once('node1');

    is($is->{exit}, 1, "$what: refused");
    is($is->{state}, $state, "$what: $state");
    like($is->{error}, $says, "$what: it says so");
    cmp_ok($is->{number}, '<=', $before + 1, "$what: nothing of it is applied");
    is($fleet->account('node1', 11)->{state}, 'active', "$what: nor behind it");
    is($fleet->damage('node1'), '', "$what: sound");

    $fleet->put_back('whole');
    $pg->psql("DROP TABLE kept_whole_$_") foreach qw/ head beat entry row /;

    is($fleet->once('node1')->{state}, 'following', "$what: it is over");
    is($fleet->account('node1', 11)->{state}, 'disabled', "$what: it goes on");
    $fleet->write('active 11');
}

# an entry that is not there: the state comes from the rows, proven

$fleet->write('append 2 3');
$fleet->write('disable 11');
$pg->psql('DELETE FROM dm_sec.entry WHERE number = (SELECT number - 1'
    . ' FROM dm_sec.head)');
$is = $fleet->once('node1');
is($is->{state}, 'following', 'an entry is taken away') or diag($is->{said});
like($is->{said}, qr/bootstrapped/, 'from the rows');
is($fleet->account('node1', 11)->{state}, 'disabled', 'all is there');
is($fleet->damage('node1'), '', 'and sound');

# the log is put back: nothing is taken back

$fleet->keep('old');
$fleet->write('save');
$fleet->write('disable 12');
($number) = $fleet->write('disable 13');
is($fleet->once('node1')->{number}, $number, 'before it is put back');
$fleet->keep('new');
$fleet->write('save 1');
$fleet->put_back('old');

$is = $fleet->once('node1');
is($is->{state}, 'rolled_back', 'the log is put back');
like($is->{error}, qr/has lost 2 entries; nothing is taken back/, 'it says so');
is($is->{number}, $number, 'it stays where it is');
is($fleet->account('node1', 12)->{state}, 'disabled', 'nothing is taken back');
is($fleet->damage('node1'), '', 'sound');

# and others write there

$fleet->write('back');
$fleet->write('append 1 1');
is($fleet->once('node1')->{state}, 'rolled_back', 'others write there');
$fleet->write('append 1 1');
$is = $fleet->once('node1');
is($is->{state}, 'forked', 'as many as were lost');
$fleet->write('append 1 1');
$is = $fleet->once('node1');
is($is->{state}, 'forked', 'and more');
like($is->{error}, qr/the log was forked/, 'it says so');
is($fleet->account('node1', 13)->{state}, 'disabled', 'nothing is taken back');

# the daemon says so, too, and goes on when that is over

$fleet->forget('node1');
$fleet->start('node1', args => [ '--ready', $ready, '--poll', 1 ]);
ok($fleet->says('node1', qr/\[error\] .*: forked: /), 'the daemon says so');
ok(wait_for(60, sub { ($fleet->line('node1')->{state} // '') eq 'forked' }),
    'the engine knows it');
ok(!-e $ready, 'it is not ready');

$fleet->put_back('new');
$fleet->write('back 1');
ok($fleet->says('node1', qr/: following$/m), 'it is over');
ok(wait_for(60, sub { -e $ready }), 'it is ready');
is($fleet->stop('node1'), 0, 'SIGTERM');

# another machine's place

my ($at, $chain) = @{ $fleet->once('node1') }{qw/ number chain /};

is($fleet->once('node1', args => [ '--expect', "$at:$chain" ])->{exit}, 0,
    'the place of another node');
$is = $fleet->once('node1', args => [ '--expect', ($at + 1) . ":$chain" ]);
is($is->{state}, 'rolled_back', 'a later one');
$is = $fleet->once('node1', args => [ '--expect', "$at:" . '0' x 64 ]);
is($is->{state}, 'forked', 'another chain');

# beats

$fleet->start('node1', args => [ '--poll', 1 ]);
$fleet->start('node2', role => 'beat1', args => [ '--beat', "$d/beat.key",
    '--poll', 1 ]);
ok(wait_for(60, sub { $fleet->line('node1')->{beat} }), 'a beat');
my $first = $fleet->line('node1')->{beat};
cmp_ok(abs(time() - $first), '<', 60, 'of now');
ok(wait_for(120, sub { $fleet->line('node1')->{beat} > $first }),
    'and another one');
is($fleet->stop('node1'), 0, 'SIGTERM');
is($fleet->stop('node2'), 0, 'SIGTERM');

$first = $fleet->once('node1')->{beat};
$fleet->write('beat 3600');
$is = $fleet->once('node1');
is($is->{state}, 'rolled_back', 'an old beat');
is($is->{beat}, $first, 'which is not believed');
$fleet->write('disable 14');
$fleet->once('node1');
is($fleet->account('node1', 14)->{state}, 'disabled', 'entries are, without');
$fleet->write('beat -3600');
is($fleet->once('node1')->{beat}, $first, 'nor one of the future');
$pg->psql('UPDATE dm_sec.beat SET body = set_byte(body, 30,'
    . ' get_byte(body, 30) # 1)');
is($fleet->once('node1')->{state}, 'bad_entry', 'nor one that was changed');
$fleet->write('beat 0');
is($fleet->once('node1')->{state}, 'following', 'a new one');

done_testing();

###############################################################################


# a library with which a program is killed at its Nth commit of a change, just
# before or just after it
sub dies {
    my ($name, $when, $n) = @_;

    return preload($d, $name, <<"EOF_C");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

int
mdb_txn_commit(void *txn)
{
    int         rc, now;
    static int  n;

    now = (++n == $n);

    if (now && "$when"[0] == 'b') {
        (void) kill(getpid(), SIGKILL);
    }

    rc = ((int (*)(void *)) dlsym(RTLD_NEXT, "mdb_txn_commit"))(txn);

    if (now) {
        (void) kill(getpid(), SIGKILL);
    }

    return rc;
}
EOF_C
}
