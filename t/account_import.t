#!/usr/bin/perl

# Tests for dm-account import, export and check.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use Digest::SHA qw/ sha1 /;
use JSON::PP;
use MIME::Base64;

use lib 'lib';
use Test::DmAccount;
use Test::DmSec::Preload qw/ halt /;
use Test::DmSec::Process qw/ wait_for /;

###############################################################################

my $json = JSON::PP->new()->canonical();
my $big = "$d/big.jsonl";

# misuse

usage('import', 'a FILE is needed', 'no file');
usage('import a b', 'too many arguments', 'two files');
usage('import a --format xml', '--format: "xml" is none of jsonl, csv, '
    . 'htpasswd, htdigest and psk', 'unknown format');
usage('import a --id-map b', '--id-map is not for jsonl',
    'a map for lines of JSON');
usage('import - --format htpasswd --id-map -', 'cannot both be stdin',
    'stdin twice');
usage('export a', 'too many arguments', 'export: an argument');
usage('check a', 'too many arguments', 'check: an argument');

refused("$_", 'dm-account init', "no store: $_")
    for 'import /dev/null', 'export', 'check';

done("init --realm r --owner $me --map-size 1m", '', 'init');

refused("import $d/none", 'cannot open', 'no such file');
refused("import $d", 'cannot read', 'a directory');
done('import /dev/null', qr/: 0 added, 0 updated, 0 refused$/, 'nothing');
done('import -', qr/^imported "-": 0 added/, 'blank lines', "\n \t\n\r\n");
done('check', qr/^0 accounts, 0 weaknesses, 0 damages$/, 'check of nothing');

###############################################################################

# jsonl: each field

my $sha = 'sha256:' . 'ab' x 32;
my $all = '{"id":"imei:1","name":"one","state":"disabled","groups":["lab","x"],'
    . '"not_before":"2026-01-31T00:00:00Z","not_after":null,'
    . '"password":"s\u00e9same","psk":[{"identity":"i1","key":"' . 'aB' x 16
    . '"},{"identity":"i2","key":"' . '00' x 64 . '"}],"cert_keys":["SHA256:'
    . 'AB' x 32 . '","san:DNS:Dev.example"]}';

done('import -', qr/^imported "-": 3 added, 0 updated, 0 refused$/, 'import',
    "$all\r\n\n" . '{"id":"IMEI:2"}' . "\n"
    . '{"id":"urn:UUID:3","digest":{},"crypt":null,"psk":[],"groups":[],'
    . '"cert_keys":[],"not_before":null,"not_after":null,"state":"active"}');

is_deeply(show('IMEI:1'), { id => 'IMEI:1', name => 'one', state => 'disabled',
    groups => ['lab', 'x'], not_before => '2026-01-31T00:00:00Z',
    not_after => undef, digest => ['MD5', 'SHA-512-256', 'SHA-256'],
    crypt => undef, psk => [{ identity => 'i1' }, { identity => 'i2' }],
    cert_keys => [$sha, 'san:DNS:dev.example'] }, 'each field');
is(show('IMEI:2')->{name}, '2', 'default name');
is_deeply(ids(), ['IMEI:1', 'IMEI:2', 'urn:uuid:3'], 'ids are canonical');

done('enable IMEI:1', '', 'enable');
is(verify('IMEI:1', "s\xc3\xa9same"), 0, 'password');

# what is there already

bad(['{"id":"imei:2"}', 'there is an account "IMEI:2" already: to change it, '
    . 'import with --update'],
    ['{"id":"a","name":"2"}', '"IMEI:2" already has the name "2"'],
    ['{"id":"a","psk":[{"identity":"i1","key":"' . '0' x 32 . '"}]}',
    '"IMEI:1" already has the PSK identity "i1"'],
    ["{\"id\":\"a\",\"cert_keys\":[\"$sha\"]}",
    '"IMEI:1" already has the certificate key'],
    ['{"id":"MEID:2"}', '"IMEI:2" already has the name "2"']);

