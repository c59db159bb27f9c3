#!/usr/bin/perl

# Tests for the pages for people: each configuration in them is one that nginx
# takes, and each command does its work.  dev/Docs.pm finds the blocks, and
# t/docs/setup has what commands find.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use Cwd qw/ abs_path /;

use lib 'lib', '../dev';
use Docs qw/ blocks /;
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Process qw/ slurp /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

# what stands around a block, but for the directives that it has itself
my %around = (
    http => [
        'include %%TESTDIR%%/log.conf;',
        'dm_sec_account_store %%TESTDIR%%/store;',
        'dm_sec_store_key %%TESTDIR%%/store.key;',
    ],
    server => [
        'server_name dm.example.com;',
        'ssl_certificate server.crt;',
        'ssl_certificate_key server.key;',
        'ssl_client_certificate %%TESTDIR%%/client-ca.crt;',
        'ssl_verify_client optional;',
        'dm_sec_profile modern dm20;',
        'dm_sec_auth digest x509;',
    ],
);

my $top = abs_path('..');
my @pages = map { s{^../}{}r } glob '../*.md ../docs/*.md';
my %blocks = map { my $page = $_; $page => [ grep { $_->{info}
    =~ /^(?:nginx|sh)\b/ && $_->{info} !~ /: / }
    blocks(slurp("../$page")) ] } @pages;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy rewrite/)
    ->has(qw/socket_ssl/)->has_daemon('openssl')->has_daemon('jq')
    ->plan(4 + map { @{ $blocks{$_} } } @pages);
my $d = $t->testdir();

###############################################################################

ca($t, 'client-ca');
ca($t, 'ca');
cert($t, 'server-rsa', ca => 'ca', key => 'rsa:2048',
    san => [ 'DNS:dm.example.com', 'DNS:localhost' ]);
cert($t, 'server-ecdsa', ca => 'ca',
    san => [ 'DNS:dm.example.com', 'DNS:localhost' ]);
cert($t, 'device', ca => 'client-ca');
crl($t, 'client-ca');

$t->write_file('log.conf', slurp('../conf/dm-sec-log.conf'));

store($t, realm => 'dm.example.com', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'one', '--group', 'pilot', '--group',
    'lab', { password => 'secret' });

foreach my $page (@pages) {
    foreach my $block (grep { $_->{info} =~ /^nginx/ } @{ $blocks{$page} }) {
        is(loaded($block), '', "$page:$block->{line}");
    }

    commands($page, grep { $_->{info} =~ /^sh/ } @{ $blocks{$page} });
}

# and what is stale is found

like(loaded({ info => 'nginx server', text => "dm_sec_profil dm20;\n" }),
    qr/^\[emerg\] unknown directive "dm_sec_profil"/, 'a stale directive');
like(loaded({ info => 'nginx location', text => "dm_sec_lockout off;\n" }),
    qr/^\[emerg\] "dm_sec_lockout" directive is not allowed here/,
    'a directive at another level');

my ($line, $said) = run_blocks('none', { line => 1, text => "true\n" },
    { line => 5, text => "dm-account addd IMEI:1 | cat\ntrue\n" });
is($line, 5, 'a stale command');
like($said, qr/addd/, 'what it said');

undef $t;

###############################################################################

