/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which threads there were: those of the snapshot, and those that were born or ended since. */
#include "collect/recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/process.h"

static uint64_t run_key(uint32_t tid, uint64_t start_ns)
{
	return hash_mix(tid, start_ns);
}

int recording_target(struct recording *recording, uint32_t tgid, uint64_t start_ns, uint32_t *ret)
{
	const struct target *space = spaces_target_of(&recording->spaces, tgid);
	const struct child *child = recording->options->child;
	struct snapshot *snapshot = &recording->snapshot;
	struct wire_task task = {
		.tgid = tgid, .tid = tgid, .tgid_start_ns = start_ns, .flags = WIRE_HAS_REGS
	};
	struct target *target;
	int err;

	if (table_find(&snapshot->target_by_tgid, tgid, ret))
		return 0;
	target = target_new(&task);
	if (!target)
		return -ENOMEM;
	err = vec_append(&snapshot->targets, &target, 1);
	if (!err) {
		err = table_put(&snapshot->target_by_tgid, tgid, snapshot->targets.len - 1);
		snapshot->targets.len -= err != 0;
	}
	if (err) {
		target_free(target);
		return err;
	}
	if (!target->unwinder && !space && child && child->exe && tgid == (uint32_t)child->pid) {
		free(target->exe);
		target->exe = strdup(child->exe);
	}
	if (!target->unwinder && space && space->exe) {
		target->has_ended = true;
		free(target->exe);
		target->exe = strdup(space->exe);
	}
	*ret = snapshot->targets.len - 1;
	return 0;
}

/* Adds the thread of @run to the snapshot's, as one that was born in the window. */
static int add_born(struct recording *recording, uint32_t tid, const struct wire_run *run,
		    bool has_ended)
{
	struct snapshot *snapshot = &recording->snapshot;
	const struct target *target;
	struct entry *entry;
	uint32_t target_idx;
	int err = recording_target(recording, run->tgid, run->start_ns, &target_idx);

	if (err)
		return err;
	target = snapshot_target(snapshot, target_idx);
	entry = vec_push(&snapshot->entries);
	if (!entry)
		return -errno;
	*entry = (struct entry){ .state = ENTRY_STABLE,
				 .target = target_idx,
				 .generation = target->generation,
				 .stack = STACKSET_NONE,
				 .kstack = STACKSET_NONE,
				 .tid = tid,
				 .task_state = has_ended ? WIRE_STATE_DEAD
					       : run->state == WIRE_RUN_BLOCKED
						       ? WIRE_STATE_SLEEPING
						       : WIRE_STATE_RUNNABLE,
				 .start_ns = run->start_ns,
				 .last_ran_ns =
					 run->since_ns - (uint64_t)snapshot->sched_clock_offset_ns,
				 .watched_ns = arrivals_since(&recording->arrivals, run->tgid),
				 .now_ns = recording->book.end_ns };
	if (!has_ended)
		process_comm((pid_t)run->tgid, (pid_t)tid, entry->comm, sizeof(entry->comm));
	if (!entry->comm[0])
		snprintf(entry->comm, sizeof(entry->comm), "%.*s", WIRE_COMM_BYTES, run->comm);
	return 0;
}

struct settling {
	struct table run_by_entry; /* -> index of its run, of .ended and .runs */
	struct table known;	   /* threads -> index of their entry */
};

/* Gives run @i of those that have ended or live, in this order, its entry. */
static int settle_run(struct recording *recording, struct settling *settling, uint32_t i)
{
	struct snapshot *snapshot = &recording->snapshot;
	uint32_t ended_cnt = recording->ended.len, idx;
	const struct wire_exit *ended = i < ended_cnt ? vec_at(&recording->ended, i) : NULL;
	const struct living_run *living = ended ? NULL : vec_at(&recording->runs, i - ended_cnt);
	const struct wire_run *run = ended ? &ended->run : &living->run;
	uint32_t tid = ended ? ended->tid : living->tid;
	uint64_t key = run_key(tid, run->start_ns);
	int err = 0;

	if (!table_find(&settling->known, key, &idx)) {
		err = add_born(recording, tid, run, ended != NULL);
		idx = snapshot->entries.len - 1;
	}
	if (!err)
		err = table_put(&settling->run_by_entry, idx, i);
	return err ? err : table_put(&settling->known, key, idx);
}

static int note_runs(struct recording *recording, const struct table *run_by_entry)
{
	int err = 0;

	vec_clear(&recording->run_of_entry);
	for (uint32_t i = 0; i < recording->snapshot.entries.len && !err; i++) {
		uint32_t run = UINT32_MAX;

		table_find(run_by_entry, i, &run);
		err = vec_append(&recording->run_of_entry, &run, 1);
	}
	return err;
}

int recording_settle(struct recording *recording)
{
	struct snapshot *snapshot = &recording->snapshot;
	struct settling settling;
	int err = 0;

	table_init(&settling.run_by_entry, MODEL_THREAD_MAX);
	table_init(&settling.known, MODEL_THREAD_MAX);
	for (uint32_t i = 0; i < snapshot->entries.len && !err; i++) {
		const struct entry *entry = vec_at(&snapshot->entries, i);

		err = table_put(&settling.known, run_key(entry->tid, entry->start_ns), i);
	}
	for (uint32_t i = 0; i < recording->ended.len + recording->runs.len && !err; i++) {
		err = settle_run(recording, &settling, i);
		/* Beyond a maximum it is only counted. */
		snapshot->losses[LOSS_THREADS_OVER_MAX] += err == -E2BIG;
		if (err == -E2BIG)
			err = 0;
	}
	if (!err)
		err = book_index_entries(&recording->book);
	if (!err)
		err = note_runs(recording, &settling.run_by_entry);
	table_release(&settling.run_by_entry);
	table_release(&settling.known);
	return err;
}

/* Returns the run of entry @i, NULL when it has none; and whether the thread has ended. */
static const struct wire_run *run_of_entry(const struct recording *recording, uint32_t i,
					   bool *ret_ended)
{
	uint32_t idx = *(uint32_t *)vec_at(&recording->run_of_entry, i);
	uint32_t ended_cnt = recording->ended.len;

	*ret_ended = idx < ended_cnt;
	if (idx == UINT32_MAX)
		return NULL;
	if (*ret_ended)
		return &((struct wire_exit *)vec_at(&recording->ended, idx))->run;
	return &((struct living_run *)vec_at(&recording->runs, idx - ended_cnt))->run;
}

int recording_book_runs(struct recording *recording)
{
	int err = 0;

	for (uint32_t i = 0; i < recording->run_of_entry.len && !err; i++) {
		bool has_ended;
		const struct wire_run *run = run_of_entry(recording, i, &has_ended);

		err = book_add_run(&recording->book, i, run, has_ended);
		if (!err && recording->options->futexes && !has_ended)
			err = futexes_add_untouched(&recording->futexes, i);
	}
	return err;
}
