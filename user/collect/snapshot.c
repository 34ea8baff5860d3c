/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "proc/process.h"
#include "unwind/arch.h"

#define FULL_PASSES 2
#define SINGLE_ROUNDS 4
/* Beyond this many, threads that move are looked at in full passes: each single look costs two
 * system calls more. */
#define SINGLE_MAX 2048
#define SAMPLE_WINDOW_NS (25 * 1000 * 1000ULL)
#define SAMPLE_POLL_MS 2
#define CALIBRATION_TRIES 8
#define CALIBRATION_WANTED 3

/* A snapshot in the making. */
struct taking {
	struct capture *capture;
	struct snapshot *snapshot;
	struct walk walk;
	struct stack_memory memory;
	uint32_t pass, full_pass;
	bool threads_end;   /* meanwhile: full passes need the sure way */
	struct entry *last; /* whose kernel stack comes next */
};

bool entry_is_settled(const struct snapshot *snapshot, const struct entry *entry)
{
	const struct target *target;

	if (entry->state != ENTRY_STABLE && entry->state != ENTRY_SAMPLED)
		return false;
	target = snapshot_target(snapshot, entry->target);
	return entry->generation == target->generation;
}

static int compare_i64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Finds how far sched_clock is behind CLOCK_MONOTONIC: after a sleep, this thread's own arrival on
 * the CPU is now, but for the few microseconds it takes to ask. A try in which the thread was
 * switched out again is no good. The smallest offset has the least of those microseconds. */
static void calibrate(struct taking *taking)
{
	static const struct timespec nap = { .tv_nsec = 200 * 1000 };
	int64_t offsets[CALIBRATION_WANTED];
	int have = 0;

	for (int i = 0; i < CALIBRATION_TRIES && have < CALIBRATION_WANTED; i++) {
		struct rusage usage;
		struct wire_task self;
		uint64_t woken_ns;

		nanosleep(&nap, NULL);
		woken_ns = clock_mono_ns();
		getrusage(RUSAGE_THREAD, &usage);
		if (capture_read_self(taking->capture, &self))
			break;
		if (self.nvcsw == (uint64_t)usage.ru_nvcsw &&
		    self.nivcsw == (uint64_t)usage.ru_nivcsw)
			offsets[have++] = (int64_t)(woken_ns - self.last_arrival_ns);
	}
	if (!have) {
		taking->snapshot->losses[LOSS_AGES_UNCALIBRATED] = 1;
		return;
	}
	qsort(offsets, (size_t)have, sizeof(offsets[0]), compare_i64);
	taking->snapshot->sched_clock_offset_ns = offsets[0];
}

static struct target *find_target(struct taking *taking, const struct wire_task *task,
				  uint32_t *ret_idx)
{
	struct snapshot *snapshot = taking->snapshot;
	struct target *target;

	if (table_find(&snapshot->target_by_tgid, task->tgid, ret_idx)) {
		target = snapshot_target(snapshot, *ret_idx);
		target_refresh(target, task);
		return target;
	}
	target = target_new(task);
	if (!target)
		return NULL;
	*ret_idx = snapshot->targets.len;
	if (vec_append(&snapshot->targets, &target, 1)) {
		target_free(target);
		return NULL;
	}
	if (table_put(&snapshot->target_by_tgid, task->tgid, *ret_idx)) {
		snapshot->targets.len--;
		target_free(target);
		return NULL;
	}
	return target;
}

static struct entry *find_entry(struct taking *taking, const struct wire_task *task)
{
	struct snapshot *snapshot = taking->snapshot;
	struct entry *entry;
	uint32_t idx;

	if (table_find(&snapshot->entry_by_tid, task->tid, &idx))
		return vec_at(&snapshot->entries, idx);
	entry = vec_push(&snapshot->entries);
	if (!entry)
		return NULL;
	if (table_put(&snapshot->entry_by_tid, task->tid, snapshot->entries.len - 1)) {
		snapshot->entries.len--;
		return NULL;
	}
	return entry;
}

/* Whether @entry's last look and @task frame a time in which the thread did not run. */
static bool is_stable(const struct entry *entry, const struct target *target,
		      const struct wire_task *task)
{
	return entry->state == ENTRY_PENDING && entry->start_ns == task->start_ns &&
	       entry->nvcsw == task->nvcsw && entry->nivcsw == task->nivcsw &&
	       entry->generation == target->generation &&
	       !((entry->flags | task->flags) & WIRE_ON_CPU);
}

static bool has_user_stack(const struct wire_task *task)
{
	return task->flags & WIRE_HAS_REGS && !(task->flags & WIRE_COMPAT) &&
	       task->state != WIRE_STATE_ZOMBIE && task->state != WIRE_STATE_DEAD;
}

