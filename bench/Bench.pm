package Bench;

# What the benchmarks share: nginx in a temporary directory, commands, files.

use warnings;
use strict;

use Exporter qw/ import /;

use File::Temp qw/ tempdir /;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw/ sleep time /;

our @EXPORT_OK = qw/
    bench_dir start_nginx nginx_command start_daemon children stop port cpus
    median say_progress within output slurp spew
/;

our %EXPORT_TAGS = (all => \@EXPORT_OK);

my ($dir, $nginx, $module, @pids, @kept);

$SIG{$_} = sub { exit 1 } foreach qw/ HUP INT TERM /;
END { stop() if $dir }


# the directory for everything, removed at the end
sub bench_dir {
    ($nginx, $module) = @_;

    $dir = tempdir('dm-sec-bench-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;

    return $dir;
}


###############################################################################
# Servers


# the pids of its workers, with a comma between them
sub start_nginx {
    my ($name, $http, $main, $workers) = @_;
    my (@workers);

    $workers //= 1;
    output(nginx_command($name, $http, $main, $workers));

    within(5, "worker of $name", sub {
        @workers = -s "$dir/$name/pid"
            ? children(0 + slurp("$dir/$name/pid")) : ();
        @workers == $workers;
    });

    push @pids, 0 + slurp("$dir/$name/pid");

    return join ',', @workers;
}


# writes its configuration, which begins with $main unless that is left out;
# the words that start it
sub nginx_command {
    my ($name, $http, $main, $workers) = @_;

    $workers //= 1;
    $main //= "load_module $module;";
    $main .= "\nuser root;" if $> == 0;
    -d "$dir/$name" or mkdir "$dir/$name"
        or die "Can't create $dir/$name: $!\n";

    spew("$name/nginx.conf", <<"EOC");
$main
worker_processes $workers;
pid $dir/$name/pid;
error_log $dir/$name/error.log;
events {
worker_connections 1024;
}
http {
access_log off;
client_body_temp_path $dir/$name/body;
proxy_temp_path $dir/$name/proxy;
fastcgi_temp_path $dir/$name/fastcgi;
uwsgi_temp_path $dir/$name/uwsgi;
scgi_temp_path $dir/$name/scgi;
$http
}
EOC

    return ($nginx, '-p', "$dir/$name/", '-c', 'nginx.conf', '-e', 'error.log');
}


sub children {
    my ($parent) = @_;

    return split ' ', slurp("/proc/$parent/task/$parent/children");
}


{
    my (%port);

    # free a moment ago
    sub port {
        my ($name) = @_;

        $port{$name} ||= IO::Socket::INET->new(Proto => 'tcp', Listen => 1,
            LocalAddr => '127.0.0.1:0')->sockport();

        return $port{$name};
    }
}


sub stop {
    local $?;

    kill 'TERM', @pids;

    foreach my $pid (@pids) {
        within(60, 'end of a server', sub {
            waitpid $pid, POSIX::WNOHANG();
            !kill 0, $pid;
        });
    }

    @pids = ();
}


# the pid of a command that ends with the benchmark; its input stays open
sub start_daemon {
    my ($port, @command) = @_;
    my ($pid);

    pipe my $in, my $keep or die "Can't make a pipe: $!\n";
    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;

    if (!$pid) {
        close $keep;
        open STDIN, '<&', $in or POSIX::_exit(126);
        open STDOUT, '>', '/dev/null' or POSIX::_exit(126);
        open STDERR, '>', "$dir/stderr" or POSIX::_exit(126);
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    push @pids, $pid;
    push @kept, $keep;

    within(600, "answer from $command[0]", sub {
        die slurp("$dir/stderr") if waitpid($pid, POSIX::WNOHANG()) == $pid;
        IO::Socket::INET->new("127.0.0.1:$port");
    });

    return $pid;
}


###############################################################################
# Results, files and commands


# those that this may run on, the last first; dies where there are fewer
sub cpus {
    my ($least) = @_;
    my ($list) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(.*)$/m;
    my @allowed = map { /(\d+)-(\d+)/ ? ($1 .. $2) : $_ } split /,/, $list;

    die "this needs $least CPUs, one for nginx and one for its clients: there "
        . "is one\n" if @allowed < $least;

    return reverse @allowed;
}


sub median {
    my (@values) = sort { $a <=> $b } @_;

    return ($values[$#values / 2] + $values[@values / 2]) / 2;
}


sub say_progress {
    print STDERR "bench: @_\n";
}


# what a command prints; dies with its own words when it fails
sub output {
    my (@command) = @_;
    my ($pid, $fh, $text);

    $pid = open $fh, '-|';
    die "Can't fork: $!\n" unless defined $pid;

    if (!$pid) {
        open STDERR, '>', "$dir/stderr" or POSIX::_exit(126);
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    local $/;
    $text = <$fh> // '';

    close $fh or die "@command: ", slurp("$dir/stderr"), "\n";

    return $text;
}


sub within {
    my ($seconds, $what, $code) = @_;
    my ($end) = time() + $seconds;

    until ($code->()) {
        die "no $what\n" if time() > $end;
        sleep(0.02);
    }
}


sub slurp {
    my ($file) = @_;
    my ($fh);

    open $fh, '<', $file or die "Can't open $file: $!\n";
    local $/;

    return scalar(<$fh>) // '';
}


sub spew {
    my ($name, $text) = @_;
    my ($fh);

    open $fh, '>', "$dir/$name" or die "Can't create $name: $!\n";
    print {$fh} $text or die "Can't write $name: $!\n";
    close $fh or die "Can't write $name: $!\n";
}


1;
