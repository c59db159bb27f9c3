#!/usr/bin/perl

# Tests for the version: nginx says it once when it starts, the status pages
# say it; a module that was replaced or deleted on the disk, which a reload does
# not load, and a store that a dm-account of another version wrote last are
# told.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf files /;
use Test::DmSec::Process qw/ slurp wait_for /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(41);

my $d = $t->testdir();
my ($version) = (dm_account($t, '--version'))[1] =~ /^dm-account ([\d.]+)$/
    or die "no version\n";

my ($module) = $t->test_globals()
    =~ /load_module (\S+ngx_dm_sec_module\.so);/ or die "no module\n";

install('module.so', $version);
configure('module.so');

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'me', { password => 'secret' });

unlike((nginx_t($t))[1], qr/dm_sec/, 'nginx -t says nothing');

$t->run();

###############################################################################

is(log_lines($t, starts($version)), 1, 'told at the start');
is(status_json()->{build}{version}, $version, 'build');
is(status_json()->{store}{writer}, $version, 'writer');
is(status_json()->{module_replaced}, 0, 'the file is the same');
like(http_get('/metrics'), qr/^dmsec_module_replaced 0$/m, 'metric');
like(http_get('/metrics'), qr/^dmsec_store_info\{writer="\Q$version\E"\} 1$/m,
    'metric: writer');
like(http_get('/html'), qr/>Module<.*version \Q$version\E/, 'page: the part');
like(http_get('/html'), qr/ngx_dm_sec_module \Q$version\E, nginx/,
    'page: the end');

ok(reload_wait($t), 'reload');
is(log_lines($t, starts($version)), 1, 'not told again');
is(log_lines($t, qr/\[(?:warn|error)\]/, 0), 0, 'no warning');

# another file in its place, as "make install" and dpkg put it there

install('module.so', '9.9.9');

is(status_json()->{module_replaced}, 1, 'replaced: status');
like(http_get('/html'), words('Module</b>: version', 'its file was replaced'
    . ' since', 'systemctl restart nginx'), 'replaced: page');

my $replaced = words('[error]', qq{dm_sec: "$d/module.so" was replaced since}
    . ' nginx started', "version $version,", 'still runs; "systemctl restart'
    . ' nginx", or kill -USR2');

my $test = (nginx_t($t))[1];

unlike($test, qr/was replaced/, 'replaced: a new process has the file');
like($test, words('[warn]', qq{store "$d/store" was last written by}
    . qq{ dm-account $version, and this is 9.9.9: run "dm-account upgrade"}),
    'replaced: the store is of another version');

is(log_lines($t, $replaced, 0), 0, 'replaced: not told before');
ok(reload_wait($t), 'replaced: reload');
is(log_lines($t, $replaced), 1, 'replaced: told');
is(status_json()->{build}{version}, $version, 'replaced: the old one runs');
ok(reload_wait($t), 'replaced: another reload');
is(log_lines($t, $replaced, 2), 2, 'replaced: told again');

# the binary is upgraded

upgrade_binary();

is(log_lines($t, starts('9.9.9')), 1, 'upgraded: the new one');
is(status_json()->{build}{version}, '9.9.9', 'upgraded: status');
is(status_json()->{module_replaced}, 0, 'upgraded: the file is the same');
like(http_get('/html'), words("last written by dm-account $version, and the"
    . ' module is 9.9.9', ' upgrade</code>'), 'upgraded: page');
ok(reload_wait($t), 'upgraded: reload');
is(log_lines($t, $replaced, 0), 2, 'upgraded: not told again');

# no file at all: nginx has it, and the next one would not

rename "$d/module.so", "$d/away.so" or die "Can't rename: $!\n";

is(status_json()->{module_replaced}, 1, 'deleted: status');
like(http_get('/html'), words('its file was deleted since', 'install it again',
    'nginx -t &amp;&amp; systemctl restart nginx'), 'deleted: page');
