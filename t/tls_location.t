#!/usr/bin/perl

# Tests for the TLS policy of locations: every request is checked against
# its location, with what was really negotiated.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Select;
use IO::Socket::INET;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ ca cert denied header https keepalive reload_wait
    run_command s_client sessions status upstream upstream_clear upstream_log /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl http_v2 proxy rewrite access socket_ssl/)
    ->has_daemon('openssl')->has_daemon('curl')->plan(128);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/error.log info;

    ssl_certificate      rsa.crt;
    ssl_certificate_key  rsa.key;
    ssl_certificate      ec.crt;
    ssl_certificate_key  ec.key;

    dm_sec_profile modern dm20;

    add_header X-TLS    "$dm_sec_protocol $dm_sec_cipher" always;
    add_header X-Result "$dm_sec_result $dm_sec_reason" always;

    server {
        listen       127.0.0.1:8443 ssl;
        listen       127.0.0.1:8444 ssl http2;
        server_name  localhost;

        ssl_session_cache    shared:SSL:1m;
        ssl_session_tickets  on;
        ssl_early_data       on;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /tls12 {
            dm_sec_protocols TLSv1.2;
            proxy_pass http://127.0.0.1:8081;

            location /tls12/nearest {
                dm_sec_protocols TLSv1.1;
                proxy_pass http://127.0.0.1:8081;
            }

            location /tls12/profile {
                dm_sec_profile dm20;
                proxy_pass http://127.0.0.1:8081;
            }

            location /tls12/suites {
                dm_sec_ciphers AES128-SHA;
                proxy_pass http://127.0.0.1:8081;
            }

            location /tls12/off {
                dm_sec_protocols off;
                proxy_pass http://127.0.0.1:8081;
            }

            location /tls12/inherits {
                proxy_pass http://127.0.0.1:8081;
            }
        }

        location /tls13 {
            dm_sec_protocols TLSv1.3;
            proxy_pass http://127.0.0.1:8081;
        }

        location /x509 {
            dm_sec_ciphers DM-X509;
            proxy_pass http://127.0.0.1:8081;
        }

        location /suite {
            dm_sec_ciphers SSL_RSA_WITH_AES_128_CBC_SHA AES128-GCM-SHA256
                           TLS_CHACHA20_POLY1305_SHA256;
            proxy_pass http://127.0.0.1:8081;
        }

        location /profile {
            dm_sec_profile dm20;
            proxy_pass http://127.0.0.1:8081;
        }

        location /both {
            dm_sec_profile   dm20;
            dm_sec_protocols TLSv1.2;
            dm_sec_ciphers   DM-TLS11;
            proxy_pass http://127.0.0.1:8081;
        }

        location /off {
            dm_sec_profile off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /off-but {
            dm_sec_profile   off;
            dm_sec_protocols TLSv1.2;
            proxy_pass http://127.0.0.1:8081;
        }

        # every way into a location

        location = /exact {
            dm_sec_protocols TLSv1.2;
            proxy_pass http://127.0.0.1:8081;
        }

        location ~ ^/regex/(\d+) {
            dm_sec_protocols TLSv1.2;
            proxy_pass http://127.0.0.1:8081/regex/$1;
        }

        location /if {
            dm_sec_protocols TLSv1.2;

            if ($arg_a) {
                proxy_pass http://127.0.0.1:8081;
            }
        }

        location /limit {
            dm_sec_protocols TLSv1.2;
            proxy_pass http://127.0.0.1:8081;

            limit_except GET {
                allow all;
            }
        }

        location /satisfy {
            dm_sec_protocols TLSv1.2;
            satisfy any;
            allow   all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /rewrite/ {
            rewrite ^/rewrite(/.*) $1 last;
        }

        location /try {
            try_files /nonexistent @tls12;
        }

        location @tls12 {
            dm_sec_protocols TLSv1.2;
            proxy_pass http://127.0.0.1:8081;
        }

        location /accel {
            proxy_pass http://127.0.0.1:8082;
        }

        location /internal {
            internal;
            dm_sec_protocols TLSv1.2;
            proxy_pass http://127.0.0.1:8081;
        }

        # what an error page may not open

        location /error/same {
            dm_sec_protocols TLSv1.2;
            error_page 403 /tls12/inherits;
            proxy_pass http://127.0.0.1:8081;
        }

        location /error/named {
            dm_sec_protocols TLSv1.2;
            error_page 403 = @tls12;
            proxy_pass http://127.0.0.1:8081;
        }

        location /error/recursive {
            dm_sec_protocols TLSv1.2;
            recursive_error_pages on;
            error_page 403 /error/named;
            proxy_pass http://127.0.0.1:8081;
        }

        location /error/other {
            dm_sec_protocols TLSv1.2;
            error_page 403 /page;
            proxy_pass http://127.0.0.1:8081;
        }

        location /error/200 {
            dm_sec_protocols TLSv1.2;
            error_page 403 =200 /page;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /page {
            proxy_pass http://127.0.0.1:8083;
        }
    }

    server {
        listen       127.0.0.1:8445 ssl;
        server_name  cache;

        ssl_session_cache    shared:cache:1m;
        ssl_session_tickets  off;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /tls12 {
            dm_sec_protocols TLSv1.2;
            proxy_pass http://127.0.0.1:8081;
        }

        location /x509 {
            dm_sec_ciphers DM-X509;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # the server's level beats that of http

    server {
        listen       127.0.0.1:8446 ssl;
        server_name  server;

        dm_sec_profile dm20;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /suites {
            dm_sec_ciphers DM-TLS11;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # nothing at the server's level: nginx's own directives

    server {
        listen       127.0.0.1:8447 ssl;
        server_name  off;

        dm_sec_profile off;

        ssl_protocols  TLSv1.2 TLSv1.3;
        ssl_ciphers    ECDHE-ECDSA-AES256-SHA:AES128-SHA;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /tls12 {
            dm_sec_protocols TLSv1.2;
            dm_sec_ciphers   AES128-SHA;
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF

my $d = $t->testdir();
my ($denied, $info) = (0);

ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'ec', ca => 'ca');

upstream($t, 8081);
upstream($t, 8082, respond => sub { "HTTP/1.1 200 OK\r\n"
    . "X-Accel-Redirect: /internal\r\nContent-Length: 0\r\n\r\n" });
upstream($t, 8083);

$t->run();

###############################################################################

# two locations

is(get('/', 'TLSv1_1'), '200 - 8081', 'server over TLS 1.1');
is(get('/tls12', 'TLSv1_1'), '403 tls_protocol', 'TLSv1.2 over TLS 1.1');
is(get('/tls12', 'TLSv1'), '403 tls_protocol', 'TLSv1.2 over TLS 1.0');
is(get('/tls12', 'TLSv1_2'), '200 - 8081', 'TLSv1.2 over TLS 1.2');
is(get('/tls12', 'TLSv1_3'), '403 tls_protocol', 'TLSv1.2 over TLS 1.3');
is(get('/tls13', 'TLSv1_2'), '403 tls_protocol', 'TLSv1.3 over TLS 1.2');
is(get('/tls13', 'TLSv1_3'), '200 - 8081', 'TLSv1.3 over TLS 1.3');

get('/tls12', 'TLSv1_1', 'AES128-SHA');
my ($line) = (denied($t))[-1];

is_deeply([ @{$line}{qw/ level status method account protocol cipher /} ],
    [ 'error', 403, undef, undef, 'TLSv1.1', 'TLS_RSA_WITH_AES_128_CBC_SHA' ],
    'the line in the log');

my $r = https(8443, "GET /tls12 HTTP/1.0\r\n\r\n", client('TLSv1_1'));

is(header($r, 'X-TLS'), 'TLSv1.1 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA',
    'facts on a refused request');
is(header($r, 'X-Result'), 'denied tls_protocol', 'result and reason');
is(header($r, 'WWW-Authenticate'), undef, 'no challenge');
is(status($r), 403, 'refused');

$r = https(8443, "GET /off HTTP/1.0\r\n\r\n", client('TLSv1_3'));
is(header($r, 'X-TLS'), 'TLSv1.3 TLS_AES_128_GCM_SHA256',
    'facts where there is no policy');
outcome($r);

# suites

is(get('/x509', 'TLSv1_2', 'AES128-GCM-SHA256'), '200 - 8081', 'DM-X509');
is(get('/x509', 'TLSv1_2', 'AES128-SHA'), '403 tls_cipher',
    'DM-X509 with another suite');
is(get('/x509', 'TLSv1_1'), '403 tls_cipher', 'DM-X509 over TLS 1.1');
is(get('/x509', 'TLSv1_3'), '403 tls_cipher', 'DM-X509 over TLS 1.3');
is(get('/suite', 'TLSv1_1', 'AES128-SHA'), '200 - 8081', 'suite TLS 1.1');
is(get('/suite', 'TLSv1_2', 'AES128-SHA'), '200 - 8081', 'suite TLS 1.2');
is(get('/suite', 'TLSv1_2', 'AES128-SHA256'), '403 tls_cipher',
    'another suite');
is(get('/suite', 'TLSv1_3'), '403 tls_cipher', 'another TLS 1.3 suite');

# protocol comes before suite

is(get('/both', 'TLSv1_1', 'AES128-SHA'), '403 tls_protocol',
    'lists before the profile: version');
is(get('/both', 'TLSv1_2', 'AES128-SHA'), '200 - 8081',
    'lists before the profile');
is(get('/both', 'TLSv1_2', 'AES128-SHA256'), '403 tls_cipher',
    'lists before the profile: suite');
is(get('/both', 'TLSv1_3'), '403 tls_protocol', 'version before suite');

# inheritance

is(get('/tls12/inherits', 'TLSv1_1'), '403 tls_protocol', 'inherited');
is(get('/tls12/inherits', 'TLSv1_2'), '200 - 8081', 'inherited, allowed');
is(get('/tls12/nearest', 'TLSv1_1'), '200 - 8081', 'nearest');
is(get('/tls12/nearest', 'TLSv1_2'), '403 tls_protocol', 'nearest refuses');
is(get('/tls12/profile', 'TLSv1_1'), '200 - 8081',
    'nearest profile beats a list above');
is(get('/tls12/profile', 'TLSv1_2', 'ECDHE-RSA-AES256-GCM-SHA384'),
    '403 tls_cipher', 'nearest profile brings its suites');
is(get('/tls12/suites', 'TLSv1_2', 'AES128-SHA'), '200 - 8081',
    'suites here, versions from above');
is(get('/tls12/suites', 'TLSv1_1', 'AES128-SHA'), '403 tls_protocol',
    'versions from above');
is(get('/tls12/suites', 'TLSv1_2', 'AES128-SHA256'), '403 tls_cipher',
    'suites here');
is(get('/tls12/off', 'TLSv1_1'), '200 - 8081', 'protocols off');
is(get('/profile', 'TLSv1_1'), '200 - 8081', 'profile');
is(get('/profile', 'TLSv1_3'), '403 tls_protocol', 'profile version');
is(get('/profile', 'TLSv1_2', 'ECDHE-RSA-AES128-GCM-SHA256'),
    '403 tls_cipher', 'profile suite');
is(get('/off', 'TLSv1_3'), '200 - 8081', 'off');
is(get('/off-but', 'TLSv1_1'), '403 tls_protocol', 'off, but versions');
is(get('/off-but', 'TLSv1_2', 'ECDHE-RSA-AES256-GCM-SHA384'), '200 - 8081',
    'off, but versions: any suite');

is(get('/', 'TLSv1_1', undef, port => 8446), '200 - 8081', 'server level');
is(get('/', 'TLSv1_3', undef, port => 8446), 'none', 'server beats http');
is(get('/suites', 'TLSv1_2', 'AES128-SHA', port => 8446), '200 - 8081',
    'location in server');
is(get('/suites', 'TLSv1_2', 'AES128-SHA256', port => 8446),
    '403 tls_cipher', 'location beats server');

is(get('/', 'TLSv1_3', undef, port => 8447), '200 - 8081', 'server off');
is(get('/', 'TLSv1_2', 'ECDHE-ECDSA-AES256-SHA', port => 8447),
    '200 - 8081', 'server off: ssl_ciphers');
is(get('/tls12', 'TLSv1_2', 'AES128-SHA', port => 8447), '200 - 8081',
    'server off, location');
is(get('/tls12', 'TLSv1_2', 'ECDHE-ECDSA-AES256-SHA', port => 8447),
    '403 tls_cipher', 'server off, location refuses a suite');
is(get('/tls12', 'TLSv1_3', undef, port => 8447), '403 tls_protocol',
    'server off, location refuses a version');

# every way into a location

foreach my $uri (qw{ /exact /regex/1 /if?a=1 /if /limit /satisfy
    /rewrite/tls12 /rewrite/tls12/inherits /try })
{
    is(get($uri, 'TLSv1_1'), '403 tls_protocol', "$uri over TLS 1.1");
}

foreach my $uri (qw{ /exact /regex/1 /if?a=1 /limit /satisfy
    /rewrite/tls12 /try })
{
    is(get($uri, 'TLSv1_2'), '200 - 8081', "$uri over TLS 1.2");
}

is(get('/limit', 'TLSv1_1', undef, method => 'PUT'), '403 tls_protocol',
    'limit_except over TLS 1.1');
is(get('/accel', 'TLSv1_1'), '403 tls_protocol 8082',
    'X-Accel-Redirect over TLS 1.1');
is(get('/accel', 'TLSv1_2'), '200 - 8082 8081',
    'X-Accel-Redirect over TLS 1.2');

# error pages: one refusal, one line

is(get('/error/same', 'TLSv1_1'), '403 tls_protocol', 'error_page');
is(get('/error/named', 'TLSv1_1'), '403 tls_protocol', 'error_page, named');
is(get('/error/recursive', 'TLSv1_1'), '403 tls_protocol',
    'error_page, recursive');
is(get('/error/other', 'TLSv1_1'), '403 tls_protocol 8083',
    'error_page of another upstream');
is(get('/error/200', 'TLSv1_1'), '200 tls_protocol 8083',
    'error_page with another status');
is(get('/error/other', 'TLSv1_2'), '200 - 8081', 'error_page not used');

# one connection through several locations

my $c = keepalive(8443, SSL => 1, client('TLSv1_1'));

foreach my $case ([ '/', '200 - 8081' ], [ '/tls12', '403 tls_protocol' ],
    [ '/', '200 - 8081' ], [ '/x509', '403 tls_cipher' ],
    [ '/profile', '200 - 8081' ])
{
    is(outcome($c->request("GET $case->[0] HTTP/1.1\r\nHost: a\r\n\r\n")),
        $case->[1], "keepalive $case->[0]");
}

$c->send("GET /tls12 HTTP/1.1\r\nHost: a\r\n\r\n"
    . "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
is(join(' ', map { status($c->response()) } 1, 2), '403 200', 'pipelined');
is(outcome('HTTP/1.1 000 '), '000 tls_protocol 8081', 'pipelined, upstream');

$c->send("POST /tls12 HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\n"
    . "GET /off HTTP/1.1\r\nHost: a\r\n"
    . "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
is(join(' ', map { status($c->response()) } 1, 2), '403 200', 'with a body');
is(outcome('HTTP/1.1 000 '), '000 tls_protocol 8081', 'body, upstream');

# resumed sessions

foreach my $port (8443, 8445) {
    my $kind = $port == 8443 ? 'ticket' : 'cache';

    foreach my $case ([ 'TLSv1_1', '/tls12', '403 tls_protocol' ],
        [ 'TLSv1_2', '/tls12', '200 - 8081' ],
        [ 'TLSv1_2', '/x509', '403 tls_cipher', 'AES128-SHA' ],
        [ 'TLSv1_3', '/tls12', '403 tls_protocol' ],
        [ 'TLSv1_3', '/x509', '403 tls_cipher' ])
    {
        my ($version, $uri, $expected, $suite) = @$case;
        my %o = sessions(client($version, $suite));
        my $name = "$kind $version $uri";

        is(get('/', undef, undef, port => $port, %o), '200 - 8081',
            "$name, first");
        is(get($uri, undef, undef, port => $port, %o), $expected, $name);
        ok($info->{reused}, "$name, resumed");
    }
}

# HTTP/2: streams of one connection

is(curl('/', '/tls13', '/'), '2 200 1 2 403 0 2 200 0',
    'HTTP/2 over TLS 1.2');
is(outcome('HTTP/1.1 000 '), '000 tls_protocol 8081 8081',
    'HTTP/2, upstream');
is(curl('/suite', '/tls12'), '2 403 1 2 200 0', 'HTTP/2, suite');
is(outcome('HTTP/1.1 000 '), '000 tls_cipher 8081', 'HTTP/2, suite, upstream');

# early data

my $listener = IO::Socket::INET->new(Listen => 5, ReuseAddr => 1,
    LocalAddr => '127.0.0.1:' . port(8450))
    or die "Can't listen: $!\n";

$t->run_daemon(\&hold, $listener);

is(early('/off'), '200 accepted', 'early data where there is no policy');
is(outcome('HTTP/1.1 000 '), '000 - 8081', 'early data, upstream');
is(early('/'), '425 accepted', 'early data');
is(outcome('HTTP/1.1 000 '), '000 early_data', 'early data, no upstream');
is(early('/tls12'), '425 accepted', 'early data comes before the version');
is(outcome('HTTP/1.1 000 '), '000 early_data', 'early data, reason');

like(early_response('/'), qr{^HTTP/1.1 425 Too Early\r$}m,
    'early data, status line');
$denied = denied($t, 0);

# after a reload

ok(reload_wait($t), 'reload');
is(get('/tls12', 'TLSv1_1'), '403 tls_protocol', 'refused after a reload');
is(get('/tls12', 'TLSv1_2'), '200 - 8081', 'allowed after a reload');

undef $t;

###############################################################################

# a client of one version that may do whatever level 0 may
sub client {
    my ($version, $list) = @_;

    return (SSL_version => $version,
        SSL_cipher_list => ($list // 'ALL') . ':@SECLEVEL=0');
}


# the outcome() of one request on a connection of its own
sub get {
    my ($uri, $version, $list, %o) = @_;
    my ($port) = delete $o{port} // 8443;
    my ($method) = delete $o{method} // 'GET';
    my ($r);

    %o = client($version, $list) if $version;

    ($r, $info) = https($port,
        "$method $uri HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
        . "Connection: close\r\n\r\n", %o);

    return outcome($r);
}


# "STATUS REASON PORT...": of the response, what was logged since the last
# call, and which upstreams were contacted; "none" without a response
sub outcome {
    my ($r) = @_;
    my (@lines, @reasons, @ports);

    @lines = denied($t, 0);
    @reasons = map { $_->{reason} } @lines[$denied .. $#lines];
    $denied = @lines;

    foreach my $port (8082, 8081, 8083) {
        push @ports, map { $port } upstream_log($t, $port);
        upstream_clear($t, $port);
    }

    return join ' ', 'none', @reasons, @ports unless defined $r;

    return join ' ', $r =~ m{^HTTP/1\.\d (\d+) }, @reasons ? @reasons : '-',
        @ports;
}


# "VERSION STATUS CONNECTIONS ...", for each location
sub curl {
    my (@uris) = @_;

    return (run_command([ 'curl', '-sk', '--http2', '--tls-max', '1.2',
        '-w', '%{http_version} %{http_code} %{num_connects} ',
        map { ('-o', '/dev/null', "https://127.0.0.1:" . port(8444) . $_) }
        @uris ]))[1] =~ s/ $//r;
}


# "STATUS accepted" or "STATUS rejected"
sub early {
    my ($uri) = @_;

    return early_response($uri) =~ m{Early data was (\w+).*^HTTP/1\.\d (\d+)}ms
        ? "$2 $1" : 'no early data';
}


# all that s_client says about a request in early data
sub early_response {
    my ($uri) = @_;
    my ($request) = "GET $uri HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\n\r\n";

    $t->write_file('early', $request);

    unlink "$d/session";
    s_client(8443, '-tls1_3', '-sess_out', "$d/session",
        { request => "GET /off HTTP/1.0\r\n\r\n" });
    upstream_clear($t, 8081);

    return s_client(8450, '-tls1_3', '-sess_in', "$d/session",
        '-early_data', "$d/early", { request => '' })->{output};
}


# Between a client and nginx: where the client's Finished comes with its early
# data, they are nothing special, so it is held back until there is an answer.
sub hold {
    my ($listener) = @_;

    local $SIG{PIPE} = 'IGNORE';

    while (my $client = $listener->accept()) {
        my $server = IO::Socket::INET->new('127.0.0.1:' . port(8443))
            or die "Can't connect: $!\n";
        my $select = IO::Select->new($client, $server);
        my $lines = denied($t, 0);
        my ($held, $sent) = ('', 0);

        while ($select->exists($client)) {
            foreach my $fh ($select->can_read(0.02)) {
                if (!sysread $fh, my $octets, 65536) {
                    $select->remove($fh);
                    $client->shutdown(1);
                } elsif ($fh == $server) {
                    $client->syswrite($octets);
                } else {
                    $held .= $octets;
                }
            }

            next unless $sent ? denied($t, 0) > $lines || upstream_log($t, 8081)
                : has_data($held);

            $server->syswrite($held);
            ($held, $sent) = ('', 1);
        }
    }
}


# whether there is a whole record of application data
sub has_data {
    my ($octets) = @_;

    while (length $octets > 5) {
        my ($type, $length) = unpack 'C x2 n', $octets;

        return 0 if length $octets < 5 + $length;
        return 1 if $type == 23;
        substr $octets, 0, 5 + $length, '';
    }

    return 0;
}

###############################################################################
