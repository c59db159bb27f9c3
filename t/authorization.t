#!/usr/bin/perl

# Tests for Authorization in any form: what is no scheme and a space is
# malformed where Basic or Digest is accepted, and whatever it holds, it does
# not go to the server behind from there.

###############################################################################

use warnings;
use strict;

use Test::More;

use MIME::Base64 qw/ encode_base64 /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::HTTP2;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl http_v2 access auth_request mirror proxy socket_ssl/)
    ->plan(102);
my $d = $t->testdir();

conf($t, <<'EOF_HTTP');

error_log        %%TESTDIR%%/error.log info;
dm_sec_lockout   off;
dm_sec_log_limit off;

ssl_certificate        server.crt;
ssl_certificate_key    server.key;
ssl_client_certificate ca.crt;

underscores_in_headers on;
ignore_invalid_headers off;

server {
    listen       127.0.0.1:8443 ssl http2;
    server_name  localhost;

    ssl_verify_client optional;

    dm_sec_profile modern;

    location /basic {
        dm_sec_auth x509 basic;
        proxy_pass http://127.0.0.1:8081;
    }

    location /digest {
        dm_sec_auth x509 digest;
        dm_sec_digest_algorithms SHA-256;
        proxy_pass http://127.0.0.1:8081;
    }

    location /x509 {
        dm_sec_auth x509;
        proxy_pass http://127.0.0.1:8081;
    }

    location /off {
        dm_sec_auth off;
        proxy_pass http://127.0.0.1:8081;
    }

    location /pass {
        dm_sec_auth x509 basic;
        dm_sec_pass_authorization on;
        proxy_pass http://127.0.0.1:8081;
    }

    # ways on from where it is accepted

    location /try {
        dm_sec_auth x509 basic;
        try_files /none @open;
    }

    location /try-pass {
        dm_sec_auth x509 basic;
        try_files /none @pass;
    }

    location /page {
        dm_sec_auth x509 basic;
        error_page 400 401 = @open;
        proxy_pass http://127.0.0.1:8081;
    }

    location /old {
        dm_sec_auth x509 basic;
        dm_sec_protocols TLSv1.2;
        error_page 403 = @open;
        proxy_pass http://127.0.0.1:8081;
    }

    location /any {
        dm_sec_auth x509 basic;
        satisfy any;
        allow all;
        proxy_pass http://127.0.0.1:8081;
    }

    location /all {
        dm_sec_auth x509 basic;
        dm_sec_auth_all on;
        satisfy any;
        allow all;
        proxy_pass http://127.0.0.1:8081;
    }

    location /mirror {
        dm_sec_auth x509 basic;
        mirror /copy;
        proxy_pass http://127.0.0.1:8081;
    }

    location /request {
        dm_sec_auth x509 basic;
        auth_request /copy;
        proxy_pass http://127.0.0.1:8081;
    }

    location = /copy {
        internal;
        dm_sec_auth off;
        proxy_pass http://127.0.0.1:8082;
    }

    location @open {
        dm_sec_auth off;
        proxy_pass http://127.0.0.1:8081;
    }

    location @pass {
        dm_sec_auth off;
        dm_sec_pass_authorization on;
        proxy_pass http://127.0.0.1:8081;
    }
}

EOF_HTTP

ca($t, 'ca');
cert($t, 'server', ca => 'ca', key => 'ec');
cert($t, 'device', ca => 'ca', key => 'ec', cn => 'device');

my @cert = (SSL_cert_file => "$d/device.crt", SSL_key_file => "$d/device.key");

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', '--cert', "$d/device.crt",
    { password => 'right' });

upstream($t, 8081);
upstream($t, 8082);
$t->run();

my $right = encode_base64('alice:right', '');
my $wrong = encode_base64('alice:wrong', '');
my $digest = 'username="alice", realm="dm.example", nonce="x", uri="/", '
    . 'response="x"';

###############################################################################

# no scheme with a space behind it: not with a valid certificate either

my @malformed = ("Basic\t$right", "Basic\t$wrong", "\tBasic $right",
    "\"Basic\" $wrong", "Basic,$right", "Basic=$right", "Basic:$right",
    "Basic\"$right\"", "=Basic $right", "Digest\t$digest",
    "\"Digest\" $digest", "\tDigest $digest", "Bearer\tx", "\"x\"", "Bearer,",
    "Bas\xefc $right");

