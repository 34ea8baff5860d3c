/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The container of a capture: what was written is read; what was damaged is refused. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "wire/capfile.h"
#include "wire/varint.h"

#define HEAD_BYTES 12 /* of the file */

struct image {
	char *bytes;
	size_t len;
};

static FILE *open_image(const struct image *image, size_t len)
{
	FILE *in = fmemopen(len ? image->bytes : (char *)"", len ? len : 1, "r");

	assert_non_null(in);
	if (!len)
		fgetc(in);
	return in;
}

/* A capture with two sections and one that nobody knows. */
static struct image some_capture(void)
{
	struct image image = { 0 };
	FILE *out = open_memstream(&image.bytes, &image.len);
	struct capfile_writer writer;

	assert_non_null(out);
	assert_int_equal(capfile_writer_begin(&writer, out), 0);
	assert_int_equal(capfile_writer_put(&writer, 3, "first", 5), 0);
	assert_int_equal(capfile_writer_put(&writer, 4711, "", 0), 0);
	assert_int_equal(capfile_writer_put(&writer, 1, "second", 6), 0);
	assert_int_equal(capfile_writer_end(&writer), 0);
	assert_int_equal(fclose(out), 0);
	return image;
}

/* Reads all of @in. Returns 0 or -errno; the type and payload of each section go to @ret. */
static int read_all_sections(FILE *in, struct buf *ret, struct err *err)
{
	struct capfile_reader reader;
	struct buf payload;
	uint32_t type;
	int code = capfile_reader_begin(&reader, in, "x", err);

	buf_init(&payload, 0);
	while (!code && (code = capfile_reader_next(&reader, &type, &payload, err)) == 1) {
		code = 0;
		buf_printf(ret, "%u:%s;", type, buf_text(&payload));
		assert_int_equal(strlen(buf_text(&payload)), payload.len);
	}
	capfile_reader_close(&reader);
	buf_release(&payload);
	return code;
}

static int read_image(const struct image *image, struct buf *ret, struct err *err)
{
	FILE *in = open_image(image, image->len);
	int code;

	buf_clear(ret);
	code = read_all_sections(in, ret, err);
	fclose(in);
	return code;
}

static void test_round_trip(void **state)
{
	struct image image = some_capture();
	struct err err;
	struct buf seen;

	(void)state;
	buf_init(&seen, 1000);
	assert_int_equal(read_image(&image, &seen, &err), 0);
	assert_string_equal(buf_text(&seen), "3:first;4711:;1:second;");
	buf_release(&seen);
	free(image.bytes);
}

static void test_every_cut_is_refused(void **state)
{
	struct image image = some_capture();
	struct err err;
	struct buf seen;

	(void)state;
	buf_init(&seen, 1000);
	for (size_t len = 0; len < image.len; len++) {
		FILE *in = open_image(&image, len);

		assert_int_equal(read_all_sections(in, &seen, &err), -EBADMSG);
		assert_string_equal(err.msg, len < 8 ? "'x' is not a loiter capture"
						     : "'x' is damaged: it was cut off");
		fclose(in);
	}
	buf_release(&seen);
	free(image.bytes);
}

static void test_every_flipped_bit_is_refused(void **state)
{
	struct image image = some_capture();
	struct err err;
	struct buf seen;

	(void)state;
	buf_init(&seen, 1000);
	for (size_t i = 0; i < image.len * 8; i++) {
		image.bytes[i / 8] = (char)(image.bytes[i / 8] ^ (1 << i % 8));
		assert_int_equal(read_image(&image, &seen, &err), -EBADMSG);
		image.bytes[i / 8] = (char)(image.bytes[i / 8] ^ (1 << i % 8));
	}
	assert_int_equal(read_image(&image, &seen, &err), 0);
	buf_release(&seen);
	free(image.bytes);
}

