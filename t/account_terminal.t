#!/usr/bin/perl

# Tests for dm-account: what others wrote never drives a terminal, nor makes
# an id look like another one.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::DmAccount;
use Test::DmSec::OldStore qw/ write_old_store $odd_id /;

###############################################################################

# CSI as U+009B and as an octet alone, an isolate, ESC

my @odd = ("\xc2\x9b31m", "\x9b31m", "\xe2\x81\xa6x", "\x1b[31m");

done("init --realm dm\@example.org --owner $me --map-size 1m", 'created',
    'init');
my $password = secret('password', "secret\n");
my $r;

# names of files, of options and of verbs

for my $odd (@odd) {
    my $name = $odd =~ s/([^ -~])/sprintf('\x%02X', ord($1))/ger;

    quiet(run(['import', "$d/$odd"]), 1, "import $name");
    quiet(run(['import', "$d/$odd", '--json']), 1, "import $name in JSON");
    quiet(run(["--store", "$d/$odd", 'list']), 1, "store $name");
    quiet(run(["--key", "$d/$odd", 'list']), 1, "key $name");
    quiet(run([$odd]), 2, "verb $name");
    quiet(run(["--$odd"]), 2, "option $name");
    quiet(run(['add', $odd]), 1, "add $name") if $odd ne "\xe2\x81\xa6x";
    quiet(run(['show', $odd]), 1, "show $name");
    quiet(run(['backup', "$d/backup$odd"]), 0, "backup $name");
    quiet(run(['backup', "$d/backup2$odd", '--json']), 0,
        "backup $name in JSON");
    quiet(run(['--store', "$d/restored$odd", 'restore', "$d/backup$odd"]), 0,
        "restore $name");
    quiet(run(["--key", "$d/store.key$odd", "--store", "$d/store$odd", 'init',
        '--realm', 'r', '--owner', $me, '--map-size', '1m']), 0,
        "init $name");

    put("$d/empty$odd", '');
    quiet(run(['import', "$d/empty$odd"]), 0, "import empty$name");
}

# what files hold

for my $odd (@odd) {
    my $name = $odd =~ s/([^ -~])/sprintf('\x%02X', ord($1))/ger;
    my $json = $odd =~ s/\x1b/\\u001b/r;

    for my $line (qq({"id":"$json"}), qq({"id":"a","name":"$json"}),
        qq({"id":"a","groups":["$json"]}), qq({"id":"a","$json":1}),
        qq({"id":"a","state":"$json"}), qq({"id":"a","not_after":"$json"}),
        qq({"id":"a","cert_keys":["subject:CN=$json"]}),
        qq({"id":"a","cert_keys":["$json"]}), qq($json))
    {
        # the key of a certificate may turn the direction of a line
        next if $line =~ /CN=\xe2/;

        quiet(run('import -', $line), 1, "a line with $name");
    }

    quiet(run('import - --format htpasswd', "$odd:{PLAIN}p\n"), 1,
        "htpasswd with $name");
    quiet(run('import - --format htdigest', "a:$odd:" . '0' x 32), 1,
        "htdigest with $name");
    quiet(run('import - --format psk', "$odd:" . '0' x 32), 1,
        "psk with $name");
}

is_deeply(ids(), [], 'none of them is an account');

###############################################################################

# what nobody sees, or what turns the direction of a line, is refused in
# whatever is shown

for my $odd (map { chr } 0xa0, 0xad, 0x61c, 0x200b, 0x200f, 0x2028, 0x202e,
    0x2060, 0x2066, 0x3000, 0xfeff, 0xe0041)
{
    my $name = sprintf('U+%04X', ord($odd));
    my $has = "has the character $name at octet 2, ";
    utf8::encode($odd);

    refused(['add', "a$odd"], "the id $has", "$name in an id");
    refused(['add', 'a', '--name', "a$odd"], "the name $has",
        "$name in a name");
    refused(['add', 'a', '--group', "a$odd"], "a group $has",
        "$name in a group");
    refused(['add', 'a', '--psk-identity', "a$odd", '--generate-psk'],
        "a PSK identity $has", "$name in a PSK identity");
    refused(['--store', "$d/other", '--key', "$d/other.key", 'init',
        '--realm', "a$odd", '--owner', $me], "the realm $has",
        "$name in a realm");
    usage(['provision', 'a', '--server-name', "a$odd"],
        "--server-name $has", "$name in what provision writes");
}

# so it is in each file, and the line is told

for ([ jsonl => '{"id":"a%s"}' ], [ jsonl => '{"id":"a","name":"a%s"}' ],
    [ jsonl => '{"id":"a","groups":["a%s"]}' ], [ csv => "id\na%s" ],
    [ csv => "id,name\na,a%s" ], [ csv => "id,groups\na,a%s" ],
    [ htpasswd => 'a%s:{PLAIN}p' ], [ psk => 'a%s:' . '0' x 32 ],
    [ htdigest => 'a%s:dm@example.org:' . '0' x 32 ])
{
    my ($format, $text) = @$_;

    $r = run("import - --format $format", sprintf($text, "\xc2\xa0") . "\n");
    quiet($r, 1, "$format: a no-break space");
    like($r->{err}, qr/line \d: .* the character U\+00A0 at octet 2, /,
        "$format: which, and where");
}

