/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A model as text, in one of the formats of docs/OUTPUT.md. Pure: the same model and options give
 * the same bytes, live and from a capture, on any machine.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "model/model.h"

enum report_format {
	REPORT_TEXT,	/* grouped by identical stack */
	REPORT_THREADS, /* one block a thread */
	REPORT_GO,	/* strictly as Go's debug=2 */
	REPORT_FOLDED,	/* for flamegraph.pl */
	REPORT_JSON,
	REPORT_PPROF, /* profile.proto, gzip'd: for 'go tool pprof' */
	REPORT_HTML,  /* one file for a browser */
	REPORT_FORMAT_CNT,
};

/* What a model is of. */
enum report_of {
	REPORT_OF_DUMP = 0,
	REPORT_OF_RECORDING = 1,
	REPORT_OF_LEAKS = 2, /* threads counted by cohort */
	REPORT_OF_CNT,
};

/* What the report of a recording is of. */
enum report_by {
	REPORT_BY_BLOCKED,   /* time from the switch out to the wakeup */
	REPORT_BY_RUN_QUEUE, /* time from the wakeup to the switch in */
	REPORT_BY_WAKER,     /* as REPORT_BY_BLOCKED, with the waker's stack above */
	REPORT_BY_ON_CPU,
	REPORT_BY_WALL,	 /* all of them: a thread's times add up to the window */
	REPORT_BY_FUTEX, /* of futex calls: who waits for which, and who wakes them */
	REPORT_BY_CNT,
};

struct report_options {
	enum report_format format;
	enum report_by by;     /* of a recording */
	bool by_thread;	       /* of a recording: threads are not grouped */
	uint32_t top;	       /* of a recording's text: stacks a process; 0: all */
	bool verbose;	       /* every frame, full paths */
	bool kernel;	       /* kernel frames too */
	bool color;	       /* ANSI colours */
	bool no_idle;	       /* leave out threads that wait for work from outside */
	uint64_t min_block_ns; /* of a snapshot: leave out threads that ran more recently */
};

/* Returns the name of @format: "text", "threads", ... */
const char *report_format_name(enum report_format format);

/* Parses a format's name. Returns 0 or -EINVAL; @ret is written on success only. */
int report_format_parse(const char *name, enum report_format *ret);

/* Returns what @model is of. */
enum report_of report_of(const struct model *model);

/* Whether @format is one for what a model is of. */
bool report_format_fits(enum report_format format, enum report_of of);

/* Whether @format is one of recordings by @by. */
bool report_format_fits_by(enum report_format format, enum report_by by);

/* Returns "blocked", "run-queue", "waker", "on-cpu", "wall" or "futex". */
const char *report_by_name(enum report_by by);

/* Parses one of these. Returns 0 or -EINVAL; @ret is written on success only. */
int report_by_parse(const char *name, enum report_by *ret);

/* Writes to @ret whether a report of leaks of @model finds one. Returns 0 or -ENOMEM. */
int report_has_leak(const struct model *model, const struct report_options *options, bool *ret);

/* Writes the report of @model to @out. Returns 0 or -errno (-EINVAL: the format does not fit it, or
 * it is to be of futexes and they were not recorded);
 * write errors stay in ferror(@out). */
int report_dump(const struct model *model, const struct report_options *options, FILE *out);

#endif
