/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A program of the user's, started but held back until loiter is ready for it: nothing of it is
 * missed. It is not stopped for that: it has not begun.
 */
#ifndef PROC_CHILD_H
#define PROC_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"

struct child {
	const char *name; /* borrowed: the first of its words */
	char comm[16];	  /* what the kernel calls it: the end of .name */
	char *exe;	  /* path of its program as it began; NULL: it has not, or had ended */
	pid_t pid;
	int go_fd;    /* the program begins with the byte that is written here */
	int error_fd; /* why it did not; closed when it did */
	bool ended;
	int status; /* as of wait(2), when it has ended */
};

/* What loiter was started with and changes for itself: the program is to find it as it was. */
struct child_origin {
	struct rlimit file_limit;
	bool has_file_limit;
	struct sigaction pipe_action; /* of SIGPIPE */
};

/* Takes it down in @ret, before it is changed. */
void child_origin_note(struct child_origin *ret);

/* Forks the process that is to run @argv, which ends in NULL, as of @origin. Returns 0 or -errno
 * with @err set; only then is there nothing to give to child_release. */
int child_start(struct child *child, char *const *argv, const struct child_origin *origin,
		struct err *err);

/* Lets the program begin. Returns 0 when it did, else -errno with @err set. */
int child_run(struct child *child, struct err *err);

/* Returns whether the program has ended; then its status is in @child. */
bool child_ended(struct child *child);

/* Gives back what is held; a program that has begun goes on, one that has not never will. */
void child_release(struct child *child);

#endif
