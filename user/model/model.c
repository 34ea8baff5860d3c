/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "model/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void model_init(struct model *model)
{
	*model = (struct model){ 0 };
	strpool_init(&model->strings);
	vec_init(&model->processes, sizeof(struct model_process), MODEL_THREAD_MAX);
	vec_init(&model->threads, sizeof(struct model_thread), MODEL_THREAD_MAX);
	vec_init(&model->stacks, sizeof(struct model_stack), MODEL_THREAD_MAX);
	vec_init(&model->stack_locs, sizeof(uint32_t), MODEL_LOC_MAX);
	vec_init(&model->locs, sizeof(struct model_loc), MODEL_LOC_MAX);
	vec_init(&model->spans, sizeof(struct model_span), MODEL_SPAN_MAX);
	vec_init(&model->frames, sizeof(struct model_frame), MODEL_LOC_MAX);
	vec_init(&model->births, sizeof(struct model_birth), MODEL_THREAD_MAX);
	vec_init(&model->futexes, sizeof(struct model_futex), MODEL_SPAN_MAX);
	vec_init(&model->mappings, sizeof(struct model_mapping), MODEL_LOC_MAX);
	vec_init(&model->cohorts, sizeof(struct model_cohort), MODEL_COHORT_MAX);
	vec_init(&model->cohort_points, sizeof(uint32_t),
		 MODEL_COHORT_MAX * MODEL_COHORT_POINT_MAX);
	vec_init(&model->limits, sizeof(struct model_limit), MODEL_THREAD_MAX);
	table_init(&model->indices.process_by_tgid, MODEL_THREAD_MAX);
	table_init(&model->indices.loc_by_pc, MODEL_LOC_MAX);
	table_init(&model->indices.loc_by_code, MODEL_LOC_MAX);
	table_init(&model->indices.first_loc, MODEL_THREAD_MAX + 1);
	table_init(&model->indices.last_loc, MODEL_THREAD_MAX + 1);
	vec_init(&model->indices.next_loc, sizeof(uint32_t), MODEL_LOC_MAX);
	table_init(&model->stack_by_hash, MODEL_THREAD_MAX);
}

static void release_indices(struct model_indices *indices)
{
	table_release(&indices->process_by_tgid);
	table_release(&indices->loc_by_pc);
	table_release(&indices->loc_by_code);
	table_release(&indices->first_loc);
	table_release(&indices->last_loc);
	vec_release(&indices->next_loc);
}

void model_release(struct model *model)
{
	strpool_release(&model->strings);
	vec_release(&model->processes);
	vec_release(&model->threads);
	vec_release(&model->stacks);
	vec_release(&model->stack_locs);
	vec_release(&model->locs);
	vec_release(&model->frames);
	vec_release(&model->spans);
	vec_release(&model->births);
	vec_release(&model->futexes);
	vec_release(&model->mappings);
	vec_release(&model->cohorts);
	vec_release(&model->cohort_points);
	vec_release(&model->limits);
	release_indices(&model->indices);
	table_release(&model->stack_by_hash);
}

uint32_t model_add_process(struct model *model, uint32_t tgid, uint64_t start_ns)
{
	struct model_process *process = vec_push(&model->processes);
	uint32_t idx = model->processes.len - 1;

	if (!process)
		return MODEL_NONE;
	process->tgid = tgid;
	process->start_ns = start_ns;
	if (model_find_process(model, tgid) == MODEL_NONE &&
	    table_put(&model->indices.process_by_tgid, tgid, idx)) {
		model->processes.len--;
		return MODEL_NONE;
	}
	return idx;
}

uint32_t model_find_process(const struct model *model, uint32_t tgid)
{
	uint32_t idx;

	return table_find(&model->indices.process_by_tgid, tgid, &idx) ? idx : MODEL_NONE;
}

struct model_thread *model_add_thread(struct model *model, uint32_t process, uint32_t tid)
{
	struct model_thread *thread = vec_push(&model->threads);

	if (!thread) {
		model->losses[LOSS_THREADS_OVER_MAX]++;
		return NULL;
	}
	thread->process = process;
	thread->tid = tid;
	thread->stack = thread->kstack = thread->birth = thread->cohort = MODEL_NONE;
	return thread;
}

