/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The parser of /proc/PID/maps. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/maps.h"

static const struct mapping *parse_one(struct maps *maps, const char *line)
{
	assert_int_equal(maps_parse(maps, line, strlen(line)), 0);
	return maps->mappings.len == 1 ? vec_at(&maps->mappings, 0) : NULL;
}

static int setup(void **state)
{
	static struct maps maps;

	maps_init(&maps);
	*state = &maps;
	return 0;
}

static int teardown(void **state)
{
	maps_release(*state);
	return 0;
}

static void test_a_file(void **state)
{
	struct maps *maps = *state;
	const struct mapping *mapping = parse_one(
		maps, "55d1c0de1000-55d1c0de3000 r-xp 00002000 fe:01 1234567                    "
		      "/usr/bin/my server\n");

	assert_non_null(mapping);
	assert_true(mapping->start_addr == 0x55d1c0de1000);
	assert_true(mapping->end_addr == 0x55d1c0de3000);
	assert_true(mapping->readable);
	assert_false(mapping->writable);
	assert_true(mapping->executable);
	assert_int_equal(mapping->file_off, 0x2000);
	assert_int_equal(mapping->dev_major, 0xfe);
	assert_int_equal(mapping->dev_minor, 1);
	assert_int_equal(mapping->inode, 1234567);
	assert_false(mapping->deleted);
	assert_string_equal(maps_path(maps, mapping), "/usr/bin/my server");
	assert_int_equal(maps->bad_line_cnt, 0);
}

static void test_deleted_files(void **state)
{
	struct maps *maps = *state;
	const struct mapping *mapping;

	mapping = parse_one(maps, "1000-2000 rw-s 00000000 00:01 5 /memfd:x y (deleted)\n");
	assert_non_null(mapping);
	assert_true(mapping->deleted);
	assert_true(mapping->writable);
	assert_string_equal(maps_path(maps, mapping), "/memfd:x y");

	mapping = parse_one(maps, "1000-2000 r--p 00000000 00:01 5 /a (deleted)x\n");
	assert_non_null(mapping);
	assert_false(mapping->deleted);
	assert_string_equal(maps_path(maps, mapping), "/a (deleted)x");

	/* Twice deleted is a file of that name, deleted. */
	mapping = parse_one(maps, "1000-2000 r--p 00000000 00:01 5 /a (deleted) (deleted)\n");
	assert_non_null(mapping);
	assert_true(mapping->deleted);
	assert_string_equal(maps_path(maps, mapping), "/a (deleted)");
}

static void test_no_file(void **state)
{
	static const struct {
		const char *line, *path;
	} cases[] = {
		{ "7f00-7f10 rw-p 00000000 00:00 0 \n", "" },
		{ "7f00-7f10 rw-p 00000000 00:00 0\n", "" },
		{ "7f00-7f10 rw-p 00000000 00:00 0 [heap]\n", "[heap]" },
		{ "7f00-7f10 r-xp 00000000 00:00 0    [vdso]", "[vdso]" },
		{ "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n",
		  "[vsyscall]" },
	};
	struct maps *maps = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct mapping *mapping = parse_one(maps, cases[i].line);

		assert_non_null(mapping);
		assert_int_equal(mapping->inode, 0);
		assert_string_equal(maps_path(maps, mapping), cases[i].path);
	}
}

static void test_bad_lines_are_counted(void **state)
{
	static const char *const bad[] = {
		"\n",
		"garbage\n",
		"1000-2000\n",
		"1000-2000 r-xp\n",
		"2000-1000 r-xp 00000000 00:00 0 /x\n",
		"1000-1000 r-xp 00000000 00:00 0 /x\n",
		"-2000 r-xp 00000000 00:00 0 /x\n",
		"1000 2000 r-xp 00000000 00:00 0 /x\n",
		"10000000000000000-20000000000000000 r-xp 00000000 00:00 0 /x\n",
		"1000-2000 r-xp 00000000 100000000:00 0 /x\n",
		"1000-2000 r-xp 00000000 00:00\n",
		"1000-2000 r-xp 00000000 00:00 99999999999999999999999 /x\n",
		"1000-2000 r-x",
		"G000-H000 r-xp 00000000 00:00 0 /x\n",
	};
	struct maps *maps = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(maps_parse(maps, bad[i], strlen(bad[i])), 0);
		assert_int_equal(maps->mappings.len, 0);
		assert_int_equal(maps->bad_line_cnt, 1);
	}
	assert_int_equal(maps_parse(maps, "", 0), 0);
	assert_int_equal(maps->mappings.len + maps->bad_line_cnt, 0);
}

