/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/leaks.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "collect/assemble.h"
#include "collect/leaks_run.h"
#include "model/wait.h"
#include "proc/process.h"
#include "unwind/arch.h"

#define POLL_MS 50
#define CHECK_NS (200 * 1000 * 1000ULL)
#define LOOK_CNT 10 /* in a window */
#define LOOK_FIRST_NS (20 * 1000 * 1000ULL)
#define LOOK_LAST_NS (10 * 1000 * 1000 * 1000ULL)
#define LOOK_SHARE 50	    /* no more than one part in so many of a CPU is spent on looks */
#define LOOK_CHILD_SHARE 10 /* at a program that may end at any moment */
#define SPACES_MORE 64	    /* so many new address spaces, and the unused ones are dropped */

/* Whether a thread waited when it ended. */
static bool has_waited(const struct wire_death *death)
{
	const char *syscall = arch_syscall_name(death->syscall_nr);

	if (death->syscall_nr < 0)
		return false;
	if (!syscall)
		return true;
	if (!strcmp(syscall, "futex"))
		return futex_op_waits(futex_op_of(death->syscall_op));
	return wait_can_block(syscall);
}

/* Whether a thread was left behind as its process ended. One that ran may have been on its way to
 * its own end: runtimes that detach their threads (Python's) say that one has ended some
 * microseconds before it has. */
static bool is_left(const struct wire_death *death)
{
	return death->with_process && (death->tid == death->tgid || has_waited(death));
}

static int on_event(void *arg, const struct wire_record *record)
{
	struct leaks_run *run = arg;
	struct recording *recording = run->recording;
	uint32_t creator = COHORT_NONE;

	if (record->type == WIRE_BIRTH) {
		table_find(&recording->book.stack_by_id, record->birth.stack_id, &creator);
		recording_on_birth(recording, &record->birth);
		return cohorts_birth(&run->cohorts, &record->birth, creator);
	}
	if (record->type == WIRE_DEATH) {
		recorder_hide_birth(recording->recorder, record->death.tid);
		return cohorts_death(&run->cohorts, &record->death, is_left(&record->death),
				     &recording->snapshot.entries);
	}
	return recording_on_event(recording, record);
}

static int poll_events(struct leaks_run *run, int timeout_ms, struct err *err)
{
	int code = recorder_poll(run->recording->recorder, timeout_ms, on_event, run);

	return code ? err_set_errno(err, code, "cannot read what was recorded") : 0;
}

/* -- looks -- */

/* Returns the index of the place where @entry is blocked, among the book's stacks; COHORT_NONE: it
 * is not, or nobody knows where. */
static uint32_t place_of(struct leaks_run *run, const struct entry *entry, uint32_t space)
{
	const struct snapshot *snapshot = &run->recording->snapshot;

	if (entry->state != ENTRY_STABLE || entry->task_state == WIRE_STATE_RUNNABLE ||
	    entry->stack == STACKSET_NONE || !entry_is_settled(snapshot, entry))
		return COHORT_NONE;
	return book_keep_stack(&run->recording->book, space, &snapshot->stacks, entry->stack);
}

static int see_thread(struct leaks_run *run, uint32_t idx, const uint32_t *space_of_target)
{
	const struct entry *entry = vec_at(&run->recording->snapshot.entries, idx);
	const struct target *target = snapshot_target(&run->recording->snapshot, entry->target);
	struct cohort_sight sight = {
		.start_ns = entry->start_ns,
		.now_ns = entry->now_ns,
		.run_cnt = entry->nvcsw, /* to be preempted is not to have got on */
		.tid = entry->tid,
		.tgid = target->tgid,
		.entry = idx,
		.syscall_nr = entry->flags & WIRE_IN_SYSCALL ? (int32_t)entry->syscall_nr
							     : WIRE_SYSCALL_NONE,
	};
	int err = 0;

	/* A main thread that has ended before the others is still there, and one that is about to
	 * end runs for that. */
	if (entry->task_state == WIRE_STATE_ZOMBIE || entry->task_state == WIRE_STATE_DEAD ||
	    entry->flags & WIRE_EXITING)
		return 0;
	/* Its process ended, and another one has its id. */
	if (run->recording->options->tgid_cnt &&
	    !recorder_watches(run->recording->recorder, target->tgid))
		return 0;
	sight.place = place_of(run, entry, space_of_target[entry->target]);
	err = cohorts_see(&run->cohorts, &sight);
	if (!err && entry->tid == target->tgid)
		err = cohorts_see_process(&run->cohorts, target->tgid, target->start_ns,
					  entry->comm);
	return err;
}

