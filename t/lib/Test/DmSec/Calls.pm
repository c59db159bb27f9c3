package Test::DmSec::Calls;

# Which functions of its libraries nginx calls.
#
#   my $calls = Test::DmSec::Calls->new($t, qw/ mdb_get setsockopt /);
#   $calls->run($t);                # nginx
#   $calls->forget();
#   ...
#   $calls->made();                 # ("setsockopt 6 1", ...)

use warnings;
use strict;

use Test::DmSec::Process qw/ must slurp /;


# each call is a line in a file: its name, its second argument and its third
my $code = <<'EOF_C';
#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

typedef void *(*call_pt)(void *, void *, void *, void *, void *, void *);

static void
called(const char *name, void *b, void *c)
{
    int   fd, n;
    char  line[80];

    n = snprintf(line, sizeof(line), "%s %d %d\n", name, (int) (long) b,
                 (int) (long) c);

    fd = open(DIR "/calls", O_WRONLY|O_APPEND);
    (void) !write(fd, line, (size_t) n);
    (void) close(fd);
}

/* none has more than six arguments, or one that is no word */

#define COUNT(name)                                                           \
    void *name(void *a, void *b, void *c, void *d, void *e, void *f)          \
    {                                                                         \
        called(#name, b, c);                                                  \
        return ((call_pt) dlsym(RTLD_NEXT, #name))(a, b, c, d, e, f);         \
    }

EOF_C


sub new {
    my ($class, $t, @names) = @_;
    my ($dir) = $t->testdir();

    $t->write_file('calls.c', join '', "#define DIR \"$dir\"\n", $code,
        map { "COUNT($_)\n" } @names);
    must([ qw/ gcc -shared -fPIC -O -fno-builtin -o /, "$dir/calls.so",
        "$dir/calls.c", '-ldl' ]);

    # also workers that are not root write it
    $t->write_file('calls', '');
    chmod 0711, $dir or die "Can't chmod $dir: $!\n";
    chmod 0666, "$dir/calls" or die "Can't chmod calls: $!\n";

    return bless { dir => $dir }, $class;
}


sub run {
    my ($self, $t) = @_;
    local $ENV{LD_PRELOAD} = join ' ', "$self->{dir}/calls.so",
        $ENV{LD_PRELOAD} // ();

    return $t->run();
}


sub forget {
    my ($self) = @_;

    truncate "$self->{dir}/calls", 0 or die "Can't truncate calls: $!\n";
}


sub made {
    my ($self) = @_;

    return split /\n/, slurp("$self->{dir}/calls");
}


1;
