/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Times and hostile text in words.
 *
 *   ages      850us -> <1ms   120ms   4.2s   42s   2m13s   2h57m   3d4h   (cut, never rounded up)
 *   spans     120ns -> <1us   8.5us   850us   1.2ms   12ms   and on as ages
 *   text      everything that a target chose (thread names, paths, symbols, objects) passes through
 *             put_clean or clean_append before it is printed: what could steer a terminal, break a
 *             line or not be UTF-8 is spelled out as \x1b or \u202e
 */
#ifndef REPORT_WORDS_H
#define REPORT_WORDS_H

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "model/model.h"

#define CLEAN_MAX_BYTES 8192 /* of one name; the rest becomes "..." */

/* Short text by value: duration_words(ns).text lives to the end of the full expression. */
struct words {
	char text[64];
};

/* Returns @ns as "2m13s". */
struct words duration_words(uint64_t ns);

/* Returns @ns as "850us" or "1.2ms", from 10 ms on as duration_words. */
struct words span_duration_words(uint64_t ns);

/* Returns "2m13s to 2h57m", or one duration when both ends read the same. */
struct words duration_range_words(uint64_t min_ns, uint64_t max_ns);

/* Returns what is left of timeouts: "12s left", "12s to 40s left", "3ms overdue". */
struct words timeout_words(int64_t min_left_ns, int64_t max_left_ns);

/* Returns the local time of day of @boot_ns (CLOCK_BOOTTIME) where @model was taken, with the date
 * when it is another day than the snapshot's. */
struct words clock_words(const struct model *model, uint64_t boot_ns);

/* Returns @boot_ns (CLOCK_BOOTTIME) of @model as UTC, "2026-11-23T16:30:47.123Z". */
struct words utc_words(const struct model *model, uint64_t boot_ns);

/* Prints or appends @text made harmless. clean_append returns 0 or -errno. */
void put_clean(FILE *out, const char *text);
int clean_append(struct buf *buf, const char *text);

#endif
