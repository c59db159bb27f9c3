#!/usr/bin/perl

# Tests for Test::DmSec, and for the part of Test::Nginx that is the same in
# both libraries, with nginx alone.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Socket::INET;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_start http_end http_content /;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy rewrite socket_ssl/)
    ->has(qw/sni openssl:1.1.1 unix/)->has_daemon('openssl')->plan(106);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    ssl_certificate      rsa.crt;
    ssl_certificate_key  rsa.key;
    ssl_certificate      ec.crt;
    ssl_certificate_key  ec.key;

    ssl_client_certificate  root.crt;
    ssl_crl                 all.crl;
    ssl_verify_depth        2;
    ssl_protocols           TLSv1.2 TLSv1.3;

    server {
        listen       127.0.0.1:8080;
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        ssl_verify_client optional;

        location / {
            proxy_pass http://127.0.0.1:8081;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }

        location /short {
            return 200 "$ssl_client_verify$ssl_client_s_dn$remote_addr";
        }

        location /empty {
            return 204;
        }

        location /port {
            return 200 %%PORT_8080%%;
        }

        location /chunked {
            ssi on;
            default_type text/html;
            alias %%TESTDIR%%/chunked.html;
        }

        location /401 {
            add_header WWW-Authenticate 'Basic realm="a b"' always;
            add_header WWW-Authenticate 'Digest realm="r", qop="a,b", stale=T'
                always;
            return 401;
        }
    }

    server {
        listen       127.0.0.1:8444 ssl;
        server_name  localhost;
        ssl_session_cache shared:SSL:1m;

        location / {
            return 200 $ssl_session_reused;
        }
    }
}

EOF_CONF

my $d = $t->testdir();

###############################################################################

# certificates

ca($t, 'root');
ca($t, 'inter', issuer => 'root', subject => '/O=Example/CN=inter');
cert($t, 'ec', ca => 'root', subject => '/CN=localhost',
    san => [ 'DNS:localhost', 'URI:urn:uuid:1' ], eku => 'serverAuth');
cert($t, 'rsa', ca => 'root', key => 'rsa:2048');
cert($t, 'rsa1024', ca => 'inter', key => 'rsa:1024');
cert($t, 'client', ca => 'inter', serial => 'ABCD',
    subject => '/O=Example/OU=a/OU=b/CN=client');
cert($t, 'expired', ca => 'inter', not_after => time() - 60);
cert($t, 'revoked', ca => 'inter');

my $text = run('x509', '-text', '-noout', '-in', "$d/ec.crt");

like($text, qr/DNS:localhost, URI:urn:uuid:1/, 'san');
like($text, qr/TLS Web Server Authentication/, 'eku');
like($text, qr/prime256v1/, 'ec key');
like(run('x509', '-text', '-noout', '-in', "$d/rsa.crt"),
    qr/Public-Key: \(2048 bit\)/, 'rsa key');
like(run('x509', '-text', '-noout', '-in', "$d/rsa1024.crt"),
    qr/Public-Key: \(1024 bit\)/, 'short rsa key');

my $info = cert_info($t, 'client');

is($info->{serial}, 'ABCD', 'serial');
is($info->{subject}, 'CN=client,OU=b,OU=a,O=Example', 'subject');
is($info->{issuer}, 'CN=inter,O=Example', 'issuer');
like(run('x509', '-fingerprint', '-sha256', '-noout', '-in', "$d/client.crt"),
    qr/@{[ join ':', unpack '(A2)*', uc $info->{sha256} ]}/, 'sha256');

crl($t, 'root');
crl($t, 'inter', revoked => [ 'revoked', 'FF01' ]);
$t->write_file('all.crl', $t->read_file('root.crl')
    . $t->read_file('inter.crl'));

$text = run('crl', '-text', '-noout', '-in', "$d/inter.crl");

is(() = $text =~ /Serial Number:/g, 2, 'crl size');
like($text, qr/Serial Number: FF01/, 'crl serial');

crl($t, 'root', next_update => time() - 3600);
isnt((run_command([ 'openssl', 'verify', '-crl_check', '-CAfile',
    "$d/root.crt", '-CRLfile', "$d/root.crl", "$d/ec.crt" ]))[0], 0,
    'old crl');

# the configuration

my ($exit, $output) = nginx_t($t);

