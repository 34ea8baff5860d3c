/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* loiter replay: any report again, from a capture. */
#include "cli/options.h"
#include "cli/output.h"
#include "cli/say.h"
#include "model/codec.h"

static int run_replay(const struct options *options)
{
	struct capfile_reader reader;
	struct model model;
	struct err err;
	int status = STATUS_FAILED;

	model_init(&model);
	if (capfile_reader_open(&reader, options->file, &err) ||
	    model_decode(&model, &reader, &err))
		say_error("%s", err.msg);
	else
		status = output_report(&model, options);
	capfile_reader_close(&reader);
	model_release(&model);
	return status;
}

const struct command command_replay = {
	.name = "replay",
	.args = "FILE",
	.summary = "any report again, from what a command saved with --save",
	.doc = "Prints a report of a capture: the same bytes as when it was taken, on any machine, "
	       "without root, after the process is gone.",
	.groups = OPTIONS_REPORT | OPTIONS_FILE,
	.run = run_replay,
};
