/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The threads of a process by who created them and where they are blocked, as a report shows both,
 * with how their number went and the verdict on it. Cohorts whose stacks differ only in frames that
 * are not shown are one group, in every format, so that all of them tell the same.
 *
 * Those that are older than loiter have no known creator. Where the function that they began in is
 * one that a single creator starts threads with, they count as its own.
 */
#ifndef REPORT_LEAK_GROUPS_H
#define REPORT_LEAK_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/leaks.h"
#include "report/formats.h"
#include "report/frames.h"
#include "report/group.h"
#include "report/shape.h"

struct leak_group {
	uint32_t creator; /* stack that stands for all; MODEL_NONE: not known */
	uint32_t place;	  /* likewise; MODEL_NONE: never seen blocked */
	uint32_t syscall;
	uint8_t wait;
	bool is_older; /* created before loiter came, and nobody knows by whom */
	bool is_forked;
	bool is_main; /* it is the process's first thread */
	struct leak_flow flow;
	uint64_t older_cnt; /* of those at the start, older than loiter */
	uint64_t left;	    /* of those alive: they waited when their process ended */
	uint32_t first_member, member_cnt;
	uint64_t age_min_ns, age_max_ns; /* since they last ran */
	uint64_t watched, ran, timed;	 /* as in leak_history */
	uint64_t moved;			 /* likewise */
	uint64_t timeout_ns;		 /* the longest of the .timed */
	uint32_t points;		 /* index of the first, in .points of the groups */
	struct leak_judgement judgement;
	/* Older threads that began in a function of several creators, of which one leaks. */
	bool is_beside_leak;
};

/* How the number of all threads of a process went. */
struct leak_process {
	struct leak_flow flow;	    /* of its threads */
	struct leak_flow forked;    /* of processes that it has forked */
	double growth_per_min, fit; /* of both: they have the same limits */
	bool grows;		    /* along that line */
};

/* A function that threads of groups began in. */
struct leak_entry {
	struct frame_ref ref;
	uint32_t creator;	/* the only one of those groups, unless: */
	bool is_shared;		/* by several */
	struct leak_flow older; /* of those who are older, when it is shared */
};

/* All that is of one creator. */
struct leak_creator {
	uint32_t stack;
	bool is_older, is_forked;
	struct leak_flow flow;
};

struct leak_groups {
	struct vec groups; /* struct leak_group: the worst verdict first, then most threads */
	struct leak_process process;
	/* Private from here on. */
	const struct model *model;
	struct vec members;  /* uint32_t: index of a thread; by group, then tid */
	struct vec points;   /* uint32_t: .point_cnt of the model for each group */
	struct vec entries;  /* struct leak_entry */
	struct vec creators; /* struct leak_creator */
	struct table by_hash, entry_by_hash, creator_by_hash;
	struct shapes creator_shapes, place_shapes;
	struct frames frames;
	/* Of the whole model: indices of cohorts by process, and of threads by cohort, with where
	 * those of each begin. */
	uint32_t *cohorts, *first_cohort, *threads, *first_thread;
	uint32_t *group_of_cohort;
};

/* Prepares for processes of @model. Returns 0 or -ENOMEM; released in either case. */
int leak_groups_init(struct leak_groups *groups, const struct model *model, bool verbose);
void leak_groups_release(struct leak_groups *groups);

/* Groups the threads of process @process_idx, in place of those before. Returns 0 or -ENOMEM. */
int leak_groups_build(struct leak_groups *groups, uint32_t process_idx);

static inline const struct leak_group *leak_groups_at(const struct leak_groups *groups,
						      uint32_t idx)
{
	return vec_at(&groups->groups, idx);
}

static inline uint32_t *leak_group_points(const struct leak_groups *groups,
					  const struct leak_group *group)
{
	return vec_at(&groups->points, group->points);
}

static inline void leak_flow_add(struct leak_flow *to, const struct leak_flow *flow)
{
	to->alive_start += flow->alive_start;
	to->born += flow->born;
	to->ended += flow->ended;
	to->alive_end += flow->alive_end;
}

static inline struct members leak_group_members(const struct leak_groups *groups,
						const struct leak_group *group)
{
	return (struct members){ .model = groups->model,
				 .threads = vec_at(&groups->members, group->first_member),
				 .cnt = group->member_cnt };
}

/* Writes to @ret the function that threads at @place began in, NULL when it is not known or nobody
 * created one that began there. Returns 0 or -ENOMEM. */
int leak_groups_entry(struct leak_groups *groups, uint32_t place, struct leak_entry **ret);

/* -- leak_verdict.c -- */

/* Gives each group its verdict, and sums up the process. Returns 0 or -ENOMEM. */
int leak_groups_judge(struct leak_groups *groups, const struct model_process *process);

#endif
