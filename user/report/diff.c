/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/diff_rows.h"

#define LINE_MAX_BYTES (16u << 20)
#define BOOT_SLACK_NS (5 * 1000000000LL) /* clocks are set meanwhile */

/* A thread and the row it falls in, until the rows' sizes are known. */
struct diff_pick {
	uint32_t thread;
	uint32_t row;
	bool is_stuck;
};

/* -- processes -- */

/* What two processes that are one have in common: id and start, or the program. */
enum alike { ALIKE_PROCESS, ALIKE_PROGRAM };

static bool is_alike(const struct diff *diff, enum alike how, uint32_t before_idx,
		     uint32_t after_idx)
{
	const struct model *before = diff->report[DIFF_BEFORE].model;
	const struct model *after = diff->report[DIFF_AFTER].model;
	const struct model_process *x = model_process(before, before_idx);
	const struct model_process *y = model_process(after, after_idx);

	if (how == ALIKE_PROCESS)
		return diff->same_boot && x->tgid == y->tgid && x->start_ns == y->start_ns;
	return !strcmp(model_str(before, x->comm), model_str(after, y->comm)) &&
	       !strcmp(model_str(before, x->exe), model_str(after, y->exe));
}

static uint64_t process_hash(const struct model *model, enum alike how, uint32_t idx)
{
	const struct model_process *process = model_process(model, idx);
	const char *comm = model_str(model, process->comm), *exe = model_str(model, process->exe);

	if (how == ALIKE_PROCESS)
		return hash_mix(process->tgid, process->start_ns);
	return hash_mix(hash_bytes(comm, strlen(comm)), hash_bytes(exe, strlen(exe)));
}

/* Gives each process of the later capture that is alone one of the earlier that is, each once, in
 * order. */
static int pair_processes(struct diff *diff, enum alike how, uint8_t *is_taken)
{
	const struct model *before = diff->report[DIFF_BEFORE].model;
	const struct model *after = diff->report[DIFF_AFTER].model;
	uint32_t cnt = before->processes.len, first;
	uint32_t *next = calloc((size_t)cnt + 1, sizeof(*next)); /* of the same hash; 0: none */
	struct table first_of;					 /* hash -> index + 1 */
	int err = next ? 0 : -ENOMEM;

	table_init(&first_of, cnt + 1);
	for (uint32_t i = cnt; i-- > 0 && !err;) {
		uint64_t hash = process_hash(before, how, i);

		if (is_taken[i])
			continue;
		next[i] = table_find(&first_of, hash, &first) ? first : 0;
		err = table_put(&first_of, hash, i + 1);
	}
	for (uint32_t i = 0; i < diff->processes.len && !err; i++) {
		struct diff_process *pair = vec_at(&diff->processes, i);
		uint64_t hash = process_hash(after, how, pair->idx[DIFF_AFTER]);

		if (pair->idx[DIFF_BEFORE] != MODEL_NONE || !table_find(&first_of, hash, &first) ||
		    !first || !is_alike(diff, how, first - 1, pair->idx[DIFF_AFTER]))
			continue;
		pair->idx[DIFF_BEFORE] = first - 1;
		is_taken[first - 1] = 1;
		err = table_put(&first_of, hash, next[first - 1]);
	}
	table_release(&first_of);
	free(next);
	return err;
}

/* Pairs those that have threads: of leaks there are others, which had ended. */
static int find_processes(struct diff *diff)
{
	const struct model *before = diff->report[DIFF_BEFORE].model;
	const struct model *after = diff->report[DIFF_AFTER].model;
	uint8_t *is_taken = calloc((size_t)before->processes.len + 1, 1);
	int err = is_taken ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < after->processes.len && !err; i++) {
		const struct diff_process pair = { { MODEL_NONE, i } };

		if (model_process(after, i)->thread_cnt)
			err = vec_append(&diff->processes, &pair, 1);
	}
	for (uint32_t i = 0; i < before->processes.len && !err; i++)
		is_taken[i] = !model_process(before, i)->thread_cnt;
	if (!err)
		err = pair_processes(diff, ALIKE_PROCESS, is_taken);
	if (!err)
		err = pair_processes(diff, ALIKE_PROGRAM, is_taken);
	for (uint32_t i = 0; i < before->processes.len && !err; i++) {
		const struct diff_process pair = { { i, MODEL_NONE } };

		if (!is_taken[i])
			err = vec_append(&diff->processes, &pair, 1);
	}
	free(is_taken);
	return err;
}

/* -- rows -- */

