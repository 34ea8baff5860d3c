/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What a run of leaks_take has counted, as the model's cohorts. */
#include "collect/leaks_run.h"

#include <errno.h>
#include <stdlib.h>

#include "proc/limits.h"
#include "unwind/arch.h"

#define LIMITED_MAX 1024 /* processes whose limits are read */

struct target *leaks_space(void *arg, uint32_t tgid, uint32_t i)
{
	struct leaks_run *run = arg;

	return book_space(&run->recording->book, tgid, i);
}

void leaks_close_space(void *arg, uint32_t tgid, uint32_t i)
{
	struct leaks_run *run = arg;

	book_close_space(&run->recording->book, tgid, i);
}

/* -- threads that their process ended with -- */

static int add_left(struct leaks_run *run, struct cohort_left *left)
{
	struct snapshot *snapshot = &run->recording->snapshot;
	const struct cohort_process *process = cohorts_process(&run->cohorts, left->thread.process);
	struct entry entry = left->entry;
	struct target *target;
	int err = recording_target(run->recording, process->tgid, process->start_ns, &entry.target);

	if (err)
		return err;
	target = snapshot_target(snapshot, entry.target);
	target->has_ended = true;
	entry.ended_ns = left->ended_ns - (snapshot->boot_ns - snapshot->mono_ns);
	entry.generation = target->generation;
	/* Where it was is known by its cohort. */
	entry.stack = entry.kstack = STACKSET_NONE;
	entry.was_walked = false;
	left->thread.entry = snapshot->entries.len;
	return vec_append(&snapshot->entries, &entry, 1);
}

int leaks_add_left(struct leaks_run *run)
{
	int err = 0;

	for (uint32_t i = 0; i < run->cohorts.left.len && !err; i++) {
		struct cohort_left *left = vec_at(&run->cohorts.left, i);

		if (left->has_entry)
			err = add_left(run, left);
	}
	/* Of others, of which no thread was seen, there may be stacks to be named. */
	for (uint32_t i = 0; i < run->cohorts.list.len && !err; i++) {
		uint32_t process_idx = cohorts_at(&run->cohorts, i)->key.process, target;
		const struct cohort_process *process;

		if (process_idx == COHORT_NONE)
			continue;
		process = cohorts_process(&run->cohorts, process_idx);
		err = recording_target(run->recording, process->tgid, process->start_ns, &target);
	}
	return err;
}

/* -- the model -- */

struct filling {
	struct leaks_run *run;
	struct model *model;
	const uint32_t *thread_of_entry;
	struct table process_by_tgid; /* -> index in the model */
	struct vec cohort_at;	      /* uint32_t: index in the model, by ours; MODEL_NONE */
};

/* Returns the model's process of @process, which is added when no thread of it was seen; MODEL_NONE
 * for want of room. */
static uint32_t model_process_of(struct filling *filling, uint32_t process_idx)
{
	struct leaks_run *run = filling->run;
	struct model *model = filling->model;
	const struct cohort_process *process = cohorts_process(&run->cohorts, process_idx);
	const struct snapshot *snapshot = &run->recording->snapshot;
	uint32_t idx, target;

	if (table_find(&filling->process_by_tgid, process->tgid, &idx))
		return idx;
	idx = model_add_process(model, process->tgid, process->start_ns);
	if (idx == MODEL_NONE || table_put(&filling->process_by_tgid, process->tgid, idx))
		return MODEL_NONE;
	model_process(model, idx)->comm = strpool_add(&model->strings, process->comm);
	model_process(model, idx)->has_ended = !process->alive_cnt;
	if (table_find(&snapshot->target_by_tgid, process->tgid, &target))
		model_process(model, idx)->exe =
			strpool_add(&model->strings, snapshot_target(snapshot, target)->exe);
	return idx;
}

