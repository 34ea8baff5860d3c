/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/assemble.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "collect/mappings.h"
#include "collect/peers.h"
#include "collect/wait_object.h"
#include "proc/elf_file.h"
#include "proc/process.h"
#include "symbolize/symbolize.h"
#include "unwind/arch.h"

#define TID_MAX (4u << 20)  /* PID_MAX_LIMIT of the kernel */
#define WAIT_FUNC_MAX 32    /* functions that wait_classify is shown: it needs the leaf side only */
#define KERNEL_FUNC_MAX 128 /* likewise, of the kernel's, whose root tells as well */
#define FUTEX_WAIT_PRIVATE 128 /* operations of futex calls */
#define FUTEX_LOCK_PI_PRIVATE 134

struct assembly {
	struct snapshot *snapshot;
	struct model *model;
	uint32_t *process_of_target; /* index in the model, MODEL_NONE until a thread is seen */
	uint32_t *entry_of_thread;   /* by the thread's index in the model */
	uint32_t *first_thread;	     /* by target: index in the model; MODEL_NONE: none */
	uint32_t *next_thread;	     /* by thread: the next one of its target; MODEL_NONE: none */
	struct peers *peers;	     /* NULL until needed; shared by all processes */
	bool is_recording;	     /* spans are what is reported */
	struct table kinds;	     /* hash of stack and system call -> enum wait_kind */
};

/* Counts what is wrong with @stack, which @cnt threads or blocks have. */
static void count_stack_losses(struct model *model, const struct model_stack *stack, uint64_t cnt)
{
	static const enum loss by_end[] = {
		[STACK_END_UNREADABLE] = LOSS_STACKS_UNREADABLE,
		[STACK_END_NO_RULE] = LOSS_STACKS_NO_RULE,
		[STACK_END_BAD_FRAME] = LOSS_STACKS_BAD_FRAME,
		[STACK_END_TOO_DEEP] = LOSS_STACKS_TOO_DEEP,
		[STACK_END_COPY_SHORT] = LOSS_STACKS_COPY_SHORT,
		[STACK_END_NO_CFI] = LOSS_STACKS_NO_CFI,
		[STACK_END_UNLEARNED] = LOSS_SPANS_NO_STACK,
	};

	if (stack->end != STACK_END_ROOT && stack->end < sizeof(by_end) / sizeof(by_end[0]))
		model->losses[by_end[stack->end]] += cnt;
	if (stack->quality == STACK_GUESSED)
		model->losses[LOSS_STACKS_GUESSED] += cnt;
}

static enum thread_state state_of(const struct entry *entry, bool settled)
{
	if (entry->task_state == WIRE_STATE_ZOMBIE || entry->task_state == WIRE_STATE_DEAD)
		return THREAD_ZOMBIE;
	if (!settled || entry->state == ENTRY_SAMPLED || entry->flags & WIRE_ON_CPU)
		return THREAD_RUNNING;
	switch (entry->task_state) {
	case WIRE_STATE_RUNNABLE:
		return THREAD_RUNNABLE;
	case WIRE_STATE_STOPPED:
	case WIRE_STATE_TRACED:
		return THREAD_STOPPED;
	default:
		return THREAD_BLOCKED;
	}
}

/* Ages are counted back from the snapshot's moment, or from the thread's end, if that came sooner;
 * for a thread that blocked while the snapshot was already being taken, from the look at it. */
static uint64_t age_of(const struct snapshot *snapshot, const struct entry *entry)
{
	uint64_t last_ran_ns = entry->last_ran_ns + (uint64_t)snapshot->sched_clock_offset_ns;
	uint64_t moment_ns = entry->ended_ns ? entry->ended_ns : snapshot->mono_ns;

	if (last_ran_ns <= moment_ns)
		return moment_ns - last_ran_ns;
	return entry->now_ns > last_ran_ns ? entry->now_ns - last_ran_ns : 0;
}

