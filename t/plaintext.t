#!/usr/bin/perl

# Tests for requests without TLS: where a TLS policy or authentication is in
# force they are refused, and never asked for credentials.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ account basic ca cert conf_error denied header https
    keepalive request run_command status store upstream upstream_log /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl http_v2 proxy rewrite access socket_ssl/)
    ->has_daemon('openssl')->has_daemon('curl')->plan(93);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/error.log info;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;

    add_header  X-Result "$dm_sec_result $dm_sec_reason" always;

    # a policy, and what locations make of it

    server {
        listen       127.0.0.1:8080;
        listen       127.0.0.1:8083 http2;
        server_name  localhost;

        dm_sec_profile dm20;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /basic {
            dm_sec_auth basic;
            proxy_pass http://127.0.0.1:8081;
        }

        location /versions {
            dm_sec_profile   off;
            dm_sec_protocols TLSv1.2;
            proxy_pass http://127.0.0.1:8081;
        }

        location /suites {
            dm_sec_profile off;
            dm_sec_ciphers DM-X509;
            proxy_pass http://127.0.0.1:8081;
        }

        location /satisfy {
            dm_sec_auth basic;
            satisfy any;
            allow   all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /try {
            try_files /nonexistent @named;
        }

        location @named {
            proxy_pass http://127.0.0.1:8081;
        }

        location /redirect {
            return 301 https://$host$request_uri;
        }

        location /error {
            error_page 403 /basic;
            proxy_pass http://127.0.0.1:8081;
        }

        location /auth {
            dm_sec_profile off;
            dm_sec_auth    basic;
            proxy_pass http://127.0.0.1:8081;
        }

        location /auth-satisfy {
            dm_sec_profile off;
            dm_sec_auth    basic;
            satisfy any;
            allow   all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /x509 {
            dm_sec_profile off;
            dm_sec_auth    x509;
            proxy_pass http://127.0.0.1:8081;
        }

        location /off {
            dm_sec_profile off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /allowed {
            dm_sec_profile        off;
            dm_sec_auth           basic;
            dm_sec_plaintext_auth on;
            proxy_pass http://127.0.0.1:8081;

            location /allowed/off {
                dm_sec_plaintext_auth off;
                proxy_pass http://127.0.0.1:8081;
            }

            location /allowed/satisfy {
                satisfy any;
                deny    all;
                proxy_pass http://127.0.0.1:8081;
            }
        }
    }

    # beside it, without a policy

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        location / {
            return 301 https://$host$request_uri;
        }

        location /open {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # plain HTTP to a TLS port

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        dm_sec_profile dm20;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /allowed {
            dm_sec_profile        off;
            dm_sec_auth           basic;
            dm_sec_plaintext_auth on;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8444 ssl;
        server_name  localhost;

        dm_sec_profile dm20;
        error_page     497 https://$host$request_uri;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8445 ssl;
        server_name  localhost;

        dm_sec_profile dm20;
        error_page     497 /page;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8446 ssl;
        server_name  localhost;

        dm_sec_profile dm20;
        error_page     497 =200 @page;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location @page {
            dm_sec_auth basic;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8447 ssl;
        server_name  localhost;

        dm_sec_profile dm20;
        error_page     497 =200 @open;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location @open {
            dm_sec_profile off;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8448 ssl;
        server_name  localhost;

        dm_sec_auth basic;
        error_page  497 =200 @auth;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location @auth {
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF

my ($r, $line);

ca($t, 'ca');
cert($t, 'server', ca => 'ca', key => 'rsa:2048');

store($t, realm => 'r');
account($t, 'add', 'IMEI:1', '--name', 'dev', { password => 'secret' });

upstream($t, 8081);

$t->run();

###############################################################################

# a policy is enough to refuse, and there is nothing that a client could add

is(get('/'), '403 plaintext', 'policy');

($line) = (denied($t))[-1];

is_deeply([ @{$line}{qw/ level status method account claimed protocol cipher
    devid /} ], [ 'error', 403, (undef) x 6 ], 'the line in the log');

$r = plain(request('GET', '/'));

is(status($r), 403, 'status');
is(header($r, 'X-Result'), 'denied plaintext', 'result and reason');
is(header($r, 'WWW-Authenticate'), undef, 'no challenge');
is(header($r, 'Upgrade'), undef, 'no upgrade');
verdict($t, '', 8081);

foreach my $header ('X-Forwarded-Proto: https', 'Forwarded: proto=https',
    'X-Forwarded-SSL: on', 'Front-End-Https: on', 'DM-TLS-Protocol: TLSv1.2',
    'Upgrade: TLS/1.2', 'Client-Cert: :AAAA:')
{
    is(get('/', $header), '403 plaintext', $header);
}

foreach my $uri (qw{ /versions /suites /satisfy /try /error /x509
    /auth-satisfy })
{
    is(get($uri), '403 plaintext', $uri);
}

# right credentials are of no use, and are not looked at

foreach my $uri (qw{ / /basic /satisfy /auth /auth-satisfy /allowed/off }) {
    $r = plain(request('GET', $uri, basic('dev', 'secret')));

    is(verdict($t, $r, 8081), '403 plaintext', "$uri, password");
    is(header($r, 'WWW-Authenticate'), undef, "$uri, no challenge");
}

($line) = (denied($t))[-1];

is($line->{claimed}, undef, 'a name that was not looked at');
unlike($t->read_file('error.log'), qr/secret|ZGV2OnNlY3JldA/,
    'no password in the log');

is(get('/auth', 'Authorization: Basic %'), '403 plaintext',
    'comes before malformed');
is(get('/basic', basic('dev', 'wrong')), '403 plaintext', 'wrong password');
is(get('/auth'), '403 plaintext', 'no password');

# methods and forms of a request

is(verdict($t, plain(request('HEAD', '/')), 8081), '403 plaintext', 'HEAD');
is(verdict($t, plain("GET / HTTP/1.0\r\n\r\n"), 8081), '403 plaintext',
    'HTTP/1.0');
is(verdict($t, plain(request('POST', '/', { body => 'x' x 100000 })), 8081),
    '403 plaintext', 'POST');
is(verdict($t, plain(request('POST', '/', 'Expect: 100-continue',
    { body => '' })), 8081), '403 plaintext', 'Expect');
is(verdict($t, plain("POST / HTTP/1.1\r\nHost: a\r\n"
    . "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), 8081),
    '403 plaintext', 'chunked');
is((run_command([ 'curl', '-s', '--http2-prior-knowledge', '-o', '/dev/null',
    '-w', '%{http_version} %{http_code}', 'http://127.0.0.1:' . port(8083)
    . '/' ]))[1], '2 403', 'HTTP/2');
is(verdict($t, '', 8081), '0 plaintext', 'HTTP/2, no upstream');

my $c = keepalive(8080);

is(verdict($t, $c->request(request('GET', '/')), 8081), '403 plaintext',
    'keepalive, refused');
is(verdict($t, $c->request(request('GET', '/off')), 8081), '200 upstream',
    'keepalive, no policy');
is(verdict($t, $c->request(request('GET', '/')), 8081), '403 plaintext',
    'keepalive, refused again');

# where it is allowed

is(get('/allowed'), '401 no_credentials', 'allowed, no password');

$r = plain(request('GET', '/allowed', basic('dev', 'wrong')));

is(verdict($t, $r, 8081), '401 bad_credentials', 'allowed, wrong password');
is(header($r, 'WWW-Authenticate'), 'Basic realm="r", charset="UTF-8"',
    'allowed, challenge');
is(get('/allowed', basic('dev', 'secret')), '200 upstream',
    'allowed, password');

($line) = (upstream_log($t, 8081))[-1];

is($line->{fields}{'dm-client-id'}[0], 'IMEI:1', 'allowed, identity');
is($line->{fields}{'dm-tls-protocol'}, undef, 'allowed, no protocol');
is($line->{fields}{'dm-tls-cipher'}, undef, 'allowed, no suite');

is(get('/allowed/satisfy', basic('dev', 'secret')), '200 upstream',
    'allowed, satisfy any');
is(verdict($t, scalar https(8443, request('GET', '/allowed',
    basic('dev', 'secret'))), 8081), '200 upstream', 'allowed, over TLS');

# servers and locations beside it

$r = plain(request('GET', '/redirect?a'));

is(verdict($t, $r, 8081), '301', 'return');
is(header($r, 'Location'), 'https://localhost/redirect?a', 'return, where to');
is(get('/off'), '200 upstream', 'off');

$r = plain(request('GET', '/a'), 8082);

is(verdict($t, $r, 8081), '301', 'another server, return');
is(header($r, 'Location'), 'https://localhost/a', 'another server, where to');
is(verdict($t, plain(request('GET', '/open', 'DM-Client-ID: IMEI:2',
    'dm_client_id: IMEI:2', basic('dev', 'secret')), 8082), 8081),
    '200 upstream', 'another server, proxied');

($line) = (upstream_log($t, 8081))[-1];

is($line->{fields}{'dm-client-id'}, undef, 'another server, no identity');
is($line->{fields}{dm_client_id}, undef, 'another server, no folded identity');
is($line->{fields}{authorization}[0], 'Basic ZGV2OnNlY3JldA==',
    'another server, its own password');

# plain HTTP to a TLS port

is(get_port(8443, '/'), '400 plaintext', 'TLS port');
is(get_port(8443, '/allowed', basic('dev', 'secret')),
    '400 plaintext', 'TLS port, allowed');

$r = plain(request('GET', '/a'), 8444);

is(verdict($t, $r, 8081), '302', 'error_page 497, redirect');
is(header($r, 'Location'), 'https://localhost/a',
    'error_page 497, where to');
is(get_port(8445, '/', basic('dev', 'secret')), '403 plaintext',
    'error_page 497, a location');
is(get_port(8446, '/', basic('dev', 'secret')), '403 plaintext',
    'error_page 497, a named location');
is(get_port(8448, '/', basic('dev', 'secret')), '403 plaintext',
    'error_page 497, authentication');
is(get_port(8447, '/', 'DM-Client-ID: IMEI:2'), '200 upstream',
    'error_page 497, no policy');

($line) = (upstream_log($t, 8081))[-1];

is($line->{fields}{'dm-client-id'}, undef,
    'error_page 497, no policy, no identity');

# dm_sec_plaintext_auth in the configuration

my $emerg = qr/^\[emerg\] dm_sec: "dm_sec_plaintext_auth on" contradicts the/m;
my $end = qr/ in server "s" in \S+:\d+$/m;

foreach my $policy ('dm_sec_profile dm20;', 'dm_sec_protocols TLSv1.2;',
    'dm_sec_ciphers DM-TLS11;')
{
    my ($name) = $policy =~ /^(\w+)/;

    like(conf(location => "$policy dm_sec_plaintext_auth on;"
        . 'dm_sec_auth basic;'),
        qr/$emerg.*"dm_sec_profile off" in location "\/"$end/,
        "$name in a location");
    like(conf(server => "$policy dm_sec_plaintext_auth on;"
        . 'dm_sec_auth basic;'),
        qr/$emerg.*"dm_sec_profile off"$end/, "$name in a server");
    like(conf(http => $policy, location => 'dm_sec_plaintext_auth on;'
        . 'dm_sec_auth basic;'), $emerg, "$name from above");
    like(conf(http => 'dm_sec_plaintext_auth on;', server => $policy),
        $emerg, "$name below it, without authentication");
}

like(conf(listen => '127.0.0.1:8443 ssl', server => 'dm_sec_profile modern;'
    . 'dm_sec_plaintext_auth on; dm_sec_auth basic;'), $emerg,
    'in a TLS server');
is(conf(http => 'dm_sec_profile modern;', server => 'dm_sec_profile off;'
    . 'dm_sec_plaintext_auth on; dm_sec_auth basic;'), '', 'profile off');
like(conf(server => 'dm_sec_profile modern; dm_sec_plaintext_auth off;'
    . 'dm_sec_auth basic;'),
    qr/\A\[warn\] dm_sec: a TLS policy is in force, and "listen" of .*\n\z/,
    'plaintext_auth off, and nothing but that');
like(conf(server => 'dm_sec_plaintext_auth on; dm_sec_auth x509;'),
    qr/^\[emerg\] dm_sec: "dm_sec_auth x509" needs TLS.*"listen .* ssl"/m,
    'x509 without TLS');
like(conf(server => 'dm_sec_plaintext_auth maybe;'),
    qr/^\[emerg\] invalid value "maybe" in "dm_sec_plaintext_auth"/,
    'a wrong value');
like(conf(server => 'dm_sec_plaintext_auth on; dm_sec_plaintext_auth on;'),
    qr/^\[emerg\] "dm_sec_plaintext_auth" directive is duplicate/, 'twice');
like(conf(location => 'if ($uri) { dm_sec_plaintext_auth on; }'),
    qr/^\[emerg\] "dm_sec_plaintext_auth" directive is not allowed here/,
    'in if');

undef $t;

###############################################################################

sub plain {
    my ($request, $port) = @_;

    return keepalive($port // 8080)->request($request);
}


sub get_port {
    my ($port, $uri, @lines) = @_;

    return verdict($t, plain(request('GET', $uri, @lines), $port), 8081);
}


sub get {
    return get_port(8080, @_);
}


sub conf {
    my (%part) = @_;

    $_ //= '' foreach @part{qw/ http server /};

    $part{http} = <<"EOF" . $part{http};
dm_sec_zone dm_sec:512k;
dm_sec_account_store %%TESTDIR%%/store;
dm_sec_store_key %%TESTDIR%%/store.key;
ssl_certificate server.crt;
ssl_certificate_key server.key;
EOF
    $part{server} = "server_name s; $part{server}";

    return conf_error($t, %part);
}

###############################################################################
