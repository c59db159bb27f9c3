#!/usr/bin/perl

# Tests for dm-account: what syslog gets to know, and when.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use JSON::PP;
use POSIX ();

use lib 'lib';
use Test::DmAccount;
use Test::DmSec::Preload qw/ loses_stdout /;

###############################################################################

plan(skip_all => 'no mount namespace')
    if $> != 0 || system('unshare -m true 2>/dev/null') != 0;

done("init --realm r --owner $me --map-size 1m", 'created', 'init');

# more than what fits into a pipe

my $hash = '0' x 64;
my $lines = join('', map { qq({"id":"a$_","digest":{"SHA-256":"$hash"}}\n) }
    1 .. 1000);
done('import -', '1000 added', 'accounts', $lines);

my $pw = secret('password', "hunter2-old\n");
my $wrong = secret('wrong', "hunter2-wrong\n");
secret('other.key', "k1 " . '11' x 32 . "\n");
chmod(0755, $d);

put("$d/empty", '');

my $log = listen_log();
chmod(0666, "$d/log");

###############################################################################

# the line is there before the first secret

private("$bin export --secrets | head -c 1");
my @lines = messages($log);

is(@lines, 1, 'export that is cut off: a line');
like($lines[0] // '', qr/ uid=0 verb=export .* secrets=begin$/,
    'export that is cut off: it begins');

private("$bin export --secrets >$d/x; $bin export >$d/x");
@lines = messages($log);

