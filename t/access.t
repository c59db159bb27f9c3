#!/usr/bin/perl

# Tests for the decision: one account out of several credentials, its state,
# groups and device id, the order of refusals, and what is left of it after
# satisfy, internal redirects and error pages.

###############################################################################

use warnings;
use strict;

use Test::More;

use POSIX qw/ strftime /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl access auth_basic proxy rewrite sni socket_ssl/)
    ->has_daemon('openssl')->plan(253);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;
    dm_sec_lockout       off;

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;

    ssl_client_certificate  root.crt;

    underscores_in_headers on;
    ignore_invalid_headers off;

    # which credentials count

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        ssl_verify_client optional;

        dm_sec_profile modern;
        dm_sec_auth    x509 basic;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /all {
            dm_sec_auth_all on;
            proxy_pass http://127.0.0.1:8081;
        }

        location /basic {
            dm_sec_auth basic;
            proxy_pass http://127.0.0.1:8081;
        }

        location /x509 {
            dm_sec_auth x509;
            proxy_pass http://127.0.0.1:8081;
        }

        location /off {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /order {
            dm_sec_protocols TLSv1.2;
            dm_sec_ciphers   TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
            dm_sec_groups    lab;
            dm_sec_device_id require;
            proxy_pass http://127.0.0.1:8081;
        }

        location /hard {
            dm_sec_protocols TLSv1.2;
            dm_sec_ciphers   TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
            satisfy any;
            allow all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /with-basic {
            dm_sec_auth x509;
            auth_basic "nginx";
            auth_basic_user_file htpasswd;
            proxy_pass http://127.0.0.1:8081;
        }

        location /try-x509 {
            dm_sec_auth basic;
            try_files /none @x509;
        }

        location @x509 {
            dm_sec_auth x509;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  other.example.org;

        location / {
            dm_sec_device_id require;
            dm_sec_protocols TLSv1.2;
            dm_sec_ciphers   TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
            dm_sec_auth      basic;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8444 ssl;
        server_name  localhost;

        ssl_verify_client optional_no_ca;

        dm_sec_auth x509 basic;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /basic {
            dm_sec_auth basic;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # the rest needs no TLS

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_auth           basic;
        dm_sec_plaintext_auth on;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /tls {
            dm_sec_plaintext_auth off;
            dm_sec_device_id      require;
            proxy_pass http://127.0.0.1:8081;
        }

        location /groups {
            dm_sec_groups lab field;
            proxy_pass http://127.0.0.1:8081;

            location /groups/inside {
                proxy_pass http://127.0.0.1:8081;
            }

            location /groups/none {
                dm_sec_groups off;
                proxy_pass http://127.0.0.1:8081;
            }
        }

        location /match {
            dm_sec_device_id match;
            proxy_pass http://127.0.0.1:8081;
        }

        location /require {
            dm_sec_device_id require;
            proxy_pass http://127.0.0.1:8081;

            location /require/off {
                dm_sec_device_id off;
                proxy_pass http://127.0.0.1:8081;
            }
        }

        # satisfy, and nginx's own authentication

        location /any/allow {
            satisfy any;
            allow all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /any/deny {
            satisfy any;
            deny all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /any/status {
            satisfy any;
            allow all;
            proxy_pass http://127.0.0.1:8082;
        }

        location /any/status/page/ {
            satisfy any;
            allow all;
            proxy_intercept_errors on;
            error_page 401 /open/page;
            proxy_pass http://127.0.0.1:8082/any/status/;
        }

        location /any/groups {
            dm_sec_groups lab;
            satisfy any;
            allow all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /any/basic {
            satisfy any;
            auth_basic "nginx";
            auth_basic_user_file htpasswd;
            proxy_pass http://127.0.0.1:8081;
        }

        location /every/allow {
            allow all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /every/deny {
            deny all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /every/basic {
            auth_basic "nginx";
            auth_basic_user_file htpasswd;
            proxy_pass http://127.0.0.1:8081;
        }

        # internal redirects

        location /open {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /rewrite/ {
            dm_sec_auth off;
            rewrite ^/rewrite(/.*) $1 last;
        }

        location /break/ {
            rewrite ^/break(/.*) $1 break;
            proxy_pass http://127.0.0.1:8081;
        }

        location /try/open {
            try_files /none @open;
        }

        location /try/groups {
            try_files /none @groups;
        }

        location /try/basic {
            dm_sec_auth off;
            try_files /none @basic;
        }

        location /try/uri {
            try_files /none /groups;
        }

        # 8082 redirects to what follows /accel, and to /groups on 404

        location /accel/ {
            proxy_pass http://127.0.0.1:8082;
        }

        location /accel-off/ {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8082/accel/;
        }

        location /status/404 {
            proxy_pass http://127.0.0.1:8082;
            proxy_intercept_errors on;
            error_page 404 = /groups;
        }

        location @open {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8081;
        }

        location @basic {
            proxy_pass http://127.0.0.1:8081;
        }

        location @groups {
            dm_sec_groups lab;
            proxy_pass http://127.0.0.1:8081;
        }

        location @status {
            dm_sec_auth off;
            rewrite ^ /status/401 break;
            proxy_pass http://127.0.0.1:8082;
        }

        # error pages of what was denied

        location /page/html {
            error_page 401 403 /page.html;
        }

        location /page/guarded {
            error_page 401 403 /guarded.html;
        }

        location /page/200 {
            error_page 401 =200 /page.html;
        }

        location /page/404 {
            error_page 401 =404 /page.html;
        }

        location /page/moved {
            error_page 401 http://example.org/;
        }

        location /page/open {
            error_page 401 @open;
        }

        location /page/status {
            error_page 401 = @status;
        }

        location /page/groups {
            dm_sec_groups lab;
            error_page 401 403 = @open;
        }

        location /page/groups-basic {
            dm_sec_groups lab;
            error_page 403 = @basic;
        }

        location /page/groups-uri {
            dm_sec_groups lab;
            error_page 403 =200 /page-uri;
        }

        location /page/groups-accel {
            dm_sec_groups lab;
            error_page 403 = /accel/page-uri;
        }

        location /page-uri {
            proxy_pass http://127.0.0.1:8081;
        }

        location = /page.html {
            dm_sec_auth off;
        }

        location = /guarded.html {
        }
    }

    # what nginx refuses before any phase

    server {
        listen       127.0.0.1:8445 ssl;
        server_name  localhost;

        ssl_verify_client optional;

        dm_sec_profile modern;
        dm_sec_auth    x509;

        error_page 400 495 496 497 @early;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location @early {
            dm_sec_profile off;
            dm_sec_auth    off;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8446 ssl;
        server_name  localhost;

        ssl_verify_client on;

        error_page 400 495 496 497 /early;

        location /early {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8447 ssl;
        server_name  localhost;

        ssl_verify_client optional;

        error_page 400 495 496 497 @early;

        location @early {
            dm_sec_auth x509;
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

my $d = $t->testdir();

###############################################################################

ca($t, 'root');
ca($t, 'foreign');
cert($t, 'server', ca => 'root');
cert($t, $_, ca => 'root') foreach qw/ alice bob nobody off late /;
cert($t, 'forged', ca => 'foreign', subject => '/CN=alice');
cert($t, 'expired', ca => 'root', not_after => time() - 60);

store($t, realm => 'r', args => [ '--map-size', '1m' ]);
add('IMEI:1', 'alice', '--cert', "$d/alice.crt", '--cert', "$d/expired.crt",
    '--group', 'lab', '--group', 'x');
add('urn:uuid:2', 'bob', '--cert', "$d/bob.crt", '--group', 'field');
add('3', 'off', '--cert', "$d/off.crt", '--disabled',
    '--not-after', utc(-60), '--group', 'none');
add('4', 'late', '--cert', "$d/late.crt", '--not-after', utc(-60));
add('5', 'early', '--not-before', utc(3600), '--group', 'lab');
add('6', 'prefix', '--group', 'la', '--group', 'labs', '--group', 'LAB');
add('7', 'now', '--not-before', utc(-60), '--not-after', utc(3600));

$t->write_file('htpasswd', "alice:{PLAIN}pw\nstaff:{PLAIN}pw\n");
$t->write_file('page.html', 'custom');
$t->write_file('guarded.html', 'SECRET');

upstream($t, 8081);
upstream($t, 8082, respond => \&respond);
$t->run();

###############################################################################

# any of the accepted methods; all that was presented must verify

is(tls('/'), '401 no_credentials', 'any: nothing');
is(tls('/', '', 'alice'), '200 upstream IMEI:1 basic', 'any: password');
is(tls('/', 'alice'), '200 upstream IMEI:1 x509', 'any: certificate');
is(tls('/', 'alice', 'alice'), '200 upstream IMEI:1 x509',
    'any: both, of one account');
is(tls('/', 'alice', 'bob'), '403 account_mismatch', 'any: two accounts');
is(tls('/', 'alice', 'bob:no'), '401 bad_credentials',
    'any: right certificate, wrong password');
is(tls('/', 'alice', 'no'), '401 bad_credentials',
    'any: right certificate, unknown name');
is(tls('/', 'alice', '='), '401 malformed',
    'any: right certificate, malformed header');
is(tls('/', 'nobody'), '401 no_credentials', 'any: unbound certificate');
is(tls('/', 'nobody', 'bob'), '200 upstream urn:uuid:2 basic',
    'any: unbound certificate, right password');
is(tls('/', 'nobody', 'bob:no'), '401 bad_credentials',
    'any: unbound certificate, wrong password');

is(tls('/x509'), '403 certificate_required', 'x509: nothing');
is(tls('/x509', '', 'alice'), '403 certificate_required',
    'x509: a password does not count');
is(tls('/x509', 'nobody'), '403 certificate_unbound', 'x509: unbound');
is(tls('/x509', 'alice', 'bob'), '200 upstream IMEI:1 x509',
    'x509: what is not accepted is ignored');
is(tls('/x509', 'alice', '='), '200 upstream IMEI:1 x509',
    'x509: also where it is malformed');

is(tls('/basic', 'alice'), '401 no_credentials',
    'basic: a certificate does not count');
is(tls('/basic', 'alice', 'bob'), '200 upstream urn:uuid:2 basic',
    'basic: what is not accepted is ignored');

is(tls('/off', 'alice', 'bob:no'), '200 upstream', 'off');

# all of them

is(tls('/all'), '403 certificate_required', 'all: nothing');
is(tls('/all', '', 'alice'), '403 certificate_required', 'all: password');
is(tls('/all', '', 'alice:no'), '403 certificate_required',
    'all: a wrong one says as much as a right one');
is(tls('/all', 'alice'), '401 no_credentials', 'all: certificate');
is(tls('/all', 'nobody', 'alice'), '403 certificate_unbound',
    'all: unbound certificate, right password');
is(tls('/all', 'nobody', 'alice:no'), '403 certificate_unbound',
    'all: unbound certificate, wrong password');
is(tls('/all', 'alice', 'alice:no'), '401 bad_credentials',
    'all: right certificate, wrong password');
is(tls('/all', 'alice', 'bob'), '403 account_mismatch', 'all: two accounts');
is(tls('/all', 'alice', 'alice'), '200 upstream IMEI:1 x509', 'all: both');
is(tls('/all', 'alice', '='), '401 malformed', 'all: malformed header');

# a certificate that did not verify proves nothing, and is not overlooked

is(tls('/', 'alice', '', 8444), '200 upstream IMEI:1 x509', 'valid');
is(tls('/', 'forged', '', 8444), '403 certificate_unknown_ca', 'forged');
is(tls('/', 'forged', 'alice', 8444), '403 certificate_unknown_ca',
    'forged, right password');
is(tls('/', 'forged', 'alice:no', 8444), '403 certificate_unknown_ca',
    'forged, wrong password');
is(tls('/basic', 'forged', 'alice', 8444), '200 upstream IMEI:1 basic',
    'forged, where none is accepted');

my %refused = (forged => 'certificate_unknown_ca',
    expired => 'certificate_expired');

foreach my $cert (qw/ forged expired /) {
    is(tls('/', $cert), "400 $refused{$cert}", "$cert, refused by nginx");
    is(tls('/', $cert, 'alice'), "400 $refused{$cert}",
        "$cert, right password");
}

###############################################################################

# the account's state, seen once its credential has verified

is(plain('/', 'off'), '403 account_disabled', 'disabled');
is(plain('/', 'off:no'), '401 bad_credentials', 'disabled, wrong password');
is(tls('/x509', 'off'), '403 account_disabled', 'disabled, certificate');
is(plain('/', 'late'), '403 account_expired', 'expired');
is(plain('/', 'late:no'), '401 bad_credentials', 'expired, wrong password');
is(tls('/x509', 'late'), '403 account_expired', 'expired, certificate');
is(plain('/', 'early'), '403 account_expired', 'not yet valid');
is(plain('/', 'now'), '200 upstream 7 basic', 'within its validity');

is(plain('/groups', 'alice'), '200 upstream IMEI:1 basic', 'first group');
is(plain('/groups', 'bob'), '200 upstream urn:uuid:2 basic', 'second group');
is(plain('/groups', 'now'), '403 group', 'in no group');
is(plain('/groups', 'prefix'), '403 group', 'groups with a like name');
is(plain('/groups', 'now:no'), '401 bad_credentials',
    'no group, wrong password');
is(plain('/groups/inside', 'now'), '403 group', 'groups inherited');
is(plain('/groups/none', 'now'), '200 upstream 7 basic', 'groups off');

# a change is in force with the next request of an open connection

{
    my $c = keepalive(8080);
    my $ask = sub {
        return result($c->request(request('GET', '/groups', credentials(@_))));
    };

    is($ask->('alice'), '200 upstream IMEI:1 basic', 'before any change');
    account($t, 'disable', 'IMEI:1');
    is($ask->('alice'), '403 account_disabled', 'disabled now');
    account($t, 'enable', 'IMEI:1');
    is($ask->('alice'), '200 upstream IMEI:1 basic', 'enabled now');
    account($t, 'set', 'IMEI:1', '--group', 'x', { password => 'new' });
    is($ask->('alice'), '401 bad_credentials', 'another password now');
    is($ask->('alice:new'), '403 group', 'another group now');
    account($t, 'set', 'IMEI:1', '--group', 'lab', { password => 'pw' });
    is($ask->('alice'), '200 upstream IMEI:1 basic', 'as before');
    account($t, 'del', '7');
    is($ask->('now'), '401 bad_credentials', 'gone now');
}

###############################################################################

# the device id

foreach (
    [ 'alice', [ 'OMADM-DevID: IMEI:1' ], 'the account\'s' ],
    [ 'alice', [ 'omadm-devid: imei:1' ], 'prefix in lower case' ],
    [ 'alice', [ 'OMADM-DEVID: ImEi:1' ], 'prefix in mixed case' ],
    [ 'bob', [ 'OMADM-DevID: URN:UUID:2' ], 'another prefix' ])
{
    my ($user, $lines, $name) = @$_;

    like(devid('/match', $user, @$lines), qr/^200 upstream/, $name);
    like(devid('/require', $user, @$lines), qr/^200 upstream/, $name);
}

like(devid('/match', 'alice'), qr/^200 upstream/, 'match: none');
is(devid('/require', 'alice'), '400 devid_missing', 'require: none');
is(devid('/require', ''), '400 devid_missing', 'require: no challenge');

foreach (
    [ 'IMEI:2', 'another device' ],
    [ 'IMEI:11', 'longer' ],
    [ 'IMEI:', 'shorter' ],
    [ '1', 'no scheme' ],
    [ 'ESN:1', 'another scheme' ],
    [ 'IMEI:1 ' . 'x' x 248, '255 octets' ],
    [ "IMEI:1\xc3\xa9", 'UTF-8' ])
{
    my ($value, $name) = @$_;

    is(devid('/match', 'alice', "OMADM-DevID: $value"), '403 devid_mismatch',
        "mismatch: $name");
}

account($t, 'add', 'urn:uuid:Ab', { password => 'pw' });
is(devid('/require', 'Ab', 'OMADM-DevID: urn:uuid:AB'), '403 devid_mismatch',
    'mismatch: the rest in another case');
is(devid('/require', 'bob', 'OMADM-DevID: IMEI:1'), '403 devid_mismatch',
    'mismatch: of another account');
is(devid('/require', 'bob:no', 'OMADM-DevID: IMEI:1'), '401 bad_credentials',
    'mismatch: wrong password');

foreach (
    [ [ 'OMADM-DevID:' ], 'empty' ],
    [ [ 'OMADM-DevID: IMEI:1 ' . 'x' x 249 ], '256 octets' ],
    [ [ "OMADM-DevID: IMEI:1\x01" ], 'control character' ],
    [ [ "OMADM-DevID: IMEI:1\t1" ], 'tab' ],
    [ [ "OMADM-DevID: IMEI:1\x7f" ], 'DEL' ],
    [ [ ('OMADM-DevID: IMEI:1') x 2 ], 'twice' ],
    [ [ 'OMADM-DevID: IMEI:1', 'omadm-devid: IMEI:2' ], 'two values' ],
    [ [ 'OMADM_DevID: IMEI:1' ], 'underscore' ],
    [ [ 'OMADM.DevID: IMEI:1' ], 'dot' ],
    [ [ 'omadm~devid: IMEI:1' ], 'tilde' ],
    [ [ 'OMADM-DevID: IMEI:1', 'OMADM_DevID: IMEI:1' ], 'both names' ],
    [ [ 'OMADM_DevID: IMEI:2', 'OMADM-DevID: IMEI:1' ], 'the folding first' ])
{
    my ($lines, $name) = @$_;

    is(devid('/match', 'alice', @$lines), '400 devid_malformed',
        "malformed: $name");
    is(devid('/require', '', @$lines), '400 devid_malformed',
        "malformed, require: $name");
    is(devid('/require/off', 'alice', @$lines), '200 upstream IMEI:1 basic',
        "off: $name");
}

###############################################################################

# the order of refusals: each request is wrong in all that follows, too; that
# early_data stands before tls_protocol is in tls_location.t

my @wrong = ('OMADM_DevID: IMEI:1', 'OMADM-DevID: x', credentials('='));

is(result(scalar https(8443, request('GET', '/', @wrong[1, 2],
    { host => 'other.example.org' }))), '421 misdirected', 'misdirected');
is(result(scalar keepalive(8080)->request(request('GET', '/tls',
    $wrong[2]))), '403 plaintext', 'plaintext');

is(order('', @wrong, { SSL_version => 'TLSv1_3' }), '403 tls_protocol',
    'tls_protocol');
is(order('off', @wrong, { SSL_cipher_list => 'ECDHE-ECDSA-AES256-GCM-SHA384'
    }), '403 tls_cipher', 'tls_cipher');
is(order('off', $wrong[2]), '400 devid_missing', 'devid_missing');
is(order('off', @wrong), '400 devid_malformed', 'devid_malformed');
is(order('off', @wrong[1, 2]), '401 malformed', 'malformed');
is(order('off', $wrong[1], credentials('late:no')), '401 bad_credentials',
    'bad_credentials');
is(order('', $wrong[1]), '401 no_credentials', 'no_credentials');
is(order('off', $wrong[1], credentials('late')), '403 account_mismatch',
    'account_mismatch');
is(order('off', $wrong[1]), '403 account_disabled', 'account_disabled');
is(order('late', $wrong[1]), '403 account_expired', 'account_expired');
is(order('bob', $wrong[1]), '403 group', 'group');
is(order('alice', $wrong[1]), '403 devid_mismatch', 'devid_mismatch');
is(order('alice', 'OMADM-DevID: IMEI:1'), '200 upstream IMEI:1 x509',
    'nothing is wrong');

###############################################################################

# satisfy any: the request goes on without an identity

is(plain('/any/allow'), '200 no_credentials upstream', 'allow: nothing');
is(plain('/any/allow', 'alice:no'), '200 bad_credentials upstream',
    'allow: wrong password');
is(plain('/any/allow', 'off'), '200 account_disabled upstream',
    'allow: disabled');
is(plain('/any/groups', 'bob'), '200 group upstream', 'allow: wrong group');
is(plain('/any/allow', 'alice'), '200 upstream IMEI:1 basic',
    'allow: verified');
is(plain('/any/allow', '='), '200 malformed upstream', 'allow: malformed');
is(plain('/any/deny'), '401 no_credentials', 'deny: nothing');
is(plain('/any/deny', 'off'), '403 account_disabled', 'deny: disabled');
is(plain('/any/deny', 'alice'), '200 upstream IMEI:1 basic',
    'deny: verified');

is(hard(SSL_version => 'TLSv1_3'), '403 tls_protocol',
    'allow does not soften a TLS version');
is(hard(SSL_cipher_list => 'ECDHE-ECDSA-AES256-GCM-SHA384'),
    '403 tls_cipher', 'allow does not soften a suite');
is(hard(), '200 no_credentials upstream', 'allow over what is allowed');

my $r = get('/any/status/401');
is(status($r), 401, 'allow: the upstream\'s 401');
is_deeply([ header($r, 'WWW-Authenticate') ], [ 'Bearer' ],
    'and its challenge alone');
verdict($t, $r, 8081);

$r = get('/any/status/page/401');
is(status($r), 401, 'allow: an error_page for the upstream\'s 401');
is(scalar(grep { /^Basic/ } header($r, 'WWW-Authenticate')), 0,
    'and no challenge of ours');
verdict($t, $r, 8081);

# satisfy all

is(plain('/every/allow', 'alice'), '200 upstream IMEI:1 basic', 'all: allow');
is(plain('/every/allow'), '401 no_credentials', 'all: allow, nothing');
is(plain('/every/deny', 'alice'), '403', 'all: deny');

# auth_basic

is(plain('/any/basic', 'staff'), '200 bad_credentials upstream',
    'auth_basic alone');
is(plain('/any/basic', 'bob'), '200 upstream urn:uuid:2 basic',
    'auth_basic not needed');

$r = get('/any/basic');
is(result($r), '401 no_credentials', 'neither');
is(join(', ', map { $_->{realm} } challenges($r)), 'nginx, r',
    'both challenges');

is(plain('/every/basic', 'alice'), '200 upstream IMEI:1 basic', 'both');
is(plain('/every/basic', 'staff'), '401 bad_credentials', 'auth_basic only');

$r = get('/every/basic', credentials('bob'));
is(result($r), '401', 'not auth_basic');
is(join(', ', map { $_->{realm} } challenges($r)), 'nginx', 'its challenge');

is(tls('/with-basic', 'bob', 'staff'), '200 upstream urn:uuid:2 x509',
    'certificate, and auth_basic with another name');
is(tls('/with-basic', '', 'staff'), '403 certificate_required',
    'auth_basic, and no certificate');
is(tls('/with-basic', 'bob', 'bob'), '401', 'certificate, and no auth_basic');

###############################################################################

# rewrite: the location that it ends in decides

is(plain('/rewrite/groups', 'alice'), '200 upstream IMEI:1 basic', 'rewrite');
is(plain('/rewrite/groups'), '401 no_credentials', 'rewrite, nothing');
is(plain('/rewrite/groups', 'early'), '403 account_expired',
    'rewrite, expired');
is(plain('/break/x', 'alice'), '200 upstream IMEI:1 basic', 'break');
is(plain('/break/x'), '401 no_credentials', 'break, nothing');

# what was verified survives, and is judged anew

foreach my $how (qw{ /try/open /accel/open }) {
    is(plain($how, 'bob'), '200 upstream urn:uuid:2 basic', $how);
    is(plain($how), '401 no_credentials', "$how, nothing");
}

foreach my $how (qw{ /try/groups /try/uri /accel/groups /status/404 }) {
    is(plain($how, 'alice'), '200 upstream IMEI:1 basic', $how);
    is(plain($how, 'prefix'), '403 group', "$how, another group");
    is(plain($how, 'late'), '403 account_expired', "$how, expired");
    is(plain($how), '401 no_credentials', "$how, nothing");
}

is(plain('/try/basic', 'alice'), '200 upstream IMEI:1 basic',
    'from a location without authentication');
is(plain('/try/basic'), '401 no_credentials', 'from there, nothing');
is(plain('/accel-off/require', 'alice'), '400 devid_missing',
    'from there, no device id');
is(devid('/accel/require', 'alice', 'OMADM-DevID: IMEI:1'),
    '200 upstream IMEI:1 basic', 'to a location with a device id');
is(devid('/accel/require', 'alice', 'OMADM-DevID: IMEI:2'),
    '403 devid_mismatch', 'to there, another device');
is(devid('/accel/require', 'alice'), '400 devid_missing',
    'to there, no device');
is(plain('/accel/accel/groups', 'alice'), '200 upstream IMEI:1 basic',
    'twice');
is(plain('/accel/accel/groups', 'prefix'), '403 group',
    'twice, another group');

is(tls('/try-x509', 'bob', 'alice'), '200 upstream urn:uuid:2 x509',
    'another method');
is(tls('/try-x509', '', 'alice'), '403 certificate_required',
    'another method, not there');

###############################################################################

# what was denied gets no identity, wherever it goes

is(plain('/page/open'), '401 no_credentials upstream', 'page: nothing');
is(plain('/page/open', 'alice:no'), '401 bad_credentials upstream',
    'page: wrong password');
is(plain('/page/groups', 'bob'), '200 group upstream', 'page: group');
is(plain('/page/groups-basic', 'bob'), '200 group upstream',
    'page: group, to where it is accepted');
is(plain('/page/groups-uri', 'bob'), '200 group upstream', 'page: to a URI');
is(plain('/page/groups-accel', 'bob'), '200 group upstream',
    'page: and on from there');
is(plain('/page/groups', 'alice'), '404', 'page: accepted');

$r = get('/page/open', credentials('alice:no'), 'DM-Client-ID: x');
unlike($r, qr/^(?:DM-|Authorization)/mi, 'page: neither forged nor consumed');

# the challenge stays with 401, and only there

foreach ([ '/page/html', 401, qr/^custom$/m, 1 ],
    [ '/page/guarded', 401, qr/<h1>401 /, 1 ],
    [ '/page/open', 401, qr/^Host: /m, 1 ],
    [ '/page/200', 200, qr/^custom$/m, 0 ],
    [ '/page/404', 404, qr/^custom$/m, 0 ],
    [ '/page/moved', 302, qr/^Location: /m, 0 ],
    [ '/page/status', 401, qr/^WWW-Authenticate: Bearer\r$/m, 1 ])
{
    my ($uri, $status, $content, $count) = @$_;

    $r = get($uri);
    is(status($r), $status, "$uri status");
    like($r, $content, "$uri content");
    unlike($r, qr/SECRET/, "$uri secret");
    is(scalar(my @challenges = challenges($r)), $count, "$uri challenges");
}

verdict($t, '', 8081);

is(plain('/page/html', 'off'), '403 account_disabled', 'page of 403');

###############################################################################

# nginx refuses before any phase; its error page is a location all the same

my @forged = ('DM-Client-ID: root', 'dm_groups: root', 'Client-Cert: :AA==:');

foreach my $port (8445, 8446) {
    foreach (
        [ 'untrusted', 'forged', request('GET', '/', @forged) ],
        [ 'expired', 'expired', request('GET', '/', @forged) ],
        [ 'no certificate', '', request('GET', '/', @forged), 8446 ],
        [ 'two Host', 'alice', request('GET', '/', @forged, 'Host: b') ],
        [ 'two Authorization', 'alice', request('GET', '/', @forged,
            basic('a', 'b'), basic('a', 'b')) ],
        [ 'no Host', 'alice', join "\r\n", 'GET / HTTP/1.1', @forged, '', '' ],
        [ 'wrong Host', 'alice', request('GET', '/', @forged,
            { host => 'a/b' }) ],
        [ 'Content-Length', 'alice', request('GET', '/', @forged,
            'Content-Length: x') ])
    {
        my ($name, $cert, $raw, $only) = @$_;

        next if $only && $only != $port;
        upstream_clear($t, 8081);
        $r = https($port, $raw, client($cert));
        is(early($r), '400 1', "$name, $port");
    }

    upstream_clear($t, 8081);
    $r = keepalive($port)->request(request('GET', '/', @forged));
    is(early($r), '400 1', "plain HTTP, $port");
}

verdict($t, '', 8081);

is(tls('/', 'forged', '', 8447), '403 certificate_unknown_ca',
    'authentication in such a page');
is(result(scalar keepalive(8447)->request(request('GET', '/'))),
    '403 plaintext', 'such a page without TLS');

undef $t;

###############################################################################

sub add {
    my ($id, $name, @args) = @_;

    account($t, 'add', $id, '--name', $name, @args, { password => 'pw' });
}

sub utc {
    return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time() + $_[0]));
}

# X-Accel-Redirect to what follows /accel, or a status
sub respond {
    my ($request) = @_;
    my ($head) = ("HTTP/1.1 200 OK\r\nX-Accel-Redirect: $1\r\n")
        if $request->{uri} =~ m{^/accel(/.*)};

    $head = "HTTP/1.1 $1 Error\r\nWWW-Authenticate: Bearer\r\n"
        if $request->{uri} =~ m{/status/(\d+)};

    return $head . "Content-Length: 0\r\n\r\n";
}

# what a client sends for "USER", "USER:PASSWORD", "=" (malformed) or nothing
sub credentials {
    my ($user) = @_;

    return $user eq '=' ? 'Authorization: Basic =='
        : $user ? basic(split(/:/, $user), $user =~ /:/ ? () : 'pw') : ();
}

sub client {
    my ($cert) = @_;

    return $cert ? (SSL_cert_file => "$d/$cert.crt",
        SSL_key_file => "$d/$cert.key") : ();
}

# one request with a certificate and credentials, where there are any
sub tls {
    my ($uri, $cert, $user, $port) = @_;

    return result(scalar https($port || 8443,
        request('GET', $uri, credentials($user || '')), client($cert)));
}

sub plain {
    my ($uri, $user) = @_;

    return result(get($uri, credentials($user || '')));
}

sub devid {
    my ($uri, $user, @lines) = @_;

    return result(get($uri, credentials($user), @lines));
}

sub get {
    my ($uri, @lines) = @_;

    return scalar keepalive(8080)->request(request('GET', $uri, @lines));
}

# the verdict, and the identity that the upstream was told
sub result {
    my ($response) = @_;

    return join ' ', grep { defined } verdict($t, $response, 8081),
        map { ($response // '') =~ /^$_: (.*)\r$/m ? $1 : undef }
        qw/ DM-Client-ID DM-Auth-Method /;
}

sub order {
    my ($cert, @lines) = @_;
    my ($o) = ref $lines[-1] ? pop @lines : {};

    return result(scalar https(8443, request('GET', '/order', @lines),
        client($cert), SSL_version => 'TLSv1_2', %$o));
}

sub hard {
    my (%o) = @_;

    return result(scalar https(8443, request('GET', '/hard'),
        SSL_version => 'TLSv1_2', %o));
}

# status, and the number of requests upstream without anything forged
sub early {
    my ($response) = @_;

    return join ' ', status($response), scalar grep {
        $_->{head} !~ /^(?:DM|Client)[^a-z]/mi } upstream_log($t, 8081);
}

###############################################################################
