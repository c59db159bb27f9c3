#!/usr/bin/perl

# Tests for the debug log: what each method made of a request, why, and what
# was decided, without a secret in it.

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

my $t = Test::Nginx->new()->has(qw/http http_ssl socket_ssl/)
    ->has_daemon('openssl');
my $d = $t->testdir();

plan(skip_all => 'no --with-debug') unless $t->has_module('--with-debug');

$t->plan(20);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;
    dm_sec_lockout       off;

    ssl_certificate        server.crt;
    ssl_certificate_key    server.key;

    ssl_client_certificate ca.crt;
    ssl_verify_client      optional;

    dm_sec_profile  modern;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        dm_sec_auth  x509;

        location /either {
            dm_sec_auth x509 basic;
        }

        location /digest {
            dm_sec_auth x509 digest;
            dm_sec_digest_algorithms SHA-256;
        }

        location /int {
            dm_sec_auth digest;
            dm_sec_digest_algorithms SHA-256;
            dm_sec_digest_qop auth-int;
        }
    }

    server {
        listen       127.0.0.1:8444 ssl;
        server_name  localhost;

        dm_sec_auth  psk;
    }
}

EOF_CONF

ca($t, $_) for qw/ ca other /;
cert($t, 'server', ca => 'ca', key => 'ec');
cert($t, $_, ca => 'ca', key => 'ec', cn => $_) for qw/ device nobodys /;

my %cert = map { $_ => [ SSL_cert_file => "$d/$_.crt",
    SSL_key_file => "$d/$_.key" ] } qw/ device nobodys /;

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', '--cert', "$d/device.crt",
    { password => 'its-own-secret' });
account($t, 'add', 'IMEI:2', '--name', 'slow', '--slow-hash',
    { password => 'its-own-secret' });
account($t, 'add', 'IMEI:3', '--name', 'key', '--psk-identity', 'dev',
    { psk => 'ab' x 32 });

$t->write_file($_, '') for qw/ file either digest int /;
$t->run();

my $secret = basic('alice', 'its-own-secret');
my $seen = 0;

###############################################################################

# why a certificate or a key counts as absent

is(said(8443, '/file'), 'x509: absent, reason certificate_required, claimed "-"'
    . '; access: refused, reason certificate_required, account "-"',
    'no certificate');
like(said(8443, '/file', [], @{ $cert{nobodys} }),
    qr/; x509: absent, reason certificate_unbound, claimed "sha256:\w{64}"; /,
    'a certificate of nobody');
is(said(8444, '/file'), 'psk: absent, reason psk_required, claimed "-"'
    . '; access: refused, reason psk_required, account "-"', 'no key');

# what is verified

is(said(8443, '/file', [], @{ $cert{device} }),
    'x509: OpenSSL says 0, "ok"; x509: verified, account "IMEI:1"'
    . '; access: let in, reason -, account "IMEI:1"', 'a certificate');
is(said(8444, '/file', [], psk('dev', 'ab' x 32)),
    'psk: verified, account "IMEI:3"'
    . '; access: let in, reason -, account "IMEI:3"', 'a key');
is(said(8443, '/either', [ $secret ]),
    'x509: absent, reason certificate_required, claimed "-"'
    . '; basic: verified, account "IMEI:1"'
    . '; access: let in, reason -, account "IMEI:1"', 'a password');

# a key that was dropped while its connection is open

my $client = keepalive(8444, SSL => 1, psk('dev', 'ab' x 32));
lines(sub { $client->request(request('GET', '/file')) });
account($t, 'set', 'IMEI:3', '--drop-psk', 'dev');
is(lines(sub { $client->request(request('GET', '/file')) }),
    'psk: wrong, reason psk_required, claimed "dev"'
    . '; access: refused, reason psk_required, account "-"',
    'a key that was dropped');
$client->close();

# what is not

is(said(8443, '/either', [ basic("al\xc3\xafce\"", 'not-its-secret') ]),
    'x509: absent, reason certificate_required, claimed "-"'
    . '; basic: wrong, reason bad_credentials, claimed "al\xC3\xAFce\x22"'
    . '; access: refused, reason bad_credentials, account "-"',
    'what a client sent is escaped');
like(said(8443, '/either', [ 'Authorization: Basic !' ]),
    qr/basic: useless, reason malformed, claimed "-"; access: refused/,
    'malformed');
like(said(8443, '/either', [ basic('slow', 'its-own-secret') ]),
    qr/basic: pending, reason thread, .* basic: verified, account "IMEI:2"; /,
    'a slow hash');

# Digest that one location takes and another does not

my ($challenge) = challenges(scalar https(8443, request('GET', '/digest')));

like(said(8443, '/digest', [ digested('/digest') ]),
    qr/digest: verified, account "IMEI:1"; access: let in/, 'Digest');
like(said(8443, '/int', [ digested('/int') ]),
    qr/^digest: useless, reason malformed, /,
    'a qop that is not accepted');

my $int = digest($challenge, user => 'alice', password => 'its-own-secret',
    uri => '/int', qop => 'auth-int', body => '', nc => 2);

like(said(8443, '/int', [ $int ]),
    qr/^digest: pending, reason body, .* digest: verified, account "IMEI:1"; /,
    'the body is waited for');

# nothing of the module's has a secret in it; nginx logs each header itself

my @mine = grep { /dm_sec/ } split /\n/, $t->read_file('error.log');

cmp_ok(scalar(@mine), '>', 20, 'the lines of the module');

my %secrets = ('password' => 'its-own-secret', 'key' => 'ab' x 8,
    'wrong password' => 'not-its-secret', 'header' => substr($secret, 21),
    'response' => $int =~ /response="(\w+)/, 'nonce' => $challenge->{nonce});

foreach my $what (sort keys %secrets) {
    is(scalar(grep { /\Q$secrets{$what}\E/i } @mine), 0, "no $what");
}

undef $t;

###############################################################################

sub said {
    my ($port, $uri, $headers, @o) = @_;

    return lines(sub {
        https($port, request('GET', $uri, @{ $headers || [] }), @o);
    });
}

# what the module's debug lines say of the one request of the sub
sub lines {
    my ($sub) = @_;
    my (@all);

    $sub->();

    # the decision is behind all else, and a pending one is no decision
    wait_for(30, sub {
        @all = log_lines($t, qr/\[debug\] .* dm_sec \w+: /, 0);
        return @all > $seen && $all[-1] =~ /access: (?:let in|refused)/;
    });

    my @new = @all[$seen .. $#all];
    $seen = @all;

    return join '; ', map { s/.* dm_sec (?=\w+: )//r } @new;
}

sub digested {
    my ($uri) = @_;

    return digest($challenge, user => 'alice', password => 'its-own-secret',
        uri => $uri);
}

###############################################################################
