#!/usr/bin/perl

# Tests for the purge of the package dm-sec-tools, in a mount namespace: no key
# is removed that a store needs which stays.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir("$FindBin::Bin/.."); }

use Cwd qw/ abs_path /;

use lib 't/lib';
use Test::DmSec::Process qw/ run_command /;

###############################################################################

# in a chroot nobody gets a user namespace, and root needs none

my @unshare = (qw/ unshare --mount /,
    $> == 0 ? () : qw/ --user --map-root-user /);
my $top = abs_path('.');

plan(skip_all => 'no mount namespace')
    if (run_command([ @unshare, 'mount', '-t', 'tmpfs', 'none', '/srv' ]))[0];
plan(skip_all => "the tree is in $1") if $top =~ m{^(/etc|/srv|/var)/};
plan(tests => 2);

my ($code, $out, $err) = run_command([ @unshare, 'sh', '-c', <<"END_OF_SHELL"
for dir in /etc /srv /var; do
    mount -t tmpfs none \$dir || exit
done
mkdir /var/lib
exec '$top/t/deb/purge' '$top/debian/dm-sec-tools.postrm'
END_OF_SHELL
]);

is($code, 0, 'no key of a store that stays is removed')
    or diag($out . ($err // ''));
is(scalar(() = $out =~ /^ok - /mg), 13, 'layouts');

###############################################################################
