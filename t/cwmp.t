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

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http http_ssl proxy upstream_keepalive /)
    ->has(qw/ socket_ssl /)->has_daemon('openssl')->has_daemon('curl')
    ->plan(25);

my $d = $t->testdir();
my $one = '00256D-H21AB0042';
my $two = '00256D-H21AB0043';

ca($t, 'ca');
cert($t, 'server-rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'server-ecdsa', ca => 'ca');

store($t, realm => 'acs.example.com', args => [ '--map-size', '1m' ]);
account($t, 'add', $one, { password => 'secret' });
account($t, 'add', $two, { password => 'other' });

open my $fh, '<', '../conf-examples/cwmp-acs.conf' or die "$!\n";
my $conf = do { local $/; <$fh> };

$conf =~ s/^(?:user|worker_processes|load_module|pid|error_log)\s.*\n//mg;
$conf =~ s/^http \{\n/http {
    %%TEST_GLOBALS_HTTP%%
    error_log $d\/error.log info;\n/m;
$conf =~ s{/etc/nginx/dm/}{$d/}g;
$conf =~ s{/(?:var/lib|etc)/dm-sec/(?=store)}{$d/}g;
$conf =~ s/listen 443/listen 127.0.0.1:8443/;
$conf =~ s/127\.0\.0\.1:8090/127.0.0.1:8081/;

$t->write_file_expand('nginx.conf', "%%TEST_GLOBALS%%\ndaemon off;\n$conf");

upstream($t, 8081, respond => \&acs);

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
is_deeply(seen(), [ map { "$_ $one digest" } qw/ Inform empty
    GetParameterValuesResponse / ], 'and what the ACS saw');

# by Basic

@steps = cpe($one, sub { basic($one, 'secret') });

is("@steps", '401 InformResponse GetParameterValues 204', 'Basic');
is_deeply(seen(), [ map { "$_ $one basic" } qw/ Inform empty
    GetParameterValuesResponse / ], 'and what the ACS saw');

# a CPE that has its password proven with the Inform alone, as some do, is
# asked again

@steps = cpe($one, sub {
    my ($challenge, $nc) = @_;
    return $nc == 1 ? basic($one, 'secret') : '';
});

is("@steps", '401 InformResponse 401', 'with the Inform alone');
is_deeply(seen(), [ "Inform $one basic" ], 'and the ACS saw no more');

# without a password, with a wrong one, with that of another

foreach my $answer ('', basic($one, 'wrong'), basic($one, 'other')) {
    @steps = cpe($one, sub { $answer });
    is("@steps", '401 401', 'no password or a wrong one');
    is_deeply(seen(), [], 'and the ACS saw nothing');
}

# another CPE's serial number in the Inform, and another's session: each is
# known to the ACS by the header alone

@steps = cpe($one, sub { basic($two, 'other') });

is("@steps", '401 403', 'the serial number of another');
is_deeply(seen(), [ "refused $two basic" ], 'by the ACS');

my $cpe = keepalive(8443, SSL => 1);
my $r = $cpe->request(post(inform($one), basic($one, 'secret')));
my ($cookie) = cookie($r);

like($r, qr/InformResponse/, 'a session');
$r = $cpe->request(post('', "Cookie: $cookie", basic($two, 'other')));
is(status($r), 403, 'the session of another');
seen();

# what it says of itself is not believed

$r = $cpe->request(post(inform($one), basic($two, 'other'),
    "DM-Client-ID: $one", "DM_Client_ID: $one"));
is(status($r), 403, 'a forged header');
is_deeply(seen(), [ "refused $two basic" ], 'is not seen');

# disabled between two requests of one session

$cpe = keepalive(8443, SSL => 1);
$r = $cpe->request(post(inform($one), basic($one, 'secret')));
($cookie) = cookie($r);
account($t, 'disable', $one);
$r = $cpe->request(post('', "Cookie: $cookie", basic($one, 'secret')));
is(status($r), 403, 'disabled within its session');
account($t, 'enable', $one);
$r = $cpe->request(post('', "Cookie: $cookie", basic($one, 'secret')));
like($r, qr/GetParameterValues/, 'and enabled again');
seen();

# an answer in chunks

my $chunked = join("\r\n", 'POST /acs HTTP/1.1', 'Host: acs.example.com',
    "Cookie: $cookie", basic($one, 'secret'), 'Transfer-Encoding: chunked',
    '', map { sprintf("%x\r\n%s", length $_, $_) }
        '<cwmp:GetParameter', 'ValuesResponse>', ('<Value/>' x 1000) x 50,
        '') . "\r\n";

$r = $cpe->request($chunked);
is(status($r), 204, 'an answer in chunks');
is_deeply(seen(), [ "GetParameterValuesResponse $one basic" ],
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
is_deeply(seen(), [ map { "$_ $one digest" } qw/ Inform empty
    GetParameterValuesResponse / ], 'and what the ACS saw of it');

is(scalar(log_lines($t,
    qr/denied reason=account_disabled .*account="\Q$one\E"/)), 1,
    'and the log tells who was disabled');

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
            defined $cookie ? "Cookie: $cookie" : ()));
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

sub cookie {
    my ($r) = @_;

    return (header($r, 'Set-Cookie') // '') =~ /^([^;]+)/;
}

# The ACS: the cookie of its session is the id that opened it, so that it needs
# no memory.
sub acs {
    my ($request, $body) = @_;
    my ($id) = header($request->{head}, 'DM-Client-ID') // '-';
    my ($session) = (header($request->{head}, 'Cookie') // '')
        =~ /session=([^;]+)/;
    my ($oui, $serial) = map { $body =~ /<$_>(.*?)</ } qw/ OUI SerialNumber /;

    if (($serial ? "$oui-$serial" : $session // '') ne $id) {
        return answer($request, 'refused', 403);
    }

    if ($serial) {
        return answer($request, 'Inform', 200, '<cwmp:InformResponse/>',
            "Set-Cookie: session=$id; Secure");
    }

    return answer($request, 'empty', 200, '<cwmp:GetParameterValues/>')
        if $body eq '';

    return answer($request, $body =~ /^<cwmp:(\w+)/, 204);
}

sub answer {
    my ($request, $what, $status, $body, @lines) = @_;

    open my $fh, '>>', "$d/acs.log" or die "Can't open acs.log: $!\n";
    print {$fh} join(' ', $what, map { $_ // '-' }
        map { scalar header($request->{head}, $_) }
        qw/ DM-Client-ID DM-Auth-Method /) . "\n";
    close $fh or die "Can't write acs.log: $!\n";

    return join("\r\n", "HTTP/1.1 $status Answer", @lines,
        $status == 204 ? () : 'Content-Length: ' . length($body // ''), '',
        $body // '');
}

# the requests that the ACS had since: what it took them for, id, method
sub seen {
    my @seen;

    if (open my $fh, '<', "$d/acs.log") {
        chomp(@seen = <$fh>);
    }

    unlink "$d/acs.log";

    return \@seen;
}

###############################################################################
