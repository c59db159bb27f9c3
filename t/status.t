#!/usr/bin/perl

# Tests for dm_sec_status, dm_sec_log_limit and dm_sec_zone.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP qw/ decode_json /;
use List::Util qw/ sum /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl mirror proxy socket_ssl/)
    ->has_daemon('openssl')->plan(44);

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;
    dm_sec_log_limit     1/s;

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;

    server {
        listen       127.0.0.1:8443 ssl;
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_profile dm20;

        # a subrequest that is logged is none that is counted

        log_subrequest on;

        location / {
            dm_sec_auth basic;
            mirror      /mirrored;
            proxy_pass  http://127.0.0.1:8081;
        }

        location = /mirrored {
            internal;
            dm_sec_auth off;
            proxy_pass  http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        location /json {
            dm_sec_status json;
            allow 127.0.0.1;
            deny all;
        }

        location /prometheus {
            dm_sec_status prometheus;
            allow 127.0.0.1;
            deny all;
        }
    }
}

EOF_CONF

$t->write_file_expand('nginx.conf', $conf);

ca($t, 'ca');
cert($t, 'server', ca => 'ca', key => 'rsa:2048');
store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'right' });

upstream($t, 8081);
$t->run();

###############################################################################

my ($s, $r, $p, @lines);

$s = page();

is($s->{verified}{basic}, 0, 'nothing verified yet');
is($s->{denied}{bad_credentials}, 0, 'nothing denied yet');
is($s->{store_up}, 1, 'store is up');
is($s->{store_accounts}, 1, 'accounts');
cmp_ok($s->{store_map_used}, '>', 0, 'map used');
is($s->{store_map_size}, 16 * 1024 ** 3, 'map limit');
is($s->{store_readers_max}, 1024, 'reader slots');
cmp_ok($s->{store_readers}, '>=', 1, 'readers');
like($s->{store_changed_seconds}, qr/^\d+$/, 'seconds since the change');
is_deeply([ values %{$s->{store_keys}} ], [ 1 ], 'key that seals');

# requests by method, reason, version, suite

https(8443, request('GET', '/', basic('alice', 'right'))) for 1 .. 3;
https(8443, request('GET', '/', basic('alice', 'wrong'))) for 1 .. 2;
https(8443, request('GET', '/'));
https(8443, request('GET', '/', 'Authorization: Basic !'));
http_get('/');

# a request is counted when it was answered

wait_for(30, sub {
    $s = page();
    sum($s->{verified}{basic}, values %{$s->{denied}}) == 8;
});

is($s->{verified}{basic}, 3, 'verified');
is($s->{denied}{bad_credentials}, 2, 'bad_credentials');
is($s->{denied}{no_credentials}, 1, 'no_credentials');
is($s->{denied}{malformed}, 1, 'malformed');
is($s->{denied}{plaintext}, 1, 'plaintext');
is($s->{versions}{'TLSv1.2'}, 7, 'versions');
is((values %{$s->{suites}})[0], 7, 'suites');
is($s->{cells_used}{failures}, 1, 'a failure counter');
is($s->{cells_locked}{failures}, 0, 'that locks nobody');
is_deeply(page('?locked'), [], 'no locks in force');

# every row of the answers is there, also before it happened

is(scalar(grep { exists $s->{denied}{$_} } qw/ bad_request misdirected plaintext
    early_data tls_protocol tls_cipher devid_missing devid_malformed
    replica_stale store_unavailable overloaded malformed locked
    certificate_required certificate_invalid certificate_expired
    certificate_revoked certificate_unknown_ca certificate_weak
    certificate_purpose crl_expired certificate_unbound psk_required
    no_credentials bad_credentials stale_nonce replay account_mismatch
    account_disabled account_expired group devid_mismatch /), 32, 'reasons');

# failed handshakes: a line and a counter each

s_client(8443, '-tls1_3');
s_client(8443, '-tls1_2', '-cipher', 'ECDHE-RSA-CHACHA20-POLY1305');

@lines = handshake_failures($t, 2);

