#!/usr/bin/perl

# Tests for what challenges say of the store: it is what the store says now,
# and not what it said when nginx was started.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::MD5 qw/ md5_hex /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;

###############################################################################

use constant TIME => 20;    # s, that only a failure takes

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(22);
my $d = $t->testdir();

conf($t, <<'EOF_HTTP');

error_log             %%TESTDIR%%/error.log info;
dm_sec_lockout        attempts=1 window=1d duration=1d;
dm_sec_plaintext_auth on;

server {
    listen       127.0.0.1:8080;
    server_name  localhost;

    dm_sec_auth basic digest;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }

    location /said {
        dm_sec_auth  basic;
        dm_sec_realm said;
        proxy_pass http://127.0.0.1:8081;
    }

    location /list {
        dm_sec_digest_algorithms SHA-256 MD5;
        proxy_pass http://127.0.0.1:8081;
    }
}

EOF_HTTP

store($t, realm => 'one.example');
account($t, 'add', 'IMEI:1', '--name', 'dev', { password => 'right' });

upstream($t, 8081);
$t->run();

###############################################################################

is(realms('/'), 'one.example one.example one.example one.example',
    'realm of the store');
is(algorithms('/'), 'SHA-256 SHA-512-256 MD5', 'the strongest first');
is(login('dev'), 200, 'digest');

# accounts that have MD5 alone come while it is open

account($t, 'import', '--format', 'htdigest', '-', { stdin =>
    'old:one.example:' . md5_hex('old:one.example:right') . "\n" });

is(algorithms('/'), 'MD5 SHA-256 SHA-512-256', 'MD5 first, at once');
is(algorithms('/list'), 'SHA-256 MD5', 'but not where a list says otherwise');
is(login('old'), 200, 'by the first challenge');
is(login('dev'), 200, 'and so do the others');

account($t, 'set', 'old', { password => 'right' });
is(algorithms('/'), 'SHA-256 SHA-512-256 MD5', 'and last again');
is(login('old'), 200, 'by the strongest');

# another store, with another realm, takes its place

rename "$d/store", "$d/first" or die "Can't rename: $!\n";
store($t, realm => 'two.example');
account($t, 'add', 'IMEI:1', '--name', 'dev', { password => 'right' });
account($t, 'backup', "$d/two");

rename "$d/store", "$d/second" or die "Can't rename: $!\n";
rename "$d/first", "$d/store" or die "Can't rename: $!\n";
ok(wait_for(TIME, sub { realms('/') =~ /^one\.example / }), 'the first again');
is(login('dev'), 200, 'digest');

my $before = challenge('/');

account($t, 'restore', "$d/two");

ok(wait_for(TIME, sub { realms('/') =~ /^two\.example / }), 'restored');
is(realms('/'), 'two.example two.example two.example two.example',
    'all challenges are for its realm');
is(realms('/said'), 'said', 'but where another is said');
is(login('dev'), 200, "digest, $_. time") for 1 .. 3;
is(login('dev', $before), 401, 'an answer to a challenge from before');
like((challenges(get('/')))[0]{realm}, qr/two/, 'is challenged anew');
is(scalar(grep { $_->{reason} eq 'stale_nonce' } denied($t)), 1,
    'and locks nobody out');
is(status(get('/', basic('dev', 'right'))), 200, 'basic');
is(login('dev'), 200, 'digest');

$t->stop();

###############################################################################

sub get {
    my ($uri, @lines) = @_;

    return http(request('GET', $uri, 'Connection: close', @lines));
}

sub realms {
    return join ' ', map { $_->{realm} } challenges(get(@_));
}

sub algorithms {
    return join ' ', map { $_->{algorithm} // () } challenges(get(@_));
}

sub challenge {
    return (challenges(get(@_)))[0];
}

# by the first challenge, as many clients do
sub login {
    my ($user, $challenge) = @_;

    return status(get('/', digest($challenge || challenge('/'),
        user => $user, password => 'right')));
}

###############################################################################
