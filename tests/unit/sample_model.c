/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "sample_model.h"

#include <string.h>

#include "unit.h"

#define SECOND_NS 1000000000ULL

static uint32_t add_loc(struct model *model, uint32_t process, uint64_t pc, bool exact,
			const char *const *funcs, uint32_t func_cnt)
{
	uint32_t idx = model_intern_loc(model, process, 0, pc, exact);
	struct model_frame frames[4];

	/* Padding too: tests compare whole elements. */
	memset(frames, 0, sizeof(frames));
	for (uint32_t i = 0; i < func_cnt; i++) {
		bool inlined = i + 1 < func_cnt;

		frames[i].func_off = inlined ? 0 : 0x48 + i;
		frames[i].module_off = pc & 0xfffff;
		frames[i].func = strpool_add(&model->strings, funcs[i]);
		frames[i].file = strpool_add(&model->strings, "/src/demo/steps.c");
		frames[i].module = strpool_add(
			&model->strings, process == MODEL_NONE ? "[kernel]" : "/usr/bin/server");
		frames[i].line = 100 + i;
		frames[i].inlined = inlined;
		frames[i].kernel = process == MODEL_NONE;
	}
	assert_int_equal(model_set_loc_frames(model, idx, frames, func_cnt), 0);
	return idx;
}

static struct model_thread *add_thread(struct model *model, uint32_t process, uint32_t tid,
				       const char *comm, uint32_t stack)
{
	struct model_thread *thread = model_add_thread(model, process, tid);

	assert_non_null(thread);
	thread->start_ns = (3000 + tid) * SECOND_NS;
	thread->comm = strpool_add(&model->strings, comm);
	thread->stack = stack;
	thread->state = THREAD_BLOCKED;
	thread->run_cnt = tid * 3;
	thread->age_ns = tid * SECOND_NS;
	return thread;
}

/* The server's threads: two alike, one each of the odd ones. */
static void add_server(struct model *model, uint32_t process)
{
	static const char *const leaf[] = { "futex_wait", "pthread_cond_wait", "wait_for_cancel" };
	static const char *const root[] = { "worker(std::vector<int>&)" };
	static const char *const kernel[] = { "futex_wait_queue" };
	uint32_t locs[] = { add_loc(model, process, 0x55d1c0de1048, true, leaf, 3),
			    add_loc(model, process, 0x55d1c0de2010, false, root, 1) };
	uint32_t kernel_loc = add_loc(model, MODEL_NONE, 0xffffffff81234567, true, kernel, 1);
	uint32_t whole = model_intern_stack(model, locs, 2, STACK_COMPLETE, STACK_END_ROOT, 0);
	uint32_t guessed = model_intern_stack(model, locs, 2, STACK_GUESSED, STACK_END_NO_CFI, 1);
	uint32_t in_kernel =
		model_intern_stack(model, &kernel_loc, 1, STACK_COMPLETE, STACK_END_ROOT, 0);
	struct model_thread *thread;

	for (uint32_t tid = 314; tid < 316; tid++) {
		thread = add_thread(model, process, tid, "worker-3", whole);
		thread->kstack = in_kernel;
		thread->wait = WAIT_COND;
		thread->syscall = strpool_add(&model->strings, "futex");
		thread->object = strpool_add(&model->strings, "futex 0x55d1c0de4010 (cond+0x28)");
	}
	thread = add_thread(model, process, 317, "poll\"er\n", guessed);
	thread->wait = WAIT_SELECT;
	thread->has_timeout = true;
	thread->timeout_left_ns = -5;
	thread = add_thread(model, process, 301, "server", MODEL_NONE);
	thread->state = THREAD_RUNNING;
	thread->wait = WAIT_RUNNING;
	thread->age_ns = 0;
	thread->raced = true;
}

