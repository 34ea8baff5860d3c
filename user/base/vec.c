/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "base/vec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void vec_init(struct vec *vec, size_t elem_bytes, uint32_t max)
{
	*vec = (struct vec){ .max = max, .elem_bytes = (uint32_t)elem_bytes };
}

void vec_clear(struct vec *vec)
{
	vec->len = 0;
}

void vec_release(struct vec *vec)
{
	free(vec->data);
	vec->data = NULL;
	vec->len = vec->cap = 0;
}

static int vec_reserve(struct vec *vec, uint32_t extra)
{
	uint64_t want = (uint64_t)vec->len + extra;
	uint64_t cap = vec->cap ? vec->cap : 8;
	void *data;

	if (want > vec->max)
		return -E2BIG;
	if (want <= vec->cap)
		return 0;
	while (cap < want)
		cap += cap / 2;
	if (cap > vec->max)
		cap = vec->max;
	data = reallocarray(vec->data, cap, vec->elem_bytes);
	if (!data)
		return -ENOMEM;
	vec->data = data;
	vec->cap = (uint32_t)cap;
	return 0;
}

void *vec_push(struct vec *vec)
{
	int err = vec_reserve(vec, 1);
	void *elem;

	if (err) {
		errno = -err;
		return NULL;
	}
	elem = vec_at(vec, vec->len++);
	memset(elem, 0, vec->elem_bytes);
	return elem;
}

int vec_append(struct vec *vec, const void *elems, uint32_t cnt)
{
	int err = vec_reserve(vec, cnt);

	if (err)
		return err;
	if (cnt)
		memcpy(vec_at(vec, vec->len), elems, (size_t)cnt * vec->elem_bytes);
	vec->len += cnt;
	return 0;
}
