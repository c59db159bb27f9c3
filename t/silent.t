#!/usr/bin/perl

# Tests for configurations that nginx takes and that do not do as they are
# meant: nginx -t says so, names the place, and what it says to write mends it.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Socket::INET;
use MIME::Base64;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl access auth_basic cache limit_req proxy rewrite/)
    ->has_daemon('openssl');

my $d = $t->testdir();

ca($t, 'ca');
cert($t, 'server', ca => 'ca');
cert($t, 'over', ca => 'ca', not_after => time() - 60);
ca($t, 'old', not_after => time() - 60);
store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'one', '--group', 'pilot',
    { password => 'secret' });

###############################################################################

# A state: its name, level and message, the configuration, and the parts of it
# that the message says to write otherwise.  A part is that of conf_error(); a
# list of them is as many ways to mend it, all of which the message names.

my $plain = '127.0.0.1:8080';
my $tls = "listen 127.0.0.1:8443 ssl;";
my $on = "ssl_verify_client on; ssl_client_certificate $d/ca.crt;";
my $optional = $on =~ s/ on;/ optional;/r;
crl($t, 'ca', next_update => time() - 60);
rename "$d/ca.crl", "$d/over.crl" or die "Can't rename: $!\n";
crl($t, 'ca');
ca($t, 'two');
crl($t, 'two');
$t->write_file("both.$_", $t->read_file("ca.$_") . $t->read_file("two.$_"))
    foreach qw/ crt crl /;
my $none = qr/"listen" of 127\.0\.0\.1:\d+ has no "ssl": each request is/;

my $any = qr/"satisfy any" with an "allow" of most addresses lets every/;
my $open = qr/"dm_sec_status" is open to everybody/;
my %status = (empty => 1, server => 'location /b { dm_sec_auth basic; }');

