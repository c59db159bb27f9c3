# The demo, and dm-probe against it

.PHONY: demo demo-check demo-stop demo-fresh

demo: all | deps-demo
	@NGINX_BINARY='$(NGINX_BINARY)' demo/start

demo-check:
	@demo/check

demo-stop:
	@demo/stop

.PHONY: demo-fleet
demo-fleet: all | deps-demo deps-fleet
	@NGINX_BINARY='$(NGINX_BINARY)' demo/fleet

demo-fresh: | deps-fresh
	@demo/fresh


.PHONY: conformance conformance-negative

conformance: all legacy | deps-demo
	@NGINX_BINARY='$(NGINX_BINARY)' demo/conformance

conformance-negative: all | deps-demo
	@NGINX_BINARY='$(NGINX_BINARY)' demo/conformance-negative
