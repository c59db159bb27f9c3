package Test::Postgres::Fleet;

# A fleet of stores on one engine, each changed by dm-account: the first one is
# published, others are copies of it.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Copy qw/ cp /;
use File::Path qw/ remove_tree /;
use File::Temp qw/ tempdir /;
use JSON::PP qw/ decode_json /;
use POSIX ();
use Test::More;

use Test::DmSec::Process qw/ run_command slurp wait_for /;

# of each command, which only a failure reaches
use constant BOUND => 240;


# Test::Postgres::Fleet->new($pg): with a database, the store "a" and its keys;
# nothing is published yet
sub new {
    my ($class, $pg) = @_;
    my ($self) = bless { pg => $pg, owner => $$,
        dir => tempdir('dm-fleet-XXXXXX', TMPDIR => 1) }, $class;
    my ($d) = $self->{dir};

    $self->{bin} = abs_path($ENV{TEST_DM_ACCOUNT} || '../build/dm-account');

    $self->{env} = {
        DM_SEC_STORE_KEY => "$d/store.key",
        DM_SEC_AUTHORITY => "$d/authority.key",
        DM_SEC_AUTHORITY_PUBLIC => "$d/authority.pub",
        DM_SEC_BEAT => "$d/beat.key",
        DM_SEC_ENGINE => $pg->conninfo('postgres'),
    };

    $pg->psql('CREATE DATABASE fleet', db => 'postgres');
    $self->done('a', [qw/ init --realm dm@example.com /]);

    return $self;
}


sub dir {
    my ($self) = @_;

    return $self->{dir};
}


sub store {
    my ($self, $node) = @_;

    return "$self->{dir}/$node";
}


# publishes it, and makes a role that only writes
sub publish {
    my ($self) = @_;

    $self->done('a', [qw/ replicate init /]);
    $self->{pg}->psql('CREATE ROLE writer LOGIN IN ROLE "dm-sec-writer"');
    $self->{env}{DM_SEC_ENGINE} = $self->{pg}->conninfo('writer');
}


# another node, at the place of that one
sub copy {
    my ($self, $from, $node) = @_;

    $self->done($from, [ 'backup', $self->store($node) ]);
}


# the words of a command on a node; env => { ... } is beside that of the fleet,
# and what is undef there is not set
sub words {
    my ($self, $node, $args, %o) = @_;
    my (%env) = (%{ $self->{env} }, DM_SEC_STORE => $self->store($node),
        %{ $o{env} || {} });

    return ('env', map({ ('-u', $_) } grep { !defined $env{$_} } keys %env),
        map({ "$_=$env{$_}" } grep { defined $env{$_} } sort keys %env),
        $self->{bin}, ref $args ? @$args : split ' ', $args);
}


# (exit, stdout, stderr)
sub run {
    my ($self, $node, $args, %o) = @_;

    return run_command([ $self->words($node, $args, %o) ], timeout => BOUND,
        stdin => $o{stdin});
}


# dies unless it is done; what it prints
sub done {
    my ($self, $node, $args, %o) = @_;
    my ($exit, $out, $err) = $self->run($node, $args, %o);

    die ref $args ? "@$args" : $args, ": exit $exit: $err$out\n" if $exit;

    return $out;
}


# the code of a refusal, and its text; ('', '') where it was done
sub refused {
    my ($self, $node, $args, %o) = @_;
    my ($exit, $out, $err) = $self->run($node,
        [ '--json', ref $args ? @$args : split ' ', $args ], %o);
    my ($last) = grep { /"code"/ } reverse split /\n/, $err;

    return ('', '') if $exit == 0;

    my $json = eval { decode_json($last // '') } || {};

    return ($json->{code} // "exit $exit", $json->{error} // $err);
}


# begins a command, whose end end() waits for
sub start {
    my ($self, $node, $args, %o) = @_;
    my ($n) = ++$self->{started};
    my ($file) = "$self->{dir}/out.$n";
    my $pid = fork();

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $file;
        open STDERR, '>&', \*STDOUT;
        exec($self->words($node, $args, %o)) or POSIX::_exit(9);
    }

    return { pid => $pid, file => $file };
}


# (exit, or 128 + signal; what it said)
sub end {
    my ($self, $command) = @_;
    my ($status);

    local ($?, $!);

    wait_for(BOUND, sub {
        my $got = waitpid($command->{pid}, POSIX::WNOHANG());
        $status = $? if $got;
        return $got;
    }) or do {
        kill 'KILL', $command->{pid};
        waitpid $command->{pid}, 0;
        return (124, slurp($command->{file}));
    };

    return ($status & 127 ? 128 + ($status & 127) : $status >> 8,
        slurp($command->{file}));
}


# brings a node to the head: a change of nothing does
sub catch_up {
    my ($self, $node) = @_;

    $self->done($node, [qw/ del nobody --if-present /]);
}


# the place of a node, and the sum of its accounts
sub state {
    my ($self, $node) = @_;
    my $here = $self->status($node)->{here};

    return "$here->{expect} $here->{accounts} $here->{sum}";
}


# the same of the log
sub head {
    my ($self, $node) = @_;
    my $status = $self->status($node);

    return "$status->{expect} $status->{accounts} $status->{sum}";
}


sub status {
    my ($self, $node) = @_;

    return decode_json($self->done($node, [qw/ --json replicate status /]));
}


# entries of the log, verified: { number, verb, changes, ... }
sub log {
    my ($self, $node, $from) = @_;

    return map { decode_json($_) } split /\n/, $self->done($node,
        [ qw/ --json replicate log --from /, $from // 1 ]);
}


sub ids {
    my ($self, $node) = @_;

    return join ' ', map { (split ' ')[0] }
        split /\n/, $self->done($node, 'list');
}


# '' where the store is what its position says
sub damage {
    my ($self, $node) = @_;
    my ($exit, $out, $err) = $self->run($node, 'check');

    return $exit == 0 ? '' : "$out$err";
}


# a copy of what is needed elsewhere, with another content
sub with {
    my ($self, $name, $change) = @_;
    my ($file) = "$self->{dir}/$name.other";

    cp("$self->{dir}/$name", $file);

    local $_ = slurp($file);
    $change->();

    open my $fh, '>', $file or die "Can't open $file: $!\n";
    print $fh $_;
    close $fh;
    chmod 0600, $file;

    return $file;
}


sub DESTROY {
    my ($self) = @_;

    remove_tree($self->{dir}) if $self->{owner} == $$;
}


1;
