/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Who created threads, in words: the innermost function of the creator's own, else the thread.
 *
 *   created by start_threads at steps.c:123
 *   created by start_threads in thread 301 "MHD-connection"
 *   created by spawn_worker in process 290 "postgres"
 *   created by thread 301 "MHD-connection"
 */
#ifndef REPORT_CREATED_BY_H
#define REPORT_CREATED_BY_H

#include "report/formats.h"
#include "report/group.h"

/* Prints "created by start_threads at steps.c:123", or "created before loiter attached". Returns 0
 * or -ENOMEM. */
int put_created_at(struct report *report, const struct model_thread *thread);

/* Prints the same behind "; " when it holds for all of @members and their creation was seen.
 * Returns 0 or -ENOMEM. */
int put_common_creator(struct report *report, const struct members *members);

/* Prints "created by start_threads in thread 301 "MHD-connection"", of threads that were created
 * alike, and leaves the stack of the first one's creator loaded; of such as nobody saw created, as
 * above. Returns 0 or -ENOMEM. */
int put_created_in(struct report *report, const struct members *members);

/* Ends the line of put_created_in and prints the frames that are loaded: from the function in that
 * line on, of which only the place is left to tell, or every one with -v. Returns 0 or -ENOMEM. */
int put_creator_frames(struct report *report, const struct frame_form *form);

#endif
