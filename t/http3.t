#!/usr/bin/perl

# Tests for HTTP/3: a server that has "listen ... quic" has its policy, its
# authentication and its verification there, as with "ssl".

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use JSON::PP qw/ decode_json encode_json /;

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ account basic ca cert conf_error denied
    failed_handshake run_command store upstream upstream_clear
    upstream_log workers /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl http_v3 sni proxy/)
    ->has_daemon('openssl')->has_daemon('python3');

my $python = '/usr/bin/python3';
my $client = "$FindBin::Bin/lib/h3_client";

$python = $ENV{TEST_DM_PYTHON} if $ENV{TEST_DM_PYTHON};

plan(skip_all => 'python3-aioquic is not installed')
    if (run_command([ $python, '-c', 'import aioquic' ]))[0];

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/error.log info;

    log_format refused '$host $status $dm_sec_result $dm_sec_reason';
    access_log %%TESTDIR%%/refused.log refused;

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_hash_threads   1 queue=2;
    dm_sec_lockout        off;
    dm_sec_log_limit      off;

    server {
        listen       127.0.0.2:%%PORT_8443%% quic;
        server_name  a.test;

        dm_sec_profile  modern;
        dm_sec_auth     digest basic;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /old/ {
            dm_sec_protocols TLSv1.2;
            dm_sec_ciphers   ECDHE-ECDSA-AES128-GCM-SHA256;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.2:%%PORT_8443%% quic;
        server_name  b.test;

        ssl_client_certificate  ca.crt;
        ssl_verify_client       optional;

        dm_sec_profile  modern;
        dm_sec_auth     x509;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # not a word of the module's, but of nginx's

    server {
        listen       127.0.0.2:%%PORT_8443%% quic;
        server_name  c.test;

        ssl_client_certificate  ca.crt;
        ssl_verify_client       optional;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # another suite than the default server has

    server {
        listen       127.0.0.2:%%PORT_8443%% quic;
        server_name  d.test;

        dm_sec_protocols  TLSv1.3;
        dm_sec_ciphers    TLS_AES_256_GCM_SHA384;
        dm_sec_auth       basic;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOC

my $d = $t->testdir();

ca($t, 'ca');
cert($t, 'server', ca => 'ca');
cert($t, 'device', ca => 'ca');
cert($t, 'expired', ca => 'ca', not_after => time() - 60);
ca($t, 'stranger');
cert($t, 'foreign', ca => 'stranger');

store($t, realm => 'dm.example.com');
account($t, 'add', 'urn:one', '--name', 'one', { password => 'secret' });
account($t, 'add', 'urn:slow', '--name', 'slow', '--slow-hash',
    { password => 'secret' });
account($t, 'add', 'urn:device', '--name', 'device', '--cert', "$d/device.crt");

$t->plan(35);

# what is written wrong

my %quic = (listen => '127.0.0.2:%%PORT_8443%% quic', http => <<"EOC");
    ssl_certificate       $d/server.crt;
    ssl_certificate_key   $d/server.key;
    dm_sec_account_store  $d/store;
    dm_sec_store_key      $d/store.key;
EOC

unlike(conf_error($t, %quic, server => 'dm_sec_profile modern;'),
    qr/\[emerg\]/, 'a profile with TLS 1.3');
like(conf_error($t, %quic, server => 'dm_sec_profile dm20;'),
    qr/\[emerg\].*"listen ... quic" needs TLSv1.3/,
    'a profile without TLS 1.3');
like(conf_error($t, %quic, server => "dm_sec_protocols TLSv1.2;\n"
    . 'dm_sec_ciphers MODERN;'), qr/\[emerg\].*"listen ... quic" needs/,
    'versions without TLS 1.3');
like(conf_error($t, %quic, server => 'dm_sec_profile modern;',
    location => 'dm_sec_auth x509;'),
    qr/\[emerg\].*"dm_sec_auth x509" needs client certificates/,
    'x509 without ssl_verify_client');
like(conf_error($t, %quic, server => "ssl_verify_client on;\n"
    . "ssl_client_certificate $d/ca.crt;\ndm_sec_profile modern;",
    location => 'dm_sec_auth psk;'), qr/\[emerg\].*"ssl_verify_client on"/,
    'psk with ssl_verify_client on');

upstream($t, 8081);

$t->run();

my (@workers) = workers($t);

###############################################################################

# who may enter

my %basic = map { $_ => [ authorization => (split ' ', basic($_, 'secret'), 2)
    [1] ] } qw/ one slow /;
my $wrong = [ authorization => (split ' ', basic('one', 'wrong'), 2)[1] ];

my ($none, $right, $bad, $old, $forged) = h3('a.test', { },
    { headers => [ $basic{one} ] }, { headers => [ $wrong ] },
    { path => '/old/', headers => [ $basic{one} ] },
    { headers => [ $basic{one}, [ 'dm-client-id' => 'urn:forged' ],
        [ 'dm-client_id' => 'urn:forged' ],
        [ 'client-cert' => ':forged:' ] ] });

is($none->{status}, 401, 'no credentials: 401');
is(join(' ', map { /^(\w+)/ } fields($none, 'www-authenticate')),
    'Digest Digest Digest Basic', 'a challenge of each kind');
is($right->{status}, 200, 'a password: 200');
is($bad->{status}, 401, 'a wrong password: 401');
is($old->{status}, 403, 'a location without TLS 1.3: 403');
is($forged->{status}, 200, 'forged headers: 200');

my @received = upstream_log($t, 8081);

is(scalar @received, 2, 'the server behind received what was let in');
is_deeply($received[1]{fields}{'dm-client-id'}, [ 'urn:one' ],
    'and the account, not what was forged');
is_deeply([ grep { /cert|_/ } keys %{ $received[1]{fields} } ], [ ],
    'nor another of the names');
is($received[1]{fields}{'dm-tls-protocol'}[0], 'TLSv1.3', 'TLS 1.3');
ok(!$received[1]{fields}{authorization}, 'no Authorization');

is(join(' ', map { $_->{reason} } denied($t, 3)),
    'no_credentials bad_credentials tls_protocol', 'reasons');

# certificates

my ($known) = h3('b.test', 'device', { });
my ($unknown) = h3('b.test', { });

is($known->{status}, 200, 'a certificate: 200');
is($unknown->{status}, 403, 'none: 403');
is((denied($t, 4))[3]{reason}, 'certificate_required', 'reason');

# what nginx refuses by itself, as the server without the module's words

my $count = denied($t, 0);

foreach ([ 'b.test', 400, 'certificate_expired -', 'expired', { } ],
    [ 'b.test', 400, 'certificate_unknown_ca -', 'foreign', { } ],
    [ 'b.test', 400, 'bad_request two_authorizations',
        { headers => [ ($basic{one}) x 2 ] } ],
    [ 'b.test', 400, 'bad_request syntax_of_request',
        { headers => [ [ 'content-length' => 'x' ] ] } ],
    [ 'b.test', 405, 'bad_request method', { method => 'TRACE' } ])
{
    my ($sni, $status, $said, @request) = @$_;
    my ($stock) = h3('c.test', @request);
    my ($own) = h3($sni, @request);
    my ($line) = (denied($t, ++$count))[-1];
    my ($logged) = "$sni $status denied " . $line->{reason};

    is_deeply([ $stock->{status}, $own->{status},
        join(' ', map { $_ // '-' } @$line{qw/ reason detail /}),
        (grep { $t->read_file('refused.log') =~ /^\Q$_\E$/m } $logged) ],
        [ $status, $status, $said, $logged ], "nginx refuses: $said");
}

# another server than the handshake's

my ($other) = h3('a.test', { authority => 'b.test' });

is($other->{status}, 421, 'the request is for another server: 421');

($other) = h3('d.test', { authority => 'c.test' });
is($other->{status}, 421, 'for one that has ssl_verify_client: 421');

($other) = h3('unknown.test', { authority => 'd.test' });
is($other->{status}, 421, 'for one that SNI did not name: 421');

# each has its own suites

upstream_clear($t, 8081);
h3('d.test', { headers => [ $basic{one} ] });
is((upstream_log($t, 8081))[0]{fields}{'dm-tls-cipher'}[0],
    'TLS_AES_256_GCM_SHA384', 'the suite of another server');

# requests that are taken back while their hash is computed

my @reset = map { { headers => [ [ authorization => (split ' ',
    basic('slow', "wrong$_"), 2)[1] ] ], reset => 1 } } 1 .. 5;

my (@answers) = h3('a.test', @reset, { headers => [ $basic{one} ] });

is($answers[-1]{status}, 200, 'behind requests that were taken back: 200');

@answers = h3('a.test', @reset);
ok(!$answers[0]{error}, 'a connection that ends with them');

# what was computed for nobody must not be in the way
my ($slow);

foreach (1 .. 50) {
    ($slow) = h3('a.test', { headers => [ $basic{slow} ] });
    last if $slow->{status} != 503;
}

is($slow->{status}, 200, 'the slow hash itself: 200');
is(join(' ', workers($t)), join(' ', @workers), 'by the same workers');

# a handshake that fails

my $failed = failed_handshake($t, sub {
    h3('d.test', { }, { suites => 'TLS_AES_128_GCM_SHA256' });
});

is($failed->{version}, 'TLSv1.3', 'a failed handshake: its version');
is($failed->{suites}, 'TLS_AES_128_GCM_SHA256', 'and suites');

undef $t;

###############################################################################

# h3(SNI, [CERT], requests): answers, in their order
sub h3 {
    my ($sni, @requests) = @_;
    my ($cert) = ref $requests[0] ? () : shift @requests;
    my ($exit, $out, $err, $suites);

    ($suites) = map { $_->{suites} } grep { $_->{suites} } @requests;
    @requests = map { { authority => $sni, %$_ } } @requests;

    ($exit, $out, $err) = run_command([ $python, $client, port(8443), $sni,
        $suites // '', $cert ? ("$d/$cert.crt", "$d/$cert.key") : () ],
        stdin => encode_json(\@requests));

    die "h3_client: $err\n" if $exit;

    return @{ decode_json($out) };
}


sub fields {
    my ($answer, $name) = @_;

    return map { $_->[1] } grep { $_->[0] eq $name } @{ $answer->{headers} };
}

###############################################################################
