#!/usr/bin/perl

# Tests for dm-account import of files as they come: each of the files below
# ends as its row says, and nothing of one that is refused is in the store.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use Digest::MD5 qw/ md5_hex /;
use Digest::SHA qw/ sha1_base64 sha256_hex sha512256_hex /;
use JSON::PP;

use lib 'lib';
use Test::DmAccount;

###############################################################################

my $realm = 'dm@example.org';
my $sha = '{SHA}' . sha1_base64('pw') . '=';
my $n = 0;
my %kept;       # stores of files that were refused, by what is there

done("init --realm $realm --owner $me --map-size 1m", '', 'init');

###############################################################################

# hashes: what nginx, Apache and lighttpd hold

my %taken = (
    'bcrypt' => crypt('pw', '$2a$10$' . 'a' x 21 . 'u'),
    'sha256crypt' => crypt('pw', '$5$saltsalt'),
    'md5crypt' => crypt('pw', '$1$saltsalt'),
);

takes("a hash of $_", 'htpasswd', "u:$taken{$_}\n", { u => 'pw' },
    weak => $_ eq 'md5crypt' ? qr/hash, md5crypt, is quickly tried/ : undef)
    for sort keys %taken;

takes('a hash of few rounds', 'htpasswd', 'u:' . crypt('pw',
    '$5$rounds=1000$salt'), { u => 'pw' },
    weak => qr/hash, sha256crypt, is quickly tried/);

takes('hashes in JSON', 'jsonl', join('', map {
    "{\"id\":\"$_\",\"crypt\":\"$taken{$_}\"}\n" } sort keys %taken),
    { map { $_ => 'pw' } keys %taken },
    weak => qr/"md5crypt": its password hash, md5crypt, is quickly tried/);

refuses('a hash of argon2id', 'htpasswd', "a:$sha\nu:\$argon2id\$v=19\$m=65536,"
    . "t=3,p=4\$c2FsdHNhbHQ\$aGFzaGhhc2g\n",
    [2, 'the password hash is argon2id, which libxcrypt does not have']);
refuses('hashes of LDAP', 'htpasswd', "a:{SSHA512}aGFzaA==\nb:{CRYPT}"
    . "$taken{bcrypt}\n", [1, 'is LDAP\'s {SSHA512}'],
    [2, 'is LDAP\'s {CRYPT}: write what is behind it']);
refuses('a hash of DES crypt', 'htpasswd', "u:rqXexS6ZhobKA\n",
    [1, 'is DES crypt']);
refuses('a password in clear', 'htpasswd', "u:hunter2\n",
    [1, 'of no kind that is known; a password in clear has {PLAIN} before']);
refuses('a costly hash', 'htpasswd', "a:\$5\$rounds=1000001\$s\$"
    . '.' x 43 . "\nb:\$2a\$15\$" . '.' x 53,
    [1, 'the sha256crypt password hash is not kept, for whoever'],
    [2, 'at most a cost of 14 for bcrypt']);

###############################################################################

# how a file begins, and how its lines end