# all that can be wrong with a line, each told by its number

my $hex = '0' x 64;
my @bad = (
    ['nonsense', 'it is not JSON, or names a field twice: see octet'],
    ['{"id":"a"}}', 'not JSON'],
    ['{"id":"a"} {"id":"b"}', 'not JSON'], ["{\"id\":\"\xff\"}", 'not JSON'],
    ['{"id":"a\u0000b"}', 'not JSON'], ["{\"id\":\"a\0\"}", 'not JSON'],
    ['{"id":"a","id":"b"}', 'names a field twice'],
    ['"a"', 'not JSON'], ['[]', 'not an object'],
    ['{}', 'it has no "id"'], ['{"name":"a"}', 'it has no "id"'],
    ['{"id":1}', '"id" is not a string'], ['{"id":""}', 'the id is empty'],
    ['{"id":"a\u0001"}', 'control character'],
    ['{"id":"' . 'i' x 256 . '"}', '255'],
    ['{"id":"a","hunter2":"b"}', 'field 2 is unknown: the fields are id, name, '
        . 'state, groups, not_before, not_after, digest, crypt, psk, '
        . 'cert_keys and password'],
    ['{"id":"a","name":null}', '"name" is not a string'],
    ['{"id":"a","name":""}', 'the name is empty'],
    ['{"id":"a","name":"b:c"}', 'colon'],
    ['{"id":"MAC:00:11"}', 'a user name has no colon, so "MAC:00:11" cannot '
        . 'be its own: give it a "name"'],
    ['{"id":"a","state":"on"}', '"state" is neither "active" nor'],
    ['{"id":"a","groups":"b"}', '"groups" is not a list'],
    ['{"id":"a","groups":[1]}', 'a group is not a string'],
    ['{"id":"a","groups":["b,c"]}', 'comma'],
    ['{"id":"a","groups":["b","b"]}', 'twice'],
    ['{"id":"a","groups":[' . join(',', map { "\"$_\"" } 1 .. 33) . ']}',
        '"groups" has 33 items, at most 32'],
    ['{"id":"a","not_after":1}', '"not_after" is not a string'],
    ['{"id":"a","not_after":""}', '"not_after" is not a time'],
    ['{"id":"a","not_before":"2027-01-31"}', '"not_before" is not a time'],
    ['{"id":"a","not_before":"2027-02-01T00:00:00Z",'
        . '"not_after":"2027-01-01T00:00:00Z"}', 'not_before is later'],
    ['{"id":"a","digest":["MD5"]}', '"digest" is not an object'],
    ['{"id":"a","digest":{"SHA-1":""}}', '"digest" has something else'],
    ["{\"id\":\"a\",\"digest\":{\"SHA-256\":\"$hex\",\"sha-256\":\"$hex\"}}",
        'once each'],
    ["{\"id\":\"a\",\"digest\":{\"MD5\":\"$hex\"}}",
        'the HA1 for MD5 has something else than 32 hexadecimal'],
    ['{"id":"a","digest":{"SHA-256":"' . 'x' x 64 . '"}}', 'HA1 for SHA-256'],
    ['{"id":"a","digest":{"SHA-256":null}}', 'an HA1 is not a string'],
    ['{"id":"a","crypt":1}', '"crypt" is not a string'],
    ['{"id":"a","crypt":"$6$salt$short"}', 'sha512crypt password hash is not '
        . 'whole'],
    ['{"id":"a","crypt":"$5$salt$hunter2"}', 'sha256crypt password hash is '
        . 'not whole'],
    ['{"id":"a","psk":{}}', '"psk" is not a list'],
    ['{"id":"a","psk":["x"]}', 'a PSK has something else than "identity"'],
    ['{"id":"a","psk":[{"identity":"x"}]}', 'a PSK has something else'],
    ["{\"id\":\"a\",\"psk\":[{\"identity\":\"x\",\"key\":\"$hex\",\"y\":1}]}",
        'a PSK has something else'],
    ['{"id":"a","psk":[{"identity":1,"key":""}]}', 'identity is not a string'],
    ['{"id":"a","psk":[{"identity":"x","key":"hunter2"}]}', 'not 16 to 64 '
        . 'octets in hex'],
    ['{"id":"a","psk":[{"identity":"x","key":"000"}]}', '16 to 64'],
    ['{"id":"a","psk":[{"identity":"x","key":"' . '0' x 130 . '"}]}',
        '16 to 64'],
    ['{"id":"a","psk":[{"identity":"x","key":"' . '0' x 30 . '"}]}',
        '15 octets, it must have 16 to 64'],
    ["{\"id\":\"a\",\"psk\":[{\"identity\":\"\",\"key\":\"$hex\"}]}",
        'PSK identity is empty'],
    ["{\"id\":\"a\",\"psk\":[{\"identity\":\"x\",\"key\":\"$hex\"},"
        . "{\"identity\":\"x\",\"key\":\"$hex\"}]}", 'twice'],
    ['{"id":"a","psk":[0,0,0]}', '"psk" has 3 items, at most 2'],
    ['{"id":"a","cert_keys":"x"}', '"cert_keys" is not a list'],
    ['{"id":"a","cert_keys":[1]}', 'a certificate key is not a string'],
    ['{"id":"a","cert_keys":["nonsense"]}', 'certificate key'],
    ['{"id":"a","cert_keys":["san:DNS:' . 'a' x 1024 . '"]}', '1024'],
    ['{"id":"a","cert_keys":["san:DNS:a","san:DNS:A"]}', 'twice'],
    ['{"id":"a","password":null}', '"password" is not a string'],
    ['{"id":"a","password":""}', 'the password is empty'],
    ["{\"id\":\"a\",\"password\":\"hunter2\t\"}", 'not JSON'],
    ['{"id":"a","password":"hunter2\u0009"}', 'the password has a control'],
    ['{"id":"a","password":"' . 'p' x 512 . '"}', '511'],
    ["{\"id\":\"a\",\"password\":\"x\",\"digest\":{\"SHA-256\":\"$hex\"}}",
        'exclude each other'],
    ['{"id":"a","password":"x","crypt":"{SHA}' . encode_base64(sha1('x'), '')
        . '"}', 'exclude each other'],
);

