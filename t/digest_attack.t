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

use List::Util qw/ shuffle sum /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Attack qw/ FULL counts devices figure fresh session /;
use Test::DmSec::Burst qw/ burst together /;
use Test::DmSec::Session qw/ outcome /;

###############################################################################

use constant {
    RECORDED => FULL ? 100_000 : 2000,
    COUNTS => 50,               # of a nonce
    FLOOD => FULL ? 1_000_000 : 5000,
    ROUNDS => FULL ? 100 : 3,
    LIMIT => 900,               # seconds, of each attack: no nonce expires
};

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy upstream_keepalive/)
    ->plan(20);

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

    dm_sec_digest_nonce_lifetime 1d;

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
devices($t, 5);

upstream($t, 8081);
$t->run();

my $workers = workers($t);

###############################################################################

# What was accepted is sent again, in another order, to all workers: several
# accounts, all algorithms, many nonces with many counts each.

my @recorded = requests(RECORDED / COUNTS);
my %seen = replies(@recorded);

is_deeply($seen{outcome}, { 200 => RECORDED }, 'each count is accepted');
is(upstream_count($t, 8081), RECORDED, 'and all come to the upstream');

figure('%d requests accepted in %.1f s, by %d workers', RECORDED,
    $seen{seconds}, scalar keys %{ $seen{worker} });

my $before = status_json();

%seen = replies(shuffle @recorded);

my $denied = counted(RECORDED, qw/ replay stale_nonce /);

is_deeply($seen{outcome}, { stale => RECORDED }, 'replays: each is stale');
is($denied->{replay} + $denied->{stale_nonce}, RECORDED, 'replays: reason');
is(upstream_count($t, 8081), RECORDED, 'replays: upstream not contacted');
is(scalar keys %{ $seen{worker} }, $workers, 'replays: all workers saw some');

figure('%d replays in %.1f s, by %d workers: %s; reason replay %d, '
    . 'stale_nonce %d', RECORDED, $seen{seconds},
    scalar keys %{ $seen{worker} }, counts($seen{outcome}),
    @{$denied}{qw/ replay stale_nonce /});

# the same count with another cnonce is the same count

my $challenge = fresh(1)->{challenge};
my %answer = (user => 'device1', password => 'pw1', uri => '/');

is(outcome(http(request('GET', '/', 'Connection: close',
    digest($challenge, %answer, cnonce => 'a')))), 200, 'a count');
is(outcome(http(request('GET', '/', 'Connection: close',
    digest($challenge, %answer, cnonce => 'b')))), 'stale',
    'the same with another cnonce');

###############################################################################

# All counts that the window holds, in any order, at once, on as many
# connections; then each of them once more.

my (%first, %again, %worker);

