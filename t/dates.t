#!/usr/bin/perl

# Tests for the dates of certificates, CAs and CRLs: nginx -t, the page for
# people and the metrics tell of the same ones, and devices feel what they tell.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;
use Test::DmSec::Process qw/ run_command /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl socket_ssl/)
    ->has_daemon('openssl')->plan(41);

my $d = $t->testdir();
my $now = time();
my $tomorrow = $now + 86400;

# what is right
ca($t, 'root');
cert($t, 'server', ca => 'root', not_after => $now + 90 * 86400);

# a chain whose intermediate is over, before the certificate that it signed
ca($t, 'mid', issuer => 'root', not_after => $now - 3600);
cert($t, 'leaf', ca => 'mid', not_after => $now + 300 * 86400);

# a certificate from tomorrow, of two servers
cert($t, 'future', ca => 'root', not_before => $tomorrow,
    not_after => $now + 200 * 86400);

# CAs of devices: without a CRL, from tomorrow, and one whose CRL is so
ca($t, 'lacks', not_after => $now + 40 * 86400);
ca($t, 'later', not_before => $tomorrow, not_after => $now + 50 * 86400);
ca($t, 'early', not_after => $now + 60 * 86400);
crl($t, 'later', next_update => $now + 3600 * 20);
crl($t, 'early', next_update => $tomorrow + 3600);
cert($t, 'device', ca => 'lacks');
join_files('cas.pem', map { "$_.crt" } qw/ lacks later early /);
join_files('crls.pem', map { "$_.crl" } qw/ later early /);

store($t, realm => 'dm.example');

my $status = <<'EOF_CONF';
    server {
        listen       127.0.0.1:8080;
        server_name  status;

        allow 127.0.0.1;
        deny  all;

        location /html {
            dm_sec_status html;
        }

        location /prometheus {
            dm_sec_status prometheus;
        }

        location /json {
            dm_sec_status json;
        }
    }
EOF_CONF

write_conf(server('chain', 8443, 'leaf') . server('one', 8444, 'future')
    . server('two', 8445, 'future') . server('clients', 8446, 'server',
        "ssl_verify_client optional; ssl_client_certificate cas.pem;\n"
        . 'ssl_crl crls.pem; '));

my (undef, $said) = nginx_t($t);

$t->run();

###############################################################################

my ($page, $metrics, @rows, $r);

$page = http_content(http_get('/html'));
$metrics = http_content(http_get('/prometheus'));

# nginx -t

like($said, qr/\[warn\] .*CA .*"ssl_certificate" has expired: .*"CN=mid" in s/,
    'an intermediate that is over');
like($said, qr/certificate .*is not in force yet: .*"CN=future" in server "$_"/,
    "a certificate from tomorrow, $_") for qw/ one two /;
like($said, qr/a CA .*has no CRL in "ssl_crl": .*"CN=lacks" in server "cli/,
    'a CA without a CRL');
like($said, qr/a CA of devices is not in force yet: .*"CN=later" in server/,
    'a CA from tomorrow');
like($said, qr/a CRL in "ssl_crl" is not in force yet: .*"CN=early" of "ssl/,
    'a CRL from tomorrow');
is(() = $said =~ /\[warn\]/g, 6, 'and no more');

# the page: the same, each once, with all of its servers

@rows = troubles($page);

is_deeply([ map { /CN=(\w+)/ } @rows ],
    [ qw/ mid early later future lacks / ], 'the page has the same');
like($page, qr/<h1>Trouble: 5 of /, 'none of it is well');
like(row(qr/CN=mid/), qr/Intermediate CA.* ended \d+ min ago/, 'over');
like(row(qr/CN=future/), qr/Certificate.* begins in \d+ hours, .* one, two$/,
    'from tomorrow, of two servers');
like(row(qr/CN=later/), qr/Client CA.* begins in \d+ hours, /, 'CA');
like(row(qr/CN=early/), qr/CRL.* begins in \d+ min, /, 'CRL');
like(row(qr/CN=lacks/), qr/CRL.* there is none: CN=lacks, of server cli/,
    'no CRL');
unlike($page, qr/CN=server\W[^<]*<\/td>.{0,60}Trouble/s, 'what is right');

# the metrics

is(series('certificate_expiry_timestamp_seconds', 'chain'), $now - 3600,
    'the first of the chain to end');
is(series('certificate_expiry_timestamp_seconds', $_), $now + 200 * 86400,
    "each server has its series, $_") for qw/ one two /;
is(series('certificate_expiry_timestamp_seconds', 'status'), '',
    'one without TLS has none');
is(series('client_ca_expiry_timestamp_seconds', 'clients'),
    $now + 40 * 86400, 'the first CA to end');
is(series('crl_expiry_timestamp_seconds', 'clients'), $now + 3600 * 20,
    'the first CRL to end');
is_deeply({ $metrics =~ /^dmsec_certificates_not_in_force\{kind="(\w+)"\}
    \ (\d+)$/mgx }, { certificate => 1, intermediate => 1, client_ca => 1,
    crl => 1, crl_missing => 1 }, 'what is not in force');

# devices feel it

