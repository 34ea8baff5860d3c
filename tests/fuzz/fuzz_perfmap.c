/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A JIT's perf map through its parser: each entry is found at its own addresses, or a later one. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/perfmap.h"
#include "symbolize/ranges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct perfmap map;
	uint64_t last_end = 0, start_addr;

	perfmap_init(&map);
	require(!perfmap_parse(&map, (const char *)data, len));
	for (uint32_t i = 0; i < map.ranges.len; i++) {
		const struct range *range = vec_at(&map.ranges, i);

		require(range->start_addr >= last_end && range->end_addr > range->start_addr);
		last_end = range->end_addr;
		require(range->id < map.entries.len);
	}
	for (uint32_t i = 0; i < map.entries.len; i++) {
		const struct perfmap_entry *entry = vec_at(&map.entries, i);
		const char *name = perfmap_find(&map, entry->start_addr, &start_addr);
		const struct range *range = ranges_find(&map.ranges, entry->start_addr);

		require(name && name[0] && strlen(name) < len);
		require(range && range->id >= i && start_addr <= entry->start_addr);
	}
	perfmap_release(&map);
	return 0;
}
