/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What the groups of a process come to: by what each is judged beside its own numbers. */
#include <errno.h>
#include <stdlib.h>

#include "report/leak_groups.h"

static uint64_t creator_key_hash(const struct leak_group *group)
{
	return hash_mix(group->creator, (uint64_t)group->is_older << 1 | group->is_forked);
}

/* Writes to @ret the creator of @group, which is added when it is new. */
static int find_creator(struct leak_groups *groups, const struct leak_group *group,
			struct leak_creator **ret)
{
	uint64_t hash = creator_key_hash(group);
	uint32_t idx;

	for (; table_find(&groups->creator_by_hash, hash, &idx); hash++) {
		*ret = vec_at(&groups->creators, idx);
		if ((*ret)->stack == group->creator && (*ret)->is_older == group->is_older &&
		    (*ret)->is_forked == group->is_forked)
			return 0;
	}
	*ret = vec_push(&groups->creators);
	if (!*ret)
		return -ENOMEM;
	**ret = (struct leak_creator){ .stack = group->creator,
				       .is_older = group->is_older,
				       .is_forked = group->is_forked };
	return table_put(&groups->creator_by_hash, hash, groups->creators.len - 1);
}

/* Writes to @ret what else is of @group's creator: its other groups, and older threads that began
 * in the same function as some of several creators. */
static int find_others(struct leak_groups *groups, const struct leak_group *group,
		       struct leak_flow *ret)
{
	struct leak_entry *entry;
	struct leak_creator *creator;
	int err = find_creator(groups, group, &creator);

	*ret = (struct leak_flow){ 0 };
	if (err || group->is_older)
		return err;
	*ret = creator->flow;
	ret->alive_start -= group->flow.alive_start;
	ret->born -= group->flow.born;
	ret->ended -= group->flow.ended;
	ret->alive_end -= group->flow.alive_end;
	err = leak_groups_entry(groups, group->place, &entry);
	if (entry && entry->is_shared)
		leak_flow_add(ret, &entry->older);
	return err;
}

static int sum_creators(struct leak_groups *groups)
{
	struct leak_creator *creator;
	int err = 0;

	for (uint32_t i = 0; i < groups->groups.len && !err; i++) {
		err = find_creator(groups, leak_groups_at(groups, i), &creator);
		if (!err)
			leak_flow_add(&creator->flow, &leak_groups_at(groups, i)->flow);
	}
	return err;
}

static int judge(struct leak_groups *groups, const struct model_process *process,
		 struct leak_group *group)
{
	const struct model *model = groups->model;
	struct leak_history history = { .flow = group->flow,
					.alive = leak_group_points(groups, group),
					.point_cnt = model->point_cnt,
					.point_ns = model->point_ns,
					.window_ns = model->watch_ns,
					.watched = group->watched,
					.ran = group->ran,
					.timed = group->timed,
					.moved = group->moved,
					.is_passing = group->place == MODEL_NONE };
	int err = find_others(groups, group, &history.others);

	if (process->from_birth)
		history.left = group->left;
	group->judgement = leak_judge(&history);
	return err;
}

static int compare_groups(const void *a, const void *b)
{
	const struct leak_group *x = a, *y = b;

	if (x->judgement.verdict != y->judgement.verdict)
		return x->judgement.verdict < y->judgement.verdict ? -1 : 1;
	if (x->flow.alive_end != y->flow.alive_end)
		return x->flow.alive_end > y->flow.alive_end ? -1 : 1;
	if (x->flow.born != y->flow.born)
		return x->flow.born > y->flow.born ? -1 : 1;
	return (x->points > y->points) - (x->points < y->points);
}

static int judge_process(struct leak_groups *groups)
{
	struct leak_process *process = &groups->process;
	const struct model *model = groups->model;
	struct leak_history history = { .point_cnt = model->point_cnt,
					.point_ns = model->point_ns,
					.window_ns = model->watch_ns };
	uint32_t *sum = calloc((size_t)model->point_cnt + 1, sizeof(*sum));
	struct leak_judgement judgement;

	if (!sum)
		return -ENOMEM;
	*process = (struct leak_process){ 0 };
	for (uint32_t i = 0; i < groups->groups.len; i++) {
		const struct leak_group *group = leak_groups_at(groups, i);

		leak_flow_add(group->is_forked ? &process->forked : &process->flow, &group->flow);
		for (uint32_t j = 0; j < model->point_cnt; j++)
			sum[j] += leak_group_points(groups, group)[j];
	}
	history.alive = sum;
	history.flow = process->flow;
	leak_flow_add(&history.flow, &process->forked);
	judgement = leak_judge(&history);
	process->growth_per_min = judgement.growth_per_min;
	process->fit = judgement.fit;
	process->grows = judgement.is_steady;
	free(sum);
	return 0;
}

/* Of older threads that were gone before anybody looked nothing is known but that they ended. Where
 * others are born meanwhile, they were of these. */
static void judge_unseen(const struct leak_groups *groups, struct leak_group *group)
{
	if (group->is_older && group->place == MODEL_NONE && !group->flow.alive_end &&
	    groups->process.flow.born)
		group->judgement.verdict = LEAK_CHURN;
}

/* Whether a group of a known creator leaks in the function that the threads of @older began in. */
static int find_leak_beside(struct leak_groups *groups, struct leak_group *older)
{
	struct leak_entry *own, *other;
	int err = leak_groups_entry(groups, older->place, &own);

	for (uint32_t i = 0; i < groups->groups.len && own && !err; i++) {
		const struct leak_group *group = leak_groups_at(groups, i);

		if (group->is_older || group->judgement.verdict != LEAK_LEAK)
			continue;
		err = leak_groups_entry(groups, group->place, &other);
		older->is_beside_leak |= other == own;
	}
	return err;
}

int leak_groups_judge(struct leak_groups *groups, const struct model_process *process)
{
	int err = sum_creators(groups);

	for (uint32_t i = 0; i < groups->groups.len && !err; i++)
		err = judge(groups, process, vec_at(&groups->groups, i));
	if (!err)
		err = judge_process(groups);
	for (uint32_t i = 0; i < groups->groups.len && !err; i++) {
		struct leak_group *group = vec_at(&groups->groups, i);

		judge_unseen(groups, group);
		if (group->is_older && group->flow.alive_end)
			err = find_leak_beside(groups, group);
	}
	if (!err && groups->groups.len)
		qsort(groups->groups.data, groups->groups.len, sizeof(struct leak_group),
		      compare_groups);
	return err;
}
