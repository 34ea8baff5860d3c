/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* loiter replay: any report again, from a capture. */
#include "cli/options.h"
#include "cli/output.h"
#include "cli/say.h"
#include "model/codec.h"

static const char *const nouns[REPORT_OF_CNT] = {
	[REPORT_OF_DUMP] = "a dump",
	[REPORT_OF_RECORDING] = "a recording",
	[REPORT_OF_LEAKS] = "of leaks",
};

/* What the options ask for must fit what was captured. Prints what does not. */
static int check_options(const struct model *model, const struct options *options)
{
	enum report_of of = report_of(model);
	const char *misfit = NULL;
	char names[FORMAT_NAMES_BYTES];

	if (of != REPORT_OF_DUMP)
		misfit = options->snapshot_option;
	if (of != REPORT_OF_RECORDING && options->recording_option)
		misfit = options->recording_option;
	if (misfit) {
		say_error("'%s' is %s: %s does not apply to it", options->file, nouns[of], misfit);
		return STATUS_USAGE;
	}
	if (!report_format_fits(options->report.format, of)) {
		say_error("'%s' is %s: it has no format '%s', but %s", options->file, nouns[of],
			  report_format_name(options->report.format), format_names(of, names));
		return STATUS_USAGE;
	}
	if (options->report.by == REPORT_BY_FUTEX && !model->has_futexes) {
		say_error("'%s' has no futex calls: they are recorded with --by futex only",
			  options->file);
		return STATUS_USAGE;
	}
	return STATUS_DONE;
}

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
		status = check_options(&model, options);
	if (!status)
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
	.groups = OPTIONS_REPORT | OPTIONS_STACKS | OPTIONS_AGE | OPTIONS_SPANS | OPTIONS_FILE,
	.run = run_replay,
};
