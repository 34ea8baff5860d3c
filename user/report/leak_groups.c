/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report/leak_groups.h"

#include <errno.h>
#include <stdlib.h>

/* Returns the indices of @cnt things, ordered by what @key_of gives for each, below @key_cnt;
 * writes where those of each key begin, and the end, to @ret_first. Both are to be freed. NULL
 * when memory ran out. */
static uint32_t *order_by(uint32_t cnt, uint32_t key_cnt,
			  uint32_t (*key_of)(const struct model *model, uint32_t idx),
			  const struct model *model, uint32_t **ret_first)
{
	uint32_t *order = calloc((size_t)cnt + 1, sizeof(*order));
	uint32_t *first = calloc((size_t)key_cnt + 2, sizeof(*first));

	*ret_first = first;
	if (!order || !first) {
		free(order);
		return NULL;
	}
	/* Counted one behind, so that filling them in leaves each where it begins. */
	for (uint32_t i = 0; i < cnt; i++)
		if (key_of(model, i) < key_cnt)
			first[key_of(model, i) + 2]++;
	for (uint32_t key = 2; key < key_cnt + 2; key++)
		first[key] += first[key - 1];
	for (uint32_t i = 0; i < cnt; i++)
		if (key_of(model, i) < key_cnt)
			order[first[key_of(model, i) + 1]++] = i;
	return order;
}

static uint32_t process_of_cohort(const struct model *model, uint32_t idx)
{
	return model_cohort(model, idx)->process;
}

static uint32_t cohort_of_thread(const struct model *model, uint32_t idx)
{
	return model_thread(model, idx)->cohort;
}

static int index_model(struct leak_groups *groups)
{
	const struct model *model = groups->model;

	groups->cohorts = order_by(model->cohorts.len, model->processes.len, process_of_cohort,
				   model, &groups->first_cohort);
	groups->threads = order_by(model->threads.len, model->cohorts.len, cohort_of_thread, model,
				   &groups->first_thread);
	groups->group_of_cohort =
		calloc((size_t)model->cohorts.len + 1, sizeof(*groups->group_of_cohort));
	return groups->cohorts && groups->threads && groups->group_of_cohort ? 0 : -ENOMEM;
}

int leak_groups_init(struct leak_groups *groups, const struct model *model, bool verbose)
{
	int err, creators_err, places_err;

	*groups = (struct leak_groups){ .model = model };
	vec_init(&groups->groups, sizeof(struct leak_group), MODEL_COHORT_MAX);
	vec_init(&groups->members, sizeof(uint32_t), MODEL_THREAD_MAX);
	vec_init(&groups->points, sizeof(uint32_t), MODEL_COHORT_MAX * MODEL_COHORT_POINT_MAX);
	vec_init(&groups->entries, sizeof(struct leak_entry), MODEL_COHORT_MAX);
	vec_init(&groups->creators, sizeof(struct leak_creator), MODEL_COHORT_MAX);
	table_init(&groups->by_hash, MODEL_COHORT_MAX);
	table_init(&groups->entry_by_hash, MODEL_COHORT_MAX);
	table_init(&groups->creator_by_hash, MODEL_COHORT_MAX);
	frames_init(&groups->frames);
	err = index_model(groups);
	creators_err = shapes_init(&groups->creator_shapes, model,
				   verbose ? SHAPE_OF_ALL : SHAPE_OF_CREATOR);
	places_err =
		shapes_init(&groups->place_shapes, model, verbose ? SHAPE_OF_ALL : SHAPE_OF_USER);
	groups->creator_shapes.by_line = groups->place_shapes.by_line = !verbose;
	if (!err)
		err = creators_err;
	return err ? err : places_err;
}

void leak_groups_release(struct leak_groups *groups)
{
	vec_release(&groups->groups);
	vec_release(&groups->members);
	vec_release(&groups->points);
	vec_release(&groups->entries);
	vec_release(&groups->creators);
	table_release(&groups->by_hash);
	table_release(&groups->entry_by_hash);
	table_release(&groups->creator_by_hash);
	frames_release(&groups->frames);
	shapes_release(&groups->creator_shapes);
	shapes_release(&groups->place_shapes);
	free(groups->cohorts);
	free(groups->first_cohort);
	free(groups->threads);
	free(groups->first_thread);
	free(groups->group_of_cohort);
}

static struct leak_group *group_at(struct leak_groups *groups, uint32_t idx)
{
	return vec_at(&groups->groups, idx);
}

