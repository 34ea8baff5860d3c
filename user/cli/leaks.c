/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* loiter leaks: which creator's threads never end. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/stop.h"
#include "cli/targets.h"
#include "collect/leaks.h"

#define NS_PER_S UINT64_C(1000000000)

/* What was told last. */
struct telling {
	struct leaks_news last;
	bool has_begun;
};

/* Prints "14:08:26  172 threads (+5), 30 born and 25 ended in 10s". */
static void tell(void *arg, const struct leaks_news *news)
{
	struct telling *telling = arg;
	const struct leaks_news *last = &telling->last;
	int64_t more = telling->has_begun ? (int64_t)(news->alive - last->alive) : 0;
	time_t now = time(NULL);
	struct tm tm = { 0 };

	localtime_r(&now, &tm);
	fprintf(stderr,
		"%02d:%02d:%02d  %" PRIu64 " threads (%+" PRId64 "), %" PRIu64 " born and %" PRIu64
		" ended in %" PRIu64 "s\n",
		tm.tm_hour, tm.tm_min, tm.tm_sec, news->alive, more, news->born - last->born,
		news->ended - last->ended,
		(news->passed_ns - last->passed_ns + NS_PER_S / 2) / NS_PER_S);
	telling->last = *news;
	telling->has_begun = true;
}

/* Loads what counting takes, and gives up the power for that. */
static struct recording *begin(const struct record_options *what, struct err *err)
{
	struct recording *recording = recording_new(what, err);

	if (!recording || !targets_drop_power(true, err))
		return recording;
	recording_free(recording);
	return NULL;
}

/* Counts the threads of @what, whose targets are filled in, as @options say. */
static int count(const struct options *options, struct record_options what, struct model *model,
		 struct err *err)
{
	bool tells = (options->watch || options->until_alive) && !options->quiet &&
		     isatty(STDERR_FILENO);
	struct telling telling = { 0 };
	const struct leaks_options leaks = { .until_alive = options->until_alive,
					     .tell_every_ns = tells ? options->tell_every_ns : 0,
					     .tell = tell,
					     .tell_arg = &telling };
	struct progress progress = { 0 };
	struct recording *recording;
	struct stop stop;
	int code = -1;

	what.births_only = true;
	what.deaths = true;
	what.duration_ns = options->duration_ns;
	what.stop = &stop_asked;
	stop_take(&stop);
	recording = begin(&what, err);
	if (recording && !tells && !options->quiet)
		progress_start(&progress, "counting threads", options->duration_ns, &stop_asked);
	if (recording)
		code = leaks_take(recording, &leaks, model, err);
	progress_stop(&progress);
	recording_free(recording);
	stop_give_back(&stop);
	return code;
}

/* Watches a program from its birth. Writes whether it has failed to @ret_failed. */
static int count_program(const struct options *options, struct model *model, bool *ret_failed,
			 struct err *err)
{
	struct record_options what = { 0 };
	struct program program;
	int code = program_start(&program, options, err);

	what.tgids = program.tgids.data;
	what.tgid_cnt = program.tgids.len;
	what.child = &program.child;
	if (!code)
		code = count(options, what, model, err);
	if (!code) {
		program_say(&program, options);
		*ret_failed = program.child.ended && (!WIFEXITED(program.child.status) ||
						      WEXITSTATUS(program.child.status));
	}
	program_release(&program);
	return code;
}

static int count_targets(const struct options *options, struct model *model, struct err *err)
{
	struct record_options what = { 0 };
	struct targets targets;
	int code = targets_find(options, &targets, err);

	what.tgids = targets.tgids.data;
	what.tgid_cnt = targets.tgids.len;
	what.cgroups = targets.cgroups.len ? &targets.cgroups : NULL;
	if (!code)
		code = count(options, what, model, err);
	targets_release(&targets);
	return code;
}

/* Returns the status for --exit-code. */
static int found_status(const struct model *model, const struct options *options,
			bool program_failed)
{
	bool has_leak;

	if (report_has_leak(model, &options->report, &has_leak)) {
		say_error("not enough memory to judge");
		return STATUS_FAILED;
	}
	if (has_leak)
		return STATUS_FOUND;
	return program_failed ? STATUS_FAILED : STATUS_DONE;
}

static int run_leaks(const struct options *options)
{
	bool program_failed = false;
	struct model model;
	struct err err = { "" };
	struct output output;
	int status = output_open(&output, options);

	if (status)
		return status;
	model_init(&model);
	if (options->program ? count_program(options, &model, &program_failed, &err)
			     : count_targets(options, &model, &err)) {
		say_error("%s", err.msg);
		status = STATUS_FAILED;
	} else {
		status = output_model(&output, &model, options);
		if (!status && options->exit_code)
			status = found_status(&model, options, program_failed);
	}
	output_discard(&output);
	model_release(&model);
	return status;
}

const struct command command_leaks = {
	.name = "leaks",
	.args = "{-p PID | -n NAME | --cgroup PATH | -a | -- PROGRAM [ARG...]}",
	.summary = "which threads leak: born and not ended, by who created them, with a verdict",
	.doc = "Counts the threads of the processes named that are born and that end, and prints "
	       "them by who created them and where they are blocked, with a verdict on each: leak, "
	       "growing, shrinking, churn, pool, idle. Ctrl-C ends it early; what there is by then "
	       "is printed. A program behind -- is watched from its birth to its end; what it has "
	       "not ended by then is a leak.\v"
	       "Examples:\n"
	       "  sudo loiter leaks -p 1234 -d 5m\n"
	       "  sudo loiter leaks -n server --watch\n"
	       "  sudo loiter leaks -n server --until 5000 --save leaks.loiter\n"
	       "  sudo loiter leaks -q --exit-code -- ./test-server",
	.groups = OPTIONS_TARGET | OPTIONS_REPORT | OPTIONS_LEAKS | OPTIONS_SAVE | OPTIONS_PROGRAM |
		  OPTIONS_KERNEL,
	.run = run_leaks,
};
