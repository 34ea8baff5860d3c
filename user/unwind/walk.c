/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "unwind/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc/memory.h"
#include "unwind/arch.h"
#include "unwind/cfi.h"
#include "unwind/evaluate.h"

struct unwinder {
	pid_t tgid;
	const struct maps *maps;
	struct modules *modules;
	struct cfi *cfi;
	struct evaluator *evaluator; /* NULL until a rule needs it */
};

struct unwinder *unwinder_new(pid_t tgid, const struct maps *maps, struct modules *modules,
			      struct err *err)
{
	struct unwinder *unwinder = calloc(1, sizeof(*unwinder));

	if (!unwinder) {
		err_set(err, -ENOMEM, "not enough memory to unwind process %d", tgid);
		return NULL;
	}
	unwinder->tgid = tgid;
	unwinder->maps = maps;
	unwinder->modules = modules;
	unwinder->cfi = cfi_new(maps, modules, err);
	if (!unwinder->cfi) {
		unwinder_free(unwinder);
		return NULL;
	}
	return unwinder;
}

void unwinder_free(struct unwinder *unwinder)
{
	if (!unwinder)
		return;
	evaluator_free(unwinder->evaluator);
	cfi_free(unwinder->cfi);
	free(unwinder);
}

static bool is_code(const struct unwinder *unwinder, uint64_t pc)
{
	const struct mapping *mapping = maps_find(unwinder->maps, pc - 1);

	return mapping && mapping->executable;
}

/* Copies the @len bytes before @pc. They are those of the file where there is one: the process can
 * have ended, or be the first of those that share this map, and its id be another's by now. */
static bool read_before(const struct unwinder *unwinder, uint64_t pc, uint8_t *before, size_t len)
{
	return modules_read_code(unwinder->modules, pc - len, before, len) ||
	       memory_read(unwinder->tgid, pc - len, before, len) == (ssize_t)len;
}

/* Whether the code before @pc is a call: what a guessed return address must show. */
static bool is_return_address(const struct unwinder *unwinder, uint64_t pc)
{
	uint8_t before[ARCH_CALL_BYTES_MAX];

	return is_code(unwinder, pc) && read_before(unwinder, pc, before, sizeof(before)) &&
	       arch_is_after_call(before);
}

/* Whether a step from @pc by @rule is a guess. A stub of a system call, which has no call frame
 * information in glibc either, does not push anything; of other code nobody knows. */
static bool is_guess(const struct unwinder *unwinder, const struct rule *rule, uint64_t pc)
{
	uint8_t before[ARCH_SYSCALL_BYTES];

	if (!(rule->flags & RULE_LEAF))
		return rule->flags & RULE_GUESS;
	return !read_before(unwinder, pc, before, sizeof(before)) || !arch_is_after_syscall(before);
}

static enum stack_end unreadable(const struct stack_memory *memory)
{
	return memory->live_tgid ? STACK_END_UNREADABLE : STACK_END_COPY_SHORT;
}

/* Steps out of a signal frame. Returns 0 to go on, else why not. */
static enum stack_end step_sigframe(struct walk_cursor *at, struct stack_memory *memory)
{
	uint64_t sp = at->sp;

	if (!stack_memory_read(memory, sp + (uint64_t)arch_sigframe_pc_off, &at->pc) ||
	    !stack_memory_read(memory, sp + (uint64_t)arch_sigframe_fp_off, &at->fp) ||
	    !stack_memory_read(memory, sp + (uint64_t)arch_sigframe_sp_off, &at->sp))
		return unreadable(memory);
	at->exact = true;
	return 0;
}

static bool read_cfa(const struct rule *rule, const struct walk_cursor *at,
		     struct stack_memory *memory, uint64_t *ret_cfa)
{
	bool from_sp = rule->kind == RULE_SP || rule->kind == RULE_SP_DEREF;
	uint64_t cfa = (from_sp ? at->sp : at->fp) + (uint64_t)(int64_t)rule->cfa_off;

