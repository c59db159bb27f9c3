#!/usr/bin/perl

# Tests for dm-account: init, add, set, disable, enable, unlock, del, show,
# list, verify.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use Digest::SHA;
use JSON::PP;

use lib 'lib';
use Test::DmAccount;

###############################################################################

# misuse before there is a verb

usage('', 'a verb is needed', 'no verb');
usage('frobnicate', 'unknown verb "frobnicate"', 'unknown verb');
usage('help frobnicate', 'unknown verb "frobnicate"', 'help on unknown verb');
usage('help add set', 'too many arguments', 'help on two verbs');
usage('--frobnicate list', 'unknown or ambiguous option "--frobnicate"',
    'unknown option before the verb');
usage('-x list', 'unknown option "-x"', 'unknown short option');
usage('--store', 'option "--store" needs a value', 'no value');
usage('--json=1 list', 'option "--json" takes no value', 'a value too much');
usage('--key a --key b list', 'twice', 'option before the verb twice');

done('--version', qr/^dm-account \d+\.\d+\.\d+$/, 'version');

# help

my %options = (
    init => [qw/ realm owner user map-size share-key /],
    add => [qw/ name password-file generate-password slow-hash psk-identity
        psk-file generate-psk cert cert-key group not-before not-after
        disabled /],
    set => [qw/ by-name by-psk-identity by-cert-key by-cert name password-file generate-password slow-hash psk-identity
        psk-file generate-psk drop-psk cert cert-key drop-cert-key
        group not-before not-after disabled /],
    disable => [qw/ name psk-identity cert-key cert /],
    enable => [qw/ name psk-identity cert-key cert /],
    unlock => [qw/ name psk-identity cert-key cert /],
    del => [qw/ name psk-identity cert-key cert /],
    show => [qw/ name psk-identity cert-key cert /],
    explain => [],
    list => [qw/ state group expired expiring lacks method name psk-identity
        cert-key cert /],
    verify => [qw/ password-file name psk-identity cert-key cert /],
    import => [qw/ format update id-map realm keep-going /],
    export => [qw/ secrets /],
    check => [],
    backup => [],
    restore => [qw/ owner user keep /],
    upgrade => [qw/ owner user keep /],
    rekey => [qw/ prepare finish /],
    provision => [qw/ format psk-identity cert private-key server-id
        server-uri server-name /],
);

my $r = done('--help', qr/^usage: dm-account /, 'help');
is(done('help', '', 'help as a verb')->{out}, $r->{out}, 'the same help');

for my $verb (sort keys %options) {
    like($r->{out}, qr/^  $verb +\w/m, "help names $verb");

    my $h = done("$verb --help", qr/^usage: .* $verb .*^example:/ms,
        "$verb --help");
    is(done("help $verb", '', "help $verb")->{out}, $h->{out},
        "help $verb is the same");

    for my $option (@{$options{$verb}}) {
        like($h->{out}, qr/^  --$option\b/m, "$verb --help: --$option");
    }

    usage("$verb --frobnicate", 'unknown or ambiguous option '
        . '"--frobnicate"; see "dm-account ' . $verb . ' --help"',
        "$verb: unknown option");
}

for my $verb (qw/ add disable enable unlock del show /) {
    usage($verb, 'ID is needed', "$verb: no ID");
    usage("$verb a b", 'one ID at a time', "$verb: two IDs");
}

usage('set --disabled', 'ID is needed', 'set: no ID');
usage('list a', 'too many arguments', 'list: an argument');
usage('init --realm r a', 'too many arguments', 'init: an argument');

###############################################################################

# no store yet

for my $verb (qw/ show disable enable unlock del add /) {
    refused("$verb a", "no store at \"$store\": make one with "
        . '"dm-account init"', "$verb: no store");
}

refused('list', 'dm-account init', 'list: no store');
refused(['set', 'a', '--disabled'], 'dm-account init', 'set: no store');
refused(['verify', 'a', '--password-file', '-'], 'dm-account init',
    'verify: no store', "x\n");

# init: misuse leaves nothing behind

usage('init', '--realm is needed', 'init: no realm');
usage(['init', '--realm', ''], '--realm is needed', 'init: an empty realm');
usage(['init', '--realm', 'r', '--map-size', $_], 'is not a size',
    "init: map size \"$_\"")
    for qw/ x 1x -1 1gg 99999999999999999999 99999999999t /, '';
refused('init --realm r --owner nosuchuser', 'no user "nosuchuser"',
    'init: unknown owner');
refused("--store $d/no/store init --realm r --owner $me", 'no/store',
    'init: no parent');
refused("--key $d/no/key init --realm r --owner $me", 'no/key',
    'init: no parent of the key');
refused(['init', '--realm', $_, '--owner', $me], 'realm', 'init: bad realm')
    for "a\nb", 'a' x 256;
ok(!-e $key, 'init: no key is left behind');
ok(!-e $store, 'init: no store is left behind');

# init

done("init --realm dm\@example.org --owner $me --map-size 16m",
    qr/^created "\Q$store\E", realm "dm\@example.org", with the new key in /,
    'init');

my $gid = (getpwnam($me))[3];

