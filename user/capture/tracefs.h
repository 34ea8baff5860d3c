/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The kernel's directory of tracepoints, also where nobody has mounted it. */
#ifndef CAPTURE_TRACEFS_H
#define CAPTURE_TRACEFS_H

#include <stdint.h>

/* Returns a descriptor of the directory, which the caller closes; -errno when there is none. Where
 * it is not mounted it is opened by itself (fsopen, since 5.2: 24dcb3d90a1f "vfs: syscall: Add
 * fsopen() to prepare for superblock creation"), which changes nothing that others see and takes
 * CAP_SYS_ADMIN. */
int tracefs_open(void);

/* Reads the number of tracepoint @group/@name. Returns 0, -ENOENT (this kernel has none) or -errno.
 */
int tracefs_id(int tracefs_fd, const char *group, const char *name, uint32_t *ret_id);

#endif
