#!/usr/bin/perl

# Tests for what challenges say of the store: it is what the store says now,
# and not what it said when nginx was started.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::MD5 qw/ md5_hex /;
use Digest::SHA qw/ sha256_hex /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;

###############################################################################

use constant TIME => 20;    # s, that only a failure takes

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/)->plan(58);
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

    location /status {
        dm_sec_status json;
        dm_sec_auth off;
    }

    location /page {
        dm_sec_status html;
        dm_sec_auth off;
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
is(algorithms('/'), 'MD5 SHA-256 MD5', 'MD5 for who looks at one only');
is(login('dev'), 200, 'digest');
is(login('dev', { %{ challenge('/') }, algorithm => $_ }), 200, "$_ is taken")
    foreach qw/ MD5 MD5-sess SHA-256 SHA-256-sess /;
is(login('dev', { %{ challenge('/') }, algorithm => 'SHA-512-256' }), 401,
    'SHA-512-256 is not, unless it is named');

# accounts that have MD5 alone come while it is open

account($t, 'import', '--format', 'htdigest', '-', { stdin =>
    'old:one.example:' . md5_hex('old:one.example:right') . "\n" });

is(algorithms('/'), 'MD5', 'MD5 alone, at once');
is(algorithms('/list'), 'SHA-256 MD5', 'but not where a list says otherwise');
is(login('old'), 200, 'by the only challenge');
is(login('dev'), 200, 'and so do the others');

account($t, 'set', 'old', { password => 'right' });
is(algorithms('/'), 'MD5 SHA-256 MD5', 'and both again');
is(login('old'), 200, 'by the first');

account($t, 'del', 'old');

# one account that has SHA-256 alone shuts out no client that knows MD5 alone

account($t, 'import', '-', { stdin => '{"id":"new","digest":{"SHA-256":"'
    . sha256_hex('new:one.example:right') . '"}}' });

is(algorithms('/'), 'MD5 SHA-256 MD5', 'one account without MD5');
is(md5_only($_, 'dev'), 200, "the $_ challenge with MD5") foreach qw/ 0 -1 /;
is(login('new', of('SHA-256')), 200, 'by the one between them');
like(http_get('/status'),
    qr/"store_lacking":\{"MD5":1,"SHA-512-256":1,"SHA-256":0}/,
    'status: who lacks what');
like(http_get('/page'), qr/Digest.*active accounts without MD5: 1,/s,
    'the page: who lacks what');

# it is alone where no active account has MD5

says($t, qr/is now challenged with SHA-256 alone, and no longer with MD5 /,
    'the last account with MD5 is disabled', qw/ disable IMEI:1 /);
is(algorithms('/'), 'SHA-256', 'SHA-256 alone');
is(login('new'), 200, 'by the only challenge');

says($t, qr/is now challenged with MD5 and SHA-256, and no longer with SHA/,
    'it is enabled', '--json', 'enable', 'IMEI:1');
is(algorithms('/'), 'MD5 SHA-256 MD5', 'it is enabled: both');

says($t, qr/is now challenged with SHA-256 alone/, 'it expires', 'set',
    'IMEI:1', '--not-after', '2020-01-01T00:00:00Z');
is(algorithms('/'), 'SHA-256', 'it has expired');

account($t, 'set', 'IMEI:1', '--not-after', '');
says($t, qr/would be challenged with SHA-256 alone/, 'a dry run', 'del',
    '--dry-run', 'IMEI:1');
is(algorithms('/'), 'MD5 SHA-256 MD5', 'after a dry run');

account($t, 'import', '--format', 'htdigest', '-', { stdin =>
    'old:one.example:' . md5_hex('old:one.example:right') . "\n" });

is(algorithms('/'), 'MD5 SHA-256 MD5', 'some lack the one, some the other');
like(account($t, 'check'), qr/accounts/, 'the store counts them rightly');

# who has SHA-256 alone does not count once it has expired

account($t, 'set', 'new', '--not-after', '2020-01-01T00:00:00Z');
is(algorithms('/'), 'MD5 SHA-256 MD5', 'without MD5, but expired');
is(md5_only($_, 'old'), 200, "the $_ challenge, MD5 only") foreach qw/ 0 -1 /;

account($t, 'del', $_) foreach qw/ new old /;
is(algorithms('/'), 'MD5 SHA-256 MD5', 'nobody lacks anything');

# another store, with another realm, takes its place

rename "$d/store", "$d/first" or die "Can't rename: $!\n";
store($t, realm => 'two.example');
account($t, 'add', 'IMEI:1', '--name', 'dev', { password => 'right' });
account($t, 'backup', "$d/two");

rename "$d/store", "$d/second" or die "Can't rename: $!\n";
rename "$d/first", "$d/store" or die "Can't rename: $!\n";

# what challenges has that realm while there is no store, too
ok(wait_for(TIME, sub {
    !grep { !$_ } each_worker($t, sub {
        return realms('/') =~ /^one\.example / && login('dev') == 200;
    });
}), 'the first again');
is(realms('/said'), 'said', 'and what is said');

my $before = challenge('/');

account($t, 'restore', "$d/two");

ok(wait_for(TIME, sub {
    !grep { !/^two\.example / } each_worker($t, sub { realms('/') });
}), 'restored');
is(realms('/'), 'two.example two.example two.example two.example',
    'all challenges are for its realm');
is(realms('/said'), 'said', 'but where another is said');
is(login('dev'), 200, "digest, $_. time") for 1 .. 3;
is(login('dev', $before), 401, 'an answer to a challenge from before');
like((challenges(get('/')))[0]{realm}, qr/two/, 'is challenged anew');
is(scalar(grep { ($_->{detail} // '') eq 'other_realm' } denied($t)), 1,
    'and locks nobody out');
is(status(get('/', basic('dev', 'right'))), 200, 'basic');
is(login('dev'), 200, 'digest');

$t->stop();

# each worker has said once that it changes

my ($twice, %last) = (0);
my @said = log_lines($t, qr/and Digest is challenged with/);

like($said[0], qr/\[notice\] .*with MD5 alone: /, 'a worker says it');
foreach (@said) {
    my ($pid, $with) = / (\d+)#\d+: .*challenged with (.*?):/;
    $twice++ if ($last{$pid} // '') eq $with;
    $last{$pid} = $with;
}

is($twice, 0, 'but once');

undef $t;

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

sub of {
    my ($algorithm) = @_;

    return (grep { ($_->{algorithm} // '') eq $algorithm }
        challenges(get('/')))[0];
}

# a client that looks at one challenge and knows MD5 alone
sub md5_only {
    my ($i, $user) = @_;
    my ($challenge) = (grep { defined $_->{nonce} } challenges(get('/')))[$i];

    return $challenge->{algorithm} eq 'MD5' ? login($user, $challenge) : 0;
}

# changes an account, and looks at what is said of it
sub says {
    my ($t, $pattern, $name, @args) = @_;
    my ($exit, undef, $err) = dm_account($t, @args);

    is($exit, 0, $name);
    like($err, $pattern, "$name: said");
    is(($err =~ tr/\n//), 1, "$name: in one line");
}

# by the first challenge, as many clients do
sub login {
    my ($user, $challenge) = @_;

    return status(get('/', digest($challenge || challenge('/'),
        user => $user, password => 'right')));
}

###############################################################################
