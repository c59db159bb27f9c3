#!/usr/bin/perl

# Tests for dm-account --json: each refusal has a code, and the table of
# docs/accounts.md has it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use Fcntl qw/ LOCK_EX /;
use JSON::PP;

use lib 'lib';
use Test::DmAccount;

###############################################################################

# the table of docs/accounts.md

my %table;

my ($rows) = content('../docs/accounts.md')
    =~ /^\| Code \| [^\n]*\n\|-[^\n]*\n((?:\|[^\n]*\n)+)/m
    or die "docs/accounts.md has no table of codes\n";

$table{$1} = 1 while $rows =~ /^\| `(\w+)` \| \S/mg;

cmp_ok(scalar(keys %table), '>', 20, 'docs/accounts.md has a table of codes');

# A refusal is told by one function, and that takes a code.

for my $file (glob('../tools/account/*.c')) {
    my $n = () = content($file) =~ /dm_json_error\(/g;

    is($n, $file =~ m!/cli\.c$! ? 1 : 0,
        "$file: told by one function")
        if $n || $file =~ m!/cli\.c$!;
}

my %names = map { $_ => 1 }
    content('../tools/account/code.c') =~ /\[DM_CODE_\w+\] = "(\w+)"/g;

is_deeply([sort keys %names], [sort keys %table],
    'docs/accounts.md has the codes that there are');

###############################################################################

# commands, and the codes they end with

my %seen;

code('no_store', 'list');
code('key_unusable', "init --realm dm\@example.com --share-key");

done(['init', '--realm', 'dm@example.com'], qr/^created/, 'init');
done('add one --name one --generate-password --cert-key san:DNS:one',
    qr/^added/, 'add one');
done('add two --generate-password --disabled', qr/^added/, 'add two');
done('add three --generate-password --not-after 2001-01-01T00:00:00Z',
    qr/^added/, 'add three');
done('add four --generate-password --not-before 2101-01-01T00:00:00Z',
    qr/^added/, 'add four');

my $password = secret('password', 'hunter2');
my $wrong = secret('wrong', 'hunter3');

for my $name (qw/ two three four /) {
    done(['set', $name, '--password-file', $password], qr/^set/,
        "set $name");
}

code('usage', '', 2);
code('usage', 'frobnicate', 2);
code('usage', 'set one', 2);
code('usage', 'add one --password x', 2);
code('store_exists', "init --realm r");
code('no_account', $_ . ' nobody')
    for qw/ disable enable unlock del show provision /;
code('no_account', 'set nobody --disabled');
code('exists', 'add one');
code('taken', 'add other --name one');
code('taken', 'add x/one --name one');
code('taken', 'add other --cert-key san:DNS:one');
code('invalid', ['add', "a\nb"]);
code('invalid', 'add other --name a:b');
code('invalid', 'add a:b');
code('invalid', 'add other --cert-key what');
code('not_held', 'set one --drop-psk none');
code('not_held', 'set one --drop-cert-key san:DNS:none');
code('not_held', 'provision one');
code('password_needed', 'set one --name other');
code('limit', ['set', 'one', map { ('--cert-key', "san:DNS:$_") } 1 .. 8]);

code('not_verified', ['verify', 'two', '--password-file', $wrong]);
code('disabled', ['verify', 'two', '--password-file', $password]);
code('expired', ['verify', 'three', '--password-file', $password]);
code('not_yet_valid',
    ['verify', 'four', '--password-file', $password]);

code('bad_file', 'verify one --password-file /nonexistent');
code('bad_file', 'set one --password-file /nonexistent');
code('bad_file', 'set one --cert /nonexistent');
code('bad_file', 'import /nonexistent');
code('bad_file', 'provision --list /nonexistent --output -');
code('wrong_realm', 'import - --format htdigest --realm other');
code('output_failed',
    "import - --generate-psks --output /nonexistent/file");

# a line has the code of its own, and the file another

is_deeply(codes('import -', '{"id":"one"}' . "\n" . '{"id":"a\\nb"}'),
    [qw/ taken invalid bad_lines /], 'bad lines of an import');
is_deeply(codes('provision --list - --output -', "one\nnobody"),
    [qw/ invalid invalid bad_lines /], 'bad lines of a list');

code('user', "--store $d/other --key $d/other.key init --realm r "
    . '--owner no-such-user');
code('rekey_order', 'rekey');
code('follows', 'disable one --here');
code('no_store', "--store $d/none disable one");
code('store_unusable', '--store /etc list');

my $other = secret('other.key', content($key)
    =~ s/[0-9a-fA-F]{8}\s*\z/01234567\n/r);
code('store_unusable', "--key $other list");

# while another process has the store

open my $lock, '+<', "$store/write.lock" or die "write.lock: $!\n";
flock($lock, LOCK_EX) or die "flock: $!\n";
code('not_yet', 'disable nobody');
close $lock;

# no account is lost by a bug of the table: all is as it was

is_deeply(ids(), [qw/ four one three two /], 'nothing has changed');

# those that nobody can cause at will, or t/fleet_account.t does

delete @names{qw/ authority engine not_known interrupted store_failed
    store_damaged in_use key_exists terminal system /};

is_deeply([sort keys %seen], [sort keys %names], 'each code was seen');

done_testing();

###############################################################################

sub codes {
    my ($args, $stdin) = @_;
    my $r = run([ref $args ? @$args : split(' ', $args), '--json'], $stdin);

    my @codes = map { (eval { decode_json($_) } || {})->{code} // "none: $_" }
        split(/\n/, $r->{err});

    $seen{$_} = 1 for @codes;

    return \@codes;
}

sub code {
    my ($code, $args, $rc) = @_;
    my $words = join(' ', ref $args ? @$args : $args) =~ s/\n/ /gr;
    my $r = run(ref $args ? ['--json', @$args] : "--json $args");
    my $json = eval { decode_json($r->{err}) } || {};

    $seen{$code} = 1;

    ok($r->{rc} eq ($rc || 1) && $r->{out} eq '' && $json->{error}
        && ($json->{code} // '') eq $code, substr("$code: $words", 0, 70))
        or diag("exit $r->{rc}\n$r->{out}$r->{err}");
}

###############################################################################
