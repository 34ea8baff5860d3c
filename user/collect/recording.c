/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What the kernel's programs send, taken in from the first moment to the last. */
#include "collect/recording.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "capture/kernel_btf.h"
#include "capture/probe.h"
#include "proc/process.h"
#include "symbolize/kallsyms.h"

#define POLL_MS 50
#define LEARN_FIRST_NS (3 * 1000 * 1000ULL)
#define EXIT_CHECK_NS (200 * 1000 * 1000ULL)
#define EXIT_MAX (1u << 20)

static void unpack_walk(const struct wire_stack *stack, struct walk *walk)
{
	walk->pc_cnt = stack->pc_cnt;
	walk->end = stack->end;
	walk->quality = stack->end == WIRE_END_ROOT ? STACK_COMPLETE : STACK_TRUNCATED;
	walk->guessed_idx = 0;
	if (stack->guessed_idx < stack->pc_cnt) {
		walk->quality = STACK_GUESSED;
		walk->guessed_idx = (uint16_t)stack->guessed_idx;
	}
	for (uint32_t i = 0; i < stack->pc_cnt; i++) {
		walk->pc[i] = stack->pc[i] & ~WIRE_PC_EXACT;
		walk->exact[i] = stack->pc[i] & WIRE_PC_EXACT;
	}
}

static void verify(struct recording *recording, const struct wire_miss *miss)
{
	struct record_verify *result = recording->options->ret_verify;
	int same = spaces_verify(&recording->spaces, miss);

	if (!result || same < 0)
		return;
	result->checked_cnt++;
	result->wrong_cnt += !same;
}

static void stack_to_show(const struct walk *walk, const struct target *space,
			  struct wire_birth_stack *ret)
{
	*ret = (struct wire_birth_stack){ .end = (uint32_t)walk->end, .pc_cnt = walk->pc_cnt };
	if (ret->pc_cnt > WIRE_WALK_MAX) {
		ret->pc_cnt = WIRE_WALK_MAX;
		ret->end = WIRE_END_TOO_DEEP;
	}
	ret->guessed_idx = walk->quality == STACK_GUESSED ? walk->guessed_idx : ret->pc_cnt;
	for (uint32_t i = 0; i < ret->pc_cnt; i++) {
		uint64_t pc = walk->pc[i];

		ret->pc[i] = pc | (walk->exact[i] ? WIRE_PC_EXACT : 0);
		ret->code[i] =
			space ? maps_code(&space->maps, walk->exact[i] || !pc ? pc : pc - 1) : 0;
	}
}

void recording_on_birth(struct recording *recording, const struct wire_birth *birth)
{
	const struct book *book = &recording->book;
	struct wire_birth_stack *shown = &recording->shown_stack;
	const struct target *space;
	uint32_t stack, known;

	if (table_find(&book->stack_by_id, birth->stack_id, &stack) &&
	    !table_find(&recording->shown, birth->stack_id, &known)) {
		space = spaces_target(&recording->spaces,
				      *(uint32_t *)vec_at(&book->stack_spaces, stack));
		stackset_walk(&book->stacks, stack, &recording->walk);
		stack_to_show(&recording->walk, space, shown);
		recorder_show_stack(recording->recorder, birth->stack_id, shown);
		table_put(&recording->shown, birth->stack_id, 1);
	}
	recorder_show_birth(recording->recorder, birth);
	spaces_inherit(&recording->spaces, birth->creator_tgid, birth->tgid);
}

int recording_on_event(void *arg, const struct wire_record *record)
{
	struct recording *recording = arg;
	const struct walk *walk;
	uint32_t space;

	switch (record->type) {
	case WIRE_STACK:
		if (record->stack.space >= WIRE_SPACE_KERNEL) {
			kstacks_add(&recording->kstacks, &record->stack);
			return 0;
		}
		unpack_walk(&record->stack, &recording->walk);
		book_add_stack(&recording->book, record->stack.id, record->stack.space,
			       &recording->walk);
		return 0;
	case WIRE_MISS:
		walk = spaces_finish_walk(&recording->spaces, &record->miss, &space);
		if (walk)
			book_add_stack(&recording->book, record->miss.id, space, walk);
		return 0;
	case WIRE_VERIFY:
		verify(recording, &record->miss);
		return 0;
	case WIRE_TICK:
		book_add_tick(&recording->book, &record->tick);
		return 0;
	case WIRE_EXIT:
		recorder_hide_birth(recording->recorder, record->exit.tid);
		if (vec_append(&recording->ended, &record->exit, 1))
			recording->snapshot.losses[LOSS_THREADS_OVER_MAX]++;
		return 0;
	case WIRE_BIRTH:
		book_add_birth(&recording->book, &record->birth);
		recording_on_birth(recording, &record->birth);
		return 0;
	case WIRE_DEATH:
		recorder_hide_birth(recording->recorder, record->death.tid);
		return 0;
	case WIRE_REMAP:
		spaces_number(&recording->spaces, record->remap.tgid, record->remap.exec_pages);
		return 0;
	case WIRE_TASK:
	case WIRE_KSTACK:
	case WIRE_SAMPLE:
		break;
	}
	return 0;
}

