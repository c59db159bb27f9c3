#!/usr/bin/perl

# Tests for dm-account import, backup and restore while nginx serves from the
# store: no request is lost, and what is in force is what was restored.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf files /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(12);

my $d = $t->testdir();

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'me', { password => 'secret' });
account($t, 'add', 'other', { password => 'secret' });

$t->write_file('file', 'here');
conf($t, files() . <<'EOF_HTTP');
keepalive_requests 10;
dm_sec_lockout     off;
EOF_HTTP

$t->run();

# a client for each of the accounts: me is in every store, other is not

foreach my $user (qw/ me other /) {
    $t->write_file("status-$user", '');
    $t->run_daemon(\&serve_client, $user);
}

ok(soon('other', 200), 'served');
account($t, 'backup', "$d/backup");
account($t, 'del', 'other');
ok(soon('other', 401), 'an account is deleted');

like(account($t, 'restore', "$d/backup"), qr/^restored 2 accounts, realm "ex/,
    'restore');
ok(soon('other', 200), 'the account is there again');

account($t, 'disable', 'other');
ok(soon('other', 403), 'a change in the restored store');

# many accounts in one transaction, for which the map grows

like(account($t, 'import', '-', { stdin => join '', map {
    "{\"id\":\"n$_\",\"password\":\"$_\"}\n" } 1 .. 5000 }),
    qr/: 5000 added/, 'import');
ok(soon('other', 403), 'after the import');
is(status(keepalive(8080)->request(request('GET', '/file',
    basic('n5000', '5000')))), 200, 'an imported account');

# the store that was there is kept under the second in which it went

my $now = time();
wait_for(30, sub { time() > $now });

like(account($t, 'restore', "$d/backup"), qr/^restored 2 /, 'restore again');
ok(soon('other', 200), 'the account is enabled again');

wait_for(60, sub { my %count = counts('me'); $count{200} > 50 });
$t->stop_daemons();

my %me = counts('me');
my $answered = delete $me{200};

# enough to have met each of the steps above, on a slow machine too
cmp_ok($answered, '>', 50, 'many requests meanwhile');
is_deeply(\%me, {}, 'none of them was lost or refused');

undef $t;

###############################################################################

# asks again and again, one worker after the other, and notes each status

sub serve_client {
    my ($user) = @_;
    my ($client);

    open my $fh, '>>', "$d/status-$user" or die "Can't open: $!\n";
    $fh->autoflush(1);

    for ( ;; ) {
        $client ||= keepalive(8080);

        my $r = $client->request(request('GET', '/file',
            basic($user, 'secret')));
        print $fh status($r) || 0, "\n";

        # nginx says so where it ends a connection
        undef $client if ($r // '') !~ /^Connection: keep-alive\r$/m;

        # pause: clients that leave others the machine
        select undef, undef, undef, 0.005;
    }
}

# whether it is answered so before long, and then again and again
sub soon {
    my ($user, $status) = @_;

    return wait_for(30, sub {
        my @last = split /\n/, $t->read_file("status-$user");

        return @last > 20
            && !grep { $_ ne $status } @last[-20 .. -1];
    });
}

sub counts {
    my ($user) = @_;
    my (%count);

    $count{$_}++ foreach split /\n/, $t->read_file("status-$user");

    return %count;
}

###############################################################################
