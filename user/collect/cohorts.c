/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/cohorts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define THREAD_MAX (1u << 20)
#define FIRST_STEP_NS 1000000000ULL /* of a window without an end */
#define MISSED_LOOKS_MAX 2

void cohorts_init(struct cohorts *cohorts, uint64_t start_ns, uint64_t duration_ns)
{
	const struct cohort rest = {
		.key = { .process = COHORT_NONE, .creator = COHORT_NONE, .place = COHORT_NONE }
	};

	*cohorts = (struct cohorts){ .start_ns = start_ns,
				     .step_ns = duration_ns / COHORT_STEP_CNT + 1,
				     .fold_at = COHORT_MAX / 4 * 3,
				     .fold_processes_at = COHORT_PROCESS_MAX / 4 * 3 };
	if (!duration_ns)
		cohorts->step_ns = FIRST_STEP_NS;
	vec_init(&cohorts->list, sizeof(struct cohort), COHORT_MAX);
	vec_init(&cohorts->threads, sizeof(struct cohort_thread), THREAD_MAX);
	vec_init(&cohorts->left, sizeof(struct cohort_left), COHORT_LEFT_MAX);
	vec_init(&cohorts->processes, sizeof(struct cohort_process), COHORT_PROCESS_MAX);
	table_init(&cohorts->by_key, COHORT_MAX);
	table_init(&cohorts->thread_by_tid, THREAD_MAX);
	table_init(&cohorts->process_by_tgid, COHORT_PROCESS_MAX);
	table_init(&cohorts->ended_keys, THREAD_MAX);
	vec_append(&cohorts->list, &rest, 1);
}

void cohorts_release(struct cohorts *cohorts)
{
	vec_release(&cohorts->list);
	vec_release(&cohorts->threads);
	vec_release(&cohorts->left);
	vec_release(&cohorts->processes);
	table_release(&cohorts->by_key);
	table_release(&cohorts->thread_by_tid);
	table_release(&cohorts->process_by_tgid);
	table_release(&cohorts->ended_keys);
}

/* Returns @err, unless it says that a maximum is reached: that is counted. */
static int counted(struct cohorts *cohorts, int err)
{
	cohorts->over_max += err == -E2BIG;
	return err == -E2BIG ? 0 : err;
}

/* -- the steps of the window -- */

/* Makes each step twice as long. */
static void double_steps(struct cohorts *cohorts)
{
	for (uint32_t i = 0; i < cohorts->list.len; i++) {
		int32_t *change = cohorts_at(cohorts, i)->change;

		for (uint32_t step = 0; step < COHORT_STEP_CNT; step++) {
			bool is_there = 2 * step < COHORT_STEP_CNT;

			change[step] = is_there ? change[2 * step] + change[2 * step + 1] : 0;
		}
	}
	cohorts->step_ns *= 2;
}

static uint32_t step_of(struct cohorts *cohorts, uint64_t time_ns)
{
	uint64_t passed_ns = time_ns > cohorts->start_ns ? time_ns - cohorts->start_ns : 0;

	while (passed_ns / cohorts->step_ns >= COHORT_STEP_CNT)
		double_steps(cohorts);
	return (uint32_t)(passed_ns / cohorts->step_ns);
}

uint32_t cohorts_points(const struct cohorts *cohorts, const struct cohort *cohort, uint64_t end_ns,
			uint32_t *points)
{
	uint64_t passed_ns = end_ns > cohorts->start_ns ? end_ns - cohorts->start_ns : 0;
	uint64_t step_cnt = passed_ns ? (passed_ns - 1) / cohorts->step_ns + 1 : 0;
	uint32_t last = step_cnt < COHORT_STEP_CNT ? (uint32_t)step_cnt : COHORT_STEP_CNT;
	int64_t alive = (int64_t)cohort->alive_start;

	for (uint32_t i = 0; i <= last; i++) {
		points[i] = alive > 0 ? (uint32_t)alive : 0;
		if (i < COHORT_STEP_CNT)
			alive += cohort->change[i];
	}
	return last + 1;
}

