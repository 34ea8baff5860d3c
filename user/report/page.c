/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report_page.h"

#include "report/json_parts.h"
#include "report/words.h"

/* Writes JSON into the page: an HTML parser finds neither an end of the script element nor the
 * start of a comment in it. */
static ssize_t write_data(void *cookie, const char *bytes, size_t len)
{
	FILE *out = cookie;
	const char *at = bytes, *end = bytes + len;

	while (at < end) {
		const char *angle = memchr(at, '<', (size_t)(end - at));
		size_t run = (size_t)((angle ? angle : end) - at);

		if (fwrite(at, 1, run, out) != run || (angle && fputs("\\u003c", out) == EOF))
			return 0;
		at += run + (angle ? 1 : 0);
	}
	return (ssize_t)len;
}

enum shape_of page_shape(const struct report *report)
{
	return report->options->verbose ? SHAPE_OF_ALL : SHAPE_OF_USER_AND_ROOT;
}

int page_begin(struct page *page, struct report *report)
{
	static const struct report_style plain = { "", "", "", "", "" };
	const struct model *model = report->model;
	int err;

	*page = (struct page){ .report = report, .out = report->out };
	report->style = &plain;
	fold_init(&page->fold, report);
	strpool_init(&page->names);
	strpool_init(&page->lines);
	page->data = fopencookie(page->out, "w", (cookie_io_functions_t){ .write = write_data });
	if (!page->data)
		return -ENOMEM;
	fputs(page_head, page->out);
	fputs("<script type=\"application/json\" id=\"data\">", page->out);
	report->out = page->data;
	err = put_member(report, "{", "loiter", model_str(model, model->loiter_version));
	if (!err)
		err = put_member(report, ",", "host", model_str(model, model->host));
	if (!err)
		err = put_member(report, ",", "kernel", model_str(model, model->kernel));
	fprintf(report->out, ",\"time\":\"%s\"", utc_words(model, model->boot_ns).text);
	page_put_u64(page, "window_ns", model->window_ns);
	return err;
}

/* Prints a member: @key with the strings of @pool, from id 0 on. They are clean. */
static int put_pool(struct page *page, const char *key, const struct strpool *pool)
{
	int err = pool->lost_cnt ? -ENOMEM : 0;

	fprintf(page->data, ",\"%s\":[\"\"", key);
	for (uint32_t id = 1; id <= pool->offs.len && !err; id++) {
		fputs(",\n", page->data);
		err = put_json(page->report, json_string(strpool_get(pool, id)), JSON_ENCODE_ANY);
	}
	fputs("]", page->data);
	return err;
}

int page_end(struct page *page, int err)
{
	if (page->data) {
		if (page->report->out != page->data)
			page_caught(page);
		if (!err)
			err = put_pool(page, "names", &page->names);
		if (!err)
			err = put_pool(page, "lines", &page->lines);
		fputs("}", page->data);
		if (fclose(page->data) && !err && !ferror(page->out))
			err = -ENOMEM;
		fputs("</script>\n", page->out);
		fputs(page_tail, page->out);
		page->report->out = page->out;
	}
	fold_release(&page->fold);
	strpool_release(&page->names);
	strpool_release(&page->lines);
	free(page->text);
	page->text = NULL;
	return err;
}

/* Returns the index of @text among the names, made harmless first. */
static uint32_t page_name(struct page *page, const char *text)
{
	struct buf *line = &page->report->line;

	buf_clear(line);
	clean_append(line, text);
	return strpool_add(&page->names, buf_text(line));
}

void page_put_name(struct page *page, const char *key, const char *text)
{
	fprintf(page->data, ",\"%s\":%u", key, page_name(page, text));
}

void page_put_path(struct page *page)
{
	const char *at = buf_text(&page->report->line);

	fputs(",\"path\":[", page->data);
	for (;;) {
		size_t len = strcspn(at, ";");

		fprintf(page->data, "%u", strpool_add_len(&page->names, at, len));
		if (!at[len])
			break;
		fputc(',', page->data);
		at += len + 1;
	}
	fputc(']', page->data);
}

/* Returns @value, or what JSON readers take in its place. */
static uint64_t capped(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : value;
}

void page_put_u64(struct page *page, const char *key, uint64_t value)
{
	fprintf(page->data, ",\"%s\":%" PRIu64, key, capped(value));
}

int page_put_where(struct page *page, uint32_t stack)
{
	struct frames *frames = &page->report->frames;
	struct buf *line = &page->report->line;
	int err = frames_load(frames, page->report->model, stack);

	buf_clear(line);
	if (!err && frames->refs.len)
		frame_put_name(line, page->report->model, frames_at(frames, frames->user_first),
			       false);
	fprintf(page->data, ",\"where\":%u", strpool_add(&page->names, buf_text(line)));
	return err || line->failed ? -ENOMEM : 0;
}

void page_put_threads(struct page *page, const struct members *members, bool waits)
{
	const struct model *model = page->report->model;
	FILE *data = page->data;

	fputs(",\"threads\":[", data);
	for (uint32_t i = 0; i < members->cnt; i++) {
		const struct model_thread *thread = member_at(members, i);
		uint32_t name = page_name(page, model_str(model, thread->comm));

		fprintf(data, "%s[%u,%u", i ? "," : "", thread->tid, name);
		if (waits && state_has_age(thread->state))
			fprintf(data, ",%" PRIu64, capped(thread->age_ns));
		else if (waits)
			fputs(",-1", data);
		if (waits)
			fprintf(data, ",%u,%" PRIu64,
				page_name(page, model_str(model, thread->object)),
				capped(thread->run_cnt));
		fputc(']', data);
	}
	fputc(']', data);
}

int page_put_notes(struct page *page, uint32_t left_out_cnt)
{
	int err = page_catch(page);

	if (err)
		return err;
	put_left_out(page->report, left_out_cnt, true);
	put_losses(page->report);
	return page_put_caught(page, "notes", 0);
}

int page_catch(struct page *page)
{
	FILE *stream;

	free(page->text);
	page->text = NULL;
	stream = open_memstream(&page->text, &page->text_len);
	if (!stream)
		return -ENOMEM;
	page->report->out = stream;
	return 0;
}

const char *page_caught(struct page *page)
{
	bool failed = ferror(page->report->out);

	failed |= fclose(page->report->out) != 0;
	page->report->out = page->data;
	return failed ? NULL : page->text;
}

int page_put_caught(struct page *page, const char *key, int err)
{
	const char *at = page_caught(page), *separator = "";

	if (err || !at)
		return err ? err : -ENOMEM;
	fprintf(page->data, ",\"%s\":[", key);
	while (*at) {
		size_t len = strcspn(at, "\n");

		if (len) {
			fprintf(page->data, "%s%u", separator,
				strpool_add_len(&page->lines, at, len));
			separator = ",";
		}
		at += len + (at[len] ? 1 : 0);
	}
	fputc(']', page->data);
	return 0;
}
