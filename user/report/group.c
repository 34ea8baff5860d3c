/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/group.h"

#include <stdlib.h>

#include "report/filter.h"

/* A thread and the group it falls in, until the groups' sizes are known. */
struct group_pick {
	uint32_t thread;
	uint32_t group;
};

int groups_init(struct groups *groups, const struct model *model,
		const struct report_options *options, enum shape_of of)
{
	int err, creators_err;

	*groups = (struct groups){ .model = model, .options = options };
	vec_init(&groups->groups, sizeof(struct group), MODEL_THREAD_MAX);
	vec_init(&groups->members, sizeof(uint32_t), MODEL_THREAD_MAX);
	vec_init(&groups->picks, sizeof(struct group_pick), MODEL_THREAD_MAX);
	table_init(&groups->by_hash, MODEL_THREAD_MAX);
	err = shapes_init(&groups->shapes, model, of);
	creators_err = creators_init(&groups->creators, model, of == SHAPE_OF_ALL);
	return err ? err : creators_err;
}

void groups_release(struct groups *groups)
{
	vec_release(&groups->groups);
	vec_release(&groups->members);
	vec_release(&groups->picks);
	table_release(&groups->by_hash);
	shapes_release(&groups->shapes);
	creators_release(&groups->creators);
}

static bool group_equals(const struct group *a, const struct group *b)
{
	return a->stack == b->stack && a->kstack == b->kstack && a->syscall == b->syscall &&
	       a->wait == b->wait && a->state == b->state && a->raced == b->raced &&
	       creator_equals(&a->creator, &b->creator);
}

/* Writes to @ret_idx the group with the key of @wanted, which is added when it is new. */
static int groups_intern(struct groups *groups, const struct group *wanted, uint32_t *ret_idx)
{
	uint64_t hash = hash_mix(hash_mix(wanted->stack, wanted->kstack),
				 hash_mix(wanted->syscall, (uint64_t)wanted->wait << 16 |
								   (uint64_t)wanted->state << 8 |
								   wanted->raced));
	int err;

	hash = hash_mix(hash, creator_hash(&wanted->creator));
	for (; table_find(&groups->by_hash, hash, ret_idx); hash++)
		if (group_equals(groups_at(groups, *ret_idx), wanted))
			return 0;
	*ret_idx = groups->groups.len;
	err = vec_append(&groups->groups, wanted, 1);
	return err ? err : table_put(&groups->by_hash, hash, *ret_idx);
}

static int groups_add(struct groups *groups, uint32_t thread_idx)
{
	const struct model_thread *thread = model_thread(groups->model, thread_idx);
	struct group wanted = { .syscall = thread->wait == WAIT_SYSCALL ? thread->syscall : 0,
				.kstack = MODEL_NONE,
				.first_tid = thread->tid,
				.age_min_ns = UINT64_MAX,
				.wait = thread->wait,
				.state = thread->state,
				.raced = thread->raced };
	struct group_pick pick = { .thread = thread_idx };
	struct group *group;
	int err;

	err = shapes_find(&groups->shapes, thread->stack, &wanted.stack);
	if (!err && groups->options->kernel)
		err = shapes_find(&groups->shapes, thread->kstack, &wanted.kstack);
	if (!err)
		err = creators_find(&groups->creators, thread, &wanted.creator);
	if (!err)
		err = groups_intern(groups, &wanted, &pick.group);
	if (!err)
		err = vec_append(&groups->picks, &pick, 1);
	if (err)
		return err;
	group = vec_at(&groups->groups, pick.group);
	group->member_cnt++;
	if (thread->age_ns < group->age_min_ns)
		group->age_min_ns = thread->age_ns;
	if (thread->age_ns > group->age_max_ns)
		group->age_max_ns = thread->age_ns;
	return 0;
}

/* Gives each group its run of members. Picks are in order of tid, and so are the runs. */
static int groups_fill(struct groups *groups)
{
	uint32_t first = 0;
	int err = 0;

	for (uint32_t i = 0; i < groups->groups.len; i++) {
		struct group *group = vec_at(&groups->groups, i);

		group->first_member = first;
		first += group->member_cnt;
		group->member_cnt = 0;
	}
	for (uint32_t i = 0; i < groups->picks.len && !err; i++)
		err = vec_append(&groups->members, &i, 1);
	for (uint32_t i = 0; i < groups->picks.len && !err; i++) {
		const struct group_pick *pick = vec_at(&groups->picks, i);
		struct group *group = vec_at(&groups->groups, pick->group);
		uint32_t *member =
			vec_at(&groups->members, group->first_member + group->member_cnt++);

		*member = pick->thread;
	}
	return err;
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->member_cnt != y->member_cnt)
		return x->member_cnt > y->member_cnt ? -1 : 1;
	if (x->age_max_ns != y->age_max_ns)
		return x->age_max_ns > y->age_max_ns ? -1 : 1;
	return (x->first_tid > y->first_tid) - (x->first_tid < y->first_tid);
}

static int groups_add_process(struct groups *groups, const struct model_process *process)
{
	int err = 0;

	for (uint32_t i = 0; i < process->thread_cnt && !err; i++)
		if (filter_shows(groups->options,
				 model_thread(groups->model, process->first_thread + i)))
			err = groups_add(groups, process->first_thread + i);
	return err;
}

int groups_build(struct groups *groups, const uint32_t *processes, uint32_t process_cnt)
{
	int err = 0;

	vec_clear(&groups->groups);
	vec_clear(&groups->members);
	vec_clear(&groups->picks);
	table_clear(&groups->by_hash);
	for (uint32_t i = 0; i < process_cnt && !err; i++)
		err = groups_add_process(groups, model_process(groups->model, processes[i]));
	if (!err)
		err = groups_fill(groups);
	if (!err && groups->groups.len)
		qsort(groups->groups.data, groups->groups.len, sizeof(struct group),
		      compare_groups);
	return err;
}
