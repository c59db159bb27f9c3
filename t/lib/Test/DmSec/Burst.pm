package Test::DmSec::Burst;

# Many requests at once: on several connections, and on each of them several
# before the first is answered; or each on its own, in the same moment.

use warnings;
use strict;

use Exporter qw/ import /;

use IO::Select;
use IO::Socket::INET;
use Socket qw/ IPPROTO_TCP TCP_NODELAY /;
use Time::HiRes qw/ time /;

use Test::DmSec qw/ keepalive stand_still workers /;
use Test::Nginx;

our @EXPORT_OK = qw/ burst together /;


# burst(PORT, NEXT, EACH, %options): sends what NEXT->() returns, one request
# after another, and calls EACH->(request, response) for each.  NEXT returns
# undef where it has none now; that ends it as soon as all are answered.
# Returns the seconds that it took; dies where a request is not answered.
#
#   connections  64 unless given: with "reuseport" each worker has some
#   depth        requests on a connection that wait for an answer, at most;
#                8 unless given
#   timeout      for all of it, in seconds, 300 unless given
#   lost         lost(REQUEST) is called for each that had no answer when its
#                connection was closed, and the connection is made anew
#
# NEXT may return an array, [ request, anything ]: EACH gets it as it is.
sub burst {
    my ($port, $next, $each, %o) = @_;
    my ($start, $select, %connection);

    local $SIG{PIPE} = 'IGNORE';

    $start = time();

    foreach (1 .. $o{connections} || 64) {
        my $fh = dial($port);

        $connection{$fh} = { fh => $fh, buffer => '', sent => [] };
    }

    $select = IO::Select->new(map { $_->{fh} } values %connection);

    top_up($_, $next, $o{depth} || 8) foreach values %connection;

    while (grep { @{ $_->{sent} } } values %connection) {
        my $left = $start + ($o{timeout} || 300) - time();
        my @ready = $select->can_read($left > 0 ? $left : 0)
            or die "no answer in time\n";

        foreach my $c (@connection{@ready}) {
            if (!take($c, $each)) {
                my @lost = splice @{ $c->{sent} };

                die 'closed with ' . @lost . " requests not answered\n"
                    unless $o{lost};

                $select->remove($c->{fh});
                delete $connection{ $c->{fh} };

                @$c{qw/ fh buffer /} = (dial($port), '');

                $select->add($c->{fh});
                $connection{ $c->{fh} } = $c;

                $o{lost}->($_) foreach @lost;
            }

            top_up($c, $next, $o{depth} || 8);
        }
    }

    return time() - $start;
}


sub dial {
    my ($port) = @_;

    my $fh = IO::Socket::INET->new(Proto => 'tcp',
        PeerAddr => '127.0.0.1:' . port($port))
        or die "Can't connect: $!\n";

    setsockopt($fh, IPPROTO_TCP, TCP_NODELAY, 1)
        or die "Can't set TCP_NODELAY: $!\n";

    return $fh;
}


sub top_up {
    my ($c, $next, $depth) = @_;
    my ($raw) = ('');

    while (@{ $c->{sent} } < $depth) {
        my $request = $next->() // last;

        push @{ $c->{sent} }, $request;
        $raw .= ref $request ? $request->[0] : $request;
    }

    # it is less than a socket takes, so this does not wait for its reader; of
    # one that is closed its reader hears
    $raw eq '' || (syswrite($c->{fh}, $raw) // length $raw) == length $raw
        or die "Can't send: $!\n";

    return;
}


# all the responses that are complete; false where it is closed
sub take {
    my ($c, $each) = @_;
    my ($start, $end) = (0);

    sysread $c->{fh}, $c->{buffer}, 262144, length $c->{buffer}
        or return;

    while (($end = index $c->{buffer}, "\r\n\r\n", $start) > 0) {
        my $head = substr $c->{buffer}, $start, $end + 4 - $start;

        $end += 4;
        $end += $1 if $head =~ /^Content-Length: (\d+)\r$/m;
        last if length $c->{buffer} < $end;

        $each->(shift @{ $c->{sent} },
            substr $c->{buffer}, $start, $end - $start);
        $start = $end;
    }

    substr $c->{buffer}, 0, $start, '';

    return 1;
}


# together($t, PORT, requests): the responses in the same order, undef where
# there is none.  Each request has a connection; all are there before a worker
# looks at the first, and then all workers are at them.  A sub at the end is
# called as soon as they are.
sub together {
    my ($t, $port, @requests) = @_;
    my ($then) = ref $requests[-1] ? pop @requests : sub { };
    my (@clients, @workers, @responses);

    @clients = map { keepalive($port) } @requests;
    @workers = workers($t);

    stand_still(@workers);
    $clients[$_]->send($requests[$_]) foreach 0 .. $#requests;
    kill 'CONT', @workers;
    $then->();

    @responses = map { $_->response() } @clients;
    $_->close() foreach @clients;

    return @responses;
}


1;
