#!/usr/bin/perl

# Tests for a store that nginx's workers cannot read: "nginx -t" and a reload
# ask as the worker will, say what is closed to whom, and name the command that
# mends it.

###############################################################################

use warnings;
use strict;

use Test::More;

use File::Basename qw/ dirname /;
use File::Spec ();

BEGIN {
    use FindBin;

    # what is mounted goes with the namespace, however the test ends

    if ($> == 0 && !$ENV{TEST_DM_MOUNT}
        && system('unshare -m true 2>/dev/null') == 0)
    {
        $ENV{TEST_DM_MOUNT} = 1;
        exec 'unshare', '-m', $^X, "$FindBin::Bin/$FindBin::Script"
            or die "Can't run unshare: $!\n";
    }

    chdir($FindBin::Bin);
}

use lib 'lib';
use Test::Nginx;
use Test::DmSec
    qw/ basic keepalive log_lines nginx_t reload_wait request run_command
    status wait_for /;
use Test::DmSec::Conf qw/ conf files /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'not root') if $>;

my ($uid, $gid) = (getpwnam('www-data'))[2, 3];
my ($other, $others) = (getpwnam('nobody'))[2, 3];
my $daemon = getgrnam('daemon');

plan(skip_all => 'no user www-data or nobody, or no group daemon')
    unless $uid && $other && $daemon;

my $t = Test::Nginx->new()->has(qw/ http /)->has_daemon('setpriv');

my $d = $t->testdir();
my $program = File::Spec->rel2abs($ENV{TEST_DM_ACCOUNT}
    || '../build/dm-account');
my $top = "$d/top";
my $mid = "$top/it's";
my $store = "$mid/store";
my $www = qr/user "www-data" \($uid\), group "www-data" \($gid\)/;
my $nobody = qr/user "nobody" \($other\), group "\w+" \($others\)/;
my $as_www = qr/store' check --permissions --fix --owner www-data/;
my $globals = $t->test_globals() =~ s/\buser root;//r;

# the messages' commands find it so
$ENV{PATH} = dirname($program) . ":$ENV{PATH}";

# name, "user" of nginx.conf, how it comes to be, what is said, its command

my @states = (
    [ 'a directory above it', 'user www-data;', sub { chmod 0700, $mid },
        qr/$www, cannot pass through "\Q$mid\E" \(owner 0, group 0, /
            . qr/mode 0700\): x is missing for others;/, qr/^chmod o\+x / ],
    [ 'one above that, for its group', 'user www-data;', sub {
            chown 0, $gid, $top;
            chmod 0705, $top;
        }, qr/pass through "\Q$top\E" .* mode 0705\): x is missing for its gr/,
        qr/^chmod g\+x / ],
    [ 'a link to it', 'user www-data;', sub {
            rename $store, "$mid/real";
            mkdir "$mid/shut";
            chmod 0700, "$mid/shut";
            symlink 'shut/way', $store;
            symlink '../real', "$mid/shut/way";
        }, qr/pass through "\Q$mid\E\/shut" \(owner/, qr/^chmod o\+x / ],
    [ 'its directory', 'user www-data;', sub { chmod 0700, $store },
        qr/$www, cannot pass through "\Q$store\E" .* mode 0700\): x is missing /
            . qr/for its group/, $as_www ],
    [ 'its directory, which cannot be listed', 'user www-data;',
        sub { chmod 0710, $store },
        qr/cannot read "\Q$store\E" .* r is missing for its group/, $as_www ],
    [ 'data.mdb', 'user www-data;', sub { chmod 0600, "$store/data.mdb" },
        qr/$www, cannot read "\Q$store\E\/data\.mdb" .* r is missing for its/,
        $as_www ],
    [ 'data.mdb, of another group', 'user www-data;',
        sub { chown 0, 0, "$store/data.mdb" },
        qr/cannot read "\Q$store\E\/data\.mdb" .* r is missing for others/,
        $as_www ],
    [ 'all of it root\'s, as a copy is', 'user www-data;',
        sub { run_command([ 'chown', '-R', '0:0', $store ]) },
        qr/cannot pass through "\Q$store\E"/, $as_www ],
    [ 'no place for readers', 'user www-data;',
        sub { until (rmdir "$store/readers.$uid" or $!{ENOENT}) {
            unlink glob "$store/readers.$uid/*" } },
        qr/not for processes of $www: it has no directory "readers\.$uid"/,
        $as_www ],
    [ 'the place for readers, another\'s', 'user www-data;',
        sub { chown 0, 0, "$store/readers.$uid" },
        qr/cannot make a file in "\Q$store\E\/readers\.$uid"/, $as_www ],
    [ 'the place for readers', 'user www-data;',
        sub { chmod 0550, "$store/readers.$uid" },
        qr/cannot make a file in .* w is missing for its owner/, $as_www ],
    [ 'no "user"', '', sub { },
        qr/$nobody, cannot pass through "\Q$store\E"/,
        qr/--fix --owner nobody$/ ],
    [ 'user nobody nogroup', "user nobody nogroup;", sub { },
        qr/$nobody, cannot pass through "\Q$store\E"/,
        qr/--fix --owner nobody$/ ],
    [ 'a group that is not the user\'s own', 'user nobody daemon;', sub { },
        qr/user "nobody" \($other\), group "daemon" \($daemon\), cannot pass /,
        qr/--fix --owner nobody:daemon$/ ],
    [ 'a read-only file system', 'user www-data;', sub {
            run_command([ 'mount', '--bind', $mid, $mid ]);
            run_command([ 'mount', '-o', 'remount,bind,ro', $mid ]);
        }, qr/$www, .* mounted at "\Q$mid\E" is read-only.* ReadWritePaths=/,
        qr/^mount -o remount,rw / ],
);

