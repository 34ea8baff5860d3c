/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* From the book to the model's spans: stacks, names of system calls and of wakers. */
#include "collect/book.h"

#include <errno.h>

#include "collect/assemble.h"
#include "collect/futexes.h"
#include "unwind/arch.h"

/* Adds a span of @thread. Returns NULL, with errno set, when there is no room. */
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

/* After push_span had no room for @cnt blocks or samples. Returns 0 when a maximum is reached,
 * which is counted, else -ENOMEM. */
static int leave_out(struct model *model, uint64_t cnt)
{
	if (errno != E2BIG)
		return -ENOMEM;
	model->losses[LOSS_SPANS_LEFT_OUT] += cnt;
	return 0;
}

static uint32_t count_of(const struct table *counts, uint32_t key)
{
	uint32_t cnt;

	return table_find(counts, key, &cnt) ? cnt : 0;
}

/* @number: of an address space, or how many uses the process has before. */
static uint64_t use_key(uint32_t tgid, uint32_t number)
{
	return (uint64_t)tgid << 32 | number;
}

/* Notes that process @tgid has a stack in address space @space. Where memory runs out, what is
 * there is named by address. */
static void note_use(struct book *book, uint32_t tgid, uint32_t space)
{
	const struct book_use use = { .tgid = tgid, .space = space };
	uint64_t key = use_key(tgid, space);
	uint32_t known, idx = book->uses.len, cnt = count_of(&book->use_cnt, tgid);

	if (table_find(&book->use_by_key, key, &known) || vec_append(&book->uses, &use, 1))
		return;
	if (!table_put(&book->use_by_key, key, idx) &&
	    !table_put(&book->open_use_cnt, space, count_of(&book->open_use_cnt, space) + 1) &&
	    !table_put(&book->use_cnt, tgid, cnt + 1))
		table_put(&book->use_by_order, use_key(tgid, cnt), idx);
}

uint32_t book_stack_to_model(struct book *book, uint32_t idx, struct model *model, uint32_t process)
{
	uint32_t number = *(uint32_t *)vec_at(&book->stack_spaces, idx);
	const struct target *space = spaces_target(book->spaces, number);

	note_use(book, model_process(model, process)->tgid, number);
	return stackset_to_model(&book->stacks, idx, model, process, space ? &space->maps : NULL);
}

/* Returns number @i of the address spaces that process @tgid had stacks in, or NULL. */
static struct book_use *find_use(const struct book *book, uint32_t tgid, uint32_t i)
{
	uint32_t use;

	return table_find(&book->use_by_order, use_key(tgid, i), &use) ? vec_at(&book->uses, use)
								       : NULL;
}

struct target *book_space(void *arg, uint32_t tgid, uint32_t i)
{
	const struct book *book = arg;
	const struct book_use *use = find_use(book, tgid, i);

	return use ? spaces_target(book->spaces, use->space) : NULL;
}

void book_close_space(void *arg, uint32_t tgid, uint32_t i)
{
	struct book *book = arg;
	struct book_use *over = find_use(book, tgid, i);
	uint32_t open_cnt;

	if (!over || over->is_over)
		return;
	over->is_over = true;
	open_cnt = count_of(&book->open_use_cnt, over->space); /* this one is in it */
	table_put(&book->open_use_cnt, over->space, open_cnt - 1);
	if (open_cnt == 1)
		target_close_files(spaces_target(book->spaces, over->space));
}

static uint32_t line_stack(struct book *book, const struct book_line *line, struct model *model,
			   uint32_t process)
{
	const struct target *target;

	if (line->stack == STACKSET_NONE)
		return MODEL_NONE;
	if (!line->from_snapshot)
		return book_stack_to_model(book, line->stack, model, process);
	target = snapshot_target(book->snapshot, book_entry(book, line->entry)->target);
	return stackset_to_model(&book->snapshot->stacks, line->stack, model, process,
				 &target->maps);
}

static uint32_t kstack_to_model(const struct book *book, uint32_t idx, struct model *model)
{
	if (idx == STACKSET_NONE)
		return MODEL_NONE;
	return stackset_to_model(&book->kstacks->set, idx, model, MODEL_NONE, NULL);
}

static uint32_t line_kstack(struct book *book, const struct book_line *line, struct model *model)
{
	const struct stackset *seen = &book->snapshot->stacks;
	uint32_t like;

	if (!book->kstacks || line->kstack == STACKSET_NONE)
		return MODEL_NONE;
	if (!line->from_snapshot)
		return kstack_to_model(book, line->kstack, model);
	like = kstacks_like(book->kstacks, seen, line->kstack);
	if (like != STACKSET_NONE)
		return kstack_to_model(book, like, model);
	return stackset_to_model(seen, line->kstack, model, MODEL_NONE, NULL);
}

/* Returns the entry of the thread that woke it, UINT32_MAX when it is none of the targets'. */
static uint32_t waker_entry(const struct book *book, const struct book_line *line)
{
	uint32_t entry;

	if (!book_find_entry(book, line->waker_tid, 0, &entry))
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
	return strpool_add(&model->strings, book_entry(book, entry)->comm);
}

static uint32_t waker_stack(struct book *book, const struct book_line *line, struct model *model,
			    const uint32_t *thread_of_entry)
{
	uint32_t entry = waker_entry(book, line);
	uint32_t thread = entry == UINT32_MAX ? MODEL_NONE : thread_of_entry[entry];

	if (line->waker_stack == STACKSET_NONE || thread == MODEL_NONE)
		return MODEL_NONE;
	return book_stack_to_model(book, line->waker_stack, model,
				   model_thread(model, thread)->process);
}

