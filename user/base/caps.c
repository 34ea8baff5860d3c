/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "base/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Version 3 of the system call takes 64 bits in two halves. */
struct caps {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct half[2];
};

static int caps_read(struct caps *caps)
{
	*caps = (struct caps){ .header = { .version = _LINUX_CAPABILITY_VERSION_3 } };
	return syscall(SYS_capget, &caps->header, caps->half) ? -errno : 0;
}

bool caps_have(unsigned int cap)
{
	struct caps caps;

	return !caps_read(&caps) && (caps.half[cap / 32].effective >> (cap % 32) & 1);
}

int caps_keep_only(const unsigned int *keep, size_t cnt)
{
	uint32_t mask[2] = { 0 };
	struct caps caps;
	int err = caps_read(&caps);

	if (err)
		return err;
	for (size_t i = 0; i < cnt; i++)
		mask[keep[i] / 32] |= 1u << (keep[i] % 32);
	for (int i = 0; i < 2; i++) {
		caps.half[i].effective &= mask[i];
		caps.half[i].permitted &= mask[i];
		caps.half[i].inheritable = 0;
	}
	return syscall(SYS_capset, &caps.header, caps.half) ? -errno : 0;
}
