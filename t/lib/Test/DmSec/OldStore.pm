package Test::DmSec::OldStore;

# Stores as dm-account 0.1.0 made them before it refused what it refuses now:
# characters that turn the direction of a line, in the id, name, group and PSK
# identity of one account; a password hash of 999999999 rounds, of the account
# "costly".
#
# And those of t/data, which a whole 0.1.0 made: "store-0.1.0", of six accounts,
# and "store-mixed", the same one to which a dm-account of 0.2.0 added "between"
# and then 0.1.0 again "after", and disabled "digest".  Realm "dm.example".
#
#   basic   "secret of basic", a slow hash, in the group north
#   digest  "secret of digest", in north and south
#   IMEI:490154203237534, PSK identity psk-of-it, 00112233...ff
#   IMEI:490154203237542, a certificate with URI:urn:imei:490154203237542
#   off     "secret of digest", disabled
#   over    "secret of digest", until 2025

###############################################################################

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT_OK = qw/ old_data write_costly_store write_old_store $odd_id /;

###############################################################################

use File::Basename qw/ dirname /;
use IO::Uncompress::Gunzip qw/ gunzip $GunzipError /;
use MIME::Base64 qw/ decode_base64 /;

our $odd_id = "IMEI:1\xe2\x80\xae2";

# the form of a backup: a directory, and the file of its key

sub write_old_store {
    my ($dir, $key) = @_;

    write_store($dir, $key, (data())[0], 'A1B44D661AB5A9CF81993A0F840E914C33'
        . 'B9087C13E047223123B1561F15970D');
}

sub write_costly_store {
    my ($dir, $key) = @_;

    write_store($dir, $key, (data())[1], '4BD1C0D06289008A4E49B266A74C35D46A'
        . '97846139F403534954A261550B65E9');
}

# old_data($dir, $key, NAME): the same of a file in t/data
sub old_data {
    my ($dir, $key, $name) = @_;
    my ($path) = dirname(__FILE__) . "/../../../data/$name";

    open my $fh, '<:raw', $path or die "$path: $!\n";
    local $/;

    write_store($dir, $key, decode_base64(<$fh>), 'ED43BED5D1F4FA54DB72249AB2'
        . '6D97456D9672BC566808C023E8A4D0AB038205');
}

sub write_store {
    my ($dir, $key, $zipped, $hex) = @_;
    my ($data);

    gunzip(\$zipped, \$data) or die "gunzip: $GunzipError\n";

    mkdir($dir, 0700) or die "$dir: $!\n";
    put("$dir/data.mdb", $data);
    put($key, "k1 $hex\n");
}

# those behind the code, which is read once
my @data;

sub data {
    @data = map { decode_base64($_) } split /\n\n/, join '', <DATA>
        unless @data;

    return @data;
}

sub put {
    my ($path, $content) = @_;

    open my $fh, '>:raw', $path or die "$path: $!\n";
    chmod(0600, $path);
    print $fh $content;
    close $fh or die "$path: $!\n";
}

###############################################################################

1;

###############################################################################

