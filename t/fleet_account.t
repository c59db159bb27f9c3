#!/usr/bin/perl

# Tests for dm-account on a store that follows a log: each verb goes through it,
# and what is said where the engine, the authority's key or an answer is not
# there.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Postgres::Fleet;
use Test::DmSec::Process qw/ must slurp wait_for /;
use Test::Postgres qw/ needs_postgres /;
use Test::Postgres::Relay;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

needs_postgres();

my $pg = Test::Postgres->new();
my $fleet = Test::Postgres::Fleet->new($pg);
my $d = $fleet->dir();

# before it is published

is(($fleet->refused('a', 'disable x --here'))[0], 'follows',
    '--here on a store that is alone');
$fleet->done('a', 'add first --name First');
is(($fleet->refused('a', 'replicate status'))[0], 'authority',
    'status without the public key');

# init

$fleet->publish();

is(mode('authority.key'), '0600', 'the authority\'s key');
is(mode('beat.key'), '0600', 'the key of beats');
is(mode('authority.pub'), '0644', 'the public key');
my ($seed) = slurp("$d/authority.key") =~ /([0-9a-f]{64})/i;
unlike(slurp("$d/authority.pub"), qr/$seed/, 'which is not the key itself');
is($fleet->state('a'), $fleet->head('a'), 'the store is at the head');
is($fleet->damage('a'), '', 'and sound');

my ($code, $text) = $fleet->refused('a', 'replicate init');

is($code, 'follows', 'init twice');
like($text, qr/--replace/, 'and what to do');

$fleet->copy('a', 'b');

# each verb, and another node has it

my @verbs = (
    [ 'add', 'add dev1 --name one --generate-password' ],
    [ 'set', 'set dev1 --add-group fleet' ],
    [ 'disable', 'disable dev1' ],
    [ 'enable', 'enable dev1' ],
    [ 'unlock', 'unlock dev1' ],
    [ 'del', 'del dev1' ],
);

my $number = 0;

foreach my $verb (@verbs) {
    my ($name, $args) = @$verb;
    my ($exit, $out, $err) = $fleet->run('a', $args);

    is($exit, 0, $name) or diag($out, $err);

    my ($entry) = $fleet->log('a', ++$number);

    is("$entry->{number} $entry->{verb} " . @{ $entry->{changes} },
        "$number $name 1", "$name: its entry");
    ok($entry->{verified} && $entry->{host} ne '' && $entry->{user} ne '',
        "$name: who, where, verified");
}

is($fleet->damage('a'), '', 'the store after each verb');
$fleet->catch_up('b');
is($fleet->state('b'), $fleet->state('a'), 'the other node has the same');
is($fleet->damage('b'), '', 'and is sound');

is($fleet->done('b', 'disable first') =~ /^disabled "first"$/m, 1,
    'a change on the other node');
$fleet->catch_up('a');
like($fleet->done('a', 'show first'), qr/^state +disabled$/m,
    'and the first one has it');

like($fleet->done('a', 'disable first'), qr/unchanged/, 'nothing to change');
is($fleet->status('a')->{number}, ++$number, 'is no entry');

# many at once: one transaction, several entries

my $lines = join '', map { "{\"id\":\"many$_\"}\n" } 1 .. 2500;

put("$d/many.jsonl", $lines);
$fleet->done('a', "import $d/many.jsonl");

my @entries = $fleet->log('a', $number + 1);

is(join(' ', map { scalar(@{ $_->{changes} }) } @entries), '1000 1000 500',
    'an import in entries of 1000');
is($entries[0]{verb}, 'import', 'of that verb');
$number += 3;

put("$d/list", join '', map { "many$_\n" } 1 .. 20);
$fleet->done('a', "disable --list $d/list");
is(scalar(@{ ($fleet->log('a', ++$number))[0]{changes} }), 20,
    'a list is one entry');

put("$d/list", "many21\nnobody\n");
is(($fleet->refused('a', "disable --list $d/list"))[0], 'bad_lines',
    'a list with a bad line');
is($fleet->status('a')->{number}, $number, 'is none');

put("$d/bad.jsonl", "{\"id\":\"good\"}\n{\"id\":\n");
($code) = $fleet->refused('a', "import $d/bad.jsonl");
is($code, 'bad_lines', 'an import with a bad line');
is($fleet->status('a')->{number}, $number, 'is none');

my ($exit, $out) = $fleet->run('a', 'batch', stdin => <<'END');
{"verb":"add","id":"b1","name":"b"}
{"verb":"add","id":"b2","name":"b"}
{"verb":"disable","id":"b1"}
{"verb":"del","id":"b1"}
{"verb":"add","id":"b2","name":"b"}
END

