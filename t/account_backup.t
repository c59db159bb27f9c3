#!/usr/bin/perl

# Tests for dm-account backup and restore, and for check of a damaged store.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use File::Copy qw/ copy /;
use JSON::PP;
use POSIX qw/ strftime /;

use lib 'lib';
use Test::DmAccount;

###############################################################################

my $bk = "$d/bk";
my ($r, $old);

# misuse

usage($_, 'a directory is needed', "$_: nothing") for qw/ backup restore /;
usage("$_ a b", 'too many arguments', "$_: two") for qw/ backup restore /;
refused("backup $bk", 'dm-account init', 'backup: no store');

done("init --realm dm\@example.org --owner $me --map-size 16m", '', 'init');

refused("restore $bk", "there is no backup at \"$bk\"", 'restore: no backup');

mkdir("$d/empty");
refused("restore $d/empty", 'is no account store', 'restore: no store');
is_deeply([glob("$d/empty/*")], [], 'nothing is made there');

###############################################################################

# backup

done('import -', '', 'accounts', join('', map { '{"id":"' . $_
    . '","password":"pw","groups":["in-the-backup"]}' . "\n" } 'a' .. 'm'));
done("add psk --psk-identity i --generate-psk", '', 'an account with a PSK');

if ($> == 0) {
    chown(0, (getpwnam('nobody'))[3], $store, "$store/data.mdb");
}

