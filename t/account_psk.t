#!/usr/bin/perl

# Tests for dm-account import --format psk, and for accounts whose PSK moves
# from one to the next.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use JSON::PP;

use lib 'lib';
use Test::DmAccount;

###############################################################################

my @import = qw/ import - --format psk /;
my ($key1, $key2, $key3) = map { "0$_" x 32 } 1 .. 3;

usage('import a --format psk --realm r', '--realm is for htdigest', 'realm');

done("init --realm r --owner $me --map-size 1m", '', 'init');

# lines

done(\@import, qr/^imported "-": 4 added, 0 updated, 0 refused$/, 'import',
    "dev1:$key1\n\nimei:2:" . 'aB' x 16 . "\r\nwith space:" . '00' x 64
    . "\n\xc3\xa9:$key2");

is_deeply([map { $_->{id} } list()], ['IMEI:2', 'dev1', 'with space',
    "\x{e9}"], 'ids');
is_deeply(show('dev1'), { id => 'dev1', name => 'dev1', state => 'active',
    groups => [], not_before => undef, not_after => undef, digest => [],
    crypt => undef, psk => [{ identity => 'dev1' }], cert_keys => [] },
    'a PSK and nothing else');
is_deeply([@{show('IMEI:2')}{qw/ name psk /}], ['2', [{ identity =>
    'imei:2' }]], 'the identity as it is, the name without a scheme');
is_deeply(keys_of('dev1'), { dev1 => $key1 }, 'key');
is_deeply(keys_of('IMEI:2'), { 'imei:2' => 'ab' x 16 }, 'shortest key');
is_deeply(keys_of('with space'), { 'with space' => '00' x 64 },
    'longest key');

# each way to be wrong

bad([['--format', 'psk']],
    ['nocolon', 'it is not IDENTITY:KEY: there is no colon'],
    ['i:', 'the key is not 16 to 64 octets in hex'],
    ['i:a text of hunter2, which stunnel takes', 'one that stunnel takes as '
        . 'text must be written in hex first'],
    ['i:' . '0' x 30, '16 to 64'], ['i:' . '0' x 33, '16 to 64'],
    ['i:' . '0' x 130, '16 to 64'],
    ['i:' . '0' x 32 . ' ', 'the key begins or ends with a blank'],
    ['i: ' . '0' x 32, 'the key begins or ends with a blank'],
    ['i:0x' . '0' x 32, '16 to 64'],
    ['i:' . 'g' x 32, '16 to 64'],
    [":$key1", 'a PSK identity is empty'],
    ["\xff:$key1", 'UTF-8'], ["i\x01:$key1", 'control character'],
    ['i' x 129 . ":$key1", '128'],
    [" i:$key1", 'the identity begins or ends with a blank'],
    ["#x:$key1", 'it begins with "#", behind which GnuTLS has an identity in '
        . 'hex, and this is none'],
    ["#646:$key1", 'and this is none'], ["#:$key1", 'and this is none'],
    ["#" . '61' x 129 . ":$key1", 'and this is none'],
    ["#6100:$key1", 'control character'], ["#ff:$key1", 'UTF-8'],
    ["#6120:$key1", 'the identity begins or ends with a blank'],
    ['i:' . join(':', ('00') x 15), 'the key is not 16 to 64 octets in hex'],
    ['i:' . join(':', ('00') x 65), 'the key is not 16 to 64 octets in hex'],
    ['i:' . join(':', ('00') x 16) . ':', 'the key is not 16 to 64 octets'],
    ['i:' . join(':', ('0') x 32), 'the key is not 16 to 64 octets in hex'],
    ['urn:x:' . join(':', ('00') x 16), 'the key is not 16 to 64 octets in '
        . 'hex; one that stunnel takes as text must be written in hex first, '
        . 'and one with colons stands behind an identity that has none'],
    ["MAC:00:11:$key1", 'a user name has no colon, so "MAC:00:11" cannot be'],
    ["dev1:$key1", 'there is an account "dev1" already: to change it, import '
        . 'with --update']);

# keys with colons, as stunnel reads them, and identities in hex, as psktool
# writes them where they have a colon

my $colons = join(':', map { sprintf('%02x', $_) } 1 .. 16);

done(\@import, qr/ 4 added/, 'in other forms', "st1:$colons\n"
    . 'st2:' . '00' x 32 . ':' . 'ff' . "\n" . "#736369:$key1\n"
    . "#696d65693A38:$key2\n");
