/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Reports of leaks, and of what changed between two dumps: byte for byte as in tests/golden, and
 * that they tell the same. */
#include "unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "leak_sample.h"
#include "report/diff.h"
#include "report/report.h"
#include "report_sample.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

static const struct golden_case {
	const char *file;
	struct report_options options;
} golden_cases[] = {
	{ "leaks_text.txt", { .format = REPORT_TEXT } },
	{ "leaks_text_verbose.txt", { .format = REPORT_TEXT, .verbose = true } },
	{ "leaks_text_color.txt", { .format = REPORT_TEXT, .color = true } },
	{ "leaks.json", { .format = REPORT_JSON } },
	{ "leaks.folded", { .format = REPORT_FOLDED } },
	{ "leaks_verbose.folded", { .format = REPORT_FOLDED, .verbose = true } },
};

static void test_golden(void **state)
{
	struct model model;

	(void)state;
	leak_sample_fill(&model);
	for (size_t i = 0; i < ARRAY_LEN(golden_cases); i++) {
		char *text = sample_render(&model, &golden_cases[i].options);

		check_golden(golden_cases[i].file, text);
		free(text);
	}
	model_release(&model);
}

static void test_formats(void **state)
{
	const struct report_options options = { .format = REPORT_GO };
	FILE *out = fopen("/dev/null", "we");
	struct model model;

	(void)state;
	assert_non_null(out);
	leak_sample_fill(&model);
	assert_int_equal(report_of(&model), REPORT_OF_LEAKS);
	for (int format = 0; format < REPORT_FORMAT_CNT; format++)
		assert_int_equal(report_format_fits((enum report_format)format, REPORT_OF_LEAKS),
				 format == REPORT_TEXT || format == REPORT_FOLDED ||
					 format == REPORT_JSON || format == REPORT_HTML);
	assert_int_not_equal(report_dump(&model, &options, out), 0);
	fclose(out);
	model_release(&model);
}

static json_t *load(const char *text)
{
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(json);
	return json;
}

