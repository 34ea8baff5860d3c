/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A recording as one file for a browser, as html.c makes one of a snapshot; in nanoseconds. */
#include "report/formats.h"

#include <errno.h>
#include <stdlib.h>

#include "report/page.h"
#include "report/text.h"

static int put_group(struct page *page, struct span_groups *groups, const struct span_group *group)
{
	struct members members;
	int err = fold_span_group(&page->fold, group);

	if (err)
		return err;
	fprintf(page->data, "{\"kind\":%u", group->kind);
	page_put_u64(page, "value", group->total_ns);
	page_put_path(page);
	page_put_name(page, "wait", span_words(page->report->model, group));
	page_put_u64(page, "count", group->cnt);
	page_put_u64(page, "max", group->max_ns);
	page_put_u64(page, "open", group->open_cnt);
	err = page_put_where(page, group->stack);
	if (!err)
		err = page_catch(page);
	if (!err)
		err = page_put_caught(page, "text", put_record_group(page->report, groups, group));
	if (!err)
		err = span_group_members(groups, group, &members);
	if (err)
		return err;
	page_put_threads(page, &members, false);
	fputc('}', page->data);
	return 0;
}

/* Prints the groups from *@next on that are of process @idx, and sets *@next behind them. */
static int put_process(struct page *page, struct span_groups *groups, uint32_t idx,
		       const struct span_totals *totals, uint32_t *next)
{
	const struct model_process *process = model_process(page->report->model, idx);
	const char *separator = "\n";
	int err;

	fprintf(page->data, "{\"pid\":%u,\"processes\":1", process->tgid);
	page_put_name(page, "name", model_str(page->report->model, process->comm));
	err = page_catch(page);
	if (err)
		return err;
	put_record_line(page->report, process);
	put_record_totals(page->report, process, totals);
	err = page_put_caught(page, "head", 0);
	fputs(",\"rows\":[", page->data);
	for (; *next < groups->groups.len && !err; (*next)++) {
		const struct span_group *group = span_groups_at(groups, *next);

		if (group->process != idx)
			break;
		fputs(separator, page->data);
		separator = ",\n";
		err = put_group(page, groups, group);
	}
	fputs("]}", page->data);
	return err;
}

static int put_processes(struct page *page, struct span_groups *groups,
			 const struct span_totals *totals)
{
	const struct report *report = page->report;
	uint32_t next = 0;
	int err = 0;

	fprintf(page->data, ",\"of\":\"%s\",\"sections\":[", report_by_name(report->options->by));
	for (uint32_t i = 0; i < report->model->processes.len && !err; i++) {
		fputs(i ? ",\n" : "\n", page->data);
		err = put_process(page, groups, i, &totals[i], &next);
	}
	fputs("]", page->data);
	return err ? err : page_put_notes(page, 0);
}

int record_html(struct report *report)
{
	struct span_totals *totals = span_totals_new(report->model, report->options);
	struct span_groups groups;
	struct page page;
	int err = span_groups_init(&groups, report->model, report->options, page_shape(report));
	int page_err = page_begin(&page, report);

	if (!err)
		err = !totals ? -ENOMEM : page_err;
	if (!err)
		err = put_processes(&page, &groups, totals);
	err = page_end(&page, err);
	span_groups_release(&groups);
	free(totals);
	return err;
}
