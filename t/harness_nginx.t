#!/usr/bin/perl

# Tests for what t/lib/Test/Nginx.pm has beyond the original Test::Nginx, or
# does otherwise: what becomes of a test, seen from outside, and http().

###############################################################################

use warnings;
use strict;

use Test::More;

use Cwd ();
use IO::Socket::INET;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx qw/ :DEFAULT http_content /;
use Test::DmSec qw/ run_command /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'only for t/lib/Test/Nginx.pm') if $ENV{TEST_NGINX};

my $t = Test::Nginx->new()->has(qw/http/)->plan(26);

my $d = $t->testdir();
my $port = port(8080);
my $lib = Cwd::abs_path('lib');

my $body = <<'EOF_TEST';
$t->write_file_expand('nginx.conf', <<'EOF_CONF');
%%TEST_GLOBALS%%
daemon off;
events {
}
http {
    %%TEST_GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
    }
}
EOF_CONF
$t->run();
print STDERR 'pid=', $t->read_file('nginx.pid');
sub log_line {
    my ($t, $line) = @_;
    open my $fh, '>>', $t->testdir() . '/error.log';
    print $fh "$line\n";
}
EOF_TEST

my $out = nested("\$t->plan(1);\n$body ok(1); note('port ', port(8080));"
    . " note(\$t->testdir());");

like($out, qr/^ok 2 - no alerts\nok 3 - no sanitizer errors\n.*exit=0/ms,
    'pass');
isnt(($out =~ /port (\d+)/)[0], $port, 'a port of its own');
ok(!-e(($out =~ m{^# (/\S+)}m)[0]), 'directory removed');

$out = prove("\$t->plan(1);\n$body ok(1);"
    . " log_line(\$t, '2026/01/01 [alert] 1#1: bad things');");

like($out, qr/^not ok 2 - no alerts\n.*bad things.*exit=1/ms, 'alert fails');

$out = nested("\$t->plan(1);\n$body ok(1); log_line(\$t, '[alert] bad things');"
    . " \$t->todo_alerts();");

like($out, qr/^not ok 2 - no alerts # TODO alerts\n.*exit=0/ms, 'todo_alerts');

$out = nested("use Test::DmSec qw/ :all /; \$t->plan(2);\n$body"
    . " my (\$old) = workers(\$t); kill_worker(\$t, \$old);"
    . " is((grep { \$_ == \$old } workers(\$t)), 0);"
    . " ok(http_get('/')); \$t->todo_alerts();");

like($out, qr/^ok 2\nnot ok 3 - no alerts # TODO alerts\n.*exit=0/ms,
    'kill_worker');

foreach my $report ('==1==ERROR: AddressSanitizer: heap-use-after-free',
    'a.c:1:2: runtime error: signed integer overflow')
{
    $out = nested("\$t->plan(1);\n$body ok(1); log_line(\$t, '$report');");

    like($out, qr/^not ok 3 - no sanitizer errors\n.*\Q$report\E.*exit=1/ms,
        'sanitizer fails');
}

# the original makes no checks either when the object is destroyed too late

foreach my $late ('sub named { $t->testdir() }', '$SIG{USR1} = sub { $t };',
    'our $kept = $t;')
{
    $out = nested("\$t->plan(1);\n$body ok(1); $late");

    like($out, qr/outlives the test.*planned 3 tests but ran 1.*exit=[^0]/s,
        "kept alive: $late");
    is((grep { kill 0, $_ } $out =~ /pid=(\d+)/g), 0,
        'and leaves no process');
}

$out = nested("\$t->plan(1);\n$body ok(1); undef \$t;"
    . ' sub named { $t->testdir() }');
like($out, qr/^ok 3 - no sanitizer errors\n.*exit=0/ms, 'kept, but undef');

# pause: until it is killed
$out = nested("\$t->plan(3);\n$body ok(1);"
    . " \$t->run_daemon(sub { print STDERR \"pid=\$\$\\n\";"
    . " \$t->write_file('up', ''); sleep 60 });"
    . " \$t->waitforfile(\$t->testdir() . '/up'); die \"oops\\n\";");

like($out, qr/oops.*exit=[^0]/s, 'die fails');
is(() = $out =~ /pid=\d+/g, 2, 'two processes');
is((grep { kill 0, $_ } $out =~ /pid=(\d+)/g), 0, 'die leaves no process');

# pause: until it is killed
$out = nested("\$t->plan(1);\n$body ok(1);"
    . " kill 'TERM', \$\$; sleep 1; ok(1)");

is((grep { kill 0, $_ } $out =~ /pid=(\d+)/g), 0, 'kill leaves no process');

$out = nested("\$t->has('http_bogus'); \$t->plan(1); ok(0);");

like($out, qr/\# SKIP no http_bogus available.*exit=0/s, 'has skips');

$out = nested("\$t->has_daemon('no-such-prog'); \$t->plan(1); ok(0);");

like($out, qr/\# SKIP no-such-prog not found.*exit=0/s, 'has_daemon skips');

$out = nested("\$t->write_file_expand('nginx.conf', '%%TEST_GLOBALS%% bogus;');"
    . " \$t->try_run('no bogus')->plan(1); ok(0);");

like($out, qr/\# SKIP no bogus.*exit=0/s, 'try_run skips');

$out = nested("\$t->write_file_expand('nginx.conf', '%%TEST_GLOBALS%% bogus;');"
    . " \$t->run()->plan(1); ok(1);");

like($out, qr/Can't start nginx:.*unknown directive.*exit=[^0]/s, 'run dies');

{
    local $ENV{TEST_NGINX_BINARY} = '/no/such/nginx';
    $out = nested('ok(1);');
}

like($out, qr{Bail out!.*/no/such/nginx.*exit=[^0]}s,
    'no nginx bails out');

###############################################################################

my $listener = IO::Socket::INET->new(Proto => 'tcp', Listen => 1,
    LocalAddr => '127.0.0.1:' . port(8080), ReuseAddr => 1)
    or die "Can't listen: $!\n";

is(http('GET', aborted => 1), '', 'aborted');
is(http_content("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    . "3\r\nabc\r\na;x=y\r\n0123456789\r\n0\r\n\r\n"), 'abc0123456789',
    'dechunked, with an extension');

undef $t;

###############################################################################

# runs a test that consists of the code, returns the output and the exit code
sub nested {
    my ($code, @harness) = @_;

    $t->write_file('nested.t', <<"EOF_TEST");
use warnings;
use strict;
use Test::More;
use Test::Nginx;
select STDERR; \$| = 1;
select STDOUT; \$| = 1;
my \$t = Test::Nginx->new()->has('http');
$code
EOF_TEST

    @harness = $^X unless @harness;

    my ($exit, $stdout, $stderr) = run_command([ @harness, '-I', $lib,
        "$d/nested.t" ]);

    return "$stdout$stderr\nexit=$exit\n";
}

sub prove {
    return nested(@_, 'prove', '-v');
}

###############################################################################
