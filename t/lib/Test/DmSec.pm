package Test::DmSec;

# What the tests of the dm_sec module need beyond Test::Nginx: certificates,
# the account store, an upstream that remembers, clients, Digest answers,
# and the processes and logs of nginx.
#
# $t is the Test::Nginx object; only its documented methods are used.  A PORT
# is always the number that the test's nginx.conf says: port() is applied
# here, never by the caller.  Whatever waits has a bound; what cannot do its
# work dies and says why.

use warnings;
use strict;

use Exporter qw/ import /;

use File::Basename ();
use File::Spec ();
use JSON::PP ();

use Test::DmSec::Client;
use Test::DmSec::Message
    qw/ basic challenges digest header request rspauth status /;
use Test::DmSec::PKI qw/ ca cert cert_info crl /;
use Test::DmSec::Process qw/ run_command slurp wait_for /;
use Test::DmSec::Upstream
    qw/ upstream upstream_clear upstream_count upstream_log
    upstream_repeated /;
use Test::Nginx qw/ :DEFAULT http_content /;

our @EXPORT_OK = qw/
    ca cert cert_info crl
    store account dm_account
    upstream upstream_log upstream_count upstream_clear upstream_repeated
    request basic challenges digest rspauth psk sessions
    https keepalive persistent s_client run_command
    header status
    nginx_t conf_error
    log_lines words denied handshake_failures failed_handshake other_alerts
    status_json
    wait_for master workers kill_worker reload_wait stand_still
    each_worker
/;

our %EXPORT_TAGS = (all => \@EXPORT_OK);

# s, that only a failure takes
use constant WAIT => 120;

# before what it says on a terminal, and in the titles of its processes
my $NAME = qr/(?:nginx|angie):/;

my $here = File::Basename::dirname(File::Spec->rel2abs(__FILE__));


###############################################################################
# Processes of nginx


# the pid of the master process
sub master {
    my ($t) = @_;

    $t->read_file('nginx.pid') =~ /^(\d+)$/m or die "no pid in nginx.pid\n";

    return $1;
}


# The pids of the workers that accept connections, not of those that shut
# down, nor of cache processes.  Waits until there are as many as nginx.conf
# says: nginx counts as started before they are.
sub workers {
    my ($t) = @_;
    my ($count, @pids);

    $count = $t->read_file('nginx.conf')
        =~ /(?:^|;)\s*worker_processes\s+(\d+)/m ? $1 : 1;

    wait_for(WAIT, sub {
        @pids = worker_pids($t, qr/^$NAME worker process\b(?! is shutting)/);
        return @pids >= $count;
    });

    return @pids;
}


sub worker_pids {
    my ($t, $title) = @_;
    my ($master) = master($t);
    my (@pids);

    foreach my $dir (glob '/proc/[0-9]*') {
        my $stat = slurp("$dir/stat");
        next unless $stat =~ /^(\d+) \(.*\) \S $master /s;

        my $pid = $1;
        push @pids, $pid if slurp("$dir/cmdline") =~ $title;
    }

    return @pids;
}


# Stops the processes, and waits until they stand still.  One that is about to
# stop still takes the wake-up for a new connection, and the worker that should
# accept it sleeps on.
sub stand_still {
    my (@pids) = @_;

    kill 'STOP', @pids;

    wait_for(WAIT, sub {
        !grep { slurp($_) !~ /^\d+ \(.*\) T /s }
            map { glob "/proc/$_/task/*/stat" } @pids;
    }) or die "@pids: not stopped\n";
}


# What the function returns for each worker: the others stand still meanwhile.
# Connections that nobody directs may all meet the same one.
sub each_worker {
    my ($t, $ask) = @_;
    my (@workers, @got);

    @workers = workers($t);

    foreach my $pid (@workers) {
        my @others = grep { $_ != $pid } @workers;

        stand_still(@others) if @others;
        push @got, $ask->();
        kill 'CONT', @others;
    }

    return @got;
}