is($exit, 1, 'a batch with a line that is refused');
is(join(' ', $out =~ /"(?:result|code)":"(\w+)"/g),
    'added taken disabled deleted added', 'its answers');

# how many transactions they are is a matter of the pipe

($number) = $fleet->status('a')->{number};
$fleet->catch_up('b');
is($fleet->state('b'), $fleet->head('b'), 'all of that on the other node');
is($fleet->damage('b'), '', 'which is sound');

# nothing of a transaction whose rules are broken is in the log

is(($fleet->refused('b', 'add b3 --name First'))[0], 'taken',
    'a name that is another account\'s');
is($fleet->status('b')->{number}, $number, 'is no entry');

###############################################################################

# without a key

my @none = (env => { DM_SEC_AUTHORITY => "$d/none" });

($code, $text) = $fleet->refused('a', 'disable many30', @none);
is($code, 'authority', 'without the authority\'s key');
like($text, qr/"\Q$d\E\/none".*disable ID --here/, 'and what to do');
unlike($fleet->done('a', 'show many30'), qr/disabled/, 'nothing is changed');
like($fleet->done('a', 'disable many30 --dry-run', @none),
    qr/not written: --dry-run/, 'a dry run needs none');
$fleet->done('a', 'list', @none);

my $other = $fleet->with('authority.key', sub { s/[0-9a-f]{8}$/01234567/mi });

is(($fleet->refused('a', 'disable many30', env => {
    DM_SEC_AUTHORITY => $other }))[0], 'authority', 'with another key');

chmod 0666, "$d/authority.pub";
is(($fleet->refused('a', 'disable many30'))[0], 'authority',
    'a public key that others may change');
chmod 0644, "$d/authority.pub";

chmod 0644, "$d/authority.key";
is(($fleet->refused('a', 'disable many30'))[0], 'authority',
    'a key that others may read');
chmod 0600, "$d/authority.key";

# without the engine

my @away = (env => { DM_SEC_ENGINE => "host=$d/nowhere user=writer" });

($code, $text) = $fleet->refused('a', 'disable many31', @away);
is($code, 'engine', 'without the engine');
like($text, qr/; nothing was changed; .*disable ID --here/,
    'it says that nothing was changed, and what can be');
unlike($fleet->done('a', 'show many31', @away), qr/disabled/, 'nothing is');
$fleet->done('a', 'disable many31 --dry-run', @away);

($exit, $out) = $fleet->run('a', 'batch', @away,
    stdin => qq/{"verb":"disable","id":"many31","tag":1}\n/);
is($exit, 1, 'a batch without the engine');

($exit, $out) = $fleet->run('a', 'replicate status', @away);
is($exit, 1, 'status without the engine');
like($out, qr/^this store: \d+ accounts, at $number:/m, 'says where this is');

# what is refused on this node alone

like($fleet->done('a', 'disable many31 --here', @away),
    qr/on this node alone/, 'disable --here');
like($fleet->done('a', 'show many31', @away),
    qr/^state +disabled, on this node alone$/m,
    'is in force');

$fleet->done('b', 'enable many31');
$fleet->catch_up('a');
like($fleet->done('a', 'show many31'), qr/^state +disabled,/m,
    'and stays so, whatever the log says');

my ($said) = ($fleet->run('a', 'enable many31'))[2];

like($said, qr/still refused on this node.*enable --here/,
    'an enable tells that');

$fleet->done('a', 'enable many31 --here', @away);
unlike($fleet->done('a', 'show many31'), qr/disabled/, 'enable --here');

$fleet->done('a', 'disable many31 --here', @away);
$fleet->done('b', 'disable many31');
$fleet->catch_up('a');
$fleet->done('b', 'enable many31');
$fleet->catch_up('a');
unlike($fleet->done('a', 'show many31'), qr/disabled/,
    'the log said the same, and then something else');
is($fleet->state('a'), $fleet->state('b'), 'both nodes are the same');

# a role that may not write

$pg->psql('CREATE ROLE node1 LOGIN IN ROLE "dm-sec-node"');
($code, $text) = $fleet->refused('a', 'disable many32', env => {
    DM_SEC_ENGINE => $pg->conninfo('node1') });
is($code, 'engine', 'a role of a node');
unlike($fleet->done('a', 'show many32'), qr/disabled/, 'changes nothing');

###############################################################################

# an answer that is lost

