package Test::DmSec::Preload;

# What a program finds slow, or fails at, where a test wants it so: a library
# that is built of C source and loaded before all others.  $t is a Test::Nginx,
# or the path of a directory.

use warnings;
use strict;

use Exporter qw/ import /;

use Test::DmSec::Process qw/ must /;

our @EXPORT_OK = qw/ halt loses_stdout preload /;


# preload($t, NAME, SOURCE): the path of the library, for LD_PRELOAD
sub preload {
    my ($t, $name, $source) = @_;
    my ($d) = ref $t ? $t->testdir() : $t;

    open my $fh, '>', "$d/$name.c" or die "Can't create $name.c: $!\n";
    print {$fh} $source;
    close $fh or die "Can't write $name.c: $!\n";

    must([ 'cc', '-shared', '-fPIC', '-o', "$d/$name.so", "$d/$name.c" ]);

    return "$d/$name.so";
}


# loses_stdout($t, FILE): the same, of a program of ours whose stdout becomes
# FILE, such as /dev/full, behind its second commit; the first is of the opening
sub loses_stdout {
    my ($t, $file) = @_;

    return preload($t, 'loses', <<"EOF_C");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

int
mdb_txn_commit(void *txn)
{
    int         rc;
    static int  n;

    rc = ((int (*)(void *)) dlsym(RTLD_NEXT, "mdb_txn_commit"))(txn);

    if (n++ == 1) {
        (void) dup2(open("$file", O_WRONLY), 1);
    }

    return rc;
}
EOF_C
}


# halt($t, NAME, CALL, WHEN): the same, of a call to the system, flock or read:
# as soon as WHEN is true, an expression in C of its arguments, it makes the
# file NAME.halted, and it goes on when NAME.halted is not there any more.
sub halt {
    my ($t, $name, $call, $when) = @_;
    my ($d) = ref $t ? $t->testdir() : $t;
    my ($head) = { flock => 'int flock(int fd, int operation)',
        read => 'ssize_t read(int fd, void *buf, size_t size)' }->{$call};
    my ($args) = $call eq 'flock' ? 'fd, operation' : 'fd, buf, size';

    return preload($t, $name, <<"EOF_C");
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HALTED  "$d/$name.halted"

/* the size of a file */
__attribute__((unused)) static off_t
length(int fd)
{
    struct stat  sb;

    return fstat(fd, &sb) == 0 ? sb.st_size : 0;
}

$head
{
    static int  n, halted;

    if (!halted && ($when)) {
        halted = 1;
        (void) close(open(HALTED, O_WRONLY|O_CREAT, 0666));

        while (access(HALTED, F_OK) == 0) {
            (void) usleep(1000);
        }
    }

    return syscall(SYS_$call, $args);
}
EOF_C
}


1;
