/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "pprof_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "unit.h"

#define PROFILE_MAX_BYTES (64u << 20)

/* Appends what the one gzip member in @bytes, and nothing behind it, unpacks to. */
static void gunzip(const void *bytes, size_t len, struct buf *buf)
{
	z_stream gzip = { .next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)len };
	unsigned char chunk[4096];
	int status;

	assert_int_equal(inflateInit2(&gzip, 15 + 16), Z_OK);
	do {
		gzip.next_out = chunk;
		gzip.avail_out = sizeof(chunk);
		status = inflate(&gzip, Z_NO_FLUSH);
		assert_true(status == Z_OK || status == Z_STREAM_END);
		assert_int_equal(buf_put(buf, chunk, sizeof(chunk) - gzip.avail_out), 0);
	} while (status == Z_OK);
	assert_int_equal(gzip.avail_in, 0);
	inflateEnd(&gzip);
}

const char *pprof_string(const Pprof__Profile *profile, int64_t id)
{
	assert_in_range(id, 0, profile->n_string_table - 1);
	return profile->string_table[id];
}

#define FIND(profile, name, wanted)                                                                \
	for (size_t i = 0; i < (profile)->n_##name; i++)                                           \
		if ((profile)->name[i]->id == (wanted))                                            \
			return (profile)->name[i];                                                 \
	return NULL

const Pprof__Mapping *pprof_mapping(const Pprof__Profile *profile, uint64_t id)
{
	FIND(profile, mapping, id);
}

const Pprof__Location *pprof_location(const Pprof__Profile *profile, uint64_t id)
{
	FIND(profile, location, id);
}

const Pprof__Function *pprof_function(const Pprof__Profile *profile, uint64_t id)
{
	FIND(profile, function, id);
}

/* Each element is the first with its id, which is not 0. */
static void check_ids(const Pprof__Profile *profile)
{
	for (size_t i = 0; i < profile->n_mapping; i++)
		assert_ptr_equal(pprof_mapping(profile, profile->mapping[i]->id),
				 profile->mapping[i]);
	for (size_t i = 0; i < profile->n_location; i++)
		assert_ptr_equal(pprof_location(profile, profile->location[i]->id),
				 profile->location[i]);
	for (size_t i = 0; i < profile->n_function; i++)
		assert_ptr_equal(pprof_function(profile, profile->function[i]->id),
				 profile->function[i]);
	assert_null(pprof_mapping(profile, 0));
	assert_null(pprof_location(profile, 0));
	assert_null(pprof_function(profile, 0));
}

/* Each text stands in the table once, "" first. */
static void check_strings(const Pprof__Profile *profile)
{
	assert_true(profile->n_string_table > 0);
	assert_string_equal(profile->string_table[0], "");
	for (size_t i = 0; i < profile->n_string_table; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(profile->string_table[i], profile->string_table[j]);
}

static void check_samples(const Pprof__Profile *profile)
{
	assert_true(profile->n_sample_type > 0);
	assert_non_null(profile->period_type);
	for (size_t i = 0; i < profile->n_sample; i++) {
		const Pprof__Sample *sample = profile->sample[i];

		assert_int_equal(sample->n_value, profile->n_sample_type);
		assert_true(sample->n_location_id > 0);
		for (size_t j = 0; j < sample->n_location_id; j++)
			assert_non_null(pprof_location(profile, sample->location_id[j]));
	}
	for (size_t i = 0; i < profile->n_location; i++) {
		const Pprof__Location *location = profile->location[i];

		assert_true(location->n_line > 0);
		assert_true(!location->mapping_id || pprof_mapping(profile, location->mapping_id));
		for (size_t j = 0; j < location->n_line; j++)
			assert_non_null(pprof_function(profile, location->line[j]->function_id));
	}
}

Pprof__Profile *pprof_unpack(const void *bytes, size_t len)
{
	Pprof__Profile *profile;
	struct buf buf;

	buf_init(&buf, PROFILE_MAX_BYTES);
	gunzip(bytes, len, &buf);
	profile = pprof__profile__unpack(NULL, buf.len, (const uint8_t *)buf.data);
	buf_release(&buf);
	assert_non_null(profile);
	check_strings(profile);
	check_ids(profile);
	check_samples(profile);
	return profile;
}

void pprof_free(Pprof__Profile *profile)
{
	pprof__profile__free_unpacked(profile, NULL);
}

/* -- as text -- */

static void put_type(FILE *out, const char *before, const Pprof__Profile *profile,
		     const Pprof__ValueType *type)
{
	fprintf(out, "%s%s/%s\n", before, pprof_string(profile, type->type),
		pprof_string(profile, type->unit));
}

static void put_head(FILE *out, const Pprof__Profile *profile)
{
	char before[64];

	for (size_t i = 0; i < profile->n_sample_type; i++)
		put_type(out, "type ", profile, profile->sample_type[i]);
	fprintf(out, "default %s\n", pprof_string(profile, profile->default_sample_type));
	snprintf(before, sizeof(before), "period %" PRId64 " ", profile->period);
	put_type(out, before, profile, profile->period_type);
	fprintf(out, "time %" PRId64 "\nduration %" PRId64 "\n", profile->time_nanos,
		profile->duration_nanos);
	for (size_t i = 0; i < profile->n_comment; i++)
		fprintf(out, "comment %s\n", pprof_string(profile, profile->comment[i]));
}

static void put_mapping(FILE *out, const Pprof__Profile *profile, const Pprof__Mapping *mapping)
{
	fprintf(out, "mapping %" PRIu64 " 0x%" PRIx64 "-0x%" PRIx64 " at 0x%" PRIx64 " %s",
		mapping->id, mapping->memory_start, mapping->memory_limit, mapping->file_offset,
		pprof_string(profile, mapping->filename));
	if (mapping->build_id)
		fprintf(out, " (%s)", pprof_string(profile, mapping->build_id));
	fprintf(out, "%s%s%s%s\n", mapping->has_functions ? " functions" : "",
		mapping->has_filenames ? " files" : "", mapping->has_line_numbers ? " lines" : "",
		mapping->has_inline_frames ? " inlined" : "");
}

static void put_location(FILE *out, const Pprof__Profile *profile, const Pprof__Location *location)
{
	for (size_t i = 0; i < location->n_line; i++) {
		const Pprof__Line *line = location->line[i];
		const Pprof__Function *function = pprof_function(profile, line->function_id);

		fprintf(out, "\t%s", pprof_string(profile, function->name));
		if (function->system_name != function->name)
			fprintf(out, " (%s)", pprof_string(profile, function->system_name));
		if (function->filename || line->line)
			fprintf(out, " %s:%" PRId64, pprof_string(profile, function->filename),
				line->line);
		if (i + 1 < location->n_line)
			fputs(" inlined", out);
		else if (location->address)
			fprintf(out, " in %" PRIu64 " at 0x%" PRIx64, location->mapping_id,
				location->address);
		fputc('\n', out);
	}
}

static void put_sample(FILE *out, const Pprof__Profile *profile, const Pprof__Sample *sample)
{
	fputs("sample", out);
	for (size_t i = 0; i < sample->n_value; i++)
		fprintf(out, " %" PRId64, sample->value[i]);
	for (size_t i = 0; i < sample->n_label; i++) {
		const Pprof__Label *label = sample->label[i];

		fprintf(out, " %s=", pprof_string(profile, label->key));
		if (label->str)
			fputs(pprof_string(profile, label->str), out);
		else
			fprintf(out, "%" PRId64, label->num);
	}
	fputc('\n', out);
	for (size_t i = 0; i < sample->n_location_id; i++)
		put_location(out, profile, pprof_location(profile, sample->location_id[i]));
}

char *pprof_text(const void *bytes, size_t len)
{
	Pprof__Profile *profile = pprof_unpack(bytes, len);
	char *text = NULL;
	size_t text_len;
	FILE *out = open_memstream(&text, &text_len);

	assert_non_null(out);
	put_head(out, profile);
	for (size_t i = 0; i < profile->n_mapping; i++)
		put_mapping(out, profile, profile->mapping[i]);
	for (size_t i = 0; i < profile->n_sample; i++)
		put_sample(out, profile, profile->sample[i]);
	assert_int_equal(fclose(out), 0);
	pprof_free(profile);
	return text;
}
