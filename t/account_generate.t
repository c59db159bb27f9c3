#!/usr/bin/perl

# Tests for dm-account import --generate-passwords: a password is in the file
# before it is in force, and nothing is left of what was not kept.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use JSON::PP;
use MIME::Base64;
use POSIX ();

use lib 'lib';
use Test::DmAccount;
use Test::DmSec::Preload qw/ preload /;
use Test::DmSec::Process qw/ heard wait_for /;

###############################################################################

my $hex = '0' x 32;
my $out = "$d/made";
my $generate = "--generate-passwords --output $out";

usage('import a --generate-passwords', '--generate-passwords and --output need '
    . 'each other', 'no output');
usage("import a --output $out", 'need each other', 'an output alone');
usage("import a --format $_ $generate", "--generate-passwords is not for $_, "
    . 'whose lines have secrets', $_) for qw/ htpasswd htdigest psk /;
usage("import a --keep-going $generate", '--generate-passwords and '
    . '--keep-going exclude each other', '--keep-going');

done("init --realm r --owner $me --map-size 1m", '', 'init');

###############################################################################

# each account that has no secret gets a password, those that have one keep it

put("$d/devices.jsonl", <<"EOF_JSON");
{"id":"IMEI:1"}
{"id":"IMEI:2","name":"\xc3\xa4","groups":["a"]}
{"id":"IMEI:3","password":"secret"}
{"id":"IMEI:4","psk":[{"identity":"i","key":"$hex"}]}
{"id":"IMEI:5","digest":{"MD5":"$hex"}}
{"id":"IMEI:6","crypt":"\$apr1\$salt\$zhL9MYqZGdxa3Y56Tc6CY0"}
{"id":"IMEI:7","cert_keys":["san:DNS:a.example"]}
EOF_JSON

umask(0);
done("import $d/devices.jsonl $generate",
    qr/: 7 added, 0 updated, 0 refused, 3 passwords in "\Q$out\E"$/,
    'lines of JSON');
umask(022);

my @made = made();
is_deeply([map { [@$_{qw/ id name /}] } @made], [['IMEI:1', '1'],
    ['IMEI:2', "\xe4"], ['IMEI:7', '7']], 'who got one');
is(mode($out), '0600', 'the file is closed to others');
is_deeply([left()], [], 'nothing is left beside it');
is(scalar(grep { $_->{password} =~ /^[A-Z2-7]{24}\z/ } @made), 3,
    'passwords as those of add');
is(scalar(keys %{{ map { $_->{password} => 1 } @made }}), 3, 'each another');
is(verify(@$_{qw/ id password /}), 0, "$_->{id}: it is in force") for @made;
is(verify('IMEI:3', 'secret'), 0, 'one that had another keeps it');
is(show('IMEI:4')->{digest}[0], undef, 'one with a PSK gets none');

# the file is what import reads

done("import --update $out", qr/: 0 added, 3 updated/, 'the file can be read');

# a file that is there is never written, whatever it is

my $before = run('export --secrets')->{out};
my $was = content($out);

symlink("$d/nowhere", "$d/link");
mkdir("$d/dir");

for (['a file', $out], ['a link to nothing', "$d/link"], ['a directory',
    "$d/dir"], ['the file that is read', "$d/devices.jsonl"])
{
    refused("import $d/devices.jsonl --update --generate-passwords --output "
        . $_->[1], 'there is a file', "the output is $_->[0]");
}

is(content($out), $was, 'it is as it was');
ok(!-e "$d/nowhere", 'the link led nowhere');
unlink($out, "$d/link");
rmdir("$d/dir");

refused("import $d/devices.jsonl --generate-passwords --output $d/no/made",
    "file \"$d/no/made\" cannot be made: there is no directory \"$d/no\"; make",
    'no directory');
refused(['import', "$d/devices.jsonl", '--generate-passwords', '--output',
    "$d/" . 'x' x 256], 'File name too long', 'too long a name');

