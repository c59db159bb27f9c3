#!/usr/bin/perl

# Tests for the directives that bound what nginx keeps and does, in the
# configuration: dm_sec_zone, dm_sec_lockout, dm_sec_log_limit,
# dm_sec_hash_threads, dm_sec_password_cache, dm_sec_replica_stale.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http limit_req/)->plan(68);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%
}

EOF_CONF

###############################################################################

my $number = 'a number from 1 to 65535 is needed';
my $time = 'a time of at least 1ms is needed';
my $threads = 'invalid number of threads';
my $queue = 'invalid length of the queue';
my $rate = 'invalid rate';
my $age = 'write a second or more, as in "60s"';

my %right = (
    zone => [ 'dm_sec:128k', 'other:1m' ],
    lockout => [ 'off', 'attempts=1', 'attempts=65535 address_attempts=65535',
        'window=1ms duration=1ms', 'duration=5m attempts=3 window=1d' ],
    log_limit => [ 'off', '1/s', '100/s' ],
    hash_threads => [ '1', '65535', '8 queue=0', '8 queue=65535' ],
    password_cache => [ '0', '1ms', '5m' ],
    replica_stale => [ '1s', '60', '1h refuse' ],
);

my %wrong = (
    zone => [
        [ 'dm_sec', 'write it as NAME:SIZE' ],
        [ ':1m', 'write it as NAME:SIZE' ],
        [ 'dm_sec:', 'invalid size ""' ], [ 'dm_sec:much', 'invalid size' ],
        [ 'dm_sec:127k', 'invalid size "127k" of the zone: at least 128k' ],
    ],
    lockout => [
        [ 'attempts=0', $number ], [ 'attempts=65536', $number ],
        [ 'attempts=', $number ], [ 'address_attempts=0', $number ],
        [ 'attempts=5 address_attempts=-1', $number ],
        [ 'window=0', $time ], [ 'attempts=5 window=long', $time ],
        [ 'window=', $time ], [ 'duration=0ms', $time ],
        [ 'duration=1fortnight', $time ],
        [ 'attempt=3', 'write attempts=N, window=TIME, duration=TIME' ],
        [ 'off attempts=3', 'takes "off" alone, without other parameters' ],
    ],
    log_limit => [
        [ '0/s', $rate ], [ '10', $rate ], [ '/s', $rate ], [ '1/m', $rate ],
        [ '-1/s', $rate ], [ 'on', $rate ],
    ],
    hash_threads => [
        [ '0', $threads ], [ '65536', $threads ], [ 'many', $threads ],
        [ '1 queue=65536', $queue ], [ '1 queue=', $queue ],
        [ '1 2', 'invalid parameter "2"' ],
    ],
    replica_stale => [
        [ '0', $age ], [ '0s refuse', $age ], [ 'refuse', $age ],
        [ '10ms', $age ], [ '1m later', 'behind the time stands "refuse"' ],
    ],
    password_cache => [
        [ 'on', '"dm_sec_password_cache" directive invalid value' ],
    ],
);

foreach my $name (sort keys %right) {
    my $first = $right{$name}[0];

    foreach my $value (@{$right{$name}}) {
        is(conf_error($t, http => "dm_sec_$name $value;"), '', "$name $value");
    }

    foreach (@{$wrong{$name}}) {
        my ($value, $why) = @$_;

        like(conf_error($t, http => "dm_sec_$name $value;"),
            qr/\A\[emerg\] .*\Q$why\E/, "$name $value");
    }

    like(conf_error($t, http => "dm_sec_$name $first; dm_sec_$name $first;"),
        qr/\A\[emerg\] "dm_sec_$name" directive is duplicate/, "$name, twice");
    like(conf_error($t, server => "dm_sec_$name $first;"),
        qr/\A\[emerg\] "dm_sec_$name" directive is not allowed here/,
        "$name, in a server");
}

# a zone has the name that stands before the colon

my $d = $t->testdir();

store($t, realm => 'dm.example', args => [ '--map-size', '1m' ]);

like(conf_error($t, http => 'limit_req_zone $uri zone=one:128k rate=1r/s; '
    . "dm_sec_zone one:128k; dm_sec_account_store $d/store; "
    . "dm_sec_store_key $d/store.key; dm_sec_plaintext_auth on;",
    location => 'dm_sec_auth basic;'),
    qr/\A\[emerg\] the shared memory zone "one" is already declared/,
    'the name of another zone');

###############################################################################
