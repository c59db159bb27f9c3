#!/usr/bin/perl

# Tests for a zone that has no room for all the nonces in use: what was dropped
# is never taken for new, and who lost a nonce logs in with the next one.

###############################################################################

use warnings;
use strict;

use Test::More;

use List::Util qw/ max shuffle /;
use Time::HiRes qw/ time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Attack qw/ FULL counts figure /;
use Test::DmSec::Burst qw/ burst /;
use Test::DmSec::Fleet qw/ device fleet /;
use Test::DmSec::Session qw/ outcome /;

###############################################################################

use constant {
    DEVICES => FULL ? 20_000 : 1200,        # the zone holds about 900 nonces
    REQUESTS => 3,                          # of each device
    LIMIT => 900,                           # seconds; no nonce expires
};

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy upstream_keepalive/)
    ->plan(14);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/error.log info;
    access_log off;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;
    dm_sec_zone           dm_sec:128k;

    dm_sec_digest_nonce_lifetime 1d;

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

        location /status {
            dm_sec_status json;
            allow 127.0.0.1;
            deny all;
        }
    }
}

EOF_CONF

store($t, realm => 'dm.example');
fleet($t->testdir() . '/fleet', 0, DEVICES);
account($t, 'import', $t->testdir() . '/fleet');

upstream($t, 8081);

# no worker's clock says less
my $start = int time();

$t->run();

###############################################################################

# Each device has a nonce of its own, and goes on with it as long as it can: a
# session, and how often in a row it was stale.

my (@device, @turn, @due, @accepted, %trouble);
my ($seconds, $stale, $first, $most) = (0, 0, 0, 0);

foreach (1 .. REQUESTS) {
    @turn = shuffle 0 .. DEVICES - 1;
    $seconds += burst(8080, \&next_request, \&next_step, timeout => LIMIT);
}

is_deeply(\%trouble, {}, 'each answer is 200, or 401 with a stale nonce');
is(scalar @accepted, DEVICES * REQUESTS, 'each device was let in each time');
cmp_ok($stale, '>', 0, 'some lost their nonces');
cmp_ok($most, '<=', 10, 'but none for ever');
is(upstream_count($t, 8081), @accepted, 'as the upstream saw it');

my $page = status_json();

cmp_ok($page->{cells}{nonces}, '<', DEVICES, 'more devices than cells');
is($page->{cells_used}{nonces} + $page->{cells_evicted}{nonces}, $first,
    'each nonce that was used has a cell or was evicted');
is($page->{cells_evicted}{failures} + $page->{cells_evicted}{passwords}, 0,
    'no others');

# one line a minute of each worker

my @lines = log_lines($t, qr/no room for all nonces/);

like($lines[0], qr/\[error\] .* \d+ \x20 were \x20 dropped .*
    write \x20 "dm_sec_zone \x20 dm_sec:256k"/x, 'the size to set');
cmp_ok(scalar @lines, '<=', workers($t) * (1 + int((time() - $start) / 60)),
    'is said once a minute');

cmp_ok(scalar(grep { ($_->{detail} // '') eq 'evicted' } denied($t, 0)), '>', 0,
    'a nonce that was dropped, in the log');

# nothing that was ever accepted is accepted again

my %again;

@accepted = shuffle @accepted;

my $replays = burst(8080, sub { shift @accepted }, sub {
    $again{outcome($_[1])}++;
}, timeout => LIMIT);

is_deeply(\%again, { stale => DEVICES * REQUESTS }, 'replays: all are stale');
is(upstream_count($t, 8081), DEVICES * REQUESTS,
    'replays: upstream not contacted');
is_deeply(status_json()->{cells_evicted}, $page->{cells_evicted},
    'replays: nothing is evicted for them');

figure('%d devices, %d cells: %d requests accepted in %.1f s, with %d logins, '
    . '%d nonces evicted, %d answers stale, %d at most in a row; '
    . '%d replays in %.1f s: %s', DEVICES, $page->{cells}{nonces},
    DEVICES * REQUESTS, $seconds, $first, $page->{cells_evicted}{nonces},
    $stale, $most, DEVICES * REQUESTS, $replays, counts(\%again));

###############################################################################

# what a device has to say now, or else the next one's turn
sub next_request {
    my ($d) = shift @due;

    if (!$d) {
        my $n = shift @turn // return;
        my (undef, $user, $password) = device($n);

        $d = $device[$n] ||= { stale => 0, session =>
            Test::DmSec::Session->new(user => $user,
                password => $password) };
    }

    return [ $d->{session}->next_request(), $d ];
}

sub next_step {
    my ($sent, $response) = @_;
    my ($request, $d) = @$sent;
    my ($outcome) = outcome($response);

    if ($outcome eq '200') {
        push @accepted, $request;
        $first++ if $d->{session}{nc} == 1;
        $d->{stale} = 0;
        return;
    }

    if ($outcome eq 'stale') {
        $stale++;
        $most = max($most, ++$d->{stale});

    } elsif ($d->{session}{challenge}) {
        $trouble{$outcome}++;
        return;
    }

    $d->{session}->renew($response);
    push @due, $d;
}

###############################################################################
