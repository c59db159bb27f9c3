#!/usr/bin/perl

# Tests for dm-probe: its command line, its report in each form, the rows of a
# server that has everything and of one that lacks something, servers that
# cannot be tried, and that no secret goes where it should not.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Socket::INET;
use JSON::PP qw/ decode_json encode_json /;
use MIME::Base64 qw/ decode_base64 encode_base64 /;
use Socket qw/ MSG_PEEK /;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Preload qw/ preload /;
use Test::DmSec::Process qw/ slurp /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy rewrite socket_ssl/)
    ->has_daemon('xmllint')->has_daemon('script')->plan(150);

my $d = $t->testdir();
my $bin = $ENV{TEST_DM_PROBE} || '../build/dm-probe';

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;
    dm_sec_lockout       off;

    ssl_certificate      rsa.crt;
    ssl_certificate_key  rsa.key;
    ssl_certificate      ec.crt;
    ssl_certificate_key  ec.key;

    ssl_client_certificate  ca.crt;
    ssl_verify_client       optional;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        dm_sec_profile modern dm20;
        dm_sec_auth    basic digest psk x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        # an answer that tells nothing of the request
        location /mute {
            proxy_pass http://127.0.0.1:8082;
        }

        location /slow {
            proxy_pass http://127.0.0.1:8083;
        }

        # listens, and never says a word
        location /never {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8087;
        }

        # not for TLS 1.0 and 1.1
        location /tls12 {
            dm_sec_protocols TLSv1.2;
            proxy_pass http://127.0.0.1:8081;
        }

        # an answer that tells two methods
        location /twice {
            proxy_pass http://127.0.0.1:8086;
        }

        # the right password, and too many requests for everything else
        location /limited {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8085;
        }

        # texts of a server that are meant for a terminal
        location /escape {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8084;
        }

        location /failed {
            dm_sec_auth off;
            return 502;
        }

        location /moved {
            dm_sec_auth off;
            return 307 https://localhost/;
        }
    }

    # another certificate for each version
    map $ssl_protocol $shown {
        TLSv1    named;
        TLSv1.1  foreign;
        TLSv1.3  expired;
        default  ec;
    }

    server {
        listen       127.0.0.1:8447 ssl;
        server_name  localhost;

        dm_sec_profile modern dm20;
        dm_sec_auth    basic;

        ssl_certificate      %%TESTDIR%%/$shown.crt;
        ssl_certificate_key  %%TESTDIR%%/$shown.key;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # challenges that nobody can answer
    server {
        listen       127.0.0.1:8444 ssl;
        server_name  localhost;

        ssl_protocols TLSv1.2 TLSv1.3;

        location /open {
            add_header WWW-Authenticate 'Digest realm="a' always;
            return 401;
        }

        location /keyless {
            return 200;
        }

        location /unknown {
            add_header WWW-Authenticate
                'Digest realm="a", nonce="b", qop="auth", algorithm=SHA-3'
                always;
            return 401;
        }

        location /qop {
            add_header WWW-Authenticate
                'Digest realm="a", nonce="b", qop="auth-conf"' always;
            return 401;
        }
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_profile dm20;
        dm_sec_auth    basic;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /failed {
            dm_sec_auth off;
            return 502;
        }
    }
}

EOF_CONF

ca($t, 'ca');
ca($t, 'other');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048', san => [ 'DNS:localhost' ]);
cert($t, 'ec', ca => 'ca', san => [ 'DNS:localhost' ]);
cert($t, 'client', ca => 'ca', eku => 'clientAuth');
cert($t, 'named', ca => 'ca', san => [ 'DNS:other.example' ]);
cert($t, 'foreign', ca => 'other', san => [ 'DNS:localhost' ]);
cert($t, 'expired', ca => 'ca', san => [ 'DNS:localhost' ],
    not_after => time() - 60);
cert($t, 'stranger', ca => 'ca', eku => 'clientAuth');

my $password = 'hunter2 "\\ \'';
my $psk = '8f4b0c' x 10 . '0a0b';
my $url = 'https://localhost:' . port(8443);

