# Debian packages

.PHONY: deb test-deb

deb: | deps-deb
	@dev/build-deb

SUITE = bookworm

test-deb: | deps-deb deps-fresh deps-test-deb
	@dev/test-deb $(SUITE)
