## make              the module, dm-account and dm-probe, under build/
## make test         all tests; WORKERS=n: with n worker processes;
##                   TESTS="t/a.t ...": these only; TEST_NGINX=DIR: on the
##                   original Test::Nginx, of which DIR is the lib/
## make test-attack  the attacks on Digest and on the lockout at their full
##                   size, some minutes; with 4 workers unless WORKERS=n
## make test-large   a million accounts imported, backed up and restored, also
##                   while nginx serves, and a flood of made-up names
## make demo         a demo on 127.0.0.1; says what to try
## make demo-check   runs what the demo printed and looks at the results
## make demo-stop    ends the demo
## make demo-fresh   demo and tests in a new Debian 12 (root, debootstrap)
## make conformance  dm-probe against nginx on this system's OpenSSL and on
##                   that of "make legacy": all rows of the standard
## make conformance-negative
##                   the same against servers that are each broken in one way
## make sanitize     all tests with nginx, module and tools under
##                   AddressSanitizer and UndefinedBehaviorSanitizer
## make fuzz         the fuzzers of all parsers, 10 s each, or FUZZ_SECONDS=n
## make legacy       OpenSSL with SSL 3.0, under build/legacy/ (see README.md)
## make test-legacy  the tests of SSL 3.0, and those of TLS, with it
## make check        clang-tidy, cppcheck and the rules of style
## make bench-quick  what authentication costs, in CPU time of nginx
## make bench-psk    what a handshake with a pre-shared key costs, beside
##                   openssl s_server; with 100,000 accounts unless ACCOUNTS=n;
##                   and that an unknown identity takes the time of a known one
## make test-source-build
##                   the module with plain nginx source, built and loaded
## make matrix       the tests, and dm-probe, on a Debian 13, on the newest
##                   OpenSSL 3, and on nginx as its authors released it; root,
##                   debootstrap; MATRIX="debian-13 ...": these only
## make install      installs below DESTDIR
## make install-legacy
##                   the same for what "make legacy" built
## make deps         installs the Debian packages of all of these with apt-get
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
               -fsanitize-ignorelist=$(CURDIR)/tools/sanitize.ignore \
               -DNGX_DEBUG_PALLOC=1
LDFLAGS      = -fsanitize=address,undefined -Wl,-z,nodelete -lcrypt
NGINX_BINARY = $(CURDIR)/tools/sanitize-nginx
NGINX_SOURCE = build/nginx-source
NGINX_DEPS   = tools/sanitize.ignore
NGINX_FLAGS  = --with-http_addition_module --with-http_sub_module
NGINX_TARGET = build
endif

# of the demo, on 127.0.0.1
export TLS_PORT   ?= 8443
export PLAIN_PORT ?= 8080
export DM_PORT    ?= 8090

