#!/usr/bin/perl

# Tests for dm-account upgrade with stores that the release before made, which
# t/data has: its accounts get in before it, meanwhile and behind it; a copy is
# made first; killed anywhere, it is run again, and the store is the same as if
# it had not been.  And stores of versions to come, which are refused.

###############################################################################

use warnings;
use strict;

use Test::More;

use Cwd qw/ abs_path /;
use Fcntl qw/ LOCK_EX LOCK_NB /;
use POSIX ();

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::OldStore qw/ old_data /;
use Test::DmSec::Preload qw/ halt preload /;
use Test::DmSec::Process qw/ run_command slurp wait_for /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http http_ssl socket_ssl /)
    ->has_daemon('openssl')->plan(143);

my $d = $t->testdir();
our $program = $ENV{TEST_DM_ACCOUNT} || abs_path('../build/dm-account');
my ($version) = (dm_account($t, '--version'))[1] =~ /^dm-account ([\d.]+)$/
    or die "no version\n";

ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'device', ca => 'ca', san => [ 'URI:urn:imei:490154203237542' ]);

$t->write_file('file', 'here');
conf($t, <<'EOF_HTTP');
ssl_certificate         rsa.crt;
ssl_certificate_key     rsa.key;
ssl_client_certificate  ca.crt;
ssl_verify_client       optional;

dm_sec_lockout  off;
dm_sec_profile  modern;
dm_sec_auth     basic digest psk x509;
dm_sec_x509_identity san;

server {
    listen       127.0.0.1:8443 ssl;
    server_name  localhost;

    root %%TESTDIR%%;
    try_files /file =404;
}

server {
    listen       127.0.0.1:8080;
    server_name  localhost;

    dm_sec_auth    off;
    dm_sec_profile off;

    location /status { dm_sec_status json; allow 127.0.0.1; deny all; }
}
EOF_HTTP

my @serve = ('--owner', Test::DmSec::worker_user($t));

###############################################################################

# a store of the release before, as it was restored

from('store-0.1.0');

my $before = secrets('store');

like((nginx_t($t))[1], words('[warn]', 'last written by dm-account of a'
    . ' version before', qq{and this is $version: run "dm-account upgrade"}),
    'nginx -t warns');

$t->run();
let_in('before');
is_deeply([ sort keys %{ status_json()->{store_states} } ], [],
    'before: nothing is counted');

my $would = account($t, 'upgrade', '--dry-run');

like($would, words('upgraded', 'from before', "to $version: counters version"
    . ' (not written: --dry-run)'), 'dry run');
is_deeply([ siblings() ], [], 'dry run: no copy');
is(json(qw/ upgrade --dry-run /)->{steps}[0], 'counters',
    'dry run: nothing is written');

my $done = json('upgrade');

is($done->{result}, 'upgraded', 'upgraded');
is($done->{from}, undef, 'from');
is($done->{to}, $version, 'to');
is_deeply($done->{steps}, [ qw/ counters version / ], 'steps');
is_deeply([ siblings() ], [ $done->{old} ], 'a copy');
is(secrets('store'), $before, 'the same accounts');
is(secrets($done->{old}), $before, 'the same in the copy');
is_deeply(json('check')->{damaged}, 0, 'whole');

let_in('behind');
is_deeply(status_json()->{store_states},
    { active => 4, disabled => 1, expired => 1 }, 'behind: counted');
is(status_json()->{store}{writer}, $version, 'behind: the writer');
unlike((nginx_t($t))[1], qr/last written/, 'behind: nginx -t is silent');

is(account($t, 'upgrade'), qq{"$d/store" is a store of $version: nothing is to}
    . " be done, and no copy was made\n", 'again');
is_deeply([ siblings() ], [ $done->{old} ], 'again: no other copy');

# back, as docs/upgrade.md has it

account($t, 'restore', $done->{old});
is(json(qw/ upgrade --dry-run /)->{from}, undef, 'restored: as it was');
let_in('restored');

