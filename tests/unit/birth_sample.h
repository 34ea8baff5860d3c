/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Births for the samples of reports: creators of every kind, also such as only a capture that was
 * tampered with can have. */
#ifndef UNIT_BIRTH_SAMPLE_H
#define UNIT_BIRTH_SAMPLE_H

#include "model/model.h"

/* Who created threads. */
struct sample_creator {
	uint32_t tgid, tid;
	const char *comm;
	uint32_t stack; /* MODEL_NONE: none */
};

/* Gives thread @tid of @model, which is not sorted yet, its birth. */
void sample_birth(struct model *model, uint32_t tid, const struct sample_creator *creator);

/* Adds a stack of @process in which start_threads of the demo server creates a thread. */
uint32_t sample_start_threads(struct model *model, uint32_t process);

/* Gives births to half of the threads of the demo server and of the odd process, by their indices
 * in @model. */
void sample_births(struct model *model, uint32_t server, uint32_t odd);

#endif
