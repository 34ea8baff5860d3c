/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which processes a command looks at, and with what power. */
#ifndef CLI_TARGETS_H
#define CLI_TARGETS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/vec.h"
#include "cli/options.h"

/* The processes that are named by options. */
struct targets {
	struct vec tgids;   /* pid_t, each once; empty: every process */
	struct vec cgroups; /* struct cgroup: the --cgroup, whose processes are in .tgids too */
};

/* Initialises @targets with the -p of @options, checked, and what the -n and --cgroup stand for.
 * Released in any case. Returns 0, or -errno with @err set. */
int targets_find(const struct options *options, struct targets *targets, struct err *err);
void targets_release(struct targets *targets);

/* Gives up, for good, every capability but those that reading the targets' memory and files takes,
 * and, with @observing, those that looking at threads by BPF takes. Returns 0, or -errno with @err
 * set. */
int targets_drop_power(bool observing, struct err *err);

#endif