static uint64_t op_of(const struct book_line *line)
{
	if (line->syscall_nr == WIRE_SYSCALL_UNKNOWN)
		return ASSEMBLE_OP_UNKNOWN;
	return line->syscall_nr == WIRE_SYSCALL_STOPPED ? ASSEMBLE_OP_STOPPED : line->syscall_op;
}

/* Adds what @line sums up of @kind, blocked or queued. Returns NULL when memory ran out. */
static struct model_span *push_line_span(struct book *book, const struct book_line *line,
					 struct model *model, uint32_t thread, enum span_kind kind)
{
	const char *name = line->syscall_nr >= 0 ? arch_syscall_name(line->syscall_nr) : NULL;
	const struct wire_span *sum = &line->sum;
	bool blocked = kind == SPAN_BLOCKED;
	struct model_span *span = push_span(book, model, thread, kind, op_of(line));

	if (!span)
		return NULL;
	span->cnt = sum->cnt;
	span->total_ns = blocked ? sum->blocked_ns : sum->queued_ns;
	span->max_ns = blocked ? sum->blocked_max_ns : sum->queued_max_ns;
	span->stack = line_stack(book, line, model, model_thread(model, thread)->process);
	span->kstack = line_kstack(book, line, model);
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
			return leave_out(model, line->sum.cnt);
		span->open = line->open;
		span->waker = waker_name(book, line, model);
		span->waker_stack = waker_stack(book, line, model, thread_of_entry);
	}
	if (line->sum.queued_ns && !push_line_span(book, line, model, thread, SPAN_RUN_QUEUE))
		return leave_out(model, line->sum.cnt);
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

		if (book_find_entry(book, tick->entry, 0, &tick->entry))
			*(uint32_t *)vec_at(&tick_cnt, tick->entry) += tick->cnt;
		else
			tick->cnt = 0; /* its thread is not known: counted with its lost end */
	}
	for (uint32_t i = 0; i < book->ticks.len && !err; i++) {
		const struct book_tick *tick = vec_at(&book->ticks, i);
		struct book_line line = { .stack = tick->stack, .kstack = tick->kstack };
		uint32_t thread = tick->cnt ? thread_of_entry[tick->entry] : MODEL_NONE;
		struct model_span *span;

		if (thread == MODEL_NONE)
			continue;
		span = push_span(book, model, thread, SPAN_ON_CPU, 0);
		if (!span) {
			err = leave_out(model, tick->cnt);
			continue;
		}
		span->cnt = tick->cnt;
		span->total_ns =
			(uint64_t)((__uint128_t) * (uint64_t *)vec_at(&book->on_cpu, tick->entry) *
				   tick->cnt / *(uint32_t *)vec_at(&tick_cnt, tick->entry));
		span->stack = line_stack(book, &line, model, model_thread(model, thread)->process);
		span->kstack = line_kstack(book, &line, model);
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
			err = leave_out(model, 1);
	}
	vec_release(&tick_cnt);
	return err;
}

static int birth_to_model(struct book *book, const struct wire_birth *birth, struct model *model,
			  const uint32_t *thread_of_entry)
{
	uint32_t entry, stack, process, thread;
	struct model_birth *added;

	if (!book_find_entry(book, birth->tid, (uint32_t)(birth->start_ns / 1000), &entry))
		return 0; /* its end was lost with a dropped event, which is counted */
	thread = thread_of_entry[entry];
	if (thread == MODEL_NONE || model_thread(model, thread)->birth != MODEL_NONE)
		return 0;
	added = model_add_birth(model, thread);
	if (!added)
		return -ENOMEM;
	added->creator_tid = birth->creator_tid;
	added->creator_tgid = birth->creator_tgid;
	added->creator_comm = strpool_add(&model->strings, birth->creator_comm);
	process = model_thread(model, thread)->process;
	if (birth->creator_tgid != birth->tgid)
		process = model_find_process(model, birth->creator_tgid);
	if (process != MODEL_NONE && table_find(&book->stack_by_id, birth->stack_id, &stack))
		added->stack = book_stack_to_model(book, stack, model, process);
	return 0;
}

int book_births_to_model(void *arg, struct model *model, const uint32_t *thread_of_entry)
{
	struct book *book = arg;
	int err = 0;

	model->losses[LOSS_EVENTS_DROPPED] += book->lost_birth_cnt;
	for (uint32_t i = 0; i < book->births.len && !err; i++)
		err = birth_to_model(book, vec_at(&book->births, i), model, thread_of_entry);
	return err;
}

int book_to_model(void *arg, struct model *model, const uint32_t *thread_of_entry)
{
	struct book *book = arg;
	int err;

	model->window_ns = book->end_ns - book->start_ns;
	model->losses[LOSS_SPANS_NO_STACK] += book->no_stack_cnt;
	model->losses[LOSS_SPANS_LEFT_OUT] += book->left_out_cnt;
	model->losses[LOSS_WAKERS_NO_STACK] += book->no_waker_stack_cnt;
	/* Threads that ran all through the snapshot, or began behind it, are what a recording is
	 * for. */
	model->losses[LOSS_THREADS_RACED] = 0;
	model->losses[LOSS_KSTACKS_MISSING] = book->no_kstack_cnt;
	for (uint32_t i = 0; i < book->lines.len; i++) {
		const struct book_line *line = vec_at(&book->lines, i);
		uint32_t thread = thread_of_entry[line->entry];

		err = thread == MODEL_NONE
			      ? 0
			      : line_to_model(book, line, model, thread, thread_of_entry);
		if (err)
			return err;
	}
	err = book_births_to_model(book, model, thread_of_entry);
	if (!err && book->futexes)
		err = futexes_to_model(book->futexes, model);
	return err ? err : on_cpu_to_model(book, model, thread_of_entry);
}
