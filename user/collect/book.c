/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/book.h"

#include <errno.h>

#include "collect/assemble.h"
#include "unwind/arch.h"

#define LINE_MAX (1u << 20)

void book_init(struct book *book, struct snapshot *snapshot, struct spaces *spaces)
{
	*book = (struct book){ .snapshot = snapshot, .spaces = spaces };
	table_init(&book->entry_by_user, MODEL_THREAD_MAX);
	stackset_init(&book->stacks);
	vec_init(&book->stack_spaces, sizeof(uint32_t), LINE_MAX);
	vec_init(&book->uses, sizeof(struct book_use), LINE_MAX);
	table_init(&book->use_by_key, LINE_MAX);
	table_init(&book->stack_by_id, LINE_MAX);
	table_init(&book->line_by_key, LINE_MAX);
	vec_init(&book->lines, sizeof(struct book_line), LINE_MAX);
	vec_init(&book->ticks, sizeof(struct book_tick), LINE_MAX);
	table_init(&book->tick_by_key, LINE_MAX);
	vec_init(&book->on_cpu, sizeof(uint64_t), MODEL_THREAD_MAX);
	vec_init(&book->ops, sizeof(uint64_t), MODEL_LOC_MAX);
}

void book_release(struct book *book)
{
	table_release(&book->entry_by_user);
	stackset_release(&book->stacks);
	vec_release(&book->stack_spaces);
	vec_release(&book->uses);
	table_release(&book->use_by_key);
	table_release(&book->stack_by_id);
	table_release(&book->line_by_key);
	vec_release(&book->lines);
	vec_release(&book->ticks);
	table_release(&book->tick_by_key);
	vec_release(&book->on_cpu);
	vec_release(&book->ops);
}

static uint64_t user_key(uint32_t tid, uint32_t start_us)
{
	return (uint64_t)tid << 32 | start_us;
}

static struct entry *entry_at(const struct book *book, uint32_t idx)
{
	return vec_at(&book->snapshot->entries, idx);
}

int book_index_entries(struct book *book)
{
	for (uint32_t i = book->on_cpu.len; i < book->snapshot->entries.len; i++) {
		const struct entry *entry = entry_at(book, i);
		int err;

		if (!vec_push(&book->on_cpu))
			return -errno;
		err = table_put(&book->entry_by_user,
				user_key(entry->tid, (uint32_t)(entry->start_ns / 1000)), i);
		if (!err)
			err = table_put(&book->entry_by_user, user_key(entry->tid, 0), i);
		if (err)
			return err;
	}
	return 0;
}

void book_add_stack(struct book *book, uint64_t id, uint32_t space, const struct walk *walk)
{
	uint32_t stack = stackset_add(&book->stacks, space, walk);

	if (stack == STACKSET_NONE)
		return;
	if (stack == book->stack_spaces.len && vec_append(&book->stack_spaces, &space, 1))
		return;
	table_put(&book->stack_by_id, id, stack);
}

void book_add_tick(struct book *book, uint32_t tid, uint64_t stack_id)
{
	uint64_t key = hash_mix(tid, stack_id);
	struct book_tick *tick;
	uint32_t idx;

	if (table_find(&book->tick_by_key, key, &idx)) {
		((struct book_tick *)vec_at(&book->ticks, idx))->cnt++;
		return;
	}
	tick = vec_push(&book->ticks);
	if (!tick)
		return;
	/* Threads and stacks may not be known yet: looked up at the end. */
	tick->entry = tid;
	tick->cnt = 1;
	if (!table_find(&book->stack_by_id, stack_id, &tick->stack))
		tick->stack = STACKSET_NONE;
	table_put(&book->tick_by_key, key, book->ticks.len - 1);
}

static struct book_line *find_line(struct book *book, const struct book_line *wanted)
{
	uint64_t key = hash_mix(hash_mix(wanted->entry, wanted->stack), wanted->from_snapshot);
	struct book_line *line;
	uint32_t idx;