is(mode($key), '0600', 'mode of the key');
like(content($key), qr/^k1 [0-9A-Fa-f]{64}\n$/, 'form of the key');
is(mode("$store/data.mdb"), '0640', 'mode of the data');
is(mode("$store/$_"), '0600', "mode of $_") for qw/ lock.mdb write.lock /;
is((stat("$store/data.mdb"))[5], $gid, 'group of the data');
my $readers = "$store/readers." . (getpwnam($me))[2];
is(mode($readers), '2750', 'mode of the readers');
is((stat($readers))[4], (getpwnam($me))[2], 'whose the readers are');
is((stat($store))[5], $gid, 'group of the store');
like(mode($store), qr/0[27]?[57][57]0$/, 'mode of the store');
is(-s "$store/data.mdb", 1 << 24, 'size of the map');

# init again: nothing is changed

my @before = (content($key), sum("$store/data.mdb"));

refused("init --realm other --owner $me", 'exists already',
    'init: store exists');
refused("--key $d/other.key init --realm other --owner $me",
    'exists already', 'init: store exists, another key');
ok(!-e "$d/other.key", 'init: no second key');
ok($before[0] eq content($key), 'init: key is as before');
is(sum("$store/data.mdb"), $before[1], 'init: store is as before');

$r = json("--store $d/second init --share-key --realm r --owner $me",
    'init with the key of another store');
is(-s "$d/second/data.mdb", 1 << 34, 'size of the map by default');
cmp_ok((stat("$d/second/data.mdb"))[12] * 512, '<', 1 << 20, 'it is sparse');
is($r->{result}, 'created', 'init, json: result');
is($r->{store}, "$d/second", 'init, json: store');
is($r->{key}, $key, 'init, json: key');
is($r->{realm}, 'r', 'init, json: realm');
ok(!$r->{new_key}, 'init, json: key is not new');
ok($before[0] eq content($key), 'init: existing key is as before');

chmod(0644, $key);
refused("--store $d/third init --share-key --realm r --owner $me", $key,
    'init: world readable key');
ok(!-e "$d/third", 'init: no store without a key');
ok(-e $key, 'init: the bad key is kept');

# keys

refused('list', $key, 'world readable key');
chmod(0620, $key);
refused('list', $key, 'group writable key');
chmod(0600, $key);

secret('wrong.key', 'k1 ' . '00' x 32 . "\n");
refused("--key $d/wrong.key list", 'key', 'wrong key');
secret('unknown.key', 'k9 ' . '00' x 32 . "\n");
refused("--key $d/unknown.key list", 'key', 'key of another id');
secret('bad.key', "k1 00\n");
refused("--key $d/bad.key list", 'bad.key', 'no key');
refused("--key $d/none.key list", 'none.key', 'absent key');
refused("--key $d list", $d, 'key is a directory');

mkdir("$d/empty");
refused("--store $d/empty list", "$d/empty", 'not a store');
is_deeply([glob("$d/empty/*")], [], 'not a store: nothing made there');

done('list', qr/^$/, 'list of an empty store');

{
    local $ENV{DM_SEC_STORE} = "$d/nowhere";
    local $ENV{DM_SEC_STORE_KEY} = "$d/nowhere.key";
    done("--store $store --key $key list", '', 'options over environment');
}

###############################################################################

# add

my $pw = secret('pw', "s\xc3\xa9same ouvre-toi\n");
my $psk = secret('psk', '0123456789abcdef' x 4 . "\n");

done("add IMEI:1 --password-file $pw", qr/^added "IMEI:1", name "1"$/, 'add');

$r = show('IMEI:1');
is_deeply($r, { id => 'IMEI:1', name => '1', state => 'active', groups => [],
    not_before => undef, not_after => undef,
    digest => ['MD5', 'SHA-512-256', 'SHA-256'], crypt => undef,
    psk => [], cert_keys => [] }, 'show, json');

refused("add IMEI:1 --password-file $pw",
    'account "IMEI:1" already: change it with "dm-account set"',
    'add: exists');
refused('add imei:1 --name other', 'account "IMEI:1" already',
    'add: exists under the same canonical id');

# ids

done('add urn:UUID:f81d4fae', qr/"urn:uuid:f81d4fae", name "f81d4fae"/,
    'add: urn:uuid');
done('add opaque', qr/^added "opaque", name "opaque"$/, 'add: opaque id');
done('add --name minus -- --minus', qr/^added "--minus"/,
    'add: id that looks like an option');
done("add \xc3\xa9t\xc3\xa9", qr/^added "\xc3\xa9t\xc3\xa9"/, 'add: utf-8');
done(['add', 'with space'], qr/^added "with space"/, 'add: a space');
done('add ' . 'i' x 255, qr/^added "i+"/, 'add: longest id');

refused('add ' . 'i' x 256, '255', 'add: id too long');
refused(['add', ''], 'empty', 'add: empty id');
refused(['add', "a\nb"], 'control character', 'add: control character');
refused(['add', "a\x7fb"], 'control character', 'add: DEL');
refused(['add', "a\xff"], 'UTF-8', 'add: not utf-8');

# names

refused('add MEID:1', 'name "1", which "MEID:1" would get, is that of account '
    . '"IMEI:1": give another with --name', 'add: default name is taken');
