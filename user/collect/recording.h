/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A recording in the making, for the files that make it. */
#ifndef COLLECT_RECORDING_H
#define COLLECT_RECORDING_H

#include "capture/capture.h"
#include "capture/recorder.h"
#include "collect/arrivals.h"
#include "collect/book.h"
#include "collect/futexes.h"
#include "collect/kstacks.h"
#include "collect/record.h"
#include "collect/snapshot.h"
#include "collect/spaces.h"

/* A recording in the making. */
struct recording {
	const struct record_options *options;
	struct recorder *recorder;
	struct capture *capture;
	struct snapshot snapshot;
	struct spaces spaces;
	bool has_spaces;
	struct book book;
	struct kstacks kstacks;
	struct arrivals arrivals;
	struct futexes futexes;
	struct vec ended; /* struct wire_exit */
	struct vec runs;  /* struct living_run */
	/* uint32_t: by entry of the snapshot, the index of its run in .ended and .runs, in this
	 * order; UINT32_MAX: it has none. Once settled. */
	struct vec run_of_entry;
	struct walk walk;
	capture_visit *visit; /* takes in what comes: recording_on_event, or who goes before it */
	void *visit_arg;
	struct table shown; /* ids of the stacks that other loiters are shown */
	struct wire_birth_stack shown_stack;
};

struct living_run {
	uint32_t tid;
	struct wire_run run;
};

/* Begin the window: with processes that are there already, whose snapshot is left in .snapshot; or
 * with a program that has not begun, all of whose threads are still to be born. Return 0, or -errno
 * with @err set. */
int recording_begin(struct recording *recording, struct err *err);
int recording_begin_child(struct recording *recording, struct err *err);

/* Takes in what comes until the window is over. Returns 0, or -errno with @err set. */
int recording_follow(struct recording *recording, struct err *err);

/* Whether there is nothing to record any more: the program, or every process, has ended. */
bool recording_is_over(const struct recording *recording);

/* Watches the processes that have come to the targets' cgroups, if any, from now on, and looks at
 * them in place of those before. Writes since when to @ret_since_ns (CLOCK_MONOTONIC), 0 when there
 * are none. Returns 0, or -errno with @err set. */
int recording_watch_arrivals(struct recording *recording, uint64_t *ret_since_ns, struct err *err);

/* Takes in one record; a capture_visit with the recording as its argument. */
int recording_on_event(void *recording, const struct wire_record *record);

/* Lets other loiters know who created a thread; a process begins with its creator's code. */
void recording_on_birth(struct recording *recording, const struct wire_birth *birth);

/* Adds what the programs lost to the snapshot's losses. */
void recording_add_losses(struct recording *recording);

/* Writes the index of the snapshot's target of process @tgid, which is made when it is new, to
 * @ret. Returns 0, -E2BIG (a maximum is reached) or -ENOMEM. */
int recording_target(struct recording *recording, uint32_t tgid, uint64_t start_ns, uint32_t *ret);

/* Looks at the threads that are still blocked since the window, where it is not known: once the
 * programs have stopped and what they told is read, into .runs too. Returns 0 or -ENOMEM. */
int recording_look_last(struct recording *recording);

/* For recording_look_last: whether @entry of @late, a snapshot taken after the window, shows the
 * block that @run is in, since the thread has not run, and more of its stack than is known. */
bool recording_shows_block(const struct recording *recording, const struct snapshot *late,
			   const struct entry *entry, const struct wire_run *run);

/* Makes the snapshot's entries complete, one for each thread that lived in the window: at once when
 * .runs is read, since it reads of those that live what they are. Returns 0 or -errno. */
int recording_settle(struct recording *recording);

/* Books what is in no sum of the kernel's, once settled. Returns 0 or -errno. */
int recording_book_runs(struct recording *recording);

#endif
