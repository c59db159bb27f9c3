#!/usr/bin/perl

# Tests for the directives of authentication and identity in the
# configuration: what nginx -t finds, and what it lets pass without a word.

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

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy rewrite/)
    ->has_daemon('openssl')->plan(130);

my $d = $t->testdir();

ca($t, 'ca');
cert($t, 'server', ca => 'ca');
store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'one', '--group', 'a', '--group', 'b c',
    '--group', 'off', { password => 'secret' });

# a location is one line, so that a server can have several
my $proxy = 'proxy_pass http://127.0.0.1:8081;';
my $optional = 'ssl_verify_client optional; ssl_client_certificate ca.crt;';
my $on = 'ssl_verify_client on; ssl_client_certificate ca.crt;';

###############################################################################

# nothing to say

good('basic', location => 'dm_sec_auth basic;');
good('basic without TLS', listen => '127.0.0.1:8080',
    location => 'dm_sec_auth basic; dm_sec_plaintext_auth on;');
good('basic behind a load balancer', listen => '127.0.0.1:8080',
    http => 'dm_sec_profile modern;', server => 'dm_sec_profile off;'
        . 'dm_sec_plaintext_auth on;', location => 'dm_sec_auth basic;');
good('x509', server => $optional, location => 'dm_sec_auth x509;');
good('x509 without TLS, with another method', listen => '127.0.0.1:8080',
    server => 'dm_sec_plaintext_auth on;',
    location => 'dm_sec_auth x509 basic;');
good('optional_no_ca', server => 'ssl_verify_client optional_no_ca;',
    location => 'dm_sec_auth x509;');
good('on', server => $on, location => 'dm_sec_auth x509;');
good('all', server => $optional,
    location => 'dm_sec_auth basic x509; dm_sec_auth_all on;');
good('all, off', location => 'dm_sec_auth basic; dm_sec_auth_all off;');
good('off', location => 'dm_sec_auth off;');
good('off that cancels', http => 'dm_sec_auth basic;',
    location => 'dm_sec_auth off;');
good('groups', location => 'dm_sec_auth basic; dm_sec_groups a "b c" off;');
good('groups of a server, for its locations', server => 'dm_sec_groups a;',
    location => 'dm_sec_auth basic;');
good('groups, off', server => 'dm_sec_auth basic; dm_sec_groups a;',
    location => 'dm_sec_groups off;');
good('groups, off, without authentication',
    location => 'dm_sec_groups off; dm_sec_device_id off;'
        . 'dm_sec_auth_all off;');
good('for any server', http => 'dm_sec_groups a; dm_sec_device_id match;'
    . 'dm_sec_x509_identity subject; dm_sec_realm r;',
    location => 'dm_sec_auth basic;');
good('x509_identity of a server', server => "$optional dm_sec_auth basic;"
    . 'dm_sec_x509_identity san "CN=(.*)" issuer-serial;',
    location => 'dm_sec_auth x509;');
good('realm', location => 'dm_sec_auth basic; dm_sec_realm "a \\"b\\" c";');

foreach my $value (qw/ on off /) {
    good("flags $value", location => "dm_sec_auth basic;"
        . "dm_sec_client_cert_header $value; dm_sec_plaintext_auth $value;"
        . "dm_sec_pass_authorization $value; dm_sec_identity_headers $value;");
}

good('values of device_id and identity_headers',
    server => "dm_sec_auth basic; dm_sec_device_id require;"
        . "location /a { dm_sec_device_id match; $proxy }"
        . "location /b { dm_sec_device_id off; $proxy }",
    location => 'dm_sec_identity_headers pass;');

# each directive: where it stands, how often, with how many arguments

