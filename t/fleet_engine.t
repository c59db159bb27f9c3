#!/usr/bin/perl

# Tests for the engine of a fleet: what the functions of tools/fleet/engine.h
# do with a real PostgreSQL, and who may do what in it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec::PKI qw/ ca cert /;
use Test::DmSec::Process qw/ wait_for /;
use Test::Postgres qw/ needs_postgres /;
use Test::Postgres::Driver;
use Test::Postgres::Relay;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

needs_postgres();

my $t = Test::Nginx->new()->plan(337);

ca($t, 'ca');
ca($t, 'other');
cert($t, 'server', ca => 'ca', san => [ 'DNS:localhost' ]);
cert($t, 'late', ca => 'ca', san => [ 'DNS:localhost' ],
    not_after => time() - 3600);
cert($t, $_, ca => 'ca', eku => 'clientAuth') foreach qw/ node1 writer1 /;
cert($t, 'expired', ca => 'ca', eku => 'clientAuth', subject => '/CN=node1',
    not_after => time() - 3600);

my $d = $t->testdir();
my $pg = Test::Postgres->new(tls => { port => port(8432),
    cert => "$d/server.crt", key => "$d/server.key", ca => "$d/ca.crt" });

# one that may make roles and a database is enough

$pg->psql('CREATE ROLE admin LOGIN CREATEROLE', db => 'postgres');
$pg->psql('CREATE DATABASE fleet OWNER admin', db => 'postgres');

# schema

my $admin = driver('admin');

like($admin->call('about'), qr/^\d+ admin fleet - 0 OK$/,
    'whom it speaks with');
like($admin->call('head'), qr/^INVALID: .* no fleet of this version: "dm-acc/,
    'no schema yet');
is($admin->call('install'), 'OK', 'install');
is($admin->call('install'), 'OK', 'install again');
is($admin->call('head'), '0 0 - - OK', 'nothing was published');

$pg->psql("CREATE ROLE $_ LOGIN IN ROLE \"dm-sec-node\"")
    foreach qw/ node1 node2 /;
$pg->psql('CREATE ROLE beat1 LOGIN IN ROLE "dm-sec-beat"');
$pg->psql("CREATE ROLE $_ LOGIN IN ROLE \"dm-sec-writer\"")
    foreach qw/ writer1 writer2 /;
$pg->psql('CREATE ROLE stranger LOGIN');

my $writer = driver('writer1');
my $other = driver('writer2');
my $node = driver('node1');
my $beat = driver('beat1');

# publish

is($writer->call('lock'), '0 0 - - OK', 'lock before it is published');
like($writer->call('append 0 h e'), qr/^EXISTS: .* not 0 any more/,
    'append before it is published');
like($writer->call('publish 0 h0 A=a'),
    qr/^INVALID: .* to the role "writer1": permission denied to set role/,
    'a writer does not publish');
is($admin->call('publish 7 h7 A=a B=b'), 'OK', 'publish');
is($node->call('head'), '7 0 h7 - OK', 'the head of it');
is(rows($node), 'A=a B=b', 'its rows');
like($admin->call('publish 7 h7 C=c'), qr/^EXISTS: .*"fleet" has those of a/,
    'publish twice');
is($admin->call('replace 0 h0 A=a B=b'), 'OK', 'publish another state');
is(rows($node), 'A=a B=b', 'the rows of that');
is($node->call('entries 1 10'), 'OK', 'no entries');

# append

is($writer->call('lock'), '0 0 h0 - OK', 'lock');
is($writer->call('append 0 h1 e1 A=a1 B C=c'), 'OK', 'append');
is($node->call('head'), '0 0 h0 - OK', 'nobody sees it yet');
is($writer->call('append 1 h2 e2 C=c2'), 'OK', 'append another entry');
is($writer->call('commit'), '2 1 h2 - OK', 'commit both');
is($node->call('entries 1 10'), '1:e1 2:e2 OK', 'the entries');
is($node->call('entries 2 10'), '2:e2 OK', 'entries from a number on');
is($node->call('entries 1 1'), '1:e1 OK', 'some of them');
is($node->call('entries 3 10'), 'OK', 'none yet');
is($node->call('entries 1 10 1'), '1:e1 USELESS', 'a callback that ends it');
is($node->call('head'), '2 1 h2 - OK', 'the connection goes on');
is(rows($node), 'A=a1 C=c2', 'the rows');