# a slash behind a name changes nothing, and makes no file where there is none

symlink("$d/nowhere", "$d/link");
mkdir("$d/dir");

for (['a link to nothing', 'link/', 'there is a file'],
    ['a directory', 'dir//', 'there is a file'],
    ['nothing', 'nothing/', 'Is a directory'])
{
    my ($what, $path, $message) = @$_;
    refused("import $d/devices.jsonl --update --generate-passwords --output "
        . "$d/$path", $message, "the output is $what, and a slash");
}

ok(!-e "$d/nowhere" && !-e "$d/nothing", 'the slashes led nowhere');
unlink("$d/link");
rmdir("$d/dir");

# with --update, who has a secret keeps it

done("import $d/devices.jsonl --update $generate",
    qr/ 7 updated, 0 refused, 0 passwords /, 'with --update');
is(content($out), '', 'no password, an empty file');
unlink($out);

done('add none', 'added', 'one that has none');
done("import - --format csv --update $generate",
    qr/: 1 added, 2 updated, 0 refused, 2 /, 'CSV with --update',
    "groups,id\nx,none\nx,IMEI:1\nx,IMEI:8");
@made = made();
is(join(' ', map { $_->{id} } @made), 'none IMEI:8', 'who got one');
is(verify(@$_{qw/ id password /}), 0, "$_->{id}: it is in force") for @made;
is_deeply(show('none')->{groups}, ['x'], 'the rest of the line is in force');
unlink($out);

# PSKs, whose identity is the id: what provision --list needs

done("import - --generate-psks $generate", qr/, 4 with secrets in "\Q$out\E"$/,
    'PSKs and passwords', join("\n", '{"id":"urn:x:1","name":"u1"}',
    '{"id":"IMEI:P2","password":"x"}', '{"id":"IMEI:P3"}',
    "{\"id\":\"IMEI:P4\",\"psk\":[{\"identity\":\"j\",\"key\":\"$hex\"}]}",
    '{"id":"IMEI:P5","cert_keys":["san:DNS:b.example"]}'));
@made = made();
is(join(' ', map { join(',', sort keys %$_) } @made),
    'id,name,password,psk id,name,psk' . ' id,name,password,psk' x 2,
    'who got which');
is($_->{psk}[0]{identity}, $_->{id}, "$_->{id}: the identity") for @made;
is(scalar(grep { $_->{psk}[0]{key} =~ /^[0-9a-f]{64}\z/ } @made), 4, 'keys');
is(verify(@$_{qw/ id password /}), 0, "$_->{id}: the password is in force")
    for grep { defined $_->{password} } @made;

done("provision --list $out --output $d/mos", '4 accounts', 'provision');
is_deeply([map { [$_->{id}, unpack('H*', decode_base64(
    $_->{mo}[0]{MOData}{DMAcc}{Auth}{Trsp}{Secret}))] }
    map { decode_json($_) } split(/\n/, content("$d/mos"))],
    [map { [$_->{id}, $_->{psk}[0]{key}] } @made], 'what the devices get');
unlink($out);

done("import - --update --generate-psks --output $out", qr/, 0 with secrets/,
    'who has a PSK keeps it', '{"id":"IMEI:P4"}');
unlink($out);
$was = run("import - --generate-psks --output $out",
    '{"id":"' . 'i' x 200 . '"}');
like($was->{err}, qr/line 1: .*200 octets, at most 128/, 'too long an id');
ok(!-e $out, 'and no file');
usage('import a --generate-psks', '--generate-psks and --output need', 'no '
    . 'output');
usage("import a --generate-psks --output $out --format psk", '--generate-psks '
    . 'is not for psk', 'PSKs for PSKs');

# in JSON

$was = json("import /dev/null --json $generate", 'in JSON');
is($was->{generated}, 0, 'how many');
is($was->{output}, $out, 'where');
unlink($out);

