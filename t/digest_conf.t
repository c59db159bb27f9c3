#!/usr/bin/perl

# Tests for what nginx -t says of Digest: each directive misused, the realm,
# and accounts that have no SHA-256.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::MD5 qw/ md5_hex /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/)->plan(65);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%
}

EOF_CONF

my $d = $t->testdir();

store($t, realm => 'dm.example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'secret' });

$t->run();

my $on = 'dm_sec_auth digest;';

###############################################################################

# what is right

is(error(server => $on), '', 'digest');
is(error(server => "$on dm_sec_digest_algorithms sha-256 MD5-sess MD5 "
    . 'SHA-512-256 SHA-512-256-SESS sha-256-sess;'), '', 'all algorithms');
is(error(server => "$on dm_sec_digest_algorithms MD5 SHA-256 md5;"), '',
    'the first is the last, too');
is(error(server => "$on dm_sec_challenge_parameters $_;"), '', "with $_")
    foreach 'off', 'charset', 'userhash', 'charset userhash';
is(error(server => "$on dm_sec_digest_qop auth auth-int;"), '', 'all qops');
is(error(http => 'dm_sec_digest_nonce_lifetime 1ms;', server => $on), '',
    'a lifetime');
is(error(server => "$on dm_sec_realm dm.example;"), '', 'the store\'s realm');
is(error(http => 'dm_sec_digest_algorithms MD5; dm_sec_digest_qop auth-int;',
    server => 'dm_sec_auth basic;'), '', 'in http, for whom it may concern');
is(error(http => 'dm_sec_digest_algorithms MD5; dm_sec_digest_qop auth-int;'),
    '', 'in http, for nobody');

# values

foreach ([ 'SHA-1', qr/invalid parameter "SHA-1": the algorithms are MD5/ ],
    [ 'MD5 off', qr/invalid parameter "off"/ ],
    [ '""', qr/invalid parameter ""/ ],
    [ 'SHA-256-session', qr/invalid parameter "SHA-256-session"/ ],
    [ 'MD5 md5', qr/duplicate algorithm "md5"/ ],
    [ 'MD5 SHA-256 SHA-256', qr/duplicate algorithm "SHA-256"/ ],
    [ 'MD5 SHA-256 md5 MD5', qr/duplicate algorithm "md5"/ ])
{
    my ($value, $expected) = @$_;

    like(error(server => "$on dm_sec_digest_algorithms $value;"), $expected,
        "algorithms $value");
}

foreach ([ 'auth-conf', qr/invalid value "auth-conf"/ ],
    [ 'auth auth', qr/duplicate value "auth"/ ])
{
    my ($value, $expected) = @$_;

    like(error(server => "$on dm_sec_digest_qop $value;"), $expected,
        "qop $value");
}

foreach ([ 'opaque', qr/invalid value "opaque"/ ],
    [ 'charset charset', qr/duplicate value "charset"/ ],
    [ 'off charset', qr/has "off" beside other parameters/ ],
    [ 'userhash off', qr/has "off" beside other parameters/ ])
{
    my ($value, $expected) = @$_;

    like(error(server => "$on dm_sec_challenge_parameters $value;"), $expected,
        "parameters $value");
}

foreach ([ '0', qr/is 0: no nonce would ever be good/ ],
    [ '-1', qr/invalid value/ ], [ 'long', qr/invalid value/ ])
{
    my ($value, $expected) = @$_;

    like(error(http => "dm_sec_digest_nonce_lifetime $value;",
        server => $on), $expected, "lifetime $value");
}

# twice, without a value, where it cannot stand

foreach ([ 'dm_sec_digest_algorithms', 'MD5' ],
    [ 'dm_sec_digest_nonce_lifetime', '5m' ])
{
    my ($name, $value) = @$_;
    my ($where) = $name =~ /lifetime/ ? 'http' : 'server';

    like(error(server => $on, $where => ($where eq 'server' ? $on : '')
        . "$name $value; $name $value;"), qr/"$name" directive is duplicate/,
        "$name twice");
    like(error(server => $on, $where => ($where eq 'server' ? $on : '')
        . "$name;"), qr/invalid number of arguments in "$name"/,
        "$name without a value");
}

like(error(server => "$on dm_sec_digest_qop;"),
    qr/invalid number of arguments/, 'dm_sec_digest_qop without a value');
like(error(server => "$on dm_sec_digest_nonce_lifetime 5m;"),
    qr/"dm_sec_digest_nonce_lifetime" directive is not allowed here/,
    'a lifetime for a server');

# where nothing reads it

foreach my $part (qw/ server location /) {
    like(error(server => 'dm_sec_auth basic;',
        $part => 'dm_sec_auth basic; dm_sec_digest_algorithms MD5;'),
        qr/\[emerg\] .*"dm_sec_digest_algorithms" has no effect/,
        "algorithms without digest, $part");
    like(error($part => 'dm_sec_auth basic; dm_sec_digest_qop auth;'),
        qr/\[emerg\] .*"dm_sec_digest_qop" has no effect/,
        "qop without digest, $part");
}

# what cannot work

like(error(server => "$on dm_sec_realm other;"),
    qr/\[emerg\] .*needs the realm of the account store, "dm.example"/,
    'another realm');
like(error(http => 'dm_sec_realm other;', server => 'dm_sec_auth basic;',
    location => $on), qr/\[emerg\] .*in location "\/" in server/,
    'another realm, inherited');
like(error(server => 'dm_sec_auth basic digest; dm_sec_auth_all on;'),
    qr/\[emerg\] .*cannot be satisfied with basic and digest/,
    'all of basic and digest');
like(error(server => "$on dm_sec_auth_all on;"),
    qr/\[emerg\] .*needs two methods/, 'all of one');

# accounts without SHA-256: decided at start, said once

$t->write_file('md5.jsonl', join '', map { qq/{"id":"IMEI:$_","digest":/
    . '{"MD5":"' . md5_hex("$_:dm.example:x") . qq/"}}\n/ } 7 .. 9);
account($t, 'import', "$d/md5.jsonl");

my $error = error(server => $on, location => $on);
is(() = $error =~ /^\[/mg, 1, 'one line');
like($error,
    qr/^\[notice\] dm_sec: 3 accounts have no SHA-256: .* with MD5 alone; /,
    'it says how many');

is(error(server => 'dm_sec_auth basic;'), '', 'nothing without digest');
is(error(server => "$on dm_sec_digest_algorithms MD5 MD5-sess;"), '',
    'nothing where MD5 is alone');

$error = error(http => 'dm_sec_digest_algorithms SHA-256 MD5;',
    server => $on, location => $on);
is(() = $error =~ /^\[/mg, 1, 'one line, too');
like($error, qr/^\[warn\] dm_sec: 3 accounts have no SHA-256, and a client /,
    'where another one can be answered');
like($error, qr/in server "" in .*conf_error\.conf:\d+$/m, 'and where');

# the same for those without MD5, of which others have it, and for both

$t->write_file('sha.jsonl', '{"id":"IMEI:6","digest":{"SHA-256":"'
    . 'a' x 64 . '"}}');
account($t, 'import', "$d/sha.jsonl");

like(error(server => $on),
    qr/^\[warn\] dm_sec: 3 accounts have no SHA-256 and 1 no MD5: /, 'both');

account($t, 'del', "IMEI:$_") foreach 7 .. 9;

like(error(server => $on),
    qr/^\[warn\] dm_sec: 0 accounts have no SHA-256 and 1 no MD5: /,
    'no MD5, and one that has it');
account($t, 'set', 'IMEI:1', '--not-after', '2020-01-01T00:00:00Z');

$error = error(server => $on, location => $on);
is(() = $error =~ /^\[/mg, 1, 'no MD5: one line');
like($error, qr/^\[notice\] dm_sec: 1 accounts have no MD5: .*SHA-256 alone, /,
    'no MD5');

is(error(server => "$on dm_sec_digest_algorithms SHA-256;"), '',
    'no MD5: nothing where SHA-256 is alone');
like(error(server => "$on dm_sec_digest_algorithms MD5 SHA-256;"),
    qr/^\[warn\] dm_sec: 1 accounts have no MD5, and a client /,
    'no MD5: a list');

account($t, 'del', 'IMEI:6');
is(error(server => $on), '', 'nothing when they are gone');

# whom the default does not ask for, and who cannot log in anyway

account($t, 'import', '-', { stdin => '{"id":"IMEI:5","digest":{"SHA-512-256":'
    . '"' . 'a' x 64 . '"}}' });
$error = error(server => $on, location => $on);
is(() = $error =~ /^\[/mg, 1, 'SHA-512-256 alone: one line');
like($error, qr/^\[warn\] dm_sec: 1 accounts have SHA-512-256 alone, which /,
    'SHA-512-256 alone');
is(error(server => "$on dm_sec_digest_algorithms SHA-512-256;"), '',
    'nothing where it is named');
like(error(server => "$on dm_sec_digest_algorithms SHA-256 SHA-512-256 MD5;"),
    qr/1 accounts have no SHA-256, .*\n.*1 accounts have no MD5, /,
    'each that it lacks');

account($t, 'import', '-', { stdin => '{"id":"IMEI:4","digest":{"MD5":"'
    . 'a' x 32 . '"}}' });
like(error(server => "$on dm_sec_digest_algorithms SHA-512-256;"),
    qr/1 accounts have no SHA-512-256, and a client /, 'a list of it alone');

account($t, 'disable', $_) foreach qw/ IMEI:5 IMEI:4 /;
is(error(server => $on), '', 'nothing where they are disabled');
account($t, 'enable', 'IMEI:4');
like(error(server => $on), qr/1 accounts have no SHA-256: /, 'enabled again');
account($t, 'del', $_) foreach qw/ IMEI:5 IMEI:4 /;

# some clients look at the last alone

like(error(server => "$on dm_sec_digest_algorithms MD5 SHA-512-256;"),
    qr/^\[warn\] dm_sec: "SHA-512-256" is the last of .*:\d+$/s,
    'SHA-512-256 last');
is(error(server => "$on dm_sec_digest_algorithms SHA-512-256;"), '',
    'SHA-512-256 alone');

undef $t;

###############################################################################

sub error {
    my (%part) = @_;

    $part{http} = "dm_sec_zone dm_sec:256k;\n"
        . "dm_sec_account_store $d/store; dm_sec_store_key $d/store.key;\n"
        . "dm_sec_plaintext_auth on;\n" . ($part{http} // '');

    return conf_error($t, %part);
}

###############################################################################
