/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The default report: threads grouped by what is shown of them, to be pasted into an incident.
 *
 *	20 threads [cond wait, 2m13s to 2h57m] created by start_threads at steps.c:123
 *		wait_for_cancel
 *			demo/steps.c:124 +0x48
 *	  created by start_threads in threads 309, 397, 13:33:10 to 16:28:34
 *			demo/steps.c:123 +0x7f
 *		handle_hello
 *			demo/server.c:79 +0xf7
 *	  threads 314 to 318, 402 to 406; ran 2 times each
 */
#include "report/text.h"

#include "report/created_by.h"
#include "report/kin.h"
#include "report/roster.h"
#include "report/words.h"

/* Whether put_objects says anything of @members. */
static bool has_objects(const struct members *members)
{
	for (uint32_t i = 0; i < members->cnt; i++)
		if (member_at(members, i)->object || member_at(members, i)->has_timeout)
			return true;
	return false;
}

static int put_group_line(struct report *report, const struct group *group,
			  const struct members *members)
{
	const struct report_style *style = report->style;
	FILE *out = report->out;
	int err;

	fprintf(out, "%s%u thread%s [", style->wait, group->member_cnt,
		group->member_cnt == 1 ? "" : "s");
	put_clean(out, wait_words(report->model, group->wait, group->syscall, group->state));
	if (state_has_age(group->state))
		fprintf(out, ", %s",
			duration_range_words(group->age_min_ns, group->age_max_ns).text);
	fprintf(out, "]%s", style->reset);
	err = put_objects(report, members);
	if (!err && group->creator.known) {
		fputs(has_objects(members) ? ", " : " ", out);
		err = put_created_at(report, member_at(members, 0));
	}
	fputc('\n', out);
	return err;
}

int put_text_group(struct report *report, const struct groups *groups, const struct group *group)
{
	struct frame_form form = { .indent = "\t",
				   .call = "",
				   .all = report->options->verbose,
				   .full_paths = report->options->verbose };
	struct members members = group_members(groups, group);
	int err = put_group_line(report, group, &members);

	if (!err)
		err = put_stacks(report, group->stack, group->kstack, why_no_stack(group->raced),
				 &form);
	if (!err)
		err = put_object_list(report, &members);
	if (!err)
		err = put_origin(report, &members, &form);
	return err ? err : put_roster(report, &members, false);
}

static int put_section(struct report *report, struct groups *groups, const uint32_t *processes,
		       uint32_t process_cnt, const struct filter_counts *counts)
{
	int err = groups_build(groups, processes, process_cnt);

	put_heading(report, processes, process_cnt, counts);
	for (uint32_t i = 0; i < groups->groups.len && !err; i++) {
		fputc('\n', report->out);
		err = put_text_group(report, groups, groups_at(groups, i));
	}
	return err;
}

static int put_sections(struct report *report, struct groups *groups, struct kin *kin)
{
	const struct kin_section *section;
	struct filter_counts counts;
	bool first = true;
	int err = 0;

	while (!err && (section = kin_next(kin, report, &counts)) != NULL) {
		if (!first)
			fputc('\n', report->out);
		first = false;
		err = put_section(report, groups, kin_processes(kin, section), section->cnt,
				  &counts);
	}
	put_left_out(report, kin->left_out_cnt, first);
	return err;
}

int report_text(struct report *report)
{
	enum shape_of of = report->options->verbose ? SHAPE_OF_ALL : SHAPE_OF_USER;
	struct groups groups;
	struct kin kin;
	int err = groups_init(&groups, report->model, report->options, of);
	int kin_err = kin_init(&kin, report->model);

	if (!err)
		err = kin_err;
	if (!err)
		err = put_sections(report, &groups, &kin);
	kin_release(&kin);
	groups_release(&groups);
	put_losses(report);
	return err;
}
