/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Processes that come to be in the targets' cgroups while these are recorded: moved there, or
 * started there by somebody who is no target. (What a target forks is a target from its birth on,
 * without any of this.)
 */
#ifndef COLLECT_ARRIVALS_H
#define COLLECT_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "base/vec.h"
#include "capture/recorder.h"

struct arrivals {
	const struct vec *cgroups; /* struct cgroup; borrowed; NULL: none */
	struct recorder *recorder; /* borrowed */
	struct vec tgids;	   /* pid_t: those of the last arrivals_find */
	struct vec since;	   /* uint64_t CLOCK_MONOTONIC: from when on they are watched */
	struct table since_by_tgid;
	uint64_t next_ns; /* when to look again */
	bool over_max;	  /* there were more than could be read */
};

void arrivals_init(struct arrivals *arrivals, const struct vec *cgroups, struct recorder *recorder);
void arrivals_release(struct arrivals *arrivals);

/* Looks, when it is time to, for processes that are not watched yet, into .tgids. Returns how many
 * there are. */
uint32_t arrivals_find(struct arrivals *arrivals);

/* Watches those in .tgids from now on. Returns since when (CLOCK_MONOTONIC). */
uint64_t arrivals_watch(struct arrivals *arrivals);

/* Returns since when process @tgid is watched; 0: since the recording began, or its birth. */
uint64_t arrivals_since(const struct arrivals *arrivals, uint32_t tgid);

#endif
