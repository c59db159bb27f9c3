#!/usr/bin/perl

# Tests for dm-account as programs use it: what is as it was asked is not
# written, and said so; options that do no harm twice.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use Fcntl qw/ LOCK_EX /;
use JSON::PP;

use lib 'lib';
use Test::DmAccount;

###############################################################################

done(['init', '--realm', 'dm@example.com', '--map-size', '1m'], qr/^created/,
    'init');
done('add one --generate-password --group a --group b', qr/^added/, 'add');

my $password = secret('password', 'hunter2');
my $psk = secret('psk', '0123456789abcdef' x 2);

# changed, and then not: the file of the store tells

for my $case (
    ['disable', 'disable one', 'disabled'],
    ['enable', 'enable one', 'enabled'],
    ['password', "set one --password-file $password", 'set'],
    ['PSK', "set one --psk-identity i --psk-file $psk", 'set'],
    ['certificate', 'set one --cert-key san:DNS:one', 'set'],
    ['limit', 'set one --not-after 2101-01-01T00:00:00Z', 'set'],
    ['groups', 'set one --group b --group c', 'set'],
    ['add a group', 'set one --add-group d --add-group b', 'set'],
    ['drop a group', 'set one --drop-group b --drop-group none', 'set'],
    ['state', 'set one --disabled', 'set'])
{
    my ($name, $args, $result) = @$case;
    my $before = written();

    my $r = json("$args --dry-run", "$name: dry run");
    is_deeply([@$r{qw/ result changed dry_run /}],
        [$result, JSON::PP::true, JSON::PP::true], "$name: would be changed");
    is(written(), $before, "$name: a dry run writes nothing");

    $r = json($args, $name);
    is_deeply([@$r{qw/ result changed dry_run /}],
        [$result, JSON::PP::true, undef], "$name: changed");

    my $after = written();
    isnt($after, $before, "$name: written");

    $r = json($args, "$name again");
    is_deeply([@$r{qw/ result changed /}], [$result, JSON::PP::false],
        "$name: unchanged");
    done($args, qr/^\w+ "one".* \(unchanged\)$/, "$name: so it says");
    is(written(), $after, "$name: nothing is written");
}

is_deeply(show('one')->{groups}, [qw/ c d /], 'groups');

# the same in another order is the same

done('add order --group a --group pilot --cert-key san:DNS:two --cert-key '
    . 'san:DNS:also', '', 'in order');

my $r = json('set order --group pilot --group a', 'in another order');
ok(!$r->{changed}, 'set, in another order: unchanged');

put("$d/order.jsonl", encode_json({ id => 'order', name => 'order',
    groups => [ 'pilot', 'a' ], cert_keys => [ 'san:DNS:also', 'san:DNS:two' ]
    }) . "\n");
$r = json("import $d/order.jsonl --update", 'import');
is($r->{unchanged}, 1, 'import, in another order: unchanged');
done('del order', '', 'in order, and gone');

json('set one --group pilot --group b', 'another group');
is_deeply(show('one')->{groups}, [qw/ pilot b /], 'another group: set');

# what contradicts itself is not done

usage('set one --add-group a --add-group b --drop-group c --drop-group b',
    'the same group', 'a group to add and to drop');
usage('set one --cert-key san:DNS:x --drop-cert-key san:DNS:x',
    'the same key', 'a key to bind and to drop');
usage('set one --group a --add-group b', 'exclude', 'all groups and one more');
refused(['set', 'one', map { ('--add-group', "g$_") } 1 .. 31],
    'more than 32 groups', 'too many groups');
usage('list --dry-run', 'unknown or ambiguous', 'list changes nothing');

# a lock is always ended, and counted

is(json('unlock one', 'unlock')->{changed}, JSON::PP::true, 'unlocked');
is(json('unlock one', 'again')->{changed}, JSON::PP::true, 'unlocked again');

# a dry run is refused as the real one is, and makes no secret

refused('add one --dry-run', 'already', 'dry run: refused');
refused('add two --cert-key san:DNS:one --dry-run', 'certificate key',
    'dry run: taken');
