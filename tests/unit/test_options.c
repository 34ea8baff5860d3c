/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The command line as the commands see it. What is refused ends the program: the end-to-end tests
 * look at that. */
#include "unit.h"

#include <string.h>
#include <sys/types.h>

#include "cli/options.h"

#define WORDS_MAX 32

/* Parses the words of @line, which are kept in @room, as those of @command. */
static void parse(const struct command *command, const char *line, char *room, size_t room_bytes,
		  struct options *ret)
{
	char *argv[WORDS_MAX + 2] = { (char *)"loiter" };
	int argc = 1;
	size_t len = strlen(line);

	assert_true(len < room_bytes);
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
		cmocka_unit_test(test_record_options),
		cmocka_unit_test(test_replay_takes_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
