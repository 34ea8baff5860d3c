/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What every fuzzed model goes through: all reports, and once more through a capture. */
#ifndef FUZZ_REPORTS_H
#define FUZZ_REPORTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "profile.pb-c.h"

#include "model/codec.h"
#include "report/diff.h"
#include "report/report.h"
#include "wire/capfile.h"

#define FUZZ_FRAME_MAX 3000 /* printed: a few bytes can tell of billions */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct fuzz_text {
	char *bytes;
	size_t len;
};

static inline void require(bool holds)
{
	if (!holds)
		abort();
}

/* An empty model whose maxima keep one input from taking seconds. */
static inline void fuzz_model_init(struct model *model)
{
	model_init(model);
	model->processes.max = 256;
	model->threads.max = model->stacks.max = model->locs.max = model->frames.max = 4096;
	model->stack_locs.max = 16384;
	model->spans.max = model->mappings.max = model->births.max = 4096;
	model->cohorts.max = model->limits.max = 4096;
}

static inline uint64_t fuzz_stack_frames(const struct model *model, uint32_t idx)
{
	uint64_t cnt = 1;

	if (idx == MODEL_NONE)
		return cnt;
	for (uint32_t i = 0; i < model_stack(model, idx)->loc_cnt; i++)
		cnt += 1 + model_stack_loc(model, model_stack(model, idx), i)->frame_cnt;
	return cnt;
}

static inline bool fuzz_is_printable(const struct model *model)
{
	uint64_t cnt = 0;

	for (uint32_t i = 0; i < model->threads.len && cnt <= FUZZ_FRAME_MAX; i++)
		cnt += fuzz_stack_frames(model, model_thread(model, i)->stack) +
		       fuzz_stack_frames(model, model_thread(model, i)->kstack);
	for (uint32_t i = 0; i < model->births.len && cnt <= FUZZ_FRAME_MAX; i++)
		cnt += fuzz_stack_frames(model,
					 ((struct model_birth *)vec_at(&model->births, i))->stack);
	for (uint32_t i = 0; i < model->spans.len && cnt <= FUZZ_FRAME_MAX; i++)
		cnt += fuzz_stack_frames(model, model_span(model, i)->stack) +
		       fuzz_stack_frames(model, model_span(model, i)->kstack) +
		       fuzz_stack_frames(model, model_span(model, i)->waker_stack);
	for (uint32_t i = 0; i < model->futexes.len && cnt <= FUZZ_FRAME_MAX; i++)
		cnt += fuzz_stack_frames(model, model_futex(model, i)->stack);
	for (uint32_t i = 0; i < model->cohorts.len && cnt <= FUZZ_FRAME_MAX; i++)
		cnt += fuzz_stack_frames(model, model_cohort(model, i)->creator) +
		       fuzz_stack_frames(model, model_cohort(model, i)->stack);
	return cnt <= FUZZ_FRAME_MAX;
}

static inline struct fuzz_text fuzz_report(const struct model *model,
					   const struct report_options *options)
{
	struct fuzz_text text = { 0 };
	FILE *out = open_memstream(&text.bytes, &text.len);

	require(out);
	require(!report_dump(model, options, out));
	require(!fclose(out));
	return text;
}

/* A profile must be gzip, then a message, without anything left. */
static inline void fuzz_profile(const struct fuzz_text *text)
{
	static uint8_t bytes[64u << 20];
	z_stream gzip = { .next_in = (uint8_t *)text->bytes,
			  .avail_in = (uInt)text->len,
			  .next_out = bytes,
			  .avail_out = sizeof(bytes) };
	Pprof__Profile *profile;

	require(inflateInit2(&gzip, 15 + 16) == Z_OK);
	require(inflate(&gzip, Z_FINISH) == Z_STREAM_END && !gzip.avail_in);
	profile = pprof__profile__unpack(NULL, gzip.total_out, bytes);
	require(profile);
	pprof__profile__free_unpacked(profile, NULL);
	inflateEnd(&gzip);
}

/* Whatever is in a page's data, it is JSON, and neither ends its element nor starts another. */
static inline void fuzz_page(const struct fuzz_text *text)
{
	static const char before[] = "<script type=\"application/json\" id=\"data\">";
	char *data = strstr(text->bytes, before), *end;
	json_t *json;

	require(data);
	data += sizeof(before) - 1;
	end = strchr(data, '<');
	require(end && !strncmp(end, "</script>\n", 10));
	json = json_loadb(data, (size_t)(end - data), 0, NULL);
	require(json);
	json_decref(json);
}

