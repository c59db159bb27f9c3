package Test::Postgres::Replica;

# A fleet of nodes with dm-replica, whose log build/t/engine/writer writes: its
# commands are those of Test::Postgres::Driver's call().

use warnings;
use strict;

use File::Temp ();
use IO::Socket::UNIX;
use JSON::PP qw/ decode_json /;
use POSIX ();
use Socket qw/ SOCK_DGRAM /;

use Test::DmSec::Process qw/ must run_command slurp wait_for /;
use Test::Postgres::Driver;

use constant BOUND => 60;


# Test::Postgres::Replica->new($pg, ACCOUNTS): published, with the roles node1,
# node2, node3 of nodes and beat1 of one that beats
sub new {
    my ($class, $pg, $accounts) = @_;
    my ($self) = bless { pg => $pg, owner => $$, running => {} }, $class;

    $self->{dir} = File::Temp::tempdir('dm-replica-XXXXXX', TMPDIR => 1,
        CLEANUP => 1);

    $pg->psql('CREATE DATABASE fleet', db => 'postgres');

    {
        local $ENV{TEST_DM_ENGINE} = program('TEST_DM_WRITER',
            't/engine/writer');
        $self->{writer} = Test::Postgres::Driver->new();
    }

    $self->write("keys $self->{dir}");
    $self->write('open ' . $pg->conninfo('postgres'));
    $self->write("init $accounts");

    $pg->psql("CREATE ROLE $_ LOGIN IN ROLE \"dm-sec-node\"")
        foreach qw/ node1 node2 node3 /;
    $pg->psql('CREATE ROLE beat1 LOGIN IN ROLE "dm-sec-beat"');

    return $self;
}


sub program {
    my ($name, $path) = @_;
    my ($program) = $ENV{$name} || "../build/$path";

    return -x $program ? $program : die "there is no $program\n";
}


sub dir {
    my ($self) = @_;

    return $self->{dir};
}


# a command of the writer: the words behind its "ok", the number first
sub write {
    my ($self, $command) = @_;
    my ($answer) = $self->{writer}->call($command);

    $answer =~ s/^ok ?// or die "$command: $answer\n";

    return wantarray ? split ' ', $answer : $answer;
}


sub command {
    my ($self, $node, %o) = @_;
    my ($role) = $o{role} // $node;

    return (program('TEST_DM_REPLICA', 'dm-replica'),
        '--store', "$self->{dir}/$node", '--key', "$self->{dir}/store.key",
        '--authority', "$self->{dir}/authority.pub",
        '--engine', $self->{pg}->conninfo($role, undef, $o{socket}),
        '--owner', scalar(getpwuid($>)), @{ $o{args} || [] });
}


# once($node, %options): { what --once --json prints }, with its exit status as
# "exit" and all that it says as "said".
#
#   args     more of the command line
#   role     another one than the node's name
#   preload  a library for LD_PRELOAD
sub once {
    my ($self, $node, %o) = @_;
    my (@env) = $o{preload} ? ("LD_PRELOAD=$o{preload}") : ();
    my ($exit, $out, $err);

    ($exit, $out, $err) = run_command([ 'env', @env,
        $self->command($node, %o), '--once', '--json' ], timeout => BOUND);

    return { %{ $out =~ /^\{/ ? decode_json($out) : {} }, exit => $exit,
        said => $err };
}


# runs a node's dm-replica, with a line of its log in $node.log; options are
# those of once()
sub start {
    my ($self, $node, %o) = @_;
    my ($dir) = $self->{dir};
    my ($notify) = "$dir/$node.notify";
    my ($pid);

    unlink $notify;
    $self->{notify}{$node} = IO::Socket::UNIX->new(Local => $notify,
        Type => SOCK_DGRAM) or die "socket: $!\n";

    $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        $ENV{NOTIFY_SOCKET} = $notify;
        $ENV{LD_PRELOAD} = $o{preload} if $o{preload};
        open STDIN, '<', '/dev/null';
        open STDERR, '>>', "$dir/$node.log";
        open STDOUT, '>&', \*STDERR;
        exec($self->command($node, %o)) or POSIX::_exit(9);
    }

    $self->{running}{$node} = $pid;
}