$t->stop();

# counters that the release before has left behind

from('store-mixed');

is(account($t, 'upgrade', '--keep', 0) =~ s/^.*: //r, "counters version\n",
    'mixed: upgraded');
is_deeply([ siblings() ], [], 'mixed: --keep 0 makes no copy');
is_deeply(json('check')->{damaged}, 0, 'mixed: whole');
is(json(qw/ upgrade --dry-run /)->{result}, 'unchanged', 'mixed: again');

# a change is an upgrade too, and says in what the rest is

from('store-mixed');
account($t, 'del', 'IMEI:490154203237583');
is_deeply(json('check')->{damaged}, 0, 'mixed: changed');
is(json(qw/ upgrade --dry-run /)->{result}, 'unchanged', 'mixed: and upgraded');

# copies are kept as restore does

from('store-0.1.0');
account($t, 'backup', "$d/store.upgrade.2020010${_}T000000Z") foreach 1, 2;
account($t, 'backup', "$d/store.20200103T000000Z");
$done = json(qw/ upgrade --keep 2 /);
is_deeply([ siblings() ], [ "$d/store.upgrade.20200102T000000Z",
    $done->{old} ], '--keep');
is_deeply($done->{removed}, [ "$d/store.upgrade.20200101T000000Z" ],
    '--keep: removed');
ok(-d "$d/store.20200103T000000Z", '--keep: not what a restore has kept');

# --keep 0 makes no copy, and gives up none

from('store-0.1.0');
account($t, 'backup', "$d/$_.20200101T000000Z") foreach qw/ store
    store.upgrade /;
$done = json(qw/ upgrade --keep 0 /);
is_deeply([ $done->{old}, $done->{removed} ], [ undef, [] ], '--keep 0');
ok(-d "$d/$_.20200101T000000Z", "--keep 0: $_ is there") foreach qw/ store
    store.upgrade /;

# a restore does not give up the copy of an upgrade, either

from('store-0.1.0');
$done = json('upgrade');
account($t, 'backup', "$d/data-now");
account($t, 'restore', "$d/data-now", '--keep', 0);
is_deeply([ siblings() ], [ $done->{old} ], 'restore: the copy stays');
run_command([ 'rm', '-rf', "$d/data-now" ]);

# the command that is printed leads back, and is no undo if it is run twice

from('store-0.1.0');

my ($back) = account($t, 'upgrade') =~ /^to go back: (.+)$/m;

account($t, 'add', 'since', { password => 'secret' });

foreach my $time (qw/ once twice /) {
    is((run_command([ 'sh', '-c', $back =~ s/^dm-account/'$program'/r ]))[0],
        0, "back, $time");
    is(secrets('store'), $before, "back, $time: as it was");
}

mkdir "$d/it's a path" or die "Can't mkdir: $!\n";

{
    my @odd = ($program, '--store', "$d/it's a path/store", '--key',
        "$d/store.key");

    run_command([ @odd, 'restore', "$d/data", @serve ]);
    ($back) = (run_command([ @odd, 'upgrade' ]))[1] =~ /^to go back: (.+)$/m;
    is((run_command([ 'sh', '-c', $back =~ s/^dm-account/'$program'/r ]))[0],
        0, 'back: of a path with blanks and quotes');
}

(undef, undef, my $no) = dm_account($t, 'restore', '');
like($no, words('there is no backup at ""'), 'restore: no copy');
unlike($no, qr/init/, 'restore: no copy, and no other advice');

# what was killed while it copied is no copy: what is disabled may lack in it

system('cp', '-a', $done = json('upgrade')->{old}, "$d/part") == 0 or die;
unlink "$d/part/write.lock" or die "Can't unlink: $!\n";
(my $part, undef, my $part_said) = dm_account($t, 'restore', "$d/part");
is($part, 1, 'restore: a part of a copy');
like($part_said, words("\"$d/part\" is a part of a copy", 'was killed'),
    'restore: a part of a copy, said');

