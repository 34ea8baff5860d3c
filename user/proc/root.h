/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Files of a target, in its own file system. Nothing is opened that could block or act on being
 * opened, and no symbolic link, which the target may have made, leads out of its root.
 */
#ifndef PROC_ROOT_H
#define PROC_ROOT_H

#include <stdbool.h>
#include <sys/stat.h>

/* Opens the regular file @path under the directory @root ("/", "/proc/PID/root") for reading;
 * @follow tells whether its last component may be a link.
 * Returns the descriptor with @ret_st filled, which is the file's as it was opened, or -errno;
 * -EINVAL: not a regular file; -ELOOP: a link. */
int root_open(const char *root, const char *path, bool follow, struct stat *ret_st);

/* Opens the regular file that @path, a link of /proc's own, stands for. Returns as root_open does.
 */
int root_open_magic(const char *path, struct stat *ret_st);

#endif
