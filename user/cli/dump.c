/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* loiter dump: every thread of the targets, now. */
#include <linux/capability.h>

#include "base/caps.h"
#include "capture/capture.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/say.h"
#include "collect/assemble.h"
#include "collect/snapshot.h"
#include "proc/process.h"

/* What reading another process's memory and files takes, and writing the report where root may. */
static const unsigned int kept_caps[] = { CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE,
					  CAP_SYSLOG, CAP_CHECKPOINT_RESTORE };

/* Adds what the names stand for to the -p, and checks all of them. */
static int find_targets(const struct options *options, struct vec *tgids, struct err *err)
{
	int code;

	for (uint32_t i = 0; i < options->tgids.len; i++) {
		pid_t tgid = *(pid_t *)vec_at(&options->tgids, i);

		code = process_check(tgid, err);
		if (!code)
			code = vec_append(tgids, &tgid, 1);
		if (code)
			return code;
	}
	for (uint32_t i = 0; i < options->names.len; i++) {
		const char *name = *(const char **)vec_at(&options->names, i);
		uint32_t before = tgids->len;

		code = process_find(name, tgids, err);
		if (code)
			return code;
		if (tgids->len == before)
			return err_set(err, -1, "no process is named '%s'", name);
	}
	return 0;
}

static int take(struct capture *capture, struct model *model, struct err *err)
{
	struct snapshot snapshot;
	int code = snapshot_take(capture, &snapshot, err);

	/* From here on files of the targets are parsed: with as little power as that takes. */
	if (!code)
		code = caps_keep_only(kept_caps, sizeof(kept_caps) / sizeof(kept_caps[0]));
	if (!code && !snapshot.entries.len)
		code = err_set(err, -1,
			       "no thread of the processes named was seen: have they exited?");
	if (!code)
		code = assemble_model(&snapshot, model, err);
	snapshot_release(&snapshot);
	return code;
}

static int capture_model(const struct options *options, struct model *model, struct err *err)
{
	struct capture_options capture_options = { .kstacks = options->report.kernel };
	struct capture *capture;
	struct vec tgids;
	int code;

	vec_init(&tgids, sizeof(pid_t), PROCESS_MAX);
	code = find_targets(options, &tgids, err);
	if (code)
		goto out;
	capture_options.tgids = tgids.data;
	capture_options.tgid_cnt = tgids.len;
	capture = capture_new(&capture_options, err);
	if (!capture) {
		code = -1;
		goto out;
	}
	code = take(capture, model, err);
	capture_free(capture);
out:
	vec_release(&tgids);
	return code;
}

static int run_dump(const struct options *options)
{
	struct model model;
	struct err err = { "" };
	int status = STATUS_DONE;

	model_init(&model);
	if (capture_model(options, &model, &err)) {
		say_error("%s", err.msg);
		status = STATUS_FAILED;
	}
	if (!status && options->save_path)
		status = output_capture(&model, options->save_path);
	if (!status)
		status = output_report(&model, options);
	model_release(&model);
	return status;
}

const struct command command_dump = {
	.name = "dump",
	.args = "{-p PID | -n NAME | -a}",
	.summary = "every thread of a process, now: where it is blocked, on what, since when",
	.doc = "Prints every thread of the processes named, grouped by identical stack, without "
	       "stopping them.\v"
	       "Examples:\n"
	       "  sudo loiter dump -p 1234\n"
	       "  sudo loiter dump -n nginx --no-idle --min-block 10s\n"
	       "  sudo loiter dump -p 1234 -f folded | flamegraph.pl > threads.svg\n"
	       "  sudo loiter dump -p 1234 --save hang.loiter\n"
	       "  loiter replay hang.loiter",
	.groups = OPTIONS_TARGET | OPTIONS_REPORT | OPTIONS_SAVE,
	.run = run_dump,
};
