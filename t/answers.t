#!/usr/bin/perl

# Tests for what a client may send in Authorization, and what it gets: what is
# legal is accepted, what nothing could verify is asked for again, and what
# has a second meaning is refused.  Which of it counts as a failed attempt.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::MD5 qw/ md5_hex /;
use MIME::Base64 qw/ encode_base64 /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

# What becomes of an input: the verdict, whether there is a challenge, whether
# a failure is counted.

my %become = (
    verified => [ '200 upstream', 0, 0 ],
    wrong => [ '401 bad_credentials', 1, 1 ],
    useless => [ '401 malformed', 1, 0 ],
    refused => [ '400 malformed', 0, 0 ],
);

my $name_max = 1024;
my $nonce_max = 512;
my $digits = 'ab' x 16;

# What becomes of it; the statuses of Apache 2.4.71 and lighttpd 1.4.69, as they
# were asked (Debian's, 30 Nov 2026; Apache has no "-sess", and neither refuses
# a count that was used); what it is; and what differs from a right answer:
# {is} is hashed too, {sent} is not (undef is left out), {bare} is without its
# quotes, {more} stands behind it, {whole} is all.

# inputs: digest
my @digest = (
    # what is legal, or has one safe reading

    [ verified => 200, 200, 'as it should be' ],
    [ verified => 200, 200, 'an empty cnonce', is => { cnonce => '' } ],
    [ verified => 401, 200, 'an empty cnonce, -sess',
        is => { cnonce => '', algorithm => 'MD5-sess' } ],
    [ verified => 200, 200, 'nc of 1 digit', is => { nc => '1' } ],
    [ verified => 200, 200, 'nc of 7 digits', is => { nc => '0000001' } ],
    [ verified => 200, 200, 'nc of 0', is => { nc => '00000000' } ],
    [ verified => 200, 200, 'nc of 0, 1 digit', is => { nc => '0' } ],
    [ verified => 200, 200, 'nc in either case', is => { nc => 'fF' } ],
    [ verified => 200, 200, 'nc in quotes', is => { nc => '"00000001"' } ],
    [ verified => 200, 200, 'the last nc', is => { nc => 'ffffffff' } ],
    [ verified => 200, 200, 'a uri without quotes', bare => 'uri' ],
    [ verified => 200, 200, 'qop in quotes', is => { qop => '"auth"' } ],
    [ verified => 200, 200, 'no algorithm', sent => { algorithm => undef } ],
    [ verified => 200, 200, 'an unknown parameter', more => ', x=y, , z="w"' ],

    # nothing that could be verified

    [ useless => 401, 401, 'no algorithm that is known',
        sent => { algorithm => 'SHA-1' } ],
    [ useless => 401, 200, 'an empty algorithm',
        sent => { algorithm => '""' } ],
    [ useless => 401, 200, 'no qop, as in RFC 2069', rfc2069 => 1 ],
    [ useless => 401, 401, 'no qop, but a count', sent => { qop => undef } ],
    [ useless => 401, 200, 'an unknown qop', is => { qop => 'auth-conf' } ],
    [ useless => 401, 200, 'both qops', is => { qop => '"auth,auth-int"' } ],
    [ useless => 401, 401, 'an empty qop', is => { qop => '""' } ],
    [ useless => 401, 401, 'no name yet', is => { username => '' } ],
    [ useless => 401, 401, 'an empty userhash', is => { username => '' },
        more => ', userhash=true' ],
    [ useless => 401, 401, 'an empty username*', sent => { username => undef },
        more => ", username*=UTF-8''" ],
    [ useless => 401, 400, 'nonce and response empty, as in TS 24.109',
        sent => { nonce => '', response => '' } ],
    [ useless => 401, 400, 'that, and nothing else',
        whole => 'Digest username="alice", realm="dm.example", nonce="", '
        . 'uri="/digest", response=""' ],
    [ useless => 401, 401, 'an empty nonce', is => { nonce => '' } ],
    [ useless => 401, 400, 'an empty response', sent => { response => '' } ],
    [ useless => 401, 400, 'a short response', sent => { response => 'ab' } ],
    [ useless => 401, 400, 'a long response',
        sent => { response => $digits x 2 } ],
    [ useless => 401, 400, 'no hex in the response',
        sent => { response => 'x' x 32 } ],
    (map { [ useless => 401, 400, "no $_", sent => { $_ => undef } ] }
        qw/ username realm nonce uri response nc cnonce /),
    [ useless => 200, 200, 'an empty nc', is => { nc => '""' } ],
    [ useless => 200, 200, 'nc of 9 digits', is => { nc => '000000001' } ],
    [ useless => 200, 200, 'no hex in nc', is => { nc => '0000000g' } ],
    [ useless => 200, 200, 'a sign in nc', is => { nc => '-1' } ],
    [ useless => 200, 200, 'a blank in nc', is => { nc => '"0000000 "' } ],
    [ useless => 200, 401, 'a userhash that is none',
        more => ', userhash=true' ],
    [ useless => 200, 200, 'userhash=1', more => ', userhash=1' ],
    [ useless => 401, 200, 'a username* of Latin-1',
        sent => { username => undef },
        more => ", username*=ISO-8859-1''alice" ],
    [ useless => 401, 400, 'a username* without its form',
        sent => { username => undef }, more => ', username*=alice' ],
    [ useless => 401, 401, 'a username* with no octet behind its %',
        sent => { username => undef }, more => ", username*=UTF-8''%zz" ],
    [ useless => 200, 200, 'a parameter without a value', more => ', x' ],
    [ useless => 200, 200, 'a parameter with an empty value', more => ', x=' ],
    [ useless => 401, 401, 'a uri without quotes, and a comma',
        is => { uri => '/digest,x' }, bare => 'uri' ],
    [ useless => 401, 401, 'no parameter', whole => 'Digest' ],
    [ useless => 401, 400, 'a space and no parameter', whole => 'Digest ,' ],
    [ useless => 401, 400, 'a token', whole => 'Digest TlRMTVNTUAAB==' ],

    # a second meaning, or an attack; also behind what is useless

    [ refused => 200, 200, 'nc twice', more => ', nc=00000001' ],
    [ refused => 200, 200, 'username twice', more => ', Username="alice"' ],
    [ refused => 200, 400, 'username and username*',
        more => ", username*=UTF-8''bob" ],
    [ refused => 401, 400, 'userhash=true beside username*',
        sent => { username => undef },
        more => ", username*=UTF-8''alice, userhash=true" ],
    [ refused => 200, 200, 'no end of quotes', more => ', x="y' ],
    [ refused => 200, 200, 'an escape at the end', more => ', x="y\\' ],
    [ refused => 200, 200, 'no comma', more => ' x=y' ],
    [ refused => 200, 200, 'a blank in a token', more => ', x=y z' ],
    [ refused => 200, 200, 'quotes in a token', more => ', x=y"z"' ],
    [ refused => 200, 200, 'an escape in a token', more => ', x=y\\z' ],
    [ refused => 200, 200, 'more behind quotes', more => ', x="y"z' ],
    [ refused => 200, 200, 'no name', more => ', =x' ],
    [ refused => 200, 200, 'a name that is none', more => ', x;y=z' ],
    [ refused => 200, 200, 'a name in quotes', more => ', "x"=y' ],
    [ refused => 400, 400, 'a control character', more => ", x=\"\x01\"" ],
    [ refused => 200, 200, 'a tab in quotes', more => ", x=\"\t\"" ],
    [ refused => 400, 400, 'DEL', more => ", x=\x7f" ],
    [ refused => 401, 401, 'a NUL in username*', sent => { username => undef },
        more => ", username*=UTF-8''a%00" ],
    [ refused => 401, 401, 'a long name',
        is => { username => 'a' x ($name_max + 1) } ],
    [ refused => 401, 401, 'a long nonce',
        is => { nonce => 'A' x ($nonce_max + 1) } ],
    [ refused => 200, 200, 'a long cnonce',
        is => { cnonce => 'A' x ($nonce_max + 1) } ],
    [ refused => 400, 400, 'another uri', is => { uri => '/other' } ],
    [ refused => 400, 400, 'an empty uri', is => { uri => '' } ],
    [ refused => 401, 401, 'a tab behind the scheme', whole => "Digest\tx=y" ],
    [ refused => 401, 401, 'no qop, and nc twice', sent => { qop => undef },
        more => ', nc=00000001' ],
    [ refused => 200, 200, 'no value, and no end of quotes',
        more => ', x, y="z' ],
    [ refused => 401, 401, 'an empty nonce, and a long name',
        is => { nonce => '', username => 'a' x ($name_max + 1) } ],

    # what can be verified, and is wrong

    [ wrong => 401, 401, 'a wrong password', is => { password => 'guess' } ],
    [ wrong => 401, 401, 'an unknown name', is => { username => 'nobody' } ],
    [ wrong => 401, 401, 'a wrong password, an empty cnonce',
        is => { password => 'guess', cnonce => '' } ],
    [ wrong => 401, 401, 'an unknown name, an empty cnonce',
        is => { username => 'nobody', cnonce => '' } ],
    [ wrong => 401, 401, 'a wrong password, nc of 0',
        is => { password => 'guess', nc => '0' } ],
    [ wrong => 401, 401, 'a wrong password, a uri without quotes',
        is => { password => 'guess' }, bare => 'uri' ],
    [ wrong => 401, 401, 'another spelling of nc than was hashed',
        sent => { nc => '1' } ],
    [ wrong => 401, 401, 'a wrong password, and a foreign nonce',
        is => { password => 'guess', nonce => 'x' } ],
);

