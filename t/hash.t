#!/usr/bin/perl

# Tests for slow password hashes: in threads, dm_sec_hash_threads and
# its queue, dm_sec_password_cache.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::SHA qw/ sha1 sha1_base64 /;
use MIME::Base64 qw/ encode_base64 /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Clock;
use Test::DmSec::Gate;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/)
    ->has_daemon('openssl');
my $clock = Test::DmSec::Clock->new($t);
my $gate = Test::DmSec::Gate->new($t);

$t->plan(70);

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

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;

    dm_sec_hash_threads   1 queue=64;
    dm_sec_password_cache 1h;
    dm_sec_lockout        attempts=5 window=1d duration=1d;
    dm_sec_log_limit      off;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            dm_sec_auth basic;
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
account($t, 'add', 'IMEI:1', '--name', 'slow', '--slow-hash',
    { password => 'right' });
account($t, 'add', 'IMEI:2', '--name', 'fast', { password => 'right' });

upstream($t, 8081);
{
    local %ENV = (%ENV, $clock->env());
    $gate->run($t);
}

###############################################################################

my ($r, $s, @clients);

$r = ask('slow', 'right');
is(status($r), 200, 'right password');
like($r, qr/^DM-Client-ID: IMEI:1\r?$/m, 'identity');

upstream_clear($t, 8081);

$r = ask('slow', 'wrong');
is(status($r), 401, 'wrong password');
like(header($r, 'WWW-Authenticate'), qr/^Basic realm="dm.example"/,
    'challenge');
is((denied($t))[-1]->{reason}, 'bad_credentials', 'reason');
is(upstream_count($t, 8081), 0, 'upstream not contacted');

# the cache: a hit computes nothing

is(passwords(), 1, 'one password remembered');

$clock->pass(3601);
ok(wait_for(30, sub { passwords() == 0 }), 'and forgotten');
is(status(ask('slow', 'right')), 200, 'verified again');
is(passwords(), 1, 'and remembered again');

# a changed password counts at once, an old one no more

account($t, 'set', 'IMEI:1', '--slow-hash', { password => 'other' });
is(status(ask('slow', 'right')), 401, 'old password refused at once');
is(status(ask('slow', 'other')), 200, 'new password accepted');

account($t, 'disable', 'IMEI:1');
is(status(ask('slow', 'other')), 403, 'disabled, though remembered');
account($t, 'enable', 'IMEI:1');

# to HA1 and back

account($t, 'set', 'IMEI:1', { password => 'third' });
is(status(ask('slow', 'third')), 200, 'HA1 in place of the slow hash');
is(status(ask('slow', 'other')), 401, 'the slow hash is gone');
account($t, 'set', 'IMEI:1', '--slow-hash', { password => 'right' });

# revoked while the hash is computed: what the account is then counts

is(status(meanwhile($t, 'disable')), 403, 'disabled meanwhile');
is(((denied($t))[-1] || {})->{reason}, 'account_disabled', 'and said so');
account($t, 'enable', 'IMEI:1');

account($t, 'set', 'IMEI:1', '--slow-hash', { password => 'right' });
is(status(meanwhile($t, 'set', '--slow-hash', { password => 'other' })), 401,
    'another password meanwhile');
is((denied($t))[-1]{detail}, 'changed_meanwhile', 'and said so');
is(status(ask('slow', 'right')), 401, 'which is not remembered');

account($t, 'unlock', 'IMEI:1');
account($t, 'set', 'IMEI:1', '--slow-hash', { password => 'right' });
like(meanwhile($t, 'set', '--group', 'new'), qr/^DM-Groups: new\r?$/m,
    'another group meanwhile');

account($t, 'set', 'IMEI:1', '--slow-hash', { password => 'right' });
is(status(meanwhile($t, 'del')), 401, 'deleted meanwhile');
account($t, 'add', 'IMEI:1', '--name', 'slow', '--slow-hash',
    { password => 'right' });
account($t, 'unlock', 'IMEI:1');

# several requests of one connection

my $client = keepalive(8080);

is(status($client->request(request('GET', '/', basic(@$_)))),
    $_->[1] eq 'right' ? 200 : 401, "$_->[0]:$_->[1] on one connection")
    for [ 'slow', 'right' ], [ 'fast', 'right' ], [ 'slow', 'no' ],
        [ 'slow', 'right' ];

is(status($client->request(request('POST', '/', basic('slow', 'right'),
    { body => 'x' x 20000 }))), 200, 'with a body');

$client->close();

# what htpasswd makes, and what it may have made

my %hash = (
    apr1 => (run_command([qw/ openssl passwd -apr1 -salt 12345678 right /]))[1],
    sha => '{SHA}' . sha1_base64('right') . '=',
    ssha => '{SSHA}' . encode_base64(sha1('rightsalt') . 'salt', ''),
    bcrypt => crypt('right', '$2b$05$abcdefghijklmnopqrstuu'),
    sha512 => crypt('right', '$6$rounds=1000$saltsalt'),
    bcrypta => crypt('right', '$2a$05$abcdefghijklmnopqrstuu'),
    sha256 => (run_command([qw/ openssl passwd -5 -salt saltsalt right /]))[1],
    md5 => (run_command([qw/ openssl passwd -1 -salt 12345678 right /]))[1],
);