bad(@bad);

# each of these is the last line that is read

bad($_) for ['{"id":"a"', 'not JSON'],
    ['{"id":"' . 'x' x 140000 . '"}', 'longer than 131072 octets'],
    ['{"id":"' . 'x' x 300000 . '"}', 'longer than 131072 octets'];

unlike(run('import -', '{"id":"a","password":"hunter2')->{err}, qr/hunter2/,
    'no secret of a line that is cut');

# one bad line: nothing is kept; many: given up

my $r = run('import -', join("\n", (map { "{\"id\":\"n$_\"}" } 1 .. 9),
    '{"id":"x'));
is($r->{rc}, 1, 'one bad line');
is($r->{err}, "dm-account: \"-\" line 10: it is not JSON, or names a field "
    . "twice: see octet 8; the lines behind it are not read\n"
    . "dm-account: nothing of \"-\" is kept: it has 1 bad "
    . "line; correct the file, or keep its good lines with --keep-going\n",
    'one bad line is told');
is($r->{out}, '', 'nothing is imported');

$r = run('import -', "x\n" x 30);
is(scalar(() = $r->{err} =~ /^.* line \d+: /mg), 20, 'given up after 20');
like($r->{err}, qr/given up after 20 bad lines/, 'so it says');

$r = run(['import', '--json', '-'], "{}\n");
is_deeply([map { decode_json($_) } split(/\n/, $r->{err})], [
    { error => '"-" line 1: it has no "id"', code => 'invalid' },
    { error => 'nothing of "-" is kept: it has 1 bad line; correct the file, '
    . 'or keep its good lines with --keep-going', code => 'bad_lines' }],
    'bad line, json');

is_deeply(ids(), ['IMEI:1', 'IMEI:2', 'urn:uuid:3'], 'nothing was kept');