store($t, realm => 'dm, the realm');
account($t, 'add', 'IMEI:1', '--name', 'device1', { password => $password });
account($t, 'add', 'IMEI:2', '--psk-identity', 'device2', { psk => $psk });
account($t, 'add', 'IMEI:3', '--cert', "$d/client.crt");

my $psk_mo = account($t, 'provision', 'IMEI:2');

$t->write_file('psk.json', $psk_mo);
$t->write_file('psk-url.json', "\xef\xbb\xbf" . account($t, 'provision',
    'IMEI:2', '--server-uri', "$url/dm"));
$t->write_file('cert.json', account($t, 'provision', 'IMEI:3', '--cert',
    "$d/client.crt", '--private-key', "$d/client.key"));
$t->write_file('cert-only.json', account($t, 'provision', 'IMEI:3', '--cert',
    "$d/client.crt"));
$t->write_file('password', "$password\n");
$t->write_file('wrong', "wrong\n");
$t->write_file('psk.hex', "$psk\n");

upstream($t, 8081);
upstream($t, 8082, respond => sub {
    return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
});
upstream($t, 8083, respond => sub {
    # pause: a slow server; dm-probe has a limit of its own
    sleep(0.3);
    return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
});

upstream($t, 8084, respond => sub {
    return "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n"
        . "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\", "
        . "algorithm=\"a\e[2J\x9b2J\xc2\x9bz\"\r\n\r\n";
});

upstream($t, 8085, respond => sub {
    my ($request) = @_;
    my $sent = ($request->{fields}{authorization} || [ '' ])->[0];
    my $right = 'Basic ' . encode_base64("device1:$password", '');

    return 'HTTP/1.1 ' . ($sent eq $right ? '200 OK'
        : $sent eq '' ? '401 Unauthorized' : '429 Too Many Requests')
        . "\r\nContent-Length: 0\r\n\r\n";
});

upstream($t, 8086, respond => sub {
    my ($request) = @_;
    my $body = "$request->{head}\nDM-Auth-Method: other\n";

    return "HTTP/1.1 200 OK\r\nContent-Length: " . length($body)
        . "\r\n\r\n$body";
});

# listens, and never says a word
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1:' . port(8087),
    Listen => 64, ReuseAddr => 1) or die "Can't listen: $!\n";

# poll() says once that its time is over, as soon as there is a file for it
my $over = preload($t, 'over', "#define OVER \"$d/over\"\n" . <<'EOF_C');
#define _GNU_SOURCE

#include <poll.h>
#include <time.h>
#include <unistd.h>

int
poll(struct pollfd *fds, nfds_t n, int timeout)
{
    int              rc, ms;
    struct timespec  ts;

    for ( ;; ) {
        ms = (timeout < 0 || timeout > 10) ? 10 : timeout;
        ts = (struct timespec) { 0, ms * 1000000 };
        rc = ppoll(fds, n, &ts, NULL);

        if (rc != 0 || ms == timeout || unlink(OVER) == 0) {
            return rc;
        }

        timeout -= timeout > 0 ? ms : 0;
    }
}
EOF_C

# nobody listens
my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
    or die "Can't listen: $!\n";
my $closed_port = $closed->sockport();
close $closed;

$t->run_daemon(\&flood, port(8445));
$t->waitforsocket('127.0.0.1:' . port(8445));

$t->run_daemon(\&silent_to_ssl2, port(8446));
$t->waitforsocket('127.0.0.1:' . port(8446));

$t->run_daemon(\&silent_to_ssl2, port(8448), 1);
$t->waitforsocket('127.0.0.1:' . port(8448));

$t->run();

my @ca = ('--cacert', "$d/ca.crt");
my @user = ('--user', 'device1', '--password-file', "$d/password");
my @psk = ('--account', "$d/psk.json");
my @cert = ('--account', "$d/cert.json");
my @all = (@ca, @user, @psk, @cert);

my ($exit, $out, $err, $r, $asked);

###############################################################################

# misuse