# Kills a worker, and waits until another works in its place.  nginx logs an
# alert: the test needs todo_alerts().
sub kill_worker {
    my ($t, $pid, $signal) = @_;

    $signal ||= 'KILL';
    kill $signal, $pid or die "Can't kill worker $pid: $!\n";

    # one that was about to sleep has not looked at a signal that it handles

    wait_for(WAIT, sub {
        return 1 unless grep { $_ == $pid } worker_pids($t, qr/^/);

        kill $signal, $pid;
        return 0;
    }) or die "worker $pid is alive\n";

    return workers($t);
}


# Reloads, and waits until all the new workers are there and all the old ones
# are gone: true, false when that did not happen (a configuration that is
# refused, a request that goes on).
sub reload_wait {
    my ($t) = @_;
    my (%old);

    %old = map { $_ => 1 } workers($t);

    $t->reload();

    wait_for(2 * WAIT, sub {
        !grep { $old{$_} } worker_pids($t, qr/^$NAME worker process\b/);
    }) or return 0;

    return workers($t) > 0;
}


###############################################################################
# The configuration


# (exit, output) of "nginx -t"; the file is nginx.conf unless given.  The
# output has every message down to info, without the times.
sub nginx_t {
    my ($t, $file) = @_;
    my ($dir) = $t->testdir();
    my ($exit, $out, $err);

    ($exit, $out, $err) = run_command([ $Test::Nginx::NGINX, '-t',
        '-p', "$dir/", '-c', $file || 'nginx.conf', '-e', 'stderr' ]);

    # it makes an empty one, and run() in its original form takes that
    # for a running nginx
    unlink "$dir/nginx.pid" if -z "$dir/nginx.pid";

    $err =~ s{^\S+ \S+ (\[\w+\]) \d+\#\d+: }{$1 }mg;

    return ($exit, $out . $err);
}


# What nginx -t says against a configuration that is made of the parts: ''
# where it has nothing to say, otherwise its messages, of warnings and notices
# too: [emerg] is in it exactly where the configuration is refused.
#
#   main, http, server, location   directives for that context
#   listen                         default 127.0.0.1:8080
#
# With server, location or listen there is a server; http may hold others.
sub conf_error {
    my ($t, %part) = @_;
    my ($server, $exit, $output);

    $_ //= '' foreach @part{qw/ main http /};
    $server = '';

    if (grep { defined $part{$_} } qw/ server location listen /) {
        $part{listen} //= '127.0.0.1:8080';
        $_ //= '' foreach @part{qw/ server location /};

        $server = "server {\n"
            . "listen $part{listen};\n"
            . "$part{server}\n"
            . "location / {\n$part{location}\n}\n"
            . "}\n";
    }

    $t->write_file_expand('conf_error.conf', <<"EOC");
%%TEST_GLOBALS%%
$part{main}
events {
}
http {
%%TEST_GLOBALS_HTTP%%
$part{http}
$server
}
EOC

    ($exit, $output) = nginx_t($t, 'conf_error.conf');

    # who only reads must not take what is said for what is done
    die "nginx -t ends with $exit, and says:\n$output"
        if !$exit == ($output =~ /^\[emerg\] /m);

    $output =~ s/^$NAME .* (?:is ok|is successful|test failed)\n//mg;

    return $output;
}


###############################################################################
# error.log


# The lines of error.log that match, once there are at least $count of them
# (1 unless given) or the time is over; with 0 it does not wait.
sub log_lines {
    my ($t, $pattern, $count) = @_;
    my (@lines);

    $count //= 1;

    wait_for(WAIT, sub {
        @lines = grep { $_ =~ $pattern }
            split /\n/, slurp($t->testdir() . '/error.log');
        return @lines >= $count;
    });

    return @lines;
}


# other_alerts($t, SIGNALS...): the alerts in error.log, one a line, but for
# those of workers that ended by one of the signals, 9 unless given: their end,
# and the lock of the zone that they held.
sub other_alerts {
    my ($t, @signals) = @_;
    my ($signal) = join '|', @signals ? @signals : 9;

    return join "\n", log_lines($t, qr/\[alert\](?!.*\ (?:
        worker\ process\ \d+\ exited\ on\ signal\ (?:$signal)
        | zone\ "dm_sec"\ was\ locked\ by\ \d+)$)/x, 0);
}


# words(TEXT...): a pattern of these, as they are, one behind the other
sub words {
    my ($words) = join '.*', map { quotemeta } @_;

    return qr/$words/s;
}


# The refusals in error.log as hashes, with the fields of the line and level;
# an absent value ("-") is undef, others are as they were written.  Waits as
# log_lines() does.
sub denied {
    my ($t, $count) = @_;

    return map { parse_line($_) } log_lines($t, qr/dm_sec: denied /, $count);
}


# the handshakes that failed, in the same form
sub handshake_failures {
    my ($t, $count) = @_;

    return map { parse_line($_) }
        log_lines($t, qr/dm_sec: handshake failed /, $count);
}


# The line of the handshake that fails in the sub, {} where none does.  It may
# be written when the client has seen the alert already.
sub failed_handshake {
    my ($t, $sub) = @_;
    my ($count) = scalar handshake_failures($t, 0);

    $sub->();

    return (handshake_failures($t, $count + 1))[$count] || {};
}


sub parse_line {
    my ($line) = @_;
    my (%field);

    $line =~ /\[(\w+)\].*?dm_sec: (?:denied|handshake failed)/g or return;
    $field{level} = $1;

    while ($line =~ /\G (\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]*))/gc) {
        my $value = $2 // $3;
        $field{$1} = $value eq '-' ? undef : $value;
    }

    return \%field;
}


