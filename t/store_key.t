#!/usr/bin/perl

# Tests for a key file in a container: root's, to be read by a group alone, and
# behind the links by which Kubernetes exchanges it.  nginx, its master too, and
# dm-account have a user of their own, who is in that group.

###############################################################################

use warnings;
use strict;

use Test::More;

use File::Spec ();

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ basic keepalive reload_wait request run_command status /;
use Test::DmSec::Conf qw/ conf files /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'not root') if $>;

my ($uid, $gid) = (getpwnam('www-data'))[2, 3];
my $group = getgrnam('daemon');
my $nobody = getpwnam('nobody');

plan(skip_all => 'no user www-data or nobody, or no group daemon')
    unless $uid && $group && $nobody;

my $t = Test::Nginx->new()->has(qw/ http /)->has_daemon('setpriv');

my $d = $t->testdir();
my $nginx = $Test::Nginx::NGINX;
my $program = $ENV{TEST_DM_ACCOUNT}
    || File::Spec->rel2abs('../build/dm-account');
my ($module) = $t->test_globals() =~ /load_module\s+"?([^";]+)/;
my $secret = "$d/secret";
my $key = "$secret/store.key";
our $at = $key;
my $old = 'k1 ' . 'a5' x 32 . "\n";

foreach my $file ($nginx, $program, $module // ()) {
    plan(skip_all => "www-data cannot read $file")
        if (run_command([ as('daemon', 'test', '-r', $file) ]))[0];
}

$t->plan(41);

# a secret as the kubelet mounts it where the pod has an fsGroup

mkdir $_ or die "Can't make $_: $!\n" foreach $secret, "$d/app";
chmod 0755, $d;
chown $uid, $gid, $d, "$d/app";
mount_secret('..2026_11_30', $old);
symlink '..data/store.key', $key;

# dm-account makes the store there, and works in it

is(mine(qw/ init --realm example --owner www-data --map-size 1m --share-key /),
    '', 'init');
is(mine(qw/ add me --password-file - /, 'secret'), '', 'add');
is(mine(qw/ verify me --password-file - /, 'secret'), '', 'verify');
is(mine('check'), '', 'check');
like((run_command([ as('mail', dm('list')) ]))[2],
    qr/key file "\Q$key\E" cannot be opened: Permission denied/,
    'who is not in the group');

# so does nginx, without root

