#!/usr/bin/perl

# Tests that the line which tells the operator that an account's password was
# never set for an algorithm comes behind the answer: else an account would be
# known by the time that the line takes.

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

my $t = Test::Nginx->new()->has(qw/ http /);

# its log says when it sends
plan(skip_all => 'no --with-debug') unless $t->has_module('--with-debug');

$t->plan(5);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_lockout        off;
    dm_sec_log_limit      off;
    dm_sec_plaintext_auth on;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_auth digest;
    }
}

EOF_CONF

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'slow', '--slow-hash',
    { password => 'right' });

$t->run();

###############################################################################

is(login('slow'), 401, 'an account');
like((log_lines($t, qr/cannot log in with Digest/))[0],
    qr/account "IMEI:1" cannot log in with Digest and SHA-256: its/,
    'what the operator is told');
is(login('nobody'), 401, 'nobody');

# before the answer there is a line more for neither of them

is(steps($_), 'denied writev denied writev', "what is done for $_")
    foreach qw/ slow nobody /;

undef $t;

###############################################################################

sub login {
    my ($name) = @_;
    my ($client) = keepalive(8080);
    my ($challenge) = grep { $_->{algorithm} eq 'SHA-256' }
        challenges($client->request(request('GET', '/')));
    my ($response) = $client->request(request('GET', '/', digest($challenge,
        user => $name, password => 'right', uri => '/')));

    $client->close();

    return status($response);
}

# What the log has of that client's connection up to its second answer, which
# is seen by the client before it is in the log.
sub steps {
    my ($name) = @_;
    my ($number) = (log_lines($t, qr/denied .* claimed="$name"/))[0]
        =~ / (\*\d+) /;
    my ($mine) = qr/ \Q$number\E (?:dm_sec: (\w+)|(writev):)/;
    my (@steps);

    wait_for(30, sub {
        @steps = map { $_ =~ $mine ? $1 // $2 : () } log_lines($t, $mine, 0);
        return 2 <= grep { $_ eq 'writev' } @steps;
    });

    return join(' ', @steps) =~ s/writev .*?writev\K.*//r;
}

###############################################################################