###############################################################################
# The status page


# status_json([ARGS]): what http://127.0.0.1:8080/status says, with ARGS, as
# "?locked", behind it; it has "dm_sec_status json"
sub status_json {
    my ($args) = @_;

    return JSON::PP::decode_json(http_content(
        http_get('/status' . ($args // ''))));
}


###############################################################################
# The account store: "store" and "store.key" in the test directory


# store($t, realm => R, [owner => USER], [args => [...]]): dm-account init,
# with files that the workers can use; returns the path of the store
sub store {
    my ($t, %o) = @_;
    my ($dir) = $t->testdir();
    my ($owner);

    # workers that are not root must get through the directory
    chmod 0711, $dir or die "Can't chmod $dir: $!\n";

    $owner = $o{owner} || worker_user($t);

    account($t, 'init', '--realm', $o{realm}, '--owner', $owner,
        (-e "$dir/store.key" ? '--share-key' : ()), @{ $o{args} || [] });

    return "$dir/store";
}


sub worker_user {
    my ($t) = @_;

    return scalar getpwuid $> if $>;

    return $1 if $t->test_globals() =~ /(?:^|;)\s*user\s+([\w-]+)/m;

    return 'nobody';
}


# account($t, VERB, arguments, [{ options }]): runs dm-account, dies with what
# it wrote to stderr unless it succeeds, returns its stdout
sub account {
    my ($t, @args) = @_;
    my ($exit, $out, $err);

    ($exit, $out, $err) = dm_account($t, @args);

    pop @args if ref $args[-1];
    die "dm-account @args: exit $exit: $err\n" if $exit;

    return $out;
}


# The same, but returns (exit, stdout, stderr).  Options:
#
#   password  given as --password-file
#   psk       in hexadecimal, given as --psk-file
#   stdin     what it reads, when neither is given
sub dm_account {
    my ($t, @args) = @_;
    my ($o) = ref $args[-1] ? pop @args : {};
    my ($dir) = $t->testdir();
    my ($program, $stdin);

    $program = $ENV{TEST_DM_ACCOUNT} || "$here/../../../build/dm-account";
    $stdin = $o->{stdin};

    if (defined $o->{psk}) {
        $t->write_file('psk', "$o->{psk}\n");
        push @args, '--psk-file', "$dir/psk";
    }

    if (defined $o->{password}) {
        $stdin = "$o->{password}\n";
        push @args, '--password-file', '-';
    }

    return run_command([ $program, '--store', "$dir/store",
        '--key', "$dir/store.key", @args ], stdin => $stdin);
}


###############################################################################
# Clients


# The options of a client that offers a PSK, for keepalive(), https() and
# http(): TLS 1.2 and less with SSL_cipher_list, TLS 1.3.  Net::SSLeay takes the
# key for a number: one that begins with 00 would lose these octets.
sub psk {
    my ($identity, $hex) = @_;

    return (SSL_create_ctx_callback => sub {
        require Net::SSLeay;
        Net::SSLeay::CTX_set_psk_client_callback($_[0],
            sub { return ($identity, $hex) });
    });
}


# The options of a client that remembers its TLS sessions, given to one
# connection after another; all the SSL_... options must be given here.
sub sessions {
    my (%o) = @_;

    require IO::Socket::SSL;

    return (SSL_session_key => 'server',
        SSL_reuse_ctx => IO::Socket::SSL::SSL_Context->new(
            SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_NONE(),
            SSL_ca => [],
            SSL_session_cache_size => 10, %o));
}


# a connection, as in Test::DmSec::Client
sub keepalive {
    my ($port, %o) = @_;

    return Test::DmSec::Client->new(port($port), %o);
}


# persistent(PORT): a sub that takes a request and returns the response, on a
# connection that stays open.  When nginx has closed it before it could see the
# request, the client may send it again (RFC 7230, 6.3.1).
sub persistent {
    my ($port) = @_;
    my ($client, $used);

    return sub {
        my ($request) = @_;
        my ($r);

        if ($used) {
            $r = $client->request($request);
            return $r if defined $r || $client->error() eq 'timeout';
        }

        $client = keepalive($port);
        $r = $client->request($request);
        $used = ($r // '') =~ /^Connection: keep-alive\r$/m;

        return $r;
    };
}


# One request over TLS: (response, info), the response alone in scalar
# context.  The response is undef where there was none.  Options and info are
# those of Test::DmSec::Client.
sub https {
    my ($port, $request, %o) = @_;
    my ($client, $response);

    $client = keepalive($port, SSL => 1, %o);
    $response = $client->request($request);
    $client->close();

    return wantarray ? ($response, $client->info()) : $response;
}


# s_client(PORT, arguments, [{ request => R, timeout => S }]): openssl
# s_client, with -connect already there.  Without a request it ends after the
# handshake, with one when the server closes.
#
#   { exit, response, output (all of it), protocol, cipher (OpenSSL's name),
#     reused }, the last three and response undef where there is none
sub s_client {
    my ($port, @args) = @_;
    my ($o) = ref $args[-1] ? pop @args : {};
    my ($exit, $out, $err, %r);

    ($exit, $out, $err) = run_command([ 'openssl', 's_client',
        '-connect', '127.0.0.1:' . port($port),
        defined $o->{request} ? '-ign_eof' : (), @args ],
        stdin => $o->{request}, open => defined $o->{request},
        timeout => $o->{timeout} || 120);

    %r = (exit => $exit, output => $err . $out);

    return \%r
        unless $out =~ /^(New|Reused), (\S+), Cipher is (?!\(NONE\))(\S+)/m;

    @r{qw/ protocol cipher reused /} = ($2, $3, $1 eq 'Reused');

    # up to TLS 1.2 that line has the version which introduced the suite
    $r{protocol} = $1 if $out =~ /^ +Protocol +: (\S+)/m;

    $r{response} = $1 if $out =~ m{^(HTTP/1\.\d \d.*)}ms;

    return \%r;
}


1;
