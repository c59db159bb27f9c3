package Test::Nginx;

# An independent implementation of the part of the Test::Nginx API (nginx's
# own test library) that the tests here use.  It shares no code with it; a
# test that runs on this library also runs on that one, as CONTRIBUTING.md
# says.  As there, error.log is looked at when the object is destroyed: a test
# with named subs that mention it undefines it at its end.
#
# A test is one process with one temporary directory, where nginx runs with
# ports that no other test has.  Whatever ends the test, nginx and the
# daemons are stopped and the directory is removed.
#
# Environment:
#
#   TEST_NGINX_BINARY        nginx, /usr/sbin/nginx unless given
#   TEST_NGINX_MODULES       where dynamic modules of nginx itself are; those
#                            that exist are loaded
#   TEST_NGINX_GLOBALS       directives for the main context
#   TEST_NGINX_GLOBALS_HTTP  directives for the http block
#   TEST_NGINX_VERBOSE       show requests and responses
#   TEST_NGINX_LEAVE         keep the directory
#   TEST_NGINX_CATLOG        print error.log at the end

use warnings;
use strict;

use Exporter qw/ import /;

use Cwd ();
use File::Path ();
use File::Spec ();
use File::Temp ();
use IO::Socket::INET;
use POSIX qw/ WNOHANG /;
use Scalar::Util ();
use Test::More ();
use Time::HiRes qw/ sleep time /;

our @EXPORT = qw/ http http_get http_head log_in log_out port /;
our @EXPORT_OK = qw/ http_start http_end http_content /;

our $NGINX = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';

use constant {
    HTTP_TIMEOUT => 30,
    START_TIMEOUT => 30,
    STOP_TIMEOUT => 30,
    POLL => 0.01,
};

# modules that are built unless configured --without-...
my %STANDARD = map { $_ => 1 } qw/
    access auth_basic autoindex browser charset empty_gif fastcgi geo grpc
    gzip limit_conn limit_req map memcached mirror proxy referer rewrite scgi
    split_clients ssi upstream_hash upstream_ip_hash upstream_keepalive
    upstream_least_conn upstream_random upstream_zone userid uwsgi
    mail_imap mail_pop3 mail_smtp stream_access stream_geo stream_limit_conn
    stream_map stream_return stream_set stream_split_clients
    stream_upstream_hash stream_upstream_least_conn stream_upstream_random
    stream_upstream_zone /;

# modules that nginx can build as dynamic ones, in an order that loads
my @DYNAMIC = qw/ http_geoip http_image_filter http_perl http_xslt_filter
    mail stream stream_geoip /;

my %FEATURES = (
    unix => sub { require IO::Socket::UNIX; 1 },
    socket_ssl => sub { require IO::Socket::SSL; 1 },
    socket_ssl_sslversion => sub {
        require IO::Socket::SSL; IO::Socket::SSL->can('get_sslversion');
    },
    socket_ssl_reused => sub {
        require IO::Socket::SSL; IO::Socket::SSL->can('get_session_reused');
    },
    socket_ssl_sni => sub {
        require IO::Socket::SSL; IO::Socket::SSL->can_client_sni();
    },
    socket_ssl_alpn => sub {
        require IO::Socket::SSL; IO::Socket::SSL->can_alpn();
    },
);

# the test objects that are alive
my @live;


###############################################################################
# The life of a test


sub new {
    my ($class) = @_;
    my ($self);

    Test::More::BAIL_OUT("no executable nginx at $NGINX, "
        . "set TEST_NGINX_BINARY")
        unless -f $NGINX && -x _;

    $self = bless {
        _owner => $$,
        _alerts => 1,
        _daemons => [],
        _testdir => Cwd::realpath(File::Temp::tempdir(
            'nginx-test-XXXXXXXXXX', TMPDIR => 1)),
    }, $class;

    push @live, $self;
    Scalar::Util::weaken($live[-1]);

    # a signal must not leave nginx behind
    foreach my $name (qw/ HUP INT TERM /) {
        $SIG{$name} = sub { exit 1 };
    }

    return $self;
}


sub DESTROY {
    my ($self) = @_;

    $self->finish();
}


# When all objects are destroyed it is too late to count a check, so the test
# fails by its plan.
END {
    foreach my $self (grep { defined } @live) {
        $self->finish('too late');
    }
}


