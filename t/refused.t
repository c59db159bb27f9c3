#!/usr/bin/perl

# Tests for what nginx refuses by itself, before any module is asked: it has
# its line in the error log, its counter, $dm_sec_result and $dm_sec_reason.
# Another nginx, which has no line of the module and does not load it, says
# that the refusal is nginx's.

###############################################################################

use warnings;
use strict;

use Test::More;

use MIME::Base64;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::HTTP2;
use Test::DmSec::Process qw/ must /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use constant {
    OWN => 0,
    STOCK => 10,            # is added to a port
    FOREIGN => 20,          # in the same nginx, without a line of the module
};

my $t = Test::Nginx->new()->has(qw/http http_ssl http_v2 empty_gif socket_ssl/)
    ->has_daemon('openssl');
my $d = $t->testdir();

# nginx finds what OpenSSL left of a signature of nobody, with and without the
# module, at level alert: "ignoring stale global SSL error"

$t->todo_alerts();

# the servers, once more for each who is asked
sub servers {
    my ($add, $own) = @_;
    my ($text) = '';

    foreach ([ 8443, 'ssl', 'ssl_verify_client optional; ssl_crl good.crl;' ],
        [ 8444, 'ssl', 'ssl_verify_client on; ssl_crl good.crl;' ],
        [ 8445, 'ssl', 'ssl_verify_client optional; ssl_crl old.crl;' ],
        [ 8446, 'ssl http2', 'ssl_verify_client optional;' ],
        [ 8447, 'ssl', 'ssl_verify_client optional; '
            . 'error_page 495 496 =403 /refused;' ],
        [ 8448, 'ssl', 'ssl_verify_client optional; ssl_crl none.crl;' ],
        [ 8449, 'ssl', 'ssl_verify_client optional_no_ca;' ],
        [ 8450, 'ssl', 'ssl_verify_client on; ssl_crl old.crl;' ],
        [ 8452, 'ssl', 'ssl_verify_client on; ssl_crl early.crl;' ],
        [ 8473, 'ssl', 'ssl_verify_client on;' ],
        [ 8451, 'ssl http2', 'ssl_verify_client on; ssl_crl good.crl;' ],
        [ 8083, 'deferred', 'client_header_timeout 100ms;' ],
        [ 8082, '', '' ])
    {
        my ($port, $listen, $lines) = @$_;
        my ($auth) = $listen =~ /ssl/
            ? 'dm_sec_auth basic x509; dm_sec_profile modern;'
            : 'dm_sec_auth basic; dm_sec_plaintext_auth on;';
        $port += $add;

        $text .= <<"EOF_SERVER";
    server {
        listen       127.0.0.1:%%PORT_$port%% $listen;
        server_name  localhost;
        large_client_header_buffers 4 2k;
        $lines
        @{[ $own ? $auth : '' ]}
        location / { empty_gif; }
        location /refused { @{[ $own ? 'dm_sec_auth off;' : '' ]} empty_gif; }
    }
EOF_SERVER
    }

    return $text;
}

my $ssl = <<'EOF_SSL';
    ssl_certificate         server.crt;
    ssl_certificate_key     server.key;
    ssl_client_certificate  cas.crt;
    ssl_session_cache       shared:SSL:1m;
EOF_SSL

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format refused '\$server_port \$status \$dm_sec_result '
                       '\$dm_sec_reason \$request_id \$dm_sec_client_id';
    access_log $d/refused.log refused;
    error_log  $d/error.log info;

    dm_sec_account_store $d/store;
    dm_sec_store_key     $d/store.key;
    dm_sec_log_limit     off;
$ssl
@{[ servers(OWN, 1) ]}
@{[ servers(FOREIGN, 0) ]}

    server {
        listen       127.0.0.1:%%PORT_8080%%;
        server_name  status;

        location /status {
            dm_sec_status json;
        }
    }
}

EOF_CONF

$t->write_file_expand('stock.conf', <<"EOF_CONF");

