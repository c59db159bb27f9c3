#!/usr/bin/perl

# Tests for what is revoked while a request that was let in is held up, by a
# subrequest of auth_request, by its body or by a server that redirects it: it
# does not get to the server behind, and what is left of the account counts.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::PKI qw/ ca cert /;

###############################################################################

use constant TIME => 20;    # s, that only a failure takes

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl auth_request proxy socket_ssl/)
    ->has_daemon('openssl')->plan(42);
my $shut = $t->testdir() . '/shut';
my $key = '0123456789abcdef0123456789abcdef';

conf($t, <<'EOF_HTTP');

error_log        %%TESTDIR%%/error.log info;
dm_sec_lockout   off;
dm_sec_log_limit off;

ssl_certificate         server.crt;
ssl_certificate_key     server.key;
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

    location /policy {
        auth_request /asked;
        proxy_pass http://127.0.0.1:8081;
    }

    location /policy/group {
        dm_sec_groups pilot;
        auth_request /asked;
        proxy_pass http://127.0.0.1:8081;
    }

    location = /asked {
        internal;
        dm_sec_auth off;
        proxy_pass http://127.0.0.1:8082;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }

    location /redirect {
        proxy_pass http://127.0.0.1:8082;
    }

    location /inner {
        internal;
        proxy_pass http://127.0.0.1:8081;
    }

    location /inner/off {
        internal;
        dm_sec_auth off;
        proxy_pass http://127.0.0.1:8081;
    }

    location /streamed {
        proxy_request_buffering off;
        proxy_pass http://127.0.0.1:8081;
    }
}

EOF_HTTP

ca($t, 'ca');
cert($t, 'server', ca => 'ca');
my $crt = cert($t, 'device', ca => 'ca', san => ['DNS:device']);

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'one', '--group', 'pilot',
    '--cert-key', 'san:DNS:device', { password => 'right' });
account($t, 'set', 'IMEI:1', '--psk-identity', 'one', { psk => $key });
account($t, 'add', 'IMEI:2', '--name', 'two', { password => 'right' });

upstream($t, 8081);
upstream($t, 8082, respond => sub {
    my ($request) = @_;
    my ($location) = $request->{uri} =~ m{^/redirect(/.*)};

    wait_for(TIME, sub { !-e $shut });

    return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
        . ($location ? "X-Accel-Redirect: $location\r\n" : '') . "\r\n";
});

$t->run();

###############################################################################

my %cert = (SSL_cert_file => $crt, SSL_key_file => $crt =~ s/crt$/key/r);
my %psk = (psk('one', $key), SSL_version => 'TLSv1_2',
    SSL_cipher_list => 'PSK');
my $basic = basic('one', 'right');
my ($r, $c);

# each method, while a policy is asked for

my %way = (
    basic => sub { ({}, $basic) },
    digest => sub { ({}, answer('/policy')) },
    x509 => sub { (\%cert) },
    psk => sub { (\%psk) },
);

foreach my $name (sort keys %way) {
    my ($tls, @lines) = $way{$name}->();

    $r = held('/policy', sub { account($t, 'disable', 'IMEI:1') }, $tls,
        @lines);
    is(status($r), 403, "$name: disabled meanwhile");
    is(upstream_count($t, 8081), 0, "$name: the server is not asked");
    is(((denied($t))[-1] || {})->{reason}, 'account_disabled',
        "$name: said so");
    account($t, 'enable', 'IMEI:1');

    ($tls, @lines) = $way{$name}->();
    $r = held('/policy', sub { account($t, 'set', 'IMEI:1', '--not-before',
        '2020-01-01T00:00:00Z') }, $tls, @lines);
    is(status($r), 200, "$name: changed in what does not matter");
    is(first()->{fields}{'dm-client-id'}[0], 'IMEI:1',
        "$name: identity");
    is(scalar @{ first()->{fields}{'dm-client-id'} }, 1,
        "$name: once");

    ($tls, @lines) = $way{$name}->();
    $r = held('/policy', sub { account($t, 'disable', 'IMEI:2') }, $tls,
        @lines);
    is(status($r), 200, "$name: another account is changed");
    account($t, 'enable', 'IMEI:2');
}