/* Writes to @ret_row the row of the line that was put together, which is added when it is new. */
static int find_row(struct diff *diff, struct report *report, uint32_t *ret_row)
{
	uint32_t line = strpool_add(&diff->lines, buf_text(&report->line));
	struct diff_row *row;

	if (!line)
		return -ENOMEM;
	if (table_find(&diff->row_by_line, line, ret_row))
		return 0;
	row = vec_push(&diff->rows);
	if (!row)
		return -ENOMEM;
	row->line = line;
	*ret_row = diff->rows.len - 1;
	return table_put(&diff->row_by_line, line, *ret_row);
}

static uint64_t thread_key(const struct model_thread *thread)
{
	return hash_mix(thread->tid, thread->start_ns);
}

/* Whether @thread was there in the capture before, and has not run since. */
static bool is_stuck(const struct diff *diff, const struct model_thread *thread)
{
	const struct model *before = diff->report[DIFF_BEFORE].model;
	const struct model_thread *then;
	uint32_t idx;

	if (!table_find(&diff->thread_before, thread_key(thread), &idx))
		return false;
	then = model_thread(before, idx);
	return then->tid == thread->tid && then->start_ns == thread->start_ns &&
	       then->run_cnt == thread->run_cnt && thread->state == THREAD_BLOCKED &&
	       then->state == THREAD_BLOCKED;
}

static int add_group(struct diff *diff, enum diff_side side, const char *comm,
		     const struct group *group)
{
	struct members members = group_members(&diff->groups[side], group);
	struct diff_row *row;
	uint32_t row_idx;
	int err = fold_group(&diff->fold[side], comm, group);

	if (!err)
		err = find_row(diff, &diff->report[side], &row_idx);
	if (err)
		return err;
	row = vec_at(&diff->rows, row_idx);
	if (!row->cnt[side])
		row->group[side] = *group;
	row->cnt[side] += members.cnt;
	for (uint32_t i = 0; i < members.cnt && !err; i++) {
		struct diff_pick pick = { .thread = members.threads[i], .row = row_idx };

		pick.is_stuck = side == DIFF_AFTER && is_stuck(diff, member_at(&members, i));
		row->stuck_cnt += pick.is_stuck;
		/* Those of before are only told of where there are none later. */
		if (side == DIFF_AFTER || !row->cnt[DIFF_AFTER])
			err = vec_append(&diff->picks, &pick, 1);
	}
	return err;
}

static int add_side(struct diff *diff, enum diff_side side, const struct diff_process *process)
{
	const struct model *model = diff->report[side].model;
	uint32_t idx = process->idx[side];
	const char *comm;
	int err;

	if (idx == MODEL_NONE)
		return 0;
	comm = model_str(model, model_process(model, idx)->comm);
	err = groups_build(&diff->groups[side], &idx, 1);
	for (uint32_t i = 0; i < diff->groups[side].groups.len && !err; i++)
		err = add_group(diff, side, comm, groups_at(&diff->groups[side], i));
	return err;
}

static int index_threads(struct diff *diff, uint32_t process_idx)
{
	const struct model *before = diff->report[DIFF_BEFORE].model;
	const struct model_process *process;
	int err = 0;

	table_clear(&diff->thread_before);
	if (process_idx == MODEL_NONE || !diff->same_boot)
		return 0;
	process = model_process(before, process_idx);
	for (uint32_t i = 0; i < process->thread_cnt && !err; i++)
		err = table_put(&diff->thread_before,
				thread_key(model_thread(before, process->first_thread + i)),
				process->first_thread + i);
	return err;
}

static int compare_picks(const void *a, const void *b)
{
	const struct diff_pick *x = a, *y = b;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	return (x->thread > y->thread) - (x->thread < y->thread);
}

/* Gives each row its runs of threads. */
static int fill_rows(struct diff *diff)
{
	int err = 0;

	if (diff->picks.len)
		qsort(diff->picks.data, diff->picks.len, sizeof(struct diff_pick), compare_picks);
	for (uint32_t i = 0; i < diff->picks.len && !err; i++) {
		const struct diff_pick *pick = vec_at(&diff->picks, i);
		struct diff_row *row = vec_at(&diff->rows, pick->row);

		if (!row->member_cnt++) {
			row->first_member = diff->members.len;
			row->first_stuck = diff->stuck.len;
		}
		err = vec_append(&diff->members, &pick->thread, 1);
		if (!err && pick->is_stuck)
			err = vec_append(&diff->stuck, &pick->thread, 1);
	}
	return err;
}

static int compare_rows(const void *a, const void *b)
{
	const struct diff_row *x = a, *y = b;
	int64_t x_more = (int64_t)x->cnt[DIFF_AFTER] - x->cnt[DIFF_BEFORE];
	int64_t y_more = (int64_t)y->cnt[DIFF_AFTER] - y->cnt[DIFF_BEFORE];

	/* What is as it was comes last. */
	if (!x_more != !y_more)
		return !x_more ? 1 : -1;
	if (x_more != y_more)
		return x_more > y_more ? -1 : 1;
	if (x->cnt[DIFF_AFTER] != y->cnt[DIFF_AFTER])
		return x->cnt[DIFF_AFTER] > y->cnt[DIFF_AFTER] ? -1 : 1;
	return (x->line > y->line) - (x->line < y->line);
}