static uint32_t process_of(struct assembly *assembly, const struct entry *entry)
{
	struct model *model = assembly->model;
	uint32_t *slot = &assembly->process_of_target[entry->target];
	const struct target *target = snapshot_target(assembly->snapshot, entry->target);

	if (*slot != MODEL_NONE)
		return *slot;
	*slot = model_add_process(model, target->tgid, target->start_ns);
	if (*slot == MODEL_NONE)
		return MODEL_NONE;
	model_process(model, *slot)->exe = strpool_add(&model->strings, target->exe);
	/* Replaced by the leader's name when the leader is seen. */
	model_process(model, *slot)->comm = strpool_add(&model->strings, entry->comm);
	if (!target->unwinder && !target->has_ended && entry->task_state != WIRE_STATE_ZOMBIE &&
	    entry->task_state != WIRE_STATE_DEAD)
		model->losses[LOSS_PROCESSES_UNREADABLE]++;
	return *slot;
}

static void add_stacks(struct assembly *assembly, const struct entry *entry,
		       struct model_thread *thread)
{
	struct model *model = assembly->model;
	const struct stackset *stacks = &assembly->snapshot->stacks;

	if (entry->stack != STACKSET_NONE) {
		thread->stack = stackset_to_model(
			stacks, entry->stack, model, thread->process,
			&snapshot_target(assembly->snapshot, entry->target)->maps);
		if (thread->stack != MODEL_NONE && !assembly->is_recording)
			count_stack_losses(model, model_stack(model, thread->stack), 1);
	} else if (entry->was_walked) {
		model->losses[LOSS_STACKS_OVER_MAX]++;
	}
	/* A zombie's kernel stack is gone as well. */
	if (assembly->snapshot->has_kstacks && entry->kstack == STACKSET_NONE &&
	    entry->state != ENTRY_SAMPLED && thread->state != THREAD_ZOMBIE)
		model->losses[LOSS_KSTACKS_MISSING]++;
	if (entry->kstack != STACKSET_NONE)
		thread->kstack = stackset_to_model(stacks, entry->kstack, model, MODEL_NONE, NULL);
	if (entry->flags & WIRE_COMPAT)
		model->losses[LOSS_STACKS_COMPAT]++;
}

static int add_thread(struct assembly *assembly, uint32_t entry_idx)
{
	struct model *model = assembly->model;
	const struct entry *entry = vec_at(&assembly->snapshot->entries, entry_idx);
	uint32_t process = process_of(assembly, entry), idx = model->threads.len;
	bool settled = entry_is_settled(assembly->snapshot, entry);
	struct model_thread *thread;
	const char *syscall = NULL;

	if (process == MODEL_NONE)
		return -ENOMEM;
	thread = model_add_thread(model, process, entry->tid);
	if (!thread)
		return 0; /* counted */
	assembly->entry_of_thread[idx] = entry_idx;
	assembly->next_thread[idx] = assembly->first_thread[entry->target];
	assembly->first_thread[entry->target] = idx;
	thread->comm = strpool_add(&model->strings, entry->comm);
	if (entry->tid == model_process(model, process)->tgid)
		model_process(model, process)->comm = thread->comm;
	thread->start_ns = entry->start_ns;
	thread->run_cnt = entry->nvcsw + entry->nivcsw;
	thread->state = (uint8_t)state_of(entry, settled);
	if (thread->state != THREAD_RUNNING)
		thread->age_ns = age_of(assembly->snapshot, entry);
	if (entry->flags & WIRE_IN_SYSCALL && entry->state != ENTRY_SAMPLED)
		syscall = arch_syscall_name(entry->syscall_nr);
	if (settled) {
		thread->syscall = strpool_add(&model->strings, syscall);
		add_stacks(assembly, entry, thread);
	} else {
		thread->raced = true;
		model->losses[LOSS_THREADS_RACED]++;
	}
	return 0;
}

/* Collects up to @max function names of the leaf side of @stack. */
static uint32_t leaf_functions(const struct model *model, uint32_t stack_idx, const char **funcs,
			       uint32_t max)
{
	const struct model_stack *stack;
	uint32_t cnt = 0;

	if (stack_idx == MODEL_NONE)
		return 0;
	stack = model_stack(model, stack_idx);
	for (uint32_t i = 0; i < stack->loc_cnt && cnt < max; i++) {
		const struct model_loc *loc = model_stack_loc(model, stack, i);
		const struct model_frame *frames = model_loc_frames(model, loc);

		for (uint32_t f = 0; f < loc->frame_cnt && cnt < max; f++)
			funcs[cnt++] = frames[f].func ? model_str(model, frames[f].func) : NULL;
	}
	return cnt;
}