# stdout gets nothing but the passwords, and only if all is kept

my $r = done('import - --generate-passwords --output -', '', 'to stdout',
    "{\"id\":\"IMEI:11\"}\n{\"id\":\"IMEI:12\"}\n");
@made = map { decode_json($_) } split(/\n/, $r->{out});
is(join(' ', map { $_->{id} } @made), 'IMEI:11 IMEI:12', 'to stdout: lines');
is(verify(@$_{qw/ id password /}), 0, "$_->{id}: it is in force") for @made;

$r = run('import - --generate-passwords --output -',
    "{\"id\":\"IMEI:13\"}\n{\"id\":\"IMEI:13\"}\n");
is($r->{rc} . $r->{out}, '1', 'to stdout: none of what is not kept');

SKIP: {

skip('no /dev/full', 2) unless -c '/dev/full';

$before = run('export --secrets')->{out};
$r = system("echo '{\"id\":\"IMEI:14\"}' | $bin import - "
    . "--generate-passwords --output - >/dev/full 2>$d/err");
like(content("$d/err"), qr/cannot write "-": No space left/, 'stdout is full');
is(run('export --secrets')->{out}, $before, 'nothing is kept');

}

# nor is a stdout that is closed a place for secrets

$before = run('export --secrets')->{out};
put("$d/closed", "{\"id\":\"IMEI:15\"}\n");

for my $made ('--generate-passwords', '--generate-psks') {
    is(system("$bin import $d/closed $made --output - >&- 2>$d/err") >> 8, 1,
        "$made: stdout is closed");
    like(content("$d/err"), qr/cannot write "-": Bad file desc.*; nothing is/,
        "$made: it is told");
    is(run('export --secrets')->{out}, $before, "$made: nothing is kept");
}

run('import -', "{\"id\":\"IMEI:16\",\"psk\":[{\"identity\":\"IMEI:16\","
    . "\"key\":\"$hex\"}]}");
put("$d/one", "IMEI:16\n");

for (['provision IMEI:16', 'to stdout'], ["provision --list $d/one --output -",
    '"-"'], ['export --secrets', 'to stdout'], ['add n --generate-password',
    'to stdout'], ['--version', 'to stdout'])
{
    my ($verb, $where) = @$_;
    is(system("$bin $verb >&- 2>$d/err") >> 8, 1, "$verb: stdout is closed");
    like(content("$d/err"), qr/ (?:write|be written) \Q$where\E: Bad file desc/,
        "$verb: it is told");
}

is(system("$bin import - <&- 2>$d/err") >> 8, 1, 'stdin is closed');
like(content("$d/err"), qr/cannot read "-": Bad file desc/, 'it is told');

###############################################################################

# what fails leaves nothing

$before = run('export --secrets')->{out};
run("backup $d/backup");
put("$d/good", join('', map { "{\"id\":\"good$_\"}\n" } 1 .. 300));

$r = run("import - $generate", "{\"id\":\"IMEI:21\"}\nx\n");
is($r->{rc}, 1, 'a bad line');
nothing('a bad line');

# Each call on the way fails, or the program is killed in it: the way is that
# the lines are on the disk, then get their name, then the directory is on the
# disk, then the store changes.

