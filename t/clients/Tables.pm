package Tables;

# The tables, as they stand in docs/digest.md, and whether they stand there.

use warnings;
use strict;

use Exporter qw/ import /;

use FindBin;

use Bench qw/ slurp /;
use Cells qw/ @LISTS @TLS /;

our @EXPORT_OK = qw/ tables page_differs update_page /;

use constant {
    PAGE => "$FindBin::Bin/../../docs/digest.md",
    BEGIN_MARK => '<!-- of "make clients", from here -->',
    END_MARK => '<!-- of "make clients", to here -->',
};

# each kind of cell: what its column is called, and its name
my @default = (
    [ 'Basic', 'Basic, all hashes' ],
    [ 'Digest, MD5-only account', 'Digest, default, MD5 only' ],
    [ 'Digest, all hashes', 'Digest, default, all hashes' ],
    [ 'both qops, MD5-only account', 'Digest, both qops, MD5 only' ],
    [ 'both qops, all hashes', 'Digest, both qops, all hashes' ],
);

my @lists = (
    (map { [ "`$_`", "Digest, $_, all hashes" ] } @LISTS),
    [ '`MD5 SHA-256`, MD5-only account', 'Digest, MD5 SHA-256, MD5 only' ],
    [ '`SHA-256 MD5`, MD5-only account', 'Digest, SHA-256 MD5, MD5 only' ],
);

my @tls = map {
    my $version = $_;
    map { [ "$_->[0], $version", "$_->[1], $version" ] }
        [ 'Basic', 'basic' ], [ 'Digest', 'digest' ], [ 'X.509', 'x509' ],
        [ 'PSK', 'psk' ], [ 'X.509 beside PSK', 'x509 beside psk' ];
} @TLS;


sub tables {
    my (@clients) = @_;
    my (@notes, @http, @digest, $text);

    @http = grep { ($_->{kind} || '') eq 'http' } @clients;
    @digest = grep { grep { $_->{algorithm} } @{ $_->{cells} } } @http;

    $text = "By default:\n\n" . table(\@notes, \@default, @http)
        . "\nWith other values of `dm_sec_digest_algorithms`, those that have"
        . " Digest:\n\n" . table(\@notes, \@lists, @digest)
        . "\nOver TLS, by default:\n\n" . table(\@notes, \@tls, @clients)
        . "\n";

    $text .= ($_ + 1) . ". $notes[$_]\n" foreach 0 .. $#notes;
    $text .= "\nNot here: $_->{name}: $_->{absent}\n"
        foreach grep { defined $_->{absent} } @clients;

    return $text;
}


sub table {
    my ($notes, $columns, @clients) = @_;
    my ($text, %cell);

    $text = row('client', map { $_->[0] } @$columns)
        . '|' . '---|' x (1 + @$columns) . "\n";

    foreach my $client (grep { $_->{cells} } @clients) {
        %cell = map { $_->{name} => $_ } @{ $client->{cells} };

        $text .= row("$client->{name} ($client->{version})",
            map { shown($notes, $cell{ $_->[1] }) } @$columns);
    }

    return $text;
}


sub row {
    return '| ' . join(' | ', @_) . " |\n";
}


# what was answered, or no and the number of the reason; - where it was not
# asked, since it has no such method
sub shown {
    my ($notes, $cell) = @_;
    my ($number);

    return '-' if !$cell;
    return $cell->{algorithm} || 'yes' if $cell->{yes};
    return '**WRONG**' if !defined $cell->{note};

    ($number) = grep { $notes->[$_] eq $cell->{note} } 0 .. $#$notes;
    $number //= push(@$notes, $cell->{note}) - 1;

    return 'no (' . ($number + 1) . ')';
}


# 1 if docs/digest.md has another table; versions of clients alone are a note
sub page_differs {
    my (@clients) = @_;
    my ($made, $stands);

    $made = tables(@clients);
    (undef, $stands) = page();

    if ($made eq $stands) {
        print STDERR "clients: docs/digest.md has these tables\n";
        return 0;
    }

    if (without_versions($made) eq without_versions($stands)) {
        print STDERR "clients: docs/digest.md has these tables, of other"
            . " versions of some clients; to update it:"
            . " make clients CLIENTS_FLAGS=--update\n";
        return 0;
    }

    print STDERR "clients: docs/digest.md has other tables; to update it:"
        . " make clients CLIENTS_FLAGS=--update\n";
    return 1;
}


# before the tables, the tables, and after them
sub page {
    my (@parts) = slurp(PAGE)
        =~ /^(.*^\Q${\BEGIN_MARK}\E\n\n)(.*?)(\n\Q${\END_MARK}\E\n.*)$/ms
        or die "docs/digest.md has no \"" . BEGIN_MARK . "\"\n";

    return @parts;
}


sub update_page {
    my (@clients) = @_;
    my ($before, undef, $after) = page();
    my ($fh);

    open $fh, '>', PAGE or die "Can't open docs/digest.md: $!\n";
    print {$fh} $before, tables(@clients), $after
        or die "Can't write docs/digest.md: $!\n";
    close $fh or die "Can't write docs/digest.md: $!\n";

    return;
}


sub without_versions {
    my ($text) = @_;

    $text =~ s/^(\| [^|]+?) \([^)]+\) \|/$1 |/mg;

    return $text;
}


1;
