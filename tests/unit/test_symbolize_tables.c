/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Ranges and symbol tables made by hand: which symbol answers for an address, if any. */
#include "unit.h"

#include <elf.h>

#include "symbolize/ranges.h"
#include "symbolize/symtab.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

/* ---- ranges ---- */

/* Which of @ranges should answer for @addr: found the slow way. */
static const struct range *slow_find(const struct range *ranges, uint32_t cnt, uint64_t addr)
{
	const struct range *best = NULL;

	for (uint32_t i = 0; i < cnt; i++)
		if (ranges[i].start_addr <= addr && addr < ranges[i].end_addr &&
		    (!best || ranges[i].rank > best->rank))
			best = &ranges[i];
	return best;
}

static void test_ranges_answer_as_a_slow_search_does(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (uint32_t round = 0; round < 300; round++) {
		struct range given[24];
		struct vec ranges;
		uint32_t cnt = next_random(&seed) % ARRAY_LEN(given);

		vec_init(&ranges, sizeof(struct range), 64);
		for (uint32_t i = 0; i < cnt; i++) {
			given[i].start_addr = next_random(&seed) % 100;
			given[i].end_addr = given[i].start_addr + next_random(&seed) % 40;
			given[i].id = given[i].rank = i;
		}
		assert_int_equal(vec_append(&ranges, given, cnt), 0);
		assert_int_equal(ranges_flatten(&ranges), 0);
		for (uint64_t addr = 0; addr < 150; addr++) {
			const struct range *want = slow_find(given, cnt, addr);
			const struct range *got = ranges_find(&ranges, addr);

			assert_int_equal(!want, !got);
			if (want)
				assert_int_equal(want->id, got->id);
		}
		vec_release(&ranges);
	}
}

static void test_ranges_at_the_top_of_memory(void **state)
{
	struct range given[] = { { 0, UINT64_MAX, 1, 0 }, { UINT64_MAX - 1, UINT64_MAX, 2, 1 } };
	struct vec ranges;

	(void)state;
	vec_init(&ranges, sizeof(struct range), 8);
	assert_int_equal(vec_append(&ranges, given, 2), 0);
	assert_int_equal(ranges_flatten(&ranges), 0);
	assert_int_equal(ranges_find(&ranges, 0)->id, 1);
	assert_int_equal(ranges_find(&ranges, UINT64_MAX - 2)->id, 1);
	assert_int_equal(ranges_find(&ranges, UINT64_MAX - 1)->id, 2);
	assert_null(ranges_find(&ranges, UINT64_MAX));
	vec_release(&ranges);
}

/* ---- symbol tables ---- */

static void assert_symbol(const struct symtab *symtab, uint64_t addr, int want_idx)
{
	uint32_t idx = 0;
	int found = symtab_find(symtab, addr, &idx);

	assert_int_equal(found ? (int)idx : -1, want_idx);
}

static void fill_symtab(struct symtab *symtab, const struct symtab_symbol *symbols, size_t cnt)
{
	symtab_init(symtab);
	for (size_t i = 0; i < cnt; i++)
		assert_int_equal(symtab_add(symtab, &symbols[i]), 0);
	assert_int_equal(symtab_finish(symtab), 0);
}

static void test_symbols_answer_only_for_what_they_cover(void **state)
{
	const struct symtab_symbol symbols[] = {
		{ .idx = 2, .addr = 0x2000, .size_bytes = 0x10, .bind = STB_GLOBAL },
		{ .idx = 1, .addr = 0x1000, .size_bytes = 0x10, .bind = STB_LOCAL },
		{ .idx = 3, .addr = UINT64_MAX - 7, .size_bytes = 100, .bind = STB_GLOBAL },
	};
	struct symtab symtab;

	(void)state;
	fill_symtab(&symtab, symbols, ARRAY_LEN(symbols));
	assert_symbol(&symtab, 0xfff, -1);
	assert_symbol(&symtab, 0x1000, 1);
	assert_symbol(&symtab, 0x100f, 1);
	assert_symbol(&symtab, 0x1010, -1);
	assert_symbol(&symtab, 0x2000, 2);
	assert_symbol(&symtab, 0x2010, -1);
	assert_symbol(&symtab, UINT64_MAX - 1, 3);
	symtab_release(&symtab);
}

