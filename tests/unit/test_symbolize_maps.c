/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The text files that name code: perf maps of JITs, and the kernel's own kallsyms. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolize/kallsyms.h"
#include "symbolize/perfmap.h"
#include "symbolize/symbolize.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* ---- JIT maps ---- */

static void assert_jit(const struct perfmap *map, uint64_t addr, const char *want, uint64_t start)
{
	uint64_t got_start = 0;
	const char *got = perfmap_find(map, addr, &got_start);

	if (!want) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_string_equal(got, want);
	assert_int_equal(got_start, start);
}

static void parse_perfmap(struct perfmap *map, const char *text)
{
	perfmap_init(map);
	assert_int_equal(perfmap_parse(map, text, strlen(text)), 0);
}

static void test_perfmap_names_code(void **state)
{
	struct perfmap map;

	(void)state;
	parse_perfmap(&map, "7f0000001000 20 LazyCompile:*foo /a b.js:1:2\n"
			    "0x7F0000002000 0x10 with prefix\n"
			    "7f0000003000\t8\ttabs\r\n");
	assert_jit(&map, 0x7f0000000fff, NULL, 0);
	assert_jit(&map, 0x7f0000001000, "LazyCompile:*foo /a b.js:1:2", 0x7f0000001000);
	assert_jit(&map, 0x7f000000101f, "LazyCompile:*foo /a b.js:1:2", 0x7f0000001000);
	assert_jit(&map, 0x7f0000001020, NULL, 0);
	assert_jit(&map, 0x7f000000200f, "with prefix", 0x7f0000002000);
	assert_jit(&map, 0x7f0000003000, "tabs", 0x7f0000003000);
	assert_int_equal(map.bad_line_cnt, 0);
	/* A second parse replaces the first. */
	assert_int_equal(perfmap_parse(&map, "10 10 a\n", 8), 0);
	assert_jit(&map, 0x7f0000001000, NULL, 0);
	assert_jit(&map, 0x10, "a", 0x10);
	perfmap_release(&map);
}

static void test_perfmap_later_lines_override(void **state)
{
	struct perfmap map;

	(void)state;
	parse_perfmap(&map, "1000 100 old\n1040 20 middle\n2000 10 first\n2000 10 second\n"
			    "3010 10 inner\n3000 100 over\n");
	assert_jit(&map, 0x103f, "old", 0x1000);
	assert_jit(&map, 0x1040, "middle", 0x1040);
	assert_jit(&map, 0x1060, "old", 0x1000);
	assert_jit(&map, 0x2008, "second", 0x2000);
	assert_jit(&map, 0x3018, "over", 0x3000);
	perfmap_release(&map);
}

static void test_perfmap_bad_lines_are_left_out(void **state)
{
	static const char *const bad[] = {
		"\n",
		"1000\n",
		"1000 20\n",
		"1000 20 \n",
		"1000 0 empty\n",
		"x 20 name\n",
		"-10 20 name\n",
		" 10 20 name\n",
		"0x 20 name\n",
		"ffffffffffffffff 20 beyond the end\n",
		"10000000000000000 20 65 bits\n",
		"1000 20name glued\n",
	};
	struct perfmap map;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		parse_perfmap(&map, bad[i]);
		assert_int_equal(map.bad_line_cnt, 1);
		assert_int_equal(map.entries.len, 0);
		perfmap_release(&map);
	}
	/* The last line may still be being written. */
	parse_perfmap(&map, "1000 10 whole\n2000 10 cut");
	assert_jit(&map, 0x1000, "whole", 0x1000);
	assert_jit(&map, 0x2000, NULL, 0);
	perfmap_release(&map);
	perfmap_init(&map);
	assert_int_equal(perfmap_parse(&map, "10 10 a\0b\n20 10 c\n", 18), 0);
	assert_jit(&map, 0x10, "a", 0x10);
	assert_jit(&map, 0x20, "c", 0x20);
	perfmap_release(&map);
}

