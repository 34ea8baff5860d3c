/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "leak_sample.h"

#include <stdlib.h>

#include "birth_sample.h"
#include "unit.h"

#define LIBC "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define MHD "/usr/lib/x86_64-linux-gnu/libmicrohttpd.so.12"
#define SERVER "/src/loiter/build/demo-server"
#define BATCH "/opt/batch/bin/batch"
#define STEPS_C "/src/loiter/demo/steps.c"
#define SERVER_C "/src/loiter/demo/server.c"
#define JOBS_C "/opt/batch/src/jobs.c"
#define ARRAY_LEN(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define POINT_NS (5 * SAMPLE_SECOND)

#define STARTED_BY_CLONE                                                                           \
	{ LIBC, 0x89134, "start_thread", 0x304, NULL, 0, false },                                  \
	{                                                                                          \
		LIBC, 0x1097dc, "__clone3", 0x2c, NULL, 0, false                                   \
	}
#define THROUGH_PTHREAD                                                                            \
	{ LIBC, 0x1097d9, "__clone3", 0x29, NULL, 0, false },                                      \
		{ LIBC, 0x88e6e, "create_thread", 0xae, NULL, 0, false },                          \
	{                                                                                          \
		LIBC, 0x8993d, "pthread_create@@GLIBC_2.34", 0x76d, NULL, 0, false                 \
	}

static const struct sample_frame cancel_frames[] = {
	{ LIBC, 0x885d8, "pthread_cond_wait@@GLIBC_2.3.2", 0x208, NULL, 0, false },
	{ SERVER, 0x3398, "wait_for_cancel", 0x48, STEPS_C, 75, false },
	{ SERVER, 0x35bc, "worker", 0x4c, STEPS_C, 209, false },
	STARTED_BY_CLONE,
};