/* -- processes -- */

/* Writes to @ret the process @tgid that began at @start_ns (0: whichever there is). */
static int find_process(struct cohorts *cohorts, uint32_t tgid, uint64_t start_ns, uint32_t *ret)
{
	struct cohort_process *process;
	int err;

	if (table_find(&cohorts->process_by_tgid, tgid, ret)) {
		process = cohorts_process(cohorts, *ret);
		if (!start_ns || process->start_ns == start_ns)
			return 0;
		if (!process->start_ns) {
			process->start_ns = start_ns;
			return 0;
		}
	}
	process = vec_push(&cohorts->processes);
	if (!process)
		return -errno;
	process->tgid = tgid;
	process->start_ns = start_ns;
	*ret = cohorts->processes.len - 1;
	err = table_put(&cohorts->process_by_tgid, tgid, *ret);
	if (err)
		cohorts->processes.len--;
	return err;
}

int cohorts_keep_process(struct cohorts *cohorts, uint32_t tgid)
{
	uint32_t process;
	int err = find_process(cohorts, tgid, 0, &process);

	if (!err)
		cohorts_process(cohorts, process)->is_kept = true;
	return err;
}

int cohorts_see_process(struct cohorts *cohorts, uint32_t tgid, uint64_t start_ns, const char *comm)
{
	struct cohort_process *process;
	uint32_t idx;
	int err = find_process(cohorts, tgid, start_ns, &idx);

	if (err)
		return counted(cohorts, err);
	process = cohorts_process(cohorts, idx);
	snprintf(process->comm, sizeof(process->comm), "%s", comm);
	return 0;
}

/* Makes room before indices are taken. Returns 0 or -errno. */
static int make_room(struct cohorts *cohorts)
{
	bool is_full = cohorts->list.len >= cohorts->fold_at ||
		       cohorts->processes.len >= cohorts->fold_processes_at;

	return is_full ? cohorts_fold(cohorts) : 0;
}

/* -- cohorts -- */

static bool key_equals(const struct cohort_key *a, const struct cohort_key *b)
{
	return a->process == b->process && a->creator == b->creator && a->place == b->place &&
	       a->is_older == b->is_older && a->is_forked == b->is_forked;
}

/* Writes to @ret the cohort of @key, which is added when it is new; the rest when there is no room
 * for it. Returns 0 or -ENOMEM. */
static int find_cohort(struct cohorts *cohorts, const struct cohort_key *key, uint32_t *ret)
{
	uint64_t hash = cohort_key_hash(key);
	struct cohort *cohort;
	int err;

	for (; table_find(&cohorts->by_key, hash, ret); hash++)
		if (key_equals(&cohorts_at(cohorts, *ret)->key, key))
			return 0;
	*ret = COHORT_REST;
	cohort = vec_push(&cohorts->list);
	if (!cohort && errno == E2BIG) {
		cohorts->over_max++;
		return 0;
	}
	if (!cohort)
		return -ENOMEM;
	cohort->key = *key;
	cohort->syscall_nr = WIRE_SYSCALL_NONE;
	err = table_put(&cohorts->by_key, hash, cohorts->list.len - 1);
	if (err) {
		cohorts->list.len--;
		return err;
	}
	*ret = cohorts->list.len - 1;
	return 0;
}

/* Adds @sign times one thread that lives to cohort @idx: with its birth, or as one of before. */
static void count_alive(struct cohorts *cohorts, uint32_t idx, const struct cohort_thread *thread,
			int sign)
{
	uint32_t step = thread->is_born ? step_of(cohorts, thread->start_ns) : 0;
	struct cohort *cohort = cohorts_at(cohorts, idx);
	uint64_t one = (uint64_t)(int64_t)sign;

	cohort->alive += one;
	if (thread->is_born) {
		cohort->born += one;
		cohort->change[step] += sign;
	} else {
		cohort->alive_start += one;
	}
}

