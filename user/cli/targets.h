/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which processes a command looks at, and with what power. */
#ifndef CLI_TARGETS_H
#define CLI_TARGETS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/vec.h"
#include "cli/options.h"

/* Initialises @tgids (pid_t) with the -p of @options, checked, and what the -n stand for; empty for
 * every process. The caller releases it in any case. Returns 0, or -errno with @err set. */
int targets_find(const struct options *options, struct vec *tgids, struct err *err);

/* Gives up, for good, every capability but those that reading the targets' memory and files takes,
 * and, with @observing, those that looking at threads by BPF takes. Returns 0, or -errno with @err
 * set. */
int targets_drop_power(bool observing, struct err *err);

#endif
