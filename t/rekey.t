#!/usr/bin/perl

# Tests for dm-account rekey while nginx serves from the store: through all of
# its steps, refused and killed ones too, each request is answered 200, with a
# password and with a pre-shared key, in a handshake of its own.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf files /;
use Test::DmSec::Preload qw/ halt /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use constant ACCOUNTS => 15000;

my $t = Test::Nginx->new()->has(qw/ http http_ssl socket_ssl /)
    ->has_daemon('openssl')->plan(40)->todo_alerts();

my $d = $t->testdir();
my $program = $ENV{TEST_DM_ACCOUNT} || '../build/dm-account';

store($t, realm => 'example');
account($t, 'add', 'me', { password => 'secret' });
account($t, 'import', '-', { stdin => join '', map {
    "{\"id\":\"n$_\",\"password\":\"p$_\",\"psk\":[{\"identity\":\"i$_\","
    . "\"key\":\"@{[psk_of($_)]}\"}]}\n" } 1 .. ACCOUNTS });
ca($t, 'ca');
cert($t, 'ec', ca => 'ca');

$t->write_file('file', 'here');
conf($t, files() . <<'EOF_HTTP');

keepalive_requests 50;
dm_sec_lockout     off;

server {
    listen       127.0.0.1:8443 ssl;
    server_name  localhost;

    ssl_certificate      ec.crt;
    ssl_certificate_key  ec.key;

    root %%TESTDIR%%;

    dm_sec_profile modern;
    dm_sec_auth    psk;
}

EOF_HTTP

$t->run();
$t->write_file("status-$_", '') foreach 1 .. 3;
$t->run_daemon(\&serve_client, $_) foreach 1 .. 3;

ok(served(), 'served');

# prepared, but nobody knows it

like(account($t, 'rekey', '--prepare'), qr/^prepared key "k2"/, 'prepare');

is(join(' ', refused()), join(' ', sort { $a <=> $b } workers($t)),
    'refused for all workers');

# nor does a worker that the same master starts later: its keys are older

kill_worker($t, (workers($t))[0]);
is(join(' ', refused()), join(' ', sort { $a <=> $b } workers($t)),
    'refused for a worker that has only just started');
ok(served(), 'served all the same');

# nor does one whose file in the store was removed: it makes another

my ($slots) = glob $t->testdir() . '/store/readers.*';

unlink glob "$slots/*";
ok(wait_for(60, sub { (() = glob "$slots/*") == workers($t) }),
    'removed: each worker is there again');
is(join(' ', refused()), join(' ', sort { $a <=> $b } workers($t)),
    'removed: refused for all workers');

rename($slots, "$slots.away") or die "rename: $!\n";
ok(wait_for(60, sub { $t->read_file('error.log') =~ /do not see this worker/ }),
    'away: it is said');
ok(served(), 'away: served all the same');
rename("$slots.away", $slots) or die "rename: $!\n";

# an old worker that still has a request to end

my $slow = keepalive(8080);
my ($head, $rest) = split /(?<=localhost\r\n)/,
    request('GET', '/file', basic('me', 'secret')), 2;

ok($slow->send($head), 'half of a request');
ok(wait_for(60, sub { $slow->is_read() }), 'which a worker has read');
$t->reload();
my @last;
ok(wait_for(30, sub {
    @last = refused();

    # before the reload took effect there is one as well
    return @last == 1 && !grep { $_ == $last[0] } workers($t);
}), 'only one is left, which is none of the new ones');
is((accounts_left())[0], 'k1', 'refused: nothing is sealed with the new key');

is(status($slow->request($rest)), 200, 'its request is answered');
$slow->close();
ok(wait_for(30, sub { !kill 0, $last[0] }), 'and it is gone');

# killed in the middle: it takes the lock a few times, and then no more

my $halt = halt($t, 'halt', 'flock', 'operation == LOCK_EX && ++n > 5');
my $pid = rekey($halt);
my ($left, $writer);

wait_for(60, sub { -e "$d/halt.halted" }) or die "no steps\n";
$left = accounts_left();

$writer = (dm_account($t, 'add', 'between', { password => 'secret' }))[0];
kill 'KILL', $pid;
waitpid $pid, 0;

is($writer, 0, 'another writer meanwhile');
like($left, qr/^\d+$/, 'some are sealed, and some not');
ok(served(), 'killed: served');
is(answered('between', 'secret'), 200, 'killed: the account between');

ok(reload_wait($t), 'killed: reload');
ok(served(), 'killed: served after a reload');

account($t, 'disable', 'between');
is(answered('between', 'secret'), 403, 'killed: a change is in force');

# and on

like(account($t, 'rekey'), qr/^sealed \d+ of @{[ACCOUNTS + 2]} accounts /,
    'the rest');