static json_int_t number(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

/* Every group adds up, and all of them to what is told of the process. */
static void check_process_sums(json_t *process)
{
	json_int_t start = 0, born = 0, ended = 0, forked = 0;
	json_t *group;
	size_t i;

	json_array_foreach(json_object_get(process, "groups"), i, group)
	{
		assert_int_equal(number(group, "alive_start") + number(group, "born") -
					 number(group, "ended"),
				 number(group, "alive_end"));
		assert_true((json_int_t)json_array_size(json_object_get(group, "tids")) <=
			    number(group, "alive_end"));
		if (strcmp(json_string_value(json_object_get(group, "kind")), "threads") != 0) {
			forked += number(group, "born");
			continue;
		}
		start += number(group, "alive_start");
		born += number(group, "born");
		ended += number(group, "ended");
	}
	assert_int_equal(start, number(process, "alive_start"));
	assert_int_equal(born, number(process, "born"));
	assert_int_equal(ended, number(process, "ended"));
	assert_int_equal(forked, number(process, "forked"));
}

static void test_sums(void **state)
{
	struct report_options options = { .format = REPORT_JSON };
	struct model model;

	(void)state;
	leak_sample_fill(&model);
	for (int verbose = 0; verbose < 2; verbose++) {
		json_t *json, *process;
		char *text;
		size_t i;

		options.verbose = verbose;
		text = sample_render(&model, &options);
		json = load(text);
		json_array_foreach(json_object_get(json, "processes"), i, process)
		{
			check_process_sums(process);
		}
		json_decref(json);
		free(text);
	}
	model_release(&model);
}

/* Stacks that differ by an instruction of a line are one group, and two with -v, where older
 * threads are nobody's. */
static void test_lines(void **state)
{
	struct report_options options = { .format = REPORT_TEXT };
	struct model model;
	char *text;

	(void)state;
	leak_sample_fill(&model);
	text = sample_render(&model, &options);
	assert_contains(text, "\nleak: 160 threads [cond wait, ");
	assert_contains(text, "10 at the start, 150 born, 0 ended; those at the start are older ");
	free(text);
	options.verbose = true;
	text = sample_render(&model, &options);
	assert_contains(text, "\nleak: 150 threads [cond wait, ");
	assert_contains(text, " 10 threads [cond wait, 0s] created by start_threads at ");
	free(text);
	model_release(&model);
}

static void test_found(void **state)
{
	const struct report_options options = { .format = REPORT_TEXT };
	struct model model;
	bool found;

	(void)state;
	leak_sample_fill(&model);
	assert_int_equal(report_has_leak(&model, &options, &found), 0);
	assert_true(found);
	for (uint32_t i = 0; i < model.cohorts.len; i++)
		model_cohort(&model, i)->ended++, model_cohort(&model, i)->alive_start++;
	for (uint32_t i = 0; i < model.processes.len; i++)
		model_process(&model, i)->from_birth = false;
	assert_int_equal(report_has_leak(&model, &options, &found), 0);
	assert_false(found);
	model_release(&model);
}

/* -- differences -- */

static char *render_diff(void (*fill_before)(struct model *), void (*fill_after)(struct model *),
			 const struct report_options *options)
{
	struct model before, after;
	const struct diff_capture captures[] = { { &before, "a\x1b[2J.loiter" },
						 { &after, "b.loiter" } };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	fill_before(&before);
	fill_after(&after);
	assert_int_equal(report_diff(&captures[0], &captures[1], options, out), 0);
	assert_int_equal(fclose(out), 0);
	model_release(&before);
	model_release(&after);
	return text;
}

static void test_diff_golden(void **state)
{
	struct report_options options = { .format = REPORT_TEXT };
	char *text = render_diff(leak_sample_fill_before, leak_sample_fill_after, &options);

	(void)state;
	check_golden("diff_text.txt", text);
	free(text);
	text = render_diff(leak_sample_fill_after, leak_sample_fill, &options);
	check_golden("diff_text_other.txt", text);
	free(text);
	options.verbose = true;
	text = render_diff(leak_sample_fill_after, leak_sample_fill_before, &options);
	check_golden("diff_text_verbose.txt", text);
	free(text);
	options = (struct report_options){ .format = REPORT_JSON };
	text = render_diff(leak_sample_fill_before, leak_sample_fill_after, &options);
	check_golden("diff.json", text);
	free(text);
	text = render_diff(leak_sample_fill, leak_sample_fill_after, &options);
	json_decref(load(text));
	free(text);
}

static void fill_other_boot(struct model *model)
{
	leak_sample_fill_after(model);
	model->wall_ns += 10 * SAMPLE_SECOND;
}

/* After a reboot a thread of the same id and start is another one. */
static void test_diff_boot(void **state)
{
	const struct report_options options = { .format = REPORT_TEXT };
	char *text = render_diff(leak_sample_fill_before, leak_sample_fill_after, &options);

	(void)state;
	assert_contains(text, "  stuck in both: 73901 to 73910\n");
	free(text);
	text = render_diff(leak_sample_fill_before, fill_other_boot, &options);
	assert_null(strstr(text, "stuck in both"));
	assert_contains(text, "  another process of the program: it was pid 73825 before\n");
	free(text);
}

/* Of no capture but a dump's, in no other format. */
static void test_diff_formats(void **state)
{
	struct report_options options = { .format = REPORT_HTML };
	FILE *out = fopen("/dev/null", "we");
	struct model model;
	const struct diff_capture capture = { &model, "x" };

	(void)state;
	assert_non_null(out);
	leak_sample_fill_before(&model);
	for (int format = 0; format < REPORT_FORMAT_CNT; format++) {
		bool fits = format == REPORT_TEXT || format == REPORT_JSON;

		options.format = (enum report_format)format;
		assert_int_equal(!report_diff(&capture, &capture, &options, out), fits);
	}
	fclose(out);
	model_release(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),	  cmocka_unit_test(test_formats),
		cmocka_unit_test(test_sums),	  cmocka_unit_test(test_lines),
		cmocka_unit_test(test_found),	  cmocka_unit_test(test_diff_golden),
		cmocka_unit_test(test_diff_boot), cmocka_unit_test(test_diff_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
