#!/usr/bin/perl

# Tests that what dm-account has done is in force when it returns, on open
# connections too, while LMDB's commit is slow: with msync() that takes its
# time, readers have long to meet a commit in its middle.

###############################################################################

use warnings;
use strict;

use Test::More;

use IO::Handle;
use POSIX qw/ WNOHANG /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::Preload qw/ preload /;
use Test::DmSec::Process qw/ slurp /;
use Test::DmSec::Session;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use constant KEY => 'a5' x 16;

my $t = Test::Nginx->new()->has(qw/ http http_ssl socket_ssl /)
    ->has_daemon('cc')->has_daemon('openssl')->plan(26);

my $d = $t->testdir();
my $program = $ENV{TEST_DM_ACCOUNT} || '../build/dm-account';

$t->write_file('file', 'here');
conf($t, <<'EOF_HTTP');

keepalive_requests 1000000;
dm_sec_lockout     off;

server {
    listen       127.0.0.1:8080;
    server_name  localhost;

    try_files /file =404;

    dm_sec_plaintext_auth on;
    dm_sec_auth           basic;
}

server {
    listen       127.0.0.1:8081;
    server_name  localhost;

    try_files /file =404;

    dm_sec_plaintext_auth    on;
    dm_sec_auth              digest;
    dm_sec_digest_algorithms SHA-256;
}

server {
    listen       127.0.0.1:8443 ssl;
    server_name  localhost;

    try_files /file =404;

    ssl_certificate         ec.crt;
    ssl_certificate_key     ec.key;
    ssl_client_certificate  ca.crt;
    ssl_verify_client       optional;

    dm_sec_profile modern;
    dm_sec_auth    psk x509;
}

EOF_HTTP

ca($t, 'ca');
cert($t, 'ec', ca => 'ca');
cert($t, 'dev', ca => 'ca', subject => '/O=Example/CN=dev');

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'pw', { password => 'secret' });
account($t, 'add', 'key', '--psk-identity', 'dev', { psk => KEY });
account($t, 'add', 'cert', '--cert', "$d/dev.crt");
account($t, 'backup', "$d/backup");

my ($asked, %standing) = (0);
my $sha256 = cert_info($t, 'dev')->{sha256};

# each time that it writes, the clients have asked once more from first to last

my $slow = preload($t, 'slow', "#define ROUNDS \"$d/rounds\"\n" . <<'EOF_C');
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static off_t
rounds(void)
{
    struct stat  sb;

    return stat(ROUNDS, &sb) == 0 ? sb.st_size : 0;
}

int
msync(void *addr, size_t len, int flags)
{
    off_t  before;

    before = rounds();

    while (rounds() < before + 2) {
        (void) usleep(1000);
    }

    return (int) syscall(SYS_msync, addr, len, flags);
}
EOF_C

open my $rounds, '>>', "$d/rounds" or die "Can't open rounds: $!\n";
$rounds->autoflush(1);

$t->run();

my @clients = clients();

is(join(' ', map { ask($_) } @clients), '200 200 200 200', 'let in');

# a change of each account is seen by the clients that have it, back to back

foreach my $id (qw/ pw key cert /) {
    during("disable $id", $id => 403, [ 'disable', $id ]);
    during("enable $id", $id => 200, [ 'enable', $id ]);
}

$t->write_file('other', "other\n");
$t->write_file('secret', "secret\n");
during('another password', pw => 401,
    [ 'set', 'pw', '--password-file', "$d/other" ]);
during('the first password', pw => 200,
    [ 'set', 'pw', '--password-file', "$d/secret" ]);
during('no key', key => 403, [ 'set', 'key', '--drop-psk', 'dev' ]);
during('no certificate', cert => 403,
    [ 'set', 'cert', '--drop-cert-key', 'sha256:' . $sha256 ]);
during('gone', pw => 401, [ 'del', 'pw' ]);

# a store as a whole: nobody reads the one before when restore returns

during('restore', all => 200, [ 'restore', "$d/backup" ]);
during('disable in the restored one', pw => 403, [ 'disable', 'pw' ]);
another_second();
during('restore again', all => 200, [ 'restore', "$d/backup" ]);

# rekey changes nothing, and what is changed behind it is in force

during('prepare', all => 200, [ 'rekey', '--prepare' ]);
ok(reload_wait($t), 'reload');
@clients = clients();
during('rekey', all => 200, [ 'rekey' ]);

foreach my $id (qw/ pw key cert /) {
    during("rekey, disable $id", $id => 403, [ 'disable', $id ]);
    during("rekey, enable $id", $id => 200, [ 'enable', $id ]);
}

during('finish', all => 200, [ 'rekey', '--finish' ]);
cmp_ok($asked, '>', 100, 'many requests meanwhile');

###############################################################################

# Runs the verb, asks with all clients as long as it runs, and then what each
# is answered: those of the account (of all) the status, others 200.

sub during {
    my ($name, $id, $status, $verb) = @_;
    my ($pid, $exit);

    $pid = fork() // die "Can't fork: $!\n";

    if ($pid == 0) {
        $ENV{LD_PRELOAD} = $slow;
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', "$d/said";
        exec $program, '--store', "$d/store", '--key', "$d/store.key",
            @$verb or die "Can't run $program: $!\n";
    }

    while (waitpid($pid, WNOHANG) == 0) {
        $asked += grep { ask($_) } @clients;
        print {$rounds} "\n";
    }

    $exit = $?;
    diag(slurp("$d/said")) if $exit;

    is("exit $exit, " . join(', ', map { "$_->{method} " . ask($_) } @clients),
        'exit 0, ' . join(', ', map { "$_->{method} "
            . ($_->{account} eq $id || $id eq 'all' ? $status
                : $standing{$_->{account}} // 200) } @clients), $name);

    $standing{$_} = $status
        foreach $id eq 'all' ? qw/ pw key cert / : $id;
}

# one for each method, on a connection of its own
sub clients {
    return (
        client('basic', 'pw', 8080),
        client('digest', 'pw', 8081),
        client('psk', 'key', 8443, psk('dev', KEY), SSL_version => 'TLSv1_3'),
        client('x509', 'cert', 8443, SSL_cert_file => "$d/dev.crt",
            SSL_key_file => "$d/dev.key"),
    );
}

sub client {
    my ($method, $account, $port, %ssl) = @_;

    return { method => $method, account => $account,
        connection => keepalive($port, %ssl ? (SSL => 1, %ssl) : ()),
        session => Test::DmSec::Session->new(user => 'pw',
            password => 'secret') };
}

sub ask {
    my ($c) = @_;
    my ($r);

    return status($c->{connection}->request(request('GET', '/',
        $c->{method} eq 'basic' ? basic('pw', 'secret') : ()))) // 0
        if $c->{method} ne 'digest';

    # with a nonce that it has, or else a new one

    foreach my $try (1 .. 2) {
        $r = $c->{connection}->request($c->{session}->next_request()) // '';
        last unless $r =~ /^HTTP\S+ 401/;
        $c->{session}->renew($r);
    }

    return status($r) // 0;
}

# the store before is kept under the second in which it went
sub another_second {
    my ($now) = time();

    wait_for(2, sub { time() > $now });
}

###############################################################################
