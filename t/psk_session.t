#!/usr/bin/perl

# Tests for dm_sec_auth psk with devices that keep their TLS sessions and poll:
# within ssl_session_timeout, around it and beyond, while the server's clock
# steps forward and back.  Whatever becomes of a session, the key beside it
# lets the device in.

###############################################################################

use warnings;
use strict;

use Test::More;

use IPC::Open2 qw/ open2 /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf psk_sessions /;
use Test::DmSec::Process qw/ must /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

use constant TIMEOUT => 300;    # as in nginx.conf

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($faketime) = glob '/usr/lib/*/faketime/libfaketime.so.1';

plan(skip_all => 'no libfaketime') unless $faketime;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/)
    ->has(qw/socket_ssl socket_ssl_sni/)->has_daemon('cc');
my $d = $t->testdir();

must([ 'cc', '-o', "$d/gnutls", 'clients/gnutls_session.c', '-lgnutls' ]);
must([ 'cc', '-o', "$d/mbedtls", 'clients/mbedtls_session.c', '-lmbedtls',
    '-lmbedx509', '-lmbedcrypto' ]);

# The server's clock at each poll: within the timeout, at its end and beyond,
# then by steps of an hour.
my @polls = (0, 1, TIMEOUT, 2 * TIMEOUT, 3 * TIMEOUT + 1, 4 * TIMEOUT + 3,
    3600, 0);

# an mbedTLS before 3.6 has no TLS 1.3
my %versions = (openssl => [ '1.2', '1.3' ], gnutls => [ '1.2', '1.3' ],
    mbedtls => [ '1.2',
        must([ "$d/mbedtls", 1, '1.3', 'dev1', '00' ]) ? () : '1.3' ]);

my @ways = ((map { [ openssl => $_ ] } 8443, 8444, 8445, 8446, 8448),
    (map { [ gnutls => $_ ] } 8443, 8444, 8448),
    (map { [ mbedtls => $_ ] } 8443, 8444));

$t->plan(64 + @polls * map { @{ $versions{$_->[0]} } } @ways);

conf($t, psk_sessions() . <<'EOF_HTTP', main => <<'EOF_MAIN');

error_log %%TESTDIR%%/error.log info;

ssl_session_timeout 5m;

# both

server {
    listen       127.0.0.1:8445 ssl;
    server_name  localhost;

    ssl_session_cache shared:SSL:1m;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }
}

# sessions that are over at once

server {
    listen       127.0.0.1:8446 ssl;
    server_name  localhost;

    ssl_session_timeout 0;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }
}

# tickets that name nothing

server {
    listen       127.0.0.1:8448 ssl;
    server_name  localhost;

    ssl_session_tickets off;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }
}

# two servers on an address

server {
    listen       127.0.0.1:8447 ssl;
    server_name  a.example.com;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }
}

server {
    listen       127.0.0.1:8447 ssl;
    server_name  b.example.com;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }
}

EOF_HTTP
# nginx clears the rest, and the library looks into them each time
env FAKETIME_TIMESTAMP_FILE;
env FAKETIME_NO_CACHE;
env FAKETIME_DONT_FAKE_MONOTONIC;
EOF_MAIN

my $key = 'a5' x 32;

write_ticket_key('k');

ca($t, 'ca');
ca($t, 'ca2');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'one', ca => 'ca');

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'one', '--cert', "$d/one.crt",
    '--psk-identity', 'dev1', { psk => $key });

upstream($t, 8081);
run_faked();

###############################################################################

# the device polls, and each time it is in, as itself

foreach my $way (@ways) {
    polls(@$way, $_) foreach @{ $versions{$way->[0]} };
}

###############################################################################

# sessions that are of no use for another reason than their age

my %device;

foreach my $version (qw/ 1.2 1.3 /) {
    my $client = device($version);

    is(ask($client, 8447, 'a.example.com'), '200 IMEI:1 psk dev1',
        "$version, server a");
    is(ask($client, 8447, 'b.example.com'), '200 IMEI:1 psk dev1',
        "$version, server b");

    foreach my $port (8443, 8444, 8445) {
        $device{"$version $port"} = device($version);
    }
}

all_get_in('at first');

write_ticket_key('l');
ok(reload_wait($t), 'reload, another ticket key');
all_get_in('another ticket key');

trust('ca2');
ok(reload_wait($t), 'reload, another CA');
all_get_in('another CA');

trust('ca');
ok(reload_wait($t), 'reload, the first CA');
all_get_in('the first CA');

###############################################################################

# A session without a key is not resumed where the client offers one; where it
# does not it is, as ever.

foreach my $port (8443, 8444, 8445) {
    my $client = device('1.3');

    $client->{key} = undef;
    is(ask($client, $port), '403 certificate_required', "no key, $port");

    $client->{key} = $key;
    is(ask($client, $port), '200 IMEI:1 psk dev1', "a key now, $port");

    my $certificate = device('1.3', 1);

    is(ask($certificate, $port), '200 IMEI:1 x509 -', "certificate, $port");
    is(ask($certificate, $port), '200 IMEI:1 x509 - resumed',
        "certificate, resumed, $port");
    $certificate->{key} = $key;
    like(ask($certificate, $port), qr/^200 IMEI:1 psk dev1/,
        "certificate, with a key now, $port");
}

# in TLS 1.2 it offers one where it offers suites with a key

foreach my $port (8443, 8444) {
    my $client = device('1.2', 1);

    is(ask($client, $port), '200 IMEI:1 x509 -', "no key suites, $port");
    is(ask($client, $port), '200 IMEI:1 x509 - resumed',
        "no key suites, resumed, $port");

    $client->{key} = $key;
    Net::SSLeay::CTX_set_cipher_list(
        $client->{tls}{SSL_reuse_ctx}{context}, 'ECDHE:PSK');
    is(ask($client, $port), '200 IMEI:1 psk dev1', "key suites, $port");
}

