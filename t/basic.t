#!/usr/bin/perl

# Tests for dm_sec_auth basic, dm_sec_realm and dm_sec_plaintext_auth: what
# credentials are right, wrong and malformed, and what becomes of a body.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::SHA qw/ sha256_hex /;
use MIME::Base64 qw/ encode_base64 /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy socket_ssl/)
    ->has_daemon('openssl')->has_daemon('curl')->plan(127);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;
    dm_sec_lockout       off;

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_auth           basic;
        dm_sec_plaintext_auth on;

        client_body_buffer_size     8k;
        large_client_header_buffers 4 32k;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /unbuffered {
            proxy_pass http://127.0.0.1:8081;
            proxy_request_buffering off;
            proxy_http_version 1.1;
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        dm_sec_auth           basic;
        dm_sec_plaintext_auth on;
        dm_sec_realm          "devices of the server";

        location / {
            proxy_pass http://127.0.0.1:8081;

            location /inside {
                proxy_pass http://127.0.0.1:8081;
            }
        }

        location /quotes {
            dm_sec_realm 'say "hi" \\ bye';
            proxy_pass http://127.0.0.1:8081;

            location /quotes/inside {
                proxy_pass http://127.0.0.1:8081;
            }
        }

        location /utf8 {
            dm_sec_realm "Geräte";
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8083;
        server_name  localhost;

        dm_sec_auth basic;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /plaintext {
            dm_sec_plaintext_auth on;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        dm_sec_profile modern;
        dm_sec_auth    basic;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

my $d = $t->testdir();

ca($t, 'root');
cert($t, 'server', ca => 'root');

# the longest that there are: their Base64 is nearly all that is looked at

my $name = 'n' x 255;
my $password = 'p' x 511;

store($t, realm => 'dm realm', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'secret' });
account($t, 'add', 'IMEI:2', '--name', 'bob', { password => 'a:b::' });
account($t, 'add', 'IMEI:3', '--name', 'with space', { password => ' ' });
account($t, 'add', 'IMEI:4', '--name', "j\xc3\xbcrgen",
    { password => "gr\xc3\xbc\xc3\x9fe \xe2\x82\xac" });
account($t, 'add', 'IMEI:5', '--name', 'bare', '--cert', "$d/server.crt");
account($t, 'add', 'IMEI:6', '--name', $name, { password => $password });

upstream($t, 8081);
$t->run();

my $challenge = 'Basic realm="dm realm", charset="UTF-8"';

###############################################################################

# right

my $r = get(basic('alice', 'secret'));
is(verdict($t, $r, 8081), '200 upstream', 'good login');
like($r, qr/^DM-Client-ID: IMEI:1\r$/m, 'id upstream');
like($r, qr/^DM-Auth-Method: basic\r$/m, 'method upstream');
unlike($r, qr/^WWW-Authenticate/mi, 'no challenge');

foreach ([ 'bob', 'a:b::', 2 ], [ 'with space', ' ', 3 ],
    [ "j\xc3\xbcrgen", "gr\xc3\xbc\xc3\x9fe \xe2\x82\xac", 4 ],
    [ $name, $password, 6 ])
{
    my ($user, $pass, $id) = @$_;

    $r = get(basic($user, $pass));
    like($r, qr/^DM-Client-ID: IMEI:$id\r$/m, 'login ' . visible($user));
}

is(verdict($t, $r, 8081), '200' . ' upstream' x 4, 'all went upstream');

$r = get('authorization: bAsIc ' . encode_base64('alice:secret', ''));
is(verdict($t, $r, 8081), '200 upstream', 'scheme in another case');

$r = get('Authorization: Basic ' . encode_base64('alice:secret2', '')
    =~ s/=+$//r);
is(verdict($t, $r, 8081), '401 bad_credentials', 'wrong, without padding');

$r = get('Authorization: Basic  ' . encode_base64('alice:secret', ''));
is(verdict($t, $r, 8081), '200 upstream', 'two spaces');

$r = get('Authorization:Basic ' . encode_base64('alice:secret', '') . ' ');
is(verdict($t, $r, 8081), '200 upstream', 'spaces around the value');

# nothing

foreach ([ '', 'no header' ],
    [ 'Authorization:', 'empty header' ],
    [ 'Authorization: Digest username="alice"', 'Digest' ],
    [ 'Authorization: Bearer YWxpY2U6c2VjcmV0', 'Bearer' ],
    [ 'Authorization: Basics YWxpY2U6c2VjcmV0', 'scheme Basics' ],
    [ 'Authorization: YWxpY2U6c2VjcmV0', 'no scheme' ],
    [ 'Proxy-Authorization: Basic YWxpY2U6c2VjcmV0', 'for a proxy' ])
{
    my ($line, $test) = @$_;

    is(refusal(get($line)), "401 no_credentials: $challenge", $test);
}

foreach my $method (qw/ HEAD POST PUT DELETE OPTIONS PATCH PROPFIND FOO /) {
    is(refusal(send_to(8080, request($method, '/'))),
        "401 no_credentials: $challenge", "method $method");
}

# wrong

foreach ([ 'alice', 'wrong', 'wrong password' ],
    [ 'alice', '', 'empty password' ],
    [ 'alice', 'secre', 'start of the password' ],
    [ 'alice', 'secret ', 'longer password' ],
    [ 'alice', 'Secret', 'password in another case' ],
    [ 'Alice', 'secret', 'name in another case' ],
    [ 'alice ', 'secret', 'longer name' ],
    [ 'alic', 'secret', 'start of the name' ],
    [ 'IMEI', '1:secret', 'id in place of the name' ],
    [ 'IMEI:1', 'secret', 'id with its colon' ],
    [ 'nobody', 'secret', 'unknown name' ],
    [ 'nobody', '', 'unknown name, empty password' ],
    [ 'bare', '', 'account without a password' ],
    [ 'bare', 'secret', 'a password for it' ],
    [ 'bob', 'a', 'password up to its colon' ],
    [ "j\xfcrgen", 'gr', 'name in Latin-1' ],
    [ "j\xc3\xbcrgen", "gr\xfc\xdfe \x80", 'password in Latin-1' ],
    [ "${name}n", 'x', 'name longer than any' ],
    [ $name, "${password}p", 'password longer than any' ])
{
    my ($user, $pass, $test) = @$_;

    is(refusal(get(basic($user, $pass))),
        "401 bad_credentials: $challenge", $test);
}

# malformed: a challenge, but for what could be read in two ways

foreach ([ 'Basic', 'scheme alone' ],
    [ 'Basic =', 'padding alone' ],
    [ 'Basic !!!!', 'no Base64' ],
    [ 'Basic YWxpY2U6cw=', 'padding short' ],
    [ 'Basic YWxpY2U6c2VjcmV0====', 'padding needless' ],
    [ 'Basic YWxpY2U=6c2VjcmV0', 'padding inside' ],
    [ 'Basic YWxpY2U6cx==', 'not canonical, four bits' ],
    [ 'Basic YWxpY2U6c2V=', 'not canonical, two bits' ],
    [ 'Basic YWxpY2U6c2VjcmV0Y', 'one octet too many' ],
    [ 'Basic realm="x"', 'a parameter' ],
    [ 'Basic Oj8_Pj8-', 'Base64 of URLs' ],
    [ "Basic YWxpY2U6c2Vjcm\xc3\xa9", 'UTF-8 in Base64' ],
    [ b64('alice'), 'no colon' ],
    [ b64(':'), 'a colon alone' ],
    [ b64(':secret'), 'empty name' ])
{
    my ($value, $test) = @$_;

    is(refusal(get("Authorization: $value")), "401 malformed: $challenge",
        $test);
}

foreach ([ 'Basic YWxp Y2U6c2VjcmV0', 'space inside' ],
    [ "Basic YWxp\tY2U6c2VjcmV0", 'tab inside' ],
    [ "Basic \tYWxpY2U6c2VjcmV0", 'tab after the space' ],
    [ 'Basic YWxpY2U6c2VjcmV0, Basic YWxpY2U6c2VjcmV0', 'a list' ],
    [ b64("ali\0ce:secret"), 'NUL in the name' ],
    [ b64("alice:secret\0"), 'NUL in the password' ],
    [ b64("alice:secret\n"), 'newline' ],
    [ b64("al\tice:secret"), 'tab in the name' ],
    [ b64("alice:\x7fsecret"), 'DEL' ],
    [ b64("alice:\x1f"), 'unit separator' ],
    [ b64("$name:${password}pp"), 'one octet longer than is looked at' ])
{
    my ($value, $test) = @$_;

    is(refusal(get("Authorization: $value")), '400 malformed', $test);
}

is(refusal(get('Authorization: ' . b64('alice:' . 'p' x 20000))),
    '400 malformed', 'oversized');

# nginx refuses it before any module

is(refusal(get(basic('alice', 'secret'), basic('alice', 'secret'))),
    '400 bad_request', 'two Authorization headers');

# the realm of a server and of a location; passwords do not depend on it

is(refusal(send_to(8082, request('GET', '/'))), '401 no_credentials: '
    . 'Basic realm="devices of the server", charset="UTF-8"', 'realm');
is(refusal(send_to(8082, request('GET', '/inside'))), '401 no_credentials: '
    . 'Basic realm="devices of the server", charset="UTF-8"', 'inherited');
is(refusal(send_to(8082, request('GET', '/quotes'))), '401 no_credentials: '
    . 'Basic realm="say \"hi\" \\\\ bye", charset="UTF-8"', 'quotes');
is(refusal(send_to(8082, request('GET', '/quotes/inside'))),
    '401 no_credentials: Basic realm="say \"hi\" \\\\ bye", charset="UTF-8"',
    'quotes inherited');
is(refusal(send_to(8082, request('GET', '/utf8'))), '401 no_credentials: '
    . 'Basic realm="Geräte", charset="UTF-8"', 'UTF-8');

$r = send_to(8082, request('GET', '/quotes', basic('alice', 'secret')));
is(verdict($t, $r, 8081), '200 upstream', 'login, another realm');

# without TLS only where that is allowed; over TLS

is(refusal(send_to(8083, request('GET', '/', basic('alice', 'secret')))),
    '403 plaintext', 'plaintext');
is(refusal(send_to(8083, request('GET', '/'))), '403 plaintext',
    'plaintext, never a challenge');

$r = send_to(8083, request('GET', '/plaintext', basic('alice', 'secret')));
is(verdict($t, $r, 8081), '200 upstream', 'plaintext allowed');

$r = https(8443, request('GET', '/', basic('alice', 'secret')));
is(verdict($t, $r, 8081), '200 upstream', 'over TLS');

is(refusal(scalar https(8443, request('GET', '/'))),
    "401 no_credentials: $challenge", 'over TLS, no header');

is(curl('-u', 'alice:secret'), 200, 'curl');
is(curl('-u', 'alice:wrong'), 401, 'curl, wrong password');
verdict($t, '', 8081);
is(curl('-u', 'alice:secret', '--anyauth'), 200, 'curl after a challenge');
is(verdict($t, '', 8081), '0 no_credentials upstream', 'it was asked first');

# one connection, several accounts: nothing stays of the request before

my $c = keepalive(8080);

foreach ([ basic('alice', 'secret'), '200 upstream', 1 ],
    [ '', '401 no_credentials' ],
    [ basic('bob', 'a:b::'), '200 upstream', 2 ],
    [ basic('bob', 'wrong'), '401 bad_credentials' ],
    [ 'Authorization: Basic', '401 malformed' ],
    [ 'Authorization: Basic x,y', '400 malformed' ],
    [ basic('alice', 'secret'), '200 upstream', 1 ])
{
    my ($line, $verdict, $id) = @$_;

    $r = $c->request(request('GET', '/', $line));
    is(verdict($t, $r, 8081), $verdict, 'one connection')
        or diag($c->error());

    # 400 closes it
    $c = keepalive(8080) if status($r) == 400;

    next unless $id;
    like($r, qr/^DM-Client-ID: IMEI:$id\r$/m, "one connection, id $id");
}

# pipelined; and HTTP/0.9, where there are no headers at all

$c = keepalive(8080);
$c->send(join '', map { request('GET', '/', $_) } basic('bob', 'wrong'),
    basic('bob', 'a:b::'), '', basic('alice', 'secret'));
is(join(', ', map { status($c->response()) } 1 .. 4), '401, 200, 401, 200',
    'pipelined');
verdict($t, '', 8081);

like(http("GET /\r\n"), qr/<h1>401 /, 'HTTP/0.9');
is(verdict($t, '', 8081), '0 no_credentials', 'HTTP/0.9 verdict');

# the body: in memory, spooled, chunked, empty

upstream_clear($t, 8081);

my $body = join '', map { chr(($_ * 7 + ($_ >> 8)) % 256) } 1 .. 300000;

foreach ([ 'small', substr $body, 0, 999 ], [ 'spooled', $body ],
    [ 'empty', '' ], [ 'NUL', "\0" x 17 ])
{
    my ($test, $content) = @$_;

    foreach my $uri (qw{ / /unbuffered }) {
        send_to(8080, request('POST', $uri, basic('alice', 'secret'),
            { body => $content }));
        is(received(), sha256_hex($content), "body $test $uri");

        send_to(8080, request('POST', $uri, basic('alice', 'secret'),
            'Transfer-Encoding: chunked') . chunked($content));
        is(received(), sha256_hex($content), "body $test chunked $uri");
    }
}

# a refused one leaves the connection in order

$c = keepalive(8080);

foreach my $raw (
    request('POST', '/', basic('alice', 'wrong'), { body => $body }),
    request('POST', '/', { body => 'GET / HTTP/1.1' }),
    request('POST', '/', 'Transfer-Encoding: chunked') . chunked($body),
    request('PUT', '/unbuffered', basic('x', 'y'), { body => $body }))
{
    like(refusal($c->request($raw)), qr/^401 \w+_credentials: Basic/,
        'refused with a body');

    $r = $c->request(request('GET', '/', basic('bob', 'a:b::')));
    is(verdict($t, $r, 8081), '200 upstream', 'the next on that connection')
        or diag($c->error());
}

undef $t;

###############################################################################

sub get {
    return send_to(8080, request('GET', '/', @_));
}

sub send_to {
    my ($port, $raw) = @_;

    return scalar keepalive($port)->request($raw);
}

# the verdict, and the challenges
sub refusal {
    my ($response) = @_;

    return join ': ', verdict($t, $response, 8081),
        header($response, 'WWW-Authenticate');
}

sub b64 {
    return 'Basic ' . encode_base64($_[0], '');
}

# a name for a check
sub visible {
    my ($text) = @_;

    return substr $text =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger, 0, 30;
}

sub curl {
    my (@args) = @_;

    return (run_command([ 'curl', '-sk', '-o', '/dev/null', '-w',
        '%{http_code}', @args, 'https://127.0.0.1:' . port(8443) . '/' ]))[1];
}

sub chunked {
    my ($content) = @_;

    return join '', map({ sprintf "%x\r\n%s\r\n", length, $_ }
        $content =~ /.{1,50000}/gs), "0\r\n\r\n";
}

# the digest of the body that arrived, of one request
sub received {
    my (@requests) = upstream_log($t, 8081);

    upstream_clear($t, 8081);

    return join ' ', map { $_->{sha256} } @requests;
}

###############################################################################
