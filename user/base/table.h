/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A hash table from any 64-bit key to a 32-bit value below UINT32_MAX; open addressing, linear
 * probes, at most half full, born with a maximum.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_slot {
	uint64_t key;
	uint32_t value_plus_1; /* 0: the slot is free */
};

struct table {
	struct table_slot *slots;
	uint32_t slot_cnt; /* a power of two, or 0 */
	uint32_t len;
	uint32_t max;
};

void table_init(struct table *table, uint32_t max);
void table_clear(struct table *table); /* empties it, keeps the storage */
void table_release(struct table *table);

/* Writes the value of @key to @ret_value. Returns 1 when found, else 0. */
int table_find(const struct table *table, uint64_t key, uint32_t *ret_value);

/* Sets @key to @value. Returns 0, -E2BIG (maximum reached) or -ENOMEM. */
int table_put(struct table *table, uint64_t key, uint32_t value);

/* Removes @key, if it is there. */
void table_remove(struct table *table, uint64_t key);

/* Mixes @x into @hash: how every 64-bit hash in loiter is made. @hash may itself be a small number,
 * such as an index: it is spread first, since a bare xor would make (1, 2) and (2, 1) one. */
static inline uint64_t hash_mix(uint64_t hash, uint64_t x)
{
	hash = (hash * 0xff51afd7ed558ccdULL ^ x) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 32);
}

/* Returns the 64-bit hash of @len bytes. */
uint64_t hash_bytes(const void *bytes, size_t len);

#endif