	if (rule->kind == RULE_SP_DEREF || rule->kind == RULE_FP_DEREF)
		return stack_memory_read(memory, cfa, ret_cfa);
	*ret_cfa = cfa;
	return true;
}

static bool read_caller_fp(const struct rule *rule, const struct walk_cursor *at, uint64_t cfa,
			   struct stack_memory *memory, uint64_t *ret_fp)
{
	uint64_t base = rule->flags & RULE_FP_AT_FP ? at->fp : cfa;

	*ret_fp = at->fp;
	if (!rule->fp_off && !(rule->flags & RULE_FP_AT_FP))
		return true;
	return stack_memory_read(memory, base + (uint64_t)(int64_t)rule->fp_off, ret_fp);
}

/* Steps to the caller by @rule. Returns 0 to go on, else why not. */
static enum stack_end step_frame(const struct unwinder *unwinder, const struct rule *rule,
				 struct walk_cursor *at, struct stack_memory *memory)
{
	bool no_cfi = rule->flags & (RULE_GUESS | RULE_LEAF);
	uint64_t cfa, ra, fp;

	/* The outermost frame of code that keeps frame pointers has none to return to. */
	if (rule->flags & RULE_GUESS && at->fp < at->sp)
		return STACK_END_NO_CFI;
	if (!read_cfa(rule, at, memory, &cfa))
		return no_cfi ? STACK_END_NO_CFI : unreadable(memory);
	if (rule->flags & RULE_RA_IN_REG)
		ra = at->ra_reg;
	else if (!stack_memory_read(memory, cfa + (uint64_t)arch_ra_cfa_off, &ra))
		return no_cfi ? STACK_END_NO_CFI : unreadable(memory);
	if (!read_caller_fp(rule, at, cfa, memory, &fp))
		return no_cfi ? STACK_END_NO_CFI : unreadable(memory);
	if (no_cfi && !is_return_address(unwinder, ra))
		return STACK_END_NO_CFI;
	/* A stack grows down: each caller's frame lies above, but for a leaf that keeps its return
	 * address in a register. */
	if (!ra || (cfa <= at->sp && !(rule->flags & RULE_RA_IN_REG)))
		return STACK_END_BAD_FRAME;
	if (!is_code(unwinder, ra))
		return STACK_END_NO_RULE;
	at->pc = ra;
	at->sp = cfa;
	at->fp = fp;
	at->exact = false;
	return 0;
}

static void set_guessed(struct walk *walk, uint32_t idx)
{
	if (walk->quality == STACK_GUESSED)
		return;
	walk->quality = STACK_GUESSED;
	walk->guessed_idx = (uint16_t)idx;
}

static void end_walk(struct walk *walk, enum stack_end end)
{
	walk->end = end;
	if (end != STACK_END_ROOT && walk->quality != STACK_GUESSED)
		walk->quality = STACK_TRUNCATED;
}

/* Holds what libdwfl found to what a walk by rules is held to: libdwfl follows frame pointers where
 * there is no CFI, out of what is no code too, and takes a return address of 0 for the end. Returns
 * why the walk ended. */
static enum stack_end check_evaluated(struct unwinder *unwinder, struct walk *walk,
				      enum stack_end end)
{
	struct rule rule = { 0 };

	for (uint32_t i = 0; i < walk->pc_cnt; i++) {
		rule = cfi_rule(unwinder->cfi, walk->pc[i], walk->exact[i]);
		if (rule.kind == RULE_UNMAPPED) {
			walk->pc_cnt = i ? i : 1;
			return STACK_END_NO_RULE;
		}
		if (i + 1 == walk->pc_cnt || !(rule.flags & (RULE_GUESS | RULE_LEAF)))
			continue;
		if (!is_return_address(unwinder, walk->pc[i + 1])) {
			walk->pc_cnt = i + 1;
			return STACK_END_NO_CFI;
		}
		set_guessed(walk, i + 1);
	}
	return end == STACK_END_ROOT && rule.kind != RULE_END ? STACK_END_BAD_FRAME : end;
}

