/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Numbers in a capture file: 7 bits a byte, low bits first, the top bit set on all but the last
 * byte. A cursor reads them; it stays at its end after the first failure, so that a run of reads
 * can be checked once.
 */
#ifndef WIRE_VARINT_H
#define WIRE_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Appends @value. Returns 0 or the buffer's -errno (which also sets buf->failed). */
int varint_put(struct buf *buf, uint64_t value);

struct cursor {
	const unsigned char *pos; /* borrowed */
	const unsigned char *end;
	bool failed;
};

void cursor_init(struct cursor *cursor, const void *bytes, size_t len);

/* Returns the next number; 0 with .failed set when there is none or it exceeds 64 bits. */
uint64_t cursor_varint(struct cursor *cursor);

/* Returns the next @len bytes, or NULL with .failed set when fewer are left. */
const void *cursor_bytes(struct cursor *cursor, size_t len);

static inline size_t cursor_left_bytes(const struct cursor *cursor)
{
	return (size_t)(cursor->end - cursor->pos);
}

/* Signed numbers near zero as unsigned numbers near zero: 0, -1, 1, -2 become 0, 1, 2, 3. */
static inline uint64_t zigzag_encode(int64_t value)
{
	return ((uint64_t)value << 1) ^ (uint64_t)(value < 0 ? -1 : 0);
}

static inline int64_t zigzag_decode(uint64_t value)
{
	return (int64_t)((value >> 1) ^ (0 - (value & 1)));
}

#endif