my @states = (

    [ 'port 443 without ssl, TLS elsewhere', 'warn',
        qr/"listen" of 127\.0\.0\.1:443 has no "ssl": requests there are/,
        { listen => '127.0.0.1:443', server => "$tls dm_sec_profile modern;" },
        { listen => '127.0.0.1:443 ssl' },
        { server => "$tls dm_sec_profile modern; dm_sec_plaintext_auth off;" }
    ],

    [ 'port 443 without ssl, a policy', 'warn', $none,
        { listen => '127.0.0.1:443', server => 'dm_sec_profile modern;' },
        { listen => '127.0.0.1:443 ssl' },
        { server => 'dm_sec_profile off;' } ],

    [ 'port 443 without ssl, certificates', 'warn',
        qr/"dm_sec_auth" needs TLS here, and $none/,
        { listen => '127.0.0.1:443', server => $optional,
            location => 'dm_sec_auth x509;' },
        { listen => '127.0.0.1:443 ssl' } ],

    [ 'port 443 without ssl, keys', 'warn',
        qr/"dm_sec_auth" needs TLS here, and $none/,
        { listen => '127.0.0.1:443', location => 'dm_sec_auth psk;' },
        { listen => '127.0.0.1:443 ssl',
            server => 'dm_sec_profile modern;' } ],

    [ 'a password without TLS', 'warn',
        qr/"dm_sec_auth" needs TLS, and $none.* in location "\/" in server/,
        { listen => $plain, location => 'dm_sec_auth basic;' },
        { listen => "$plain ssl" },
        { location => 'dm_sec_auth basic; dm_sec_plaintext_auth on;' } ],

    [ 'passwords of a server without TLS', 'warn',
        qr/"dm_sec_auth" needs TLS, and $none.*_auth on" in server "s"/,
        { listen => $plain, server => 'dm_sec_auth digest;' },
        { listen => "$plain ssl" },
        { server => 'dm_sec_auth digest; dm_sec_plaintext_auth on;' } ],

    [ 'a plain listener beside TLS', 'notice',
        qr/what needs TLS is refused on "listen" of 127\.0\.0\.1:\d+, which/,
        { listen => $plain, server => "$tls dm_sec_auth basic;" },
        { listen => $plain, server => "$tls dm_sec_auth basic;"
            . 'dm_sec_plaintext_auth off;' } ],

    [ 'a policy of http that reaches a server without TLS', 'warn',
        qr/a TLS policy is in force, and $none/,
        { listen => $plain, http => 'dm_sec_profile modern;' },
        { listen => "$plain ssl" },
        { server => 'dm_sec_profile off;' } ],

    [ 'versions of http that do', 'warn', qr/a TLS policy is in force/,
        { listen => $plain, http => 'dm_sec_protocols TLSv1.3;' },
        { listen => "$plain ssl" },
        { server => 'dm_sec_profile off;' } ],

    [ 'certificates demanded, a password too', 'warn',
        qr/"ssl_verify_client on" refuses a device that has a password and no/,
        { server => $on, location => 'dm_sec_auth x509 basic;' },
        { server => $optional },
        { location => 'dm_sec_auth x509 basic; dm_sec_auth_all on;' } ],

    [ 'certificates demanded, a password only', 'notice',
        qr/"ssl_verify_client on" refuses a device that has a password and no/,
        { server => $on, location => 'dm_sec_auth digest;' },
        { server => $optional },
        { location => 'dm_sec_auth x509 digest; dm_sec_auth_all on;' } ],

    [ 'old versions', 'notice',
        qr/TLS 1\.0 or 1\.1 is offered: .* name the versions in/,
        { server => 'dm_sec_ciphers TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA;'
            . 'dm_sec_profile dm20;' },
        { server => 'dm_sec_ciphers TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA;'
            . 'dm_sec_profile dm20; dm_sec_protocols TLSv1 TLSv1.1 TLSv1.2;' }
    ],

    [ 'return', 'warn',
        qr/"return" or "rewrite" answers before "dm_sec_auth" is asked/,
        { location => 'dm_sec_auth basic; return 200 secret;' },
        { location => 'dm_sec_auth basic; try_files /none @name;',
            server => 'location @name { return 200 secret; }' },
        { location => 'dm_sec_auth off; return 200 secret;' } ],

    [ 'return under a condition', 'warn', qr/"return" or "rewrite" answers/,
        { location => 'dm_sec_auth basic; if ($arg_a) { return 200 a; }' },
        { location => 'dm_sec_auth off; if ($arg_a) { return 200 a; }' } ],

    [ 'rewrite', 'warn', qr/"return" or "rewrite" answers before/,
        { location => 'dm_sec_auth basic; rewrite ^/a(.*) /b$1 redirect;' },
        { location => 'dm_sec_auth basic; try_files /none @name;',
            server => 'location @name { rewrite ^/a(.*) /b$1 redirect; }' } ],

    [ 'return of a server', 'warn',
        qr/"return" or "rewrite" of the server answers before/,
        { server => 'return 200 secret;', location => 'dm_sec_auth basic;' },
        { server => 'location /b { dm_sec_auth off; return 200 secret; }',
            location => 'dm_sec_auth basic;' } ],

    [ 'satisfy any', 'warn', $any,
        { location => 'dm_sec_auth basic; satisfy any; deny 192.0.2.1;'
            . 'allow all;' },
        { location => 'dm_sec_auth basic; satisfy all; allow all;' },
        { location => 'dm_sec_auth basic; satisfy any; allow 192.0.2.0/24;'
            . 'deny all; allow all;' },
        { location => 'dm_sec_auth off; satisfy any; allow all;' } ],

    [ 'satisfy any, two halves', 'warn', $any,
        { location => 'dm_sec_auth basic; satisfy any; allow 0.0.0.0/1;'
            . 'allow 128.0.0.0/1; deny all;' },
        { location => 'dm_sec_auth basic; satisfy any; allow 192.0.2.0/24;'
            . 'deny all;' } ],

    [ 'satisfy any, IPv6', 'warn', $any,
        { location => 'dm_sec_auth basic; satisfy any; allow ::/0; deny all;' },
        { location => 'dm_sec_auth basic; satisfy any;'
            . 'allow 2001:db8::/32; deny all;' } ],

    [ 'error_page, no challenge', 'warn', qr/"error_page 401 =" takes the st/,
        { server => 'error_page 401 =200 /b;',
            location => 'dm_sec_auth digest;' },
        { server => 'error_page 401 /b;', location => 'dm_sec_auth digest;' } ],

    [ 'error_page, the status of another', 'warn', qr/"error_page 401 =" take/,
        { server => 'error_page 401 = @b; location @b { return 204; }',
            location => 'dm_sec_auth basic;' },
        { server => 'error_page 401 @b; location @b { return 204; }',
            location => 'dm_sec_auth basic;' } ],

    [ 'error_page, as if let in', 'warn', qr/"error_page 403 =200" answers/,
        { server => 'error_page 403 =200 /b;',
            location => 'dm_sec_auth x509; ', http => $on },
        { server => 'error_page 403 /b;',
            location => 'dm_sec_auth x509; ', http => $on } ],

    [ 'proxy_set_header of the identity', 'warn',
        qr/"proxy_set_header DM-Client-ID" tells the server behind "x" in/,
        { location => 'dm_sec_auth basic; proxy_set_header DM-Client-ID x;' },
        { location => 'dm_sec_auth basic;' },
        { location => 'dm_sec_auth basic;'
            . 'proxy_set_header DM-Client-ID $dm_sec_client_id;' } ],

    [ 'proxy_set_header of what a client says', 'warn',
        qr/"proxy_set_header dm_groups" tells the server behind "\$arg_g" in/,
        { location => 'dm_sec_auth off; proxy_set_header dm_groups $arg_g;',
            server => 'location /b { dm_sec_auth basic; }' },
        { location => 'dm_sec_auth off;',
            server => 'location /b { dm_sec_auth basic; }' } ],

    [ 'fastcgi_param of the identity', 'warn',
        qr/"fastcgi_param HTTP_DM_CLIENT_ID" tells the server behind "x" in/,
        { location => 'dm_sec_auth basic; fastcgi_pass 127.0.0.1:8081;'
            . 'fastcgi_param HTTP_DM_CLIENT_ID x;', empty => 1 },
        { location => 'dm_sec_auth basic; fastcgi_pass 127.0.0.1:8081;',
            empty => 1 } ],

    [ 'dm_sec_status, allow all', 'warn', $open,
        { %status, location => 'dm_sec_status json; allow all;' },
        { %status, location => 'dm_sec_status json; allow 127.0.0.1;'
            . 'deny all;' },
        { %status, location => 'dm_sec_status json; dm_sec_auth basic;'
            . 'allow all;' } ],

    [ 'dm_sec_status, allow all of IPv6', 'warn', $open,
        { %status, location => 'dm_sec_status json; allow 2000::/3;'
            . 'deny all;' },
        { %status, location => 'dm_sec_status json; allow ::1; deny all;' } ],

    [ 'dm_sec_status, one network denied', 'warn', $open,
        { %status, location => 'dm_sec_status json; deny 10.0.0.0/8;' },
        { %status, location => 'dm_sec_status json; allow 10.0.0.0/8;'
            . 'deny all;' } ],

    [ 'auth_basic', 'warn', qr/"auth_basic" looks at the same "Authorizat/,
        { server => 'auth_basic nginx;', location => 'dm_sec_auth basic;' },
        { server => 'auth_basic nginx;',
            location => 'dm_sec_auth basic; auth_basic off;' },
        { server => 'auth_basic nginx;', location => 'dm_sec_auth off;' } ],

    [ 'no headers to the server behind', 'warn',
        qr/"proxy_pass_request_headers off" keeps the headers with the ident/,
        { location => 'dm_sec_auth basic; proxy_pass_request_headers off;' },
        { location => 'dm_sec_auth basic; proxy_pass_request_headers on;' },
        { location => 'dm_sec_auth basic; proxy_pass_request_headers off;'
            . 'dm_sec_identity_headers off;' } ],

    [ 'status, another directive behind it', 'emerg',
        qr/"dm_sec_status" stands before a directive that answers too/,
        { location => 'dm_sec_auth basic; dm_sec_status json;' },
        { location => 'dm_sec_auth basic; dm_sec_status json;', empty => 1 } ],

    [ 'status, another directive before it', 'emerg',
        qr/"dm_sec_status" directive stands behind a directive that answers/,
        { location => 'proxy_pass http://127.0.0.1:8081; dm_sec_auth basic;'
            . 'dm_sec_status json;', empty => 1 },
        { location => 'dm_sec_auth basic; dm_sec_status json;', empty => 1 } ],

    [ 'a certificate of the server', 'warn',
        qr/a certificate of the server has expired: .*"ssl_cert.*"CN=over"/,
        { server => "ssl_certificate $d/over.crt;"
            . "ssl_certificate_key $d/over.key;",
            location => 'dm_sec_auth basic;' },
        { server => "ssl_certificate $d/server.crt;"
            . "ssl_certificate_key $d/server.key;" } ],

    [ 'a CA', 'warn',
        qr/a CA of devices has expired: .* take it out: "CN=old" in server/,
        { server => $optional =~ s/ca\.crt/old.crt/r,
            location => 'dm_sec_auth x509;' },
        { server => $optional } ],

    [ 'a CRL', 'warn',
        qr/a CRL in "ssl_crl" has expired: .* there.*: "CN=ca" of "ssl_crl $d/,
        { server => "$optional ssl_crl $d/over.crl;",
            location => 'dm_sec_auth x509;' },
        { server => "$optional ssl_crl $d/ca.crl;" } ],

    [ 'a CA without a CRL', 'warn',
        qr/a CA of devices has no CRL in "ssl_crl": .* too: "CN=two" in serv/,
        { server => "$optional ssl_crl $d/ca.crl;" =~ s/ca\.crt/both.crt/r,
            location => 'dm_sec_auth x509;' },
        { server => "$optional ssl_crl $d/both.crl;"
            =~ s/ca\.crt/both.crt/r } ],

    [ 'a group that nobody is in', 'warn',
        qr/no account is in group "pilto" of "dm_sec_gr.*add-group pilto/,
        { location => 'dm_sec_auth basic; dm_sec_groups pilot pilto;' },
        { location => 'dm_sec_auth basic; dm_sec_groups pilot;' } ],
);