is(accounts_left(), 'none', 'all are sealed');
kill_worker($t, (workers($t))[0]);
ok(served(), 'sealed: served, by a new worker too');

like(account($t, 'rekey', '--finish'), qr/^finished, key "k2"/, 'finish');
ok(served(), 'finished: served');
kill_worker($t, (workers($t))[0]);
ok(served(), 'finished: served by a worker that knows the old key too');

ok(reload_wait($t), 'reload');
ok(served(), 'reloaded: served');
kill_worker($t, (workers($t))[0]);
ok(served(), 'reloaded: served by another worker');
is(answered('n1', 'p1'), 200, 'an account of the first');
is(answered('n1', 'wrong'), 401, 'a wrong password is none');
is(log_lines($t, qr/dm_sec: store/, 0), 0, 'no worker had a word to say');
like(account($t, 'check'), qr/, 0 damages$/m, 'no damage');

# the old key is of no use to nginx

rename "$d/store.key", "$d/new.key" or die "Can't rename a key: $!\n";
$t->write_file('store.key', 'k1 ' . '11' x 32 . "\n");
chmod 0600, "$d/store.key";
like((nginx_t($t))[1], qr/was sealed with key "k2", which is not in the key /,
    'nginx -t with another key');
rename "$d/new.key", "$d/store.key" or die "Can't rename a key: $!\n";

$t->stop_daemons();

my %status;
$status{$_}++ foreach map { split /\n/, $t->read_file("status-$_") } 1 .. 3;
my $count = delete $status{200};

# what a worker had in hand when it was killed is nobody's fault
my $lost = delete $status{0} || 0;

cmp_ok($count, '>', 100, 'many requests meanwhile');
is_deeply(\%status, {}, 'each was answered 200');
cmp_ok($lost, '<=', 3 * 4, 'but for those that a killed worker had');

$t->stop();

is(other_alerts($t), '', 'no other alerts');

undef $t;

###############################################################################

# asks for one account after another, and notes each status; the third client
# has keys

sub serve_client {
    my ($n) = @_;
    my ($ask) = persistent(8080);

    open my $fh, '>>', "$d/status-$n" or die "Can't open: $!\n";
    $fh->autoflush(1);

    for (my $i = $n; ; $i = ($i * 7 + $n) % ACCOUNTS + 1) {
        print $fh status($n == 3
            ? scalar https(8443, request('GET', '/file'),
                psk("i$i", psk_of($i)))
            : $ask->(request('GET', '/file', basic("n$i", "p$i")))) || 0,
            "\n";

        # pause: clients that leave others the machine
        select undef, undef, undef, 0.003;
    }
}

# whether all clients get their answers from now on

sub served {
    my (@from) = map { length $t->read_file("status-$_") } 1 .. 3;

    return wait_for(30, sub {
        return 3 == grep {
            my @last = split /\n/, substr $t->read_file("status-$_"),
                $from[$_ - 1];

            @last > 20 && !grep { $_ ne '200' } @last[-20 .. -1];
        } 1 .. 3;
    });
}

sub psk_of {
    my ($n) = @_;

    return sprintf 'a5%030x', $n;
}

sub answered {
    my ($name, $password) = @_;

    return status(keepalive(8080)->request(request('GET', '/file',
        basic($name, $password))));
}

# the processes for which rekey is refused, in order; none where it is done

sub refused {
    my (undef, undef, $err) = dm_account($t, 'rekey');

    return sort { $a <=> $b } ($err =~ /^dm-account: process(?:es)? (.*?) ha/
        ? split /, /, $1 : ());
}

# What --finish says that is left to do: an old key that seals, a number of
# accounts, or none; the key file has a copy, so that it stays as it is.

sub accounts_left {
    my ($copy) = "$d/copy.key";

    run_command([ 'cp', '-p', "$d/store.key", $copy ]);

    my (undef, undef, $err) = run_command([ $program, '--store', "$d/store",
        '--key', $copy, 'rekey', '--finish' ]);

    return $err =~ /still sealed with key "(\w+)"/ ? $1
        : $err =~ /^dm-account: (\d+) accounts are not/ ? $1
        : $err eq '' ? 'none' : die "rekey --finish: $err\n";
}

sub rekey {
    my ($preload) = @_;
    my ($pid) = fork();

    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        local $ENV{LD_PRELOAD} = join ' ', $preload, $ENV{LD_PRELOAD} // ();

        open STDOUT, '>', '/dev/null';
        open STDERR, '>', "$d/said";
        exec $program, '--store', "$d/store", '--key', "$d/store.key",
            'rekey' or die "Can't run $program: $!\n";
    }

    return $pid;
}

###############################################################################
