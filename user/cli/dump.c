/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* loiter dump: every thread of the targets, now. */
#include "capture/capture.h"
#include "capture/kernel_btf.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/say.h"
#include "cli/targets.h"
#include "collect/assemble.h"
#include "collect/births.h"
#include "collect/snapshot.h"
#include "proc/process.h"

/* Says why no thread of @tgids was seen. */
static int miss_all(const struct vec *tgids, struct err *err)
{
	for (uint32_t i = 0; i < tgids->len; i++) {
		pid_t tgid = *(pid_t *)vec_at(tgids, i);

		if (!process_check(tgid, NULL))
			return err_set(err, -1,
				       "process '%d' is there, but the kernel does not show its "
				       "threads: is /proc that of another PID namespace?",
				       tgid);
	}
	return err_set(err, -1, "no thread of the processes named was seen: have they exited?");
}

static int take(struct capture *capture, const struct vec *tgids, struct model *model,
		struct err *err)
{
	struct snapshot snapshot;
	struct births births;
	struct assemble_spans creators = { .add = births_to_model, .arg = &births };
	int code = snapshot_take(capture, &snapshot, err);

	births_find(&births, &snapshot);
	/* From here on files of the targets are parsed: with as little power as that takes. */
	if (!code)
		code = targets_drop_power(false, err);
	if (!code && !snapshot.entries.len)
		code = miss_all(tgids, err);
	if (!code)
		code = assemble_model(&snapshot, &creators, model, err);
	births_release(&births);
	snapshot_release(&snapshot);
	return code;
}

static int capture_model(const struct options *options, struct model *model, struct err *err)
{
	struct capture_options capture_options = { .kstacks = options->report.kernel };
	struct capture *capture;
	struct targets targets;
	int code;

	code = targets_find(options, &targets, err);
	if (code)
		goto out;
	capture_options.tgids = targets.tgids.data;
	capture_options.tgid_cnt = targets.tgids.len;
	capture = capture_new(&capture_options, err);
	kernel_btf_forget();
	if (!capture) {
		code = -1;
		goto out;
	}
	code = take(capture, &targets.tgids, model, err);
	capture_free(capture);
out:
	targets_release(&targets);
	return code;
}

/* Looks at a program that is watched from its birth, a while after it. */
static int dump_program(const struct options *options, struct model *model, struct err *err)
{
	struct program program;
	int code = program_start(&program, options, err);
	struct record_options record_options = { .tgids = program.tgids.data,
						 .tgid_cnt = program.tgids.len,
						 .child = &program.child,
						 .births_only = true,
						 .kernel = options->report.kernel,
						 .duration_ns = options->duration_ns };
	struct recording *recording = NULL;

	if (!code) {
		recording = recording_new(&record_options, err);
		code = recording ? targets_drop_power(true, err) : -1;
	}
	if (!code)
		code = births_take(recording, model, err);
	recording_free(recording);
	if (!code)
		program_say(&program, options);
	program_release(&program);
	return code;
}

static int run_dump(const struct options *options)
{
	struct model model;
	struct err err = { "" };
	struct output output;
	int status = output_open(&output, options);

	if (status)
		return status;
	model_init(&model);
	if (options->program ? dump_program(options, &model, &err)
			     : capture_model(options, &model, &err)) {
		say_error("%s", err.msg);
		status = STATUS_FAILED;
	} else {
		status = output_model(&output, &model, options);
	}
	output_discard(&output);
	model_release(&model);
	return status;
}

const struct command command_dump = {
	.name = "dump",
	.args = "{-p PID | -n NAME | --cgroup PATH | -a | -- PROGRAM [ARG...]}",
	.summary = "every thread of a process, now: where it is blocked, on what, since when",
	.doc = "Prints every thread of the processes named, grouped by identical stack, without "
	       "stopping them. A program behind -- is started, and looked at a while after: then each "
	       "thread is shown with who created it, and where.\v"
	       "Examples:\n"
	       "  sudo loiter dump -p 1234\n"
	       "  sudo loiter dump -n nginx --no-idle --min-block 10s\n"
	       "  sudo loiter dump -p 1234 -f folded | flamegraph.pl > threads.svg\n"
	       "  sudo loiter dump -p 1234 --save hang.loiter\n"
	       "  loiter replay hang.loiter\n"
	       "  sudo loiter dump -d 5s -- ./server --port 8080",
	.groups = OPTIONS_TARGET | OPTIONS_REPORT | OPTIONS_STACKS | OPTIONS_AGE | OPTIONS_SAVE |
		  OPTIONS_PROGRAM | OPTIONS_DELAY | OPTIONS_KERNEL,
	.run = run_dump,
};
