/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Threads that come and go, counted by cohort: at any time start + born - ended = alive, in each.
 */
#include "unit.h"

#include <string.h>

#include "collect/cohorts.h"

#define SECOND 1000000000ull
#define START (100 * SECOND)
#define SERVER 300
#define CREATOR 7
#define OTHER_CREATOR 8
#define PLACE 20
#define OTHER_PLACE 21

static struct vec no_entries;

/* Looks at everything have what they count in common. */
static void assert_sums(const struct cohorts *cohorts)
{
	uint64_t alive = 0;

	for (uint32_t i = 0; i < cohorts->list.len; i++) {
		const struct cohort *cohort = cohorts_at(cohorts, i);
		uint32_t points[COHORT_STEP_CNT + 1], cnt;

		assert_int_equal(cohort->alive_start + cohort->born - cohort->ended, cohort->alive);
		cnt = cohorts_points(cohorts, cohort, UINT64_MAX, points);
		assert_int_equal(cnt, COHORT_STEP_CNT + 1);
		assert_int_equal(points[0], cohort->alive_start);
		assert_int_equal(points[cnt - 1], cohort->alive);
		alive += cohort->alive - cohort->left;
	}
	assert_int_equal(alive, cohorts->threads.len);
}

static void birth_of(struct cohorts *cohorts, uint32_t tgid, uint32_t tid, uint64_t time_ns,
		     uint32_t creator)
{
	const struct wire_birth birth = { .tid = tid,
					  .tgid = tgid,
					  .creator_tid = SERVER + 1,
					  .creator_tgid = SERVER,
					  .start_ns = time_ns,
					  .creator_comm = "maker" };

	assert_int_equal(cohorts_birth(cohorts, &birth, creator), 0);
}

static void birth(struct cohorts *cohorts, uint32_t tid, uint64_t time_ns)
{
	birth_of(cohorts, SERVER, tid, time_ns, CREATOR);
}

static void death_of(struct cohorts *cohorts, uint32_t tgid, uint32_t tid, uint64_t start_ns,
		     uint64_t time_ns, bool is_left)
{
	const struct wire_death death = {
		.tid = tid, .tgid = tgid, .start_ns = start_ns, .time_ns = time_ns
	};

	assert_int_equal(cohorts_death(cohorts, &death, is_left, &no_entries), 0);
}

static void death(struct cohorts *cohorts, uint32_t tid, uint64_t start_ns, uint64_t time_ns)
{
	death_of(cohorts, SERVER, tid, start_ns, time_ns, false);
}

static void see(struct cohorts *cohorts, uint32_t tid, uint64_t start_ns, uint32_t place,
		uint64_t run_cnt)
{
	const struct cohort_sight sight = { .tid = tid,
					    .tgid = SERVER,
					    .start_ns = start_ns,
					    .now_ns = cohorts->look * SECOND,
					    .run_cnt = run_cnt,
					    .place = place,
					    .entry = tid,
					    .syscall_nr = 202 };

	assert_int_equal(cohorts_see(cohorts, &sight), 0);
}

/* Returns the cohort of what was created by @creator and is at @place; NULL when there is none. */
static const struct cohort *find(const struct cohorts *cohorts, uint32_t creator, uint32_t place)
{
	for (uint32_t i = 0; i < cohorts->list.len; i++) {
		const struct cohort *cohort = cohorts_at(cohorts, i);

		if (i != COHORT_REST && cohort->key.creator == creator &&
		    cohort->key.place == place)
			return cohort;
	}
	return NULL;
}

static void assert_flow(const struct cohort *cohort, uint64_t alive_start, uint64_t born,
			uint64_t ended)
{
	assert_non_null(cohort);
	assert_int_equal(cohort->alive_start, alive_start);
	assert_int_equal(cohort->born, born);
	assert_int_equal(cohort->ended, ended);
}

/* -- what happens to threads -- */

