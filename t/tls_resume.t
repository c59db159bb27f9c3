#!/usr/bin/perl

# Tests for what ends the resumption of sessions over a reload, and what does
# not: whatever decides who may enter at a handshake, the suites that are
# offered, and where in which file the server is written.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ ca cert crl https reload_wait request sessions status /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl sni socket_ssl/)
    ->has(qw/socket_ssl_sni/)->has_daemon('openssl')->plan(35);

my $d = $t->testdir();

my $conf = <<'EOC';

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    ssl_certificate         server.crt;
    ssl_certificate_key     server.key;

    ssl_protocols           TLSv1.2 TLSv1.3;
    ssl_session_ticket_key  ticket.key;

    dm_sec_profile          modern;

%%SERVERS%%
}

EOC

# the same server twice, on two addresses

my $server = <<'EOC';

    server {
        listen       127.0.0.1:%%PORT%%;
        server_name  a.test;

        ssl_client_certificate  %%CA%%.crt;
        ssl_verify_client       %%MODE%%;
        ssl_verify_depth        %%DEPTH%%;
        %%MORE%%

        return 200 $ssl_client_verify;
    }

EOC

ca($t, 'ca1');
ca($t, 'ca2');
ca($t, 'middle', issuer => 'ca1');
cert($t, 'server', ca => 'ca1');
cert($t, 'client', ca => 'middle');
crl($t, 'ca1');
crl($t, 'middle');

my $chain = join '', map { $t->read_file("$_.crt") } qw/ client middle /;

$t->write_file('chain.crt', $chain);
$t->write_file('cas.crt', join '', map { $t->read_file("$_.crt") }
    qw/ ca1 ca2 /);
$t->write_file('crls.crl', join '', map { $t->read_file("$_.crl") }
    qw/ ca1 middle /);
$t->write_file('ticket.key', 'k' x 80);

configure();
$t->run();

###############################################################################

# what decides who may enter

foreach my $version (qw/ TLSv1_2 TLSv1_3 /) {
    is(over({}, {}, $version), '200 SUCCESS resumed',
        "$version, resumed after a reload");
    is(over({}, { depth => 0 }, $version), '400 -',
        "$version, a lowered ssl_verify_depth");
    is(over({ depth => 0, mode => 'optional_no_ca' }, { depth => 0 },
        $version), '400 -', "$version, from optional_no_ca to optional");
    is(over({}, { mode => 'on' }, $version), '200 SUCCESS',
        "$version, from optional to on");
    is(over({ mode => 'on' }, { mode => 'optional_no_ca' }, $version),
        '200 SUCCESS', "$version, from on to optional_no_ca");
    is(over({}, { depth => 3 }, $version), '200 SUCCESS',
        "$version, a raised ssl_verify_depth");
    is(over({ ca => 'cas' }, {}, $version), '200 SUCCESS',
        "$version, a CA less");
    is(over({ more => 'ssl_trusted_certificate ca2.crt;' }, {}, $version),
        '200 SUCCESS', "$version, a trusted certificate less");
    is(over({ verify => 'cas' }, { verify => 'ca1' }, $version),
        '200 SUCCESS', "$version, a CA less of a command, at the same path");
    is(over({}, { more => 'ssl_crl crls.crl;' }, $version), '200 SUCCESS',
        "$version, a CRL");
    is(over({}, { ca => 'ca2' }, $version), '400 -', "$version, another CA");
}

# The suite of a session is not offered any more: the policy would refuse each
# request on it.  In TLS 1.3 one is chosen each time.

my ($large, $small) = map { "TLS_ECDHE_ECDSA_WITH_AES_$_" }
    qw/ 256_GCM_SHA384 128_GCM_SHA256 /;

is(over(suites('TLSv1.2', $large, $small), suites('TLSv1.2', $small),
    'TLSv1_2'), '200 SUCCESS', 'TLSv1_2, a suite less');
