#!/usr/bin/perl

# Tests for dm_sec_auth x509 beside nginx's own directives for client
# certificates: ssl_verify_client, ssl_verify_depth, ssl_client_certificate,
# ssl_trusted_certificate, ssl_crl, ssl_ocsp.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Socket::INET;
use MIME::Base64 qw/ decode_base64 /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy socket_ssl/)
    ->has_daemon('openssl')->plan(154);

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

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;

    ssl_client_certificate  root.crt;
    ssl_verify_client       optional;

    dm_sec_profile modern;

    # revocation lists, and sessions in the cache

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        ssl_crl              all.crl;
        ssl_verify_depth     2;
        ssl_session_cache    shared:SSL:1m;
        ssl_session_tickets  off;

        dm_sec_auth x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # the same, with sessions in tickets

    server {
        listen       127.0.0.1:8444 ssl;
        server_name  localhost;

        ssl_crl                 all.crl;
        ssl_verify_depth        2;
        ssl_session_cache       off;
        ssl_session_ticket_key  ticket.key;

        dm_sec_auth x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # what nginx refuses goes to a location that authenticates

    server {
        listen       127.0.0.1:8445 ssl;
        server_name  localhost;

        ssl_crl           all.crl;
        ssl_verify_depth  2;

        error_page 495 496 = /again;

        dm_sec_auth x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8446 ssl;
        server_name  localhost;

        ssl_ocsp            leaf;
        ssl_ocsp_responder  http://127.0.0.1:8082/;
        ssl_session_cache   shared:OCSP:1m;

        dm_sec_auth x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8447 ssl;
        server_name  localhost;

        ssl_ocsp            leaf;
        ssl_ocsp_responder  http://127.0.0.1:8082/;

        error_page 495 = /again;

        dm_sec_auth x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # how long a chain may be

    server {
        listen       127.0.0.1:8448 ssl;
        server_name  localhost;

        ssl_verify_depth 0;

        dm_sec_auth x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # which CAs are trusted

    server {
        listen       127.0.0.1:8449 ssl;
        server_name  localhost;

        ssl_client_certificate  trusted.crt;
        ssl_session_cache       shared:CA:1m;
        ssl_session_tickets     off;

        dm_sec_auth x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8450 ssl;
        server_name  localhost;

        ssl_trusted_certificate  trusted.crt;
        ssl_session_ticket_key   ticket.key;

        dm_sec_auth x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # whether a certificate must be there, and must verify

    server {
        listen       127.0.0.1:8451 ssl;
        server_name  localhost;

        ssl_verify_client optional_no_ca;

        dm_sec_auth x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /mixed {
            dm_sec_auth x509 basic;
            proxy_pass http://127.0.0.1:8081;
        }

        location /basic {
            dm_sec_auth basic;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8452 ssl;
        server_name  localhost;

        ssl_verify_client on;

        dm_sec_auth x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /basic {
            dm_sec_auth basic;
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

my $d = $t->testdir();
my $denied = 0;

###############################################################################

ca($t, 'root');
ca($t, 'inter', issuer => 'root');
ca($t, 'inter2', issuer => 'root');
ca($t, 'other');
ca($t, 'stranger');

cert($t, 'server', ca => 'root', key => 'rsa:2048');
cert($t, 'good', ca => 'root');
cert($t, 'victim', ca => 'root');
cert($t, 'inner', ca => 'inter');
cert($t, 'inner2', ca => 'inter2');
cert($t, 'other-good', ca => 'other');
cert($t, 'untrusted', ca => 'stranger');
cert($t, 'expired', ca => 'root', not_after => time() - 60);
cert($t, 'early', ca => 'root', not_before => time() + 3600);
cert($t, 'server-auth', ca => 'root', eku => 'serverAuth');
cert($t, 'client-auth', ca => 'root', eku => 'clientAuth');

run_command([ qw/ openssl req -x509 -newkey ec -nodes -subj /, '/CN=self',
    '-pkeyopt', 'ec_paramgen_curve:P-256', '-config', '/dev/null',
    '-keyout', "$d/self.key", '-out', "$d/self.crt" ]);

$t->write_file('trusted.crt', $t->read_file('root.crt')
    . $t->read_file('other.crt'));
$t->write_file('ticket.key', join '', map { chr int rand 256 } 1 .. 80);

revoke(root => [], inter => [], inter2 => []);
ocsp_revoke();

# each of them has an account, and stays bound to it to the end

store($t, realm => 'example', args => [ '--map-size', '1m' ]);

account($t, 'add', $_, '--cert', "$d/$_.crt", { password => 'secret' })
    foreach qw/ good victim inner inner2 other-good untrusted expired early
        server-auth client-auth self /;

upstream($t, 8081);
$t->run_daemon(\&ocsp_responder);
$t->waitforsocket('127.0.0.1:' . port(8082));

my (undef, $output) = nginx_t($t);

like($output, qr/\[warn\] .*"ssl_verify_client on" .* in location "\/basic" /,
    'on warns where x509 is not accepted');
is(() = $output =~ /\[(?:warn|emerg)\]/g, 1, 'no other warning');

$t->run();

###############################################################################

# what nginx refuses, whatever account there is

accepted(8443, 'good');
accepted(8443, 'client-auth');
refused_by_nginx(8443, 'expired');
refused_by_nginx(8443, 'early');
refused_by_nginx(8443, 'untrusted');
refused_by_nginx(8443, 'self', 'self-signed');
refused_by_nginx(8443, 'server-auth');

# ssl_verify_depth counts intermediate CAs

accepted(8443, 'inner');
accepted(8448, 'good');
refused_by_nginx(8448, 'inner', 'ssl_verify_depth');

# ssl_trusted_certificate

accepted(8449, 'other-good');
accepted(8450, 'other-good');
refused_by_nginx(8443, 'other-good', 'another CA');

# optional_no_ca

accepted(8451, 'good');
refused(8451, 'untrusted', 'certificate_unknown_ca');
refused(8451, 'self', 'certificate_unknown_ca', 'self-signed');
refused(8451, 'untrusted', 'certificate_unknown_ca', 'beside a right password',
    '/mixed', basic('good', 'secret'));
refused_by_nginx(8451, 'expired', 'optional_no_ca, expired');
refused_by_nginx(8451, 'server-auth', 'optional_no_ca, only serverAuth');
is(who(get(8451, 'untrusted', '/basic', basic('good', 'secret'))), 'good',
    'optional_no_ca where no certificate is accepted');

# on

accepted(8452, 'good');
refused_by_nginx(8452, undef, 'on, no certificate');
refused_by_nginx(8452, 'untrusted', 'on, untrusted');
is(who(get(8452, 'good', '/basic', basic('victim', 'secret'))), 'victim',
    'on where no certificate is accepted');

# ssl_ocsp

accepted(8446, 'good');
accepted(8446, 'victim');
ok(ocsp_requests() >= 2, 'responder asked');

my %ocsp = sessions(client('victim'), SSL_version => 'TLSv1_2');
is(who(get(8446, \%ocsp)), 'victim', 'ocsp session');

ocsp_revoke('victim');

accepted(8446, 'good');
refused_by_nginx(8446, 'victim', 'ocsp revoked');
refused_by_nginx(8446, \%ocsp, 'ocsp revoked since the session was made');
refused(8447, 'victim', 'certificate_revoked', 'ocsp revoked, error_page');
accepted(8447, 'good');

$t->write_file('ocsp.txt', '');

refused_by_nginx(8446, 'good', 'ocsp unknown');
refused(8447, 'good', 'certificate_invalid', 'ocsp unknown, error_page');

$t->write_file('ocsp.fail', '');

refused_by_nginx(8446, 'good', 'ocsp responder fails');
refused(8447, 'good', 'certificate_invalid',
    'ocsp responder fails, error_page');

###############################################################################

# sessions from before a reload

my @sessions = map { session(@$_) }
    [ 8443, 'good', 'TLSv1_2' ], [ 8443, 'good', 'TLSv1_3' ],
    [ 8444, 'good', 'TLSv1_2' ], [ 8444, 'good', 'TLSv1_3' ],
    [ 8443, 'victim', 'TLSv1_2' ], [ 8443, 'victim', 'TLSv1_3' ],
    [ 8444, 'victim', 'TLSv1_2' ], [ 8444, 'victim', 'TLSv1_3' ],
    [ 8443, 'inner', 'TLSv1_2' ], [ 8444, 'inner', 'TLSv1_3' ],
    [ 8443, 'inner2', 'TLSv1_2' ], [ 8444, 'inner2', 'TLSv1_3' ],
    [ 8449, 'other-good', 'TLSv1_2' ], [ 8450, 'other-good', 'TLSv1_3' ];

ok(reload_wait($t), 'reload without a change');

foreach my $s (@sessions) {
    my ($r, $info) = https($s->{port}, request('GET', '/'), %{ $s->{tls} });

    is(who($r), $s->{cert}, "$s->{name} after a reload");
    ok($info->{reused}, "$s->{name} reused");
}

# a certificate is revoked, a CA is, a CA is no longer trusted

revoke(root => [ 'victim', 'inter' ], inter => [], inter2 => []);
$t->write_file('trusted.crt', $t->read_file('root.crt'));

ok(reload_wait($t), 'reload with new files');

foreach my $s (@sessions) {
    if ($s->{cert} =~ /^(?:good|inner2)$/) {
        is(who(get($s->{port}, $s->{tls})), $s->{cert}, "$s->{name} goes on");
        next;
    }

    refused_by_nginx($s->{port}, $s->{tls}, "$s->{name}, no longer trusted");
}

foreach my $port (8443, 8444) {
    accepted($port, 'good');
    accepted($port, 'inner2');
    refused_by_nginx($port, 'victim', "$port revoked");
    refused_by_nginx($port, 'inner', "$port CA revoked");
}

refused_by_nginx(8449, 'other-good', 'ssl_client_certificate without the CA');
refused_by_nginx(8450, 'other-good', 'ssl_trusted_certificate without the CA');

# what nginx refused comes back by way of error_page

accepted(8445, 'good');
refused(8445, 'victim', 'certificate_revoked', 'revoked, error_page');
refused(8445, 'inner', 'certificate_revoked', 'CA revoked, error_page');
refused(8445, 'expired', 'certificate_expired', 'expired, error_page');
refused(8445, 'untrusted', 'certificate_unknown_ca', 'untrusted, error_page');

# without a CRL for each CA of the chain, nobody is verified

$t->write_file('all.crl', $t->read_file('inter2.crl'));

ok(reload_wait($t), 'reload without a CRL of the root');
refused_by_nginx(8443, 'good', 'no CRL');

undef $t;

###############################################################################

sub client {
    my ($name) = @_;

    return (SSL_cert_file => "$d/$name.crt", SSL_key_file => "$d/$name.key");
}

# the account that the upstream was told of
sub who {
    my ($response) = @_;

    return status($response) == 200
        && $response =~ /^DM-Client-ID: (.*)\r$/m ? $1 : $response;
}

# a client is the name of a certificate, or options
sub get {
    my ($port, $client, $uri, @lines) = @_;

    return scalar https($port, request('GET', $uri || '/', @lines),
        ref $client ? %$client : $client ? client($client) : ());
}

sub accepted {
    my ($port, $cert) = @_;

    is(who(get($port, $cert)), $cert, "$port $cert");
}

# the module's answer, its line in the log, and nothing at the upstream
sub refused {
    my ($port, $cert, $reason, $name, @request) = @_;
    my ($contacted, $r);

    $name ||= "$port $cert";
    $contacted = upstream_count($t, 8081);
    $r = get($port, $cert, @request);

    is(status($r), 403, "$name status");
    is_deeply([ (denied($t, ++$denied))[-1]{reason},
        upstream_count($t, 8081) - $contacted ], [ $reason, 0 ],
        "$name refused");
}

# nginx's own answer, before the module sees the request, and the module's line
sub refused_by_nginx {
    my ($port, $client, $name) = @_;
    my ($contacted, $r);

    $name ||= "$port $client";
    $contacted = upstream_count($t, 8081);
    $r = get($port, $client);

    like($r, qr/^HTTP\S+ 400 .*SSL certificate (?:error|was sent)/s,
        "$name 400");
    is_deeply([ (denied($t, ++$denied))[-1]{status}, denied($t, 0) - $denied,
        upstream_count($t, 8081) - $contacted ], [ 400, 0, 0 ],
        "$name refused");
}

# a client that has a session
sub session {
    my ($port, $cert, $version) = @_;
    my (%s);

    %s = (port => $port, cert => $cert, name => "$port $cert $version",
        tls => { sessions(client($cert), SSL_version => $version) });

    is(who(get($port, $s{tls})), $cert, "$s{name} session");

    return \%s;
}

# the CRLs of these CAs in one file
sub revoke {
    my (%revoked) = @_;

    crl($t, $_, revoked => $revoked{$_}) foreach keys %revoked;

    $t->write_file('all.crl',
        join '', map { $t->read_file("$_.crl") } keys %revoked);
}

# what the OCSP responder knows
sub ocsp_revoke {
    my (@names) = @_;
    my ($index) = $t->read_file('root.ca/index.txt');

    foreach my $name (@names) {
        my $serial = cert_info($t, $name)->{serial};
        $index =~ s/^V\t(\S+)\t\t$serial\t/R\t$1\t250101000000Z\t$serial\t/m;
    }

    $t->write_file('ocsp.txt', $index);
    $t->write_file('ocsp.txt.attr', "unique_subject = no\n");
}

# openssl ocsp behind a loopback address: by itself it listens on all
sub ocsp_responder {
    my ($listener);

    $listener = IO::Socket::INET->new(Proto => 'tcp', Listen => 5,
        LocalAddr => '127.0.0.1:' . port(8082), ReuseAddr => 1)
        or die "Can't listen: $!\n";

    while (my $client = $listener->accept()) {
        my ($line, $response) = (scalar(<$client>) // next);

        1 while (<$client> // "\r\n") ne "\r\n";

        print {$client} ocsp_response($line);
        close $client;
    }
}

sub ocsp_response {
    my ($line) = @_;

    return "HTTP/1.0 500 Error\r\n\r\n" if -e "$d/ocsp.fail";

    $line =~ m{^GET /(\S+) } or return "HTTP/1.0 405 Error\r\n\r\n";

    open my $log, '>>', "$d/ocsp.log" or die "Can't open ocsp.log: $!\n";
    print {$log} $line;
    close $log;

    $t->write_file('ocsp.req',
        decode_base64($1 =~ s/%([0-9a-f]{2})/chr hex $1/gier));
    run_command([ 'openssl', 'ocsp', '-index', "$d/ocsp.txt",
        '-CA', "$d/root.crt", '-rsigner', "$d/root.crt",
        '-rkey', "$d/root.key", '-reqin', "$d/ocsp.req",
        '-respout', "$d/ocsp.resp" ]);

    return "HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\n"
        . $t->read_file('ocsp.resp');
}

sub ocsp_requests {
    return -e "$d/ocsp.log" ? $t->read_file('ocsp.log') =~ tr/\n// : 0;
}

###############################################################################
