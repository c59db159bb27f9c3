#!/usr/bin/perl

# Tests for Digest sessions while nginx is reloaded, while its zone gets
# another size, and while workers are killed: no request is lost in a reload,
# a nonce goes on, and no count of it ever reaches the upstream twice.

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
use Test::DmSec::Attack qw/ FULL counts devices figure session /;
use Test::DmSec::Burst qw/ burst /;
use Test::DmSec::Session qw/ outcome /;

###############################################################################

use constant {
    DEVICES => 4,
    ROUNDS => FULL ? 20 : 2,        # of each kind, an even number
    PAUSE => FULL ? 0.3 : 0.1,
    LIMIT => 3600,                  # seconds that a device lives at most
};

select STDERR; $| = 1;
select STDOUT; $| = 1;

# a killed worker is an alert
my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/)->plan(23)
    ->todo_alerts();
my $d = $t->testdir();

configure(0);

store($t, realm => 'dm.example');
devices($t, DEVICES);

upstream($t, 8081);
$t->run();

###############################################################################

# Each device goes on with its nonce, one request after another, each on a
# connection of its own.

$t->run_daemon(\&device, $_) for 0 .. DEVICES - 1;

phase('nothing yet', sub { 1 });

# a reload keeps the zone

my $seen = phase('reload', sub { reload_wait($t) });
is_deeply([ keys %$seen ], [ 200 ], 'reload: no request is lost or refused');

# a zone of another size is a new one

$seen = phase('another size', sub { configure($_[0]); reload_wait($t) });
cmp_ok(delete $seen->{stale}, '>=', DEVICES, 'another size: new nonces');
is_deeply([ keys %$seen ], [ 200 ], 'another size: else nothing is refused');

# a killed worker takes its requests with it, and nothing else

$seen = phase('killed', sub { kill_worker($t, (workers($t))[0]) });
delete $seen->{lost};
is_deeply([ keys %$seen ], [ 200 ], 'killed: no request is refused');

# an old worker or a new one, in a reload

$seen = phase('killed in a reload', sub {
    my ($round) = @_;
    my ($pid) = workers($t);

    $t->reload();
    # pause: any moment of the reload is right
    sleep(rand 0.05);
    ($pid) = workers($t) if $round % 2;
    kill 'KILL', $pid;

    wait_for(30, sub { !kill 0, $pid });
});
delete $seen->{lost};
is_deeply([ keys %$seen ], [ 200 ], 'killed in a reload: none is refused');

$seen = phase('killed with another size', sub {
    my ($round) = @_;
    my ($pid) = workers($t);

    configure($round);
    $t->reload();
    # pause: any moment of the reload is right
    sleep(rand 0.05);
    kill 'KILL', $pid;

    wait_for(30, sub { !kill 0, $pid });
});
delete @{$seen}{qw/ lost stale /};
is_deeply([ keys %$seen ], [ 200 ], 'killed with another size: else nothing');

###############################################################################

# Then all is sent again: what was accepted once, and twice what was lost, of
# which nobody knows.

$t->write_file('stop', '');
ok(wait_for(30, sub { DEVICES == grep { (lines($_))[-1] eq 'ended' }
    0 .. DEVICES - 1 }), 'the devices end');
$t->stop_daemons();
upstream($t, 8081);

my @tried = map { tried($_) } 0 .. DEVICES - 1;
my @accepted = shuffle map { $_->[1] } grep { $_->[0] eq '200' } @tried;
my @lost = shuffle map { ($_->[1]) x 2 } grep { $_->[0] eq 'lost' } @tried;
my $count = upstream_count($t, 8081);
my ($replays, %again) = (scalar @accepted);

burst(8080, sub { shift @accepted }, sub { $again{outcome($_[1])}++ });

is_deeply(\%again, { stale => $replays }, 'replays: none is accepted');
is(upstream_count($t, 8081), $count, 'replays: upstream not contacted');

figure('%d replays: %s; lost requests: %d', $replays, counts(\%again),
    @lost / 2);

burst(8080, sub { shift @lost }, sub { 1 });

is_deeply([ upstream_repeated($t, 8081) ], [], 'no count came there twice');

is(other_alerts($t), '', 'no other alerts');

undef $t;

###############################################################################

# Does something some times, waits until all devices are served after the last
# time, and returns what became of their requests: { answer => how often }.
sub phase {
    my ($name, $sub) = @_;
    my ($done, @from, @last, %seen) = (0);

    @from = tried_each();

    foreach my $round (1 .. ROUNDS) {
        $done++ if $sub->($round);
        # pause: the devices go on, however far
        sleep(PAUSE);
    }

    is($done, ROUNDS, "$name: done");
    @last = tried_each();
    ok(wait_for(120, sub { all_served(@last) }),
        "$name: all devices are served");

    foreach my $n (0 .. DEVICES - 1) {
        my @lines = lines($n);

        /^(\S+)/ and $seen{$1}++ foreach @lines[$from[$n] .. $#lines];
    }

    figure('%s, %d times: %s', $name, ROUNDS, counts(\%seen));

    return \%seen;
}

# how often each has tried
sub tried_each {
    return map { scalar(my @lines = lines($_)) } 0 .. DEVICES - 1;
}

# whether each has tried some times more, and was accepted in the end
sub all_served {
    my (@before) = @_;

    foreach my $n (0 .. DEVICES - 1) {
        my @lines = lines($n);

        return 0 if @lines < $before[$n] + 10
            || grep { !/^200 / } @lines[-5 .. -1];
    }

    return 1;
}

# with a zone of a size that it did not have before
sub configure {
    my ($round) = @_;
    my ($size) = 10 + $round % 2 . 'm';

    $t->write_file_expand('nginx.conf', <<"EOF_CONF");

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
    dm_sec_zone           dm_sec:$size;

    keepalive_requests 10000000;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            dm_sec_auth digest;
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF
}

# Notes what became of each request of a session: the outcome, 200, stale or
# lost, and the request in one line.
sub device {
    my ($n) = @_;
    my ($end, $session) = (time() + LIMIT, session($n));

    open my $fh, '>>', "$d/device-$n" or die "Can't open: $!\n";
    $fh->autoflush(1);

    until (-e "$d/stop" || time() > $end) {
        my $request = $session->next_request('Connection: close');
        my $response = http($request);
        my $outcome = outcome($response) || 'lost';

        $request =~ s/\r\n/\t/g;
        print {$fh} "$outcome $request\n" if $session->{challenge};

        $session->renew($response) if status($response) == 401;
    }

    print {$fh} "ended\n";
}

sub lines {
    my ($n) = @_;

    return -e "$d/device-$n" ? split(/\n/, $t->read_file("device-$n")) : ();
}

# [ outcome, request ] of each, now for a connection that stays open
sub tried {
    my ($n) = @_;

    return map { s/Connection: close\t//; s/\t/\r\n/g; [ split / /, $_, 2 ] }
        grep { $_ ne 'ended' } lines($n);
}

###############################################################################
