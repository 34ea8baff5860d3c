/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/kstacks.h"

#include <stdbool.h>
#include <string.h>

#define KSTACK_MAX (1u << 20)
#define KERNEL_BIT (1ULL << 63) /* set in every address of the kernel's */
#define AMBIGUOUS (STACKSET_NONE - 1)

void kstacks_init(struct kstacks *kstacks)
{
	*kstacks = (struct kstacks){ 0 };
	stackset_init(&kstacks->set);
	table_init(&kstacks->by_id, KSTACK_MAX);
	table_init(&kstacks->by_bare, KSTACK_MAX);
	kallsyms_init(&kstacks->syms);
}

void kstacks_release(struct kstacks *kstacks)
{
	stackset_release(&kstacks->set);
	table_release(&kstacks->by_id);
	table_release(&kstacks->by_bare);
	kallsyms_release(&kstacks->syms);
}

static void find_scheduler(struct kstacks *kstacks)
{
	kstacks->sched_start_addr = kallsyms_addr(&kstacks->syms, "__sched_text_start");
	kstacks->sched_end_addr = kallsyms_addr(&kstacks->syms, "__sched_text_end");
}

void kstacks_read_symbols(struct kstacks *kstacks)
{
	if (!kallsyms_read(&kstacks->syms, NULL))
		find_scheduler(kstacks);
}

void kstacks_parse_symbols(struct kstacks *kstacks, const char *text, size_t len)
{
	if (!kallsyms_parse(&kstacks->syms, text, len))
		find_scheduler(kstacks);
}

/* Whether the return address @pc lies in the function @name, or in a compiler's clone of it. */
static bool is_in(const struct kstacks *kstacks, uint64_t pc, const char *name)
{
	const struct kallsyms_entry *entry = kallsyms_find(&kstacks->syms, pc - 1);
	const char *func = entry ? kallsyms_text(&kstacks->syms, entry->name_off) : "";
	size_t len = strlen(name);

	return !strncmp(func, name, len) && (!func[len] || func[len] == '.');
}

/* Returns the first of @stack's pcs that says where a thread blocked, rather than that it did. */
static uint32_t first_telling(const struct kstacks *kstacks, const struct wire_stack *stack)
{
	uint32_t first = 0;

	while (first < stack->pc_cnt && !is_in(kstacks, stack->pc[first], "__schedule"))
		first++;
	if (first == stack->pc_cnt)
		return 0; /* not a stack that we know the head of */
	first++;
	if (first < stack->pc_cnt && is_in(kstacks, stack->pc[first], "schedule"))
		first++;
	return first < stack->pc_cnt ? first : 0;
}

static bool is_scheduler(const struct kstacks *kstacks, uint64_t pc)
{
	return pc >= kstacks->sched_start_addr && pc < kstacks->sched_end_addr;
}

/* Returns the hash of stack @idx of @set without the scheduler's functions. */
static uint64_t bare_hash(const struct kstacks *kstacks, const struct stackset *set, uint32_t idx)
{
	const struct model_stack *stack = vec_at(&set->stacks, idx);
	uint64_t hash = 0;

	for (uint32_t i = 0; i < stack->loc_cnt; i++) {
		uint64_t pc = *(uint64_t *)vec_at(&set->pcs, stack->first_loc + i) | KERNEL_BIT;

		if (!is_scheduler(kstacks, pc))
			hash = hash_mix(hash, pc);
	}
	return hash;
}

static void note_bare(struct kstacks *kstacks, uint32_t idx)
{
	uint64_t hash = bare_hash(kstacks, &kstacks->set, idx);
	uint32_t other;

	if (!table_find(&kstacks->by_bare, hash, &other))
		table_put(&kstacks->by_bare, hash, idx);
	else if (other != idx)
		table_put(&kstacks->by_bare, hash, AMBIGUOUS);
}

void kstacks_add(struct kstacks *kstacks, const struct wire_stack *stack)
{
	bool blocked = stack->space == WIRE_SPACE_KERNEL;
	uint32_t first = blocked ? first_telling(kstacks, stack) : 0, idx;
	struct walk walk = { .pc_cnt = stack->pc_cnt - first,
			     .quality = STACK_COMPLETE,
			     .end = (enum stack_end)stack->end };

	if (stack->end != WIRE_END_ROOT)
		walk.quality = STACK_TRUNCATED;
	for (uint32_t i = first; i < stack->pc_cnt; i++) {
		walk.pc[i - first] = stack->pc[i] | KERNEL_BIT;
		/* The leaf of a snapshot's stack is taken for exact as well. */
		walk.exact[i - first] = i == first;
	}
	idx = stackset_add(&kstacks->set, stack->space, &walk);
	if (idx == STACKSET_NONE)
		return; /* its blocks are counted */
	table_put(&kstacks->by_id, stack->id, idx);
	if (blocked)
		note_bare(kstacks, idx);
}

uint32_t kstacks_find(const struct kstacks *kstacks, uint64_t id)
{
	uint32_t idx;

	return table_find(&kstacks->by_id, id, &idx) ? idx : STACKSET_NONE;
}

uint32_t kstacks_like(const struct kstacks *kstacks, const struct stackset *snapshot, uint32_t idx)
{
	uint32_t like;

	if (!table_find(&kstacks->by_bare, bare_hash(kstacks, snapshot, idx), &like))
		return STACKSET_NONE;
	return like == AMBIGUOUS ? STACKSET_NONE : like;
}
