/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The helpers that know nothing of the project: numbers, buffers, containers. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/num.h"
#include "base/strpool.h"
#include "base/table.h"
#include "base/vec.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_parse_u32(void **state)
{
	static const char *const not_numbers[] = { "",	 "abc", "-1",  "+1", " 1",
						   "1 ", "0x1", "1.0", "1a", "\n" };
	uint32_t value = 77;

	(void)state;
	for (size_t i = 0; i < COUNT(not_numbers); i++)
		assert_int_equal(parse_u32(not_numbers[i], 0, UINT32_MAX, &value), -EINVAL);
	assert_int_equal(parse_u32("0", 1, 10, &value), -ERANGE);
	assert_int_equal(parse_u32("11", 1, 10, &value), -ERANGE);
	assert_int_equal(parse_u32("4294967296", 0, UINT32_MAX, &value), -ERANGE);
	assert_int_equal(value, 77);
	assert_int_equal(parse_u32("4294967295", 0, UINT32_MAX, &value), 0);
	assert_int_equal(value, UINT32_MAX);
	assert_int_equal(parse_u32("007", 1, 10, &value), 0);
	assert_int_equal(value, 7);
}

static void test_parse_u64(void **state)
{
	uint64_t value = 77;

	(void)state;
	assert_int_equal(parse_u64("18446744073709551616", 0, UINT64_MAX, &value), -ERANGE);
	assert_int_equal(parse_u64("99999999999999999999999", 0, UINT64_MAX, &value), -ERANGE);
	assert_int_equal(value, 77);
	assert_int_equal(parse_u64("18446744073709551615", 0, UINT64_MAX, &value), 0);
	assert_true(value == UINT64_MAX);
}

static void test_parse_duration(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "5", 5000000000ULL },	    { "7ns", 7ULL },
		{ "500us", 500000ULL },	    { "10ms", 10000000ULL },
		{ "30s", 30000000000ULL },  { "5m", 300000000000ULL },
		{ "2h", 7200000000000ULL }, { "1d", 86400000000000ULL },
	};
	static const char *const bad[] = { "", "s", "5 s", "5x", "-5s", "1.5s", "5ss", "5S" };
	uint64_t ns = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(parse_duration_ns(good[i].text, 0, UINT64_MAX, &ns), 0);
		assert_true(ns == good[i].ns);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(parse_duration_ns(bad[i], 0, UINT64_MAX, &ns), -EINVAL);
	assert_int_equal(parse_duration_ns("99999999999d", 0, UINT64_MAX, &ns), -ERANGE);
	assert_int_equal(parse_duration_ns("1s", 2000000000ULL, UINT64_MAX, &ns), -ERANGE);
	assert_int_equal(parse_duration_ns("3s", 0, 2000000000ULL, &ns), -ERANGE);
	assert_true(ns == 86400000000000ULL);
}

static void test_vec_grows_to_its_maximum(void **state)
{
	struct vec vec;

	(void)state;
	vec_init(&vec, sizeof(uint32_t), 100);
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t *elem = vec_push(&vec);

		assert_non_null(elem);
		assert_int_equal(*elem, 0);
		*elem = i;
	}
	errno = 0;
	assert_null(vec_push(&vec));
	assert_int_equal(errno, E2BIG);
	assert_int_equal(vec.len, 100);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(*(uint32_t *)vec_at(&vec, i), i);
	vec_clear(&vec);
	assert_int_equal(*(uint32_t *)vec_push(&vec), 0);
	vec_release(&vec);
	vec_release(&vec);
}

static void test_vec_append(void **state)
{
	static const uint16_t elems[] = { 1, 2, 3 };
	struct vec vec;

	(void)state;
	vec_init(&vec, sizeof(uint16_t), 5);
	assert_int_equal(vec_append(&vec, NULL, 0), 0);
	assert_int_equal(vec_append(&vec, elems, 3), 0);
	assert_int_equal(vec_append(&vec, elems, 3), -E2BIG);
	assert_int_equal(vec_append(&vec, elems, UINT32_MAX), -E2BIG);
	assert_int_equal(vec.len, 3);
	assert_int_equal(vec_append(&vec, elems, 2), 0);
	assert_int_equal(*(uint16_t *)vec_at(&vec, 4), 2);
	vec_release(&vec);
}

