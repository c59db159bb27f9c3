#!/usr/bin/perl

# Tests for two nodes that have an nginx each: a device that is disabled at one
# is refused at the other, on whatever it has open.  The engine is in a network
# namespace of the test's own, and dm-replica of node 2 in another, with TLS,
# certificates and a link between them that can be taken down.

###############################################################################

use warnings;
use strict;

use Test::More;

use IPC::Open2;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::HTTP2;
use Test::DmSec::Process qw/ must slurp /;
use Test::Postgres qw/ needs_postgres /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

needs_postgres();

plan(skip_all => 'not root') if $>;
plan(skip_all => 'no network namespace')
    if system('unshare -n true 2>/dev/null') != 0;

# all of the test is in a network of its own

if (!$ENV{DM_SEC_NETWORK}) {
    $ENV{DM_SEC_NETWORK} = 1;
    exec('unshare', '-n', $^X, $FindBin::Script)
        or die "Can't run unshare: $!\n";
}

use constant {
    DEVICE => 'IMEI:1',
    ENGINE => '10.213.77.1',        # the two ends of the link
    NODE => '10.213.77.2',
    CHANGES => $ENV{DM_SEC_FULL} ? 900 : 60,
    RATE => 30,                     # a second
};

my $key = 'a5' x 32;
my %ports = (1 => 8443, 2 => 8543);
my %node = map { $_ => Test::Nginx->new() } 1, 2;

$node{1}->has(qw/ http http_ssl http_v2 socket_ssl /)->has_daemon('openssl')
    ->plan(40);

my $d = $node{1}->testdir();
my $namespace = network();
my %running;

configure($_) foreach 1, 2;
certificates();

my $pg = Test::Postgres->new(tls => { port => port(8432), address => ENGINE,
    cert => "$d/server.crt", key => "$d/server.key", ca => "$d/ca.crt" });

publish();
follow($_) foreach 1, 2;
$node{$_}->run() foreach 1, 2;

###############################################################################

# revocation, on whatever is open at the other node

my %open = (
    'keep-alive' => keepalive($ports{2}, SSL => 1),
    'HTTP/2' => Test::DmSec::HTTP2->new($ports{2}, SSL => 1),
    (map { my $way = $_; $way => device(split / /, $way) }
        'TLSv1_2 psk', 'TLSv1_3 psk', 'TLSv1_2 x509', 'TLSv1_3 x509'),
);

is(ask($_), 200, "$_, at first") foreach sort keys %open;

my $begun = time();

account_at(1, 'disable', DEVICE);
ok(wait_for(60, sub { ask('keep-alive') == 403 }), 'refused at the other');
note(sprintf '%.0f ms after the command began', 1000 * (time() - $begun));

is(ask($_), 403, "$_, disabled") foreach sort keys %open;

account_at(1, 'enable', DEVICE);
ok(wait_for(60, sub { ask('keep-alive') == 200 }), 'enabled at the other');
is(ask($_), 200, "$_, enabled") foreach sort keys %open;

# a change at the other node is in force at this one

account_at(2, 'disable', DEVICE);
ok(wait_for(60, sub { fresh(1) == 403 }), 'changed from the other');
account_at(2, 'enable', DEVICE);
ok(wait_for(60, sub { fresh(1) == 200 }), 'and back again');

# how soon, at so many changes a second

note('visible at the other node after ' . visible());
ok(wait_for(60, sub { equal() == 2 }), 'both have the same accounts');

###############################################################################

# the link is down: nobody who asks nginx notices, and each thing says so

link_is('down');
is(fresh(2), 200, 'the link is down');
ok(wait_for(120, sub { state_of(2) eq 'disconnected' }), 'nginx tells of it');

account_at(1, 'disable', DEVICE);
is(fresh(1), 403, 'disabled here');

my @statuses = map { fresh(2) } 1 .. 20;
is(join(' ', @statuses), join(' ', (200) x 20), 'and not there, cut off');

my ($exit, $out, $err) = run_at(2, 'disable', DEVICE);
is($exit, 1, 'no change there');
like($err, qr/nothing was changed/, 'and it says so');

account_at(2, 'disable', DEVICE, '--here');
is(fresh(2), 403, 'but for what is disabled there alone');
is(ask($_), 403, "$_, disabled there alone") foreach 'HTTP/2', 'TLSv1_3 psk';

account_at(1, 'enable', DEVICE);
link_is('up');
ok(wait_for(120, sub { state_of(2) eq 'following' }), 'the link is up');
ok(wait_for(60, sub { equal() == 2 }), 'it has what came meanwhile');
is(fresh(2), 403, 'what is disabled there alone stays so');
account_at(2, 'enable', DEVICE, '--here');
is(fresh(2), 200, 'until it is enabled there');