isnt(verify('leaf', 'chain', 8443), 0, 'the chain is refused');
is(verify('server', 'clients', 8446), 0, 'the good one is not');
is(status(https(8446, request('GET', '/'), SSL_cert_file => "$d/device.crt",
    SSL_key_file => "$d/device.key") // ''), 400, 'a device of the CA');

$t->stop();

# many

cert($t, "over$_", ca => 'root', not_after => $now - 60 * $_) for 1 .. 2;

write_conf(join '', map { server("s$_", 8460 + $_, 'over' . (1 + $_ % 2)) }
    1 .. 20);
(undef, $said) = nginx_t($t);

is(() = $said =~ /\[warn\]/g, 1, 'many are one line');
like($said, qr/in 20 places: "CN=over2" in server "s1" in .*; and 17 more/,
    'with their number and the first');

# more than the page has rows for

join_files('cas.pem', map { ca($t, "ca$_", not_after => $now - 60); "ca$_.crt" }
    1 .. 20);

write_conf(server('many', 8443, 'server', 'ssl_verify_client optional;'
    . 'ssl_client_certificate cas.pem;'));

$t->run();

$page = http_content(http_get('/html'));

like($page, qr/<h1>Trouble: 17 of /, 'each of them is a trouble');
like((grep { /Dates/ } troubles($page))[0] // '',
    qr/5 more .*: 4 refused now, 0 end soon, 1 end later/,
    'those that have no row too');
unlike(http_content(http_get('/prometheus')),
    qr/^dmsec_crl_expiry_timestamp_seconds\{/m, 'no CRLs');

$t->stop();

# what a newer one of the same name and key takes the place of does no harm

my $end = $now + 30 * 86400;

ca($t, 'renewed', not_after => $now - 3600);
run_command([ 'openssl', 'x509', '-in', "$d/renewed.crt", '-key',
    "$d/renewed.key", '-days', 20, '-out', "$d/again.crt" ]);
ca($t, 'twice', not_after => $end);
cert($t, 'device', ca => 'twice');

foreach my $name (qw/ renewed twice /) {
    crl($t, $name, next_update => $now - 60);
    $t->write_file("$name.old", $t->read_file("$name.crl"));
    crl($t, $name, next_update => $now + 3600);
}

join_files('cas.pem', qw/ renewed.crt again.crt twice.crt /);

foreach my $order ([ qw/ old crl / ], [ qw/ crl old / ]) {
    join_files('crls.pem', map { ("renewed.$_", "twice.$_") } @$order);

    write_conf(server('both', 8443, 'server', 'ssl_verify_client on;'
        . 'ssl_client_certificate cas.pem; ssl_crl crls.pem;'));
    (undef, $said) = nginx_t($t);
    is(() = $said =~ /\[warn\]/g, 0, "@$order: no harm");

    $t->run();

    $metrics = http_content(http_get('/prometheus'));
    is(series('crl_expiry_timestamp_seconds', 'both'), $now + 3600,
        "@$order: the newer counts");
    cmp_ok(series('client_ca_expiry_timestamp_seconds', 'both'), '>', $now,
        "@$order: of CAs too");
    unlike($metrics, qr/^dmsec_certificates_not_in_force\{[^}]*\} [1-9]/m,
        "@$order: all are in force");
    isnt(status(https(8443, request('GET', '/'), SSL_cert_file =>
        "$d/device.crt", SSL_key_file => "$d/device.key") // ''), 400,
        "@$order: a device gets in");

    $t->stop();
}

# one of the same name and another key is no successor

ca($t, 'stranger', subject => '/CN=renewed');
join_files('cas.pem', qw/ renewed.crt stranger.crt /);
write_conf(server('keys', 8443, 'server', 'ssl_verify_client on;'
    . 'ssl_client_certificate cas.pem;'));
(undef, $said) = nginx_t($t);
like($said, qr/a CA of devices has expired: .*"CN=renewed"/, 'another key');

undef $t;

###############################################################################

sub join_files {
    my ($name, @parts) = @_;

    $t->write_file($name, join '', map { $t->read_file($_) } @parts);
}

sub server {
    my ($name, $port, $cert, $more) = @_;
    $more //= '';

    return <<"EOC";
    server {
        listen       127.0.0.1:$port ssl;
        server_name  $name;

        ssl_certificate     $cert.crt;
        ssl_certificate_key $cert.key;
        $more

        location / {
            dm_sec_auth basic;
        }
    }
EOC
}

sub write_conf {
    my ($servers) = @_;

    $t->write_file_expand('nginx.conf', <<"EOC");
%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    dm_sec_account_store $d/store;
    dm_sec_store_key     $d/store.key;

$servers
$status
}
EOC
}

# the rows of what is in trouble, as text
sub troubles {
    my ($html) = @_;
    my ($table) = $html =~ m{id="health".*?<tbody>(.*?)</tbody>}s;

    return map { s/<.*?>/ /gr =~ s/\s+/ /gr =~ s/^ | $//gr }
        grep { /class="trouble"/ } split /\n/, $table;
}

sub row {
    my ($pattern) = @_;

    return join '', grep { /$pattern/ } @rows;
}

sub series {
    my ($name, $server) = @_;

    return $metrics =~ /^dmsec_$name\{server="$server"\} (\d+)$/m ? $1 : '';
}

# what openssl says of the server's certificate
sub verify {
    my ($cert, $name, $port) = @_;

    return s_client($port, '-CAfile', "$d/root.crt", '-servername', $name,
        '-verify_return_error')->{exit};
}

###############################################################################
