/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Who waits for which futex and who wakes them, as text: of each process the futexes that were
 * waited for longest.
 *
 *	4.0s waited in [mutex lock] on futex 0x55d1c0de4010 (log_lock), 4023 times, ...
 *	  12 timed out, 40 found its value changed
 *	  4011 woken by 4020 calls, 9 of which woke nobody
 *	  waiting 3.9s, 4000 times, ...
 *		FRAMES
 *	  waiting 83ms, 23 times, ...
 *		FRAMES
 *	  waking
 *		FRAMES
 */
#include "report/futexes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "report/text.h"
#include "report/words.h"

#define PARTS_SHOWN 5 /* of those that wait, and of the others */

static const char *plural(uint64_t cnt)
{
	return cnt == 1 ? "" : "s";
}

/* Prints ", 37 times, 7.1s each on average, 10s longest, 2 not over". */
static void put_times(FILE *out, const struct model_futex *sum)
{
	if (sum->cnt <= 1)
		fputs(", once", out);
	else
		fprintf(out, ", %" PRIu64 " times, %s each on average, %s longest", sum->cnt,
			span_duration_words(sum->total_ns / sum->cnt).text,
			span_duration_words(sum->max_ns).text);
	if (sum->open_cnt && sum->cnt > 1)
		fprintf(out, ", %u not over", sum->open_cnt);
	else if (sum->open_cnt)
		fputs(", not over", out);
}

/* Prints how calls ended that did not end well, each with @separator before it and then with a
 * comma. Returns whether there are any. */
static bool put_failures(FILE *out, const struct model_futex *sum, const char *separator)
{
	const struct {
		uint64_t cnt;
		const char *words;
	} failures[] = { { sum->timeout_cnt, "timed out" },
			 { sum->changed_cnt, "found its value changed" },
			 { sum->interrupted_cnt, "interrupted" },
			 { sum->failed_cnt, "failed" } };
	bool any = false;

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		if (!failures[i].cnt)
			continue;
		fprintf(out, "%s%" PRIu64 " %s", any ? ", " : separator, failures[i].cnt,
			failures[i].words);
		any = true;
	}
	return any;
}

static void put_futex(const struct report *report, const struct model_futex *futex)
{
	fprintf(report->out, "%sfutex 0x%" PRIx64, futex->is_shared ? "shared " : "", futex->addr);
	if (!futex->name)
		return;
	fputs(" (", report->out);
	put_clean(report->out, model_str(report->model, futex->name));
	fputs(")", report->out);
}

static void put_group_line(const struct report *report, const struct futex_group *group)
{
	const struct model_futex *waits = &group->waits;
	FILE *out = report->out;

	if (!group->wait_part_cnt) {
		fputs("no waits on ", out);
		put_futex(report, waits);
	} else {
		fprintf(out, "%s%s waited in [", report->style->wait,
			span_duration_words(waits->total_ns).text);
		put_clean(out, wait_words(report->model, waits->wait, 0, THREAD_BLOCKED));
		fprintf(out, "]%s on ", report->style->reset);
		put_futex(report, waits);
		put_times(out, waits);
	}
	fputc('\n', out);
}

/* Prints "4011 woken by 4020 calls, 9 of which woke nobody". */
static void put_wakes(FILE *out, const struct model_futex *wakes)
{
	if (!wakes->cnt)
		return;
	fprintf(out, "  %" PRIu64 " woken", wakes->woken_cnt);
	if (wakes->moved_cnt)
		fprintf(out, " and %" PRIu64 " moved", wakes->moved_cnt);
	fprintf(out, " by %" PRIu64 " call%s", wakes->cnt, plural(wakes->cnt));
	if (wakes->nobody_cnt)
		fprintf(out, ", %" PRIu64 " of which woke nobody", wakes->nobody_cnt);
	put_failures(out, wakes, ", ");
	fputc('\n', out);
}

