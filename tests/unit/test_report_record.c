/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The reports of a recording: every one byte for byte as in tests/golden, and what they promise
 * whatever the recording.
 */
#include "unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "model/codec.h"
#include "record_sample.h"
#include "report/report.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static const struct golden_case {
	const char *file;
	struct report_options options;
} golden_cases[] = {
	{ "record_text.txt", { .format = REPORT_TEXT } },
	{ "record_text_top.txt", { .format = REPORT_TEXT, .top = 2, .no_idle = true } },
	{ "record_text_color.txt", { .format = REPORT_TEXT, .color = true, .top = 1 } },
	{ "record_text_waker.txt", { .format = REPORT_TEXT, .by = REPORT_BY_WAKER } },
	{ "record_text_wall.txt",
	  { .format = REPORT_TEXT, .by = REPORT_BY_WALL, .by_thread = true, .verbose = true } },
	{ "record_text_run_queue.txt", { .format = REPORT_TEXT, .by = REPORT_BY_RUN_QUEUE } },
	{ "record_text_on_cpu.txt", { .format = REPORT_TEXT, .by = REPORT_BY_ON_CPU } },
	{ "record.folded", { .format = REPORT_FOLDED } },
	{ "record_run_queue.folded", { .format = REPORT_FOLDED, .by = REPORT_BY_RUN_QUEUE } },
	{ "record_waker.folded", { .format = REPORT_FOLDED, .by = REPORT_BY_WAKER } },
	{ "record_on_cpu.folded", { .format = REPORT_FOLDED, .by = REPORT_BY_ON_CPU } },
	{ "record_wall.folded",
	  { .format = REPORT_FOLDED, .by = REPORT_BY_WALL, .by_thread = true } },
	{ "record.json", { .format = REPORT_JSON } },
	{ "record_waker.json", { .format = REPORT_JSON, .by = REPORT_BY_WAKER } },
	{ "record_text_kernel.txt", { .format = REPORT_TEXT, .kernel = true, .top = 5 } },
	{ "record_text_kernel_on_cpu.txt",
	  { .format = REPORT_TEXT, .by = REPORT_BY_ON_CPU, .kernel = true } },
	{ "record_kernel.folded", { .format = REPORT_FOLDED, .kernel = true } },
	{ "record_waker_kernel.folded",
	  { .format = REPORT_FOLDED, .by = REPORT_BY_WAKER, .kernel = true } },
	{ "record_wall_kernel.folded",
	  { .format = REPORT_FOLDED, .by = REPORT_BY_WALL, .kernel = true } },
	{ "record_kernel.json", { .format = REPORT_JSON, .kernel = true } },
	{ "record_pprof_kernel.txt", { .format = REPORT_PPROF, .kernel = true } },
	{ "record_wall.json", { .format = REPORT_JSON, .by = REPORT_BY_WALL, .by_thread = true } },
};

static void test_golden(void **state)
{
	struct model model;

	(void)state;
	record_sample_fill(&model);
	for (size_t i = 0; i < ARRAY_LEN(golden_cases); i++) {
		char *text = sample_render(&model, &golden_cases[i].options);

		check_golden(golden_cases[i].file, text);
		free(text);
	}
	model_release(&model);
}

/* Decodes the capture of @model into @ret. */
static void replay(const struct model *model, struct model *ret)
{
	struct capfile_writer writer;
	struct capfile_reader reader;
	struct err err = { "" };
	char *bytes = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&bytes, &len);

	assert_non_null(file);
	assert_int_equal(capfile_writer_begin(&writer, file), 0);
	assert_int_equal(model_encode(model, &writer), 0);
	assert_int_equal(capfile_writer_end(&writer), 0);
	assert_int_equal(fclose(file), 0);
	file = fmemopen(bytes, len, "r");
	assert_non_null(file);
	model_init(ret);
	if (capfile_reader_begin(&reader, file, "x", &err) || model_decode(ret, &reader, &err))
		fail_msg("%s", err.msg);
	capfile_reader_close(&reader);
	fclose(file);
	free(bytes);
}