/* Classifies @evidence by the functions of @stack and @kstack too. */
static enum wait_kind classify_stacks(const struct model *model, uint32_t stack, uint32_t kstack,
				      struct wait_evidence *evidence)
{
	const char *kernel_funcs[KERNEL_FUNC_MAX];
	const char *funcs[WAIT_FUNC_MAX];
	enum wait_kind kind;

	evidence->func_cnt = leaf_functions(model, stack, funcs, WAIT_FUNC_MAX);
	evidence->funcs = funcs;
	evidence->kernel_func_cnt = leaf_functions(model, kstack, kernel_funcs, KERNEL_FUNC_MAX);
	evidence->kernel_funcs = kernel_funcs;
	kind = wait_classify(evidence);
	evidence->funcs = evidence->kernel_funcs = NULL;
	evidence->func_cnt = evidence->kernel_func_cnt = 0;
	return kind;
}

static void fill_evidence(const struct model *model, const struct model_thread *thread,
			  const struct entry *entry, struct wait_evidence *ret)
{
	*ret = (struct wait_evidence){
		.running = thread->state == THREAD_RUNNING,
		.runnable = thread->state == THREAD_RUNNABLE,
		.stopped = thread->state == THREAD_STOPPED,
		.zombie = thread->state == THREAD_ZOMBIE,
		.uninterruptible = entry->task_state == WIRE_STATE_DISK,
		.in_iowait = entry->flags & WIRE_IN_IOWAIT,
		.io_worker = entry->flags & WIRE_IO_WORKER,
		.in_syscall = entry->flags & WIRE_IN_SYSCALL,
		.syscall = thread->syscall ? model_str(model, thread->syscall) : NULL,
	};
	memcpy(ret->arg, entry->syscall_arg, sizeof(ret->arg));
}

/* What of an argument can change the kind of a wait: small values as they are (operations, counts,
 * flags), whether a larger one can be a thread's id, and how an address is aligned. */
static uint64_t wait_arg_class(uint64_t arg)
{
	if (arg < 4096)
		return arg;
	return (arg <= TID_MAX ? 4096 : 8192) + (arg & 63);
}

/* Threads with the same stack in the same system call wait for the same kind of thing; what their
 * arguments can change of it is in the key too. */
static enum wait_kind classify(struct assembly *assembly, const struct model_thread *thread,
			       const struct entry *entry, struct wait_evidence *evidence)
{
	uint64_t key = hash_mix(hash_mix(thread->stack, thread->syscall), thread->state);
	uint32_t kind;

	key = hash_mix(hash_mix(key, thread->kstack), hash_mix(entry->flags, entry->task_state));
	for (int i = 0; i < WIRE_SYSCALL_ARG_MAX; i++)
		key = hash_mix(key, wait_arg_class(entry->syscall_arg[i]));
	if (table_find(&assembly->kinds, key, &kind))
		return kind;
	kind = classify_stacks(assembly->model, thread->stack, thread->kstack, evidence);
	table_put(&assembly->kinds, key, kind);
	return kind;
}

/* Whether the thread has not run since it was looked at. */
static bool still_waits(const struct target *target, const struct entry *entry)
{
	uint64_t switch_cnt;

	return !process_thread_switches(target->pid, (pid_t)entry->tid, &switch_cnt) &&
	       switch_cnt == entry->nvcsw + entry->nivcsw;
}

static void describe_object(struct assembly *assembly, struct wait_objects *objects,
			    struct model_thread *thread, const struct entry *entry,
			    const struct wait_evidence *evidence)
{
	const struct snapshot *snapshot = assembly->snapshot;
	struct wait_request request = { .tid = (pid_t)entry->tid,
					.kind = thread->wait,
					.evidence = evidence,
					.age_ns = thread->age_ns,
					.mono_ns = snapshot->mono_ns,
					.wall_ns = snapshot->wall_ns };
	struct wait_answer answer;

	if (!assembly->peers)
		assembly->peers = peers_new();
	if (assembly->peers)
		wait_objects_use_peers(objects, assembly->peers);
	wait_objects_describe(objects, &request, &answer);
	thread->object = strpool_add(&assembly->model->strings, answer.object);
	if (answer.has_timeout && answer.timeout_was_read)
		answer.has_timeout = still_waits(snapshot_target(snapshot, entry->target), entry);
	thread->has_timeout = answer.has_timeout;
	thread->timeout_left_ns = answer.has_timeout ? answer.timeout_left_ns : 0;
	assembly->model->losses[LOSS_OBJECTS_UNREADABLE] += answer.unreadable;
}

