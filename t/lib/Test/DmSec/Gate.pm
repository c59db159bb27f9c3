package Test::DmSec::Gate;

# Slow hashes that are computed when the test says so, and not before: what
# happens while one is in hand does not depend on how long it takes.
#
#   my $gate = Test::DmSec::Gate->new($t);
#   $gate->run($t);                 # nginx, with the gate open
#   $gate->shut();
#   ...                             # requests
#   $gate->waiting(1) or die;       # a thread is at the first hash
#   $gate->open();

use warnings;
use strict;

use Test::DmSec::Process qw/ must slurp wait_for /;


# all slow hashes are computed by crypt_r(); nginx clears its environment, so
# the names of the files are compiled in
my $code = <<'EOF_C';
#define _GNU_SOURCE

#include <crypt.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

char *
crypt_r(const char *phrase, const char *setting, struct crypt_data *data)
{
    int    fd;
    char  *(*next)(const char *, const char *, struct crypt_data *);

    next = (char *(*)(const char *, const char *, struct crypt_data *))
           dlsym(RTLD_NEXT, "crypt_r");

    fd = open(DIR "/gate.begun", O_WRONLY|O_APPEND);

    if (fd >= 0) {
        (void) !write(fd, "\n", 1);
        (void) close(fd);
    }

    while (access(DIR "/gate.shut", F_OK) == 0) {
        (void) usleep(1000);
    }

    return next(phrase, setting, data);
}
EOF_C


sub new {
    my ($class, $t) = @_;
    my ($dir) = $t->testdir();

    $t->write_file('gate.c', "#define DIR \"$dir\"\n$code");
    must([ qw/ gcc -shared -fPIC -O -o /, "$dir/gate.so", "$dir/gate.c",
        '-ldl' ]);

    # also workers that are not root write it
    $t->write_file('gate.begun', '');
    chmod 0711, $dir or die "Can't chmod $dir: $!\n";
    chmod 0666, "$dir/gate.begun" or die "Can't chmod gate.begun: $!\n";

    return bless { dir => $dir }, $class;
}


# starts nginx, and nothing else, behind the gate
sub run {
    my ($self, $t) = @_;
    local %ENV = (%ENV, LD_PRELOAD => join ' ', "$self->{dir}/gate.so",
        $ENV{LD_PRELOAD} // ());

    return $t->run();
}


# hashes that begin from now on wait
sub shut {
    my ($self) = @_;

    CORE::open my $fh, '>', "$self->{dir}/gate.shut"
        or die "Can't shut: $!\n";
    truncate "$self->{dir}/gate.begun", 0 or die "Can't truncate: $!\n";
}


sub open {
    my ($self) = @_;

    unlink "$self->{dir}/gate.shut" or die "Can't open the gate: $!\n";
}


# hashes that began since it was shut
sub begun {
    my ($self) = @_;

    return slurp("$self->{dir}/gate.begun") =~ tr/\n//;
}


# waits until so many began
sub waiting {
    my ($self, $count) = @_;

    return wait_for(30, sub { $self->begun() >= $count });
}


1;
