/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What changed, for people: what grew most first, with its stacks; what is as it was in a line.
 *
 *	grew from 20 to 38: threads [cond wait, 4.2s to 4h57m] created by start_threads at
 *steps.c:123 wait_for_cancel demo/steps.c:77 +0x2b threads 314 to 318, 402 to 406 have not run in
 *between threads 314 to 318, 402 to 406, 520 to 537; ran 2 times each
 */
#include <errno.h>
#include <inttypes.h>

#include "report/created_by.h"
#include "report/diff_rows.h"
#include "report/roster.h"
#include "report/words.h"

static struct members row_members(const struct diff *diff, const struct diff_row *row)
{
	return (struct members){ .model = diff->report[diff_row_side(row)].model,
				 .threads = vec_at(&diff->members, row->first_member),
				 .cnt = row->member_cnt };
}

static struct members row_stuck(const struct diff *diff, const struct diff_row *row)
{
	return (struct members){ .model = diff->report[DIFF_AFTER].model,
				 .threads = vec_at(&diff->stuck, row->first_stuck),
				 .cnt = row->stuck_cnt };
}

static uint32_t tid_at(const void *arg, uint32_t idx)
{
	return member_at(arg, idx)->tid;
}

static void put_counts(FILE *out, const struct diff_row *row)
{
	const uint32_t *cnt = row->cnt;

	if (cnt[DIFF_BEFORE] == cnt[DIFF_AFTER])
		fprintf(out, "as before: %u thread%s", cnt[DIFF_AFTER],
			cnt[DIFF_AFTER] == 1 ? "" : "s");
	else if (!cnt[DIFF_BEFORE] || !cnt[DIFF_AFTER])
		fprintf(out, "%s: %u thread%s", diff_row_words(row),
			cnt[DIFF_BEFORE] + cnt[DIFF_AFTER],
			cnt[DIFF_BEFORE] + cnt[DIFF_AFTER] == 1 ? "" : "s");
	else
		fprintf(out, "%s from %u to %u threads", diff_row_words(row), cnt[DIFF_BEFORE],
			cnt[DIFF_AFTER]);
}

static int put_row_line(struct diff *diff, const struct diff_row *row)
{
	enum diff_side side = diff_row_side(row);
	struct report *report = &diff->report[side];
	const struct group *group = &row->group[side];
	struct members members = row_members(diff, row);

	put_counts(report->out, row);
	fputs(" [", report->out);
	put_clean(report->out,
		  wait_words(report->model, group->wait, group->syscall, group->state));
	fputs("]", report->out);
	return put_common_creator(report, &members);
}

/* Prints which threads have not run in between. */
static void put_stuck(struct diff *diff, const struct diff_row *row)
{
	const struct report *report = &diff->report[DIFF_AFTER];
	struct members stuck = row_stuck(diff, row);

	if (!row->stuck_cnt)
		return;
	fputs("  stuck in both: ", report->out);
	put_ids(report, tid_at, &stuck, stuck.cnt);
	fputc('\n', report->out);
}

static int put_row(struct diff *diff, const struct diff_row *row)
{
	enum diff_side side = diff_row_side(row);
	struct report *report = &diff->report[side];
	const struct group *group = &row->group[side];
	struct members members = row_members(diff, row);
	const struct frame_form form = { .indent = "\t",
					 .call = "",
					 .all = report->options->verbose,
					 .full_paths = report->options->verbose };
	bool is_same = row->cnt[DIFF_BEFORE] == row->cnt[DIFF_AFTER];
	int err;

	/* Of what is as it was, those that are stuck are of interest. */
	if (is_same && !row->stuck_cnt && !report->options->verbose)
		return 0;
	fputc('\n', report->out);
	err = put_row_line(diff, row);
	fputc('\n', report->out);
	if (!err)
		err = put_stacks(report, group->stack, group->kstack, why_no_stack(group->raced),
				 &form);
	put_stuck(diff, row);
	return err || is_same ? err : put_roster(report, &members, false);
}

static void put_process_line(const struct diff *diff, const struct diff_process *process)
{
	FILE *out = diff->report[DIFF_AFTER].out;
	const struct model_process *named = diff_process_of(diff, process);
	enum diff_side side = process->idx[DIFF_AFTER] == MODEL_NONE ? DIFF_BEFORE : DIFF_AFTER;
	uint32_t cnt[DIFF_SIDE_CNT] = { 0 };

	for (int i = 0; i < DIFF_SIDE_CNT; i++)
		if (process->idx[i] != MODEL_NONE)
			cnt[i] = model_process(diff->report[i].model, process->idx[i])->thread_cnt;
	put_clean(out, model_str(diff->report[side].model, named->comm));
	fprintf(out, " (pid %u)", named->tgid);
	if (process->idx[DIFF_BEFORE] == MODEL_NONE)
		fprintf(out, " is new, with %u thread%s\n", cnt[DIFF_AFTER],
			cnt[DIFF_AFTER] == 1 ? "" : "s");
	else if (process->idx[DIFF_AFTER] == MODEL_NONE)
		fprintf(out, " is gone, with %u thread%s\n", cnt[DIFF_BEFORE],
			cnt[DIFF_BEFORE] == 1 ? "" : "s");
	else
		fprintf(out, ", %u threads, then %u\n", cnt[DIFF_BEFORE], cnt[DIFF_AFTER]);
}

/* Says that a process is another one, of the same program. */
static void put_restart(const struct diff *diff, const struct diff_process *process)
{
	const struct model_process *before, *after;

	if (process->idx[DIFF_BEFORE] == MODEL_NONE || process->idx[DIFF_AFTER] == MODEL_NONE)
		return;
	before = model_process(diff->report[DIFF_BEFORE].model, process->idx[DIFF_BEFORE]);
	after = model_process(diff->report[DIFF_AFTER].model, process->idx[DIFF_AFTER]);
	if (diff->same_boot && before->tgid == after->tgid && before->start_ns == after->start_ns)
		return;
	fprintf(diff->report[DIFF_AFTER].out,
		"  another process of the program: it was pid %u before\n", before->tgid);
}

static void put_captures_line(const struct diff *diff)
{
	const struct model *before = diff->report[DIFF_BEFORE].model;
	const struct model *after = diff->report[DIFF_AFTER].model;
	FILE *out = diff->report[DIFF_AFTER].out;

	put_clean(out, diff->name[DIFF_BEFORE]);
	fprintf(out, " of %s, then ", utc_words(before, before->boot_ns).text);
	put_clean(out, diff->name[DIFF_AFTER]);
	fprintf(out, " of %s", utc_words(after, after->boot_ns).text);
	if (after->wall_ns >= before->wall_ns)
		fprintf(out, ", %s later\n", duration_words(after->wall_ns - before->wall_ns).text);
	else
		fprintf(out, ", %s earlier\n",
			duration_words(before->wall_ns - after->wall_ns).text);
}

int diff_text(struct diff *diff)
{
	int err = 0;

	put_captures_line(diff);
	for (uint32_t i = 0; i < diff->processes.len && !err; i++) {
		const struct diff_process *process = vec_at(&diff->processes, i);

		fputc('\n', diff->report[DIFF_AFTER].out);
		put_process_line(diff, process);
		put_restart(diff, process);
		err = diff_build(diff, process);
		for (uint32_t j = 0; j < diff->rows.len && !err; j++)
			err = put_row(diff, diff_row_at(diff, j));
	}
	put_losses(&diff->report[DIFF_BEFORE]);
	put_losses(&diff->report[DIFF_AFTER]);
	return err;
}
