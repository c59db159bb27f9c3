package Test::DmSec::Behind;

# A server behind nginx that keeps a journal of whom it took each request for:
# what its answers are made of, for upstream(), and the cookie of a session.

use warnings;
use strict;

use Exporter qw/ import /;

use Test::DmSec::Message qw/ header /;
use Test::DmSec::Process qw/ slurp /;

our @EXPORT_OK = qw/ answer cookie seen session_of /;


# answer($t, REQUEST, WHAT, STATUS, BODY, header lines): an answer, and a line
# of the journal, "WHAT id method"
sub answer {
    my ($t, $request, $what, $status, $body, @lines) = @_;
    my ($file) = journal($t);

    open my $fh, '>>', $file or die "Can't open $file: $!\n";
    print {$fh} join(' ', $what, map { $_ // '-' }
        map { scalar header($request->{head}, $_) }
        qw/ DM-Client-ID DM-Auth-Method /) . "\n";
    close $fh or die "Can't write $file: $!\n";

    return join("\r\n", "HTTP/1.1 $status Answer", @lines,
        $status == 204 ? () : 'Content-Length: ' . length($body // ''), '',
        $body // '');
}


# the lines since the last call
sub seen {
    my ($t) = @_;
    my (@seen) = split /\n/, slurp(journal($t));

    unlink journal($t);

    return \@seen;
}


sub journal {
    my ($t) = @_;

    return $t->testdir() . '/behind.log';
}


# the header line that answers the cookie of this response, () without one
sub cookie {
    my ($r) = @_;

    return (header($r, 'Set-Cookie') // '') =~ /^([^;]+)/ ? "Cookie: $1" : ();
}


# the value of the cookie "session" of a request, '' without one
sub session_of {
    my ($request) = @_;

    return (header($request->{head}, 'Cookie') // '') =~ /session=([^;]+)/
        ? $1 : '';
}


1;
