# What can be seen without running it; nginx's own headers are not looked at

CHECKED = $(filter-out $(if $(LIBPQ),,$(filter-out %/engine_none.c, \
    $(wildcard tools/fleet/engine*.c))), $(wildcard *.c src/*.c src/*/*.c \
    tools/*/*.c t/unit/*.c t/engine/*.c t/fuzz/*.c bench/*.c))

NGINX_DIRS = $(addprefix $(BUILD)/nginx/,objs src/core src/event \
    src/event/modules src/os/unix src/http src/http/modules src/http/v2)

# whether the pages for people still hold
.PHONY: docs-check
docs-check: all
	dev/check-docs
	+@$(MAKE) --no-print-directory test TESTS='$(wildcard t/docs*.t)'

.PHONY: check
check: $(BUILD)/nginx/objs/Makefile | deps-check
	prove -Q dev/test-check-style
	dev/check-style
	cppcheck --quiet --std=c11 --inline-suppr --error-exitcode=1 \
	    --enable=warning,style,performance,portability \
	    --suppressions-list=dev/cppcheck.suppressions \
	    --suppress='*:$(BUILD)/nginx/*' -D_GNU_SOURCE \
	    -Isrc $(CORE_INCS) -Itools \
	    $(NGINX_DIRS:%=-I%) $(CHECKED)
	printf '%s\n' $(CHECKED) | xargs -P2 -I{} clang-tidy --quiet {} -- \
	    -std=gnu11 -Isrc $(CORE_INCS) -Itools $(PQ_INCS) \
	    $(NGINX_DIRS:%=-isystem %) \
	    2> $(BUILD)/check.log
