/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "futex_sample.h"

#include <stdio.h>
#include <stdlib.h>

#include "record_sample.h"
#include "unit.h"

#define LIBC "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define SERVER "/src/loiter/build/demo-server"
#define STEPS_C "/src/loiter/demo/steps.c"
#define SERVER_C "/src/loiter/demo/server.c"
#define ARRAY_LEN(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define WINDOW_NS (RECORD_SAMPLE_WINDOW_S * SAMPLE_SECOND)
#define US 1000ull
#define MS 1000000ull

#define LOG_LOCK 0x55d1c0de4080
#define CANCEL_COND 0x55d1c0de4038
#define QUEUE_COND 0x55d1c1a002c8

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
	{ LIBC, 0x885d8, "pthread_cond_timedwait@@GLIBC_2.3.2", 0x208, NULL, 0, false },
	{ SERVER, 0x4410, "queue_take", 0x30, SERVER_C, 310, true },
	{ SERVER, 0x4410, "serve", 0x60, SERVER_C, 344, false },
	STARTED_BY_CLONE,
};

/* As take_frames, but for a pc of libc that only verbose reports show. */
static const struct sample_frame take_again_frames[] = {
	{ LIBC, 0x885e4, "pthread_cond_timedwait@@GLIBC_2.3.2", 0x214, NULL, 0, false },
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

static const struct sample_frame unlock_frames[] = {
	{ LIBC, 0x8d9a0, "pthread_mutex_unlock@@GLIBC_2.2.5", 0x60, NULL, 0, false },
	{ SERVER, 0x3341, "log_line", 0x51, SERVER_C, 126, false },
	{ SERVER, 0x4480, "serve", 0xd0, SERVER_C, 352, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame odd_frames[] = {
	{ "/usr/bin/luajit", 0x9100, "sleep;ms", 0x20, "/src/lua/sleep.c", 9, false },
	{ "/usr/bin/luajit", 0x7700, NULL, 0, NULL, 0, false },
};

void sample_futex(struct model *model, const struct model_futex *sample, const char *name)
{
	struct model_futex *futex = vec_push(&model->futexes);

	if (!futex)
		abort();
	*futex = *sample;
	futex->name = strpool_add(&model->strings, name);
}

/* The stack of a lock taken by caller @i of log_line. */
static uint32_t lock_stack(struct model *model, uint32_t process, uint32_t i)
{
	char caller[16];
	struct sample_frame frames[] = {
		{ LIBC, 0x8d1b3, "pthread_mutex_lock@@GLIBC_2.2.5", 0x113, NULL, 0, false },
		{ SERVER, 0x3301, "log_line", 0x11, SERVER_C, 120, false },
		{ SERVER, 0x4480 + i * 16ull, caller, 0xd0, SERVER_C, 352 + i, false },
		STARTED_BY_CLONE,
	};

	snprintf(caller, sizeof(caller), "serve_%u", i);
	return sample_stack(model, process, frames, ARRAY_LEN(frames));
}

static void add_lock(struct model *model, uint32_t process)
{
	struct model_futex wait = {
		.addr = LOG_LOCK, .process = process, .kind = FUTEX_WAITS, .wait = WAIT_MUTEX
	};
	struct model_futex wake = { .addr = LOG_LOCK,
				    .process = process,
				    .cnt = 4023,
				    .woken_cnt = 3990,
				    .nobody_cnt = 33,
				    .kind = FUTEX_WAKES };

	for (uint32_t i = 0; i < 7; i++) {
		wait.stack = lock_stack(model, process, i);
		wait.cnt = 500 + i;
		wait.total_ns = (wait.cnt << i) * 310 * US;
		wait.max_ns = (20 + i) * MS;
		wait.changed_cnt = i * 3;
		wait.open_cnt = i == 6;
		sample_futex(model, &wait, "log_lock");
	}
	wake.stack = sample_stack(model, process, unlock_frames, ARRAY_LEN(unlock_frames));
	sample_futex(model, &wake, "log_lock");
	wake.stack = MODEL_NONE;
	wake.cnt = wake.nobody_cnt = 1;
	wake.woken_cnt = 0;
	sample_futex(model, &wake, "log_lock");
}

static void add_conds(struct model *model, uint32_t process)
{
	struct model_futex wait = {
		.addr = CANCEL_COND,
		.process = process,
		.cnt = 5,
		.total_ns = 5 * WINDOW_NS,
		.max_ns = WINDOW_NS,
		.open_cnt = 5,
		.stack = sample_stack(model, process, cancel_frames, ARRAY_LEN(cancel_frames)),
		.kind = FUTEX_WAITS,
		.wait = WAIT_COND,
	};

	sample_futex(model, &wait, "cancel_cond+0x28");
	wait = (struct model_futex){
		.addr = QUEUE_COND,
		.process = process,
		.cnt = 2520,
		.total_ns = 21300 * MS + 1,
		.max_ns = 65 * MS,
		.timeout_cnt = 3,
		.interrupted_cnt = 1,
		.failed_cnt = 1,
		.stack = sample_stack(model, process, take_frames, ARRAY_LEN(take_frames)),
		.kind = FUTEX_WAITS,
		.wait = WAIT_COND,
	};
	sample_futex(model, &wait, "heap");
	wait.stack = sample_stack(model, process, take_again_frames, ARRAY_LEN(take_again_frames));
	wait.cnt = 9;
	wait.total_ns = 2700 * MS;
	wait.max_ns = 1200 * MS;
	sample_futex(model, &wait, "heap");
	wait = (struct model_futex){
		.addr = QUEUE_COND,
		.process = process,
		.cnt = 2520,
		.woken_cnt = 2520,
		.stack = sample_stack(model, process, put_frames, ARRAY_LEN(put_frames)),
		.kind = FUTEX_WAKES,
	};
	sample_futex(model, &wait, "heap");
}

/* One futex for each kind of call, and one that is only woken. */
static void add_kinds(struct model *model, uint32_t process)
{
	uint32_t take = sample_stack(model, process, take_frames, ARRAY_LEN(take_frames));
	uint32_t put = sample_stack(model, process, put_frames, ARRAY_LEN(put_frames));

	for (uint32_t kind = FUTEX_WAITS; kind <= FUTEX_MOVES; kind++) {
		bool waits = futex_kind_waits((uint8_t)kind);
		struct model_futex futex = { .addr = 0x55d1c1a00400 + (waits ? 64ull : 0),
					     .process = process,
					     .cnt = kind,
					     .total_ns = waits ? kind * 1500 * US : 0,
					     .max_ns = waits ? 1500 * US : 0,
					     .stack = waits ? take : put,
					     .kind = (uint8_t)kind,
					     .wait = waits ? WAIT_FUTEX : WAIT_NONE };

		if (kind == FUTEX_WAKES || kind == FUTEX_WAKES_OP)
			futex.woken_cnt = kind - 4;
		if (kind == FUTEX_MOVES) {
			futex.woken_cnt = 1;
			futex.moved_cnt = 6;
			futex.nobody_cnt = 1;
			futex.changed_cnt = 2;
		}
		sample_futex(model, &futex, NULL);
	}
}

static void add_server(struct model *model)
{
	uint32_t process = sample_process(model, SAMPLE_SERVER_TGID, "server", 93784);
	struct model_thread *thread =
		sample_thread(model, process, SAMPLE_SERVER_TGID, MODEL_NONE, WAIT_NONE, WINDOW_NS);

	thread->comm = strpool_add(&model->strings, "server");
	sample_span(model, model->threads.len - 1,
		    &(struct sample_span){ .kind = SPAN_BLOCKED,
					   .wait = WAIT_SIGNAL,
					   .stack = MODEL_NONE,
					   .total_ns = WINDOW_NS,
					   .max_ns = WINDOW_NS,
					   .cnt = 1,
					   .open = true });
	add_conds(model, process);
	add_lock(model, process);
	add_kinds(model, process);
}

/* The same address stands for another futex in another process, and for two when it is shared with
 * others at one time and not at another. */
static void add_odd(struct model *model)
{
	uint32_t process = sample_process(model, 90, "lua;jit", 50);
	struct model_futex wait = {
		.addr = LOG_LOCK,
		.process = process,
		.cnt = 1,
		.total_ns = 700,
		.max_ns = 700,
		.stack = sample_bad_stack(model, process, odd_frames, ARRAY_LEN(odd_frames),
					  STACK_TRUNCATED, STACK_END_NO_CFI, 0),
		.kind = FUTEX_WAITS,
		.wait = WAIT_FUTEX,
		.is_shared = true,
	};

	sample_thread(model, process, 90, MODEL_NONE, WAIT_NONE, WINDOW_NS)->comm =
		strpool_add(&model->strings, "lua;jit");
	sample_futex(model, &wait, "/dev/shm/\x1b[2J;evil\xff");
	wait.stack = MODEL_NONE;
	wait.total_ns = 900;
	wait.is_shared = false;
	sample_futex(model, &wait, "stack of thread 90");
}

void futex_sample_fill(struct model *model)
{
	sample_init(model);
	model->window_ns = WINDOW_NS;
	model->has_futexes = true;
	add_server(model);
	add_odd(model);
	model->losses[LOSS_FUTEXES_NO_STACK] = 2;
	if (model_sort(model))
		abort();
}