static void own_perfmap_path(char *path, size_t len)
{
	snprintf(path, len, "/tmp/perf-%d.map", getpid());
	unlink(path);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_perfmap_believes_only_a_plain_file(void **state)
{
	struct perfmap map;
	char path[64], other[80];

	(void)state;
	own_perfmap_path(path, sizeof(path));
	snprintf(other, sizeof(other), "%s.other", path);
	unlink(other);
	perfmap_init(&map);
	assert_int_equal(perfmap_read(&map, getpid()), -ENOENT);

	write_file(other, "1000 10 name\n");
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(perfmap_read(&map, getpid()), -ELOOP);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(perfmap_read(&map, getpid()), -EINVAL);
	unlink(path);
	assert_int_equal(rename(other, path), 0);
	assert_int_equal(perfmap_read(&map, getpid()), 0);
	assert_jit(&map, 0x1000, "name", 0x1000);
	if (!geteuid()) {
		assert_int_equal(chown(path, 12345, 12345), 0);
		assert_int_equal(perfmap_read(&map, getpid()), -EPERM);
		assert_jit(&map, 0x1000, NULL, 0);
	}
	unlink(path);
	perfmap_release(&map);
}

/* ---- the kernel's symbols ---- */

static void assert_kernel(const struct kallsyms *syms, uint64_t addr, const char *name,
			  const char *module)
{
	const struct kallsyms_entry *entry = kallsyms_find(syms, addr);

	if (!name) {
		assert_null(entry);
		return;
	}
	assert_non_null(entry);
	assert_string_equal(kallsyms_text(syms, entry->name_off), name);
	if (module)
		assert_string_equal(kallsyms_text(syms, entry->module_off), module);
	else
		assert_int_equal(entry->module_off, 0);
}

static void test_kallsyms_names_functions(void **state)
{
	static const char text[] = "0000000000000000 A fixed_percpu_data\n"
				   "ffffffff81000000 T first\n"
				   "ffffffff81000000 T alias\n"
				   "ffffffff81000040 t second\n"
				   "ffffffff81000060 D data\n"
				   "ffffffff81000080 W third\n"
				   "not a line\n"
				   "ffffffffc0000000 t mod_func\t[mod]\n"
				   "ffffffff81000200 T __sched_text_start\n"
				   "ffffffff81000200 t scheduler\n"
				   "ffffffff81000300 T __sched_text_end\n"
				   "ffffffff81000300 T behind\n"
				   "ffffffff81000100 t unsorted\n";
	struct kallsyms syms;

	(void)state;
	kallsyms_init(&syms);
	assert_int_equal(kallsyms_parse(&syms, text, sizeof(text) - 1), 0);
	assert_kernel(&syms, 0xffffffff80ffffff, NULL, NULL);
	assert_kernel(&syms, 0xffffffff81000000, "first", NULL);
	assert_kernel(&syms, 0xffffffff8100003f, "first", NULL);
	assert_kernel(&syms, 0xffffffff81000040, "second", NULL);
	assert_kernel(&syms, 0xffffffff81000068, "second", NULL);
	assert_kernel(&syms, 0xffffffff81000080, "third", NULL);
	assert_kernel(&syms, 0xffffffff81000100, "unsorted", NULL);
	/* Marks are found by name only. */
	assert_kernel(&syms, 0xffffffff81000200, "scheduler", NULL);
	assert_kernel(&syms, 0xffffffff81000300, "behind", NULL);
	assert_true(kallsyms_addr(&syms, "__sched_text_start") == 0xffffffff81000200);
	assert_true(kallsyms_addr(&syms, "mod_func") == 0xffffffffc0000000);
	assert_true(kallsyms_addr(&syms, "data") == 0);
	assert_kernel(&syms, 0xffffffff82000000, NULL, NULL);
	assert_kernel(&syms, 0xffffffffc0000010, "mod_func", "[mod]");
	assert_kernel(&syms, 0xffffffffffffffff, NULL, NULL);
	kallsyms_release(&syms);
}

static void test_kallsyms_hidden_addresses_are_an_error(void **state)
{
	static const char text[] = "0000000000000000 T first\n0000000000000000 t second\n";
	struct kallsyms syms;

	(void)state;
	kallsyms_init(&syms);
	assert_int_equal(kallsyms_parse(&syms, text, sizeof(text) - 1), -EPERM);
	assert_null(kallsyms_find(&syms, 0));
	kallsyms_release(&syms);
}

static void test_kernel_locs_get_frames(void **state)
{
	struct model model;
	struct err err;
	int code;

	(void)state;
	model_init(&model);
	assert_int_equal(symbolize_kernel(&model, &err), 0);
	model_intern_loc(&model, MODEL_NONE, 0, 0xffffffff00000001, false);
	code = symbolize_kernel(&model, &err);
	assert_true(code == 0 || code == -EPERM || code == -ENOENT);
	assert_int_equal(model_loc(&model, 0)->frame_cnt, 1);
	assert_true(model_loc_frames(&model, model_loc(&model, 0))->kernel);
	model_release(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_perfmap_names_code),
		cmocka_unit_test(test_perfmap_later_lines_override),
		cmocka_unit_test(test_perfmap_bad_lines_are_left_out),
		cmocka_unit_test(test_perfmap_believes_only_a_plain_file),
		cmocka_unit_test(test_kallsyms_names_functions),
		cmocka_unit_test(test_kallsyms_hidden_addresses_are_an_error),
		cmocka_unit_test(test_kernel_locs_get_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
