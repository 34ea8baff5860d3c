/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "capture/tracefs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static int open_unmounted(void)
{
	_cleanup_close_ int fs_fd = (int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);
	int fd;

	if (fs_fd < 0 || syscall(SYS_fsconfig, fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	fd = (int)syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int tracefs_open(void)
{
	static const char *const roots[] = { "/sys/kernel/tracing/events",
					     "/sys/kernel/debug/tracing/events" };
	_cleanup_close_ int root_fd = -1;
	int fd;

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		fd = open(roots[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	root_fd = open_unmounted();
	if (root_fd < 0)
		return root_fd;
	fd = openat(root_fd, "events", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int tracefs_id(int tracefs_fd, const char *group, const char *name, uint32_t *ret_id)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s/id", group, name);
	return file_read_u32(tracefs_fd, path, ret_id);
}
