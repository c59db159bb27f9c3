#!/usr/bin/perl

# Tests that each worker tells the same metrics, also one that has the store
# not open, and that no counter goes back.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/)->has_daemon('prlimit');

plan(skip_all => 'a sanitizer needs more memory than this leaves')
    if $ENV{ASAN_OPTIONS} || $ENV{SANITIZE};

$t->plan(16)->todo_alerts();

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;
worker_processes 4;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;

    server {
        listen       127.0.0.1:8080 reuseport;
        server_name  localhost;

        location / {
            dm_sec_auth basic;
        }

        location = /status {
            dm_sec_auth   off;
            dm_sec_status prometheus;
            allow         127.0.0.1;
            deny          all;
        }

        location = /page {
            dm_sec_auth   off;
            dm_sec_status html;
            allow         127.0.0.1;
            deny          all;
        }
    }
}

EOF_CONF

# "make test WORKERS=n" asks for so many itself

$conf =~ s/^worker_processes.*\n//m
    if $t->test_globals() =~ /\bworker_processes\b/;

$t->write_file_expand('nginx.conf', $conf);

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'right' });
$t->run();

###############################################################################

my ($page, @workers, $master);

# each of the workers counts: connections are spread over them

http_get('/') for 1 .. 20;

# a request is counted when it was answered

http(request('GET', '/', 'Connection: close', basic(qw/ alice right /)))
    for 1 .. 20;

ok(wait_for(30, sub { denied_count(scrape()) == 20 }), 'all are counted');
ok(wait_for(30, sub { verified_recently() == 20 }), 'in the last minutes too');

is(scrapes(), 1, '40 scrapes tell the same');
@workers = workers($t);

like(scrape(), qr/^dmsec_workers @{[ scalar @workers ]}$/m, 'of all workers');
like(scrape(), qr/^dmsec_store_up 1$/m, 'that have the store');
is(verdicts(), 'Well: accounts: 1', 'and are well');

# A worker that has no room to map the store: it is one of several.  The limit
# can be raised again, since it is the soft one.

$master = master($t);

run_command([ 'prlimit', '--pid', $master, '--as=2000000000:' ]);
kill_worker($t, $workers[0]);

ok(wait_for(30, sub {
    scrape() =~ /^dmsec_store_open_workers @{[ $#workers ]}$/m
}), 'one of them has not');
is(scrapes(), 1, '40 scrapes tell the same');

$page = scrape();

like($page, qr/^dmsec_store_up 0$/m, 'the store is not up everywhere');
like($page, qr/^dmsec_store_accounts 1$/m, 'but it is known');

is(verdicts(), 'Trouble: 1 of ' . @workers . ' workers do not have',
    'the page says so whoever answers');

# nothing that was counted is lost with a worker, nor at a reload

is(denied_count($page), 20, 'counted by one that was killed');
is(verified_recently(), 20, 'also in the last minutes');

run_command([ 'prlimit', '--pid', $master, '--as=unlimited:' ]);
reload_wait($t);

ok(wait_for(30, sub {
    $page = scrape();
    return $page =~ /^dmsec_workers @{[ scalar @workers ]}$/m
        && $page =~ /^dmsec_store_up 1$/m && denied_count($page) == 20;
}), 'the same after a reload');
is(verified_recently(), 20, 'and in the last minutes');
is(verdicts(), 'Well: accounts: 1', 'and the page');

###############################################################################

sub scrape {
    return http_content(http_get('/status'));
}

sub denied_count {
    my ($page) = @_;

    return $page =~ /^dmsec_requests_denied_total\{reason="no_credentials"\}
        \ (\d+)$/mx ? $1 : -1;
}

# what the page for people says of the last 15 minutes
sub verified_recently {
    return http_content(http_get('/page')) =~ /minutes: (\d+) requests verified/
        ? $1 : -1;
}

# How many different pages 40 scrapes see.  A worker that tries to open the
# store is among its readers meanwhile, each second: that is so for all.
sub scrapes {
    my (%seen);

    $seen{scrape() =~ s/^dmsec_store_readers .*//mr} = 1 for 1 .. 40;

    return scalar keys %seen;
}

# the different states of the store on 40 pages for people
sub verdicts {
    my (%seen);

    http_content(http_get('/page')) =~ m{<th\ scope="row">Store</th><td>
        <b\ class="\w+">(\w+)</b></td><td>(.*?)(?:,|\ \S+/store\ )}x
        and $seen{"$1: $2"} = 1 for 1 .. 40;

    return join '; ', sort keys %seen;
}

###############################################################################
