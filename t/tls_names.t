#!/usr/bin/perl

# Tests for names: the module and nginx read the SNI alike, whatever it is, and
# no name and no Host lets in whom stock nginx refuses, not even in a server
# that has nothing of the module.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ ca cert denied https reload_wait request status /;
use Test::DmSec::Hello qw/ hello_names hello_retry /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

use constant {
    SUITE => 0x009c,            # RSA: nothing to compute before it answers
    PATTERN => qr/certificate of (default|[abc])/,
    UNRECOGNIZED => 'alert 112',
};

my $t = Test::Nginx->new()->has(qw/http http_ssl sni socket_ssl/)
    ->has(qw/socket_ssl_sni/)->has_daemon('openssl')->plan(20);

my $conf = <<'EOC';

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log  %%TESTDIR%%/error.log info;

    ssl_protocols      TLSv1.2 TLSv1.3;
    ssl_session_cache  shared:SSL:1m;

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  default.test;

        ssl_certificate      default.crt;
        ssl_certificate_key  default.key;

        %%POLICY%%

        return 200 default;
    }

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  a.test;

        ssl_certificate         a.crt;
        ssl_certificate_key     a.key;
        ssl_client_certificate  ca1.crt;
        ssl_verify_client       on;

        return 200 a;
    }

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  b.test *.b.test;

        ssl_certificate         b.crt;
        ssl_certificate_key     b.key;
        ssl_client_certificate  ca2.crt;
        ssl_verify_client       optional;

        return 200 b;
    }

    server {
        listen       127.0.0.1:8443 ssl;
        server_name  ~^c\d*\.test\.?$ ~\.c\.test$;

        ssl_certificate      c.crt;
        ssl_certificate_key  c.key;

        return 200 c;
    }

    # a.test is this address's default server, and verifies

    server {
        listen       127.0.0.1:8444 ssl;
        server_name  v.test;

        ssl_certificate         a.crt;
        ssl_certificate_key     a.key;
        ssl_client_certificate  ca1.crt;
        ssl_verify_client       on;

        return 200 v;
    }

    server {
        listen       127.0.0.1:8444 ssl;
        server_name  w.test;

        ssl_certificate         b.crt;
        ssl_certificate_key     b.key;
        ssl_client_certificate  ca2.crt;
        ssl_verify_client       on;

        return 200 w;
    }

    # where the module is on, whatever else is

    server {
        listen       127.0.0.1:8445 ssl;
        server_name  on.test;

        ssl_certificate      c.crt;
        ssl_certificate_key  c.key;

        %%POLICY%%

        return 200 on;
    }
}

EOC

my $d = $t->testdir();

ca($t, 'ca1');
ca($t, 'ca2');
cert($t, 'client1', ca => 'ca1');
cert($t, 'client2', ca => 'ca2');
cert($t, $_, ca => 'ca1', key => 'rsa:2048',
    subject => "/CN=certificate of $_")
    foreach qw/ default a b c /;

# what stock nginx says: loaded and unused, the module is not there

configure('');
$t->run();

my @names = names();
my @stock = hello_names(8443, SUITE, PATTERN, \@names);

my @snis = (undef, qw/ a.test b.test B.TEST. b.test.:1. b.test:443 x..b.test
    x.b.test [x.b.test:y] c.test unknown /);
my @hosts = qw/ a.test b.test x.b.test c1.test unknown A.test.:443 /;
my %stock = matrix();

is($stock{'no SNI, client1, w.test'}, '200 w',
    'stock nginx, no SNI: the CA of another server');

# the same with the module

configure('dm_sec_profile modern dm20;');
ok(reload_wait($t), 'reload');

my @ours = hello_names(8443, SUITE, PATTERN, \@names);

my (@different, %count);

foreach my $i (0 .. $#names) {
    $count{$ours[$i]}++;

    push @different, shown($names[$i]) . ": $stock[$i], but $ours[$i]"
        if $ours[$i] ne $stock[$i] && $ours[$i] ne UNRECOGNIZED;
}

cmp_ok(scalar @names, '>', 4000, 'thousands of names');
is(join("\n", @different), '', 'each is read as by nginx, or refused');
cmp_ok($count{$_} || 0, '>', 9, "names of $_") foreach qw/ b c default /;
cmp_ok($count{(UNRECOGNIZED)} || 0, '<', @names / 2, 'few are refused');

