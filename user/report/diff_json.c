/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What changed, for programs; docs/OUTPUT.md has the schema. */
#include <errno.h>

#include "report/diff_rows.h"
#include "report/json_parts.h"
#include "report/words.h"

static json_t *json_row_head(struct diff *diff, const struct diff_row *row)
{
	enum diff_side side = diff_row_side(row);
	struct report *report = &diff->report[side];
	const struct group *group = &row->group[side];
	const char *wait = wait_words(report->model, group->wait, group->syscall, group->state);
	json_t *json = json_object();
	int err = 0;

	err |= json_object_set_new(json, "change", json_string(diff_row_words(row)));
	err |= json_object_set_new(json, "before", json_u64(row->cnt[DIFF_BEFORE]));
	err |= json_object_set_new(json, "after", json_u64(row->cnt[DIFF_AFTER]));
	err |= json_object_set_new(json, "stuck", json_u64(row->stuck_cnt));
	err |= json_object_set_new(json, "state", json_string(state_name(group->state)));
	err |= json_object_set_new(json, "wait", json_clean(report, wait));
	return json_checked(json, err);
}

static void put_tids(const struct diff *diff, const char *key, enum diff_side side,
		     const struct vec *threads, uint32_t first, uint32_t cnt)
{
	FILE *out = diff->report[side].out;

	fprintf(out, ",\"%s\":[", key);
	for (uint32_t i = 0; i < cnt; i++)
		fprintf(out, "%s%u", i ? "," : "",
			model_thread(diff->report[side].model,
				     *(uint32_t *)vec_at(threads, first + i))
				->tid);
	fputc(']', out);
}

static int put_row(struct diff *diff, struct json_writer *writers, const struct diff_row *row)
{
	enum diff_side side = diff_row_side(row);
	struct report *report = &diff->report[side];
	const struct model *model = report->model;
	uint32_t first = *(uint32_t *)vec_at(&diff->members, row->first_member);
	int err;

	fputc('{', report->out);
	err = put_json(report, json_row_head(diff, row), JSON_EMBED);
	fputc(',', report->out);
	if (!err)
		err = put_json_creator(&writers[side], model_thread(model, first));
	if (!err)
		err = put_json_stack(&writers[side], row->group[side].stack);
	put_tids(diff, "tids", side, &diff->members, row->first_member, row->member_cnt);
	put_tids(diff, "stuck_tids", DIFF_AFTER, &diff->stuck, row->first_stuck, row->stuck_cnt);
	fputc('}', report->out);
	return err;
}

static int put_side(const struct diff *diff, enum diff_side side, const char *key)
{
	const struct report *report = &diff->report[side];
	const struct model *model = report->model;
	int err;

	fprintf(report->out, ",\"%s\":", key);
	err = put_member((struct report *)report, "{", "file", diff->name[side]);
	fprintf(report->out, ",\"time\":\"%s\"", utc_words(model, model->boot_ns).text);
	if (!err)
		err = put_member((struct report *)report, ",", "host",
				 model_str(model, model->host));
	put_json_losses(report);
	fputc('}', report->out);
	return err;
}

static void put_pid(const struct diff *diff, enum diff_side side, const char *key, uint32_t process)
{
	const struct model *model = diff->report[side].model;

	if (process == MODEL_NONE)
		fprintf(diff->report[side].out, ",\"%s\":null", key);
	else
		fprintf(diff->report[side].out, ",\"%s\":%u", key,
			model_process(model, process)->tgid);
}

static int put_process(struct diff *diff, struct json_writer *writers,
		       const struct diff_process *process)
{
	enum diff_side side = process->idx[DIFF_AFTER] == MODEL_NONE ? DIFF_BEFORE : DIFF_AFTER;
	struct report *report = &diff->report[side];
	const struct model_process *named = diff_process_of(diff, process);
	int err = diff_build(diff, process);

	fprintf(report->out, "{\"pid\":%u,", named->tgid);
	if (!err)
		err = put_member(report, "", "comm", model_str(report->model, named->comm));
	put_pid(diff, DIFF_BEFORE, "pid_before", process->idx[DIFF_BEFORE]);
	put_pid(diff, DIFF_AFTER, "pid_after", process->idx[DIFF_AFTER]);
	fputs(",\"groups\":[", report->out);
	for (uint32_t i = 0; i < diff->rows.len && !err; i++) {
		fputs(i ? ",\n" : "\n", report->out);
		err = put_row(diff, writers, diff_row_at(diff, i));
	}
	fputs("]}", report->out);
	return err;
}

int diff_json(struct diff *diff)
{
	struct report *report = &diff->report[DIFF_AFTER];
	struct json_writer writers[DIFF_SIDE_CNT];
	int err = put_member(report, "{", "loiter",
			     model_str(report->model, report->model->loiter_version));

	for (int i = 0; i < DIFF_SIDE_CNT; i++)
		json_writer_init(&writers[i], &diff->report[i]);
	if (!err)
		err = put_side(diff, DIFF_BEFORE, "before");
	if (!err)
		err = put_side(diff, DIFF_AFTER, "after");
	fputs(",\"processes\":[", report->out);
	for (uint32_t i = 0; i < diff->processes.len && !err; i++) {
		fputs(i ? ",\n" : "\n", report->out);
		err = put_process(diff, writers, vec_at(&diff->processes, i));
	}
	fputs("]}\n", report->out);
	for (int i = 0; i < DIFF_SIDE_CNT; i++)
		json_writer_release(&writers[i]);
	return err;
}
