/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The walk in user space: from a thread's registers and stack to its pcs, by rules. A stack that
 * cannot be followed is cut there and says why; nothing is made up.
 */
#ifndef UNWIND_WALK_H
#define UNWIND_WALK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "bpf/wire.h"
#include "model/model.h"
#include "proc/maps.h"
#include "proc/modules.h"
#include "unwind/stack_memory.h"

struct walk {
	uint32_t pc_cnt;
	enum stack_quality quality;
	enum stack_end end;
	uint16_t guessed_idx;	      /* when .quality is STACK_GUESSED */
	uint64_t pc[MODEL_STACK_MAX]; /* leaf first */
	/* The leaf, and what a signal interrupted, whose caller is the signal's frame: no return
	 * addresses. */
	bool exact[MODEL_STACK_MAX];
};

struct unwinder;

/* Returns an unwinder for process @tgid, or NULL with @err set. @maps and @modules are borrowed and
 * must outlive it. */
struct unwinder *unwinder_new(pid_t tgid, const struct maps *maps, struct modules *modules,
			      struct err *err);
void unwinder_free(struct unwinder *unwinder);

/* Walks the stack of the thread with registers @reg (arch_reg_cnt of them, DWARF numbering) over
 * @memory into @ret. */
void unwinder_walk(struct unwinder *unwinder, const uint64_t *reg, struct stack_memory *memory,
		   struct walk *ret);

/* A frame in the middle of a stack, where another walk stopped. */
struct walk_cursor {
	uint64_t pc, sp, fp;
	uint64_t ra_reg; /* the leaf's arch_reg_ra */
	bool exact;
};

/* Goes on at @cursor with the walk of which @walk holds the frames so far (.pc_cnt, .quality,
 * .guessed_idx). A frame that takes the evaluator ends it, since registers are missing. */
void unwinder_resume(struct unwinder *unwinder, const struct walk_cursor *cursor,
		     struct stack_memory *memory, struct walk *walk);

/* Returns the rule that a walk of this process uses at @pc, without RULE_LEAF where that is no
 * guess. */
struct rule unwinder_rule(struct unwinder *unwinder, uint64_t pc, bool exact);

#endif