struct model_birth *model_add_birth(struct model *model, uint32_t thread)
{
	struct model_birth *birth = vec_push(&model->births);

	if (!birth)
		return NULL;
	birth->thread = thread;
	birth->stack = MODEL_NONE;
	model_thread(model, thread)->birth = model->births.len - 1;
	return birth;
}

struct model_cohort *model_add_cohort(struct model *model, uint32_t process)
{
	uint32_t first = model->cohort_points.len, zero = 0;
	struct model_cohort *cohort;

	for (uint32_t i = 0; i < model->point_cnt; i++)
		if (vec_append(&model->cohort_points, &zero, 1))
			goto lost;
	cohort = vec_push(&model->cohorts);
	if (!cohort)
		goto lost;
	cohort->process = process;
	cohort->creator = cohort->stack = MODEL_NONE;
	return cohort;
lost:
	model->cohort_points.len = first;
	return NULL;
}

/* Puts loc @idx behind the others of its process. Returns 0, -E2BIG or -ENOMEM. */
static int chain_loc(struct model *model, uint32_t process, uint32_t idx)
{
	uint32_t none = MODEL_NONE, last;
	bool is_first = !table_find(&model->indices.last_loc, process, &last);
	int err = vec_append(&model->indices.next_loc, &none, 1);

	if (err)
		return err;
	if (is_first)
		err = table_put(&model->indices.first_loc, process, idx);
	if (!err)
		err = table_put(&model->indices.last_loc, process, idx);
	if (!err) {
		if (!is_first)
			*(uint32_t *)vec_at(&model->indices.next_loc, last) = idx;
		return 0;
	}
	if (is_first)
		table_remove(&model->indices.first_loc, process);
	model->indices.next_loc.len--;
	return err;
}

uint32_t model_first_loc(const struct model *model, uint32_t process)
{
	uint32_t first;

	return table_find(&model->indices.first_loc, process, &first) ? first : MODEL_NONE;
}

uint32_t model_next_loc(const struct model *model, uint32_t loc)
{
	return *(uint32_t *)vec_at(&model->indices.next_loc, loc);
}

uint32_t model_intern_loc(struct model *model, uint32_t process, uint32_t code, uint64_t pc,
			  bool exact)
{
	uint64_t hash = hash_mix(hash_mix(hash_mix(process, pc), exact), code);
	struct model_loc *loc;
	uint32_t idx;

	for (; table_find(&model->indices.loc_by_pc, hash, &idx); hash++) {
		loc = model_loc(model, idx);
		if (loc->pc == pc && loc->process == process && loc->code == code &&
		    loc->exact == exact)
			return idx;
	}
	idx = model->locs.len;
	loc = vec_push(&model->locs);
	if (!loc)
		return MODEL_NONE;
	*loc = (struct model_loc){ .pc = pc, .process = process, .code = code, .exact = exact };
	if (chain_loc(model, process, idx)) {
		model->locs.len--;
		return MODEL_NONE;
	}
	/* Without it, the same pc only is another loc when it comes again. */
	table_put(&model->indices.loc_by_pc, hash, idx);
	return idx;
}

static bool stack_equals(const struct model *model, const struct model_stack *stack,
			 const uint32_t *locs, const struct model_stack *wanted)
{
	return stack->loc_cnt == wanted->loc_cnt && stack->quality == wanted->quality &&
	       stack->end == wanted->end && stack->guessed_idx == wanted->guessed_idx &&
	       (!wanted->loc_cnt || !memcmp(vec_at(&model->stack_locs, stack->first_loc), locs,
					    wanted->loc_cnt * sizeof(locs[0])));
}

uint32_t model_intern_stack(struct model *model, const uint32_t *locs, uint32_t loc_cnt,
			    enum stack_quality quality, enum stack_end end, uint16_t guessed_idx)
{
	struct model_stack wanted = { .first_loc = model->stack_locs.len,
				      .loc_cnt = loc_cnt,
				      .quality = (uint8_t)quality,
				      .end = (uint8_t)end,
				      .guessed_idx = guessed_idx };
	uint64_t hash = hash_mix(hash_mix(loc_cnt, quality), hash_mix(end, guessed_idx));
	struct model_stack *stack;
	uint32_t idx;

