/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "wire/capfile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"

#define MAGIC_BYTES 8
#define CHECKED_HEAD_BYTES 12 /* of a section's head, what the crc covers */
#define HEAD_BYTES 16
#define CHUNK_BYTES 65536

static const unsigned char magic[MAGIC_BYTES] = { 0x7f, 'L', 'O', 'I', 'T', 'E', 'R', '\n' };

struct section_head {
	uint32_t type;
	uint32_t raw_bytes;
	uint32_t packed_bytes;
	uint32_t crc;
	unsigned char checked[CHECKED_HEAD_BYTES]; /* the first three, as in the file */
};

static void put_u32(unsigned char *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
}

static uint32_t get_u32(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

/* Whether a section of these sizes is one that the reader accepts. */
static bool ratio_is_allowed(uint64_t raw_bytes, uint64_t packed_bytes)
{
	return raw_bytes <= CAPFILE_FREE_BYTES || raw_bytes / CAPFILE_RATIO_MAX <= packed_bytes;
}

static int write_all(FILE *out, const void *bytes, size_t len)
{
	errno = 0;
	if (fwrite(bytes, 1, len, out) != len)
		return errno ? -errno : -EIO;
	return 0;
}

int capfile_writer_begin(struct capfile_writer *writer, FILE *out)
{
	unsigned char bytes[MAGIC_BYTES + 4];

	*writer = (struct capfile_writer){ .out = out };
	memcpy(bytes, magic, sizeof(magic));
	put_u32(bytes + MAGIC_BYTES, CAPFILE_FORMAT);
	return write_all(out, bytes, sizeof(bytes));
}

static int write_section(FILE *out, uint32_t type, uint32_t raw_bytes, const void *packed,
			 uint32_t packed_bytes)
{
	unsigned char head[HEAD_BYTES];
	uLong crc;
	int err;

	put_u32(head, type);
	put_u32(head + 4, raw_bytes);
	put_u32(head + 8, packed_bytes);
	crc = crc32(crc32(0, NULL, 0), head, CHECKED_HEAD_BYTES);
	if (packed_bytes)
		crc = crc32(crc, packed, packed_bytes);
	put_u32(head + CHECKED_HEAD_BYTES, (uint32_t)crc);
	err = write_all(out, head, sizeof(head));
	return err ? err : write_all(out, packed, packed_bytes);
}

int capfile_writer_put(struct capfile_writer *writer, uint32_t type, const void *bytes, size_t len)
{
	_cleanup_free_ unsigned char *packed = NULL;
	uLongf packed_bytes = compressBound(len);

	if (len > CAPFILE_SECTION_MAX_BYTES || writer->raw_bytes + len > CAPFILE_TOTAL_MAX_BYTES)
		return -E2BIG;
	packed = malloc(packed_bytes);
	if (!packed)
		return -ENOMEM;
	if (compress2(packed, &packed_bytes, len ? bytes : packed, len, Z_DEFAULT_COMPRESSION))
		return -ENOMEM;
	if (!ratio_is_allowed(len, packed_bytes)) {
		packed_bytes = compressBound(len);
		if (compress2(packed, &packed_bytes, bytes, len, Z_NO_COMPRESSION))
			return -ENOMEM;
	}
	writer->raw_bytes += len;
	return write_section(writer->out, type, (uint32_t)len, packed, (uint32_t)packed_bytes);
}

int capfile_writer_end(struct capfile_writer *writer)
{
	return write_section(writer->out, CAPFILE_END, 0, "", 0);
}

int capfile_reader_damaged(const struct capfile_reader *reader, struct err *err, const char *fmt,
			   ...)
{
	char what[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return err_set(err, -EBADMSG, "'%s' is damaged: %s", reader->name, what);
}

/* Reads exactly @len bytes. Returns 0, or -errno with @err set. */
static int read_all(struct capfile_reader *reader, void *bytes, size_t len, struct err *err)
{
	errno = 0;
	if (fread(bytes, 1, len, reader->in) == len)
		return 0;
	if (ferror(reader->in))
		return err_set_errno(err, errno ? -errno : -EIO, "cannot read '%s'", reader->name);
	return capfile_reader_damaged(reader, err, "it was cut off");
}

int capfile_reader_begin(struct capfile_reader *reader, FILE *in, const char *name, struct err *err)
{
	unsigned char bytes[MAGIC_BYTES + 4];
	uint32_t format;
	int code;

	*reader = (struct capfile_reader){ .in = in, .name = name };
	code = read_all(reader, bytes, MAGIC_BYTES, err);
	if (code && code != -EBADMSG)
		return code;
	if (code || memcmp(bytes, magic, MAGIC_BYTES))
		return err_set(err, -EBADMSG, "'%s' is not a loiter capture", name);
	code = read_all(reader, bytes + MAGIC_BYTES, 4, err);
	if (code)
		return code;
	format = get_u32(bytes + MAGIC_BYTES);
	if (!format)
		return capfile_reader_damaged(reader, err, "it has no format number");
	if (format > CAPFILE_FORMAT)
		return err_set(err, -EBADMSG,
			       "'%s' was written by a newer loiter (format %u, this one reads up "
			       "to %d)",
			       name, format, CAPFILE_FORMAT);
	return 0;
}

int capfile_reader_open(struct capfile_reader *reader, const char *path, struct err *err)
{
	FILE *in = strcmp(path, "-") ? fopen(path, "re") : stdin;
	int code;

	*reader = (struct capfile_reader){ 0 };
	if (!in)
		return err_set_errno(err, -errno, "cannot read '%s'", path);
	code = capfile_reader_begin(reader, in, path, err);
	reader->owns_in = in != stdin;
	if (code)
		capfile_reader_close(reader);
	return code;
}

void capfile_reader_close(struct capfile_reader *reader)
{
	if (reader->owns_in)
		fclose(reader->in);
	*reader = (struct capfile_reader){ 0 };
}

static int read_head(struct capfile_reader *reader, struct section_head *ret, struct err *err)
{
	unsigned char bytes[HEAD_BYTES];
	int code = read_all(reader, bytes, sizeof(bytes), err);

	if (code)
		return code;
	ret->type = get_u32(bytes);
	ret->raw_bytes = get_u32(bytes + 4);
	ret->packed_bytes = get_u32(bytes + 8);
	ret->crc = get_u32(bytes + CHECKED_HEAD_BYTES);
	memcpy(ret->checked, bytes, CHECKED_HEAD_BYTES);
	if (ret->raw_bytes > CAPFILE_SECTION_MAX_BYTES ||
	    reader->raw_bytes + ret->raw_bytes > CAPFILE_TOTAL_MAX_BYTES)
		return capfile_reader_damaged(
			reader, err, "section %u would unpack to more than the maximum", ret->type);
	if (ret->packed_bytes > compressBound(ret->raw_bytes) ||
	    !ratio_is_allowed(ret->raw_bytes, ret->packed_bytes))
		return capfile_reader_damaged(reader, err,
					      "section %u claims %u bytes packed into %u",
					      ret->type, ret->raw_bytes, ret->packed_bytes);
	return 0;
}

/* Appends the section's packed bytes to @packed, as they come in. */
static int read_packed(struct capfile_reader *reader, const struct section_head *head,
		       struct buf *packed, struct err *err)
{
	uint32_t left_bytes = head->packed_bytes;

	while (left_bytes) {
		uint32_t step = left_bytes < CHUNK_BYTES ? left_bytes : CHUNK_BYTES;
		int code = buf_reserve(packed, step);

		if (code)
			return err_set_errno(err, code, "cannot read '%s'", reader->name);
		code = read_all(reader, packed->data + packed->len, step, err);
		if (code)
			return code;
		packed->len += step;
		left_bytes -= step;
	}
	return 0;
}

static uint32_t section_crc(const struct section_head *head, const struct buf *packed)
{
	uLong crc = crc32(crc32(0, NULL, 0), head->checked, CHECKED_HEAD_BYTES);

	if (packed->len)
		crc = crc32(crc, (const Bytef *)packed->data, (uInt)packed->len);
	return (uint32_t)crc;
}

static int unpack(struct capfile_reader *reader, const struct section_head *head,
		  const struct buf *packed, struct buf *ret_payload, struct err *err)
{
	uLongf raw_bytes = head->raw_bytes;
	int code;

	buf_clear(ret_payload);
	if (ret_payload->max_bytes < head->raw_bytes)
		ret_payload->max_bytes = head->raw_bytes;
	code = buf_reserve(ret_payload, head->raw_bytes);
	if (code)
		return err_set_errno(err, code, "cannot read '%s'", reader->name);
	code = uncompress((Bytef *)ret_payload->data, &raw_bytes, (const Bytef *)packed->data,
			  packed->len);
	if (code == Z_MEM_ERROR)
		return err_set_errno(err, -ENOMEM, "cannot read '%s'", reader->name);
	if (code != Z_OK || raw_bytes != head->raw_bytes)
		return capfile_reader_damaged(reader, err, "section %u does not unpack",
					      head->type);
	ret_payload->len = raw_bytes;
	ret_payload->data[raw_bytes] = '\0';
	return 0;
}

/* The end is a section of its own, and nothing follows it. */
static int check_end(struct capfile_reader *reader, const struct section_head *head,
		     struct err *err)
{
	if (head->raw_bytes || head->packed_bytes || fgetc(reader->in) != EOF)
		return capfile_reader_damaged(reader, err, "it goes on behind its end");
	return 0;
}

int capfile_reader_next(struct capfile_reader *reader, uint32_t *ret_type, struct buf *ret_payload,
			struct err *err)
{
	struct section_head head;
	struct buf packed;
	int code = read_head(reader, &head, err);

	if (code)
		return code;
	buf_init(&packed, head.packed_bytes);
	code = read_packed(reader, &head, &packed, err);
	if (!code && section_crc(&head, &packed) != head.crc)
		code = capfile_reader_damaged(reader, err, "the checksum of section %u is wrong",
					      head.type);
	if (!code && head.type == CAPFILE_END)
		code = check_end(reader, &head, err);
	else if (!code)
		code = unpack(reader, &head, &packed, ret_payload, err);
	buf_release(&packed);
	if (code)
		return code;
	reader->raw_bytes += head.raw_bytes;
	*ret_type = head.type;
	return head.type != CAPFILE_END;
}
