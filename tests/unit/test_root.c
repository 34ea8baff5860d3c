/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Files in a root that belongs to somebody else: what is opened, and what is not even touched. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/root.h"

static char root[] = "/tmp/loiter-root-XXXXXX";
static const char *const names[] = { "/file", "/fifo", "/link", "/outside" };

static const char *in_root(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s%s", root, name);
	return path;
}

static int setup(void **state)
{
	int fd;

	(void)state;
	if (!mkdtemp(root))
		return -1;
	fd = open(in_root("/file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || close(fd))
		return -1;
	return mkfifo(in_root("/fifo"), 0600) || symlink("/file", in_root("/link")) ||
	       symlink("/../../etc/passwd", in_root("/outside"));
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_root(names[i]));
	return rmdir(root);
}

static int try_open(const char *name, bool follow)
{
	struct stat st;
	int fd = root_open(root, name, follow, &st);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void test_links_stay_inside(void **state)
{
	(void)state;
	assert_int_equal(try_open("/file", false), 0);
	assert_int_equal(try_open("/link", true), 0);
	assert_int_equal(try_open("/link", false), -ELOOP);
	assert_int_equal(try_open("/outside", true), -ENOENT);
	assert_int_equal(try_open("/none", true), -ENOENT);
}

/* To open a device can start it: what is no regular file must not be opened at all. */
static void test_others_are_not_opened(void **state)
{
	int watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char events[512];
	struct stat st;

	(void)state;
	assert_true(watch_fd >= 0);
	assert_true(inotify_add_watch(watch_fd, in_root("/fifo"), IN_OPEN) >= 0);
	assert_int_equal(try_open("/fifo", true), -EINVAL);
	assert_int_equal(root_open_magic(in_root("/fifo"), &st), -EINVAL);
	assert_int_equal(read(watch_fd, events, sizeof(events)), -1);
	assert_int_equal(errno, EAGAIN);
	close(watch_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links_stay_inside),
		cmocka_unit_test(test_others_are_not_opened),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