	for (uint32_t i = 0; i < loc_cnt; i++)
		hash = hash_mix(hash, locs[i]);
	for (; table_find(&model->stack_by_hash, hash, &idx); hash++)
		if (stack_equals(model, model_stack(model, idx), locs, &wanted))
			return idx;

	idx = model->stacks.len;
	if (vec_append(&model->stack_locs, locs, loc_cnt))
		goto lost;
	stack = vec_push(&model->stacks);
	if (!stack)
		goto lost_locs;
	*stack = wanted;
	if (table_put(&model->stack_by_hash, hash, idx))
		goto lost_stack;
	return idx;

lost_stack:
	model->stacks.len--;
lost_locs:
	model->stack_locs.len -= loc_cnt;
lost:
	model->losses[LOSS_STACKS_OVER_MAX]++;
	return MODEL_NONE;
}

static uint64_t code_key(const struct model_loc *loc)
{
	return hash_mix(hash_mix(loc->pc, loc->code), loc->exact);
}

int model_set_loc_frames(struct model *model, uint32_t loc_idx, const struct model_frame *frames,
			 uint32_t cnt)
{
	struct model_loc *loc = model_loc(model, loc_idx);
	uint32_t first = model->frames.len;
	int err = vec_append(&model->frames, frames, cnt);

	if (err)
		return err;
	loc->first_frame = first;
	loc->frame_cnt = cnt;
	/* To share them is a saving only. */
	if (loc->code)
		table_put(&model->indices.loc_by_code, code_key(loc), loc_idx);
	return 0;
}

bool model_share_frames(struct model *model, uint32_t loc_idx)
{
	struct model_loc *loc = model_loc(model, loc_idx);
	const struct model_loc *other;
	uint32_t idx;

	if (!loc->code || !table_find(&model->indices.loc_by_code, code_key(loc), &idx))
		return false;
	other = model_loc(model, idx);
	if (other->pc != loc->pc || other->code != loc->code || other->exact != loc->exact)
		return false;
	loc->first_frame = other->first_frame;
	loc->frame_cnt = other->frame_cnt;
	return true;
}

static int compare_process_refs(const void *a, const void *b)
{
	const struct model_process *x = *(const struct model_process *const *)a;
	const struct model_process *y = *(const struct model_process *const *)b;

	return (x->tgid > y->tgid) - (x->tgid < y->tgid);
}

