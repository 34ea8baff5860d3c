/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "cli/options.h"

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/num.h"

#define TARGET_MAX 4096
#define DURATION_MAX_NS (365 * 86400 * 1000000000ULL)

enum long_option {
	OPT_SAVE = 256,
	OPT_MIN_BLOCK,
	OPT_NO_IDLE,
	OPT_COLOR,
};

static const struct {
	unsigned int group;
	struct argp_option option;
} table[] = {
	{ OPTIONS_TARGET, { "pid", 'p', "PID", 0, "the process with this id (repeatable)", 1 } },
	{ OPTIONS_TARGET,
	  { "name", 'n', "NAME", 0, "every process of this name (repeatable)", 1 } },
	{ OPTIONS_TARGET, { "all", 'a', NULL, 0, "every process of the machine", 1 } },
	{ OPTIONS_REPORT, { "kernel", 'k', NULL, 0, "kernel frames too", 2 } },
	{ OPTIONS_REPORT,
	  { "format", 'f', "FORMAT", 0, "text (default), threads, go, folded, json", 3 } },
	{ OPTIONS_REPORT,
	  { "min-block", OPT_MIN_BLOCK, "TIME", 0,
	    "only threads that have not run for TIME (10ms, 30s, 5m)", 3 } },
	{ OPTIONS_REPORT,
	  { "no-idle", OPT_NO_IDLE, NULL, 0,
	    "leave out threads that wait for work from outside: select (also epoll), accept, "
	    "sleep, signal wait, io_uring",
	    3 } },
	{ OPTIONS_REPORT,
	  { "verbose", 'v', NULL, 0, "every frame, full paths (text and folded)", 3 } },
	{ OPTIONS_REPORT,
	  { "color", OPT_COLOR, "WHEN", 0, "auto (default: on a terminal), always, never", 3 } },
	{ OPTIONS_REPORT,
	  { "output", 'o', "FILE", 0, "write the report to FILE, whole or not at all", 4 } },
	{ OPTIONS_SAVE,
	  { "save", OPT_SAVE, "FILE", 0, "keep what was seen in FILE, for 'loiter replay'", 4 } },
	{ OPTIONS_REPORT, { "quiet", 'q', NULL, 0, "no notes on standard error, only errors", 4 } },
};
#define TABLE_CNT (sizeof(table) / sizeof(table[0]))

static void add_pid(struct argp_state *state, struct options *options, const char *text)
{
	uint32_t tgid;
	pid_t pid;

	if (parse_u32(text, 1, INT_MAX, &tgid))
		argp_error(state, "'%s' is not a process id: it takes a whole number from 1 on",
			   text);
	pid = (pid_t)tgid;
	for (uint32_t i = 0; i < options->tgids.len; i++)
		if (*(pid_t *)vec_at(&options->tgids, i) == pid)
			return;
	if (vec_append(&options->tgids, &pid, 1))
		argp_error(state, "more than %d processes named", TARGET_MAX);
}

static void set_color(struct argp_state *state, struct options *options, const char *when)
{
	if (!strcmp(when, "auto"))
		options->report.color = isatty(STDOUT_FILENO);
	else if (!strcmp(when, "always") || !strcmp(when, "never"))
		options->report.color = when[0] == 'a';
	else
		argp_error(state, "'%s' is not a way to colour: auto, always or never", when);
}

static void set_argument(struct argp_state *state, struct options *options,
			 const struct command *command, char *arg)
{
	uint32_t tgid;

	if (command->groups & OPTIONS_FILE && !options->file)
		options->file = arg;
	else if (command->groups & OPTIONS_TARGET && !parse_u32(arg, 1, INT_MAX, &tgid))
		argp_error(state, "unexpected '%s'; did you mean -p %s?", arg, arg);
	else
		argp_error(state, "unexpected '%s'", arg);
}

static void check_complete(struct argp_state *state, const struct options *options,
			   const struct command *command)
{
	bool named = options->tgids.len || options->names.len;

	if (command->groups & OPTIONS_FILE && !options->file)
		argp_error(state, "no capture file named");
	if (command->groups & OPTIONS_TARGET && !named && !options->all)
		argp_error(state, "no process named: use -p PID, -n NAME or -a");
	if (named && options->all)
		argp_error(state, "-a takes every process: leave out -p and -n");
}

struct parse {
	const struct command *command;
	struct options *options;
};

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	const struct parse *parse = state->input;
	struct options *options = parse->options;
	struct report_options *report = &options->report;

	switch (key) {
	case 'p':
		add_pid(state, options, arg);
		break;
	case 'n':
		if (vec_append(&options->names, &arg, 1))
			argp_error(state, "more than %d names", TARGET_MAX);
		break;
	case 'a':
		options->all = true;
		break;
	case 'k':
		report->kernel = true;
		break;
	case 'f':
		if (report_format_parse(arg, &report->format))
			argp_error(state, "'%s' is not a format: text, threads, go, folded, json",
				   arg);
		break;
	case 'v':
		report->verbose = true;
		break;
	case 'o':
		options->output_path = arg;
		report->color = false;
		break;
	case 'q':
		options->quiet = true;
		break;
	case OPT_SAVE:
		options->save_path = arg;
		break;
	case OPT_NO_IDLE:
		report->no_idle = true;
		break;
	case OPT_MIN_BLOCK:
		if (parse_duration_ns(arg, 0, DURATION_MAX_NS, &report->min_block_ns))
			argp_error(state, "'%s' is not a time: it takes one such as 10ms, 30s, 5m",
				   arg);
		break;
	case OPT_COLOR:
		set_color(state, options, arg);
		break;
	case ARGP_KEY_ARG:
		set_argument(state, options, parse->command, arg);
		break;
	case ARGP_KEY_END:
		check_complete(state, options, parse->command);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

void options_parse(const struct command *command, int argc, char **argv, struct options *ret)
{
	struct argp_option taken[TABLE_CNT + 1] = { 0 };
	struct argp argp = { .options = taken,
			     .parser = parse_one,
			     .args_doc = command->args,
			     .doc = command->doc };
	struct parse parse = { .command = command, .options = ret };
	char name[64];
	size_t cnt = 0;

	for (size_t i = 0; i < TABLE_CNT; i++)
		if (table[i].group & command->groups)
			taken[cnt++] = table[i].option;
	*ret = (struct options){ .report = { .color = isatty(STDOUT_FILENO) } };
	vec_init(&ret->tgids, sizeof(pid_t), TARGET_MAX);
	vec_init(&ret->names, sizeof(char *), TARGET_MAX);
	argp_err_exit_status = 2;
	/* Leave out the note on short options' arguments: the list shows which take one. */
	setenv("ARGP_HELP_FMT", "no-dup-args-note", 0);
	snprintf(name, sizeof(name), "loiter %s", command->name);
	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &parse);
}

void options_release(struct options *options)
{
	vec_release(&options->tgids);
	vec_release(&options->names);
}