usage([], 'without credentials there is nothing to try');
usage([ @user ], 'a URL is needed, or an account with SrvURI');
usage([ @user, $url, $url ], 'one URL at a time');
usage([ @user, 'http://localhost/' ], 'the URL must begin with https://');
usage([ @user, 'https://' ], 'is not a URL');
usage([ @user, 'https://a:hunter2@localhost/' ], 'a URL with a user name');
usage([ @user, '--plain-url', $url, $url ],
    '--plain-url: the URL must begin with http://');
usage([ '--user', 'a', $url ], '--user and --password-file need each other');
usage([ '--user', 'a:b', '--password-file', "$d/password", $url ],
    'a name has no colon');
usage([ '--psk-identity', 'a', $url ], '--psk-identity and --psk-file need');
usage([ '--cert', "$d/client.crt", $url ], '--cert and --private-key need');
usage([ '--cert', "$d/client.crt", '--private-key', "$d/ec.key", $url ],
    'the private key is not that of the certificate');
usage([ @psk, @psk, $url ], 'one with a key and one with a certificate');
usage([ @psk, '--psk-identity', 'a', '--psk-file', "$d/psk.hex", $url ],
    'the file of --account has one already');
usage([ @cert, '--cert', "$d/client.crt", '--private-key', "$d/client.key",
    $url ], 'the file of --account has one already');
usage([ '--account', "$d/none", $url ], 'cannot open');
usage([ '--account', "$d/ca.crt", $url ], 'it is no JSON');
usage([ @user, '--cacert', "$d/none", $url ], '--cacert: cannot open');
usage([ @user, '--cacert', "$d/password", $url ], 'holds no certificate');
usage([ @user, '--cacert', '-', $url ], '--cacert does not read stdin');
usage([ @user, '--device-id', "a\nb", $url ], 'control character');
usage([ @user, '--account', "$d/\xc2\x9b2J\xe2\x80\xaex\x9b", $url ],
    'cannot open "' . "$d/??2J???x?" . '"');
usage([ @user, "--\xc2\x9b2J\x9b", $url ], 'option "--\xC2\x9B2J\x9B"');
usage([ @user, '--timeout', '0', $url ], '--timeout: write seconds');
usage([ @user, '--limit', 'x', $url ], '--limit: write seconds');
usage([ @user, '--secret=hunter2' ], 'unknown or ambiguous option');
usage([ '--password-file', '-', '--psk-file', '-', '--user', 'a',
    '--psk-identity', 'b', $url ], 'only one option can read stdin');
usage([ '--user', 'a', '--password', 'hunter2', $url ], 'secrets never come');
usage([ '--user', 'a', '--password=hunter2', $url ], 'secrets never come');

like(decode_json((probe('--json', @user))[2])->{error}, qr/^a URL is needed/,
    'an error as JSON');
like(decode_json((probe('--json', '--junit', @user, $url))[2])->{error},
    qr/^--json and --junit exclude each other/, 'JSON or JUnit');

($exit, $out, $err) = probe('--help');
ok($exit == 0 && $out =~ /^usage: dm-probe / && $err eq '', '--help');
like((probe('--version'))[1], qr/^dm-probe \d+\.\d+\.\d+\n\z/, '--version');

###############################################################################

# a server that has everything but SSL 3.0

upstream_clear($t, 8081);

$r = report(0, 'everything', @all, '--echo', '--device-id', 'IMEI:1',
    '--plain-url', 'http://localhost:' . port(8080) . '/', "$url/dm?a=b&c=\"");

is(scalar @{ $r->{rows} }, 21, 'everything: 21 rows');
is_deeply([ ids($r, 'SKIP') ], [ map { "DM-SEC-$_-O" }
    qw/ S-002 S-003 C-002 C-003 / ], 'everything: only SSL 3.0 is skipped');
is_deeply([ ids($r, 'FAIL') ], [], 'everything: nothing fails');
is($r->{server}{protocol}, 'TLSv1.2', 'everything: the version');
is($r->{server}{cipher}, 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    'everything: the suite');
is(test($r, 'DM-SEC-S-007-O', 'TLSv1.3')->{result}, 'PASS', 'TLS 1.3');
is(test($r, 'DM-SEC-S-005-O', 'TLSv1.3')->{result}, 'PASS', 'PSK in TLS 1.3');
is(test($r, 'DM-SEC-S-006-O', 'TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256')
    ->{result}, 'PASS', 'the seventh suite with a key');
