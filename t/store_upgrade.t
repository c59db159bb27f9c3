#!/usr/bin/perl

# Tests for a store as an older version left it: nginx and dm-account say what
# to do, and "dm-account upgrade" does it.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf files /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http /)->plan(17);

my $d = $t->testdir();
my $owner = $> ? scalar getpwuid $> : 'root';
my $me = request('GET', '/file', basic('me', 'secret'));
my $upgrade = qr/run "dm-account upgrade --owner USER"/;

$t->write_file('file', 'here');
conf($t, files() . <<'EOF_HTTP');
dm_sec_lockout off;
EOF_HTTP

store($t, realm => 'example', owner => $owner,
    args => [ '--map-size', '1m' ]);
account($t, 'add', 'me', { password => 'secret' });

my %mode = modes();

# as it was

rmdir foreach glob "$d/store/readers.*";
unlink "$d/store/write.lock";
chmod 0660, "$d/store/lock.mdb";
open my $old, '<', "$d/store/lock.mdb" or die "Can't open: $!\n";

like((nginx_t($t))[1], qr/\[emerg\] dm_sec: store .* is not for processes of /,
    'nginx -t');
like((nginx_t($t))[1], qr/run "dm-account .* upgrade --owner $owner"/,
    'nginx -t: what to do');

foreach my $verb ([ 'disable', 'me' ], [ 'list' ], [ 'rekey', '--prepare' ]) {
    my ($exit, undef, $err) = dm_account($t, @$verb);

    is($exit, 1, "@$verb: refused");
    like($err, $upgrade, "@$verb: what to do");
}

# who is no user, what is no store

isnt((dm_account($t, 'upgrade', '--owner', 'no-such-user'))[0], 0,
    'no such user');
isnt((run_command([ $ENV{TEST_DM_ACCOUNT} || '../build/dm-account', '--store',
    "$d/absent", 'upgrade', '--owner', $owner ]))[0], 0, 'no store');

# another's file under the name of one of its own

link "$d/store.key", "$d/store/write.lock" or die "Can't link: $!\n";
like((dm_account($t, 'upgrade', '--owner', $owner))[2],
    qr/write\.lock" is not what a store has there: no file, or one with /,
    'a hard link');
unlink "$d/store/write.lock";

# and as it should be

like(account($t, 'upgrade', '--owner', $owner),
    qr/^upgraded "\Q$d\E\/store" .*: files$/, 'upgrade');
is_deeply({ modes() }, \%mode, 'files and modes');
isnt((stat "$d/store/lock.mdb")[1], (stat $old)[1], 'another lock file');

$t->run();

is(status(keepalive(8080)->request($me)), 200, 'let in');
account($t, 'disable', 'me');
is(status(keepalive(8080)->request($me)), 403, 'a change');

# once more changes nothing, while nginx serves

account($t, 'upgrade', '--owner', $owner);
account($t, 'enable', 'me');
is(status(keepalive(8080)->request($me)), 200, 'again: a change');

undef $t;

###############################################################################

sub modes {
    return map { substr($_, length $d) => join ' ', (stat)[2, 4, 5] }
        "$d/store", glob "$d/store/*";
}

###############################################################################
