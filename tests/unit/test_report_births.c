/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Who created threads: what is plumbing of a creation, what makes a group, and what is told of it.
 */
#include "unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "birth_sample.h"
#include "model/birth_funcs.h"
#include "record_sample.h"
#include "report_sample.h"

#define ARRAY_LEN(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define LIBC "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define APP "/bin/app"
#define APP_PID 100

static const struct sample_frame wait_frames[] = {
	{ LIBC, 0x100, "pause", 0x10, NULL, 0, false },
	{ APP, 0x200, "loop", 0x20, "/src/app.c", 7, false },
	{ LIBC, 0x300, "start_thread", 0x30, NULL, 0, false },
	{ LIBC, 0x400, "__clone3", 0x40, NULL, 0, false },
};

static const struct sample_frame create_frames[] = {
	{ LIBC, 0x500, "__clone3", 0x29, NULL, 0, false },
	{ LIBC, 0x600, "pthread_create@@GLIBC_2.34", 0x60, NULL, 0, false },
	{ APP, 0x700, "spawn", 0x70, "/src/app.c", 20, false },
	{ APP, 0x800, "grow", 0x80, "/src/app.c", 30, false },
	{ APP, 0x900, "main", 0x90, "/src/app.c", 40, false },
};

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' in:\n%s", part, text);
}

/* Adds the stack of create_frames but for frame @changed, which is @off bytes and @off lines
 * further on. */
static uint32_t add_creator_stack(struct model *model, uint32_t process, uint32_t changed,
				  uint32_t off)
{
	struct sample_frame frames[ARRAY_LEN(create_frames)];

	memcpy(frames, create_frames, sizeof(frames));
	frames[changed].module_off += off;
	frames[changed].func_off += off;
	if (frames[changed].line)
		frames[changed].line += off;
	return sample_stack(model, process, frames, ARRAY_LEN(frames));
}

/* Begins a model of one process, of which @cnt threads from 101 on wait alike. */
static void fill_app(struct model *model, uint32_t cnt)
{
	uint32_t app, stack;

	sample_init(model);
	app = sample_process(model, APP_PID, "app", 1000);
	stack = sample_stack(model, app, wait_frames, ARRAY_LEN(wait_frames));
	for (uint32_t i = 0; i < cnt; i++)
		sample_thread(model, app, APP_PID + 1 + i, stack, WAIT_SIGNAL, SAMPLE_SECOND);
}

static void add_birth(struct model *model, uint32_t tid, uint32_t creator_tid, uint32_t stack)
{
	const struct sample_creator creator = { APP_PID, creator_tid, "maker", stack };

	sample_birth(model, tid, &creator);
}

static char *render(struct model *model, enum report_format format, bool verbose)
{
	const struct report_options options = { .format = format, .verbose = verbose };

	return sample_render(model, &options);
}

/* -- functions -- */

static void test_functions(void **state)
{
	static const struct {
		const char *func, *module;
		bool entry, plumbing;
	} cases[] = {
		{ "pthread_create@@GLIBC_2.34", LIBC, true, true },
		{ "pthread_create", APP, true, true },
		{ "__pthread_create_2_1", APP, true, true },
		{ "__interceptor_pthread_create", APP, true, true },
		{ "__libc_fork", APP, false, true },
		{ "_Fork", APP, true, true },
		{ "__posix_spawn", APP, true, true },
		{ "__spawni", APP, false, true },
		{ "__clone_internal", APP, false, true },
		{ NULL, LIBC, false, true },
		{ "std::thread::_M_start_thread(std::unique_ptr<int>, void (*)())", NULL, false,
		  true },
		{ "void std::_Construct<std::thread, void (&)()>(std::thread*, void (&)())", APP,
		  false, true },
		{ "std::vector<std::thread, std::allocator<std::thread> >::emplace_back<int>(int&&)",
		  APP, false, true },
		{ "std::future<int> std::async<int (*)()>(std::launch, int (*&&)())", APP, false,
		  true },
		{ "std::thread::Builder::spawn_unchecked_", APP, false, true },
		{ "g_thread_new", "/usr/lib/libglib-2.0.so.0", false, true },
		{ "main", APP, false, false },
		{ "main", LIBC, false, false },
		{ "create_thread", APP, false, false },
		{ "spawn", APP, false, false },
		{ "start_threads", APP, false, false },
		{ "app::fork", APP, false, false },
		{ "core::Server::start()", APP, false, false },
		{ "stdlib_init", APP, false, false },
		{ "", NULL, false, false },
		{ NULL, NULL, false, false },
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_LEN(cases); i++)
		if (birth_is_entry(cases[i].func) != cases[i].entry ||
		    birth_is_plumbing(cases[i].func, cases[i].module) != cases[i].plumbing)
			fail_msg("'%s' of %s", cases[i].func ? cases[i].func : "(none)",
				 cases[i].module ? cases[i].module : "(none)");
}

