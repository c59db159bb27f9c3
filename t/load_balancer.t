#!/usr/bin/perl

# Tests for conf-examples/behind-load-balancer.conf with HAProxy before it,
# which terminates TLS, or passes it through, and sends PROXY protocol.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ example /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http http_ssl http_realip proxy /)
    ->has(qw/ socket_ssl /)->has_daemon('openssl')->has_daemon('haproxy')
    ->plan(20);

my $d = $t->testdir();

ca($t, 'client-ca');
cert($t, 'server-rsa', ca => 'client-ca', key => 'rsa:2048');
cert($t, 'server-ecdsa', ca => 'client-ca');
cert($t, 'device', ca => 'client-ca');

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'one', '--cert', "$d/device.crt",
    { password => 'secret' });

$t->write_file('balancer.pem', $t->read_file('server-rsa.crt')
    . $t->read_file('server-rsa.key'));
$t->write_file_expand('haproxy.cfg', <<'EOF_CFG');
global
    maxconn 100

defaults
    timeout connect 60s
    timeout client  60s
    timeout server  60s

listen terminates
    mode http
    bind 127.0.0.1:%%PORT_8001%% ssl crt %%TESTDIR%%/balancer.pem
    server dm 127.0.0.1:%%PORT_8000%% send-proxy-v2 check check-send-proxy

listen terminates-v1
    mode http
    bind 127.0.0.1:%%PORT_8002%% ssl crt %%TESTDIR%%/balancer.pem
    server dm 127.0.0.1:%%PORT_8000%% send-proxy

listen passes
    mode tcp
    bind 127.0.0.1:%%PORT_8003%%
    server dm 127.0.0.1:%%PORT_8443%% send-proxy-v2 check check-send-proxy

listen forgets
    mode tcp
    bind 127.0.0.1:%%PORT_8004%%
    server dm 127.0.0.1:%%PORT_8443%%
EOF_CFG

$t->write_file_expand('nginx.conf',
    example($t, 'behind-load-balancer.conf') =~ s{proxy_pass http}
        {proxy_set_header X-Address \$remote_addr; $&}gr);

upstream($t, 8090);

$t->run();
$t->run_daemon('haproxy', '-q', '-db', '-f', "$d/haproxy.cfg");
$t->waitforsocket('127.0.0.1:' . port($_)) or die "Can't start haproxy\n"
    foreach 8001 .. 8004;

###############################################################################

# each client has an address of its own, which nginx is told

my @tls = (SSL => 1);
my $get = request('GET', '/', basic('one', 'secret'));

foreach ([ 8001, 'TLS ends there' ], [ 8002, 'TLS ends there, version 1' ],
    [ 8003, 'TLS is passed through' ])
{
    my ($port, $name) = @$_;
    my ($c) = keepalive($port, @tls, from => '127.0.0.2');

    is(status($c->request($get)), 200, "$name: a password");
    is(told(), 'IMEI:1 basic 127.0.0.2', "$name: whose, and from where");
    is(status($c->request(request('GET', '/', basic('one', 'wrong'),
        'X-Forwarded-For: 127.0.0.9'))), 401, "$name: a wrong password");
    $c->close();
}

is(scalar(my @lines = log_lines($t,
    qr/reason=bad_credentials .* client: "?127\.0\.0\.2"?,/, 3)), 3,
    'and the log has the address of the client');

# what only TLS that is passed through has

my @cert = (SSL_cert_file => "$d/device.crt", SSL_key_file => "$d/device.key");
my $plain = request('GET', '/');

is(status(keepalive(8003, @tls, @cert)->request($plain)), 200,
    'a certificate, passed through');
is(told(), 'IMEI:1 x509 127.0.0.1', 'whose, and from where');
is(status(keepalive(8001, @tls, @cert)->request($plain)), 401,
    'a certificate is lost where TLS ends there');

my $c = keepalive(8003, @tls);
my ($challenge) = challenges($c->request($plain));
is(status($c->request(request('GET', '/', digest($challenge, user => 'one',
    password => 'secret')))), 200, 'Digest, passed through');

# a client that says PROXY itself, and a balancer that forgets it

my $before = upstream_count($t, 8090);

is(status(keepalive(8003)->request("PROXY TCP4 127.0.0.9 127.0.0.1 1 2\r\n"
    . $get)), 400, 'a client that sends PROXY protocol gets nowhere');
ok(!keepalive(8004, @tls)->info()->{protocol},
    'no TLS without PROXY protocol before it');
is(keepalive(8000)->request($get), undef, 'nor HTTP');
is(upstream_count($t, 8090), $before, 'and the server behind sees nothing');
log_lines($t, qr/broken header/, 1);

# the locks are of who guesses, and not of all that the balancer brings

$c = keepalive(8001, @tls, from => '127.0.0.3');
$c->request(request('GET', '/', basic('one', 'wrong'))) foreach 1 .. 10;
is(status($c->request($get)), 429, 'locked out after ten guesses');
is(status(keepalive(8001, @tls, from => '127.0.0.4')->request($get)), 200,
    'and the device goes on from its own address');
undef $t;

###############################################################################

# what the server behind was told last
sub told {
    my ($fields) = (upstream_log($t, 8090))[-1]{fields};

    return join ' ', map { $fields->{$_}[0] }
        qw/ dm-client-id dm-auth-method x-address /;
}

###############################################################################