# what is meant as it is, and of which nothing is said

my @meant = (
    [ 'a redirect to TLS', listen => $plain, http => 'dm_sec_profile modern;',
        server => 'return 301 https://$host$request_uri;' ],
    [ 'one of a location', listen => $plain, http => 'dm_sec_profile modern;',
        location => 'return 301 https://$host$request_uri;' ],
    [ 'one beside TLS', listen => $plain, server => "$tls dm_sec_auth basic;"
        . 'if ($scheme = http) { return 301 https://$host$request_uri; }' ],
    [ 'no policy in any location', listen => $plain,
        server => 'dm_sec_profile modern;',
        location => 'dm_sec_profile off;' ],
    [ 'an open location beside TLS', listen => $plain,
        server => $tls, location => 'dm_sec_auth off;' ],
    [ 'a redirect under a condition',
        location => 'dm_sec_auth basic; if ($arg_a) { return 301 /b; }' ],
    [ 'no content', location => 'dm_sec_auth basic;'
        . 'if ($request_method = OPTIONS) { return 204; }' ],
    [ 'a refusal', location => 'dm_sec_auth basic; return 403;' ],
    [ 'an upgrade', listen => $plain,
        server => 'dm_sec_profile modern; dm_sec_upgrade on;' ],
);

# who is not root may not listen there, nor try it

