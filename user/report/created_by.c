/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/created_by.h"

#include <errno.h>
#include <stdlib.h>

#include "report/creator.h"
#include "report/words.h"

static const char unseen[] = "created before loiter attached";

static int put_function(struct report *report, const struct frame_ref *ref)
{
	buf_clear(&report->line);
	frame_put_bare_name(&report->line, report->model, ref, report->options->verbose);
	fputs(buf_text(&report->line), report->out);
	return report->line.failed ? -ENOMEM : 0;
}

/* Prints "thread 301 "MHD-connection"", or of another process "process 290 "postgres"" or
 * "thread 295 "launcher" of process 290". */
static void put_who(const struct report *report, const struct model_thread *thread,
		    const struct model_birth *birth)
{
	bool foreign = creator_is_foreign(report->model, thread, birth);
	bool is_main = birth->creator_tid == birth->creator_tgid;

	fprintf(report->out, "%s %u", foreign && is_main ? "process" : "thread",
		birth->creator_tid);
	if (birth->creator_comm) {
		fputs(" \"", report->out);
		put_clean(report->out, model_str(report->model, birth->creator_comm));
		fputc('"', report->out);
	}
	if (foreign && !is_main)
		fprintf(report->out, " of process %u", birth->creator_tgid);
}

int put_created_at(struct report *report, const struct model_thread *thread)
{
	const struct model_birth *birth = model_birth_of(report->model, thread);
	const struct frame_ref *own;
	int err;

	if (!birth) {
		fputs(unseen, report->out);
		return 0;
	}
	err = frames_load_creator(&report->frames, report->model, birth->stack);
	if (err)
		return err;
	fputs("created by ", report->out);
	own = frames_own(&report->frames);
	if (!own) {
		put_who(report, thread, birth);
		return 0;
	}
	err = put_function(report, own);
	if (own->frame && own->frame->file) {
		const char *path = model_str(report->model, own->frame->file);

		fputs(" at ", report->out);
		put_clean(report->out, report->options->verbose ? path : base_name(path));
		if (own->frame->line)
			fprintf(report->out, ":%u", own->frame->line);
	}
	return err;
}

/* What put_created_at tells of a thread. */
struct told {
	struct frame_ref own;
	uint32_t tid; /* where there is no own frame */
	bool has_own;
};

static int told_load(struct report *report, const struct model_birth *birth, struct told *ret)
{
	int err = frames_load_creator(&report->frames, report->model, birth->stack);
	const struct frame_ref *own = err ? NULL : frames_own(&report->frames);

	*ret = (struct told){ .tid = birth->creator_tid, .has_own = own != NULL };
	if (own)
		ret->own = *own;
	return err;
}

static bool told_equals(const struct told *a, const struct told *b)
{
	if (!a->has_own || !b->has_own)
		return a->has_own == b->has_own && a->tid == b->tid;
	return frame_ref_equals(&a->own, &b->own);
}

/* Writes to @ret whether the same is told of all of @members. */
static int is_common(struct report *report, const struct members *members, bool *ret)
{
	const struct model_birth *last = model_birth_of(report->model, member_at(members, 0));
	struct told first, other;
	int err = 0;

	*ret = last != NULL;
	if (last)
		err = told_load(report, last, &first);
	for (uint32_t i = 1; i < members->cnt && *ret && !err; i++) {
		const struct model_birth *birth =
			model_birth_of(report->model, member_at(members, i));

		*ret = birth != NULL;
		if (!birth ||
		    (birth->stack == last->stack && birth->creator_tid == last->creator_tid))
			continue;
		last = birth;
		err = told_load(report, birth, &other);
		*ret = told_equals(&first, &other);
	}
	return err;
}

int put_common_creator(struct report *report, const struct members *members)
{
	bool common;
	int err = is_common(report, members, &common);

	if (err || !common)
		return err;
	fputs("; ", report->out);
	return put_created_at(report, member_at(members, 0));
}

static int compare_tids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Appends the creators' tids, in order and each once, to @ret. */
static int collect_tids(const struct members *members, struct vec *ret)
{
	uint32_t cnt = 0, *tids;
	int err = 0;

	for (uint32_t i = 0; i < members->cnt && !err; i++)
		err = vec_append(
			ret, &model_birth_of(members->model, member_at(members, i))->creator_tid,
			1);
	if (err)
		return err;
	tids = ret->data;
	qsort(tids, ret->len, sizeof(tids[0]), compare_tids);
	for (uint32_t i = 0; i < ret->len; i++)
		if (!i || tids[i] != tids[i - 1])
			tids[cnt++] = tids[i];
	ret->len = cnt;
	return 0;
}

static uint32_t tid_at(const void *arg, uint32_t idx)
{
	return *(const uint32_t *)vec_at(arg, idx);
}

/* Prints "in thread 301 "MHD-connection"", or "in threads 301 to 303". */
static int put_in(struct report *report, const struct members *members)
{
	const struct model_thread *thread = member_at(members, 0);
	const struct model_birth *birth = model_birth_of(report->model, thread);
	struct vec tids;
	int err;

	vec_init(&tids, sizeof(uint32_t), MODEL_THREAD_MAX);
	err = collect_tids(members, &tids);
	fputs(" in ", report->out);
	if (tids.len == 1) {
		put_who(report, thread, birth);
	} else if (!err) {
		fputs("threads ", report->out);
		put_ids(report, tid_at, &tids, tids.len);
		if (creator_is_foreign(report->model, thread, birth))
			fprintf(report->out, " of process %u", birth->creator_tgid);
	}
	vec_release(&tids);
	return err;
}

int put_created_in(struct report *report, const struct members *members)
{
	const struct model_thread *first = member_at(members, 0);
	const struct model_birth *birth = model_birth_of(report->model, first);
	const struct frame_ref *own;
	int err;

	if (!birth) {
		fputs(unseen, report->out);
		return 0;
	}
	err = frames_load_creator(&report->frames, report->model, birth->stack);
	if (err)
		return err;
	fputs("created by ", report->out);
	own = frames_own(&report->frames);
	if (!own) {
		put_who(report, first, birth);
		return 0;
	}
	err = put_function(report, own);
	return err ? err : put_in(report, members);
}

int put_creator_frames(struct report *report, const struct frame_form *form)
{
	const struct frames *frames = &report->frames;
	const struct frame_ref *own = frames_own(frames);
	uint32_t first = report->options->verbose ? 0 : frames->user_first;
	uint32_t end = form->all ? frames->refs.len : frames->user_end;
	int err = 0;

	fputc('\n', report->out);
	if (own && first == frames->user_first && !own->guessed) {
		err = put_frame_place(report, own, form);
		first++;
	}
	return err ? err : put_frames(report, first, end, form);
}