sub finish {
    my ($self, $too_late) = @_;
    local ($?, $@, $!, $_);
    local @SIG{qw/ HUP INT TERM /} = ('IGNORE') x 3;

    return if $self->{_owner} != $$ || $self->{_finished}++;

    $self->stop();
    $self->stop_daemons();

    if (!Test::More->builder()->expected_tests()) {
        # a plan of none, or none at all

    } elsif ($too_late) {
        Test::More::diag('the Test::Nginx object outlives the test, so'
            . ' nobody looks at error.log: does a sub mention it?');

    } else {
        $self->check_logs();
    }

    print STDERR $self->logs() if $ENV{TEST_NGINX_CATLOG};

    if ($ENV{TEST_NGINX_LEAVE}) {
        Test::More::diag("left $self->{_testdir}");
        return;
    }

    File::Path::remove_tree($self->{_testdir}, { error => \my $ignored });
}


# the two checks that plan() adds
sub check_logs {
    my ($self) = @_;
    my (@lines) = split /\n/, $self->logs();

    Test::More->builder()->todo_start('alerts') unless $self->{_alerts};

    Test::More::is(join("\n", grep { /\[alert\]/ } @lines), '', 'no alerts');

    Test::More->builder()->todo_end() unless $self->{_alerts};

    Test::More::is(join("\n",
        grep { /\w+Sanitizer\b|\bruntime error: / } @lines), '',
        'no sanitizer errors');
}


# what nginx wrote before it opened its error log is in "stderr"
sub logs {
    my ($self) = @_;

    return join '', map { $self->read_file($_) }
        grep { -f "$self->{_testdir}/$_" } qw/ stderr error.log /;
}


sub has {
    my ($self, @names) = @_;

    foreach my $name (@names) {
        Test::More::plan(skip_all => "no $name available")
            unless $self->has_module($name) || $self->has_feature($name);
    }

    return $self;
}


sub has_daemon {
    my ($self, $program) = @_;

    Test::More::plan(skip_all => "$program not found")
        unless grep { -f "$_/$program" && -x _ } split /:/, $ENV{PATH};

    return $self;
}


sub plan {
    my ($self, $tests) = @_;

    Test::More::plan(tests => $tests + 2);

    return $self;
}


sub todo_alerts {
    my ($self) = @_;

    $self->{_alerts} = 0;

    return $self;
}


###############################################################################
# What this nginx can do


sub configure_args {
    my ($self) = @_;

    $self->{_configure_args} = qx{'$NGINX' -V 2>&1}
        unless defined $self->{_configure_args};

    return $self->{_configure_args};
}


# a name that is not known is a pattern for the output of nginx -V
sub has_module {
    my ($self, $name) = @_;
    my ($args) = $self->configure_args();

    return $args !~ /--without-http(?!\S)/ if $name eq 'http';
    return $args !~ /--without-http-cache/ if $name eq 'cache';
    return $args =~ /TLS SNI support enabled/ if $name eq 'sni';

    return 0 if $name =~ /^(mail|stream)_/ && !$self->has_module($1);

    return $args !~ /--without-(?:http_)?\Q$name\E_module(?!\S)/
        if $STANDARD{$name};

    return $1 ? $self->is_loaded($name) : 1
        if $args =~ /--with-(?:http_)?\Q$name\E(?:_module)?(=dynamic)?(?!\S)/;

    return $args =~ $name;
}


sub is_loaded {
    my ($self, $name) = @_;

    return join("\n", $self->test_globals_modules(),
        $ENV{TEST_NGINX_GLOBALS} || '') =~ m{
        load_module \s+ \S* ngx_ (?:http_)? \Q$name\E (?:_filter)?
        _module [.]so }x;
}


sub has_feature {
    my ($self, $name) = @_;

    return $self->has_openssl($1) if $name =~ /^openssl:([\d.]+)$/;
    return eval { $FEATURES{$name}->() } if $FEATURES{$name};

    return 0;
}


sub has_openssl {
    my ($self, $need) = @_;
    my ($args) = $self->configure_args();

    return 0
        unless $args =~ /running with OpenSSL (\d[\d.]*)/
            || $args =~ /built with OpenSSL (\d[\d.]*)/;

    return version_reached($1, $need);
}


sub has_version {
    my ($self, $need) = @_;

    return 0 unless $self->configure_args() =~ m{nginx/([\d.]+)};

    return version_reached($1, $need);
}