int diff_build(struct diff *diff, const struct diff_process *process)
{
	int err;

	vec_clear(&diff->rows);
	vec_clear(&diff->picks);
	vec_clear(&diff->members);
	vec_clear(&diff->stuck);
	table_clear(&diff->row_by_line);
	err = index_threads(diff, process->idx[DIFF_BEFORE]);
	/* The later one first: of its threads more is told. */
	if (!err)
		err = add_side(diff, DIFF_AFTER, process);
	if (!err)
		err = add_side(diff, DIFF_BEFORE, process);
	if (!err)
		err = fill_rows(diff);
	if (!err && diff->rows.len)
		qsort(diff->rows.data, diff->rows.len, sizeof(struct diff_row), compare_rows);
	return err;
}

const char *diff_row_words(const struct diff_row *row)
{
	if (!row->cnt[DIFF_BEFORE])
		return "appeared";
	if (!row->cnt[DIFF_AFTER])
		return "vanished";
	if (row->cnt[DIFF_AFTER] == row->cnt[DIFF_BEFORE])
		return "same";
	return row->cnt[DIFF_AFTER] > row->cnt[DIFF_BEFORE] ? "grew" : "shrank";
}

/* -- all of it -- */

static bool is_same_boot(const struct model *before, const struct model *after)
{
	int64_t before_ns = (int64_t)(before->wall_ns - before->boot_ns);
	int64_t after_ns = (int64_t)(after->wall_ns - after->boot_ns);
	uint64_t apart_ns = before_ns > after_ns ? (uint64_t)before_ns - (uint64_t)after_ns
						 : (uint64_t)after_ns - (uint64_t)before_ns;

	return apart_ns < BOOT_SLACK_NS &&
	       !strcmp(model_str(before, before->host), model_str(after, after->host));
}

static int open_side(struct diff *diff, enum diff_side side, const struct diff_capture *capture,
		     const struct report_options *options, FILE *out)
{
	static const struct report_style plain = { "", "", "", "", "" };
	struct report *report = &diff->report[side];

	*report = (struct report){
		.model = capture->model, .options = options, .style = &plain, .out = out
	};
	diff->name[side] = capture->name;
	frames_init(&report->frames);
	buf_init(&report->line, LINE_MAX_BYTES);
	fold_init(&diff->fold[side], report);
	return groups_init(&diff->groups[side], capture->model, options,
			   options->verbose ? SHAPE_OF_ALL : SHAPE_OF_USER_AND_ROOT);
}

static void close_side(struct diff *diff, enum diff_side side)
{
	groups_release(&diff->groups[side]);
	fold_release(&diff->fold[side]);
	buf_release(&diff->report[side].line);
	frames_release(&diff->report[side].frames);
}

int report_diff(const struct diff_capture *before, const struct diff_capture *after,
		const struct report_options *options, FILE *out)
{
	struct diff diff = { .same_boot = is_same_boot(before->model, after->model) };
	int err, other_err;

	if (options->format != REPORT_TEXT && options->format != REPORT_JSON)
		return -EINVAL;
	vec_init(&diff.processes, sizeof(struct diff_process), 2 * MODEL_THREAD_MAX);
	vec_init(&diff.rows, sizeof(struct diff_row), 2 * MODEL_THREAD_MAX);
	vec_init(&diff.picks, sizeof(struct diff_pick), 2 * MODEL_THREAD_MAX);
	vec_init(&diff.members, sizeof(uint32_t), 2 * MODEL_THREAD_MAX);
	vec_init(&diff.stuck, sizeof(uint32_t), 2 * MODEL_THREAD_MAX);
	table_init(&diff.row_by_line, 2 * MODEL_THREAD_MAX);
	table_init(&diff.thread_before, 2 * MODEL_THREAD_MAX);
	strpool_init(&diff.lines);
	err = open_side(&diff, DIFF_BEFORE, before, options, out);
	other_err = open_side(&diff, DIFF_AFTER, after, options, out);
	if (!err)
		err = other_err;
	if (!err)
		err = find_processes(&diff);
	if (!err)
		err = options->format == REPORT_JSON ? diff_json(&diff) : diff_text(&diff);
	close_side(&diff, DIFF_BEFORE);
	close_side(&diff, DIFF_AFTER);
	strpool_release(&diff.lines);
	table_release(&diff.row_by_line);
	table_release(&diff.thread_before);
	vec_release(&diff.processes);
	vec_release(&diff.rows);
	vec_release(&diff.picks);
	vec_release(&diff.members);
	vec_release(&diff.stuck);
	return err;
}
