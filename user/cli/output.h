/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Where reports and captures go. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli/options.h"
#include "model/model.h"

/* Writes the report of @model as @options say. Returns an exit status; errors are printed. */
int output_report(const struct model *model, const struct options *options);

/* As output_report, after writing the capture that @options ask for. */
int output_model(const struct model *model, const struct options *options);

#endif