is($writer->call('lock'), '2 1 h2 - OK', 'lock');
like($writer->call('append 1 h2 other A=lost'),
    qr/^EXISTS: .* last entry is not 1 any more; nothing was changed/,
    'append behind another one');
like($writer->call('commit'), qr/^ERROR: .* no transaction any more/,
    'it is over');
is($node->call('entries 1 10'), '1:e1 2:e2 OK', 'and nothing was changed');

is($writer->call('lock'), '2 1 h2 - OK', 'lock');
is($writer->call('append 2 h3 e3 A=lost'), 'OK', 'append');
is($writer->call('abort'), 'OK', 'abort');
is($node->call('head'), '2 1 h2 - OK', 'nothing was changed by it');

is($writer->call('lock'), '2 1 h2 - OK', 'lock');
is($writer->call('append 2 h3 e3 D=1 D D=2 E=1 E'), 'OK',
    'an account that is changed several times');
is($writer->call('commit'), '3 1 h3 - OK', 'commit');
is(rows($node), 'A=a1 C=c2 D=2', 'the last of them is in force');

# who may what

my %sql = (
    'change the head' => 'UPDATE dm_sec.head SET number = 9',
    'lock the head by itself' => 'SELECT FROM dm_sec.head FOR UPDATE',
    'change the beat' => "UPDATE dm_sec.beat SET body = 'x'",
    'insert an entry' => "INSERT INTO dm_sec.entry VALUES (9, 'x')",
    'change an entry' => "UPDATE dm_sec.entry SET body = 'x'",
    'delete entries' => 'DELETE FROM dm_sec.entry',
    'insert a row' => 'INSERT INTO dm_sec."row" VALUES'
        . " (repeat('x', 32)::bytea, 'x')",
    'change a row' => "UPDATE dm_sec.\"row\" SET body = 'x'",
    'delete rows' => 'DELETE FROM dm_sec."row"',
    'drop the rows' => 'TRUNCATE dm_sec."row"',
    'lock the rows' => 'LOCK TABLE dm_sec."row" IN SHARE MODE',
    'write a line by itself' => "INSERT INTO dm_sec.node VALUES ('node2', 'x',"
        . ' now())',
    'change a line' => "UPDATE dm_sec.node SET said = 'x'",
    'delete lines' => 'DELETE FROM dm_sec.node',
    'make a table there' => 'CREATE TABLE dm_sec.x ()',
    'make a function there' => 'CREATE FUNCTION dm_sec.x() RETURNS int'
        . " LANGUAGE sql AS 'SELECT 1'",
    'exchange a function' => 'CREATE OR REPLACE FUNCTION dm_sec.lock() RETURNS'
        . " void LANGUAGE sql AS 'SELECT'",
    'drop the schema' => 'DROP SCHEMA dm_sec CASCADE',
    'become the owner' => 'SET ROLE "dm-sec-owner"'
);

my $append = 'SELECT dm_sec.append(3, \'h\', \'e\', \'{}\', \'{}\')';
my $nothing = 'SELECT dm_sec.beat(NULL, \'b\')';

my @calls = ($append, 'SELECT dm_sec.lock()', 'SELECT dm_sec.prune(9)',
    "SELECT dm_sec.forget('node2')");

foreach my $role (qw/ node1 beat1 writer1 stranger /) {
    my @what = sort keys %sql;

    may_not($role, qr/^(?:permission denied|must be (?:owner|member)) /,
        map { [ $_ => $sql{$_} ] } @what);
}

may_not($_, qr/^permission denied for (?:function|schema) /,
    map { [ "say $_" => $_ ] } @calls)
    foreach qw/ node1 beat1 stranger /;

may_not($_, qr/^permission denied for (?:function|schema) /,
    [ 'beat' => $nothing ])
    foreach qw/ node1 stranger /;

may_not('stranger', qr/^permission denied for schema/,
    map { [ "read the $_" => "SELECT * FROM dm_sec.$_" ] }
    qw/ head beat entry "row" node /);

is(join('', $pg->refusals('writer1', @calls)), '', 'a writer may do his own');

like($node->call('lock'), qr/^INVALID: locking the fleet's log: the engine ref/,
    'what a node is told that would write');
like($node->call('append 3 h e'), qr/^INVALID: .* the role "node1": permission/,
    'also one that does not lock');
like($node->call('beat - b'), qr/^INVALID: .* permission denied for function/,
    'also one that would beat');
