package Test::DmSec::Upstream;

# An upstream that remembers what it received.

use warnings;
use strict;

use Exporter qw/ import /;

use Digest::SHA qw/ sha256_hex /;
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();

use Test::DmSec::Message qw/ fields /;
use Test::DmSec::Process qw/ slurp /;
use Test::Nginx;

our @EXPORT_OK = qw/
    upstream upstream_clear upstream_count upstream_log upstream_repeated
/;


my $json = JSON::PP->new()->canonical();


# upstream($t, PORT, [respond => SUB]): a server that logs each request when
# it has all of it, then answers.  The answer is 200 and the head as it was
# received, or what SUB returns for the request (as in upstream_log) and its
# body, a whole response.  It keeps connections open where the client does.
sub upstream {
    my ($t, $port, %o) = @_;

    $t->run_daemon(\&serve, upstream_file($t, $port), port($port),
        $o{respond} || \&echo);
    $t->waitforsocket('127.0.0.1:' . port($port))
        or die "Can't start the upstream on port $port\n";
}


# The requests in the order of their ends, as hashes:
#
#   method, uri, version, head (the raw text), length and sha256 of the body
#   fields      lower case name => [ values ]
#   connection  which one it came by, counted from 1
sub upstream_log {
    my ($t, $port) = @_;

    return map { $json->decode($_) }
        split /\n/, slurp(upstream_file($t, $port));
}


sub upstream_count {
    my ($t, $port) = @_;

    return slurp(upstream_file($t, $port)) =~ tr/\n//;
}


# the URIs that came more than once
sub upstream_repeated {
    my ($t, $port) = @_;
    my (%times);

    $times{$_}++
        foreach slurp(upstream_file($t, $port)) =~ /"uri":"([^"]*)"/g;

    return grep { $times{$_} > 1 } sort keys %times;
}


# forgets what was logged
sub upstream_clear {
    my ($t, $port) = @_;

    truncate upstream_file($t, $port), 0;
}


sub upstream_file {
    my ($t, $port) = @_;

    return $t->testdir() . "/upstream-$port.log";
}


sub echo {
    my ($request) = @_;
    my ($body) = $request->{method} eq 'HEAD' ? '' : $request->{head};

    return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        . 'Content-Length: ' . length($request->{head}) . "\r\n\r\n$body";
}


# one process for all connections, so that nothing is left when it is killed
sub serve {
    my ($file, $port, $respond) = @_;
    my ($listener, $select, $log, %buffer, %number, $count);

    local $SIG{PIPE} = 'IGNORE';

    open $log, '>>', $file or die "Can't open $file: $!\n";
    $log->autoflush(1);

    $listener = IO::Socket::INET->new(Proto => 'tcp', Listen => 128,
        LocalAddr => "127.0.0.1:$port", ReuseAddr => 1)
        or die "Can't listen on port $port: $!\n";
    $select = IO::Select->new($listener);

    while (my @ready = $select->can_read()) {
        foreach my $fh (@ready) {
            if ($fh == $listener) {
                my $client = $listener->accept() or next;
                $buffer{$client} = '';
                $number{$client} = ++$count;
                $select->add($client);
                next;
            }

            next if sysread($fh, $buffer{$fh}, 65536, length $buffer{$fh})
                && serve_requests($fh, $number{$fh}, \$buffer{$fh}, $log,
                    $respond);

            $select->remove($fh);
            delete $buffer{$fh};
            delete $number{$fh};
            close $fh;
        }
    }
}


# answers what is complete in the buffer, false when the connection is done
sub serve_requests {
    my ($fh, $number, $buffer, $log, $respond) = @_;

    while (my ($request, $body) = take_request($buffer)) {
        $request->{connection} = $number;
        print {$log} $json->encode($request) . "\n";
        print {$fh} $respond->($request, $body);
        $fh->flush();

        my $connection = lc($request->{fields}{connection}[0] // '');
        return 0 if $connection eq 'close'
            || $request->{version} eq '1.0' && $connection ne 'keep-alive';
    }

    return 1;
}


# (request, body), nothing while it is not whole
sub take_request {
    my ($buffer) = @_;
    my ($head, $length, $fields, $body);

    return unless $$buffer =~ /^(.*?\r\n)\r\n/s;

    $head = $1;
    $fields = fields($head);

    if (lc($fields->{'transfer-encoding'}[0] // '') eq 'chunked') {
        ($length, $body) = dechunk(substr $$buffer, length($head) + 2);
        return unless defined $length;

    } else {
        $length = $fields->{'content-length'}[0] // 0;
        return if length($$buffer) < length($head) + 2 + $length;
        $body = substr $$buffer, length($head) + 2, $length;
    }

    substr $$buffer, 0, length($head) + 2 + $length, '';

    $head =~ m{^(\S+) (\S+) HTTP/(\S+)\r\n} or die "upstream: $head\n";

    return {
        method => $1, uri => $2, version => $3, head => $head,
        fields => $fields, length => length $body,
        sha256 => sha256_hex($body),
    }, $body;
}


# (octets used, content), nothing while the end is missing
sub dechunk {
    my ($raw) = @_;
    my ($content) = ('');

    while ($raw =~ /\G([0-9a-f]+)[^\n]*\r\n/gci) {
        my $size = hex $1;

        return (pos($raw) + 2, $content)
            if !$size && substr($raw, pos $raw, 2) eq "\r\n";
        return if !$size || length($raw) < pos($raw) + $size + 2;

        $content .= substr $raw, pos $raw, $size;
        pos($raw) += $size + 2;
    }

    return;
}


1;