my $mark = "\xef\xbb\xbf";
my $utf16 = join('', map { "$_\0" } split(//, "u:$sha\r\n"));
my $psk = '0a' x 16;
my %plain = (htpasswd => "u:$sha\n", htdigest => ha1('u', 'pw'),
    jsonl => "{\"id\":\"u\",\"password\":\"pw\"}\n");

for my $format (sort keys %plain) {
    takes("a mark before $format", $format, "$mark$plain{$format}",
        { u => 'pw' });
    takes("CR LF in $format", $format, $plain{$format} =~ s/\n/\r\n/r,
        { u => 'pw' });
    takes("no LF at the end of $format", $format,
        $plain{$format} =~ s/\n//r, { u => 'pw' });
}

takes('a mark, and then a comment', 'htpasswd', "$mark# users\nu:$sha\n",
    { u => 'pw' });
takes('files that were joined', 'htpasswd', "${mark}u:$sha\n${mark}v:$sha\n",
    { u => 'pw', v => 'pw' });
takes('a mark before PSKs', 'psk', "${mark}u:$psk\r\n", {}, ids => ['u']);
for my $format (sort keys %plain) {
    takes("^Z behind $format", $format, ($plain{$format} =~ s/\n/\r\n/r)
        . "\x1a", { u => 'pw' });
}

takes('^Z behind a line without an end', 'htpasswd', "u:$sha\x1a",
    { u => 'pw' });
takes('^Z behind CSV', 'csv', "id,password\r\nu,pw\r\n\x1a\x1a",
    { u => 'pw' });
takes('nothing but ^Z', 'htpasswd', "\x1a", {});
refuses('^Z within a file', 'jsonl', "\x1a\n$plain{jsonl}",
    [1, 'it is not JSON']);
takes('a map with comments and ^Z', 'htpasswd', "one:$sha\n",
    { 'IMEI:1' => 'pw' }, options => ['--id-map', secret('said',
    "# users\r\none\tIMEI:1\r\n#two\tIMEI:2\r\n\x1a")]);
takes('nothing but a mark', 'htpasswd', $mark, {});
refuses('a mark within a name', 'htpasswd', "a$mark:$sha\n",
    [1, 'character U+FEFF at octet 2, ']);

refuses('UTF-16, little-endian', 'htpasswd', "\xff\xfe$utf16",
    [1, 'UTF-16 is not read: save "'],
    { says => qr/; nothing of the file is/ });
refuses('UTF-16, big-endian', 'htpasswd', "\xfe\xff\0$utf16",
    [1, 'UTF-16 is not read'], { says => qr/; nothing of the file is/ });
refuses('UTF-16 without a mark', 'jsonl', $utf16,
    [1, 'UTF-16 is not read'], { says => qr/; nothing of the file is/ });
refuses('UTF-16, to go on with', 'htpasswd', "\xff\xfe$utf16",
    [1, 'UTF-16 is not read'], { says => qr/; nothing of the file is/,
    options => ['--keep-going'] });

takes('a map with a mark', 'htpasswd', "one:$sha\n", { 'IMEI:1' => 'pw' },
    options => ['--id-map', secret('marked', "${mark}one\tIMEI:1\r\n  \n")]);
refuses('a map of UTF-16', 'htpasswd', "one:$sha\n",
    { options => ['--id-map', secret('wide', "\xff\xfeo\0")],
    says => qr/wide" line 1: UTF-16 is not read: save ".*wide" as UTF-8$/ });

# Comments and blank lines.  Apache takes blanks from both ends of a line, and
# then passes over what is empty or begins with "#"; nginx and lighttpd pass
# over what is empty or begins with "#" or a CR.

takes('comments and blank lines', 'htpasswd', "# a\n\n \t \n\r\n  # b\nu:$sha\n"
    . "#u:$sha\n", { u => 'pw' });
takes('comments and blank lines of htdigest', 'htdigest',
    "# a\n\n \t \n\r\n  # b\n" . ha1('u', 'pw'), { u => 'pw' });
takes('comments and blank lines of PSKs', 'psk',
    "# a\n\n \t \n#\n# of the lab: two\nu:$psk\n", {}, ids => ['u']);
refuses('a comment that goes on', 'htpasswd', "# a \\\nu:$sha\n",
    [1, 'it ends with "\\", for which Apache takes the next line as']);
refuses('a PSK behind a "#"', 'psk', "#u:$psk\n", [1, 'it begins with "#"']);

# Lines that end with CR alone are one line, and a comment if it begins so.

my $cr = 'it has a CR within: if the lines end with CR alone, they must end '
    . 'with LF or with CR LF';

for (['htpasswd', "a:{PLAIN}hunter2\r"], ['htdigest', ha1('a', 'pw')
    =~ s/\n/\r/r], ['psk', "a:$psk\r"], ['jsonl', '{"id":"a"}' . "\r"])
{
    my ($format, $line) = @$_;
    refuses("CR alone in $format", $format, "$line$line", [1, $cr]);
    refuses("a comment and CR alone in $format", $format, "# a\r$line",
        [1, $cr]);
    refuses("a blank line and CR alone in $format", $format, "\r$line",
        [1, $cr]);
}

# lines of a map that nobody is found by are told

my ($unused) = import_file('a map with more', 'htpasswd', "one:$sha\n",
    options => ['--id-map', secret('more',
        "two\tIMEI:2\none\tIMEI:1\nthree\tIMEI:3\n")]);
is($unused->{rc}, 0, 'a map with more: is taken');
like($unused->{err}, qr/\A.*: 2 lines of the id map ".*more" were not used, /,
    'a map with more: and it is told that there is more');
like($unused->{err}, qr/: line 1 "two", line 3 "three"\n\z/,
    'a map with more: and which');

refuses('a map of CR alone', 'htpasswd', "one:$sha\n", { options =>
    ['--id-map', secret('cr', "one\tIMEI:1\rtwo\tIMEI:2\r")],
    says => qr/cr" line 1: it has a CR within/ });

# Blanks at the ends: Apache and GnuTLS do not count them, nginx, lighttpd and
# stunnel do.

refuses('blanks at the end of hashes', 'htpasswd', "a:$sha \nb:$sha\t\n"
    . "c:$sha :c\nd: $sha\ne:$sha\xc2\xa0\n",
    [5, 'the hash has the character U+00A0 at octet '],
    map { [$_, 'the hash begins or ends with a blank'] } 1 .. 4);
refuses('blanks at the end of passwords', 'htpasswd',
    "a:{PLAIN}hunter2 \nb:{PLAIN} hunter2\n",
    map { [$_, 'the password begins or ends with a blank, which some readers '
    . 'of such a file count as a part of it'] } 1 .. 2);
refuses('blanks at the end of names', 'htpasswd', " a:$sha\nb :$sha\n",
    map { [$_, 'the name begins or ends with a blank'] } 1 .. 2);
refuses('blanks in htdigest', 'htdigest', ha1('a', 'pw') =~ s/\n/ \n/r
    . ha1('b', 'pw') =~ s/$realm/$realm /r . ha1('c ', 'pw'),
    [1, 'the hash begins or ends with a blank'],
    [2, "its realm is \"$realm \""], [3, 'the name begins or ends with a']);
refuses('blanks in a file of PSKs', 'psk', "a:$psk \nb: $psk\nc :$psk\n",
    [1, 'the key begins or ends with a blank'],
    [2, 'the key begins or ends with a blank'],
    [3, 'the identity begins or ends with a blank']);
takes('a blank that stands in quotes', 'jsonl',
    '{"id":"u","password":"pw "}', { u => 'pw ' },
    warns => qr/^dm-account: warning: ".*" line 1: the password begins or /);

# lighttpd's htdigest

my $userhash = sha256_hex("u:$realm");

takes('SHA-256 of lighttpd', 'htdigest', ha1('u', 'pw', 'SHA-256'),
    { u => 'pw' }, digest => ['SHA-256']);
takes('MD5 and a userhash', 'htdigest', ha1('u', 'pw') =~ s/\n/':'
    . md5_hex("u:$realm") . "\n"/er, { u => 'pw' }, digest => ['MD5']);
takes('SHA-256, a userhash and CR LF', 'htdigest', ha1('u', 'pw', 'SHA-256')
    =~ s/\n/:$userhash\r\n/r, { u => 'pw' }, digest => ['SHA-256']);
takes('SHA-512-256 and its userhash', 'htdigest', ha1('u', 'pw', 'SHA-512-256')
    =~ s/\n/':' . sha512256_hex("u:$realm") . "\n"/er, { u => 'pw' },
    digest => ['SHA-512-256']);
takes('a comment behind the hash', 'htdigest', ha1('u', 'pw')
    =~ s/\n/:of the lab\n/r, { u => 'pw' });
refuses('a userhash of another', 'htdigest', ha1('a', 'pw')
    . ha1('v', 'pw', 'SHA-256') =~ s/\n/:$userhash\n/r,
    [2, 'the userhash behind the hash is not that of its user and realm']);
refuses('hashes of no length', 'htdigest', "a:$realm:" . 'ab' x 20
    . "\nb:$realm:" . 'ab' x 33, map { [$_, 'the hash has something else than '
    . '32 hexadecimal digits, or 64 for SHA-256'] } 1, 2);

# a user twice: a line never changes what another has set

for my $update ([], ['--update']) {
    my $how = "@$update";
    my %o = (options => $update, before => "{\"id\":\"u\",\"name\":\"user\","
        . "\"password\":\"old\"}\n");

    refuses("a user twice $how", 'htpasswd', "# a\na:$sha\nb:$sha\n"
        . "a:{PLAIN}hunter2\n",
        [4, 'it is of account "a", as line 2 is: keep one of the two'], \%o);
    refuses("a user twice in htdigest $how", 'htdigest', ha1('a', 'pw')
        . ha1('a', 'hunter2'), [2, '"MD5" of account "a", as line 1 is'], \%o);
    refuses("an identity twice $how", 'psk', "a:$psk\nb:$psk\na:" . '0b' x 16,
        [3, 'it is of "a" of account "a", as line 1 is'], \%o);
    refuses("an id twice $how", 'jsonl', "{\"id\":\"imei:1\"}\n\n"
        . "{\"id\":\"IMEI:1\",\"name\":\"x\"}\n",
        [3, 'it is of account "IMEI:1", as line 1 is'], \%o);
    refuses("an id twice in CSV $how", 'csv', "id,name\na,\"x\ny\"\nb,b\n"
        . "c,c\nb,d\n", [2, 'control character'],
        [6, 'it is of account "b", as line 4 is'], \%o);
    refuses("a name twice $how", 'jsonl', '{"id":"a","name":"n"}' . "\n"
        . '{"id":"b","name":"n"}' . "\n",
        [2, 'account "a" already has the name "n", from line 1'], \%o);
    refuses("a certificate key twice $how", 'jsonl', join('', map {
        "{\"id\":\"$_\",\"cert_keys\":[\"san:DNS:x\"]}\n" } qw/ a b /),
        [2, 'already has the certificate key "san:DNS:x", from line 1'], \%o);
    refuses("a PSK identity twice $how", 'jsonl', join('', map {
        "{\"id\":\"$_\",\"psk\":[{\"identity\":\"x\",\"key\":\"$psk\"}]}\n" }
        qw/ a b /),
        [2, 'already has the PSK identity "x", from line 1'], \%o);
    refuses("two users of one account $how", 'htpasswd', "x:$sha\ny:$sha\n",
        [2, 'it is of account "IMEI:7", as line 1 is'], { %o, options =>
        [@$update, '--id-map', secret('two', "x\tIMEI:7\ny\tIMEI:7\n")] });
    refuses("a user twice in a map $how", 'htpasswd', "x:$sha\n", { %o,
        options => [@$update, '--id-map',
        secret('dup', "x\t1\ny\t2\nx\t3\n")],
        says => qr/has user "x" twice, in lines 1 and 3: keep one of /m });
}

refuses('what is there already', 'htpasswd', "a:$sha\nu:$sha\n",
    [2, 'there is an account "u" already: to change it, import with --update'],
    { before => '{"id":"u","password":"old"}' });
refuses('a line that would change another, by its name', 'htpasswd',
    "user:$sha\nx:$sha\n", [2, 'it is of account "u", as line 1 is'],
    { before => '{"id":"u","name":"user","password":"old"}', options =>
    ['--update', '--id-map', secret('named', "x\tu\n")] });

# No line renames an account but one that says its id and the name.  A user who
# has the id of an account that is named otherwise is refused, in any order.

my $named = "{\"id\":\"alice\",\"name\":\"bob\",\"password\":\"old\"}\n";

for (["alice:$sha\n", 1], ["alice:$sha\nbob:$sha\n", 1],
    ["bob:$sha\nalice:$sha\n", 2])
{
    my ($text, $line) = @$_;
    refuses("a user who has the id of another, line $line", 'htpasswd', $text,
        [$line, $line == 2 ? 'it is of account "alice", as line 1 is'
        : 'there is an account "alice" with the name "bob": where "alice" is '
        . 'its new name, say so with --id-map'],
        { before => $named, options => ['--update'] });
}

refuses('a user of htdigest who has the id of another', 'htdigest',
    ha1('alice', 'pw'), [1, 'there is an account "alice" with the name "bob"'],
    { before => $named, options => ['--update'] });
takes('a line that says the id and the name', 'htpasswd', "alice:$sha\n",
    { alice => 'pw' }, before => $named, options => ['--update', '--id-map',
    secret('says', "alice\talice\n")]);
is(show('alice')->{name}, 'alice', 'it has the name');
takes('a line of JSON that says both', 'jsonl', $named =~ s/bob/carol/r,
    { alice => 'old' }, before => $named, options => ['--update']);
is(show('alice')->{name}, 'carol', 'it has that name');

# nor does one rename what another line has set

for my $update ([], ['--update']) {
    refuses("two names for an account @$update", 'htdigest', ha1('x', 'pw')
        . ha1('y', 'pw', 'SHA-256'), [2, 'account "u" has the name "x", from '
        . 'line 1: keep one of the two'], { options => [@$update, '--id-map',
        secret('xy', "x\tu\ny\tu\n")], before => "{\"id\":\"v\"}\n" });
    refuses("two names for an account, one as its id @$update", 'htdigest',
        ha1('x', 'pw') . ha1('u', 'pw', 'SHA-256'), [2, 'account "u" has the '
        . 'name "x", from line 1: keep one of the two'],
        { options => [@$update, '--id-map', secret('xu', "x\tu\n")],
        before => "{\"id\":\"v\"}\n" });
}

takes('a user with two algorithms', 'htdigest', ha1('u', 'pw')
    . ha1('u', 'pw', 'SHA-256'), { u => 'pw' }, digest => ['MD5', 'SHA-256']);
takes('an update of two algorithms', 'htdigest', ha1('u', 'pw', 'SHA-256')
    . ha1('u', 'pw'), { u => 'pw' }, digest => ['MD5', 'SHA-256'],
    options => ['--update'], before => '{"id":"u","password":"old"}');

# Hashes of the old password: they stay only where all lines of the account are
# hashes that it has, whatever the order of the lines.

my $md5 = '{"id":"u","digest":{"MD5":"' . md5_hex("u:$realm:old") . '"}}';
my $all = '{"id":"u","password":"old"}';

for (['SHA-256 over MD5', $md5, ['SHA-256'], 'new', ['SHA-256', 'new']],
    ['SHA-256 over MD5, the same', $md5, ['SHA-256'], 'old',
        ['SHA-256', 'old']],
    ['MD5 over SHA-256', $md5 =~ s/MD5":.*/'SHA-256":"'
        . sha256_hex("u:$realm:old") . '"}}'/er, ['MD5'], 'new',
        ['MD5', 'new']],
    ['SHA-256 over all', $all, ['SHA-256'], 'new', ['SHA-256', 'new']],
    ['SHA-256 over all, the same', $all,
        ['MD5', 'SHA-512-256', 'SHA-256'], 'old', ['SHA-256', 'old']],
    ['two over all, the same', $all, ['MD5', 'SHA-512-256', 'SHA-256'], 'old',
        ['SHA-256', 'old'], ['MD5', 'old']],
    ['two over all, one the same', $all, ['MD5', 'SHA-256'], undef,
        ['MD5', 'old'], ['SHA-256', 'new']],
    ['two over MD5', $md5, ['MD5', 'SHA-256'], 'new', ['MD5', 'new'],
        ['SHA-256', 'new']],
    ['SHA-256 over a slow hash', "{\"id\":\"u\",\"crypt\":\"$sha\"}",
        ['SHA-256'], 'new', ['SHA-256', 'new']])
{
    my ($name, $before, $digest, $password, @hashes) = @$_;
    my @lines = map { ha1('u', $_->[1], $_->[0]) } @hashes;

    for my $order (\@lines, @lines > 1 ? [reverse @lines] : ()) {
        my %o = (options => ['--update'], before => $before);

        takes($name, 'htdigest', join('', @$order),
            $password ? { u => $password } : {}, ids => ['u'],
            digest => $digest, %o);
        is(show('u')->{crypt}, undef, "$name: no slow hash");
        is(verify('u', 'old'), 1, "$name: not the old password")
            unless ($password // '') eq 'old';
    }
}

# hashes that disagree are told, whichever of the passwords is asked about

takes('a file that contradicts itself', 'htdigest', ha1('u', 'one')
    . ha1('u', 'two', 'SHA-256'), {}, ids => ['u'],
    digest => ['MD5', 'SHA-256']);
refused('verify u --password-file -', 'by MD5 it is right, by SHA-256 wrong: '
    . 'the hashes of the account are of different passwords', 'that of MD5',
    "one\n");
refused('verify u --password-file -', 'by SHA-256 it is right, by MD5 wrong: ',
    'that of SHA-256', "two\n");
refused('verify u --password-file -', 'the password is wrong', 'another',
    "three\n");

takes('an account with two identities', 'psk', "x:$psk\ny:$psk\n", {},
    ids => ['IMEI:7'], options => ['--id-map', "$d/two"]);
takes('the same password twice in the file, for two', 'htpasswd',
    "a:$sha\nb:$sha\n", { a => 'pw', b => 'pw' });

# what is good of such a file, where that is asked for

$ENV{DM_SEC_STORE} = $store;
my $going = run('import - --format htpasswd --keep-going', "k1:{PLAIN}pw\n"
    . "k1:{PLAIN}hunter2\nk2:\$argon2id\$x\nk3:{PLAIN}pw\n");

is($going->{rc}, 1, 'some lines are bad');
is($going->{out}, "imported \"-\": 2 added, 0 updated, 2 refused\n",
    'the good ones are kept');
is(verify('k1', 'pw'), 0, 'the first of two lines is in force');

# Behind a line that may go on in the next one no line is read: what looks like
# an account may be a part of it.  Apache joins a line that ends with a
# backslash with the next one, whatever it is.

my $evil = "{\"id\":\"evil\"}\n";

for (['a comment', 'htpasswd', "# two \\\n", "evil:$sha\n"],
    ['a comment of htdigest', 'htdigest', "#\\\n", ha1('evil', 'pw')],
    ['a comment behind a hash', 'htpasswd', "g1:$sha:of the lab\\\n",
        "evil:$sha\n"],
    ['a hash', 'htpasswd', "g1:$sha\\\n", "evil:$sha\n"],
    ['a user', 'htpasswd', "g1\\\n", "evil:$sha\n"],
    ['a blank line', 'htpasswd', "  \\\n", "evil:$sha\n"],
    ['a comment behind an HA1', 'htdigest', ha1('g1', 'pw') =~ s/\n/:x\\\n/r,
        ha1('evil', 'pw')],
    ['a list in JSON', 'jsonl', "{\"id\":\"g1\",\"psk\":[\n", "$evil]}\n"],
    ['a field in JSON', 'jsonl', "{\"id\":\"g1\",\"psk\": \t\r\n", "$evil}\n"],
    ['an item in JSON', 'jsonl', "{\"id\":\"g1\"},\n", "$evil]\n"],
    ['a list that begins late', 'jsonl', "[\n\n", "$evil]\n"],
    (map { ["a list in JSON and $_->[0]", 'jsonl',
        "{\"id\":\"g1\",\"psk\":[$_->[1]\n", "$evil]}\n"] }
        ['FF', "\f"], ['NBSP', "\xc2\xa0"], ['a NUL', "\0"], ['VT', " \x0b "],
        ['a comment', ' // ]}'], ['another', ' # ]}'], ['a third', '/* ]} */'],
        ['an octet', "\xff"], ['an item', '{}'], ['a string', '"]}"'],
        ['a quote', '"a", "'], ['a word', 'x']),
    ['brackets that close before', 'jsonl', "]} {\"psk\":[ x\n", "$evil]}\n"],
    ['a field twice', 'jsonl', "{\"id\":\"g1\",\"id\":\"g1\",\"psk\":[x\n",
        "$evil]}\n"],
    ['an object cut short', 'jsonl', "{\"id\":\"g1\"\n", "$evil}\n"],
    ['a CR within', 'jsonl', "{\"id\":\"g1\",\"psk\":[ \r \n", "$evil]}\n"],
    ['a line too long', 'jsonl', '{"id":"g1","psk":[' . ' ' x 131072 . "\n",
        "$evil]}\n"],
    ['a CR within', 'htpasswd', "g1:$sha\r:\\\n", "evil:$sha\n"],
    ['a line too long', 'htpasswd', '# ' . 'x' x 300000 . "\\\n",
        "evil:$sha\n"])
{
    my ($name, $format, $line, $next) = @$_;
    my %before = (htpasswd => "before:$sha\n", htdigest => ha1('before', 'pw'),
        jsonl => "{\"id\":\"before\"}\n");
    my $r = run("import - --format $format --keep-going",
        "$before{$format}$line$next");

    like($r->{err}, qr/^[^\n]* line 2: [^\n]*; the lines behind it are not /,
        "goes on: $name: told");
    is(join(' ', grep { /^(?:before|g1|evil)$/ } @{ids()}), 'before',
        "goes on: $name: nothing behind it is kept");
    run('del before');
}

# what is bad, but ends where its line ends, does not end the file

for ('x', '{"id":"g1"} x', '{"id":"g1" "name":"]["}', '{"id":"g1","id":"g2"}',
    "{\"id\":\"\xff\"}", '{"id":"g1","psk":[{]}}', '1')
{
    my $r = run('import - --keep-going', "$_\n{\"id\":\"good\"}\n");

    is($r->{out}, "imported \"-\": 1 added, 0 updated, 1 refused\n",
        "ends: $_");
    done('del good', '', "ends: $_: what is behind it is kept");
}

takes('a password that ends with a backslash, which only nginx reads',
    'htpasswd', "a:{PLAIN}pw\\\nb:{PLAIN}pw\n", { a => 'pw\\', b => 'pw' });

# one secret in a file of its own

$ENV{DM_SEC_STORE} = $store;

done('add u --password-file -', '', 'a password behind a mark',
    "${mark}pw\r\n");
is(verify('u', 'pw'), 0, 'which is not a part of it');
done('set u --psk-identity i --psk-file -', '', 'a key behind a mark',
    "$mark$psk\r\n");
refused('set u --password-file -', 'UTF-16 is not read: save "-" as UTF-8',
    'a password of UTF-16', "\xff\xfep\0w\0");
refused('set u --psk-identity i --psk-file -', 'nothing else, no blank either',
    'a key and a blank', "$psk \n");

my $r = run('set u --password-file -', "pw \n");
is($r->{rc}, 0, 'a password that ends with a blank');
is($r->{err}, 'dm-account: warning: the password in "-" begins or ends with a '
    . "blank, which is a part of it\n", 'is told');

put("$d/cert.pem", $mark . cert());
done("set u --cert $d/cert.pem", '', 'a certificate behind a mark');

like(run(['--store', $_->[0], 'check'])->{out}, qr/, 0 damages$/,
    'a store that nothing was taken from') for values %kept;

###############################################################################

done_testing();

###############################################################################

# A file that is taken: whose accounts it makes, with these passwords; then
# what is said to be weak.

sub takes {
    my ($name, $format, $content, $logins, %o) = @_;
    my ($r) = import_file($name, $format, $content, %o);

    is($r->{rc}, 0, "$name: is taken") or diag($r->{err});
    like($r->{err}, $o{warns} || qr/\A\z/, "$name: what is said");
    is_deeply([sort @{ids()}], [sort @{$o{ids} || [keys %$logins]}],
        "$name: accounts");

    is_deeply(show('u')->{digest}, $o{digest}, "$name: hashes") if $o{digest};

    for my $id (sort keys %$logins) {
        is(verify($id, $logins->{$id}), 0, "$name: password of $id");
    }

    my $check = run('check')->{out};

    like($check, qr/, 0 damages$/, "$name: check");

    return unless exists $o{weak};

    defined $o{weak} ? like($check, $o{weak}, "$name: weak")
        : unlike($check, qr/quickly tried/, "$name: not weak");
}

# A file that is refused: each of its lines that is named, and nothing of it
# is kept, nor are the accounts that were there changed.

sub refuses {
    my ($name, $format, $content, @lines) = @_;
    my %o = ref $lines[-1] eq 'HASH' ? %{pop @lines} : ();
    my ($r, $file, $before) = import_file($name, $format, $content, %o,
        kept => 1);

    is($r->{rc}, 1, "$name: is refused");
    is($r->{out}, '', "$name: nothing is said to be done");
    unlike($r->{err}, qr/hunter2/, "$name: no secret is repeated");

    for (@lines) {
        my ($line, $why) = @$_;

        like($r->{err}, qr/^dm-account: "\Q$file\E" line $line: .*\Q$why/m,
            "$name: line $line");
    }

    my @told = $r->{err} =~ /^dm-account: "\Q$file\E" line \d+: /mg;

    is(scalar @told, scalar @lines, "$name: no other line is named")
        or diag($r->{err});
    like($r->{err}, $o{says} || qr/^dm-account: nothing of .* is kept: it has/m,
        "$name: what becomes of it");

    is(run('export --secrets')->{out}, $before, "$name: nothing has changed");
}

# a line of an htdigest file

sub ha1 {
    my ($user, $password, $algorithm) = @_;
    my $made = { MD5 => \&md5_hex, 'SHA-256' => \&sha256_hex,
        'SHA-512-256' => \&sha512256_hex }->{$algorithm || 'MD5'};

    return "$user:$realm:" . $made->("$user:$realm:$password") . "\n";
}

sub cert {
    my $make = 'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 '
        . '-nodes -keyout /dev/null -subj /CN=dev -days 1 2>/dev/null';

    return scalar(`$make`);
}

# In a store that holds what is to be there before; one from which nothing was
# taken serves the next file.

sub import_file {
    my ($name, $format, $content, %o) = @_;
    my $file = secret('file' . ++$n, $content);
    my $there = $o{before} // '';

    if (!$o{kept} || !$kept{$there}) {
        $ENV{DM_SEC_STORE} = "$store$n";
        done("init --share-key --realm $realm --owner $me --map-size 1m", '',
            "$name: store");
        done('import -', '', "$name: what is there", $there) if $there;
        $kept{$there} = [$ENV{DM_SEC_STORE}, run('export --secrets')->{out}]
            if $o{kept};
    }

    ($ENV{DM_SEC_STORE}, my $before) = @{$kept{$there}} if $o{kept};

    return (run(['import', $file, '--format', $format, @{$o{options} || []}]),
        $file, $before);
}

###############################################################################
