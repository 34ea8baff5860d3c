/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/record.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/assemble.h"
#include "collect/recording.h"
#include "proc/pidns.h"
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

static int on_event(void *arg, const struct wire_record *record)
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
		if (vec_append(&recording->ended, &record->exit, 1))
			recording->snapshot.losses[LOSS_THREADS_OVER_MAX]++;
		return 0;
	case WIRE_BIRTH:
		book_add_birth(&recording->book, &record->birth);
		spaces_inherit(&recording->spaces, record->birth.creator_tgid, record->birth.tgid);
		return 0;
	case WIRE_REMAP:
		spaces_answer(&recording->spaces, &record->remap);
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

	if (record->type == WIRE_TASK && task->tid == task->tgid && task->flags & WIRE_HAS_REGS)
		spaces_number(&recording->spaces, task->tgid, task->exec_pages);
	return 0;
}

static bool all_exited(const struct record_options *options)
{
	if (options->child)
		return false;
	for (uint32_t i = 0; i < options->tgid_cnt; i++)
		if (!process_check(options->tgids[i], NULL))
			return false;
	return options->tgid_cnt > 0;
}

/* Answers the first questions at once: the snapshot keeps from listening for a while. */
static int learn_first(struct recording *recording, uint64_t start_ns, struct err *err)
{
	int code = 0;

	while (!code && clock_mono_ns() < start_ns + LEARN_FIRST_NS)
		code = recorder_poll(recording->recorder, 1, on_event, recording);
	return code ? err_set_errno(err, code, "cannot read what was recorded") : 0;
}

static int follow(struct recording *recording, uint64_t start_ns, struct err *err)
{
	const struct record_options *options = recording->options;
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
		if (options->child && child_ended(options->child))
			return 0;
		if (now_ns >= check_ns) {
			if (all_exited(options))
				return 0;
			check_ns = now_ns + EXIT_CHECK_NS;
		}
		code = recorder_poll(recording->recorder,
				     left_ns < POLL_MS * 1000000ULL ? (int)(left_ns / 1000000)
								    : POLL_MS,
				     on_event, recording);
		if (code)
			return err_set_errno(err, code, "cannot read what was recorded");
	}
}

static int keep_run(void *arg, uint32_t tid, const struct wire_run *run)
{
	struct recording *recording = arg;
	struct living_run living = { .tid = tid, .run = *run };

	return vec_append(&recording->runs, &living, 1);
}

static int keep_span(void *arg, const struct wire_span_key *key, const struct wire_span *span)
{
	struct recording *recording = arg;

	return book_add_span(&recording->book, key, span);
}

static void add_losses(struct recording *recording)
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
	recording->book.no_kstack_cnt += losses.dropped_kstacks;
}

/* Begins with processes that are there already. */
static int begin_attached(struct recording *recording, struct err *err)
{
	int code = capture_read_tasks(recording->capture, on_first_look, recording, err);

	if (code)
		return code;
	code = snapshot_take(recording->capture, &recording->snapshot, err);
	if (code)
		return code;
	/* Threads block mostly where they are blocked now. */
	spaces_teach_snapshot(&recording->spaces, &recording->snapshot);
	snapshot_release(&recording->snapshot);
	code = recorder_start(recording->recorder, &recording->book.start_ns, err);
	if (!code)
		code = learn_first(recording, recording->book.start_ns, err);
	return code ? code : snapshot_take(recording->capture, &recording->snapshot, err);
}

/* Begins with a program that has not begun: all of its threads are still to be born. */
static int begin_child(struct recording *recording, struct err *err)
{
	int code = snapshot_take(recording->capture, &recording->snapshot, err);

	if (code)
		return code;
	snapshot_forget_threads(&recording->snapshot);
	code = recorder_start(recording->recorder, &recording->book.start_ns, err);
	return code ? code : child_run(recording->options->child, err);
}

static int record(struct recording *recording, struct err *err)
{
	struct book *book = &recording->book;
	uint64_t wall_ns, boot_ns, passed_ns;
	int code = recording->options->child ? begin_child(recording, err)
					     : begin_attached(recording, err);

	passed_ns = clock_mono_ns() - book->start_ns;
	wall_ns = clock_wall_ns() - passed_ns;
	boot_ns = clock_boot_ns() - passed_ns;
	if (!code)
		code = follow(recording, book->start_ns, err);
	book->end_ns = recorder_stop(recording->recorder);
	if (code)
		return code;
	recording->snapshot.wall_ns = wall_ns;
	recording->snapshot.boot_ns = boot_ns;
	code = recorder_drain(recording->recorder, on_event, recording);
	if (!code)
		code = recorder_read_runs(recording->recorder, keep_run, recording);
	if (!code)
		code = recording_settle(recording);
	if (!code)
		code = recorder_read_spans(recording->recorder, keep_span, recording);
	add_losses(recording);
	return code ? err_set_errno(err, code, "cannot keep what was recorded") : 0;
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

int record_take(const struct record_options *options, struct model *model, struct err *err)
{
	struct recorder_options recorder_options = { .tgids = options->tgids,
						     .tgid_cnt = options->tgid_cnt,
						     .from_exec = options->child != NULL,
						     .min_block_ns = options->min_block_ns,
						     .sample_hz = options->sample_hz,
						     .wakers = options->wakers,
						     .kernel = options->kernel,
						     .verify_every = options->verify_every };
	struct capture_options capture_options = { .tgids = options->tgids,
						   .tgid_cnt = options->tgid_cnt,
						   .kstacks = options->kernel };
	struct recording *recording = calloc(1, sizeof(*recording));
	struct assemble_spans spans;
	int code = -ENOMEM;

	if (!recording)
		return err_set(err, code, "not enough memory for a recording");
	if (!pidns_is_initial()) {
		free(recording);
		return err_set(
			err, -EINVAL,
			"'loiter record' does not work inside a PID namespace: run it on the "
			"host, where the process has another pid");
	}
	recording->options = options;
	book_init(&recording->book, &recording->snapshot, &recording->spaces);
	kstacks_init(&recording->kstacks);
	if (options->kernel) {
		kstacks_read_symbols(&recording->kstacks);
		recording->book.kstacks = &recording->kstacks;
	}
	find_softirqs(&recorder_options);
	vec_init(&recording->ended, sizeof(struct wire_exit), EXIT_MAX);
	vec_init(&recording->runs, sizeof(struct living_run), EXIT_MAX);
	recording->recorder = recorder_new(&recorder_options, err);
	if (recording->recorder)
		recording->capture = capture_new(&capture_options, err);
	if (!recording->recorder || !recording->capture)
		goto out;
	spaces_init(&recording->spaces, recording->recorder);
	code = record(recording, err);
	if (!code && !recording->snapshot.entries.len)
		code = err_set(err, -ESRCH, "the process exited before it was seen");
	if (!code) {
		spans = (struct assemble_spans){ .add = book_to_model,
						 .space = book_space,
						 .arg = &recording->book,
						 .ops = &recording->book.ops };
		code = assemble_model(&recording->snapshot, &spans, model, err);
	}
	spaces_release(&recording->spaces);
	snapshot_release(&recording->snapshot);
out:
	book_release(&recording->book);
	kstacks_release(&recording->kstacks);
	vec_release(&recording->ended);
	vec_release(&recording->runs);
	capture_free(recording->capture);
	recorder_free(recording->recorder);
	free(recording);
	return code;
}
