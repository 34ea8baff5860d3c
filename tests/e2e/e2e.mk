# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# The programs that the end-to-end tests look at, into build/workloads/. Always built as
# distributions build: without frame pointers and without sanitizers.

W := build/workloads
WORKLOAD_DIR := tests/workloads
WORKLOAD_CFLAGS := -O2 -g -fomit-frame-pointer
WORKLOAD_CC = $(CC) $(STD) $(WARN) $(WORKLOAD_CFLAGS) -pthread
WORKLOAD_CXX = $(CXX) -std=c++17 -D_GNU_SOURCE -Wall -Wextra $(WORKLOAD_CFLAGS) -pthread
MIX_SRC := $(addprefix $(WORKLOAD_DIR)/,mix.c mix_waits.c mix_walks.c cell.c workload.c)
WORKLOAD_DEPS := $(wildcard $(WORKLOAD_DIR)/*.h) tests/e2e/e2e.mk
MUSL_GCC := $(shell command -v musl-gcc 2>/dev/null)

WORKLOADS := $(addprefix $(W)/,mix mix-O0 mix-static mix-static-pie mix-stripped mixcpp herd spin \
	churn execloop exiting busy makers zombie zombie_leader vforker ages \
	depth futexes locks leaky leakycpp leaver)
RECORD_PLAIN := ring births brood forks mapper medley paths
WORKLOADS += $(addprefix $(W)/,$(RECORD_PLAIN) plugs turncoat-north turncoat-south)
ifeq ($(ARCH),x86_64)
WORKLOADS += $(W)/garbage $(W)/jit $(W)/hops
endif
ifneq ($(MUSL_GCC),)
WORKLOADS += $(W)/mix-musl
endif

.PHONY: workloads
workloads: $(WORKLOADS)

# Each variant from the sources in one go, so that no object is shared between ways to build.
# $(1) file, $(2) sources, $(3) flags, $(4) compiler command
define workload_rule
$(W)/$(1): $(2) $(WORKLOAD_DEPS)
	$$(call say,WORKLOAD,$$@)
	$$(Q)mkdir -p $(W)
	$$(Q)$(4) $(3) -o $$@ $(2)
endef

plain_rule = $(eval $(call workload_rule,$(1),$(WORKLOAD_DIR)/$(1).c $(WORKLOAD_DIR)/workload.c,,$$(WORKLOAD_CC)))
$(foreach name,herd spin churn execloop exiting busy makers garbage zombie zombie_leader vforker ages depth jit futexes locks \
	leaver,\
	$(call plain_rule,$(name)))
$(foreach name,$(RECORD_PLAIN) hops,$(call plain_rule,$(name)))
$(eval $(call workload_rule,mix,$(MIX_SRC),,$$(WORKLOAD_CC)))
$(eval $(call workload_rule,mix-O0,$(MIX_SRC),-O0,$$(WORKLOAD_CC)))
$(eval $(call workload_rule,mix-static,$(MIX_SRC),-static,$$(WORKLOAD_CC)))
$(eval $(call workload_rule,mix-static-pie,$(MIX_SRC),-static-pie -fPIE,$$(WORKLOAD_CC)))
$(eval $(call workload_rule,mix-musl,$(MIX_SRC),-static,$(MUSL_GCC) $$(STD) $$(WORKLOAD_CFLAGS)))
$(eval $(call workload_rule,plugs,$(WORKLOAD_DIR)/plugs.c $(WORKLOAD_DIR)/workload.c,,$$(WORKLOAD_CC)))

# Two of each that differ in names and in the size of frames alone, at one and the same address.
plug_rule = $(eval $(call workload_rule,plug_$(1).so,$(WORKLOAD_DIR)/plug.c,\
	-DPLUG=$(1) -DPLUG_FRAME_BYTES=$(2) -fPIC -shared,$$(WORKLOAD_CC)))
$(call plug_rule,alpha,304)
$(call plug_rule,omega,1200)
turncoat_rule = $(eval $(call workload_rule,turncoat-$(1),\
	$(WORKLOAD_DIR)/turncoat.c $(WORKLOAD_DIR)/workload.c,\
	-DSIDE=$(1) -DSIDE_FRAME_BYTES=$(2) -static -no-pie,$$(WORKLOAD_CC)))
$(call turncoat_rule,north,304)
$(call turncoat_rule,south,1200)

# With a pool of threads in a library of its own.
$(eval $(call workload_rule,libpool.so,$(WORKLOAD_DIR)/pool.c,-fPIC -shared -Wl$$(comma)-soname=libpool.so,$$(WORKLOAD_CC)))

$(W)/leaky: $(addprefix $(WORKLOAD_DIR)/,leaky.c workload.c) $(W)/libpool.so $(WORKLOAD_DEPS)
	$(call say,WORKLOAD,$@)
	$(Q)$(WORKLOAD_CC) '-Wl,-rpath,$$ORIGIN' -o $@ $(filter-out $(WORKLOAD_DEPS),$^)

$(W)/plugs: $(W)/plug_alpha.so $(W)/plug_omega.so

$(W)/mix-stripped: $(W)/mix
	$(call say,STRIP,$@)
	$(Q)strip --strip-all -o $@ $<

# C++ compiles the two C files as they are and links them.
$(W)/cpp/%.o: $(WORKLOAD_DIR)/%.c $(WORKLOAD_DEPS)
	$(Q)mkdir -p $(@D)
	$(Q)$(WORKLOAD_CC) -c -o $@ $<

$(W)/mixcpp: $(WORKLOAD_DIR)/mixcpp.cc $(W)/cpp/cell.o $(W)/cpp/workload.o $(WORKLOAD_DEPS)
	$(call say,WORKLOAD,$@)
	$(Q)$(WORKLOAD_CXX) -o $@ $(filter-out $(WORKLOAD_DEPS),$^)

$(W)/leakycpp: $(WORKLOAD_DIR)/leakycpp.cc $(W)/cpp/workload.o $(WORKLOAD_DEPS)
	$(call say,WORKLOAD,$@)
	$(Q)$(WORKLOAD_CXX) -o $@ $(filter-out $(WORKLOAD_DEPS),$^)
