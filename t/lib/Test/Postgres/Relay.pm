package Test::Postgres::Relay;

# A way to a PostgreSQL that can be cut, held up and delayed: a socket in a
# directory of its own, or a port of 127.0.0.1, whose octets go on to another.

use warnings;
use strict;

use Errno qw/ EAGAIN EINTR /;
use File::Path qw/ remove_tree /;
use File::Temp ();
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw/ time /;

use Test::DmSec::Process qw/ slurp wait_for /;


# Test::Postgres::Relay->new($pg, [port => PORT]): to its socket, or with a port
# to its port of 127.0.0.1
sub new {
    my ($class, $pg, %o) = @_;
    my ($dir) = File::Temp::tempdir('dm-relay-XXXXXX', TMPDIR => 1);
    my ($self) = bless { dir => $dir, owner => $$, n => 0, %o }, $class;
    my ($listen, $to);

    if ($o{port}) {
        $listen = IO::Socket::IP->new(LocalAddr => '127.0.0.1',
            LocalPort => $o{port}, Listen => 64, ReuseAddr => 1);
        $to = sub { IO::Socket::IP->new(PeerAddr => '127.0.0.1',
            PeerPort => $pg->port()) };

    } else {
        my $name = '.s.PGSQL.' . $pg->port();

        $listen = IO::Socket::UNIX->new(Local => "$dir/$name", Listen => 64);
        chmod 0777, "$dir/$name";
        chmod 0755, $dir;

        my $peer = $pg->dir() . "/$name";
        $to = sub { IO::Socket::UNIX->new(Peer => $peer) };
    }

    die "relay: $!\n" unless $listen;

    my $parent = $$;
    $self->{pid} = fork();
    die "fork: $!\n" unless defined $self->{pid};

    if ($self->{pid} == 0) {
        # others wait for the end of what the test has open

        foreach my $fd (3 .. 255) {
            POSIX::close($fd) if $fd != fileno $listen;
        }

        $SIG{PIPE} = 'IGNORE';
        $SIG{TERM} = 'DEFAULT';
        eval { relay($dir, $listen, $to, $parent) };
        print STDERR $@ if $@;
        POSIX::_exit(0);
    }

    return $self;
}


sub dir {
    my ($self) = @_;

    return $self->{dir};
}


# What it does from now on, and it does when this returns:
#
#   'pass'          all goes on
#   'delay SECONDS' all goes on, so much later
#   'cut'           each connection ends, also new ones
#   'hold'          nothing goes on, and nothing ends
#   'before TEXT'   what a client says with TEXT in it does not go on, and its
#                   connection ends; for all others it passes
#   'after TEXT'    it goes on, and the connection ends instead of the answer
sub set {
    my ($self, $mode) = @_;
    my ($dir) = $self->{dir};
    my ($n) = ++$self->{n};

    open my $fh, '>', "$dir/mode.new" or die "Can't open $dir/mode.new: $!\n";
    print $fh "$n $mode";
    close $fh;
    rename "$dir/mode.new", "$dir/mode";

    wait_for(60, sub { slurp("$dir/seen") eq $n })
        or die "the relay does not answer\n";
}


sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$;

    local $?;

    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    remove_tree($self->{dir});
}


###############################################################################
# in a process of its own


sub relay {
    my ($dir, $listen, $to, $parent) = @_;
    my ($seen, $mode, $text) = ('', 'pass', '');
    my (%pair, %queue, %doomed);
    my $select = IO::Select->new($listen);

    my $end = sub {
        my @both = grep { defined } $_[0], $pair{$_[0]};

        # one that has ended with its other half is no more

        foreach my $fh ($pair{$_[0]} ? @both : ()) {
            $select->remove($fh);
            delete @{$_}{$fh} foreach \%pair, \%queue, \%doomed;

            # Perl itself does not close the number of a file of the test's

            shutdown $fh, 2;
            close $fh;
        }
    };

    while (getppid() == $parent) {
        my ($n, $now) = slurp("$dir/mode") =~ /^(\d+) (.*)/s;

        if (defined $n && $n ne $seen) {
            ($mode, $text) = split / /, $now, 2;
            $seen = $n;

            if ($mode eq 'cut') {
                my @all = grep { $_ != $listen } $select->handles();
                $end->($_) foreach @all;
            }

            open my $fh, '>', "$dir/seen.new";
            print $fh $seen;
            close $fh;
            rename "$dir/seen.new", "$dir/seen";
        }

        my @ready = $select->can_read(0.01);

        foreach my $fh (@ready) {
            if ($fh == $listen) {
                my $client = $listen->accept() or next;
                my $server = $mode eq 'cut' ? undef : $to->();

                if (!$server) {
                    close $client;
                    next;
                }

                $_->blocking(0) foreach $client, $server;
                @pair{$client, $server} = ($server, $client);
                $queue{$_} = [ $_ == $client ] foreach $client, $server;
                $select->add($client, $server);
                next;
            }

            next if !$pair{$fh} || $mode eq 'hold';

            my $got = sysread $fh, my $octets, 65536;

            if (!$got) {
                $end->($fh) unless !defined $got && ($!{EAGAIN} || $!{EINTR});
                next;
            }

            my $client = $queue{$fh}[0];

            if ($client && $mode =~ /^(?:before|after)$/
                && index($octets, $text) >= 0)
            {
                if ($mode eq 'before') {
                    $end->($fh);
                    next;
                }

                $doomed{$fh} = 1;

            } elsif (!$client && $doomed{$pair{$fh}}) {
                $end->($fh);
                next;
            }

            push @{ $queue{$fh} },
                [ time() + ($mode eq 'delay' ? $text : 0), $octets ];
        }

        foreach my $name (keys %queue) {
            my $queue = $queue{$name} or next;
            my $out = $pair{$name};

            while ($out && $queue->[1] && $queue->[1][0] <= time()
                && $mode ne 'hold')
            {
                my $put = syswrite $out, $queue->[1][1];

                if (!defined $put) {
                    last if $!{EAGAIN} || $!{EINTR};
                    $end->($out);
                    last;
                }

                substr $queue->[1][1], 0, $put, '';
                splice @$queue, 1, 1 if $queue->[1][1] eq '';
            }
        }
    }
}


1;
