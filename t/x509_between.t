#!/usr/bin/perl

# Tests for dm_sec_auth x509 with a certificate that has several keys, and a
# change of the store between two look-ups of one request: the first key is
# nobody's yet when it is looked up, the second is already read after the
# change.  What both say together was never so, and is not remembered.

###############################################################################

use warnings;
use strict;

use Test::More;

use POSIX qw/ _exit /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::Preload qw/ preload /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http http_ssl socket_ssl /)
    ->has_daemon('cc')->has_daemon('openssl')->plan(3);

my $d = $t->testdir();

$t->write_file('file', 'here');
conf($t, <<'EOF_HTTP');

server {
    listen       127.0.0.1:8443 ssl;
    server_name  localhost;

    try_files  /file =404;
    add_header X-Account $dm_sec_client_id;

    ssl_certificate         ec.crt;
    ssl_certificate_key     ec.key;
    ssl_client_certificate  ca.crt;
    ssl_verify_client       optional;

    dm_sec_profile       modern;
    dm_sec_auth          x509;
    dm_sec_x509_identity fingerprint subject;
}

EOF_HTTP

ca($t, 'ca');
cert($t, 'ec', ca => 'ca');
cert($t, 'dev', ca => 'ca', subject => '/CN=dev');

store($t, realm => 'example');
account($t, 'add', 'second', '--cert-key', 'subject:CN=dev');

my $key = 'sha256:' . cert_info($t, 'dev')->{sha256};

# Where the file "armed" is, a worker takes it away after its next look-up by
# an index, makes the file "between" before it reads again, and waits until
# that is gone.

my $between = preload($t, 'between', "#define DIR \"$d/\"\n" . <<'EOF_C');
#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

static int  armed;

void
mdb_cursor_close(void *cursor)
{
    static void  (*real)(void *);

    if (real == NULL) {
        real = (void (*)(void *)) dlsym(RTLD_NEXT, "mdb_cursor_close");
    }

    if (unlink(DIR "armed") == 0) {
        armed = 1;
    }

    real(cursor);
}

int
mdb_txn_renew(void *txn)
{
    static int  (*real)(void *);

    if (real == NULL) {
        real = (int (*)(void *)) dlsym(RTLD_NEXT, "mdb_txn_renew");
    }

    if (armed) {
        armed = 0;
        (void) close(open(DIR "between", O_WRONLY|O_CREAT, 0666));

        while (access(DIR "between", F_OK) == 0) {
            (void) usleep(1000);
        }
    }

    return real(txn);
}
EOF_C

{
    local $ENV{LD_PRELOAD} = join ' ', $between, $ENV{LD_PRELOAD} // ();
    $t->run();
}

# when it starts, a worker counts what is in the store, by an index too
workers($t);

###############################################################################

my $client = device();

is(changed($t, $client, 'add', 'first', '--cert-key', $key), '200 first',
    'bound between two look-ups of a request');
is(asked($client), '200 first', 'and so in the next one');

account($t, 'set', 'first', '--drop-cert-key', $key);

is(asked($client), '200 second', 'bound no more');

###############################################################################

sub device {
    return keepalive(8443, SSL => 1, SSL_cert_file => "$d/dev.crt",
        SSL_key_file => "$d/dev.key");
}

sub asked {
    my ($connection) = @_;
    my ($r) = $connection->request(request('GET', '/')) // '';

    return (status($r) // 0) . ' ' . (header($r, 'X-Account') // '');
}

# the client's answer to a request in which the store is changed
sub changed {
    my ($nginx, $connection, @verb) = @_;
    my ($dir) = $nginx->testdir();
    my ($pid, $answer);

    $nginx->write_file('armed', '');
    $pid = fork() // die "Can't fork: $!\n";

    if ($pid == 0) {
        wait_for(60, sub { -e "$dir/between" });
        dm_account($nginx, @verb);
        unlink "$dir/between";
        _exit(0);
    }

    $answer = asked($connection);
    waitpid($pid, 0);

    return $answer;
}

###############################################################################
