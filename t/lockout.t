#!/usr/bin/perl

# Tests for dm_sec_lockout: what counts, whom it locks out and for how
# long.  What masses of names cannot do is in t/lockout_names.t.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Clock;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy realip/);
my $clock = Test::DmSec::Clock->new($t);

$t->plan(48);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

env FAKETIME_TIMESTAMP_FILE;
env FAKETIME_NO_CACHE;
env FAKETIME_DONT_FAKE_MONOTONIC;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;

    dm_sec_zone    dm_sec:128k;
    dm_sec_lockout attempts=3 window=1d duration=4h address_attempts=20;

    dm_sec_log_limit off;

    set_real_ip_from 127.0.0.0/8;
    real_ip_header   X-Real-IP;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            dm_sec_auth basic;
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
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'right' });
account($t, 'add', 'IMEI:2', '--name', 'bob', { password => 'right' });
account($t, 'add', 'IMEI:3', '--name', 'carol', { password => 'right' });

upstream($t, 8081);
$clock->run($t);

###############################################################################

# what does not count

is(try(undef, undef, '10.0.0.1'), 401, "no credentials $_") for 1 .. 5;
is(malformed('10.0.0.1'), 401, "malformed credentials $_") for 1 .. 5;
is(try('alice', 'right', '10.0.0.1'), 200, 'they do not count');

# what counts

is(try('alice', 'wrong', '10.0.0.1'), 401, "wrong password $_") for 1 .. 3;

upstream_clear($t, 8081);

my $r = response('alice', 'right', '10.0.0.1');

is(status($r), 429, 'a right one while locked');
like(header($r, 'Retry-After'), qr/^1[34]\d\d\d$/, 'Retry-After');
is(header($r, 'WWW-Authenticate'), undef, 'no challenge');
is(upstream_count($t, 8081), 0, 'upstream not contacted');
is((denied($t))[-1]->{reason}, 'locked', 'reason locked');
is((denied($t))[-1]->{claimed}, 'alice', 'claimed');

is(try('alice', 'right', '10.0.0.2'), 200, 'another address is not locked');
is(try('bob', 'right', '10.0.0.1'), 200, 'another account is not locked');

# made-up names are treated the same

is(try('nobody', 'wrong', '10.0.0.3'), 401, "made-up name $_") for 1 .. 3;
is(try('nobody', 'wrong', '10.0.0.3'), 429, 'made-up name locked');

# what the operator sees

my %lock = map { $_->{name} => $_ } @{ status_json('?locked') };

is_deeply([ sort keys %lock ], [ 'alice', 'nobody' ], 'locks in force');
is($lock{alice}{address}, '10.0.0.1', 'address of a lock');
ok($lock{alice}{known} && !$lock{nobody}{known}, 'known and made-up');
cmp_ok($lock{alice}{seconds}, '<=', 14400, 'seconds left');
is(status_json()->{cells_locked}{failures}, 2, 'cells locked');

# a reload keeps locks and counters

is(try('bob', 'wrong', '10.0.0.1'), 401, 'bob 1');
is(try('bob', 'wrong', '10.0.0.1'), 401, 'bob 2');
ok(reload_wait($t), 'reloaded');
is(try('alice', 'right', '10.0.0.1'), 429, 'still locked after a reload');
is(try('bob', 'wrong', '10.0.0.1'), 401, 'bob 3');
is(try('bob', 'right', '10.0.0.1'), 429, 'counted across a reload');

# unlock is in force at the next request

account($t, 'unlock', 'IMEI:2');
is(try('bob', 'right', '10.0.0.1'), 200, 'unlocked');

# IPv6: a host has a whole /64; another /64 is another host

is(try('carol', 'wrong', "2001:db8::$_"), 401, "IPv6 $_") for 1 .. 3;
is(try('carol', 'right', '2001:db8::4'), 429, 'the same /64 is locked');
is(try('carol', 'right', '2001:db8:0:1::1'), 200, 'another /64 is not');
is(try('carol', 'right', '10.0.0.1'), 200, 'nor IPv4');

# the end of a lock

$clock->pass(14401);
ok(wait_for(30, sub { try('alice', 'right', '10.0.0.1') == 200 }),
    'the lock ends');

# the limit of an address, with all names together

try("any$_", 'wrong', '10.0.0.9') for 1 .. 20;
is(try('alice', 'right', '10.0.0.9'), 429, 'address locked for all names');
is(try('alice', 'right', '10.0.0.10'), 200, 'another address is not');

$t->stop();

unlike($t->read_file('error.log'), qr/right|wrong(?!_)/,
    'no password in the log');

###############################################################################

sub response {
    my ($user, $password, $address) = @_;

    return ask(request('GET', '/', "X-Real-IP: $address",
        defined $user ? basic($user, $password) : ()));
}

sub try {
    return status(response(@_));
}

sub malformed {
    my ($address) = @_;

    return status(ask(request('GET', '/', "X-Real-IP: $address",
        'Authorization: Basic !')));
}

sub ask {
    my ($request) = @_;
    my ($client, $response);

    $client = keepalive(8080);
    $response = $client->request($request);
    $client->close();

    return $response;
}

###############################################################################