static void add_other(struct model *model, uint32_t process)
{
	static const char *const nameless[] = { NULL };
	uint32_t loc = add_loc(model, process, 0x7f0000001000, true, nameless, 1);
	uint32_t cut = model_intern_stack(model, &loc, 1, STACK_TRUNCATED, STACK_END_BAD_FRAME, 0);
	struct model_thread *thread;

	thread = add_thread(model, process, 21, "other", cut);
	thread->wait = WAIT_READ;
	thread->syscall = strpool_add(&model->strings, "read");
	thread = add_thread(model, process, 23, "other", MODEL_NONE);
	thread->state = THREAD_ZOMBIE;
	thread->wait = WAIT_ZOMBIE;
	thread = add_thread(model, process, 22, "other", cut);
	thread->wait = WAIT_SYSCALL;
	thread->syscall = strpool_add(&model->strings, "landlock_create_ruleset");
}

void sample_model(struct model *model)
{
	static const struct {
		uint32_t tgid;
		const char *comm, *exe;
	} processes[] = { { 301, "server", "/usr/bin/server" }, { 21, "other", "/bin/other" } };

	model_init(model);
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t idx = model_add_process(model, processes[i].tgid, (i + 1) * SECOND_NS);

		model_process(model, idx)->comm = strpool_add(&model->strings, processes[i].comm);
		model_process(model, idx)->exe = strpool_add(&model->strings, processes[i].exe);
	}
	add_server(model, 0);
	add_other(model, 1);
	assert_int_equal(model_sort(model), 0);

	model->wall_ns = 1795451447123000000ULL;
	model->boot_ns = 7777 * SECOND_NS;
	model->utc_offset_s = -12600;
	model->loiter_version = strpool_add(&model->strings, "0.1");
	model->host = strpool_add(&model->strings, "host");
	model->kernel = strpool_add(&model->strings, "6.1.0");
	model->losses[LOSS_THREADS_RACED] = 1;
	model->losses[LOSS_CNT - 1] = 3;
	model->strings.lost_cnt = 2;
}

/* Adds a span of thread @thread with a value of its own in every field. */
static void add_span(struct model *model, uint32_t thread, enum span_kind kind, uint32_t stack)
{
	struct model_span *span = vec_push(&model->spans);

	assert_non_null(span);
	span->total_ns = (thread + 1) * SECOND_NS + 1;
	span->max_ns = SECOND_NS;
	span->cnt = thread + 3;
	span->thread = thread;
	span->stack = stack;
	span->kstack = kind == SPAN_BLOCKED ? 2 : MODEL_NONE;
	span->waker_stack = kind == SPAN_BLOCKED ? 1 : MODEL_NONE;
	span->waker = kind == SPAN_BLOCKED ? strpool_add(&model->strings, "waker") : 0;
	span->syscall = strpool_add(&model->strings, "futex");
	span->kind = (uint8_t)kind;
	span->wait = kind == SPAN_BLOCKED ? WAIT_COND : WAIT_NONE;
	span->open = thread % 2;
	for (uint32_t i = 0; i < SPAN_HIST_CNT; i++)
		span->hist[i] = i * 7 + thread + 1;
}

static void add_mapping(struct model *model, uint32_t process, uint64_t start_addr,
			const char *path, const char *build_id)
{
	struct model_mapping *mapping = vec_push(&model->mappings);

	assert_non_null(mapping);
	mapping->start_addr = start_addr;
	mapping->end_addr = start_addr + 0x3000;
	mapping->file_off = 0x1000;
	mapping->process = process;
	mapping->path = strpool_add(&model->strings, path);
	mapping->build_id = strpool_add(&model->strings, build_id);
}

static void add_birth(struct model *model, uint32_t thread, uint32_t creator_tid, uint32_t stack)
{
	struct model_birth *birth = model_add_birth(model, thread);

	assert_non_null(birth);
	birth->creator_tid = creator_tid;
	birth->creator_tgid = creator_tid - 1;
	birth->creator_comm = strpool_add(&model->strings, "maker");
	birth->stack = stack;
}