unless (bindable(443)) {
    diag('no rows of port 443: not allowed to listen there');
    @states = grep { ($_->[3]{listen} // '') !~ /:443$/ } @states;
}

planned($t, @states, @meant);

foreach my $state (@states) {
    my ($name, $level, $pattern, $conf, @mends) = @$state;
    my ($said) = said(%$conf);

    like($said, qr/\A\[$level\] .*$pattern.*conf_error\.conf:\d+\n\z/,
        $name);

    foreach my $mend (@mends) {
        is(unnamed($said, $conf, $mend), '', "$name, the message has it");
        is(said(%$conf, %$mend), '', "$name, mended");
    }
}

foreach my $conf (@meant) {
    my ($name, %part) = @$conf;

    is(said(%part), '', $name);
}

# the command of the message

my %nobody = (location => 'dm_sec_auth basic; dm_sec_groups pilot pilto;');
my ($command) = said(%nobody) =~ /"dm-account ([^"]+)"/;

account($t, map { s/^ID$/IMEI:1/r } split / /, $command // 'none');
is(said(%nobody), '', 'somebody is in the group');

# equal findings

my $many = join '', map { "server { server_name s$_; listen $plain;\n"
    . "location / { dm_sec_auth basic; }\n"
    . "location /a { dm_sec_auth basic; }\n}\n" } 1 .. 100;

my $places = 'location "/" in server "s1" in FILE; location "/a" in server'
    . ' "s1" in FILE; location "/" in server "s2" in FILE; and 197 more';

like(said(http => $many, listen => $plain, server => 'return 404;')
    =~ s/\S+conf_error\.conf:\d+/FILE/gr,
    qr/\A\[warn\] dm_sec: "dm_sec_auth" .* in 200 places: $places\n\z/,
    'equal ones are one line');

# what only a request shows: said once of a location

upstream($t, 8081);
$t->write_file_expand('nginx.conf', <<"EOC");
%%TEST_GLOBALS%%
daemon off;
events {
}
http {
%%TEST_GLOBALS_HTTP%%
dm_sec_zone dm_sec:256k;
dm_sec_account_store $d/store;
dm_sec_store_key $d/store.key;
limit_req_zone \$dm_sec_client_id zone=one:64k rate=100r/s;
proxy_cache_path $d/cache keys_zone=cache:64k;
proxy_cache_valid any 1m;
server {
    listen 127.0.0.1:8080;
    dm_sec_auth basic;
    dm_sec_plaintext_auth on;
    location /limit {
        limit_req zone=one burst=9 nodelay;
        proxy_pass http://127.0.0.1:8081;
    }
    location /cache {
        proxy_cache cache;
        proxy_pass http://127.0.0.1:8081;
    }
    location /headers {
        set \$where 127.0.0.1:8081;
        proxy_pass http://\$where;
        proxy_pass_request_headers off;
    }
    location /mended/limit {
        try_files /none \@name;
    }
    location \@name {
        limit_req zone=one burst=9 nodelay;
        proxy_pass http://127.0.0.1:8081;
    }
    location /mended/cache {
        proxy_cache cache;
        proxy_cache_key "\$request_uri \$dm_sec_client_id";
        proxy_pass http://127.0.0.1:8081;
    }
    location /meant {
        proxy_cache cache;
        proxy_pass_request_headers off;
        proxy_pass http://127.0.0.1:8081;
        dm_sec_identity_headers off;
    }
}
}
EOC

$t->run();

my $login = 'Authorization: Basic ' . encode_base64('one:secret', '');

foreach my $i (1 .. 2) {
    like(http("GET $_ HTTP/1.0\nHost: s\n$login\n\n"), qr/ 200 /, $_)
        foreach qw{/limit /cache /headers /mended/limit /mended/cache
            /meant};
}

$t->stop();

my @lines = grep { /dm_sec: location/ } split /\n/, $t->read_file('error.log');

my %said;

foreach (@lines) {
    my ($pid, $where, $fault) = /(\d+)#.* location "(\S+)" (\w+ the \w+|\w+)/;
    $said{"$where $fault"}{$pid}++;
}

is(join(', ', sort keys %said), '/cache keeps, /headers keeps the headers,'
    . ' /limit reads the account', 'said of these locations, and no other');
ok(!grep({ $_ > 1 } map { values %$_ } values %said), 'once by a worker');

undef $t;

###############################################################################

# counts the checks of the tables
sub planned {
    my ($t, @rows) = @_;
    my ($n) = (16);

    $n += ref $_->[3] eq 'HASH' ? 2 * @$_ - 7 : 1 foreach @rows;

    $t->plan($n);
}

sub bindable {
    my ($port) = @_;

    return IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port", Listen => 1,
        ReuseAddr => 1) || $!{EADDRINUSE};
}

