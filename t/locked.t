#!/usr/bin/perl

# Tests for a locked password beside other credentials: a lock is a refusal,
# whatever else verifies; and for slow hashes that wait while a lock comes.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Gate;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy socket_ssl/)->plan(21);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;
    dm_sec_lockout       attempts=2;
    dm_sec_zone          dm_sec:256k;
    dm_sec_log_limit     off;

    ssl_certificate        server.crt;
    ssl_certificate_key    server.key;
    ssl_client_certificate ca.crt;
    ssl_verify_client      optional;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        dm_sec_auth basic x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /all {
            dm_sec_auth_all on;
            proxy_pass http://127.0.0.1:8081;
        }

        location /x509 {
            dm_sec_auth x509;
            proxy_pass http://127.0.0.1:8081;
        }

        location /later {
            error_page 429 = @open;
            proxy_pass http://127.0.0.1:8081;
        }

        location @open {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

ca($t, 'ca');
cert($t, 'server', ca => 'ca', key => 'ec');
cert($t, 'device', ca => 'ca', key => 'ec', cn => 'device');

my $d = $t->testdir();
my %cert = (SSL_cert_file => "$d/device.crt", SSL_key_file => "$d/device.key");

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', '--cert', "$d/device.crt",
    { password => 'right' });
account($t, 'add', 'IMEI:2', '--name', 'bob', { password => 'right' });
account($t, 'add', 'IMEI:3', '--name', 'slow', '--slow-hash',
    { password => 'right' });

upstream($t, 8081);

my $gate = Test::DmSec::Gate->new($t);

$gate->run($t);

###############################################################################

# both are needed: a certificate and a password that is locked are not both

is(try('/all', 'alice', 'right'), '200 upstream', 'both');
is(try('/all', 'alice', 'wrong'), '401 bad_credentials', "wrong $_")
    for 1 .. 2;
is(try('/all', 'alice', 'wrong'), '429 locked', 'a wrong one, locked');
is(try('/all', 'alice', 'right'), '429 locked', 'a right one, locked');

# a name that is not the certificate's: neither judged nor counted

is(try('/all', @$_), '403 account_mismatch', "@$_")
    for [ 'nobody', 'wrong' ], ([ 'bob', 'wrong' ]) x 3, [ 'bob', 'right' ];

# either is enough: what is presented must verify all the same

is(try('/', 'alice', 'right'), '429 locked', 'any, locked');
is(try('/'), '200 upstream', 'the certificate alone');
is(try('/x509', 'alice', 'wrong'), '200 upstream',
    'a password where none is accepted');

# an error_page that lets it on: without an identity

is(try('/later', 'alice', 'right'), '200 locked upstream', 'error_page');
unlike((upstream_log($t, 8081))[-1]{head}, qr/^DM-/m, 'and no identity');

account($t, 'unlock', 'IMEI:1');
is(try('/all', 'alice', 'right'), '200 upstream', 'unlocked');

# Slow hashes: many wrong passwords are on their way when the lock comes, and
# the right one behind them, in one worker.  It must not tell that it is right.

my (undef, @others) = workers($t);

stand_still(@others);

my @clients = map { keepalive(8443, SSL => 1) } 0 .. 40;

$gate->shut();
$clients[$_]->send(request('GET', '/', basic('slow', "wrong$_")))
    for 1 .. 40;
$gate->waiting(1) or die "no hash\n";
$clients[0]->send(request('GET', '/', basic('slow', 'right')));
wait_for(60, sub { @clients == grep { $_->is_read() } @clients })
    or die "not read\n";
$gate->open();
kill 'CONT', @others;

my @status = map { status($_->response()) } @clients;
$_->close() for @clients;

is($status[0], 429, 'a right one behind wrong ones');
is(scalar(grep { $_ == 401 } @status), 2,
    'no more are told to be wrong than the lock allows');
is(scalar(grep { $_ == 429 } @status), 39, 'the rest is locked');

verdict($t, '', 8081);

is(try('/', 'slow', 'right'), '429 locked', 'and stays so');

# "ssl on" is not "listen ... ssl"; nginx 1.25.1 and later do not know it

like(conf_error($t, http => 'ssl_certificate server.crt;'
    . 'ssl_certificate_key server.key;', server => 'listen 127.0.0.1:8443;'
    . 'ssl on; dm_sec_protocols TLSv1.2;'),
    qr/emerg.*(?:"ssl on" is not supported|unknown directive "ssl")/,
    'ssl on');

undef $t;

###############################################################################

sub try {
    my ($uri, @credentials) = @_;

    return verdict($t, scalar https(8443, request('GET', $uri,
        @credentials ? basic(@credentials) : ()), %cert), 8081);
}

###############################################################################
