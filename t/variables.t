#!/usr/bin/perl

# Tests for the variables: in logs, maps and headers, after redirects, and in
# requests that were denied.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl access auth_basic auth_request map proxy rewrite/)
    ->has(qw/sni ssi socket_ssl/)->has_daemon('openssl')->plan(45);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format all '$request_uri $status $dm_sec_result $dm_sec_reason '
                   '"$dm_sec_client_id" "$dm_sec_account_name" '
                   '$dm_sec_auth_method "$dm_sec_groups" '
                   '$dm_sec_protocol $dm_sec_cipher "$remote_user"';

    map $dm_sec_reason $refused {
        ""      0;
        default 1;
    }

    map $dm_sec_groups $tier {
        default                "none";
        "~(?:^|,)lab(?:,|$)"   "lab of $dm_sec_client_id";
    }

    access_log all.log     all;
    access_log refused.log all if=$refused;

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;
    dm_sec_lockout       off;

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;

    ssl_client_certificate  root.crt;

    add_header X-Result  $dm_sec_result             always;
    add_header X-Account "$dm_sec_account_name"     always;
    add_header X-Method  $dm_sec_auth_method        always;
    add_header X-Reason  $dm_sec_reason             always;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        ssl_verify_client optional;

        dm_sec_profile modern;
        dm_sec_auth    x509 basic;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /off {
            dm_sec_auth off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /tls12 {
            dm_sec_protocols TLSv1.2;
            dm_sec_ciphers   TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
            proxy_pass http://127.0.0.1:8081;
        }

        location /moved {
            return 301 /;
        }

        location /with-basic {
            dm_sec_auth x509;
            auth_basic "nginx";
            auth_basic_user_file htpasswd;
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
        listen       127.0.0.1:8444 ssl;
        server_name  localhost;

        ssl_protocols TLSv1.3;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /auth_basic {
            auth_basic "nginx";
            auth_basic_user_file htpasswd;
            proxy_pass http://127.0.0.1:8081;
        }
    }

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
            proxy_pass http://127.0.0.1:8081;
        }

        location /headers {
            proxy_set_header X-Id      $dm_sec_client_id;
            proxy_set_header X-Name    $dm_sec_account_name;
            proxy_set_header X-Method  $dm_sec_auth_method;
            proxy_set_header X-Groups  $dm_sec_groups;
            proxy_set_header X-Result  $dm_sec_result;
            proxy_set_header X-Reason  $dm_sec_reason;
            proxy_set_header X-TLS     $dm_sec_protocol$dm_sec_cipher;
            proxy_set_header X-User    $remote_user;
            proxy_set_header X-Tier    $tier;
            proxy_pass http://127.0.0.1:8081;

            location /headers/any {
                satisfy any;
                allow all;
                proxy_pass http://127.0.0.1:8081;
            }
        }

        location /groups {
            dm_sec_groups lab;
            proxy_pass http://127.0.0.1:8081;
        }

        # evaluated before there is anything to know

        location /early {
            set $early "$dm_sec_result$dm_sec_client_id$remote_user";
            set $early "$early$dm_sec_groups$dm_sec_auth_method";
            set $early "$early$dm_sec_account_name$dm_sec_reason";
            proxy_set_header X-Early $early;
            proxy_pass http://127.0.0.1:8081;
        }

        location /any {
            satisfy any;
            allow all;
            proxy_pass http://127.0.0.1:8081;
        }

        location /any/auth_basic {
            satisfy any;
            auth_basic "nginx";
            auth_basic_user_file htpasswd;
            proxy_pass http://127.0.0.1:8081;
        }

        location /page {
            error_page 401 =200 /page.html;
        }

        location = /page.html {
            dm_sec_auth off;
            add_header X-Result $dm_sec_result;
            add_header X-Reason $dm_sec_reason;
        }

        location /try {
            try_files /none @open;
        }

        location @open {
            dm_sec_auth off;
            proxy_set_header X-Id $dm_sec_client_id;
            proxy_pass http://127.0.0.1:8081;
        }

        # all of them have been evaluated where it redirects

        location /accel {
            proxy_set_header X-All "$dm_sec_result $dm_sec_reason $remote_user
                $dm_sec_client_id $dm_sec_account_name $dm_sec_auth_method
                $dm_sec_groups";
            proxy_pass http://127.0.0.1:8082;
        }

        location /auth_request {
            auth_request /policy;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /policy {
            internal;
            proxy_set_header X-Id $dm_sec_client_id;
            proxy_pass http://127.0.0.1:8083;
        }

        location /ssi {
            ssi on;
            alias %%TESTDIR%%/ssi.html;
            default_type text/html;
        }

        location /auth_basic {
            dm_sec_auth off;
            auth_basic "nginx";
            auth_basic_user_file htpasswd;
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

my $d = $t->testdir();

ca($t, 'root');
ca($t, 'foreign');
cert($t, 'server', ca => 'root');
cert($t, 'bob', ca => 'root');
cert($t, 'forged', ca => 'foreign');

store($t, realm => 'r', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'alice', '--group', 'lab', '--group',
    'field test', { password => 'pw' });
account($t, 'add', 'IMEI:2', '--name', 'bob', '--cert', "$d/bob.crt",
    { password => 'pw' });
account($t, 'add', 'IMEI:3', '--name', 'off', '--disabled', '--group', 'lab',
    { password => 'pw' });

$t->write_file('htpasswd', "staff:{PLAIN}pw\n");
$t->write_file('page.html', 'custom');
$t->write_file('ssi.html', '<!--#echo var="dm_sec_client_id" -->,'
    . '<!--#include virtual="/page.html" -->');

upstream($t, 8081);
upstream($t, 8082, respond => sub { "HTTP/1.1 200 OK\r\n"
    . "X-Accel-Redirect: /groups\r\nContent-Length: 0\r\n\r\n" });
upstream($t, 8083);
$t->run();

my $n = 0;
my $r;

my $alice = basic('alice', 'pw');
my $bob = basic('bob', 'pw');

my $denied = '"-" "-" - "-"';
my $no_tls = '- -';
my $tls13 = 'TLSv1.3 TLS_AES_128_GCM_SHA256';
my $tls12 = 'TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256';

my $stock = 'TLSv1.3 TLS_AES_256_GCM_SHA384';

my $is_alice = '"IMEI:1" "alice" basic "lab,field test"';
my $is_bob = '"IMEI:2" "bob" x509 "-"';

###############################################################################

# in a log

is(plain('/', $alice), qq/200 verified - $is_alice $no_tls "alice"/, 'Basic');
is(tls('/', 'bob'), qq/200 verified - $is_bob $tls13 "bob"/, 'X.509');
is(tls('/', 'bob', $bob), qq/200 verified - $is_bob $tls13 "bob"/, 'both');
is(tls('/off', 'bob'), qq/200 off - $denied $tls13 "-"/, 'off');

# denied: the reason, and nobody

is(plain('/'), qq/401 denied no_credentials $denied $no_tls "-"/, 'nothing');
is(plain('/', basic('alice', 'x')),
    qq/401 denied bad_credentials $denied $no_tls "-"/, 'wrong password');
is(plain('/', 'Authorization: Basic YWxpY2U='),
    qq/401 denied malformed $denied $no_tls "-"/, 'malformed');
is(plain('/', basic('off', 'pw')),
    qq/403 denied account_disabled $denied $no_tls "-"/, 'disabled');
is(plain('/groups', $bob), qq/403 denied group $denied $no_tls "-"/, 'group');
is(plain('/tls', $alice), qq/403 denied plaintext $denied $no_tls "-"/,
    'plaintext');
is(tls('/', 'bob', $alice),
    qq/403 denied account_mismatch $denied $tls13 "-"/, 'account_mismatch');
is(tls('/tls12', 'bob'), qq/403 denied tls_protocol $denied $tls13 "-"/,
    'tls_protocol');
is(tls('/', 'bob', { host => 'other.example.org' }),
    qq/421 denied misdirected $denied $tls13 "-"/, 'misdirected');
is(plain('/any', $bob), '200 verified - "IMEI:2" "bob" basic "-" '
    . "$no_tls \"bob\"", 'satisfy any');
is(plain('/any', basic('bob', 'x')),
    qq/200 denied bad_credentials $denied $no_tls "-"/,
    'satisfy any, wrong password');
is(plain('/page', $alice), qq/404 verified - $is_alice $no_tls "alice"/,
    'error_page, verified');
is(plain('/page', basic('alice', 'x')),
    qq/200 denied bad_credentials $denied $no_tls "-"/, 'error_page, denied');

# TLS facts are there wherever there is TLS

is(tls('/', '', { SSL_version => 'TLSv1_2',
    SSL_cipher_list => 'ECDHE-ECDSA-AES128-GCM-SHA256' }),
    qq/401 denied no_credentials $denied $tls12 "-"/, 'TLS 1.2');
is(tls('/moved', ''), qq/301 off - $denied $tls13 "-"/, 'return');
is(tls('/', 'forged'),
    qq/400 denied certificate_unknown_ca $denied $tls13 "-"/,
    'certificate that nginx refuses');
is(tls('/', '', { port => 8444 }), qq/200 off - $denied $stock "-"/,
    'server without dm_sec');

keepalive(8443, SSL => 1)->request("garbage\r\n\r\n");
is((logged('-'))[0], qq/400 denied bad_request $denied $tls13 "-"/,
    'no request');

###############################################################################

# in a map, and in headers to the upstream

$r = send_to(8080, '/headers', $alice);
is(sent($r), 'X-Id: IMEI:1, X-Name: alice, X-Method: basic, '
    . 'X-Groups: lab,field test, X-Result: verified, X-User: alice, '
    . 'X-Tier: lab of IMEI:1', 'proxy_set_header');

$r = send_to(8080, '/headers', $bob);
is(sent($r), 'X-Id: IMEI:2, X-Name: bob, X-Method: basic, '
    . 'X-Result: verified, X-User: bob, X-Tier: none',
    'proxy_set_header, no groups');

$r = send_to(8080, '/headers/any', basic('alice', 'x'));
is(sent($r), 'X-Result: denied, X-Reason: bad_credentials, X-Tier: none',
    'proxy_set_header, denied');

# in headers to the client

$r = send_to(8080, '/', $alice);
is(added($r), 'verified, alice, basic', 'add_header');

$r = send_to(8080, '/', basic('alice', 'x'));
is(added($r), 'denied, bad_credentials', 'add_header, denied');

# what an if= of access_log lets through

# the line of a request may come after its answer, and it is two of them

ok(wait_for(60, sub { refusals('refused') == refusals('all') }),
    'all refusals in a log of their own');
unlike($t->read_file('refused.log'), qr/ (?:verified|off) /, 'nothing else');

###############################################################################

# evaluated early: what is known later is not hidden

$r = send_to(8080, "/early?n=" . ++$n, $alice);
is((logged($n))[0], qq/200 verified - $is_alice $no_tls "alice"/,
    'evaluated before');
like($r, qr/^X-Early: off\r$/m, 'it was empty then');

is(plain('/early'), qq/401 denied no_credentials $denied $no_tls "-"/,
    'evaluated before, denied');

# after redirects

is(plain('/try', $alice), qq/200 verified - $is_alice $no_tls "alice"/,
    'try_files');
like(send_to(8080, '/try', $alice), qr/^X-Id: IMEI:1\r$/m,
    'proxy_set_header after try_files');

is(plain('/accel', $alice), qq/200 verified - $is_alice $no_tls "alice"/,
    'X-Accel-Redirect');
is(plain('/accel', $bob), qq/403 denied group $denied $no_tls "-"/,
    'X-Accel-Redirect, denied there');

$r = send_to(8080, '/page', basic('alice', 'x'));
is(added($r), 'denied, bad_credentials', 'add_header after error_page');

# in subrequests

send_to(8080, '/auth_request', $alice);
like((upstream_log($t, 8083))[-1]{head}, qr/^X-Id: IMEI:1\r$/m,
    'auth_request');
is(http_content(send_to(8080, '/ssi', $alice)), 'IMEI:1,custom', 'SSI');

###############################################################################

# $remote_user where nginx verifies it

my $staff = basic('staff', 'pw');

is(plain('/auth_basic', $staff), qq/200 off - $denied $no_tls "staff"/,
    'auth_basic');
is(tls('/auth_basic', '', $staff, { port => 8444 }),
    qq/200 off - $denied $stock "staff"/, 'auth_basic, another server');
is(tls('/with-basic', 'bob', $staff), qq/200 verified - $is_bob $tls13 "bob"/,
    'auth_basic beside X.509: the account');
is(plain('/any/auth_basic', $staff),
    qq/200 denied bad_credentials $denied $no_tls "-"/,
    'auth_basic in place of Basic');

###############################################################################

# loaded and on nowhere

my $conf = $t->read_file('nginx.conf');

$conf =~ s/^\s*dm_sec_.*\n//mg;
$t->write_file('nginx.conf', $conf);

ok(reload_wait($t), 'reload');

is(tls('/', '', $alice, { port => 8444 }),
    qq/200 off - $denied $stock "alice"/, 'not on');

undef $t;

###############################################################################

sub send_to {
    my ($port, $uri, @lines) = @_;

    return keepalive($port)->request(request('GET', $uri, @lines)) // '';
}

# the line that a request leaves in the log

sub plain {
    my ($uri, @lines) = @_;

    send_to(8080, "$uri?n=" . ++$n, @lines);

    return join "\n", logged($n);
}

sub tls {
    my ($uri, $cert, @lines) = @_;
    my ($o) = ref $lines[-1] ? pop @lines : {};

    https($o->{port} || 8443, request('GET', "$uri?n=" . ++$n, @lines,
        { host => $o->{host} }),
        $cert ? (SSL_cert_file => "$d/$cert.crt",
            SSL_key_file => "$d/$cert.key") : (),
        map { $_ => $o->{$_} } grep { /^SSL/ } keys %$o);

    return join "\n", logged($n);
}

# without its URI; "-" is where nginx found none
sub logged {
    my ($number) = @_;
    my ($uri) = $number eq '-' ? '-' : "\\S*[?]n=$number";

    return @{ wait_for(30, sub {
        my @lines = $t->read_file('all.log') =~ /^$uri (.*)\n/mg;
        return @lines ? \@lines : undef;
    }) || [] };
}

# headers that the upstream received
sub sent {
    my ($response) = @_;

    $response =~ s/^.*?\r\n\r\n//s;

    return join ', ', $response =~ /^(X-.*)\r$/mg;
}

# headers that the client received
sub added {
    my ($response) = @_;

    return join ', ', map { header($response, $_) }
        qw/ X-Result X-Reason X-Account X-Method /;
}

# how many are in that log
sub refusals {
    my ($name) = @_;

    return scalar(() = $t->read_file("$name.log") =~ / denied [a-z]/g);
}

###############################################################################
