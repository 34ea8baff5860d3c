/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Every format of the sample model, byte for byte as in tests/golden (UPDATE_GOLDEN=1 writes them
 * anew, to be read before they are committed), and what a format promises whatever the model.
 * Runs from the repository's top.
 */
#include "unit.h"

#include <errno.h>
#include <jansson.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "report/report.h"
#include "report_sample.h"

#define GOLDEN_MAX_BYTES (4u << 20)
#define LIBC "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Returns the report as text, which the caller frees. */
static char *render(const struct model *model, const struct report_options *options)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(report_dump(model, options, out), 0);
	assert_false(ferror(out));
	assert_int_equal(fclose(out), 0);
	assert_int_equal(strlen(text), len);
	return text;
}

static const struct golden_case {
	const char *file;
	struct report_options options;
} golden_cases[] = {
	{ "report_text.txt", { .format = REPORT_TEXT } },
	{ "report_text_verbose.txt", { .format = REPORT_TEXT, .verbose = true } },
	{ "report_text_kernel.txt", { .format = REPORT_TEXT, .kernel = true } },
	{ "report_text_color.txt", { .format = REPORT_TEXT, .color = true } },
	{ "report_text_filtered.txt",
	  { .format = REPORT_TEXT, .no_idle = true, .min_block_ns = 60 * SAMPLE_SECOND } },
	{ "report_threads.txt", { .format = REPORT_THREADS } },
	{ "report_threads_kernel.txt", { .format = REPORT_THREADS, .kernel = true } },
	{ "report_go.txt", { .format = REPORT_GO } },
	{ "report_go_kernel.txt", { .format = REPORT_GO, .kernel = true } },
	{ "report.folded", { .format = REPORT_FOLDED } },
	{ "report_verbose.folded", { .format = REPORT_FOLDED, .verbose = true } },
	{ "report_kernel.folded", { .format = REPORT_FOLDED, .kernel = true } },
	{ "report.json", { .format = REPORT_JSON } },
	{ "report_kernel.json", { .format = REPORT_JSON, .kernel = true } },
};

static void check_golden(const struct golden_case *test, const char *text)
{
	struct buf golden;
	char path[128];

	snprintf(path, sizeof(path), "tests/golden/%s", test->file);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *file = fopen(path, "we");

		assert_non_null(file);
		fputs(text, file);
		assert_int_equal(fclose(file), 0);
	}
	buf_init(&golden, GOLDEN_MAX_BYTES);
	if (file_read(path, &golden))
		fail_msg("cannot read '%s': the test runs from the repository's top", path);
	if (strcmp(buf_text(&golden), text) != 0) {
		print_error("%s differs; the report is now:\n%s", path, text);
		fail();
	}
	buf_release(&golden);
}

static void test_golden(void **state)
{
	struct model model;

	(void)state;
	sample_fill(&model);
	for (size_t i = 0; i < ARRAY_LEN(golden_cases); i++) {
		char *text = render(&model, &golden_cases[i].options);

		check_golden(&golden_cases[i], text);
		free(text);
	}
	model_release(&model);
}

/* Whatever the target chose to be called, nothing steers the terminal and all of it is UTF-8. */
static void test_nothing_steers(void **state)
{
	struct model model;

	(void)state;
	sample_fill(&model);
	for (size_t i = 0; i < ARRAY_LEN(golden_cases); i++) {
		char *text = render(&model, &golden_cases[i].options);
		json_t *utf8 = json_string(text);

		assert_non_null(utf8);
		json_decref(utf8);
		for (const char *at = text; *at && !golden_cases[i].options.color; at++)
			if ((unsigned char)*at < 0x20 || *at == 0x7f)
				assert_true(*at == '\n' || *at == '\t');
		assert_null(strstr(text, "\xc2\x9b"));	   /* CSI in one character */
		assert_null(strstr(text, "\xe2\x80\xae")); /* right to left */
		assert_null(strstr(text, "\xe2\x80\xa8")); /* line separator */
		free(text);
	}
	model_release(&model);
}

/* -- go: a parser as strict as the strictest of the tools, with their expressions put together --
 */

enum go_state { GO_HEADER, GO_FUNC, GO_FILE, GO_NEXT, GO_END };

struct go_parser {
	regex_t header, file;
	enum go_state state;
	uint32_t goroutine_cnt, frame_cnt, elided_cnt, unavailable_cnt;
};

/* A function's line ends in its parameters; parentheses are paired and do not nest, and what
 * follows the last '/' has a dot, or there is none. */
