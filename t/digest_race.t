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

###############################################################################

use constant FULL => $ENV{DM_SEC_FULL};

use constant {
    SECONDS => FULL ? 60 : 2,
    STREAMS => 4,           # nonces at a time
    ROUNDS => FULL ? 30 : 3,
};

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy upstream_keepalive/)
    ->plan(9);

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

my ($end, %status, %again, @accepted) = (time() + SECONDS);
my ($unlike, $nonces, $i) = (0, 0, 0);
my @stream = map { { number => $_ } } 0 .. STREAMS - 1;

burst(8080, \&next_request, \&next_answer, connections => 32, depth => 3,
    timeout => SECONDS + 30);

is_deeply([ sort keys %status ], [ 200, 401 ], 'accepted or refused');
is($unlike, 0, 'each refusal is stale');
cmp_ok($nonces, '>', STREAMS * SECONDS, 'many nonces expired');
is(once(), $status{200}, 'each count came to the upstream once');

# all that was accepted, again: most of it is expired, the last may not be

burst(8080, sub { shift @accepted }, sub { $again{status($_[1])}++ },
    timeout => SECONDS + 30);

is_deeply(\%again, { 401 => $status{200} }, 'and never again');

###############################################################################

# one nonce, 64 of its counts in the moment in which it expires

my (%expiring, @bad);

foreach my $round (1 .. ROUNDS) {
    my ($challenge) = challenges(ask(request('GET', '/')));
    my $end = time() + 0.5;
    my @requests = map { answer($challenge, 0, "/expiring/$round", $_) }
        1 .. 64;

    # the first half is there before, so that there is something to remove

    together($t, 8080, @requests[0 .. 31]);

    sleep($end - time() - 0.02 + rand 0.03) if $end > time();

    foreach my $response (together($t, 8080, shuffle @requests)) {
        $expiring{status($response)}++;
        push @bad, $response if status($response) != 200
            && !(status($response) == 401 && is_stale($response));
    }
}

is(scalar @bad, 0, 'expiring: each answer is 200, or 401 and stale')
    or diag($bad[0]);
cmp_ok($expiring{401}, '>=', 32 * ROUNDS, 'expiring: what was used is refused');
is(once(), upstream_count($t, 8081), 'expiring: each count came once');

is_deeply([ sort(workers($t)) ], [ sort @workers ], 'no worker died');

diag(sprintf '%d counts of %d nonces of %d ms, accepted %d, stale %d; '
    . 'in the moment of expiry: %s', $i, $nonces, 500, @status{qw/ 200 401 /},
    join ', ', map { "$_ x $expiring{$_}" } sort keys %expiring) if FULL;

###############################################################################

sub ask {
    my ($request) = @_;
    my ($client) = keepalive(8080);
    my ($response) = $client->request($request);

    $client->close();

    return $response;
}

sub answer {
    my ($challenge, $n, $uri, $nc) = @_;

    return request('GET', "$uri/$nc", digest($challenge, user => "device$n",
        password => "pw$n", uri => "$uri/$nc", nc => $nc));
}

# of one stream after another
sub next_request {
    my ($s) = $stream[$i++ % STREAMS];

    return if time() > $end;

    $s->{challenge} ||= (challenges(ask(request('GET', '/'))))[0];

    return [ answer($s->{challenge}, $s->{number},
        "/$s->{number}/" . ($s->{nonce} // 0), ++$s->{nc}), $s,
        $s->{challenge} ];
}

sub next_answer {
    my ($sent, $response) = @_;
    my ($request, $s, $challenge) = @$sent;

    $status{status($response)}++;

    if (status($response) == 200) {
        push @accepted, $request;
        return;
    }

    $unlike++ if !is_stale($response);

    # the first that says so brings the nonce for all

    if ($s->{challenge} == $challenge) {
        ($s->{challenge}) = challenges($response);
        $s->{nonce}++;
        $s->{nc} = 0;
        $nonces++;
    }
}

sub is_stale {
    return ((challenges($_[0]))[0]->{stale} // '') eq 'true';
}

# the number of requests at the upstream if each has a URI of its own
sub once {
    my (%times);

    $times{$_->{uri}}++ foreach upstream_log($t, 8081);

    return (grep { $_ > 1 } values %times) ? 'some twice' : keys %times;
}

###############################################################################