sub version_reached {
    my ($have, $need) = @_;
    my (@have, @need);

    @have = split /[.]/, $have;
    @need = split /[.]/, $need;

    while (@need) {
        my ($h, $n) = (shift @have || 0, shift @need);

        return $h > $n if $h != $n;
    }

    return 1;
}


###############################################################################
# Files and configuration


sub testdir {
    my ($self) = @_;

    return $self->{_testdir};
}


sub write_file {
    my ($self, $name, $content) = @_;
    my ($fh);

    open $fh, '>:raw', "$self->{_testdir}/$name"
        or die "Can't create $name: $!\n";
    print {$fh} $content or die "Can't write $name: $!\n";
    close $fh or die "Can't write $name: $!\n";

    return $self;
}


sub write_file_expand {
    my ($self, $name, $content) = @_;

    $content =~ s/%%TEST_GLOBALS%%/$self->test_globals()/ge;
    $content =~ s/%%TEST_GLOBALS_HTTP%%/$self->test_globals_http()/ge;
    $content =~ s/%%TESTDIR%%/$self->{_testdir}/g;
    $content =~ s/127[.]0[.]0[.]1:(8\d\d\d)\b/'127.0.0.1:' . port($1)/ge;
    $content =~ s/%%PORT_(\d+)%%/port($1)/ge;

    return $self->write_file($name, $content);
}


sub read_file {
    my ($self, $name) = @_;
    my ($fh);

    open $fh, '<:raw', "$self->{_testdir}/$name"
        or die "Can't open $name: $!\n";
    local $/;

    return scalar <$fh>;
}


sub test_globals {
    my ($self) = @_;
    my ($dir) = $self->{_testdir};

    return $self->{_test_globals} if defined $self->{_test_globals};

    $self->{_test_globals} = "pid $dir/nginx.pid;\n"
        . "error_log $dir/error.log debug;\n"
        . $self->test_globals_modules()
        . ($ENV{TEST_NGINX_GLOBALS} || '') . "\n";

    return $self->{_test_globals};
}


sub test_globals_modules {
    my ($self) = @_;
    my ($dir);

    return '' unless $ENV{TEST_NGINX_MODULES};

    $dir = File::Spec->rel2abs($ENV{TEST_NGINX_MODULES});

    return join '', map { "load_module $_;\n" } grep { -f $_ }
        map { "$dir/ngx_${_}_module.so" } @DYNAMIC;
}


sub test_globals_http {
    my ($self) = @_;
    my ($dir) = $self->{_testdir};
    my ($conf);

    $conf = "root $dir;\n"
        . "access_log $dir/access.log;\n"
        . "client_body_temp_path $dir/client_body_temp;\n";

    foreach my $name (qw/ fastcgi proxy scgi uwsgi /) {
        $conf .= "${name}_temp_path $dir/${name}_temp;\n"
            if $self->has_module($name);
    }

    return $conf . ($ENV{TEST_NGINX_GLOBALS_HTTP} || '') . "\n";
}


# A port for this test alone, always the same for one number: the number
# itself where it is free.  A datagram socket on the same number is the lock:
# other tests see it, and nginx is not in its way.
{
    my (%ports, @locks);

    sub port {
        my ($number) = @_;
        my ($port, $lock);

        return $ports{$number} if $ports{$number};

        foreach my $try (0 .. 2000) {
            $port = $try ? 8000 + int rand 1000 : $number;

            $lock = IO::Socket::INET->new(Proto => 'udp',
                LocalAddr => "127.0.0.1:$port") or next;
            next unless IO::Socket::INET->new(Proto => 'tcp', Listen => 1,
                ReuseAddr => 1, LocalAddr => "127.0.0.1:$port");

            push @locks, $lock;
            $ports{$number} = $port;

            return $port;
        }

        die "Can't find a free port for $number\n";
    }
}


###############################################################################
# nginx and the daemons


sub run {
    my ($self, $conf) = @_;
    my ($dir) = $self->{_testdir};
    my ($pid);

    $self->write_file_expand('nginx.conf', $conf) if defined $conf;

    # "nginx -t" leaves an empty one
    unlink "$dir/nginx.pid";

    $pid = $self->spawn(sub {
        open STDERR, '>>', "$dir/stderr" or die "Can't open stderr: $!\n";
        exec { $NGINX } $self->command() or die "Can't run $NGINX: $!\n";
    });

    if (!$self->waitforfile("$dir/nginx.pid", $pid)
        || !within_time(START_TIMEOUT, sub { -s "$dir/nginx.pid" }))
    {
        kill 'KILL', $pid;
        waitpid $pid, 0;
        die "Can't start nginx: " . $self->read_file('stderr') . "\n";
    }

    $self->{_started} = 1;

    return $self;
}


