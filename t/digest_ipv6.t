#!/usr/bin/perl

# Tests for Digest clients that come over IPv6: they log in, and are locked out
# like others.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Socket::IP;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'no IPv6 on this machine')
    unless IO::Socket::IP->new(LocalHost => '::1', Listen => 1);

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/)->plan(26);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;
    dm_sec_lockout        attempts=3 window=1d duration=1d;

    server {
        listen       127.0.0.1:8080;
        listen       [::1]:%%PORT_8080%%;
        server_name  localhost;

        location / {
            dm_sec_auth digest;
            proxy_pass http://127.0.0.1:8081;
        }

        location /status {
            dm_sec_status json;
            allow 127.0.0.1;
            deny all;
        }
    }
}

EOF_CONF

store($t, realm => 'dm.example');
account($t, 'add', "IMEI:$_->[0]", '--name', $_->[1], { password => 'right' })
    for [ 1, 'alice' ], [ 2, 'bob' ];

upstream($t, 8081);
$t->run();

my @workers = workers($t);

###############################################################################

# as over IPv4: each algorithm, and a nonce that goes on

foreach my $i (0 .. 2) {
    my $challenge = (challenges(ask('::1')))[$i];

    is(try('::1', $challenge, 'alice', 'right', $_), 200,
        "$challenge->{algorithm}: count $_") for 1 .. 2;
    is(try('::1', $challenge, 'alice', 'right', 2), 401,
        "$challenge->{algorithm}: replay");
}

my ($bound) = challenges(ask('::1'));

is(try('::1', $bound, 'alice', 'right', 1), 200, 'a nonce of alice');

# neither no credentials nor a replay count, wrong ones do

is(status(ask('::1')), 401, "no credentials $_") for 1 .. 4;
is(login('::1', 'alice', 'wrong'), 401, "wrong password $_") for 1 .. 3;

upstream_clear($t, 8081);

is(login('::1', 'alice', 'right'), 429, 'locked out');
is(upstream_count($t, 8081), 0, 'locked out: upstream not contacted');
is((denied($t))[-1]->{reason}, 'locked', 'locked out: reason');

# whom that does not concern

is(try('::1', $bound, 'alice', 'right', 2), 200, 'who has logged in before');
is(login('::1', 'bob', 'right'), 200, 'another account');
is(login('127.0.0.1', 'alice', 'right'), 200, 'another address');

is_deeply(locked(), [ [ 'alice', '::' ] ], 'the lock names the network');

# a name that is not there is locked all the same

login('::1', 'nobody', 'wrong') for 1 .. 3;
is(login('::1', 'nobody', 'wrong'), 429, 'a made-up name is locked out');

is_deeply([ sort(workers($t)) ], [ sort @workers ], 'no worker died');

###############################################################################

sub ask {
    my ($address, @lines) = @_;
    my ($client) = keepalive(8080, address => $address);
    my ($response) = $client->request(request('GET', '/', @lines));

    $client->close();

    return $response;
}

sub try {
    my ($address, $challenge, $user, $password, $nc) = @_;

    return status(ask($address, digest($challenge, user => $user,
        password => $password, nc => $nc)));
}

# with a new nonce
sub login {
    my ($address, $user, $password) = @_;
    my ($challenge) = challenges(ask($address));

    return try($address, $challenge, $user, $password, 1);
}

# [ name, address ] of each lock in force
sub locked {
    return [ map { [ @{$_}{qw/ name address /} ] }
        @{ status_json('?locked') } ];
}

###############################################################################
