/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What bounds how many threads a process can have: of its user, its cgroups, and the kernel. */
#ifndef PROC_LIMITS_H
#define PROC_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/table.h"
#include "base/vec.h"

#define LIMIT_NAME_BYTES 256
#define LIMITS_MAX 80 /* of one process: a cgroup and those above it have one each */

enum thread_limit_of {
	THREAD_LIMIT_OF_USER,	/* RLIMIT_NPROC */
	THREAD_LIMIT_OF_CGROUP, /* pids.max */
	THREAD_LIMIT_OF_KERNEL, /* kernel.threads-max */
	THREAD_LIMIT_OF_PIDS,	/* kernel.pid_max */
};

struct thread_limit {
	enum thread_limit_of of;
	uint64_t max, used; /* threads: the process's and those that share the limit with it */
	char name[LIMIT_NAME_BYTES]; /* of the cgroup: its path; else "" */
};

/* Where the limits are read. */
struct limits {
	const char *proc;	      /* directory; borrowed */
	struct table threads_by_user; /* once they were counted */
	bool has_counted;
};

/* @proc: the directory of a procfs, such as "/proc". */
void limits_init(struct limits *limits, const char *proc);
void limits_release(struct limits *limits);

/* Appends the limits that hold for process @tgid, those that are known, to @ret (struct
 * thread_limit). Returns 0, -E2BIG or -ENOMEM. */
int limits_read(struct limits *limits, pid_t tgid, struct vec *ret);

#endif
