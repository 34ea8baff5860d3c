/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A recording for programs; docs/OUTPUT.md has its schema. Each group of spans is on a line of its
 * own.
 */
#include "report/formats.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "report/futexes.h"
#include "report/json_parts.h"
#include "report/spans.h"
#include "report/words.h"

static const char *const kind_names[] = {
	[SPAN_BLOCKED] = "blocked",
	[SPAN_RUN_QUEUE] = "run_queue",
	[SPAN_ON_CPU] = "on_cpu",
};

/* Returns an array of [upper bound in us or null, count]. */
static json_t *json_hist(const struct span_groups *groups, const struct span_group *group)
{
	uint64_t hist[SPAN_HIST_CNT];
	json_t *json = json_array();
	int err = 0;

	span_group_hist(groups, group, hist);
	for (uint32_t i = 0; i < SPAN_HIST_CNT; i++) {
		json_t *pair;

		if (!hist[i])
			continue;
		pair = json_array();
		err |= json_array_append_new(pair, i + 1 < SPAN_HIST_CNT ? json_u64(1ull << i)
									 : json_null());
		err |= json_array_append_new(pair, json_u64(hist[i]));
		err |= json_array_append_new(json, pair);
	}
	return json_checked(json, err);
}

static json_t *json_tids(const struct members *members)
{
	json_t *json = json_array();
	int err = 0;

	for (uint32_t i = 0; i < members->cnt; i++)
		err |= json_array_append_new(json, json_u64(member_at(members, i)->tid));
	return json_checked(json, err);
}

/* Returns what stands before the frames of a group. */
static json_t *json_group_head(struct report *report, const struct span_groups *groups,
			       const struct span_group *group, const struct members *members)
{
	bool blocked = group->kind == SPAN_BLOCKED;
	json_t *json = json_object();
	int err = 0;

	err |= json_object_set_new(json, "kind", json_string(kind_names[group->kind]));
	err |= json_object_set_new(json, "wait",
				   blocked ? json_clean(report, span_words(report->model, group))
					   : json_null());
	err |= json_object_set_new(json, "total_ns", json_u64(group->total_ns));
	err |= json_object_set_new(json, "count", json_u64(group->cnt));
	err |= json_object_set_new(json, "max_ns", json_u64(group->max_ns));
	err |= json_object_set_new(json, "open", json_u64(group->open_cnt));
	err |= json_object_set_new(json, "histogram_us", json_hist(groups, group));
	err |= json_object_set_new(json, "tids", json_tids(members));
	return json_checked(json, err);
}

/* Prints the kernel's frames, when they were asked for. */
static int put_json_kernel(struct json_writer *writer, const struct span_group *group)
{
	struct json_stack stack;
	int err;

	if (!writer->report->options->kernel)
		return 0;
	err = json_writer_stack(writer, group->kstack, &stack);
	if (!err)
		fprintf(writer->report->out, ",\"kernel_frames\":%s", stack.frames);
	return err;
}

static int put_json_waker(struct json_writer *writer, const struct span_group *group)
{
	struct report *report = writer->report;
	int err;

	fputs(",\"waker\":", report->out);
	if (!group->waker && group->waker_stack == MODEL_NONE) {
		fputs("null", report->out);
		return 0;
	}
	fputs("{\"comm\":", report->out);
	err = put_json(report, json_str(report, group->waker), JSON_ENCODE_ANY);
	if (!err)
		err = put_json_stack(writer, group->waker_stack);
	fputs("}", report->out);
	return err;
}

static int put_json_group(struct json_writer *writer, struct span_groups *groups,
			  const struct span_group *group)
{
	struct report *report = writer->report;
	struct members members;
	int err = span_group_members(groups, group, &members);

	fputc('{', report->out);
	if (!err)
		err = put_json(report, json_group_head(report, groups, group, &members),
			       JSON_EMBED);
	if (!err)
		err = put_json_stack(writer, group->stack);
	if (!err)
		err = put_json_waker(writer, group);
	if (!err)
		err = put_json_kernel(writer, group);
	fputc('}', report->out);
	return err;
}

/* Prints the groups from @first on that are of process @process. Writes the first that is not to
 * @ret_next. */