is($node->call('head'), '3 1 h3 - OK', 'nothing was changed by all of these');

# who cannot see a function's own way cannot put another one in it

$pg->psql('CREATE SCHEMA writer1 AUTHORIZATION writer1; CREATE FUNCTION'
    . ' writer1.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS'
    . q{ $$BEGIN RAISE 'mine'; END$$;});
$pg->psql('GRANT USAGE ON SCHEMA writer1 TO PUBLIC');
is($pg->refused('SET search_path = writer1, pg_catalog;'
    . " BEGIN; $append; ROLLBACK", role => 'writer1'), '',
    'search_path does not lead into a function');
is($pg->psql("SELECT proname FROM pg_proc WHERE pronamespace = 'dm_sec'"
    . "::regnamespace AND prosecdef AND (proconfig IS NULL OR NOT proconfig"
    . " \@> '{\"search_path=pg_catalog, pg_temp\"}')"), '',
    'no function is without one of its own');

# beats, and lines of nodes

is($beat->call('beat - b1'), 'OK', 'the first beat');
like($beat->call('beat - b2'), qr/^EXISTS: /, 'another first one');
is($beat->call('beat b1 b2'), 'OK', 'the next');
like($writer->call('beat b1 b3'), qr/^EXISTS: .*somebody else has written/,
    'one behind a beat that is not there any more');
is($node->call('head'), '3 1 h3 b2 OK', 'the beat');

is($node->call('nodes'), 'OK', 'nobody has said anything');
is($node->call('tell {"number":3}'), 'OK', 'tell');
is($node->call('tell {"number":4}'), 'OK', 'tell again');
is($beat->call('tell here'), 'OK', 'another tells');
is($node->call('nodes'), 'node1={"number":4} OK', 'a node sees its own line');
is($writer->call('nodes'), 'beat1=here node1={"number":4} OK',
    'a writer sees all');
like($node->call('tell @4097'), qr/^INVALID: .*the engine refuses it/,
    'too much is refused');
like($node->call('forget node1'), qr/^INVALID: .*permission denied/,
    'a node forgets nobody');
is($writer->call('forget node1'), 'OK', 'a writer does');
like($writer->call('forget node1'), qr/^DECLINED: .*"node1" has no line/,
    'once');

# prune

is($writer->call('prune 3'), '2 OK', 'prune');
is($writer->call('prune 100'), '0 OK', 'the last entry stays');
like($node->call('entries 1 10'), qr/^DECLINED: .*entry 1 is not there any m/,
    'a node that needs what was pruned is told');
is($node->call('entries 3 10'), '3:e3 OK', 'one that does not is not');
$pg->psql('DELETE FROM dm_sec.entry');
like($node->call('entries 3 10'), qr/^DECLINED: /, 'all are lost');
is($node->call('entries 4 10'), 'OK', 'nothing is new behind the head');
$pg->psql("INSERT INTO dm_sec.entry VALUES (3, 'e3')");

# wait

is($node->call('wait 0'), 'OK', 'wait begins to listen, and says so at once');
is($node->call('wait 0'), 'DECLINED', 'nothing was told');
$node->send('wait 100000');
change($writer, 3, 'F=1');
is($node->result(), 'OK', 'an entry is told');
$node->send('wait 100000');
is($beat->call('beat b2 b3'), 'OK', 'a beat');
is($node->result(), 'OK', 'is told too');
is($node->call('wait 0'), 'DECLINED', 'each once');
is($node->call('wait-stdin 0'), 'DECLINED', 'and nobody said anything to us');
$node->send("wait-stdin 100000\nhead");
is($node->result(), 'OK', 'what can be read ends it');
is($node->result(), '4 3 h4 b3 OK', 'and is not read by it');

# rows are those of one moment

$node->send('rows');
is($node->result(), '4 3 h4 b3 ; go on?', 'the head of the rows');
change($writer, 4, 'A', 'G=7', 'C=c3');
is(sorted($node->call('go')), 'A=a1 C=c2 D=2 F=1', 'the rows of that head');
is(rows($node), 'C=c3 D=2 F=1 G=7', 'those of the next');

$node->call('rows 2');
like($node->call('go'), qr/^\w=\w+ \w=\w+ 2 USELESS$/,
    'a callback that ends it');
like($node->call('head'), qr/^ERROR: .* no connection to the engine any more/,
    'ends the session too');
