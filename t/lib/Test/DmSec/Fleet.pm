package Test::DmSec::Fleet;

# A fleet of devices, of any size, with one credential of each kind.

use warnings;
use strict;

use Exporter qw/ import /;

our @EXPORT_OK = qw/ device fleet /;


# device(NUMBER): (id, user name, password); the ids are in no order, as those
# of devices are
sub device {
    my ($n) = @_;
    my ($digits) = sprintf '%015d', $n * 7_368_787 % 999_999_937;

    return ("IMEI:$digits", $digits, "pw-$n-xyz");
}


# fleet(FILE, FIRST, COUNT, [GROUP]): writes them for dm-account import,
# returns the size of the file
sub fleet {
    my ($file, $first, $count, $group) = @_;

    $group //= 'lab';

    open my $fh, '>', $file or die "Can't open $file: $!\n";

    foreach my $n ($first .. $first + $count - 1) {
        my ($id, $digits, $password) = device($n);

        printf $fh '{"id":"%s","password":"%s","groups":["%s"],'
            . '"psk":[{"identity":"dev-%d","key":"%032x"}],'
            . '"cert_keys":["sha256:%064x"]}' . "\n",
            $id, $password, $group, $n, $n, $digits;
    }

    close $fh or die "Can't write $file: $!\n";

    return -s $file;
}


1;
