#!/usr/bin/perl

# Tests for Digest while the clock jumps, by hours, forward and back: first the
# wall clock alone, which nonces have nothing to do with, then the monotonic
# clock too, as where a machine is restored from a snapshot.

###############################################################################

use warnings;
use strict;

use Test::More;

use Time::Piece ();

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Attack qw/ counts devices fresh session /;
use Test::DmSec::Burst qw/ burst /;
use Test::DmSec::Clock;
use Test::DmSec::Session qw/ outcome /;

###############################################################################

use constant {
    HOUR => 3600,
    LIFETIME => 300,
    NONCES => 1500,             # the zone holds about 900
};

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/);
my $clock = Test::DmSec::Clock->new($t);

$t->plan(34);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

env FAKETIME_TIMESTAMP_FILE;
env FAKETIME_NO_CACHE;
env FAKETIME_DONT_FAKE_MONOTONIC;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/error.log warn;
    access_log off;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;
    dm_sec_zone           dm_sec:128k;

    dm_sec_digest_nonce_lifetime 5m;

    keepalive_requests 10000000;

    server {
        listen       127.0.0.1:8080;
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
devices($t, 1);

upstream($t, 8081);

my @accepted;

###############################################################################

# the wall clock alone: a nonce goes on, whatever it says

$clock->run($t, FAKETIME_DONT_FAKE_MONOTONIC => 1);

my $session = fresh(0);
my $start = date();

is(go_on($session), 200, 'wall clock: logs in');

foreach my $hours (3, -3) {
    $clock->set($hours * HOUR);

    is(int((date() - $start) / HOUR + 0.5 * ($hours <=> 0)), $hours,
        "wall clock: $hours hours");
    is(go_on($session), 200, "wall clock: $hours hours: a nonce goes on");
    is(go_on(fresh(0)), 200, "wall clock: $hours hours: logs in");
    is(replays(), '', "wall clock: $hours hours: no replay is accepted");
}

is(status_json()->{denied}{stale_nonce}, 0, 'wall clock: no nonce is stale');

$t->stop();

###############################################################################

# the monotonic clock too: what expired once stays so

@accepted = ();
$clock->run($t);

$session = fresh(0);
is(go_on($session), 200, 'logs in');

$clock->set(LIFETIME + 1);
is(go_on($session), 'stale', 'expired');

my $later = fresh(0);
is(go_on($later), 200, 'logs in again');

foreach my $seconds (0, -3 * HOUR) {
    $clock->set($seconds);

    is(go_on($session), 'stale', "back by $seconds: it is not known again");
    is(go_on($later), 200, "back by $seconds: what was alive goes on");
    is(go_on(fresh(0)), 200, "back by $seconds: logs in");
    is(replays(), '', "back by $seconds: no replay is accepted");
}

# nonces that were evicted before the clock steps back

$clock->set(HOUR);
is(fill(NONCES), 0, 'as many logins as there is no room for');

my $evicted = status_json()->{cells_evicted}{nonces};
my $warned = warned();

cmp_ok($evicted, '>', 0, 'some were evicted');
cmp_ok($warned, '>', 0, 'and that is said');

$clock->set(-HOUR);
is(replays(), '', 'back: no replay is accepted of what was evicted');
is(go_on(fresh(0)), 200, 'back: logs in');

# and while it stands, until the hours are over

is(fill(NONCES), 0, 'back: as many logins again');
cmp_ok(status_json()->{cells_evicted}{nonces}, '>', $evicted,
    'back: some evicted');
cmp_ok(warned(), '>', $warned, 'back: and that is said');
is(replays(), '', 'back: no replay is accepted of these');

$session = fresh(0);
is(go_on($session), 200, 'back: a device logs in');

# as if they were

$clock->set(3 * HOUR);
is(go_on($session), 'stale', 'forward: expired');
is(go_on(fresh(0)), 200, 'forward: a device logs in');
is(replays(), '', 'forward: no replay is accepted');

undef $t;

###############################################################################

# what nginx takes the time for
sub date {
    return Time::Piece->strptime(header(http_get('/'), 'Date'),
        '%a, %d %b %Y %T GMT')->epoch();
}

# of evicted nonces
sub warned {
    return scalar(my @lines = log_lines($t, qr/no room for all nonces/, 0));
}

# what becomes of the next request of a session
sub go_on {
    my ($session) = @_;
    my ($request) = $session->next_request('Connection: close');

    return answer($request, http($request));
}

# the outcome, and where it is accepted it is one to be sent again
sub answer {
    my ($request, $response) = @_;
    my ($outcome) = outcome($response);

    push @accepted, $request =~ s/^Connection: close\r\n//mr
        if $outcome eq '200';

    return $outcome;
}

# So many logins, each with a nonce of its own; a device tries three times.
# The number of those that did not succeed.
sub fill {
    my ($n) = @_;
    my ($failed, @due) = (0);

    my $next = sub {
        my $d = shift @due // ($n-- > 0
            ? { session => session(0), tries => 0 } : return);

        return [ $d->{session}->next_request(), $d ];
    };

    my $each = sub {
        my ($request, $d) = @{ $_[0] };

        return if answer($request, $_[1]) eq '200';

        if ($d->{tries}++ == 3) {
            $failed++;
            return;
        }

        $d->{session}->renew($_[1]);
        push @due, $d;
    };

    burst(8080, $next, $each);

    return $failed;
}

# what does not become stale of all that was accepted
sub replays {
    my (@replays) = @accepted;
    my (%other);

    burst(8080, sub { shift @replays }, sub {
        my $outcome = outcome($_[1]);
        $other{$outcome}++ if $outcome ne 'stale';
    });

    return counts(\%other);
}

###############################################################################