$t->plan(5 * @states + 36);
$t->write_file('file', 'here');
chmod 0755, $d;

make();
configure('user www-data;');
$t->run();
is(asked(), 200, 'served');

my $served = 'user www-data;';

foreach my $state (@states) {
    my ($name, $user, $spoil, $said, $command) = @$state;

    SKIP: {
        skip 'nothing can be mounted here', 5
            if $name =~ /file system/ && !mounts();

        # what workers have open is not taken from them

        $t->stop() if $user ne $served;

        make();
        configure($user);
        $spoil->();

        my ($exit, $text) = nginx_t($t);
        my ($run) = $text =~ /; run "([^"]+)"(?:;|$)/m;

        is($exit, 1, "$name: refused");
        like($text, qr/^\[emerg\] dm_sec: .*$said/m, "$name: said");
        like($run // '', $command, "$name: a command");

        run_command([ 'sh', '-c', $run // 'false' ]);
        ($exit, $text) = nginx_t($t);
        is($exit . join('', $text =~ /dm_sec: .*/g), '0',
            "$name: which mends it, and nothing is said");

        # workers try a store again by themselves

        $t->run() if $user ne $served && !$exit;
        $served = $user;

        is(asked(), 200, "$name: served");
        run_command([ 'umount', '-l', $mid ]) if $name =~ /file system/;
    }
}

# what is dm-account's alone is nothing to the workers

foreach ([ 'lock.mdb, open to the group', sub { chmod 0640,
        "$store/lock.mdb" } ],
    [ 'lock.mdb, gone', sub { unlink "$store/lock.mdb" } ])
{
    my ($name, $spoil) = @$_;

    make();
    configure('user www-data;');
    $spoil->();

    my ($exit, $text) = nginx_t($t);

    is($exit . join('', $text =~ /dm_sec: .*/g), '0', "$name: served as well");
    reload_wait($t) if $served ne 'user www-data;';
    $served = 'user www-data;';
    is(asked(), 200, "$name: served");
    permissions('--fix');
    is(permissions(), '', "$name: mended");
}

# the workers' user is said too late, or is another one than this nginx's

$t->stop();
make();
configure('');
$t->write_file('nginx.conf', $t->read_file('nginx.conf') . "user www-data;\n");
my ($exit, $text) = nginx_t($t);
like($text, qr/--owner nobody"; that is nginx's own default: "user", if there/,
    '"user" behind http: the default cannot');
run_ok('check', '--permissions', '--fix', '--owner', 'nobody');
($exit, $text) = nginx_t($t);
is($exit, 1, '"user" behind http: refused');
like($text, qr/read as user "nobody", and the workers .* "www-data": write "us/,
    '"user" behind http: said');

configure('user www-data;');
make();

SKIP: {

skip 'nobody cannot read the module', 3 if as_nobody() =~ /dlopen\(\)/;

unlike(as_nobody(), qr/successful/, 'an ordinary user');
like(as_nobody(), qr/key file .* cannot be opened.*only root's "nginx -t" can/,
    'an ordinary user: it could not be asked');
chown 0, $others, "$d/store.key";
chmod 0440, "$d/store.key";
like(as_nobody(), qr/cannot pass through .*; that is who runs this nginx: whe/,
    'who can read the key: it could not be asked');
chmod 0600, "$d/store.key";

}

# a reload is refused, and the workers that serve go on

make();
$t->run();
ok(wait_for(30, sub { asked() == 200 }), 'served again');
chmod 0600, "$store/data.mdb";
my $before = () = log_lines($t, qr/\[emerg\].* cannot read "\S+data\.mdb"/, 0);
$t->reload();
ok(wait_for(60, sub {
    my $now = () = log_lines($t, qr/\[emerg\].* cannot read "\S+data\.mdb"/, 0);
    return $now > $before;
}), 'a reload: refused');
is(asked(), 200, 'a reload: served as before');
$t->stop();

# dm-account names each thing that is wrong, and changes none unasked

make();
is(permissions(), '', 'as init made it: nothing is wrong');

chmod 0644, "$store/data.mdb";
chmod 0640, "$store/lock.mdb";
unlink "$store/write.lock";
my $said = permissions();
like($said, qr/data.mdb" is root:www-data 0644, and should be .* 0640\n/,
    'open to others');
like($said, qr/wrong: "\Q$store\E\/lock.mdb" is root:root 0640, /,
    'open to the group');
like($said, qr/wrong: "\Q$store\E\/write.lock" is not there, /, 'gone');
is(mode('data.mdb'), '0644', 'it is as it was');

like(permissions('--fix'), qr/mended: .*data.mdb" was .*3 wrong, 3 mended\n\z/s,
    '--fix');
is(join(' ', map { mode($_) } '.', qw/ data.mdb lock.mdb write.lock /,
    "readers.$uid"), '0750 0640 0600 0600 2750', 'as init made it');
is(permissions(), '', 'nothing is wrong any more');

# a group that is not the workers' own, by names and numbers

permissions('--fix', '--owner', "$uid:$daemon");
is((stat "$store/data.mdb")[5], $daemon, 'USER:GROUP');
like(permissions('--owner', 'www-data:nosuchgroup'), qr/there is no group "nos/,
    'no such group');

# what it must not follow

make();
$t->write_file('victim', 'precious');
chmod 0600, "$d/victim";
unlink "$store/lock.mdb";
symlink "$d/victim", "$store/lock.mdb";
like(permissions('--fix'), qr/lock.mdb" is not what a store has there/,
    'a link');
unlink "$store/lock.mdb";
link "$d/victim", "$store/lock.mdb";
like(permissions('--fix'), qr/wrong: \S+lock.mdb" is a file with 2 names/,
    'a second name');
is_deeply([ (stat "$d/victim")[4, 5], mode('lock.mdb') ], [ 0, 0, '0600' ],
    'another\'s file is left alone');

# a copy by links: each is named, the rest is examined, none is to be removed

make();
run_command([ 'cp', '-al', $store, "$mid/snapshot" ]);
chmod 0755, $store;
$said = permissions();
like($said, qr/data.mdb" is a file with 2 names.* do not remove it: "dm-acc/,
    'links of a snapshot');
like($said, qr/store" is root:www-data 0755/, 'and the rest is looked at');
permissions('--fix');
$said =~ /data.mdb".*?"(dm-account[^"]+)", then "(dm-account[^"]+)"/;
local $ENV{DM_SEC_STORE_KEY} = "$d/store.key";
run_command([ 'sh', '-c', "$1 && $2" ]);
is(permissions(), '', 'what it says mends it');
is((dm('show', 'me'))[0], 0, 'and the accounts are there');

make();
chmod 0777, $mid;
chmod 0700, $store;
like(permissions('--fix'), qr/others than root can change names in "\Q$mid\E"/,
    'where others can change names');
is(mode('.'), '0700', 'nothing is changed there');

# JSON

make();
chmod 0600, "$store/data.mdb";
like((dm('--json', 'check', '--permissions'))[1],
    qr/^\{"wrong":"\Q$store\E\/data.mdb",.*\n\{"result":"wrong",/, 'JSON');

undef $t;

###############################################################################

# a new store for www-data, with an account: the copy of one
sub make {
    if (!-d "$d/made") {
        mkdir $_ or die "Can't make $_: $!\n" foreach $top, $mid;
        chmod 0755, $top, $mid;

        run_ok('init', '--realm', 'example', '--owner', 'www-data',
            '--map-size', '1m');
        run_ok('add', 'me', '--password-file', '-', \"secret\n");
        rename $top, "$d/made" or die "Can't rename: $!\n";
    }

    run_command([ 'rm', '-rf', $top ]);
    run_command([ 'cp', '-a', "$d/made", $top ]);
}

sub configure {
    my ($user) = @_;

    conf($t, files(), globals => $globals, main => $user,
        store => 'top/it\'s/store');
}

sub mounts {
    return $ENV{TEST_DM_MOUNT}
        && (run_command([ 'mount', '--bind', $d, $d ]))[0] == 0
        && (run_command([ 'umount', $d ]))[0] == 0;
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

# what "nginx -t" says to an ordinary user
sub as_nobody {
    return join '', (run_command([ 'setpriv', "--reuid=$other",
        "--regid=$others", '--clear-groups', $Test::Nginx::NGINX, '-t', '-p',
        "$d/", '-c', 'nginx.conf', '-e', 'stderr' ]))[1, 2];
}

sub dm {
    my (@args) = @_;
    my $stdin = ref $args[-1] ? ${ pop @args } : undef;

    return run_command([ $program, '--store', $store, '--key',
        "$d/store.key", @args ], stdin => $stdin);
}

sub run_ok {
    my ($exit, undef, $err) = dm(@_);

    die "dm-account @_: $err\n" if $exit;
}

# all that is said, nothing where nothing is wrong
sub permissions {
    my ($exit, $out, $err) = dm('check', '--permissions', @_);

    return $exit || $out !~ / 0 wrong, / ? $err . $out : '';
}

sub mode {
    my ($file) = @_;

    return sprintf '%04o', (stat "$store/$file")[2] & 07777;
}

###############################################################################
