/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Tables between programs of different age: columns may be added at the end, not taken away. */
#include "unit.h"

#include <errno.h>
#include <stddef.h>

#include "wire/columns.h"

#define ROW_CNT 7
#define ABSENT 4711
#define COLUMN(field) offsetof(struct row, field), sizeof(((struct row *)0)->field), 0

struct row {
	uint64_t big;
	uint32_t first;
	uint16_t late;
};

static const struct column columns[] = {
	{ COLUMN(big), false, 0 },
	{ COLUMN(first), false, 0 },
	{ COLUMN(late), true, ABSENT },
};
#define COLUMN_CNT (sizeof(columns) / sizeof(columns[0]))

/* Writes a table with the first @written_cnt columns and reads the first @read_cnt into @ret. */
static int pass(size_t written_cnt, size_t read_cnt, struct vec *ret)
{
	struct cursor cursor;
	struct vec rows;
	struct buf buf;
	int err;

	buf_init(&buf, 4096);
	vec_init(&rows, sizeof(struct row), ROW_CNT);
	for (uint32_t i = 0; i < ROW_CNT; i++) {
		struct row row = { .big = i * 3, .first = 100 - i, .late = (uint16_t)(i / 2) };

		assert_int_equal(vec_append(&rows, &row, 1), 0);
	}
	columns_encode(&buf, &rows, columns, written_cnt);
	assert_false(buf.failed);
	cursor_init(&cursor, buf.data, buf.len);
	vec_init(ret, sizeof(struct row), ROW_CNT);
	err = columns_decode(&cursor, ret, columns, read_cnt);
	vec_release(&rows);
	buf_release(&buf);
	return err;
}

static void assert_rows(const struct vec *rows, bool with_late)
{
	assert_int_equal(rows->len, ROW_CNT);
	for (uint32_t i = 0; i < ROW_CNT; i++) {
		const struct row *row = vec_at(rows, i);

		assert_int_equal(row->big, i * 3);
		assert_int_equal(row->first, 100 - i);
		assert_int_equal(row->late, with_late ? i / 2 : ABSENT);
	}
}

static void test_same_age(void **state)
{
	struct vec rows;

	(void)state;
	assert_int_equal(pass(COLUMN_CNT, COLUMN_CNT, &rows), 0);
	assert_rows(&rows, true);
	vec_release(&rows);
}

static void test_older_files(void **state)
{
	struct vec rows;

	(void)state;
	assert_int_equal(pass(COLUMN_CNT - 1, COLUMN_CNT, &rows), 0);
	assert_rows(&rows, false);
	vec_release(&rows);
	/* What was there from the first file on must be there. */
	assert_int_equal(pass(COLUMN_CNT - 2, COLUMN_CNT, &rows), -EBADMSG);
	vec_release(&rows);
	assert_int_equal(pass(0, COLUMN_CNT, &rows), -EBADMSG);
	vec_release(&rows);
}

static void test_newer_files(void **state)
{
	struct vec rows;

	(void)state;
	assert_int_equal(pass(COLUMN_CNT, COLUMN_CNT - 1, &rows), 0);
	assert_int_equal(rows.len, ROW_CNT);
	assert_int_equal(((struct row *)vec_at(&rows, 6))->first, 94);
	vec_release(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_age),
		cmocka_unit_test(test_older_files),
		cmocka_unit_test(test_newer_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
