/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "report_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "birth_sample.h"
#include "pprof_text.h"
#include "unit.h"

#define LIBC "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define MHD "/usr/lib/x86_64-linux-gnu/libmicrohttpd.so.12"
#define SERVER "/src/loiter/build/demo-server"
#define ODD "/opt/odd/bin/odd"
#define EVIL "/tmp/\x1b[2Jlib\nevil.so"
#define KERNEL "[kernel]"
#define STEPS_C "/src/loiter/demo/steps.c"
#define SERVER_C "/src/loiter/demo/server.c"
#define ARRAY_LEN(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

#define SAMPLE_WALL_NS 1795447847123000000ull /* 2026-11-23T15:30:47.123Z */
#define SAMPLE_BOOT_NS (5 * 86400 * SAMPLE_SECOND)

void sample_init(struct model *model)
{
	model_init(model);
	model->wall_ns = SAMPLE_WALL_NS;
	model->boot_ns = SAMPLE_BOOT_NS;
	model->utc_offset_s = 3600;
	model->loiter_version = strpool_add(&model->strings, "0.1");
	model->host = strpool_add(&model->strings, "db7");
	model->kernel = strpool_add(&model->strings, "6.1.0-28-amd64");
}

uint32_t sample_process(struct model *model, uint32_t tgid, const char *comm, uint64_t age_s)
{
	uint32_t idx = model_add_process(model, tgid, model->boot_ns - age_s * SAMPLE_SECOND);

	model_process(model, idx)->comm = strpool_add(&model->strings, comm);
	return idx;
}

/* Gives each module an address of its own. */
static uint64_t module_base(const char *module)
{
	uint64_t base = 0x7f0000000000;

	for (const char *at = module; *at; at++)
		base += (unsigned char)*at * 0x1000ull;
	return base;
}

static uint64_t sample_pc(const struct sample_frame *frame)
{
	if (!frame->module || !strcmp(frame->module, KERNEL))
		return frame->module_off;
	return module_base(frame->module) + frame->module_off;
}

void sample_mapping(struct model *model, uint32_t process, const char *module, uint64_t bytes,
		    const char *build_id)
{
	struct model_mapping *mapping = vec_push(&model->mappings);

	if (!mapping)
		abort();
	mapping->start_addr = module_base(module) + 0x1000;
	mapping->end_addr = mapping->start_addr + bytes;
	mapping->file_off = 0x1000;
	mapping->process = process;
	mapping->path = strpool_add(&model->strings, module);
	mapping->build_id = strpool_add(&model->strings, build_id);
}

static struct model_frame sample_model_frame(struct model *model, const struct sample_frame *frame,
					     bool kernel)
{
	bool has_module = frame->module && strcmp(frame->module, KERNEL) != 0;

	return (struct model_frame){
		.func_off = frame->inlined ? 0 : frame->func_off,
		.module_off = frame->module_off,
		.func = strpool_add(&model->strings, frame->func),
		.file = strpool_add(&model->strings, frame->file),
		.module = has_module ? strpool_add(&model->strings, frame->module) : 0,
		.line = frame->line,
		.inlined = frame->inlined,
		.kernel = kernel,
	};
}

uint32_t sample_bad_stack(struct model *model, uint32_t process, const struct sample_frame *frames,
			  uint32_t cnt, enum stack_quality quality, enum stack_end end,
			  uint16_t guessed_idx)
{
	uint32_t locs[MODEL_STACK_MAX], loc_cnt = 0;

	for (uint32_t i = 0, first = 0; i < cnt; i++) {
		struct model_frame at_pc[8];
		uint32_t loc;

		if (frames[i].inlined)
			continue;
		for (uint32_t j = first; j <= i; j++)
			at_pc[j - first] =
				sample_model_frame(model, &frames[j], process == MODEL_NONE);
		loc = model_intern_loc(model, process, 0, sample_pc(&frames[i]), !loc_cnt);
		if (!model_loc(model, loc)->frame_cnt && (frames[i].module || frames[i].func) &&
		    model_set_loc_frames(model, loc, at_pc, i + 1 - first))
			abort();
		locs[loc_cnt++] = loc;
		first = i + 1;
	}
	return model_intern_stack(model, locs, loc_cnt, quality, end, guessed_idx);
}

