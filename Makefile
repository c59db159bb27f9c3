## make              the module, dm-account and dm-probe, under build/
## make test         all tests; WORKERS=n: with n worker processes;
##                   TESTS="t/a.t ...": these only; TEST_NGINX=DIR: on the
##                   original Test::Nginx, of which DIR is the lib/
## make test-attack  the attacks on Digest and on the lockout at their full
##                   size, some minutes; with 4 workers unless WORKERS=n
## make test-fleet  a fleet of nodes and a PostgreSQL of the tests' own;
##                   FULL=yes: at full size
## make test-large   a million accounts imported, backed up and restored, also
##                   while nginx serves, and a flood of made-up names
## make test-browser the status page in a real browser, at two widths, light and
##                   dark; build/screenshots has what it saw
## make screenshots  the same, and those that docs/ show are made anew
## make demo         a demo on 127.0.0.1; says what to try
## make demo-check   runs what the demo printed and looks at the results
## make demo-stop    ends the demo
## make clients      real clients, each with each method and algorithm, against
##                   nginx; the tables of docs/digest.md
## make demo-fleet   two nodes and a PostgreSQL with a standby on this machine:
##                   what each command says when a device is stolen, a link is
##                   cut and the engine fails
## make demo-fresh   demo and a few tests in a new Debian 12 (root, debootstrap)
## make conformance  dm-probe against nginx on this system's OpenSSL and on
##                   that of "make legacy": all rows of the standard
## make conformance-negative
##                   the same against servers that are each broken in one way
## make sanitize     all tests with nginx, module and tools under
##                   AddressSanitizer and UndefinedBehaviorSanitizer
## make fuzz         the fuzzers of all parsers, 10 s each, or FUZZ_SECONDS=n
## make legacy       OpenSSL with SSL 3.0, below build/legacy/: docs/ssl3.md
## make test-legacy  the tests of SSL 3.0, and those of TLS, with it
## make check        clang-tidy, cppcheck and the rules of style
## make docs-check   links, commands, directives, goals and files that README.md
##                   and docs/ name; their commands are run, and their
##                   configurations loaded
## make bench        what authentication costs, in CPU time of nginx, at up to
##                   a million accounts: tables, and BENCH_FLAGS="--svg FILE"
##                   a plot; two CPUs, ten minutes, and nothing beside it
## make bench-quick  the same in a minute
## make bench-peers  the same of other servers that Debian has, which
##                   "dev/deps bench" installs
## make bench-instructions
##                   the instructions that a request takes, counted by valgrind:
##                   what became dearer by more than 5 % fails
## make bench-psk    what a handshake with a pre-shared key costs, beside
##                   openssl s_server; with 100,000 accounts unless ACCOUNTS=n;
##                   and that an unknown identity takes the time of a known one
## make bench-store  what a store of two million accounts costs, or ACCOUNTS=n:
##                   look-ups, "nginx -t", batches; it is kept under build/
##                   until "make clean", or BENCH_FLAGS=--drop
## make test-source-build
##                   the module with plain nginx source, built and loaded
## make matrix       the tests, and dm-probe, on a Debian 13, on the newest
##                   OpenSSL 3, and on nginx as its authors released it; root,
##                   debootstrap; MATRIX="debian-13 ...": these only
## make deb          Debian packages, under build/deb/
## make test-deb     the packages in a new Debian without a compiler: installed,
##                   a first device, upgraded, removed, purged; root,
##                   debootstrap; in a Debian 12 and a 13 unless SUITE=trixie
## make man          the man pages, under build/man/, of what --help says
## make install      installs below DESTDIR and prefix, which is /usr
## make install-legacy
##                   the same for what "make legacy" built
## make uninstall    removes what these two installed
## make deps         installs the Debian packages of all of these with apt-get,
##                   but for test-deb's, which "dev/deps test-deb" installs
## make clean        removes build/
##
## "make demo" and "make test" install the packages that they need and that
## are missing, with apt-get; the others name them and stop.

SHELL       = /bin/bash
.SHELLFLAGS = -eu -o pipefail -c
.DELETE_ON_ERROR:

BUILD       = build
CFLAGS      = -g -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2
LDFLAGS     = -Wl,-z,relro -Wl,-z,now
WARNINGS    = -Wall -Wextra -Werror

NGINX_BINARY = /usr/sbin/nginx
NGINX_DEV    = /usr/share/nginx/src
NGINX_TARGET = modules

# SANITIZE=yes builds nginx too, for which nginx-dev has no source, and keeps
# the module in memory to the end, where leaks are looked for; crypt_r() is the
# sanitizer's, so that only -lcrypt brings libcrypt, which it calls
ifdef SANITIZE
BUILD        = build/sanitize
CC           = clang
CFLAGS       = -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
               -fsanitize-ignorelist=$(CURDIR)/dev/sanitize.ignore \
               -DNGX_DEBUG_PALLOC=1
LDFLAGS      = -fsanitize=address,undefined -Wl,-z,nodelete -lcrypt
NGINX_BINARY = $(CURDIR)/dev/sanitize-nginx
NGINX_SOURCE = build/nginx-source
NGINX_DEPS   = dev/sanitize.ignore
NGINX_FLAGS  = --with-http_addition_module --with-http_sub_module
NGINX_TARGET = build
endif

# of the demo, on 127.0.0.1
export TLS_PORT   ?= 8443
export PLAIN_PORT ?= 8080
export DM_PORT    ?= 8090


.PHONY: all
all: $(BUILD)/ngx_dm_sec_module.so $(BUILD)/dm-account $(BUILD)/dm-probe


.PHONY: help
help:
	@sed -n 's/^##\( \|$$\)//p' Makefile


# Each does nothing, and quickly, where all packages are there.  Only three
# goals install; what they or others run is told by the environment.

export DEPS_CHECK := $(if $(DEPS_CHECK)$(if \
    $(filter deps demo test,$(MAKECMDGOALS)),,yes),--check)

JOBS = bench build deb demo test browser sanitize check clients count fleet \
    legacy test-legacy fresh test-deb

.PHONY: deps $(JOBS:%=deps-%)

# lintian brings a hundred packages, and bench other servers, which nothing else
# needs
deps:
	@dev/deps $(filter-out bench test-deb,$(JOBS))

$(JOBS:%=deps-%): deps-%:
	@dev/deps $(DEPS_CHECK) $*

$(filter-out deps-build,$(JOBS:%=deps-%)): deps-build

deps-fleet deps-sanitize deps-test-legacy: deps-test


include $(addprefix mk/,build.mk module.mk test.mk check.mk bench.mk demo.mk \
    clients.mk man.mk install.mk deb.mk)


.PHONY: clean
clean: demo-stop
	rm -rf --one-file-system build
