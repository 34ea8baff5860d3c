/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What changed between two captures of the same processes: which groups of threads grew, shrank,
 * came and went, and which threads are where they were, and have not run since.
 *
 * Groups are alike when their folded stacks read the same, so that it does not matter where in
 * memory a program was, nor who created what. A process is the same by id and start; else one of
 * the same name and program takes its place.
 *
 *   processes --cnt--> rows --cnt--> members and stuck: indices of threads of one of the models
 */
#ifndef REPORT_DIFF_H
#define REPORT_DIFF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "report/report.h"

/* One of the captures. */
struct diff_capture {
	const struct model *model;
	const char *name; /* of its file; borrowed */
};

/* Writes what changed from @before to @after to @out, as text or JSON. Returns 0 or -errno
 * (-EINVAL: another format); write errors stay in ferror(@out). */
int report_diff(const struct diff_capture *before, const struct diff_capture *after,
		const struct report_options *options, FILE *out);

#endif
