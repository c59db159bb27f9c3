#!/usr/bin/perl

# Tests for several TLS servers on one address: each keeps its own versions,
# suites and verification, and no request or session crosses them.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ ca cert denied https keepalive reload_wait run_command
    request s_client sessions upstream upstream_clear upstream_log /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl http_v2 sni proxy rewrite socket_ssl/)
    ->has(qw/socket_ssl_sni/)->has_daemon('openssl')->has_daemon('curl')
    ->plan(110);

my $conf = <<'EOF';

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/error.log info;

    ssl_certificate      rsa.crt;
    ssl_certificate_key  rsa.key;
    ssl_certificate      ec.crt;
    ssl_certificate_key  ec.key;

    ssl_session_cache    shared:SSL:1m;

    proxy_set_header  X-Server "$server_name $ssl_client_verify";

    # the default server of 8443

    server {
        listen       127.0.0.1:8443 ssl;
        listen       127.0.0.1:8444 ssl;
        listen       127.0.0.1:8445 ssl http2;
        server_name  a.example.com;

        ssl_client_certificate  ca1.crt;
        ssl_verify_client       optional;

        dm_sec_profile dm20;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8443 ssl;
        listen       127.0.0.1:8444 ssl;
        listen       127.0.0.1:8445 ssl http2;
        server_name  b.example.com *.b.example.com;

        ssl_client_certificate  ca2.crt;
        ssl_verify_client       optional;

        dm_sec_protocols TLSv1.3;
        dm_sec_ciphers   TLS_AES_256_GCM_SHA384;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8443 ssl;
        listen       127.0.0.1:8444 ssl;
        listen       127.0.0.1:8445 ssl http2;
        server_name  ~^c\d+\.example\.com$;

        dm_sec_protocols TLSv1.2;
        dm_sec_ciphers   ECDHE-RSA-AES128-GCM-SHA256;

        error_page 421 /page;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # all other names are refused

    server {
        listen       127.0.0.1:8447 ssl;
        server_name  rejects.example.com;

        ssl_reject_handshake on;
        dm_sec_profile       modern;
    }

    server {
        listen       127.0.0.1:8447 ssl;
        server_name  a.example.com;

        dm_sec_profile dm20;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # the policy is in a location only

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  d.example.com;

        ssl_protocols  TLSv1.2 TLSv1.3;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /tls13 {
            dm_sec_protocols TLSv1.3;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # no policy, the first the default server of 8444

    server {
        listen       127.0.0.1:8443 ssl;
        listen       127.0.0.1:8444 ssl default_server;
        server_name  plain.example.com;

        ssl_certificate      plain.crt;
        ssl_certificate_key  plain.key;

        ssl_protocols        TLSv1.2 TLSv1.3;
        ssl_ciphers          ECDHE-ECDSA-AES256-GCM-SHA384:@SECLEVEL=0;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  plain2.example.com;

        ssl_protocols  TLSv1.2;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # the same certificates, and the same CA

    server {
        listen       127.0.0.1:8446 ssl;
        server_name  open.example.com;

        ssl_client_certificate  %%CA%%.crt;
        ssl_verify_client       optional;
        ssl_session_tickets     %%TICKETS%%;

        dm_sec_profile modern dm20;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8446 ssl;
        server_name  closed.example.com;

        ssl_client_certificate  ca1.crt;
        ssl_verify_client       on;
        ssl_session_tickets     %%TICKETS%%;

        dm_sec_profile modern dm20;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8446 ssl;
        server_name  plain.example.com;

        ssl_client_certificate  ca1.crt;
        ssl_verify_client       optional;
        ssl_session_tickets     %%TICKETS%%;

        ssl_protocols  TLSv1.2 TLSv1.3;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF

my $d = $t->testdir();
my ($denied, $info) = (0);

ca($t, 'ca1');
ca($t, 'ca2');
cert($t, 'rsa', ca => 'ca1', key => 'rsa:2048');
cert($t, 'ec', ca => 'ca1');
cert($t, 'plain', ca => 'ca1', subject => '/CN=plain');
cert($t, 'client1', ca => 'ca1');
cert($t, 'client2', ca => 'ca2');
cert($t, 'short', ca => 'ca1', key => 'rsa:1024');

configure('on', 'ca1');

upstream($t, 8081);

$t->run();

###############################################################################

# versions

my %versions = (
    'a.example.com' => '1.0 1.1 1.2',
    'b.example.com' => '1.3',
    'x.b.example.com' => '1.3',
    'c1.example.com' => '1.2',
    'd.example.com' => '1.2 1.3',
    'plain.example.com' => '1.2 1.3',
    'plain2.example.com' => '1.2',
);

foreach my $port (8443, 8444) {
    foreach my $name (sort keys %versions) {
        next if $port == 8444 && $name =~ /^(d|plain2)/;

        is(versions($port, $name), $versions{$name}, "$port $name versions");
    }
}

is(versions(8443, undef), '1.0 1.1 1.2', 'versions without SNI');
is(versions(8443, 'unknown'), '1.0 1.1 1.2', 'versions with unknown SNI');
is(versions(8444, undef), '1.2 1.3', 'plain default, versions without SNI');
is(versions(8444, 'unknown'), '1.2 1.3',
    'plain default, versions with unknown SNI');

is(versions(8447, 'a.example.com'), '1.0 1.1 1.2',
    'versions beside ssl_reject_handshake');
is(versions(8447, undef), '', 'ssl_reject_handshake without SNI');
is(versions(8447, 'b.example.com'), '', 'ssl_reject_handshake, unknown SNI');

# names in other forms

foreach my $name ('B.Example.COM', 'b.example.com.', 'Y.X.B.EXAMPLE.COM.') {
    is(versions(8443, $name), '1.3', "versions of $name");
}

# nginx alone reads it as a server's, and from 1.29.2 on nobody else reads it

is(versions(8443, 'b.example.com:443'),
    $t->has_version('1.29.2') ? '1.3' : '', 'a name with a port');

is(versions(8443, 'C22.example.com'), '1.2', 'versions of C22.example.com');
is(versions(8443, 'c.example.com'), '1.0 1.1 1.2',
    'versions of c.example.com, which is unknown');
is(versions(8443, 'b.example.com/'), '1.0 1.1 1.2',
    'versions of b.example.com/, which is no name');

# suites

is(suite('a.example.com', '1.2', 'AES128-SHA'), 'AES128-SHA', 'suite of a');
is(suite('a.example.com', '1.2', 'ECDHE-RSA-AES128-GCM-SHA256'), undef,
    'not a suite of a');
is(suite('c1.example.com', '1.2', 'ECDHE-RSA-AES128-GCM-SHA256'),
    'ECDHE-RSA-AES128-GCM-SHA256', 'suite of c');
is(suite('c1.example.com', '1.2', 'AES128-SHA'), undef, 'not a suite of c');
is(suite('plain.example.com', '1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384'),
    'ECDHE-ECDSA-AES256-GCM-SHA384', 'suite of plain');
is(suite('plain.example.com', '1.2', 'AES128-SHA'), undef,
    'not a suite of plain');
is(suite('b.example.com', '1.3', 'TLS_AES_256_GCM_SHA384'),
    'TLS_AES_256_GCM_SHA384', 'suite of b');
is(suite('b.example.com', '1.3', 'TLS_AES_128_GCM_SHA256'), undef,
    'not a suite of b');
is(suite('plain.example.com', '1.3', 'TLS_AES_128_GCM_SHA256'),
    'TLS_AES_128_GCM_SHA256', 'TLS 1.3 suite of plain');

# certificates, the server's and those it asks for

like(s_client(8443, '-servername', 'plain.example.com')->{output},
    qr/^subject=CN ?= ?plain$/m, 'certificate of plain');
like(s_client(8443, '-servername', 'a.example.com', '-tls1_2')->{output},
    qr/^Acceptable client.*\nCN ?= ?ca1\n(?!CN)/m, 'CA of a');
like(s_client(8443, '-servername', 'b.example.com', '-tls1_3')->{output},
    qr/^Acceptable client.*\nCN ?= ?ca2\n(?!CN)/m, 'CA of b');
like(s_client(8443, '-servername', 'c1.example.com', '-tls1_2')->{output},
    qr/^No client certificate CA names sent$/m, 'no CA of c');

is(get('a.example.com', cert => 'client1'),
    '200 - a.example.com SUCCESS', 'CA 1 at a');
is(get('a.example.com', cert => 'client2'), '400 certificate_unknown_ca',
    'CA 2 at a');
is(get('b.example.com', cert => 'client2'),
    '200 - b.example.com SUCCESS', 'CA 2 at b');
is(get('b.example.com', cert => 'client1'), '400 certificate_unknown_ca',
    'CA 1 at b');
is(get('x.b.example.com', cert => 'client2'),
    '200 - b.example.com SUCCESS', 'CA 2 at b, by a wildcard');
like(get('c1.example.com', cert => 'client1'), qr/^200 - \S+ NONE$/,
    'no verification at c');
is(get('plain.example.com', cert => 'client1'),
    '200 - plain.example.com NONE', 'no verification at plain');

# the security level of the default server is its own

is(outcome(s_client(8444, '-servername', 'a.example.com', '-tls1_2',
    '-cipher', 'ALL:@SECLEVEL=0', '-cert', "$d/short.crt",
    '-key', "$d/short.key", { request => request('GET', '/',
    'Connection: close', { host => 'a.example.com' }) })->{response}),
    '400 certificate_weak', '1024 bits at a, level 0 at the default server');

# a request for another server than the handshake

is(get(undef, cert => 'client1', host => 'b.example.com'),
    '421 misdirected', 'no SNI, CA 1, b');
is(get('unknown', cert => 'client1', host => 'b.example.com'),
    '421 misdirected', 'unknown SNI, CA 1, b');
is(get(undef, host => 'c1.example.com'), '421 misdirected',
    'no SNI, c');
is(get(undef, host => 'plain.example.com'), '421 misdirected',
    'no SNI, plain');
is(get(undef, host => 'd.example.com'), '421 misdirected',
    'no SNI, policy in a location');
is(get(undef, host => 'unknown', cert => 'client1'),
    '200 - a.example.com SUCCESS', 'no SNI, unknown');
is(get(undef, host => 'a.example.com', cert => 'client1'),
    '200 - a.example.com SUCCESS', 'no SNI, a');
is(get(undef, port => 8444, host => 'a.example.com'), '421 misdirected',
    'plain default, no SNI, a');
is(get(undef, port => 8444, host => 'plain.example.com'),
    '200 - plain.example.com NONE', 'plain default, no SNI, plain');

is(get('a.example.com', host => 'c1.example.com'), '421 misdirected',
    'a, c');
is(get('plain.example.com', host => 'c1.example.com'), '421 misdirected',
    'plain, c');
is(get('a.example.com', host => 'plain.example.com'), '421 misdirected',
    'a, plain');
is(get('d.example.com', host => 'plain.example.com'), '421 misdirected',
    'policy in a location, plain');
is(get('plain.example.com', host => 'd.example.com'), '421 misdirected',
    'plain, policy in a location');
is(get('c1.example.com', port => 8444, host => 'unknown'),
    '421 misdirected', 'plain default, c, unknown');
is(get('a.example.com', host => 'C1.EXAMPLE.COM.:8443'),
    '421 misdirected', 'a, c in another form');
is(get('a.example.com', uri => 'http://c1.example.com/',
    host => 'a.example.com'), '421 misdirected', 'a, c in the request line');

# nginx says the same itself where the other server verifies, but not why

foreach my $case ([ 'a.example.com', 'b.example.com' ],
    [ 'b.example.com', 'a.example.com' ], [ 'plain.example.com',
    'b.example.com' ], [ 'd.example.com', 'unknown' ],
    [ 'x.b.example.com', 'b.example.com' ])
{
    like(get($case->[0], host => $case->[1]), qr/^421 (-|misdirected)$/,
        "$case->[0], $case->[1]");
}

like(get('plain.example.com', host => 'plain2.example.com'),
    qr/^200 - plain2/, 'two servers without a policy');
like(get('c1.example.com', host => 'c2.example.com'), qr/^200 - /,
    'two names of one server');
is(get('b.example.com', host => 'B.EXAMPLE.com.:1'),
    '200 - b.example.com NONE', 'b in another form');
is(get('plain.example.com', port => 8444,
    request => "GET / HTTP/1.0\r\n\r\n"),
    '200 - plain.example.com NONE', 'no Host, default server');
is(get('c1.example.com', port => 8444,
    request => "GET / HTTP/1.0\r\n\r\n"),
    '421 misdirected', 'no Host, other server');

my $c = keepalive(8443, SSL => 1, SSL_hostname => 'a.example.com');

is(outcome($c->request(request('GET', '/', { host => 'a.example.com' }))),
    '200 - a.example.com NONE', 'keepalive, a');
is(outcome($c->request(request('GET', '/', { host => 'c1.example.com' }))),
    '421 misdirected', 'keepalive, c');
is(outcome($c->request(request('GET', '/', { host => 'a.example.com' }))),
    '200 - a.example.com NONE', 'keepalive, a again');

is(curl('b.example.com', 'b.example.com'), '2 200', 'HTTP/2, b');
is(outcome('HTTP/1.1 000 '), '000 - b.example.com NONE', 'HTTP/2, b, upstream');
is(curl('a.example.com', 'c1.example.com'), '2 421', 'HTTP/2, a, c');
is(outcome('HTTP/1.1 000 '), '000 misdirected', 'HTTP/2, a, c, no upstream');

# the location's policy, and what is left of it in the handshake

is(get('d.example.com', version => '1.2', uri => '/tls13'),
    '403 tls_protocol', 'd, location over TLS 1.2');
is(get('d.example.com', version => '1.3', uri => '/tls13'),
    '200 - d.example.com NONE', 'd, location over TLS 1.3');
is(get('d.example.com', version => '1.2'), '200 - d.example.com NONE',
    'd over TLS 1.2');

like((run_command([ 'openssl', 's_client', '-servername', 'c1.example.com',
    '-connect', '127.0.0.1:' . port(8443) ], stdin => "R\n", open => 1))[2],
    qr/no renegotiation/, 'no renegotiation');

# sessions

sessions_stay('ticket');

# with the session cache alone

configure('off', 'ca1');
ok(reload_wait($t), 'reload');

sessions_stay('cache');

my %open = sessions(client('1.2'), client_cert('client1'));
my %closed = sessions(client('1.3'), client_cert('client1'));

get('open.example.com', port => 8446, %open);
get('closed.example.com', port => 8446, %closed);

# after a reload

ok(reload_wait($t), 'reload again');

is(versions(8443, 'b.example.com'), '1.3', 'versions after a reload');
is(versions(8443, undef), '1.0 1.1 1.2', 'versions after a reload, no SNI');
is(get(undef, cert => 'client1', host => 'c1.example.com'),
    '421 misdirected', 'misdirected after a reload');
is(get('b.example.com', cert => 'client2'),
    '200 - b.example.com SUCCESS', 'CA 2 at b after a reload');

is(get('open.example.com', port => 8446, %open),
    '200 - open.example.com SUCCESS', 'session from before the reload');
ok($info->{reused}, 'resumed');
is(get('open.example.com', port => 8446, %closed),
    '200 - open.example.com SUCCESS', 'session of another server');
ok(!$info->{reused}, 'not resumed');

# another CA: what it did not verify is not taken over

get('open.example.com', port => 8446, %open);
configure('off', 'ca2');
ok(reload_wait($t), 'reload with another CA');

is(get('open.example.com', port => 8446, %open), '400 certificate_unknown_ca',
    'session from before another CA');
ok(!$info->{reused}, 'not resumed with another CA');

undef $t;

###############################################################################

sub configure {
    my ($tickets, $ca) = @_;

    $t->write_file_expand('nginx.conf', $conf =~ s/%%TICKETS%%/$tickets/gr
        =~ s/%%CA%%/$ca/gr);
}


# the options of a client of one version that may do whatever level 0 may
sub client {
    my ($version, $list) = @_;

    return (SSL_version => 'TLSv' . $version =~ tr/./_/r =~ s/^1_0$/1/r,
        $version eq '1.3'
            ? (SSL_ciphersuites => $list // '')
            : (SSL_cipher_list => ($list // 'ALL') . ':@SECLEVEL=0'));
}


sub client_cert {
    my ($name) = @_;

    return (SSL_cert_file => "$d/$name.crt", SSL_key_file => "$d/$name.key");
}


# the versions that a server name gets: "1.1 1.2"
sub versions {
    my ($port, $name) = @_;

    return join ' ', grep { suite($name, $_, undef, $port) }
        qw/ 1.0 1.1 1.2 1.3 /;
}


# the suite that is chosen of the list, undef where there is no handshake
sub suite {
    my ($name, $version, $list, $port) = @_;

    return keepalive($port // 8443, SSL => 1, SSL_hostname => $name // '',
        client($version, $list))->info()->{cipher};
}


# The outcome() of one request.  Options:
#
#   port, host, uri, version  8443, the name, /, any unless given
#   cert                      the client's certificate
#   SSL_...
sub get {
    my ($name, %o) = @_;
    my ($r);

    %o = (%o, client($o{version})) if $o{version};
    %o = (%o, client_cert($o{cert})) if $o{cert};

    ($r, $info) = https($o{port} // 8443, $o{request}
        // request('GET', $o{uri} // '/', 'Connection: close',
            { host => $o{host} // $name }),
        SSL_hostname => $name // '', %o);

    return outcome($r);
}


# "STATUS REASON SERVER VERIFY ...": of the response, what was logged since
# the last call, and what reached the upstream
sub outcome {
    my ($r) = @_;
    my (@lines, @reasons, @requests);

    @lines = denied($t, 0);
    @reasons = map { $_->{reason} } @lines[$denied .. $#lines];
    $denied = @lines;

    @requests = map { $_->{fields}{'x-server'}[0] } upstream_log($t, 8081);
    upstream_clear($t, 8081);

    return join ' ', ($r // '') =~ m{^HTTP/1\.\d (\d+) } ? $1 : 'none',
        @reasons ? @reasons : '-', @requests;
}


# "VERSION STATUS" of a request with SNI for one name and a Host of another
sub curl {
    my ($name, $host) = @_;
    my ($port) = port(8445);

    return (run_command([ 'curl', '-sk', '--http2', '-o', '/dev/null',
        '--resolve', "$name:$port:127.0.0.1", '-H', "Host: $host",
        '-w', '%{http_version} %{http_code}', "https://$name:$port/" ]))[1];
}


# three servers, each with the session of each: 6 checks
sub sessions_stay {
    my ($kind) = @_;
    my (@names) = map { "$_.example.com" } qw/ open closed plain /;

    foreach my $version (qw/ 1.2 1.3 /) {
        my (@resumed, %o);

        foreach my $from (@names) {
            foreach my $to (@names) {
                %o = sessions(client($version), client_cert('client1'));
                get($from, port => 8446, %o);
                my $r = get($to, port => 8446, %o);

                push @resumed, join ' ', $from, $to if $info->{reused};
                push @resumed, "$from $to: $r" if $r ne "200 - $to SUCCESS";
            }
        }

        is(join(', ', @resumed), join(', ', map { "$_ $_" } @names),
            "$kind $version, each server resumes its own sessions");

        %o = sessions(client($version));
        get('open.example.com', port => 8446, %o);
        is(get('closed.example.com', port => 8446, %o),
            '400 certificate_required',
            "$kind $version, no way round the certificate");

        %o = sessions(client($version), client_cert('client1'));
        get('closed.example.com', port => 8446, %o);
        is(get(undef, host => 'closed.example.com', port => 8446, %o),
            '421 misdirected', "$kind $version, no way round by no SNI");
    }
}

###############################################################################
