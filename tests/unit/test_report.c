/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Every format of the sample model, byte for byte as in tests/golden, and what a format promises
 * whatever the model.
 */
#include "unit.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "golden.h"
#include "report/report.h"
#include "report_sample.h"

#define GOLDEN_MAX_BYTES (4u << 20)
#define LIBC "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static const struct golden_case {
	const char *file;
	struct report_options options;
} golden_cases[] = {
	{ "report_text.txt", { .format = REPORT_TEXT } },
	{ "report_text_verbose.txt", { .format = REPORT_TEXT, .verbose = true } },
	{ "report_text_kernel.txt", { .format = REPORT_TEXT, .kernel = true } },
	{ "report_text_color.txt", { .format = REPORT_TEXT, .color = true } },
	{ "report_text_filtered.txt",
	  { .format = REPORT_TEXT, .no_idle = true, .min_block_ns = 60 * SAMPLE_SECOND } },
	{ "report_threads.txt", { .format = REPORT_THREADS } },
	{ "report_threads_kernel.txt", { .format = REPORT_THREADS, .kernel = true } },
	{ "report_go.txt", { .format = REPORT_GO } },
	{ "report_go_kernel.txt", { .format = REPORT_GO, .kernel = true } },
	{ "report.folded", { .format = REPORT_FOLDED } },
	{ "report_verbose.folded", { .format = REPORT_FOLDED, .verbose = true } },
	{ "report_kernel.folded", { .format = REPORT_FOLDED, .kernel = true } },
	{ "report.json", { .format = REPORT_JSON } },
	{ "report_kernel.json", { .format = REPORT_JSON, .kernel = true } },
	{ "report_pprof.txt", { .format = REPORT_PPROF } },
	{ "report_pprof_kernel.txt", { .format = REPORT_PPROF, .kernel = true } },
};

static void test_golden(void **state)
{
	struct model model;

	(void)state;
	sample_fill(&model);
	for (size_t i = 0; i < ARRAY_LEN(golden_cases); i++) {
		char *text = sample_render(&model, &golden_cases[i].options);

		check_golden(golden_cases[i].file, text);
		free(text);
	}
	model_release(&model);
}

/* Each sample of docs/OUTPUT.md stands word for word in the golden file that it names. */
static void test_docs_samples(void **state)
{
	static const char fence[] = "\n```text golden=";
	struct buf docs, golden;
	char *block, *end, *name_end, path[128];
	uint32_t cnt = 0;

	(void)state;
	buf_init(&docs, GOLDEN_MAX_BYTES);
	buf_init(&golden, GOLDEN_MAX_BYTES);
	assert_int_equal(file_read("docs/OUTPUT.md", &docs), 0);
	for (block = strstr(docs.data, fence); block; block = strstr(end + 2, fence)) {
		block += sizeof(fence) - 1;
		name_end = strchr(block, '\n');
		end = strstr(block, "\n```\n");
		assert_non_null(end);
		*name_end = end[1] = '\0';
		snprintf(path, sizeof(path), "tests/golden/%s", block);
		buf_clear(&golden);
		assert_int_equal(file_read(path, &golden), 0);
		assert_true(end > name_end + 20);
		if (!strstr(golden.data, name_end + 1))
			fail_msg("docs/OUTPUT.md shows what %s does not have:\n%s", path,
				 name_end + 1);
		cnt++;
	}
	assert_int_equal(cnt, 22);
	buf_release(&docs);
	buf_release(&golden);
}

/* Whatever the target chose to be called, nothing steers the terminal and all of it is UTF-8. */
static void test_nothing_steers(void **state)
{
	struct model model;

	(void)state;
	sample_fill(&model);
	for (size_t i = 0; i < ARRAY_LEN(golden_cases); i++) {
		char *text = sample_render(&model, &golden_cases[i].options);
		json_t *utf8 = json_string(text);

		assert_non_null(utf8);
		json_decref(utf8);
		for (const char *at = text; *at && !golden_cases[i].options.color; at++)
			if ((unsigned char)*at < 0x20 || *at == 0x7f)
				assert_true(*at == '\n' || *at == '\t');
		assert_null(strstr(text, "\xc2\x9b"));	   /* CSI in one character */
		assert_null(strstr(text, "\xe2\x80\xae")); /* right to left */
		assert_null(strstr(text, "\xe2\x80\xa8")); /* line separator */
		free(text);
	}
	model_release(&model);
}

/* -- text: what makes a group -- */

static const struct sample_frame loop_frames[] = {
	{ LIBC, 0x100, "pause", 0x10, NULL, 0, false },
	{ "/bin/app", 0x200, "loop", 0x20, "/src/app.c", 7, false },
	{ LIBC, 0x300, "start_thread", 0x30, NULL, 0, false },
	{ LIBC, 0x400, "__clone3", 0x40, NULL, 0, false },
};

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

