/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A recording of futex calls with all that its reports can meet: a lock that many take and give
 * back, at more stacks than are shown; a condition variable that nobody signals; every kind of
 * call; a second process with hostile names, stacks that end early, and none.
 */
#ifndef UNIT_FUTEX_SAMPLE_H
#define UNIT_FUTEX_SAMPLE_H

#include "model/model.h"
#include "report_sample.h"

/* Adds the calls @futex, named @name (NULL: not known). */
void sample_futex(struct model *model, const struct model_futex *futex, const char *name);

/* Sets up @model, uninitialised, with the whole sample, sorted. */
void futex_sample_fill(struct model *model);

#endif
