#!/usr/bin/perl

# Tests for the completion of dm-account in bash.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::DmAccount;

###############################################################################

my $library = '/usr/share/bash-completion/bash_completion';

plan(skip_all => 'no bash-completion') unless -r $library;
plan(tests => 16);

run('init --realm x');
run("add $_") foreach qw/ IMEI:1 IMEI:12 MEID:3 /;
put("$d/devices.csv", "id\n");

# how long it may take is not what is tested

put("$d/complete", <<"END");
. $library
. ../conf/dm-account.bash

timeout() { shift; "\$\@"; }

COMP_WORDS=("\$\@")
COMP_CWORD=\$((\$# - 1))
COMP_LINE=\$*
COMP_LINE=\${COMP_LINE// : /:}
COMP_POINT=\${#COMP_LINE}

_dm_account '$bin'
printf '%s\\n' "\${COMPREPLY[\@]}"
END

is(complete('ba'), 'backup batch', 'a verb');
is(complete('help', 'ba'), 'backup batch', 'a verb behind help');
is(complete('--store', $store, 'ba'), 'backup batch', 'a verb behind options');
is(complete('--st'), '--store', 'an option before the verb');
is(complete('import', '--generate'), '--generate-passwords --generate-psks',
    'options of a verb');
is(complete('show', '--se'), '', 'no option of another verb');
is(complete('import', "$d/dev"), "$d/devices.csv", 'a file');
is(complete('import', "$d/devices.csv", '--output', "$d/dev"),
    "$d/devices.csv", 'a file behind an option');
is(complete('import', '--format', ''), '', 'no file where none is meant');
is(complete('disable', ''), 'IMEI:1 IMEI:12 MEID:3', 'ids');
is(complete('replicate', 'p'), 'prune', 'a step of replicate');

# bash takes a colon for a word of its own, and puts the rest behind it

is(complete('show', 'IMEI', ':', '1'), '1 12', 'ids that begin so');
is(complete('add', 'IM'), '', 'no id of another account for a new one');
is(complete('nothing', ''), '', 'no such verb');
is(complete('import', '--a[', ''), '', 'an option that is none');

$ENV{DM_SEC_STORE_KEY} = "$d/none";

is(complete('show', ''), '', 'no ids for who cannot read the key');

###############################################################################

sub complete {
    open my $bash, '-|', 'bash', '--norc', "$d/complete", 'dm-account', @_
        or die "bash: $!\n";

    my @words = map { s/\s+$//r } <$bash>;

    close $bash;

    return join ' ', sort grep { $_ ne '' } @words;
}

###############################################################################