foreach (
    [ 'dm_sec_auth', 'basic' ], [ 'dm_sec_auth_all', 'off' ],
    [ 'dm_sec_realm', 'r' ], [ 'dm_sec_x509_identity', 'san' ],
    [ 'dm_sec_groups', 'a' ], [ 'dm_sec_device_id', 'match' ],
    [ 'dm_sec_identity_headers', 'on' ],
    [ 'dm_sec_client_cert_header', 'on' ],
    [ 'dm_sec_pass_authorization', 'on' ],
    [ 'dm_sec_plaintext_auth', 'on' ])
{
    my ($name, $value) = @$_;
    my $here = qr/"$name" directive is not allowed here/;

    bad("$name in main", $here, main => "$name $value;");
    bad("$name in if", $here, location => "if (\$host) { $name $value; }");
    bad("$name twice", qr/"$name" directive is duplicate/,
        location => "$name $value; $name $value;");
}

bad('no method', qr/invalid number of arguments in "dm_sec_auth"/,
    location => 'dm_sec_auth;');
bad('two realms', qr/invalid number of arguments in "dm_sec_realm"/,
    location => 'dm_sec_realm a b;');

# values

bad('an unknown method', qr/invalid parameter "bogus": the methods are /,
    location => 'dm_sec_auth bogus;');
bad('a method in another case', qr/invalid parameter "Basic"/,
    location => 'dm_sec_auth Basic;');
bad('on', qr/invalid parameter "on"/, location => 'dm_sec_auth on;');
bad('off before a method', qr/invalid parameter "off"/,
    location => 'dm_sec_auth off basic;');
bad('off after a method', qr/invalid parameter "off"/,
    location => 'dm_sec_auth basic off;');
bad('off, and a method', qr/"dm_sec_auth" directive is duplicate/,
    location => 'dm_sec_auth off; dm_sec_auth basic;');
bad('a method twice', qr/duplicate parameter "basic"/,
    location => 'dm_sec_auth basic x509 basic;');

foreach my $flag (qw/ auth_all client_cert_header pass_authorization
    plaintext_auth /)
{
    bad("$flag yes", qr/invalid value "yes" in "dm_sec_$flag" directive/,
        location => "dm_sec_$flag yes;");
}

bad('device_id on', qr/invalid value "on"/, location => 'dm_sec_device_id on;');
bad('identity_headers remove', qr/invalid value "remove"/,
    location => 'dm_sec_identity_headers remove;');

bad('a group with a comma', qr/invalid parameter "a,b": a group has a comma/,
    location => 'dm_sec_groups a,b;');
bad('a group with a control character', qr/invalid parameter "a\tb": /,
    location => 'dm_sec_groups "a\\tb";');
bad('an empty group', qr/invalid parameter "": /,
    location => 'dm_sec_groups a "";');
bad('a group that is too long', qr/invalid parameter "a{65}": /,
    location => 'dm_sec_groups ' . 'a' x 65 . ';');

bad('an empty realm', qr/"dm_sec_realm" directive is empty/,
    location => 'dm_sec_realm "";');
bad('a realm with a line feed', qr/"dm_sec_realm" .* control character/,
    location => 'dm_sec_realm "a\\nb";');
bad('a realm with DEL', qr/"dm_sec_realm" .* control character/,
    location => "dm_sec_realm a\x7f;");

bad('no regular expression', qr/missing closing parenthesis in "CN=\("/,
    location => 'dm_sec_x509_identity "CN=(";');
bad('a parenthesis too many', qr/unmatched closing parenthesis in "CN=/,
    location => 'dm_sec_x509_identity "CN=(a))|(?:(.*)";');
bad('a comment that does not end', qr/missing closing parenthesis/,
    location => 'dm_sec_x509_identity "(?x)CN=(.*) # id";');
bad('a regular expression without a group',
    qr/invalid parameter "CN=\.\*": neither fingerprint, issuer-serial, san/,
    location => 'dm_sec_x509_identity "CN=.*";');
bad('a regular expression with a group that takes nothing',
    qr/invalid parameter "CN=\(\?:a\|b\)": neither /,
    location => 'dm_sec_x509_identity "CN=(?:a|b)";');
bad('an unknown way', qr/invalid parameter "fingerprints": neither /,
    location => 'dm_sec_x509_identity san fingerprints;');
bad('a way in another case', qr/invalid parameter "SAN": neither /,
    location => 'dm_sec_x509_identity SAN;');

# certificates need TLS, and to be asked for

