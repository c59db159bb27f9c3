#!/usr/bin/perl

# Tests for several writers of a fleet: they fight over names, PSK identities
# and the keys of certificates, and one is killed at each step.  All stores come
# to the same, and each is what its position says at any time.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use IO::Handle;
use POSIX ();

use lib 'lib';
use Test::Postgres::Fleet;
use Test::DmSec::Preload qw/ preload /;
use Test::DmSec::Process qw/ slurp wait_for /;
use Test::Postgres qw/ needs_postgres /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

needs_postgres();

# of each kind of thing that they fight over
use constant ROUNDS => $ENV{DM_SEC_FULL} ? 100 : 10;

my $pg = Test::Postgres->new();
my $fleet = Test::Postgres::Fleet->new($pg);
my $d = $fleet->dir();

# KILL is WHAT, NUMBER and WHEN: at that call of the kind the process ends, as
# by kill -9, before it or behind it

my $kills = preload($d, 'kills', <<'EOF_C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int  committing;

static void
at(const char *what, const char *when)
{
    char         name[32];
    unsigned     number;
    const char  *kill_at;
    static int   n;

    kill_at = getenv("KILL");

    if (kill_at == NULL
        || sscanf(kill_at, "%31s %u", name, &number) != 2
        || strcmp(name, what) != 0
        || strcmp(kill_at + strlen(kill_at) - strlen(when), when) != 0
        || ++n != (int) number)
    {
        return;
    }

    (void) raise(SIGKILL);
}

int
PQsendQueryParams(void *conn, const char *sql, int n, const void *types,
    const void *values, const void *lengths, const void *formats, int format)
{
    int  rc;

    if (strstr(sql, "dm_sec.append") != NULL) {
        at("append", "before");
    }

    rc = ((int (*)(void *, const char *, int, const void *, const void *,
                   const void *, const void *, int))
          dlsym(RTLD_NEXT, "PQsendQueryParams"))(conn, sql, n, types, values,
                                                 lengths, formats, format);
    return rc;
}

int
PQsendQuery(void *conn, const char *sql)
{
    int  rc, commit;

    commit = strcmp(sql, "COMMIT") == 0;

    if (commit) {
        at("commit", "before");
        committing = 1;
    }

    rc = ((int (*)(void *, const char *)) dlsym(RTLD_NEXT, "PQsendQuery"))
         (conn, sql);

    if (commit) {
        while (((int (*)(void *)) dlsym(RTLD_NEXT, "PQflush"))(conn) == 1) {
            (void) usleep(1000);
        }

        at("commit", "behind");
    }

    return rc;
}

int
mdb_txn_commit(void *txn)
{
    int  rc;

    if (committing) {
        at("store", "before");
    }

    if (committing && getenv("FULL") != NULL) {
        ((void (*)(void *)) dlsym(RTLD_NEXT, "mdb_txn_abort"))(txn);
        return ENOSPC;
    }

    rc = ((int (*)(void *)) dlsym(RTLD_NEXT, "mdb_txn_commit"))(txn);

    if (committing) {
        at("store", "behind");
    }

    return rc;
}
EOF_C

###############################################################################

# who publishes is killed between the engine and the store

my ($exit, $out) = killed('a', 'replicate init', 'store 1 before');

is($exit, 128 + 9, 'init is killed') or diag($out);
is(($fleet->refused('a', 'replicate status'))[0], 'follows',
    'the store does not follow');
is(($fleet->refused('a', 'replicate init'))[0], 'store_exists',
    'but the engine has it');
$fleet->done('a', 'add early');
$fleet->done('a', 'replicate init --replace');
$pg->psql('CREATE ROLE writer LOGIN IN ROLE "dm-sec-writer"');
$fleet->{env}{DM_SEC_ENGINE} = $pg->conninfo('writer');
is($fleet->state('a'), $fleet->head('a'), 'published anew');

my @nodes = qw/ a b c e /;

$fleet->copy('a', $_) foreach @nodes[1 .. 3];

# they fight

fight(@nodes[0, 1]);
fight(@nodes);

# one is killed at each step

my @steps = (
    [ 'append 1 before', 0 ],
    [ 'commit 1 before', 0 ],
    [ 'commit 1 behind', undef ],
    [ 'store 1 before', 1 ],
    [ 'store 1 behind', 1 ],
);

foreach my $step (@steps) {
    my ($at, $made) = @$step;
    my $id = 'killed-' . $at =~ tr/ /-/r;
    my $before = number();

    ($exit, $out) = killed('a', "add $id --name $id", $at);

    is($exit, 128 + 9, "$at: killed") or diag($out);
    is($fleet->damage('a'), '', "$at: the store is what its position says");
    is_made($at, $id, $before, $made);
}

# with several entries in the transaction

put("$d/many.jsonl", map { "{\"id\":\"many$_\"}\n" } 1 .. 2200);

foreach my $step ([ 'append 2 before', 0 ], [ 'commit 1 before', 0 ],
    [ 'store 1 before', 3 ])
{
    my ($at, $made) = @$step;
    my $before = number();

    ($exit, $out) = killed('a', "import $d/many.jsonl", $at);

    is($exit, 128 + 9, "import, $at: killed") or diag($out);
    is($fleet->damage('a'), '',
        "import, $at: the store is what its position says");
    is_made("import, $at", 'many2200', $before, $made);
}

# the disk is full, when the engine has it

my ($code, $text) = $fleet->refused('a', 'add full --name full',
    env => { LD_PRELOAD => $kills, FULL => 1 });

is($code, 'store_failed', 'a disk that is full');
like($text, qr/^the change is in the log, .*No space left/, 'says what is');
is(($fleet->refused('a', 'show full'))[0], 'no_account',
    'this store does not have it');
is($fleet->damage('a'), '', 'and is sound');
is_made('a full disk', 'full', number() - 1, 1);

# An import that waits for its turn in the log has begun: who is disabled on
# another node before it has it stays so.  A machine that is too slow for the 10
# s that each waits is given another try.

my $held;

foreach my $try (1 .. 5) {
    $fleet->done('b', 'enable many1');
    $fleet->done('b', 'set many2 --add-group never') if $try == 1;
    put("$d/again.jsonl", map { qq/{"id":"many$_","groups":["g$try"],/
        . qq/"state":"active"}\n/ } 1, 2);

    my $session = held();
    my $disable = $fleet->start('b', 'disable many1');
    waiting(1);
    my $import = $fleet->start('a', "import $d/again.jsonl --update");
    waiting(2);
    close $session;

    my ($disabled) = $fleet->end($disable);
    my ($imported) = $fleet->end($import);

    $held = $disabled == 0 && $imported == 0;
    last if $held;
}

ok($held, 'a disable, and behind it an import that had begun before');
$fleet->catch_up($_) foreach qw/ a b /;

foreach my $node (qw/ a b /) {
    like($fleet->done($node, 'show many1'), qr/^state +disabled$/m,
        "$node: it wins over the import");
    like($fleet->done($node, 'show many2'), qr/^groups +g\d$/m,
        "$node: which was done");
}

# somebody has the log locked, and does not end

my $session = held();

($code, $text) = $fleet->refused('a', 'disable many3');
close $session;

is($code, 'engine', 'a log that another one has locked');
like($text, qr/"?writer"?.*; nothing was changed; .*disable ID --here/,
    'says who has it, and what can be done');

# and those that fought with it

$fleet->catch_up($_) foreach @nodes;
is($fleet->state($_), $fleet->head($_), "$_ is at the head") foreach @nodes;
is($fleet->damage($_), '', "$_ is sound") foreach @nodes;
is(scalar(() = $fleet->log('a')), number(), 'all entries are verified');

done_testing();

###############################################################################

sub number {
    return $pg->psql('SELECT number FROM dm_sec.head');
}


# a session that has the log locked until it is closed

sub held {
    my $pid = open my $fh, '|-', 'psql', qw/ -X -q -d /,
        $pg->conninfo('writer') or die "psql: $!\n";

    $fh->autoflush(1);
    print $fh "BEGIN;\nSELECT dm_sec.lock() \\g /dev/null\n";
    wait_for(60, sub { $pg->psql("SELECT count(*) FROM pg_stat_activity"
        . " WHERE application_name = 'psql'"
        . " AND state = 'idle in transaction'") eq '1' })
        or die "the log is not locked\n";

    return $fh;
}


# so many wait for it, or have given up

sub waiting {
    my ($n) = @_;

    wait_for(30, sub { $pg->psql('SELECT count(*) FROM pg_stat_activity'
        . " WHERE wait_event_type = 'Lock'") >= $n });
}


sub put {
    my ($file, @text) = @_;

    open my $fh, '>', $file or die "Can't open $file: $!\n";
    print $fh @text;
    close $fh;
}


sub killed {
    my ($node, $args, $at) = @_;

    return $fleet->end($fleet->start($node, $args,
        env => { LD_PRELOAD => $kills, KILL => $at }));
}


# so many entries, or either none or one, and the account of that id in both
# stores or in none
sub is_made {
    my ($what, $id, $before, $made) = @_;

    # whoever is next waits until the engine has ended what was killed

    $fleet->catch_up('b');

    my $n = number() - $before;

    ok(defined $made ? $n == $made : $n == 0 || $n == 1,
        "$what: $n entries") or diag("not $made");

    $fleet->catch_up('a');

    foreach my $node (qw/ a b /) {
        is($fleet->state($node), $fleet->head($node),
            "$what: $node is at the head");
        is($fleet->damage($node), '', "$what: $node is sound");
        is(($fleet->refused($node, "show $id"))[0], $n ? '' : 'no_account',
            "$what: $node has the account, or not");
    }
}


# all want the same names, PSK identities and keys of certificates
sub fight {
    my (@who) = @_;
    my ($n) = scalar(@who);
    my (%got, @pids);

    put("$d/psk", '00' x 32);

    $fleet->done('a', "add own-$n-$_ --name own-$n-$_") foreach @who;

    foreach my $who (@who) {
        my $pid = fork();

        die "fork: $!\n" unless defined $pid;

        if ($pid == 0) {
            eval { fighter($who, $n) };
            print STDERR $@ if $@;
            POSIX::_exit($@ ? 1 : 0);
        }

        push @pids, $pid;
    }

    my $failed = 0;

    foreach my $pid (@pids) {
        waitpid $pid, 0;
        $failed++ if $?;
    }

    is($failed, 0, "$n writers end");

    foreach my $who (@who) {
        foreach my $line (split /\n/, slurp("$d/fight-$n-$who")) {
            my ($what, $code) = split ' ', $line;
            $got{$what}{$code}++;
        }
    }

    is(scalar(keys %got), 3 * ROUNDS, "$n writers: so many things");
    is_deeply([ grep { $got{$_}{done} != 1 || $got{$_}{taken} != $n - 1 }
        sort keys %got ], [],
        "$n writers: each has one owner, and is told to be taken to others");

    $fleet->catch_up($_) foreach @who;

    foreach my $who (@who) {
        is($fleet->state($who), $fleet->head($who),
            "$n writers: $who is at the head");
        is($fleet->damage($who), '', "$n writers: $who is sound");
        is($fleet->done($who, 'export --secrets'),
            $fleet->done('a', 'export --secrets'),
            "$n writers: $who has the same accounts");
    }
}


sub fighter {
    my ($who, $n) = @_;

    open my $fh, '>', "$d/fight-$n-$who" or die "fight: $!\n";
    $fh->autoflush(1);

    foreach my $i (1 .. ROUNDS) {
        my %what = (
            "name-$i" => "add new-$n-$i-$who --name name-$n-$i",
            "psk-$i" => "add psk-$n-$i-$who --psk-identity psk-$n-$i"
                . " --psk-file $d/psk",
            "cert-$i" => "add cert-$n-$i-$who --cert-key"
                . sprintf(' sha256:%064x', 1000 * $n + $i),
        );

        # each in an order of its own

        foreach my $what (sort { ($who cmp 'b') * ($a cmp $b) } keys %what) {
            my ($code, $text) = $fleet->refused($who, $what{$what});
            $code = 'done' if $code eq '';
            print $fh "$what $code\n";
            print STDERR "$what{$what}: $text\n"
                if $code ne 'done' && $code ne 'taken';
        }
    }
}
