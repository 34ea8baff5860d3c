/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What a blocked thread waits for, in words: "fd 7 (socket tcp 127.0.0.1:6379 -> 127.0.0.1:51234)",
 * "futex 0x55d1c0de4010 (cancel_cond+0x28)", "thread 314", and how much of a timeout is left.
 */
#ifndef COLLECT_WAIT_OBJECT_H
#define COLLECT_WAIT_OBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "collect/peers.h"
#include "model/wait.h"
#include "proc/maps.h"
#include "symbolize/symbolize.h"

struct wait_objects; /* what was looked up for one process, so that each is looked up once */

/* Returns a table for process @tgid, or NULL with @err set. All arguments are borrowed. */
struct wait_objects *wait_objects_new(pid_t tgid, const struct maps *maps,
				      struct symbolizer *symbolizer, struct err *err);
void wait_objects_free(struct wait_objects *objects);

/* Lets @objects use @peers, borrowed, which all processes of a run can share; else it has its own.
 */
void wait_objects_use_peers(struct wait_objects *objects, struct peers *peers);

/* Adds thread @tid of the process, whose stack pointer is @sp: what is on its stack is told as
 * that.
 */
void wait_objects_add_stack(struct wait_objects *objects, uint32_t tid, uint64_t sp);

struct wait_request {
	pid_t tid;
	enum wait_kind kind;
	const struct wait_evidence *evidence;
	uint64_t age_ns;  /* since it blocked: what has passed of a relative timeout */
	uint64_t mono_ns; /* CLOCK_MONOTONIC of the snapshot: for absolute timeouts */
	uint64_t wall_ns; /* CLOCK_REALTIME of the snapshot */
};

struct wait_answer {
	char object[256]; /* "" when there is nothing to say */
	int64_t timeout_left_ns;
	bool has_timeout;
	bool timeout_was_read; /* from the target's memory, where another one may be by now */
	bool unreadable;       /* something of the target could not be read: a loss */
};

/* Fills @ret_answer for one blocked thread. Always succeeds: what cannot be had is left out. */
void wait_objects_describe(struct wait_objects *objects, const struct wait_request *request,
			   struct wait_answer *ret_answer);

#endif
