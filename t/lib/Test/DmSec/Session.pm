package Test::DmSec::Session;

# A Digest session: a challenge, and how far its counts are used up.
#
#   my $s = Test::DmSec::Session->new(user => U, password => P);
#   $s->renew($response);                   # takes a challenge from it
#   my $r = http($s->next_request('Connection: close'));
#   outcome($r);

use warnings;
use strict;

use Exporter qw/ import /;

use Test::DmSec::Message qw/ challenges digest request status /;

our @EXPORT_OK = qw/ outcome /;


# with a challenge where there is one already, as in challenges()
sub new {
    my ($class, %o) = @_;

    return bless { nc => 0, %o }, $class;
}


# The next request, with these lines too: without credentials while there is
# no challenge, then with the next count, and a URI that no other has.
sub next_request {
    my ($self, @lines) = @_;
    my ($uri);

    return request('GET', '/', @lines) if !$self->{challenge};

    $uri = join '/', '', $self->{challenge}{nonce} =~ tr{+/}{-_}r,
        ++$self->{nc};

    return request('GET', $uri, @lines, digest($self->{challenge},
        uri => $uri, map { $_ => $self->{$_} } qw/ user password nc /));
}


# goes on with a challenge of the response, with any of them, from count 1
sub renew {
    my ($self, $response) = @_;
    my (@challenges) = challenges($response);

    @{$self}{qw/ challenge nc /} = ($challenges[rand @challenges], 0);

    return $self;
}


# What a response says of the nonce: "stale" where each challenge says that,
# otherwise the status, 0 without a response.
sub outcome {
    my ($response) = @_;
    my (@challenges) = challenges($response);

    return @challenges && !grep({ ($_->{stale} // '') ne 'true' } @challenges)
        ? 'stale' : status($response);
}


1;