# --keep-going

$r = run('import - --keep-going', "{\"id\":\"k1\"}\nx\n{\"id\":\"k2\"}\nx");
is($r->{rc}, 1, '--keep-going: status');
is($r->{out}, "imported \"-\": 2 added, 0 updated, 2 refused\n",
    '--keep-going: result');
is(scalar(() = $r->{err} =~ /line [24]: it is not JSON/g), 2,
    '--keep-going: both bad lines are told');
is_deeply(ids(), ['IMEI:1', 'IMEI:2', 'k1', 'k2', 'urn:uuid:3'],
    '--keep-going: the good lines are kept');

###############################################################################

# --update: what is named is replaced

is_deeply(json(['import', '--update', secret('u', '{"id":"k1","groups":["a"]}'
    . "\n" . '{"id":"k3"}')], 'update, json'), { result => 'imported',
    file => "$d/u", added => 1, updated => 1, unchanged => 0,
        kept_disabled => 0, refused => 0 },
    'update, result');

my $ssha = '{SSHA}' . encode_base64(sha1('pwsalt') . 'salt', '');
my @steps = (
    ['{"id":"IMEI:1","groups":["b"]}', { groups => ['b'] }],
    ['{"id":"IMEI:1","state":"active"}', { state => 'active' }],
    ['{"id":"IMEI:1","not_before":null,"not_after":"2030-01-01T00:00:00Z"}',
        { not_before => undef, not_after => '2030-01-01T00:00:00Z' }],
    ["{\"id\":\"IMEI:1\",\"psk\":[{\"identity\":\"i2\",\"key\":\"$hex\"}]}",
        { psk => [{ identity => 'i2' }] }],
    ['{"id":"IMEI:1","psk":[]}', { psk => [] }],
    ['{"id":"IMEI:1","cert_keys":["san:DNS:a"]}',
        { cert_keys => ['san:DNS:a'] }],
    ['{"id":"IMEI:1","digest":{},"psk":[]}', { digest => [] }],
    ['{"id":"IMEI:1","name":"uno","password":"pw"}', { name => 'uno',
        digest => ['MD5', 'SHA-512-256', 'SHA-256'] }],
    ["{\"id\":\"IMEI:1\",\"crypt\":\"$ssha\"}",
        { digest => [], crypt => 'SSHA' }],
    ['{"id":"IMEI:1","name":"one","digest":{}}', { name => 'one' }],
    ['{"id":"IMEI:1","digest":{"MD5":"' . '0' x 32 . '"}}',
        { digest => ['MD5'], crypt => undef }],
    ['{"id":"IMEI:1","crypt":null,"digest":{}}', { digest => [] }],
);
my $want = show('IMEI:1');

for my $step (@steps) {
    my ($line, $change) = @$step;

    done('import - --update', qr/ 0 added, 1 updated/, "update $line", $line);
    $want = { %$want, %$change };
    is_deeply(show('IMEI:1'), $want, 'and nothing else has changed');
}

done('import - --update', '', 'password again',
    '{"id":"IMEI:1","password":"pw"}');
$r = run('import - --update', '{"id":"IMEI:1","name":"uno"}');
like($r->{err}, qr/line 1: the password of "IMEI:1" is kept as hashes that /,
    'a name without a password');
done('import - --update', '', 'the same name',
    '{"id":"IMEI:1","name":"one"}');
is(verify('IMEI:1', 'pw'), 0, 'password as before');
like(run('import - --update', "{\"id\":\"tw\"}\n{\"id\":\"TW\"}\n"
    . '{"id":"tw","groups":["x"]}')->{err}, qr/ line 3: it is of account "tw"/,
    'twice in a file');

###############################################################################

# htpasswd

