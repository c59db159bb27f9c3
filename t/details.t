#!/usr/bin/perl

# Tests for the details of reasons: the log and a counter tell what was wrong
# with credentials, and the client is answered the same.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http empty_gif/)
    ->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log %%TESTDIR%%/error.log info;

    dm_sec_account_store  %%TESTDIR%%/store;
    dm_sec_store_key      %%TESTDIR%%/store.key;
    dm_sec_plaintext_auth on;
    dm_sec_lockout        off;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        dm_sec_auth               basic digest;
        dm_sec_digest_algorithms  MD5 SHA-256;

        location / {
            empty_gif;
        }

        location /int {
            dm_sec_digest_qop auth-int;
            empty_gif;
        }

        location /status {
            dm_sec_auth   off;
            dm_sec_status json;
        }
    }
}

EOF_CONF

store($t, realm => 'r', args => [ '--map-size', '1m' ]);
account($t, 'add', 'IMEI:1', '--name', 'alice', { password => 'right' });
account($t, 'add', 'IMEI:2', '--name', 'keyless', '--disabled');

my $first = 'Authorization: Digest username="alice", realm="r", nonce="", '
    . 'uri="/", response=""';

# reason, detail, what is claimed, level, and the lines of the request

my @table = (
    [ 'bad_credentials', 'unknown_name', 'nobody', 'error',
        basic('nobody', 'right') ],
    [ 'bad_credentials', 'wrong_password', 'alice', 'error',
        basic('alice', 'wrong') ],
    [ 'bad_credentials', 'no_password', 'keyless', 'error',
        basic('keyless', 'right') ],
    [ 'bad_credentials', 'unknown_name', 'nobody', 'error',
        { user => 'nobody' } ],
    [ 'bad_credentials', 'wrong_password', 'alice', 'error',
        { password => 'wrong' } ],
    [ 'bad_credentials', 'wrong_realm', 'alice', 'error',
        { set => { realm => 'other' } } ],
    [ 'bad_credentials', 'lacks_algorithm', 'keyless', 'error',
        { user => 'keyless' } ],
    [ 'stale_nonce', 'other_node', 'alice', 'info',
        { nonce => 'A' x 64 } ],
    [ 'malformed', 'base64', undef, 'error', 'Authorization: Basic !' ],
    [ 'malformed', 'no_value', undef, 'error', 'Authorization: Basic' ],
    [ 'malformed', 'no_colon', undef, 'error',
        'Authorization: Basic YWxpY2U=' ],
    [ 'malformed', 'empty_name', undef, 'error', basic('', 'right') ],
    [ 'malformed', 'nc', 'alice', 'error', { set => { nc => 'x' } } ],
    [ 'malformed', 'response', 'alice', 'error',
        { set => { response => 'x' } } ],
    [ 'malformed', 'unknown_qop', 'alice', 'error',
        { set => { qop => 'x' } } ],
    [ 'malformed', 'unknown_algorithm', 'alice', 'error',
        { set => { algorithm => 'x' } } ],
    [ 'malformed', 'not_accepted', 'alice', 'error',
        { set => { qop => 'auth-int' } } ],
    [ 'malformed', 'uri', 'alice', 'error', { set => { uri => '/x' } } ],
    [ 'malformed', 'twice', 'alice', 'error', "$first, nonce=\"\"" ],
    [ 'malformed', 'missing', 'alice', 'error',
        'Authorization: Digest username="alice"' ],
    [ 'malformed', 'empty_nonce', 'alice', 'error', { nonce => '' } ],
    [ 'malformed', 'first_request', 'alice', 'info', $first ],
    [ 'malformed', 'scheme', undef, 'error', "Authorization: Digest\tx" ],
    [ 'malformed', 'syntax', undef, 'error',
        'Authorization: Digest username="alice' ],
    [ 'malformed', 'two_names', 'alice', 'error',
        "$first, username*=UTF-8''alice" ],
    [ 'malformed', 'too_long', 'n' x 128, 'error',
        $first =~ s/alice/'n' x 1025/er ],
    [ 'malformed', 'no_qop', 'alice', 'error', $first =~ s/response=""/
        'response="' . 'a' x 32 . '"'/er =~ s/nonce=""/nonce="x"/r ],
    [ 'malformed', 'userhash', 'alice', 'error',
        { set => { userhash => 'maybe' } } ],
    [ 'malformed', 'username', 'alice', 'error',
        $first =~ s/username="alice"/username*=alice/r ],
);

$t->plan(2 * @table + 4)->run();

###############################################################################

my $none = keepalive(8080)->request(request('GET', '/'));
my ($challenge) = challenges($none);
my $lines = 1;
my %count;

foreach (@table) {
    my ($reason, $detail, $claimed, $level, $line) = @$_;

    $line = digest({ %$challenge,
        exists $line->{nonce} ? (nonce => $line->{nonce}) : () },
        user => 'alice', password => 'right', uri => '/', method => 'GET',
        %$line) if ref $line;
    $line = "Authorization: $line" unless $line =~ /^Authorization/;

    my $r = keepalive(8080)->request(request('GET', '/', $line));

    is_deeply([ @{ (denied($t, ++$lines))[-1] }{
        qw/ reason detail claimed level / } ],
        [ $reason, $detail, $claimed, $level ], "$reason $detail");

    # the client is answered as one that sent nothing, or with a bare 400

    is(octets($r), status($r) == 401 ? octets($none) : octets($r)
        =~ s/^WWW-Authenticate.*\n//mgr, "$reason $detail, to the client");

    $count{$detail}++;
}

# a body that was changed on the way

my $c = keepalive(8080);
my ($int) = challenges($c->request(request('POST', '/int',
    { body => 'one' })));
my %post = (user => 'alice', password => 'right', uri => '/int',
    method => 'POST', qop => 'auth-int', body => 'one');

foreach ([ 'two', 'body_or_password' ], [ 'one', undef ],
    [ 'two', 'body_changed' ])
{
    my ($body, $detail) = @$_;
    my $before = denied($t, 0);

    $post{nc}++;
    $c->request(request('POST', '/int', digest($int, %post),
        { body => $body }));

    my @new = (denied($t, 0))[$before .. denied($t, 0) - 1];

    is(@new ? $new[-1]{detail} : undef, $detail,
        'auth-int, ' . ($detail // 'right'));
}

# each detail is provoked by a test, here or where it takes more

my $tests = join '', map { read_of($_) } grep { !/account_explain/ }
    glob '*.t';

is(join(' ', grep { $tests !~ /\b$_'/ && $tests !~ /detail=$_\b/ }
    read_of('../src/ngx_dm_sec_detail.c')
    =~ /(?:ngx_string\(|DM_MALFORMED_\w+, *)"(\w+)"/g), '',
    'each detail has a test');

###############################################################################

sub read_of {
    my ($file) = @_;

    open my $fh, '<:raw', $file or die "Can't open $file: $!\n";
    local $/;

    return scalar <$fh>;
}

# without what is another in each answer
sub octets {
    my ($r) = @_;

    return $r =~ s/^Date: .*\n//mr =~ s/ nonce="[^"]*"//gr
        =~ s/, stale=true//gr;
}

###############################################################################
