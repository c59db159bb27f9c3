#!/usr/bin/perl

# Tests for dm_sec_auth x509: the account that a client certificate is bound
# to, what it means for a request, and when it means nothing.

###############################################################################

use warnings;
use strict;

use Test::More;

use MIME::Base64 qw/ decode_base64 encode_base64 /;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Clock;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy socket_ssl/)
    ->has_daemon('openssl');
my $clock = Test::DmSec::Clock->new($t);

$t->plan(173);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

env FAKETIME_TIMESTAMP_FILE;
env FAKETIME_NO_CACHE;
env FAKETIME_DONT_FAKE_MONOTONIC;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;

    ssl_certificate      rsa-server.crt;
    ssl_certificate_key  rsa-server.key;
    ssl_certificate      ec-server.crt;
    ssl_certificate_key  ec-server.key;

    ssl_client_certificate  trusted.crt;
    ssl_verify_client       optional;

    dm_sec_profile modern dm20;

    proxy_set_header X-Reused $ssl_session_reused;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        ssl_session_cache   shared:SSL:1m;
        ssl_session_timeout 1d;

        dm_sec_auth x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /fingerprint {
            dm_sec_x509_identity fingerprint;
            proxy_pass http://127.0.0.1:8081;
        }

        location /issuer-serial {
            dm_sec_x509_identity issuer-serial;
            proxy_pass http://127.0.0.1:8081;
        }

        location /san {
            dm_sec_x509_identity san;
            proxy_pass http://127.0.0.1:8081;
        }

        location /subject {
            dm_sec_x509_identity subject;
            proxy_pass http://127.0.0.1:8081;
        }

        location /order/subject-san {
            dm_sec_x509_identity subject san;
            proxy_pass http://127.0.0.1:8081;
        }

        location /order/san-subject {
            dm_sec_x509_identity san subject;
            proxy_pass http://127.0.0.1:8081;
        }

        location /order/no-match {
            dm_sec_x509_identity "CN=(no match)" issuer-serial fingerprint;
            proxy_pass http://127.0.0.1:8081;
        }

        location /regex/cn {
            dm_sec_x509_identity "CN=([^,]+),O=Example";
            proxy_pass http://127.0.0.1:8081;
        }

        location /regex/anchors {
            dm_sec_x509_identity "^CN=([^,]+),O=Example$";
            proxy_pass http://127.0.0.1:8081;
        }

        location /regex/start {
            dm_sec_x509_identity "IMEI:([0-9]+),O=Example";
            proxy_pass http://127.0.0.1:8081;
        }

        location /regex/end {
            dm_sec_x509_identity "CN=([^,]+)";
            proxy_pass http://127.0.0.1:8081;
        }

        location /regex/alternatives {
            dm_sec_x509_identity "never(x)|.*(Example)|CN=(IMEI:[0-9]+)";
            proxy_pass http://127.0.0.1:8081;
        }

        location /regex/first-group {
            dm_sec_x509_identity "(?:CN)=([^,]+),(O)=(Exam)(ple)";
            proxy_pass http://127.0.0.1:8081;
        }

        location /regex/second-group {
            dm_sec_x509_identity "CN=(?:(never)|([^,]+)),O=Example";
            proxy_pass http://127.0.0.1:8081;
        }

        location /regex/empty-group {
            dm_sec_x509_identity "CN=[^,]+(),O=Example";
            proxy_pass http://127.0.0.1:8081;
        }

        location /regex/octets {
            dm_sec_x509_identity "CN=(Ger\xC3\xA4t.*),O=Example";
            proxy_pass http://127.0.0.1:8081;
        }

        location /regex/two {
            dm_sec_x509_identity "OU=(.*)" "CN=([^,]+),O=(.*)";
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
        listen       127.0.0.1:8444 ssl;
        server_name  localhost;

        dm_sec_auth          x509;
        dm_sec_x509_identity subject;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /fingerprint {
            dm_sec_x509_identity fingerprint;
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

my $d = $t->testdir();
my $denied = 0;

###############################################################################

ca($t, 'root');
ca($t, 'other', subject => '/O=Other/CN=root');

$t->write_file('trusted.crt', $t->read_file('root.crt')
    . $t->read_file('other.crt'));

cert($t, 'ec-server', ca => 'root');
cert($t, 'rsa-server', ca => 'root', key => 'rsa:2048');

# one certificate that is bound to another account in each way

cert($t, 'one', ca => 'root', serial => 'ABCD',
    subject => '/O=Example/CN=IMEI:1', san => [ 'email:a@example.org',
        'DNS:Dev.Example.ORG', 'URI:urn:Example:One' ]);
cert($t, 'twin', ca => 'other', serial => 'ABCD',
    subject => '/O=Example/CN=IMEI:1/OU=twin');
cert($t, 'rsa', ca => 'root', key => 'rsa:2048', eku => 'clientAuth');
cert($t, 'utf8', ca => 'root', subject => "/O=Example/CN=Ger\xc3\xa4t 7");
cert($t, 'lower', ca => 'root', subject => '/O=Example/CN=imei:1');
cert($t, 'comma', ca => 'root', subject => '/O=Evil/CN=IMEI:1,O=Example');
cert($t, 'nameless', ca => 'root', subject => '/',
    san => [ 'DNS:nameless.example.org' ]);
cert($t, 'many', ca => 'root', subject => '/O=Example/CN=many',
    san => [ map { ("email:e$_\@example.org", "DNS:n$_.example.org") }
        1 .. 129 ]);
cert($t, 'addressed', ca => 'root', subject => '/O=Example/CN=addressed',
    san => [ 'IP:127.0.0.1' ]);

# the name that stands before the NUL is that of an account

cert($t, 'nul-cn', ca => 'root', subject => '/O=Example/CN=IMEI:1~evil');
cert($t, 'nul-dns', ca => 'root', san => [ 'DNS:dev.example.org~evil.org',
    'DNS:second.example.org' ]);
cert($t, 'nul-uri', ca => 'root', san => [ 'URI:urn:Example:One~evil' ]);
resign('nul-cn', 'IMEI:1~evil', "IMEI:1\0evil");
resign('nul-dns', 'dev.example.org~evil.org', "dev.example.org\0evil.org");
resign('nul-uri', 'urn:Example:One~evil', "urn:Example:One\0evil");

store($t, realm => 'example', args => [ '--map-size', '1m' ]);

account($t, 'add', 'by-fingerprint', '--cert', "$d/one.crt",
    map { ('--cert', "$d/$_.crt") } qw/ rsa nul-cn nul-dns nul-uri /);
account($t, 'add', 'by-serial',
    '--cert-key', 'issuer-serial:CN=root#00:AB:CD');
account($t, 'add', 'by-san', '--cert-key', 'san:DNS:dev.example.org');
account($t, 'add', 'by-subject', '--cert-key',
    'subject:CN=IMEI:1,O=Example', '--group', 'a', '--group', 'b');
account($t, 'add', 'IMEI:1', '--name', 'me', { password => 'secret' });
account($t, 'add', '1', '--name', 'one');
account($t, 'add', "Ger\xc3\xa4t 7", '--name', 'geraet',
    '--cert-key', "subject:CN=Ger\xc3\xa4t 7,O=Example");
account($t, 'add', 'uri', '--cert-key', 'san:URI:urn:example:one');
account($t, 'add', 'many', '--cert-key', 'san:DNS:n128.example.org');
account($t, 'add', 'nameless', '--cert-key',
    'san:DNS:nameless.example.org');

upstream($t, 8081);
# the timers of connections that stay open go by the other clock
$clock->run($t, FAKETIME_DONT_FAKE_MONOTONIC => 1);

# expires while its connection is open

cert($t, 'brief', ca => 'root', subject => '/O=Example/CN=IMEI:1',
    not_after => int(time()) + 3600);

my %brief = sessions(client('brief'));
my $brief = keepalive(8443, SSL => 1, %brief);

is(who($brief->request(request('GET', '/subject'))), 'by-subject',
    'certificate that is about to expire');

###############################################################################

# each kind

accepted('/fingerprint', 'one', 'by-fingerprint');
accepted('/issuer-serial', 'one', 'by-serial');
accepted('/san', 'one', 'by-san');
accepted('/subject', 'one', 'by-subject');
accepted('/regex/cn', 'one', 'IMEI:1');

# the order; the first that finds an account

accepted('/order/subject-san', 'one', 'by-subject');
accepted('/order/san-subject', 'one', 'by-san');
accepted('/order/no-match', 'one', 'by-serial');
accepted('/order/no-match', 'rsa', 'by-fingerprint');

# of a server, and of a location in it

accepted('/', 'one', 'by-subject', port => 8444);
accepted('/fingerprint', 'one', 'by-fingerprint', port => 8444);

# on one connection each location looks in its own way

my $c = keepalive(8443, SSL => 1, client('one'));

foreach ([ '/san', 'by-san' ], [ '/subject', 'by-subject' ],
    [ '/regex/cn', 'IMEI:1' ], [ '/', 'by-fingerprint' ])
{
    is(who($c->request(request('GET', $_->[0]))), $_->[1],
        "$_->[0] on an open connection");
}

# the default: fingerprint, san, subject.  Changes are in force at once.

account($t, 'set', 'by-fingerprint', '--drop-cert-key',
    'sha256:' . sha256('one'));
is(who($c->request(request('GET', '/'))), 'by-san', 'default san');

account($t, 'set', 'by-san', '--drop-cert-key', 'san:DNS:dev.example.org');
is(who($c->request(request('GET', '/'))), 'by-subject', 'default subject');

account($t, 'set', 'by-subject', '--drop-cert-key',
    'subject:CN=IMEI:1,O=Example');
refused('/', 'one', 'certificate_unbound', client => $c,
    name => 'default without issuer-serial and regex');

account($t, 'set', 'by-fingerprint', '--cert-key',
    'sha256:' . join(':', unpack '(A2)*', uc sha256('one')));
account($t, 'set', 'by-san', '--cert-key', 'san:DNS:DEV.example.org');
account($t, 'set', 'by-subject', '--cert-key', 'subject:CN=IMEI:1,O=Example');
is(who($c->request(request('GET', '/'))), 'by-fingerprint',
    'default fingerprint, bound in upper case with colons');
is(who($c->request(request('GET', '/san'))), 'by-san',
    'DNS name bound in another case');

# what the upstream is told

my ($u) = (upstream_log($t, 8081))[-1];

is_deeply($u->{fields}{'dm-auth-method'}, [ 'x509' ], 'DM-Auth-Method');
is($u->{fields}{'dm-groups'}, undef, 'no groups');

accepted('/subject', 'one', 'by-subject');
is((upstream_log($t, 8081))[-1]{fields}{'dm-groups'}[0], 'a,b', 'groups');

# names that are like another's

my %keys = (
    '/issuer-serial twin' => 'issuer-serial:CN=root,O=Other#abcd',
    '/subject twin'       => 'subject:OU=twin,CN=IMEI:1,O=Example',
    '/subject lower'      => 'subject:CN=imei:1,O=Example',
    '/subject comma'      => 'subject:CN=IMEI:1\,O=Example,O=Evil',
    '/subject nul-dns'    => 'subject:CN=nul-dns',
    '/subject nul-uri'    => 'subject:CN=nul-uri',
    '/san one'            => 'san:DNS:dev.example.org',
    '/san many'           => 'san:DNS:n1.example.org',
    '/san nul-dns'        => 'san:DNS:second.example.org',
    '/regex/cn many'      => 'many',
);

refused('/issuer-serial', 'twin', 'certificate_unbound');
refused('/subject', 'twin', 'certificate_unbound');
refused('/subject', 'lower', 'certificate_unbound');
refused('/subject', 'comma', 'certificate_unbound');
refused('/regex/cn', 'comma', 'certificate_unbound');
refused('/regex/end', 'comma', 'certificate_unbound');
refused('/san', 'twin', 'certificate_unbound');

account($t, 'set', 'by-san', '--drop-cert-key', 'san:DNS:dev.example.org');
refused('/san', 'one', 'certificate_unbound', name => 'URI in another case');
account($t, 'set', 'uri', '--cert-key', 'san:URI:urn:Example:One');
accepted('/san', 'one', 'uri');
account($t, 'set', 'by-san', '--cert-key', 'san:DNS:dev.example.org');
accepted('/san', 'one', 'by-san', name => 'the first of several names');

# regular expressions

accepted('/regex/anchors', 'one', 'IMEI:1');
accepted('/regex/first-group', 'one', 'IMEI:1');
accepted('/regex/two', 'one', 'IMEI:1');
accepted('/regex/cn', 'lower', 'IMEI:1');
refused('/regex/start', 'one', 'certificate_unbound');
refused('/regex/end', 'one', 'certificate_unbound');
refused('/regex/alternatives', 'one', 'certificate_unbound');
refused('/regex/second-group', 'one', 'certificate_unbound');
refused('/regex/empty-group', 'one', 'certificate_unbound');
refused('/regex/cn', 'many', 'account_disabled', account => 'many',
    before => [ 'disable', 'many' ]);
account($t, 'enable', 'many');
refused('/regex/cn', 'twin', 'certificate_unbound');
refused('/regex/cn', 'rsa', 'certificate_unbound');

# UTF-8

accepted('/subject', 'utf8', "Ger\xc3\xa4t 7");
accepted('/regex/cn', 'utf8', "Ger\xc3\xa4t 7");
accepted('/regex/octets', 'utf8', "Ger\xc3\xa4t 7");

# nothing presented, and what nothing is bound to

refused('/', undef, 'certificate_required');
refused('/mixed', undef, 'no_credentials', status => 401);
refused('/', 'comma', 'certificate_unbound');
refused('/mixed', 'comma', 'no_credentials', status => 401);
accepted('/mixed', 'one', 'by-fingerprint');
accepted('/mixed', 'comma', 'IMEI:1', lines => [ basic('me', 'secret') ]);
refused('/mixed', 'one', 'account_mismatch', account => 'by-fingerprint',
    lines => [ basic('me', 'secret') ]);
refused('/mixed', 'one', 'bad_credentials', status => 401,
    lines => [ basic('me', 'wrong') ]);
accepted('/basic', 'one', 'IMEI:1', lines => [ basic('me', 'secret') ]);

# a NUL, no subject, many names

foreach my $name (qw/ nul-cn nul-dns nul-uri /) {
    accepted('/fingerprint', $name, 'by-fingerprint');
    refused('/san', $name, 'certificate_unbound');
    refused('/subject', $name, 'certificate_unbound');
    refused('/regex/cn', $name, 'certificate_unbound');
}

account($t, 'add', 'second', '--cert-key', 'san:DNS:second.example.org');
accepted('/san', 'nul-dns', 'second');

accepted('/', 'nameless', 'nameless');
refused('/subject', 'nameless', 'certificate_unbound');
refused('/regex/cn', 'nameless', 'certificate_unbound');

accepted('/san', 'many', 'many', name => 'the 128th name');
account($t, 'set', 'many', '--drop-cert-key', 'san:DNS:n128.example.org',
    '--cert-key', 'san:DNS:n129.example.org');
refused('/san', 'many', 'certificate_unbound', name => 'the 129th name');
like((dm_account($t, 'add', 'more', '--cert', "$d/many.crt"))[2],
    qr/many.crt" has 129 URIs and DNS names, of which nginx looks at the first/,
    'dm-account says so');
refused('/san', 'addressed', 'certificate_unbound');

# versions, and the keys of both ends

account($t, 'set', 'by-fingerprint', '--cert', "$d/utf8.crt");

foreach my $version (qw/ TLSv1_1 TLSv1_2 TLSv1_3 /) {
    foreach my $name (qw/ utf8 rsa /) {
        my ($r, $info) = https(8443, request('GET', '/fingerprint'),
            client($name), version($version));

        is(who($r), 'by-fingerprint', "$version $name");
        is($info->{protocol}, $version =~ tr/_/./r, "$version $name version");
    }
}

foreach my $server (qw/ AES128-SHA ECDHE-ECDSA-AES128-GCM-SHA256 /) {
    my ($r, $info) = https(8443, request('GET', '/fingerprint'),
        client('rsa'), SSL_version => 'TLSv1_2', SSL_cipher_list => $server);

    is(who($r), 'by-fingerprint', "client certificate with $server");
    is($info->{cipher}, $server, "suite $server");
}

# a resumed session is of the same device, whose state is that of today

foreach my $version (qw/ TLSv1_1 TLSv1_2 TLSv1_3 /) {
    my %o = sessions(client('rsa'), version($version));
    my ($r, $info);

    $r = https(8443, request('GET', '/'), %o);
    is(who($r), 'by-fingerprint', "$version session");

    ($r, $info) = https(8443, request('GET', '/'), %o);
    is(who($r), 'by-fingerprint', "$version resumed");
    ok($info->{reused}, "$version reused");
    like($r, qr/^X-Reused: r\r$/m, "$version reused at the server");

    account($t, 'disable', 'by-fingerprint');
    refused('/', 'rsa', 'account_disabled', account => 'by-fingerprint',
        client => keepalive(8443, SSL => 1, %o),
        name => "$version resumed, account disabled");

    account($t, 'enable', 'by-fingerprint');
    is(who(scalar https(8443, request('GET', '/'), %o)), 'by-fingerprint',
        "$version resumed, account enabled");
}

# the account's state on an open connection

$c = keepalive(8443, SSL => 1, client('one'));

is(who($c->request(request('GET', '/'))), 'by-fingerprint', 'open');

account($t, 'disable', 'by-fingerprint');
refused('/', 'one', 'account_disabled', client => $c,
    account => 'by-fingerprint', name => 'open, account disabled');
account($t, 'enable', 'by-fingerprint');
is(who($c->request(request('GET', '/'))), 'by-fingerprint', 'open, enabled');

foreach ([ '--not-after', '2020-01-01T00:00:00Z' ],
    [ '--not-before', '2090-01-01T00:00:00Z' ])
{
    my ($limit, $time) = @$_;

    account($t, 'set', 'by-fingerprint', $limit, $time);
    refused('/', 'one', 'account_expired', client => $c,
        account => 'by-fingerprint', name => "open, $limit $time");
    account($t, 'set', 'by-fingerprint', $limit, '');
    is(who($c->request(request('GET', '/'))), 'by-fingerprint',
        "open, no $limit");
}

account($t, 'del', 'by-fingerprint');
is(who($c->request(request('GET', '/'))), 'by-san',
    'open, account deleted, the next way');
account($t, 'del', 'by-san');
account($t, 'del', 'uri');
account($t, 'del', 'by-subject');
refused('/', 'one', 'certificate_unbound', client => $c,
    name => 'open, accounts deleted');

account($t, 'add', 'anew', '--cert', "$d/one.crt");
is(who($c->request(request('GET', '/'))), 'anew', 'open, account added');

# the certificate expired meanwhile

account($t, 'add', 'brief', '--cert', "$d/brief.crt");

$clock->pass(3601);

refused('/', 'brief', 'certificate_expired', client => $brief,
    name => 'expired on an open connection');
refused('/mixed', 'brief', 'certificate_expired', client => $brief,
    lines => [ basic('me', 'secret') ],
    name => 'expired beside a right password');
is(who($brief->request(request('GET', '/basic', basic('me', 'secret')))),
    'IMEI:1', 'expired where no certificate is accepted');

is(log_lines($t, qr/SSL_do_handshake\(\) failed|certificate has expired/, 0),
    0, 'each handshake succeeded');

is(status(scalar https(8443, request('GET', '/'), %brief)), 400,
    'expired since the session was made: not resumed');

undef $t;

###############################################################################

sub client {
    my ($name) = @_;

    return (SSL_cert_file => "$d/$name.crt", SSL_key_file => "$d/$name.key");
}

# an open connection of that client, the same each time
{
    my %open;

    sub connection {
        my ($cert, $port) = @_;

        $cert //= '';
        $port ||= 8443;

        return $open{"$port $cert"} //= keepalive($port, SSL => 1,
            $cert ? client($cert) : ());
    }
}

sub version {
    my ($version) = @_;

    return (SSL_version => $version, $version eq 'TLSv1_1'
        ? (SSL_cipher_list => 'ALL:@SECLEVEL=0') : ());
}

# the account that the upstream was told of
sub who {
    my ($response) = @_;

    return status($response) == 200
        && $response =~ /^DM-Client-ID: (.*)\r$/m ? $1 : $response;
}

# options: name of the check, port, lines of the request
sub accepted {
    my ($uri, $cert, $id, %o) = @_;

    is(who(connection($cert, $o{port})->request(request('GET', $uri,
        @{ $o{lines} || [] }))), $id, $o{name} || "$uri $cert");
}

# a refusal: its status, its line in the log, and nothing at the upstream
#
#   name     of the check
#   status   403 unless given
#   account  that the log names
#   lines    of the request
#   client   a connection that is not connection()
#   before   arguments of dm-account
sub refused {
    my ($uri, $cert, $reason, %o) = @_;
    my ($name) = $o{name} || "$uri " . ($cert || 'no certificate');
    my ($request, $contacted, $r, $line, $claimed);

    account($t, @{ $o{before} }) if $o{before};

    $contacted = upstream_count($t, 8081);
    $request = request('GET', $uri, @{ $o{lines} || [] });
    $r = ($o{client} || connection($cert))->request($request);

    $line = (denied($t, ++$denied))[-1];
    $line->{claimed} =~ s/ subject:.*// if $line->{claimed};
    $claimed = $o{lines} ? 'me' : $cert && claimed($uri, $cert);

    is(status($r), $o{status} || 403, "$name status");
    is_deeply([ @{$line}{qw/ reason account claimed /},
        upstream_count($t, 8081) - $contacted ],
        [ $reason, $o{account}, $claimed, 0 ], "$name refused");
}

# the first key that a location looks for, if the certificate has one

sub claimed {
    my ($uri, $cert) = @_;

    return 'sha256:' . sha256($cert) if $uri eq '/' || $uri eq '/mixed';
    return $keys{"$uri $cert"};
}

{
    my %sha256;

    sub sha256 {
        my ($cert) = @_;

        return $sha256{$cert} //= cert_info($t, $cert)->{sha256};
    }
}

# puts octets into a certificate that openssl would not, and signs it anew
sub resign {
    my ($name, $from, $to) = @_;
    my ($tbs, $algorithm, $signature);

    $t->read_file("$name.crt") =~ /-----BEGIN.*?-----\n(.*?)-----END/s;
    ($tbs, $algorithm) = elements((elements(decode_base64($1)))[0], 'inside');

    $tbs =~ s/\Q$from\E/$to/ or die "no $from in $name.crt\n";

    $t->write_file("$name.tbs", $tbs);
    (undef, $signature) = run_command([ 'openssl', 'dgst', '-sha256',
        '-sign', "$d/root.key", "$d/$name.tbs" ]);

    $t->write_file("$name.crt", "-----BEGIN CERTIFICATE-----\n"
        . encode_base64(element(0x30, $tbs . $algorithm
            . element(0x03, "\0$signature")))
        . "-----END CERTIFICATE-----\n");
}

# the elements of DER one after another, or those inside the first one
sub elements {
    my ($der, $inside) = @_;
    my (@elements);

    while (length $der) {
        my ($n, $size) = (unpack('x C', $der), 2);

        if ($n > 0x80) {
            $size += $n - 0x80;
            $n = hex unpack 'H*', substr $der, 2, $n - 0x80;
        }

        return elements(substr $der, $size, $n) if $inside;

        push @elements, substr $der, 0, $size + $n, '';
    }

    return @elements;
}

sub element {
    my ($tag, $content) = @_;
    my ($n) = length $content;

    return pack('C', $tag) . ($n < 0x80 ? pack('C', $n)
        : $n < 0x100 ? pack('CC', 0x81, $n) : pack('Cn', 0x82, $n))
        . $content;
}

###############################################################################