my %hashes = (
    sha => '{SHA}' . encode_base64(sha1('pw'), ''), ssha => $ssha,
    sha512 => crypt('pw', '$6$saltsalt'), yescrypt => crypt('pw',
        '$y$j75$saltsaltsaltsaltsa/'),
    bcrypt => crypt('pw', '$2y$04$' . 'a' x 21 . 'u'),
    bcryptb => crypt('pw', '$2b$04$' . 'a' x 21 . 'u'),
    plain => '{PLAIN}pw', apr1 => '$apr1$salt$dIQSC7CZVMfwYUarWFsjy0',
);
my $file = secret('htpasswd', "# a comment\n\n" . join('', map {
    "$_:$hashes{$_}\n" } sort keys %hashes) . "crlf:$hashes{sha}:or so\r\n");

done("import $file --format htpasswd", qr/ 9 added/, 'htpasswd');
is(verify($_, 'pw'), 0, "$_: verify") for sort keys(%hashes), 'crlf';
is(verify($_, 'PW'), 1, "$_: wrong") for sort keys(%hashes);
is(show('plain')->{crypt}, undef, 'plain: no hash');
is(@{show('plain')->{digest}}, 3, 'plain: digest');
is(show($_->[0])->{crypt}, $_->[1], "$_->[0]: $_->[1]")
    for ['sha', 'SHA'], ['apr1', 'apr1'], ['bcryptb', 'bcrypt'];

bad([['--format', 'htpasswd']],
    ['nocolon', 'it is not USER:HASH: there is no colon'],
    ['u:', 'the password hash is missing'],
    ['u:rqXexS6ZhobKA', 'the password hash is DES crypt, which'],
    ['u:$1$salt$qJH7.N4xYta3aEG/dfqo/', 'md5crypt password hash is not whole'],
    ['u:$5$salt$x', 'sha256crypt password hash is not whole'],
    ['u:$2x$04$' . 'a' x 53, 'the password hash is bcrypt of an old kind'],
    ['u:$gy$x', 'is gost-yescrypt'], ['u:$7$x', 'is scrypt'],
    ['u:$2y$04$' . 'a' x 52, 'bcrypt password hash is not whole'],
    ['u:$2y$04$' . 'a' x 52 . '!', 'not whole'],
    ['u:$6$' . 'a' x 86, 'not whole'], ['u:$y$j9T$x', 'not whole'],
    ['u:$2y$15$' . '.' x 53, 'bcrypt password hash is not kept, for whoever'],
    ['u:$2b$31$' . '.' x 53, 'at most a cost of 14 for bcrypt'],
    ['u:$6$rounds=1000001$salt$' . '.' x 86, '1000000 rounds'],
    ['u:$6$rounds=99999999999999999999$salt$' . '.' x 86, 'sha512crypt'],
    ['u:$5$rounds=1000001$salt$' . '.' x 43, 'sha256crypt password hash is '
        . 'not kept'],
    ['u:$y$jDT$salt$' . '.' x 43, '128 MB for yescrypt'],
    ['u:$y$jFT$salt$' . '.' x 43, 'yescrypt password hash is not kept'],
    ['u:$y$j9z5$salt$' . '.' x 43, 'yescrypt password hash is not kept'],
    ['u:$y$j9T0.$salt$' . '.' x 43, 'yescrypt password hash is not kept'],
    ['u:$apr1$salt$short', 'apr1 password hash is not whole'],
    ['u:{SHA}' . encode_base64(sha1('pw') . 'x', ''), 'SHA password hash is '
        . 'not whole'],
    ['u:{SHA}x', 'not whole'], ['u:{SHA}', 'not whole'],
    ['u:{SHA}' . '!' x 28, 'not whole'],
    ['u:{SSHA}' . encode_base64(sha1('pw'), ''), 'SSHA password hash is not '
        . 'whole'],
    ['u:{SSHA}' . 'a' x 400, 'not whole'],
    ['u:{PLAIN}', 'the password is empty'],
    [":$hashes{sha}", 'the name is empty'],
    ["\xff:$hashes{sha}", 'UTF-8'],
    ["sha:$hashes{sha}", 'already']);

# the map

my $map = secret('map', "u2\tIMEI:77\n\nu1\timei:78\n");