foreach my $value (@malformed) {
    my $name = $value =~ s/[^ -~]/?/gr;

    is(try($_, "Authorization: $value"), '400 malformed', "$_, $name")
        for qw{ /basic /digest };
}

# malformed is what is no Basic, and no Digest, behind its scheme

is(try('/basic', "Authorization: $_"), '401 malformed', $_)
    for 'Basic', 'Basic !';
is(try('/basic', "Authorization: $_"), '400 malformed', $_)
    for "Basic  \t$right", 'basic x y';
is(try('/digest', "Authorization: $_"), '401 malformed', $_)
    for 'Digest', 'Digest x';

# other schemes are not looked at, and stay here; so does what has none

my @other = ('Bearer abc', 'Bearer', 'Basicx abc', 'Negotiate x==', '');

foreach my $value (@other) {
    is(try($_, "Authorization: $value"), '200 upstream', "$_, '$value'")
        for qw{ /basic /digest };
    is(behind(), '', "'$value' stays here");
}

is(try('/basic', "Authorization: Digest $digest"), '200 upstream',
    'Digest where Basic is accepted');
is(behind(), '', 'stays here');
is(try('/digest', "Authorization: Basic $wrong"), '200 upstream',
    'Basic where Digest is accepted');
is(behind(), '', 'stays here');
is(try('/digest', 'Authorization: Digest username="alice", realm="dm.example",'
    . ' nonce="x", uri="/digest", response="' . '0' x 32 . '", algorithm=MD5,'
    . ' qop=auth, nc=00000001, cnonce="c"'), '401 malformed',
    'Digest with an algorithm that is not accepted');

is(try('/basic', "AUTHORIZATION: Basic $right"), '200 upstream', 'any case');
is(behind(), '', 'stays here');
is(try('/basic', 'Authorization: Bearer a', 'Authorization: Bearer b'),
    '400 bad_request', 'two of them');
is(try('/basic', 'Proxy-Authorization: Basic x', 'Authorization_: x',
    'X-Authorization: x'), '200 upstream', 'other headers');
is(behind(), 'authorization_ proxy-authorization x-authorization',
    'which are not its');

# ways on from there

is(try($_, 'Authorization: Bearer abc'), '200 upstream', $_)
    && is(behind(), '', "$_: stays here") for '/try', '/any';

foreach my $uri ('/page', '/old', '/any', '/all') {
    like(lacking($uri, "Authorization: $_"), qr/^200 \w+ upstream$/,
        "$uri without a certificate, $_") && is(behind(), '', 'stays here')
        for "Basic $wrong", 'Bearer abc';
}

foreach my $uri ('/mirror', '/request') {
    upstream_clear($t, 8082);
    is(try($uri, 'Authorization: Bearer abc'), '200 upstream', $uri);
    is(behind(), '', 'stays here');
    ok(wait_for(60, sub { upstream_count($t, 8082) }), 'subrequest');
    is(behind(8082), '', 'nor does it have it');
}

# where it is meant to go on

is(try($_, 'Authorization: Bearer abc'), '200 upstream', $_)
    && is(behind(), 'authorization', "$_: goes on")
    for '/pass', '/try-pass', '/x509', '/off';

# HTTP/2 keeps a space that HTTP/1.1 leaves out

my $h = Test::DmSec::HTTP2->new(8443, SSL => 1, @cert);

upstream_clear($t, 8081);
is($h->status($h->request('/basic', "authorization:  Basic $wrong")), 400,
    'HTTP/2, a space in front');
is($h->status($h->request('/basic', "authorization: Basic\t$wrong")), 400,
    'HTTP/2, a tab');
is(upstream_count($t, 8081), 0, 'upstream not contacted');
$h->close();

undef $t;

###############################################################################

# with the certificate, which is enough
sub try {
    my ($uri, @lines) = @_;

    return verdict($t, scalar https(8443, request('GET', $uri, @lines),
        @cert), 8081);
}

sub lacking {
    my ($uri, @lines) = @_;

    return verdict($t, scalar https(8443, request('GET', $uri, @lines)), 8081);
}

# the headers of that kind that the upstream received last
sub behind {
    my ($port) = @_;
    my (@requests) = upstream_log($t, $port // 8081);

    return join ' ', grep { /authorization/ }
        sort keys %{ $requests[-1]{fields} };
}

###############################################################################
