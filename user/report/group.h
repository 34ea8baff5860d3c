/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Threads of processes grouped by what a report shows of them: equal frames, equal wait, equal
 * state, equal creator. Stacks that differ only in frames that are not shown are one.
 *
 *   groups --cnt--> members: indices of threads, by tid
 */
#ifndef REPORT_GROUP_H
#define REPORT_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "base/vec.h"
#include "report/creator.h"
#include "report/report.h"
#include "report/shape.h"

/* Some threads of one process, by tid. Borrowed. */
struct members {
	const struct model *model;
	const uint32_t *threads; /* indices */
	uint32_t cnt;
};

static inline const struct model_thread *member_at(const struct members *members, uint32_t i)
{
	return model_thread(members->model, members->threads[i]);
}

struct group {
	uint32_t stack;	 /* one that stands for all of the group; MODEL_NONE */
	uint32_t kstack; /* MODEL_NONE unless kernel frames are shown */
	uint32_t syscall;
	struct creator creator;
	uint32_t first_tid;
	uint32_t first_member; /* in groups.members */
	uint32_t member_cnt;
	uint64_t age_min_ns;
	uint64_t age_max_ns;
	uint8_t wait;
	uint8_t state;
	bool raced;
};

struct groups {
	struct vec groups;  /* struct group: most threads first, then oldest, then by tid */
	struct vec members; /* uint32_t: index of a thread */
	/* Private from here on. */
	const struct model *model;
	const struct report_options *options;
	struct vec picks; /* struct group_pick */
	struct table by_hash;
	struct shapes shapes;
	struct creators creators;
};

/* Prepares to group processes of @model. Returns 0 or -ENOMEM; released in either case. */
int groups_init(struct groups *groups, const struct model *model,
		const struct report_options *options, enum shape_of of);
void groups_release(struct groups *groups);

/* Groups the threads of the @process_cnt @processes, by pid, that the options let through, in place
 * of those before. Returns 0 or -ENOMEM. */
int groups_build(struct groups *groups, const uint32_t *processes, uint32_t process_cnt);

static inline const struct group *groups_at(const struct groups *groups, uint32_t idx)
{
	return vec_at(&groups->groups, idx);
}

static inline struct members group_members(const struct groups *groups, const struct group *group)
{
	return (struct members){ .model = groups->model,
				 .threads = vec_at(&groups->members, group->first_member),
				 .cnt = group->member_cnt };
}

#endif
