#!/usr/bin/perl

# Measures that a handshake with an identity that nobody has costs the server
# the time that one with a wrong key costs, in each version.

###############################################################################

use warnings;
use strict;

use Test::More;

use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; chdir("$FindBin::Bin/../t"); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf psk_only /;
use Test::DmSec::Process qw/ slurp /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use constant { ACCOUNTS => 1000, ROUNDS => 81, HANDSHAKES => 8 };

# what may be between the two medians
use constant TOLERANCE => 0.1;

my $t = Test::Nginx->new()->has(qw/http http_ssl socket_ssl/)
    ->has_daemon('openssl')->plan(7);

conf($t, psk_only() . <<'EOF_HTTP');
dm_sec_log_limit off;
EOF_HTTP

my $d = $t->testdir();

ca($t, 'ca');
cert($t, 'rsa', ca => 'ca', key => 'rsa:2048');
store($t, realm => 'example');
account($t, 'import', '--format', 'psk', '-', { stdin => join '', map {
    "dev$_:" . 'a5' x 32 . "\n" } 1 .. ACCOUNTS });

$t->run();

my @workers = workers($t);
my $n = 0;

srand(1);

###############################################################################

foreach ([ 'TLSv1_2', 'PSK-AES128-GCM-SHA256' ], [ 'TLSv1_3' ]) {
    my ($version, $suite) = @$_;
    my $name = join ' ', $version, $suite // ();
    my %o = (SSL_version => $version, $suite ? (SSL_cipher_list => $suite)
        : ());
    my (%cost, @ratios);

    foreach (1 .. ROUNDS) {

        # first the one, then the other
        foreach my $kind ($_ % 2 ? qw/ dev nul / : qw/ nul dev /) {
            $cost{$kind} = cost($kind, %o);
        }

        push @ratios, $cost{nul} / $cost{dev};
    }

    @ratios = sort { $a <=> $b } @ratios;

    my $median = $ratios[$#ratios / 2];

    diag(sprintf '%s: unknown / wrong key: %.3f (%.3f to %.3f), last %.0f us',
        $name, $median, @ratios[0, -1], $cost{nul} / 1000)
        if $ENV{TEST_NGINX_VERBOSE};

    cmp_ok($median, '>', 1 - TOLERANCE, "$name, an unknown one is not quicker");
    cmp_ok($median, '<', 1 + TOLERANCE, "$name, nor slower");
}

my %reasons;

$reasons{$_->{reason}}++ foreach handshake_failures($t,
    2 * 2 * ROUNDS * HANDSHAKES);

is($reasons{psk_unknown_identity}, 2 * ROUNDS * HANDSHAKES, 'unknown');
is($reasons{psk_wrong_key}, 2 * ROUNDS * HANDSHAKES, 'wrong key');
is(keys %reasons, 2, 'nothing else');

undef $t;

###############################################################################

# CPU time of the workers for some handshakes that fail, in ns
sub cost {
    my ($kind, %o) = @_;
    my ($before) = used();

    foreach (1 .. HANDSHAKES) {
        keepalive(8443, SSL => 1, %o,
            psk($kind . (1 + int rand ACCOUNTS), '5a' x 32));
    }

    # until they are at rest
    sleep(0.005);

    return used() - $before;
}

sub used {
    my ($sum) = 0;

    $sum += (split ' ', slurp("/proc/$_/schedstat"))[0] foreach @workers;

    return $sum;
}

###############################################################################