unlike(done('add two --generate-password --dry-run',
    qr/^added "two".*--dry-run/, 'dry run: add')->{out}, qr/password: /,
    'a secret that is not kept is not shown');
is(json('add two --generate-password --dry-run', 'json')->{password}, undef,
    'nor in JSON');
is_deeply(ids(), ['one'], 'nothing is added');

# --if-absent, --if-present

my $before = written();

$r = json('add one --if-absent --generate-password --group z', 'if absent');
is_deeply($r, { result => 'present', id => 'one', name => 'one',
    changed => JSON::PP::false }, 'present, no secret is shown');
$r = json('del two --if-present', 'if present');
is_deeply($r, { result => 'absent', id => 'two', changed => JSON::PP::false },
    'absent');
is(written(), $before, 'nothing is written');

is(json('add two --if-absent', 'absent')->{result}, 'added', 'added');
is(json('del two --if-present --dry-run', 'dry run')->{result}, 'deleted',
    'would be deleted');
is_deeply(ids(), [qw/ one two /], 'and is not');
is(json('del two --if-present', 'present')->{result}, 'deleted', 'deleted');
is_deeply(ids(), ['one'], 'and is gone');
refused('del two', 'no account "two"', 'without it it is refused');

# an import tells of the updated which were so already

my $line = '{"id":"i1","groups":["a"]}' . "\n";

$r = run('import - --dry-run', $line);
is($r->{rc}, 0, 'import, dry run');
is_deeply(ids(), ['one'], 'nothing is added');
usage('import - --dry-run --keep-going', 'all of a file',
    'a dry run is all or none');
done('import -', qr/: 1 added, 0 updated, 0 refused$/, 'import', $line);

$before = written();
$r = run('import - --update --json', $line);
is_deeply([@{decode_json($r->{out})}{qw/ added updated unchanged refused /}],
    [0, 1, 1, 0], 'the same again');
is(written(), $before, 'nothing is written');
done('import - --update', qr/0 refused, 1 of the updated unchanged$/,
    'one of two', $line . '{"id":"one","groups":["n"]}');
is(show('one')->{groups}[0], 'n', 'the other is written');
done('del i1', '', 'del');

# a list: all or none, or what can be

done("add l$_ --name name$_", qr/^added/, "add l$_") for 1 .. 3;

$r = run('disable --list -', "l1\nnobody\n");
is($r->{rc}, 1, 'a bad line');
like($r->{err}, qr/"-" line 2: there is no account "nobody"\n.*nothing is /s,
    'it is told');
is(show('l1')->{state}, 'active', 'nothing is changed');

$r = run('disable --list - --keep-going', "l1\r\n\nnobody\nl1\n");
is($r->{rc}, 1, 'a bad line, and the others');
is($r->{out}, "disabled \"-\": 1 changed, 1 unchanged, 1 refused\n", 'counted');
is(show('l1')->{state}, 'disabled', 'and changed');

$r = run('enable --list-names - --dry-run --json', "name1\nname2\n");
is(decode_json($r->{out})->{changed}, 1, 'by names, dry run');
is(show('l1')->{state}, 'disabled', 'nothing is changed');
done('enable --list-names -', qr/: 1 changed, 1 unchanged, 0 refused$/,
    'by names', "name1\nname2\n");
is(show('l1')->{state}, 'active', 'enabled');

usage('disable --list - l1', 'too many', 'a list and an ID');
usage('disable --list - --name x', 'one list', 'a list and a name');

# show and list have the same fields, and those of show in a batch beside

is_deeply([grep { $_->{id} eq 'one' } list()], [show('one')],
    'list and show have the same fields');

$r = decode_json(run('batch', '{"verb":"show","id":"one"}')->{out});
delete $r->{line};
is_deeply($r, show('one'), 'and so has a batch');

# --dry-run of what makes or changes a whole store

my $keys = content("$d/store.key");
$before = written();

done("backup $d/whole", qr/^copied/, 'a backup');

