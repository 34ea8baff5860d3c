/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A recording as folded stacks, in microseconds:
 *
 *	server;start_thread;worker;wait_for_cancel;[cond wait] 10000000
 *
 * With --by waker the waker's frames stand inverted above what it woke, so that a flame graph shows
 * them upside down and meeting at "--":
 *
 *	server;start_thread;worker;wait_for_cancel;[cond wait];--;cancel_all;main;server 120000
 */
#include "report/fold.h"
#include "report/formats.h"

#define NS_PER_US 1000

static int add_thread(struct fold *fold, const struct span_group *group)
{
	const struct model *model = fold->report->model;
	const struct model_thread *thread;
	char tid[16];

	if (group->thread == MODEL_NONE)
		return 0;
	thread = model_thread(model, group->thread);
	snprintf(tid, sizeof(tid), " %u", thread->tid);
	return fold_text(fold, ";", model_str(model, thread->comm), tid);
}

static int add_waker(struct fold *fold, const struct span_group *group)
{
	const char *name = model_str(fold->report->model, group->waker);
	int err;

	if (!group->waker && group->waker_stack == MODEL_NONE)
		return 0;
	err = fold_text(fold, ";", "--", "");
	if (!err)
		err = fold_inverse(fold, group->waker_stack);
	return err ? err : fold_text(fold, ";", group->waker ? name : "[unknown]", "");
}

/* What is on the CPU ends in its leaf, as in any CPU profile, unless other kinds stand beside it.
 */
int fold_span_group(struct fold *fold, const struct span_group *group)
{
	const struct model *model = fold->report->model;
	const struct report_options *options = fold->report->options;
	int err = fold_begin(fold, model_str(model, model_process(model, group->process)->comm));

	if (!err)
		err = add_thread(fold, group);
	if (!err)
		err = fold_stack(fold, group->stack);
	if (!err && group->kstack != MODEL_NONE)
		err = fold_kernel_stack(fold, group->kstack);
	if (!err && options->by != REPORT_BY_ON_CPU)
		err = fold_text(fold, ";[", span_words(model, group), "]");
	if (!err && options->by == REPORT_BY_WAKER)
		err = add_waker(fold, group);
	return err;
}

int record_folded(struct report *report)
{
	enum shape_of of = report->options->verbose ? SHAPE_OF_ALL : SHAPE_OF_USER_AND_ROOT;
	struct span_groups groups;
	struct fold fold;
	int err = span_groups_init(&groups, report->model, report->options, of);

	fold_init(&fold, report);
	for (uint32_t i = 0; i < groups.groups.len && !err; i++) {
		const struct span_group *group = span_groups_at(&groups, i);

		err = fold_span_group(&fold, group);
		if (!err)
			err = fold_add(&fold, group->total_ns);
	}
	if (!err)
		err = fold_print(&fold, NS_PER_US);
	span_groups_release(&groups);
	fold_release(&fold);
	return err;
}
