/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

int root_open(const char *root, const char *path, bool follow, struct stat *ret_st)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	_cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = -1;

	if (root_fd < 0)
		return -errno;
	if (!follow)
		how.flags |= O_NOFOLLOW;
	fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_st))
		return -errno;
	return S_ISREG(ret_st->st_mode) ? take_fd(&fd) : -EINVAL;
}
