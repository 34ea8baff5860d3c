# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# bench        the measured claims of the README, side by side with eu-stack (root)

.PHONY: bench
bench: all workloads
	$(Q)$(PYTHON) tests/bench/bench.py build/bench.txt