is($lines[0]{reason}, 'tls_protocol', 'no common version');
is($lines[0]{version}, 'TLSv1.3', 'version that was offered');
like($lines[0]{suites}, qr/\bTLS_AES_128_GCM_SHA256\b/, 'suites offered');
is($lines[0]{level}, 'error', 'level');
is($lines[1]{reason}, 'tls_cipher', 'no common suite');
is($lines[1]{version}, 'TLSv1.2', 'version that was offered');
is($lines[1]{suites}, 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256',
    'suite that was offered');

garbage();

@lines = handshake_failures($t, 3);

is(scalar @lines, 3, 'one line each');
is($lines[2]{reason}, 'tls_other', 'no TLS at all');

$s = page();

is_deeply($s->{handshakes_failed}, { psk_unknown_identity => 0,
    psk_wrong_key => 0, psk_store => 0, tls_protocol => 1, tls_cipher => 1,
    tls_signature => 0, tls_other => 1 }, 'counted');

# Prometheus: its text format; see also metrics.t

$r = http_get('/prometheus', port => 8082, socket => plain());
like($r, qr{^Content-Type: text/plain; version=0\.0\.4\r?$}m, 'text format');

$p = http_content($r);
like($p, qr/^dmsec_requests_verified_total\{method="basic"\} 3$/m, 'counter');
like($p, qr/^dmsec_store_accounts 1$/m, 'gauge');

# only GET and HEAD; the format is not a parameter

like(http("POST /json HTTP/1.0\r\nHost: localhost\r\n\r\n",
    socket => plain()), qr/ 405 /, 'POST');
like(http("HEAD /json HTTP/1.0\r\nHost: localhost\r\n\r\n",
    socket => plain()), qr/ 200 .*\x0d\x0a\x0d\x0a\z/s, 'HEAD has no body');

# counters survive a reload

ok(reload_wait($t), 'reloaded');
is(page()->{verified}{basic}, 3, 'counters after a reload');

# dm_sec_log_limit: so many lines a second, then one that counts the rest

my $before = grep { $_->{reason} eq 'plaintext' } denied($t);
my ($asked, $after, $left) = (0);

ok(wait_for(60, sub {
    http_get('/') for 1 .. 20;
    $asked += 20;
    return $t->read_file('error.log') =~ /were left out/;
}), 'some lines are left out');

# each worker says so of its own, when its second is over

wait_for(60, sub {
    $after = grep { $_->{reason} eq 'plaintext' } denied($t);
    $left = 0;
    $left += $_ for $t->read_file('error.log')
        =~ /dm_sec: (\d+) more lines with reason=plaintext were left out/g;

    return $after - $before + $left >= $asked;
});

cmp_ok($after - $before, '<', $asked, 'not all lines are written');
is($after - $before + $left, $asked, 'and none is lost count of');

# what nginx -t says

$t->write_file_expand('nginx.conf', $conf =~ s/(allow|deny) \S+;//gr);
like((nginx_t($t))[1],
    qr/\[warn\].*"dm_sec_status" is open to everybody.*"\/json"/,
    'an open page is a warning');

$t->write_file_expand('nginx.conf',
    $conf =~ s/allow \S+;/auth_basic off;/gr =~ s/deny all;//gr);
like((nginx_t($t))[1], qr/"dm_sec_status" is open to everybody/,
    'auth_basic off does not close it');

$t->write_file_expand('nginx.conf',
    $conf =~ s/dm_sec_(profile|auth) [^;]+;//gr);
like((nginx_t($t))[1], qr/\[emerg\].*"dm_sec_status" has nothing to show/,
    'a page of a module that is off is an error');

###############################################################################

sub plain {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8082));
}

sub page {
    my ($args) = @_;

    return decode_json(http_content(http_get('/json' . ($args // ''),
        socket => plain())));
}

# octets that are no TLS record, but do not look like HTTP either
sub garbage {
    my ($socket, $buf);

    $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8443));
    print $socket "\x16\x03\x01\x00\x05hello";
    $socket->sysread($buf, 1024);
    close $socket;
}

###############################################################################