finish_all();
undef %open;
undef $node{$_} foreach 1, 2;

###############################################################################
# The network


# the process that keeps the other namespace; it ends with the test
sub network {
    my ($own) = readlink('/proc/self/ns/net');
    my ($pid) = fork();

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        # pause: until it is ended
        exec('setpriv', '--pdeathsig', 'KILL', 'unshare', '-n', 'sleep',
            '3600') or POSIX::_exit(9);
    }

    wait_for(60, sub {
        my $other = readlink("/proc/$pid/ns/net");
        defined $other && $other ne $own;
    }) or die "no other network namespace\n";

    ip('link set lo up');
    ip("link add near type veth peer name far netns $pid");
    ip('addr add ' . ENGINE . '/30 dev near');
    ip('link set near up');
    inside($pid, 'ip link set lo up');
    inside($pid, 'ip addr add ' . NODE . '/30 dev far');
    inside($pid, 'ip link set far up');

    return $pid;
}


sub ip {
    my ($words) = @_;

    must([ 'ip', split / /, $words ]);
}


sub inside {
    my ($pid, $words) = @_;

    must([ 'nsenter', '-t', $pid, '-n', split / /, $words ]);
}


sub link_is {
    my ($state) = @_;

    ip("link set near $state");
}


###############################################################################
# Nodes


sub configure {
    my ($n) = @_;

    conf($node{$n}, <<"EOF_HTTP");

error_log %%TESTDIR%%/error.log info;

ssl_certificate      rsa.crt;
ssl_certificate_key  rsa.key;

ssl_client_certificate  ca.crt;
ssl_verify_client       optional;

ssl_session_ticket_key  ticket.key;

keepalive_requests  1000000;

server {
    listen       127.0.0.1:$ports{$n} ssl http2;
    server_name  localhost;

    dm_sec_profile  modern dm20;
    dm_sec_auth     psk x509 basic;

    location / {
        empty_gif;
    }

    location /status {
        dm_sec_auth    off;
        dm_sec_status  json;
    }
}

EOF_HTTP
}


sub certificates {
    ca($node{1}, 'ca');
    cert($node{1}, 'rsa', ca => 'ca', key => 'rsa:2048');
    cert($node{1}, 'server', ca => 'ca', san => [ 'IP:' . ENGINE,
        'IP:127.0.0.1' ]);
    cert($node{1}, $_, ca => 'ca', eku => 'clientAuth')
        foreach qw/ one node1 node2 writer1 writer2 /;

    $node{1}->write_file('ticket.key', 'k' x 80);
    $node{2}->write_file($_, $node{1}->read_file($_))
        foreach qw/ ca.crt rsa.crt rsa.key ticket.key /;
}


# as whom a node speaks with the engine, over TLS
sub engine {
    my ($n, $role) = @_;

    return 'host=' . ($n == 1 ? '127.0.0.1' : ENGINE) . " port=" . port(8432)
        . " user=$role$n dbname=fleet sslmode=verify-full"
        . " sslrootcert=$d/ca.crt sslcert=$d/$role$n.crt"
        . " sslkey=$d/$role$n.key";
}


