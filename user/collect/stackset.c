/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/stackset.h"

#define STACK_MAX (1u << 20)
#define PC_MAX (16u << 20)
#define PC_EXACT (1ULL << 63)

void stackset_init(struct stackset *set)
{
	vec_init(&set->pcs, sizeof(uint64_t), PC_MAX);
	vec_init(&set->stacks, sizeof(struct model_stack), STACK_MAX);
	table_init(&set->by_hash, STACK_MAX);
}

void stackset_release(struct stackset *set)
{
	vec_release(&set->pcs);
	vec_release(&set->stacks);
	table_release(&set->by_hash);
}

/* The kernel's half of the address space has the top bit set already, and its stacks are told
 * apart by position: the leaf is exact. */
static uint64_t packed_pc(const struct walk *walk, uint32_t i)
{
	return walk->pc[i] ^ (walk->exact[i] ? PC_EXACT : 0);
}

static bool stack_equals(const struct stackset *set, const struct model_stack *stack,
			 const struct walk *walk)
{
	if (stack->loc_cnt != walk->pc_cnt || stack->quality != walk->quality ||
	    stack->end != walk->end || stack->guessed_idx != walk->guessed_idx)
		return false;
	for (uint32_t i = 0; i < walk->pc_cnt; i++)
		if (*(uint64_t *)vec_at(&set->pcs, stack->first_loc + i) != packed_pc(walk, i))
			return false;
	return true;
}

uint32_t stackset_add(struct stackset *set, uint64_t space, const struct walk *walk)
{
	uint64_t hash = hash_mix(hash_mix(space, walk->quality), walk->end);
	struct model_stack *stack;
	uint32_t idx, first = set->pcs.len;

	for (uint32_t i = 0; i < walk->pc_cnt; i++)
		hash = hash_mix(hash, packed_pc(walk, i));
	for (; table_find(&set->by_hash, hash, &idx); hash++)
		if (stack_equals(set, vec_at(&set->stacks, idx), walk))
			return idx;
	for (uint32_t i = 0; i < walk->pc_cnt; i++) {
		uint64_t pc = packed_pc(walk, i);

		if (vec_append(&set->pcs, &pc, 1))
			goto full;
	}
	stack = vec_push(&set->stacks);
	if (!stack)
		goto full;
	*stack = (struct model_stack){ .first_loc = first,
				       .loc_cnt = walk->pc_cnt,
				       .quality = (uint8_t)walk->quality,
				       .end = (uint8_t)walk->end,
				       .guessed_idx = walk->guessed_idx };
	idx = set->stacks.len - 1;
	if (!table_put(&set->by_hash, hash, idx))
		return idx;
	set->stacks.len--;
full:
	set->pcs.len = first;
	return STACKSET_NONE;
}

void stackset_walk(const struct stackset *set, uint32_t idx, struct walk *ret)
{
	const struct model_stack *stack = vec_at(&set->stacks, idx);

	ret->pc_cnt = stack->loc_cnt;
	ret->quality = stack->quality;
	ret->end = stack->end;
	ret->guessed_idx = stack->guessed_idx;
	for (uint32_t i = 0; i < stack->loc_cnt; i++) {
		uint64_t packed = *(uint64_t *)vec_at(&set->pcs, stack->first_loc + i);

		ret->pc[i] = packed & ~PC_EXACT;
		ret->exact[i] = packed & PC_EXACT;
	}
}

uint32_t stackset_add_of(struct stackset *set, uint64_t space, const struct stackset *from,
			 uint32_t idx)
{
	struct walk walk;

	if (idx == STACKSET_NONE)
		return STACKSET_NONE;
	/* Of kernel code, what is no walk comes out of packed_pc as it was. */
	stackset_walk(from, idx, &walk);
	return stackset_add(set, space, &walk);
}

/* Whether frame @i of @stack is a signal's, which no call returns to: only what a signal
 * interrupted is exact and no leaf. */
static bool is_signal_frame(const struct stackset *set, const struct model_stack *stack, uint32_t i)
{
	return i + 1 < stack->loc_cnt &&
	       *(uint64_t *)vec_at(&set->pcs, stack->first_loc + i + 1) & PC_EXACT;
}

uint32_t stackset_to_model(const struct stackset *set, uint32_t idx, struct model *model,
			   uint32_t process, const struct maps *maps)
{
	const struct model_stack *stack = vec_at(&set->stacks, idx);
	uint64_t kernel_bit = process == MODEL_NONE ? PC_EXACT : 0;
	uint32_t locs[MODEL_STACK_MAX];

	for (uint32_t i = 0; i < stack->loc_cnt; i++) {
		uint64_t packed = *(uint64_t *)vec_at(&set->pcs, stack->first_loc + i);
		bool whole = (packed & PC_EXACT) != kernel_bit;
		uint64_t pc = packed ^ (whole ? PC_EXACT : 0);
		bool exact = whole || (!kernel_bit && is_signal_frame(set, stack, i));
		uint32_t code = maps ? maps_code(maps, exact || !pc ? pc : pc - 1) : 0;

		locs[i] = model_intern_loc(model, process, code, pc, exact);
		if (locs[i] == MODEL_NONE) {
			model->losses[LOSS_STACKS_OVER_MAX]++;
			return MODEL_NONE;
		}
	}
	return model_intern_stack(model, locs, stack->loc_cnt, stack->quality, stack->end,
				  stack->guessed_idx);
}
