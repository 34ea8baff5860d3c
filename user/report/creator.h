/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Who created threads, as a key to group them by: the creator's own frames, or its tid where none
 * of them are known.
 */
#ifndef REPORT_CREATOR_H
#define REPORT_CREATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"
#include "report/shape.h"

/* What threads have in common that were created alike. */
struct creator {
	uint32_t stack; /* its shape; MODEL_NONE: not known */
	uint32_t tid;	/* where no function of its own is known; else 0 */
	uint32_t tgid;	/* where it is of another process; else 0 */
	bool known;
};

struct creators {
	struct shapes shapes;
	/* Of the stack that was asked for last: threads come in runs. */
	uint32_t stack, shape;
	bool has_own;
};

/* Prepares for the threads of @model, whose creators are told apart by the frames that are their
 * own, or by all. Returns 0 or -ENOMEM; released in either case. */
int creators_init(struct creators *creators, const struct model *model, bool all);
void creators_release(struct creators *creators);

/* Writes to @ret who created @thread. Returns 0 or -ENOMEM. */
int creators_find(struct creators *creators, const struct model_thread *thread,
		  struct creator *ret);

bool creator_equals(const struct creator *a, const struct creator *b);
uint64_t creator_hash(const struct creator *creator);

/* Whether @birth, of @thread, was in another process than the thread's. */
bool creator_is_foreign(const struct model *model, const struct model_thread *thread,
			const struct model_birth *birth);

#endif