user root;
daemon off;
pid $d/stock.pid;
error_log $d/stock.log info;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%
    access_log off;
$ssl
@{[ servers(STOCK, 0) ]}
}

EOF_CONF

###############################################################################

ca($t, $_) foreach qw/ root other stranger weak /;

$t->write_file('weak.ca/openssl.conf',
    $t->read_file('weak.ca/openssl.conf') =~ s/sha256/sha1/r);

cert($t, 'server', ca => 'root', key => 'rsa:2048');
cert($t, 'good', ca => 'root');
cert($t, 'unbound', ca => 'root');
cert($t, 'revoked', ca => 'root');
cert($t, 'expired', ca => 'root', not_after => time() - 60);
cert($t, 'early', ca => 'root', not_before => time() + 3600);
cert($t, 'foreign', ca => 'stranger');
cert($t, 'sha1', ca => 'weak');
cert($t, 'short', ca => 'root', key => 'rsa:1024');
cert($t, 'purpose', ca => 'root', eku => 'serverAuth');
cert($t, 'marked', ca => 'stranger', subject => '/CN=a"b, client: 1.2.3.4');
cert($t, 'long', ca => 'stranger', subject => '/CN=' . 'n' x 64);

cert($t, 'chained', ca => 'stranger');
$t->write_file('chained.crt', $t->read_file('chained.crt')
    . $t->read_file('stranger.crt'));
must([ qw{ openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=self },
    '-keyout', "$d/self.key", '-out', "$d/self.crt" ]);

ca($t, 'second', issuer => 'root');
ca($t, 'third', issuer => 'second');
ca($t, 'fourth', issuer => 'third');
cert($t, 'deep', ca => 'fourth');
cert($t, 'forged', ca => 'root');
$t->write_file('forged.crt', changed($t->read_file('forged.crt')));

$t->write_file('cas.crt', join '', map { $t->read_file("$_.crt") }
    qw/ root other weak /);

crl($t, 'root', revoked => [ 'revoked' ]);
crl($t, $_) foreach qw/ other weak /;
$t->write_file('good.crl', join '', map { $t->read_file("$_.crl") }
    qw/ root other weak /);
$t->write_file('none.crl', $t->read_file('other.crl'));
crl($t, 'root', next_update => time() - 60);
$t->write_file('old.crl', $t->read_file('root.crl'));

crl($t, 'root', next_update => time() + 2 * 86400);
$t->write_file('early.crl', $t->read_file('root.crl'));

store($t, realm => 'r', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'alice', '--cert', "$d/good.crt",
    { password => 'right' });

# nginx gives its answer, and the module its line: what the client does, what
# stock nginx answers ("*": that or nothing), reason and detail

my @certificates = (
    [ 'revoked', 'certificate_revoked -', cert => 'revoked' ],
    [ 'expired', 'certificate_expired -', cert => 'expired' ],
    [ 'not yet valid', 'certificate_expired not_yet_valid', cert => 'early' ],
    [ 'of a foreign CA', 'certificate_unknown_ca -', cert => 'foreign' ],
    [ 'with its foreign CA', 'certificate_unknown_ca -', cert => 'chained' ],
    [ 'signed by itself', 'certificate_unknown_ca -', cert => 'self' ],
    [ 'signed with SHA-1', 'certificate_weak -', cert => 'sha1', weak => 1 ],
    [ 'with a short key', 'certificate_weak -', cert => 'short', weak => 1 ],
    [ 'for another purpose', 'certificate_purpose -', cert => 'purpose' ],
);

