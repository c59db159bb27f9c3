#!/usr/bin/perl

# Tests for the thread pool of slow hashes: it is there only where there can be
# such a hash, and when it takes no more work the answer says so.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ account basic denied header keepalive reload_wait request
    status store wait_for workers /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http rewrite/)->plan(8);

my $conf = <<'EOC';

%%TEST_GLOBALS%%

daemon off;

events {
}

%%POOL%%

http {
    %%TEST_GLOBALS_HTTP%%

    dm_sec_account_store  store;
    dm_sec_store_key      store.key;
    dm_sec_password_cache 0;
    dm_sec_hash_threads   8;
    dm_sec_log_limit      off;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_auth            %%AUTH%%;
        dm_sec_plaintext_auth  on;

        location / {
            root %%TESTDIR%%;
        }
    }
}

EOC

store($t, realm => 'dm.example.com');
account($t, 'add', 'urn:slow', '--name', 'slow', '--slow-hash',
    { password => 'secret' });

$t->write_file('index.html', '');

# a pool where nothing waits: as if others had filled its queue

configure('thread_pool default threads=1 max_queue=0;', 'basic');
$t->run();

###############################################################################

# many at once, until some are refused

my (%status, @refused);

wait_for(30, sub {
    foreach my $r (at_once(8)) {
        $status{status($r)}++;
        push @refused, $r if status($r) == 503;
    }

    return @refused;
});

is(join(' ', grep { $_ != 200 } keys %status), '503', 'refused: 503');
like(header($refused[0], 'Retry-After') // '', qr/^\d+$/, 'Retry-After');
is(join(' ', map { $_->{reason} } denied($t, scalar @refused)),
    join(' ', map { 'overloaded' } @refused),
    'it is not the store that fails');

configure('', 'digest basic');
ok(reload_wait($t), 'reload');
is(status((at_once(1))[0]), 200, 'a pool of nginx: 200');
cmp_ok(threads(), '>', 1, 'it has threads');

configure('', 'digest');
ok(reload_wait($t), 'reload');
is(threads(), 1, 'no thread where there is no slow hash');

undef $t;

###############################################################################

sub configure {
    my ($pool, $auth) = @_;

    $t->write_file_expand('nginx.conf',
        $conf =~ s/%%POOL%%/$pool/r =~ s/%%AUTH%%/$auth/r);
}


# the answers to so many requests, each on a connection of its own
sub at_once {
    my ($n) = @_;
    my (@clients) = map { keepalive(8080) } 1 .. $n;

    $_->send(request('GET', '/index.html', 'Connection: close',
        basic('slow', 'secret'))) foreach @clients;

    return map { $_->response() } @clients;
}


# of one worker
sub threads {
    my ($pid) = workers($t);

    return scalar(my @tasks = glob "/proc/$pid/task/*");
}

###############################################################################
