#!/usr/bin/perl

# Tests for the attacks on Digest of digest_attack.t and digest_evict.t while
# nginx is reloaded and a worker is killed in the middle of each.  A request
# that was lost is sent again, as by a client that does not know better.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP;
use List::Util qw/ shuffle /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Attack qw/ FULL counts devices figure fresh session /;
use Test::DmSec::Burst qw/ burst together /;
use Test::DmSec::Session qw/ outcome /;

###############################################################################

use constant {
    LOGINS => FULL ? 50_000 : 2000,
    FLOOD => FULL ? 200_000 : 4000,
    ROUNDS => FULL ? 50 : 4,
    LIMIT => 900,               # seconds, of each attack: no nonce expires
};

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/)->todo_alerts()
    ->plan(21);

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
    dm_sec_zone           dm_sec:128k;

    dm_sec_digest_nonce_lifetime 1d;

    keepalive_requests 10000000;

    server {
        listen       127.0.0.1:8080 reuseport;
        server_name  localhost;

        location / {
            dm_sec_auth digest;
            proxy_pass http://127.0.0.1:8081;
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

###############################################################################

# More logins than there are cells for: who has lost a nonce goes on with the
# next one.

my (@due, @accepted, @lost, %seen);
my $logins = 0;

%seen = attack(LOGINS, sub {
    return shift @due if @due;
    return if $logins == LOGINS;

    my $session = session($logins++ % 5);

    return [ $session->next_request(), $session ];
}, sub {
    my ($sent, $response) = @_;
    my ($request, $session) = @$sent;

    return push @accepted, $request if status($response) == 200;

    $session->renew($response);
    push @due, [ $session->next_request(), $session ];
}, sub {
    my ($request, $session) = @{ $_[0] };

    # whether it was accepted nobody knows
    push @lost, $request if $session->{challenge};
    push @due, [ $session->next_request(), $session ];
});

is_deeply([ grep { !/^(?:200|401|stale)$/ } keys %{ $seen{outcome} } ], [],
    'logins: nothing else is answered');
is($seen{outcome}{200}, LOGINS, 'logins: each device was let in');
cmp_ok(status_json()->{cells_evicted}{nonces}, '>', LOGINS / 4,
    'logins: evicted');
cmp_ok($seen{lost}, '>', 0, 'logins: some were lost');

# replays of what was accepted; then of what was lost, twice

my $count = upstream_count($t, 8081);

%seen = replay(shuffle @accepted);

is_deeply($seen{outcome}, { stale => LOGINS }, 'replays: each is stale');
is(upstream_count($t, 8081), $count, 'replays: upstream not contacted');
cmp_ok($seen{lost}, '>', 0, 'replays: some were lost');

%seen = replay(shuffle @lost, @lost);
is_deeply([ upstream_repeated($t, 8081) ], [], 'none came there twice');

###############################################################################

# all counts of a window at once

my (%first, %again);

foreach my $round (1 .. ROUNDS) {
    my $what = $round % 2 ? 'reload' : 'kill';
    my $session = fresh($round % 5);
    my @requests = shuffle map { $session->next_request() } 1 .. 128;
    my @old = workers($t);
    my @responses;

    @responses = together($t, 8080, @requests, sub {
        $what eq 'reload' ? $t->reload() : kill 'KILL', $old[0];
    });

    # who was accepted is not once more, and who was lost once at most

    my @sent = grep { outcome($responses[$_]) } 0 .. $#requests;
    my @unsure = grep { !outcome($responses[$_]) } 0 .. $#requests;

    $first{$what}{outcome($_) || 'lost'}++ foreach @responses;

    settle($what eq 'reload' ? @old : $old[0]);

    $again{outcome($_)}++ foreach together($t, 8080, @requests[@sent]);
    together($t, 8080, @requests[@unsure]) for 1 .. 2;
}

is_deeply($first{reload}, { 200 => 128 * ROUNDS / 2 },
    '128 counts, reload: each is accepted');
is_deeply([ grep { !/^(?:200|lost)$/ } keys %{ $first{kill} } ], [],
    '128 counts, killed: none is refused');
is_deeply([ keys %again ], [ 'stale' ], '128 counts again: each is stale');
is_deeply([ upstream_repeated($t, 8081) ], [],
    '128 counts: none came there twice');

###############################################################################

# a flood of requests without credentials, and with made-up ones

my $device = fresh(0);
my $sent = 0;
my %device;

is(go_on(), 200, 'flood: a device');

my $before = status_json();

%seen = attack(FLOOD, sub {
    return shift @due if @due;
    return if $sent == FLOOD;

    go_on() if $sent % (FLOOD / 20) == 0;

    return ++$sent % 2 ? request('GET', '/') : request('GET', '/',
        digest($device->{challenge}, user => "nobody$sent",
        password => 'guess', uri => '/'));
}, sub { }, sub { push @due, $_[0] });

is_deeply($seen{outcome}, { 401 => FLOOD }, 'flood: each is refused');
cmp_ok($seen{lost}, '>', 0, 'flood: some were lost');

my $after = status_json();

is_deeply($after->{cells_used}, $before->{cells_used}, 'flood: cells used');
is_deeply($after->{cells_evicted}, $before->{cells_evicted},
    'flood: cells evicted');
is_deeply([ keys %device ], [ 200 ], 'flood: the device goes on meanwhile');

$device = fresh(0);
is(go_on(), 200, 'flood: it logs in after it');

is(other_alerts($t), '', 'no other alerts');
is(join("\n", log_lines($t, qr/\[(?:error|crit|emerg)\](?!.* dm_sec:\ (?:denied
    |\d+\ more\ lines|no\ room\ for\ all\ nonces))/x, 0)), '',
    'nothing else is logged');

undef $t;

###############################################################################

# burst(), with a reload after a third of so many responses and a killed worker
# after two: { outcome => {}, lost }
sub attack {
    my ($total, $next, $each, $lost) = @_;
    my ($n, %old, %seen) = (0);

    $seen{lost} = 0;

    $seen{seconds} = burst(8080, $next, sub {
        my ($request, $response) = @_;

        $seen{outcome}{outcome($response)}++;
        $each->($request, $response);
        $n++;

        if ($n == int($total / 3)) {
            %old = map { $_ => 1 } workers($t);
            $t->reload();
        }

        # one that is about to end by itself would lose nothing

        if ($n == int($total / 3) * 2) {
            wait_for(120, sub { !grep { $old{$_} } workers($t) })
                or die "no reload\n";
            kill_worker($t, (workers($t))[0]);
        }
    }, timeout => LIMIT, lost => sub { $seen{lost}++; $lost->($_[0]) });

    figure('%d requests in %.1f s, with a reload and a killed worker: %s; '
        . 'lost %d', $n, $seen{seconds}, counts($seen{outcome}), $seen{lost});

    return %seen;
}

sub replay {
    my (@requests) = @_;

    return attack(scalar @requests, sub { shift @requests }, sub { },
        sub { push @requests, $_[0] });
}

# until those that are to go have gone, and one has come for each
sub settle {
    my (@old) = @_;

    wait_for(120, sub { !grep { kill 0, $_ } @old })
        or die "a worker does not end\n";
    workers($t);
}

sub go_on {
    my ($outcome) = outcome(http($device->next_request('Connection: close')));

    $device{$outcome}++;

    return $outcome;
}

###############################################################################
