#!/usr/bin/perl

# Tests for a store that is served: nothing of dm-account takes it away from
# workers that have it open, and what "nginx -t" advises does not either.

###############################################################################

use warnings;
use strict;

use Test::More;

use File::Spec ();

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec
    qw/ basic keepalive nginx_t request run_command status wait_for workers /;
use Test::DmSec::Conf qw/ conf files /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'not root') if $>;

my ($uid, $gid) = (getpwnam('www-data'))[2, 3];
my $other = getpwnam('nobody');
my $daemon = getgrnam('daemon');

plan(skip_all => 'no user www-data or nobody, or no group daemon')
    unless $uid && $other && $daemon;

my $t = Test::Nginx->new()->has(qw/ http /);

my $d = $t->testdir();
my $program = File::Spec->rel2abs($ENV{TEST_DM_ACCOUNT}
    || '../build/dm-account');
my $store = "$d/store";
my $globals = $t->test_globals() =~ s/\buser root;//r;

$t->plan(24);
$t->write_file('file', 'here');
chmod 0755, $d;

run_ok('init', '--realm', 'example', '--owner', 'www-data', '--map-size',
    '1m');
run_ok('add', 'me', '--password-file', '-', \"secret\n");
run_ok('backup', "$d/backup");
configure('user www-data;');
$t->run();
is(asked(), 200, 'served');

###############################################################################

# for others, while it is served: refused, and who is in the way is said

my $before = parts();
my $pids = join '|', workers($t);
my $way = qr/process(?:es)? (?:$pids)\b.* of user .?"www-data.?" \($uid\), /;

foreach my $args ([ qw/ check --permissions --fix --owner nobody / ],
    [ qw/ check --permissions --fix --owner www-data:daemon / ],
    [ 'restore', "$d/backup", qw/ --owner nobody / ],
    [ 'restore', "$d/backup", qw/ --owner www-data:daemon / ],
    [ qw/ upgrade --owner nobody / ])
{
    my ($exit, undef, $err) = dm('--json', @$args);

    is($exit, 1, "@$args: refused");
    like($err, qr/$way.*"code":"in_use"/, "@$args: who is in the way");
}

is(parts(), $before, 'nothing is changed');
is(asked(), 200, 'and it is served');

# a second configuration with a slip in "user"

configure('user nobody nogroup;', 'second.conf');
my ($exit, $text) = nginx_t($t, 'second.conf');
is($exit, 1, '-t of another user: refused');
like($text, qr/user "nobody" .* cannot pass through "\Q$store\E"/,
    '-t of another user: said');
like($text, $way, '-t of another user: who would lose it');
unlike($text, qr/run "[^"]*--owner nobody"/,
    '-t of another user: no command that takes it from them');

# for the same ones it is mended, and restored

chmod 0644, "$store/data.mdb";
($exit, $text) = dm(qw/ check --permissions --fix --owner www-data /);
like($text, qr/ 1 wrong, 1 mended/, 'for those who have it: mended');
($exit) = dm('restore', "$d/backup", '--owner', 'www-data');
is($exit, 0, 'for those who have it: restored');
is(asked(), 200, 'and it is served');

# whoever has it open is judged, not only the one that is asked for

($exit, $text) = dm(qw/ check --permissions --owner nobody /);
like($text, qr/store" is in use, and $way/, 'check for another: who has it');

# nginx of two users, by a group that both have

$t->stop();
run_ok(qw/ check --permissions --fix --owner www-data:daemon /);
configure('user www-data daemon;');
$t->run();
is(asked(), 200, 'by a group: served');
($exit, $text) = dm(qw/ check --permissions --fix --owner nobody:daemon /);
is($exit, 0, 'by a group: for another user too') or diag($text);
is(join('', map { status(keepalive(8080)->request(request('GET', '/file',
    basic('me', 'secret')))) } 1 .. 3), '200200200', 'by a group: served');

undef $t;

###############################################################################

sub configure {
    my ($user, $file) = @_;
    my $kept = $file ? $t->read_file('nginx.conf') : undef;

    conf($t, files(), globals => $globals, main => $user, store => 'store');

    if ($file) {
        $t->write_file($file, $t->read_file('nginx.conf'));
        $t->write_file('nginx.conf', $kept);
    }
}

# until workers have opened it, that is
sub asked {
    my ($status);

    wait_for(60, sub {
        $status = status(keepalive(8080)->request(request('GET', '/file',
            basic('me', 'secret'))));
        return $status == 200;
    });

    return $status;
}

sub dm {
    my (@args) = @_;
    my $stdin = ref $args[-1] ? ${ pop @args } : undef;
    my ($exit, $out, $err) = run_command([ $program, '--store', $store,
        '--key', "$d/store.key", @args ], stdin => $stdin);

    return ($exit, $out . $err, $err);
}

sub run_ok {
    my ($exit, $text) = dm(@_);

    die "dm-account @_: $text\n" if $exit;
}

# owners, groups and modes of all that is there
sub parts {
    return join "\n", map { join ' ', $_, (lstat)[1, 2, 4, 5] }
        $store, grep { !/\/readers\.\d+\/./ } glob "$store/*";
}

###############################################################################
