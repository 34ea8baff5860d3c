# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# lint         everything below, after installing what is missing; stops at the first that fails
# lint-self    each check fails on what it is there to find
# lint-rules   walls between rooms, banned functions, guards, BPF names, licence lines, length
# lint-headers every header compiles alone
# lint-format, lint-cppcheck, lint-tidy (the slow one)
# format       what lint-format wants, done

LINT := tests/lint
LINT_ENV = CC="$(CC)" HOST_FLAGS='$(STD) $(WARN) $(INC) -DLOITER_VERSION="\"$(VERSION)\""' \
	CLANG="$(CLANG)" BPF_FLAGS="$(BPF_CFLAGS)"

.PHONY: format lint lint-self lint-rules lint-headers lint-format lint-cppcheck lint-tidy

# A make of its own after the installation, since the tools were looked for when this one started.
lint:
	$(Q)./deps.sh install lint
	$(Q)for check in self rules headers format cppcheck tidy; do \
		$(MAKE) --no-print-directory lint-$$check || exit 1; \
	done
	@echo "lint: nothing to object to"

lint-self:
	$(call say,LINT,self-test)
	$(Q)$(LINT_ENV) $(LINT)/test_lint.sh

lint-rules:
	$(call say,LINT,rules)
	$(Q)$(LINT)/rules.py

lint-headers: $(PROTO_HDR)
	$(call say,LINT,headers)
	$(Q)$(LINT_ENV) $(LINT)/headers.sh

lint-format:
	$(call say,LINT,format)
	$(Q)$(LINT)/format.sh

lint-cppcheck:
	$(call say,LINT,cppcheck)
	$(Q)$(LINT)/cppcheck.sh

# Some of its files include what is generated.
lint-tidy: $(B)/skel/loiter.skel.h $(B)/skel/record.skel.h $(PROTO_HDR) $(PAGE_HDR)
	$(call say,LINT,tidy)
	$(Q)$(LINT_ENV) $(LINT)/tidy.sh

format:
	$(Q)find user bpf demo tests -name '*.[ch]' -o -name '*.cc' | xargs clang-format -i
