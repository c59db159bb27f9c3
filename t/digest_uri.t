#!/usr/bin/perl

# Tests for the uri of Digest credentials: a client behind a forward proxy
# signs an absolute one, RFC 7616, section 3.4.6, in the clear, inside TLS and
# with HTTP/2; what is not what was requested is refused.

###############################################################################

use warnings;
use strict;

use Test::More;

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

# The host, the target, the uri that is signed; the statuses of Apache 2.4.71
# and lighttpd 1.4.69, as they were asked (Debian's, 30 Nov 2026): Apache looks
# at neither the scheme nor a user, and unescapes; lighttpd takes origin form
# alone.

# inputs: right
my @right = (
    [ 'dm.test', '/a?b=c', '/a?b=c', 200, 200 ],
    [ 'dm.test', '/a?b=c', 'http://dm.test/a?b=c', 200, 400 ],
    [ 'dm.test', '/a?b=c', 'https://dm.test/a?b=c', 200, 400 ],
    [ 'DM.test', '/a', 'HTTP://dm.TEST/a', 200, 400 ],
    [ 'dm.test', '/a', 'http://dm.test:80/a', 200, 400 ],
    [ 'dm.test', '/a', 'https://dm.test:443/a', 400, 400 ],
    [ 'dm.test:80', '/a', 'http://dm.test/a', 200, 400 ],
    [ 'dm.test:443', '/a', 'https://dm.test/a', 400, 400 ],
    [ 'dm.test:8080', '/a', 'http://dm.test:8080/a', 200, 400 ],
    [ '[::1]', '/a', 'http://[::1]/a', 200, 400 ],
    [ '[::1]:8080', '/a', 'http://[::1]:8080/a', 200, 400 ],
    [ 'dm.test', '/', 'http://dm.test', 400, 400 ],
    [ 'dm.test', '/?a', 'http://dm.test?a', 400, 400 ],
    [ 'dm.test', '/a%20b//c/../d', 'http://dm.test/a%20b//c/../d', 400, 400 ],

    # the request line has an absolute one, too, which goes before Host

    [ 'dm.test', 'http://dm.test/a', 'http://dm.test/a', 200, 400 ],
    [ 'dm.test', 'http://dm.test/a', '/a', 200, 200 ],
    [ 'dm.test', 'http://dm.test:80/a', 'http://DM.test/a', 200, 400 ],
    [ 'dm.test', 'http://dm.test:80/a', 'https://dm.test:80/a', 200, 400 ],
    [ 'other.test', 'http://dm.test/a', 'http://dm.test:80/a', 200, 400 ],
);

# inputs: wrong
my @wrong = (
    [ 'dm.test', '/a', 'http://other.test/a', 400, 400 ],
    [ 'dm.test', '/a', 'http://dm.test/b', 400, 400 ],
    [ 'dm.test', '/a', 'http://dm.test/a?', 400, 400 ],
    [ 'dm.test', '/a?b', 'http://dm.test/a', 400, 400 ],
    [ 'dm.test', '/a', 'http://dm.test/A', 400, 400 ],
    [ 'dm.test', '/a', 'http://dm.test/%61', 200, 400 ],
    [ 'dm.test', '/a', 'http://dm.test', 400, 400 ],
    [ 'dm.test', '/a', 'http://dm.test/a#b', 200, 400 ],
    [ 'dm.test', '/a', 'http://user@dm.test/a', 200, 400 ],
    [ 'dm.test', '/a', 'http://dm.test@other.test/a', 400, 400 ],
    [ 'dm.test', '/a', 'http://dm.test:443/a', 400, 400 ],
    [ 'dm.test', '/a', 'https://dm.test:80/a', 200, 400 ],
    [ 'dm.test', '/a', 'http://dm.test:8080/a', 400, 400 ],
    [ 'dm.test:8080', '/a', 'http://dm.test/a', 400, 400 ],
    [ 'dm.test:8080', '/a', 'http://dm.test:8081/a', 400, 400 ],
    [ '[::1]', '/a', 'http://[::2]/a', 400, 400 ],
    [ 'dm.test', '/a', 'ftp://dm.test/a', 200, 400 ],
    [ 'dm.test', '/a', '//dm.test/a', 200, 400 ],
    [ 'dm.test', '/a', 'dm.test/a', 400, 400 ],
    [ 'dm.test', '/a', 'http:///a', 200, 400 ],
    [ 'other.test', 'http://dm.test/a', 'http://other.test/a', 400, 400 ],
    [ 'dm.test', 'http://dm.test/a', 'http://dm.test/b', 400, 400 ],
);
# inputs end

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl http_v2 proxy realip socket_ssl/)
    ->plan(2 * 4 * @right + 2 * 3 * @wrong + 15);

conf($t, <<'EOF_HTTP');

error_log        %%TESTDIR%%/error.log info;
dm_sec_lockout   attempts=3 window=1d duration=1d;
dm_sec_log_limit off;

ssl_certificate     server.crt;
ssl_certificate_key server.key;

dm_sec_auth digest;

