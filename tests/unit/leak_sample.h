/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Threads counted for half a minute, with all that a report of leaks can meet: the demo's server,
 * which leaks and serves, a batch of jobs of which one in a thousand never ends, and a process with
 * a hostile name and stacks that are not whole, which has ended.
 */
#ifndef UNIT_LEAK_SAMPLE_H
#define UNIT_LEAK_SAMPLE_H

#include "model/model.h"
#include "report_sample.h"

#define LEAK_SAMPLE_WINDOW_S 30
#define LEAK_SAMPLE_POINT_CNT 7

/* Sets up @model, uninitialised, with the whole sample, sorted. */
void leak_sample_fill(struct model *model);

/* Likewise the server alone, an hour later, as a dump: with more of one group, fewer of another,
 * and those that are stuck where they were. */
void leak_sample_fill_before(struct model *model);
void leak_sample_fill_after(struct model *model);

#endif