uint32_t sample_stack(struct model *model, uint32_t process, const struct sample_frame *frames,
		      uint32_t cnt)
{
	return sample_bad_stack(model, process, frames, cnt, STACK_COMPLETE, STACK_END_ROOT, 0);
}

struct model_thread *sample_thread(struct model *model, uint32_t process, uint32_t tid,
				   uint32_t stack, enum wait_kind wait, uint64_t age_ns)
{
	struct model_thread *thread = model_add_thread(model, process, tid);

	if (!thread)
		abort();
	thread->stack = stack;
	thread->state = THREAD_BLOCKED;
	thread->wait = (uint8_t)wait;
	thread->age_ns = age_ns;
	thread->run_cnt = 1;
	thread->start_ns = model->boot_ns - age_ns - 3000000;
	thread->comm = model_process(model, process)->comm;
	return thread;
}

static void set_object(struct model *model, struct model_thread *thread, const char *object)
{
	thread->object = strpool_add(&model->strings, object);
}

static void set_comm(struct model *model, struct model_thread *thread, const char *comm)
{
	thread->comm = strpool_add(&model->strings, comm);
}

/* -- the demo server: four requests at step 5, and others of its ills -- */

#define STARTED_BY_CLONE                                                                           \
	{ LIBC, 0x89134, "start_thread", 0x304, NULL, 0, false },                                  \
	{                                                                                          \
		LIBC, 0x1097dc, "__clone3", 0x2c, NULL, 0, false                                   \
	}

static const struct sample_frame cond_frames[] = {
	{ LIBC, 0x85f16, NULL, 0, NULL, 0, false },
	{ LIBC, 0x885d8, "pthread_cond_wait@@GLIBC_2.3.2", 0x208, NULL, 0, false },
	{ SERVER, 0x3398, "wait_for_cancel", 0x48, STEPS_C, 75, false },
	{ SERVER, 0x35bc, "worker", 0x4c, STEPS_C, 209, false },
	STARTED_BY_CLONE,
};