static bool go_is_func(const char *line)
{
	size_t len = strlen(line);
	bool open = false;

	if (len < 6 || strcmp(line + len - 5, "(...)") || strchr(line, '/') || strchr(line, '%') ||
	    line[0] == '\t' || !strncmp(line, "created by ", 11))
		return false;
	for (; *line; line++) {
		if ((*line == '(' && open) || (*line == ')' && !open))
			return false;
		if (*line == '(' || *line == ')')
			open = *line == '(';
	}
	return !open;
}

static bool go_matches(const regex_t *regex, const char *line)
{
	return !regexec(regex, line, 0, NULL, 0);
}

static void go_parse_line(struct go_parser *parser, const char *line)
{
	enum go_state was = parser->state;

	if (was == GO_HEADER && go_matches(&parser->header, line)) {
		parser->goroutine_cnt++;
		parser->state = GO_FUNC;
	} else if (was == GO_FUNC &&
		   !strcmp(line, "\tgoroutine running on other thread; stack unavailable")) {
		parser->unavailable_cnt++;
		parser->state = GO_END;
	} else if ((was == GO_FUNC || was == GO_NEXT) && go_is_func(line)) {
		parser->state = GO_FILE;
	} else if (was == GO_FILE && go_matches(&parser->file, line)) {
		parser->frame_cnt++;
		parser->state = GO_NEXT;
	} else if (was == GO_NEXT && !strcmp(line, "...additional frames elided...")) {
		parser->elided_cnt++;
		parser->state = GO_END;
	} else if ((was == GO_NEXT || was == GO_END) && !line[0]) {
		parser->state = GO_HEADER;
	} else {
		fail_msg("a goroutine parser would stop at: %s", line);
	}
}

static void go_parse(struct go_parser *parser, char *text)
{
	char *line, *rest = text;

	*parser = (struct go_parser){ 0 };
	assert_int_equal(regcomp(&parser->header,
				 "^goroutine [0-9]+ \\[[^],[]+(, [0-9]+ minutes)?\\]:$",
				 REG_EXTENDED | REG_NOSUB),
			 0);
	assert_int_equal(regcomp(&parser->file,
				 "^\t([?][?]|[^: ]+\\.(c|go|s)):[0-9]+( \\+0x[0-9a-f]+)?$",
				 REG_EXTENDED | REG_NOSUB),
			 0);
	while ((line = strsep(&rest, "\n")) != NULL)
		if (rest) /* the last line ends in a newline too */
			go_parse_line(parser, line);
	regfree(&parser->header);
	regfree(&parser->file);
}

static void test_go_parses(void **state)
{
	struct report_options options = { .format = REPORT_GO };
	struct go_parser parser;
	struct model model;
	char *text;

	(void)state;
	sample_fill(&model);
	text = render(&model, &options);
	go_parse(&parser, text);
	assert_int_equal(parser.goroutine_cnt, SAMPLE_SERVER_THREADS + SAMPLE_ODD_THREADS);
	assert_int_equal(parser.unavailable_cnt, 4);
	assert_int_equal(parser.elided_cnt, 4);
	assert_true(parser.frame_cnt > 200);
	free(text);
	options.kernel = true;
	text = render(&model, &options);
	go_parse(&parser, text);
	assert_int_equal(parser.unavailable_cnt, 3);
	free(text);
	model_release(&model);
}

/* -- json -- */

static json_t *load_json(const struct model *model, const struct report_options *options)
{
	char *text = render(model, options);
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!json)
		fail_msg("line %d: %s", error.line, error.text);
	free(text);
	return json;
}

static void assert_keys(json_t *json, const char *const *keys)
{
	const char *key;
	json_t *value;

	json_object_foreach(json, key, value)
	{
		assert_non_null(*keys);
		assert_string_equal(key, *keys++);
	}
	assert_null(*keys);
}

static json_t *find_thread(json_t *report, uint32_t process, uint32_t tid)
{
	json_t *threads = json_object_get(
		json_array_get(json_object_get(report, "processes"), process), "threads");
	json_t *thread;
	size_t i;

	json_array_foreach(threads, i,
			   thread) if (json_integer_value(json_object_get(thread, "tid")) ==
				       tid) return thread;
	fail_msg("no thread %u", tid);
	return NULL;
}