static void test_text_groups(void **state)
{
	struct sample_frame other_line[ARRAY_LEN(loop_frames)];
	struct report_options options = { .format = REPORT_TEXT };
	struct model_thread *thread;
	struct model model;
	uint32_t app, twin, stack, other;
	char *text;

	(void)state;
	sample_init(&model);
	app = sample_process(&model, 100, "app", 1000);
	twin = sample_process(&model, 200, "app", 1000);
	memcpy(other_line, loop_frames, sizeof(other_line));
	other_line[1].module_off = 0x210;
	other_line[1].line = 8;
	stack = sample_stack(&model, app, loop_frames, ARRAY_LEN(loop_frames));
	other = sample_stack(&model, app, other_line, ARRAY_LEN(other_line));
	sample_thread(&model, app, 103, other, WAIT_SIGNAL, 5 * SAMPLE_SECOND);
	sample_thread(&model, app, 101, stack, WAIT_SIGNAL, 2 * SAMPLE_SECOND);
	sample_thread(&model, app, 102, stack, WAIT_SIGNAL, 3 * SAMPLE_SECOND);
	thread = sample_thread(&model, app, 104, stack, WAIT_SIGNAL, 9 * SAMPLE_SECOND);
	thread->state = THREAD_STOPPED;
	thread = sample_thread(&model, app, 105, stack, WAIT_SLEEP, 5 * SAMPLE_SECOND);
	thread->comm = strpool_add(&model.strings, "sleeper");
	stack = sample_stack(&model, twin, loop_frames, ARRAY_LEN(loop_frames));
	sample_thread(&model, twin, 201, stack, WAIT_SIGNAL, 2 * SAMPLE_SECOND);
	assert_int_equal(model_sort(&model), 0);

	text = sample_render(&model, &options);
	assert_contains(text, "app (pid 100), 5 threads at 16:30:47, none stopped by loiter\n\n"
			      "2 threads [signal wait, 2.0s to 3.0s]\n\tloop\n"
			      "\t\tsrc/app.c:7 +0x20\n");
	/* Of groups of one size the oldest comes first, then the lowest tid. */
	assert_true(strstr(text, "1 thread [signal wait, 9.0s]") <
		    strstr(text, "\t\tsrc/app.c:8 +0x20\n"));
	assert_true(strstr(text, "\t\tsrc/app.c:8 +0x20\n") <
		    strstr(text, "1 thread [sleep, 5.0s]"));
	assert_contains(text, "thread 105; ran once; named \"sleeper\"\n");
	assert_contains(text, "\n\napp (pid 200), 1 thread at 16:30:47, none stopped\n\n");
	assert_null(strstr(text, "start_thread"));
	assert_null(strstr(text, "lost:"));
	free(text);

	/* Folded knows processes by name only. */
	options.format = REPORT_FOLDED;
	text = sample_render(&model, &options);
	assert_string_equal(text, "app;start_thread;loop;[signal wait] 5\n"
				  "app;start_thread;loop;[sleep] 1\n");
	free(text);
	model_release(&model);
}

/* A stripped program's _start has no name, and is no more the user's own than a named one. */
static void test_text_stripped(void **state)
{
	static const struct sample_frame frames[] = {
		{ LIBC, 0x100, "pause", 0x10, NULL, 0, false },
		{ "/bin/app", 0x200, NULL, 0, NULL, 0, false },
		{ "/bin/app", 0x300, NULL, 0, NULL, 0, false },
		{ LIBC, 0x400, "__libc_start_main", 0x85, NULL, 0, false },
		{ "/bin/app", 0x500, NULL, 0, NULL, 0, false },
	};
	struct report_options options = { .format = REPORT_TEXT };
	struct model model;
	uint32_t app;
	char *text;

	(void)state;
	sample_init(&model);
	app = sample_process(&model, 100, "app", 1000);
	sample_thread(&model, app, 100,
		      sample_stack(&model, app, frames, (uint32_t)ARRAY_LEN(frames)), WAIT_SIGNAL,
		      SAMPLE_SECOND);
	assert_int_equal(model_sort(&model), 0);
	text = sample_render(&model, &options);
	assert_contains(text, "1.0s]\n\tapp+0x200\n\tapp+0x300\n  main thread");
	free(text);
	model_release(&model);
}

