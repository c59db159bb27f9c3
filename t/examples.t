#!/usr/bin/perl

# Tests for conf-examples: nginx takes each file that is there, with paths and
# ports of the test, and what its comments say of it holds.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::MD5 qw/ md5_hex /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ example /;
use Test::DmSec::Legacy qw/ legacy legacy_client /;
use Test::DmSec::Process qw/ slurp /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

# what is asked of a file; one that is not here is loaded and started
my %asked = (
    'basic.conf' => \&basic_over_tls,
    'behind-load-balancer.conf' => \&behind_load_balancer,
    'digest.conf' => \&digest_over_tls,
    'digest-migration.conf' => \&digest_migration,
    'legacy.conf' => \&ssl3,
    'mixed.conf' => \&mixed,
    'modern-and-legacy.conf' => \&modern_and_legacy,
    'mutual-tls.conf' => \&mutual_tls,
    'psk.conf' => \&pre_shared_key,
    'psk-and-certificates.conf' => \&psk_and_certificates,
    'upgrade.conf' => \&upgrade,
);

my @files = map { s{.*/}{}r } glob '../conf-examples/*.conf';

my $t = Test::Nginx->new()->has(qw/http http_ssl http_realip proxy rewrite/)
    ->has(qw/socket_ssl/)->has_daemon('openssl')
    ->plan(6 * @files + (legacy() ? 79 : 68));

my $d = $t->testdir();
my $key = '112233445566778899aabbccddeeff00';

###############################################################################

ca($t, 'client-ca');
cert($t, 'server-rsa', ca => 'client-ca', key => 'rsa:2048');
cert($t, 'server-ecdsa', ca => 'client-ca');
cert($t, 'bound', ca => 'client-ca');
cert($t, 'named', ca => 'client-ca', subject => '/O=Example/CN=IMEI:1');
cert($t, 'revoked', ca => 'client-ca', subject => '/O=Example/CN=IMEI:2');
crl($t, 'client-ca', revoked => [ 'revoked' ]);

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'one', '--cert', "$d/bound.crt",
    '--group', 'pilot', '--psk-identity', 'dev1',
    { password => 'secret', psk => $key });
account($t, 'add', 'IMEI:3', '--name', 'three', '--group', 'new',
    '--group', 'field-test', { password => 'secret' });
account($t, 'add', 'IMEI:2', '--name', 'two', '--cert', "$d/revoked.crt",
    { password => 'secret' });

upstream($t, 8090);

is(grep({ my $name = $_; !grep { $_ eq $name } @files } keys %asked), 0,
    'no file is missing');

