#!/usr/bin/perl

# Tests for dm-account batch: a verb a line, an answer a line.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use IPC::Open2;
use JSON::PP;
use POSIX ();

use lib 'lib';
use Test::DmAccount;
use Test::DmSec::Preload qw/ loses_stdout preload /;

###############################################################################

done(['init', '--realm', 'dm@example.com', '--map-size', '16m'], qr/^created/,
    'init');

# each verb, and what is refused

my ($r, @answers) = batch(
    { verb => 'add', id => 'a', password => 'hunter2', group => ['x', 'y'],
        tag => { n => 7 } },
    { verb => 'disable', id => 'a' },
    'no JSON',
    { verb => 'disable', id => 'nobody', tag => 'gone' },
    { verb => 'disable', id => 'a' },
    { verb => 'set', id => 'a', psk_identity => 'i', psk => '0a' x 16,
        add_group => 'z' },
    { verb => 'set', id => 'a', frobnicate => JSON::PP::true },
    { verb => 'add', id => 'b', name => 'a' },
    { verb => 'add', id => 'b', 'generate-password' => JSON::PP::true },
    { verb => 'show', id => 'b' },
    { verb => 'enable', name => 'a' },
    { verb => 'unlock', id => 'a' },
    { verb => 'del', id => 'b', if_present => JSON::PP::true },
    { verb => 'del', id => 'b', if_present => JSON::PP::true },
    { verb => 'export' },
    { verb => 'disable', id => 'a', dry_run => JSON::PP::true },
    { verb => 'add', id => 'c', 'password-file' => '-' });

is($r->{rc}, 1, 'lines were refused');
is_deeply([map { $_->{line} } @answers], [1 .. 17], 'an answer each, in order');
is_deeply([map { $_->{result} || $_->{code} || $_->{state} } @answers],
    [qw/ added disabled usage no_account disabled set usage taken added active
        enabled unlocked deleted absent usage usage usage /], 'answers');
