package Registry;

# The clients: how each is told its version, and how it is asked.
#
#   name     as in the tables and in the file "expected"
#   kind     'http', or 'tls' for what has TLS and no HTTP
#   versions of TLS that it has, all unless they are given
#   psk      true if it has pre-shared keys; all clients of kind 'tls' have
#   driver   a command that asks for all cells (see run)
#   command  ->(URL, METHOD, USER, PASSWORD): a command that asks for one cell
#   status   ->(EXIT, OUTPUT): the status that this command saw, 0 for none
#   input    true if the command is given the request itself
#   version, matches    a command, and the version in what it prints

use warnings;
use strict;

use Exporter qw/ import /;

use FindBin;

use Bench qw/ spew /;

our @EXPORT_OK = qw/ clients /;

use constant JARS => qw/
    httpclient httpcore httpclient5 httpcore5 httpcore5-h2 commons-codec
    commons-logging slf4j-api
/;

# s, for one answer
use constant {
    PATIENCE => 30,

    # s, of one that would go on and on
    IMPATIENCE => 5,
};


sub clients {
    my ($build, $dir) = @_;
    my ($here) = $FindBin::Bin;

    return (
        curl($dir),
        wget($dir),
        python($here),
        driven('LWP', "$here/lwp"),
        driven('Ruby net/http', "$here/ruby"),
        java($build),
        ffmpeg($dir),
        driven('libsoup', "$here/soup"),
        driven('digest-fetch', "$here/node", 'digest-fetch'),
        driven('urllib of npm', "$here/node", 'urllib'),
        { %{ driven('Node.js http, https', "$here/node", 'Node') }, psk => 1 },
        driven('PHP curl', "$here/php"),
        driven('Go net/http', "$build/go"),
        ipptool($dir),
        s_client($dir),
        gnutls($dir),
        { name => 'mbedTLS', kind => 'tls', driver => [ "$build/mbedtls" ] },
        { name => 'wolfSSL', kind => 'tls', driver => [ "$build/wolfssl" ] },
        { name => 'wolfSSL with TLS 1.2 only', kind => 'tls',
            driver => [ "$build/wolfssl", '1.2' ], versions => [ 'TLS 1.2' ] },
        stunnel($dir),
    );
}


sub driven {
    my ($name, @driver) = @_;

    return { name => $name, kind => 'http', driver => \@driver };
}


sub python {
    my ($here) = @_;

    return map { driven("Python $_", "$here/python", $_) }
        qw/ urllib requests httpx aiohttp /;
}


sub java {
    my ($build) = @_;
    my ($path, %name);

    $path = join ':', "$build/java", map { "/usr/share/java/$_.jar" } JARS;
    %name = (HttpURLConnection => 'Java HttpURLConnection',
        HttpClient => 'Java HttpClient',
        HttpClient4 => 'Apache HttpClient 4',
        HttpClient5 => 'Apache HttpClient 5');

    return map {
        driven($name{$_}, 'java', '-cp', $path, 'Clients', $_)
    } qw/ HttpURLConnection HttpClient HttpClient4 HttpClient5 /;
}


sub curl {
    my ($dir) = @_;

    return {
        name => 'curl',
        kind => 'http',
        version => [ 'curl', '--version' ],
        matches => qr/^curl (\S+)/,
        command => sub {
            my ($url, $method, $user, $password) = @_;

            return ('curl', '-sS', '-m', PATIENCE, '--cacert', "$dir/ca.crt",
                '-o', '/dev/null', '-w', '%{http_code}\n',
                $method eq 'x509'
                    ? ('--cert', "$dir/client.crt", '--key',
                        "$dir/client.key")
                    : ("--$method", '-u', "$user:$password"),
                $url);
        },
        status => sub { $_[1] =~ /^(\d+)$/m ? 0 + $1 : 0 },
    };
}


sub wget {
    my ($dir) = @_;

    return {
        name => 'wget',
        kind => 'http',
        version => [ 'wget', '--version' ],
        matches => qr/^GNU Wget (\S+)/,
        command => sub {
            my ($url, $method, $user, $password) = @_;

            return ('wget', '-nv', '-t', 1, '-T', PATIENCE, '-O', '/dev/null',
                "--ca-certificate=$dir/ca.crt",
                $method eq 'x509'
                    ? ("--certificate=$dir/client.crt",
                        "--private-key=$dir/client.key")
                    : ("--user=$user", "--password=$password"),
                $url);
        },
        status => sub { $_[0] == 0 ? 200 : 0 },
    };
}