is(test($r, 'DM-SEC-S-004-M', 'TLSv1.1')->{protocol}, 'TLSv1.1',
    'the version of a try');
is(test($r, 'DM-SEC-S-004-M', 'TLS_DHE_RSA_WITH_AES_128_CBC_SHA')->{cipher},
    'TLS_DHE_RSA_WITH_AES_128_CBC_SHA', 'the suite of a try');
is(test($r, 'DM-SEC-S-008-M', 'a wrong password')->{http}, 401,
    'the status of a try');
is_deeply([ map { $_->{name} } grep { $_->{decides} }
    @{ row($r, 'DM-SEC-S-009-M')->{tests} } ],
    [ 'MD5 auth', 'SHA-256 auth', 'a wrong password' ],
    'each algorithm that is challenged');

# package 1, and the row of a client is what came of it

$asked = (upstream_log($t, 8081))[0];
is("$asked->{method} $asked->{uri}", 'POST /dm?a=b&c="', 'package 1');
is_deeply($asked->{fields}{'omadm-devid'}, [ 'IMEI:1' ], 'its OMADM-DevID');
is_deeply($asked->{fields}{'content-type'},
    [ 'application/vnd.oma.dm.initiation+json' ], 'its type');
like(row($r, 'DM-SEC-C-004-M')->{reason},
    qr/the server received DM-TLS-Protocol: TLSv1.1,/, 'C-004: its witness');
like(row($r, 'DM-SEC-C-011-M')->{reason},
    qr/the server received DM-Auth-Method: x509,/, 'C-011: its witness');

# the other forms

($exit, $out) = probe(@all, '--echo', "$url/dm");
is($exit, 0, 'text: exit');
is(() = $out =~ /^DM-SEC-[SC]-0\d\d-[MO] .* PASS /mg, 17, 'text: PASS');
is(() = $out =~ /^DM-SEC-[SC]-0\d\d-O .* SKIP /mg, 4, 'text: SKIP');
like($out, qr/^the server chooses TLSv1.2 and TLS_ECDHE_ECDSA_WITH_AES_128/m,
    'text: what the server chooses');
like($out, qr/^not-plain-basic .* SKIP .*--plain-url/m, 'text: no plain URL');
unlike($out, qr/^ /m, 'text: not verbose');

($exit, $out) = probe(@all, '--echo', '--verbose', "$url/dm");
like($out, qr/^    PASS  TLS_RSA_WITH_AES_128_CBC_SHA: answered 200, TLSv1 /m,
    'text: verbose');
ok(!leaks($out), 'text: no secret');

($exit, $out) = probe(@all, '--junit', "$url/dm?a&b");
is($exit, 0, 'junit: exit');
$t->write_file('junit.xml', $out);
is((run_command([ 'xmllint', '--noout', "$d/junit.xml" ]))[0], 0,
    'junit: well-formed');
is(xpath('count(//testcase)'), 28, 'junit: cases');
is(xpath('count(//failure)'), 0, 'junit: failures');
is(xpath('string(//testsuite/@skipped)'), 14, 'junit: skipped');

###############################################################################

# what is not given cannot be tried, and what is mandatory counts then

$r = report(0, 'mute', @all, "$url/mute");
is_deeply([ ids($r, 'SKIP') ], [ (map { "DM-SEC-S-$_-O" } qw/ 002 003 /),
    (grep { /-C-/ } map { $_->{id} } @{ $r->{rows} }), 'not-plain-basic' ],
    'mute: without --echo the rows of the client are skipped');

$r = report(1, 'mute, --echo', @all, '--echo', "$url/mute");
is_deeply($r->{counted}, [ map { "DM-SEC-C-$_-M" } qw/ 004 008 009 011 / ],
    'mute: what was said to be told, and is not, counts');