static void test_more_behind_the_end(void **state)
{
	struct image image = some_capture();
	struct err err;
	struct buf seen;

	(void)state;
	buf_init(&seen, 1000);
	image.bytes = realloc(image.bytes, image.len + 1);
	assert_non_null(image.bytes);
	image.bytes[image.len++] = 0;
	assert_int_equal(read_image(&image, &seen, &err), -EBADMSG);
	assert_string_equal(err.msg, "'x' is damaged: it goes on behind its end");
	buf_release(&seen);
	free(image.bytes);
}

static void test_newer_format_is_named(void **state)
{
	struct image image = some_capture();
	struct err err;
	struct buf seen;

	(void)state;
	buf_init(&seen, 1000);
	image.bytes[8] = 3;
	assert_int_equal(read_image(&image, &seen, &err), -EBADMSG);
	assert_string_equal(err.msg, "'x' was written by a newer loiter (format 3, this one reads "
				     "up to 1)");
	buf_release(&seen);
	free(image.bytes);
}

static void put_u32(char *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (char)(value >> (8 * i));
}

/* A file whose only section has this head and a right checksum. */
static struct image forge(uint32_t raw_bytes, const void *packed, uint32_t packed_bytes)
{
	struct image image = some_capture();
	char *head = image.bytes + HEAD_BYTES;

	image.len = HEAD_BYTES + 16 + packed_bytes;
	image.bytes = realloc(image.bytes, image.len);
	assert_non_null(image.bytes);
	head = image.bytes + HEAD_BYTES;
	put_u32(head, 1);
	put_u32(head + 4, raw_bytes);
	put_u32(head + 8, packed_bytes);
	memcpy(head + 16, packed, packed_bytes);
	put_u32(head + 12,
		(uint32_t)crc32(crc32(0, (Bytef *)head, 12), (Bytef *)head + 16, packed_bytes));
	return image;
}

static void assert_forged_is_refused(struct image image, const char *why)
{
	struct err err = { "" };
	struct buf seen;

	buf_init(&seen, 1000);
	assert_int_equal(read_image(&image, &seen, &err), -EBADMSG);
	if (!strstr(err.msg, why))
		assert_string_equal(err.msg, why);
	buf_release(&seen);
	free(image.bytes);
}

static void test_sizes_are_bounded(void **state)
{
	uint32_t zero_bytes = 64u << 20;
	uLongf packed_bytes = compressBound(zero_bytes);
	Bytef *zeros = calloc(1, zero_bytes), *packed = malloc(packed_bytes);

	(void)state;
	assert_non_null(zeros);
	assert_non_null(packed);
	assert_int_equal(compress(packed, &packed_bytes, zeros, zero_bytes), Z_OK);
	/* 64 MiB of zeros in 64 KiB: what they claim is true, but nobody needs it. */
	assert_forged_is_refused(forge(zero_bytes, packed, (uint32_t)packed_bytes), "claims");
	assert_forged_is_refused(forge(UINT32_MAX, packed, 1000), "more than the maximum");
	assert_forged_is_refused(forge(4, packed, 1000), "claims");
	assert_forged_is_refused(forge(1000, packed, (uint32_t)packed_bytes), "claims");
	assert_forged_is_refused(forge(1 << 20, packed, 4000), "does not unpack");
	assert_forged_is_refused(forge(100, "garbage", 7), "does not unpack");
	assert_forged_is_refused(forge(100, "", 0), "does not unpack");
	free(zeros);
	free(packed);
}

