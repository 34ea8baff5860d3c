/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What the formats of this room share: one function each, and the parts that several print. */
#ifndef REPORT_FORMATS_H
#define REPORT_FORMATS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "report/filter.h"
#include "report/frames.h"
#include "report/report.h"

/* Escape sequences, or "" without colour. */
struct report_style {
	const char *title, *wait, *mark, *place, *reset;
};

/* One report while it is printed. */
struct report {
	const struct model *model;
	const struct report_options *options;
	const struct report_style *style;
	FILE *out;
	struct frames frames; /* of the stack being printed */
	struct buf line;      /* being put together */
};

/* Each prints the whole model. Returns 0 or -errno. */
int report_text(struct report *report);
int report_threads(struct report *report);
int report_go(struct report *report);
int report_folded(struct report *report);
int report_json(struct report *report);
int report_pprof(struct report *report); /* a recording too */
int report_html(struct report *report);

/* Likewise of a recording. */
int record_text(struct report *report);
int record_folded(struct report *report);
int record_json(struct report *report); /* by futex too */
int record_html(struct report *report);

/* Likewise of a recording's futexes. */
int futex_text(struct report *report);
int futex_folded(struct report *report);

/* Likewise of threads counted by cohort. */
int leak_text(struct report *report);
int leak_folded(struct report *report);
int leak_json(struct report *report);
int leak_html(struct report *report);

/* Returns the name of a wait: "cond wait", the system call's own name, or the state. May hold what
 * a capture file chose: to be cleaned. */
const char *wait_words(const struct model *model, enum wait_kind wait, uint32_t syscall,
		       enum thread_state state);

/* Returns "running", "runnable", "blocked", "stopped" or "zombie". */
const char *state_name(enum thread_state state);

/* Whether the age of a thread says anything. */
static inline bool state_has_age(enum thread_state state)
{
	return state != THREAD_RUNNING;
}

/* Prints "server (pid 73825), 27 threads". */
void put_process_title(const struct report *report, const struct model_process *process);

/* Returns "none stopped", with " by loiter" when somebody else, say with SIGSTOP, stopped one. */
const char *stopped_words(const struct model *model, const struct model_process *process);

/* Prints "server (pid 73825), 27 threads at 16:30:47, none stopped", or of several processes of one
 * name "server (pids 73825 to 73829), 5 threads ...". */
void put_heading(const struct report *report, const uint32_t *processes, uint32_t process_cnt,
		 const struct filter_counts *counts);

/* Whether a section of which the filters leave nothing is only counted: where there are others. */
bool is_left_out(const struct report *report, const struct filter_counts *counts);

/* Prints how many processes were left out, when any were, behind an empty line unless it is the
 * @first. */
void put_left_out(const struct report *report, uint32_t process_cnt, bool first);

/* Prints the ids that @id_at gives for 0..@cnt-1, which ascend: "314 to 318, 402 and 7 more". */
void put_ids(const struct report *report, uint32_t (*id_at)(const void *arg, uint32_t idx),
	     const void *arg, uint32_t cnt);

/* Prints the losses, when there are any, behind an empty line. */
void put_losses(const struct report *report);

/* How a format writes a frame: its function, then a line with its place after one tab more. */
struct frame_form {
	const char *indent;
	const char
		*call; /* behind the function: "(...)" stands for its parameters; "" keeps them */
	bool all;      /* plumbing too */
	bool full_paths;
};

/* Prints kernel stack @kstack and user stack @stack, with what is wrong with them; @why_none when
 * there is no user stack. Leaves the user stack loaded. Returns 0 or -ENOMEM. */
int put_stacks(struct report *report, uint32_t stack, uint32_t kstack, const char *why_none,
	       const struct frame_form *form);

/* Prints frames @first to before @end of the user stack that is loaded, and what is wrong with it.
 * Returns 0 or -ENOMEM. */
int put_frames(struct report *report, uint32_t first, uint32_t end, const struct frame_form *form);

/* Prints the line with the place of @ref, when any is known. Returns 0 or -ENOMEM. */
int put_frame_place(struct report *report, const struct frame_ref *ref,
		    const struct frame_form *form);

/* Returns why a thread of a snapshot has no user stack. */
static inline const char *why_no_stack(bool raced)
{
	return raced ? "no stack: ran all the time" : "no user stack";
}

#endif
