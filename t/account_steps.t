#!/usr/bin/perl

# Tests for dm-account import --keep-going, which is several transactions: who
# is disabled or deleted between two of them is not brought back by a later one,
# whatever else happens to him; and for one whose store is replaced meanwhile.

###############################################################################

use warnings;
use strict;

use Test::More;

use Fcntl qw/ :flock /;
use JSON::PP;
use POSIX qw/ WNOHANG /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::DmAccount;
use Test::DmSec::Preload qw/ halt /;
use Test::DmSec::Process qw/ wait_for /;

###############################################################################

use constant STEP => 1000;      # lines

# an account, its state when the import begins, what is done to it between two
# steps, and its state behind the import
my @cases = (
    [ 'other', 'disabled', [], 'active' ],
    [ 'at-once', 'active', [ 'disable ID' ], 'disabled' ],
    [ 'again', 'disabled', [ 'disable ID' ], 'disabled' ],
    [ 'listed', 'disabled', [ [ 'disable --list -', "ID\n" ] ], 'disabled' ],
    [ 'batched', 'disabled',
        [ [ 'batch', '{"verb":"disable","id":"ID"}' . "\n" ] ], 'disabled' ],
    [ 'grouped', 'disabled', [ 'set ID --add-group lab' ], 'disabled' ],
    [ 'imported', 'disabled',
        [ [ 'import - --update', '{"id":"ID","state":"disabled"}' ] ],
        'disabled' ],
    [ 'deleted', 'active', [ 'del ID' ], 'disabled' ],
    [ 'enabled', 'active', [ 'disable ID', 'enable ID' ], 'active' ],
    [ 'came-back', 'active', [ 'del ID', 'add ID' ], 'active' ],
    [ 'beside', 'active', [ \&beside, 'add after-ID' ], 'disabled' ],
    [ 'beside-again', 'disabled', [ \&beside ], 'disabled' ],
);

my @kept = grep { $_->[3] eq 'disabled' } @cases;

done("init --realm r --owner $me --map-size 1m", '', 'init');

# behind more lines than two steps have
put("$d/file", join '', map { "$_\n" }
    (map { qq({"id":"n$_"}) } 1 .. 3 * STEP),
    map { qq({"id":"$_->[0]","state":"active"}) } @cases);

# long enough to be halted while it is read, and then refused
put("$d/long", join('', map { qq({"id":"long-$_","groups":["$_"]}\n) }
    1 .. 40000) . "\n{}\n");

my $between = halt($d, 'between', 'flock',
    '(operation & LOCK_EX) != 0 && ++n > 2');
my $within = halt($d, 'within', 'read', 'length(fd) > 1000000 && ++n > 4');

###############################################################################

foreach my $json (0, 1) {
    my $name = $json ? 'json' : 'text';

    begin();

    my $import = start($between, 'import', "$d/file", '--update',
        '--keep-going', $json ? '--json' : ());

    foreach my $case (@cases) {
        foreach my $do (@{ $case->[2] }) {
            change($case->[0], $do);
        }
    }

    is(waitpid($import->{pid}, WNOHANG), 0, "$name: the import is not ended");
    is(scalar(grep { /^n\d+$/ } @{ ids() }), STEP, "$name: one step is done");

    is(ended($import), 0, "$name: its exit status");

    foreach my $case (@cases) {
        is(show($case->[0])->{state}, $case->[3], "$name: $case->[0]");
    }

    my $out = content("$d/out.between");
    my $kept = scalar @kept;

    if ($json) {
        is(decode_json($out)->{kept_disabled}, $kept, "$name: how many");

    } else {
        like($out, qr/, $kept kept disabled, as somebody disabled, deleted or /,
            "$name: how many");
    }

    # that was for this import alone

    done("import $d/file --update --keep-going", qr/(?!.*kept)/,
        "$name: another one");
    is(join(' ', map { show($_->[0])->{state} } @cases),
        join(' ', ('active') x @cases), "$name: has all of them");
}

# one whose line has his name alone, or his identity, is not added under that

foreach my $case ([ 'htpasswd', "by-name:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n",
        '--name by-name' ],
    [ 'psk', 'by-psk:' . 'ab' x 16 . "\n",
        '--psk-identity by-psk --generate-psk' ])
{
    my ($format, $line, $option) = @$case;
    my ($key) = $line =~ /^([^:]+)/;

    begin();
    done("del --if-present $key", '', "$format: not there");
    done("add gone $option", '', "$format: an account");

    put("$d/lines", join('', map { $line =~ s/$key/f$_/r } 1 .. 2 * STEP)
        . $line);
    my $import = start($between, 'import', "$d/lines", '--format', $format,
        '--keep-going');
    change('gone', 'del ID');
    is(ended($import), 0, "$format: exit status");
    is(show($key)->{state}, 'disabled', "$format: added as a disabled one");
    like(content("$d/out.between"), qr/, 1 kept disabled, /,
        "$format: how many");
}

# a line that is refused leaves nobody disabled

put("$d/refused", join '', map { "$_\n" }
    (map { qq({"id":"n$_"}) } 1 .. STEP + 1),
    '{"id":"at-once","state":"active","name":"other"}',
    '{"id":"again","state":"active"}');

begin();
my $import = start($between, 'import', "$d/refused", '--update',
    '--keep-going');
change($_, 'disable ID') foreach qw/ at-once again /;
is(ended($import), 256, 'refused: exit status');
like(content("$d/out.between"), qr/, 1 refused, 1 kept disabled, /,
    'refused: is not counted as kept disabled');

