#!/usr/bin/perl

# Tests for the identity that the upstream is told: what the module sets, what
# a client forged and is removed, and all else, which is not touched.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::SHA qw/ sha256_hex /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;
use Test::DmSec::Gateway qw/ gateway /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl http_v2 auth_request mirror proxy rewrite/)
    ->has(qw/fastcgi grpc scgi uwsgi socket_ssl socket_ssl_reused/)
    ->has_daemon('openssl')->has_daemon('curl')->plan(236);

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
    dm_sec_lockout       off;

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;

    ssl_client_certificate  root.crt;
    ssl_verify_depth        3;

    underscores_in_headers      on;
    ignore_invalid_headers      off;
    large_client_header_buffers 4 32k;

    server {
        listen       127.0.0.1:8443 ssl http2;
        server_name  localhost;

        ssl_verify_client optional;
        ssl_session_cache shared:SSL:1m;

        dm_sec_profile modern;
        dm_sec_auth    x509 basic;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /basic {
            dm_sec_auth basic;
            proxy_pass http://127.0.0.1:8081;
        }

        location /x509 {
            dm_sec_auth x509;
            proxy_pass http://127.0.0.1:8081;
        }

        location /cert {
            dm_sec_client_cert_header on;
            proxy_pass http://127.0.0.1:8081;

            location /cert/basic {
                dm_sec_auth basic;
                proxy_pass http://127.0.0.1:8081;
            }

            location /cert/open {
                dm_sec_auth off;
                proxy_pass http://127.0.0.1:8081;
            }

            location /cert/off {
                dm_sec_client_cert_header off;
                proxy_pass http://127.0.0.1:8081;
            }

            location /cert/headers-off {
                dm_sec_identity_headers off;
                proxy_pass http://127.0.0.1:8081;
            }

            location /cert/try {
                try_files /none @cert;
            }
        }

        location @cert {
            dm_sec_auth               off;
            dm_sec_client_cert_header on;
            proxy_pass http://127.0.0.1:8081;
        }

        location /fastcgi {
            fastcgi_pass 127.0.0.1:8083;
        }

        location /uwsgi {
            uwsgi_pass 127.0.0.1:8084;
        }

        location /scgi {
            scgi_pass 127.0.0.1:8085;
        }

        location /grpc {
            grpc_pass 127.0.0.1:8086;
        }
    }

    # what grpc_pass sends, in the form of HTTP/1.0

    server {
        listen       127.0.0.1:8086 http2;
        server_name  localhost;

        location / {
            dm_sec_identity_headers pass;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_auth           basic;
        dm_sec_plaintext_auth on;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /open {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /off {
            dm_sec_identity_headers off;
            proxy_pass http://127.0.0.1:8081;

            location /off/on {
                dm_sec_identity_headers on;
                proxy_pass http://127.0.0.1:8081;
            }

            location /off/inside {
                proxy_pass http://127.0.0.1:8081;
            }
        }

        location /pass {
            dm_sec_identity_headers pass;
            proxy_pass http://127.0.0.1:8081;
        }

        location /try/on {
            dm_sec_identity_headers pass;
            try_files /none @on;
        }

        location /try/off {
            try_files /none @off;
        }

        location /try/pass {
            try_files /none @pass;
        }

        location /try/authorization {
            try_files /none @authorization;
        }

        location @on {
            proxy_pass http://127.0.0.1:8081;
        }

        location @off {
            dm_sec_identity_headers off;
            proxy_pass http://127.0.0.1:8081;
        }

        location @pass {
            dm_sec_auth             off;
            dm_sec_identity_headers pass;
            proxy_pass http://127.0.0.1:8081;
        }

        location @authorization {
            dm_sec_pass_authorization on;
            proxy_pass http://127.0.0.1:8081;
        }

        location /accel {
            dm_sec_pass_authorization on;
            proxy_pass http://127.0.0.1:8082;
        }

        location /authorization {
            dm_sec_pass_authorization on;
            proxy_pass http://127.0.0.1:8081;

            location /authorization/off {
                dm_sec_pass_authorization off;
                proxy_pass http://127.0.0.1:8081;
            }
        }

        location /set {
            proxy_pass http://127.0.0.1:8081;
            proxy_set_header Authorization   "Bearer own";
            proxy_set_header DM-Client-ID    "own";
            proxy_set_header X-Authorization $http_authorization;
            proxy_set_header X-Client-ID     $http_dm_client_id;
        }

        location /known {
            proxy_pass http://127.0.0.1:8081;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Known "$host|$cookie_b|$http_user_agent|$http_x";
        }

        location /mirror {
            mirror /mirrored;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /mirrored {
            internal;
            proxy_pass http://127.0.0.1:8087;
        }

        location /auth_request {
            auth_request /policy;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /policy {
            internal;
            proxy_pass http://127.0.0.1:8087;
        }
    }

    # no dm_sec directive, the same upstream

    server {
        listen       127.0.0.1:8088;
        listen       127.0.0.1:8448 ssl http2;
        server_name  localhost;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /fastcgi {
            fastcgi_pass 127.0.0.1:8083;
        }
    }
}

EOF_CONF

my $d = $t->testdir();

ca($t, 'root');
ca($t, 'middle', issuer => 'root');
ca($t, 'inner', issuer => 'middle');
cert($t, 'server', ca => 'root');
cert($t, 'alice', ca => 'root');
cert($t, 'bob', ca => 'middle');
cert($t, 'carol', ca => 'inner');
cert($t, 'nobody', ca => 'root');

store($t, realm => 'r', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'alice', '--cert', "$d/alice.crt",
    '--group', 'lab', '--group', 'field test', { password => 'pw' });
account($t, 'add', 'urn:uuid:2', '--name', 'bob', '--cert', "$d/bob.crt",
    { password => 'pw' });
account($t, 'add', "Ger\xc3\xa4t \"3\"", '--name', "k\xc3\xb6nig \\",
    '--cert', "$d/carol.crt", '--group', "b\xc3\xbcro", { password => 'pw' });

upstream($t, 8081);
upstream($t, 8082, respond => sub { "HTTP/1.1 200 OK\r\n"
    . "X-Accel-Redirect: /off/on\r\nContent-Length: 0\r\n\r\n" });
upstream($t, 8087);
gateway($t, 8083, 'fastcgi');
gateway($t, 8084, 'uwsgi');
gateway($t, 8085, 'scgi');
$t->run();

my $alice = basic('alice', 'pw');

my @alice = ('DM-Client-ID: IMEI:1', 'DM-Account-Name: alice',
    'DM-Auth-Method: basic', 'DM-Groups: lab,field test');
my @tls = ('DM-TLS-Protocol: TLSv1.3',
    'DM-TLS-Cipher: TLS_AES_128_GCM_SHA256');
my @bob = ('DM-Client-ID: urn:uuid:2', 'DM-Account-Name: bob',
    'DM-Auth-Method: x509', @tls);

my @names = qw/ DM-Client-ID DM-Account-Name DM-Auth-Method DM-Groups
    DM-TLS-Protocol DM-TLS-Cipher Client-Cert Client-Cert-Chain /;

###############################################################################

# the exact set

is_deeply(plain('/', $alice), \@alice, 'Basic');
is_deeply(tls('/', '', $alice), [ @alice, @tls ], 'Basic over TLS');
is_deeply(tls('/', 'bob'), \@bob, 'X.509, no groups');
is_deeply(tls('/', 'alice', $alice), [ @alice[0, 1],
    'DM-Auth-Method: x509', $alice[3], @tls ], 'both');
is_deeply(plain('/', basic("k\xc3\xb6nig \\", 'pw')), [
    "DM-Client-ID: Ger\xc3\xa4t \"3\"", "DM-Account-Name: k\xc3\xb6nig \\",
    'DM-Auth-Method: basic', "DM-Groups: b\xc3\xbcro" ], 'UTF-8 and quotes');

is_deeply([ @{ tls('/', '', $alice, { SSL_version => 'TLSv1_2',
    SSL_cipher_list => 'ECDHE-ECDSA-AES256-GCM-SHA384' }) }[4, 5] ],
    [ 'DM-TLS-Protocol: TLSv1.2',
    'DM-TLS-Cipher: TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384' ],
    'TLS 1.2, IANA name');

# to other kinds of upstream

my @params = ('HTTP_HOST=localhost', 'HTTP_X=1', map { cgi($_) } @bob);

foreach my $uri (qw{ /fastcgi /uwsgi /scgi }) {
    is_deeply(params(tls_response($uri, 'bob', 'X: 1', forged())),
        \@params, $uri);
}

is_deeply(tls('/grpc', 'bob', 'X: 1', forged()), [ 'x: 1',
    map { s/^([^:]+)/lc $1/er } @bob ], '/grpc');

is_deeply(params(plain_response(8088, '/fastcgi', 'X: 1', forged())),
    [ @params[0, 1] ], '/fastcgi, server without dm_sec');

###############################################################################

# forged headers: the same names to a server behind that folds them

my %variant = (
    'as they are' => sub { $_[0] },
    'lower case' => sub { lc $_[0] },
    'upper case' => sub { uc $_[0] },
    'mixed case' => sub { $_[0] =~ s/(.)(.)/\l$1\u$2/gr },
    'underscores' => sub { $_[0] =~ tr/-/_/r },
    'one underscore' => sub { $_[0] =~ s/-/_/r },
    'dots' => sub { $_[0] =~ tr/-/./r },
    'repeated' => sub { ($_[0]) x 3 },
    'both forms' => sub { ($_[0], $_[0] =~ tr/-/_/r) },
);

foreach my $name (sort keys %variant) {
    my @forged = map { "$_: forged" } map { $variant{$name}->($_) } @names;

    is_deeply(plain('/', 'X: 1', $alice, @forged, 'Y: 2'),
        [ 'X: 1', 'Y: 2', @alice ], "forged $name");
    is_deeply(plain('/open', 'X: 1', @forged, 'Y: 2'), [ 'X: 1', 'Y: 2' ],
        "forged $name, no authentication");
    is_deeply(sibling('X: 1', @forged, 'Y: 2'), [ 'X: 1', 'Y: 2' ],
        "forged $name, server without dm_sec");
}

# every octet that nginx lets through in a name

my @octets = grep { !/[0-9A-Za-z:]/ } map { chr } 0x21 .. 0x7e, 0x80 .. 0xff;

is_deeply(sibling('X: 1', map({ "DM${_}Client${_}ID: forged" } @octets),
    'Y: 2'), [ 'X: 1', 'Y: 2' ], 'every octet that folds');
is_deeply(sibling(map({ "Client-Cert${_}Chain: forged" } @octets), 'Y: 2'),
    [ 'Y: 2' ], 'every octet that folds, the last');

# names that are only like them

my @alike = map { "$_: 1" } qw/ DM-Client DM-Client-IDs XDM-Client-ID
    DM--Client-ID DMClientID DM-Client-I1 DM1Client-ID DM-Name DM
    Client-Certs Client-Cert-Chain-1 lient-Cert OMADM-DevID /;

is_deeply(plain('/', $alice, @alike), [ @alike, @alice ], 'alike');
is_deeply(sibling(@alike), \@alike, 'alike, server without dm_sec');

# a client that tells its next hop to remove them

is_deeply(plain('/', 'Connection: DM-Client-ID, DM-Groups, X', $alice,
    'DM-Client-ID: forged'), \@alice, 'named in Connection');
is_deeply(sibling('Connection: close, DM-Client-ID', 'DM-Client-ID: forged'),
    [], 'named in Connection, server without dm_sec');

# values that might end a header

is_deeply(plain('/', 'DM-Client-ID:', 'dm_groups: ', $alice), \@alice,
    'empty');

# so many headers that nginx's list has several parts

foreach my $count (1, 2, 18, 19, 20, 21, 39, 40, 41, 70) {
    foreach my $at ([ 0 ], [ int $count / 2 ], [ $count - 1 ],
        [ 0 .. $count - 1 ], [ grep { $_ % 2 } 0 .. $count - 1 ],
        [ grep { $_ < 20 } 0 .. $count - 1 ],
        [ grep { $_ >= 20 } 0 .. $count - 1 ])
    {
        many($count, @$at);
    }
}

# over HTTP/2

my @h2 = map { lc "X-$_: $_" } 1 .. 30;

is_deeply(h2(8443, @h2, forged(), $alice), [ 'user-agent: x', @h2, @alice,
    @tls ], 'HTTP/2');
is_deeply(h2(8448, @h2[0 .. 9], forged(), @h2[10 .. 29]),
    [ 'user-agent: x', @h2 ], 'HTTP/2, server without dm_sec');

# what nginx made of the others is as it was

my $body = 'b' x 40000;
my @others = ('Cookie: a=1; b=2', 'User-Agent: u', 'Range: bytes=0-',
    'X-Forwarded-For: 192.0.2.1', 'X-Forwarded-For: 192.0.2.2');

my $r = plain_response(8080, '/known', forged(), @others, 'X: 1', $alice,
    forged(), { body => $body });

is_deeply(received($r, 'X-Known'), [ 'localhost|2|u|1' ], 'known headers');
is_deeply(received($r, 'X-Forwarded-For'), [
    '192.0.2.1, 192.0.2.2, 127.0.0.1' ], 'known header of several');
is_deeply(received($r, 'Content-Length'), [ 40000 ], 'Content-Length');
is_deeply(plain('/', @others, forged(), $alice), [ @others, @alice ],
    'others unchanged');

# a DM 1.x message

upstream_clear($t, 8081);

my @dm = ('x-syncml-hmac: algorithm=MD5, username="a", mac=AAAA==',
    'OMADM-DevID: IMEI:1', 'Content-Type: application/vnd.syncml.dm+wbxml');

is_deeply(plain('/', @dm, $alice, { body => $body }), [
    'Content-Length: 40000', @dm, @alice ], 'DM message');
is((upstream_log($t, 8081))[-1]{sha256}, sha256_hex($body), 'its body');

###############################################################################

# dm_sec_identity_headers

my @forged = forged();

is_deeply(plain('/off', $alice, 'X: 1', @forged), [ 'X: 1' ], 'off');
is_deeply(plain('/off/inside', $alice, @forged), [], 'off inherited');
is_deeply(plain('/off/on', $alice, @forged), \@alice, 'on again');
is_deeply(plain('/pass', $alice, @forged), \@forged, 'pass');
is_deeply(plain('/pass', 'X: 1', @forged, $alice, 'Y: 2', @forged),
    [ 'X: 1', 'Y: 2', @forged, @forged ], 'pass twice');

# the location in which it ends decides

is_deeply(plain('/try/on', $alice, @forged), \@alice, 'redirect to on');
is_deeply(plain('/try/off', $alice, @forged), [], 'redirect to off');
is_deeply(plain('/try/pass', $alice, @forged), \@forged, 'redirect to pass');
is_deeply(plain('/accel', $alice, 'X: 1', @forged), [ 'X: 1', @alice ],
    'X-Accel-Redirect, each once');

###############################################################################

# Authorization, where Basic is accepted

my $bearer = 'Authorization: Bearer x';

is_deeply(plain('/', 'authorization: ' . substr $alice, 15), \@alice,
    'consumed, in lower case');
is_deeply(tls('/', 'bob', $bearer), \@bob, 'Bearer where Basic is accepted');
is_deeply(tls('/x509', 'bob', $bearer), [ $bearer, @bob ],
    'Bearer kept where it is not accepted');
is_deeply(tls('/x509', 'bob', $alice), [ $alice, @bob ],
    'Basic kept where it is not accepted');
is_deeply(plain('/open', $alice), [ $alice ],
    'kept where no authentication is');
is_deeply(sibling($alice), [ $alice ], 'kept in a server without dm_sec');
is_deeply(plain('/authorization', $alice), [ $alice, @alice ], 'passed');
is_deeply(plain('/authorization/off', $alice), \@alice, 'not passed inside');
is_deeply(plain('/try/authorization', $alice), [ $alice, @alice ],
    'the location in which it ends passes it');
is_deeply(plain('/try/on', $alice), \@alice, 'or does not');

$r = plain_response(8080, '/accel', $alice);
is_deeply(received($r, 'Authorization'), [], 'not behind X-Accel-Redirect');
like((upstream_log($t, 8082))[-1]{head}, qr/^\Q$alice\E\r$/m,
    'but before it');

# an operator's own headers

$r = plain_response(8080, '/set', $alice, 'DM-Client-ID: forged');
is_deeply(received($r, 'Authorization'), [ 'Bearer own' ],
    'Authorization of the configuration');
is_deeply(received($r, 'DM-Client-ID'), [ 'own' ],
    'identity of the configuration');
is_deeply(received($r, 'X-Authorization'), [], 'nothing of the client\'s');
is_deeply(received($r, 'X-Client-ID'), [ 'IMEI:1' ],
    'what is set is seen in variables');

###############################################################################

# Client-Cert and Client-Cert-Chain

my @leaf = map { 'Client-Cert: ' . der($_) } qw/ alice bob carol /;

is_deeply(tls('/cert', 'alice', forged()), [ @alice[0, 1],
    'DM-Auth-Method: x509', $alice[3], @tls, $leaf[0] ], 'no chain');
is_deeply(tls('/cert', 'bob'), [ @bob, $leaf[1],
    'Client-Cert-Chain: ' . der('middle') ], 'one intermediate');
is_deeply([ @{ tls('/cert', 'carol') }[6, 7] ], [ $leaf[2],
    'Client-Cert-Chain: ' . join ', ', der('inner'), der('middle') ],
    'two intermediates');
is_deeply(tls('/cert/off', 'bob'), \@bob, 'Client-Cert off');
is_deeply(tls('/cert/headers-off', 'bob', forged()), [],
    'Client-Cert without identity headers');
is_deeply(tls('/cert/try', 'bob'), [ @bob, $leaf[1],
    'Client-Cert-Chain: ' . der('middle') ], 'Client-Cert after a redirect');

is_deeply(tls('/cert', '', $alice, forged()), [ @alice, @tls ],
    'no certificate');
is_deeply(tls('/cert', 'nobody', $alice), [ @alice, @tls ],
    'unbound certificate');
is_deeply(tls('/cert/basic', 'bob', $alice), [ @alice, @tls ],
    'another account\'s certificate, not accepted here');
is_deeply(tls('/cert/open', 'bob', forged()), [], 'no authentication');

# a session keeps the leaf only

foreach my $version (qw/ TLSv1_2 TLSv1_3 /) {
    my %session = sessions(client('bob'), SSL_version => $version);

    https(8443, request('GET', '/'), %session);

    my ($response, $info)
        = https(8443, request('GET', '/cert'), %session);

    is($info->{reused}, 1, "resumed $version");
    is_deeply([ grep { /^Client-Cert/ } @{ lines($response) } ],
        [ $leaf[1] ], 'the certificate, no chain');
}

###############################################################################

# subrequests see the identity of their request

plain('/mirror', $alice, @forged);
wait_for(30, sub { upstream_count($t, 8087) });
is_deeply(lines((upstream_log($t, 8087))[-1]{head}), \@alice, 'mirror');

plain('/auth_request', $alice, @forged);
is_deeply(lines((upstream_log($t, 8087))[-1]{head}), \@alice,
    'auth_request');

###############################################################################

# loaded and on nowhere, the module does nothing

my $conf = $t->read_file('nginx.conf');

$conf =~ s/^\s*dm_sec_.*\n//mg;
$t->write_file('nginx.conf', $conf);

ok(reload_wait($t), 'reload');

is_deeply(plain('/', 'X: 1', @forged, $alice, 'dm_client_id: 1', 'Y: 2'),
    [ 'X: 1', @forged, $alice, 'dm_client_id: 1', 'Y: 2' ], 'not on');

undef $t;

###############################################################################

sub forged {
    return map { "$_: forged" } @names;
}

sub client {
    my ($cert) = @_;

    return $cert ? (SSL_cert_file => "$d/$cert.crt",
        SSL_key_file => "$d/$cert.key") : ();
}

# what the upstream received: header lines but those that nginx writes itself
sub lines {
    my ($text) = @_;

    # behind the head of a response is what an upstream answers: a head
    $text =~ s/^HTTP.*?\r\n\r\n//s;

    return [ grep { !/^(?:[A-Z]+ \/|Host:|Connection: close)/ }
        split /\r\n/, $text ];
}

sub received {
    my ($response, $name) = @_;

    return [ map { /^\Q$name\E: (.*)/ } @{ lines($response) } ];
}

sub params {
    my ($response) = @_;

    return [ grep { !/^CONTENT_LENGTH=/ } split /\n/,
        http_content($response) ];
}

sub cgi {
    my ($line) = @_;
    my ($name, $value) = $line =~ /^(.*?): (.*)/;

    return 'HTTP_' . uc($name =~ tr/-/_/r) . "=$value";
}

sub plain_response {
    my ($port, $uri, @lines) = @_;

    return keepalive($port)->request(request('GET', $uri, @lines)) // '';
}

sub plain {
    return lines(plain_response(8080, @_));
}

sub sibling {
    return lines(plain_response(8088, '/', @_));
}

sub tls_response {
    my ($uri, $cert, @lines) = @_;
    my ($o) = ref $lines[-1] ? pop @lines : {};

    return scalar(https(8443, request('GET', $uri, @lines), client($cert),
        %$o)) // '';
}

sub tls {
    return lines(tls_response(@_));
}

# $count headers, forged where said, on both servers
{
    my (%client);

    sub many {
        my ($count, @at) = @_;
        my (@lines, @expected);

        @lines = map { "X-$_: $_" } 1 .. $count;
        $lines[$_] = "$names[$_ % 8]: forged" foreach @at;
        @expected = grep { /^X/ } @lines;

        $client{$_} //= keepalive($_) foreach 8080, 8088;

        is_deeply(lines($client{8088}->request(request('GET', '/', @lines))),
            \@expected, "$count headers, forged @at, server without dm_sec");
        is_deeply(lines($client{8080}->request(request('GET', '/', $alice,
            @lines))), [ @expected, @alice ], "$count headers, forged @at");
    }
}

sub h2 {
    my ($port, @lines) = @_;

    return lines((run_command([ 'curl', '-sk', '--http2', '-A', 'x',
        map({ ('-H', $_) } 'Accept:', @lines),
        'https://127.0.0.1:' . port($port) . '/' ]))[1]);
}

# a certificate as a byte sequence of RFC 8941
sub der {
    my ($name) = @_;

    return ':' . join('', split /\n/, ($t->read_file("$name.crt")
        =~ /-----BEGIN CERTIFICATE-----\n(.*?)-----END/s)[0]) . ':';
}

###############################################################################
