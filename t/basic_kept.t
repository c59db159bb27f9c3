#!/usr/bin/perl

# Tests for what a connection keeps of Basic credentials that proved an account:
# the same again are not parsed, and whatever comes after whatever, each answer
# is as on a connection of its own.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Calls;
use Test::DmSec::Message qw/ basic challenges digest header request status /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(37);

$t->write_file('file', 'here');
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
    dm_sec_lockout        attempts=5 address_attempts=60000;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        add_header X-Account $dm_sec_client_id always;

        location / {
            dm_sec_auth basic digest;
            try_files   /file =404;
        }

        location /fleet/ {
            dm_sec_auth   basic;
            dm_sec_realm  "another realm";
            dm_sec_groups fleet;
            try_files     /file =404;
        }

        location /digest/ {
            dm_sec_auth digest;
            try_files   /file =404;
        }
    }
}

EOF_CONF

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'one' });
account($t, 'add', 'IMEI:2', '--name', 'bob', '--group', 'fleet',
    { password => 'two' });

# each call of it decodes credentials

my $calls = Test::DmSec::Calls->new($t, 'EVP_DecodeBlock');

$calls->run($t);

my $client = keepalive(8080);

###############################################################################

# each of these is what another request of the same connection is answered

said('alice', 'one', '200 IMEI:1', 'the first');
said('alice', 'one', '200 IMEI:1', 'the second');

$calls->forget();
said('alice', 'one', '200 IMEI:1', 'the third');
said('alice', 'one', '200 IMEI:1', 'the fourth');
is($calls->made(), 0, 'which are not parsed');

said('alice', 'two', '401 ', 'another password');
said('alice', 'one', '200 IMEI:1', 'that of before');
said('alice', 'on', '401 ', 'the beginning of it');
said('alice', 'onee', '401 ', 'more than it');
said('bob', 'one', '401 ', 'another name with it');
said('bob', 'two', '200 IMEI:2', 'another account');
said('bob', 'two', '200 IMEI:2', 'twice');
said('alice', 'one', '200 IMEI:1', 'and the first again');
said('alice', 'one', '200 IMEI:1', 'and again');
said('alice', 'one', '200 IMEI:1', 'and again');

# what a location asks for beyond that it asks for each time

said('alice', 'one', '403 ', 'not in the group', '/fleet/');
said('alice', 'one', '401 ', 'no Basic here', '/digest/');
said('alice', 'one', '200 IMEI:1', 'but here');

said('bob', 'two', '200 IMEI:2', 'in the group', '/fleet/') for 1 .. 3;

# beside Digest

my ($c) = challenges($client->request(request('GET', '/digest/')));

foreach my $nc (1 .. 2) {
    my $r = $client->request(request('GET', '/digest/', digest($c,
        user => 'bob', password => 'two', uri => '/digest/', cnonce => 'c',
        nc => $nc)));

    is(status($r) . ' ' . header($r, 'X-Account'), '200 IMEI:2', 'Digest');
    said('bob', 'two', '200 IMEI:2', 'and Basic');
}

# what is kept ends with the account as it was, and is begun anew

account($t, 'set', 'IMEI:2', { password => 'three' });
said('bob', 'two', '401 ', 'the password of before');
said('bob', 'three', '200 IMEI:2', 'that of now') for 1 .. 3;
said('bob', 'two', '401 ', 'the password of before');

account($t, 'set', 'IMEI:1', { password => 'four' });
said('bob', 'three', '200 IMEI:2', 'after a change of another');

account($t, 'disable', 'IMEI:2');
said('bob', 'three', '403 ', 'disabled') for 1 .. 2;
account($t, 'enable', 'IMEI:2');
said('bob', 'three', '200 IMEI:2', 'enabled') for 1 .. 3;

# an account that others have locked meanwhile

http(request('GET', '/', 'Connection: close', basic('bob', 'wrong')))
    for 1 .. 5;

said('bob', 'three', '429 ', 'locked for who was in, too');

###############################################################################

sub said {
    my ($user, $password, $expected, $name, $uri) = @_;
    my ($r);

    $r = $client->request(request('GET', $uri // '/', basic($user, $password)));

    is(status($r) . ' ' . (header($r, 'X-Account') // ''), $expected, $name);
}

###############################################################################
