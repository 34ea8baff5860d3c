/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The default report of leaks: what grows first, with all that is known of it.
 *
 *	leak: 150 threads [cond wait, 0s to 29s] created by start_threads at steps.c:123
 *	  0 at the start, 150 born, 0 ended; grows by 300 a minute (fit 1.00); none of the 145 ...
 *		wait_for_cancel
 *			demo/steps.c:77 +0x2b
 *	  created by start_threads in threads 309, 397, 13:33:10 to 16:28:34
 *			demo/steps.c:123 +0x7f
 *	  threads 314 to 318, 402 to 406; ran 2 times each
 */
#include "report/leak_text.h"

#include <errno.h>
#include <inttypes.h>

#include "report/created_by.h"
#include "report/leak_words.h"
#include "report/roster.h"
#include "report/words.h"

/* Prints what was put together in the report's line. */
static int put_line(struct report *report)
{
	fputs(buf_text(&report->line), report->out);
	return report->line.failed ? -ENOMEM : 0;
}

/* Prints the name of the frame @ref, with " at FILE:LINE" behind it. */
static int put_function_at(struct report *report, const struct frame_ref *ref)
{
	const struct model_frame *frame = ref->frame;
	struct buf *line = &report->line;

	buf_clear(line);
	frame_put_bare_name(line, report->model, ref, report->options->verbose);
	if (frame && frame->file) {
		const char *path = model_str(report->model, frame->file);

		buf_puts(line, " at ");
		clean_append(line, report->options->verbose ? path : base_name(path));
		if (frame->line)
			buf_printf(line, ":%u", frame->line);
	}
	return put_line(report);
}

/* Prints who created the threads of @group, in a line of others. */
static int put_creator(struct report *report, const struct leak_group *group)
{
	const struct frame_ref *own;
	int err;

	if (group->is_main || group->is_older) {
		fputs(group->is_main ? " main thread" : " created before loiter attached",
		      report->out);
		return 0;
	}
	err = frames_load_creator(&report->frames, report->model, group->creator);
	own = err ? NULL : frames_creator(&report->frames);
	if (!own) {
		fprintf(report->out, " %s at a stack that is not known",
			group->is_forked ? "forked" : "created");
		return err;
	}
	fputs(group->is_forked ? " forked by " : " created by ", report->out);
	return put_function_at(report, own);
}

static int put_group_line(struct report *report, const struct leak_group *group)
{
	const struct report_style *style = report->style;
	uint64_t cnt = group->flow.alive_end;
	FILE *out = report->out;
	int err;

	fprintf(out, "%s%s:%s %" PRIu64 " %s%s",
		group->judgement.verdict <= LEAK_GROWING ? style->mark : style->title,
		leak_verdict_name(group->judgement.verdict), style->reset, cnt,
		group->is_forked ? "process" : "thread",
		cnt == 1	   ? ""
		: group->is_forked ? "es"
				   : "s");
	if (group->place != MODEL_NONE) {
		fprintf(out, " %s[", style->wait);
		put_clean(out,
			  wait_words(report->model, group->wait, group->syscall, THREAD_BLOCKED));
		if (group->member_cnt)
			fprintf(out, ", %s",
				duration_range_words(group->age_min_ns, group->age_max_ns).text);
		fprintf(out, "]%s", style->reset);
	}
	err = put_creator(report, group);
	buf_clear(&report->line);
	leak_put_evidence(&report->line, group);
	fprintf(out, "\n  %s\n", buf_text(&report->line));
	return report->line.failed ? -ENOMEM : err;
}

/* Prints where the threads of @group are, in one line. */
static int put_place(struct report *report, const struct leak_group *group)
{
	const struct frames *frames = &report->frames;
	int err = frames_load(&report->frames, report->model, group->place);

	if (err || !frames->refs.len)
		return err;
	fputs("  blocked in ", report->out);
	err = put_function_at(report, frames_at(frames, frames->user_first));
	fputc('\n', report->out);
	return err;
}

/* Moves those of @members whose creation was seen to @ret, which is released by the caller. */
static int find_born(const struct members *members, struct vec *ret)
{
	int err = 0;

	for (uint32_t i = 0; i < members->cnt && !err; i++)
		if (member_at(members, i)->birth != MODEL_NONE)
			err = vec_append(ret, &members->threads[i], 1);
	return err;
}

/* Prints who created the threads of @group, and where: of those that are there, else of all. */
static int put_creation(struct report *report, const struct leak_group *group,
			const struct members *members, const struct frame_form *form)
{
	struct members born = { .model = report->model };
	struct vec threads;
	int err;

	vec_init(&threads, sizeof(uint32_t), MODEL_THREAD_MAX);
	err = find_born(members, &threads);
	born.threads = threads.data;
	born.cnt = threads.len;
	if (!err && (born.cnt || (members->cnt && group->creator == MODEL_NONE))) {
		err = put_origin(report, born.cnt ? &born : members, form);
	} else if (!err && group->creator != MODEL_NONE) {
		err = frames_load_creator(&report->frames, report->model, group->creator);
		buf_clear(&report->line);
		buf_puts(&report->line, group->is_forked ? "  forked by " : "  created by ");
		if (!err && frames_creator(&report->frames))
			frame_put_bare_name(&report->line, report->model,
					    frames_creator(&report->frames),
					    report->options->verbose);
		if (!err)
			err = put_line(report);
		if (!err)
			err = put_creator_frames(report, form);
	}
	vec_release(&threads);
	return err;
}

