/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Folded stacks, as flamegraph.pl reads them: elements parted by ';', then a number. Equal lines
 * are one. Each line is put together in the report's own and then added:
 *
 *   life cycle  fold_init, fold_release
 *   a line      fold_begin, fold_text, fold_stack, fold_kernel_stack, fold_inverse, fold_add;
 *               fold_group, fold_span_group make a whole one
 *   all lines   fold_print
 *
 * Each int is 0 or -errno.
 */
#ifndef REPORT_FOLD_H
#define REPORT_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strpool.h"
#include "base/vec.h"
#include "report/formats.h"
#include "report/group.h"
#include "report/spans.h"

struct fold {
	struct report *report;
	bool all; /* every frame: plumbing too */
	struct strpool lines;
	struct vec weights; /* uint64_t: [id - 1] is that of line id */
};

void fold_init(struct fold *fold, struct report *report);
void fold_release(struct fold *fold);

/* Begins a line with the name of a process. */
int fold_begin(struct fold *fold, const char *comm);

/* Appends an element: @text between @before, which starts with the ';', and @after. */
int fold_text(struct fold *fold, const char *before, const char *text, const char *after);

/* Appends what is wrong with stack @stack, and its frames from the root on. */
int fold_stack(struct fold *fold, uint32_t stack);
int fold_kernel_stack(struct fold *fold, uint32_t kstack);

/* As fold_stack, for a stack at which threads were created: up to the function of the creator's own
 * that did. */
int fold_creator(struct fold *fold, uint32_t stack);

/* Appends the frames of @stack from the leaf on, and then what is wrong with it. */
int fold_inverse(struct fold *fold, uint32_t stack);

/* Makes the whole line of a group of threads of a process named @comm, or of a group of spans. */
int fold_group(struct fold *fold, const char *comm, const struct group *group);
int fold_span_group(struct fold *fold, const struct span_group *group);

/* Adds @weight to the line. */
int fold_add(struct fold *fold, uint64_t weight);

/* Prints the lines in order, weights in units of @unit. They are rounded so that any run of lines
 * adds up to what it should, within one unit; lines that come to 0 are left out. */
int fold_print(const struct fold *fold, uint64_t unit);

#endif
