#!/usr/bin/perl

# Tests for the threads of slow hashes: each is there as long as its hash is
# computed, a worker that ends waits for them, and where none can be started the
# answer says so.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ account basic denied header keepalive master request
    status store wait_for workers /;
use Test::DmSec::Gate;
use Test::DmSec::Process qw/ slurp /;
use Test::DmSec::Preload qw/ preload /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http rewrite/)->plan(25);

my $conf = <<'EOC';

%%TEST_GLOBALS%%

daemon off;
%%MAIN%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    dm_sec_account_store  store;
    dm_sec_store_key      store.key;
    dm_sec_password_cache 0;
    dm_sec_hash_threads   3;
    dm_sec_log_limit      off;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_auth            digest basic;
        dm_sec_plaintext_auth  on;

        location / {
            root %%TESTDIR%%;
        }
    }
}

EOC

store($t, realm => 'dm.example.com');
account($t, 'add', 'urn:slow', '--name', 'slow', '--slow-hash',
    { password => 'secret' });

$t->write_file('index.html', '');

account($t, 'add', 'urn:fast', '--name', 'fast', { password => 'secret' });

my $d = $t->testdir();
my $gate = Test::DmSec::Gate->new($t);

# as long as a file is there no thread can be started, or each takes its time to
# return, and a process to end when it has unloaded the module

my $library = preload($t, 'threads', "#define DIR \"$d\"\n" . <<'EOF_C');
#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

int
pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*start)(void *), void *data)
{
    int  (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                 void *);

    *(void **) &real = dlsym(RTLD_NEXT, "pthread_create");

    return access(DIR "/none", F_OK) == 0 ? EAGAIN
                                          : real(thread, attr, start, data);
}

ssize_t
write(int fd, const void *buf, size_t n)
{
    ssize_t   rc;
    ssize_t  (*real)(int, const void *, size_t);

    *(void **) &real = dlsym(RTLD_NEXT, "write");

    rc = real(fd, buf, n);

    if (gettid() != getpid() && access(DIR "/linger", F_OK) == 0) {
        (void) usleep(300000);
    }

    return rc;
}

int
dlclose(void *library)
{
    int    rc;
    int  (*real)(void *);

    *(void **) &real = dlsym(RTLD_NEXT, "dlclose");

    rc = real(library);

    if (access(DIR "/linger", F_OK) == 0) {
        (void) usleep(600000);
    }

    return rc;
}
EOF_C

$t->write_file('none', '');

start('');

###############################################################################

my $client = keepalive(8080);

is(threads(), 0, 'no thread at the start');
is(status(ask('fast')), 200, 'a password that is no slow hash');
is(threads(), 0, 'no thread after it');

my ($r) = ask('slow');

is(status($r), 503, 'no thread can be started: 503');
like(header($r, 'Retry-After') // '', qr/^\d+$/, 'Retry-After');
is((denied($t, 1))[0]->{reason}, 'overloaded', 'it is not the store that is');

unlink "$d/none" or die "Can't remove none: $!\n";

is(status(ask('slow')), 200, 'one can: 200');
ok(no_thread(), 'it ends with its hash');

# as many at once as there may be, and one that waits

$gate->shut();
my @clients = map { sent($_ ? keepalive(8080) : $client, 'slow') } 0 .. 12;
ok($gate->waiting(3), 'three are computed at once');
cmp_ok(threads(), '<=', 3 * workers($t), 'by no more threads than that');
$gate->open();
is(join(' ', grep { $_ != 200 } map { status($_->response()) } @clients), '',
    'all are answered');
ok(no_thread(), 'no thread is left');

# threads that take their time to return are waited for by workers that end:
# they would return to where the module was

$t->write_file('linger', '');

my @old = workers($t);

$gate->shut();
$client = sent(keepalive(8080), 'slow');
ok($gate->waiting(1), 'a hash in a worker that ends when it is done');
kill 'HUP', master($t) or die "Can't reload: $!\n";
ok(wait_for(30, \&told_to_end), 'it shall end');
$gate->open();
is(status($client->response()), 200, 'answered');
ok(gone(@old), 'it ends');

@old = workers($t);

$gate->shut();
@clients = map { sent(keepalive(8080), 'slow') } 1 .. 12;
ok($gate->waiting(3), 'hashes in workers that end at once');
kill 'TERM', @old or die "Can't end workers: $!\n";
$gate->open();
ok(gone(@old), 'they end');

is(status(sent(keepalive(8080), 'slow')->response()), 200, 'a new worker: 200');

# in a single process hashes outlive a reload, and end before the process

$t->stop();
start('master_process off;');

my $pid = master($t);

$client = keepalive(8080);
is(status(ask('slow')), 200, 'a single process: 200');

$gate->shut();
sent($client, 'slow');
ok($gate->waiting(1), 'a hash while it reloads');
kill 'HUP', $pid or die "Can't reload: $!\n";
ok(wait_for(30, sub {
    (() = $t->read_file('error.log') =~ /reconfiguring/g) > 1;
}), 'it does');
$gate->open();
is(status($client->response()), 200, 'answered');

$gate->shut();
sent($client, 'slow');
ok($gate->waiting(1), 'a hash while it ends');
kill 'QUIT', $pid or die "Can't end nginx: $!\n";
$gate->open();
ok(gone($pid), 'it ends');

undef $t;

###############################################################################

# nginx, with its main configuration
sub start {
    my ($main) = @_;
    local $ENV{LD_PRELOAD} = join ' ', $ENV{LD_PRELOAD} // (), $library;

    $t->write_file_expand('nginx.conf', $conf =~ s/%%MAIN%%/$main/r);
    $gate->run($t);
}


# a request with the name's password
sub sent {
    my ($client, $name) = @_;

    $client->send(request('GET', '/index.html', basic($name, 'secret')));

    return $client;
}


# true when all of the old workers were told to end, those that have ended too
sub told_to_end {
    return !grep {
        slurp("/proc/$_/cmdline") =~ /worker process(?! is shutting down)/
    } @old;
}


# true when none of the processes is left, but for one to be reaped
sub gone {
    my (@pids) = @_;

    return wait_for(60, sub { !grep { slurp("/proc/$_/cmdline") } @pids });
}


# always on one connection, and so of one worker
sub ask {
    return sent($client, @_)->response();
}


# one that was joined is still listed for a moment
sub no_thread {
    return wait_for(30, sub { threads() == 0 });
}


# those that workers have beside their own
sub threads {
    my $count = 0;

    foreach my $pid (workers($t)) {
        $count += (my @tasks = glob "/proc/$pid/task/*") - 1;
    }

    return $count;
}

###############################################################################
