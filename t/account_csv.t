#!/usr/bin/perl

# Tests for dm-account import --format csv.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use JSON::PP;

use lib 'lib';
use Test::DmAccount;

###############################################################################

my $sha = 'sha256:' . 'ab' x 32;
my $hex = '0' x 32;
my $kept = 'nothing of the file is kept';
my $known = 'id, name, password, psk_identity, psk, groups, not_before, '
    . 'not_after, state, cert_keys, crypt, digest_MD5, digest_SHA-256 and '
    . 'digest_SHA-512-256';

usage('import a --format csv --id-map b', '--id-map is not for csv',
    'a map for CSV');
usage('import a --format csv --realm r', '--realm is for htdigest',
    'a realm for CSV');

done("init --realm r --owner $me --map-size 1m", '', 'init');

###############################################################################

# each column, in another order than in the list

csv(1, 0, 'each column', 'psk,not_after,id,name,state,groups,psk_identity,'
    . "password,cert_keys,not_before\n"
    . "$hex,2027-01-31T00:00:00Z,imei:1,one,disabled,lab;x,i1,s\xc3\xa9same,"
    . "SHA256:" . 'AB' x 32 . ";san:DNS:Dev.example,2026-01-31T00:00:00Z\n");

is_deeply(show('IMEI:1'), { id => 'IMEI:1', name => 'one', state => 'disabled',
    groups => ['lab', 'x'], not_before => '2026-01-31T00:00:00Z',
    not_after => '2027-01-31T00:00:00Z',
    digest => ['MD5', 'SHA-512-256', 'SHA-256'], crypt => undef,
    psk => [{ identity => 'i1' }],
    cert_keys => [$sha, 'san:DNS:dev.example'] }, 'what it became');

done('enable IMEI:1', '', 'enable');
is(verify('IMEI:1', "s\xc3\xa9same"), 0, 'the password');
is(exported('IMEI:1')->{psk}[0]{key}, $hex, 'the key');

csv(2, 0, 'hashes', "id,crypt,digest_SHA-256,digest_MD5,digest_SHA-512-256\n"
    . 'IMEI:2,$apr1$salt$zhL9MYqZGdxa3Y56Tc6CY0,,,' . "\n"
    . 'IMEI:3,,' . 'a' x 64 . ',' . 'b' x 32 . ',' . 'c' x 64);
is(show('IMEI:2')->{crypt}, 'apr1', 'a crypt hash');
is_deeply(exported('IMEI:3')->{digest}, { 'MD5' => 'b' x 32,
    'SHA-256' => 'a' x 64, 'SHA-512-256' => 'c' x 64 }, 'digest hashes');

# an empty cell names nothing: what is there stays

csv(0, 1, 'empty cells', "id,name,password,psk,psk_identity,groups,"
    . "not_before,not_after,state,cert_keys\nIMEI:1,,,,,,,,disabled,\n"
    . "\n,,,,,,,,,\n\"\",,,,,,,,,\n", '--update');

my $one = show('IMEI:1');
is($one->{state}, 'disabled', 'what was named has changed');
is_deeply([@$one{qw/ name groups not_after /}, scalar(@{$one->{cert_keys}})],
    ['one', ['lab', 'x'], '2027-01-31T00:00:00Z', 2], 'the rest stays');
is(exported('IMEI:1')->{psk}[0]{key}, $hex, 'the key stays');

clear();

# quoting (RFC 4180), ends of lines, blank lines

