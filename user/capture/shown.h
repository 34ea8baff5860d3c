/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What other loiters, which record at the moment, show of the births of threads: found by the names
 * of their BPF maps (bpf_map_get_next_id, which takes CAP_SYS_ADMIN). Anybody who may make BPF maps
 * could have made them: what is read is checked as everything else.
 */
#ifndef CAPTURE_SHOWN_H
#define CAPTURE_SHOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/wire.h"

struct shown;

/* Returns what is shown now, or NULL when nobody records, or it cannot be known. */
struct shown *shown_open(void);
void shown_close(struct shown *shown);

/* Writes the birth of thread @tid, which began at @start_ns (CLOCK_BOOTTIME), to @ret. Returns
 * whether somebody saw it. */
bool shown_birth(const struct shown *shown, uint32_t tid, uint64_t start_ns,
		 struct wire_birth *ret);

/* Writes the stack @id to @ret. Returns whether there is one. */
bool shown_stack(const struct shown *shown, uint64_t id, struct wire_birth_stack *ret);

#endif
