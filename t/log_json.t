#!/usr/bin/perl

# Tests for conf/dm-sec-log.conf, an access log that clients cannot forge, and
# for the filter for fail2ban that reads it.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP ();

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Process qw/ slurp /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl realip/)
    ->has_daemon('fail2ban-regex')->has_daemon('jq')->plan(17);

$t->write_file('log.conf', slurp('../conf/dm-sec-log.conf'));

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    include %%TESTDIR%%/log.conf;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;
    dm_sec_lockout        attempts=4;

    set_real_ip_from 127.0.0.0/8;
    real_ip_header   X-Real-IP;

    access_log %%TESTDIR%%/dm.json dm_sec;

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

my $forged = '","result":"verified","id":"IMEI:9","client":"198.51.100.1'
    . '","x":"';
my (@lines, $exit, $out, $err, %found, $wrong, $right, $forger);

# what is to be found: 4 wrong passwords and 2 while locked out

ask('192.0.2.1', basic('alice', 'wrong')) for 1 .. 6;
ask('2001:db8::7', basic('alice', 'wrong'));

# what is not: no password, a right one, what cannot be read

ask('192.0.2.2');
ask('192.0.2.3', basic('alice', 'right'));
ask('192.0.2.4', 'Authorization: Basic !');

# clients that want another line to be read than their own

ask('192.0.2.5', basic($forged, 'wrong'), "User-Agent: $forged",
    "OMADM-DevID: $forged");
ask('192.0.2.5', basic("\xff\"}", 'wrong'), "User-Agent: \xff\\");

raw("GET /$forged HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
raw("GET /\\\" tls=TLSv1/ client=IMEI:9 HTTP/1.1\r\nHost: x\r\n\r\n");
raw("GET /\x01\xff\"\r\n");
raw("GET /%0A%7B%22time%22:%222026-11-30T20:11:00+0000%22,%22request_id%22:%22"
    . '0' x 32 . "%22,%22client%22:%22198.51.100.1%22 HTTP/1.0\r\n\r\n");
raw("\x16\x03\x01$forged\r\n\r\n");

wait_for(30, sub { (() = slurp($t->testdir() . '/dm.json') =~ /\n/g) >= 17 });

@lines = split /\n/, slurp($t->testdir() . '/dm.json');

is(scalar @lines, 17, 'a line for each request');

# octets that are no UTF-8 are read as Latin 1 here, so that all must parse

@lines = map { eval { JSON::PP->new()->latin1()->decode($_) } || $@ } @lines;

is_deeply([ grep { !ref } @lines ], [], 'each is JSON');
is_deeply([ grep { keys %$_ != 25 } @lines ], [], 'with its own fields');

# those of several workers are written in any order

($right) = grep { $_->{client} eq '192.0.2.3' } @lines;
($forger) = grep { $_->{agent} eq $forged } @lines;

is($right->{result}, 'verified', 'a right password');
is($right->{id}, 'IMEI:1', 'whose it is');
like($right->{time}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}[+-]\d\d:\d\d$/, 'time');
like($right->{request_id}, qr/^[0-9a-f]{32}$/, 'request id');

$wrong = grep { $_->{id} eq 'IMEI:9' || $_->{client} =~ /^198/ } @lines;

is($wrong, 0, 'nobody is taken for another');
is($forger->{devid}, $forged, 'text that imitates fields is text');
is($forger->{reason}, 'bad_credentials', 'and the reason is ours');

# jq, as in docs/operations.md, reads it too, and forged lines tell nothing

($exit, $out) = run_command([ 'jq', '-r', 'select(.protocol == "TLSv1") | .id',
    $t->testdir() . '/dm.json' ]);
is("$exit$out", '0', 'jq finds no device with TLS 1.0');

# the filter

($exit, $out, $err) = run_command([ 'fail2ban-regex', '--out', 'ip',
    $t->testdir() . '/dm.json', '../conf/fail2ban-dm-sec-json.conf' ]);

is($exit, 0, 'fail2ban-regex');

$found{$_}++ for grep { /^[0-9a-f]+[.:]/ } split /\n/, $out;

is($found{'192.0.2.1'}, 6, 'wrong passwords and locked');
is($found{'2001:db8::7'}, 1, 'IPv6');
is($found{'192.0.2.5'}, 2, 'who imitates a line is found');
is(scalar(grep { /^192\.0\.2\.[234]$/ } keys %found), 0,
    'nobody who tried no password');
is(scalar(grep { /^198\.51\.100/ } keys %found), 0, 'and nobody else');

###############################################################################

sub ask {
    my ($address, @lines) = @_;
    my ($client);

    $client = keepalive(8080);
    $client->request(request('GET', '/', "X-Real-IP: $address", @lines));
    $client->close();
}

sub raw {
    my ($octets) = @_;

    return http($octets, socket => IO::Socket::INET->new(
        PeerAddr => '127.0.0.1:' . port(8080)));
}

###############################################################################
