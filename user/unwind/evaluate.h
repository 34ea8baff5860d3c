/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * libdwfl's unwinder for the few frames whose CFI is an expression that no rule holds: hand-written
 * assembly of crypto libraries, prologues of functions that realign their stack.
 */
#ifndef UNWIND_EVALUATE_H
#define UNWIND_EVALUATE_H

#include <sys/types.h>

#include "proc/modules.h"
#include "unwind/walk.h"

struct evaluator;

/* Returns an evaluator over @modules, which is borrowed, or NULL when libdwfl refuses. */
struct evaluator *evaluator_new(pid_t tgid, struct modules *modules);
void evaluator_free(struct evaluator *evaluator);

/* Appends the pcs from the registers @reg on to @walk. Returns why it ended. */
enum stack_end evaluator_walk(struct evaluator *evaluator, const uint64_t *reg,
			      struct stack_memory *memory, struct walk *walk);

#endif
