/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The container of a capture: sections of bytes, each named by a number, compressed and checked.
 * What is in a section is its codec's business.
 *
 *   "\x7fLOITER\n"  u32 format
 *   section*        u32 type, u32 raw_bytes, u32 packed_bytes, u32 crc32, packed (zlib) bytes
 *   the end         a section of type 0 with nothing in it
 *
 * Numbers are little-endian. The crc covers the section's first 12 bytes and its packed bytes, so
 * that any one damaged byte is noticed; a file without its end was cut off. A reader passes over
 * types that it does not know: to add a section needs no new format, to change one does.
 *
 * Captures may come from strangers: the reader believes no size before it has seen as many bytes,
 * and bounds what a section and what a file may unpack to.
 */
#ifndef WIRE_CAPFILE_H
#define WIRE_CAPFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

#define CAPFILE_FORMAT 1
#define CAPFILE_SECTION_MAX_BYTES (512u << 20) /* unpacked */
#define CAPFILE_TOTAL_MAX_BYTES (1ull << 30)   /* unpacked, all sections */
/* No section above CAPFILE_FREE_BYTES unpacks to more than CAPFILE_RATIO_MAX times its size. */
#define CAPFILE_FREE_BYTES (16u << 20)
#define CAPFILE_RATIO_MAX 256u

/* Every section there is, so that no two codecs take one number. Never renumbered or reused. */
enum capfile_section {
	CAPFILE_END = 0,
	CAPFILE_MODEL_META = 1,
	CAPFILE_MODEL_STRINGS = 2,
	CAPFILE_MODEL_PROCESSES = 3,
	CAPFILE_MODEL_THREADS = 4,
	CAPFILE_MODEL_STACKS = 5,
	CAPFILE_MODEL_STACK_LOCS = 6,
	CAPFILE_MODEL_LOCS = 7,
	CAPFILE_MODEL_FRAMES = 8,
	CAPFILE_MODEL_SPANS = 9,     /* only of a recording: its window in ns, then the spans */
	CAPFILE_MODEL_MAPPINGS = 10, /* only when there are any */
	CAPFILE_MODEL_BIRTHS = 11,   /* likewise */
	CAPFILE_MODEL_FUTEXES = 12,  /* only when they were recorded */
	/* Only when threads were counted by cohort: how long and so on, then the cohorts. */
	CAPFILE_MODEL_COHORTS = 13,
	CAPFILE_MODEL_COHORT_POINTS = 14,
	CAPFILE_MODEL_LIMITS = 15, /* only when there are any */
};

/* -- writing -- */

struct capfile_writer {
	FILE *out;	    /* borrowed */
	uint64_t raw_bytes; /* of all sections so far */
};

/* Begins a capture on @out, which is borrowed until capfile_writer_end. Each of these returns 0
 * or -errno (-E2BIG: beyond a maximum above); the cause of a failed write is also in ferror(). */
int capfile_writer_begin(struct capfile_writer *writer, FILE *out);
int capfile_writer_put(struct capfile_writer *writer, uint32_t type, const void *bytes, size_t len);
int capfile_writer_end(struct capfile_writer *writer);

/* -- reading -- */

struct capfile_reader {
	FILE *in;
	const char *name;   /* for messages; borrowed */
	uint64_t raw_bytes; /* of all sections so far */
	bool owns_in;
};

/* Opens the capture @path ("-": standard input), borrowed until capfile_reader_close.
 * Returns 0 or -errno with @err set (-EBADMSG: not a capture, or of a newer format). */
int capfile_reader_open(struct capfile_reader *reader, const char *path, struct err *err);

/* As capfile_reader_open, on the stream @in, which stays the caller's. */
int capfile_reader_begin(struct capfile_reader *reader, FILE *in, const char *name,
			 struct err *err);

/* Replaces @ret_payload by the next section and writes its type. The buffer's own maximum is
 * raised to what the section needs. Returns 1, 0 at the end, or -errno with @err set (-EBADMSG:
 * damaged). */
int capfile_reader_next(struct capfile_reader *reader, uint32_t *ret_type, struct buf *ret_payload,
			struct err *err);

/* Sets @err to "'NAME' is damaged: ..." and returns -EBADMSG: for codecs as well. */
int capfile_reader_damaged(const struct capfile_reader *reader, struct err *err, const char *fmt,
			   ...) __attribute__((format(printf, 3, 4)));

/* Takes a reader that failed to open, too. */
void capfile_reader_close(struct capfile_reader *reader);

#endif