	key = hash_mix(hash_mix(key, (uint32_t)wanted->syscall_nr), wanted->syscall_op);
	key = hash_mix(hash_mix(key, wanted->waker_stack), wanted->waker_tid);
	if (table_find(&book->line_by_key, key, &idx))
		return vec_at(&book->lines, idx);
	line = vec_push(&book->lines);
	if (!line)
		return NULL;
	*line = *wanted;
	line->sum = (struct wire_span){ 0 };
	if (table_put(&book->line_by_key, key, book->lines.len - 1)) {
		book->lines.len--;
		return NULL;
	}
	return line;
}

static void add_sum(struct wire_span *to, const struct wire_span *span)
{
	to->cnt += span->cnt;
	to->blocked_ns += span->blocked_ns;
	to->queued_ns += span->queued_ns;
	if (span->blocked_max_ns > to->blocked_max_ns)
		to->blocked_max_ns = span->blocked_max_ns;
	if (span->queued_max_ns > to->queued_max_ns)
		to->queued_max_ns = span->queued_max_ns;
	for (int i = 0; i < WIRE_HIST_CNT; i++) {
		to->blocked_hist[i] += span->blocked_hist[i];
		to->queued_hist[i] += span->queued_hist[i];
	}
}

static int add_line(struct book *book, const struct book_line *wanted, const struct wire_span *span)
{
	struct book_line *line = find_line(book, wanted);

	if (!line)
		return -ENOMEM;
	line->open |= wanted->open;
	add_sum(&line->sum, span);
	return 0;
}

/* The stack of a block by the kernel's id of it. */
static uint32_t stack_of(struct book *book, uint64_t id, uint64_t cnt)
{
	uint32_t stack;

	if (table_find(&book->stack_by_id, id, &stack))
		return stack;
	book->no_stack_cnt += cnt;
	return STACKSET_NONE;
}

int book_add_span(struct book *book, const struct wire_span_key *key, const struct wire_span *span)
{
	struct book_line wanted = { .stack = STACKSET_NONE,
				    .waker_stack = STACKSET_NONE,
				    .waker_tid = key->waker_tid,
				    .syscall_nr = key->syscall_nr,
				    .syscall_op = key->syscall_op };

	if (!table_find(&book->entry_by_user, user_key(key->tid, key->start_us), &wanted.entry))
		return 0; /* its end was lost with a dropped event, which is counted */
	if (key->syscall_nr != WIRE_SYSCALL_PREEMPTED)
		wanted.stack = stack_of(book, key->stack_id, span->cnt);
	if (key->waker_id && !table_find(&book->stack_by_id, key->waker_id, &wanted.waker_stack))
		wanted.waker_stack = STACKSET_NONE;
	return add_line(book, &wanted, span);
}

static uint32_t hist_bucket(uint64_t ns)
{
	uint64_t us = ns / 1000;
	uint32_t bucket = us ? 64 - (uint32_t)__builtin_clzll(us) : 0;

	return bucket < WIRE_HIST_CNT ? bucket : WIRE_HIST_CNT - 1;
}

/* Books one single stretch of time. */
static int add_stretch(struct book *book, const struct book_line *wanted, uint64_t blocked_ns,
		       uint64_t queued_ns)
{
	struct wire_span span = { .cnt = 1,
				  .blocked_ns = blocked_ns,
				  .blocked_max_ns = blocked_ns,
				  .queued_ns = queued_ns,
				  .queued_max_ns = queued_ns };

	if (!blocked_ns && !queued_ns)
		return 0;
	if (blocked_ns)
		span.blocked_hist[hist_bucket(blocked_ns)] = 1;
	if (queued_ns)
		span.queued_hist[hist_bucket(queued_ns)] = 1;
	return add_line(book, wanted, &span);
}

static void add_on_cpu(struct book *book, uint32_t entry, uint64_t ns)
{
	*(uint64_t *)vec_at(&book->on_cpu, entry) += ns;
}

/* The line of what a thread was in when the snapshot at the window's start saw it. */
static struct book_line line_of_entry(const struct book *book, uint32_t idx)
{
	const struct entry *entry = entry_at(book, idx);
	int32_t nr = entry->flags & WIRE_IN_SYSCALL ? (int32_t)entry->syscall_nr
		     : entry->flags & WIRE_HAS_REGS ? WIRE_SYSCALL_NONE
						    : WIRE_SYSCALL_UNKNOWN;

