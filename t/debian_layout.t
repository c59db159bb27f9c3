#!/usr/bin/perl

# Tests for conf-examples/debian in the layout of Debian's nginx: an nginx.conf
# that includes modules-enabled, conf.d and sites-enabled, with links in them to
# what the packages have.

###############################################################################

use warnings;
use strict;

use Test::More;

use File::Spec ();

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ example_part /;
use Test::DmSec::Process qw/ slurp /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http http_ssl proxy /)
    ->has(qw/ socket_ssl socket_ssl_sni /)->has_daemon('openssl')->plan(28);

my $d = $t->testdir();

# nginx.conf loads the module as Debian's does, from below nginx's prefix

my $globals = $t->test_globals();
my ($module) = $globals =~ /load_module\s+(\S+)ngx_dm_sec_module\.so;/
    or BAIL_OUT('no module in TEST_NGINX_GLOBALS');

$globals =~ s/load_module\s+\S+ngx_dm_sec_module\.so;//;
symlink File::Spec->rel2abs($module), "$d/modules" or die "Can't link: $!\n";

ca($t, 'ca');
ca($t, 'client-ca');
crl($t, 'client-ca');
cert($t, 'server-rsa', ca => 'ca', key => 'rsa:2048',
    san => [ 'DNS:dm.example.com' ]);
cert($t, 'server-ecdsa', ca => 'ca', san => [ 'DNS:dm.example.com' ]);
cert($t, 'mdm', ca => 'ca', san => [ 'DNS:mdm.example.com' ]);
cert($t, 'device', ca => 'client-ca');

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'one', { password => 'secret' });
account($t, 'add', 'device-2', '--cert', "$d/device.crt");

upstream($t, $_) foreach 8090, 8091;

###############################################################################

# each file is put where it belongs, and named in a link as Debian has them

my @dirs = qw/ modules-available modules-enabled conf.d sites-available
    sites-enabled /;
my @sites = map { s{.*/}{}r } glob '../conf-examples/debian/sites-available/*';

mkdir "$d/$_" or die "Can't make $_: $!\n" foreach @dirs;

is("@sites", 'dm-status dm.example.com mdm.example.com', 'the sites');
is(join(' ', map { s{.*/}{}r } glob '../conf-examples/debian/*'),
    'conf.d sites-available', 'and what else is there');

$t->write_file('modules-available/mod-dm-sec.conf',
    slurp('../conf/mod-dm-sec.conf'));
enable('modules', 'mod-dm-sec.conf', '50-mod-dm-sec.conf');
$t->write_file('conf.d/dm-sec.conf',
    example_part($t, 'debian/conf.d/dm-sec.conf'));
$t->write_file('conf.d/dm-sec-log.conf', slurp('../conf/dm-sec-log.conf')
    . "\naccess_log $d/dm.json dm_sec;\n");

