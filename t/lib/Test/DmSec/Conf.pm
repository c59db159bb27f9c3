package Test::DmSec::Conf;

# An nginx.conf that serves from an account store.  What is the same in many
# tests is here; what a test is about stands in the test.

use warnings;
use strict;

use Exporter qw/ import /;

use Test::DmSec::Process qw/ slurp /;

our @EXPORT_OK = qw/ conf example example_part files psk_only psk_sessions /;


# conf($t, HTTP, %options): writes nginx.conf, expanded as by
# $t->write_file_expand(), which is
#
#   %%TEST_GLOBALS%%
#   daemon off;
#   MAIN
#
#   events {
#   }
#
#   http {
#       %%TEST_GLOBALS_HTTP%%
#       dm_sec_account_store %%TESTDIR%%/store;
#       dm_sec_store_key     %%TESTDIR%%/store.key;
#       HTTP
#   }
#
# Options:
#
#   main     the lines MAIN, none unless given
#   globals  instead of %%TEST_GLOBALS%%
#   store    the store's name, "store" unless given
sub conf {
    my ($t, $http, %o) = @_;
    my ($globals) = $o{globals} // '%%TEST_GLOBALS%%';
    my ($main) = $o{main} // '';
    my ($store) = $o{store} // 'store';

    $http =~ s/^(?=.)/    /mg;

    $t->write_file_expand('nginx.conf', <<"EOF_CONF");

$globals

daemon off;
$main

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    dm_sec_account_store %%TESTDIR%%/$store;
    dm_sec_store_key     %%TESTDIR%%/store.key;

$http
}

EOF_CONF
}


# A server for conf(), on port 8080: in the clear, by Basic, it gives what is in
# the test's directory.  LINES are its, too.
sub files {
    my ($lines) = @_;

    $lines //= '';

    return <<"EOF_SERVER";

server {
    listen       127.0.0.1:8080;
    server_name  localhost;

    root %%TESTDIR%%;
    $lines

    dm_sec_plaintext_auth on;
    dm_sec_auth           basic;
}

EOF_SERVER
}


# A server for conf(), on port 8443: TLS, with the certificate "rsa", and 204
# for who has a pre-shared key.
sub psk_only {
    return <<'EOF_SERVER';

server {
    listen       127.0.0.1:8443 ssl;
    server_name  localhost;

    ssl_certificate      rsa.crt;
    ssl_certificate_key  rsa.key;

    dm_sec_profile modern dm20;
    dm_sec_auth    psk;

    return 204;
}

EOF_SERVER
}


# For conf(): TLS with a pre-shared key, or a certificate of "ca", and what it
# keeps of that in sessions.  All servers pass on to the upstream on 8081, which
# sees X-Identity and X-Reused; their certificate is "rsa", their tickets are
# sealed with "ticket.key".  Two servers are here: 8443 gives tickets alone,
# 8444 has a cache alone.
sub psk_sessions {
    return <<'EOF_HTTP';

ssl_certificate      rsa.crt;
ssl_certificate_key  rsa.key;

ssl_client_certificate  ca.crt;
ssl_verify_client       optional;

# the same for all workers, and after a reload
ssl_session_ticket_key  ticket.key;

dm_sec_profile modern dm20;
dm_sec_auth    psk x509;

proxy_set_header X-Identity $dm_sec_psk_identity;
proxy_set_header X-Reused   $ssl_session_reused;

# tickets

server {
    listen       127.0.0.1:8443 ssl;
    server_name  localhost;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }
}

# a cache; in TLS 1.3 a ticket is a session's id then

server {
    listen       127.0.0.1:8444 ssl;
    server_name  localhost;

    ssl_session_tickets off;
    ssl_session_cache   shared:SSL:1m;

    location / {
        proxy_pass http://127.0.0.1:8081;
    }
}

EOF_HTTP
}


# Of conf-examples: the text of a whole file with what is the test's own in the
# place of the machine's, for $t->write_file_expand().  Port 443 is 8443, 80 is
# 8080, and the others have their last three digits behind an 8.
sub example {
    my ($t, $file) = @_;
    my ($d) = $t->testdir();
    my ($conf) = example_part($t, $file);

    $conf =~ s/^(?:user|worker_processes|load_module|pid|error_log)\s.*\n//mg;
    $conf =~ s/^http \{\n/http {\n    %%TEST_GLOBALS_HTTP%%
    error_log $d\/error.log info;\n/m;

    return "%%TEST_GLOBALS%%\ndaemon off;\n$conf";
}


# the same of a file that others include
sub example_part {
    my ($t, $file) = @_;
    my ($d) = $t->testdir();
    my ($conf) = slurp("../conf-examples/$file");

    die "there is no conf-examples/$file\n" if $conf eq '';

    $conf =~ s{/(?:etc/nginx/dm|var/log/nginx)/}{$d/}g;
    $conf =~ s{/(?:var/lib|etc)/dm-sec/(?=store)}{$d/}g;
    $conf =~ s/\blisten\s+\K(?:\S+:)?(\d+)/'127.0.0.1:' . test_port($1)/ge;

    return $conf;
}


# of those that Test::Nginx replaces
sub test_port {
    my ($port) = @_;

    return $port == 443 ? 8443 : $port == 80 ? 8080 : 8000 + $port % 1000;
}


1;