static int put_stack(struct report *report, const struct leak_groups *groups,
		     const struct leak_group *group)
{
	struct frame_form form = { .indent = "\t",
				   .call = "",
				   .all = report->options->verbose,
				   .full_paths = report->options->verbose };
	struct members members = leak_group_members(groups, group);
	int err = 0;

	if (group->place != MODEL_NONE)
		err = put_stacks(report, group->place, MODEL_NONE, "no user stack", &form);
	if (!err)
		err = put_creation(report, group, &members, &form);
	return err || !members.cnt ? err : put_roster(report, &members, false);
}

int put_leak_group(struct report *report, const struct leak_groups *groups,
		   const struct leak_group *group, bool whole)
{
	int err = put_group_line(report, group);

	if (err)
		return err;
	return whole ? put_stack(report, groups, group) : put_place(report, group);
}

/* Prints by what the process grows, and when that comes to a limit. */
static int put_growth(struct report *report, const struct leak_groups *groups, uint32_t process)
{
	struct leak_reach reach = leak_reach(groups, process);
	struct buf *line = &report->line;

	if (!groups->process.grows)
		return 0;
	buf_clear(line);
	buf_puts(line, "  grows by ");
	leak_put_rate(line, groups->process.growth_per_min);
	buf_printf(line, " a minute (fit %.2f)", groups->process.fit);
	if (reach.limit) {
		buf_puts(line, ": ");
		leak_put_limit(line, report->model, reach.limit);
		buf_printf(line, " is reached in %s",
			   duration_words((uint64_t)(reach.left_s * 1e9)).text);
	}
	buf_puts(line, "\n");
	return put_line(report);
}

int put_leak_heading(struct report *report, const struct leak_groups *groups, uint32_t process_idx)
{
	const struct model *model = report->model;
	const struct model_process *process = model_process(model, process_idx);
	const struct leak_flow *flow = &groups->process.flow, *forked = &groups->process.forked;
	FILE *out = report->out;

	if (process->has_ended) {
		fputs(report->style->title, out);
		put_clean(out, model_str(model, process->comm));
		fprintf(out, " (pid %u)%s has ended", process->tgid, report->style->reset);
	} else {
		put_process_title(report, process);
		fprintf(out, " at %s", clock_words(model, model->boot_ns).text);
	}
	fprintf(out, ", watched for %s, %s\n", span_duration_words(model->watch_ns).text,
		stopped_words(model, process));
	fprintf(out, "  %" PRIu64 " at the start, %" PRIu64 " born, %" PRIu64 " ended",
		flow->alive_start, flow->born, flow->ended);
	if (forked->born || forked->ended)
		fprintf(out, "; %" PRIu64 " process%s forked, %" PRIu64 " ended", forked->born,
			forked->born == 1 ? "" : "es", forked->ended);
	fputc('\n', out);
	return put_growth(report, groups, process_idx);
}

bool leak_is_shown(const struct report *report, const struct leak_groups *groups,
		   uint32_t process_idx)
{
	bool has_ended = model_process(report->model, process_idx)->has_ended;
	enum leak_verdict worst;

	if (report->options->verbose || report->model->processes.len == 1)
		return true;
	if (!groups->groups.len)
		return false;
	worst = leak_groups_at(groups, 0)->judgement.verdict; /* it is the first */
	if (has_ended && !groups->process.flow.alive_start)
		return worst <= LEAK_GROWING; /* it came and went */
	return worst < LEAK_POOL;
}

static int put_section(struct report *report, const struct leak_groups *groups, uint32_t process)
{
	int err = put_leak_heading(report, groups, process);

	for (uint32_t i = 0; i < groups->groups.len && !err; i++) {
		const struct leak_group *group = leak_groups_at(groups, i);

		fputc('\n', report->out);
		err = put_leak_group(report, groups, group,
				     report->options->verbose ||
					     group->judgement.verdict <= LEAK_GROWING);
	}
	return err;
}

void put_leaks_left_out(const struct report *report, uint32_t process_cnt, bool first)
{
	const struct model *model = report->model;

	if (process_cnt)
		fprintf(report->out,
			"%snot shown: %u process%s whose threads are constant or gone\n",
			first ? "" : "\n", process_cnt, process_cnt == 1 ? "" : "es");
	if (model->folded_born)
		fprintf(report->out,
			"%snot shown: %" PRIu64 " threads of processes that have ended\n",
			first || process_cnt ? "" : "\n", model->folded_born);
}

int leak_text(struct report *report)
{
	struct leak_groups groups;
	int err = leak_groups_init(&groups, report->model, report->options->verbose);
	uint32_t left_out_cnt = 0;
	bool first = true;

	for (uint32_t i = 0; i < report->model->processes.len && !err; i++) {
		err = leak_groups_build(&groups, i);
		if (err)
			break;
		if (!leak_is_shown(report, &groups, i)) {
			/* The only thread of a forked one is told of by who forked it. */
			left_out_cnt += groups.groups.len > 0;
			continue;
		}
		if (!first)
			fputc('\n', report->out);
		first = false;
		err = put_section(report, &groups, i);
	}
	leak_groups_release(&groups);
	put_leaks_left_out(report, left_out_cnt, first);
	put_losses(report);
	return err;
}