done("import - --format htpasswd --id-map $map", qr/ 3 added/, 'map',
    "u1:{PLAIN}pw\nu2:{PLAIN}pw\nu3:{PLAIN}pw\n");
is(show("IMEI:$_->[0]")->{name}, $_->[1], "mapped: $_->[1]")
    for [77, 'u2'], [78, 'u1'];
is(show('u3')->{name}, 'u3', 'not mapped');
is(verify('IMEI:77', 'pw'), 0, 'mapped: password');
done("set IMEI:77 --group kept", '', 'group');
$map = secret('map', "u2\tIMEI:77\n");
done("import - --format htpasswd --update --id-map $map",
    qr/ 0 added, 1 updated/, 'map, update', "u2:$hashes{sha}");
is_deeply([@{show('IMEI:77')}{qw/ crypt name /}, @{show('IMEI:77')->{groups}}],
    ['SHA', 'u2', 'kept'], 'only the password has changed');

for (["u1 x\n", 'line 1: a user, a TAB and an id'], ["a\tb\n\tb\n",
    'line 2: the name is empty'], ["a\t\n", 'line 1: the id is empty'],
    ["a\tb\nc\td\na\te\n", 'has user "a" twice'],
    ["a\tb\n" . 'x' x 140000, 'line 2: the line is longer'])
{
    refused("import $file --format htpasswd --id-map "
        . secret('badmap', $_->[0]), $_->[1], "bad map: $_->[1]");
}

refused("import $file --format htpasswd --id-map $d/none", 'cannot open',
    'no map');

SKIP: {

skip 'no htpasswd', 6 if system('htpasswd -? >/dev/null 2>&1') >> 8 == 127;

my %made = (m => 'apr1', B => 'bcrypt', s => 'SHA', 5 => 'sha512crypt');

for (sort keys %made) {
    my $made = `htpasswd -nb$_ real$_ pw 2>/dev/null`;

    done('import - --format htpasswd', ' 1 added', "htpasswd -$_", $made);
    is(show("real$_")->{crypt}, $made{$_}, "htpasswd -$_: scheme");
}

is(verify("real$_", 'pw'), 0, "htpasswd -$_: verify") for qw/ B s /;

}

###############################################################################

# check: what is weak

done('import -', '', 'weak ones', <<'END');
{"id":"w1","name":"w1n","digest":{"MD5":"00000000000000000000000000000000"}}
{"id":"w2","name":"w2n","password":"w2"}
{"id":"w3","name":"w3n","password":"w3n"}
{"id":"w4","cert_keys":["san:DNS:w4"]}
{"id":"w5","password":"strong"}
END

my %weak = map { /^weak: account "(.*?)": (.*)$/ ? ($1, $2) : () }
    split(/\n/, ($r = run('check'))->{out});

is($r->{rc}, 0, 'check: weakness is not damage');
like($r->{out}, qr/^\d+ accounts, \d+ weaknesses, 0 damages\n\z/m,
    'check: sum');
is($weak{w1}, 'no hash for SHA-256', 'weak: MD5 only');
is($weak{$_}, 'its own name or id is the password', "weak: $_")
    for qw/ w2 w3 /;
is($weak{k1}, 'no credential', 'weak: nothing');
is($weak{$_}, undef, "not weak: $_") for qw/ w4 w5 sha512 yescrypt plain /;
like($weak{$_}, qr/its password hash, .* quickly tried/, "weak: $_")
    for qw/ sha ssha apr1 bcrypt /;

my @found = map { decode_json($_) } split(/\n/, run('check --json')->{out});
is_deeply([grep { $_->{id} && $_->{id} eq 'k1' } @found],
    [{ id => 'k1', weak => 'no credential' }], 'check, json: weak');