###############################################################################

# beside an import of an older dm-account: the copy has all that it brings, and
# who is disabled meanwhile; a second upgrade waits, and then has nothing to do

from('store-0.1.0');

my $import = import_waiting();
my @upgrade = map { started("upgrade$_", 'upgrade', '--json') } 1, 2;

wait_for(60, sub { 2 == grep { slurp("$d/upgrade$_.err") =~ /waiting for it/ }
    1, 2 }) or die "nobody waits\n";
account($t, 'disable', 'IMEI:490154203237542');
import_ends($import);
is(ended($_), 0, 'beside: done') foreach @upgrade;

my ($one, $two) = sort { $b->{result} cmp $a->{result} }
    map { JSON::PP::decode_json(slurp("$d/upgrade$_.out")) } 1, 2;

is_deeply([ $one->{result}, $two->{result}, $two->{old} ],
    [ 'upgraded', 'unchanged', undef ], 'beside: the second has nothing to do');
is_deeply([ siblings() ], [ $one->{old} ], 'beside: one copy');

my @after = map { secrets($_) } 'store', $one->{old};

like($after[0], qr/^\{"id":"imported-25000"/m, 'beside: what was imported');
like($after[0], qr/^\{"id":"IMEI:490154203237542",[^{]*"state":"disabled"/m,
    'beside: who was disabled');
is($after[1], $after[0], 'beside: and so has the copy');

# who is disabled between the copy and the change is disabled in both

from('store-0.1.0');

{
    local $ENV{LD_PRELOAD} = join ' ', copied(), $ENV{LD_PRELOAD} // ();

    @upgrade = started('upgrade', 'upgrade', '--json');
}

wait_for(60, sub { -e "$d/copied" }) or die "no copy\n";
account($t, 'disable', 'IMEI:490154203237542');
unlink "$d/copied" or die "Can't unlink: $!\n";
is(ended(@upgrade), 0, 'between: done');
@after = map { secrets($_) } 'store', siblings();
like($after[0], qr/^\{"id":"IMEI:490154203237542",[^{]*"state":"disabled"/m,
    'between: disabled');
is($after[1], $after[0], 'between: and in the copy');

###############################################################################

# killed, and run again: each step before and behind what makes it whole

my $kill = preload($t, 'kill', halting());

from('store-0.1.0');
account($t, 'upgrade');

my $whole = parts();

my @points = (
    [ 'store-0.1.0', 'mdb_env_copyfd2', 1, 'before' ],
    [ 'store-0.1.0', 'mdb_env_copyfd2', 1, 'behind' ],
    [ 'store-0.1.0', 'rename', 1, 'before' ],
    [ 'store-0.1.0', 'rename', 1, 'behind' ],
    [ 'store-0.1.0', 'mdb_put', 1, 'before' ],
    [ 'store-0.1.0', 'mdb_put', 9, 'before' ],
    [ 'store-0.1.0', 'mdb_txn_commit', 2, 'before' ],
    [ 'store-0.1.0', 'mdb_txn_commit', 2, 'behind' ],
    [ 'without', 'unlink', 1, 'behind' ],
    [ 'without', 'fchown', 1, 'before' ],
    [ 'without', 'fchown', 3, 'behind' ]
);

foreach my $point (@points) {
    my ($which, @when) = @$point;

    from('store-0.1.0');
    unlink "$d/store/write.lock" if $which eq 'without';

    killed(@when);

    is(secrets('store'), $before, "@when: killed, the same accounts")
        if $which ne 'without';
    is(json('upgrade', @serve)->{to}, $version, "@when: again");
    is(parts(), $whole, "@when: as if not killed");
    is(secrets('store'), $before, "@when: the same accounts");

    my @copies = siblings();

    is(@copies, 1, "@when: one copy");
    is(secrets($copies[0]), $before, "@when: of the same accounts");
}

###############################################################################

# no copy can be made: nothing is changed, and what to do is said

from('store-0.1.0');

{
    local $ENV{LD_PRELOAD} = join ' ', preload($t, 'full', <<'EOF_C'),
#include <errno.h>

int
mdb_env_copyfd2(void *env, int fd, unsigned flags)
{
    return ENOSPC;
}
EOF_C
        $ENV{LD_PRELOAD} // ();

    my ($code, $out, $said) = dm_account($t, 'upgrade');

    is($code, 1, 'no room: refused');
    like($said, words('No space left', 'the accounts are as they were',
        'dm-account backup DIR', 'upgrade --keep 0', 'it removes nothing'),
        'no room: said');
}

is_deeply([ siblings() ], [], 'no room: nothing is left');
is(json(qw/ upgrade --dry-run /)->{from}, undef, 'no room: as it was');

# where the version alone is another one, it alone is written

from('store-0.1.0');
is(called('0.0.9', 'upgrade'), 0, 'an older dm-account');
$done = json('upgrade');
is_deeply([ $done->{from}, @{ $done->{steps} } ], [ '0.0.9', 'version' ],
    'older: the version alone');
is(json('upgrade')->{from}, $version, 'older: it is written');

# what a newer version wrote, and a newer format

from('store-0.1.0');
is(called('9.9.9', 'upgrade'), 0, 'a newer dm-account');

my ($exit, undef, $err) = dm_account($t, 'upgrade');
is($exit, 1, 'newer: refused');
like($err, words("was last written by dm-account 9.9.9, and this is $version:"
    . ' install that version, or restore a backup'), 'newer: why');
like((nginx_t($t))[1], words('[warn]', 'written by dm-account 9.9.9, and this'
    . " is $version: install the module of that version"),
    'newer: nginx -t');
is((dm_account($t, 'list'))[0], 0, 'newer: it is read all the same');

# an older one may write, says so each time, and the mark stays

foreach my $verb ([ 'disable', 'off' ], [ 'del', 'IMEI:490154203237559' ]) {
    like((dm_account($t, @$verb))[2], words('dm-account 9.9.9 has written to'
        . " this store, and this is the older $version"), "newer: $verb->[0]");
}

is((dm_account($t, 'upgrade'))[0], 1, 'newer: refused as before');
like((nginx_t($t))[1], qr/last written by dm-account 9\.9\.9/,
    'newer: nginx -t warns as before');
is(status_of_newer('upgrade', '--json'), 'upgraded 9.9.9 counters',
    'newer: that one sees that an older one wrote');
is(status_of_newer('upgrade', '--json'), 'unchanged 9.9.9 ',
    'newer: and has done its work');

my $data = slurp("$d/store/data.mdb");
$data =~ s/meta\x01\0/meta\x03\0/g or die "no meta record\n";
put("$d/store/data.mdb", $data);

foreach my $verb ([ 'upgrade' ], [ 'list' ], [ 'add', 'x' ]) {
    ($exit, undef, $err) = dm_account($t, @$verb);
    is($exit, 1, "format: @$verb is refused");
    like($err, words('has format 3, this program reads only formats 1 and 2: a'
        . " newer version than $version wrote it; install that one"),
        "format: @$verb says why");
}

like((nginx_t($t))[1], qr/\[emerg\] .* has format 3, .*a newer version/,
    'format: nginx -t');

undef $t;

###############################################################################

# a store of t/data in the place of "store", and nothing beside it
sub from {
    my ($name) = @_;

    run_command([ 'rm', '-rf', glob("$d/store.*2*"), map { "$d/$_" }
        qw/ store store.key data / ]);
    old_data("$d/data", "$d/store.key", $name);
    account($t, 'restore', "$d/data", @serve);
}

# how each of its accounts fares, by each method
sub let_in {
    my ($when) = @_;
    my (%code);

    foreach my $name (qw/ basic digest off over /) {
        my $password = $name eq 'basic' ? 'secret of basic'
            : 'secret of digest';

        $code{$name} = status(https(8443, request('GET', '/',
            basic($name, $password))));

        my ($challenge) = grep { $_->{nonce} } challenges(
            https(8443, request('GET', '/')));

        $code{"$name, digest"} = status(https(8443, request('GET', '/',
            digest($challenge, user => $name, password => $password))));
    }

    $code{x509} = status(https(8443, request('GET', '/'),
        SSL_cert_file => "$d/device.crt", SSL_key_file => "$d/device.key"));
    $code{psk} = status(s_client(8443, '-tls1_2', '-psk_identity', 'psk-of-it',
        '-psk', '00112233445566778899aabbccddeeff', '-cipher', 'PSK',
        { request => "GET / HTTP/1.0\r\n\r\n" })->{response});

    is_deeply(\%code, { basic => 200, 'basic, digest' => 401, digest => 200,
        'digest, digest' => 200, off => 403, 'off, digest' => 403,
        over => 403, 'over, digest' => 403, x509 => 200, psk => 200 },
        "$when: who gets in");
}

# all that the store at the path has of its accounts
sub secrets {
    my ($store) = @_;
    my ($code, $out, $said) = run_command([ $program, '--store',
        $store =~ m{^/} ? $store : "$d/$store", '--key', "$d/store.key",
        'export', '--secrets' ]);

    return $code ? $said : $out;
}

sub json {
    my (@args) = @_;

    return JSON::PP::decode_json(account($t, @args, '--json'));
}

# each file with its owner and mode
sub parts {
    return join "\n", map { join ' ', s{.*/}{}r, (stat)[2, 4, 5] }
        grep { !m{/checked$} } sort glob "$d/store $d/store/*";
}

sub siblings {
    return grep { -d } sort glob "$d/store.upgrade.2*";
}

# an upgrade that is killed there, with all the processes that it has made
sub killed {
    my ($call, $n, $when) = @_;
    my ($pid) = fork() // die "fork: $!\n";

    if ($pid == 0) {
        setpgrp 0, 0;
        $ENV{LD_PRELOAD} = join ' ', $kill, $ENV{LD_PRELOAD} // ();
        $ENV{DM_HALT} = "$call $n $when";
        open STDERR, '>', "$d/killed" or POSIX::_exit(1);
        open STDOUT, '>&', \*STDERR or POSIX::_exit(1);
        exec $program, '--store', "$d/store", '--key', "$d/store.key",
            'upgrade' or POSIX::_exit(1);
    }

    wait_for(30, sub { -e "$d/halted" })
        or die "$call $n: not reached: " . slurp("$d/killed") . "\n";
    kill 'KILL', -$pid;
    waitpid $pid, 0;
    unlink "$d/halted";

    # a process that it has made, and which is nobody's to wait for, dies too
    wait_for(30, sub { !grep { is_locked($_) } siblings() })
        or die "$call $n: somebody is alive\n";
}

# the status of a dm-account that calls itself so
sub called {
    my ($as, @args) = @_;

    return (run_command([ program_of($as), '--store', "$d/store", '--key',
        "$d/store.key", @args ]))[0];
}

sub program_of {
    my ($as) = @_;
    my ($code) = slurp($program);

    $code =~ s/\b\Q$version\E\0/$as\0/g or die "no version in it\n";
    put("$d/dm-account-$as", $code);
    chmod 0755, "$d/dm-account-$as";

    return "$d/dm-account-$as";
}

# what an upgrade of the newer one did
sub status_of_newer {
    my ($r) = JSON::PP::decode_json((run_command([ "$d/dm-account-9.9.9",
        '--store', "$d/store", '--key', "$d/store.key", @_ ]))[1]);

    return join ' ', $r->{result}, $r->{from}, "@{ $r->{steps} }";
}

# a dm-account beside this one, its output in NAME.out and NAME.err
sub started {
    my ($name, @args) = @_;
    my ($pid) = fork() // die "fork: $!\n";

    return $pid if $pid;

    open STDOUT, '>', "$d/$name.out" or POSIX::_exit(1);
    open STDERR, '>', "$d/$name.err" or POSIX::_exit(1);
    exec $program, '--store', "$d/store", '--key', "$d/store.key", @args
        or POSIX::_exit(1);
}

sub ended {
    my ($pid) = @_;

    waitpid $pid, 0;

    return $?;
}

# an import that has the lock and halts until import_ends()
sub import_waiting {
    local $ENV{LD_PRELOAD} = join ' ', halt($t, 'import', 'read',
        'length(fd) > 1000000 && ++n > 4'), $ENV{LD_PRELOAD} // ();

    put("$d/imported", join '', map { sprintf qq({"id":"imported-%05d",)
        . qq("groups":["of-an-import"]}\n), $_ } 1 .. 25000);

    my $pid = do {
        local $program = program_of('0.0.9');

        started('import', 'import', "$d/imported");
    };

    wait_for(60, sub { -e "$d/import.halted" }) or die "no import\n";

    return $pid;
}

sub import_ends {
    my ($pid) = @_;

    unlink "$d/import.halted" or die "Can't unlink: $!\n";
    is(ended($pid), 0, 'beside: imported');
}

# a process that has sent the data of a copy halts before it hears on
sub copied {
    return preload($t, 'copied', <<"EOF_C");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int  copied;

int
mdb_env_copyfd2(void *env, int fd, unsigned flags)
{
    copied = 1;

    return ((int (*)(void *, int, unsigned)) dlsym(RTLD_NEXT,
        "mdb_env_copyfd2"))(env, fd, flags);
}

ssize_t
read(int fd, void *buf, size_t size)
{
    struct stat  sb;

    if (copied && fstat(fd, &sb) == 0 && S_ISSOCK(sb.st_mode)) {
        copied = 0;
        (void) close(open("$d/copied", O_WRONLY|O_CREAT, 0666));

        while (access("$d/copied", F_OK) == 0) {
            (void) usleep(1000);
        }
    }

    return syscall(SYS_read, fd, buf, size);
}
EOF_C
}

sub is_locked {
    my ($dir) = @_;

    open my $fh, '<', $dir or die "Can't open $dir: $!\n";

    return !flock $fh, LOCK_EX | LOCK_NB;
}

# the $n-th call of a function in a process halts, before it or behind it
sub halting {
    return <<"EOF_C" . join '', map { wrapper(split ' ', $_, 2) } split /\n/,
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
halt(const char *call, const char *when, int *n)
{
    int          at;
    char         name[32], where[32];
    const char  *env = getenv("DM_HALT");

    if (env == NULL || sscanf(env, "%31s %d %31s", name, &at, where) != 3
        || strcmp(call, name) != 0 || at != *n || strcmp(when, where) != 0)
    {
        return;
    }

    (void) close(open("$d/halted", O_WRONLY|O_CREAT, 0666));

    for ( ;; ) {
        (void) pause();
    }
}
EOF_C
        <<'EOF_CALLS';
mdb_env_copyfd2 void *env, int fd, unsigned flags
mdb_put void *txn, unsigned dbi, void *key, void *value, unsigned flags
mdb_txn_commit void *txn
rename const char *from, const char *to
unlink const char *path
fchown int fd, unsigned uid, unsigned gid
EOF_CALLS
}

sub wrapper {
    my ($name, $args) = @_;
    my ($names) = join ', ', map { /(\w+)$/ } split /, /, $args;

    return <<"EOF_C";

int
$name($args)
{
    int         rc;
    static int  n;

    n++;
    halt("$name", "before", &n);
    rc = ((int (*)($args)) dlsym(RTLD_NEXT, "$name"))($names);
    halt("$name", "behind", &n);

    return rc;
}
EOF_C
}

sub put {
    my ($path, $content) = @_;

    open my $fh, '>:raw', $path or die "Can't create $path: $!\n";
    print $fh $content;
    close $fh or die "Can't write $path: $!\n";
}

###############################################################################
