/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <signal.h>

#include "base/file.h"
#include "cli/say.h"
#include "model/codec.h"

/* Formats that other programs read have no place for losses, or a hidden one. */
static void note_losses(const struct model *model, const struct options *options)
{
	enum report_format format = options->report.format;

	if (options->quiet ||
	    (format != REPORT_FOLDED && format != REPORT_GO && format != REPORT_PPROF))
		return;
	for (int i = 0; i < LOSS_CNT; i++)
		if (model->losses[i])
			say_error("lost: %s", loss_words((enum loss)i, model->losses[i]).text);
}

int output_print(const char *path, int (*print)(void *arg, FILE *out), void *arg)
{
	struct outfile out;
	struct err err;
	int code = outfile_open(&out, path, &err);

	if (code)
		goto failed;
	code = print(arg, out.stream);
	if (code) {
		outfile_discard(&out);
		err_set_errno(&err, code, "cannot make the report");
		goto failed;
	}
	code = outfile_commit(&out, &err);
	if (code == -EPIPE) {
		/* The reader has seen enough, as in "loiter ... | head": no reason to complain. */
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	if (code)
		goto failed;
	return STATUS_DONE;
failed:
	say_error("%s", err.msg);
	return STATUS_FAILED;
}

struct report_to_print {
	const struct model *model;
	const struct report_options *options;
};

static int print_report(void *arg, FILE *out)
{
	const struct report_to_print *report = arg;

	return report_dump(report->model, report->options, out);
}

int output_report(const struct model *model, const struct options *options)
{
	struct report_to_print report = { .model = model, .options = &options->report };
	int status = output_print(options->output_path, print_report, &report);

	if (!status)
		note_losses(model, options);
	return status;
}

/* Returns an exit status; errors are printed. */
static int output_capture(const struct model *model, const char *path)
{
	struct capfile_writer writer;
	struct outfile out;
	struct err err;
	int code = outfile_open(&out, path, &err);

	if (code) {
		say_error("%s", err.msg);
		return STATUS_FAILED;
	}
	code = capfile_writer_begin(&writer, out.stream);
	if (!code)
		code = model_encode(model, &writer);
	if (!code)
		code = capfile_writer_end(&writer);
	if (code) {
		outfile_discard(&out);
		err_set_errno(&err, code, "cannot write '%s'", path);
	} else {
		code = outfile_commit(&out, &err);
	}
	if (code)
		say_error("%s", err.msg);
	return code ? STATUS_FAILED : STATUS_DONE;
}

int output_model(const struct model *model, const struct options *options)
{
	int status = options->save_path ? output_capture(model, options->save_path) : STATUS_DONE;

	return status ? status : output_report(model, options);
}
