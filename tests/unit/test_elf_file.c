/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which uses of a file see one Elf, and which must not. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mapped_elf.h"
#include "proc/elf_file.h"

static struct elf_file *open_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0 && !fstat(fd, &st));
	return elf_file_open(fd, &st);
}

static bool are_one(const struct mapped_elf *elf)
{
	struct elf_file *a = open_path(elf->path), *b = open_path(elf->path);
	bool one;

	assert_true(a && b);
	one = elf_file_elf(a) == elf_file_elf(b);
	elf_file_close(a);
	/* The other is there all the same. */
	assert_int_equal(elf_kind(elf_file_elf(b)), ELF_K_ELF);
	elf_file_close(b);
	return one;
}

static void test_a_file_is_shared(void **state)
{
	struct mapped_elf elf;

	(void)state;
	mapped_elf_open(&elf, "cp /proc/$pid/exe program");
	assert_true(are_one(&elf));
	mapped_elf_close(&elf);
}

/* To libdw's old form of compressed sections there may be no end, layer by layer. */
static void test_layers_are_not_shared(void **state)
{
	struct mapped_elf elf;

	(void)state;
	mapped_elf_open(&elf, "objcopy --compress-debug-sections=zlib-gnu /proc/$pid/exe program");
	assert_false(are_one(&elf));
	mapped_elf_close(&elf);
}

static void test_another_content_is_another_file(void **state)
{
	struct elf_file *before, *after;
	struct mapped_elf elf;
	char byte;

	(void)state;
	mapped_elf_open(&elf, "cp /proc/$pid/exe program");
	before = open_path(elf.path);
	assert_int_equal(pread(elf.fd, &byte, 1, 0), 1);
	assert_int_equal(pwrite(elf.fd, &byte, 1, 0), 1);
	after = open_path(elf.path);
	assert_true(before && after);
	assert_ptr_not_equal(elf_file_elf(before), elf_file_elf(after));
	assert_false(elf_file_is_changed(after));
	elf_file_close(before);
	elf_file_close(after);
	mapped_elf_close(&elf);
}

static void test_a_file_is_kept_until_dropped(void **state)
{
	struct mapped_elf elf;
	struct elf_file *file;
	const Elf *first;

	(void)state;
	mapped_elf_open(&elf, "cp /proc/$pid/exe program");
	elf_files_keep();
	file = open_path(elf.path);
	assert_non_null(file);
	first = elf_file_elf(file);
	elf_file_close(file);
	file = open_path(elf.path);
	assert_ptr_equal(elf_file_elf(file), first);
	elf_files_drop(); /* it is in use */
	assert_int_equal(elf_kind(elf_file_elf(file)), ELF_K_ELF);
	elf_file_close(file);
	elf_files_drop();
	mapped_elf_close(&elf);
}

static void test_no_elf_file(void **state)
{
	(void)state;
	assert_null(open_path("/etc/passwd"));
	assert_int_equal(errno, ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_is_shared),
		cmocka_unit_test(test_layers_are_not_shared),
		cmocka_unit_test(test_another_content_is_another_file),
		cmocka_unit_test(test_a_file_is_kept_until_dropped),
		cmocka_unit_test(test_no_elf_file),
	};

	elf_version(EV_CURRENT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
