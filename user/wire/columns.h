/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A vector of structs as bytes, column by column, each value as its difference to the one above it,
 * in runs: most columns of 25,000 equal threads shrink to a few bytes.
 *
 *   table    column_cnt row_cnt column*
 *   column   run* until row_cnt values are told
 *   run      cnt * 2 + 1, difference     the same difference cnt times
 *            cnt * 2,     difference*    cnt differences
 *
 * All numbers are varints, differences in zigzag. A new field gets a new last column: a reader
 * passes over columns that it does not know, and files from before it have none of it.
 */
#ifndef WIRE_COLUMNS_H
#define WIRE_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"
#include "wire/varint.h"

/* A field of 1, 2, 4 or 8 bytes. */
struct column {
	uint32_t off; /* in the struct */
	uint32_t bytes;
	uint32_t domain; /* what its values may be: an index for columns_in_range */
	bool is_late;	 /* files from before the field lack it: all its values are .absent there */
	uint64_t absent;
};

/* What the values of a domain may be. */
struct column_range {
	uint64_t min;
	uint64_t end; /* first value behind it */
	bool any;     /* every value: .min and .end do not count */
	bool or_none; /* UINT32_MAX as well */
};

/* Appends all of @vec. A failure stays in buf->failed. */
void columns_encode(struct buf *buf, const struct vec *vec, const struct column *columns,
		    size_t column_cnt);

/* Reads what columns_encode wrote into @vec, which must be empty; its maximum holds. Values fit
 * their fields and are not checked further: a bool may hold any byte until columns_in_range.
 * Returns 0, -EBADMSG (not a table of these columns, but for late ones at the end), -E2BIG or
 * -ENOMEM. */
int columns_decode(struct cursor *cursor, struct vec *vec, const struct column *columns,
		   size_t column_cnt);

/* Whether every value is in the range of its column's domain in @ranges. */
bool columns_in_range(const struct vec *vec, const struct column *columns, size_t column_cnt,
		      const struct column_range *ranges);

#endif