/* Rust's main is made by the compiler; the program's own is further in. */
static void test_text_rust_main(void **state)
{
	static const struct sample_frame frames[] = {
		{ LIBC, 0x100, "pause", 0x10, NULL, 0, false },
		{ "/bin/app", 0x200, "app::main", 0x20, NULL, 0, false },
		{ "/bin/app", 0x300, "std::rt::lang_start::{{closure}}", 0x30, NULL, 0, false },
		{ "/bin/app", 0x400, "std::rt::lang_start_internal", 0x40, NULL, 0, false },
		{ "/bin/app", 0x500, "main", 0x50, NULL, 0, false },
		{ LIBC, 0x600, "__libc_start_main", 0x85, NULL, 0, false },
		{ "/bin/app", 0x700, "_start", 0x21, NULL, 0, false },
	};
	struct report_options options = { .format = REPORT_TEXT };
	struct model model;
	uint32_t app;
	char *text;

	(void)state;
	sample_init(&model);
	app = sample_process(&model, 100, "app", 1000);
	sample_thread(&model, app, 100,
		      sample_stack(&model, app, frames, (uint32_t)ARRAY_LEN(frames)), WAIT_SIGNAL,
		      SAMPLE_SECOND);
	assert_int_equal(model_sort(&model), 0);
	text = sample_render(&model, &options);
	assert_contains(text, "1.0s]\n\tapp::main\n\t\tapp +0x20\n  main thread");
	free(text);
	model_release(&model);
}

/* Fills @model with six workers of one thread, which wait in two ways, and others that are no kin
 * of theirs: another program of that name, and a process with more threads. */
static void fill_workers(struct model *model)
{
	uint32_t process, stack;

	sample_init(model);
	for (uint32_t pid = 300; pid < 308; pid++) {
		process = sample_process(model, pid, "worker", pid);
		model_process(model, process)->exe =
			strpool_add(&model->strings, pid == 302 ? "/bin/other" : "/bin/app");
		stack = sample_stack(model, process, loop_frames, ARRAY_LEN(loop_frames));
		sample_thread(model, process, pid, stack, pid == 305 ? WAIT_SLEEP : WAIT_RECV,
			      pid * SAMPLE_SECOND);
		if (pid == 306)
			sample_thread(model, process, 400, stack, WAIT_SLEEP, SAMPLE_SECOND);
	}
	assert_int_equal(model_sort(model), 0);
}

static void test_text_kin(void **state)
{
	struct report_options options = { .format = REPORT_TEXT };
	struct model model;
	char *text;

	(void)state;
	fill_workers(&model);
	text = sample_render(&model, &options);
	assert_contains(text, "worker (pids 300, 301, 303 to 305, 307), 6 threads at 16:30:47, "
			      "none stopped\n\n"
			      "5 threads [recv, 5m0s to 5m7s]\n\tloop\n\t\tsrc/app.c:7 +0x20\n"
			      "  main threads, started 16:25:40 to 16:25:47\n"
			      "  threads 300, 301, 303, 304, 307; ran once each\n\n"
			      "1 thread [sleep, 5m5s]\n");
	assert_contains(text, "\n\nworker (pid 302), 1 thread at");
	assert_contains(text, "\n\nworker (pid 306), 2 threads at");
	free(text);

	/* Where each thread has a block of its own, so has each process. */
	options.format = REPORT_THREADS;
	text = sample_render(&model, &options);
	assert_contains(text, "worker (pid 301), 1 thread at");
	free(text);
	model_release(&model);
}

/* Of many processes only those are named that the filters leave something of. */
static void test_left_out(void **state)
{
	struct report_options options = { .format = REPORT_TEXT,
					  .min_block_ns = 306 * SAMPLE_SECOND };
	struct model model;
	char *text;

	(void)state;
	fill_workers(&model);
	model.losses[LOSS_RECORDS_BAD] = 2;
	text = sample_render(&model, &options);
	assert_contains(text,
			"worker (pids 300, 301, 303 to 305, 307), 6 threads (5 that ran in the "
			"last 5m6s not shown) at 16:30:47, none stopped\n");
	assert_contains(text,
			"; ran once\n\nnot shown: 1 process whose threads all ran in the last "
			"5m6s\n\nlost: 2 records");
	free(text);
	options.no_idle = true;
	options.format = REPORT_THREADS;
	text = sample_render(&model, &options);
	assert_contains(text, "\n\nnot shown: 6 processes whose threads are all idle or ran in the "
			      "last 5m6s\n\nlost: 2 records");
	assert_null(strstr(text, "pid 302"));
	free(text);
	options.min_block_ns = 1000 * SAMPLE_SECOND;
	options.no_idle = false;
	text = sample_render(&model, &options);
	assert_int_equal(strncmp(text, "not shown: 8 processes whose threads all ran", 44), 0);
	free(text);
	model_release(&model);
}

