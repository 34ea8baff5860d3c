/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What the text of a report is made of, for the page, which shows it piece by piece. */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include "report/formats.h"
#include "report/group.h"
#include "report/spans.h"

/* Print a group of threads, or of spans: its line, its stack, its threads. Return 0 or -errno. */
int put_text_group(struct report *report, const struct groups *groups, const struct group *group);
int put_record_group(struct report *report, struct span_groups *groups,
		     const struct span_group *group);

/* Prints what stands above a process's groups. */
void put_record_line(const struct report *report, const struct model_process *process);

/* Prints what stands below them: where the time of all its threads went. What was not recorded is
 * not in it, nor is the time before a thread began and after it ended. */
void put_record_totals(const struct report *report, const struct model_process *process,
		       const struct span_totals *totals);

#endif
