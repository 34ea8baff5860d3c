/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Kernel stacks of a recording: cut to what tells where a thread blocked, and matched with those of
 * snapshots. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "collect/kstacks.h"

#define CNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* Return addresses in the functions of the table below. */
#define PROG 0xffffffffc0001010
#define TRACE_RUN 0xffffffff81000110
#define SCHEDULE_INNER 0xffffffff82000110
#define SCHEDULE 0xffffffff82000210
#define NANOSLEEP 0xffffffff82000310
#define DOWN_READ 0xffffffff82000410
#define HRTIMER 0xffffffff81000210
#define FAULT 0xffffffff81000310
#define ENTRY 0xffffffff81000410

static const char symbols[] = "ffffffff81000100 T bpf_trace_run4\n"
			      "ffffffff81000200 T hrtimer_nanosleep\n"
			      "ffffffff81000300 t exc_page_fault\n"
			      "ffffffff81000400 T entry_SYSCALL_64_after_hwframe\n"
			      "ffffffff81000500 T schedule_tail\n"
			      "ffffffff82000100 T __sched_text_start\n"
			      "ffffffff82000100 t __schedule.constprop.0\n"
			      "ffffffff82000200 T schedule\n"
			      "ffffffff82000300 t do_nanosleep\n"
			      "ffffffff82000400 T down_read\n"
			      "ffffffff82000500 T __sched_text_end\n"
			      "ffffffffc0001000 t bpf_prog_ab12_on_switch\t[bpf]\n";

static void init(struct kstacks *kstacks, const char *text)
{
	kstacks_init(kstacks);
	kstacks_parse_symbols(kstacks, text, strlen(text));
}

static void add(struct kstacks *kstacks, uint64_t id, uint32_t space, const uint64_t *pcs,
		uint32_t pc_cnt)
{
	struct wire_stack stack = {
		.id = id, .space = space, .end = WIRE_END_ROOT, .pc_cnt = pc_cnt
	};

	memcpy(stack.pc, pcs, pc_cnt * sizeof(pcs[0]));
	kstacks_add(kstacks, &stack);
}

/* Fails unless stack @idx of the set has the pcs @want, the first of them exact. */
static void assert_pcs(const struct kstacks *kstacks, uint32_t idx, const uint64_t *want,
		       uint32_t want_cnt)
{
	struct walk walk;

	assert_int_not_equal(idx, STACKSET_NONE);
	stackset_walk(&kstacks->set, idx, &walk);
	assert_int_equal(walk.pc_cnt, want_cnt);
	for (uint32_t i = 0; i < want_cnt; i++)
		assert_true((walk.pc[i] | 1ULL << 63) == want[i]);
}

static uint32_t add_to_snapshot(struct stackset *set, const uint64_t *pcs, uint32_t pc_cnt)
{
	struct walk walk = { .pc_cnt = pc_cnt, .quality = STACK_COMPLETE, .end = STACK_END_ROOT };

	for (uint32_t i = 0; i < pc_cnt; i++) {
		walk.pc[i] = pcs[i];
		walk.exact[i] = i == 0;
	}
	return stackset_add(set, UINT64_MAX, &walk);
}

static void test_blocked(void **state)
{
	static const uint64_t recorded[] = { PROG,	TRACE_RUN, SCHEDULE_INNER, SCHEDULE,
					     NANOSLEEP, HRTIMER,   ENTRY };
	static const uint64_t direct[] = { PROG, SCHEDULE_INNER, NANOSLEEP, HRTIMER, ENTRY };
	struct kstacks kstacks;

	(void)state;
	init(&kstacks, symbols);
	add(&kstacks, 7, WIRE_SPACE_KERNEL, recorded, CNT(recorded));
	assert_pcs(&kstacks, kstacks_find(&kstacks, 7), recorded + 4, 3);
	/* Another way there is the same place. */
	add(&kstacks, 8, WIRE_SPACE_KERNEL, direct, CNT(direct));
	assert_int_equal(kstacks_find(&kstacks, 8), kstacks_find(&kstacks, 7));
	assert_int_equal(kstacks_find(&kstacks, 9), STACKSET_NONE);
	kstacks_release(&kstacks);
}

/* What the clock met in the scheduler ran there. */
static void test_ticks_are_whole(void **state)
{
	static const uint64_t ticked[] = { SCHEDULE_INNER, SCHEDULE, NANOSLEEP, ENTRY };
	struct kstacks kstacks;

	(void)state;
	init(&kstacks, symbols);
	add(&kstacks, 1, WIRE_SPACE_KERNEL_TICK, ticked, CNT(ticked));
	assert_pcs(&kstacks, kstacks_find(&kstacks, 1), ticked, CNT(ticked));
	kstacks_release(&kstacks);
}

