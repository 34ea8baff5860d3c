/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Which threads come and which go, over a while: the creation and the end of each are counted by
 * the stack that it was created at, and looks at those that live tell where they are, and whether
 * they run. The scheduler is not watched.
 */
#ifndef COLLECT_LEAKS_H
#define COLLECT_LEAKS_H

#include "base/err.h"
#include "collect/record.h"
#include "model/model.h"

/* How it stands, while it goes on. */
struct leaks_news {
	uint64_t passed_ns;   /* since the start */
	uint64_t alive;	      /* threads */
	uint64_t born, ended; /* since the start */
};

struct leaks_options {
	uint32_t until_alive;	/* ends when a process has so many threads; 0: never */
	uint64_t tell_every_ns; /* calls .tell so often; 0: never */
	void (*tell)(void *arg, const struct leaks_news *news);
	void *tell_arg;
};

/* Counts with a @recording that has .births_only and .deaths, and fills the empty @model with a
 * snapshot of the end and its threads' cohorts, once. Ends early when the last process does, or
 * *.stop of the recording's options is set. Returns 0, or -errno with @err set. */
int leaks_take(struct recording *recording, const struct leaks_options *options,
	       struct model *model, struct err *err);

#endif
