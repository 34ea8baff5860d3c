/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/spans.h"

#include <errno.h>
#include <stdlib.h>

#include "report/formats.h"

/* A span and the group it falls in, until the groups' sizes are known. */
struct span_pick {
	uint32_t span;
	uint32_t thread;
	uint32_t group;
};

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static bool is_idle(const struct report_options *options, const struct model_span *span)
{
	return options->no_idle && span->kind == SPAN_BLOCKED && wait_is_idle(span->wait);
}

bool span_is_chosen(const struct report_options *options, const struct model_span *span)
{
	switch (options->by) {
	case REPORT_BY_BLOCKED:
	case REPORT_BY_WAKER:
		return span->kind == SPAN_BLOCKED && !is_idle(options, span);
	case REPORT_BY_RUN_QUEUE:
		return span->kind == SPAN_RUN_QUEUE;
	case REPORT_BY_ON_CPU:
		return span->kind == SPAN_ON_CPU;
	case REPORT_BY_FUTEX:
		return false; /* of calls, not of time */
	case REPORT_BY_WALL:
	case REPORT_BY_CNT:
		break;
	}
	return !is_idle(options, span);
}

static bool group_equals(const struct span_group *a, const struct span_group *b)
{
	return a->process == b->process && a->thread == b->thread && a->stack == b->stack &&
	       a->kstack == b->kstack && a->waker_stack == b->waker_stack && a->waker == b->waker &&
	       a->syscall == b->syscall && a->kind == b->kind && a->wait == b->wait;
}

static uint64_t group_hash(const struct span_group *group)
{
	uint64_t hash = hash_mix(hash_mix(group->process, group->thread), group->stack);

	hash = hash_mix(hash_mix(hash, group->waker_stack), group->waker);
	hash = hash_mix(hash, group->kstack);
	return hash_mix(hash_mix(hash, group->syscall), (uint64_t)group->kind << 8 | group->wait);
}

/* Writes to @ret_idx the group with the key of @wanted, which is added when it is new. */
static int groups_intern(struct span_groups *groups, const struct span_group *wanted,
			 uint32_t *ret_idx)
{
	uint64_t hash = group_hash(wanted);
	int err;

	for (; table_find(&groups->by_hash, hash, ret_idx); hash++)
		if (group_equals(span_groups_at(groups, *ret_idx), wanted))
			return 0;
	*ret_idx = groups->groups.len;
	err = vec_append(&groups->groups, wanted, 1);
	return err ? err : table_put(&groups->by_hash, hash, *ret_idx);
}

static int groups_add(struct span_groups *groups, uint32_t span_idx)
{
	const struct model_span *span = model_span(groups->model, span_idx);
	bool blocked = span->kind == SPAN_BLOCKED;
	struct span_pick pick = { .span = span_idx, .thread = span->thread };
	struct span_group wanted = {
		.process = model_thread(groups->model, span->thread)->process,
		.thread = groups->options->by_thread ? span->thread : MODEL_NONE,
		.kstack = MODEL_NONE,
		.waker_stack = MODEL_NONE,
		.syscall = blocked && span->wait == WAIT_SYSCALL ? span->syscall : 0,
		.kind = span->kind,
		.wait = blocked ? span->wait : WAIT_NONE,
	};
	int err = shapes_find(&groups->shapes, span->stack, &wanted.stack);

	if (!err && groups->options->kernel)
		err = shapes_find(&groups->shapes, span->kstack, &wanted.kstack);
	if (!err && groups->options->by == REPORT_BY_WAKER) {
		wanted.waker = span->waker;
		err = shapes_find(&groups->shapes, span->waker_stack, &wanted.waker_stack);
	}
	if (!err)
		err = groups_intern(groups, &wanted, &pick.group);
	return err ? err : vec_append(&groups->picks, &pick, 1);
}

static int compare_picks(const void *a, const void *b)
{
	const struct span_pick *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->thread != y->thread)
		return x->thread < y->thread ? -1 : 1;
	return (x->span > y->span) - (x->span < y->span);
}

/* Adds the next of its spans, which come by thread, to @group. */
static void group_count(struct span_group *group, const struct model *model, uint32_t span_idx,
			bool same_thread)
{
	const struct model_span *span = model_span(model, span_idx);

	group->total_ns = add_capped(group->total_ns, span->total_ns);
	group->cnt = add_capped(group->cnt, span->cnt);
	if (span->max_ns > group->max_ns)
		group->max_ns = span->max_ns;
	group->open_cnt += span->open;
	group->span_cnt++;
	group->thread_cnt += !same_thread;
}

