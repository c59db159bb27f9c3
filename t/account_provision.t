#!/usr/bin/perl

# Tests for dm-account provision: the DM Account MO of a device, read back by
# other programs.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use JSON::PP;
use MIME::Base64;

use lib 'lib';
use Test::DmAccount;

###############################################################################

my $mo = 'urn:oma:mo:oma-dm-dmacc:1.2';

# misuse

usage('provision a --format xml', '--format: "xml" is neither json nor tnds',
    'unknown format');
like(json('provision a --format tnds', 'XML as JSON', 2)->{error},
    qr/^--json and --format tnds exclude each other; see /, 'XML as JSON');
usage('provision a --psk-identity i --cert c', '--psk-identity and --cert '
    . 'exclude', 'PSK and certificate');
usage('provision a --private-key k', '--private-key needs --cert',
    'private key without certificate');
usage('provision a --cert - --private-key -', 'only one option can read stdin',
    'stdin twice');
usage(['provision', 'a', "--server-$_", ''], "--server-$_ is empty",
    "empty $_") for qw/ id uri name /;
usage(['provision', 'a', '--server-name', "a\nb"], 'control character',
    'control character');
usage(['provision', 'a', '--server-name', "\xff"], 'not UTF-8', 'octets');
usage(['provision', 'a', '--server-name', "\xef\xbf\xbe"], 'XML does not know',
    'U+FFFE');
usage('provision a --server-uri ' . 'u' x 1025, '1024', 'too long');
refused('provision a', 'no store at', 'no store');

done("init --realm r --owner $me --map-size 1m", '', 'init');
refused('provision a', 'there is no account "a"', 'no account');

###############################################################################

# PSK

my $key = '0123456789abcdef' x 4;
my $identity = "d\xc3\xa9v & <1>";

done(['add', 'IMEI:1', '--psk-identity', $identity, '--psk-file', '-'], '',
    'add', $key);

my $r = done('provision IMEI:1', '', 'psk');

is_deeply(decode_json($r->{out}), [{ ClientURI => "$mo//", MOData => { DMAcc =>
    { Auth => { Trsp => { Data => encode_base64($identity, ''),
    Secret => encode_base64(pack('H*', $key), '') } } } } }], 'psk: MO');
is(run('provision imei:1 --json')->{out}, $r->{out}, '--json');
is(run('provision IMEI:1 --format json')->{out}, $r->{out}, '--format json');

my $name = "\"a\" & 'b' <c> ]]> \\ \xe2\x82\xac";
my @server = ('--server-id', 'dm.example.com', '--server-uri',
    'https://dm.example.com/dmclient/dm20?a=1&b=2', '--server-name', $name);

$r = done(['provision', 'IMEI:1', @server], '', 'server');
my $acc = decode_json($r->{out})->[0]{MOData}{DMAcc};

is_deeply([@{$acc}{qw/ SrvID SrvURI Name /}], [$server[1], $server[3],
    text($name)], 'server: SrvID, SrvURI, Name');
is(decode_base64($acc->{Auth}{Trsp}{Data}), $identity, 'server: Data');
is(decode_base64($acc->{Auth}{Trsp}{Secret}), pack('H*', $key),
    'server: Secret');

# the same as XML

my $xml = xml(['provision', 'IMEI:1', '--format', 'tnds', @server]);

is_deeply($xml, { '' => ['node', $mo], '/SrvID' => ['chr', 'text/plain',
    $server[1]], '/SrvURI' => ['chr', 'text/plain', $server[3]],
    '/Name' => ['chr', 'text/plain', $name],
    '/Auth' => ['node', ''], '/Auth/Trsp' => ['node', ''],
    '/Auth/Trsp/Data' => ['b64', 'application/octet-stream',
    encode_base64($identity, '')],
    '/Auth/Trsp/Secret' => ['b64', 'application/octet-stream',
    encode_base64(pack('H*', $key), '')] }, 'psk: XML');

