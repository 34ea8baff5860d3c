/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The go format, by a parser as strict as the strictest of the tools that read goroutine dumps. */
#include "unit.h"

#include <regex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"
#include "report_sample.h"

/* -- go: a parser as strict as the strictest of the tools, with their expressions put together --
 */

enum go_state { GO_HEADER, GO_FUNC, GO_FILE, GO_NEXT, GO_LAST, GO_CREATOR, GO_END };

struct go_parser {
	regex_t header, file, creator;
	enum go_state state;
	uint32_t goroutine_cnt, frame_cnt, elided_cnt, unavailable_cnt, creator_cnt;
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
		parser->state = GO_LAST;
	} else if ((was == GO_FUNC || was == GO_NEXT) && go_is_func(line)) {
		parser->state = GO_FILE;
	} else if (was == GO_FILE && go_matches(&parser->file, line)) {
		parser->frame_cnt++;
		parser->state = GO_NEXT;
	} else if (was == GO_NEXT && !strcmp(line, "...additional frames elided...")) {
		parser->elided_cnt++;
		parser->state = GO_LAST;
	} else if ((was == GO_NEXT || was == GO_LAST) && go_matches(&parser->creator, line)) {
		parser->creator_cnt++;
		parser->state = GO_CREATOR;
	} else if (was == GO_CREATOR && go_matches(&parser->file, line)) {
		parser->state = GO_END;
	} else if ((was == GO_NEXT || was == GO_LAST || was == GO_END) && !line[0]) {
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
	assert_int_equal(regcomp(&parser->creator, "^created by [^ /%]+ in goroutine [0-9]+$",
				 REG_EXTENDED | REG_NOSUB),
			 0);
	while ((line = strsep(&rest, "\n")) != NULL)
		if (rest) /* the last line ends in a newline too */
			go_parse_line(parser, line);
	regfree(&parser->header);
	regfree(&parser->file);
	regfree(&parser->creator);
}

static void test_go_parses(void **state)
{
	struct report_options options = { .format = REPORT_GO };
	struct go_parser parser;
	struct model model;
	char *text;

	(void)state;
	sample_fill(&model);
	text = sample_render(&model, &options);
	go_parse(&parser, text);
	assert_int_equal(parser.goroutine_cnt, SAMPLE_SERVER_THREADS + SAMPLE_ODD_THREADS);
	assert_int_equal(parser.unavailable_cnt, 4);
	assert_int_equal(parser.elided_cnt, 4);
	assert_int_equal(parser.creator_cnt, 22);
	assert_true(parser.frame_cnt > 200);
	free(text);
	options.kernel = true;
	text = sample_render(&model, &options);
	go_parse(&parser, text);
	assert_int_equal(parser.unavailable_cnt, 3);
	free(text);
	model_release(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_go_parses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