csv(4, 0, 'quotes', qq{"id","name",groups\n"a,b","c ""d"" e",""\n}
    . qq{"""q""",f,"g;h"\n"i","j","k"\nl,m'n,o});
is_deeply([map { [@$_{qw/ id name groups /}] } list()], [
    ['"q"', 'f', ['g', 'h']], ['a,b', 'c "d" e', []], ['i', 'j', ['k']],
    ['l', "m'n", ['o']]], 'what was quoted');
clear();

csv(3, 0, 'CR LF, blank lines and no end',
    "\r\n \t\r\nid,name\r\n\r\nIMEI:1,a\r\n\n\"IMEI:2\",\"b\"\r\nIMEI:3,c");
is_deeply([map { $_->{name} } list()], ['a', 'b', 'c'], 'no CR in a name');
clear();

csv(1, 0, 'a BOM', "\xef\xbb\xbfid\r\nIMEI:1\r\n");
clear();
csv(1, 0, 'a BOM before a quote', "\xef\xbb\xbf\"id\"\r\nIMEI:1\r\n");
clear();
csv(0, 0, 'a header alone', "id,name\n");
csv(0, 0, 'a header without an end', 'id');

# one column

csv(2, 0, 'a list of ids', "id\nIMEI:1\nIMEI:2\n");
clear();
csv(4, 0, 'what is no such number', "id\n1E+\nE+14\n1E14\n1E+1x\n");
clear();

# a header line that is not one: once, and nothing is kept

for my $options ('', '--keep-going') {
    for (
        ['unknown', 'id,imsi,name', "column 2 is unknown: the columns are "
            . $known],
        ['with blanks', 'id, name', 'column 2 is unknown'],
        ['with capitals', 'id,Name', 'column 2 is unknown'],
        ['empty', 'id,,name', 'column 2 is unknown'],
        ['data', 'IMEI:1,hunter2,id', 'column 1 is unknown'],
        ['data with a secret', 'name,hunter2', 'column 2 is unknown'],
        ['with an end of line', "id,\"na\nme\"", 'column 2 is unknown'],
        ['with a CR', "id,name\rhunter2,one", 'the lines end with CR alone'],
        ['one with a CR', "id\rhunter2", 'the lines end with CR alone'],
        ['twice', 'id,name,id', 'column "id" is named twice'],
        ['no id', 'name,password', 'column "id" is missing'],
        ['semicolons', 'id;name;password',
            'the columns are to be separated by commas'],
        ['tabs', "id\tname", 'the columns are to be separated by commas'],
        ['absent', 'IMEI:1,hunter2', 'the first line names none of the columns '
            . "that there are: $known"],
        ['too many', join(',', 'id', ('x') x 100), 'the first line names none'],
        ['a quote', 'id,na"me', 'a quote stands where none can be, in cell 2'],
        ['UTF-16', join('', map { "$_\0" } split(//, 'id')), 'it has a NUL'],
        ['JSON', '{"id":"a","password":"hunter2"}', 'a quote stands where'],
    ) {
        my ($name, $line, $message) = @$_;
        my $r = refused("import - --format csv $options", $message,
            "header: $name", "\n$line\nIMEI:1,hunter2,hunter2\n");

        like($r->{err}, qr/^dm-account: "-" line 2: .*; $kept\n\z/, 'once');
        unlike($r->{err}, qr/hunter2/, 'no secret is repeated');
    }

    refused("import - --format csv $options", "line 3: a quote is not closed, "
        . "in cell 1; $kept", 'header: not closed', "\n\n\"id\nIMEI:1\n");
    refused("import $_ --format csv $options", 'there is no header line',
        "header: none in $_", " \n\n,,\n") for '-', '/dev/null';
}

is_deeply(ids(), [], 'nothing was kept');

###############################################################################

# each record that is bad is told by the line where it begins

my $header = 'id,name,password,groups,psk_identity,psk,not_after,state,'
    . 'cert_keys,crypt';

rows(
    ['IMEI:1', 'it has 1 cells, and the header line names 10 columns'],
    ['IMEI:1,,,,,,,,,,', 'it has 11 cells'],
    [join(',', ('hunter2') x 200), 'it has 200 cells'],
    [row(name => 'hunter2'), 'it has no "id"'],
    [row(id => ' IMEI:1'), '"id" has a value that begins or ends with a blank'],
    [row(id => '"IMEI:1 "'), '"id" has a value that begins'],
    [row(id => 'a', password => "hunter2\t"), '"password" has a value that'],
    [row(id => 'a', groups => 'a; b'), '"groups" has a value that begins'],
    [row(id => 'a', groups => 'a;'), '"groups" has an empty value among'],
    [row(id => 'a', groups => ';a'), '"groups" has an empty value among'],
    [row(id => 'a', groups => ';'), '"groups" has an empty value among'],
    [row(id => 'a', groups => '"b,c"'), 'a group has a comma'],
    [row(id => 'a', groups => 'b;b'), 'twice'],
    [row(id => 'a', groups => join(';', 1 .. 33)), '"groups" has 33 items'],
    [row(id => 'a', name => "caf\xe9"), '"name" is not UTF-8'],
    [row(id => 'a', name => "a\rb"), 'control character'],
    [row(id => "\"a\nb\""), 'the id has a control character'],
    [row(id => 'a', name => "\"b\r\n\n\"\"c\""), 'control character'],
    [row(id => 'a', password => "\"hunter2\nhunter2\""), 'control character'],
    [row(id => 'a', psk => $hex), '"psk_identity" and "psk" need each other'],
    [row(id => 'a', psk_identity => 'b'), '"psk_identity" and "psk" need'],
    [row(id => 'a', psk_identity => 'b', psk => 'hunter2'), 'a PSK key is not '
        . '16 to 64 octets in hex'],
    [row(id => 'a', not_after => '31.1.2027'), '"not_after" is not a time'],
    [row(id => 'a', state => 'on'), '"state" is neither "active" nor'],
    [row(id => 'a', cert_keys => 'hunter2'), 'unknown kind of certificate'],
    [row(id => 'a', password => 'hunter2', crypt => '$y$hunter2'),
        'password hash'],
    [row(id => 'a', password => 'hunter2',
        crypt => '$apr1$salt$zhL9MYqZGdxa3Y56Tc6CY0'), 'exclude each other'],
    [row(id => '4.93005E+14'), '"id" is a number that a spreadsheet has '
        . 'shortened, and its digits are lost: have the column as text there'],
    [row(id => '"4,93E+14"'), '"id" is a number that a spreadsheet has'],
    [row(id => '4.93E14'), '"id" is a number that a spreadsheet has shortened'],
    [row(id => 'IMEI:4.93E+14'), '"id" is a number that a spreadsheet has sh'],
    [row(id => '493005100592800.0'), '"id" is a number that a spreadsheet, or '
        . 'a program that read one, has given decimals'],
    [row(id => '"493005100592800,00"'), 'has given decimals'],
    [row(id => '"=""493005100592800"""'), '"id" is a formula of a spread'],
    [row(id => 'a', name => '1E+15'), '"name" is a number that a spreadsheet'],
    [row(id => 'a', psk_identity => '1.2E+15', psk => $hex), '"psk_identity" '
        . 'is a number that a spreadsheet'],
    [row(id => 'MAC:00:11'), 'a user name has no colon'],
    [row(id => 'i' x 256), '255'],
);

is_deeply(ids(), [], 'nothing was kept');

# a good record behind a bad one

my $r = run('import - --format csv --keep-going',
    "id,name\n\"IMEI:1\",\"a\nb\"\nIMEI:2,c,d\nIMEI:3,e\nx\n\"IMEI:4\",f\n");
is($r->{out}, "imported \"-\": 2 added, 0 updated, 3 refused\n",
    'good ones behind bad ones');
like($r->{err}, qr/ line 2: .* line 4: .* line 6: /s, 'which are told');
is_deeply(ids(), ['IMEI:3', 'IMEI:4'], 'and which are kept');
clear();

# Behind a record whose end nobody can tell no line is read: it may be a part of
# a cell.  What was before it stands where --keep-going is given.

my $quote = 'a quote stands where none can be, in cell';

for (['in a cell', row(id => 'a', name => 'b"c'), "$quote 2: a cell that has "
        . 'one is quoted, and each in it is doubled'],
    ['behind one', row(id => 'a', name => '"b"c'), "$quote 2: "],
    ['and a blank', row(id => 'a', name => '"b" '), "$quote 2: "],
    ['behind a blank', row(id => 'a', name => ' "b"'), "$quote 2: "],
    ['many cells on', row(id => 'a', crypt => '"b"c'), "$quote 10: "],
    ['at the end of a line', row(id => 'a', name => "\"b\nc\" "),
        "$quote 2: "],
    ['not closed before one', row(id => 'a', name => "\"b\n" . row(id => 'c',
        name => '"d"')), "$quote 2: "],
    ['a NUL', row(id => 'a', password => "hunter2\0"), 'it has a NUL'],
    ['a NUL in quotes', row(id => 'a', password => "\"hunter2\0\n\""),
        'it has a NUL'],
    ['a line too long', row(id => 'a', name => 'x' x 131072), 'is longer than'],
    ['a record too long', row(id => "\"a\n" . 'x' x 131000 . "\n" . 'y' x 100
        . '"') =~ s/"$//r, 'the record is longer than 131072 octets, and goes '
        . 'on in line 5: is a quote not closed'],
    ['a line of it too long', row(id => "\"a\n" . 'x' x 131073),
        'the line is longer', 1],
    ['not closed', "\"hunter2\n\n", 'a quote is not closed, in cell 1', 0, 1])
{
    my ($name, $row, $message, $behind, $last) = @$_;
    my $line = 3 + ($behind || 0);
    my $text = "$header\n" . row(id => 'before') . "\n$row\n"
        . row(id => 'evil', name => 'root') . "\n\"\n"
        . row(id => 'evil2', name => 'more') . "\n";

    $text =~ s/\"\n[^"]*\z/\n/ if $last;

    for my $options ('--keep-going', '') {
        $r = run("import - --format csv $options", $text);
        like($r->{err}, qr/^dm-account: "-" line $line: [^\n]*\Q$message\E/,
            "$name: told");
        like($r->{err}, qr/^[^\n]*; the lines behind it are not read$/m,
            "$name: the end") unless $last;
        is_deeply(ids(), $options ? ['before'] : [],
            "$name: what is kept $options");
        unlike($r->{err}, qr/hunter2/, "$name: no secret is repeated");
        is(scalar(() = $r->{err} =~ /^dm-account/mg), $options ? 1 : 2,
            "$name: told once");
        run('del before');
    }
}

# a line within a cell of another is no account, whatever stands before it

$r = run('import - --format csv --keep-going', "id,name,password\n"
    . "a,\"x\ny\"z,pw\nb,\"note\nevil,root,hunter2\n\",pw\n");
is_deeply(ids(), [], 'no account out of a cell');
clear();

# Behind another header line the columns may be in another order: files that
# were joined are not read on, and no account is made out of that line.

for (['the same header', "id,name,password\n"],
    ['another order', "password,id,name\n"],
    ['empty cells', "id,,\n"],
    ['in quotes', "\"id\",\"name\",\"password\"\r\n"],
    ['more columns', "id,name,password,groups\n"],
    ['fewer columns', "password,id\n"],
    ['a column that is unknown', "id,imsi,password\n"],
    ['no LF before it', "IMEI:2,two,pwid,password,name\n"],
    ['a mark', "\xef\xbb\xbfid,name,password\n"],
    ['a mark and unknown columns', "\xef\xbb\xbfdevice,user,secret\n"],
    ['a mark and a cell of two lines', "\xef\xbb\xbfdevice,user,\"a\n\"\n"],
    ['a mark and a blank line', "\xef\xbb\xbf\n"])
{
    my ($name, $again) = @$_;
    my $text = "\xef\xbb\xbfid,name,password\nIMEI:1,one,pw\n$again"
        . "evil,root,hunter2\n";

    for my $options ('--keep-going', '') {
        $r = run("import - --format csv $options", $text);
        is($r->{rc}, 1, "header again: $name: status");
        like($r->{err}, qr/^dm-account: "-" line 3: it is a header line again/,
            "header again: $name: told");
        like($r->{err}, qr/^[^\n]*again: import joined files one by one; the /,
            "header again: $name: the end");
        is_deeply(ids(), $options ? ['IMEI:1'] : [],
            "header again: $name: what is kept $options");
        clear();
    }
}

csv(2, 0, 'values that are names of columns', "id,name,groups
"
    . "IMEI:1,psk,psk
IMEI:2,id,lab
");
clear();

# all or none

$r = run('import - --format csv', "id,name\nIMEI:1,a\nIMEI:2\n");
is($r->{rc}, 1, 'all or none: refused');
like($r->{err}, qr/ line 3: it has 1 cells.* nothing of "-" is kept: it has 1/s,
    'all or none: told');
is_deeply(ids(), [], 'all or none: none');

$r = json("import $d/none.csv --format csv", 'in JSON', 1);
like($r->{error}, qr/cannot open/, 'no such file');

# many, in more than one transaction

put("$d/many.csv", "id,password\r\n"
    . join('', map { "IMEI:$_,\"p\r\n\"\r\n" =~ s/p\r\n/pass$_/r } 1 .. 3000));

is(json("import $d/many.csv --format csv --keep-going", 'many')->{added}, 3000,
    'many records');
is(verify('IMEI:3000', 'pass3000'), 0, 'the last of them');
done('check', qr/^3000 accounts, 0 weaknesses, 0 damages/, 'check');

###############################################################################

done_testing();

###############################################################################

# a CSV file that is good

sub csv {
    my ($added, $updated, $name, $text, $options) = @_;
    $options //= '';

    done("import - --format csv $options",
        qr/^imported "-": $added added, $updated updated, 0 refused$/, $name,
        $text);
}

# a row of the header above

sub row {
    my %cell = @_;
    return join(',', map { $cell{$_} // '' } split(/,/, $header));
}

# rows that are all bad, and how many lines behind its first one is told

sub rows {
    my ($text, $line, @told) = ("$header\n", 2);

    for (@_) {
        my ($row, $message, $behind) = @$_;

        push(@told, [$line + ($behind || 0), $message]);
        $text .= "$row\n";
        $line += ($row =~ tr/\n//) + 1;
    }

    my $r = run('import - --format csv --keep-going', $text);
    my @err = split(/\n/, $r->{err});

    unlike($r->{err}, qr/hunter2/, 'no secret is repeated');

    for (@told) {
        my ($line, $message) = @$_;
        like(shift(@err) // '',
            qr/^dm-account: "-" line $line: .*\Q$message\E/,
            "bad: line $line: $message");
    }

    is(scalar(@err), 0, 'no more are told');
}

sub exported {
    my ($id) = @_;
    my ($account) = grep { $_->{id} eq $id }
        map { decode_json($_) } split(/\n/, run('export --secrets')->{out});
    return $account;
}

sub clear {
    run("del $_") for @{ids()};
    is_deeply(ids(), [], 'the store is empty again');
}

###############################################################################
