/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A model through a capture file: the same afterwards, or refused; small in any case. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broken_models.h"
#include "model/codec.h"
#include "report/report.h"
#include "sample_model.h"

struct image {
	char *bytes;
	size_t len;
};

/* Returns the capture of @model; *@ret_raw_bytes (may be NULL) is its size before compression. */
static struct image encode(const struct model *model, uint64_t *ret_raw_bytes)
{
	struct image image = { 0 };
	FILE *out = open_memstream(&image.bytes, &image.len);
	struct capfile_writer writer;

	assert_non_null(out);
	assert_int_equal(capfile_writer_begin(&writer, out), 0);
	assert_int_equal(model_encode(model, &writer), 0);
	assert_int_equal(capfile_writer_end(&writer), 0);
	assert_int_equal(fclose(out), 0);
	if (ret_raw_bytes)
		*ret_raw_bytes = writer.raw_bytes;
	return image;
}

/* Returns what model_decode returns; @ret has to be released in any case. */
static int decode(const char *bytes, size_t len, struct model *ret, struct err *err)
{
	FILE *in = fmemopen((char *)bytes, len, "r");
	struct capfile_reader reader;
	int code;

	assert_non_null(in);
	model_init(ret);
	code = capfile_reader_begin(&reader, in, "x", err);
	if (!code)
		code = model_decode(ret, &reader, err);
	capfile_reader_close(&reader);
	fclose(in);
	return code;
}

static void round_trip(const struct model *model, struct model *ret)
{
	struct image image = encode(model, NULL);
	struct err err = { "" };
	int code = decode(image.bytes, image.len, ret, &err);

	if (code)
		assert_string_equal(err.msg, "");
	free(image.bytes);
}

static struct image report(const struct model *model, enum report_format format)
{
	const struct report_options options = { .format = format, .verbose = true, .kernel = true };
	struct image image = { 0 };
	FILE *out = open_memstream(&image.bytes, &image.len);

	assert_non_null(out);
	assert_int_equal(report_dump(model, &options, out), 0);
	assert_int_equal(fclose(out), 0);
	return image;
}

static void assert_vecs_equal(const struct vec *a, const struct vec *b)
{
	assert_int_equal(a->len, b->len);
	if (a->len)
		assert_memory_equal(a->data, b->data, (size_t)a->len * a->elem_bytes);
}

static void assert_models_equal(const struct model *a, const struct model *b)
{
	assert_vecs_equal(&a->processes, &b->processes);
	assert_vecs_equal(&a->threads, &b->threads);
	assert_vecs_equal(&a->stacks, &b->stacks);
	assert_vecs_equal(&a->stack_locs, &b->stack_locs);
	assert_vecs_equal(&a->locs, &b->locs);
	assert_vecs_equal(&a->frames, &b->frames);
	assert_vecs_equal(&a->spans, &b->spans);
	assert_vecs_equal(&a->births, &b->births);
	assert_vecs_equal(&a->mappings, &b->mappings);
	assert_vecs_equal(&a->futexes, &b->futexes);
	assert_vecs_equal(&a->cohorts, &b->cohorts);
	assert_vecs_equal(&a->cohort_points, &b->cohort_points);
	assert_vecs_equal(&a->limits, &b->limits);
	assert_int_equal(a->has_futexes, b->has_futexes);
	assert_true(a->watch_ns == b->watch_ns && a->point_ns == b->point_ns);
	assert_int_equal(a->point_cnt, b->point_cnt);
	assert_true(a->folded_born == b->folded_born && a->folded_ended == b->folded_ended);
	assert_true(a->window_ns == b->window_ns);
	assert_int_equal(a->strings.offs.len, b->strings.offs.len);
	for (uint32_t i = 0; i <= a->strings.offs.len; i++)
		assert_string_equal(model_str(a, i), model_str(b, i));
	assert_int_equal(a->strings.lost_cnt, b->strings.lost_cnt);
	assert_memory_equal(a->losses, b->losses, sizeof(a->losses));
	assert_true(a->wall_ns == b->wall_ns);
	assert_true(a->boot_ns == b->boot_ns);
	assert_int_equal(a->utc_offset_s, b->utc_offset_s);
	assert_int_equal(a->loiter_version, b->loiter_version);
	assert_int_equal(a->host, b->host);
	assert_int_equal(a->kernel, b->kernel);
}