refused('add MAC:00:11', 'user name has no colon, so "MAC:00:11" cannot be '
    . 'its own: give one with --name', 'add: default name has a colon');
done('add MAC:00:11 --name mac', qr/name "mac"/, 'add: name');
refused('add x --name 1', '"IMEI:1"', 'add: name is taken');
refused('add x --name a:b', 'colon', 'add: name with a colon');
refused(['add', 'x', '--name', ''], 'empty', 'add: empty name');
refused('add IMEI:', 'name is empty', 'add: a scheme and nothing else');
refused(['add', 'x', '--name', "a\tb"], 'control character',
    'add: control character in the name');
refused('add x --name ' . 'n' x 256, '255', 'add: name too long');
refused('show x', 'no account "x"', 'refused accounts are not there');

# passwords

is(verify('IMEI:1', "s\xc3\xa9same ouvre-toi"), 0, 'verify');
is(verify('IMEI:1', "s\xc3\xa9same ouvre-toi\n"), 0, 'verify: newline');
is(verify('IMEI:1', "s\xc3\xa9same ouvre-toi\r\n"), 0, 'verify: CR LF');
is(verify('IMEI:1', "s\xc3\xa9same ouvre-to"), 1, 'verify: wrong');

for (["\n", 'empty'], ['', 'empty'], ["a\n\n", 'control character'],
    ["a\r\r\n", 'control character'], ["\r", 'control character'],
    ["a\tb", 'control character'], ["a\0b", 'control character'],
    ["a\x7f", 'control character'], ["\xff", 'UTF-8'],
    ["\xc0\xaf", 'UTF-8'], ["\xed\xa0\x80", 'UTF-8'],
    ["\xf4\x90\x80\x80", 'UTF-8'], ["a\xc3", 'UTF-8'],
    ['p' x 512, '511'], ['p' x 100000, 'too long'])
{
    my ($password, $why) = @$_;
    my $name = substr(unpack('H*', $password), 0, 16) || 'nothing';

    refused('add x --password-file -', $why, "add: password $name",
        $password);
}

done('add long --password-file -', '', 'add: longest password',
    'p' x 511 . "\r\n");
is(verify('long', 'p' x 511), 0, 'verify: longest password');
is(verify('long', 'p' x 510), 1, 'verify: a longest password cut');

refused("add x --password-file $d/none", 'cannot open', 'add: no file');
refused("add x --password-file $d", 'cannot read', 'add: a directory');

for (['--password=hunter22'], ['--password', 'hunter22'], ['--psk=hunter22'],
    ['--psk', 'hunter22'])
{
    my $u = usage(['add', 'x', @$_], 'secrets never come from the command '
        . 'line', "add: @$_");
    unlike($u->{err}, qr/hunter22/, 'the secret is not repeated');
}

usage(['verify', 'IMEI:1', '--password=hunter22'], 'secrets never come',
    'verify: --password');
unlike(usage('add x --passwort=hunter22', 'unknown or ambiguous option '
    . '"--passwort"', 'add: misspelt')->{err}, qr/hunter22/,
    'what follows "=" is not repeated');

# generated passwords

$r = done('add gen --generate-password', qr/^password: [A-Z2-7]{24}$/m,
    'add: generated password');
my ($made) = $r->{out} =~ /^password: (.*)$/m;
is(verify('gen', $made), 0, 'verify: generated password');

$r = json('set gen --generate-password', 'set, json: generated password');
like($r->{password}, qr/^[A-Z2-7]{24}$/, 'set, json: password');
isnt($r->{password}, $made, 'another password');
is(verify('gen', $r->{password}), 0, 'verify: the new one');
is(verify('gen', $made), 1, 'verify: the old one');
unlike(done('show gen', '', 'show')->{out}, qr/$r->{password}/,
    'show holds no password');

# slow hashes

$r = done("add slow --password-file $pw --slow-hash", qr/^added/,
    'add: slow hash');
$r = show('slow');
is($r->{crypt}, 'yescrypt', 'slow hash: crypt');
is_deeply($r->{digest}, [], 'slow hash: no digest');
is(verify('slow', "s\xc3\xa9same ouvre-toi"), 0, 'verify: slow hash');
is(verify('slow', 'wrong'), 1, 'verify: slow hash, wrong');

done("set slow --password-file $pw", '', 'set: from slow hash to digest');
is(show('slow')->{crypt}, undef, 'crypt is dropped');
is(@{show('slow')->{digest}}, 3, 'digest is set');
done("set slow --password-file $pw --slow-hash", '', 'set: slow hash again');
is(show('slow')->{crypt}, 'yescrypt', 'crypt is set');
is_deeply(show('slow')->{digest}, [], 'digest is dropped');

usage('add x --slow-hash', '--slow-hash needs', 'slow hash of nothing');
usage("add x --password-file $pw --generate-password", 'exclude each other',
    'two passwords');
usage("add x --password-file $pw --password-file $pw", 'only once',
    '--password-file twice');

# renaming

refused('set IMEI:1 --name one', 'hashes that hold its name "1": to rename it,'
    . ' give a password too', 'set: name without a password');
