#!/usr/bin/perl

# Tests for conf-examples/debian/sites-available/dm.example.com with a device
# and a DM server that speak the packages 1 to 4 of OMA DM 2.0.  The server asks
# for no password and believes DM-Client-ID alone.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::SHA qw/ sha256_hex /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Behind qw/ answer cookie seen session_of /;
use Test::DmSec::Conf qw/ conf example_part /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http http_ssl proxy /)
    ->has(qw/ socket_ssl /)->has_daemon('openssl')->has_daemon('curl')
    ->plan(29);

my $d = $t->testdir();
my $type = 'application/vnd.oma.dm.%s+json';
my $one = 'IMEI:493005100592800';
my $two = 'IMEI:493005100592801';

# what a device says at first, and the results that it sends later

my $initiation = '{"MOS":[{"DDF":"http://example.com/devinfo1.0.ddf",'
    . '"MOID":"urn:oma:mo:oma-dm-devinfo:1.0","MIID":["miid1"]}]}';
my $results = '{"Status":[{"sc":200,"uri":"oma:mo:oma-dm-devinfo:1.0:Mod"}]}';

ca($t, 'ca');
cert($t, 'server-rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'server-ecdsa', ca => 'ca');

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', $one, '--name', 'one', { password => 'secret' });
account($t, 'add', $two, '--name', 'two', { password => 'other' });

conf($t, "error_log $d/error.log info;\n"
    . example_part($t, 'debian/sites-available/dm.example.com'));

upstream($t, 8090, respond => \&dm_server);

$t->run();

###############################################################################

# A session of four packages, and their round again, over one connection: each
# message proves itself, and the server is told each time.

my @session = qw/ GET EXEC END /;
my @as_one = map { "$_ $one" } qw/ 1 3 3 /;
my @of_digest = map { "$_ digest" } @as_one;

is_deeply([ device(digest_of('one', 'secret')) ], [ 401, @session ], 'Digest');
is_deeply(seen($t), \@of_digest, 'and what the server saw');

is_deeply([ device(sub { basic('one', 'secret') }) ], [ 401, @session ],
    'Basic');
is_deeply(seen($t), [ map { "$_ basic" } @as_one ], 'and what the server saw');

is_deeply([ device(digest_of('one', 'wrong')) ], [ 401, 401 ],
    'a wrong password');
is_deeply(seen($t), [], 'and the server saw nothing');

# what it is told, and what it gets unchanged

my ($first) = (upstream_log($t, 8090))[0];

is($first->{fields}{'omadm-devid'}[0], $one, 'OMADM-DevID');
is($first->{fields}{'content-type'}[0], sprintf($type, 'initiation'),
    'the type of package 1');
is($first->{sha256}, sha256_hex($initiation), 'and its body');
is($first->{fields}{authorization}, undef, 'no Authorization');

# a package 3 of its own connection, as after a long download

my $c = tls();
my $r = $c->request(package_of(1, $one, basic('one', 'secret')));
my ($cookie) = cookie($r);

like($r, qr/\{"CMD":\[\["GET"/, 'package 2');
$c->close();
$c = tls();
$r = $c->request(package_of(3, $one, basic('one', 'secret'), $cookie));
like($r, qr/\{"CMD":\[\["EXEC"/, 'package 4, over another connection');

# a package of another device, and its own in the session of another

$r = $c->request(package_of(3, $two, basic('one', 'secret'), $cookie));
is(status($r), 403, 'another device in OMADM-DevID');
$r = $c->request(package_of(3, $two, basic('two', 'other'), $cookie));
is(status($r), 403, 'the session of another');
$r = $c->request(package_of(3, $two, basic('two', 'other'), $cookie,
    "DM-Client-ID: $one", "DM_Client_ID: $one"));
is(status($r), 403, 'which a forged header does not open');
is_deeply(seen($t), [ "1 $one basic", "3 $one basic",
    ("refused $two basic") x 2 ], 'and what the server saw');

# disabled between two packages

account($t, 'disable', $one);
$r = $c->request(package_of(3, $one, basic('one', 'secret'), $cookie));
is(status($r), 403, 'disabled within its session');
account($t, 'enable', $one);
$r = $c->request(package_of(3, $one, basic('one', 'secret'), $cookie));
like($r, qr/\{"CMD":\[\["EXEC"/, 'and enabled again: it goes on');
seen($t);

# an inventory: large, and too large

$r = tls()->request(package_of(1, $one, basic('one', 'secret'),
    { body => '{"' . 'x' x 1_000_000 . '":1}' }));
is(status($r), 200, 'a package of a megabyte');
$r = tls()->request(package_of(1, $one, basic('one', 'secret'),
    { body => '', length => 8 * 1024 * 1024 + 1 }));
is(status($r), 413, 'one of more than eight');
seen($t);

# a client that is not ours: curl, which keeps the cookie and the connection

$t->write_file('1', $initiation);
$t->write_file('3', $results);

my @common = ('-k', '-s', '--digest', '-u', 'one:secret', '-b', "$d/jar",
    '-c', "$d/jar", '-H', "OMADM-DevID: $one", '-H',
    'Accept: ' . sprintf($type, 'request'), '-o', '/dev/null', '-w',
    '%{http_code} %{num_connects}\n');
my @run = map { ('--next', @common, '-H', 'Content-Type: '
    . sprintf($type, $_ == 1 ? 'initiation' : 'response'), '--data-binary',
    "\@$d/$_", 'https://127.0.0.1:' . port(8443) . '/dmclient/dm20') } 1, 3, 3;
shift @run;

open my $curl, '-|', 'curl', @run or die "Can't run curl: $!\n";
my @lines = map { [ split ] } <$curl>;
close $curl;

is(join(' ', map { $_->[0] } @lines), '200 200 200', 'curl');
is(join(' ', map { $_->[1] } @lines), '1 0 0', 'curl, over one connection');
is_deeply(seen($t), \@of_digest, 'and what the server saw of it');

# what the log tells

foreach my $reason (qw/ bad_credentials devid_mismatch account_disabled /) {
    ok(log_lines($t, qr/denied reason=$reason /), "the log: $reason");
}

ok(!grep({ $_->{fields}{'dm-client-id'}[0] !~ /^IMEI:4930051005928\d\d$/ }
    upstream_log($t, 8090)), 'nothing came without an account');
is(scalar(grep { @{ $_->{fields}{'dm-client-id'} } != 1 }
    upstream_log($t, 8090)), 0, 'nor with two');

is_deeply([ upstream_log($t, 8090) ]->[1]{fields}{'dm-account-name'},
    [ 'one' ], 'and the server has the name, too');
undef $t;

###############################################################################

# A session of a device, up to what is no command: the commands that came, or
# the status.
sub device {
    my ($credentials) = @_;
    my ($c) = tls();
    my (@steps, $cookie, $nc);

    my $r = $c->request(package_of(1, $one));
    my ($challenge) = challenges($r);
    push @steps, status($r);

    foreach my $number (1, 3, 3) {
        $r = $c->request(package_of($number, $one,
            $credentials->($challenge, ++$nc), $cookie // ()));
        ($cookie) = cookie($r);
        push @steps, $r =~ /\{"CMD":\[\["(\w+)"/ ? $1 : status($r);

        last if status($r) != 200;
    }

    $c->close();

    return @steps;
}

sub digest_of {
    my ($user, $password) = @_;

    return sub {
        my ($challenge, $nc) = @_;

        return digest($challenge, user => $user, password => $password,
            method => 'POST', uri => '/dmclient/dm20', nc => $nc);
    };
}

sub tls {
    return keepalive(8443, SSL => 1);
}

# package_of(1 or 3, device, header lines, [options of request()])
sub package_of {
    my ($number, $id, @lines) = @_;
    my ($options) = ref $lines[-1] ? pop @lines : {};

    return request('POST', '/dmclient/dm20', "OMADM-DevID: $id",
        'Content-Type: '
            . sprintf($type, $number == 1 ? 'initiation' : 'response'),
        'Accept: ' . sprintf($type, 'request'), @lines,
        $options->{length} ? "Content-Length: $options->{length}" : (),
        { host => 'dm.example.com',
            $options->{length} ? () : (body => $options->{body}
                // ($number == 1 ? $initiation : $results)) });
}

# The DM server: its session is a cookie, which says whose it is and how many
# packages came.
sub dm_server {
    my ($request, $body) = @_;
    my ($id) = header($request->{head}, 'DM-Client-ID') // '-';
    my ($initial) = $request->{fields}{'content-type'}[0] =~ /initiation/;
    my ($whose, $count) = session_of($request) =~ /^(.*)\.(\d+)$/;
    my ($command);

    return answer($t, $request, 'refused', 403)
        if !$initial && ($whose // '') ne $id;

    $count = 0 if $initial;
    $command = (qw/ GET EXEC END /)[$count];

    return answer($t, $request, $initial ? 1 : 3, 200,
        qq/{"CMD":[["$command"]]}/, 'Content-Type: '
            . sprintf($type, 'request'),
        'Set-Cookie: session=' . join('.', $id, $count + 1) . '; Secure');
}

###############################################################################