/* Walks from the registers @reg over the memory that is set up. */
static void walk_stack(struct taking *taking, struct entry *entry, const struct target *target,
		       const uint64_t *reg)
{
	uint64_t space = hash_mix(entry->target, target->generation);

	unwinder_walk(target->unwinder, reg, &taking->memory, &taking->walk);
	entry->stack = stackset_add(&taking->snapshot->stacks, space, &taking->walk);
	entry->was_walked = true;
}

static void look(struct taking *taking, struct entry *entry, const struct target *target,
		 uint32_t target_idx, const struct wire_task *task)
{
	uint64_t reg[WIRE_REG_MAX];

	*entry = (struct entry){ .state = ENTRY_PENDING,
				 .target = target_idx,
				 .generation = target->generation,
				 .stack = STACKSET_NONE,
				 .kstack = STACKSET_NONE,
				 .tid = task->tid,
				 .task_state = task->state,
				 .flags = task->flags,
				 .nvcsw = task->nvcsw,
				 .nivcsw = task->nivcsw,
				 .start_ns = task->start_ns,
				 .now_ns = task->now_ns,
				 .last_ran_ns = task->last_arrival_ns + task->last_stint_ns,
				 .syscall_nr = task->syscall_nr };
	memcpy(entry->comm, task->comm, sizeof(entry->comm));
	memcpy(entry->syscall_arg, task->syscall_arg, sizeof(entry->syscall_arg));
	if (task->flags & WIRE_HAS_REGS)
		entry->sp = task->reg[arch_reg_sp];
	if (task->flags & WIRE_ON_CPU || !has_user_stack(task) || !target->unwinder)
		return;
	memcpy(reg, task->reg, sizeof(reg));
	stack_memory_init_live(&taking->memory, target->pid, reg[arch_reg_sp]);
	walk_stack(taking, entry, target, reg);
}

static void keep_kstack(struct taking *taking, const struct wire_kstack *kstack)
{
	struct walk *walk = &taking->walk;

	taking->snapshot->has_kstacks = true;
	if (!taking->last || taking->last->tid != kstack->tid || !kstack->pc_cnt)
		return;
	walk->pc_cnt = kstack->pc_cnt;
	walk->quality = STACK_COMPLETE;
	walk->end = STACK_END_ROOT;
	walk->guessed_idx = 0;
	for (uint32_t i = 0; i < kstack->pc_cnt; i++) {
		walk->pc[i] = kstack->pc[i];
		walk->exact[i] = i == 0;
	}
	taking->last->kstack = stackset_add(&taking->snapshot->stacks, UINT64_MAX, walk);
}

static int on_record(void *arg, const struct wire_record *record)
{
	struct taking *taking = arg;
	const struct wire_task *task = &record->task;
	struct target *target;
	struct entry *entry;
	uint32_t target_idx;

	if (record->type == WIRE_KSTACK) {
		keep_kstack(taking, &record->kstack);
		return 0;
	}
	taking->last = NULL;
	/* Without names, every process is a target, loiter too: it has nothing to tell of itself.
	 */
	if (record->type != WIRE_TASK || task->flags & (WIRE_KTHREAD | WIRE_IS_SELF))
		return 0;
	target = find_target(taking, task, &target_idx);
	entry = target ? find_entry(taking, task) : NULL;
	if (!entry) {
		taking->snapshot->losses[LOSS_THREADS_OVER_MAX]++; /* of this pass */
		return 0;
	}
	if (is_stable(entry, target, task)) {
		entry->state = ENTRY_STABLE;
	} else if (entry->start_ns != task->start_ns ||
		   !entry_is_settled(taking->snapshot, entry)) {
		look(taking, entry, target, target_idx, task);
		taking->last = entry;
	}
	entry->seen_pass = taking->pass;
	return 0;
}

static uint32_t count_pending(const struct snapshot *snapshot)
{
	uint32_t cnt = 0;

	for (uint32_t i = 0; i < snapshot->entries.len; i++)
		cnt += !entry_is_settled(snapshot, vec_at(&snapshot->entries, i));
	return cnt;
}

static void check_targets(struct snapshot *snapshot)
{
	for (uint32_t i = 0; i < snapshot->targets.len; i++)
		target_check(snapshot_target(snapshot, i));
}

/* Looks at every thread. */
static int full_pass(struct taking *taking, struct err *err)
{
	int code;

	taking->full_pass = ++taking->pass;
	taking->snapshot->losses[LOSS_THREADS_OVER_MAX] = 0;
	if (taking->threads_end)
		code = capture_read_every_task(taking->capture, on_record, taking, err);
	else
		code = capture_read_tasks(taking->capture, on_record, taking, err);
	check_targets(taking->snapshot);
	return code;
}

