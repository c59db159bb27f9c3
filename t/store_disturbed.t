#!/usr/bin/perl

# Tests for somebody who has his hands on the files of a store that nginx
# serves from: its lock file is removed, and its data is copied over.  Who has
# the right password is answered 200, or 503 for a while, and never 401.

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

my $t = Test::Nginx->new()->has(qw/ http /)->plan(38);

my $d = $t->testdir();
my $me = request('GET', '/file', basic('me', 'secret'));

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'import', '-', { stdin => join '', map {
    "{\"id\":\"n$_\",\"password\":\"p$_\"}\n" } 1 .. 200 });
account($t, 'backup', "$d/backup");
account($t, 'add', 'me', { password => 'secret' });
account($t, 'backup', "$d/later");

$t->write_file('file', 'here');
conf($t, files() . <<'EOF_HTTP', main => 'worker_rlimit_core 0;');
keepalive_requests 1000000;
dm_sec_lockout     off;
EOF_HTTP

$t->run();

my $kept = keepalive(8080);

is(status($kept->request($me)), 200, 'let in');

# another store in its place: an open connection sees it before any new one

account($t, 'disable', 'me');
account($t, 'backup', "$d/disabled");
account($t, 'enable', 'me');
is(status($kept->request($me)), 200, 'enabled');

rename "$d/store", "$d/before" or die "Can't rename: $!\n";
rename "$d/disabled", "$d/store" or die "Can't rename: $!\n";

# pause: a worker does not look more often than each 10 ms
select undef, undef, undef, 0.05;
is(status($kept->request($me)), 403, 'another store, an open connection');
is(status(keepalive(8080)->request($me)), 403, 'a new one');
account($t, 'enable', 'me');

# the data is copied over while nobody asks, so that no worker is killed

my %idle;

foreach my $n (1 .. 4) {
    account($t, 'add', "some-$n", { password => 'secret' });
    status($kept->request($me));

    copied_over('later');

    ok(wait_for(60, sub {
        my @status = map { status($_->request($me)) // 0 }
            $kept, keepalive(8080);

        $idle{$_}++ foreach @status;
        $kept = keepalive(8080) unless $status[0];

        return "@status" eq '200 200';
    }), "copied over $n: served again");
}

delete @idle{qw/ 200 503 0 /};
is_deeply(\%idle, {}, 'copied over: no wrong password');

# the same while clients ask all the time

$t->write_file("status-$_", '') foreach 1 .. 3;
$t->run_daemon(\&serve_client, $_) foreach 1 .. 3;
ok(soon('200'), 'served');

foreach my $copy ('backup', 'later', 'backup') {
    copied_over($copy);
    account($t, 'unlock', 'n1') foreach 1 .. 3;
    ok(soon('200'), "copied over with $copy: served again");
}

account($t, 'add', 'after', { password => 'secret' });
ok(each_is('200', basic('after', 'secret')), 'a change in what was copied');

$t->stop_daemons();

my %status;
$status{$_}++ foreach map { split /\n/, $t->read_file("status-$_") } 1 .. 3;

cmp_ok(delete $status{200}, '>', 100, 'many requests meanwhile');

# a worker that meets the file while it is short is killed
delete @status{qw/ 503 0 /};
is_deeply(\%status, {}, 'none was told that its password is wrong');

my $died = () = log_lines($t, qr/\[alert\]/, 0);

cmp_ok($died, '<=', 7 * workers($t), 'no more died than were there each time');

# a FIFO in its place, which whoever opens it could wait at, and no worker does

$kept = keepalive(8080);
rename "$d/store/data.mdb", "$d/store/away" or die "Can't rename: $!\n";
run_command([ 'mkfifo', '-m', '666', "$d/store/data.mdb" ]);

ok(each_is('503', basic('me', 'secret')), 'a FIFO in its place: 503');
isnt((dm_account($t, 'disable', 'me'))[0], 0, 'nor does dm-account');

rename "$d/store/away", "$d/store/data.mdb" or die "Can't rename: $!\n";
ok(each_is('200', basic('n1', 'p1')), 'and without it served again');

# the lock file is gone: each change is seen, by new and by open connections

account($t, 'add', 'me', { password => 'secret' });
$kept = keepalive(8080);

foreach my $n (1 .. 4) {
    unlink "$d/store/lock.mdb" or die "Can't unlink: $!\n";

    foreach ([ disable => 403 ], [ enable => 200 ]) {
        my ($verb, $status) = @$_;

        account($t, $verb, 'me');
        is(status($kept->request($me)), $status, "no lock file: $verb $n");
        is(status(keepalive(8080)->request($me)), $status,
            "no lock file: $verb $n, a new connection");
    }
}

$t->stop();

# SIGBUS, and nothing else; and none for the lock file

is(other_alerts($t, 7, 10), '', 'no other alerts');
is(scalar(() = log_lines($t, qr/\[alert\]/, 0)), $died,
    'and none but for what was copied');

# a worker need not have met the file while it was short
$t->todo_alerts() if $died;

undef $t;

###############################################################################

# asks for one account after another, on open and new connections, and notes
# each status

sub serve_client {
    my ($n) = @_;
    my ($client);

    open my $fh, '>>', "$d/status-$n" or die "Can't open: $!\n";
    $fh->autoflush(1);

    for (my $i = $n; ; $i = ($i * 7 + $n) % 200 + 1) {
        undef $client if $i % 4 == 0;
        $client ||= keepalive(8080);

        my $r = $client->request(request('GET', '/file',
            basic("n$i", "p$i")));

        print $fh status($r) || 0, "\n";
        undef $client unless defined $r;

        # pause: three clients are not to have the machine to themselves
        select undef, undef, undef, 0.003;
    }
}

# A worker that meets the file while it is short dies of it: then the others
# read it no more until it was found whole.

sub copied_over {
    my ($copy) = @_;

    run_command([ 'cp', "$d/$copy/data.mdb", "$d/store/data.mdb" ]);
    account($t, 'check');
}

# Whether each worker answers so before long.  One that has no store open looks
# for it each second, whatever the others have.
sub each_is {
    my ($status, $header) = @_;

    return wait_for(60, sub {
        return !grep { ($_ // '') ne $status } each_worker($t, sub {
            return scalar status(keepalive(8080)->request(
                request('GET', '/file', $header)));
        });
    });
}

# whether all clients get this before long, and then again and again
sub soon {
    my ($status) = @_;
    my (@from) = map { length $t->read_file("status-$_") } 1 .. 3;

    return wait_for(60, sub {
        return 3 == grep {
            my @last = split /\n/, substr $t->read_file("status-$_"),
                $from[$_ - 1];

            @last > 20 && !grep { $_ ne $status } @last[-20 .. -1];
        } 1 .. 3;
    });
}

###############################################################################
