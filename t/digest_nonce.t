#!/usr/bin/perl

# Tests for the life of a nonce: its counts, its end, the one that follows it,
# and what the status page shows of it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Clock;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

use constant MINUTE => 60;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/);
my $clock = Test::DmSec::Clock->new($t);

$t->plan(61);

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
    dm_sec_log_limit      100000/s;
    dm_sec_lockout        attempts=2 window=1d duration=1d;

    dm_sec_digest_nonce_lifetime 80m;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            dm_sec_auth digest;
            proxy_pass http://127.0.0.1:8081;
        }

        location /int {
            dm_sec_auth digest;
            dm_sec_digest_qop auth-int;
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

store($t, realm => 'dm.example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'secret' });
account($t, 'add', 'IMEI:2', '--name', 'bob', { password => 'secret' });

upstream($t, 8081);
$clock->run($t);

my ($c, $r);

###############################################################################

# a challenge leaves no trace, the first right answer does

is(used(), 0, 'nothing at the start');
challenge() foreach 1 .. 20;
is(used(), 0, 'nothing after challenges');

$c = challenge();
try($c, 1, password => 'wrong');
try({ %$c, nonce => 'x' x 64 }, 1);
is(used(), 0, 'nothing after wrong and stale answers');
account($t, 'unlock', 'IMEI:1');

is(try($c, 1), '200 upstream', 'first answer');
is(used(), 1, 'one nonce');

# counts may come in any order, once

is(try($c, 3), '200 upstream', 'count 3');
is(try($c, 2), '200 upstream', 'count 2, after it');
is(try($c, 2), '401 replay', 'count 2 again');
is(try($c, 1), '401 replay', 'count 1 again');

$c = challenge();
is(try($c, 5), '200 upstream', 'a nonce that begins with count 5');
is(try($c, 4), '200 upstream', 'count 4, below the first');
is(try($c, 5), '401 replay', 'count 5 again');

is(try($c, 1000), '200 upstream', 'far ahead');
is(try($c, 872), '401 replay', 'at the end of the window');
is(try($c, 873), '200 upstream', 'within the window');
is(try($c, 873), '401 replay', 'once');
is(try($c, 6), '401 replay', 'far below');
is(try($c, 0xffffffff), '200 upstream', 'the last count');
is(try($c, 1001), '401 replay', 'far below that');
is(try($c, 0xffffffff), '401 replay', 'the last count again');
is(try($c, 0xfffffffe), '200 upstream', 'the one before it');

# a replay with a wrong secret is a wrong secret

is(try($c, 0xfffffffe, password => 'wrong'), '401 bad_credentials',
    'replayed and wrong');
account($t, 'unlock', 'IMEI:1');

# the end of a nonce, and the one that follows

$c = challenge();
is(try($c, 1), '200 upstream', 'a new nonce');
unlike(header($r, 'Authentication-Info'), qr/nextnonce/, 'stays for a while');

$clock->pass(64 * MINUTE);
my $used = used();
is(try($c, 2), '200 upstream', 'it ages');
like(header($r, 'Authentication-Info'), qr/, nextnonce="([^"]{64})"$/,
    'and another is to follow it');

my %next = (%$c, nonce => $1) if header($r, 'Authentication-Info')
    =~ /nextnonce="([^"]+)"/;
isnt($next{nonce}, $c->{nonce}, 'which is another one');
cmp_ok(used(), '<=', $used, 'and leaves no trace before its use');

# nobody can be locked out between the two

foreach (1 .. 2) {
    is(try(challenge(), 1, password => 'guess'), '401 bad_credentials',
        "guess $_");
}

is(try(challenge(), 1), '429 locked', 'locked');
is(try(\%next, 1, user => 'bob'), '401 stale_nonce',
    'it is for nobody else');
is(detail(), 'other_account', 'it is for nobody else, detail');
is(try(\%next, 1), '200 upstream', 'the device goes on');
is(try(\%next, 1), '401 replay', 'once');
is(try($c, 3), '200 upstream', 'with the old one, too');
account($t, 'unlock', 'IMEI:1');

$clock->pass(17 * MINUTE);
is(try($c, 4), '401 stale_nonce', 'the old one has expired');
is(detail(), 'expired', 'the old one has expired, detail');
is((challenges($r))[0]{stale}, 'true', 'stale');
is(try($c, 2), '401 stale_nonce', 'its old counts are stale, not replayed');
is(try($c, 5, password => 'wrong'), '401 bad_credentials',
    'expired and wrong is wrong');
is((challenges($r))[0]{stale}, undef, 'not stale');
is(try(\%next, 2), '200 upstream', 'the next one lives');

# a nonce that nobody used in its time

$c = challenge();
$clock->pass(81 * MINUTE);
is(try($c, 1), '401 stale_nonce', 'expired before its first use');
is(detail(), 'expired', 'expired before its first use, detail');
is(used(), 0, 'all of them are gone');

# auth-int has no rspauth, but a nonce that follows

$c = challenge('/int');
is(try($c, 1, uri => '/int', qop => 'auth-int'), '200 upstream', 'auth-int');
is(header($r, 'Authentication-Info'), undef, 'no info');
$clock->pass(64 * MINUTE);
is(try($c, 2, uri => '/int', qop => 'auth-int'), '200 upstream',
    'auth-int, it ages');
like(header($r, 'Authentication-Info'), qr/^nextnonce="[^"]{64}"$/,
    'another is to follow');

# it survives a reload, with its counts

$c = challenge();
is(try($c, 1), '200 upstream', 'before a reload');
ok(reload_wait($t), 'reload');
is(try($c, 1), '401 replay', 'replayed after it');
is(try($c, 2), '200 upstream', 'and goes on');

wait_for(30, sub { status_json()->{denied}{replay} == 10 });
is(status_json()->{denied}{replay}, 10, 'replays are counted');

# not in a zone of another size: it has another secret

$t->write_file('nginx.conf', $t->read_file('nginx.conf')
    =~ s/(dm_sec_digest_nonce)/dm_sec_zone dm_sec:1m;\n    $1/r);
ok(reload_wait($t), 'reload with a resized zone');
is(try($c, 1), '401 stale_nonce', 'nothing is known of it');
is(detail(), 'other_node', 'nothing is known of it, detail');
is(try($c, 3), '401 stale_nonce', 'of a new count neither');
is((challenges($r))[0]{stale}, 'true', 'the device is told to go on');
is(try((challenges($r))[0], 1), '200 upstream', 'and does');

undef $t;

###############################################################################

sub challenge {
    my ($uri) = @_;
    my (@challenges) = challenges(http_get($uri // '/'));

    verdict($t, undef, 8081);

    return $challenges[0];
}

sub try {
    my ($challenge, $nc, %o) = @_;

    $r = http(request('GET', $o{uri} // '/', 'Connection: close',
        digest($challenge, user => 'alice', password => 'secret',
        nc => $nc, %o)));

    return verdict($t, $r, 8081);
}

# of the refusal before
sub detail {
    return (denied($t, 0))[-1]{detail};
}

sub used {
    return status_json()->{cells_used}{nonces};
}

###############################################################################
