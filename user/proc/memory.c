/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/memory.h"

#include <errno.h>
#include <sys/uio.h>

ssize_t memory_read(pid_t tgid, uint64_t addr, void *dst, size_t len)
{
	struct iovec local = { .iov_base = dst, .iov_len = len };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)addr, .iov_len = len };
	ssize_t got = process_vm_readv(tgid, &local, 1, &remote, 1, 0);

	if (got >= 0)
		return got;
	return errno == ESRCH || errno == EPERM ? -errno : 0;
}
