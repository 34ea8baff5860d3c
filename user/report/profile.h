/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A profile in the form that pprof reads (proto/profile.proto), gzip'd, written as it is made:
 * each piece is a message of its own behind the one before, which is the same as one message. So
 * only its tables are kept, never the whole.
 *
 *   life cycle  profile_begin, then the verbs, then profile_end
 *   verbs       profile_text, profile_function, profile_put
 *
 * Text is given a number by profile_text, which must come before the piece that uses it.
 */
#ifndef REPORT_PROFILE_H
#define REPORT_PROFILE_H

#include <stdint.h>
#include <stdio.h>
#include <zlib.h>

#include "profile.pb-c.h"

#include "base/buf.h"
#include "base/strpool.h"
#include "base/table.h"

struct profile {
	FILE *out; /* borrowed */
	z_stream gzip;
	struct buf piece;
	struct strpool texts; /* by the number that the profile has them under */
	struct table functions;
	int err; /* the first one; what comes behind it does nothing */
};

/* Begins a profile on @out. Returns 0 or -ENOMEM; then too, profile_end is to follow. */
int profile_begin(struct profile *profile, FILE *out);

/* Writes the rest and releases all of it. Returns 0 or the first -errno of all calls; write errors
 * stay in ferror() of the stream. */
int profile_end(struct profile *profile);

/* Returns the number of @text. */
int64_t profile_text(struct profile *profile, const char *text);

/* Returns the id of the function @full, which is shown as @name, of the file @file: all of them the
 * numbers of texts. */
uint64_t profile_function(struct profile *profile, int64_t name, int64_t full, int64_t file);

/* Writes @piece: any part of a profile that has not been written yet. */
void profile_put(struct profile *profile, const Pprof__Profile *piece);

#endif
