/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A snapshot as one file for a browser: a flame graph and a table of the same groups. Each group is
 * a row: the line that it is as a folded stack, the text that it is in the text report, and what
 * the table sorts by. Sections are those of the text report.
 */
#include "report/formats.h"

#include <errno.h>
#include <string.h>

#include "report/created_by.h"
#include "report/kin.h"
#include "report/page.h"
#include "report/roster.h"
#include "report/text.h"

/* Ends what was caught, and prints it as a member: @key with that text, without what it begins with
 * of @start or else of ", ". @err is what came of printing it. Returns @err, 0 or -ENOMEM. */
static int put_cell(struct page *page, const char *key, const char *start, int err)
{
	const char *words = page_caught(page);

	if (err || !words)
		return err ? err : -ENOMEM;
	if (!strncmp(words, start, strlen(start)))
		words += strlen(start);
	else if (!strncmp(words, ", ", 2))
		words += 2;
	page_put_name(page, key, words);
	return 0;
}

/* Prints what the threads of @group wait for, and who created them when that was seen. */
static int put_cells(struct page *page, const struct group *group, const struct members *members)
{
	struct report *report = page->report;
	int err = page_catch(page);

	if (!err)
		err = put_cell(page, "on", " on ", put_objects(report, members));
	if (err || !group->creator.known)
		return err;
	err = page_catch(page);
	return err ? err
		   : put_cell(page, "creator", "created by ",
			      put_created_at(report, member_at(members, 0)));
}

static int put_group(struct page *page, const struct groups *groups, const struct group *group,
		     const char *comm)
{
	const struct model *model = page->report->model;
	struct members members = group_members(groups, group);
	int err = fold_group(&page->fold, comm, group);

	if (err)
		return err;
	fprintf(page->data, "{\"value\":%u", group->member_cnt);
	page_put_path(page);
	page_put_name(page, "wait", wait_words(model, group->wait, group->syscall, group->state));
	if (state_has_age(group->state)) {
		page_put_u64(page, "age_min", group->age_min_ns);
		page_put_u64(page, "age_max", group->age_max_ns);
	}
	err = page_put_where(page, group->stack);
	if (!err)
		err = put_cells(page, group, &members);
	if (!err)
		err = page_catch(page);
	if (!err)
		err = page_put_caught(page, "text", put_text_group(page->report, groups, group));
	page_put_threads(page, &members, true);
	fputc('}', page->data);
	return err;
}

static int put_section(struct page *page, struct groups *groups, const uint32_t *processes,
		       uint32_t process_cnt, const struct filter_counts *counts)
{
	const struct model *model = page->report->model;
	const struct model_process *process = model_process(model, processes[0]);
	const char *comm = model_str(model, process->comm);
	int err = groups_build(groups, processes, process_cnt);

	fprintf(page->data, "{\"pid\":%u,\"processes\":%u", process->tgid, process_cnt);
	page_put_name(page, "name", comm);
	if (!err)
		err = page_catch(page);
	if (err)
		return err;
	put_heading(page->report, processes, process_cnt, counts);
	err = page_put_caught(page, "head", 0);
	fputs(",\"rows\":[", page->data);
	for (uint32_t i = 0; i < groups->groups.len && !err; i++) {
		fputs(i ? ",\n" : "\n", page->data);
		err = put_group(page, groups, groups_at(groups, i), comm);
	}
	fputs("]}", page->data);
	return err;
}

static int put_sections(struct page *page, struct groups *groups, struct kin *kin)
{
	const struct kin_section *section;
	const char *separator = "\n";
	struct filter_counts counts;
	int err = 0;

	fputs(",\"of\":\"threads\",\"sections\":[", page->data);
	while (!err && (section = kin_next(kin, page->report, &counts)) != NULL) {
		fputs(separator, page->data);
		separator = ",\n";
		err = put_section(page, groups, kin_processes(kin, section), section->cnt, &counts);
	}
	fputs("]", page->data);
	return err ? err : page_put_notes(page, kin->left_out_cnt);
}

int report_html(struct report *report)
{
	struct groups groups;
	struct page page;
	struct kin kin;
	int err = groups_init(&groups, report->model, report->options, page_shape(report));
	int kin_err = kin_init(&kin, report->model);
	int page_err = page_begin(&page, report);

	if (!err)
		err = kin_err ? kin_err : page_err;
	if (!err)
		err = put_sections(&page, &groups, &kin);
	err = page_end(&page, err);
	kin_release(&kin);
	groups_release(&groups);
	return err;
}
