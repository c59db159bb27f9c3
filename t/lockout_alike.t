#!/usr/bin/perl

# Tests that each name is answered alike while wrong passwords are counted:
# one that nobody has, an account without a password or without that algorithm,
# one that is disabled, has expired or was unlocked before.  The same status
# after as many failures, with the same headers.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::MD5 qw/ md5_hex /;
use JSON::PP qw/ encode_json /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use constant ATTEMPTS => 3;

my @accounts = (
    { name => 'password', password => 'right' },
    { name => 'md5', digest => { MD5 => md5_hex('md5:dm.example:right') } },
    { name => 'psk', psk => [ { identity => 'psk', key => '11' x 16 } ] },
    { name => 'cert', cert_keys => [ 'sha256:' . 'ab' x 32 ] },
    { name => 'disabled', password => 'right', state => 'disabled' },
    { name => 'expired', password => 'right',
        not_after => '2020-01-01T00:00:00Z' },
    { name => 'unlocked', password => 'right' },
);

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy realip/)
    ->plan(7 * (@accounts + 1) + 6);

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
    dm_sec_plaintext_auth on;

    dm_sec_zone    dm_sec:1m;
    dm_sec_lockout attempts=3 window=1h duration=1h;

    set_real_ip_from 127.0.0.0/8;
    real_ip_header   X-Real-IP;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            dm_sec_auth basic digest;
            dm_sec_digest_algorithms SHA-256 SHA-512-256 MD5;
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

store($t, realm => 'dm.example');
account($t, 'import', '-', { stdin => join '', map {
    encode_json({ id => "id-$_->{name}", %$_ }) . "\n" } @accounts });
account($t, 'unlock', 'id-unlocked') for 1 .. 3;

upstream($t, 8081);
$t->run();

###############################################################################

my $client = persistent(8080);
my $dir = $t->testdir();
my ($net, %lines) = (0);

foreach my $scheme ('basic', map { ($_, "$_ userhash") } 0 .. 2) {
    $net++;

    my $nobody = answers($scheme, 'nobody');

    is(join(' ', $nobody =~ m{^HTTP/1.1 (\d+)}mg),
        '401 ' x ATTEMPTS . '429 429', "$scheme: nobody");

    for (map { $_->{name} } @accounts) {
        is(answers($scheme, $_), $nobody, "$scheme: $_");
    }
}

# what a connection has proven is not looked up again, and nothing else: that
# it takes less time would tell that there is such an account

foreach my $name ('nobody', 'password') {
    my $before = looked_up();

    for (1 .. 20) {
        $net++;
        response('basic', $name, 'wrong');
    }

    cmp_ok(looked_up() - $before, '>=', 20, "$name: looked up each time");
}

# a right one is another matter, as long as it is not locked

$net++;

is(one('basic', 'disabled', 'right'), 403, 'disabled');
is(one('basic', 'unlocked', 'right'), 200, 'unlocked');
is(one('basic', 'cert', ''), 401, 'an empty password is none');
is(upstream_count($t, 8081), 1, 'upstream contacted once');

###############################################################################

# by all workers: each has a slot, whose counter goes up by 2 with each
sub looked_up {
    my ($sum) = (0);

    foreach my $slot (glob $dir . '/store/readers.*/*') {
        open my $fh, '<:raw', $slot or die "$slot: $!\n";
        read $fh, my $counter, 8;
        $sum += unpack('Q', $counter) >> 1;
    }

    return $sum;
}

# of wrong passwords until it is locked, and then; without what is random
sub answers {
    my ($scheme, $name) = @_;

    return join '', map {
        my $r = response($scheme, $name, 'wrong');

        $r =~ s/(nonce|opaque)="[^"]*"/$1/g;
        $r =~ s/^(Date|Retry-After): .*$/$1/mg;
        $r;
    } 1 .. ATTEMPTS + 2;
}

sub one {
    return status(response(@_));
}

sub response {
    my ($scheme, $name, $password) = @_;
    my (@head) = ("X-Real-IP: 10.0.$net.1", 'Connection: keep-alive');
    my ($credentials);

    if ($scheme eq 'basic') {
        $credentials = basic($name, $password);

    } else {
        my ($n, $userhash) = split / /, $scheme;
        my @challenges = grep { $_->{scheme} eq 'Digest' }
            challenges($client->(request('GET', '/', @head)));

        $credentials = digest($challenges[$n], user => $name,
            password => $password, $userhash ? (userhash => 1) : ());
    }

    return $client->(request('GET', '/', @head, $credentials));
}

###############################################################################
