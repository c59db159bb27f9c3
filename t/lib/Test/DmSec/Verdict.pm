package Test::DmSec::Verdict;

# What became of a request, as one line to compare: a refusal is its status,
# its reason in the log, and an upstream that was not contacted.

use warnings;
use strict;

use Exporter qw/ import /;

use Test::DmSec::Message qw/ status /;

our @EXPORT_OK = qw/ verdict /;


# how far each file was read
my %seen;


# The status of a response; then the reasons of the refusals that error.log
# got since the last call; then "upstream", as often as one of the upstreams
# was contacted since then: "200 upstream", "401 no_credentials".
sub verdict {
    my ($t, $response, @ports) = @_;
    my ($dir) = $t->testdir();

    return join ' ', status($response),
        unread("$dir/error.log") =~ /dm_sec: denied reason=(\w+)/g,
        map { ('upstream') x unread("$dir/upstream-$_.log") =~ tr/\n// }
        @ports;
}


# the whole lines that were added; a file that is shorter now is a new one
sub unread {
    my ($file) = @_;
    my ($fh, $text);

    open $fh, '<:raw', $file or return '';

    $seen{$file} //= 0;
    $seen{$file} = 0 if -s $fh < $seen{$file};
    seek $fh, $seen{$file}, 0 or die "Can't seek in $file: $!\n";

    {
        local $/;
        $text = <$fh> // '';
    }

    $text =~ s/[^\n]+\z//;
    $seen{$file} += length $text;

    return $text;
}


1;
