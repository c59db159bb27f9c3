# Debian packages

.PHONY: deb test-deb

deb: | deps-deb
	@dev/build-deb

# those that they are tried on, which have a processor each
SUITE = bookworm trixie

test-deb: | deps-deb deps-fresh deps-test-deb
	+@$(MAKE) --no-print-directory -j2 \
	    $(if $(word 2,$(SUITE)),--output-sync=target) $(SUITE:%=test-deb-%)

test-deb-%:
	@env -u MAKEFLAGS dev/test-deb $*
