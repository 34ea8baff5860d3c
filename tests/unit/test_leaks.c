/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Verdicts on made-up histories: one minute in sixty steps, and what is on the edge of each rule.
 */
#include "unit.h"

#include <stdbool.h>
#include <string.h>

#include "model/leaks.h"

#define STEP_CNT 60
#define POINT_CNT (STEP_CNT + 1)
#define STEP_NS 1000000000ull
#define ARRAY_LEN(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

struct story {
	struct leak_history history;
	uint32_t alive[POINT_CNT];
};

/* Begins a story in which @alive threads live, and nothing happens. */
static void begin(struct story *story, uint32_t alive)
{
	memset(story, 0, sizeof(*story));
	for (uint32_t i = 0; i < POINT_CNT; i++)
		story->alive[i] = alive;
	story->history = (struct leak_history){
		.flow = { .alive_start = alive, .alive_end = alive },
		.alive = story->alive,
		.point_cnt = POINT_CNT,
		.point_ns = STEP_NS,
		.window_ns = STEP_CNT * STEP_NS,
	};
}

/* Lets @cnt threads be born in step @step. */
static void birth(struct story *story, uint32_t step, uint32_t cnt)
{
	for (uint32_t i = step + 1; i < POINT_CNT; i++)
		story->alive[i] += cnt;
	story->history.flow.born += cnt;
	story->history.flow.alive_end += cnt;
}

static void death(struct story *story, uint32_t step, uint32_t cnt)
{
	for (uint32_t i = step + 1; i < POINT_CNT; i++)
		story->alive[i] -= cnt;
	story->history.flow.ended += cnt;
	story->history.flow.alive_end -= cnt;
}

/* @cnt at a time are born every @every steps from step @from on, before step @end. */
static void births(struct story *story, uint32_t from, uint32_t end, uint32_t every, uint32_t cnt)
{
	for (uint32_t step = from; step < end; step += every)
		birth(story, step, cnt);
}

/* Of those that live at the end, @watched were seen twice, @ran of them ran. */
static void watch(struct story *story, uint64_t watched, uint64_t ran, uint64_t timed)
{
	story->history.watched = watched;
	story->history.ran = ran;
	story->history.timed = timed;
}

static void expect(const struct story *story, enum leak_verdict want)
{
	enum leak_verdict got = leak_judge(&story->history).verdict;

	if (got != want)
		fail_msg("it is '%s', not '%s'", leak_verdict_name(got), leak_verdict_name(want));
}

static bool is_near(double value, double want, double slack)
{
	return value > want - slack && value < want + slack;
}

/* The demo: five threads a second. */
static void test_leak(void **state)
{
	struct leak_judgement judgement;
	struct story story;

	(void)state;
	begin(&story, 20);
	births(&story, 0, STEP_CNT, 1, 5);
	watch(&story, 310, 0, 0);
	expect(&story, LEAK_LEAK);
	judgement = leak_judge(&story.history);
	assert_true(is_near(judgement.growth_per_min, 300, 0.001));
	assert_true(is_near(judgement.fit, 1, 0.001));
	assert_true(judgement.is_steady);
	assert_false(judgement.moves_on);

	/* One in ten may have run by chance, not more. */
	watch(&story, 310, 31, 0);
	expect(&story, LEAK_LEAK);
	watch(&story, 310, 32, 0);
	expect(&story, LEAK_GROWING);
	/* By their own timeouts they may all have. */
	watch(&story, 310, 310, 310);
	expect(&story, LEAK_LEAK);
	watch(&story, 310, 310, 270);
	expect(&story, LEAK_GROWING);
	/* Once it has come to its place, it is stuck there, whatever it did before. */
	watch(&story, 310, 0, 0);
	story.history.moved = 310;
	expect(&story, LEAK_LEAK);
	/* Where nobody was seen twice, nobody knows. */
	watch(&story, 0, 0, 0);
	expect(&story, LEAK_GROWING);
	/* Some end. */
	watch(&story, 310, 0, 0);
	death(&story, 30, 1);
	expect(&story, LEAK_GROWING);
}

/* Three threads are growth, two are not. */
static void test_least_growth(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 1000);
	birth(&story, 10, 1);
	birth(&story, 30, 1);
	watch(&story, 1002, 0, 0);
	expect(&story, LEAK_IDLE);
	birth(&story, 50, 1);
	expect(&story, LEAK_LEAK);
}

