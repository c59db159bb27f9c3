#!/usr/bin/perl

# Tests for many requests with one nonce while it is answered first, and while
# it expires.

###############################################################################

use warnings;
use strict;

use Test::More;

use List::Util qw/ shuffle /;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Burst qw/ burst together /;
use Test::DmSec::Session qw/ outcome /;

###############################################################################

use constant FULL => $ENV{DM_SEC_FULL};

use constant {
    SECONDS => FULL ? 30 : 2,
    STREAMS => 4,           # nonces at a time
    LIFETIME => 0.5,        # of a nonce
    ROUNDS => FULL ? 60 : 4,
};

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy upstream_keepalive/)
    ->plan(8);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/error.log warn;
    access_log off;

    dm_sec_account_store         %%TESTDIR%%/store;
    dm_sec_store_key             %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth        on;
    dm_sec_digest_nonce_lifetime 500ms;

    keepalive_requests 10000000;

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
account($t, 'add', "IMEI:$_", '--name', "device$_", { password => "pw$_" })
    for 0 .. STREAMS - 1;

upstream($t, 8081);
$t->run();

my @workers = workers($t);

###############################################################################

# Some nonces at a time, each used on many connections at once, until one of
# the answers is stale and has the next nonce.

my ($end, $nonces, $i, %outcome, %again, @accepted) = (time() + SECONDS, 0, 0);
my @session = map { session($_) } 0 .. STREAMS - 1;

burst(8080, \&next_request, \&next_answer, connections => 32, depth => 3,
    timeout => SECONDS + 30);

is_deeply([ sort keys %outcome ], [ 200, 'stale' ], 'accepted or stale');
cmp_ok($nonces, '>', STREAMS * SECONDS, 'many nonces expired');
is(upstream_count($t, 8081), $outcome{200}, 'what was accepted came there');

# all that was accepted, again: most of it is expired, the last may not be

burst(8080, sub { shift @accepted }, sub { $again{outcome($_[1])}++ },
    timeout => SECONDS + 30);

is_deeply(\%again, { stale => $outcome{200} }, 'and never again');

###############################################################################

# one nonce, 64 of its counts, each twice, in the moment in which it expires

my %expiring;

foreach my $round (1 .. ROUNDS) {
    my $session = session(0);
    my $end = time() + LIFETIME;
    my @requests = map { $session->next_request() } 1 .. 64;

    # the first half is there before, so that there is something to remove

    together($t, 8080, @requests[0 .. 31]);

    my $pause = $end - time() - rand 0.2;
    # pause: the end may come before or behind them
    sleep($pause) if $pause > 0;

    $expiring{outcome($_)}++
        foreach together($t, 8080, shuffle @requests, @requests);
}

cmp_ok($expiring{stale}, '>=', 96 * ROUNDS, 'expiring: what is used is stale');
is($expiring{stale} + ($expiring{200} // 0), 128 * ROUNDS,
    'expiring: the rest is accepted, or stale too');

is_deeply([ upstream_repeated($t, 8081) ], [], 'none came there twice');
is_deeply([ sort(workers($t)) ], [ sort @workers ], 'no worker died');

diag(sprintf '%d counts of %d nonces that live 500 ms: %s; in the moment '
    . 'of expiry: %s', $i, $nonces, map { counts($_) } \%outcome, \%expiring)
    if FULL;

###############################################################################

sub counts {
    my ($counts) = @_;

    return join ', ', map { "$_ x $counts->{$_}" } sort keys %$counts;
}

# with a challenge that nobody has answered
sub session {
    my ($n) = @_;

    return Test::DmSec::Session->new(user => "device$n",
        password => "pw$n")->renew(http_get('/'));
}

# of one session after another
sub next_request {
    my ($s) = $session[$i % STREAMS];

    return if time() > $end;

    $i++;

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