static void test_life(void **state)
{
	struct cohorts cohorts;

	(void)state;
	cohorts_init(&cohorts, START, 64 * SECOND);
	cohorts_begin_look(&cohorts, START);
	see(&cohorts, 310, 50 * SECOND, PLACE, 5);
	see(&cohorts, 311, 50 * SECOND, PLACE, 5);
	cohorts_end_look(&cohorts);
	birth(&cohorts, 320, START + SECOND);
	birth(&cohorts, 321, START + SECOND);
	birth(&cohorts, 322, START + 2 * SECOND);
	death(&cohorts, 321, START + SECOND, START + 3 * SECOND);
	death(&cohorts, 311, 50 * SECOND, START + 3 * SECOND);
	assert_flow(find(&cohorts, COHORT_NONE, PLACE), 2, 0, 1);
	assert_true(find(&cohorts, COHORT_NONE, PLACE)->key.is_older);
	assert_flow(find(&cohorts, CREATOR, COHORT_NONE), 0, 3, 1);
	assert_sums(&cohorts);
	/* Those that live move to their place with their birth; who ended unseen does not. */
	cohorts_begin_look(&cohorts, START + 4 * SECOND);
	see(&cohorts, 310, 50 * SECOND, PLACE, 5);
	see(&cohorts, 320, START + SECOND, PLACE, 1);
	see(&cohorts, 322, START + 2 * SECOND, OTHER_PLACE, 1);
	cohorts_end_look(&cohorts);
	assert_flow(find(&cohorts, CREATOR, COHORT_NONE), 0, 1, 1);
	assert_flow(find(&cohorts, CREATOR, PLACE), 0, 1, 0);
	assert_flow(find(&cohorts, CREATOR, OTHER_PLACE), 0, 1, 0);
	assert_int_equal(find(&cohorts, CREATOR, PLACE)->syscall_nr, 202);
	assert_sums(&cohorts);
	/* And those who were seen end where they were seen last. */
	death(&cohorts, 322, START + 2 * SECOND, START + 5 * SECOND);
	assert_flow(find(&cohorts, CREATOR, OTHER_PLACE), 0, 1, 1);
	assert_int_equal(cohorts.born, 3);
	assert_int_equal(cohorts.ended, 3);
	assert_int_equal(cohorts.unseen_births + cohorts.unseen_ends, 0);
	assert_sums(&cohorts);
	cohorts_release(&cohorts);
}

/* A thread that is seen twice where it is tells whether it ran; where it runs, it stays. */
static void test_runs(void **state)
{
	const struct cohort_thread *thread;
	struct cohorts cohorts;

	(void)state;
	cohorts_init(&cohorts, START, 64 * SECOND);
	birth(&cohorts, 320, START + SECOND);
	for (uint32_t look = 1; look < 6; look++) {
		static const uint32_t places[] = { COHORT_NONE, COHORT_NONE, PLACE,
						   COHORT_NONE, PLACE,	     OTHER_PLACE };

		cohorts_begin_look(&cohorts, START + look * SECOND);
		see(&cohorts, 320, START + SECOND, places[look], 10 * look);
		cohorts_end_look(&cohorts);
		thread = cohorts_thread(&cohorts, 0);
		assert_int_equal(thread->seen_ns, look * SECOND);
		assert_int_equal(thread->seen_runs, 10 * look);
		assert_int_equal(thread->place_ns, (look < 2 ? 1 : look < 5 ? 2 : 5) * SECOND);
		assert_int_equal(thread->place_runs, look < 2 ? 10 : look < 5 ? 20 : 50);
		assert_int_equal(thread->entry, 320);
		assert_flow(find(&cohorts, CREATOR,
				 look < 2   ? COHORT_NONE
				 : look < 5 ? PLACE
					    : OTHER_PLACE),
			    0, 1, 0);
	}
	assert_sums(&cohorts);
	cohorts_release(&cohorts);
}