is($exit, 0, 'nginx -t') or diag($output);
like($output, qr/test is successful/, 'nginx -t output');
ok(!-e "$d/nginx.pid", 'nginx -t leaves no pid file');

is(conf_error($t, server => 'expires 1d;'), '', 'no error');
like(conf_error($t, server => 'bogus on;'),
    qr/^\[emerg\] unknown directive "bogus"/, 'error in server');
like(conf_error($t, location => 'bogus on;'), qr/\[emerg\]/,
    'error in location');
like(conf_error($t, http => 'bogus on;'), qr/\[emerg\]/, 'error in http');
like(conf_error($t, main => 'bogus on;'), qr/\[emerg\]/, 'error in main');
like(conf_error($t, listen => 'bogus:x'), qr/\[emerg\]/, 'error in listen');
like(conf_error($t, server => 'server_name a;', http => 'server {'
    . ' listen 127.0.0.1:8080; server_name a; }'), qr/\[warn\].*"a"/,
    'warning');

###############################################################################

$t->write_file('chunked.html', 'x<!--#echo var="uri" -->y');
chmod 0711, $d;

upstream($t, 8081);

$t->run();

# http

my $r = http_get('/short');

is(status($r), 200, 'http_get');
is(http_content($r), '127.0.0.1', 'content');
like(http_head('/short'), qr/^HTTP.*\r\n\r\n$/s, 'http_head');
is(http_content(http_get('/port')), port(8080), 'port expanded');
isnt(port(8080), port(8081), 'ports differ');
is(port(8080), port(8080), 'port again');

is(status(http_get('/short', PeerAddr => '127.0.0.1:' . port(8080))), 200,
    'PeerAddr');

my $s = http_start("GET /short HTTP/1.0\r\n");
is(status(http("Host: x\r\n\r\n", socket => $s)), 200, 'socket');

$s = http("GET /short HTTP/1.0\r\n\r\n", start => 1);
is(status(http_end($s)), 200, 'start and http_end');

# pause: the body may come at any time
$r = http("POST / HTTP/1.0\r\nContent-Length: 4\r\n\r\n", sleep => 0.1,
    body => 'body');
like($r, qr/^Content-Length: 4\r$/m, 'body');

is(http_get('/', PeerAddr => '127.0.0.1:' . port(8999)), undef,
    'no connection');

