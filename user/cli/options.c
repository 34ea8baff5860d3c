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
#include "cli/output.h"

#define TARGET_MAX 4096
#define FREQ_MAX_HZ 10000
#define DURATION_DEFAULT_NS (10 * 1000000000ULL)
#define DELAY_DEFAULT_NS (1000000000ULL)
#define DURATION_NOT_GIVEN UINT64_MAX
#define FREQ_DEFAULT_HZ 99
#define TOP_DEFAULT 20
#define LEAKS_DEFAULT_NS (30 * 1000000000ULL)
#define TELL_DEFAULT_NS (10 * 1000000000ULL)
#define TELL_MIN_NS (100 * 1000000ULL)
#define DURATION_MAX_NS (365 * 86400 * 1000000000ULL)
#define HELP_FORMAT "ARGP_HELP_FMT"

enum long_option {
	OPT_SAVE = 256,
	OPT_MIN_BLOCK,
	OPT_NO_IDLE,
	OPT_COLOR,
	OPT_BY,
	OPT_ON_CPU,
	OPT_TOP,
	OPT_FREQ,
	OPT_VERIFY,
	OPT_CGROUP,
	OPT_UNTIL,
	OPT_WATCH,
	OPT_INTERVAL,
	OPT_EXIT_CODE,
	OPT_BTF,
	OPT_USAGE,
};

