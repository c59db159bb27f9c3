#!/usr/bin/perl

# Tests for the lockout against who tries names in masses: he does not learn
# which of them are accounts, he gets no more guesses by it, and devices log in
# all the while.  The zone is the smallest that nginx -t accepts.
#
# In full size, with 1,000,000 failures: make test-attack.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP qw/ encode_json /;
use List::Util qw/ shuffle /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Attack qw/ FULL /;
use Test::DmSec::Burst qw/ burst /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use constant {
    ATTEMPTS   => 3,
    CANDIDATES => 60,               # of each kind, in a round
    ROUNDS     => 6,
    OTHERS     => 600,              # accounts that are not looked for
};

# failures of a flood; the table has room for some 400 counters
use constant FLOOD => FULL ? 200_000 : 1_200;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy realip/)->plan(16);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;
    access_log off;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;

    dm_sec_zone    dm_sec:128k;
    dm_sec_lockout attempts=3 window=1h duration=1h;

    dm_sec_log_limit 10/s;

    set_real_ip_from   127.0.0.0/8;
    real_ip_header     X-Real-IP;
    keepalive_requests 1000000;

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

my @known = map { "device-$_" } 1 .. CANDIDATES * ROUNDS;
my @others = map { "other-$_" } 1 .. OTHERS;

store($t, realm => 'dm.example');
account($t, 'import', '-', { stdin => join '', map {
    encode_json({ id => "id-$_", name => $_, password => 'right' }) . "\n"
    } 'alice', 'bob', @known, @others });

upstream($t, 8081);
$t->run();

###############################################################################

# Guesses at one account, from one address, and between any two of them enough
# failures of other accounts and names to fill the table, from there and from
# elsewhere.

my ($guessed, $device) = (0, 0);

for my $round (1 .. 8) {
    $guessed += grep { $_ == 401 } try_all('10.0.0.1',
        ('alice') x (ATTEMPTS - 1));

    flood($round % 2 ? 'two' : '10.0.0.1', $round <= 6 ? @others
        : map { "made-up-$round-$_" } 1 .. OTHERS);

    $device += grep { $_ == 200 } try_all('10.77.0.1', [ 'bob', 'right' ]);
}

diag("guesses at one account: $guessed, the device: $device of 8");
cmp_ok($guessed, '>=', ATTEMPTS - 1, 'guesses');
cmp_ok($guessed, '<=', 3 * ATTEMPTS,
    'no more of them than three times the attempts, whatever is pushed out');
is($device, 8, 'a device logs in all the while');

# Locks of made-up names in masses, from two networks: they push out each other,
# and their networks are locked, and nobody else is.

fresh($t);

is_deeply([ try_all('10.66.0.1', ('alice') x ATTEMPTS) ], [ (401) x ATTEMPTS ],
    'one more than these');
flood('two', map { ("lock-$_") x ATTEMPTS } 1 .. OTHERS * 2);

is_deeply([ try_all('10.66.0.1', 'alice') ], [ 429 ], 'a lock stays');
is_deeply([ try_all('10.66.0.1', [ 'bob', 'right' ]) ], [ 200 ],
    'its neighbours log in');
is_deeply([ try_all('two', [ 'bob', 'right' ], [ 'nobody', 'wrong' ]) ],
    [ 429, 429 ], 'networks are locked as a whole');
cmp_ok(status_json()->{denied_details}{'network'}, '>', 0,
    'and said to be so');
cmp_ok(status_json()->{lockout_overflow}, '>', 0, 'counted');
ok($t->read_file('error.log') =~
    /\[error\].*dm_sec: no room for a lock, \d+ so far/, 'and said');

# Candidates, of which half are accounts.  Each fails a few times, then come
# made-up names in masses, and then it is seen which candidate is remembered.

my $round = 0;

told($t, ATTEMPTS - 1, '10.1.0.1', '10.1.0.1', FLOOD, 'a flood from there');
told($t, ATTEMPTS - 1, '10.1.0.1', '10.2.0.1', FLOOD, 'from elsewhere');
told($t, ATTEMPTS - 1, '10.1.0.1', 'many', OTHERS / 2, 'from many, few');
told($t, ATTEMPTS - 1, 'many', 'many', FLOOD, 'counters of many');
told($t, ATTEMPTS, '10.1.0.1', 'many', FLOOD, 'locks');
told($t, ATTEMPTS, 'many', 'two', FLOOD, 'locks of many');

$t->stop();

###############################################################################

# A zone of another size is a new one, where nobody is locked yet.
sub fresh {
    my ($t) = @_;
    my ($conf) = $t->read_file('nginx.conf');

    $conf =~ s/dm_sec:(\d+)k/'dm_sec:' . ($1 == 128 ? 132 : 128) . 'k'/e;
    $t->write_file('nginx.conf', $conf);

    reload_wait($t) or die 'no reload';
}

# It is a coin toss for each candidate: with 60 of each kind, a difference of
# 33 is six standard deviations.
sub told {
    my ($t, $failures, $address, $flood, $n, $name) = @_;
    my (@candidates, %seen, %answer, $evicted);

    fresh($t);
    $round++;

    @candidates = shuffle((map { [ $_, 'account' ] }
        splice(@known, 0, CANDIDATES)),
        map { [ "device-x$round-$_", 'made up' ] } 1 .. CANDIDATES);

    for (1 .. $failures) {
        try_all($address, map { $_->[0] } @candidates);
    }

    flood($flood, map { "flood-$round-$_" } 1 .. $n);
    $evicted = status_json()->{cells_evicted}{failures};

    # a candidate that has failed so often already is locked by one more

    for my $n (1 .. 2) {
        my @status = try_all($address, map { $_->[0] } @candidates);

        for my $i (0 .. $#candidates) {
            $answer{$candidates[$i][0]} .= " $status[$i]";
        }
    }

    $seen{$_->[1]}{$answer{$_->[0]}}++ for @candidates;

    my %all = map { %{ $_ } } values %seen;
    my $worst = 0;

    for (sort keys %all) {
        my ($a, $b) = map { $_ // 0 } $seen{account}{$_}, $seen{'made up'}{$_};

        diag("$name, $evicted pushed out:$_: accounts $a, made-up names $b");
        $worst = abs($a - $b) if abs($a - $b) > $worst;
    }

    cmp_ok($worst, '<', 33, "not told apart: $name");
}

# the statuses of wrong passwords, one after another, each answered before the
# next; of a name or of [ name, password ]
sub try_all {
    my ($address, @names) = @_;
    my (@status, $client);

    $client = persistent(8080);

    for my $i (0 .. $#names) {
        my ($name, $password) = ref $names[$i] ? @{ $names[$i] }
            : ($names[$i], 'wrong');

        push @status, status($client->(request('GET', '/',
            'X-Real-IP: ' . address($address, $i),
            'Connection: keep-alive', basic($name, $password))));
    }

    return @status;
}

# one failure each, many at once
sub flood {
    my ($address, @names) = @_;
    my ($i) = 0;

    burst(8080, sub {
        return if $i == @names;
        $i++;
        return request('GET', '/', 'X-Real-IP: ' . address($address, $i),
            basic($names[$i - 1], 'wrong'));
    }, sub { }, timeout => 600);
}

# that address; or the n-th of two networks, or of many
sub address {
    my ($address, $n) = @_;

    return sprintf '10.8.%d.%d', $n & 1, $n & 255 if $address eq 'two';
    return sprintf '10.%d.%d.1', 100 + ($n >> 8 & 127), $n & 255
        if $address eq 'many';

    return $address;
}

###############################################################################