done('set IMEI:1 --name 1', '', 'set: the same name');
is(verify('IMEI:1', "s\xc3\xa9same ouvre-toi"), 0, 'verify: same name');
done("set IMEI:1 --name one --password-file $pw", qr/name "one"/,
    'set: name and password');
is(verify('IMEI:1', "s\xc3\xa9same ouvre-toi"), 0, 'verify: new name');
done('set slow --name slower', qr/name "slower"/,
    'set: name of an account without digest');
is(verify('slow', "s\xc3\xa9same ouvre-toi"), 0, 'verify: slow, new name');
refused('set slow --name one', '"IMEI:1"', 'set: name is taken');
done('add MEID:1', qr/name "1"/, 'the old name is free');

###############################################################################

# PSK

done("add p1 --psk-identity dev1 --psk-file $psk", '', 'add: psk');
is_deeply(show('p1')->{psk}, [{ identity => 'dev1' }], 'psk is there');

$r = done('set p1 --psk-identity dev1b --generate-psk',
    qr/^psk key:  [0-9a-f]{64}$/m, 'set: second psk, generated');
is_deeply([map { $_->{identity} } @{show('p1')->{psk}}], ['dev1', 'dev1b'],
    'two psks');
my ($hex) = $r->{out} =~ /^psk key:  (.*)$/m;
unlike(done('show p1', qr/^psk +dev1\n +dev1b$/m, 'show: psk')->{out},
    qr/$hex|0123456789abcdef/, 'show holds no key');

refused('set p1 --psk-identity dev1c --generate-psk', 'holds 2 PSKs already: '
    . 'drop one with "dm-account set --drop-psk"', 'set: third psk');
done('set p1 --psk-identity dev1c --generate-psk --drop-psk dev1', '',
    'set: third psk for the first');
is_deeply([sort map { $_->{identity} } @{show('p1')->{psk}}],
    ['dev1b', 'dev1c'], 'rotated');
done('set p1 --psk-identity dev1c --generate-psk', '',
    'set: new key of an identity');
is(@{show('p1')->{psk}}, 2, 'still two psks');
refused('set p1 --drop-psk dev1', 'has no PSK identity "dev1" to drop',
    'set: drop what is not there');
done('set p1 --drop-psk dev1b --drop-psk dev1c', '', 'set: drop both');
is_deeply(show('p1')->{psk}, [], 'no psk');

$r = json('set p1 --psk-identity dev1 --generate-psk --generate-password',
    'set, json: generated psk');
is($r->{psk}[0]{identity}, 'dev1', 'set, json: identity');
like($r->{psk}[0]{key}, qr/^[0-9a-f]{64}$/, 'set, json: key');
like($r->{password}, qr/^[A-Z2-7]{24}$/, 'set, json: password beside it');

refused("add x --psk-identity dev1 --psk-file $psk", '"p1"',
    'add: identity is taken');
refused("set opaque --psk-identity dev1 --psk-file $psk", '"p1"',
    'set: identity is taken');

usage('add x --psk-identity i', 'needs --psk-file or', 'identity alone');
usage('add x --generate-psk', 'needs --psk-identity', 'key alone');
usage("add x --psk-file $psk", 'needs --psk-identity', 'file alone');
usage("add x --psk-identity i --psk-file $psk --generate-psk",
    'exclude each other', 'two keys');
usage('add x --drop-psk i', 'unknown or ambiguous', 'add: --drop-psk');
usage('add x --password-file - --psk-identity i --psk-file -',
    'only one option can read stdin', 'stdin twice');

for ('', "\n", 'x' x 32, '0' x 30, '0' x 33, '0' x 130, ' ' . '0' x 32,
    '0' x 32 . ' ', '0' x 32 . "\n\n", '0' x 32 . "\0", '00:' x 20)
{
    refused('add x --psk-identity i --psk-file -',
        'must hold 16 to 64 octets in hex', 'add: bad psk', $_);
}

done('add p16 --psk-identity i16 --psk-file -', '', 'add: shortest psk',
    'aB' x 16 . "\r\n");
done('add p64 --psk-identity i64 --psk-file -', '', 'add: longest psk',
    '00' x 64);
refused("add x --psk-file $psk --psk-identity " . 'i' x 129, '128',
    'add: identity too long');
done("add plong --psk-file $psk --psk-identity " . 'i' x 128, '',
    'add: longest identity');
refused(['add', 'x', '--psk-file', $psk, '--psk-identity', $_->[0]], $_->[1],
    "add: identity $_->[1]")
    for ['', 'empty'], ["a\nb", 'control character'], ["\xff", 'UTF-8'];

###############################################################################

# certificates

