package Cells;

# What each client is asked to do, the nginx that it is asked of, and what that
# saw.

use warnings;
use strict;

use Exporter qw/ import /;

use FindBin;
use IO::Socket::INET;

use Bench qw/ output port slurp start_nginx /;

our @EXPORT_OK = qw/ cells cell_url expectations judge servers @LISTS @TLS /;

# the values of dm_sec_digest_algorithms that are tried, beside its default
our @LISTS = ('MD5', 'SHA-256', 'SHA-512-256', 'MD5 SHA-256', 'SHA-256 MD5');

our @TLS = ('TLS 1.2', 'TLS 1.3');

my %protocol = ('TLS 1.2' => 'TLSv1.2', 'TLS 1.3' => 'TLSv1.3');

# what stands in the log of each request
my @fields = qw/ uri status reason id method algorithm protocol behind /;


###############################################################################
# Cells


# All that a client is asked: name, method, store, port (a name), and path,
# which the client's number ends.
sub cells {
    my ($client) = @_;
    my (@cells);

    @cells = map { ( plain_cells($_) ) } qw/ md5 full /
        if $client->{kind} eq 'http';

    push @cells, map { tls_cells($client, $_) }
        @{ $client->{versions} || \@TLS };

    return @cells;
}


sub plain_cells {
    my ($store) = @_;
    my ($account) = $store eq 'md5' ? 'MD5 only' : 'all hashes';
    my (@cells);

    push @cells, { name => "Basic, $account", method => 'basic',
        path => 'basic/' };

    # without MD5 such an account cannot be served
    foreach my $list ('default', 'both qops', @LISTS) {
        next if $store eq 'md5' && $list =~ /^SHA-[^ ]+$/;

        push @cells, { name => "Digest, $list, $account", method => 'digest',
            path => 'digest/' . dashed($list) . '/' };
    }

    $_->{store} = $store, $_->{port} = 'plain' foreach @cells;

    return @cells;
}


sub tls_cells {
    my ($client, $version) = @_;
    my (@methods);

    @methods = $client->{kind} eq 'http' ? qw/ basic digest x509 / : 'x509';
    push @methods, 'psk' if $client->{psk} || $client->{kind} eq 'tls';

    # a server that accepts either has suites that a client may not understand
    push @methods, 'x509 beside psk';

    return map { {
        name => "$_, $version",
        method => /^(\w+)/,
        store => 'full',
        port => (/psk/ ? 'psk ' : '') . $version,
        path => dashed("$_/$version/"),
    } } @methods;
}


sub dashed {
    my ($name) = @_;

    $name =~ s/ /_/g;

    return $name;
}


sub cell_url {
    my ($cell) = @_;
    my ($scheme) = $cell->{port} eq 'plain' ? 'http' : 'https';

    return "$scheme://127.0.0.1:" . port("$cell->{store} $cell->{port}")
        . "/$cell->{path}";
}


###############################################################################
# nginx


# An nginx for each store, and one behind them, which answers with what it was
# told.  Wrong answers are made on purpose, so nobody is locked out.
sub servers {
    my ($dir, @stores) = @_;
    my ($behind) = port('behind');

    start_nginx('behind', <<"EOC");
server {
    listen 127.0.0.1:$behind;
    location / {
        add_header X-Seen "\$http_dm_client_id \$http_dm_auth_method";
        return 200 "seen by the server behind\\n";
    }
}
EOC

    server($dir, $_) foreach @stores;

    return;
}


sub server {
    my ($dir, $store) = @_;

    start_nginx($store, <<"EOC" . plain_server($dir, $store)
dm_sec_account_store $dir/store-$store;
dm_sec_store_key $dir/store-$store.key;
dm_sec_lockout off;
log_format seen '\$uri\t\$status\t\$dm_sec_reason\t\$dm_sec_client_id\t'
    '\$dm_sec_auth_method\t\$dm_sec_digest_algorithm\t\$dm_sec_protocol\t'
    '\$upstream_http_x_seen';
lingering_close off;
EOC
        . join '', map { tls_server($dir, $store, $_, '') .
            tls_server($dir, $store, $_, 'psk') } @TLS);
}


sub plain_server {
    my ($dir, $store) = @_;
    my ($port, $pass, $locations);

    $port = port("$store plain");
    $pass = 'proxy_pass http://127.0.0.1:' . port('behind') . ';';
    $locations = '';

    foreach my $list ('default', 'both qops', @LISTS) {
        $locations .= 'location /digest/' . dashed($list) . "/ {\n"
            . ($list eq 'default' ? ''
                : $list eq 'both qops' ? 'dm_sec_digest_qop auth auth-int;'
                : "dm_sec_digest_algorithms $list;")
            . "dm_sec_auth digest;\n$pass\n}\n";
    }

    return <<"EOC";
server {
    listen 127.0.0.1:$port;
    access_log $dir/$store/seen.log seen;
    dm_sec_plaintext_auth on;
    location /basic/ {
        dm_sec_auth basic;
        $pass
    }
    $locations
}
EOC
}


