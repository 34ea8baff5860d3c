/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/futexes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc/memory.h"
#include "unwind/arch.h"

#define LINE_MAX (1u << 20)

_Static_assert((int)FUTEX_WAITS == WIRE_FUTEX_WAIT && (int)FUTEX_WAITS_ANY == WIRE_FUTEX_WAITV &&
		       (int)FUTEX_LOCKS_PI == WIRE_FUTEX_LOCK_PI &&
		       (int)FUTEX_WAITS_REQUEUE_PI == WIRE_FUTEX_WAIT_REQUEUE_PI &&
		       (int)FUTEX_WAKES == WIRE_FUTEX_WAKE &&
		       (int)FUTEX_WAKES_OP == WIRE_FUTEX_WAKE_OP &&
		       (int)FUTEX_UNLOCKS_PI == WIRE_FUTEX_UNLOCK_PI &&
		       (int)FUTEX_MOVES == WIRE_FUTEX_REQUEUE,
	       "the model's kinds are the wire's operations");

void futexes_init(struct futexes *futexes, struct book *book)
{
	*futexes = (struct futexes){ .book = book };
	vec_init(&futexes->lines, sizeof(struct futex_line), LINE_MAX);
	table_init(&futexes->line_by_key, LINE_MAX);
	table_init(&futexes->noted, MODEL_THREAD_MAX);
}

void futexes_release(struct futexes *futexes)
{
	vec_release(&futexes->lines);
	table_release(&futexes->line_by_key);
	table_release(&futexes->noted);
}

static struct futex_line *find_line(struct futexes *futexes, const struct futex_line *wanted)
{
	uint64_t key = hash_mix(hash_mix(wanted->addr, wanted->tgid), wanted->stack);
	struct futex_line *line;
	uint32_t idx;

	key = hash_mix(key, (uint64_t)wanted->op << 2 | (uint64_t)wanted->is_shared << 1 |
				    wanted->from_snapshot);
	if (table_find(&futexes->line_by_key, key, &idx))
		return vec_at(&futexes->lines, idx);
	line = vec_push(&futexes->lines);
	if (!line)
		return NULL;
	*line = *wanted;
	if (table_put(&futexes->line_by_key, key, futexes->lines.len - 1)) {
		futexes->lines.len--;
		return NULL;
	}
	return line;
}

static void add_sum(struct wire_futex *to, const struct wire_futex *sum)
{
	to->cnt += sum->cnt;
	to->total_ns += sum->total_ns;
	if (sum->max_ns > to->max_ns)
		to->max_ns = sum->max_ns;
	to->timeout_cnt += sum->timeout_cnt;
	to->changed_cnt += sum->changed_cnt;
	to->interrupted_cnt += sum->interrupted_cnt;
	to->failed_cnt += sum->failed_cnt;
	to->woken_cnt += sum->woken_cnt;
	to->moved_cnt += sum->moved_cnt;
	to->nobody_cnt += sum->nobody_cnt;
}

/* The stack of @cnt calls by the kernel's id of it. */
static uint32_t stack_of(struct futexes *futexes, uint64_t id, uint64_t cnt)
{
	uint32_t stack;

	if (table_find(&futexes->book->stack_by_id, id, &stack))
		return stack;
	futexes->no_stack_cnt += cnt;
	return STACKSET_NONE;
}

static int read_sum(void *arg, const struct wire_futex_key *key, const struct wire_futex *sum)
{
	struct futexes *futexes = arg;
	struct futex_line wanted = { .addr = key->addr,
				     .tgid = key->tgid,
				     .op = key->op,
				     .is_shared = key->is_shared,
				     .stack = stack_of(futexes, key->stack_id, sum->cnt) };
	struct futex_line *line = find_line(futexes, &wanted);

	if (!line)
		return -ENOMEM;
	add_sum(&line->sum, sum);
	return 0;
}

/* Books one wait that had not ended when the window did. */
static int add_open(struct futexes *futexes, const struct futex_line *wanted, uint64_t since_ns)
{
	uint64_t end_ns = futexes->book->end_ns;
	uint64_t ns = end_ns > since_ns ? end_ns - since_ns : 0;
	struct wire_futex sum = { .cnt = 1, .total_ns = ns, .max_ns = ns };
	struct futex_line *line = find_line(futexes, wanted);

	if (!line)
		return -ENOMEM;
	line->open_cnt++;
	add_sum(&line->sum, &sum);
	return 0;
}

static int read_wait(void *arg, uint32_t tid, const struct wire_futex_wait *wait)
{
	struct futexes *futexes = arg;
	struct futex_line wanted = {
		.addr = wait->addr, .tgid = wait->tgid, .op = wait->op, .is_shared = wait->is_shared
	};
	int err = table_put(&futexes->noted, tid, 1);

	if (err || !wait->since_ns)
		return err;
	if (!book_find_open(futexes->book, tid, wait->stack_id, &wanted.stack)) {
		wanted.stack = STACKSET_NONE;
		futexes->no_stack_cnt++;
	}
	return add_open(futexes, &wanted, wait->since_ns);
}

int futexes_read(struct futexes *futexes, struct recorder *recorder)
{
	int err = recorder_read_futexes(recorder, read_sum, futexes);

	return err ? err : recorder_read_futex_waits(recorder, read_wait, futexes);
}

static enum futex_call call_of(const struct entry *entry)
{
	static const struct {
		const char *name;
		enum futex_call call;
	} calls[] = {
		{ "futex", FUTEX_CALL_ANY },
		{ "futex_wait", FUTEX_CALL_WAIT },
		{ "futex_waitv", FUTEX_CALL_WAITV },
	};
	const char *name =
		entry->flags & WIRE_IN_SYSCALL ? arch_syscall_name(entry->syscall_nr) : NULL;