SKIP: {

skip 'no openssl', 1 if system('openssl version >/dev/null 2>&1') != 0;

for my $n (1, 2) {
    system('openssl req -x509 -newkey ec -pkeyopt '
        . "ec_paramgen_curve:P-256 -nodes -subj /CN=dev$n -days 2 "
        . "-keyout $d/k$n.pem -out $d/c$n.pem 2>/dev/null") == 0
        or die "openssl req failed\n";
}

system("openssl x509 -in $d/c2.pem -outform DER -out $d/c2.der") == 0
    or die "openssl x509 failed\n";

my @fp = map { 'sha256:' . Digest::SHA->new(256)->add(der("$d/c$_.pem"))
    ->hexdigest() } (1, 2);

secret('both.pem', content("$d/k1.pem") . content("$d/c1.pem")
    . content("$d/c2.pem"));

done("add c1 --cert $d/c1.pem", '', 'add: certificate');
is_deeply(show('c1')->{cert_keys}, [$fp[0]], 'fingerprint');
done("set c1 --cert $d/both.pem", '', 'set: bound already, key and chain');
is_deeply(show('c1')->{cert_keys}, [$fp[0]], 'once');
done("set c1 --cert $d/c2.der", '', 'set: DER');
is_deeply(show('c1')->{cert_keys}, \@fp, 'two fingerprints');
refused("add x --cert $d/c1.pem", '"c1"', 'add: certificate is taken');
refused("add x --cert-key $fp[0]", '"c1"', 'add: key is taken');
done("set c1 --drop-cert-key $fp[0]", '', 'set: drop');
is_deeply(show('c1')->{cert_keys}, [$fp[1]], 'dropped');
done('add c2 --cert -', '', 'add: certificate from stdin',
    content("$d/c1.pem"));
is_deeply(show('c2')->{cert_keys}, [$fp[0]], 'fingerprint from stdin');
done("set c2 --drop-cert-key $fp[0] --cert $d/c1.pem", '',
    'set: drop and bind again');
is_deeply(show('c2')->{cert_keys}, [$fp[0]], 'bound again');
refused("add x --cert $d/k1.pem", 'no certificate in PEM or DER',
    'add: no certificate');
refused("add x --cert $d/none", 'cannot open', 'add: no certificate file');
refused('add x --cert -', 'no certificate', 'add: empty certificate', '');
usage('add x --cert - --cert -', 'only one option', 'two from stdin');
usage('add x --cert - --password-file -', 'only one option',
    'certificate and password from stdin');

}

my @keys = ('sha256:' . 'ab' x 32, 'issuer-serial:CN=CA,O=A\\, B#1f',
    'san:URI:urn:dev:1', 'san:DNS:dev.example.org',
    "subject:CN=D\xc3\xa9v,O=X");

done(['add', 'k1', map { ('--cert-key', $_) } @keys], '', 'add: keys');
is_deeply(show('k1')->{cert_keys}, [map { text($_) } @keys], 'keys');
done('set k1 --cert-key SHA256:' . 'AB:' x 31 . 'AB', '',
    'set: not canonical, bound already');
is(@{show('k1')->{cert_keys}}, 5, 'no sixth');
refused('add x --cert-key SAN:dns:DEV.example.ORG', '"k1"',
    'add: not canonical, taken');
done('set k1 --drop-cert-key SAN:DNS:DEV.EXAMPLE.ORG', '',
    'set: drop, not canonical');
is(@{show('k1')->{cert_keys}}, 4, 'four');
refused('set k1 --drop-cert-key san:DNS:dev.example.org', 'to drop',
    'set: drop again');
refused('set k1 --drop-cert-key nonsense', 'certificate key',
    'set: drop nonsense');

refused(['add', 'x', '--cert-key', $_], 'certificate key',
    'add: key "' . substr($_, 0, 20) . '"')
    for '', 'nonsense', 'sha256:ab', 'sha256:' . 'xy' x 32,
        'issuer-serial:CN=CA', 'subject:' . 'CN=' . 'a' x 1024;

usage(['add', 'x', map { ('--cert-key', "san:DNS:$_") } 1 .. 9],
    'at most 8', 'add: nine keys');
done(['set', 'k1', map { ('--cert-key', "san:DNS:$_") } 1 .. 4], '',
    'set: eight keys');
refused(['set', 'k1', '--cert-key', 'san:DNS:5'], 'more than 8',
    'set: a ninth');
usage('add x --drop-cert-key i', 'unknown or ambiguous',
    'add: --drop-cert-key');

###############################################################################

# groups, validity, state

done(['add', 'g1', '--group', 'lab', '--group', 'field trial'], '',
    'add: groups');
is_deeply(show('g1')->{groups}, ['lab', 'field trial'], 'groups');
done('set g1 --group prod', '', 'set: groups are replaced');
is_deeply(show('g1')->{groups}, ['prod'], 'replaced');
done('set g1 --disabled', '', 'set: something else');
is_deeply(show('g1')->{groups}, ['prod'], 'groups stay');
is(show('g1')->{state}, 'disabled', 'set: disabled');
done(['set', 'g1', '--group', ''], '', 'set: no group');
is_deeply(show('g1')->{groups}, [], 'no group');
usage(['set', 'g1', '--group', '', '--group', 'a'], 'stands alone',
    'set: no group and one');
refused('set g1 --group a,b', 'comma', 'group with a comma');
refused('set g1 --group ' . 'g' x 65, '64', 'group too long');
refused(['set', 'g1', '--group', "a\nb"], 'control character',
    'group with a control character');
refused('set g1 --group a --group a', 'twice', 'group twice');
done(['set', 'g1', map { ('--group', "g$_") } 1 .. 32], '', 'set: 32 groups');
usage(['set', 'g1', map { ('--group', "g$_") } 1 .. 33], 'more than 32',
    'set: 33 groups');

