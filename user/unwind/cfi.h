/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Rules from call frame information: .eh_frame, else .debug_frame, read by libdw, once a pc.
 */
#ifndef UNWIND_CFI_H
#define UNWIND_CFI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proc/maps.h"
#include "proc/modules.h"
#include "bpf/wire.h"

struct cfi;

/* Returns the rules of a process, none derived yet, or NULL with @err set. @maps and @modules are
 * borrowed and must outlive it. */
struct cfi *cfi_new(const struct maps *maps, struct modules *modules, struct err *err);
void cfi_free(struct cfi *cfi);

/* Returns the rule at @pc. @exact: the pc itself is looked up (a leaf frame, or one that a signal
 * interrupted), else it is a return address and the call before it is. */
struct rule cfi_rule(struct cfi *cfi, uint64_t pc, bool exact);

#endif
