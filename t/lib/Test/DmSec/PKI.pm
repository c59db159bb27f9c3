package Test::DmSec::PKI;

# Certificates, made with the openssl command.  A name is that of the files in
# the test directory.  The options of ca() and cert():
#
#   key         'ec' (P-256, the default), 'ec:CURVE', 'rsa:BITS'
#   subject     default /CN=NAME, in the form of openssl req
#   san         [ 'DNS:example.org', 'URI:...', 'IP:...' ]
#   eku         extendedKeyUsage, absent unless given: 'clientAuth'
#   serial      in hexadecimal, counts from 1000 unless given
#   days        30 unless given
#   not_before, not_after  seconds since the epoch

use warnings;
use strict;

use Exporter qw/ import /;

use Digest::SHA qw/ sha256_hex /;
use Fcntl qw/ :flock /;
use File::Copy ();
use File::Spec ();
use MIME::Base64 qw/ decode_base64 /;
use POSIX ();

use Test::DmSec::Process qw/ must slurp /;

our @EXPORT_OK = qw/ ca cert cert_info crl /;


# how many RSA keys of each length this test has
my %made;


# ca($t, NAME, [issuer => CA], options): a CA, self-signed without an issuer.
# NAME.crt and NAME.key; returns the path of NAME.crt.
sub ca {
    my ($t, $name, %o) = @_;
    my ($dir) = $t->testdir() . "/$name.ca";

    mkdir $dir or die "Can't create $dir: $!\n";

    $t->write_file("$name.ca/index.txt", '');
    $t->write_file("$name.ca/serial", "1000\n");
    $t->write_file("$name.ca/crlnumber", "01\n");
    $t->write_file("$name.ca/openssl.conf", <<"EOC");
[ ca ]
default_ca = this
[ this ]
new_certs_dir = $dir
database = $dir/index.txt
serial = $dir/serial
crlnumber = $dir/crlnumber
default_md = sha256
default_crl_days = 30
policy = any
unique_subject = no
[ any ]
commonName = optional
EOC

    return issue($t, $name, $o{issuer}, 'basicConstraints = critical, CA:TRUE'
        . "\nkeyUsage = critical, keyCertSign, cRLSign\n", %o);
}


# cert($t, NAME, ca => CA, options): NAME.crt, the certificate and the
# intermediate CAs that lead to it, and NAME.key; returns the path of NAME.crt.
sub cert {
    my ($t, $name, %o) = @_;
    my ($extensions, $i);

    die "cert: no ca for $name\n" unless $o{ca};

    $extensions = "basicConstraints = CA:FALSE\n";
    $extensions .= "extendedKeyUsage = $o{eku}\n" if $o{eku};

    if ($o{san}) {
        $extensions .= "subjectAltName = \@san\n[ san ]\n";

        foreach my $san (@{ $o{san} }) {
            my ($type, $value) = split /:/, $san, 2;
            $extensions .= "$type." . ++$i . " = $value\n";
        }
    }

    return issue($t, $name, $o{ca}, $extensions, %o);
}


sub issue {
    my ($t, $name, $issuer, $extensions, %o) = @_;
    my ($dir) = $t->testdir();
    my ($sign, $from, $to);

    $sign = $issuer || $name;
    $to = $o{not_after} || time() + 86400 * ($o{days} || 30);
    $from = $o{not_before} || ($to < time() ? $to : time()) - 3600;

    make_key("$dir/$name.key", $o{key} || 'ec');

    must([ 'openssl', 'req', '-new', '-utf8', '-config', '/dev/null',
        '-key', "$dir/$name.key", '-out', "$dir/$name.csr",
        '-subj', $o{subject} || "/CN=$name" ]);

    $t->write_file("$name.ext", "[ ext ]\n"
        . "subjectKeyIdentifier = hash\n"
        . "authorityKeyIdentifier = keyid\n$extensions");

    $t->write_file("$sign.ca/serial", "$o{serial}\n") if $o{serial};

    must([ 'openssl', 'ca', '-batch', '-notext', '-utf8', '-preserveDN',
        '-config', "$dir/$sign.ca/openssl.conf",
        '-in', "$dir/$name.csr", '-out', "$dir/$name.crt",
        '-extfile', "$dir/$name.ext", '-extensions', 'ext',
        '-startdate', utc($from), '-enddate', utc($to),
        $issuer ? ('-cert', "$dir/$issuer.crt") : '-selfsign',
        '-keyfile', "$dir/$sign.key" ]);

    append_chain($t, $name, $issuer);

    return "$dir/$name.crt";
}


