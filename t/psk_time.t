#!/usr/bin/perl

# Tests that a handshake with an identity that nobody has is the same work for
# the server as one with a wrong key, in each version: the same look-ups and
# the same cryptography.  What it costs in time, bench/psk_unknown.t measures.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Calls;
use Test::DmSec::Clock;
use Test::DmSec::Conf qw/ conf psk_only /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use constant { ACCOUNTS => 100, ROUNDS => 5 };

my $t = Test::Nginx->new()->has(qw/http http_ssl socket_ssl/)
    ->has_daemon('openssl');
my $clock = Test::DmSec::Clock->new($t);

$t->plan(2 * ROUNDS + 5);

conf($t, psk_only() . <<'EOF_HTTP', main => <<'EOF_MAIN');
dm_sec_log_limit off;
EOF_HTTP
env FAKETIME_TIMESTAMP_FILE;
env FAKETIME_NO_CACHE;
EOF_MAIN

ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
store($t, realm => 'example');
account($t, 'import', '--format', 'psk', '-', { stdin => join '', map {
    "dev$_:" . 'a5' x 32 . "\n" } 1 .. ACCOUNTS });

my $calls = Test::DmSec::Calls->new($t, qw/ mdb_txn_begin mdb_txn_renew
    mdb_get mdb_cursor_get EVP_DecryptInit_ex2 EVP_DecryptUpdate
    EVP_DecryptFinal_ex EVP_CipherUpdate EVP_DigestFinal_ex EVP_MAC_final
    CRYPTO_memcmp /);

# Workers look after the store each second: for them none goes by.

{
    local %ENV = (%ENV, $clock->env());

    $clock->stop();
    $calls->run($t);
}

# nor do they open it any more
workers($t);

my $failures = 0;

###############################################################################

foreach ([ 'TLSv1_2', 'PSK-AES128-GCM-SHA256' ], [ 'TLSv1_3' ]) {
    my ($version, $suite) = @$_;
    my %o = (SSL_version => $version, $suite ? (SSL_cipher_list => $suite)
        : ());
    my $wrong = calls('dev1', %o);

    ok($wrong->{mdb_get} || $wrong->{mdb_cursor_get}, "$version, looks up");
    ok($wrong->{EVP_DecryptFinal_ex}, "$version, opens");

    # names between others: past the last one the cursor goes to the first

    foreach my $i (1 .. ROUNDS) {
        is_deeply(calls("dev${i}u", %o), calls("dev$i", %o),
            "$version, unknown $i is the same work");
    }
}

my %reasons;

$reasons{$_->{reason}}++ foreach handshake_failures($t, $failures);

is_deeply(\%reasons, { psk_unknown_identity => 2 * ROUNDS,
    psk_wrong_key => 2 * ROUNDS + 2 }, 'reasons');

undef $t;

###############################################################################

# what the server does for a handshake that fails: { function => calls }
sub calls {
    my ($identity, %o) = @_;
    my (%calls);

    $calls->forget();

    keepalive(8443, SSL => 1, %o, psk($identity, '5a' x 32));

    # its line is the last of it
    handshake_failures($t, ++$failures) == $failures or die "no line\n";

    $calls{s/ .*//r}++ foreach $calls->made();

    return \%calls;
}

###############################################################################
