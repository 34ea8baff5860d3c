/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A run of leaks_take, for the files that make it. */
#ifndef COLLECT_LEAKS_RUN_H
#define COLLECT_LEAKS_RUN_H

#include "collect/cohorts.h"
#include "collect/leaks.h"
#include "collect/recording.h"

struct leaks_run {
	const struct leaks_options *options;
	struct recording *recording; /* its snapshot is that of the last look */
	struct cohorts cohorts;
	struct vec arrived;	/* pid_t: to be looked at for the first time */
	uint64_t start_boot_ns; /* of the window */
	uint64_t end_boot_ns;
	/* CLOCK_MONOTONIC: */
	uint64_t next_look_ns, next_tell_ns, next_check_ns;
	uint32_t spaces_kept; /* address spaces that were in use when it was last asked */
};

/* Adds the threads that their process ended with to the last look's. Returns 0 or -errno. */
int leaks_add_left(struct leaks_run *run);

/* The .add, .space and .close_space of struct assemble_spans. */
int leaks_to_model(void *run, struct model *model, const uint32_t *thread_of_entry);
struct target *leaks_space(void *run, uint32_t tgid, uint32_t i);
void leaks_close_space(void *run, uint32_t tgid, uint32_t i);

#endif
