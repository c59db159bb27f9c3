#!/usr/bin/perl

# Tests for a worker that stands still or dies inside the zone's lock while it
# looks a nonce up, makes room for one, or uses a count up: the others wait, or
# go on, and no count that was used up looks as if it had not been.

###############################################################################

use warnings;
use strict;

use Test::More;

use List::Util qw/ shuffle /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Attack qw/ FULL counts devices figure fresh session /;
use Test::DmSec::Burst qw/ burst /;
use Test::DmSec::Session qw/ outcome /;

###############################################################################

use constant {
    NONCES => 1500,                 # the zone holds about 900
    ANYWHERE => FULL ? 50 : 1,      # times that one dies at random
    STEPS => 400,                   # instructions after a place, at most
};

# where a nonce that is new comes by, and where a known one does
my @places = (
    [ new => 'dm_table_find' ], [ new => 'dm_table_take' ],
    [ new => 'dm_nonce_first' ], [ new => 'dm_table_put' ],
    [ known => 'dm_table_find' ], [ known => 'dm_nonce_use' ],
);

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/)
    ->has_daemon('gdb')->has_daemon('timeout')
    ->plan(FULL ? 17 : 12)->todo_alerts();

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
    dm_sec_zone           dm_sec:128k;

    dm_sec_digest_nonce_lifetime 1h;

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
$t->run();

###############################################################################

# No cell is free: a new nonce takes the place of another.

my (@accepted, @lost, %count);

fill(NONCES);
cmp_ok(status_json()->{cells_evicted}{nonces}, '>', 0, 'the zone is full');

# A worker stands there while another gets the same count: one of them may
# accept it.

my @stands = FULL ? @places : $places[1];

SKIP: {
    skip('one worker', scalar @stands) if workers($t) == 1;

    is(twice(@$_), '200 401', "one waits for the other: $_->[1]")
        foreach @stands;
}

# It dies where the function begins, and in places that nobody chose.

my @deaths = FULL ? @places : @places[1, 3 .. 5];

try(@$_, 0) foreach @deaths;
try(@{ $places[rand @places] }, 1 + int rand STEPS) foreach 1 .. ANYWHERE;

my $tries = @deaths + ANYWHERE;

is($count{not_killed}, undef, 'each died where it should');
is($count{no_successor}, undef, 'each has a successor');
is($count{known}, $tries, 'a nonce goes on each time');
is($count{new}, $tries, 'a device logs in each time');

my $locked = () = $t->read_file('error.log') =~ /zone "dm_sec" was locked/g;
cmp_ok($locked, '>=', @deaths, 'they did die in the lock');

# nothing that was accepted is accepted again; what the dead had is at most
# accepted once

my ($replays, %again) = (scalar @accepted);
my $seen = upstream_count($t, 8081);

@accepted = shuffle @accepted;
burst(8080, sub { shift @accepted }, sub { $again{outcome($_[1])}++ });

is_deeply(\%again, { stale => $replays }, 'replays: none is accepted');
is(upstream_count($t, 8081), $seen, 'replays: upstream not contacted');

burst(8080, sub { shift @lost }, sub { 1 });

is_deeply([ upstream_repeated($t, 8081) ], [], 'no count came there twice');

my $page = status_json();

cmp_ok($page->{cells_used}{nonces}, '>=', $page->{cells}{nonces} * 0.9,
    'no cells are lost');

is(other_alerts($t), '', 'no other alerts');

figure('%d workers killed, %d of them in the lock; %d replays: %s', $tries,
    $locked, $replays, counts(\%again));

undef $t;

###############################################################################

# true where the next request of a session is accepted
sub go_on {
    my ($session) = @_;
    my ($client, $request, $response);

    $client = keepalive(8080);
    $request = $session->next_request();
    $response = $client->request($request);
    $client->close();

    return 0 if status($response) != 200;

    push @accepted, $request;

    return 1;
}

# so many logins, each with a nonce of its own
sub fill {
    my ($n) = @_;
    my (@due);

    burst(8080, sub { shift @due // ($n-- > 0 ? request('GET', '/') : undef) },
        sub {
            my ($request, $response) = @_;

            push @accepted, $request if status($response) == 200;
            push @due, session(0)->renew($response)->next_request()
                if status($response) == 401;
        });
}

# with a nonce that is new or known
sub some_session {
    my ($kind) = @_;
    my ($session) = fresh(0);

    $kind eq 'new' || go_on($session) or die "not logged in\n";

    return $session;
}

# what becomes of a count that two workers get at the same time
sub twice {
    my ($kind, $function) = @_;
    my ($raw, $gdb, @clients, @responses);

    $raw = some_session($kind)->next_request();
    # pause: the other may come before or behind it
    $gdb = stand_in($function, '-ex', 'shell sleep 0.5', '-ex', 'detach');

    push @clients, keepalive(8080);
    $clients[0]->send($raw);
    reached($gdb);

    # this one cannot take the connection

    kill 'CONT', @{ $gdb->{others} };
    push @clients, keepalive(8080);
    $clients[1]->send($raw);

    @responses = map { $_->response() } @clients;
    $_->close() foreach @clients;
    close $gdb->{out};

    push @accepted, $raw if grep { status($_) == 200 } @responses;

    return join ' ', sort map { status($_) } @responses;
}

# One worker dies over a request with a new nonce or a known one; then that
# which was there goes on, and a device logs in.
sub try {
    my ($kind, $function, $steps) = @_;
    my ($known, $raw, $gdb, $client);

    $known = some_session('known');
    $raw = some_session($kind)->next_request();

    $gdb = stand_in($function, $steps ? ('-ex', "stepi $steps") : (),
        '-ex', 'kill');

    $client = keepalive(8080);
    $client->send($raw);
    reached($gdb) or $count{not_killed}++;

    close $gdb->{out};
    $client->close();

    kill 'CONT', @{ $gdb->{others} };

    $count{no_successor}++
        if !wait_for(30, sub { !grep { $_ == $gdb->{pid} } workers($t) });

    push @lost, $raw, $raw;

    $count{known}++ if go_on($known);
    $count{new}++ if go_on(some_session('new'));
}

# gdb waits for a worker at the function's beginning, and goes on with the
# commands; the others stand still, so that this one gets the next request.
sub stand_in {
    my ($function, @commands) = @_;
    my ($pid, @others) = workers($t);
    my ($out);

    stand_still(@others);

    open($out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', qw/ timeout 300 gdb
        -batch -nx -p /, $pid, '-ex', "break $function", '-ex', 'echo ready\n',
        '-ex', 'continue', '-ex', 'echo reached\n', @commands)
        or die "Can't start gdb: $!\n";

    while (my $line = <$out>) {
        last if $line =~ /^ready/;
    }

    return { pid => $pid, others => \@others, out => $out,
        function => $function };
}

# waits until the worker is there; false where it is somewhere else
sub reached {
    my ($gdb) = @_;
    my ($hit);

    while (my $line = readline $gdb->{out}) {
        $hit = 1 if $line =~ /Breakpoint \d+, .*\b$gdb->{function}\b/;
        last if $line =~ /^reached/;
    }

    return $hit;
}

###############################################################################