static void add_places(const struct assembly *assembly, uint32_t idx, struct wait_objects *objects)
{
	for (uint32_t i = assembly->first_thread[idx]; i != MODEL_NONE;
	     i = assembly->next_thread[i]) {
		const struct entry *entry =
			vec_at(&assembly->snapshot->entries, assembly->entry_of_thread[i]);

		wait_objects_add_stack(objects, entry->tid, entry->sp);
	}
}

/* Gives the threads of target @idx their kinds of wait, and what they wait for unless @objects is
 * NULL. */
static void describe_waits(struct assembly *assembly, uint32_t idx, struct wait_objects *objects)
{
	struct model *model = assembly->model;

	if (objects)
		add_places(assembly, idx, objects);
	for (uint32_t i = assembly->first_thread[idx]; i != MODEL_NONE;
	     i = assembly->next_thread[i]) {
		struct model_thread *thread = model_thread(model, i);
		const struct entry *entry =
			vec_at(&assembly->snapshot->entries, assembly->entry_of_thread[i]);
		struct wait_evidence evidence;

		fill_evidence(model, thread, entry, &evidence);
		thread->wait = (uint8_t)classify(assembly, thread, entry, &evidence);
		if (objects && thread->state == THREAD_BLOCKED)
			describe_object(assembly, objects, thread, entry, &evidence);
	}
}

static int symbolize(struct assembly *assembly, const struct target *target,
		     struct symbolizer *symbolizer, uint32_t process, struct err *err)
{
	int code = symbolizer_run(symbolizer, assembly->model, process);

	if (code)
		return err_set_errno(err, code, "cannot name the functions of process %u",
				     target->tgid);
	code = mappings_to_model(assembly->model, process, &target->maps, target->modules);
	if (code)
		return err_set_errno(err, code, "cannot keep the map of process %u", target->tgid);
	return 0;
}

static void count_module_losses(struct model *model, const struct modules *modules)
{
	struct modules_losses losses = modules_losses(modules);

	model->losses[LOSS_MODULES_UNREADABLE] += losses.unreadable_cnt;
	model->losses[LOSS_MODULES_CHANGED] += losses.changed_cnt;
}

static bool has_nameless(const struct model *model, uint32_t process)
{
	for (uint32_t i = model_first_loc(model, process); i != MODEL_NONE;
	     i = model_next_loc(model, i))
		if (!model_loc(model, i)->frame_cnt)
			return true;
	return false;
}

/* Names what is of the code that @space has. */
static int name_by_space(struct assembly *assembly, struct target *space, uint32_t process,
			 struct err *err)
{
	struct symbolizer *symbolizer =
		symbolizer_new(space->pid, &space->maps, space->modules, err);
	int code;

	if (!symbolizer)
		return -ENOMEM;
	code = symbolize(assembly, space, symbolizer, process, err);
	symbolizer_free(symbolizer);
	return code;
}

/* Names what the map of process @process has no more: of code that was there once, and of a process
 * that has ended. */
static int name_old_code(struct assembly *assembly, const struct assemble_spans *spans,
			 uint32_t process, struct err *err)
{
	uint32_t tgid = model_process(assembly->model, process)->tgid;
	int code = 0;

	for (uint32_t i = 0; !code && has_nameless(assembly->model, process); i++) {
		struct target *space = spans->space(spans->arg, tgid, i);

		if (!space)
			break;
		if (!space->modules)
			continue;
		code = name_by_space(assembly, space, process, err);
		/* Of as many as there were processes, the debug symbols do not fit in memory. */
		spans->close_space(spans->arg, tgid, i);
	}
	return code;
}

/* Tells the file of what those address spaces could not name. */
static int tell_old_files(struct assembly *assembly, const struct assemble_spans *spans,
			  uint32_t process, const struct symbolizer *symbolizer)
{
	uint32_t tgid = model_process(assembly->model, process)->tgid;
	int code = 0;

	for (uint32_t i = 0; !code && has_nameless(assembly->model, process); i++) {
		const struct target *space = spans->space(spans->arg, tgid, i);

		if (!space)
			break;
		code = symbolize_by_map(symbolizer, &space->maps, assembly->model, process);
	}
	return code;
}