$r = report(1, 'told twice', @all, '--echo', "$url/twice");
is_deeply($r->{counted}, [ map { "DM-SEC-C-$_-M" } qw/ 009 011 / ],
    'told twice: two values show nothing');

$r = report(1, 'psk only', @ca, '--account', "$d/psk-url.json");
is($r->{url}, "$url/dm", 'psk only: the URL is SrvURI');
is(row($r, 'DM-SEC-S-006-O')->{result}, 'PASS', 'psk only: its rows');
is_deeply($r->{counted}, [ map { "DM-SEC-S-$_-M" } qw/ 008 009 010 / ],
    'psk only: mandatory rows that need others count');

$r = report(1, 'psk in files', @ca, '--psk-identity', 'device2', '--psk-file',
    "$d/psk.hex", "$url/dm");
is(row($r, 'DM-SEC-S-005-O')->{result}, 'PASS', 'psk in files: S-005');

$r = report(1, 'certificate only', @ca, '--account', "$d/cert-only.json",
    '--private-key', "$d/client.key", "$url/dm");
is(row($r, 'DM-SEC-S-010-M')->{result}, 'PASS', 'certificate only: S-010');
is(test($r, 'DM-SEC-S-004-M', 'TLSv1.1')->{result}, 'PASS',
    'certificate only: carries the others');

$r = report(1, 'without a private key', @ca, '--account',
    "$d/cert-only.json", "$url/dm");
like(row($r, 'DM-SEC-S-010-M')->{reason}, qr/--private-key/,
    'without a private key: S-010');

###############################################################################

# what fails

$r = report(1, 'wrong password', @ca, '--user', 'device1', '--password-file',
    "$d/wrong", @psk, @cert, "$url/dm");
is_deeply([ ids($r, 'FAIL') ], [ 'DM-SEC-S-008-M', 'DM-SEC-S-009-M' ],
    'wrong password: Basic and Digest');

$r = report(1, 'narrowed', @all, "$url/tls12");
is_deeply([ ids($r, 'FAIL') ], [ 'DM-SEC-S-001-O', 'DM-SEC-S-004-M' ],
    'narrowed: 403 is no service');
is_deeply($r->{counted}, [ 'DM-SEC-S-004-M' ], 'narrowed: M counts');

$r = report(1, 'moved', @all, "$url/moved");
like(row($r, 'DM-SEC-S-004-M')->{reason}, qr/answered 307/,
    'moved: redirects are not followed');
is(row($r, 'not-anybody')->{result}, 'PASS', 'moved: nobody is let in');

$r = report(1, 'failed', @all, "$url/failed");
is(row($r, 'not-anybody')->{result}, 'SKIP', 'failed: 502 is no refusal');
ok((grep { $_ eq 'not-anybody' } @{ $r->{counted} }), 'failed: it counts');

$r = report(1, 'limited', @ca, @user, "$url/limited");
is(test($r, 'DM-SEC-S-008-M', 'the right password')->{result}, 'PASS',
    'limited: the right password');
is(row($r, 'DM-SEC-S-008-M')->{result}, 'FAIL',
    'limited: 429 does not say that a password is wrong');

{
    # it has no limit but this: that the server has read what it is silent to
    local $ENV{LD_PRELOAD} = join ' ', $over, $ENV{LD_PRELOAD} // ();

    $r = report(1, 'silent to SSL 2.0', @ca, @user, '--timeout', 300,
        'https://localhost:' . port(8446) . '/');
}
is(row($r, 'not-null')->{result}, 'PASS', 'silent to SSL 2.0: not to others');
is(row($r, 'not-ssl2')->{result}, 'SKIP', 'silent to SSL 2.0: not shown');
ok((grep { $_ eq 'not-ssl2' } @{ $r->{counted} }),
    'silent to SSL 2.0: it counts');

$r = report(1, 'closes', @ca, @user, 'https://localhost:' . port(8448) . '/');
is_deeply([ grep { /^not/ } @{ $r->{counted} } ],
    [ 'not-ssl2', 'not-null', 'not-export', 'not-anonymous' ],
    'closes: to whom it closes each connection, it refuses nothing');