/* Takes in what the look shows. */
static int see_threads(struct leaks_run *run)
{
	const struct snapshot *snapshot = &run->recording->snapshot;
	struct vec spaces; /* uint32_t, by target */
	int err = 0;

	vec_init(&spaces, sizeof(uint32_t), PROCESS_MAX);
	for (uint32_t i = 0; i < snapshot->targets.len && !err; i++) {
		const struct target *target = snapshot_target(snapshot, i);
		uint32_t number =
			spaces_number(&run->recording->spaces, target->tgid, target->exec_pages);

		err = vec_append(&spaces, &number, 1);
	}
	for (uint32_t i = 0; i < snapshot->entries.len && !err; i++)
		err = see_thread(run, i, spaces.data);
	vec_release(&spaces);
	/* The snapshot has them open too, but the next one takes its place. */
	spaces_open_snapshot(&run->recording->spaces, snapshot);
	return err;
}

/* Fills @tgids with the processes to look at. */
static int find_processes(struct leaks_run *run, struct vec *tgids)
{
	int err = vec_append(tgids, run->arrived.data, run->arrived.len);

	for (uint32_t i = 0; i < run->cohorts.processes.len && !err; i++) {
		const struct cohort_process *process = cohorts_process(&run->cohorts, i);
		pid_t tgid = (pid_t)process->tgid;

		if (process->alive_cnt)
			err = vec_append(tgids, &tgid, 1);
	}
	vec_clear(&run->arrived);
	process_unique(tgids);
	return err;
}

static int retarget(struct leaks_run *run, struct err *err)
{
	struct vec tgids;
	int code;

	if (!run->recording->options->tgid_cnt)
		return 0; /* every process */
	vec_init(&tgids, sizeof(pid_t), PROCESS_MAX);
	code = find_processes(run, &tgids);
	if (code)
		err_set_errno(err, code, "cannot look at every process");
	else if (tgids.len)
		code = capture_retarget(run->recording->capture, tgids.data, tgids.len, err);
	vec_release(&tgids);
	return code;
}

/* Takes a snapshot of those that live, in place of the one before. What comes meanwhile is taken in
 * behind it. */
static int take_look(struct leaks_run *run, struct err *err)
{
	struct recording *recording = run->recording;
	struct snapshot later;
	int code = poll_events(run, 0, err);

	if (!code)
		code = retarget(run, err);
	if (code)
		return code;
	cohorts_begin_look(&run->cohorts, clock_boot_ns());
	code = snapshot_take(recording->capture, &later, err);
	if (code) {
		snapshot_release(&later);
		return code;
	}
	code = poll_events(run, 0, err);
	snapshot_release(&recording->snapshot);
	recording->snapshot = later;
	return code;
}

/* Returns when to look again, after a look that took @took_ns of a CPU. Of a window without an end
 * looks are the rarer the longer it lasts, but not for ever. */
static uint64_t next_look_ns(const struct leaks_run *run, uint64_t now_ns, uint64_t took_ns)
{
	const struct record_options *record = run->recording->options;
	uint64_t passed_ns = now_ns - run->recording->book.start_ns;
	uint64_t share = record->child ? LOOK_CHILD_SHARE : LOOK_SHARE;
	uint64_t wait_ns = (record->duration_ns ? record->duration_ns : passed_ns) / LOOK_CNT;

	if (wait_ns < LOOK_FIRST_NS)
		wait_ns = LOOK_FIRST_NS;
	if (wait_ns > LOOK_LAST_NS)
		wait_ns = LOOK_LAST_NS;
	if (wait_ns < share * took_ns)
		wait_ns = share * took_ns;
	return now_ns + wait_ns;
}

/* -- address spaces -- */