static void assert_reports_equal(const struct model *a, const struct model *b)
{
	for (int format = 0; format < REPORT_FORMAT_CNT; format++) {
		struct image x, y;

		if (!report_format_fits((enum report_format)format, report_of(a)))
			continue;
		x = report(a, (enum report_format)format);
		y = report(b, (enum report_format)format);
		assert_true(x.len > 0);
		assert_int_equal(x.len, y.len);
		assert_memory_equal(x.bytes, y.bytes, x.len);
		free(x.bytes);
		free(y.bytes);
	}
}

static void test_round_trip(void **state)
{
	static void (*const samples[])(struct model *) = { sample_model, sample_recording,
							   sample_leaks };
	struct model model, decoded;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		samples[i](&model);
		round_trip(&model, &decoded);
		assert_models_equal(&model, &decoded);
		assert_reports_equal(&model, &decoded);
		model_release(&model);
		model_release(&decoded);
	}
}

/* None were called is not the same as none were recorded. */
static void test_no_futexes(void **state)
{
	struct model model, decoded;

	(void)state;
	sample_recording(&model);
	vec_clear(&model.futexes);
	round_trip(&model, &decoded);
	assert_true(decoded.has_futexes);
	model_release(&decoded);
	model.has_futexes = false;
	round_trip(&model, &decoded);
	assert_false(decoded.has_futexes);
	model_release(&decoded);
	model_release(&model);
}

static void test_nothing(void **state)
{
	struct model model, decoded;

	(void)state;
	model_init(&model);
	round_trip(&model, &decoded);
	assert_models_equal(&model, &decoded);
	model_release(&model);
	model_release(&decoded);
}

/* The symbolizer may name locs in any order. */
static void test_frames_out_of_order(void **state)
{
	struct model model, decoded;

	(void)state;
	sample_model(&model);
	for (uint32_t i = model.locs.len; i-- > 0;) {
		const struct model_loc *loc = model_loc(&model, i);
		struct model_frame frames[4];

		assert_in_range(loc->frame_cnt, 1, 4);
		memcpy(frames, model_loc_frames(&model, loc), loc->frame_cnt * sizeof(frames[0]));
		assert_int_equal(model_set_loc_frames(&model, i, frames, loc->frame_cnt), 0);
	}
	round_trip(&model, &decoded);
	assert_true(decoded.frames.len < model.frames.len);
	assert_reports_equal(&model, &decoded);
	model_release(&model);
	model_release(&decoded);
}

static void test_extreme_values(void **state)
{
	struct model model, decoded;
	uint32_t process;

	(void)state;
	model_init(&model);
	process = model_add_process(&model, UINT32_MAX, UINT64_MAX);
	for (uint32_t i = 0; i < 8; i++) {
		struct model_thread *thread = model_add_thread(&model, process, i);

		thread->start_ns = i % 2 ? UINT64_MAX : 0;
		thread->run_cnt = i < 4 ? UINT64_MAX / 2 + i : 0;
		thread->timeout_left_ns = i % 3 ? INT64_MIN : INT64_MAX;
		thread->state = THREAD_BLOCKED;
	}
	model.wall_ns = model.boot_ns = UINT64_MAX;
	model.losses[0] = UINT64_MAX;
	assert_int_equal(model_sort(&model), 0);
	round_trip(&model, &decoded);
	assert_models_equal(&model, &decoded);
	model_release(&model);
	model_release(&decoded);
}

