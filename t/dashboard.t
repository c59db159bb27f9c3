#!/usr/bin/perl

# Tests for conf/dm-sec-dashboard.json: each of its queries returns data from
# a Prometheus that scrapes the page.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP qw/ decode_json /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;
use Test::DmSec::Process qw/ slurp /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl socket_ssl/)
    ->has_daemon('openssl')->has_daemon('prometheus')->plan(4);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;

    ssl_client_certificate  ca.crt;
    ssl_verify_client       optional;
    ssl_crl                 ca.crl;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        dm_sec_profile dm20;

        location / {
            dm_sec_auth basic;
        }
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location = /metrics {
            dm_sec_status prometheus;
            allow 127.0.0.1;
            deny  all;
        }
    }
}

EOF_CONF

$t->write_file_expand('prometheus.yml', <<'EOF_CONF');
global:
  scrape_interval: 500ms
scrape_configs:
  - job_name: nginx
    static_configs:
      - targets: [ "127.0.0.1:8080" ]
EOF_CONF

ca($t, 'ca');
cert($t, 'server', ca => 'ca', key => 'rsa:2048');
crl($t, 'ca');
store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'right' });

$t->run();

https(8443, request('GET', '/', basic('alice', 'right')));

$t->run_daemon('prometheus', '--config.file=' . $t->testdir()
    . '/prometheus.yml', '--storage.tsdb.path=' . $t->testdir() . '/tsdb',
    '--web.listen-address=127.0.0.1:' . port(8091), '--log.level=error');

###############################################################################

my ($dashboard, @queries, @empty);

$dashboard = decode_json(slurp('../conf/dm-sec-dashboard.json'));
@queries = map { map { $_->{expr} } @{ $_->{targets} || [] } }
    @{ $dashboard->{panels} };

s/\$__rate_interval/1m/g, s/\$instance/.*/g foreach @queries;

cmp_ok(scalar @queries, '>', 20, 'queries');

# those that are left to the alerts and to who asks for them, or of a fleet

my %aside = map { ("dmsec_$_" => 1) } qw/ requests_denied_details_total
    store_accounts_lacking store_key_position store_readers_max
    upgrades_total replica_position replica_age_seconds replica_state /;

is_deeply([ grep { my $name = $_; !$aside{$name}
    && !grep { /\b$name\b/ } @queries }
    slurp('../docs/metrics.md') =~ /^\| `(dmsec_\w+)`/mg ], [],
    'each metric is shown');

# a rate needs two scrapes

ok(wait_for(120, sub {
    return result('count_over_time(dmsec_build_info[5m]) > 2');
}), 'Prometheus has scraped');

@empty = grep { !result($_) } @queries;

is_deeply(\@empty, [], 'each returns data');

###############################################################################

# how many series a query finds; 0 also while Prometheus does not answer
sub result {
    my ($query) = @_;
    my ($answer);

    $query =~ s/([^\w.-])/sprintf '%%%02x', ord $1/ge;

    $answer = http("GET /api/v1/query?query=$query HTTP/1.0\r\n"
        . "Host: localhost\r\n\r\n", socket => IO::Socket::INET->new(
        PeerAddr => '127.0.0.1:' . port(8091)) || return 0);

    $answer = eval { decode_json(http_content($answer)) } || {};

    return scalar @{ ($answer->{data} || {})->{result} || [] };
}

###############################################################################