/* One that is at another place at every look has run; one that only comes to its first has not. */
static void test_moves(void **state)
{
	struct cohorts cohorts;

	(void)state;
	cohorts_init(&cohorts, START, 64 * SECOND);
	birth(&cohorts, 320, START + SECOND);
	birth(&cohorts, 321, START + SECOND);
	for (uint32_t look = 1; look < 5; look++) {
		static const uint32_t places[] = { COHORT_NONE, COHORT_NONE, PLACE, OTHER_PLACE,
						   PLACE };

		cohorts_begin_look(&cohorts, START + look * SECOND);
		/* Older ones: one that works, one that does not, one that has been at work. */
		see(&cohorts, 310, 50 * SECOND, places[look], look);
		see(&cohorts, 311, 50 * SECOND, look < 3 ? PLACE : OTHER_PLACE, 5);
		see(&cohorts, 312, 50 * SECOND, look < 4 ? COHORT_NONE : PLACE, look);
		see(&cohorts, 320, START + SECOND, places[look], look);
		see(&cohorts, 321, START + SECOND, look < 2 ? COHORT_NONE : PLACE, look);
		cohorts_end_look(&cohorts);
		assert_int_equal(cohorts_thread(&cohorts, 0)->has_moved, look >= 3); /* 320 */
		assert_false(cohorts_thread(&cohorts, 1)->has_moved);		     /* 321 */
		assert_int_equal(cohorts_thread(&cohorts, 2)->has_moved, look >= 2); /* 310 */
		assert_false(cohorts_thread(&cohorts, 3)->has_moved);		     /* 311 */
		assert_int_equal(cohorts_thread(&cohorts, 4)->has_moved, look >= 4); /* 312 */
	}
	assert_sums(&cohorts);
	cohorts_release(&cohorts);
}

/* The main threads of forked processes are of who forked them; what these create is theirs. */
static void test_forked(void **state)
{
	const struct cohort *forked;
	struct cohorts cohorts;

	(void)state;
	cohorts_init(&cohorts, START, 64 * SECOND);
	birth_of(&cohorts, 400, 400, START + 1, CREATOR);
	birth_of(&cohorts, 401, 401, START + 1, CREATOR);
	birth_of(&cohorts, SERVER, 402, START + 1, CREATOR);
	forked = cohorts_at(&cohorts, 1);
	assert_true(forked->key.is_forked);
	assert_flow(forked, 0, 2, 0);
	assert_int_equal(cohorts_process(&cohorts, forked->key.process)->tgid, SERVER);
	assert_flow(cohorts_at(&cohorts, 2), 0, 1, 0);
	/* One that exits has ended, and did not only leave threads behind. */
	death_of(&cohorts, 400, 400, START + 1, START + SECOND, true);
	assert_flow(forked, 0, 2, 1);
	assert_int_equal(forked->left, 0);
	assert_sums(&cohorts);
	cohorts_release(&cohorts);
}

/* What a process ends with stays as it was. */
static void test_left(void **state)
{
	const struct cohort_left *left;
	const struct cohort *cohort;
	struct cohorts cohorts;

	(void)state;
	cohorts_init(&cohorts, START, 64 * SECOND);
	for (uint32_t tid = 320; tid < 325; tid++)
		birth(&cohorts, tid, START + SECOND);
	death(&cohorts, 320, START + SECOND, START + 2 * SECOND);
	for (uint32_t tid = 321; tid < 325; tid++)
		death_of(&cohorts, SERVER, tid, START + SECOND, START + 3 * SECOND, true);
	cohort = find(&cohorts, CREATOR, COHORT_NONE);
	assert_flow(cohort, 0, 5, 1);
	assert_int_equal(cohort->left, 4);
	assert_int_equal(cohort->left_main, 0);
	assert_int_equal(cohort->alive, 4);
	assert_int_equal(cohorts.threads.len, 0);
	assert_int_equal(cohorts.left.len, 4);
	left = vec_at(&cohorts.left, 0);
	assert_int_equal(left->thread.tid, 321);
	assert_int_equal(left->ended_ns, START + 3 * SECOND);
	assert_false(left->has_entry);
	assert_int_equal(cohorts_process(&cohorts, cohort->key.process)->alive_cnt, 0);
	assert_sums(&cohorts);
	/* Its main thread is what it ended with. */
	death_of(&cohorts, SERVER, SERVER, 50 * SECOND, START + 3 * SECOND, true);
	cohort = find(&cohorts, COHORT_NONE, COHORT_NONE);
	assert_flow(cohort, 1, 0, 0);
	assert_int_equal(cohort->left, 1);
	assert_int_equal(cohort->left_main, 1);
	assert_sums(&cohorts);
	cohorts_release(&cohorts);
}