bad('x509 with ssl_verify_client off',
    qr/"dm_sec_auth\ x509"\ needs\ client\ certificates:\ write
        \ "ssl_verify_client\ optional"\ .*\ in\ location\ "\/"\ in
        \ server\ "localhost"\ in\ $d\/conf_error\.conf:\d+/x,
    location => 'dm_sec_auth x509;');
bad('x509 of a server with ssl_verify_client off',
    qr/needs client certificates: .* in server "localhost"/,
    server => 'dm_sec_auth x509;');
bad('x509 without TLS',
    qr/"dm_sec_auth\ x509"\ needs\ TLS,\ and\ the\ server\ has\ no
        \ "listen\ \.\.\.\ ssl"\ in\ location\ "\/"/x,
    listen => '127.0.0.1:8080', server => 'dm_sec_plaintext_auth on;',
    location => 'dm_sec_auth x509;');

warned('on beside a method without a certificate',
    [ qr/"ssl_verify_client\ on"\ demands\ a\ certificate\ .*
        write\ "ssl_verify_client\ optional"\ in\ location\ "\/b"/x ],
    server => "$on location /b { dm_sec_auth basic; $proxy }",
    location => 'dm_sec_auth x509;');
warned('on beside an open location',
    [ qr/write "ssl_verify_client optional" in location "\/b"/ ],
    server => "$on location /b { dm_sec_auth off; $proxy }",
    location => 'dm_sec_auth x509;');
good('on, and all methods needed', server => $on,
    location => 'dm_sec_auth x509 basic; dm_sec_auth_all on;');

# all of one

bad('all of one method', qr/"dm_sec_auth_all\ on"\ needs\ two\ methods\ in
    \ "dm_sec_auth"\ in\ location\ "\/"\ in\ server\ "localhost"/x,
    location => 'dm_sec_auth basic; dm_sec_auth_all on;');
bad('all, inherited, of one method', qr/needs two methods.* in location "\/"/,
    server => "$optional dm_sec_auth x509 basic; dm_sec_auth_all on;",
    location => 'dm_sec_auth x509;');

# what narrows authentication where there is none

foreach my $line ('dm_sec_groups a', 'dm_sec_device_id match',
    'dm_sec_auth_all on', 'dm_sec_x509_identity subject')
{
    my ($name) = $line =~ /(\w+)/;
    my $message = qr/"$name"\ has\ no\ effect:\ "dm_sec_auth"\ .*\ in
        \ location\ "\/"\ in\ server\ "localhost"/x;

    bad("$name, no authentication", $message, location => "$line;");
    bad("$name, authentication off", $message, server => 'dm_sec_auth basic;',
        location => "dm_sec_auth off; $line;");
    bad("$name, authentication elsewhere", $message,
        server => "location /b { dm_sec_auth basic; $proxy }",
        location => "dm_sec_auth off; $line;");
    bad("$name of a server, no authentication",
        qr/"$name" has no effect: .* in server "localhost"/,
        server => "$line;", location => 'dm_sec_auth off;');

    # in http this one narrows nothing, and may wait for its use
    next if $name eq 'dm_sec_x509_identity';

    bad("$name of http, no authentication",
        qr/"$name" has no effect: .* in http$/m,
        http => "$line;", location => 'dm_sec_auth off;');
}

bad('x509_identity without x509', qr/"dm_sec_x509_identity" has no effect/,
    location => 'dm_sec_auth basic; dm_sec_x509_identity subject;');
bad('x509_identity of a server without x509',
    qr/"dm_sec_x509_identity" has no effect: .* in server "localhost"/,
    server => 'dm_sec_x509_identity subject;',
    location => 'dm_sec_auth basic;');

# passwords in the clear

my $clear = qr/"dm_sec_plaintext_auth\ on"\ contradicts\ the\ TLS\ policy
    \ .*\ write\ "dm_sec_profile\ off"/x;

bad('plaintext_auth with a profile', $clear,
    location => 'dm_sec_profile modern; dm_sec_auth basic;'
        . 'dm_sec_plaintext_auth on;', server => 'dm_sec_profile modern;');
