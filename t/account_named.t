#!/usr/bin/perl

# Tests for dm-account: an account that is named by its user name, a PSK
# identity, a certificate key or a certificate, instead of its ID.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use Digest::SHA qw/ sha256_hex /;
use JSON::PP;

use lib 'lib';
use Test::DmAccount;
use Test::DmSec::Preload qw/ preload /;

###############################################################################

my @verbs = qw/ show disable enable unlock del /;
my $uri = 'san:URI:urn:dev:1';
my $psk = secret('psk', '0123456789abcdef' x 4);
my $pw = secret('pw', "right\n");

done("init --realm r --owner $me --map-size 16m", '', 'init');

for my $cn (qw/ one two /) {
    # the program's own library, whichever the tests are run on
    system('env -u LD_LIBRARY_PATH openssl req -x509 -newkey ec '
        . '-pkeyopt ec_paramgen_curve:P-256 '
        . "-nodes -subj /O=x/CN=$cn -addext subjectAltName=URI:urn:dev:$cn "
        . "-keyout $d/$cn.key -out $d/$cn.crt 2>/dev/null") == 0
        or die "openssl req failed\n";
}

done("add IMEI:1 --name alice --password-file $pw --psk-identity dev-1 "
    . "--psk-file $psk --cert-key $uri --cert-key sha256:" . 'AB' x 32, '',
    'add');
done('add IMEI:2 --name bob --cert-key subject:CN=two,O=x', '', 'add another');
done(['add', 'IMEI:3', '--name', "caf\xc3\xa9"], '', 'add a third');

my %by = (
    'name' => 'alice',
    'psk-identity' => 'dev-1',
    'cert-key' => 'SHA256:' . join(':', ('Ab') x 32),
);