foreach my $round (1 .. ROUNDS) {
    my $session = fresh($round % 5);
    my @requests = shuffle map { $session->next_request() } 1 .. 128;

    foreach my $response (together($t, 8080, @requests)) {
        $first{outcome($response)}++;
        $worker{header($response, 'X-Worker') // '-'}++;
    }

    $again{outcome($_)}++ foreach together($t, 8080, shuffle @requests);
}

is_deeply(\%first, { 200 => 128 * ROUNDS }, '128 counts at once');
is_deeply(\%again, { stale => 128 * ROUNDS }, '128 counts again');
is(scalar(keys %worker), $workers, '128 counts: all workers saw some');

figure('128 counts at once, %d times: %s; again: %s', ROUNDS,
    counts(\%first), counts(\%again));

# one count, 64 times at once

%first = ();

foreach my $round (1 .. ROUNDS) {
    my $request = fresh($round % 5)->next_request();

    $first{join ',', sort map { outcome($_) }
        together($t, 8080, ($request) x 64)}++;
}

is_deeply(\%first, { join(',', 200, ('stale') x 63) => ROUNDS },
    'one count 64 times at once: one is accepted');
is_deeply([ upstream_repeated($t, 8081) ], [], 'none came there twice');

figure('one count 64 times at once, %d times: 1 accepted of 64 in each',
    ROUNDS) if keys %first == 1;

###############################################################################

# A flood of requests without credentials and with made-up ones: nothing is
# kept of it, and a device goes on, and logs in.

my %device;
my $device = fresh(0);

go_on();

$before = status_json();
%seen = flood(FLOOD);

$denied = counted(FLOOD, qw/ no_credentials bad_credentials /);
my $after = status_json();

is_deeply($seen{outcome}, { 401 => FLOOD }, 'flood: each is refused');
is_deeply($after->{cells_used}, $before->{cells_used}, 'flood: cells used');
is_deeply($after->{cells_evicted}, $before->{cells_evicted},
    'flood: cells evicted');
is($denied->{no_credentials} + $denied->{bad_credentials}, FLOOD,
    'flood: reasons');
is_deeply([ keys %device ], [ 200 ], 'flood: a device goes on meanwhile');

figure('flood of %d requests in %.1f s: %s; a device meanwhile: %s; '
    . 'cells used before %s, after %s; evicted before %s, after %s', FLOOD,
    $seen{seconds}, counts($seen{outcome}), counts(\%device),
    map { cells($_) } $before->{cells_used}, $after->{cells_used},
    $before->{cells_evicted}, $after->{cells_evicted});

$device = fresh(0);
is(go_on(), 200, 'flood: a device logs in after it');

is(join("\n", grep { !/dm_sec: (?:denied|\d+ more lines)/ }
    log_lines($t, qr/\[(?:warn|error|crit|emerg)\]/, 0)), '',
    'nothing else is logged');

###############################################################################

# What was denied since $before, by reason, as soon as it is that many for
# these reasons: a request is counted when it was answered.
sub counted {
    my ($n, @reasons) = @_;
    my ($denied);

    wait_for(30, sub {
        $denied = status_json()->{denied};
        $denied->{$_} -= $before->{denied}{$_} foreach keys %$denied;
        sum(@{$denied}{@reasons}) >= $n;
    });

    return $denied;
}

# all counts of so many nonces, in any order
sub requests {
    my ($nonces) = @_;
    my (@sessions);

    burst(8080, sub { $nonces-- > 0 ? request('GET', '/') : undef }, sub {
        push @sessions, session(@sessions % 5)->renew($_[1]);
    });

    return shuffle map { my $s = $_; map { $s->next_request() } 1 .. COUNTS }
        @sessions;
}

# what became of them: { outcome => {}, worker => {}, seconds }
sub replies {
    my (@requests) = @_;
    my (%seen);

    $seen{seconds} = burst(8080, sub { shift @requests }, sub {
        $seen{outcome}{outcome($_[1])}++;
        $seen{worker}{header($_[1], 'X-Worker')}++;
    }, timeout => LIMIT);

    return %seen;
}

# the device, with its next count
sub go_on {
    my ($outcome) = outcome(http($device->next_request('Connection: close')));

    $device{$outcome}++;

    return $outcome;
}

# half of them without credentials, the others with made-up ones: names that
# are there and that are not, nonces of ours and of somebody else
sub flood {
    my ($requests) = @_;
    my ($plain, $ours, $sent, $answered, %seen);

    $plain = request('GET', '/');
    $ours = $challenge->{nonce};
    $sent = $answered = 0;

    my $next = sub {
        return if $sent == $requests;
        return $plain if $sent++ % 2;

        my $nonce = $sent % 4 == 1 ? $ours : sprintf '%064d', $sent;
        my $name = $sent % 3 ? "nobody$sent" : 'device' . $sent % 5;

        return "GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Digest "
            . "username=\"$name\", realm=\"dm.example\", nonce=\"$nonce\", "
            . 'uri="/", algorithm=SHA-256, qop=auth, nc=00000001, '
            . "cnonce=\"$sent\", response=\"" . ('0' x 64) . "\"\r\n\r\n";
    };

    # a whole look at each response would take most of the time

    my $each = sub {
        $seen{outcome}{substr $_[1], 9, 3}++;

        if (++$answered % (FLOOD / 100) == 0) {
            ($ours) = map { $_->{nonce} } challenges($_[1]);
            go_on();
        }
    };

    $seen{seconds} = burst(8080, $next, $each, timeout => LIMIT);

    return %seen;
}

sub cells {
    my ($cells) = @_;

    return join '/', map { $cells->{$_} } qw/ nonces failures passwords /;
}

###############################################################################