static const char *text_of(json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static void test_json_schema(void **state)
{
	static const char *const report_keys[] = { "loiter", "time",   "losses", "processes",
						   "host",   "kernel", NULL };
	static const char *const process_keys[] = { "pid", "comm",    "threads", "thread_count",
						    "exe", "started", NULL };
	static const char *const thread_keys[] = {
		"tid",	   "comm",	"state",      "wait",	"object",	   "age_ns",
		"runs",	   "quality",	"created_by", "frames", "timeout_left_ns", "syscall",
		"started", "stack_end", NULL
	};
	static const char *const frame_keys[] = { "pc",	     "function",      "offset",
						  "file",    "line",	      "module",
						  "inlined", "module_offset", NULL };
	static const char *const loss_keys[] = { "threads_raced", "stacks_unreadable",
						 "stacks_guessed", NULL };
	struct report_options options = { .format = REPORT_JSON };
	json_t *report, *process, *thread, *frames;
	struct model model;

	(void)state;
	sample_fill(&model);
	report = load_json(&model, &options);
	assert_keys(report, report_keys);
	assert_keys(json_object_get(report, "losses"), loss_keys);
	assert_string_equal(text_of(report, "time"), "2026-11-23T15:30:47.123Z");
	process = json_array_get(json_object_get(report, "processes"), 0);
	assert_keys(process, process_keys);
	assert_int_equal(json_integer_value(json_object_get(process, "pid")), SAMPLE_SERVER_TGID);
	thread = find_thread(report, 0, 73901);
	assert_keys(thread, thread_keys);
	assert_string_equal(text_of(thread, "state"), "blocked");
	assert_string_equal(text_of(thread, "wait"), "cond wait");
	assert_string_equal(text_of(thread, "quality"), "complete");
	assert_int_equal(json_integer_value(json_object_get(thread, "age_ns")), 10642500000000);
	frames = json_object_get(thread, "frames");
	assert_int_equal(json_array_size(frames), 6);
	assert_keys(json_array_get(frames, 2), frame_keys);
	assert_string_equal(text_of(json_array_get(frames, 2), "function"), "wait_for_cancel");
	assert_true(json_is_null(json_object_get(json_array_get(frames, 0), "function")));
	json_decref(report);
	model_release(&model);
}

static void test_json_qualities(void **state)
{
	static const struct {
		uint32_t tid;
		const char *quality, *end, *state;
	} cases[] = {
		{ 80001, "truncated", "unreadable", "blocked" },
		{ 80002, "guessed", "root", "blocked" },
		{ 80003, "raced", NULL, "running" },
		{ 80004, "none", NULL, "blocked" },
		{ 80007, "none", NULL, "zombie" },
		{ 80009, "complete", "root", "stopped" },
		{ 80014, "complete", "root", "runnable" },
		{ 80015, "truncated", "compat", "blocked" },
	};
	struct report_options options = { .format = REPORT_JSON, .kernel = true };
	struct model model;
	json_t *report;

	(void)state;
	sample_fill(&model);
	report = load_json(&model, &options);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *thread = find_thread(report, 1, cases[i].tid);

		assert_string_equal(text_of(thread, "quality"), cases[i].quality);
		assert_string_equal(text_of(thread, "state"), cases[i].state);
		if (cases[i].end)
			assert_string_equal(text_of(thread, "stack_end"), cases[i].end);
		else
			assert_true(json_is_null(json_object_get(thread, "stack_end")));
	}
	/* Two threads with the kernel's frames between them: each has its own. */
	assert_int_equal(
		json_array_size(json_object_get(find_thread(report, 1, 80004), "kernel_frames")),
		4);
	assert_int_equal(
		json_array_size(json_object_get(find_thread(report, 1, 80007), "kernel_frames")),
		0);
	json_decref(report);
	model_release(&model);
}

/* More stacks than the writer keeps the text of: each thread still has its own. */
static void test_json_many_stacks(void **state)
{
	enum { STACKS = 2500, NAME_BYTES = 4000 };
	struct report_options options = { .format = REPORT_JSON };
	static char name[NAME_BYTES + 1];
	uint32_t stacks[STACKS], app;
	struct model model;
	json_t *report, *threads, *thread;
	size_t i;

	(void)state;
	memset(name, 'n', NAME_BYTES);
	sample_init(&model);
	app = sample_process(&model, 1, "herd", 1000);
	for (i = 0; i < STACKS; i++) {
		struct sample_frame frame = { "/bin/app", i, name, i, NULL, 0, false };

		stacks[i] = sample_stack(&model, app, &frame, 1);
	}
	for (i = 0; i < 2 * STACKS; i++)
		sample_thread(&model, app, (uint32_t)(i + 1), stacks[i % STACKS], WAIT_COND, 1);
	assert_int_equal(model_sort(&model), 0);
	report = load_json(&model, &options);
	threads =
		json_object_get(json_array_get(json_object_get(report, "processes"), 0), "threads");
	assert_int_equal(json_array_size(threads), 2 * STACKS);
	json_array_foreach(threads, i, thread)
	{
		json_t *frame = json_array_get(json_object_get(thread, "frames"), 0);

		assert_int_equal(json_integer_value(json_object_get(frame, "offset")), i % STACKS);
	}
	json_decref(report);
	model_release(&model);
}

