#!/usr/bin/perl

# Tests for the account store under nginx: dm_sec_account_store and
# dm_sec_store_key, changes while nginx runs, and a store that fails.

###############################################################################

use warnings;
use strict;

use Test::More;

use File::Copy qw/ copy /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::DmSec qw/ :all /;
use Test::DmSec::Verdict qw/ verdict /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl proxy/)->plan(96)
    ->todo_alerts();

my $d = $t->testdir();
my $globals = $t->test_globals();
my $get = request('GET', '/', basic('me', 'secret'));

configure();

# store.key seals store and other; foreign is that of other.key

foreach my $name (qw/ other foreign /) {
    rename "$d/store.key", "$d/right.key" if $name eq 'foreign';

    store($t, realm => 'example', args => [ '--map-size', '1m' ]);
    account($t, 'add', $name, { password => 'secret' });
    rename "$d/store", "$d/$name" or die "Can't rename store: $!\n";
}

rename "$d/store.key", "$d/foreign.key" or die "Can't rename a key: $!\n";
rename "$d/right.key", "$d/store.key" or die "Can't rename a key: $!\n";

store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'me', '--group', 'field-test', { password => 'secret' });
account($t, 'add', 'too', { password => 'secret' });

###############################################################################

# nginx -t: what is there

is(error(), '', 'good');

like(error(store => ''), qr/"dm_sec_auth" needs "dm_sec_account_store"/,
    'no dm_sec_account_store');
like(error(key => ''), qr/"dm_sec_account_store" needs "dm_sec_store_key"/,
    'no dm_sec_store_key');
is(conf_error($t, server => 'return 204;',
    http => "dm_sec_account_store $d/absent; dm_sec_store_key $d/absent;"),
    '', 'a store that nothing needs');

like(error(store => '"";'), qr/"dm_sec_account_store" .* has an empty path/,
    'empty path');
like(error(key => '"";'), qr/"dm_sec_store_key" .* has an empty path/,
    'empty path of the key');
like(error(store => "$d/store; dm_sec_account_store $d/store;"),
    qr/"dm_sec_account_store" directive is duplicate/, 'store twice');
like(error(key => "$d/store.key; dm_sec_store_key $d/store.key;"),
    qr/"dm_sec_store_key" directive is duplicate/, 'key twice');
like(error(store => "$d/a $d/b;"),
    qr/invalid number of arguments in "dm_sec_account_store"/, 'two stores');

# nginx -t: the store

mkdir "$d/empty";
mkdir "$d/garbage";
mkdir "$d/fifo";
run_command([ 'mkfifo', '-m', '644', "$d/fifo/data.mdb" ]);
$t->write_file('file', 'x');
$t->write_file('garbage/data.mdb', 'garbage' x 4096);

like(error(store => "$d/absent;"),
    qr/store "$d\/absent" does not exist: .*"dm-account init"/, 'absent');
like(error(store => "$d/$_;"), qr/"$d\/$_" is no account store/, $_)
    foreach qw/ empty garbage fifo file /;
like(error(store => "$d/foreign;"), qr/key "\S+" of the key file does not/,
    'store of another key');
is(error(store => 'store;', key => 'store.key;'), '', 'relative paths');

copy_store('format');
patch('format', qr/\x01\x00(?=.{16}\x07example)/s, "\x03\x00");
like(error(store => "$d/format;"),
    qr/store "$d\/format" has format 3, .* reads only formats 1 and 2/,
    'format');

copy_store('forged');
patch('forged', qr/\x07example/, "\x07exampel");
like(error(store => "$d/forged;"), qr/does not open store "$d\/forged"/,
    'a realm that was changed without the key');

foreach my $size (0, 8192) {
    copy_store("short-$size");
    truncate "$d/short-$size/data.mdb", $size;
    like(error(store => "$d/short-$size;"), qr/\[emerg\] dm_sec: .*short-$size/,
        "cut to $size octets");
}

# nginx -t: the key

like(error(key => "$d/absent;"),
    qr/key file "$d\/absent" cannot be opened: No such file/, 'no key');
like(error(key => "$d/empty;"), qr/"$d\/empty" is not a regular file/,
    'directory as a key');
like(error(key => "$d/foreign.key;"), qr/key "\S+" of the key file does not/,
    'another key');

$t->write_file('other.key', "other " . '0' x 64 . "\n");
$t->write_file('short.key', "other 00\n");
chmod 0600, "$d/other.key", "$d/short.key";

like(error(key => "$d/other.key;"),
    qr/was sealed with key "\S+", which is not in the key file/,
    'key of another id');