static void test_buf_appends(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 1000);
	assert_string_equal(buf_text(&buf), "");
	assert_int_equal(buf_puts(&buf, "one"), 0);
	assert_int_equal(buf_printf(&buf, " %d %s", 2, "three"), 0);
	assert_int_equal(buf_put(&buf, "\0x", 2), 0);
	assert_int_equal(buf.len, 13);
	assert_memory_equal(buf.data, "one 2 three\0x", 14);
	buf_clear(&buf);
	assert_string_equal(buf_text(&buf), "");
	buf_release(&buf);
}

static void test_buf_keeps_its_maximum(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 8);
	assert_int_equal(buf_puts(&buf, "12345678"), 0);
	assert_false(buf.failed);
	assert_int_equal(buf_puts(&buf, ""), 0);
	assert_int_equal(buf_puts(&buf, "9"), -E2BIG);
	assert_true(buf.failed);
	assert_int_equal(buf_printf(&buf, "%d", 9), -E2BIG);
	assert_int_equal(buf_reserve(&buf, SIZE_MAX), -E2BIG);
	assert_string_equal(buf_text(&buf), "12345678");
	buf_clear(&buf);
	assert_false(buf.failed);
	buf_release(&buf);
}

static void test_table_finds_what_was_put(void **state)
{
	struct table table;
	uint32_t value = 77;

	(void)state;
	table_init(&table, 1000);
	assert_int_equal(table_find(&table, 1, &value), 0);
	/* Keys that differ in their high bits only, and 0, must not fall together. */
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(table_put(&table, (uint64_t)i << 40, i * 3), 0);
	assert_int_equal(table_put(&table, 1, 1), -E2BIG);
	assert_int_equal(table_put(&table, 5ULL << 40, 4), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(table_find(&table, (uint64_t)i << 40, &value), 1);
		assert_int_equal(value, i == 5 ? 4 : i * 3);
	}
	assert_int_equal(table_find(&table, 1, &value), 0);
	assert_true(table.len * 2 <= table.slot_cnt);
	table_clear(&table);
	assert_int_equal(table_find(&table, 0, &value), 0);
	assert_int_equal(table_put(&table, 1, 1), 0);
	table_release(&table);
}

/* What is left is found, wherever it moved: keys of few homes, removed in any order. */
static void test_table_forgets(void **state)
{
	enum { KEYS = 500 };
	struct table table;
	uint32_t value;

	(void)state;
	table_init(&table, 1000);
	table_remove(&table, 1); /* of an empty one */
	for (uint32_t round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < KEYS; i++)
			assert_int_equal(table_put(&table, i * 7, i), 0);
		assert_int_equal(table.len, KEYS);
		for (uint32_t i = 0; i < KEYS; i++) {
			uint32_t at = (i * 211 + round * 17) % KEYS;

			table_remove(&table, at * 7);
			table_remove(&table, at * 7);
			assert_int_equal(table_find(&table, at * 7, &value), 0);
			assert_int_equal(table.len, KEYS - 1 - i);
			for (uint32_t j = i + 1; j < KEYS; j += 13) {
				at = (j * 211 + round * 17) % KEYS;
				assert_int_equal(table_find(&table, at * 7, &value), 1);
				assert_int_equal(value, at);
			}
		}
	}
	assert_true(table.slot_cnt <= 2048);
	table_release(&table);
}

static void test_hash_tells_lengths_apart(void **state)
{
	static const char zeros[32];

	(void)state;
	for (size_t i = 0; i < sizeof(zeros); i++)
		for (size_t j = 0; j < i; j++)
			assert_true(hash_bytes(zeros, i) != hash_bytes(zeros, j));
	assert_true(hash_bytes("abcdefgh", 8) == hash_bytes("abcdefgh", 8));
	assert_true(hash_bytes("abcdefghi", 9) != hash_bytes("abcdefghj", 9));
}

