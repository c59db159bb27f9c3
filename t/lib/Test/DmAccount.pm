package Test::DmAccount;

# Runs dm-account on a store of the test's own, and looks at what it says.

###############################################################################

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ $bin $d $store $key $me $user
    run heard done fails refused usage json bad show list ids verify
    private messages listen_log
    secret put content sum mode when text /;

###############################################################################

use Cwd qw/ abs_path /;
use Digest::SHA;
use File::Copy qw/ cp /;
use File::Temp qw/ tempdir /;
use IO::Handle;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw/ strftime /;
use Test::More;

use Test::DmSec::Process qw/ heard /;

our $bin = abs_path($ENV{TEST_DM_ACCOUNT} || '../build/dm-account');
die "no dm-account: make it, or set TEST_DM_ACCOUNT\n"
    unless defined $bin && -x $bin;

our $d = tempdir('dm-account-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
our ($store, $key) = ("$d/store", "$d/store.key");
our $me = getpwuid($<);

# where another user may run it too: a home of root's lets none in
my $copy = "$d/dm-account";
cp($bin, $copy) or die "copying $bin: $!\n";
$bin = $copy;
our $user;      # whom to run as, if not as me

my %shells;

$ENV{DM_SEC_STORE} = $store;
$ENV{DM_SEC_STORE_KEY} = $key;
delete $ENV{SUDO_USER};

###############################################################################

# runs dm-account with words or a list of arguments

sub run {
    my ($args, $stdin) = @_;
    my @args = ref $args ? @$args : split(' ', $args);
    my ($in, $out) = shell();

    put("$d/stdin", defined $stdin ? $stdin : '');

    print $in join(' ', map({ "$_=" . quote($ENV{$_}) }
        qw/ DM_SEC_STORE DM_SEC_STORE_KEY /),
        map({ quote($_) } $bin, @args)),
        " <$d/stdin >$d/out 2>$d/err; echo \$?\n";

    chomp(my $rc = <$out>);

    # what Digest is challenged with is not what most tests are about

    my $err = content("$d/err");
    my ($challenge) = $err =~ s/^(.*now challenged with .*\n)//m ? $1 : '';

    return { rc => $rc, out => content("$d/out"), err => heard($err),
        challenge => $challenge };
}

# A shell that starts all of them: to fork Perl each time would take longer
# than all that dm-account does.

sub shell {
    my $name = defined $user ? $user : '';

    return @{$shells{$name}} if $shells{$name};

    pipe(my $from, my $in) or die "pipe: $!\n";
    pipe(my $out, my $to) or die "pipe: $!\n";

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<&', $from or POSIX::_exit(9);
        open STDOUT, '>&', $to or POSIX::_exit(9);
        become($user) if defined $user;
        exec('sh') or POSIX::_exit(9);
    }

    put($_, ''), chmod(0666, $_) for "$d/out", "$d/err";

    $in->autoflush(1);
    $shells{$name} = [$in, $out, $pid];

    return ($in, $out);
}

END {
    local $?;

    for my $shell (values %shells) {
        close $shell->[0];
        waitpid($shell->[2], 0);
    }
}

sub become {
    my ($uid, $gid) = (getpwnam(shift))[2, 3];

    $) = "$gid $gid";
    POSIX::setgid($gid);
    POSIX::setuid($uid);
}

sub quote {
    my ($word) = @_;
    $word =~ s/'/'\\''/g;
    return "'$word'";
}

sub done {
    my ($args, $like, $name, $stdin) = @_;
    my $r = run($args, $stdin);

    ok($r->{rc} eq '0' && $r->{err} eq '' && $r->{out} =~ /(?:$like)/, $name)
        or diag("exit $r->{rc}\n$r->{out}$r->{err}");

    return $r;
}

sub fails {
    my ($rc, $args, $message, $name, $stdin) = @_;
    my $r = run($args, $stdin);

    ok($r->{rc} eq $rc && $r->{out} eq ''
        && $r->{err} =~ /\Adm-account: .*\Q$message\E.*\n\z/, $name)
        or diag("exit $r->{rc}, not $rc with \"$message\"\n"
            . "$r->{out}$r->{err}");

    return $r;
}

