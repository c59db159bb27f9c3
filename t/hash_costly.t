#!/usr/bin/perl

# Tests for a password hash that takes so long that one request would keep all
# others waiting, in a store from before dm-account refused it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::OldStore qw/ write_costly_store /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(8);
my $d = $t->testdir();

conf($t, <<'EOF_HTTP');

error_log             %%TESTDIR%%/error.log info;
dm_sec_lockout        attempts=2;
dm_sec_log_limit      off;
dm_sec_plaintext_auth on;

server {
    listen       127.0.0.1:8080;
    server_name  localhost;

    location / {
        dm_sec_auth basic;
        proxy_pass http://127.0.0.1:8081;
    }
}

EOF_HTTP

store($t, realm => 'dm.example');
write_costly_store("$d/old", "$d/store.key");
account($t, 'restore', "$d/old");
account($t, 'add', 'IMEI:1', '--name', 'slow', '--slow-hash',
    { password => 'right' });

upstream($t, 8081);
$t->run();

###############################################################################

like(account($t, 'check'),
    qr/^weak: account "costly": its password hash, .* takes too long/m,
    'check names it');

my @client = map { keepalive(8080, timeout => 20) } 1 .. 3;

is(status($_->request(request('GET', '/', basic('costly', 'x')))), 503,
    'it is not verified') for @client;

my @lines = log_lines($t, qr/account "costly" takes too long .* set its/, 3);
is(scalar @lines, 3, 'the log names it, and what to do');
is((denied($t))[-1]->{reason}, 'store_unavailable', 'no wrong password');

is(status(http(request('GET', '/', 'Connection: close',
    basic('slow', 'right')))), 200, 'others are verified');

account($t, 'set', 'costly', { password => 'new' });
is(status(http(request('GET', '/', 'Connection: close',
    basic('costly', 'new')))), 200, 'with a new password it is let in');

$_->close() for @client;
$t->stop();

###############################################################################