static int put_json_groups(struct json_writer *writer, struct span_groups *groups, uint32_t process,
			   uint32_t first, uint32_t *ret_next)
{
	FILE *out = writer->report->out;
	uint32_t i;
	int err = 0;

	fputs(",\"spans\":[", out);
	for (i = first; i < groups->groups.len && !err; i++) {
		const struct span_group *group = span_groups_at(groups, i);

		if (group->process != process)
			break;
		fputs(i == first ? "\n" : ",\n", out);
		err = put_json_group(writer, groups, group);
	}
	fputs(i == first ? "]" : "\n]", out);
	*ret_next = i;
	return err;
}

static int put_json_threads(struct json_writer *writer, const struct model_process *process)
{
	struct report *report = writer->report;
	const char *separator = "\n";
	int err = 0;

	fputs(",\"threads\":[", report->out);
	for (uint32_t i = 0; i < process->thread_cnt && !err; i++) {
		const struct model_thread *thread =
			model_thread(report->model, process->first_thread + i);

		fprintf(report->out, "%s{\"tid\":%u", separator, thread->tid);
		err = put_member(report, ",", "comm", model_str(report->model, thread->comm));
		fputc(',', report->out);
		if (!err)
			err = put_json_creator(writer, thread);
		fputs("}", report->out);
		separator = ",\n";
	}
	fprintf(report->out, "%s]", process->thread_cnt ? "\n" : "");
	return err;
}

static void put_json_totals(const struct report *report, const struct span_totals *totals)
{
	for (uint32_t kind = SPAN_BLOCKED; kind <= SPAN_ON_CPU; kind++)
		if (totals->any[kind])
			fprintf(report->out, ",\"%s_ns\":%" PRIu64, kind_names[kind],
				totals->ns[kind] > INT64_MAX ? INT64_MAX : totals->ns[kind]);
		else
			fprintf(report->out, ",\"%s_ns\":null", kind_names[kind]);
}

/* What is printed of the processes, which come in order. */
struct json_groups {
	struct span_groups spans;
	struct futex_groups futexes; /* by futex only */
	uint32_t next_span, next_futex;
};

static int json_groups_init(struct json_groups *groups, struct report *report)
{
	const struct model *model = report->model;
	int err = span_groups_init(&groups->spans, model, report->options, SHAPE_OF_ALL);

	groups->next_span = groups->next_futex = 0;
	groups->futexes = (struct futex_groups){ 0 };
	if (!err && report->options->by == REPORT_BY_FUTEX)
		err = futex_groups_init(&groups->futexes, model, SHAPE_OF_ALL);
	return err;
}

static void json_groups_release(struct json_groups *groups)
{
	span_groups_release(&groups->spans);
	futex_groups_release(&groups->futexes);
}

static int put_json_process(struct json_writer *writer, struct json_groups *groups,
			    uint32_t process_idx, const struct span_totals *totals)
{
	struct report *report = writer->report;
	const struct model_process *process = model_process(report->model, process_idx);
	int err;

	fprintf(report->out, "{\"pid\":%u,", process->tgid);
	err = put_member(report, "", "comm", model_str(report->model, process->comm));
	if (!err)
		err = put_json_groups(writer, &groups->spans, process_idx, groups->next_span,
				      &groups->next_span);
	if (!err && report->options->by == REPORT_BY_FUTEX)
		err = put_json_futexes(writer, &groups->futexes, process_idx, groups->next_futex,
				       &groups->next_futex);
	if (!err)
		err = put_json_threads(writer, process);
	fprintf(report->out, ",\"thread_count\":%u", process->thread_cnt);
	put_json_totals(report, totals);
	if (!err)
		err = put_member(report, ",", "exe", model_str(report->model, process->exe));
	fprintf(report->out, ",\"started\":\"%s\"}",
		utc_words(report->model, process->start_ns).text);
	return err;
}

int record_json(struct report *report)
{
	const struct model *model = report->model;
	struct span_totals *totals = span_totals_new(model, report->options);
	struct json_groups groups;
	struct json_writer writer;
	int err = json_groups_init(&groups, report);

	json_writer_init(&writer, report);
	if (!totals)
		err = -ENOMEM;
	if (!err)
		err = put_json_head(report);
	fprintf(report->out, ",\"window_ns\":%" PRIu64 ",\"processes\":[",
		model->window_ns > INT64_MAX ? INT64_MAX : model->window_ns);
	for (uint32_t i = 0; i < model->processes.len && !err; i++) {
		fputs(i ? ",\n" : "\n", report->out);
		err = put_json_process(&writer, &groups, i, &totals[i]);
	}
	fputs("]", report->out);
	if (!err)
		err = put_json_tail(report);
	json_writer_release(&writer);
	json_groups_release(&groups);
	free(totals);
	return err;
}
