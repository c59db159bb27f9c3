#!/usr/bin/perl

# Tests for dm_sec_auth psk: a device with a pre-shared key, in each suite and
# with each client, and the ways in which a key or an identity is wrong.

###############################################################################

use warnings;
use strict;

use Test::More;

use JSON::PP qw/ decode_json /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;
use Test::DmSec::HTTP2;
use Test::DmSec::Process qw/ must /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl http_v2 proxy rewrite/)
    ->has(qw/socket_ssl socket_ssl_sni/)->has_daemon('openssl')
    ->has_daemon('gnutls-cli')->has_daemon('cc')->plan(207);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    log_format  dm '"$dm_sec_psk_identity" $dm_sec_auth_method $status';
    access_log  %%TESTDIR%%/dm.log dm;

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;

    ssl_certificate      rsa.crt;
    ssl_certificate_key  rsa.key;
    ssl_certificate      ec.crt;
    ssl_certificate_key  ec.key;

    ssl_client_certificate  ca.crt;

    dm_sec_profile modern dm20;

    proxy_set_header X-Identity $dm_sec_psk_identity;

    server {
        listen       127.0.0.1:8443 ssl http2;
        server_name  localhost;

        ssl_verify_client optional;

        dm_sec_auth psk;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /basic {
            dm_sec_auth basic;
            proxy_pass http://127.0.0.1:8081;
        }

        location /mixed {
            dm_sec_auth basic psk x509;
            proxy_pass http://127.0.0.1:8081;
        }

        location /cert {
            dm_sec_auth x509;
            proxy_pass http://127.0.0.1:8081;
        }

        location /either {
            dm_sec_auth x509 psk;
            proxy_pass http://127.0.0.1:8081;
        }

        location /both {
            dm_sec_auth psk basic;
            dm_sec_auth_all on;
            proxy_pass http://127.0.0.1:8081;
        }

        location /any {
            satisfy any;
            deny all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /any/local {
            satisfy any;
            allow 127.0.0.1;
            deny all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /open {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /group {
            dm_sec_groups pilot;
            proxy_pass http://127.0.0.1:8081;
        }

        location /device {
            dm_sec_device_id match;
            proxy_pass http://127.0.0.1:8081;
        }

        location /suite {
            dm_sec_ciphers TLS_DHE_PSK_WITH_AES_128_GCM_SHA256;
            proxy_pass http://127.0.0.1:8081;
        }

        location /page {
            error_page 403 /open;
            proxy_pass http://127.0.0.1:8081;
        }

        location /redirect {
            rewrite ^/redirect/(.*)$ /$1 last;
        }

        location = /status {
            dm_sec_auth off;
            dm_sec_status json;
            allow 127.0.0.1;
            deny all;
        }
    }

    # an ECDSA certificate alone

    server {
        listen       127.0.0.1:8444 ssl;
        server_name  localhost;

        ssl_certificate      ec.crt;
        ssl_certificate_key  ec.key;

        dm_sec_profile dm20;
        dm_sec_auth    psk;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # a key and a certificate, of one account; the operator's order

    server {
        listen       127.0.0.1:8445 ssl;
        server_name  localhost;

        ssl_verify_client optional;

        dm_sec_protocols TLSv1.2;
        dm_sec_ciphers   DM-X509 TLS_RSA_PSK_WITH_AES_128_GCM_SHA256 DM-PSK;
        dm_sec_auth      psk x509;
        dm_sec_auth_all  on;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /cert {
            dm_sec_auth     x509;
            dm_sec_auth_all off;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # one address: the default server of the first accepts psk, the default
    # server of the second does not

    server {
        listen       127.0.0.1:8446 ssl;
        listen       127.0.0.1:8447 ssl;
        server_name  psk.example.com;

        dm_sec_auth psk;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8446 ssl;
        listen       127.0.0.1:8447 ssl default_server;
        server_name  cert.example.com;

        ssl_verify_client optional;

        dm_sec_auth x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # nginx's own directives, no policy; no certificate is asked for

    server {
        listen       127.0.0.1:8448 ssl;
        server_name  localhost;

        ssl_protocols              TLSv1.2 TLSv1.3;
        ssl_ciphers                PSK:AES128-SHA;
        ssl_prefer_server_ciphers  on;
        ssl_conf_command           Ciphersuites TLS_AES_128_GCM_SHA256;
        ssl_session_timeout        2h;

        dm_sec_profile off;
        dm_sec_auth    psk;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

my $d = $t->testdir();

# 16, 32 and 64 octets
my $short = '00112233445566778899aabbccddeeff';
my $key = 'a5' x 32;
my $long = '0123456789abcdef' x 8;

my $i128 = "\xc3\xa4" . 'x' x 126;

my @suites = qw/
    TLS_PSK_WITH_AES_128_GCM_SHA256
    TLS_DHE_PSK_WITH_AES_128_GCM_SHA256
    TLS_RSA_PSK_WITH_AES_128_GCM_SHA256
    TLS_PSK_WITH_AES_128_CBC_SHA256
    TLS_DHE_PSK_WITH_AES_128_CBC_SHA256
    TLS_RSA_PSK_WITH_AES_128_CBC_SHA256
    TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256
/;

ca($t, 'ca');
cert($t, 'ec', ca => 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'one', ca => 'ca');
cert($t, 'two', ca => 'ca');
cert($t, 'nobody', ca => 'ca');

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'one', '--psk-identity', 'dev1',
    '--cert', "$d/one.crt", '--group', 'pilot',
    { psk => $key, password => 'secret' });
account($t, 'add', 'IMEI:2', '--name', 'two', '--psk-identity', 'dev2',
    '--cert', "$d/two.crt", { psk => $long, password => 'secret' });
account($t, 'add', 'long', '--psk-identity', $i128, { psk => $short });
account($t, 'add', 'off', '--psk-identity', 'off', '--disabled',
    { psk => $key });
account($t, 'add', 'late', '--psk-identity', 'late',
    '--not-after', '2020-01-01T00:00:00Z', { psk => $key });

my $shim = gnutls_shim();

upstream($t, 8081);
$t->run();

###############################################################################

# each suite, and what the upstream is told

foreach my $suite (@suites) {
    is(asked(8443, $suite, 'dev1', $key), "200 upstream", $suite);
    is(told(), "IMEI:1 psk dev1 TLSv1.2 $suite", "$suite, upstream");
}

foreach my $suite (grep { !/RSA/ } @suites) {
    is(asked(8444, $suite, 'dev1', $key), '200 upstream', "$suite, ECDSA");
}

foreach my $suite (grep { /RSA/ } @suites) {
    is(asked(8444, $suite, 'dev1', $key), '0', "$suite, ECDSA");
}

is(join(' ', map { $_->{reason} } handshake_failures($t, 2)),
    'tls_cipher tls_cipher', 'no RSA certificate');

# other versions

foreach my $version (qw/ TLSv1 TLSv1_1 /) {
    my $name = $version =~ s/_/./r;

    is(verdict($t, perl(8443, psk('dev1', $key), SSL_version => $version,
        SSL_cipher_list => 'PSK:@SECLEVEL=0'), 8081), '200 upstream', $name);
    is(told(), "IMEI:1 psk dev1 $name TLS_PSK_WITH_AES_128_CBC_SHA256",
        "$name, upstream");
}

is(asked(8443, 'TLSv1.3', 'dev1', $key), '200 upstream', 'TLS 1.3');
is(told(), 'IMEI:1 psk dev1 TLSv1.3 TLS_AES_128_GCM_SHA256',
    'TLS 1.3, upstream');
is(verdict($t, perl(8443, psk('dev1', $key), SSL_version => 'TLSv1_3'), 8081),
    '200 upstream', 'TLS 1.3 from Perl');
is(verdict($t, perl(8443, psk('dev1', $key), SSL_version => 'TLSv1_3',
    SSL_ciphersuites => 'TLS_CHACHA20_POLY1305_SHA256'), 8081),
    '200 upstream', 'TLS 1.3, another suite of SHA-256');

# a client that has no suite of SHA-256 gets in without its key

is(verdict($t, perl(8443, psk('dev1', $key), SSL_version => 'TLSv1_3',
    SSL_ciphersuites => 'TLS_AES_256_GCM_SHA384'), 8081), '403 psk_required',
    'TLS 1.3, SHA-384 alone');

# another implementation.  GnuTLS 3.7 knows no certificate request in RSA_PSK.

foreach ([ 8443, 'PSK:+AES-128-GCM', $suites[0] ],
    [ 8443, 'DHE-PSK:+AES-128-GCM', $suites[1] ],
    [ 8448, 'RSA-PSK:+AES-128-GCM', $suites[2] ],
    [ 8443, 'PSK:+AES-128-CBC:+SHA256', $suites[3] ],
    [ 8443, 'DHE-PSK:+AES-128-CBC:+SHA256', $suites[4] ],
    [ 8448, 'RSA-PSK:+AES-128-CBC:+SHA256', $suites[5] ],
    [ 8443, 'ECDHE-PSK:+AES-128-CBC:+SHA256:+GROUP-ALL', $suites[6] ])
{
    my ($port, $suite, $iana) = @$_;

    is(verdict($t, gnutls($port, 'dev1', $key, 'NONE:+VERS-TLS1.2:+AEAD'
        . ":+COMP-NULL:+SIGN-ALL:+CTYPE-ALL:+$suite"), 8081), '200 upstream',
        "GnuTLS, $suite");
    is(told(), "IMEI:1 psk dev1 TLSv1.2 $iana", "GnuTLS, $suite, upstream");
}

my $gnutls13 = 'NORMAL:-VERS-ALL:+VERS-TLS1.3:+DHE-PSK:+PSK';

foreach my $port (8443, 8448) {
    is(verdict($t, gnutls($port, 'dev1', $key, $gnutls13), 8081),
        '200 upstream', "GnuTLS, TLS 1.3, $port");
    is(told(), 'IMEI:1 psk dev1 TLSv1.3 TLS_AES_128_GCM_SHA256',
        "GnuTLS, TLS 1.3, $port, upstream");
}

is(verdict($t, gnutls(8443, 'dev1', $long, $gnutls13), 8081), '0',
    'GnuTLS, TLS 1.3, wrong key');

# without a policy

is(asked(8448, $suites[0], 'dev1', $key), '200 upstream', 'no policy');
is(asked(8448, 'TLSv1.3', 'dev1', $key), '200 upstream', 'no policy, 1.3');

# tickets live as long as those of other sessions

foreach my $version ('TLSv1.3', $suites[0]) {
    like(openssl(8448, $version, 'dev1', $key)->{output},
        qr/^ +TLS session ticket lifetime hint: 7200 \(seconds\)$/m,
        "life of a ticket, $version");
    is(verdict($t, undef, 8081), '0 upstream', 'the request for it');
}

# a client that has both gets the key's suite; an operator's list is kept

my %both = (psk('dev1', $key), SSL_version => 'TLSv1_2',
    SSL_cipher_list => 'AES128-SHA:ECDHE:DHE-PSK-AES128-GCM-SHA256:PSK');

is(verdict($t, perl(8443, %both), 8081), '200 upstream', 'profile order');
is(told(), "IMEI:1 psk dev1 TLSv1.2 $suites[1]", 'profile suite');
is(verdict($t, perl(8444, %both), 8081), '200 upstream', 'dm20 order');
is(told(), "IMEI:1 psk dev1 TLSv1.2 $suites[0]", 'dm20 suite');
is(verdict($t, perl(8445, %both), 8081), '403 certificate_required',
    'order of a list');
is((denied($t))[-1]{cipher}, 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    'suite of a list');

# HTTP/2

foreach my $version (qw/ TLSv1_2 TLSv1_3 /) {
    my %tls = (psk('dev1', $key), SSL_version => $version,
        $version eq 'TLSv1_2' ? (SSL_cipher_list => 'PSK') : ());

    is(http2('/', %tls), '200', "HTTP/2, $version");
    is(told(), 'IMEI:1 psk dev1 ' . ($version eq 'TLSv1_2'
        ? "TLSv1.2 $suites[1]" : 'TLSv1.3 TLS_AES_128_GCM_SHA256'),
        "HTTP/2, $version, upstream");
    is(http2('/group', psk('dev2', $long), SSL_version => $version,
        $version eq 'TLSv1_2' ? (SSL_cipher_list => 'PSK') : ()), '403',
        "HTTP/2, $version, not in the group");
}

is(http2('/', SSL_version => 'TLSv1_3'), '403', 'HTTP/2, no key');
is(verdict($t, undef, 8081), '0 group group psk_required upstream upstream',
    'HTTP/2, the reasons');

###############################################################################

# keys of 16 and 64 octets; identities

foreach my $version ($suites[0], 'TLSv1.3') {
    is(asked(8443, $version, $i128, $short), '200 upstream',
        "longest identity, shortest key, $version");
    is(told(), "long psk $i128 " . ($version =~ /WITH/ ? "TLSv1.2 $version"
        : 'TLSv1.3 TLS_AES_128_GCM_SHA256'), "... upstream, $version");
    is(asked(8443, $version, 'dev2', $long), '200 upstream',
        "longest key, $version");
}

# A wrong key, an identity that nobody has, one that nobody can have: the
# client sees one and the same.

my %seen;

foreach ([ 'dev1', $long, 'wrong', 'dev1' ],
    [ 'dev1', substr($key, 2), 'wrong', 'dev1' ],
    [ 'dev1', "${key}00", 'wrong', 'dev1' ],
    [ 'off', $long, 'wrong', 'off' ],
    [ 'dev3', $key, 'unknown', 'dev3' ],
    [ 'DEV1', $key, 'unknown', 'DEV1' ],
    [ 'IMEI:1', $key, 'unknown', 'IMEI:1' ],
    [ 'x' x 128, $key, 'unknown', 'x' x 128 ],
    [ 'a"b\\c', $key, 'unknown', 'a\x22b\x5Cc' ],
    [ '', $key, 'unknown', undef, 1 ],
    [ 'x' x 129, $key, 'unknown', 'x' x 128, 1 ],
    [ 'x' x 200, $key, 'unknown', 'x' x 128, 1 ],
    [ "dev1\n", $key, 'unknown', 'dev1\x0A', 1 ],
    [ "dev1\x7f", $key, 'unknown', 'dev1\x7F', 1 ],
    [ "\xc3", $key, 'unknown', '\xC3', 1 ],
    [ "a\xff", $key, 'unknown', 'a\xFF', 1 ])
{
    my ($identity, $psk, $what, $logged, $old) = @$_;
    my $name = defined $logged ? substr($logged, 0, 12) : 'no name';
    my $reason = $what eq 'wrong' ? 'psk_wrong_key' : 'psk_unknown_identity';

    failed($suites[0], $identity, $psk, $reason, $logged, $name);
    failed('TLSv1.3', $identity, $psk, $reason, $logged, $name) unless $old;
}

foreach my $suite (@suites[1 .. 6]) {
    failed($suite, 'dev1', $long, 'psk_wrong_key', 'dev1', 'dev1');
    failed($suite, 'dev9', $long, 'psk_unknown_identity', 'dev9', 'dev9');
}

# illegal_parameter, or decrypt_error, with OpenSSL 3.5 and later

my $alert = exists $seen{'TLSv1.3'}{51} ? 51 : 47;

is_deeply(\%seen, { 'TLSv1.2' => { 20 => 28 }, 'TLSv1.3' => { $alert => 9 } },
    'one alert for all of a version');

is(verdict($t, undef, 8081), '0', 'the upstream knows nothing of it');

# In TLS 1.3 what cannot be an identity may be a ticket, and is passed over.

foreach ([ 'x' x 129, '129 octets' ], [ "dev1\n", 'a control character' ],
    [ "a\xff", 'not UTF-8' ])
{
    is(asked(8443, 'TLSv1.3', $_->[0], $key), '403 psk_required',
        "TLS 1.3, $_->[1]");
}

# counted

my $s = decode_json(http_content(scalar https(8443,
    request('GET', '/status'))));

is($s->{handshakes_failed}{psk_wrong_key}, 15, 'wrong keys counted');
is($s->{handshakes_failed}{psk_unknown_identity}, 23, 'unknown counted');
is($s->{handshakes_failed}{psk_store}, 0, 'no failure of the store');
cmp_ok($s->{verified}{psk}, '>', 20, 'requests counted');
cmp_ok($s->{suites}{$suites[2]}, '>', 0, 'suite counted');

###############################################################################

# decisions: key alone

my %one = tls12('dev1', $key);
my %two = tls12('dev2', $long);
my @password = basic('one', 'secret');

is(get('/', %one), '200 upstream', 'a key');
is(get('/'), '403 psk_required', 'nothing');
is(get('/', {}, @password), '403 psk_required', 'a password instead');
is(get('/', client_cert('one')), '403 psk_required', 'a certificate instead');
is(get('/', %one, @password), '200 upstream',
    'a password that is of no interest');
is(get('/basic', %one), '401 no_credentials', 'psk is not accepted');
is(get('/cert', %one), '403 certificate_required', 'a certificate wanted');
is(get('/open', %one), '200 upstream', 'nothing wanted');
is(told(), '- - - - -', 'nothing said');

# the account

is(get('/group', %one), '200 upstream', 'group');
is(get('/group', %two), '403 group', 'not in the group');
is(get('/', tls12('off', $key)), '403 account_disabled', 'disabled');
is(get('/', tls12('late', $key)), '403 account_expired', 'expired');
is(get('/device', %one, 'OMADM-DevID: imei:1'), '200 upstream', 'device');
is(get('/device', %one, 'OMADM-DevID: IMEI:2'), '403 devid_mismatch',
    'another device');

my $line = (denied($t))[-1];

is($line->{method}, 'psk', 'log, method');
is($line->{account}, 'IMEI:1', 'log, account');
is($line->{claimed}, 'dev1', 'log, claimed');

# the suite of a location

is(get('/suite', %one), '403 tls_cipher', 'not the suite of the location');
is(get('/suite', %one, SSL_cipher_list => 'DHE-PSK-AES128-GCM-SHA256'),
    '200 upstream', 'the suite of the location');

# beside others: all that is presented must verify and be of one account

is(get('/mixed', %one), '200 upstream', 'mixed, a key');
is(told(), "IMEI:1 psk dev1 TLSv1.2 $suites[0]", 'mixed, method');
is(get('/mixed', {}, @password), '200 upstream', 'mixed, a password');
is(told(), 'IMEI:1 basic - TLSv1.3 TLS_AES_128_GCM_SHA256',
    'mixed, method basic');
is(get('/mixed', client_cert('one')), '200 upstream', 'mixed, certificate');
is(get('/mixed'), '401 no_credentials', 'mixed, nothing');
is(get('/mixed', %one, @password), '200 upstream', 'mixed, two of one');
is(told(), "IMEI:1 psk dev1 TLSv1.2 $suites[0]", 'mixed, the stronger');
is(get('/mixed', %two, @password), '403 account_mismatch',
    'mixed, two of two accounts');
is(get('/mixed', %one, basic('one', 'wrong')), '401 bad_credentials',
    'mixed, a wrong password');
is(get('/either'), '403 certificate_required', 'either, nothing');
is(get('/either', %one), '200 upstream', 'either, a key');
is(get('/either', client_cert('nobody')), '403 certificate_unbound',
    'either, a certificate of nobody');

is(get('/both', %one), '401 no_credentials', 'both, a key');
is(get('/both', {}, @password), '403 psk_required', 'both, a password');
is(get('/both', %one, @password), '200 upstream', 'both');
is(get('/both', %two, @password), '403 account_mismatch',
    'both, of two accounts');

# a key and a certificate in one handshake

my %rsa = (SSL_cipher_list => 'RSA-PSK-AES128-GCM-SHA256');

is(verdict($t, perl(8445, %{ client_cert('one') }, %one, %rsa), 8081),
    '200 upstream', 'RSA_PSK, both');
is(told(), "IMEI:1 x509 dev1 TLSv1.2 $suites[2]", 'RSA_PSK, the stronger');
is(verdict($t, perl(8445, %one, %rsa), 8081), '403 certificate_required',
    'RSA_PSK, a key');
is(verdict($t, perl(8445, %{ client_cert('one') }, %two, %rsa), 8081),
    '403 account_mismatch', 'RSA_PSK, of two accounts');
is(verdict($t, perl(8445, %{ client_cert('one') }, %one), 8081),
    '403 certificate_required', 'PSK asks for no certificate');
is(verdict($t, perl(8445, %{ client_cert('one') }), 8081),
    '403 psk_required', 'a certificate without a key');
is(verdict($t, perl(8445, %{ client_cert('one') }, uri => '/cert'), 8081),
    '200 upstream', 'a location for certificates');

# satisfy any

is(get('/any', %one), '200 upstream', 'satisfy any, a key');
is(get('/any'), '403 psk_required', 'satisfy any, nothing');
is(get('/any/local'), '200 psk_required upstream', 'satisfy any, allowed');
is(told(), '- - - - -', 'satisfy any, allowed, nothing said');

# redirects

is(get('/page'), '403 psk_required upstream', 'error_page');
is(told(), '- - - - -', 'error_page, nothing said');
is(get('/redirect/group', %one), '200 upstream', 'redirect');
is(told(), "IMEI:1 psk dev1 TLSv1.2 $suites[0]", 'redirect, upstream');
is(get('/redirect/basic', %one, basic('two', 'secret')), '200 upstream',
    'redirect to another method');
is(told(), "IMEI:2 basic - TLSv1.2 $suites[0]", 'its own account alone');

# forged

is(get('/', %one, 'DM-Client-ID: IMEI:2', 'dm_auth_method: x509',
    'DM-Groups: root', 'DM.Account.Name: two'), '200 upstream', 'forged');

my $fields = (upstream_log($t, 8081))[-1]{fields};

is_deeply([ map { @{ $fields->{$_} || [ '-' ] } } qw/ dm-client-id
    dm-auth-method dm_auth_method dm-groups dm-account-name
    dm.account.name x-identity / ],
    [ 'IMEI:1', 'psk', '-', 'pilot', 'one', '-', 'dev1' ], 'not passed on');

# the variable holds what was verified

my @log = split /\n/, $t->read_file('dm.log');

is(grep({ $_ eq '"dev1" psk 200' } @log) > 10, 1, 'access log');
is(grep({ /^"-" - 403$/ } @log) > 10, 1, 'access log of a refusal');
is(grep({ !/^"-" / && !/ (?:psk|x509) 200$/ } @log), 0, 'nothing unverified');

# no key, in no form, in the log

is(scalar(() = $t->read_file('error.log') =~ /$key|$long|$short/gi), 0,
    'no key in the log');

###############################################################################

# one address, two servers

foreach my $port (8446, 8447) {
    foreach my $version ('TLSv1_2', 'TLSv1_3') {
        my %tls = (psk('dev1', $key), SSL_version => $version);
        my $name = "$version, $port";

        $tls{SSL_cipher_list} = 'PSK:ECDHE' if $version eq 'TLSv1_2';

        is(verdict($t, perl($port, %tls, host => 'psk.example.com'), 8081),
            '200 upstream', "server with psk, $name");
        is(verdict($t, perl($port, %tls, host => 'cert.example.com'), 8081),
            '403 certificate_required', "server without psk, $name");

        # in TLS 1.3 a handshake with a key counts as a resumption

        my ($key_used) = map { $_->{reused} } (https($port, request('GET', '/',
            { host => 'cert.example.com' }), %tls,
            SSL_hostname => 'cert.example.com'))[1];
        verdict($t, undef, 8081);

        ok(!$key_used, "server without psk takes no key, $name");

        # this way nginx itself refuses, and the module tells of it

        is(verdict($t, perl($port, %tls, SSL_hostname => 'psk.example.com',
            host => 'cert.example.com'), 8081), '421 misdirected',
            "request for the server without psk, $name");
        is(verdict($t, perl($port, %tls, SSL_hostname => 'cert.example.com',
            host => 'psk.example.com'), 8081), '421 misdirected',
            "request for the server with psk, $name");
    }
}

is(verdict($t, perl(8446, %one, host => 'x.example.com'), 8081),
    '200 upstream', 'the default server');

$line = failed_handshake($t, sub {
    is(verdict($t, perl(8447, %one, host => 'x.example.com'), 8081), '0',
        'the default server has no suite for it');
});

is($line->{reason}, 'tls_cipher', 'so the log says');
is($line->{identity}, undef, 'nobody was named');

undef $t;

###############################################################################

# a request in a suite, or in TLS 1.3, with openssl s_client
sub asked {
    my ($port, $suite, $identity, $psk) = @_;

    return verdict($t, openssl($port, $suite, $identity, $psk)->{response},
        8081);
}

sub openssl {
    my ($port, $suite, $identity, $psk) = @_;

    return s_client($port, $suite eq 'TLSv1.3' ? '-tls1_3'
        : ('-tls1_2', '-cipher', openssl_name($suite)),
        '-psk_identity', $identity, '-psk', $psk,
        { request => request('GET', '/', 'Connection: close') });
}

sub openssl_name {
    my ($suite) = @_;

    return $suite =~ s/^TLS_//r =~ s/_WITH_AES_128/_AES128/r =~ s/_/-/gr;
}

# a handshake that fails, the alert that the client sees, and the log
sub failed {
    my ($suite, $identity, $psk, $reason, $logged, $name) = @_;
    my ($version) = $suite =~ /WITH/ ? 'TLSv1.2' : $suite;
    my ($line) = failed_handshake($t, sub {
        my $r = openssl(8443, $suite, $identity, $psk);
        my ($alert) = $r->{output} =~ /SSL alert number (\d+)/;

        $seen{$version}{ $alert // '-' }++;
    });

    is_deeply([ @$line{qw/ reason identity version level /} ],
        [ $reason, $logged, $version, 'error' ], "$reason, $name, $suite");
}

# gnutls-cli 3.7 asks after a handshake with DHE_PSK or ECDHE_PSK for the name
# of its own client, which crashes it: this answers in the place of GnuTLS.
sub gnutls_shim {
    $t->write_file('shim.c', "const char *gnutls_psk_server_get_username"
        . "(void *session) { return session ? 0 : \"\"; }\n");
    must([ qw/ cc -shared -fPIC -o /, "$d/shim.so", "$d/shim.c" ]);

    return "$d/shim.so";
}

sub gnutls {
    my ($port, $identity, $psk, $priority) = @_;

    local $ENV{LD_PRELOAD} = $shim;

    my (undef, $out) = run_command([ 'gnutls-cli', '--no-ca-verification',
        '--pskusername', $identity, '--pskkey', $psk, '--priority', $priority,
        '-p', port($port), '127.0.0.1' ],
        stdin => request('GET', '/', 'Connection: close'), open => 1);

    return $out =~ m{^(HTTP/1\..*)}ms ? $1 : undef;
}

# perl(PORT, options of TLS, host, uri, lines)
sub perl {
    my ($port, %o) = @_;
    my ($lines) = delete $o{lines} || [];
    my ($host) = delete $o{host};

    $o{SSL_hostname} //= $host if $host;

    return scalar https($port, request('GET', delete $o{uri} // '/', @$lines,
        { $host ? (host => $host) : () }), %o);
}

# the status of a GET with HTTP/2
sub http2 {
    my ($uri, %o) = @_;
    my ($client, $status);

    $client = Test::DmSec::HTTP2->new(8443, SSL => 1, %o);
    $status = $client->status($client->request($uri));
    $client->close();

    return $status;
}

# get(URI, options of TLS as a list or a hash, header lines)
sub get {
    my ($uri, @args) = @_;
    my (%o);

    %o = %{ shift @args } if ref $args[0];
    %o = (%o, splice @args, 0, 2) while @args && $args[0] =~ /^SSL_/;

    return verdict($t, perl(8443, %o, uri => $uri, lines => \@args), 8081);
}

sub tls12 {
    my ($identity, $psk) = @_;

    return (psk($identity, $psk), SSL_version => 'TLSv1_2',
        SSL_cipher_list => 'PSK-AES128-GCM-SHA256');
}

sub client_cert {
    my ($name) = @_;

    return { SSL_cert_file => "$d/$name.crt", SSL_key_file => "$d/$name.key",
        SSL_version => 'TLSv1_2', SSL_cipher_list => 'ECDHE' };
}

# what the upstream was told last
sub told {
    my ($fields) = (upstream_log($t, 8081))[-1]{fields};
    my (%told) = map { $_ => join ',', @{ $fields->{$_} || [ '-' ] } }
        qw/ dm-client-id dm-auth-method x-identity dm-tls-protocol
            dm-tls-cipher /;

    return join ' ', @told{qw/ dm-client-id dm-auth-method x-identity
        dm-tls-protocol dm-tls-cipher /};
}

###############################################################################
