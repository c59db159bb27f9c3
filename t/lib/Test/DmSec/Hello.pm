package Test::DmSec::Hello;

# A ClientHello that no library would send.

use warnings;
use strict;

use Exporter qw/ import /;

use IO::Socket::INET;

use Test::DmSec::Process qw/ wait_for /;
use Test::Nginx;

our @EXPORT_OK = qw/ hello /;


# hello(PORT, VERSION, suites, [{ sni => NAME }]): a ClientHello of TLS 1.2 or
# less; returns "hello VERSION SUITE" or "alert NUMBER"
sub hello {
    my ($port, $version, @suites) = @_;
    my ($o) = ref $suites[-1] ? pop @suites : {};
    my ($hello, $s, $answer);

    $hello = pack 'n a32 C n/a* C/a*', $version, 'r' x 32, 0,
        pack('n*', @suites), "\0";
    $hello .= pack 'n/a*', pack 'n n/a*', 0, pack 'n/a*',
        pack 'C n/a*', 0, $o->{sni}
        if defined $o->{sni};
    $hello = pack 'C C n/a*', 1, 0, $hello;

    $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port($port))
        or return 'no connection';
    $s->syswrite(pack 'C n n/a*', 22, $version, $hello);
    $s->blocking(0);

    $answer = '';
    wait_for(5, sub {
        my $n = $s->sysread($answer, 4096, length $answer);
        return defined $n && !$n || length $answer > 5
            && length $answer >= 5 + unpack 'x3 n', $answer;
    });

    return sprintf 'alert %d', unpack 'x6 C', $answer
        if $answer =~ /^\x15/ && length $answer > 6;

    return sprintf 'hello %04x %04x', unpack 'x9 n x32 C/x n', $answer
        if $answer =~ /^\x16/ && length $answer > 50;

    return 'no answer';
}


1;