my @table = (
    (map { my ($name, $said, @o) = @$_;
        ([ "optional, $name", 8443, "400 $said", @o ],
        [ "on, $name", 8444, "400 $said", @o ]) } @certificates),
    [ 'with a subject that is no line', 8443,
        '400 certificate_unknown_ca -', cert => 'marked' ],
    [ 'with a long subject', 8443, '400 certificate_unknown_ca -',
        cert => 'long' ],
    [ 'on, none', 8444, '400 certificate_required -' ],
    [ 'optional, an expired CRL', 8445, '400 crl_expired -',
        cert => 'good' ],
    [ 'on, an expired CRL', 8450, '400 crl_expired -', cert => 'good' ],
    [ 'a CRL of tomorrow', 8452, '400 crl_expired crl_not_yet_valid',
        cert => 'good' ],
    [ 'a chain that is too long', 8473,
        '400 certificate_invalid chain_too_long', cert => 'deep' ],
    [ 'a signature of nobody', 8473, '400 certificate_invalid signature',
        cert => 'forged' ],
    [ 'on, two Authorizations', 8444, '400 bad_request two_authorizations',
        cert => 'good',
        lines => [ basic('alice', 'right'), basic('alice', 'right') ] ],
    [ 'no CRL', 8448, '400 certificate_invalid crl_missing',
        cert => 'good' ],
    [ 'an error_page', 8447, '403 certificate_expired -',
        cert => 'expired' ],
    [ 'optional_no_ca, expired', 8449, '400 certificate_expired -',
        cert => 'expired' ],

    [ 'two Authorizations', 8443, '400 bad_request two_authorizations',
        lines => [ basic('alice', 'right'), basic('alice', 'right') ] ],
    [ 'two Authorizations in the clear', 8082,
        '400 bad_request two_authorizations',
        lines => [ basic('alice', 'right'), basic('alice', 'right') ] ],
    [ 'headers that are too large', 8082, '400 bad_request headers_too_large',
        lines => [ map { "X-$_: " . 'x' x 1800 } 1 .. 5 ] ],
    [ 'a header that is too large', 8443, '400 bad_request headers_too_large',
        lines => [ 'X: ' . 'x' x 3000 ] ],
    [ 'a uri that is too large', 8082, '414 bad_request uri_too_large',
        uri => '/' . 'x' x 3000 ],
    [ 'two Hosts', 8082, '400 bad_request syntax_of_request',
        lines => [ 'Host: other' ] ],
    [ 'no Host', 8082, '400 bad_request syntax_of_request',
        raw => "GET / HTTP/1.1\r\n\r\n" ],
    [ 'a Host that is none', 8082, '400 bad_request syntax_of_request',
        raw => "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" ],
    [ 'a header that is none', 8082, '400 bad_request syntax_of_request',
        lines => [ "X: a\0b" ] ],
    [ 'a length that is none', 8082, '400 bad_request syntax_of_request',
        lines => [ 'Content-Length: x' ] ],
    [ 'a uri that is none', 8082, '400 bad_request syntax_of_request',
        uri => '/%zz' ],
    [ 'a uri that leads out', 8082, '400 bad_request syntax_of_request',
        uri => '/../x' ],
    [ 'a method in small letters', 8082, '400 bad_request syntax_of_request',
        method => 'get' ],
    [ 'a method', 8082, '405 bad_request method', method => 'TRACE' ],
    [ 'a Transfer-Encoding', 8082, '501 bad_request transfer_encoding',
        lines => [ 'Transfer-Encoding: x' ] ],
    [ 'a line that is none', 8082, '400 bad_request syntax_of_request',
        raw => "GET / x\r\n\r\n" ],
    [ 'a version', 8082, '505 bad_request version',
        raw => "GET / HTTP/3.0\r\nHost: localhost\r\n\r\n" ],
    [ 'no TLS', 8443, '400 plaintext https_port', clear => 1 ],
    [ 'HTTP/2, expired', 8446, '400 certificate_expired -',
        cert => 'expired', http2 => 1 ],
    [ 'HTTP/2, two Authorizations', 8446,
        '400 bad_request two_authorizations', http2 => 1,
        lines => [ basic('alice', 'right'), basic('alice', 'right') ] ],
    [ 'HTTP/2, on, revoked', 8451, '400 certificate_revoked -',
        cert => 'revoked', http2 => 1 ],
    [ 'HTTP/2, on, none', 8451, '400 certificate_required -', http2 => 1 ],
    [ 'HTTP/2, a header that is none', 8446,
        '* bad_request syntax_of_request', http2 => 1,
        lines => [ "X: a\nb" ] ],
    [ 'HTTP/2, a length that is none', 8446,
        '400 bad_request syntax_of_request', http2 => 1,
        lines => [ 'Content-Length: x' ] ],
    [ 'HTTP/2, a method', 8446, '405 bad_request method', http2 => 1,
        method => 'TRACE' ],
    [ 'HTTP/2, headers that are too large', 8446,
        '* bad_request headers_too_large', http2 => 1,
        lines => [ map { "X-$_: " . 'x' x 1800 } 1 .. 5 ] ],
);