# what nginx has against the configuration, its notices about TLS 1.0 aside
sub loaded {
    my ($block) = @_;
    my ($text) = $block->{text} =~ s/^\s*\.\.\.\n//mgr;
    my ($level) = $block->{info} =~ /^nginx (\w+)/;
    my (%part, $said);

    if ($level eq 'main') {
        $text =~ s/^(?:load_module|user|events)\s.*\n//mg;
        $text =~ s/^http \{\n(.*)^\}\n/$part{http} = $1; ''/mse;
        $part{main} = $text;

    } else {
        $part{$level} = $text;
    }

    foreach my $around ('http', $level =~ /^(?:server|location)$/
        ? 'server' : ())
    {
        my $has = join '', map { $_ // '' } @part{'http', $around};

        $part{$around} = join "\n", (grep { my ($name) = split ' ';
            $has !~ /^\s*$name\s/m } @{ $around{$around} }),
            $part{$around} // '';
    }

    $part{listen} = '443 ssl' if exists $part{server};
    $part{location} //= '' if exists $part{server};

    # conf_error() has a "listen", too
    $part{server} =~ s/^listen\s.*\n//mg if exists $part{server};

    $said = conf_error($t, map { $_ => here($part{$_}) } keys %part);
    $said =~ s/^\[notice\] dm_sec: TLS 1\.0 or 1\.1 is offered: .*\n//mg;

    return $said;
}


# names of files and ports of the test in the place of the machine's
sub here {
    my ($text) = @_;

    $text =~ s{/(?:var/lib|etc)/dm-sec/(?=store)}{$d/}g;
    $text =~ s{/(?:etc|var|usr)/[\w./-]*/(?=[\w.-]+)}{$d/}g;
    $text =~ s{\b(ssl_certificate(_key)?)\s.*;}{
        my $suffix = $2 ? 'key' : 'crt';
        join ' ', map { "$1 $d/server-$_.$suffix;" } qw/ rsa ecdsa / }ge;
    $text =~ s{\b(ssl_(?:client|trusted)_certificate)\s.*;}
        {$1 $d/client-ca.crt;}g;
    $text =~ s{\bssl_crl\s.*;}{ssl_crl $d/client-ca.crl;}g;
    $text =~ s/(?:\blisten\s+|^)\K(?:\S+:)?(\d+)/'127.0.0.1:'
        . ($1 == 443 ? 8443 : $1 == 80 ? 8080 : 8000 + $1 % 1000)/ge;

    return $text;
}

###############################################################################

# a check for each
sub commands {
    my ($page, @blocks) = @_;
    my ($failed, $said);

    return unless @blocks;

    ($failed, $said) = run_blocks($page, @blocks);

    ok(!defined $failed || $_->{line} < $failed, "$page:$_->{line}")
        foreach @blocks;

    diag("$page:$failed: $said") if defined $failed;
}


# The line of the block that failed, 0 for the setup, undef if all did their
# work, and what was said there.  One bash has them all, in a new directory.
sub run_blocks {
    my ($page, @blocks) = @_;
    my ($exit, $out, $err, $script, $dir);

    $dir = "$d/" . $page =~ tr/./-/r =~ s{.*/}{}r;
    mkdir $dir or die "Can't create $dir: $!\n";

    $script = "set -eu -o pipefail\n. '$top/t/docs/setup'\n";

    foreach my $block (@blocks) {
        my $text = $block->{text};

        $text =~ s{(?<![\w.\$])/(?=(?:etc|var|run|backup)/)}{$dir/}g;
        $text =~ s{(https://|-connect )dm\.example\.com(?::443)?}
            {"$1localhost:" . port(8443)}ge;
        $text =~ s{http://127\.0\.0\.1\K:8099(?=/)}{':' . port(8080)}ge;
        $script .= "echo '\@\@ $block->{line}' >&2\n$text";
    }

    $t->write_file('script', $script . "echo '\@\@ done' >&2\n");

    local $ENV{page} = $page;
    local $ENV{PKI} = $d;
    local $ENV{TLS_PORT} = port(8443);
    local $ENV{PLAIN_PORT} = port(8080);
    local $ENV{TOP} = $top;
    local $ENV{DOCS_NGINX} = $Test::Nginx::NGINX;
    local $ENV{GLOBALS} = $ENV{TEST_NGINX_GLOBALS} || "";
    local $ENV{DM_ACCOUNT} = $ENV{TEST_DM_ACCOUNT} || "$top/build/dm-account";
    local $ENV{DM_PROBE} = $ENV{TEST_DM_PROBE} || "$top/build/dm-probe";
    local $ENV{LC_ALL} = 'C.UTF-8';

    ($exit, $out, $err) = run_command([ 'bash', '-c',
        "cd '$dir' && exec bash '$d/script'" ]);

    my ($line, $said) = $err =~ /.*^\@\@ (\w+)\n(.*)/ms;

    return if $exit == 0 && ($line // '') eq 'done';
    return ($line // 0, "exit $exit\n$out" . ($said // $err));
}

###############################################################################
