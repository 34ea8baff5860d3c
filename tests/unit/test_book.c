/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The books of a recording at their maxima: what has no room is counted, and the rest goes on. */
#include "unit.h"

#include <unistd.h>

#include "collect/recording.h"

#define ROOM 2u
#define EVENTS 5u

static const struct record_options no_options;

/* A recording with nothing in it yet, which is given to release_recording. */
static struct recording *new_recording(void)
{
	struct recording *recording = test_calloc(1, sizeof(*recording));
	struct snapshot *snapshot = &recording->snapshot;

	recording->options = &no_options;
	vec_init(&snapshot->targets, sizeof(struct target *), EVENTS);
	vec_init(&snapshot->entries, sizeof(struct entry), EVENTS);
	table_init(&snapshot->target_by_tgid, EVENTS);
	vec_init(&recording->runs, sizeof(struct living_run), EVENTS);
	vec_init(&recording->run_of_entry, sizeof(uint32_t), EVENTS);
	book_init(&recording->book, snapshot, &recording->spaces);
	return recording;
}

static void release_recording(struct recording *recording)
{
	for (uint32_t i = 0; i < recording->snapshot.targets.len; i++)
		target_free(*(struct target **)vec_at(&recording->snapshot.targets, i));
	vec_release(&recording->snapshot.targets);
	vec_release(&recording->snapshot.entries);
	table_release(&recording->snapshot.target_by_tgid);
	vec_release(&recording->runs);
	vec_release(&recording->run_of_entry);
	book_release(&recording->book);
	test_free(recording);
}

static struct wire_tick tick_at(uint64_t stack)
{
	struct wire_tick tick = { .tid = 1, .stack_id = stack };

	return tick;
}

static void add_ticks(struct book *book)
{
	for (uint32_t i = 0; i < EVENTS; i++) {
		struct wire_tick tick = tick_at(i);

		book_add_tick(book, &tick);
		book_add_tick(book, &tick);
	}
}

static void assert_ticks_left_out(const struct book *book)
{
	assert_int_equal(book->left_out_cnt, 2 * (EVENTS - ROOM));
	assert_int_equal(book->ticks.len, ROOM);
	for (uint32_t i = 0; i < ROOM; i++)
		assert_int_equal(((struct book_tick *)vec_at(&book->ticks, i))->cnt, 2);
}

static void test_ticks(void **state)
{
	struct recording *recording = new_recording();
	struct model model;

	(void)state;
	vec_init(&recording->book.ticks, sizeof(struct book_tick), ROOM);
	add_ticks(&recording->book);
	assert_ticks_left_out(&recording->book);

	model_init(&model);
	assert_int_equal(book_to_model(&recording->book, &model, NULL), 0);
	assert_int_equal(model.losses[LOSS_SPANS_LEFT_OUT], 2 * (EVENTS - ROOM));
	model_release(&model);
	release_recording(recording);

	recording = new_recording();
	table_init(&recording->book.tick_by_key, ROOM);
	add_ticks(&recording->book);
	assert_ticks_left_out(&recording->book);
	release_recording(recording);
}

static void add_entry(struct recording *recording, uint32_t tid)
{
	struct entry *entry = vec_push(&recording->snapshot.entries);

	assert_non_null(entry);
	entry->tid = tid;
}

static void test_lines(void **state)
{
	struct recording *recording = new_recording();
	struct book *book = &recording->book;
	struct wire_span span = { .cnt = 3, .blocked_ns = 100 };

	(void)state;
	add_entry(recording, 7);
	assert_int_equal(book_index_entries(book), 0);
	vec_init(&book->lines, sizeof(struct book_line), ROOM);
	for (uint32_t i = 0; i < EVENTS; i++) {
		struct wire_span_key key = { .tid = 7, .syscall_nr = (int32_t)i };

		assert_int_equal(book_add_span(book, &key, &span), 0);
		assert_int_equal(book_add_span(book, &key, &span), 0);
	}
	assert_int_equal(book->lines.len, ROOM);
	assert_int_equal(((struct book_line *)vec_at(&book->lines, 0))->sum.cnt, 2 * span.cnt);
	assert_int_equal(book->left_out_cnt, 2 * (EVENTS - ROOM) * span.cnt);
	release_recording(recording);
}

