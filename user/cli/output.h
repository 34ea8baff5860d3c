/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Where reports and captures go. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdio.h>

#include "cli/options.h"
#include "model/model.h"

/* Writes what @print prints to @path (NULL: standard output), whole or not at all. Returns an exit
 * status; errors are printed. */
int output_print(const char *path, int (*print)(void *arg, FILE *out), void *arg);

/* Writes the report of @model as @options say. Returns an exit status; errors are printed. */
int output_report(const struct model *model, const struct options *options);

/* As output_report, after writing the capture that @options ask for. */
int output_model(const struct model *model, const struct options *options);

#endif
