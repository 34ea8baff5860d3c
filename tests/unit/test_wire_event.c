/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Bytes from the kernel -> records: what is right is handed out, everything else is noticed. */
#include "unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "wire/event.h"

#define STREAM_MAX_BYTES (1 << 20)

static struct wire_record record; /* too large for the stack */

static struct wire_task some_task(uint32_t tid)
{
	struct wire_task task = {
		.header = { WIRE_TASK, sizeof(task) },
		.tgid = 7,
		.tid = tid,
		.state = WIRE_STATE_SLEEPING,
		.comm = "worker",
		.nvcsw = 12,
	};

	return task;
}

static void put_task(struct buf *stream, uint32_t tid)
{
	struct wire_task task = some_task(tid);

	assert_int_equal(buf_put(stream, &task, sizeof(task)), 0);
}

/* A kernel stack as it is sent: no longer than its pcs. */
static void put_kstack(struct buf *stream, uint32_t tid, uint32_t pc_cnt)
{
	struct wire_kstack kstack = { .header = { WIRE_KSTACK, 0 }, .tid = tid, .pc_cnt = pc_cnt };

	kstack.header.size_bytes =
		(uint32_t)(offsetof(struct wire_kstack, pc) + pc_cnt * sizeof(kstack.pc[0]));
	for (uint32_t i = 0; i < pc_cnt; i++)
		kstack.pc[i] = 0xffffffff81000000ULL + i;
	assert_int_equal(buf_put(stream, &kstack, kstack.header.size_bytes), 0);
}

static void put_sample(struct buf *stream, uint32_t tid, uint32_t copy_bytes)
{
	struct wire_sample *sample = calloc(1, sizeof(*sample));

	assert_non_null(sample);
	sample->header.type = WIRE_SAMPLE;
	sample->header.size_bytes = (uint32_t)offsetof(struct wire_sample, copy) + copy_bytes;
	sample->tid = tid;
	sample->copy_bytes = copy_bytes;
	memset(sample->copy, 0xab, copy_bytes);
	assert_int_equal(buf_put(stream, sample, sample->header.size_bytes), 0);
	free(sample);
}

static void put_header(struct buf *stream, uint32_t type, uint32_t size_bytes)
{
	const struct wire_header header = { type, size_bytes };

	assert_int_equal(buf_put(stream, &header, sizeof(header)), 0);
}

/* Bytes of a record's body. */
static void put_fill(struct buf *stream, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(buf_put(stream, "\xee", 1), 0);
}

static int setup(void **state)
{
	static struct buf stream;

	buf_init(&stream, STREAM_MAX_BYTES);
	*state = &stream;
	return 0;
}

static int teardown(void **state)
{
	buf_release(*state);
	return 0;
}

static struct wire_reader reader_of(const struct buf *stream)
{
	struct wire_reader reader;

	wire_reader_init(&reader, stream->data, stream->len);
	return reader;
}

static void test_nothing(void **state)
{
	struct wire_reader reader;

	(void)state;
	wire_reader_init(&reader, NULL, 0);
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_END);
	assert_int_equal(reader.consumed_bytes, 0);
}

static void test_all_types_in_order(void **state)
{
	struct buf *stream = *state;
	struct wire_reader reader;

	put_task(stream, 1);
	put_kstack(stream, 1, 3);
	put_kstack(stream, 2, 0);
	put_kstack(stream, 3, WIRE_KSTACK_MAX);
	put_sample(stream, 4, 13); /* what follows is not aligned */
	put_sample(stream, 5, WIRE_COPY_MAX_BYTES);
	put_task(stream, 6);
	reader = reader_of(stream);

	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_RECORD);
	assert_int_equal(record.type, WIRE_TASK);
	assert_int_equal(record.task.tid, 1);
	assert_int_equal(record.task.nvcsw, 12);
	assert_string_equal(record.task.comm, "worker");
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_RECORD);
	assert_int_equal(record.type, WIRE_KSTACK);
	assert_int_equal(record.kstack.pc_cnt, 3);
	assert_true(record.kstack.pc[2] == 0xffffffff81000002ULL);
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_RECORD);
	assert_int_equal(record.kstack.pc_cnt, 0);
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_RECORD);
	assert_int_equal(record.kstack.pc_cnt, WIRE_KSTACK_MAX);
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_RECORD);
	assert_int_equal(record.type, WIRE_SAMPLE);
	assert_int_equal(record.sample.copy_bytes, 13);
	assert_int_equal(record.sample.copy[12], 0xab);
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_RECORD);
	assert_int_equal(record.sample.copy_bytes, WIRE_COPY_MAX_BYTES);
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_RECORD);
	assert_int_equal(record.task.tid, 6);
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_END);
	assert_int_equal(reader.consumed_bytes, stream->len);
	assert_int_equal(reader.bad_cnt + reader.unknown_cnt, 0);
}

