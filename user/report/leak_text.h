/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What the text of a report of leaks is made of, for the page, which shows it piece by piece. */
#ifndef REPORT_LEAK_TEXT_H
#define REPORT_LEAK_TEXT_H

#include <stdbool.h>

#include "report/formats.h"
#include "report/leak_groups.h"

/* Prints a group: its line and its evidence, then @whole its stacks and threads, else one line with
 * where it is. Returns 0 or -errno. */
int put_leak_group(struct report *report, const struct leak_groups *groups,
		   const struct leak_group *group, bool whole);

/* Prints what stands above the groups of a process. Returns 0 or -ENOMEM. */
int put_leak_heading(struct report *report, const struct leak_groups *groups, uint32_t process);

/* Whether the process that was grouped is more than counted: where there are others, one whose
 * threads are constant is not. */
bool leak_is_shown(const struct report *report, const struct leak_groups *groups,
		   uint32_t process_idx);

/* Prints how many processes, and threads, were left out, when any were. */
void put_leaks_left_out(const struct report *report, uint32_t process_cnt, bool first);

#endif
