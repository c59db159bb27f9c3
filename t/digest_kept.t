#!/usr/bin/perl

# Tests for what a connection keeps of Digest answers, so that the next is
# cheaper: whatever comes after whatever, each answer is as on a connection of
# its own.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Message qw/ challenges digest header request rspauth status /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(147);

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
    dm_sec_lockout        attempts=60000 address_attempts=60000;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            dm_sec_auth              digest;
            dm_sec_digest_algorithms SHA-256 MD5 SHA-256-sess MD5-sess;
            dm_sec_digest_qop        auth auth-int;
            try_files                /file =404;
        }
    }
}

EOF_CONF

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'one' });
account($t, 'add', 'IMEI:2', '--name', 'bob', { password => 'two' });

$t->run();

my %password = (alice => 'one', bob => 'two');
my $client = keepalive(8080);
my (%nc, @steps);

# a nonce of each algorithm, for each of two accounts, which are the first to
# use it

my %nonce = map {
    my $user = $_;
    map {
        my $algorithm = $_;
        ("$user $algorithm" => challenge($algorithm));
    } 'SHA-256', 'MD5', 'SHA-256-sess', 'MD5-sess';
} qw/ alice bob /;

###############################################################################

# each follows each, some often

foreach my $round (1 .. 120) {
    my @users = qw/ alice alice alice bob /;
    my @algorithms = ('SHA-256', 'SHA-256', 'MD5', 'SHA-256-sess', 'MD5-sess');
    my @uris = ('/', '/a', '/b', '/ab', '/ba', '/' . 'x' x 58, '/' . 'x' x 59,
        '/' . 'x' x 60, '/' . 'x' x 61, '/' . 'x' x 200);
    my @methods = qw/ GET GET HEAD /;

    answered(map { $_->[rand @$_] } \@users, \@algorithms, \@methods, \@uris);
}

# what is wrong is wrong after what was right

answered('alice', 'SHA-256', 'GET', '/');
is(said('alice', 'SHA-256', 'GET', '/', password => 'two'), 401,
    'another password');
answered('alice', 'SHA-256', 'GET', '/');
is(said('alice', 'SHA-256', 'GET', '/', nc => $nc{'alice SHA-256'}), 401,
    'a count again');
is(said('alice', 'SHA-256', 'GET', '/', set => { response => '0' x 64 }), 401,
    'another response');
is(said('alice', 'SHA-256', 'GET', '/', method => 'HEAD'), 401,
    'the answer to another method');
answered('alice', 'SHA-256', 'GET', '/');

# a nonce is that of who used it first, also beside it on one connection

answered('bob', 'SHA-256', 'GET', '/');
is(said('bob', 'SHA-256', 'GET', '/', challenge => $nonce{'alice SHA-256'},
    nc => 500), 401, 'a nonce of another account');
answered('alice', 'SHA-256', 'GET', '/');
is(said('alice', 'SHA-256', 'GET', '/', challenge => $nonce{'bob SHA-256'},
    nc => 500), 401, 'and the other way round');
answered('bob', 'SHA-256', 'GET', '/');

# one that nginx never made, of which all but the last octet was

foreach my $at (0, 1, 31, 62, 63) {
    my %challenge = %{ $nonce{'bob SHA-256'} };

    substr($challenge{nonce}, $at, 1) =~ tr{A-Za-z0-9+/}{B-ZAb-za1-90/+};
    is(said('bob', 'SHA-256', 'GET', '/', challenge => \%challenge, nc => 600),
        401, "a nonce that is another at octet $at");
}

answered('bob', 'SHA-256', 'GET', '/');

# one nonce with one algorithm after another

my $one = challenge('SHA-256');
my $nc = 0;

foreach my $algorithm ('SHA-256', 'SHA-256', 'MD5', 'SHA-256-sess', 'SHA-256') {
    answered('bob', $algorithm, 'GET', '/', nc => ++$nc,
        challenge => { %$one, algorithm => $algorithm });
}

# what is kept ends with the account as it was

account($t, 'set', 'IMEI:2', { password => 'three' });
is(said('bob', 'SHA-256', 'GET', '/'), 401, 'the password of before');
$password{bob} = 'three';
answered('bob', 'SHA-256', 'GET', '/');

account($t, 'disable', 'IMEI:2');
is(said('bob', 'SHA-256', 'GET', '/'), 403, 'disabled');
account($t, 'enable', 'IMEI:2');
answered('bob', 'SHA-256', 'GET', '/');

###############################################################################

sub challenge {
    my ($algorithm) = @_;
    my ($c) = challenges($client->request(request('GET', '/')));

    return { %$c, algorithm => $algorithm };
}


# sends an answer; the status and the response
sub answer {
    my ($user, $algorithm, $method, $uri, %o) = @_;
    my ($challenge, $r);

    $challenge = delete $o{challenge} || $nonce{"$user $algorithm"};

    %o = (user => $user, password => $password{$user}, method => $method,
        uri => $uri, cnonce => 'c', nc => ++$nc{"$user $algorithm"}, %o);

    $r = $client->request(request($method, $uri, digest($challenge, %o)));

    return ($r, $challenge, %o);
}


sub said {
    return status((answer(@_))[0]);
}


# that it is let in, and with the proof that the server knows the password
sub answered {
    my ($user, $algorithm, $method, $uri) = @_;
    my ($r, $challenge, %o) = answer(@_);

    like($r, qr/^HTTP\S+ 200 .*rspauth="@{[ rspauth($challenge, %o) ]}"/s,
        "$user, $algorithm, $method, " . length $uri);
}

###############################################################################
