package Test::Postgres::Driver;

# The functions of tools/fleet/engine.h: build/t/engine/engine, which calls
# them, one for each line that it reads.

use warnings;
use strict;

use IO::Handle;
use IO::Select;
use IPC::Open2 qw/ open2 /;
use POSIX qw/ WNOHANG /;

use Test::DmSec::Process qw/ wait_for /;

use constant BOUND => 120;


sub new {
    my ($class) = @_;
    my ($self) = bless { owner => $$, buffer => '' }, $class;
    my ($path) = $ENV{TEST_DM_ENGINE} || '../build/t/engine/engine';

    $self->{pid} = open2($self->{out}, $self->{in}, $path);
    $self->{in}->autoflush(1);

    return $self;
}


# the result of a call, as a line; a call that waits may be sent now and its
# result be read later
sub call {
    my ($self, $line) = @_;

    $self->send($line);

    return $self->result();
}


sub send {
    my ($self, $line) = @_;

    print { $self->{in} } "$line\n";
}


sub result {
    my ($self) = @_;

    while ($self->{buffer} !~ /\n/) {
        IO::Select->new($self->{out})->can_read(BOUND)
            or die "the driver does not answer\n";
        sysread $self->{out}, $self->{buffer}, 65536, length $self->{buffer}
            or die "the driver is gone\n";
    }

    $self->{buffer} =~ s/^(.*)\n//;

    return $1;
}


# 1 where the result is not there yet
sub waits {
    my ($self) = @_;

    return $self->{buffer} !~ /\n/
        && !IO::Select->new($self->{out})->can_read(0);
}


# ends it as a crash does
sub kill {
    my ($self) = @_;
    my $pid = delete $self->{pid} // return;

    local $?;

    CORE::kill('KILL', $pid);
    waitpid $pid, 0;
}


# ends it, and says where it was not well, as under a sanitizer
sub end {
    my ($self) = @_;
    my $pid = $self->{pid} // return;

    local $?;

    close $self->{in};

    if (wait_for(BOUND, sub { waitpid($pid, WNOHANG) })) {
        delete $self->{pid};
        warn "the driver ends with $?\n" if $?;
    }

    $self->kill();
}


sub DESTROY {
    my ($self) = @_;

    $self->end() if $self->{owner} == $$;
}


1;
