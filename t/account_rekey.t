#!/usr/bin/perl

# Tests for dm-account rekey: its steps, in order and out of it, the key file,
# and what is left when it is killed.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use JSON::PP;

use lib 'lib';
use Test::DmAccount;
use Test::DmSec::Preload qw/ halt preload /;
use Test::DmSec::Process qw/ wait_for /;

###############################################################################

# misuse

usage('rekey --prepare --finish', '--prepare and --finish exclude each other',
    'two steps');
usage('rekey a', 'too many arguments', 'an argument');
refused("rekey $_", 'cannot be opened', "no key file: $_")
    for '', '--prepare', '--finish';

secret('store.key', 'k1 ' . '11' x 32 . "\n");
refused('rekey', 'dm-account init', 'no store');

done("init --share-key --realm r --owner $me --map-size 1m",
    'with the existing key',
    'init');

my $pw = secret('pw', "pw\n");
my $r = run('import -', join('', map { "{\"id\":\"a$_\",\"password\":\"pw\","
    . "\"psk\":[{\"identity\":\"i$_\",\"key\":\"" . '00' x 32 . "\"}]}\n" }
    1 .. 20));
done("set a7 --password-file $pw --slow-hash", '', 'slow hash');

my $all = content_of();

###############################################################################

# each step, and the others where they are not in order

refused('rekey', "key file \"$key\" has only key \"k1\": make the next with "
    . '"dm-account rekey --prepare"', 'not prepared');
done('rekey --finish', qr/^nothing to finish: key "k1" is the only one$/,
    'nothing to finish');
is_deeply([keys_of()], ['k1'], 'still the only one');

chmod(0400, $key);
done('rekey --prepare', qr/^prepared key "k2": reload nginx, then run /,
    'prepare');
is_deeply([keys_of()], ['k2', 'k1'], 'the new one is the first');
is((split(/\n/, content($key)))[1], 'k1 ' . '11' x 32, 'the old is as it was');
like(content($key), qr/^k2 [0-9A-F]{64}\n/, 'the new one is a key');
unlike(content($key), qr/^k2 (?:11)+\n/, 'and another');
is(mode($key), '0400', 'the mode stays');
chmod(0600, $key);

my $file = content($key);
done('rekey --prepare', qr/^prepared key "k2"/, 'prepare again');
is(content($key), $file, 'prepare again: the same');
refused('rekey --finish', 'the store is still sealed with key "k1": first run '
    . '"dm-account rekey"', 'finish before it is sealed');
is(content($key), $file, 'finish before it is sealed: nothing is lost');

# nothing is sealed with the new key yet

done('set a1 --group g', '', 'a change meanwhile');
is(content_of(old()), content_of(), 'who has only the old key reads all');
refused("--key @{[new()]} list", 'was sealed with key "k1", which is not in '
    . 'the key file', 'the new key alone opens nothing');

is_deeply(json('rekey', 'rekey'), { result => 'sealed', key => 'k2',
    accounts => 20, resealed => 20 }, 'rekey: all of them');
is(content($key), $file, 'rekey leaves the key file as it is');
refused("--key @{[old()]} list", 'was sealed with key "k2", which is not in '
    . 'the key file', 'the old key alone opens nothing any more');
is(content_of(new()), content_of(), 'who has only the new key reads all');
is_deeply(json('rekey', 'rekey again'), { result => 'sealed', key => 'k2',
    accounts => 20, resealed => 0 }, 'rekey again: nothing to do');
done('rekey', qr/^sealed 0 of 20 accounts with key "k2": now run "dm-account /,
    'rekey, text');

refused('rekey --prepare', "key file \"$key\" still has key \"k1\" beside "
    . '"k2": first end that rekey with "dm-account rekey --finish"',
    'prepare the next before this one is finished');
is(content($key), $file, 'prepare the next: nothing is lost');

done('add new --generate-password', '', 'an account meanwhile');
done('rekey --finish', qr/^finished, key "k2" is the only one: reload nginx$/m,
    'finish');
is(content($key), (split(/^/, $file))[0], 'the old key is gone');
is(mode($key), '0600', 'mode of the key file');
done('rekey --finish', qr/^nothing to finish: key "k2"/, 'finish again');
done('del new', '', 'delete it');

# nothing else has changed