# ends it, its exit status: 128 + N after signal N
sub stop {
    my ($self, $node, $signal) = @_;
    my ($pid) = delete $self->{running}{$node} or return;

    local $?;

    kill $signal // 'TERM', $pid;

    wait_for(BOUND, sub { waitpid($pid, POSIX::WNOHANG()) == $pid })
        or kill('KILL', $pid), die "dm-replica of $node does not end\n";

    return $? & 127 ? 128 + ($? & 127) : $? >> 8;
}


# waits until it has ended by itself
sub ended {
    my ($self, $node) = @_;
    my ($pid) = delete $self->{running}{$node};

    local $?;

    return wait_for(BOUND, sub { waitpid($pid, POSIX::WNOHANG()) == $pid })
        ? $? : undef;
}


sub log {
    my ($self, $node) = @_;

    return slurp("$self->{dir}/$node.log");
}


# forgets what is in the log
sub forget {
    my ($self, $node) = @_;

    truncate "$self->{dir}/$node.log", 0;
}


# waits for such a line in the log
sub says {
    my ($self, $node, $what) = @_;

    return wait_for(BOUND, sub { $self->log($node) =~ $what }) ? 1 : 0;
}


# what the service manager was told since
sub notified {
    my ($self, $node) = @_;
    my ($all, $one) = ('');

    $all .= "$one\n" while defined $self->{notify}{$node}->recv($one, 4096,
        Socket::MSG_DONTWAIT());

    return $all;
}


# { what the engine knows of it }
sub line {
    my ($self, $role) = @_;
    my ($said) = $self->{pg}->psql("SELECT convert_from(said, 'UTF8')"
        . " FROM dm_sec.node WHERE name = '$role'");

    return $said ? decode_json($said) : {};
}


# waits until the engine knows that the node is at that entry
sub reaches {
    my ($self, $node, $number) = @_;

    return wait_for(BOUND, sub { ($self->line($node)->{number} // -1)
        == $number }) ? 1 : 0;
}


# { account K }, as the node's store has it; its state is "none" where it is not
sub account {
    my ($self, $node, $k) = @_;
    my ($exit, $out) = $self->account_command($node, '--json', 'show',
        sprintf('device-%07u', $k));

    return $exit ? { state => 'none' } : decode_json($out);
}


# waits until account K has that state there
sub becomes {
    my ($self, $node, $k, $state) = @_;

    return wait_for(BOUND, sub { $self->account($node, $k)->{state}
        eq $state }) ? 1 : 0;
}


sub account_command {
    my ($self, $node, @args) = @_;

    return run_command([ program('TEST_DM_ACCOUNT', 'dm-account'), '--store',
        "$self->{dir}/$node", '--key', "$self->{dir}/store.key", @args ]);
}


# what "dm-account check" finds: '' where all is right
sub damage {
    my ($self, $node) = @_;
    my ($exit, $out, $err) = $self->account_command($node, 'check');

    return $exit ? "$out$err" : '';
}


# the tables of the engine, kept and put back by its superuser
sub keep {
    my ($self, $name) = @_;

    $self->{pg}->psql("CREATE TABLE kept_${name}_$_ AS TABLE dm_sec.\"$_\";")
        foreach qw/ head beat entry row /;
}


sub put_back {
    my ($self, $name, @tables) = @_;

    $self->{pg}->psql("BEGIN; TRUNCATE dm_sec.\"$_\"; INSERT INTO dm_sec.\"$_\""
        . " TABLE kept_${name}_$_; COMMIT;")
        foreach @tables ? @tables : qw/ head beat entry row /;
}


sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$;

    local ($?, $@);

    eval { $self->stop($_, 'KILL') } foreach keys %{ $self->{running} };
}


1;
