#!/usr/bin/perl

# Tests for the handshakes in memory of "nginx -t": what is offered but cannot
# be negotiated is an error that says what and why, servers that are alike are
# tried once, and nothing of it is seen afterwards.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Process qw/ must slurp /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

# handshakes of a server with all versions, kinds of suites and certificates
use constant MOST => 20;

my $t = Test::Nginx->new()->has(qw/http http_ssl socket_ssl/)
    ->has_daemon('cc')->plan(37);
my $d = $t->testdir();

ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'rsa2', ca => 'ca', key => 'rsa:2048');
cert($t, 'ec', ca => 'ca');

must([ qw/ openssl req -x509 -newkey ed25519 -nodes -subj \/CN=ed -keyout /,
    "$d/ed.key", '-out', "$d/ed.crt" ]);

store($t, realm => 'example', args => [ '--map-size', '1m' ]);

my %certificate = map {
    $_ => "ssl_certificate $_.crt; ssl_certificate_key $_.key;"
} qw/ rsa rsa2 ec ed /;

my $auth = "dm_sec_account_store $d/store; dm_sec_store_key $d/store.key;";
my $sigalgs = 'ssl_conf_command SignatureAlgorithms';

###############################################################################

# what cannot be negotiated: server, address, version, suite, and why

my $error = tried('modern', 'rsa', "$sigalgs ECDSA+SHA256;");

like($error, qr/^\[emerg\] dm_sec: TLSv1\.2 is offered on 127\.0\.0\.1:\d+, /m,
    'version and address');
like($error, qr/"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" cannot be negoti/,
    'suite');
like($error, qr/: OpenSSL says "no suitable signature algorithm"/, 'reason');
like($error, qr/ in server "one\.test" in /, 'server');

# each kind that has its certificate, also where another would do

$error = tried('modern', 'rsa ec', "$sigalgs RSA+SHA256:RSA-PSS+SHA256;");

like($error, qr/TLSv1\.2 .* "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" canno/,
    'one of two certificates');

# each version

$error = tried('modern', 'rsa', 'ssl_ecdh_curve brainpoolP256r1;');

like($error, qr/TLSv1\.3 .* "TLS_AES_128_GCM_SHA256" with an RSA certificate /,
    'TLS 1.3 without a group');
like($error, qr/OpenSSL says "no suitable key share"/,
    'TLS 1.3 without a group, reason');

is(tried('modern', 'rsa', 'ssl_ecdh_curve brainpoolP256r1:X25519;'), '',
    'a group that few clients have');

is(tried('modern', 'rsa', 'ssl_ecdh_curve secp384r1;'), '',
    'a group of its own');

is(tried('modern', 'ec', 'ssl_ecdh_curve secp384r1;'), '',
    'a group that is not the certificate\'s');

# Ed25519 came with TLS 1.2

like(tried('dm20', 'ed'), qr/\[emerg\].* TLSv1 is offered on .*, but no suite/,
    'Ed25519 alone, TLS 1.0');
unlike(tried('dm20', 'rsa ed'), qr/emerg/, 'Ed25519 beside RSA');
is(tried('modern', 'ed'), '', 'Ed25519, TLS 1.2 and 1.3');

# versions without suites of the module's

