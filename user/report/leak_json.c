/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Leaks for programs: each process as a dump has it, and its groups besides, each on a line of its
 * own. docs/OUTPUT.md has the schema.
 */
#include "report/formats.h"

#include <errno.h>
#include <inttypes.h>

#include "report/json_parts.h"
#include "report/leak_groups.h"
#include "report/leak_words.h"
#include "report/words.h"

#define RATES JSON_REAL_PRECISION(9)

/* Three places: no file needs more, and all machines print the same. */
static json_t *json_rate(double value)
{
	struct words words;

	snprintf(words.text, sizeof(words.text), "%.3f", value);
	return json_loads(words.text, JSON_DECODE_ANY, NULL);
}

static json_t *json_evidence(struct report *report, const struct leak_group *group)
{
	buf_clear(&report->line);
	leak_put_evidence(&report->line, group);
	return report->line.failed ? NULL : json_string(buf_text(&report->line));
}

/* Returns what stands before a group's stacks. */
static json_t *json_group_head(struct report *report, const struct leak_group *group)
{
	const struct leak_judgement *judgement = &group->judgement;
	const struct leak_flow *flow = &group->flow;
	json_t *json = json_object();
	int err = 0;

	err |= json_object_set_new(json, "verdict",
				   json_string(leak_verdict_name(judgement->verdict)));
	err |= json_object_set_new(json, "evidence", json_evidence(report, group));
	err |= json_object_set_new(json, "kind",
				   json_string(group->is_forked ? "processes" : "threads"));
	err |= json_object_set_new(json, "alive_start", json_u64(flow->alive_start));
	err |= json_object_set_new(json, "born", json_u64(flow->born));
	err |= json_object_set_new(json, "ended", json_u64(flow->ended));
	err |= json_object_set_new(json, "alive_end", json_u64(flow->alive_end));
	err |= json_object_set_new(json, "left", json_u64(group->left));
	err |= json_object_set_new(json, "watched", json_u64(group->watched));
	err |= json_object_set_new(json, "ran", json_u64(group->ran));
	err |= json_object_set_new(json, "ran_by_timeout", json_u64(group->timed));
	err |= json_object_set_new(json, "moved", json_u64(group->moved));
	err |= json_object_set_new(json, "growth_per_min", json_rate(judgement->growth_per_min));
	err |= json_object_set_new(json, "fit", json_rate(judgement->fit));
	err |= json_object_set_new(json, "older", json_u64(group->older_cnt));
	return json_checked(json, err);
}

/* Returns the members of a stack that are told beside its frames: @ref, its innermost of the
 * program's own, or NULL. */
static json_t *json_place(struct report *report, const struct frame_ref *ref)
{
	static const struct model_frame unknown;
	const struct model_frame *frame = ref && ref->frame ? ref->frame : &unknown;
	json_t *json = json_object();
	int err = 0;

	err |= json_object_set_new(json, "function", json_str(report, frame->func));
	err |= json_object_set_new(json, "file", json_str(report, frame->file));
	err |= json_object_set_new(json, "line", frame->line ? json_u64(frame->line) : json_null());
	return json_checked(json, err);
}

/* Prints a stack with its innermost own frame, of which @err tells whether it could be found. */
static int put_stack(struct json_writer *writer, uint32_t stack, const struct frame_ref *own,
		     int err)
{
	if (!err)
		err = put_json(writer->report, json_place(writer->report, own), JSON_EMBED);
	if (!err)
		err = put_json_stack(writer, stack);
	return err;
}

static int put_creator(struct json_writer *writer, const struct leak_group *group)
{
	struct report *report = writer->report;
	int err;

	fputs(",\"creator\":", report->out);
	if (group->is_older) {
		fputs("null", report->out);
		return 0;
	}
	fputc('{', report->out);
	err = frames_load_creator(&report->frames, report->model, group->creator);
	err = put_stack(writer, group->creator, err ? NULL : frames_creator(&report->frames), err);
	fputc('}', report->out);
	return err;
}

static int put_blocked_at(struct json_writer *writer, const struct leak_group *group)
{
	struct report *report = writer->report;
	const struct frames *frames = &report->frames;
	const char *wait = wait_words(report->model, group->wait, group->syscall, THREAD_BLOCKED);
	int err;

	fputs(",\"blocked_at\":", report->out);
	if (group->place == MODEL_NONE) {
		fputs("null", report->out);
		return 0;
	}
	err = put_member(report, "{", "wait", wait);
	fputc(',', report->out);
	if (!err)
		err = frames_load(&report->frames, report->model, group->place);
	err = put_stack(writer, group->place,
			err || !frames->refs.len ? NULL : frames_at(frames, frames->user_first),
			err);
	fputc('}', report->out);
	return err;
}

static void put_tids(struct report *report, const struct members *members)
{
	fputs(",\"tids\":[", report->out);
	for (uint32_t i = 0; i < members->cnt; i++)
		fprintf(report->out, "%s%u", i ? "," : "", member_at(members, i)->tid);
	fputs("]", report->out);
}

