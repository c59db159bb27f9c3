#!/usr/bin/perl

# Tests for dm_sec_auth psk in the configuration: what nginx -t finds, and
# what it lets pass without a word.

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

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/)
    ->has_daemon('openssl')->plan(54);

my $d = $t->testdir();

ca($t, 'ca');
cert($t, 'ec', ca => 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
store($t, realm => 'example', args => [ '--map-size', '1m' ]);

my $proxy = 'proxy_pass http://127.0.0.1:8081;';
my $optional = "ssl_verify_client optional; ssl_client_certificate $d/ca.crt;";
my $on = "ssl_verify_client on; ssl_client_certificate $d/ca.crt;";
my $tls12 = 'dm_sec_profile dm20; dm_sec_protocols TLSv1.2;';

# a server's, with all of one account
my $both = 'dm_sec_auth psk x509; dm_sec_auth_all on;';

###############################################################################

# nothing to say

good('modern', server => 'dm_sec_profile modern;');
good('dm20', server => $tls12);
good('modern dm20', server => 'dm_sec_profile modern dm20;'
    . 'dm_sec_protocols TLSv1.2 TLSv1.3;');
good('modern, ECDSA', certs => 'ec', server => 'dm_sec_profile modern;');
good('suites alone', server => 'dm_sec_protocols TLSv1.2;'
    . 'dm_sec_ciphers DM-PSK;');
good('suites by name', server => 'dm_sec_protocols TLSv1.2;'
    . 'dm_sec_ciphers TLS_PSK_WITH_AES_128_CBC_SHA256 AES128-SHA'
    . ' DHE-PSK-AES256-GCM-SHA384 DM-X509;');
good('TLS 1.3 alone', server => 'dm_sec_protocols TLSv1.3;'
    . 'dm_sec_ciphers TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384;');
good('another SHA-256 suite first', server => 'dm_sec_protocols TLSv1.3;'
    . 'dm_sec_ciphers TLS_CHACHA20_POLY1305_SHA256 TLS_AES_256_GCM_SHA384;');
good('no policy', server => 'ssl_protocols TLSv1.2;');
good('no policy, the order of the client',
    server => 'ssl_protocols TLSv1.2; ssl_prefer_server_ciphers off;');
good('no policy, TLS 1.3', server => 'ssl_protocols TLSv1.2 TLSv1.3;'
    . 'ssl_prefer_server_ciphers on;'
    . 'ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;');
good('optional', server => "$optional dm_sec_profile modern;");
good('optional_no_ca',
    server => 'ssl_verify_client optional_no_ca; dm_sec_profile modern;');
good('beside x509', server => "$optional dm_sec_profile modern;",
    location => 'dm_sec_auth psk x509;');
good('beside basic', server => 'dm_sec_profile modern;',
    location => 'dm_sec_auth psk basic; dm_sec_auth_all on;');
good('with a certificate', server => "$optional $tls12 $both",
    location => '');
good('with a certificate, in the suite of a location', server => $optional
    . $tls12, location => "dm_sec_ciphers RSA-PSK-AES128-GCM-SHA256; $both");
good('without TLS, with another method', listen => '127.0.0.1:8080',
    server => 'dm_sec_plaintext_auth on;',
    location => 'dm_sec_auth psk basic;');
good('a narrower location', server => "$tls12 location /a {
    dm_sec_auth psk; dm_sec_ciphers PSK-AES128-GCM-SHA256; $proxy }");
good('an open location without its suites', server => "$tls12 location /a {
    dm_sec_auth off; dm_sec_ciphers DM-X509; $proxy }");
good('one location', server => "dm_sec_profile modern; dm_sec_auth off;
    location /a { dm_sec_auth psk; $proxy }", location => '');
good('a server that refuses all', server => "ssl_reject_handshake on; $on");

# which servers accept it

my $two = "server { listen 127.0.0.1:8444 ssl; server_name two; $tls12
    location / { dm_sec_auth basic; $proxy } }";

good('another server without it', http => $two, server => $tls12);
good('a list for both servers', http => "dm_sec_ciphers DM-PSK DM-X509; $two",
    server => $tls12);
bad('a suite by name for both servers',
    qr/suite\ "TLS_PSK_WITH_AES_128_GCM_SHA256"\ can\ never\ be\ negotiated:
        \ it\ needs\ a\ pre-shared\ key,\ .*\ in\ server\ "two"/x,
    http => "dm_sec_ciphers DM-X509 PSK-AES128-GCM-SHA256; "
        . $two =~ s/dm_sec_profile dm20;//r,
    server => 'dm_sec_protocols TLSv1.2;');

# the method's name

bad('psk twice', qr/duplicate parameter "psk"/,
    location => 'dm_sec_auth psk x509 psk;');
bad('in another case', qr/invalid parameter "PSK": the methods .*\bpsk\b/,
    location => 'dm_sec_auth PSK;');
bad('off and psk', qr/invalid parameter "off"/,
    location => 'dm_sec_auth psk off;');
bad('all of one', qr/"dm_sec_auth_all on" needs two methods/,
    server => $tls12, location => 'dm_sec_auth psk; dm_sec_auth_all on;');

# it needs TLS

bad('without TLS', qr/"dm_sec_auth\ psk"\ needs\ TLS,\ and\ the\ server\ has
        \ no\ "listen\ \.\.\.\ ssl"\ in\ location\ "\/"/x,
    listen => '127.0.0.1:8080', server => 'dm_sec_plaintext_auth on;');
bad('without TLS, beside x509', qr/"dm_sec_auth x509" needs TLS/,
    listen => '127.0.0.1:8080', server => 'dm_sec_plaintext_auth on;',
    location => 'dm_sec_auth psk x509;');

# and no certificate

bad('ssl_verify_client on',
    qr/"ssl_verify_client\ on"\ refuses\ every\ client\ that
        \ "dm_sec_auth\ psk"\ is\ for:\ write\ "ssl_verify_client\ optional"
        \ in\ location\ "\/"\ in\ server\ "localhost"/x,
    server => "$on $tls12");
bad('ssl_verify_client on, psk of the server',
    qr/write "ssl_verify_client optional" in server "localhost"/,
    server => "$on $tls12 dm_sec_auth psk;", location => '');
bad('ssl_verify_client on, both needed', qr/"ssl_verify_client on" refuses/,
    server => "$on $tls12 $both", location => '');

# and a suite

bad('no suite', qr/"dm_sec_auth\ psk"\ can\ never\ be\ satisfied:\ no\ suite
        \ here\ takes\ a\ pre-shared\ key;\ .*\ add\ "DM-PSK"\ .*
        \ in\ location\ "\/"/x,
    server => 'dm_sec_protocols TLSv1.2; dm_sec_ciphers DM-X509;');
bad('no suite, no policy', qr/"dm_sec_auth psk" can never be satisfied/,
    server => 'ssl_protocols TLSv1.2; ssl_ciphers HIGH:!PSK;');
bad('only one that needs an RSA certificate', qr/suite\ "
        TLS_RSA_PSK_WITH_AES_128_GCM_SHA256"\ can\ never\ be\ negotiated:
        \ it\ needs\ an\ RSA\ certificate/x, certs => 'ec',
    server => 'dm_sec_protocols TLSv1.2; dm_sec_ciphers DM-X509'
        . ' RSA-PSK-AES128-GCM-SHA256;');
bad('no suite in a location', qr/can never be satisfied.* in location "\/"/,
    server => $tls12, location => 'dm_sec_auth psk; dm_sec_ciphers DM-X509;');
bad('no suite in an inherited location',
    qr/can never be satisfied.* in location "\/a\/b"/,
    server => "$tls12 location /a/b { dm_sec_ciphers DM-TLS11; $proxy }
        dm_sec_auth psk;", location => '');
bad('TLS 1.3 with SHA-384 alone in a location',
    qr/can never be satisfied.* in location "\/"/,
    server => 'dm_sec_profile modern;', location => 'dm_sec_auth psk;'
        . 'dm_sec_protocols TLSv1.3; dm_sec_ciphers TLS_AES_256_GCM_SHA384;');

# the first of TLS 1.3

my $first = qr/"dm_sec_auth\ psk"\ needs\ a\ SHA-256\ suite\ as\ the\ first
    \ of\ TLSv1\.3,\ but\ that\ is\ "TLS_AES_256_GCM_SHA384":\ write
    \ "TLS_AES_128_GCM_SHA256"\ before\ it\ in\ "dm_sec_ciphers"\ in\ server
    \ "localhost"/x;

bad('SHA-384 first', $first, server => 'dm_sec_protocols TLSv1.2 TLSv1.3;'
    . 'dm_sec_ciphers DM-PSK TLS_AES_256_GCM_SHA384 TLS_AES_128_GCM_SHA256;');
bad('the suites of OpenSSL', $first, server => 'dm_sec_protocols TLSv1.3;');
bad('the suites of OpenSSL, no policy', $first,
    server => 'ssl_protocols TLSv1.3; ssl_prefer_server_ciphers on;');
bad('the order of the client', qr/with\ TLSv1\.3\ needs\ the\ server's\ order
        \ of\ suites:\ .*\ "ssl_prefer_server_ciphers\ on"\ in\ server/x,
    server => 'ssl_protocols TLSv1.3;'
        . 'ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;');

# a key and a certificate

my $never = qr/"dm_sec_auth_all\ on"\ with\ psk\ and\ x509\ can\ never\ be
    \ satisfied:\ only\ RSA_PSK\ suites\ have\ both;/x;

bad('both without RSA_PSK', $never,
    server => "$optional dm_sec_profile modern; $both", location => '');
bad('both in a location without RSA_PSK', qr/$never.* in location "\/"/,
    server => "$optional $tls12",
    location => "$both dm_sec_ciphers PSK-AES128-GCM-SHA256;");

# a cache in which a key would outlive its account's

my $builtin = qr/\A\[warn\]\ dm_sec:\ "ssl_session_cache\ builtin"\ is\ of\ no
    \ use\ beside\ "dm_sec_auth\ psk":\ .*;\ write\ "shared"\ in\ server
    \ "localhost"\ .*\n\z/x;

like(said(server => "$tls12 ssl_session_cache builtin;"), $builtin, 'builtin');
like(said(server => "$tls12 dm_sec_auth basic; ssl_session_cache builtin:9;",
    http => $two =~ s/basic/psk/r, location => ''), $builtin,
    'builtin, psk in another server');
is(said(server => "$tls12 ssl_session_cache builtin;",
    location => 'dm_sec_auth basic;'), '', 'builtin, no psk anywhere');

foreach my $cache (qw/ off none shared:a:1m /, 'builtin:9 shared:a:1m') {
    good($cache, server => "$tls12 ssl_session_cache $cache;");
}

# what has no certificate here: one warning

like(said(certs => 'ec', server => 'dm_sec_protocols TLSv1.2;'
        . "dm_sec_ciphers DM-PSK; $optional"),
    qr/\A\[warn\]\ dm_sec:\ no\ certificate\ for\ these\ suites,\ which\ are
        \ not\ negotiated:\ TLS_RSA_PSK_WITH_AES_128_GCM_SHA256
        \ TLS_RSA_PSK_WITH_AES_128_CBC_SHA256\ in\ server\ .*\n\z/x,
    'an ECDSA certificate alone');

undef $t;

###############################################################################

# What nginx -t says against a server with TLS, a store, and a location that
# accepts psk unless it is given.
sub said {
    my (%part) = @_;

    # a small zone is there at once
    $part{listen} //= '127.0.0.1:8443 ssl';
    $part{http} = "dm_sec_zone dm_sec:256k;\n"
        . "dm_sec_account_store $d/store;\n"
        . "dm_sec_store_key $d/store.key;\n"
        . join('', map { "ssl_certificate $d/$_.crt;\n"
            . "ssl_certificate_key $d/$_.key;\n" }
            split ' ', delete $part{certs} // 'rsa ec')
        . ($part{http} // '');
    $part{server} = "server_name localhost;\n" . ($part{server} // '');
    $part{location} = ($part{location} // 'dm_sec_auth psk;') . "\n$proxy";

    return conf_error($t, %part);
}

sub good {
    my ($name, %part) = @_;

    is(said(%part), '', $name);
}

# refused for this reason, and nothing else is said
sub bad {
    my ($name, $pattern, %part) = @_;

    like(said(%part), qr/\A(?=.*$pattern)\[emerg\] .*\n\z/, $name);
}

###############################################################################
