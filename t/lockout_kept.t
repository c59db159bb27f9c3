#!/usr/bin/perl

# Tests for lockouts on a connection that stays open, which keeps who failed on
# it last: whoever comes after whomever is counted as on a connection of his
# own.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Message qw/ request status /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http realip /)->plan(11);

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

    dm_sec_lockout attempts=3 window=1d duration=4h address_attempts=20;

    set_real_ip_from 127.0.0.0/8;
    real_ip_header   X-Real-IP;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            dm_sec_auth basic;
            try_files   /file =404;
        }
    }
}

EOF_CONF

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'right' });
account($t, 'add', 'IMEI:2', '--name', 'bob', { password => 'right' });

$t->run();

my $client = keepalive(8080);
my $long = 'y' x 65;

###############################################################################

# what each is told in turn, when all of them have come so often

is(said('wrong', qw/ alice@1 bob@1 alice@2 nobody@1 nobody@2 /),
    '401 401 401 401 401', 'the first');
is(said('wrong', qw/ alice@1 alice@2 bob@1 nobody@2 nobody@1 /),
    '401 401 401 401 401', 'the second, in another order');
is(said('wrong', map { "$_\@3" } ($long, "${long}y") x 2), '401 401 401 401',
    'names that are long');
is(said('wrong', map { "x$_\@5" } map { '1' x 20 . $_ } ('', 2, 3) x 3),
    join(' ', (401) x 9), 'names that begin with the same');
is(said('wrong', qw/ alice@1 alice@1 /), '401 429', 'the third, and locked');
is(said('right', qw/ alice@1 alice@2 bob@1 /), '429 200 200',
    'the others are not locked');
is(said('wrong', qw/ nobody@1 nobody@1 nobody@2 /), '401 429 401',
    'a name that nobody has');

# what ends a lock does so on this connection, too

is(said('right', 'alice@1'), 429, 'the one who is locked came last');
account($t, 'unlock', 'IMEI:1');
is(said('right', qw/ alice@1 alice@1 /), '200 200', 'unlocked');
is(said('wrong', qw/ alice@1 alice@1 alice@1 /), '401 401 401',
    'counted anew');

# an address has its own count, whoever it names

is(said('wrong', map { "name$_\@4" } 1 .. 21), join(' ', (401) x 20, 429),
    'an address with many names');

###############################################################################

# the statuses of NAME@N, from 10.0.0.N
sub said {
    my ($password, @who) = @_;

    return join ' ', map {
        my ($name, $n) = split /@/;
        status($client->request(request('GET', '/', basic($name, $password),
            "X-Real-IP: 10.0.0.$n")));
    } @who;
}

###############################################################################
