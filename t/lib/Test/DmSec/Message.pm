package Test::DmSec::Message;

# HTTP messages as text: requests, credentials, and what is in a response.

use warnings;
use strict;

use Exporter qw/ import /;

use Digest::MD5 qw/ md5_hex /;
use Digest::SHA qw/ sha256_hex sha512256_hex /;
use MIME::Base64 qw/ encode_base64 /;

our @EXPORT_OK = qw/
    basic challenges digest fields header request rspauth status
/;


# request(METHOD, URI, header lines, [{ body => B, host => H }]): a request of
# HTTP/1.1, to localhost unless another host is given.  Empty lines count for
# nothing, so a line may be made by a sub that has none to give.
sub request {
    my ($method, $uri, @lines) = @_;
    my ($o) = ref $lines[-1] ? pop @lines : {};

    unshift @lines, 'Host: ' . ($o->{host} // 'localhost');
    push @lines, 'Content-Length: ' . length $o->{body} if defined $o->{body};

    return join("\r\n", "$method $uri HTTP/1.1",
        grep({ defined && length } @lines), '', $o->{body} // '');
}


# the header line of Basic credentials
sub basic {
    my ($user, $password) = @_;

    return 'Authorization: Basic ' . encode_base64("$user:$password", '');
}


# the status code, 0 without a response
sub status {
    my ($response) = @_;

    return ($response // '') =~ m{^HTTP/1\.\d (\d+)} ? $1 : 0;
}


# the values of a header: all of them, in scalar context the first or undef
sub header {
    my ($response, $name) = @_;
    my ($values) = fields($response // '')->{lc $name} || [];

    return wantarray ? @$values : $values->[0];
}


sub fields {
    my ($text) = @_;
    my ($head, %fields);

    ($head) = split /\r\n\r\n/, $text, 2;

    push @{ $fields{lc $1} }, $2
        while ($head // '') =~ /^([^\s:]+):[ \t]*(.*?)[ \t]*\r?$/mg;

    return \%fields;
}


# the challenges of a response in their order: { scheme, realm, nonce, ... }
sub challenges {
    my ($response) = @_;

    return map { parse_challenge($_) } header($response, 'WWW-Authenticate');
}


sub parse_challenge {
    my ($value) = @_;
    my (%challenge);

    $value =~ s/^(\S+)\s*// and $challenge{scheme} = $1;

    $challenge{lc $1} = $2 // $3
        while $value =~ /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g;

    return \%challenge;
}


# digest($challenge, %options): the header line that answers a challenge of
# challenges().
#
#   user, password
#   method, uri   GET and / unless given
#   nc            a number, 1 unless given
#   cnonce        random unless given
#   qop           auth unless given; '' for a client that knows none
#   body          for auth-int
#   userhash      1: send the hash of the user's name
#   set           { name => value } replaces parameters as the last step,
#                 undef removes: for wrong ones
sub digest {
    my ($challenge, %o) = @_;
    my (%p);

    %o = digest_options($challenge, %o);

    %p = (
        username => $o{userhash}
            ? $o{hash}->("$o{user}:$challenge->{realm}") : $o{user},
        realm => $challenge->{realm},
        nonce => $challenge->{nonce},
        uri => $o{uri},
        response => digest_value("$o{method}:$o{uri}", %o),
    );

    $p{algorithm} = $challenge->{algorithm} if $challenge->{algorithm};
    $p{opaque} = $challenge->{opaque} if defined $challenge->{opaque};
    $p{userhash} = 'true' if $o{userhash};
    @p{qw/ qop nc cnonce /} = @o{qw/ qop nc cnonce /} if $o{qop};

    %p = (%p, %{ $o{set} }) if $o{set};

    return 'Authorization: Digest ' . join ', ',
        map { /^(?:algorithm|qop|nc|userhash|username\*)$/
            ? "$_=$p{$_}" : qq/$_="$p{$_}"/ }
        grep { defined $p{$_} } sort keys %p;
}


# the rspauth that the server must send for the same options (qop auth); the
# cnonce must be given
sub rspauth {
    my ($challenge, %o) = @_;

    %o = digest_options($challenge, %o, body => undef);

    return digest_value(":$o{uri}", %o);
}


sub digest_options {
    my ($challenge, %o) = @_;
    my ($algorithm, %hash, $ha1);

    %hash = (
        'MD5' => \&md5_hex,
        'SHA-256' => \&sha256_hex,
        'SHA-512-256' => \&sha512256_hex,
    );

    $algorithm = $challenge->{algorithm} || 'MD5';

    $o{method} //= 'GET';
    $o{uri} //= '/';
    $o{qop} //= 'auth';
    $o{nc} = sprintf '%08x', $o{nc} // 1;
    $o{cnonce} //= sprintf '%08x%08x', rand 2 ** 32, rand 2 ** 32;
    $o{nonce} = $challenge->{nonce};
    $o{hash} = $hash{$algorithm =~ s/-sess$//ri}
        or die "unknown algorithm $algorithm\n";

    $ha1 = $o{hash}->("$o{user}:$challenge->{realm}:$o{password}");
    $ha1 = $o{hash}->("$ha1:$o{nonce}:$o{cnonce}")
        if $algorithm =~ /-sess$/i;
    $o{ha1} = $ha1;

    return %o;
}


sub digest_value {
    my ($a2, %o) = @_;

    $a2 .= ':' . $o{hash}->($o{body} // '') if $o{qop} eq 'auth-int';

    return $o{hash}->(join ':', $o{ha1}, $o{nonce},
        $o{qop} ? @o{qw/ nc cnonce qop /} : (), $o{hash}->($a2));
}


1;
