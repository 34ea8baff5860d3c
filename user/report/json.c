/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The report for programs; docs/OUTPUT.md has its schema, which only ever grows. The envelope is
 * written by hand and each thread on a line of its own, so that memory does not grow with threads.
 */
#include "report/formats.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "report/words.h"

/* The frames of the stack at hand: neighbours often share theirs. */
struct json_stack {
	uint32_t stack;
	json_t *frames;
};

struct json_writer {
	struct report *report;
	struct json_stack user, kernel;
};

/* Each returns a new reference, or NULL, which jansson's _new functions take for failure. */

static json_t *json_clean(struct report *report, const char *text)
{
	buf_clear(&report->line);
	return clean_append(&report->line, text) ? NULL : json_string(buf_text(&report->line));
}

/* Returns the string of id @id of the model, or null for 0. */
static json_t *json_str(struct report *report, uint32_t id)
{
	return id ? json_clean(report, model_str(report->model, id)) : json_null();
}

static json_t *json_u64(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *json_hex(uint64_t value)
{
	struct words words;

	snprintf(words.text, sizeof(words.text), "0x%" PRIx64, value);
	return json_string(words.text);
}

static json_t *json_frame(struct report *report, const struct frame_ref *ref)
{
	static const struct model_frame unknown;
	const struct model_frame *frame = ref->frame ? ref->frame : &unknown;
	bool has_off = frame->func && !frame->inlined;
	json_t *json = json_object();
	int err = 0;

	err |= json_object_set_new(json, "pc", json_hex(ref->pc));
	err |= json_object_set_new(json, "function", json_str(report, frame->func));
	err |= json_object_set_new(json, "offset",
				   has_off ? json_u64(frame->func_off) : json_null());
	err |= json_object_set_new(json, "file", json_str(report, frame->file));
	err |= json_object_set_new(json, "line", frame->line ? json_u64(frame->line) : json_null());
	err |= json_object_set_new(json, "module", json_str(report, frame->module));
	err |= json_object_set_new(json, "inlined", json_boolean(frame->inlined));
	err |= json_object_set_new(json, "module_offset",
				   frame->module ? json_hex(frame->module_off) : json_null());
	if (ref->guessed)
		err |= json_object_set_new(json, "guessed", json_true());
	if (!err)
		return json;
	json_decref(json);
	return NULL;
}

/* Returns a borrowed array of the frames of @stack, or NULL. Leaves it loaded. */
static json_t *json_stack_frames(struct report *report, struct json_stack *cache, uint32_t stack)
{
	json_t *frames;
	int err;

	err = frames_load(&report->frames, report->model, stack);
	if (cache->frames && cache->stack == stack)
		return cache->frames;
	frames = json_array();
	for (uint32_t i = 0; i < report->frames.refs.len && !err; i++)
		err = json_array_append_new(frames,
					    json_frame(report, frames_at(&report->frames, i)));
	json_decref(cache->frames);
	cache->frames = frames;
	cache->stack = stack;
	if (!err)
		return frames;
	json_decref(frames);
	cache->frames = NULL;
	return NULL;
}

static const char *quality_name(const struct frames *frames, bool raced)
{
	switch (frames->quality) {
	case STACK_COMPLETE:
		return "complete";
	case STACK_TRUNCATED:
		return "truncated";
	case STACK_GUESSED:
		return "guessed";
	}
	return raced ? "raced" : "none";
}

static json_t *json_stack_end(const struct frames *frames)
{
	static const char *const names[] = {
		[STACK_END_ROOT] = "root",	   [STACK_END_UNREADABLE] = "unreadable",
		[STACK_END_NO_RULE] = "no_rule",   [STACK_END_BAD_FRAME] = "bad_frame",
		[STACK_END_TOO_DEEP] = "too_deep", [STACK_END_COPY_SHORT] = "copy_short",
		[STACK_END_NO_CFI] = "no_cfi",	   [STACK_END_COMPAT] = "compat",
	};

	if (frames->end >= sizeof(names) / sizeof(names[0]) || !names[frames->end])
		return json_null();
	return json_string(names[frames->end]);
}

/* Fills @json with @thread, in the order of the schema. Returns 0 or -ENOMEM. */
static int json_fill_thread(struct json_writer *writer, const struct model_thread *thread,
			    json_t *json)
{
	struct report *report = writer->report;
	const struct model *model = report->model;
	json_t *frames = json_stack_frames(report, &writer->user, thread->stack);
	struct words started = utc_words(model, thread->start_ns);
	int err = 0;

	err |= json_object_set_new(json, "tid", json_u64(thread->tid));
	err |= json_object_set_new(json, "comm",
				   json_clean(report, model_str(model, thread->comm)));
	err |= json_object_set_new(json, "state", json_string(state_name(thread->state)));
	err |= json_object_set_new(json, "wait",
				   json_clean(report, wait_words(model, thread->wait,
								 thread->syscall, thread->state)));
	err |= json_object_set_new(json, "object", json_str(report, thread->object));
	err |= json_object_set_new(json, "age_ns", json_u64(thread->age_ns));
	err |= json_object_set_new(json, "runs", json_u64(thread->run_cnt));
	err |= json_object_set_new(json, "quality",
				   json_string(quality_name(&report->frames, thread->raced)));
	err |= json_object_set_new(json, "created_by", json_null());
	err |= json_object_set(json, "frames", frames);
	err |= json_object_set_new(json, "timeout_left_ns",
				   thread->has_timeout ? json_integer(thread->timeout_left_ns)
						       : json_null());
	err |= json_object_set_new(json, "syscall", json_str(report, thread->syscall));
	err |= json_object_set_new(json, "started", json_string(started.text));
	err |= json_object_set_new(json, "stack_end", json_stack_end(&report->frames));
	if (report->options->kernel)
		err |= json_object_set(json, "kernel_frames",
				       json_stack_frames(report, &writer->kernel, thread->kstack));
	return err ? -ENOMEM : 0;
}

static int put_json(struct report *report, json_t *json)
{
	/* What fails to be written stays in ferror; all other failures are of memory. */
	return json_dumpf(json, report->out, JSON_COMPACT | JSON_ENCODE_ANY) && !ferror(report->out)
		       ? -ENOMEM
		       : 0;
}

static int put_thread(struct json_writer *writer, const struct model_thread *thread)
{
	json_t *json = json_object();
	int err = json_fill_thread(writer, thread, json);

	if (!err)
		err = put_json(writer->report, json);
	json_decref(json);
	return err;
}

/* Prints @key, which needs no escaping, and the string @text. */
static int put_member(struct report *report, const char *before, const char *key, const char *text)
{
	json_t *json = json_clean(report, text);
	int err;

	fprintf(report->out, "%s\"%s\":", before, key);
	err = json ? put_json(report, json) : -ENOMEM;
	json_decref(json);
	return err;
}

static int put_process(struct json_writer *writer, uint32_t process_idx)
{
	struct report *report = writer->report;
	const struct model_process *process = model_process(report->model, process_idx);
	const char *separator = "\n";
	int err;

	fprintf(report->out, "{\"pid\":%u,", process->tgid);
	err = put_member(report, "", "comm", model_str(report->model, process->comm));
	fputs(",\"threads\":[", report->out);
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

static void put_json_losses(const struct report *report)
{
	const char *separator = "";

	fputs(",\"losses\":{", report->out);
	for (uint32_t i = 0; i < LOSS_CNT; i++) {
		if (!report->model->losses[i])
			continue;
		fprintf(report->out, "%s\"%s\":%" PRIu64, separator, loss_name((enum loss)i),
			report->model->losses[i]);
		separator = ",";
	}
	fputs("}", report->out);
}

int report_json(struct report *report)
{
	const struct model *model = report->model;
	struct json_writer writer = { .report = report };
	int err = put_member(report, "{", "loiter", model_str(model, model->loiter_version));

	fprintf(report->out, ",\"time\":\"%s\"", utc_words(model, model->boot_ns).text);
	put_json_losses(report);
	fputs(",\"processes\":[", report->out);
	for (uint32_t i = 0; i < model->processes.len && !err; i++) {
		fputs(i ? ",\n" : "\n", report->out);
		err = put_process(&writer, i);
	}
	fputs("]", report->out);
	if (!err)
		err = put_member(report, ",", "host", model_str(model, model->host));
	if (!err)
		err = put_member(report, ",", "kernel", model_str(model, model->kernel));
	fputs("}\n", report->out);
	json_decref(writer.user.frames);
	json_decref(writer.kernel.frames);
	return err;
}
