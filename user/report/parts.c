/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The parts that the text and threads formats have in common. */
#include "report/formats.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "report/words.h"

#define RANGES_MAX 12 /* of ids in one line */

const char *state_name(enum thread_state state)
{
	switch (state) {
	case THREAD_RUNNING:
		return "running";
	case THREAD_RUNNABLE:
		return "runnable";
	case THREAD_BLOCKED:
		return "blocked";
	case THREAD_STOPPED:
		return "stopped";
	case THREAD_ZOMBIE:
		return "zombie";
	}
	return "unknown";
}

const char *wait_words(const struct model *model, enum wait_kind wait, uint32_t syscall,
		       enum thread_state state)
{
	if (wait == WAIT_SYSCALL && syscall)
		return model_str(model, syscall);
	return wait == WAIT_NONE ? state_name(state) : wait_name(wait);
}

static bool has_stopped_threads(const struct model *model, const struct model_process *process)
{
	for (uint32_t i = 0; i < process->thread_cnt; i++)
		if (model_thread(model, process->first_thread + i)->state == THREAD_STOPPED)
			return true;
	return false;
}

const char *stopped_words(const struct model *model, const struct model_process *process)
{
	return has_stopped_threads(model, process) ? "none stopped by loiter" : "none stopped";
}

void put_process_title(const struct report *report, const struct model_process *process)
{
	FILE *out = report->out;

	fputs(report->style->title, out);
	put_clean(out, model_str(report->model, process->comm));
	fprintf(out, " (pid %u), %u thread%s", process->tgid, process->thread_cnt,
		process->thread_cnt == 1 ? "" : "s");
	fputs(report->style->reset, out);
}

struct pids {
	const struct model *model;
	const uint32_t *processes;
};

static uint32_t pid_at(const void *arg, uint32_t idx)
{
	const struct pids *pids = arg;

	return model_process(pids->model, pids->processes[idx])->tgid;
}

void put_heading(const struct report *report, const uint32_t *processes, uint32_t process_cnt,
		 const struct filter_counts *counts)
{
	const struct pids pids = { .model = report->model, .processes = processes };
	uint32_t hidden_cnt = counts->idle + counts->recent;
	uint32_t thread_cnt = counts->shown + hidden_cnt;
	FILE *out = report->out;
	bool stopped = false;

	for (uint32_t i = 0; i < process_cnt && !stopped; i++)
		stopped = has_stopped_threads(report->model,
					      model_process(report->model, processes[i]));
	fputs(report->style->title, out);
	put_clean(out, model_str(report->model, model_process(report->model, processes[0])->comm));
	fputs(process_cnt == 1 ? " (pid " : " (pids ", out);
	put_ids(report, pid_at, &pids, process_cnt);
	fprintf(out, "), %u thread%s", thread_cnt, thread_cnt == 1 ? "" : "s");
	fputs(report->style->reset, out);
	if (counts->idle)
		fprintf(out, " (%u idle", counts->idle);
	if (counts->recent)
		fprintf(out, "%s%u that ran in the last %s", counts->idle ? " and " : " (",
			counts->recent, duration_words(report->options->min_block_ns).text);
	fprintf(out, "%s at %s, none stopped%s\n", hidden_cnt ? " not shown)" : "",
		clock_words(report->model, report->model->boot_ns).text,
		stopped ? " by loiter" : "");
}

bool is_left_out(const struct report *report, const struct filter_counts *counts)
{
	return !counts->shown && report->model->processes.len > 1;
}

void put_left_out(const struct report *report, uint32_t process_cnt, bool first)
{
	const struct report_options *options = report->options;
	bool one = process_cnt == 1;

	if (!process_cnt)
		return;
	fprintf(report->out, "%snot shown: %u %s", first ? "" : "\n", process_cnt,
		one ? "process whose threads " : "processes whose threads ");
	if (options->no_idle)
		fprintf(report->out, "are all idle%s", options->min_block_ns ? " or " : "");
	if (options->min_block_ns)
		fprintf(report->out, "%sran in the last %s", options->no_idle ? "" : "all ",
			duration_words(options->min_block_ns).text);
	fputc('\n', report->out);
}

void put_ids(const struct report *report, uint32_t (*id_at)(const void *arg, uint32_t idx),
	     const void *arg, uint32_t cnt)
{
	uint32_t ranges_max = report->options->verbose ? UINT32_MAX : RANGES_MAX;
	uint32_t i = 0;

	for (uint32_t range = 0; i < cnt && range < ranges_max; range++) {
		uint32_t from = id_at(arg, i++), to = from;

		while (i < cnt && id_at(arg, i) == to + 1)
			to = id_at(arg, i++);
		fprintf(report->out, "%s%u", range ? ", " : "", from);
		if (to != from)
			fprintf(report->out, "%s%u", to == from + 1 ? ", " : " to ", to);
	}
	if (i < cnt)
		fprintf(report->out, " and %u more", cnt - i);
}

static void put_mark(const struct report *report, const struct frame_form *form, const char *what,
		     const char *why)
{
	fprintf(report->out, "%s%s[%s%s]%s\n", form->indent, report->style->mark, what, why,
		report->style->reset);
}