bad('plaintext_auth with the profile of the server', $clear,
    server => 'dm_sec_profile modern;',
    location => 'dm_sec_auth basic; dm_sec_plaintext_auth on;');
bad('plaintext_auth with versions', $clear, listen => '127.0.0.1:8080',
    location => 'dm_sec_protocols TLSv1.2; dm_sec_auth basic;'
        . 'dm_sec_plaintext_auth on;');

# open by omission

my $open = 'no authentication here, while other locations of the server have'
    . ' it: write "dm_sec_auth" or, if it is meant, "dm_sec_auth off" in'
    . ' location';

warned('an open location', [ qr/$open "\/" in server "localhost" in \S+:\d+/ ],
    server => "location /a { dm_sec_auth basic; $proxy }");
warned('two of them', [ qr/$open "\/"/, qr/$open "\/b"/ ],
    server => "location /a { dm_sec_auth basic; $proxy }"
        . "location /b { $proxy }");
warned('a named one, and a nested one', [ qr/$open "\@n"/, qr/$open "\/b\/c"/ ],
    server => "location \@n { $proxy }"
        . "location /b { dm_sec_auth off; $proxy }"
        . "location /b/c { location /b/c/d { dm_sec_auth basic; } $proxy }",
    location => 'dm_sec_auth off;');
warned('one in if', [ qr/$open "if or limit_except"/ ],
    server => "location /a { dm_sec_auth basic; $proxy }"
        . "location /b { if (\$host) { $proxy } }",
    location => 'dm_sec_auth off;');

good('an open location that is meant',
    server => "location /a { dm_sec_auth basic; $proxy }",
    location => 'dm_sec_auth off;');
good('off of a server', server => 'dm_sec_auth off;'
    . "location /a { dm_sec_auth basic; $proxy }");
good('off of all', http => 'dm_sec_auth off;',
    server => "location /a { dm_sec_auth basic; $proxy }");
good('nothing to serve', server => 'location /b { internal; }'
    . "location /a { dm_sec_auth basic; $proxy }",
    location => 'dm_sec_auth basic;');
good('another server', http => "server { listen 127.0.0.1:8080;
    location / { $proxy } }", location => 'dm_sec_auth basic;');

# what nothing forbids where the module is not on

good('not on', listen => '127.0.0.1:8080', server => "location /a { $proxy }",
    location => 'dm_sec_realm r; dm_sec_pass_authorization on;');

undef $t;

###############################################################################

# what nginx -t says against a server with TLS, a store, and a location with
# content
sub said {
    my (%part) = @_;

    # a small zone is there at once
    $part{listen} //= '127.0.0.1:8443 ssl';
    $part{http} = "dm_sec_zone dm_sec:256k;\n"
        . "dm_sec_account_store $d/store;\n"
        . "dm_sec_store_key $d/store.key;\n"
        . "ssl_certificate $d/server.crt;\n"
        . "ssl_certificate_key $d/server.key;\n" . ($part{http} // '');
    $part{server} = "server_name localhost;\n" . ($part{server} // '');
    $part{server} =~ s/(?=ca\.crt)/$d\//;
    $part{location} = ($part{location} // '') . "\n$proxy";

    return conf_error($t, %part);
}

sub good {
    my ($name, %part) = @_;

    is(said(%part), '', $name);
}

# refused for this reason, and nothing else is said
sub bad {
    my ($name, $pattern, %part) = @_;

    like(said(%part), qr/\A(?=.*$pattern)\[emerg\] .*\n\z/, $name);
}

# accepted, with these warnings and nothing else
sub warned {
    my ($name, $patterns, %part) = @_;
    my (@lines) = split /\n/, said(%part);
    my ($i) = (0);

    is_deeply([ map { $_ =~ /^\[warn\] dm_sec: / } @lines ],
        [ (1) x @$patterns ], "$name, warned");

    foreach my $pattern (@$patterns) {
        is(grep({ $_ =~ $pattern } @lines), 1, "$name, warning " . ++$i);
    }
}

###############################################################################
