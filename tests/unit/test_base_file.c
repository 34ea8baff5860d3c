/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Bounded reads, and output files that appear whole or not at all. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "fdcheck.h"

struct place {
	char dir[64];
	char path[96];
	unsigned int fd_cnt;
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	place->fd_cnt = fdcheck_count();
	snprintf(place->dir, sizeof(place->dir), "/tmp/loiter-unit-XXXXXX");
	if (!mkdtemp(place->dir))
		return -1;
	snprintf(place->path, sizeof(place->path), "%s/out", place->dir);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	int err;

	unlink(place->path);
	err = rmdir(place->dir);
	if (!err && fdcheck_count() != place->fd_cnt)
		err = -1;
	free(place);
	return err;
}

static unsigned int entry_cnt(const char *path)
{
	unsigned int cnt = 0;
	struct dirent *entry;
	DIR *dir = opendir(path);

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		cnt += entry->d_name[0] != '.';
	closedir(dir);
	return cnt;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void assert_file_is(const char *path, const char *text)
{
	struct buf buf;

	buf_init(&buf, 1 << 20);
	assert_int_equal(file_read(path, &buf), 0);
	assert_string_equal(buf_text(&buf), text);
	buf_release(&buf);
}

static void test_read_is_bounded(void **state)
{
	struct place *place = *state;
	struct buf buf;

	write_file(place->path, "0123456789");
	buf_init(&buf, 10);
	assert_int_equal(file_read(place->path, &buf), 0);
	assert_string_equal(buf_text(&buf), "0123456789");
	buf_release(&buf);

	buf_init(&buf, 9);
	assert_int_equal(file_read(place->path, &buf), -E2BIG);
	assert_string_equal(buf_text(&buf), "012345678");
	buf_release(&buf);

	buf_init(&buf, 1 << 16);
	assert_int_equal(file_read("/dev/zero", &buf), -E2BIG);
	assert_int_equal(buf.len, 1 << 16);
	buf_release(&buf);
}

static void test_read_names_its_failure(void **state)
{
	struct place *place = *state;
	struct buf buf;

	buf_init(&buf, 100);
	assert_int_equal(file_read(place->path, &buf), -ENOENT);
	assert_int_equal(file_read(place->dir, &buf), -EISDIR);
	/* A FIFO that nobody writes to must not be waited for. */
	assert_int_equal(mkfifo(place->path, 0600), 0);
	assert_int_equal(file_read(place->path, &buf), 0);
	assert_int_equal(buf.len, 0);
	buf_release(&buf);
}

static void test_commit_gives_the_name(void **state)
{
	struct place *place = *state;
	struct outfile out;
	struct stat st;
	struct err err;
	mode_t mask = umask(022);

	write_file(place->path, "old");
	assert_int_equal(outfile_open(&out, place->path, &err), 0);
	fputs("new", out.stream);
	fflush(out.stream);
	assert_file_is(place->path, "old");
	assert_int_equal(outfile_commit(&out, &err), 0);
	assert_file_is(place->path, "new");
	assert_int_equal(entry_cnt(place->dir), 1);
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	outfile_discard(&out);
	assert_file_is(place->path, "new");
	umask(mask);
}

static void test_discard_leaves_nothing(void **state)
{
	struct place *place = *state;
	struct outfile out;
	struct err err;

	assert_int_equal(outfile_open(&out, place->path, &err), 0);
	fputs("half", out.stream);
	fflush(out.stream);
	outfile_discard(&out);
	assert_int_equal(entry_cnt(place->dir), 0);
	outfile_discard(&out);

	write_file(place->path, "old");
	assert_int_equal(outfile_open(&out, place->path, &err), 0);
	fputs("half", out.stream);
	outfile_discard(&out);
	assert_file_is(place->path, "old");
	assert_int_equal(entry_cnt(place->dir), 1);
}

static void test_full_disk_is_an_error(void **state)
{
	struct outfile out;
	struct err err;

	(void)state;
	/* Fails when the stream is flushed at last, not when it is written to. */
	assert_int_equal(outfile_open(&out, "/dev/full", &err), 0);
	fputs("text", out.stream);
	assert_int_equal(outfile_commit(&out, &err), -ENOSPC);
	assert_string_equal(err.msg, "cannot write '/dev/full': No space left on device");

	/* Fails in the middle; what comes afterwards must not hide it. */
	assert_int_equal(outfile_open(&out, "/dev/full", &err), 0);
	for (int i = 0; i < 100000; i++)
		fputs("text", out.stream);
	assert_true(outfile_commit(&out, &err) < 0);
	assert_non_null(strstr(err.msg, "cannot write '/dev/full'"));
	assert_int_equal(access("/dev/full", W_OK), 0);
}

static void test_open_names_its_failure(void **state)
{
	struct place *place = *state;
	struct outfile out;
	struct err err;
	char path[128];

	snprintf(path, sizeof(path), "%s/none/out", place->dir);
	assert_int_equal(outfile_open(&out, path, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/none/out': No such file or directory"));
	assert_int_equal(outfile_open(&out, place->dir, &err), -EISDIR);
	outfile_discard(&out);
}

static void test_standard_output_stays_open(void **state)
{
	struct outfile out;
	struct err err;

	(void)state;
	assert_int_equal(outfile_open(&out, "-", &err), 0);
	assert_ptr_equal(out.stream, stdout);
	assert_int_equal(outfile_commit(&out, &err), 0);
	assert_true(fcntl(STDOUT_FILENO, F_GETFD) >= 0);
}

static void write_new(const char *path)
{
	struct outfile out;
	struct err err;

	assert_int_equal(outfile_open(&out, path, &err), 0);
	fputs("new", out.stream);
	assert_int_equal(outfile_commit(&out, &err), 0);
}

static void test_a_closed_standard_stream_is_not_the_file(void **state)
{
	struct place *place = *state;
	int before = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	struct outfile out;
	struct err err;

	assert_true(before >= 0);
	close(STDIN_FILENO);
	assert_int_equal(outfile_open(&out, place->path, &err), 0);
	assert_true(fileno(out.stream) > STDERR_FILENO);
	assert_true(fcntl(fileno(out.stream), F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(STDIN_FILENO, F_GETFD) < 0);
	outfile_discard(&out);
	assert_int_equal(dup2(before, STDIN_FILENO), STDIN_FILENO);
	close(before);
}

/* What was kept from others stays so, whatever the umask. */
static void test_a_file_that_is_replaced_passes_on_its_mode(void **state)
{
	static const mode_t modes[] = { 0600, 0666, 0440 };
	struct place *place = *state;
	mode_t mask = umask(022);
	struct stat st;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		write_file(place->path, "old");
		assert_int_equal(chmod(place->path, modes[i]), 0);
		write_new(place->path);
		assert_file_is(place->path, "new");
		assert_int_equal(stat(place->path, &st), 0);
		assert_int_equal(st.st_mode & 07777, modes[i]);
		unlink(place->path);
	}
	umask(mask);
}

/* Nobody but root may give a file away. */
static void test_a_file_that_is_replaced_passes_on_its_owner(void **state)
{
	struct place *place = *state;
	struct stat st;

	if (geteuid())
		skip();
	write_file(place->path, "old");
	assert_int_equal(chown(place->path, 12, 34), 0);
	write_new(place->path);
	assert_file_is(place->path, "new");
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(st.st_uid, 12);
	assert_int_equal(st.st_gid, 34);
}

static void test_a_link_is_followed(void **state)
{
	struct place *place = *state;
	char link[128];
	struct stat st;

	snprintf(link, sizeof(link), "%s/link", place->dir);
	write_file(place->path, "old");
	assert_int_equal(symlink(place->path, link), 0);
	write_new(link);
	assert_file_is(place->path, "new");
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(entry_cnt(place->dir), 2);
	unlink(link);
}

static void test_a_link_to_nothing_is_replaced(void **state)
{
	struct place *place = *state;
	struct stat st;

	assert_int_equal(symlink("nothing", place->path), 0);
	write_new(place->path);
	assert_file_is(place->path, "new");
	assert_int_equal(lstat(place->path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(entry_cnt(place->dir), 1);
}

/* As one that fs.protected_symlinks forbids to follow, which takes another user to make. */
static void test_a_link_that_is_not_followed_is_refused(void **state)
{
	struct place *place = *state;
	struct outfile out;
	struct stat st;
	struct err err;

	assert_int_equal(symlink("out", place->path), 0);
	assert_int_equal(outfile_open(&out, place->path, &err), -ELOOP);
	assert_non_null(strstr(err.msg, "/out': Too many levels of symbolic links"));
	assert_int_equal(lstat(place->path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(entry_cnt(place->dir), 1);
}

/* As /dev/stdout, when that is a file. */
static void test_an_open_file_is_written_in_place(void **state)
{
	struct place *place = *state;
	char path[64];
	int fd;

	write_file(place->path, "old");
	fd = open(place->path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	write_new(path);
	assert_file_is(place->path, "oldnew");
	close(fd);
}

static void test_number_is_all_there_is(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint32_t number;
	} files[] = { { "42\n", 0, 42 },       { "7", 0, 7 },
		      { "", -EINVAL, 0 },      { "-1\n", -EINVAL, 0 },
		      { "4 2\n", -EINVAL, 0 }, { "4294967296\n", -ERANGE, 0 } };
	struct place *place = *state;
	uint32_t number;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		FILE *file = fopen(place->path, "we");

		assert_non_null(file);
		fputs(files[i].text, file);
		assert_int_equal(fclose(file), 0);
		number = 0;
		assert_int_equal(file_read_u32(AT_FDCWD, place->path, &number), files[i].err);
		assert_int_equal(number, files[i].number);
	}
	unlink(place->path);
	assert_int_equal(file_read_u32(AT_FDCWD, place->path, &number), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_names_its_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_number_is_all_there_is, setup, teardown),
		cmocka_unit_test_setup_teardown(test_commit_gives_the_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_discard_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_names_its_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_standard_output_stays_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_closed_standard_stream_is_not_the_file,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_that_is_replaced_passes_on_its_mode,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_that_is_replaced_passes_on_its_owner,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_link_is_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_link_to_nothing_is_replaced, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_link_that_is_not_followed_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_an_open_file_is_written_in_place, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