# servers that are hostile

$r = report(1, 'open quote', @ca, @user, 'https://localhost:' . port(8444)
    . '/open');
like(row($r, 'DM-SEC-S-009-M')->{reason}, qr/a challenge: none, answered 401/,
    'open quote: no challenge');

$r = report(1, 'unknown algorithm', @ca, @user, 'https://localhost:'
    . port(8444) . '/unknown');
is(test($r, 'DM-SEC-S-009-M', 'SHA-3 auth')->{result}, 'SKIP',
    'unknown algorithm: not tried');
is(row($r, 'DM-SEC-S-009-M')->{result}, 'FAIL', 'unknown algorithm: fails');

$r = report(1, 'unknown qop', @ca, @user, 'https://localhost:' . port(8444)
    . '/qop');
is(test($r, 'DM-SEC-S-009-M', 'MD5')->{result}, 'SKIP',
    'unknown qop: not tried');
is(row($r, 'DM-SEC-S-009-M')->{result}, 'FAIL', 'unknown qop: fails');

($exit, $out) = probe(@ca, @user, '--verbose', "$url/escape");
like($out, qr/a.\[2J.*z: an algorithm that dm-probe does not know/,
    'escape: its challenge');
unlike($out, qr/[^ -~\n]/, 'escape: nothing for a terminal');

$r = report(1, 'flood', @ca, @user, '--limit', 60, 'https://localhost:'
    . port(8445) . '/');

$r = report(1, 'slow', @all, '--limit', 1, "$url/slow");
like(row($r, 'DM-SEC-S-007-O')->{reason}, qr/--limit/, 'slow: and its name');

$r = report(1, 'keyless', @ca, @psk, 'https://localhost:' . port(8444)
    . '/keyless');
is(test($r, 'DM-SEC-S-005-O', 'TLSv1.3')->{result}, 'FAIL',
    'keyless: a certificate instead of the key');
is(test($r, 'DM-SEC-S-005-O', 'TLSv1.3')->{http}, 0,
    'keyless: nothing is sent then');

# each version by itself: the certificate is verified, or nothing is sent

upstream_clear($t, 8081);

$r = report(1, 'certificates', @ca, @user, 'https://localhost:' . port(8447)
    . '/dm');
is(test($r, 'DM-SEC-S-007-O', 'TLSv1.2')->{result}, 'PASS',
    'certificates: the right one');

foreach ([ 'DM-SEC-S-001-O', 'TLSv1', 'subject name' ],
    [ 'DM-SEC-S-004-M', 'TLSv1.1', 'issuer' ],
    [ 'DM-SEC-S-007-O', 'TLSv1.3', 'expired' ])
{
    my ($id, $version, $why) = @$_;
    my $try = test($r, $id, $version);

    is("$try->{result} $try->{http}", 'FAIL 0', "certificates: $version");
    like($try->{reason}, qr/certificate is not trusted: .*$why/,
        "certificates: $version, why");
}

is_deeply([ grep { $_ ne 'TLSv1.2' } map { $_->{fields}{'dm-tls-protocol'}[0] }
    upstream_log($t, 8081) ], [], 'certificates: what was sent');

# and those that cannot be tried at all

refused('no CA', 'the server\'s certificate is not trusted: .*--cacert FILE',
    @user, "$url/dm");
refused('another CA', 'the server\'s certificate is not trusted: ',
    '--cacert', "$d/other.crt", @user, "$url/dm");
refused('another name', 'the server\'s certificate is not trusted: .*127',
    @ca, @user, 'https://127.0.0.1:' . port(8443) . '/dm');
refused('closed', "there is no answer from 127.0.0.1 port $closed_port: ",
    @ca, @user, "https://127.0.0.1:$closed_port/");

# The time that it waited is in the message: not less than it was told, but for
# what lies between the two moments from which libcurl counts.

my $late = 'timed out after (?:999|[1-9]\d{3,}) milliseconds';

refused('silent', "there is no answer from 127.0.0.1 port \\d+: .*$late", @ca,
    @user, '--timeout', 1, 'https://127.0.0.1:' . port(8087) . '/');
refused('silent, limit', 'there is no answer from 127.0.0.1 port \d+: .*'
    . 'timed out after ', @ca, @user, '--limit', 1,
    'https://127.0.0.1:' . port(8087) . '/');

refused('silent after the handshake', "there is no answer from localhost port "
    . "\\d+: .*$late", @ca, @user, '--timeout', 1, "$url/never");

is(decode_json((probe('--json', @user, "$url/dm"))[2])->{error} =~ /trusted/,
    1, 'an error of the server as JSON');

###############################################################################

# in clear

$r = report(1, 'plain, no such host', @all, '--plain-url',
    'http://nowhere.invalid/', "$url/dm");
is_deeply($r->{counted}, [ 'not-plain-basic' ],
    'plain, no such host: it was not tried');

$r = report(0, 'plain, closed', @all, '--plain-url',
    "http://127.0.0.1:$closed_port/", "$url/dm");
is(row($r, 'not-plain-basic')->{result}, 'PASS', 'plain, closed: a refusal');

$r = report(1, 'plain, failed', @all, '--plain-url', 'http://localhost:'
    . port(8080) . '/failed', "$url/dm");
is_deeply($r->{counted}, [ 'not-plain-basic' ],
    'plain, failed: 502 is no refusal');

# secrets: in clear a name and a password of nobody

my $plain = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8)
    or die "Can't listen: $!\n";