is_deeply($found[-1], { result => 'sound', accounts => scalar(@{ids()}),
    weak => $#found, damaged => 0 }, 'check, json: sum');

###############################################################################

# export

$r = done('export', '', 'export');
is(scalar(split(/\n/, $r->{out})), scalar(@{ids()}), 'export: all of them');
unlike($r->{out}, qr/"(?:digest|crypt|psk|key|password)"|\$/,
    'export: no secret');

my $secrets = done('export --secrets', '', 'export --secrets')->{out};
is_deeply(decode_json((grep { /"w1"/ } split(/\n/, $secrets))[0]),
    { id => 'w1', name => 'w1n', state => 'active', groups => [],
    not_before => undef, not_after => undef, cert_keys => [],
    digest => { MD5 => '0' x 32 }, crypt => undef, psk => [] },
    'export --secrets: an account');

# to another store of that realm, and back

done("--store $d/second init --share-key --realm r --owner $me",
    '', 'second store');
done("--store $d/second import -", '', 'import of an export', $secrets);
is(run("--store $d/second export --secrets")->{out}, $secrets,
    'the same accounts');
is(run("--store $d/second check")->{out}, run('check')->{out}, 'check');
is(run("--store $d/second verify IMEI:1 --password-file -", 'pw')->{rc}, 0,
    'a password still verifies');
done('import - --update', '', 'import onto itself', $secrets);
is(run('export --secrets')->{out}, $secrets, 'no change');

$r->{out} =~ s/"groups":\[[^]]*\]/"groups":["edited"]/g;
done('import - --update', '', 'import of an edited export', $r->{out});
$secrets =~ s/"groups":\[[^]]*\]/"groups":["edited"]/g;
is(run('export --secrets')->{out}, $secrets, 'secrets are as before');

is(system("exec 2>$d/err; $bin export --secrets | "
    . "$bin --store $d/second import --update - >$d/out"), 0, 'through a pipe');
is(content("$d/out"), 'imported "-": 0 added, ' . @{ids()}
    . " updated, 0 refused\n", 'through a pipe: all of them');
is(run("--store $d/second export --secrets")->{out}, $secrets,
    'through a pipe: the same accounts');

# a terminal

