/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/json_parts.h"

#include <errno.h>
#include <inttypes.h>

#include "report/words.h"

#define CACHE_MAX_BYTES (256u << 20)
#define CACHE_FULL_BYTES (8u << 20) /* from here on it is emptied first */

void json_writer_init(struct json_writer *writer, struct report *report)
{
	*writer = (struct json_writer){ .report = report };
	buf_init(&writer->cache.text, CACHE_MAX_BYTES);
	table_init(&writer->cache.off_by_stack, MODEL_THREAD_MAX);
}

void json_writer_release(struct json_writer *writer)
{
	buf_release(&writer->cache.text);
	table_release(&writer->cache.off_by_stack);
}

json_t *json_clean(struct report *report, const char *text)
{
	buf_clear(&report->line);
	return clean_append(&report->line, text) ? NULL : json_string(buf_text(&report->line));
}

json_t *json_str(struct report *report, uint32_t id)
{
	return id ? json_clean(report, model_str(report->model, id)) : json_null();
}

json_t *json_u64(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

json_t *json_hex(uint64_t value)
{
	struct words words;

	snprintf(words.text, sizeof(words.text), "0x%" PRIx64, value);
	return json_string(words.text);
}

json_t *json_checked(json_t *json, int err)
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

int json_writer_stack(struct json_writer *writer, uint32_t stack, struct json_stack *ret)
{
	struct json_cache *cache = &writer->cache;
	const char *entry;
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
	entry = cache->text.data + off;
	*ret = (struct json_stack){ .quality = (uint8_t)entry[0],
				    .end = (uint8_t)entry[1],
				    .frames = entry + 2 };
	return 0;
}

json_t *json_quality(uint8_t quality, bool raced)
{
	switch (quality) {
	case STACK_COMPLETE:
		return json_string("complete");
	case STACK_TRUNCATED:
		return json_string("truncated");
	case STACK_GUESSED:
		return json_string("guessed");
	}
	return json_string(raced ? "raced" : "none");
}

json_t *json_stack_end(uint8_t end)
{
	static const char *const names[] = {
		[STACK_END_ROOT] = "root",	     [STACK_END_UNREADABLE] = "unreadable",
		[STACK_END_NO_RULE] = "no_rule",     [STACK_END_BAD_FRAME] = "bad_frame",
		[STACK_END_TOO_DEEP] = "too_deep",   [STACK_END_COPY_SHORT] = "copy_short",
		[STACK_END_NO_CFI] = "no_cfi",	     [STACK_END_COMPAT] = "compat",
		[STACK_END_UNLEARNED] = "unlearned",
	};

	if (end >= sizeof(names) / sizeof(names[0]) || !names[end])
		return json_null();
	return json_string(names[end]);
}

int put_json(struct report *report, json_t *json, size_t flags)
{
	int err = json ? json_dumpf(json, report->out, JSON_COMPACT | flags) : -1;

	err = err && !ferror(report->out) ? -ENOMEM : 0;
	json_decref(json);
	return err;
}

int put_json_stack(struct json_writer *writer, uint32_t stack_idx)
{
	struct json_stack stack;
	json_t *json = json_object();
	int err = json_writer_stack(writer, stack_idx, &stack);

	if (err) {
		json_decref(json);
		return err;
	}
	err |= json_object_set_new(json, "quality", json_quality(stack.quality, false));
	err |= json_object_set_new(json, "stack_end", json_stack_end(stack.end));
	fprintf(writer->report->out, ",\"frames\":%s,", stack.frames);
	return put_json(writer->report, json_checked(json, err), JSON_EMBED);
}

int put_member(struct report *report, const char *before, const char *key, const char *text)
{
	fprintf(report->out, "%s\"%s\":", before, key);
	return put_json(report, json_clean(report, text), JSON_ENCODE_ANY);
}

/* Returns what stands before the creator's frames. */
static json_t *json_creator_head(struct report *report, const struct model_birth *birth,
				 uint8_t quality)
{
	json_t *json = json_object();
	int err = 0;

	err |= json_object_set_new(json, "tid", json_u64(birth->creator_tid));
	err |= json_object_set_new(json, "pid", json_u64(birth->creator_tgid));
	err |= json_object_set_new(json, "comm", json_str(report, birth->creator_comm));
	err |= json_object_set_new(json, "quality", json_quality(quality, false));
	return json_checked(json, err);
}

int put_json_creator(struct json_writer *writer, const struct model_thread *thread)
{
	struct report *report = writer->report;
	const struct model_birth *birth = model_birth_of(report->model, thread);
	struct json_stack stack;
	int err;

	fputs("\"created_by\":", report->out);
	if (!birth) {
		fputs("null", report->out);
		return 0;
	}
	err = json_writer_stack(writer, birth->stack, &stack);
	if (err)
		return err;
	fputc('{', report->out);
	err = put_json(report, json_creator_head(report, birth, stack.quality), JSON_EMBED);
	fprintf(report->out, ",\"frames\":%s,\"stack_end\":", stack.frames);
	if (!err)
		err = put_json(report, json_stack_end(stack.end), JSON_ENCODE_ANY);
	fputc('}', report->out);
	return err;
}

void put_json_losses(const struct report *report)
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

int put_json_head(struct report *report)
{
	const struct model *model = report->model;
	int err = put_member(report, "{", "loiter", model_str(model, model->loiter_version));

	fprintf(report->out, ",\"time\":\"%s\"", utc_words(model, model->boot_ns).text);
	put_json_losses(report);
	return err;
}

int put_json_tail(struct report *report)
{
	const struct model *model = report->model;
	int err = put_member(report, ",", "host", model_str(model, model->host));

	if (!err)
		err = put_member(report, ",", "kernel", model_str(model, model->kernel));
	fputs("}\n", report->out);
	return err;
}
