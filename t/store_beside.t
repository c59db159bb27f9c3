#!/usr/bin/perl

# Tests that an account is not looked up again at each change of another one, on
# a connection that remembers it, and that a change of its own, of whatever
# kind, is in force at the next request all the same.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Calls;
use Test::DmSec::Conf qw/ conf /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use constant { KEY => 'a5' x 16, ROUNDS => 40 };

my $t = Test::Nginx->new()->has(qw/ http http_ssl socket_ssl /)
    ->has_daemon('cc')->has_daemon('openssl')->plan(22);

my $d = $t->testdir();

conf($t, <<'EOF_HTTP');

add_header         X-Id $dm_sec_client_id always;
dm_sec_lockout     off;

server {
    listen       127.0.0.1:8080;
    server_name  localhost;

    try_files /file =404;

    dm_sec_plaintext_auth on;
    dm_sec_auth           basic;
}

server {
    listen       127.0.0.1:8443 ssl;
    server_name  localhost;

    try_files /file =404;

    ssl_certificate         ec.crt;
    ssl_certificate_key     ec.key;
    ssl_client_certificate  ca.crt;
    ssl_verify_client       optional;

    dm_sec_profile       modern;
    dm_sec_auth          psk x509;
    dm_sec_x509_identity subject fingerprint san;
}

EOF_HTTP

ca($t, 'ca');
cert($t, 'ec', ca => 'ca');
cert($t, 'dev', ca => 'ca', subject => '/O=Example/CN=dev');

$t->write_file('file', 'here');
$t->write_file('other', "other\n");

store($t, realm => 'example');
account($t, 'add', 'pw', { password => 'secret' });
account($t, 'add', 'key', '--psk-identity', 'dev', { psk => KEY });
account($t, 'add', 'cert', '--cert', "$d/dev.crt");
account($t, 'add', 'other');

# it searches an index, by which a look-up begins

my $calls = Test::DmSec::Calls->new($t, qw/ mdb_cursor_open /);

$calls->run($t);

my %client = (
    pw => keepalive(8080),
    key => keepalive(8443, SSL => 1, psk('dev', KEY),
        SSL_version => 'TLSv1_3'),
    cert => keepalive(8443, SSL => 1, SSL_cert_file => "$d/dev.crt",
        SSL_key_file => "$d/dev.key"),
);

###############################################################################

# others change

is(answers(), 'cert=200/cert key=200/key pw=200/pw', 'let in');

foreach my $who (qw/ pw key /) {
    my $in = 0;

    $calls->forget();

    foreach (1 .. ROUNDS) {
        account($t, 'unlock', 'other');
        $in += answer($who) eq "$who=200/$who";
    }

    is($in, ROUNDS, "$who: let in, while another changes");
    cmp_ok(scalar($calls->made()), '<', ROUNDS / 2,
        "$who: not looked up again");
}

$calls->forget();

foreach (1 .. 3) {
    account($t, 'unlock', 'pw');
    answer('pw');
}

cmp_ok(scalar($calls->made()), '>=', 3, 'looked up where it changed itself');

# each change of its own, with one of another before and behind it

changed('disable', 'pw=403/', 'disable', 'pw');
changed('enable', 'pw=200/pw', 'enable', 'pw');
changed('another password', 'pw=401/', 'set', 'pw', '--password-file',
    "$d/other");
changed('the same one', 'pw=200/pw', 'set', 'pw',
    { password => 'secret' });
changed('groups', 'pw=200/pw', 'set', 'pw', '--group', 'lab');
changed('another name', 'pw=401/', 'set', 'pw', '--name', 'renamed',
    { password => 'secret' });
changed('its name is another\'s', 'pw=200/taker', 'add', 'taker', '--name',
    'pw', { password => 'secret' });
changed('that one is gone', 'pw=401/', 'del', 'taker');
changed('its name is its own', 'pw=200/pw', 'set', 'pw', '--name', 'pw',
    { password => 'secret' });
changed('gone', 'pw=401/', 'del', 'pw');
changed('there again', 'pw=200/pw', 'add', 'pw', { password => 'secret' });
changed('expired', 'pw=403/', 'set', 'pw', '--not-after',
    '2020-01-01T00:00:00Z');

changed('no key', 'key=403/', 'set', 'key', '--drop-psk', 'dev');
changed('the key again', 'key=200/key', 'set', 'key', '--psk-identity', 'dev',
    { psk => KEY });

# a key of the certificate that comes first, which nobody had, is another's now:
# of the one before it nothing has changed

changed('a key that comes first', 'cert=200/first', 'add', 'first',
    '--cert-key', 'subject:CN=dev,O=Example');
changed('it is gone', 'cert=200/cert', 'del', 'first');

undef $t;

###############################################################################

sub changed {
    my ($name, $answer, @change) = @_;
    my ($who) = $answer =~ /^(\w+)/;

    answer($who);
    account($t, 'unlock', 'other');
    answer($who);
    account($t, @change);
    account($t, 'unlock', 'other');

    is(answer($who), $answer, $name);
}

sub answers {
    return join ' ', map { answer($_) } sort keys %client;
}

sub answer {
    my ($who) = @_;
    my ($r);

    $r = $client{$who}->request(request('GET', '/',
        $who eq 'pw' ? basic('pw', 'secret') : ()));

    return "$who=" . status($r) . '/' . (header($r, 'X-Id') // '');
}

###############################################################################
