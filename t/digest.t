#!/usr/bin/perl

# Tests for dm_sec_auth digest: challenges, answers of each algorithm, names
# in each form, what is wrong, stale, replayed and malformed, and lockout.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::SHA qw/ sha256_hex /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy realip/)
    ->has_daemon('curl')->plan(339);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/error.log info;
    log_format user "$remote_user $dm_sec_auth_method "
                    "$dm_sec_digest_algorithm $dm_sec_reason $uri";
    access_log %%TESTDIR%%/user.log user;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;
    dm_sec_log_limit      100000/s;
    dm_sec_lockout        attempts=3 window=1d duration=1d;

    # each check is a client of its own, so that none locks another out
    set_real_ip_from 127.0.0.1;
    real_ip_header   X-Real-IP;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_auth digest;
        dm_sec_digest_algorithms SHA-256 SHA-512-256 MD5;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /md5 {
            dm_sec_digest_algorithms MD5;
            proxy_pass http://127.0.0.1:8081;
        }

        location /sha {
            dm_sec_digest_algorithms sha-256;
            proxy_pass http://127.0.0.1:8081;
        }

        location /sess {
            dm_sec_digest_algorithms MD5-sess SHA-512-256-sess SHA-256-sess;
            proxy_pass http://127.0.0.1:8081;
        }

        location /short {
            dm_sec_challenge_parameters off;
            proxy_pass http://127.0.0.1:8081;
        }

        location /short/charset {
            dm_sec_auth basic digest;
            dm_sec_challenge_parameters charset;
            proxy_pass http://127.0.0.1:8081;
        }

        location /short/basic {
            dm_sec_auth basic;
            dm_sec_challenge_parameters userhash;
            proxy_pass http://127.0.0.1:8081;
        }

        location /both {
            dm_sec_auth basic digest;
            proxy_pass http://127.0.0.1:8081;
        }

        location /pass {
            dm_sec_pass_authorization on;
            proxy_pass http://127.0.0.1:8081;
        }

        location /group {
            dm_sec_groups fleet;
            proxy_pass http://127.0.0.1:8081;
        }

        location /redirect {
            try_files /nothing @named;
        }

        location @named {
            proxy_pass http://127.0.0.1:8081;
        }

        # what comes to the page is a GET
        location /refused {
            error_page 403 /page;
            return 403;
        }

        # judged there, and again here
        location /twice {
            error_page 404 = @sha;
            proxy_intercept_errors on;
            proxy_pass http://127.0.0.1:8082/missing;
        }

        location @sha {
            dm_sec_digest_algorithms SHA-256;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        location / {
            return 404;
        }
    }
}

EOF_CONF

store($t, realm => 'dm.example', args => [ '--map-size', '2m' ]);
account($t, 'add', 'IMEI:1', '--name', 'alice', '--group', 'fleet',
    { password => 'secret' });
account($t, 'add', 'IMEI:2', '--name', 'bob', { password => 'a:b "c"\\' });
account($t, 'add', 'IMEI:3', '--name', 'with "quotes" \\',
    { password => 'secret' });
account($t, 'add', 'IMEI:4', '--name', "j\xc3\xbcrgen",
    { password => "gr\xc3\xbc\xc3\x9fe" });
account($t, 'add', 'IMEI:5', '--name', 'slow', '--slow-hash',
    { password => 'secret' });
account($t, 'add', 'IMEI:6', '--name', 'off', '--disabled',
    { password => 'secret' });

$t->write_file('md5.jsonl', '{"id":"IMEI:7","name":"old","digest":{"MD5":"'
    . Digest::MD5::md5_hex('old:dm.example:secret') . '"}}' . "\n");
account($t, 'import', '--update', $t->testdir() . '/md5.jsonl');

upstream($t, 8081);
$t->run();

my %algorithms = map { $_ => 1 } qw/ MD5 SHA-256 SHA-512-256 /;
my $address = 0;
my ($c, $r);

###############################################################################

# challenges

my $response = get('/');
is(verdict($t, $response, 8081), '401 no_credentials', 'no credentials');

my @challenges = challenges($response);

is(join(' ', map { $_->{algorithm} } @challenges), 'SHA-256 SHA-512-256 MD5',
    'a challenge for each algorithm');

