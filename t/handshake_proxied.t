#!/usr/bin/perl

# Tests for the line of a failed handshake behind a balancer that speaks PROXY
# protocol: it has the device's address.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl socket_ssl/)
    ->has_daemon('openssl')->plan(3);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;

    dm_sec_profile       modern;

    server {
        listen       127.0.0.1:8443 ssl proxy_protocol;
        server_name  localhost;
    }
}

EOF_CONF

ca($t, 'root');
cert($t, 'server', ca => 'root');
$t->run();

###############################################################################

# what is no ClientHello, behind the line of a balancer

foreach ([ 'PROXY TCP4 192.0.2.7 192.0.2.1 4711 443', '192.0.2.7' ],
    [ 'PROXY TCP6 2001:db8::7 2001:db8::1 4711 443', '2001:db8::7' ],
    [ 'PROXY UNKNOWN', '127.0.0.1' ])
{
    my ($line, $address) = @$_;
    my ($count) = scalar handshake_failures($t, 0);
    my $client = keepalive(8443);

    $client->send("$line\r\n\x16\x03\x01\x00\x05hello");
    $client->closed();

    like((log_lines($t, qr/dm_sec: handshake failed /, $count + 1))[-1] // '',
        qr/, client: "?\Q$address\E"?,/, $address);
}

###############################################################################
