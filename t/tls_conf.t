#!/usr/bin/perl

# Tests for the TLS policy in the configuration: what nginx -t finds, and
# what it lets pass without a word.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ ca cert conf_error run_command /;
use Test::DmSec::Legacy qw/ legacy /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl/)->has_daemon('openssl')
    ->plan(161);

my $d = $t->testdir();

ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'ec', ca => 'ca');

# where a message ends
my $place = qr/ in server "s" in \S+:\d+$/m;
my $location = qr/ in location "\/" in server "s" in \S+:\d+$/m;

###############################################################################

# good ones, and all that they say: a notice where the third field is true

my @good = (
    [ 'dm20', 'dm_sec_profile dm20;', 1 ],
    [ 'modern dm20', 'dm_sec_profile modern dm20;', 1 ],
    [ 'one of two old versions', 'dm_sec_profile dm20;'
        . 'dm_sec_protocols TLSv1.1 TLSv1.2;' ],
    [ 'ssl_ciphers and ssl_protocols beside', 'dm_sec_profile dm20;'
        . 'ssl_protocols TLSv1.3; ssl_ciphers AES256-SHA;', 1 ],
    [ 'harmless ssl_conf_command', 'dm_sec_profile dm20;'
        . 'ssl_conf_command Options -SessionTicket;'
        . 'ssl_conf_command SignatureAlgorithms RSA+SHA256:ECDSA+SHA256;', 1 ],
    [ 'the order of the server', 'dm_sec_profile dm20;'
        . 'ssl_prefer_server_ciphers on;', 1 ],
    [ 'a narrower location', 'dm_sec_profile dm20; location /a {'
        . 'dm_sec_protocols TLSv1.2; dm_sec_ciphers DM-X509; }', 1 ],
    [ 'off in a location', 'dm_sec_profile dm20; location /a {'
        . 'dm_sec_profile off; }', 1 ],
    [ 'two addresses', 'dm_sec_profile dm20; listen 127.0.0.1:8444 ssl;', 1 ],
    [ 'early data off', 'dm_sec_profile modern dm20; ssl_early_data off;', 1 ],
    [ 'nothing', '' ],
    [ 'modern', 'dm_sec_profile modern;' ],
    [ 'modern, RSA', 'dm_sec_profile modern; ssl_certificate rsa.crt;'
        . 'ssl_certificate_key rsa.key;' ],
    [ 'modern, ECDSA', 'dm_sec_profile modern; ssl_certificate ec.crt;'
        . 'ssl_certificate_key ec.key;' ],
    [ 'modern without TLS 1.3', 'dm_sec_profile modern;'
        . 'dm_sec_protocols TLSv1.2;' ],
    [ 'modern without TLS 1.2', 'dm_sec_profile modern;'
        . 'dm_sec_protocols TLSv1.3;' ],
    [ 'dm20 without the old versions', 'dm_sec_profile dm20;'
        . 'dm_sec_protocols TLSv1.2;' ],
    [ 'off', 'dm_sec_profile off; dm_sec_protocols off; dm_sec_ciphers off;' ],
    [ 'versions alone', 'dm_sec_protocols TLSv1.2 TLSv1.3;' ],
    [ 'names of three kinds', 'dm_sec_protocols TLSv1.2 TLSv1.3;'
        . 'dm_sec_ciphers TLS_AES_128_GCM_SHA256 AES128-SHA'
        . ' SSL_RSA_WITH_AES_128_CBC_SHA256 DM-X509;' ],
    [ 'a list, and the pre-shared keys in it',
        'dm_sec_protocols TLSv1.2; dm_sec_ciphers DM-PSK DM-X509;' ],
    [ 'a certificate by name', 'dm_sec_protocols TLSv1.2;'
        . 'dm_sec_ciphers DM-X509; ssl_certificate $ssl_server_name;'
        . 'ssl_certificate_key $ssl_server_name;' ],
    [ 'a policy of a location', 'ssl_protocols TLSv1.2 TLSv1.3; location /a {'
        . 'dm_sec_protocols TLSv1.2; dm_sec_ciphers DM-X509; }' ],
    [ 'a location below a narrower one', 'dm_sec_profile modern; location /a {'
        . 'dm_sec_ciphers TLS_AES_128_GCM_SHA256 ECDHE-RSA-AES128-GCM-SHA256;'
        . 'location /a/b { dm_sec_protocols TLSv1.3; } }' ],
    [ 'no policy, the order of the client', 'ssl_prefer_server_ciphers off;'
        . 'ssl_conf_command MinProtocol TLSv1.2; ssl_early_data on;' ],
);