static int put_group(struct json_writer *writer, const struct leak_groups *groups,
		     const struct leak_group *group)
{
	struct members members = leak_group_members(groups, group);
	struct report *report = writer->report;
	int err;

	fputc('{', report->out);
	err = put_json(report, json_group_head(report, group), JSON_EMBED | RATES);
	if (members.cnt)
		fprintf(report->out, ",\"age_min_ns\":%" PRIu64 ",\"age_max_ns\":%" PRIu64,
			group->age_min_ns < INT64_MAX ? group->age_min_ns : INT64_MAX,
			group->age_max_ns < INT64_MAX ? group->age_max_ns : INT64_MAX);
	else
		fputs(",\"age_min_ns\":null,\"age_max_ns\":null", report->out);
	if (!err)
		err = put_creator(writer, group);
	if (!err)
		err = put_blocked_at(writer, group);
	put_tids(report, &members);
	fputc('}', report->out);
	return err;
}

/* -- processes -- */

static int put_limits(struct report *report, const struct leak_groups *groups, uint32_t process)
{
	struct leak_reach reach = leak_reach(groups, process);
	const char *separator = "";
	int err = 0;

	fputs(",\"limits\":[", report->out);
	for (uint32_t i = 0; i < report->model->limits.len && !err; i++) {
		const struct model_limit *limit = vec_at(&report->model->limits, i);

		if (limit->process != process)
			continue;
		fprintf(report->out, "%s{\"kind\":\"%s\",\"max\":%" PRIu64 ",\"used\":%" PRIu64,
			separator, leak_limit_name((enum limit_kind)limit->kind),
			limit->max < INT64_MAX ? limit->max : INT64_MAX,
			limit->used < INT64_MAX ? limit->used : INT64_MAX);
		separator = ",";
		if (limit->name)
			err = put_member(report, ",", "name",
					 model_str(report->model, limit->name));
		fputc('}', report->out);
	}
	fputs("],\"reached_in_s\":", report->out);
	return err ? err
		   : put_json(report, reach.limit ? json_rate(reach.left_s) : json_null(),
			      JSON_ENCODE_ANY | RATES);
}

static json_t *json_process_sums(const struct leak_groups *groups,
				 const struct model_process *process)
{
	const struct leak_process *sums = &groups->process;
	json_t *json = json_object();
	int err = 0;

	err |= json_object_set_new(json, "alive_start", json_u64(sums->flow.alive_start));
	err |= json_object_set_new(json, "born", json_u64(sums->flow.born));
	err |= json_object_set_new(json, "ended", json_u64(sums->flow.ended));
	err |= json_object_set_new(json, "forked", json_u64(sums->forked.born));
	err |= json_object_set_new(json, "forked_ended", json_u64(sums->forked.ended));
	err |= json_object_set_new(json, "growth_per_min", json_rate(sums->growth_per_min));
	err |= json_object_set_new(json, "fit", json_rate(sums->fit));
	err |= json_object_set_new(json, "has_ended", json_boolean(process->has_ended));
	return json_checked(json, err);
}

static int put_process(struct json_writer *writer, struct leak_groups *groups, uint32_t process_idx)
{
	struct report *report = writer->report;
	const struct model_process *process = model_process(report->model, process_idx);
	int err = leak_groups_build(groups, process_idx);

	fprintf(report->out, "{\"pid\":%u,", process->tgid);
	if (!err)
		err = put_member(report, "", "comm", model_str(report->model, process->comm));
	fputs(",\"groups\":[", report->out);
	for (uint32_t i = 0; i < groups->groups.len && !err; i++) {
		fputs(i ? ",\n" : "\n", report->out);
		err = put_group(writer, groups, leak_groups_at(groups, i));
	}
	fputs("],", report->out);
	if (!err)
		err = put_json(report, json_process_sums(groups, process), JSON_EMBED | RATES);
	if (!err)
		err = put_limits(report, groups, process_idx);
	if (err)
		return err;
	fputc(',', report->out);
	return put_json_process_rest(writer, process);
}

int leak_json(struct report *report)
{
	const struct model *model = report->model;
	struct leak_groups groups;
	struct json_writer writer;
	int err = leak_groups_init(&groups, model, report->options->verbose);

	json_writer_init(&writer, report);
	if (!err)
		err = put_json_head(report);
	fprintf(report->out,
		",\"watch_ns\":%" PRIu64 ",\"folded_born\":%" PRIu64 ",\"folded_ended\":%" PRIu64
		",\"processes\":[",
		model->watch_ns < INT64_MAX ? model->watch_ns : INT64_MAX,
		model->folded_born < INT64_MAX ? model->folded_born : INT64_MAX,
		model->folded_ended < INT64_MAX ? model->folded_ended : INT64_MAX);
	for (uint32_t i = 0; i < model->processes.len && !err; i++) {
		fputs(i ? ",\n" : "\n", report->out);
		err = put_process(&writer, &groups, i);
	}
	fputs("]", report->out);
	if (!err)
		err = put_json_tail(report);
	json_writer_release(&writer);
	leak_groups_release(&groups);
	return err;
}