/* As cancel_frames, but for an instruction of the same line. */
static const struct sample_frame cancel_again_frames[] = {
	{ LIBC, 0x885d8, "pthread_cond_wait@@GLIBC_2.3.2", 0x208, NULL, 0, false },
	{ SERVER, 0x33a0, "wait_for_cancel", 0x50, STEPS_C, 75, false },
	{ SERVER, 0x35bc, "worker", 0x4c, STEPS_C, 209, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame recv_frames[] = {
	{ LIBC, 0x10a5f4, "recv", 0x64, NULL, 0, false },
	{ MHD, 0x18d17, NULL, 0, NULL, 0, false },
	{ MHD, 0x1204b, NULL, 0, NULL, 0, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame accept_frames[] = {
	THROUGH_PTHREAD,
	{ MHD, 0x14a07, NULL, 0, NULL, 0, false },
	{ MHD, 0x14d51, NULL, 0, NULL, 0, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame main_frames[] = {
	{ LIBC, 0x3d9a1, "sigwait", 0x61, NULL, 0, false },
	{ SERVER, 0x2a41, "main", 0x2c1, SERVER_C, 243, false },
	{ LIBC, 0x2724a, "__libc_start_call_main", 0x7a, NULL, 0, false },
};

static const struct sample_frame pool_frames[] = {
	{ LIBC, 0x88600, "sem_wait@@GLIBC_2.34", 0x10, NULL, 0, false },
	{ SERVER, 0x5100, "log_writer", 0x30, SERVER_C, 402, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame fork_frames[] = {
	{ LIBC, 0xd5c31, "_Fork", 0x21, NULL, 0, false },
	{ LIBC, 0xd5e4a, "__libc_fork", 0x5a, NULL, 0, false },
	{ SERVER, 0x4900, "run_hook", 0x20, SERVER_C, 430, false },
	{ SERVER, 0x2a90, "main", 0x310, SERVER_C, 250, false },
	{ LIBC, 0x2724a, "__libc_start_call_main", 0x7a, NULL, 0, false },
};

/* -- batch -- */

static const struct sample_frame start_job_frames[] = {
	THROUGH_PTHREAD,
	{ BATCH, 0x1200, "start_job", 0x40, JOBS_C, 92, false },
	{ BATCH, 0x1300, "main", 0x80, JOBS_C, 120, false },
	{ LIBC, 0x2724a, "__libc_start_call_main", 0x7a, NULL, 0, false },
};

static const struct sample_frame stuck_job_frames[] = {
	{ LIBC, 0x10a5f4, "recv", 0x64, NULL, 0, false },
	{ BATCH, 0x1400, "await_reply", 0x18, JOBS_C, 44, false },
	{ BATCH, 0x1500, "job_main", 0x28, JOBS_C, 70, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame start_poller_frames[] = {
	THROUGH_PTHREAD,
	{ BATCH, 0x1600, "watch_file", 0x44, JOBS_C, 140, false },
	{ BATCH, 0x1300, "main", 0x90, JOBS_C, 122, false },
	{ LIBC, 0x2724a, "__libc_start_call_main", 0x7a, NULL, 0, false },
};

static const struct sample_frame poller_frames[] = {
	{ LIBC, 0xfa9ef, "__poll", 0x4f, NULL, 0, false },
	{ BATCH, 0x1700, "watcher", 0x12, JOBS_C, 151, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame start_spinner_frames[] = {
	THROUGH_PTHREAD,
	{ BATCH, 0x1800, "start_spinner", 0x22, JOBS_C, 160, false },
	{ BATCH, 0x1300, "main", 0xa0, JOBS_C, 124, false },
};

static const struct sample_frame timer_frames[] = {
	THROUGH_PTHREAD,
	{ LIBC, 0x8f200, "timer_helper_thread", 0x120, NULL, 0, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame hostile_frames[] = {
	{ LIBC, 0xfa9ef, "__poll", 0x4f, NULL, 0, false },
	{ "/tmp/\x1b[2Jlib\nevil.so", 0x1100, "f;\x1b]0;owned\x07\n", 0x10, "/tmp/a:b\r\xff.c", 7,
	  false },
};

/* -- making it -- */

/* What a cohort has, beside its threads. */
struct counts {
	uint64_t alive_start, born, ended, left;
	uint32_t points[LEAK_SAMPLE_POINT_CNT];
};

static struct model_cohort *add_cohort(struct model *model, uint32_t process, uint32_t creator,
				       uint32_t stack, enum wait_kind wait,
				       const struct counts *counts)
{
	struct model_cohort *cohort = model_add_cohort(model, process);

	if (!cohort)
		abort();
	cohort->alive_start = counts->alive_start;
	cohort->born = counts->born;
	cohort->ended = counts->ended;
	cohort->left = counts->left;
	cohort->creator = creator;
	cohort->stack = stack;
	cohort->wait = (uint8_t)wait;
	for (uint32_t i = 0; i < LEAK_SAMPLE_POINT_CNT; i++)
		model_cohort_points(model, model->cohorts.len - 1)[i] = counts->points[i];
	return cohort;
}

/* Adds a thread of the cohort that was added last, blocked there for @age_s, which ran @runs times
 * in @watched_s. */
static struct model_thread *add_member(struct model *model, uint32_t process, uint32_t tid,
				       uint64_t age_s, uint64_t watched_s, uint64_t runs)
{
	const struct model_cohort *cohort = model_cohort(model, model->cohorts.len - 1);
	struct model_thread *thread = sample_thread(model, process, tid, cohort->stack,
						    cohort->wait, age_s * SAMPLE_SECOND);

	thread->cohort = model->cohorts.len - 1;
	thread->watched_ns = watched_s * SAMPLE_SECOND;
	thread->watched_runs = runs;
	return thread;
}

static void add_birth(struct model *model, uint32_t creator_tgid, uint32_t creator_tid)
{
	const struct model_cohort *cohort = model_cohort(model, model->cohorts.len - 1);
	const struct sample_creator creator = { creator_tgid, creator_tid, "maker",
						cohort->creator };

	sample_birth(model, model_thread(model, model->threads.len - 1)->tid, &creator);
}

static uint32_t main_stack(struct model *model, uint32_t process)
{
	return sample_stack(model, process, main_frames, ARRAY_LEN(main_frames));
}

static void add_leak(struct model *model, uint32_t server)
{
	static const struct counts older = { .alive_start = 10,
					     .points = { 10, 10, 10, 10, 10, 10, 10 } };
	static const struct counts born = { .born = 140,
					    .points = { 0, 25, 50, 75, 100, 120, 140 } };
	static const struct counts again = { .born = 10, .points = { 0, 0, 0, 0, 0, 5, 10 } };
	uint32_t place = sample_stack(model, server, cancel_frames, ARRAY_LEN(cancel_frames));
	uint32_t place_again =
		sample_stack(model, server, cancel_again_frames, ARRAY_LEN(cancel_again_frames));
	uint32_t creator = sample_start_threads(model, server);

	add_cohort(model, server, MODEL_NONE, place, WAIT_COND, &older)->is_older = true;
	for (uint32_t i = 0; i < 10; i++)
		add_member(model, server, 73901 + i, 7200 - i, 27, 0);
	add_cohort(model, server, creator, place, WAIT_COND, &born);
	for (uint32_t i = 0; i < 140; i++) {
		add_member(model, server, 74101 + 2 * i, i / 5, i / 5 > 2 ? i / 5 - 2 : 0, i == 7);
		add_birth(model, SAMPLE_SERVER_TGID, 74100 + i / 70);
	}
	add_cohort(model, server, creator, place_again, WAIT_COND, &again);
	for (uint32_t i = 0; i < 10; i++) {
		add_member(model, server, 74501 + i, 0, 0, 0);
		add_birth(model, SAMPLE_SERVER_TGID, 74500);
	}
}

static void add_server(struct model *model)
{
	static const struct counts connections = {
		.alive_start = 0, .born = 32, .ended = 30, .points = { 0, 2, 1, 2, 2, 1, 2 }
	};
	static const struct counts unseen = { .born = 400, .ended = 400 };
	static const struct counts one = { .alive_start = 1, .points = { 1, 1, 1, 1, 1, 1, 1 } };
	static const struct counts pool = { .alive_start = 4,
					    .ended = 1,
					    .points = { 4, 4, 4, 3, 3, 3, 3 } };
	static const struct counts hooks = { .born = 12,
					     .ended = 11,
					     .points = { 0, 1, 1, 0, 1, 1, 1 } };
	uint32_t server = sample_process(model, SAMPLE_SERVER_TGID, "server", 93784);
	uint32_t hook = sample_process(model, 75000, "hook", 2);
	uint32_t accept = sample_stack(model, server, accept_frames, ARRAY_LEN(accept_frames));
	uint32_t recv = sample_stack(model, server, recv_frames, ARRAY_LEN(recv_frames));

	model_process(model, server)->exe = strpool_add(&model->strings, SERVER);
	add_leak(model, server);
	add_cohort(model, server, accept, recv, WAIT_RECV, &connections);
	for (uint32_t i = 0; i < 2; i++) {
		add_member(model, server, 74601 + i, 1, 0, 0);
		add_birth(model, SAMPLE_SERVER_TGID, 73826);
	}
	add_cohort(model, server, accept, MODEL_NONE, WAIT_NONE, &unseen);
	add_cohort(model, server, MODEL_NONE, main_stack(model, server), WAIT_SIGNAL, &one)
		->is_older = true;
	add_member(model, server, SAMPLE_SERVER_TGID, 93783, 27, 0);
	add_cohort(model, server, MODEL_NONE,
		   sample_stack(model, server, pool_frames, ARRAY_LEN(pool_frames)), WAIT_SEM,
		   &pool)
		->is_older = true;
	for (uint32_t i = 0; i < 3; i++)
		add_member(model, server, 73830 + i, i, 27, 40 * i);
	add_cohort(model, server, sample_stack(model, server, fork_frames, ARRAY_LEN(fork_frames)),
		   main_stack(model, hook), WAIT_SIGNAL, &hooks)
		->is_forked = true;
	add_member(model, hook, 75000, 1, 0, 0);
	add_birth(model, SAMPLE_SERVER_TGID, SAMPLE_SERVER_TGID);
}

static void add_batch(struct model *model)
{
	static const struct counts stuck = { .alive_start = 0,
					     .born = 30,
					     .points = { 0, 5, 10, 15, 20, 25, 30 } };
	static const struct counts jobs = {
		.alive_start = 0, .born = 30000, .ended = 29996, .points = { 0, 5, 3, 4, 6, 3, 4 }
	};
	static const struct counts before = { .alive_start = 3, .ended = 3, .points = { 3 } };
	static const struct counts pollers = { .born = 12, .points = { 0, 2, 4, 6, 8, 10, 12 } };
	static const struct counts spinners = { .born = 20,
						.ended = 2,
						.points = { 0, 2, 5, 8, 11, 15, 18 } };
	static const struct counts timers = { .born = 60, .ended = 60 };
	uint32_t batch = sample_process(model, 4242, "batch", 40);
	uint32_t start_job =
		sample_stack(model, batch, start_job_frames, ARRAY_LEN(start_job_frames));
	struct model_thread *thread;

	add_cohort(model, batch, start_job,
		   sample_stack(model, batch, stuck_job_frames, ARRAY_LEN(stuck_job_frames)),
		   WAIT_RECV, &stuck);
	for (uint32_t i = 0; i < 30; i++) {
		add_member(model, batch, 5000 + 7 * i, i, i > 2 ? i - 2 : 0, 0);
		add_birth(model, 4242, 4242);
	}
	add_cohort(model, batch, start_job, MODEL_NONE, WAIT_NONE, &jobs);
	for (uint32_t i = 0; i < 4; i++) {
		thread = add_member(model, batch, 6000 + i, 0, 0, 0);
		thread->state = THREAD_RUNNING;
		add_birth(model, 4242, 4242);
	}
	add_cohort(model, batch, MODEL_NONE, MODEL_NONE, WAIT_NONE, &before)->is_older = true;
	add_cohort(model, batch,
		   sample_stack(model, batch, start_poller_frames, ARRAY_LEN(start_poller_frames)),
		   sample_stack(model, batch, poller_frames, ARRAY_LEN(poller_frames)), WAIT_SELECT,
		   &pollers);
	for (uint32_t i = 0; i < 12; i++) {
		thread = add_member(model, batch, 7000 + i, 0, 2 * i, 2 * i);
		thread->age_ns = 400000000;
		thread->has_timeout = i != 5;
		thread->timeout_left_ns = 600000000;
		add_birth(model, 4242, 4242);
	}
	add_cohort(model, batch,
		   sample_stack(model, batch, start_spinner_frames,
				ARRAY_LEN(start_spinner_frames)),
		   MODEL_NONE, WAIT_NONE, &spinners);
	for (uint32_t i = 0; i < 18; i++) {
		thread = add_member(model, batch, 8000 + i, 0, i, 100);
		thread->state = THREAD_RUNNING;
		add_birth(model, 4242, 4242);
	}
	add_cohort(model, batch, sample_stack(model, batch, timer_frames, ARRAY_LEN(timer_frames)),
		   MODEL_NONE, WAIT_NONE, &timers);
}

/* Adds a process of a program that was started, which has ended with threads of its own. */
static void add_ended(struct model *model)
{
	static const struct counts left = {
		.born = 3, .ended = 1, .left = 2, .points = { 0, 3, 2, 2, 2, 2, 2 }
	};
	static const struct counts unknown = { .born = 1, .left = 1, .points = { 0, 1, 1, 1 } };
	static const struct counts forked = { .born = 1, .ended = 1 };
	uint32_t process = sample_process(model, 99, "e\x1b[2J;vil", 20);

	model_process(model, process)->has_ended = true;
	model_process(model, process)->from_birth = true;
	add_cohort(model, process, MODEL_NONE,
		   sample_bad_stack(model, process, hostile_frames, ARRAY_LEN(hostile_frames),
				    STACK_TRUNCATED, STACK_END_UNREADABLE, 0),
		   WAIT_SELECT, &left);
	add_member(model, process, 101, 3, 2, 0);
	add_birth(model, 99, 99);
	add_cohort(model, process, MODEL_NONE, MODEL_NONE, WAIT_NONE, &unknown);
	add_cohort(model, process, MODEL_NONE, MODEL_NONE, WAIT_NONE, &forked)->is_forked = true;
}

/* Adds processes of which nothing is to be said, where there are others. */
static void add_quiet(struct model *model)
{
	static const struct counts gone = { .born = 2, .ended = 2 };
	static const struct counts one = { .alive_start = 1, .points = { 1, 1, 1, 1, 1, 1, 1 } };
	static const struct counts three = { .alive_start = 3, .points = { 3, 3, 3, 3, 3, 3, 3 } };
	uint32_t quiet = sample_process(model, 90000, "quiet", 1000);

	add_cohort(model, quiet, MODEL_NONE, main_stack(model, quiet), WAIT_SIGNAL, &one)
		->is_older = true;
	add_member(model, quiet, 90000, 999, 27, 0)->has_moved = true; /* to where it rests */
	add_cohort(model, quiet, MODEL_NONE,
		   sample_stack(model, quiet, recv_frames, ARRAY_LEN(recv_frames)), WAIT_RECV,
		   &three)
		->is_older = true;
	for (uint32_t i = 0; i < 3; i++)
		add_member(model, quiet, 90001 + i, 1, 0, 0)->has_moved = i != 1;
	quiet = sample_process(model, 98, "gone", 10);
	model_process(model, quiet)->has_ended = true;
	model_process(model, quiet)->from_birth = true;
	add_cohort(model, quiet, MODEL_NONE, MODEL_NONE, WAIT_NONE, &gone);
}

static void add_limit(struct model *model, uint32_t process, enum limit_kind kind, uint64_t max,
		      uint64_t used, const char *name)
{
	struct model_limit *limit = vec_push(&model->limits);

	if (!limit)
		abort();
	limit->process = process;
	limit->kind = (uint8_t)kind;
	limit->max = max;
	limit->used = used;
	limit->name = strpool_add(&model->strings, name);
}

void leak_sample_fill(struct model *model)
{
	sample_init(model);
	model->watch_ns = LEAK_SAMPLE_WINDOW_S * SAMPLE_SECOND;
	model->point_ns = POINT_NS;
	model->point_cnt = LEAK_SAMPLE_POINT_CNT;
	model->folded_born = 1234;
	model->folded_ended = 1234;
	add_server(model);
	add_batch(model);
	add_ended(model);
	add_quiet(model);
	add_limit(model, 0, LIMIT_NPROC, 63432, 400, NULL);
	add_limit(model, 0, LIMIT_PIDS_MAX, 9480, 172, "system.slice/demo\x1b.service");
	add_limit(model, 0, LIMIT_THREADS, 127000, 900, NULL);
	model->losses[LOSS_BIRTHS_UNSEEN] = 1;
	model->losses[LOSS_ENDS_UNSEEN] = 2;
	model->losses[LOSS_COHORTS_OVER_MAX] = 3;
	model->losses[LOSS_BIRTHS_NO_STACK] = 5;
	if (model_sort(model))
		abort();
}

/* -- two dumps -- */

static void fill_dump(struct model *model, uint64_t later_s, uint32_t worker_cnt,
		      uint32_t connection_cnt)
{
	uint32_t server, cancel, recv;

	sample_init(model);
	model->wall_ns += later_s * SAMPLE_SECOND;
	model->boot_ns += later_s * SAMPLE_SECOND;
	server = sample_process(model, SAMPLE_SERVER_TGID, "server", 93784 + later_s);
	cancel = sample_stack(model, server, cancel_frames, ARRAY_LEN(cancel_frames));
	recv = sample_stack(model, server, recv_frames, ARRAY_LEN(recv_frames));
	for (uint32_t i = 0; i < worker_cnt; i++)
		sample_thread(model, server, 73901 + i, cancel, WAIT_COND,
			      (i < 10 ? 7200 - i + later_s : 60) * SAMPLE_SECOND);
	for (uint32_t i = 0; i < connection_cnt; i++)
		sample_thread(model, server, 74301 + i, recv, WAIT_RECV, SAMPLE_SECOND)->run_cnt =
			7 + later_s;
	sample_thread(model, server, SAMPLE_SERVER_TGID, main_stack(model, server), WAIT_SIGNAL,
		      (93783 + later_s) * SAMPLE_SECOND);
	if (model_sort(model))
		abort();
}

void leak_sample_fill_before(struct model *model)
{
	fill_dump(model, 0, 10, 6);
}

void leak_sample_fill_after(struct model *model)
{
	fill_dump(model, 3600, 25, 2);
}