is_deeply(keys_of('st1'), { st1 => $colons =~ s/://gr }, 'a key with colons');
is_deeply(keys_of('st2'), { st2 => '00' x 32 . 'ff' }, 'a key with one colon');
is_deeply(keys_of('sci'), { sci => $key1 }, 'an identity in hex');
is_deeply(keys_of('IMEI:8'), { 'imei:8' => $key2 }, 'one with a colon');
run("del $_") for qw/ st1 st2 sci IMEI:8 /;

# an identity is one account's

done('add other --name o', '', 'another account');

for my $args ([@import, '--id-map', secret('map', "dev1\tnew\n")],
    [@import, '--update', '--id-map', secret('map2', "dev1\tother\n")])
{
    my $r = run($args, "dev1:$key2");
    is($r->{rc}, 1, 'an identity of another: refused');
    like($r->{err}, qr/line 1: .* "dev1" already has the PSK identity "dev1"/,
        'an identity of another: said');
}

refused(['set', 'other', '--psk-identity', 'dev1', '--generate-psk'],
    'account "dev1" already has the PSK identity "dev1"', 'set: of another');
refused(['add', 'x', '--psk-identity', 'dev1', '--generate-psk'],
    'account "dev1" already has the PSK identity "dev1"', 'add: of another');
like(run(\@import, "a:$key1\na:$key2")->{err},
    qr/line 2: it is of "a" of account "a", as line 1 is/, 'twice in a file');
is_deeply(keys_of('dev1'), { dev1 => $key1 }, 'as before');

# the map: identities may have colons

done([@import, '--id-map', secret('map3', "MAC:00:11\tIMEI:7\n")],
    qr/ 2 added/, 'map', "MAC:00:11:$key1\nunmapped:$key2\n");
is_deeply([@{show('IMEI:7')}{qw/ name psk /}], ['7', [{ identity =>
    'MAC:00:11' }]], 'mapped');
is(show('unmapped')->{name}, 'unmapped', 'not mapped');

###############################################################################

# --update: a new key for an identity that is there, of whatever account

my $pw = secret('pw', "pw\n");

done("add IMEI:1 --name one --psk-identity old --psk-file - --group g "
    . "--password-file $pw", '', 'an account', $key1);
my $want = show('IMEI:1');

done([@import, '--update'], qr/: 1 added, 1 updated, 0 refused$/, 'update',
    "old:$key2\nfresh:$key3\n");
is_deeply(show('IMEI:1'), $want, 'nothing but the key has changed');
is_deeply(keys_of('IMEI:1'), { old => $key2 }, 'the key has');
is_deeply(keys_of('fresh'), { fresh => $key3 }, 'one that was not there');
is(verify('IMEI:1', 'pw'), 0, 'the password is as before');

# a second identity beside the first, and no third

my $map = secret('map4', "old\tIMEI:1\nnew\tIMEI:1\n");
my $map_new = secret('map5', "new\tIMEI:1\n");
my $map_third = secret('map6', "third\tIMEI:1\n");

done([@import, '--update', '--id-map', $map_new], qr/: 0 added, 1 updated/,
    'a second identity', "new:$key3\n");
is_deeply(keys_of('IMEI:1'), { old => $key2, new => $key3 }, 'both in force');
like(run([@import, '--update', '--id-map', $map_third], "third:$key1")->{err},
    qr/line 1: "IMEI:1" holds 2 PSKs already: drop one with "dm-account set /,
    'no third');
done([@import, '--update', '--id-map', $map], qr/ 0 added, 1 updated/,
    'new keys for both', "old:$key1\nnew:$key2\n");
is_deeply(keys_of('IMEI:1'), { old => $key1, new => $key2 }, 'both are new');

done('set IMEI:1 --drop-psk old', '', 'drop');
is_deeply(keys_of('IMEI:1'), { new => $key2 }, 'the other stays');
done([@import, '--update', '--id-map', $map_third], qr/ 1 updated/,
    'room for another', "third:$key3\n");
is_deeply(keys_of('IMEI:1'), { new => $key2, third => $key3 },
    'two again');
done('add IMEI:9 --psk-identity old --generate-psk', '',
    'an identity that was dropped is free');

# an account that has an id, and no PSK yet

done([@import, '--update'], qr/ 0 added, 1 updated/, 'by id', "other:$key1");
is_deeply(keys_of('other'), { other => $key1 }, 'by id: key');
is(show('other')->{name}, 'o', 'by id: the name stays');

# generated keys are printed, and nowhere else again

my $r = done('set IMEI:9 --psk-identity made --generate-psk',
    qr/^psk key:  [0-9a-f]{64}$/m, 'generated');
my ($made) = $r->{out} =~ /^psk key:  (.*)$/m;
is(keys_of('IMEI:9')->{made}, $made, 'generated: the key');
unlike(run($_)->{out}, qr/$made/, "not in $_")
    for 'show IMEI:9', 'show IMEI:9 --json', 'list --json', 'export', 'check';

like(run('check')->{out}, qr/, 0 damages$/, 'no damage');

###############################################################################

# a file of GnuTLS's psktool

SKIP: {

skip 'no psktool', 4 if system('psktool --version >/dev/null 2>&1') != 0;

system("psktool -u $_ -p $d/pskfile >/dev/null") == 0 or die "psktool: $?\n"
    for 'tool1', 'tool:2';

my ($line) = content("$d/pskfile") =~ /^(tool1:\w+)$/m;
my ($hex) = content("$d/pskfile") =~ /^#746f6f6c3a32:(\w+)$/m;

$r = run(['import', "$d/pskfile", '--format', 'psk', '--id-map',
    secret('tools', "tool:2\ttool2\n")]);
is($r->{out}, "imported \"$d/pskfile\": 2 added, 0 updated, 0 refused\n",
    'of psktool');
is_deeply(keys_of('tool1'), { split(/:/, $line) }, 'of psktool: key');
is_deeply(keys_of('tool2'), { 'tool:2' => $hex }, 'of psktool: in hex');
is(show('tool2')->{name}, 'tool2', 'of psktool: by the map');

}

###############################################################################

done_testing();

###############################################################################

# the identities and keys of an account

sub keys_of {
    my ($id) = @_;
    my ($account) = grep { $_->{id} eq $id }
        map { decode_json($_) } split(/\n/, run('export --secrets')->{out});

    return { map { $_->{identity} => $_->{key} } @{$account->{psk}} };
}

###############################################################################
