package Fleet;

# What the benchmarks of requests share: devices with accounts, and
# bench/load.c, which makes their requests.

use warnings;
use strict;

use Exporter qw/ import /;

use Digest::SHA qw/ sha256_hex /;
use IPC::Open2;
use List::Util qw/ max /;
use POSIX ();
use Time::HiRes qw/ sleep time /;

use Bench qw/ bench_dir port say_progress output slurp spew /;

our @EXPORT_OK = qw/
    make_ca make_store store_conf tls_conf proxy_conf start_load stop_load
    open_connections run_requests run_turns start_changes stop_changes floor
    PLAIN TLS
/;

our %EXPORT_TAGS = (all => \@EXPORT_OK);

use constant {
    CERTIFICATES => 400,

    # of a server with the module, by both ways
    BOTH => <<'EOC',
location /off/ {
    dm_sec_auth off;
    proxy_pass http://behind;
}
location /basic/ {
    dm_sec_auth basic;
    proxy_pass http://behind;
}
location /md5/ {
    dm_sec_auth digest;
    dm_sec_digest_algorithms MD5;
    proxy_pass http://behind;
}
location /sha256/ {
    dm_sec_auth digest;
    dm_sec_digest_algorithms SHA-256;
    proxy_pass http://behind;
}

# the same, where nginx itself answers
location /gif-basic/ {
    dm_sec_auth basic;
    empty_gif;
}
location /gif-sha256/ {
    dm_sec_auth digest;
    dm_sec_digest_algorithms SHA-256;
    empty_gif;
}
EOC
};

use constant {
    # in the clear
    PLAIN => <<'EOC' . BOTH,
dm_sec_profile off;
dm_sec_plaintext_auth on;
EOC

    # and over TLS, where there are more methods
    TLS => BOTH . <<'EOC',
location /x509/ {
    dm_sec_auth x509;
    proxy_pass http://behind;
}
location /psk/ {
    dm_sec_auth psk;
    proxy_pass http://behind;
}
EOC
};

my ($pid, $in, $out, $changes);


###############################################################################
# Certificates and accounts


sub make_ca {
    my ($dir) = @_;

    say_progress('certificates');

    foreach my $name (qw/ ca device /) {
        output(qw/ openssl genpkey -algorithm EC -pkeyopt
            ec_paramgen_curve:P-256 -out /, "$dir/$name.key");
    }

    output(qw/ openssl req -x509 -new -days 2 -subj /, '/CN=localhost',
        '-key', "$dir/ca.key", '-out', "$dir/ca.crt");
    output(qw/ openssl req -x509 -new -newkey rsa:2048 -nodes -days 2 -subj /,
        '/CN=localhost', '-keyout', "$dir/server.key", '-out',
        "$dir/server.crt");
}


# the accounts 0 to $accounts - 1, as bench/load.c knows them
sub make_store {
    my ($dir, $accounts, $devices, $dm_account) = @_;
    my ($fingerprint, $file, @store);

    $fingerprint = make_certificates($dir, $accounts, $devices);
    say_progress("store of $accounts");

    $file = "$dir/accounts-$accounts.jsonl";
    open my $fh, '>', $file or die "Can't create $file: $!\n";

    foreach my $number (0 .. $accounts - 1) {
        my $cert = $fingerprint->{$number} || sha256_hex("nobody's $number");
        my $psk = sha256_hex(sprintf 'key%06u', $number);

        # to encode each of a million takes a minute
        printf {$fh} '{"id":"id-%06u","name":"device%06u",'
            . '"password":"password%06u","cert_keys":["sha256:%s"],'
            . '"psk":[{"identity":"psk%06u","key":"%s"}]}' . "\n",
            ($number) x 3, $cert, $number, $psk;
    }

    close $fh or die "Can't write $file: $!\n";

    @store = ($dm_account, '--store', "$dir/store-$accounts",
        '--key', "$dir/store-$accounts.key");
    output(@store, qw/ init --realm bench --owner /, scalar getpwuid $>);
    output(@store, 'import', $file);
    unlink $file;
}


# { number of an account => fingerprint of its certificate }, for those that
# have one; they share a key: it is not the handshake that is measured
sub make_certificates {
    my ($dir, $accounts, $devices) = @_;
    my (%numbers, $out);

    # the same accounts in each run
    srand(1);

    $numbers{int rand $accounts} = 1 foreach 1 .. CERTIFICATES;

    $out = output($devices, "$dir/ca.crt", "$dir/ca.key", "$dir/device.key",
        sort { $a <=> $b } keys %numbers);
    spew("certs-$accounts.pem", $out);

    return { $out =~ /^(\d+) ([0-9a-f]{64})$/mg };
}


###############################################################################
# Configurations


sub store_conf {
    my ($dir, $accounts) = @_;

    return <<"EOC";
dm_sec_account_store $dir/store-$accounts;
dm_sec_store_key $dir/store-$accounts.key;
dm_sec_profile dm20;
dm_sec_digest_nonce_lifetime 1h;
EOC
}