$node = driver('node1');

# writers queue

is($writer->call('lock'), '5 3 h5 b3 OK', 'a writer has the lock');
$other->send('lock');
ok(queued(1), 'another waits');
is($writer->call('append 5 h6 e6 A=1'), 'OK', 'append');
ok($other->waits(), 'and it waits still');
is($beat->call('beat b3 b4'), 'OK', 'a beat does not wait');
is($node->call('head'), '5 3 h5 b4 OK', 'nor does who reads');
is($writer->call('commit'), '6 3 h6 b4 OK', 'commit');
is($other->result(), '6 3 h6 b4 OK', 'the other has the lock, and the head');

my $hasty = driver('writer1', options => '-c lock_timeout=200ms');

like($hasty->call('lock'), qr/^ERROR: another writer has locked the fleet's (?#
    )log: the role writer2 \(process \d+\), and was not done in time: no(?#
    )thing was changed; try again$/, 'who waits too long is told for whom');
is($other->call('abort'), 'OK', 'the other ends');
is($hasty->call('lock'), '6 3 h6 b4 OK', 'then the lock is had');
is($hasty->call('abort'), 'OK', 'and given back');

# a writer that stops does not hold the others up

my $slow = driver('writer1',
    options => '-c idle_in_transaction_session_timeout=200ms');

foreach my $then ('append 6 h7 e7 A=lost', 'commit') {
    is($slow->call('lock'), '6 3 h6 b4 OK', 'a writer that stops');
    is($slow->call('append 6 h7 e7 A=lost'), 'OK', 'after it has appended')
        if $then eq 'commit';
    is($other->call('lock'), '6 3 h6 b4 OK', 'the next one has the lock');
    is($other->call('abort'), 'OK', 'and gives it back');
    like($slow->call($then), qr/^EXISTS: .*: terminating connection due to id/,
        "$then after that");
    like($slow->call('head'), qr/^ERROR: /, 'its session is over');
    $slow = driver('writer1',
        options => '-c idle_in_transaction_session_timeout=200ms');
}

is($node->call('head'), '6 3 h6 b4 OK', 'nothing was changed');

# answers that are lost

my $relay = Test::Postgres::Relay->new($pg);
my $far = driver('writer1', dir => $relay->dir());

is($far->call('lock'), '6 3 h6 b4 OK', 'by another way');
$relay->set('before dm_sec.append');
like($far->call('append 6 h7 e7 A=lost'), qr/^ERROR: .*connection to the eng/,
    'append is lost');
like($far->call('commit'), qr/^ERROR: .*nothing was changed/,
    'then there is nothing to commit');

foreach my $lost (qw/ before after /) {
    my $same = $lost eq 'after';

    $relay->set('pass');
    $far = driver('writer1', dir => $relay->dir());
    is($far->call('lock'), '6 3 h6 b4 OK', "COMMIT, lost $lost the engine");
    is($far->call('append 6 h7 e7 A=7'), 'OK', 'append');
    $relay->set("$lost COMMIT");
    like($far->call('commit'), qr/^DECLINED: committing to the fleet's log: /,
        'whether it was done is not known');
    $relay->set('cut');
    is($far->call('patience 300'), 'OK', 'a little patience');
    like($far->call('resolve 7 e7'), qr/^ERROR: the engine cannot be reached/,
        'and not found out where the engine is away');
    $relay->set('pass');
    is($far->call('patience 30000'), 'OK', 'more of it');

    if ($same) {
        is($far->call('resolve 7 e7'), '7 3 h7 b4 OK', 'it was done');

    } else {
        like($far->call('resolve 7 e7'), qr/^EXISTS: entry 7 .* is not the (?#
            )one that was to be appended: nothing was changed/,
            'it was not done');
    }
}

like($far->call('resolve 7 another'), qr/^EXISTS: /, 'another one is there');

# where the answer is a new one that does not come

is($far->call('lock'), '7 3 h7 b4 OK', 'lock');
is($far->call('append 7 h8 e8 A=8'), 'OK', 'append');
is($far->call('patience 300'), 'OK', 'a little patience');
$relay->set('hold');
like($far->call('commit'), qr/^DECLINED: .* no answer within 300 ms/,
    'an engine that is silent');
