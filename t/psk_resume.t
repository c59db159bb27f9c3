#!/usr/bin/perl

# Tests for dm_sec_auth psk after the handshake: what a session keeps of its
# key in tickets and in the cache, what a change of the account means for it,
# and a store that fails.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Select;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf psk_sessions /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/)
    ->has(qw/socket_ssl socket_ssl_sni/)->has_daemon('openssl')
    ->plan(326)->todo_alerts();

conf($t, psk_sessions() . <<'EOF_HTTP');

error_log %%TESTDIR%%/error.log info;

# OpenSSL's own cache in front of it, in each worker

server {
    listen       127.0.0.1:8446 ssl;
    server_name  localhost;

    ssl_session_tickets off;
    ssl_session_cache   builtin:100 shared:SSL:1m;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }
}

# that alone

server {
    listen       127.0.0.1:8447 ssl;
    server_name  localhost;

    ssl_session_tickets off;
    ssl_session_cache   builtin;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }
}

# two servers on an address

server {
    listen       127.0.0.1:8445 ssl;
    server_name  a.example.com;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }
}

server {
    listen       127.0.0.1:8445 ssl;
    server_name  b.example.com;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }
}

EOF_HTTP

my $d = $t->testdir();

my $key = 'a5' x 32;
my $new = '5a' x 16;

open my $fh, '>', "$d/ticket.key" or die "Can't open ticket.key: $!\n";
print {$fh} 'k' x 80;
close $fh;

ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'one', ca => 'ca');

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
make_one({ psk => $key });
account($t, 'add', 'IMEI:2', '--name', 'two', '--psk-identity', 'dev2',
    { psk => $key });

upstream($t, 8081);
$t->run();

my @ways = (
    [ 8443, 'TLSv1_2', 'ticket' ], [ 8443, 'TLSv1_3', 'ticket' ],
    [ 8444, 'TLSv1_2', 'cache' ], [ 8444, 'TLSv1_3', 'cache' ],
    [ 8446, 'TLSv1_2', 'both caches' ], [ 8446, 'TLSv1_3', 'both caches' ],
);

###############################################################################

# the identity is kept, and the certificate of who has one

foreach (@ways) {
    my ($port, $version, $way) = @$_;
    my $name = "$version, $way";
    my ($client, $certificate) = (device($version, 'dev1', $key),
        device($version));

    is(ask($port, $client), '200 upstream', "$name, first");
    is(told($version), 'IMEI:1 psk dev1', "$name, first, upstream");
    is(ask($port, $certificate), '200 upstream', "$name, certificate");

    foreach my $n (1 .. 3) {
        is(ask($port, $client), '200 upstream', "$name, resumed $n");
        is(told(), 'IMEI:1 psk dev1 resumed', "$name, resumed $n, upstream");
    }

    is(ask($port, $certificate), '200 upstream',
        "$name, resumed with a certificate");
    is(told(), 'IMEI:1 x509 - resumed', "$name, a certificate, upstream");
}

# so that in TLS 1.3 it was the ticket and not the key

my $client;

foreach my $port (8443, 8444) {
    $client = device('TLSv1_3', 'dev1', $key);

    is(ask($port, $client), '200 upstream', "with a key, $port");
    $client->{key} = undef;
    is(ask($port, $client), '200 upstream', "without the key, $port");
    is(told(), 'IMEI:1 psk dev1 resumed', "without the key, upstream, $port");
}

is(ask(8443, device('TLSv1_3', '', '')), '403 certificate_required',
    'with neither');

# a key and a certificate in one session

foreach my $port (8443, 8444, 8446) {
    $client = { tls => { sessions(psk('dev1', $key), SSL_version => 'TLSv1_2',
        SSL_cipher_list => 'RSA-PSK-AES128-GCM-SHA256',
        SSL_cert_file => "$d/one.crt", SSL_key_file => "$d/one.key") } };

    is(ask($port, $client), '200 upstream', "both, $port");
    is(told(), 'IMEI:1 x509 dev1', "both, $port, upstream");
    is(ask($port, $client), '200 upstream', "both, $port, resumed");
    is(told(), 'IMEI:1 x509 dev1 resumed', "both, $port, resumed, upstream");
}

# OpenSSL's own cache alone, which nobody can look into, resumes nothing

