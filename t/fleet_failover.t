#!/usr/bin/perl

# Tests for the failover of a fleet's engine: with a synchronous standby nothing
# is lost that was told as done, and nothing is there that was told as not done;
# without one what was lost is found, taken back nowhere, and put back.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use IO::Handle;
use POSIX ();

use lib 'lib';
use Test::Postgres::Fleet;
use Test::DmSec::Process qw/ slurp wait_for /;
use Test::Postgres qw/ needs_postgres /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

needs_postgres();

# changes before the engine fails, and behind that
use constant CHANGES => $ENV{DM_SEC_FULL} ? 200 : 8;

my $first = Test::Postgres->new();
my $fleet = Test::Postgres::Fleet->new($first);
my $d = $fleet->dir();

$fleet->publish();

my $second = Test::Postgres->new(primary => $first, name => 'second');

$second->make_synchronous();
$fleet->{env}{DM_SEC_ENGINE} = both($first, $second);
$fleet->copy('a', 'b');

ok($fleet->status('a')->{standby}, 'status says that it waits for a standby');

# two writers, who know of nothing

my @writers = map { writer($_) } qw/ a b /;

wait_for(120, sub { !grep { done_by($_) < CHANGES } qw/ a b / });
$first->stop('QUIT');
$second->promote();

my %before = map { $_ => done_by($_) } qw/ a b /;

wait_for(240, sub { !grep { done_by($_) < $before{$_} + CHANGES } qw/ a b / });

put("$d/enough", '');
waitpid $_, 0 foreach @writers;

foreach my $node (qw/ a b /) {
    cmp_ok(done_by($node), '>=', $before{$node} + CHANGES,
        "$node goes on at the other engine");
}

$fleet->catch_up($_) foreach qw/ a b /;
is($fleet->state($_), $fleet->head($_), "$_ is at the head")
    foreach qw/ a b /;
is($fleet->damage($_), '', "$_ is sound") foreach qw/ a b /;

my %there = map { $_ => 1 } split ' ', $fleet->ids('a');
my %told = map { split ' ' } map { split /\n/, slurp("$d/told.$_") } qw/ a b /;

is(join(' ', grep { $told{$_} eq 'done' && !$there{$_} } sort keys %told), '',
    'nothing is lost that was told as done');
is(join(' ', grep { $told{$_} eq 'engine' && $there{$_} } sort keys %told), '',
    'nothing is there that was told as not done');
is(join(' ', map { "$_=$told{$_}" }
    grep { $told{$_} !~ /^(?:done|engine|not_known)$/ } sort keys %told), '',
    'and nothing else was told');
is(scalar(() = $fleet->log('a')), $fleet->status('a')->{number},
    'all entries are verified');

# without a synchronous standby

my $third = Test::Postgres->new(primary => $second, name => 'third');

$fleet->{env}{DM_SEC_ENGINE} = both($second, $third);
ok(!$fleet->status('a')->{standby}, 'status says that it waits for none');

$fleet->done('a', 'add kept --name kept');
$fleet->catch_up('b');

# the standby has what is there now, and no more

wait_for(120, sub { $third->psql('SELECT number FROM dm_sec.head')
    eq $second->psql('SELECT number FROM dm_sec.head') });
$third->stop();

my $number = $fleet->status('a')->{number};

$fleet->done('a', "add lost$_ --name lost$_") foreach 1 .. 3;
$second->stop('QUIT');
$third->start();
$third->promote();

my ($code, $text) = $fleet->refused('a', 'add more --name more');

is($code, 'engine', 'an engine that has lost what was told as done');
like($text, qr/nothing was changed/, 'is written to by nobody');
like($fleet->ids('a'), qr/\blost3\b/, 'nothing is taken back');

$fleet->catch_up('b');
unlike($fleet->ids('b'), qr/\blost/, 'the other node never had it');
like($fleet->done('a', 'replicate repair'), qr/^put back 3 entries/m,
    'repair puts it back');
$fleet->done('a', 'add more --name more');
$fleet->catch_up('b');

is($fleet->state('b'), $fleet->state('a'), 'both nodes are the same');
is($fleet->status('b')->{number}, $number + 4, 'with all of it');
is($fleet->damage($_), '', "$_ is sound") foreach qw/ a b /;

done_testing();

###############################################################################

# whichever of them can be written to

sub both {
    my (@pg) = @_;

    return 'host=' . join(',', map { $_->dir() } @pg)
        . ' port=' . join(',', map { $_->port() } @pg)
        . ' user=writer dbname=fleet target_session_attrs=read-write';
}


# a process that makes changes until it is told that they are enough, and
# writes down what each came to

sub writer {
    my ($node) = @_;
    my $pid = fork();

    die "fork: $!\n" unless defined $pid;

    return $pid if $pid;

    eval {
        open my $fh, '>', "$d/told.$node" or die "told.$node: $!\n";
        $fh->autoflush(1);

        for (my $i = 1; !-e "$d/enough"; $i++) {
            my ($code) = $fleet->refused($node,
                "add $node-$i --name $node-$i");
            print $fh "$node-$i ", $code eq '' ? 'done' : $code, "\n";
        }
    };

    print STDERR $@ if $@;
    POSIX::_exit(0);
}


sub done_by {
    my ($node) = @_;

    return scalar(() = slurp("$d/told.$node") =~ / done\n/g);
}


sub put {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "Can't open $file: $!\n";
    print $fh $text;
    close $fh;
}
