/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Recorded captures through every format, without a kernel: the demo at step 5 after two requests,
 * taken by `dump --save` and by `record -d 2s --save`, and with one request a second by
 * `leaks -d 5s --save`.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "golden.h"
#include "model/codec.h"
#include "report/report.h"
#include "report_sample.h"

#define PATH_LEN 64

static void decode(const char *name, struct model *model)
{
	struct capfile_reader reader;
	struct err err = { "" };
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "tests/golden/%s.loiter", name);
	model_init(model);
	if (capfile_reader_open(&reader, path, &err) || model_decode(model, &reader, &err))
		fail_msg("%s", err.msg);
	capfile_reader_close(&reader);
}

static void check_formats(const char *name, const enum report_format *formats, size_t cnt)
{
	struct model model;

	decode(name, &model);
	for (size_t i = 0; i < cnt; i++) {
		struct report_options options = { .format = formats[i] };
		char *text = sample_render(&model, &options);
		char file[PATH_LEN];

		snprintf(file, sizeof(file), "%s.%s", name, report_format_name(formats[i]));
		check_golden(file, text);
		free(text);
	}
	model_release(&model);
}

static void test_dump(void **state)
{
	static const enum report_format formats[] = { REPORT_TEXT, REPORT_THREADS, REPORT_GO,
						      REPORT_FOLDED, REPORT_JSON };

	(void)state;
	check_formats("demo-step5", formats, sizeof(formats) / sizeof(formats[0]));
}

static void test_record(void **state)
{
	static const enum report_format formats[] = { REPORT_TEXT, REPORT_FOLDED, REPORT_JSON };

	(void)state;
	check_formats("demo-step5-record", formats, sizeof(formats) / sizeof(formats[0]));
}

static void test_leaks(void **state)
{
	static const enum report_format formats[] = { REPORT_TEXT, REPORT_FOLDED, REPORT_JSON };

	(void)state;
	check_formats("demo-step5-leaks", formats, sizeof(formats) / sizeof(formats[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_leaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
