# Debian packages

.PHONY: deb test-deb

deb: | deps-deb
	@dev/build-deb

# those that they are tried on, which have a processor each; QUICK=yes leaves
# out what goes on beside: piuparts, nginx confined, to make them again
SUITE = bookworm trixie
QUICK =

test-deb: | deps-deb deps-fresh deps-test-deb
	+@$(MAKE) --no-print-directory -j2 \
	    $(if $(word 2,$(SUITE)),--output-sync=target) $(SUITE:%=test-deb-%)

test-deb-%:
	@env -u MAKEFLAGS dev/test-deb $(if $(QUICK),--quick) $*
