#!/usr/bin/perl

# Tests for dm_sec_upgrade with what nginx itself does around a handshake that
# begins within HTTP: logs, bodies, subrequests, error_page, certificates and
# OCSP, servers that reject handshakes, and the end of a worker.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::SHA qw/ sha256_hex /;
use IO::Socket::INET;
use MIME::Base64 qw/ decode_base64 /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Calls;
use Test::DmSec::Process qw/ slurp /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl proxy rewrite mirror auth_request/)
    ->has(qw/socket_ssl socket_ssl_sni/)->has_daemon('openssl')->plan(76);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_shutdown_timeout 1s;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    log_format  dm '$request|$status|$scheme|$dm_sec_protocol|$ssl_protocol'
                   '|$body_bytes_sent';
    access_log  %%TESTDIR%%/dm.log dm;

    ssl_certificate      rsa.crt;
    ssl_certificate_key  rsa.key;

    ssl_client_certificate  ca.crt;

    dm_sec_profile modern dm20;
    dm_sec_upgrade on;

    server {
        listen       127.0.0.1:8080;
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        client_body_in_file_only on;

        error_page 400 413 421 426 495 496 /error;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /error {
            proxy_pass http://127.0.0.1:8081;
        }

        location /file {
            proxy_set_header X-File $request_body_file;
            proxy_pass http://127.0.0.1:8081;
        }

        location /stream {
            proxy_request_buffering off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /mirror {
            mirror /copy;
            proxy_pass http://127.0.0.1:8081;
        }

        location /copy {
            internal;
            proxy_pass http://127.0.0.1:8081;
        }

        location /request {
            auth_request /auth;
            proxy_pass http://127.0.0.1:8081;
        }

        location /auth {
            internal;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_pass http://127.0.0.1:8081;
        }

        location /named {
            try_files /nothing @named;
        }

        location @named {
            proxy_pass http://127.0.0.1:8081;
        }

        location /scheme {
            return 200 "$scheme $https $ssl_protocol\n";
        }

        location = /status {
            dm_sec_profile off;
            dm_sec_status json;
            allow 127.0.0.1;
            deny all;
        }

        location /big {
            dm_sec_profile off;
            alias %%TESTDIR%%/big;
        }
    }

    # who sends no SNI is in the default server, which refuses handshakes

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        dm_sec_upgrade        off;
        ssl_reject_handshake  on;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  b.example.com;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  never.example.com;

        dm_sec_upgrade        off;
        ssl_reject_handshake  on;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  off.example.com;

        dm_sec_upgrade off;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # a certificate that is found by a variable

    server {
        listen       127.0.0.1:8083;
        server_name  localhost;

        ssl_certificate      %%TESTDIR%%/$cert.crt;
        ssl_certificate_key  %%TESTDIR%%/$cert.key;

        location / {
            return 200 "$cert\n";
        }

        location /deny {
            dm_sec_protocols TLSv1.1;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    map $ssl_server_name $cert {
        default  rsa;
    }

    # OCSP

    server {
        listen       127.0.0.1:8084;
        server_name  localhost;

        ssl_verify_client    on;
        ssl_ocsp             leaf;
        ssl_ocsp_responder   http://127.0.0.1:8085/;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # that waits for nothing but a handshake and what belongs to it
    server {
        listen       127.0.0.1:8086 deferred;
        server_name  localhost;

        ssl_verify_client    on;
        ssl_ocsp             leaf;
        ssl_ocsp_responder   http://127.0.0.1:8085/;

        client_header_timeout 2s;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

my $d = $t->testdir();
my @ask = ('Upgrade: TLS/1.2', 'Connection: Upgrade');

ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'one', ca => 'ca');

$t->write_file('big', 'x' x 8_000_000);

upstream($t, 8081);
$t->run_daemon(\&responder);
$t->waitforsocket('127.0.0.1:' . port(8085))
    or die "Can't start the responder\n";
my $calls = Test::DmSec::Calls->new($t, 'setsockopt');
$calls->run($t);

###############################################################################

my ($c, $r, $n);

# a handshake that fails is no TLS

$c = keepalive(8080);
is(status($c->request(request('GET', '/failed', @ask))), 101, 'failed');
$c->send("no handshake\r\n");
ok($c->closed(), 'failed: closed');
is(logged('/failed'), '101|http|-|-|0', 'failed, logged');
unlike(keepalive(8080)->request(request('GET', '/status')),
    qr/"TLSv1[.0-9]*":[1-9]/, 'failed, counted');

# one that succeeds is, and 101 is not in its length

is(status(upgraded(request('GET', '/', @ask))), 200, 'succeeds');
$r = upgraded(request('GET', '/scheme', @ask));
is($r =~ /\r\n\r\n(.*)/s && $1, "https on TLSv1.3\n", 'variables');
is(logged('/scheme'), '200|https|TLSv1.3|TLSv1.3|' . length $1,
    'succeeds, logged');
like(keepalive(8080)->request(request('GET', '/status')),
    qr/"TLSv1\.3":2/, 'succeeds, counted');
verdict($t, '', 8081);

# bodies

foreach my $uri (qw{ /file /stream /mirror /request /named }) {
    foreach my $body ('small', 'x' x 50_000) {
        upstream_clear($t, 8081);

        is(status(upgraded(request('POST', "$uri/1", @ask,
            { body => $body }))), 200, "$uri");

        my ($told) = grep { $_->{uri} eq "$uri/1" } upstream_log($t, 8081);

        is($told->{sha256}, sha256_hex($body), "$uri, body");

        next unless $uri eq '/file';

        is(-s ($told->{fields}{'x-file'}[0] // ''), length $body,
            "$uri, in a file");
    }
}

like((log_lines($t, qr/a client request body is buffered/))[0] // '',
    qr/\[notice\]/, 'in a file, logged');

# octets behind a body that nginx reads by itself

foreach ([ 'chunked', 'Transfer-Encoding: chunked',
    "5\r\nhello\r\n0\r\n\r\n" ], [ 'length', 'Content-Length: 5', 'hello' ])
{
    my ($name, $header, $body) = @$_;

    $c = keepalive(8080);
    $c->send(request('POST', '/', @ask, $header));
    ok(!$c->closed(0.2), "behind $name, waits");
    $c->send($body . request('GET', '/smuggled'));
    $n = $c->response() ? $c->closed() : 1;
    ok($n, "behind $name, closed");
}

# error_page leads to no upstream in the clear

verdict($t, '', 8081);

is(verdict($t, keepalive(8080)->request(request('GET', '/')), 8081),
    '426 plaintext', 'error_page of 426');
is(verdict($t, keepalive(8080)->request("GET / HTTP/1.1\r\n"
    . "Upgrade: TLS/1.2\r\nConnection: Upgrade\r\n\r\n"), 8081),
    '426 plaintext', 'error_page of 400');
is(verdict($t, keepalive(8080)->request(request('POST', '/', @ask,
    'Content-Length: 9999999')), 8081), '426 plaintext', 'error_page of 413');

# several requests on the way: before and behind

$c = keepalive(8080);
is(length(($c->request(request('GET', '/big')) // '') =~ s/.*?\r\n\r\n//sr),
    8_000_000, 'before');
ok(upgrade($c, request('GET', '/a', @ask)), 'before, upgrade');
is(status($c->response()), 200, 'before, answer');
$c->send(join '', map { request('GET', "/p$_") } 1 .. 3);
is(join(' ', map { status($c->response()) } 1 .. 3), '200 200 200',
    'behind, pipelined');
$c->send(request('GET', '/q', 'X: ' . 'x' x 3000) x 2);
is(join(' ', map { status($c->response()) } 1 .. 2), '200 200',
    'behind, large and pipelined');

# large headers

is(status(upgraded(request('POST', '/l', @ask, 'X: ' . 'x' x 5000,
    { body => 'x=1' }))), 200, 'large headers');

# in the clear, pipelined behind a large response that is not read yet

$c = keepalive(8080);
$c->send(request('GET', '/big') . request('GET', '/a', @ask));
is(length(($c->response() // '') =~ s/.*?\r\n\r\n//sr), 8_000_000,
    'behind a large response');
is(status($c->response()), 101, 'behind a large response, 101');

# Connection: close

$c = keepalive(8080);
ok(upgrade($c, request('GET', '/a', 'Upgrade: TLS/1.2',
    'Connection: close, upgrade')), 'close');
is(status($c->response()), 200, 'close, answer');
ok($c->closed(), 'close, closed');

# servers that reject handshakes

verdict($t, '', 8081);
my $b = { host => 'b.example.com' };

foreach ([ '', '200 upstream' ], [ 'b.example.com', '200 upstream' ]) {
    my ($sni, $verdict) = @$_;

    is(verdict($t, upgraded(request('GET', '/', @ask, $b), port => 8082,
        SSL_hostname => $sni), 8081), $verdict, "reject, SNI '$sni'");
}

foreach my $host ('localhost', 'never.example.com') {
    is(verdict($t, keepalive(8082)->request(request('GET', '/', @ask,
        { host => $host })), 8081), '403 plaintext', "reject, Host $host");

    $c = keepalive(8082);
    is(status($c->request(request('GET', '/', @ask, $b))), 101,
        "reject, SNI $host, 101");
    ok(!$c->start_tls(SSL_hostname => $host), "reject, SNI $host");
}

# SNI leads to no server without upgrade

$c = keepalive(8082);
upgrade($c, request('GET', '/', @ask, $b), SSL_hostname => 'off.example.com');
is(verdict($t, $c->response(), 8081), '421 misdirected', 'SNI of off');
ok($c->closed(), 'SNI of off, closed');

# no SNI, and then the default server

$c = keepalive(8082);
upgrade($c, request('GET', '/', @ask, $b), SSL_hostname => '');
$c->response();
verdict($t, '', 8081);
is(verdict($t, $c->request(request('GET', '/', { host => 'unknown' })), 8081),
    '421 misdirected', 'no SNI, the default server next');

# a certificate by a variable

$r = upgraded(request('GET', '/', @ask), port => 8083);
like($r, qr/\r\n\r\nrsa\n/, 'variable');
upgraded(request('GET', '/deny', @ask), port => 8083);
like((log_lines($t, qr/denied reason=tls_protocol/))[-1] // '',
    qr{request(?:_line)?: "GET /deny HTTP/1.1"},
    'variable, the log knows the request');

# no delay between what is sent inside TLS: from the handshake on the system
# waits for nothing (setsockopt() of IPPROTO_TCP, TCP_NODELAY)

$calls->forget();
$c = keepalive(8080);
upgrade($c, request('GET', '/scheme', @ask));
is(grep({ $_ eq 'setsockopt 6 1' } $calls->made()), 1, 'no delay');
$c->close();

# OCSP

my %cert = (SSL_cert_file => "$d/one.crt", SSL_key_file => "$d/one.key");

verdict($t, '', 8081);
ocsp('V', '');
is(ocsp_get(), '403 plaintext', 'ocsp good');
ocsp('V', 'slow');
is(ocsp_get(), '403 plaintext', 'ocsp good, slowly');
ocsp('R', '');
is(ocsp_get(), '400 certificate_revoked', 'ocsp revoked');
ocsp('R', 'slow');
is(ocsp_get(), '400 certificate_revoked', 'ocsp revoked, slowly');
ocsp('V', 'fail');
is(ocsp_get(), '400 certificate_invalid', 'ocsp fails');
ocsp('V', 'hang');
is(ocsp_get(8086), '0', 'ocsp hangs');

$c = keepalive(8086);
upgrade($c, request('GET', '/', @ask), %cert);
$c->close();
ok(wait_for(30, sub { !connections(8086) }), 'ocsp hangs, client is gone');

$c = keepalive(8086);
upgrade($c, request('GET', '/', @ask), %cert);
$c->send(request('GET', '/'));
ok($c->closed(), 'ocsp hangs, request behind');
is(verdict($t, '', 8081), '0', 'ocsp hangs, upstream not contacted');

# a worker that must end

$c = keepalive(8080);
is(status($c->request(request('GET', '/', @ask))), 101, 'shutdown');
$t->reload();
ok($c->closed(), 'shutdown, worker_shutdown_timeout');

# what nginx -t finds

my %http = (http => "ssl_certificate $d/rsa.crt; "
    . "ssl_certificate_key $d/rsa.key; dm_sec_profile modern;");

like(conf_error($t, %http, server => 'ssl_reject_handshake on;'
    . ' dm_sec_upgrade on;'), qr/emerg.*"ssl_reject_handshake on"/,
    'nginx -t, reject');
is(conf_error($t, http => "$http{http} dm_sec_upgrade on;",
    server => 'ssl_reject_handshake on;'), '', 'nginx -t, reject, inherited');

undef $t;


###############################################################################

# the handshake behind a 101
sub upgrade {
    my ($c, $request, %o) = @_;

    return status($c->request($request)) == 101 && $c->start_tls(%o);
}


# the response inside TLS
sub upgraded {
    my ($request, %o) = @_;
    my ($c) = keepalive(delete $o{port} || 8080);

    upgrade($c, $request, %o) or diag($c->error());

    return $c->response();
}


# what the access log says behind the request line
sub logged {
    my ($uri) = @_;
    my ($line);

    wait_for(30, sub {
        ($line) = $t->read_file('dm.log') =~ m{^GET $uri HTTP/1.1\|(.*)$}m;
    });

    return $line;
}


# those that the server of that port has
sub connections {
    my ($port) = @_;
    my ($local) = sprintf '0100007F:%04X', port($port);

    # neither TIME_WAIT nor LISTEN
    return scalar grep { / $local \S+ 0[1-589B] / }
        split /\n/, slurp('/proc/net/tcp');
}

sub ocsp_get {
    my ($c) = keepalive($_[0] || 8084);

    upgrade($c, request('GET', '/', @ask), %cert) or diag($c->error());

    return verdict($t, $c->response(), 8081);
}


# what the responder says, and how
sub ocsp {
    my ($state, $how) = @_;
    my ($index) = $t->read_file('ca.ca/index.txt');
    my ($serial) = cert_info($t, 'one')->{serial};

    $index =~ s/^V\t(\S+)\t\t$serial\t/R\t$1\t250101000000Z\t$serial\t/m
        if $state eq 'R';

    $t->write_file('ocsp.txt', $index);
    $t->write_file('ocsp.txt.attr', "unique_subject = no\n");
    $t->write_file('ocsp.how', $how);
}


# openssl ocsp behind a loopback address: by itself it listens on all
sub responder {
    my ($listener);
    local $SIG{PIPE} = 'IGNORE';

    $listener = IO::Socket::INET->new(Proto => 'tcp', Listen => 5,
        LocalAddr => '127.0.0.1:' . port(8085), ReuseAddr => 1)
        or die "Can't listen: $!\n";

    my @kept;

    while (my $client = $listener->accept()) {
        my ($line, $how) = (scalar(<$client>) // next,
            $t->read_file('ocsp.how'));

        1 while (<$client> // "\r\n") ne "\r\n";

        push(@kept, $client), next if $how eq 'hang';

        # pause: late, after the client has sent all
        select undef, undef, undef, 0.5 if $how eq 'slow';
        print {$client} $how eq 'fail' ? "HTTP/1.0 500 Error\r\n\r\n"
            : ocsp_response($line);
        close $client;
    }
}


sub ocsp_response {
    my ($line) = @_;

    $line =~ m{^GET /(\S+) } or return "HTTP/1.0 405 Error\r\n\r\n";

    $t->write_file('ocsp.req',
        decode_base64($1 =~ s/%([0-9a-f]{2})/chr hex $1/gier));
    run_command([ 'openssl', 'ocsp', '-index', "$d/ocsp.txt",
        '-CA', "$d/ca.crt", '-rsigner', "$d/ca.crt",
        '-rkey', "$d/ca.key", '-reqin', "$d/ocsp.req",
        '-respout', "$d/ocsp.resp" ]);

    return "HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\n"
        . $t->read_file('ocsp.resp');
}

###############################################################################
