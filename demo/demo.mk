# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
# The patient and the walk through it. Built as distributions build: -O2, no frame pointers.

DEMO_SRC := $(sort $(wildcard demo/*.c))
DEMO_OBJ := $(DEMO_SRC:demo/%.c=$(B)/demo/%.o)
DEMO_CFLAGS := $(STD) $(WARN) -O2 -g -fomit-frame-pointer -pthread

.PHONY: demo demo-server
demo-server: $(B)/demo-server

$(B)/demo-server: $(DEMO_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(DEMO_CFLAGS) $(LDFLAGS) -o $@ $^ -lmicrohttpd

$(B)/demo/%.o: demo/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(DEMO_CFLAGS) -MMD -MP -c -o $@ $<

# The sub-make comes after deps has run: it looks for the compilers anew.
demo:
	$(Q)./deps.sh install demo
	$(Q)$(MAKE) --no-print-directory all demo-server
	$(Q)B=$(B) demo/walkthrough.sh

-include $(DEMO_OBJ:.o=.d)