/* -- the functions that threads begin in -- */

/* Loads the frames of @place, and returns the outermost of the program's own; NULL when that is not
 * the one that its threads began in. */
static const struct frame_ref *load_entry(struct leak_groups *groups, uint32_t place, int *ret_err)
{
	const struct frames *frames = &groups->frames;

	*ret_err = frames_load(&groups->frames, groups->model, place);
	if (*ret_err || frames->quality != STACK_COMPLETE || frames->all_runtime)
		return NULL;
	return frames_at(frames, frames->user_end - 1);
}

/* Whether two calls are from one function. */
static bool is_same_function(const struct frame_ref *a, const struct frame_ref *b)
{
	const struct model_frame *x = a->frame, *y = b->frame;

	if (!x || !y)
		return !x && !y && a->pc == b->pc;
	if (!x->func && !y->func)
		return x->module == y->module && x->module_off == y->module_off;
	return x->func == y->func && x->module == y->module;
}

static uint64_t function_hash(const struct frame_ref *ref)
{
	const struct model_frame *frame = ref->frame;

	if (!frame)
		return hash_mix(0, ref->pc);
	return hash_mix(frame->module, frame->func ? frame->func : ~frame->module_off);
}

/* Returns the entry of @ref; NULL when there is none, with the hash for a new one. */
static struct leak_entry *find_entry(const struct leak_groups *groups, const struct frame_ref *ref,
				     uint64_t *ret_hash)
{
	uint32_t idx;

	for (*ret_hash = function_hash(ref); table_find(&groups->entry_by_hash, *ret_hash, &idx);
	     ++*ret_hash) {
		struct leak_entry *entry = vec_at(&groups->entries, idx);

		if (is_same_function(&entry->ref, ref))
			return entry;
	}
	return NULL;
}

int leak_groups_entry(struct leak_groups *groups, uint32_t place, struct leak_entry **ret)
{
	const struct frame_ref *ref;
	uint64_t hash;
	int err = 0;

	*ret = NULL;
	ref = place == MODEL_NONE ? NULL : load_entry(groups, place, &err);
	if (ref)
		*ret = find_entry(groups, ref, &hash);
	return err;
}

/* Notes that threads of @creator, which is known, begin in the entry of @place. */
static int note_entry(struct leak_groups *groups, uint32_t creator, uint32_t place)
{
	const struct frame_ref *ref;
	struct leak_entry *entry;
	uint64_t hash;
	int err;

	ref = load_entry(groups, place, &err);
	if (!ref)
		return err;
	entry = find_entry(groups, ref, &hash);
	if (!entry) {
		entry = vec_push(&groups->entries);
		if (!entry)
			return -ENOMEM;
		entry->ref = *ref;
		entry->creator = creator;
		err = table_put(&groups->entry_by_hash, hash, groups->entries.len - 1);
	}
	entry->is_shared |= entry->creator != creator;
	return err;
}

/* -- cohorts into groups -- */

static int shape_of_cohort(struct leak_groups *groups, const struct model_cohort *cohort,
			   struct leak_group *ret)
{
	int err;

	*ret = (struct leak_group){ .creator = MODEL_NONE,
				    .place = MODEL_NONE,
				    .is_older = cohort->is_older,
				    .is_forked = cohort->is_forked,
				    .age_min_ns = UINT64_MAX };
	err = shapes_find(&groups->creator_shapes, cohort->creator, &ret->creator);
	return err ? err : shapes_find(&groups->place_shapes, cohort->stack, &ret->place);
}

/* Notes what each known creator's threads begin in. */
static int note_entries(struct leak_groups *groups, uint32_t process)
{
	int err = 0;

	for (uint32_t i = groups->first_cohort[process];
	     i < groups->first_cohort[process + 1] && !err; i++) {
		const struct model_cohort *cohort = model_cohort(groups->model, groups->cohorts[i]);
		struct leak_group shape;

		if (cohort->is_older || cohort->is_forked || cohort->creator == MODEL_NONE)
			continue;
		err = shape_of_cohort(groups, cohort, &shape);
		if (!err && shape.place != MODEL_NONE)
			err = note_entry(groups, shape.creator, shape.place);
	}
	return err;
}

/* Gives the older threads of @shape, of @cohort, the creator that begins others in the same
 * function. */