sub refused { return fails(1, @_); }
sub usage { return fails(2, @_); }

# one object on stdout, or with a status on stderr

sub json {
    my ($args, $name, $rc) = @_;
    my $r = run([ref $args ? @$args : split(' ', $args), '--json']);
    my $json = eval { decode_json($rc ? $r->{err} : $r->{out}) };

    ok($r->{rc} eq ($rc || 0) && $json, $name)
        or diag("exit $r->{rc}\n$r->{out}$r->{err}");

    return $json || {};
}

# Imports lines that are all bad, with options in front, and looks at what is
# said of each; nothing of them is kept.

sub bad {
    my @lines = @_;
    my $options = ref $lines[0][0] ? shift(@lines)->[0] : [];
    my $before = run('export --secrets')->{out};
    my $r = run(['import', '-', '--keep-going', @$options],
        join("\n", map { $_->[0] } @lines));
    my @errors = split(/\n/, $r->{err});

    is($r->{out}, 'imported "-": 0 added, 0 updated, ' . @lines . " refused\n",
        'all lines are bad');
    unlike($r->{err}, qr/hunter2/, 'no secret is repeated');

    for my $n (1 .. @lines) {
        my ($line, $why) = @{$lines[$n - 1]};

        like(shift(@errors) // '', qr/^dm-account: "-" line $n: .*\Q$why/,
            'bad line: ' . substr($line =~ s/[^ -~]/?/gr, 0, 40));
    }

    is(run('export --secrets')->{out}, $before, 'nothing has changed');
}

sub show {
    return json(['show', shift], 'show');
}

sub list {
    my ($filter) = @_;
    my $r = run('list --json ' . ($filter || ''));
    is($r->{rc}, 0, 'list' . ($filter ? " $filter" : ''));
    return map { decode_json($_) } split(/\n/, $r->{out});
}

sub ids {
    return [map { $_->{id} } list(@_)];
}

sub verify {
    my ($id, $password) = @_;
    return run(['verify', $id, '--password-file', '-'], $password)->{rc};
}

###############################################################################

# runs a shell script where /etc and /var/lib are copies and /dev/log is ours

sub private {
    my ($script) = @_;

    put("$d/private", <<"END");
set -e
mkdir -p $d/dev $d/etc
cp /etc/passwd /etc/group $d/etc/
mount -t tmpfs none /var/lib
mount --bind $d/etc /etc
mount -t tmpfs none $d/dev
: >$d/dev/null
mount --bind /dev/null $d/dev/null
mkdir -p $d/dev/pts
mount --bind /dev/pts $d/dev/pts
ln -s pts/ptmx $d/dev/ptmx
ln -s $d/log $d/dev/log
mount --rbind $d/dev /dev
set +e
{ $script; } 2>/dev/null
END

    return scalar(`unshare -m sh $d/private`);
}

sub listen_log {
    my $log = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$d/log")
        or die "$d/log: $!\n";
    $log->blocking(0);
    return $log;
}

sub messages {
    my ($log) = @_;
    my (@messages, $message);

    push(@messages, $message) while defined $log->recv($message, 4096);

    return @messages;
}

###############################################################################

sub secret {
    my ($name, $content) = @_;
    put("$d/$name", $content);
    chmod(0600, "$d/$name");
    return "$d/$name";
}

sub put {
    my ($path, $content) = @_;
    open my $fh, '>:raw', $path or die "$path: $!\n";
    print $fh $content;
    close $fh or die "$path: $!\n";
}

sub content {
    my ($path) = @_;
    open my $fh, '<:raw', $path or die "$path: $!\n";
    local $/;
    return scalar(<$fh>) // '';
}

sub sum {
    return Digest::SHA->new(256)->addfile(shift, 'b')->hexdigest();
}

sub mode {
    return sprintf('%04o', (stat(shift))[2] & 07777);
}

sub when {
    return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time() + shift));
}

sub text {
    my ($octets) = @_;
    utf8::decode($octets);
    return $octets;
}

###############################################################################

1;

###############################################################################
