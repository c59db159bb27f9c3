#!/usr/bin/perl

# Tests for a store in the lower layer of an overlay, as in a container's image:
# with the first change dm-account writes another file than the workers have
# open, and stat() cannot tell them apart.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN {
    use FindBin;

    # what is mounted goes with the namespace, however the test ends

    if ($> == 0 && !$ENV{TEST_DM_OVERLAY}
        && system('unshare -m true 2>/dev/null') == 0)
    {
        $ENV{TEST_DM_OVERLAY} = 1;
        exec 'unshare', '-m', $^X, "$FindBin::Bin/$FindBin::Script"
            or die "Can't run unshare: $!\n";
    }

    chdir($FindBin::Bin);
}

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Conf qw/ conf files /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'no mount namespace') unless $ENV{TEST_DM_OVERLAY};

my $t = Test::Nginx->new()->has(qw/ http /);
my $d = $t->testdir();
my @mounted;

$t->write_file('file', 'here');
conf($t, files() . <<'EOF_HTTP');
keepalive_requests 1000000;
dm_sec_lockout     off;
EOF_HTTP

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'me', { password => 'secret' });
overlay() or plan(skip_all => 'no overlay can be mounted');

$t->plan(8)->run();

###############################################################################

my $kept = keepalive(8080);
my $workers = () = workers($t);
my @before = (stat "$d/store/data.mdb")[0, 1];

is(ask($kept, 'me'), 200, 'let in');

account($t, 'disable', 'me');

is_deeply([ (stat "$d/store/data.mdb")[0, 1] ], \@before,
    'stat cannot tell the files apart');
is(soon($kept, 'me'), 403, 'disabled: an open connection');
is(soon(undef, 'me'), 403, 'disabled: new ones');
is(scalar(my @said = log_lines($t, qr/store ".*" was replaced/, $workers)),
    $workers, 'each worker says that it has opened it');

# from then on they have the same file

account($t, 'enable', 'me');
is(ask($kept, 'me'), 200, 'enabled: at once');
account($t, 'add', 'you', { password => 'secret' });
is(ask($kept, 'you'), 200, 'a new account: at once');
is(scalar(@said = log_lines($t, qr/store ".*" was replaced/, 0)),
    $workers, 'and it is not opened again');

###############################################################################

END {
    local $?;

    system('umount', '-l', reverse @mounted) if @mounted;
}

# the store, as it is, becomes the lower layer of what is at its place
sub overlay {
    my ($o) = "$d/overlay";

    mkdir $o or die "Can't make $o: $!\n";
    must('mount', '-t', 'tmpfs', 'tmpfs', $o) or return 0;
    push @mounted, $o;
    must('mkdir', "$o/work") or return 0;
    must('cp', '-a', "$d/store", "$o/lower") or return 0;
    must('cp', '-a', "$d/store", "$o/upper") or return 0;
    must('rm', '-r', map { "$o/upper/$_" } qw/ data.mdb lock.mdb write.lock /)
        or return 0;

    must('mount', '-t', 'overlay', 'overlay', '-o',
        "lowerdir=$o/lower,upperdir=$o/upper,workdir=$o/work", "$d/store")
        or return 0;

    return push @mounted, "$d/store";
}

sub must {
    my ($exit) = run_command([ @_ ]);

    return $exit == 0;
}

# on that connection, or on one of its own
sub ask {
    my ($connection, $name) = @_;

    $connection ||= keepalive(8080);

    return status($connection->request(request('GET', '/file',
        basic($name, 'secret'))));
}

# what it becomes within the second, of each worker
sub soon {
    my ($connection, $name) = @_;
    my ($status);

    wait_for(30, sub {
        my %status = map { $_ => 1 } map { ask($connection, $name) } 1 .. 20;

        $status = join ' ', sort keys %status;

        return $status eq '403';
    });

    return $status;
}

###############################################################################