static int adopt(struct leak_groups *groups, const struct leak_flow *flow, struct leak_group *shape)
{
	struct leak_entry *entry;
	int err;

	if (!shape->is_older)
		return 0;
	err = leak_groups_entry(groups, shape->place, &entry);
	if (!entry)
		return err;
	if (entry->is_shared) {
		leak_flow_add(&entry->older, flow);
		return 0;
	}
	shape->creator = entry->creator;
	shape->is_older = false;
	return 0;
}

static bool group_equals(const struct leak_group *a, const struct leak_group *b)
{
	return a->creator == b->creator && a->place == b->place && a->is_older == b->is_older &&
	       a->is_forked == b->is_forked;
}

static uint64_t group_hash(const struct leak_group *group)
{
	return hash_mix(hash_mix(group->creator, group->place),
			(uint64_t)group->is_older << 1 | group->is_forked);
}

/* Writes to @ret_idx the group like @wanted, which is added when it is new. */
static int find_group(struct leak_groups *groups, const struct leak_group *wanted,
		      uint32_t *ret_idx)
{
	uint64_t hash = group_hash(wanted);
	struct leak_group *group;
	uint32_t zero = 0;
	int err = 0;

	for (; table_find(&groups->by_hash, hash, ret_idx); hash++)
		if (group_equals(group_at(groups, *ret_idx), wanted))
			return 0;
	*ret_idx = groups->groups.len;
	group = vec_push(&groups->groups);
	if (!group)
		return -ENOMEM;
	*group = *wanted;
	group->points = groups->points.len;
	for (uint32_t i = 0; i < groups->model->point_cnt && !err; i++)
		err = vec_append(&groups->points, &zero, 1);
	return err ? err : table_put(&groups->by_hash, hash, *ret_idx);
}

static int add_cohort(struct leak_groups *groups, uint32_t cohort_idx)
{
	const struct model *model = groups->model;
	const struct model_cohort *cohort = model_cohort(model, cohort_idx);
	const struct leak_flow flow = { .alive_start = cohort->alive_start,
					.born = cohort->born,
					.ended = cohort->ended,
					.alive_end = model_cohort_alive(cohort) };
	struct leak_group wanted, *group;
	uint32_t idx;
	int err = shape_of_cohort(groups, cohort, &wanted);

	if (!err)
		err = adopt(groups, &flow, &wanted);
	if (!err)
		err = find_group(groups, &wanted, &idx);
	if (err)
		return err;
	groups->group_of_cohort[cohort_idx] = idx;
	group = group_at(groups, idx);
	leak_flow_add(&group->flow, &flow);
	group->left += cohort->left;
	/* Of a program that loiter started, only the first thread was not seen created. */
	if (cohort->is_older && model_process(model, cohort->process)->from_birth)
		group->is_main = true;
	else if (cohort->is_older)
		group->older_cnt += cohort->alive_start;
	if (!group->wait) {
		group->wait = cohort->wait;
		group->syscall = cohort->syscall;
	}
	for (uint32_t i = 0; i < model->point_cnt; i++)
		leak_group_points(groups, group)[i] += model_cohort_points(model, cohort_idx)[i];
	return 0;
}

static int add_cohorts(struct leak_groups *groups, uint32_t process)
{
	int err = note_entries(groups, process);

	for (uint32_t i = groups->first_cohort[process];
	     i < groups->first_cohort[process + 1] && !err; i++)
		err = add_cohort(groups, groups->cohorts[i]);
	return err;
}

/* -- threads into groups -- */

/* Returns after how long the thread wakes by itself, 0 when it does not: what is left of its
 * timeout, and what has passed of it. */
static uint64_t timeout_of(const struct model_thread *thread)
{
	int64_t left_ns = thread->timeout_left_ns;
	uint64_t timeout_ns;

	if (!thread->has_timeout)
		return 0;
	if (left_ns < 0)
		return thread->age_ns;
	return __builtin_add_overflow(thread->age_ns, (uint64_t)left_ns, &timeout_ns) ? 0
										      : timeout_ns;
}

static bool has_run(const struct model_thread *thread)
{
	return thread->watched_runs || thread->state == THREAD_RUNNING ||
	       thread->state == THREAD_RUNNABLE;
}

/* Whether @thread is at one place after another, and has not come to rest at this one. */
static bool is_moving(const struct model *model, const struct model_thread *thread)
{
	return thread->has_moved && thread->watched_ns * LEAK_QUIET_PARTS < model->watch_ns;
}

