/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * loiter's BPF programs: loaded, attached, read. Nothing is pinned: when the process ends, however
 * it ends, the kernel removes all of it.
 *
 *   life cycle  capture_new, capture_retarget, capture_free
 *   threads     capture_read_tasks, capture_read_every_task, capture_read_thread,
 *               capture_read_self
 *   running     capture_sample_start, capture_sample_poll, capture_sample_stop
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "wire/event.h"

struct capture;

struct capture_options {
	const pid_t *tgids; /* borrowed during capture_new; NULL with .tgid_cnt 0: every process */
	uint32_t tgid_cnt;
	bool kstacks;	 /* kernel stacks too */
	bool keep_clock; /* open it now: capture_sample_start will come with less power */
};

/* What the kernel side could not deliver. */
struct capture_losses {
	uint64_t bad_records;
	uint64_t dropped_samples;
};

/* Called for each record; a negative return ends the reading and is passed on. @record is valid
 * during the call. */
typedef int capture_visit(void *arg, const struct wire_record *record);

/* Loads the programs and attaches the task iterator. Returns NULL with @err set, naming what is
 * missing and what to do: capabilities, BTF, kernel features. */
struct capture *capture_new(const struct capture_options *options, struct err *err);
void capture_free(struct capture *capture);

/* Looks at the @tgid_cnt processes @tgids, at least one, in place of those before. Returns 0 or
 * -errno with @err set. */
int capture_retarget(struct capture *capture, const pid_t *tgids, uint32_t tgid_cnt,
		     struct err *err);

/* Visits every thread of the targets once, in the order of the kernel's walk, each with its kernel
 * stack behind it when asked for. When a thread ends meanwhile, the kernel's walk over a single
 * process may end with it, and those behind it are missed.
 * Returns 0, or the visitor's error or -errno with @err set. */
int capture_read_tasks(struct capture *capture, capture_visit *visit, void *arg, struct err *err);

/* As capture_read_tasks, but misses none: goes through all threads of the machine. */
int capture_read_every_task(struct capture *capture, capture_visit *visit, void *arg,
			    struct err *err);

/* Whether single threads can be visited: this kernel's iterator takes a filter. */
bool capture_can_read_thread(const struct capture *capture);

/* Visits thread @tid of a target alone. Returns 0, the visitor's error, -ESRCH or -errno. */
int capture_read_thread(struct capture *capture, pid_t tid, capture_visit *visit, void *arg);

/* Reads the record of the calling thread. Returns 0 or -errno. */
int capture_read_self(struct capture *capture, struct wire_task *ret);

/* Starts the CPU clock on every CPU, and with it a window in which each running thread is sampled
 * once. Returns 0 or -errno with @err set. */
int capture_sample_start(struct capture *capture, struct err *err);

/* Waits up to @timeout_ms for samples and visits those that came. Returns 0 or -errno. */
int capture_sample_poll(struct capture *capture, int timeout_ms, capture_visit *visit, void *arg);

/* Stops the clock. What was sampled before can still be polled, with a timeout of 0, until the next
 * start. */
void capture_sample_stop(struct capture *capture);

struct capture_losses capture_losses(const struct capture *capture);

#endif
