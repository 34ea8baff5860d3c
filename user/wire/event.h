/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Bytes from the kernel -> validated records of bpf/wire.h. Does no reading of its own: works on a
 * buffer that may end in the middle of a record.
 *
 *   wire_reader_init(&reader, bytes, len);
 *   while (wire_reader_next(&reader, &record) == WIRE_NEXT_RECORD)
 *           use(&record);
 *   keep bytes[reader.consumed_bytes .. len) in front of what is read next
 *
 * A record that is handed out can be trusted: its size is right for its type, its counts are within
 * its arrays and within what was sent, its state is one of enum wire_state, and .comm ends in NUL.
 */
#ifndef WIRE_EVENT_H
#define WIRE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/wire.h"

#define WIRE_RECORD_MAX_BYTES 65536 /* no record of any type is larger */

enum wire_next {
	WIRE_NEXT_RECORD,  /* a record was stored */
	WIRE_NEXT_END,	   /* nothing is left */
	WIRE_NEXT_PARTIAL, /* what is left is the beginning of a record */
	WIRE_NEXT_BAD,	   /* a size cannot be true: where the next record begins is unknown, so the
			    * rest was dropped (counted in .bad_cnt) */
};

struct wire_reader {
	const unsigned char *bytes; /* borrowed */
	size_t len;
	size_t consumed_bytes; /* by records handed out, skipped or dropped */
	uint64_t unknown_cnt;  /* records of unknown type: skipped */
	uint64_t bad_cnt; /* records whose contents contradict themselves: skipped or dropped */
};

/* A record in storage of its own. Large (a sample brings its stack copy): not for the stack of a
 * thread. Bytes of arrays beyond the record's own counts are not written. */
struct wire_record {
	enum wire_type type; /* says which member is filled */
	union {
		struct wire_header header;
		struct wire_task task;
		struct wire_kstack kstack;
		struct wire_sample sample;
		struct wire_stack stack;
		struct wire_miss miss;
		struct wire_tick tick;
		struct wire_exit exit;
		struct wire_remap remap;
		struct wire_birth birth;
		struct wire_death death;
	};
};

/* Whether what the kernel's tables of futex calls hold can be true. */
bool wire_futex_key_is_valid(const struct wire_futex_key *key);
bool wire_futex_wait_is_valid(const struct wire_futex_wait *wait);

/* Starts on @len bytes at @bytes, of any alignment, borrowed until the last wire_reader_next. */
void wire_reader_init(struct wire_reader *reader, const void *bytes, size_t len);

/* Stores the next valid record in @ret, which is only meaningful after WIRE_NEXT_RECORD. */
enum wire_next wire_reader_next(struct wire_reader *reader, struct wire_record *ret);

#endif