/* Prints what the calls of a part do; how often, unless it is @alone and that has been told. */
static void put_part_line(FILE *out, const struct model_futex *part, bool alone)
{
	static const char *const doing[] = {
		[FUTEX_WAITS] = "waiting",
		[FUTEX_WAITS_ANY] = "waiting for any of several",
		[FUTEX_LOCKS_PI] = "locking",
		[FUTEX_WAITS_REQUEUE_PI] = "waiting to be moved",
		[FUTEX_WAKES] = "waking",
		[FUTEX_WAKES_OP] = "waking (also of a second futex)",
		[FUTEX_UNLOCKS_PI] = "unlocking",
		[FUTEX_MOVES] = "moving",
	};

	fprintf(out, "  %s", doing[part->kind]);
	if (alone) {
		fputc('\n', out);
		return;
	}
	if (futex_kind_waits(part->kind)) {
		fprintf(out, " %s", span_duration_words(part->total_ns).text);
		put_times(out, part);
	} else {
		if (part->kind == FUTEX_MOVES)
			fprintf(out, " %" PRIu64 " and waking", part->moved_cnt);
		if (part->kind != FUTEX_UNLOCKS_PI)
			fprintf(out, " %" PRIu64 " thread%s", part->woken_cnt,
				plural(part->woken_cnt));
		fprintf(out, " in %" PRIu64 " call%s", part->cnt, plural(part->cnt));
		if (part->nobody_cnt)
			fprintf(out, ", %" PRIu64 " of which woke nobody", part->nobody_cnt);
	}
	put_failures(out, part, ", ");
	fputc('\n', out);
}

/* Prints the parts @first to before @end of @group, at most PARTS_SHOWN unless all are asked for.
 */
static int put_parts(struct report *report, const struct futex_groups *groups,
		     const struct futex_group *group, uint32_t first, uint32_t end)
{
	const struct frame_form form = { .indent = "\t",
					 .call = "",
					 .all = report->options->verbose,
					 .full_paths = report->options->verbose };
	uint32_t shown_end = end;
	int err = 0;

	if (report->options->top && end - first > PARTS_SHOWN)
		shown_end = first + PARTS_SHOWN;
	for (uint32_t i = first; i < shown_end && !err; i++) {
		const struct model_futex *part = futex_group_part(groups, group, i);

		put_part_line(report->out, part, end - first == 1);
		err = put_stacks(report, part->stack, MODEL_NONE, "no stack", &form);
	}
	if (shown_end < end)
		fprintf(report->out, "  and at %u more stack%s: --top 0 shows %s\n",
			end - shown_end, plural(end - shown_end),
			end - shown_end == 1 ? "it" : "them");
	return err;
}

static int put_group(struct report *report, const struct futex_groups *groups,
		     const struct futex_group *group)
{
	int err;

	put_group_line(report, group);
	if (put_failures(report->out, &group->waits, "  "))
		fputc('\n', report->out);
	put_wakes(report->out, &group->wakes);
	err = put_parts(report, groups, group, 0, group->wait_part_cnt);
	return err ? err : put_parts(report, groups, group, group->wait_part_cnt, group->part_cnt);
}

/* Prints the groups from @first on that are of process @process. Writes the first that is not to
 * @ret_next. */
static int put_groups(struct report *report, const struct futex_groups *groups, uint32_t process,
		      uint32_t first, uint32_t *ret_next)
{
	uint32_t top = report->options->top, hidden_cnt = 0, i;
	uint64_t hidden_ns = 0;
	int err = 0;

	for (i = first; i < groups->groups.len && !err; i++) {
		const struct futex_group *group = futex_groups_at(groups, i);

		if (group->waits.process != process)
			break;
		if (top && i - first >= top) {
			hidden_cnt++;
			hidden_ns += group->waits.total_ns;
			continue;
		}
		fputc('\n', report->out);
		err = put_group(report, groups, group);
	}
	if (i == first)
		fputs("\nno futex calls\n", report->out);
	if (hidden_cnt)
		fprintf(report->out, "\n%u more futex%s, waited %s in all: --top 0 shows %s\n",
			hidden_cnt, hidden_cnt == 1 ? "" : "es",
			span_duration_words(hidden_ns).text, hidden_cnt == 1 ? "it" : "them");
	*ret_next = i;
	return err;
}

int futex_text(struct report *report)
{
	const struct model *model = report->model;
	enum shape_of of = report->options->verbose ? SHAPE_OF_ALL : SHAPE_OF_USER;
	struct span_totals *totals = span_totals_new(model, report->options);
	struct futex_groups groups;
	uint32_t next = 0;
	int err = futex_groups_init(&groups, model, of);

	if (!totals)
		err = -ENOMEM;
	for (uint32_t i = 0; i < model->processes.len && !err; i++) {
		if (i)
			fputc('\n', report->out);
		put_record_line(report, model_process(model, i));
		err = put_groups(report, &groups, i, next, &next);
		put_record_totals(report, model_process(model, i), &totals[i]);
	}
	futex_groups_release(&groups);
	free(totals);
	put_losses(report);
	return err;
}