done('set a1 --group g', '', 'the same change');
is(content_of(), $all =~ s/("id":"a1".*?"groups":\[)/$1"g"/r,
    'all accounts are as before');
is(verify("a$_", 'pw'), 0, "a$_: password") for 1, 7, 20;
like(run('check')->{out}, qr/, 0 damages$/, 'no damage');

# on and on

is(json('rekey --prepare', 'prepare, json')->{key}, 'k3', 'the next key');
is(json('rekey', 'rekey, json')->{resealed}, 20, 'the next key: sealed');
is(json('rekey --finish', 'finish, json')->{key}, 'k3',
    'the next key: finished');
is_deeply([keys_of()], ['k3'], 'the next key: the only one');

###############################################################################

# ids of keys

for (['k9', 'k10'], ['k099', 'k100'], ['prod', 'prod-2'], ['prod-2', 'prod-3'],
    ['2026', '2027'], ['a.b_c-', 'a.b_c--2'], ['a' x 16, 'a' x 14 . '-2'],
    ['a' x 15 . '9', 'a' x 14 . '10'], ['9' x 16, '9' x 7 . '100000000'])
{
    my ($id, $next) = @$_;

    local $ENV{DM_SEC_STORE} = "$d/store-$id";
    local $ENV{DM_SEC_STORE_KEY} = secret("$id.key", "$id " . '22' x 32);

    done("init --share-key --realm r --owner $me --map-size 1m", '',
        "init, $id");
    is(json('rekey --prepare', 'prepare')->{key}, $next, "$id: $next");
}

###############################################################################

# the key file: an owner of its own, a link, a place that cannot be written

SKIP: {

skip 'not root', 4 if $> != 0;

my ($uid, $gid) = (getpwnam('nobody'))[2, 3];

chown($uid, $gid, $key);
done('rekey --prepare', '', 'prepare');
is_deeply([(stat($key))[4, 5]], [$uid, $gid], 'the owner stays');
is(mode($key), '0600', 'the mode stays');
chown(0, 0, $key);

}

SKIP: {

skip 'prepared above', 1 if $> == 0;
done('rekey --prepare', '', 'prepare');

}

rename($key, "$d/real.key");
symlink("$d/real.key", $key);
put("$d/real.key.new", 'of one that was killed');

done('rekey', '', 'rekey');
done('rekey --finish', '', 'finish');
ok(-l $key, 'a link stays one');
is_deeply([keys_of()], ['k4'], 'what it leads to has changed');
ok(!-e "$d/real.key.new", 'nothing is left beside it');
ok(!-e "$key.new", 'nothing is left beside the link');

unlink($key);
rename("$d/real.key", $key);

SKIP: {

skip 'no mount namespace', 3
    if $> != 0 || system('unshare -m true 2>/dev/null') != 0;

# a disk that is full, but for what is there

put("$d/fill", 'x' x 8192);

my $out = private("mkdir $d/full; mount -t tmpfs -o size=8k none $d/full; "
    . "cp $key $d/full/key; cp $d/fill $d/full/fill; exec 2>&1; "
    . "$bin --key $d/full/key rekey --prepare; echo rc=\$?; "
    . "cmp $key $d/full/key && echo same; ls $d/full");

like($out, qr/^dm-account: cannot replace the key file .*: No space left/m,
    'full disk: message');
like($out, qr/^rc=1\nsame\nfill\nkey$/m, 'full disk: the old one is there');

my $log = listen_log();

private("$bin rekey --prepare; $bin rekey; $bin rekey --finish");

is_deeply([map { / verb=rekey id="-" store="\Q$store\E" (.*)$/ }
    messages($log)], ['prepared key=k5', 'key=k5', 'key=k5 resealed=20',
    'finished key=k5'], 'syslog');

}

###############################################################################

# a record that does not open: the old key is not given up for it

{
    local $ENV{DM_SEC_STORE} = "$d/damaged";
    local $ENV{DM_SEC_STORE_KEY} = secret('damaged.key', 'd1 ' . '33' x 32);

    done("init --share-key --realm r --owner $me --map-size 1m", '', 'init');
    done("add $_ --group ${_}-in-the-field", '', "add $_")
        for qw/ one two three /;
    patch("$d/damaged/data.mdb", 'two-in-the-field', 'two-in-the-fielD');

    done('rekey --prepare', '', 'damaged: prepare');
    $r = run('rekey');
    is($r->{rc}, 1, 'damaged: status');
    like($r->{err}, qr/^dm-account: store .*, account "two": the record is /m,
        'damaged: which one');
    like($r->{err}, qr/^dm-account: 1 accounts do not open, and are not /m,
        'damaged: said at the end');
    refused('rekey --finish', '1 accounts are not sealed with key "d2"',
        'damaged: not finished');

    is_deeply([@{json('--store ' . damaged_copy() . ' del two', 'a copy: del')}
        {qw/ result id /}], ['deleted', 'two'], 'damaged: can be deleted');
    like(run("--store $d/copy rekey")->{out}, qr/^sealed 0 of 2 accounts /,
        'damaged: and then it goes on');

    patch("$d/damaged/data.mdb", 'two-in-the-fielD', 'two-in-the-field');
    is(json('rekey', 'mended')->{resealed}, 1, 'mended: sealed');
    done('rekey --finish', '', 'mended: finished');
    is_deeply(ids('--group two-in-the-field'), ['two'], 'mended: as it was');
}

###############################################################################

# a process that does not know the new key, another that does

open my $fh, '>', "$d/many" or die "$d/many: $!\n";
printf $fh '{"id":"n%05d","digest":{"SHA-256":"%064d"}}' . "\n", $_, $_
    for 1 .. 30000;
close $fh;
done("import $d/many", ' 30000 added', 'many accounts');
my $pid = holder();

done('rekey --prepare', '', 'prepare');
my ($new) = keys_of();

refused('rekey', "process $pid has the store open and does not know key "
    . "\"$new\": reload nginx, and wait until its old processes are gone;"
    . ' end a dm-account that runs, such as a batch', 'an older process');
is(content_of(old()), content_of(), 'an older process: nothing has changed');

my @pids = ($pid, holder(old()));
my ($said) = run('rekey')->{err} =~ /^dm-account: processes (\d+, \d+) have /;
is_deeply([sort(split(/, /, $said // ''))], [sort(@pids)], 'two of them');
release($_) for @pids;

$pid = holder();
done('rekey', '', 'a younger process');
release($pid);
done('rekey --finish', '', 'finish');

###############################################################################

# killed in the middle, again and again

$all = content_of();
done('rekey --prepare', '', 'prepare');

my ($killed, $left) = (0, 30020);

for my $turns (5, 10, 15) {
    my $halt = halt($d, "halt$turns", 'flock',
        "operation == LOCK_EX && ++n > $turns");
    my $pid = do {
        local $ENV{LD_PRELOAD} = join ' ', $halt, $ENV{LD_PRELOAD} // ();
        background('rekey');
    };

    wait_for(60, sub { -e "$d/halt$turns.halted" })
        or die "it is not halted\n";

    # another writer has its turn, while it is at work

    my ($now) = run('rekey --finish')->{err}
        =~ /^dm-account: (\d+) accounts are not sealed with key "k\d+"/;

    kill('KILL', $pid);
    waitpid($pid, 0);

    last if !defined $now || $now >= $left;

    $killed++;
    $left = $now;
}

is($killed, 3, 'killed in the middle, three times');
cmp_ok($left, '<', 30020, 'each time it went on');
is(content_of(), $all, 'killed: all can be read');
like(run('check')->{out}, qr/, 0 damages$/, 'killed: no damage');
done('add between --generate-password', '', 'killed: a writer');
done('del between', '', 'killed: another');

$r = json('rekey', 'the rest');
is($r->{accounts}, 30020, 'the rest: all are looked at');
cmp_ok($r->{resealed}, '<=', $left, 'the rest: no more than what was left');
done('rekey --finish', '', 'finish');
is(content_of(), $all, 'as before');
is(scalar(keys_of()), 1, 'one key');

SKIP: {

skip 'no script', 1 if system('script --version >/dev/null 2>&1') != 0;

done('rekey --prepare', '', 'prepare');
like(slowly('rekey'),
    qr/\r\d+ %, \d+ accounts, \d+ accounts\/s\e\[K.*\r\e\[Ksealed 30020 of /s,
    'progress on a terminal');
done('rekey --finish', '', 'finish');

}

###############################################################################

done_testing();

###############################################################################

# all that there is of accounts, read with a key file

sub content_of {
    my ($file) = @_;
    return run(['--key', $file || $ENV{DM_SEC_STORE_KEY}, 'export',
        '--secrets'])->{out};
}

sub keys_of {
    return map { /^(\S+)/ } split(/\n/, content($key));
}

# key files with one of the two

sub new { return secret('new.key', (split(/^/, content($key)))[0]) }
sub old { return secret('old.key', (split(/^/, content($key)))[1]) }

sub patch {
    my ($path, $from, $to) = @_;
    my $data = content($path);

    open my $fh, '+<:raw', $path or die "$path: $!\n";

    while ($data =~ /\Q$from/g) {
        seek($fh, $-[0], 0);
        print $fh $to;
    }

    close $fh or die "$path: $!\n";
}

sub damaged_copy {
    system("cp -a $d/damaged $d/copy") == 0 or die "cp: $?\n";
    return "$d/copy";
}

sub background {
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec($bin, @_) or POSIX::_exit(9);
    }

    return $pid;
}

# what dm-account says on a terminal, of something that takes its time: on a
# fast machine too, it waits before each of its thirty turns

sub slowly {
    my ($verb) = @_;
    my $slow = preload($d, 'slow', <<'EOF_C');
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

int
flock(int fd, int operation)
{
    if (operation == LOCK_EX) {
        (void) usleep(20000);
    }

    return (int) syscall(SYS_flock, fd, operation);
}
EOF_C

    local $ENV{LD_PRELOAD} = join(' ', $slow, $ENV{LD_PRELOAD} // ());

    return scalar `script -qec '$bin $verb' /dev/null </dev/null`;
}

# dm-account export into a pipe that nobody reads from: it has the store open

my %held;

sub holder {
    my ($file) = @_;

    pipe(my $from, my $to) or die "pipe: $!\n";

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDOUT, '>&', $to;
        open STDERR, '>', "$d/said";
        exec($bin, '--key', $file || $key, 'export') or POSIX::_exit(9);
    }

    close $to;
    sysread($from, my $first, 1) or die "export does not write\n";
    $held{$pid} = $from;

    return $pid;
}

sub release {
    my ($pid) = @_;

    close $held{$pid};
    waitpid($pid, 0);
}

###############################################################################