# the issuer's own certificate and chain, unless it is a root
sub append_chain {
    my ($t, $name, $issuer) = @_;
    my ($chain);

    return unless $issuer;

    $t->write_file("$name.issuer", $issuer);
    return unless -f $t->testdir() . "/$issuer.issuer";

    $chain = $t->read_file("$issuer.crt");
    $t->write_file("$name.crt", $t->read_file("$name.crt") . $chain);
}


sub utc {
    my ($time) = @_;

    return POSIX::strftime('%y%m%d%H%M%SZ', gmtime $time);
}


sub make_key {
    my ($file, $type) = @_;

    if ($type =~ /^rsa:(\d+)$/) {
        File::Copy::copy(rsa_key($1), $file)
            or die "Can't copy to $file: $!\n";
        chmod 0600, $file;
        return;
    }

    $type =~ /^ec(?::([\w-]+))?$/ or die "unknown key type $type\n";

    must([ 'openssl', 'genpkey', '-algorithm', 'EC', '-out', $file,
        '-pkeyopt', 'ec_paramgen_curve:' . ($1 || 'P-256') ]);
}


# RSA keys take long to make: all test runs of a user share them.  Within a
# test each key is another one.
sub rsa_key {
    my ($bits) = @_;
    my ($dir, $file, $lock, @stat);

    $dir = $ENV{TEST_DM_PKI} || File::Spec->tmpdir() . "/dm-sec-keys-$>";
    mkdir $dir, 0700;
    @stat = lstat $dir;
    die "$dir must be a directory of uid $> with mode 0700, remove it\n"
        unless @stat && -d _ && $stat[4] == $> && !($stat[2] & 022);

    $file = "$dir/rsa$bits-" . ++$made{$bits} . '.key';

    open $lock, '>>', "$dir/lock" or die "Can't open $dir/lock: $!\n";
    flock $lock, LOCK_EX or die "Can't lock $dir/lock: $!\n";
    return $file if -f $file;

    must([ 'openssl', 'genpkey', '-algorithm', 'RSA', '-out', "$file.new",
        '-pkeyopt', "rsa_keygen_bits:$bits" ], timeout => 60);
    rename "$file.new", $file or die "Can't rename $file.new: $!\n";

    return $file;
}


# { sha256, subject, issuer, serial }: the digest of the certificate and the
# serial number in hexadecimal, the names in the form of RFC 2253
sub cert_info {
    my ($t, $name) = @_;
    my ($crt, $text, %info);

    $crt = $t->testdir() . "/$name.crt";
    $text = must([ 'openssl', 'x509', '-noout', '-subject', '-issuer',
        '-serial', '-nameopt', 'RFC2253', '-in', $crt ]);

    $info{$1} = $2 while $text =~ /^(\w+)=(.*)$/mg;

    slurp($crt) =~ /-----BEGIN CERTIFICATE-----(.*?)-----END/s;
    $info{sha256} = sha256_hex(decode_base64($1));

    return \%info;
}


# crl($t, CA, %options): CA.crl with exactly what is named here, another one
# at each call; returns its path.
#
#   revoked      [ names of certificates, or serial numbers in hexadecimal ]
#   next_update  seconds since the epoch, in 30 days unless given
sub crl {
    my ($t, $ca, %o) = @_;
    my ($dir) = $t->testdir();
    my ($index, $conf, $now);

    $now = utc(time());
    $index = '';

    foreach my $name (@{ $o{revoked} || [] }) {
        my $serial = -f "$dir/$name.crt"
            ? cert_info($t, $name)->{serial} : $name;
        $index .= join("\t", 'R', utc(time() + 86400), $now, $serial,
            'unknown', '/CN=revoked') . "\n";
    }

    $t->write_file("$ca.ca/revoked.txt", $index);

    $conf = $t->read_file("$ca.ca/openssl.conf");
    $conf =~ s/index\.txt/revoked.txt/;
    $t->write_file("$ca.ca/crl.conf", $conf);

    must([ 'openssl', 'ca', '-gencrl', '-config', "$dir/$ca.ca/crl.conf",
        '-cert', "$dir/$ca.crt", '-keyfile', "$dir/$ca.key",
        '-out', "$dir/$ca.crl", $o{next_update}
            ? ('-crl_lastupdate', utc($o{next_update} - 86400),
                '-crl_nextupdate', utc($o{next_update}))
            : () ], timeout => 60);

    return "$dir/$ca.crl";
}


1;