is(over(suites('TLSv1.2', $large, $small), suites('TLSv1.2', $large),
    'TLSv1_2'), '200 SUCCESS resumed', 'TLSv1_2, another suite less');
is(over(suites('TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_128_GCM_SHA256'), suites('TLSv1.3', 'TLS_AES_128_GCM_SHA256'),
    'TLSv1_3'), '200 SUCCESS resumed', 'TLSv1_3, a suite less');
is(over(suites('TLSv1.2 TLSv1.3', $small, 'TLS_AES_128_GCM_SHA256'),
    suites('TLSv1.3', 'TLS_AES_128_GCM_SHA256'), 'TLSv1_3'),
    '200 SUCCESS resumed', 'TLSv1_3, a version less');

# where it is written

is(over({}, { before => "\n" x 7 }), '200 SUCCESS resumed',
    'moved by some lines');
is(over({}, { file => 'servers.conf' }), '200 SUCCESS resumed',
    'moved to another file');
is(over({ file => 'servers.conf' }, { file => "$d/again.conf" }),
    '200 SUCCESS resumed', 'the same at another path');
is(over({}, { before => "server { listen 127.0.0.1:8445 ssl;\n"
    . "server_name b.test; }\n" }), '200 SUCCESS resumed',
    'behind a new server');
is(over({}, { comment => 1 }), '200 SUCCESS resumed', 'with a comment in it');

# two that are alike are two

configure();
ok(reload_wait($t), 'reload');

my %session = sessions(client('TLSv1_3'));

is(get(8443, %session), '200 SUCCESS', 'a session');
is(get(8444, %session), '200 SUCCESS', 'not resumed by its twin');
is(get(8444, %session), '200 SUCCESS resumed', 'which has its own');

undef $t;

###############################################################################

# the server twice, on two addresses
sub configure {
    my (%o) = (mode => 'optional', depth => 2, ca => 'ca1', more => '',
        before => '', @_);
    my ($text);

    if ($o{verify}) {
        $t->write_file('verify.crt', $t->read_file("$o{verify}.crt"));
        $o{more} = "ssl_conf_command VerifyCAFile $d/verify.crt;";
    }

    $text = join '', map { $server =~ s/%%PORT%%/%%PORT_$_%% ssl/r }
        8443, 8444;
    $text =~ s/%%(CA|MODE|DEPTH|MORE)%%/$o{lc $1}/g;
    $text =~ s/return/# a comment\n\n        return/g if $o{comment};

    if ($o{file}) {
        $t->write_file_expand($o{file} =~ s{.*/}{}r, $text);
        $text = "    include $o{file};\n";
    }

    $t->write_file_expand('nginx.conf',
        $conf =~ s/%%SERVERS%%/$o{before}$text/r);
}


# options of a server that offers these suites
sub suites {
    my ($versions, @suites) = @_;

    return { more => "dm_sec_protocols $versions;\n"
        . "dm_sec_ciphers @suites;" };
}


# a session from before a reload with other options
sub over {
    my ($before, $after, $version) = @_;
    my (%session) = sessions(client($version || 'TLSv1_3'));

    configure(%$before);
    reload_wait($t) or return 'no reload';
    get(8443, %session);
    get(8443, %session) =~ / resumed$/ or return 'never resumed';

    configure(%$after);
    reload_wait($t) or return 'no second reload';

    return get(8443, %session);
}


sub client {
    my ($version) = @_;

    return (SSL_version => $version, SSL_cert_file => "$d/chain.crt",
        SSL_key_file => "$d/client.key");
}


# "STATUS VERIFY [resumed]"
sub get {
    my ($port, %session) = @_;
    my ($r, $info) = https($port, request('GET', '/', 'Connection: close',
        { host => 'a.test' }), SSL_hostname => 'a.test', %session);

    return join ' ', status($r),
        ($r // '') =~ /^HTTP\S+ 200.*\r\n\r\n(\w+)/s ? $1 : '-',
        $info->{reused} ? 'resumed' : ();
}

###############################################################################