server {
    listen       127.0.0.1:8080;
    server_name  localhost;

    dm_sec_plaintext_auth on;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }

    location /status {
        dm_sec_auth   off;
        dm_sec_status json;
        allow         127.0.0.1;
        deny          all;
    }
}

server {
    listen       127.0.0.1:8443 ssl http2;
    server_name  localhost;

    dm_sec_profile modern;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }
}

EOF_HTTP

ca($t, 'ca');
cert($t, 'server', ca => 'ca', key => 'ec');

store($t, realm => 'dm.example', args => [ '--map-size', '2m' ]);
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'secret' });

upstream($t, 8081);
$t->run();

my %alice = (user => 'alice', password => 'secret', cnonce => 'c');

# a nonce that has no count used up yet, for all that is refused below
my ($unused) = challenge(8080);

###############################################################################

foreach my $port (8080, 8443) {
    foreach (@right) {
        my ($host, $target, $uri) = @$_;
        my ($c) = challenge($port);
        my %o = (%alice, uri => $uri);

        my $r = ask($port, $host, $target, digest($c, %o));

        is(verdict($t, $r, 8081), '200 upstream',
            "$port, $target at $host, $uri");
        like($r, qr/rspauth="@{[ rspauth($c, %o) ]}"/,
            "$port, $uri: rspauth has it, too");

        $r = ask($port, $host, $target, digest($c, %o));
        is(verdict($t, $r, 8081), '401 replay', "$port, $uri: again");

        # another spelling of the same target has no count of its own
        $r = ask($port, $host, $target, digest($c, %alice,
            uri => $target));
        is(verdict($t, $r, 8081), '401 replay', "$port, $uri: as $target");
    }

    foreach (@wrong) {
        my ($host, $target, $uri) = @$_;
        my $r = ask($port, $host, $target, digest($unused, %alice,
            uri => $uri));

        is(verdict($t, $r, 8081), '400 malformed',
            "$port, $target at $host, not $uri");
        is(scalar(challenges($r)), 0, "$port, not $uri: no challenge");
        is(status_json()->{cells_used}{failures}, 0, "not $uri: not counted");
    }
}

# their count was not used up

my $r = ask(8080, 'localhost', '/', digest($unused, %alice, uri => '/'));
is(verdict($t, $r, 8081), '200 upstream', 'the nonce of what was refused');

# what is not what was hashed counts, in either form

foreach my $uri ('/a', 'http://localhost/a') {
    my ($c) = challenge(8080);

    $r = ask(8080, 'localhost', '/a', digest($c, %alice, uri => '/b',
        set => { uri => $uri }));
    is(verdict($t, $r, 8081), '401 bad_credentials', "$uri, /b hashed");
}

is(status_json()->{cells_used}{failures}, 1, 'one failure counter for both');

# HTTP/1.0 without a Host has none to compare with

my ($c) = challenge(8080);
my $line = digest($c, %alice, uri => 'http://localhost/a');

$r = keepalive(8080)->request("GET /a HTTP/1.0\r\n$line\r\n\r\n");
is(verdict($t, $r, 8081), '400 malformed', 'HTTP/1.0, no Host');

$r = keepalive(8080)->request("GET /a HTTP/1.0\r\nHost: localhost\r\n"
    . "$line\r\n\r\n");
is(verdict($t, $r, 8081), '200 upstream', 'HTTP/1.0, Host');

# HTTP/2: the authority is what Host is

foreach ([ 'https://localhost/a?b', 200 ], [ 'http://LOCALHOST:80/a?b', 200 ],
    [ '/a?b', 200 ], [ 'https://other.test/a?b', 400 ],
    [ 'https://localhost/a', 400 ], [ 'https://localhost:80/a?b', 400 ],
    [ 'https://user@localhost/a?b', 400 ])
{
    my ($uri, $status) = @$_;
    my ($c) = challenge(8443);
    my ($h) = Test::DmSec::HTTP2->new(8443, SSL => 1);

    is($h->status($h->request('/a?b', digest($c, %alice, uri => $uri))),
        $status, "HTTP/2, $uri");
    $h->close();
}

upstream_clear($t, 8081);
($c) = challenge(8080);

# a redirect within nginx changes nothing of what was requested

$r = ask(8080, 'dm.test', '/x/../a', digest($c, %alice,
    uri => 'http://dm.test/x/../a'));
is(status($r), 200, 'a path that nginx shortens');

$r = ask(8080, 'dm.test', '/x/../a', digest($c, %alice, nc => 2,
    uri => 'http://dm.test/a'));
is(status($r), 400, 'as it was not sent');

undef $t;

###############################################################################

sub ask {
    my ($port, $host, $target, @lines) = @_;

    return scalar keepalive($port, $port == 8443 ? (SSL => 1) : ())
        ->request(request('GET', $target, @lines, { host => $host }));
}

# of SHA-256; that refusal is no verdict of an input
sub challenge {
    my ($port) = @_;
    my ($c) = grep { $_->{algorithm} eq 'SHA-256' }
        challenges(ask($port, 'localhost', '/'));

    verdict($t, undef, 8081);

    return $c;
}

###############################################################################
