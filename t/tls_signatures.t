#!/usr/bin/perl

# Tests for clients of TLS 1.2 that send no signature_algorithms, and so know
# SHA-1 alone (RFC 5246, section 7.4.1.4.1): a suite that needs no signature of
# the server's is negotiated, whatever stands before it, and SHA-1 is nowhere.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::Hello qw/ hello hello_flight /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http http_ssl socket_ssl /)
    ->has_daemon('openssl')->has_daemon('gnutls-cli')->plan(22);

my $d = $t->testdir();
my @groups = (groups => [ 23 ]);

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'ec', ca => 'ca');
cert($t, 'dev', ca => 'ca', key => 'rsa:2048');
account($t, 'add', 'dev', '--cert', "$d/dev.crt");

conf($t, <<'EOF_HTTP');

ssl_certificate      rsa.crt;
ssl_certificate_key  rsa.key;
ssl_certificate      ec.crt;
ssl_certificate_key  ec.key;

ssl_client_certificate  ca.crt;
ssl_verify_client       optional;

dm_sec_log_limit off;

server {
    listen       127.0.0.1:8443 ssl;
    server_name  localhost;

    dm_sec_profile modern dm20;
    dm_sec_auth    psk x509;

    return 204;
}

server {
    listen       127.0.0.1:8444 ssl;
    server_name  localhost;

    dm_sec_protocols TLSv1.2;
    dm_sec_ciphers   TLS_RSA_WITH_AES_128_GCM_SHA256;

    return 204;
}

EOF_HTTP

$t->run();

# what needs no signature

foreach ([ 0x009c, 'RSA' ], [ 0x00a8, 'PSK' ], [ 0x00aa, 'DHE_PSK' ],
    [ 0xc037, 'ECDHE_PSK' ], [ 0x00ac, 'RSA_PSK' ])
{
    my ($suite, $name) = @$_;

    is(hello(8443, 0x0303, $suite), sprintf('hello 0303 %04x', $suite), $name);
}

# it is chosen where the server prefers one that does

is(hello(8443, 0x0303, 0xc02b, 0xc02f, 0x009e, 0x009c, { @groups }),
    'hello 0303 009c', 'RSA behind ECDHE and DHE');
is(hello(8443, 0x0303, 0xc02b, 0xc02f, 0x009c, { @groups,
    sigalgs => [ 0x0401 ] }), 'hello 0303 c02f', 'not for who sends them');

# others fail, and the log says why

foreach ([ 0xc02b, 'ECDHE_ECDSA' ], [ 0xc02f, 'ECDHE_RSA' ],
    [ 0x009e, 'DHE_RSA' ])
{
    my ($suite, $name) = @$_;

    is(failed_handshake($t, sub {
        is(hello(8443, 0x0303, $suite, { @groups }), 'alert 40', $name);
    })->{reason}, 'tls_signature', "$name: reason");
}

is(failed_handshake($t, sub {
    is(hello(8443, 0x0303, 0xc02f, 0x009c, { @groups,
        sigalgs => [ 0x0201, 0x0203 ] }), 'alert 40', 'SHA-1 by name');
})->{reason}, 'tls_signature', 'SHA-1 by name: reason');
is(failed_handshake($t, sub {
    is(hello(8444, 0x0303, 0x003c), 'alert 40', 'a suite that is not offered');
})->{reason}, 'tls_cipher', 'a suite that is not offered: reason');

# TLS 1.0 is as it was

is(hello(8443, 0x0301, 0xc013, { @groups }), 'hello 0301 c013', 'TLS 1.0');

# a client's signature is not SHA-1 either: what is asked for has none

my ($request) = hello_flight(8443, 0x0303, 0x009c)
    =~ /\x0d\0..[\x01-\x04]\x01.{0,3}?(\0.(?:[\x01-\x08][\x00-\x0f])+)/s;

ok(length($request // '') > 4, 'signatures are asked for');
unlike($request // '', qr/^..(?:..)*?\x02[\x01-\x03]/s, 'none of them SHA-1');

# GnuTLS without any extension, with a certificate

my ($exit, $out, $err) = run_command([ 'gnutls-cli', '--insecure',
    '--port', port(8443), '--x509certfile', "$d/dev.crt",
    '--x509keyfile', "$d/dev.key", '--priority',
    'NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA:%NO_EXTENSIONS', '127.0.0.1' ],
    stdin => "GET / HTTP/1.0\r\n\r\n");

like($out, qr/TLS1\.2-X\.509\)-\(RSA\)/, 'GnuTLS: RSA');
like($out, qr!^HTTP/1\.1 204 !m, 'GnuTLS: served, by its certificate');

$t->stop();

undef $t;

###############################################################################
