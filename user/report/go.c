/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Strictly as Go's /debug/pprof/goroutine?debug=2, for the tools that parse it:
 *
 *	goroutine 314 [cond wait, 2 minutes]:
 *	wait_for_cancel(...)
 *		/src/demo/steps.c:124 +0x48
 *	created by start_threads in goroutine 309
 *		/src/demo/steps.c:123 +0x7f
 *
 * Those tools give up, some on the whole dump, at what Go never prints. Hence, and only here: a
 * source file ends in .c, .go or .s (".c" is appended to others) and has neither ':' nor ' ', an
 * unknown one is "??"; a function's parentheses do not nest, it has no '/' and no '%', and a
 * creator no ' '; a stack that is not complete ends with Go's own line for that.
 */
#include "report/formats.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "report/words.h"

#define NS_PER_MINUTE 60000000000ull

static const char elided[] = "...additional frames elided...\n";
static const char unavailable[] = "\tgoroutine running on other thread; stack unavailable\n";

static void replace_any(char *text, const char *any, char with)
{
	for (text += strcspn(text, any); *text; text += strcspn(text, any))
		*text = with;
}

/* Makes parentheses within others, and those without a partner, square. */
static void flatten_parens(char *name)
{
	char *open = NULL;
	uint32_t depth = 0;

	for (char *at = name; *at; at++) {
		if (*at == '(') {
			if (depth++)
				*at = '[';
			else
				open = at;
		} else if (*at == ')') {
			if (depth != 1)
				*at = ']';
			if (depth)
				depth--;
		}
	}
	if (depth)
		*open = '[';
}

/* Prints @name as a function's, with look-alikes for '/' and '%', and @blank for ' '. */
static void put_function(FILE *out, char *name, char blank)
{
	static const char created_by[] = "created by ";

	flatten_parens(name);
	if (!strncmp(name, created_by, sizeof(created_by) - 1))
		replace_any(name, " ", '_');
	for (char *at = name; *at; at++) {
		if (*at == '/')
			fputs("\xe2\x88\x95", out);
		else if (*at == '%')
			fputs("\xef\xbc\x85", out);
		else if (*at != ' ' || at == name || at[-1] != ',')
			fputc(*at == ' ' ? blank : *at, out);
	}
}

static bool is_go_source(const char *path)
{
	static const char *const suffixes[] = { ".c", ".go", ".s" };
	size_t len = strlen(path);

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t suffix_len = strlen(suffixes[i]);

		if (len > suffix_len && !strcmp(path + len - suffix_len, suffixes[i]))
			return true;
	}
	return false;
}

static int put_place(struct report *report, const struct model_frame *frame)
{
	struct buf *line = &report->line;

	buf_clear(line);
	if (frame && frame->file)
		clean_append(line, model_str(report->model, frame->file));
	if (line->failed)
		return -ENOMEM;
	if (frame && line->len) {
		replace_any(line->data, ": ", '_');
		fprintf(report->out, "\t%s%s:%u", line->data, is_go_source(line->data) ? "" : ".c",
			frame->line);
	} else {
		fputs("\t?\?:0", report->out);
	}
	if (frame && frame->func && !frame->inlined)
		fprintf(report->out, " +0x%" PRIx64, frame->func_off);
	fputc('\n', report->out);
	return 0;
}

static int put_frame(struct report *report, const struct frame_ref *ref)
{
	buf_clear(&report->line);
	if (ref->frame && ref->frame->kernel)
		buf_puts(&report->line, "kernel.");
	frame_put_bare_name(&report->line, report->model, ref, false);
	if (report->line.failed)
		return -ENOMEM;
	put_function(report->out, report->line.data, ' ');
	fputs("(...)\n", report->out);
	return put_place(report, ref->frame);
}

static int put_stack(struct report *report, uint32_t stack)
{
	int err = frames_load(&report->frames, report->model, stack);

	for (uint32_t i = 0; i < report->frames.refs.len && !err; i++)
		err = put_frame(report, frames_at(&report->frames, i));
	return err;
}

/* Prints the one frame of its creator that Go has a place for, when it is known. */
static int put_creator(struct report *report, const struct model_thread *thread)
{
	const struct model_birth *birth = model_birth_of(report->model, thread);
	const struct frame_ref *own;
	int err;

	if (!birth)
		return 0;
	err = frames_load_creator(&report->frames, report->model, birth->stack);
	own = err ? NULL : frames_own(&report->frames);
	if (!own)
		return err;
	buf_clear(&report->line);
	frame_put_bare_name(&report->line, report->model, own, false);
	if (report->line.failed)
		return -ENOMEM;
	fputs("created by ", report->out);
	put_function(report->out, report->line.data, '_');
	fprintf(report->out, " in goroutine %u\n", birth->creator_tid);
	return put_place(report, own->frame);
}

static int put_goroutine(struct report *report, const struct model_thread *thread)
{
	uint64_t minutes = state_has_age(thread->state) ? thread->age_ns / NS_PER_MINUTE : 0;
	uint32_t frame_cnt = 0;
	int err = 0;

	buf_clear(&report->line);
	clean_append(&report->line,
		     wait_words(report->model, thread->wait, thread->syscall, thread->state));
	if (!report->line.len)
		buf_puts(&report->line, "unknown");
	if (report->line.failed)
		return -ENOMEM;
	/* The name of a system call has no spaces but in a capture made to mislead. */
	replace_any(report->line.data, thread->wait == WAIT_SYSCALL ? ",[] " : ",[]", '_');
	fprintf(report->out, "goroutine %u [%s", thread->tid, report->line.data);
	if (minutes)
		fprintf(report->out, ", %" PRIu64 " minutes", minutes);
	fputs("]:\n", report->out);

	if (report->options->kernel && thread->kstack != MODEL_NONE) {
		err = put_stack(report, thread->kstack);
		frame_cnt = report->frames.refs.len;
	}
	if (!err)
		err = put_stack(report, thread->stack);
	frame_cnt += report->frames.refs.len;
	if (!frame_cnt)
		fputs(unavailable, report->out);
	else if (report->frames.quality != STACK_COMPLETE)
		fputs(elided, report->out);
	return err ? err : put_creator(report, thread);
}

int report_go(struct report *report)
{
	bool first = true;
	int err = 0;

	for (uint32_t i = 0; i < report->model->threads.len && !err; i++) {
		const struct model_thread *thread = model_thread(report->model, i);

		if (!filter_shows(report->options, thread))
			continue;
		if (!first)
			fputc('\n', report->out);
		first = false;
		err = put_goroutine(report, thread);
	}
	return err;
}