is(@lines, 2, 'export that is not: two lines');
like($lines[0] // '', qr/ verb=export .* secrets=begin$/, 'it begins');
like($lines[1] // '', qr/ verb=export .* secrets=end accounts=1000$/,
    'it ends');

SKIP: {

skip 'no /dev/full', 4 unless -c '/dev/full';

private("mknod $d/full c 1 7; $bin export --secrets >$d/full");
@lines = messages($log);

is(@lines, 2, 'export that fails: two lines');
like($lines[1] // '',
    qr/ refused reason=".*cannot (?:be written|write) to stdout: /, 'it fails');

# a batch whose stdout is full from its commit on

my $loses = loses_stdout($d, "$d/full");

put("$d/make", join("\n", '{"verb":"disable","id":"a1"}',
    '{"verb":"add","id":"made","generate-password":true}',
    '{"verb":"enable","id":"a1"}', '{"verb":"del","id":"made"}'));
private("LD_PRELOAD=$loses $bin batch <$d/make");
@lines = grep { /secret=lost$/ } messages($log);

is(@lines, 1, 'a made secret that is lost: a line');
like($lines[0] // '', qr/ verb=add id="made" /, 'it is that of its account');

}

###############################################################################

# what is refused, of each verb

my @refused = (
    ["--key $d/other.key list", 'list', '-', 'key'],
    ["--key $d/none export", 'export', '-', 'cannot be opened'],
    ["--store $d/none show a1", 'show', 'a1', 'there is no store'],
    ['show none', 'show', 'none', 'there is no account'],
    ['add a1', 'add', 'a1', 'already'],
    ['set none --disabled', 'set', 'none', 'there is no account'],
    ['disable none', 'disable', 'none', 'there is no account'],
    ['enable none', 'enable', 'none', 'there is no account'],
    ['unlock none', 'unlock', 'none', 'there is no account'],
    ['del none', 'del', 'none', 'there is no account'],
    ["verify a1 --password-file $wrong", 'verify', 'a1', 'is not verified'],
    ["import $d/none", 'import', '-', 'cannot open'],
    ["--key $d/other.key check", 'check', '-', 'key'],
    ["backup $d", 'backup', '-', 'exists'],
    ["restore $d/none", 'restore', '-', ''],
    ['rekey', 'rekey', '-', 'has only key'],
    ['provision a1', 'provision', 'a1', 'has no PSK'],
    ['init --realm r', 'init', '-', 'exists already'],
);

@lines = logged(map { "$bin $_->[0]" } @refused);

is(@lines, @refused, 'a line for each that is refused');

for (@refused) {
    my ($args, $verb, $id, $why) = @$_;

    my $head = quotemeta(qq(user="$me" uid=0 verb=$verb id="$id" store="));

    like(shift(@lines) // '',
        qr/^<84>.* $head[^"]+" refused reason="[^"]*\Q$why\E/,
        "refused: $verb");
}

# a secret where the name of its file belongs

for my $args (
    'add a0 --password-file hunter2', 'set a1 --password-file=hunter2',
    'set a1 --psk-identity i --psk-file hunter2', 'import hunter2',
    'import ' . "'{\"id\":\"x\",\"password\":\"hunter2\"}'",
    'verify a1 --password-file hunter2', '--key hunter2 list', 'hunter2',
    'set a1 --not-after hunter2', 'add a0 --hunter2',
    'import ' . 'hunter2' x 600)
{
    private("$bin $args");
    @lines = messages($log);
    my $line = $lines[0] // '';
    my $name = substr $args, 0, 40;
    like($line, qr/ (?:refused|misused) reason="/, "a line: $name");
    unlike($line, qr/hunter2/, "without it: $name");
}

for my $args ('export --secrets', 'provision a1') {
    private("script -qec '$bin $args' $d/typescript <$d/empty");
    like((messages($log))[0] // '',
        qr/ verb=\w+ .* refused reason="secrets are not shown on a terminal/,
        "refused: $args on a terminal");
}

my @misused = (
    ['set a1', 'set', 'nothing to set'],
    ['set a1 --password hunter2', 'set', 'secrets never come from the'],
    ['set a1 --password=hunter2', 'set', 'secrets never come from the'],
    ['show', 'show', 'ID is needed'],
    ['', '-', 'a verb is needed'],
    ['frobnicate', '-', 'unknown verb'],
);

@lines = logged(map { "$bin $_->[0]" } @misused);

is(@lines, @misused, 'a line for each that is misused');
unlike("@lines", qr/hunter2/, 'no secret is in it');

for (@misused) {
    my ($args, $verb, $why) = @$_;

    like(shift(@lines) // '', qr/ verb=$verb .* misused reason="[^"]*\Q$why\E/,
        "misused: $why");
}

# nobody, who calls himself alice

chmod(0755, $d);
private("setpriv --reuid=65534 --regid=65534 --clear-groups env "
    . "SUDO_USER=alice $bin list");
@lines = messages($log);

my $nobody = getpwuid(65534) // '-';
like($lines[0] // '',
    qr/ user="\Q$nobody\E" uid=65534 verb=list .* refused reason="/,
    'no permission, and who it really was');

# what could drive a terminal that shows the log

private("$bin show \"\$(printf 'a\\033\\302\\233\\342\\200\\256')\"");
unlike((messages($log))[0] // "\x1b", qr/[^ -~]/, 'escaped');

###############################################################################

# what set has changed

my @sets = (
    ['--name n', 'name'],
    ["--password-file $pw", 'password'],
    ['--psk-identity i --generate-psk', 'psk'],
    ['--drop-psk i', 'psk'],
    ['--cert-key san:DNS:hunter2', 'cert_keys'],
    ['--drop-cert-key san:DNS:hunter2', 'cert_keys'],
    ['--group hunter2 --group b', 'groups'],
    ['--group b --group hunter2', '-'],
    ['--disabled', 'state'],
    ['--not-before 2020-01-31T00:00:00Z', 'not_before'],
    ['--not-after 2030-01-31T00:00:00Z', 'not_after'],
    ['--disabled', '-'],
    ["--name m --password-file $pw --not-after '' --group ''",
        'name,password,groups,not_after'],
);

put("$d/new", qq({"id":"set"}\n));
private("$bin import $d/new");
messages($log);

@lines = logged(map { "$bin set set $_->[0]" } @sets);

is(@lines, @sets, 'set: a line each');
unlike("@lines", qr/hunter2/, 'set: no value is in it');

like(shift(@lines) // '', qr/ verb=set id="set" store="[^"]+" changed=$_->[1]$/,
    "set $_->[0]") for @sets;

###############################################################################

# nobody listens

close($log);
unlink("$d/log");

my $out = private("exec 2>&1; $bin disable a1");
like($out, qr/^dm-account:\ warning:\ syslog\ cannot\ be\ had\ at\ \/dev\/log
    \ \([^)]+\):\ nothing\ of\ this\ is\ logged\ndisabled\ "a1"\n\z/mx,
    'no syslog: it is said');

$out = private("exec 2>&1; $bin export --secrets >$d/x");
is(() = $out =~ /syslog cannot be had/g, 1, 'no syslog: it is said once');
ok(-s "$d/x" > 100000, 'no syslog: the rest is done');

my %said = map { %{decode_json($_)} } grep { !/is root's/ }
    split(/\n/, private("exec 2>&1; $bin --json show none"));
like($said{error}, qr/^there is no account/, 'no syslog: an error in JSON');
like($said{warning}, qr/^syslog cannot be had/, 'no syslog: and this');

$out = private("exec 2>&1; $bin show a2");
unlike($out, qr/syslog/, 'nothing is to be logged: nothing is said');

done_testing();

###############################################################################

# a socket takes ten lines, and then who writes more waits until they are read

sub logged {
    my (@commands) = @_;
    my (@lines);

    while (my @some = splice(@commands, 0, 8)) {
        private(join('; ', @some));
        push(@lines, messages($log));
    }

    return @lines;
}

###############################################################################
