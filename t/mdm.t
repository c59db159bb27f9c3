#!/usr/bin/perl

# Tests for conf-examples/debian/sites-available/mdm.example.com with devices
# and an MDM server that goes by certificates alone: it binds the one of a
# device's first message to that device, and has it from Client-Cert.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::SHA qw/ sha256_hex /;
use MIME::Base64 qw/ decode_base64 /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Behind qw/ answer seen /;
use Test::DmSec::Conf qw/ conf example_part /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http http_ssl proxy /)
    ->has(qw/ socket_ssl /)->has_daemon('openssl')->has_daemon('curl')
    ->plan(23);

my $d = $t->testdir();
my %owner;

ca($t, 'ca');
cert($t, 'mdm', ca => 'ca');
ca($t, 'client-ca');
ca($t, 'intermediate', issuer => 'client-ca');
cert($t, 'phone', ca => 'client-ca');
cert($t, 'tablet', ca => 'intermediate', key => 'rsa:2048');
cert($t, 'stranger', ca => 'client-ca');
cert($t, 'lost', ca => 'client-ca');

crl($t, 'intermediate');
crl($t, 'client-ca', revoked => [ 'lost' ]);
$t->write_file('client-ca.crl',
    $t->read_file('client-ca.crl') . $t->read_file('intermediate.crl'));

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', "id-$_", '--cert', "$d/$_.crt")
    foreach qw/ phone tablet lost /;

conf($t, "error_log $d/error.log info;\n"
    . example_part($t, 'debian/sites-available/mdm.example.com'));

upstream($t, 8091, respond => \&mdm_server);

$t->run();

###############################################################################

# a device enrols and asks for commands, over one connection

my @steps = device('phone', qw/ Authenticate Idle Idle /);
is("@steps", '200 InstallProfile InstallProfile', 'a session');
is_deeply(seen($t), [ 'Authenticate id-phone x509',
    ('Idle id-phone x509') x 2 ], 'and what the server saw');
is(header_of('client-cert-chain'), undef, 'no chain where none was sent');

@steps = device('tablet', qw/ Authenticate Idle /);
is("@steps", '200 InstallProfile', 'below an intermediate CA');
is_deeply([ map { sha256_hex($_) } bytes(header_of('client-cert-chain')) ],
    [ cert_info($t, 'intermediate')->{sha256} ], 'which the server gets');
is(join(' ', map { sha256_hex($_) } bytes(header_of('client-cert'))),
    cert_info($t, 'tablet')->{sha256}, 'apart from the certificate');
seen($t);

# in a session of TLS that is resumed it is the same certificate, without chain

my %resume = sessions(SSL_cert_file => "$d/tablet.crt",
    SSL_key_file => "$d/tablet.key");

foreach my $way ('new', 'resumed') {
    my $c = tls('tablet', %resume);

    is(said($c, 'Idle', 'tablet'), 'InstallProfile', "a $way session");
    is($c->info()->{reused} ? 'resumed' : 'new', $way, "which is $way");
    $c->close();
}

is(header_of('client-cert-chain'), undef, 'and has no chain');
seen($t);

# the message of another device

is(join(' ', device('phone', [ 'Idle', 'tablet' ])), '403',
    'with another\'s certificate');
is_deeply(seen($t), [ 'refused id-phone x509' ], 'by the server');

# Who is refused is so by 400 or 403: to a device of Apple's 401 means that it
# is to leave the management.

account($t, 'disable', 'id-tablet');

is(join(' ', map { status(tls($_)->request(put('Idle', 'phone'))) }
    qw/ tablet lost stranger /), '403 400 403',
    'disabled, revoked, and without an account');
is(status(keepalive(8443, SSL => 1)->request(put('Idle', 'phone'))), 403,
    'without a certificate');
is(status(keepalive(8443, SSL => 1)->request(put('Idle', 'phone',
    basic('phone', 'secret')))), 403, 'with a password instead');
