/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The words of reports: durations, times of day, cleaned text, names of functions and paths. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/frames.h"
#include "report/words.h"
#include "report_sample.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define MS 1000000ull
#define S SAMPLE_SECOND

static void test_durations(void **state)
{
	static const struct {
		uint64_t ns;
		const char *want;
	} cases[] = {
		{ 0, "0s" },
		{ 1, "<1ms" },
		{ MS - 1, "<1ms" },
		{ MS, "1ms" },
		{ 120 * MS, "120ms" },
		{ S - 1, "999ms" },
		{ S, "1.0s" },
		{ 4 * S + 250 * MS, "4.2s" },
		{ 10 * S - 1, "9.9s" },
		{ 10 * S, "10s" },
		{ 60 * S - 1, "59s" },
		{ 60 * S, "1m0s" },
		{ 133 * S, "2m13s" },
		{ 3600 * S - 1, "59m59s" },
		{ 3600 * S, "1h0m" },
		{ 10642 * S, "2h57m" },
		{ 86400 * S, "1d0h" },
		{ (3 * 86400 + 4 * 3600 + 59) * S, "3d4h" },
		{ UINT64_MAX, "213503d23h" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(duration_words(cases[i].ns).text, cases[i].want);
	assert_string_equal(duration_range_words(133 * S, 10642 * S).text, "2m13s to 2h57m");
	assert_string_equal(duration_range_words(42 * S, 42 * S + 5).text, "42s");
	assert_string_equal(duration_range_words(0, UINT64_MAX).text, "0s to 213503d23h");
}

static void test_timeouts(void **state)
{
	(void)state;
	assert_string_equal(timeout_words(12 * S, 12 * S).text, "12s left");
	assert_string_equal(timeout_words(0, 40 * S).text, "0s to 40s left");
	assert_string_equal(timeout_words(-4 * (int64_t)MS, -4 * (int64_t)MS).text, "4ms overdue");
	assert_string_equal(timeout_words(-9 * (int64_t)S, -1).text, "<1ms to 9.0s overdue");
	assert_string_equal(timeout_words(-2 * (int64_t)S, 59 * (int64_t)S).text,
			    "2.0s overdue to 59s left");
	assert_string_equal(timeout_words(INT64_MIN, INT64_MAX).text,
			    "106751d23h overdue to 106751d23h left");
}

static void test_times(void **state)
{
	struct model model;

	(void)state;
	sample_init(&model);
	assert_string_equal(clock_words(&model, model.boot_ns).text, "16:30:47");
	assert_string_equal(clock_words(&model, model.boot_ns - 90 * S).text, "16:29:17");
	assert_string_equal(clock_words(&model, model.boot_ns - 59447 * S).text, "00:00:00");
	assert_string_equal(clock_words(&model, model.boot_ns - 59448 * S).text,
			    "2026-11-22 23:59:59");
	assert_string_equal(utc_words(&model, model.boot_ns).text, "2026-11-23T15:30:47.123Z");
	assert_string_equal(utc_words(&model, model.boot_ns - 123 * MS).text,
			    "2026-11-23T15:30:47.000Z");
	/* A clock that was never set, and a start that lies in the future. */
	model.wall_ns = 5 * S;
	model.utc_offset_s = 0;
	assert_string_equal(utc_words(&model, 0).text, "1970-01-01T00:00:00.000Z");
	assert_string_equal(utc_words(&model, model.boot_ns + S).text, "1970-01-01T00:00:06.000Z");
	model.boot_ns = 0;
	model.wall_ns = UINT64_MAX;
	assert_string_equal(clock_words(&model, 0).text, "23:34:33");
	model_release(&model);
}

static void test_clean(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "plain text", "plain text" },
		{ "a\x1b[31mb\n\t\x7f", "a\\x1b[31mb\\x0a\\x09\\x7f" },
		{ "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x90\x8c",
		  "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x90\x8c" },
		{ "\xc2\x9b\xc2\x80", "\\u009b\\u0080" },
		{ "\xe2\x80\xae\xe2\x81\xa6\xef\xbb\xbf", "\\u202e\\u2066\\ufeff" },
		{ "\xff\xc3", "\\xff\\xc3" },
		{ "\xc0\xaf", "\\xc0\\xaf" },			/* overlong */
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },		/* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },		/* a surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* beyond Unicode */
		{ "\xe2\x82", "\\xe2\\x82" },			/* cut off */
		{ "\xe2\x82x", "\\xe2\\x82x" },
	};
	struct buf buf;

	(void)state;
	buf_init(&buf, 1u << 20);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *printed = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&printed, &len);

		assert_non_null(out);
		buf_clear(&buf);
		assert_int_equal(clean_append(&buf, cases[i].text), 0);
		assert_string_equal(buf_text(&buf), cases[i].want);
		put_clean(out, cases[i].text);
		fclose(out);
		assert_string_equal(printed, cases[i].want);
		free(printed);
	}
	buf_release(&buf);
}

