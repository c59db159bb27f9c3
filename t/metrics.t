#!/usr/bin/perl

# Tests for the metrics that dm_sec_status tells Prometheus: their names, the
# table of them in docs/metrics.md, the alerts on them, and that all workers
# tell the same.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP qw/ decode_json /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;
use Test::DmSec::Process qw/ must slurp /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl socket_ssl/)
    ->has_daemon('openssl')->has_daemon('promtool')->plan(21);

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

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        ssl_verify_client      optional;
        ssl_client_certificate ca.crt;
        ssl_crl                ca.crl;

        dm_sec_profile dm20;

        location / {
            dm_sec_auth basic;
        }
    }

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        allow 127.0.0.1;
        deny  all;

        location /json {
            dm_sec_status json;
        }

        location /prometheus {
            dm_sec_status prometheus;
        }
    }
}

EOF_CONF

ca($t, 'ca');
cert($t, 'server', ca => 'ca', key => 'rsa:2048');
crl($t, 'ca');
store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'right' });
account($t, 'add', 'IMEI:2', '--name', 'bob', { password => 'right' });
account($t, 'disable', 'IMEI:2');
account($t, 'add', 'IMEI:4', '--name', 'slow', '--slow-hash',
    { password => 'right' });
account($t, 'add', 'IMEI:3', '--name', 'carol', '--not-after',
    '2001-01-01T00:00:00Z', { password => 'right' });

# the numbers of a store that follows are there, too

my $program = $ENV{TEST_DM_FOLLOW} || '../build/unit/follow';
my @follow = ($program, map({ $t->testdir() . "/$_" } qw/ store store.key /),
    qw/ following 0 /);

must(\@follow) if -x $program;

$t->run();

###############################################################################

my ($page, $exit, $out, $err, %row, %type, $json, $alerts);

https(8443, request('GET', '/', basic('alice', 'right')));

# a request is counted when it was answered

wait_for(30, sub { prometheus() =~ /^dmsec_tls_requests_total\{.*\} 1$/m });

$page = prometheus();

# what it says

like($page, qr/^dmsec_build_info\{version="[\d.]+",nginx="[\w.]+",openssl="
    [\w.-]+"\}\ 1$/mx, 'versions');
like($page, qr/^dmsec_handshakes_total\{version="TLSv1.2",result="done"\} 1$/m,
    'a handshake');
is_deeply({ $page =~ /^dmsec_\w+_by_state\{state="(\w+)"\} (\d+)$/mg },
    { active => 2, disabled => 1, expired => 1 }, 'accounts by state');
is_deeply([ $page =~ /^dmsec_certificate_\w+\{server="localhost"\} (\d+)$/mg ],
    [ expiry($t->testdir()) ], 'when the certificate expires');
like($page, qr/^dmsec_store_up 1$/m, 'store is up');

# a slow hash is computed once, then remembered

https(8443, request('GET', '/', basic('slow', 'right'))) for 1 .. 3;

$page = prometheus();

like($page, qr/^dmsec_password_cache_misses_total 1$/m, 'a slow hash');
like($page, qr/^dmsec_password_cache_hits_total 2$/m, 'remembered');
is_deeply([ $page =~ /^dmsec_hash_\w+ (\d+)$/mg ], [ 0, 0, 0 ], 'none is left');

# as their users lint it

($exit, $out, $err) = run_command([ qw/ promtool check metrics / ],
    stdin => $page);

is("$out$err", '', 'promtool has nothing to say');
is($exit, 0, 'and succeeds');

# the table in docs/metrics.md, and what is there

foreach my $line (slurp('../docs/metrics.md') =~ /^\| (`dmsec_.*) \|$/mg) {
    my ($name, $key, $type, $labels) = split / ?\| ?/, $line =~ s/`//gr;
    next if $name =~ /^dmsec_replica_/ && !-x $program;
    $row{$name} = { key => $key, type => $type, labels => $labels };
}

%type = $page =~ /^# TYPE (\S+) (\S+)$/mg;

is_deeply([ sort keys %row ], [ sort keys %type ],
    'docs/metrics.md names each metric, and no other');
is_deeply({ map { $_ => $row{$_}{type} } keys %row }, \%type, 'its type');

is_deeply([ grep { $row{$_}{labels} ne labels($_) } sort keys %row ], [],
    'its labels');

$json = decode_json(http_content(http_get('/json')));

is_deeply([ sort map { $_->{key} } values %row ], [ sort keys %$json ],
    'and its key in JSON');

# each has its help before it, and items

is_deeply([ sort keys %type ], [ sort $page =~ /^# HELP (\S+) .+\.$/mg ],
    'help of each');
is_deeply([ grep { $page !~ /^$_[ {]/m } sort keys %type ], [],
    'each has a number');

unlike($page, qr/dm_sec_/, 'the old names are gone');

# the alerts: each of their names is there, and each rings when it should

$alerts = slurp('../conf/dm-sec-alerts.yml');

is_deeply([ grep { !$type{$_} } $alerts =~ /\b(dmsec_\w+)/g ], [],
    'alerts ask for what is there');

($exit, $out, $err) = run_command([ qw{ promtool check rules
    ../conf/dm-sec-alerts.yml } ]);

is($exit, 0, 'promtool check rules') or diag("$out$err");

$t->write_file('alerts_test.yml', slurp('alerts_test.yml')
    =~ s{ALERTS}{"$FindBin::Bin/../conf/dm-sec-alerts.yml"}er);

($exit, $out, $err) = run_command([ qw/ promtool test rules /,
    $t->testdir() . '/alerts_test.yml' ]);

is($exit, 0, 'promtool test rules') or diag("$out$err");

is_deeply([ sort { $a cmp $b } names($alerts =~ /alert: (\w+)/g) ],
    [ names(slurp('alerts_test.yml') =~ /alertname: (\w+)/g) ],
    'each alert is tried');

###############################################################################

sub prometheus {
    return http_content(http_get('/prometheus'));
}

sub names {
    my (%seen);

    return sort grep { !$seen{$_}++ } @_;
}

# of the certificate, as openssl says it
sub expiry {
    my ($dir) = @_;
    my ($end) = (run_command([ qw/ openssl x509 -noout -enddate -dateopt
        iso_8601 -in /, "$dir/server.crt" ]))[1] =~ /=(.*)Z/;

    require Time::Piece;

    return Time::Piece->strptime($end, '%Y-%m-%d %H:%M:%S')->epoch();
}

# those of a metric's first item
sub labels {
    my ($name) = @_;

    return join ', ', ($page =~ /^\Q$name\E(?:\{(.*)\})? /m
        ? $1 // '' : '?') =~ /(\w+)="/g;
}

###############################################################################