foreach ([ "backup $d/other --dry-run", 'copied' ],
    [ "restore $d/whole --dry-run", 'restored' ],
    [ 'rekey --prepare --dry-run', 'prepared' ],
    [ 'rekey --finish --dry-run', 'finished' ],
    [ "--store $d/new --key $d/new.key init --realm r --dry-run", 'created' ])
{
    my ($args, $result) = @$_;

    done($args, qr/ \(not written: --dry-run\)$/m, $args);
    is_deeply([ @{ json("$args --json", "$args, JSON") }{
        qw/ result dry_run /} ], [ $result, JSON::PP::true ], "$args, JSON");
}

ok(!-e "$d/other" && !-e "$d/new" && !-e "$d/new.key", 'nothing was made');
is(content("$d/store.key"), $keys, 'no key was made');
is(written(), $before, 'and nothing written');

refused("backup $d/whole --dry-run", 'exists already', 'it is there');
refused("backup $d/none/x$_", "store \"$d/none/x\" cannot be made: there is no"
    . " directory \"$d/none\"; make that,", "nowhere$_")
    foreach '', ' --dry-run';
refused("restore $d/none --dry-run", '', 'a backup that is not there');
refused('rekey --dry-run', 'has only key', 'rekey in no order');
refused("--store $d/new init --realm r --dry-run", 'may seal another store',
    'a key that is there');
refused("--store $d/new --key $d/new.key init --realm \" --dry-run", 'quote',
    'a realm that is none');

# a directory that is not there: which one, and nothing is left of the other

foreach my $dry ('', ' --dry-run') {
    my $said = "\"$d/none/x\" cannot be made: there is no directory"
        . " \"$d/none\"; make that, or name";

    refused("--store $d/none/x --key $d/new.key init --realm r$dry",
        "store $said", "no directory for the store$dry");
    refused("--store $d/new --key $d/none/x init --realm r$dry",
        "key file $said", "no directory for the key$dry");
}

ok(!-e "$d/new" && !-e "$d/new.key", 'and nothing was made');
refused("--store $d/store.key/x --key $d/new.key init --realm r",
    'cannot be made: Not a directory', 'a file in its place');

usage('init --upgrade --dry-run', 'unknown', 'it is a verb of its own');

done('rekey --prepare', qr/^prepared/, 'rekey prepared');
my $both = content("$d/store.key");
my $all = list();
like(json('--json rekey --dry-run')->{resealed}, qr/^[1-9]/, 'would be sealed');
is(json('--json rekey --dry-run')->{accounts}, $all, 'of all');
refused('rekey --finish --dry-run', 'still sealed', 'not finished');
done('rekey', qr/^sealed $all of $all /, 'sealed');
is(json('--json rekey --dry-run')->{resealed}, 0, 'nothing more to do');
done('rekey --finish --dry-run', qr/is the only one|not written/, 'finish');
is(content("$d/store.key"), $both, 'and both keys are there');
done('rekey --finish', qr/^finished/, 'finished');

# a wait for who writes is said, and who it is

open my $lock, '+<', "$store/write.lock" or die "write.lock: $!\n";
flock($lock, LOCK_EX) or die "flock: $!\n";

my $pid = open(my $waiting, '-|', "exec $bin unlock one 2>&1")
    or die "$bin: $!\n";
my $said = '';

while ($said !~ /waiting/) {
    my $line = <$waiting>;
    last unless defined $line;
    $said .= $line;
}

like($said, qr/warning: process $$ writes to store .*: waiting for it$/m,
    'a wait is said');

close $lock;

like(join('', <$waiting>), qr/^unlocked "one"/m, 'done when the lock is free');
close $waiting;

done_testing();

###############################################################################

# The number of the last transaction, in one of LMDB's two meta pages.  One that
# is given up leaves its octets in the file, where nobody reads them.

sub written {
    my $pages = content("$store/data.mdb");
    my @n = map { unpack('Q<', substr($pages, $_ + 144, 8)) } 0, 4096;

    return $n[0] > $n[1] ? $n[0] : $n[1];
}

###############################################################################