chomp %hash;

account($t, 'import', '--format', 'htpasswd', '-',
    { stdin => join '', map { "$_:$hash{$_}\n" } keys %hash });

foreach my $name (sort keys %hash) {
    is(status(ask($name, 'right')), 200, "$name, right");
    is(status(ask($name, 'wrong')), 401, "$name, wrong");
    is(status(ask($name, 'x' x 600)), 401, "$name, longer than any");
}

# 64 clients log in with new passwords: what they wait for, others do not

account($t, 'add', "IMEI:10$_", '--name', "new$_", '--slow-hash',
    { password => 'right' }) for 1 .. 8;

@clients = map { keepalive(8080) } 1 .. 64;
$gate->shut();

for my $i (0 .. 63) {
    $clients[$i]->send(request('GET', '/',
        basic('new' . ($i % 8 + 1), $i < 8 ? 'right' : "wrong$i")));
}

is(status(ask('fast', 'right')), 200, 'an authenticated client is answered');
ok($gate->waiting(1), 'and does not wait for the others');
$gate->open();

my %count;
$count{status($_->response())}++ for @clients;

$_->close() for @clients;

is($count{200}, 8, 'the right ones are let in');
cmp_ok($count{401} || 0, '>=', 20, 'wrong ones are refused');
is(($count{401} || 0) + ($count{429} || 0) + ($count{503} || 0), 56,
    'nothing else');

# The queue has an end: what does not fit is 503, and no wrong password.

account($t, 'unlock', "IMEI:10$_") for 1 .. 8;
account($t, 'set', "IMEI:10$_", '--slow-hash', { password => 'again' })
    for 1 .. 2;

$t->write_file('nginx.conf', $t->read_file('nginx.conf')
    =~ s/queue=64/queue=1/r);
ok(reload_wait($t), 'reloaded with a queue of one');

my $workers = scalar workers($t);

@clients = map { keepalive(8080) } 1 .. 16 * $workers;
$gate->shut();
$_->send(request('GET', '/', basic('new1', 'again'))) for @clients;
ok(log_lines($t, qr/reason=overloaded/), 'while the first is computed');
$gate->open();

%count = ();

foreach my $c (@clients) {
    $r = $c->response();
    $count{status($r)}++;
    $s = $r if status($r) == 503;
    $c->close();
}

cmp_ok($count{503} || 0, '>', 0, 'a full queue is 503');
like(header($s, 'Retry-After'), qr/^([5-9]|10)$/, 'Retry-After');
cmp_ok($count{200} || 0, '>', 0, 'what fits is answered');
is(scalar(grep { $_ != 200 && $_ != 503 } keys %count), 0, 'nothing else');
is((grep { $_->{reason} eq 'overloaded' } denied($t))[0]{status}, 503,
    'reason overloaded');

# a client that goes away while its password is hashed

@clients = map { keepalive(8080) } 1 .. 2;
$gate->shut();
$_->send(request('GET', '/', basic('new2', 'again'))) for @clients;
ok($gate->waiting(1), 'a hash is computed');
$_->close() for @clients;
$gate->open();

is(status(ask('fast', 'right')), 200, 'clients that went away');
ok(wait_for(30, sub { status(ask('new2', 'again')) == 200 }), 'and the queue');

# a reload while hashes are computed

account($t, 'set', 'IMEI:103', '--slow-hash', { password => 'again' });

$gate->shut();
$client = keepalive(8080);
$client->send(request('GET', '/', 'Connection: close',
    basic('new3', 'again')));
ok($gate->waiting(1), 'a hash is computed');

my $ending = qr/gracefully shutting down/;
my $ended = log_lines($t, $ending, 0);

$t->reload();
ok(log_lines($t, $ending, $ended + 1) > $ended, 'reloaded meanwhile');
$gate->open();
is(status($client->response()), 200, 'its client is answered');

$t->stop();

unlike($t->read_file('error.log'), qr/:(?:right|other|third|again)/,
    'no password in the log');

###############################################################################

sub ask {
    my ($user, $password) = @_;
    my ($client, $response);

    $client = keepalive(8080);
    $response = $client->request(request('GET', '/',
        basic($user, $password)));
    $client->close();

    return $response;
}

# a right password, and what is done to its account while it is hashed
sub meanwhile {
    my ($t, $verb, @args) = @_;
    my ($client, $response);

    $gate->shut();
    $client = keepalive(8080);
    $client->send(request('GET', '/', basic('slow', 'right')));
    $gate->waiting(1) or die "no hash\n";

    account($t, $verb, 'IMEI:1', @args);
    $gate->open();

    $response = $client->response();
    $client->close();

    return $response;
}

# passwords that are remembered now
sub passwords {
    return status_json()->{cells_used}{passwords};
}

###############################################################################
