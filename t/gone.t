#!/usr/bin/perl

# Tests for clients that do not wait for their slow hash: they give up the
# stream, close the connection, or nginx ends their request.  What was computed
# counts, is logged, and is not remembered; what was not is forgotten.  And for
# many at once: no more passwords are told to be wrong than the lock allows.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Burst qw/ together /;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::Gate;
use Test::DmSec::HTTP2;

###############################################################################

use constant {
    PLAIN => 8080,
    HTTP2 => 8083,
    TIME => 20,             # s, that only a failure takes
};

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_v2 proxy stub_status/)
    ->has_daemon('gcc')->plan(42);
my $d = $t->testdir();
my $gate = Test::DmSec::Gate->new($t);
my (%old);

conf($t, <<'EOF_HTTP');

error_log %%TESTDIR%%/error.log info;

log_format done "$request_uri $status";
access_log %%TESTDIR%%/done.log done;

dm_sec_plaintext_auth on;

dm_sec_hash_threads   1 queue=500;
dm_sec_password_cache 5m;
dm_sec_lockout        attempts=3 window=1d duration=1d;
dm_sec_log_limit      off;

server {
    listen       127.0.0.1:8080;
    listen       127.0.0.1:8083 http2;
    server_name  localhost;

    location / {
        dm_sec_auth basic digest;
        dm_sec_digest_qop auth-int;
        proxy_pass http://127.0.0.1:8081;
    }

    location /action/ {
        dm_sec_auth basic digest;
        dm_sec_digest_qop auth-int;
        post_action /after;
        proxy_pass http://127.0.0.1:8081;
    }

    location = /after {
        dm_sec_auth basic digest;
        dm_sec_digest_qop auth-int;
        proxy_pass http://127.0.0.1:8082;
    }

    location = /status {
        access_log off;
        dm_sec_status json;
        allow 127.0.0.1;
        deny all;
    }

    location = /stub {
        access_log off;
        stub_status;
    }
}

EOF_HTTP

store($t, realm => 'dm.example');

# cheap hashes: what is tried is not how long they take

account($t, 'import', '--format', 'htpasswd', '-', { stdin => join '',
    map { "$_:" . crypt('right', '$6$rounds=1000$saltsalt') . "\n" }
    map { ("$_-wrong", "$_-right", "$_-next") }
    qw/ stream connection plain action worker timeout many / });
account($t, 'add', 'IMEI:1', '--name', 'fast', { password => 'right' });

upstream($t, 8081);
upstream($t, 8082);

$gate->run($t);

###############################################################################

# Wrong passwords, each of a client that has gone before it is computed: they
# count, so the fourth is refused without being computed, though it is right.

my %gone = (

    # a stream that is given up; the connection stays
    stream => sub {
        my ($uri, @lines) = @_;
        my $h = Test::DmSec::HTTP2->new(HTTP2);

        $h->request($uri, @lines, { reset => 1 });

        return sub { $h->close() };
    },

    # a connection of HTTP/2
    connection => sub {
        my $h = Test::DmSec::HTTP2->new(HTTP2);

        $h->request(@_);
        $gate->waiting(1) or die "no hash\n";
        $h->close();

        return sub { };
    },

    # one of HTTP/1.1
    plain => sub {
        my ($uri, @lines) = @_;
        my $c = keepalive(PLAIN);

        $c->send(request('GET', $uri, @lines));
        $gate->waiting(1) or die "no hash\n";
        $c->close();

        return sub { };
    },
);

foreach my $way (sort keys %gone) {
    my $name = "$way-wrong";

    foreach my $n (1 .. 3) {
        one_gone($way, "/$name", basic($name, "wrong$n"));
    }

    is(scalar(refused($name, 'bad_credentials', 3)), 3,
        "$way: three wrong passwords are logged");
    is(ask($name, 'right'), 429, "$way: a right one afterwards");
    is(scalar(refused($name, 'locked', 1)), 1, "$way: locked");
}

is(passwords(), 0, 'no password remembered');

# right passwords of such clients are not remembered either

foreach my $way (sort keys %gone) {
    one_gone($way, "/$way-right", basic("$way-right", 'right'));

    is(passwords(), 0, "$way: a right password is not remembered");
    is(scalar(refused("$way-right", qr/./, 0)), 0, "$way: nor refused");
}

is((grep { $_->{uri} =~ /stream|connection/ } upstream_log($t, 8081)), 0,
    'upstream not contacted for who is known to have gone');

is(ask('stream-right', 'right'), 200, 'who waits is let in');
is(passwords(), 1, 'and remembered');

# what waits and is not begun before its client has gone is not computed

$gate->shut();
my $first = Test::DmSec::HTTP2->new(HTTP2);
my $stream = $first->request('/', basic('stream-next', 'right'));
$gate->waiting(1) or die "no hash\n";

my $count = $gate->begun();
my $canceled = log_lines($t, qr/client canceled stream/, 0);

$first->request('/skipped', basic('stream-next', 'x'), { reset => 1 });
log_lines($t, qr/client canceled stream/, $canceled + 1);
$gate->open();
is($first->status($stream), 200, 'the one before it is answered');
ok(done('/skipped', 1), 'the one behind it is ended');
is($gate->begun(), $count, 'and not computed');
is(scalar(refused('stream-next', qr/./, 0)), 0, 'nor refused');
$first->close();

# With post_action nginx goes through the phases again, and must find a
# decision there: the action is for who was verified.

upstream_clear($t, 8082);

one_gone('stream', '/action/wrong', basic('action-wrong', 'wrong'));
is(upstream_count($t, 8082), 0, 'post_action, wrong');

one_gone('stream', '/action/right', basic('action-right', 'right'));
ok(wait_for(TIME, sub { upstream_count($t, 8082) == 1 }),
    'post_action, right');
