#!/usr/bin/perl

# Tests for a call to OpenSSL or LMDB that fails while a request is decided: it
# is a failure of ours, 503, whatever was sent, and never a wrong password, nor
# one that is taken for right.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Preload qw/ preload /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http http_ssl socket_ssl /)
    ->has_daemon('cc')->has_daemon('openssl')
    ->plan(20);

$t->write_file('file', 'here');
$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_lockout        attempts=60000 address_attempts=60000;
    dm_sec_log_limit      off;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_plaintext_auth on;

        location /basic {
            dm_sec_auth basic;
            try_files   /file =404;
        }

        location /digest {
            dm_sec_auth              digest;
            dm_sec_digest_algorithms SHA-256;
            try_files                /file =404;
        }
    }

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  localhost;

        ssl_certificate         ec.crt;
        ssl_certificate_key     ec.key;
        ssl_client_certificate  ca.crt;
        ssl_verify_client       optional;

        location /open {
        }

        location /x509 {
            dm_sec_auth x509;
            try_files   /file =404;
        }
    }
}

EOF_CONF

ca($t, 'ca');
cert($t, 'ec', ca => 'ca');
cert($t, 'dev', ca => 'ca', subject => '/O=Example/CN=dev');

my $d = $t->testdir();

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'right' });
account($t, 'import', '--format', 'htpasswd', '-',
    { stdin => 'slow:' . crypt('right', '$6$rounds=1000$saltsalt') . "\n" });
account($t, 'add', 'IMEI:3', '--cert', "$d/dev.crt");

# what the file names fails, as long as it is there, to the module alone

my $source = "#define WHICH \"$d/fails\"\n#define STOPPED \"$d/stopped\"\n"
    . <<'EOF_C';
#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* where the clock stands still a worker does not look after its store */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int                     rc;
    static struct timespec  last;

    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE
        || access(STOPPED, F_OK) != 0 || last.tv_sec == 0)
    {
        rc = syscall(SYS_clock_gettime, id, ts);

        if (rc == 0 && id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE) {
            last = *ts;
        }

        return rc;
    }

    *ts = last;

    return 0;
}

static int
fails(const char *name, const void *caller)
{
    int      fd;
    char     which[64];
    ssize_t  n;
    Dl_info  info;

    if (!dladdr(caller, &info) || !strstr(info.dli_fname, "/ngx_dm_sec_")) {
        return 0;
    }

    fd = open(WHICH, O_RDONLY);

    if (fd == -1) {
        return 0;
    }

    n = read(fd, which, sizeof(which));
    (void) close(fd);

    return n == (ssize_t) strlen(name) && memcmp(which, name, n) == 0;
}

typedef long (*call_t)(void *, void *, void *, void *, void *);

/* none of them has more arguments, and what they return is no longer */

