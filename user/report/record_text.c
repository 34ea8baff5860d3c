/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The default report of a recording: where the time went, most first.
 *
 *	4m23s blocked in [cond wait] by 20 threads, 37 times, 7.1s each on average, 10s longest, 20
 *not over 1.0ms to 2.0ms  12 #### 8.3s to 16s     25 ######### wait_for_cancel demo/steps.c:124
 *+0x48 threads 314 to 318, 402 to 406; named "worker-1" to "worker-10"
 */
#include "report/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "report/roster.h"
#include "report/words.h"

#define HIST_LINES_MAX 6
#define HIST_BAR_MAX 20

static void put_times(const struct report *report, const struct span_group *group)
{
	FILE *out = report->out;
	bool once = group->cnt <= 1;

	if (group->kind == SPAN_ON_CPU) {
		fprintf(out, ", %" PRIu64 " sample%s", group->cnt, group->cnt == 1 ? "" : "s");
		return;
	}
	if (once)
		fputs(", once", out);
	else
		fprintf(out, ", %" PRIu64 " times, %s each on average", group->cnt,
			span_duration_words(group->total_ns / group->cnt).text);
	/* Of what did not fit into the kernel's table the single ones are not known. */
	if (!once && group->max_ns)
		fprintf(out, ", %s longest", span_duration_words(group->max_ns).text);
	if (group->open_cnt && !once)
		fprintf(out, ", %u not over", group->open_cnt);
	else if (group->open_cnt)
		fputs(", not over", out);
}

static void put_group_line(const struct report *report, const struct span_group *group)
{
	static const char *const doing[] = {
		[SPAN_BLOCKED] = "blocked in ",
		[SPAN_RUN_QUEUE] = "in ",
		[SPAN_ON_CPU] = "",
	};
	FILE *out = report->out;

	fprintf(out, "%s%s %s[", report->style->wait, span_duration_words(group->total_ns).text,
		doing[group->kind]);
	put_clean(out, span_words(report->model, group));
	fprintf(out, "]%s by %u thread%s", report->style->reset, group->thread_cnt,
		group->thread_cnt == 1 ? "" : "s");
	put_times(report, group);
	fputc('\n', out);
}

/* Returns the durations of buckets @from to before @end: "1.0ms to 4.0ms". */
static struct words bucket_words(uint32_t from, uint32_t end)
{
	struct words low = span_duration_words(from ? 1000ull << (from - 1) : 0);
	struct words high = span_duration_words(1000ull << (end - 1));
	struct words words;

	if (end >= SPAN_HIST_CNT)
		snprintf(words.text, sizeof(words.text), "%.24s or more", low.text);
	else if (!from)
		snprintf(words.text, sizeof(words.text), "below %.24s", high.text);
	else
		snprintf(words.text, sizeof(words.text), "%.24s to %.24s", low.text, high.text);
	return words;
}

/* Prints how many took how long, neighbours as one line where there are many; nothing when all fall
 * in one bucket. */
static void put_hist(const struct report *report, const struct span_groups *groups,
		     const struct span_group *group)
{
	uint64_t hist[SPAN_HIST_CNT], merged[HIST_LINES_MAX] = { 0 }, most = 0;
	uint32_t from = SPAN_HIST_CNT, end = 0, step, line_cnt;

	span_group_hist(groups, group, hist);
	for (uint32_t i = 0; i < SPAN_HIST_CNT; i++) {
		if (!hist[i])
			continue;
		from = i < from ? i : from;
		end = i + 1;
	}
	if (group->kind == SPAN_ON_CPU || end <= from + 1)
		return;
	step = (end - from + HIST_LINES_MAX - 1) / HIST_LINES_MAX;
	line_cnt = (end - from + step - 1) / step;
	for (uint32_t i = from; i < end; i++)
		merged[(i - from) / step] += hist[i];
	for (uint32_t i = 0; i < line_cnt; i++)
		most = merged[i] > most ? merged[i] : most;
	for (uint32_t i = 0; i < line_cnt; i++) {
		uint32_t first = from + i * step;
		struct words label = bucket_words(first, first + step < end ? first + step : end);
		int width = snprintf(NULL, 0, "%" PRIu64, most);
		int bar = (int)((double)merged[i] / (double)most * HIST_BAR_MAX + 0.5);

		fprintf(report->out, "  %-14s  %*" PRIu64 "%s%.*s\n", label.text, width, merged[i],
			merged[i] ? " " : "", merged[i] && !bar ? 1 : bar, "####################");
	}
}