for my $option (sort keys %by) {
    my ($value) = $by{$option};

    is(json([ 'show', "--$option", $value ], "show --$option")->{id},
        'IMEI:1', "show --$option: whose it is");
    is(json([ 'show', "--by-$option", $value ], "show --by-$option")->{id},
        'IMEI:1', "show --by-$option: whose it is");

    done([ 'list', "--$option", $value ], qr/\AIMEI:1  .*\n\z/,
        "list --$option");

    for my $verb (qw/ disable enable unlock /) {
        done([ $verb, "--$option", $value ], qr/\A${verb}e?d "IMEI:1"\n\z/,
            "$verb --$option");
    }

    done([ 'set', "--by-$option", $value, '--not-after',
        '2040-01-01T00:00:00Z' ], qr/^set "IMEI:1", name "alice"/,
        "set --by-$option");
    is(run([ 'verify', "--$option", $value, '--password-file', $pw ])->{out},
        "verified \"IMEI:1\" by MD5, SHA-512-256, SHA-256\n" =~ s/ by.*//sr
        . run([ 'verify', 'IMEI:1', '--password-file', $pw ])->{out}
        =~ s/^verified "IMEI:1"//r, "verify --$option");
}

# set gives new values by the options that name an account elsewhere

done('set --by-name bob --name bobby --psk-identity dev-2 --psk-file '
    . "$psk --cert $d/one.crt --cert-key san:DNS:two", qr/name "bobby"/,
    'set: the old name and the new one');
is_deeply(show('IMEI:2')->{cert_keys}, [ 'subject:CN=two,O=x',
    'sha256:' . fingerprint('one'), 'san:DNS:two' ], 'set: the new keys');
usage('set --name bobby --disabled', 'write --by-name',
    'set: --name names no account');
usage('set --by-name bobby', 'nothing to set', 'set: nothing to set');
refused('set --by-name bob --disabled', 'no account has the user name "bob"',
    'set: the old name is gone');

# a certificate finds its account by whatever key of it is bound

is(json("show --cert $d/two.crt", 'show --cert')->{id}, 'IMEI:2',
    'a certificate, by its subject');
is(json("show --cert $d/one.crt", 'show --cert')->{id}, 'IMEI:2',
    'a certificate, by its fingerprint');
done("set --by-name caf\xc3\xa9 --cert-key san:URI:urn:dev:two", '', 'set');
refused("show --cert $d/two.crt", 'has keys of two accounts, '
    . 'san:URI:urn:dev:two of "IMEI:3" and subject:CN=two,O=x of "IMEI:2": '
    . 'name the account by one of them with --cert-key',
    'a certificate of two accounts');
refused("set --by-cert $d/two.crt --disabled", 'with --by-cert-key',
    'the same of set');
done("set IMEI:3 --drop-cert-key san:URI:urn:dev:two", '', 'drop');
done('disable --cert -', qr/^disabled "IMEI:2"/, 'a certificate from stdin',
    content("$d/one.crt"));
refused("disable --cert $d/none.crt", 'none.crt', 'no certificate');
refused("show --cert-key sha256:00", '64 hex digits', 'no certificate key');
usage('verify --cert - --password-file -', 'only one option can read stdin',
    'verify: two from stdin');
usage('set --by-cert - --password-file -', 'only one option can read stdin',
    'set: two from stdin');

# one account, named once

for my $verb (@verbs) {
    usage("$verb IMEI:1 --name alice", 'is named twice', "$verb: an ID too");
    usage("$verb --name alice --cert-key $uri", 'is named twice',
        "$verb: by two");
    usage("$verb --name alice --name alice", 'is named twice',
        "$verb: by one twice");
    usage($verb, 'an account\'s ID is needed, or --name, --psk-identity, '
        . '--cert-key or --cert', "$verb: by nothing");
    refused("$verb --name nobody", 'no account has the user name "nobody"',
        "$verb: a name of nobody");
}

usage('set IMEI:1 --by-name alice --disabled', 'is named twice', 'set: twice');
usage('list --name alice --cert-key x', 'is named twice', 'list: by two');
usage('add x --by-name y', 'unknown', 'add takes no such option');
refused([ 'show', '--name', '' ], 'no account has the user name ""',
    'an empty name');

# an empty list is a list; other filters hold too

done('list --name nobody', qr/\A\z/, 'list: a name of nobody');
done('list --name alice --state disabled', qr/\A\z/, 'list: two filters');
is(scalar(list('--name alice --state active')), 1, 'list: both hold');

# a name in the place of another says so

my @mistaken = (
    [ 'show alice', 'no account "alice": that is the user name of "IMEI:1": '
        . 'write --name, or its ID' ],
    [ 'set alice --disabled', 'write --by-name, or its ID' ],
    [ 'del dev-1', 'that is a PSK identity of "IMEI:1": write '
        . '--psk-identity, or its ID' ],
    [ "unlock $uri", 'that is a certificate key of "IMEI:1": write '
        . '--cert-key, or its ID' ],
    [ 'disable SHA256:' . 'AB' x 32, 'a certificate key of "IMEI:1"' ],
    [ 'show --name dev-1', 'no account has the user name "dev-1": that is a '
        . 'PSK identity of "IMEI:1": write --psk-identity, or its ID' ],
    [ 'show --psk-identity imei:1', 'no account has the PSK identity '
        . '"imei:1": that is the ID of "IMEI:1": write its ID' ],
    [ 'show caf\xC3\xA9', 'with \xHH as in a log, that is the user name of '
        . "\"IMEI:3\": write --name, or its ID" ],
    [ 'show --name caf\xc3\xa9', 'with \xHH as in a log, that is the user '
        . 'name of "IMEI:3"' ],
    [ 'verify alice --password-file ' . $pw, 'that is the user name of' ],
    [ 'provision alice', 'that is the user name of "IMEI:1": write its ID' ],
);

refused($_->[0], $_->[1], "mistaken: $_->[0]") for @mistaken;

is(json('show IMEI:1', 'show')->{state}, 'active', 'nothing was changed');

# syslog names the account that was found

SKIP: {

skip 'no mount namespace', 2
    if $> != 0 || system('unshare -m true 2>/dev/null') != 0;

my $log = listen_log();
private("$bin unlock --name alice; $bin unlock --name nobody");
my ($first, $second) = messages($log);
like($first, qr/verb=unlock id="IMEI:1"/, 'syslog: its ID');
like($second, qr/id="-" .* refused reason=.* user name .x22nobody/,
    'syslog: who was looked for');

}

# looked up, not searched: as many look-ups among many as among few

my $calls = preload($d, 'calls', <<"EOF");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned long  calls;

#define COUNT(name)                                                           \\
    int                                                                       \\
    name(void *a, void *b, void *c, long d)                                   \\
    {                                                                         \\
        calls++;                                                              \\
        return ((int (*)(void *, void *, void *, long))                       \\
                dlsym(RTLD_NEXT, #name))(a, b, c, d);                         \\
    }

COUNT(mdb_get)
COUNT(mdb_cursor_get)

__attribute__((destructor)) static void
tell(void)
{
    FILE  *out;

    out = fopen("$d/calls.said", "w");
    fprintf(out, "%lu", calls);
    fclose(out);
}
EOF

my @looked = ([qw/ show --name alice /], [qw/ show --psk-identity dev-1 /],
    [ 'show', '--cert-key', $uri ], [ 'show', '--cert', "$d/one.crt" ],
    [qw/ list --name alice /], [qw/ disable --name alice /],
    [qw/ set --by-name alice --not-after /, '' ],
    [ 'verify', '--name', 'alice', '--password-file', $pw ],
    [qw/ show alice /]);

my @few = map { counted(@$_) } @looked;
my $few = counted('list');

done('import -', qr/2000 added/, 'import', join('', map {
    encode_json({ id => "many-$_" }) . "\n" } 1 .. 2000));

cmp_ok(counted('list'), '>=', $few + 2000, 'list reads them all');

for my $i (0 .. $#looked) {
    cmp_ok(counted(@{$looked[$i]}), '<=', $few[$i],
        "$looked[$i][0] $looked[$i][1] among many");
}

done('del --cert-key ' . $uri, qr/^deleted "IMEI:1"/, 'del');
refused('show IMEI:1', 'no account "IMEI:1"', 'it is deleted');

done_testing();

###############################################################################

# the calls that read in LMDB
sub counted {
    my (@args) = @_;

    unlink("$d/calls.said");
    system({ 'sh' } 'sh', '-c', 'LD_PRELOAD="$0" "$@" >/dev/null 2>&1',
        $calls, $bin, @args);

    return content("$d/calls.said");
}

sub fingerprint {
    my ($name) = @_;
    return sha256_hex(scalar(`openssl x509 -in $d/$name.crt -outform DER`));
}

###############################################################################
