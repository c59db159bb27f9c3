package Test::Postgres;

# A PostgreSQL of the test's own: a cluster in a temporary directory, with a
# socket there, run by a user without rights where the test is root's.  It ends
# with the object, and with the test's process whatever ends that.

use warnings;
use strict;

use Exporter qw/ import /;
use File::Path qw/ remove_tree /;
use File::Temp ();
use Scalar::Util qw/ weaken /;
use POSIX ();
use Test::More ();

use Test::DmSec::Process qw/ must run_command slurp wait_for /;

our @EXPORT_OK = qw/ needs_postgres /;

# of each wait for a server, which only a failure reaches
use constant BOUND => 120;


my ($bin) = sort { version($b) <=> version($a) }
    glob('/usr/lib/postgresql/*/bin');

# what is left to be ended, whatever becomes of the objects
my %running;


sub version {
    my ($dir) = @_;

    return $dir =~ m{/(\d+)/bin$} ? $1 : 0;
}


# skips all where there is no PostgreSQL, or none was asked for
sub needs_postgres {
    my $why = !$ENV{DM_SEC_FLEET} ? '"make test-fleet" runs this'
        : !defined $bin || version($bin) < 14
            || !-x "$bin/initdb" || !-x "$bin/postgres"
                ? 'no PostgreSQL 14 or newer: "dev/deps fleet" installs one'
        : undef;

    Test::More::plan(skip_all => $why) if defined $why;
}


# Test::Postgres->new(options): a running server.
#
#   tls      { port, cert, key, ca }: on 127.0.0.1 too, where only TLS and a
#            client's certificate whose name is the role's let in; with an
#            address there as well
#   conf     lines for postgresql.conf
#   primary  another object, of which this becomes a standby
#   name     as a standby; "standby" unless given
sub new {
    my ($class, %o) = @_;
    my ($dir) = File::Temp::tempdir('dm-pg-XXXXXX', TMPDIR => 1);
    my ($self) = bless { dir => $dir, %o, owner => $$ }, $class;

    $self->{name} //= 'standby';
    $self->{user} = $> ? undef : scalar(getpwnam('postgres'))
        ? 'postgres' : 'nobody';

    chmod 0755, $dir;
    chown scalar(getpwnam($self->{user})), -1, $dir if $self->{user};

    if ($o{primary}) {
        $self->copy();

    } else {
        $self->command('initdb', '-D', "$dir/data", '-U', 'postgres',
            qw/ -A trust -E UTF8 --locale=C --no-sync --no-instructions /);
    }

    $self->configure();
    $self->start();

    return $self;
}


# as the cluster's user, from a directory that this one may enter
sub as_user {
    my ($self) = @_;

    return ('setpriv', '--pdeathsig', 'INT') unless $self->{user};
    return ('setpriv', "--reuid=$self->{user}",
        '--regid=' . (getpwnam($self->{user}))[3], '--clear-groups',
        '--pdeathsig', 'INT');
}


sub command {
    my ($self, $program, @args) = @_;

    return must([ 'env', '-C', $self->{dir}, $self->as_user(),
        "$bin/$program", @args ], timeout => BOUND);
}


sub copy {
    my ($self) = @_;
    my ($primary) = $self->{primary};

    $self->command('pg_basebackup', '-D', "$self->{dir}/data", '-R',
        '--no-sync', '-X', 'stream', '-c', 'fast', '-d',
        $primary->conninfo('postgres', 'postgres')
            . " application_name=$self->{name}");
}