foreach my $version (qw/ TLSv1_2 TLSv1_3 /) {
    $client = device($version, 'dev1', $key);

    is(ask(8447, $client), '200 upstream', "$version, builtin");
    $client->{key} = undef;
    isnt(ask(8447, $client), '200 upstream', "$version, builtin again");
}

# no session crosses servers

foreach my $version (qw/ TLSv1_2 TLSv1_3 /) {
    $client = device($version, 'dev1', $key);

    is(ask(8445, $client, 'a.example.com'), '200 upstream',
        "$version, server a");
    $client->{key} = undef;
    is(ask(8445, $client, 'a.example.com'), '200 upstream',
        "$version, server a again");
    isnt(ask(8445, $client, 'b.example.com'), '200 upstream',
        "$version, server b");
}

verdict($t, undef, 8081);

###############################################################################

# what is open or resumed is judged by what the account is now

foreach (@ways) {
    my ($port, $version, $way) = @$_;
    my $name = "$version, $way";
    my ($open, $client);

    $client = device($version, 'dev1', $key);
    ask($port, $client);
    $open = keepalive($port, SSL => 1, options($client));
    is(again($open), '200 upstream', "$name, open");

    # disabled

    account($t, 'disable', 'IMEI:1');
    is(again($open), '403 account_disabled', "$name, disabled, open");
    is(ask($port, $client), '403 account_disabled',
        "$name, disabled, resumed");
    account($t, 'enable', 'IMEI:1');
    is(again($open), '200 upstream', "$name, enabled, open");
    is(ask($port, $client), '200 upstream', "$name, enabled, resumed");

    # expired

    account($t, 'set', 'IMEI:1', '--not-after', '2020-01-01T00:00:00Z');
    is(again($open), '403 account_expired', "$name, expired, open");
    is(ask($port, $client), '403 account_expired', "$name, expired, resumed");
    account($t, 'set', 'IMEI:1', '--not-after', '');
    is(ask($port, $client), '200 upstream', "$name, valid, resumed");

    # deleted, and made anew: with another key, with none, with the same

    account($t, 'del', 'IMEI:1');
    is(again($open), '403 psk_required', "$name, deleted, open");
    make_one({ psk => $new });
    is(again($open), '403 psk_required', "$name, made anew, open");
    account($t, 'del', 'IMEI:1');
    make_one();
    is(again($open), '403 psk_required', "$name, without a key, open");
    is(failed_handshake($t, sub {
        is(ask($port, $client), '0', "$name, without a key, not resumed");
    })->{reason}, 'psk_unknown_identity', "$name, without a key, log");
    account($t, 'set', 'IMEI:1', '--psk-identity', 'dev1', { psk => $key });
    is(again($open), '200 upstream', "$name, the same key, open");
    is(ask($port, $client), '200 upstream', "$name, the same key");

    # two identities

    account($t, 'set', 'IMEI:1', '--psk-identity', 'dev1b', { psk => $new });
    is(again($open), '200 upstream', "$name, second identity, open");
    is(ask($port, $client), '200 upstream', "$name, second, resumed");
    is(ask($port, device($version, 'dev1b', $new)), '200 upstream',
        "$name, second identity");
    is(told($version), 'IMEI:1 psk dev1b', "$name, second, upstream");

    # The old one is dropped: a session of it is not resumed, so that a device
    # which has the new key by now gets in with it.

    account($t, 'set', 'IMEI:1', '--drop-psk', 'dev1');
    is(again($open), '403 psk_required', "$name, dropped, open");
    is((denied($t))[-1]{claimed}, 'dev1', "$name, dropped, claimed");

    is(failed_handshake($t, sub {
        is(ask($port, $client), '0', "$name, dropped, old key");
    })->{reason}, 'psk_unknown_identity', "$name, dropped, log");

    @$client{qw/ identity key /} = ('dev1b', $new);
    is(ask($port, $client), '200 upstream', "$name, dropped, new key");
    is(told($version), 'IMEI:1 psk dev1b',
        "$name, dropped, new key, upstream");

    # another key under the same identity

    $open = keepalive($port, SSL => 1, options($client));
    is(again($open), '200 upstream', "$name, new key, open");
    account($t, 'set', 'IMEI:1', '--drop-psk', 'dev1b', '--psk-identity',
        'dev1b', { psk => $key });
    is(again($open), '403 psk_required', "$name, replaced, open");
    $client->{key} = $key;
    is(ask($port, $client), '200 upstream', "$name, replaced, newest key");

    # the identity goes to another account

    account($t, 'set', 'IMEI:1', '--drop-psk', 'dev1b', '--psk-identity',
        'dev1', { psk => $key });
    account($t, 'set', 'IMEI:2', '--psk-identity', 'dev1b', { psk => $new });
    is(again($open), '200 upstream', "$name, moved with its key, open");
    is(told(), 'IMEI:2 psk dev1b resumed', "$name, moved, its account now");
    account($t, 'set', 'IMEI:2', '--drop-psk', 'dev1b');
    is(again($open), '403 psk_required', "$name, gone, open");
}

