package Test::DmSec::Gateway;

# Upstreams of FastCGI, uwsgi and SCGI that answer with the parameters they
# received, one NAME=VALUE a line, in their order.

use warnings;
use strict;

use Exporter qw/ import /;

use IO::Socket::INET;

use Test::Nginx;

our @EXPORT_OK = qw/ gateway /;

use constant {
    FCGI_END_REQUEST => 3,
    FCGI_PARAMS => 4,
    FCGI_STDIN => 5,
    FCGI_STDOUT => 6,
};

my %serve = (
    fastcgi => \&fastcgi,
    uwsgi => \&uwsgi,
    scgi => \&scgi,
);


# gateway($t, PORT, PROTOCOL): one request for each connection
sub gateway {
    my ($t, $port, $protocol) = @_;

    $t->run_daemon(\&serve, port($port), $serve{$protocol});
    $t->waitforsocket('127.0.0.1:' . port($port))
        or die "Can't start the upstream on port $port\n";
}


sub serve {
    my ($port, $code) = @_;
    my ($listener);

    local $SIG{PIPE} = 'IGNORE';

    $listener = IO::Socket::INET->new(Proto => 'tcp', Listen => 16,
        LocalAddr => "127.0.0.1:$port", ReuseAddr => 1)
        or die "Can't listen on port $port: $!\n";

    while (my $client = $listener->accept()) {
        my $response = eval { $code->($client) };

        # of the test that only waits for the port there is nothing to read
        print {$client} $response if defined $response;
        close $client;
    }
}


sub fastcgi {
    my ($client) = @_;
    my ($type, $id, $params, $content) = (0, 0, '', '');

    while ($type != FCGI_STDIN || $content ne '') {
        my ($length, $padding);

        (undef, $type, $id, $length, $padding)
            = unpack 'CCnnC', octets($client, 8);
        $content = octets($client, $length);
        octets($client, $padding);

        $params .= $content if $type == FCGI_PARAMS;
    }

    return join '', map { pack('CCnnxx', 1, $_->[0], $id, length $_->[1])
        . $_->[1] } [ FCGI_STDOUT, response(fastcgi_pairs($params)) ],
        [ FCGI_STDOUT, '' ], [ FCGI_END_REQUEST, pack 'NCx3', 0, 0 ];
}


# a length of one octet, or of four with the highest bit set
sub fastcgi_pairs {
    my ($params) = @_;
    my (@pairs);

    while ($params ne '') {
        my (@length);

        foreach (1, 2) {
            push @length, ord $params < 0x80
                ? ord substr $params, 0, 1, ''
                : 0x7fffffff & unpack 'N', substr $params, 0, 4, '';
        }

        push @pairs, map { substr $params, 0, $_, '' } @length;
    }

    return @pairs;
}


sub uwsgi {
    my ($client) = @_;

    return response(unpack '(v/a)*',
        octets($client, (unpack 'CvC', octets($client, 4))[1]));
}


sub scgi {
    my ($client) = @_;
    my ($length) = ('');

    while ((my $octet = octets($client, 1)) ne ':') {
        $length .= $octet;
    }

    # and the comma
    return response(split /\0/, substr octets($client, $length + 1), 0, -1);
}


sub response {
    my (@pairs) = @_;
    my ($text) = "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n";

    while (my ($name, $value) = splice @pairs, 0, 2) {
        $text .= "$name=$value\n" if defined $value;
    }

    return $text;
}


sub octets {
    my ($client, $length) = @_;
    my ($octets) = ('');

    while (length $octets < $length) {
        sysread $client, $octets, $length - length $octets, length $octets
            or die "closed\n";
    }

    return $octets;
}


1;