done('add v1 --not-before 2026-01-31T00:00:00Z '
    . '--not-after 2027-02-28T23:59:59Z', '', 'add: validity');
is(show('v1')->{not_before}, '2026-01-31T00:00:00Z', 'not before');
is(show('v1')->{not_after}, '2027-02-28T23:59:59Z', 'not after');
done(['set', 'v1', '--not-before', ''], '', 'set: no start');
is(show('v1')->{not_before}, undef, 'no start');
is(show('v1')->{not_after}, '2027-02-28T23:59:59Z', 'the end stays');
done(['set', 'v1', '--not-after', ''], '', 'set: no end');
is(show('v1')->{not_after}, undef, 'no end');
refused('set v1 --not-before 2027-01-01T00:00:00Z '
    . '--not-after 2026-01-01T00:00:00Z', 'not_before is later',
    'set: end before start');

for (qw/ tomorrow 2027-01-31 2027-01-31T00:00:00 2027-02-30T00:00:00Z
    2027-01-31T24:00:00Z 2027-01-31T00:00:00+01:00 2027-1-31T00:00:00Z
    2027-01-31T00:00:00.5Z 2027-01-31T00:00:00Zx 1969-12-31T23:59:59Z
    1970-01-01T00:00:00Z 2027-01-31t00:00:00z 0 /, '2027-01-31 00:00:00Z')
{
    usage(['set', 'v1', '--not-after', $_], '--not-after: ',
        "time $_");
    usage(['set', 'v1', '--not-before', $_], '--not-before: ',
        "time $_, --not-before");
}

usage('set v1', 'nothing to set', 'set: nothing');
refused('set none --disabled', 'no account "none"', 'set: no account');
like(run('set none --disabled')->{err}, qr/"dm-account add"/,
    'set: says to use add');

done('disable opaque', qr/^disabled "opaque"$/, 'disable');
is(show('opaque')->{state}, 'disabled', 'disabled');
done('disable opaque', '', 'disable again');
done('enable opaque', qr/^enabled "opaque"$/, 'enable');
is(show('opaque')->{state}, 'active', 'enabled');
done('unlock opaque', qr/^unlocked "opaque"$/, 'unlock');
is(json('disable opaque', 'disable, json')->{result}, 'disabled', 'result');
is(json('enable opaque', 'enable, json')->{result}, 'enabled', 'result');
is_deeply(json('unlock OPAQUE', 'unlock, json', 1),
    { error => 'there is no account "OPAQUE": see "dm-account list", or '
    . 'make it with "dm-account add"', code => 'no_account' }, 'opaque ids have one case');
refused("$_ none", 'no account "none"', "$_: no account")
    for qw/ disable enable unlock del show /;

done('add born --disabled', '', 'add: disabled');
is(show('born')->{state}, 'disabled', 'born disabled');

# verify

usage('verify IMEI:1', '--password-file is needed', 'verify: no password');
usage('verify --password-file -', 'ID is needed', 'verify: no ID', "x\n");
refused(['verify', 'none', '--password-file', $pw], 'no account "none"',
    'verify: no account');
refused(['verify', 'opaque', '--password-file', $pw],
    '"opaque" is not verified: the account has no password',
    'verify: no password there');
refused(['verify', 'IMEI:1', '--password-file', $psk], 'the password is wrong',
    'verify: wrong');
refused(['verify', 'IMEI:1', '--password-file', '-'], 'is empty',
    'verify: empty', '');
done(['verify', 'imei:1', '--password-file', $pw],
    qr/^verified "IMEI:1" by SHA-256$/, 'verify: by');
is(json(['verify', 'IMEI:1', '--password-file', $pw], 'verify, json')->{by},
    'SHA-256', 'verify, json: by');
is(json(['verify', 'slow', '--password-file', $pw], 'verify, json')->{by},
    'yescrypt', 'verify, json: by a slow hash');

my ($past, $future) = (when(-86400), when(10 * 86400));

done('disable IMEI:1', '', 'disable');
refused(['verify', 'IMEI:1', '--password-file', $pw], 'is disabled',
    'verify: disabled');
done('enable IMEI:1', '', 'enable');
done("set IMEI:1 --not-after $past", '', 'set: over');
refused(['verify', 'IMEI:1', '--password-file', $pw], "expired at $past",
    'verify: expired');
done(['set', 'IMEI:1', '--not-after', '', '--not-before', $future], '',
    'set: not yet');
refused(['verify', 'IMEI:1', '--password-file', $pw],
    "not valid before $future", 'verify: not yet valid');
done("set IMEI:1 --not-before $past --not-after $future", '', 'set: now');
is(verify('IMEI:1', "s\xc3\xa9same ouvre-toi"), 0, 'verify: valid');

# del

done("add gone --psk-identity gone --psk-file $psk --cert-key san:DNS:gone",
    '', 'add: to be deleted');
done('del gone', qr/^deleted "gone"$/, 'del');
refused('show gone', 'no account "gone"', 'it is gone');
done("add gone2 --name gone --psk-identity gone --psk-file $psk "
    . '--cert-key san:DNS:gone', '', 'what it had is free');
is(json('del gone2', 'del, json')->{result}, 'deleted', 'result');