/* Redoes the whole walk with the evaluator of libdwfl, which keeps every register. */
static void walk_by_evaluator(struct unwinder *unwinder, const uint64_t *reg,
			      struct stack_memory *memory, struct walk *walk)
{
	enum stack_end end;

	if (!unwinder->evaluator)
		unwinder->evaluator = evaluator_new(unwinder->tgid, unwinder->modules);
	if (!unwinder->evaluator) {
		end_walk(walk, STACK_END_NO_CFI);
		return;
	}
	walk->pc_cnt = 0;
	walk->quality = STACK_COMPLETE;
	end = evaluator_walk(unwinder->evaluator, reg, memory, walk);
	end_walk(walk, check_evaluated(unwinder, walk, end));
}

/* Walks from @at on. @reg: all registers of the leaf, for the evaluator; NULL: not known. */
static void walk_from(struct unwinder *unwinder, struct walk_cursor at, const uint64_t *reg,
		      struct stack_memory *memory, struct walk *walk)
{
	while (walk->pc_cnt < MODEL_STACK_MAX) {
		struct rule rule = cfi_rule(unwinder->cfi, at.pc, at.exact);
		enum stack_end end;

		walk->pc[walk->pc_cnt] = at.pc;
		walk->exact[walk->pc_cnt++] = at.exact;
		/* Only the leaf has the register's value. */
		if (walk->pc_cnt > 1 && rule.flags & RULE_RA_IN_REG)
			rule.kind = RULE_COMPLEX;
		switch ((enum rule_kind)rule.kind) {
		case RULE_END:
			end_walk(walk, STACK_END_ROOT);
			return;
		case RULE_UNMAPPED:
			end_walk(walk, STACK_END_NO_RULE);
			return;
		case RULE_COMPLEX:
			if (reg)
				walk_by_evaluator(unwinder, reg, memory, walk);
			else
				end_walk(walk, STACK_END_NO_CFI);
			return;
		case RULE_SIGFRAME:
			end = step_sigframe(&at, memory);
			break;
		case RULE_SP:
		case RULE_FP:
		case RULE_SP_DEREF:
		case RULE_FP_DEREF:
		default:
			end = step_frame(unwinder, &rule, &at, memory);
			break;
		}
		if (end) {
			end_walk(walk, end);
			return;
		}
		if (is_guess(unwinder, &rule, walk->pc[walk->pc_cnt - 1]))
			set_guessed(walk, walk->pc_cnt);
	}
	end_walk(walk, STACK_END_TOO_DEEP);
}

void unwinder_walk(struct unwinder *unwinder, const uint64_t *reg, struct stack_memory *memory,
		   struct walk *walk)
{
	struct walk_cursor at = { .pc = reg[arch_reg_pc],
				  .sp = reg[arch_reg_sp],
				  .fp = reg[arch_reg_fp],
				  .ra_reg = reg[arch_reg_ra],
				  .exact = true };

	walk->pc_cnt = 0;
	walk->quality = STACK_COMPLETE;
	walk->guessed_idx = 0;
	walk_from(unwinder, at, reg, memory, walk);
}

void unwinder_resume(struct unwinder *unwinder, const struct walk_cursor *cursor,
		     struct stack_memory *memory, struct walk *walk)
{
	walk_from(unwinder, *cursor, NULL, memory, walk);
}

struct rule unwinder_rule(struct unwinder *unwinder, uint64_t pc, bool exact)
{
	struct rule rule = cfi_rule(unwinder->cfi, pc, exact);

	if (rule.flags & RULE_LEAF && !is_guess(unwinder, &rule, pc))
		rule.flags &= (uint8_t)~RULE_LEAF;
	return rule;
}
