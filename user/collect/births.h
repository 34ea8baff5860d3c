/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A snapshot of a program that was watched from its birth: every thread has its creator. */
#ifndef COLLECT_BIRTHS_H
#define COLLECT_BIRTHS_H

#include "base/err.h"
#include "base/vec.h"
#include "collect/record.h"
#include "collect/snapshot.h"

/* Runs the program of a @recording with .child and .births_only, waits as a recording would, and
 * fills the empty @model with a snapshot of it and of the processes that it forked.
 * Returns 0, or -errno with @err set. */
int births_take(struct recording *recording, struct model *model, struct err *err);

/* What other loiters, which record at the moment, know of the threads of a snapshot. */
struct births {
	const struct snapshot *snapshot; /* borrowed */
	struct vec births;		 /* struct found_birth */
	struct vec stacks;		 /* struct wire_birth_stack */
};

/* Asks them. Takes the privileges of bpf_map_get_next_id(2), and finds nothing without. */
void births_find(struct births *births, const struct snapshot *snapshot);
void births_release(struct births *births);

/* The .add of struct assemble_spans. */
int births_to_model(void *births, struct model *model, const uint32_t *thread_of_entry);

#endif
