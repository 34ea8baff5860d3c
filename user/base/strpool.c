/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "base/strpool.h"

#include <string.h>

#define STRPOOL_MAX_BYTES (256u << 20)
#define STRPOOL_MAX_STRINGS (4u << 20)

void strpool_init(struct strpool *pool)
{
	buf_init(&pool->text, STRPOOL_MAX_BYTES);
	vec_init(&pool->offs, sizeof(uint32_t), STRPOOL_MAX_STRINGS);
	table_init(&pool->by_hash, STRPOOL_MAX_STRINGS);
	pool->lost_cnt = 0;
}

void strpool_release(struct strpool *pool)
{
	buf_release(&pool->text);
	vec_release(&pool->offs);
	table_release(&pool->by_hash);
}

const char *strpool_get(const struct strpool *pool, uint32_t id)
{
	if (!id || id > pool->offs.len)
		return "";
	return pool->text.data + *(uint32_t *)vec_at(&pool->offs, id - 1);
}

static uint32_t strpool_append(struct strpool *pool, const char *text, size_t len, uint64_t hash)
{
	uint32_t off = (uint32_t)pool->text.len;

	if (buf_reserve(&pool->text, len + 1))
		goto lost;
	if (vec_append(&pool->offs, &off, 1))
		goto lost;
	if (table_put(&pool->by_hash, hash, pool->offs.len)) {
		pool->offs.len--;
		goto lost;
	}
	buf_put(&pool->text, text, len);
	buf_put(&pool->text, "", 1);
	return pool->offs.len;
lost:
	pool->lost_cnt++;
	return 0;
}

uint32_t strpool_add_len(struct strpool *pool, const char *text, size_t len)
{
	uint64_t hash;
	uint32_t id;

	len = strnlen(text, len);
	if (!len)
		return 0;
	hash = hash_bytes(text, len);
	while (table_find(&pool->by_hash, hash, &id)) {
		const char *have = strpool_get(pool, id);

		if (strlen(have) == len && !memcmp(have, text, len))
			return id;
		hash++;
	}
	return strpool_append(pool, text, len, hash);
}

uint32_t strpool_add(struct strpool *pool, const char *text)
{
	return text ? strpool_add_len(pool, text, strlen(text)) : 0;
}
