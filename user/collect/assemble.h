/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* From a snapshot to the model: names for the pcs, kinds and objects for the waits, ages. */
#ifndef COLLECT_ASSEMBLE_H
#define COLLECT_ASSEMBLE_H

#include "base/err.h"
#include "collect/snapshot.h"
#include "model/model.h"

#define ASSEMBLE_OP_UNKNOWN UINT64_MAX
#define ASSEMBLE_OP_STOPPED (UINT64_MAX - 1)

/* What a recording adds to a snapshot; without .ops it is still a snapshot. */
struct assemble_spans {
	/* Adds the spans to @model; @thread_of_entry gives each of the snapshot's entries its
	 * thread (MODEL_NONE: none). Returns 0 or -errno. */
	int (*add)(void *arg, struct model *model, const uint32_t *thread_of_entry);
	/* Returns number @i of the address spaces that stacks of process @tgid were walked in, NULL
	 * behind the last one. After .add. NULL: the snapshot's own are all there are. */
	struct target *(*space)(void *arg, uint32_t tgid, uint32_t i);
	/* Closes the files of that one, unless stacks of other processes were walked in it too that
	 * are not named yet. */
	void (*close_space)(void *arg, uint32_t tgid, uint32_t i);
	void *arg;
	const struct vec *ops; /* uint64_t, by span: the system call's second argument, or
				* ASSEMBLE_OP_UNKNOWN: nothing is known of what it was in;
				* ASSEMBLE_OP_STOPPED: it was stopped */
};

/* Fills the empty @model with what @snapshot saw, and @spans if any; closes the targets.
 * Returns 0, or -errno with @err set. */
int assemble_model(struct snapshot *snapshot, const struct assemble_spans *spans,
		   struct model *model, struct err *err);

#endif
