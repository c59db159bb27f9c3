#!/usr/bin/perl

# Tests for dm-account restore where it is needed: onto what is left of a store
# that was lost in part, beside writers, other restores and one that was killed.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use Fcntl qw/ :flock /;
use POSIX ();

use lib 'lib';
use Test::DmAccount;
use Test::DmSec::Preload qw/ preload /;
use Test::DmSec::Process qw/ wait_for /;

###############################################################################

my $bk = "$d/bk";
my $r;

done("init --realm r --owner $me --map-size 1m", '', 'init');
done('import -', '', 'accounts', "{\"id\":\"a\"}\n{\"id\":\"b\"}\n");
done("backup $bk", '', 'backup');

# what is left of a store: each of these is restored onto

foreach my $lost ([ 'data.mdb' ], [ 'write.lock' ], [ 'lock.mdb' ],
    [ 'disabled' ], [ qw/ data.mdb write.lock lock.mdb disabled / ])
{
    foreach my $owner ('', " --owner $me") {
        my $name = "lost: @$lost$owner";

        fresh();
        unlink("$store/$_") for @$lost;
        done("restore $bk$owner --dry-run", 'would have restored|restored 2',
            "$name, --dry-run");
        done("restore $bk$owner", 'restored 2', $name);
        whole($name);
    }
}

# whose workers read it is not known: nobody shall find out by refusals

fresh();
system('rm', '-rf', "$store/readers.$<");
refused("restore $bk", 'name their user with --owner', 'lost: readers.UID');
refused("restore $bk --dry-run", 'name their user with --owner',
    'lost: readers.UID, --dry-run');
done("restore $bk --owner $me", 'restored 2', 'lost: readers.UID, --owner');
whole('lost: readers.UID, --owner');

fresh();
system('rm', '-rf', $store);
mkdir($store);
refused("restore $bk", 'name their user with --owner', 'an empty directory');
done("restore $bk --owner $me", 'restored 2', 'an empty directory, --owner');
whole('an empty directory, --owner');

# a link that leads nowhere, and the directory that it lacks

fresh();
rename($store, "$d/real") or die "rename: $!\n";
symlink("$d/gone", $store) or die "symlink: $!\n";
refused("restore $bk --owner $me", 'is a symbolic link that leads to nothing',
    'a dangling link');
refused("--store $store/ restore $bk --owner $me", 'leads to nothing',
    'a dangling link, a slash');
mkdir("$d/gone");
done("restore $bk --owner $me", 'restored 2', 'a link to an empty directory');
ok(-l $store, 'it is a link still');
whole('a link to an empty directory');
unlink($store);
system('rm', '-rf', "$d/gone", "$d/real");

refused("--store $d/no/store restore $bk --owner $me", "make that, or name"
    . ' another', 'a directory that is missing');

# what is not a store's is neither replaced nor locked

foreach my $put ([ 'write.lock', 'link' ], [ 'write.lock', 'fifo' ],
    [ 'write.lock', 'directory' ], [ 'data.mdb', 'link' ])
{
    my ($file, $what) = @$put;

    fresh();
    unlink("$store/$file");
    $what eq 'link' ? symlink("$d/elsewhere", "$store/$file")
        : $what eq 'fifo' ? POSIX::mkfifo("$store/$file", 0600)
        : mkdir("$store/$file");
    refused("restore $bk", 'look what it is', "$file is a $what");
    ok(!-e "$d/elsewhere", "$file is a $what: nothing is made");
    beside("$file is a $what");
    $what eq 'directory' ? rmdir("$store/$file") : unlink("$store/$file");
}

fresh();
mkdir("$d/home");
put("$d/home/letter", 'precious');
refused("--store $d/home restore $bk --owner $me", '"letter" in it is none of'
    . ' a store', 'a directory of other things');
is(content("$d/home/letter"), 'precious', 'and it stays');
put("$d/text", 'text');
refused("--store $d/text restore $bk --owner $me", 'is no directory',
    'a file');

SKIP: {

skip('no mount namespace', 2)
    if $> != 0 || system('unshare -m true 2>/dev/null') != 0;

mkdir("$d/mounted");
my $said = `unshare -m sh -c 'mount -t tmpfs none $d/mounted &&
    $bin --store $d/mounted restore $bk --owner $me' 2>&1`;

like($said, qr/"\Q$d\E\/mounted" is a mount point.*--store/, 'a mount point');
is_deeply([glob("$d/mounted.*")], [], 'a mount point: nothing is left');

}

###############################################################################

# a writer is waited for, and it is said for whom

fresh();
my $pid = lock_store();

my ($restore, $err) = start("restore $bk");
ok(wait_for(60, sub { content($err) =~ /writes to store/ }), 'a wait is told');
like(content($err),
    qr/^dm-account: warning: process $pid writes to store "\Q$store\E", /m,
    'for whom it waits');