CORE_SRCS    = $(wildcard src/core/*.c)
ACCOUNT_SRCS = $(wildcard tools/dm-account*.c tools/dm_account*.c)
PROBE_SRCS   = $(wildcard tools/dm-probe*.c tools/dm_probe*.c)
UNIT_SRCS    = $(wildcard t/unit/test_*.c)
MODULE_DEPS  = $(wildcard *.c src/*.[ch] src/core/*.[ch])

CORE_OBJS    = $(CORE_SRCS:%.c=$(BUILD)/%.o)
ACCOUNT_OBJS = $(ACCOUNT_SRCS:%.c=$(BUILD)/%.o)
PROBE_OBJS   = $(PROBE_SRCS:%.c=$(BUILD)/%.o)
UNIT_TESTS   = $(UNIT_SRCS:t/unit/%.c=$(BUILD)/unit/%)

# what dm-probe has of dm-account
SHARED_OBJS  = $(addprefix $(BUILD)/tools/dm_account_, \
    hash.o input.o json.o output.o process.o progress.o secret.o xml.o)

# changes when another version of nginx-dev is installed
NGINX_DEV_STAMP = $(wildcard /var/lib/dpkg/info/nginx-dev.list)


.PHONY: all
all: $(BUILD)/ngx_dm_sec_module.so $(BUILD)/dm-account $(BUILD)/dm-probe


.PHONY: help
help:
	@sed -n 's/^##\( \|$$\)//p' Makefile


# Each does nothing, and quickly, where all packages are there.  Only three
# goals install; what they or others run is told by the environment.

export DEPS_CHECK := $(if $(DEPS_CHECK)$(if \
    $(filter deps demo test,$(MAKECMDGOALS)),,yes),--check)

JOBS = build demo test sanitize check legacy test-legacy fresh

.PHONY: deps $(JOBS:%=deps-%)

deps:
	@tools/deps $(JOBS)

$(JOBS:%=deps-%): deps-%:
	@tools/deps $(DEPS_CHECK) $*

$(filter-out deps-build,$(JOBS:%=deps-%)): deps-build

deps-sanitize deps-test-legacy: deps-test


# the core, the tools and the unit tests

$(BUILD)/src/core/%.o: src/core/%.c | deps-build
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) -Wconversion -MMD -MP \
	    -c -o $@ $<

$(BUILD)/tools/%.o: tools/%.c | deps-build
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) -Wconversion -MMD -MP \
	    -Isrc/core -c -o $@ $<

$(BUILD)/libdmcore.a: $(CORE_OBJS)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/dm-account: $(ACCOUNT_OBJS) $(BUILD)/libdmcore.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
	    -ljansson -llmdb -lcrypt -lssl -lcrypto

$(BUILD)/dm-probe: $(PROBE_OBJS) $(SHARED_OBJS) $(BUILD)/libdmcore.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
	    -lcurl -ljansson -lcrypt -lssl -lcrypto

# of two patterns the longer is taken
$(BUILD)/unit/test_probe_%: t/unit/test_probe_%.c $(PROBE_OBJS) \
    $(SHARED_OBJS) $(BUILD)/libdmcore.a | deps-test
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CFLAGS) $(LDFLAGS) $(WARNINGS) -MMD -MP \
	    -Isrc/core -Itools -o $@ $< \
	    $(filter-out %/dm-probe.o,$(filter %.o %.a,$^)) \
	    -lcmocka -lcurl -ljansson -lcrypt -lssl -lcrypto

$(BUILD)/unit/%: t/unit/%.c $(BUILD)/libdmcore.a | deps-test
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CFLAGS) $(LDFLAGS) $(WARNINGS) -MMD -MP \
	    -Isrc/core -o $@ $< $(BUILD)/libdmcore.a \
	    -lcmocka -llmdb -lcrypt -lssl -lcrypto

-include $(CORE_OBJS:.o=.d) $(ACCOUNT_OBJS:.o=.d) $(PROBE_OBJS:.o=.d) \
    $(UNIT_TESTS:=.d)


# the module: nginx's own build in a copy of nginx-dev

# which names the absolute paths of this tree's files: a copy of this tree, with
# its build/, must not build from them
.PHONY: moved
$(BUILD)/top: moved
	@mkdir -p $(@D)
	@[ "$$(cat $@ 2> /dev/null)" = '$(CURDIR)' ] || echo '$(CURDIR)' > $@

$(BUILD)/nginx/objs/Makefile: config Makefile $(NGINX_DEV_STAMP) $(NGINX_DEPS) \
    $(BUILD)/top | deps-build lists
	rm -rf $(BUILD)/nginx
	mkdir -p $(BUILD)
	cp -r $(NGINX_DEV) $(BUILD)/nginx
	$(if $(NGINX_SOURCE),cp -r $(NGINX_SOURCE)/. $(BUILD)/nginx)
	cd $(BUILD)/nginx && . ./conf_flags \
	    && CC='$(CC)' ./configure "$${NGX_CONF_FLAGS[@]}" $(NGINX_FLAGS) \
	        --with-cc-opt='$(CFLAGS)' --with-ld-opt='$(LDFLAGS)' \
	        --add-dynamic-module='$(CURDIR)' > configure.log \
	    || { tail -n 6 configure.log >&2; exit 1; }

$(BUILD)/ngx_dm_sec_module.so: $(BUILD)/nginx/objs/Makefile $(MODULE_DEPS) \
    | lists
	+$(MAKE) --no-print-directory -C $(BUILD)/nginx -f objs/Makefile \
	    $(NGINX_TARGET)
	install -m 644 $(BUILD)/nginx/objs/ngx_dm_sec_module.so $@

# config names each file, here it is seen that none is forgotten;
# dm_store_write is the tools' only
.PHONY: lists
lists:
	@diff <(ls $(MODULE_DEPS) | grep -v /dm_store_write | LC_ALL=C sort) \
	    <(sed -n 's|.*$$ngx_addon_dir/\(.*\.[ch]\) .*|\1|p' config \
	        | LC_ALL=C sort) \
	    || { echo "config does not list what is there:" \
	        "add the files marked <, remove those marked >" >&2; exit 1; }


# the tests: as root, nginx's workers could not read the test directory

GLOBALS = load_module $(CURDIR)/$(BUILD)/ngx_dm_sec_module.so;
ifeq ($(shell id -u),0)
GLOBALS += user root;
endif
ifdef WORKERS
GLOBALS += worker_processes $(WORKERS);
endif

TEST_ENV = TEST_NGINX_BINARY='$(NGINX_BINARY)' \
    TEST_NGINX_GLOBALS='$(GLOBALS)' \
    TEST_DM_ACCOUNT='$(CURDIR)/$(BUILD)/dm-account' \
    TEST_DM_PROBE='$(CURDIR)/$(BUILD)/dm-probe'

# A test's own "use lib" goes before -I, but what perl has loaded before the
# test begins is not loaded again.
ifdef TEST_NGINX
TEST_ENV += TEST_NGINX='$(abspath $(TEST_NGINX))' \
    TEST_NGINX_BINARY='$(CURDIR)/tools/original-nginx' \
    NGINX_BINARY='$(NGINX_BINARY)' \
    HARNESS_PERL_SWITCHES='-I$(abspath $(TEST_NGINX)) -mTest::Nginx'
endif

TESTS = t $(UNIT_TESTS)

# what is skipped within a file, which passes, is shown
PROVE = prove -j2 --timer --directives

.PHONY: test
test: all $(UNIT_TESTS) | deps-test
	$(TEST_ENV) CMOCKA_MESSAGE_OUTPUT=TAP $(PROVE) $(TESTS)

# make test has them in a reduced size

ATTACKS = $(addprefix t/digest_,attack.t disturbed.t evict.t \
    killed.t race.t reload.t) t/lockout_names.t

.PHONY: test-attack
test-attack:
	+@DM_SEC_FULL=1 $(MAKE) --no-print-directory test \
	    WORKERS=$(or $(WORKERS),4) TESTS='$(ATTACKS)'

# 4 GB below $TMPDIR, which they give back

.PHONY: test-large
test-large: all | deps-test
	$(TEST_ENV) t/large/import_million
	$(TEST_ENV) t/large/serve_million
	$(TEST_ENV) t/large/flood_names


# SSL 3.0, and that TLS is with that library as it is without

LEGACY_TESTS = $(wildcard t/legacy*.t t/psk*.t t/tls*.t t/x509*.t) \
    t/examples.t t/status.t

.PHONY: legacy
legacy: | deps-legacy
	@tools/legacy-openssl

.PHONY: test-legacy
test-legacy: all legacy $(BUILD)/unit/test_suite | deps-test-legacy
	CMOCKA_MESSAGE_OUTPUT=TAP tools/legacy-env $(PROVE) $(BUILD)/unit/test_suite
	+TEST_DM_LEGACY='$(CURDIR)/build/legacy' \
	$(MAKE) --no-print-directory test TESTS='$(LEGACY_TESTS)' \
	    NGINX_BINARY='$(CURDIR)/tools/legacy-nginx'

.PHONY: sanitize
sanitize: | deps-sanitize
	+@tools/sanitize

# parsers of octets that others wrote; each for so many seconds

FUZZ_SECONDS = 10
export FUZZ_SEED
FUZZERS      = $(patsubst t/%.c,$(BUILD)/%,$(wildcard t/fuzz/fuzz_*.c))

FUZZ_CFLAGS = -g -O1 -fno-omit-frame-pointer \
    -fsanitize=address,undefined -fno-sanitize-recover=all

.PHONY: fuzz fuzzers
fuzz: | deps-sanitize
	+@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang \
	    CFLAGS='$(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link' LDFLAGS= fuzzers
	tools/fuzz $(FUZZ_SECONDS) $(FUZZERS:$(BUILD)/%=build/fuzz/%)

fuzzers: $(FUZZERS)

# of two patterns the longer is taken: the parsers of dm-probe, one each
$(BUILD)/fuzz/fuzz_probe_%: t/fuzz/fuzz_probe_%.c t/fuzz/fuzz.h \
    $(BUILD)/tools/dm_probe_%.o $(BUILD)/libdmcore.a
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(FUZZ_CFLAGS) -fsanitize=fuzzer $(WARNINGS) \
	    -Isrc/core -Itools -o $@ $< $(filter %.o %.a,$^) \
	    -ljansson -lcrypt -lssl -lcrypto

$(BUILD)/fuzz/%: t/fuzz/%.c t/fuzz/fuzz.h $(BUILD)/libdmcore.a
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(FUZZ_CFLAGS) -fsanitize=fuzzer $(WARNINGS) \
	    -Isrc/core -o $@ $< $(BUILD)/libdmcore.a \
	    -llmdb -lcrypt -lssl -lcrypto

# what can be seen without running it; nginx's own headers are not looked at

CHECKED = $(wildcard *.c src/*.c src/core/*.c tools/*.c t/unit/*.c \
    t/fuzz/*.c bench/*.c)

NGINX_DIRS = $(addprefix $(BUILD)/nginx/,objs src/core src/event \
    src/event/modules src/os/unix src/http src/http/modules src/http/v2)

.PHONY: check
check: $(BUILD)/nginx/objs/Makefile | deps-check
	tools/check-style
	cppcheck --quiet --std=c11 --inline-suppr --error-exitcode=1 \
	    --enable=warning,style,performance,portability \
	    --suppressions-list=tools/cppcheck.suppressions \
	    --suppress='*:$(BUILD)/nginx/*' -D_GNU_SOURCE \
	    -Isrc -Isrc/core -Itools \
	    $(NGINX_DIRS:%=-I%) $(CHECKED)
	printf '%s\n' $(CHECKED) | xargs -P2 -I{} clang-tidy --quiet {} -- \
	    -std=gnu11 -Isrc -Isrc/core -Itools $(NGINX_DIRS:%=-isystem %) \
	    2> $(BUILD)/check.log


# what authentication costs

$(BUILD)/bench/%: bench/%.c bench/common.c bench/common.h | deps-build
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CFLAGS) $(LDFLAGS) $(WARNINGS) -Wconversion \
	    -o $@ $< bench/common.c -lssl -lcrypto

.PHONY: bench-quick
bench-quick: all $(BUILD)/bench/load $(BUILD)/bench/devices | deps-demo
	bench/quick $(BENCH_FLAGS) $(BUILD)/bench/load $(BUILD)/bench/devices \
	    $(BUILD)/dm-account $(NGINX_BINARY) \
	    $(CURDIR)/$(BUILD)/ngx_dm_sec_module.so

ACCOUNTS = 100000

.PHONY: bench-psk
bench-psk: all $(BUILD)/bench/handshakes | deps-test
	bench/psk $(BENCH_FLAGS) $(ACCOUNTS) $(BUILD)/bench/handshakes \
	    $(BUILD)/dm-account $(NGINX_BINARY) \
	    $(CURDIR)/$(BUILD)/ngx_dm_sec_module.so
	TEST_NGINX_VERBOSE=yes $(TEST_ENV) prove bench/psk_unknown.t


.PHONY: test-source-build
test-source-build: | deps-build lists
	tools/test-source-build


.PHONY: matrix
matrix: all | deps-test deps-sanitize deps-legacy deps-fresh
	+@tools/matrix $(MATRIX)


.PHONY: demo demo-check demo-stop demo-fresh

demo: all | deps-demo
	@NGINX_BINARY='$(NGINX_BINARY)' demo/start

demo-check:
	@demo/check

demo-stop:
	@demo/stop

demo-fresh: | deps-fresh
	@demo/fresh


.PHONY: conformance conformance-negative

conformance: all legacy | deps-demo
	@NGINX_BINARY='$(NGINX_BINARY)' demo/conformance

conformance-negative: all | deps-demo
	@NGINX_BINARY='$(NGINX_BINARY)' demo/conformance-negative


.PHONY: install
install: all
	install -D -m 644 $(BUILD)/ngx_dm_sec_module.so \
	    $(DESTDIR)/usr/lib/nginx/modules/ngx_dm_sec_module.so
	install -D -m 644 conf/mod-dm-sec.conf \
	    $(DESTDIR)/usr/share/nginx/modules-available/mod-dm-sec.conf
	install -D -m 755 $(BUILD)/dm-account $(DESTDIR)/usr/sbin/dm-account
	install -D -m 755 $(BUILD)/dm-probe $(DESTDIR)/usr/bin/dm-probe

.PHONY: install-legacy
install-legacy: legacy
	install -D -m 644 -t $(DESTDIR)/usr/lib/dm-sec build/legacy/lib/*.so.3
	install -D -m 644 -t $(DESTDIR)/usr/lib/dm-sec/ossl-modules \
	    build/legacy/lib/ossl-modules/legacy.so

.PHONY: clean
clean: demo-stop
	rm -rf --one-file-system build
