#!/usr/bin/perl

# Tests for a client that offers suites with a key and has none, as wolfSSL 5.5
# does by default, on a server that accepts psk: a list with those suites behind
# keeps it, and those that have a key alone.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http http_ssl socket_ssl /)
    ->has_daemon('openssl')->has_daemon('cc');

my $d = $t->testdir();
my $key = 'a5' x 16;

plan(skip_all => 'no wolfSSL to compile with (libwolfssl-dev)')
    if (run_command([ 'cc', '-o', "$d/wolfssl", 'clients/wolfssl_default.c',
        '-lwolfssl' ]))[0];

$t->plan(5);

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'dev', '--psk-identity', 'dev1', { psk => $key });
ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'ec', ca => 'ca');

conf($t, <<'EOF_HTTP');

ssl_certificate      rsa.crt;
ssl_certificate_key  rsa.key;
ssl_certificate      ec.crt;
ssl_certificate_key  ec.key;

ssl_client_certificate  ca.crt;
ssl_verify_client       optional;

dm_sec_auth psk x509;

server {
    listen         127.0.0.1:8443 ssl;
    server_name    profile;
    dm_sec_profile modern dm20;
    return         204;
}

server {
    listen           127.0.0.1:8444 ssl;
    server_name      list;
    dm_sec_protocols TLSv1.2 TLSv1.3;
    dm_sec_ciphers   TLS_AES_128_GCM_SHA256
                     ECDHE-ECDSA-AES128-GCM-SHA256
                     ECDHE-RSA-AES128-GCM-SHA256 DM-X509 DM-PSK;
    return           204;
}

EOF_HTTP

$t->run();

# the profile has the suites with a key first

like(wolfssl(8443), qr/^(?:error -\d+|ECDHE-)/,
    'a profile: it fails, or is another wolfSSL');
is(wolfssl(8444), "ECDHE-ECDSA-AES128-GCM-SHA256\n", 'a list: it is served');

is(wolfssl(8444, 'DHE-RSA-AES128-GCM-SHA256:DHE-PSK-AES128-GCM-SHA256'),
    "DHE-RSA-AES128-GCM-SHA256\n", 'a list: it is served, without ECDHE too');

# who has a key alone

foreach my $port (8443, 8444) {
    is(status(scalar https($port, request('GET', '/'), psk('dev1', $key),
        SSL_version => 'TLSv1_2', SSL_cipher_list => 'PSK:!kECDHE:!kRSA')),
        204, "with a key, $port");
}

$t->stop();

undef $t;

###############################################################################

sub wolfssl {
    my ($port, @suites) = @_;

    return (run_command([ "$d/wolfssl", port($port), @suites ]))[1];
}

###############################################################################