# without or with pre-shared keys
sub tls_server {
    my ($dir, $store, $version, $psk) = @_;
    my ($port, $pass, $locations);

    return '' if $store ne 'full';

    $port = port("$store " . ($psk ? 'psk ' : '') . $version);
    $pass = 'proxy_pass http://127.0.0.1:' . port('behind') . ';';
    $locations = join '', map {
        "location /$_/ {\ndm_sec_auth " . ($_ =~ /^(\w+?)(?:_|$)/)[0]
            . ";\n$pass\n}\n"
    } $psk ? qw/ psk x509_beside_psk / : qw/ basic digest x509 /;

    return <<"EOC";
server {
    listen 127.0.0.1:$port ssl;
    access_log $dir/$store/seen.log seen;
    ssl_certificate $dir/rsa.crt;
    ssl_certificate_key $dir/rsa.key;
    ssl_certificate $dir/ecdsa.crt;
    ssl_certificate_key $dir/ecdsa.key;
    ssl_client_certificate $dir/client-ca.crt;
    ssl_verify_client optional;
    dm_sec_profile modern dm20;
    dm_sec_protocols $protocol{$version};
    $locations
}
EOC
}


###############################################################################
# What was seen, and what was to be seen


# Sets in each cell: seen, the reason of its last refusal, 'in', or '-' where no
# request came; algorithm, of a Digest that is in; yes; note, the reason that
# was expected, and wrong, what should not be.
sub judge {
    my ($dir, $results, $id) = @_;
    my (%log, $expected, $line);

    $expected = expectations();

    foreach my $store (keys %$id) {
        await_log($store);
        $log{"$store $_->{uri}"} = $_ foreach seen($dir, $store);
    }

    foreach my $client (@$results) {
        foreach my $cell (@{ $client->{cells} || [] }) {
            $line = $log{"$cell->{store} /$cell->{path}"};
            judge_cell($cell, $line, $id->{ $cell->{store} },
                expectation($expected, $client, $cell));
        }
    }

    return;
}


# a client may have its answer before its line is written: the only worker
# answers another one when that is done
sub await_log {
    my ($store) = @_;
    my ($socket);

    $socket = IO::Socket::INET->new('127.0.0.1:' . port("$store plain"))
        or die "Can't connect to the nginx of $store: $@\n";
    print {$socket} "GET / HTTP/1.0\r\n\r\n";
    <$socket> // die "no answer from the nginx of $store\n";

    return;
}


sub seen {
    my ($dir, $store) = @_;
    my (@lines);

    foreach (split /\n/, slurp("$dir/$store/seen.log")) {
        my %line;

        @line{@fields} = split /\t/, $_, -1;
        push @lines, \%line;
    }

    return @lines;
}


sub judge_cell {
    my ($cell, $line, $id, $expected) = @_;
    my ($in);

    $cell->{seen} = !$line ? '-'
        : $line->{status} == 200 ? 'in' : $line->{reason};
    $cell->{yes} = JSON::PP::false();

    if ($cell->{seen} eq 'in') {
        $in = "$id $cell->{method}";
        $cell->{algorithm} = $line->{algorithm}
            if $cell->{method} eq 'digest';

        if ("$line->{id} $line->{method}" ne $in || $line->{behind} ne $in) {
            $cell->{wrong} = "the server saw $line->{id} $line->{method}, the"
                . " one behind $line->{behind}, and not $in";

        } elsif ($cell->{status} != 200) {
            $cell->{wrong} = "the server let it in, and it says"
                . " $cell->{status} $cell->{words}";

        } else {
            $cell->{yes} = JSON::PP::true();
            $cell->{wrong} = "yes, where a no was expected: $expected->{note}"
                if $expected;
        }

        return;
    }

    if (!$expected || $expected->{seen} ne $cell->{seen}) {
        $cell->{wrong} = "no, and the file \"expected\" has no reason for it;"
            . " the server saw $cell->{seen}, the client says $cell->{status}"
            . " $cell->{words}";
        return;
    }

    $cell->{note} = $expected->{note};

    return;
}


# the file, which tells of its form
sub expectations {
    my (@expected, $note);

    foreach (split /\n/, slurp("$FindBin::Bin/expected")) {
        next if /^(?:#|$)/;
        $note = $_, next if /^\S/;

        /^ +(\S+) \| (.+?) \| (.+)$/ && $note
            or die "expected: what is this? $_\n";

        push @expected, { seen => $1, client => $2, cells => qr/^(?:$3)$/,
            note => $note };
    }

    return \@expected;
}


sub expectation {
    my ($expected, $client, $cell) = @_;

    my ($found) = grep {
        $_->{client} eq $client->{name} && $cell->{name} =~ $_->{cells}
    } @$expected;

    return $found;
}


1;
