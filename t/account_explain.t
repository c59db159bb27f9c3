#!/usr/bin/perl

# Tests for dm-account explain: a line of the log in words.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use JSON::PP;

use lib 'lib';
use Test::DmAccount;

###############################################################################

my $psk = secret('psk', '0123456789abcdef' x 4);
my $fp = 'sha256:' . 'ab' x 32;

done("init --realm r --owner $me --map-size 16m", '', 'init');
done("add IMEI:1 --name alice --psk-identity dev-1 --psk-file $psk "
    . "--cert-key $fp --disabled", '', 'add');
done([ 'add', 'IMEI:2', '--name', "caf\xc3\xa9", '--cert-key',
    "subject:CN=J\xc3\xbcrg\\, x" ], '', 'add another');

done([ 'add', 'IMEI:3', '--name', 'dev-1', '--cert-key',
    'subject:CN=a subject:b', '--cert-key', 'issuer-serial:CN=a subject:b#01' ],
    '', 'add one whose name is a PSK identity, and with odd keys');

# each reason that the module knows is explained

my @refusals = names('answer');
my @handshakes = names('handshake');

cmp_ok(scalar(@refusals), '>=', 26, 'reasons of refusals');
cmp_ok(scalar(@handshakes), '>=', 7, 'reasons of handshakes');

my @told = map { eval { decode_json($_) } || {} } split /\n/,
    run('explain --json', join('', map({ line("reason=$_") } @refusals),
    map { handshake("reason=$_") } @handshakes))->{out};

