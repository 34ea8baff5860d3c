/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The model: what is equal is kept once, what is not stays apart, and sorting keeps references. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "model/model.h"
#include "sample_model.h"

static void test_locs_are_interned(void **state)
{
	struct model model;
	uint32_t a, kernel, exact;

	(void)state;
	model_init(&model);
	a = model_intern_loc(&model, 0, 0, 0x1000, false);
	exact = model_intern_loc(&model, 0, 0, 0x1000, true);
	kernel = model_intern_loc(&model, MODEL_NONE, 0, 0x1000, false);
	assert_int_not_equal(a, exact);
	assert_int_not_equal(a, kernel);
	assert_int_not_equal(a, model_intern_loc(&model, 1, 0, 0x1000, false));
	assert_int_not_equal(a, model_intern_loc(&model, 0, 0, 0x1001, false));
	assert_int_equal(a, model_intern_loc(&model, 0, 0, 0x1000, false));
	assert_int_equal(exact, model_intern_loc(&model, 0, 0, 0x1000, true));
	assert_int_equal(model.locs.len, 5);
	assert_int_equal(model_loc(&model, kernel)->process, MODEL_NONE);
	assert_true(model_loc(&model, a)->pc == 0x1000);
	model_release(&model);
}

static void test_stacks_are_interned(void **state)
{
	static const uint32_t locs[] = { 1, 2, 3 }, others[] = { 1, 2, 4 };
	struct model model;
	uint32_t a;

	(void)state;
	model_init(&model);
	a = model_intern_stack(&model, locs, 3, STACK_COMPLETE, STACK_END_ROOT, 0);
	assert_int_equal(a, model_intern_stack(&model, locs, 3, STACK_COMPLETE, STACK_END_ROOT, 0));
	assert_int_equal(model.stack_locs.len, 3);
	assert_int_not_equal(a, model_intern_stack(&model, others, 3, STACK_COMPLETE,
						   STACK_END_ROOT, 0));
	assert_int_not_equal(a, model_intern_stack(&model, locs, 2, STACK_COMPLETE, STACK_END_ROOT,
						   0));
	assert_int_not_equal(a, model_intern_stack(&model, locs, 3, STACK_TRUNCATED, STACK_END_ROOT,
						   0));
	assert_int_not_equal(a, model_intern_stack(&model, locs, 3, STACK_COMPLETE,
						   STACK_END_BAD_FRAME, 0));
	assert_int_not_equal(a, model_intern_stack(&model, locs, 3, STACK_COMPLETE, STACK_END_ROOT,
						   1));
	assert_int_equal(
		model_intern_stack(&model, NULL, 0, STACK_TRUNCATED, STACK_END_UNREADABLE, 0),
		model_intern_stack(&model, NULL, 0, STACK_TRUNCATED, STACK_END_UNREADABLE, 0));
	assert_int_equal(model.stacks.len, 7);
	model_release(&model);
}

static void test_many_stacks(void **state)
{
	struct model model;

	(void)state;
	model_init(&model);
	for (uint32_t round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 5000; i++) {
			uint32_t locs[] = { i, i / 7 };

			assert_int_equal(model_intern_stack(&model, locs, 2, STACK_COMPLETE,
							    STACK_END_ROOT, 0),
					 i);
		}
	model_release(&model);
}

/* Each process, and the kernel, has its own locs one after the other, in the order in which they
 * came. */
static void test_locs_of_a_process(void **state)
{
	static const uint32_t processes[] = { 0, 1, MODEL_NONE };
	struct model model;

	(void)state;
	model_init(&model);
	assert_int_equal(model_first_loc(&model, 0), MODEL_NONE);
	for (uint32_t i = 0; i < 30; i++)
		assert_int_equal(model_intern_loc(&model, processes[i % 3], 0, 100 + i, false), i);
	assert_int_equal(model_intern_loc(&model, 0, 0, 100, false), 0);
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t loc = model_first_loc(&model, processes[i]);

		for (uint32_t wanted = i; wanted < 30; wanted += 3) {
			assert_int_equal(loc, wanted);
			loc = model_next_loc(&model, loc);
		}
		assert_int_equal(loc, MODEL_NONE);
	}
	assert_int_equal(model_first_loc(&model, 2), MODEL_NONE);
	model_release(&model);
}

static void test_find_process(void **state)
{
	struct model model;

	(void)state;
	model_init(&model);
	assert_int_equal(model_find_process(&model, 7), MODEL_NONE);
	assert_int_equal(model_add_process(&model, 7, 1), 0);
	assert_int_equal(model_add_process(&model, 8, 2), 1);
	assert_int_equal(model_add_process(&model, 7, 3), 2);
	assert_int_equal(model_find_process(&model, 7), 0);
	assert_int_equal(model_find_process(&model, 8), 1);
	model_release(&model);
}

static void test_maxima_are_counted(void **state)
{
	static const uint32_t locs[] = { 1, 2, 3 };
	struct model model;

	(void)state;
	model_init(&model);
	model.threads.max = 1;
	model.stack_locs.max = 2;
	model.locs.max = 1;
	model.processes.max = 1;
	assert_non_null(model_add_thread(&model, 0, 1));
	assert_null(model_add_thread(&model, 0, 2));
	assert_int_equal(model.losses[LOSS_THREADS_OVER_MAX], 1);
	assert_int_equal(model_intern_stack(&model, locs, 3, STACK_COMPLETE, STACK_END_ROOT, 0),
			 MODEL_NONE);
	assert_int_equal(model.losses[LOSS_STACKS_OVER_MAX], 1);
	assert_int_equal(model.stack_locs.len, 0);
	assert_int_equal(model_intern_loc(&model, 0, 0, 1, false), 0);
	assert_int_equal(model_intern_loc(&model, 0, 0, 2, false), MODEL_NONE);
	assert_int_equal(model_intern_loc(&model, 0, 0, 1, false), 0);
	assert_int_equal(model_next_loc(&model, model_first_loc(&model, 0)), MODEL_NONE);
	assert_int_equal(model_add_process(&model, 1, 1), 0);
	assert_int_equal(model_add_process(&model, 2, 2), MODEL_NONE);
	model_release(&model);
}

