#!/usr/bin/perl

# Tests for nginx on a store that follows a log: what it says of it, and
# dm_sec_replica_stale.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

# s: no test is so slow, and what is to be too old is far older
use constant STALE => 100_000;
use constant OLD => 500_000;
use constant TIME => 60;

my $program = $ENV{TEST_DM_FOLLOW} || '../build/unit/follow';

plan(skip_all => "no $program") unless -x $program;

my $t = Test::Nginx->new()->has(qw/http/)->plan(53);
my $refuse = 'dm_sec_replica_stale ' . STALE . 's refuse;';

configure($t, $refuse);

store($t, realm => 'example');
account($t, 'add', 'A', '--name', 'dev', { password => 'right' });
$t->write_file('file', 'here');
$t->run();

###############################################################################

# a store that is alone, where it should not be: as somebody would like it who
# took the position out of it

refused($t, 'alone');
is((denied($t))[0]->{reason}, 'replica_stale', 'the reason');
is(login('/open'), 200, 'what needs no account is there');
ok(log_lines($t, qr/\[crit\].*follows no log, and "dm_sec_replica_stale"/),
    'the log says why');
ok(!grep({ /replica/ } keys %{status_json()}), 'no numbers of a log');
unlike(http_get('/metrics'), qr/dmsec_replica/, 'in either form');
like(http_get('/page'), qr/Trouble, Replica<\/b>: the store follows no log/,
    'the page says so');

# it follows, and had all a moment ago: at once nobody is refused

follow($t, 'following', 0);
is_deeply([ each_worker($t, sub { login() }) ], [ map { 200 } workers($t) ],
    'it follows');
ok(log_lines($t, qr/\[notice\].* is as young again as/), 'the log says so');

my $s = status_json();
is($s->{replica_position}, 1, 'its entry');
cmp_ok($s->{replica_age_seconds}, '<', STALE, 'its age');
is_deeply($s->{replica_state}, { following => 1 }, 'its state');

my $metrics = http_get('/metrics');
like($metrics, qr/^dmsec_replica_position 1$/m, 'Prometheus: its entry');
like($metrics, qr/^dmsec_replica_age_seconds \d+$/m, 'its age');
like($metrics, qr/^dmsec_replica_state\{state="$_->[0]"\} $_->[1]$/m,
    "state $_->[0]")
    foreach map { [ $_, $_ eq 'following' || 0 ] } qw/ starting bootstrapping
        catching_up following disconnected rolled_back forked bad_entry /;
like(http_get('/page'), qr/"well">Well<[^>]*><[^>]*><td>following, has entry 1/,
    'the page');

# a clock that is behind, as the one that beats has another

follow($t, 'following', - OLD);
is(login(), 200, 'a beat of the future');
is(status_json()->{replica_age_seconds}, 0, 'is no negative age');

# the beat gets old

follow($t, 'disconnected', OLD);
refused($t, 'too old');
is((denied($t))[-1]->{reason}, 'replica_stale', 'the reason');
ok(log_lines($t, qr/\[crit\].* is 50\d{4} s old, which is more .* is disconn/),
    'the log says how old, and what the daemon does');
$s = status_json();
cmp_ok($s->{replica_age_seconds}, '>=', OLD, 'its age');
is_deeply($s->{replica_state}, { disconnected => 1 }, 'its state');
like(http_get('/page'), qr/Trouble, Replica<\/b>: disconnected, has entry 3, /,
    'the page says so');

# a wrong password is not looked at, and so not counted

is(status(get('/file', basic('dev', 'wrong'))), 503, 'a wrong password');
ok(header(get('/file', basic('dev', 'right')), 'Retry-After'),
    'when to come again');

follow($t, 'following', 0);
is(login(), 200, 'it heals by itself, and nobody was locked out');
is_deeply([ each_worker($t, sub { login() }) ], [ map { 200 } workers($t) ],
    'in each worker');

# one that had no beat yet is as old as anybody likes

follow($t, 'bootstrapping', '-');
refused($t, 'no beat yet');
ok(log_lines($t, qr/there was no beat yet, and dm-replica is bootstrapping/),
    'the log says so');
$s = status_json();
ok(!exists $s->{replica_age_seconds}, 'no age');
is($s->{replica_position}, 5, 'its entry');
like(http_get('/page'), qr/Replica<.*its age is not known/, 'the page says so');

# a state alone refuses nobody

follow($t, 'forked', 0);
is(login(), 200, 'forked, and young');
like(http_get('/page'), qr/Trouble, Replica<\/b>: forked/, 'the page says so');
follow($t, 'catching_up', 0);
like(http_get('/page'), qr/Attention, Replica<\/b>: catching_up/,
    'catching up');

# without "refuse" it is said only

configure($t, 'dm_sec_replica_stale ' . STALE . 's;');
ok(reload_wait($t), 'a reload');
follow($t, 'disconnected', OLD);
ok(log_lines($t, qr/is disconnected: look at dm-replica, .* what it does(?!;)/),
    'the log says that it is too old');
is_deeply([ each_worker($t, sub { login() }) ], [ map { 200 } workers($t) ],
    'nobody is refused');
like(http_get('/page'), qr/Trouble, Replica</, 'the page says so');

# without the directive neither

configure($t, '');
ok(reload_wait($t), 'another');
is(login(), 200, 'nobody is refused');
like(http_get('/page'), qr/Attention, Replica<\/b>: disconnected/,
    'the page says what the daemon does');

# and with it again

configure($t, $refuse);
ok(reload_wait($t), 'a third');
refused($t, 'old again');
follow($t, 'following', 0);
is(login(), 200, 'young again');

###############################################################################


sub configure {
    my ($t, $lines) = @_;

    conf($t, <<"EOF_HTTP");

error_log             %%TESTDIR%%/error.log info;
dm_sec_lockout        attempts=1 window=1d duration=1d;
dm_sec_plaintext_auth on;
$lines

server {
    listen       127.0.0.1:8080;
    server_name  localhost;

    root %%TESTDIR%%;

    dm_sec_auth basic;

    location = /open {
        dm_sec_auth off;
        alias %%TESTDIR%%/file;
    }

    location /status {
        dm_sec_status json;
        dm_sec_auth off;
    }

    location /metrics {
        dm_sec_status prometheus;
        dm_sec_auth off;
    }

    location /page {
        dm_sec_status html;
        dm_sec_auth off;
    }
}

EOF_HTTP
}


# what dm-replica does: one entry more, and a beat of so many seconds ago
sub follow {
    my ($t, $state, $seconds) = @_;
    my ($d) = $t->testdir();

    my ($exit, $out, $err) = run_command([ $program, "$d/store", "$d/store.key",
        $state, $seconds ]);

    die "$program: $err\n" if $exit;
}


sub login {
    my ($uri) = @_;

    return status(get($uri // '/file', basic('dev', 'right')));
}


sub get {
    my ($uri, @lines) = @_;

    return http(request('GET', $uri, 'Connection: close', @lines));
}


# each worker refuses, a second later than the store says so at the latest
sub refused {
    my ($t, $name) = @_;

    my @all = each_worker($t, sub {
        my $status;

        wait_for(TIME, sub { ($status = login()) == 503 });

        return $status;
    });

    is_deeply(\@all, [ map { 503 } @all ], "$name: 503 in each worker");
}