foreach my $site (@sites) {
    my $text = slurp("../conf-examples/debian/sites-available/$site");

    like($text, qr/\A# For \/etc\/nginx\/sites-available\/ of Debian's nginx/,
        "$site: says what it is for");
    unlike($text, qr/.{81}|\t| $/m, "$site: style");
    is($text =~ tr/{//, $text =~ tr/}//, "$site: braces");

    $t->write_file_expand("sites-available/$site",
        example_part($t, "debian/sites-available/$site"));
}

# as nginx-common 1.22 and 1.26 have it, but for paths, and for comments

$t->write_file_expand('nginx.conf', <<"EOF_CONF");

$globals
daemon off;
include $d/modules-enabled/*.conf;

events {
    worker_connections 768;
}

http {
    %%TEST_GLOBALS_HTTP%%
    error_log $d/error.log info;

    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    default_type application/octet-stream;

    ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
    ssl_prefer_server_ciphers on;

    access_log $d/access.log;
    gzip on;

    include $d/conf.d/*.conf;
    include $d/sites-enabled/*;
}

EOF_CONF

# each server alone, then all with the page, which has nothing to show alone

my ($exit, $output) = tried('dm-status');
like($output, qr/"dm_sec_status" has nothing to show: no server has "dm_sec_/,
    'the page alone: refused, and said why');

foreach my $sites ([ 'dm.example.com' ], [ 'mdm.example.com' ], \@sites) {
    ($exit, $output) = tried(@$sites);

    $output =~ s/^\[notice\] dm_sec: TLS 1\.0 or 1\.1 is offered: .*\n//mg;
    $output =~ s/^\[notice\] dm_sec: a device that sends no SNI .*\n//mg
        if @$sites > 1;

    is($exit . join('', $output =~ /^\[.*\n/mg), '0', "@$sites: nginx -t");
}

$t->run();

###############################################################################

my $dm = 'dm.example.com';
my $mdm = 'mdm.example.com';
my $status = 'localhost';

is(verdict($t, get($dm, '/', basic('one', 'secret')), 8090), '200 upstream',
    'dm: a password');
is(verdict($t, get($dm, '/', basic('one', 'wrong')), 8090),
    '401 bad_credentials', 'dm: a wrong one');
is(verdict($t, get($dm, '/', basic('one', 'secret'), 'OMADM-DevID: IMEI:2'),
    8090), '403 devid_mismatch', 'dm: another device');
is(verdict($t, get($mdm, '/', cert_of('device')), 8091), '200 upstream',
    'mdm: a certificate');
is((upstream_log($t, 8091))[-1]{fields}{'dm-client-id'}[0], 'device-2',
    'mdm: whose');
is(verdict($t, get($mdm, '/'), 8091), '403 certificate_required',
    'mdm: none');
is(verdict($t, get($mdm, '/enroll/', basic('one', 'secret')), 8091),
    '200 upstream', 'mdm: a password, to get one');

# each has its own policy: nothing below TLS 1.2 for MDM

my %old = (SSL_version => 'TLSv1_1', SSL_cipher_list => 'ALL:@SECLEVEL=0');

is(status(get($dm, '/', basic('one', 'secret'), \%old)), 200, 'dm: TLS 1.1');
is(get($mdm, '/', \%old), undef, 'mdm: no TLS 1.1');
log_lines($t, qr/unsupported protocol|no shared cipher/);

is(status(keepalive(8099)->request(request('GET', '/'))), 200,
    'the status page');
like(keepalive(8099)->request(request('GET', '/metrics')),
    qr/^dmsec_build_info\{/m, 'the metrics');
like(keepalive(8099)->request(request('GET', '/dm-status')),
    qr/^\{.*"store_up": ?1/ms, 'in JSON');

# what the pages ask the status page for, is there

my %asked = map { $_ => 1 } map { slurp($_) =~ m{http://127\.0\.0\.1(?!:8080)
    (?!:8090) ([:\d]*/[\w/-]*)}gx } glob '../*.md ../docs/*.md';
my @wrong = grep { !s/^:8099// || status(keepalive(8099)
    ->request(request('GET', $_))) != 200 } sort keys %asked;

ok(%asked && !@wrong, 'as the pages ask for it')
    or diag("not there: @wrong");

undef $t;

###############################################################################

sub enable {
    my ($kind, $file, $link) = @_;

    symlink "../$kind-available/$file", "$d/$kind-enabled/$link"
        or die "Can't link $link: $!\n";
}

# what "nginx -t" says where these are enabled, which they stay
sub tried {
    my (@enabled) = @_;

    unlink glob "$d/sites-enabled/*";
    enable('sites', $_, $_) foreach @enabled;

    return nginx_t($t);
}

sub cert_of {
    my ($name) = @_;

    return { SSL_cert_file => "$d/$name.crt", SSL_key_file => "$d/$name.key" };
}

# get(host, URI, header lines, [options of TLS])
sub get {
    my ($host, @args) = @_;
    my ($tls) = ref $args[-1] ? pop @args : {};

    return scalar https(8443, request('GET', @args, { host => $host }),
        SSL_hostname => $host, %$tls);
}

###############################################################################
