package Test::DmSec::Attack;

# What attacks on nginx have in common: their size, the devices that go on all
# the while, and how what became of their requests is said.
#
# Device N is the account IMEI:N of the user deviceN with the password pwN.  Its
# requests go to port 8080.

use warnings;
use strict;

use Exporter qw/ import /;

use Test::More;

use Test::DmSec qw/ account /;
use Test::DmSec::Session;
use Test::Nginx;

our @EXPORT_OK = qw/
    FULL counts devices figure fresh session
/;


# whether they are as large as "make test-attack" has them, and minutes long
use constant FULL => $ENV{DM_SEC_FULL};


# devices($t, COUNT): adds the devices 0 to COUNT - 1 to the store
sub devices {
    my ($t, $count) = @_;

    account($t, 'add', "IMEI:$_", '--name', "device$_",
        { password => "pw$_" }) for 0 .. $count - 1;
}


# a Digest session of device N, without a challenge: see Test::DmSec::Session
sub session {
    my ($n) = @_;

    return Test::DmSec::Session->new(user => "device$n",
        password => "pw$n");
}


# a session of device N, with a challenge that nobody has answered
sub fresh {
    my ($n) = @_;

    return session($n)->renew(http_get('/'));
}


# "200 x 5, stale x 3" of { 200 => 5, stale => 3 }
sub counts {
    my ($counts) = @_;

    return join ', ', map { "$_ x $counts->{$_}" } sort keys %$counts;
}


# figure(FORMAT, values...): prints them where the size is FULL
sub figure {
    my ($format, @values) = @_;

    diag(sprintf $format, @values) if FULL;
}


1;