__DATA__
H4sIAAAAAAACA+3df0yUdRwH8O/D/ew4nyfxuF3rJrBSwGMGEmBX0i91R0peYEBk0IkPHl73IzgM
nDdlQvxhUxNCJQeFdAJZ03MZtmBnmdNNmjqE4yYUt2xNt6KihlQQ3d2jd1jj1mKN7f364/ne8+z7
ue/3bvfP+/s8zz2EcMTe7ZDzh26KBLr3diMmM5v0IyHi+lMEAAAAAAAAAGYLNav5n/qbcXyE/lY0
rcU6AAAAAAAAAMB/LyzglYzoaQWjp/GtAAAAAAAAwL/V4t0KSUbmqgx1MiW6qwN34jdqm9TAHRP6
eyf/FU8NSY9ZN3Uorhbk/34wRy5/1W67L21seKuzobCj35G5bOEx9SVV7VeSrMvu7t6NxuKGrXHb
3e3N48sFac+ln04fHRrJ0/XYhCXqP55XPGB7eY0uLrdQe39smE5+YJ2tzqPYtfrmvInK8bZoWd5n
D637rc87AYlvvkmenR8uC3HOkjsVIrOJ9VTZKyj+Zs/OvYTiWVyHpz5GfKS0x53skHXMVzcMlPTm
TjRNHtc0Tp4fHzuap7wcZ9hwqOeM9vrT8Ys+ciz8eofnnTOn1yqGft77zeI9TVnX6nmPVtr6zVdi
et8YOSvLmHx4lV5V0WSpqetytmgV+e++Zu+uHXwr8amrg28uZvfroxJktwRZxTVZ2rUp73d2nZS+
8HijtT28y9rG3vy18+xSKS8g/0eQVqaVwW8VAAAAAAAA4P+g9W75xMhadRR58sXc9/ipdVt29Vfm
0ClRF+hNxifYCp3R8gq71Fy6OWxacZghqVbsaHCc/DQ8XHPlaPP2/cNpnZoNJ0yZri/r3y7kB+R/
Gelj+phvsQIAAAAAAAAAMCf47q6nSLLvAgoi8e6LiP+ChDuXKBBBQP6PIDeYG0j/AAAAAAAAAHOY
bw2ARyyuwwH5XxiQ/5VklL7GrGfamAeZUdqKlQAAAAAAAACY03yZN4aESUwD6tLuvI1HYoqrf5QM
7jjIqK6fWGR2SfOzBcf5mQX+s+dcf6rVnSOqHhkQ58uPrc6tsafuqcpor59HH0mIXzF2asHrLUH9
5xNSVXDr48aUn8pP5aQqTdHlu4POxk+NX/IdG2kfTvy8L821fMmlqi8iSpqjz31gjjxQPRG7xZmt
DMjpXA2lkhc9q3SKBCOaey40NS75xJCwIvaR810rVdqUBe6Y9nN31UzN45n+X7LTh2rWb7v4/Uvu
cZUmoI8oKP/vo53MRXofXc2ImZXI/wAAAAAAADBrEr1J1Hevu+/IPz9DjtvnTastYkutoY7HPa/O
V8sjljJDqMMKgucsJuVlbKleV6af6Q2E01pu3iadkZ2plru9nx9UKyK6oiJzuckaavntfwn4EyMa
eisAgAAA

H4sIAAAAAAACA+3cX0hTURzA8XP3r6G5axZG5UPQmw/ReoxMoT8+lJRk9BLJWLeEuSnbpAaVCrJR
DzGSwqDwIam95Es9FIVbLWTICsIVNSoJH2IxNGhkjKxwdzfc+sOKRkTfz8Pv3Hs4h8O5b79zzj1C
aMy5+DIyOyaJQoaFUK21+LnPeaJEWntJAAAAAACAcpHKmv9L3xlHZcqXxqKSdQAAAAAAAP483aKn
GlEv18t8EwAAAADA/yyWiyZh7/J4O33St5vh2ta1785Sh1ZnUlvni4Us22H9+GrdxtM3midNm+/H
LrQO9Irmdn+be7/LdOrAcOJN8urK8cfjGSV16bB/y0j07lDV6rbG5KbzjakH0p5blyPzxx8lUtkP
obfhQMt07GEw62zYt3z0Zq3cZ+nfHZ2uGKwODD8/OJIeemrbune7suPaxd41Ey3K/NEnY00TCcdc
4t3rK3Uvzn2aed8XXfZshb4g/w/JIfJ/AAAAAAD+ml25aBBOxWuTRNOZI4PJqevx2VUB672ayUzF
Ied65ZjN2d2pFB+g1zmstQ07w76zMyektfH+ysxoVavxpF831R7OVs7dNhTk/2k5Tf4PAAAAAMA/
zZSP6mEENRoX5f91ImiJyHFL0DIgm+VtrAQAAAAAAMpmQy4TVfe51Zof3yGnveuL+toVt7fU8bT7
6tS+etHtcfxq1/y4ZtHjUdwdNk/H741tEC6bUyl1zoaCOS8RNru9q8flLbX719/+vwBYSNWvAGAA
AA==
