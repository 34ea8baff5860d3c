/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Reads of another process's memory by process_vm_readv(2): never stops it, never writes to it. */
#ifndef PROC_MEMORY_H
#define PROC_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Copies up to @len bytes at @addr of process @tgid to @dst, stopping at the first page that cannot
 * be read. Returns the count of bytes (0: nothing readable there), or -ESRCH (gone), -EPERM (needs
 * CAP_SYS_PTRACE). */
ssize_t memory_read(pid_t tgid, uint64_t addr, void *dst, size_t len);

#endif