my $relay = Test::Postgres::Relay->new($pg);
my @relay = (env => { DM_SEC_ENGINE => $pg->conninfo('writer', undef,
    $relay->dir()) });

$number = $fleet->status('a')->{number};

# the engine has committed, and the answer does not come

$relay->set('after COMMIT');
my $command = $fleet->start('a', 'disable many40', @relay);
wait_for(120, sub { number() == $number + 1 });
$relay->set('pass');
($exit, $out) = $fleet->end($command);

is($exit, 0, 'the answer to the commit is lost') or diag($out);
like($out, qr/^disabled "many40"$/m, 'and what came of it is found out');
is(number(), $number + 1, 'it is in the log once');

# it has not

$relay->set('before COMMIT');
$command = $fleet->start('a', 'disable many41', @relay);
my %sessions;
wait_for(120, sub { $sessions{$_} = 1 foreach sessions(); keys %sessions > 1 });
$relay->set('pass');
($exit, $out) = $fleet->end($command);

is($exit, 1, 'the commit is lost') or diag($out);
like($out, qr/; nothing was changed: try again/, 'and it says so');
unlike($fleet->done('a', 'show many41'), qr/disabled/, 'nothing is');
is(number(), $number + 1, 'nor is it in the log');
$fleet->done('a', 'disable many41', @relay);

# nor can it be found out for a minute

SKIP: {
    skip('a minute: FULL=yes', 4) unless $ENV{DM_SEC_FULL};

    $relay->set('after COMMIT');
    $command = $fleet->start('a', 'disable many43', @relay);
    wait_for(120, sub { number() == $number + 3 });
    $relay->set('cut');
    ($exit, $out) = $fleet->end($command);
    $relay->set('pass');

    is($exit, 1, 'the answer is lost, and the engine cannot be had') or
        diag($out);
    like($out, qr/it is not known whether .* is in force/, 'it says so');
    is($fleet->damage('a'), '', 'the store is sound');
    $fleet->catch_up('a');
    like($fleet->done('a', 'show many43'), qr/^state +disabled$/m,
        'and gets it from the log');
}

# another connection is lost: the next change has another one

$relay->set('before dm_sec.append');
is(($fleet->refused('a', 'disable many42', @relay))[0], 'engine',
    'the entry is lost');
$relay->set('pass');
unlike($fleet->done('a', 'show many42'), qr/disabled/, 'nothing is changed');
$fleet->done('a', 'disable many42', @relay);

$fleet->catch_up('b');
is($fleet->state('b'), $fleet->state('a'), 'both nodes are the same');
is($fleet->damage($_), '', "$_ is sound") foreach qw/ a b /;

###############################################################################

# what the engine has lost

$number = $fleet->status('a')->{number};
my $body = $pg->psql("SELECT encode(body, 'hex') FROM dm_sec.head");
my $rows = $pg->psql('SELECT count(*) FROM dm_sec."row"');

$fleet->done('a', 'add lost1 --name lost1');
$fleet->done('a', 'del many1');

$pg->psql("DELETE FROM dm_sec.entry WHERE number > $number;"
    . " UPDATE dm_sec.head SET number = $number,"
    . " body = decode('$body', 'hex')");

($code, $text) = $fleet->refused('a', 'disable many50');
is($code, 'engine', 'a log that is shorter than this store');
unlike($fleet->done('a', 'show many50'), qr/disabled/, 'nothing is changed');

is(($fleet->refused('b', 'replicate repair'))[0], '',
    'who has not seen it puts nothing back');
like($fleet->done('a', 'replicate repair'), qr/^put back 2 entries/m,
    'repair by who has');
like($fleet->done('a', 'replicate repair'), qr/lost nothing/, 'and once more');
$fleet->catch_up('b');
is($fleet->state('b'), $fleet->state('a'), 'both nodes are the same');
is($fleet->damage('b'), '', 'which is sound');
is($pg->psql('SELECT count(*) FROM dm_sec."row"'), $rows,
    'as many rows: one more, and one less');
$fleet->done('b', 'disable many50');
$fleet->catch_up('a');

# a fork, which nobody mends by himself

$number = $fleet->status('a')->{number};
$body = $pg->psql("SELECT encode(body, 'hex') FROM dm_sec.head");
$fleet->done('a', 'disable many60');
$pg->psql("DELETE FROM dm_sec.entry WHERE number > $number;"
    . " UPDATE dm_sec.head SET number = $number,"
    . " body = decode('$body', 'hex')");
$fleet->done('b', 'disable many61');

