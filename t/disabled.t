#!/usr/bin/perl

# Tests for dm-account disable while an import has the store: it does not wait,
# it is in force at nginx's next request, and it wins over the import, whether
# that ends, is killed or is interrupted.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use JSON::PP;
use POSIX qw/ WNOHANG /;

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf /;
use Test::DmSec::Preload qw/ halt /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use constant LINES => 15000;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(74);

my $d = $t->testdir();
my $program = $ENV{TEST_DM_ACCOUNT} || '../build/dm-account';
my @names = qw/ first last listed other batched /;

store($t, realm => 'example');
account($t, 'add', $_, '--name', "name-$_", { password => 'secret' })
    foreach @names;

# an import makes them active, the first before it is halted, the last behind

$t->write_file('import', join '', map { "$_\n" }
    '{"id":"first","state":"active","groups":["new"]}',
    (map { "{\"id\":\"n$_\",\"name\":\"a long enough name of number $_\","
        . "\"cert_keys\":[\"san:DNS:$_.example\"]}" } 1 .. LINES),
    '{"id":"last","state":"active","groups":["new"]}');

conf($t, <<'EOF_HTTP');

server {
    listen       127.0.0.1:8080;
    server_name  localhost;

    root %%TESTDIR%%;

    dm_sec_plaintext_auth on;

    location / {
        dm_sec_auth basic;
    }

    location /status {
        dm_sec_status prometheus;
    }
}

EOF_HTTP

$t->write_file('file', 'here');
$t->run();

my $halt = halt($t, 'halt', 'read', 'length(fd) > 1000000 && ++n > 4');
my %open = map { $_ => keepalive(8080) } @names;

is(answers(), 'first=200 last=200 listed=200 other=200 batched=200',
    'before an import');

###############################################################################

# killed

my $pid = import_halted();

is(answers(), 'first=200 last=200 listed=200 other=200 batched=200',
    'nothing of it is in force');

my ($exit, $out, $err) = disable('--dry-run', 'first');
is($exit, 0, 'dry run');
is(state_of('first'), 'active', 'dry run: not in force');

($exit, $out, $err) = disable('first');
is($exit, 0, 'disabled: exit status');
is($out, "disabled \"first\" (at once, while process $pid writes to the "
    . "store)\n", 'disabled: said');
is($err, '', 'disabled: no wait is said');
is(answers(), 'first=403 last=200 listed=200 other=200 batched=200',
    'disabled: in force at the next request');
is(status($_), 403, 'by each worker')
    foreach map { $_->request(request('GET', '/file',
        basic('name-first', 'secret'))) } map { keepalive(8080) } 1 .. 4;

($exit, $out) = disable('--json', '--name', 'name-last');
is($exit, 0, 'by its name: exit status');
is_deeply(decode_json($out), { result => 'disabled', id => 'last',
    changed => JSON::PP::true, beside => JSON::PP::true }, 'by its name: said');

($exit, $out) = disable('--json', 'last');
is_deeply(decode_json($out), { result => 'disabled', id => 'last',
    changed => JSON::PP::true, beside => JSON::PP::true }, 'again: said');

