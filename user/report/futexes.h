/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The futex calls of a recording, grouped by what a report shows of them: the futexes of each
 * process, and of each futex its parts, which are calls of one kind with the same shown frames.
 *
 *   groups --part_cnt--> parts: those that wait, then those that wake
 */
#ifndef REPORT_FUTEXES_H
#define REPORT_FUTEXES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "report/report.h"
#include "report/shape.h"

struct futex_part {
	struct model_futex sum; /* .stack: one that stands for all of the part; MODEL_NONE */
	uint32_t serial;	/* order in which they were met */
};

struct futex_group {
	struct model_futex waits; /* the sum of all that wait; .wait: what most time went to */
	struct model_futex wakes; /* the sum of all others */
	uint32_t first_part;	  /* in futex_groups.parts */
	uint32_t wait_part_cnt;
	uint32_t part_cnt;
};

struct futex_groups {
	struct vec groups; /* struct futex_group: by process, then most time first */
	struct vec parts;  /* struct futex_part */
};

/* Groups the futexes of @model. Returns 0 or -ENOMEM; released in either case. */
int futex_groups_init(struct futex_groups *groups, const struct model *model, enum shape_of of);
void futex_groups_release(struct futex_groups *groups);

static inline const struct futex_group *futex_groups_at(const struct futex_groups *groups,
							uint32_t idx)
{
	return vec_at(&groups->groups, idx);
}

static inline const struct model_futex *
futex_group_part(const struct futex_groups *groups, const struct futex_group *group, uint32_t i)
{
	const struct futex_part *part = vec_at(&groups->parts, group->first_part + i);

	return &part->sum;
}

/* -- futex_json.c -- */

struct json_writer;

/* Prints ,"futexes":[...]: the groups from @first on that are of process @process. Writes the first
 * that is not to @ret_next. Returns 0 or -ENOMEM. */
int put_json_futexes(struct json_writer *writer, const struct futex_groups *groups,
		     uint32_t process, uint32_t first, uint32_t *ret_next);

#endif