is_deeply([sort keys %{xml('provision IMEI:1 --format tnds')}],
    ['', '/Auth', '/Auth/Trsp', '/Auth/Trsp/Data', '/Auth/Trsp/Secret'],
    'psk: XML without a server');

# two of them

done('set IMEI:1 --psk-identity second --generate-psk', '', 'a second PSK');
refused('provision IMEI:1', 'holds 2 PSKs: say which with --psk-identity',
    'two PSKs');
refused('provision IMEI:1 --psk-identity none', '"IMEI:1" has no PSK identity '
    . '"none"', 'neither of them');
is(decode_base64(trsp('provision IMEI:1 --psk-identity second')->{Data}),
    'second', 'the second');
is(decode_base64(trsp(['provision', 'IMEI:1', '--psk-identity', $identity])
    ->{Secret}), pack('H*', $key), 'the first');

done('add nothing', '', 'add');
refused('provision nothing', '"nothing" has no PSK: give it one with '
    . '"dm-account set", or name the certificate of the device with --cert',
    'no PSK');

###############################################################################

# certificates

certificate($_) for ['rsa', 'rsa:2048'],
    map { [$_, 'ec -pkeyopt ec_paramgen_curve:P-256'] } qw/ ec other /;

done("add rsa --cert $d/rsa.pem", '', 'add, RSA');
done(['add', 'ec', '--cert-key', 'subject:CN=ec'], '', 'add, EC');

for my $id (qw/ rsa ec /) {
    my $trsp = trsp("provision $id --cert $d/$id.pem "
        . "--private-key $d/$id.key");

    is(decode_base64($trsp->{Data}), command("openssl x509 -in $d/$id.pem "
        . '-outform DER'), "$id: certificate");
    is(decode_base64($trsp->{Secret}), command('openssl pkcs8 -topk8 -nocrypt '
        . "-in $d/$id.key -outform DER"), "$id: private key");
    is_deeply(trsp("provision $id --cert $d/$id.pem"), { Data =>
        $trsp->{Data} }, "$id: the device has its key");

    my $xml = xml("provision $id --format tnds --cert $d/$id.pem "
        . "--private-key $d/$id.key");
    is($xml->{'/Auth/Trsp/Data'}[2], $trsp->{Data}, "$id: XML, Data");
    is($xml->{'/Auth/Trsp/Secret'}[2], $trsp->{Secret}, "$id: XML, Secret");
}

command("openssl x509 -in $d/ec.pem -outform DER -out $d/ec.der");
command("openssl pkcs8 -topk8 -nocrypt -in $d/ec.key -outform DER "
    . "-out $d/ec.key.der");
command("openssl pkcs8 -topk8 -in $d/ec.key -passout pass:x -out $d/ec.enc");
chmod(0600, "$d/ec.key.der");

is(trsp("provision ec --cert $d/ec.der --private-key $d/ec.key.der")->{Secret},
    trsp("provision ec --cert $d/ec.pem --private-key $d/ec.key")->{Secret},
    'DER');
is(run("provision ec --cert $d/ec.pem --private-key -",
    content("$d/ec.key"))->{rc}, 0, 'private key from stdin');

refused("provision ec --cert $d/other.pem", 'is not bound to "ec": bind it '
    . 'with "dm-account set --cert"', 'certificate of another');
refused("provision IMEI:1 --cert $d/ec.pem", 'is not bound to "IMEI:1"',
    'certificate of another account');
refused("provision ec --cert $d/ec.pem --private-key $d/other.key",
    "the private key in \"$d/other.key\" is not that of the certificate in",
    'private key of another');
refused("provision ec --cert $d/ec.key", 'holds no certificate',
    'a key as certificate');
refused("provision ec --cert $d/ec.pem --private-key $d/ec.pem",
    'holds no private key in PEM or DER form, or one that is encrypted',
    'a certificate as key');
refused("provision ec --cert $d/ec.pem --private-key $d/ec.enc",
    'or one that is encrypted', 'an encrypted key');
