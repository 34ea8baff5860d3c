/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * One block a thread, nothing left out:
 *
 *	thread 314 "worker-3" [cond wait, 2m13s] on futex 0x55d1c0de4010 (cancel_cond+0x28):
 *	wait_for_cancel(...)
 *		/src/demo/steps.c:124 +0x48
 *	created by start_threads in thread 309 "MHD-connection", 13:33:10; ran 2 times
 *		/src/demo/steps.c:123 +0x7f
 */
#include "report/formats.h"

#include <inttypes.h>

#include "report/created_by.h"
#include "report/words.h"

static void put_thread_line(struct report *report, const struct model_thread *thread)
{
	const struct report_style *style = report->style;
	FILE *out = report->out;

	fprintf(out, "thread %u \"", thread->tid);
	put_clean(out, model_str(report->model, thread->comm));
	fprintf(out, "\" %s[", style->wait);
	put_clean(out, wait_words(report->model, thread->wait, thread->syscall, thread->state));
	if (state_has_age(thread->state))
		fprintf(out, ", %s", duration_words(thread->age_ns).text);
	fprintf(out, "]%s", style->reset);
	if (thread->object) {
		fputs(" on ", out);
		put_clean(out, model_str(report->model, thread->object));
	}
	if (thread->has_timeout)
		fprintf(out, ", %s",
			timeout_words(thread->timeout_left_ns, thread->timeout_left_ns).text);
	fputs(":\n", out);
}

/* Prints all of its last line that stands before the time at which it started. */
static int put_origin(struct report *report, const struct members *self)
{
	const struct model_thread *thread = member_at(self, 0);
	bool is_main = thread->tid == model_process(report->model, thread->process)->tgid;
	int err;

	if (is_main && !model_birth_of(report->model, thread)) {
		fputs("main thread, started ", report->out);
		return 0;
	}
	fputs(is_main ? "main thread " : "", report->out);
	err = put_created_in(report, self);
	fputs(", ", report->out);
	return err;
}

static int put_thread(struct report *report, uint32_t thread_idx)
{
	const struct model_thread *thread = model_thread(report->model, thread_idx);
	static const struct frame_form form = {
		.indent = "", .call = "(...)", .all = true, .full_paths = true
	};
	const struct members self = { .model = report->model, .threads = &thread_idx, .cnt = 1 };
	int err;

	put_thread_line(report, thread);
	err = put_stacks(report, thread->stack, thread->kstack, why_no_stack(thread->raced), &form);
	if (!err)
		err = put_origin(report, &self);
	if (err)
		return err;
	fprintf(report->out, "%s; ran ", clock_words(report->model, thread->start_ns).text);
	if (thread->run_cnt == 1)
		fputs("once", report->out);
	else
		fprintf(report->out, "%" PRIu64 " times", thread->run_cnt);
	if (model_birth_of(report->model, thread))
		return put_creator_frames(report, &form);
	fputc('\n', report->out);
	return 0;
}

static int put_process(struct report *report, uint32_t process_idx,
		       const struct filter_counts *counts)
{
	const struct model_process *process = model_process(report->model, process_idx);
	int err = 0;

	put_heading(report, &process_idx, 1, counts);
	for (uint32_t i = 0; i < process->thread_cnt && !err; i++) {
		uint32_t thread_idx = process->first_thread + i;

		if (!filter_shows(report->options, model_thread(report->model, thread_idx)))
			continue;
		fputc('\n', report->out);
		err = put_thread(report, thread_idx);
	}
	return err;
}

int report_threads(struct report *report)
{
	uint32_t left_out_cnt = 0;
	bool first = true;
	int err = 0;

	for (uint32_t i = 0; i < report->model->processes.len && !err; i++) {
		struct filter_counts counts = filter_count(report->model, report->options, &i, 1);

		if (is_left_out(report, &counts)) {
			left_out_cnt++;
			continue;
		}
		if (!first)
			fputc('\n', report->out);
		first = false;
		err = put_process(report, i, &counts);
	}
	put_left_out(report, left_out_cnt, first);
	put_losses(report);
	return err;
}