/* The bytes of @type that are fields, not padding. When one of these numbers has changed, a field
 * was added or removed: its column belongs into the codec, a value for it into sample_model. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
#define FIELD_BYTES(type)                                                                          \
	({                                                                                         \
		struct type _filled;                                                               \
		memset(&_filled, 1, sizeof(_filled));                                              \
		__builtin_clear_padding(&_filled);                                                 \
		count_ones(&_filled, sizeof(_filled));                                             \
	})

static size_t count_ones(const void *bytes, size_t len)
{
	size_t cnt = 0;

	for (size_t i = 0; i < len; i++)
		cnt += ((const unsigned char *)bytes)[i];
	return cnt;
}

static void test_every_field_is_known(void **state)
{
	(void)state;
	assert_int_equal(FIELD_BYTES(model_process), 30);
	assert_int_equal(FIELD_BYTES(model_thread), 89);
	assert_int_equal(FIELD_BYTES(model_stack), 12);
	assert_int_equal(FIELD_BYTES(model_loc), 25);
	assert_int_equal(FIELD_BYTES(model_frame), 34);
	assert_int_equal(FIELD_BYTES(model_span), 163);
	assert_int_equal(FIELD_BYTES(model_mapping), 36);
	assert_int_equal(FIELD_BYTES(model_birth), 20);
	assert_int_equal(FIELD_BYTES(model_futex), 107);
	assert_int_equal(FIELD_BYTES(model_cohort), 51);
	assert_int_equal(FIELD_BYTES(model_limit), 25);
}
#define HAVE_FIELD_BYTES 1
#endif
#endif

static void test_many_threads_are_small(void **state)
{
	struct model model, decoded;
	uint64_t raw_bytes, noise = 1;
	struct image image;
	uint32_t process;
	struct err err;

	(void)state;
	sample_model(&model);
	process = 1;
	for (uint32_t i = 0; i < 25000; i++) {
		struct model_thread *thread = model_add_thread(&model, process, 1000 + i);

		noise = hash_mix(noise, i);
		thread->start_ns = 5000000000ULL + i * 50000ULL + noise % 30000;
		thread->age_ns = 3000000000ULL - i * 50000ULL + noise % 50000;
		thread->run_cnt = 1 + (noise % 10 == 0);
		thread->stack = 0;
		thread->comm = 1;
		thread->state = THREAD_BLOCKED;
		thread->wait = WAIT_COND;
	}
	assert_int_equal(model_sort(&model), 0);
	image = encode(&model, &raw_bytes);
	assert_in_range(raw_bytes, 1000, 300000);
	assert_int_equal(decode(image.bytes, image.len, &decoded, &err), 0);
	assert_models_equal(&model, &decoded);
	free(image.bytes);
	model_release(&model);
	model_release(&decoded);
}

static void test_every_cut_is_refused(void **state)
{
	struct model model, decoded;
	struct image image;
	struct err err;

	(void)state;
	sample_leaks(&model);
	image = encode(&model, NULL);
	for (size_t len = 1; len < image.len; len++) {
		assert_int_equal(decode(image.bytes, len, &decoded, &err), -EBADMSG);
		model_release(&decoded);
	}
	free(image.bytes);
	model_release(&model);
}

static void test_every_flipped_byte_is_refused(void **state)
{
	struct model model, decoded;
	struct image image;
	struct err err;

	(void)state;
	sample_recording(&model);
	image = encode(&model, NULL);
	for (size_t i = 0; i < image.len; i++) {
		image.bytes[i] = (char)~image.bytes[i];
		assert_int_equal(decode(image.bytes, image.len, &decoded, &err), -EBADMSG);
		image.bytes[i] = (char)~image.bytes[i];
		model_release(&decoded);
	}
	free(image.bytes);
	model_release(&model);
}

static void test_wrong_contents_are_refused(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < broken_model_cnt(); i++) {
		struct model model, decoded;
		struct err err = { "" };
		struct image image;

		broken_model(i, &model);
		image = encode(&model, NULL);
		if (decode(image.bytes, image.len, &decoded, &err) != -EBADMSG)
			fail_msg("contents %u were accepted", i);
		assert_non_null(strstr(err.msg, "'x' is damaged: "));
		model_release(&decoded);
		model_release(&model);
		free(image.bytes);
	}
}

/* Decodes @model's capture with the sections of type @type written @cnt times, and one more of a
 * type that nobody knows. */