/* -- groups of a dump -- */

static void test_groups(void **state)
{
	struct model model;
	uint32_t stack;
	char *text;

	(void)state;
	fill_app(&model, 8);
	stack = sample_stack(&model, 0, create_frames, ARRAY_LEN(create_frames));
	add_birth(&model, 101, 7, stack);
	add_birth(&model, 102, 9, stack);
	add_birth(&model, 103, 8, add_creator_stack(&model, 0, 1, 4)); /* of libc */
	add_birth(&model, 104, 7, add_creator_stack(&model, 0, 3, 4)); /* of the program */
	add_birth(&model, 105, 7, MODEL_NONE);
	add_birth(&model, 106, 8, MODEL_NONE);
	assert_int_equal(model_sort(&model), 0);

	text = render(&model, REPORT_TEXT, false);
	assert_contains(text, "\n3 threads [signal wait, 1.0s] created by spawn at app.c:20\n"
			      "\tloop\n\t\tsrc/app.c:7 +0x20\n"
			      "  created by spawn in threads 7 to 9, 16:30:46\n"
			      "\t\tsrc/app.c:20 +0x70\n\tgrow\n\t\tsrc/app.c:30 +0x80\n"
			      "\tmain\n\t\tsrc/app.c:40 +0x90\n"
			      "  threads 101 to 103; ran once each\n");
	assert_contains(text, "\n2 threads [signal wait, 1.0s]\n");
	assert_contains(text, "  created before loiter attached, 16:30:46; entry loop\n"
			      "  threads 107, 108; ran once each\n");
	assert_contains(text, "\n  created by spawn in thread 7 \"maker\", 16:30:46\n"
			      "\t\tsrc/app.c:20 +0x70\n\tgrow\n\t\tsrc/app.c:34 +0x84\n");
	assert_contains(text, "\n1 thread [signal wait, 1.0s] created by thread 7 \"maker\"\n");
	assert_contains(text,
			"  created by thread 7 \"maker\", 16:30:46\n  thread 105; ran once\n");
	assert_contains(text,
			"  created by thread 8 \"maker\", 16:30:46\n  thread 106; ran once\n");
	free(text);

	text = render(&model, REPORT_TEXT, true);
	assert_contains(text,
			"\n2 threads [signal wait, 1.0s] created by spawn at /src/app.c:20\n");
	assert_contains(text, "  created by spawn in threads 7, 9, 16:30:46\n\t__clone3\n\t\t" LIBC
			      " +0x29\n\tpthread_create@@GLIBC_2.34\n");
	free(text);

	/* Folded stacks tell nothing of creators. */
	text = render(&model, REPORT_FOLDED, false);
	assert_string_equal(text, "app;start_thread;loop;[signal wait] 8\n");
	free(text);
	model_release(&model);
}

