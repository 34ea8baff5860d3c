/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "capture/kernel_btf.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/say.h"

static const struct command *const commands[] = { &command_dump, &command_record, &command_leaks,
						  &command_diff, &command_replay, &command_check };
#define COMMAND_CNT (sizeof(commands) / sizeof(commands[0]))

#define KEPT_PIECE_BYTES (32 << 20) /* the most that malloc takes */
#define KEPT_BYTES (64 << 20)

static void print_usage(FILE *out)
{
	fputs("Usage: loiter COMMAND [OPTION...]\n"
	      "Says of a running process what Go's goroutine dump says of a Go server.\n\n",
	      out);
	for (size_t i = 0; i < COMMAND_CNT; i++)
		fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n'loiter COMMAND --help' explains one; 'man loiter' explains all.\n", out);
}

/* Each file of a target that is read stays open, in up to thousands of processes. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* The kernel's BTF and debug sections are some MB each, and given back before the next is read: its
 * pages are kept for that, since to have others made and cleared took a fourth of a dump's time. */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, KEPT_PIECE_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct options options;
	struct err err = { "" };
	int status = STATUS_FAILED;

	options_parse(command, argc, argv, &options);
	child_origin_note(&options.origin);
	/* Writing to a closed pipe is an error like any other; see output_report. */
	signal(SIGPIPE, SIG_IGN);
	raise_file_limit();
	keep_memory();
	if (options.btf_path && kernel_btf_use(options.btf_path, &err))
		say_error("%s", err.msg);
	else
		status = command->run(&options);
	options_release(&options);
	return status;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_CNT; i++)
		if (!strcmp(name, commands[i]->name))
			return commands[i];
	return NULL;
}

static int bad_command(const char *name)
{
	if (name[0] == '-')
		say_error("'%s' comes after a command: loiter dump %s ...; see 'loiter --help'",
			  name, name);
	else
		say_error("'%s' is not a command; see 'loiter --help'", name);
	return STATUS_USAGE;
}

/* "loiter help dump" is "loiter dump --help". */
static int help_command(const char *name)
{
	const struct command *command = find_command(name);
	char help[] = "--help";
	char *argv[] = { NULL, help, NULL };

	return command ? run_command(command, 2, argv) : bad_command(name);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	const struct command *command = find_command(name);

	if (command)
		return run_command(command, argc - 1, argv + 1);
	if (!strcmp(name, "help") && argc > 2)
		return help_command(argv[2]);
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		print_usage(stdout);
		return output_flush();
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		puts("loiter " LOITER_VERSION);
		return output_flush();
	}
	if (argc >= 2)
		return bad_command(name);
	print_usage(stderr);
	return STATUS_USAGE;
}