($code, $text) = $fleet->refused('a', 'replicate repair');
is($code, 'engine', 'repair of a fork');
like($text, qr/forked/, 'is none');
is(($fleet->refused('a', 'disable many62'))[0], 'engine',
    'nor is it written to');

$fleet->done('b', 'replicate init --replace', env => {
    DM_SEC_ENGINE => $pg->conninfo('postgres') });
is(scalar(my @none_yet = $fleet->log('b', 0)), 0, 'a log without entries');
$fleet->done('b', 'disable many62');
is($fleet->state('b'), $fleet->head('b'), 'init --replace');

# the nodes, as their dm-replica tells

SKIP: {
    my $replica = $ENV{TEST_DM_REPLICA} || '../build/dm-replica';

    skip('no dm-replica', 3) unless -x $replica;

    $fleet->copy('b', 'c');

    foreach my $name (qw/ one two /) {
        $pg->psql("CREATE ROLE $name LOGIN IN ROLE \"dm-sec-beat\"");
        must([ $replica, '--store', $fleet->store('c'), '--key', "$d/store.key",
            '--authority', "$d/authority.pub", '--beat', "$d/beat.key",
            '--engine', $pg->conninfo($name), '--once' ], timeout => 120);
        $fleet->done('b', "add new-$name --name new-$name");
    }

    # the first one has told before the change that the second one has read

    my %node = map { $_->{node} => $_ } @{ $fleet->status('b')->{nodes} };
    my $at = $fleet->status('b')->{number};

    is_deeply([ map { $_->{number} } @node{qw/ one two /} ],
        [ $at - 2, $at - 1 ], 'status: how far each node is');
    is($node{two}{sum_equal}, undef, 'the sum elsewhere tells nothing');

    must([ $replica, '--store', $fleet->store('c'), '--key', "$d/store.key",
        '--authority', "$d/authority.pub", '--engine', $pg->conninfo('two'),
        '--once' ], timeout => 120);
    like($fleet->done('b', 'replicate status'),
        qr/^two +$at .* following +equal /m, 'a node that is at the head');

    $fleet->done('b', "replicate prune --forget $_") foreach qw/ one two /;
}

# prune

$pg->psql('CREATE ROLE node2 LOGIN IN ROLE "dm-sec-node"');
$fleet->done('b', "enable many$_") foreach 61, 62;
my $last = $fleet->status('b')->{number};
my $first = $fleet->status('b')->{oldest};

$pg->psql("SELECT dm_sec.tell(convert_to('{\"number\":"
    . ($first) . ",\"state\":\"following\",\"beat\":1}', 'UTF8'))",
    role => 'node2');
like($fleet->done('b', 'replicate prune --keep 1'),
    qr/^deleted 1 entries.*"node2"/ms, 'prune leaves what a node lacks');
like($fleet->done('b', 'replicate status'), qr/^node2 .* following /m,
    'status has the node');
$pg->psql("UPDATE dm_sec.node SET at = at - interval '5 minutes'"
    . " WHERE name = 'node2'");
like($fleet->done('b', 'replicate status'), qr/^node2 .* silent /m,
    'one that tells nothing any more');
is(($fleet->refused('b', 'replicate prune --forget nobody'))[0], 'invalid',
    'to forget somebody else');
$fleet->done('b', 'replicate prune --keep 1 --forget node2');
is($fleet->status('b')->{oldest}, $last, 'and all but the last without it');
is(($fleet->refused('b', 'replicate log --from 1'))[0], 'engine',
    'a log that begins later');

# somebody changes an entry in the engine

$fleet->done('b', 'disable many70');
$pg->psql('UPDATE dm_sec.entry SET body = set_byte(body, 100,'
    . ' get_byte(body, 100) # 1) WHERE number = ' . ($last + 1));
($exit, $out) = $fleet->run('b', [ qw/ --json replicate log /]);
is($exit, 1, 'a log with an entry that was changed');
like($out, qr/"verified":false/, 'which is not verified');

done_testing();

###############################################################################

sub number {
    return $pg->psql('SELECT number FROM dm_sec.head');
}


# those of dm-account at this moment: a second one is there as the first has
# lost its connection

sub sessions {
    return split ' ', $pg->psql("SELECT pid FROM pg_stat_activity"
        . " WHERE application_name = 'dm-account'");
}


sub mode {
    return sprintf '%04o', (stat("$d/$_[0]"))[2] & 07777;
}


sub put {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "Can't open $file: $!\n";
    print $fh $text;
    close $fh;
}
