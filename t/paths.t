#!/usr/bin/perl

# Tests for ways through nginx beside the plain one: limit_req, proxy_cache
# and its background update, addition, realip, HTTP/2.  The witness is what
# the upstream received, and that it received nothing where access is denied.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;
use Test::DmSec::Gate;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()
    ->has(qw/http http_ssl http_v2 access addition cache limit_req proxy/)
    ->has(qw/realip rewrite sni socket_ssl/)
    ->has_daemon('openssl')->has_daemon('curl')->plan(86);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;
    dm_sec_lockout       attempts=10 window=1d duration=1d;
    dm_sec_log_limit     off;

    set_real_ip_from 127.0.0.0/8;
    real_ip_header   X-Real-IP;

    ssl_certificate      server.crt;
    ssl_certificate_key  server.key;

    # a test takes what bucket it likes, or none

    limit_req_zone $http_x_bucket    zone=bucket:1m rate=1r/m;
    limit_req_zone $http_x_bucket    zone=second:1m rate=2r/s;
    limit_req_zone $dm_sec_client_id zone=early:1m  rate=1r/m;
    limit_req_zone $dm_sec_client_id zone=device:1m rate=1r/m;

    proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m inactive=10m;
    proxy_cache_valid any 10m;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_auth           basic;
        dm_sec_plaintext_auth on;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        # limit_req

        location /limit {
            limit_req zone=bucket;
            proxy_pass http://127.0.0.1:8081;
        }

        location /limit/status {
            limit_req zone=bucket;
            limit_req_status 429;
            proxy_pass http://127.0.0.1:8081;
        }

        location /limit/delay {
            limit_req zone=second burst=5;
            proxy_pass http://127.0.0.1:8081;
        }

        location /limit/early {
            limit_req zone=early;
            proxy_pass http://127.0.0.1:8081;
        }

        location /limit/device {
            try_files /none @device;
        }

        location @device {
            limit_req zone=device;
            proxy_pass http://127.0.0.1:8081;
        }

        # proxy_cache

        location /cache/ {
            add_header X-Cache $upstream_cache_status always;
            proxy_cache cache;
            proxy_pass http://127.0.0.1:8082;
        }

        location /cache/lab/ {
            dm_sec_groups lab;
            add_header X-Cache $upstream_cache_status always;
            proxy_cache cache;
            proxy_pass http://127.0.0.1:8082/cache/;
            proxy_cache_key "$scheme$proxy_host$uri";
        }

        location /cache/own/ {
            add_header X-Cache $upstream_cache_status always;
            proxy_cache cache;
            proxy_cache_key "$scheme$proxy_host$request_uri $dm_sec_client_id";
            proxy_pass http://127.0.0.1:8082;
        }

        location /cache/any/ {
            satisfy any;
            allow all;
            add_header X-Cache $upstream_cache_status always;
            proxy_cache cache;
            proxy_cache_key "$scheme$proxy_host$request_uri $dm_sec_client_id";
            proxy_pass http://127.0.0.1:8082;
        }

        location /cache/stale/ {
            add_header X-Cache $upstream_cache_status always;
            proxy_cache cache;
            proxy_cache_use_stale updating;
            proxy_cache_background_update on;
            proxy_pass http://127.0.0.1:8082;
        }

        # addition

        location /added {
            add_before_body /before;
            add_after_body  /after;
            addition_types  text/plain;
            proxy_pass http://127.0.0.1:8081;
        }

        location /added/lab {
            dm_sec_groups lab;
            add_before_body /before;
            addition_types  text/plain;
            proxy_pass http://127.0.0.1:8081;
        }

        location /added/any {
            satisfy any;
            allow all;
            add_before_body /before;
            addition_types  text/plain;
            proxy_pass http://127.0.0.1:8081;
        }

        location /added/return {
            add_before_body /before;
            addition_types  text/plain;
            return 200 "open";
        }

        location /added/page {
            error_page 401 =200 /page;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /page {
            dm_sec_auth off;
            add_before_body /before;
            addition_types  text/plain;
            proxy_pass http://127.0.0.1:8081;
        }

        location = /before {
            internal;
            dm_sec_groups lab;
            proxy_pass http://127.0.0.1:8083;
        }

        location = /after {
            internal;
            dm_sec_identity_headers off;
            proxy_pass http://127.0.0.1:8084;
        }
    }

    server {
        listen       127.0.0.1:8443 ssl http2;
        server_name  localhost;

        dm_sec_profile modern;
        dm_sec_auth    basic;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /tls12 {
            dm_sec_protocols TLSv1.2;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8443 ssl http2;
        server_name  other.example.org;

        dm_sec_profile modern;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF

ca($t, 'root');
cert($t, 'server', ca => 'root');

store($t, realm => 'r', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'alice', '--group', 'lab',
    { password => 'pw' });
account($t, 'add', 'IMEI:2', '--name', 'bob', { password => 'pw' });
account($t, 'add', '2', '--name', 'two', { password => 'pw' });
account($t, 'add', 'IMEI:3', '--name', 'eve', { password => 'pw' });
account($t, 'add', 'IMEI:4', '--name', 'slow', '--slow-hash',
    { password => 'pw' });

my @ports = (8081, 8082, 8083, 8084);

upstream($t, 8081);
upstream($t, 8082, respond => \&who);
upstream($t, 8083);
upstream($t, 8084);

my $gate = Test::DmSec::Gate->new($t);
$gate->run($t);

my $alice = basic('alice', 'pw');
my $bob = basic('bob', 'pw');
my $two = basic('two', 'pw');
my $wrong = basic('alice', 'x');
my $eve = basic('eve', 'x');

my @alice = ('DM-Client-ID: IMEI:1', 'DM-Account-Name: alice',
    'DM-Auth-Method: basic', 'DM-Groups: lab');
my @bob = ('DM-Client-ID: IMEI:2', 'DM-Account-Name: bob',
    'DM-Auth-Method: basic');

my @forged = map { "$_: forged" } qw/ DM-Client-ID dm_client_id
    DM-Account-Name DM-Auth-Method DM-Groups DM-TLS-Protocol Client-Cert /;

###############################################################################

# limit_req: within the rate, authenticated as ever

is(plain('/limit', 'X-Bucket: a', $alice), '200 upstream', 'within the rate');
is(plain('/limit', 'X-Bucket: a', $alice), '503', 'over the rate');
is(plain('/limit', 'X-Bucket: a'), '503', 'over the rate, no credentials');
is(plain('/limit', 'X-Bucket: b'), '401 no_credentials',
    'within the rate, no credentials');
is(plain('/limit', 'X-Bucket: b', $alice), '503',
    'a request that is denied counts for the rate');
is(plain('/limit', $alice), '200 upstream', 'no key, no limit');

my $r = response('/limit/status', 'X-Bucket: a', $eve);

is(verdict($t, $r, @ports), '429', 'limit_req_status');
is(header($r, 'Retry-After'), undef, 'which is not our 429');
is(header($r, 'WWW-Authenticate'), undef, 'no challenge');

# over the rate no password is looked at, so it counts for no lockout

is_deeply([ map { plain('/limit', 'X-Bucket: a', $eve) } 1 .. 11 ],
    [ ('503') x 11 ], 'wrong passwords over the rate');
is(plain('/limit', basic('eve', 'pw')), '200 upstream', 'not locked');

is_deeply([ map { plain('/limit', $eve) } 1 .. 11 ],
    [ ('401 bad_credentials') x 10, '429 locked' ], 'and within it');

# a request that waits for its turn

is(plain('/limit/delay', 'X-Bucket: a', $alice), '200 upstream', 'no delay');
is(plain('/limit/delay', 'X-Bucket: a', $alice, @forged), '200 upstream',
    'delayed');
is_deeply(identity(8081), \@alice, 'its identity');
is(plain('/limit/delay', 'X-Bucket: a'), '401 no_credentials',
    'delayed, no credentials');

# what a device is, limit_req knows in the next location only

is(plain('/limit/early', $alice), '200 upstream',
    "\$dm_sec_client_id is empty before access $_") for 1 .. 3;

is(plain('/limit/device', $alice), '200 upstream', 'after try_files');
is(plain('/limit/device', $alice), '503', 'over the rate of the device');
is(plain('/limit/device', $bob), '200 upstream', 'another device');
is(plain('/limit/device', $wrong), '401 bad_credentials',
    'its name with a wrong password');

###############################################################################

# proxy_cache: who is denied gets nothing from it, and leaves nothing in it

is(cached('/cache/a'), '401 no_credentials -', 'denied before it is filled');
is(cached('/cache/a', $alice), '200 upstream MISS IMEI:1', 'filled');
is(filled('/cache/a', $alice), '200 HIT IMEI:1', 'hit');
is(cached('/cache/a'), '401 no_credentials -', 'no credentials');
is(cached('/cache/a', $wrong), '401 bad_credentials -', 'wrong password');
is(cached('/cache/a', @forged), '401 no_credentials -', 'forged');
is(cached('/cache/a', $alice), '200 HIT IMEI:1', 'still there');

is(cached('/cache/lab/g', $alice), '200 upstream MISS IMEI:1',
    'filled for a group');
is(cached('/cache/lab/g', $bob), '403 group -', 'not in the group');

# the URI as the key: one answer for all

is(cached('/cache/a', $bob), '200 HIT IMEI:1', 'shared by devices');

# with the device in the key: its own

is(cached('/cache/own/a', $alice), '200 upstream MISS IMEI:1', 'own, alice');
is(cached('/cache/own/a', $bob, @forged), '200 upstream MISS IMEI:2',
    'own, bob');
is(filled('/cache/own/a', $alice), '200 HIT IMEI:1', 'own hit, alice');
is(filled('/cache/own/a', $bob), '200 HIT IMEI:2', 'own hit, bob');
is(cached('/cache/own/a'), '401 no_credentials -', 'own, denied');

# which a device cannot compose of a URI and a shorter id

is(cached('/cache/own/IMEI:', $two), '200 upstream MISS 2', 'own, two');
is(cached('/cache/own/', $bob), '200 upstream MISS IMEI:2',
    'not the answer of two');
is(plain('/cache/own/ IMEI:2', $bob), '400 bad_request',
    'no URI has a space');

# nobody is nobody's device

is(cached('/cache/any/a', $alice), '200 upstream MISS IMEI:1', 'any, alice');
is(cached('/cache/any/a', $wrong, @forged),
    '200 bad_credentials upstream MISS nobody', 'any, nobody');
is(filled('/cache/any/a', $alice), '200 HIT IMEI:1', 'any, alice again');

# The update in the background is for who caused it.  What 8082 says there is
# stale as soon as it is in the cache.

is(cached('/cache/stale/a', $alice), '200 upstream MISS IMEI:1', 'filled');

my $count = upstream_count($t, 8082);

is(cached('/cache/stale/a'), '401 no_credentials -', 'stale, denied');
like(cached('/cache/stale/a', $bob, @forged),
    qr/^200 (?:upstream )?STALE IMEI:1$/, 'stale answer');

ok(wait_for(30, sub { upstream_count($t, 8082) > $count }),
    'background update');
is_deeply(identity(8082), \@bob, 'its identity');
unlike((upstream_log($t, 8082))[-1]{head}, qr/^Authorization:/mi,
    'no password');

# an update in its turn shows whose answer the last one was, which may not be in
# the cache yet: who asks meanwhile causes none

wait_for(30, sub {
    $r = cached('/cache/stale/a', $alice);
    return $r !~ / UPDATING /;
});
like($r, qr/STALE IMEI:2$/, 'updated');
ok(wait_for(30, sub { upstream_count($t, 8082) == $count + 2 }),
    'and once for each request');
verdict($t, '', @ports);

###############################################################################

# addition: what is added knows the identity of its request

$r = response('/added', $alice, @forged);

is(verdict($t, $r, @ports), '200 upstream upstream upstream', 'addition');
is(join(' ', http_content($r) =~ m{^GET (\S+)}mg), '/before /added /after',
    'in order');
is_deeply(identity(8081), \@alice, 'the request');
is_deeply(identity(8083), \@alice, 'before');
is_deeply(identity(8084), [], 'after, with dm_sec_identity_headers off');

is(plain('/added', $bob, @forged), '200 upstream upstream upstream',
    'a subrequest is not asked for its group');
is_deeply(identity(8083), \@bob, 'and knows who it is');

is(plain('/added'), '401 no_credentials', 'addition, no credentials');
is(plain('/added', $wrong, @forged), '401 bad_credentials',
    'addition, wrong password');
is(plain('/added/lab', $bob), '403 group', 'addition, not in the group');

# let in by another, or before there is any access check: nobody

is(plain('/added/any', $alice, @forged), '200 upstream upstream',
    'satisfy any');
is_deeply(identity(8083), \@alice, 'verified');

is(plain('/added/any', $wrong, @forged),
    '200 bad_credentials upstream upstream', 'satisfy any, wrong password');
is_deeply(identity(8083), [], 'nobody');

is(plain('/added/return', $alice, @forged), '200 upstream', 'return');
is_deeply(identity(8083), [], 'nobody before access');

is(plain('/added/page', $wrong, @forged),
    '200 bad_credentials upstream upstream', 'error_page =200');
is_deeply(identity(8083), [], 'nobody after a refusal');

###############################################################################

# realip: refusals of each phase name the address that it gives

is(address('/', { host => 'other.example.org' }), 'misdirected 192.0.2.1',
    'realip, POST_READ');
is(address('/tls12'), 'tls_protocol 192.0.2.1', 'realip, PREACCESS');
is(address('/', $wrong), 'bad_credentials 192.0.2.1', 'realip, ACCESS');
verdict($t, '', @ports);

###############################################################################

# HTTP/2: streams of one connection, each is asked for itself

my @r = h2([ '/', $alice, @forged ], [ '/' ], [ '/', $wrong, @forged ],
    [ '/', $bob ], [ '/' ]);

is_deeply([ map { $_->{code} } @r ], [ 200, 401, 401, 200, 401 ],
    'streams of HTTP/2');
is_deeply([ map { "$_->{version} $_->{connects}" } @r ],
    [ '2 1', ('2 0') x 4 ], 'on one connection');
is_deeply([ map { scalar header($_->{head}, 'WWW-Authenticate') } @r ],
    [ undef, ('Basic realm="r", charset="UTF-8"') x 2, undef,
    'Basic realm="r", charset="UTF-8"' ], 'challenges');
is(verdict($t, '', @ports), '0 no_credentials bad_credentials '
    . 'no_credentials upstream upstream', 'the upstream saw two');

my @tls = ('DM-TLS-Protocol: TLSv1.3',
    'DM-TLS-Cipher: TLS_AES_128_GCM_SHA256');

is_deeply(identity(8081, -2), [ @alice, @tls ], 'alice over HTTP/2');
is_deeply(identity(8081), [ @bob, @tls ], 'bob over HTTP/2');

# slow hashes of several streams at once, and of one that is cancelled

@r = h2('-Z', [ '/', basic('slow', 'x') ], [ '/', $alice ],
    [ '/', basic('slow', 'pw'), @forged ]);

is_deeply([ sort map { $_->{code} } @r ], [ 200, 200, 401 ],
    'slow hashes over HTTP/2');
is((join '', sort map { $_->{connects} } @r), '001', 'on one connection');
is(verdict($t, '', @ports), '0 bad_credentials upstream upstream',
    'the upstream saw two');
is_deeply([ sort map { identity(8081, $_)->[0] } -2, -1 ],
    [ 'DM-Client-ID: IMEI:1', 'DM-Client-ID: IMEI:4' ], 'who they are');

$gate->shut();

my $pid = open my $curl, '-|', 'sh', '-c', 'exec "$@" 2> /dev/null', 'sh',
    h2_command('-Z', map { [ '/', basic('slow', "y$_") ] } 1 .. 6)
    or die "Can't run curl: $!\n";

ok($gate->waiting(1), 'some more');
kill 'TERM', $pid;
is(<$curl>, undef, 'cancelled');
close $curl;
$gate->open();

is((h2([ '/', basic('slow', 'pw') ]))[0]{code}, 200, 'after cancelled ones');

undef $t;

###############################################################################

sub response {
    my ($uri, @lines) = @_;
    my ($client, $response);

    $client = keepalive(8080);
    $response = $client->request(request('GET', $uri, @lines)) // '';
    $client->close();

    return $response;
}

sub plain {
    return verdict($t, response(@_), @ports);
}

# a verdict, what the cache did, and for whom the answer was made
sub cached {
    my $response = response(@_);
    my $cache = header($response, 'X-Cache');

    return join ' ', verdict($t, $response, @ports), $cache || '-',
        $cache ? http_content($response) : ();
}

# the same once the answer is in the cache: a worker puts it there when it has
# sent it, and until then the others know nothing of it
sub filled {
    my @request = @_;
    my ($got);

    wait_for(30, sub { ($got = cached(@request)) !~ / MISS / });

    return $got;
}

# an upstream that says whom it takes the client for
sub who {
    my ($request) = @_;
    my ($id) = join ',', @{ $request->{fields}{'dm-client-id'}
        || [ 'nobody' ] };

    return "HTTP/1.1 200 OK\r\n"
        . ($request->{uri} =~ /stale/ ? "X-Accel-Expires: \@1\r\n" : '')
        . 'Content-Length: ' . length($id) . "\r\n\r\n$id";
}

# the identity headers of the last request that an upstream received
sub identity {
    my ($port, $i) = @_;
    my ($head) = (upstream_log($t, $port))[$i // -1]{head};

    return [ $head =~ /^((?:DM|Client)[^A-Za-z0-9\s].*?)\r$/mgi ];
}

# reason and client of the refusal
sub address {
    my ($uri, @lines) = @_;
    my ($o) = ref $lines[-1] ? pop @lines : {};
    my ($count) = scalar denied($t, 0);
    my ($client);

    https(8443, request('GET', $uri, 'X-Real-IP: 192.0.2.1', @lines, $o),
        SSL_hostname => 'localhost');

    return (log_lines($t, qr/dm_sec: denied /, $count + 1))[-1]
        =~ /reason=(\w+) .*, client: "?([^,"]+)"?,/ ? "$1 $2" : '';
}

# Requests over HTTP/2 by curl, [ URI, header lines ] each, after options of
# curl's: { code, version, connects, head } each.
sub h2 {
    my ($out) = (run_command([ h2_command(@_) ]))[1];

    return map { /^(.*)^(\d+) (\S+) (\d+)\n/ms
        ? { head => $1, code => $2, version => $3, connects => $4 } : () }
        split /(?<=\d \d\n)/, $out;
}

sub h2_command {
    my (@options) = grep { !ref } @_;
    my (@args);

    foreach my $r (grep { ref } @_) {
        my ($uri, @lines) = @$r;

        push @args, @args ? '--next' : (), '-sk', '--http2', @options,
            '-D', '-', '-o', '/dev/null',
            '-w', "%{http_code} %{http_version} %{num_connects}\n",
            map({ ('-H', $_) } @lines), 'https://127.0.0.1:' . port(8443)
                . $uri;
    }

    return ('curl', @args);
}

###############################################################################