	return (struct book_line){ .entry = idx,
				   .stack = entry->stack,
				   .waker_stack = STACKSET_NONE,
				   .from_snapshot = true,
				   .syscall_nr = nr,
				   .syscall_op = (uint32_t)entry->syscall_arg[1] };
}

static bool is_blocked_state(uint32_t task_state)
{
	return task_state != WIRE_STATE_RUNNABLE;
}

/* Whether the snapshot's look at the thread shows what it was in at the window's start: it had not
 * run since. */
static bool entry_holds_at_start(const struct book *book, const struct entry *entry)
{
	uint64_t last_ran_ns = entry->last_ran_ns + (uint64_t)book->snapshot->sched_clock_offset_ns;

	return entry->state == ENTRY_STABLE && last_ran_ns <= book->start_ns;
}

/* From the window's start to the first event of the thread. */
static int add_before_first(struct book *book, uint32_t idx, const struct wire_run *run)
{
	struct book_line line = line_of_entry(book, idx);
	uint64_t ns = run->first_ns > book->start_ns ? run->first_ns - book->start_ns : 0;

	if (!entry_holds_at_start(book, entry_at(book, idx))) {
		line.stack = STACKSET_NONE;
		line.syscall_nr = WIRE_SYSCALL_UNKNOWN;
		line.syscall_op = 0;
	}
	switch (run->first_state) {
	case WIRE_RUN_ON_CPU:
		add_on_cpu(book, idx, ns);
		return 0;
	case WIRE_RUN_BLOCKED:
		return add_stretch(book, &line, ns, 0);
	case WIRE_RUN_QUEUED:
		line.stack = STACKSET_NONE;
		line.syscall_nr = WIRE_SYSCALL_PREEMPTED;
		return add_stretch(book, &line, 0, ns);
	}
	return 0; /* born in the window */
}

/* From the last event of a living thread to the window's end. */
static int add_since_last(struct book *book, uint32_t idx, const struct wire_run *run)
{
	uint64_t ns = book->end_ns > run->since_ns ? book->end_ns - run->since_ns : 0;
	struct book_line line = { .entry = idx,
				  .open = true,
				  .stack = STACKSET_NONE,
				  .waker_stack = STACKSET_NONE,
				  .syscall_nr = run->syscall_nr,
				  .syscall_op = run->syscall_op };

	switch (run->state) {
	case WIRE_RUN_ON_CPU:
		add_on_cpu(book, idx, ns);
		return 0;
	case WIRE_RUN_BLOCKED:
		line.stack = stack_of(book, run->stack_id, 1);
		return add_stretch(book, &line, ns, 0);
	}
	if (run->blocked_since_ns) {
		line.stack = stack_of(book, run->stack_id, 1);
		return add_stretch(book, &line,
				   run->since_ns > run->blocked_since_ns
					   ? run->since_ns - run->blocked_since_ns
					   : 0,
				   ns);
	}
	line.syscall_nr = WIRE_SYSCALL_PREEMPTED;
	return add_stretch(book, &line, 0, ns);
}

/* A thread that the scheduler did not touch in the whole window. */
static int add_untouched(struct book *book, uint32_t idx)
{
	const struct entry *entry = entry_at(book, idx);
	uint64_t window_ns = book->end_ns - book->start_ns;
	struct book_line line = line_of_entry(book, idx);

	line.open = true;
	if (entry->state == ENTRY_SAMPLED || entry->flags & WIRE_ON_CPU) {
		add_on_cpu(book, idx, window_ns);
		return 0;
	}
	if (entry->task_state == WIRE_STATE_ZOMBIE || entry->task_state == WIRE_STATE_DEAD)
		return 0; /* it has no time to spend */
	if (is_blocked_state(entry->task_state))
		return add_stretch(book, &line, window_ns, 0);
	line.syscall_nr = WIRE_SYSCALL_PREEMPTED;
	line.stack = STACKSET_NONE;
	return add_stretch(book, &line, 0, window_ns);
}

int book_add_run(struct book *book, uint32_t entry, const struct wire_run *run, bool ended)
{
	int err;

	if (!run)
		return add_untouched(book, entry);
	add_on_cpu(book, entry, run->on_cpu_ns);
	err = add_before_first(book, entry, run);
	if (!err && !ended)
		err = add_since_last(book, entry, run);
	return err;
}