($exit, $out) = disable('--list', '-', { stdin => "listed\nlast\n" });
is($exit, 0, 'a list: exit status');
like($out, qr/^disabled "-": 2 changed, 0 unchanged, 0 refused \(at once, /,
    'a list: said');

($exit, $out) = dm_account($t, 'batch',
    { stdin => '{"verb":"disable","id":"batched"}' });
is($exit, 0, 'a batch: exit status');
is(decode_json($out)->{beside}, JSON::PP::true, 'a batch: said');

is(answers(), 'first=403 last=403 listed=403 other=200 batched=403',
    'all in force');

# of an account that the import makes

($exit, undef, $err) = disable('--json', 'n1');
is($exit, 1, 'not yet there');
is(decode_json($err)->{code}, 'not_yet', 'not yet there: its code');
like($err, qr/there is no account \\"n1\\" yet; process $pid writes to the /,
    'not yet there: said');

($exit, undef, $err) = disable('--json', '--name', 'nobody');
is(decode_json($err)->{code}, 'not_yet', 'no such name yet: its code');

# whoever reads, sees it

is(states(), 'batched=disabled first=disabled last=disabled listed=disabled '
    . 'other=active', 'listed');
is(show('first')->{groups}[0], undef, 'and nothing of the import');
is(counts(), '1 active, 4 disabled', 'counted');
like(account($t, 'check'), qr/^5 accounts, .* 0 damages$/m, 'checked');

account($t, 'backup', "$d/backup");
is(states("$d/backup"), 'batched=disabled first=disabled last=disabled '
    . 'listed=disabled other=active', 'a backup has it');

# who does more than that waits, and comes in when the import is killed

my ($add, $waiting) = add('later');
like($waiting, qr/process $pid writes to store .*: waiting for it$/m,
    'add waits');

kill 'KILL', $pid;
waitpid $pid, 0;
unlink "$d/halt.halted";

waitpid $add, 0;
is($?, 0, 'and is done when the import is killed');

is(states(), 'batched=disabled first=disabled last=disabled later=active '
    . 'listed=disabled other=active', 'killed: nothing of it is in force');
is(answers(), 'first=403 last=403 listed=403 other=200 batched=403',
    'killed: all that was disabled is');
is(left(), 0, 'killed: it is in the records');
like(account($t, 'check'), qr/^6 accounts, .* 0 damages$/m, 'killed: checked');

account($t, 'enable', $_) foreach @names;
is(answers(), 'first=200 last=200 listed=200 other=200 batched=200',
    'enabled');

# a restored backup has it, and its first writer takes it over

account($t, 'restore', "$d/backup");
is(states(), 'batched=disabled first=disabled last=disabled listed=disabled '
    . 'other=active', 'restored');
cmp_ok(left(), '>', 0, 'restored: beside the records');
ok(wait_for(30, sub { (answers() // '') eq
    'first=403 last=403 listed=403 other=200 batched=403' }),
    'restored: in force');
account($t, 'enable', $_) foreach @names;
is(left(), 0, 'restored: in the records');

ok(wait_for(30, sub { (answers() // '') eq
    'first=200 last=200 listed=200 other=200 batched=200' }), 'enabled');

###############################################################################

# ended: what was disabled stays so, whatever the import says of it

$pid = import_halted();

is((disable($_))[0], 0, "disabled: $_") foreach qw/ first last other /;
is(answers(), 'first=403 last=403 listed=200 other=403 batched=200',
    'before it ends');

unlink "$d/halt.halted";
waitpid $pid, 0;
is($?, 0, 'it ends');
is($t->read_file('said'), "imported \"$d/import\": @{[LINES]} added, "
    . "2 updated, 0 refused\n", 'and keeps all');

is(answers(), 'first=403 last=403 listed=200 other=403 batched=200',
    'ended: disabled');
is(join(' ', map { "$_->{state} @{$_->{groups}}" } map { show($_) }
    qw/ first last /), 'disabled new disabled new', 'ended: disabled, and the '
    . 'rest as the import has it');
is(left(), 0, 'ended: in the records');
is(counts(), LINES + 2 . ' active, 3 disabled', 'ended: counted');
like(account($t, 'check'), qr/^@{[LINES + 5]} accounts, .* 0 damages$/m,
    'ended: checked');

# interrupted

$pid = import_halted();
is((disable('listed'))[0], 0, 'once more');
kill 'TERM', $pid;
unlink "$d/halt.halted";
waitpid $pid, 0;
is($? >> 8, 1, 'interrupted');
is(answers(), 'first=403 last=403 listed=403 other=403 batched=200',
    'interrupted: disabled');
is(left(), 0, 'interrupted: in the records');

# who is disabled in the records already: the import has them as active

$pid = import_halted();

($exit, $out) = disable('--json', 'first');
is_deeply(decode_json($out), { result => 'disabled', id => 'first',
    changed => JSON::PP::true, beside => JSON::PP::true },
    'disabled before the import: said');
($exit, $out) = disable('--list', '-', { stdin => "first\nlast\n" });
like($out, qr/^disabled "-": 2 changed, 0 unchanged, 0 refused \(at once, /,
    'disabled before the import, a list: said');
($exit, $out) = dm_account($t, 'batch',
    { stdin => '{"verb":"disable","id":"other"}' });
is(decode_json($out)->{changed}, JSON::PP::true,
    'disabled before the import, a batch: said');
unlink "$d/halt.halted";
waitpid $pid, 0;
is($?, 0, 'the import ends');
is(answers(), 'first=403 last=403 listed=403 other=403 batched=200',
    'disabled before the import: disabled after it');
is(left(), 0, 'disabled before the import: in the records');

# an import of several transactions: one is halted, and a later one, or the
# same, has them as active

account($t, 'enable', $_) foreach @names;
is(answers(), 'first=200 last=200 listed=200 other=200 batched=200',
    'in several steps: before');
$pid = import_halted('--keep-going');
($exit, $out) = disable('last');
is($exit, 0, 'in several steps: disabled');
unlink "$d/halt.halted";
waitpid $pid, 0;
is($?, 0, 'in several steps: the import ends');
is(answers(), 'first=200 last=403 listed=200 other=200 batched=200',
    'in several steps: disabled after them');
is(left(), 0, 'in several steps: in the records');
account($t, 'disable', 'listed');

# the lines of a batch that are more than that wait, the others do not

$pid = import_halted();

my ($in, $batch) = batch();
print {$in} '{"verb":"disable","id":"batched"}' . "\n";
like(scalar <$batch>, qr/"beside": ?true/, 'a batch: disabled');
is(status($open{batched}->request(request('GET', '/file',
    basic('name-batched', 'secret')))), 403, 'a batch: in force');

print {$in} '{"verb":"enable","id":"other"}' . "\n";
ok(wait_for(30, sub { $t->read_file('batch.err') =~ /waiting for it/ }),
    'a batch: another line waits');
unlink "$d/halt.halted";
like(scalar <$batch>, qr/"enabled"/, 'a batch: and is done then');
waitpid $pid, 0;

print {$in} '{"verb":"disable","id":"other"}' . "\n";
unlike(scalar <$batch>, qr/"beside"|"error"/, 'a batch: as ever');
close $in;
close $batch;
is($?, 0, 'a batch: no line was refused');
is(answers(), 'first=200 last=200 listed=403 other=403 batched=403',
    'all in force: an import makes active who was disabled before it');

$t->stop();

undef $_ foreach values %open;
undef $t;

###############################################################################

# an import that has the store, and is halted in the middle; its pid

sub import_halted {
    my (@options) = @_;
    my ($pid) = fork();

    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        local $ENV{LD_PRELOAD} = join ' ', $halt, $ENV{LD_PRELOAD} // ();

        open STDOUT, '>', "$d/said";
        open STDERR, '>', "$d/import.err";
        exec $program, '--store', "$d/store", '--key', "$d/store.key",
            'import', "$d/import", '--update',
            @options
            or die "Can't run $program: $!\n";
    }

    wait_for(60, sub { -e "$d/halt.halted" }) or die "it is not halted\n";

    return $pid;
}

# begins to add an account; its pid, and what it says while it waits

sub add {
    my ($id) = @_;
    my ($said) = '';
    my ($pid) = open my $out, '-|', "exec $program --store $d/store "
        . "--key $d/store.key add $id 2>&1" or die "Can't run $program: $!\n";

    while ($said !~ /waiting/) {
        my $line = <$out>;
        last unless defined $line;
        $said .= $line;
    }

    # a pipe that nobody reads is not to be closed before it ends
    push @{ $open{pipes} }, $out;

    return ($pid, $said);
}

sub disable {
    return dm_account($t, 'disable', @_);
}

sub show {
    my ($id) = @_;

    return decode_json(account($t, 'show', $id, '--json'));
}

sub state_of {
    return show(@_)->{state};
}

# the accounts that the test names, in a store
sub states {
    my ($store) = @_;
    my (undef, $out) = run_command([ $program, '--store', $store // "$d/store",
        '--key', "$d/store.key", 'list', '--json' ]);

    return join ' ', sort map { "$_->{id}=$_->{state}" } map { decode_json($_) }
        split /\n/, $out;
}

sub counts {
    my (%by) = http_get('/status')
        =~ /^dmsec_\w+_by_state\{state="(\w+)"\} (\d+)\r?$/mg;

    return "$by{active} active, $by{disabled} disabled";
}

# each on the connection that it had from the start
sub answers {
    return join ' ', map { "$_=" . (status($open{$_}->request(request('GET',
        '/file', basic("name-$_", 'secret')))) // '') } @names;
}

# octets of the file of those that are disabled beside the records
sub left {
    return unpack 'x24 Q<', $t->read_file('store/disabled');
}

sub batch {
    pipe my $down, my $in or die "Can't pipe: $!\n";
    pipe my $out, my $up or die "Can't pipe: $!\n";

    my ($pid) = fork();

    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        close $in;
        open STDIN, '<&', $down;
        open STDOUT, '>&', $up;
        open STDERR, '>', "$d/batch.err";
        exec $program, '--store', "$d/store", '--key', "$d/store.key", 'batch'
            or die "Can't run $program: $!\n";
    }

    $in->autoflush(1);

    return ($in, $out);
}

###############################################################################
