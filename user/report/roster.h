/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Who the threads of a group are: what they wait for, where they come from, their tids and names.
 */
#ifndef REPORT_ROSTER_H
#define REPORT_ROSTER_H

#include <stdbool.h>

#include "report/formats.h"
#include "report/group.h"

/* Prints " on fd 7 (pipe)" or " on 20 objects", and ", 12s left". Returns 0 or -ENOMEM. */
int put_objects(const struct report *report, const struct members *members);

/* Prints the first few objects in a line of their own, when there are several.
 * Returns 0 or -ENOMEM. */
int put_object_list(const struct report *report, const struct members *members);

/* Prints who created the threads, when, and the creator's frames as @form has them. Of those whose
 * creation nobody saw, when they started, and in which function: that of the frames loaded in
 * @report. Returns 0 or -ENOMEM. */
int put_origin(struct report *report, const struct members *members, const struct frame_form *form);

/* Prints "  threads 314 to 318, 402; ran 1 to 17 times; named "worker-0" to "worker-9"": how often
 * they ran of a snapshot, of a recording who created them. Returns 0 or -ENOMEM. */
int put_roster(struct report *report, const struct members *members, bool recorded);

#endif