/* -- events that are lost -- */

static void test_lost(void **state)
{
	struct cohorts cohorts;

	(void)state;
	cohorts_init(&cohorts, START, 64 * SECOND);
	/* Ends of who was not met: before the window, and in it. */
	death(&cohorts, 310, 50 * SECOND, START + SECOND);
	assert_flow(find(&cohorts, COHORT_NONE, COHORT_NONE), 1, 0, 1);
	assert_int_equal(cohorts.unseen_births, 0);
	death(&cohorts, 320, START + SECOND, START + SECOND);
	assert_int_equal(cohorts.unseen_births, 1);
	/* A stack that was not learned. */
	assert_int_equal(cohorts.no_stack_births, 0);
	birth_of(&cohorts, SERVER, 325, START + SECOND, COHORT_NONE);
	assert_int_equal(cohorts.no_stack_births, 1);
	death(&cohorts, 325, START + SECOND, START + SECOND);
	/* A tid that has another thread. */
	birth(&cohorts, 330, START + SECOND);
	birth(&cohorts, 330, START + 2 * SECOND);
	assert_int_equal(cohorts.unseen_ends, 1);
	assert_flow(find(&cohorts, CREATOR, COHORT_NONE), 0, 2, 1);
	/* One that is in no look any more: not the first time. */
	birth(&cohorts, 331, START + 2 * SECOND);
	for (uint32_t look = 3; look < 6; look++) {
		cohorts_begin_look(&cohorts, START + look * SECOND);
		see(&cohorts, 330, START + 2 * SECOND, PLACE, 1);
		cohorts_end_look(&cohorts);
		assert_int_equal(cohorts.unseen_ends, look < 4 ? 1 : 2);
	}
	/* One that a look meets. */
	cohorts_begin_look(&cohorts, START + 6 * SECOND);
	see(&cohorts, 330, START + 2 * SECOND, PLACE, 1);
	see(&cohorts, 340, START + 5 * SECOND, PLACE, 1);
	assert_int_equal(cohorts.unseen_births, 2);
	assert_false(find(&cohorts, COHORT_NONE, PLACE)->key.is_older);
	cohorts_end_look(&cohorts);
	assert_sums(&cohorts);
	cohorts_release(&cohorts);
}

/* What ends while a look goes on is in it, and not alive. */
static void test_race(void **state)
{
	struct cohorts cohorts;

	(void)state;
	cohorts_init(&cohorts, START, 64 * SECOND);
	birth(&cohorts, 320, START + SECOND);
	cohorts_begin_look(&cohorts, START + 2 * SECOND);
	death(&cohorts, 320, START + SECOND, START + 2 * SECOND + 1);
	birth(&cohorts, 321, START + 2 * SECOND + 1);
	see(&cohorts, 320, START + SECOND, PLACE, 1);
	cohorts_end_look(&cohorts);
	assert_int_equal(cohorts.threads.len, 1);
	assert_int_equal(cohorts.unseen_births + cohorts.unseen_ends, 0);
	assert_sums(&cohorts);
	cohorts_release(&cohorts);
}

/* At the end there is what the last look shows. */
static void test_close(void **state)
{
	struct cohorts cohorts;

	(void)state;
	cohorts_init(&cohorts, START, 64 * SECOND);
	birth(&cohorts, 320, START + SECOND);
	birth(&cohorts, 321, START + SECOND);
	birth(&cohorts, 322, START + SECOND);
	cohorts_begin_look(&cohorts, START + 2 * SECOND);
	see(&cohorts, 320, START + SECOND, PLACE, 1);
	see(&cohorts, 321, START + SECOND, PLACE, 1);
	cohorts_end_look(&cohorts);
	cohorts_begin_look(&cohorts, START + 3 * SECOND);
	/* Born too late for the look, and not. */
	birth(&cohorts, 323, START + 3 * SECOND + 5);
	birth(&cohorts, 324, START + 3 * SECOND + 5);
	see(&cohorts, 320, START + SECOND, PLACE, 1);
	see(&cohorts, 324, START + 3 * SECOND + 5, COHORT_NONE, 1);
	cohorts_close(&cohorts);
	assert_int_equal(cohorts.threads.len, 2);
	assert_int_equal(cohorts.unseen_ends, 2);
	assert_int_equal(cohorts.born, 4);
	assert_flow(find(&cohorts, CREATOR, PLACE), 0, 2, 1);
	assert_flow(find(&cohorts, CREATOR, COHORT_NONE), 0, 2, 1);
	assert_sums(&cohorts);
	cohorts_release(&cohorts);
}

