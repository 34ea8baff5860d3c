/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/book.h"

#include <errno.h>

#define LINE_MAX (1u << 20)

void book_init(struct book *book, struct snapshot *snapshot, struct spaces *spaces)
{
	*book = (struct book){ .snapshot = snapshot, .spaces = spaces };
	table_init(&book->entry_by_user, 2 * MODEL_THREAD_MAX); /* see book_index_entries */
	stackset_init(&book->stacks);
	vec_init(&book->stack_spaces, sizeof(uint32_t), LINE_MAX);
	vec_init(&book->uses, sizeof(struct book_use), LINE_MAX);
	table_init(&book->use_by_key, LINE_MAX);
	table_init(&book->use_by_order, LINE_MAX);
	table_init(&book->use_cnt, LINE_MAX);
	table_init(&book->open_use_cnt, LINE_MAX);
	table_init(&book->stack_by_id, LINE_MAX);
	table_init(&book->open_stacks, MODEL_THREAD_MAX);
	table_init(&book->line_by_key, LINE_MAX);
	vec_init(&book->lines, sizeof(struct book_line), LINE_MAX);
	vec_init(&book->births, sizeof(struct wire_birth), MODEL_THREAD_MAX);
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
	table_release(&book->use_by_order);
	table_release(&book->use_cnt);
	table_release(&book->open_use_cnt);
	table_release(&book->stack_by_id);
	table_release(&book->open_stacks);
	table_release(&book->line_by_key);
	vec_release(&book->lines);
	vec_release(&book->births);
	vec_release(&book->ticks);
	table_release(&book->tick_by_key);
	vec_release(&book->on_cpu);
	vec_release(&book->ops);
}

static uint64_t user_key(uint32_t tid, uint32_t start_us)
{
	return (uint64_t)tid << 32 | start_us;
}

bool book_find_entry(const struct book *book, uint32_t tid, uint32_t start_us, uint32_t *ret_entry)
{
	return table_find(&book->entry_by_user, user_key(tid, start_us), ret_entry);
}

