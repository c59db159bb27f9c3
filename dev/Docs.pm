package Docs;

# The fenced blocks of a page in Markdown.  CONTRIBUTING.md says what the words
# behind the fence mean.

use warnings;
use strict;

use Exporter qw/ import /;

our @EXPORT_OK = qw/ blocks wrong_blocks /;

# what is shown, and neither loaded nor run
my $shown = qr/text|json|http|ini|xml|yaml/;
my $nginx = qr/nginx (?:main|http|server|location)/;
my $why = qr/ (?:not run: (\S.*)|run by: (\S+))/;


# { line, info, text } of each, without the indentation that all its lines have
sub blocks {
    my ($text) = @_;
    my ($n, $block, $indent, @blocks) = (0);

    foreach my $line (split /\n/, $text) {
        $n++;

        if ($block && $line =~ /^ *```\s*$/) {
            push @blocks, $block;
            undef $block;

        } elsif ($block) {
            $block->{text} .= ($line =~ s/^ {0,$indent}//r) . "\n";

        } elsif ($line =~ /^( *)```(.*)$/) {
            $indent = length $1;
            $block = { line => $n, info => $2, text => '' };
        }
    }

    push @blocks, { %$block, open => 1 } if $block;

    return @blocks;
}


# [ line, what is wrong ] of each block that does not say what becomes of it
sub wrong_blocks {
    my ($text) = @_;
    my ($n, $before, $fenced, @wrong) = (0, '', 0);

    foreach my $block (blocks($text)) {
        my ($info) = $block->{info};
        my ($by) = ($info =~ $why)[1];

        push @wrong, [ $block->{line}, 'a block without an end' ]
            if $block->{open};
        push @wrong, [ $block->{line}, "a block that is \"$info\": write"
            . ' nginx with main, http, server or location, sh, sh not run:'
            . " WHY, sh run by: FILE, or text (see CONTRIBUTING.md)" ]
            unless $info =~ /^(?:$shown|(?:$nginx|sh)(?:$why)?)$/;
        push @wrong, [ $block->{line}, "a block run by $by, which is not"
            . ' there' ] if defined $by && !-e $by;
    }

    foreach my $line (split /\n/, $text) {
        $n++;
        $fenced = !$fenced if $line =~ /^ *```/;
        push @wrong, [ $n, 'a block that is indented: put ``` around it,'
            . ' with sh, nginx or text (see CONTRIBUTING.md)' ]
            if !$fenced && $before eq '' && $line =~ /^ {4}/;
        $before = $line;
    }

    return @wrong;
}


1;
