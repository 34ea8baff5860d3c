/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A memory map through its parser: mappings in order, paths that end, each found by its addresses.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proc/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct maps maps;
	uint64_t last_end = 0;

	maps_init(&maps);
	require(!maps_parse(&maps, (const char *)data, len));
	for (uint32_t i = 0; i < maps.mappings.len; i++) {
		const struct mapping *mapping = vec_at(&maps.mappings, i);

		require(mapping->start_addr >= last_end);
		require(mapping->end_addr > mapping->start_addr);
		last_end = mapping->end_addr;
		require(maps_find(&maps, mapping->start_addr) == mapping);
		require(maps_find(&maps, mapping->end_addr - 1) == mapping);
		require(strlen(maps_path(&maps, mapping)) <= len);
	}
	maps_release(&maps);
	return 0;
}
