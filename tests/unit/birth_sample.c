/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "birth_sample.h"

#include <stdlib.h>

#include "report_sample.h"

#define LIBC "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define LIBCXX "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"
#define MHD "/usr/lib/x86_64-linux-gnu/libmicrohttpd.so.12"
#define SERVER "/src/loiter/build/demo-server"
#define ODD "/opt/odd/bin/odd"
#define STEPS_C "/src/loiter/demo/steps.c"
#define SERVER_C "/src/loiter/demo/server.c"
#define ARRAY_LEN(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

#define STARTED_BY_CLONE                                                                           \
	{ LIBC, 0x89134, "start_thread", 0x304, NULL, 0, false },                                  \
	{                                                                                          \
		LIBC, 0x1097dc, "__clone3", 0x2c, NULL, 0, false                                   \
	}
#define THROUGH_CLONE                                                                              \
	{ LIBC, 0x1097d9, "__clone3", 0x29, NULL, 0, false },                                      \
		{ LIBC, 0x109bc3, "__clone_internal", 0x43, NULL, 0, false },                      \
	{                                                                                          \
		LIBC, 0x88e6e, "create_thread", 0xae, NULL, 0, false                               \
	}
#define THROUGH_PTHREAD                                                                            \
	THROUGH_CLONE,                                                                             \
	{                                                                                          \
		LIBC, 0x8993d, "pthread_create@@GLIBC_2.34", 0x76d, NULL, 0, false                 \
	}

static const struct sample_frame start_frames[] = {
	THROUGH_PTHREAD,
	{ SERVER, 0x363f, "start_threads", 0x7f, STEPS_C, 123, false },
	{ SERVER, 0x2d07, "handle_hello", 0xf7, SERVER_C, 79, false },
	{ MHD, 0x1160f, NULL, 0, NULL, 0, false },
	STARTED_BY_CLONE,
};

