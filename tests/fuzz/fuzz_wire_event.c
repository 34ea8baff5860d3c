/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The kernel's bytes through the record reader. Whatever is handed out must keep what wire/event.h
 * promises, and feeding the same bytes in two reads must give the same records as in one.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "wire/event.h"

static struct wire_record record;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int holds)
{
	if (!holds)
		abort();
}

/* Returns a hash of all that the record says. */
static uint64_t check_record(void)
{
	require(record.header.type == record.type);
	switch (record.type) {
	case WIRE_TASK:
		require(record.header.size_bytes == sizeof(record.task));
		require(strnlen(record.task.comm, WIRE_COMM_BYTES) < WIRE_COMM_BYTES);
		require(record.task.state >= WIRE_STATE_RUNNABLE &&
			record.task.state <= WIRE_STATE_OTHER);
		return hash_bytes(&record.task, sizeof(record.task));
	case WIRE_KSTACK:
		require(record.kstack.pc_cnt <= WIRE_KSTACK_MAX);
		return hash_bytes(record.kstack.pc, record.kstack.pc_cnt * sizeof(uint64_t));
	case WIRE_SAMPLE:
		require(record.sample.copy_bytes <= WIRE_COPY_MAX_BYTES);
		return hash_bytes(record.sample.copy, record.sample.copy_bytes);
	case WIRE_STACK:
		require(record.stack.pc_cnt && record.stack.pc_cnt <= WIRE_WALK_MAX + 1);
		return hash_bytes(record.stack.pc, record.stack.pc_cnt * sizeof(uint64_t));
	case WIRE_MISS:
	case WIRE_VERIFY:
		require(record.miss.pc_cnt && record.miss.pc_cnt <= WIRE_WALK_MAX);
		require(record.miss.copy_bytes <= WIRE_MISS_COPY_BYTES);
		return hash_bytes(record.miss.copy, record.miss.copy_bytes) ^
		       hash_bytes(record.miss.pc, record.miss.pc_cnt * sizeof(uint64_t));
	case WIRE_TICK:
		return hash_bytes(&record.tick, sizeof(record.tick));
	case WIRE_EXIT:
		require(strnlen(record.exit.run.comm, WIRE_COMM_BYTES) < WIRE_COMM_BYTES);
		return hash_bytes(&record.exit, sizeof(record.exit));
	case WIRE_BIRTH:
		require(strnlen(record.birth.creator_comm, WIRE_COMM_BYTES) < WIRE_COMM_BYTES);
		return hash_bytes(&record.birth, sizeof(record.birth));
	case WIRE_DEATH:
		require(record.death.tid && record.death.with_process <= 1);
		return hash_bytes(&record.death, sizeof(record.death));
	case WIRE_REMAP:
		return hash_bytes(&record.remap, sizeof(record.remap));
	}
	abort();
}

/* Reads @len bytes, adding what they say to @hash. Returns how many bytes were consumed. */
static size_t read_records(const uint8_t *data, size_t len, uint64_t *hash, int *ret_bad)
{
	struct wire_reader reader;
	enum wire_next next;

	wire_reader_init(&reader, data, len);
	while ((next = wire_reader_next(&reader, &record)) == WIRE_NEXT_RECORD)
		*hash = hash_mix(*hash, check_record());
	require(reader.consumed_bytes <= len);
	require(next == WIRE_NEXT_PARTIAL || reader.consumed_bytes == len);
	*ret_bad = next == WIRE_NEXT_BAD;
	return reader.consumed_bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint64_t whole = 0, split = 0;
	int whole_bad, split_bad;
	size_t consumed;

	consumed = read_records(data, len, &whole, &whole_bad);
	if (whole_bad)
		return 0;
	size_t first = read_records(data, len / 2, &split, &split_bad);

	first += read_records(data + first, len - first, &split, &split_bad);
	require(first == consumed && split == whole);
	return 0;
}