static int put_waker(struct report *report, const struct span_group *group,
		     const struct frame_form *form)
{
	int err;

	if (!group->waker && group->waker_stack == MODEL_NONE) {
		fprintf(report->out, "  %s, blocked in\n",
			group->open_cnt == group->cnt ? "not woken" : "waker not known");
		return 0;
	}
	fputs("  woken by ", report->out);
	if (group->waker) {
		fputc('"', report->out);
		put_clean(report->out, model_str(report->model, group->waker));
		fputs("\" ", report->out);
	}
	fputs("in\n", report->out);
	err = put_stacks(report, group->waker_stack, MODEL_NONE, "no user stack", form);
	fputs("  blocked in\n", report->out);
	return err;
}

int put_record_group(struct report *report, struct span_groups *groups,
		     const struct span_group *group)
{
	struct frame_form form = { .indent = "\t",
				   .call = "",
				   .all = report->options->verbose,
				   .full_paths = report->options->verbose };
	bool unsampled = group->kind == SPAN_ON_CPU && !group->cnt;
	struct members members;
	int err = 0;

	put_group_line(report, group);
	put_hist(report, groups, group);
	if (report->options->by == REPORT_BY_WAKER)
		err = put_waker(report, group, &form);
	if (!err)
		err = put_stacks(report, group->stack, group->kstack,
				 unsampled ? "no stack: not sampled" : "no stack", &form);
	if (!err)
		err = span_group_members(groups, group, &members);
	return err ? err : put_roster(report, &members, true);
}

void put_record_line(const struct report *report, const struct model_process *process)
{
	const struct model *model = report->model;

	put_process_title(report, process);
	fprintf(report->out, " recorded for %s from %s, %s\n",
		span_duration_words(model->window_ns).text, clock_words(model, model->boot_ns).text,
		stopped_words(model, process));
}

/* Prints the groups from @first on that are of process @process. Writes the first that is not to
 * @ret_next. */
static int put_groups(struct report *report, struct span_groups *groups, uint32_t process,
		      uint32_t first, uint32_t *ret_next)
{
	uint32_t top = report->options->top, hidden_cnt = 0, i;
	uint64_t hidden_ns = 0;
	int err = 0;

	for (i = first; i < groups->groups.len && !err; i++) {
		const struct span_group *group = span_groups_at(groups, i);

		if (group->process != process)
			break;
		if (top && i - first >= top) {
			hidden_cnt++;
			hidden_ns += group->total_ns;
			continue;
		}
		fputc('\n', report->out);
		err = put_record_group(report, groups, group);
	}
	if (hidden_cnt)
		fprintf(report->out, "\n%u more stack%s, %s in all: --top 0 shows %s\n", hidden_cnt,
			hidden_cnt == 1 ? "" : "s", span_duration_words(hidden_ns).text,
			hidden_cnt == 1 ? "it" : "them");
	*ret_next = i;
	return err;
}

void put_record_totals(const struct report *report, const struct model_process *process,
		       const struct span_totals *totals)
{
	static const char *const names[] = {
		[SPAN_BLOCKED] = "blocked",
		[SPAN_RUN_QUEUE] = "run queue",
		[SPAN_ON_CPU] = "on CPU",
	};
	double all_ns = (double)process->thread_cnt * (double)report->model->window_ns;
	const char *separator = ":";

	if (totals->idle_ns)
		fprintf(report->out, "\n%s in idle waits not shown\n",
			span_duration_words(totals->idle_ns).text);
	fprintf(report->out, "\n%u thread%s x %s", process->thread_cnt,
		process->thread_cnt == 1 ? "" : "s",
		span_duration_words(report->model->window_ns).text);
	for (uint32_t kind = SPAN_BLOCKED; kind <= SPAN_ON_CPU; kind++) {
		if (!totals->any[kind])
			continue;
		fprintf(report->out, "%s %s %s (%.1f %%)", separator, names[kind],
			span_duration_words(totals->ns[kind]).text,
			100 * (double)totals->ns[kind] / all_ns);
		separator = ",";
	}
	fputc('\n', report->out);
}

int record_text(struct report *report)
{
	const struct model *model = report->model;
	enum shape_of of = report->options->verbose ? SHAPE_OF_ALL : SHAPE_OF_USER;
	struct span_totals *totals = span_totals_new(model, report->options);
	struct span_groups groups;
	uint32_t next = 0;
	int err = span_groups_init(&groups, model, report->options, of);

	if (!totals)
		err = -ENOMEM;
	for (uint32_t i = 0; i < model->processes.len && !err; i++) {
		if (i)
			fputc('\n', report->out);
		put_record_line(report, model_process(model, i));
		err = put_groups(report, &groups, i, next, &next);
		put_record_totals(report, model_process(model, i), &totals[i]);
	}
	span_groups_release(&groups);
	free(totals);
	put_losses(report);
	return err;
}