is_deeply([map { ($_->{changed} // 2) + 0 } @answers],
    [1, 1, 2, 2, 0, 1, 2, 2, 1, 2, 1, 1, 1, 0, 2, 2, 2], 'changed or not');
is_deeply($answers[0]{tag}, { n => 7 }, 'a tag comes back');
is($answers[3]{tag}, 'gone', 'with an error too');
like($answers[8]{password}, qr/^[A-Z2-7]{24}$/, 'a made secret is in it');
is(verify('a', 'hunter2'), 0, 'the password of the line is the account\'s');
is_deeply([@{show('a')}{qw/ state groups /}], ['active', [qw/ x y z /]],
    'changes are in force');
is(show('a')->{psk}[0]{identity}, 'i', 'the PSK too');
is_deeply(ids(), ['a'], 'and no more');

# the last line may name its account in any way

my $cert = certificate();
my %names = (name => 'ann', psk_identity => 'i2', cert_key => 'subject:CN=x',
    cert => $cert);
my %set = map { ("by_$_" => $names{$_}) } keys %names;

my %account = (verb => 'add', id => 'n', psk => '0b' x 16,
    map { $_ => $names{$_} } qw/ name psk_identity cert_key /);

($r, @answers) = batch(\%account);
is($r->{rc}, 0, 'an account with names of each kind');

for my $verb (qw/ disable enable unlock set show /) {
    my $by = $verb eq 'set' ? \%set : \%names;
    my @change = $verb eq 'set' ? (group => 'g') : ();

    for my $kind (sort keys %$by) {
        ($r, @answers) = batch({ verb => $verb, $kind => $by->{$kind},
            @change });
        is("$r->{rc} $answers[0]{id}", '0 n', "last: $verb by $kind");

        ($r, @answers) = batch({ verb => 'enable', id => 'a' },
            { verb => $verb, @change, $kind => $kind =~ /cert$/ ? "$d/none"
                : 'subject:CN=nobody' });
        is("$r->{rc} " . @answers . ' ' . ($answers[1]{code} // ''),
            '1 2 ' . ($kind =~ /cert$/ ? 'bad_file' : 'no_account'),
            "last, refused: $verb by $kind");
    }
}

for my $kind (sort keys %names) {
    ($r) = batch({ verb => 'del', $kind => $names{$kind} });
    is($r->{rc}, 0, "last: del by $kind");

    ($r) = batch({ verb => 'del', $kind => $names{$kind} });
    is($r->{rc}, 1, "last, refused: del by $kind");

    batch(\%account);
}

batch({ verb => 'del', id => 'n' });

# A line that is too long is refused, however it comes, and ends nothing.  In a
# pipe it comes in pieces.

my %long = (verb => 'disable', id => 'a', tag => 'x' x 70_000);
my @disable = ({ %long, tag => 'x' x 60_000 }, \%long,
    { %long, tag => 'x' x 300_000 }, { verb => 'disable', id => 'a' }, \%long);
my @long = ('', 'limit', 'limit', '', 'limit');

($r, @answers) = batch(@disable);
is_deeply([map { $_->{code} // '' } @answers], \@long, 'too long, of a file');
is_deeply([map { $_->{line} } @answers], [1 .. 5], 'each has its answer');

$r = `cat $d/stdin | $bin batch 2>$d/err`;
is_deeply([map { decode_json($_)->{code} // '' } split(/\n/, $r)], \@long,
    'too long, of a pipe');

# many lines: few transactions, all answers

my $before = written();
my $n = 2500;

($r, @answers) = batch(map { { verb => 'add', id => "n$_" } } 1 .. $n);

is($r->{rc}, 0, 'no line was refused');
is(scalar(grep { $_->{changed} } @answers), $n, 'all are done');
cmp_ok(written() - $before, '<=', 10, 'in few transactions');

$before = written();
($r, @answers) = batch(map { { verb => 'enable', id => "n$_" } } 1 .. $n);

is(scalar(grep { !$_->{changed} } @answers), $n, 'all are as they were');
is(written(), $before, 'nothing is written');

# who waits for an answer gets it, and then it is in force for others

my $pid = open2(my $out, my $in, $bin, 'batch');

for my $id (qw/ n1 n2 /) {
    print $in encode_json({ verb => 'disable', id => $id }), "\n";
    $in->flush();

    is(decode_json(scalar(<$out>))->{result}, 'disabled', "answered: $id");
    is(show($id)->{state}, 'disabled', 'in force while the batch is open');
    done('set n3 --add-group ' . $id, qr/^set/, 'others can write meanwhile');
}

# a part of a line is none before its end

print $in '{"verb":"disable",';
$in->flush();
done('unlock n3', qr/^unlocked/, 'others can write before the line ends');
print $in '"id":"n3"}';
close $in;
is(decode_json(scalar(<$out>))->{id}, 'n3', 'the last line needs no end');
waitpid($pid, 0);
is($?, 0, 'it ends');

# nobody who reads

my $lines = join('', map { encode_json({ verb => 'disable', id => "n$_" })
    . "\n" } 1 .. $n);
put("$d/lines", $lines);
system("$bin batch <$d/lines 2>$d/broken | true");
like(content("$d/broken"), qr/"code":"output_failed"/, 'a broken pipe');
done('check', '', 'the store is whole');

# a secret that is made is not in force where its answer cannot be written

done('add m --generate-password --psk-identity m --generate-psk', qr/^added/,
    'an account with made secrets');

my $kept = run('export --secrets')->{out};
my $make = join('', map { encode_json($_) . "\n" }
    { verb => 'set', id => 'm', 'generate-password' => JSON::PP::true },
    { verb => 'set', id => 'm', psk_identity => 'm',
        'generate-psk' => JSON::PP::true },
    { verb => 'add', id => 'm2', 'generate-password' => JSON::PP::true },
    { verb => 'disable', id => 'm' });
put("$d/make", $make);

my %where = (
    'nobody reads' => sub { pipe(my $in, my $out) or die "pipe: $!\n"; $out },
    (-c '/dev/full' ? ('full' => sub { opened('/dev/full') }) : ()),
);

for my $where (sort keys %where) {
    into($where{$where}->(), '');
    like(content("$d/err"),
        qr/cannot write to stdout: [^"]*; nothing of line 1 and/,
        "$where: it is told");
    is(run('export --secrets')->{out}, $kept, "$where: nothing is changed");
}

# room in a file is taken before

my $no_room = preload($d, 'no_room', <<'EOF_C');
#include <errno.h>
#include <sys/types.h>

int
fallocate(int fd, int mode, off_t offset, off_t len)
{
    errno = ENOSPC;
    return -1;
}
EOF_C

into(opened("$d/answers"), $no_room);
like(content("$d/err"), qr/No space left on device; nothing of line 1 and/,
    'no room: it is told');
is(-s "$d/answers", 0, 'no room: no answer');
is(run('export --secrets')->{out}, $kept, 'no room: nothing is changed');

# where they are lost all the same, it is told whose they are

my $loses = loses_stdout($d, '/dev/full');

into(opened("$d/answers"), $loses);
like(content("$d/err"), qr/secrets that nobody has got: see secret=lost/,
    'lost: it is told');
isnt(run('export --secrets')->{out}, $kept, 'lost: the change is in force');

usage('batch x', 'too many arguments', 'too many arguments');

done_testing();

###############################################################################

sub batch {
    my @lines = map { ref $_ ? encode_json($_) : $_ } @_;
    my $r = run('batch', join("\n", @lines));

    return ($r, map { decode_json($_) } split(/\n/, $r->{out}));
}

# does the lines of $d/make, with the answers into a file or pipe
sub into {
    my ($out, $preload) = @_;

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', "$d/make" or POSIX::_exit(9);
        open STDOUT, '>&', $out or POSIX::_exit(9);
        open STDERR, '>', "$d/err" or POSIX::_exit(9);
        $ENV{LD_PRELOAD} = $preload if $preload ne '';
        exec($bin, 'batch') or POSIX::_exit(9);
    }

    close $out;
    waitpid($pid, 0);
    is($? >> 8, 1, 'answers that cannot be written');
}

sub opened {
    my ($path) = @_;

    open my $fh, '>', $path or die "$path: $!\n";
    return $fh;
}

# a file of a certificate of CN=x
sub certificate {
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
        . "-nodes -subj /CN=x -keyout $d/x.key -out $d/x.crt 2>$d/x.err") == 0
        or die content("$d/x.err");

    return "$d/x.crt";
}

# the number of the last transaction, in one of LMDB's two meta pages

sub written {
    my $pages = content("$store/data.mdb");
    my @n = map { unpack('Q<', substr($pages, $_ + 144, 8)) } 0, 4096;

    return $n[0] > $n[1] ? $n[0] : $n[1];
}

###############################################################################
