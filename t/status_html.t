#!/usr/bin/perl

# Tests for dm_sec_status html: what an operator reads there, and that what
# clients chose does nothing there.

###############################################################################

use warnings;
use strict;

use Test::More;

use Digest::SHA qw/ sha256_base64 /;
use JSON::PP qw/ decode_json /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy socket_ssl/)
    ->has_daemon('openssl')->has_daemon('tidy')->plan(40);

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store %%TESTDIR%%/store;
    dm_sec_store_key     %%TESTDIR%%/store.key;
    dm_sec_lockout       attempts=2;
    dm_sec_zone          dm_sec:128k;

    ssl_certificate        server.crt;
    ssl_certificate_key    server.key;
    ssl_client_certificate ca.crt;
    ssl_crl                ca.crl;
    ssl_verify_client      optional;

    server {
        listen       127.0.0.1:8443 ssl;
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_profile modern;

        location / {
            dm_sec_auth basic x509;
            proxy_pass http://127.0.0.1:8081;
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        allow 127.0.0.1;
        deny all;

        location /html {
            dm_sec_status html;
        }

        location /json {
            dm_sec_status json;
        }
    }
}

EOF_CONF

$t->write_file_expand('nginx.conf', $conf);

my $d = $t->testdir();
my $evil = q{<script>alert(1)</script>"'&};

ca($t, 'ca', days => 1000);
cert($t, 'server', ca => 'ca', days => 400,
    subject => '/CN=a<b onclick=x>b');
crl($t, 'ca');
store($t, realm => 'dm.example');
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'right' });

upstream($t, 8081);
$t->run();

###############################################################################

my ($page, $head, $style);

# all is well

$page = page();
($head) = split /\x0d\x0a\x0d\x0a/, http_get('/html', socket => plain());

is(verdict($page), 'All is well', 'verdict');
like($page, qr{<title>All is well - dm_sec</title>}, 'title');
unlike($page, qr/What to do/, 'nothing to do');
is_deeply([ $page =~ m{<h2[^>]*>(.*?)</h2>}g ], [ 'Is it well?',
    'Who is refused, and why', 'The last that were refused',
    'Who is locked out',
    'Methods, versions and suites in use' ], 'the order without a style');
like(part($page, 'Store'), qr/Well .*accounts: 1, changed \d+ s ago/, 'store');
like(part($page, 'Key'), qr/Well \S+$/, 'key');
like(part($page, 'Zone'), qr/Well .*nonces 0 %/, 'zone');
like(part($page, 'Certificate'),
    qr/Well ends in (?:399|400) days, \d{4}-\d\d-\d\d: /, 'certificate');
like($page, qr/CN=a\\x5C&lt;b onclick=x\\x5C&gt;b/, 'its subject is text');
like(part($page, 'Client CA'), qr/Well ends in (?:999|1000) days/, 'client CA');
like(part($page, 'CRL'), qr/Well ends in (?:29|30) days.*CN=ca/, 'CRL');
like($page, qr/Nobody was refused/, 'nobody is refused');
like($page, qr/Nobody is locked out/, 'nobody is locked');

# a browser loads nothing, runs nothing, keeps nothing

($style) = $page =~ m{<style>(.*?)</style>}s;

like($head, qr{^Content-Type: text/html; charset=utf-8\r?$}m, 'type');
like($head, qr{^X-Content-Type-Options: nosniff\r?$}m, 'nosniff');
like($head, qr{^Cache-Control: no-store\r?$}m, 'no-store');
like($head, qr{^Referrer-Policy: no-referrer\r?$}m, 'no referrer');

my ($policy) = $head =~ /^Content-Security-Policy: (.*?)\r?$/m;
my $hash = sha256_base64($style) . '=';

like($policy, qr/^default-src 'none'; /, 'nothing is loaded');
like($policy, qr/frame-ancestors 'none'/, 'nor framed');
like($policy, qr/style-src 'sha256-\Q$hash\E'$/, 'but for its own style');
is(active($page), '', 'nothing to load or to run');
is(tidy($page), '', 'valid');

# names that are markup

https(8443, request('GET', '/', 'OMADM-DevID: <b>x</b>', basic($evil, 'x')))
    for 1 .. 3;
