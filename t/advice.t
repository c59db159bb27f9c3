#!/usr/bin/perl

# Tests that advice mends: the command that "dm-account explain" has for a
# refusal is run as it stands, and the device is let in.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use JSON::PP qw/ decode_json /;

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy socket_ssl/)
    ->has_daemon('openssl');

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;
    dm_sec_lockout        attempts=2 address_attempts=6;
    dm_sec_log_limit      off;

    ssl_certificate        server.crt;
    ssl_certificate_key    server.key;
    ssl_client_certificate ca.crt;

    set_real_ip_from 127.0.0.0/8;
    real_ip_header   X-Real-IP;

    server {
        listen       127.0.0.1:8443 ssl;
        listen       127.0.0.1:8080;
        server_name  localhost;

        ssl_verify_client optional;

        location / {
            dm_sec_auth basic;
            proxy_pass http://127.0.0.1:8081;
        }

        location /group {
            dm_sec_auth basic;
            dm_sec_groups pilot;
            proxy_pass http://127.0.0.1:8081;
        }

        location /x509 {
            dm_sec_auth x509;
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

ca($t, 'ca');
cert($t, 'server', ca => 'ca', key => 'ec');
cert($t, 'device', ca => 'ca', key => 'ec', cn => 'device');

my $d = $t->testdir();
my %cert = (SSL_cert_file => "$d/device.crt", SSL_key_file => "$d/device.key");
my $client = 0;

store($t, realm => 'dm.example');
account($t, 'add', "id$_", { password => 'right' }) for 1 .. 6;
account($t, 'add', 'id7');
account($t, 'set', 'id1', '--disabled');
account($t, 'set', 'id2', '--not-after', '2020-01-01T00:00:00Z');
account($t, 'set', 'id3', '--not-before', '2100-01-01T00:00:00Z');

upstream($t, 8081);
$t->plan(36)->run();

###############################################################################

# name, uri, password, the reason and its detail, and the blanks of the command

mends(@$_) for
    [ 'id1', '/', 'right', 'account_disabled -', 'enable id1' ],
    [ 'id2', '/', 'right', 'account_expired -',
        'set id2 --not-after 2100-12-31T00:00:00Z' ],
    [ 'id3', '/', 'right', 'account_expired account_not_yet_valid',
        "set id3 --not-before ''" ],
    [ 'id4', '/group', 'right', 'group -', 'set id4 --add-group pilot' ],
    [ 'id5', '/', 'wrong', 'bad_credentials wrong_password',
        'set id5 --generate-password' ],
    [ 'id7', '/', 'any', 'bad_credentials no_password',
        'set id7 --generate-password' ];

# locks, of which one is ended; the client cannot tell them apart

try('id6', '/', 'wrong', '10.0.0.1') for 1 .. 2;
mends('id6', '/', 'right', 'locked name', 'unlock id6', '10.0.0.1');

try("nobody$_", '/', 'wrong', '10.0.0.2') for 1 .. 6;

my $r = try('id6', '/', 'right', '10.0.0.2');

is(last_denied(), 'locked address', 'an address is locked');
unlike(told(), qr/dm-account/, 'which no command ends');
account($t, 'unlock', 'id6');
is(status(try('id6', '/', 'right', '10.0.0.2')), 429, 'unlock does not');

try('id5', '/', 'wrong', '10.0.0.3') for 1 .. 2;
is(plain(try('id5', '/', 'right', '10.0.0.3')), plain($r),
    'the answer does not tell which lock it is');

# a certificate

$r = https(8443, request('GET', '/x509'), %cert);
is(status($r), 403, 'a certificate');
is(last_denied(), 'certificate_unbound -', 'is bound to nobody');
command('set id7 --cert-key ' . (denied($t, 0))[-1]{claimed});
is(status(https(8443, request('GET', '/x509'), %cert)), 200, 'is bound');

undef $t;

###############################################################################

# one is refused, the command is run, and then it is let in
sub mends {
    my ($name, $uri, $password, $why, $command, $address) = @_;

    $address ||= '10.1.0.' . ++$client;

    isnt(status(try($name, $uri, $password, $address)), 200, "$why: refused");
    is(last_denied(), $why, "$why: it is that");

    my $out = command($command);

    $password = $1 if $out =~ /^password: (\S+)$/m;
    is(status(try($name, $uri, $password, $address)), 200, "$why: mended");
}

sub try {
    my ($name, $uri, $password, $address) = @_;

    return keepalive(8080)->request(request('GET', $uri,
        "X-Real-IP: $address", basic($name, $password)));
}

sub last_denied {
    return join ' ', map { $_ || '-' }
        @{ (denied($t, 0))[-1] }{qw/ reason detail /};
}

# what is to be done about the last line
sub told {
    my ($line) = (grep { /dm_sec: denied / } split /\n/,
        $t->read_file('error.log'))[-1];

    return decode_json(account($t, 'explain', '--json', $line))->{todo};
}

# runs the command that is told, with its blanks filled in as this one has them
sub command {
    my ($command) = @_;
    my ($told);
    my ($verb, $id, @options) = split / /, $command;
    my $program = $ENV{TEST_DM_ACCOUNT} || '../build/dm-account';

    # of several commands the one with this verb and option is meant

    ($told) = grep { / \Q$verb\E ID/ && (!@options || / \Q$options[0]\E/) }
        told() =~ /"(dm-account [^"]+)"/g;

    $told //= '';
    $told =~ s/ ID\b/ $id/;
    $told =~ s/ (?:TIME|GROUP|KEY)$/ '$options[1]'/;

    is($told =~ s/'//gr, "dm-account --store $d/store --key $d/store.key "
        . $command =~ s/'//gr, "$command: is told");

    $told =~ s/^dm-account/$program/;

    return scalar qx{$told};
}

sub plain {
    my ($r) = @_;

    return $r =~ s/^(?:Date|Retry-After): .*\n//mgr;
}

###############################################################################