static void test_strpool_interns(void **state)
{
	struct strpool pool;
	char name[32];

	(void)state;
	strpool_init(&pool);
	assert_int_equal(strpool_add(&pool, NULL), 0);
	assert_int_equal(strpool_add(&pool, ""), 0);
	assert_string_equal(strpool_get(&pool, 0), "");
	assert_string_equal(strpool_get(&pool, 1), "");
	for (uint32_t i = 1; i <= 5000; i++) {
		snprintf(name, sizeof(name), "name %u", i);
		assert_int_equal(strpool_add(&pool, name), i);
	}
	for (uint32_t i = 1; i <= 5000; i++) {
		snprintf(name, sizeof(name), "name %u", i);
		assert_int_equal(strpool_add(&pool, name), i);
		assert_string_equal(strpool_get(&pool, i), name);
	}
	assert_string_equal(strpool_get(&pool, 5001), "");
	assert_int_equal(strpool_add_len(&pool, "name 17xyz", 7), 17);
	assert_int_equal(strpool_add_len(&pool, "name 17\0xyz", 11), 17);
	assert_int_equal(pool.lost_cnt, 0);
	strpool_release(&pool);
}

static void test_strpool_counts_what_does_not_fit(void **state)
{
	struct strpool pool;

	(void)state;
	strpool_init(&pool);
	pool.text.max_bytes = 10;
	assert_int_equal(strpool_add(&pool, "four"), 1);
	assert_int_equal(strpool_add(&pool, "fifth"), 0);
	assert_int_equal(pool.lost_cnt, 1);
	assert_int_equal(strpool_add(&pool, "and6"), 2);
	assert_string_equal(strpool_get(&pool, 1), "four");
	assert_string_equal(strpool_get(&pool, 2), "and6");
	strpool_release(&pool);
}

static void test_err_messages(void **state)
{
	char longer[1000];
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, -ESRCH, "no process %d", 7), -ESRCH);
	assert_string_equal(err.msg, "no process 7");
	assert_int_equal(err_set_errno(&err, -ENOENT, "cannot read '%s'", "x"), -ENOENT);
	assert_string_equal(err.msg, "cannot read 'x': No such file or directory");
	assert_int_equal(err_set(NULL, -EIO, "nobody listens"), -EIO);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(err_set_errno(&err, -EIO, "%s", longer), -EIO);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

/* Small numbers in another order, or moved from one to the other, are other keys. */
static void test_hash_tells_small_numbers_apart(void **state)
{
	struct table table;
	uint32_t value;

	(void)state;
	table_init(&table, 1u << 20);
	for (uint64_t a = 0; a < 64; a++) {
		for (uint64_t b = 0; b < 64; b++) {
			for (uint64_t c = 0; c < 8; c++) {
				uint64_t hash = hash_mix(hash_mix(hash_mix(0, a), b), c);

				assert_false(table_find(&table, hash, &value));
				assert_int_equal(table_put(&table, hash, 1), 0);
			}
		}
	}
	table_release(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_tells_small_numbers_apart),
		cmocka_unit_test(test_parse_u32),
		cmocka_unit_test(test_parse_u64),
		cmocka_unit_test(test_parse_duration),
		cmocka_unit_test(test_vec_grows_to_its_maximum),
		cmocka_unit_test(test_vec_append),
		cmocka_unit_test(test_buf_appends),
		cmocka_unit_test(test_buf_keeps_its_maximum),
		cmocka_unit_test(test_table_finds_what_was_put),
		cmocka_unit_test(test_table_forgets),
		cmocka_unit_test(test_hash_tells_lengths_apart),
		cmocka_unit_test(test_strpool_interns),
		cmocka_unit_test(test_strpool_counts_what_does_not_fit),
		cmocka_unit_test(test_err_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