/* A pool that fills, and then is full. */
static void test_plateau(void **state)
{
	struct story story;

	(void)state;
	/* For a third of the window nothing came any more. */
	begin(&story, 2);
	births(&story, 0, 40, 1, 1);
	watch(&story, 42, 42, 0);
	expect(&story, LEAK_POOL);
	watch(&story, 42, 0, 0);
	expect(&story, LEAK_IDLE);
	/* One every second, and then none for four: three were due. */
	begin(&story, 2);
	births(&story, 0, 56, 1, 1);
	watch(&story, 58, 0, 0);
	expect(&story, LEAK_IDLE);
	begin(&story, 2);
	births(&story, 0, 58, 1, 1);
	watch(&story, 60, 0, 0);
	expect(&story, LEAK_LEAK);
	/* One every ten seconds: nine without are no sign. */
	begin(&story, 2);
	births(&story, 0, 60, 10, 5);
	watch(&story, 32, 0, 0);
	expect(&story, LEAK_LEAK);
	/* It fills while it works. */
	begin(&story, 2);
	births(&story, 0, 60, 1, 1);
	watch(&story, 62, 60, 2);
	expect(&story, LEAK_GROWING);
}

/* A step is no line, whenever it comes. */
static void test_burst(void **state)
{
	struct leak_judgement judgement;
	struct story story;

	(void)state;
	for (uint32_t step = 0; step < STEP_CNT; step++) {
		begin(&story, 10);
		birth(&story, step, 100);
		watch(&story, 110, 0, 0);
		judgement = leak_judge(&story.history);
		assert_true(judgement.fit < LEAK_FIT_MIN);
		expect(&story, step < 40 ? LEAK_IDLE : LEAK_GROWING);
	}
	/* All of them end again. */
	begin(&story, 10);
	birth(&story, 5, 200);
	death(&story, 20, 200);
	watch(&story, 10, 0, 0);
	expect(&story, LEAK_CHURN);
}

static void test_churn(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 5);
	for (uint32_t step = 0; step < STEP_CNT; step++) {
		birth(&story, step, 1000);
		death(&story, step, step % 3 ? 1000 : 999);
		if (step % 3 == 2)
			death(&story, step, 1);
	}
	watch(&story, 5, 0, 0);
	expect(&story, LEAK_CHURN);
	/* Seen neither at the start nor at the end. */
	begin(&story, 0);
	birth(&story, 10, 1);
	death(&story, 11, 1);
	expect(&story, LEAK_CHURN);
	/* A large pool in which one was replaced is a pool. */
	begin(&story, 64);
	birth(&story, 10, 1);
	death(&story, 11, 1);
	watch(&story, 63, 60, 0);
	expect(&story, LEAK_POOL);
	birth(&story, 20, 6);
	death(&story, 21, 6);
	expect(&story, LEAK_CHURN);
}

/* Connections that outlive the window: some more at the end than at the start is chance. */
static void test_chance(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 100);
	for (uint32_t step = 0; step < STEP_CNT; step += 2) {
		birth(&story, step, 3);
		death(&story, step, 2);
	}
	/* 90 born, 60 ended: 30 more, and three standard deviations of 150 are 36. */
	watch(&story, 100, 0, 0);
	expect(&story, LEAK_CHURN);
	for (uint32_t step = 1; step < STEP_CNT; step += 2)
		birth(&story, step, 1);
	/* 120 born: 60 more, and of 180 they are 40. */
	expect(&story, LEAK_GROWING);
}

/* Threads that live for a moment: there were none at the start, and now there are some. */
static void test_moment(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 0);
	for (uint32_t step = 0; step + 1 < STEP_CNT; step++) {
		birth(&story, step, 100 + step * 7 % 11);
		death(&story, step, 100 + step * 7 % 11);
	}
	birth(&story, STEP_CNT - 1, 20);
	expect(&story, LEAK_CHURN);
	/* Where few are replaced, it is growth, if along no line. */
	begin(&story, 0);
	birth(&story, 10, 5);
	death(&story, 12, 5);
	birth(&story, STEP_CNT - 1, 20);
	expect(&story, LEAK_GROWING);
}

/* Threads that stay at one place for as long as the window is, and go on to another. */
static void test_moving(void **state)
{
	struct leak_judgement judgement;
	struct story story;

	(void)state;
	begin(&story, 0);
	births(&story, 0, 60, 1, 1);
	watch(&story, 60, 0, 0);
	story.history.others =
		(struct leak_flow){ .alive_start = 120, .born = 0, .ended = 60, .alive_end = 60 };
	expect(&story, LEAK_CHURN);
	judgement = leak_judge(&story.history);
	assert_true(judgement.moves_on);
	/* Of others less than half as many end. */
	story.history.others.ended = 30;
	story.history.others.alive_end = 90;
	expect(&story, LEAK_LEAK);
	/* One in a thousand jobs never ends; the others come and go. */
	story.history.others = (struct leak_flow){
		.alive_start = 5, .born = 60000, .ended = 60002, .alive_end = 3
	};
	expect(&story, LEAK_LEAK);
}

