package Test::DmSec::Browser;

# A real browser, Chromium without a window, by its DevTools protocol: messages
# of JSON on two pipes.
#
#   my $browser = Test::DmSec::Browser->new();
#   my $view = $browser->view($url, width => 360, dark => 1);
#   $browser->stop();
#
# A view has what the page is like there: messages, those of its console and of
# its network errors; overflow, by how many pixels it is too wide; contrast, the
# least of all its text; bare, its text without any style; png, a picture of all
# of it; first, of what is seen before one scrolls, a fifth smaller.

use warnings;
use strict;

use JSON::PP qw/ decode_json encode_json /;
use MIME::Base64 qw/ decode_base64 /;
use POSIX ();


# of what is text: its colour against the nearest background that is one
my $contrast = <<'EOF';
(() => {
    const parts = s => s.match(/[\d.]+/g).map(Number);
    const light = c => {
        const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= 0.04045
            ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    let least = 99;
    for (const e of document.body.querySelectorAll('*')) {
        if (![...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()))
            continue;
        let back, p = e;
        do {
            back = parts(getComputedStyle(p).backgroundColor);
            p = p.parentElement;
        } while (back.length > 3 && back[3] == 0 && p);
        const a = light(parts(getComputedStyle(e).color)), b = light(back);
        least = Math.min(least,
            (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
    return least;
})()
EOF


# undef where there is none
sub new {
    my ($class) = @_;
    my ($program) = grep { -x } map { my $dir = $_; map { "$dir/$_" }
        qw/ chromium-headless-shell chromium / } split /:/, $ENV{PATH};

    return undef unless $program;

    my $self = bless { id => 0, buf => '', events => [] }, $class;

    pipe my $in, $self->{to} or die "Can't make a pipe: $!\n";
    pipe $self->{from}, my $out or die "Can't make a pipe: $!\n";

    $self->{pid} = fork() // die "Can't fork: $!\n";

    if ($self->{pid} == 0) {
        my @fds = map { POSIX::dup(fileno $_) } $in, $out;

        POSIX::dup2($fds[0], 3);
        POSIX::dup2($fds[1], 4);
        open STDERR, '>', '/dev/null';
        exec { $program } $program, '--headless', '--remote-debugging-pipe',
            '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars',
            '--no-first-run', '--font-render-hinting=none',
            $> == 0 ? '--no-sandbox' : (), 'about:blank' or POSIX::_exit(127);
    }

    close $in;
    close $out;
    $self->{to}->autoflush(1);

    my $target = $self->call('Target.createTarget', { url => 'about:blank' });

    $self->{session} = $self->call('Target.attachToTarget',
        { targetId => $target->{targetId}, flatten => JSON::PP::true })
        ->{sessionId};

    $self->call("$_.enable") foreach qw/ Page Log Runtime Network /;

    return $self;
}


sub stop {
    my ($self) = @_;

    close $self->{to};
    close $self->{from};
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
}


sub view {
    my ($self, $url, %o) = @_;
    my (%view);

    $self->{events} = [];

    $self->call('Emulation.setDeviceMetricsOverride', { width => $o{width},
        height => $o{height} || 800, deviceScaleFactor => 1,
        mobile => JSON::PP::false });
    $self->call('Emulation.setEmulatedMedia', { features => [ {
        name => 'prefers-color-scheme',
        value => $o{dark} ? 'dark' : 'light' } ] });

    $self->call('Page.navigate', { url => $url });
    $self->wait_event('Page.loadEventFired');

    $view{overflow} = $self->value('document.documentElement.scrollWidth')
        - $o{width};
    $view{contrast} = $self->value($contrast);
    $view{dark} = $self->value(
        'getComputedStyle(document.body).backgroundColor') ne
        'rgb(255, 255, 255)';
    $view{first} = $self->picture($o{width}, $o{height} || 800, 0.8);
    $view{png} = $self->picture($o{width},
        $self->value('document.documentElement.scrollHeight'), 1);
    $view{bare} = $self->value('document.querySelector("style").remove();'
        . 'document.body.innerText');
    $view{messages} = [ map { encode_json($_->{params}) } grep { $_->{method}
        =~ /^(?:Log\.entryAdded|Runtime\.(?:consoleAPICalled|exceptionThrown)
            |Network\.loadingFailed)$/x } @{ $self->{events} } ];

    return \%view;
}


sub picture {
    my ($self, $width, $height, $scale) = @_;

    return decode_base64($self->call('Page.captureScreenshot', {
        format => 'png', captureBeyondViewport => JSON::PP::true,
        clip => { x => 0, y => 0, width => $width, height => $height,
            scale => $scale } })->{data});
}


sub value {
    my ($self, $expression) = @_;

    return $self->call('Runtime.evaluate', { expression => $expression,
        returnByValue => JSON::PP::true })->{result}{value};
}


sub call {
    my ($self, $method, $params) = @_;
    my ($id, $message) = ++$self->{id};

    print { $self->{to} } encode_json({ id => $id, method => $method,
        params => $params || {},
        $self->{session} ? (sessionId => $self->{session}) : () }) . "\0";

    do {
        $message = $self->message();
        push @{ $self->{events} }, $message if $message->{method};
    } until ($message->{id} // 0) == $id;

    die "$method: $message->{error}{message}\n" if $message->{error};

    return $message->{result};
}


sub wait_event {
    my ($self, $method) = @_;

    until (grep { $_->{method} eq $method } @{ $self->{events} }) {
        my $message = $self->message();

        push @{ $self->{events} }, $message if $message->{method};
    }
}


sub message {
    my ($self) = @_;
    my ($end, $message);
    local $SIG{ALRM} = sub { die "The browser says nothing for a minute\n" };

    alarm 60;

    while (($end = index $self->{buf}, "\0") < 0) {
        sysread $self->{from}, $self->{buf}, 1 << 20, length $self->{buf}
            or die "The browser has gone\n";
    }

    $message = decode_json(substr $self->{buf}, 0, $end);
    substr($self->{buf}, 0, $end + 1) = '';

    alarm 0;

    return $message;
}


1;
