/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The kernel's part of the stacks of a recording. Those of blocked threads were taken inside the
 * scheduler and begin with what took them; a snapshot's lack every function of the scheduler's.
 * Both are to read the same:
 *
 *   recorded   bpf_prog_x bpf_trace_run4 __schedule schedule do_nanosleep hrtimer_nanosleep ...
 *   kept                                                     do_nanosleep hrtimer_nanosleep ...
 *   snapshot                                                              hrtimer_nanosleep ...
 *
 * Without the kernel's symbols nothing has a name, and stacks are kept as they are.
 *
 *   life cycle  kstacks_init, kstacks_read_symbols, kstacks_release
 *   then        kstacks_add, kstacks_find, kstacks_like
 */
#ifndef COLLECT_KSTACKS_H
#define COLLECT_KSTACKS_H

#include <stdint.h>

#include "base/table.h"
#include "bpf/wire.h"
#include "collect/stackset.h"
#include "symbolize/kallsyms.h"

struct kstacks {
	struct stackset set;
	struct table by_id;   /* the kernel's id -> index in .set */
	struct table by_bare; /* hash of the pcs but for the scheduler's -> index in .set */
	struct kallsyms syms;
	/* The scheduler's functions, and all others that only wait; both 0: not known. */
	uint64_t sched_start_addr;
	uint64_t sched_end_addr; /* first address behind them */
};

void kstacks_init(struct kstacks *kstacks);
void kstacks_release(struct kstacks *kstacks);

/* Reads the symbols of the running kernel, if it shows them. */
void kstacks_read_symbols(struct kstacks *kstacks);

/* As kstacks_read_symbols, with the @len bytes at @text for those of the kernel. */
void kstacks_parse_symbols(struct kstacks *kstacks, const char *text, size_t len);

/* Keeps @stack, one of the kernel's. */
void kstacks_add(struct kstacks *kstacks, const struct wire_stack *stack);

/* Returns the index in .set of the kernel's stack @id, or STACKSET_NONE. */
uint32_t kstacks_find(const struct kstacks *kstacks, uint64_t id);

/* Returns the index in .set of the one stack that differs from kernel stack @idx of @snapshot's by
 * functions of the scheduler's alone, or STACKSET_NONE. */
uint32_t kstacks_like(const struct kstacks *kstacks, const struct stackset *snapshot, uint32_t idx);

#endif
