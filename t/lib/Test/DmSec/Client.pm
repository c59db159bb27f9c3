package Test::DmSec::Client;

# A client that keeps its connection: one request after another, or several
# at once, over plain TCP or TLS.  Each wait has a bound.
#
#   my $c = Test::DmSec::Client->new(PORT, options);
#   my $response = $c->request($raw);
#
# The port is the real one.  Options:
#
#   SSL => 1   TLS, with any SSL_... option of IO::Socket::SSL; the server's
#              certificate is not verified unless SSL_verify_mode is given
#   address    of the server, 127.0.0.1 unless given
#   from       the client's own address
#   timeout    in seconds, 120 unless given
#
# Where something fails the method returns undef and error() says what.

use warnings;
use strict;

use IO::Socket::IP;
use Socket qw/ SOCK_STREAM /;
use Time::HiRes qw/ alarm /;


sub new {
    my ($class, $port, %o) = @_;
    my ($self);

    $self = bless {
        buffer => '',
        error => '',
        timeout => $o{timeout} || 120,
    }, $class;

    $self->timed($self->{timeout}, sub {
        $self->{socket} = IO::Socket::IP->new(Type => SOCK_STREAM,
            PeerHost => $o{address} || '127.0.0.1', PeerPort => $port,
            $o{from} ? (LocalHost => $o{from}) : ())
            or die "Can't connect: $@\n";
    });

    $self->start_tls(%o) if $o{SSL};

    return $self;
}


# TLS on a connection that is open: true where the handshake succeeded
sub start_tls {
    my ($self, %o) = @_;
    my ($socket) = $self->{socket};

    require IO::Socket::SSL;

    return unless $socket;

    return $self->timed($self->{timeout}, sub {
        die "octets in clear before the handshake\n" if $self->{buffer} ne '';

        IO::Socket::SSL->start_SSL($socket,
            SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_NONE(),
            SSL_ca => [],       # or it reads all that the system trusts
            map { $_ => $o{$_} } grep { /^SSL_/ } keys %o)
            or die IO::Socket::SSL::errstr() . "\n";

        $self->{info} = {
            protocol => $socket->get_sslversion() =~ tr/_/./r,
            cipher => $socket->get_cipher(),
            reused => $socket->get_session_reused(),
        };

        return 1;
    }) || $self->close();
}


# { protocol (nginx's name), cipher (OpenSSL's name), reused, error }, the
# first three only over TLS
sub info {
    my ($self) = @_;

    return { %{ $self->{info} || {} }, error => $self->{error} };
}


# what failed last, '' when nothing did
sub error {
    my ($self) = @_;

    return $self->{error};
}


# Sends it, returns the response: also one that came before all was sent.
sub request {
    my ($self, $raw) = @_;

    $self->send($raw);

    return $self->response($raw =~ /^HEAD /);
}


# true when all of it was sent
sub send {
    my ($self, $raw) = @_;

    return unless $self->{socket};

    return $self->timed($self->{timeout}, sub {
        $self->{socket}->print($raw) or die "Can't send: $!\n";
        $self->{socket}->flush();
        return 1;
    });
}


# Whether the server, on this machine, has accepted the connection and read all
# that was sent.  Another client may have had the port, and be closing for a
# minute.
sub is_read {
    my ($self) = @_;
    my ($server, $client) = map { sprintf ':%04X', $_ }
        $self->{socket}->peerport(), $self->{socket}->sockport();

    open my $fh, '<', '/proc/net/tcp' or die "Can't open /proc/net/tcp: $!\n";

    while (my $line = <$fh>) {
        my ($local, $remote, $queues, $inode) = (split ' ', $line)[1, 2, 4, 9];

        return $inode && $queues =~ /:0+$/
            if $local =~ /$server$/ && $remote =~ /$client$/;
    }

    return 0;
}


# The next response, whole, its chunks as they came.  101 is a response; any
# other 1xx is left out.
sub response {
    my ($self, $head_only) = @_;

    return unless $self->{socket};

    return $self->timed($self->{timeout}, sub {
        my ($head);

        do {
            $head = $self->take_until("\r\n\r\n");
        } while ($head =~ m{^HTTP/1\.1 1(?!01)});

        return $head if $head_only || $head =~ m{^HTTP/1\.\d (?:101|204|304)};
        return $head . $self->take_chunks()
            if $head =~ /^Transfer-Encoding: *chunked\r$/mi;
        return $head . $self->take($1)
            if $head =~ /^Content-Length: *(\d+)\r$/mi;

        1 while $self->fill();
        return $head . $self->take(length $self->{buffer});
    });
}


# whether the server closes within that time, 120 s unless given, and sends
# nothing more before
sub closed {
    my ($self, $seconds) = @_;
    my ($read);

    return 1 unless $self->{socket};
    return 0 if length $self->{buffer};

    $read = $self->timed($seconds // 120, sub { $self->fill() });

    return defined $read ? !$read : $self->{error} ne 'timeout';
}


sub close {
    my ($self) = @_;

    $self->{socket}->close() if $self->{socket};
    $self->{socket} = undef;

    return;
}


# the octets up to the end of the first $mark
sub take_until {
    my ($self, $mark) = @_;
    my ($i);

    while (($i = index $self->{buffer}, $mark) < 0) {
        $self->fill() or die "closed\n";
    }

    return $self->take($i + length $mark);
}


sub take {
    my ($self, $length) = @_;

    while (length $self->{buffer} < $length) {
        $self->fill() or die "closed\n";
    }

    return substr $self->{buffer}, 0, $length, '';
}


sub take_chunks {
    my ($self) = @_;
    my ($line, $raw) = ('', '');

    do {
        $line = $self->take_until("\r\n");
        $raw .= $line . $self->take(hex(($line =~ /^([0-9a-f]+)/i)[0]));
        $raw .= $self->take_until("\r\n") if $line !~ /^0+\b/;
    } while ($line !~ /^0+\b/);

    do {
        $line = $self->take_until("\r\n");
        $raw .= $line;
    } while ($line ne "\r\n");

    return $raw;
}


# appends what arrives to the buffer, returns its length, 0 at the end
sub fill {
    my ($self) = @_;
    my ($n);

    $n = $self->{socket}->sysread($self->{buffer}, 65536,
        length $self->{buffer});

    return $n if defined $n;

    die(($self->{info} ? IO::Socket::SSL::errstr() : $!) . "\n");
}


# runs the sub, undef and error() where it dies or takes too long
sub timed {
    my ($self, $seconds, $sub) = @_;
    my ($result);

    $self->{error} = '';

    $result = eval {
        local $SIG{ALRM} = sub { die "timeout\n" };
        local $SIG{PIPE} = 'IGNORE';
        my $value;

        alarm $seconds;
        $value = $sub->();
        alarm 0;

        return $value;
    };

    if ($@) {
        alarm 0;
        chomp($self->{error} = $@);
    }

    return $result;
}


1;
