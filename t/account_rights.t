#!/usr/bin/perl

# Tests for what root does over a store that is another user's: what this user
# puts there under the names of a store, or in the way to it, becomes neither
# his nor is it written.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::DmAccount;
use Test::DmSec::Preload qw/ preload /;
use Test::DmSec::Process qw/ wait_for /;

###############################################################################

plan(skip_all => 'not root') if $>;

my ($user, $workers, $third) = qw/ daemon www-data nobody /;

defined getpwnam($_) || plan(skip_all => "no user $_")
    for $user, $workers, $third;

my ($uid, $gid) = (getpwnam($user))[2, 3];
my ($wuid, $wgid) = (getpwnam($workers))[2, 3];
my $nuid = (getpwnam($third))[2];

# a directory of root's, and one of the store's user in the same file system

my $top = "$d/top";
my $home = "$d/home";
my $secret = "root's secret\n";
my $fix = "check --permissions --fix --owner $workers";
my $upgrade = "upgrade --owner $workers --keep 0";

$store = "$top/store";
$ENV{DM_SEC_STORE} = $store;
chmod(0755, $d);
mkdir($_) || die "mkdir: $!\n" for $top, $home;
chmod(0755, $top);
chown($uid, $gid, $home);

done("init --realm r --owner $workers --user $user --map-size 1m", 'created',
    'init');
done('import -', '1 added', 'import', qq({"id":"a"}\n));
is(run($fix)->{rc}, 0, 'as init made it');
system('cp', '-a', $store, "$d/made");

###############################################################################

# the store's user brings a file there that he cannot read

for my $whose (0, $nuid) {
    for my $what ('text', 'data.mdb', 'disabled') {
        for my $verb ($fix, $upgrade, "$fix --user $user") {
            for my $name ('data.mdb', 'disabled') {
                my $victim = bring($whose, $what, $name);
                my $why = ($verb =~ /^(\w+)/)[0] . ": $whose: $what as $name";
                my $r = run($verb);

                is($r->{rc}, 1, "$why: refused");
                like($r->{out} . $r->{err}, qr/look whose it is/, "$why: why");
                untouched($victim, $name, $why);
            }
        }
    }
}

# a lock file holds nothing: there is a new one

for my $whose (0, $nuid) {
    for my $verb ($fix, $upgrade) {
        for my $name ('write.lock', 'lock.mdb') {
            my $victim = bring($whose, 'text', $name);
            my $why = ($verb =~ /^(\w+)/)[0] . ": $whose: $name";

            is(run($verb)->{rc}, 0, "$why: mended");
            is((stat("$store/$name"))[4], $uid, "$why: it is the user's");
            isnt((stat("$store/$name"))[1], $victim->{ino}, "$why: and new");
            ok(content("$store/$name") ne $secret, "$why: and holds nothing");
            is_deeply([(stat($victim->{fh}))[4, 2]], [$whose, 0100600],
                "$why: the other one is as it was");
            done('list', '^a ', "$why: the store works");
        }
    }
}

# unless somebody has it locked

for my $name ('write.lock', 'lock.mdb') {
    my $victim = bring(0, 'text', $name);

    ok(flock($victim->{fh}, 2), "$name: locked");
    like(run($fix)->{err}, qr/has it locked/, "$name: refused");
    untouched($victim, $name, $name);
}

# and the place of the readers

restore();
system('rm', '-rf', "$store/readers.$wuid");
mkdir("$store/readers.$wuid", 0700);
is(run($fix)->{rc}, 0, 'root\'s directory, empty: mended');
is((stat("$store/readers.$wuid"))[4], $wuid, 'it is the readers\'');

restore();
system('rm', '-rf', "$store/readers.$wuid");
mkdir("$store/readers.$wuid", 0700);
put("$store/readers.$wuid/x", $secret);
like(run($fix)->{err}, qr/look whose it is/, 'root\'s directory: refused');
is((stat("$store/readers.$wuid"))[4], 0, 'and is root\'s still');

# what root has copied there itself is told how to be given