/* Two lines and the thread's time on CPUs, into a model with room for one span. */
static void test_model(void **state)
{
	struct recording *recording = new_recording();
	struct book *book = &recording->book;
	struct wire_span span = { .cnt = 3, .blocked_ns = 100 };
	const uint32_t thread_of_entry[] = { 0 };
	struct model model;

	(void)state;
	add_entry(recording, 7);
	assert_int_equal(book_index_entries(book), 0);
	for (uint32_t i = 0; i < 2; i++) {
		struct wire_span_key key = { .tid = 7, .syscall_nr = (int32_t)i };

		assert_int_equal(book_add_span(book, &key, &span), 0);
	}
	*(uint64_t *)vec_at(&book->on_cpu, 0) = 50;
	model_init(&model);
	assert_non_null(vec_push(&model.processes));
	assert_non_null(vec_push(&model.threads));
	vec_init(&model.spans, sizeof(struct model_span), 1);
	assert_int_equal(book_to_model(book, &model, thread_of_entry), 0);
	assert_int_equal(model.spans.len, 1);
	assert_int_equal(model.losses[LOSS_SPANS_LEFT_OUT], span.cnt + 1);
	model_release(&model);
	release_recording(recording);
}

/* Each thread is found by its id alone and by its start. */
static void test_every_thread_is_indexed(void **state)
{
	struct recording *recording = new_recording();
	struct book *book = &recording->book;

	(void)state;
	assert_true(book->entry_by_user.max >= 2 * book->on_cpu.max);
	release_recording(recording);
}

static void add_run(struct recording *recording, uint32_t tid)
{
	struct living_run living = {
		.tid = tid,
		.run = { .tgid = (uint32_t)getpid(), .start_ns = 1000, .state = WIRE_RUN_ON_CPU }
	};

	assert_int_equal(vec_append(&recording->runs, &living, 1), 0);
}

static void test_threads(void **state)
{
	struct recording *recording = new_recording();
	struct snapshot *snapshot = &recording->snapshot;
	uint32_t entry;

	(void)state;
	vec_init(&snapshot->entries, sizeof(struct entry), ROOM);
	for (uint32_t i = 0; i < EVENTS; i++)
		add_run(recording, 10 + i);
	assert_int_equal(recording_settle(recording), 0);
	assert_int_equal(snapshot->entries.len, ROOM);
	assert_int_equal(snapshot->losses[LOSS_THREADS_OVER_MAX], EVENTS - ROOM);
	assert_true(book_find_entry(&recording->book, 10, 0, &entry));
	assert_false(book_find_entry(&recording->book, 10 + ROOM, 0, &entry));
	release_recording(recording);
}

static void test_processes(void **state)
{
	struct recording *recording = new_recording();
	struct snapshot *snapshot = &recording->snapshot;

	(void)state;
	table_init(&snapshot->target_by_tgid, 0);
	add_run(recording, 10);
	assert_int_equal(recording_settle(recording), 0);
	assert_int_equal(snapshot->targets.len, 0);
	assert_int_equal(snapshot->losses[LOSS_THREADS_OVER_MAX], 1);
	release_recording(recording);
}

/* What a last look found is the stack of the block that the thread is still in, and of no other,
 * though the kernel knows them by one id. */
static void test_open_stack(void **state)
{
	struct recording *recording = new_recording();
	struct book *book = &recording->book;
	struct walk part = { .pc_cnt = 1, .end = STACK_END_UNLEARNED, .quality = STACK_TRUNCATED };
	struct walk whole = { .pc_cnt = 2, .end = STACK_END_ROOT, .quality = STACK_COMPLETE };
	const struct wire_run run = { .state = WIRE_RUN_BLOCKED, .stack_id = 5, .since_ns = 100 };
	const struct wire_span_key key = { .tid = 7, .stack_id = 5 };
	const struct wire_span span = { .cnt = 1, .blocked_ns = 10 };
	const struct book_line *line;
	struct stackset looked;
	uint32_t stack, other;

	(void)state;
	add_entry(recording, 7);
	add_entry(recording, 8);
	assert_int_equal(book_index_entries(book), 0);
	book->end_ns = 200;
	book_add_stack(book, 5, 1, &part);
	stackset_init(&looked);
	stack = stackset_add(&looked, 1, &whole);
	assert_int_equal(book_keep_open(book, 7, 5, 1, &looked, stack), 0);
	stackset_release(&looked);

	assert_true(book_find_open(book, 7, 5, &stack));
	assert_true(book_find_open(book, 8, 5, &other));
	assert_int_not_equal(stack, other);
	assert_false(book_find_open(book, 7, 6, &other));
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(book_add_run(book, i, &run, false), 0);
	assert_int_equal(book_add_span(book, &key, &span), 0);
	assert_int_equal(book->lines.len, 3);
	for (uint32_t i = 0; i < 3; i++) {
		line = vec_at(&book->lines, i);
		assert_int_equal(line->open, i < 2);
		assert_int_equal(line->stack == stack, i == 0);
	}
	assert_int_equal(book->no_stack_cnt, 0);
	release_recording(recording);
}

