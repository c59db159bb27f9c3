#!/usr/bin/perl

# Tests for dm_sec_digest_qop auth-int: the body is hashed as it arrives, in
# whatever form, and goes upstream unchanged.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::SHA qw/ sha256_hex /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl http_v2 access mirror proxy/)
    ->has(qw/socket_ssl/)->has_daemon('openssl')->has_daemon('curl')->plan(129);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_log_limit      100000/s;
    dm_sec_lockout        attempts=3;
    dm_sec_auth           digest;
    dm_sec_digest_qop     auth-int;

    dm_sec_digest_algorithms SHA-256 SHA-512-256 MD5;

    client_max_body_size    200k;
    client_body_buffer_size 8k;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_plaintext_auth on;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /both {
            dm_sec_digest_qop auth auth-int;
            proxy_pass http://127.0.0.1:8081;
        }

        location /unbuffered {
            proxy_pass http://127.0.0.1:8081;
            proxy_request_buffering off;
            proxy_http_version 1.1;
        }

        location /file {
            client_body_in_file_only clean;
            proxy_pass http://127.0.0.1:8081;
        }

        location /single {
            client_body_in_single_buffer on;
            client_body_buffer_size 200k;
            proxy_pass http://127.0.0.1:8081;
        }

        location /named {
            try_files /nothing @named;
        }

        location @named {
            proxy_pass http://127.0.0.1:8081;
        }

        location /group {
            dm_sec_groups nobody;
            proxy_pass http://127.0.0.1:8081;
        }

        location /mirror {
            mirror /mirrored;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /mirrored {
            internal;
            proxy_pass http://127.0.0.1:8083;
        }

        location /any {
            satisfy any;
            deny all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /any/allowed {
            satisfy any;
            allow all;
            proxy_pass http://127.0.0.1:8081;
        }

        # of its body not all has come
        location /broken {
            error_page 400 413 = @named;
            proxy_pass http://127.0.0.1:8081;
        }

        # its body is gone when the next one would hash it
        location /first {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8082/accel;
        }

        location /second {
            internal;
            proxy_pass http://127.0.0.1:8081;
        }

    }

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        dm_sec_auth off;

        location / {
            add_header X-Accel-Redirect /second;
            return 200;
        }
    }

    server {
        listen       127.0.0.1:8443 ssl http2;
        server_name  localhost;

        ssl_certificate      server.crt;
        ssl_certificate_key  server.key;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

ca($t, 'root');
cert($t, 'server', ca => 'root');

store($t, realm => 'dm.example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'secret' });

upstream($t, 8081);
upstream($t, 8083);
$t->run();

my ($r, $c);

# longer than what nginx keeps in memory, and with every octet
my $large = join '', map { chr($_ * 7 % 256) x ($_ % 13 + 1) } 1 .. 20000;

###############################################################################

is((challenge('/'))[0]{qop}, 'auth-int', 'auth-int alone');
is((challenge('/both'))[0]{qop}, 'auth,auth-int', 'both');
is((challenge('/both'))[-1]{qop}, 'auth', 'both: the last one is auth alone');

# each algorithm, with and without a body; the body arrives as it was sent

foreach my $algorithm (qw/ SHA-256 SHA-512-256 MD5 /) {
    foreach my $body (undef, '', 'x', $large) {
        my $what = "$algorithm, " . (defined $body ? length $body : 'no')
            . ' octets';

        $r = post('/', $body, algorithm => $algorithm);
        is(verdict($t, $r, 8081), '200 upstream', $what);
        is(received(), sha256_hex($body // ''), "$what: unchanged");
        is(header($r, 'Authentication-Info'), undef, "$what: no info");
    }
}

# in whatever way nginx reads it

foreach my $uri (qw/ both unbuffered file single named /) {
    foreach my $body ('', 'some octets', $large) {
        $r = post("/$uri", $body);
        is(verdict($t, $r, 8081), '200 upstream',
            "/$uri, " . length($body) . ' octets');
        is(received(), sha256_hex($body), "/$uri: unchanged");
    }
}

foreach my $size (1, 100, 50000) {
    $r = post('/', $large, chunks => $size);
    is(verdict($t, $r, 8081), '200 upstream', "chunks of $size octets");
    is(received(), sha256_hex($large), 'unchanged');
}

$r = post('/', $large, slowly => 1);
is(verdict($t, $r, 8081), '200 upstream', 'in pieces, with pauses');

# a client that waits to be told to send it

# pause: the body may come at any time
$r = http(request('POST', '/', answer('/', $large), 'Connection: close',
    'Expect: 100-continue', 'Content-Length: ' . length $large),
    body => $large, sleep => 0.2);
like($r, qr!^HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 !, 'Expect');
is(verdict($t, undef, 8081), '0 upstream', 'Expect: upstream');
is(received(), sha256_hex($large), 'Expect: unchanged');

# beside what else asks for the body, or lets in

$r = post('/mirror', $large);
is(verdict($t, $r, 8081), '200 upstream', 'mirror');
is(received(), sha256_hex($large), 'mirror: unchanged');
ok(wait_for(30, sub { upstream_count($t, 8083) }), 'mirror: sent twice');
is(received(8083), sha256_hex($large), 'mirror: unchanged there, too');

$r = post('/any', $large);
is(verdict($t, $r, 8081), '200 upstream', 'satisfy any');
is(received(), sha256_hex($large), 'satisfy any: unchanged');
$r = post('/any', 'other', hashed => 'body');
is(verdict($t, $r, 8081), '401 bad_credentials', 'satisfy any, another body');
$r = post('/any/allowed', 'other', hashed => 'body');
is(verdict($t, $r, 8081), '200 bad_credentials upstream',
    'satisfy any, another body, allowed');
is((upstream_log($t, 8081))[-1]{head} =~ /DM-Client-ID/i, '',
    'but as nobody');
account($t, 'unlock', 'IMEI:1');

# auth where both are accepted, and only there

$r = post('/both', 'body', qop => 'auth');
is(verdict($t, $r, 8081), '200 upstream', 'auth where it is accepted');
like(header($r, 'Authentication-Info'), qr/^rspauth="[0-9a-f]{64}"/,
    'auth: with info');

$r = post('/', 'body', qop => 'auth');
is(verdict($t, $r, 8081), '401 malformed', 'auth where it is not');

# another body, a truncated and a longer one, one where there was none

foreach ([ 'body', 'Body' ], [ 'body', 'bod' ], [ 'body', 'body2' ],
    [ '', 'body' ], [ 'body', '' ], [ 'body', undef ])
{
    my ($hashed, $sent) = @$_;

    $r = post('/', $sent, hashed => $hashed);
    is(verdict($t, $r, 8081), '401 bad_credentials',
        "hashed \"$hashed\", sent " . ($sent // 'none'));

    account($t, 'unlock', 'IMEI:1');
}

# a wrong answer does not leave the connection in pieces

$c = keepalive(8080);
$r = $c->request(request('POST', '/', answer('/', $large,
    password => 'wrong'), { body => $large }));
is(verdict($t, $r, 8081), '401 bad_credentials', 'wrong password');
$r = $c->request(request('POST', '/', answer('/', $large),
    { body => $large }));
is(verdict($t, $r, 8081), '200 upstream', 'right one on the same connection');
$r = $c->request(request('GET', '/', answer('/', undef, method => 'GET')));
is(verdict($t, $r, 8081), '200 upstream', 'and another');
$c->close();

# replayed, stale, and what the account's state makes of it

my $line = answer('/', 'body');
is(verdict($t, send_once('/', 'body', $line), 8081), '200 upstream', 'once');
$r = send_once('/', 'body', $line);
is(verdict($t, $r, 8081), '401 replay', 'twice');
is((challenges($r))[0]{stale}, 'true', 'twice: stale');

$r = post('/', 'body', nonce => 'x' x 64);
is(verdict($t, $r, 8081), '401 stale_nonce', 'foreign nonce');

$r = post('/', 'other', nonce => 'x' x 64, hashed => 'body');
is(verdict($t, $r, 8081), '401 bad_credentials', 'foreign nonce and body');

$r = post('/group', 'body');
is(verdict($t, $r, 8081), '403 group', 'not in the group');

# locked before a body is read

account($t, 'unlock', 'IMEI:1');
post('/', 'body', password => 'guess') foreach 1 .. 3;
$line = answer('/', 'body');
$c = keepalive(8080);
verdict($t, undef, 8081);
$c->send(request('POST', '/', 'Content-Length: 100000', $line));
is(verdict($t, $c->response(), 8081), '429 locked', 'before it was sent');
$c->close();
account($t, 'unlock', 'IMEI:1');

# limits and clients that go away are nginx's

$r = post('/', 'x' x 300_000);
is(verdict($t, $r, 8081), '413', 'longer than client_max_body_size');

$r = post('/', 'x' x 300_000, chunks => 50_000);
is(verdict($t, $r, 8081), '413', 'the same in chunks');

$c = keepalive(8080);
$c->send(request('POST', '/', 'Content-Length: 100', answer('/', 'body'))
    . 'only this');
$c->close();
is(status(post('/', 'body')), 200, 'after one that went away');
verdict($t, undef, 8081);

# what came of a body is not the body

foreach my $hashed ('', 'begin', 'x') {
    $c = keepalive(8080);
    $c->send(request('POST', '/broken', answer('/broken', $hashed,
        from => '/'), 'Transfer-Encoding: chunked') . "5\r\nbegin\r\n");
    # pause: polls, or the body may come at any time
    select undef, undef, undef, 0.1;
    $c->send("?\r\n");
    is(verdict($t, $c->response(), 8081), '503 store_unavailable',
        "malformed after \"begin\", the hash of \"$hashed\"");
    $c->close();
}

# a body that another location's upstream took

$r = post('/first', 'body', from => '/');
is(verdict($t, $r, 8081), '503 store_unavailable', 'read before a redirect');
like(join("\n", log_lines($t, qr/auth-int cannot be verified/)),
    qr/body was read before an internal redirect/, 'and it is said why');

# HTTP/2

foreach my $body ('body', $large) {
    $t->write_file('body', $body);

    is(h2(answer('/', $body)), '200 2', 'HTTP/2');
    is(received(), sha256_hex($body), 'HTTP/2: unchanged');

    # of no length that would be known before
    is(h2(answer('/', $body), stdin => $body), '200 2',
        'HTTP/2, no length');
    is(received(), sha256_hex($body), 'HTTP/2, no length: unchanged');

    my $count = upstream_count($t, 8081);

    is(h2(answer('/', "$body.")), '401 2', 'HTTP/2, another body');
    is(h2(answer('/', "$body."), stdin => $body), '401 2',
        'HTTP/2, another body, no length');
    is(upstream_count($t, 8081), $count, 'HTTP/2, another body: no upstream');

    account($t, 'unlock', 'IMEI:1');
}

undef $t;

###############################################################################

sub challenge {
    return challenges(http_get($_[0]));
}

# the header line for a body that is about to be sent
sub answer {
    my ($uri, $body, %o) = @_;
    my ($algorithm) = delete $o{algorithm} // 'SHA-256';
    my ($challenge);

    ($challenge) = grep { $_->{algorithm} eq $algorithm }
        challenge(delete $o{from} // '/');
    $challenge->{nonce} = delete $o{nonce} if $o{nonce};
    verdict($t, undef);

    return digest($challenge, method => 'POST', uri => $uri, user => 'alice',
        password => 'secret', qop => 'auth-int', body => $body, %o);
}

sub post {
    my ($uri, $body, %o) = @_;
    my ($chunks, $slowly) = delete @o{qw/ chunks slowly /};
    my ($hashed) = exists $o{hashed} ? delete $o{hashed} : $body;
    my ($client, $line, $response);

    $line = answer($uri, $hashed, %o);

    return send_once($uri, $body, $line) if !$chunks && !$slowly;

    $client = keepalive(8080);

    if ($chunks) {
        $client->send(request('POST', $uri, $line,
            'Transfer-Encoding: chunked') . join('',
            map { sprintf "%x\r\n%s\r\n", length $_, $_ }
            unpack("(a$chunks)*", $body), ''));

    } else {
        $client->send(request('POST', $uri, $line,
            'Content-Length: ' . length $body));

        foreach (unpack '(a20000)*', $body) {
            $client->send($_);
            # pause: the body may come at any time
            select undef, undef, undef, 0.02;
        }
    }

    $response = $client->response();
    $client->close();

    return $response;
}

sub send_once {
    my ($uri, $body, $line) = @_;
    my ($client) = keepalive(8080);

    my $response = $client->request(request('POST', $uri, $line,
        { body => $body }));
    $client->close();

    return $response;
}

# the hash of the body that the upstream got last
sub received {
    return (upstream_log($t, $_[0] // 8081))[-1]{sha256};
}

# where the length is not known before, it is read from a pipe
sub h2 {
    my ($line, @pipe) = @_;
    my (@send) = @pipe ? (qw/ -X POST -T - /)
        : ('--data-binary', '@' . $t->testdir() . '/body');

    return (run_command([ 'curl', '-s', '-k', '--http2', '--max-time', 60,
        '-H', $line, @send, '-o', '/dev/null',
        '-w', '%{http_code} %{http_version}',
        'https://127.0.0.1:' . port(8443) . '/' ], @pipe))[1];
}

###############################################################################
