#!/usr/bin/perl

# Tests for dm_sec_upgrade: TLS that begins within HTTP (RFC 2817), what is
# decided then, and what an attacker on the way could make of it.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::SHA qw/ sha256_hex /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl http_v2 proxy rewrite/)
    ->has(qw/socket_ssl socket_ssl_sni/)->has_daemon('openssl')
    ->has_daemon('curl')->has_daemon('ipptool')->plan(130);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    log_format  dm '$request|$status|$scheme|$dm_sec_protocol';
    access_log  %%TESTDIR%%/dm.log dm;

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;

    ssl_certificate      rsa.crt;
    ssl_certificate_key  rsa.key;
    ssl_certificate      ec.crt;
    ssl_certificate_key  ec.key;

    ssl_client_certificate  ca.crt;

    dm_sec_profile modern dm20;
    dm_sec_upgrade on;

    proxy_set_header X-Protocol $dm_sec_protocol;

    client_max_body_size     100k;
    client_body_buffer_size  8k;

    server {
        listen       127.0.0.1:8080;
        listen       127.0.0.1:8443 ssl http2;
        server_name  localhost;

        ssl_verify_client optional;

        dm_sec_auth off;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /clear {
            dm_sec_profile off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /tls11 {
            dm_sec_protocols TLSv1.1;
            proxy_pass http://127.0.0.1:8081;
        }

        location /small {
            client_max_body_size 10;
            proxy_pass http://127.0.0.1:8081;
        }

        location /basic {
            dm_sec_auth basic;
            proxy_pass http://127.0.0.1:8081;
        }

        location /digest {
            dm_sec_auth digest;
            dm_sec_digest_qop auth-int auth;
            proxy_pass http://127.0.0.1:8081;
        }

        location /x509 {
            dm_sec_auth x509;
            proxy_pass http://127.0.0.1:8081;
        }

        location /psk {
            dm_sec_auth psk;
            proxy_pass http://127.0.0.1:8081;
        }

        location /either {
            dm_sec_auth x509 basic;
            proxy_pass http://127.0.0.1:8081;
        }

        location /both {
            dm_sec_auth x509 basic;
            dm_sec_auth_all on;
            proxy_pass http://127.0.0.1:8081;
        }

        location /redirect {
            rewrite ^/redirect/(.*)$ /$1 last;
        }

        location /return {
            return 301 https://$host/;
        }
    }

    # another server of the address

    server {
        listen       127.0.0.1:8080;
        server_name  b.example.com;

        dm_sec_profile   off;
        dm_sec_protocols TLSv1.2;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # nothing in the clear

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        dm_sec_upgrade required;

        location / {
            dm_sec_profile off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /return {
            return 204;
        }
    }

    # a certificate is demanded

    server {
        listen       127.0.0.1:8083 deferred;
        server_name  localhost;

        ssl_verify_client on;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # no upgrade

    server {
        listen       127.0.0.1:8084;
        server_name  localhost;

        dm_sec_upgrade off;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        # accepted with its request: no more than a handshake is waited for
        listen       127.0.0.1:8085 deferred;
        server_name  localhost;

        client_header_timeout 1s;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8086 http2;
        server_name  localhost;

        dm_sec_upgrade required;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

my $d = $t->testdir();
my $key = 'a5' x 32;

my @ask = ('Upgrade: TLS/1.2', 'Connection: Upgrade');

ca($t, 'ca');
ca($t, 'other-ca');
cert($t, 'ec', ca => 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'one', ca => 'ca');
cert($t, 'other', ca => 'other-ca');

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'one', '--psk-identity', 'dev1',
    '--cert', "$d/one.crt", { psk => $key, password => 'secret' });
account($t, 'add', 'IMEI:2', '--name', 'two', { password => 'secret' });

upstream($t, 8081);
$t->run();

###############################################################################

# GET, and what it is inside

my ($c, $r);

$c = keepalive(8080);
$r = $c->request(request('GET', '/a', @ask, 'DM-Client-ID: forged'));

is($r, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.2, HTTP/1.1\r\n"
    . "Connection: Upgrade\r\n\r\n", 'GET, 101');
is(upstream_count($t, 8081), 0, 'GET, waits for TLS');

ok($c->start_tls(), 'GET, handshake') or diag($c->error());
is(verdict($t, $c->response(), 8081), '200 upstream', 'GET, answer');
is(told(), '/a - TLSv1.3', 'GET, upstream');
is(verdict($t, $c->request(request('GET', '/b')), 8081), '200 upstream',
    'GET, the next one');
is(told(), '/b - TLSv1.3', 'GET, the next one, upstream');
is(verdict($t, $c->request(request('GET', '/c', @ask)), 8081),
    '200 upstream', 'an upgrade inside TLS is none');

# what is echoed, and who does not ask

foreach my $upgrade ('TLS/1.0', 'tls/1.1', 'TLS/1.3', 'h2c, TLS/1.2') {
    is((header(ask('/', "Upgrade: $upgrade", $ask[1]), 'Upgrade'))[0],
        $upgrade =~ s/^h2c, //r . ', HTTP/1.1', "$upgrade echoed");
}

is(header(ask('/', 'Upgrade: h2c', 'Connection: keep-alive, upgrade',
    'Upgrade: TLS/1.4, TLS/1.1'), 'Upgrade') // '', 'TLS/1.1, HTTP/1.1',
    'several headers');

foreach ([ 'Upgrade: TLS/1.4', $ask[1] ], [ $ask[0] ], [ $ask[1] ],
    [ $ask[0], 'Connection: close' ], [ 'X-Upgrade: TLS/1.2', $ask[1] ])
{
    is(verdict($t, ask('/', @$_), 8081), '426 plaintext', "@$_");
}

is(verdict($t, ask('/clear'), 8081), '200 upstream', 'no policy');

$r = ask('/');
is(join(', ', header($r, 'Upgrade'), grep { /grade/ }
    header($r, 'Connection')),
    'TLS/1.3, TLS/1.2, TLS/1.1, TLS/1.0, HTTP/1.1, Upgrade', 'status 426');
like($r, qr{^HTTP/1.1 426 Upgrade Required\r}, '426, in words');
is((denied($t))[-1]{status}, 426, '426, logged');
verdict($t, '');

is(verdict($t, keepalive(8080)->request(
    request('GET', '/', @ask) =~ s{HTTP/1.1}{HTTP/1.0}r), 8081),
    '426 plaintext', 'HTTP/1.0');

# nginx itself would redirect before any access check

is(status(ask('/return')), 301, 'return, in clear');
is(status(upgraded(request('GET', '/return', @ask))), 301,
    'return, inside TLS');
ok(logged(qr/^GET \/return HTTP\/1\.1\|301\|https\|TLSv1\.3$/m),
    'return, logged');

# required

foreach my $uri (qw{ / /return }) {
    is(verdict($t, keepalive(8082)->request(request('GET', $uri)), 8081),
        '426 plaintext', "required, $uri");
    is(verdict($t, upgraded(request('GET', $uri, @ask), port => 8082), 8081),
        $uri eq '/' ? '200 upstream' : '204', "required, $uri inside TLS");
}

is(verdict($t, keepalive(8082)->request(request('OPTIONS', '*')), 8081),
    '426 plaintext', 'required, OPTIONS *');

my ($exit, $out) = run_command([ 'curl', '-s', '--http2-prior-knowledge',
    '-o', '/dev/null', '-w', '%{http_version} %{http_code}',
    'http://127.0.0.1:' . port(8086) . '/' ]);

is($out, '2 403', 'HTTP/2 in clear');
is(verdict($t, '', 8081), '0 plaintext', 'HTTP/2 in clear, refused');

# bodies

my $big = join '', map { "line $_\n" } 1 .. 8000;
my $chunked = "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";

is(verdict($t, upgraded(request('POST', '/post', @ask, { body => 'x=1' })),
    8081), '200 upstream', 'POST');
is((upstream_log($t, 8081))[-1]{sha256}, sha256_hex('x=1'), 'POST, body');

is(verdict($t, upgraded(request('PUT', '/put', @ask, { body => $big })),
    8081), '200 upstream', 'PUT, in a file');
is((upstream_log($t, 8081))[-1]{sha256}, sha256_hex($big),
    'PUT, in a file, body');

is(verdict($t, upgraded(request('POST', '/chunked', @ask,
    'Transfer-Encoding: chunked') . $chunked), 8081), '200 upstream',
    'chunked');
is((upstream_log($t, 8081))[-1]{sha256}, sha256_hex('hello world'),
    'chunked, body');

$c = keepalive(8080);
$c->send(request('POST', '/slow', @ask, 'Content-Length: 6') . 'abc');
ok(!$c->closed(0.2), 'a body that comes slowly, no answer yet');
$c->send('def');
is(status($c->response()), 101, 'a body that comes slowly');
ok($c->start_tls(), 'a body that comes slowly, handshake');
is(verdict($t, $c->response(), 8081), '200 upstream',
    'a body that comes slowly, answer');

is(verdict($t, keepalive(8080)->request(request('POST', '/', @ask,
    'Content-Length: 102401')), 8081), '413', 'a body that is too large');
is(verdict($t, upgraded(request('POST', '/', @ask, 'Expect: 100-continue',
    { body => 'x=1' })), 8081), '200 upstream', 'Expect');
is(verdict($t, upgraded(request('POST', '/small', @ask,
    'Transfer-Encoding: chunked') . $chunked), 8081), '413',
    'a body that is too large for its location');

# Basic and Digest

is(verdict($t, upgraded(request('GET', '/basic', @ask,
    basic('one', 'secret'))), 8081), '200 upstream', 'Basic');
is(told(), '/basic IMEI:1 TLSv1.3', 'Basic, upstream');

$c = upgraded_client(request('GET', '/basic', @ask));
$r = $c->response();
is(verdict($t, $r, 8081), '401 no_credentials', 'Basic, none');
is(verdict($t, $c->request(request('GET', '/basic', basic('one', 'secret'))),
    8081), '200 upstream', 'Basic, the next one');

$c = upgraded_client(request('GET', '/digest', @ask));
my ($challenge) = challenges($c->response());
my %answer = (method => 'POST', uri => '/digest', qop => 'auth-int',
    user => 'one', password => 'secret');
verdict($t, '');

foreach my $body ('', 'small', $big) {
    my $length = length $body;
    my $line = digest($challenge, %answer, body => $body, nc => $length + 1);

    is(verdict($t, upgraded(request('POST', '/digest', @ask, $line,
        { body => $body })), 8081), '200 upstream', "auth-int of $length");
    is(verdict($t, upgraded(request('POST', '/digest', @ask,
        digest($challenge, %answer, body => "$body.", nc => $length + 2),
        { body => $body })), 8081), '401 bad_credentials',
        "auth-int of $length, another body");
}

# A handshake speaks for what comes inside it.  Otherwise who is on the way
# could send a request, and let a device that wants TLS do the handshake.

my %cert = (SSL_cert_file => "$d/one.crt", SSL_key_file => "$d/one.key");
my %psk = (psk('dev1', $key), SSL_version => 'TLSv1_2',
    SSL_cipher_list => 'PSK-AES128-GCM-SHA256');

foreach ([ 'x509', %cert ], [ 'psk', %psk ]) {
    my ($method, @tls) = @$_;

    $c = upgraded_client(request('POST', "/$method", @ask,
        { body => 'forged' }), @tls);
    is(verdict($t, $c->response(), 8081), '403 plaintext',
        "$method, of a request in clear");
    is(verdict($t, $c->request(request('GET', "/$method")), 8081),
        '200 upstream', "$method, of one inside TLS");
    is(told(), "/$method IMEI:1 " . $c->info()->{protocol} =~ s/_/./gr,
        "$method, upstream");

    $c = star_client(@tls);
    is(verdict($t, $c->request(request('GET', "/redirect/$method")), 8081),
        '200 upstream', "$method after OPTIONS *");
}

is(verdict($t, upgraded(request('GET', '/redirect/x509', @ask), %cert), 8081),
    '403 plaintext', 'x509, of a request in clear that is redirected');
is(verdict($t, upgraded(request('GET', '/either', @ask), %cert), 8081),
    '401 no_credentials', 'x509 or Basic');
is(verdict($t, upgraded(request('GET', '/either', @ask,
    basic('two', 'secret')), %cert), 8081), '200 upstream',
    'x509 or Basic, Basic');
is(told(), '/either IMEI:2 TLSv1.3', 'x509 or Basic, upstream');
is(verdict($t, upgraded(request('GET', '/both', @ask,
    basic('one', 'secret')), %cert), 8081), '403 plaintext',
    'x509 and Basic');

# nginx's own checks of certificates are not passed by

foreach ([ 'none', '400 certificate_required' ],
    [ 'another', '400 certificate_unknown_ca', SSL_cert_file => "$d/other.crt",
        SSL_key_file => "$d/other.key" ],
    [ 'right', '403 plaintext', %cert ])
{
    my ($name, $verdict, @tls) = @$_;

    is(verdict($t, upgraded(request('GET', '/', @ask), port => 8083, @tls),
        8081), $verdict, "ssl_verify_client on, certificate: $name");
}

$c = star_client(port => 8083, %cert);
is(verdict($t, $c->request(request('GET', '/')), 8081), '200 upstream',
    'ssl_verify_client on, after OPTIONS *');

# policy of the location, of the server, and a handshake that fails

is(verdict($t, upgraded(request('GET', '/tls11', @ask)), 8081),
    '403 tls_protocol', 'version of a location');
is(verdict($t, upgraded(request('GET', '/tls11', @ask),
    SSL_version => 'TLSv1_1', SSL_cipher_list => 'ALL:@SECLEVEL=0'), 8081),
    '200 upstream', 'version of a location, TLS 1.1');

my $b = { host => 'b.example.com' };
my @old = (SSL_version => 'TLSv1_1', SSL_cipher_list => 'ALL:@SECLEVEL=0');

$c = keepalive(8080);
is(status($c->request(request('GET', '/', @ask, $b))), 101, 'another server');
is(failed_handshake($t, sub { $c->start_tls(@old) })->{reason},
    'tls_protocol', 'another server has its own versions');

# SNI

foreach ([ undef, 'b.example.com', '200 upstream' ],
    [ 'b.example.com', 'b.example.com', '200 upstream' ],
    [ 'localhost', 'localhost', '200 upstream' ],
    [ 'unknown', 'localhost', '200 upstream' ],
    [ 'unknown', 'b.example.com', '421 misdirected' ],
    [ 'localhost', 'b.example.com', '421 misdirected' ],
    [ 'b.example.com', 'localhost', '421 misdirected' ])
{
    my ($sni, $host, $verdict) = @$_;

    is(verdict($t, upgraded(request('GET', '/', @ask, { host => $host }),
        SSL_hostname => $sni // ''), 8081), $verdict,
        sprintf 'SNI %s, Host %s', $sni // 'none', $host);
}

$c = upgraded_client(request('GET', '/', @ask));
$c->response();
verdict($t, '', 8081);
is(verdict($t, $c->request(request('GET', '/', $b)), 8081),
    '421 misdirected', 'another server in the next request');

# ALPN

$c = upgraded_client(request('GET', '/', @ask),
    SSL_alpn_protocols => [ 'h2', 'http/1.1' ]);
is(verdict($t, $c->response(), 8081), '200 upstream', 'ALPN');

# OPTIONS *

my $star = request('OPTIONS', '*', @ask);

is(status(upgraded($star)), 200, 'OPTIONS *');
ok(logged(qr/^OPTIONS \* HTTP\/1\.1\|200\|https\|TLSv1\.3$/m),
    'OPTIONS *, logged');
is(verdict($t, upgraded($star, port => 8083), 8081),
    '400 certificate_required', 'OPTIONS *, no certificate');

$c = keepalive(8080);
# pause: the octets may come together or apart
$c->send($_), select undef, undef, undef, 0.01
    foreach split /(?<=\A.{3})|(?<=\A.{11})|(?<=\A.{18})/s, $star;
is(status($c->response()), 101, 'OPTIONS *, in pieces');
ok($c->start_tls(), 'OPTIONS *, in pieces, handshake');
is(status($c->response()), 200, 'OPTIONS *, in pieces, answer');

is(status(keepalive($_->[0])->request($_->[1])), 400, "$_->[2]")
    foreach ([ 8080, request('OPTIONS', '*'), 'OPTIONS *, no upgrade' ],
    [ 8084, $star, 'OPTIONS *, upgrade off' ],
    [ 8080, $star =~ s{HTTP/1.1}{HTTP/1.0}r, 'OPTIONS * of HTTP/1.0' ],
    [ 8080, $star =~ s{ \* }{ *x }r, 'OPTIONS *x' ]);

$c = keepalive(8080);
$c->request(request('GET', '/clear'));
is(status($c->request($star)), 400, 'OPTIONS * as the second request');
verdict($t, '', 8081);

is(verdict($t, upgraded(request('OPTIONS', '/', @ask)), 8081),
    '200 upstream', 'OPTIONS /');

# a real client

(undef, $out) = run_command([ 'ipptool', '-E', '-t', '-T', '60',
    'ipp://localhost:' . port(8080) . '/ipp', 'get-printer-attributes.test' ],
    timeout => 120);

is(told(), '/ipp - TLSv1.3', 'CUPS') or diag($out);
verdict($t, '', 8081);

# what comes in the clear behind the request

my $next = request('GET', '/smuggled');

foreach ([ 'GET', request('GET', '/', @ask) ],
    [ 'POST', request('POST', '/', @ask, { body => 'x' }) ],
    [ 'chunked', request('POST', '/', @ask, 'Transfer-Encoding: chunked')
        . $chunked ],
    [ 'OPTIONS *', $star ])
{
    my ($name, $request) = @$_;

    is(keepalive(8080)->request($request . $next), undef,
        "behind $name: closed");

    $c = keepalive(8080);
    is(status($c->request($request)), 101, "behind 101 of $name");
    $c->send($next);
    ok($c->closed(), "behind 101 of $name: closed");
}

is(verdict($t, '', 8081), '0', 'in clear behind, upstream not contacted');
is(scalar log_lines($t, qr/dm_sec: client sent \d+ bytes in the clear behind/,
    4), 4, 'in clear behind, logged');

# clients that go away or stop in the middle

$c = keepalive(8085);
is(status($c->request(request('GET', '/', @ask))), 101, 'no handshake');
ok($c->closed(), 'no handshake: closed after client_header_timeout');

$c = keepalive(8085);
$c->request(request('GET', '/', @ask));
$c->send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
ok($c->closed(), 'half a ClientHello: closed after client_header_timeout');

$c = keepalive(8080);
$c->request(request('GET', '/', @ask));
$c->send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
$c->close();

is(status(ask('/clear')), 200, 'the worker lives');
ok(logged(qr/^GET \/ HTTP\/1\.1\|101\|/m), 'logged as 101');
verdict($t, '', 8081);

# a reload between 101 and the handshake

$c = keepalive(8080);
is(status($c->request(request('GET', '/reload', @ask))), 101, 'reload');
$t->reload();
wait_for(30, sub { log_lines($t, qr/gracefully shutting down/, 0) });
ok($c->start_tls(), 'reload, handshake');
is(verdict($t, $c->response(), 8081), '200 upstream', 'reload, answer');

# what nginx -t finds

my %http = (http => "ssl_certificate $d/rsa.crt; "
    . "ssl_certificate_key $d/rsa.key;");

is(conf_error($t, %http, server => 'dm_sec_profile modern;'
    . ' dm_sec_upgrade on;'), '', 'nginx -t');
like(conf_error($t, server => 'dm_sec_profile modern; dm_sec_upgrade on;'),
    qr/emerg.*"dm_sec_upgrade" needs a certificate/, 'no certificate');
like(conf_error($t, %http, server => 'dm_sec_upgrade required;'),
    qr/emerg.*"dm_sec_upgrade" needs a TLS policy/, 'no policy');
like(conf_error($t, %http, listen => '127.0.0.1:8443 ssl',
    server => 'dm_sec_profile modern; dm_sec_upgrade on;'),
    qr/emerg.*"dm_sec_upgrade" has no effect/, 'no listener in clear');
like(conf_error($t, %http, server => 'dm_sec_upgrade yes;'),
    qr/emerg.*invalid value "yes"/, 'another parameter');
like(conf_error($t, %http, location => 'dm_sec_upgrade on;'),
    qr/emerg.*not allowed here/, 'in a location');

undef $t;

###############################################################################

# the response to a GET in the clear
sub ask {
    my ($uri, @lines) = @_;

    return keepalive(8080)->request(request('GET', $uri, @lines));
}


# a client whose request in the clear was answered 101, inside TLS
sub upgraded_client {
    my ($request, %o) = @_;
    my ($c) = keepalive(delete $o{port} || 8080);

    status($c->request($request)) == 101 && $c->start_tls(%o)
        or diag($c->error());

    return $c;
}


# the response inside TLS
sub upgraded {
    return upgraded_client(@_)->response();
}


sub star_client {
    my ($c) = upgraded_client($star // request('OPTIONS', '*', @ask), @_);

    is(status($c->response()), 200, 'OPTIONS *, answer');

    return $c;
}


# what the upstream was told last: URI, client id, version
sub told {
    my ($request) = (upstream_log($t, 8081))[-1];

    return join ' ', $request->{uri}, map { $request->{fields}{$_}[0] // '-' }
        qw/ dm-client-id x-protocol /;
}


# a line comes after the answer that it is of
sub logged {
    my ($line) = @_;

    return wait_for(30, sub { -s "$d/dm.log"
        && $t->read_file('dm.log') =~ $line });
}
