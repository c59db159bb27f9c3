#!/usr/bin/perl

# Tests for a fleet whose store key is exchanged, whose stores are restored, and
# whose store is another user's.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use File::Copy qw/ cp /;
use File::Path qw/ remove_tree /;
use File::Temp qw/ tempdir /;

use lib 'lib';
use Test::Postgres::Fleet;
use Test::DmSec::Process qw/ slurp /;
use Test::Postgres qw/ needs_postgres /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

needs_postgres();

my $pg = Test::Postgres->new();
my $fleet = Test::Postgres::Fleet->new($pg);
my $d = $fleet->dir();

$fleet->done('a', "add dev$_ --name dev$_ --generate-password") foreach 1 .. 5;
$fleet->publish();
$fleet->copy('a', 'b');

my @admin = (env => { DM_SEC_ENGINE => $pg->conninfo('postgres') });
my @none = (env => { DM_SEC_ENGINE => "host=$d/nowhere user=writer",
    DM_SEC_AUTHORITY => "$d/none" });

# A store key that all nodes have in one file here: each step on each node, and
# the log goes on between them.

cp("$d/store.key", "$d/old.key");

$fleet->done('a', 'rekey --prepare', @none);
step('prepared');
$fleet->done($_, 'rekey', @none) foreach qw/ a b /;
step('resealed');
$fleet->done('a', 'replicate init --replace', @admin);
step('published anew');
$fleet->done('a', 'rekey --finish', @none);
step('finished');

is(scalar(() = slurp("$d/store.key") =~ /\n/g), 1, 'one key is left');

# what a stolen backup of the old key opens is nothing of the engine

is(($fleet->refused('a', 'replicate status', env => {
    DM_SEC_STORE_KEY => "$d/old.key" }))[0], 'store_unusable',
    'the old key is of no use');

# a store that is restored is where it was, and comes to the head

$fleet->copy('b', 'b.backup');
$fleet->done('a', 'add later --name later');
$fleet->catch_up('b');
$fleet->done('b', [ 'restore', $fleet->store('b.backup'), '--owner', '0:0' ]);
isnt($fleet->state('b'), $fleet->head('b'), 'a store that was restored');
is(($fleet->refused('b', 'show later'))[0], 'no_account', 'is older');
$fleet->done('b', 'add latest --name latest');
is($fleet->state('b'), $fleet->head('b'), 'a change brings it to the head');
is($fleet->done('b', 'show later') =~ /^id +later$/m, 1, 'with all between');
is($fleet->damage('b'), '', 'and it is sound');

# the old state of a store that was alone is told

$fleet->done('alone', 'init --realm dm@example.com --share-key');
my ($exit, $out, $err) = $fleet->run('b', [ 'restore', $fleet->store('alone'),
    '--owner', '0:0' ]);
is($exit, 0, 'to restore a store that follows no log') or diag($err);
like($err, qr/follows no log, and this machine is of a fleet/, 'is told');
remove_tree($_) foreach glob("$d/b.old-* $d/b $d/b.backup");
$fleet->copy('a', 'b');

# root, who has the keys, and the store's user, who has not

SKIP: {
    skip('only for root', 6) if $>;

    my $user = getpwnam('postgres') ? 'postgres' : 'nobody';

    $pg->psql('DROP SCHEMA dm_sec CASCADE');
    mkdir "$d/own" or die "own: $!\n";
    chmod 0755, $d;

    my $env = { map({ $_->[0] => "$d/own/$_->[1]" }
        [ DM_SEC_STORE_KEY => 'store.key' ],
        [ DM_SEC_AUTHORITY => 'authority.key' ],
        [ DM_SEC_AUTHORITY_PUBLIC => 'authority.pub' ],
        [ DM_SEC_BEAT => 'beat.key' ]) };
    my @own = (env => $env);

    # below a directory that others may write root makes nothing

    my $var = tempdir('dm-fleet-XXXXXX', DIR => '/var', CLEANUP => 1);
    chmod 0755, $var;

    $env->{DM_SEC_STORE} = "$var/store";
    ($exit, $out, $err) = $fleet->run('own', [ qw/ init --realm r --user /,
        $user, '--owner', '0:0' ], @own);

    is($exit, 0, 'a store of another user') or diag($err);

    $env->{DM_SEC_ENGINE} = $pg->conninfo('postgres');
    ($exit, $out, $err) = $fleet->run('own', 'replicate init', @own);
    is($exit, 0, 'is published by root') or diag($err);
    is(join(' ', map { (stat("$d/own/$_"))[4] . sprintf(':%04o',
            (stat(_))[2] & 07777) } qw/ authority.key authority.pub
        beat.key /), '0:0600 0:0644 0:0600', 'whose the keys are');

    $env->{DM_SEC_ENGINE} = $pg->conninfo('writer');
    ($exit, $out, $err) = $fleet->run('own', 'add x --name x', @own);
    is($exit, 0, 'a change by root') or diag($err);
    like($fleet->done('own', 'replicate status', @own),
        qr/^this store: 1 accounts, at 1:/m, 'is in the log');
    is(scalar(getpwuid((stat("$var/store/data.mdb"))[4])), $user,
        'the store is still that user\'s');

}

done_testing();

###############################################################################

# a change at each of both, and a look
sub step {
    my ($what) = @_;
    my ($n) = $what =~ tr/ //dr;

    $fleet->done('a', "add a-$n --name a-$n");
    $fleet->done('b', "add b-$n --name b-$n");
    $fleet->done('b', "disable a-$n");
    $fleet->catch_up('a');

    is($fleet->state('a'), $fleet->state('b'), "$what: both are the same");
    is($fleet->damage($_), '', "$what: $_ is sound") foreach qw/ a b /;
}