/* As start_frames, but for a pc of libc that only verbose reports show. */
static const struct sample_frame start_again_frames[] = {
	THROUGH_CLONE,
	{ LIBC, 0x89951, "pthread_create@@GLIBC_2.34", 0x781, NULL, 0, false },
	{ SERVER, 0x363f, "start_threads", 0x7f, STEPS_C, 123, false },
	{ SERVER, 0x2d07, "handle_hello", 0xf7, SERVER_C, 79, false },
	{ MHD, 0x1160f, NULL, 0, NULL, 0, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame connect_frames[] = {
	THROUGH_PTHREAD,
	{ MHD, 0x14a07, NULL, 0, NULL, 0, false },
	{ MHD, 0x14d51, NULL, 0, NULL, 0, false },
	STARTED_BY_CLONE,
};

static const struct sample_frame cut_frames[] = { THROUGH_PTHREAD };

/* Threads in a container, as libstdc++ makes them. */
static const struct sample_frame vector_frames[] = {
	THROUGH_PTHREAD,
	{ LIBCXX, 0xd44a8,
	  "std::thread::_M_start_thread(std::unique_ptr<std::thread::_State, "
	  "std::default_delete<std::thread::_State> >, void (*)())",
	  0x18, NULL, 0, false },
	{ ODD, 0x6410, "std::thread::thread<void (&)(odd::Job*), odd::Job*, void>", 0,
	  "/usr/include/c++/12/bits/std_thread.h", 143, true },
	{ ODD, 0x6410,
	  "void std::__new_allocator<std::thread>::construct<std::thread, void (&)(odd::Job*)>"
	  "(std::thread*, void (&)(odd::Job*))",
	  0x40, "/usr/include/c++/12/bits/new_allocator.h", 175, false },
	{ ODD, 0x6480,
	  "std::thread& std::vector<std::thread>::emplace_back<odd::Job*>(odd::Job*&&)", 0x30,
	  "/usr/include/c++/12/bits/vector.tcc", 117, false },
	{ ODD, 0x6500, "odd::Pool::grow(unsigned long)", 0, "/opt/odd/src/pool.cpp", 61, true },
	{ ODD, 0x6500, "odd::Pool::submit(std::function<void ()>) const", 0x90,
	  "/opt/odd/src/pool.cpp", 74, false },
	{ LIBC, 0x2724a, "__libc_start_call_main", 0x7a, NULL, 0, false },
};

static const struct sample_frame rust_frames[] = {
	THROUGH_PTHREAD,
	{ ODD, 0x7300, "std::sys::pal::unix::thread::Thread::new", 0x110,
	  "/rustc/90b35a6/library/std/src/sys/pal/unix/thread.rs", 87, false },
	{ ODD, 0x7380, "std::thread::Builder::spawn_unchecked_", 0x70,
	  "/rustc/90b35a6/library/std/src/thread/mod.rs", 577, false },
	{ ODD, 0x7400, "<odd::Ledger as odd::Book<(u32, &str)>>::open", 0x31,
	  "/opt/odd/src/ledger.rs", 12, false },
	{ ODD, 0x7480, "odd::main", 0x18, "/opt/odd/src/main.rs", 5, false },
};

/* Linked statically: only the name tells, and that of what is inmost may be anybody's. */
static const struct sample_frame static_frames[] = {
	{ ODD, 0xc100, "__clone3", 0x29, NULL, 0, false },
	{ ODD, 0xc200, "create_thread", 0xae, NULL, 0, false },
	{ ODD, 0xc300, "pthread_create", 0x76d, NULL, 0, false },
	{ ODD, 0xc400, "create_thread", 0x4, "/opt/odd/src/own.c", 9, false },
	{ ODD, 0xc500, "main", 0x5, "/opt/odd/src/own.c", 20, false },
	{ ODD, 0xc600, "__libc_start_main", 0x6, NULL, 0, false },
};

static const struct sample_frame fork_frames[] = {
	{ LIBC, 0xd5c31, "_Fork", 0x21, NULL, 0, false },
	{ LIBC, 0xd5e4a, "__libc_fork", 0x5a, NULL, 0, false },
	{ SERVER, 0x4900, "spawn_worker", 0x20, SERVER_C, 402, false },
	{ SERVER, 0x2a90, "main", 0x310, SERVER_C, 250, false },
	{ LIBC, 0x27305, "__libc_start_main@@GLIBC_2.34", 0x85, NULL, 0, false },
};

static const struct sample_frame hostile_frames[] = {
	{ "/tmp/\x1b[2Jlib\nevil.so", 0x1100, "f;\x1b]0;owned\x07 in goroutine 5\n", 0x10,
	  "/tmp/a:b c\r\n\xff.c", 7, false },
	{ ODD, 0x3020, "created by mischief 100%/)(", 0x1, "/tmp/\xe2\x80\xaegpj.c", 1, false },
};

static const struct sample_frame jit_frames[] = {
	{ LIBC, 0x1097d9, "__clone3", 0x29, NULL, 0, false },
	{ NULL, 0x7f21aa003310, "LazyCompile:*spawn /opt/odd/js/main.js:40:3", 0x10, NULL, 0,
	  false },
	{ ODD, 0x5100, "run_script(char const*)", 0x100, "/opt/odd/src/script.cpp", 88, false },
};

void sample_birth(struct model *model, uint32_t tid, const struct sample_creator *creator)
{
	for (uint32_t i = 0; i < model->threads.len; i++) {
		struct model_birth *birth;

		if (model_thread(model, i)->tid != tid)
			continue;
		birth = model_add_birth(model, i);
		if (!birth)
			break;
		birth->creator_tgid = creator->tgid;
		birth->creator_tid = creator->tid;
		birth->creator_comm = strpool_add(&model->strings, creator->comm);
		birth->stack = creator->stack;
		return;
	}
	abort();
}

uint32_t sample_start_threads(struct model *model, uint32_t process)
{
	return sample_stack(model, process, start_frames, ARRAY_LEN(start_frames));
}

static void add_server(struct model *model, uint32_t process)
{
	struct sample_creator start = { SAMPLE_SERVER_TGID, 74119, "MHD-connection",
					sample_start_threads(model, process) };
	struct sample_creator listen = { SAMPLE_SERVER_TGID, 73826, "MHD-listen", MODEL_NONE };

	for (uint32_t i = 0; i < 5; i++)
		sample_birth(model, 74120 + i, &start);
	start.tid = 74201;
	for (uint32_t i = 0; i < 4; i++)
		sample_birth(model, 74202 + i, &start);
	start.stack =
		sample_stack(model, process, start_again_frames, ARRAY_LEN(start_again_frames));
	sample_birth(model, 74206, &start);

	/* One without a stack, two of which only libc's part of it is known. */
	sample_birth(model, 74310, &listen);
	listen.stack = sample_bad_stack(model, process, cut_frames, ARRAY_LEN(cut_frames),
					STACK_TRUNCATED, STACK_END_NO_CFI, 0);
	sample_birth(model, 74320, &listen);
	listen.tid = 73999;
	sample_birth(model, 74321, &listen);
	listen.tid = 73826;
	listen.stack = sample_stack(model, process, connect_frames, ARRAY_LEN(connect_frames));
	sample_birth(model, 74301, &listen);
	sample_birth(model, 74305, &listen);
}

static void add_odd(struct model *model, uint32_t server, uint32_t process)
{
	struct sample_creator fork = { SAMPLE_SERVER_TGID, SAMPLE_SERVER_TGID, "server",
				       sample_stack(model, server, fork_frames,
						    ARRAY_LEN(fork_frames)) };
	struct sample_creator own = { SAMPLE_ODD_TGID, SAMPLE_ODD_TGID, "odd;one",
				      sample_stack(model, process, vector_frames,
						   ARRAY_LEN(vector_frames)) };
	const struct sample_creator shell = { 4700, 4700, "bash", MODEL_NONE };
	const struct sample_creator launcher = { 4700, 4711, "launch\x1b[1m\"er", MODEL_NONE };
	const struct sample_creator nobody = { 0, 0, NULL, MODEL_NONE };
	const struct sample_creator evil = { UINT32_MAX, UINT32_MAX - 1, "\x1b[2J;\n",
					     sample_stack(model, process, hostile_frames,
							  ARRAY_LEN(hostile_frames)) };

	sample_birth(model, 80020, &own);
	sample_birth(model, 80021, &own);
	sample_birth(model, 80022, &own);
	own.stack = sample_stack(model, process, rust_frames, ARRAY_LEN(rust_frames));
	sample_birth(model, 80030, &own);
	sample_birth(model, 80032, &own);
	sample_birth(model, 80007, &own);
	own.stack = sample_stack(model, process, static_frames, ARRAY_LEN(static_frames));
	sample_birth(model, 80009, &own);
	own.stack = sample_bad_stack(model, process, jit_frames, ARRAY_LEN(jit_frames),
				     STACK_GUESSED, STACK_END_ROOT, 1);
	sample_birth(model, 80016, &own);
	sample_birth(model, SAMPLE_ODD_TGID, &fork);
	sample_birth(model, 80013, &shell);
	sample_birth(model, 80014, &launcher);
	sample_birth(model, 80003, &nobody);
	sample_birth(model, 80040, &evil);
}

void sample_births(struct model *model, uint32_t server, uint32_t odd)
{
	add_server(model, server);
	add_odd(model, server, odd);
}
