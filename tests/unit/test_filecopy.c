/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Copies of files that are written to, cut, replaced or endless while they are read. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/filecopy.h"
#include "base/file.h"

#define FILE_BYTES 1000001u /* not whole pieces or pages */
#define STEP_BYTES 100000u  /* more than a piece */

static char path[] = "/tmp/loiter-filecopy-XXXXXX";
static char content[FILE_BYTES];

static void write_content(int fd)
{
	assert_int_equal(pwrite(fd, content, sizeof(content), 0), sizeof(content));
}

/* Makes the file anew, as if it had been written long ago. Returns a descriptor to change it by. */
static int make_file(void)
{
	static const struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (char)('a' + i % 23);
	write_content(fd);
	assert_int_equal(futimens(fd, long_ago), 0);
	return fd;
}

static struct filecopy *copy_file(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0 && !fstat(fd, &st));
	return filecopy_new(fd, &st);
}

static void test_it_is_the_file(void **state)
{
	int fd = make_file();
	struct filecopy *copy = copy_file(), *other = copy_file();
	char byte;

	(void)state;
	assert_true(copy && other);
	assert_int_equal(copy->len, sizeof(content));
	assert_int_equal(copy->bytes[sizeof(content) - 1], content[sizeof(content) - 1]);
	assert_memory_equal(copy->bytes, content, sizeof(content));
	assert_int_equal(copy->state, FILECOPY_GOOD);
	/* It is private both ways. */
	copy->bytes[5] = '!';
	other->bytes[STEP_BYTES] = '!';
	assert_int_equal(pread(fd, &byte, 1, 5), 1);
	assert_int_equal(byte, content[5]);
	assert_int_equal(other->bytes[5], content[5]);
	assert_int_equal(other->bytes[STEP_BYTES + 1], content[STEP_BYTES + 1]);
	filecopy_free(other);
	filecopy_free(copy);
	close(fd);
}

/* What was seen stays, what was not is zeros: old and new are never mixed. */
static void test_what_was_seen_stays(void **state)
{
	int fd = make_file();
	struct filecopy *copy = copy_file();

	(void)state;
	assert_non_null(copy);
	for (size_t i = 0; i < sizeof(content); i += 2 * STEP_BYTES)
		assert_int_equal(copy->bytes[i], content[i]);
	assert_int_equal(copy->state, FILECOPY_GOOD);
	memset(content, '#', sizeof(content));
	write_content(fd);
	for (size_t i = 0; i < sizeof(content); i += STEP_BYTES) {
		char want = i / STEP_BYTES % 2 ? '\0' : (char)('a' + i % 23);

		assert_int_equal(copy->bytes[i], want);
	}
	assert_int_equal(copy->state, FILECOPY_CHANGED);
	filecopy_free(copy);
	close(fd);
}

static void test_a_file_that_is_cut(void **state)
{
	int fd = make_file();
	struct filecopy *copy = copy_file();

	(void)state;
	assert_non_null(copy);
	assert_int_equal(copy->bytes[0], content[0]);
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_int_equal(copy->bytes[11], content[11]);
	assert_int_equal(copy->bytes[STEP_BYTES], 0);
	assert_int_equal(copy->bytes[sizeof(content) - 1], 0);
	assert_int_equal(copy->state, FILECOPY_CHANGED);
	filecopy_free(copy);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_null(copy_file());
	assert_int_equal(errno, EINVAL);
	close(fd);
}

static void test_a_file_without_a_name_is_still_it(void **state)
{
	int fd = make_file();
	struct filecopy *copy = copy_file();

	(void)state;
	assert_non_null(copy);
	assert_int_equal(copy->bytes[0], content[0]);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(copy->bytes[STEP_BYTES], content[STEP_BYTES]);
	assert_int_equal(copy->state, FILECOPY_GOOD);
	filecopy_free(copy);
	close(fd);
}