/* The reports with all and with as little as possible; json must be JSON whatever is in it. */
static inline void fuzz_report_all(const struct model *model)
{
	for (int format = 0; format < REPORT_FORMAT_CNT; format++)
		for (int all = 0; all < 2; all++) {
			struct report_options options = { .format = (enum report_format)format,
							  .by = all ? REPORT_BY_WALL
								    : REPORT_BY_WAKER,
							  .by_thread = all,
							  .top = all ? 0 : 3,
							  .verbose = all,
							  .kernel = all,
							  .color = all,
							  .no_idle = !all,
							  .min_block_ns = all ? 0 : 1000 };
			struct fuzz_text text;

			if (!report_format_fits(options.format, report_of(model)))
				continue;
			text = fuzz_report(model, &options);

			if (format == REPORT_JSON) {
				json_t *json = json_loadb(text.bytes, text.len, 0, NULL);

				require(json);
				json_decref(json);
			}
			if (format == REPORT_PPROF)
				fuzz_profile(&text);
			if (format == REPORT_HTML)
				fuzz_page(&text);
			free(text.bytes);
		}
}

/* The reports of futexes, likewise. */
static inline void fuzz_futexes(const struct model *model)
{
	for (int format = 0; format < REPORT_FORMAT_CNT; format++)
		for (int all = 0; all < 2; all++) {
			struct report_options options = { .format = (enum report_format)format,
							  .by = REPORT_BY_FUTEX,
							  .top = all ? 0 : 3,
							  .verbose = all };
			struct fuzz_text text;

			if (!model->window_ns || !model->has_futexes ||
			    !report_format_fits_by(options.format, options.by))
				continue;
			text = fuzz_report(model, &options);
			if (format == REPORT_JSON) {
				json_t *json = json_loadb(text.bytes, text.len, 0, NULL);

				require(json);
				json_decref(json);
			}
			free(text.bytes);
		}
}

/* What changed from @model to itself, and whether it has a leak. */
static inline void fuzz_diff(const struct model *model)
{
	const struct diff_capture capture = { .model = model, .name = "x" };

	for (int all = 0; all < 2; all++) {
		const struct report_options options = { .format = all ? REPORT_JSON : REPORT_TEXT,
							.verbose = all };
		struct fuzz_text text = { 0 };
		FILE *out = open_memstream(&text.bytes, &text.len);
		bool found;

		require(out);
		require(!report_diff(&capture, &capture, &options, out));
		require(!fclose(out));
		if (all) {
			json_t *json = json_loadb(text.bytes, text.len, 0, NULL);

			require(json);
			json_decref(json);
		}
		free(text.bytes);
		require(!report_has_leak(model, &options, &found));
	}
}

/* Encodes what was decoded: the report after decoding that again must be the same. */
static inline void fuzz_round_trip(const struct model *model)
{
	const struct report_options options = {
		.format = report_of(model) == REPORT_OF_DUMP ? REPORT_THREADS : REPORT_JSON,
		.by = model->has_futexes ? REPORT_BY_FUTEX : REPORT_BY_WALL,
		.kernel = true,
	};
	struct fuzz_text before = fuzz_report(model, &options), after, file = { 0 };
	FILE *stream = open_memstream(&file.bytes, &file.len);
	struct capfile_writer writer;
	struct capfile_reader reader;
	struct model again;
	struct err err;

	require(stream);
	require(!capfile_writer_begin(&writer, stream));
	require(!model_encode(model, &writer));
	require(!capfile_writer_end(&writer));
	require(!fclose(stream));

	stream = fmemopen(file.bytes, file.len, "r");
	require(stream);
	model_init(&again);
	require(!capfile_reader_begin(&reader, stream, "again", &err));
	require(!model_decode(&again, &reader, &err));
	fclose(stream);
	after = fuzz_report(&again, &options);
	require(before.len == after.len && !memcmp(before.bytes, after.bytes, before.len));
	model_release(&again);
	free(before.bytes);
	free(after.bytes);
	free(file.bytes);
}

/* Decodes the @len bytes of a capture at @bytes and, when it is one, does all of the above. */
static inline void fuzz_capture(const void *bytes, size_t len)
{
	FILE *in = fmemopen((void *)(uintptr_t)bytes, len, "r");
	struct capfile_reader reader;
	struct model model;
	struct err err;
	int code;

	if (!in)
		return;
	fuzz_model_init(&model);
	code = capfile_reader_begin(&reader, in, "fuzz", &err);
	if (!code)
		code = model_decode(&model, &reader, &err);
	if (!code && fuzz_is_printable(&model)) {
		fuzz_report_all(&model);
		fuzz_futexes(&model);
		fuzz_diff(&model);
		fuzz_round_trip(&model);
	}
	capfile_reader_close(&reader);
	fclose(in);
	model_release(&model);
}

#endif
