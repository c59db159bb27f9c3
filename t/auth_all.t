#!/usr/bin/perl

# Tests for dm_sec_auth_all against those who lack one of the credentials: the
# next one is not looked at, so that nothing tells whether it is right, nothing
# counts, and nobody is locked out.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy socket_ssl/)
    ->has_daemon('openssl')->plan(70);
my $d = $t->testdir();

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
    dm_sec_lockout       attempts=3 window=1d duration=1d;
    dm_sec_log_limit     off;

    ssl_certificate        server.crt;
    ssl_certificate_key    server.key;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        ssl_client_certificate ca.crt;
        ssl_verify_client      optional;

        dm_sec_profile  modern;
        dm_sec_auth     x509 basic;
        dm_sec_auth_all on;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /digest {
            dm_sec_auth x509 digest;
            proxy_pass http://127.0.0.1:8081;
        }

        # who lacks the certificate is sent where a password will do

        location /else {
            error_page 403 = @basic;
            proxy_pass http://127.0.0.1:8081;
        }

        location @basic {
            dm_sec_auth     basic;
            dm_sec_auth_all off;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8444 ssl;
        server_name  localhost;

        dm_sec_profile  modern;
        dm_sec_auth     psk basic;
        dm_sec_auth_all on;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location /status {
            dm_sec_status json;
            allow 127.0.0.1;
            deny all;
        }
    }
}

EOF_CONF

ca($t, 'ca');
cert($t, 'server', ca => 'ca', key => 'ec');
cert($t, $_, ca => 'ca', key => 'ec', cn => $_)
    for qw/ device other nobodys /;

my %cert = map { $_ => { SSL_cert_file => "$d/$_.crt",
    SSL_key_file => "$d/$_.key" } } qw/ device other nobodys /;

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', '--cert', "$d/device.crt",
    { password => 'right' });
account($t, 'add', 'IMEI:2', '--name', 'slow', '--slow-hash',
    { password => 'right' });
account($t, 'add', 'IMEI:3', '--name', 'other', '--cert', "$d/other.crt",
    { password => 'own' });
account($t, 'add', 'IMEI:4', '--name', 'key', '--psk-identity', 'dev',
    { psk => '11' x 32 });
account($t, 'set', 'IMEI:4', { password => 'right' });

upstream($t, 8081);
$t->run();

my $nc = 0;
my @psk = psk('dev', '11' x 32);

###############################################################################

# what a client may send behind a credential that is not there, and is not to
# learn about

my @tries = (
    [ 'nothing' ],
    [ 'a right password', basic('alice', 'right') ],
    (map { [ "a wrong password $_", basic('alice', "wrong$_") ] } 1 .. 4),
    [ 'an unknown name', basic('nobody', 'x') ],
    [ 'a slow hash', basic('slow', 'right') ],
    [ 'a slow hash, wrong', basic('slow', 'x') ],
    [ 'malformed', 'Authorization: Basic !' ],
    [ 'another scheme', 'Authorization: Bearer x' ],
);

my %lack = (
    'no certificate' => [ 8443, '403 certificate_required' ],
    'an unbound certificate' => [ 8443, '403 certificate_unbound',
        %{ $cert{nobodys} } ],
    'no key' => [ 8444, '403 psk_required', SSL_version => 'TLSv1_3' ],
);

foreach my $lack (sort keys %lack) {
    my ($port, $expected, %o) = @{ $lack{$lack} };
    my ($answer, %answers);

    foreach my $try (@tries) {
        my ($name, @lines) = @$try;

        $answer = https($port, request('GET', '/', @lines), %o);
        is(verdict($t, $answer, 8081), $expected, "$lack, $name");
        $answers{ ($answer // '') =~ s/^Date: [^\n]*\n//mr } = 1;
    }

    is(scalar(keys %answers), 1, "$lack: one answer to all");
}

is((grep { ($_->{claimed} // '') =~ /alice|nobody|slow/ } denied($t, 0)), 0,
    'no name was looked at');
is(failures(), 0, 'nothing counts');
is(try(8443, '/', 'alice', 'right', %{ $cert{device} }), '200 upstream',
    'the device is not locked out');

# Digest

my ($challenge) = challenges(scalar https(8443, request('GET', '/digest'),
    %{ $cert{device} }));

verdict($t, '', 8081);
is($challenge->{scheme}, 'Digest', 'who has the certificate is asked');
is(digested('alice', $_), '403 certificate_required', "Digest, $_ password")
    for qw/ right wrong wrong wrong wrong right /;
is(failures(), 0, 'nothing counts');
is(digested('alice', 'right', %{ $cert{device} }), '200 upstream',
    'Digest, both');

# Who has a certificate of its own is no better off with the passwords of
# others: whose it must be is known.

is(try(8443, '/', @$_, %{ $cert{other} }), '403 account_mismatch',
    "another's certificate, @$_")
    for [ 'alice', 'right' ], (map { [ 'alice', "wrong$_" ] } 1 .. 4),
        [ 'nobody', 'x' ], [ 'slow', 'right' ], [ 'slow', 'x' ];
is(failures(), 0, 'nothing counts');
is(try(8443, '/', 'alice', 'right', %{ $cert{device} }), '200 upstream',
    'nobody is locked out');

is(digested('alice', $_, %{ $cert{other} }), '403 account_mismatch',
    "another's certificate, Digest, $_") for qw/ right wrong /;

# its own are judged and counted as ever

is(try(8443, '/', 'other', "x$_", %{ $cert{other} }), '401 bad_credentials',
    "its own, wrong $_") for 1 .. 3;
is(try(8443, '/', 'other', 'own', %{ $cert{other} }), '429 locked',
    'its own, locked');

is(try(8444, '/', 'key', 'right', @psk), '200 upstream', 'key and password');
is(try(8444, '/', 'key', 'wrong', @psk), '401 bad_credentials',
    'key, wrong password');
is(try(8444, '/', 'alice', 'right', @psk), '403 account_mismatch',
    "key, another's password");

# a location that takes a password alone judges what was not judged

is(try(8443, '/else', 'alice', 'right'),
    '200 certificate_required upstream', 'error_page, no certificate');
is(try(8443, '/else', 'alice', 'wrong'),
    '401 certificate_required bad_credentials', 'error_page, wrong password');
is(try(8443, '/else', 'alice', 'wrong', %{ $cert{other} }),
    '401 account_mismatch bad_credentials',
    "error_page, another's certificate");

undef $t;

###############################################################################

# try(PORT, URI, name, password, options of TLS)
sub try {
    my ($port, $uri, $name, $password, %o) = @_;

    return verdict($t, scalar https($port, request('GET', $uri,
        basic($name, $password)), %o), 8081);
}

sub digested {
    my ($name, $password, %o) = @_;

    return verdict($t, scalar https(8443, request('GET', '/digest',
        digest($challenge, user => $name, password => $password,
            uri => '/digest', nc => ++$nc)), %o), 8081);
}

# counters of wrong credentials
sub failures {
    return status_json()->{cells_used}{failures};
}

###############################################################################
