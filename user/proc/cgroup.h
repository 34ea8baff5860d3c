/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Cgroups by name, and the processes in them. A cgroup is a directory; the ones below it are part
 * of it. Others make and remove them, and move processes about, at any time.
 */
#ifndef PROC_CGROUP_H
#define PROC_CGROUP_H

#include <stdio.h>

#include "base/err.h"
#include "base/vec.h"

#define CGROUP_PATH_BYTES 4096
#define CGROUP_MAX 65536 /* in one tree */
#define CGROUP_DEPTH_MAX 64

struct cgroup {
	char path[CGROUP_PATH_BYTES]; /* of its directory */
};

/* Finds the cgroup @name: the path of its directory, or its path in the hierarchy as systemd and
 * /proc/PID/cgroup tell it, with or without the '/' at its start. The hierarchy of version 2 is
 * asked first, then those of version 1. Returns 0, or -errno with @err set (-ENOENT: there is none,
 * -EINVAL: a directory, but no cgroup's). */
int cgroup_find(const char *name, struct cgroup *ret, struct err *err);

/* As cgroup_find, for a path in the hierarchies that the lines of @mounts, in the form of
 * /proc/self/mounts, tell of. Returns 0 or -ENOENT. */
int cgroup_find_below(FILE *mounts, const char *name, struct cgroup *ret);

/* Appends to @tgids (pid_t) what cgroup.procs lists, in @cgroup and those below: kernel threads and
 * zombies too, one that moves meanwhile more than once. Returns 0 or -errno: -ENOENT (it is gone),
 * -EOPNOTSUPP (a threaded cgroup has no processes of its own), -E2BIG (a maximum was reached). */
int cgroup_read(const struct cgroup *cgroup, struct vec *tgids);

/* Appends the ids that @text, a cgroup.procs, has a line of. Returns 0, -E2BIG or -ENOMEM. */
int cgroup_parse_procs(const char *text, struct vec *tgids);

#endif
