# Man pages, of what --help says, and of docs/directives.md

VERBS = $(shell sed -n 's/^    &dm_verb_\(.*\),$$/\1/p' tools/account/main.c)

MAN_1 = $(BUILD)/man/dm-probe.1
MAN_5 = $(BUILD)/man/ngx_dm_sec_module.5
MAN_8 = $(BUILD)/man/dm-account.8 $(VERBS:%=$(BUILD)/man/dm-account-%.8)
MAN_REPLICA = $(if $(LIBPQ),$(BUILD)/man/dm-replica.8)

# version and date, as CHANGES begins with them
MAN_EDITION = $(shell sed -n '1s/^[^0-9]* \([^ ]*\) .*/\1/p' CHANGES) \
    $(shell date -u +%F -d "$$(sed -n '1s/.*   *//p' CHANGES)")

.PHONY: man
man: $(MAN_1) $(MAN_5) $(MAN_8) $(MAN_REPLICA)

$(MAN_1) $(MAN_8) $(MAN_REPLICA): dev/man CHANGES

$(MAN_5): docs/directives.md dev/man-page CHANGES
	@mkdir -p $(@D)
	dev/man-page ngx_dm_sec_module 5 $(MAN_EDITION) \
	    "directives of nginx as the front of an OMA DM server" < $< > $@

$(BUILD)/man/dm-probe.1: $(BUILD)/dm-probe
	@mkdir -p $(@D)
	$< --help | dev/man dm-probe 1 $(MAN_EDITION) \
	    "tries a server of OMA Device Management" > $@

$(BUILD)/man/dm-account.8: $(BUILD)/dm-account
	@mkdir -p $(@D)
	$< --help | dev/man dm-account 8 $(MAN_EDITION) \
	    "manages the accounts of a dm_sec store" > $@

$(BUILD)/man/dm-replica.8: $(BUILD)/dm-replica
	@mkdir -p $(@D)
	$< --help | dev/man dm-replica 8 $(MAN_EDITION) \
	    "keeps an account store the same as those of its fleet" > $@

$(BUILD)/man/dm-account-%.8: $(BUILD)/dm-account
	@mkdir -p $(@D)
	$< help $* | dev/man dm-account-$* 8 $(MAN_EDITION) > $@