/* -- text: what makes a group -- */

static const struct sample_frame loop_frames[] = {
	{ LIBC, 0x100, "pause", 0x10, NULL, 0, false },
	{ "/bin/app", 0x200, "loop", 0x20, "/src/app.c", 7, false },
	{ LIBC, 0x300, "start_thread", 0x30, NULL, 0, false },
	{ LIBC, 0x400, "__clone3", 0x40, NULL, 0, false },
};

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

static void test_text_groups(void **state)
{
	struct sample_frame other_line[ARRAY_LEN(loop_frames)];
	struct report_options options = { .format = REPORT_TEXT };
	struct model_thread *thread;
	struct model model;
	uint32_t app, twin, stack, other;
	char *text;

	(void)state;
	sample_init(&model);
	app = sample_process(&model, 100, "app", 1000);
	twin = sample_process(&model, 200, "app", 1000);
	memcpy(other_line, loop_frames, sizeof(other_line));
	other_line[1].module_off = 0x210;
	other_line[1].line = 8;
	stack = sample_stack(&model, app, loop_frames, ARRAY_LEN(loop_frames));
	other = sample_stack(&model, app, other_line, ARRAY_LEN(other_line));
	sample_thread(&model, app, 103, other, WAIT_SIGNAL, 5 * SAMPLE_SECOND);
	sample_thread(&model, app, 101, stack, WAIT_SIGNAL, 2 * SAMPLE_SECOND);
	sample_thread(&model, app, 102, stack, WAIT_SIGNAL, 3 * SAMPLE_SECOND);
	thread = sample_thread(&model, app, 104, stack, WAIT_SIGNAL, 9 * SAMPLE_SECOND);
	thread->state = THREAD_STOPPED;
	thread = sample_thread(&model, app, 105, stack, WAIT_SLEEP, 5 * SAMPLE_SECOND);
	thread->comm = strpool_add(&model.strings, "sleeper");
	stack = sample_stack(&model, twin, loop_frames, ARRAY_LEN(loop_frames));
	sample_thread(&model, twin, 201, stack, WAIT_SIGNAL, 2 * SAMPLE_SECOND);
	assert_int_equal(model_sort(&model), 0);

	text = render(&model, &options);
	assert_contains(text, "app (pid 100), 5 threads at 16:30:47, none stopped by loiter\n\n"
			      "2 threads [signal wait, 2.0s to 3.0s]\n\tloop\n"
			      "\t\tsrc/app.c:7 +0x20\n");
	/* Of groups of one size the oldest comes first, then the lowest tid. */
	assert_true(strstr(text, "1 thread [signal wait, 9.0s]") <
		    strstr(text, "\t\tsrc/app.c:8 +0x20\n"));
	assert_true(strstr(text, "\t\tsrc/app.c:8 +0x20\n") <
		    strstr(text, "1 thread [sleep, 5.0s]"));
	assert_contains(text, "thread 105; ran once; named \"sleeper\"\n");
	assert_contains(text, "\n\napp (pid 200), 1 thread at 16:30:47, none stopped\n\n");
	assert_null(strstr(text, "start_thread"));
	assert_null(strstr(text, "lost:"));
	free(text);

	/* Folded knows processes by name only. */
	options.format = REPORT_FOLDED;
	text = render(&model, &options);
	assert_string_equal(text, "app;start_thread;loop;[signal wait] 5\n"
				  "app;start_thread;loop;[sleep] 1\n");
	free(text);
	model_release(&model);
}

