package Test::DmSec::Clock;

# An nginx whose clock the test sets, by libfaketime.
#
#   my $clock = Test::DmSec::Clock->new($t);
#   $clock->run($t);                            # nginx, and nothing else
#   $clock->set(3600);                          # an hour ahead
#
# nginx.conf has these lines in its main context, since nginx clears the rest of
# its environment, and the library looks into it each time:
#
#   env FAKETIME_TIMESTAMP_FILE;
#   env FAKETIME_NO_CACHE;
#   env FAKETIME_DONT_FAKE_MONOTONIC;

use warnings;
use strict;

use POSIX qw/ strftime /;
use Test::More ();


# skips the test where the library is not there
sub new {
    my ($class, $t) = @_;
    my ($library) = glob '/usr/lib/*/faketime/libfaketime.so.1';

    Test::More::plan(skip_all => 'no libfaketime') unless $library;

    return bless { dir => $t->testdir(), library => $library, now => 0 },
        $class;
}


# run($t, environment): starts it, and the clock is right for now; the monotonic
# clock goes with the other unless FAKETIME_DONT_FAKE_MONOTONIC is set
sub run {
    my ($self, $t, %env) = @_;
    local %ENV = (%ENV, $self->env(), %env);

    return $t->run();
}


# the same for who starts nginx otherwise
sub env {
    my ($self) = @_;

    $self->set(0);

    return (LD_PRELOAD => join(' ', $self->{library}, $ENV{LD_PRELOAD} // ()),
        FAKETIME_TIMESTAMP_FILE => "$self->{dir}/clock",
        FAKETIME_NO_CACHE => 1);
}


# seconds by which it is ahead
sub set {
    my ($self, $seconds) = @_;

    $self->put(sprintf '%+.3f', $seconds);
    $self->{now} = $seconds;
}


# so many seconds go by
sub pass {
    my ($self, $seconds) = @_;

    $self->set($self->{now} + $seconds);
}


# It stands still, until it is set: no timer of nginx runs out, not those by
# which each worker looks after the store.
sub stop {
    my ($self) = @_;

    $self->put(strftime('%Y-%m-%d %H:%M:%S', localtime(time + $self->{now})));
}


sub put {
    my ($self, $line) = @_;

    open my $fh, '>', "$self->{dir}/clock.new"
        or die "Can't set the clock: $!\n";
    print {$fh} "$line\n";
    close $fh or die "Can't set the clock: $!\n";

    rename "$self->{dir}/clock.new", "$self->{dir}/clock"
        or die "Can't set the clock: $!\n";
}


1;
