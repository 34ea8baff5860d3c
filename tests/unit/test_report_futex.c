/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The reports of futex calls: each byte for byte as in tests/golden, and what they promise whatever
 * was recorded. */
#include "unit.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "futex_sample.h"
#include "golden.h"
#include "model/codec.h"
#include "report/report.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static const struct golden_case {
	const char *file;
	struct report_options options;
} golden_cases[] = {
	{ "futex_text.txt", { .format = REPORT_TEXT, .by = REPORT_BY_FUTEX, .top = 20 } },
	{ "futex_text_top.txt", { .format = REPORT_TEXT, .by = REPORT_BY_FUTEX, .top = 1 } },
	{ "futex_text_all.txt",
	  { .format = REPORT_TEXT, .by = REPORT_BY_FUTEX, .verbose = true, .color = true } },
	{ "futex.folded", { .format = REPORT_FOLDED, .by = REPORT_BY_FUTEX } },
	{ "futex_verbose.folded",
	  { .format = REPORT_FOLDED, .by = REPORT_BY_FUTEX, .verbose = true } },
	{ "futex.json", { .format = REPORT_JSON, .by = REPORT_BY_FUTEX } },
};

static void test_golden(void **state)
{
	struct model model;

	(void)state;
	futex_sample_fill(&model);
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
	futex_sample_fill(&model);
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

/* Whatever is mapped where a futex lies, nothing steers the terminal. */
static void test_nothing_steers(void **state)
{
	struct model model;

	(void)state;
	futex_sample_fill(&model);
	for (size_t i = 0; i < ARRAY_LEN(golden_cases); i++) {
		char *text = sample_render(&model, &golden_cases[i].options);

		for (const char *at = text; *at && !golden_cases[i].options.color; at++)
			if ((unsigned char)*at < 0x20 || *at == 0x7f)
				assert_true(*at == '\n' || *at == '\t');
		free(text);
	}
	model_release(&model);
}

/* All time that was waited is in the folded lines, to the microsecond. */
static void test_folded_adds_up(void **state)
{
	struct report_options options = { .format = REPORT_FOLDED, .by = REPORT_BY_FUTEX };
	uint64_t waited_ns = 0, printed_us = 0;
	struct model model;
	char *text, *rest = NULL;

	(void)state;
	futex_sample_fill(&model);
	for (uint32_t i = 0; i < model.futexes.len; i++)
		waited_ns += model_futex(&model, i)->total_ns;
	text = sample_render(&model, &options);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		printed_us += strtoull(strrchr(line, ' '), NULL, 10);
	assert_int_equal(printed_us, (waited_ns + 500) / 1000);
	free(text);
	model_release(&model);
}

/* -- json -- */

static json_t *load_json(const struct model *model)
{
	struct report_options options = { .format = REPORT_JSON, .by = REPORT_BY_FUTEX };
	char *text = sample_render(model, &options);
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

static json_t *futexes_of(json_t *report, uint32_t process_idx)
{
	json_t *processes = json_object_get(report, "processes");

	return json_object_get(json_array_get(processes, process_idx), "futexes");
}

static void test_json_schema(void **state)
{
	static const char *const futex_keys[] = { "address", "name",  "shared", "wait",
						  "waits",   "wakes", "stacks", NULL };
	static const char *const waits_keys[] = { "count",	 "total_ns",  "max_ns",
						  "open",	 "timed_out", "changed",
						  "interrupted", "failed",    NULL };
	static const char *const wakes_keys[] = { "count",   "woken",	    "moved",  "nobody",
						  "changed", "interrupted", "failed", NULL };
	static const char *const wait_stack_keys[] = {
		"op",	   "wait",	  "count",  "total_ns", "max_ns",  "open",	"timed_out",
		"changed", "interrupted", "failed", "frames",	"quality", "stack_end", NULL
	};
	static const char *const wake_stack_keys[] = { "op",	 "wait",   "count",   "woken",
						       "moved",	 "nobody", "changed", "interrupted",
						       "failed", "frames", "quality", "stack_end",
						       NULL };
	json_t *report, *futexes, *futex, *stacks;
	struct model model;

	(void)state;
	futex_sample_fill(&model);
	report = load_json(&model);
	futexes = futexes_of(report, 1);
	/* What five wait for all the time, 50 s in all, comes first. */
	futex = json_array_get(futexes, 0);
	assert_keys(futex, futex_keys);
	assert_string_equal(text_of(futex, "address"), "0x55d1c0de4038");
	assert_string_equal(text_of(futex, "name"), "cancel_cond+0x28");
	assert_string_equal(text_of(futex, "wait"), "cond wait");
	assert_false(json_is_true(json_object_get(futex, "shared")));
	assert_keys(json_object_get(futex, "waits"), waits_keys);
	assert_keys(json_object_get(futex, "wakes"), wakes_keys);
	assert_int_equal(number_of(json_object_get(futex, "waits"), "open"), 5);
	stacks = json_object_get(futex, "stacks");
	assert_int_equal(json_array_size(stacks), 1);
	assert_keys(json_array_get(stacks, 0), wait_stack_keys);
	stacks = json_object_get(json_array_get(futexes, 1), "stacks");
	assert_keys(json_array_get(stacks, json_array_size(stacks) - 1), wake_stack_keys);
	json_decref(report);
	model_release(&model);
}

/* What is told of a futex is what is told of its stacks. */
static void test_json_adds_up(void **state)
{
	static const char *const wait_counts[] = { "count",   "total_ns",    "open",  "timed_out",
						   "changed", "interrupted", "failed" };
	static const char *const wake_counts[] = { "count", "woken", "moved", "nobody", "changed" };
	json_t *report, *futex, *stack;
	struct model model;
	size_t i, j;

	(void)state;
	futex_sample_fill(&model);
	report = load_json(&model);
	json_array_foreach(futexes_of(report, 1), i, futex)
	{
		int64_t waits[ARRAY_LEN(wait_counts)] = { 0 };
		int64_t wakes[ARRAY_LEN(wake_counts)] = { 0 };

		json_array_foreach(json_object_get(futex, "stacks"), j, stack)
		{
			bool is_wait = json_object_get(stack, "total_ns") != NULL;

			for (size_t k = 0; k < ARRAY_LEN(wait_counts) && is_wait; k++)
				waits[k] += number_of(stack, wait_counts[k]);
			for (size_t k = 0; k < ARRAY_LEN(wake_counts) && !is_wait; k++)
				wakes[k] += number_of(stack, wake_counts[k]);
		}
		for (size_t k = 0; k < ARRAY_LEN(wait_counts); k++)
			assert_int_equal(waits[k], number_of(json_object_get(futex, "waits"),
							     wait_counts[k]));
		for (size_t k = 0; k < ARRAY_LEN(wake_counts); k++)
			assert_int_equal(wakes[k], number_of(json_object_get(futex, "wakes"),
							     wake_counts[k]));
	}
	json_decref(report);
	model_release(&model);
}

/* -- what there is no report of -- */

static void test_formats_that_fit(void **state)
{
	struct report_options options = { .by = REPORT_BY_FUTEX };
	struct model model;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	futex_sample_fill(&model);
	for (int format = 0; format < REPORT_FORMAT_CNT; format++) {
		bool fits =
			format == REPORT_TEXT || format == REPORT_FOLDED || format == REPORT_JSON;

		options.format = (enum report_format)format;
		assert_int_equal(report_format_fits_by(options.format, options.by), fits);
		assert_int_equal(report_dump(&model, &options, out), fits ? 0 : -EINVAL);
	}
	options.format = REPORT_TEXT;
	model.has_futexes = false;
	assert_int_equal(report_dump(&model, &options, out), -EINVAL);
	fclose(out);
	free(text);
	model_release(&model);
}

static void test_no_calls(void **state)
{
	struct report_options options = { .format = REPORT_TEXT, .by = REPORT_BY_FUTEX };
	struct model model;
	char *text;

	(void)state;
	sample_init(&model);
	model.window_ns = SAMPLE_SECOND;
	model.has_futexes = true;
	sample_thread(&model, sample_process(&model, 7, "app", 60), 7, MODEL_NONE, WAIT_NONE, 0);
	assert_int_equal(model_sort(&model), 0);
	text = sample_render(&model, &options);
	assert_string_equal(text, "app (pid 7), 1 thread recorded for 1.0s from 16:30:47, none "
				  "stopped\n\nno futex calls\n\n1 thread x 1.0s\n");
	free(text);
	options.format = REPORT_FOLDED;
	text = sample_render(&model, &options);
	assert_string_equal(text, "");
	free(text);
	json_decref(load_json(&model));
	model_release(&model);
}

/* Counts beyond all bounds, as a damaged capture may tell, are no reason to wrap. */
static void test_huge_counts(void **state)
{
	struct model_futex huge = { .addr = UINT64_MAX,
				    .cnt = UINT64_MAX,
				    .total_ns = UINT64_MAX - 7,
				    .max_ns = UINT64_MAX,
				    .timeout_cnt = UINT64_MAX,
				    .woken_cnt = UINT64_MAX,
				    .open_cnt = UINT32_MAX,
				    .stack = MODEL_NONE,
				    .kind = FUTEX_WAITS };
	struct report_options options = { .format = REPORT_TEXT, .by = REPORT_BY_FUTEX };
	json_t *report, *waits;
	struct model model;

	(void)state;
	sample_init(&model);
	model.window_ns = UINT64_MAX;
	model.has_futexes = true;
	sample_process(&model, 7, "app", 60);
	for (uint32_t i = 0; i < 3; i++)
		sample_futex(&model, &huge, NULL);
	assert_int_equal(model_sort(&model), 0);
	report = load_json(&model);
	assert_int_equal(json_array_size(futexes_of(report, 0)), 1);
	waits = json_object_get(json_array_get(futexes_of(report, 0), 0), "waits");
	assert_true(number_of(waits, "total_ns") == INT64_MAX);
	assert_true(number_of(waits, "count") == INT64_MAX);
	assert_int_equal(number_of(waits, "open"), UINT32_MAX);
	json_decref(report);
	free(sample_render(&model, &options));
	model_release(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),		 cmocka_unit_test(test_replay_is_the_same),
		cmocka_unit_test(test_nothing_steers),	 cmocka_unit_test(test_folded_adds_up),
		cmocka_unit_test(test_json_schema),	 cmocka_unit_test(test_json_adds_up),
		cmocka_unit_test(test_formats_that_fit), cmocka_unit_test(test_no_calls),
		cmocka_unit_test(test_huge_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
