/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "record_sample.h"

#include <stdlib.h>
#include <string.h>

#include "birth_sample.h"
#include "unit.h"

#define LIBC "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define SERVER "/src/loiter/build/demo-server"
#define STEPS_C "/src/loiter/demo/steps.c"
#define SERVER_C "/src/loiter/demo/server.c"
#define LUA "/usr/bin/luajit"
#define KERNEL "[kernel]"
#define ARRAY_LEN(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define WINDOW_NS (RECORD_SAMPLE_WINDOW_S * SAMPLE_SECOND)
#define US 1000ull
#define MS 1000000ull

#define STARTED_BY_CLONE                                                                           \
	{ LIBC, 0x89134, "start_thread", 0x304, NULL, 0, false },                                  \
	{                                                                                          \
		LIBC, 0x1097dc, "__clone3", 0x2c, NULL, 0, false                                   \
	}

static const struct sample_frame cancel_frames[] = {
	{ LIBC, 0x885d8, "pthread_cond_wait@@GLIBC_2.3.2", 0x208, NULL, 0, false },
	{ SERVER, 0x3398, "wait_for_cancel", 0x48, STEPS_C, 75, false },
	{ SERVER, 0x35bc, "worker", 0x4c, STEPS_C, 209, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame take_frames[] = {
	{ LIBC, 0x885d8, "pthread_cond_wait@@GLIBC_2.3.2", 0x208, NULL, 0, false },
	{ SERVER, 0x4410, "queue_take", 0x30, SERVER_C, 310, true },
	{ SERVER, 0x4410, "serve", 0x60, SERVER_C, 344, false },
	STARTED_BY_CLONE,
};

/* As take_frames, but for a pc of libc that only verbose reports show. */
static const struct sample_frame take_again_frames[] = {
	{ LIBC, 0x885e4, "pthread_cond_wait@@GLIBC_2.3.2", 0x214, NULL, 0, false },
	{ SERVER, 0x4410, "queue_take", 0x30, SERVER_C, 310, true },
	{ SERVER, 0x4410, "serve", 0x60, SERVER_C, 344, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame put_frames[] = {
	{ LIBC, 0x87e10, "pthread_cond_signal@@GLIBC_2.3.2", 0x50, NULL, 0, false },
	{ SERVER, 0x4500, "queue_put", 0x40, SERVER_C, 322, false },
	{ SERVER, 0x4600, "accept_all", 0x90, SERVER_C, 371, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame lock_frames[] = {
	{ LIBC, 0x8d1b3, "pthread_mutex_lock@@GLIBC_2.2.5", 0x113, NULL, 0, false },
	{ SERVER, 0x3301, "log_line", 0x11, SERVER_C, 120, false },
	{ SERVER, 0x4480, "serve", 0xd0, SERVER_C, 352, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame unlock_frames[] = {
	{ LIBC, 0x8d9a0, "pthread_mutex_unlock@@GLIBC_2.2.5", 0x60, NULL, 0, false },
	{ SERVER, 0x3341, "log_line", 0x51, SERVER_C, 126, false },
	{ SERVER, 0x4480, "serve", 0xd0, SERVER_C, 352, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame accept_frames[] = {
	{ LIBC, 0x10a3f0, "accept4", 0x50, NULL, 0, false },
	{ SERVER, 0x45d0, "accept_all", 0x60, SERVER_C, 366, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame burn_frames[] = {
	{ SERVER, 0x3322, "eat_cpu", 0x82, STEPS_C, 134, false },
	{ SERVER, 0x4470, "serve", 0xc0, SERVER_C, 350, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame main_frames[] = {
	{ LIBC, 0x3d9a1, "sigwait", 0x61, NULL, 0, false },
	{ SERVER, 0x2a41, "main", 0x2c1, SERVER_C, 243, false },
	{ LIBC, 0x27305, "__libc_start_main@@GLIBC_2.34", 0x85, NULL, 0, false },
	{ SERVER, 0x2be1, "_start", 0x21, NULL, 0, false },
};

static const struct sample_frame lua_frames[] = {
	{ LIBC, 0xdb9a7, "nanosleep", 0x17, NULL, 0, false },
	{ LUA, 0x9100, "sleep;ms", 0x20, "/src/lua/sleep.c", 9, false },
	{ LUA, 0x7700, NULL, 0, NULL, 0, false },
};

#define ENTERED_BY_SYSCALL                                                                         \
	{ KERNEL, 0xffffffff81a30c1d, "do_syscall_64", 0x5d, NULL, 0, false },                     \
	{                                                                                          \
		KERNEL, 0xffffffff81c0012b, "entry_SYSCALL_64_after_hwframe", 0x76, NULL, 0, false \
	}

static const struct sample_frame futex_kernel_frames[] = {
	{ KERNEL, 0xffffffff811a4d38, "futex_do_wait", 0x38, NULL, 0, false },
	{ KERNEL, 0xffffffff811a5603, "__futex_wait", 0x93, NULL, 0, false },
	ENTERED_BY_SYSCALL,
};

static const struct sample_frame stop_kernel_frames[] = {
	{ KERNEL, 0xffffffff810b2c4e, "do_signal_stop", 0x14e, NULL, 0, false },
	{ KERNEL, 0xffffffff810b3a91, "get_signal", 0x2a1, NULL, 0, false },
	ENTERED_BY_SYSCALL,
};

static const struct sample_frame sleep_kernel_frames[] = {
	{ KERNEL, 0xffffffff81a3f1d2, "do_nanosleep", 0x62, NULL, 0, false },
	{ "[odd;module]", 0xffffffffc0371234, "hrtimer;nanosleep", 0x64, NULL, 0, false },
	{ KERNEL, 0xffffffff81003e54, NULL, 0, NULL, 0, false },
};

static const struct sample_frame wake_kernel_frames[] = {
	{ KERNEL, 0xffffffff811a4f10, "futex_wake", 0x80, NULL, 0, false },
	ENTERED_BY_SYSCALL,
};

struct model_span *sample_span(struct model *model, uint32_t thread,
			       const struct sample_span *sample)
{
	struct model_span *span = vec_push(&model->spans);
	uint64_t each_us = sample->cnt ? sample->total_ns / sample->cnt / US : 0;
	uint32_t bucket = 0;

	if (!span)
		abort();
	while (bucket + 1 < SPAN_HIST_CNT && each_us >> bucket)
		bucket++;
	span->total_ns = sample->total_ns;
	span->max_ns = sample->max_ns;
	span->cnt = sample->cnt;
	span->thread = thread;
	span->stack = sample->stack;
	span->kstack = MODEL_NONE;
	span->waker_stack = sample->waker ? sample->waker_stack : MODEL_NONE;
	span->waker = strpool_add(&model->strings, sample->waker);
	span->kind = (uint8_t)sample->kind;
	span->wait = (uint8_t)sample->wait;
	span->open = sample->open;
	span->hist[bucket] = (uint32_t)(sample->cnt - sample->cnt / 4 - sample->cnt / 8);
	span->hist[bucket + (bucket + 1 < SPAN_HIST_CNT)] += (uint32_t)(sample->cnt / 8);
	span->hist[bucket - (bucket > 0)] += (uint32_t)(sample->cnt / 4);
	return span;
}

static uint32_t add_thread(struct model *model, uint32_t process, uint32_t tid, const char *comm)
{
	struct model_thread *thread =
		sample_thread(model, process, tid, MODEL_NONE, WAIT_NONE, WINDOW_NS);

	thread->comm = strpool_add(&model->strings, comm);
	return model->threads.len - 1;
}

/* Five threads of step 5: they wait when the recording begins, and still when it ends. */
static void add_forever(struct model *model, uint32_t process)
{
	const struct sample_span forever = {
		.kind = SPAN_BLOCKED,
		.wait = WAIT_COND,
		.stack = sample_stack(model, process, cancel_frames, ARRAY_LEN(cancel_frames)),
		.total_ns = WINDOW_NS,
		.max_ns = WINDOW_NS,
		.cnt = 1,
		.open = true,
	};

	for (uint32_t i = 0; i < 5; i++)
		sample_span(model, add_thread(model, process, 73901 + i, "worker"), &forever);
}

/* Three threads that take jobs, and the one that gives them: queue, lock, CPU, run queue. */
static void add_servers(struct model *model, uint32_t process)
{
	uint32_t take = sample_stack(model, process, take_frames, ARRAY_LEN(take_frames));
	uint32_t again =
		sample_stack(model, process, take_again_frames, ARRAY_LEN(take_again_frames));
	uint32_t put = sample_stack(model, process, put_frames, ARRAY_LEN(put_frames));
	uint32_t lock = sample_stack(model, process, lock_frames, ARRAY_LEN(lock_frames));
	uint32_t unlock = sample_stack(model, process, unlock_frames, ARRAY_LEN(unlock_frames));
	uint32_t burn = sample_stack(model, process, burn_frames, ARRAY_LEN(burn_frames));

	for (uint32_t i = 0; i < 3; i++) {
		uint32_t thread = add_thread(model, process, 73910 + i, i ? "serve" : "server");
		const struct sample_span spans[] = {
			{ SPAN_BLOCKED, WAIT_COND, take, put, "accept", 7100 * MS + i, 65 * MS, 840,
			  false },
			{ SPAN_BLOCKED, WAIT_COND, again, put, "accept", 900 * MS, 1200 * MS, 3,
			  i == 1 },
			{ SPAN_BLOCKED, WAIT_MUTEX, lock, unlock, "serve", 64 * MS + 7, 2 * MS, 400,
			  false },
			{ SPAN_BLOCKED, WAIT_MUTEX, lock, unlock, "server", 12 * MS, 1 * MS, 90,
			  false },
			{ SPAN_RUN_QUEUE, WAIT_NONE, take, 0, NULL, 31 * MS + 400, 4 * MS, 843,
			  false },
			{ SPAN_RUN_QUEUE, WAIT_NONE, burn, 0, NULL, 3 * MS, 900 * US, 12, false },
			{ SPAN_ON_CPU, WAIT_NONE, burn, 0, NULL, 1800 * MS, 0, 178, false },
			{ SPAN_ON_CPU, WAIT_NONE, MODEL_NONE, 0, NULL, 89 * MS, 0, 0, false },
		};

		for (uint32_t j = 0; j < ARRAY_LEN(spans); j++)
			sample_span(model, thread, &spans[j]);
	}
}

static void add_acceptor(struct model *model, uint32_t process)
{
	uint32_t thread = add_thread(model, process, 73826, "accept");
	const struct sample_span spans[] = {
		{ SPAN_BLOCKED, WAIT_ACCEPT,
		  sample_stack(model, process, accept_frames, ARRAY_LEN(accept_frames)), MODEL_NONE,
		  "swapper/1", 9900 * MS, 410 * MS, 2520, false },
		{ SPAN_ON_CPU, WAIT_NONE,
		  sample_stack(model, process, put_frames, ARRAY_LEN(put_frames)), 0, NULL, 90 * MS,
		  0, 9, false },
	};

	for (uint32_t i = 0; i < ARRAY_LEN(spans); i++)
		sample_span(model, thread, &spans[i]);
}

static void add_server(struct model *model)
{
	uint32_t process = sample_process(model, SAMPLE_SERVER_TGID, "server", 93784);
	const struct sample_span signals = {
		.kind = SPAN_BLOCKED,
		.wait = WAIT_SIGNAL,
		.stack = sample_stack(model, process, main_frames, ARRAY_LEN(main_frames)),
		.total_ns = WINDOW_NS,
		.max_ns = WINDOW_NS,
		.cnt = 1,
		.open = true,
	};

	model_process(model, process)->exe = strpool_add(&model->strings, SERVER);
	sample_span(model, add_thread(model, process, SAMPLE_SERVER_TGID, "server"), &signals);
	add_acceptor(model, process);
	add_servers(model, process);
	add_forever(model, process);
}

/* Stacks that end early, a wait without a name, a waker that means harm, single ones of every
 * length. */
static void add_odd(struct model *model)
{
	uint32_t process = sample_process(model, 90, "lua;jit", 50);
	uint32_t thread = add_thread(model, process, 90, "lua;jit");
	uint32_t cut = sample_bad_stack(model, process, lua_frames, ARRAY_LEN(lua_frames),
					STACK_TRUNCATED, STACK_END_NO_CFI, 0);
	const struct sample_span spans[] = {
		{ SPAN_BLOCKED, WAIT_SLEEP, cut, cut, "\x1b[2J;evil", 5 * SAMPLE_SECOND,
		  SAMPLE_SECOND, 90000, false },
		{ SPAN_BLOCKED, WAIT_SYSCALL, MODEL_NONE, 0, NULL, 999, 999, 1, false },
		{ SPAN_BLOCKED, WAIT_NONE, cut, 0, NULL, 1499, 800, 2, false },
		{ SPAN_RUN_QUEUE, WAIT_NONE, cut, 0, NULL, 499, 200, 4, false },
		{ SPAN_ON_CPU, WAIT_NONE, cut, 0, NULL, 4 * SAMPLE_SECOND, 0, 1, false },
	};

	for (uint32_t i = 0; i < ARRAY_LEN(spans); i++) {
		struct model_span *span = sample_span(model, thread, &spans[i]);

		if (spans[i].wait == WAIT_SYSCALL)
			span->syscall = strpool_add(&model->strings, "keyctl");
		for (uint32_t j = 0; !i && j < SPAN_HIST_CNT; j++)
			span->hist[j] = 1u << j % 17;
	}
}

/* Gives the spans of @kind whose stack begins with @leaf, at @leaf_off of it, a kernel stack. */
static void add_kernel(struct model *model, enum span_kind kind, const char *leaf,
		       uint64_t leaf_off, uint32_t kstack)
{
	for (uint32_t i = 0; i < model->spans.len; i++) {
		struct model_span *span = model_span(model, i);
		const struct model_frame *frame;

		if (span->kind != kind || span->stack == MODEL_NONE)
			continue;
		frame = model_loc_frames(
			model, model_stack_loc(model, model_stack(model, span->stack), 0));
		if (!strcmp(model_str(model, frame->func), leaf) && frame->func_off == leaf_off)
			span->kstack = kstack;
	}
}

/* Some spans have kernel stacks; two that only verbose reports tell apart have different ones. */
static void add_kernels(struct model *model)
{
	uint32_t futex = sample_stack(model, MODEL_NONE, futex_kernel_frames,
				      ARRAY_LEN(futex_kernel_frames));
	uint32_t stop =
		sample_stack(model, MODEL_NONE, stop_kernel_frames, ARRAY_LEN(stop_kernel_frames));
	uint32_t sleep = sample_stack(model, MODEL_NONE, sleep_kernel_frames,
				      ARRAY_LEN(sleep_kernel_frames));
	uint32_t wake =
		sample_stack(model, MODEL_NONE, wake_kernel_frames, ARRAY_LEN(wake_kernel_frames));

	add_kernel(model, SPAN_BLOCKED, "pthread_cond_wait@@GLIBC_2.3.2", 0x208, futex);
	add_kernel(model, SPAN_BLOCKED, "pthread_cond_wait@@GLIBC_2.3.2", 0x214, stop);
	add_kernel(model, SPAN_BLOCKED, "pthread_mutex_lock@@GLIBC_2.2.5", 0x113, futex);
	add_kernel(model, SPAN_BLOCKED, "nanosleep", 0x17, sleep);
	add_kernel(model, SPAN_RUN_QUEUE, "pthread_cond_wait@@GLIBC_2.3.2", 0x208, futex);
	add_kernel(model, SPAN_ON_CPU, "pthread_cond_signal@@GLIBC_2.3.2", 0x50, wake);
}

/* Of threads in one group all are created alike, or some, or in one thread without a stack. */
static void add_births(struct model *model)
{
	struct sample_creator start = { SAMPLE_SERVER_TGID, 73899, "MHD-connection",
					sample_start_threads(model, 0) };
	const struct sample_creator server = { SAMPLE_SERVER_TGID, SAMPLE_SERVER_TGID, "server",
					       MODEL_NONE };
	const struct sample_creator shell = { 80, 80, "\x1b[2J;sh", MODEL_NONE };

	for (uint32_t i = 0; i < 5; i++) {
		start.tid = 73898 + i % 2;
		sample_birth(model, 73901 + i, &start);
	}
	sample_birth(model, 73826, &server);
	sample_birth(model, 73910, &server);
	sample_birth(model, 73911, &server);
	sample_birth(model, 90, &shell);
}

void record_sample_fill(struct model *model)
{
	sample_init(model);
	model->window_ns = WINDOW_NS;
	add_server(model);
	add_odd(model);
	add_births(model);
	add_kernels(model);
	model->losses[LOSS_STACKS_NO_CFI] = 1;
	if (model_sort(model))
		abort();
}
