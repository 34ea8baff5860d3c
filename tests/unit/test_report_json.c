/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The json format: its schema of docs/OUTPUT.md, key by key, and every quality of a stack. */
#include "unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"
#include "report_sample.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static json_t *load_json(const struct model *model, const struct report_options *options)
{
	char *text = sample_render(model, options);
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!json)
		fail_msg("line %d: %s", error.line, error.text);
	free(text);
	return json;
}

static void assert_keys(json_t *json, const char *const *keys)
{
	const char *key;
	json_t *value;

	json_object_foreach(json, key, value)
	{
		assert_non_null(*keys);
		assert_string_equal(key, *keys++);
	}
	assert_null(*keys);
}

static json_t *find_thread(json_t *report, uint32_t process, uint32_t tid)
{
	json_t *threads = json_object_get(
		json_array_get(json_object_get(report, "processes"), process), "threads");
	json_t *thread;
	size_t i;

	json_array_foreach(threads, i,
			   thread) if (json_integer_value(json_object_get(thread, "tid")) ==
				       tid) return thread;
	fail_msg("no thread %u", tid);
	return NULL;
}

static const char *text_of(json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static void test_json_schema(void **state)
{
	static const char *const report_keys[] = { "loiter", "time",   "losses", "processes",
						   "host",   "kernel", NULL };
	static const char *const process_keys[] = { "pid", "comm",    "threads", "thread_count",
						    "exe", "started", NULL };
	static const char *const thread_keys[] = {
		"tid",	   "comm",	"state",      "wait",	"object",	   "age_ns",
		"runs",	   "quality",	"created_by", "frames", "timeout_left_ns", "syscall",
		"started", "stack_end", NULL
	};
	static const char *const frame_keys[] = { "pc",	     "function",      "offset",
						  "file",    "line",	      "module",
						  "inlined", "module_offset", NULL };
	static const char *const loss_keys[] = { "threads_raced", "stacks_unreadable",
						 "stacks_guessed", NULL };
	struct report_options options = { .format = REPORT_JSON };
	json_t *report, *process, *thread, *frames;
	struct model model;

	(void)state;
	sample_fill(&model);
	report = load_json(&model, &options);
	assert_keys(report, report_keys);
	assert_keys(json_object_get(report, "losses"), loss_keys);
	assert_string_equal(text_of(report, "time"), "2026-11-23T15:30:47.123Z");
	process = json_array_get(json_object_get(report, "processes"), 0);
	assert_keys(process, process_keys);
	assert_int_equal(json_integer_value(json_object_get(process, "pid")), SAMPLE_SERVER_TGID);
	thread = find_thread(report, 0, 73901);
	assert_keys(thread, thread_keys);
	assert_string_equal(text_of(thread, "state"), "blocked");
	assert_string_equal(text_of(thread, "wait"), "cond wait");
	assert_string_equal(text_of(thread, "quality"), "complete");
	assert_int_equal(json_integer_value(json_object_get(thread, "age_ns")), 10642500000000);
	frames = json_object_get(thread, "frames");
	assert_int_equal(json_array_size(frames), 6);
	assert_keys(json_array_get(frames, 2), frame_keys);
	assert_string_equal(text_of(json_array_get(frames, 2), "function"), "wait_for_cancel");
	assert_true(json_is_null(json_object_get(json_array_get(frames, 0), "function")));
	json_decref(report);
	model_release(&model);
}

static void test_json_qualities(void **state)
{
	static const struct {
		uint32_t tid;
		const char *quality, *end, *state;
	} cases[] = {
		{ 80001, "truncated", "unreadable", "blocked" },
		{ 80002, "guessed", "root", "blocked" },
		{ 80003, "raced", NULL, "running" },
		{ 80004, "none", NULL, "blocked" },
		{ 80007, "none", NULL, "zombie" },
		{ 80009, "complete", "root", "stopped" },
		{ 80014, "complete", "root", "runnable" },
		{ 80015, "truncated", "compat", "blocked" },
	};
	struct report_options options = { .format = REPORT_JSON, .kernel = true };
	struct model model;
	json_t *report;

	(void)state;
	sample_fill(&model);
	report = load_json(&model, &options);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *thread = find_thread(report, 1, cases[i].tid);

		assert_string_equal(text_of(thread, "quality"), cases[i].quality);
		assert_string_equal(text_of(thread, "state"), cases[i].state);
		if (cases[i].end)
			assert_string_equal(text_of(thread, "stack_end"), cases[i].end);
		else
			assert_true(json_is_null(json_object_get(thread, "stack_end")));
	}
	/* Two threads with the kernel's frames between them: each has its own. */
	assert_int_equal(
		json_array_size(json_object_get(find_thread(report, 1, 80004), "kernel_frames")),
		4);
	assert_int_equal(
		json_array_size(json_object_get(find_thread(report, 1, 80007), "kernel_frames")),
		0);
	json_decref(report);
	model_release(&model);
}

/* More stacks than the writer keeps the text of: each thread still has its own. */
static void test_json_many_stacks(void **state)
{
	enum { STACKS = 2500, NAME_BYTES = 4000 };
	struct report_options options = { .format = REPORT_JSON };
	static char name[NAME_BYTES + 1];
	uint32_t stacks[STACKS], app;
	struct model model;
	json_t *report, *threads, *thread;
	size_t i;

	(void)state;
	memset(name, 'n', NAME_BYTES);
	sample_init(&model);
	app = sample_process(&model, 1, "herd", 1000);
	for (i = 0; i < STACKS; i++) {
		struct sample_frame frame = { "/bin/app", i, name, i, NULL, 0, false };

		stacks[i] = sample_stack(&model, app, &frame, 1);
	}
	for (i = 0; i < 2 * STACKS; i++)
		sample_thread(&model, app, (uint32_t)(i + 1), stacks[i % STACKS], WAIT_COND, 1);
	assert_int_equal(model_sort(&model), 0);
	report = load_json(&model, &options);
	threads =
		json_object_get(json_array_get(json_object_get(report, "processes"), 0), "threads");
	assert_int_equal(json_array_size(threads), 2 * STACKS);
	json_array_foreach(threads, i, thread)
	{
		json_t *frame = json_array_get(json_object_get(thread, "frames"), 0);

		assert_int_equal(json_integer_value(json_object_get(frame, "offset")), i % STACKS);
	}
	json_decref(report);
	model_release(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_schema),
		cmocka_unit_test(test_json_qualities),
		cmocka_unit_test(test_json_many_stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