static void test_find(void **state)
{
	static const char text[] = "1000-2000 r-xp 00000000 00:00 0 /a\n"
				   "2000-3000 r-xp 00000000 00:00 0 /b\n"
				   "1800-2800 r-xp 00000000 00:00 0 /overlap\n"
				   "5000-6000 r-xp 00000000 00:00 0 /c\n"
				   "4000-4800 r-xp 00000000 00:00 0 /unordered\n";
	static const struct {
		uint64_t addr;
		const char *path;
	} cases[] = {
		{ 0, NULL },	  { 0xfff, NULL },  { 0x1000, "/a" },	  { 0x1fff, "/a" },
		{ 0x2000, "/b" }, { 0x2fff, "/b" }, { 0x3000, NULL },	  { 0x4000, NULL },
		{ 0x5000, "/c" }, { 0x6000, NULL }, { UINT64_MAX, NULL },
	};
	struct maps *maps = *state;

	assert_null(maps_find(maps, 0));
	assert_int_equal(maps_parse(maps, text, sizeof(text) - 1), 0);
	assert_int_equal(maps->bad_line_cnt, 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct mapping *mapping = maps_find(maps, cases[i].addr);

		if (!cases[i].path) {
			assert_null(mapping);
			continue;
		}
		assert_non_null(mapping);
		assert_string_equal(maps_path(maps, mapping), cases[i].path);
	}
}

static void test_parse_replaces(void **state)
{
	struct maps *maps = *state;

	assert_non_null(parse_one(maps, "1000-2000 r-xp 00000000 00:00 0 /a\n"));
	assert_non_null(parse_one(maps, "3000-4000 r-xp 00000000 00:00 0 /b\n"));
	assert_null(maps_find(maps, 0x1000));
}

static void test_own_maps(void **state)
{
	struct maps *maps = *state;
	const struct mapping *code, *stack;
	struct err err;
	int on_stack;

	assert_int_equal(maps_read(maps, getpid(), &err), 0);
	assert_int_equal(maps->bad_line_cnt, 0);
	code = maps_find(maps, (uint64_t)(uintptr_t)test_own_maps);
	assert_non_null(code);
	assert_true(code->executable);
	assert_non_null(strstr(maps_path(maps, code), "test_maps"));
	stack = maps_find(maps, (uint64_t)(uintptr_t)&on_stack);
	assert_non_null(stack);
	assert_true(stack->writable);
}

/* The dynamic linker maps all of a library as data before its code has its place. */
static void test_code(void **state)
{
	static const char loading[] = "7000-c000 r--p 00000000 fe:01 7 /lib/a.so\n";
	static const char loaded[] = "7000-8000 r--p 00000000 fe:01 7 /lib/a.so\n"
				     "8000-9000 r-xp 00001000 fe:01 7 /lib/a.so\n"
				     "9000-a000 r-xp 00000000 00:00 0\n";
	static const char replaced[] = "8000-9000 r-xp 00001000 fe:01 8 /lib/b.so\n";
	struct maps *maps = *state;
	uint32_t code;

	assert_int_equal(maps_parse(maps, loaded, strlen(loaded)), 0);
	code = maps_code(maps, 0x8123);
	assert_int_not_equal(code, 0);
	assert_int_equal(maps_code(maps, 0x8fff), code);
	assert_int_equal(maps_code(maps, 0x7123), 0);
	assert_int_equal(maps_code(maps, 0x9123), 0);
	assert_int_equal(maps_code(maps, 0xa123), 0);
	assert_int_equal(maps_parse(maps, loading, strlen(loading)), 0);
	assert_int_equal(maps_code(maps, 0x8123), 0);
	assert_int_equal(maps_parse(maps, replaced, strlen(replaced)), 0);
	assert_int_not_equal(maps_code(maps, 0x8123), 0);
	assert_int_not_equal(maps_code(maps, 0x8123), code);
}

static void test_no_such_process(void **state)
{
	struct maps *maps = *state;
	struct err err;

	assert_int_equal(maps_read(maps, 0x7ffffff0, &err), -ESRCH);
	assert_non_null(strstr(err.msg, "No such process"));
	assert_int_equal(maps->mappings.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deleted_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_lines_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parse_replaces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_maps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_code, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_such_process, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
