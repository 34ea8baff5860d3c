# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# bench         everything that is measured, after installing what is compared with (root)
# bench-dump    the cost of a dump, side by side with eu-stack
# bench-record  the cost of a recording, side by side with offcputime
# bench-leaks   the cost of counting threads, side by side with nobody who counts

EMPTY := build/bench/empty

.PHONY: bench bench-dump bench-record bench-leaks

# Each says which of its promises are not kept; what cannot be installed is named and left out.
bench:
	-$(Q)./deps.sh check bench || ./deps.sh install bench
	$(Q)status=0; for part in dump record leaks; do \
		$(MAKE) --no-print-directory bench-$$part || status=1; \
	done; exit $$status

bench-dump: all workloads
	$(Q)$(PYTHON) tests/bench/bench.py build/bench.txt

bench-record: all workloads $(EMPTY)
	$(Q)$(PYTHON) tests/bench/record_bench.py build/bench-record.txt

bench-leaks: all workloads $(EMPTY)
	$(Q)$(PYTHON) tests/bench/leaks_bench.py build/bench-leaks.txt

$(EMPTY): tests/bench/empty.c $(WORKLOAD_DIR)/workload.c $(WORKLOAD_DEPS)
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) -I. -O2 -g -pthread -o $@ tests/bench/empty.c \
		$(WORKLOAD_DIR)/workload.c -lbpf
