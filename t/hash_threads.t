#!/usr/bin/perl

# Tests for the threads of slow hashes: none is there before the first such
# hash, no more than are needed after it, and where none can be started the
# answer says so.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ account basic denied header keepalive reload_wait request
    status store workers /;
use Test::DmSec::Gate;
use Test::DmSec::Preload qw/ preload /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http rewrite/)->plan(14);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

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

# no thread can be started as long as a file is there

my $library = preload($t, 'threads', "#define WHICH \"$d/none\"\n" . <<'EOF_C');
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

    return access(WHICH, F_OK) == 0 ? EAGAIN : real(thread, attr, start, data);
}
EOF_C

$t->write_file('none', '');

{
    local $ENV{LD_PRELOAD} = join ' ', $ENV{LD_PRELOAD} // (), $library;
    $gate->run($t);
}

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
is(threads(), 1, 'it is there');
is(status(ask('slow')), 200, 'another hash');
is(threads(), 1, 'it takes this one, too');

# as many at once as there may be, and one that waits

$gate->shut();
my @clients = map { sent(keepalive(8080), 'slow') } 1 .. 4;
ok($gate->waiting(3), 'three are computed at once');
cmp_ok(threads(), '<=', 3 * workers($t), 'by no more threads than that');
$gate->open();
is(join(' ', map { status($_->response()) } @clients), '200 200 200 200',
    'all are answered');

ok(reload_wait($t), 'a worker with threads ends');

undef $t;

###############################################################################

# a request with the name's password
sub sent {
    my ($client, $name) = @_;

    $client->send(request('GET', '/index.html', basic($name, 'secret')));

    return $client;
}


# always on one connection, and so of one worker
sub ask {
    return sent($client, @_)->response();
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