###############################################################################

# show and list

$r = done(['show', 'g1'], qr/^id          g1\nname        g1\nstate /, 'show');
like($r->{out}, qr/^groups      g1\n {12}g2\n/m, 'show: groups');
like($r->{out}, qr/^not before  -\nnot after   -\ndigest      -\n/m,
    'show: nothing is a dash');
like($r->{out}, qr/^psk         -\ncert keys   -\nchanged     \d{4}-/m,
    'show: nothing is a dash, continued');
like(done('show IMEI:1', '', 'show')->{out},
    qr/^digest      MD5, SHA-512-256, SHA-256\ncrypt       -$/m,
    'show: digest');

$r = done('list', '', 'list');
my @lines = split /\n/, $r->{out};
my @all = map { $_->{id} } list();
is(@lines, @all, 'list: a line each');
cmp_ok(@all, '>', 20, 'list: all of them');
is_deeply(\@all, [sort @all], 'list: in the order of ids');
like($r->{out}, qr/^IMEI:1 +one +active +basic,digest +\Q$future\E +-$/m,
    'list: a line');
like($r->{out}, qr/^slow +slower +active +basic +- +-$/m,
    'list: slow hash is basic only');
like($r->{out}, qr/^p1 +p1 +active +basic,digest,psk +- +-$/m, 'list: psk');
like($r->{out}, qr/^k1 +k1 +active +x509 +- +-$/m, 'list: x509');
like($r->{out}, qr/^g1 +g1 +disabled +- +- +g1,g2,g3,/m, 'list: groups');

my ($ascii) = $r->{out} =~ /^(gen .*?)active/m;
my ($utf8) = $r->{out} =~ /^(\xc3\xa9t\xc3\xa9 .*?)active/m;
is(length(text($utf8)), length($ascii), 'list: utf-8 is aligned');

is_deeply([list('--state disabled')], [grep { $_->{state} eq 'disabled' }
    list()], 'list: disabled');
is(list('--state active') + list('--state disabled'), @all, 'list: states');
is_deeply(ids('--group g7'), ['g1'], 'list: group');
is_deeply(ids('--group nosuch'), [], 'list: no such group');

done("add over --not-after $past", '', 'add: over');
done('add soon --not-after ' . when(3 * 86400), '', 'add: soon over');
is_deeply(ids('--expired'), ['over'], 'list: expired');
is_deeply(ids('--expiring 4'), ['soon'], 'list: expiring');
is_deeply(ids('--expiring 11'), ['IMEI:1', 'soon'], 'list: expiring later');
is_deeply(ids('--expiring 0'), [], 'list: expiring today');
is_deeply(ids('--expired --expiring 4'), [], 'list: both');

is_deeply(ids('--method psk'), ['p1', 'p16', 'p64', 'plong'], 'list: psk');
is_deeply([grep { $_ !~ /^c/ } @{ids('--method x509')}], ['k1'], 'list: x509');
is_deeply(ids('--method digest'), ['IMEI:1', 'gen', 'long', 'p1'],
    'list: digest');
is_deeply(ids('--method basic'), ['IMEI:1', 'gen', 'long', 'p1', 'slow'],
    'list: basic');
is_deeply(ids('--method basic --expiring 11'), ['IMEI:1'], 'list: and');

is_deeply(ids("--lacks $_"), [], "list: lacks $_")
    for qw/ MD5 SHA-256 sha-512-256 /;

usage('list --state on', '--state: "on" is neither', 'list: bad state');
usage('list --method foo', '--method: "foo" is none of', 'list: bad method');
usage('list --lacks SHA-1', '--lacks: "SHA-1" is none of', 'list: bad hash');
usage("list --expiring $_", 'is not a number', "list: $_ days")
    for qw/ x 1x -1 99999999 /;
usage('list --expiring', 'needs a value', 'list: no days');
usage('list --state active --state disabled', 'only once', 'list: two states');

unlike(run('--json list')->{out}, qr/ha1|hash|\$y\$|"key"/,
    'list holds no secret');

###############################################################################

# json: before the verb, after it, errors

is_deeply(decode_json(run('--json show g1')->{out}), show('g1'),
    '--json before the verb');
is_deeply(json('--json show none', 'error, json', 1), { error =>
    'there is no account "none": see "dm-account list", or make it with '
    . '"dm-account add"', code => 'no_account' }, 'error, json');
is_deeply(json('--json set g1', 'misuse, json', 2), { error =>
    'nothing to set: name what to change; see "dm-account set --help"',
    code => 'usage' }, 'misuse, json');
is_deeply(json("--json add a\xff", 'error with an octet, json', 1), { error =>
    'the id is not UTF-8 at octet 2', code => 'invalid' }, 'error with an octet, json');
like(json("--json --store $d/\xff list", 'path with an octet, json', 1)
    ->{error}, qr/no store at/, 'path that is not utf-8, json');

unlike(run(['disable', "\e[2J"])->{err}, qr/\e/, 'no escapes in messages');
unlike(run("--store $d/\e[2J list")->{err}, qr/\e/,
    'no escapes in messages, a path');

# output that cannot be written