restore();
system('cp', "$d/made/data.mdb", "$store/new");
rename("$store/new", "$store/data.mdb");
my ($command) = run($fix)->{out} =~ /run "(chown -h [^"]+)"/;
is(system('sh', '-c', $command // 'false'), 0, 'root\'s copy: a command');
is(run($fix)->{rc}, 0, 'root\'s copy: mended by it');
done('list', '^a ', 'root\'s copy: the store works');

# a store where only root can change names holds what root has put there

restore();
system('chown', '-R', '0:0', $store);
is(run("$fix --user $user")->{rc}, 0, 'all of it root\'s: mended');
is((stat("$store/data.mdb"))[4], $uid, 'all of it root\'s: it is the user\'s');
done('list', '^a ', 'all of it root\'s: the store works');

# a file of the user's own that is none of a store

for my $name ('data.mdb', 'disabled') {
    restore();
    put("$d/own", "a text\n" x 10);
    chown($uid, $gid, "$d/own");
    chmod(0600, "$d/own");
    rename("$d/own", "$store/$name");
    like(run($fix)->{err}, qr/is not what a store has there, by what is in/,
        "a text as $name: refused");
    is(mode("$store/$name"), '0600', "a text as $name: not opened");
}

# nor is a short one that a writer finds there overwritten

restore();
put("$store/disabled", $secret);
run('add b');
is(content("$store/disabled"), $secret, 'a text as disabled: not overwritten');

# a restore makes a store as it was, and not as a file of another's is

for my $what ('link', 'file') {
    restore();
    rename("$store/data.mdb", "$store/was");

    if ($what eq 'link') {
        symlink('/dev/null', "$store/data.mdb");
        refused("restore $d/made", 'is not what a store has there',
            'restore: a link');
        next;
    }

    put("$home/victim", $secret);
    chmod(0666, "$home/victim");
    ok(as_user("rename '$home/victim', '$store/data.mdb'"), 'restore: a file');
    done("restore $d/made", 'restored', 'restore: of another');
    is_deeply([(stat("$store/data.mdb"))[4, 5], mode("$store/data.mdb")],
        [$uid, $wgid, '0640'], 'restore: it is the store\'s user\'s');
    done('list', '^a ', 'restore: the store works');
}

system('rm', '-rf', glob("$store.*"));

###############################################################################

# where its user can put another thing in the way to it

restore();

for my $mode (01777, 01775, 0777) {
    chmod($mode, $top);
    chown(0, $gid, $top);

    for my $verb ($fix, "$fix --user $user", $upgrade, "restore $d/made",
        "restore $d/made --owner $workers", "backup $top/backup",
        "--store $top/new init --realm r --share-key --owner $workers "
        . "--user $user")
    {
        like(run($verb)->{err}, qr/others than root can change .*"\Q$top/,
            sprintf('%04o: %s', $mode, $verb =~ s/\Q$d\E//gr));
    }

    ok(!-e "$top/new" && !-e "$top/backup", 'nothing is made');
}

chown(0, 0, $top);
chmod(0755, $top);

# further up, and behind a link

mkdir("$home/x");
rename($top, "$home/x/top");
symlink("$home/x/top", $top);

for my $verb ($fix, $upgrade, "restore $d/made", "backup $top/backup",
    "--store $top/new init --realm r --share-key --owner $workers "
    . "--user $user")
{
    like(run($verb)->{err}, qr/others than root can change names in "\Q$home/,
        'further up: ' . $verb =~ s/\Q$d\E//gr);
}

ok(!-e "$top/new" && !-e "$top/backup", 'further up: nothing is made');
unlink($top);
rename("$home/x/top", $top);

# a sticky one is no harm as long as all of it is root's

chmod(01777, $top);
system('chown', '-R', '0:0', $store);
chown($wuid, 0, "$store/readers.$wuid");
is(run($fix)->{rc}, 0, 'sticky: a store that is root\'s and stays so');
like(run("$fix --user $user")->{err}, qr/others than root/, 'but not for '
    . 'another');
chmod(0755, $top);

###############################################################################

# exchanged while root is at it: it halts before the first file that it gives

restore();
my $halt = preload($d, 'halting', halting());

chmod(01777, $top);
chmod(0644, "$store/data.mdb");
mkdir("$d/victim", 0700);
put("$d/victim/$_", $secret) for 'data.mdb', 'write.lock', 'keep';
my $was = listing("$d/victim");

my $pid = fork() // die "fork: $!\n";

if ($pid == 0) {
    $ENV{LD_PRELOAD} = $halt;
    open(STDOUT, '>', "$d/race.out");
    open(STDERR, '>', "$d/race.err");
    exec($bin, split(' ', $fix)) or POSIX::_exit(9);
}

wait_for(60, sub { -e "$d/halted" || waitpid($pid, 1) > 0 });
as_user("rename '$store', '$store.away' and symlink '$d/victim', '$store'");
unlink("$d/halted");
waitpid($pid, 0);

is(listing("$d/victim"), $was, 'exchanged meanwhile: nothing is given');

# in a directory of root's it halts there, and he can exchange files alone

unlink($store);
chmod(0755, $top);
restore();
chmod(0644, "$store/data.mdb");
put("$home/victim", $secret);
chmod(0600, "$home/victim");

$pid = fork() // die "fork: $!\n";

if ($pid == 0) {
    $ENV{LD_PRELOAD} = $halt;
    open(STDOUT, '>', "$d/race.out");
    open(STDERR, '>', "$d/race.err");
    exec($bin, split(' ', $fix)) or POSIX::_exit(9);
}

ok(wait_for(60, sub { -e "$d/halted" }), 'it halts');
ok(as_user("rename '$home/victim', '$store/data.mdb'"), 'a file is exchanged');
unlink("$d/halted");
waitpid($pid, 0);

is_deeply([(stat("$store/data.mdb"))[4], mode("$store/data.mdb")],
    [0, '0600'], 'a file exchanged meanwhile: not given');

done_testing();

###############################################################################

# the store as init made it
sub restore {
    system('rm', '-rf', $store);
    system('cp', '-a', "$d/made", $store);
}

# renames another's file into the store, as the store's user
sub bring {
    my ($whose, $what, $name) = @_;
    my $file = "$home/victim";

    restore();
    unlink($file);

    if ($what eq 'text') {
        put($file, $secret);

    } else {
        system('cp', '--sparse=always', "$d/made/$what", $file);
    }

    chown($whose, 0, $file);
    chmod(0600, $file);
    open(my $fh, '+<', $file) or die "$file: $!\n";

    ok(as_user("open(my \$f, '<', '$file') and exit 1; rename '$file', "
        . "'$store/$name'"), "$whose: $what: $name: he cannot read it");

    return { whose => $whose, fh => $fh, ino => (stat($fh))[1],
        content => content($file = "$store/$name") };
}

sub untouched {
    my ($victim, $name, $why) = @_;

    is_deeply([(stat("$store/$name"))[1, 4, 2], content("$store/$name")],
        [$victim->{ino}, $victim->{whose}, 0100600, $victim->{content}],
        "$why: as it was");
}

sub as_user {
    my ($code) = @_;

    return system('setpriv', "--reuid=$user", "--regid=$gid",
        '--clear-groups', $^X, '-e', "$code or exit 1") == 0;
}

sub listing {
    my ($dir) = @_;

    return join("\n", map { join(' ', $_, (stat)[1, 2, 4, 5]) } $dir,
        glob("$dir/*"));
}

# fchown() is called for a descriptor, which is open then: before that, open()
# or openat() of data.mdb halts
sub halting {
    return <<"EOF_C";
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static void
halt(const char *path)
{
    size_t      len = strlen(path);
    static int  halted;

    if (halted || len < 8 || strcmp(path + len - 8, "data.mdb") != 0) {
        return;
    }

    halted = 1;
    (void) close(open("$d/halted", O_WRONLY|O_CREAT, 0666));

    while (access("$d/halted", F_OK) == 0) {
        (void) usleep(1000);
    }
}

int
openat(int dir, const char *path, int flags, ...)
{
    va_list   args;
    unsigned  mode;

    va_start(args, flags);
    mode = va_arg(args, unsigned);
    va_end(args);
    halt(path);

    return ((int (*)(int, const char *, int, ...))
            dlsym(RTLD_NEXT, "openat"))(dir, path, flags, mode);
}

int
open(const char *path, int flags, ...)
{
    va_list   args;
    unsigned  mode;

    va_start(args, flags);
    mode = va_arg(args, unsigned);
    va_end(args);
    halt(path);

    return ((int (*)(const char *, int, ...))
            dlsym(RTLD_NEXT, "open"))(path, flags, mode);
}
EOF_C
}

###############################################################################