static int index_processes(struct filling *filling)
{
	int err = 0;

	for (uint32_t i = 0; i < filling->model->processes.len && !err; i++)
		err = table_put(&filling->process_by_tgid, model_process(filling->model, i)->tgid,
				i);
	return err;
}

static uint32_t stack_to_model(struct filling *filling, uint32_t stack, uint32_t process)
{
	if (stack == COHORT_NONE)
		return MODEL_NONE;
	return book_stack_to_model(&filling->run->recording->book, stack, filling->model, process);
}

/* Whether there is anything to say of @cohort: threads have moved out of some. */
static bool is_empty(const struct cohort *cohort)
{
	return !cohort->alive_start && !cohort->born && !cohort->ended;
}

static int cohort_to_model(struct filling *filling, uint32_t cohort_idx)
{
	const struct cohort *cohort = cohorts_at(&filling->run->cohorts, cohort_idx);
	struct model *model = filling->model;
	uint32_t idx = MODEL_NONE, process;
	struct model_cohort *added;

	if (cohort_idx == COHORT_REST || is_empty(cohort))
		return vec_append(&filling->cohort_at, &idx, 1);
	process = model_process_of(filling, cohort->key.process);
	if (process == MODEL_NONE)
		return -ENOMEM;
	idx = model->cohorts.len;
	added = model_add_cohort(model, process);
	if (!added)
		return -ENOMEM;
	added->alive_start = cohort->alive_start;
	added->born = cohort->born;
	added->ended = cohort->ended;
	added->left = cohort->left - cohort->left_main;
	added->is_older = cohort->key.is_older;
	added->is_forked = cohort->key.is_forked;
	added->creator = stack_to_model(filling, cohort->key.creator, process);
	added->stack = stack_to_model(filling, cohort->key.place, process);
	if (cohort->syscall_nr >= 0)
		added->syscall =
			strpool_add(&model->strings, arch_syscall_name(cohort->syscall_nr));
	cohorts_points(&filling->run->cohorts, cohort, filling->run->end_boot_ns,
		       model_cohort_points(model, idx));
	return vec_append(&filling->cohort_at, &idx, 1);
}

static int birth_to_model(struct model *model, const struct cohort_thread *thread, uint32_t idx,
			  uint32_t creator_stack)
{
	struct model_birth *birth;

	if (!thread->creator_tid || model_thread(model, idx)->birth != MODEL_NONE)
		return 0;
	birth = model_add_birth(model, idx);
	if (!birth)
		return -ENOMEM;
	birth->creator_tid = thread->creator_tid;
	birth->creator_tgid = thread->creator_tgid;
	birth->creator_comm = strpool_add(&model->strings, thread->creator_comm);
	birth->stack = creator_stack;
	return 0;
}

static int thread_to_model(struct filling *filling, const struct cohort_thread *thread,
			   bool has_ended)
{
	struct model *model = filling->model;
	uint32_t idx =
		thread->entry == COHORT_NONE ? MODEL_NONE : filling->thread_of_entry[thread->entry];
	uint32_t cohort = *(uint32_t *)vec_at(&filling->cohort_at, thread->cohort);
	struct model_thread *told;

	if (idx == MODEL_NONE || cohort == MODEL_NONE)
		return 0;
	told = model_thread(model, idx);
	told->cohort = cohort;
	told->watched_ns = thread->seen_ns - thread->place_ns;
	told->watched_runs = thread->seen_runs - thread->place_runs;
	told->has_moved = thread->has_moved;
	if (has_ended) {
		told->stack = model_cohort(model, cohort)->stack;
		model_process(model, told->process)->has_ended = true;
	}
	return birth_to_model(model, thread, idx, model_cohort(model, cohort)->creator);
}

static int threads_to_model(struct filling *filling)
{
	const struct cohorts *cohorts = &filling->run->cohorts;
	int err = 0;

	for (uint32_t i = 0; i < cohorts->threads.len && !err; i++)
		err = thread_to_model(filling, cohorts_thread(cohorts, i), false);
	for (uint32_t i = 0; i < cohorts->left.len && !err; i++) {
		const struct cohort_left *left = vec_at(&cohorts->left, i);

		err = thread_to_model(filling, &left->thread, true);
	}
	return err;
}