static struct model_span *push_span(struct book *book, struct model *model, uint32_t thread,
				    enum span_kind kind, uint64_t op)
{
	struct model_span *span = vec_push(&model->spans);

	if (!span || vec_append(&book->ops, &op, 1))
		return NULL;
	span->thread = thread;
	span->kind = (uint8_t)kind;
	span->stack = span->kstack = span->waker_stack = MODEL_NONE;
	return span;
}

/* Adds stack @idx of the recording to @model as one of @process. */
static uint32_t stack_to_model(struct book *book, uint32_t idx, struct model *model,
			       uint32_t process)
{
	struct book_use use = { .tgid = model_process(model, process)->tgid,
				.space = *(uint32_t *)vec_at(&book->stack_spaces, idx) };
	const struct target *space = spaces_target(book->spaces, use.space);
	uint64_t key = (uint64_t)use.tgid << 32 | use.space;
	uint32_t known;

	if (!table_find(&book->use_by_key, key, &known) && !vec_append(&book->uses, &use, 1))
		table_put(&book->use_by_key, key, 0);
	return stackset_to_model(&book->stacks, idx, model, process, space ? &space->maps : NULL);
}

struct target *book_space(void *arg, uint32_t tgid, uint32_t i)
{
	const struct book *book = arg;

	for (uint32_t u = 0; u < book->uses.len; u++) {
		const struct book_use *use = vec_at(&book->uses, u);

		if (use->tgid == tgid && !i--)
			return spaces_target(book->spaces, use->space);
	}
	return NULL;
}

static uint32_t line_stack(struct book *book, const struct book_line *line, struct model *model,
			   uint32_t process)
{
	const struct target *target;

	if (line->stack == STACKSET_NONE)
		return MODEL_NONE;
	if (!line->from_snapshot)
		return stack_to_model(book, line->stack, model, process);
	target = snapshot_target(book->snapshot, entry_at(book, line->entry)->target);
	return stackset_to_model(&book->snapshot->stacks, line->stack, model, process,
				 &target->maps);
}

/* Returns the entry of the thread that woke it, UINT32_MAX when it is none of the targets'. */
static uint32_t waker_entry(const struct book *book, const struct book_line *line)
{
	uint32_t entry;

	if (!table_find(&book->entry_by_user, user_key(line->waker_tid, 0), &entry))
		return UINT32_MAX;
	return entry;
}

static uint32_t waker_name(const struct book *book, const struct book_line *line,
			   struct model *model)
{
	uint32_t entry = waker_entry(book, line);

	if (!line->waker_tid)
		return 0;
	if (line->waker_tid == WIRE_WAKER_INTERRUPT)
		return strpool_add(&model->strings, "interrupt");
	if (entry == UINT32_MAX)
		return strpool_add(&model->strings, "another process");
	return strpool_add(&model->strings, entry_at(book, entry)->comm);
}

static uint32_t waker_stack(struct book *book, const struct book_line *line,
			    struct model *model, const uint32_t *thread_of_entry)
{
	uint32_t entry = waker_entry(book, line);
	uint32_t thread = entry == UINT32_MAX ? MODEL_NONE : thread_of_entry[entry];

	if (line->waker_stack == STACKSET_NONE || thread == MODEL_NONE)
		return MODEL_NONE;
	return stack_to_model(book, line->waker_stack, model, model_thread(model, thread)->process);
}

/* Adds what @line sums up of @kind, blocked or queued. Returns NULL when memory ran out. */
static struct model_span *push_line_span(struct book *book, const struct book_line *line,
					 struct model *model, uint32_t thread, enum span_kind kind)
{
	bool unknown = line->syscall_nr == WIRE_SYSCALL_UNKNOWN;
	const char *name = line->syscall_nr >= 0 ? arch_syscall_name(line->syscall_nr) : NULL;
	const struct wire_span *sum = &line->sum;
	bool blocked = kind == SPAN_BLOCKED;
	struct model_span *span = push_span(book, model, thread, kind,
					    unknown ? ASSEMBLE_OP_UNKNOWN : line->syscall_op);

