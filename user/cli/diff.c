/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* loiter diff: what changed between two captures. */
#include "report/diff.h"

#include "cli/options.h"
#include "cli/output.h"
#include "cli/say.h"
#include "model/codec.h"

/* Reads the capture @path into the empty @model. Returns an exit status; errors are printed. */
static int read_capture(const char *path, struct model *model)
{
	struct capfile_reader reader;
	struct err err;
	int status = STATUS_DONE;

	if (capfile_reader_open(&reader, path, &err) || model_decode(model, &reader, &err)) {
		say_error("%s", err.msg);
		status = STATUS_FAILED;
	} else if (report_of(model) == REPORT_OF_RECORDING) {
		say_error("'%s' is a recording: a difference is of dumps, or of leaks", path);
		status = STATUS_USAGE;
	}
	capfile_reader_close(&reader);
	return status;
}

struct diff_to_print {
	struct diff_capture before, after;
	const struct report_options *options;
};

static int print_diff(void *arg, FILE *out)
{
	const struct diff_to_print *diff = arg;

	return report_diff(&diff->before, &diff->after, diff->options, out);
}

static int run_diff(const struct options *options)
{
	struct model before, after;
	struct diff_to_print diff = { .before = { &before, options->file },
				      .after = { &after, options->other_file },
				      .options = &options->report };
	int status;

	model_init(&before);
	model_init(&after);
	status = read_capture(options->file, &before);
	if (!status)
		status = read_capture(options->other_file, &after);
	if (!status)
		status = output_print(options->output_path, print_diff, &diff);
	model_release(&before);
	model_release(&after);
	return status;
}

const struct command command_diff = {
	.name = "diff",
	.args = "BEFORE AFTER",
	.summary =
		"what changed between two dumps: groups that grew, threads that are stuck in both",
	.doc = "Compares two captures of dump or leaks (--save): which groups of threads grew, "
	       "shrank, appeared and vanished, and which threads are where they were and have not "
	       "run in between. On any machine, without root.\v"
	       "Examples:\n"
	       "  sudo loiter dump -p 1234 --save morning.loiter\n"
	       "  sudo loiter dump -p 1234 --save noon.loiter\n"
	       "  loiter diff morning.loiter noon.loiter",
	.groups = OPTIONS_REPORT | OPTIONS_DIFF,
	.run = run_diff,
};
