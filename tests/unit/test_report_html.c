/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The html format: its data byte for byte as in tests/golden, that it holds the same as the folded
 * stacks, and that nothing in it becomes markup. tests/e2e/test_html.py looks at the page itself.
 */
#include "unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "golden.h"
#include "leak_sample.h"
#include "record_sample.h"
#include "report/report.h"
#include "report_sample.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define LINE_MAX_BYTES (1u << 20)

static const char before_data[] = "<script type=\"application/json\" id=\"data\">";
static const char behind_data[] = "</script>\n";

/* Returns the data within the page @text, to be freed: up to the next '<', whatever that begins. */
static char *cut_data(const char *text)
{
	const char *data = strstr(text, before_data);

	assert_non_null(data);
	assert_null(strstr(data + 1, before_data));
	data += sizeof(before_data) - 1;
	return strndup(data, strcspn(data, "<"));
}

static json_t *load_data(const struct model *model, const struct report_options *options)
{
	char *text = sample_render(model, options), *data = cut_data(text);
	json_t *json = json_loads(data, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(json);
	free(data);
	free(text);
	return json;
}

static const char *name_at(json_t *report, const char *pool, json_t *idx)
{
	const char *name = json_string_value(
		json_array_get(json_object_get(report, pool), (size_t)json_integer_value(idx)));

	assert_non_null(name);
	return name;
}

/* -- golden -- */

static const struct golden_case {
	const char *file;
	void (*fill)(struct model *model);
	struct report_options options;
} golden_cases[] = {
	{ "report_html.json", sample_fill, { .format = REPORT_HTML } },
	{ "report_html_kernel.json",
	  sample_fill,
	  { .format = REPORT_HTML, .kernel = true, .no_idle = true } },
	{ "leaks_html.json", leak_sample_fill, { .format = REPORT_HTML } },
	{ "record_html.json", record_sample_fill, { .format = REPORT_HTML } },
	{ "record_html_waker.json",
	  record_sample_fill,
	  { .format = REPORT_HTML, .by = REPORT_BY_WAKER, .color = true } },
	{ "record_html_wall.json",
	  record_sample_fill,
	  { .format = REPORT_HTML, .by = REPORT_BY_WALL, .by_thread = true, .kernel = true } },
};

static void test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(golden_cases); i++) {
		struct model model;
		char *text, *data;

		golden_cases[i].fill(&model);
		text = sample_render(&model, &golden_cases[i].options);
		data = cut_data(text);
		check_golden(golden_cases[i].file, data);
		free(data);
		free(text);
		model_release(&model);
	}
}

/* Only the data differs from page to page. */
static void test_rest_is_constant(void **state)
{
	const struct report_options options = { .format = REPORT_HTML };
	struct model model;
	char *a, *b, *a_data, *b_data;

	(void)state;
	sample_fill(&model);
	a = sample_render(&model, &options);
	model_release(&model);
	record_sample_fill(&model);
	b = sample_render(&model, &options);
	model_release(&model);
	assert_int_equal(strncmp(a, "<!DOCTYPE html>\n", 16), 0);
	a_data = strstr(a, before_data);
	b_data = strstr(b, before_data);
	assert_int_equal(a_data - a, b_data - b);
	assert_memory_equal(a, b, (size_t)(a_data - a));
	a_data = strchr(a_data + 1, '<');
	b_data = strchr(b_data + 1, '<');
	assert_string_equal(a_data, b_data);
	assert_int_equal(strncmp(a_data, behind_data, sizeof(behind_data) - 1), 0);
	free(a);
	free(b);
}

/* -- rows are the folded stacks -- */

/* Appends the path of @row as a folded line has it. */
static void append_path(json_t *report, json_t *row, struct buf *line)
{
	json_t *element;
	size_t i;

	json_array_foreach(json_object_get(row, "path"), i, element)
	{
		buf_puts(line, i ? ";" : "");
		buf_puts(line, name_at(report, "names", element));
	}
}

/* Returns what the rows whose path is @path add up to; that of every row when it is NULL. */
static uint64_t sum_rows(json_t *report, const char *path)
{
	json_t *section, *row;
	uint64_t sum = 0;
	size_t i, j;

	json_array_foreach(json_object_get(report, "sections"), i, section)
	{
		json_array_foreach(json_object_get(section, "rows"), j, row)
		{
			struct buf line;

			buf_init(&line, LINE_MAX_BYTES);
			append_path(report, row, &line);
			if (!path || !strcmp(buf_text(&line), path))
				sum += (uint64_t)json_integer_value(json_object_get(row, "value"));
			buf_release(&line);
		}
	}
	return sum;
}