/* One that has just been born is of a creator whose threads come and go. */
static void test_passing(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 0);
	birth(&story, STEP_CNT - 1, 1);
	story.history.others = (struct leak_flow){ 40, 90, 90, 40 };
	expect(&story, LEAK_IDLE);
	story.history.is_passing = true;
	expect(&story, LEAK_CHURN);
	/* Threads that never wait grow for themselves. */
	begin(&story, 0);
	births(&story, 0, STEP_CNT, 2, 1);
	watch(&story, 28, 28, 0);
	story.history.is_passing = true;
	expect(&story, LEAK_GROWING);
}

static void test_level(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 64);
	expect(&story, LEAK_IDLE);
	watch(&story, 64, 0, 0);
	expect(&story, LEAK_IDLE);
	/* Who works at one place after another is at none twice. */
	story.history.moved = 1;
	expect(&story, LEAK_POOL);
	watch(&story, 0, 0, 0);
	expect(&story, LEAK_POOL);
	story.history.moved = 0;
	watch(&story, 64, 1, 1);
	expect(&story, LEAK_POOL);
	death(&story, 3, 2);
	expect(&story, LEAK_POOL);
	death(&story, 3, 1);
	expect(&story, LEAK_SHRINKING);
	begin(&story, 1);
	death(&story, 30, 1);
	expect(&story, LEAK_SHRINKING);
	begin(&story, 100);
	death(&story, 30, 40);
	birth(&story, 30, 19);
	expect(&story, LEAK_SHRINKING);
	birth(&story, 30, 1);
	expect(&story, LEAK_CHURN);
}

/* What a program that ends had not ended itself. */
static void test_left(void **state)
{
	struct story story;

	(void)state;
	begin(&story, 0);
	birth(&story, 1, 1);
	watch(&story, 1, 1, 0);
	expect(&story, LEAK_POOL);
	story.history.left = 1;
	expect(&story, LEAK_LEAK);
}

static void test_fit(void **state)
{
	static const uint32_t falling[] = { 30, 20, 10, 0 };
	static const uint32_t late[] = { 0, 10, 12 };
	struct leak_history history = { .alive = falling,
					.point_cnt = ARRAY_LEN(falling),
					.point_ns = 20 * STEP_NS,
					.window_ns = 60 * STEP_NS };
	double per_min, fit;

	(void)state;
	leak_fit(&history, &per_min, &fit);
	assert_true(is_near(per_min, -30, 0.001) && is_near(fit, 1, 0.001));
	/* The last point comes when the window ends. */
	history.alive = late;
	history.point_cnt = ARRAY_LEN(late);
	history.point_ns = 50 * STEP_NS;
	leak_fit(&history, &per_min, &fit);
	assert_true(is_near(per_min, 12, 0.001) && is_near(fit, 1, 0.001));
	/* Of nothing there is no line. */
	history.point_cnt = 1;
	leak_fit(&history, &per_min, &fit);
	assert_true(per_min == 0 && fit == 0);
	history.point_cnt = 0;
	history.window_ns = 0;
	assert_int_equal(leak_judge(&history).verdict, LEAK_IDLE);
}

static void test_timed(void **state)
{
	(void)state;
	/* Every second, for ten: up to two runs each, and one period more at the edges. */
	assert_true(leak_is_timed(10, 10 * STEP_NS, STEP_NS));
	assert_true(leak_is_timed(23, 10 * STEP_NS, STEP_NS));
	assert_false(leak_is_timed(24, 10 * STEP_NS, STEP_NS));
	/* Within an hour it does not wake by itself in ten seconds. */
	assert_true(leak_is_timed(1, 10 * STEP_NS, 3600 * STEP_NS));
	assert_false(leak_is_timed(4, 10 * STEP_NS, 3600 * STEP_NS));
	assert_false(leak_is_timed(1, 10 * STEP_NS, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leak),	cmocka_unit_test(test_least_growth),
		cmocka_unit_test(test_plateau), cmocka_unit_test(test_burst),
		cmocka_unit_test(test_churn),	cmocka_unit_test(test_chance),
		cmocka_unit_test(test_moment),	cmocka_unit_test(test_moving),
		cmocka_unit_test(test_passing), cmocka_unit_test(test_level),
		cmocka_unit_test(test_left),	cmocka_unit_test(test_fit),
		cmocka_unit_test(test_timed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
