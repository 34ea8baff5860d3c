/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * One line a stack with the count of threads, root first, as flamegraph.pl reads it:
 *
 *	server;start_thread;worker;wait_for_cancel;[cond wait] 5
 *
 * The function that starts every thread, clone, and the plumbing that leads into the wait are left
 * out unless verbose. Equal lines, also of several processes of one name, are one.
 */
#include "report/fold.h"
#include "report/formats.h"

int fold_group(struct fold *fold, const char *comm, const struct group *group)
{
	const struct model *model = fold->report->model;
	int err = fold_begin(fold, comm);

	if (!err)
		err = fold_stack(fold, group->stack);
	if (!err && group->kstack != MODEL_NONE)
		err = fold_kernel_stack(fold, group->kstack);
	if (!err)
		err = fold_text(fold, ";[",
				wait_words(model, group->wait, group->syscall, group->state), "]");
	return err;
}

int report_folded(struct report *report)
{
	enum shape_of of = report->options->verbose ? SHAPE_OF_ALL : SHAPE_OF_USER_AND_ROOT;
	struct groups groups;
	struct fold fold;
	int err = groups_init(&groups, report->model, report->options, of);

	fold_init(&fold, report);
	for (uint32_t i = 0; i < report->model->processes.len && !err; i++) {
		const char *comm = model_str(report->model, model_process(report->model, i)->comm);

		err = groups_build(&groups, &i, 1);
		for (uint32_t j = 0; j < groups.groups.len && !err; j++) {
			const struct group *group = groups_at(&groups, j);

			err = fold_group(&fold, comm, group);
			if (!err)
				err = fold_add(&fold, group->member_cnt);
		}
	}
	if (!err)
		err = fold_print(&fold, 1);
	groups_release(&groups);
	fold_release(&fold);
	return err;
}
