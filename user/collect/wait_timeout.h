/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* How much of a waiting thread's timeout is left: from its system call's arguments, and the
 * structures in its memory that they point to. */
#ifndef COLLECT_WAIT_TIMEOUT_H
#define COLLECT_WAIT_TIMEOUT_H

#include <sys/types.h>

#include "collect/wait_object.h"

/* Fills the timeout of @answer for a thread of process @tgid that is in system call @syscall, and
 * .unreadable when there is one that could not be read. */
void wait_timeout_describe(pid_t tgid, const char *syscall, const struct wait_request *request,
			   struct wait_answer *answer);

#endif