$t->plan(6 * @table + 24);
$t->run();
$t->run_daemon($ENV{TEST_NGINX_BINARY}, '-p', "$d/", '-c', 'stock.conf',
    '-e', 'stock.log');
$t->waitforsocket('127.0.0.1:' . port(8082 + STOCK));

###############################################################################

my $lines = 0;

foreach (@table) {
    my ($name, $port, $expected, %o) = @$_;
    my ($status, $reason, $detail) = split / /, $expected;
    my ($before) = status_json()->{denied}{$reason};
    my ($line, @claimed);

    # versions differ in whether they answer, or end the stream

    my ($stock) = ask($port + STOCK, %o);

    $status = $stock if $status eq '*';
    is($stock, $status, "stock nginx, $name");
    is(ask($port, %o), $status, $name);

    $line = (denied($t, ++$lines))[-1];

    is_deeply([ map { $line->{$_} // '-' } qw/ level status reason detail / ],
        [ 'error', $status, $reason, $detail ], "$name, line");
    is($line->{claimed}, claimed($o{cert}, $reason), "$name, claimed");
    is(access_log($port, $line->{request}),
        sprintf('%d %03d denied %s', $port, $status, $reason),
        "$name, access log");
    is(status_json()->{denied}{$reason}, $before + 1, "$name, counter");
}

# a server without a line of the module is none of its business

ask($_->[1] + FOREIGN, @$_[3 .. $#$_]) foreach @table;
is(scalar(denied($t, 0)), $lines, 'foreign servers');
is(scalar(grep { !/ off -/ } foreign()), 0, 'foreign servers, access log');
is(scalar(foreign()), scalar(@table), 'foreign servers, each');

# what is let in, or refused by the module, has no line of nginx's

is(ask(8443, cert => 'good'), 200, 'good');
is(ask(8443, lines => [ basic('alice', 'right') ]), 200, 'password');
is(ask(8443, cert => 'good', clear => 0, uri => '/refused'), 200, 'open');
is(scalar(denied($t, 0)), $lines, 'no line');

# a certificate that is not verified is told by its kind here, too

is(ask(8449, cert => 'foreign'), 403, 'optional_no_ca');
is((denied($t, ++$lines))[-1]{reason}, 'certificate_unknown_ca',
    'optional_no_ca, reason');

# a certificate that nobody has, where a password would do

is(ask(8443, cert => 'unbound'), 401, 'unbound');
is_deeply([ map { (denied($t, $lines + 1))[-1]{$_} }
    qw/ reason detail claimed / ], [ 'no_credentials', 'unbound_certificate',
    key('unbound') ], 'unbound, line');
$lines++;

# each request of a connection, and a session that is resumed

my %session = sessions(tls('expired'), SSL_version => 'TLSv1_2');

foreach my $try (1, 2) {
    my ($r, $info) = https(8443, request('GET', '/'), %session);

    is(status($r), 400, "session $try");
    is((denied($t, ++$lines))[-1]{reason}, 'certificate_expired',
        "session $try, reason");
}

# a client that goes away in the middle was not refused

my $gone = keepalive(8082);
$gone->send("GET / HTTP/1.1\r\nHost: loc");
$gone->close();
ok(wait_for(30, sub {
    $t->read_file('error.log') =~ /prematurely closed connection/;
}), 'gone');
is(scalar(denied($t, 0)), $lines, 'gone, no line');

# one that begins and does not go on was; it has begun when it is accepted

foreach my $add (FOREIGN, OWN) {
    my $slow = keepalive(8083 + $add);

    $slow->send('GET / HTTP/1.1');
    ok($slow->closed(), 'a timeout, closed');
}

my ($late) = (denied($t, ++$lines))[-1];

is(join(' ', map { $late->{$_} } qw/ level status reason detail / ),
    'info 408 bad_request timeout', 'a timeout');
is(access_log(8083, $late->{request}), '8083 408 denied bad_request',
    'a timeout, access log');
like($t->read_file('refused.log'), qr/^@{[ port(8083 + FOREIGN) ]} 408 off - /m,
    'a timeout, foreign server');

unlike($t->read_file('error.log'), qr/reads the account before/,
    'nothing is said of what has not begun');

# the others are counted once, too

is(status_json()->{denied}{bad_request},
    1 + grep({ $_->[2] =~ /bad_request/ } @table), 'counter, all');

undef $t;

###############################################################################

# a certificate whose signature has another last octet
sub changed {
    my ($pem) = @_;
    my ($der) = $pem =~ /-----BEGIN CERTIFICATE-----(.*?)-----END/s;

    $der = decode_base64($der);
    substr($der, -1) ^= "\x01";

    return "-----BEGIN CERTIFICATE-----\n" . encode_base64($der)
        . "-----END CERTIFICATE-----\n";
}

sub tls {
    my ($cert) = @_;

    return $cert ? (SSL_cert_file => "$d/$cert.crt",
        SSL_key_file => "$d/$cert.key") : ();
}

# the status of a request
sub ask {
    my ($port, %o) = @_;
    my ($request, $ssl, $client);

    $ssl = $port >= 8443 && !$o{clear};

    if ($o{http2}) {
        my $h = Test::DmSec::HTTP2->new($port, SSL => 1, tls($o{cert}));

        return $h->status($h->request('/', @{ $o{lines} || [] },
            { method => $o{method} }));
    }

    $request = $o{raw} || request($o{method} || 'GET', $o{uri} || '/',
        @{ $o{lines} || [] });

    # who has such a certificate does not mind it

    return status(s_client($port, '-tls1_2', '-cipher', 'DEFAULT:@SECLEVEL=0',
        '-cert', "$d/$o{cert}.crt", '-key', "$d/$o{cert}.key",
        { request => $request })->{response}) if $o{weak};

    $client = keepalive($port, $ssl ? (SSL => 1, tls($o{cert})) : ());

    return status($client->request($request));
}

sub key {
    my ($cert) = @_;

    return 'sha256:' . cert_info($t, $cert)->{sha256};
}

# the key of the certificate and, where it is the reason, its subject, as
# dm-account takes them
sub claimed {
    my ($cert, $reason) = @_;
    my (%name) = (marked => 'a\22b\, client: 1.2.3.4', long => 'n' x 64);

    return undef unless $cert;
    return key($cert) if $reason eq 'bad_request';
    return key($cert) . ' subject:CN=' . ($name{$cert} // $cert);
}

# the line of a request in the access log
sub access_log {
    my ($port, $id) = @_;
    my ($line);

    wait_for(30, sub {
        ($line) = $t->read_file('refused.log') =~ /^(.*) \Q$id\E -$/m;
    });

    $port = port($port);
    return ($line // 'none') =~ s/^$port /$_[0] /r;
}

# what it says of the servers that are none of the module's
sub foreign {
    my (%port) = map { (port($_->[1] + FOREIGN) => 1) } @table;

    wait_for(30, sub {
        grep({ /^(\d+)/ && $port{$1} } split /\n/, $t->read_file('refused.log'))
            >= @table;
    });

    return grep { /^(\d+)/ && $port{$1} }
        split /\n/, $t->read_file('refused.log');
}

###############################################################################
