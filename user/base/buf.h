/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A growable byte buffer, born with a maximum. Always NUL terminated behind .len, so that text in
 * it is a C string. After a failed append it stays as it was and .failed is set, so that a run of
 * appends can be checked once at its end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data; /* NULL until the first append */
	size_t len;
	size_t cap;
	size_t max_bytes;
	bool failed;
};

void buf_init(struct buf *buf, size_t max_bytes);
void buf_clear(struct buf *buf);
void buf_release(struct buf *buf);

/* Each returns 0, -E2BIG or -ENOMEM, and leaves @buf as it was on failure. */
int buf_put(struct buf *buf, const void *bytes, size_t len);
int buf_puts(struct buf *buf, const char *text);
int buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Makes room for @len bytes behind .len, without counting them. Returns 0, -E2BIG or -ENOMEM. */
int buf_reserve(struct buf *buf, size_t len);

/* Returns the text, "" when nothing was appended; valid until the next append. */
static inline const char *buf_text(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

#endif
