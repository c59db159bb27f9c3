#!/usr/bin/perl

# Tests for the man pages: mandoc and man-db have nothing to say against them,
# each verb has one, and the module's has each directive.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use File::Temp qw/ tempdir /;

use lib 'lib';
use Test::DmSec::Process qw/ run_command slurp /;

###############################################################################

my $d = tempdir('dm-man-XXXXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $man = $ENV{TEST_DM_MAN} || '../build/man';
my @pages = glob "$man/*.[158]";
my ($module) = grep { m{/ngx_dm_sec_module\.5$} } @pages;
my ($exit, $out);

plan(skip_all => 'no mandoc') if system('command -v mandoc >/dev/null');
plan(tests => 2 * @pages + 5);

###############################################################################

$ENV{LC_ALL} = 'C.UTF-8';
$ENV{MANWIDTH} = 80;

foreach my $page (@pages) {
    my $name = $page =~ s{.*/}{}r;

    is(said($page), '', $name);
    ($exit, $out) = run_command([ 'lexgrog', $page ]);
    $name =~ s/\.\d$//;
    like($out, qr/: "\Q$name\E - \w/, "$name: in apropos");
}

($exit, $out) = run_command([ $ENV{TEST_DM_ACCOUNT} || '../build/dm-account',
    '--help' ]);
is(join(' ', grep { !-e "$man/dm-account-$_.8" && $_ ne 'help' }
    ($out =~ /^verbs:\n(.*?)\n\n/ms)[0] =~ /^  (\w+)/mg), '',
    'a page for each verb');

($exit, $out) = run_command([ qw/ man -l /, $module ]);
is(join(' ', grep { $out !~ /^ +Syntax: +\Q$_\E /m } slurp(
    '../docs/directives.md') =~ /^Syntax: +(\w+)/mg), '',
    'an entry for each directive');
unlike($out, qr/`|\]\(|\*\*/, 'no marks of the page it is made of');

# and what is wrong is seen

foreach my $case (
    [ 'mandoc', qr/skipping paragraph/, "text\n.PP\n.PP\nmore\n" ],
    [ 'man', qr/warning: .*undefined/, ".undefined thing\n" ])
{
    my ($who, $expected, $text) = @$case;

    open my $fh, '>', "$d/wrong.5" or die "Can't write: $!\n";
    print {$fh} ".TH WRONG 5 2026-11-30\n.SH NAME\nwrong \\- it is\n", $text;
    close $fh or die "Can't write: $!\n";

    like(said("$d/wrong.5"), $expected, "$who says what is wrong");
}

###############################################################################

sub said {
    my ($page) = @_;
    my (undef, $lint, $err) = run_command([ qw/ mandoc -Tlint /, $page ]);
    my (undef, undef, $warned) = run_command([ qw/ man -l --warnings /,
        $page ]);

    return $lint . $err . $warned;
}

###############################################################################