static int compare_thread_refs(const void *a, const void *b)
{
	const struct model_thread *x = *(const struct model_thread *const *)a;
	const struct model_thread *y = *(const struct model_thread *const *)b;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* Puts the processes in order and renumbers every reference to them. */
static int sort_processes(struct model *model)
{
	uint32_t cnt = model->processes.len;
	struct model_process *processes = model->processes.data;
	struct model_process **refs = calloc(cnt, sizeof(*refs));
	struct model_process *sorted = calloc(cnt, sizeof(*sorted));
	uint32_t *new_idx = calloc(cnt, sizeof(*new_idx));
	int err = -ENOMEM;

	if (!refs || !sorted || !new_idx)
		goto out;
	for (uint32_t i = 0; i < cnt; i++)
		refs[i] = &processes[i];
	qsort(refs, cnt, sizeof(refs[0]), compare_process_refs);
	for (uint32_t i = 0; i < cnt; i++) {
		new_idx[refs[i] - processes] = i;
		sorted[i] = *refs[i];
	}
	memcpy(processes, sorted, cnt * sizeof(*sorted));
	for (uint32_t i = 0; i < model->threads.len; i++)
		model_thread(model, i)->process = new_idx[model_thread(model, i)->process];
	for (uint32_t i = 0; i < model->locs.len; i++)
		if (model_loc(model, i)->process != MODEL_NONE)
			model_loc(model, i)->process = new_idx[model_loc(model, i)->process];
	for (uint32_t i = 0; i < model->mappings.len; i++)
		model_mapping(model, i)->process = new_idx[model_mapping(model, i)->process];
	for (uint32_t i = 0; i < model->futexes.len; i++)
		model_futex(model, i)->process = new_idx[model_futex(model, i)->process];
	for (uint32_t i = 0; i < model->cohorts.len; i++)
		model_cohort(model, i)->process = new_idx[model_cohort(model, i)->process];
	for (uint32_t i = 0; i < model->limits.len; i++) {
		struct model_limit *limit = vec_at(&model->limits, i);

		limit->process = new_idx[limit->process];
	}
	err = 0;
out:
	free(refs);
	free(sorted);
	free(new_idx);
	return err;
}

/* Puts the threads in order and renumbers the spans and births, which refer to them. */
static int sort_threads(struct model *model)
{
	uint32_t cnt = model->threads.len;
	struct model_thread **refs = calloc(cnt, sizeof(*refs));
	struct model_thread *sorted = calloc(cnt, sizeof(*sorted));
	uint32_t *new_idx = calloc(cnt, sizeof(*new_idx));
	int err = -ENOMEM;

	if (!refs || !sorted || !new_idx)
		goto out;
	for (uint32_t i = 0; i < cnt; i++)
		refs[i] = model_thread(model, i);
	qsort(refs, cnt, sizeof(refs[0]), compare_thread_refs);
	for (uint32_t i = 0; i < cnt; i++) {
		new_idx[refs[i] - model_thread(model, 0)] = i;
		sorted[i] = *refs[i];
	}
	memcpy(model->threads.data, sorted, cnt * sizeof(*sorted));
	for (uint32_t i = 0; i < model->spans.len; i++)
		model_span(model, i)->thread = new_idx[model_span(model, i)->thread];
	for (uint32_t i = 0; i < model->births.len; i++) {
		struct model_birth *birth = vec_at(&model->births, i);

		birth->thread = new_idx[birth->thread];
	}
	err = 0;
out:
	free(refs);
	free(sorted);
	free(new_idx);
	return err;
}

/* Returns whether @mapping is below (-1) or above (1) @addr of @process, or covers it (0). */
static int compare_mapping(const struct model_mapping *mapping, uint32_t process, uint64_t addr)
{
	if (mapping->process != process)
		return mapping->process < process ? -1 : 1;
	if (addr >= mapping->end_addr)
		return -1;
	return addr < mapping->start_addr;
}

static int compare_mappings(const void *a, const void *b)
{
	const struct model_mapping *x = a, *y = b;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return (x->start_addr > y->start_addr) - (x->start_addr < y->start_addr);
}

int model_sort(struct model *model)
{
	int err = model->processes.len ? sort_processes(model) : 0;

	if (!err && model->threads.len)
		err = sort_threads(model);
	if (err)
		return err;
	if (model->mappings.len)
		qsort(model->mappings.data, model->mappings.len, sizeof(struct model_mapping),
		      compare_mappings);
	release_indices(&model->indices);
	for (uint32_t i = 0; i < model->locs.len; i++)
		model_loc(model, i)->code = 0;
	for (uint32_t i = 0; i < model->processes.len; i++)
		model_process(model, i)->thread_cnt = 0;
	for (uint32_t i = 0; i < model->threads.len; i++) {
		struct model_process *process =
			model_process(model, model_thread(model, i)->process);

		if (!process->thread_cnt++)
			process->first_thread = i;
	}
	return 0;
}

/* Whether the frames of @loc, if any, are of the file of @mapping: another one may have been there
 * before. */
static bool loc_is_of(const struct model *model, const struct model_loc *loc,
		      const struct model_mapping *mapping)
{
	return !loc->frame_cnt || model_loc_frames(model, loc)->module == mapping->path;
}

uint32_t model_find_mapping(const struct model *model, const struct model_loc *loc)
{
	uint32_t low = 0, high = model->mappings.len;
	uint64_t addr = model_loc_addr(loc);

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = compare_mapping(model_mapping(model, mid), loc->process, addr);

		if (!order)
			return loc_is_of(model, loc, model_mapping(model, mid)) ? mid : MODEL_NONE;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return MODEL_NONE;
}
