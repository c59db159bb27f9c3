# What is installed.  This list is the only one: a part is a Debian package
# too, which debian/rules fills with it, and make uninstall goes by it.

prefix         = /usr
bindir         = $(prefix)/bin
sbindir        = $(prefix)/sbin
docdir         = $(prefix)/share/doc/dm-sec
mandir         = $(prefix)/share/man
completionsdir = $(prefix)/share/bash-completion/completions
modulesdir     = $(prefix)/lib/nginx/modules
modulesconfdir = $(prefix)/share/nginx/modules-available
legacydir      = $(prefix)/lib/dm-sec
unitdir        = $(prefix)/lib/systemd/system

PARTS = module tools $(if $(LIBPQ),replica) doc

# MODE:DIRECTORY:FILE[:NAME]
module_FILES = 644:$(modulesdir):$(BUILD)/ngx_dm_sec_module.so \
    644:$(modulesconfdir):conf/mod-dm-sec.conf

tools_FILES = 755:$(sbindir):$(BUILD)/dm-account \
    755:$(bindir):$(BUILD)/dm-probe \
    $(MAN_1:%=644:$(mandir)/man1:%) $(MAN_5:%=644:$(mandir)/man5:%) \
    $(MAN_8:%=644:$(mandir)/man8:%) \
    644:$(completionsdir):conf/dm-account.bash:dm-account

replica_FILES = 755:$(sbindir):$(BUILD)/dm-replica \
    $(MAN_REPLICA:%=644:$(mandir)/man8:%) \
    644:$(unitdir):conf/dm-replica.service

doc_FILES = $(patsubst %,644:$(docdir):%,README.md SECURITY.md CHANGES) \
    $(foreach file,$(filter-out %/mod-dm-sec.conf %.bash %.service, \
        $(shell find conf conf-examples docs -type f \! -name '.*')), \
        644:$(docdir)/$(patsubst %/,%,$(dir $(file))):$(file))

legacy_FILES = $(patsubst %,644:$(legacydir):build/legacy/lib/%, \
        libcrypto.so.3 libssl.so.3) \
    644:$(legacydir)/ossl-modules:build/legacy/lib/ossl-modules/legacy.so

# where dm-account looks for the store and its key; what is in them stays
tools_DIRS = /etc/dm-sec /var/lib/dm-sec

# made for us alone, and so removed when they are empty; the inner ones first
OWN_DIRS = $(docdir)/conf $(addprefix $(docdir)/, $(shell find conf-examples \
        -depth -type d)) $(docdir)/docs $(docdir) \
    $(legacydir)/ossl-modules $(legacydir) $(tools_DIRS)

ENABLED = '$(DESTDIR)'/etc/nginx/modules-enabled/*mod-dm-sec.conf


.PHONY: install $(PARTS:%=install-%) install-legacy uninstall

install: $(PARTS:%=install-%)

install-module: $(BUILD)/ngx_dm_sec_module.so
install-tools: $(BUILD)/dm-account $(BUILD)/dm-probe $(MAN_1) $(MAN_5) $(MAN_8)
install-replica: $(BUILD)/dm-replica $(MAN_REPLICA)
install-legacy: legacy

$(PARTS:%=install-%) install-legacy: install-%:
	@for item in $($*_FILES); do \
	    IFS=: read -r mode dir file name <<< "$$item"; \
	    echo "install $$file in $$dir"; \
	    install -D -m "$$mode" "$$file" \
	        '$(DESTDIR)'"$$dir/$${name:-$${file##*/}}"; \
	done
	@for dir in $($*_DIRS); do \
	    [ -d '$(DESTDIR)'"$$dir" ] \
	        || install -d -m 755 '$(DESTDIR)'"$$dir"; \
	done

uninstall:
	@for item in $(foreach part,$(PARTS) legacy,$($(part)_FILES)); do \
	    IFS=: read -r mode dir file name <<< "$$item"; \
	    rm -fv '$(DESTDIR)'"$$dir/$${name:-$${file##*/}}"; \
	done
	@for dir in $(OWN_DIRS); do \
	    [ ! -d '$(DESTDIR)'"$$dir" ] || rmdir '$(DESTDIR)'"$$dir" \
	        2> /dev/null || echo "left $$dir, which is not empty"; \
	done
	@for link in $(ENABLED); do \
	    [ ! -L "$$link" ] || echo "remove $$link too: nginx does not" \
	        "start with it"; \
	done