SKIP: {

skip 'no script', 5 if system('script --version >/dev/null 2>&1') != 0;

my $out = `script -qec "$bin export --secrets" /dev/null </dev/null`;
like($out, qr/secrets are not shown on a terminal/, 'secrets on a terminal');
unlike($out, qr/"id"/, 'none is shown');
like(`script -qec "$bin export" /dev/null </dev/null`, qr/"id"/,
    'the others are');

put("$d/p1", "x\n{\"id\":\"p1\"}\n");
$out = `script -qec "$bin import $d/p1 --keep-going" /dev/null </dev/null`;
$out = heard($out);
like($out, qr/\r\e\[Kdm-account: .* line 1: it is not JSON/,
    'progress makes room for an error');
like($out, qr/\r100 %, 2 lines, \d+ lines\/s, writing\e\[K\r\e\[Kimported /,
    'progress on a terminal');

}

###############################################################################

# interrupted and killed: the store is small, the file much larger than it

open my $fh, '>', $big or die "$big: $!\n";
printf $fh '{"id":"big-%06d","password":"%d"}' . "\n", $_ * 7919 % 100003, $_
    for 1 .. 60000;
close $fh;

$secrets = run('export --secrets')->{out};

# in the middle of the file, and between two steps

my $halt_read = halt($d, 'read', 'read', 'length(fd) > 1000000 && ++n > 4');
my $halt_step = halt($d, 'step', 'flock',
    '(operation & LOCK_EX) != 0 && ++n > 20');

for my $signal (qw/ KILL INT TERM /) {
    my ($status, $err) = interrupt($signal, 'import', $big);

    is($status, $signal eq 'KILL' ? 9 : 256, "$signal: status");
    is($err, $signal eq 'KILL' ? '' : "dm-account: interrupted: nothing of "
        . "\"$big\" is kept\n", "$signal: message");
    is(run('export --secrets')->{out}, $secrets, "$signal: as before");
}

like(run('check')->{out}, qr/, 0 damages$/, 'no damage');

# --keep-going lets others in, and keeps what it had when it is interrupted

my ($in, $status, $err);

{
    my $pid = background($halt_step, 'import', $big, '--keep-going');

    wait_for(60, sub { -e "$d/step.halted" }) or die "no steps\n";

    $in = run('add meanwhile --name meanwhile')->{rc} == 0
        && kill(0, $pid) && waitpid($pid, POSIX::WNOHANG()) == 0;

    kill('TERM', $pid);
    unlink("$d/step.halted");
    waitpid($pid, 0);
    ($status, $err) = ($?, heard(content("$d/background")));
}

ok($in, '--keep-going: another writer comes in between');
is($status, 256, '--keep-going, interrupted: status');
like($err, qr/^dm-account: interrupted: the good lines of "\Q$big\E" up to /,
    '--keep-going, interrupted: message');

my ($line) = $err =~ /line (\d+) are/;
my $kept = grep { /^big-/ } @{ids()};
is($kept, $line, '--keep-going, interrupted: these lines are kept');
cmp_ok($kept, '>', 999, '--keep-going: in steps');
cmp_ok($kept, '<', 60000, '--keep-going: not all');
cmp_ok(-s "$store/data.mdb", '>', 1 << 20, 'the map has grown before');
like(run('check')->{out}, qr/, 0 damages$/, 'no damage');

###############################################################################

# syslog, and a disk that is full

SKIP: {

skip 'no mount namespace', 1
    if $> != 0 || system('unshare -m true 2>/dev/null') != 0;

my $log = listen_log();
my $lines = join("\n", map { "{\"id\":\"log$_\"}" } 1 .. 3);

put("$d/three", $lines);
private("$bin import $d/three; $bin import $d/three; "
    . "$bin import --update --keep-going $d/three; $bin export >$d/x; "
    . "$bin export --secrets >$d/x; $bin check >$d/x");

my @messages = messages($log);

is(@messages, 5, 'syslog: each import, and an export of secrets');
like($messages[0],
    qr/ verb=import id="-" store="\Q$store\E" added=3 updated=0$/,
    'syslog: added');
like($messages[1], qr/ verb=import .* refused reason=".*bad lines; /,
    'syslog: refused');
like($messages[2], qr/ verb=import .* added=0 updated=3$/, 'syslog: updated');
like($messages[3], qr/ verb=export id="-" store="\Q$store\E" secrets=begin$/,
    'syslog: export');

my $out = private("mount -t tmpfs -o size=1m,mode=700 none /var/lib; "
    . "exec 2>&1; export DM_SEC_STORE=/var/lib/s; "
    . "$bin init --share-key --realm r --owner root --map-size 1m; "
    . "$bin add a; "
    . "$bin import $big; echo rc=\$?; $bin list; $bin check; "
    . "$bin import --json $big");
$out = heard($out);
like($out, qr/^dm-account: a page of the store cannot be had: its disk is /m,
    'full disk: message');
like($out, qr/^rc=1\na  .*^1 accounts, 1 weaknesses, 0 damages$/ms,
    'full disk: nothing is lost');
like($out, qr/^\{"error":"a page of the store cannot be had: .*"\}$/m,
    'full disk: json');

}

###############################################################################

done_testing();

###############################################################################

sub background {
    my ($preload, @args) = @_;
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        local $ENV{LD_PRELOAD} = join(' ', $preload, $ENV{LD_PRELOAD} // ());

        open STDOUT, '>', '/dev/null';
        open STDERR, '>', "$d/background";
        exec($bin, @args) or POSIX::_exit(9);
    }

    return $pid;
}

# the status and the messages of one that got a signal while it worked

sub interrupt {
    my ($signal, @args) = @_;
    my $pid = background($halt_read, @args);

    wait_for(60, sub { -e "$d/read.halted" }) or die "nothing is read\n";

    kill($signal, $pid);
    unlink("$d/read.halted");
    waitpid($pid, 0);

    return ($?, heard(content("$d/background")));
}

###############################################################################