	for (size_t i = 0; name && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].name, name))
			return calls[i].call;
	return FUTEX_CALL_NONE;
}

int futexes_add_untouched(struct futexes *futexes, uint32_t idx)
{
	const struct snapshot *snapshot = futexes->book->snapshot;
	const struct entry *entry = book_entry(futexes->book, idx);
	const struct target *target = snapshot_target(snapshot, entry->target);
	__u64 arg[FUTEX_CALL_ARGS];
	struct wire_futex_waitv element;
	struct futex_line wanted;
	struct futex_act act;
	uint32_t one;

	/* Only of a blocked thread the registers are those of the call that it is in. */
	if (entry->state != ENTRY_STABLE || entry->task_state != WIRE_STATE_SLEEPING ||
	    table_find(&futexes->noted, entry->tid, &one))
		return 0;
	for (int i = 0; i < FUTEX_CALL_ARGS; i++)
		arg[i] = entry->syscall_arg[i];
	futex_decode(call_of(entry), arg, &act);
	if (!futex_op_waits(act.op))
		return 0;
	if (act.list && memory_read(target->pid, act.list, &element, sizeof(element)) ==
				(ssize_t)sizeof(element))
		futex_take_element(&act, &element);
	wanted = (struct futex_line){ .addr = act.addr,
				      .tgid = target->tgid,
				      .op = act.op,
				      .is_shared = act.is_shared,
				      .from_snapshot = true,
				      .stack = STACKSET_NONE,
				      .entry = idx };
	if (entry_is_settled(snapshot, entry))
		wanted.stack = entry->stack;
	return add_open(futexes, &wanted,
			entry->watched_ns > futexes->book->start_ns ? entry->watched_ns
								    : futexes->book->start_ns);
}

const struct target *futex_line_target(const struct futexes *futexes, const struct futex_line *line,
				       uint64_t *ret_pc)
{
	const struct book *book = futexes->book;
	const struct stackset *stacks =
		line->from_snapshot ? &book->snapshot->stacks : &book->stacks;
	const struct model_stack *stack;

	if (line->stack == STACKSET_NONE)
		return NULL;
	stack = vec_at(&stacks->stacks, line->stack);
	if (!stack->loc_cnt)
		return NULL;
	*ret_pc = *(uint64_t *)vec_at(&stacks->pcs, stack->first_loc) & ~WIRE_PC_EXACT;
	if (line->from_snapshot)
		return snapshot_target(book->snapshot, book_entry(book, line->entry)->target);
	return spaces_target(book->spaces, *(uint32_t *)vec_at(&book->stack_spaces, line->stack));
}

static uint32_t line_stack(const struct futexes *futexes, const struct futex_line *line,
			   struct model *model, uint32_t process)
{
	struct book *book = futexes->book;
	const struct target *target;

	if (line->stack == STACKSET_NONE)
		return MODEL_NONE;
	if (!line->from_snapshot)
		return book_stack_to_model(book, line->stack, model, process);
	target = snapshot_target(book->snapshot, book_entry(book, line->entry)->target);
	return stackset_to_model(&book->snapshot->stacks, line->stack, model, process,
				 &target->maps);
}

static int line_to_model(const struct futexes *futexes, struct futex_line *line,
			 struct model *model, uint32_t process)
{
	const struct wire_futex *sum = &line->sum;
	struct model_futex *futex = vec_push(&model->futexes);

	if (!futex)
		return -errno;
	line->model_idx = model->futexes.len - 1;
	*futex = (struct model_futex){ .addr = line->addr,
				       .cnt = sum->cnt,
				       .total_ns = sum->total_ns,
				       .max_ns = sum->max_ns,
				       .timeout_cnt = sum->timeout_cnt,
				       .changed_cnt = sum->changed_cnt,
				       .interrupted_cnt = sum->interrupted_cnt,
				       .failed_cnt = sum->failed_cnt,
				       .woken_cnt = sum->woken_cnt,
				       .moved_cnt = sum->moved_cnt,
				       .nobody_cnt = sum->nobody_cnt,
				       .open_cnt = line->open_cnt,
				       .process = process,
				       .stack = line_stack(futexes, line, model, process),
				       .kind = (uint8_t)line->op,
				       .is_shared = line->is_shared };
	return 0;
}

static int compare_lines(const void *a, const void *b)
{
	const struct futex_line *x = a, *y = b;

	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	return (x->addr > y->addr) - (x->addr < y->addr);
}

int futexes_to_model(struct futexes *futexes, struct model *model)
{
	uint32_t process = MODEL_NONE, tgid = 0;
	int err = 0;

	model->has_futexes = true;
	model->losses[LOSS_FUTEXES_NO_STACK] += futexes->no_stack_cnt;
	if (futexes->lines.len)
		qsort(futexes->lines.data, futexes->lines.len, sizeof(struct futex_line),
		      compare_lines);
	for (uint32_t i = 0; i < futexes->lines.len && !err; i++) {
		struct futex_line *line = vec_at(&futexes->lines, i);

		if (line->tgid != tgid)
			process = model_find_process(model, line->tgid);
		tgid = line->tgid;
		line->model_idx = MODEL_NONE;
		/* A process that is not there ended, and the event of it was lost: counted. */
		if (process != MODEL_NONE)
			err = line_to_model(futexes, line, model, process);
	}
	if (!err)
		futexes_name(futexes, model);
	return err;
}