static void test_sort_keeps_references(void **state)
{
	static const uint32_t tids[] = { 21, 22, 23, 301, 314, 315, 317 };
	const struct model_process *process;
	struct model model;

	(void)state;
	sample_model(&model);
	assert_int_equal(model.processes.len, 2);
	assert_int_equal(model.threads.len, 7);
	process = model_process(&model, 0);
	assert_int_equal(process->tgid, 21);
	assert_string_equal(model_str(&model, process->comm), "other");
	assert_int_equal(process->first_thread, 0);
	assert_int_equal(process->thread_cnt, 3);
	process = model_process(&model, 1);
	assert_int_equal(process->tgid, 301);
	assert_int_equal(process->first_thread, 3);
	assert_int_equal(process->thread_cnt, 4);
	for (uint32_t i = 0; i < 7; i++) {
		const struct model_thread *thread = model_thread(&model, i);

		assert_int_equal(thread->tid, tids[i]);
		assert_int_equal(thread->process, i >= 3);
		if (thread->stack != MODEL_NONE) {
			const struct model_stack *stack = model_stack(&model, thread->stack);

			assert_int_equal(model_stack_loc(&model, stack, 0)->process,
					 thread->process);
		}
		if (thread->kstack != MODEL_NONE) {
			const struct model_stack *stack = model_stack(&model, thread->kstack);

			assert_int_equal(model_stack_loc(&model, stack, 0)->process, MODEL_NONE);
		}
	}
	model_release(&model);
}

static void test_sort_again_changes_nothing(void **state)
{
	struct model model, again;

	(void)state;
	sample_model(&model);
	sample_model(&again);
	assert_int_equal(model_sort(&again), 0);
	assert_memory_equal(model.threads.data, again.threads.data,
			    model.threads.len * sizeof(struct model_thread));
	assert_memory_equal(model.processes.data, again.processes.data,
			    model.processes.len * sizeof(struct model_process));
	model_release(&model);
	model_release(&again);
}

static void test_nothing_sorts(void **state)
{
	struct model model;

	(void)state;
	model_init(&model);
	assert_int_equal(model_sort(&model), 0);
	model_add_process(&model, 7, 7);
	assert_int_equal(model_sort(&model), 0);
	assert_int_equal(model_process(&model, 0)->thread_cnt, 0);
	model_release(&model);
}

static void test_every_loss_has_its_words(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < LOSS_CNT; i++) {
		struct loss_words one = loss_words((enum loss)i, 1);
		struct loss_words most = loss_words((enum loss)i, UINT64_MAX);

		assert_non_null(loss_name((enum loss)i));
		assert_int_equal(strncmp(one.text, "1 ", 2), 0);
		assert_int_equal(strncmp(most.text, "18446744073709551615 ", 21), 0);
		assert_string_not_equal(one.text + 2, most.text + 21);
		assert_null(strchr(most.text, '|'));
		assert_true(strlen(most.text) + 1 < sizeof(most.text));
		for (uint32_t j = 0; j < i; j++)
			assert_string_not_equal(loss_name((enum loss)i), loss_name((enum loss)j));
	}
	assert_string_equal(loss_words(LOSS_STACKS_UNREADABLE, 1).text,
			    "1 stack truncated: memory could not be read");
	assert_string_equal(loss_words(LOSS_PROCESSES_UNREADABLE, 2).text,
			    "2 processes whose memory map could not be read");
}

/* A mapping covers its addresses of its process; a return address belongs to the call before it. */
static void test_find_mapping(void **state)
{
	static const struct {
		uint32_t process;
		uint64_t pc;
		bool exact;
		uint32_t mapping;
	} cases[] = {
		{ 0, 0x7f0000000000, true, 0 },	 { 0, 0x7f0000000000, false, MODEL_NONE },
		{ 0, 0x7f0000002fff, true, 0 },	 { 0, 0x7f0000003000, true, MODEL_NONE },
		{ 0, 0x7f0000003000, false, 0 }, { 0, 0x55d1c0de1048, true, MODEL_NONE },
		{ 1, 0x55d1c0de1048, true, 1 },	 { 1, 0x7f0000000000, true, MODEL_NONE },
		{ 1, 0, false, MODEL_NONE },	 { MODEL_NONE, 0x55d1c0de1048, true, MODEL_NONE },
	};
	struct model model;

	(void)state;
	sample_recording(&model);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct model_loc loc = { .process = cases[i].process,
					 .pc = cases[i].pc,
					 .exact = cases[i].exact };

		assert_int_equal(model_find_mapping(&model, &loc), cases[i].mapping);
	}
	model_release(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locs_are_interned),
		cmocka_unit_test(test_stacks_are_interned),
		cmocka_unit_test(test_many_stacks),
		cmocka_unit_test(test_locs_of_a_process),
		cmocka_unit_test(test_find_process),
		cmocka_unit_test(test_maxima_are_counted),
		cmocka_unit_test(test_sort_keeps_references),
		cmocka_unit_test(test_sort_again_changes_nothing),
		cmocka_unit_test(test_nothing_sorts),
		cmocka_unit_test(test_find_mapping),
		cmocka_unit_test(test_every_loss_has_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
