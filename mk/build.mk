# The libraries, the two programs and the unit tests

# a store is read by all, and written by the tools alone
WRITE_SRCS   = $(wildcard src/store/dm_store_write*.c)
POSITION_SRCS = $(addprefix src/fleet/dm_fleet_,derive.c position.c sum.c)
FLEET_SRCS   = $(filter-out $(POSITION_SRCS),$(wildcard src/fleet/*.c))
CORE_SRCS    = $(wildcard src/core/*.c) $(POSITION_SRCS) \
    $(filter-out $(WRITE_SRCS),$(wildcard src/store/*.c))
COMMON_SRCS  = $(wildcard tools/common/*.c)
ACCOUNT_SRCS = $(wildcard tools/account/*.c)
PROBE_SRCS   = $(wildcard tools/probe/*.c)
UNIT_SRCS    = $(wildcard t/unit/test_*.c)

# the engine of a fleet, where libpq-dev is; without it dm-account says that it
# was built without, and there is no dm-replica
LIBPQ       := $(firstword $(wildcard /usr/include/postgresql/libpq-fe.h \
    $(shell pg_config --includedir 2> /dev/null)/libpq-fe.h))
ENGINE_SRCS  = $(if $(LIBPQ),$(filter-out \
    %/engine_none.c,$(wildcard tools/fleet/engine*.c)), \
    tools/fleet/engine_none.c) \
    $(filter-out tools/fleet/engine%,$(wildcard tools/fleet/*.c))
REPLICA_SRCS = $(if $(LIBPQ),$(wildcard tools/replica/*.c))

WRITE_OBJS   = $(WRITE_SRCS:%.c=$(BUILD)/%.o)
FLEET_OBJS   = $(FLEET_SRCS:%.c=$(BUILD)/%.o)
CORE_OBJS    = $(CORE_SRCS:%.c=$(BUILD)/%.o)
COMMON_OBJS  = $(COMMON_SRCS:%.c=$(BUILD)/%.o)
ACCOUNT_OBJS = $(ACCOUNT_SRCS:%.c=$(BUILD)/%.o)
PROBE_OBJS   = $(PROBE_SRCS:%.c=$(BUILD)/%.o)
ENGINE_OBJS  = $(ENGINE_SRCS:%.c=$(BUILD)/%.o) \
    $(BUILD)/tools/fleet/schema.o
REPLICA_OBJS = $(REPLICA_SRCS:%.c=$(BUILD)/%.o)
UNIT_TESTS   = $(UNIT_SRCS:t/unit/%.c=$(BUILD)/unit/%)

CORE_INCS    = -Isrc/core -Isrc/store -Isrc/fleet

# in the order in which they are linked
CORE_LIBS    = $(BUILD)/libdmwrite.a $(BUILD)/libdmfleet.a \
    $(BUILD)/libdm.a
TOOLS_LIBS   = $(BUILD)/libdmtools.a $(CORE_LIBS)
FLEET_LIBS   = $(BUILD)/libdmengine.a $(TOOLS_LIBS)
PQ_LIBS      = $(if $(LIBPQ),-lpq)

PQ_INCS      = $(LIBPQ:%/libpq-fe.h=-isystem %)

COMPILE      = $(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) -MMD -MP $(CORE_INCS)


$(BUILD)/src/%.o: src/%.c | deps-build
	@mkdir -p $(@D)
	$(COMPILE) -Wconversion -c -o $@ $<

$(BUILD)/tools/%.o: tools/%.c | deps-build
	@mkdir -p $(@D)
	$(COMPILE) -Wconversion -Itools -c -o $@ $<

$(filter $(BUILD)/tools/fleet/engine%,$(ENGINE_OBJS)): \
    CORE_INCS += $(PQ_INCS)

$(BUILD)/tools/fleet/schema.o: $(BUILD)/tools/fleet/schema.c
	$(COMPILE) -c -o $@ $<

$(BUILD)/tools/fleet/schema.c: tools/fleet/schema.sql mk/build.mk
	@mkdir -p $(@D)
	{ echo 'extern const char  dm_engine_schema[];'; \
	    echo 'const char  dm_engine_schema[] ='; \
	    sed 's/[\\"]/\\&/g; s/.*/    "&\\n"/' $<; echo '    ;'; } > $@

$(BUILD)/libdm.a: $(CORE_OBJS)
$(BUILD)/libdmwrite.a: $(WRITE_OBJS)
$(BUILD)/libdmfleet.a: $(FLEET_OBJS)
$(BUILD)/libdmtools.a: $(COMMON_OBJS)
$(BUILD)/libdmengine.a: $(ENGINE_OBJS)

$(BUILD)/lib%.a:
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/dm-account: $(ACCOUNT_OBJS) $(FLEET_LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
	    -lcsv -ljansson -llmdb -lcrypt $(PQ_LIBS) -lssl -lcrypto

all: $(if $(LIBPQ),$(BUILD)/dm-replica)

$(BUILD)/dm-replica: $(REPLICA_OBJS) $(FLEET_LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
	    -ljansson -llmdb -lcrypt $(PQ_LIBS) -lssl -lcrypto

$(BUILD)/dm-probe: $(PROBE_OBJS) $(TOOLS_LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
	    -lcurl -ljansson -lcrypt -lssl -lcrypto

$(BUILD)/unit/%.o: t/unit/%.c | deps-test
	@mkdir -p $(@D)
	$(COMPILE) -Itools -c -o $@ $<

# of two patterns the longer is taken
$(BUILD)/unit/test_common_%: $(BUILD)/unit/test_common_%.o $(TOOLS_LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) \
	    -lcmocka -ljansson -lcrypt -lssl -lcrypto

$(BUILD)/unit/test_import_%: $(BUILD)/unit/test_import_%.o $(ACCOUNT_OBJS) \
    $(FLEET_LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ \
	    $(filter-out %/main.o,$(filter %.o %.a,$^)) \
	    -lcmocka -lcsv -ljansson -llmdb -lcrypt $(PQ_LIBS) -lssl -lcrypto

$(BUILD)/unit/test_probe_%: $(BUILD)/unit/test_probe_%.o $(PROBE_OBJS) \
    $(TOOLS_LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ \
	    $(filter-out %/main.o,$(filter %.o %.a,$^)) \
	    -lcmocka -lcurl -ljansson -lcrypt -lssl -lcrypto

$(BUILD)/unit/%: $(BUILD)/unit/%.o $(CORE_LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) \
	    -lcmocka -llmdb -lcrypt -lssl -lcrypto

.SECONDARY: $(UNIT_TESTS:=.o)

-include $(CORE_OBJS:.o=.d) $(WRITE_OBJS:.o=.d) $(FLEET_OBJS:.o=.d) \
    $(COMMON_OBJS:.o=.d) $(ACCOUNT_OBJS:.o=.d) $(PROBE_OBJS:.o=.d) \
    $(ENGINE_OBJS:.o=.d) $(REPLICA_OBJS:.o=.d) $(UNIT_TESTS:=.d)