foreach my $challenge (@challenges) {
    my ($name) = $challenge->{algorithm};

    is($challenge->{scheme}, 'Digest', "$name: scheme");
    is($challenge->{realm}, 'dm.example', "$name: realm");
    like($challenge->{nonce}, qr!^[A-Za-z0-9+/]{64}$!, "$name: nonce");
    is($challenge->{qop}, 'auth', "$name: qop");
    like($challenge->{opaque}, qr/^[0-9a-f]{8}$/, "$name: opaque");
    is($challenge->{charset}, 'UTF-8', "$name: charset");
    is($challenge->{userhash}, 'true', "$name: userhash");
    is($challenge->{stale}, undef, "$name: not stale");
}

isnt((challenge('/'))[0]{nonce}, $challenges[0]{nonce}, 'another nonce');

is(join(' ', map { $_->{algorithm} } challenge('/md5')), 'MD5', 'MD5 only');
is(join(' ', map { $_->{algorithm} } challenge('/sha')), 'SHA-256',
    'SHA-256 only');
is(join(' ', map { $_->{algorithm} } challenge('/sess')),
    'MD5-sess SHA-512-256-sess SHA-256-sess', 'as the directive says');
is(join(' ', map { $_->{scheme} . ' ' . ($_->{algorithm} // '-') }
    challenge('/both')),
    'Digest SHA-256 Digest SHA-512-256 Digest MD5 Basic -',
    'Basic comes last');
verdict($t, undef, 8081);

# not every client knows each parameter

is(parameters('/short'), '- - -', 'neither charset nor userhash');
is(parameters('/short/charset'), 'charset charset charset charset',
    'charset, in that of Basic too');
is(parameters('/short/basic'), '-', 'userhash, which Basic has not');
is(parameters('/both'), 'charset+userhash charset+userhash charset+userhash '
    . 'charset', 'both by default');

# right: each algorithm, a nonce with several counts, what is sent again

foreach ((map { [ '/', $_ ] } sort keys %algorithms),
    (map { [ '/sess', "$_-sess" ] } sort keys %algorithms),
    [ '/md5', 'MD5' ], [ '/sha', 'SHA-256' ])
{
    my ($uri, $algorithm) = @$_;
    my ($challenge) = of($algorithm, challenge($uri));
    my (%o) = (user => 'alice', password => 'secret', uri => $uri,
        cnonce => 'a "quoted\\ cnonce');

    verdict($t, undef, 8081);

    my $line = digest($challenge, %o, set => {
        cnonce => 'a \\"quoted\\\\ cnonce' });
    $r = get($uri, $line);
    is(verdict($t, $r, 8081), '200 upstream', "$algorithm: login");
    like($r, qr/^DM-Client-ID: IMEI:1\r$/m, "$algorithm: id upstream");
    like($r, qr/^DM-Auth-Method: digest\r$/m, "$algorithm: method upstream");
    unlike($r, qr/^Authorization/mi, "$algorithm: consumed");
    unlike($r, qr/^WWW-Authenticate/mi, "$algorithm: no challenge");

    is(header($r, 'Authentication-Info'), 'rspauth="'
        . rspauth($challenge, %o) . '", qop=auth, '
        . 'cnonce="a \\"quoted\\\\ cnonce", nc=00000001',
        "$algorithm: the server knows the secret too");

    $r = get($uri, $line);
    is(verdict($t, $r, 8081), '401 replay', "$algorithm: the same again");
    is($_->{stale}, 'true', "$algorithm: stale") foreach challenges($r);
    is(header($r, 'Authentication-Info'), undef, "$algorithm: no info");

    $r = get($uri, digest($challenge, %o, nc => 2, cnonce => 'c'));
    is(verdict($t, $r, 8081), '200 upstream', "$algorithm: the next count");
}

# -sess comes with its algorithm, which does not come with -sess

is(verdict($t, login('MD5', uri => '/md5', algorithm => 'MD5-sess'), 8081),
    '200 upstream', 'MD5 named: MD5-sess too');
is(verdict($t, login($_, uri => '/sess'), 8081), '401 malformed',
    "-sess named: not plain $_") foreach sort keys %algorithms;

# names

foreach ([ 'bob', 'a:b "c"\\', 2 ],
    [ "j\xc3\xbcrgen", "gr\xc3\xbc\xc3\x9fe", 4 ],
    [ 'with "quotes" \\', 'secret', 3, 'with \\"quotes\\" \\\\' ])
{
    my ($user, $password, $id, $quoted) = @$_;

    foreach my $algorithm (sort keys %algorithms) {
        my (@o) = (user => $user, password => $password);

        $r = login($algorithm, @o,
            $quoted ? (set => { username => $quoted }) : ());
        like($r, qr/^DM-Client-ID: IMEI:$id\r$/m,
            "$algorithm: IMEI:$id by its name");

        $r = login($algorithm, @o, userhash => 1);
        like($r, qr/^DM-Client-ID: IMEI:$id\r$/m,
            "$algorithm: IMEI:$id by its userhash");

        $r = login($algorithm, @o, set => { username => undef,
            'username*' => "UTF-8''"
            . join('', map { sprintf '%%%02x', ord } split //, $user) });
        like($r, qr/^DM-Client-ID: IMEI:$id\r$/m,
            "$algorithm: IMEI:$id by its encoded name");
    }
}

is(verdict($t, undef, 8081) =~ tr/u//, 27, 'all of them went upstream');

# wrong: never stale, and the same for a name that is unknown

foreach ([ 'password', password => 'wrong' ],
    [ 'no password', password => '' ],
    [ 'name', user => 'nobody' ],
    [ 'name in another case', user => 'Alice' ],
    [ 'userhash', user => 'nobody', userhash => 1 ],
    [ 'password with a userhash', password => 'wrong', userhash => 1 ],
    [ 'realm', set => { realm => 'dm.exampl' } ],
    [ 'longer realm', set => { realm => 'dm.example.org' } ],
    [ 'response', set => { response => '0' x 64 } ],
    [ 'another uri hashed', hashed_uri => '/other' ],
    [ 'another method hashed', method => 'POST' ],
    [ 'slow hash only', user => 'slow' ])
{
    my ($test, %o) = @$_;

    $r = login('SHA-256', %o);
    is(verdict($t, $r, 8081), '401 bad_credentials', "wrong $test");
    is((challenges($r))[0]{stale}, undef, "wrong $test: not stale");

    $r = login('SHA-256', %o, nonce => 'x' x 64);
    is(verdict($t, $r, 8081), '401 bad_credentials',
        "wrong $test, foreign nonce");
    is((challenges($r))[0]{stale}, undef,
        "wrong $test, foreign nonce: not stale");
}

like(join("\n", log_lines($t, qr/cannot log in with Digest/)),
    qr/account "IMEI:5" cannot log in with Digest and SHA-256/,
    'the operator is told what an account lacks');

# stale: the secret is right

foreach ([ 'foreign', nonce => 'x' x 64 ],
    [ 'short', nonce => 'dcd98b7102dd2f0e8b11d0f600bfb0c093' ],
    [ 'long', nonce => 'A' x 512 ],
    [ 'changed', change => 1 ])
{
    my ($test, %o) = @$_;

    $r = login('SHA-256', %o);
    is(verdict($t, $r, 8081), '401 stale_nonce', "$test nonce");
    is((challenges($r))[0]{stale}, 'true', "$test nonce: stale");
}

# a nonce is the account's that answered it first

$c = of('SHA-256', challenge('/'));
$r = get('/', digest($c, user => 'alice', password => 'secret'));
is(status($r), 200, 'first answer');
verdict($t, undef, 8081);

$r = get('/', digest($c, user => 'bob', password => 'a:b "c"\\', nc => 2));
is(verdict($t, $r, 8081), '401 stale_nonce', 'nonce of another account');

$r = get('/', digest($c, user => 'alice', password => 'secret', nc => 2));
is(verdict($t, $r, 8081), '200 upstream', 'its own goes on');

# what is not accepted here cannot be verified

$r = login('MD5', uri => '/sha');
is(verdict($t, $r, 8081), '401 malformed', 'algorithm not of here');

$r = login('SHA-256', qop => 'auth-int', body => '');
is(verdict($t, $r, 8081), '401 malformed', 'qop not of here');

$r = login('MD5', uri => '/md5', algorithm => 'MD5-sess');
is(verdict($t, $r, 8081), '200 upstream', 'session variant of what is');

$r = login('MD5', uri => '/both');
is(verdict($t, $r, 8081), '200 upstream', 'Digest where both are accepted');

$r = get('/both', basic('alice', 'secret'));
is(verdict($t, $r, 8081), '200 upstream', 'Basic where both are accepted');
like($r, qr/^DM-Auth-Method: basic\r$/m, 'method of Basic');

$r = get('/', basic('alice', 'secret'));
is(verdict($t, $r, 8081), '401 no_credentials', 'Basic where it is not');

# an account with MD5 alone

$r = login('MD5', user => 'old');
is(verdict($t, $r, 8081), '200 upstream', 'MD5 of an old account');
$r = login('SHA-256', user => 'old');
is(verdict($t, $r, 8081), '401 bad_credentials', 'its SHA-256');

# the uri is the request's target, as it was sent

foreach my $uri ('/a?b=c', '/a%20b', '/./a//b/../c', '/?', '/a?b"c\\d') {
    my $c = of('SHA-256', challenge('/'));
    verdict($t, undef, 8081);

    $r = get($uri, digest($c, user => 'alice', password => 'secret',
        uri => $uri, set => { uri => $uri =~ s/(["\\])/\\$1/gr }));
    is(verdict($t, $r, 8081), '200 upstream', "target $uri");
}

$c = of('SHA-256', challenge('/'));
verdict($t, undef, 8081);

$r = get('http://localhost/abs?x', digest($c, user => 'alice',
    password => 'secret', uri => 'http://localhost/abs?x'));
is(verdict($t, $r, 8081), '200 upstream', 'absolute form');

$r = get('http://localhost/abs?x', digest($c, user => 'alice',
    password => 'secret', uri => '/abs?x', nc => 2));
is(verdict($t, $r, 8081), '200 upstream', 'its path');

foreach my $uri ('/other', '/a', '/a?b', '/a?b=cd', 'http://localhost.x/a?b=c',
    '*')
{
    $r = get('/a?b=c', digest($c, user => 'alice', password => 'secret',
        uri => $uri, nc => 3));
    is(verdict($t, $r, 8081), '400 malformed', "target is not $uri");
}

# malformed: each is refused before the secret is looked at; answers.t has more

foreach ([ 'nc of 9 digits', nc => '000000001' ],
    [ 'nc that is no number', nc => '0000000g' ],
    [ 'no nc', nc => undef ],
    [ 'no qop', qop => undef ],
    [ 'unknown qop', qop => 'auth-conf' ],
    [ 'no cnonce', cnonce => undef ],
    [ 'no response', response => undef ],
    [ 'short response', response => 'ab' x 31 ],
    [ 'response of MD5', response => 'ab' x 16 ],
    [ 'no uri', uri => undef ],
    [ 'no realm', realm => undef ],
    [ 'no nonce', nonce => undef ],
    [ 'no username', username => undef ],
    [ 'unknown algorithm', algorithm => 'SHA-1' ],
    [ 'userhash that is none', userhash => 'true' ],
    [ 'username* of Latin-1', 'username*' => "ISO-8859-1''a",
        username => undef ])
{
    my ($test, %set) = @$_;

    $r = login('SHA-256', set => \%set);
    is(verdict($t, $r, 8081), '401 malformed', $test);
    is(join(' ', map { $_->{algorithm} } challenges($r)),
        join(' ', map { $_->{algorithm} } @challenges), "$test: challenges");
}

foreach ([ 'both names', 'username*' => "UTF-8''alice" ],
    [ 'long nonce', nonce => 'A' x 513 ],
    [ 'long cnonce', cnonce => 'A' x 513 ],
    [ 'long username', username => 'A' x 1025 ])
{
    my ($test, %set) = @$_;

    $r = login('SHA-256', set => \%set);
    is(verdict($t, $r, 8081), '400 malformed', $test);
}

$c = of('SHA-256', challenge('/'));
my $line = digest($c, user => 'alice', password => 'secret');
verdict($t, undef, 8081);

foreach ([ 'nc twice', "$line, nc=00000001" ],
    [ 'username twice', qq/$line, Username="alice"/ ],
    [ 'no end of quotes', "$line, x=\"y" ],
    [ 'NUL-like control character', "$line, x=\"\x01\"" ])
{
    my ($test, $malformed) = @$_;

    $r = get('/', $malformed);
    is(verdict($t, $r, 8081), '400 malformed', $test);
    is(header($r, 'WWW-Authenticate'), undef, "$test: no challenge");
}

$r = get('/', "$line, x=y, , z=\"w\"");
is(verdict($t, $r, 8081), '200 upstream', 'what is unknown does not matter');

# the account's state comes after the secret

$r = login('SHA-256', user => 'off');
is(verdict($t, $r, 8081), '403 account_disabled', 'disabled');
is(header($r, 'Authentication-Info'), undef, 'disabled: no info');
$r = login('SHA-256', user => 'off', password => 'wrong');
is(verdict($t, $r, 8081), '401 bad_credentials', 'disabled, wrong password');

$r = login('SHA-256', uri => '/group');
is(verdict($t, $r, 8081), '200 upstream', 'in the group');
$r = login('SHA-256', uri => '/group', user => 'bob',
    password => 'a:b "c"\\');
is(verdict($t, $r, 8081), '403 group', 'not in the group');

# after an internal redirect the count is not spent again

$r = login('SHA-256', uri => '/redirect');
is(verdict($t, $r, 8081), '200 upstream', 'redirect to a named location');

$r = login('SHA-256', uri => '/twice');
is(verdict($t, $r, 8081), '200 upstream', 'redirect to one that accepts it');

$r = login('MD5', uri => '/twice');
is(verdict($t, $r, 8081), '401 malformed', 'and to one that does not');

$r = login('SHA-256', uri => '/pass');
like($r, qr/^Authorization: Digest /m, 'passed on where it is asked for');
verdict($t, undef, 8081);

foreach (1 .. 4) {
    $c = of('SHA-256', challenge('/'));
    verdict_of_challenge();

    $r = http(request('POST', '/refused', 'X-Real-IP: 192.0.2.4',
        'Connection: close', digest($c, user => 'alice',
        password => 'secret', method => 'POST', uri => '/refused')));
    is(verdict($t, $r, 8081), '403 upstream', "POST and an error_page $_");
}

# lockout: who has a nonce of the account is not locked out

$c = of('SHA-256', challenge('/'));
my %alice = (user => 'alice', password => 'secret');
my $from = 'X-Real-IP: 192.0.2.1';

$r = get('/', digest($c, %alice), $from);
is(status($r), 200, 'a device at work');

foreach (1 .. 3) {
    $r = get('/', digest(of('SHA-256', challenge('/')), user => 'alice',
        password => 'guess'), $from);
    is(status($r), 401, "guess $_");
}

verdict($t, undef, 8081);

$r = get('/', digest(of('SHA-256', challenge('/')), %alice), $from);
is(verdict($t, $r, 8081), '429 no_credentials locked', 'locked');
cmp_ok(header($r, 'Retry-After'), '>', 50, 'and for how long');

$r = get('/', digest($c, %alice, nc => 2), $from);
is(verdict($t, $r, 8081), '200 upstream', 'but not the device');

$r = get('/', digest($c, user => 'bob', password => 'a:b "c"\\', nc => 3),
    $from);
is(verdict($t, $r, 8081), '401 stale_nonce', 'its nonce is nobody else\'s');

$r = get('/both', basic('alice', 'secret'), $from);
is(verdict($t, $r, 8081), '429 locked', 'Basic is locked with it');

account($t, 'unlock', 'IMEI:1');
$r = get('/', digest(of('SHA-256', challenge('/')), %alice), $from);
is(status($r), 200, 'unlocked');

# neither stale nor missing credentials count, and no name is different

$from = 'X-Real-IP: 192.0.2.2';

foreach (1 .. 5) {
    get('/', digest({ %$c, nonce => 'x' x 64 }, %alice), $from);
    get('/', '', $from);
    get('/', digest($c, %alice, nc => 2), $from);
}

verdict($t, undef, 8081);
$r = get('/', digest($c, %alice, nc => 9), $from);
is(verdict($t, $r, 8081), '200 upstream', 'stale and replayed do not count');

foreach my $user (qw/ alice nobody /) {
    $from = "X-Real-IP: 192.0.2.3";

    my @codes = map { status(get('/', digest($c, user => $user,
        password => 'guess', nc => 100 + $_, userhash => $_ % 2), $from)) }
        1 .. 6;

    # a name and its hash are counted by themselves: that they are the same
    # must not show
    is("@codes", '401 401 401 401 401 401', "$user: three guesses each");

    foreach my $userhash (0, 1) {
        $r = get('/', digest(of('SHA-256', challenge('/')), user => $user,
            password => 'secret', userhash => $userhash), $from);
        is(status($r), 429, "$user: locked, userhash $userhash");
    }

    $r = get('/', digest(of('SHA-256', challenge('/')), user => $user,
        password => 'secret', userhash => 1,
        set => { username => uc sha256_hex("$user:dm.example") }), $from);
    is(status($r), 429, "$user: locked, userhash in upper case");
}

# what is logged, and a real client

foreach my $algorithm (sort keys %algorithms) {
    like($t->read_file('user.log'), qr!^alice digest $algorithm - /$!m,
        "the name in the log, $algorithm");
    like($t->read_file('user.log'), qr!^alice digest $algorithm-sess - /sess!m,
        "the name in the log, $algorithm-sess");
}

like($t->read_file('user.log'), qr!^alice basic - - /both!m, 'Basic has none');
unlike($t->read_file('user.log'), qr/^- - [MS]/m, 'nor has what was denied');
unlike($t->read_file('user.log'), qr/^nobody/m,
    'and none that was not verified');

foreach ([ '/', '--digest' ], [ '/md5', '--digest' ], [ '/sha', '--digest' ],
    [ '/both', '--anyauth' ], [ '/both', '--basic' ])
{
    my ($uri, @args) = @$_;

    like(curl($uri, 'alice:secret', @args), qr/^DM-Client-ID: IMEI:1\r$/m,
        "curl @args $uri");
    like(curl($uri, 'alice:secret', @args, '-d', 'x=y'),
        qr/^DM-Client-ID: IMEI:1\r$/m, "curl @args $uri, POST");
}

like(curl('/md5', 'old:secret', '--digest'), qr/^DM-Client-ID: IMEI:7\r$/m,
    'curl, an account that has MD5 alone');
is(status(curl('/', 'alice:wrong', '--digest')), 401, 'curl, wrong password');

undef $t;

###############################################################################

sub get {
    my ($uri, @lines) = @_;
    my ($client) = keepalive(8080);

    # a client that no other check has locked out
    push @lines, sprintf 'X-Real-IP: 10.0.%d.%d', ++$address >> 8,
        $address & 255 unless grep { /^X-Real-IP/ } @lines;

    my $response = $client->request(request('GET', $uri, @lines));
    $client->close();

    return $response;
}

sub challenge {
    return challenges(get(@_));
}

sub of {
    my ($algorithm, @challenges) = @_;

    return (grep { ($_->{algorithm} // '') eq $algorithm } @challenges)[0]
        || die "no challenge for $algorithm\n";
}

# which of these each challenge has
sub parameters {
    return join(' ', map {
        my ($challenge) = $_;
        join('+', grep { $challenge->{$_} } qw/ charset userhash /) || '-'
    } challenge(@_));
}

# A login as alice with a new nonce, but what the options say otherwise.  Of
# the refusal that gave the challenge verdict() knows already.
sub login {
    my ($algorithm, %o) = @_;
    my ($uri) = $o{uri} // '/';
    my ($challenge, $response);

    $challenge = { %{ of($algorithm, challenge('/')) } };
    verdict_of_challenge();

    $challenge->{nonce} = delete $o{nonce} if $o{nonce};
    $challenge->{nonce} =~ tr/A-Za-z/B-ZAb-za/ if delete $o{change};
    $challenge->{algorithm} = delete $o{algorithm} if $o{algorithm};

    $o{set} = { %{ $o{set} || {} }, uri => $uri }, $o{uri} = $o{hashed_uri}
        if $o{hashed_uri};

    return get($uri, digest($challenge, user => 'alice',
        password => 'secret', %o, exists $o{hashed_uri} ? () : (uri => $uri)));
}

# reads past the line of the refusal, and nothing that went upstream
sub verdict_of_challenge {
    verdict($t, undef);
}

sub curl {
    my ($uri, $user, @args) = @_;

    return (run_command([ 'curl', '-s', '-i', '--max-time', 60, '-u', $user,
        @args, 'http://127.0.0.1:' . port(8080) . $uri ]))[1]
        =~ s{^HTTP/1.1 401.*(?=HTTP/1.1 200)}{}sr;
}

###############################################################################
