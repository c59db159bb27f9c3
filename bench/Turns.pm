package Turns;

# Comparisons: each is of two runs that take turns in each start of all servers,
# and a start gives one figure for it.

use warnings;
use strict;

use Exporter qw/ import /;
use List::Util qw/ sum max /;

use Bench qw/ median /;
use Fleet qw/ run_turns /;

our @EXPORT_OK = qw/ compare end_start figures of_disturbed /;
our %EXPORT_TAGS = (all => \@EXPORT_OK);

use constant TRIM => 0.15;      # of the turns, at each end, that are left out

my ($all, $disturbed) = (0, 0);


# Lets both runs of a comparison take turns, and keeps what they took.
sub compare {
    my ($comparison, $turns, $requests) = @_;

    push @{ $comparison->{turns} }, map {
        [ $_->[0] / $requests / 1000, $_->[1] / $requests / 1000, $_->[2] ]
    } run_turns($turns, $requests, @{ $comparison->{of} },
        @{ $comparison->{to} });
}


# Makes one figure of the turns of a start: { us, beside, ratio, more }, which
# are the microseconds of both, of the second for one of the first, and that the
# first takes more.  Where it has another comparison to be compared with, that
# comes first, and the ratio is to that ratio.
sub end_start {
    my ($comparison) = @_;
    my (@turns, @quiet, $out, $of, $to);

    @turns = @{ $comparison->{turns} };
    @quiet = grep { $_->[2] == 0 } @turns;
    $comparison->{turns} = [];

    $all += @turns;
    $disturbed += @turns - @quiet;

    # where the machine is never quiet, all is better than nothing
    @quiet = @turns if @quiet < @turns / 3;

    @quiet = sort { $a->[0] * $b->[1] <=> $b->[0] * $a->[1] } @quiet;
    $out = int(TRIM * @quiet);
    @quiet = @quiet[$out .. $#quiet - $out];

    ($of, $to) = map {
        my $which = $_;
        sum(map { $_->[$which] } @quiet) / @quiet
    } 0, 1;

    # beside itself at other times
    if ($comparison->{than}) {
        my $than = $comparison->{than}{starts}[-1];

        push @{ $comparison->{starts} }, {
            us => $of, beside => $than->{us},
            ratio => $to / $of / $than->{ratio},
            more => $of - $than->{us},
        };

        return;
    }

    push @{ $comparison->{starts} },
        { us => $of, beside => $to, ratio => $to / $of, more => $of - $to };
}


# { us, beside, ratio, more } of all starts, each [ median, from, to ]
sub figures {
    my ($comparison) = @_;

    return {
        map {
            my $what = $_;
            $what => interval(map { $_->{$what} } @{ $comparison->{starts} })
        } qw/ us beside ratio more /
    };
}


# the median, and an interval that has it with a probability of 95 %
sub interval {
    my (@values) = sort { $a <=> $b } @_;
    my ($n, $k, $outside, $chance) = (scalar @values, 0, 0, 0.5 ** @_);

    # so many are left out at each end that 95 % remain
    while (2 * ($outside + $chance) <= 0.05) {
        $outside += $chance;
        $chance *= ($n - $k) / ($k + 1);
        $k++;
    }

    $k = max($k - 1, 0);

    return [ median(@values), $values[$k], $values[$n - 1 - $k] ];
}


# of all turns, those in which another took the CPU of a worker
sub of_disturbed {
    return $all ? $disturbed / $all : 0;
}


1;
