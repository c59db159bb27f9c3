# The real clients, against nginx with the module

CLIENTS = $(addprefix build/clients/,go java/Clients.class mbedtls \
    npm/installed wolfssl)

JAVA_PATH = $(subst $() ,:,$(patsubst %,/usr/share/java/%.jar,httpclient \
    httpcore httpclient5 httpcore5 httpcore5-h2))

build/clients/go: t/clients/go.go | deps-clients
	@mkdir -p $(@D)
	GOCACHE='$(CURDIR)/build/clients/go-cache' go build -o $@ $<

build/clients/java/Clients.class: t/clients/Clients.java | deps-clients
	@mkdir -p $(@D)
	javac -cp '$(JAVA_PATH)' -d $(@D) $<

build/clients/mbedtls: LIBS = -lmbedtls -lmbedx509 -lmbedcrypto
build/clients/wolfssl: LIBS = -lwolfssl

build/clients/%: t/clients/%_get.c t/clients/driver.c t/clients/driver.h \
    | deps-clients
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CFLAGS) $(LDFLAGS) $(WARNINGS) -o $@ \
	    $(filter %.c,$^) $(LIBS)

# where npm cannot have them, they are named as absent
build/clients/npm/installed: t/clients/package.json \
    t/clients/package-lock.json | deps-clients
	@mkdir -p $(@D)
	cp $^ $(@D)
	if (cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund); then \
	    touch $@; \
	elif [ -n "$${CI-}" ]; then \
	    exit 1; \
	fi

.PHONY: clients
clients: all $(CLIENTS) | deps-demo deps-clients
	t/clients/run $(CLIENTS_FLAGS) '$(CURDIR)/build/clients' \
	    '$(CURDIR)/$(BUILD)/dm-account' '$(NGINX_BINARY)' \
	    '$(CURDIR)/$(BUILD)/ngx_dm_sec_module.so'
