/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Where reports and captures go. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdio.h>

#include "base/file.h"
#include "cli/options.h"
#include "model/model.h"

/* Flushes standard output. Returns an exit status; errors, also earlier ones, are printed. */
int output_flush(void);

/* Writes what @print prints to @path (NULL: standard output), whole or not at all. Returns an exit
 * status; errors are printed. */
int output_print(const char *path, int (*print)(void *arg, FILE *out), void *arg);

/* Writes the report of @model as @options say. Returns an exit status; errors are printed. */
int output_report(const struct model *model, const struct options *options);

/* The files of a command that looks at processes. They are opened before it does: one that cannot
 * be written is not to cost a recording. */
struct output {
	struct outfile capture; /* zeroed: none */
	struct outfile report;
};

/* Opens what @options ask for. Returns an exit status; errors are printed, and nothing is open. */
int output_open(struct output *output, const struct options *options);

/* Writes the capture and the report of @model, the latter even if the former fails. Returns an exit
 * status; errors are printed. */
int output_model(struct output *output, const struct model *model, const struct options *options);

/* Drops what has not been written, if anything. */
void output_discard(struct output *output);

#endif
