#!/usr/bin/perl

# Tests for SSL 3.0: its suites, that nothing newer is weaker for it, and
# authentication, on the library of "make legacy".

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP qw/ decode_json /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;
use Test::DmSec::Hello qw/ hello /;
use Test::DmSec::Legacy qw/ legacy legacy_client /;
use Test::DmSec::Process qw/ must /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'SSL 3.0 needs another library: "make test-legacy"')
    unless legacy();

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy socket_ssl/)
    ->has_daemon('tstclnt')->plan(160);

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;

    ssl_certificate      rsa.crt;
    ssl_certificate_key  rsa.key;
    ssl_certificate      ec.crt;
    ssl_certificate_key  ec.key;

    ssl_client_certificate  ca.crt;
    ssl_verify_client       optional;

    # SSL 3.0 has no tickets
    ssl_session_cache  shared:SSL:1m;

    proxy_set_header  X-Verify $ssl_client_verify;
    add_header        X-TLS "$dm_sec_protocol $dm_sec_cipher" always;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  ssl3;

        dm_sec_profile dm20-ssl3;

        location / {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /auth/ {
            dm_sec_auth basic digest x509;
            proxy_pass http://127.0.0.1:8081;
        }

        location /x509/ {
            dm_sec_auth x509;
            proxy_pass http://127.0.0.1:8081;
        }

        location /tls/ {
            dm_sec_protocols TLSv1 TLSv1.1 TLSv1.2;
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /dm20/ {
            dm_sec_profile dm20;
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /3des/ {
            dm_sec_protocols SSLv3;
            dm_sec_ciphers   SSL_RSA_WITH_3DES_EDE_CBC_SHA;
            dm_sec_auth      off;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  modern;

        dm_sec_profile modern;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8444 ssl;
        server_name  modern-first;

        dm_sec_profile modern dm20-ssl3;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # what is for SSL 3.0 only comes first
    server {
        listen       127.0.0.1:8445 ssl;
        server_name  weak-first;

        dm_sec_protocols SSLv3 TLSv1 TLSv1.1 TLSv1.2;
        dm_sec_ciphers   DM-SSL3 DHE-RSA-DES-CBC3-SHA DM-TLS11;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8446 ssl;
        server_name  versions-only;

        ssl_ciphers  ALL:COMPLEMENTOFALL:@SECLEVEL=0;

        dm_sec_protocols SSLv3 TLSv1 TLSv1.1 TLSv1.2;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8447 ssl;
        server_name  dm20;

        dm_sec_profile dm20;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # of two servers on one address, devices without SNI reach the first
    server {
        listen       127.0.0.1:8448 ssl;
        server_name  default;

        dm_sec_profile modern dm20;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8448 ssl;
        server_name  named;

        dm_sec_profile dm20-ssl3;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # authentication without a TLS policy
    server {
        listen       127.0.0.1:8449 ssl;
        server_name  auth-only;

        ssl_protocols  SSLv3 TLSv1.2;
        ssl_ciphers    ALL:@SECLEVEL=0;

        dm_sec_auth basic;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # without the module: what the clients here can do otherwise
    server {
        listen       127.0.0.1:8450 ssl;
        server_name  anything;

        ssl_protocols  SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
        ssl_ciphers    ALL:COMPLEMENTOFALL:@SECLEVEL=0;
        ssl_dhparam    dhparam.pem;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  status;

        location / {
            dm_sec_status json;
            allow 127.0.0.1;
            deny all;
        }
    }
}

EOF_CONF

$t->write_file_expand('nginx.conf', $conf);

my $d = $t->testdir();

ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'ec', ca => 'ca');
cert($t, 'client', ca => 'ca', key => 'rsa:2048');
cert($t, 'unbound', ca => 'ca', key => 'rsa:2048');
cert($t, 'short', ca => 'ca', key => 'rsa:1024');

$t->write_file('dhparam.pem', must([ 'openssl', 'genpkey', '-genparam',
    '-algorithm', 'DH', '-pkeyopt', 'group:ffdhe2048' ]));

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', '--cert', "$d/client.crt",
    '--cert', "$d/short.crt", { password => 'right' });

upstream($t, 8081);
$t->run();

###############################################################################

my %suites = (
    'RC4-SHA' => 'TLS_RSA_WITH_RC4_128_SHA',
    'DES-CBC3-SHA' => 'TLS_RSA_WITH_3DES_EDE_CBC_SHA',
);
my @suites = sort keys %suites;

my (@versions) = (qw/ -tls1 -tls1_1 -tls1_2 /);
my ($r, $s, @lines, %before);

# both suites, with OpenSSL and with NSS, which has an SSL 3.0 of its own

foreach my $suite (@suites) {
    is(ssl3('/', $suite), '200 upstream', "$suite");
    is($r->{protocol}, 'SSLv3', "$suite version");
    is($r->{cipher}, $suite, "$suite negotiated");
    is(header($r->{response}, 'X-TLS'), "SSLv3 $suites{$suite}",
        "$suite seen by nginx");
}

nss_database();

is(nss('/', ':0005'), '200 upstream', 'RC4 with NSS');
is(header($s, 'X-TLS'), "SSLv3 $suites{'RC4-SHA'}", 'RC4 with NSS seen');
is(nss('/', ':000a'), '200 upstream', '3DES with NSS');
is(header($s, 'X-TLS'), "SSLv3 $suites{'DES-CBC3-SHA'}",
    '3DES with NSS seen');
is(nss('/auth/', ':0005:000a', basic('alice', 'right')), '200 upstream',
    'Basic with NSS');
is(nss('/x509/', ':000a', '-n', 'client'), '200 upstream',
    'certificate with NSS');
is(client(), "IMEI:1 x509 SSLv3 $suites{'DES-CBC3-SHA'}",
    'certificate with NSS, the account');

# the server's order

is(chosen(8443, 'DES-CBC3-SHA:RC4-SHA'), 'RC4-SHA', 'RC4 before 3DES');
is(chosen(8443, 'AES128-SHA:DES-CBC3-SHA:RC4-SHA'), 'RC4-SHA',
    'both before DM-TLS11');
is(chosen(8443, 'AES128-SHA:DES-CBC3-SHA'), 'DES-CBC3-SHA',
    '3DES before DM-TLS11');
is(chosen(8445, 'AES128-SHA:DES-CBC3-SHA:RC4-SHA'), 'RC4-SHA',
    'DM-SSL3 first');
is(chosen(8445, 'DHE-RSA-DES-CBC3-SHA'), 'DHE-RSA-DES-CBC3-SHA',
    'a suite of 3DES by name');

# authentication

foreach my $suite (@suites) {
    is(ssl3('/auth/', $suite, basic('alice', 'right')), '200 upstream',
        "Basic $suite");
    is(client(), "IMEI:1 basic SSLv3 $suites{$suite}", "Basic account $suite");
    is(ssl3('/auth/', $suite, basic('alice', 'wrong')), '401 bad_credentials',
        "Basic $suite, wrong password");
    is(ssl3('/auth/', $suite), '401 no_credentials', "$suite, nothing");

    my $nc = 0;

    foreach my $challenge (grep { $_->{scheme} eq 'Digest' }
        challenges($r->{response}))
    {
        is(ssl3('/auth/', $suite, digest($challenge, user => 'alice',
            password => 'right', uri => '/auth/', nc => ++$nc)),
            '200 upstream', "Digest $challenge->{algorithm} $suite");
        is(client(), "IMEI:1 digest SSLv3 $suites{$suite}",
            "Digest account $suite");
        is(ssl3('/auth/', $suite, digest($challenge, user => 'alice',
            password => 'wrong', uri => '/auth/', nc => ++$nc)),
            '401 bad_credentials', "Digest $challenge->{algorithm}, wrong");
    }

    is(ssl3('/x509/', $suite, cert_of('client')), '200 upstream',
        "certificate $suite");
    is(client(), "IMEI:1 x509 SSLv3 $suites{$suite}",
        "certificate account $suite");
    is(ssl3('/x509/', $suite, cert_of('unbound')), '403 certificate_unbound',
        "unbound certificate $suite");
    is(ssl3('/x509/', $suite), '403 certificate_required',
        "no certificate $suite");

    # level 2 as everywhere else

    is(ssl3('/x509/', $suite, cert_of('short')), '400 certificate_weak',
        "certificate of 1024 bits $suite");
}

# locations

is(ssl3('/tls/', 'RC4-SHA'), '403 tls_protocol', 'versions of a location');
is(ssl3('/dm20/', 'RC4-SHA'), '403 tls_protocol', 'profile of a location');
is(ssl3('/dm20/', 'AES128-SHA'), '403 tls_protocol', 'suite of the profile');
is(ssl3('/3des/', 'DES-CBC3-SHA'), '200 upstream', 'suite of a location');
is(ssl3('/3des/', 'RC4-SHA'), '403 tls_cipher', 'not of a location');
is(verdict($t, legacy_client(8443, '-tls1_2', '-cipher', 'AES128-SHA',
    { request => get('/3des/') })->{response}, 8081), '403 tls_protocol',
    'TLS 1.2 where only SSL 3.0 is allowed');
is(verdict($t, legacy_client(8443, '-tls1_2', '-cipher', 'AES128-SHA',
    { request => get('/dm20/') })->{response}, 8081), '200 upstream',
    'TLS 1.2 beside it');

# RC4 and 3DES are for SSL 3.0 only

foreach my $list (@suites, 'DHE-RSA-DES-CBC3-SHA:ECDHE-RSA-DES-CBC3-SHA'
    . ':ECDHE-ECDSA-DES-CBC3-SHA:ECDHE-RSA-RC4-SHA')
{
    foreach my $version (@versions) {
        is(refused(8450, $version, $list), 0, "$list $version offered");
        is(join(' ', map { refused($_, $version, $list) } 8443 .. 8448),
            '1 1 1 1 1 1', "$list $version refused");
    }
}

# never

foreach my $list (qw/ eNULL aNULL aNULL+RC4 aNULL+3DES RC4-MD5 eNULL:aNULL /) {
    is(refused(8450, '-ssl3', $list), 0, "$list offered");
    is(join(' ', map { refused($_, '-ssl3', $list) } 8443 .. 8446), '1 1 1 1',
        "$list refused");
}

# RSA_EXPORT with RC4 and DES, RSA with DES

my @export = (0x0003, 0x0006, 0x0008, 0x0009, 0x000b, 0x000e, 0x0011, 0x0014);

foreach my $port (8443, 8445, 8446) {
    is(hello($port, 0x0300, @export), 'alert 40', "EXPORT $port");
}

is(hello(8443, 0x0300, 0x0005), 'hello 0300 0005', 'no EXPORT');
is(hello(8443, 0x0301, 0x000a), 'alert 40', '3DES by TLS 1.0');
is(hello(8443, 0x0200, 0x0005), 'no answer', 'SSL 2.0');

# who tries SSL 3.0 because something newer failed is under attack

is(refused(8443, '-ssl3', 'RC4-SHA', '-fallback_scsv'), 1, 'fallback');
like($r->{output}, qr/alert inappropriate fallback/, 'fallback alert');

# newer versions are as strong as without it

foreach my $version (@versions) {
    is(refused(8443, $version, 'AES128-SHA'), 0, "$version");
}

is(verdict($t, legacy_client(8444, '-tls1_3', { request => get('/') })
    ->{response}, 8081), '200 upstream', 'TLS 1.3');
is(chosen(8444, 'ALL', '-tls1_2'), 'ECDHE-ECDSA-AES128-GCM-SHA256',
    'modern first');
is(chosen(8444, 'ALL', '-ssl3'), 'RC4-SHA', 'modern with SSL 3.0');
is(refused(8444, '-tls1_2', 'ALL', '-sigalgs', 'RSA+SHA1:ECDSA+SHA1'), 1,
    'SHA1 in TLS 1.2');
like(legacy_client(8443, '-tls1_2', '-cipher', 'DHE-RSA-AES128-GCM-SHA256')
    ->{output}, qr/^(?:Server|Peer) Temp Key: DH, 2048 bits$/m, 'DHE TLS 1.2');
like(legacy_client(8443, '-ssl3', '-cipher', 'DHE-RSA-AES128-SHA:@SECLEVEL=0')
    ->{output}, qr/^(?:Server|Peer) Temp Key: DH, 2048 bits$/m, 'DHE SSL 3.0');
is(verdict($t, legacy_client(8443, '-tls1', '-cipher', 'AES128-SHA:@SECLEVEL=0',
    cert_of('short'), { request => get('/x509/') })->{response}, 8081),
    '400 certificate_weak', 'certificate of 1024 bits TLS 1.0');

# where it is not offered

foreach my $port (8447, 8448, 8449) {
    is(refused($port, '-ssl3', 'ALL'), 1, "no SSL 3.0 on $port");
}

@lines = grep { ($_->{version} // '') eq 'SSLv3' && $_->{suites} =~ /^TLS_DHE/ }
    handshake_failures($t, 0);
is($lines[-1]{reason}, 'tls_protocol', 'reason in the log');

# servers on one address: a client of SSL 3.0 sends no SNI, but it can; OpenSSL,
# and so nginx, does not read it in this version, and what names another server
# than nginx takes is refused

is(hello(8443, 0x0300, 0x0005, { sni => 'ssl3' }), 'hello 0300 0005',
    'SNI of a server with SSL 3.0');
is(hello(8443, 0x0300, 0x0005, { sni => 'modern' }), 'alert 40',
    'SNI of a server without');
is(hello(8448, 0x0300, 0x0005, { sni => 'named' }), 'alert 40',
    'SNI of the other server with SSL 3.0');
is(hello(8448, 0x0300, 0x0005, { sni => 'default' }), 'alert 40',
    'SNI of the default server without');
is(verdict($t, legacy_client(8443, '-ssl3', '-cipher', 'RC4-SHA:@SECLEVEL=0',
    { request => request('GET', '/', 'Connection: close',
    { host => 'modern' }) })->{response}, 8081), '421 misdirected',
    'a request for the server without');
is(verdict($t, scalar https(8443, request('GET', '/', 'Connection: close',
    { host => 'modern' }), SSL_hostname => 'modern',
    SSL_version => 'TLSv1_3'), 8081), '200 upstream',
    'TLS 1.3 on the same address');

# resumed sessions

foreach my $suite (@suites) {
    ssl3('/', $suite, cert_of('client'), '-sess_out', "$d/session");
    is($r->{reused}, '', "$suite first");

    is(ssl3('/auth/', $suite, '-sess_in', "$d/session",
        basic('alice', 'right')), '200 upstream', "$suite resumed");
    is("$r->{reused} $r->{protocol}", '1 SSLv3', "$suite reused");
    is(ssl3('/tls/', $suite, '-sess_in', "$d/session"), '403 tls_protocol',
        "$suite resumed, versions of a location");
    is($r->{reused}, 1, "$suite reused again");

    $r = legacy_client(8444, '-ssl3', '-cipher', "$suite:\@SECLEVEL=0",
        '-sess_in', "$d/session");
    is($r->{reused}, '', "$suite not resumed on another server");
}

ssl3('/x509/', 'RC4-SHA', cert_of('client'), '-sess_out', "$d/session");
is(ssl3('/x509/', 'RC4-SHA', '-sess_in', "$d/session"), '200 upstream',
    'certificate of a resumed session');
is($r->{reused}, 1, 'certificate, reused');

# counters

%before = %{ status_page() };
ssl3('/', 'RC4-SHA');
ssl3('/', 'DES-CBC3-SHA') for 1 .. 2;
$s = status_page();

is($s->{versions}{SSLv3} - $before{versions}{SSLv3}, 3, 'SSL 3.0 counted');
is($s->{suites}{$suites{'RC4-SHA'}} - $before{suites}{$suites{'RC4-SHA'}}, 1,
    'RC4 counted');
is($s->{suites}{$suites{'DES-CBC3-SHA'}}
    - $before{suites}{$suites{'DES-CBC3-SHA'}}, 2, '3DES counted');
is($s->{versions}{'TLSv1.2'} - $before{versions}{'TLSv1.2'}, 0,
    'nothing else counted');

# a reload keeps the library's providers; SSL 3.0 can go and come back

ok(reload_wait($t), 'reload');
is(ssl3('/auth/', 'RC4-SHA', basic('alice', 'right')), '200 upstream',
    'after a reload');

$t->write_file_expand('nginx.conf', $conf =~ s/dm20-ssl3/dm20/gr
    =~ s/DM-SSL3 DHE-RSA-DES-CBC3-SHA //r =~ s/SSLv3 TLSv1 /TLSv1 /gr
    =~ s/dm_sec_protocols SSLv3;\s+dm_sec_ciphers .*?;//sr);
ok(reload_wait($t), 'reload without SSL 3.0');
is(join(' ', map { refused($_, '-ssl3', 'ALL') } 8443 .. 8448), '1 1 1 1 1 1',
    'SSL 3.0 is gone');
is(refused(8443, '-tls1_2', 'AES128-SHA'), 0, 'TLS 1.2 is not');

$t->write_file_expand('nginx.conf', $conf);
ok(reload_wait($t), 'reload with SSL 3.0');
is(ssl3('/', 'RC4-SHA'), '200 upstream', 'SSL 3.0 is back');

# nginx -t

is(said('dm_sec_profile dm20-ssl3;'), 'warn SSL 3.0 is offered with RC4 and '
    . '3DES, which attackers on the way can read; notice TLS 1.0 or 1.1 is '
    . 'offered: if it is meant, name the versions in "dm_sec_protocols"',
    'dm20-ssl3: one warning');
is(said('dm_sec_protocols SSLv3; dm_sec_ciphers AES128-SHA;'), 'warn SSL 3.0 '
    . 'is offered, which attackers on the way can read', 'SSL 3.0 alone');
is(said('dm_sec_protocols TLSv1.2; dm_sec_ciphers DM-TLS11 DM-SSL3;'),
    'warn RC4 and 3DES are not negotiated: they are for SSL 3.0 only, which '
    . 'is not offered', 'RC4 and 3DES without SSL 3.0');
is(said('dm_sec_profile modern;'), '', 'modern: nothing to say');
like(said('dm_sec_protocols TLSv1.2; dm_sec_ciphers AES128-SHA RC4-SHA;'),
    qr/^emerg suite "TLS_RSA_WITH_RC4_128_SHA" can never be negotiated: no/,
    'RC4 by name without SSL 3.0');
like(said('dm_sec_protocols SSLv3; dm_sec_ciphers RC4-MD5;'),
    qr/^emerg invalid parameter "RC4-MD5"/, 'MD5');
like(said('dm_sec_protocols SSLv3; dm_sec_ciphers ECDHE-RSA-DES-CBC3-SHA;'),
    qr/^emerg invalid parameter "ECDHE/, '3DES that only TLS has');
like(said('dm_sec_protocols SSLv3; dm_sec_ciphers EXP-RC4-MD5;'),
    qr/^emerg suite "EXP-RC4-MD5" is refused/, 'EXPORT');
like(said('dm_sec_profile dm20;', 'dm_sec_protocols SSLv3;'),
    qr/; emerg SSLv3 is allowed here, but the server does not offer it/,
    'SSL 3.0 in a location');
like(said('dm_sec_protocols SSLv3 TLSv1.2; dm_sec_ciphers DM-X509;'),
    qr/^emerg SSLv3 is offered, but no suite that it could negotiate/,
    'SSL 3.0 without a suite');

foreach my $directives ('dm_sec_profile dm20-ssl3;', 'dm_sec_protocols SSLv3;',
    'dm_sec_protocols TLSv1; dm_sec_ciphers SSL_RSA_WITH_RC4_128_SHA;')
{
    like(said_without_provider($directives),
        qr/^emerg OpenSSL's provider "legacy".* OPENSSL_MODULES to the direc/,
        "no provider for $directives");
}

is(said_without_provider('dm_sec_profile modern;'), '',
    'no provider is needed otherwise');

undef $t;

###############################################################################

# ssl3(URI, SUITE, arguments and header lines): the verdict on a request, the
# rest of the answer in $r
sub ssl3 {
    my ($uri, $suite, @args) = @_;
    my @lines = grep { /: / } @args;

    verdict($t, undef, 8081);
    $r = legacy_client(8443, '-ssl3', '-cipher', "$suite:\@SECLEVEL=0",
        grep({ !/: / } @args), { request => get($uri, @lines) });

    return verdict($t, $r->{response}, 8081);
}

# 1 if the handshake fails by an alert, 0 if it succeeds; the rest in $r
sub refused {
    my ($port, $version, $list, @args) = @_;

    $r = legacy_client($port, $version, '-cipher', "$list:\@SECLEVEL=0", @args);

    return 0 if $r->{protocol};
    return $r->{output} =~ /alert/ ? 1 : "no alert: $r->{output}";
}

sub chosen {
    my ($port, $list, $version) = @_;

    return legacy_client($port, $version // '-ssl3', '-cipher',
        "$list:\@SECLEVEL=0")->{cipher};
}

sub get {
    my ($uri, @lines) = @_;

    return request('GET', $uri, 'Connection: close', @lines);
}

sub cert_of {
    my ($name) = @_;

    return ('-cert', "$d/$name.crt", '-key', "$d/$name.key");
}

# what the upstream was told of the last client
sub client {
    my ($fields) = (upstream_log($t, 8081))[-1]{fields};

    return join ' ', map { $fields->{$_}[0] } qw/ dm-client-id
        dm-auth-method dm-tls-protocol dm-tls-cipher /;
}

sub nss_database {
    mkdir "$d/nss" or die "Can't create nss: $!\n";

    must([ 'certutil', '-N', '-d', "$d/nss", '--empty-password' ]);
    must([ 'openssl', 'pkcs12', '-export', '-name', 'client', '-passout',
        'pass:', '-in', "$d/client.crt", '-inkey', "$d/client.key", '-out',
        "$d/client.p12" ]);
    must([ 'pk12util', '-d', "$d/nss", '-i', "$d/client.p12", '-W', '' ]);
}

# nss(URI, SUITES, arguments and header lines): as ssl3(), the answer in $s
sub nss {
    my ($uri, $suites, @args) = @_;
    my ($exit, $err);
    my @lines = grep { /: / } @args;

    $t->write_file('nss/request', get($uri, @lines));

    verdict($t, undef, 8081);
    ($exit, $s, $err) = run_command([ 'tstclnt', '-4', '-h', '127.0.0.1',
        '-p', port(8443), '-d', "$d/nss", '-o', '-V', 'ssl3:ssl3', '-c',
        $suites, '-A', "$d/nss/request", grep({ !/: / } @args) ]);

    return verdict($t, $s, 8081) . ($exit ? " exit $exit $err" : '');
}

sub status_page {
    return decode_json(http_content(http_get('/',
        socket => IO::Socket::INET->new('127.0.0.1:' . port(8082)))));
}

# what nginx -t says of a server: levels and texts, without the places
sub said {
    my ($server, $location) = @_;

    return join '; ', map {
        s/^\[(\w+)\] (?:dm_sec: )?(.*?)(?: in server "")? in \S+$/$1 $2/r
    } split /\n/, conf_error($t, http => join(' ', map {
        "ssl_certificate $d/$_.crt; ssl_certificate_key $d/$_.key;"
    } qw/ rsa ec /), listen => '127.0.0.1:8080 ssl', server => $server,
        location => $location);
}

sub said_without_provider {
    my ($server) = @_;

    local $Test::Nginx::NGINX = "$d/without-provider";

    $t->write_file('without-provider', "#!/bin/sh\nexec env LD_LIBRARY_PATH="
        . legacy() . "/lib OPENSSL_MODULES=$d /usr/sbin/nginx \"\$@\"\n");
    chmod 0755, "$d/without-provider" or die "Can't chmod: $!\n";

    return said($server);
}

###############################################################################