ok(reload_wait($t), 'deleted: reload');
is(log_lines($t, words('[error]',
    qq{dm_sec: "$d/module.so" was deleted since}, 'put it there again')), 1,
    'deleted: told');

# it is back, or another one is installed, which is not what runs

rename "$d/away.so", "$d/module.so" or die "Can't rename: $!\n";
is(status_json()->{module_replaced}, 0, 'put back: status');
like(http_get('/html'), qr/>Module<.*version 9\.9\.9/, 'put back: page');
install('module.so', '9.9.9');
is(status_json()->{module_replaced}, 1, 'installed again: status');
like(http_get('/html'), words('its file was replaced since',
    '<code>systemctl restart nginx'), 'installed again: page');

$t->stop();

# a module that is older than what wrote the store

install('module.so', '0.0.1');
like((nginx_t($t))[1], words("was last written by dm-account $version, and this"
    . ' is 0.0.1: install the module of that version'), 'older');
install('module.so', $version);
unlike((nginx_t($t))[1], qr/dm_sec/, 'the same again');

# a path that is relative to where nginx was started, and workers elsewhere

$t->write_file('nginx.conf', $t->read_file('nginx.conf')
    =~ s{^.*\Kload_module \S+;}{load_module module.so; working_directory /;}mr);
is((run_command([ 'sh', '-c', "cd $d && exec $Test::Nginx::NGINX -p ./"
    . ' -c nginx.conf -e error.log' ]))[0], 0, 'relative: start');
is(status_json()->{module_replaced}, 0, 'relative: the file is the same');
install('module.so', '9.9.9');
is(status_json()->{module_replaced}, 1, 'relative: replaced');
kill 'QUIT', master($t);
wait_for(30, sub { !-e "$d/nginx.pid" }) or die "nginx goes on\n";

undef $t;

###############################################################################

sub starts {
    my ($which) = @_;

    return qr/\[notice\] .* dm_sec: ngx_dm_sec_module \Q$which\E, OpenSSL \d/;
}

# a copy of the module that calls itself so, under a name that it gets at once
sub install {
    my ($name, $as) = @_;
    my ($code) = slurp($module);

    length $as == length $version or die "another length: $as\n";
    $code =~ s/\b\Q$version\E\0/$as\0/g or die "no version in it\n";

    open my $fh, '>:raw', "$d/$name.new" or die "Can't create: $!\n";
    print $fh $code;
    close $fh or die "Can't write: $!\n";
    chmod 0644, "$d/$name.new";
    rename "$d/$name.new", "$d/$name" or die "Can't rename: $!\n";
}

# only a daemon upgrades its binary
sub configure {
    my ($name) = @_;
    my ($globals) = $t->test_globals();

    $globals =~ s{\Q$module\E}{$d/$name};

    conf($t, <<'EOF_HTTP' . files(<<'EOF_SERVER'), globals => $globals);
dm_sec_lockout off;
error_log %%TESTDIR%%/error.log info;
EOF_HTTP
location = /status  { dm_sec_auth off; dm_sec_status json; }
location = /metrics { dm_sec_auth off; dm_sec_status prometheus; }
location = /html    { dm_sec_auth off; dm_sec_status html; }
allow 127.0.0.1;
deny  all;
EOF_SERVER

    $t->write_file('nginx.conf',
        $t->read_file('nginx.conf') =~ s/^daemon off;/daemon on;/mr);
}

sub upgrade_binary {
    my ($master) = master($t);

    kill 'USR2', $master;
    wait_for(30, sub { -s "$d/nginx.pid.oldbin" && -s "$d/nginx.pid" })
        or die "no new binary\n";
    kill 'QUIT', $master;

    # dead is enough: it is no child of this process, which could wait for it

    wait_for(30, sub {
        slurp("/proc/$master/stat") !~ /^\d+ \(.*\) [^ZX] /s
    }) or die "the old one goes on\n";
    workers($t);
}

###############################################################################