static int name_functions(struct assembly *assembly, struct target *target, uint32_t process,
			  struct symbolizer *symbolizer, const struct assemble_spans *spans,
			  struct err *err)
{
	int code = 0;

	if (symbolizer)
		code = symbolize(assembly, target, symbolizer, process, err);
	if (!code && spans && spans->space)
		code = name_old_code(assembly, spans, process, err);
	if (code)
		return code;
	/* What an address space has named is not lost. */
	if (target->modules && (!spans || has_nameless(assembly->model, process)))
		count_module_losses(assembly->model, target->modules);
	if (spans && spans->space)
		code = tell_old_files(assembly, spans, process, symbolizer);
	if (!code)
		code = symbolize_rest(symbolizer, assembly->model, process);
	return code ? err_set_errno(err, code, "cannot name the functions of process %u",
				    target->tgid)
		    : 0;
}

/* Names the functions of target @idx and describes its threads' waits; of a snapshot also what they
 * wait for, which is told of one moment: a recording has many. What this reads, many megabytes
 * where there are debug symbols, is given back before the next one, but for a few files. */
static int finish_target(struct assembly *assembly, uint32_t idx,
			 const struct assemble_spans *spans, struct err *err)
{
	struct target *target = snapshot_target(assembly->snapshot, idx);
	uint32_t process = assembly->process_of_target[idx];
	struct wait_objects *objects = NULL;
	struct symbolizer *symbolizer = NULL;
	int code;

	if (process == MODEL_NONE && spans) /* it may have stacks without threads */
		process = model_find_process(assembly->model, target->tgid);
	if (process == MODEL_NONE)
		return 0; /* no thread of it was seen */
	if (target->modules)
		symbolizer = symbolizer_new(target->pid, &target->maps, target->modules, err);
	if (target->modules && !symbolizer)
		return -ENOMEM;
	code = name_functions(assembly, target, process, symbolizer, spans, err);
	if (!code && symbolizer && !assembly->is_recording)
		objects = wait_objects_new(target->pid, &target->maps, symbolizer, NULL);
	if (!code)
		describe_waits(assembly, idx, objects);
	wait_objects_free(objects);
	if (symbolizer)
		symbolizer_count_losses(symbolizer, assembly->model);
	symbolizer_free(symbolizer);
	target_close(target);
	return code;
}

/* Gives each span its kind of wait, and counts what is wrong with its stack. */
static void classify_spans(struct assembly *assembly, const struct assemble_spans *spans)
{
	struct model *model = assembly->model;

	for (uint32_t i = 0; i < model->spans.len; i++) {
		struct model_span *span = model_span(model, i);
		struct wait_evidence evidence = { 0 };

		if (span->stack != MODEL_NONE)
			count_stack_losses(model, model_stack(model, span->stack), span->cnt);
		if (span->kind != SPAN_BLOCKED ||
		    *(uint64_t *)vec_at(spans->ops, i) == ASSEMBLE_OP_UNKNOWN)
			continue;
		evidence.stopped = *(uint64_t *)vec_at(spans->ops, i) == ASSEMBLE_OP_STOPPED;
		evidence.in_syscall = span->syscall != 0;
		evidence.syscall = span->syscall ? model_str(model, span->syscall) : NULL;
		evidence.arg[0] = 1; /* not known; not 0 */
		evidence.arg[1] = *(uint64_t *)vec_at(spans->ops, i);
		span->wait = (uint8_t)classify_stacks(model, span->stack, span->kstack, &evidence);
	}
}

/* Likewise each futex that is waited for. */
static void classify_futexes(struct model *model)
{
	for (uint32_t i = 0; i < model->futexes.len; i++) {
		struct model_futex *futex = model_futex(model, i);
		uint64_t op =
			futex->kind == FUTEX_LOCKS_PI ? FUTEX_LOCK_PI_PRIVATE : FUTEX_WAIT_PRIVATE;
		struct wait_evidence evidence = { .in_syscall = true,
						  .syscall = "futex",
						  .arg = { 1, op } };

		if (futex_kind_waits(futex->kind))
			futex->wait = (uint8_t)classify_stacks(model, futex->stack, MODEL_NONE,
							       &evidence);
	}
}

