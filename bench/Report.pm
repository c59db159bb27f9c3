package Report;

# What bench/requests prints: tables in Markdown, JSON, and a plot.

use warnings;
use strict;

use Exporter qw/ import /;
use JSON::PP;

our @EXPORT_OK = qw/ with_commas of_rows markdown json put_into plot /;
our %EXPORT_TAGS = (all => \@EXPORT_OK);

# The rows of tables: { section, what, kind, goal, beside, cells }, cells being
# { accounts => figures }.  A section is { title, columns, unit }.
sub of_rows {
    my (@comparisons) = @_;
    my (@rows, %row);

    foreach my $c (@comparisons) {
        my $key = "$c->{section} $c->{what}";

        if (!$row{$key}) {
            $row{$key} = {
                (map { $_ => $c->{$_} } qw/ section what kind goal beside /),
                cells => {},
            };
            push @rows, $row{$key};
        }

        $row{$key}{cells}{$c->{accounts}} = $c->{figures};
    }

    return @rows;
}


# what a row says in the end; where it has more than one number of accounts,
# the most and the fewest must be alike, too
sub verdict {
    my ($row, $flat) = @_;
    my @cells = map { $row->{cells}{$_} }
        sort { $a <=> $b } keys %{ $row->{cells} };
    my ($first, $last) = map { $_->{$row->{kind}}[0] } @cells[0, -1];
    my (@bad);

    return '' unless $row->{goal};

    push @bad, 'missed' if grep {
        my $figure = $_->{$row->{kind}}[0];
        $row->{kind} eq 'more' ? $figure > $row->{goal}
            : $figure < $row->{goal}
    } @cells;

    push @bad, 'not flat'
        if $flat && $row->{kind} eq 'ratio' && $last < $first * (1 - $flat);

    return join(', ', @bad) || 'reached';
}


# one table for each section, of those that have rows
sub markdown {
    my ($head, $sections, $flat, @rows) = @_;
    my $text = $head;

    foreach my $section (@$sections) {
        my @of = grep { $_->{section} eq $section->{name} } @rows;
        my (%seen);
        my @accounts = sort { $a <=> $b } grep { !$seen{$_}++ }
            map { keys %{ $_->{cells} } } @of;

        next unless @of;

        $text .= "\n" . table_row($section->{title}, 'beside', 'goal',
            (map { with_commas($_) . ($section->{unit} // '') } @accounts),
            'us', 'us beside', '');
        $text .= '|---' x (@accounts + 6) . "|\n";

        foreach my $row (@of) {
            my $last = $row->{cells}{(grep { $row->{cells}{$_} } @accounts)
                [-1]};

            $text .= table_row($row->{what}, $row->{beside},
                defined $row->{goal} ? $row->{kind} eq 'more'
                    ? "$row->{goal} us" : ratio($row->{goal}) : '',
                (map { cell($row->{kind}, $row->{cells}{$_}) } @accounts),
                (map { sprintf '%.2f', $last->{$_}[0] } qw/ us beside /),
                verdict($row, $flat));
        }
    }

    return $text;
}


sub table_row {
    my (@cells) = @_;

    return join(' ', map { "| $_" } @cells) =~ s/ +(?= \|)//gr . " |\n";
}


sub cell {
    my ($kind, $figures) = @_;
    my ($figure, $from, $to) = @{ $figures->{$kind} // return '' };
    my $half = ($to - $from) / 2;

    return sprintf '%+.2f ±%.2f', $figure, $half if $kind eq 'more';
    return ratio($figure) . ' ±' . ratio($half);
}


# without the nought before the point
sub ratio {
    my ($ratio) = @_;

    return sprintf('%.3f', $ratio) =~ s/^0\././r;
}


sub with_commas {
    my ($number) = @_;

    return scalar reverse(reverse($number) =~ s/(\d{3})(?=\d)/$1,/gr);
}


sub json {
    my ($of, @rows) = @_;

    return JSON::PP->new()->canonical()->pretty()
        ->encode({ %$of, rows => \@rows });
}


# between the marks of a page, which name that goal of make
sub put_into {
    my ($file, $goal, $text) = @_;
    my ($begin, $end) = map { "<!-- of \"make $goal\"$_ -->" } '', ', to here';
    my ($fh, $page);

    open $fh, '<', $file or die "Can't open $file: $!\n";
    $page = do { local $/; <$fh> };
    close $fh;

    $page =~ s/(\Q$begin\E\n).*?(?=\Q$end\E\n)/$1$text/s
        or die "$file has no lines '$begin' and '$end' to put tables between\n";

    open $fh, '>', $file or die "Can't write $file: $!\n";
    print {$fh} $page or die "Can't write $file: $!\n";
    close $fh or die "Can't write $file: $!\n";
}


###############################################################################
# The plot


use constant {
    WIDTH => 720,
    HEIGHT => 400,
    MARGIN => 60,
    LEAST => 0.7,
    COLOURS => [ map { "#$_" } qw/ 1b6ca8 c1440e 2e7d32 7b1fa2 8d6e00 / ],
};


# an SVG of the ratios of rows against the number of accounts
sub plot {
    my (@rows) = @_;
    my @accounts = sort { $a <=> $b } keys %{ $rows[0]{cells} };
    my ($svg, $n);

    $svg = sprintf <<'EOS', WIDTH, HEIGHT, MARGIN;
<svg xmlns="http://www.w3.org/2000/svg" width="%u" height="%u"
 font-family="sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="#fff"/>
<text x="%u" y="24">CPU time of the floor for that of the method,
 against the number of accounts</text>
EOS

    foreach my $ratio (0.7, 0.8, 0.9, 1) {
        $svg .= sprintf "<path d=\"M%u %sH%u\" stroke=\"#ddd\"/>\n"
            . "<text x=\"24\" y=\"%s\">%.1f</text>\n", MARGIN, y_of($ratio),
            WIDTH - 2 * MARGIN, y_of($ratio) + 4, $ratio;
    }

    foreach my $accounts (@accounts) {
        $svg .= sprintf "<text x=\"%s\" y=\"%u\"\n"
            . " text-anchor=\"middle\">%s</text>\n",
            x_of($accounts, $accounts[-1]), HEIGHT - MARGIN + 24,
            with_commas($accounts);
    }

    $n = 0;

    foreach my $row (@rows) {
        my $colour = COLOURS->[$n % @{ +COLOURS }];

        $svg .= sprintf "<polyline fill=\"none\" stroke=\"%s\"\n"
            . " stroke-width=\"2\" points=\"%s\"/>\n", $colour,
            join "\n", map {
                x_of($_, $accounts[-1]) . ','
                    . y_of($row->{cells}{$_}{ratio}[0])
            } @accounts;

        $svg .= sprintf "<text x=\"%u\" y=\"%u\" fill=\"%s\">%s</text>\n",
            WIDTH - 2 * MARGIN + 10, MARGIN + 18 * $n++, $colour, $row->{what};
    }

    return "$svg</svg>\n";
}


sub x_of {
    my ($accounts, $most) = @_;

    return sprintf '%.1f', MARGIN
        + (WIDTH - 3 * MARGIN) * log($accounts) / log($most);
}


sub y_of {
    my ($ratio) = @_;

    return sprintf '%.1f', HEIGHT - MARGIN
        - (HEIGHT - 2 * MARGIN) * ($ratio - LEAST) / (1.05 - LEAST);
}


1;
