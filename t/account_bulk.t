#!/usr/bin/perl

# Tests for dm-account: lists of devices, as other programs write them.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use JSON::PP;

use lib 'lib';
use Test::DmAccount;

###############################################################################

my $kept = 'nothing of the file is kept';

done("init --realm r --owner $me --map-size 1m", '', 'init');

# JSON that is not an object a line is refused once, with what to write

my %arrays = (
    'an array' => '[{"id":"a"},{"id":"b"}]',
    'an array that is spread' => JSON::PP->new()->pretty()->encode(
        [{ id => 'a' }, { id => 'b' }]),
    'a spread array behind blank lines' => "\n \t\n\r\n [\r\n{\"id\":\"a\"}\n]",
    'an array that ends nowhere' => '[',
);

my %objects = (
    'as jq writes it' => "{\n  \"id\": \"a\"\n}\n{\n  \"id\": \"b\"\n}\n",
    'as JSON::PP writes it' => JSON::PP->new()->pretty()->encode(
        { id => 'a', groups => ['b'] }),
    'with a field on the first line' => "{\"id\": \"a\",\n\"name\": \"b\"}\n",
    'with a list on the first line' => "{ \"groups\": [ \r\n\"b\"],\n"
        . "\"id\":\"a\"}",
    'with a name on the first line' => "{\"id\":\n\"a\"}",
);

my $array = 'it is a JSON array, and an object a line is read: write them with '
    . q("jq -c '.[]' FILE");
my $spread = 'the JSON object does not end on its line, and an object a line '
    . 'is read: write them with "jq -c . FILE"';

for my $options ('', ' --keep-going') {
    says("import -$options", "$array; $kept", $_, $arrays{$_})
        for sort keys %arrays;
    says("import -$options", "line 1: $spread; $kept", "an object $_",
        $objects{$_}) for sort keys %objects;
}

# one that is bad among others, or is cut short, is a bad line; a cut one is the
# last that is read

bad(['{"id":"a"} x', 'it is not JSON'], ['[]', 'it is not an object'],
    ['{', 'it is not JSON']);
bad(['{"id":"a"', 'it is not JSON']);

is_deeply(ids(), [], 'nothing was kept');

# the sentence is true

put("$d/array", $arrays{'an array that is spread'});
put("$d/objects", $objects{'as jq writes it'} =~ s/"([ab])"/"$1$1"/gr);

done('import -', qr/: 2 added/, 'what jq makes of an array',
    scalar(`jq -c '.[]' $d/array`));
done('import -', qr/: 2 added/, 'what jq makes of objects',
    scalar(`jq -c . $d/objects`));

###############################################################################

# provision --list: for each account of a list what one gets alone, or nothing

my $out = "$d/mos";
my $hex = '0123456789abcdef' x 4;

usage('provision --list a', '--list and --output need each other', 'no output');
usage('provision a --output a', '--list and --output need', 'an output alone');
usage('provision a --by-name', '--list and --output need', 'names of nothing');
usage("provision --list a --output b $_ c", 'are of one account, and not for '
    . '--list', $_) for qw/ --psk-identity --cert --private-key /;
usage('provision a --list a --output b', 'too many arguments', 'both');

done('import -', qr/: 5 added/, 'accounts', join('',
    map { "{\"id\":\"IMEI:$_\",\"name\":\"n$_\","
    . "\"psk\":[{\"identity\":\"i$_ \xc3\xa4\",\"key\":\"$hex\"}]}\n" } 1 .. 3)
    . '{"id":"IMEI:4","password":"x"}' . "\n" . '{"id":"IMEI:5","psk":['
    . "{\"identity\":\"i5\",\"key\":\"$hex\"},"
    . "{\"identity\":\"i6\",\"key\":\"$hex\"}]}");

my %lists = (
    'ids' => "IMEI:3\r\n\n \t\nimei:1\nIMEI:2",
    'ids and comments' => "# a\r\nIMEI:3\n#IMEI:4\nIMEI:1\nIMEI:2\r\n\x1a",
    'ids behind a mark' => "\xef\xbb\xbfIMEI:3\nIMEI:1\nIMEI:2\n",
    'lines of JSON' => '{"id":"IMEI:3","password":"x"}' . "\n"
        . '{"name":"n2","id":"imei:1"}' . "\nIMEI:2\n",
    'names --by-name' => "n3\n" . '{"id":"x","name":"n1"}' . "\nn2\n",
);

my %alone = map { ("IMEI:$_" => run("provision IMEI:$_")->{out}) } 1 .. 3;

