/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Thread ids in a target's memory and arguments are those of its own PID namespace; here they are
 * turned into ours, by the NSpid lines of /proc/PID/task/TID/status.
 */
#ifndef PROC_PIDNS_H
#define PROC_PIDNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/table.h"

/* Whether @tgid lives in a PID namespace below the one of our /proc. */
bool pidns_is_nested(pid_t tgid);

/* Adds every thread of @tgid to @threads: its id in its own namespace -> ours. Threads beyond the
 * table's maximum are left out. Returns 0 or -errno. */
int pidns_read_threads(pid_t tgid, struct table *threads);

/* Parses the NSpid line of a status file's @text. Returns how many ids it has, 0 when there is no
 * such line, and writes the innermost to @ret_innermost when there is. */
uint32_t pidns_parse_status(const char *text, uint32_t *ret_innermost);

#endif
