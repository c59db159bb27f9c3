#!/usr/bin/perl

# Tests for the Makefile: which goals install packages, and that a copied tree
# builds its own module.  Nothing is installed and nothing is compiled: dpkg,
# apt-get and nginx's configure are stand-ins.

###############################################################################

use warnings;
use strict;

use Test::More;

use File::Temp ();

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::DmSec::Process qw/ must run_command slurp /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(tests => 26);

my $d = File::Temp::tempdir('nginx-test-XXXXXXXXXX', TMPDIR => 1,
    CLEANUP => 1);

mkdir "$d/$_" or die "Can't create $_: $!\n" foreach qw/ bin dev first /;

must([ 'cp', '-r', map({ "../$_" } qw/ Makefile config conf demo dev mk
    src tools /),
    glob('../*.c'), "$d/first" ]);

program('bin/dpkg-query', 'cat "$0.installed"');
program("bin/$_", "echo $_ \"\$@\" >> $d/called; exit 1")
    foreach qw/ apt-get sudo /;

# it notes what it was told to build, as nginx's does
program('dev/configure', "mkdir objs; echo 'modules: ; \@echo' \"\$@\""
    . ' > objs/Makefile');
put('dev/conf_flags', "NGX_CONF_FLAGS=()\n");

# as if no other make had called it
delete @ENV{grep { /^(?:MAKE|MFLAGS|DEPS_CHECK|SANITIZE|BUILD)/ } keys %ENV};
$ENV{PATH} = "$d/bin:$ENV{PATH}";

###############################################################################

# which goals install: the others name what is missing and stop

installed('');

foreach my $goal (qw/ all check sanitize test-legacy test-attack conformance
    demo-fresh /)
{
    my ($exit, $output, $called) = build('first', $goal);

    $exit &&= 'fails';
    like("$exit $called $output",
        qr/^fails  .*missing Debian packages: .*"make deps" installs them/s,
        "$goal names what is missing");
}

foreach my $goal (qw/ demo test deps /) {
    my ($exit, $output, $called) = build('first', $goal);

    $exit &&= 'fails';
    like("$exit $called $output", qr/^fails (?:apt-get|sudo) .*missing Debian/s,
        "$goal installs");
    unlike($output, qr/"make deps"/, "$goal says nothing else");
}

my ($exit, $output) = build('first', 'all');

like($output, qr/ gcc .* nginx-dev/, 'the packages of make');
unlike($output, qr/ (?:clang|fail2ban)\b/, 'of make alone');

like((build('first', 'deps'))[1],
    qr/ clang .* cppcheck .* debootstrap .* fail2ban .* gcc/,
    'the packages of make deps');

# A copy of a tree: nginx's own Makefile has absolute paths.

installed(map { "installed $_\n" } $output =~ /packages:(.*?);/
    ? split(' ', $1) : ());

is(module('first'), "$d/first", 'a tree builds its own module');
is(module('first'), "$d/first", 'and the same again');

my $mark = "$d/first/build/nginx/mark";
must([ 'touch', $mark ]);
module('first');
ok(-e $mark, 'but does not begin anew');

must([ 'cp', '-a', "$d/first", "$d/copy" ]);
is(module('copy'), "$d/copy", 'a copied tree builds its own');
ok(!-e "$d/copy/build/nginx/mark", 'from the beginning');

rename "$d/first", "$d/moved" or die "Can't rename: $!\n";
is(module('moved'), "$d/moved", 'so does one that was moved');

# prove would end at one that is not there, and leave the nginx of the others

like(join('', (run_command([ qw{ make -n -C .. test },
    'TESTS=t/build.t t/none.t' ]))[1, 2]), qr/there is no test t\/none\.t\./,
    'a test that is not there');

# .ci/run fails on what is skipped without a reason

foreach ([ 1, 'ok 3 # skip no reason' ],
    [ 1, '[10:00:00] t/other.t .. skipped: no reason' ],
    [ 0, "ok 3 # skip one worker\nok 4 - skipped in its name" ])
{
    my ($exit, $output) = @$_;

    is((run_command([ '../.ci/check-skips' ], stdin => "$output\n"))[0], $exit,
        $output =~ s/\n/, /r);
}

###############################################################################

sub put {
    my ($name, $content) = @_;

    open my $fh, '>', "$d/$name" or die "Can't create $name: $!\n";
    print {$fh} $content;
    close $fh or die "Can't write $name: $!\n";
}

sub program {
    my ($name, $script) = @_;

    put($name, "#!/bin/sh\n$script\n");
    chmod 0755, "$d/$name" or die "Can't chmod $name: $!\n";
}

# lines as dpkg-query writes them
sub installed {
    put('bin/dpkg-query.installed', join '', @_);
}

# (exit, what it said, what it would have had done to this system)
sub build {
    my ($tree, @args) = @_;
    my ($exit, $out, $err);

    unlink "$d/called";

    ($exit, $out, $err) = run_command([ 'make', '-C', "$d/$tree",
        "NGINX_DEV=$d/dev", @args ]);

    return ($exit, ($err // '') . ($out // ''), slurp("$d/called"));
}

# the directory of the module that nginx's own Makefile would build there
sub module {
    my ($tree) = @_;
    my ($exit, $output) = build($tree, 'build/nginx/objs/Makefile');

    die "make: $output\n" if $exit;

    return slurp("$d/$tree/build/nginx/objs/Makefile")
        =~ /--add-dynamic-module=(\S+)/ ? $1 : '';
}

###############################################################################