sub ffmpeg {
    my ($dir) = @_;

    return {
        name => 'ffmpeg',
        kind => 'http',
        version => [ 'ffmpeg', '-version' ],
        matches => qr/^ffmpeg version ([\d.]+)/,
        command => sub {
            my ($url, $method, $user, $password) = @_;
            my (@tls);

            $url =~ s{//}{//$user:$password\@} if $method ne 'x509';

            @tls = ('-ca_file', "$dir/ca.crt", '-tls_verify', 1)
                if $url =~ /^https:/;
            push @tls, '-cert_file', "$dir/client.crt", '-key_file',
                "$dir/client.key" if $method eq 'x509';

            return ('ffmpeg', '-v', 'error', '-nostdin',
                '-f', 'data', @tls, '-i', $url, '-map', 0, '-c', 'copy',
                '-f', 'null', '-');
        },
        status => sub { $_[0] == 0 ? 200 : 0 },
    };
}


# what the server behind answers is no IPP, so it is content with nothing:
# that it was let in the server has to say
sub ipptool {
    my ($dir) = @_;

    return {
        name => 'CUPS ipptool',
        kind => 'http',
        version => [ 'dpkg-query', '-W', '-f', '${Version}',
            'cups-ipp-utils' ],
        matches => qr/^([\d.]+)/,
        command => sub {
            my ($url, $method, $user, $password) = @_;

            $url =~ s{^http(s?)://}{ipp$1://$user:$password\@};

            return ('ipptool', '-t', '-T', IMPATIENCE, $url,
                'get-printer-attributes.test');
        },
        status => sub { $_[1] =~ /not-authenticated|-forbidden/ ? 401 : 200 },
    };
}


###############################################################################
# TLS alone: the request is made here


sub s_client {
    my ($dir) = @_;

    return {
        name => 'OpenSSL s_client',
        kind => 'tls',
        input => 1,
        version => [ 'openssl', 'version' ],
        matches => qr/^OpenSSL (\S+)/,
        command => sub {
            my ($url, $method) = @_;

            return ('openssl', 's_client', '-quiet', '-verify_return_error',
                '-CAfile', "$dir/ca.crt", '-connect', address($url),
                $method eq 'psk'
                    ? ('-psk_identity', $ENV{DM_PSK_IDENTITY}, '-psk',
                        $ENV{DM_PSK_KEY})
                    : ('-cert', "$dir/client.crt", '-key',
                        "$dir/client.key"));
        },
        status => \&first_line,
    };
}


sub gnutls {
    my ($dir) = @_;

    return {
        name => 'GnuTLS gnutls-cli',
        kind => 'tls',
        input => 1,
        version => [ 'gnutls-cli', '--version' ],
        matches => qr/^gnutls-cli (\S+)/,
        command => sub {
            my ($url, $method) = @_;
            my ($host, $port) = split /:/, address($url);

            return ('gnutls-cli', '--logfile', '/dev/null', '-p', $port,
                $method eq 'psk'
                    ? ('--pskusername', $ENV{DM_PSK_IDENTITY}, '--pskkey',
                        $ENV{DM_PSK_KEY}, '--priority',
                        'NORMAL:-KX-ALL:+ECDHE-PSK:+DHE-PSK:+PSK')
                    : ('--x509cafile', "$dir/ca.crt", '--x509certfile',
                        "$dir/client.crt", '--x509keyfile',
                        "$dir/client.key"),
                $host);
        },
        status => \&first_line,
    };
}


# between its input and the server, as inetd would run it
sub stunnel {
    my ($dir) = @_;

    return {
        name => 'stunnel',
        kind => 'tls',
        input => 1,
        version => [ 'stunnel', '-version' ],
        matches => qr/stunnel (\S+) on/,
        command => sub {
            my ($url, $method) = @_;
            my ($address) = address($url);

            spew('stunnel.psk', "$ENV{DM_PSK_IDENTITY}:$ENV{DM_PSK_KEY}\n");
            chmod 0600, "$dir/stunnel.psk";
            spew('stunnel.conf', "client = yes\nconnect = $address\n"
                . "syslog = no\ndebug = 3\n"
                . ($method eq 'psk'
                    ? "PSKsecrets = $dir/stunnel.psk\n"
                    : "CAfile = $dir/ca.crt\nverifyChain = yes\n"
                        . "cert = $dir/client.crt\nkey = $dir/client.key\n"));

            return ('stunnel', "$dir/stunnel.conf");
        },
        status => \&first_line,
    };
}


sub address {
    my ($url) = @_;

    return $url =~ m{^https://([^/]+)/} ? $1 : die "no https: $url\n";
}


sub first_line {
    my ($exit, $out) = @_;

    return $out =~ m{^HTTP/1\.1 (\d+)}m ? 0 + $1 : 0;
}


1;