sub publish {
    my ($psql) = sub { $pg->psql($_[0], db => $_[1] // 'fleet') };

    $psql->('CREATE DATABASE fleet', 'postgres');
    store($node{1}, realm => 'example', args => [ '--map-size', '1m' ]);
    account($node{1}, 'add', DEVICE, '--name', 'one', '--cert', "$d/one.crt",
        { password => 'secret' });
    account($node{1}, 'set', DEVICE, '--psk-identity', 'dev1',
        { psk => $key });
    account_at(1, 'replicate', 'init', '--engine', $pg->conninfo('postgres'));

    $psql->(qq{CREATE ROLE node$_ LOGIN IN ROLE "dm-sec-beat"}) foreach 1, 2;
    $psql->(qq{CREATE ROLE writer$_ LOGIN IN ROLE "dm-sec-writer"})
        foreach 1, 2;
}


# dm-replica of a node, which makes the store where there is none
sub follow {
    my ($n) = @_;
    my ($dir) = $node{$n}->testdir();
    my (@enter) = $n == 2 ? ('nsenter', '-t', $namespace, '-n') : ();
    my (@command) = (@enter, $ENV{TEST_DM_REPLICA}, '--store', "$dir/store",
        '--key', "$d/store.key", '--authority', "$d/authority.pub", '--beat',
        "$d/beat.key", '--engine', engine($n, 'node'));

    chmod 0711, $dir;
    must([ @command, '--once', '--owner',
        Test::DmSec::worker_user($node{$n}) ]) unless -e "$dir/store";
    $node{$n}->write_file('store.key', slurp("$d/store.key")) if $n == 2;
    chmod 0600, "$dir/store.key";

    my ($pid) = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/replica.log";
        open STDERR, '>&', \*STDOUT;
        exec('setpriv', '--pdeathsig', 'TERM', @command) or POSIX::_exit(9);
    }

    $running{$pid} = $n;
}


sub finish_all {
    kill 'TERM', keys %running;

    foreach my $pid (keys %running) {
        wait_for(60, sub { waitpid($pid, POSIX::WNOHANG()) });
        is($?, 0, "dm-replica $running{$pid} ends");
    }

    kill 'KILL', $namespace;
    waitpid $namespace, 0;
}


# the words of dm-account at a node
sub at {
    my ($n, @words) = @_;
    my (@enter) = $n == 2 ? ('nsenter', '-t', $namespace, '-n') : ();

    return (@enter, 'env', "DM_SEC_AUTHORITY=$d/authority.key",
        "DM_SEC_AUTHORITY_PUBLIC=$d/authority.pub",
        "DM_SEC_BEAT=$d/beat.key", 'DM_SEC_ENGINE=' . engine($n, 'writer'),
        $ENV{TEST_DM_ACCOUNT}, '--store', $node{$n}->testdir() . '/store',
        '--key', "$d/store.key", @words);
}


sub run_at {
    my ($n, @words) = @_;

    return run_command([ at($n, @words) ]);
}


sub account_at {
    my ($n, @words) = @_;

    return must([ at($n, @words) ]);
}


# how many nodes have the accounts of the log
sub equal {
    my ($status) = JSON::PP::decode_json(account_at(1, '--json', 'replicate',
        'status'));

    return scalar grep { $_->{sum_equal} && $_->{number} == $status->{number} }
        @{ $status->{nodes} };
}


sub state_of {
    my ($n) = @_;
    my ($status) = JSON::PP::decode_json(http_content(scalar
        https($ports{$n}, request('GET', '/status'))));

    return join ' ', keys %{ $status->{replica_state} || {} };
}


# changes one after the other, and how long each takes to be seen
sub visible {
    my (@took);
    my ($pid) = open2(my $from, my $to, 'sh', '-c',
        'exec "$@" 2>/dev/null', 'sh', at(1, 'batch'));
    my ($next) = time();

    $to->autoflush(1);

    foreach my $n (1 .. CHANGES) {
        my ($verb, $status) = $n % 2 ? ('disable', 403) : ('enable', 200);

        # pause: as many a second as are to be made
        sleep($next - time()) if $next > time();
        $next += 1 / RATE;

        print {$to} qq({"verb":"$verb","id":"@{[ DEVICE ]}"}\n);
        readline($from) =~ /"changed":true/ or die "not changed\n";

        my $done = time();
        wait_for(60, sub { ask('keep-alive') == $status })
            or die "not seen: $verb\n";
        push @took, 1000 * (time() - $done);
    }

    close $to;
    waitpid $pid, 0;

    @took = sort { $a <=> $b } @took;

    return sprintf '%.1f ms, p99 %.1f, of %d changes', $took[@took / 2],
        $took[@took * 0.99], scalar @took;
}


###############################################################################
# Clients


# one that remembers its TLS sessions, with a key or a certificate
sub device {
    my ($version, $method) = @_;

    return { sessions(SSL_version => $version, $version eq 'TLSv1_2'
        ? (SSL_cipher_list => $method eq 'psk' ? 'DHE-PSK-AES128-GCM-SHA256'
            : 'ECDHE') : (), $method eq 'psk' ? psk('dev1', $key)
        : (SSL_cert_file => "$d/one.crt", SSL_key_file => "$d/one.key")) };
}


# the status of a request by a way that is open, or on a resumed session
sub ask {
    my ($way) = @_;
    my ($client) = $open{$way};
    my ($password) = basic('one', 'secret');

    return $client->status($client->request('/', $password))
        if $way eq 'HTTP/2';
    return status($client->request(request('GET', '/', $password)))
        if $way eq 'keep-alive';
    return status(scalar https($ports{2}, request('GET', '/'), %$client));
}


# the same of a connection that is new
sub fresh {
    my ($n) = @_;

    return status(scalar https($ports{$n}, request('GET', '/',
        basic('one', 'secret'))));
}

###############################################################################
