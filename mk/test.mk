# What is tested, and on what

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
    TEST_DM_PROBE='$(CURDIR)/$(BUILD)/dm-probe' \
    TEST_DM_ENGINE='$(CURDIR)/$(BUILD)/t/engine/engine' \
    TEST_DM_WRITER='$(CURDIR)/$(BUILD)/t/engine/writer' \
    TEST_DM_REPLICA='$(CURDIR)/$(BUILD)/dm-replica' \
    TEST_DM_FOLLOW='$(CURDIR)/$(BUILD)/unit/follow' \
    TEST_DM_MAN='$(CURDIR)/$(BUILD)/man'

# A test's own "use lib" goes before -I, but what perl has loaded before the
# test begins is not loaded again.
ifdef TEST_NGINX
TEST_ENV += TEST_NGINX='$(abspath $(TEST_NGINX))' \
    TEST_NGINX_BINARY='$(CURDIR)/dev/original-nginx' \
    NGINX_BINARY='$(NGINX_BINARY)' \
    HARNESS_PERL_SWITCHES='-I$(abspath $(TEST_NGINX)) -mTest::Nginx'
endif

TESTS = t $(UNIT_TESTS)

# those of them that are to be built
UNITS = $(filter $(BUILD)/unit/%,$(TESTS))

# prove dies of one that is not there, and leaves the nginx of the others
TESTS_ABSENT = $(filter-out $(wildcard $(TESTS)) $(UNITS),$(TESTS))

# A test waits for a third of its time, so there is one more than processors.
# What is skipped within a file, which passes, is shown.
PROVE = prove -j$(shell expr $$(nproc) + 1) --timer --directives

.PHONY: test
test: all man $(BUILD)/unit/follow $(UNITS) | deps-test
	$(if $(TESTS_ABSENT),$(error there is no test $(TESTS_ABSENT)))
	$(TEST_ENV) CMOCKA_MESSAGE_OUTPUT=TAP $(PROVE) $(TESTS)

# a fleet, with a PostgreSQL of its own; "make test" skips them

FLEET_TESTS = $(wildcard t/fleet_*.t)

.PHONY: test-fleet
test-fleet: all $(BUILD)/t/engine/engine $(BUILD)/t/engine/writer \
    | deps-fleet
	+@DM_SEC_FLEET=1 $(if $(FULL),DM_SEC_FULL=1) \
	    $(MAKE) --no-print-directory test TESTS='$(FLEET_TESTS)'

$(BUILD)/t/engine/%: $(BUILD)/t/engine/%.o $(FLEET_LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
	    -llmdb -lcrypt $(PQ_LIBS) -lssl -lcrypto

$(BUILD)/t/engine/%.o: t/engine/%.c | deps-fleet
	@mkdir -p $(@D)
	$(COMPILE) -Itools -c -o $@ $<

# make test has them in a reduced size

ATTACKS = $(addprefix t/digest_,attack.t disturbed.t evict.t \
    killed.t race.t reload.t) t/lockout_names.t

.PHONY: test-attack
test-attack:
	+@DM_SEC_FULL=1 $(MAKE) --no-print-directory test \
	    WORKERS=$(or $(WORKERS),4) TESTS='$(ATTACKS)'

# the pages for people in a browser; docs/ show two of what it sees

.PHONY: test-browser
test-browser: all | deps-browser
	@mkdir -p build/screenshots
	+@DM_SEC_SCREENSHOTS='$(CURDIR)/build/screenshots' \
	    $(MAKE) --no-print-directory test TESTS=t/browser/status.t

.PHONY: screenshots
screenshots: test-browser
	install -D -m 644 build/screenshots/status-healthy-1280-light-first.png \
	    docs/status-healthy.png
	install -D -m 644 build/screenshots/status-trouble-1280-light-first.png \
	    docs/status-trouble.png

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
	@dev/legacy-openssl

.PHONY: test-legacy
test-legacy: all legacy $(BUILD)/unit/test_suite | deps-test-legacy
	CMOCKA_MESSAGE_OUTPUT=TAP dev/legacy-env $(PROVE) $(BUILD)/unit/test_suite
	+TEST_DM_LEGACY='$(CURDIR)/build/legacy' \
	$(MAKE) --no-print-directory test TESTS='$(LEGACY_TESTS)' \
	    NGINX_BINARY='$(CURDIR)/dev/legacy-nginx'

.PHONY: sanitize
sanitize: | deps-sanitize
	+@dev/sanitize

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
	dev/fuzz $(FUZZ_SECONDS) $(FUZZERS:$(BUILD)/%=build/fuzz/%)

fuzzers: $(FUZZERS)

# of two patterns the longer is taken: the parsers of dm-probe, one each
$(BUILD)/fuzz/fuzz_probe_%: t/fuzz/fuzz_probe_%.c t/fuzz/fuzz.h \
    $(BUILD)/tools/probe/%.o $(TOOLS_LIBS)
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(FUZZ_CFLAGS) -fsanitize=fuzzer $(WARNINGS) \
	    $(CORE_INCS) -Itools -o $@ $< $(filter %.o %.a,$^) \
	    -ljansson -lcrypt -lssl -lcrypto

# those of an import's files
$(BUILD)/fuzz/fuzz_import_%: t/fuzz/fuzz_import_%.c t/fuzz/fuzz.h \
    $(ACCOUNT_OBJS) $(FLEET_LIBS)
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(FUZZ_CFLAGS) -fsanitize=fuzzer $(WARNINGS) \
	    $(CORE_INCS) -Itools -o $@ $< \
	    $(filter-out %/main.o,$(filter %.o %.a,$^)) \
	    -lcsv -ljansson -llmdb -lcrypt $(PQ_LIBS) -lssl -lcrypto

$(BUILD)/fuzz/%: t/fuzz/%.c t/fuzz/fuzz.h $(CORE_LIBS)
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(FUZZ_CFLAGS) -fsanitize=fuzzer $(WARNINGS) \
	    $(CORE_INCS) -o $@ $< $(CORE_LIBS) \
	    -llmdb -lcrypt -lssl -lcrypto

.PHONY: matrix
matrix: all | deps-test deps-sanitize deps-legacy deps-fresh
	+@dev/matrix $(MATRIX)