sub try_run {
    my ($self, $message) = @_;

    return $self if eval { $self->run() };

    Test::More::note($@);
    Test::More::plan(skip_all => $message);
}


sub command {
    my ($self, @args) = @_;
    my ($dir) = $self->{_testdir};

    # a configuration without the globals would use the installed nginx's files
    push @args, '-g', "pid $dir/nginx.pid; error_log $dir/error.log debug;"
        unless defined $self->{_test_globals};

    return ($NGINX, '-p', "$dir/", '-c', 'nginx.conf', '-e', 'error.log',
        @args);
}


sub dump_config {
    my ($self) = @_;
    my ($fh);

    open $fh, '-|', $self->command('-q', '-T')
        or die "Can't run $NGINX: $!\n";
    local $/;

    return scalar <$fh>;
}


sub reload {
    my ($self) = @_;

    kill 'HUP', $self->master() or die "Can't reload nginx: $!\n";

    return $self;
}


sub stop {
    my ($self) = @_;
    my ($pid);

    return $self unless delete $self->{_started};

    $pid = eval { $self->master() } or return $self;

    # a request that never ends, a client's or a leaked one, must not hold the
    # test: after TERM nginx logs its socket as an alert
    foreach my $signal (qw/ QUIT TERM /) {
        kill $signal, $pid;
        return $self if gone($pid);
        Test::More::diag("nginx is alive after $signal: an open request?");
    }

    # workers outlive a master that is killed
    kill 'KILL', $pid, children($pid);
    gone($pid);

    return $self;
}


sub stop_daemons {
    my ($self) = @_;

    foreach my $pid (splice @{ $self->{_daemons} }) {
        kill 'TERM', $pid;
        next if gone($pid);
        kill 'KILL', $pid;
        gone($pid);
    }

    return $self;
}


# a program with its arguments, or a sub with its
sub run_daemon {
    my ($self, $code, @args) = @_;

    push @{ $self->{_daemons} }, $self->spawn(ref $code eq 'CODE'
        ? sub { $code->(@args) }
        : sub { exec { $code } $code, @args or die "Can't run $code: $!\n" });

    return $self;
}


# the child never returns, and never runs what the test does at its end
sub spawn {
    my ($self, $code) = @_;
    my ($pid);

    STDOUT->flush();

    $pid = fork();
    die "Can't fork: $!\n" unless defined $pid;
    return $pid if $pid;

    @SIG{qw/ HUP INT TERM /} = ('DEFAULT') x 3;

    eval { $code->(); 1 } or print STDERR $@;
    POSIX::_exit($@ ? 1 : 0);
}


# with a pid: gives up when that process has ended
sub waitforfile {
    my ($self, $file, $pid) = @_;
    my ($exited);

    return within_time(START_TIMEOUT, sub {
        return 1 if -e $file;
        return unless $pid;

        # once more after the exit: a master that became a daemon
        die "exited\n" if $exited;
        $exited = waitpid($pid, WNOHANG);
        return;
    });
}


sub waitforsocket {
    my ($self, $peer) = @_;

    return within_time(START_TIMEOUT, sub {
        IO::Socket::INET->new(Proto => 'tcp', PeerAddr => $peer);
    });
}


sub master {
    my ($self) = @_;

    $self->read_file('nginx.pid') =~ /^(\d+)$/m or die "no nginx.pid\n";

    return $1;
}


# a process ended; a child is reaped
sub gone {
    my ($pid) = @_;

    return within_time(STOP_TIMEOUT, sub {
        my ($child) = waitpid($pid, WNOHANG);

        return $child < 0 ? !kill(0, $pid) || is_dead($pid) : $child;
    });
}


