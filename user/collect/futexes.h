/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The futex calls of a recording: the kernel's sums, and those waits that are in none since they
 * had not ended. Stacks are the book's.
 */
#ifndef COLLECT_FUTEXES_H
#define COLLECT_FUTEXES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "base/vec.h"
#include "bpf/wire.h"
#include "capture/recorder.h"
#include "collect/book.h"
#include "model/model.h"

struct futexes {
	struct book *book;	  /* borrowed */
	struct vec lines;	  /* struct futex_line */
	struct table line_by_key; /* -> index in .lines */
	struct table noted;	  /* thread ids whose last wait the kernel noted -> 1 */
	uint64_t no_stack_cnt;	  /* calls whose stack is not known */
};

/* All calls at one stack, of one kind for one futex. */
struct futex_line {
	uint64_t addr;
	uint32_t tgid;
	uint32_t op; /* enum wire_futex_op */
	bool is_shared;
	bool from_snapshot; /* .stack is one of the snapshot's */
	uint32_t stack;	    /* STACKSET_NONE: not known */
	uint32_t entry;	    /* of the snapshot, when .from_snapshot */
	uint32_t open_cnt;
	uint32_t model_idx; /* in the model's futexes; MODEL_NONE */
	struct wire_futex sum;
};

void futexes_init(struct futexes *futexes, struct book *book);
void futexes_release(struct futexes *futexes);

/* Books what the kernel kept: its sums, and the waits that have not ended. Returns 0 or -errno. */
int futexes_read(struct futexes *futexes, struct recorder *recorder);

/* Books the wait that a living thread, entry @entry of the snapshot, is in for the whole window, if
 * it is in any; after futexes_read. Returns 0 or -errno. */
int futexes_add_untouched(struct futexes *futexes, uint32_t entry);

/* Adds it all to @model, in which the processes are, with the names of the futexes. Nothing can be
 * added any more. Returns 0 or -errno. */
int futexes_to_model(struct futexes *futexes, struct model *model);

/* Returns what @line's stack was walked in, with its innermost pc in @ret_pc; NULL when it has
 * none. */
const struct target *futex_line_target(const struct futexes *futexes, const struct futex_line *line,
				       uint64_t *ret_pc);

/* -- futex_names.c -- */

/* Names the futexes that the lines, which are by process, added to @model: "cancel_cond+0x28",
 * "heap", "stack of thread 314", or the file that is mapped there. */
void futexes_name(const struct futexes *futexes, struct model *model);

#endif