###############################################################################

# a reload, and a worker that is killed

foreach my $version (qw/ TLSv1_2 TLSv1_3 /) {
    $client = device($version, 'dev1', $key);
    my $open = keepalive(8443, SSL => 1, options($client));

    is(again($open), '200 upstream', "$version, before the reload");
    ok(reload_wait($t), "$version, reload");
    $client->{key} = undef;
    is(ask(8443, $client), '200 upstream', "$version, resumed after it");
    is(told(), 'IMEI:1 psk dev1 resumed', "$version, the identity after it");

    kill_worker($t, $_) foreach workers($t);
    is(ask(8443, $client), '200 upstream', "$version, a worker was killed");
    is(told(), 'IMEI:1 psk dev1 resumed', "$version, identity after that");
}

# a reload and a change of the account while hands are being shaken

foreach my $version (qw/ TLSv1_2 TLSv1_3 /) {
    my $hands = begin($version);
    my %old = map { $_ => 1 } workers($t);

    $t->reload();
    ok(wait_for(30, sub { !grep { $old{$_} } workers($t) }),
        "$version, reload in a handshake");
    is(finish($hands), '200 upstream', "$version, the old worker ends it");
}

my $hands = begin('TLSv1_2');

account($t, 'set', 'IMEI:1', '--drop-psk', 'dev1');
is(failed_handshake($t, sub {
    is(finish($hands), '0', 'dropped in a handshake');
})->{reason}, 'psk_unknown_identity', 'dropped in a handshake, log');
account($t, 'set', 'IMEI:1', '--psk-identity', 'dev1', { psk => $key });

# in TLS 1.3 the server was done with the key when it answered

$hands = begin('TLSv1_3');
account($t, 'set', 'IMEI:1', '--drop-psk', 'dev1');
is(finish($hands), '403 psk_required', 'TLS 1.3, dropped in a handshake');
account($t, 'set', 'IMEI:1', '--psk-identity', 'dev1', { psk => $key });

###############################################################################

# A store that fails is our failure: not an unknown identity, not a wrong key,
# and nobody gets in.

$client = device('TLSv1_2', 'dev1', $key);
my %ticket = (TLSv1_2 => $client, TLSv1_3 => device('TLSv1_3', 'dev1', $key));

is(ask(8443, $_), '200 upstream', 'the store is there') for values %ticket;

my $open = keepalive(8443, SSL => 1, options($client));

is(again($open), '200 upstream', 'open while the store is there');

rename "$d/store", "$d/away" or die "Can't rename: $!\n";
ok(wait_for(30, sub { again($open) ne '200 upstream' }), 'the store is gone');
is(again($open), '503 store_unavailable', 'open');