/* -- threads -- */

static uint64_t thread_hash(uint32_t tid, uint64_t start_ns)
{
	return hash_mix(tid, start_ns);
}

/* Returns the living thread @tid that began at @start_ns, or NULL. */
static struct cohort_thread *find_thread(const struct cohorts *cohorts, uint32_t tid,
					 uint64_t start_ns, uint32_t *ret_idx)
{
	if (!table_find(&cohorts->thread_by_tid, tid, ret_idx))
		return NULL;
	return cohorts_thread(cohorts, *ret_idx)->start_ns == start_ns
		       ? cohorts_thread(cohorts, *ret_idx)
		       : NULL;
}

/* Takes thread @idx out of those that live; the last one takes its place. */
static void remove_thread(struct cohorts *cohorts, uint32_t idx)
{
	const struct cohort_thread *thread = cohorts_thread(cohorts, idx);
	uint32_t last = cohorts->threads.len - 1;

	cohorts_process(cohorts, thread->process)->alive_cnt--;
	table_remove(&cohorts->thread_by_tid, thread->tid);
	if (idx != last) {
		*cohorts_thread(cohorts, idx) = *cohorts_thread(cohorts, last);
		table_put(&cohorts->thread_by_tid, cohorts_thread(cohorts, idx)->tid, idx);
	}
	cohorts->threads.len--;
}

static void end_thread(struct cohorts *cohorts, uint32_t idx, uint64_t time_ns)
{
	uint32_t step = step_of(cohorts, time_ns);
	struct cohort *cohort = cohorts_at(cohorts, cohorts_thread(cohorts, idx)->cohort);

	cohort->ended++;
	cohort->alive--;
	cohort->change[step]--;
	cohorts->ended++;
	remove_thread(cohorts, idx);
}

/* The process has ended: what it ended with stays as it was. */
static void leave_thread(struct cohorts *cohorts, uint32_t idx, uint64_t time_ns,
			 const struct vec *entries)
{
	const struct cohort_thread *thread = cohorts_thread(cohorts, idx);
	struct cohort_left *left = vec_push(&cohorts->left);

	cohorts_at(cohorts, thread->cohort)->left++;
	cohorts_at(cohorts, thread->cohort)->left_main +=
		thread->tid == cohorts_process(cohorts, thread->process)->tgid;
	/* Beyond the maximum it is only counted. */
	if (left) {
		left->thread = *thread;
		left->ended_ns = time_ns;
		left->has_entry = thread->entry != COHORT_NONE;
	}
	if (left && left->has_entry)
		left->entry = *(const struct entry *)vec_at(entries, thread->entry);
	remove_thread(cohorts, idx);
}

/* Adds @thread, of the cohort with @key, to those that live. */
static int add_thread(struct cohorts *cohorts, struct cohort_thread thread,
		      const struct cohort_key *key)
{
	uint32_t last;
	int err;

	/* Events are lost: another one has its id by now. */
	if (table_find(&cohorts->thread_by_tid, thread.tid, &last)) {
		end_thread(cohorts, last, thread.start_ns);
		cohorts->unseen_ends++;
	}
	err = find_cohort(cohorts, key, &thread.cohort);
	if (!err)
		err = vec_append(&cohorts->threads, &thread, 1);
	if (!err)
		err = table_put(&cohorts->thread_by_tid, thread.tid, cohorts->threads.len - 1);
	if (err)
		return err;
	count_alive(cohorts, thread.cohort, &thread, 1);
	cohorts_process(cohorts, thread.process)->alive_cnt++;
	cohorts->born += thread.is_born;
	return 0;
}

