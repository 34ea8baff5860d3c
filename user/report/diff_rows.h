/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The differences, for the formats that print them. */
#ifndef REPORT_DIFF_ROWS_H
#define REPORT_DIFF_ROWS_H

#include "report/diff.h"
#include "report/fold.h"
#include "report/formats.h"
#include "report/group.h"

enum diff_side { DIFF_BEFORE, DIFF_AFTER, DIFF_SIDE_CNT };

/* Threads that are alike in both captures. */
struct diff_row {
	uint32_t cnt[DIFF_SIDE_CNT]; /* threads */
	uint32_t stuck_cnt;
	struct group group[DIFF_SIDE_CNT]; /* one that stands for all; where .cnt is not 0 */
	uint32_t line;			   /* its folded stack: id in .lines */
	uint32_t first_member; /* in .members: threads of the later capture that has any, by tid */
	uint32_t member_cnt;
	uint32_t first_stuck; /* in .stuck: threads of the later one */
};

/* A process in both captures; MODEL_NONE where it is not. */
struct diff_process {
	uint32_t idx[DIFF_SIDE_CNT];
};

struct diff {
	struct report report[DIFF_SIDE_CNT];
	const char *name[DIFF_SIDE_CNT];
	bool same_boot;		   /* both are of one machine since it was started */
	struct vec processes;	   /* struct diff_process */
	struct vec rows;	   /* struct diff_row, of one process: what grew most first */
	struct vec members, stuck; /* uint32_t */
	/* Private from here on. */
	struct groups groups[DIFF_SIDE_CNT];
	struct fold fold[DIFF_SIDE_CNT];
	struct strpool lines;
	struct table row_by_line;
	struct table thread_before; /* hash of tid and start -> index */
	struct vec picks;	    /* struct diff_pick */
};

static inline const struct diff_row *diff_row_at(const struct diff *diff, uint32_t idx)
{
	return vec_at(&diff->rows, idx);
}

/* Returns the capture that @row is told of: the later one that has its threads. */
static inline enum diff_side diff_row_side(const struct diff_row *row)
{
	return row->cnt[DIFF_AFTER] ? DIFF_AFTER : DIFF_BEFORE;
}

/* Returns the process to name @process by. */
static inline const struct model_process *diff_process_of(const struct diff *diff,
							  const struct diff_process *process)
{
	enum diff_side side = process->idx[DIFF_AFTER] == MODEL_NONE ? DIFF_BEFORE : DIFF_AFTER;

	return model_process(diff->report[side].model, process->idx[side]);
}

/* Compares the threads of @process, in place of those before. Returns 0 or -ENOMEM. */
int diff_build(struct diff *diff, const struct diff_process *process);

/* Returns "grew", "appeared", "shrank", "vanished" or "same". */
const char *diff_row_words(const struct diff_row *row);

int diff_text(struct diff *diff);
int diff_json(struct diff *diff);

#endif