/* -- limits -- */

static int limit_to_model(struct model *model, uint32_t process, const struct thread_limit *limit)
{
	static const enum limit_kind kinds[] = {
		[THREAD_LIMIT_OF_USER] = LIMIT_NPROC,
		[THREAD_LIMIT_OF_CGROUP] = LIMIT_PIDS_MAX,
		[THREAD_LIMIT_OF_KERNEL] = LIMIT_THREADS,
		[THREAD_LIMIT_OF_PIDS] = LIMIT_PID_MAX,
	};
	struct model_limit *added = vec_push(&model->limits);

	if (!added)
		return -errno;
	added->process = process;
	added->kind = (uint8_t)kinds[limit->of];
	added->max = limit->max;
	added->used = limit->used;
	added->name = strpool_add(&model->strings, limit->name);
	return 0;
}

static int limits_to_model(struct model *model)
{
	struct limits limits;
	struct vec found;
	int err = 0;

	limits_init(&limits, "/proc");
	vec_init(&found, sizeof(struct thread_limit), LIMITS_MAX);
	for (uint32_t i = 0; i < model->processes.len && i < LIMITED_MAX && !err; i++) {
		if (model_process(model, i)->has_ended)
			continue;
		vec_clear(&found);
		/* A process that ends meanwhile has none. */
		limits_read(&limits, (pid_t)model_process(model, i)->tgid, &found);
		for (uint32_t j = 0; j < found.len && !err; j++)
			err = limit_to_model(model, i, vec_at(&found, j));
	}
	vec_release(&found);
	limits_release(&limits);
	return err;
}

/* Of a program that was started, nothing is older than loiter. */
static void note_births(const struct leaks_run *run, struct model *model)
{
	for (uint32_t i = 0; i < model->processes.len; i++)
		model_process(model, i)->from_birth = run->recording->options->child != NULL;
}

static void describe_window(const struct leaks_run *run, struct model *model)
{
	const struct cohorts *cohorts = &run->cohorts;
	uint32_t points[COHORT_STEP_CNT + 1];

	model->watch_ns =
		run->end_boot_ns > run->start_boot_ns ? run->end_boot_ns - run->start_boot_ns : 1;
	model->point_ns = cohorts->step_ns;
	model->point_cnt =
		cohorts_points(cohorts, cohorts_at(cohorts, COHORT_REST), run->end_boot_ns, points);
	model->folded_born = cohorts->folded_born;
	model->folded_ended = cohorts->folded_ended;
	model->losses[LOSS_COHORTS_OVER_MAX] += cohorts->over_max;
	model->losses[LOSS_BIRTHS_UNSEEN] += cohorts->unseen_births;
	model->losses[LOSS_ENDS_UNSEEN] += cohorts->unseen_ends;
	model->losses[LOSS_BIRTHS_NO_STACK] += cohorts->no_stack_births;
}

int leaks_to_model(void *arg, struct model *model, const uint32_t *thread_of_entry)
{
	struct leaks_run *run = arg;
	struct filling filling = { .run = run, .model = model, .thread_of_entry = thread_of_entry };
	int err;

	table_init(&filling.process_by_tgid, COHORT_PROCESS_MAX);
	vec_init(&filling.cohort_at, sizeof(uint32_t), COHORT_MAX);
	describe_window(run, model);
	err = index_processes(&filling);
	for (uint32_t i = 0; i < run->cohorts.list.len && !err; i++)
		err = cohort_to_model(&filling, i);
	if (!err)
		err = threads_to_model(&filling);
	note_births(run, model);
	if (!err)
		err = limits_to_model(model);
	vec_release(&filling.cohort_at);
	table_release(&filling.process_by_tgid);
	return err;
}
