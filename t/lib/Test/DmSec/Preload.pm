package Test::DmSec::Preload;

# What a program finds slow, or fails at, where a test wants it so: a library
# that is built of C source and loaded before all others.

use warnings;
use strict;

use Exporter qw/ import /;

use Test::DmSec::Process qw/ must /;

our @EXPORT_OK = qw/ preload /;


# preload($t, NAME, SOURCE): the path of the library, for LD_PRELOAD
sub preload {
    my ($t, $name, $source) = @_;
    my ($d) = $t->testdir();

    $t->write_file("$name.c", $source);
    must([ 'cc', '-shared', '-fPIC', '-o', "$d/$name.so", "$d/$name.c" ]);

    return "$d/$name.so";
}


1;
