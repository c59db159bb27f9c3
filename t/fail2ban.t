#!/usr/bin/perl

# Tests for conf/fail2ban-dm-sec.conf, on lines that nginx wrote.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl realip/)
    ->has_daemon('fail2ban-regex')->plan(6);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/denied.log;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;
    dm_sec_lockout        attempts=4;

    set_real_ip_from 127.0.0.0/8;
    real_ip_header   X-Real-IP;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            dm_sec_auth basic;
        }
    }
}

EOF_CONF

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'right' });
$t->run();

###############################################################################

# what is to be found: 4 wrong passwords and 2 while locked out

ask('192.0.2.1', basic('alice', 'wrong')) for 1 .. 6;
ask('2001:db8::7', basic('alice', 'wrong'));

# what is not: no password, a right one, what cannot be read

ask('192.0.2.2', ());
ask('192.0.2.3', basic('alice', 'right'));
ask('192.0.2.4', 'Authorization: Basic !');

# a client that wants to have another one banned

ask('192.0.2.5', basic('x", client: 198.51.100.1, server: "', 'wrong'));
ask('192.0.2.5', basic('x cipher=-, client: 198.51.100.2, y', 'wrong'),
    'OMADM-DevID: " protocol=- cipher=-, client: 198.51.100.3, ');

my ($exit, $out, $err) = run_command([ 'fail2ban-regex', '--out', 'ip',
    $t->testdir() . '/denied.log', '../conf/fail2ban-dm-sec.conf' ]);

is($exit, 0, 'fail2ban-regex');

my %found;
$found{$_}++ for grep { /^[0-9a-f]+[.:]/ } split /\n/, $out;

is($found{'192.0.2.1'}, 6, 'wrong passwords and locked');
is($found{'2001:db8::7'}, 1, 'IPv6');
is(scalar(grep { /^192\.0\.2\.[234]$/ } keys %found), 0,
    'nobody who tried no password');
is($found{'192.0.2.5'}, 2, 'who imitates a line is found');
is(scalar(grep { /^198\.51\.100/ } keys %found), 0, 'and nobody else');

###############################################################################

sub ask {
    my ($address, @lines) = @_;
    my ($client);

    $client = keepalive(8080);
    $client->request(request('GET', '/', "X-Real-IP: $address", @lines));
    $client->close();
}

###############################################################################
