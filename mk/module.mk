# The module, by nginx's own build in a copy of nginx-dev

# changes when another version of nginx-dev is installed
NGINX_DEV_STAMP = $(wildcard /var/lib/dpkg/info/nginx-dev.list)

# what it is made of, which config names too
MODULE_SRCS = ngx_dm_sec_module.c $(wildcard src/*.c) $(CORE_SRCS)
MODULE_DEPS = $(wildcard src/*.h src/core/*.h) $(POSITION_SRCS:.c=.h) \
    src/fleet/dm_fleet_place.h src/fleet/dm_fleet_state.h \
    $(filter-out src/store/dm_store_write% src/store/dm_store_follow.h,\
        $(wildcard src/store/*.h))


# nginx's Makefile names the absolute paths of this tree's files: a copy of the
# tree, with its build/, must not build from them
.PHONY: moved
$(BUILD)/top: moved
	@mkdir -p $(@D)
	@[ "$$(cat $@ 2> /dev/null)" = '$(CURDIR)' ] || echo '$(CURDIR)' > $@

$(BUILD)/nginx/objs/Makefile: config Makefile mk/module.mk \
    $(NGINX_DEV_STAMP) $(NGINX_DEPS) $(BUILD)/top | deps-build lists
	rm -rf $(BUILD)/nginx
	mkdir -p $(BUILD)
	cp -r $(NGINX_DEV) $(BUILD)/nginx
	$(if $(NGINX_SOURCE),cp -r $(NGINX_SOURCE)/. $(BUILD)/nginx)
	cd $(BUILD)/nginx && . ./conf_flags \
	    && CC='$(CC)' ./configure "$${NGX_CONF_FLAGS[@]}" $(NGINX_FLAGS) \
	        --with-cc-opt='$(CFLAGS)' --with-ld-opt='$(LDFLAGS)' \
	        --add-dynamic-module='$(CURDIR)' > configure.log \
	    || { tail -n 6 configure.log >&2; exit 1; }

$(BUILD)/ngx_dm_sec_module.so: $(BUILD)/nginx/objs/Makefile $(MODULE_SRCS) \
    $(MODULE_DEPS) | lists
	+$(MAKE) --no-print-directory -C $(BUILD)/nginx -f objs/Makefile \
	    $(NGINX_TARGET)
	install -m 644 $(BUILD)/nginx/objs/ngx_dm_sec_module.so $@


# config names each file, here it is seen that none is forgotten
.PHONY: lists
lists:
	@diff <(printf '%s\n' $(MODULE_SRCS) $(MODULE_DEPS) | LC_ALL=C sort) \
	    <(sed -n 's|.*$$ngx_addon_dir/\(.*\.[ch]\) .*|\1|p' config \
	        | LC_ALL=C sort) \
	    || { echo "config does not list what is there:" \
	        "add the files marked <, remove those marked >" >&2; exit 1; }


.PHONY: test-source-build
test-source-build: | deps-build lists
	dev/test-source-build