/* Likewise each place where threads were seen, of some of which none is left. */
static void classify_cohorts(struct model *model)
{
	for (uint32_t i = 0; i < model->cohorts.len; i++) {
		struct model_cohort *cohort = model_cohort(model, i);
		struct wait_evidence evidence = { .in_syscall = cohort->syscall != 0,
						  .syscall = model_str(model, cohort->syscall),
						  .arg = { 1, FUTEX_WAIT_PRIVATE } };

		if (cohort->stack != MODEL_NONE)
			cohort->wait = (uint8_t)classify_stacks(model, cohort->stack, MODEL_NONE,
								&evidence);
	}
}

static int add_spans(struct assembly *assembly, const struct assemble_spans *spans)
{
	uint32_t entry_cnt = assembly->snapshot->entries.len;
	uint32_t *thread_of_entry = malloc((entry_cnt + 1) * sizeof(*thread_of_entry));
	int err;

	if (!thread_of_entry)
		return -ENOMEM;
	memset(thread_of_entry, 0xff, entry_cnt * sizeof(*thread_of_entry));
	for (uint32_t i = 0; i < assembly->model->threads.len; i++)
		thread_of_entry[assembly->entry_of_thread[i]] = i;
	err = spans->add(spans->arg, assembly->model, thread_of_entry);
	free(thread_of_entry);
	return err;
}

static void describe_host(struct model *model, const struct snapshot *snapshot)
{
	struct utsname name;

	model->wall_ns = snapshot->wall_ns;
	model->boot_ns = snapshot->boot_ns;
	model->utc_offset_s = clock_utc_offset_s(snapshot->wall_ns);
	model->loiter_version = strpool_add(&model->strings, LOITER_VERSION);
	if (uname(&name))
		return;
	model->host = strpool_add(&model->strings, name.nodename);
	model->kernel = strpool_add(&model->strings, name.release);
}

static int fill_model(struct assembly *assembly, const struct assemble_spans *spans,
		      struct err *err)
{
	struct snapshot *snapshot = assembly->snapshot;
	struct model *model = assembly->model;
	int code;

	memcpy(model->losses, snapshot->losses, sizeof(model->losses));
	describe_host(model, snapshot);
	for (uint32_t i = 0; i < snapshot->entries.len; i++) {
		code = add_thread(assembly, i);
		if (code)
			return err_set_errno(err, code, "cannot keep every thread");
	}
	code = spans ? add_spans(assembly, spans) : 0;
	if (code)
		return err_set_errno(err, code, "cannot keep what was recorded");
	/* Without names, kernel frames are still shown by address. */
	symbolize_kernel(model, NULL);
	elf_files_keep();
	for (uint32_t i = 0; i < snapshot->targets.len && !code; i++)
		code = finish_target(assembly, i, spans, err);
	elf_files_drop();
	if (code)
		return code;
	if (assembly->is_recording && spans)
		classify_spans(assembly, spans);
	classify_futexes(model);
	classify_cohorts(model);
	model->losses[LOSS_STRINGS_OVER_MAX] += model->strings.lost_cnt;
	code = model_sort(model);
	return code ? err_set_errno(err, code, "cannot sort the threads") : 0;
}

/* Returns @cnt indices that are MODEL_NONE, or NULL; the caller frees them. */
static uint32_t *new_indices(uint32_t cnt)
{
	uint32_t *indices = calloc((size_t)cnt + 1, sizeof(indices[0]));

	if (indices)
		memset(indices, 0xff, cnt * sizeof(indices[0]));
	return indices;
}

int assemble_model(struct snapshot *snapshot, const struct assemble_spans *spans,
		   struct model *model, struct err *err)
{
	struct assembly assembly = {
		.snapshot = snapshot,
		.model = model,
		.process_of_target = new_indices(snapshot->targets.len),
		.first_thread = new_indices(snapshot->targets.len),
		.next_thread = new_indices(snapshot->entries.len),
		.entry_of_thread = new_indices(snapshot->entries.len),
		.is_recording = spans && spans->ops,
	};
	int code;

	table_init(&assembly.kinds, 1u << 20);
	if (assembly.process_of_target && assembly.first_thread && assembly.next_thread &&
	    assembly.entry_of_thread)
		code = fill_model(&assembly, spans, err);
	else
		code = err_set(err, -ENOMEM, "not enough memory for the report");
	peers_free(assembly.peers);
	table_release(&assembly.kinds);
	free(assembly.process_of_target);
	free(assembly.first_thread);
	free(assembly.next_thread);
	free(assembly.entry_of_thread);
	return code;
}
