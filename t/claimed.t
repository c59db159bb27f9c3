#!/usr/bin/perl

# Tests for the claimed certificate key in the log: it is what "dm-account set
# --cert-key" takes, whatever kind it is and whatever is in it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl socket_ssl/)
    ->has_daemon('openssl')->plan(85);
my $d = $t->testdir();

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;

    ssl_certificate        server.crt;
    ssl_certificate_key    server.key;
    ssl_client_certificate ca.crt;
    ssl_verify_client      optional;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        dm_sec_profile  modern;
        dm_sec_auth     x509;

        location /fingerprint {
            dm_sec_x509_identity fingerprint;
        }

        location /issuer-serial {
            dm_sec_x509_identity issuer-serial;
        }

        location /san {
            dm_sec_x509_identity san;
        }

        location /subject {
            dm_sec_x509_identity subject;
        }

        location /any {
            dm_sec_x509_identity san subject issuer-serial fingerprint;
        }
    }
}

EOF_CONF

my $many = join '', map { "/OU=$_" . 'x' x 50 } 1 .. 15;

# a name, its subject, and its alternative names
my @certs = (
    [ 'plain', '/O=Example/CN=dev1', 'URI:urn:dev:1', 'DNS:Dev1.example.org' ],
    [ 'utf8', "/O=Ex\xc3\xa4mple/CN=J\xc3\xbcrgen \xe6\x97\xa5" ],
    [ 'special', '/O=a, b\\\\c;d<e>f"g/CN=#x\\\\x41"\\+ ', 'URI:urn:a b' ],
    [ 'long', "$many/CN=long", 'URI:urn:' . 'y' x 900 ],
    [ 'quoted', '/CN=q', 'URI:urn:q"\\\\x41', 'URI:urn:q2' ],
);

# such a form as --cert-key takes is not there, and another of its keys is
my %instead = ('san of quoted' => 'san:URI:urn:q2',
    'any of quoted' => 'san:URI:urn:q2');

ca($t, 'ca');
cert($t, 'server', ca => 'ca', key => 'ec');
make(@$_) for @certs;

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1');
$t->write_file($_, '') for qw/ fingerprint issuer-serial san subject any /;
$t->run();

###############################################################################

my ($n) = 0;

foreach my $cert (@certs) {
    my ($name, undef, @names) = @$cert;

    foreach my $kind (qw/ fingerprint issuer-serial subject san any /) {
        next if $kind eq 'san' && !@names;
        next if $kind eq 'any' && $name ne 'quoted';

        is(answered($kind, $name), 403, "$kind of $name: nobody's");

        my ($line) = (denied($t, ++$n))[-1];
        my ($key) = $line->{claimed};

        is($line->{reason}, 'certificate_unbound', "$kind of $name: reason");
        is($key, $instead{"$kind of $name"}, "$kind of $name: another key")
            if $instead{"$kind of $name"};
        unlike($key, qr/[^ -~]|"/, "$kind of $name: fit for a line");

        account($t, 'set', 'IMEI:1', '--cert-key', $key);
        is(answered($kind, $name), 200, "$kind of $name: bound as it is there");
        account($t, 'set', 'IMEI:1', '--drop-cert-key', $key);
    }
}

# what a log had to escape is no key

like((dm_account($t, 'set', 'IMEI:1', '--cert-key', $_))[2],
    qr/is how a log writes an octet/, $_) for 'subject:CN=J\xC3\xBCrgen',
    'san:URI:urn:q\x22', 'issuer-serial:CN=a\x5C,b#01';

undef $t;

###############################################################################

sub answered {
    my ($kind, $name) = @_;
    my ($r) = scalar https(8443, request('GET', "/$kind"),
        SSL_cert_file => "$d/$name.crt", SSL_key_file => "$d/$name.key");

    return $r =~ m{^HTTP/1.1 (\d+)} ? $1 : 0;
}


sub make {
    my ($name, $subject, @names) = @_;

    $t->write_file("$name.ext", join '', "basicConstraints = CA:FALSE\n",
        @names ? ("subjectAltName = \@san\n[ san ]\n", map {
            my ($type, $value) = split /:/, $names[$_], 2;
            "$type.$_ = $value\n" } 0 .. $#names) : ());

    run_ok(qw/ openssl req -new -newkey ec -pkeyopt
        ec_paramgen_curve:P-256 -nodes -utf8 -batch /, '-subj', $subject,
        '-keyout', "$d/$name.key", '-out', "$d/$name.csr");
    run_ok(qw/ openssl x509 -req -days 2 -set_serial 0x0abc /, '-in',
        "$d/$name.csr", '-CA', "$d/ca.crt", '-CAkey', "$d/ca.key",
        '-extfile', "$d/$name.ext", '-out', "$d/$name.crt");
}


sub run_ok {
    my (@command) = @_;

    system({ 'sh' } 'sh', '-c', 'exec "$0" "$@" >/dev/null 2>&1', @command)
        == 0 or die "@command failed\n";
}

###############################################################################