like($far->call('head'), qr/^ERROR: .* no connection/, 'its session is over');
$relay->set('pass');
is($far->call('patience 30000'), 'OK', 'more of it');
like($far->call('resolve 8 e8'), qr/^(?:8 3 h8 b4 OK|EXISTS: .*)$/,
    'it is found out');
is($pg->psql('SELECT number FROM dm_sec.head'),
    $pg->psql('SELECT max(number) FROM dm_sec.entry'), 'and is one of the two');

# what the engine hands out is judged

$pg->psql('CREATE DATABASE model OWNER admin', db => 'postgres');

{
    my $maker = driver('admin', db => 'model');

    $maker->call($_)
        foreach 'install', 'publish 0 h0 A=a', 'lock', 'append 0 h1 e1 A=1';
    is($maker->call('commit'), '1 1 h1 - OK', 'another database');
    is($maker->call('beat - b1'), 'OK', 'with a beat');
    is($maker->call('tell here'), 'OK', 'and a node');
}

$pg->psql("ALTER TABLE dm_sec.$_->[0] DROP CONSTRAINT $_->[1]_check",
    db => 'model')
    foreach [ 'head', 'head_body' ], [ 'head', 'head_number' ],
        [ 'beat', 'beat_body' ], [ 'entry', 'entry_body' ],
        [ '"row"', 'row_body' ], [ '"row"', 'row_key' ],
        [ 'node', 'node_said' ];

# a setting of the session, as a function of the engine sees it

$pg->psql('CREATE OR REPLACE FUNCTION dm_sec.tell(said bytea) RETURNS void'
    . ' LANGUAGE sql SECURITY DEFINER AS $$UPDATE dm_sec.node SET said ='
    . " convert_to(current_setting(convert_from(tell.said, 'UTF8')), 'UTF8')"
    . '$$', db => 'model');

foreach (
    [ 'lock_timeout', '', '10s' ],
    [ 'lock_timeout', '-c lock_timeout=0', '10s' ],
    [ 'lock_timeout', '-c lock_timeout=1min', '10s' ],
    [ 'lock_timeout', '-c lock_timeout=1s', '1s' ],
    [ 'idle_in_transaction_session_timeout', '', '10s' ],
    [ 'statement_timeout', '', '10min' ],
    [ 'client_connection_check_interval', '', '5s' ],
    [ 'search_path', '', 'pg_catalog, pg_temp' ],
    [ 'default_transaction_isolation',
        '-c default_transaction_isolation=serializable', 'read committed' ],
    [ 'application_name', '', 'driver' ])
{
    my ($name, $options, $value) = @$_;
    my $session = driver('admin', db => 'model', options => $options);

    $session->call("tell $name");
    is($session->call('nodes'), "admin=$value OK",
        "$name" . ($options && " with $options"));
}

my $x = "repeat('x', 20000)::bytea";

damaged("UPDATE dm_sec.head SET body = $x", 'head', 'a head that is too long',
    qr/20000 octets, which is more than there can be/);
damaged("UPDATE dm_sec.beat SET body = $x", 'head', 'a beat that is too long',
    qr/20000 octets/);
damaged('UPDATE dm_sec.head SET number = -1', 'head', 'a number below 0',
    qr/no number/);
damaged("UPDATE dm_sec.entry SET body = repeat('x', 2000000)::bytea",
    'entries 1 1', 'an entry that is too long', qr/2000000 octets/);
damaged("UPDATE dm_sec.\"row\" SET body = $x", 'rows', 'a row too long',
    qr/hands out what is no row/);
damaged('UPDATE dm_sec."row" SET body = \'\'', 'rows', 'an empty row',
    qr/hands out what is no row/);
damaged("UPDATE dm_sec.\"row\" SET key = key || 'x'", 'rows', 'a longer key',
    qr/hands out what is no row/);
damaged('ALTER TABLE dm_sec."row" ALTER body DROP NOT NULL;'
    . ' UPDATE dm_sec."row" SET body = NULL', 'rows', 'a row that is NULL',
    qr/hands out what is no row/);
damaged("UPDATE dm_sec.node SET said = $x", 'nodes', 'a line too long',
    qr/20000 octets/);
damaged("ALTER TABLE dm_sec.head ALTER number DROP DEFAULT, ALTER number TYPE"
    . " text", 'head', 'a number that is a text', qr/no number/);
