/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A program behind "--", for the commands that take one. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include "base/err.h"
#include "base/vec.h"
#include "cli/options.h"
#include "proc/child.h"

struct program {
	struct child child;
	struct vec tgids; /* pid_t: of .child */
};

/* Starts the program of @options, held back.
 * Returns 0, or -errno with @err set; program_release in either case. */
int program_start(struct program *program, const struct options *options, struct err *err);
void program_release(struct program *program);

/* Says what became of it, when that is not a plain end. */
void program_say(struct program *program, const struct options *options);

#endif
