#!/usr/bin/perl

# Tests for workers that start after a reload was refused: nginx has begun to
# build the chains of filters of the refused configuration by then, and what
# these workers have is that of the configuration in force.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ :all /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

# a killed worker is an alert, and so is a body that nobody hashed
my $t = Test::Nginx->new()->has(qw/http http_ssl charset proxy/)
    ->has_daemon('gdb')->plan(62)->todo_alerts();
my $d = $t->testdir();

my $on = <<'EOF_ON';
    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;
    dm_sec_lockout        off;
    dm_sec_auth           digest;
    dm_sec_digest_qop     auth auth-int;
EOF_ON

$t->write_file('file', '0123456789');
configure();

store($t, realm => 'dm.example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'secret' });

upstream($t, 8081);
$t->run();

my ($challenge) = grep { $_->{algorithm} eq 'SHA-256' }
    challenges(http_get('/'));
my $nc = 0;

###############################################################################

works('at the start');

# what is ours, and fails: no key, and another one

rename "$d/store.key", "$d/right.key" or die "Can't rename a key: $!\n";
refused(qr/store.key" cannot be opened/, 'no key');

$t->write_file('store.key', 'other ' . '0' x 64 . "\n");
chmod 0600, "$d/store.key";
refused(qr/which is not in the key file/, 'another key');

rename "$d/right.key", "$d/store.key" or die "Can't rename a key: $!\n";

# what is others': in the midst of the chains, and when they are whole

configure(http => 'charset koi8-r; source_charset utf-8;');
refused(qr/no "charset_map" between/, 'another module fails');

configure(end => 'nonsense on;');
refused(qr/unknown directive "nonsense"/, 'an error behind http');

configure(on => '', end => 'nonsense on;');
refused(qr/unknown directive "nonsense"/, 'the module is not in use');

configure(on => '', end => 'nonsense on;', globals => 0);
refused(qr/unknown directive "nonsense"/, 'the module is not loaded');

# and one that is not refused

configure();
ok(reload_wait($t), 'a reload');
works('after a reload');

# a worker whose chain of request bodies is without the filter all the same

unhook($_) foreach workers($t);

is(join(', ', map { verdict($t, post(@$_), 8081) } [ 'body', 'body' ],
    [ '', 'body' ]), join(', ', ('503 store_unavailable') x 2),
    'without the filter: a body');
is(verdict($t, post('', undef), 8081), '200 upstream',
    'without the filter: no body');

$t->stop();

# one process for all goes on itself

my $single = 'master_process off;';

configure(main => $single);
$t->run();
($challenge) = grep { $_->{algorithm} eq 'SHA-256' }
    challenges(http_get('/'));

configure(main => $single, http => 'charset koi8-r; source_charset utf-8;');
refused(qr/no "charset_map" between/, 'one process, another module', 1);

configure(main => $single, on => '', end => 'nonsense on;', globals => 0);
refused(qr/unknown directive "nonsense"/, 'one process, not loaded', 1);

$t->stop();

is(join("\n", grep { !/body did not pass the filter that hashes it, / }
    split /\n/, other_alerts($t)), '', 'no other alerts');

undef $t;

###############################################################################

# a reload is refused, and each worker has a successor, unless it is the only
# process
sub refused {
    my ($pattern, $name, $alone) = @_;
    my ($before) = scalar(my @lines = log_lines($t, qr/\[emerg\]/, 0));

    $t->reload();

    like((log_lines($t, qr/\[emerg\]/, $before + 1))[$before] // '', $pattern,
        "$name: refused");

    if (!$alone) {
        kill_worker($t, $_) foreach workers($t);
    }

    works($name);
}

# what needs a filter of the module, and one of nginx behind it
sub works {
    my ($name) = @_;
    my ($r, $client);

    verdict($t, undef, 8081);

    $r = http_get('/');
    is(verdict($t, $r, 8081) . ' ' . challenges($r), '401 no_credentials 4',
        "$name: challenges");

    $r = post('body', 'body', 'auth');
    like(verdict($t, $r, 8081) . "\n" . (header($r, 'Authentication-Info')
        // ''), qr/^200 upstream\nrspauth=/, "$name: rspauth");

    is(verdict($t, post('body', 'body'), 8081), '200 upstream',
        "$name: the body that was hashed");
    is(join(', ', map { verdict($t, post(@$_), 8081) } [ 'body', 'Body' ],
        [ '', 'body' ]), join(', ', ('401 bad_credentials') x 2),
        "$name: another body");

    $client = keepalive(8080);
    $r = $client->request(request('GET', '/file', 'Range: bytes=2-4',
        digest($challenge, uri => '/file', user => 'alice',
            password => 'secret', nc => ++$nc)));
    $client->close();
    is(http_content($r), '234', "$name: a range");
}

# with the challenge from the start, whose nonce is good in all workers
sub post {
    my ($hashed, $body, $qop) = @_;
    my ($line, $client, $response);

    $line = digest($challenge, method => 'POST', uri => '/', user => 'alice',
        password => 'secret', qop => $qop || 'auth-int', body => $hashed,
        nc => ++$nc);

    $client = keepalive(8080);
    $response = $client->request(request('POST', '/', $line,
        { body => $body }));
    $client->close();

    return $response;
}

# what another module could do to a worker
sub unhook {
    my ($pid) = @_;
    my ($exit, $out, $err);

    ($exit, $out, $err) = run_command([ 'gdb', '-batch', '-nx', '-p', $pid,
        '-ex', 'set var *(void **) &ngx_http_top_request_body_filter = '
            . '*(void **) &ngx_dm_sec_next_body_filter' ]);
    die "gdb: $out$err" if $exit || $err =~ /No symbol/;
}

# with globals => 0 the module is not loaded
sub configure {
    my (%o) = @_;
    my ($globals) = $t->test_globals();

    $globals =~ s/load_module\s[^;]*;//g if defined $o{globals};

    $_ //= '' foreach @o{qw/ main http end /};
    $o{on} //= $on;

    $t->write_file_expand('nginx.conf', <<"EOF_CONF");

$globals
$o{main}

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log $d/error.log info;

$o{on}
    $o{http}

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            proxy_pass http://127.0.0.1:8081;
        }

        location /file {
            root $d;
        }
    }
}

$o{end}

EOF_CONF
}

###############################################################################