is_deeply(seen($t), [], 'and the server sees none of them');

# what a device says in the names of these headers

my $forged = (upstream_log($t, 8091))[-1]{fields}{'client-cert'}[0];

is(said(tls('phone'), 'Idle', 'phone', "Client-Cert: $forged",
    "Client_Cert: $forged", "Client-Cert-Chain: $forged"), 'InstallProfile',
    'forged headers are not seen');
is(header_of('client-cert-chain'), undef, 'nor a forged chain');

my $enroll = keepalive(8443, SSL => 1);
account($t, 'set', 'id-phone', { password => 'secret' });
$enroll->request(request('GET', '/enroll/', "Client-Cert: $forged",
    basic('id-phone', 'secret'), { host => 'mdm.example.com' }));
is(header_of('dm-client-id'), 'id-phone', 'enrolling with a password');
is(header_of('client-cert'), undef, 'where there is no certificate');
seen($t);

# a new certificate, which is bound before it is used

cert($t, 'renewed', ca => 'client-ca');
account($t, 'set', 'id-phone', '--cert', "$d/renewed.crt");
is(join(' ', map { status(tls($_)->request(put('Authenticate', 'phone'))) }
    qw/ phone renewed /), '200 200', 'the old certificate and the new one');

# a client that is not ours

$t->write_file('idle', 'Idle phone');
is(qx{curl -s -k --cert $d/renewed.crt --key $d/renewed.key -T $d/idle \\
    https://127.0.0.1:${\ port(8443)}/mdm}, 'InstallProfile', 'curl');
undef $t;

###############################################################################

# What comes of these messages: the command, or the status.  A message is its
# name, or that and whose it is.
sub device {
    my ($name, @messages) = @_;
    my ($c) = tls($name);
    my @said = map { said($c, ref $_ ? @$_ : ($_, $name)) } @messages;

    $c->close();

    return @said;
}

sub tls {
    my ($name, %o) = @_;

    return keepalive(8443, SSL => 1, SSL_cert_file => "$d/$name.crt",
        SSL_key_file => "$d/$name.key", %o);
}

sub said {
    my ($c, @message) = @_;
    my ($r) = $c->request(put(@message));

    return ($r // '') =~ /\r\n\r\n(.+)/s ? $1 : status($r);
}

sub put {
    my ($message, $device, @lines) = @_;

    return request('PUT', '/mdm', @lines,
        { host => 'mdm.example.com', body => "$message $device" });
}

# of the last request behind: its only one, undef where it is not there
sub header_of {
    my ($name) = @_;
    my ($values) = (upstream_log($t, 8091))[-1]{fields}{$name};

    die "$name is there twice\n" if $values && @$values != 1;

    return $values ? $values->[0] : undef;
}

# the octets of a list of byte sequences of RFC 8941, () where it is none
sub bytes {
    my ($value) = @_;
    my ($sequence) = qr/:[A-Za-z0-9+\/]*={0,2}:/;

    return () if ($value // '') !~ /\A$sequence(?:, $sequence)*\z/;

    return map { decode_base64($_) } $value =~ /:([^:]+):/g;
}

# The MDM server: a device is the one whose first message came with that
# certificate.
sub mdm_server {
    my ($request, $body) = @_;
    my @certificates = bytes($request->{fields}{'client-cert'}[0]);
    my ($message, $device) = split / /, $body;
    my ($hash) = map { sha256_hex($_) } @certificates;

    return answer($t, $request, 'none', 204) if $request->{uri} ne '/mdm';
    return answer($t, $request, 'refused', 400) if @certificates != 1;

    $owner{$hash} = $device if $message eq 'Authenticate';

    return answer($t, $request, 'refused', 403)
        if ($owner{$hash} // '') ne $device;

    return answer($t, $request, $message, 200,
        $message eq 'Idle' ? 'InstallProfile' : '');
}

###############################################################################
