/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Profiles for pprof: what the golden ones, which test_report compares, do not show. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pprof_text.h"
#include "report/report.h"
#include "report_sample.h"

#define ARRAY_LEN(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define APP "/bin/app"
#define LIBAPP "/lib/a"

struct image {
	char *bytes;
	size_t len;
};

static struct image render(const struct model *model, const struct report_options *options)
{
	struct image image = { 0 };
	FILE *out = open_memstream(&image.bytes, &image.len);

	assert_non_null(out);
	assert_int_equal(report_dump(model, options, out), 0);
	assert_int_equal(fclose(out), 0);
	return image;
}

static Pprof__Profile *render_unpacked(const struct model *model,
				       const struct report_options *options)
{
	struct image image = render(model, options);
	Pprof__Profile *profile = pprof_unpack(image.bytes, image.len);

	free(image.bytes);
	return profile;
}

static void assert_report(const struct model *model, const struct report_options *options,
			  const char *want)
{
	char *text = sample_render(model, options);
	char *samples = strstr(text, "sample ");

	assert_non_null(samples);
	assert_string_equal(samples, want);
	free(text);
}

static const struct sample_frame work_frames[] = {
	{ LIBAPP, 0x1100, "pause", 0x10, NULL, 0, false },
	{ APP, 0x1200, "lock", 0, "/src/lock.h", 3, true },
	{ APP, 0x1200, "work", 0x20, "/src/app.c", 7, false },
};

static const struct sample_frame wake_frames[] = {
	{ APP, 0x1310, "futex_wake", 0, "/src/lock.h", 30, true },
	{ APP, 0x1310, "unlock", 0x10, "/src/app.c", 31, false },
	{ APP, 0x1400, "finish", 0x20, "/src/app.c", 40, false },
};

/* A program whose library lies below it, with two threads in one place. */
static uint32_t fill(struct model *model)
{
	uint32_t app, stack;

	sample_init(model);
	app = sample_process(model, 100, "app", 1000);
	model_process(model, app)->exe = strpool_add(&model->strings, APP);
	sample_mapping(model, app, APP, 0x1000, "abcd");
	sample_mapping(model, app, LIBAPP, 0x1000, NULL);
	stack = sample_stack(model, app, work_frames, ARRAY_LEN(work_frames));
	for (uint32_t i = 0; i < 3; i++)
		sample_thread(model, app, 100 + i, stack, WAIT_SIGNAL, SAMPLE_SECOND)->comm =
			strpool_add(&model->strings, i == 2 ? "other" : "app");
	assert_int_equal(model_sort(model), 0);
	return stack;
}

/* pprof takes the first mapping for the program, whatever lies where, and finds its code by the
 * addresses of its file. */
static void test_the_program_comes_first(void **state)
{
	struct report_options options = { .format = REPORT_PPROF };
	const Pprof__Mapping *first;
	Pprof__Profile *profile;
	struct model model;

	(void)state;
	fill(&model);
	assert_true(model_mapping(&model, 0)->path != model_process(&model, 0)->exe);
	profile = render_unpacked(&model, &options);
	assert_int_equal(profile->n_mapping, 2);
	first = profile->mapping[0];
	assert_string_equal(pprof_string(profile, first->filename), APP);
	assert_string_equal(pprof_string(profile, first->build_id), "abcd");
	assert_int_equal(first->memory_start, 0x1000);
	assert_int_equal(first->memory_limit, 0x2000);
	assert_int_equal(first->file_offset, 0x1000);
	pprof_free(profile);

	/* A program that has no mapping of its own changes nothing. */
	model_process(&model, 0)->exe = strpool_add(&model.strings, "/bin/none");
	profile = render_unpacked(&model, &options);
	assert_int_equal(profile->n_mapping, 2);
	pprof_free(profile);
	model_release(&model);
}

static void test_threads_of_one_name_are_one_sample(void **state)
{
	struct report_options options = { .format = REPORT_PPROF };
	struct model model;

	(void)state;
	fill(&model);
#define WORK                                                                                       \
	"\tpause in 1 at 0x7f00001f7100\n\tlock /src/lock.h:3 inlined\n"                           \
	"\twork /src/app.c:7 in 2 at 0x11ff\n"
	assert_report(&model, &options,
		      "sample 2 process=app thread=app wait=signal wait pid=100\n" WORK
		      "sample 1 process=app thread=other wait=signal wait pid=100 tid=102\n" WORK);
	options.verbose = true;
	assert_report(&model, &options,
		      "sample 1 process=app thread=app wait=signal wait pid=100 tid=100\n" WORK
		      "sample 1 process=app thread=app wait=signal wait pid=100 tid=101\n" WORK
		      "sample 1 process=app thread=other wait=signal wait pid=100 tid=102\n" WORK);
	model_release(&model);
}