# what is taken away, and what is not

$r = held('/policy', sub { account($t, 'set', 'IMEI:1',
    { password => 'other' }) }, {}, $basic);
is(status($r), 401, 'another password');
like(header($r, 'WWW-Authenticate') // '', qr/realm="dm.example"/,
    'its challenge');
account($t, 'set', 'IMEI:1', { password => 'right' });

$r = held('/policy', sub { account($t, 'set', 'IMEI:1',
    { password => 'right' }) }, {}, $basic);
is(status($r), 200, 'the same password again');

$r = held('/policy', sub { account($t, 'set', 'IMEI:1',
    '--drop-cert-key', 'san:DNS:device') }, \%cert);
is(status($r), 401, 'certificate unbound');
account($t, 'set', 'IMEI:1', '--cert-key', 'san:DNS:device');

$r = held('/policy/group', sub { account($t, 'set', 'IMEI:1', '--group',
    'lab') }, {}, $basic);
is(status($r), 403, 'out of the group');

$r = held('/policy', sub { account($t, 'set', 'IMEI:1', '--group',
    'field') }, {}, $basic);
is(first()->{fields}{'dm-groups'}[0], 'field',
    'the groups of now');

# the server redirects it, to where it is let in again or not looked at

foreach my $uri ('/inner', '/inner/off') {
    $r = held("/redirect$uri", sub { account($t, 'disable', 'IMEI:1') }, {},
        $basic);
    is(status($r), 403, "redirected to $uri");
    is(upstream_count($t, 8081), 0, "$uri is not asked");
    account($t, 'enable', 'IMEI:1');
}

# its body

$r = upload('/', sub { account($t, 'disable', 'IMEI:1') });
is(status($r), 403, 'while the body comes');
is(upstream_count($t, 8081), 0, 'the server has none of it');
account($t, 'enable', 'IMEI:1');

is(status(upload('/', sub { account($t, 'disable', 'IMEI:2') })), 200,
    'another account is changed while the body comes');

is(status(upload('/streamed', sub { account($t, 'disable', 'IMEI:1') })), 200,
    'what went to the server as it came has gone there');

undef $t;

###############################################################################

# a request that another server holds up while the sub is called
sub held {
    my ($uri, $change, $tls, @lines) = @_;
    my ($client, $response);

    upstream_clear($t, $_) for 8081, 8082;
    $t->write_file('shut', '');

    $client = keepalive(8443, SSL => 1, %$tls);
    $client->send(request('GET', $uri, @lines));
    wait_for(TIME, sub { upstream_count($t, 8082) == 1 })
        or die "$uri: not held\n";

    $change->();
    unlink $shut or die "Can't unlink $shut: $!\n";

    $response = $client->response();
    $client->close();

    return $response;
}

# a request whose body comes after the sub was called
sub upload {
    my ($uri, $change) = @_;
    my ($client, $response);

    upstream_clear($t, 8081);

    $client = keepalive(8443, SSL => 1);
    $client->send(request('POST', $uri, $basic, 'Content-Length: 4',
        'Expect: 100-continue'));
    $client->timed(TIME, sub { $client->take_until("\r\n\r\n") })
        or die "$uri: no 100\n";

    $change->();

    $client->send('body');
    $response = $client->response();
    $client->close();

    return $response;
}

# the first request that the server behind has had
sub first {
    return (upstream_log($t, 8081))[0] || {};
}

sub answer {
    my ($uri) = @_;
    my ($challenge) = grep { $_->{scheme} eq 'Digest' }
        challenges(scalar https(8443, request('GET', $uri)));

    return digest($challenge, user => 'one', password => 'right',
        uri => $uri);
}

###############################################################################
