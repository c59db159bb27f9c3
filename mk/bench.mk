# What authentication costs

$(BUILD)/bench/%: bench/%.c bench/common.c bench/common.h | deps-build
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CFLAGS) $(LDFLAGS) $(WARNINGS) -Wconversion \
	    -o $@ $(filter %.c,$^) -lssl -lcrypto

$(BUILD)/bench/load: $(foreach part,device watch,bench/$(part).c \
    bench/$(part).h)

REQUESTS_ARGS = $(BUILD)/bench/load $(BUILD)/bench/devices \
    $(BUILD)/dm-account $(NGINX_BINARY) $(CURDIR)/$(BUILD)/ngx_dm_sec_module.so

.PHONY: bench bench-quick
bench bench-quick: all $(BUILD)/bench/load $(BUILD)/bench/devices | deps-demo
bench:
	bench/requests $(BENCH_FLAGS) $(REQUESTS_ARGS)

bench-quick:
	bench/requests --quick $(BENCH_FLAGS) $(REQUESTS_ARGS)

.PHONY: bench-peers
bench-peers: all $(BUILD)/bench/load $(BUILD)/bench/devices | deps-bench
	bench/peers $(BENCH_FLAGS) $(REQUESTS_ARGS)

.PHONY: bench-instructions
bench-instructions: all $(BUILD)/bench/load $(BUILD)/bench/devices
bench-instructions: | deps-count
	bench/instructions $(BENCH_FLAGS) bench/instructions.bounds \
	    $(REQUESTS_ARGS)

ACCOUNTS = 100000

.PHONY: bench-psk
bench-psk: all $(BUILD)/bench/handshakes | deps-test
	bench/psk $(BENCH_FLAGS) $(ACCOUNTS) $(BUILD)/bench/handshakes \
	    $(BUILD)/dm-account $(NGINX_BINARY) \
	    $(CURDIR)/$(BUILD)/ngx_dm_sec_module.so
	TEST_NGINX_VERBOSE=yes $(TEST_ENV) prove bench/psk_unknown.t

# the stores stay there, for to make one takes minutes

.PHONY: bench-store
bench-store: ACCOUNTS = 2000000
bench-store: all $(BUILD)/bench/spent | deps-demo
	bench/store $(BENCH_FLAGS) $(ACCOUNTS) $(BUILD)/bench/stores \
	    $(BUILD)/bench/spent $(BUILD)/dm-account $(NGINX_BINARY) \
	    $(CURDIR)/$(BUILD)/ngx_dm_sec_module.so
