#!/usr/bin/perl

# Tests for t/deb/follow: what a page says is done and looked for, and each way
# in which a page is stale is found.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir("$FindBin::Bin/.."); }

use Cwd qw/ abs_path /;
use File::Temp qw/ tempdir /;

use lib 't/lib';
use Test::DmSec::Process qw/ run_command slurp /;

###############################################################################

# what a page has behind a good beginning, and what is said of it
my @stale = (
    [ "```sh\necho one\nfalse\necho two\n```", 'page:23: it failed' ],
    [ "```sh\nfalse | cat\n```", 'page:23: it failed' ],
    [ "prints:\n\n```text\nthree\n```", 'page:25: "three" was not printed' ],
    [ "prints:\n\n```text\nMade it\nbegun\n```",
        'page:25: "Made it" was not printed' ],
    [ "prints:\n\n```text\nmade xit\n```", 'page:25: "made xit" was not' ],
    [ "Write:\n\n```nginx http\nuser x;\n```",
        'page:25: the paragraph before names no file' ],
    [ "Here it is:\n\n```text\nmade it\n```",
        'page:25: nothing says what is to be done with it' ],
    [ "```json\n{}\n```", 'page:23: nothing says what is to be done with it' ],
);

plan(tests => @stale + 5);

my $top = abs_path('.');
my $d = tempdir('dm-follow-XXXXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $good = <<"END_OF_PAGE";
# A page

What is made, in `$d/file`:

```nginx http
user SECRET;
```

```sh run by: it
mkdir -p $d/sub
cd $d/sub
```

```sh not run: it ends all
exit 1
```

```sh
echo "begun, secret is a+b" >&2; cat ../file; pwd; echo "made it"
echo ended
```

END_OF_PAGE

my ($exit, $said) = follow($good . <<'END_OF_PAGE');
prints:

```text
begun, ... SECRET
made ...
ended
```

`SECRET` stands for what is secret, and `NOTHING` for nothing:

```sh
test "SECRET NOTHING" = "a+b NOTHING"
```
END_OF_PAGE

is($exit, 0, 'a page that holds') or diag($said);
is(slurp("$d/file"), "user SECRET;\n", 'its file');
is(slurp("$d/remembered"), "SECRET='a+b'\n", 'what is remembered');
like($said, qr/^# made it$/m, 'what is printed is shown');

foreach my $case (@stale) {
    my ($text, $wanted) = @$case;

    ($exit, $said) = follow("$good$text\n");
    like("$exit $said", qr/^(?!0).*\Q$wanted\E/s, $wanted);
}

like((run_command([ "$top/t/deb/follow" ]))[2], qr/^usage: /, 'no page');

###############################################################################

# what it exits with, and all that it says
sub follow {
    my ($text) = @_;

    open my $fh, '>', "$d/page" or die "Can't write $d/page: $!\n";
    print $fh $text;
    close $fh or die "Can't write $d/page: $!\n";

    my ($status, $out, $err) = run_command([ 'sh', '-c',
        "cd $d && exec $top/t/deb/follow --remember $d/remembered page" ]);

    return ($status, $out . $err);
}

###############################################################################
