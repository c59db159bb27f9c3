#!/usr/bin/perl

# Tests for a store whose pages are damaged while nginx serves: it costs a
# worker or two, then it is left alone until it is replaced or found whole.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::Process qw/ slurp /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

use constant PAGE => 4096;

select STDERR; $| = 1;
select STDOUT; $| = 1;

# a worker that dies is an alert
my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/)->plan(22)
    ->todo_alerts();
my $d = $t->testdir();

# a library of sanitizers would report what is meant to happen
$ENV{ASAN_OPTIONS} .= ':handle_segv=0:handle_abort=0' if $ENV{ASAN_OPTIONS};

conf($t, <<'EOF_HTTP', main => 'worker_rlimit_core 0;');

dm_sec_plaintext_auth on;
dm_sec_lockout        off;

server {
    listen       127.0.0.1:8080;
    server_name  localhost;

    location / {
        dm_sec_auth basic;
        proxy_pass http://127.0.0.1:8081;
    }

    location /status {
        dm_sec_status json;
        allow 127.0.0.1;
        deny all;
    }
}

EOF_HTTP

store($t, realm => 'dm.example', args => [ '--map-size', '1m' ]);
$t->write_file('accounts', join '', map { qq[{"id":"IMEI:$_","name":"n$_",]
    . qq["password":"secret","groups":["g$_"]}\n] } 1 .. 30);
account($t, 'import', "$d/accounts");

my $whole = $t->read_file('store/data.mdb');

upstream($t, 8081);
$t->run();

my $master = master($t);
my $workers = () = workers($t);

###############################################################################

is(try(1), '200 upstream', 'at the start');

# signals that somebody sent say nothing of the store

kill_worker($t, $_) foreach workers($t);
is(try(1), '200 upstream', 'workers that were killed');

kill_worker($t, $_, 'SEGV') foreach workers($t);
is(try(1), '200 upstream', 'workers that were sent SIGSEGV');

my $deaths = deaths();

# damaged under the workers: the first to read it die, and no others

damage();

my @verdicts = map { try($_ % 30 + 1) } 1 .. 100;

is_deeply([ grep { !/^(?:0|503 store_unavailable)$/ } @verdicts ], [],
    'damaged: nothing else than 503');
is($verdicts[-1], '503 store_unavailable', 'damaged: in the end 503');
cmp_ok(deaths($deaths + 1) - $deaths, '>=', 1, 'a worker died');
cmp_ok(deaths() - $deaths, '<=', $workers, 'and none that came after');

# by one that looks for its store, as each does once a second

is(said(1), 1, 'it is said once');
is(damaged(), 1, 'and shown on the status page');

# the master goes on

my ($emerg) = scalar(my @lines = log_lines($t, qr/\[emerg\]/, 0));

$t->reload();
like((log_lines($t, qr/\[emerg\]/, $emerg + 1))[$emerg] // '',
    qr/ended by signal \d+: its file is damaged/, 'a reload is refused');
like(slurp("/proc/$master/stat"), qr/\) [^Z] /, 'the master goes on');

# found damaged is not found whole

isnt((dm_account($t, 'check'))[0], 0, 'dm-account check finds it damaged');
ok(! -e "$d/store/checked", 'and leaves no stamp');

# a backup in its place

run_command([ 'cp', '-a', "$d/store", "$d/new" ]);
put('new/data.mdb', $whole);
rename "$d/store", "$d/bad" or die "Can't rename: $!\n";
rename "$d/new", "$d/store" or die "Can't rename: $!\n";

ok(wait_for(60, sub { try(1) eq '200 upstream' }), 'replaced by a backup');
ok(wait_for(30, sub { damaged() == 0 }), 'and shown');

# a worker that still has the old file would die of that, and say so
wait_for(60, sub { !reading('bad') });

# the same file, mended

$deaths = deaths();
damage();
try(1);
ok(wait_for(60, sub { try(1) eq '503 store_unavailable' && said() == 2 }),
    'damaged again');

put('store/data.mdb', $whole);
is(try(1), '503 store_unavailable', 'nobody knows that it is mended');

account($t, 'check');
ok(wait_for(60, sub { try(1) eq '200 upstream' }), 'found whole by a check');

is(said(), 2, 'said once for each');

# a backup in its place, whose file has the number of the one that was removed

SKIP: {
run_command([ 'cp', '-a', "$d/store", "$d/good" ]);
damage();
try(1);
ok(wait_for(60, sub {
    try(1) eq '503 store_unavailable' && !reading('store')
}), 'damaged a third time');

my $ino = (stat "$d/store/data.mdb")[1];
run_command([ 'rm', '-rf', "$d/store" ]);
again($ino) or skip('the file system gives no number again', 1);
ok(wait_for(60, sub { try(1) eq '200 upstream' }), 'replaced, the same number');
}

# those that were sent here, and what a damaged page can end in
$t->stop();
is(other_alerts($t, 6, 7, 9, 10, 11), '', 'no other alerts');

undef $t;

###############################################################################

# what becomes of a request with a connection of its own
sub try {
    my ($n) = @_;

    return verdict($t, keepalive(8080)->request(request('GET', '/',
        basic("n$n", 'secret'))), 8081);
}

# the good store in its place, with a file of that number: 1, else 0
sub again {
    my ($ino) = @_;

    foreach my $n (1 .. 50) {
        run_command([ 'cp', '-a', "$d/good", "$d/again-$n" ]);
        next if (stat "$d/again-$n/data.mdb")[1] != $ino;

        rename "$d/again-$n", "$d/store" or die "Can't rename: $!\n";
        return 1;
    }

    return 0;
}

# whether a worker has that store's file mapped
sub reading {
    my ($store) = @_;

    return grep { slurp("/proc/$_/maps") =~ m{/$store/data\.mdb} } workers($t);
}

# these wait until there are so many
sub deaths {
    return scalar(my @lines = log_lines($t, qr/exited on signal/, $_[0] // 0));
}

sub said {
    return scalar(my @lines = log_lines($t, qr/\[crit\].*a process died/,
        $_[0] // 0));
}

sub damaged {
    return http_get('/status') =~ /"store_damaged":\s*(\d)/ ? $1 : -1;
}

# The pointers at the head of each page that is in use, in a file that is no
# longer than these: what they point to is behind it.
sub damage {
    my ($last) = map { $_->[0] } sort { $b->[1] <=> $a->[1] }
        map { [ unpack "x$_ Q2", $whole ] } map { $_ + 136 } 0, PAGE;
    my ($data) = substr($whole, 0, ($last + 1) * PAGE);

    substr($data, $_ * PAGE + 16, 64) = "\xff" x 64 foreach 2 .. $last;

    put('store/data.mdb', $data);
    truncate "$d/store/data.mdb", length $data;
}

# into the file that is there
sub put {
    my ($name, $data) = @_;

    open my $fh, '+<:raw', "$d/$name" or die "Can't open $name: $!\n";
    print {$fh} $data;
    close $fh or die "Can't write $name: $!\n";
}

###############################################################################