sub tls_conf {
    my ($dir) = @_;

    return <<"EOC";
ssl_certificate $dir/server.crt;
ssl_certificate_key $dir/server.key;
ssl_client_certificate $dir/ca.crt;
ssl_verify_client optional;
EOC
}


# the way to the server behind, which is bench/load.c
sub proxy_conf {
    my $port = port('behind');

    return <<"EOC";
client_header_timeout 1h;
keepalive_requests 1000000000;
keepalive_timeout 1h;
proxy_http_version 1.1;
proxy_set_header Connection "";

upstream behind {
    server 127.0.0.1:$port;
    keepalive 16;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
}
EOC
}


# the configuration of nginx without the module, outside of a server and in it:
# /bare/, and what is in /floor/ and /session/ as constant as it can be
sub floor {
    my ($transport) = @_;
    my %header = (
        'DM-Client-ID' => 'id-nobody',
        'DM-Account-Name' => 'device000000',
        'DM-Auth-Method' => 'digest',
        $transport eq 'tls' ? (
            'DM-TLS-Protocol' => 'TLSv1.2',
            'DM-TLS-Cipher' => 'RSA-PSK-AES128-GCM-SHA256',
        ) : (),
        Authorization => '',
    );
    my $headers = join "\n    ", 'proxy_set_header Connection "";', map {
        qq{proxy_set_header $_ "$header{$_}";}
    } sort keys %header;

    # as long as the module's nonces
    my $challenge = join ', ', 'Digest realm="bench"', 'qop="auth"',
        'algorithm=SHA-256', 'nonce="' . '0' x 64 . '"';

    return <<"EOO", <<"EOC";
map \$http_authorization \$information_$transport {
    default "";
    ~^Digest 'rspauth="@{[ '0' x 64 ]}", qop=auth, cnonce="c", nc=00000001';
}
EOO
location /bare/ {
    proxy_pass http://behind;
}
location /floor/ {
    $headers
    add_header Authentication-Info \$information_$transport;
    proxy_pass http://behind;
}
location /session/ {
    if (\$http_authorization = "") {
        add_header WWW-Authenticate '$challenge' always;
        return 401;
    }
    $headers
    add_header Authentication-Info \$information_$transport;
    proxy_pass http://behind;
}
EOC
}


###############################################################################
# Requests


# with the words that come before a command, as taskset's
sub start_load {
    my ($dir, $load, @before) = @_;

    $pid = open2($out, $in, @before, $load, port('behind'),
        "$dir/device.key");
    $in->autoflush(1);
}


sub stop_load {
    close $in;
    close $out;
    waitpid $pid, 0;
}


sub open_connections {
    my ($server, $port, $pid, $accounts, $n, $certs) = @_;

    command("open $server $port $pid $accounts $n " . ($certs || ''));
}


# the words are those that bench/load.c takes
sub run_requests {
    command("run @_");
}


# a list of [ nanoseconds of the one, of the other, times disturbed ]
sub run_turns {
    my (@numbers) = split ' ', command("turns @_");

    return map { [ @numbers[3 * $_ .. 3 * $_ + 2] ] } 0 .. $#numbers / 3;
}


# changes accounts at random, one at a time and each in a transaction of its
# own, from that CPU and so many times a second
sub start_changes {
    my ($dir, $accounts, $dm_account, $cpu, $rate) = @_;

    $changes = fork();
    die "Can't fork: $!\n" unless defined $changes;
    return if $changes;

    open STDERR, '>', "$dir/stderr-changes" or POSIX::_exit(126);

    eval {
        output('taskset', '-p', '-c', $cpu, $$);
        change($dir, $accounts, $rate, $dm_account, '--store',
            "$dir/store-$accounts", '--key', "$dir/store-$accounts.key");
    };

    print STDERR $@ if $@;
    POSIX::_exit($@ ? 1 : 0);
}


sub change {
    my ($dir, $accounts, $rate, @store) = @_;
    my ($ended, $done, $next, $from, $to, $batch) = (0, 0, time());

    local $SIG{TERM} = sub { $ended = 1 };

    $batch = open2($from, $to, @store, 'batch');
    $to->autoflush(1);

    until ($ended) {
        printf {$to} qq({"verb":"unlock","id":"id-%06u"}\n),
            int rand $accounts;
        (readline($from) // '') =~ /unlocked/ or die "a change failed\n";
        $done++;

        # where one took long, those that follow are no faster for it
        $next = max($next + 1 / $rate, time());
        sleep(max($next - time(), 0));
    }

    close $to;
    waitpid $batch, 0;
    spew('changes', $done);
}


# how many were done
sub stop_changes {
    my ($dir) = @_;

    kill 'TERM', $changes;
    waitpid $changes, 0;
    die slurp("$dir/stderr-changes") if $?;

    return slurp("$dir/changes");
}


sub command {
    my ($line) = @_;

    print {$in} "$line\n";

    return readline($out) // die "bench/load.c ended at: $line\n";
}


1;