static void test_replay_is_the_same(void **state)
{
	struct model model, again;

	(void)state;
	record_sample_fill(&model);
	replay(&model, &again);
	for (size_t i = 0; i < ARRAY_LEN(golden_cases); i++) {
		char *live = sample_render(&model, &golden_cases[i].options);
		char *later = sample_render(&again, &golden_cases[i].options);

		assert_string_equal(live, later);
		free(live);
		free(later);
	}
	model_release(&model);
	model_release(&again);
}

/* Whatever a waker chose to be called, nothing steers the terminal and all of it is UTF-8. */
static void test_nothing_steers(void **state)
{
	struct model model;

	(void)state;
	record_sample_fill(&model);
	for (size_t i = 0; i < ARRAY_LEN(golden_cases); i++) {
		char *text = sample_render(&model, &golden_cases[i].options);

		for (const char *at = text; *at && !golden_cases[i].options.color; at++)
			if ((unsigned char)*at < 0x20 || *at == 0x7f)
				assert_true(*at == '\n' || *at == '\t');
		free(text);
	}
	model_release(&model);
}

/* -- folded -- */

/* Returns the sum of the numbers at the ends of those lines of @text that start with @prefix. */
static uint64_t folded_sum(const char *text, const char *prefix)
{
	uint64_t sum = 0;

	for (const char *line = text; *line;) {
		const char *end = strchr(line, '\n');

		assert_non_null(end);
		if (!strncmp(line, prefix, strlen(prefix))) {
			const char *number = end;

			while (number[-1] != ' ')
				number--;
			sum += strtoull(number, NULL, 10);
		}
		line = end + 1;
	}
	return sum;
}

static uint64_t total_ns(const struct model *model, int kind)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < model->spans.len; i++)
		if (!kind || model_span(model, i)->kind == kind)
			sum += model_span(model, i)->total_ns;
	return sum;
}

/* Each report tells of all the time of its kinds, to the microsecond; and of one thread no more
 * than a microsecond a line is lost or won by rounding. */
static void test_folded_adds_up(void **state)
{
	static const int kinds[REPORT_BY_CNT] = { [REPORT_BY_BLOCKED] = SPAN_BLOCKED,
						  [REPORT_BY_WAKER] = SPAN_BLOCKED,
						  [REPORT_BY_RUN_QUEUE] = SPAN_RUN_QUEUE,
						  [REPORT_BY_ON_CPU] = SPAN_ON_CPU };
	struct model model;
	char *text;

	(void)state;
	record_sample_fill(&model);
	for (int by = 0; by <= REPORT_BY_WALL; by++) {
		for (int option = 0; option < 4; option++) {
			struct report_options options = { .format = REPORT_FOLDED,
							  .by = (enum report_by)by,
							  .by_thread = option & 1,
							  .verbose = option & 2 };
			text = sample_render(&model, &options);
			assert_int_equal(folded_sum(text, ""),
					 (total_ns(&model, kinds[by]) + 500) / 1000);
			free(text);
		}
	}
	text = sample_render(&model, &(struct report_options){ .format = REPORT_FOLDED,
							       .by = REPORT_BY_WALL,
							       .by_thread = true });
	assert_in_range(folded_sum(text, "server;worker 73903;"), 9999999, 10000001);
	assert_in_range(folded_sum(text, "server;server 73910;"), 9998990, 10000010);
	free(text);
	model_release(&model);
}

/* Many lines of less than a microsecond are something together. */
static void test_folded_keeps_the_small(void **state)
{
	struct sample_frame frame = { "/bin/app", 0, "f", 0, NULL, 0, false };
	struct report_options options = { .format = REPORT_FOLDED };
	struct model model;
	uint32_t app;
	char *text;

	(void)state;
	sample_init(&model);
	model.window_ns = SAMPLE_SECOND;
	app = sample_process(&model, 1, "app", 10);
	sample_thread(&model, app, 1, MODEL_NONE, WAIT_NONE, 0);
	for (uint32_t i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		frame.func = name;
		frame.module_off = i;
		sample_span(&model, 0,
			    &(struct sample_span){ .kind = SPAN_BLOCKED,
						   .wait = WAIT_READ,
						   .stack = sample_stack(&model, app, &frame, 1),
						   .total_ns = 250,
						   .cnt = 1 });
	}
	assert_int_equal(model_sort(&model), 0);
	text = sample_render(&model, &options);
	assert_int_equal(folded_sum(text, ""), 250);
	assert_null(strstr(text, "] 0\n"));
	free(text);
	model_release(&model);
}