static struct model_span *add_span(struct model *model, uint32_t thread, enum span_kind kind,
				   uint32_t stack, uint64_t cnt, uint64_t total_ns)
{
	struct model_span *span = vec_push(&model->spans);

	assert_non_null(span);
	span->thread = thread;
	span->kind = (uint8_t)kind;
	span->wait = kind == SPAN_BLOCKED ? WAIT_MUTEX : WAIT_NONE;
	span->stack = stack;
	span->kstack = span->waker_stack = MODEL_NONE;
	span->cnt = cnt;
	span->total_ns = total_ns;
	return span;
}

/* Spans of every kind; two of one place, which different threads woke. */
static void fill_recording(struct model *model)
{
	uint32_t stack = fill(model), wake;
	struct model_span *span;

	wake = sample_stack(model, 0, wake_frames, ARRAY_LEN(wake_frames));
	model->window_ns = 10 * SAMPLE_SECOND;
	span = add_span(model, 0, SPAN_BLOCKED, stack, 3, 3000);
	span->waker_stack = wake;
	span->waker = strpool_add(&model->strings, "waker");
	add_span(model, 1, SPAN_BLOCKED, stack, 4, 5000);
	add_span(model, 0, SPAN_RUN_QUEUE, stack, 7, 70);
	add_span(model, 0, SPAN_ON_CPU, stack, 2, 20202020);
	add_span(model, 2, SPAN_ON_CPU, MODEL_NONE, 1, 10101010);
}

static void test_recording(void **state)
{
	static const struct {
		enum report_by by;
		const char *count, *time, *period_type;
		int64_t period;
		const char *samples;
	} cases[] = {
		{ REPORT_BY_BLOCKED, "contentions", "delay", "contentions", 1,
		  "sample 7 8000 process=app thread=app wait=mutex lock pid=100\n" WORK },
		{ REPORT_BY_RUN_QUEUE, "contentions", "delay", "contentions", 1,
		  "sample 7 70 process=app thread=app wait=run queue pid=100 tid=100\n" WORK },
		{ REPORT_BY_WAKER, "contentions", "delay", "contentions", 1,
		  "sample 4 5000 process=app thread=app wait=mutex lock pid=100 tid=101\n" WORK
		  "sample 3 3000 process=app thread=app wait=mutex lock waker=waker pid=100 "
		  "tid=100\n"
		  "\tfinish /src/app.c:40 in 2 at 0x13ff\n"
		  "\tunlock /src/app.c:31 inlined\n"
		  "\tfutex_wake /src/lock.h:30 in 2 at 0x1310\n\t--\n" WORK },
		{ REPORT_BY_ON_CPU, "samples", "cpu", "cpu", 10101010,
		  "sample 2 20202020 process=app thread=app wait=on CPU pid=100 tid=100\n" WORK
		  "sample 1 10101010 process=app thread=other wait=on CPU pid=100 tid=102\n"
		  "\t[no stack]\n" },
		{ REPORT_BY_WALL, "samples", "wall", "samples", 1,
		  "sample 2 20202020 process=app thread=app wait=on CPU pid=100 tid=100\n" WORK
		  "sample 1 10101010 process=app thread=other wait=on CPU pid=100 tid=102\n"
		  "\t[no stack]\n"
		  "sample 7 8000 process=app thread=app wait=mutex lock pid=100\n" WORK
		  "sample 7 70 process=app thread=app wait=run queue pid=100 tid=100\n" WORK },
	};
	struct model model;

	(void)state;
	fill_recording(&model);
	for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct report_options options = { .format = REPORT_PPROF, .by = cases[i].by };
		Pprof__Profile *profile = render_unpacked(&model, &options);
		const Pprof__ValueType *first = profile->sample_type[0];
		const Pprof__ValueType *second = profile->sample_type[1];

		assert_report(&model, &options, cases[i].samples);
		assert_int_equal(profile->n_sample_type, 2);
		assert_string_equal(pprof_string(profile, first->type), cases[i].count);
		assert_string_equal(pprof_string(profile, first->unit), "count");
		assert_string_equal(pprof_string(profile, second->type), cases[i].time);
		assert_string_equal(pprof_string(profile, second->unit), "nanoseconds");
		assert_string_equal(pprof_string(profile, profile->period_type->type),
				    cases[i].period_type);
		assert_int_equal(profile->period, cases[i].period);
		assert_int_equal(profile->default_sample_type, second->type);
		assert_true((uint64_t)profile->duration_nanos == model.window_ns);
		pprof_free(profile);
	}
	model_release(&model);
}

static void test_recording_by_thread(void **state)
{
	struct report_options options = { .format = REPORT_PPROF, .by_thread = true };
	struct model model;

	(void)state;
	fill_recording(&model);
	assert_report(
		&model, &options,
		"sample 4 5000 process=app thread=app wait=mutex lock pid=100 tid=101\n" WORK
		"sample 3 3000 process=app thread=app wait=mutex lock pid=100 tid=100\n" WORK);
	model_release(&model);
}

