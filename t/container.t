#!/usr/bin/perl

# Tests for conf-examples/container/nginx.conf as compose.yaml there has it run:
# by www-data from the beginning, with no capability and none to gain, on a file
# system that is read-only but for /tmp and the store.  t/deb/container has the
# image itself.

###############################################################################

use warnings;
use strict;

use Test::More;

use File::Spec ();

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ example_part /;
use Test::DmSec::Process qw/ slurp /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'not root') if $>;
plan(skip_all => 'no mount namespace')
    if system('unshare -m true 2>/dev/null') != 0;

my ($uid, $gid) = (getpwnam('www-data'))[2, 3];

plan(skip_all => 'no user www-data') unless $uid;

my $t = Test::Nginx->new()->has(qw/ http http_ssl proxy /)
    ->has(qw/ socket_ssl /)->has_daemon('openssl')->has_daemon('setpriv');

my $d = $t->testdir();
my ($load) = $t->test_globals() =~ /(load_module\s+"?[^";]+"?;)/;
my ($module) = ($load // '') =~ /\s"?([^";]+)/;

foreach my $file ($Test::Nginx::NGINX, $module // ()) {
    plan(skip_all => "www-data cannot read $file")
        if system('setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups',
            'test', '-r', $file) != 0;
}

$t->plan(19);

###############################################################################

ca($t, 'ca');
cert($t, 'server-rsa', ca => 'ca', key => 'rsa:2048');
cert($t, 'server-ecdsa', ca => 'ca');
chown $uid, $gid, map { "$d/server-$_.key" } qw/ rsa ecdsa /;

store($t, realm => 'example', owner => 'www-data',
    args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'one', { password => 'secret' });
chown 0, $gid, "$d/store.key";
chmod 0640, "$d/store.key";

# what is this image's is the test's own here

my $conf = example_part($t, 'container/nginx.conf');

$conf =~ s/^include .*/$load/m;
$conf =~ s{^(?:pid|\s+\w+_temp_path)\s+\K/tmp/}{$d/tmp/}mg;
$conf =~ s{/dev/stdout}{$d/tmp/access.log};
$conf =~ s{^error_log stderr}{$& info}m;
$conf =~ s{http://dm-server:}{http://127.0.0.1:};

mkdir "$d/tmp" or die "Can't make $d/tmp: $!\n";
$t->write_file('error.log', '');
$t->write_file('confined', <<"EOF_SH");
set -e
mount --make-rprivate /
mount --bind $d $d
mount --bind $d/store $d/store
mount -t tmpfs -o mode=1777 tmpfs $d/tmp
mount -o remount,bind,ro $d
mount -o remount,bind,ro /
exec setpriv --reuid=$uid --regid=$gid --clear-groups --no-new-privs \\
    --bounding-set=-all --inh-caps=-all "\$@"
EOF_SH
$t->write_file_expand('nginx.conf', $conf);

upstream($t, 8090);

$t->run_daemon(sub {
    open STDERR, '>>', "$d/error.log" or die "Can't open error.log: $!\n";
    exec confined($Test::Nginx::NGINX, '-p', "$d/", '-c', 'nginx.conf', '-e',
        'stderr', '-g', 'daemon off;') or die "Can't run unshare: $!\n";
});
$t->waitforsocket('127.0.0.1:' . port(8443)) or die "nginx does not start\n";

###############################################################################

# it does its work

my $get = request('GET', '/', basic('one', 'secret'));

is(status(https(8443, $get)), 200, 'a device');
is((upstream_log($t, 8090))[-1]{fields}{'dm-client-id'}[0], 'IMEI:1',
    'which the server behind is told');
is(status(https(8443, request('GET', '/', basic('one', 'wrong')))), 401,
    'a wrong password');
ok(log_lines($t, qr/denied reason=bad_credentials /), 'the log');
is(status(https(8443, request('POST', '/', basic('one', 'secret'),
    { body => 'x' x 3_000_000 }))), 200, 'a body that goes to a file');
is((upstream_log($t, 8090))[-1]{length}, 3_000_000, 'and all of it behind');

account($t, 'disable', 'IMEI:1');
is(status(https(8443, $get)), 403, 'disabled, at once');
account($t, 'enable', 'IMEI:1');
is(status(https(8443, $get)), 200, 'and enabled');

# and can do nothing else

my @pids = grep { slurp("/proc/$_/cmdline") =~ /^nginx: (?:master|worker)/
    && slurp("/proc/$_/mountinfo") =~ m{ \Q$d\E ro[, ]} }
    map { m{(\d+)} } glob '/proc/[0-9]*';

cmp_ok(scalar @pids, '>=', 2, 'the master and workers');

foreach my $want ([ 'Uid', join "\t", ($uid) x 4 ], [ 'CapEff', '0' x 16 ],
    [ 'CapBnd', '0' x 16 ], [ 'NoNewPrivs', 1 ])
{
    my ($name, $value) = @$want;

    is(scalar(grep { slurp("/proc/$_/status") =~ /^$name:\t\Q$value\E$/m }
        @pids), @pids, "of all: $name");
}

is(writes('tmp/new'), 1, '/tmp is written');
is(writes($_), 0, "$_ is not") foreach qw{ new store.key store/new
    store/data.mdb server-rsa.key };

undef $t;

###############################################################################

sub confined {
    return ('unshare', '-m', 'sh', "$d/confined", @_);
}

# whether it can, where nginx is
sub writes {
    my ($file) = @_;

    return (run_command([ confined('sh', '-c', ': >> "$0"', "$d/$file") ]))[0]
        == 0 ? 1 : 0;
}

###############################################################################