$r = run('batch', qq({"verb":"add","id":"a\xc2\xa0"}\n));
like($r->{out}, qr/the character U\+00A0 at octet 2, /, 'batch: which');

# whoever asks for such an account is told why there is none

my $why = '; what is asked for has the character U+00A0 at octet 2, ';

refused([ @$_ ], $why, "@{[ splice(@$_, 0, 1) ]}: nobody is called so")
    foreach [ 'show', "a\xc2\xa0" ], [ 'del', "a\xc2\xa0" ],
        [ 'show', '--name', "a\xc2\xa0" ];

$r = run('disable --list -', "a\xc2\xa0\n");
like($r->{err}, qr/line 1: .* the character U\+00A0 at octet 2/,
    'disable --list: nobody is called so');
$r = run("provision --list - --output $d/mos", "a\xc2\xa0\n");
like($r->{err}, qr/line 1: .* the character U\+00A0 at octet 2/,
    'provision --list: nobody is called so');

# the key of a certificate is as its CA wrote it, and it is escaped

done(['add', 'a', '--cert-key', "subject:CN=a\xe2\x80\xae"], 'added "a"',
    'a certificate key');
done('show a', 'subject:CN=a\\\\xE2\\\\x80\\\\xAE', 'and is escaped');
done(['show', '--cert-key', 'subject:CN=a\\e2\\80\\ae'], 'id +a\n',
    'and found as a log has it');
done('del a', 'deleted "a"', 'and its account deleted');

ok(!-e "$d/other.key", 'no key is left behind');
is_deeply(ids(), [], 'none of them is an account');

# each other character is what it was

my $plain = "\xc3\xa9\xd8\x9d\xe2\x80\x90\xe2\x80\xb0\xe2\x81\xb0\xc2\xa1x";

done(['add', $plain, '--password-file', $password], "added \"$plain\"",
    'others are taken');
done(['show', $plain], "id +$plain\n", 'and shown as they are');
done(['del', $plain], "deleted \"$plain\"", 'and deleted');

###############################################################################

# a store that has such accounts from before

write_old_store("$d/old", $key);
chmod(0600, $key);

done("restore $d/old", 'restored 2 accounts', 'an old store');

$r = run('list');
quiet($r, 0, 'list');
like($r->{out}, qr/^IMEI:1\\xE2\\x80\\xAE2 +one\\xE2\\x81\\xA6x +active /m,
    'list escapes');
like($r->{out}, qr/ g\\xE2\\x80\\x8F$/m, 'list escapes groups');

$r = run('list --json');
quiet($r, 0, 'list in JSON');
like($r->{out}, qr/"id":"IMEI:1\\u202e2","name":"one\\u2066x"/,
    'list escapes in JSON');

$r = run(['show', $odd_id]);
quiet($r, 0, 'show');
like($r->{out}, qr/^groups +g\\xE2\\x80\\x8F$/m, 'show escapes');

quiet(run($_), 0, $_) for 'check', 'export', 'export --secrets';
quiet(run(['provision', $odd_id]), 0, 'provision');
is((grep { $_->{id} eq text($odd_id) } list())[0]{name},
    text("one\xe2\x81\xa6x"), 'JSON holds what it is');
is(verify($odd_id, 'old-password'), 0, 'verify');

my $exported = run('export --secrets')->{out};

for my $verb (qw/ disable enable unlock /) {
    $r = run([$verb, $odd_id]);
    quiet($r, 0, $verb);
    like($r->{out}, qr/"IMEI:1\\xE2\\x80\\xAE2"$/, "$verb says to whom");
}

quiet(run(['set', $odd_id, '--group', "g\xe2\x80\x8f", '--group', 'new']), 0,
    'set, with what it had');
refused(['set', $odd_id, '--group', "h\xe2\x80\x8f"],
    'a group has the character U+200F', 'set, with what is new');
done(['set', $odd_id, '--name', 'plain', '--password-file', $password],
    'name "plain"', 'set a better name');

done('rekey --prepare', 'prepared', 'rekey');
done('rekey', 'sealed', 'rekey');
done('rekey --finish', 'finished', 'rekey');

done(['del', $odd_id], 'deleted', 'del');
is_deeply(ids(), ['IMEI:3'], 'it is gone');
quiet(run('import - --update', $exported), 1, 'it does not come back');

done_testing();

###############################################################################

# it ended so, and said nothing that a terminal could take for itself

sub quiet {
    my ($r, $rc, $name) = @_;
    my $said = $r->{out} . $r->{err};
    my $odd = !utf8::decode($said);

    $odd ||= $said
        =~ /[^\n\x20-\x7e\xa0-\x{10ffff}]/ || $said
        =~ /[\x{61c}\x{200e}\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}]/
        || $said =~ /\x{feff}/;

    ok($r->{rc} eq $rc && $said ne '' && !$odd, "quiet: $name")
        or diag("exit $r->{rc}: "
            . $said =~ s/([^\n -~])/sprintf('<%x>', ord($1))/ger);
}

###############################################################################