int cohorts_birth(struct cohorts *cohorts, const struct wire_birth *birth, uint32_t creator)
{
	struct cohort_key key = { .creator = creator,
				  .place = COHORT_NONE,
				  .is_forked = birth->tid == birth->tgid };
	struct cohort_thread thread = { .tid = birth->tid,
					.start_ns = birth->start_ns,
					.entry = COHORT_NONE,
					.look = cohorts->look,
					.creator_tid = birth->creator_tid,
					.creator_tgid = birth->creator_tgid,
					.is_born = true };
	int err = make_room(cohorts);

	if (!err)
		err = find_process(cohorts, birth->creator_tgid, 0, &key.process);
	if (!err)
		err = find_process(cohorts, birth->tgid, key.is_forked ? birth->start_ns : 0,
				   &thread.process);
	if (err)
		return counted(cohorts, err);
	memcpy(thread.creator_comm, birth->creator_comm, sizeof(thread.creator_comm));
	if (!cohorts_process(cohorts, thread.process)->comm[0])
		memcpy(cohorts_process(cohorts, thread.process)->comm, birth->creator_comm,
		       sizeof(birth->creator_comm));
	cohorts->no_stack_births += creator == COHORT_NONE;
	return counted(cohorts, add_thread(cohorts, thread, &key));
}

/* Adds a thread whose birth was not seen. Writes its index to @ret_idx; COHORT_NONE: a maximum is
 * reached. */
static int add_unseen(struct cohorts *cohorts, uint32_t tid, uint32_t tgid, uint64_t start_ns,
		      uint32_t *ret_idx)
{
	bool is_born = start_ns >= cohorts->start_ns;
	struct cohort_key key = { .creator = COHORT_NONE,
				  .place = COHORT_NONE,
				  .is_older = !is_born };
	struct cohort_thread thread = { .tid = tid,
					.start_ns = start_ns,
					.entry = COHORT_NONE,
					.look = cohorts->look,
					.is_born = is_born };
	int err = make_room(cohorts);

	*ret_idx = COHORT_NONE;
	if (!err)
		err = find_process(cohorts, tgid, tid == tgid ? start_ns : 0, &thread.process);
	if (err)
		return counted(cohorts, err);
	cohorts->unseen_births += is_born;
	key.process = thread.process;
	err = add_thread(cohorts, thread, &key);
	if (!err)
		*ret_idx = cohorts->threads.len - 1;
	return counted(cohorts, err);
}

int cohorts_death(struct cohorts *cohorts, const struct wire_death *death, bool is_left,
		  const struct vec *entries)
{
	struct cohort_thread *thread;
	uint32_t idx;
	int err;

	if (cohorts->is_looking)
		table_put(&cohorts->ended_keys, thread_hash(death->tid, death->start_ns), 1);
	if (!find_thread(cohorts, death->tid, death->start_ns, &idx)) {
		/* A process that was gone before anybody looked. */
		if (death->tid == death->tgid &&
		    !table_find(&cohorts->process_by_tgid, death->tgid, &idx)) {
			cohorts->folded_born++;
			cohorts->folded_ended++;
			return 0;
		}
		err = add_unseen(cohorts, death->tid, death->tgid, death->start_ns, &idx);
		if (err || idx == COHORT_NONE)
			return err;
	}
	thread = cohorts_thread(cohorts, idx);
	/* Of a process that was forked, its end is what its creator waits for. */
	if (is_left && !cohorts_at(cohorts, thread->cohort)->key.is_forked)
		leave_thread(cohorts, idx, death->time_ns, entries);
	else
		end_thread(cohorts, idx, death->time_ns);
	return 0;
}

/* -- looks -- */

void cohorts_begin_look(struct cohorts *cohorts, uint64_t now_ns)
{
	cohorts->look++;
	cohorts->look_ns = now_ns;
	cohorts->is_looking = true;
}

static void finish_look(struct cohorts *cohorts)
{
	cohorts->is_looking = false;
	table_clear(&cohorts->ended_keys);
}

/* Moves @thread to the cohort of its like at @place. */
static int move_to_place(struct cohorts *cohorts, struct cohort_thread *thread, uint32_t place)
{
	struct cohort_key key = cohorts_at(cohorts, thread->cohort)->key;
	uint32_t to;
	int err;

	if (thread->cohort == COHORT_REST)
		return 0;
	key.place = place;
	err = find_cohort(cohorts, &key, &to);
	if (err)
		return err;
	count_alive(cohorts, thread->cohort, thread, -1);
	count_alive(cohorts, to, thread, 1);
	thread->cohort = to;
	return 0;
}