is(grep({ !log_lines($t, qr/\[crit\] $_#.* tried again/) } workers($t)), 0,
    'all workers noticed');

verdict($t, undef, 8081);

foreach my $version (qw/ TLSv1_2 TLSv1_3 /) {
    foreach ([ 'dev1', $key ], [ 'dev1', $new ], [ 'nobody', $key ]) {
        my ($identity, $psk) = @$_;
        my $line = failed_handshake($t, sub {
            like(s_client(8443, $version eq 'TLSv1_3' ? '-tls1_3'
                : ('-tls1_2', '-cipher', 'PSK'), '-psk_identity', $identity,
                '-psk', $psk)->{output}, qr/SSL alert number 80$/m,
                "$version, internal_error");
        });

        is("$line->{reason} $line->{identity}", "psk_store $identity",
            "$version, log");
    }

    is(ask(8443, $ticket{$version}), '503 store_unavailable',
        "$version, resumed");
    is(ask(8443, device($version)), '503 store_unavailable',
        "$version, a certificate");
}

# nor is anything looked up for a key that could not be used

is(verdict($t, s_client(8443, '-tls1_3', '-ciphersuites',
    'TLS_AES_256_GCM_SHA384', '-psk_identity', 'dev1', '-psk', $key,
    { request => request('GET', '/', 'Connection: close') })->{response},
    8081), '403 certificate_required', 'TLS 1.3, no suite for a key');

rename "$d/away", "$d/store" or die "Can't rename: $!\n";
ok(wait_for(30, sub { again($open) eq '200 upstream' }), 'the store is back');

is(scalar(() = $t->read_file('error.log') =~ /$key|$new/gi), 0,
    'no key in the log');

$t->stop();

is(other_alerts($t), '', 'no other alerts');

undef $t;

###############################################################################

# the account of dev1, with its certificate, and with a key if one is given
sub make_one {
    my ($o) = @_;

    account($t, 'add', 'IMEI:1', '--name', 'one', '--cert', "$d/one.crt",
        $o ? ('--psk-identity', 'dev1', $o) : ());
}

# A device that remembers its sessions: with a key, or with a certificate where
# no identity is given.  When its key is taken away it has the sessions alone.
sub device {
    my ($version, $identity, $psk) = @_;
    my ($self) = { identity => $identity, key => $psk, version => $version };

    require Net::SSLeay;

    my %o = (SSL_version => $version,
        $version eq 'TLSv1_2' ? (SSL_cipher_list => defined $identity
            ? 'DHE-PSK-AES128-GCM-SHA256' : 'ECDHE') : ());

    if (defined $identity) {
        $o{SSL_create_ctx_callback} = sub {
            Net::SSLeay::CTX_set_psk_client_callback($_[0], sub {
                return defined $self->{key} ? @$self{qw/ identity key /}
                    : ('', '');
            });
        };

    } else {
        @o{qw/ SSL_cert_file SSL_key_file /} = ("$d/one.crt", "$d/one.key");
    }

    $self->{tls} = { sessions(%o) };

    return $self;
}

# A handshake with dev1's key that has got as far as the client's first message,
# and the rest of it, with a request.  The server has answered that message, but
# not so soon that the client could have gone on.

sub begin {
    my ($version) = @_;
    my (@workers) = workers($t);
    my ($done);
    my ($socket) = IO::Socket::INET->new('127.0.0.1:' . port(8443))
        or die "Can't connect: $!\n";

    IO::Socket::SSL->start_SSL($socket, SSL_startHandshake => 0,
        SSL_verify_mode => 0, SSL_ca => [], SSL_version => $version,
        $version eq 'TLSv1_2' ? (SSL_cipher_list => 'PSK') : (),
        psk('dev1', $key)) or die IO::Socket::SSL::errstr() . "\n";

    $socket->blocking(0);

    stand_still(@workers);
    $done = $socket->connect_SSL();
    kill 'CONT', @workers;

    die "the handshake is done\n" if $done;
    IO::Select->new($socket)->can_read(60) or die "no answer\n";

    return $socket;
}

sub finish {
    my ($socket) = @_;
    my ($response) = '';

    $socket->blocking(1);
    $socket->timeout(60);

    if ($socket->connect_SSL()) {
        $socket->print(request('GET', '/', 'Connection: close'));
        1 while $socket->sysread($response, 4096, length $response);
    }

    return verdict($t, $response, 8081);
}

sub options {
    my ($device) = @_;

    return %{ $device->{tls} };
}

# a request on a connection of its own
sub ask {
    my ($port, $device, $host) = @_;

    return verdict($t, scalar https($port, request('GET', '/',
        { $host ? (host => $host) : () }), options($device),
        $host ? (SSL_hostname => $host) : ()), 8081);
}

# a request on an open connection
sub again {
    my ($connection) = @_;

    return verdict($t, $connection->request(request('GET', '/')), 8081);
}

# What the upstream was told last.  In TLS 1.3 a first handshake with a key is a
# resumption for OpenSSL already: with the version given, that is left out.
sub told {
    my ($version) = @_;
    my ($fields) = (upstream_log($t, 8081))[-1]{fields};

    return join ' ', (map { $fields->{$_}[0] // '-' }
        qw/ dm-client-id dm-auth-method x-identity /),
        $fields->{'x-reused'}[0] eq 'r' && ($version || '') ne 'TLSv1_3'
        ? 'resumed' : ();
}

###############################################################################