like(error(key => "$d/short.key;"), qr/must have one or two lines/,
    'not a key');

foreach my $mode (0620, 0604) {
    chmod $mode, "$d/store.key";
    like(error(), qr/"$d\/store.key" is open to (?:its group|others)/,
        sprintf 'key with mode %o', $mode);
}

chmod 0600, "$d/store.key";
is(error(), '', 'good again');

###############################################################################

upstream($t, 8081);
$t->run();

my @clients = clients();

is(@clients, workers($t), 'a connection to each worker');

# a change is in force on the next request of an open connection, everywhere

all('200 upstream', 'authenticated');

account($t, 'disable', 'me');
all('403 account_disabled', 'disabled');

account($t, 'enable', 'me');
all('200 upstream', 'enabled');

account($t, 'set', 'me', { password => 'another' });
all('401 bad_credentials', 'password changed');
all('200 upstream', 'new password', request('GET', '/',
    basic('me', 'another')));

account($t, 'set', 'me', { password => 'secret' });
account($t, 'add', 'new', { password => 'secret' });
all('200 upstream', 'added', request('GET', '/', basic('new', 'secret')));

account($t, 'set', 'new', '--name', 'renamed', { password => 'secret' });
all('401 bad_credentials', 'old name', request('GET', '/',
    basic('new', 'secret')));
all('200 upstream', 'new name', request('GET', '/',
    basic('renamed', 'secret')));

account($t, 'del', 'new');
all('401 bad_credentials', 'deleted', request('GET', '/',
    basic('renamed', 'secret')));

# a reload that is refused: the old workers go on

my @workers = workers($t);

rename "$d/store.key", "$d/right.key";
rename "$d/foreign.key", "$d/store.key";
ok(refused_reload(qr/of the key file does not open store/),
    'reload with another key');
rename "$d/store.key", "$d/foreign.key";
rename "$d/right.key", "$d/store.key";

