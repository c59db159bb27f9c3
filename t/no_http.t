#!/usr/bin/perl

# Tests for an nginx that has the module and no http{}, as one of stream or mail
# alone: it starts, is reloaded, and starts workers anew.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ kill_worker reload_wait workers /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->plan(3);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;

events {
}

EOC

$t->run();

###############################################################################

ok(workers($t), 'it starts');
ok(reload_wait($t), 'it is reloaded');
ok(kill_worker($t, (workers($t))[0], 'TERM'), 'it starts a worker anew');

###############################################################################