static void test_sizeless_symbols_end_at_the_next(void **state)
{
	const struct symtab_symbol symbols[] = {
		/* ends at the next symbol */
		{ .idx = 1, .addr = 0x1000, .section_end_addr = 0x9000 },
		{ .idx = 2, .addr = 0x1040, .size_bytes = 0x10 },
		/* a label within a function, and one at its start */
		{ .idx = 3, .addr = 0x1048, .section_end_addr = 0x9000 },
		{ .idx = 4, .addr = 0x1040, .section_end_addr = 0x9000 },
		/* ends with its section */
		{ .idx = 5, .addr = 0x8ff0, .section_end_addr = 0x9000 },
		/* ends at its maximum */
		{ .idx = 6, .addr = 0x100000, .section_end_addr = 0x900000 },
		/* of a stripped file: no end to guess */
		{ .idx = 7, .addr = 0x1000000 },
		/* two names of one place: the global one */
		{ .idx = 8, .addr = 0x2000000, .section_end_addr = 0x2000010, .bind = STB_GLOBAL },
		{ .idx = 9, .addr = 0x2000000, .section_end_addr = 0x2000010, .bind = STB_LOCAL },
		/* behind the end of its section */
		{ .idx = 10, .addr = 0x3000000, .section_end_addr = 0x2000010 },
	};
	struct symtab symtab;

	(void)state;
	fill_symtab(&symtab, symbols, ARRAY_LEN(symbols));
	assert_symbol(&symtab, 0x1000, 1);
	assert_symbol(&symtab, 0x103f, 1);
	assert_symbol(&symtab, 0x1040, 2);
	assert_symbol(&symtab, 0x1048, 2);
	assert_symbol(&symtab, 0x1050, -1);
	assert_symbol(&symtab, 0x8fff, 5);
	assert_symbol(&symtab, 0x9000, -1);
	assert_symbol(&symtab, 0x10ffff, 6);
	assert_symbol(&symtab, 0x110000, -1);
	assert_symbol(&symtab, 0x1000000, -1);
	assert_symbol(&symtab, 0x2000001, 8);
	assert_symbol(&symtab, 0x3000000, -1);
	symtab_release(&symtab);
}

static void test_one_of_several_names_is_chosen(void **state)
{
	const struct symtab_symbol symbols[] = {
		/* global, weak and local names of one function */
		{ .idx = 1, .addr = 0x1000, .size_bytes = 0x20, .bind = STB_LOCAL },
		{ .idx = 2, .addr = 0x1000, .size_bytes = 0x20, .bind = STB_WEAK },
		{ .idx = 3, .addr = 0x1000, .size_bytes = 0x20, .bind = STB_GLOBAL },
		/* the first of equals */
		{ .idx = 5, .addr = 0x2000, .size_bytes = 0x20, .bind = STB_GLOBAL },
		{ .idx = 4, .addr = 0x2000, .size_bytes = 0x20, .bind = STB_GLOBAL },
		/* the smaller of two of one binding */
		{ .idx = 6, .addr = 0x3000, .size_bytes = 0x20, .bind = STB_GLOBAL },
		{ .idx = 7, .addr = 0x3000, .size_bytes = 0x10, .bind = STB_GLOBAL },
		/* the inner of two nested */
		{ .idx = 8, .addr = 0x4000, .size_bytes = 0x100, .bind = STB_LOCAL },
		{ .idx = 9, .addr = 0x4010, .size_bytes = 0x10, .bind = STB_LOCAL },
	};
	struct symtab symtab;

	(void)state;
	fill_symtab(&symtab, symbols, ARRAY_LEN(symbols));
	assert_symbol(&symtab, 0x1010, 3);
	assert_symbol(&symtab, 0x2010, 4);
	assert_symbol(&symtab, 0x3008, 7);
	assert_symbol(&symtab, 0x3018, 6);
	assert_symbol(&symtab, 0x400f, 8);
	assert_symbol(&symtab, 0x4010, 9);
	assert_symbol(&symtab, 0x4020, 8);
	symtab_release(&symtab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges_answer_as_a_slow_search_does),
		cmocka_unit_test(test_ranges_at_the_top_of_memory),
		cmocka_unit_test(test_symbols_answer_only_for_what_they_cover),
		cmocka_unit_test(test_sizeless_symbols_end_at_the_next),
		cmocka_unit_test(test_one_of_several_names_is_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