/* Gives each target its address space before the first switch asks for it. */
static int on_first_look(void *arg, const struct wire_record *record)
{
	struct recording *recording = arg;
	const struct wire_task *task = &record->task;

	if (record->type == WIRE_TASK && task->tid == task->tgid && task->flags & WIRE_HAS_REGS) {
		recorder_expect_space(recording->recorder, task->tgid);
		spaces_number(&recording->spaces, task->tgid, task->exec_pages);
	}
	return 0;
}

/* Teaches the kernel where the capture's targets are blocked now: mostly, they block there again.
 */
static int teach_first(struct recording *recording, struct err *err)
{
	int code = capture_read_tasks(recording->capture, on_first_look, recording, err);
	struct snapshot seen;

	if (code)
		return code;
	code = snapshot_take(recording->capture, &seen, err);
	if (!code)
		spaces_teach_snapshot(&recording->spaces, &seen);
	snapshot_release(&seen);
	return code;
}

bool recording_is_over(const struct recording *recording)
{
	const struct record_options *options = recording->options;

	if (options->child)
		return child_ended(options->child);
	if (options->cgroups)
		return false;
	for (uint32_t i = 0; i < options->tgid_cnt; i++)
		if (!process_has_ended(options->tgids[i]))
			return false;
	return options->tgid_cnt > 0;
}

/* Answers the first questions at once: the snapshot keeps from listening for a while. */
static int learn_first(struct recording *recording, uint64_t start_ns, struct err *err)
{
	int code = 0;

	while (!code && clock_mono_ns() < start_ns + LEARN_FIRST_NS)
		code = recorder_poll(recording->recorder, 1, recording->visit,
				     recording->visit_arg);
	return code ? err_set_errno(err, code, "cannot read what was recorded") : 0;
}

int recording_watch_arrivals(struct recording *recording, uint64_t *ret_since_ns, struct err *err)
{
	struct arrivals *arrivals = &recording->arrivals;
	int code;

	*ret_since_ns = 0;
	if (!arrivals_find(arrivals))
		return 0;
	code = capture_retarget(recording->capture, arrivals->tgids.data, arrivals->tgids.len, err);
	if (!code)
		code = teach_first(recording, err);
	if (code)
		return code;
	*ret_since_ns = arrivals_watch(arrivals);
	/* Of who is not watched new code is not noticed: what came meanwhile is in its map now. */
	return capture_read_tasks(recording->capture, on_first_look, recording, err);
}

/* Takes up the processes that have come to the targets' cgroups, as recording_begin does those that
 * were there. */
static int take_up_arrivals(struct recording *recording, struct err *err)
{
	struct snapshot later;
	uint64_t since_ns;
	int code = recording_watch_arrivals(recording, &since_ns, err);

	if (code || !since_ns)
		return code;
	code = learn_first(recording, since_ns, err);
	if (code)
		return code;
	code = snapshot_take(recording->capture, &later, err);
	if (!code && snapshot_join(&recording->snapshot, &later, since_ns))
		code = err_set(err, -ENOMEM, "not enough memory for the processes that came");
	snapshot_release(&later);
	return code;
}

int recording_follow(struct recording *recording, struct err *err)
{
	const struct record_options *options = recording->options;
	uint64_t start_ns = recording->book.start_ns;
	uint64_t check_ns = start_ns + EXIT_CHECK_NS;

	for (;;) {
		uint64_t now_ns = clock_mono_ns();
		uint64_t left_ns = options->duration_ns ? start_ns + options->duration_ns - now_ns
							: UINT64_MAX;
		int code;

		if (options->duration_ns && now_ns >= start_ns + options->duration_ns)
			return 0;
		if (options->stop && *options->stop)
			return 0;
		if (options->child || now_ns >= check_ns) {
			if (recording_is_over(recording))
				return 0;
			check_ns = now_ns + EXIT_CHECK_NS;
		}
		code = recorder_poll(recording->recorder,
				     left_ns < POLL_MS * 1000000ULL ? (int)(left_ns / 1000000)
								    : POLL_MS,
				     recording->visit, recording->visit_arg);
		if (code)
			return err_set_errno(err, code, "cannot read what was recorded");
		code = take_up_arrivals(recording, err);
		if (code)
			return code;
	}
}

int recording_begin(struct recording *recording, struct err *err)
{
	int code = teach_first(recording, err);

	if (code)
		return code;
	recording->book.start_ns = recorder_start(recording->recorder);
	code = learn_first(recording, recording->book.start_ns, err);
	return code ? code : snapshot_take(recording->capture, &recording->snapshot, err);
}

int recording_begin_child(struct recording *recording, struct err *err)
{
	int code = snapshot_take(recording->capture, &recording->snapshot, err);

	if (code)
		return code;
	snapshot_forget_threads(&recording->snapshot);
	recording->book.start_ns = recorder_start(recording->recorder);
	return child_run(recording->options->child, err);
}