# inputs: basic
my @basic = (
    [ verified => 200, 200, 'as it should be', b64('alice:secret') ],
    [ verified => 200, 200, 'without padding',
        b64('alice:secret') =~ s/=+$//r ],
    [ verified => 200, 200, 'without padding, 2 of them',
        b64('bob:secret2') =~ s/=+$//r ],

    [ useless => 401, 401, 'nothing', 'Basic' ],
    [ useless => 401, 400, 'no Base64', 'Basic !' ],
    [ useless => 401, 401, 'Base64 of URLs', 'Basic YTpi_-__' ],
    [ useless => 401, 400, 'a parameter', 'Basic realm="x"' ],
    [ useless => 401, 400, 'padding alone', 'Basic =' ],
    [ useless => 401, 401, 'padding short', 'Basic YWxpY2U6cw=' ],
    [ useless => 200, 200, 'padding needless', 'Basic YWxpY2U6c2VjcmV0====' ],
    [ useless => 401, 400, 'padding inside', 'Basic YWxpY2U=6c2VjcmV0' ],
    [ useless => 401, 401, 'bits under the padding', 'Basic YWxpY2U6cx==' ],
    [ useless => 200, 400, 'an octet too many', 'Basic YWxpY2U6c2VjcmV0Y' ],
    [ useless => 401, 400, 'no colon', b64('alice') ],
    [ useless => 401, 401, 'an empty name', b64(':secret') ],
    [ useless => 401, 401, 'a colon alone', b64(':') ],

    [ refused => 401, 401, 'a tab behind the scheme', "Basic\t" ],
    [ refused => 401, 401, 'two of them', 'Basic YTpi, Basic YTpi' ],
    [ refused => 401, 200, 'a blank inside', 'Basic YWxpY2U6 c2VjcmV0' ],
    [ refused => 401, 401, 'a list', 'Basic YTpi,x=y' ],
    [ refused => 401, 400, 'no Base64, and a list', 'Basic !,x=y' ],
    [ refused => 400, 400, 'a control character', "Basic \x01" ],
    [ refused => 401, 401, 'a control character in the password',
        b64("alice:\x01") ],
    [ refused => 401, 400, 'NUL, and no colon', b64("alice\0") ],
    [ refused => 401, 401, 'too long', b64('alice:' . 'p' x 800) ],
    [ refused => 401, 400, 'too long, and no Base64', 'Basic ' . '!' x 1025 ],

    [ wrong => 401, 401, 'a wrong password', b64('alice:guess') ],
    [ wrong => 401, 401, 'a wrong password, without padding',
        b64('alice:guesses') =~ s/=+$//r ],
    [ wrong => 401, 401, 'an empty password', b64('alice:') ],
    [ wrong => 401, 401, 'an unknown name', b64('nobody:secret') ],
);
# inputs end

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl access proxy realip socket_ssl/)
    ->plan(6 * (@digest + @basic) + 12 + 56);
my $d = $t->testdir();

conf($t, <<'EOF_HTTP');

error_log        %%TESTDIR%%/error.log info;
log_format       reason "$uri $status $dm_sec_reason";
access_log       %%TESTDIR%%/reason.log reason;
dm_sec_lockout   attempts=2 window=1d duration=1d;
dm_sec_log_limit off;

# each check is a client of its own, so that none locks another out
set_real_ip_from 127.0.0.1;
real_ip_header   X-Real-IP;

ssl_certificate        server.crt;
ssl_certificate_key    server.key;
ssl_client_certificate ca.crt;

server {
    listen       127.0.0.1:8080;
    server_name  localhost;

    dm_sec_plaintext_auth    on;
    dm_sec_digest_algorithms MD5;

    location /digest {
        dm_sec_auth digest;
        proxy_pass http://127.0.0.1:8081;
    }

    location /basic {
        dm_sec_auth basic;
        proxy_pass http://127.0.0.1:8081;
    }

    location /both {
        dm_sec_auth basic digest;
        proxy_pass http://127.0.0.1:8081;
    }

    location /page {
        dm_sec_auth digest;
        error_page 401 /refused;
        proxy_pass http://127.0.0.1:8081;
    }

    location /refused {
        dm_sec_auth off;
        proxy_pass http://127.0.0.1:8081;
    }

    location /allow {
        dm_sec_auth digest;
        satisfy any;
        allow all;
        proxy_pass http://127.0.0.1:8081;
    }

    location /deny {
        dm_sec_auth digest;
        satisfy any;
        deny all;
        proxy_pass http://127.0.0.1:8081;
    }

    location /status {
        dm_sec_auth   off;
        dm_sec_status json;
        allow         127.0.0.1;
        deny          all;
    }

    location /metrics {
        dm_sec_auth   off;
        dm_sec_status prometheus;
        allow         127.0.0.1;
        deny          all;
    }
}

server {
    listen       127.0.0.1:8443 ssl;
    server_name  localhost;

    ssl_verify_client optional;

    dm_sec_profile           modern;
    dm_sec_digest_algorithms MD5;

    location /any {
        dm_sec_auth x509 digest;
        proxy_pass http://127.0.0.1:8081;
    }

    location /all {
        dm_sec_auth     x509 digest;
        dm_sec_auth_all on;
        proxy_pass http://127.0.0.1:8081;
    }
}

EOF_HTTP

ca($t, 'ca');
cert($t, 'server', ca => 'ca', key => 'ec');
cert($t, 'device', ca => 'ca', key => 'ec', cn => 'device');
cert($t, 'nobody', ca => 'ca', key => 'ec', cn => 'nobody');

store($t, realm => 'dm.example', args => [ '--map-size', '2m' ]);
account($t, 'add', 'IMEI:1', '--name', 'alice', '--cert', "$d/device.crt",
    { password => 'secret' });
account($t, 'add', 'IMEI:2', '--name', 'bob', { password => 'secret2' });

upstream($t, 8081);
$t->run();

my $address = 0;
my $failures = 0;

###############################################################################

my @inputs = ((map { [ '/digest', @$_ ] } @digest),
    (map { [ '/basic', @$_ ] } @basic));

# each input, where it is accepted

foreach (@inputs) {
    my ($uri, $becomes, $apache, $lighttpd, $name, @input) = @$_;
    my ($verdict, $challenge, $counts) = @{ $become{$becomes} };

    $name = "$uri, $name";

    my $r = get($uri, input($uri, @input));
    my @challenges = challenges($r);

    is(verdict($t, $r, 8081), $verdict, $name);
    is(join(' ', map { $_->{scheme} } @challenges),
        $challenge ? ucfirst substr $uri, 1 : '', "$name: challenge");
    is(scalar(grep { $_->{stale} } @challenges), 0, "$name: not stale");
    is(counted(), $counts, "$name: counted");
}

# each count once, by its number, whatever zeros lead it and in whatever order;
# what was used before counts for no lock

foreach ([ '0' => 200, '0' => 401, '00000000' => 401, '1' => 200, '01' => 401,
        '00000001' => 401, '2' => 200, '00' => 401 ],
    [ '5' => 200, '0' => 200, '000' => 401, '5' => 401, '4' => 200 ],
    [ '00000001' => 200, '00000000' => 200, '0' => 401, '1' => 401 ],
    [ '7f' => 200, '0' => 200, '0000' => 401 ],
    [ '80' => 200, '0' => 401, '1' => 200 ],
    [ '0' => 200, '80' => 200, '0' => 401, '080' => 401 ])
{
    my (@counts) = @$_;
    my ($c) = challenges(get('/digest'));
    my (@got, @expected);

    while (my ($nc, $status) = splice @counts, 0, 2) {
        my $line = answer($c, is => { nc => $nc });
        my $r = get('/digest', $line, 'X-Real-IP: 192.0.2.9');

        push @got, status($r);
        push @expected, $status;

        like($r, qr/^Authentication-Info: rspauth=.*, nc=$nc\r$/m,
            "nc is said as it came, $nc") if $status == 200;
        is((challenges($r))[0]{stale}, 'true', "nc $nc again: stale")
            if $status == 401;
    }

    is("@got", "@expected", "counts, @$_");
}

is(counted(), 0, 'no count counts for a lock');
verdict($t, undef, 8081);

# an empty cnonce is answered as it came

my ($first) = challenges(get('/both'));
like(get('/both', answer($first, is => { uri => '/both', cnonce => '' })),
    qr/^Authentication-Info: rspauth="\w{32}", qop=auth, cnonce="", nc=/m,
    'an empty cnonce is said');
verdict($t, undef, 8081);

# where the other one is accepted too, and where the store is away: what cannot
# be verified is not looked up

rename "$d/store", "$d/away" or die "Can't rename store: $!\n";

ok(each_answers(503), 'the store is away');
verdict($t, undef, 8081);

foreach (@inputs) {
    my ($uri, $becomes, $apache, $lighttpd, $name, @input) = @$_;
    my ($verdict, $challenge) = @{ $become{$becomes} };

    # answers to a challenge for where they are sent to
    my $r = get($uri eq '/basic' ? '/both' : $uri, input($uri, @input));

    is(verdict($t, $r, 8081), $becomes =~ /verified|wrong/
        ? '503 store_unavailable' : $verdict, "$uri, $name: without the store");
    is(join(' ', map { $_->{scheme} } challenges($r)),
        $becomes eq 'wrong' || !$challenge ? ''
        : $uri eq '/basic' ? 'Digest Basic' : 'Digest',
        "$uri, $name: challenge without it");
}

rename "$d/away", "$d/store" or die "Can't rename store: $!\n";

ok(each_answers(200), 'it is back');
verdict($t, undef, 8081);
counted();

# beside a certificate: all that is presented must verify, and where all are
# needed, who has no certificate learns nothing

my $empty = 'Authorization: Digest username="alice", realm="dm.example", '
    . 'nonce="", uri="/", response=""';

foreach ([ '/any', 'device', '401 malformed', 'Digest' ],
    [ '/any', '', '401 malformed', 'Digest' ],
    [ '/any', 'nobody', '401 malformed', 'Digest' ],
    [ '/all', 'device', '401 malformed', 'Digest' ],
    [ '/all', '', '403 certificate_required', '' ],
    [ '/all', 'nobody', '403 certificate_unbound', '' ])
{
    my ($uri, $cert, $verdict, $scheme) = @$_;
    my $r = https(8443, request('GET', $uri, $empty), $cert
        ? (SSL_cert_file => "$d/$cert.crt", SSL_key_file => "$d/$cert.key")
        : ());

    is(verdict($t, $r, 8081), $verdict, "$uri, certificate '$cert'");
    is(join(' ', map { $_->{scheme} } challenges($r)), $scheme,
        "$uri, certificate '$cert': challenge");
}

# "error_page", "satisfy any"

my $r = get('/page', $empty);
is(verdict($t, $r, 8081), '401 malformed upstream', 'error_page');
is(scalar(challenges($r)), 1, 'error_page: challenge');

$r = get('/allow', $empty);
is(verdict($t, $r, 8081), '200 malformed upstream', 'satisfy any, allow');
is(scalar(challenges($r)), 0, 'satisfy any, allow: no challenge');
unlike($r, qr/^DM-Client-ID/m, 'satisfy any, allow: nobody');

$r = get('/deny', $empty);
is(verdict($t, $r, 8081), '401 malformed', 'satisfy any, deny');
is(scalar(challenges($r)), 1, 'satisfy any, deny: challenge');

$r = get('/allow', "$empty, nonce=\"\"");
is(verdict($t, $r, 8081), '400 malformed', 'satisfy any, refused');

# the connection goes on behind a 401; a body is read past

my $c = keepalive(8080);

foreach my $answer ('', $empty, $empty) {
    $r = $c->request(request('POST', '/digest', $answer || (),
        { body => 'x' x 10000 }));
    is(status($r), 401, 'one connection');
}

my $line = answer((challenges($r))[0], is => { method => 'POST' });
is(status($c->request(request('POST', '/digest', $line, { body => 'x' }))),
    200, 'the answer to a challenge on it');
verdict($t, undef, 8081);

# what does not count may come as often as it likes

my $from = 'X-Real-IP: 192.0.2.1';

foreach (1 .. 5) {
    get('/digest', input('/digest', sent => { qop => undef }), $from);
    get('/basic', 'Authorization: ' . b64('alice'), $from);
}

is(status(get('/basic', basic('alice', 'secret'), $from)), 200,
    'malformed credentials lock nobody out');
verdict($t, undef, 8081);

# one reason, whatever the status: in the log, the variable and the counters

is(join(' ', log_of_reasons('malformed')), '/basic 400 /basic 401 '
    . '/digest 400 /digest 401', 'the variable');
is(scalar(grep { !/ status=40[01] / } log_lines($t, qr/reason=malformed/)), 0,
    'the error log');

my $denied = status_json()->{denied};

is(scalar(grep { /malformed/ && !/devid/ } keys %$denied), 1,
    'one counter in JSON');
cmp_ok($denied->{malformed}, '>', 100, 'which counts both');

my @series = http_get('/metrics') =~ /^(\S*denied\S*malformed\S*) (\d+)\r?$/mg;
my %series = @series;

is(scalar(keys %series) * 2, scalar(@series), 'each series once');
is((grep { !/devid/ } keys %series), 1, 'one counter in Prometheus');

undef $t;

###############################################################################

sub get {
    my ($uri, @lines) = @_;

    push @lines, sprintf 'X-Real-IP: 10.0.%d.%d', ++$address >> 8,
        $address & 255 unless grep { /^X-Real-IP/ } @lines;

    return scalar keepalive(8080)->request(request('GET', $uri, @lines));
}

# Whether each worker answers so before long: it looks each 10 ms whether its
# store is there, and each second if it has none.
sub each_answers {
    my ($status) = @_;

    return wait_for(60, sub {
        !grep { $_ != $status } each_worker($t, sub {
            return status(get('/both', basic('alice', 'secret')));
        });
    });
}

# the header line of an input
sub input {
    my ($uri, @input) = @_;

    return "Authorization: $input[0]" if $uri eq '/basic';

    my %o = @input;

    return "Authorization: $o{whole}" if $o{whole};

    # the refusal that gives the challenge is no verdict of the input
    my ($challenge) = challenges(get($uri));
    verdict($t, undef);

    return answer($challenge, is => { uri => $uri, %{ $o{is} || {} } },
        map { ($_ => $o{$_}) } grep { $_ ne 'is' } keys %o);
}

# inputs: answer
sub answer {
    my ($challenge, %o) = @_;

    my %v = (username => 'alice', password => 'secret', realm => 'dm.example',
        nonce => $challenge->{nonce}, uri => '/digest', method => 'GET',
        algorithm => 'MD5', qop => 'auth', nc => '00000001', cnonce => 'c',
        %{ $o{is} || {} });
    my %text = map { $_ => $v{$_} =~ s/^"|"$//gr } keys %v;

    my $ha1 = md5_hex(join ':', @text{qw/ username realm password /});
    $ha1 = md5_hex(join ':', $ha1, @text{qw/ nonce cnonce /})
        if $v{algorithm} =~ /-sess/i;

    my $ha2 = join ':', @text{qw/ method uri /};
    $ha2 .= ':' . md5_hex('') if $text{qop} eq 'auth-int';

    $v{response} = md5_hex(join ':', $ha1, $text{nonce},
        $o{rfc2069} ? () : @text{qw/ nc cnonce qop /}, md5_hex($ha2));

    @v{qw/ qop nc cnonce /} = () if $o{rfc2069};
    %v = (%v, %{ $o{sent} || {} });

    my %bare = map { $_ => 1 } qw/ algorithm qop nc /, $o{bare} // ();

    return 'Authorization: Digest ' . join(', ',
        map { $bare{$_} ? "$_=$v{$_}" : qq/$_="$v{$_}"/ }
        grep { defined $v{$_} }
        qw/ username realm nonce uri response algorithm qop nc cnonce /)
        . ($o{more} // '');
}
# inputs end

sub b64 {
    return 'Basic ' . encode_base64($_[0], '');
}

# the failures that were counted since the last call
sub counted {
    my ($now) = status_json()->{cells_used}{failures};
    my ($n) = $now - $failures;

    $failures = $now;

    return $n;
}

# the statuses that requests were denied with for a reason, by uri
sub log_of_reasons {
    my ($reason) = @_;
    my (%seen) = map { $_ => 1 } $t->read_file('reason.log')
        =~ m{^(/(?:basic|digest) \d+) $reason$}mg;

    return sort keys %seen;
}

###############################################################################