	if (!span)
		return NULL;
	span->cnt = sum->cnt;
	span->total_ns = blocked ? sum->blocked_ns : sum->queued_ns;
	span->max_ns = blocked ? sum->blocked_max_ns : sum->queued_max_ns;
	span->stack = line_stack(book, line, model, model_thread(model, thread)->process);
	span->syscall = strpool_add(&model->strings, name);
	for (int i = 0; i < SPAN_HIST_CNT; i++)
		span->hist[i] = blocked ? sum->blocked_hist[i] : sum->queued_hist[i];
	return span;
}

static int line_to_model(struct book *book, const struct book_line *line, struct model *model,
			 uint32_t thread, const uint32_t *thread_of_entry)
{
	struct model_span *span;

	if (line->sum.blocked_ns) {
		span = push_line_span(book, line, model, thread, SPAN_BLOCKED);
		if (!span)
			return -ENOMEM;
		span->open = line->open;
		span->waker = waker_name(book, line, model);
		span->waker_stack = waker_stack(book, line, model, thread_of_entry);
	}
	if (line->sum.queued_ns && !push_line_span(book, line, model, thread, SPAN_RUN_QUEUE))
		return -ENOMEM;
	return 0;
}

/* Shares each thread's exact time on CPUs among the stacks that the clock met it in. */
static int on_cpu_to_model(struct book *book, struct model *model, const uint32_t *thread_of_entry)
{
	uint32_t entry_cnt = book->snapshot->entries.len;
	struct vec tick_cnt;
	int err = 0;

	vec_init(&tick_cnt, sizeof(uint32_t), MODEL_THREAD_MAX);
	for (uint32_t i = 0; i < entry_cnt && !err; i++)
		err = vec_push(&tick_cnt) ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < book->ticks.len && !err; i++) {
		struct book_tick *tick = vec_at(&book->ticks, i);

		if (table_find(&book->entry_by_user, user_key(tick->entry, 0), &tick->entry))
			*(uint32_t *)vec_at(&tick_cnt, tick->entry) += tick->cnt;
		else
			tick->cnt = 0; /* its thread is not known: counted with its lost end */
	}
	for (uint32_t i = 0; i < book->ticks.len && !err; i++) {
		const struct book_tick *tick = vec_at(&book->ticks, i);
		struct book_line line = { .stack = tick->stack };
		uint32_t thread = tick->cnt ? thread_of_entry[tick->entry] : MODEL_NONE;
		struct model_span *span;

		if (thread == MODEL_NONE)
			continue;
		span = push_span(book, model, thread, SPAN_ON_CPU, 0);
		if (!span) {
			err = -ENOMEM;
			break;
		}
		span->cnt = tick->cnt;
		span->total_ns =
			(uint64_t)((__uint128_t) * (uint64_t *)vec_at(&book->on_cpu, tick->entry) *
				   tick->cnt / *(uint32_t *)vec_at(&tick_cnt, tick->entry));
		span->stack = line_stack(book, &line, model, model_thread(model, thread)->process);
	}
	for (uint32_t i = 0; i < entry_cnt && !err; i++) {
		uint64_t ns = *(uint64_t *)vec_at(&book->on_cpu, i);
		struct model_span *span;

		if (thread_of_entry[i] == MODEL_NONE || *(uint32_t *)vec_at(&tick_cnt, i) || !ns)
			continue;
		span = push_span(book, model, thread_of_entry[i], SPAN_ON_CPU, 0);
		if (span)
			span->total_ns = ns;
		else
			err = -ENOMEM;
	}
	vec_release(&tick_cnt);
	return err;
}

int book_to_model(void *arg, struct model *model, const uint32_t *thread_of_entry)
{
	struct book *book = arg;

	model->window_ns = book->end_ns - book->start_ns;
	model->losses[LOSS_SPANS_NO_STACK] += book->no_stack_cnt;
	/* Threads that ran all through the snapshot are what a recording is for. */
	model->losses[LOSS_THREADS_RACED] = 0;
	for (uint32_t i = 0; i < book->lines.len; i++) {
		const struct book_line *line = vec_at(&book->lines, i);
		uint32_t thread = thread_of_entry[line->entry];
		int err = thread == MODEL_NONE
				  ? 0
				  : line_to_model(book, line, model, thread, thread_of_entry);

		if (err)
			return err;
	}
	return on_cpu_to_model(book, model, thread_of_entry);
}