/* Puts where @ref is into the report's line. Returns whether anything is known. */
static bool frame_place(struct report *report, const struct frame_ref *ref, bool full)
{
	const struct model_frame *frame = ref->frame;
	struct buf *line = &report->line;

	buf_clear(line);
	if (frame && frame->file) {
		const char *path = model_str(report->model, frame->file);

		clean_append(line, full ? path : short_path(path));
		if (frame->line)
			buf_printf(line, ":%u", frame->line);
	} else if (frame && frame->func && frame->module) {
		const char *path = model_str(report->model, frame->module);

		clean_append(line, full ? path : base_name(path));
	}
	return line->len > 0;
}

/* Ends the line that tells @ref's place, or its function when that is all there is. */
static void put_frame_end(const struct report *report, const struct model_frame *frame)
{
	if (frame && frame->func && !frame->inlined)
		fprintf(report->out, " +0x%" PRIx64, frame->func_off);
	if (frame && frame->inlined)
		fputs(" (inlined)", report->out);
	fprintf(report->out, "%s\n", report->line.len ? report->style->reset : "");
}

int put_frame_place(struct report *report, const struct frame_ref *ref,
		    const struct frame_form *form)
{
	if (frame_place(report, ref, form->full_paths)) {
		fprintf(report->out, "%s\t%s%s", form->indent, report->style->place,
			buf_text(&report->line));
		put_frame_end(report, ref->frame);
	}
	return report->line.failed ? -ENOMEM : 0;
}

static int put_frame(struct report *report, const struct frame_ref *ref,
		     const struct frame_form *form)
{
	const struct model_frame *frame = ref->frame;
	FILE *out = report->out;

	buf_clear(&report->line);
	if (form->call[0])
		frame_put_bare_name(&report->line, report->model, ref, form->full_paths);
	else
		frame_put_name(&report->line, report->model, ref, form->full_paths);
	if (report->line.failed)
		return -ENOMEM;
	fprintf(out, "%s%s%s", form->indent, buf_text(&report->line),
		frame && frame->func ? form->call : "");
	if (frame_place(report, ref, form->full_paths))
		fprintf(out, "\n%s\t%s%s", form->indent, report->style->place,
			buf_text(&report->line));
	put_frame_end(report, frame);
	return report->line.failed ? -ENOMEM : 0;
}

/* One line: kernel stacks are long, and have no files. */
static int put_kernel_frame(struct report *report, const struct frame_ref *ref,
			    const struct frame_form *form)
{
	const struct model_frame *frame = ref->frame;
	const char *module = frame && frame->module ? model_str(report->model, frame->module) : "";

	buf_clear(&report->line);
	frame_put_name(&report->line, report->model, ref, false);
	if (frame && frame->func)
		buf_printf(&report->line, " +0x%" PRIx64, frame->func_off);
	buf_puts(&report->line, module[0] == '[' ? " " : " [");
	clean_append(&report->line, module[0] ? base_name(module) : "kernel");
	buf_puts(&report->line, module[0] == '[' ? "" : "]");
	fprintf(report->out, "%s%s\n", form->indent, buf_text(&report->line));
	return report->line.failed ? -ENOMEM : 0;
}

static int put_kernel_stack(struct report *report, uint32_t kstack, const struct frame_form *form)
{
	int err = frames_load(&report->frames, report->model, kstack);

	for (uint32_t i = 0; i < report->frames.refs.len && !err; i++)
		err = put_kernel_frame(report, frames_at(&report->frames, i), form);
	return err;
}

int put_frames(struct report *report, uint32_t first, uint32_t end, const struct frame_form *form)
{
	const struct frames *frames = &report->frames;
	bool guessed = false;
	int err = 0;

	for (uint32_t i = first; i < end && !err; i++) {
		const struct frame_ref *ref = frames_at(frames, i);

		if (ref->guessed && !guessed) {
			put_mark(report, form, "guessed from here on: no CFI", "");
			guessed = true;
		}
		if (ref->frame && ref->frame->kernel)
			err = put_kernel_frame(report, ref, form);
		else
			err = put_frame(report, ref, form);
	}
	if (frames->quality == STACK_GUESSED && !guessed)
		put_mark(report, form, "guessed from here on: no CFI", "");
	if (frames_truncation(frames))
		put_mark(report, form, "truncated: ", frames_truncation(frames));
	return err;
}

int put_stacks(struct report *report, uint32_t stack, uint32_t kstack, const char *why_none,
	       const struct frame_form *form)
{
	const struct frames *frames = &report->frames;
	int err = 0;

	if (report->options->kernel && kstack != MODEL_NONE)
		err = put_kernel_stack(report, kstack, form);
	if (!err)
		err = frames_load(&report->frames, report->model, stack);
	if (err)
		return err;
	if (!frames->quality)
		put_mark(report, form, why_none, "");
	return put_frames(report, form->all ? 0 : frames->user_first,
			  form->all ? frames->refs.len : frames->user_end, form);
}