/* Counts how the threads of @group ran. One of which no timeout is known, since it was on its way
 * when that was asked, is taken to have the longest of those at the same place. */
static void count_runs(const struct leak_groups *groups, struct leak_group *group)
{
	struct members members = leak_group_members(groups, group);
	uint64_t longest_ns = 0;

	for (uint32_t i = 0; i < members.cnt; i++)
		if (timeout_of(member_at(&members, i)) > longest_ns)
			longest_ns = timeout_of(member_at(&members, i));
	for (uint32_t i = 0; i < members.cnt; i++) {
		const struct model_thread *thread = member_at(&members, i);
		uint64_t timeout_ns = timeout_of(thread);

		group->moved += is_moving(groups->model, thread);
		if (!thread->watched_ns)
			continue;
		group->watched++;
		if (!has_run(thread))
			continue;
		group->ran++;
		group->timed += leak_is_timed(thread->watched_runs, thread->watched_ns,
					      timeout_ns ? timeout_ns : longest_ns);
	}
	group->timeout_ns = group->timed ? longest_ns : 0;
}

static void count_member(struct leak_groups *groups, struct leak_group *group,
			 const struct model_thread *thread)
{
	group->member_cnt++;
	if (thread->age_ns < group->age_min_ns)
		group->age_min_ns = thread->age_ns;
	if (thread->age_ns > group->age_max_ns)
		group->age_max_ns = thread->age_ns;
	group->is_main |= group->is_older &&
			  thread->tid == model_process(groups->model, thread->process)->tgid;
	/* What is known of one that is there is more than what its stack alone tells. */
	if (thread->state == THREAD_BLOCKED && thread->wait) {
		group->wait = thread->wait;
		group->syscall = thread->syscall;
	}
}

static void count_members(struct leak_groups *groups, uint32_t cohort)
{
	struct leak_group *group = group_at(groups, groups->group_of_cohort[cohort]);

	for (uint32_t i = groups->first_thread[cohort]; i < groups->first_thread[cohort + 1]; i++)
		count_member(groups, group, model_thread(groups->model, groups->threads[i]));
}

/* Appends the threads of @cohort to the run of its group. */
static void fill_members(struct leak_groups *groups, uint32_t cohort)
{
	struct leak_group *group = group_at(groups, groups->group_of_cohort[cohort]);

	for (uint32_t i = groups->first_thread[cohort]; i < groups->first_thread[cohort + 1]; i++)
		*(uint32_t *)vec_at(&groups->members, group->first_member + group->member_cnt++) =
			groups->threads[i];
}

static int compare_indices(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int add_members(struct leak_groups *groups, uint32_t process)
{
	uint32_t from = groups->first_cohort[process], end = groups->first_cohort[process + 1];
	uint32_t first = 0, zero = 0;
	int err = 0;

	for (uint32_t i = from; i < end; i++)
		count_members(groups, groups->cohorts[i]);
	for (uint32_t i = 0; i < groups->groups.len; i++) {
		struct leak_group *group = group_at(groups, i);

		group->first_member = first;
		first += group->member_cnt;
		group->member_cnt = 0;
	}
	for (uint32_t i = 0; i < first && !err; i++)
		err = vec_append(&groups->members, &zero, 1);
	if (err)
		return err;
	for (uint32_t i = from; i < end; i++)
		fill_members(groups, groups->cohorts[i]);
	for (uint32_t i = 0; i < groups->groups.len; i++) {
		struct leak_group *group = group_at(groups, i);

		if (group->member_cnt)
			qsort(vec_at(&groups->members, group->first_member), group->member_cnt,
			      sizeof(uint32_t), compare_indices);
		count_runs(groups, group);
	}
	return 0;
}

int leak_groups_build(struct leak_groups *groups, uint32_t process_idx)
{
	const struct model_process *process = model_process(groups->model, process_idx);
	int err;

	vec_clear(&groups->groups);
	vec_clear(&groups->members);
	vec_clear(&groups->points);
	vec_clear(&groups->entries);
	vec_clear(&groups->creators);
	table_clear(&groups->by_hash);
	table_clear(&groups->entry_by_hash);
	table_clear(&groups->creator_by_hash);
	err = add_cohorts(groups, process_idx);
	if (!err)
		err = add_members(groups, process_idx);
	if (!err)
		err = leak_groups_judge(groups, process);
	return err;
}