static void test_rows_are_folded(void **state)
{
	struct report_options html = { .format = REPORT_HTML },
			      folded = { .format = REPORT_FOLDED };

	(void)state;
	for (int verbose = 0; verbose < 2; verbose++) {
		uint64_t total = 0;
		struct model model;
		char *lines, *rest;
		json_t *report;

		sample_fill(&model);
		html.verbose = folded.verbose = verbose;
		report = load_data(&model, &html);
		lines = rest = sample_render(&model, &folded);
		for (char *line; (line = strsep(&rest, "\n")) != NULL && line[0];) {
			char *space = strrchr(line, ' ');
			uint64_t cnt = strtoull(space + 1, NULL, 10);

			*space = '\0';
			assert_int_equal(sum_rows(report, line), cnt);
			total += cnt;
		}
		assert_int_equal(total, SAMPLE_SERVER_THREADS + SAMPLE_ODD_THREADS);
		assert_int_equal(sum_rows(report, NULL), total);
		free(lines);
		json_decref(report);
		model_release(&model);
	}
}

/* -- text and threads -- */

static void test_threads_of_rows(void **state)
{
	const struct report_options options = { .format = REPORT_HTML };
	struct model model;
	json_t *report, *row, *thread, *text;

	(void)state;
	sample_fill(&model);
	report = load_data(&model, &options);
	row = json_array_get(
		json_object_get(json_array_get(json_object_get(report, "sections"), 0), "rows"), 0);
	thread = json_array_get(json_object_get(row, "threads"), 0);
	assert_int_equal(json_array_size(json_object_get(row, "threads")), 10);
	assert_int_equal(json_integer_value(json_array_get(thread, 0)), 73901);
	assert_string_equal(name_at(report, "names", json_array_get(thread, 1)), "worker-1");
	assert_int_equal(json_integer_value(json_array_get(thread, 2)), 10642500000000);
	assert_string_equal(name_at(report, "names", json_array_get(thread, 3)),
			    "futex 0x55d1c0de4010 (state+0x50)");
	text = json_object_get(row, "text");
	assert_string_equal(name_at(report, "lines", json_array_get(text, 1)), "\twait_for_cancel");
	assert_string_equal(name_at(report, "names", json_object_get(row, "where")),
			    "wait_for_cancel");
	assert_null(json_object_get(row, "creator"));
	row = json_array_get(
		json_object_get(json_array_get(json_object_get(report, "sections"), 0), "rows"), 1);
	assert_string_equal(name_at(report, "names", json_object_get(row, "creator")),
			    "start_threads at steps.c:123");
	json_decref(report);
	model_release(&model);
}

static void test_empty(void **state)
{
	const struct report_options options = { .format = REPORT_HTML };
	struct model model;
	json_t *report;

	(void)state;
	sample_init(&model);
	report = load_data(&model, &options);
	assert_int_equal(json_array_size(json_object_get(report, "sections")), 0);
	json_decref(report);
	model_release(&model);
}

/* JSON readers take no number beyond INT64_MAX, and a capture may have any. */
static void test_huge_numbers(void **state)
{
	const struct report_options options = { .format = REPORT_HTML };
	struct model_thread *thread;
	struct model model;
	uint32_t process;

	(void)state;
	sample_init(&model);
	process = sample_process(&model, 4711, "huge", 60);
	thread = sample_thread(&model, process, 4711, MODEL_NONE, WAIT_SLEEP, UINT64_MAX);
	thread->run_cnt = UINT64_MAX;
	assert_int_equal(model_sort(&model), 0);
	json_decref(load_data(&model, &options));
	model_release(&model);
}

/* -- names that want to be markup -- */

static const char *const harmful[] = {
	"</script><img src=x onerror=alert(1)>",
	"<!--<script>",
	"]]></SCRIPT ><script>alert(1)</script>",
	"\"};alert(1);//",
	"\\u003c/script>\\",
};

/* A model in which everything that can have a name has @name. */
static void fill_harmful(struct model *model, const char *name)
{
	const struct sample_frame frame = { name, 0x1234, name, 0x10, name, 7, false };
	struct model_thread *thread;
	uint32_t process;

	sample_init(model);
	process = sample_process(model, 4711, name, 60);
	thread = sample_thread(model, process, 4711, sample_stack(model, process, &frame, 1),
			       WAIT_SYSCALL, SAMPLE_SECOND);
	model->host = model->kernel = model->loiter_version = thread->comm = thread->object =
		thread->syscall = strpool_add(&model->strings, name);
	assert_int_equal(model_sort(model), 0);
}

static void test_harmless(void **state)
{
	const struct report_options options = { .format = REPORT_HTML };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(harmful); i++) {
		struct model model;
		json_t *report;
		char *page, *data;

		fill_harmful(&model, harmful[i]);
		page = sample_render(&model, &options);
		data = strstr(page, before_data) + sizeof(before_data) - 1;
		data += strcspn(data, "<");
		assert_int_equal(strncmp(data, behind_data, sizeof(behind_data) - 1), 0);
		report = load_data(&model, &options);
		assert_string_equal(json_string_value(json_object_get(report, "host")), harmful[i]);
		json_decref(report);
		free(page);
		model_release(&model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),		cmocka_unit_test(test_rest_is_constant),
		cmocka_unit_test(test_rows_are_folded), cmocka_unit_test(test_threads_of_rows),
		cmocka_unit_test(test_empty),		cmocka_unit_test(test_huge_numbers),
		cmocka_unit_test(test_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
