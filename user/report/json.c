/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The report for programs; docs/OUTPUT.md has its schema, which only ever grows. The envelope is
 * written by hand and each thread on a line of its own, so that memory does not grow with threads.
 */
#include "report/formats.h"

#include <jansson.h>

#include "report/json_parts.h"
#include "report/words.h"

/* Returns what stands before a thread's creator and frames, in the order of the schema. */
static json_t *json_thread_head(struct report *report, const struct model_thread *thread,
				uint8_t quality)
{
	const struct model *model = report->model;
	const char *wait = wait_words(model, thread->wait, thread->syscall, thread->state);
	const char *comm = model_str(model, thread->comm);
	json_t *json = json_object();
	int err = 0;

	err |= json_object_set_new(json, "tid", json_u64(thread->tid));
	err |= json_object_set_new(json, "comm", json_clean(report, comm));
	err |= json_object_set_new(json, "state", json_string(state_name(thread->state)));
	err |= json_object_set_new(json, "wait", json_clean(report, wait));
	err |= json_object_set_new(json, "object", json_str(report, thread->object));
	err |= json_object_set_new(json, "age_ns", json_u64(thread->age_ns));
	err |= json_object_set_new(json, "runs", json_u64(thread->run_cnt));
	err |= json_object_set_new(json, "quality", json_quality(quality, thread->raced));
	return json_checked(json, err);
}

/* Returns what stands behind them. */
static json_t *json_thread_tail(struct report *report, const struct model_thread *thread,
				uint8_t end)
{
	json_t *json = json_object();
	json_t *left = thread->has_timeout ? json_integer(thread->timeout_left_ns) : json_null();
	struct words started = utc_words(report->model, thread->start_ns);
	int err = 0;

	err |= json_object_set_new(json, "timeout_left_ns", left);
	err |= json_object_set_new(json, "syscall", json_str(report, thread->syscall));
	err |= json_object_set_new(json, "started", json_string(started.text));
	err |= json_object_set_new(json, "stack_end", json_stack_end(end));
	return json_checked(json, err);
}

static int put_thread(struct json_writer *writer, const struct model_thread *thread)
{
	struct report *report = writer->report;
	struct json_stack stack;
	int err = json_writer_stack(writer, thread->stack, &stack);

	if (err)
		return err;
	fputc('{', report->out);
	err = put_json(report, json_thread_head(report, thread, stack.quality), JSON_EMBED);
	fputc(',', report->out);
	if (!err)
		err = put_json_creator(writer, thread);
	if (!err)
		err = json_writer_stack(writer, thread->stack, &stack);
	if (err)
		return err;
	fprintf(report->out, ",\"frames\":%s,", stack.frames);
	if (!err)
		err = put_json(report, json_thread_tail(report, thread, stack.end), JSON_EMBED);
	if (!err && report->options->kernel) {
		err = json_writer_stack(writer, thread->kstack, &stack);
		if (!err)
			fprintf(report->out, ",\"kernel_frames\":%s", stack.frames);
	}
	fputc('}', report->out);
	return err;
}

int put_json_process_rest(struct json_writer *writer, const struct model_process *process)
{
	struct report *report = writer->report;
	const char *separator = "\n";
	int err = 0;

	fputs("\"threads\":[", report->out);
	for (uint32_t i = 0; i < process->thread_cnt && !err; i++) {
		const struct model_thread *thread =
			model_thread(report->model, process->first_thread + i);

		if (!filter_shows(report->options, thread))
			continue;
		fputs(separator, report->out);
		separator = ",\n";
		err = put_thread(writer, thread);
	}
	if (err)
		return err;
	fprintf(report->out, "%s],\"thread_count\":%u", separator[0] == ',' ? "\n" : "",
		process->thread_cnt);
	err = put_member(report, ",", "exe", model_str(report->model, process->exe));
	fprintf(report->out, ",\"started\":\"%s\"}",
		utc_words(report->model, process->start_ns).text);
	return err;
}

static int put_process(struct json_writer *writer, uint32_t process_idx)
{
	struct report *report = writer->report;
	const struct model_process *process = model_process(report->model, process_idx);
	int err;

	fprintf(report->out, "{\"pid\":%u,", process->tgid);
	err = put_member(report, "", "comm", model_str(report->model, process->comm));
	fputc(',', report->out);
	return err ? err : put_json_process_rest(writer, process);
}

int report_json(struct report *report)
{
	struct json_writer writer;
	int err = put_json_head(report);

	json_writer_init(&writer, report);
	fputs(",\"processes\":[", report->out);
	for (uint32_t i = 0; i < report->model->processes.len && !err; i++) {
		fputs(i ? ",\n" : "\n", report->out);
		err = put_process(&writer, i);
	}
	fputs("]", report->out);
	if (!err)
		err = put_json_tail(report);
	json_writer_release(&writer);
	return err;
}