/* Twenty-five thousand threads in as many ways as a real server has; all of them are told. */
static void test_text_many(void **state)
{
	enum { THREADS = 25000, STACKS = 100 };
	struct report_options options = { .format = REPORT_TEXT };
	uint32_t stacks[STACKS], total = 0, app;
	struct model model;
	char *text;

	(void)state;
	sample_init(&model);
	app = sample_process(&model, 1000, "herd", 1000);
	for (uint32_t i = 0; i < STACKS; i++) {
		struct sample_frame frames[ARRAY_LEN(loop_frames)];

		memcpy(frames, loop_frames, sizeof(frames));
		frames[1].module_off += i;
		frames[1].func_off += i;
		stacks[i] = sample_stack(&model, app, frames, ARRAY_LEN(frames));
	}
	for (uint32_t i = 0; i < THREADS; i++)
		sample_thread(&model, app, 1000 + i, stacks[i % STACKS], WAIT_COND, i * 1000000ull);
	assert_int_equal(model_sort(&model), 0);
	text = render(&model, &options);
	for (const char *at = text; (at = strstr(at, " threads [cond wait, ")) != NULL; at++) {
		const char *start = at;

		while (start > text && start[-1] != '\n')
			start--;
		total += (uint32_t)strtoul(start, NULL, 10);
	}
	assert_int_equal(total, THREADS);
	assert_contains(text, "  main thread, started ");
	assert_contains(text, "  the others created before loiter attached, ");
	assert_contains(text, ", 2100 and 238 more; ran once each\n");
	free(text);
	options.verbose = true;
	text = render(&model, &options);
	assert_contains(text, ", 25900; ran once each\n");
	free(text);
	model_release(&model);
}

static void test_filters_hold_in_every_format(void **state)
{
	struct model model;

	(void)state;
	sample_fill(&model);
	for (uint32_t i = 0; i < REPORT_FORMAT_CNT; i++) {
		struct report_options options = { .format = (enum report_format)i };
		char *text = render(&model, &options);

		assert_contains(text, "eat_cpu");
		assert_contains(text, "signal wait");
		free(text);
		options.min_block_ns = 1;
		text = render(&model, &options);
		assert_null(strstr(text, "eat_cpu"));
		free(text);
		options.no_idle = true;
		text = render(&model, &options);
		assert_null(strstr(text, "signal wait"));
		assert_contains(text, "mutex lock");
		free(text);
		options.min_block_ns = UINT64_MAX;
		free(render(&model, &options));
	}
	model_release(&model);
}

static void test_no_processes(void **state)
{
	struct report_options options = { .format = REPORT_TEXT };
	struct model model;
	char *text;

	(void)state;
	sample_init(&model);
	assert_int_equal(model_sort(&model), 0);
	model.losses[LOSS_PROCESSES_UNREADABLE] = 2;
	text = render(&model, &options);
	assert_string_equal(text, "lost: 2 processes whose memory map could not be read\n");
	free(text);
	options.format = REPORT_FOLDED;
	text = render(&model, &options);
	assert_string_equal(text, "");
	free(text);
	options.format = REPORT_JSON;
	json_decref(load_json(&model, &options));
	model_release(&model);
}

/* A disk that is full is the writer's affair: the report ends, and ferror tells. */
static void test_full_disk(void **state)
{
	struct model model;

	(void)state;
	sample_fill(&model);
	for (uint32_t i = 0; i < REPORT_FORMAT_CNT; i++) {
		struct report_options options = { .format = (enum report_format)i };
		FILE *out = fopen("/dev/full", "we");

		assert_non_null(out);
		setvbuf(out, NULL, _IONBF, 0);
		assert_int_equal(report_dump(&model, &options, out), 0);
		assert_true(ferror(out));
		fclose(out);
	}
	model_release(&model);
}

static void test_format_names(void **state)
{
	enum report_format format = REPORT_GO;

	(void)state;
	for (uint32_t i = 0; i < REPORT_FORMAT_CNT; i++) {
		const char *name = report_format_name((enum report_format)i);

		assert_int_equal(report_format_parse(name, &format), 0);
		assert_int_equal(format, i);
	}
	assert_int_equal(report_format_parse("xml", &format), -EINVAL);
	assert_int_equal(report_format_parse("", &format), -EINVAL);
	assert_int_equal(format, REPORT_FORMAT_CNT - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_nothing_steers),
		cmocka_unit_test(test_go_parses),
		cmocka_unit_test(test_json_schema),
		cmocka_unit_test(test_json_qualities),
		cmocka_unit_test(test_json_many_stacks),
		cmocka_unit_test(test_text_groups),
		cmocka_unit_test(test_text_many),
		cmocka_unit_test(test_filters_hold_in_every_format),
		cmocka_unit_test(test_no_processes),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_format_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