for my $name (sort keys %lists) {
    my ($option) = $name =~ /(--.*)/;
    put("$d/list", $lists{$name});

    done("provision --list $d/list --output $out " . ($option // ''),
        qr/^provisioned 3 accounts in "\Q$out\E"$/, $name);
    is_deeply([map { [@$_{qw/ id name /}] } mos()], [['IMEI:3', 'n3'],
        ['IMEI:1', 'n1'], ['IMEI:2', 'n2']], "$name: in the order of the list");
    is(JSON::PP->new()->canonical()->encode($_->{mo}),
        JSON::PP->new()->canonical()->encode(decode_json($alone{$_->{id}})),
        "$name: $_->{id} gets what it gets alone") for mos();
    is(mode($out), '0600', "$name: closed to others");
    unlink($out);
}

# XML, and what is said of the server

my @server = ('--server-id', 'dm.example.com', '--server-name', 'a "b" <c>');
my $r = run(['provision', '--list', "$d/list", '--by-name', '--output', '-',
    '--format', 'tnds', @server]);
is($r->{rc} . $r->{err}, '0', 'XML to stdout');
is_deeply([map { decode_json($_)->{mo} } split(/\n/, $r->{out})],
    [map { run(['provision', "IMEI:$_", '--format', 'tnds', @server])->{out} }
    3, 1, 2], 'XML to stdout: as alone');

run(['provision', '--list', "$d/list", '--by-name', '--output', $out, @server]);
is((mos())[1]{mo}[0]{MOData}{DMAcc}{Name}, 'a "b" <c>', 'of the server');

# a file that is there is not written

my $was = content($out);
refused("provision --list $d/list --by-name --output $out", 'there is a file',
    'a file');
is(content($out), $was, 'it is as it was');
unlink($out);

is(json("provision --list $d/list --by-name --output $out",
    'in JSON')->{accounts}, 3, 'how many');
unlink($out);

# a line that is bad is told, and there is no file

for (
    ['IMEI:9', 'there is no account "IMEI:9"'],
    ['imei:1', 'it is of account "IMEI:1", as line 1 is: keep one of the two'],
    ['n1', 'it is of account "IMEI:1", as line 1 is', '--by-name'],
    ['IMEI:4', '"IMEI:4" has no PSK'],
    ['IMEI:5', '"IMEI:5" holds 2 PSKs'],
    ['IMEI:1 ', 'the id begins or ends with a blank'],
    ["IMEI:1\x01", 'control character'], ["\xff", 'not UTF-8'],
    ['x' x 256, '255'],
    ['{"id":"IMEI:1"', 'it begins as a line of JSON, and is none with a "id"'],
    ['{"name":"n1"}', 'none with a "id"'], ['{"id":1}', 'none with a "id"'],
    ['{', 'none with a "id"'],
    ['x' x 140000, 'the line is longer than 131072 octets'],
    ['n9', 'there is no account with the name "n9"', '--by-name'],
    ['a:b', 'the name has a colon', '--by-name'],
    ['{"id":"IMEI:1"}', 'none with a "name"', '--by-name'],
) {
    my ($line, $message, $by_name) = @$_;
    my @good = $by_name ? qw/ n1 n2 / : qw/ IMEI:1 IMEI:2 /;

    $r = run("provision --list - --output $out " . ($by_name // ''),
        "$good[0]\n\n$line\n$good[1]\n");

    is("$r->{rc}$r->{out}", '1', "bad line: $message");
    like($r->{err}, qr/\Adm-account: "-" line 3: [^\n]*\Q$message\E/,
        'bad line: it is told');
    like($r->{err}, qr/\ndm-account: nothing is written: 1 bad line in "-"\n\z/,
        'bad line: once');
    is_deeply([glob("$out*")], [], "bad line: there is no file");
}

$r = run('provision --list - --output -', "IMEI:1\nIMEI:9\n");
is("$r->{rc}$r->{out}", '1', 'nothing on stdout either');

$r = run("provision --list - --output $out", "x\n" x 30);
is(scalar(() = $r->{err} =~ / line \d+: /g), 20, 'no more than 20 are told');
like($r->{err}, qr/nothing is written: given up after 20 bad lines/,
    'and that is said');

done("provision --list /dev/null --output $out", 'provisioned 0 accounts',
    'nobody');
is(-s $out, 0, 'an empty file');
unlink($out);

SKIP: {

skip('no mount namespace', 3)
    if $> != 0 || system('unshare -m true 2>/dev/null') != 0;

my $log = listen_log();

private("$bin provision --list $d/list --by-name --output $out");

my @messages = messages($log);
is(@messages, 2, 'syslog: two lines');
like($messages[0], qr/ verb=provision id="-" .* secrets=begin accounts=3$/,
    'syslog: before');
like($messages[1], qr/ secrets=end accounts=3$/, 'syslog: behind');

}

###############################################################################

done_testing();

###############################################################################

sub mos {
    return map { decode_json($_) } split(/\n/, content($out));
}

# refused with one sentence

sub says {
    my ($args, $what, $name, $stdin) = @_;
    my $r = run($args, $stdin);

    ok($r->{rc} eq '1' && $r->{out} eq ''
        && $r->{err} =~ /\Adm-account: "-" line \d: [^\n]*\n\z/
        && $r->{err} =~ /\Q$what\E\n/, $name)
        or diag("exit $r->{rc}\n$r->{out}$r->{err}");
}

###############################################################################
