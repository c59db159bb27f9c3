#!/usr/bin/perl

# Tests for dm_sec_psk_identity_hint: what clients are told, and what nginx -t
# finds.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http http_ssl socket_ssl_sni /)
    ->has_daemon('openssl')->has_daemon('gnutls-cli')->plan(23);

my $d = $t->testdir();
my $key = 'a5' x 16;

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'dev', '--psk-identity', 'dev1', { psk => $key });
ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');

# nginx -t

like(error(''), qr/invalid parameter ""/, 'empty');
is(error('x' x 128), '', '128 octets');
like(error('x' x 129), qr/invalid parameter "x+": the hint/, '129 octets');
like(error("a\xff"), qr/invalid parameter .*: the hint .*UTF-8/, 'no UTF-8');
like(error("a\tb"), qr/invalid parameter .*: the hint .*control/, 'control');
like(error('a"; dm_sec_psk_identity_hint "b'), qr/directive is duplicate/,
    'twice');
like(error('a" "b'), qr/invalid number of arguments/, 'two');
is(error('off'), '', 'off');
like(error('a', auth => 'basic'), qr/identity_hint"\ has\ no\ effect:
    \ no\ "dm_sec_auth"/x, 'without psk');
is(error('off', auth => 'basic'), '', 'off, without psk');
like(error('a', tls => 'dm_sec_protocols TLSv1.3; dm_sec_ciphers MODERN;'),
    qr/has no effect: only TLSv1.2 and less/, 'TLS 1.3');
is(error('a', where => 'http', auth => 'basic'), '', 'in http, without psk');
like(error('a', where => 'location'), qr/is not allowed here/, 'location');

# clients

conf($t, <<'EOF_HTTP');

ssl_certificate      rsa.crt;
ssl_certificate_key  rsa.key;

dm_sec_profile           modern dm20;
dm_sec_auth              psk;
dm_sec_psk_identity_hint "the hint";

server {
    listen       127.0.0.1:8443 ssl;
    server_name  localhost;
    return       204;
}

server {
    listen                    127.0.0.1:8443 ssl;
    server_name               other;
    dm_sec_psk_identity_hint  "Ger\xc3\xa4t";
    return                    204;
}

server {
    listen                    127.0.0.1:8443 ssl;
    server_name               none;
    dm_sec_psk_identity_hint  off;
    return                    204;
}

EOF_HTTP
$t->write_file('nginx.conf', $t->read_file('nginx.conf')
    =~ s/\\x(..)/chr hex $1/ger);
$t->run();

foreach my $suite (qw/ PSK-AES128-CBC-SHA256 DHE-PSK-AES128-GCM-SHA256
    RSA-PSK-AES128-GCM-SHA256 /)
{
    is(hint('localhost', $suite), 'the hint', $suite);
}

is(hint('localhost', 'PSK-AES128-CBC-SHA256', '-tls1'), 'the hint', 'TLS 1.0');
is(hint('other', 'PSK-AES128-CBC-SHA256'), "Ger\xc3\xa4t", 'another server');
is(hint('none', 'PSK-AES128-CBC-SHA256'), 'None', 'a server without');
is(hint('none', 'DHE-PSK-AES128-GCM-SHA256'), 'None',
    'a server without, DHE_PSK');
unlike(hint('localhost', undef, '-tls1_3'), qr/the hint/, 'TLS 1.3');
is(status(scalar https(8443, request('GET', '/'), psk('dev1', $key),
    SSL_version => 'TLSv1_2')), 204, 'let in');

like((run_command([ 'gnutls-cli', '--no-ca-verification', '--pskusername',
    'dev1', '--pskkey', $key, '--priority',
    'NONE:+VERS-TLS1.2:+MAC-ALL:+SIGN-ALL:+GROUP-ALL'
        . ':+AES-128-GCM:+AEAD:+PSK:+COMP-NULL', '-p',
    port(8443), '127.0.0.1' ], stdin => "GET / HTTP/1.0\r\n\r\n",
    open => 1))[1], qr/hint '?the hint/, 'GnuTLS');

$t->stop();

undef $t;

###############################################################################

# what s_client says that the hint is

sub hint {
    my ($name, $suite, @args) = @_;
    my ($out) = (run_command([ qw/ openssl s_client -connect /,
        '127.0.0.1:' . port(8443), '-servername', $name, '-psk_identity',
        'dev1', '-psk', $key, @args ? @args : '-tls1_2',
        $suite ? ('-cipher', "$suite:\@SECLEVEL=0") : () ]))[1];

    return $out =~ /^ *PSK identity hint: (.*)$/m ? $1 : $out;
}

sub error {
    my ($hint, %o) = @_;
    my ($directive) = "dm_sec_psk_identity_hint \"$hint\";";
    my ($where) = $o{where} || 'server';

    return conf_error($t, http => "dm_sec_account_store $d/store;"
        . "dm_sec_store_key $d/store.key;"
        . ($where eq 'http' ? $directive : ''),
        listen => '127.0.0.1:8443 ssl',
        server => "ssl_certificate $d/rsa.crt; ssl_certificate_key $d/rsa.key;"
            . ($o{tls} || 'dm_sec_profile modern;')
            . "dm_sec_auth @{[$o{auth} || 'psk']};"
            . ($where eq 'server' ? $directive : ''),
        location => $where eq 'location' ? $directive : '');
}

###############################################################################
