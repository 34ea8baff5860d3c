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

/* Attaches @program to the clock of every CPU that is online, @hz times a second each; adds to
 * @links. On a failure none of them is left. Returns 0, or -errno with @err set. */
int links_add_clock(struct vec *links, const struct bpf_program *program, uint32_t hz,
		    struct err *err);

/* Attaches @program to the tracepoint of number @id; adds to @links. Returns 0 or -errno. */
int links_add_tracepoint(struct vec *links, const struct bpf_program *program, uint32_t id);

/* Detaches all of @links and empties it. */
void links_destroy(struct vec *links);

/* Whether this kernel lets nobody without CAP_SYS_ADMIN open a perf event: levels of
 * kernel.perf_event_paranoid that Debian and Ubuntu add to the kernel's own, which end with 2. */
bool links_need_admin(void);

#endif