/* As cond_frames, but for a pc of libc that only verbose reports show. */
static const struct sample_frame cond_again_frames[] = {
	{ LIBC, 0x85f2c, NULL, 0, NULL, 0, false },
	{ LIBC, 0x885d8, "pthread_cond_wait@@GLIBC_2.3.2", 0x208, NULL, 0, false },
	{ SERVER, 0x3398, "wait_for_cancel", 0x48, STEPS_C, 75, false },
	{ SERVER, 0x35bc, "worker", 0x4c, STEPS_C, 209, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame futex_kernel_frames[] = {
	{ KERNEL, 0xffffffff81a3c2b1, "__schedule", 0x3e1, NULL, 0, false },
	{ KERNEL, 0xffffffff81a3ce67, "schedule", 0x27, NULL, 0, false },
	{ KERNEL, 0xffffffff811a4d38, "futex_do_wait", 0x38, NULL, 0, false },
	{ KERNEL, 0xffffffff811a5603, "__futex_wait", 0x93, NULL, 0, false },
	{ KERNEL, 0xffffffff81a30c1d, "do_syscall_64", 0x5d, NULL, 0, false },
	{ KERNEL, 0xffffffff81c0012b, "entry_SYSCALL_64_after_hwframe", 0x76, NULL, 0, false },
};

static const struct sample_frame main_frames[] = {
	{ LIBC, 0x3d9a1, "sigwait", 0x61, NULL, 0, false },
	{ SERVER, 0x2a41, "wait_for_signals", 0, SERVER_C, 201, true },
	{ SERVER, 0x2a41, "main", 0x2c1, SERVER_C, 243, false },
	{ LIBC, 0x2724a, "__libc_start_call_main", 0x7a, NULL, 0, false },
	{ LIBC, 0x27305, "__libc_start_main@@GLIBC_2.34", 0x85, NULL, 0, false },
	{ SERVER, 0x2be1, "_start", 0x21, NULL, 0, false },
};

static const struct sample_frame poll_frames[] = {
	{ LIBC, 0xfa9ef, "__poll", 0x4f, NULL, 0, false },
	{ MHD, 0x13a52, NULL, 0, NULL, 0, false },
	{ MHD, 0x14c1e, NULL, 0, NULL, 0, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame recv_frames[] = {
	{ LIBC, 0x10a5f4, "recv", 0x64, NULL, 0, false },
	{ MHD, 0x18d17, NULL, 0, NULL, 0, false },
	{ MHD, 0x1204b, NULL, 0, NULL, 0, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame lock_frames[] = {
	{ LIBC, 0x85fe0, "__GI___lll_lock_wait", 0x30, NULL, 0, false },
	{ LIBC, 0x8d1b3, "pthread_mutex_lock@@GLIBC_2.2.5", 0x113, NULL, 0, false },
	{ SERVER, 0x3301, "wait_for_mutex", 0x11, STEPS_C, 120, false },
	{ SERVER, 0x2d07, "handle_hello", 0xf7, SERVER_C, 79, false },
	{ MHD, 0x1160f, NULL, 0, NULL, 0, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame burn_frames[] = {
	{ SERVER, 0x3322, "eat_cpu", 0x82, STEPS_C, 134, false },
	{ SERVER, 0x2d07, "handle_hello", 0xf7, SERVER_C, 79, false },
	{ MHD, 0x1160f, NULL, 0, NULL, 0, false },
	STARTED_BY_CLONE,
};

static void add_workers(struct model *model, uint32_t process)
{
	static const uint32_t first_tids[] = { 73901, 73955, 74120, 74202 };
	static const uint64_t ages_s[] = { 10642, 7211, 610, 133 };
	uint32_t stack = sample_stack(model, process, cond_frames, ARRAY_LEN(cond_frames));
	uint32_t again =
		sample_stack(model, process, cond_again_frames, ARRAY_LEN(cond_again_frames));
	uint32_t kstack = sample_stack(model, MODEL_NONE, futex_kernel_frames,
				       ARRAY_LEN(futex_kernel_frames));

	for (uint32_t i = 0; i < 20; i++) {
		uint64_t age_ns = ages_s[i / 5] * SAMPLE_SECOND + 500000000;
		struct model_thread *thread =
			sample_thread(model, process, first_tids[i / 5] + i % 5,
				      i == 7 ? again : stack, WAIT_COND, age_ns);
		char comm[16] = "worker-";
		uint32_t number = i + 1, len = 7;

		if (number >= 10)
			comm[len++] = (char)('0' + number / 10);
		comm[len] = (char)('0' + number % 10);
		set_comm(model, thread, comm);
		set_object(model, thread, "futex 0x55d1c0de4010 (state+0x50)");
		thread->kstack = kstack;
		thread->run_cnt = 2;
	}
}

static void add_connections(struct model *model, uint32_t process)
{
	static const char *const peers[] = {
		"fd 8 (socket tcp 127.0.0.1:6060 -> 127.0.0.1:51238)",
		"fd 9 (socket tcp 127.0.0.1:6060 -> 127.0.0.1:51240)"
	};
	struct model_thread *thread;
	uint32_t stack = sample_stack(model, process, recv_frames, ARRAY_LEN(recv_frames));

	for (uint32_t i = 0; i < 2; i++) {
		thread = sample_thread(model, process, 74301 + 4 * i, stack, WAIT_RECV,
				       (4 + 8 * i) * SAMPLE_SECOND + 250000000);
		set_object(model, thread, peers[i]);
		set_comm(model, thread, "MHD-connection");
		thread->has_timeout = true;
		thread->timeout_left_ns = (int64_t)((3 + 9 * i) * SAMPLE_SECOND + 400000000);
	}

	stack = sample_stack(model, process, lock_frames, ARRAY_LEN(lock_frames));
	thread = sample_thread(model, process, 74310, stack, WAIT_MUTEX, 724 * SAMPLE_SECOND);
	set_object(model, thread, "futex 0x55d1c0de40a0 (hostage)");
	set_comm(model, thread, "MHD-connection");

	stack = sample_stack(model, process, burn_frames, ARRAY_LEN(burn_frames));
	for (uint32_t i = 0; i < 2; i++) {
		thread = sample_thread(model, process, 74320 + i, stack, WAIT_RUNNING, 0);
		thread->state = THREAD_RUNNING;
		thread->run_cnt = 312 + 96 * i;
		thread->start_ns = model->boot_ns - (2 + i) * SAMPLE_SECOND;
		set_comm(model, thread, "MHD-connection");
	}
}

static void add_server(struct model *model)
{
	uint32_t process = sample_process(model, SAMPLE_SERVER_TGID, "server", 93784);
	uint64_t start_ns = model_process(model, process)->start_ns;
	struct model_thread *thread;
	uint32_t stack;

	model_process(model, process)->exe = strpool_add(&model->strings, SERVER);
	sample_mapping(model, process, LIBC, 0x156000, "93ac61ec5a8eb1396f9fbd350e3169a558528a40");
	sample_mapping(model, process, SERVER, 0x3000, "5e12fe1");
	add_workers(model, process);
	add_connections(model, process);

	stack = sample_stack(model, process, main_frames, ARRAY_LEN(main_frames));
	thread = sample_thread(model, process, SAMPLE_SERVER_TGID, stack, WAIT_SIGNAL,
			       93783 * SAMPLE_SECOND);
	thread->run_cnt = 61;
	thread->start_ns = start_ns;

	stack = sample_stack(model, process, poll_frames, ARRAY_LEN(poll_frames));
	thread = sample_thread(model, process, 73826, stack, WAIT_SELECT, 41 * SAMPLE_SECOND);
	set_object(model, thread, "fd 5 (socket tcp 127.0.0.1:6060), fd 4 (eventfd)");
	set_comm(model, thread, "MHD-listen");
	thread->run_cnt = 30;
	thread->start_ns = start_ns;
}

/* -- the odd one -- */

static const struct sample_frame child_frames[] = {
	{ LIBC, 0xd5b57, "wait4", 0x57, NULL, 0, false },
	{ ODD, 0x41d0, "reap(int)", 0x20, "/opt/odd/src/reap.cpp", 31, false },
	{ LIBC, 0x27300, "qsort", 0x20, NULL, 0, false },
};

static const struct sample_frame jit_frames[] = {
	{ LIBC, 0xd6fc5, "clock_nanosleep@@GLIBC_2.17", 0x25, NULL, 0, false },
	{ LIBC, 0xdb9a7, "nanosleep", 0x17, NULL, 0, false },
	{ NULL, 0x7f21aa0010c4, "LazyCompile:*sleepy /opt/odd/js/main.js:12:3", 0x44, NULL, 0,
	  false },
	{ NULL, 0x7f21aa002210, NULL, 0, NULL, 0, false },
	{ ODD, 0x5100, "run_script(char const*)", 0x100, "/opt/odd/src/script.cpp", 88, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame cpp_frames[] = {
	{ LIBC, 0x885d8, "pthread_cond_timedwait@@GLIBC_2.3.2", 0x208, NULL, 0, false },
	{ ODD, 0x6010,
	  "std::cv_status std::condition_variable::__wait_until_impl<std::chrono::duration<long, "
	  "std::ratio<1l, 1000000000l> > >(std::unique_lock<std::mutex>&)",
	  0, "/usr/include/c++/12/condition_variable", 211, true },
	{ ODD, 0x6010,
	  "odd::Queue<int, long>::pop(std::function<void (std::pair<int (*)(int), int>)>) const",
	  0x90, "/opt/odd/src/queue.hpp", 57, false },
	{ ODD, 0x6090, "odd::Map<void (*)(std::pair<int (*)(int), int>)>::find(int) const &", 0x10,
	  "/opt/odd/src/map.hpp", 33, false },
	{ ODD, 0x6120, "odd::operator/(odd::Path const&, odd::Path const&)", 0x20,
	  "/opt/odd/src/path.cpp", 14, false },
	{ ODD, 0x6180, "(anonymous namespace)::drain(void (*)(int)) [clone .constprop.0]", 0x60,
	  "/opt/odd/src/my file.cpp", 5, false },
	{ ODD, 0x6200, "main::{lambda((anonymous namespace)::Job&)#1}::operator()() const", 0x30,
	  "../src/main.cc", 40, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame rust_frames[] = {
	{ LIBC, 0x1093e9, "syscall", 0x19, NULL, 0, false },
	{ ODD, 0x7010, "std::sys::sync::mutex::futex::Mutex::lock_contended", 0x50,
	  "/rustc/90b35a6/library/std/src/sys/sync/mutex/futex.rs", 67, false },
	{ ODD, 0x7120, "<odd::Ledger as odd::Book<(u32, &str)>>::post", 0x70,
	  "/opt/odd/src/ledger.rs", 31, false },
	{ ODD, 0x7180, "odd::main::{closure#0}", 0x18, "/opt/odd/src/main.rs", 9, false },
	{ ODD, 0x7200,
	  "std::sys::backtrace::__rust_begin_short_backtrace::<odd::main::{closure#0}, ()>", 0x8,
	  "/rustc/90b35a6/library/std/src/sys/backtrace.rs", 154, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame hostile_frames[] = {
	{ EVIL, 0x1000, "f;\x1b]0;owned\x07g\n", 0x10, "/tmp/a:b c\r\n\xff\xfe.c", 7, false },
	{ EVIL, 0x2000, NULL, 0, NULL, 0, false },
	{ ODD, 0x3000, "created by mischief 100%/)(", 0x1, "/tmp/\xe2\x80\xaegpj.c", 1, false },
	{ ODD, 0x3100, "na\xc3\xafve\xc2\x9b", 0x2, "/tmp/\xed\xa0\x80.c", 2, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame idle_frames[] = {
	{ LIBC, 0x108f26, "epoll_wait", 0x56, NULL, 0, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame bare_frames[] = {
	{ ODD, 0x9100, NULL, 0, NULL, 0, false },
	{ ODD, 0x9200, NULL, 0, NULL, 0, false },
	{ NULL, 0x7f33b0001234, NULL, 0, NULL, 0, false },
};

static const struct sample_frame spin_frames[] = {
	{ ODD, 0xa100, "spin", 0x10, "/opt/odd/src/spin.s", 3, false },
	{ ODD, 0xa200, "spin_outer", 0x20, "/opt/odd/src/spin.c", 0, false },
};

static const struct sample_frame uring_kernel_frames[] = {
	{ KERNEL, 0xffffffff81a3ce67, "schedule", 0x27, NULL, 0, false },
	{ KERNEL, 0xffffffff814ff0aa, "io_wq_worker", 0x18a, NULL, 0, false },
	{ "[ext4]", 0xffffffffc0371234, "ext4_file_read_iter", 0x64, NULL, 0, false },
	{ KERNEL, 0xffffffff81003e54, NULL, 0, NULL, 0, false },
};

/* Threads that have no stack. */
static void add_stackless(struct model *model, uint32_t process)
{
	struct model_thread *thread;

	thread = sample_thread(model, process, 80003, MODEL_NONE, WAIT_RUNNING, 0);
	thread->state = THREAD_RUNNING;
	thread->raced = true;
	thread->run_cnt = 9812345;

	thread = sample_thread(model, process, 80004, MODEL_NONE, WAIT_IO_URING,
			       7 * SAMPLE_SECOND + 890000000);
	set_comm(model, thread, "iou-wrk-80001");
	thread->kstack = sample_stack(model, MODEL_NONE, uring_kernel_frames,
				      ARRAY_LEN(uring_kernel_frames));

	thread = sample_thread(model, process, 80007, MODEL_NONE, WAIT_ZOMBIE, 95 * SAMPLE_SECOND);
	thread->state = THREAD_ZOMBIE;
}

/* Threads whose stacks end early or are not sure. */
static void add_incomplete(struct model *model, uint32_t process)
{
	struct model_thread *thread;
	uint32_t stack;

	stack = sample_bad_stack(model, process, child_frames, ARRAY_LEN(child_frames),
				 STACK_TRUNCATED, STACK_END_UNREADABLE, 0);
	thread = sample_thread(model, process, SAMPLE_ODD_TGID, stack, WAIT_CHILD,
			       2 * 86400 * SAMPLE_SECOND);
	set_object(model, thread, "process 80100");
	thread->start_ns = model_process(model, process)->start_ns;

	stack = sample_bad_stack(model, process, jit_frames, ARRAY_LEN(jit_frames), STACK_GUESSED,
				 STACK_END_ROOT, 3);
	thread = sample_thread(model, process, 80002, stack, WAIT_SLEEP, 850000);
	thread->has_timeout = true;
	thread->timeout_left_ns = -4000000;

	stack = sample_bad_stack(model, process, spin_frames, ARRAY_LEN(spin_frames),
				 STACK_TRUNCATED, STACK_END_COPY_SHORT, 0);
	thread = sample_thread(model, process, 80012, stack, WAIT_RUNNING, 0);
	thread->state = THREAD_RUNNING;

	stack = sample_bad_stack(model, process, NULL, 0, STACK_TRUNCATED, STACK_END_COMPAT, 0);
	sample_thread(model, process, 80015, stack, WAIT_READ, 15 * SAMPLE_SECOND);

	stack = sample_bad_stack(model, process, jit_frames + 2, 2, STACK_GUESSED, STACK_END_NO_CFI,
				 1);
	sample_thread(model, process, 80016, stack, WAIT_PARK, 16 * SAMPLE_SECOND);
}

/* Threads with names of every kind. */
static void add_named(struct model *model, uint32_t process)
{
	static const char *const objects[] = { "futex 0x7f21b8000b30", NULL,
					       "futex 0x7f21b8000b30" };
	struct model_thread *thread;
	uint32_t stack;

	stack = sample_stack(model, process, cpp_frames, ARRAY_LEN(cpp_frames));
	for (uint32_t i = 0; i < 3; i++) {
		thread = sample_thread(model, process, 80020 + i, stack, WAIT_COND,
				       (61 + i) * SAMPLE_SECOND);
		set_object(model, thread, objects[i]);
		thread->has_timeout = i > 0;
		thread->timeout_left_ns = i == 1 ? -2000000000 : 59000000000;
		thread->run_cnt = 1 + 8 * i;
	}

	stack = sample_stack(model, process, rust_frames, ARRAY_LEN(rust_frames));
	for (uint32_t i = 0; i < 2; i++) {
		thread = sample_thread(model, process, 80030 + 2 * i, stack, WAIT_MUTEX,
				       30 * SAMPLE_SECOND);
		set_comm(model, thread, i ? "tokio-runtime-w" : "ledger");
	}

	stack = sample_stack(model, process, hostile_frames, ARRAY_LEN(hostile_frames));
	thread = sample_thread(model, process, 80040, stack, WAIT_SYSCALL, 12 * SAMPLE_SECOND);
	thread->syscall = strpool_add(&model->strings, "keyctl");
	set_comm(model, thread, "\x1b[31mred\n;");
	set_object(model, thread, "fd 3 (/tmp/\x1b]8;;http://x\x07\xe2\x80\xa8 \x7f\xc3)");
}

static void add_odd(struct model *model)
{
	uint32_t process = sample_process(model, SAMPLE_ODD_TGID, "odd;one", 3 * 86400);
	struct model_thread *thread;
	uint32_t stack;

	model_process(model, process)->exe = strpool_add(&model->strings, ODD);
	sample_mapping(model, process, ODD, 0x9000, NULL);
	add_stackless(model, process);
	add_incomplete(model, process);
	add_named(model, process);

	stack = sample_stack(model, process, idle_frames, ARRAY_LEN(idle_frames));
	thread = sample_thread(model, process, 80010, stack, WAIT_SELECT, 3600 * SAMPLE_SECOND);
	set_object(model, thread, "fd 4 (epoll)");
	thread = sample_thread(model, process, 80009, stack, WAIT_STOPPED, 9 * SAMPLE_SECOND);
	thread->state = THREAD_STOPPED;

	stack = sample_stack(model, process, bare_frames, ARRAY_LEN(bare_frames));
	thread = sample_thread(model, process, 80011, stack, WAIT_SYSCALL, 110 * SAMPLE_SECOND);
	thread->syscall = strpool_add(&model->strings, "keyctl");
	thread = sample_thread(model, process, 80013, stack, WAIT_SYSCALL, 120 * SAMPLE_SECOND);
	thread->syscall = strpool_add(&model->strings, "msgrcv");
	thread = sample_thread(model, process, 80014, stack, WAIT_RUNNABLE, 3000000);
	thread->state = THREAD_RUNNABLE;
}

void sample_fill(struct model *model)
{
	sample_init(model);
	add_odd(model);
	add_server(model);
	sample_births(model, 1, 0);
	model->losses[LOSS_THREADS_RACED] = 1;
	model->losses[LOSS_STACKS_UNREADABLE] = 1;
	model->losses[LOSS_STACKS_GUESSED] = 2;
	if (model_sort(model))
		abort();
}

char *sample_render(const struct model *model, const struct report_options *options)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(report_dump(model, options, out), 0);
	assert_false(ferror(out));
	assert_int_equal(fclose(out), 0);
	if (options->format == REPORT_PPROF) {
		char *profile = text;

		text = pprof_text(profile, len);
		free(profile);
		return text;
	}
	assert_int_equal(strlen(text), len);
	return text;
}