/* Twenty-five thousand threads in as many ways as a real server has; all of them are told. */
static void test_text_many(void **state)
{
	enum { THREADS = 25000, STACKS = 100 };
	struct report_options options = { .format = REPORT_TEXT };
	uint32_t stacks[STACKS], total = 0, app;
	struct model model;
	char *text;

	(void)state;
	sample_init(&model);
	app = sample_process(&model, 1000, "herd", 1000);
	for (uint32_t i = 0; i < STACKS; i++) {
		struct sample_frame frames[ARRAY_LEN(loop_frames)];

		memcpy(frames, loop_frames, sizeof(frames));
		frames[1].module_off += i;
		frames[1].func_off += i;
		stacks[i] = sample_stack(&model, app, frames, ARRAY_LEN(frames));
	}
	for (uint32_t i = 0; i < THREADS; i++)
		sample_thread(&model, app, 1000 + i, stacks[i % STACKS], WAIT_COND, i * 1000000ull);
	assert_int_equal(model_sort(&model), 0);
	text = sample_render(&model, &options);
	for (const char *at = text; (at = strstr(at, " threads [cond wait, ")) != NULL; at++) {
		const char *start = at;

		while (start > text && start[-1] != '\n')
			start--;
		total += (uint32_t)strtoul(start, NULL, 10);
	}
	assert_int_equal(total, THREADS);
	assert_contains(text, "  main thread, started ");
	assert_contains(text, "  the others created before loiter attached, ");
	assert_contains(text, ", 2100 and 238 more; ran once each\n");
	free(text);
	options.verbose = true;
	text = sample_render(&model, &options);
	assert_contains(text, ", 25900; ran once each\n");
	free(text);
	model_release(&model);
}

static void test_filters_hold_in_every_format(void **state)
{
	struct model model;

	(void)state;
	sample_fill(&model);
	for (uint32_t i = 0; i < REPORT_FORMAT_CNT; i++) {
		struct report_options options = { .format = (enum report_format)i };
		char *text = sample_render(&model, &options);

		assert_contains(text, "eat_cpu");
		assert_contains(text, "signal wait");
		free(text);
		options.min_block_ns = 1;
		text = sample_render(&model, &options);
		assert_null(strstr(text, "eat_cpu"));
		free(text);
		options.no_idle = true;
		text = sample_render(&model, &options);
		assert_null(strstr(text, "signal wait"));
		assert_contains(text, "mutex lock");
		free(text);
		options.min_block_ns = UINT64_MAX;
		free(sample_render(&model, &options));
	}
	model_release(&model);
}

static void test_no_processes(void **state)
{
	struct report_options options = { .format = REPORT_TEXT };
	struct model model;
	char *text;

	(void)state;
	sample_init(&model);
	assert_int_equal(model_sort(&model), 0);
	model.losses[LOSS_PROCESSES_UNREADABLE] = 2;
	text = sample_render(&model, &options);
	assert_string_equal(text, "lost: 2 processes whose memory map could not be read\n");
	free(text);
	options.format = REPORT_FOLDED;
	text = sample_render(&model, &options);
	assert_string_equal(text, "");
	free(text);
	options.format = REPORT_JSON;
	text = sample_render(&model, &options);
	assert_contains(text, "\"processes\":[],");
	free(text);
	model_release(&model);
}

/* A disk that is full is the writer's affair: the report ends, and ferror tells. */
static void test_full_disk(void **state)
{
	struct model model;

	(void)state;
	sample_fill(&model);
	for (uint32_t i = 0; i < REPORT_FORMAT_CNT; i++) {
		struct report_options options = { .format = (enum report_format)i };
		FILE *out = fopen("/dev/full", "we");

		assert_non_null(out);
		setvbuf(out, NULL, _IONBF, 0);
		assert_int_equal(report_dump(&model, &options, out), 0);
		assert_true(ferror(out));
		fclose(out);
	}
	model_release(&model);
}

static void test_format_names(void **state)
{
	enum report_format format = REPORT_GO;

	(void)state;
	for (uint32_t i = 0; i < REPORT_FORMAT_CNT; i++) {
		const char *name = report_format_name((enum report_format)i);

		assert_int_equal(report_format_parse(name, &format), 0);
		assert_int_equal(format, i);
	}
	assert_int_equal(report_format_parse("xml", &format), -EINVAL);
	assert_int_equal(report_format_parse("", &format), -EINVAL);
	assert_int_equal(format, REPORT_FORMAT_CNT - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_docs_samples),
		cmocka_unit_test(test_nothing_steers),
		cmocka_unit_test(test_text_groups),
		cmocka_unit_test(test_text_stripped),
		cmocka_unit_test(test_text_rust_main),
		cmocka_unit_test(test_text_kin),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_text_many),
		cmocka_unit_test(test_filters_hold_in_every_format),
		cmocka_unit_test(test_no_processes),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_format_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