is(join(' ', map { $_->{reason} // '' } @told), "@refusals @handshakes",
    'all lines are read');
ok($_->{happened} && $_->{todo}, "$_->{reason} is explained") for @told;

# and each detail, of a reason that is there, and no other

my @details = details();
my %words;

cmp_ok(scalar(@details), '>=', 48, 'details');

@told = map { eval { decode_json($_) } || {} } split /\n/, run('explain --json',
    join '', map { line("reason=$_->[1] detail=$_->[0]") } @details)->{out};

is(join(' ', map { "$_->{reason} " . ($_->{detail} // '') } @told),
    join(' ', map { "$_->[1] $_->[0]" } @details), 'all details are read');
is(join(' ', map { $_->{detail} } grep { !$_->{detail_means} } @told), '',
    'all details have words');
$words{$_->{detail_means} // ''}++ for @told;
is(join(' ', grep { $words{$_} > 1 } sort keys %words), '',
    'and words of their own');

my $advice = content('../src/core/dm_advice.c');
my %known = map { $_ => 1 } map({ "$_->[1] $_->[0]" } @details), @refusals,
    @handshakes;
is(join(', ', grep { !$known{$_} } map { s/", "?|"/ /gr =~ s/ NULL//r =~ s/ $//r
    =~ s/^ //r } $advice =~ /^    \{ ("\w+", (?:"\w+"|NULL)),$/mg), '',
    'nor is one there that is none');

# what they name is there: directives, verbs, and options of these verbs

my %nginx = map { $_ => 1 } qw/ ssl_client_certificate ssl_crl ssl_verify_depth
    ssl_ocsp ssl_ocsp_responder ssl_early_data large_client_header_buffers
    client_header_timeout /;
my %directive = map { $_ => 1 } content('../ngx_dm_sec_module.c')
    =~ /ngx_string\("(dm_sec_\w+)"\)/g;
my %text = map { $_ => content($_) =~ s/"\n\s*"//gr =~ s!/\*.*?\*/!!gsr }
    '../src/core/dm_advice.c', '../src/ngx_dm_sec_health.c';

is(join(' ', grep { !$nginx{$_} && !$directive{$_} } map {
    /\b((?:ssl|large|client|dm_sec)_\w+)/g } $text{'../src/core/dm_advice.c'}),
    '', 'each directive is there');

my %verbs;

for my $s (values %text) {
    while ($s =~ /(?<!the )dm-account (\w+)([^`"\n;]*)/g) {
        my ($verb, $rest) = ($1, $2);
        $verbs{$verb}{$_} = 1 for '', $rest =~ /(--[a-z-]+)/g;
    }
}

cmp_ok(scalar(keys %verbs), '>=', 6, 'verbs');

for my $verb (sort keys %verbs) {
    my $help = run("help $verb");

    is($help->{rc}, 0, "$verb: is a verb");
    is(join(' ', grep { $help->{out} !~ /^  \Q$_\E\b/m }
        grep { length } sort keys %{ $verbs{$verb} }), '', "$verb: options");
}

my $answers = content('../docs/answers.md');
is(join(' ', grep { $answers !~ /`\Q$_\E`/ } map { $_->[0] } @details), '',
    'docs/answers.md has each detail');

# whom it is about

my @found = (
    [ line('claimed="alice"'), 'IMEI:1, by its user name' ],
    [ line('claimed="caf\xC3\xA9"'), 'IMEI:2, by its user name' ],
    [ line("claimed=\"$fp\""), 'IMEI:1, by its certificate key' ],
    [ line("claimed=\"$fp subject:CN=x\""), 'IMEI:1, by its certificate key' ],
    [ line('claimed="subject:CN=J\C3\BCrg\, x"'),
        'IMEI:2, by its certificate key' ],
    [ line('account="IMEI:2" claimed="alice"'), 'IMEI:2, by the account' ],
    [ line('devid="imei:2"'), 'IMEI:2, by the device id, which was not' ],
    [ handshake('identity="dev-1"'), 'IMEI:1, by its PSK identity' ],
    [ line('claimed="dev-1"'), 'IMEI:3, by its user name' ],
    [ handshake('identity="alice"'), 'the store has none' ],
    [ handshake("identity=\"$fp\""), 'the store has none' ],
    [ handshake('identity="IMEI:1"'), 'the store has none' ],
    [ line('claimed="subject:CN=a subject:b"'),
        'IMEI:3, by its certificate key' ],
    [ line('claimed="issuer-serial:CN=a subject:b#01"'),
        'IMEI:3, by its certificate key' ],
    [ line('claimed="issuer-serial:CN=a subject:b#01 subject:CN=x subject:y"'),
        'IMEI:3, by its certificate key' ],
    [ line('claimed="nobody"'), 'the store has none' ],
    [ '{"reason":"group","status":"403","id":"","devid":"IMEI:1"}',
        'IMEI:1, by the device id' ],
);

for (@found) {
    my ($line, $who) = @$_;

    chomp $line;
    done([ 'explain', $line ], qr/^account +\Q$who\E/m, "found: $who");
}

my $r = done([ 'explain', line('claimed="alice" account="-"') ],
    qr/^state +disabled: it is refused with account_disabled$/m, 'its state');
like($r->{out}, qr/^happened +the name is nobody's, or the password is wrong$/m,
    'what happened');
like($r->{out}, qr/^do .*"dm-account --store \S+ --key \S+ verify ID/m,
    'what to do');
unlike($r->{out}, qr/0123456789abcdef/, 'no secret');

done('explain IMEI:1', qr/\Aaccount +IMEI:1, by its ID\n/, 'an ID');
done('explain -- IMEI:1', qr/^account +IMEI:1/, 'an ID behind --');
refused('explain alice', 'that is the user name of "IMEI:1"', 'a name');

$r = json([ 'explain', line('reason=certificate_invalid '
    . 'detail=crl_missing claimed="alice"'),
    ], 'json');
is($r->{account}{id}, 'IMEI:1', 'json: account');
is($r->{reason}, 'certificate_invalid', 'json: reason');
like($r->{detail_means}, qr/ssl_crl/, 'json: detail');
ok(!exists $r->{account}{psk}[0]{key}, 'json: no secret');

# a device that sends its ID as its user name

like(json([ 'explain', line('reason=bad_credentials detail=unknown_name '
    . 'claimed="IMEI:1"') ], 'its ID')->{todo},
    qr/the user name of this account is "alice"/, 'its ID: its name is told');

# among other lines, and nothing else

is(() = run('explain', "x\n" . line('') . "\ny\n" . line(''))->{out}
    =~ /^reason /mg, 2, 'other lines are passed over');
refused('explain', 'no line of dm_sec', 'no line', "x\n");
refused([ 'explain', 'x dm_sec: y' ], 'no line of dm_sec', 'not such a line');
refused([ 'explain', '{' ], 'no line of dm_sec', 'no JSON');
refused([ 'explain', '1 open() "/dm_sec: denied reason=group " failed' ],
    'no line of dm_sec', 'quoted by another');
usage([ 'explain', line(''), 'x' ], 'one line at a time', 'two');

# a log in JSON, where a client has sent what JSON cannot hold

my @json = map { '{"reason":"group","status":"403","id":"","devid":"'
    . ($_->[1] // 'IMEI:1') . '","agent":"' . $_->[0] . '"}' } [ "caf\xe9" ],
    [ "\xf0\x9f\xed\xa0\x80\xc0\xaf" ], [ '\u0000' ],
    [ '', 'IMEI:1\u0000x' ], [ '', "IMEI:1\xe9" ];

my @whom = map { decode_json($_)->{account} } split /\n/,
    run('explain --json', join("\n", @json))->{out};
is(join(' ', map { $_ ? $_->{id} : '-' } @whom), 'IMEI:1 IMEI:1 IMEI:1 - -',
    'JSON: what it cannot hold');
done([ 'explain', $json[0] ], qr/^account +IMEI:1, /m, 'JSON: an argument');

$r = run('explain', "$json[0]\n" . substr($json[0], 0, 40) . "\n$json[0]\n");
is(() = $r->{out} =~ /^account +IMEI:1, /mg, 2, 'JSON: the others are told');
like($r->{err}, qr/warning: line 2 is no JSON/, 'JSON: that one is not');
is($r->{rc}, 0, 'JSON: a part of a line is passed over');

# the command of docs/operations.md, where clients have sent what grep takes
# for a binary file

my ($command) = content('../docs/operations.md')
    =~ /^(grep .*\|\n.*\| dm-account explain)$/m;

$command =~ s!/var/log/nginx/error\.log!$d/error.log!;
$command =~ s!dm-account explain!$bin explain!;

put("$d/error.log", line('claimed="nobody"')
    . line('claimed="alice"') =~ s/\n/, request: "GET \/\0\xe9", host: "x"\n/r
    . "2026/11/30 12:00:00 [error] 1#1: dm_sec: 7 more lines with reason=x\n"
    . "2026/11/30 12:00:00 [info] 1#1: *3 client sent invalid request: \0\n");
like(scalar(`$command 2>$d/err`), qr/^account +IMEI:1, by its user name/m,
    'the command of docs/operations.md');

is(join("\n", map { my $file = $_; map { "$file: $_" }
    grep { !/grep -a/ } content($file) =~ /^.*\bgrep .*\.log\b.*$/mg }
    grep { -f } glob '../*.md ../docs/*.md ../conf/* ../conf-examples/*'
        . ' ../conf-examples/*/* ../src/*.c'), '',
    'no grep of a log takes it for a binary file');

# a text of others is text

$r = done([ 'explain', line("claimed=\"\x1b[31m\" reason=z\x1b\xe2\x80\xae") ],
    '', 'hostile');
unlike($r->{out}, qr/\x1b|\xe2\x80\xae/, 'hostile: escaped');
like($r->{out}, qr/does not know the reason/, 'hostile: unknown');

$r = json([ 'explain', line('reason=locked claimed="x reason=group"') ],
    'a field in a value');
is($r->{reason}, 'locked', 'a field in a value: the true one');

done_testing();

###############################################################################

# a line, whose fields are those that are given, or as they usually are
sub line {
    my ($fields) = @_;

    $fields = "reason=bad_credentials detail=- status=401 method=- $fields"
        unless $fields =~ /reason=/ && $fields !~ /"[^"]*reason=[^"]*"\z/
        || $fields =~ /^reason=/;

    return '2026/11/30 12:00:00 [error] 1#1: *2 dm_sec: denied '
        . "$fields protocol=- cipher=- request=-, client: 127.0.0.1\n";
}

sub handshake {
    my ($fields) = @_;

    $fields = "reason=psk_wrong_key $fields" unless $fields =~ /^reason=/;

    return '2026/11/30 12:00:00 [error] 1#1: *2 dm_sec: handshake failed '
        . "$fields alert=\"x y\" version=TLSv1.2 suites=\"-\", client: 1\n";
}

# the names in the table of a file of the module's
sub names {
    my ($file) = @_;

    my $source = content("../src/ngx_dm_sec_$file.c");
    my ($table) = $source =~ ($file eq 'answer'
        ? qr/ngx_dm_sec_answers\[\w*\] = \{\n(.*?)\n\};/s
        : qr/ngx_dm_sec_handshake_names\[\w*\] = \{\n(.*?)\n\};/s);

    return grep { $_ ne '-' } ($table // '') =~ /ngx_string\("([^"]+)"\)/g;
}

# [detail, reason] of each that the module knows
sub details {
    my ($table) = content('../src/ngx_dm_sec_detail.c')
        =~ /ngx_dm_sec_details\[\] = \{\n(.*?)\n\};/s;
    my ($answers) = content('../src/ngx_dm_sec.h')
        =~ /\n    (NGX_DM_SEC_R_NONE = 0,.*?)NGX_DM_SEC_R_MAX/s;
    my (@enum) = ($answers // '') =~ /\b(NGX_DM_SEC_R_\w+)/g;
    my (%name);

    @name{@enum} = ('-', @refusals);

    return map { [ $_->[0], $name{$_->[1]} // $_->[1] ] }
        grep { $_->[0] ne '-' }
        (map { [ $_, 'NGX_DM_SEC_R_MALFORMED' ] }
            $table =~ /ngx_dm_sec_malformed\(\w+,\s*"(\w+)"\)/g),
        (map { [ split / / ] } map { s/"\)\s*,\s*/ /r }
            $table =~ /ngx_string\("([^"]+"\)\s*,\s*NGX_DM_SEC_R_\w+)/g);
}

###############################################################################