my $notice = qr/^\[notice\] dm_sec: TLS 1\.0 or 1\.1 is offered.*?(?= in )/m;

my $output = conf(http => join '', map {
    "server { listen 127.0.0.1:8443 ssl; server_name s$_; $good[$_][1] }\n"
    } grep { !$good[$_][2] } 0 .. $#good);

foreach my $i (0 .. $#good) {
    my ($name, $server, $noticed) = @{ $good[$i] };

    # of several servers it would be one line
    my $said = $noticed ? conf(server => $server)
        : join '', $output =~ /^.* in server "s$i" in .*$/mg;

    like($said, $noticed ? qr/\A$notice$place\n\z/ : qr/\A\z/, $name);
}

my $sni = qr/^\[notice\]\ dm_sec:\ a\ device\ that\ sends\ no\ SNI
    \ reaches\ only\ the\ default\ server\ "\w+"\ of\ 127\.0\.0\.1:\d+\n/mx;

like($output, qr/\A$sni\z/, 'one notice for all of the address, nothing else');

# with something in http

like(conf(http => 'dm_sec_profile dm20;'), qr/\A$notice$place\n\z/,
    'dm20 in http');
is(conf(http => 'dm_sec_profile dm20;', server => 'dm_sec_profile off;'), '',
    'off in server');
is(conf(http => 'ssl_prefer_server_ciphers off;',
    server => 'dm_sec_profile modern; ssl_prefer_server_ciphers on;'), '',
    'the order of the server again');
is(conf(http => 'ssl_prefer_server_ciphers off;',
    server => 'dm_sec_profile modern;'), '',
    'the order of the client in http, as in the nginx.conf of Debian 13');
is(conf(http => 'dm_sec_profile dm20;', certs => '',
    listen => '127.0.0.1:8080', server => 'return 301 https://$host;'), '',
    'a plain server that redirects');
is(conf(http => 'dm_sec_profile dm20; ssl_prefer_server_ciphers off;',
    certs => 'rsa', listen => '127.0.0.1:8080',
    server => 'return 301 https://$host;'), '',
    'a plain server that redirects, and certificates in http');

# wrong parameters

my %allowed = (
    dm_sec_profile => [ 'dm21', 'dm20, dm20-ssl3, modern and off', 'modern' ],
    dm_sec_protocols => [ 'TLSv1.4', 'SSLv3, TLSv1, TLSv1.1, TLSv1.2, TLSv1.3'
        . ' and off', 'TLSv1.2' ],
    dm_sec_ciphers => [ 'AES129', 'DM-X509, DM-PSK, DM-TLS11, DM-SSL3, MODERN',
        'DM-X509' ],
);

foreach my $directive (sort keys %allowed) {
    my ($wrong, $right, $value) = @{ $allowed{$directive} };

    foreach my $part (qw/ http server location /) {
        like(conf($part => "$directive $value $wrong;"),
            qr/^\[emerg\] invalid parameter "\Q$wrong\E": .*\b$right.*:\d+$/,
            "$directive with a wrong value in $part");
    }

    like(conf(server => "$directive $value; $directive off;"),
        qr/^\[emerg\] "$directive" directive is duplicate in /,
        "$directive twice");
    like(conf(location => "$directive off; $directive $value;"),
        qr/^\[emerg\] "$directive" directive is duplicate in /,
        "$directive twice in location");
    like(conf(server => "$directive off $value;"),
        qr/^\[emerg\] "$directive" directive takes "off" alone/,
        "$directive off and more");
    like(conf(server => "$directive $value off;"),
        qr/^\[emerg\] "$directive" directive takes "off" alone/,
        "$directive with off last");
    like(conf(server => "$directive;"),
        qr/^\[emerg\] invalid number of arguments in "$directive"/,
        "$directive without a value");
    like(conf(location => "if (\$uri) { $directive $value; }"),
        qr/^\[emerg\] "$directive" directive is not allowed here/,
        "$directive in if");
}

foreach my $name (qw/ SSLv2 tlsv1.2 TLSv1.0 all /) {
    like(conf(server => "dm_sec_protocols $name;"),
        qr/^\[emerg\] invalid parameter "\Q$name\E"/, "no version $name");
}

# OpenSSL's cipher strings are no names

foreach my $name ('ALL', 'AES128-SHA:AES256-SHA', '@SECLEVEL=0', '!RC4', '',
    'dm-x509', 'tls_rsa_with_aes_128_cbc_sha')
{
    like(conf(server => "dm_sec_ciphers '$name';"),
        qr/^\[emerg\] invalid parameter "\Q$name\E"/, "no suite \"$name\"");
}

# never, not even by name

foreach my $name (qw/ TLS_RSA_WITH_NULL_SHA256 NULL-SHA256 eNULL aNULL
    SSL_RSA_WITH_NULL_MD5 TLS_SHA256_SHA256 TLS_PSK_WITH_NULL_SHA256
    TLS_RSA_EXPORT_WITH_RC4_40_MD5 EXP-RC4-MD5
    TLS_DH_anon_WITH_AES_128_CBC_SHA ADH-AES128-SHA AECDH-AES128-SHA /)
{
    like(conf(server => "dm_sec_ciphers DM-X509 $name;"),
        qr/^\[emerg\] suite "$name" is refused: /, "$name refused");
}

# a pre-shared key that nothing here knows

foreach my $name (qw/ TLS_PSK_WITH_AES_128_GCM_SHA256
    TLS_RSA_PSK_WITH_AES_128_GCM_SHA256 /)
{
    like(conf(server => "dm_sec_ciphers DM-X509 $name;"), qr/^\[emerg\]
        \ dm_sec:\ suite\ "$name"\ can\ never\ .*\ pre-shared\ key
        .*dm_sec_auth.*$place$/mx, "$name refused");
}

like(conf(server => 'dm_sec_ciphers DM-PSK;'),
    qr/^\[emerg\] dm_sec: "dm_sec_ciphers" names no suite that.*$place$/m,
    'PSK alone');
like(conf(server => 'dm_sec_profile modern;',
    location => 'dm_sec_ciphers DM-PSK;'), qr/^\[emerg\]\ dm_sec:
    \ "dm_sec_ciphers"\ names\ no\ suite\ .*\ in\ location\ "\/"$place$/mx,
    'PSK alone in a location');

# what Debian's OpenSSL cannot do

SKIP: {
    skip 'nginx runs on the library of "make legacy"', 8
        if legacy();

    my $cannot = qr/this OpenSSL \(OpenSSL \d[^()]*\) can(?:not)? negotiate/;
    my $legacy = qr/$cannot(?: it)?; "make legacy" builds one that can \(docs/;
    my $ssl3 = qr/^\[emerg\] SSLv3 is not available: $legacy/;

    like(conf(server => 'dm_sec_protocols SSLv3 TLSv1;'), $ssl3, 'no SSL 3.0');
    like(conf(server => 'dm_sec_profile dm20-ssl3;'), $ssl3, 'no dm20-ssl3');
    like(conf(server => 'dm_sec_profile dm20 dm20-ssl3;'), $ssl3,
        'no union with dm20-ssl3');
    like(conf(server => 'dm_sec_profile dm20;',
        location => 'dm_sec_protocols SSLv3;'), $ssl3,
        'no SSL 3.0 in a location');
    like(conf(server => 'dm_sec_ciphers DM-X509 DM-SSL3;'),
        qr/^\[emerg\] suite "TLS_RSA_WITH_RC4_128_SHA" of "DM-SSL3" .*$legacy/,
        'no DM-SSL3');

    foreach my $name (qw/ SSL_RSA_WITH_RC4_128_SHA DES-CBC3-SHA
        TLS_RSA_WITH_3DES_EDE_CBC_SHA /)
    {
        like(conf(server => "dm_sec_ciphers $name;"),
            qr/^\[emerg\] invalid parameter "$name": .*$legacy/, "no $name");
    }
}

unlike(conf(server => 'dm_sec_ciphers AES129;'), qr/make legacy/,
    'a suite that no library has');

# suites and certificates

$output = conf(server => 'dm_sec_profile dm20;', certs => 'ec');

says($output, 'a list without an RSA certificate', 'warn', $place,
    'no certificate', map { "TLS_$_" } qw/ DHE_RSA_WITH_AES_128_GCM_SHA256
    RSA_WITH_AES_128_GCM_SHA256 DHE_RSA_WITH_AES_128_CBC_SHA256
    RSA_WITH_AES_128_CBC_SHA256 ECDHE_RSA_WITH_AES_128_CBC_SHA
    DHE_RSA_WITH_AES_128_CBC_SHA RSA_WITH_AES_128_CBC_SHA /);
unlike($output, qr/ECDHE_ECDSA|emerg/, 'only the suites that it is about');
is(() = $output =~ /\[warn\]/g, 1, 'one warning');

$output = conf(server => 'dm_sec_protocols TLSv1.2; dm_sec_ciphers DM-X509;',
    certs => 'rsa');

says($output, 'a list without an ECDSA certificate', 'warn', $place,
    'no certificate', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    'TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256');
unlike($output, qr/_RSA_/, 'only the suites that it is about');
is(() = $output =~ /^/mg, 1, 'nothing else');

foreach my $case ([ 'rsa', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    'ECDSA' ], [ 'ec', 'TLS_RSA_WITH_AES_128_GCM_SHA256', 'RSA' ],
    [ 'ec', 'TLS_DHE_RSA_WITH_AES_128_GCM_SHA256', 'RSA' ])
{
    my ($certs, $suite, $kind) = @$case;
    my @words = ("suite \"$suite\" can never", "an $kind certificate",
        '"ssl_certificate"');

    says(conf(server => "dm_sec_ciphers $suite MODERN;", certs => $certs),
        "$suite by name", 'emerg', $place, @words);
    says(conf(server => 'dm_sec_protocols TLSv1.2;'
        . "dm_sec_ciphers DM-X509 $suite;", certs => $certs),
        "$suite by name and in a list", 'emerg', $place, @words);
    says(conf(server => 'dm_sec_protocols TLSv1.2; dm_sec_ciphers DM-X509;',
        location => "dm_sec_ciphers $suite;", certs => $certs),
        "$suite by name in a location", 'emerg', $location, @words);
}

# versions and suites that do not meet

foreach my $part (qw/ server http location /) {
    my @server = $part eq 'location'
        ? (server => 'dm_sec_profile modern dm20;') : ();
    my $where = $part eq 'location' ? $location : $place;

    foreach my $case ([ 'TLSv1.3', 'TLSv1.2 TLSv1.3', 'DM-X509' ],
        [ 'TLSv1.1', 'TLSv1.1 TLSv1.2', 'DM-X509' ],
        [ 'TLSv1.2', 'TLSv1.2 TLSv1.3', 'TLS_AES_128_GCM_SHA256' ])
    {
        my ($version, $protocols, $ciphers) = @$case;

        says(conf(@server, $part => "dm_sec_protocols $protocols;"
            . "dm_sec_ciphers $ciphers;"),
            "$version without a suite in $part", 'emerg', $where,
            "$version is offered, but no suite", '"dm_sec_ciphers"',
            "leave $version out of \"dm_sec_protocols\"");
    }

    says(conf(@server, $part => 'dm_sec_protocols TLSv1.2;'
        . 'dm_sec_ciphers MODERN;'), "TLS 1.3 suites without it in $part",
        'emerg', $where, '"dm_sec_ciphers" has TLS 1.3 suites',
        '"dm_sec_protocols"');
    says(conf(@server, $part => 'dm_sec_protocols TLSv1.2;'
        . 'dm_sec_ciphers DM-X509 TLS_AES_128_GCM_SHA256;'),
        "a TLS 1.3 suite by name without it in $part", 'emerg', $where,
        'suite "TLS_AES_128_GCM_SHA256" can never', '"dm_sec_protocols"');
    says(conf(@server, $part => 'dm_sec_protocols TLSv1.1;'
        . 'dm_sec_ciphers DM-TLS11 AES128-GCM-SHA256;'),
        "a TLS 1.2 suite by name without it in $part", 'emerg', $where,
        'suite "TLS_RSA_WITH_AES_128_GCM_SHA256" can never',
        '"dm_sec_protocols"');
}

says(conf(server => 'dm_sec_profile dm20; dm_sec_protocols TLSv1.3;'),
    'TLSv1.3 in dm20', 'emerg', $place, 'TLSv1.3 is offered, but no suite');
says(conf(http => 'dm_sec_ciphers MODERN;',
    server => 'dm_sec_protocols TLSv1.2;'), 'TLS 1.3 suites from above',
    'emerg', $place, '"dm_sec_ciphers" has TLS 1.3 suites');
says(conf(server => 'dm_sec_protocols TLSv1.2; dm_sec_ciphers DM-X509;',
    location => 'dm_sec_ciphers DM-X509 AES128-SHA;'),
    'a suite by name, a version from above', 'emerg', $location,
    'suite "TLS_RSA_WITH_AES_128_CBC_SHA" is allowed here');

# a location and its server

my @dm20 = (server => 'dm_sec_profile dm20;');
my @version = ('TLSv1.3 is allowed here, but the server does not offer it',
    '"dm_sec_profile" or "dm_sec_protocols" of the server');
my @suite = ('suite "TLS_RSA_WITH_AES_256_CBC_SHA" is allowed here, but the'
    . ' server does not', '"dm_sec_profile" or "dm_sec_ciphers" of the server');

says(conf(@dm20, location => 'dm_sec_protocols TLSv1.2 TLSv1.3;'),
    'a version too much', 'emerg', $location, @version);
says(conf(@dm20, location => 'dm_sec_profile modern;'),
    'a profile too much', 'emerg', $location, @version);
says(conf(@dm20, location => 'dm_sec_ciphers AES128-SHA AES256-SHA;'),
    'a suite too much', 'emerg', $location, @suite);
says(conf(@dm20, location => 'dm_sec_protocols TLSv1.2;'
    . 'location /a { dm_sec_protocols TLSv1.3; }'), 'a nested location',
    'emerg', qr/ in location "\/a" in server "s" in \S+:\d+$/, @version);
like(conf(@dm20, location => 'dm_sec_protocols TLSv1.2;'
    . 'location /a { dm_sec_protocols TLSv1.1; }'), qr/\A$notice$place\n\z/,
    'a nested location, more than the one above');
says(conf(server => 'ssl_protocols TLSv1.2;',
    location => 'dm_sec_protocols TLSv1.3;'), 'more than ssl_protocols',
    'emerg', $location, @version);
says(conf(server => 'ssl_ciphers AES128-SHA;',
    location => 'dm_sec_ciphers AES256-SHA;'), 'more than ssl_ciphers',
    'emerg', $location, @suite);
says(conf(server => 'dm_sec_protocols TLSv1.3;'
    . 'dm_sec_ciphers TLS_AES_128_GCM_SHA256;',
    location => 'dm_sec_ciphers AES256-SHA;'),
    'more than a server of TLS 1.3', 'emerg', $location, @suite);
says(conf(http => 'dm_sec_profile modern dm20;',
    server => 'dm_sec_protocols TLSv1.2;',
    location => 'dm_sec_profile modern;'),
    'more than a server that is narrower than http', 'emerg', $location,
    @version);
says(conf(server => 'dm_sec_profile modern;', location => 'dm_sec_protocols'
    . ' TLSv1.2; dm_sec_ciphers TLS_AES_128_GCM_SHA256;'),
    'a TLS 1.3 suite alone over TLS 1.2', 'emerg', $location,
    'suite "TLS_AES_128_GCM_SHA256" can never');
says(conf(server => 'dm_sec_profile modern;', location => 'dm_sec_protocols'
    . ' TLSv1.3; dm_sec_ciphers ECDHE-RSA-AES128-GCM-SHA256;'),
    'a TLS 1.2 suite alone over TLS 1.3', 'emerg', $location,
    'suite "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" can never');

# what contradicts the policy

foreach my $part (qw/ server http /) {
    my $modern = 'dm_sec_profile modern;';
    my @modern = $part eq 'http' ? (server => $modern) : ();

    foreach my $command ($part eq 'http' ? 'minprotocol TLSv1'
        : ('CipherString ALL', 'Ciphersuites TLS_AES_128_GCM_SHA256',
            'MinProtocol TLSv1', 'MaxProtocol TLSv1.2', 'Protocol ALL'))
    {
        my ($name) = split ' ', $command;

        says(conf(@modern, $part => "$modern ssl_conf_command $command;"),
            "$name in $part", 'emerg', $place,
            "\"ssl_conf_command $name\" contradicts",
            '"dm_sec_protocols" and "dm_sec_ciphers"');
    }

    my $output = conf(@modern, $part => "$modern ssl_early_data on;");

    says($output, "early data in $part", 'warn', $place,
        '"ssl_early_data on" is of no use', '425');
    is(() = $output =~ /^/mg, 1, "early data in $part, nothing else");
}

says(conf(server => 'dm_sec_profile modern; ssl_prefer_server_ciphers off;'),
    'client order', 'emerg', $place,
    '"ssl_prefer_server_ciphers off" contradicts', 'remove it');
says(conf(server => 'dm_sec_protocols TLSv1.2;'
    . 'ssl_prefer_server_ciphers off;'), 'client order beside versions alone',
    'emerg', $place, '"ssl_prefer_server_ciphers off"');
says(conf(server => 'dm_sec_ciphers MODERN; ssl_protocols TLSv1.2 TLSv1.3;'
    . 'ssl_conf_command MinProtocol TLSv1.2;'),
    'ssl_conf_command beside suites alone', 'emerg', $place, 'MinProtocol');

# one notice per server, and none for what is off

$output = conf(http => 'dm_sec_profile dm20;
    server { listen 127.0.0.1:8443 ssl; server_name a; }
    server { listen 127.0.0.1:8444 ssl; server_name b; }
    server { listen 127.0.0.1:8445 ssl; server_name c; dm_sec_profile off; }
    server { listen 127.0.0.1:8446 ssl; server_name d;
        dm_sec_profile modern; }
    server { listen 127.0.0.1:8080; server_name e; dm_sec_profile off; }');

is(join(' ', sort $output =~ /^\[notice\] .* in server "(\w)"/mg), 'a b s',
    'notices');
is(() = $output =~ /$sni/g, 1, 'no SNI');
is(() = $output =~ /^/mg, 4, 'notices and nothing else');

# a default server that refuses all, without a certificate

like(conf(http => 'dm_sec_profile dm20; server { listen 127.0.0.1:8443 ssl;
    server_name r; ssl_reject_handshake on; }',
    certs => '', server => 'ssl_certificate ec.crt; ssl_certificate rsa.crt;
    ssl_certificate_key ec.key; ssl_certificate_key rsa.key;'),
    qr/\A$sni$notice$place\n\z/, 'ssl_reject_handshake');

# all that there are

my @all = split /[:\n]/, (run_command([ 'openssl', 'ciphers',
    'ALL:!PSK:!SRP:!aNULL:!DSS:!AESCCM8' ]))[1];

cmp_ok(@all, '>', 48, 'many suites');
is(conf(server => "dm_sec_protocols TLSv1.2 TLSv1.3; dm_sec_ciphers @all;"),
    '', 'many suites in one directive');

undef $t;

###############################################################################

# what nginx -t says; there are both certificates unless certs is given
sub conf {
    my (%part) = @_;
    my ($certs) = delete $part{certs} // 'rsa ec';

    $_ //= '' foreach @part{qw/ http server /};

    # a small zone takes less time to make
    $part{http} = "dm_sec_zone dm_sec:512k;\n"
        . join('', map { "ssl_certificate $_.crt;\n"
            . "ssl_certificate_key $_.key;\n" } split ' ', $certs)
        . $part{http};
    $part{server} = "server_name s; $part{server}";

    return conf_error($t, listen => '127.0.0.1:8443 ssl', %part);
}


# One line of that level with all the words in it, which ends with the place
# that it is about.
sub says {
    my ($output, $name, $level, $where, @words) = @_;

    ok(scalar(grep {
        my $line = $_;
        $line =~ /^\[$level\] dm_sec: / && $line =~ $where
            && !grep { index($line, $_) < 0 } @words;
    } split /\n/, $output), $name) or diag($output);
}

###############################################################################