$t->write_file('file', 'here');
conf($t, files() =~ s/^/dm_sec_lockout off;\n/r, store => 'app/store');
$t->write_file('nginx.conf', $t->read_file('nginx.conf')
    =~ s{(dm_sec_store_key +)\S+;}{$1$key;}r =~ s/\buser \w+;//r);
$t->write_file('as', "#!/bin/sh\nexec @{[as('daemon', $nginx)]} \"\$@\"\n");
chmod 0755, "$d/as";

{
    local $Test::Nginx::NGINX = "$d/as";
    $t->run();
}

is(asked('secret'), 200, 'served');
is(asked('wrong'), 401, 'a wrong password');

# a rekey there: the file cannot be replaced where it is, a copy of it can

mkdir "$d/copy";
chown $uid, $gid, "$d/copy";

like(mine(qw/ rekey --prepare /),
    qr/cannot replace the key file "\Q$key\E": .*name a copy/,
    'rekey, not there');
is($t->read_file('secret/store.key'), $old, 'the key is as it was');

copy_key();
is(copied(qw/ rekey --prepare /), '', 'a copy: prepare');
mount_secret('..2026_12_01', $t->read_file('copy/key'));
ok(reload_wait($t), 'both keys: reload');
is(asked('secret'), 200, 'both keys: served');
is(mine('rekey'), '', 'rekey');

copy_key();
is(copied(qw/ rekey --finish /), '', 'the copy: finish');
mount_secret('..2026_12_02', $t->read_file('copy/key'));
ok(reload_wait($t), 'the new key: reload');
is(asked('secret'), 200, 'the new key: served');
like($t->read_file('secret/store.key'), qr/\Ak2 \w{64}\n\z/,
    'the new key is alone');

# root's file, as whom it may concern

my $file = (glob "$secret/..2026_12_02/store.key")[0];

foreach my $mode (0400, 0440, 0600, 0640) {
    chmod $mode, $file;
    is(mine('list'), '', sprintf 'root\'s, %o', $mode) if $mode & 040;
    is(tested(), '', sprintf 'root\'s, %o: nginx -t', $mode) if $mode & 040;
    is(by_root('list'), '', sprintf 'root\'s, %o: root', $mode);
}

foreach my $mode (0444, 0441, 0460, 0450) {
    chmod $mode, $file;
    like(mine('list'), qr/store.key" is open to others, or for its group/,
        sprintf 'root\'s, %o', $mode);
    like(tested(), qr/store.key" is open to others, or for its group/,
        sprintf 'root\'s, %o: nginx -t', $mode);
}

# another's file is that one's alone

chown $uid, $group, $file;
chmod 0400, $file;
is(mine('list'), '', 'mine, 400');

foreach my $who ($uid, $nobody) {
    chown $who, $group, $file;
    chmod 0440, $file;
    like(mine('list'), qr/store.key" is open to its group or to others/,
        "user $who\'s, 440");
    like(by_root('list'), qr/store.key" is open to its group or to others/,
        "user $who\'s, 440: root");
}

# root replaces the file in a rekey, and leaves it whose and what it was

chown 0, $group, $file;
chmod 0640, $file;
is(by_root(qw/ rekey --prepare /), '', 'root: prepare');
is_deeply([ (stat $file)[4, 5], sprintf '%o', (stat _)[2] & 07777 ],
    [ 0, $group, '640' ], 'root: the group reads it still');
like(mine(qw/ verify me --password-file - /, 'secret'), qr/\A\z/,
    'root: and has both keys');

$t->stop();

undef $t;

###############################################################################

# a command by www-data, who is in that group too

sub as {
    my ($name, @command) = @_;

    return ('setpriv', "--reuid=$uid", "--regid=$gid",
        '--groups=' . getgrnam($name), @command);
}

sub dm {
    my (@args) = @_;

    return ($program, '--store', "$d/app/store", '--key', $at, @args);
}

# What it complains of, nothing where it succeeds.  A password is its last
# argument.

sub complaint {
    my (@command) = @_;
    my ($stdin) = $command[-2] eq '-' ? pop @command : undef;
    my ($exit, undef, $err) = run_command(\@command, stdin => $stdin);

    return $exit || $err ne '' ? "exit $exit: $err" : '';
}

sub mine { return complaint(as('daemon', dm(@_))); }
sub by_root { return complaint(dm(@_)); }

sub copied {
    local $at = "$d/copy/key";

    return mine(@_);
}

sub tested {
    return complaint("$d/as", '-t', '-q', '-p', "$d/", '-c', 'nginx.conf',
        '-e', 'stderr');
}

sub copy_key {
    return complaint(as('daemon', 'install', '-m', '600', $key,
        "$d/copy/key"));
}

sub asked {
    my ($password) = @_;

    return status(keepalive(8080)->request(request('GET', '/file',
        basic('me', $password))));
}

# the kubelet makes a new directory, and one rename puts it in force

sub mount_secret {
    my ($name, $text) = @_;

    mkdir "$secret/$name" or die "Can't make $name: $!\n";
    open my $fh, '>', "$secret/$name/store.key" or die "Can't open: $!\n";
    print $fh $text;
    close $fh;

    chown 0, $group, $fh = "$secret/$name/store.key";
    chmod 0440, $fh;
    symlink $name, "$secret/..data_tmp" or die "Can't link: $!\n";
    rename "$secret/..data_tmp", "$secret/..data" or die "Can't rename: $!\n";
}

###############################################################################