/* Stacks that are not as we know them stay as they are. */
static void test_unknown_heads(void **state)
{
	static const uint64_t without[] = { PROG, TRACE_RUN, HRTIMER, ENTRY };
	static const uint64_t only[] = { PROG, SCHEDULE_INNER, SCHEDULE };
	static const uint64_t recorded[] = { PROG, SCHEDULE_INNER, NANOSLEEP, ENTRY };
	static const uint64_t wild[] = { 0, 1, UINT64_MAX };
	static const char hidden[] = "0000000000000000 T __schedule\n";
	struct kstacks kstacks;

	(void)state;
	init(&kstacks, symbols);
	add(&kstacks, 1, WIRE_SPACE_KERNEL, without, CNT(without));
	assert_pcs(&kstacks, kstacks_find(&kstacks, 1), without, CNT(without));
	add(&kstacks, 2, WIRE_SPACE_KERNEL, only, CNT(only));
	assert_pcs(&kstacks, kstacks_find(&kstacks, 2), only, CNT(only));
	add(&kstacks, 3, WIRE_SPACE_KERNEL, wild, CNT(wild));
	assert_int_not_equal(kstacks_find(&kstacks, 3), STACKSET_NONE);
	kstacks_release(&kstacks);

	init(&kstacks, hidden);
	add(&kstacks, 4, WIRE_SPACE_KERNEL, recorded, CNT(recorded));
	assert_pcs(&kstacks, kstacks_find(&kstacks, 4), recorded, CNT(recorded));
	kstacks_release(&kstacks);
}

static void test_like_a_snapshot(void **state)
{
	static const uint64_t recorded[] = { PROG,	TRACE_RUN, SCHEDULE_INNER, SCHEDULE,
					     NANOSLEEP, HRTIMER,   ENTRY };
	static const uint64_t bare[] = { HRTIMER, ENTRY };
	static const uint64_t other[] = { FAULT, ENTRY };
	struct stackset snapshot;
	struct kstacks kstacks;
	uint32_t idx;

	(void)state;
	init(&kstacks, symbols);
	stackset_init(&snapshot);
	idx = add_to_snapshot(&snapshot, bare, CNT(bare));
	assert_int_equal(kstacks_like(&kstacks, &snapshot, idx), STACKSET_NONE);
	add(&kstacks, 7, WIRE_SPACE_KERNEL, recorded, CNT(recorded));
	add(&kstacks, 7, WIRE_SPACE_KERNEL, recorded, CNT(recorded));
	assert_int_equal(kstacks_like(&kstacks, &snapshot, idx), kstacks_find(&kstacks, 7));
	idx = add_to_snapshot(&snapshot, other, CNT(other));
	assert_int_equal(kstacks_like(&kstacks, &snapshot, idx), STACKSET_NONE);
	stackset_release(&snapshot);
	kstacks_release(&kstacks);
}

/* Of two that differ by what they wait for in one function, neither is taken. */
static void test_like_two(void **state)
{
	static const uint64_t reads[] = { PROG, SCHEDULE_INNER, SCHEDULE, DOWN_READ, FAULT };
	static const uint64_t sleeps[] = { PROG, SCHEDULE_INNER, SCHEDULE, NANOSLEEP, FAULT };
	static const uint64_t bare[] = { FAULT };
	struct stackset snapshot;
	struct kstacks kstacks;
	uint32_t idx;

	(void)state;
	init(&kstacks, symbols);
	stackset_init(&snapshot);
	idx = add_to_snapshot(&snapshot, bare, CNT(bare));
	add(&kstacks, 1, WIRE_SPACE_KERNEL, reads, CNT(reads));
	assert_int_equal(kstacks_like(&kstacks, &snapshot, idx), kstacks_find(&kstacks, 1));
	add(&kstacks, 2, WIRE_SPACE_KERNEL, sleeps, CNT(sleeps));
	assert_int_equal(kstacks_like(&kstacks, &snapshot, idx), STACKSET_NONE);
	add(&kstacks, 1, WIRE_SPACE_KERNEL, reads, CNT(reads));
	assert_int_equal(kstacks_like(&kstacks, &snapshot, idx), STACKSET_NONE);
	stackset_release(&snapshot);
	kstacks_release(&kstacks);
}

/* What the kernel cut is marked. */
static void test_too_deep(void **state)
{
	struct wire_stack stack = { .id = 1,
				    .space = WIRE_SPACE_KERNEL_TICK,
				    .end = WIRE_END_TOO_DEEP,
				    .pc_cnt = WIRE_WALK_MAX };
	struct kstacks kstacks;
	struct walk walk;

	(void)state;
	init(&kstacks, symbols);
	for (uint32_t i = 0; i < stack.pc_cnt; i++)
		stack.pc[i] = ENTRY;
	kstacks_add(&kstacks, &stack);
	stackset_walk(&kstacks.set, kstacks_find(&kstacks, 1), &walk);
	assert_int_equal(walk.pc_cnt, WIRE_WALK_MAX);
	assert_int_equal(walk.quality, STACK_TRUNCATED);
	assert_int_equal(walk.end, STACK_END_TOO_DEEP);
	kstacks_release(&kstacks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocked),	      cmocka_unit_test(test_ticks_are_whole),
		cmocka_unit_test(test_unknown_heads), cmocka_unit_test(test_like_a_snapshot),
		cmocka_unit_test(test_like_two),      cmocka_unit_test(test_too_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