/* Looks twice, in quick succession, at each thread that is still pending. */
static int single_round(struct taking *taking, struct err *err)
{
	struct snapshot *snapshot = taking->snapshot;

	taking->pass++;
	for (uint32_t i = 0; i < snapshot->entries.len; i++) {
		struct entry *entry = vec_at(&snapshot->entries, i);

		for (int looks = 0; looks < 2 && !entry_is_settled(snapshot, entry); looks++) {
			int code;

			entry->sought_pass = taking->pass;
			code = capture_read_thread(taking->capture, (pid_t)entry->tid, on_record,
						   taking);
			if (code == -ESRCH)
				break;
			if (code)
				return err_set_errno(err, code, "cannot read thread %u",
						     entry->tid);
			entry = vec_at(&snapshot->entries, i);
		}
	}
	check_targets(snapshot);
	return 0;
}

static int another_pass(struct taking *taking, struct err *err)
{
	uint32_t pending = count_pending(taking->snapshot);

	if (pending <= SINGLE_MAX && capture_can_read_thread(taking->capture))
		return single_round(taking, err);
	return full_pass(taking, err);
}

static int on_sample(void *arg, const struct wire_record *record)
{
	struct taking *taking = arg;
	struct snapshot *snapshot = taking->snapshot;
	const struct wire_sample *sample = &record->sample;
	uint64_t reg[WIRE_REG_MAX];
	struct target *target;
	struct entry *entry;
	uint32_t idx;

	if (record->type != WIRE_SAMPLE || !table_find(&snapshot->entry_by_tid, sample->tid, &idx))
		return 0;
	entry = vec_at(&snapshot->entries, idx);
	target = snapshot_target(snapshot, entry->target);
	if (entry_is_settled(snapshot, entry) || entry->start_ns != sample->start_ns ||
	    !target_fits_sample(target, sample))
		return 0;
	entry->state = ENTRY_SAMPLED;
	entry->flags = sample->flags;
	entry->task_state = WIRE_STATE_RUNNABLE;
	entry->now_ns = sample->time_ns;
	entry->generation = target->generation;
	entry->was_walked = false;
	entry->stack = entry->kstack = STACKSET_NONE;
	if (sample->flags & WIRE_COMPAT || !target->unwinder)
		return 0;
	stack_memory_init_copy(&taking->memory, sample->copy_addr, sample->copy,
			       sample->copy_bytes);
	memcpy(reg, sample->reg, sizeof(reg));
	walk_stack(taking, entry, target, reg);
	return 0;
}

/* Alternates between the CPU clock and looks until every thread was caught one way or the other, or
 * the window is over. */
static int catch_running(struct taking *taking, struct err *err)
{
	uint64_t end_ns = clock_mono_ns() + SAMPLE_WINDOW_NS;
	struct snapshot *snapshot = taking->snapshot;
	/* Without a clock, running threads go without a stack and are counted as raced. */
	bool sampling = !capture_sample_start(taking->capture, NULL);
	int code = 0;

	for (int round = 0; !code && count_pending(snapshot); round++) {
		bool over = clock_mono_ns() >= end_ns;

		if (over && round >= SINGLE_ROUNDS)
			break;
		if (sampling)
			code = capture_sample_poll(taking->capture, SAMPLE_POLL_MS, on_sample,
						   taking);
		if (!code)
			code = another_pass(taking, err);
	}
	if (sampling)
		capture_sample_stop(taking->capture);
	return code;
}

/* Whether @entry was there when it was last looked for. */
static bool was_seen(const struct taking *taking, const struct entry *entry)
{
	return entry->seen_pass >= taking->full_pass && entry->seen_pass >= entry->sought_pass;
}

static bool all_were_seen(const struct taking *taking)
{
	const struct vec *entries = &taking->snapshot->entries;

	for (uint32_t i = 0; i < entries->len; i++)
		if (!was_seen(taking, vec_at(entries, i)))
			return false;
	return true;
}

/* Removes threads that have ended before their stack was settled. */
static void drop_exited(struct taking *taking)
{
	struct snapshot *snapshot = taking->snapshot;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < snapshot->entries.len; i++) {
		struct entry *entry = vec_at(&snapshot->entries, i);

		if (!entry_is_settled(snapshot, entry) && !was_seen(taking, entry)) {
			snapshot->losses[LOSS_THREADS_EXITED]++;
			continue;
		}
		if (kept != i)
			*(struct entry *)vec_at(&snapshot->entries, kept) = *entry;
		kept++;
	}
	snapshot->entries.len = kept;
	table_release(&snapshot->entry_by_tid); /* its indices are no longer true */
}

