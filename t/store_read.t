#!/usr/bin/perl

# Tests for the child that reads the store for "nginx -t" and for a reload:
# beside an import, on damaged pages, and where it does not end.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::Preload qw/ preload /;
use Test::DmSec::Process qw/ slurp /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

use constant PAGE => 4096;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/)->has_daemon('gdb')
    ->has_daemon('faketime')->plan(14);
my $d = $t->testdir();
my $get = request('GET', '/', basic('n7', 'secret'));

# a library of sanitizers would report what is meant to happen
$ENV{ASAN_OPTIONS} .= ':handle_segv=0:handle_abort=0' if $ENV{ASAN_OPTIONS};

configure('store');

store($t, realm => 'dm.example', args => [ '--map-size', '1m' ]);
$t->write_file('accounts', join '', map { qq[{"id":"IMEI:$_","name":"n$_",]
    . qq["password":"secret","groups":["g$_"]}\n] } 1 .. 30);
account($t, 'import', "$d/accounts");

# with few pages, and in the order in which they were made
run_command([ 'cp', '-a', "$d/store", "$d/small" ]);

upstream($t, 8081);
$t->run();

my $master = master($t);

###############################################################################

# the child stands in the midst of the store, and others change it meanwhile

my ($exit, $out);

SKIP: {
skip('gdb cannot run a script', 2) if slurp($Test::Nginx::NGINX) =~ /^#!/;

my $change = "$ENV{TEST_DM_ACCOUNT} --store $d/store --key $d/store.key";
($exit, $out) = held("for i in 1 2 3; do $change add x && $change del x "
    . '|| exit; done; echo changed');

like($out, qr/^changed$/m, 'the store was changed six times meanwhile');
like($out, qr/test is successful/, 'nginx -t reads what it began with');
}

# for real

$t->run_daemon(\&import);
ok(wait_for(60, sub { -e "$d/imported" }), 'an import');

my @failed = grep { $_->[0] } map { [ nginx_t($t) ] } 1 .. 20;
is_deeply(\@failed, [], 'nginx -t beside imports');

is(scalar(grep { !reload_wait($t) } 1 .. 3), 0, 'reloads beside imports');

$t->write_file('stop', '');
$t->stop_daemons();
upstream($t, 8081);

# the pointers at the head of each page, one page after the other: they kill
# nobody but the child, and the configuration in force goes on

my $pages = pages();
my (@killed, @unsaid, @lost, $died);

foreach my $page (2 .. $pages - 1) {
    damaged($page);
    configure('damaged');

    ($exit, $out) = nginx_t($t);
    push @killed, $page if $exit > 1;
    $died++ if $out =~ /ended by signal/;
    push @unsaid, $page if $exit && $out !~ /\[emerg\] dm_sec: .*damaged"/;

    next unless $exit;

    my ($emerg) = scalar(my @lines = log_lines($t, qr/\[emerg\]/, 0));

    $t->reload();
    log_lines($t, qr/\[emerg\]/, $emerg + 1);
    last unless alive();

    push @lost, $page unless verdict($t, keepalive(8080)->request($get), 8081)
        eq '200 upstream';
}

is("@killed", '', 'nginx -t is not killed');
is("@unsaid", '', 'it says which store is damaged');
ok(alive(), 'nor is the master in a reload');
is("@lost", '', 'what is in force goes on');
ok($died, 'a child was');

configure('store');
ok(reload_wait($t), 'a reload with what is right');
is(verdict($t, keepalive(8080)->request($get), 8081), '200 upstream',
    'a device logs in');

is(join('', grep { /exited on signal/ } log_lines($t, qr/\[alert\]/, 0)), '',
    'nginx knows nothing of the children');

# a child that waits for ever is waited for ten seconds, of a faster clock

my $waits = preload($t, 'waits', <<'EOF_C');
#include <unistd.h>

int
mdb_env_open(void *env, const char *path, unsigned flags, unsigned mode)
{
    for ( ;; ) {
        (void) pause();
    }
}
EOF_C

($exit, undef, $out) = run_command([ 'env', "LD_PRELOAD=$waits",
    'faketime', '-f', '+0 x20',
    $Test::Nginx::NGINX, '-t', '-p', "$d/", '-c', 'nginx.conf', '-e',
    'stderr' ]);
like($out, qr/could not be read in 10 seconds/, 'a child that does not end');

undef $t;

###############################################################################

# nginx -t, while the child that reads stands still and the command runs; for
# nginx little time passes then, or it would give the child up after 10 seconds
sub held {
    my ($command) = @_;
    my ($exit, $out, $err, $library);

    ($library) = glob '/usr/lib/*/faketime/libfaketime.so.1';

    ($exit, $out, $err) = run_command([ 'gdb', '-batch', '-nx',
        '-ex', "set environment LD_PRELOAD $library",
        '-ex', 'set environment FAKETIME +0 x0.001',
        '-ex', 'set breakpoint pending on',
        '-ex', 'set follow-fork-mode child',
        '-ex', 'set detach-on-fork off', '-ex', 'set schedule-multiple on',
        '-ex', 'tbreak dm_store_read_meta', '-ex', 'run',
        '-ex', "shell $command", '-ex', 'continue', '-ex', 'inferior 1',
        '-ex', 'continue', '--args',
        $Test::Nginx::NGINX, '-t', '-p', "$d/", '-c', 'nginx.conf',
        '-e', 'stderr' ]);

    return ($exit, $out . $err);
}

# not a zombie, which it is until the test ends
sub alive {
    return slurp("/proc/$master/stat") =~ /\) [^Z] /;
}

sub import {
    until (-e "$d/stop") {
        run_command([ $ENV{TEST_DM_ACCOUNT}, '--store', "$d/store", '--key',
            "$d/store.key", 'import', "$d/accounts", '--update' ]);
        open my $fh, '>', "$d/imported";
    }
}

# how many pages are in use: the later of the two meta pages says it
sub pages {
    my ($data) = $t->read_file('small/data.mdb');
    my (@later) = sort { $b->[1] <=> $a->[1] }
        map { [ unpack "x$_ Q2", $data ] } map { $_ + 136 } 0, PAGE;

    return $later[0][0] + 1;
}

# A copy of the store in which that page is damaged, and which is as long as
# what is in use: what points far behind the page points behind the file.
sub damaged {
    my ($page) = @_;

    run_command([ 'rm', '-rf', "$d/damaged" ]);
    run_command([ 'cp', '-a', "$d/small", "$d/damaged" ]);

    open my $fh, '+<:raw', "$d/damaged/data.mdb" or die "Can't open: $!\n";
    seek $fh, $page * PAGE + 16, 0;
    print {$fh} "\xff" x 64;
    truncate $fh, $pages * PAGE;
    close $fh or die "Can't write: $!\n";
}

sub configure {
    my ($store) = @_;

    conf($t, <<"EOF_HTTP", store => $store, main => 'worker_rlimit_core 0;');

error_log $d/error.log info;

server {
    listen       127.0.0.1:8080;
    server_name  localhost;

    dm_sec_plaintext_auth on;

    location / {
        dm_sec_auth basic;
        proxy_pass http://127.0.0.1:8081;
    }
}

EOF_HTTP
}

###############################################################################
