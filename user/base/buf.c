/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *buf, size_t max_bytes)
{
	*buf = (struct buf){ .max_bytes = max_bytes };
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->data)
		buf->data[0] = '\0';
}

void buf_release(struct buf *buf)
{
	free(buf->data);
	buf->data = NULL;
	buf->len = buf->cap = 0;
}

static int buf_fail(struct buf *buf, int err)
{
	buf->failed = true;
	return err;
}

int buf_reserve(struct buf *buf, size_t len)
{
	size_t want, cap = buf->cap ? buf->cap : 128;
	char *data;

	if (__builtin_add_overflow(buf->len, len, &want) || want > buf->max_bytes)
		return buf_fail(buf, -E2BIG);
	if (want < buf->cap)
		return 0;
	while (cap <= want)
		cap *= 2;
	data = realloc(buf->data, cap);
	if (!data)
		return buf_fail(buf, -ENOMEM);
	buf->data = data;
	buf->cap = cap;
	return 0;
}

int buf_put(struct buf *buf, const void *bytes, size_t len)
{
	int err = buf_reserve(buf, len);

	if (err)
		return err;
	if (len)
		memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
	return 0;
}

int buf_puts(struct buf *buf, const char *text)
{
	return buf_put(buf, text, strlen(text));
}

int buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	int len, err;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return buf_fail(buf, -EINVAL);
	err = buf_reserve(buf, (size_t)len);
	if (err)
		return err;
	va_start(args, fmt);
	vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, args);
	va_end(args);
	buf->len += (size_t)len;
	return 0;
}
