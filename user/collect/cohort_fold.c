/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Cohorts of processes that have ended make room for others, over days. */
#include "collect/cohorts.h"

/* Where each of something is now, by where it was; COHORT_NONE: nowhere. */
struct moves {
	struct vec cohorts, processes; /* uint32_t */
};

static uint32_t moved_to(const struct vec *moves, uint32_t idx)
{
	return idx == COHORT_NONE ? COHORT_NONE : *(uint32_t *)vec_at(moves, idx);
}

static bool is_over(const struct cohort_process *process)
{
	return !process->alive_cnt && !process->is_kept;
}

static bool can_fold(const struct cohorts *cohorts, const struct cohort *cohort)
{
	if (cohort->key.process == COHORT_NONE || cohort->alive > cohort->left)
		return false;
	return is_over(cohorts_process(cohorts, cohort->key.process)) &&
	       !(cohort->left && cohorts->keeps_left);
}

/* Folds what can be, and plans where the rest goes. Each process that stays is marked by a 0. */
static int plan_cohorts(struct cohorts *cohorts, struct moves *moves)
{
	uint32_t kept = 0, none = COHORT_NONE;
	int err = 0;

	for (uint32_t i = 0; i < cohorts->list.len && !err; i++) {
		const struct cohort *cohort = cohorts_at(cohorts, i);

		if (can_fold(cohorts, cohort)) {
			cohorts->folded_born += cohort->alive_start + cohort->born;
			cohorts->folded_ended += cohort->ended + cohort->left;
			err = vec_append(&moves->cohorts, &none, 1);
			continue;
		}
		if (cohort->key.process != COHORT_NONE)
			*(uint32_t *)vec_at(&moves->processes, cohort->key.process) = 0;
		err = vec_append(&moves->cohorts, &kept, 1);
		kept++;
	}
	return err;
}

static int plan_processes(struct cohorts *cohorts, struct moves *moves)
{
	uint32_t none = COHORT_NONE, zero = 0;
	int err = 0;

	for (uint32_t i = 0; i < cohorts->processes.len && !err; i++)
		err = vec_append(&moves->processes,
				 is_over(cohorts_process(cohorts, i)) ? &none : &zero, 1);
	return err;
}

static int move_processes(struct cohorts *cohorts, struct vec *moves)
{
	uint32_t kept = 0;
	int err = 0;

	table_clear(&cohorts->process_by_tgid);
	for (uint32_t i = 0; i < moves->len && !err; i++) {
		uint32_t *move = vec_at(moves, i);

		if (*move == COHORT_NONE)
			continue;
		*move = kept;
		*cohorts_process(cohorts, kept) = *cohorts_process(cohorts, i);
		/* The later one of two with one id is the one that lives. */
		err = table_put(&cohorts->process_by_tgid, cohorts_process(cohorts, kept)->tgid,
				kept);
		kept++;
	}
	cohorts->processes.len = kept;
	return err;
}

static int move_cohorts(struct cohorts *cohorts, const struct moves *moves)
{
	uint32_t kept = 0, other;
	int err = 0;

	table_clear(&cohorts->by_key);
	for (uint32_t i = 0; i < moves->cohorts.len && !err; i++) {
		struct cohort *cohort = cohorts_at(cohorts, kept);
		uint64_t hash;

		if (moved_to(&moves->cohorts, i) == COHORT_NONE)
			continue;
		*cohort = *cohorts_at(cohorts, i);
		cohort->key.process = moved_to(&moves->processes, cohort->key.process);
		hash = cohort_key_hash(&cohort->key);
		while (table_find(&cohorts->by_key, hash, &other))
			hash++;
		if (kept != COHORT_REST)
			err = table_put(&cohorts->by_key, hash, kept);
		kept++;
	}
	cohorts->list.len = kept;
	return err;
}

static void move_thread(struct cohort_thread *thread, const struct moves *moves)
{
	thread->cohort = moved_to(&moves->cohorts, thread->cohort);
	thread->process = moved_to(&moves->processes, thread->process);
}

static void move_threads(struct cohorts *cohorts, const struct moves *moves)
{
	uint32_t kept = 0;

	/* Of those that live, cohort and process stay. */
	for (uint32_t i = 0; i < cohorts->threads.len; i++)
		move_thread(cohorts_thread(cohorts, i), moves);
	for (uint32_t i = 0; i < cohorts->left.len; i++) {
		struct cohort_left *left = vec_at(&cohorts->left, i);

		move_thread(&left->thread, moves);
		if (left->thread.cohort == COHORT_NONE)
			continue;
		if (kept != i)
			*(struct cohort_left *)vec_at(&cohorts->left, kept) = *left;
		kept++;
	}
	cohorts->left.len = kept;
}

/* Returns when to fold again: where next to nothing could be, not for each that comes. */
static uint32_t next_fold(uint32_t len, uint32_t max)
{
	return len + max / 8 > max / 4 * 3 ? len + max / 8 : max / 4 * 3;
}

int cohorts_fold(struct cohorts *cohorts)
{
	struct moves moves;
	int err;

	vec_init(&moves.cohorts, sizeof(uint32_t), COHORT_MAX);
	vec_init(&moves.processes, sizeof(uint32_t), COHORT_PROCESS_MAX);
	err = plan_processes(cohorts, &moves);
	if (!err)
		err = plan_cohorts(cohorts, &moves);
	if (!err)
		err = move_processes(cohorts, &moves.processes);
	if (!err)
		err = move_cohorts(cohorts, &moves);
	if (!err)
		move_threads(cohorts, &moves);
	vec_release(&moves.cohorts);
	vec_release(&moves.processes);
	cohorts->fold_at = next_fold(cohorts->list.len, COHORT_MAX);
	cohorts->fold_processes_at = next_fold(cohorts->processes.len, COHORT_PROCESS_MAX);
	return err;
}
