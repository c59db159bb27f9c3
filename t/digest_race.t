#!/usr/bin/perl

# Tests for many requests with one nonce while it is answered first, and while
# it expires.

###############################################################################

use warnings;
use strict;

use Test::More;

use List::Util qw/ shuffle /;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Attack qw/ FULL counts devices figure fresh /;
use Test::DmSec::Burst qw/ burst together /;
use Test::DmSec::Clock;
use Test::DmSec::Session qw/ outcome /;

###############################################################################

use constant {
    REQUESTS => FULL ? 60_000 : 3000,
    EXPIRE => 200,          # requests, after which the clock goes on
    STREAMS => 4,           # nonces at a time
    LIFETIME => 3600,       # of a nonce
    ROUNDS => FULL ? 60 : 4,
    LIMIT => 900,           # seconds, less than a nonce lives
};

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy upstream_keepalive/);
my $clock = Test::DmSec::Clock->new($t);

$t->plan(8);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

env FAKETIME_TIMESTAMP_FILE;
env FAKETIME_NO_CACHE;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/error.log warn;
    access_log off;

    dm_sec_account_store         %%TESTDIR%%/store;
    dm_sec_store_key             %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth        on;
    dm_sec_digest_nonce_lifetime 1h;

    # the clock jumps: nothing else than nonces expires
    keepalive_requests    10000000;
    keepalive_timeout     100d;
    keepalive_time        100d;
    client_header_timeout 100d;
    send_timeout          100d;
    proxy_connect_timeout 100d;
    proxy_send_timeout    100d;
    proxy_read_timeout    100d;

    upstream dm {
        server 127.0.0.1:8081;
        keepalive 16;
    }

    server {
        listen       127.0.0.1:8080 reuseport;
        server_name  localhost;

        location / {
            dm_sec_auth digest;
            proxy_pass http://dm;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }
}

EOF_CONF

store($t, realm => 'dm.example');
devices($t, STREAMS);

upstream($t, 8081);
$clock->run($t);

my @workers = workers($t);

###############################################################################

# Some nonces at a time, each used on many connections at once, until one of
# the answers is stale and has the next nonce.

my ($nonces, $i, %outcome, %again, @accepted) = (0, 0);
my @session = map { fresh($_) } 0 .. STREAMS - 1;

burst(8080, \&next_request, \&next_answer, connections => 32, depth => 3,
    timeout => LIMIT);

is_deeply([ sort keys %outcome ], [ 200, 'stale' ], 'accepted or stale');
cmp_ok($nonces, '>=', STREAMS * (REQUESTS / EXPIRE - 1),
    'many nonces expired');
is(upstream_count($t, 8081), $outcome{200}, 'what was accepted came there');

# all that was accepted, again: most of it is expired, the last is not

burst(8080, sub { shift @accepted }, sub { $again{outcome($_[1])}++ },
    timeout => LIMIT);

is_deeply(\%again, { stale => $outcome{200} }, 'and never again');

###############################################################################

# one nonce, 64 of its counts, each twice, in the moment in which it expires

my %expiring;

foreach my $round (1 .. ROUNDS) {
    my $session = fresh(0);
    my @requests = map { $session->next_request() } 1 .. 64;

    # the first half is there before, so that there is something to remove

    together($t, 8080, @requests[0 .. 31]);

    $expiring{outcome($_)}++
        foreach together($t, 8080, shuffle(@requests, @requests), sub {
            # pause: the end may come before or behind them
            sleep(rand 0.02);
            $clock->pass(LIFETIME + 1);
        });
}

cmp_ok($expiring{stale}, '>=', 96 * ROUNDS, 'expiring: what is used is stale');
is($expiring{stale} + ($expiring{200} // 0), 128 * ROUNDS,
    'expiring: the rest is accepted, or stale too');

is_deeply([ upstream_repeated($t, 8081) ], [], 'none came there twice');
is_deeply([ sort(workers($t)) ], [ sort @workers ], 'no worker died');

figure('%d counts of %d nonces: %s; in the moment of expiry: %s',
    $i, $nonces, map { counts($_) } \%outcome, \%expiring);

###############################################################################

# of one session after another
sub next_request {
    my ($s) = $session[$i % STREAMS];

    return if $i == REQUESTS;

    $clock->pass(LIFETIME + 1) if ++$i % EXPIRE == 0;

    return [ $s->next_request(), $s, $s->{challenge} ];
}

sub next_answer {
    my ($sent, $response) = @_;
    my ($request, $s, $challenge) = @$sent;
    my ($outcome) = outcome($response);

    $outcome{$outcome}++;
    push @accepted, $request if $outcome eq '200';

    # the first that says so brings the nonce for all

    if ($outcome eq 'stale' && $s->{challenge} == $challenge) {
        $s->renew($response);
        $nonces++;
    }
}

###############################################################################
