/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Interned strings: equal text has one id, so ids compare as the text does. Id 0 is "".
 * Bounded in bytes and in count; a string that no longer fits becomes id 0 and is counted.
 */
#ifndef BASE_STRPOOL_H
#define BASE_STRPOOL_H

#include "base/buf.h"
#include "base/table.h"
#include "base/vec.h"

struct strpool {
	struct buf text;      /* the strings, each with its NUL */
	struct vec offs;      /* uint32_t: where string id starts in text */
	struct table by_hash; /* hash -> id */
	uint32_t lost_cnt;    /* strings that did not fit */
};

void strpool_init(struct strpool *pool);
void strpool_release(struct strpool *pool);

/* Returns the id of @text (NULL counts as ""), which is copied when new. */
uint32_t strpool_add(struct strpool *pool, const char *text);
uint32_t strpool_add_len(struct strpool *pool, const char *text, size_t len);

/* Returns the text of @id, "" when there is no such id; valid until the next add. */
const char *strpool_get(const struct strpool *pool, uint32_t id);

#endif
