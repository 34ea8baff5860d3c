/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

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

int output_flush(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return STATUS_DONE;
	say_error("cannot write 'standard output': %s", strerror(errno));
	return STATUS_FAILED;
}

/* Returns an exit status; errors are printed. */
static int open_file(struct outfile *out, const char *path)
{
	struct err err;

	if (!outfile_open(out, path, &err))
		return STATUS_DONE;
	say_error("%s", err.msg);
	return STATUS_FAILED;
}

/* Writes what @print prints to @out, which is released. Returns an exit status; errors are printed.
 */
static int print_to(struct outfile *out, int (*print)(void *arg, FILE *out), void *arg)
{
	struct err err;
	int code = print(arg, out->stream);

	if (code) {
		outfile_discard(out);
		err_set_errno(&err, code, "cannot make the report");
		goto failed;
	}
	code = outfile_commit(out, &err);
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

int output_print(const char *path, int (*print)(void *arg, FILE *out), void *arg)
{
	struct outfile out;
	int status = open_file(&out, path);

	return status ? status : print_to(&out, print, arg);
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

/* Writes the report to @out, which is released. Returns an exit status; errors are printed. */
static int report_to(struct outfile *out, const struct model *model, const struct options *options)
{
	struct report_to_print report = { .model = model, .options = &options->report };
	int status = print_to(out, print_report, &report);

	if (!status)
		note_losses(model, options);
	return status;
}

int output_report(const struct model *model, const struct options *options)
{
	struct outfile out;
	int status = open_file(&out, options->output_path);

	return status ? status : report_to(&out, model, options);
}

/* Writes the capture to @out, of @path, which is released. Returns an exit status; errors are
 * printed. */
static int save_to(struct outfile *out, const char *path, const struct model *model)
{
	struct capfile_writer writer;
	struct err err;
	int code = capfile_writer_begin(&writer, out->stream);

	if (!code)
		code = model_encode(model, &writer);
	if (!code)
		code = capfile_writer_end(&writer);
	if (code) {
		outfile_discard(out);
		err_set_errno(&err, code, "cannot write '%s'", path);
	} else {
		code = outfile_commit(out, &err);
	}
	if (code)
		say_error("%s", err.msg);
	return code ? STATUS_FAILED : STATUS_DONE;
}

int output_open(struct output *output, const struct options *options)
{
	int status = STATUS_DONE;

	*output = (struct output){ 0 };
	if (options->save_path)
		status = open_file(&output->capture, options->save_path);
	if (!status)
		status = open_file(&output->report, options->output_path);
	if (status)
		output_discard(output);
	return status;
}

int output_model(struct output *output, const struct model *model, const struct options *options)
{
	int saved = STATUS_DONE;
	int printed;

	if (options->save_path)
		saved = save_to(&output->capture, options->save_path, model);
	/* Of what took a while to see, the report is better than nothing. */
	printed = report_to(&output->report, model, options);
	return saved ? saved : printed;
}

void output_discard(struct output *output)
{
	outfile_discard(&output->capture);
	outfile_discard(&output->report);
}
