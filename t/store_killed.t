#!/usr/bin/perl

# Tests for a dm-account that is killed before each of the system calls by
# which it changes a store, in each verb that does: what a new connection sees
# and what an open one sees is the same, is the state before or the state
# after, and stays what it is when somebody else changes another account.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Attack qw/ FULL /;
use Test::DmSec::Conf qw/ conf files /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

# what is written through the map lies between these
use constant CALLS => FULL ? 'all'
    : 'msync,ftruncate,fsync,fdatasync,rename,renameat2,unlink,mkdir';

my $t = Test::Nginx->new()->has(qw/ http /)->has_daemon('strace')->plan(13);

my $d = $t->testdir();
my $program = $ENV{TEST_DM_ACCOUNT} || '../build/dm-account';

$t->write_file('file', 'here');
conf($t, files('try_files /file =404;') . <<'EOF_HTTP');
keepalive_requests 1000000;
dm_sec_lockout     off;
EOF_HTTP

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'me', { password => 'secret' });
account($t, 'add', 'aside', { password => 'secret' });
account($t, 'backup', "$d/enabled");
account($t, 'disable', 'me');
account($t, 'backup', "$d/disabled");
account($t, 'enable', 'me');

$t->write_file('other', "other\n");
$t->write_file('secret', "secret\n");
$t->write_file('new.jsonl', '{"id":"me","state":"disabled"}' . "\n");

$t->run();

my @served = ('--store', "$d/store", '--key', "$d/store.key");
my $kept = keepalive(8080);
my $aside = 0;

# each verb from 200 to what it makes of it, and how to get back

killed('disable', 403, [ 'disable', 'me' ], [ 'enable', 'me' ]);
killed('set', 401, [ 'set', 'me', '--password-file', "$d/other" ],
    [ 'set', 'me', '--password-file', "$d/secret" ]);
killed('del', 401, [ 'del', 'me' ],
    [ 'add', 'me', '--password-file', "$d/secret" ]);
killed('import', 403, [ 'import', '--update', "$d/new.jsonl" ],
    [ 'enable', 'me' ]);
killed('restore', 403, [ 'restore', "$d/disabled" ], [ 'enable', 'me' ]);

killed('unlock', 200, [ 'unlock', 'me' ]);

# what is made beside it: each time somewhere else, whole or not at all, and
# made when it is tried again; init is told that the key is its own

made('backup', sub { (@served, 'backup', $_[0]) });
made('init', sub { ('--store', $_[0], '--key', "$_[0].key", 'init',
    '--realm', 'new', '--owner', 'nobody', '--map-size', '1m',
    -e "$_[0].key" ? '--share-key' : ()) });

account($t, 'del', 'me');
killed('add', 200, [ 'add', 'me', '--password-file', "$d/secret" ],
    [ 'del', 'me' ], 401);

account($t, 'add', 'me', { password => 'secret' }) if answer() != 200;
killed('rekey --prepare', 200, [ 'rekey', '--prepare' ]);
reload_wait($t);
$kept = keepalive(8080);
killed('rekey', 200, [ 'rekey' ]);
killed('rekey --finish', 200, [ 'rekey', '--finish' ]);

like(account($t, 'check'), qr/, 0 damages$/m, 'no damage');

undef $t;

###############################################################################

# Kills the verb before its first such call, its second, and so on, until it
# comes to its end.

sub killed {
    my ($name, $after, $verb, $back, $before) = @_;
    my ($exit, @wrong, $seen);

    $before //= 200;

    for (my $n = 1; $n < 1000; $n++) {
        $exit = killed_at($n, @served, @$verb);
        $seen = answer();

        push @wrong, "call $n: $seen"
            unless $seen eq $before || $seen eq $after;

        account($t, $aside++ % 2 ? 'enable' : 'disable', 'aside');

        push @wrong, "call $n: $seen, then " . answer()
            if answer() ne $seen;

        last if $exit != 137;

        account($t, @$back) if $back && $seen eq $after;
        push @wrong, "call $n: not back" if answer() ne $before;
    }

    push @wrong, "exit $exit" if $exit;
    push @wrong, "$seen at the end" if $seen ne $after;

    is(join("\n", @wrong), '', $name);

    account($t, @$back) if $back;
}

# The same with a verb that makes a store, of which the one that is served
# knows nothing.
sub made {
    my ($name, $verb) = @_;
    my ($exit, @wrong);

    for (my $n = 1; $n < 1000; $n++) {
        my $path = "$d/$name-$n";
        my $there;

        $exit = killed_at($n, $verb->($path));

        push @wrong, "call $n: " . answer() if answer() ne 200;

        $there = -e $path;
        push @wrong, "call $n: not whole" if $there && !whole($path);
        last if $exit != 137;

        my ($again, undef, $err) = run_command([ $program, $verb->($path) ]);

        push @wrong, "call $n: again: $err" if $again
            && !($there && $err =~ / exists/) || !whole($path);
    }

    push @wrong, "exit $exit" if $exit;

    is(join("\n", @wrong), '', $name);
}

sub whole {
    my ($path) = @_;
    my ($key) = grep { -e } "$path.key", "$d/store.key";

    return (run_command([ $program, '--store', $path, '--key', $key,
        'check' ]))[0] == 0;
}

# what both connections are answered
sub answer {
    my ($request) = request('GET', '/', basic('me', 'secret'));
    my ($old, $new) = map { status($_->request($request)) // 0 }
        $kept, keepalive(8080);

    return $old eq $new ? $old : "$old, a new connection $new";
}

sub killed_at {
    my ($n, @verb) = @_;

    # a store that is put aside has the second in its name
    another_second() if grep { $_ eq 'restore' } @verb;

    # the sanitizer looks for leaks by ptrace(), as strace does
    local $ENV{ASAN_OPTIONS} = ($ENV{ASAN_OPTIONS} // '') . ':detect_leaks=0';

    return (run_command([ 'strace', '-f', '-qq', '-o', '/dev/null',
        '-e', 'trace=' . CALLS, '-e', 'inject=' . CALLS
        . ":signal=KILL:when=$n", $program, @verb ]))[0];
}

sub another_second {
    my ($now) = time();

    wait_for(2, sub { time() > $now });
}

###############################################################################
