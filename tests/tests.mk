# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# test         everything, after installing what is missing (root); ends in "N passed, N failed"
# test-unit    cmocka programs, with the address and undefined behaviour sanitizers
# test-bpf     cmocka programs on the BPF programs and this kernel (root)
# test-fuzz    libFuzzer programs, FUZZ_SECONDS each, two at a time
# test-e2e     loiter on real programs (root)
# test-vm      both of these on other kernels, see tests/vm/vm.mk; test has a short form of it
#
# tests/unit/test_NAME.c is a program of its own, linked with the library and with every other
# tests/unit/*.c; so is tests/fuzz/fuzz_NAME.c, with seeds in tests/fuzz/corpus/NAME.

FUZZ_SECONDS ?= 30
UNIT_SAN ?= address,undefined
UNIT_DIR := $(if $(UNIT_SAN),build/san-$(subst $(comma),-,$(UNIT_SAN)),build)/tests/unit
FUZZ_DIR := build/fuzz
PYTHON ?= python3

UNIT_NAMES := $(notdir $(basename $(sort $(wildcard tests/unit/test_*.c))))
BPF_TEST_NAMES := $(notdir $(basename $(sort $(wildcard tests/bpf/test_*.c))))
BPF_TEST_DIR := $(UNIT_DIR:%/unit=%/bpf)
UNIT_HELP_OBJ := $(patsubst tests/%.c,$(B)/tests/%.o,\
	$(filter-out tests/unit/test_%,$(sort $(wildcard tests/unit/*.c))))
FUZZ_NAMES := $(notdir $(basename $(sort $(wildcard tests/fuzz/fuzz_*.c))))

-include tests/e2e/e2e.mk
-include tests/vm/vm.mk
-include tests/bench/bench.mk

.PHONY: test test-rings test-unit test-bpf test-fuzz test-e2e unit-programs fuzz-programs sanitized

# A make of its own after the installation, since the tools were looked for when this one started.
test:
	$(Q)./deps.sh check test || ./deps.sh install test
	$(Q)$(MAKE) --no-print-directory test-rings

# A program that does not build is a failure that the runner counts; the others run all the same.
BUILD_UNIT = $(MAKE) --no-print-directory -k SAN=$(UNIT_SAN) unit-programs || broken="$$broken unit"
BUILD_FUZZ = $(MAKE) --no-print-directory -k fuzz-programs || broken="$$broken fuzz"
RUN_TESTS = $(PYTHON) tests/run.py --seconds $(FUZZ_SECONDS) --broken $$broken
RUN_UNIT = --unit $(UNIT_NAMES:%=$(UNIT_DIR)/%)
RUN_BPF = --bpf $(BPF_TEST_NAMES:%=$(BPF_TEST_DIR)/%)
RUN_FUZZ = --fuzz $(FUZZ_NAMES:%=$(FUZZ_DIR)/%)
RUN_E2E = --e2e tests/e2e/run.py
RUN_VM = --vm tests/vm/matrix.py

test-rings: all workloads sanitized vm-programs
	+$(Q)broken=; $(BUILD_UNIT); $(BUILD_FUZZ); $(RUN_TESTS) $(RUN_UNIT) $(RUN_BPF) \
		$(RUN_FUZZ) $(RUN_E2E) $(RUN_VM)

test-unit:
	+$(Q)broken=; $(BUILD_UNIT); $(RUN_TESTS) $(RUN_UNIT)

test-bpf:
	+$(Q)broken=; $(BUILD_UNIT); $(RUN_TESTS) $(RUN_BPF)

test-fuzz:
	+$(Q)broken=; $(BUILD_FUZZ); $(RUN_TESTS) $(RUN_FUZZ)

test-e2e: all workloads sanitized
	+$(Q)broken=; $(RUN_TESTS) $(RUN_E2E)

# The loiter that hostile targets are shown to as well.
sanitized:
	$(Q)$(MAKE) --no-print-directory SAN=$(UNIT_SAN) all

# -- unit: in the directory of the SAN that the sub-make was given --

CMOCKA_PROGRAMS := $(UNIT_NAMES:%=$(B)/tests/unit/%) $(BPF_TEST_NAMES:%=$(B)/tests/bpf/%)

unit-programs: $(CMOCKA_PROGRAMS)

$(B)/tests/unit/%.o: tests/unit/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(UNIT_HELP_OBJ) $(B)/tests/unit/test_report_pprof.o: $(PROTO_HDR)

$(B)/tests/bpf/%.o: tests/bpf/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -MMD -MP -c -o $@ $<

$(CMOCKA_PROGRAMS): %: %.o $(UNIT_HELP_OBJ) $(B)/libloiter.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

# -- fuzz: the library once more, by clang; only what needs the kernel and the commands is left out --

FUZZ_SAN := address,undefined
FUZZ_CFLAGS = $(STD) -Iuser -I. -isystem $(B)/gen -O1 -g -fno-omit-frame-pointer \
	-fno-sanitize-recover=all -DLOITER_VERSION='"$(VERSION)"' -MMD -MP
FUZZ_LIB_OBJ := $(patsubst user/%.c,$(FUZZ_DIR)/user/%.o,\
	$(filter-out user/capture/% user/cli/%,$(LIB_SRC)))

fuzz-programs: $(FUZZ_NAMES:%=$(FUZZ_DIR)/%)

$(FUZZ_DIR)/user/%.o: user/%.c
	$(call say,CLANG,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -c -o $@ $<

$(filter $(FUZZ_DIR)/user/report/%,$(FUZZ_LIB_OBJ)): $(PROTO_HDR) $(PAGE_HDR)

$(FUZZ_DIR)/libloiter.a: $(FUZZ_LIB_OBJ) $(PROTO_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(FUZZ_NAMES:%=$(FUZZ_DIR)/%): $(FUZZ_DIR)/%: tests/fuzz/%.c $(FUZZ_DIR)/libloiter.a
	$(call say,FUZZ,$@)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer,$(FUZZ_SAN) -MF $@.d -MT $@ -o $@ \
		$< $(FUZZ_DIR)/libloiter.a $(LIBS)

-include $(wildcard $(B)/tests/unit/*.d $(B)/tests/bpf/*.d) $(wildcard $(FUZZ_DIR)/*.d) $(FUZZ_LIB_OBJ:.o=.d)
