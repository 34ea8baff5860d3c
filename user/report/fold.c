/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/fold.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report/words.h"

void fold_init(struct fold *fold, struct report *report)
{
	*fold = (struct fold){ .report = report, .all = report->options->verbose };
	strpool_init(&fold->lines);
	vec_init(&fold->weights, sizeof(uint64_t), MODEL_SPAN_MAX);
}

void fold_release(struct fold *fold)
{
	strpool_release(&fold->lines);
	vec_release(&fold->weights);
}

/* Ends one element of the line that started at @start; ';' separates elements. */
static void end_element(struct buf *line, size_t start)
{
	for (char *at = line->data + start; (at = strchr(at, ';')) != NULL;)
		*at = ':';
}

int fold_begin(struct fold *fold, const char *comm)
{
	buf_clear(&fold->report->line);
	return fold_text(fold, "", comm, "");
}

int fold_text(struct fold *fold, const char *before, const char *text, const char *after)
{
	struct buf *line = &fold->report->line;
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

static int fold_frame(struct fold *fold, const struct frame_ref *ref)
{
	struct buf *line = &fold->report->line;
	size_t start;

	buf_puts(line, ";");
	start = line->len;
	frame_put_name(line, fold->report->model, ref, false);
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

/* Writes which of the frames that are loaded are shown: from *@ret_first to before *@ret_end. */
static void fold_range(const struct fold *fold, uint32_t *ret_first, uint32_t *ret_end)
{
	const struct frames *frames = &fold->report->frames;
	uint32_t first = fold->all ? 0 : frames->user_first;
	uint32_t end = frames->refs.len;

	if (!fold->all && end > first + 1 && frames_reach_root(frames) &&
	    is_clone(fold->report->model, frames_at(frames, end - 1)))
		end--;
	*ret_first = first;
	*ret_end = end;
}

/* Appends the frames that are loaded. */
static int fold_loaded(struct fold *fold)
{
	const struct frames *frames = &fold->report->frames;
	uint32_t first, end;
	int err = 0;

	fold_range(fold, &first, &end);
	buf_puts(&fold->report->line, quality_element(frames));
	while (end > first && !err)
		err = fold_frame(fold, frames_at(frames, --end));
	return err;
}

int fold_stack(struct fold *fold, uint32_t stack)
{
	int err = frames_load(&fold->report->frames, fold->report->model, stack);

	return err ? err : fold_loaded(fold);
}

int fold_creator(struct fold *fold, uint32_t stack)
{
	int err = frames_load_creator(&fold->report->frames, fold->report->model, stack);

	return err ? err : fold_loaded(fold);
}

int fold_inverse(struct fold *fold, uint32_t stack)
{
	const struct frames *frames = &fold->report->frames;
	int err = frames_load(&fold->report->frames, fold->report->model, stack);
	uint32_t first, end;

	fold_range(fold, &first, &end);
	for (; !err && first < end; first++)
		err = fold_frame(fold, frames_at(frames, first));
	if (!err)
		err = buf_puts(&fold->report->line, quality_element(frames));
	return err;
}

int fold_kernel_stack(struct fold *fold, uint32_t kstack)
{
	const struct frames *frames = &fold->report->frames;
	int err = frames_load(&fold->report->frames, fold->report->model, kstack);

	for (uint32_t i = frames->refs.len; i > 0 && !err; i--)
		err = fold_frame(fold, frames_at(frames, i - 1));
	return err;
}

int fold_add(struct fold *fold, uint64_t weight)
{
	uint32_t id = strpool_add(&fold->lines, buf_text(&fold->report->line));
	uint64_t *sum, none = 0;
	int err = 0;

	if (!id)
		return -ENOMEM;
	if (id > fold->weights.len)
		err = vec_append(&fold->weights, &none, 1);
	if (err)
		return err;
	sum = vec_at(&fold->weights, id - 1);
	if (__builtin_add_overflow(*sum, weight, sum))
		*sum = UINT64_MAX;
	return 0;
}

struct fold_line {
	const char *text;
	uint64_t weight;
};

static int compare_lines(const void *a, const void *b)
{
	return strcmp(((const struct fold_line *)a)->text, ((const struct fold_line *)b)->text);
}

int fold_print(const struct fold *fold, uint64_t unit)
{
	uint32_t line_cnt = fold->weights.len;
	struct fold_line *lines = calloc((size_t)line_cnt + 1, sizeof(*lines));
	uint64_t carry = unit / 2; /* what the lines so far were rounded down by, and a half */

	if (!lines)
		return -ENOMEM;
	for (uint32_t i = 0; i < line_cnt; i++)
		lines[i] = (struct fold_line){ .text = strpool_get(&fold->lines, i + 1),
					       .weight = *(uint64_t *)vec_at(&fold->weights, i) };
	qsort(lines, line_cnt, sizeof(lines[0]), compare_lines);
	for (uint32_t i = 0; i < line_cnt; i++) {
		uint64_t units = lines[i].weight / unit;

		carry += lines[i].weight % unit;
		units += carry / unit;
		carry %= unit;
		if (units)
			fprintf(fold->report->out, "%s %" PRIu64 "\n", lines[i].text, units);
	}
	free(lines);
	return 0;
}