is(http_content("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    . "3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n"), 'abc0123456789',
    'dechunked');
is(http_content(undef), undef, 'no content');

# TLS

is(http_content(http_get('/short', SSL => 1)), 'NONE127.0.0.1', 'ssl');
like(http_get('/short', SSL => 1, SSL_cert_file => "$d/client.crt",
    SSL_key_file => "$d/client.key"),
    qr/SUCCESSCN=client,OU=b,OU=a,O=Example/, 'client certificate');
like(http_get('/short', SSL => 1, SSL_cert_file => "$d/expired.crt",
    SSL_key_file => "$d/expired.key"), qr/400 Bad/, 'expired certificate');
like(http_get('/short', SSL => 1, SSL_cert_file => "$d/revoked.crt",
    SSL_key_file => "$d/revoked.key"), qr/400 Bad/, 'revoked certificate');
is(http_get('/short', SSL => 1, SSL_version => 'TLSv1_2',
    SSL_cipher_list => 'NULL'), undef, 'no handshake');

($r, $info) = https(8443, request('GET', '/short'),
    SSL_version => 'TLSv1_2', SSL_cipher_list => 'ECDHE-RSA-AES128-GCM-SHA256',
    SSL_verify_mode => 1, SSL_ca_file => "$d/root.crt",
    SSL_verifycn_scheme => 'none');

is(status($r), 200, 'https');
is($info->{protocol}, 'TLSv1.2', 'https protocol');
is($info->{cipher}, 'ECDHE-RSA-AES128-GCM-SHA256', 'https cipher');
is($info->{error}, '', 'https error');

($r, $info) = https(8443, request('GET', '/'), SSL_version => 'TLSv1_2',
    SSL_cipher_list => 'PSK');

is($r, undef, 'https fails');
isnt($info->{error}, '', 'https failure');

foreach my $version (qw/ TLSv1_2 TLSv1_3 /) {
    my %o = sessions(SSL_version => $version);

    https(8444, request('GET', '/'), %o);
    ($r, $info) = https(8444, request('GET', '/'), %o);

    is(http_content($r), 'r', "$version resumed");
    ok($info->{reused}, "$version resumed at the client");
}

$r = s_client(8443, '-tls1_2', { request => "GET /short HTTP/1.0\r\n\r\n" });

is($r->{protocol}, 'TLSv1.2', 's_client protocol');
like($r->{cipher}, qr/^ECDHE-ECDSA/, 's_client cipher');
is(status($r->{response}), 200, 's_client response');

$r = s_client(8443);

is($r->{exit}, 0, 's_client without a request');
is($r->{protocol}, 'TLSv1.3', 's_client TLS 1.3');

is(s_client(8443, '-tls1_2', '-cipher', 'PSK', '-psk', 'aa')->{protocol},
    undef, 's_client fails');

# the client

my $c = keepalive(8443, SSL => 1);

is(http_content($c->request(request('GET', '/short'))), 'NONE127.0.0.1',
    'keepalive');
is(http_content($c->request(request('GET', '/chunked'))), 'x/chunkedy',
    'keepalive chunked');
is(status($c->request(request('HEAD', '/short'))), 200, 'keepalive HEAD');
is(status($c->request(request('GET', '/empty'))), 204, 'keepalive 204');

$c->send(request('GET', '/short') . request('GET', '/empty'));
is(status($c->response()), 200, 'keepalive pipelined');
is(status($c->response()), 204, 'keepalive pipelined next');

ok(!$c->closed(0.1), 'open');
like($c->request(request('GET', '/short', 'Connection: close')), qr/200 OK/,
    'keepalive last');
ok($c->closed(), 'closed');

$c = keepalive(8080, from => '127.0.0.2', timeout => 1);
is(http_content($c->request(request('GET', '/short'))), '127.0.0.2', 'from');
is($c->request('GET'), undef, 'keepalive timeout');
is($c->error(), 'timeout', 'keepalive error');
$c->close();

$t->run_daemon('openssl', 's_server', '-quiet', '-nocert', '-www', '-psk',
    'aabb', '-psk_identity', 'me', '-accept', port(8082));
$t->waitforsocket('127.0.0.1:' . port(8082));

foreach my $version (qw/ TLSv1_2 TLSv1_3 /) {
    my %o = (SSL_version => $version, SSL_cipher_list => 'PSK');

    is(status(scalar https(8082, "GET / HTTP/1.0\r\n\r\n", %o,
        psk('me', 'aabb'))), 200, "$version psk");
    is(scalar https(8082, "GET / HTTP/1.0\r\n\r\n", %o,
        psk('me', 'aabc')), undef, "$version wrong psk");
}

# the upstream

upstream_clear($t, 8081);

$r = http_content(scalar keepalive(8080)->request(request('POST', '/u?a=b',
    basic('me', 'secret'), 'X: 1', '', undef, 'x: 2', { body => 'abc' })));

like($r, qr{^POST /u\?a=b HTTP/1\.1\r\n}, 'upstream response');
is(upstream_count($t, 8081), 1, 'upstream contacted once');

my ($u) = upstream_log($t, 8081);

is("@{$u}{qw/ method uri version length /}", 'POST /u?a=b 1.1 3',
    'upstream log');
is_deeply($u->{fields}{x}, [ 1, 2 ], 'upstream fields');
is($u->{fields}{authorization}[0], 'Basic bWU6c2VjcmV0', 'upstream basic');
is($u->{sha256},
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    'upstream body');

http_get('/short');
is(upstream_count($t, 8081), 1, 'upstream not contacted');

$c = keepalive(8081);
$r = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\n";
$c->send($r);
is(status(scalar keepalive(8081)->request(request('GET', '/'))), 200,
    'upstream serves others meanwhile');
is(status($c->request("c\r\n0\r\n\r\n")), 200, 'upstream chunked');
is((upstream_log($t, 8081))[-1]{sha256}, $u->{sha256}, 'upstream chunked body');
$c->close();

# headers and Digest, RFC 2617 section 3.5 and RFC 7616 section 3.9.1

my @challenges = challenges(http_get('/401'));

is_deeply(\@challenges, [ { scheme => 'Basic', realm => 'a b' },
    { scheme => 'Digest', realm => 'r', qop => 'a,b', stale => 'T' } ],
    'challenges');

my %o = (user => 'Mufasa', password => 'Circle of Life',
    uri => '/dir/index.html', cnonce => 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusq'
    . 'GemxURZJ');
my %challenge = (realm => 'http-auth@example.org',
    nonce => '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v');

foreach my $vector (
    [ 'MD5', '8ca523f5e9506fed4657c9700eebdbec',
        '9b712497bc9f91499fbcca1dfc5f09a5' ],
    [ 'SHA-256', '753927fa0e85d155564e2e272a28d180'
        . '2ca10daf4496794697cf8db5856cb6c1',
        '86d3b25618d41854ca5039a5d7e53ff6355d5134a9b1fb088a78ac3c462195a0' ],
    [ 'SHA-512-256', '430d05014cecc49cab6fbe03176d41a1'
        . 'da86cbfe24a16580e22aaad928d960d0',
        'c8f9593a4f49b95ce2c483cc3222ecd360a5c6ec52ca24a530b0aac18478de8c' ])
{
    my ($algorithm, $response, $rspauth) = @$vector;
    $challenge{algorithm} = $algorithm;

    like(digest(\%challenge, %o), qr/ response="$response"/, $algorithm);
    is(rspauth(\%challenge, %o), $rspauth, "$algorithm rspauth");
}

$challenge{algorithm} = 'MD5';
like(digest(\%challenge, %o, userhash => 1, set => { nc => 'x' }),
    qr/nc=x, .*userhash=true, username="4238f3a16167373febb9bc4d43db9cc4"/,
    'userhash and set');

like(digest({ realm => 'testrealm@host.com',
    nonce => 'dcd98b7102dd2f0e8b11d0f600bfb0c093' }, %o, cnonce => '0a4f113b',
    password => 'Circle Of Life'),
    qr/"6629fae49393a05397450978507c4ef1"/, 'no algorithm');

# logs

log_line('[error] 1#1: *1 dm_sec: denied reason=group detail=- status=403 '
    . 'method=basic account="a\\"b" claimed="x, client: y" devid="-" '
    . 'protocol=TLSv1.2 cipher=X request=01ef, client: 127.0.0.1, server: a');

is_deeply([ denied($t) ], [ { level => 'error', reason => 'group',
    detail => undef, status => 403, method => 'basic', account => 'a\\"b',
    claimed => 'x, client: y', devid => undef, protocol => 'TLSv1.2',
    cipher => 'X', request => '01ef' } ], 'denied');
is(() = handshake_failures($t, 0), 0, 'no handshake failure');

# processes

my @old = workers($t);

ok(@old, 'workers');
ok(reload_wait($t), 'reload');

my @new = workers($t);

is(@new, @old, 'number of workers');
is((grep { my $pid = $_; grep { $_ == $pid } @old } @new), 0, 'other workers');

my $ctl = master($t);

$t->stop();
ok(!kill(0, $ctl), 'stop');
is(http_get('/'), undef, 'stopped');

$t->run();
is(status(http_get('/')), 200, 'started again');

like($t->dump_config(), qr/# configuration file .*nginx\.conf/, 'dump_config');

# the store's tool, here one that says what it was told

$t->write_file('dm-account', <<'EOF_TOOL');
#!/bin/sh
echo "$@"
[ "$5" = init ] || cat
[ "$5" != del ] || { echo "no such account" >&2; exit 1; }
EOF_TOOL
chmod 0755, "$d/dm-account";

{
    local $ENV{TEST_DM_ACCOUNT} = "$d/dm-account";

    is(store($t, realm => 'r'), "$d/store", 'store');
    is(account($t, 'add', 'ID', { password => 'p q' }),
        "--store $d/store --key $d/store.key add ID --password-file -\np q\n",
        'account');
    is((dm_account($t, 'del', 'ID'))[0], 1, 'dm_account exit');
    ok(!eval { account($t, 'del', 'ID') }, 'account dies');
    like($@, qr/del ID: exit 1: no such account/, 'account says why');
}

undef $t;

###############################################################################

sub run {
    return (run_command([ 'openssl', @_ ]))[1];
}

sub log_line {
    open my $fh, '>>', "$d/error.log" or die "Can't open error.log: $!\n";
    print $fh "@_\n";
}

###############################################################################