static int take_passes(struct taking *taking, struct err *err)
{
	struct snapshot *snapshot = taking->snapshot;
	int code;

	calibrate(taking);
	snapshot->mono_ns = clock_mono_ns();
	snapshot->boot_ns = clock_boot_ns();
	snapshot->wall_ns = clock_wall_ns();
	for (int i = 0; i < FULL_PASSES; i++) {
		code = full_pass(taking, err);
		if (code)
			return code;
	}
	/* A walk that missed living threads did so because one ended: that one is missing too. */
	taking->threads_end = !all_were_seen(taking);
	if (taking->threads_end) {
		code = full_pass(taking, err);
		if (code)
			return code;
	}
	for (int i = 0; i < SINGLE_ROUNDS && count_pending(snapshot); i++) {
		code = another_pass(taking, err);
		if (code)
			return code;
	}
	if (count_pending(snapshot)) {
		code = catch_running(taking, err);
		if (code)
			return code;
	}
	drop_exited(taking);
	return 0;
}

int snapshot_take(struct capture *capture, struct snapshot *ret, struct err *err)
{
	struct taking *taking = calloc(1, sizeof(*taking));
	struct capture_losses before = capture_losses(capture), after;
	int code;

	*ret = (struct snapshot){ 0 };
	vec_init(&ret->targets, sizeof(struct target *), PROCESS_MAX);
	vec_init(&ret->entries, sizeof(struct entry), MODEL_THREAD_MAX);
	table_init(&ret->target_by_tgid, PROCESS_MAX);
	table_init(&ret->entry_by_tid, MODEL_THREAD_MAX);
	stackset_init(&ret->stacks);
	if (!taking)
		return err_set(err, -ENOMEM, "not enough memory for a snapshot");
	taking->capture = capture;
	taking->snapshot = ret;
	code = take_passes(taking, err);
	after = capture_losses(capture);
	ret->losses[LOSS_RECORDS_BAD] = after.bad_records - before.bad_records;
	ret->losses[LOSS_SAMPLES_DROPPED] = after.dropped_samples - before.dropped_samples;
	free(taking);
	return code;
}

/* Moves the targets of @later to @snapshot. Their indices grow by how many there were. */
static int join_targets(struct snapshot *snapshot, struct snapshot *later)
{
	uint32_t before = snapshot->targets.len;
	int err = vec_append(&snapshot->targets, later->targets.data, later->targets.len);

	if (err)
		return err;
	vec_clear(&later->targets);
	for (uint32_t i = before; i < snapshot->targets.len && !err; i++)
		err = table_put(&snapshot->target_by_tgid, snapshot_target(snapshot, i)->tgid, i);
	return err;
}

int snapshot_join(struct snapshot *snapshot, struct snapshot *later, uint64_t watched_ns)
{
	uint64_t clock_diff_ns =
		(uint64_t)(later->sched_clock_offset_ns - snapshot->sched_clock_offset_ns);
	uint32_t before = snapshot->targets.len;
	int err = join_targets(snapshot, later);

	for (uint32_t i = 0; i < later->entries.len && !err; i++) {
		struct entry entry = *(struct entry *)vec_at(&later->entries, i);

		entry.target += before;
		entry.watched_ns = watched_ns;
		entry.last_ran_ns += clock_diff_ns;
		entry.stack =
			stackset_add_of(&snapshot->stacks, hash_mix(entry.target, entry.generation),
					&later->stacks, entry.stack);
		entry.kstack = stackset_add_of(&snapshot->stacks, UINT64_MAX, &later->stacks,
					       entry.kstack);
		err = vec_append(&snapshot->entries, &entry, 1);
	}
	for (uint32_t i = 0; i < LOSS_CNT; i++)
		snapshot->losses[i] += later->losses[i];
	return err;
}

void snapshot_forget_threads(struct snapshot *snapshot)
{
	for (uint32_t i = 0; i < snapshot->targets.len; i++)
		target_free(snapshot_target(snapshot, i));
	vec_clear(&snapshot->targets);
	vec_clear(&snapshot->entries);
	table_clear(&snapshot->target_by_tgid);
	table_clear(&snapshot->entry_by_tid);
}

void snapshot_release(struct snapshot *snapshot)
{
	snapshot_forget_threads(snapshot);
	vec_release(&snapshot->targets);
	vec_release(&snapshot->entries);
	table_release(&snapshot->target_by_tgid);
	table_release(&snapshot->entry_by_tid);
	stackset_release(&snapshot->stacks);
}