like(((upstream_log($t, 8082))[0] || {})->{head} // '',
    qr/^DM-Account-Name: action-right\r$/m, 'its identity');

one_gone('connection', '/action/closed', basic('action-wrong', 'wrong2'));
one_gone('plain', '/action/plain', basic('action-wrong', 'wrong3'));

is(ask('action-wrong', 'right'), 429, 'they count');

# a body that does not come, which Digest's auth-int waits for

my $challenge = (grep { $_->{scheme} eq 'Digest' }
    challenges(response(request('GET', '/'))))[0];

my $c = keepalive(PLAIN);
$c->send(request('POST', '/action/body', 'Content-Length: 10',
    digest($challenge, user => 'fast', password => 'right', method => 'POST',
        uri => '/action/body', qop => 'auth-int', body => 'x')));
$c->close();

ok(done('/action/body', 1), 'a body that does not come: post_action is done');
ok(wait_for(TIME, sub { active() == 0 }), 'no connection is left');

# a worker that shuts down takes its hashes with it

$gate->shut();
my $h = Test::DmSec::HTTP2->new(HTTP2);
$h->request('/worker', basic('worker-wrong', 'wrong1'), { reset => 1 });
$gate->waiting(1) or die "no hash\n";
%old = map { $_ => 1 } workers($t);
$t->reload();
ok(new_workers(), 'reload while it is computed');
$gate->open();
ok(done('/worker', 1), 'it is ended');
$h->close();

is(ask('worker-wrong', "wrong$_"), 401, "wrong password $_") for 2 .. 3;
is(ask('worker-wrong', 'right'), 429, 'the first one counts');

# and one that is told to be quick about it

reconfigure('daemon off;',
    'daemon off; worker_shutdown_timeout 10ms;');

$gate->shut();
$c = keepalive(PLAIN);
$c->send(request('GET', '/timeout', basic('timeout-wrong', 'wrong1')));
$gate->waiting(1) or die "no hash\n";
%old = map { $_ => 1 } workers($t);
$t->reload();
ok(new_workers(), 'reload with worker_shutdown_timeout');
wait_for(0.3, sub { 0 });
$gate->open();
ok(done('/timeout', 1), 'it is ended');
$c->close();

is(ask('timeout-wrong', "wrong$_"), 401, "wrong password $_") for 2 .. 3;
is(ask('timeout-wrong', 'right'), 429, 'the first one counts');

# Many at once, and four threads for them: of all that is on its way when the
# lock comes, the client learns nothing.

reconfigure('dm_sec_hash_threads   1', 'dm_sec_hash_threads   4');

$gate->shut();

my @many = map { Test::DmSec::HTTP2->new(HTTP2) } 1 .. 4;
my @streams = map { my $h = $_; map { [ $h, $h->request('/',
    basic('many-wrong', "wrong$_")) ] } 1 .. 25 } @many;

$gate->waiting(1) or die "no hash\n";
$gate->open();

is_deeply(count(map { $_->[0]->status($_->[1]) } @streams),
    { 401 => 3, 429 => 97 }, 'wrong passwords, many at once');

# and right ones are no guesses, however many

@streams = map { my $h = $_; map { [ $h, $h->request('/',
    basic('many-right', 'right')) ] } 1 .. 25 } @many;

is_deeply(count(map { $_->[0]->status($_->[1]) } @streams),
    { 200 => 100 }, 'right passwords, many at once');

$_->close() for @many;

# the same without a slow hash, in the same moment in all workers

is_deeply(count(map { status($_) } together($t, PLAIN,
    map { request('GET', '/', basic('fast', "wrong$_")) } 1 .. 60)),
    { 401 => 3, 429 => 57 }, 'without a slow hash');

undef $t;

###############################################################################

# a request of that kind of client, until nginx has done with it
sub one_gone {
    my ($way, $uri, @lines) = @_;
    my ($times) = scalar lines($uri);
    my ($close);

    $gate->shut();
    $close = $gone{$way}->($uri, @lines);
    $gate->open();
    done($uri, $times + 1);
    $close->();
}

sub ask {
    return status(response(request('GET', '/', basic(@_))));
}

sub response {
    my ($request) = @_;
    my ($client, $response);

    $client = keepalive(PLAIN);
    $response = $client->request($request);
    $client->close();

    return $response;
}

# how often each of them
sub count {
    my (%count);

    $count{$_}++ for @_;

    return \%count;
}

# what stands in the log for a name, once there are so many
sub refused {
    my ($name, $reason, $n) = @_;
    my (@lines);

    wait_for(TIME, sub {
        @lines = grep { ($_->{claimed} // '') eq $name
            && $_->{reason} =~ /^$reason/ } denied($t, 0);
        return @lines >= $n;
    });

    return @lines;
}

# the end of a request, in the access log, for the n-th time
sub done {
    my ($uri, $n) = @_;

    return wait_for(TIME, sub { lines($uri) >= $n });
}

sub lines {
    my ($uri) = @_;

    return grep { /^\Q$uri\E / } split /\n/, $t->read_file('done.log');
}

# passwords that are remembered now
sub passwords {
    return status_json()->{cells_used}{passwords};
}

# connections but this one
sub active {
    return http_get('/stub') =~ /^Active connections: (\d+)/m ? $1 - 1 : -1;
}

sub reconfigure {
    my ($from, $to) = @_;

    $t->write_file('nginx.conf',
        $t->read_file('nginx.conf') =~ s/\Q$from\E/$to/r);
    reload_wait($t) or die "old workers stay\n";
}

# others than those before, which may be there still
sub new_workers {
    return wait_for(TIME, sub { !grep { $old{$_} } workers($t) });
}

###############################################################################
