#!/usr/bin/perl

# Tests for a worker that dies inside the zone's lock: the others go on, and
# nothing of what it held is half there.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP qw/ decode_json /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/)
    ->has_daemon('gdb')->plan(16)->todo_alerts();

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
    dm_sec_lockout        attempts=5 window=1d duration=1d;

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
account($t, 'add', 'IMEI:2', '--name', 'slow', '--slow-hash',
    { password => 'right' });

upstream($t, 8081);
$t->run();

###############################################################################

# alice has a counter, so that all that follows meets the table

is(try('alice', 'wrong'), 401, 'wrong password');
is(try('slow', 'right'), 200, 'remembered password');

# in the look-up, between taking a cell and filling it, and after it

foreach my $where (qw/ dm_table_find dm_table_take dm_table_put /) {

    my $pid = die_in($where, "mallory $where");

    ok(wait_for(30, sub { !grep { $_ == $pid } workers($t) } ),
        "$where: the worker that died has a successor");
    is(try('alice', 'right'), 200, "$where: a device logs in");
    is(try('slow', 'right'), 200, "$where: by a remembered password too");
}

cmp_ok(scalar(() = $t->read_file('error.log') =~ /zone "dm_sec" was locked/g),
    '>=', 3, 'they did die in the lock');

# nothing was lost but what the dead one was doing

is(try('alice', 'wrong'), 401, "wrong password $_") for 1 .. 2;
is(try('alice', 'right'), 200, 'three are not five');

$t->stop();

is(other_alerts($t), '', 'no other alerts');

undef $t;

###############################################################################

# A worker gets wrong credentials until it stands in the function, and is
# killed there.  The others are stopped meanwhile, so that it gets them.
sub die_in {
    my ($function, $name) = @_;
    my ($pid, @others) = workers($t);
    my ($out, $client);

    stand_still(@others);

    open($out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', 'gdb', '-batch',
        '-nx', '-p', $pid, '-ex', "break $function", '-ex', 'echo ready\n',
        '-ex', 'continue', '-ex', 'kill') or die "Can't start gdb: $!\n";

    while (<$out>) {
        last if /^ready/;
    }

    $client = keepalive(8080);
    $client->send(request('GET', '/', basic($name, 'wrong')));

    close $out;
    $client->close();

    kill 'CONT', @others;

    return $pid;
}

sub try {
    my ($user, $password) = @_;
    my ($client, $status);

    $client = keepalive(8080);
    $status = status($client->request(request('GET', '/',
        basic($user, $password))));
    $client->close();

    return $status;
}

###############################################################################