# what only forms of a name are, and common

is(answers($_), $_ =~ /b/i ? 'b' : 'c', "$_ is served")
    foreach qw/ b.test B.Test b.test. x.b.TEST. c7.test c.test. /;

my %ours = matrix();
my @weaker = grep { $ours{$_} =~ /^200/ && $ours{$_} ne $stock{$_} }
    sort keys %ours;

is(join("\n", map { "$_: $stock{$_}, but $ours{$_}" } @weaker), '',
    'nobody is let in whom nginx refuses');
is(join(' ', grep { /^b\.test, client2, b/ && $ours{$_} ne '200 b' }
    keys %ours), '', 'who is let in by nginx is let in');

# the CA of another server, in servers that have nothing of the module

is($ours{'no SNI, client1, w.test'}, '421 -', 'no SNI, w: 421');
is((denied($t))[-1]{reason}, 'misdirected', 'logged');

# a name that changes when the ClientHello is sent again

like(hello_retry(8443, 'b.test', 'b.test'), qr/^hello 0303/,
    'HelloRetryRequest, the same name');

my @changed = ([ 'b.test', 'a.test' ], [ 'b.test', 'unknown' ],
    [ 'b.test', undef ], [ undef, 'b.test' ], [ 'unknown', 'b.test' ],
    [ 'b.test', 'B.test' ]);

is(join(' ', map { hello_retry(8443, @$_) } @changed),
    join(' ', map { 'alert 47' } @changed),
    'HelloRetryRequest, another name: illegal_parameter');

undef $t;

###############################################################################

sub configure {
    my ($policy) = @_;

    $t->write_file_expand('nginx.conf', $conf =~ s/%%POLICY%%/$policy/gr);
}


# names of all kinds, always the same
sub names {
    my (@names, @parts, $seed);

    # an octet in each place of a name

    foreach my $octet (map { chr } 0 .. 255) {
        push @names, "${octet}x.b.test", "c$octet.test",
            map { substr('b.test', 0, $_) . $octet . substr 'b.test', $_ }
            0, 1, 2, 5, 6;
    }

    # pieces, put together

    @parts = ('b.test', 'B.TesT', 'x.b.test', 'a.test', 'c1.test', '.', '..',
        ':', ':443', ':1.', '[', ']', '[]', '::1', '1', '0', '/', '\\', 'A',
        '-', '_', '~', '%2e', '*', "\xc3\xa4", "\0", ' ', "\x7f", '');

    foreach my $x (@parts) {
        push @names, map { ("$x$_", "${x}b.test$_", "[$x$_]") } @parts;
    }

    $seed = 1;

    foreach (1 .. 500) {
        my $name = '';

        foreach (0 .. 3) {
            $seed = ($seed * 1103515245 + 12345) % 2**31;
            $name .= $parts[($seed >> 8) % @parts];
        }

        push @names, $name;
    }

    # long ones

    push @names, map { ('x' x ($_ - 7)) . '.b.test' } 200, 254 .. 256;
    push @names, map { ('x' x ($_ - 7)) . '.b.test.' } 254;

    return @names;
}


sub answers {
    return (hello_names(8443, SUITE, PATTERN, [ $_[0] ]))[0];
}


# "STATUS BODY" of each SNI, certificate and Host
sub matrix {
    my (%matrix);

    foreach my $cert (qw/ client1 client2 /) {
        foreach my $sni (@snis) {
            foreach my $host (@hosts) {
                $matrix{join ', ', $sni // 'no SNI', $cert, $host}
                    = get(8443, $sni, $cert, $host);
            }
        }

        $matrix{"no SNI, $cert, w.test"} = get(8444, undef, $cert, 'w.test');
    }

    return %matrix;
}


sub get {
    my ($port, $sni, $cert, $host) = @_;
    my ($r);

    $r = https($port, request('GET', '/', 'Connection: close',
        { host => $host }), SSL_hostname => $sni // '',
        SSL_cert_file => "$d/$cert.crt", SSL_key_file => "$d/$cert.key") // '';

    return join ' ', status($r) // 'none',
        $r =~ /^HTTP\S+ 200.*\r\n\r\n(\w+)/s ? $1 : '-';
}


sub shown {
    my ($name) = @_;

    return '"' . $name =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger . '"';
}

###############################################################################