refused("provision ec --cert $d/none", 'cannot open', 'no certificate');
refused("provision ec --cert $d/ec.pem --private-key $d/none", 'cannot open',
    'no key');
refused('provision ec', '"ec" has no PSK', 'which certificate is not known');

###############################################################################

# a terminal gets no secret

SKIP: {

skip 'no script', 3 if system('script --version >/dev/null 2>&1') != 0;

my $out = terminal('provision IMEI:1 --psk-identity second');
like($out, qr/secrets are not shown on a terminal/, 'PSK on a terminal');
unlike($out, qr/Trsp/, 'none is shown');
like(terminal("provision ec --cert $d/ec.pem --private-key $d/ec.key"),
    qr/secrets are not shown on a terminal/, 'private key on a terminal');
like(terminal("provision ec --cert $d/ec.pem"), qr/"Trsp"/,
    'a certificate on a terminal');

}

SKIP: {

skip 'no mount namespace', 3
    if $> != 0 || system('unshare -m true 2>/dev/null') != 0;

my $log = listen_log();

private("$bin provision IMEI:1 --psk-identity second >$d/x; "
    . "$bin provision ec --cert $d/ec.pem >$d/x; $bin provision none");

my @messages = messages($log);

is(@messages, 2, 'syslog: what has a secret, and what is refused');
like($messages[0], qr/ verb=provision id="IMEI:1" store="\Q$store\E"$/,
    'syslog: who and whose');
like($messages[1], qr/ verb=provision id="none" .* refused reason="there is /,
    'syslog: refused');

}

###############################################################################

done_testing();

###############################################################################

sub trsp {
    my $r = run(@_);
    my $mo = eval { decode_json($r->{out}) };

    diag("exit $r->{rc}\n$r->{out}$r->{err}") unless $mo;

    return $mo ? $mo->[0]{MOData}{DMAcc}{Auth}{Trsp} : {};
}

# path below the MO => format, type, value; read by xmllint

sub xml {
    my $r = run(@_);
    my (%node);

    put("$d/mo.xml", $r->{out});
    is(system("xmllint --noout $d/mo.xml"), 0, 'well-formed');

    is(xpath('name(/*)'), 'MgmtTree', 'MgmtTree');
    is(xpath('namespace-uri(/*)'), 'syncml:dmddf1.2', 'namespace');
    is(xpath('string(' . below('/*', 'VerDTD') . ')'), '1.2', 'VerDTD');

    walk(\%node, below('/*', 'Node'));

    return \%node;
}

sub walk {
    my ($nodes, $at, $path) = @_;
    my $name = xpath('string(' . below($at, 'NodeName') . ')');
    my $props = below($at, 'RTProperties');
    my $value = below($at, 'Value');
    my $children = below($at, 'Node');

    $path = defined $path ? "$path/$name" : '';

    $nodes->{$path} = [xpath('name(' . below($props, 'Format') . '/*)'),
        xpath('string(' . below($props, 'Type') . '/*)')];
    push(@{$nodes->{$path}}, xpath("string($value)"))
        if xpath("count($value)");

    walk($nodes, $children . "[$_]", $path)
        for 1 .. xpath("count($children)");
}

# without the namespace, for which xmllint has no option

sub below {
    return "$_[0]/*[local-name()='$_[1]']";
}

sub xpath {
    my $out = command("xmllint --xpath \"$_[0]\" $d/mo.xml");
    chomp($out);
    return $out;
}

sub certificate {
    my ($name, $key) = @{$_[0]};

    command("openssl req -x509 -newkey $key -nodes -subj /CN=$name -days 2 "
        . "-keyout $d/$name.key -out $d/$name.pem 2>/dev/null");
}

sub command {
    my ($command) = @_;
    my $out = `$command`;

    die "$command: $?\n" if $?;

    return $out;
}

sub terminal {
    return scalar(`script -qec "$bin $_[0]" /dev/null </dev/null`);
}

###############################################################################
