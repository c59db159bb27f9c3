package Test::DmSec::Legacy;

# SSL 3.0, where nginx runs on the library of "make legacy".

use warnings;
use strict;

use Exporter qw/ import /;

use Test::DmSec qw/ s_client /;

our @EXPORT_OK = qw/ legacy legacy_client /;


# the directory of the library; undef: nginx runs on that of the system
sub legacy {
    return $ENV{TEST_DM_LEGACY};
}


# s_client of that library, with RC4: Debian's has no -ssl3
sub legacy_client {
    my ($port, @args) = @_;
    my ($dir) = legacy();

    local $ENV{LD_LIBRARY_PATH} = "$dir/lib";
    local $ENV{OPENSSL_MODULES} = "$dir/lib/ossl-modules";
    local $ENV{PATH} = "$dir/bin:$ENV{PATH}";

    return s_client($port, '-provider', 'legacy', '-provider', 'default',
        @args);
}


1;
