/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Where threads wait for which futex as folded stacks, in microseconds:
 *
 *	server;start_thread;serve;log_line;[futex 0x55d1c0de4010 log_lock] 228001
 */
#include "report/fold.h"
#include "report/formats.h"
#include "report/futexes.h"

#include <inttypes.h>

#define NS_PER_US 1000

static int add_part(struct fold *fold, const struct model_futex *part)
{
	const struct model *model = fold->report->model;
	char before[48];
	int err = fold_begin(fold, model_str(model, model_process(model, part->process)->comm));

	snprintf(before, sizeof(before), ";[futex 0x%" PRIx64 "%s", part->addr,
		 part->name ? " " : "");
	if (!err)
		err = fold_stack(fold, part->stack);
	if (!err)
		err = fold_text(fold, before, model_str(model, part->name), "]");
	return err ? err : fold_add(fold, part->total_ns);
}

int futex_folded(struct report *report)
{
	enum shape_of of = report->options->verbose ? SHAPE_OF_ALL : SHAPE_OF_USER_AND_ROOT;
	struct futex_groups groups;
	struct fold fold;
	int err = futex_groups_init(&groups, report->model, of);

	fold_init(&fold, report);
	for (uint32_t i = 0; i < groups.groups.len && !err; i++) {
		const struct futex_group *group = futex_groups_at(&groups, i);

		for (uint32_t j = 0; j < group->wait_part_cnt && !err; j++)
			err = add_part(&fold, futex_group_part(&groups, group, j));
	}
	if (!err)
		err = fold_print(&fold, NS_PER_US);
	futex_groups_release(&groups);
	fold_release(&fold);
	return err;
}