int book_index_entries(struct book *book)
{
	for (uint32_t i = book->on_cpu.len; i < book->snapshot->entries.len; i++) {
		const struct entry *entry = book_entry(book, i);
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

/* Notes the address space of @stack, which may be new. Returns @stack, STACKSET_NONE for want of
 * room. */
static uint32_t keep_space(struct book *book, uint32_t stack, uint32_t space)
{
	bool is_new = stack == book->stack_spaces.len;

	return is_new && vec_append(&book->stack_spaces, &space, 1) ? STACKSET_NONE : stack;
}

void book_add_stack(struct book *book, uint64_t id, uint32_t space, const struct walk *walk)
{
	uint32_t stack = keep_space(book, stackset_add(&book->stacks, space, walk), space);

	if (stack != STACKSET_NONE)
		table_put(&book->stack_by_id, id, stack);
}

uint32_t book_keep_stack(struct book *book, uint32_t space, const struct stackset *from,
			 uint32_t idx)
{
	return keep_space(book, stackset_add_of(&book->stacks, space, from, idx), space);
}

int book_keep_open(struct book *book, uint32_t tid, uint64_t id, uint32_t space,
		   const struct stackset *from, uint32_t idx)
{
	uint32_t stack = book_keep_stack(book, space, from, idx);

	return stack == STACKSET_NONE ? -E2BIG
				      : table_put(&book->open_stacks, hash_mix(tid, id), stack);
}

bool book_find_open(const struct book *book, uint32_t tid, uint64_t id, uint32_t *ret_stack)
{
	return table_find(&book->open_stacks, hash_mix(tid, id), ret_stack) ||
	       table_find(&book->stack_by_id, id, ret_stack);
}

/* The stack of @cnt blocks or samples by the kernel's id of it. */
static uint32_t stack_of(struct book *book, uint64_t id, uint64_t cnt)
{
	uint32_t stack;

	if (table_find(&book->stack_by_id, id, &stack))
		return stack;
	book->no_stack_cnt += cnt;
	return STACKSET_NONE;
}

void book_add_birth(struct book *book, const struct wire_birth *birth)
{
	if (vec_append(&book->births, birth, 1))
		book->lost_birth_cnt++;
}

/* Likewise, of the kernel's part. */
static uint32_t kstack_of(struct book *book, uint64_t id, uint64_t cnt)
{
	uint32_t kstack;

	if (!book->kstacks || !id)
		return STACKSET_NONE; /* where there should be one, the programs counted it */
	kstack = kstacks_find(book->kstacks, id);
	if (kstack == STACKSET_NONE)
		book->no_kstack_cnt += cnt;
	return kstack;
}

void book_add_tick(struct book *book, const struct wire_tick *tick)
{
	uint64_t key = hash_mix(hash_mix(tick->tid, tick->stack_id), tick->kstack_id);
	struct book_tick *sum;
	uint32_t idx;

	if (table_find(&book->tick_by_key, key, &idx)) {
		((struct book_tick *)vec_at(&book->ticks, idx))->cnt++;
		return;
	}
	sum = vec_push(&book->ticks);
	if (sum && table_put(&book->tick_by_key, key, book->ticks.len - 1)) {
		book->ticks.len--;
		sum = NULL;
	}
	if (!sum) {
		book->left_out_cnt++;
		return;
	}
	/* Threads may not be known yet: looked up at the end. */
	sum->entry = tick->tid;
	sum->cnt = 1;
	sum->stack = stack_of(book, tick->stack_id, 1);
	sum->kstack = kstack_of(book, tick->kstack_id, 1);
}

/* Returns the line of @wanted, which is added when it is new; NULL with errno E2BIG or ENOMEM. */
static struct book_line *find_line(struct book *book, const struct book_line *wanted)
{
	uint64_t key = hash_mix(hash_mix(wanted->entry, wanted->stack), wanted->from_snapshot);
	struct book_line *line;
	uint32_t idx;
	int err;

	key = hash_mix(hash_mix(key, (uint32_t)wanted->syscall_nr), wanted->syscall_op);
	key = hash_mix(hash_mix(key, wanted->waker_stack), wanted->waker_tid);
	key = hash_mix(key, wanted->kstack);
	if (table_find(&book->line_by_key, key, &idx))
		return vec_at(&book->lines, idx);
	line = vec_push(&book->lines);
	if (!line)
		return NULL;
	*line = *wanted;
	line->sum = (struct wire_span){ 0 };
	err = table_put(&book->line_by_key, key, book->lines.len - 1);
	if (!err)
		return line;
	book->lines.len--;
	errno = -err;
	return NULL;
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

	if (!line && errno == E2BIG) {
		book->left_out_cnt += span->cnt;
		return 0;
	}
	if (!line)
		return -ENOMEM;
	line->open |= wanted->open;
	add_sum(&line->sum, span);
	return 0;
}

int book_add_span(struct book *book, const struct wire_span_key *key, const struct wire_span *span)
{
	struct book_line wanted = { .stack = STACKSET_NONE,
				    .kstack = kstack_of(book, key->kstack_id, span->cnt),
				    .waker_stack = STACKSET_NONE,
				    .waker_tid = key->waker_tid,
				    .syscall_nr = key->syscall_nr,
				    .syscall_op = key->syscall_op };

	if (!book_find_entry(book, key->tid, key->start_us, &wanted.entry))
		return 0; /* its end was lost with a dropped event, which is counted */
	if (key->syscall_nr != WIRE_SYSCALL_PREEMPTED)
		wanted.stack = stack_of(book, key->stack_id, span->cnt);
	if (key->waker_id && !table_find(&book->stack_by_id, key->waker_id, &wanted.waker_stack)) {
		wanted.waker_stack = STACKSET_NONE;
		book->no_waker_stack_cnt += span->cnt;
	}
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
	const struct entry *entry = book_entry(book, idx);
	bool stopped =
		entry->task_state == WIRE_STATE_STOPPED || entry->task_state == WIRE_STATE_TRACED;
	int32_t nr = stopped			      ? WIRE_SYSCALL_STOPPED
		     : entry->flags & WIRE_IN_SYSCALL ? (int32_t)entry->syscall_nr
		     : entry->flags & WIRE_HAS_REGS   ? WIRE_SYSCALL_NONE
						      : WIRE_SYSCALL_UNKNOWN;

	return (struct book_line){ .entry = idx,
				   .stack = entry->stack,
				   .kstack = entry->kstack,
				   .waker_stack = STACKSET_NONE,
				   .from_snapshot = true,
				   .syscall_nr = nr,
				   .syscall_op = (uint32_t)entry->syscall_arg[1] };
}

static bool is_blocked_state(uint32_t task_state)
{
	return task_state != WIRE_STATE_RUNNABLE;
}

/* Since when the thread of @entry is recorded: the window's start, or later. */
static uint64_t watched_from_ns(const struct book *book, const struct entry *entry)
{
	return entry->watched_ns > book->start_ns ? entry->watched_ns : book->start_ns;
}

/* Whether the snapshot's look at the thread shows what it was in when its recording began: it had
 * not run since. */
static bool entry_holds_at_start(const struct book *book, const struct entry *entry)
{
	uint64_t last_ran_ns = entry->last_ran_ns + (uint64_t)book->snapshot->sched_clock_offset_ns;

	return entry->state == ENTRY_STABLE && last_ran_ns <= watched_from_ns(book, entry);
}

/* From the window's start to the first event of the thread. */
static int add_before_first(struct book *book, uint32_t idx, const struct wire_run *run)
{
	uint64_t from_ns = watched_from_ns(book, book_entry(book, idx));
	uint64_t ns = run->first_ns > from_ns ? run->first_ns - from_ns : 0;
	struct book_line line = line_of_entry(book, idx);
	uint32_t task_state = book_entry(book, idx)->task_state;

	if (!entry_holds_at_start(book, book_entry(book, idx))) {
		line.stack = line.kstack = STACKSET_NONE;
		line.syscall_nr = WIRE_SYSCALL_UNKNOWN;
		line.syscall_op = 0;
		book->no_stack_cnt += run->first_state == WIRE_RUN_BLOCKED;
	} else if (task_state == WIRE_STATE_ZOMBIE || task_state == WIRE_STATE_DEAD) {
		return 0; /* a thread that began a program has taken its place since */
	}
	switch (run->first_state) {
	case WIRE_RUN_ON_CPU:
		add_on_cpu(book, idx, ns);
		return 0;
	case WIRE_RUN_BLOCKED:
		return add_stretch(book, &line, ns, 0);
	case WIRE_RUN_QUEUED:
		line.stack = line.kstack = STACKSET_NONE;
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
				  .kstack = STACKSET_NONE,
				  .waker_stack = STACKSET_NONE,
				  .syscall_nr = run->syscall_nr,
				  .syscall_op = run->syscall_op };

	switch (run->state) {
	case WIRE_RUN_ON_CPU:
		add_on_cpu(book, idx, ns);
		return 0;
	case WIRE_RUN_BLOCKED:
		if (!book_find_open(book, book_entry(book, idx)->tid, run->stack_id, &line.stack))
			book->no_stack_cnt++;
		line.kstack = kstack_of(book, run->kstack_id, 1);
		return add_stretch(book, &line, ns, 0);
	}
	if (run->blocked_since_ns) {
		line.stack = stack_of(book, run->stack_id, 1);
		line.kstack = kstack_of(book, run->kstack_id, 1);
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
	const struct entry *entry = book_entry(book, idx);
	uint64_t from_ns = watched_from_ns(book, entry);
	uint64_t window_ns = book->end_ns > from_ns ? book->end_ns - from_ns : 0;
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
	line.stack = line.kstack = STACKSET_NONE;
	return add_stretch(book, &line, 0, window_ns);
}

/* What did not fit into the kernel's table is booked without a stack, so that no time is missing.
 */
static int add_unbooked(struct book *book, uint32_t entry, const struct wire_run *run)
{
	struct book_line line = { .entry = entry,
				  .stack = STACKSET_NONE,
				  .kstack = STACKSET_NONE,
				  .waker_stack = STACKSET_NONE,
				  .syscall_nr = WIRE_SYSCALL_UNKNOWN };
	struct wire_span span = { .cnt = run->unbooked_cnt,
				  .blocked_ns = run->unbooked_blocked_ns,
				  .queued_ns = run->unbooked_queued_ns };

	return run->unbooked_cnt ? add_line(book, &line, &span) : 0;
}

int book_add_run(struct book *book, uint32_t entry, const struct wire_run *run, bool ended)
{
	int err;

	if (!run)
		return add_untouched(book, entry);
	add_on_cpu(book, entry, run->on_cpu_ns);
	err = add_unbooked(book, entry, run);
	if (!err)
		err = add_before_first(book, entry, run);
	if (!err && !ended)
		err = add_since_last(book, entry, run);
	return err;
}
