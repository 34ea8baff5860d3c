/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* loiter record: where the targets' threads spend their time, over a while. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/options.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/stop.h"
#include "cli/targets.h"
#include "collect/record.h"

/* What is saved can be asked for anything later, but for futexes: to trace them costs every process
 * of the machine something. */
static bool needs(const struct options *options, enum report_by by)
{
	return options->save_path || options->report.by == by;
}

/* Records @what, whose targets are filled in, as @options say. */
static int record(const struct options *options, struct record_options what, struct model *model,
		  struct err *err)
{
	bool clock = needs(options, REPORT_BY_ON_CPU) || needs(options, REPORT_BY_WALL);
	struct record_verify verify = { 0 };
	struct stop stop;
	struct progress progress = { 0 };
	struct recording *recording;
	int code = -1;

	what.duration_ns = options->duration_ns;
	what.sample_hz = clock ? options->sample_hz : 0;
	what.min_block_ns = options->report.min_block_ns;
	what.wakers = needs(options, REPORT_BY_WAKER);
	what.kernel = options->report.kernel;
	what.futexes = options->report.by == REPORT_BY_FUTEX;
	what.verify_every = options->verify_every;
	what.ret_verify = &verify;
	what.stop = &stop_asked;
	stop_take(&stop);
	recording = recording_new(&what, err);
	if (recording)
		code = targets_drop_power(true, err);
	if (!code && !options->quiet)
		progress_start(&progress, "recording", options->duration_ns, &stop_asked);
	if (!code)
		code = record_take(recording, model, err);
	progress_stop(&progress);
	recording_free(recording);
	stop_give_back(&stop);
	if (!code && options->verify_every)
		fprintf(stderr, "verified %" PRIu64 " stacks, %" PRIu64 " wrong\n",
			verify.checked_cnt, verify.wrong_cnt);
	return code;
}

/* Records a program from its birth. */
static int record_program(const struct options *options, struct model *model, struct err *err)
{
	struct record_options what = { 0 };
	struct program program;
	int code = program_start(&program, options, err);

	what.tgids = program.tgids.data;
	what.tgid_cnt = program.tgids.len;
	what.child = &program.child;
	if (!code)
		code = record(options, what, model, err);
	if (!code)
		program_say(&program, options);
	program_release(&program);
	return code;
}

static int record_targets(const struct options *options, struct model *model, struct err *err)
{
	struct record_options what = { 0 };
	struct targets targets;
	int code = targets_find(options, &targets, err);

	what.tgids = targets.tgids.data;
	what.tgid_cnt = targets.tgids.len;
	what.cgroups = targets.cgroups.len ? &targets.cgroups : NULL;
	if (!code)
		code = record(options, what, model, err);
	targets_release(&targets);
	return code;
}

static int run_record(const struct options *options)
{
	struct model model;
	struct err err = { "" };
	struct output output;
	int status = output_open(&output, options);

	if (status)
		return status;
	model_init(&model);
	if (options->program ? record_program(options, &model, &err)
			     : record_targets(options, &model, &err)) {
		say_error("%s", err.msg);
		status = STATUS_FAILED;
	} else {
		status = output_model(&output, &model, options);
	}
	output_discard(&output);
	model_release(&model);
	return status;
}

const struct command command_record = {
	.name = "record",
	.args = "{-p PID | -n NAME | --cgroup PATH | -a | -- PROGRAM [ARG...]}",
	.summary = "where the threads of a process spend their time, over a while, by stack",
	.doc = "Records the threads of the processes named, without stopping them, and prints where "
	       "they were blocked (or what --by names), most time first. Processes that they fork "
	       "are recorded too. Ctrl-C and the end of the processes end it early; what there is "
	       "by then is printed. A program behind -- is started and recorded from its birth.\v"
	       "Examples:\n"
	       "  sudo loiter record -p 1234\n"
	       "  sudo loiter record -p 1234 -d 1m --by waker --no-idle\n"
	       "  sudo loiter record -p 1234 -f folded | flamegraph.pl --countname=us > offcpu.svg\n"
	       "  sudo loiter record --by wall -- ./server --port 8080\n"
	       "  sudo loiter record -n nginx -d 0 --save nginx.loiter --by wall",
	.groups = OPTIONS_TARGET | OPTIONS_REPORT | OPTIONS_STACKS | OPTIONS_SPANS |
		  OPTIONS_RECORD | OPTIONS_SAVE | OPTIONS_PROGRAM | OPTIONS_KERNEL,
	.run = run_record,
};
