#!/usr/bin/perl

# Tests for what is said of a store that is not to be had: each reason, and
# once a minute that it is still so.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Clock;
use Test::DmSec::Conf qw/ conf files /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /);
my $d = $t->testdir();
my $clock = Test::DmSec::Clock->new($t);

$t->plan(5);

$t->write_file('file', 'here');
conf($t, files(), main => <<'EOF_MAIN');
env FAKETIME_TIMESTAMP_FILE;
env FAKETIME_NO_CACHE;
EOF_MAIN

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'me', { password => 'secret' });

$clock->run($t);

my $workers = () = workers($t);

is(ask(), 200, 'let in');

rename "$d/store", "$d/away" or die "Can't rename: $!\n";
rename "$d/store.key", "$d/away.key" or die "Can't rename: $!\n";
said(qr/ does not exist/, $workers, 'it is not there');

# another one with a key of its own, which nginx has not read

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'me', { password => 'secret' });
said(qr/ does not open store/, $workers, 'another reason');
is(ask(), 503, 'it has another key');

$clock->set(61);
said(qr/ does not open store/, 2 * $workers, 'a minute later');

undef $t;

###############################################################################

sub said {
    my ($what, $count, $name) = @_;

    cmp_ok(scalar(my @lines = log_lines($t, qr/\[crit\].*dm_sec: .*$what/,
        $count)), '>=', $count, $name);
}

sub ask {
    return status(keepalive(8080)->request(request('GET', '/file',
        basic('me', 'secret'))));
}

###############################################################################