/* -- time -- */

static void test_points(void **state)
{
	uint32_t points[COHORT_STEP_CNT + 1];
	const struct cohort *cohort;
	struct cohorts cohorts;

	(void)state;
	cohorts_init(&cohorts, START, 640 * SECOND);
	for (uint32_t i = 0; i < 64; i++)
		birth(&cohorts, 1000 + i, START + 10 * i * SECOND + SECOND);
	cohort = cohorts_at(&cohorts, 1);
	assert_int_equal(cohorts_points(&cohorts, cohort, START + 640 * SECOND, points), 65);
	for (uint32_t i = 0; i < 65; i++)
		assert_int_equal(points[i], i);
	assert_int_equal(cohorts_points(&cohorts, cohort, START + 15 * SECOND, points), 3);
	assert_int_equal(cohorts_points(&cohorts, cohort, START, points), 1);
	/* It lasts longer than was said: the steps get longer, and nothing is lost. */
	birth(&cohorts, 2000, START + 10000 * SECOND);
	assert_true(cohorts.step_ns * COHORT_STEP_CNT > 10000 * SECOND);
	assert_sums(&cohorts);
	death(&cohorts, 2000, START + 10000 * SECOND, START + 90000 * SECOND);
	assert_int_equal(cohorts_points(&cohorts, cohort, START + 90000 * SECOND, points),
			 (90000 * SECOND - 1) / cohorts.step_ns + 2);
	/* Before there was time, everything is at its start. */
	death(&cohorts, 1001, START + 11 * SECOND, START - SECOND);
	assert_int_equal(cohort->change[0], 64 - 1);
	assert_sums(&cohorts);
	cohorts_release(&cohorts);
}

/* -- a lot of them, for days -- */

static void test_many(void **state)
{
	struct cohorts cohorts;

	(void)state;
	cohorts_init(&cohorts, START, 0);
	for (uint32_t i = 0; i < 300000; i++) {
		birth(&cohorts, 1000 + i % 30000, START + i * SECOND);
		if (i >= 50)
			death(&cohorts, 1000 + (i - 50) % 30000, START + (i - 50) * SECOND,
			      START + i * SECOND);
	}
	assert_int_equal(cohorts.threads.len, 50);
	assert_int_equal(cohorts.list.len, 2);
	assert_true(cohorts.thread_by_tid.slot_cnt <= 256);
	assert_flow(cohorts_at(&cohorts, 1), 0, 300000, 299950);
	assert_sums(&cohorts);
	cohorts_release(&cohorts);
}

/* Lets process @tgid live, with a thread of a creator of its own, which it may leave behind. */
static void live(struct cohorts *cohorts, uint32_t tgid, bool is_left)
{
	uint64_t start_ns = START + tgid * SECOND;
	const struct wire_birth birth = { .tid = tgid + 1,
					  .tgid = tgid,
					  .creator_tid = tgid,
					  .creator_tgid = tgid,
					  .start_ns = start_ns };

	birth_of(cohorts, tgid, tgid, start_ns, CREATOR);
	assert_int_equal(cohorts_birth(cohorts, &birth, OTHER_CREATOR), 0);
	death_of(cohorts, tgid, tgid + 1, start_ns, start_ns + 1, is_left);
	death_of(cohorts, tgid, tgid, start_ns, start_ns + 1, true);
}