static int decode_with(const struct model *model, uint32_t type, unsigned int cnt, struct err *err)
{
	struct image image = encode(model, NULL), changed = { 0 };
	FILE *in = fmemopen(image.bytes, image.len, "r");
	FILE *out = open_memstream(&changed.bytes, &changed.len);
	struct capfile_reader reader;
	struct capfile_writer writer;
	struct model decoded;
	struct buf payload;
	uint32_t section;
	int code;

	buf_init(&payload, 0);
	assert_int_equal(capfile_reader_begin(&reader, in, "x", err), 0);
	assert_int_equal(capfile_writer_begin(&writer, out), 0);
	while (capfile_reader_next(&reader, &section, &payload, err))
		for (unsigned int i = 0; i < (section == type ? cnt : 1); i++)
			capfile_writer_put(&writer, section, payload.data, payload.len);
	capfile_writer_put(&writer, 4711, "new", 3);
	assert_int_equal(capfile_writer_end(&writer), 0);
	fclose(in);
	fclose(out);
	code = decode(changed.bytes, changed.len, &decoded, err);
	model_release(&decoded);
	buf_release(&payload);
	free(image.bytes);
	free(changed.bytes);
	return code;
}

static void test_each_section_stands_once(void **state)
{
	static void (*const samples[])(struct model *) = { sample_recording, sample_leaks };
	struct model model;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		samples[i](&model);
		for (uint32_t type = CAPFILE_MODEL_META; type <= CAPFILE_MODEL_LIMITS; type++) {
			bool is_there = type < CAPFILE_MODEL_SPANS ||
					(type <= CAPFILE_MODEL_FUTEXES) == (i == 0);

			assert_int_equal(decode_with(&model, type, 1, &err), 0);
			assert_int_equal(decode_with(&model, type, 2, &err),
					 is_there ? -EBADMSG : 0);
			if (is_there)
				assert_non_null(strstr(err.msg, "comes twice"));
			if (type >= CAPFILE_MODEL_SPANS)
				continue;
			assert_int_equal(decode_with(&model, type, 0, &err), -EBADMSG);
			assert_string_equal(err.msg, "'x' is damaged: a part of it is missing");
		}
		model_release(&model);
	}
	/* Without its spans it is a snapshot. Captures once had no mappings, births and futexes. */
	sample_recording(&model);
	assert_int_equal(decode_with(&model, CAPFILE_MODEL_SPANS, 0, &err), 0);
	assert_int_equal(decode_with(&model, CAPFILE_MODEL_BIRTHS, 0, &err), 0);
	assert_int_equal(decode_with(&model, CAPFILE_MODEL_FUTEXES, 0, &err), 0);
	assert_int_equal(decode_with(&model, CAPFILE_MODEL_MAPPINGS, 0, &err), 0);
	model_release(&model);
	/* Threads and points refer to cohorts; limits stand by themselves. */
	sample_leaks(&model);
	assert_int_equal(decode_with(&model, CAPFILE_MODEL_LIMITS, 0, &err), 0);
	assert_int_equal(decode_with(&model, CAPFILE_MODEL_COHORTS, 0, &err), -EBADMSG);
	assert_int_equal(decode_with(&model, CAPFILE_MODEL_COHORT_POINTS, 0, &err), -EBADMSG);
	model_release(&model);
}

static void test_maxima_hold(void **state)
{
	struct model model, decoded;
	struct capfile_reader reader;
	struct image image;
	struct err err;
	FILE *in;

	(void)state;
	sample_model(&model);
	image = encode(&model, NULL);
	in = fmemopen(image.bytes, image.len, "r");
	model_init(&decoded);
	decoded.threads.max = 6;
	assert_int_equal(capfile_reader_begin(&reader, in, "x", &err), 0);
	assert_int_equal(model_decode(&decoded, &reader, &err), -EBADMSG);
	assert_string_equal(err.msg, "'x' is damaged: it has too many threads");
	fclose(in);
	model_release(&decoded);
	model_release(&model);
	free(image.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_no_futexes),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_frames_out_of_order),
		cmocka_unit_test(test_extreme_values),
#ifdef HAVE_FIELD_BYTES
		cmocka_unit_test(test_every_field_is_known),
#endif
		cmocka_unit_test(test_many_threads_are_small),
		cmocka_unit_test(test_every_cut_is_refused),
		cmocka_unit_test(test_every_flipped_byte_is_refused),
		cmocka_unit_test(test_wrong_contents_are_refused),
		cmocka_unit_test(test_each_section_stands_once),
		cmocka_unit_test(test_maxima_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