static void mark_stack(const struct leaks_run *run, uint32_t stack, struct table *used)
{
	if (stack != COHORT_NONE)
		table_put(used, *(uint32_t *)vec_at(&run->recording->book.stack_spaces, stack), 1);
}

/* Gives back what was read of processes that have ended and left no stack behind. */
static void drop_spaces(struct leaks_run *run)
{
	struct spaces *spaces = &run->recording->spaces;
	uint32_t number, one;
	struct table used;

	if (spaces->list.len < run->spaces_kept + SPACES_MORE)
		return;
	table_init(&used, spaces->list.max + 1);
	for (uint32_t i = 0; i < run->cohorts.list.len; i++) {
		mark_stack(run, cohorts_at(&run->cohorts, i)->key.creator, &used);
		mark_stack(run, cohorts_at(&run->cohorts, i)->key.place, &used);
	}
	for (uint32_t i = 0; i < run->cohorts.processes.len; i++) {
		const struct cohort_process *process = cohorts_process(&run->cohorts, i);

		if (process->alive_cnt && table_find(&spaces->by_tgid, process->tgid, &number))
			table_put(&used, number, 1);
	}
	for (number = 1; number <= spaces->list.len; number++)
		if (!table_find(&used, number, &one))
			spaces_drop(spaces, number);
	run->spaces_kept = spaces->list.len;
	table_release(&used);
}

static int look(struct leaks_run *run, struct err *err)
{
	uint64_t used_ns = clock_thread_cpu_ns();
	int code = take_look(run, err);

	if (!code && see_threads(run))
		code = err_set(err, -ENOMEM, "not enough memory for every thread");
	if (code)
		return code;
	cohorts_end_look(&run->cohorts);
	drop_spaces(run);
	run->next_look_ns = next_look_ns(run, clock_mono_ns(), clock_thread_cpu_ns() - used_ns);
	return 0;
}

/* -- the window -- */

static int keep_processes(struct leaks_run *run)
{
	const struct record_options *record = run->recording->options;
	int err = 0;

	for (uint32_t i = 0; i < record->tgid_cnt && !err; i++)
		err = cohorts_keep_process(&run->cohorts, (uint32_t)record->tgids[i]);
	/* It may have ended before anybody looks. */
	if (!err && record->child)
		err = cohorts_see_process(&run->cohorts, (uint32_t)record->child->pid, 0,
					  record->child->comm);
	return err;
}

static int begin(struct leaks_run *run, struct err *err)
{
	struct recording *recording = run->recording;
	bool from_birth = run->recording->options->child != NULL;
	int code;

	recording->visit = on_event;
	recording->visit_arg = run;
	/* Until the programs have said when they began, who was not seen created is older. */
	cohorts_init(&run->cohorts, UINT64_MAX, run->recording->options->duration_ns);
	run->cohorts.keeps_left = from_birth;
	if (keep_processes(run) || vec_append(&run->arrived, run->recording->options->tgids,
					      run->recording->options->tgid_cnt))
		return err_set(err, -ENOMEM, "not enough memory for every process");
	cohorts_begin_look(&run->cohorts, clock_boot_ns());
	code = from_birth ? recording_begin_child(recording, err) : recording_begin(recording, err);
	if (code)
		return code;
	run->start_boot_ns = clock_boot_ns() - (clock_mono_ns() - recording->book.start_ns);
	run->cohorts.start_ns = run->start_boot_ns;
	run->next_look_ns = next_look_ns(run, clock_mono_ns(), 0);
	run->next_tell_ns = recording->book.start_ns + run->options->tell_every_ns;
	if (from_birth)
		return 0;
	code = poll_events(run, 0, err);
	if (!code && see_threads(run))
		code = err_set(err, -ENOMEM, "not enough memory for every thread");
	cohorts_end_look(&run->cohorts);
	return code;
}

static bool has_enough(const struct leaks_run *run)
{
	for (uint32_t i = 0; i < run->cohorts.processes.len && run->options->until_alive; i++)
		if (cohorts_process(&run->cohorts, i)->alive_cnt >= run->options->until_alive)
			return true;
	return false;
}