static void test_a_file_that_is_the_same(void **state)
{
	int fd = make_file();
	struct filecopy *copy = copy_file();
	struct stat st;

	(void)state;
	assert_non_null(copy);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(filecopy_is_of(copy, &st));
	write_content(fd);
	assert_true(filecopy_is_of(copy, &st));
	assert_int_equal(copy->bytes[0], 0);
	assert_false(filecopy_is_of(copy, &st)); /* what it has is not to be shared */
	assert_int_equal(fstat(fd, &st), 0);
	assert_false(filecopy_is_of(copy, &st));
	filecopy_free(copy);
	close(fd);
}

/* Pieces of such a file are larger than all copies together may be. */
static void test_an_endless_file(void **state)
{
	int fd = memfd_create("endless", MFD_CLOEXEC);
	struct filecopy *copy;
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 66LL << 40), 0);
	assert_int_equal(fstat(fd, &st), 0);
	copy = filecopy_new(fd, &st);
	assert_non_null(copy);
	assert_int_equal(copy->bytes[copy->len / 2], 0);
	assert_int_equal(copy->state, FILECOPY_UNREADABLE);
	filecopy_free(copy);
}

static size_t read_max_mappings(void)
{
	struct buf buf;
	size_t max;

	buf_init(&buf, 64);
	assert_int_equal(file_read("/proc/sys/vm/max_map_count", &buf), 0);
	max = strtoul(buf_text(&buf), NULL, 10);
	buf_release(&buf);
	return max;
}

/* Takes all the @max mappings that a process may have. */
static void *take_mappings(size_t max, size_t *ret_len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages;

	*ret_len = 2 * max * page;
	pages = mmap(NULL, *ret_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(pages != MAP_FAILED);
	for (size_t i = 1; i < 2 * max; i += 2)
		if (mprotect(pages + i * page, page, PROT_READ))
			break;
	assert_int_equal(errno, ENOMEM);
	return pages;
}

static void test_no_mapping_is_left(void **state)
{
	size_t max = read_max_mappings(), taken_bytes;
	struct filecopy *copy;
	void *taken;
	int fd;

	(void)state;
	if (max > 1u << 18)
		skip(); /* they take hundreds of megabytes */
	fd = make_file();
	copy = copy_file();
	assert_non_null(copy);
	assert_int_equal(copy->bytes[5 * STEP_BYTES], content[5 * STEP_BYTES]);
	taken = take_mappings(max, &taken_bytes);
	assert_int_equal(copy->bytes[2 * STEP_BYTES], 0);
	assert_int_equal(copy->bytes[8 * STEP_BYTES], 0);
	assert_int_equal(copy->bytes[5 * STEP_BYTES], content[5 * STEP_BYTES]);
	assert_int_equal(copy->bytes[sizeof(content) - 1], 0);
	assert_int_equal(copy->state, FILECOPY_UNREADABLE);
	munmap(taken, taken_bytes);
	filecopy_free(copy);
	close(fd);
}

/* A fault that has nothing to do with copies ends the process as it always did. */
static void test_faults_of_others(void **state)
{
	int fd = make_file(), status;
	struct filecopy *copy = copy_file();
	volatile char *mapped = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	pid_t pid;

	(void)state;
	assert_non_null(copy);
	assert_true(mapped != MAP_FAILED);
	assert_int_equal(ftruncate(fd, 0), 0);
	pid = fork();
	if (!pid) {
		close(2);
		_exit(mapped[STEP_BYTES] * 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(status != 0);
	munmap((void *)mapped, FILE_BYTES);
	filecopy_free(copy);
	close(fd);
}

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_is_the_file),
		cmocka_unit_test(test_what_was_seen_stays),
		cmocka_unit_test(test_a_file_that_is_cut),
		cmocka_unit_test(test_a_file_without_a_name_is_still_it),
		cmocka_unit_test(test_a_file_that_is_the_same),
		cmocka_unit_test(test_an_endless_file),
		cmocka_unit_test(test_no_mapping_is_left),
		cmocka_unit_test(test_faults_of_others),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
