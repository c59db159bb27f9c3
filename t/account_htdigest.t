#!/usr/bin/perl

# Tests for dm-account import --format htdigest, and for the accounts that
# have an HA1 for MD5 and for nothing else.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use Digest::MD5 qw/ md5_hex /;
use IPC::Open2;
use JSON::PP;

use lib 'lib';
use Test::DmAccount;

###############################################################################

my $realm = 'dm@example.org';
my @import = qw/ import - --format htdigest /;

# misuse

usage("import a --realm $realm", '--realm is for htdigest', 'realm, jsonl');
usage("import a --realm $realm --format htpasswd", '--realm is for htdigest',
    'realm, htpasswd');
usage('import - --format htdigest --id-map -', 'cannot both be stdin',
    'stdin twice');

done("init --realm $realm --owner $me --map-size 1m", '', 'init');

refused([@import, '--realm', 'other'], "the realm of the store is \"$realm\", "
    . 'and hashes for "other" are right only there', 'another realm',
    line('a', 'pw', 'other'));

###############################################################################

# lines

done(\@import, qr/^imported "-": 3 added, 0 updated, 0 refused$/, 'import',
    "# a comment\n\n" . line('alice') . uc(line('BOB')) =~ s/DM.*ORG/$realm/r
    . line('carol') =~ s/\n/\r\n/r);

is_deeply([map { $_->{id} } list()], ['BOB', 'alice', 'carol'], 'ids');
is_deeply(show('alice'), { id => 'alice', name => 'alice', state => 'active',
    groups => [], not_before => undef, not_after => undef, digest => ['MD5'],
    crypt => undef, psk => [], cert_keys => [] }, 'MD5 and nothing else');
is(verify($_, 'pw'), 0, "$_: password") for qw/ alice BOB carol /;
is(verify('alice', 'PW'), 1, 'wrong password');

is(ha1('alice')->{MD5}, md5_hex("alice:$realm:pw"), 'HA1');

# each way to be wrong

my $hash = md5_hex('x');

bad([['--format', 'htdigest']],
    ['nocolon', 'it is not USER:REALM:HASH: a colon is missing'],
    ['u:' . $hash, 'a colon is missing'],
    ["u:$realm", 'a colon is missing'],
    ["u:$realm:", 'the hash has something else than 32 hexadecimal digits'],
    ["u:$realm:" . substr($hash, 1), '32 hexadecimal'],
    ["u:$realm:${hash}0", '32 hexadecimal'],
    ["u:$realm:$hash ", 'the hash begins or ends with a blank'],
    ["u:$realm:$hash:$hash", 'the userhash behind the hash is not that of'],
    ["u:$realm:" . $hash x 2 . '0', '64 for SHA-256'],
    ["u:$realm:" . 'x' x 32, '32 hexadecimal'],
    ["u:hunter2:x", '32 hexadecimal'],
    ["u:other:$hash", "its realm is \"other\", that of the store \"$realm\""],
    ["u::$hash", 'its realm is ""'],
    ["u:$realm :$hash", "its realm is \"$realm \""],
    ["u:\U$realm\E:$hash", "its realm is \"\U$realm\""],
    [":$realm:$hash", 'the name is empty'],
    [" u:$realm:$hash", 'begins or ends with a blank'],
    ["\xff:$realm:$hash", 'UTF-8'],
    ["u\x01:$realm:$hash", 'control character'],
    ['u' x 256 . ":$realm:$hash", '255'],
    ["alice:$realm:$hash", 'there is an account "alice" already: to change '
        . 'it, import with --update']);

# several realms in a file

my $mixed = secret('mixed', join('', map { (line("m$_"),
    line("o$_", 'pw', 'other'), "m$_:old:lighttpd's\n") } 1 .. 3));

like(run("import $mixed --format htdigest")->{err}, qr/ line 2: its realm is /,
    'a line of another realm');
is(@{ids()}, 3, 'nothing is kept');
done("import $mixed --format htdigest --realm $realm",
    qr/: 3 added, 0 updated, 0 refused$/, 'the lines of one realm');
is(@{ids()}, 6, 'no more than these');
is(verify("m$_", 'pw'), 0, "m$_") for 1 .. 3;

###############################################################################