https(8443, request('GET', '/<i>?<u>'));
http("GET / HTTP/1.1\r\nHost: \"><img src=x>\r\nConnection: close\r\n\r\n");
http_get('/');
s_client(8443, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0');

ok(wait_for(30, sub {
    $page = page('?<b>');
    reason($page, 'locked') && reason($page, 'tls_protocol')
        && reason($page, 'plaintext') && reason($page, 'no_credentials');
}), 'refusals are there');

is(verdict($page), 'All is well', 'a wrong password is no trouble of ours');
is((reason($page, 'bad_credentials'))[1], 2, 'how many');
like((reason($page, 'bad_credentials'))[0],
    qr{name is nobody's.*unknown_name</code> 2: no account has this }s, 'why');
like((reason($page, 'bad_credentials'))[0],
    qr{<code>dm-account --store \Q$d\E/store --key \Q$d\E/store.key show ID},
    'and what to do');
like($page, qr{>&lt;script&gt;alert\(1\)&lt;/s</th><td>127\.0\.0\.1</td>},
    'a lock, cut and inert');
like($page, qr{>&lt;script&gt;alert\(1\)&lt;/script&gt;\\x22'&amp;<small>127},
    'one who was refused, whole and inert');
is(active($page), '', 'nothing of it is active');
is(tidy($page), '', 'valid');

# each reason that there is has its words

my $json = decode_json(http_content(http_get('/json', socket => plain())));
my $advice = slurp_advice();

is_deeply([ grep { !$advice->{$_} } keys %{ $json->{denied} },
    keys %{ $json->{handshakes_failed} } ], [], 'advice on each reason');

# troubles, each with what to do

cert($t, 'server', ca => 'ca', not_after => time() - 3 * 86400);
crl($t, 'ca', next_update => time() - 7200);
ok(reload_wait($t), 'reloaded');

$page = page();

is(verdict($page), 'Trouble: 2 of 8 parts', 'certificate and CRL');
like(to_do($page, 'Trouble, Certificate'),
    qr/ended 3 days ago.*<code>nginx -s reload/, 'certificate: what to do');
like(to_do($page, 'Trouble, CRL'), qr/ended 2 hours ago/, 'CRL: what to do');
is((reason($page, 'bad_credentials'))[1], 2, 'counted over a reload');

rename "$d/store/data.mdb", "$d/gone" or die "Can't rename: $!\n";

ok(wait_for(30, sub {
    $page = page();
    to_do($page, 'Trouble, Store');
}), 'a store that is gone is a trouble');
like(to_do($page, 'Trouble, Store'),
    qr/503.*<code>dm-account --store \S+ --key \S+ check/,
    'store: what to do');
is(active($page) . tidy($page), '', 'still inert and valid');

rename "$d/gone", "$d/store/data.mdb" or die "Can't rename: $!\n";

###############################################################################

sub plain {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8082));
}

sub page {
    my ($args) = @_;

    return http_content(http_get('/html' . ($args // ''),
        socket => plain()));
}

sub verdict {
    my ($html) = @_;

    return $html =~ m{<h1>(.*?)</h1>} ? $1 : '';
}

# the text of the row of a part, without its tags
sub part {
    my ($html, $name) = @_;

    return $html =~ m{<th scope="row">\Q$name\E</th>(.*?)</tr>}s
        ? $1 =~ s{</td>}{ }gr =~ s/<.*?>//gr =~ s/\s+\z//r : '';
}

# the row of a reason: its words and its count
sub reason {
    my ($html, $name) = @_;

    return $html =~ m{<tr><th\ scope="row"><code>\Q$name\E</code>(.*?)</th>
        .*?<td\ class="n">(\d+)</td></tr>}sx;
}

sub to_do {
    my ($html, $name) = @_;

    return $html =~ m{<li><b class="\w+">\Q$name\E</b>(.*?)</li>}s ? $1 : '';
}

# tags and attributes that could load or run something
sub active {
    my ($html) = @_;
    my (%known);

    $known{$_} = 1 foreach qw/ html head meta title style body header h1 h2 p
        main section ol li b code small table thead tbody tr th td footer /;

    return join ' ', grep { !/^(\w+)/ || !$known{$1} || /\bon|src|href|style=/ }
        $html =~ m{<(?!/|!DOCTYPE)([^>]*)>}g;
}

sub tidy {
    my ($html) = @_;

    open my $f, '>', "$d/page.html" or die "Can't write a file: $!\n";
    print $f $html;
    close $f or die "Can't write a file: $!\n";

    return qx{tidy -q -e '$d/page.html' 2>&1};
}

# of which reasons the page has words
sub slurp_advice {
    open my $f, '<', '../src/core/dm_advice.c' or die "Can't open: $!\n";

    return { map { /^    \{ "(\w+)",/ ? ($1 => 1) : () } <$f> };
}

###############################################################################
