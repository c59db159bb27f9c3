#!/usr/bin/perl

# Tests for a neighbour in the workers' group, another user, who opens, writes,
# cuts and locks whatever he can of a store that nginx serves from: no worker
# is hurt, no writer is held up, and rekey is not refused for him.

###############################################################################

use warnings;
use strict;

use Test::More;

use Fcntl qw/ :DEFAULT :flock /;
use POSIX ();
use Time::HiRes qw/ time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf files /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);

plan(skip_all => 'another user is only for root to be') if $>;

$t->plan(22);

my $d = $t->testdir();
my ($uid, $gid) = (getpwnam('nobody'))[2, 3];
my $me = request('GET', '/file', basic('me', 'secret'));

# the workers are nobody's, the neighbour is in their group

my $globals = $t->test_globals() =~ s/\buser\s+\S+;//r;

store($t, realm => 'example', owner => 'nobody',
    args => [ '--map-size', '1m' ]);
account($t, 'add', 'me', { password => 'secret' });

$t->write_file('file', 'here');
chmod 0644, "$d/file";
conf($t, files() . <<'EOF_HTTP', globals => "$globals\nuser nobody nogroup;");
keepalive_requests 1000000;
dm_sec_lockout     off;
EOF_HTTP

$t->run();

my $kept = keepalive(8080);
my @workers = workers($t);

is(answers(), '200 200', 'let in');

my $alone = spent(disable => 403);
spent(enable => 200);

# what he can open, and what he can make

my ($neighbour, $can) = neighbour();

is($can, 'read data.mdb, read disabled', 'all that he can open');

ok(kill(0, $neighbour), 'he has it locked');
is(answers(), '200 200', 'locked: let in');

my $beside = spent(disable => 403);

is(answers(), '403 403', 'locked: disabled');
spent(enable => 200);
is(answers(), '200 200', 'locked: enabled');

like(account($t, 'list'), qr/^me /m, 'locked: list');
like(account($t, 'check'), qr/, 0 damages$/m, 'locked: check');
account($t, 'backup', "$d/backup");
like(account($t, 'restore', "$d/backup"), qr/^restored 1 /, 'locked: restore');
is(answers(), '200 200', 'locked: restored');

# he goes on in the store that was put in its place

end($neighbour);
($neighbour, $can) = neighbour();
is($can, 'read data.mdb, read disabled', 'restored: all that he can open');

like(account($t, 'rekey', '--prepare'), qr/^prepared /, 'rekey: prepare');
my $err = (dm_account($t, 'rekey'))[2];
is($err =~ /^dm-account: process(?:es)? (.*?) ha/
    ? join(' ', sort { $a <=> $b } split /, /, $1) : $err,
    join(' ', sort { $a <=> $b } @workers), 'rekey: refused for the workers');
ok(reload_wait($t), 'reload');
$kept = keepalive(8080);
like(account($t, 'rekey'), qr/^sealed 1 /, 'rekey');
like(account($t, 'rekey', '--finish'), qr/^finished/, 'rekey: finish');
is(answers(), '200 200', 'rekey: let in');

end($neighbour);

# a worker that was stopped does not stop anybody: what it costs is told

@workers = workers($t);
stand_still(@workers);
my $stopped = spent(disable => 403);
kill 'CONT', @workers;
$kept = keepalive(8080);
is(answers(), '403 403', 'stopped: disabled');
account($t, 'enable', 'me');
is(answers(), '200 200', 'stopped: enabled');
is(join(' ', workers($t)), "@workers", 'the same workers');

is(join('', log_lines($t, qr/\[crit\]/, 0)), '', 'nothing to say');

diag(sprintf 'a change: %.0f ms, with a neighbour %.0f ms, with stopped '
    . 'workers %.0f ms', map { 1000 * $_ } $alone, $beside, $stopped)
    if $ENV{TEST_NGINX_VERBOSE};

$t->stop();

is(join(' ', glob "$d/store/readers.*/*"), '', 'nobody is left');

undef $t;

###############################################################################

# how long the change took; it was made at all
sub spent {
    my ($verb) = @_;
    my ($start) = time();

    account($t, $verb, 'me');

    return time() - $start;
}

# on the open connection and on a new one
sub answers {
    my @status = map { status($_->request($me)) // 0 } $kept, keepalive(8080);

    $kept = keepalive(8080) unless $status[0];

    return "@status";
}

# (pid, what he could open, "write" before "read"): he locks that, and waits
sub neighbour {
    my ($pid, $in, $out, $can, $hold);

    pipe $in, $out or die "Can't make a pipe: $!\n";
    pipe my $wait, $hold or die "Can't make a pipe: $!\n";

    $pid = fork() // die "Can't fork: $!\n";

    if ($pid == 0) {
        close $in;
        close $hold;
        $) = "$gid $gid";
        POSIX::setgid($gid);
        POSIX::setuid(65533);
        $> == 65533 && $< == 65533 or POSIX::_exit(1);

        print {$out} join(', ', meddle("$d/store")), "\n";
        close $out;
        POSIX::pause();
        POSIX::_exit(0);
    }

    close $out;
    chomp($can = <$in> // '');

    return ($pid, $can);
}

sub end {
    my ($pid) = @_;

    kill 'KILL', $pid;
    waitpid $pid, 0;
}

# whatever he can do to what is below the directory
sub meddle {
    my ($dir) = @_;
    my (@can, @files);
    our @held;

    sysopen my $made, "$dir/mine", O_RDWR | O_CREAT and push @can, 'make one';

    @files = map { "$dir/$_" } qw/ data.mdb lock.mdb write.lock /;
    push @files, glob("$dir/*"), glob("$dir/readers.*/*");
    my %seen;

    foreach my $file (grep { !$seen{$_}++ } @files) {
        my ($name) = substr $file, 1 + length $dir;

        foreach ([ O_RDWR, 'write' ], [ O_RDONLY, 'read' ]) {
            my ($flags, $how) = @$_;

            sysopen my $fh, $file, $flags | O_NONBLOCK or next;

            next if -d $fh && !sysopen my $inside, "$file/mine",
                O_RDWR | O_CREAT;

            push @can, "$how $name";
            push @held, $fh;
            flock $fh, LOCK_EX | LOCK_NB;
            mark($fh);

            if ($how eq 'write') {
                syswrite $fh, "\xff" x 8192;
                truncate $fh, 4096;
            }

            last;
        }

        push @can, "remove $name" if unlink $file;
        push @can, "rename $name" if rename $file, "$file.his";
        push @can, "chmod $name" if chmod 0666, $file;
    }

    return @can;
}

# fcntl(): a read lock on all octets that a rekey looks at, and all others
sub mark {
    my ($fh) = @_;
    my ($lock) = pack 's s x4 q q l x4', F_RDLCK, 0, 0, 0, 0;

    fcntl $fh, F_SETLK, $lock;
}

###############################################################################