/* Whether @thread, which is at another place than before, has got there by work: what was born has
 * a way to its first place. */
static bool is_move(const struct cohorts *cohorts, const struct cohort_thread *thread,
		    uint64_t run_cnt)
{
	bool had_place = cohorts_at(cohorts, thread->cohort)->key.place != COHORT_NONE;

	return thread->seen_ns && run_cnt != thread->seen_runs && (had_place || !thread->is_born);
}

int cohorts_see(struct cohorts *cohorts, const struct cohort_sight *sight)
{
	struct cohort_thread *thread;
	uint32_t idx, one;
	bool is_new;
	int err = 0;

	if (table_find(&cohorts->ended_keys, thread_hash(sight->tid, sight->start_ns), &one))
		return 0; /* while the look went on */
	if (!find_thread(cohorts, sight->tid, sight->start_ns, &idx)) {
		err = add_unseen(cohorts, sight->tid, sight->tgid, sight->start_ns, &idx);
		if (err || idx == COHORT_NONE)
			return err;
	}
	thread = cohorts_thread(cohorts, idx);
	is_new = !thread->seen_ns;
	if (sight->place != COHORT_NONE &&
	    sight->place != cohorts_at(cohorts, thread->cohort)->key.place) {
		thread->has_moved |= is_move(cohorts, thread, sight->run_cnt);
		err = move_to_place(cohorts, thread, sight->place);
		is_new = true;
	}
	if (is_new) {
		thread->place_ns = sight->now_ns;
		thread->place_runs = sight->run_cnt;
	}
	thread->seen_ns = sight->now_ns;
	thread->seen_runs = sight->run_cnt;
	thread->entry = sight->entry;
	thread->look = cohorts->look;
	thread->missed_looks = 0;
	if (sight->place != COHORT_NONE && !err)
		cohorts_at(cohorts, thread->cohort)->syscall_nr = sight->syscall_nr;
	return err;
}

/* Whether the look should have shown @thread, and did not. */
static bool was_missed(const struct cohorts *cohorts, const struct cohort_thread *thread)
{
	return thread->look != cohorts->look && thread->start_ns < cohorts->look_ns;
}

static void end_unseen(struct cohorts *cohorts, uint32_t idx)
{
	cohorts->unseen_ends++;
	end_thread(cohorts, idx, cohorts->look_ns);
}

void cohorts_end_look(struct cohorts *cohorts)
{
	for (uint32_t i = cohorts->threads.len; i-- > 0;) {
		struct cohort_thread *thread = cohorts_thread(cohorts, i);

		/* Where it was before is of no snapshot that is kept. */
		if (thread->look != cohorts->look)
			thread->entry = COHORT_NONE;
		if (was_missed(cohorts, thread) && ++thread->missed_looks >= MISSED_LOOKS_MAX)
			end_unseen(cohorts, i);
	}
	finish_look(cohorts);
}

/* Takes back that thread @idx was born. */
static void forget_thread(struct cohorts *cohorts, uint32_t idx)
{
	const struct cohort_thread *thread = cohorts_thread(cohorts, idx);

	count_alive(cohorts, thread->cohort, thread, -1);
	cohorts->born -= thread->is_born;
	remove_thread(cohorts, idx);
}

void cohorts_close(struct cohorts *cohorts)
{
	for (uint32_t i = cohorts->threads.len; i-- > 0;) {
		const struct cohort_thread *thread = cohorts_thread(cohorts, i);

		if (thread->look == cohorts->look && thread->seen_ns)
			continue;
		if (thread->start_ns >= cohorts->look_ns)
			forget_thread(cohorts, i);
		else
			end_unseen(cohorts, i);
	}
	finish_look(cohorts);
}
