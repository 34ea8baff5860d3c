/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The command line: one table of options, of which each command names those it takes. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>

#include "base/vec.h"
#include "report/report.h"

/* Groups of options that a command can take. */
enum option_group {
	OPTIONS_TARGET = 1 << 0, /* which processes */
	OPTIONS_REPORT = 1 << 1, /* how to print */
	OPTIONS_SAVE = 1 << 2,
	OPTIONS_FILE = 1 << 3, /* a capture file as the argument */
};

struct options {
	struct vec tgids; /* pid_t: the -p */
	struct vec names; /* const char *: the -n, of argv */
	bool all;
	struct report_options report;
	const char *output_path; /* NULL: standard output */
	const char *save_path;	 /* NULL: none */
	const char *file;	 /* the argument */
	bool quiet;
};

/* One command of loiter. */
struct command {
	const char *name;
	const char *args;			   /* for the usage line */
	const char *summary;			   /* one line */
	const char *doc;			   /* what --help prints below */
	unsigned int groups;			   /* enum option_group */
	int (*run)(const struct options *options); /* returns the exit status */
};

extern const struct command command_dump, command_replay, command_check;

/* Parses the words behind the command's name. On a usage error it prints one message and exits with
 * status 2; --help prints the help and exits with 0. */
void options_parse(const struct command *command, int argc, char **argv, struct options *ret);
void options_release(struct options *options);

#endif
