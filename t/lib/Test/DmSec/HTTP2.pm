package Test::DmSec::HTTP2;

# A client of HTTP/2 that says exactly what it is told to, so that it can do
# what curl does not: give a request up in the packet that brings it.
#
#   my $h = Test::DmSec::HTTP2->new(PORT, options);
#   my $id = $h->request(URI, header lines, [{ reset => 1, method => M }]);
#   my $status = $h->status($id);
#
# The port is the one that nginx.conf says; the options, SSL among them, are
# those of Test::DmSec::Client.  Header lines are as those of HTTP/1.1.

use warnings;
use strict;

use Test::DmSec::Client;
use Test::Nginx;

use constant {
    HEADERS => 1,
    RST_STREAM => 3,
    SETTINGS => 4,
    GOAWAY => 7,
    END_STREAM => 1,
    END_HEADERS => 4,
    CANCEL => 8,
};

# RFC 7541, appendix A: the statuses that have a name there
my %status = map { $_->[0] => $_->[1] } [ 0x88, 200 ], [ 0x89, 204 ],
    [ 0x8a, 206 ], [ 0x8b, 304 ], [ 0x8c, 400 ], [ 0x8d, 404 ],
    [ 0x8e, 500 ];


sub new {
    my ($class, $port, %o) = @_;
    my ($self);

    $o{SSL_alpn_protocols} //= [ 'h2' ] if $o{SSL};

    $self = bless {
        client => Test::DmSec::Client->new(port($port), %o),
        id => -1,
        status => {},
    }, $class;

    $self->{client}->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        . frame(SETTINGS, 0, 0, ''));

    return $self;
}


# Sends a GET, or another method, returns the number of its stream.  With reset
# it is given up at once, in the same packet.
sub request {
    my ($self, $uri, @lines) = @_;
    my ($o) = ref $lines[-1] ? pop @lines : {};
    my ($id) = $self->{id} += 2;
    my ($block, $frames);

    $block = ($o->{method} ? literal(':method', $o->{method}) : "\x82")
        . ($self->{client}{info} ? "\x87" : "\x86")
        . literal(':path', $uri) . literal(':authority', 'localhost');

    foreach my $line (@lines) {
        $line =~ /^([^:]+):[ ]?(.*)/s or die "no header: $line\n";
        $block .= literal(lc $1, $2);
    }

    $frames = frame(HEADERS, END_STREAM | END_HEADERS, $id, $block);
    $frames .= frame(RST_STREAM, 0, $id, pack 'N', CANCEL) if $o->{reset};

    $self->{client}->send($frames);

    return $id;
}


# the status of a stream's response, 0 where there is none in time, or nginx has
# ended the stream or the connection
sub status {
    my ($self, $id) = @_;

    while (!defined $self->{status}{$id}) {
        $self->{client}->timed($self->{client}{timeout}, sub {
            return $self->read_frame();
        }) or return 0;
    }

    return $self->{status}{$id};
}


sub read_frame {
    my ($self) = @_;
    my ($high, $low, $type, undef, $id)
        = unpack 'CnCCN', $self->{client}->take(9);
    my ($data) = $self->{client}->take($high << 16 | $low);

    if ($type == RST_STREAM || $type == GOAWAY) {
        $self->{status}{$_} //= 0
            foreach $type == GOAWAY ? map { 2 * $_ + 1 } 0 .. $self->{id} / 2
            : $id;
    }

    return 1 if $type != HEADERS;

    # a size of the table may come before; what is not in it has three digits
    $data =~ s/^[\x20-\x3f]+//;
    $self->{status}{$id} //= $status{ord $data}
        // ($data =~ /^H\x03(\d{3})/ ? $1 : 0);

    return 1;
}


sub close {
    my ($self) = @_;

    $self->{client}->close();

    return;
}


sub frame {
    my ($type, $flags, $id, $data) = @_;

    return substr(pack('N', length $data), 1) . pack 'CCNa*', $type, $flags,
        $id, $data;
}


# a field that goes into no table
sub literal {
    my ($name, $value) = @_;

    return "\x00" . string($name) . string($value);
}


# RFC 7541, section 5.2: up to 16,510 octets, without Huffman's code
sub string {
    my ($value) = @_;
    my ($length) = length $value;

    return chr($length) . $value if $length < 127;

    $length -= 127;

    return "\x7f" . ($length < 128 ? chr $length
        : chr(0x80 | $length & 127) . chr($length >> 7)) . $value;
}


1;
