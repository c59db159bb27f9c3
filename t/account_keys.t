#!/usr/bin/perl

# Tests for dm-account: a key is not lost, nor shared by mistake.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use JSON::PP;

use lib 'lib';
use Test::DmAccount;

###############################################################################

my $init = "init --realm r --owner $me --map-size 1m";
my $other = "--store $d/other";

done($init, 'with the new key', 'the first store');
my $old = content($key);

# a key that seals another store

refused("$other $init", "key file \"$key\" exists and may seal another store",
    'the same key file, by mistake');
ok(!-e "$d/other", 'no store is made');
is(content($key), $old, 'the key file is as it was');

like(json("$other $init", 'the same in JSON', 1)->{error}, qr/--share-key/,
    'it is told what to do');

# nor one that cannot be looked at: what it leads to is not made

symlink("$d/nowhere", "$d/link");
refused("$other --key $d/link $init", 'exists and may seal', 'a dead link');
ok(!-e "$d/nowhere" && !-e "$d/other", 'nothing is made');

refused("$other --key $d/none $init --share-key", 'cannot be opened',
    '--share-key without a key file');
ok(!-e "$d/none" && !-e "$d/other", 'nothing is made');

done("$other --key $d/other.key $init", 'with the new key', 'a key of its own');
isnt(content("$d/other.key"), $old, 'which is another');

done("--store $d/shared $init --share-key", 'with the existing key',
    '--share-key');
is(content($key), $old, '--share-key leaves the key file as it is');

for (['', 'first'], ["--store $d/shared", 'shared']) {
    done("$_->[0] add $_->[1] --generate-password", 'added', $_->[1]);
}

# the first gets a new key: the old one is kept for the other

done('rekey --prepare', 'prepared', 'prepare');
done('rekey', 'sealed', 'rekey');
is_deeply([glob("$key.old-*")], [], 'the old key is in its file still');

my $r = done('rekey --finish', qr/^finished, key "k2" is the only one: reload/,
    'finish');
my ($kept) = $r->{out} =~ /the old key, which is kept in "(.*)"$/m;

like($kept, qr/^\Q$key\E\.old-\d{8}T\d{6}Z(?:-\d)?$/,
    'the old key is kept, said so');
is(content($kept), $old, 'it is the old key');
is(mode($kept), '0600', 'closed to others');

refused("--store $d/shared list", 'key', 'the other store does not open');
done("--store $d/shared --key $kept show shared", 'id +shared',
    'with the old key it does');
done("--store $d/shared --key $kept rekey --prepare", 'prepared',
    'and can go to a key of its own');

# once more, and in JSON

done('rekey --prepare', 'prepared', 'prepare again');
done('rekey', 'sealed', 'rekey again');
$r = json('rekey --finish', 'finish again');
is($r->{key}, 'k3', 'finish again: the key');
like(content($r->{old_key}), qr/^k2 /, 'finish again: the old one');
ok(-e $kept, 'finish again: the first is kept too');

$r = json('rekey --finish', 'nothing to finish');
ok(exists $r->{old_key} && !defined $r->{old_key}, 'nothing to finish: kept');
is(scalar(my @files = glob("$key.old-*")), 2, 'nothing to finish: no file');

SKIP: {

skip 'not root', 5 if $>;

# the owner of the key file owns what is kept; no room for it: nothing changes

my ($uid, $gid) = (getpwnam('nobody'))[2, 3];

done('rekey --prepare', 'prepared', 'of another owner');
done('rekey', 'sealed', 'of another owner');
chown($uid, $gid, $key);
$r = json('rekey --finish', 'of another owner');
is_deeply([(stat($r->{old_key}))[4, 5]], [$uid, $gid], 'the owner stays');
is(mode($r->{old_key}), '0600', 'and the mode');

}

SKIP: {

skip 'no mount namespace', 2
    if $> != 0 || system('unshare -m true 2>/dev/null') != 0;

chown(0, 0, $key);
run('rekey --prepare');
run('rekey');

put("$d/fill", 'x' x 8192);

my $out = private("mkdir $d/full; mount -t tmpfs -o size=8k none $d/full; "
    . "cp $key $d/full/key; cp $d/fill $d/full/fill; exec 2>&1; "
    . "$bin --key $d/full/key rekey --finish; echo rc=\$?; "
    . "cmp $key $d/full/key && echo same; ls $d/full");

like($out, qr/^dm-account: the old key cannot be kept in .*: No space left/m,
    'full disk: message');
like($out, qr/^rc=1\nsame\nfill\nkey$/m, 'full disk: nothing has changed');

}

done_testing();

###############################################################################