damaged('DELETE FROM dm_sec.head', 'head', 'no head', qr/something else/);
damaged('DROP TABLE dm_sec.beat', 'head', 'no table', qr/no fleet of this/);
damaged('CREATE OR REPLACE FUNCTION dm_sec.version() RETURNS integer LANGUAGE'
    . ' sql IMMUTABLE AS \'SELECT 2\'', 'head', 'another version',
    qr/schema has version 2, and this program knows version 1/);

# many rows, and a standby that the engine waits for

is($admin->call('replace 0 h0 *20000 A=@600'), 'OK', 'publish 20,000 rows');
$node->call('rows');
like($node->call('go'), qr/ 20000 OK$/, 'they are read');

my $standby = Test::Postgres->new(primary => $pg, name => 's1',
    tls => { port => port(8433), cert => "$d/server.crt",
        key => "$d/server.key", ca => "$d/ca.crt" });
$standby->make_synchronous();

$writer = driver('writer1');
like($writer->call('about'), qr/ 1 OK$/, 'the engine waits for a standby');
change($writer, 0, 'A=1');
ok(wait_for(60, sub {
    driver_at($standby, 'node1')->call('head') eq '1 1 h1 - OK'
}), 'what was committed is at the standby');

like(driver_at($standby, 'writer1')->call('lock'),
    qr/^ERROR: .* is a standby: its conninfo needs target_session_attrs/,
    'nobody writes at the standby');

$standby->stop();
is($writer->call('lock'), '1 1 h1 - OK', 'without its standby');
is($writer->call('append 1 h2 e2 A=2'), 'OK', 'append');
is($node->call('tell here'), 'OK', 'a line does not wait for it');
$writer->send('commit');
ok(waiting(), 'commit waits for the standby');
is($node->call('head'), '1 1 h1 - OK', 'and nobody sees it yet');
like($hasty->call('lock'), qr/: the role writer1 \(process \d+\), which wai(?#
    )ts for the engine's standby, and was not done in time/,
    'the next one is told why it waits');
$pg->psql('SELECT pg_cancel_backend(pid) FROM pg_stat_activity'
    . " WHERE wait_event = 'SyncRep'");
like($writer->result(), qr/^DECLINED: .*canceling wait for synchronous repl/,
    'that somebody ends the wait is not taken for an answer');
is($writer->call('patience 1000'), 'OK', 'a little patience');
like($writer->call('resolve 2 e2'), qr/^ERROR: /,
    'nor can it be found out without the standby');
$standby->start();
is($writer->call('patience 30000'), 'OK', 'more of it');
is($writer->call('resolve 2 e2'), '2 1 h2 - OK', 'with it, it can');

# the standby is the next engine, and has all that was told as done

my $both = "host=" . $pg->dir() . ',' . $standby->dir() . ' port='
    . $pg->port() . ',' . $standby->port() . ' user=writer1 dbname=fleet'
    . ' target_session_attrs=read-write';

is($node->call('wait 0'), 'OK', 'a node listens');
$node->send('wait 100000');
$pg->stop('QUIT');
like($node->result(), qr/^ERROR: waiting for the engine: /,
    'and sees that the engine is gone');
$standby->promote();
$writer = Test::Postgres::Driver->new();
is($writer->call("open $both"), 'OK', 'of two hosts the one that writes');
is($writer->call('head'), '2 1 h2 - OK', 'and it has all');

# the way: on a network TLS, and each side knows the other

my $tls = 'hostaddr=127.0.0.1 port=' . $standby->port() . ' dbname=fleet';
my $full = "$tls host=localhost user=node1 sslmode=verify-full";
my $ca = "sslrootcert=$d/ca.crt";
my $mine = "sslcert=$d/node1.crt sslkey=$d/node1.key";

way("$full $ca $mine", qr/^OK$/, 'verify-full');
like($node->call('about'), qr/ node1 fleet TLSv1\.3 0 OK$/, 'it is TLS');
is($node->call('head'), '2 1 h2 - OK', 'and works');
way("$full sslrootcert=$d/other.crt $mine",
    qr/^ERROR: .*certificate verify failed/, 'a wrong CA');
way("$full $ca sslcert=$d/expired.crt sslkey=$d/expired.key",
    qr/^ERROR: .*certificate expired/, 'an expired certificate of a node');
way("$full $ca", qr/^ERROR: .*requires a valid client certificate/,
    'no certificate of a node');
way("$full $ca sslcert=$d/writer1.crt sslkey=$d/writer1.key",
    qr/^ERROR: .*certificate authentication failed for user "node1"/,
    "another one's certificate");