/* What the writer makes of compressible bytes, the reader must not take for a bomb. */
static void test_writer_keeps_to_the_ratio(void **state)
{
	size_t zero_bytes = 40u << 20;
	char *zeros = calloc(1, zero_bytes);
	struct image image = { 0 };
	FILE *out = open_memstream(&image.bytes, &image.len);
	struct capfile_writer writer;
	struct capfile_reader reader;
	struct buf payload;
	struct err err;
	uint32_t type;
	FILE *in;

	(void)state;
	assert_non_null(zeros);
	assert_non_null(out);
	assert_int_equal(capfile_writer_begin(&writer, out), 0);
	assert_int_equal(capfile_writer_put(&writer, 1, zeros, zero_bytes), 0);
	assert_int_equal(capfile_writer_put(&writer, 2, zeros, CAPFILE_SECTION_MAX_BYTES + 1ul),
			 -E2BIG);
	assert_int_equal(capfile_writer_end(&writer), 0);
	assert_int_equal(fclose(out), 0);

	in = open_image(&image, image.len);
	buf_init(&payload, 0);
	assert_int_equal(capfile_reader_begin(&reader, in, "x", &err), 0);
	assert_int_equal(capfile_reader_next(&reader, &type, &payload, &err), 1);
	assert_int_equal(payload.len, zero_bytes);
	assert_memory_equal(payload.data, zeros, zero_bytes);
	assert_int_equal(capfile_reader_next(&reader, &type, &payload, &err), 0);
	buf_release(&payload);
	fclose(in);
	free(image.bytes);
	free(zeros);
}

static void test_full_disk_is_an_error(void **state)
{
	FILE *out = fopen("/dev/full", "we");
	struct capfile_writer writer;
	int err;

	(void)state;
	assert_non_null(out);
	setvbuf(out, NULL, _IONBF, 0);
	err = capfile_writer_begin(&writer, out);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(capfile_writer_put(&writer, 1, "x", 1), -ENOSPC);
	assert_int_equal(capfile_writer_end(&writer), -ENOSPC);
	fclose(out);
}

static void test_open_names_its_failure(void **state)
{
	struct capfile_reader reader;
	struct err err;

	(void)state;
	assert_int_equal(capfile_reader_open(&reader, "/none", &err), -ENOENT);
	assert_string_equal(err.msg, "cannot read '/none': No such file or directory");
	capfile_reader_close(&reader);
	assert_int_equal(capfile_reader_open(&reader, "/", &err), -EISDIR);
	assert_string_equal(err.msg, "cannot read '/': Is a directory");
	capfile_reader_close(&reader);
	assert_int_equal(capfile_reader_open(&reader, "/dev/null", &err), -EBADMSG);
	assert_string_equal(err.msg, "'/dev/null' is not a loiter capture");
	capfile_reader_close(&reader);
}

static void test_varints(void **state)
{
	static const uint64_t values[] = { 0, 1, 127, 128, 300, UINT32_MAX, INT64_MAX, UINT64_MAX };
	struct cursor cursor;
	struct buf buf;

	(void)state;
	buf_init(&buf, 1000);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_int_equal(varint_put(&buf, values[i]), 0);
	cursor_init(&cursor, buf.data, buf.len);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_true(cursor_varint(&cursor) == values[i]);
	assert_false(cursor.failed);
	assert_int_equal(cursor_left_bytes(&cursor), 0);
	assert_int_equal(cursor_varint(&cursor), 0);
	assert_true(cursor.failed);

	/* More than 64 bits, in its last byte or by a byte too many. */
	cursor_init(&cursor, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
	assert_int_equal(cursor_varint(&cursor), 0);
	assert_true(cursor.failed);
	cursor_init(&cursor, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00\x05", 12);
	assert_int_equal(cursor_varint(&cursor), 0);
	assert_int_equal(cursor_varint(&cursor), 0);
	assert_true(cursor.failed);
	buf_release(&buf);
}

static void test_zigzag(void **state)
{
	static const int64_t values[] = { 0, -1, 1, -2, INT64_MAX, INT64_MIN };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_true(zigzag_decode(zigzag_encode(values[i])) == values[i]);
	assert_int_equal(zigzag_encode(-1), 1);
	assert_int_equal(zigzag_encode(1), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_cut_is_refused),
		cmocka_unit_test(test_every_flipped_bit_is_refused),
		cmocka_unit_test(test_more_behind_the_end),
		cmocka_unit_test(test_newer_format_is_named),
		cmocka_unit_test(test_sizes_are_bounded),
		cmocka_unit_test(test_writer_keeps_to_the_ratio),
		cmocka_unit_test(test_full_disk_is_an_error),
		cmocka_unit_test(test_open_names_its_failure),
		cmocka_unit_test(test_varints),
		cmocka_unit_test(test_zigzag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