static const struct {
	unsigned int group;
	struct argp_option option;
} table[] = {
	{ OPTIONS_TARGET, { "pid", 'p', "PID", 0, "the process with this id (repeatable)", 1 } },
	{ OPTIONS_TARGET,
	  { "name", 'n', "NAME", 0, "every process of this name (repeatable)", 1 } },
	{ OPTIONS_TARGET,
	  { "cgroup", OPT_CGROUP, "PATH", 0,
	    "every process of this cgroup and those below: system.slice/redis.service "
	    "(repeatable)",
	    1 } },
	{ OPTIONS_TARGET, { "all", 'a', NULL, 0, "every process of the machine", 1 } },
	{ OPTIONS_STACKS, { "kernel", 'k', NULL, 0, "kernel frames too", 2 } },
	{ OPTIONS_STACKS,
	  { "format", 'f', "FORMAT", 0,
	    "text (default), html, folded, json, pprof; of a dump threads and go too", 3 } },
	{ OPTIONS_LEAKS, { "format", 'f', "FORMAT", 0, "text (default), html, folded, json", 3 } },
	{ OPTIONS_DIFF, { "format", 'f', "FORMAT", 0, "text (default), json", 3 } },
	{ OPTIONS_RECORD,
	  { "duration", 'd', "TIME", 0,
	    "record for TIME: 30s, 5m (default 10s, or until the program ends); 0: until Ctrl-C",
	    2 } },
	{ OPTIONS_DELAY,
	  { "delay", 'd', "TIME", 0, "look at the program TIME after its start (default 1s)", 2 } },
	{ OPTIONS_RECORD,
	  { "freq", OPT_FREQ, "HZ", 0, "sample threads on CPUs HZ times a second (default 99)",
	    2 } },
	{ OPTIONS_RECORD,
	  { "min-block", OPT_MIN_BLOCK, "TIME", 0, "leave out single blocks shorter than TIME",
	    2 } },
	{ OPTIONS_LEAKS,
	  { "duration", 'd', "TIME", 0,
	    "count for TIME: 30s, 5m (default 30s, or until the program ends); 0: until Ctrl-C",
	    2 } },
	{ OPTIONS_LEAKS,
	  { "until", OPT_UNTIL, "N", 0, "until a process has N threads, however long that takes",
	    2 } },
	{ OPTIONS_LEAKS,
	  { "watch", OPT_WATCH, NULL, 0,
	    "until Ctrl-C, with a line on the terminal every 10s meanwhile", 2 } },
	{ OPTIONS_LEAKS,
	  { "interval", OPT_INTERVAL, "TIME", 0, "with --watch and --until, a line every TIME",
	    2 } },
	{ OPTIONS_LEAKS,
	  { "exit-code", OPT_EXIT_CODE, NULL, 0, "end with status 3 when there is a leak", 4 } },
	{ OPTIONS_RECORD, { "verify", OPT_VERIFY, "N", OPTION_HIDDEN, NULL, 2 } },
	{ OPTIONS_SPANS,
	  { "by", OPT_BY, "WHAT", 0, "blocked (default), run-queue, waker, on-cpu, wall, futex",
	    3 } },
	{ OPTIONS_SPANS, { "on-cpu", OPT_ON_CPU, NULL, 0, "as --by on-cpu", 3 } },
	{ OPTIONS_SPANS, { "by-thread", 't', NULL, 0, "do not group threads", 3 } },
	{ OPTIONS_SPANS,
	  { "top", OPT_TOP, "N", 0, "N stacks a process (text; default 20); 0: all", 3 } },
	{ OPTIONS_AGE,
	  { "min-block", OPT_MIN_BLOCK, "TIME", 0,
	    "only threads that have not run for TIME (10ms, 30s, 5m)", 3 } },
	{ OPTIONS_STACKS,
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
	{ OPTIONS_KERNEL,
	  { "btf", OPT_BTF, "FILE", 0,
	    "take the kernel's types from FILE, where /sys/kernel/btf is hidden", 4 } },
	{ OPTIONS_REPORT, { "quiet", 'q', NULL, 0, "no notes on standard error, only errors", 4 } },
	{ OPTIONS_ANY, { "help", '?', NULL, 0, "Give this help list", -1 } },
	{ OPTIONS_ANY, { "usage", OPT_USAGE, NULL, 0, "Give a short usage message", -1 } },
};
#define TABLE_CNT (sizeof(table) / sizeof(table[0]))

enum color_when {
	COLOR_AUTO,
	COLOR_ALWAYS,
	COLOR_NEVER,
	COLOR_WHEN_CNT,
};

struct parse {
	const struct command *command;
	struct options *options;
	enum color_when color; /* which -o has a say in, wherever it stands */
};

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

static void add_cgroup(struct argp_state *state, struct options *options, const char *path)
{
	if (!path[0])
		argp_error(state, "'' is not a cgroup: it takes a path, such as "
				  "system.slice/redis.service");
	if (vec_append(&options->cgroups, &path, 1))
		argp_error(state, "more than %d cgroups", TARGET_MAX);
}

static void set_color(struct argp_state *state, const char *when, enum color_when *ret)
{
	static const char *const names[COLOR_WHEN_CNT] = { "auto", "always", "never" };

	for (int i = 0; i < COLOR_WHEN_CNT; i++) {
		if (strcmp(when, names[i]) != 0)
			continue;
		*ret = (enum color_when)i;
		return;
	}
	argp_error(state, "'%s' is not a way to colour: auto, always or never", when);
}

static void set_time(struct argp_state *state, const char *text, uint64_t *ret_ns)
{
	if (parse_duration_ns(text, 0, DURATION_MAX_NS, ret_ns))
		argp_error(state, "'%s' is not a time: it takes one such as 10ms, 30s, 5m", text);
}

static void set_argument(struct argp_state *state, struct options *options,
			 const struct command *command, char *arg)
{
	uint32_t tgid;

	if (command->groups & OPTIONS_PROGRAM && state->quoted && state->next > state->quoted) {
		options->program = &state->argv[state->next - 1];
		state->next = state->argc;
		return;
	}
	if (command->groups & (OPTIONS_FILE | OPTIONS_DIFF) && !options->file)
		options->file = arg;
	else if (command->groups & OPTIONS_DIFF && !options->other_file)
		options->other_file = arg;
	else if (command->groups & OPTIONS_TARGET && !parse_u32(arg, 1, INT_MAX, &tgid))
		argp_error(state, "unexpected '%s'; did you mean -p %s?", arg, arg);
	else if (command->groups & OPTIONS_PROGRAM)
		argp_error(state, "unexpected '%s'; to run a program, write -- before it", arg);
	else
		argp_error(state, "unexpected '%s'", arg);
}

const char *format_names(enum report_of of, char *text)
{
	size_t len = 0;

	for (int i = 0; i < REPORT_FORMAT_CNT; i++)
		if (report_format_fits((enum report_format)i, of))
			len += (size_t)snprintf(text + len, FORMAT_NAMES_BYTES - len, "%s%s",
						len ? ", " : "",
						report_format_name((enum report_format)i));
	return text;
}

/* Returns what @command prints reports of; of several, what has the most formats. */
static enum report_of reports_of(const struct command *command)
{
	if (command->groups & OPTIONS_AGE)
		return REPORT_OF_DUMP;
	return command->groups & OPTIONS_LEAKS ? REPORT_OF_LEAKS : REPORT_OF_RECORDING;
}

static void set_format(struct argp_state *state, struct options *options,
		       const struct command *command, const char *name)
{
	enum report_format *format = &options->report.format;
	enum report_of of = reports_of(command);
	char names[FORMAT_NAMES_BYTES];
	bool is_format = !report_format_parse(name, format);

	if (command->groups & OPTIONS_DIFF) {
		if (!is_format || (*format != REPORT_TEXT && *format != REPORT_JSON))
			argp_error(state, "'%s' is not a format of a difference: text, json", name);
		return;
	}
	if (!is_format)
		argp_error(state, "'%s' is not a format: %s", name, format_names(of, names));
	if (!report_format_fits(*format, of))
		argp_error(state, "'%s' is not a format of %s: %s", name,
			   of == REPORT_OF_LEAKS ? "leaks" : "a recording",
			   format_names(of, names));
}

static void set_default_duration(struct argp_state *state, struct options *options,
				 const struct command *command)
{
	bool delay = command->groups & OPTIONS_DELAY;

	if (delay && !options->program && options->duration_ns != DURATION_NOT_GIVEN)
		argp_error(state, "-d is for a program to run: a dump of others is of now");
	if (delay && !options->duration_ns)
		argp_error(state, "'0' is too soon: the program has to run for a while");
	if (options->duration_ns != DURATION_NOT_GIVEN)
		return;
	if (delay)
		options->duration_ns = DELAY_DEFAULT_NS;
	else if (options->program || options->watch || options->until_alive)
		options->duration_ns = 0;
	else
		options->duration_ns =
			command->groups & OPTIONS_LEAKS ? LEAKS_DEFAULT_NS : DURATION_DEFAULT_NS;
}

static bool goes_to_terminal(const struct options *options)
{
	const char *path = options->output_path;

	return (!path || !strcmp(path, "-")) && isatty(STDOUT_FILENO);
}

/* Formats that nobody reads on a terminal go into a file. */
static void check_terminal(struct argp_state *state, const struct options *options)
{
	enum report_format format = options->report.format;

	if (!goes_to_terminal(options))
		return;
	if (format == REPORT_PPROF)
		argp_error(state, "pprof is binary, and standard output is a terminal: "
				  "use -o FILE");
	if (format == REPORT_HTML)
		argp_error(state, "html is for a browser, and standard output is a terminal: "
				  "use -o FILE");
}

/* A capture and a report do not fit into one file. */
static void check_files(struct argp_state *state, const struct options *options)
{
	const char *report = options->output_path ? options->output_path : "-";
	const char *capture = options->save_path;

	if (!capture || strcmp(capture, report) != 0)
		return;
	if (!strcmp(capture, "-"))
		argp_error(state, "the capture and the report cannot both go to standard output: "
				  "use -o FILE or --save FILE");
	argp_error(state, "the capture and the report cannot both go to '%s'", capture);
}

/* What is by futex is of calls, whichever thread makes them. */
static void check_futex(struct argp_state *state, const struct report_options *report)
{
	if (report->by != REPORT_BY_FUTEX)
		return;
	if (!report_format_fits_by(report->format, report->by))
		argp_error(state, "by futex there is no format '%s', but text, folded and json",
			   report_format_name(report->format));
	if (report->by_thread)
		argp_error(state, "by futex no threads are told apart: leave out -t");
}

static void check_complete(struct argp_state *state, const struct options *options,
			   const struct command *command)
{
	bool named = options->tgids.len || options->names.len || options->cgroups.len;

	if (command->groups & OPTIONS_FILE && !options->file)
		argp_error(state, "no capture file named");
	if (command->groups & OPTIONS_DIFF && !options->other_file)
		argp_error(state, "a difference is of two capture files: name both");
	if (options->program && (named || options->all))
		argp_error(state, "a program to run is all that is looked at: leave out -p, -n, "
				  "--cgroup and -a");
	if (command->groups & OPTIONS_TARGET && !named && !options->all && !options->program)
		argp_error(state, "no process named: use -p PID, -n NAME, --cgroup PATH or -a%s",
			   command->groups & OPTIONS_PROGRAM ? ", or -- and a program to run" : "");
	check_futex(state, &options->report);
	check_terminal(state, options);
	check_files(state, options);
	if (named && options->all)
		argp_error(state, "-a takes every process: leave out -p, -n and --cgroup");
}

/* The options of recordings, of which a replay must not ask for any of a snapshot. */
static error_t parse_recording(int key, const char *arg, struct argp_state *state,
			       struct options *options)
{
	struct report_options *report = &options->report;

	switch (key) {
	case 'd':
		set_time(state, arg, &options->duration_ns);
		return 0;
	case OPT_FREQ:
		if (parse_u32(arg, 1, FREQ_MAX_HZ, &options->sample_hz))
			argp_error(state, "'%s' is not a frequency: 1 to %d, in Hz", arg,
				   FREQ_MAX_HZ);
		return 0;
	case OPT_VERIFY:
		if (parse_u32(arg, 1, UINT32_MAX, &options->verify_every))
			argp_error(state, "'%s' is not a number of stacks", arg);
		return 0;
	case OPT_BY:
		if (report_by_parse(arg, &report->by))
			argp_error(state,
				   "'%s' is nothing to report by: blocked, run-queue, waker, "
				   "on-cpu, wall, futex",
				   arg);
		options->recording_option = "--by";
		return 0;
	case OPT_ON_CPU:
		report->by = REPORT_BY_ON_CPU;
		options->recording_option = "--on-cpu";
		return 0;
	case 't':
		report->by_thread = true;
		options->recording_option = "--by-thread";
		return 0;
	case OPT_TOP:
		if (parse_u32(arg, 0, UINT32_MAX, &report->top))
			argp_error(state, "'%s' is not a number of stacks", arg);
		options->recording_option = "--top";
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* The options of leaks. */
static error_t parse_leaks(int key, const char *arg, struct argp_state *state,
			   struct options *options)
{
	switch (key) {
	case OPT_UNTIL:
		if (parse_u32(arg, 1, UINT32_MAX, &options->until_alive))
			argp_error(state, "'%s' is not a number of threads", arg);
		return 0;
	case OPT_WATCH:
		options->watch = true;
		return 0;
	case OPT_INTERVAL:
		set_time(state, arg, &options->tell_every_ns);
		if (options->tell_every_ns < TELL_MIN_NS)
			argp_error(state, "'%s' is too often: 100ms at least", arg);
		return 0;
	case OPT_EXIT_CODE:
		options->exit_code = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* Ends loiter with what @flags ask for, as argp would, which does not see whether that was written.
 */
static void give_help(struct argp_state *state, unsigned int flags)
{
	argp_state_help(state, stdout, flags & ~(unsigned int)ARGP_HELP_EXIT_OK);
	exit(output_flush());
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	struct parse *parse = state->input;
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
	case OPT_CGROUP:
		add_cgroup(state, options, arg);
		break;
	case 'a':
		options->all = true;
		break;
	case 'k':
		report->kernel = true;
		break;
	case 'f':
		set_format(state, options, parse->command, arg);
		break;
	case 'v':
		report->verbose = true;
		break;
	case 'o':
		options->output_path = arg;
		break;
	case 'q':
		options->quiet = true;
		break;
	case OPT_SAVE:
		options->save_path = arg;
		break;
	case OPT_BTF:
		options->btf_path = arg;
		break;
	case OPT_NO_IDLE:
		report->no_idle = true;
		break;
	case OPT_MIN_BLOCK:
		set_time(state, arg, &report->min_block_ns);
		options->snapshot_option = "--min-block";
		break;
	case OPT_COLOR:
		set_color(state, arg, &parse->color);
		break;
	case '?':
		give_help(state, ARGP_HELP_STD_HELP);
		break;
	case OPT_USAGE:
		give_help(state, ARGP_HELP_USAGE);
		break;
	case ARGP_KEY_ARG:
		set_argument(state, options, parse->command, arg);
		break;
	case ARGP_KEY_END:
		check_complete(state, options, parse->command);
		set_default_duration(state, options, parse->command);
		report->color = parse->color == COLOR_AUTO ? goes_to_terminal(options)
							   : parse->color == COLOR_ALWAYS;
		break;
	default:
		if (!parse_leaks(key, arg, state, options))
			return 0;
		return parse_recording(key, arg, state, options);
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
	bool has_format = getenv(HELP_FORMAT) != NULL;
	char name[64];
	size_t cnt = 0;

	for (size_t i = 0; i < TABLE_CNT; i++)
		if (table[i].group & (command->groups | OPTIONS_ANY))
			taken[cnt++] = table[i].option;
	*ret = (struct options){
		.report = { .top = TOP_DEFAULT },
		.duration_ns = DURATION_NOT_GIVEN,
		.sample_hz = FREQ_DEFAULT_HZ,
		.tell_every_ns = TELL_DEFAULT_NS,
	};
	vec_init(&ret->tgids, sizeof(pid_t), TARGET_MAX);
	vec_init(&ret->names, sizeof(char *), TARGET_MAX);
	vec_init(&ret->cgroups, sizeof(char *), TARGET_MAX);
	argp_err_exit_status = 2;
	/* Leave out the note on short options' arguments: the list shows which take one. */
	setenv(HELP_FORMAT, "no-dup-args-note", 0);
	snprintf(name, sizeof(name), "loiter %s", command->name);
	argv[0] = name;
	argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, &parse);
	/* It is no program's that is started. */
	if (!has_format)
		unsetenv(HELP_FORMAT);
}

void options_release(struct options *options)
{
	vec_release(&options->tgids);
	vec_release(&options->names);
	vec_release(&options->cgroups);
}
