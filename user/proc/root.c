/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Opens what @path_fd, of O_PATH, stands for if it is a regular file: to open a device can start
 * it, and the file must not be exchanged between the question and the opening. */
static int open_regular(int path_fd, struct stat *ret_st)
{
	char path[32];
	int fd, err;

	if (fstat(path_fd, ret_st))
		return -errno;
	if (!S_ISREG(ret_st->st_mode))
		return S_ISLNK(ret_st->st_mode) ? -ELOOP : -EINVAL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	/* Once more: on a network file system, to open a file may be to learn that it is newer. */
	if (fstat(fd, ret_st)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int root_open_magic(const char *path, struct stat *ret_st)
{
	_cleanup_close_ int path_fd = open(path, O_PATH | O_CLOEXEC);

	return path_fd < 0 ? -errno : open_regular(path_fd, ret_st);
}

int root_open(const char *root, const char *path, bool follow, struct stat *ret_st)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	_cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int path_fd = -1;

	if (root_fd < 0)
		return -errno;
	if (!follow)
		how.flags |= O_NOFOLLOW;
	path_fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	return path_fd < 0 ? -errno : open_regular(path_fd, ret_st);
}
