#!/usr/bin/perl

# Tests for dm_sec_auth x509 with devices that keep their TLS sessions and
# poll: where each request on a session would be refused for what the session
# holds, it is not resumed, and the certificate that the device has now lets it
# in.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Clock;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

use constant HOUR => 3600;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl socket_ssl/)
    ->has_daemon('openssl');
my $clock = Test::DmSec::Clock->new($t);
my $d = $t->testdir();

my @ways = map { my $port = $_; map { [ $port, $_ ] } qw/ TLSv1_2 TLSv1_3 / }
    8443, 8444;

$t->plan(4 + @ways * 14);

conf($t, <<'EOF_HTTP', main => <<'EOF_MAIN');

error_log %%TESTDIR%%/error.log info;

ssl_certificate      server.crt;
ssl_certificate_key  server.key;

ssl_client_certificate  ca.crt;
ssl_verify_client       optional;

ssl_session_timeout     2h;

dm_sec_profile modern;

# tickets

server {
    listen       127.0.0.1:8443 ssl;
    server_name  localhost;

    ssl_session_ticket_key  ticket.key;

    dm_sec_auth  x509;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }

    location /boot {
        dm_sec_auth  basic;
        proxy_pass http://127.0.0.1:8081;
    }
}

# a cache; in TLS 1.3 a ticket is a session's id then

server {
    listen       127.0.0.1:8444 ssl;
    server_name  localhost;

    ssl_session_tickets  off;
    ssl_session_cache    shared:SSL:1m;

    dm_sec_auth  x509;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }

    location /boot {
        dm_sec_auth  basic;
        proxy_pass http://127.0.0.1:8081;
    }
}

# a certificate or a password

server {
    listen       127.0.0.1:8445 ssl;
    server_name  localhost;

    ssl_session_ticket_key  ticket.key;

    dm_sec_auth  x509 basic;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }
}

EOF_HTTP
env FAKETIME_TIMESTAMP_FILE;
env FAKETIME_NO_CACHE;
env FAKETIME_DONT_FAKE_MONOTONIC;
EOF_MAIN

$t->write_file('ticket.key', 'k' x 80);

ca($t, 'ca');
ca($t, 'stranger');
cert($t, 'server', ca => 'ca');
cert($t, 'new', ca => 'ca');
cert($t, 'old', ca => 'ca');
cert($t, 'wrong', ca => 'stranger');
cert($t, 'brief', ca => 'ca', not_after => time() + HOUR);

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'one', map({ ('--cert',
    "$d/$_.crt") } qw/ old new brief /), { password => 'secret' });

upstream($t, 8081);

# the timers of connections go by the other clock
$clock->run($t, FAKETIME_DONT_FAKE_MONOTONIC => 1);

my @password = basic('one', 'secret');

###############################################################################

# while nothing is in the way, each session is resumed

my %kept;

foreach my $way (@ways) {
    foreach my $cert (qw/ old brief /) {
        my $device = $kept{"@$way $cert"} = device(@$way, $cert);

        is(poll($device), '200 upstream', "@$way, $cert");
        is(poll($device), '200 upstream resumed', "@$way, $cert, resumed");
    }
}

# the old certificate is replaced

account($t, 'set', 'IMEI:1', '--drop-cert',
    'sha256:' . cert_info($t, 'old')->{sha256});

foreach my $way (@ways) {
    my $device = $kept{"@$way old"};

    is(poll($device), '403 certificate_unbound',
        "@$way, the old one again, asked for");

    shows($device, 'new');
    is(poll($device), '200 upstream', "@$way, replaced, the new one");
    is(poll($device), '200 upstream resumed', "@$way, replaced, resumed");
}

# first a password, then a certificate

foreach my $way (@ways) {
    my $device = device(@$way);

    is(poll($device, '/boot', @password), '200 upstream', "@$way, a password");
    shows($device, 'new');
    is(poll($device), '200 upstream', "@$way, now a certificate");
    is(poll($device), '200 upstream resumed', "@$way, certificate, resumed");
}

# nginx itself refuses a certificate of another CA

foreach my $way (@ways) {
    my $device = device(@$way, 'wrong');

    is(poll($device), '400 certificate_unknown_ca', "@$way, of another CA");
    shows($device, 'new');
    is(poll($device), '200 upstream', "@$way, now one of this CA");
}

# a password would do as well: as long as the device has one its sessions are
# resumed, but not for ever

my $device = device(8445, 'TLSv1_3');

is(poll($device, '/', @password), '200 upstream', 'either, a password');
is(poll($device, '/', @password), '200 upstream resumed',
    'either, a password, resumed');
shows($device, 'new');

# certificates expire

$clock->set(1.5 * HOUR);

foreach my $way (@ways) {
    my $expired = $kept{"@$way brief"};

    shows($expired, 'new');
    is(poll($expired), '200 upstream', "@$way, expired, the new one");
    is(poll($expired), '200 upstream resumed', "@$way, expired, resumed");
}

is(poll($device), '401 no_credentials resumed', 'either, before the timeout');

# however often a session was resumed, it ends after ssl_session_timeout

$clock->set(2 * HOUR + 1);

is(poll($device), '200 upstream', 'either, after the timeout');

undef $t;

###############################################################################

# a device that keeps its sessions on this port
sub device {
    my ($port, $version, $cert) = @_;
    my ($self) = { port => $port,
        tls => { sessions(SSL_version => $version) } };

    shows($self, $cert) if $cert;

    return $self;
}


# the certificate that it has from now on
sub shows {
    my ($self, $cert) = @_;
    my ($ctx) = $self->{tls}{SSL_reuse_ctx}{context};

    Net::SSLeay::CTX_use_certificate_chain_file($ctx, "$d/$cert.crt")
        or die "Can't use $cert.crt\n";
    Net::SSLeay::CTX_use_PrivateKey_file($ctx, "$d/$cert.key",
        Net::SSLeay::FILETYPE_PEM()) or die "Can't use $cert.key\n";
}


# what becomes of a request on a new connection: "STATUS REASON [resumed]"
sub poll {
    my ($self, $uri, @lines) = @_;
    my ($r, $info) = https($self->{port}, request('GET', $uri // '/', @lines),
        %{ $self->{tls} });

    return join ' ', verdict($t, $r, 8081), $info->{reused} ? 'resumed' : ();
}

###############################################################################