/* Workers that a server forks are told together, and who forked them. */
static void test_forked(void **state)
{
	struct sample_creator server = { 290, 290, "postmaster", MODEL_NONE };
	struct model model;
	char *text;

	(void)state;
	sample_init(&model);
	for (uint32_t pid = 300; pid < 303; pid++) {
		uint32_t process = sample_process(&model, pid, "worker", pid);

		sample_thread(&model, process, pid,
			      sample_stack(&model, process, wait_frames, ARRAY_LEN(wait_frames)),
			      WAIT_RECV, SAMPLE_SECOND);
		server.stack =
			sample_stack(&model, process, create_frames, ARRAY_LEN(create_frames));
		sample_birth(&model, pid, &server);
	}
	assert_int_equal(model_sort(&model), 0);
	text = render(&model, REPORT_TEXT, false);
	assert_contains(text, "\n3 threads [recv, 1.0s] created by spawn at app.c:20\n");
	assert_contains(text, "  main threads created by spawn in process 290 \"postmaster\", ");
	free(text);
	text = render(&model, REPORT_THREADS, false);
	assert_contains(text, "\nmain thread created by spawn in process 290 \"postmaster\", "
			      "16:30:46; ran once\n\t/src/app.c:20 +0x70\ngrow(...)\n");
	free(text);
	model_release(&model);
}

/* Each thread has a creator of its own, and they alternate between two stacks. */
static void test_many_creators(void **state)
{
	enum { THREADS = 20000 };
	uint32_t stacks[2];
	struct model model;
	char *text;

	(void)state;
	fill_app(&model, THREADS);
	stacks[0] = sample_stack(&model, 0, create_frames, ARRAY_LEN(create_frames));
	stacks[1] = add_creator_stack(&model, 0, 2, 8);
	for (uint32_t i = 0; i < THREADS; i++) {
		struct model_birth *birth = model_add_birth(&model, i);

		assert_non_null(birth);
		birth->creator_tgid = APP_PID;
		birth->creator_tid = 1000000 - i;
		birth->stack = stacks[i % 2];
	}
	assert_int_equal(model_sort(&model), 0);
	text = render(&model, REPORT_TEXT, false);
	assert_contains(text, "\n10000 threads [signal wait, 1.0s] created by spawn at app.c:20\n");
	assert_contains(text, "\n10000 threads [signal wait, 1.0s] created by spawn at app.c:28\n");
	assert_contains(text, "  created by spawn in threads 980002, 980004, 980006, ");
	assert_contains(text, ", 980024 and 9988 more, 16:30:46\n");
	free(text);
	model_release(&model);
}

/* -- the other formats -- */

static void test_json(void **state)
{
	static const char *const keys[] = {
		"tid", "pid", "comm", "quality", "frames", "stack_end"
	};
	json_t *json, *threads, *creator, *value;
	struct model model;
	const char *key;
	char *text;
	uint32_t i = 0;

	(void)state;
	fill_app(&model, 2);
	add_birth(&model, 102, 7,
		  sample_bad_stack(&model, 0, create_frames, 3, STACK_TRUNCATED,
				   STACK_END_UNREADABLE, 0));
	assert_int_equal(model_sort(&model), 0);
	text = render(&model, REPORT_JSON, false);
	json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	threads = json_object_get(json_array_get(json_object_get(json, "processes"), 0), "threads");
	assert_true(json_is_null(json_object_get(json_array_get(threads, 0), "created_by")));
	creator = json_object_get(json_array_get(threads, 1), "created_by");
	json_object_foreach(creator, key, value)
	{
		assert_true(i < ARRAY_LEN(keys));
		assert_string_equal(key, keys[i++]);
	}
	assert_int_equal(i, ARRAY_LEN(keys));
	assert_int_equal(json_integer_value(json_object_get(creator, "tid")), 7);
	assert_int_equal(json_integer_value(json_object_get(creator, "pid")), APP_PID);
	assert_string_equal(json_string_value(json_object_get(creator, "quality")), "truncated");
	assert_string_equal(json_string_value(json_object_get(creator, "stack_end")), "unreadable");
	assert_int_equal(json_array_size(json_object_get(creator, "frames")), 3);
	assert_int_equal(json_array_size(json_object_get(json_array_get(threads, 1), "frames")), 4);
	json_decref(json);
	free(text);
	model_release(&model);
}

