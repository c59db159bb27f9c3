#!/usr/bin/perl

# Tests for conf-examples/cwmp-acs.conf with a CPE and an ACS that speak the
# sessions of TR-069: Inform, an empty POST, what the ACS asks for, 204.  The
# ACS asks for no password and believes DM-Client-ID alone.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Behind qw/ answer cookie seen session_of /;
use Test::DmSec::Conf qw/ example /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http http_ssl proxy /)
    ->has(qw/ socket_ssl /)->has_daemon('openssl')->has_daemon('curl')
    ->plan(27);

my $d = $t->testdir();
my (%owner);
my $one = '00256D-H21AB0042';
my $two = '00256D-H21AB0043';

ca($t, 'ca');
cert($t, 'server-rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'server-ecdsa', ca => 'ca');

store($t, realm => 'acs.example.com', args => [ '--map-size', '1m' ]);
account($t, 'add', $one, { password => 'secret' });
account($t, 'add', $two, { password => 'other' });

$t->write_file_expand('nginx.conf', example($t, 'cwmp-acs.conf'));

upstream($t, 8090, respond => \&acs);

$t->run();

###############################################################################

# by Digest: one challenge at the start, and each request of the session is
# proven by the same nonce

my @steps = cpe($one, sub {
    my ($challenge, $nc) = @_;
    return digest($challenge, user => $one, password => 'secret',
        method => 'POST', uri => '/acs', nc => $nc);
});

is("@steps", '401 InformResponse GetParameterValues 204', 'Digest');
is_deeply(seen($t), [ map { "$_ $one digest" } qw/ Inform empty
    GetParameterValuesResponse / ], 'and what the ACS saw');

# by Basic

@steps = cpe($one, sub { basic($one, 'secret') });

is("@steps", '401 InformResponse GetParameterValues 204', 'Basic');
is_deeply(seen($t), [ map { "$_ $one basic" } qw/ Inform empty
    GetParameterValuesResponse / ], 'and what the ACS saw');

# a CPE that has its password proven with the Inform alone, as some do, is
# asked again

@steps = cpe($one, sub {
    my ($challenge, $nc) = @_;
    return $nc == 1 ? basic($one, 'secret') : '';
});

is("@steps", '401 InformResponse 401', 'with the Inform alone');
is_deeply(seen($t), [ "Inform $one basic" ], 'and the ACS saw no more');

# without a password, with a wrong one, with that of another

foreach my $answer ('', basic($one, 'wrong'), basic($one, 'other')) {
    @steps = cpe($one, sub { $answer });
    is("@steps", '401 401', 'no password or a wrong one');
    is_deeply(seen($t), [], 'and the ACS saw nothing');
}

# another CPE's serial number in the Inform, and another's session: each is
# known to the ACS by the header alone

@steps = cpe($one, sub { basic($two, 'other') });

is("@steps", '401 403', 'the serial number of another');
is_deeply(seen($t), [ "refused $two basic" ], 'by the ACS');

my $cpe = keepalive(8443, SSL => 1);
my $r = $cpe->request(post(inform($one), basic($one, 'secret')));
my ($cookie) = cookie($r);

like($r, qr/InformResponse/, 'a session');
$r = $cpe->request(post('', $cookie, basic($two, 'other')));
is(status($r), 403, 'the session of another');
seen($t);

# Two sessions at once.  An ACS such as GenieACS takes a connection for that of
# one session alone: behind nginx no CPE goes on where another was.

my @pair = map { { id => $_->[0], credentials => basic(@$_),
    client => keepalive(8443, SSL => 1) } } [ $one, 'secret' ],
    [ $two, 'other' ];

foreach my $body (undef, '', '<cwmp:GetParameterValuesResponse/>') {
    foreach my $cpe (@pair) {
        $r = $cpe->{client}->request(post($body // inform($cpe->{id}),
            $cpe->{credentials}, $cpe->{cookie} // ()));
        $cpe->{cookie} //= (cookie($r))[0];
        push @{ $cpe->{steps} }, $r =~ /<cwmp:(\w+)/ ? $1 : status($r);
    }
}

is("@{ $_->{steps} }", 'InformResponse GetParameterValues 204',
    "two at once: $_->{id}") foreach @pair;
seen($t);

# what it says of itself is not believed

$r = $cpe->request(post(inform($one), basic($two, 'other'),
    "DM-Client-ID: $one", "DM_Client_ID: $one"));
is(status($r), 403, 'a forged header');
is_deeply(seen($t), [ "refused $two basic" ], 'is not seen');

# disabled between two requests of one session

$cpe = keepalive(8443, SSL => 1);
$r = $cpe->request(post(inform($one), basic($one, 'secret')));
($cookie) = cookie($r);
account($t, 'disable', $one);
$r = $cpe->request(post('', $cookie, basic($one, 'secret')));
is(status($r), 403, 'disabled within its session');
account($t, 'enable', $one);
$r = $cpe->request(post('', $cookie, basic($one, 'secret')));
like($r, qr/GetParameterValues/, 'and enabled again');
seen($t);

# an answer in chunks

my $chunked = join("\r\n", 'POST /acs HTTP/1.1', 'Host: acs.example.com',
    $cookie, basic($one, 'secret'), 'Transfer-Encoding: chunked',
    '', map { sprintf("%x\r\n%s", length $_, $_) }
        '<cwmp:GetParameter', 'ValuesResponse>', ('<Value/>' x 1000) x 50,
        '') . "\r\n";

$r = $cpe->request($chunked);
is(status($r), 204, 'an answer in chunks');
is_deeply(seen($t), [ "GetParameterValuesResponse $one basic" ],
    'and the ACS has it');

# a client that is not ours: curl, which keeps the cookie and the connection

$t->write_file('inform', inform($one));
$t->write_file('response', '<cwmp:GetParameterValuesResponse/>');

my @common = ('-k', '-s', '--digest', '-u', "$one:secret", '-b', "$d/jar",
    '-c', "$d/jar", '-w', '%{http_code} %{num_connects}\n', '-o', '/dev/null');
my $url = 'https://127.0.0.1:' . port(8443) . '/acs';

open my $curl, '-|', 'curl', @common, '--data-binary', "\@$d/inform", $url,
    '--next', @common, '--data-binary', '', $url,
    '--next', @common, '--data-binary', "\@$d/response", $url
    or die "Can't run curl: $!\n";
@steps = map { (split)[0] } <$curl>;
close $curl;

is("@steps", '200 200 204', 'curl');
is_deeply(seen($t), [ map { "$_ $one digest" } qw/ Inform empty
    GetParameterValuesResponse / ], 'and what the ACS saw of it');

is(scalar(log_lines($t,
    qr/denied reason=account_disabled .*account="\Q$one\E"/)), 1,
    'and the log tells who was disabled');
undef $t;

###############################################################################

# A session of a CPE: ends with the first answer that is no request of the
# ACS.  The steps are the names of what came, or the status.
sub cpe {
    my ($id, $credentials) = @_;
    my ($cpe) = keepalive(8443, SSL => 1);
    my ($challenge, $cookie, @steps, $nc);

    my $r = $cpe->request(post(inform($id)));
    ($challenge) = challenges($r);
    push @steps, status($r);

    foreach my $body (inform($id), '', '<cwmp:GetParameterValuesResponse/>') {
        $r = $cpe->request(post($body, $credentials->($challenge, ++$nc),
            $cookie // ()));
        ($cookie) = cookie($r) if !defined $cookie;
        push @steps, ($r // '') =~ /<cwmp:(\w+)/ ? $1 : status($r);

        last if status($r) != 200;
    }

    $cpe->close();

    return @steps;
}

sub post {
    my ($body, @lines) = @_;

    return request('POST', '/acs', 'Content-Type: text/xml',
        'SOAPAction: ""', @lines,
        { host => 'acs.example.com', body => $body });
}

sub inform {
    my ($id) = @_;
    my ($oui, $serial) = split /-/, $id;

    return <<"EOF_XML";
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:cwmp="urn:dslforum-org:cwmp-1-0"><soap:Body><cwmp:Inform>
<DeviceId><Manufacturer>Example</Manufacturer><OUI>$oui</OUI>
<ProductClass>IGD</ProductClass><SerialNumber>$serial</SerialNumber></DeviceId>
</cwmp:Inform></soap:Body></soap:Envelope>
EOF_XML
}

# The ACS: the cookie of its session is the id that opened it.  A connection
# that a session has come by is that session's until it ends.
sub acs {
    my ($request, $body) = @_;
    my ($of) = \$owner{ $request->{connection} };
    my ($id) = header($request->{head}, 'DM-Client-ID') // '-';
    my ($session) = session_of($request);
    my ($oui, $serial) = map { $body =~ /<$_>(.*?)</ } qw/ OUI SerialNumber /;

    if (defined $$of && $$of ne $session) {
        undef $$of;
        return answer($t, $request, 'invalid session', 400);
    }

    if (($serial ? "$oui-$serial" : $session) ne $id) {
        return answer($t, $request, 'refused', 403);
    }

    $$of = $id;

    if ($serial) {
        return answer($t, $request, 'Inform', 200, '<cwmp:InformResponse/>',
            "Set-Cookie: session=$id; Secure");
    }

    return answer($t, $request, 'empty', 200, '<cwmp:GetParameterValues/>')
        if $body eq '';

    undef $$of;
    return answer($t, $request, $body =~ /^<cwmp:(\w+)/, 204);
}

###############################################################################