/* A look after the window is refused wherever it can be at another block than the run's. */
static void test_last_look(void **state)
{
	const struct wire_task task = { .tgid = (uint32_t)getpid(), .tid = (uint32_t)getpid() };
	struct walk whole = { .pc_cnt = 2, .end = STACK_END_ROOT, .quality = STACK_COMPLETE };
	struct walk part = { .pc_cnt = 1, .end = STACK_END_UNREADABLE, .quality = STACK_TRUNCATED };
	const struct wire_run run = { .state = WIRE_RUN_BLOCKED,
				      .stack_id = 5,
				      .start_ns = 10,
				      .since_ns = 2000,
				      .syscall_nr = 202 };
	struct recording *recording = new_recording();
	struct snapshot late = { .sched_clock_offset_ns = 900 };
	struct target *target = target_new(&task);
	struct wire_run other = run;
	struct entry seen, changed;

	(void)state;
	assert_non_null(target);
	recording->book.end_ns = 4000;
	vec_init(&late.targets, sizeof(struct target *), 1);
	assert_int_equal(vec_append(&late.targets, &target, 1), 0);
	stackset_init(&late.stacks);
	seen = (struct entry){ .state = ENTRY_STABLE,
			       .generation = target->generation,
			       .stack = stackset_add(&late.stacks, 0, &whole),
			       .flags = WIRE_IN_SYSCALL,
			       .start_ns = 10,
			       .last_ran_ns = 1100,
			       .syscall_nr = 202 };
	assert_true(recording_shows_block(recording, &late, &seen, &run));

	changed = seen;
	changed.last_ran_ns = 3101; /* after the window's end */
	assert_false(recording_shows_block(recording, &late, &changed, &run));
	changed = seen;
	changed.start_ns = 11; /* another thread of that id */
	assert_false(recording_shows_block(recording, &late, &changed, &run));
	changed = seen;
	changed.state = ENTRY_SAMPLED;
	assert_false(recording_shows_block(recording, &late, &changed, &run));
	changed = seen;
	changed.generation++; /* its process has other code since */
	assert_false(recording_shows_block(recording, &late, &changed, &run));
	changed = seen;
	changed.syscall_nr = 0;
	assert_false(recording_shows_block(recording, &late, &changed, &run));
	changed.flags = 0;
	assert_false(recording_shows_block(recording, &late, &changed, &run));
	other.syscall_nr = WIRE_SYSCALL_STOPPED; /* in whatever call */
	assert_true(recording_shows_block(recording, &late, &changed, &other));
	changed = seen;
	changed.stack = STACKSET_NONE;
	assert_false(recording_shows_block(recording, &late, &changed, &run));

	/* A part is better than nothing, not than another part. */
	changed.stack = stackset_add(&late.stacks, 0, &part);
	assert_true(recording_shows_block(recording, &late, &changed, &run));
	book_add_stack(&recording->book, 5, 1, &part);
	assert_false(recording_shows_block(recording, &late, &changed, &run));
	assert_true(recording_shows_block(recording, &late, &seen, &run));

	late.losses[LOSS_AGES_UNCALIBRATED] = 1;
	assert_false(recording_shows_block(recording, &late, &seen, &run));
	stackset_release(&late.stacks);
	vec_release(&late.targets);
	target_free(target);
	release_recording(recording);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ticks),	   cmocka_unit_test(test_lines),
		cmocka_unit_test(test_model),	   cmocka_unit_test(test_every_thread_is_indexed),
		cmocka_unit_test(test_threads),	   cmocka_unit_test(test_processes),
		cmocka_unit_test(test_open_stack), cmocka_unit_test(test_last_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
