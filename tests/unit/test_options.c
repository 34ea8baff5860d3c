/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The command line as the commands see it. What is refused ends the program: the end-to-end tests
 * look at that. */
#include "unit.h"

#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "cli/options.h"

#define WORDS_MAX 32
#define SECOND UINT64_C(1000000000)

/* Parses the words of @line, which are kept in @room, as those of @command. The program among them
 * is good until the next call. */
static void parse(const struct command *command, const char *line, char *room, size_t room_bytes,
		  struct options *ret)
{
	static char *argv[WORDS_MAX + 2];
	int argc = 1;
	size_t len = strlen(line);

	assert_true(len < room_bytes);
	memset(argv, 0, sizeof(argv));
	argv[0] = (char *)"loiter";
	memcpy(room, line, len + 1);
	for (char *word = room; *word && argc <= WORDS_MAX;) {
		size_t word_len = strcspn(word, " ");
		int last = !word[word_len];

		argv[argc++] = word;
		word[word_len] = '\0';
		word += word_len + !last;
	}
	options_parse(command, argc, argv, ret);
}

static void test_dump_options(void **state)
{
	struct options options;
	char room[256];

	(void)state;
	parse(&command_dump,
	      "-p 12 --pid=7 -p 12 --cgroup a.slice/b --cgroup=/c -n redis -f json -k -v -q --no-idle --min-block 1500ms "
	      "-o out.txt",
	      room, sizeof(room), &options);
	assert_int_equal(options.tgids.len, 2);
	assert_int_equal(*(pid_t *)vec_at(&options.tgids, 0), 12);
	assert_int_equal(*(pid_t *)vec_at(&options.tgids, 1), 7);
	assert_int_equal(options.names.len, 1);
	assert_string_equal(*(const char **)vec_at(&options.names, 0), "redis");
	assert_int_equal(options.cgroups.len, 2);
	assert_string_equal(*(const char **)vec_at(&options.cgroups, 0), "a.slice/b");
	assert_string_equal(*(const char **)vec_at(&options.cgroups, 1), "/c");
	assert_false(options.all);
	assert_int_equal(options.report.format, REPORT_JSON);
	assert_true(options.report.kernel && options.report.verbose && options.report.no_idle);
	assert_true(options.quiet);
	assert_int_equal(options.report.min_block_ns, 1500 * 1000000ULL);
	assert_string_equal(options.output_path, "out.txt");
	assert_null(options.save_path);
	options_release(&options);
}

static void test_defaults(void **state)
{
	struct options options;
	char room[256];

	(void)state;
	parse(&command_dump, "-a --save x.loiter --color never", room, sizeof(room), &options);
	assert_true(options.all);
	assert_int_equal(options.report.format, REPORT_TEXT);
	assert_false(options.report.color);
	assert_string_equal(options.save_path, "x.loiter");
	assert_null(options.output_path);
	options_release(&options);
}

/* Parses @line as of a dump, with a terminal as standard output. Returns whether it is coloured. */
static bool is_coloured(const char *line)
{
	struct options options;
	int master, slave, before;
	char room[256];
	bool color;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	fflush(stdout);
	before = dup(STDOUT_FILENO);
	assert_true(before >= 0 && dup2(slave, STDOUT_FILENO) >= 0);
	parse(&command_dump, line, room, sizeof(room), &options);
	color = options.report.color;
	options_release(&options);
	assert_true(dup2(before, STDOUT_FILENO) >= 0);
	close(before);
	close(slave);
	close(master);
	return color;
}

static void test_the_order_of_options_changes_no_colour(void **state)
{
	static const struct {
		const char *line;
		bool color;
	} lines[] = {
		{ "-a", true },
		{ "-a --color never", false },
		{ "-a -o -", true },
		{ "-a -o out", false },
		{ "-a -o out --color auto", false },
		{ "-a --color auto -o out", false },
		{ "-a -o out --color always", true },
		{ "-a --color always -o out", true },
		{ "-a --color always --color auto -o out", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (is_coloured(lines[i].line) != lines[i].color)
			fail_msg("%s: not as expected", lines[i].line);
}

static void test_record_options(void **state)
{
	struct options options;
	char room[256];

	(void)state;
	parse(&command_record, "-p 3 -d 2m --by wall --freq 199", room, sizeof(room), &options);
	assert_int_equal(options.duration_ns, 120 * 1000000000ULL);
	assert_int_equal(options.report.by, REPORT_BY_WALL);
	assert_int_equal(options.sample_hz, 199);
	options_release(&options);
	parse(&command_record, "-p 3 --on-cpu", room, sizeof(room), &options);
	assert_int_equal(options.report.by, REPORT_BY_ON_CPU);
	options_release(&options);
}

static void test_leaks_options(void **state)
{
	struct options options;
	char room[256];

	(void)state;
	parse(&command_leaks, "-p 3", room, sizeof(room), &options);
	assert_int_equal(options.duration_ns, 30 * SECOND);
	assert_int_equal(options.tell_every_ns, 10 * SECOND);
	assert_false(options.exit_code || options.watch || options.until_alive);
	options_release(&options);
	parse(&command_leaks, "-p 3 --watch --interval 2m", room, sizeof(room), &options);
	assert_int_equal(options.duration_ns, 0);
	assert_int_equal(options.tell_every_ns, 120 * SECOND);
	assert_true(options.watch);
	options_release(&options);
	parse(&command_leaks, "-p 3 --until 5000", room, sizeof(room), &options);
	assert_int_equal(options.duration_ns, 0);
	assert_int_equal(options.until_alive, 5000);
	options_release(&options);
	parse(&command_leaks, "--until 60 -d 5m -a", room, sizeof(room), &options);
	assert_int_equal(options.duration_ns, 300 * SECOND);
	options_release(&options);
	/* A program lasts as long as it does. */
	parse(&command_leaks, "--exit-code -- server -d", room, sizeof(room), &options);
	assert_int_equal(options.duration_ns, 0);
	assert_true(options.exit_code);
	assert_string_equal(options.program[1], "-d");
	options_release(&options);
}

static void test_diff_takes_two_files(void **state)
{
	struct options options;
	char room[256];

	(void)state;
	parse(&command_diff, "before.loiter -f json after.loiter", room, sizeof(room), &options);
	assert_string_equal(options.file, "before.loiter");
	assert_string_equal(options.other_file, "after.loiter");
	assert_int_equal(options.report.format, REPORT_JSON);
	options_release(&options);
}

static void test_replay_takes_a_file(void **state)
{
	struct options options;
	char room[256];

	(void)state;
	parse(&command_replay, "-f folded hang.loiter", room, sizeof(room), &options);
	assert_string_equal(options.file, "hang.loiter");
	assert_int_equal(options.report.format, REPORT_FOLDED);
	options_release(&options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump_options),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_the_order_of_options_changes_no_colour),
		cmocka_unit_test(test_record_options),
		cmocka_unit_test(test_leaks_options),
		cmocka_unit_test(test_diff_takes_two_files),
		cmocka_unit_test(test_replay_takes_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