sub configure {
    my ($self) = @_;
    my ($dir) = $self->{dir};
    my ($tls) = $self->{tls};
    my ($more) = ($self->{conf} // '') . "\n";
    my ($hba) = "local all all trust\nlocal replication all trust\n";

    if ($tls) {
        foreach my $file (qw/ cert key ca /) {
            $self->own("$dir/$file.pem", slurp($tls->{$file}));
        }

        my @addresses = ('127.0.0.1', $tls->{address} // ());

        $more .= "listen_addresses = '" . join(',', @addresses) . "'\n"
            . "ssl = on\n"
            . "ssl_cert_file = '$dir/cert.pem'\n"
            . "ssl_key_file = '$dir/key.pem'\n"
            . "ssl_ca_file = '$dir/ca.pem'\n";

        $hba .= "hostssl all all samenet cert\n";
    }

    $self->own("$dir/data/pg_hba.conf", $hba);
    $self->own("$dir/data/postgresql.conf", <<"EOC" . $more);
listen_addresses = ''
port = @{[ $self->port() ]}
unix_socket_directories = '$dir'
fsync = off
shared_buffers = 16MB
max_connections = 60
max_wal_size = 256MB
dynamic_shared_memory_type = mmap
log_min_messages = warning
timezone = 'UTC'
EOC
}


sub own {
    my ($self, $file, $text) = @_;

    open my $fh, '>', $file or die "Can't open $file: $!\n";
    print $fh $text;
    close $fh or die "Can't write $file: $!\n";

    chmod 0600, $file;
    chown scalar(getpwnam($self->{user})), -1, $file if $self->{user};
}


sub start {
    my ($self) = @_;
    my ($dir) = $self->{dir};
    my $pid = fork();

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$dir/log";
        open STDERR, '>&', \*STDOUT;
        exec('env', '-C', $dir, $self->as_user(), "$bin/postgres", '-D',
            "$dir/data") or POSIX::_exit(9);
    }

    $self->{pid} = $pid;
    weaken($running{$pid} = $self);

    # one that recovers says that it is not ready yet

    wait_for(BOUND, sub { $self->answers() || !$self->alive() });

    die "PostgreSQL does not start: " . slurp("$dir/log")
        unless $self->answers();
}


sub alive {
    my ($self) = @_;

    return $self->{pid} && waitpid($self->{pid}, POSIX::WNOHANG()) == 0;
}


sub answers {
    my ($self) = @_;

    return (run_command([ "$bin/pg_isready", '-q', '-h', $self->{dir}, '-p',
        $self->port() ]))[0] == 0;
}


sub reload {
    my ($self) = @_;

    kill 'HUP', $self->{pid};
}


# with 'INT' it ends its sessions and stops; with 'QUIT' as in a crash
sub stop {
    my ($self, $signal) = @_;
    my $pid = delete $self->{pid} // return;

    local $?;

    delete $running{$pid};

    foreach my $try ($signal // 'INT', 'QUIT', 'KILL') {
        kill $try, $pid;
        return if wait_for(30, sub { waitpid($pid, POSIX::WNOHANG()) });
    }
}


# all processes of it stand still, as those of a machine that does; "CONT"
sub signal_all {
    my ($self, $signal) = @_;
    my (@pids) = ($self->{pid}, split ' ', slurp("/proc/$self->{pid}/task/"
        . "$self->{pid}/children"));

    kill $signal, @pids;
}


# a standby becomes a primary
sub promote {
    my ($self) = @_;

    $self->psql('SELECT pg_promote()', db => 'postgres');
}


# the primary waits for this standby, and this function for both
sub make_synchronous {
    my ($self) = @_;
    my ($primary) = $self->{primary};

    $primary->psql("ALTER SYSTEM SET synchronous_standby_names"
        . " = '$self->{name}'", db => 'postgres');
    $primary->psql('SELECT pg_reload_conf()', db => 'postgres');

    wait_for(BOUND, sub {
        $primary->psql('SELECT sync_state FROM pg_stat_replication',
            db => 'postgres') =~ /^sync$/m
    }) or die "the standby does not follow\n";
}


sub port {
    my ($self) = @_;

    return $self->{tls} ? $self->{tls}{port} : 5432;
}


sub dir {
    my ($self) = @_;

    return $self->{dir};
}


# conninfo(ROLE, [DATABASE, [DIRECTORY OF THE SOCKET]])
sub conninfo {
    my ($self, $role, $db, $dir) = @_;

    return "host=" . ($dir // $self->{dir}) . ' port=' . $self->port()
        . " user=$role dbname=" . ($db // 'fleet');
}


# psql(SQL, [role => ROLE, db => DATABASE, conninfo => ANOTHER]): its output;
# dies with its error.  Each statement is a transaction of its own.
sub psql {
    my ($self, $sql, %o) = @_;

    return must([ "$bin/psql", qw/ -X -q -A -t -v ON_ERROR_STOP=1 -d /,
        $o{conninfo} // $self->conninfo($o{role} // 'postgres', $o{db}) ],
        stdin => "$sql\n", timeout => BOUND) =~ s/\n\z//r;
}


# the errors of statements, each '' where there was none; nothing of them stays
sub refusals {
    my ($self, $role, @sql) = @_;
    my ($in, $errors);

    $in = join '', map { "BEGIN; $_; ROLLBACK;\n\\warn ---\n" } @sql;
    $errors = (run_command([ "$bin/psql", qw/ -X -q -A -t -d /,
        $self->conninfo($role) ], timeout => BOUND, stdin => $in))[2];

    return map { /ERROR: +(.*)/ ? $1 : $_ } split /^---\n/m, $errors;
}


# the error of one, which stays where there was none
sub refused {
    my ($self, $sql, %o) = @_;

    eval { $self->psql($sql, %o) };

    return $@ =~ /ERROR: +(.*)/ ? $1 : $@;
}


sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$ || !-d $self->{dir};

    local ($?, $@);

    $self->stop('QUIT');
    remove_tree($self->{dir}) unless $ENV{TEST_NGINX_LEAVE};
}


END {
    local $?;

    $_->DESTROY() foreach grep { defined } values %running;
}


1;
