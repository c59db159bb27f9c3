#!/usr/bin/perl

# Attacks on Digest: what was recorded is sent again, counts of one nonce come
# all at once, and a flood asks for nonces.
#
# DM_SEC_FULL=1 makes them as large as "make test-attack" has them, and minutes
# long; the figures are printed then.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP qw/ decode_json /;
use List::Util qw/ shuffle sum0 /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;
use Test::DmSec::Burst qw/ burst together /;

###############################################################################

use constant FULL => $ENV{DM_SEC_FULL};

use constant {
    RECORDED => FULL ? 100_000 : 2000,
    COUNTS => 50,               # of a nonce
    FLOOD => FULL ? 1_000_000 : 5000,
    ROUNDS => FULL ? 100 : 3,
    LIMIT => FULL ? 600 : 60,   # seconds, of each attack
};

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy upstream_keepalive/)
    ->plan(22);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/error.log warn;
    access_log off;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;
    dm_sec_lockout        off;

    keepalive_requests 10000000;

    upstream dm {
        server 127.0.0.1:8081;
        keepalive 16;
    }

    server {
        listen       127.0.0.1:8080 reuseport;
        server_name  localhost;

        add_header X-Worker $pid always;

        location / {
            dm_sec_auth digest;
            proxy_pass http://dm;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }

        location /status {
            dm_sec_status json;
            allow 127.0.0.1;
            deny all;
        }
    }
}

EOF_CONF

store($t, realm => 'dm.example');
account($t, 'add', "IMEI:$_", '--name', "device$_", { password => "pw$_" })
    for 0 .. 4;

upstream($t, 8081);
$t->run();

my $workers = workers($t);

###############################################################################

# What was accepted is sent again, in another order, to all workers: several
# accounts, all algorithms, many nonces with many counts each.

my @recorded = answers(RECORDED / COUNTS);
my %seen = replies(@recorded);

is_deeply($seen{status}, { 200 => RECORDED }, 'each count is accepted');
is(upstream_count($t, 8081), RECORDED, 'and all come to the upstream');

figure('%d requests accepted in %.1f s, by %d workers', RECORDED,
    $seen{seconds}, scalar keys %{ $seen{worker} });

my $before = page();

%seen = replies(shuffle @recorded);

my $denied = page()->{denied};
$denied->{$_} -= $before->{denied}{$_} foreach keys %$denied;

is_deeply($seen{status}, { 401 => RECORDED }, 'replays: none is accepted');
is($seen{stale}, RECORDED, 'replays: each is stale');
is($denied->{replay} + $denied->{stale_nonce}, RECORDED, 'replays: reason');
is(upstream_count($t, 8081), RECORDED, 'replays: upstream not contacted');
is(scalar keys %{ $seen{worker} }, $workers, 'replays: all workers saw some');

figure('%d replays in %.1f s, by %d workers: %s; reason replay %d, '
    . 'stale_nonce %d', RECORDED, $seen{seconds},
    scalar keys %{ $seen{worker} }, counts($seen{status}),
    @{$denied}{qw/ replay stale_nonce /});

# the same count with another cnonce is the same count

my $challenge = fresh();
my %answer = (user => 'device1', password => 'pw1', uri => '/again');

is(status(ask('/again', digest($challenge, %answer, cnonce => 'a'))), 200,
    'a count');
is(status(ask('/again', digest($challenge, %answer, cnonce => 'b'))), 401,
    'the same with another cnonce');

###############################################################################

# All counts that the window holds, in any order, at once, on as many
# connections; then each of them once more.

my (%first, %again, %worker);

