/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Disjoint address ranges, each with a number, found by binary search: what symbol tables, JIT
 * maps and the ranges of DWARF units become before anything is looked up in them.
 *
 *   struct vec ranges;  vec_init(&ranges, sizeof(struct range), max);
 *   fill it in any order, overlapping as it comes; ranges_flatten(); ranges_find()
 */
#ifndef SYMBOLIZE_RANGES_H
#define SYMBOLIZE_RANGES_H

#include <stdint.h>

#include "base/vec.h"

struct range {
	uint64_t start_addr;
	uint64_t end_addr; /* first address behind it */
	uint32_t id;	   /* the caller's */
	uint32_t rank;	   /* where ranges overlap, the highest wins */
};

/* Sorts @ranges and makes them disjoint: each address keeps the covering range of highest rank.
 * Empty ranges go. Returns 0 or -ENOMEM, and then @ranges is empty. */
int ranges_flatten(struct vec *ranges);

/* Returns the range that covers @addr in the flattened @ranges, or NULL. */
const struct range *ranges_find(const struct vec *ranges, uint64_t addr);

#endif
