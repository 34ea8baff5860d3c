/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The command line: one table of options, of which each command names those it takes. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "proc/child.h"
#include "report/report.h"

/* Groups of options that a command can take. */
enum option_group {
	OPTIONS_TARGET = 1 << 0, /* which processes */
	OPTIONS_REPORT = 1 << 1, /* how to print */
	OPTIONS_SAVE = 1 << 2,
	OPTIONS_FILE = 1 << 3,	  /* a capture file as the argument */
	OPTIONS_AGE = 1 << 4,	  /* which threads of a snapshot */
	OPTIONS_SPANS = 1 << 5,	  /* how to print a recording */
	OPTIONS_RECORD = 1 << 6,  /* how to record */
	OPTIONS_DELAY = 1 << 8,	  /* how long such a program runs before it is looked at */
	OPTIONS_KERNEL = 1 << 12, /* what is known of the kernel */
	OPTIONS_PROGRAM = 1 << 7, /* a program to start, as the arguments behind "--" */
	OPTIONS_STACKS = 1 << 9,  /* what of stacks and threads to print */
	OPTIONS_LEAKS = 1 << 10,  /* how to count threads */
	OPTIONS_DIFF = 1 << 11,	  /* two capture files as the arguments */
	OPTIONS_ANY = 1 << 13,	  /* what every command takes */
};

struct options {
	struct vec tgids;   /* pid_t: the -p */
	struct vec names;   /* const char *: the -n, of argv */
	struct vec cgroups; /* const char *: the --cgroup, of argv */
	bool all;
	struct report_options report;
	const char *output_path;      /* NULL: standard output */
	const char *save_path;	      /* NULL: none */
	const char *file;	      /* the argument */
	const char *other_file;	      /* the second one */
	const char *btf_path;	      /* of the kernel's types; NULL: its own */
	char **program;		      /* the words behind "--", of argv, up to a NULL; NULL */
	struct child_origin origin;   /* what .program is to find; noted by the caller */
	const char *snapshot_option;  /* one that was given and only snapshots know; NULL */
	const char *recording_option; /* likewise of recordings */
	uint64_t duration_ns;  /* of a recording, or a delay; 0: until stopped, or the program's end
				*/
	uint32_t sample_hz;    /* of a recording */
	uint32_t verify_every; /* of a recording: one of so many stacks; 0: none */
	uint32_t until_alive;  /* of leaks: ends when a process has so many threads; 0: never */
	uint64_t tell_every_ns; /* of leaks: how often it tells how it stands */
	bool watch;		/* of leaks: it tells */
	bool exit_code;		/* STATUS_FOUND tells of a leak */
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

extern const struct command command_dump, command_record, command_leaks, command_diff,
	command_replay, command_check;

#define FORMAT_NAMES_BYTES 128

/* Writes "text, folded, json": the formats of what a model is of, to @text, which has
 * FORMAT_NAMES_BYTES. Returns @text. */
const char *format_names(enum report_of of, char *text);

/* Parses the words behind the command's name. On a usage error it prints one message and exits with
 * status 2; --help prints the help and exits with 0. */
void options_parse(const struct command *command, int argc, char **argv, struct options *ret);
void options_release(struct options *options);

#endif
