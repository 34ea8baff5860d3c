/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Verdicts and their evidence in words, the same in every format. */
#ifndef REPORT_LEAK_WORDS_H
#define REPORT_LEAK_WORDS_H

#include "base/buf.h"
#include "report/leak_groups.h"

/* Appends "0 at the start, 150 born, 0 ended; grows by 300 a minute (fit 1.00); none of the 145
 * seen twice ran in between". */
void leak_put_evidence(struct buf *buf, const struct leak_group *group);

/* Appends "300" or "0.5": a number of threads a minute. */
void leak_put_rate(struct buf *buf, double per_min);

/* The limit that a process comes to first. */
struct leak_reach {
	const struct model_limit *limit; /* NULL: none, or it does not grow */
	double left_s;			 /* until then; 0 when it is reached */
};

struct leak_reach leak_reach(const struct leak_groups *groups, uint32_t process);

/* Appends "8,192 (pids.max of system.slice/demo.service)". */
void leak_put_limit(struct buf *buf, const struct model *model, const struct model_limit *limit);

/* Returns the stable name of @kind, as in the JSON report. */
const char *leak_limit_name(enum limit_kind kind);

#endif