$t->run_daemon(\&plain, $plain, "$d/plain.log");

$r = report(1, 'plain', @all, '--plain-url', 'http://127.0.0.1:'
    . $plain->sockport() . '/', "$url/dm");
is_deeply($r->{counted}, [ 'not-plain-basic' ], 'plain: 401 is no refusal');

my @sent = map { decode_base64($_) }
    slurp("$d/plain.log") =~ /^Authorization: Basic (\S+)/mg;

is(scalar @sent, 1, 'plain: what was sent');
like($sent[0], qr/^dm-probe-nobody:[0-9a-f]{32}$/, 'plain: nobody\'s');
is(leaks(slurp("$d/plain.log")), '', 'plain: no secret');

is(leaks(encode_json($r)), '', 'JSON: no secret');
is(leaks(join '', (probe(@all, '--verbose', "$url/dm", '--limit', 1))),
    '', 'text: no secret');

# a terminal

$out = terminal(@all, '--limit', 1, "$url/slow");
like($out, qr/\r\d+ %, \d+ tries, \d+ tries\/s\e\[K/, 'terminal: progress');
like($out, qr/\r\e\[Khttps:/, 'terminal: it makes room for the table');
unlike(terminal(@all, '--limit', 1, '--json', "$url/slow"), qr/%/,
    'terminal: no progress with --json');

###############################################################################


sub probe {
    my (@args) = @_;

    # proxies of the environment are not asked
    local @ENV{qw/ https_proxy http_proxy no_proxy NO_PROXY /}
        = ("http://127.0.0.1:$closed_port") x 2;

    return map { $_ // '' } run_command([ $bin, @args ]);
}


sub terminal {
    my (@args) = @_;

    return (run_command([ 'script', '-qec', join(' ', $bin, @args),
        '/dev/null' ]))[1];
}


sub usage {
    my ($args, $message) = @_;
    my ($exit, $out, $err) = probe(@$args);

    ok($exit == 2 && $out eq '' && $err =~ /\Adm-probe: .*\Q$message\E.*\n\z/
        && $err =~ /; see "dm-probe --help"$/ && $err !~ /hunter2/,
        "usage: $message") or diag("exit $exit: $out$err");
}


sub refused {
    my ($name, $pattern, @args) = @_;
    my ($exit, $out, $err) = probe(@args);

    ok($exit == 1 && $out eq '' && $err =~ /\Adm-probe: $pattern.*\n\z/,
        "refused: $name") or diag("exit $exit: $out$err");
}


sub report {
    my ($status, $name, @args) = @_;
    my ($exit, $out, $err) = probe('--json', @args);
    my ($json) = eval { decode_json($out) };

    ok($exit == $status && $err eq '' && $json && $json->{exit} == $status
        && !!@{ $json->{counted} } == $status, "$name: exit $status")
        or diag("exit $exit: $out$err");

    return $json || { rows => [], must_not => [] };
}


sub ids {
    my ($json, $result) = @_;

    return map { $_->{id} } grep { $_->{result} eq $result }
        @{ $json->{rows} }, @{ $json->{must_not} };
}


sub row {
    my ($json, $id) = @_;

    return (grep { $_->{id} eq $id } @{ $json->{rows} },
        @{ $json->{must_not} })[0] || {};
}


sub test {
    my ($json, $id, $name) = @_;

    return (grep { $_->{name} eq $name } @{ row($json, $id)->{tests} || [] })
        [0] || {};
}


# which of the secrets a text has
sub leaks {
    my ($text) = @_;
    my ($mo) = decode_json($psk_mo)->[0]{MOData}{DMAcc}{Auth}{Trsp}{Secret};

    return join ' ', grep { index($text, $_) != -1 }
        'hunter2', $psk, uc $psk, pack('H*', $psk), $mo;
}


sub xpath {
    my ($path) = @_;
    my ($exit, $out) = run_command([ 'xmllint', '--xpath', $path,
        "$d/junit.xml" ]);

    return $out =~ s/\n//r;
}


# more headers and a longer body than anybody has
sub flood {
    my ($port) = @_;
    my ($listener, $end);

    require IO::Socket::SSL;

    $listener = IO::Socket::SSL->new(LocalAddr => "127.0.0.1:$port",
        Listen => 8, ReuseAddr => 1, SSL_cert_file => "$d/ec.crt",
        SSL_key_file => "$d/ec.key") or die "Can't listen: $!\n";

    while (1) {
        my $client = $listener->accept() or next;

        $client->sysread(my $request, 65536);
        $client->print("HTTP/1.1 401 Unauthorized\r\n",
            map({ 'WWW-Authenticate: Digest realm="' . 'a' x 2000 . "\"\r\n" }
                1 .. 30),
            map({ "WWW-Authenticate: Digest realm=\"$_\"\r\n" } 1 .. 30),
            "Connection: close\r\n\r\n", "\0" x 2000000);
        close $client;
    }
}


# refuses requests, and leaves a ClientHello of SSL 2.0 without an answer, or
# closes that and each later connection
sub silent_to_ssl2 {
    my ($port, $closes) = @_;
    my ($closed, @kept);

    require IO::Socket::SSL;

    local $SIG{PIPE} = 'IGNORE';

    my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
        Listen => 8, ReuseAddr => 1) or die "Can't listen: $!\n";

    while (my $client = $listener->accept()) {
        next if $closed;

        $client->recv(my $first, 1, MSG_PEEK);

        if ($first eq "\x80" && $closes) {
            $closed = 1;
            next;
        }

        if ($first eq "\x80") {
            push @kept, $client;
            open my $fh, '>', "$d/over" or die "Can't create: $!\n";
            next;
        }

        IO::Socket::SSL->start_SSL($client, SSL_server => 1,
            SSL_cert_file => "$d/ec.crt", SSL_key_file => "$d/ec.key")
            or next;

        $client->sysread(my $request, 65536);
        $client->print("HTTP/1.1 401 Unauthorized\r\n"
            . "Content-Length: 0\r\nConnection: close\r\n\r\n");
        close $client;
    }
}


# answers 403, and 401 to who names himself
sub plain {
    my ($listener, $log) = @_;

    local $SIG{PIPE} = 'IGNORE';

    while (my $client = $listener->accept()) {
        my $head = '';

        while (defined(my $line = <$client>)) {
            last if $line =~ /^\r?\n/;
            $head .= $line;
        }

        open my $fh, '>>', $log or die "Can't open $log: $!\n";
        print $fh $head;
        close $fh;

        print $client 'HTTP/1.1 ' . ($head =~ /^Authorization/mi ? 401 : 403)
            . " No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        close $client;
    }
}

###############################################################################
