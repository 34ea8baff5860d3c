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

#include "base/table.h"
#include "report/words.h"

#define CACHE_MAX_BYTES (256u << 20)
#define CACHE_FULL_BYTES (8u << 20) /* from here on it is emptied first */

/* The frames of stacks as JSON, since thousands of threads share a few. */
struct json_cache {
	struct buf text; /* entries: quality, end, text, NUL */
	struct table off_by_stack;
};

struct json_writer {
	struct report *report;
	struct json_cache cache;
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

/* Returns @json, or NULL in its place when building it failed. */
static json_t *json_checked(json_t *json, int err)
{
	if (!err)
		return json;
	json_decref(json);
	return NULL;
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
	return json_checked(json, err);
}

static int append_to_buf(const char *text, size_t len, void *buf)
{
	return buf_put(buf, text, len) ? -1 : 0;
}

/* Appends the entry of @stack to the cache. Returns 0 or -errno. */
static int json_cache_fill(struct json_writer *writer, uint32_t stack)
{
	struct report *report = writer->report;
	struct buf *text = &writer->cache.text;
	int err = frames_load(&report->frames, report->model, stack);
	const char head[] = { (char)report->frames.quality, (char)report->frames.end };

	if (err)
		return err;
	buf_put(text, head, sizeof(head));
	buf_puts(text, "[");
	for (uint32_t i = 0; i < report->frames.refs.len && !err; i++) {
		json_t *frame = json_frame(report, frames_at(&report->frames, i));

		buf_puts(text, i ? "," : "");
		err = frame ? json_dump_callback(frame, append_to_buf, text, JSON_COMPACT) : -1;
		json_decref(frame);
	}
	buf_put(text, "]", sizeof("]"));
	return err || text->failed ? -ENOMEM : 0;
}

/* Writes to @ret the entry of @stack, valid until the next one is asked for.
 * Returns 0 or -errno. */
static int json_cache_get(struct json_writer *writer, uint32_t stack, const char **ret)
{
	struct json_cache *cache = &writer->cache;
	uint32_t off;
	int err;

	if (!table_find(&cache->off_by_stack, stack, &off)) {
		if (cache->text.len > CACHE_FULL_BYTES) {
			buf_clear(&cache->text);
			table_clear(&cache->off_by_stack);
		}
		off = (uint32_t)cache->text.len;
		err = json_cache_fill(writer, stack);
		if (!err)
			err = table_put(&cache->off_by_stack, stack, off);
		if (err)
			return err;
	}
	*ret = cache->text.data + off;
	return 0;
}

static const char *quality_name(uint8_t quality, bool raced)
{
	switch (quality) {
	case STACK_COMPLETE:
		return "complete";
	case STACK_TRUNCATED:
		return "truncated";
	case STACK_GUESSED:
		return "guessed";
	}
	return raced ? "raced" : "none";
}

static json_t *json_stack_end(uint8_t end)
{
	static const char *const names[] = {
		[STACK_END_ROOT] = "root",	   [STACK_END_UNREADABLE] = "unreadable",
		[STACK_END_NO_RULE] = "no_rule",   [STACK_END_BAD_FRAME] = "bad_frame",
		[STACK_END_TOO_DEEP] = "too_deep", [STACK_END_COPY_SHORT] = "copy_short",
		[STACK_END_NO_CFI] = "no_cfi",	   [STACK_END_COMPAT] = "compat",
	};

	if (end >= sizeof(names) / sizeof(names[0]) || !names[end])
		return json_null();
	return json_string(names[end]);
}

/* Returns what stands before a thread's frames, in the order of the schema. */
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
	err |= json_object_set_new(json, "quality",
				   json_string(quality_name(quality, thread->raced)));
	err |= json_object_set_new(json, "created_by", json_null());
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

/* Prints @json, which may be NULL for want of memory, and releases it. Returns 0 or -ENOMEM; what
 * fails to be written stays in ferror. */
static int put_json(struct report *report, json_t *json, size_t flags)
{
	int err = json ? json_dumpf(json, report->out, JSON_COMPACT | flags) : -1;

	err = err && !ferror(report->out) ? -ENOMEM : 0;
	json_decref(json);
	return err;
}

static int put_thread(struct json_writer *writer, const struct model_thread *thread)
{
	struct report *report = writer->report;
	const char *entry;
	int err = json_cache_get(writer, thread->stack, &entry);
	uint8_t end;

	if (err)
		return err;
	end = (uint8_t)entry[1];
	fputc('{', report->out);
	err = put_json(report, json_thread_head(report, thread, (uint8_t)entry[0]), JSON_EMBED);
	fprintf(report->out, ",\"frames\":%s,", entry + 2);
	if (!err)
		err = put_json(report, json_thread_tail(report, thread, end), JSON_EMBED);
	if (!err && report->options->kernel) {
		err = json_cache_get(writer, thread->kstack, &entry);
		if (!err)
			fprintf(report->out, ",\"kernel_frames\":%s", entry + 2);
	}
	fputc('}', report->out);
	return err;
}

/* Prints @key, which needs no escaping, and the string @text. */
static int put_member(struct report *report, const char *before, const char *key, const char *text)
{
	fprintf(report->out, "%s\"%s\":", before, key);
	return put_json(report, json_clean(report, text), JSON_ENCODE_ANY);
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
	int err;

	buf_init(&writer.cache.text, CACHE_MAX_BYTES);
	table_init(&writer.cache.off_by_stack, MODEL_THREAD_MAX);
	err = put_member(report, "{", "loiter", model_str(model, model->loiter_version));
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
	buf_release(&writer.cache.text);
	table_release(&writer.cache.off_by_stack);
	return err;
}
