# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# test-vm          the tests on every kernel, in VMs; KERNELS="6.1 6.12" are those to run on
# test-vm-budgets  the same for what the verifier counts alone, and writes it to budgets.tsv
#
# What runs in the VMs is built here. Needs no root. tests/vm/run runs anything else in one.

KERNELS ?=
VM_COUNTER := build/vm/insns.so

.PHONY: test-vm test-vm-budgets vm-programs

# Without the sanitizers, which take too long where every instruction is made of many.
vm-programs: all workloads demo-server $(VM_COUNTER) build/tests/bpf/test_capture

$(VM_COUNTER): tests/vm/insns.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) -O2 -fPIC -shared -o $@ $<

test-vm: vm-programs
	$(Q)$(PYTHON) tests/vm/matrix.py $(KERNELS)

test-vm-budgets: vm-programs
	$(Q)$(PYTHON) tests/vm/matrix.py --test count_insns --write-budgets $(KERNELS)
