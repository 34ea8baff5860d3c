/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A small model that has one of everything: every field is set in some element of it. */
#ifndef UNIT_SAMPLE_MODEL_H
#define UNIT_SAMPLE_MODEL_H

#include "model/model.h"

/* Fills @model, uninitialised, with two processes and seven threads, sorted. */
void sample_model(struct model *model);

/* As sample_model, with three spans a thread, in 10 s, a mapping of each process, and two
 * kinds of futex calls. */
void sample_recording(struct model *model);

/* As sample_model, with threads counted for 10 s: two cohorts, and a limit. */
void sample_leaks(struct model *model);

#endif
