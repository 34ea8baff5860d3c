/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A growable array of equal elements, born with a maximum length.
 *
 *   life cycle  vec_init, vec_clear (keeps the storage), vec_release
 *   verbs       vec_push, vec_append
 *   queries     vec_at, .len, and .data for a loop over typed elements
 *
 * Pointers into it hold until the next push.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stddef.h>
#include <stdint.h>

struct vec {
	void *data;
	uint32_t len;
	uint32_t cap;
	uint32_t max;
	uint32_t elem_bytes;
};

void vec_init(struct vec *vec, size_t elem_bytes, uint32_t max);
void vec_clear(struct vec *vec);
void vec_release(struct vec *vec);

/* Returns a new zeroed last element, or NULL with errno E2BIG (maximum reached) or ENOMEM. */
void *vec_push(struct vec *vec);

/* Copies @cnt elements from @elems to the end. Returns 0, -E2BIG or -ENOMEM (nothing added). */
int vec_append(struct vec *vec, const void *elems, uint32_t cnt);

/* Returns element @idx, which must be below .len. */
static inline void *vec_at(const struct vec *vec, uint32_t idx)
{
	return (char *)vec->data + (size_t)idx * vec->elem_bytes;
}

#endif
