#!/usr/bin/perl

# Tests for dm-account: root works in a store as the store's own user.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::DmAccount;

###############################################################################

plan(skip_all => 'not root') if $>;

my ($owner, $workers, $neighbour) = qw/ daemon www-data nobody /;

defined getpwnam($_) || plan(skip_all => "no user $_")
    for $owner, $workers, $neighbour;

my ($uid, $gid) = (getpwnam($owner))[2, 3];
my ($wuid, $wgid) = (getpwnam($workers))[2, 3];

chmod(0755, $d);

# who can be the owner

refused("init --realm r --owner $workers --user $_", 'cannot own the store',
    "owner $_") for 'root', $workers;
refused("init --realm r --owner $workers --user nosuchuser",
    'there is no user "nosuchuser"', 'an owner that is not there');
chmod(0777, $d);
refused("init --realm r --owner $workers --user $owner",
    'others than root can change names', 'where others can change names');
chmod(0755, $d);
ok(!-e $key && !-e $store, 'nothing is made');

done("init --realm r --owner $workers --user $owner --map-size 1m", 'created',
    'init');

is_deeply([map { (stat("$store/$_"))[4] } '.', 'data.mdb', 'lock.mdb',
    'write.lock', "readers.$wuid"], [($uid) x 4, $wuid], 'who owns what');
is_deeply([map { (stat("$store/$_"))[5] } '.', 'data.mdb'], [$wgid, $wgid],
    'what is the group\'s');
is_deeply([(stat($key))[4], mode($key)], [0, '0600'], 'the key is root\'s');

###############################################################################

# all that reads and writes

my $pw = secret('password', "secret\n");
my $bk = "$d/backup";

done("add a --password-file $pw", 'added', 'add');
done('add b --psk-identity i --generate-psk', 'added', 'add');
done('set a --group g', 'set', 'set');
done("$_ a", $_, $_) for qw/ disable enable unlock /;
done('show a', 'id +a', 'show');
done('list', '^a ', 'list');
is(verify('a', 'secret'), 0, 'verify');
done('import -', '1 added', 'import', qq({"id":"c"}\n));
mkdir("$d/root", 0700);
done("import - --generate-passwords --output $d/root/made", '1 added', 'import '
    . 'with passwords', qq({"id":"d"}\n));
is_deeply([(stat("$d/root/made"))[4], mode("$d/root/made")], [0, '0600'],
    'the passwords are root\'s, where only root can write');
is(run("import - --generate-passwords --output $d/root/none",
    qq({"id":"d"}\n))->{rc}, 1, 'import that is refused');
is_deeply([glob("$d/root/*")], ["$d/root/made"], 'and leaves nothing there');
done("provision --list - --output $d/root/mos", '1 account', 'provision of a '
    . 'list', "b\n");
is_deeply([(stat("$d/root/mos"))[4], mode("$d/root/mos")], [0, '0600'],
    'it is root\'s too');
done('del d', 'deleted', 'del');
done('export', '"id":"a"', 'export');
done('export --secrets', '"crypt"', 'export --secrets');
done('provision b', 'Secret', 'provision');
done('check', ' 0 damages', 'check');
done("backup $bk", 'copied', 'backup');
is((stat("$bk/data.mdb"))[4], $uid, 'backup: it is the user\'s too');
done('del c', 'deleted', 'del');
done("restore $bk", 'restored 3 accounts, realm "r"', 'restore');
is_deeply([map { (stat("$store/$_"))[4] } '.', 'data.mdb', 'lock.mdb',
    'write.lock', "readers.$wuid"], [($uid) x 4, $wuid],
    'restore: who owns what');
is_deeply([map { (stat("$store/$_"))[5] } 'lock.mdb', 'write.lock'],
    [$gid, $gid], 'restore: the locks are of the store\'s group');
done('show c', 'id +c', 'restore: what was deleted is back');
done("--store $d/new restore $bk", 'restored', 'restore to nowhere');
done('rekey --prepare', 'prepared', 'rekey --prepare');
done('rekey', 'sealed 3 of 3', 'rekey');
done('rekey --finish', 'finished', 'rekey --finish');
like(content($key), qr/^k2 \S+\n\z/, 'rekey: the key file');
is_deeply([(stat($key))[4], mode($key)], [0, '0600'], 'which is root\'s');
is((stat((glob("$key.old-*"))[0]))[4], 0, 'and what is kept');
done('check', ' 0 damages', 'check at the end');

# what is refused is told once, with its reason

refused("backup $bk", 'exists', 'backup: it is there');
refused("restore $d/none", 'there is no backup at', 'restore: it is not');
chmod(0777, $d);
refused("backup $d/other", 'others than root can change names',
    'backup to where others can change names');
chmod(0700, $d);
refused('list', 'the directories above must let him through',
    'a store that its user cannot reach');
chmod(0755, $d);

system('cp', '-r', '-p', $bk, "$d/bad");
open(my $bad, '+<', "$d/bad/data.mdb") or die "$d/bad: $!\n";
seek($bad, 2 * 4096, 0);
print $bad "\xff" x (4096 * 4);
close($bad);

my $r = run("restore $d/bad");
is($r->{rc}, 1, 'restore of what is damaged');
isnt($r->{err}, '', 'it is said');
is_deeply([grep { -d && !-d "$_/readers.$wuid" } glob("$store.*")], [],
    'nothing half is left');
done('list', '^a ', 'the store is as it was');