void recording_add_losses(struct recording *recording)
{
	struct recorder_losses losses = recorder_losses(recording->recorder);
	uint64_t *counters = recording->snapshot.losses;

	counters[LOSS_RECORDS_BAD] += losses.bad_records;
	counters[LOSS_EVENTS_DROPPED] += losses.dropped_events;
	counters[LOSS_THREADS_UNTRACKED] += losses.dropped_runs;
	counters[LOSS_SPANS_OVER_MAX] += losses.dropped_spans;
	counters[LOSS_RULES_OVER_MAX] += losses.dropped_rules;
	counters[LOSS_STACKS_OVER_MAX] += losses.dropped_stacks;
	counters[LOSS_PROCESSES_OVER_MAX] += losses.dropped_spaces;
	counters[LOSS_EVENTS_MISSED] += losses.missed_events;
	counters[LOSS_PROCESSES_OVER_MAX] += recording->arrivals.over_max;
	counters[LOSS_CODE_OVER_MAX] += recording->spaces.refused_cnt;
	counters[LOSS_FUTEXES_OVER_MAX] += losses.dropped_futexes;
	counters[LOSS_FUTEXES_UNTRACKED] += losses.dropped_futex_waits;
	if (!recorder_sees_new_code(recording->recorder))
		counters[LOSS_CODE_UNWATCHED] = recording->snapshot.targets.len;
	recording->book.no_kstack_cnt += losses.dropped_kstacks;
}

/* Tells the programs how to know a waker that sends over loopback. Without the kernel's symbols
 * they do not. */
static void find_softirqs(struct recorder_options *options)
{
	struct kallsyms syms;

	if (!options->wakers)
		return;
	kallsyms_init(&syms);
	if (!kallsyms_read(&syms, NULL))
		kallsyms_extent(&syms, "__local_bh_enable_ip", &options->softirq_start_addr,
				&options->softirq_end_addr);
	kallsyms_release(&syms);
}

void recording_free(struct recording *recording)
{
	if (!recording)
		return;
	if (recording->has_spaces)
		spaces_release(&recording->spaces);
	arrivals_release(&recording->arrivals);
	snapshot_release(&recording->snapshot);
	book_release(&recording->book);
	futexes_release(&recording->futexes);
	kstacks_release(&recording->kstacks);
	vec_release(&recording->ended);
	vec_release(&recording->runs);
	vec_release(&recording->run_of_entry);
	table_release(&recording->shown);
	capture_free(recording->capture);
	recorder_free(recording->recorder);
	free(recording);
}

static int open_sources(struct recording *recording, const struct record_options *options,
			struct err *err)
{
	struct recorder_options recorder_options = { .tgids = options->tgids,
						     .tgid_cnt = options->tgid_cnt,
						     .from_exec = options->child != NULL,
						     .births_only = options->births_only,
						     .deaths = options->deaths,
						     .min_block_ns = options->min_block_ns,
						     .sample_hz = options->sample_hz,
						     .wakers = options->wakers,
						     .futexes = options->futexes,
						     .kernel = options->kernel &&
							       !options->births_only,
						     .verify_every = options->verify_every };
	struct capture_options capture_options = { .tgids = options->tgids,
						   .tgid_cnt = options->tgid_cnt,
						   .kstacks = options->kernel,
						   .keep_clock = true };

	find_softirqs(&recorder_options);
	recording->recorder = recorder_new(&recorder_options, err);
	if (!recording->recorder)
		return -1;
	spaces_init(&recording->spaces, recording->recorder);
	recording->has_spaces = true;
	arrivals_init(&recording->arrivals, options->cgroups, recording->recorder);
	recording->capture = capture_new(&capture_options, err);
	kernel_btf_forget();
	return recording->capture ? 0 : -1;
}

struct recording *recording_new(const struct record_options *options, struct err *err)
{
	struct recording *recording;

	if (!probe_pidns_is_initial()) {
		err_set(err, -EINVAL,
			"loiter does not record inside a PID namespace: run it on the host, where "
			"the process has another pid");
		return NULL;
	}
	recording = calloc(1, sizeof(*recording));
	if (!recording) {
		err_set(err, -ENOMEM, "not enough memory for a recording");
		return NULL;
	}
	recording->options = options;
	recording->visit = recording_on_event;
	recording->visit_arg = recording;
	book_init(&recording->book, &recording->snapshot, &recording->spaces);
	futexes_init(&recording->futexes, &recording->book);
	if (options->futexes)
		recording->book.futexes = &recording->futexes;
	kstacks_init(&recording->kstacks);
	vec_init(&recording->ended, sizeof(struct wire_exit), EXIT_MAX);
	table_init(&recording->shown, 1u << 16);
	vec_init(&recording->runs, sizeof(struct living_run), EXIT_MAX);
	vec_init(&recording->run_of_entry, sizeof(uint32_t), MODEL_THREAD_MAX);
	if (options->kernel && !options->births_only) {
		kstacks_read_symbols(&recording->kstacks);
		recording->book.kstacks = &recording->kstacks;
	}
	if (!open_sources(recording, options, err))
		return recording;
	recording_free(recording);
	return NULL;
}