static void test_every_cut_is_partial(void **state)
{
	struct buf *stream = *state;
	size_t whole;

	put_task(stream, 1);
	whole = stream->len;
	put_kstack(stream, 2, 5);
	for (size_t len = whole + 1; len < stream->len; len++) {
		/* In storage of just this length, so that a read beyond it is noticed. */
		char *bytes = malloc(len);
		struct wire_reader reader;

		assert_non_null(bytes);
		memcpy(bytes, stream->data, len);
		wire_reader_init(&reader, bytes, len);
		assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_RECORD);
		assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_PARTIAL);
		assert_int_equal(reader.consumed_bytes, whole);
		assert_int_equal(reader.bad_cnt, 0);
		free(bytes);
	}
}

static void test_unknown_types_are_skipped(void **state)
{
	struct buf *stream = *state;
	struct wire_reader reader;

	put_header(stream, 0, sizeof(struct wire_header));
	put_header(stream, 4711, 21);
	put_fill(stream, 13);
	put_header(stream, UINT32_MAX, WIRE_RECORD_MAX_BYTES);
	put_fill(stream, WIRE_RECORD_MAX_BYTES - sizeof(struct wire_header));
	put_task(stream, 9);
	reader = reader_of(stream);
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_RECORD);
	assert_int_equal(record.task.tid, 9);
	assert_int_equal(reader.unknown_cnt, 3);
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_END);
}

static void test_bad_sizes_drop_the_rest(void **state)
{
	static const struct wire_header bad[] = {
		{ WIRE_TASK, 0 },
		{ WIRE_TASK, sizeof(struct wire_task) - 1 },
		{ WIRE_TASK, sizeof(struct wire_task) + 1 },
		{ WIRE_KSTACK, offsetof(struct wire_kstack, pc) - 1 },
		{ WIRE_KSTACK, sizeof(struct wire_kstack) + 1 },
		{ WIRE_SAMPLE, offsetof(struct wire_sample, copy) - 1 },
		{ WIRE_SAMPLE, sizeof(struct wire_sample) + 1 },
		{ WIRE_SAMPLE, UINT32_MAX },
		{ 4711, sizeof(struct wire_header) - 1 },
		{ 4711, WIRE_RECORD_MAX_BYTES + 1 },
	};
	struct buf *stream = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wire_reader reader;

		buf_clear(stream);
		put_task(stream, 1);
		put_header(stream, bad[i].type, bad[i].size_bytes);
		put_task(stream, 2);
		reader = reader_of(stream);
		assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_RECORD);
		assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_BAD);
		assert_int_equal(reader.bad_cnt, 1);
		assert_int_equal(reader.consumed_bytes, stream->len);
		assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_END);
	}
}

/* A size that cannot be true is not waited for, however much would have to follow. */
static void test_bad_size_is_not_partial(void **state)
{
	struct buf *stream = *state;
	struct wire_reader reader;

	put_header(stream, WIRE_TASK, UINT32_MAX);
	reader = reader_of(stream);
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_BAD);
}

static void test_contradictions_are_left_out(void **state)
{
	struct buf *stream = *state;
	struct wire_task task = some_task(1);
	struct wire_reader reader;
	uint32_t too_many;

	task.state = 0;
	assert_int_equal(buf_put(stream, &task, sizeof(task)), 0);
	task.state = WIRE_STATE_OTHER + 1;
	assert_int_equal(buf_put(stream, &task, sizeof(task)), 0);

	too_many = 4;
	put_kstack(stream, 2, 3);
	memcpy(stream->data + stream->len - 3 * sizeof(uint64_t) - sizeof(too_many), &too_many,
	       sizeof(too_many));
	too_many = 101;
	put_sample(stream, 3, 100);
	memcpy(stream->data + stream->len - 100 - offsetof(struct wire_sample, copy) +
		       offsetof(struct wire_sample, copy_bytes),
	       &too_many, sizeof(too_many));
	put_task(stream, 4);

	reader = reader_of(stream);
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_RECORD);
	assert_int_equal(record.task.tid, 4);
	assert_int_equal(reader.bad_cnt, 4);
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_END);
}

