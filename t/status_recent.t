#!/usr/bin/perl

# Tests for the last minutes on the page of dm_sec_status html: who was refused
# lately and how often, with a clock that the test sets; and that a flood is
# counted, but pushes nobody out.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;
use Test::DmSec::Clock;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http proxy/);
my $clock = Test::DmSec::Clock->new($t);

$t->plan(16);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

env FAKETIME_TIMESTAMP_FILE;
env FAKETIME_NO_CACHE;
env FAKETIME_DONT_FAKE_MONOTONIC;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;
    dm_sec_lockout       off;
    dm_sec_log_limit     off;
    dm_sec_zone          dm_sec:128k;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            dm_sec_auth basic;
            dm_sec_plaintext_auth on;
            proxy_pass http://127.0.0.1:8081;
        }

        location /tls {
            dm_sec_auth basic;
            proxy_pass http://127.0.0.1:8081;
        }

        location /html {
            dm_sec_status html;
            allow 127.0.0.1;
            deny all;
        }
    }
}

EOF_CONF

store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'right' });

upstream($t, 8081);
$clock->run($t);

###############################################################################

my ($page);

http_get('/tls');
try('alice', 'right');
try('alice', 'wrong') for 1 .. 3;

$page = page(qr/bad_credentials/);

is(counts($page, 'bad_credentials'), '3 3 3', 'refused now');
is(counts($page, 'plaintext'), '1 1 1', 'the other reason');
like($page, qr/15 minutes: 1 requests verified, 4 refused, 0 handshakes/,
    'and in all');
is(last_one($page, 'alice'), '127.0.0.1 bad_credentials 3 times', 'who');

# a flood of names: each is counted, some are remembered, all of them with a
# mark that is markup

try("<b>$_</b>", 'x') for 1 .. 200;

$page = page(qr{<td class="n">203</td>});

is(counts($page, 'bad_credentials'), '203 203 203', 'a flood is counted');

my $n = () = $page =~ m{<th scope="row">&lt;b&gt;\d+&lt;/b&gt;<small>}g;

cmp_ok($n, '>', 0, 'some of it are remembered');
cmp_ok($n, '<=', 31, 'and no more than there is room for');
is(last_one($page, '-'), '127.0.0.1 plaintext', 'another reason stays');

# minutes go by

$clock->pass(7 * 60);
$page = page(qr/>0</);
is(counts($page, 'bad_credentials'), '0 203 203', 'after 7 minutes');
like(last_one($page, '-'), qr/plaintext 7 min/, 'how long ago');

try('alice', 'wrong');
$page = page(qr{<td class="n">204</td>});
is(counts($page, 'bad_credentials'), '1 204 204', 'one more');

$clock->pass(10 * 60);
$page = page(qr{<td class="n">1</td><td class="n">204});
is(counts($page, 'bad_credentials'), '0 1 204', 'after 17 minutes');
is(counts($page, 'plaintext'), '0 0 1', 'the other reason');

$clock->pass(3600);
$page = page(qr/15 minutes: 0 requests verified, 0 refused/);
is(counts($page, 'bad_credentials'), '0 0 204', 'after an hour');
like($page, qr/All is well/, 'and it is well');

# as long as the key of a certificate; and two that begin alike are two

ok(wait_for(30, sub {
    try($_, 'x') for 'x' x 71, map { 'y' x 140 . $_ } 1, 2;
    $page = http_content(http_get('/html'));

    my $rows = () = $page =~ m{>y{128}&hellip;<small>127\.0\.0\.1</small></th>
        <td><code>bad_credentials<}gx;

    last_one($page, 'x' x 71) && $rows == 2;
}), 'long names are whole, or cut with a mark, and told apart');

undef $t;

###############################################################################

sub try {
    my (@credentials) = @_;

    return http(request('GET', '/',
        'Connection: close', basic(@credentials)));
}

# the page, when it has what is waited for
sub page {
    my ($wanted) = @_;
    my ($html);

    wait_for(30, sub { ($html = http_content(http_get('/html'))) =~ $wanted })
        or diag("waited in vain for $wanted");

    return $html;
}

sub counts {
    my ($html, $name) = @_;

    return $html =~ m{<code>\Q$name\E</code><small>.*?</th>(.*?)</tr>}s
        ? join ' ', $1 =~ />(\d+)</g : '';
}

# the row of one who was refused, without how long ago, if that is seconds
sub last_one {
    my ($html, $name) = @_;

    return $html =~ m{<th scope="row">\Q$name\E<small>(.*?)</tr>}s
        ? join ' ', grep { !/^\s*$|^\d+ s$/ } split /<[^>]*>/, $1 : '';
}

###############################################################################