/* Adds futex calls with a value of its own in every field. */
static void add_futex(struct model *model, uint32_t process, enum futex_kind kind, uint32_t stack)
{
	struct model_futex *futex = vec_push(&model->futexes);
	uint64_t *const fields[] = { &futex->addr,
				     &futex->cnt,
				     &futex->total_ns,
				     &futex->max_ns,
				     &futex->timeout_cnt,
				     &futex->changed_cnt,
				     &futex->interrupted_cnt,
				     &futex->failed_cnt,
				     &futex->woken_cnt,
				     &futex->moved_cnt,
				     &futex->nobody_cnt };

	assert_non_null(futex);
	for (uint32_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		*fields[i] = (kind + 1) * 100 + i;
	futex->open_cnt = kind;
	futex->process = process;
	futex->name = strpool_add(&model->strings, "lock+0x8");
	futex->stack = stack;
	futex->kind = (uint8_t)kind;
	futex->wait = kind == FUTEX_WAITS ? WAIT_MUTEX : WAIT_NONE;
	futex->is_shared = kind != FUTEX_WAITS;
}

void sample_recording(struct model *model)
{
	sample_model(model);
	model->window_ns = 10 * SECOND_NS + 123;
	for (uint32_t thread = 0; thread < model->threads.len; thread++) {
		add_span(model, thread, SPAN_BLOCKED, 0);
		add_span(model, thread, SPAN_RUN_QUEUE, 0);
		add_span(model, thread, SPAN_ON_CPU, MODEL_NONE);
	}
	add_birth(model, 2, 4711, MODEL_NONE);
	add_birth(model, 1, 301, 0);
	add_mapping(model, 1, 0x55d1c0de0000, "/usr/bin/server", "b0a7");
	add_mapping(model, 0, 0x7f0000000000, "/lib/libodd.so", NULL);
	add_futex(model, 0, FUTEX_WAITS, 0);
	add_futex(model, 1, FUTEX_MOVES, MODEL_NONE);
	model->has_futexes = true;
	assert_int_equal(model_sort(model), 0);
}

/* Adds a cohort with a value of its own in every field. */
static void add_cohort(struct model *model, uint32_t process, uint32_t creator, uint32_t stack)
{
	struct model_cohort *cohort = model_add_cohort(model, process);
	uint32_t idx = model->cohorts.len - 1;

	assert_non_null(cohort);
	cohort->alive_start = 10 + idx;
	cohort->born = 7;
	cohort->ended = 3;
	cohort->left = 2;
	cohort->creator = creator;
	cohort->stack = stack;
	cohort->syscall = strpool_add(&model->strings, "futex");
	cohort->wait = WAIT_COND;
	cohort->is_older = idx == 0;
	cohort->is_forked = idx == 1;
	for (uint32_t i = 0; i < model->point_cnt; i++)
		model_cohort_points(model, idx)[i] = 10 + i;
}

void sample_leaks(struct model *model)
{
	struct model_limit *limit;

	sample_model(model);
	model->watch_ns = 10 * SECOND_NS + 123;
	model->point_ns = 3 * SECOND_NS;
	model->point_cnt = 5;
	model->folded_born = 11;
	model->folded_ended = 12;
	add_cohort(model, 0, MODEL_NONE, 0);
	add_cohort(model, 1, 1, MODEL_NONE);
	for (uint32_t i = 0; i < model->threads.len; i++) {
		struct model_thread *thread = model_thread(model, i);

		thread->cohort = i % 3 == 2 ? MODEL_NONE : thread->process;
		thread->watched_ns = i * SECOND_NS;
		thread->watched_runs = i;
		thread->has_moved = i % 2;
	}
	model_process(model, 0)->has_ended = true;
	model_process(model, 1)->from_birth = true;
	limit = vec_push(&model->limits);
	assert_non_null(limit);
	limit->max = 512;
	limit->used = 12;
	limit->process = 1;
	limit->name = strpool_add(&model->strings, "docker/4711");
	limit->kind = LIMIT_PIDS_MAX;
	assert_int_equal(model_sort(model), 0);
}
