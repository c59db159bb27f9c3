#!/usr/bin/perl

# Tests for two nginx that have copies of one store and the same
# ssl_session_ticket_key: a session of one is resumed at the other with its
# identity, and each judges it by its own store; nonces are of one nginx, and
# those of another are counted apart.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $here = Test::Nginx->new()->has(qw/ http http_ssl socket_ssl /)
    ->has_daemon('openssl')->plan(57);
my $there = Test::Nginx->new();

my $d = $here->testdir();
my $key = 'a5' x 32;

# the ports of each: TLS, plain, status
my %ports = ($here => [ 8443, 8080, 8081 ], $there => [ 8543, 8180, 8181 ]);

configure($_) foreach $here, $there;

ca($here, 'ca');
cert($here, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($here, 'one', ca => 'ca');
$here->write_file('ticket.key', 'k' x 80);
$there->write_file($_, $here->read_file($_))
    foreach qw/ ca.crt rsa.crt rsa.key ticket.key /;

store($here, realm => 'example', args => [ '--map-size', '1m' ]);
account($here, 'add', 'IMEI:1', '--name', 'one', '--cert', "$d/one.crt",
    { password => 'secret' });
account($here, 'set', 'IMEI:1', '--psk-identity', 'dev1', { psk => $key });
copy_store();

$_->run() foreach $here, $there;

###############################################################################

# a session of one is resumed at the other, and back again

my @ways = map { my $version = $_; map { [ $version, $_ ] } qw/ psk x509 / }
    qw/ TLSv1_2 TLSv1_3 /;

foreach (@ways) {
    my ($version, $method) = @$_;
    my $name = "$version, $method";
    my $device = device($version, $method);
    my $told = "IMEI:1 $method";

    is(ask($here, $device), "200 $told" . first($version, $method),
        "$name, first");
    is(ask($there, $device), "200 $told resumed",
        "$name, resumed at the other");
    is(ask($here, $device), "200 $told resumed", "$name, and back again");

    # so that it is the session, and not the key

    $device->{key} = undef;
    is(ask($there, $device), "200 $told resumed", "$name, without its key");

    # each judges by its own store

    my $open = keepalive($ports{$there}[0], SSL => 1, %{ $device->{tls} });
    is(again($open), "200 $told resumed", "$name, open");

    account($there, 'disable', 'IMEI:1');
    is(ask($there, $device), '403 account_disabled', "$name, disabled there");
    is(again($open), '403 account_disabled', "$name, disabled there, open");
    is(ask($here, $device), "200 $told resumed", "$name, and not here");
    account($there, 'enable', 'IMEI:1');
    is(again($open), "200 $told resumed", "$name, enabled, open");
}

# a key that was replaced there: a session of the old one is not resumed

foreach my $version (qw/ TLSv1_2 TLSv1_3 /) {
    my $device = device($version, 'psk');

    is(ask($here, $device), '200 IMEI:1 psk' . first($version, 'psk'),
        "$version, before its key changes there");
    account($there, 'set', 'IMEI:1', '--drop-psk', 'dev1', '--psk-identity',
        'dev1', { psk => '5a' x 16 });

    is(failed_handshake($there, sub {
        is(ask($there, $device), '0 -', "$version, its key has changed there");
    })->{reason}, 'psk_wrong_key', "$version, its key has changed, log");

    account($there, 'set', 'IMEI:1', '--drop-psk', 'dev1', '--psk-identity',
        'dev1', { psk => $key });
    is(ask($there, $device), '200 IMEI:1 psk resumed',
        "$version, and back again");
}

###############################################################################

# a nonce of the other is stale, and counted apart from one that has expired

my $challenge = (challenges(plain($here)))[0];

is(status(plain($here, answer($challenge, 1))), 200, 'its own nonce');

my $r = plain($there, answer($challenge, 2));
my ($again) = challenges($r);

is(status($r), 401, 'a nonce of the other');
is($again->{stale}, 'true', 'is stale');
is(status(plain($there, answer($again, 1))), 200,
    'and the answer to that is let in');

is_deeply(stale($here), {}, 'nothing is counted where it came from');
is_deeply(stale($there), { other_node => 1 },
    'and at the other that it was not its own');

$r = plain($there, answer({ %$challenge, nonce => 'A' x 64 }, 1));
is(status($r), 401, 'a nonce that is nobody\'s');
is(stale($there)->{other_node}, 2, 'cannot be told from that');

# a guess counts where it was made

$challenge = (challenges(plain($here)))[0];
is(status(plain($there, answer($challenge, 1, 'guess'))), 401, 'a guess');
is(json($there)->{denied}{bad_credentials}, 1, 'counts there');
is(json($here)->{denied}{bad_credentials}, 0, 'and not here');

undef $here;
undef $there;

###############################################################################

# of one nginx, with a store of its own
sub configure {
    my ($t) = @_;
    my ($tls, $plain, $status) = @{ $ports{$t} };

    conf($t, <<"EOF_HTTP");

error_log %%TESTDIR%%/error.log info;

ssl_certificate      rsa.crt;
ssl_certificate_key  rsa.key;

ssl_client_certificate  ca.crt;
ssl_verify_client       optional;

ssl_session_ticket_key  ticket.key;

add_header X-Identity "\$dm_sec_client_id \$dm_sec_auth_method";
add_header X-Reused   \$ssl_session_reused;

server {
    listen       127.0.0.1:$tls ssl;
    server_name  localhost;

    dm_sec_profile  modern dm20;
    dm_sec_auth     psk x509;

    location / {
        empty_gif;
    }
}

server {
    listen       127.0.0.1:$plain;
    server_name  localhost;

    dm_sec_profile         off;
    dm_sec_auth            digest;
    dm_sec_plaintext_auth  on;

    location / {
        empty_gif;
    }
}

server {
    listen       127.0.0.1:$status;
    server_name  localhost;

    location /status {
        dm_sec_status json;
    }
}

EOF_HTTP
}


# b's store becomes a copy of a's
sub copy_store {
    my ($dir) = $there->testdir();

    chmod 0711, $dir or die "Can't chmod $dir: $!\n";
    $there->write_file('store.key', $here->read_file('store.key'));
    chmod 0600, "$dir/store.key" or die "Can't chmod $dir/store.key: $!\n";

    account($here, 'backup', "$d/backup");
    account($there, 'restore', "$d/backup", '--owner',
        Test::DmSec::worker_user($there));
}


# A device that remembers its sessions, with a key or a certificate.  When its
# key is taken away it has the sessions alone.
sub device {
    my ($version, $method) = @_;
    my ($self) = { key => $key };
    my (%o) = (SSL_version => $version, $version eq 'TLSv1_2'
        ? (SSL_cipher_list => $method eq 'psk' ? 'DHE-PSK-AES128-GCM-SHA256'
            : 'ECDHE') : ());

    require Net::SSLeay;

    if ($method eq 'psk') {
        $o{SSL_create_ctx_callback} = sub {
            Net::SSLeay::CTX_set_psk_client_callback($_[0], sub {
                return defined $self->{key} ? ('dev1', $self->{key})
                    : ('', '');
            });
        };

    } else {
        @o{qw/ SSL_cert_file SSL_key_file /} = ("$d/one.crt", "$d/one.key");
    }

    $self->{tls} = { sessions(%o) };

    return $self;
}


# in TLS 1.3 a handshake with a key is a resumption for OpenSSL already
sub first {
    my ($version, $method) = @_;

    return $version eq 'TLSv1_3' && $method eq 'psk' ? ' resumed' : '';
}


# a request on a connection of its own
sub ask {
    my ($t, $device) = @_;

    return told($t, scalar https($ports{$t}[0], request('GET', '/'),
        %{ $device->{tls} }));
}


# a request to b on an open connection
sub again {
    my ($connection) = @_;

    return told($there, $connection->request(request('GET', '/')));
}


# the status, and who it was, or why not
sub told {
    my ($t, $response) = @_;
    my ($status) = status($response);

    return "$status " . join ' ', $status == 200
        ? (header($response, 'X-Identity'),
            (header($response, 'X-Reused') // '') eq 'r' ? 'resumed' : ())
        : $status ? (denied($t))[-1]{reason} : '-';
}


sub plain {
    my ($t, @headers) = @_;

    return http(request('GET', '/', 'Connection: close', @headers),
        PeerAddr => '127.0.0.1:' . port($ports{$t}[1]));
}


sub answer {
    my ($challenge, $nc, $password) = @_;

    return digest($challenge, user => 'one', nc => $nc,
        password => $password // 'secret');
}


# { detail => count } of nonces that were stale
sub stale {
    my ($t) = @_;
    my ($details) = json($t)->{denied_details};

    return { map { $_ => $details->{$_} } grep { $details->{$_} }
        qw/ expired evicted other_account other_node other_realm / };
}


sub json {
    my ($t) = @_;

    return JSON::PP::decode_json(http_content(http(request('GET', '/status',
        'Connection: close'), PeerAddr => '127.0.0.1:'
            . port($ports{$t}[2]))));
}

###############################################################################