###############################################################################

# another process looks at the one that has the store open

my @seen = status_of("import", 'id', sub {
    my ($pid) = @_;

    return map { content("/proc/$pid/status") =~ /^$_:[ \t]*(.*)$/m ? $1 : '' }
        qw/ Uid Gid Groups CapPrm CapEff CapInh NoNewPrivs /;
});

is($seen[0], join("\t", ($uid) x 4), 'real, effective, saved user');
is($seen[1], join("\t", ($gid) x 4), 'real, effective, saved group');
is($seen[2] =~ s/\s+\z//r, $wgid, 'other groups: the workers\'');
is("@seen[3 .. 5]", join(' ', ('0' x 16) x 3), 'no capability');
is($seen[6], 1, 'and no way to get one');

# the neighbour in the workers' group

for my $file ('lock.mdb', 'write.lock', "readers.$wuid/x") {
    for my $mode ('<', '+<', '>') {
        ok(!as_neighbour("open my \$f, '$mode', '$store/$file' or exit 1"),
            "the neighbour: $mode $file");
    }
}

ok(as_neighbour("open my \$f, '<', '$store/data.mdb' or exit 1"),
    'the neighbour reads the data');
ok(!as_neighbour("open my \$f, '+<', '$store/data.mdb' or exit 1"),
    'and does not write it');
ok(!as_neighbour("rename '$store/lock.mdb', '$store/x' or exit 1"),
    'nor move anything');

###############################################################################

# what the store's user puts in the way of root

my $victim = "$d/victim";
put($victim, 'precious');
chmod(0600, $victim);

rename("$store/write.lock", "$store/was");
symlink($victim, "$store/write.lock");
run($_) for "restore $bk", 'add x', 'rekey --prepare', "backup $d/b2";
unlink("$store/write.lock");
rename("$store/was", "$store/write.lock");

is(content($victim), 'precious', 'a link in the store: not written');
is_deeply([(stat($victim))[4], mode($victim)], [0, '0600'],
    'a link in the store: whose it is');

# a directory of root's that he gives the name of one of slots: nothing in it is
# removed with a store

my $slot = 'ab' x 12;

done("backup $d/b3", '', 'a backup');

mkdir("$store/readers.9", 0755);
put("$store/readers.9/$_", 'precious') for 'letter', $slot;
$r = run("restore $d/b3 --keep 0");
like($r->{err}, qr/"readers.9" in it is no directory of user id 9 or of the/,
    'root\'s directory: the store before stays');
my ($before) = glob("$store.2*");
is_deeply([map { content("$before/readers.9/$_") } 'letter', $slot],
    [('precious') x 2], 'and all that is in it');
ok(-e "$before/data.mdb", 'the store before is whole');
rename("$before/readers.9", "$d/readers.9");
is(run("restore $d/b3 --keep 0")->{err}, '', 'it is gone: removed');
is_deeply([glob("$store.2*")], [], 'and nothing stays');

# and what is no slot, in the right one

put("$store/readers.$wuid/$_", 'precious') for 'letter', $slot;
like(run("restore $d/b3 --keep 0")->{err}, qr/cannot be removed as a whole/,
    'a letter among slots: it is said');
($before) = glob("$store.2*");
is(content("$before/readers.$wuid/letter"), 'precious', 'and it stays');
ok(!-e "$before/readers.$wuid/$slot", 'and the slot does not');
system('rm', '-rf', $before);

# a store of root's, from before, is handed over

done("--store $d/old --key $d/old.key init --realm r --owner $workers "
    . '--map-size 1m', 'created', 'a store of root');
$r = run("--store $d/old --key $d/old.key add a");
is($r->{rc}, 0, 'it works');
done("--store $d/old --key $d/old.key upgrade --owner $workers "
    . "--user $owner", 'upgraded', 'it is handed over');
is_deeply([map { (stat("$d/old/$_"))[4] } '.', 'data.mdb', 'lock.mdb',
    'write.lock', "readers.$wuid"], [($uid) x 4, $wuid], 'who owns what');
done("--store $d/old --key $d/old.key set a --group g", 'set', 'it works');

done_testing();

###############################################################################

# what fn finds of an import that has the store open, and waits for a turn that
# another process holds

sub status_of {
    my ($verb, $what, $fn) = @_;
    my ($pid, @found);

    open(my $lock, '+<', "$store/write.lock") or die "write.lock: $!\n";
    flock($lock, 2) or die "flock: $!\n";

    put("$d/line", qq({"id":"waits"}\n));

    $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open(STDOUT, '>', "$d/waits");
        open(STDERR, '>', "$d/waits.err");
        exec($bin, $verb, "$d/line") or POSIX::_exit(9);
    }

    for (1 .. 600) {
        last if (readlink("/proc/$pid/exe") // '') eq $bin
            && grep { (readlink($_) // '') eq "$store/write.lock" }
                glob("/proc/$pid/fd/*");
        # pause: until it waits for its turn
        select(undef, undef, undef, 0.05);
    }

    @found = $fn->($pid);

    flock($lock, 8);
    close($lock);
    waitpid($pid, 0);

    is($?, 0, "$verb: done when it has its turn");

    return @found;
}

sub as_neighbour {
    my ($code) = @_;

    return system('setpriv', "--reuid=$neighbour", "--regid=$wgid",
        '--clear-groups', $^X, '-e', $code) == 0;
}

###############################################################################