/* Gives each group its run of spans, and its sums. */
static int groups_fill(struct span_groups *groups)
{
	struct span_pick *picks = groups->picks.data;
	int err = 0;

	if (groups->picks.len)
		qsort(picks, groups->picks.len, sizeof(picks[0]), compare_picks);
	for (uint32_t i = 0; i < groups->picks.len && !err; i++) {
		struct span_group *group = vec_at(&groups->groups, picks[i].group);

		if (!group->span_cnt) {
			group->first_span = i;
			group->serial = picks[i].group;
		}
		group_count(group, groups->model, picks[i].span,
			    group->span_cnt && picks[i - 1].thread == picks[i].thread);
		err = vec_append(&groups->order, &picks[i].span, 1);
	}
	return err;
}

static int compare_groups(const void *a, const void *b)
{
	const struct span_group *x = a, *y = b;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	if (x->total_ns != y->total_ns)
		return x->total_ns > y->total_ns ? -1 : 1;
	return (x->serial > y->serial) - (x->serial < y->serial);
}

int span_groups_init(struct span_groups *groups, const struct model *model,
		     const struct report_options *options, enum shape_of of)
{
	int err;

	*groups = (struct span_groups){ .model = model, .options = options };
	vec_init(&groups->groups, sizeof(struct span_group), MODEL_SPAN_MAX);
	vec_init(&groups->order, sizeof(uint32_t), MODEL_SPAN_MAX);
	vec_init(&groups->picks, sizeof(struct span_pick), MODEL_SPAN_MAX);
	vec_init(&groups->members, sizeof(uint32_t), MODEL_SPAN_MAX);
	table_init(&groups->by_hash, MODEL_SPAN_MAX);
	err = shapes_init(&groups->shapes, model, of);
	for (uint32_t i = 0; i < model->spans.len && !err; i++)
		if (span_is_chosen(options, model_span(model, i)))
			err = groups_add(groups, i);
	if (!err)
		err = groups_fill(groups);
	if (!err && groups->groups.len)
		qsort(groups->groups.data, groups->groups.len, sizeof(struct span_group),
		      compare_groups);
	return err;
}

void span_groups_release(struct span_groups *groups)
{
	vec_release(&groups->groups);
	vec_release(&groups->order);
	vec_release(&groups->picks);
	vec_release(&groups->members);
	table_release(&groups->by_hash);
	shapes_release(&groups->shapes);
}

static const struct model_span *group_span(const struct span_groups *groups,
					   const struct span_group *group, uint32_t i)
{
	return model_span(groups->model,
			  *(uint32_t *)vec_at(&groups->order, group->first_span + i));
}

int span_group_members(struct span_groups *groups, const struct span_group *group,
		       struct members *ret)
{
	uint32_t last = MODEL_NONE;
	int err = 0;

	vec_clear(&groups->members);
	for (uint32_t i = 0; i < group->span_cnt && !err; i++) {
		uint32_t thread = group_span(groups, group, i)->thread;

		if (thread != last)
			err = vec_append(&groups->members, &thread, 1);
		last = thread;
	}
	*ret = (struct members){ .model = groups->model,
				 .threads = groups->members.data,
				 .cnt = groups->members.len };
	return err;
}

void span_group_hist(const struct span_groups *groups, const struct span_group *group,
		     uint64_t *ret_hist)
{
	for (uint32_t i = 0; i < SPAN_HIST_CNT; i++)
		ret_hist[i] = 0;
	for (uint32_t i = 0; i < group->span_cnt; i++)
		for (uint32_t j = 0; j < SPAN_HIST_CNT; j++)
			ret_hist[j] += group_span(groups, group, i)->hist[j];
}

struct span_totals *span_totals_new(const struct model *model, const struct report_options *options)
{
	struct span_totals *totals = calloc((size_t)model->processes.len + 1, sizeof(*totals));

	for (uint32_t i = 0; i < model->spans.len && totals; i++) {
		const struct model_span *span = model_span(model, i);
		struct span_totals *of = &totals[model_thread(model, span->thread)->process];

		of->ns[span->kind] = add_capped(of->ns[span->kind], span->total_ns);
		of->any[span->kind] = true;
		if (is_idle(options, span))
			of->idle_ns = add_capped(of->idle_ns, span->total_ns);
	}
	return totals;
}

const char *span_words(const struct model *model, const struct span_group *group)
{
	switch ((enum span_kind)group->kind) {
	case SPAN_BLOCKED:
		return wait_words(model, group->wait, group->syscall, THREAD_BLOCKED);
	case SPAN_RUN_QUEUE:
		return "run queue";
	case SPAN_ON_CPU:
		break;
	}
	return "on CPU";
}