SKIP: {

skip 'no /dev/full', 2 unless -e '/dev/full';

is(system("$bin list >/dev/full 2>$d/err") >> 8, 1, 'full');
like(content("$d/err"), qr/cannot write to stdout/, 'full: error');

}

system("$bin disable g1 >&- 2>&-");
system("$bin enable g1 <&- >&- 2>&-");
is(show('g1')->{state}, 'active', 'no file of the store becomes stdout');

# parallel writers

my @pids;

for my $n (1 .. 8) {
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec($bin, 'add', $n % 2 ? "par$n" : 'same', '--name', "par$n")
            or POSIX::_exit(9);
    }

    push @pids, $pid;
}

my $added = 0;

for my $pid (@pids) {
    waitpid($pid, 0);
    $added += ($? == 0);
}

is($added, 5, 'parallel: one of each id');
is(scalar(grep { /^par/ } map { $_->{name} } list()), 5, 'parallel: all there');

###############################################################################

# another user: owner of a store, and not

SKIP: {

skip 'not root', 1 if $> != 0;

$user = 'nobody';
chmod(0711, $d);

my ($uid, $group) = (getpwnam($user))[2, 3];
mkdir("$d/nobody");
chown($uid, $group, "$d/nobody");

local $ENV{DM_SEC_STORE} = "$d/nobody/store";
local $ENV{DM_SEC_STORE_KEY} = "$d/nobody/key";

refused('init --realm r --owner root', 'not permitted',
    'init: for another user');
ok(!-e "$d/nobody/key", 'init: for another user, no key');
ok(!-e "$d/nobody/store", 'init: for another user, no store');
done("init --realm r --owner $user", '', 'init: for oneself');
is(mode("$d/nobody/key"), '0600', 'mode of the key');
is(mode("$d/nobody/store/data.mdb"), '0640', 'mode of the data');
done('add b --password-file /dev/stdin', '', 'add: /dev/stdin', "x\n");
is(verify('b', 'x'), 0, 'verify');

refused("--store $store --key $key list", 'Permission denied',
    "another user's store");

undef $user;

}

###############################################################################

# what needs places of the system: in a mount namespace of our own

SKIP: {

skip 'no mount namespace', 1
    if $> != 0 || system('unshare -m true 2>/dev/null') != 0;

my @changes = qw/ set disable enable unlock del /;
my $log = listen_log();

private("$bin list; $bin show g1; $bin help");
is_deeply([messages($log)], [], 'syslog: nothing changed, nothing said');

my $out = private("SUDO_USER='ev\"il' $bin add 'log\"ged' "
    . "--generate-password; $bin set 'log\"ged' --group a; "
    . "for i in disable enable unlock del; do $bin \$i 'log\"ged'; done; "
    . "$bin --store $d/logged init --share-key --realm r "
    . "--owner root --map-size 1m");
my @messages = messages($log);

is(scalar(@messages), 7, 'syslog: a line for each change');
like($messages[0], qr/^<85>.* dm-account\[\d+\]: user="ev\\x22il" uid=0 /,
    'syslog: who');
like($messages[0], qr/ verb=add id="log\\x22ged" store="\Q$store\E"$/,
    'syslog: what');
like($messages[$_ + 1], qr/ user="\Q$me\E" uid=0 verb=$changes[$_] id="log/,
    "syslog: $changes[$_]") for 0 .. $#changes;
like($messages[1], qr/" changed=groups$/, 'syslog: what set has changed');
like($messages[6], qr/ verb=init id="-" store="\Q$d\E\/logged"$/,
    'syslog: init');

($made) = $out =~ /^password: (.*)$/m;
ok(length($made) == 24 && "@messages" !~ /$made/, 'syslog: no secret');

# the default paths

skip 'no www-data', 1 unless getpwnam('www-data');

# the store is of the package's user where that is installed

my $owner = getpwnam('dm-sec') ? 'dm-sec' : 'root';

delete local $ENV{DM_SEC_STORE};
delete local $ENV{DM_SEC_STORE_KEY};

$out = private("$bin init --realm r && $bin add a && $bin list; cd /; "
    . 'stat -c "%n %a %U %G" var/lib/dm-sec var/lib/dm-sec/store/* '
    . 'etc/dm-sec etc/dm-sec/store.key');
is($out, <<"END", 'default paths');
created "/var/lib/dm-sec/store", realm "r", with the new key in "/etc/dm-sec/store.key"
added "a", name "a"
a                         a                     active    -                      -                     -
var/lib/dm-sec 755 root root
var/lib/dm-sec/store/data.mdb 640 $owner www-data
var/lib/dm-sec/store/disabled 644 $owner $owner
var/lib/dm-sec/store/lock.mdb 600 $owner $owner
var/lib/dm-sec/store/readers.@{[(getpwnam('www-data'))[2]]} 2750 www-data $owner
var/lib/dm-sec/store/write.lock 600 $owner $owner
etc/dm-sec 755 root root
etc/dm-sec/store.key 600 root root
END

}

###############################################################################

done_testing();

###############################################################################

sub der {
    my ($base64) = content(shift) =~ /-----BEGIN.*?\n(.*?)-----END/s;
    require MIME::Base64;
    return MIME::Base64::decode($base64);
}

###############################################################################