# an import that is interrupted says it, too: it sees that behind the first line
# of its second step

put("$d/interrupted", join '', map { "$_\n" }
    (map { qq({"id":"n$_"}) } 1 .. STEP), '{"id":"at-once","state":"active"}',
    (map { qq({"id":"n$_"}) } STEP + 1 .. 3 * STEP));

begin();
$import = start($between, 'import', "$d/interrupted", '--update',
    '--keep-going');
change('at-once', 'disable ID');
kill('TERM', $import->{pid});
is(ended($import), 256, 'interrupted: exit status');
like(content("$d/err.between"), qr/ up to line @{[STEP + 1]} are kept$/m,
    'interrupted: said');
like(content("$d/err.between"), qr/warning: 1 kept disabled, .* once more, m/,
    'interrupted: how many');
is(show('at-once')->{state}, 'disabled', 'interrupted: disabled');

# an import that is killed leaves nobody disabled for the next one

begin();
$import = start($between, 'import', "$d/file", '--update', '--keep-going');
change('at-once', 'disable ID');
kill('KILL', $import->{pid});
ended($import);
is(show('at-once')->{state}, 'disabled', 'killed: disabled');
done("import $d/file --update --keep-going", qr/(?!.*kept)/, 'the next one');
is(show('at-once')->{state}, 'active', 'was asked for later');

done('check', qr/, 0 damages$/, 'the store is whole');

# one that waits for another writer has begun, in steps or not: who is disabled
# meanwhile, beside that writer, stays so

foreach my $option ([], ['--keep-going']) {
    my $name = "waiting @$option";

    begin();

    my $writer = start($within, 'import', "$d/long");
    my $waits = background('waits', 'import', "$d/file", '--update', @$option);

    ok(wait_for(60, sub { content("$d/err.waits") =~ /: waiting for it$/m }),
        "$name: it waits");
    like(run("disable $_")->{out}, qr/at once, while/, "$name: disabled, $_")
        foreach qw/ at-once again /;

    is(ended($writer), 256, "$name: the writer ends");
    is(ended($waits), 0, "$name: it ends");
    is(join(' ', map { show($_)->{state} } qw/ at-once again other /),
        'disabled disabled active', "$name: disabled after it");
    like(content("$d/out.waits"), qr/, 2 kept disabled, /, "$name: how many");
}

# a later step says for whom it waits, as the first does

begin();
$import = start($between, 'import', "$d/file", '--update', '--keep-going');
open my $lock, '+<', "$store/write.lock" or die "open: $!\n";
flock($lock, LOCK_EX) or die "flock: $!\n";
unlink $import->{halted};
ok(wait_for(60, sub { content("$d/err.between")
    =~ /process $$ writes to store .*: waiting for it$/m }), 'a wait is told');
close $lock;
is(ended($import), 0, 'and ends');

# another store in its place

done("backup $d/backup", '', 'backup');
begin();
$import = start($between, 'import', "$d/file", '--update', '--keep-going');
done("restore $d/backup", 'restored', 'replaced');
is(ended($import), 256, 'replaced: exit status');
like(content("$d/err.between"), qr/ was replaced since it was opened: /,
    'replaced: said');

my $left = 'the good lines up to line ' . STEP . ' are in the store that was '
    . 'there before: import the file into the one that is there now';
like(content("$d/err.between"), qr/; \Q$left\E$/m, 'replaced: what is where');

done_testing();

###############################################################################

# the accounts as they are before
sub begin {
    my $lines = join '', map { qq({"id":"$_->[0]","state":"$_->[1]"}\n) }
        @cases;

    my $r = run('batch', join '', map { qq({"verb":"del","id":"$_"}\n) }
        grep { /^(?:n|f|after-)/ } @{ ids() });
    is($r->{rc}, 0, 'accounts are gone');

    done('import - --update', '0 refused', 'accounts are there', $lines);
}

sub change {
    my ($id, $do) = @_;

    if (ref $do eq 'CODE') {
        $do->($id);
        return;
    }

    my ($args, $stdin) = map { s/ID/$id/gr } ref $do ? @$do : $do;
    my $r = run($args, $stdin);

    is($r->{rc}, 0, $args) or diag($r->{err});
    unlike($r->{out}, qr/unchanged\)/, 'it is not told as unchanged');
}

# while another process writes
sub beside {
    my ($id) = @_;
    my $import = start($within, 'import', "$d/long");
    my $r = run("disable $id");

    like($r->{out}, qr/at once, while/, "disable $id, beside");
    kill('KILL', $import->{pid});
    ended($import);
}

# dm-account, until it is halted
sub start {
    my ($preload, @args) = @_;
    my ($halt) = $preload eq $between ? 'between' : 'within';

    local $ENV{LD_PRELOAD} = join ' ', $preload, $ENV{LD_PRELOAD} // ();

    my $process = background($halt, @args);

    wait_for(60, sub { -e "$d/$halt.halted" }) or die "it is not halted\n";

    return { %$process, halted => "$d/$halt.halted" };
}

# dm-account, which goes on
sub background {
    my ($name, @args) = @_;

    # it is looked at before the process has made it
    put("$d/err.$name", '');

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', "$d/out.$name";
        open STDERR, '>', "$d/err.$name";
        exec $bin, @args or POSIX::_exit(9);
    }

    return { pid => $pid };
}

sub ended {
    my ($process) = @_;

    unlink $process->{halted} if $process->{halted};
    waitpid $process->{pid}, 0;

    return $?;
}

###############################################################################
