/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "symbolize/ranges.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* The ranges that cover the sweep's position, as a heap by rank. */
struct heap {
	const struct range *ranges;
	uint32_t *idx;
	uint32_t len;
};

static bool heap_outranks(const struct heap *heap, uint32_t a, uint32_t b)
{
	return heap->ranges[heap->idx[a]].rank > heap->ranges[heap->idx[b]].rank;
}

static void heap_swap(struct heap *heap, uint32_t a, uint32_t b)
{
	uint32_t idx = heap->idx[a];

	heap->idx[a] = heap->idx[b];
	heap->idx[b] = idx;
}

static void heap_push(struct heap *heap, uint32_t idx)
{
	uint32_t at = heap->len++;

	heap->idx[at] = idx;
	for (; at && heap_outranks(heap, at, (at - 1) / 2); at = (at - 1) / 2)
		heap_swap(heap, at, (at - 1) / 2);
}

static void heap_pop(struct heap *heap)
{
	uint32_t at = 0;

	heap->idx[0] = heap->idx[--heap->len];
	for (;;) {
		uint32_t left = 2 * at + 1, right = left + 1, top = at;

		if (left < heap->len && heap_outranks(heap, left, top))
			top = left;
		if (right < heap->len && heap_outranks(heap, right, top))
			top = right;
		if (top == at)
			return;
		heap_swap(heap, at, top);
		at = top;
	}
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->start_addr > y->start_addr) - (x->start_addr < y->start_addr);
}

/* Drops empty ranges and sorts the rest by start. */
static void ranges_sort(struct vec *ranges)
{
	struct range *range = ranges->data;
	bool sorted = true;
	uint32_t len = 0;

	for (uint32_t i = 0; i < ranges->len; i++) {
		if (range[i].end_addr <= range[i].start_addr)
			continue;
		range[len] = range[i];
		sorted = sorted && (!len || range[len - 1].start_addr <= range[len].start_addr);
		len++;
	}
	ranges->len = len;
	if (!sorted)
		qsort(range, len, sizeof(*range), compare_ranges);
}

static bool ranges_are_disjoint(const struct vec *ranges)
{
	const struct range *range = ranges->data;

	for (uint32_t i = 1; i < ranges->len; i++)
		if (range[i].start_addr < range[i - 1].end_addr)
			return false;
	return true;
}

/* Appends [@start_addr, @end_addr) as part of @source to @flat, which has the room. */
static void ranges_emit(struct range *flat, uint32_t *flat_len, const struct range *source,
			uint64_t start_addr, uint64_t end_addr)
{
	struct range *last = *flat_len ? &flat[*flat_len - 1] : NULL;

	if (last && last->id == source->id && last->rank == source->rank &&
	    last->end_addr == start_addr) {
		last->end_addr = end_addr;
		return;
	}
	flat[*flat_len] = *source;
	flat[*flat_len].start_addr = start_addr;
	flat[*flat_len].end_addr = end_addr;
	++*flat_len;
}

/* Goes through the sorted @ranges by address. Each step ends where a range starts or ends, so that
 * there are fewer than two steps a range. Returns how many ranges @flat has got. */
static uint32_t ranges_sweep(const struct vec *ranges, struct heap *heap, struct range *flat)
{
	const struct range *range = ranges->data;
	uint32_t next = 0, flat_len = 0;
	uint64_t addr = 0;

	while (next < ranges->len || heap->len) {
		const struct range *top;
		uint64_t end_addr;

		if (!heap->len)
			addr = range[next].start_addr;
		while (next < ranges->len && range[next].start_addr <= addr)
			heap_push(heap, next++);
		while (heap->len && range[heap->idx[0]].end_addr <= addr)
			heap_pop(heap);
		if (!heap->len)
			continue;
		top = &range[heap->idx[0]];
		end_addr = top->end_addr;
		if (next < ranges->len && range[next].start_addr < end_addr)
			end_addr = range[next].start_addr;
		ranges_emit(flat, &flat_len, top, addr, end_addr);
		addr = end_addr;
	}
	return flat_len;
}

int ranges_flatten(struct vec *ranges)
{
	struct heap heap = { 0 };
	struct range *flat;
	int err = 0;

	ranges_sort(ranges);
	if (ranges_are_disjoint(ranges))
		return 0;
	heap.ranges = ranges->data;
	heap.idx = calloc(ranges->len, sizeof(heap.idx[0]));
	flat = calloc((size_t)ranges->len * 2, sizeof(*flat));
	if (heap.idx && flat) {
		uint32_t len = ranges_sweep(ranges, &heap, flat);

		free(ranges->data);
		ranges->data = flat;
		ranges->cap = ranges->len * 2;
		ranges->len = len;
	} else {
		free(flat);
		vec_clear(ranges);
		err = -ENOMEM;
	}
	free(heap.idx);
	return err;
}

const struct range *ranges_find(const struct vec *ranges, uint64_t addr)
{
	const struct range *range = ranges->data;
	uint32_t low = 0, high = ranges->len;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (range[mid].end_addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < ranges->len && range[low].start_addr <= addr ? &range[low] : NULL;
}
