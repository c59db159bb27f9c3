#!/usr/bin/perl

# Tests for dm_sec_lockout in the configuration: each parameter at its ends and
# beyond them.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http/)->plan(19);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%
}

EOF_CONF

###############################################################################

foreach my $right ('off', 'attempts=1', 'attempts=65535 address_attempts=65535',
    'window=1ms duration=1ms', 'duration=5m attempts=3 window=1d')
{
    is(conf_error($t, http => "dm_sec_lockout $right;"), '', $right);
}

my $number = 'a number from 1 to 65535 is needed';
my $time = 'a time of at least 1ms is needed';

# also behind one that is right

foreach (
    [ 'attempts=0', $number ], [ 'attempts=65536', $number ],
    [ 'attempts=', $number ], [ 'address_attempts=0', $number ],
    [ 'address_attempts=-1', $number ],
    [ 'window=0', $time ], [ 'window=long', $time ], [ 'window=', $time ],
    [ 'duration=0ms', $time ], [ 'duration=1fortnight', $time ],
    [ 'attempt=3', 'write attempts=N, window=TIME, duration=TIME' ],
) {
    my ($parameter, $why) = @$_;

    like(conf_error($t, http => "dm_sec_lockout attempts=5 $parameter;"),
        qr/\A\[emerg\] invalid parameter "\Q$parameter": $why/, $parameter);
}

like(conf_error($t, http => 'dm_sec_lockout off attempts=3;'),
    qr/\A\[emerg\] .*takes "off" alone, without other parameters/,
    'off and more');
like(conf_error($t, http => 'dm_sec_lockout off; dm_sec_lockout attempts=3;'),
    qr/\A\[emerg\] "dm_sec_lockout" directive is duplicate/, 'twice');
like(conf_error($t, server => 'dm_sec_lockout off;'),
    qr/\A\[emerg\] "dm_sec_lockout" directive is not allowed here/,
    'in a server');

###############################################################################
