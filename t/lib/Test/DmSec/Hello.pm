package Test::DmSec::Hello;

# A ClientHello that no library would send.

use warnings;
use strict;

use Exporter qw/ import /;

use IO::Select;
use IO::Socket::INET;

use Test::Nginx;

our @EXPORT_OK = qw/ hello hello_flight hello_names hello_retry /;


use constant {
    WAIT => 10,
    AT_ONCE => 64,      # connections of hello_names()
};


# hello(PORT, VERSION, suites, [{ options }]): a ClientHello of TLS 1.2 or less;
# returns "hello VERSION SUITE" or "alert NUMBER"
#
#   sni      a name; without an extension unless given
#   groups   of curves, numbers; the same
#   sigalgs  numbers; the same
sub hello {
    my ($s) = greeted(@_) or return 'no connection';

    return said(answer($s));
}


# the same, but returns all octets of the server up to its ServerHelloDone
sub hello_flight {
    my ($s) = greeted(@_) or return 'no connection';

    return answer($s, qr/\x0e\0\0\0\z/);
}


sub greeted {
    my ($port, $version, @suites) = @_;
    my ($o) = ref $suites[-1] ? pop @suites : {};
    my ($s);

    $s = connected($port) or return;
    $s->syswrite(record($version, $version, \@suites,
        defined $o->{sni} ? server_name($o->{sni}) : (),
        $o->{groups} ? pack('n n/a*', 10, pack 'n/a*',
            pack 'n*', @{ $o->{groups} }) : (),
        $o->{sigalgs} ? pack('n n/a*', 13, pack 'n/a*',
            pack 'n*', @{ $o->{sigalgs} }) : ()));

    return $s;
}


# hello_names(PORT, SUITE, PATTERN, [names]): what TLS 1.2 answers to a
# ClientHello with each name: what the pattern finds in the certificate, or
# "alert NUMBER"
sub hello_names {
    my ($port, $suite, $pattern, $names) = @_;
    my (@names) = @$names;
    my (@answers);

    while (my @part = splice @names, 0, AT_ONCE) {
        my (@sockets);

        foreach my $name (@part) {
            my $s = connected($port) or return 'no connection';

            $s->syswrite(record(0x0303, 0x0303, [ $suite ],
                server_name($name), pack('n n/a*', 10, pack 'n n', 2, 23),
                pack('n n/a*', 13, pack 'n n n', 4, 0x0403, 0x0401)));
            push @sockets, $s;
        }

        foreach my $s (@sockets) {
            my $answer = answer($s, $pattern);

            push @answers, $answer =~ $pattern ? $1 : said($answer);
        }
    }

    return @answers;
}


# hello_retry(PORT, name, name): a ClientHello of TLS 1.3 that the server must
# ask to be repeated, and the other one with the other name (undef: none); what
# comes of the second, as in hello()
sub hello_retry {
    my ($port, @names) = @_;
    my ($s, $answer, @extensions);

    $s = connected($port) or return 'no connection';

    @extensions = (pack('n n/a*', 10, pack 'n n', 2, 29),
        pack('n n/a*', 13, pack 'n n3', 6, 0x0403, 0x0804, 0x0401),
        pack('n n/a*', 43, pack 'C n', 2, 0x0304));

    $s->syswrite(record(0x0301, 0x0303, [ 0x1301, 0x1302 ],
        defined $names[0] ? server_name($names[0]) : (), @extensions,
        pack 'n n/a*', 51, pack 'n', 0));

    $answer = answer($s);

    # the random of a HelloRetryRequest, RFC 8446, section 4.1.3
    return said($answer) . ', no retry'
        if $answer !~ /^\x16.{10}\xcf\x21\xad\x74\xe5\x9a\x61\x11/s;

    $s->syswrite(record(0x0303, 0x0303, [ 0x1301, 0x1302 ],
        defined $names[1] ? server_name($names[1]) : (), @extensions,
        pack 'n n/a*', 51, pack 'n/a*', pack 'n n/a*', 29, "\x09" . "\0" x 31));

    return said(answer($s));
}


sub connected {
    my ($port) = @_;

    return IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port($port));
}


sub server_name {
    my ($name) = @_;

    return pack 'n n/a*', 0, pack 'n/a*', pack 'C n/a*', 0, $name;
}


sub record {
    my ($record, $version, $suites, @extensions) = @_;
    my ($hello);

    $hello = pack 'n a32 C n/a* C/a*', $version, 'r' x 32, 0,
        pack('n*', @$suites), "\0";
    $hello .= pack 'n/a*', join '', @extensions if @extensions;

    return pack 'C n n/a*', 22, $record, pack 'C C n/a*', 1, 0, $hello;
}


# what the server sends: one record at least, and all that comes up to what the
# pattern finds, or to an alert
sub answer {
    my ($s, $pattern) = @_;
    my ($answer) = '';

    until (whole($answer, $pattern)) {
        IO::Select->new($s)->can_read(WAIT) or last;
        $s->sysread($answer, 4096, length $answer) or last;
    }

    return $answer;
}


sub whole {
    my ($answer, $pattern) = @_;

    return 0 if length $answer < 6
        || length $answer < 5 + unpack 'x3 n', $answer;

    return $answer =~ /^\x15/ || !$pattern || $answer =~ $pattern;
}


sub said {
    my ($answer) = @_;

    return sprintf 'alert %d', unpack 'x6 C', $answer
        if $answer =~ /^\x15/ && length $answer > 6;

    return sprintf 'hello %04x %04x', unpack 'x9 n x32 C/x n', $answer
        if $answer =~ /^\x16/ && length $answer > 50;

    return 'no answer';
}


1;