# the map

my $map = secret('map', "u1\timei:77\n");

done([@import, '--id-map', $map], qr/ 2 added/, 'map',
    line('u1') . line('u2'));
is_deeply([@{show('IMEI:77')}{qw/ name digest /}], ['u1', ['MD5']], 'mapped');
is(show('u2')->{name}, 'u2', 'not mapped');
is(verify('IMEI:77', 'pw'), 0, 'mapped: password');

# --update: the account of that name, of which all else stays

my $psk = secret('psk', '0123456789abcdef' x 4 . "\n");

done("add IMEI:1 --name one --group g --not-after 2030-01-01T00:00:00Z "
    . "--psk-identity i --psk-file $psk --cert-key san:DNS:one --disabled", '',
    'an account without a password');
my $want = show('IMEI:1');

done(\@import, qr/: 2 added, 0 updated, 0 refused$/, 'accounts are counted',
    line('count1') . "count1:$realm:" . 'ab' x 32 . "\n" . line('count2'));
run("del $_") for qw/ count1 count2 /;
done([@import, '--update'], qr/: 1 added, 1 updated, 0 refused$/, 'update',
    line('one') . line('two'));
is_deeply(show('IMEI:1'), { %$want, digest => ['MD5'] },
    'an HA1, and nothing else has changed');
is(ha1('IMEI:1')->{MD5}, md5_hex("one:$realm:pw"), 'update: HA1');
is(show('two')->{name}, 'two', 'update: one that was not there');

# the same password: the hashes for other algorithms stay

my $pw = secret('pw', "pw\n");

done("set two --password-file $pw", '', 'all algorithms');
my $before = ha1('two');

done([@import, '--update'], '', 'update, same password', line('two'));
is_deeply(ha1('two'), $before, 'same password: as before');
is(verify('two', 'pw'), 0, 'same password: verify');

# another: they would be of the old one

done([@import, '--update'], '', 'update, new password', line('two', 'new'));
is_deeply(ha1('two'), { MD5 => md5_hex("two:$realm:new") },
    'new password: the others are gone');
is(verify('two', 'new'), 0, 'new password: verify');
is(verify('two', 'pw'), 1, 'new password: the old one');

# none for MD5 to compare with: nothing says that they are of the same

done('import - --update', '', 'SHA-256 alone',
    '{"id":"two","digest":{"SHA-256":"' . $before->{'SHA-256'} . '"}}');
done([@import, '--update'], '', 'update, MD5 beside it', line('two'));
is_deeply(ha1('two'), { MD5 => $before->{MD5} }, 'MD5 instead of SHA-256');

# a slow hash is replaced

done("set two --password-file $pw --slow-hash", '', 'slow hash');
done([@import, '--update'], '', 'update, slow hash', line('two', 'new'));
is_deeply([@{show('two')}{qw/ crypt digest /}], [undef, ['MD5']],
    'slow hash: replaced');
is(verify('two', 'new'), 0, 'slow hash: verify');

# a map that gives an account another name

done("set IMEI:77 --password-file $pw", '', 'all algorithms');
done([@import, '--update', '--id-map', secret('map2', "uno\tIMEI:77\n")],
    qr/ 1 updated/, 'update, rename', line('uno'));
is_deeply([@{show('IMEI:77')}{qw/ name digest /}], ['uno', ['MD5']],
    'renamed: hashes of the old name are gone');
is(verify('IMEI:77', 'pw'), 0, 'renamed: verify');

# as htpasswd does

done('import - --format htpasswd --update', qr/: 0 added, 1 updated/,
    'htpasswd, update by name', "one:{PLAIN}pw\n");
is(@{show('IMEI:1')->{digest}}, 3, 'htpasswd, update by name: changed');

###############################################################################

# --lacks names exactly them; the counter is proven by check

done('import -', '', 'others', "{\"id\":\"full\",\"password\":\"pw\"}\n"
    . "{\"id\":\"sha\",\"digest\":{\"SHA-256\":\"" . '0' x 64 . "\"}}\n"
    . "{\"id\":\"none\"}\n{\"id\":\"slow\"}");
done("set slow --password-file $pw --slow-hash", '', 'slow hash');

