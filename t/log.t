#!/usr/bin/perl

# Tests for the line that a refusal leaves in the error log: its form for each
# reason, what it escapes, what it cuts, and what it never holds.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::MD5 qw/ md5 /;
use Digest::SHA qw/ sha256 sha512256 /;
use MIME::Base64 qw/ encode_base64 /;
use POSIX qw/ strftime /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl access auth_request proxy rewrite sni socket_ssl/)
    ->has_daemon('openssl')->plan(65);

# the level is debug: nothing is missed

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format id "$request_id $uri";
    access_log %%TESTDIR%%/id.log id;

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;
    dm_sec_lockout       off;

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;

    ssl_client_certificate  root.crt;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        ssl_verify_client optional_no_ca;

        dm_sec_profile modern;
        dm_sec_auth    x509 basic;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /x509 {
            dm_sec_auth x509;
            proxy_pass http://127.0.0.1:8081;
        }

        location /tls12 {
            dm_sec_protocols TLSv1.2;
            dm_sec_ciphers   TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
            proxy_pass http://127.0.0.1:8081;
        }

        location /groups {
            dm_sec_groups lab;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  other.example.org;

        dm_sec_profile modern;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8080;
        server_name  plain.example.org;

        dm_sec_auth           basic;
        dm_sec_plaintext_auth on;

        location / {
            dm_sec_device_id match;
            proxy_pass http://127.0.0.1:8081;
        }

        location /require {
            dm_sec_device_id require;
            proxy_pass http://127.0.0.1:8081;
        }

        location /tls {
            dm_sec_plaintext_auth off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /page/open {
            error_page 401 403 @open;
        }

        location /page/uri {
            error_page 401 /page.html;
        }

        location /page/guarded {
            error_page 401 /guarded.html;
        }

        location /page/other {
            error_page 401 /tls;
        }

        location = /page.html {
            dm_sec_auth off;
        }

        location @open {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /any {
            satisfy any;
            allow all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /try {
            try_files /none @groups;
        }

        location @groups {
            dm_sec_groups lab;
            proxy_pass http://127.0.0.1:8081;
        }

        location /auth_request {
            auth_request /policy;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /policy {
            internal;
            dm_sec_groups lab;
            proxy_pass http://127.0.0.1:8081;
        }

        location /level {
            error_log %%TESTDIR%%/level.log error;
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

my $d = $t->testdir();

ca($t, 'root');
ca($t, 'foreign');
cert($t, 'server', ca => 'root');
cert($t, 'alice', ca => 'root');
cert($t, 'nobody', ca => 'root');
cert($t, 'forged', ca => 'foreign');

# passwords that are like nothing else in a log

my %password = map { ($_ => "Sesam $_ \xc3\xb6ffne") }
    qw/ alice bob off late wrong /;

store($t, realm => 'r', args => [ '--map-size', '1m' ]);
add('IMEI:1', 'alice', '--cert', "$d/alice.crt", '--group', 'lab');
add("Ger\xc3\xa4t \"2\"", 'bob');
add('3', 'off', '--disabled');
add('4', 'late', '--not-after',
    strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time() - 60)));

upstream($t, 8081);
$t->run();

my $seen = 0;
my $none = 'method=- account="-"';
my $no_tls = 'protocol=- cipher=-';
my $tls13 = 'protocol=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256';
my $tls12 = 'protocol=TLSv1.2 cipher=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256';

my %sha256 = map { ($_ => 'sha256:' . cert_info($t, $_)->{sha256}) }
    qw/ alice nobody forged /;

###############################################################################

# each reason

is(plain('/'), '[info] reason=no_credentials status=401 '
    . "$none claimed=\"-\" devid=\"-\" $no_tls", 'no_credentials');
is(plain('/', 'wrong'), '[error] reason=bad_credentials status=401 '
    . "$none claimed=\"wrong\" devid=\"-\" $no_tls", 'unknown name');
is(plain('/', [ 'alice', $password{wrong} ]),
    '[error] reason=bad_credentials status=401 '
    . "$none claimed=\"alice\" devid=\"-\" $no_tls", 'wrong password');
is(plain('/', '', 'Authorization: Basic ' . encode_base64('alice', '')),
    '[error] reason=malformed status=401 '
    . "$none claimed=\"-\" devid=\"-\" $no_tls", 'malformed');
is(plain('/', 'off'), '[error] reason=account_disabled status=403 method=basic'
    . " account=\"3\" claimed=\"off\" devid=\"-\" $no_tls", 'account_disabled');
is(plain('/', 'late'), '[error] reason=account_expired status=403 method=basic'
    . " account=\"4\" claimed=\"late\" devid=\"-\" $no_tls",
    'account_expired');
is(plain('/', 'alice', 'OMADM-DevID: IMEI:2'),
    '[error] reason=devid_mismatch status=403 method=basic '
    . "account=\"IMEI:1\" claimed=\"alice\" devid=\"IMEI:2\" $no_tls",
    'devid_mismatch');
is(plain('/require', 'alice'), '[error] reason=devid_missing status=400 '
    . "$none claimed=\"-\" devid=\"-\" $no_tls", 'devid_missing');
is(plain('/', 'alice', ('OMADM-DevID: IMEI:1') x 2),
    '[error] reason=devid_malformed status=400 '
    . "$none claimed=\"-\" devid=\"IMEI:1\" $no_tls", 'devid_malformed');
is(plain('/tls', 'alice'), '[error] reason=plaintext status=403 '
    . "$none claimed=\"-\" devid=\"-\" $no_tls", 'plaintext');

is(tls('/', ''), '[info] reason=no_credentials status=401 '
    . "$none claimed=\"-\" devid=\"-\" $tls13", 'no_credentials over TLS');
is(tls('/x509', ''), '[error] reason=certificate_required status=403 '
    . "$none claimed=\"-\" devid=\"-\" $tls13", 'certificate_required');
is(tls('/x509', 'forged'), '[error] reason=certificate_unknown_ca status=403 '
    . "$none claimed=\"$sha256{forged} subject:CN=forged\" devid=\"-\" $tls13",
    'certificate_unknown_ca');
is(tls('/x509', 'nobody'), '[error] reason=certificate_unbound status=403 '
    . "$none claimed=\"$sha256{nobody}\" devid=\"-\" $tls13",
    'certificate_unbound');
is(tls('/', 'alice', 'bob'), '[error] reason=account_mismatch status=403 '
    . "method=x509 account=\"IMEI:1\" claimed=\"bob\" devid=\"-\" $tls13",
    'account_mismatch');
is(tls('/groups', '', 'bob'), '[error] reason=group status=403 method=basic '
    . 'account="Ger\xC3\xA4t \x222\x22" claimed="bob" devid="-" '
    . $tls13, 'group, account escaped');
is(tls('/tls12', ''), '[error] reason=tls_protocol status=403 '
    . "$none claimed=\"-\" devid=\"-\" $tls13", 'tls_protocol');
is(tls('/tls12', '', '', SSL_version => 'TLSv1_2',
    SSL_cipher_list => 'ECDHE-ECDSA-AES256-GCM-SHA384'),
    '[error] reason=tls_cipher status=403 '
    . "$none claimed=\"-\" devid=\"-\" protocol=TLSv1.2 "
    . 'cipher=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'tls_cipher');
is(tls('/tls12', '', '', SSL_version => 'TLSv1_2',
    SSL_cipher_list => 'ECDHE-ECDSA-AES128-GCM-SHA256'),
    '[info] reason=no_credentials status=401 '
    . "$none claimed=\"-\" devid=\"-\" $tls12", 'TLS 1.2');

https(8443, request('GET', '/', { host => 'other.example.org' }));
is(refusals(), '[error] reason=misdirected status=421 '
    . "$none claimed=\"-\" devid=\"-\" $tls13", 'misdirected');

# nginx adds whose request it was; Angie puts quotes around all of it

keepalive(8080)->request(request('GET', '/a?b', basic('x', 'y')));
like((log_lines($t, qr/dm_sec: denied/, 0))[-1],
    qr{ ^\d{4}/\d\d/\d\d[ ]\S+[ ]\[error\][ ]\d+\#\d+:[ ]\*\d+[ ]dm_sec:
    [ ]denied[ ]reason=bad_credentials[ ]detail=\S+[ ]status=401[ ].*
    [ ]cipher=-[ ]request=[0-9a-f]{32},[ ]client:[ ]"?127[.]0[.]0[.]1"?,
    [ ]server:[ ]"?plain[.]example[.]org"?,
    [ ]request(?:_line)?:[ ]"GET[ ]/a\?b[ ]HTTP/1.1",
    [ ]host:[ ]"localhost"$ }x, 'the whole line');
refusals();

# a request that is accepted leaves none

is(plain('/', 'alice'), '', 'accepted');
is(tls('/', 'alice', 'alice'), '', 'accepted over TLS');

###############################################################################

# values are escaped

foreach ([ 'a"b', 'a\x22b' ],
    [ 'a\b', 'a\x5Cb' ],
    [ '-', '-' ],
    [ "j\xc3\xbcrgen", 'j\xC3\xBCrgen' ],
    [ "\xff\xfe", '\xFF\xFE' ],
    [ 'x" account="root', 'x\x22 account=\x22root' ],
    [ 'a, client 1.2.3.4', 'a, client 1.2.3.4' ],
    [ '%s%n%V', '%s%n%V' ],
    [ 'n' x 255, 'n' x 255 ],
    [ 'n' x 256, 'n' x 128 ],
    [ "\xc3\xbc" x 127, '\xC3\xBC' x 127 ],
    [ '"' x 600, '\x22' x 128 ],
    [ 'n' x 255 . "\xc3\xbc", 'n' x 128 ])
{
    my ($name, $logged) = @$_;

    is(plain('/', [ $name, $password{wrong} ]),
        '[error] reason=bad_credentials status=401 '
        . "$none claimed=\"$logged\" devid=\"-\" $no_tls",
        'claimed ' . substr $logged, 0, 30);
}

foreach ([ "a\x01b\tc\x7f", 'a\x01b\x09c\x7F' ],
    [ "a\"\\\xc3\xa4\x1b[1m\x01", 'a\x22\x5C\xC3\xA4\x1B[1m\x01' ],
    [ 'd' x 300, 'd' x 128 ],
    [ "\x01" x 300, '\x01' x 128 ])
{
    my ($devid, $logged) = @$_;

    is(plain('/', '', "OMADM-DevID: $devid"),
        '[error] reason=devid_malformed status=400 '
        . "$none claimed=\"-\" devid=\"$logged\" $no_tls",
        'devid ' . substr $logged, 0, 30);
}

# the longest that there can be

is(plain('/', [ "\xc3" x 200, $password{wrong} ],
    'OMADM-DevID: ' . "\xc3" x 200),
    '[error] reason=bad_credentials status=401 ' . "$none claimed=\""
    . '\xC3' x 200 . '" devid="' . '\xC3' x 128 . "\" $no_tls", 'longest');

# what denied() reads out of it

plain('/', [ 'a"b', $password{wrong} ], 'OMADM-DevID: x');
is_deeply((denied($t))[-1], { level => 'error', reason => 'bad_credentials',
    detail => 'unknown_name', status => 401, method => undef, account => undef,
    claimed => 'a\x22b', devid => 'x', protocol => undef, cipher => undef,
    request => joined_id() }, 'fields, and the id of the access log');

###############################################################################

# a line for each decision

my $nothing = '[info] reason=no_credentials status=401 '
    . "$none claimed=\"-\" devid=\"-\" $no_tls";

foreach my $uri (qw{ /page/open /page/uri /page/guarded /any /try
    /auth_request })
{
    is(plain($uri), $nothing, "$uri once");
}

is(plain('/page/other'), join("\n", $nothing, '[error] reason=plaintext '
    . "status=403 $none claimed=\"-\" devid=\"-\" $no_tls"),
    'a second decision, another line');
is(plain('/try', 'bob'), '[error] reason=group status=403 method=basic '
    . 'account="Ger\xC3\xA4t \x222\x22" claimed="bob" devid="-" '
    . $no_tls, 'after a redirect');
is(plain('/auth_request', 'bob'), '', 'a subrequest is not judged');

# wherever it was led, the access log has the id of the line

foreach my $uri (qw{ /page/uri /try /auth_request }) {
    plain($uri);
    ok(joined_id(), "$uri id");
}

my $c = keepalive(8080);
$c->request(request($_, '/')) foreach qw/ GET HEAD POST /;
is(refusals(), join("\n", ($nothing) x 3), 'each request of a connection');

# what an operator sees who logs errors only

plain('/level');
plain('/level', [ 'alice', $password{wrong} ]);
my $level = $t->read_file('level.log');
is(() = $level =~ /dm_sec: denied/g, 1, 'level error');
like($level, qr/reason=bad_credentials/, 'level error, wrong password');

###############################################################################

# no secret, in no form, at no level: but nginx itself shows headers there

foreach my $password (values %password) {
    plain('/', '', $_) foreach "Authorization: Basic $password",
        'Authorization: Basic ' . encode_base64($password, ''),
        basic("\0", $password), basic('x', "$password\0"),
        basic('alice', $password) . '=';
}

tls('/', 'alice', 'alice');

my $log = $t->read_file('error.log');

ok($log =~ s/^.* http header: "Authorization: .*\n//mg > 50,
    'the level is debug');

foreach my $user (sort keys %password) {
    my $password = $password{$user};
    my @secrets = ($password, encode_base64("$user:$password", ''),
        map({ substr encode_base64(' ' x $_ . $password, ''), 4, 20 } 0 .. 2),
        map({ ($_, unpack('H*', $_), uc unpack('H*', $_)) }
            map { $_->("$user:r:$password") }
            \&md5, \&sha256, \&sha512256));

    is(join(' ', grep { index($log, $_) >= 0 } @secrets), '',
        "no secret of $user");
}

is(index($log . $level . $t->read_file('id.log'), 'Sesam'), -1,
    'nor a part of any');

my ($key) = $t->read_file('store.key') =~ /([0-9a-f]{64})/i;
is(index(lc $log, lc $key), -1, 'nor the key of the store');

undef $t;

###############################################################################

sub add {
    my ($id, $name, @args) = @_;

    account($t, 'add', $id, '--name', $name, @args,
        { password => $password{$name} });
}

# for a name with its password, or [ name, password ]
sub credentials {
    my ($user) = @_;

    return basic(@$user) if ref $user;
    return $user ? basic($user, $password{$user}) : '';
}

sub plain {
    my ($uri, $user, @lines) = @_;

    keepalive(8080)->request(request('GET', $uri, credentials($user),
        @lines));

    return refusals();
}

sub tls {
    my ($uri, $cert, $user, %o) = @_;

    https(8443, request('GET', $uri, credentials($user)), $cert
        ? (SSL_cert_file => "$d/$cert.crt", SSL_key_file => "$d/$cert.key")
        : (), %o);

    return refusals();
}

# the id of the last line, undef where the access log never gets it
sub joined_id {
    my $id = (denied($t))[-1]{request} // 'none';

    return wait_for(30, sub { $t->read_file('id.log') =~ /^\Q$id\E /m })
        ? $id : undef;
}

# the lines since the last call, without their request's id, and what nginx adds
sub refusals {
    my ($log) = $t->read_file('error.log');
    my (@lines);

    pos($log) = $seen;
    $seen = length $log;

    push @lines, "$1 $2" while $log =~ /\G.*? (\[\w+\]) [^\n]* dm_sec:
        [ ]denied[ ]([^\n]*?)[ ]request=[0-9a-f]{32},[ ]client:[ ]"?127
        [^\n]*\n/gcsx;

    # t/details.t looks at the details
    return join("\n", @lines) =~ s/ detail=[a-z_-]+(?= status=)//gr;
}

###############################################################################