#define FAILING(name, failure)                                                \
                                                                              \
    long                                                                      \
    name(void *a, void *b, void *c, void *d, void *e)                         \
    {                                                                         \
        static call_t  real;                                                  \
                                                                              \
        if (real == NULL) {                                                   \
            real = (call_t) dlsym(RTLD_NEXT, #name);                          \
        }                                                                     \
                                                                              \
        return fails(#name, __builtin_return_address(0))                      \
               ? failure : real(a, b, c, d, e);                               \
    }

EOF_C

# The status of what is sent meanwhile: Basic with a right password, a wrong one
# and a name that nobody has, a right password of a slow hash; Digest with a
# right and a wrong one, and nothing; a certificate.  A challenge that cannot be
# made is none, not even half a one: then the connection ends.

my @calls = (
    [ 'EVP_MAC_init',        0, '503 503 503 503 503 503 - 200' ],
    [ 'EVP_MAC_update',      0, '503 503 503 503 503 503 - 200' ],
    [ 'EVP_MAC_final',       0, '503 503 503 503 503 503 - 200' ],
    [ 'EVP_MD_CTX_copy_ex',  0, '503 503 503 200 503 503 401 503' ],
    [ 'EVP_DigestUpdate',    0, '503 503 503 200 503 503 401 503' ],
    [ 'EVP_DigestFinal_ex',  0, '503 503 503 200 503 503 401 503' ],
    [ 'EVP_DecryptInit_ex2', 0, '503 503 503 503 503 503 401 503' ],
    [ 'EVP_CipherUpdate',    0, '503 503 503 503 503 503 401 503' ],
    [ 'mdb_txn_renew',       5, '503 503 503 503 503 503 401 503' ],
    [ 'mdb_cursor_open',     5, '503 503 503 503 503 503 401 503' ],
    [ 'mdb_cursor_get',      5, '503 503 503 503 503 503 401 503' ],
    [ 'mdb_get',             5, '503 503 401 503 503 503 401 503' ],
);

my $library = preload($t, 'library', $source
    . join '', map { "FAILING($_->[0], $_->[1])\n" } @calls,
        [ 'RAND_bytes', 0 ]);

{
    local $ENV{LD_PRELOAD} = join ' ', $library, $ENV{LD_PRELOAD} // ();
    $t->run();
}

# A worker that opened the store while a call fails would have none for a
# second,
# and one that looks after it once a second would take it for another one.

workers($t);
$t->write_file('stopped', '');

###############################################################################

my $usual = '200 401 401 200 200 401 401 200';

is(answers(), $usual, 'nothing fails');

is(answers($_->[0]), $_->[2], "$_->[0] fails") foreach @calls;

# the same credentials again need no hash of the password, and the same claimant
# no keys for a lockout; another password is hashed

my @kept = (
    [ 'EVP_MAC_init',     0, '200 200 200 401 200' ],
    [ 'EVP_MAC_update',   0, '200 200 200 401 200' ],
    [ 'EVP_MAC_final',    0, '200 200 200 401 200' ],
    [ 'EVP_DigestUpdate', 0, '200 200 200 503 200' ],
);

is(kept($_->[0]), $_->[2], "$_->[0] fails on a connection") foreach @kept;

# random octets are fetched for many nonces, by each of a few workers

is((grep { $_ ne '401' } challenged(1000))[0], '-', 'RAND_bytes fails');

is(answers(), $usual, 'nothing fails any more');

is(grep({ $_->{reason} eq 'store_unavailable' } denied($t)),
    (() = join(' ', map { $_->[2] } @calls, @kept) =~ /503/g),
    'all are logged so');

unlink "$d/stopped";

###############################################################################

sub answers {
    my ($call) = @_;
    my ($challenge, $tls, @answers);
    my %digest = (user => 'alice', uri => '/digest');

    # what must be there before; a failure counts, so the lockout looks

    ask('/basic', basic('alice', 'wrong'));
    ($challenge) = challenges(ask('/digest'));

    $tls = keepalive(8443, SSL => 1, SSL_cert_file => "$d/dev.crt",
        SSL_key_file => "$d/dev.key");
    $tls->request(request('GET', '/open', 'Connection: keep-alive'));

    write_fails($call) if defined $call;

    push @answers, ask('/basic', basic('alice', $_)) foreach qw/ right wrong /;
    push @answers, ask('/basic', basic('nobody', 'wrong'));
    push @answers, ask('/basic', basic('slow', 'right'));

    push @answers, ask('/digest', digest($challenge, %digest,
        password => 'right'));
    push @answers, ask('/digest', digest($challenge, %digest,
        password => 'wrong', nc => 2));
    push @answers, ask('/digest');

    push @answers, $tls->request(request('GET', '/x509'));
    $tls->close();

    unlink "$d/fails";

    return join ' ', map { status($_) || '-' } @answers;
}

# of Basic on one connection: right twice, right and wrong with it, and right
sub kept {
    my ($call) = @_;
    my ($client, @answers);

    ask('/basic', basic('alice', 'wrong'));
    $client = keepalive(8080);

    foreach my $password (qw/ right right right wrong right /) {
        my $basic = basic('alice', $password);

        write_fails($call) if @answers == 2;
        push @answers, $client->request(request('GET', '/basic', $basic));
        unlink "$d/fails" if @answers == 4;
    }

    $client->close();

    return join ' ', map { status($_) || '-' } @answers;
}

# the status of challenges without random octets, up to the first that is none
sub challenged {
    my ($n) = @_;
    my (@status);

    write_fails('RAND_bytes');

    while (@status < $n) {
        push @status, status(ask('/digest')) || '-';
        last if $status[-1] ne '401';
    }

    unlink "$d/fails";

    return @status;
}

sub write_fails {
    my ($call) = @_;

    open my $fh, '>', "$d/fails.new" or die "Can't create fails: $!\n";
    print {$fh} $call;
    close $fh or die "Can't write fails: $!\n";
    rename "$d/fails.new", "$d/fails" or die "Can't rename fails: $!\n";
}

# one that was let in before is remembered: each has a connection of its own
sub ask {
    my ($uri, @head) = @_;
    my ($client, $response);

    $client = keepalive(8080);
    $response = $client->request(request('GET', $uri, @head));
    $client->close();

    return $response;
}

###############################################################################