my @md5 = qw/ BOB IMEI:77 alice carol m1 m2 m3 two u2 /;

is_deeply(ids('--lacks SHA-256'), \@md5, 'lack SHA-256');
is_deeply(ids('--lacks SHA-512-256'), [sort @md5, 'sha'],
    'lack SHA-512-256');
is_deeply(ids('--lacks MD5'), ['sha'], 'lacks MD5');
sound('after imports');

my @found = grep { ($_->{weak} || '') eq 'no hash for SHA-256' }
    map { decode_json($_) } split(/\n/, run('check --json')->{out});
is_deeply([map { $_->{id} } @found], \@md5, 'check names them');

for (["set m1 --password-file $pw", 'a password for all'],
    ["set m2 --password-file $pw --slow-hash", 'a slow hash'],
    ['del m3', 'deleted'], ['disable u2', 'disabled'],
    ["set carol --name caro --password-file $pw", 'renamed'])
{
    done($_->[0], '', $_->[1]);
    sound($_->[1]);
}

is_deeply(ids('--lacks SHA-256'), [qw/ BOB IMEI:77 alice two u2 /],
    'those that still lack it');

my $export = run('export --secrets')->{out};

done("--store $d/second init --share-key --realm $realm "
    . "--owner $me", '', 'second store');
done("--store $d/second import -", '', 'import of an export', $export);
is(run("--store $d/second list --lacks SHA-256")->{out},
    run('list --lacks SHA-256')->{out}, 'the same lack it');
sound('import of an export', "$d/second");
done('import - --update', '', 'an update that drops them', join("\n",
    map { "{\"id\":\"$_\",\"digest\":{}}" } @{ids('--lacks SHA-256')}));
is_deeply(ids('--lacks SHA-256'), [], 'none lacks it');
sound('none lacks it');

###############################################################################

# a realm with colons

done("--store $d/third init --share-key --realm urn:a:b "
    . "--owner $me", '', 'third store');
done("--store $d/third import - --format htdigest", ' 1 added',
    'a realm with colons', line('a', 'pw', 'urn:a:b'));
is(run("--store $d/third verify a --password-file -", 'pw')->{rc}, 0,
    'a realm with colons: verify');
like(run("--store $d/third import - --format htdigest",
    line('b', 'pw', 'urn'))->{err}, qr/is "urn", that of the store "urn:a:b"/,
    'a realm without them');

# a file of Apache's htdigest

SKIP: {

skip 'no htdigest', 2 if system('htdigest >/dev/null 2>&1') >> 8 == 127
    || system('script --version >/dev/null 2>&1') != 0;

htdigest('real1', 'geheim', '-c');
htdigest('real2', 'secr3t');

done("import $d/htdigest --format htdigest", ' 2 added', 'of htdigest');
is(verify('real1', 'geheim') + verify('real2', 'secr3t'), 0,
    'of htdigest: verify');

}

sound('at the end');

###############################################################################

done_testing();

###############################################################################

sub line {
    my ($user, $password, $of) = @_;

    $of //= $realm;
    $password //= 'pw';

    return "$user:$of:" . md5_hex("$user:$of:$password") . "\n";
}

# the digest of an account, with its hashes

sub ha1 {
    my ($id) = @_;
    my ($account) = grep { $_->{id} eq $id }
        map { decode_json($_) } split(/\n/, run('export --secrets')->{out});

    return $account->{digest};
}

sub sound {
    my ($name, $path) = @_;

    like(run(['--store', $path || $store, 'check'])->{out},
        qr/, 0 damages$/, "$name: the counters and indexes are right");
}

# it asks for the password on a terminal

sub htdigest {
    my ($user, $password, @options) = @_;
    my ($said) = '';

    my $pid = open2(my $out, my $in, 'script', '-qfec',
        "htdigest @options $d/htdigest $realm $user", '/dev/null');

    for my $prompt (qr/New password: \z/, qr/Re-type new password: \z/) {
        while ($said !~ $prompt) {
            sysread($out, $said, 4096, length($said)) or last;
        }

        syswrite($in, "$password\n");
    }

    while (sysread($out, $said, 4096)) { }

    waitpid($pid, 0);
    is($?, 0, "htdigest, $user") or diag($said);
}

###############################################################################
