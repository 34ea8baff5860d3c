/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Leaks as one file for a browser, as html.c makes one of a snapshot. The flame graph is of the
 * stacks that the living threads were created at, and ends in the verdict.
 */
#include "report/formats.h"

#include <errno.h>

#include "report/leak_text.h"
#include "report/leak_words.h"
#include "report/page.h"

static const char older[] = ";[created before loiter attached]";
static const char main_thread[] = ";[main thread]";

/* Puts the line of @group together. */
static int fold_path(struct page *page, const struct leak_group *group, const char *comm)
{
	const char *verdict = leak_verdict_name(group->judgement.verdict);
	struct fold *fold = &page->fold;
	int err = fold_begin(fold, comm);

	if (!err && group->is_older)
		err = fold_text(fold, "", group->is_main ? main_thread : older, "");
	if (!err && group->is_older && group->place != MODEL_NONE)
		err = fold_stack(fold, group->place);
	if (!err && !group->is_older)
		err = fold_creator(fold, group->creator);
	return err ? err : fold_text(fold, ";[", verdict, "]");
}

/* Prints a member: @key with the innermost function of the creator's own. */
static int put_creator(struct page *page, const struct leak_group *group)
{
	struct report *report = page->report;
	const struct frame_ref *own;
	int err = frames_load_creator(&report->frames, report->model, group->creator);

	own = err || group->is_older ? NULL : frames_creator(&report->frames);
	buf_clear(&report->line);
	if (!own)
		return err;
	frame_put_bare_name(&report->line, report->model, own, false);
	if (report->line.failed)
		return -ENOMEM;
	fprintf(page->data, ",\"creator\":%u", strpool_add(&page->names, buf_text(&report->line)));
	return 0;
}

static int put_group(struct page *page, const struct leak_groups *groups,
		     const struct leak_group *group, const char *comm)
{
	const struct model *model = page->report->model;
	struct members members = leak_group_members(groups, group);
	int err = fold_path(page, group, comm);

	if (err)
		return err;
	fputs("{\"rank\":", page->data);
	fprintf(page->data, "%d", (int)group->judgement.verdict);
	page_put_u64(page, "value", group->flow.alive_end);
	page_put_path(page);
	page_put_name(page, "verdict", leak_verdict_name(group->judgement.verdict));
	page_put_u64(page, "born", group->flow.born);
	page_put_u64(page, "ended", group->flow.ended);
	fprintf(page->data, ",\"growth\":%.3f", group->judgement.growth_per_min);
	page_put_name(page, "wait",
		      group->place == MODEL_NONE
			      ? ""
			      : wait_words(model, group->wait, group->syscall, THREAD_BLOCKED));
	err = page_put_where(page, group->place);
	if (!err)
		err = put_creator(page, group);
	if (!err)
		err = page_catch(page);
	if (!err)
		err = page_put_caught(page, "text",
				      put_leak_group(page->report, groups, group, true));
	page_put_threads(page, &members, true);
	fputc('}', page->data);
	return err;
}

static int put_section(struct page *page, const struct leak_groups *groups, uint32_t process_idx)
{
	const struct model *model = page->report->model;
	const struct model_process *process = model_process(model, process_idx);
	const char *comm = model_str(model, process->comm);
	int err = page_catch(page);

	fprintf(page->data, "{\"pid\":%u,\"processes\":1", process->tgid);
	page_put_name(page, "name", comm);
	if (!err)
		err = page_put_caught(page, "head",
				      put_leak_heading(page->report, groups, process_idx));
	fputs(",\"rows\":[", page->data);
	for (uint32_t i = 0; i < groups->groups.len && !err; i++) {
		fputs(i ? ",\n" : "\n", page->data);
		err = put_group(page, groups, leak_groups_at(groups, i), comm);
	}
	fputs("]}", page->data);
	return err;
}

static int put_notes(struct page *page, uint32_t left_out_cnt)
{
	int err = page_catch(page);

	if (err)
		return err;
	put_leaks_left_out(page->report, left_out_cnt, true);
	put_losses(page->report);
	return page_put_caught(page, "notes", 0);
}

static int put_sections(struct page *page, struct leak_groups *groups)
{
	const struct report *report = page->report;
	const char *separator = "\n";
	uint32_t left_out_cnt = 0;
	int err = 0;

	page_put_u64(page, "watch_ns", report->model->watch_ns);
	fputs(",\"of\":\"leaks\",\"sections\":[", page->data);
	for (uint32_t i = 0; i < report->model->processes.len && !err; i++) {
		err = leak_groups_build(groups, i);
		if (err)
			break;
		if (!leak_is_shown(report, groups, i)) {
			left_out_cnt += groups->groups.len > 0;
			continue;
		}
		fputs(separator, page->data);
		separator = ",\n";
		err = put_section(page, groups, i);
	}
	fputs("]", page->data);
	return err ? err : put_notes(page, left_out_cnt);
}

int leak_html(struct report *report)
{
	struct leak_groups groups;
	struct page page;
	int err = leak_groups_init(&groups, report->model, report->options->verbose);
	int page_err = page_begin(&page, report);

	if (!err)
		err = page_err;
	if (!err)
		err = put_sections(&page, &groups);
	err = page_end(&page, err);
	leak_groups_release(&groups);
	return err;
}