configure(store => 'absent');
ok(refused_reload(qr/absent" does not exist/), 'reload without a store');
configure();

is_deeply([ workers($t) ], \@workers, 'the same workers');
all('200 upstream', 'after refused reloads');

# a reload with what is right, also while requests come

my ($lost, $answered, %pids) = (0, 0);
my $persistent = persistent(8080);

foreach my $reload (1 .. 3) {
    my %old = map { $_ => 1 } workers($t);
    my ($n, $gone, $until) = (0, 0, time() + 60);

    # once more where they are gone: that one the new workers answer; however
    # soon that is, some requests each time

    until ($gone && $n > 8 || time() > $until) {
        $t->reload() if $n++ == 1;
        $gone = !grep { kill 0, $_ } keys %old;

        my $r = $persistent->($get);
        verdict($t, $r, 8081) eq '200 upstream' ? $answered++ : $lost++;
        $pids{header($r, 'X-Pid')} = 1;
    }
}

is($lost, 0, 'no request lost in reloads');
cmp_ok($answered, '>', 20, 'many requests in reloads');
cmp_ok(scalar(keys %pids), '>', 3, 'of old and new workers');

# the store is taken away, and comes back

@clients = clients();

rename "$d/store", "$d/away" or die "Can't rename store: $!\n";
all_soon('503 store_unavailable', 'taken away');

my $r = $clients[0]->request($get);

is(verdict($t, $r, 8081), '503 store_unavailable', 'taken away again');
like(header($r, 'Retry-After'), qr/^(?:5|6|7|8|9|10)$/, 'Retry-After');
is(header($r, 'WWW-Authenticate'), undef, 'no challenge');
all('401 no_credentials', 'no credentials', request('GET', '/'));
all('503 store_unavailable', 'unknown user', request('GET', '/',
    basic('nobody', 'secret')));
all('503 store_unavailable', 'wrong password', request('GET', '/',
    basic('me', 'wrong')));
is(verdict($t, keepalive(8080)->request(request('GET', '/',
    'Authorization: Basic ???')), 8081), '401 malformed', 'malformed');

log_lines($t, qr/\[crit\].*dm_sec: store .* does not exist/,
    scalar @clients);
is(scalar keys %{{ map { /(\d+)#\d+: .* does not exist/ ? ($1 => 1) : () }
    log_lines($t, qr/\[crit\]/) }}, @clients, 'said by each worker');

rename "$d/away", "$d/store" or die "Can't rename store: $!\n";
all_soon('200 upstream', 'back');

# replaced as a whole

replace('other');
all_soon('401 bad_credentials', 'another store');
all('200 upstream', 'its account', request('GET', '/',
    basic('other', 'secret')));

account($t, 'add', 'later', { password => 'secret' });
all('200 upstream', 'added to it', request('GET', '/',
    basic('later', 'secret')));

replace('foreign');
all_soon('503 store_unavailable', 'a store of another key', request('GET', '/',
    basic('foreign', 'secret')));
ok(log_lines($t, qr/\[crit\].*of the key file does not open store/),
    'a store of another key, said');

replace('away.store');
all_soon('200 upstream', 'the first store');

# a record that was changed without the key; who logged in before goes on with
# what was proved then, until the store changes

patch('store', qr/field-test/, 'field-tesT');
all('200 upstream', 'proved before');
@clients = clients();
all('503 store_unavailable', 'forged group');
ok(log_lines($t, qr/\[crit\].*dm_sec: .*"me"/), 'forged group, said');
all('200 upstream', 'beside a forged record', request('GET', '/',
    basic('too', 'secret')));

account($t, 'set', 'too', '--group', 'any');
all('503 store_unavailable', 'forged group, after another change');

patch('store', qr/field-tesT/, 'field-test');
all('200 upstream', 'as it was');

# a worker is killed

kill_worker($t, $_) foreach workers($t);

@clients = clients();
all('200 upstream', 'a worker in place of a killed one');

# the file is cut short under the workers, which kills them

copy_store('good');
truncate "$d/store/data.mdb", 8192;

is(join("\n", grep { !/^(?:0|503 store_unavailable)$/ } map { verdict($t,
    keepalive(8080)->request($get), 8081) } 1 .. 40), '',
    'cut short: nothing authenticates');
is(verdict($t, keepalive(8080)->request($get), 8081),
    '503 store_unavailable', 'cut short: a worker answers');

replace('good');
@clients = clients();
all_soon('200 upstream', 'cut short: replaced');

cmp_ok(scalar(log_lines($t, qr/exited on signal \d/)), '<=',
    2 * @clients, 'no worker dies twice of it');

$t->stop();

###############################################################################

# workers that are nobody, and the user of Debian's; as a daemon too

SKIP: {
    skip 'workers keep their user unless nginx runs as root', 17 if $>;

    foreach my $user (qw/ nobody www-data /) {
        my $daemon = $user eq 'nobody' ? 'off' : 'on';

        remove('store');
        account($t, 'init', '--share-key', '--realm', 'example', '--owner',
            $user, '--map-size', '1m');
        account($t, 'add', 'me', { password => 'secret' });
        configure(user => $user, daemon => $daemon);

        is((stat "$d/store.key")[2] & 07777, 0600, "$user: mode of the key");
        is((stat "$d/store.key")[4], 0, "$user: owner of the key");

        $t->run();

        @workers = workers($t);
        is_deeply([ map { uid($_) } @workers ],
            [ (scalar getpwnam $user) x @workers ], "$user: workers");

        if ($daemon eq 'on') {
            @clients = clients();
            all('200 upstream', "$user: as a daemon");

        } else {
            live($user);

            ok(reload_wait($t), "$user: reload");
            kill_worker($t, $_) foreach workers($t);
            @clients = clients();
            all('200 upstream', "$user: after a worker was killed");
        }

        $t->stop();
    }

    # a store that is not theirs

    remove('store');
    account($t, 'init', '--share-key', '--realm', 'example', '--owner',
        'root', '--map-size', '1m');
    account($t, 'add', 'me', { password => 'secret' });
    configure(user => 'nobody');

    like(join(' ', nginx_t($t)),
        qr/\[emerg\] dm_sec: user "nobody" .*, cannot pass through .*; run /,
        'a store of root: refused');

    # and one that becomes root's

    run_command([ 'chown', '-R', 'nobody', "$d/store" ]);
    $t->run();
    run_command([ 'chown', '-R', 'root', "$d/store" ]);
    kill_worker($t, $_) foreach workers($t);
    @clients = clients();

    all('503 store_unavailable', 'a store of root');
    ok(log_lines($t, qr/\[crit\] .* "nobody" .*, cannot pass through .*; run /),
        'a store of root, said');

    $t->stop();
}

# one process for all

remove('store');
store($t, realm => 'example', args => [ '--map-size', '1m' ]);
account($t, 'add', 'me', { password => 'secret' });
configure(main => 'master_process off;', listen => '');

$t->run();
live('master_process off');
is(header($clients[0]->request($get), 'X-Pid'), master($t),
    'master_process off: the only process');

$t->stop();

is(other_alerts($t, 7, 9), '', 'no other alerts');

undef $t;

###############################################################################

# a change, and another store: the same for whoever runs the workers
sub live {
    my ($name) = @_;

    @clients = clients();
    all('200 upstream', $name);

    account($t, 'disable', 'me');
    all('403 account_disabled', "$name: disabled");

    copy_store('next');
    account($t, 'enable', 'me');
    all('200 upstream', "$name: enabled");

    replace('next');
    all_soon('403 account_disabled', "$name: replaced");
    account($t, 'enable', 'me');
    all('200 upstream', "$name: enabled in the new store");
}

sub configure {
    my (%o) = @_;
    my ($main) = $globals;

    $main =~ s/\buser\s+\S+;// if $o{user};
    $main .= "user $o{user};" if $o{user} && $o{user} ne 'nobody';
    $main .= $o{main} || '';
    $o{daemon} ||= 'off';
    $o{store} ||= 'store';

    # so that the kernel spreads the connections
    $o{listen} //= 'reuseport';

    $t->write_file_expand('nginx.conf', <<"EOF_CONF");

$main

daemon $o{daemon};
worker_rlimit_core 0;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    error_log $d/error.log info;

    dm_sec_account_store $d/$o{store};
    dm_sec_store_key     $d/store.key;
    dm_sec_lockout       off;

    add_header X-Pid \$pid always;

    server {
        listen       127.0.0.1:8080 $o{listen};
        server_name  localhost;

        dm_sec_plaintext_auth on;

        location / {
            dm_sec_auth basic;
            proxy_pass http://127.0.0.1:8081;
        }
    }
}

EOF_CONF
}

# what nginx -t says of the store and the key; '' leaves one out
sub error {
    my (%o) = @_;

    $o{store} //= "$d/store;";
    $o{key} //= "$d/store.key;";

    return conf_error($t,
        http => "dm_sec_zone dm_sec:256k;\n"
            . ($o{store} && "dm_sec_account_store $o{store}\n")
            . ($o{key} && "dm_sec_store_key $o{key}\n"),
        server => 'dm_sec_plaintext_auth on;',
        location => 'dm_sec_auth basic; proxy_pass http://127.0.0.1:8081;');
}

# an open connection to each worker; which one gets it is the kernel's choice
sub clients {
    my ($count, %client);

    $count = $t->read_file('nginx.conf') =~ /master_process off/
        ? 1 : workers($t);

    for (1 .. 400) {
        my $client = keepalive(8080);

        $client{header($client->request(request('GET', '/')), 'X-Pid')}
            //= $client;
        last if keys %client == $count;
    }

    verdict($t, undef, 8081);

    return values %client;
}

# what each worker makes of a request
sub all {
    my ($expected, $name, $request) = @_;

    is(join(', ', map { verdict($t, $_->request($request || $get), 8081) }
        @clients), join(', ', ($expected) x @clients), $name);
}

# the same, as soon as it is so: a worker looks for its store once a second
sub all_soon {
    my ($expected, $name, $request) = @_;

    foreach my $client (@clients) {
        wait_for(60, sub {
            return verdict($t, $client->request($request || $get), 8081)
                eq $expected;
        });
    }

    all($expected, $name, $request);
}

sub refused_reload {
    my ($pattern) = @_;
    my ($before) = scalar(my @lines = log_lines($t, $pattern, 0));

    $t->reload();

    return log_lines($t, $pattern, $before + 1) == $before + 1;
}

sub copy_store {
    my ($name, $from) = @_;

    remove($name);
    $from ||= 'store';

    run_command([ 'cp', '-a', "$d/$from", "$d/$name" ]);
}

sub remove {
    my ($name) = @_;

    run_command([ 'rm', '-rf', "$d/$name" ]);
}

# puts another directory in the place of the store, which is kept
{
    my $name;

    sub replace {
        my ($with) = @_;

        $name //= 'store';

        remove("away.$name");
        rename "$d/store", "$d/away.$name" or die "Can't rename store: $!\n";
        rename "$d/$with", "$d/store" or die "Can't rename $with: $!\n";
        $name = $with;
    }
}

# changes octets in the file of a store, whose map sees it
sub patch {
    my ($name, $from, $to) = @_;
    my ($data) = $t->read_file("$name/data.mdb");
    my ($fh);

    open $fh, '+<:raw', "$d/$name/data.mdb" or die "Can't open $name: $!\n";

    while ($data =~ /$from/g) {
        seek $fh, $-[0], 0 or die "Can't seek: $!\n";
        print {$fh} $to or die "Can't write: $!\n";
    }

    close $fh or die "Can't write: $!\n";
}

sub uid {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/status" or return '';
    local $/;

    return <$fh> =~ /^Uid:\s+\d+\s+(\d+)/m ? $1 : '';
}

###############################################################################