foreach my $round (1 .. ROUNDS) {
    my $challenge = fresh();
    my @requests = map { answer($challenge, $round % 5, "/window/$round", $_) }
        shuffle 1 .. 128;
    my @responses = together($t, 8080, @requests);

    $first{status($_)}++ foreach @responses;
    $worker{header($_, 'X-Worker') // '-'}++ foreach @responses;
    $again{status($_)}++ foreach together($t, 8080, shuffle @requests);
}

is_deeply(\%first, { 200 => 128 * ROUNDS }, '128 counts at once');
is_deeply(\%again, { 401 => 128 * ROUNDS }, '128 counts again');
is(scalar(keys %worker), $workers, '128 counts: all workers saw some');
is(once(qr{^/window/}), 128 * ROUNDS, '128 counts: once each');

figure('128 counts at once, %d times: %s; again: %s', ROUNDS,
    counts(\%first), counts(\%again));

# one count, 64 times at once

%first = ();

foreach my $round (1 .. ROUNDS) {
    my $request = answer(fresh(), $round % 5, "/one/$round", 1);
    $first{join ',', sort map { status($_) }
        together($t, 8080, ($request) x 64)}++;
}

is_deeply(\%first, { join(',', 200, (401) x 63) => ROUNDS },
    'one count 64 times at once: one is accepted');
is(once(qr{^/one/}), ROUNDS, 'one count: once at the upstream');

figure('one count 64 times at once, %d times: 1 accepted of 64 in each',
    ROUNDS) if keys %first == 1;

###############################################################################

# A flood of requests without credentials and with made-up ones: nothing is
# kept of it, and a device goes on, and logs in.

my ($nc, %device) = (1);

$challenge = fresh();
$device{status(device('flood', 1))}++;

$before = page();
%seen = flood(FLOOD);

my $after = page();

is_deeply($seen{status}, { 401 => FLOOD }, 'flood: each is refused');
is_deeply($after->{cells_used}, $before->{cells_used}, 'flood: cells used');
is_deeply($after->{cells_evicted}, $before->{cells_evicted},
    'flood: cells evicted');
is($after->{denied}{no_credentials} - $before->{denied}{no_credentials}
    + $after->{denied}{bad_credentials} - $before->{denied}{bad_credentials},
    FLOOD, 'flood: reasons');
is_deeply([ keys %device ], [ 200 ], 'flood: a device goes on meanwhile');

$challenge = fresh();
is(status(device('login', 1)), 200, 'flood: a device logs in after it');

figure('flood of %d requests in %.1f s: %s; a device meanwhile: %s; '
    . 'cells used before %s, after %s; evicted before %s, after %s', FLOOD,
    $seen{seconds}, counts($seen{status}), counts(\%device),
    map { cells($_) } $before->{cells_used}, $after->{cells_used},
    $before->{cells_evicted}, $after->{cells_evicted});

is(join("\n", grep { !/dm_sec: (?:denied|\d+ more lines)/ }
    log_lines($t, qr/\[(?:warn|error|crit|emerg)\]/, 0)), '',
    'nothing else is logged');

###############################################################################

# a challenge that nobody has answered, of any algorithm
sub fresh {
    my (@challenges) = challenges(ask('/'));

    return $challenges[rand @challenges];
}

sub ask {
    my ($uri, @lines) = @_;
    my ($client) = keepalive(8080);
    my ($response) = $client->request(request('GET', $uri, @lines));

    $client->close();

    return $response;
}

sub page {
    return decode_json(http_content(http_get('/status')));
}

# the request by which an account answers it, with a URI of its own
sub answer {
    my ($challenge, $n, $uri, $nc) = @_;

    return request('GET', "$uri/$nc", digest($challenge, user => "device$n",
        password => "pw$n", uri => "$uri/$nc", nc => $nc));
}

# requests with all counts of so many nonces, in any order
sub answers {
    my ($nonces) = @_;
    my (@challenges, @requests);

    burst(8080, sub { $nonces-- > 0 ? request('GET', '/') : undef },
        sub { push @challenges, [ challenges($_[1]) ] });

    foreach my $i (0 .. $#challenges) {
        my ($n, $challenge) = ($i % 5, $challenges[$i][$i % 3]);

        push @requests, map { answer($challenge, $n, "/$i", $_) } 1 .. COUNTS;
    }

    return shuffle @requests;
}

# What became of them: { status => {}, stale, worker => {}, seconds }.  Stale
# is what is so in each of its challenges.
sub replies {
    my (@requests) = @_;
    my (%seen) = (stale => 0);

    $seen{seconds} = burst(8080, sub { shift @requests }, sub {
        note_reply(\%seen, $_[1]);
    }, timeout => LIMIT);

    return %seen;
}

sub note_reply {
    my ($seen, $response) = @_;

    $seen->{status}{status($response)}++;
    $seen->{worker}{header($response, 'X-Worker')}++;
    $seen->{stale}++ if 3 == grep { ($_->{stale} // '') eq 'true' }
        challenges($response);
}

# the number of URIs that the upstream saw once, and none that it saw twice
sub once {
    my ($pattern) = @_;
    my (%times);

    $times{$_->{uri}}++ foreach grep { $_->{uri} =~ $pattern }
        upstream_log($t, 8081);

    return (grep { $_ > 1 } values %times) ? 'some twice' : scalar keys %times;
}

sub device {
    my ($uri, $nc) = @_;

    return ask("/$uri", digest($challenge, user => 'device0',
        password => 'pw0', uri => "/$uri", nc => $nc));
}

# half of them without credentials, the others with made-up ones: names that
# are there and that are not, nonces of ours and of somebody else
sub flood {
    my ($requests) = @_;
    my ($plain, $ours, $i, %seen) = (request('GET', '/'), $challenge->{nonce});

    $i = 0;

    my $next = sub {
        return if $i == $requests;
        return $plain if $i++ % 2;

        my $nonce = $i % 4 == 1 ? $ours : sprintf '%064d', $i;
        my $name = $i % 3 ? "nobody$i" : 'device' . $i % 5;

        return "GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Digest "
            . "username=\"$name\", realm=\"dm.example\", nonce=\"$nonce\", "
            . 'uri="/", algorithm=SHA-256, qop=auth, nc=00000001, '
            . "cnonce=\"$i\", response=\"" . ('0' x 64) . "\"\r\n\r\n";
    };

    my $answered = 0;

    $seen{seconds} = burst(8080, $next, sub {
        my ($status) = $_[1] =~ /^HTTP\S+ (\d+)/;

        $seen{status}{$status}++;
        ($ours) = $_[1] =~ /nonce="([^"]+)/ if ++$answered % 16 == 0;
        $device{status(device('flood', ++$nc))}++
            if $answered % (FLOOD / 100) == 0;
    }, timeout => LIMIT);

    return %seen;
}

sub counts {
    my ($counts) = @_;

    return join ', ', map { "$_ x $counts->{$_}" } sort keys %$counts;
}

sub cells {
    my ($cells) = @_;

    return join '/', map { $cells->{$_} } qw/ nonces failures passwords /;
}

sub figure {
    my ($format, @values) = @_;

    diag(sprintf $format, @values) if FULL;
}

###############################################################################