# The directives of a mend that the message does not have in quotes, nothing
# where it has one at least: the others are an example of what is meant.
sub unnamed {
    my ($said, $conf, $mend) = @_;
    my (@parts) = grep { $_ ne 'empty' } keys %$mend;
    my (%old) = map { $_ => 1 } map { directives($conf, $_) } @parts;
    my (@new) = grep { !$old{$_} } map { directives($mend, $_) } @parts;
    my ($quoted) = join "\n", $said =~ /"([^"]+)"/g;

    # that which is taken out is named
    @new = grep { !/^server_name/ } keys %old unless @new;

    # a value is said, or left to be filled in
    return '' if grep {
        my ($name, $value) = (split(/ /), '');

        $quoted =~ /^\Q$name\E(?: \Q$value\E| \.\.\.| [A-Z]+| \/\S+|$)/m;
    } @new;

    return join '; ', @new;
}

sub directives {
    my ($conf, $part) = @_;
    my ($text) = $conf->{$part} // '';

    $text = "listen $text" if $part eq 'listen';
    $text =~ s/^(listen) \S+ ssl$/$1 ssl/;

    return grep { /\S/ } map { s/^\s+|\s+$//gr } split /[;{}]/, $text;
}

# what nginx -t says of the parts, with a location that has content
sub said {
    my (%part) = @_;

    $part{listen} //= '127.0.0.1:8443 ssl';
    $part{http} = "dm_sec_zone dm_sec:256k;\n"
        . "dm_sec_account_store $d/store;\n"
        . "dm_sec_store_key $d/store.key;\n"
        . "ssl_certificate $d/server.crt;\n"
        . "ssl_certificate_key $d/server.key;\n" . ($part{http} // '');
    $part{server} = "server_name s;\n" . ($part{server} // '');
    $part{location} //= '';
    $part{location} .= "\nproxy_pass http://127.0.0.1:8081;"
        unless delete $part{empty};

    return conf_error($t, %part);
}

###############################################################################