static bool is_over(struct leaks_run *run, uint64_t now_ns)
{
	const struct record_options *record = run->recording->options;

	if (record->stop && *record->stop)
		return true;
	if (record->duration_ns && now_ns >= run->recording->book.start_ns + record->duration_ns)
		return true;
	if (!record->child && now_ns < run->next_check_ns)
		return has_enough(run);
	run->next_check_ns = now_ns + CHECK_NS;
	return has_enough(run) || recording_is_over(run->recording);
}

static void tell(struct leaks_run *run, uint64_t now_ns)
{
	const struct cohorts *cohorts = &run->cohorts;
	struct leaks_news news = { .passed_ns = now_ns - run->recording->book.start_ns,
				   .alive = cohorts->threads.len,
				   .born = cohorts->born,
				   .ended = cohorts->ended };

	if (!run->options->tell_every_ns || now_ns < run->next_tell_ns)
		return;
	run->options->tell(run->options->tell_arg, &news);
	run->next_tell_ns = now_ns + run->options->tell_every_ns;
}

/* Returns how long to wait for events, in ms. */
static int wait_ms(const struct leaks_run *run, uint64_t now_ns)
{
	const struct record_options *record = run->recording->options;
	uint64_t until_ns = now_ns + POLL_MS * 1000000ULL;

	if (run->next_look_ns < until_ns)
		until_ns = run->next_look_ns;
	if (record->duration_ns && run->recording->book.start_ns + record->duration_ns < until_ns)
		until_ns = run->recording->book.start_ns + record->duration_ns;
	return until_ns > now_ns ? (int)((until_ns - now_ns) / 1000000) : 0;
}

/* Looks at processes that have come to the targets' cgroups, at once. */
static int take_up_arrivals(struct leaks_run *run, struct err *err)
{
	const struct vec *tgids = &run->recording->arrivals.tgids;
	uint64_t since_ns;
	int code = recording_watch_arrivals(run->recording, &since_ns, err);

	if (code || !since_ns)
		return code;
	run->next_look_ns = since_ns;
	code = vec_append(&run->arrived, tgids->data, tgids->len);
	return code ? err_set_errno(err, code, "cannot look at every process") : 0;
}

static int follow(struct leaks_run *run, struct err *err)
{
	for (;;) {
		uint64_t now_ns = clock_mono_ns();
		int code = 0;

		if (is_over(run, now_ns))
			return 0;
		tell(run, now_ns);
		if (now_ns >= run->next_look_ns)
			code = look(run, err);
		else
			code = poll_events(run, wait_ms(run, now_ns), err);
		if (!code)
			code = take_up_arrivals(run, err);
		if (code)
			return code;
	}
}

/* Takes the last look, which the report is of. */
static int end(struct leaks_run *run, struct err *err)
{
	struct recording *recording = run->recording;
	int code = take_look(run, err);

	recording->book.end_ns = recorder_stop(recording->recorder);
	run->end_boot_ns = recording->snapshot.boot_ns;
	if (code)
		return code;
	code = recorder_drain(recording->recorder, on_event, run);
	if (!code)
		code = see_threads(run);
	cohorts_close(&run->cohorts);
	if (!code)
		code = leaks_add_left(run);
	/* It is told of as born or ended all the same. */
	recording->snapshot.losses[LOSS_THREADS_EXITED] = 0;
	recording_add_losses(recording);
	return code ? err_set_errno(err, code, "cannot keep every thread") : 0;
}

static int take(struct leaks_run *run, struct model *model, struct err *err)
{
	const struct assemble_spans cohorts = { .add = leaks_to_model,
						.space = leaks_space,
						.close_space = leaks_close_space,
						.arg = run };
	int code = begin(run, err);

	if (!code)
		code = follow(run, err);
	if (!code)
		code = end(run, err);
	return code ? code : assemble_model(&run->recording->snapshot, &cohorts, model, err);
}

int leaks_take(struct recording *recording, const struct leaks_options *options,
	       struct model *model, struct err *err)
{
	struct leaks_run run = { .options = options, .recording = recording };
	int code;

	vec_init(&run.arrived, sizeof(pid_t), PROCESS_MAX);
	code = take(&run, model, err);
	vec_release(&run.arrived);
	cohorts_release(&run.cohorts);
	return code;
}