is_deeply([grep { /T\d{6}Z$/ } glob("$store.2*")], [],
    'the copy is none of the stores before');

# killed while it waits, it leaves nothing that counts

kill('KILL', $restore);
waitpid($restore, 0);
unlock_store($pid);

done("restore $bk", 'restored 2', 'after one that was killed');
is(scalar(() = glob("$store.2*")), 1, 'what that left is swept');
my ($old) = glob("$store.2*");
done("--store $old show a", '', 'and the one before is kept');

# one that fails leaves nothing either, and the store is as it was

fresh();
my $fails = preload($d, 'fails', <<'EOF_C');
#include <errno.h>
int
renameat2(int from, const char *a, int to, const char *b, unsigned flags)
{
    (void) from; (void) a; (void) to; (void) b; (void) flags;
    errno = EBUSY;
    return -1;
}
EOF_C

my $inode = (stat("$store/data.mdb"))[1];
($restore, $err) = start("restore $bk", $fails);
waitpid($restore, 0);
is($? >> 8, 1, 'an exchange that fails');
like(content($err), qr/cannot be exchanged/, 'it is said');
is((stat("$store/data.mdb"))[1], $inode, 'the store is in its place');
beside('an exchange that fails');

# one that has just begun is not taken for one that was killed

fresh();
my $begins = preload($d, 'begins', "#define D \"$d\"\n" . <<'EOF_C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>
char *
mkdtemp(char *name)
{
    char  *made;
    made = ((char *(*)(char *)) dlsym(RTLD_NEXT, "mkdtemp"))(name);
    (void) close(open(D "/begun", O_CREAT|O_WRONLY, 0600));
    while (access(D "/go", F_OK) == -1) {
        (void) usleep(1000);
    }
    return made;
}
EOF_C

($restore, $err) = start("restore $bk --keep 9", $begins);
wait_for(60, sub { -e "$d/begun" }) or die "does not begin\n";
done("restore $bk --keep 9", 'restored 2', 'another meanwhile');
put("$d/go", '');
waitpid($restore, 0);
is($? >> 8, 0, 'one that has just begun') or diag(content($err));
is(scalar(() = glob("$store.2*")), 2, 'and both have kept one');

# several at once: each has its turn

fresh();
$pid = lock_store();

my @restores = map { [ start("restore $bk --keep 9") ] } 1 .. 3;

wait_for(60, sub { content($_->[1]) =~ /writes to store/ })
    or die "does not wait: " . content($_->[1]) . "\n" for @restores;
unlock_store($pid);

foreach my $n (1 .. 3) {
    my ($pid, $err) = @{$restores[$n - 1]};

    waitpid($pid, 0);
    is($? >> 8, 0, "three at once: $n") or diag(content($err));
}

is(scalar(() = glob("$store.2*")), 3, 'three at once: each has kept one');
whole('three at once');

###############################################################################

done_testing();

###############################################################################

# a store that is whole, and nothing beside it

sub fresh {
    system('rm', '-rf', $store, glob("$store.2*"));
    my $r = run("restore $bk --owner $me");
    $r->{rc} eq '0' or die $r->{err};
}

sub whole {
    my ($name) = @_;

    done('set a --group g', '', "$name: it can be written");
    is((run('check --permissions'))->{rc}, 0, "$name: rights");
    ok(-d "$store/readers.$<", "$name: workers can open it");
}

sub beside {
    my ($name) = @_;

    is_deeply([glob("$store.2*")], [], "$name: nothing is left beside it");
}

# a process that holds the lock of the writers, and ends with the test
sub lock_store {
    pipe(my $ready, my $tell) or die "pipe: $!\n";
    pipe(my $end, our $held) or die "pipe: $!\n";
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open my $fh, '+<', "$store/write.lock" or POSIX::_exit(1);
        flock($fh, LOCK_EX) or POSIX::_exit(1);
        syswrite $tell, '1';
        close $held;
        sysread($end, my $octet, 1);
        POSIX::_exit(0);
    }

    close $tell;
    sysread($ready, my $octet, 1) or die "no lock\n";

    return $pid;
}

sub unlock_store {
    my ($pid) = @_;

    kill('KILL', $pid);
    waitpid($pid, 0);
}

# dm-account in a process of its own, and the file of what it says
sub start {
    my ($args, $preload) = @_;
    our $n;
    my $err = "$d/said." . ++$n;
    put($err, '');
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null' or POSIX::_exit(9);
        open STDERR, '>', $err or POSIX::_exit(9);
        $ENV{LD_PRELOAD} = $preload if $preload;
        exec($bin, split(' ', $args)) or POSIX::_exit(9);
    }

    return ($pid, $err);
}

###############################################################################