like(tried(undef, 'rsa', 'dm_sec_protocols TLSv1 TLSv1.2;
    ssl_ciphers ECDHE+AESGCM;'), qr/TLSv1 is offered on .*, but no suite/,
    'ssl_ciphers without any for a version');
unlike(tried(undef, 'rsa', 'dm_sec_protocols TLSv1 TLSv1.2;
    ssl_ciphers ECDHE+AESGCM:AES128-SHA;'), qr/emerg/,
    'ssl_ciphers with one');

# what a listed suite lacks is a warning still, and no error

$error = tried('dm20', 'rsa');

like($error, qr/\[warn\] dm_sec: no certificate for these suites.* TLS_ECDHE_/,
    'no certificate');
unlike($error, qr/emerg/, 'no certificate, no error');

# nothing to try

is(tried('modern', 'rsa', 'ssl_reject_handshake on;'), '',
    'ssl_reject_handshake');
is(tried('modern', 'rsa', 'dm_sec_profile off;'), '', 'no policy');

# what nginx does beside a handshake is not done

is(tried('modern', 'rsa', 'ssl_verify_client on;
    ssl_client_certificate ca.crt; ssl_session_cache shared:SSL:1m;
    ssl_session_timeout 5s;'), '', 'beside a handshake');

$t->write_file('ticket.key', 'k' x 80);

is(tried('modern', 'rsa', 'ssl_verify_client optional;
    ssl_client_certificate ca.crt; ssl_session_tickets on;
    ssl_session_ticket_key ticket.key; ssl_session_cache builtin;'), '',
    'beside a handshake, tickets');

###############################################################################

# how many there are

my $counter = counter();

is(count('modern', 'rsa'), 2, 'modern: one for TLS 1.2, one for 1.3');
is(count('modern', 'rsa ec'), 4, 'modern: the same with each certificate');

my $all = count('modern dm20', 'rsa ec', 'dm_sec_auth psk;');

cmp_ok($all, '>', 10, 'everything');
cmp_ok($all, '<=', MOST, 'everything: no more than that');

# servers that are alike are tried once: also with another certificate of the
# same kind; with another policy not

my $one = count('modern', 'rsa');

is(count('modern', 'rsa', '', server('two.test', 'modern', 'rsa')), $one,
    'two that are the same');
is(count('modern', 'rsa', '', server('two.test', 'modern', 'rsa2')), $one,
    'two certificates of a kind');
cmp_ok(count('modern', 'rsa', '', server('two.test', 'modern', 'ec')), '>',
    $one, 'two kinds of certificates');
cmp_ok(count('modern', 'rsa', '', server('two.test', 'dm20', 'rsa')), '>',
    $one, 'two policies');
is(count('modern', 'rsa', '', join '', map {
    server("$_.test", 'modern', 'rsa') } 1 .. 50), $one, 'fifty servers');

is(count('modern', 'rsa', 'dm_sec_profile off;'), 0, 'none without a policy');

###############################################################################

# a server that was tried is as if it had not been

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log $d/error.log info;

    $auth

    dm_sec_profile modern dm20;
    dm_sec_auth    psk basic;

    $certificate{rsa}
    ssl_session_cache shared:SSL:1m;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        location / {
            dm_sec_auth off;
            return 200 \$ssl_session_reused;
        }

        location = /status {
            dm_sec_auth off;
            dm_sec_status json;
            allow 127.0.0.1;
            deny all;
        }
    }
}

EOF_CONF

$t->run();

foreach (qw/ TLSv1_2 TLSv1_3 /) {
    my %o = sessions(SSL_version => $_);

    like(scalar https(8443, request('GET', '/'), %o), qr/\r\n\r\n\.$/,
        "$_, a session");
    like(scalar https(8443, request('GET', '/'), %o), qr/\r\n\r\nr$/,
        "$_, resumed");
}

unlike((scalar https(8443, request('GET', '/status')))
    =~ s/.*"handshakes_failed"://sr =~ s/\}.*//sr, qr/[1-9]/,
    'nor in the status');
is(scalar handshake_failures($t, 0), 0, 'no failed handshakes in the log');

undef $t;

###############################################################################

# server(NAME, PROFILE, CERTIFICATES, lines)
sub server {
    my ($name, $profile, $certificates, $lines) = @_;

    return join "\n", 'server {', 'listen 127.0.0.1:8443 ssl;',
        "server_name $name;",
        $profile && ($lines || '') !~ /dm_sec_profile/
            ? "dm_sec_profile $profile;" : (),
        (map { $certificate{$_} } split ' ', $certificates),
        $lines || '', "}\n";
}

# what nginx -t says of one server, without what TLS 1.0 is always told
sub tried {
    my ($profile, $certificates, $lines, $others) = @_;
    my ($http) = '';

    # a policy somewhere, or the module is off
    $http = 'dm_sec_profile modern;' if ($lines || '') =~ /dm_sec_profile off/;
    $http = $auth if ($lines || '') =~ /dm_sec_auth/;

    return conf_error($t, http => $http . server('one.test', $profile,
        $certificates, $lines) . ($others || ''))
        =~ s/^\[notice\] .*\n//mgr;
}

# the number of handshakes that a server had
sub count {
    my (@args) = @_;
    local $ENV{LD_PRELOAD} = $counter;

    unlink "$d/accepts";
    tried(@args);

    return length slurp("$d/accepts");
}

# A library that writes an octet for each server's end of a handshake.
sub counter {
    $t->write_file('counter.c', <<"EOF_C");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

void
SSL_set_accept_state(void *ssl)
{
    FILE   *file;
    void  (*next)(void *ssl);

    file = fopen("$d/accepts", "a");
    fputc('.', file);
    fclose(file);

    next = dlsym(RTLD_NEXT, "SSL_set_accept_state");
    next(ssl);
}
EOF_C

    must([ qw/ cc -shared -fPIC -o /, "$d/counter.so", "$d/counter.c" ]);

    return "$d/counter.so";
}

###############################################################################