foreach my $file (@files) {
    my ($exit, $output);
    my ($conf) = slurp("../conf-examples/$file");

    like($conf, qr{\A# .*^load_module modules/ngx_dm_sec_module\.so;$}ms,
        "$file: loads the module, and says what it is for");
    unlike($conf, qr/.{81}|\t| $/m, "$file: style");

    $t->write_file_expand('nginx.conf', example($t, $file));

    ($exit, $output) = nginx_t($t);

    if ($file eq 'legacy.conf' && !legacy()) {
        is($exit, 1, "$file: not with this library");
        like($output, qr/^\[emerg\] SSLv3 is not available: .*"make legacy"/,
            "$file: it says so");
        next;
    }

    $output =~ s/^\[notice\] dm_sec: TLS 1\.0 or 1\.1 is offered: .*\n//mg;

    is($exit, 0, "$file: nginx -t") or diag($output);
    is($output =~ s/^\[warn\] dm_sec: SSL 3\.0 is offered .*\n//mg || 0,
        $file eq 'legacy.conf' ? 1 : 0, "$file: SSL 3.0 is one warning");
    is(join('', $output =~ /^\[.*\n/mg), '', "$file: nothing else to say");

    $t->run();
    ok(workers($t), "$file: runs");

    upstream_clear($t, 8090);
    verdict($t, undef, 8090);
    $asked{$file}->() if $asked{$file};

    $t->stop();
}

undef $t;

###############################################################################

sub basic_over_tls {
    my ($r) = get('/', basic('one', 'secret'), 'OMADM-DevID: IMEI:1');

    is(verdict($t, $r, 8090), '200 upstream', 'basic');
    is(client(), 'IMEI:1 basic', 'basic client');
    is(verdict($t, get('/'), 8090), '401 no_credentials', 'basic, nothing');
    is(verdict($t, get('/', basic('one', 'secret'), 'OMADM-DevID: IMEI:2'),
        8090), '403 devid_mismatch', 'basic, another device');
    is(verdict($t, get({ SSL_version => 'TLSv1_1',
        SSL_cipher_list => 'ALL:@SECLEVEL=0' }, '/', basic('one', 'secret')),
        8090), '200 upstream', 'basic, TLS 1.1');
}

sub digest_over_tls {
    my ($r) = get('/');
    my (@challenges) = challenges($r);

    is(join(' ', map { $_->{scheme} } @challenges),
        'Digest Digest Digest Basic', 'digest, challenges');
    verdict($t, undef, 8090);

    is(verdict($t, get('/', digest($challenges[0], user => 'one',
        password => 'secret')), 8090), '200 upstream', 'digest');
    is(client(), 'IMEI:1 digest', 'digest client');
    is(verdict($t, get('/', basic('one', 'secret')), 8090), '200 upstream',
        'digest, Basic too');
    is(verdict($t, get('/report/', digest($challenges[0], user => 'one',
        password => 'secret', uri => '/report/', qop => 'auth-int', nc => 2)),
        8090), '200 upstream', 'digest, auth-int');
    is(verdict($t, get('/report/', basic('one', 'secret')), 8090),
        '401 no_credentials', 'digest, reports only so');
}

sub digest_migration {
    my ($file) = "$d/users.htdigest";
    my (@challenges);

    $t->write_file('users.htdigest', 'old:example:'
        . md5_hex('old:example:secret') . "\n");
    account($t, 'import', '--format', 'htdigest', $file);
    reload_wait($t) or die "Can't reload\n";

    @challenges = challenges(get('/'));
    verdict($t, undef, 8090);

    is($challenges[0]{algorithm}, 'MD5', 'migration, MD5');
    is(verdict($t, get('/', digest($challenges[0], user => 'old',
        password => 'secret')), 8090), '200 upstream', 'migration, imported');
    is(join(' ', map { $_->{algorithm} } challenges(get('/new/'))), 'SHA-256',
        'migration, new devices');

    like(account($t, 'list', '--lacks', 'SHA-256'), qr/^old\b/m,
        'migration, who is left');
    account($t, 'set', 'old', { password => 'secret' });
    is(account($t, 'list', '--lacks', 'SHA-256'), '', 'migration, nobody');
    reload_wait($t) or die "Can't reload\n";

    is((challenges(get('/')))[1]{algorithm}, 'SHA-256', 'migration, done');
    like($t->read_file('dm.log'), qr/ old digest 200 MD5$/m,
        'migration, what the log says');
    account($t, 'del', 'old');
}

sub behind_load_balancer {
    my $proxy = "PROXY TCP4 192.0.2.7 127.0.0.1 1234 8000\r\n";
    my $host = { host => 'dm.example.com' };

    is(verdict($t, keepalive(8000)->request($proxy . request('GET', '/',
        basic('one', 'secret'), $host)), 8090), '200 upstream', 'balancer');
    is(client(), 'IMEI:1 basic', 'balancer client');
    is(verdict($t, keepalive(8000)->request($proxy . request('GET', '/',
        basic('one', 'wrong'), $host)), 8090), '401 bad_credentials',
        'balancer, wrong password');
    ok(log_lines($t,
        qr/denied reason=bad_credentials .*client: "?192\.0\.2\.7"?,/),
        'balancer, the address of the client');
}

sub mixed {
    my (@password) = (basic('one', 'secret'));

    is(verdict($t, get('/dmclient/', @password), 8090), '200 upstream',
        'mixed, password');
    is(verdict($t, get(cert_of('bound'), '/dmclient/'), 8090), '200 upstream',
        'mixed, certificate');
    is(client(), 'IMEI:1 x509', 'mixed client');
    is(verdict($t, get('/dmclient/'), 8090), '401 no_credentials',
        'mixed, nothing');

    is(verdict($t, get('/bootstrap/', @password), 8090),
        '403 certificate_required', 'mixed, one of both');
    is(verdict($t, get(cert_of('bound'), '/bootstrap/'), 8090),
        '401 no_credentials', 'mixed, the other of both');
    is(verdict($t, get(cert_of('bound'), '/bootstrap/', @password), 8090),
        '200 upstream', 'mixed, both');
    is(verdict($t, get(cert_of('bound'), '/bootstrap/',
        basic('two', 'secret')), 8090), '403 account_mismatch',
        'mixed, both of two accounts');

    is(verdict($t, get('/firmware/', @password), 8090), '200 upstream',
        'mixed, group');
    is(verdict($t, get('/firmware/', basic('two', 'secret')), 8090),
        '403 group', 'mixed, not in the group');

    is(verdict($t, get('/health'), 8090), '200 upstream', 'mixed, open');
    like($t->read_file('dm.log'), qr/^127\.0\.0\.1\ denied\ group\ .*
        \ "GET\ \/firmware\/\ HTTP\/1\.1"\ 403$/mx, 'mixed, log_format');
}

sub pre_shared_key {
    my ($forward) = 'TLS_DHE_PSK_WITH_AES_128_GCM_SHA256';

    is(verdict($t, get({ psk('dev1', $key) }, '/', 'OMADM-DevID: imei:1'),
        8090), '200 upstream', 'key, TLS 1.3');
    is(client(), 'IMEI:1 psk', 'key, client');
    is(verdict($t, get(psk12('DHE-PSK-AES128-GCM-SHA256'), '/'), 8090),
        '200 upstream', 'key, TLS 1.2');
    is(verdict($t, get(psk12('DHE-PSK-AES128-GCM-SHA256'), '/',
        'OMADM-DevID: IMEI:2'), 8090), '403 devid_mismatch',
        'key, another device');
    is(verdict($t, get({ %{ psk12('PSK:@SECLEVEL=0') },
        SSL_version => 'TLSv1_1' }, '/'), 8090), '200 upstream',
        'key, TLS 1.1');
    is(verdict($t, get('/'), 8090), '403 psk_required', 'key, nothing');
    like($t->read_file('dm.log'), qr/^127\.0\.0\.1\ verified\ -\ "IMEI:1"
        \ "dev1"\ TLSv1\.2\ $forward\ "GET\ \/\ HTTP\/1\.1"\ 200$/mx,
        'key, log_format');
}

sub psk_and_certificates {
    my ($both) = { %{ cert_of('bound') },
        %{ psk12('RSA-PSK-AES128-GCM-SHA256') } };

    is(verdict($t, get(psk12('PSK'), '/'), 8090), '200 upstream',
        'either, key');
    is(client(), 'IMEI:1 psk', 'either, client with a key');
    is(verdict($t, get(cert_of('bound'), '/'), 8090), '200 upstream',
        'either, certificate');
    is(client(), 'IMEI:1 x509', 'either, client with a certificate');
    is(verdict($t, get('/'), 8090), '403 certificate_required',
        'either, nothing');
    is(verdict($t, get($both, '/bootstrap/'), 8090), '200 upstream',
        'either, both');
    is(verdict($t, get(cert_of('bound'), '/bootstrap/'), 8090),
        '403 tls_cipher', 'either, not both');
}

sub modern_and_legacy {
    my (@password) = (basic('one', 'secret'));
    my %old = (SSL_version => 'TLSv1_1', SSL_cipher_list => 'ALL:@SECLEVEL=0');
    my ($r, $public);

    is(verdict($t, get({ SSL_version => 'TLSv1_3' }, '/', @password), 8090),
        '200 upstream', 'modern, TLS 1.3');
    is(verdict($t, get(\%old, '/', @password), 8090), '403 tls_protocol',
        'modern, TLS 1.1');
    is(verdict($t, get(\%old, '/legacy/', @password), 8090), '200 upstream',
        'legacy, TLS 1.1');
    is(client(), 'IMEI:1 basic', 'legacy client');
    is(verdict($t, get({ SSL_version => 'TLSv1_3' }, '/legacy/', @password),
        8090), '403 tls_protocol', 'legacy, TLS 1.3');

    $public = request('GET', '/public/', 'DM-Client-ID: forged',
        'dm_client_id: forged', { host => 'dm.example.com' });
    $r = keepalive(8080)->request($public);

    is(verdict($t, $r, 8090), '200 upstream', 'port 80, public');
    unlike($r, qr/forged/, 'port 80, forged headers');
    like(keepalive(8080)->request($public =~ s/public\///r),
        qr{301 .*^Location: https://dm\.example\.com/\r$}ms, 'port 80');
}

sub ssl3 {
    my ($r, @challenges);

    foreach my $suite (qw/ RC4-SHA DES-CBC3-SHA /) {
        $r = ssl3_get($suite, '/dmclient/');
        @challenges = challenges($r->{response});
        is(verdict($t, $r->{response}, 8090), '401 no_credentials',
            "SSL 3.0, $suite, nothing");
        is(join(' ', map { $_->{scheme} } @challenges),
            'Digest Digest Digest', "SSL 3.0, $suite, challenges");

        $r = ssl3_get($suite, '/dmclient/', digest($challenges[0],
            user => 'one', password => 'secret', uri => '/dmclient/'));
        is(verdict($t, $r->{response}, 8090), '200 upstream',
            "SSL 3.0, $suite, Digest");
        is("$r->{protocol} $r->{cipher}", "SSLv3 $suite",
            "SSL 3.0, $suite, negotiated");
    }

    $r = ssl3_get('RC4-SHA', '/dmclient/', basic('one', 'secret'));
    is(verdict($t, $r->{response}, 8090), '401 no_credentials',
        'SSL 3.0, no Basic');
}

sub ssl3_get {
    my ($suite, $uri, @lines) = @_;

    return legacy_client(8433, '-ssl3', '-cipher', "$suite:\@SECLEVEL=0",
        { request => request('GET', $uri, 'Connection: close', @lines) });
}

sub mutual_tls {
    my $r = get(cert_of('bound'), '/');

    is(verdict($t, $r, 8090), '200 upstream', 'mutual, fingerprint');
    is(client(), 'IMEI:1 x509', 'mutual client');
    like($r, qr/^Client-Cert: :[\w+\/=]+:\r$/m, 'mutual, Client-Cert');
    is(verdict($t, get(cert_of('named'), '/'), 8090), '200 upstream',
        'mutual, subject');
    is(client(), 'IMEI:1 x509', 'mutual client by subject');
    is(verdict($t, get('/', basic('one', 'secret')), 8090),
        '403 certificate_required', 'mutual, no certificate');
    is(verdict($t, get(cert_of('revoked'), '/'), 8090),
        '400 certificate_revoked', 'mutual, revoked');
}

sub upgrade {
    my @ask = ('Upgrade: TLS/1.2', 'Connection: Upgrade');
    my $host = { host => 'dm.example.com' };
    my ($c);

    is(verdict($t, get('/', basic('one', 'secret')), 8090), '200 upstream',
        'upgrade, port 443');
    is(verdict($t, keepalive(8080)->request(request('GET', '/', $host)),
        8090), '426 plaintext', 'upgrade, none');

    $c = keepalive(8080);
    $c->request(request('OPTIONS', '*', @ask, $host));
    $c->start_tls(%{ cert_of('bound') });
    is(status($c->response()), 200, 'upgrade, OPTIONS *');
    is(verdict($t, $c->request(request('GET', '/', $host)), 8090),
        '200 upstream', 'upgrade, inside TLS');
    is(client(), 'IMEI:1 x509', 'upgrade client');

    is(verdict($t, keepalive(8080)->request(request('POST', '/', @ask,
        'Content-Length: 65537', $host)), 8090), '413',
        'upgrade, a body that is too large');
}

###############################################################################

# get([options of TLS], URI, header lines)
sub get {
    my (@args) = @_;
    my ($tls) = ref $args[0] ? shift @args : {};

    return scalar https(8443, request('GET', @args,
        { host => 'dm.example.com' }), SSL_hostname => 'dm.example.com',
        %$tls);
}

sub cert_of {
    my ($name) = @_;

    return { SSL_cert_file => "$d/$name.crt", SSL_key_file => "$d/$name.key" };
}

sub psk12 {
    my ($suites) = @_;

    return { psk('dev1', $key), SSL_version => 'TLSv1_2',
        SSL_cipher_list => $suites };
}

# what the upstream was told of the last client
sub client {
    my ($fields) = (upstream_log($t, 8090))[-1]{fields};

    return join ' ', map { $fields->{$_}[0] }
        qw/ dm-client-id dm-auth-method /;
}

###############################################################################
