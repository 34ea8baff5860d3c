/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The page that the html format is: what stands in page/, and in its middle one JSON object with
 * all that the report says. Nothing of the data can become markup: every byte of it passes through
 * a stream that spells '<' as \u003c, which only strings can hold.
 *
 *   life cycle  page_begin, page_end
 *   members     page_put_..., and JSON printed to .data
 *   text        page_catch, and printing to report->out, up to page_caught or page_put_caught
 *
 * Texts that come again and again are interned: "names" are elements of the graph and cells of the
 * table, "lines" are lines of text, and both are referred to by index. The object is for the
 * scripts of the same version alone.
 */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include <stdint.h>
#include <stdio.h>

#include "base/strpool.h"
#include "report/fold.h"
#include "report/formats.h"
#include "report/shape.h"

struct page {
	FILE *data;	  /* NULL until it could be opened */
	struct fold fold; /* for the line of a group */
	/* Private from here on. */
	struct report *report; /* its .out is .data, or text being caught, between begin and end */
	FILE *out;
	struct strpool names;
	struct strpool lines;
	char *text; /* caught */
	size_t text_len;
};

/* Which frames tell groups apart. */
enum shape_of page_shape(const struct report *report);

/* Prints the page up to and into the data. Returns 0 or -errno; ended in either case. */
int page_begin(struct page *page, struct report *report);

/* Prints the rest, unless @err is set. Returns @err, 0 or -errno. */
int page_end(struct page *page, int err);

/* Prints a member: @key with the index of @text. */
void page_put_name(struct page *page, const char *key, const char *text);

/* Prints a member: @key with @value, capped to what JSON readers take. */
void page_put_u64(struct page *page, const char *key, uint64_t value);

/* Prints a member: "path" with the elements of .fold's line, root first. */
void page_put_path(struct page *page);

/* Prints a member: "where" with the innermost of the user's own frames of @stack.
 * Returns 0 or -ENOMEM. */
int page_put_where(struct page *page, uint32_t stack);

/* Prints a member: "threads", each as [tid, name], and with @waits [tid, name, age or -1 while it
 * runs, object, times it ran]. */
void page_put_threads(struct page *page, const struct members *members, bool waits);

/* Prints a member: "notes" with the processes that were left out, and what was lost.
 * Returns 0 or -ENOMEM. */
int page_put_notes(struct page *page, uint32_t left_out_cnt);

/* Catches what is printed to report->out from here on. Returns 0 or -errno. */
int page_catch(struct page *page);

/* Ends that. Returns the text, valid until the next page_catch, or NULL when memory ran out. */
const char *page_caught(struct page *page);

/* Ends that, and prints it as a member: @key with its lines but the empty ones. @err is what came
 * of printing it. Returns @err, 0 or -ENOMEM. */
int page_put_caught(struct page *page, const char *key, int err);

#endif
