#!/usr/bin/perl

# Tests for dev/check-docs: the pages for people hold, and each kind of what
# would not is found.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir("$FindBin::Bin/.."); }

use Cwd qw/ abs_path /;
use File::Copy qw/ copy /;
use File::Temp qw/ tempdir /;

use lib 't/lib';
use Test::DmSec::Process qw/ slurp /;

###############################################################################

# what is put at the end of a page, or made of it, and what is said of that, if
# not of the page, of a file
my @stale = (
    [ 'docs/digest.md', "[here](nowhere.md)", 'a link to nowhere.md' ],
    [ 'docs/digest.md', "[here](../README.md#gone)",
        'a link to ../README.md#gone: no such heading' ],
    [ 'README.md', "[here](#gone)", 'a link to #gone: no such heading' ],
    [ 'docs/psk.md', "```sh\ndm-account addd IMEI:1\n```",
        'dm-account addd: no such verb' ],
    [ 'docs/psk.md', "```sh\ndm-account --jsn list\n```",
        'dm-account --jsn: no such option' ],
    [ 'docs/psk.md', "See `dm-account set IMEI:1\n--no-psks`.",
        'dm-account set --no-psks: no such option' ],
    [ 'docs/psk.md', "```sh\ndm-account add IMEI:1 \\\n    --names one\n```",
        'dm-account add --names: no such option' ],
    [ 'docs/probe.md', "```sh\ndm-probe --cacerts ca.crt\n```",
        'dm-probe --cacerts: no such option' ],
    [ 'docs/directives.md', "```nginx server\ndm_sec_profil dm20;\n```",
        'dm_sec_profil is no directive' ],
    [ 'docs/answers.md', "`\$dm_sec_whose`", 'dm_sec_whose is no directive' ],
    [ 'README.md', "```sh not run: why\nmake tests\n```",
        'make tests: no such goal' ],
    [ 'SECURITY.md', "| it | `t/nowhere.t` |", 't/nowhere.t is not there' ],
    [ 'docs/psk.md', "```\ntext\n```", 'a block that is ""' ],
    [ 'docs/psk.md', "```sh not run:\nls\n```",
        'a block that is "sh not run:"' ],
    [ 'docs/psk.md', "```sh run by: t/none.t\nls\n```",
        'a block run by t/none.t, which is not there' ],
    [ 'docs/probe.md', "```sh run by: demo/fresh\nmake matrix\n```",
        'make matrix is not run by demo/fresh' ],
    [ 'docs/psk.md', "\n    dm-account list", 'a block that is indented' ],
    [ 'docs/upgrade-within-http.md', "```sh\nls", 'a block without an end' ],
    [ 'docs/metrics.md', join("\n\n", ('This is what a page says once, in'
        . ' just the same words.') x 2), 'stands in docs/metrics.md, too' ],
    [ 'README.md', "line\n" x 200, 'more than 300 lines' ],
    [ 'docs/psk.md', 'word ' x 17, 'more than 80 columns' ],
    [ 'docs/directives.md', sub { s/dm_sec_zone dm_sec:\K10m/11m/r },
        'dm_sec_zone dm_sec:#m" is not 11 in' ],
    [ 'docs/directives.md', sub { s/\Q[`dm_sec_auth`](#dm_sec_auth)//r },
        'dm_sec_auth is not once by task and once by name' ],
    [ 'README.md', sub { s/^\| How do I disable 500.*\n//mr },
        'its contents do not have "How do I disable 500 devices?"' ],
    [ 'docs/operations.md', sub { s/^\| `DmSecGuessing`.*\n//mr },
        'DmSecGuessing is in no row' ],
    [ 'docs/metrics.md', sub { s/^# \K.*/Numbers/r },
        '"The numbers of the status page": no such heading',
        'conf/dm-sec-alerts.yml' ],
    [ 'docs/operations.md', "Or `--keep-good`.",
        '--keep-good is an option of no verb' ],
    [ 'docs/operations.md', "| `DmSecOld` | wait |", 'DmSecOld is no alert' ],
    [ 'docs/operations.md', "dmsec_builds_info says it.",
        'dmsec_builds_info is no metric' ],
    [ 'docs/operations.md', "Look at `store_readers_maximum`.",
        'store_readers_maximum is a name that the source does not have' ],
    [ 'docs/answers.md', "The reason is `store_unavail`.",
        'store_unavail is a name that the source does not have' ],
    [ 'README.md', "See `digest-migrations.conf`.",
        'digest-migrations.conf is the name of no example' ],
    [ 'docs/install.md', "Install `dm-sec-utils`.",
        'dm-sec-utils is no package' ],
    [ 'docs/install.md', "See `man dm-account-imports`.",
        'man dm-account-imports: no such verb' ],
    [ 'docs/confine.md', "```sh not run: why\ncp"
        . " /usr/share/doc/dm-sec/conf-examples/systemd/dmsec.conf .\n```",
        'conf-examples/systemd/dmsec.conf is not there' ],
    [ 'docs/confine.md', "```sh not run: why\ncp conf/none.conf .\n```",
        'conf/none.conf is not there' ],
    [ 'conf-examples/systemd/dm-sec.conf', "# See docs/confined.md.",
        'docs/confined.md is not there' ],
    [ 'docs/new.md', "# New\n\n*Is it?*\n\nText", 'README.md has no link to' ],
    [ 'docs/ssl3.md', sub { s/^\*[^*]+\*\n//mr },
        'does not begin with a title and a question' ],
);

plan(tests => @stale + 3);

my $top = abs_path('.');
my $d = tempdir('dm-docs-XXXXXXXXXX', TMPDIR => 1, CLEANUP => 1);

my ($exit, $said) = check($top);
is($exit, 0, 'the pages') or diag($said);

# the tree again, of which the pages and the script are copies

symlink($_, "$d/" . s{.*/}{}r) foreach
    grep { !m{/(?:conf-examples|docs|dev|.*\.md)$} } glob "$top/* $top/.ci";
system('cp', '-r', "$top/conf-examples", "$d/") == 0 or die "Can't copy\n";
mkdir("$d/$_") foreach qw/ docs dev /;
symlink($_, "$d/" . s{^\Q$top\E/}{}r) foreach
    grep { !m{\.md$|/check-docs$} } glob "$top/dev/* $top/docs/*";
copy("$top/dev/check-docs", "$d/dev/") or die "Can't copy: $!\n";

copy($_, $d . s{^\Q$top\E}{}r) foreach glob "$top/*.md $top/docs/*.md";

foreach my $case (@stale) {
    my ($page, $text) = @$case;
    my $was = -e "$d/$page" ? slurp("$d/$page") : '';

    open my $fh, '>', "$d/$page" or die "Can't open $page: $!\n";
    print {$fh} ref $text ? map { $text->() } $was
        : join("\n", grep { length } $was, "$text\n");
    close $fh or die "Can't write $page: $!\n";
}

($exit, $said) = check($d);

is($exit, 1, 'pages that are stale');
like($said, qr/^\Q@{[ $_->[3] \/\/ $_->[0] ]}\E:\d+: .*\Q$_->[2]\E/m,
    "$_->[0]: $_->[2]") foreach @stale;
is(() = $said =~ /\n/g, @stale + 1, 'and nothing else') or diag($said);

###############################################################################

sub check {
    my ($tree) = @_;
    my $said = qx{perl $tree/dev/check-docs};

    return ($? >> 8, $said);
}

###############################################################################
