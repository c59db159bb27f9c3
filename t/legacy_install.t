#!/usr/bin/perl

# Tests for make install-legacy, and for the drop-in for systemd that
# docs/ssl3.md shows: with what it says nginx has SSL 3.0, and without it an
# error.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Legacy qw/ legacy legacy_client /;
use Test::DmSec::Process qw/ must slurp /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'SSL 3.0 needs another library: "make test-legacy"')
    unless legacy();

my $t = Test::Nginx->new()->has(qw/http http_ssl/)->has_daemon('make')
    ->plan(18);

my $d = $t->testdir();

ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon on;

env LD_LIBRARY_PATH;
env OPENSSL_MODULES;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    ssl_certificate      rsa.crt;
    ssl_certificate_key  rsa.key;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        dm_sec_protocols SSLv3 TLSv1.2;
        dm_sec_ciphers   DM-SSL3 AES128-SHA;

        return 204;
    }
}

EOF_CONF

# it is not run() that starts it
END { kill 'TERM', master($t) if $t && -s "$d/nginx.pid" }

###############################################################################

# what is installed, and nothing else

{
    local $ENV{MAKEFLAGS} = '';
    must([ qw{ make --no-print-directory -C .. install-legacy },
        "DESTDIR=$d/root" ]);
}

my @installed = map { s{^\Q$d/root\E}{}r } split ' ',
    must([ 'find', "$d/root", '-type', 'f' ]);

is(join(' ', sort @installed), '/usr/lib/dm-sec/libcrypto.so.3 '
    . '/usr/lib/dm-sec/libssl.so.3 /usr/lib/dm-sec/ossl-modules/legacy.so',
    'files');
is(must([ 'stat', '-c', '%a', map { "$d/root$_" } @installed ]),
    "644\n" x 3, 'modes');

# the drop-in

my ($unit) = slurp('../docs/ssl3.md') =~ /^(\[Service\]\n(?:\w+=.*\n)+)/m;
my %env = $unit =~ /^Environment=(\w+)=(\S+)$/mg;

is(join(' ', sort keys %env), 'LD_LIBRARY_PATH OPENSSL_MODULES', 'drop-in');
is(grep({ !-d "$d/root$_" } values %env), 0, 'its directories are installed');

# as systemd starts it, and as a shell does

my ($exit, $out) = nginx(1, '-t');

is($exit, 0, 'nginx -t') or diag($out);
like($out, qr/\[warn\] \S+ dm_sec: SSL 3\.0 is offered with RC4 and 3DES/,
    'warning');

($exit, $out) = nginx(0, '-t');
unlink "$d/nginx.pid";

is($exit, 1, 'nginx -t in a shell');
like($out, qr/\[emerg\] \S+ SSLv3 is not available: .*; "make legacy" builds/,
    'error');

is((nginx(1))[0], 0, 'start');
is(negotiated(), 'SSLv3 RC4-SHA', 'SSL 3.0');

# a reload keeps its library

my $worker = (workers($t))[0];

is((nginx(1, '-s', 'reload'))[0], 0, 'reload');
ok(wait_for(30, sub { !kill 0, $worker }), 'other workers');
is(negotiated(), 'SSLv3 RC4-SHA', 'SSL 3.0 after a reload');

# and the next binary gets it from the old one

my $master = master($t);

kill 'USR2', $master;
ok(wait_for(30, sub { -s "$d/nginx.pid.oldbin" && -s "$d/nginx.pid" }),
    'upgrade of the binary');
kill 'QUIT', $master;
ok(wait_for(30, sub { !kill 0, $master }), 'the old one is gone');
is(negotiated(), 'SSLv3 RC4-SHA', 'SSL 3.0 after the upgrade');
like(slurp('/proc/' . master($t) . '/maps'),
    qr{ \Q$d/root/usr/lib/dm-sec/libssl.so.3\E$}m, 'its library');

$master = master($t);
is((nginx(1, '-s', 'quit'))[0], 0, 'quit');
wait_for(30, sub { !kill 0, $master }) or die "nginx goes on\n";

undef $t;

###############################################################################

# nginx with the environment of the drop-in, or with none
sub nginx {
    my ($with, @args) = @_;
    my (@command) = ('env', '-i', $with
        ? map { "$_=$d/root$env{$_}" } sort keys %env : ());
    my ($status, $stdout, $stderr) = run_command([ @command, '/usr/sbin/nginx',
        '-p', "$d/", '-c', 'nginx.conf', '-e',
        @args && $args[0] eq '-t' ? 'stderr' : 'error.log', @args ]);

    return ($status, $stdout . $stderr);
}

sub negotiated {
    my ($r) = legacy_client(8443, '-ssl3', '-cipher', 'RC4-SHA:@SECLEVEL=0');

    return join ' ', map { $_ // '-' } @$r{qw/ protocol cipher /};
}

###############################################################################