###############################################################################

# A client that does not show its key while it has a session: it is refused
# once when that is over, and gets none that would keep it out.

my $alone = daemon('gnutls', 8448, '1.3');

is(poll($alone, 'session'), '200 full', "session alone, none, $_")
    foreach 1 .. 3;
ended($alone);

foreach my $port (8443, 8444) {
    my $client = daemon('gnutls', $port, '1.3');

    clock(0);
    is(poll($client, 'session'), '200 full', "session alone, first, $port");
    is(poll($client, 'session'), '200 resumed', "session alone, $port");

    clock(TIMEOUT + 1);
    is(poll($client, 'session'), '403 full', "session alone, over, $port");
    is(poll($client, 'session'), '200 full', "session alone, again, $port");

    ended($client);
}

is(scalar(() = $t->read_file('error.log') =~ /$key/gi), 0,
    'no key in the log');

undef $t;

###############################################################################

# nginx, and nothing else, with a clock that the file "clock" sets; the
# monotonic one goes on, so that no timer stands still
sub run_faked {
    local %ENV = (%ENV, LD_PRELOAD => $faketime, FAKETIME_NO_CACHE => 1,
        FAKETIME_TIMESTAMP_FILE => "$d/clock",
        FAKETIME_DONT_FAKE_MONOTONIC => 1);

    clock(0);
    $t->run();
}

# Seconds by which it is ahead.  Workers take over a new time, as OpenSSL does.
sub clock {
    my ($seconds) = @_;

    $t->write_file('clock.new', sprintf "%+d\n", $seconds);
    rename "$d/clock.new", "$d/clock" or die "Can't set the clock: $!\n";
}

sub write_ticket_key {
    my ($letter) = @_;

    $t->write_file('ticket.key', $letter x 80);
}

# the CA of clients, from the next reload on
sub trust {
    my ($ca) = @_;
    my ($conf) = $t->read_file('nginx.conf');

    $conf =~ s/(ssl_client_certificate\s+)\w+/$1$ca/;
    $t->write_file('nginx.conf', $conf);
}

# the devices of %device, each with the sessions that it kept
sub all_get_in {
    my ($name) = @_;

    foreach (sort keys %device) {
        is(ask($device{$_}, (split)[1]), '200 IMEI:1 psk dev1', "$name, $_");
    }
}

# a device with this library, through all of the polls
sub polls {
    my ($library, $port, $version) = @_;
    my ($name) = "$library, TLS $version, $port";
    my ($client);

    clock(0);

    if ($library eq 'openssl') {
        $client = device($version);

        foreach my $time (@polls) {
            clock($time);
            is(ask($client, $port) =~ s/ resumed$//r, '200 IMEI:1 psk dev1',
                "$name, at $time");
        }

        return;
    }

    $client = daemon($library, $port, $version);

    foreach my $time (@polls) {
        clock($time);
        like(poll($client, 'both'), qr/^200/, "$name, at $time");
        verdict($t, undef, 8081);
    }

    ended($client);
}

# a client of clients/, that is told when to poll
sub daemon {
    my ($library, $port, $version) = @_;
    my ($self) = {};

    $self->{pid} = open2(@$self{qw/ out in /}, "$d/$library", port($port),
        $version, 'dev1', $key);

    return $self;
}

# what it answers: the status, and whether it resumed
sub poll {
    my ($self, $what) = @_;
    my ($line);
    local $SIG{PIPE} = 'IGNORE';
    local $SIG{ALRM} = sub { die "the client hangs\n" };

    alarm 30;
    print { $self->{in} } "$what\n";
    $self->{in}->flush();
    $line = readline $self->{out};
    alarm 0;

    chomp($line //= 'gone');

    return $line;
}

sub ended {
    my ($self) = @_;

    close $self->{in};
    waitpid $self->{pid}, 0;
}

# A device with OpenSSL that keeps its sessions, and a key that can be taken
# away; with a certificate it has no key until it is given one.
sub device {
    my ($version, $certificate) = @_;
    my ($self) = { key => $certificate ? undef : $key };

    require Net::SSLeay;

    $self->{tls} = { sessions(SSL_version => 'TLSv' . $version =~ tr/./_/r,
        $version eq '1.2' ? (SSL_cipher_list => $certificate ? 'ECDHE+aRSA'
            : 'DHE-PSK-AES128-GCM-SHA256') : (),
        $certificate ? (SSL_cert_file => "$d/one.crt",
            SSL_key_file => "$d/one.key") : (),
        SSL_create_ctx_callback => sub {
            Net::SSLeay::CTX_set_psk_client_callback($_[0], sub {
                return defined $self->{key} ? ('dev1', $self->{key})
                    : ('', '');
            });
        }) };

    return $self;
}

# What becomes of a request on a new connection: the refusal, or what the
# upstream is told.  The first handshake with a key is for TLS 1.3 itself a
# resumption already.
sub ask {
    my ($self, $port, $host) = @_;
    my ($verdict, $fields);

    $verdict = verdict($t, scalar https($port, request('GET', '/',
        { $host ? (host => $host) : () }), %{ $self->{tls} },
        $host ? (SSL_hostname => $host) : ()), 8081);

    return $verdict if $verdict ne '200 upstream';

    $fields = (upstream_log($t, 8081))[-1]{fields};

    return join ' ', 200, (map { $fields->{$_}[0] // '-' }
        qw/ dm-client-id dm-auth-method x-identity /),
        $fields->{'x-reused'}[0] eq 'r' && !defined $self->{key}
        ? 'resumed' : ();
}

###############################################################################
