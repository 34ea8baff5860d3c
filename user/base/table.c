/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void table_init(struct table *table, uint32_t max)
{
	*table = (struct table){ .max = max };
}

void table_clear(struct table *table)
{
	if (table->slots)
		memset(table->slots, 0, table->slot_cnt * sizeof(table->slots[0]));
	table->len = 0;
}

void table_release(struct table *table)
{
	free(table->slots);
	table->slots = NULL;
	table->slot_cnt = table->len = 0;
}

/* Returns the index of the slot that @key is looked for in first. */
static uint32_t table_home(const struct table *table, uint64_t key)
{
	return (uint32_t)hash_mix(0, key) & (table->slot_cnt - 1);
}

/* Returns the slot of @key, or the free slot where it belongs. */
static struct table_slot *table_slot(const struct table *table, uint64_t key)
{
	uint32_t mask = table->slot_cnt - 1;
	uint32_t idx = table_home(table, key);

	while (table->slots[idx].value_plus_1 && table->slots[idx].key != key)
		idx = (idx + 1) & mask;
	return &table->slots[idx];
}

static int table_grow(struct table *table)
{
	struct table grown = *table;

	grown.slot_cnt = table->slot_cnt ? table->slot_cnt * 2 : 64;
	grown.slots = calloc(grown.slot_cnt, sizeof(grown.slots[0]));
	if (!grown.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < table->slot_cnt; i++)
		if (table->slots[i].value_plus_1)
			*table_slot(&grown, table->slots[i].key) = table->slots[i];
	free(table->slots);
	*table = grown;
	return 0;
}

int table_find(const struct table *table, uint64_t key, uint32_t *ret_value)
{
	const struct table_slot *slot;

	if (!table->slot_cnt)
		return 0;
	slot = table_slot(table, key);
	if (!slot->value_plus_1)
		return 0;
	*ret_value = slot->value_plus_1 - 1;
	return 1;
}

int table_put(struct table *table, uint64_t key, uint32_t value)
{
	struct table_slot *slot;
	int err;

	if ((uint64_t)table->len * 2 >= table->slot_cnt) {
		err = table_grow(table);
		if (err)
			return err;
	}
	slot = table_slot(table, key);
	if (!slot->value_plus_1) {
		if (table->len >= table->max)
			return -E2BIG;
		table->len++;
	}
	slot->key = key;
	slot->value_plus_1 = value + 1;
	return 0;
}

/* Those behind the slot that becomes free move up into it, but for what is not looked for there. */
void table_remove(struct table *table, uint64_t key)
{
	uint32_t mask = table->slot_cnt - 1, free_idx, idx;
	struct table_slot *slot = table->slot_cnt ? table_slot(table, key) : NULL;

	if (!slot || !slot->value_plus_1)
		return;
	free_idx = (uint32_t)(slot - table->slots);
	for (idx = (free_idx + 1) & mask; table->slots[idx].value_plus_1; idx = (idx + 1) & mask) {
		uint32_t home = table_home(table, table->slots[idx].key);

		if (((idx - home) & mask) < ((idx - free_idx) & mask))
			continue;
		table->slots[free_idx] = table->slots[idx];
		free_idx = idx;
	}
	table->slots[free_idx].value_plus_1 = 0;
	table->len--;
}

uint64_t hash_bytes(const void *bytes, size_t len)
{
	const unsigned char *byte = bytes;
	uint64_t hash = hash_mix(len, 0x51ed270b);
	uint64_t word;

	for (; len >= sizeof(word); len -= sizeof(word), byte += sizeof(word)) {
		memcpy(&word, byte, sizeof(word));
		hash = hash_mix(hash, word);
	}
	word = 0;
	memcpy(&word, byte, len);
	return hash_mix(hash, word);
}