/* Of a program that ends before a look sees it, its end tells when it began. */
static void test_unseen_process(void **state)
{
	struct cohorts cohorts;

	(void)state;
	cohorts_init(&cohorts, START, 0);
	assert_int_equal(cohorts_keep_process(&cohorts, SERVER), 0);
	assert_int_equal(cohorts_see_process(&cohorts, SERVER, 0, "server"), 0);
	death(&cohorts, SERVER, START - 1, START + 1);
	assert_int_equal(cohorts.processes.len, 1);
	assert_int_equal(cohorts_process(&cohorts, 0)->start_ns, START - 1);
	assert_string_equal(cohorts_process(&cohorts, 0)->comm, "server");
	assert_sums(&cohorts);
	cohorts_release(&cohorts);
}

static void test_fold(void **state)
{
	struct cohorts cohorts;

	(void)state;
	cohorts_init(&cohorts, START, 0);
	assert_int_equal(cohorts_keep_process(&cohorts, SERVER), 0);
	birth_of(&cohorts, SERVER, 999, START, OTHER_CREATOR);
	for (uint32_t i = 0; i < 100000; i++)
		live(&cohorts, 1000 + 2 * i, i % 2);
	assert_true(cohorts.list.len <= COHORT_MAX / 4 * 3);
	assert_true(cohorts.processes.len <= COHORT_PROCESS_MAX);
	assert_true(cohorts.left.len <= COHORT_MAX);
	assert_int_equal(cohorts.over_max, 0);
	/* Of the kept process all is there; of the others all that was folded. */
	assert_flow(cohorts_at(&cohorts, 2), 0, 100000, 100000);
	assert_int_equal(cohorts.folded_born + cohorts.list.len - 3, 100000);
	assert_int_equal(cohorts.born, 200001);
	assert_sums(&cohorts);
	for (uint32_t i = 0; i < cohorts.left.len; i++) {
		const struct cohort_left *left = vec_at(&cohorts.left, i);
		const struct cohort *cohort = cohorts_at(&cohorts, left->thread.cohort);

		assert_int_equal(cohort->left, 1);
		assert_int_equal(cohort->key.process, left->thread.process);
		assert_int_equal(cohorts_process(&cohorts, left->thread.process)->tgid + 1,
				 left->thread.tid);
	}
	/* What lives is found where it moved to. */
	death(&cohorts, 999, START, START + SECOND);
	assert_flow(find(&cohorts, OTHER_CREATOR, COHORT_NONE), 0, 1, 1);
	cohorts_release(&cohorts);
}

/* Beyond the maximum threads are counted together, and that is said. */
static void test_over_max(void **state)
{
	struct cohorts cohorts;

	(void)state;
	cohorts_init(&cohorts, START, 0);
	assert_int_equal(cohorts_keep_process(&cohorts, SERVER), 0);
	for (uint32_t i = 0; i < COHORT_MAX + 100; i++)
		birth_of(&cohorts, SERVER, 1000 + i, START, 1000 + i);
	assert_int_equal(cohorts.list.len, COHORT_MAX);
	assert_int_equal(cohorts.over_max, 101);
	assert_flow(cohorts_at(&cohorts, COHORT_REST), 0, 101, 0);
	assert_sums(&cohorts);
	cohorts_begin_look(&cohorts, START + SECOND);
	for (uint32_t i = 0; i < COHORT_MAX + 100; i++)
		see(&cohorts, 1000 + i, START, COHORT_NONE, 1);
	death(&cohorts, 1000 + COHORT_MAX + 99, START, START + SECOND);
	cohorts_close(&cohorts);
	assert_flow(cohorts_at(&cohorts, COHORT_REST), 0, 101, 1);
	assert_sums(&cohorts);
	cohorts_release(&cohorts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),	 cmocka_unit_test(test_runs),
		cmocka_unit_test(test_moves),	 cmocka_unit_test(test_forked),
		cmocka_unit_test(test_left),	 cmocka_unit_test(test_lost),
		cmocka_unit_test(test_race),	 cmocka_unit_test(test_close),
		cmocka_unit_test(test_points),	 cmocka_unit_test(test_many),
		cmocka_unit_test(test_fold),	 cmocka_unit_test(test_unseen_process),
		cmocka_unit_test(test_over_max),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
