#!/usr/bin/perl

# Tests for "Try it on one machine" of docs/fleet.md: its commands, as they are.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Copy qw/ copy /;
use File::Path qw/ remove_tree /;
use File::Temp qw/ tempdir /;

use lib 'lib';
use Test::DmSec::Process qw/ run_command slurp /;
use Test::Postgres qw/ needs_postgres /;

###############################################################################

needs_postgres();
plan(tests => 8);

my @blocks = slurp('../docs/fleet.md')
    =~ /^```sh run by: t\/fleet_docs\.t\n(.*?)^```$/msg;

is(scalar(@blocks), 6, 'the blocks of the page');

# The page is for who is not root, with programs in the usual places.

my $d = tempdir('dm-docs-XXXXXX', TMPDIR => 1);
my ($user) = grep { getpwnam($_) } qw/ postgres nobody /;
my @as = ('setpriv', '--pdeathsig', 'TERM');

push @as, "--reuid=$user", '--regid=' . (getpwnam($user))[3], '--clear-groups'
    if !$>;

mkdir "$d/bin";
mkdir "$d/page";
chmod 0755, $d;
chown scalar(getpwnam($user)), -1, "$d/page" if !$>;

foreach my $program (
    abs_path($ENV{TEST_DM_ACCOUNT} || '../build/dm-account'),
    abs_path($ENV{TEST_DM_REPLICA} || '../build/dm-replica'))
{
    my ($to) = "$d/bin/" . ($program =~ s{.*/}{}r);

    copy($program, $to) or die "Can't copy to $to: $!\n";
    chmod 0755, $to;
}

# whatever becomes of it, nothing that it started is left

open my $fh, '>', "$d/script" or die "Can't open $d/script: $!\n";
print $fh "set -eu\ncd $d/page\nPATH=$d/bin:\$PATH\n"
    . "ended() {\n    status=\$?\n    set +e\n"
    . "    kill \${node_b-} 2> /dev/null\n"
    . "    for db in engine standby; do\n"
    . "        pg_ctl -D \$db -s -m immediate stop 2> /dev/null\n    done\n"
    . "    exit \$status\n}\ntrap ended EXIT\n"
    . join("echo ---\n", @blocks);
close $fh or die "Can't write $d/script: $!\n";

my ($exit, $out, $err) = run_command([ 'env', '-C', "$d/page", '-i',
    "PATH=$ENV{PATH}", "HOME=$d/page", @as, 'bash', "$d/script" ],
    timeout => 120);

is($exit, 0, 'all of them run') or diag($out, $err);

my @said = split /^---\n/m, $out;

like($said[1], qr/^password: .*^published "a\/store": 1 accounts/ms,
    'a device, and it is published');
like($said[3], qr/^disabled "IMEI:493005100592800"$/m, 'a change');
like($said[3], qr/^node-b .* following +equal /m, 'and where it is');
like($said[4], qr/^not now$/m, 'none without an engine');
like($said[4], qr/^enabled "IMEI:493005100592800"$/m, 'the standby takes it');
like($said[4], qr/^node-b .* following +equal /m, 'and the node follows that');

remove_tree($d);

###############################################################################
