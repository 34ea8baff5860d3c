/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What is still blocked at the window's end, and was when its stack could not be learned: new
 * threads of a pool all wait at one place within the time that it takes to learn the first one's.
 * Nothing ends such a block, and so nothing but a look at the thread itself tells its stack. */
#include "collect/recording.h"

#include <errno.h>

#include "proc/process.h"

/* The clocks of the scheduler and of the programs are set against each other to some us. Of a block
 * of so long it is safe to tell whether its thread ran before it or after it. */
#define AGE_MIN_NS (20 * 1000 * 1000ULL)

static bool lacks_stack(const struct book *book, const struct living_run *living)
{
	const struct wire_run *run = &living->run;
	const struct model_stack *stack;
	uint32_t idx;

	/* Of a thread without user code the system call is not known either. */
	if (run->state != WIRE_RUN_BLOCKED || run->syscall_nr == WIRE_SYSCALL_UNKNOWN ||
	    run->since_ns + AGE_MIN_NS > book->end_ns)
		return false;
	if (!table_find(&book->stack_by_id, run->stack_id, &idx))
		return true;
	stack = vec_at(&book->stacks.stacks, idx);
	return stack->end == STACK_END_UNLEARNED || stack->end == STACK_END_UNREADABLE ||
	       stack->end == STACK_END_COPY_SHORT;
}

/* Writes the processes that have a thread to look at to @tgids, and the threads' runs by tid to
 * @lacking. Returns 0 or -errno. */
static int find_lacking(const struct recording *recording, struct vec *tgids, struct table *lacking)
{
	int err = 0;

	for (uint32_t i = 0; i < recording->runs.len && !err; i++) {
		const struct living_run *living = vec_at(&recording->runs, i);
		pid_t tgid = (pid_t)living->run.tgid;

		if (!lacks_stack(&recording->book, living))
			continue;
		err = table_put(lacking, living->tid, i);
		if (!err)
			err = vec_append(tgids, &tgid, 1);
	}
	process_unique(tgids);
	return err;
}

bool recording_shows_block(const struct recording *recording, const struct snapshot *late,
			   const struct entry *entry, const struct wire_run *run)
{
	const struct book *book = &recording->book;
	uint64_t last_ran_ns = entry->last_ran_ns + (uint64_t)late->sched_clock_offset_ns;
	int32_t syscall_nr =
		entry->flags & WIRE_IN_SYSCALL ? (int32_t)entry->syscall_nr : WIRE_SYSCALL_NONE;
	const struct model_stack *stack;
	uint32_t known;

	if (run->syscall_nr != syscall_nr && run->syscall_nr != WIRE_SYSCALL_STOPPED)
		return false;
	if (late->losses[LOSS_AGES_UNCALIBRATED])
		return false; /* nothing tells whether the thread ran */
	if (entry->start_ns != run->start_ns || entry->state != ENTRY_STABLE ||
	    entry->stack == STACKSET_NONE || !entry_is_settled(late, entry) ||
	    last_ran_ns > run->since_ns + (book->end_ns - run->since_ns) / 2)
		return false;
	stack = vec_at(&late->stacks.stacks, entry->stack);
	return stack->quality != STACK_TRUNCATED ||
	       !table_find(&book->stack_by_id, run->stack_id, &known);
}

/* Returns the number of the address space by which the stacks of @late's target @idx were walked, 0
 * when it has none: the process has other code again. */
static uint32_t space_of(struct recording *recording, const struct snapshot *late, uint32_t idx,
			 struct table *known)
{
	const struct target *target = snapshot_target(late, idx);
	uint32_t number;

	if (table_find(known, idx, &number))
		return number;
	number = spaces_find(&recording->spaces, &target->maps);
	if (!number && spaces_number(&recording->spaces, target->tgid, target->exec_pages))
		number = spaces_find(&recording->spaces, &target->maps);
	table_put(known, idx, number);
	return number;
}

/* Keeps the stack of each thread of @lacking that @late shows in its block. Returns 0 or -errno. */
static int keep_stacks(struct recording *recording, const struct snapshot *late,
		       const struct table *lacking)
{
	struct table spaces; /* by target */
	int err = 0;

	table_init(&spaces, PROCESS_MAX);
	for (uint32_t i = 0; i < late->entries.len && !err; i++) {
		const struct entry *entry = vec_at(&late->entries, i);
		const struct living_run *living;
		uint32_t idx, space;

		if (!table_find(lacking, entry->tid, &idx))
			continue;
		living = vec_at(&recording->runs, idx);
		if (!recording_shows_block(recording, late, entry, &living->run))
			continue;
		space = space_of(recording, late, entry->target, &spaces);
		if (space)
			err = book_keep_open(&recording->book, living->tid, living->run.stack_id,
					     space, &late->stacks, entry->stack);
	}
	table_release(&spaces);
	spaces_open_snapshot(&recording->spaces, late);
	return err;
}

int recording_look_last(struct recording *recording)
{
	struct snapshot late;
	struct table lacking;
	struct vec tgids;
	int err;

	table_init(&lacking, MODEL_THREAD_MAX);
	vec_init(&tgids, sizeof(pid_t), MODEL_THREAD_MAX);
	err = find_lacking(recording, &tgids, &lacking);
	if (!err && tgids.len &&
	    !capture_retarget(recording->capture, tgids.data, tgids.len, NULL)) {
		/* One that fails is as none: what lacks a stack is counted then. */
		if (!snapshot_take(recording->capture, &late, NULL))
			err = keep_stacks(recording, &late, &lacking);
		snapshot_release(&late);
	}
	table_release(&lacking);
	vec_release(&tgids);
	return err == -E2BIG ? 0 : err; /* beyond a maximum they stay as they are */
}