static void test_comm_ends(void **state)
{
	struct buf *stream = *state;
	struct wire_task task = some_task(1);
	struct wire_reader reader;

	memset(task.comm, 'x', sizeof(task.comm));
	assert_int_equal(buf_put(stream, &task, sizeof(task)), 0);
	reader = reader_of(stream);
	assert_int_equal(wire_reader_next(&reader, &record), WIRE_NEXT_RECORD);
	assert_string_equal(record.task.comm, "xxxxxxxxxxxxxxx");
}

/* Of a thread and a process, and with its process or not. */
static void test_deaths(void **state)
{
	static const struct {
		uint32_t tid, tgid, with_process;
		bool is_valid;
	} cases[] = { { 5, 4, 0, true },
		      { 5, 4, 1, true },
		      { 0, 4, 0, false },
		      { 5, 0, 0, false },
		      { 5, 4, 2, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct wire_death death = { .header = { WIRE_DEATH, sizeof(death) },
						  .tid = cases[i].tid,
						  .tgid = cases[i].tgid,
						  .start_ns = 123,
						  .with_process = cases[i].with_process };
		struct wire_reader reader;

		wire_reader_init(&reader, &death, sizeof(death));
		assert_int_equal(wire_reader_next(&reader, &record),
				 cases[i].is_valid ? WIRE_NEXT_RECORD : WIRE_NEXT_END);
		assert_int_equal(reader.bad_cnt, !cases[i].is_valid);
		if (cases[i].is_valid)
			assert_memory_equal(&record.death, &death, sizeof(death));
	}
}

static void test_futex_keys(void **state)
{
	const struct wire_futex_key key = { .tgid = 1, .op = WIRE_FUTEX_WAIT };
	struct wire_futex_key bad = key;

	(void)state;
	assert_true(wire_futex_key_is_valid(&key));
	bad.tgid = 0;
	assert_false(wire_futex_key_is_valid(&bad));
	bad = key;
	bad.op = WIRE_FUTEX_NONE;
	assert_false(wire_futex_key_is_valid(&bad));
	bad.op = WIRE_FUTEX_REQUEUE;
	bad.is_shared = 1;
	assert_true(wire_futex_key_is_valid(&bad));
	bad.op = WIRE_FUTEX_REQUEUE + 1;
	assert_false(wire_futex_key_is_valid(&bad));
	bad = key;
	bad.is_shared = 2;
	assert_false(wire_futex_key_is_valid(&bad));
}

static void test_futex_waits(void **state)
{
	const struct wire_futex_wait wait = { .tgid = 1, .op = WIRE_FUTEX_WAIT_REQUEUE_PI };
	struct wire_futex_wait bad = wait;

	(void)state;
	assert_true(wire_futex_wait_is_valid(&wait));
	bad.tgid = 0;
	assert_false(wire_futex_wait_is_valid(&bad));
	bad = wait;
	bad.op = WIRE_FUTEX_WAKE;
	assert_false(wire_futex_wait_is_valid(&bad));
	bad.op = WIRE_FUTEX_NONE;
	assert_false(wire_futex_wait_is_valid(&bad));
	bad = wait;
	bad.is_shared = 2;
	assert_false(wire_futex_wait_is_valid(&bad));
}

/* A rule is for one pc of one address space, and none is for what cannot be code: cut to the bits
 * that there are, it would be the rule of other code. */
static void test_rule_keys(void **state)
{
	const uint64_t pc = 0x7f0123456789, last = (1ULL << WIRE_RULE_PC_BITS) - 1;
	const uint64_t keys[] = { wire_rule_key(1, pc, 0),     wire_rule_key(1, pc, 1),
				  wire_rule_key(2, pc, 0),     wire_rule_key(0xffff, pc, 1),
				  wire_rule_key(1, pc + 1, 0), wire_rule_key(1, last, 0),
				  wire_rule_key(1, last, 1) };

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		assert_true(keys[i] != 0);
		for (size_t j = 0; j < i; j++)
			assert_true(keys[i] != keys[j]);
	}
	assert_true(wire_rule_key(1, last + 1, 0) == 0);
	assert_true(wire_rule_key(1, pc | 1ULL << 63, 0) == 0);
	assert_true(wire_rule_key(1, 0xffffffffff600400, 1) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test_setup_teardown(test_all_types_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_cut_is_partial, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_types_are_skipped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_sizes_drop_the_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_size_is_not_partial, setup, teardown),
		cmocka_unit_test_setup_teardown(test_contradictions_are_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_comm_ends, setup, teardown),
		cmocka_unit_test(test_deaths),
		cmocka_unit_test(test_futex_keys),
		cmocka_unit_test(test_futex_waits),
		cmocka_unit_test(test_rule_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
