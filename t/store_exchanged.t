#!/usr/bin/perl

# Tests for a store in whose place another comes that has the same numbers: on
# a connection that stays open nothing of the one before is taken for true.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf files /;
use Test::DmSec::Process qw/ must /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(3);

my $d = $t->testdir();

store($t, realm => 'example');
account($t, 'add', 'me', { password => 'secret' });
number("$d/store/disabled", 0xffffff << 40);

# as many changes, of another account

must([ 'cp', '-a', "$d/store", "$d/other" ]);
account($t, 'add', 'another', { password => 'secret' });

$t->write_file('file', 'here');
conf($t, files(), store => 'store');
$t->run();

###############################################################################

my $c = keepalive(8080);

is(asked($c), 200, 'in');

rename "$d/store", "$d/away" or die "rename: $!\n";
rename "$d/other", "$d/store" or die "rename: $!\n";
account($t, 'disable', 'me');

ok(wait_for(60, sub { asked(keepalive(8080)) == 403 }),
    'disabled in the one that came');

# its worker may be another one, that has looked in the last 10 ms

ok(wait_for(60, sub { asked($c) == 403 }),
    'on the connection that was there, too');

undef $t;

###############################################################################

# the number of changes that a file has which was made at such a time
sub number {
    my ($file, $number) = @_;

    open my $fh, '+<:raw', $file or die "Can't open $file: $!\n";
    seek $fh, 8, 0;
    print {$fh} pack 'Q<', $number;
    close $fh or die "Can't write $file: $!\n";
}

sub asked {
    my ($client) = @_;

    return status($client->request(request('GET', '/file',
        basic('me', 'secret'))));
}

###############################################################################