# a daemon that nobody waits for, as where process 1 does not
sub is_dead {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return 0;

    return (readline($fh) // '') =~ /^\d+ \(.*\) [ZX] / ? 1 : 0;
}


# 1 as soon as the sub says so, 0 when it dies or the time is over
sub within_time {
    my ($seconds, $sub) = @_;
    my ($end) = time() + $seconds;

    do {
        return 1 if eval { $sub->() };
        return 0 if $@;
        sleep(POLL);
    } while (time() < $end);

    return 0;
}


sub children {
    my ($parent) = @_;
    my (@pids);

    foreach my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        my $stat = <$fh> // next;
        push @pids, $1 if $stat =~ /^(\d+) \(.*\) \S $parent /s;
    }

    return @pids;
}


###############################################################################
# HTTP


sub http_get {
    my ($uri, %extra) = @_;

    return http("GET $uri HTTP/1.0\r\nHost: localhost\r\n\r\n", %extra);
}


sub http_head {
    my ($uri, %extra) = @_;

    return http("HEAD $uri HTTP/1.0\r\nHost: localhost\r\n\r\n", %extra);
}


# The whole response up to the end of the connection, undef if there was no
# connection or it took too long.
#
#   PeerAddr  default 127.0.0.1:port(8080), with SSL port(8443)
#   socket    an open connection
#   SSL       with any SSL_... option of IO::Socket::SSL
#   sleep     pause after the request, in seconds
#   body      sent after the request and the pause
#   start     return the socket instead of a response
#   aborted   do not read a response
sub http {
    my ($request, %extra) = @_;
    my ($socket);

    $socket = http_start($request, %extra);

    return $socket if !$socket || $extra{start};
    return '' if $extra{aborted};

    return http_end($socket);
}


sub http_start {
    my ($request, %extra) = @_;

    return http_timed(sub {
        my ($socket);

        $socket = http_connect(%extra);

        log_out($request);
        $socket->print($request);

        sleep($extra{sleep}) if $extra{sleep};

        if (defined $extra{body} && !$extra{aborted}) {
            log_out($extra{body});
            $socket->print($extra{body});
        }

        return $socket;
    });
}


sub http_end {
    my ($socket) = @_;

    return http_timed(sub {
        my ($response);

        local $/;
        $response = $socket->getline();
        log_in($response);

        return $response;
    });
}


sub http_connect {
    my (%extra) = @_;
    my ($socket, $peer);

    $peer = $extra{PeerAddr} || '127.0.0.1:' . port($extra{SSL} ? 8443 : 8080);
    $socket = $extra{socket}
        || IO::Socket::INET->new(Proto => 'tcp', PeerAddr => $peer)
        || die "Can't connect to $peer: $!\n";

    return $socket unless $extra{SSL};

    require IO::Socket::SSL;

    return IO::Socket::SSL->start_SSL($socket,
        SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_NONE(),
        SSL_ca => [],       # or it reads all that the system trusts
        map { $_ => $extra{$_} } grep { /^SSL_/ } keys %extra)
        || die IO::Socket::SSL::errstr() . "\n";
}


# runs code, undef where it dies or takes too long
sub http_timed {
    my ($code) = @_;
    my ($result);

    $result = eval {
        local $SIG{ALRM} = sub { die "timeout\n" };
        local $SIG{PIPE} = sub { die "connection closed\n" };
        my $value;

        alarm HTTP_TIMEOUT;
        $value = $code->();
        alarm 0;

        return $value;
    };
    alarm 0;

    log_in("died: $@") if $@;

    return $result;
}


# the body, dechunked; undef where there is no response
sub http_content {
    my ($response) = @_;
    my ($head, $body, $content);

    return unless defined $response;

    ($head, $body) = split /\r?\n\r?\n/, $response, 2;
    $body = '' unless defined $body;

    return $body unless $head =~ /^Transfer-Encoding: *chunked *\r?$/mi;

    $content = '';

    while ($body =~ s/^([0-9a-f]+)[^\n]*\n//i && hex $1) {
        $content .= substr $body, 0, hex $1, '';
        $body =~ s/^\r?\n//;
    }

    return $content;
}


sub log_in {
    my ($message) = @_;

    log_core('<<', $message);
}


sub log_out {
    my ($message) = @_;

    log_core('>>', $message);
}


sub log_core {
    my ($prefix, $message) = @_;

    return unless $ENV{TEST_NGINX_VERBOSE};

    $message = '(nothing)' unless defined $message;
    $message =~ s/([^\x20-\x7e\n])/sprintf('\\x%02x', ord $1)/ge;
    $message =~ s/\\x0d\n/\n/g;
    $message =~ s/^/# $prefix /mg;

    print "$message\n";
}


1;