way("$tls host=other.example user=node1 sslmode=verify-full $ca $mine",
    qr/^ERROR: .*does not match host name/, 'another name of the server');
way("$tls host=localhost user=node1 sslmode=$_ $ca $mine", qr/^INVALID: the (?#
    )engine at "127\.0\.0\.1" is reached over a network, where sslmode=$_ is (?#
    )not enough: its conninfo must have sslmode=verify-full/, $_)
    foreach qw/ disable allow prefer require verify-ca /;
way('host=' . $standby->dir() . ",localhost port=1,$1 user=node1",
    qr/^INVALID: the engine at "localhost" is reached over a network/,
    'one host of two') if $tls =~ /port=(\d+)/;
way('hostaddr=127.0.0.1 sslmod=verify-full',
    qr/^INVALID: the engine's conninfo is wrong: .*"sslmod"/, 'no option');
way('service=not-there', qr/^INVALID: the engine's conninfo is wrong: .*"not-/,
    'a service that nobody has defined');

like($standby->refused('SELECT', role => 'node1', conninfo =>
    "$tls host=localhost user=node1 sslmode=disable"),
    qr/no pg_hba\.conf entry .* no encryption/, 'nor does the engine');

$standby->own($standby->dir() . '/cert.pem', $t->read_file('late.crt'));
$standby->own($standby->dir() . '/key.pem', $t->read_file('late.key'));
$standby->reload();
ok(wait_for(60, sub {
    $node->call("open $full $ca $mine")
        =~ /^ERROR: .*certificate verify failed/
}), "the engine's certificate is expired");

###############################################################################

undef $t;

###############################################################################

sub driver {
    my ($role, %o) = @_;
    my ($driver) = Test::Postgres::Driver->new();
    my ($conninfo) = $pg->conninfo($role, $o{db}, $o{dir});

    $conninfo .= " options='$o{options}'" if $o{options};
    is($driver->call("open $conninfo"), 'OK', "open as $role");

    return $driver;
}


sub driver_at {
    my ($server, $role) = @_;
    my ($driver) = Test::Postgres::Driver->new();

    $driver->call('open ' . $server->conninfo($role));

    return $driver;
}


sub rows {
    my ($driver) = @_;

    $driver->call('rows');

    return sorted($driver->call('go'));
}


# rows that were handed out, which have no order
sub sorted {
    my ($rows) = @_;

    return $rows =~ s/ \d+ OK$// ? join(' ', sort split / /, $rows) : $rows;
}


# each of these pairs of name and statement is refused to that role
sub may_not {
    my ($role, $like, @tries) = @_;
    my (@errors) = $pg->refusals($role, map { $_->[1] } @tries);

    like(shift @errors, $like, "$role may not $_->[0]") foreach @tries;
}


# appends an entry with rows, and all of its three calls succeed
sub change {
    my ($driver, $before, @rows) = @_;
    my ($n) = $before + 1;

    like($driver->call('lock'), qr/^$before .* OK$/, "lock at $before");
    is($driver->call("append $before h$n e$n @rows"), 'OK', "append $n");
    like($driver->call('commit'), qr/^$n \d+ h$n .* OK$/, "commit $n");
}


# waits until so many wait for the lock
sub queued {
    my ($n) = @_;

    return wait_for(60, sub {
        $pg->psql('SELECT count(*) FROM pg_locks WHERE NOT granted') == $n
    });
}


# waits until somebody waits for the standby
sub waiting {
    return wait_for(60, sub {
        $pg->psql('SELECT count(*) FROM pg_stat_activity'
            . " WHERE wait_event = 'SyncRep'") == 1
    });
}


# does that to a copy of the engine's tables: the call says so
sub damaged {
    my ($sql, $call, $name, $like) = @_;

    $pg->psql($_, db => 'postgres') foreach
        'DROP DATABASE IF EXISTS damaged WITH (FORCE)',
        'CREATE DATABASE damaged TEMPLATE model';
    $pg->psql($sql, db => 'damaged');

    my $reader = driver('admin', db => 'damaged');

    $reader->call($call) if $call eq 'rows';
    like($reader->call($call eq 'rows' ? 'go' : $call),
        qr/INVALID: .*$like/, $name);
}


sub way {
    my ($conninfo, $like, $name) = @_;

    like($node->call("open $conninfo"), $like, $name);
}
