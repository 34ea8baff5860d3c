/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * One line a stack with the count of threads, root first, as flamegraph.pl reads it:
 *
 *	server;start_thread;worker;wait_for_cancel;[cond wait] 5
 *
 * The function that starts every thread, clone, and the plumbing that leads into the wait are left
 * out unless verbose. Equal lines, also of several processes of one name, are one.
 */
#include "report/formats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/strpool.h"
#include "report/group.h"
#include "report/words.h"

/* Lines and how many threads each counts: .cnt_by_line[id - 1] belongs to line id of .lines. */
struct folded {
	struct report *report;
	struct strpool lines;
	struct vec cnt_by_line; /* uint64_t */
};

/* Ends one element of the line that started at @start; ';' separates elements. */
static void end_element(struct buf *line, size_t start)
{
	for (char *at = line->data + start; (at = strchr(at, ';')) != NULL;)
		*at = ':';
}

static int add_text(struct buf *line, const char *before, const char *text, const char *after)
{
	size_t start;

	buf_puts(line, before);
	start = line->len;
	clean_append(line, text);
	buf_puts(line, after);
	if (line->failed)
		return -ENOMEM;
	end_element(line, start);
	return 0;
}

static int add_frame(struct report *report, const struct frame_ref *ref)
{
	struct buf *line = &report->line;
	size_t start;

	buf_puts(line, ";");
	start = line->len;
	frame_put_name(line, report->model, ref, false);
	if (ref->frame && ref->frame->kernel)
		buf_puts(line, "_[k]");
	if (line->failed)
		return -ENOMEM;
	end_element(line, start);
	return 0;
}

/* Whether @ref is the function of libc that every thread but the first starts in. */
static bool is_clone(const struct model *model, const struct frame_ref *ref)
{
	const char *func = ref->frame ? model_str(model, ref->frame->func) : "";

	return !strcmp(func, "clone3") || !strcmp(func, "__clone3") || !strcmp(func, "clone") ||
	       !strcmp(func, "__clone");
}

static const char *quality_element(const struct frames *frames)
{
	switch (frames->quality) {
	case STACK_COMPLETE:
		return "";
	case STACK_TRUNCATED:
		return ";[truncated]";
	case STACK_GUESSED:
		return ";[guessed]";
	}
	return ";[no stack]";
}

static int add_stack(struct report *report, uint32_t stack, bool all)
{
	const struct frames *frames = &report->frames;
	int err = frames_load(&report->frames, report->model, stack);
	uint32_t first = all ? 0 : frames->user_first;
	uint32_t end = frames->refs.len;

	if (err)
		return err;
	buf_puts(&report->line, quality_element(frames));
	if (!all && end > first + 1 && frames_reach_root(frames) &&
	    is_clone(report->model, frames_at(frames, end - 1)))
		end--;
	while (end > first && !err)
		err = add_frame(report, frames_at(frames, --end));
	return err;
}

static int add_kernel_stack(struct report *report, uint32_t kstack)
{
	int err = frames_load(&report->frames, report->model, kstack);

	for (uint32_t i = report->frames.refs.len; i > 0 && !err; i--)
		err = add_frame(report, frames_at(&report->frames, i - 1));
	return err;
}

/* Adds the line of @group. */
static int folded_add(struct folded *folded, const char *comm, const struct group *group)
{
	struct report *report = folded->report;
	struct buf *line = &report->line;
	uint64_t *cnt, none = 0;
	uint32_t id;
	int err;

	buf_clear(line);
	err = add_text(line, "", comm, "");
	if (!err)
		err = add_stack(report, group->stack, report->options->verbose);
	if (!err && group->kstack != MODEL_NONE)
		err = add_kernel_stack(report, group->kstack);
	if (!err)
		err = add_text(line, ";[",
			       wait_words(report->model, group->wait, group->syscall, group->state),
			       "]");
	if (err)
		return err;
	id = strpool_add(&folded->lines, buf_text(line));
	if (!id)
		return -ENOMEM;
	if (id > folded->cnt_by_line.len)
		err = vec_append(&folded->cnt_by_line, &none, 1);
	if (err)
		return err;
	cnt = vec_at(&folded->cnt_by_line, id - 1);
	*cnt += group->member_cnt;
	return 0;
}

struct folded_line {
	const char *text;
	uint64_t cnt;
};

static int compare_lines(const void *a, const void *b)
{
	return strcmp(((const struct folded_line *)a)->text, ((const struct folded_line *)b)->text);
}

static int folded_print(const struct folded *folded)
{
	uint32_t line_cnt = folded->cnt_by_line.len;
	struct folded_line *lines = calloc((size_t)line_cnt + 1, sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	for (uint32_t i = 0; i < line_cnt; i++)
		lines[i] = (struct folded_line){
			.text = strpool_get(&folded->lines, i + 1),
			.cnt = *(uint64_t *)vec_at(&folded->cnt_by_line, i),
		};
	qsort(lines, line_cnt, sizeof(lines[0]), compare_lines);
	for (uint32_t i = 0; i < line_cnt; i++)
		fprintf(folded->report->out, "%s %llu\n", lines[i].text,
			(unsigned long long)lines[i].cnt);
	free(lines);
	return 0;
}

int report_folded(struct report *report)
{
	enum group_by by = report->options->verbose ? GROUP_BY_ALL : GROUP_BY_USER_AND_ROOT;
	struct folded folded = { .report = report };
	struct groups groups;
	int err = groups_init(&groups, report->model, report->options, by);

	strpool_init(&folded.lines);
	vec_init(&folded.cnt_by_line, sizeof(uint64_t), MODEL_THREAD_MAX);
	for (uint32_t i = 0; i < report->model->processes.len && !err; i++) {
		const char *comm = model_str(report->model, model_process(report->model, i)->comm);

		err = groups_build(&groups, &i, 1);
		for (uint32_t j = 0; j < groups.groups.len && !err; j++)
			err = folded_add(&folded, comm, groups_at(&groups, j));
	}
	if (!err)
		err = folded_print(&folded);
	groups_release(&groups);
	vec_release(&folded.cnt_by_line);
	strpool_release(&folded.lines);
	return err;
}
