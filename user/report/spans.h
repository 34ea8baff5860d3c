/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The spans of a recording that a report is of, grouped by what it shows of them: kind, frames
 * (the kernel's too when asked for) and wait; with --by waker also who woke them; with --by-thread
 * also the thread.
 *
 *   groups --span_cnt--> order: indices of spans, by thread
 */
#ifndef REPORT_SPANS_H
#define REPORT_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "base/vec.h"
#include "report/group.h"
#include "report/report.h"
#include "report/shape.h"

struct span_group {
	uint64_t total_ns;
	uint64_t max_ns; /* the longest single one */
	uint64_t cnt;	 /* single ones; of SPAN_ON_CPU: samples */
	uint32_t process;
	uint32_t thread;      /* MODEL_NONE unless by thread */
	uint32_t stack;	      /* one that stands for all of the group; MODEL_NONE */
	uint32_t kstack;      /* likewise; MODEL_NONE unless kernel frames are shown */
	uint32_t waker_stack; /* likewise */
	uint32_t waker;	      /* the name; 0: not known, or not by waker */
	uint32_t syscall;     /* where that is the wait */
	uint32_t first_span;  /* in span_groups.order */
	uint32_t span_cnt;
	uint32_t thread_cnt;
	uint32_t open_cnt; /* spans that had not ended */
	uint32_t serial;   /* order in which the groups were met */
	uint8_t kind;	   /* enum span_kind */
	uint8_t wait;	   /* enum wait_kind, for SPAN_BLOCKED */
};

struct span_groups {
	struct vec groups; /* struct span_group: by process, then most time first */
	struct vec order;  /* uint32_t: index of a span */
	/* Private from here on. */
	const struct model *model;
	const struct report_options *options;
	struct vec picks; /* struct span_pick */
	struct vec members;
	struct table by_hash;
	struct shapes shapes;
};

/* All the time of the threads of one process. */
struct span_totals {
	uint64_t ns[SPAN_ON_CPU + 1]; /* by enum span_kind */
	bool any[SPAN_ON_CPU + 1];    /* whether such spans were recorded */
	uint64_t idle_ns;	      /* left out by --no-idle */
};

/* Whether a report with @options is of @span. */
bool span_is_chosen(const struct report_options *options, const struct model_span *span);

/* Groups the spans of @model that @options choose. Returns 0 or -ENOMEM; released in either case.
 */
int span_groups_init(struct span_groups *groups, const struct model *model,
		     const struct report_options *options, enum shape_of of);
void span_groups_release(struct span_groups *groups);

static inline const struct span_group *span_groups_at(const struct span_groups *groups,
						      uint32_t idx)
{
	return vec_at(&groups->groups, idx);
}

/* Writes the threads of @group to @ret, valid until the next call. Returns 0 or -ENOMEM. */
int span_group_members(struct span_groups *groups, const struct span_group *group,
		       struct members *ret);

/* Writes how many of @group's single ones took how long: SPAN_HIST_CNT numbers. */
void span_group_hist(const struct span_groups *groups, const struct span_group *group,
		     uint64_t *ret_hist);

/* Returns one struct span_totals for each process of @model, to be freed, or NULL (errno set). */
struct span_totals *span_totals_new(const struct model *model,
				    const struct report_options *options);

/* Returns what a blocked span waits in, "run queue" or "on CPU"; to be cleaned. */
const char *span_words(const struct model *model, const struct span_group *group);

#endif
