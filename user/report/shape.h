/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Stacks by what a report shows of them: those that differ only in frames that are not shown have
 * one shape, which is named by the first of them.
 */
#ifndef REPORT_SHAPE_H
#define REPORT_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "model/model.h"
#include "report/frames.h"

/* Which frames count. */
enum shape_of {
	SHAPE_OF_ALL,		/* every frame */
	SHAPE_OF_USER,		/* the user's own */
	SHAPE_OF_USER_AND_ROOT, /* and those that started the thread */
	SHAPE_OF_CREATOR,	/* the user's own, of a thread that creates another */
};

struct shapes {
	const struct model *model;
	enum shape_of of;
	bool by_line; /* instructions of one line are alike; set behind shapes_init */
	struct table by_hash;
	struct frames frames, other;
	uint32_t *by_stack; /* the first stack with equal frames; MODEL_NONE: not asked */
};

/* Prepares for the stacks of @model. Returns 0 or -ENOMEM; released in either case. */
int shapes_init(struct shapes *shapes, const struct model *model, enum shape_of of);
void shapes_release(struct shapes *shapes);

/* Writes to @ret_shape the first stack whose shown frames equal those of @stack; MODEL_NONE for
 * MODEL_NONE. Returns 0 or -ENOMEM. */
int shapes_find(struct shapes *shapes, uint32_t stack, uint32_t *ret_shape);

#endif