/* Samples are parted by the creator's name, not by its whole stack. */
static void test_pprof(void **state)
{
	struct model model;
	char *text;

	(void)state;
	fill_app(&model, 6);
	add_birth(&model, 101, 7, sample_stack(&model, 0, create_frames, ARRAY_LEN(create_frames)));
	add_birth(&model, 102, 8, add_creator_stack(&model, 0, 3, 4));
	add_birth(&model, 103, 8,
		  sample_stack(&model, 0, create_frames + 3, ARRAY_LEN(create_frames) - 3));
	add_birth(&model, 104, 8, MODEL_NONE);
	add_birth(&model, 105, 8,
		  sample_bad_stack(&model, 0, create_frames, 2, STACK_TRUNCATED, STACK_END_NO_CFI,
				   0));
	assert_int_equal(model_sort(&model), 0);
	text = render(&model, REPORT_PPROF, false);
	assert_contains(text, "sample 2 process=app thread=app wait=signal wait created_by=spawn "
			      "pid=100\n");
	assert_contains(text, "sample 1 process=app thread=app wait=signal wait created_by=grow "
			      "pid=100 tid=103\n");
	assert_contains(text, "sample 3 process=app thread=app wait=signal wait pid=100\n");
	free(text);
	model_release(&model);
}

/* -- recordings -- */

/* Of a group of a recording, the creator is told when all have the same. */
static void test_recorded(void **state)
{
	struct sample_span span = { .kind = SPAN_BLOCKED,
				    .wait = WAIT_SIGNAL,
				    .waker_stack = MODEL_NONE,
				    .total_ns = SAMPLE_SECOND,
				    .max_ns = SAMPLE_SECOND,
				    .cnt = 1 };
	struct model model;
	char *text;

	(void)state;
	fill_app(&model, 12);
	model.window_ns = 2 * SAMPLE_SECOND;
	for (uint32_t i = 0; i < 12; i++) {
		struct sample_frame frames[ARRAY_LEN(wait_frames)];

		memcpy(frames, wait_frames, sizeof(frames));
		frames[1].func_off += i / 3;
		frames[1].module_off += i / 3;
		span.stack = sample_stack(&model, 0, frames, ARRAY_LEN(frames));
		sample_span(&model, i, &span);
	}
	/* Whatever called the function that created them. */
	add_birth(&model, 101, 7, sample_stack(&model, 0, create_frames, ARRAY_LEN(create_frames)));
	add_birth(&model, 102, 8, add_creator_stack(&model, 0, 3, 4));
	add_birth(&model, 103, 9, add_creator_stack(&model, 0, 1, 4));
	/* Not at another line of it, */
	add_birth(&model, 104, 7, add_creator_stack(&model, 0, 2, 4));
	add_birth(&model, 105, 7, add_creator_stack(&model, 0, 2, 4));
	add_birth(&model, 106, 7, add_creator_stack(&model, 0, 2, 8));
	/* not of some, */
	add_birth(&model, 107, 7, add_creator_stack(&model, 0, 2, 12));
	add_birth(&model, 108, 7, add_creator_stack(&model, 0, 2, 12));
	/* and by the thread when that is all. */
	add_birth(&model, 110, 17, MODEL_NONE);
	add_birth(&model, 111, 17, MODEL_NONE);
	add_birth(&model, 112, 17, MODEL_NONE);
	assert_int_equal(model_sort(&model), 0);
	text = render(&model, REPORT_TEXT, false);
	assert_contains(text, "  threads 101 to 103; created by spawn at app.c:20\n");
	assert_contains(text, "  threads 104 to 106\n");
	assert_contains(text, "  threads 107 to 109\n");
	assert_contains(text, "  threads 110 to 112; created by thread 17 \"maker\"\n");
	assert_lacks(text, "attached");
	free(text);
	text = render(&model, REPORT_TEXT, true);
	assert_contains(text, "; created by spawn at /src/app.c:20\n");
	free(text);
	model_release(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions), cmocka_unit_test(test_groups),
		cmocka_unit_test(test_forked),	  cmocka_unit_test(test_many_creators),
		cmocka_unit_test(test_json),	  cmocka_unit_test(test_pprof),
		cmocka_unit_test(test_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
