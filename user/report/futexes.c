/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/futexes.h"

#include <stdlib.h>

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void add_counts(struct model_futex *to, const struct model_futex *futex)
{
	to->cnt = add_capped(to->cnt, futex->cnt);
	to->total_ns = add_capped(to->total_ns, futex->total_ns);
	if (futex->max_ns > to->max_ns)
		to->max_ns = futex->max_ns;
	to->timeout_cnt = add_capped(to->timeout_cnt, futex->timeout_cnt);
	to->changed_cnt = add_capped(to->changed_cnt, futex->changed_cnt);
	to->interrupted_cnt = add_capped(to->interrupted_cnt, futex->interrupted_cnt);
	to->failed_cnt = add_capped(to->failed_cnt, futex->failed_cnt);
	to->woken_cnt = add_capped(to->woken_cnt, futex->woken_cnt);
	to->moved_cnt = add_capped(to->moved_cnt, futex->moved_cnt);
	to->nobody_cnt = add_capped(to->nobody_cnt, futex->nobody_cnt);
	to->open_cnt += futex->open_cnt <= UINT32_MAX - to->open_cnt ? futex->open_cnt
								     : UINT32_MAX - to->open_cnt;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Orders by what makes one futex. */
static int compare_futexes(const struct model_futex *a, const struct model_futex *b)
{
	if (a->process != b->process)
		return compare_u64(a->process, b->process);
	if (a->addr != b->addr)
		return compare_u64(a->addr, b->addr);
	return compare_u64(a->is_shared, b->is_shared);
}

/* Orders by what makes one part. */
static int compare_parts(const struct model_futex *a, const struct model_futex *b)
{
	int order = compare_futexes(a, b);

	if (order || a->kind != b->kind)
		return order ? order : compare_u64(a->kind, b->kind);
	if (a->stack != b->stack)
		return compare_u64(a->stack, b->stack);
	return compare_u64(a->wait, b->wait);
}

static int compare_by_key(const void *a, const void *b)
{
	const struct futex_part *x = a, *y = b;
	int order = compare_parts(&x->sum, &y->sum);

	return order ? order : compare_u64(x->serial, y->serial);
}

/* Within a futex: those that wait first, then most time, most threads woken or moved, most calls.
 */
static int compare_by_weight(const void *a, const void *b)
{
	const struct futex_part *x = a, *y = b;
	bool x_waits = futex_kind_waits(x->sum.kind), y_waits = futex_kind_waits(y->sum.kind);

	if (x_waits != y_waits)
		return x_waits ? -1 : 1;
	if (x->sum.total_ns != y->sum.total_ns)
		return compare_u64(y->sum.total_ns, x->sum.total_ns);
	if (x->sum.woken_cnt != y->sum.woken_cnt)
		return compare_u64(y->sum.woken_cnt, x->sum.woken_cnt);
	if (x->sum.cnt != y->sum.cnt)
		return compare_u64(y->sum.cnt, x->sum.cnt);
	return compare_u64(x->serial, y->serial);
}

static int compare_groups(const void *a, const void *b)
{
	const struct futex_group *x = a, *y = b;

	if (x->waits.process != y->waits.process)
		return compare_u64(x->waits.process, y->waits.process);
	if (x->waits.total_ns != y->waits.total_ns)
		return compare_u64(y->waits.total_ns, x->waits.total_ns);
	if (x->wakes.cnt != y->wakes.cnt)
		return compare_u64(y->wakes.cnt, x->wakes.cnt);
	return compare_futexes(&x->waits, &y->waits);
}

/* Takes each of @model's futex calls for a part, then makes one of those that read the same. */
static int collect_parts(struct vec *parts, const struct model *model, enum shape_of of)
{
	struct shapes shapes;
	uint32_t kept_cnt = 0;
	int err = shapes_init(&shapes, model, of);

	for (uint32_t i = 0; i < model->futexes.len && !err; i++) {
		struct futex_part part = { .sum = *model_futex(model, i), .serial = i };

		err = shapes_find(&shapes, part.sum.stack, &part.sum.stack);
		if (!err)
			err = vec_append(parts, &part, 1);
	}
	shapes_release(&shapes);
	if (err || !parts->len)
		return err;
	qsort(parts->data, parts->len, sizeof(struct futex_part), compare_by_key);
	for (uint32_t i = 1; i < parts->len; i++) {
		struct futex_part *kept = vec_at(parts, kept_cnt);
		const struct futex_part *part = vec_at(parts, i);

		if (compare_parts(&kept->sum, &part->sum))
			*(struct futex_part *)vec_at(parts, ++kept_cnt) = *part;
		else
			add_counts(&kept->sum, &part->sum);
	}
	parts->len = kept_cnt + 1;
	return 0;
}

/* Makes a group of the @cnt parts of one futex from @first on. */
static int add_group(struct futex_groups *groups, uint32_t first, uint32_t cnt)
{
	struct futex_part *parts = vec_at(&groups->parts, first);
	const struct model_futex *any = &parts[0].sum;
	struct model_futex none = { .addr = any->addr,
				    .process = any->process,
				    .name = any->name,
				    .stack = MODEL_NONE,
				    .is_shared = any->is_shared };
	struct futex_group group = {
		.waits = none, .wakes = none, .first_part = first, .part_cnt = cnt
	};

	qsort(parts, cnt, sizeof(parts[0]), compare_by_weight);
	for (uint32_t i = 0; i < cnt; i++) {
		bool waits = futex_kind_waits(parts[i].sum.kind);

		add_counts(waits ? &group.waits : &group.wakes, &parts[i].sum);
		group.wait_part_cnt += waits;
	}
	if (group.wait_part_cnt)
		group.waits.wait = parts[0].sum.wait;
	return vec_append(&groups->groups, &group, 1);
}

int futex_groups_init(struct futex_groups *groups, const struct model *model, enum shape_of of)
{
	uint32_t first = 0;
	int err;

	vec_init(&groups->groups, sizeof(struct futex_group), MODEL_SPAN_MAX);
	vec_init(&groups->parts, sizeof(struct futex_part), MODEL_SPAN_MAX);
	err = collect_parts(&groups->parts, model, of);
	for (uint32_t i = 1; i <= groups->parts.len && !err; i++) {
		const struct futex_part *parts = groups->parts.data;

		if (i < groups->parts.len && !compare_futexes(&parts[first].sum, &parts[i].sum))
			continue;
		err = add_group(groups, first, i - first);
		first = i;
	}
	if (!err && groups->groups.len)
		qsort(groups->groups.data, groups->groups.len, sizeof(struct futex_group),
		      compare_groups);
	return err;
}

void futex_groups_release(struct futex_groups *groups)
{
	vec_release(&groups->groups);
	vec_release(&groups->parts);
}
