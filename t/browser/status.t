#!/usr/bin/perl

# Tests for dm_sec_status html in a real browser: nothing in its console, no
# scrolling sideways on a phone, a contrast that can be read, and the same
# words in the same order without any style.  With DM_SEC_SCREENSHOTS=DIR it
# leaves there what it saw.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir("$FindBin::Bin/.."); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Browser;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $browser = Test::DmSec::Browser->new();

plan(skip_all => 'no chromium-headless-shell or chromium') unless $browser;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy socket_ssl/)
    ->has_daemon('openssl')->plan(50);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;
    dm_sec_lockout       attempts=3;

    ssl_certificate        server.crt;
    ssl_certificate_key    server.key;
    ssl_client_certificate ca.crt;
    ssl_crl                ca.crl;
    ssl_verify_client      optional;

    server {
        listen       127.0.0.1:8443 ssl;
        listen       127.0.0.1:8080;
        server_name  dm.example.com;

        dm_sec_profile modern;

        location / {
            dm_sec_auth basic x509;
            proxy_pass http://127.0.0.1:8081;
        }

        location /pilot/ {
            dm_sec_auth   basic;
            dm_sec_groups pilot;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        location / {
            dm_sec_status html;
            allow 127.0.0.1;
            deny all;
        }
    }
}

EOF_CONF

my $d = $t->testdir();
my $evil = q{<script>alert(1)</script><img src=x onerror=alert(2)>"'};

ca($t, 'ca', days => 3000, subject => '/O=Example/CN=Device CA');
cert($t, 'server', ca => 'ca', days => 300, subject => '/CN=dm.example.com');
cert($t, 'device', ca => 'ca', days => 300, subject => '/CN=IMEI:493005100');
crl($t, 'ca');

store($t, realm => 'dm.example.com');
account($t, 'add', "IMEI:49300510059280$_", '--name', "dev-$_",
    { password => 'right' }) for 1 .. 5;
account($t, 'set', 'IMEI:493005100592805', '--cert', "$d/device.crt");

upstream($t, 8081);
$t->run();

###############################################################################

my %cert = (SSL_cert_file => "$d/device.crt", SSL_key_file => "$d/device.key");

# a usual day: devices that get in, and one that is asked for a password

https(8443, request('GET', '/', basic("dev-$_", 'right'))) for 1 .. 4;
https(8443, request('GET', '/'), %cert) for 1 .. 3;
https(8443, request('GET', '/'));
https(8443, request('GET', '/', basic('dev-2', 'wrong')));

look('healthy', 'All is well', qr/bad_credentials/);

# a bad one

cert($t, 'server', ca => 'ca', not_after => time() - 3 * 86400,
    subject => '/CN=dm.example.com');
crl($t, 'ca', next_update => time() - 7200);
ok(reload_wait($t), 'reloaded');

https(8443, request('GET', '/', basic('dev-3', 'wrong'))) for 1 .. 5;
https(8443, request('GET', '/', basic($evil, 'x'))) for 1 .. 4;
https(8443, request('GET', '/pilot/', basic('dev-1', 'right'))) for 1 .. 2;
https(8443, request('GET', '/', 'Authorization: Basic !'));
http_get('/');
s_client(8443, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0');

rename "$d/store/data.mdb", "$d/gone" or die "Can't rename: $!\n";

ok(wait_for(30, sub {
    https(8443, request('GET', '/', basic('dev-1', 'right'))) =~ / 503 /
        && http_get('/', socket => plain()) =~ /Trouble, Store/;
}), 'the store is gone');

look('trouble', 'Trouble: 4 of 8 parts', qr/<script>alert\(1\)/);

rename "$d/gone", "$d/store/data.mdb" or die "Can't rename: $!\n";

$browser->stop();
undef $t;

###############################################################################

# what a person sees at both widths, in both schemes
sub look {
    my ($name, $verdict, $named) = @_;

    foreach my $width (360, 1280) {
        foreach my $dark (0, 1) {
            my $as = "$name, $width pixels, " . ($dark ? 'dark' : 'light');
            my $view = $browser->view('http://127.0.0.1:' . port(8082) . '/',
                width => $width, dark => $dark);

            is(join("\n", @{ $view->{messages} }), '', "$as: console");
            cmp_ok($view->{overflow}, '<=', 0, "$as: no wider");
            cmp_ok($view->{contrast}, '>=', 4.5, "$as: contrast");
            is($view->{dark} ? 1 : 0, $dark, "$as: scheme");
            like($view->{bare}, qr/\A\s*\Q$verdict\E\n.*Is it well\?/s,
                "$as: the verdict first, without a style");
            like($view->{bare}, qr/Who is refused.*$named/s,
                "$as: who is refused");

            my $file = "status-$name-$width-" . ($dark ? 'dark' : 'light');

            keep("$file.png", $view->{png});
            keep("$file-first.png", $view->{first});
        }
    }
}

sub keep {
    my ($file, $png) = @_;
    my $dir = $ENV{DM_SEC_SCREENSHOTS} || return;

    open my $f, '>:raw', "$dir/$file" or die "Can't write $dir/$file: $!\n";
    print $f $png;
    close $f or die "Can't write $dir/$file: $!\n";
}

sub plain {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8082));
}

###############################################################################
