/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What programs are attached to by perf: the CPU clock of every CPU, and tracepoints. Links are
 * kept in a vec of struct bpf_link *. */
#ifndef CAPTURE_LINKS_H
#define CAPTURE_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"

struct bpf_program;

/* Attaches @program to the clock of every CPU that is online, @hz times a second each, which runs
 * from then on; adds to @links, and what links_run_clock takes to @fds (int; NULL). On a failure
 * none is left. Returns 0, or -errno with @err set. */
int links_add_clock(struct vec *links, struct vec *fds, const struct bpf_program *program,
		    uint32_t hz, struct err *err);

/* Lets the clocks of @fds run or rest, which takes no privilege. */
void links_run_clock(const struct vec *fds, bool run);

/* Attaches @program to the tracepoint of number @id; adds to @links. Returns 0 or -errno. */
int links_add_tracepoint(struct vec *links, const struct bpf_program *program, uint32_t id);

/* Detaches all of @links and empties it. */
void links_destroy(struct vec *links);

/* Returns what to add to the error @code of opening a perf event: the reason that is not in it, or
 * nothing. Debian and Ubuntu add levels to kernel.perf_event_paranoid, which ends with 2 in the
 * mainline, on which nobody without CAP_SYS_ADMIN may open one. */
const char *links_doubt(int code);

#endif
