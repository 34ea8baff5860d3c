/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "wire/varint.h"

#define VARINT_MAX_BYTES 10

int varint_put(struct buf *buf, uint64_t value)
{
	unsigned char bytes[VARINT_MAX_BYTES];
	size_t len = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[len++] = (unsigned char)(value | 0x80);
	bytes[len++] = (unsigned char)value;
	return buf_put(buf, bytes, len);
}

void cursor_init(struct cursor *cursor, const void *bytes, size_t len)
{
	static const unsigned char nothing[1];

	cursor->pos = len ? bytes : nothing;
	cursor->end = cursor->pos + len;
	cursor->failed = false;
}

static void cursor_fail(struct cursor *cursor)
{
	cursor->pos = cursor->end;
	cursor->failed = true;
}

uint64_t cursor_varint(struct cursor *cursor)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64 && cursor->pos < cursor->end; shift += 7) {
		unsigned char byte = *cursor->pos++;

		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	cursor_fail(cursor);
	return 0;
}

const void *cursor_bytes(struct cursor *cursor, size_t len)
{
	const void *bytes = cursor->pos;

	if (len > cursor_left_bytes(cursor)) {
		cursor_fail(cursor);
		return NULL;
	}
	cursor->pos += len;
	return bytes;
}