my $library = preload($d, 'calls', <<'EOF_C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* the process that dm-account has split off */
static pid_t
keeper(void)
{
    int    pid = 0;
    char   path[64];
    FILE  *in;

    sprintf(path, "/proc/self/task/%d/children", getpid());
    in = fopen(path, "r");
    fscanf(in, "%d", &pid);
    fclose(in);

    return pid;
}

/* another directory in the place of that of the file */
static void
swap(void)
{
    char  dir[4096], away[4096];

    strcpy(dir, getenv("HERE"));
    *strrchr(dir, '/') = '\0';
    sprintf(away, "%s.away", dir);

    rename(dir, away);
    mkdir(dir, 0700);
}

/* tells the way, and fails or kills there, as AT and WITH say */
static int
at(const char *call)
{
    FILE        *way;
    const char  *with;

    way = fopen(getenv("WAY"), "a");
    fprintf(way, "%s\n", call);
    fclose(way);

    if (strcmp(getenv("AT"), call) != 0) {
        return 0;
    }

    with = getenv("WITH");

    if (strcmp(with, "kill") == 0) {
        kill(getpid(), SIGKILL);
    }

    if (strcmp(with, "kill all") == 0) {
        kill(0, SIGKILL);
    }

    if (strcmp(with, "quit all") == 0) {
        kill(0, SIGQUIT);
    }

    if (strcmp(with, "kill keeper") == 0) {
        kill(keeper(), SIGKILL);
        return 0;
    }

    if (strcmp(with, "swap") == 0) {
        swap();
        return 0;
    }

    errno = atoi(with);

    return -1;
}

int
fsync(int fd)
{
    struct stat  sb;

    fstat(fd, &sb);

    if (at(S_ISDIR(sb.st_mode) ? "directory" : "file") == -1) {
        return -1;
    }

    return syscall(SYS_fsync, fd);
}

int
renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    if (at("name") == -1) {
        return -1;
    }

    return syscall(SYS_renameat2, from, old, to, new, flags);
}

int
linkat(int from, const char *old, int to, const char *new, int flags)
{
    if ((flags & AT_SYMLINK_FOLLOW) && at("name") == -1) {
        return -1;
    }

    return syscall(SYS_linkat, from, old, to, new, flags);
}

/* NAMED: of a file system where each file has a name */
int
openat(int dir, const char *name, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);

    if (getenv("NAMED") != NULL && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }

    return syscall(SYS_openat, dir, name, flags, mode);
}

int
mdb_txn_commit(void *txn)
{
    int (*next)(void *) = dlsym(RTLD_NEXT, "mdb_txn_commit");

    if (getenv("HERE") == NULL || access(getenv("HERE"), F_OK) != 0) {
        return next(txn);
    }

    return at("commit") == -1 ? errno : next(txn);
}
EOF_C

my ($status, $err, @way) = on_the_way('', '');
is("$status @way", '0 file name directory commit', 'the way');
is(scalar(made()), 300, 'all have got one');
is(verify(@$_{qw/ id password /}), 0, "$_->{id}: it is in force")
    for (made())[0, 299];
unlink($out);
run("restore $d/backup");

my $left = run('export --secrets')->{out};
is($left, $before, 'and all are gone');

# Such a file has no name before.  Where the file system cannot do without, as
# the library has it then, the process that has the names takes it away.

for my $named ('', 1) {
    local $ENV{NAMED} = 1 if $named;
    my $how = $named ? ', a file with a name' : '';

    ($status, $err, @way) = on_the_way('', '');
    is("$status @way", '0 file name directory commit', "the way$how");
    is_deeply([left()], [], "nothing is beside it$how");
    unlink($out);
    run("restore $d/backup");

    for (['file', POSIX::EIO, 'Input/output error'],
        ['name', POSIX::EACCES, 'Permission denied'],
        ['name', POSIX::EEXIST, 'File exists'],
        ['directory', POSIX::EIO, 'Input/output error'])
    {
        my ($at, $with, $message) = @$_;
        ($status, $err, @way) = on_the_way($at, $with);

        is($status, 1, "$at fails$how");
        is($err, "dm-account: cannot write \"$out\": $message; nothing is "
            . "imported\n", "$at fails$how: it is said");
        is($way[-1], $at, "$at fails$how: it is the end of the way");
        nothing("$at fails$how");
    }

    # of one that is killed

    for ('kill', 'quit all', $named ? () : 'kill all') {
        ($status) = on_the_way('file', $_);
        is($status, /kill/ ? 'killed' : 'quit', "$_$how: it ends");
        ok(wait_for(60, sub { !left() }), "$_$how: nothing is left");
        nothing("$_$how");
    }
}

