#!/usr/bin/perl

# Tests for the TLS policy of a server: versions, suites, their order,
# signatures and keys.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ ca cert denied header https request run_command s_client
    status upstream upstream_clear upstream_count /;
use Test::DmSec::Hello qw/ hello /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy socket_ssl/)
    ->has_daemon('openssl')->plan(145);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/error.log info;

    ssl_client_certificate  ca.crt;
    ssl_verify_client       optional;

    # a policy goes before it
    ssl_prefer_server_ciphers  off;

    proxy_set_header  X-Verify $ssl_client_verify;
    add_header        X-TLS "$dm_sec_protocol $dm_sec_cipher" always;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  rsa;

        ssl_certificate      rsa.crt;
        ssl_certificate_key  rsa.key;

        dm_sec_profile dm20;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8444 ssl;
        server_name  ecdsa;

        ssl_certificate      ec.crt;
        ssl_certificate_key  ec.key;

        dm_sec_profile dm20;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8445 ssl;
        server_name  both;

        ssl_certificate      rsa.crt;
        ssl_certificate_key  rsa.key;
        ssl_certificate      ec.crt;
        ssl_certificate_key  ec.key;

        # what is in the way is replaced
        ssl_protocols        TLSv1.3;
        ssl_ciphers          AES256-SHA;

        dm_sec_profile dm20;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    ssl_certificate      rsa.crt;
    ssl_certificate_key  rsa.key;
    ssl_certificate      ec.crt;
    ssl_certificate_key  ec.key;

    server {
        listen       127.0.0.1:8446 ssl;
        server_name  modern;

        dm_sec_profile modern;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8447 ssl;
        server_name  modern-dm20;

        dm_sec_profile modern dm20;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8448 ssl;
        server_name  dm20-modern;

        dm_sec_profile dm20 modern;
        ssl_dhparam    dhparam.pem;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8449 ssl;
        server_name  order;

        dm_sec_protocols TLSv1.2 TLSv1.3;
        dm_sec_ciphers   TLS_CHACHA20_POLY1305_SHA256
                         TLS_RSA_WITH_AES_128_CBC_SHA
                         SSL_RSA_WITH_AES_128_CBC_SHA
                         TLS_AES_128_GCM_SHA256
                         AES128-GCM-SHA256
                         TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8450 ssl;
        server_name  versions-only;

        ssl_ciphers  ALL:COMPLEMENTOFALL:@SECLEVEL=0;

        dm_sec_protocols TLSv1 TLSv1.1 TLSv1.2;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8452 ssl;
        server_name  suites-only;

        ssl_protocols  TLSv1.1 TLSv1.2;

        dm_sec_ciphers DM-TLS11;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # without the module: what the clients here can do otherwise

    server {
        listen       127.0.0.1:8451 ssl;
        server_name  anything;

        ssl_protocols  TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
        ssl_ciphers    ALL:COMPLEMENTOFALL:@SECLEVEL=0;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF

my $d = $t->testdir();

ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'ec', ca => 'ca');
cert($t, 'client-ec', ca => 'ca');
cert($t, 'client-rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'client-short', ca => 'ca', key => 'rsa:1024');
cert_sha1('client-sha1');

$t->write_file('dhparam.pem', (run_command([ 'openssl', 'genpkey',
    '-genparam', '-algorithm', 'DH', '-pkeyopt', 'group:ffdhe3072' ]))[1]);

upstream($t, 8081);

$t->run();

###############################################################################

my @x509 = qw/
    ECDHE-ECDSA-AES128-GCM-SHA256 DHE-RSA-AES128-GCM-SHA256 AES128-GCM-SHA256
    ECDHE-ECDSA-AES128-SHA256 DHE-RSA-AES128-SHA256 AES128-SHA256 /;
my @tls11 = qw/
    ECDHE-ECDSA-AES128-SHA ECDHE-RSA-AES128-SHA DHE-RSA-AES128-SHA
    AES128-SHA /;
my @modern = qw/
    ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256
    ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384
    ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-CHACHA20-POLY1305 /;
my @modern13 = qw/
    TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384
    TLS_CHACHA20_POLY1305_SHA256 /;

my %servers = (8443 => 'RSA', 8444 => 'ECDSA', 8445 => 'both');
my $get = "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";

# each version, with each kind of certificate

foreach my $port (sort keys %servers) {
    my $name = $servers{$port};

    foreach my $version (qw/ 1 1.1 1.2 /) {
        my $r = s_client($port, '-tls' . $version =~ s/[.]/_/r,
            '-cipher', 'ALL:@SECLEVEL=0', { request => $get });

        is(status($r->{response}), 200, "$name TLS $version");
        like(header($r->{response}, 'X-TLS'), qr/^TLSv$version TLS_/,
            "$name TLS $version seen by nginx");
    }

    my $r = s_client($port, '-tls1_3');

    is($r->{protocol}, undef, "$name TLS 1.3 refused");
    like($r->{output}, qr/alert protocol version/, "$name TLS 1.3 alert");
}

# each suite by itself: by leaving out what was chosen, the whole list appears
# in its order, whatever the order of the client

is(suites(8445, 'TLSv1_2', reverse @x509, @tls11), "@x509 @tls11",
    'dm20 order');

foreach my $version (qw/ TLSv1 TLSv1_1 /) {
    is(suites(8445, $version, reverse @x509, @tls11), "@tls11",
        "dm20 order $version");
}

is(suites(8443, 'TLSv1_2', reverse @x509, @tls11),
    join(' ', grep { !/ECDSA/ } @x509, @tls11), 'dm20 RSA order');
is(suites(8444, 'TLSv1_2', reverse @x509, @tls11),
    join(' ', grep { /ECDSA/ } @x509, @tls11), 'dm20 ECDSA order');

foreach my $suite (@x509) {
    my ($r, $info) = tls(8445, 'TLSv1_2', $suite);
    is("$info->{protocol} $info->{cipher} " . status($r),
        "TLSv1.2 $suite 200", $suite);
}

foreach my $version (qw/ TLSv1 TLSv1_1 TLSv1_2 /) {
    foreach my $suite (@tls11) {
        my ($r, $info) = tls(8445, $version, $suite);
        is("$info->{protocol} $info->{cipher} " . status($r),
            $version =~ tr/_/./r . " $suite 200", "$suite $version");
    }
}

# all the others that a client could offer

my $others = join ':', 'ALL:COMPLEMENTOFALL', map { "!$_" } @x509, @tls11;

foreach my $version (qw/ TLSv1 TLSv1_1 TLSv1_2 /) {
    ok((tls(8451, $version, $others))[0], "others $version offered");

    foreach my $port (sort keys %servers) {
        is((tls($port, $version, $others))[0], undef,
            "others $version refused by $servers{$port}");
    }
}

# never, whatever is configured

foreach my $list (qw/ eNULL aNULL eNULL:aNULL /) {
    ok((tls(8451, 'TLSv1_2', $list))[0], "$list offered");

    foreach my $port (8445, 8447, 8450) {
        my ($r, $info) = tls($port, 'TLSv1_2', $list);
        is($r, undef, "$list refused by $port");
        like($info->{error}, qr/handshake failure/, "$list alert");
    }

    is((tls(8450, 'TLSv1', $list))[0], undef, "$list refused in TLS 1.0");
}

like((tls(8450, 'TLSv1_2', 'ALL:COMPLEMENTOFALL'))[1]{cipher}, qr/^ECDHE-/,
    'ssl_ciphers where dm_sec names none');

is(suites(8452, 'TLSv1_1', @x509, @tls11), "@tls11",
    'ssl_protocols where dm_sec names none');
is((tls(8452, 'TLSv1', "@tls11" =~ tr/ /:/r))[0], undef,
    'ssl_protocols where dm_sec names none, TLS 1.0');

# RSA_EXPORT with RC4 and DES, RSA with DES, RC4 and 3DES; old versions

my @export = (0x0003, 0x0006, 0x0008, 0x000b, 0x000e, 0x0011, 0x0014);

is(hello(8445, 0x0303, @export), 'alert 40', 'EXPORT TLS 1.2');
is(hello(8445, 0x0301, @export), 'alert 40', 'EXPORT TLS 1.0');
is(hello(8450, 0x0301, @export), 'alert 40', 'EXPORT with ssl_ciphers');
is(hello(8445, 0x0301, 0x0009, 0x0004, 0x0005, 0x000a), 'alert 40',
    'DES, RC4 and 3DES TLS 1.0');
is(hello(8445, 0x0301, 0x002f), 'hello 0301 002f', 'AES TLS 1.0');
is(hello(8445, 0x0300, 0x002f), 'alert 40', 'AES SSL 3.0');
is(hello(8450, 0x0300, 0x002f), 'alert 40', 'AES SSL 3.0 with ssl_ciphers');
is(hello(8446, 0x0302, 0x002f), 'alert 70', 'modern TLS 1.1 alert');

# keys of DHE

like(s_client(8443, '-tls1_2', '-cipher', 'DHE-RSA-AES128-GCM-SHA256')
    ->{output}, qr/^(?:Server|Peer) Temp Key: DH, 2048 bits$/m, 'DHE TLS 1.2');
like(s_client(8443, '-tls1', '-cipher', 'DHE-RSA-AES128-SHA:@SECLEVEL=0')
    ->{output}, qr/^(?:Server|Peer) Temp Key: DH, 2048 bits$/m, 'DHE TLS 1.0');
like(s_client(8448, '-tls1_2', '-cipher', 'DHE-RSA-AES128-GCM-SHA256')
    ->{output}, qr/^(?:Server|Peer) Temp Key: DH, 3072 bits$/m,
    'ssl_dhparam kept');

# client certificates

foreach my $version (qw/ TLSv1 TLSv1_1 TLSv1_2 /) {
    foreach my $port (8443, 8444) {
        is(verify($port, $version, 'client-ec'), '200 SUCCESS 1',
            "EC certificate $version $servers{$port}");
        is(verify($port, $version, 'client-rsa'), '200 SUCCESS 1',
            "RSA certificate $version $servers{$port}");
        is(verify($port, $version, 'client-short'), '400 - 0',
            "1024 bits $version $servers{$port}");
        is(verify($port, $version, 'client-sha1'), '400 - 0',
            "signed with SHA1 $version $servers{$port}");
    }
}

like((s_client(8443, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0',
    '-cert', "$d/client-ec.crt", '-key', "$d/client-ec.key",
    { request => $get }))->{response}, qr/X-Verify: SUCCESS/,
    'EC certificate TLS 1.1, openssl');

# TLS 1.2 with nothing better than SHA1 to sign with

foreach my $sigalgs (qw/ RSA+SHA1 ECDSA+SHA1 RSA+SHA1:ECDSA+SHA1 /) {
    my $r = s_client(8445, '-tls1_2', '-cipher', 'ALL:@SECLEVEL=0',
        '-sigalgs', $sigalgs);
    is($r->{protocol}, undef, "$sigalgs refused");
    like($r->{output}, qr/alert handshake failure/, "$sigalgs alert");
}

is(s_client(8445, '-tls1_2', '-cipher', 'DHE:@SECLEVEL=0',
    '-sigalgs', 'RSA+SHA1:RSA+SHA256')->{output}
    =~ /^Peer signing digest: (\S+)$/m && $1, 'SHA256', 'RSA+SHA256 chosen');

# modern

foreach my $version (qw/ TLSv1 TLSv1_1 /) {
    my ($r, $info) = tls(8446, $version, 'ALL');
    is($r, undef, "modern $version refused");
    like($info->{error}, qr/protocol version/, "modern $version alert");
}

is(suites(8446, 'TLSv1_2', reverse @modern, @x509), "@modern",
    'modern TLS 1.2');
is(suites(8446, 'TLSv1_3', reverse @modern13), "@modern13", 'modern TLS 1.3');
is(header(scalar tls(8446, 'TLSv1_3', $modern13[0]), 'X-TLS'),
    'TLSv1.3 TLS_AES_128_GCM_SHA256', 'modern TLS 1.3 seen by nginx');

# unions, in the order of their names

is(suites(8447, 'TLSv1_2', reverse(@x509), @tls11, @modern),
    join(' ', unique(@modern, @x509, @tls11)), 'modern dm20 TLS 1.2');
is(suites(8448, 'TLSv1_2', reverse(@x509), @tls11, @modern),
    join(' ', unique(@x509, @tls11, @modern)), 'dm20 modern TLS 1.2');
is(suites(8447, 'TLSv1_3', reverse @modern13), "@modern13",
    'modern dm20 TLS 1.3');
is(suites(8447, 'TLSv1_1', @x509, @tls11), "@tls11", 'modern dm20 TLS 1.1');
is(suites(8448, 'TLSv1', @x509, @tls11), "@tls11", 'dm20 modern TLS 1.0');

# a list of its own

is(suites(8449, 'TLSv1_2', 'ECDHE-RSA-AES128-GCM-SHA256', 'AES128-GCM-SHA256',
    'AES128-SHA', 'DHE-RSA-AES128-SHA'),
    'AES128-SHA AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256',
    'own list TLS 1.2');
is(suites(8449, 'TLSv1_3', @modern13), 'TLS_CHACHA20_POLY1305_SHA256 '
    . 'TLS_AES_128_GCM_SHA256', 'own list TLS 1.3');
is((tls(8449, 'TLSv1_1', 'ALL'))[0], undef, 'own list TLS 1.1');

is(grep({ $_->{status} != 400 } denied($t, 0)), 0,
    'no request was refused, but by nginx itself');

undef $t;

###############################################################################

# a request with whatever the client may do: (response, info)
sub tls {
    my ($port, $version, $list, %o) = @_;
    my ($set) = $version eq 'TLSv1_3'
        ? \&Net::SSLeay::CTX_set_ciphersuites
        : \&Net::SSLeay::CTX_set_cipher_list;

    return https($port, $get, SSL_version => $version,
        SSL_create_ctx_callback => sub {
            Net::SSLeay::CTX_set_security_level($_[0], 0);
            $set->($_[0], $list) or die "Can't set $list\n";
            use_cert($_[0], $o{cert}) if $o{cert};
        });
}


# IO::Socket::SSL reads certificates too early, at level 2
sub use_cert {
    my ($ctx, $name) = @_;

    Net::SSLeay::CTX_use_certificate_chain_file($ctx, "$d/$name.crt")
        && Net::SSLeay::CTX_use_PrivateKey_file($ctx, "$d/$name.key",
            Net::SSLeay::FILETYPE_PEM())
        or die "Can't use $name.crt\n";
}


# what is chosen, then what is chosen without it, and so on
sub suites {
    my ($port, $version, @offered) = @_;
    my (@chosen);

    @offered = unique(@offered);

    while (@offered) {
        my ($r, $info) = tls($port, $version, join ':', @offered);
        last unless $info->{cipher};

        push @chosen, $info->{cipher};
        @offered = grep { $_ ne $info->{cipher} } @offered;
    }

    return "@chosen";
}


sub unique {
    my (%seen);

    return grep { !$seen{$_}++ } @_;
}


# the status, what the upstream was told of the certificate, and how often
sub verify {
    my ($port, $version, $name) = @_;
    my ($r, $count);

    upstream_clear($t, 8081);

    $r = (tls($port, $version, 'ALL', cert => $name))[0] // '';
    $count = upstream_count($t, 8081);

    return join ' ', status($r), $r =~ /^X-Verify: (\S+)/m ? $1 : '-', $count;
}


# signed with what level 2 refuses
sub cert_sha1 {
    my ($name) = @_;
    my ($exit, $out, $err);

    cert($t, $name, ca => 'ca');

    ($exit, $out, $err) = run_command([ 'openssl', 'x509', '-req', '-sha1',
        '-in', "$d/$name.csr", '-CA', "$d/ca.crt", '-CAkey', "$d/ca.key",
        '-set_serial', '99', '-out', "$d/$name.crt" ]);
    die "openssl x509: $err\n" if $exit;
}

###############################################################################
