/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "wire/columns.h"

#include <errno.h>
#include <string.h>

#define RUN_MIN 4 /* equal differences that are worth a run of their own */

static uint64_t field_get(const struct vec *vec, uint32_t row, const struct column *column)
{
	const char *field = (const char *)vec_at(vec, row) + column->off;
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	switch (column->bytes) {
	case 1:
		return *(const unsigned char *)field;
	case 2:
		memcpy(&u16, field, sizeof(u16));
		return u16;
	case 4:
		memcpy(&u32, field, sizeof(u32));
		return u32;
	}
	memcpy(&u64, field, sizeof(u64));
	return u64;
}

/* Returns 0, or -ERANGE when @value does not fit the field. */
static int field_set(const struct vec *vec, uint32_t row, const struct column *column,
		     uint64_t value)
{
	char *field = (char *)vec_at(vec, row) + column->off;
	uint32_t u32 = (uint32_t)value;
	uint16_t u16 = (uint16_t)value;
	uint8_t u8 = (uint8_t)value;

	if (column->bytes < 8 && value >> (8 * column->bytes))
		return -ERANGE;
	if (column->bytes == 1)
		memcpy(field, &u8, sizeof(u8));
	else if (column->bytes == 2)
		memcpy(field, &u16, sizeof(u16));
	else if (column->bytes == 4)
		memcpy(field, &u32, sizeof(u32));
	else
		memcpy(field, &value, sizeof(value));
	return 0;
}

static uint64_t difference(const struct vec *vec, uint32_t row, const struct column *column)
{
	uint64_t above = row ? field_get(vec, row - 1, column) : 0;

	return zigzag_encode((int64_t)(field_get(vec, row, column) - above));
}

/* Returns how many rows from @row on have the same difference. */
static uint32_t run_length(const struct vec *vec, uint32_t row, const struct column *column)
{
	uint64_t first = difference(vec, row, column);
	uint32_t cnt = 1;

	while (row + cnt < vec->len && difference(vec, row + cnt, column) == first)
		cnt++;
	return cnt;
}

/* Returns how many rows from @row on come before the next run that is worth its own token. */
static uint32_t literal_length(const struct vec *vec, uint32_t row, const struct column *column)
{
	uint32_t end = row;

	while (end < vec->len) {
		uint32_t equal_cnt = run_length(vec, end, column);

		if (equal_cnt >= RUN_MIN)
			break;
		end += equal_cnt;
	}
	return end - row;
}

static void encode_column(struct buf *buf, const struct vec *vec, const struct column *column)
{
	for (uint32_t row = 0; row < vec->len;) {
		uint32_t literal_cnt = literal_length(vec, row, column);
		uint32_t end = row + literal_cnt;

		if (literal_cnt) {
			varint_put(buf, (uint64_t)literal_cnt * 2);
			for (; row < end; row++)
				varint_put(buf, difference(vec, row, column));
			continue;
		}
		end = row + run_length(vec, row, column);
		varint_put(buf, (uint64_t)(end - row) * 2 + 1);
		varint_put(buf, difference(vec, row, column));
		row = end;
	}
}

void columns_encode(struct buf *buf, const struct vec *vec, const struct column *columns,
		    size_t column_cnt)
{
	varint_put(buf, column_cnt);
	varint_put(buf, vec->len);
	for (size_t i = 0; i < column_cnt; i++)
		encode_column(buf, vec, &columns[i]);
}

static int decode_column(struct cursor *cursor, const struct vec *vec, const struct column *column)
{
	uint64_t value = 0, step = 0;
	uint32_t row = 0;

	while (row < vec->len) {
		uint64_t token = cursor_varint(cursor);
		uint64_t cnt = token >> 1;
		bool is_run = token & 1;

		if (!cnt || cnt > vec->len - row)
			return -EBADMSG;
		for (uint64_t i = 0; i < cnt; i++) {
			if (!i || !is_run)
				step = (uint64_t)zigzag_decode(cursor_varint(cursor));
			value += step;
			if (field_set(vec, row++, column, value))
				return -EBADMSG;
		}
		if (cursor->failed)
			return -EBADMSG;
	}
	return 0;
}

/* Gives every value of a column that the file is too old to have. */
static int fill_absent(const struct vec *vec, const struct column *column)
{
	int err = column->is_late ? 0 : -EBADMSG;

	for (uint32_t row = 0; row < vec->len && !err; row++)
		err = field_set(vec, row, column, column->absent);
	return err;
}

int columns_decode(struct cursor *cursor, struct vec *vec, const struct column *columns,
		   size_t column_cnt)
{
	uint64_t file_column_cnt = cursor_varint(cursor);
	uint64_t row_cnt = cursor_varint(cursor);
	int err = 0;

	if (cursor->failed)
		return -EBADMSG;
	if (row_cnt > vec->max)
		return -E2BIG;
	for (uint64_t i = 0; i < row_cnt; i++)
		if (!vec_push(vec))
			return -ENOMEM;
	for (size_t i = 0; i < column_cnt && !err; i++)
		err = i < file_column_cnt ? decode_column(cursor, vec, &columns[i])
					  : fill_absent(vec, &columns[i]);
	return err;
}

static bool column_is_in_range(const struct vec *vec, const struct column *column,
			       const struct column_range *range)
{
	for (uint32_t row = 0; row < vec->len && !range->any; row++) {
		uint64_t value = field_get(vec, row, column);

		if ((value < range->min || value >= range->end) &&
		    !(range->or_none && value == UINT32_MAX))
			return false;
	}
	return true;
}

bool columns_in_range(const struct vec *vec, const struct column *columns, size_t column_cnt,
		      const struct column_range *ranges)
{
	for (size_t i = 0; i < column_cnt; i++)
		if (!column_is_in_range(vec, &columns[i], &ranges[columns[i].domain]))
			return false;
	return true;
}