/* Twenty-five thousand threads in a hundred places are a hundred samples, in little room. */
static void test_many_threads(void **state)
{
	enum { THREADS = 25000, STACKS = 100 };
	struct report_options options = { .format = REPORT_PPROF };
	struct sample_frame frames[ARRAY_LEN(work_frames)];
	uint32_t stacks[STACKS], app;
	Pprof__Profile *profile;
	struct image image;
	struct model model;
	int64_t total = 0;

	(void)state;
	sample_init(&model);
	app = sample_process(&model, 1000, "herd", 1000);
	for (uint32_t i = 0; i < STACKS; i++) {
		memcpy(frames, work_frames, sizeof(frames));
		frames[0].module_off += i;
		stacks[i] = sample_stack(&model, app, frames, ARRAY_LEN(frames));
	}
	for (uint32_t i = 0; i < THREADS; i++)
		sample_thread(&model, app, 1000 + i, stacks[i % STACKS], WAIT_COND, i);
	assert_int_equal(model_sort(&model), 0);

	image = render(&model, &options);
	assert_in_range(image.len, 100, 10000);
	profile = pprof_unpack(image.bytes, image.len);
	assert_int_equal(profile->n_sample, STACKS);
	assert_int_equal(profile->n_location, STACKS + 1);
	for (size_t i = 0; i < profile->n_sample; i++)
		total += profile->sample[i]->value[0];
	assert_int_equal(total, THREADS);
	pprof_free(profile);
	free(image.bytes);

	options.verbose = true;
	profile = render_unpacked(&model, &options);
	assert_int_equal(profile->n_sample, THREADS);
	pprof_free(profile);
	model_release(&model);
}

static void test_equal_models_have_equal_bytes(void **state)
{
	struct report_options options = { .format = REPORT_PPROF, .kernel = true };
	struct image image[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct model model;

		sample_fill(&model);
		image[i] = render(&model, &options);
		model_release(&model);
	}
	assert_int_equal(image[0].len, image[1].len);
	assert_memory_equal(image[0].bytes, image[1].bytes, image[0].len);
	free(image[0].bytes);
	free(image[1].bytes);
}

/* A capture can say anything; a profile's numbers have a sign. */
static void test_sums_have_an_end(void **state)
{
	struct report_options options = { .format = REPORT_PPROF };
	Pprof__Profile *profile;
	struct model model;

	(void)state;
	fill_recording(&model);
	model_span(&model, 0)->total_ns = UINT64_MAX;
	model_span(&model, 1)->cnt = UINT64_MAX;
	profile = render_unpacked(&model, &options);
	assert_int_equal(profile->n_sample, 1);
	assert_true(profile->sample[0]->value[0] == INT64_MAX);
	assert_true(profile->sample[0]->value[1] == INT64_MAX);
	pprof_free(profile);
	model_release(&model);
}

/* More functions at one pc than a symbolizer finds, and none. */
static void test_odd_locations(void **state)
{
	struct report_options options = { .format = REPORT_PPROF };
	struct model_frame frames[1000] = { { 0 } };
	Pprof__Profile *profile;
	struct model model;
	uint32_t loc;

	(void)state;
	fill(&model);
	loc = *(uint32_t *)vec_at(&model.stack_locs, 0);
	assert_int_equal(model_set_loc_frames(&model, loc, frames, ARRAY_LEN(frames)), 0);
	model_loc(&model, loc + 1)->frame_cnt = 0;
	profile = render_unpacked(&model, &options);
	assert_int_equal(profile->n_location, 2);
	assert_in_range(profile->location[0]->n_line, 64, ARRAY_LEN(frames));
	assert_int_equal(profile->location[1]->n_line, 1);
	pprof_free(profile);
	model_release(&model);
}

static void test_nothing(void **state)
{
	struct report_options options = { .format = REPORT_PPROF };
	Pprof__Profile *profile;
	struct model model;

	(void)state;
	for (uint64_t window_ns = 0; window_ns < 2; window_ns++) {
		sample_init(&model);
		model.window_ns = window_ns;
		assert_int_equal(model_sort(&model), 0);
		profile = render_unpacked(&model, &options);
		assert_int_equal(profile->n_sample, 0);
		assert_int_equal(profile->n_comment, 1);
		pprof_free(profile);
		model_release(&model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_program_comes_first),
		cmocka_unit_test(test_threads_of_one_name_are_one_sample),
		cmocka_unit_test(test_recording),
		cmocka_unit_test(test_recording_by_thread),
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_equal_models_have_equal_bytes),
		cmocka_unit_test(test_sums_have_an_end),
		cmocka_unit_test(test_odd_locations),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