/* -- json -- */

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

static int64_t number_of(json_t *json, const char *key)
{
	assert_true(json_is_integer(json_object_get(json, key)));
	return json_integer_value(json_object_get(json, key));
}

static const char *text_of(json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static json_t *process_at(json_t *report, uint32_t idx)
{
	return json_array_get(json_object_get(report, "processes"), idx);
}

static void test_json_schema(void **state)
{
	static const char *const report_keys[] = { "loiter",	"time", "losses", "window_ns",
						   "processes", "host", "kernel", NULL };
	static const char *const process_keys[] = {
		"pid",	      "comm",	      "spans",	   "threads", "thread_count",
		"blocked_ns", "run_queue_ns", "on_cpu_ns", "exe",     "started",
		NULL
	};
	static const char *const span_keys[] = { "kind",   "wait",    "total_ns",     "count",
						 "max_ns", "open",    "histogram_us", "tids",
						 "frames", "quality", "stack_end",    "waker",
						 NULL };
	static const char *const waker_keys[] = { "comm", "frames", "quality", "stack_end", NULL };
	struct report_options options = { .format = REPORT_JSON, .by = REPORT_BY_WAKER };
	json_t *report, *process, *spans, *span, *waker;
	struct model model;

	(void)state;
	record_sample_fill(&model);
	report = load_json(&model, &options);
	assert_keys(report, report_keys);
	assert_int_equal(number_of(report, "window_ns"), 10000000000);
	process = process_at(report, 1);
	assert_keys(process, process_keys);
	assert_int_equal(number_of(process, "pid"), SAMPLE_SERVER_TGID);
	assert_int_equal(number_of(process, "run_queue_ns"), 3 * 34000400);
	assert_int_equal(json_array_size(json_object_get(process, "threads")), 10);
	spans = json_object_get(process, "spans");
	/* The five that wait for ever, 50 s in all, come first. */
	span = json_array_get(spans, 0);
	assert_keys(span, span_keys);
	assert_string_equal(text_of(span, "kind"), "blocked");
	assert_string_equal(text_of(span, "wait"), "cond wait");
	assert_string_equal(text_of(span, "quality"), "complete");
	assert_int_equal(number_of(span, "total_ns"), 50000000000);
	assert_int_equal(number_of(span, "count"), 5);
	assert_int_equal(number_of(span, "open"), 5);
	assert_int_equal(json_array_size(json_object_get(span, "tids")), 5);
	assert_int_equal(json_array_size(json_object_get(span, "frames")), 5);
	assert_true(json_is_null(json_object_get(span, "waker")));
	waker = json_object_get(json_array_get(spans, 1), "waker");
	assert_keys(waker, waker_keys);
	assert_string_equal(text_of(waker, "comm"), "accept");
	assert_string_equal(text_of(json_array_get(json_object_get(waker, "frames"), 1),
				    "function"),
			    "queue_put");
	json_decref(report);
	model_release(&model);
}

/* The histogram of a group has its bounds and every single one. */
static void test_json_histograms(void **state)
{
	struct report_options options = { .format = REPORT_JSON, .by = REPORT_BY_WALL };
	json_t *report, *process, *span, *pair;
	struct model model;
	size_t i, j, k;

	(void)state;
	record_sample_fill(&model);
	report = load_json(&model, &options);
	json_array_foreach(json_object_get(report, "processes"), i, process)
	{
		json_array_foreach(json_object_get(process, "spans"), j, span)
		{
			int64_t cnt = 0, bound = 0;

			json_array_foreach(json_object_get(span, "histogram_us"), k, pair)
			{
				json_t *upper = json_array_get(pair, 0);

				assert_true(json_is_null(upper) ||
					    json_integer_value(upper) > bound);
				bound = json_integer_value(upper);
				assert_true(!(bound & (bound - 1)));
				cnt += json_integer_value(json_array_get(pair, 1));
			}
			/* The odd one's first is of every length, made by hand. */
			if (number_of(span, "count") != 90000)
				assert_int_equal(cnt, number_of(span, "count"));
		}
	}
	json_decref(report);
	model_release(&model);
}

/* -- grouping -- */

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

static void test_no_idle(void **state)
{
	struct report_options options = { .no_idle = true };
	struct model model;
	char *text;

	(void)state;
	record_sample_fill(&model);
	for (int by = 0; by <= REPORT_BY_WALL; by++) {
		for (int format = 0; format < REPORT_FORMAT_CNT; format++) {
			if (!report_format_fits((enum report_format)format, REPORT_OF_RECORDING) ||
			    !strcmp(report_format_name((enum report_format)format), "pprof"))
				continue;
			options.by = (enum report_by)by;
			options.format = (enum report_format)format;
			text = sample_render(&model, &options);
			assert_null(strstr(text, "signal wait"));
			assert_null(strstr(text, "[accept]"));
			if (by == REPORT_BY_BLOCKED)
				assert_contains(text, "mutex lock");
			free(text);
		}
	}
	model_release(&model);
}

/* A snapshot's filter by age says nothing of a recording. */
static void test_min_block_is_for_snapshots(void **state)
{
	struct report_options options = { .format = REPORT_TEXT };
	struct model model;
	char *with, *without;

	(void)state;
	record_sample_fill(&model);
	without = sample_render(&model, &options);
	options.min_block_ns = UINT64_MAX;
	with = sample_render(&model, &options);
	assert_string_equal(with, without);
	free(with);
	free(without);
	model_release(&model);
}

static void test_nothing_recorded(void **state)
{
	struct report_options options = { .format = REPORT_TEXT };
	struct model model;
	uint32_t app;
	char *text;

	(void)state;
	sample_init(&model);
	model.window_ns = 3 * SAMPLE_SECOND + 700000000;
	text = sample_render(&model, &options);
	assert_string_equal(text, "");
	free(text);
	app = sample_process(&model, 100, "app", 1000);
	sample_thread(&model, app, 100, MODEL_NONE, WAIT_NONE, 0);
	assert_int_equal(model_sort(&model), 0);
	text = sample_render(&model, &options);
	assert_string_equal(text, "app (pid 100), 1 thread recorded for 3.7s from 16:30:47, none "
				  "stopped\n\n1 thread x 3.7s\n");
	free(text);
	options.format = REPORT_FOLDED;
	text = sample_render(&model, &options);
	assert_string_equal(text, "");
	free(text);
	options.format = REPORT_JSON;
	json_decref(load_json(&model, &options));
	model_release(&model);
}

/* Totals beyond all bounds, as a damaged capture may tell, are no reason to wrap. */
static void test_huge_totals(void **state)
{
	struct sample_span huge = { .kind = SPAN_BLOCKED,
				    .wait = WAIT_READ,
				    .stack = MODEL_NONE,
				    .total_ns = UINT64_MAX - 7,
				    .max_ns = UINT64_MAX,
				    .cnt = UINT64_MAX };
	struct report_options options = { .format = REPORT_FOLDED };
	struct model model;
	uint32_t app;
	char *text;

	(void)state;
	sample_init(&model);
	model.window_ns = UINT64_MAX;
	app = sample_process(&model, 100, "app", 1000);
	sample_thread(&model, app, 100, MODEL_NONE, WAIT_NONE, 0);
	for (uint32_t i = 0; i < 3; i++)
		sample_span(&model, 0, &huge);
	assert_int_equal(model_sort(&model), 0);
	text = sample_render(&model, &options);
	assert_string_equal(text, "app;[no stack];[read] 18446744073709552\n");
	free(text);
	options.format = REPORT_TEXT;
	free(sample_render(&model, &options));
	options.format = REPORT_JSON;
	json_decref(load_json(&model, &options));
	model_release(&model);
}

/* A hundred thousand spans: all of them told, by group and by thread. */
static void test_many_spans(void **state)
{
	enum { THREADS = 20000, STACKS = 500, SPANS = 100000 };
	static const struct sample_frame frames[] = {
		{ "/lib/libc.so.6", 0x100, "read", 0x10, NULL, 0, false },
		{ "/bin/app", 0x200, "loop", 0x20, "/src/app.c", 7, false },
		{ "/lib/libc.so.6", 0x300, "start_thread", 0x30, NULL, 0, false },
	};
	struct report_options options = { .by = REPORT_BY_WALL, .top = 20 };
	uint32_t stacks[STACKS], app;
	struct model model;
	char *text;

	(void)state;
	sample_init(&model);
	model.window_ns = SAMPLE_SECOND;
	app = sample_process(&model, 1000, "herd", 1000);
	for (uint32_t i = 0; i < STACKS; i++) {
		struct sample_frame own[ARRAY_LEN(frames)];

		memcpy(own, frames, sizeof(own));
		own[1].module_off += i;
		own[1].func_off += i;
		stacks[i] = sample_stack(&model, app, own, ARRAY_LEN(own));
	}
	for (uint32_t i = 0; i < THREADS; i++)
		sample_thread(&model, app, 1000 + i, MODEL_NONE, WAIT_NONE, 0);
	for (uint32_t i = 0; i < SPANS; i++)
		sample_span(&model, i % THREADS,
			    &(struct sample_span){ .kind = (enum span_kind)(1 + i % 3),
						   .wait = i % 3 ? WAIT_NONE : WAIT_READ,
						   .stack = stacks[i % STACKS],
						   .total_ns = 10000000,
						   .max_ns = 1000,
						   .cnt = 10000 });
	assert_int_equal(model_sort(&model), 0);
	for (int by_thread = 0; by_thread < 2; by_thread++) {
		options.by_thread = by_thread;
		options.format = REPORT_TEXT;
		text = sample_render(&model, &options);
		assert_contains(text, by_thread ? "\n59980 more stacks, 16m39s in all: --top 0"
						: "\n1480 more stacks, 16m26s in all: --top 0");
		free(text);
		options.format = REPORT_FOLDED;
		text = sample_render(&model, &options);
		assert_int_equal(folded_sum(text, ""), 1000000000);
		free(text);
		options.format = REPORT_JSON;
		json_decref(load_json(&model, &options));
	}
	model_release(&model);
}

/* -- names -- */

static void test_by_names(void **state)
{
	static const char *const names[REPORT_BY_CNT] = { "blocked", "run-queue", "waker",
							  "on-cpu",  "wall",	  "futex" };
	enum report_by by = REPORT_BY_BLOCKED;

	(void)state;
	for (int i = 0; i < REPORT_BY_CNT; i++) {
		assert_int_equal(report_by_parse(names[i], &by), 0);
		assert_int_equal(by, i);
	}
	assert_int_not_equal(report_by_parse("", &by), 0);
	assert_int_not_equal(report_by_parse("wal", &by), 0);
	assert_int_equal(by, REPORT_BY_CNT - 1);
}

/* What has no report of a recording says so. */
static void test_formats_that_fit(void **state)
{
	struct report_options options = { .format = REPORT_GO };
	struct model model;
	FILE *out = fopen("/dev/null", "we");

	(void)state;
	assert_non_null(out);
	record_sample_fill(&model);
	assert_false(report_format_fits(REPORT_GO, REPORT_OF_RECORDING));
	assert_false(report_format_fits(REPORT_THREADS, REPORT_OF_RECORDING));
	assert_true(report_format_fits(REPORT_GO, REPORT_OF_DUMP));
	assert_true(report_format_fits(REPORT_JSON, REPORT_OF_RECORDING));
	assert_int_not_equal(report_dump(&model, &options, out), 0);
	fclose(out);
	model_release(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_replay_is_the_same),
		cmocka_unit_test(test_nothing_steers),
		cmocka_unit_test(test_folded_adds_up),
		cmocka_unit_test(test_folded_keeps_the_small),
		cmocka_unit_test(test_json_schema),
		cmocka_unit_test(test_json_histograms),
		cmocka_unit_test(test_no_idle),
		cmocka_unit_test(test_min_block_is_for_snapshots),
		cmocka_unit_test(test_nothing_recorded),
		cmocka_unit_test(test_huge_totals),
		cmocka_unit_test(test_many_spans),
		cmocka_unit_test(test_by_names),
		cmocka_unit_test(test_formats_that_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