{

# where a name cannot be given in one step it is given in two

local $ENV{NAMED} = 1;

($status, $err, @way) = on_the_way('name', POSIX::EINVAL);
is($status, 0, 'in two steps');
is(scalar(made()), 300, 'in two steps: all have got one');
is_deeply([left()], [], 'in two steps: nothing is left beside it');
unlink($out);
run("restore $d/backup");

}

# the process that gives it its name is gone, or the directory is another one

($status, $err) = on_the_way('file', 'kill keeper');
is($status, 1, 'no keeper');
like($err, qr/cannot write "\Q$out\E": Broken pipe; nothing is imp/,
    'no keeper: it is said');
nothing('no keeper');

my $usual = $out;
mkdir("$d/swapped");
$out = "$d/swapped/made";

($status, $err) = on_the_way('file', 'swap');
is($status, 1, 'another directory');
like($err, qr/cannot write "\Q$out\E": its directory is another one now; n/,
    'another directory: it is said');
nothing('another directory');
is_deeply([glob("$d/swapped*/*")], [], 'another directory: both are empty');

$out = $usual;

($status) = on_the_way('commit', 'kill');
is($status, 'killed', 'killed when the store is to change');
is(scalar(made()), 300, 'killed behind: all are in the file');
is(run('export --secrets')->{out}, $before, 'killed behind: none is in force');
is_deeply([left()], [], 'killed behind: nothing is left beside it');
unlink($out);

# a commit that says that it failed may have been made

($status, $err) = on_the_way('commit', POSIX::EIO);
is($status, 1, 'the store fails');
like($err, qr/: Input\/output error\n.*warning: "\Q$out\E" is kept: .* verify/s,
    'the store fails: it is said');
is(scalar(made()), 300, 'the store fails: no password is lost');
unlink($out);

###############################################################################

# syslog knows of it before a password leaves, and no more than how many

SKIP: {

skip('no mount namespace', 3)
    if $> != 0 || system('unshare -m true 2>/dev/null') != 0;

my $log = listen_log();

put("$d/two", "{\"id\":\"log1\"}\n{\"id\":\"log2\"}\n");
private("$bin import $d/two $generate");

my @messages = messages($log);
is(@messages, 2, 'syslog: two lines');
like($messages[0], qr/ verb=import id="-" .* generated=2$/, 'syslog: made');
like($messages[1], qr/ verb=import id="-" .* added=2 updated=0$/,
    'syslog: in force');

}

###############################################################################

done_testing();

###############################################################################

# what the file has

sub made {
    return map { decode_json($_) } split(/\n/, content($out));
}

# files that have part of its name

sub left {
    return grep { $_ ne $out } glob("$out*");
}

sub nothing {
    my ($name) = @_;

    is_deeply([glob("$out*")], [], "$name: there is no file");
    is(run('export --secrets')->{out}, $before, "$name: nothing has changed");
}

# imports with the library: the status, what was said, and the way

sub on_the_way {
    my ($at, $with) = @_;

    unlink("$d/way");

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        local $ENV{LD_PRELOAD} = join(' ', $library, $ENV{LD_PRELOAD} // ());
        local @ENV{qw/ WAY AT WITH HERE /} = ("$d/way", $at, $with, $out);

        open STDOUT, '>', '/dev/null';
        open STDERR, '>', "$d/way.err";
        setpgrp(0, 0);
        $SIG{QUIT} = 'DEFAULT';     # a shell ignores it in the background
        exec($bin, 'import', "$d/good", '--generate-passwords', '--output',
            $out) or POSIX::_exit(9);
    }

    waitpid($pid, 0);

    my $ended = $? & 127;

    return ($ended == 9 ? 'killed' : $ended == 3 ? 'quit' : $? >> 8,
        heard(content("$d/way.err")),
        split(/\n/, content("$d/way")));
}

###############################################################################
