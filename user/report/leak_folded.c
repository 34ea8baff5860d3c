/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * One line a creation stack, root first, with how many more of its threads there are at the end of
 * the window than at its start: born minus ended. What does not become more has no line, nor has
 * what is older than loiter, which has no creation stack.
 */
#include "report/fold.h"
#include "report/formats.h"
#include "report/leak_groups.h"

/* Adds up what is of one creator, and adds the line of it when it grows. */
static int fold_creators(struct fold *fold, const struct leak_groups *groups, const char *comm)
{
	struct table sum_by_creator; /* -> index in .sums */
	struct vec sums;	     /* int64_t */
	int err = 0;

	table_init(&sum_by_creator, MODEL_COHORT_MAX);
	vec_init(&sums, sizeof(int64_t), MODEL_COHORT_MAX);
	for (uint32_t i = 0; i < groups->groups.len && !err; i++) {
		const struct leak_group *group = leak_groups_at(groups, i);
		int64_t more = (int64_t)(group->flow.born - group->flow.ended);
		uint32_t idx;

		if (group->is_older)
			continue;
		if (table_find(&sum_by_creator, group->creator, &idx)) {
			*(int64_t *)vec_at(&sums, idx) += more;
			continue;
		}
		err = vec_append(&sums, &more, 1);
		if (!err)
			err = table_put(&sum_by_creator, group->creator, sums.len - 1);
	}
	for (uint32_t i = 0; i < groups->groups.len && !err; i++) {
		const struct leak_group *group = leak_groups_at(groups, i);
		int64_t *sum;
		uint32_t idx;

		if (group->is_older || !table_find(&sum_by_creator, group->creator, &idx))
			continue;
		sum = vec_at(&sums, idx);
		if (*sum <= 0)
			continue;
		err = fold_begin(fold, comm);
		if (!err)
			err = fold_creator(fold, group->creator);
		if (!err)
			err = fold_add(fold, (uint64_t)*sum);
		*sum = 0;
	}
	vec_release(&sums);
	table_release(&sum_by_creator);
	return err;
}

int leak_folded(struct report *report)
{
	const struct model *model = report->model;
	struct leak_groups groups;
	struct fold fold;
	int err = leak_groups_init(&groups, model, report->options->verbose);

	fold_init(&fold, report);
	for (uint32_t i = 0; i < model->processes.len && !err; i++) {
		err = leak_groups_build(&groups, i);
		if (!err)
			err = fold_creators(&fold, &groups,
					    model_str(model, model_process(model, i)->comm));
	}
	if (!err)
		err = fold_print(&fold, 1);
	leak_groups_release(&groups);
	fold_release(&fold);
	return err;
}