static void test_clean_is_bounded(void **state)
{
	static char text[CLEAN_MAX_BYTES + 100];
	struct buf buf;

	(void)state;
	buf_init(&buf, 1u << 20);
	memset(text, 'x', CLEAN_MAX_BYTES);
	assert_int_equal(clean_append(&buf, text), 0);
	assert_string_equal(buf_text(&buf), text);
	memset(text, 'x', sizeof(text) - 1);
	buf_clear(&buf);
	assert_int_equal(clean_append(&buf, text), 0);
	assert_int_equal(buf.len, CLEAN_MAX_BYTES + 3);
	assert_string_equal(buf.data + CLEAN_MAX_BYTES, "...");
	memset(text, '\x1b', sizeof(text) - 1);
	buf_clear(&buf);
	assert_int_equal(clean_append(&buf, text), 0);
	assert_int_equal(buf.len, CLEAN_MAX_BYTES * 4 + 3);
	buf_release(&buf);
}

static void test_bare_names(void **state)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{ "main", "main" },
		{ "f(int)", "f" },
		{ "f(int) const", "f" },
		{ "f(int) const volatile &&", "f" },
		{ "ns::f<int, long>(void (*)(int), char)", "ns::f<int, long>" },
		{ "X::operator()", "X::operator()" },
		{ "X::operator()(int) const", "X::operator()" },
		{ "main::{lambda(int)#1}", "main::{lambda(int)#1}" },
		{ "main::{lambda(int)#1}::operator()(int) const",
		  "main::{lambda(int)#1}::operator()" },
		{ "(anonymous namespace)::f()", "(anonymous namespace)::f" },
		{ "f(int) [clone .cold]", "f" },
		{ "g.constprop.0", "g.constprop.0" },
		{ "<A as B<(u32, &str)>>::post", "<A as B<(u32, &str)>>::post" },
		{ "(odd)", "(odd)" },
		{ ")", ")" },
		{ ")(", ")(" },
		{ " const", " const" },
	};
	struct model model;
	struct buf buf;

	(void)state;
	sample_init(&model);
	buf_init(&buf, 1u << 20);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct model_frame frame = { .func = strpool_add(&model.strings, cases[i].name) };
		struct frame_ref ref = { .frame = &frame };

		buf_clear(&buf);
		frame_put_bare_name(&buf, &model, &ref, false);
		assert_string_equal(buf_text(&buf), cases[i].want);
		buf_clear(&buf);
		frame_put_name(&buf, &model, &ref, false);
		assert_string_equal(buf_text(&buf), cases[i].name);
	}
	buf_release(&buf);
	model_release(&model);
}

static void test_nameless_frames(void **state)
{
	struct model_frame frame = { .module_off = 0x1234 };
	struct frame_ref ref = { .frame = &frame, .pc = 0x7f0012345678 };
	struct model model;
	struct buf buf;

	(void)state;
	sample_init(&model);
	buf_init(&buf, 1u << 20);
	frame_put_name(&buf, &model, &ref, false);
	assert_string_equal(buf_text(&buf), "0x7f0012345678");
	frame.module = strpool_add(&model.strings, "/usr/lib/libfoo.so.1");
	buf_clear(&buf);
	frame_put_name(&buf, &model, &ref, false);
	assert_string_equal(buf_text(&buf), "libfoo.so.1+0x1234");
	buf_clear(&buf);
	frame_put_bare_name(&buf, &model, &ref, true);
	assert_string_equal(buf_text(&buf), "/usr/lib/libfoo.so.1+0x1234");
	buf_release(&buf);
	model_release(&model);
}

static void test_short_paths(void **state)
{
	static const struct {
		const char *path, *want;
	} cases[] = {
		{ "/src/demo/steps.c", "demo/steps.c" },
		{ "demo/steps.c", "demo/steps.c" },
		{ "/steps.c", "/steps.c" },
		{ "steps.c", "steps.c" },
		{ "../nptl/futex-internal.c", "nptl/futex-internal.c" },
		{ "", "" },
		{ "/", "/" },
		{ "//", "//" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(short_path(cases[i].path), cases[i].want);
	assert_string_equal(base_name("/usr/lib/libc.so.6"), "libc.so.6");
	assert_string_equal(base_name("libc.so.6"), "libc.so.6");
	assert_string_equal(base_name("/usr/lib/"), "/usr/lib/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_clean_is_bounded),
		cmocka_unit_test(test_bare_names),
		cmocka_unit_test(test_nameless_frames),
		cmocka_unit_test(test_short_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
