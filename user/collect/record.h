/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A recording: where the targets' threads spend their time over a window. Blocks are added up in
 * the kernel as they end; those that were open at either end of the window are booked here, so that
 * a block that never ends has its whole time.
 */
#ifndef COLLECT_RECORD_H
#define COLLECT_RECORD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "model/model.h"
#include "proc/child.h"

/* Walks of the kernel that were done again in user space, from a copy of the stack. */
struct record_verify {
	uint64_t checked_cnt;
	uint64_t wrong_cnt;
};

struct record_options {
	const pid_t *tgids;
	uint32_t tgid_cnt;   /* 0: every process */
	struct child *child; /* a program to run and record from birth, its pid .tgids; or NULL */
	const struct vec *cgroups; /* struct cgroup: what comes to be in them is recorded from
				    * then on, until the time is over; NULL */
	uint64_t duration_ns;	   /* 0: until stopped */
	uint32_t sample_hz;	   /* of the CPU clock; 0: none */
	uint64_t min_block_ns;
	bool births_only;      /* of births_take and leaks_take */
	bool deaths;	       /* of leaks_take */
	bool wakers;	       /* who woke them, by stack */
	bool kernel;	       /* the kernel's part of stacks too */
	bool futexes;	       /* futex calls as well */
	uint32_t verify_every; /* one of so many walks is done again in user space; 0: none */
	struct record_verify *ret_verify;  /* what came of it; NULL with .verify_every 0 */
	const volatile sig_atomic_t *stop; /* set by a signal handler: end now and report */
};

struct recording;

/* Loads and attaches what @options, borrowed until recording_free, need, which takes more power
 * than all that follows. Returns NULL with @err set. */
struct recording *recording_new(const struct record_options *options, struct err *err);

/* Takes NULL too. */
void recording_free(struct recording *recording);

/* Records and fills the empty @model, once. Ends early when the last target exits or *@stop is set.
 * Returns 0, or -errno with @err set. */
int record_take(struct recording *recording, struct model *model, struct err *err);

#endif