my @files = map { s/.*\///r } glob("$store/*");

chmod(02750, $store);

done("backup $bk", qr/^copied "\Q$store\E" to "\Q$bk\E"$/, 'backup');

is_deeply([map { owner("$bk/$_") } '.', @files],
    [map { owner("$store/$_") } '.', @files],
    'owners and modes are those of the store');
is_deeply([map { s/.*\///r } glob("$bk/*")], \@files, 'nothing else is in it');
is(@files, 5, 'data, two locks, the disabled and the readers');
cmp_ok(-s "$bk/data.mdb", '<', 1 << 18, 'it is compact');
is_deeply([glob("$bk.*")], [], 'nothing is left beside it');

my $all = run('export --secrets')->{out};
is(run("--store $bk export --secrets")->{out}, $all, 'the same accounts');
is(run("--store $bk check")->{out}, run('check')->{out}, 'check');

refused("backup $bk", "\"$bk\" exists", 'backup: there already');
refused("backup $bk/", "\"$bk\" exists", 'backup: there already, a slash');
refused("backup $store", 'exists', 'backup: onto the store');
refused("backup $d/no/dir", 'cannot be made', 'backup: no parent');
is(json("backup $d/bk2/", 'backup, json')->{backup}, "$d/bk2/",
    'backup, json: where');
ok(-f "$d/bk2/data.mdb", 'backup: a final slash');
is(run("--store $bk export --secrets")->{out}, $all, 'backup is as it was');

# restore

my $backup = sum("$bk/data.mdb");
my $inode = (stat("$store/data.mdb"))[1];

done('del a', '', 'del');
done('add later', '', 'add');
my $after = run('export --secrets')->{out};

$r = done("restore $bk", qr/^restored 14 accounts, realm "dm\@example.org", /,
    'restore');
($old) = $r->{out} =~ /^the store before is now "(.*)"$/m;
like($old, qr/^\Q$store\E\.\d{8}T\d{6}Z$/, 'name of the store before');

is(run('export --secrets')->{out}, $all, 'restored');
is(run("--store $old export --secrets")->{out}, $after, 'the store before');
is((stat("$old/data.mdb"))[1], $inode, 'it was renamed');
is(sum("$bk/data.mdb"), $backup, 'the backup is as it was');
is_deeply([map { owner("$store/$_") } '.', @files],
    [map { owner("$old/$_") } '.', @files],
    'owners and modes are as before');
like(run('check')->{out}, qr/^14 accounts, .* 0 damages$/m, 'check');
done('add again', '', 'it can be changed');
is(-s "$store/data.mdb", 1 << 24, 'its map is as large as before');

# where no store is, through a symbolic link, from a medium that is read only

rename($store, "$d/moved") or die "rename: $!\n";
chmod(0777, $bk);
$r = json("restore $bk --owner $me --keep 9", 'restore: where no store is');
is_deeply($r, { result => 'restored', accounts => 14,
    realm => 'dm@example.org', old => undef, removed => [] }, 'restore, json');
is(run('export --secrets')->{out}, $all, 'restored');
is_deeply([map { mode("$store$_") } '', qw{ /data.mdb /lock.mdb /write.lock },
    "/readers.$<"], [qw/ 0750 0640 0600 0600 2750 /], 'as init makes one');
chmod(0750, $bk);

symlink($store, "$d/link") or die "symlink: $!\n";
done('add change', '', 'a change');
$r = json("--store $d/link restore $bk", 'restore: a link');
like($r->{old}, qr/^\Q$store\E\.\d/, 'what it leads to is exchanged');
ok(-l "$d/link", 'the link is still there');
is(run("--store $d/link export --secrets")->{out}, $all, 'restored');

unlink("$bk/lock.mdb");
chmod(0550, $bk);
done("restore $bk", '', 'restore: no lock file');
ok(!-e "$bk/lock.mdb", 'none is made');
chmod(0750, $bk);

###############################################################################

# what is refused, and the store is as before

$inode = (stat("$store/data.mdb"))[1];
my $others = () = glob("$store.*");

refused("restore $store", 'is the store itself', 'restore: the store');
refused("restore $d/link", 'is the store itself', 'restore: the store, a link');

secret('wrong.key', 'k1 ' . '00' x 32 . "\n");
refused("--key $d/wrong.key restore $bk", 'another key of that id',
    'restore: another key');
refused("--store $d/empty restore $bk", 'name their user with --owner',
    'restore: what is there is no store');
refused("--store $d/no/store restore $bk", 'cannot be made',
    'restore: no parent');

for my $size (0, 4096, 8192, 20000, (-s "$bk/data.mdb") - 1) {
    damaged(sub { truncate($_[0], $size) });
    my $r = run("restore $d/damaged");
    like($r->{err}, qr/^dm-account: .*(?:damaged|no account store)/,
        "restore: cut to $size");
    is($r->{rc}, 1, 'so it is refused');
}

damaged(sub { patch($_[0], qr/in-the-backup/, 'In-the-backup') });
$r = run("restore $d/damaged");
is($r->{rc}, 1, 'restore: a record was changed');
like($r->{err}, qr/^dm-account: damage: .*"[a-m]": the record is damaged, was /,
    'which one');
like($r->{err}, qr/is damaged, and the store is left as it is$/, 'refused');

$r = run("--store $d/damaged check");
is($r->{rc}, 1, 'check: a record was changed');
like($r->{out}, qr/^damage: .*"[a-m]": the record is damaged, was changed by /,
    'check: which one');
like($r->{out}, qr/^14 accounts, 0 weaknesses, 1 damages$/m, 'check: sum');
like($r->{err}, qr/"\Q$d\E\/damaged" is damaged: restore a backup/,
    'check: what to do');

# an index: the name "c" leads to account "c"; then to account "d"

damaged(sub { patch($_[0], qr/(\x01\0\0\0\0\0\x01\0c)c/, sub { $1 . 'd' }) });
my @found = map { decode_json($_) }
    split(/\n/, run("--store $d/damaged --json check")->{out});
is($found[-1]{result}, 'damaged', 'check, json: result');
is($found[-1]{damaged}, 2, 'check, json: sum');
is_deeply([map { $_->{damage} // () } @found],
    ['account "c" cannot be found by its name "c": the index leads to '
    . 'another', 'the name index has an entry that leads to account "d", '
    . 'which does not hold it'], 'check: an index was changed');
is(run("restore $d/damaged")->{rc}, 1, 'restore: an index was changed');

# whatever octets there are, it says so and exits

my %status;

srand(1);

for my $n (1 .. 20) {
    damaged(sub { scramble($_[0]) });
    $r = run("--store $d/damaged check");
    $status{$r->{rc}}++;
    diag("$n: $r->{rc}: $r->{err}") unless $r->{rc} =~ /^[01]$/;
}

is_deeply([grep { $_ !~ /^[01]$/ } keys %status], [], 'no crash of check');
cmp_ok($status{1} // 0, '>', 10, 'check finds damage');

is((stat("$store/data.mdb"))[1], $inode, 'the store is in its place');
is(run('export --secrets')->{out}, $all, 'as it was');
is(scalar(() = glob("$store.*")), $others, 'nothing is left beside it');

###############################################################################

# how many of the stores before are kept, and which

usage("restore $bk --keep $_", '--keep: a number', "--keep $_")
    for qw/ -1 x 99999 /;
usage("restore $bk --user daemon", '--user needs --owner', '--user alone');

mkdir("$store.keep");
mkdir("$store.20200101T000000Z");
$r = json("restore $bk", 'restore: one is kept');
is_deeply([glob("$store.20*T*Z")], ["$store.20200101T000000Z", $r->{old}],
    'the newest, and what is no store');
ok(-d "$store.keep", 'and what has another name');
ok(@{ $r->{removed} } > 0, 'and it is said which are removed');
my $newest = $r->{old};

$r = json("restore $bk --keep 2", 'restore --keep 2');
is_deeply([glob("$store.20*T*Z")], ["$store.20200101T000000Z", $newest,
    $r->{old}], 'two are kept');
$r = json("restore $bk --keep 0", 'restore --keep 0');
is_deeply([glob("$store.20*T*Z")], ["$store.20200101T000000Z"], 'none is');
is($r->{old}, undef, 'and none is named');

# nothing is taken of a directory that holds anything but a store

system('cp', '-a', $store, "$store.20200102T000000Z");
put("$store.20200102T000000Z/notes", 'precious');
$r = run("restore $bk --keep 0");
is($r->{rc}, 0, 'restore beside one with something else in it');
like($r->{err}, qr/is not removed: "notes" in it is none of a store's files/,
    'and it is said');
is_deeply([map { s{.*/}{}r } glob("$store.20200102T000000Z/*")],
    [sort 'notes', map { s{.*/}{}r } glob("$store/*")], 'nothing is taken');
system('rm', '-rf', "$store.20200102T000000Z");

# its name is the time, and where that is another's, of the next that is not

my @names = map { strftime("$store.%Y%m%dT%H%M%SZ", gmtime(time + $_)) }
    0 .. 60;
mkdir($_) for @names;
$r = json("restore $bk", 'restore: names that are there');
ok($r->{old} gt $names[-1], 'it has the one behind them');
rmdir($_) for @names;
is(run('export --secrets')->{out}, $all, 'restored');

###############################################################################

# a store of an hour to come, as of a clock that went back, is not the newest

my $ahead = strftime("$store.%Y%m%dT%H%M%SZ", gmtime(time + 3600));
mkdir($ahead);
copy("$bk/data.mdb", "$ahead/data.mdb") or die "copy: $!\n";

$r = json("restore $bk", 'restore: a store that is named after it');
is_deeply([glob("$store.20*T*Z")], ["$store.20200101T000000Z", $r->{old}],
    'the one that was in force last is kept');
ok($r->{old} gt $ahead, 'and it is the last by its name');
ok((grep { $_ eq $ahead } @{ $r->{removed} }), 'the other is not');

###############################################################################

# writers while it is restored: none loses what it was told is done

my @pids;

for my $n (1 .. 4) {
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        open my $fh, '>', "$d/acknowledged.$n";

        for my $i (1 .. 15) {
            print $fh "n$n-$i\n"
                if system($bin, 'add', "n$n-$i") == 0;
        }

        close $fh;
        POSIX::_exit(0);
    }

    push @pids, $pid;
}

my @stores = ($store);

for (1 .. 2) {
    $r = json("restore $bk --keep 9", 'restore among writers');
    push @stores, $r->{old};
}

waitpid($_, 0) for @pids;

my %there;

for my $path (@stores) {
    $there{$_} = 1 for map { decode_json($_)->{id} }
        split(/\n/, run("--store $path list --json")->{out});
}

my @acknowledged = map { split(/\n/, content("$d/acknowledged.$_")) } 1 .. 4;
cmp_ok(@acknowledged, '>', 30, 'most are written');
is_deeply([grep { !$there{$_} } @acknowledged], [],
    'each is in a store, the new one or one before');

###############################################################################

done_testing();

###############################################################################

sub owner {
    my ($path) = @_;
    return [(stat($path))[4, 5], mode($path)];
}

# a copy of the backup, with what change() does to its file

sub damaged {
    my ($change) = @_;

    unlink(glob("$d/damaged/*"));
    mkdir("$d/damaged");
    copy("$bk/data.mdb", "$d/damaged/data.mdb") or die "copy: $!\n";
    $change->("$d/damaged/data.mdb");
}

sub patch {
    my ($path, $from, $to) = @_;
    my $octets = content($path);

    ref $to ? $octets =~ s/$from/$to->()/e : $octets =~ s/$from/$to/
        or die "nothing to patch\n";
    put($path, $octets);
}

# other octets somewhere, but not in LMDB's own first pages

sub scramble {
    my ($path) = @_;
    my $octets = content($path);

    substr($octets, 8192 + int(rand(length($octets) - 8192)), 1)
        ^= chr(1 + int(rand(255))) for 1 .. 200;
    put($path, $octets);
}

###############################################################################
