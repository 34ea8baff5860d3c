/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "unwind/evaluate.h"

#include <elfutils/libdwfl.h>
#include <stdlib.h>

#include "unwind/arch.h"

struct evaluator {
	pid_t tgid;
	struct modules *modules;
	/* During a walk: */
	const uint64_t *reg;
	struct stack_memory *memory;
	struct walk *walk;
	bool unreadable;
};

static pid_t no_next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	(void)dwfl;
	(void)arg;
	(void)thread_arg;
	return 0;
}

static bool give_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	(void)dwfl;
	(void)tid;
	*thread_arg = arg;
	return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *ret, void *arg)
{
	struct evaluator *evaluator = arg;
	uint64_t word;

	(void)dwfl;
	if (!evaluator->memory || !stack_memory_read(evaluator->memory, addr, &word)) {
		evaluator->unreadable = true;
		return false;
	}
	*ret = word;
	return true;
}

static bool give_registers(Dwfl_Thread *thread, void *arg)
{
	struct evaluator *evaluator = arg;

	return dwfl_thread_state_registers(thread, 0, arch_reg_cnt,
					   (const Dwarf_Word *)evaluator->reg);
}

static const Dwfl_Thread_Callbacks callbacks = {
	.next_thread = no_next_thread,
	.get_thread = give_thread,
	.memory_read = read_memory,
	.set_initial_registers = give_registers,
};

struct evaluator *evaluator_new(pid_t tgid, struct modules *modules)
{
	struct evaluator *evaluator = calloc(1, sizeof(*evaluator));

	if (!evaluator)
		return NULL;
	evaluator->tgid = tgid;
	evaluator->modules = modules;
	/* It finds modules on its own, among those that are open. */
	modules_open_all(modules);
	if (!dwfl_attach_state(modules_dwfl(modules), NULL, tgid, &callbacks, evaluator)) {
		free(evaluator);
		return NULL;
	}
	return evaluator;
}

void evaluator_free(struct evaluator *evaluator)
{
	free(evaluator);
}

static int add_frame(Dwfl_Frame *frame, void *arg)
{
	struct walk *walk = ((struct evaluator *)arg)->walk;
	Dwarf_Addr pc;
	bool exact;

	if (walk->pc_cnt >= MODEL_STACK_MAX || !dwfl_frame_pc(frame, &pc, &exact))
		return DWARF_CB_ABORT;
	walk->pc[walk->pc_cnt] = pc;
	walk->exact[walk->pc_cnt++] = exact;
	return DWARF_CB_OK;
}

/* libdwfl calls a signal's frame exact as well as what the signal interrupted; ours is a return
 * address, as it is found on the stack. */
static void unmark_signal_frames(struct walk *walk, uint32_t first)
{
	for (uint32_t i = first + 1; i + 1 < walk->pc_cnt; i++) {
		if (!walk->exact[i] || !walk->exact[i + 1])
			continue;
		walk->exact[i] = false;
		i++;
	}
}

/* Whether one of the frames of @walk from @first on was led on from by a file that was lost; what
 * is behind that is taken away. */
static bool cut_lost(struct evaluator *evaluator, struct walk *walk, uint32_t first)
{
	for (uint32_t i = first; i < walk->pc_cnt; i++) {
		const struct module *module = modules_find(evaluator->modules, walk->pc[i]);

		if (!module || !module_is_lost(module))
			continue;
		walk->pc_cnt = i + 1;
		return true;
	}
	return false;
}

enum stack_end evaluator_walk(struct evaluator *evaluator, const uint64_t *reg,
			      struct stack_memory *memory, struct walk *walk)
{
	uint32_t first = walk->pc_cnt;
	int result;

	evaluator->reg = reg;
	evaluator->memory = memory;
	evaluator->walk = walk;
	evaluator->unreadable = false;
	result = dwfl_getthread_frames(modules_dwfl(evaluator->modules), evaluator->tgid, add_frame,
				       evaluator);
	evaluator->memory = NULL;
	unmark_signal_frames(walk, first);
	if (cut_lost(evaluator, walk, first))
		return STACK_END_NO_CFI;
	if (!result)
		return STACK_END_ROOT;
	if (walk->pc_cnt >= MODEL_STACK_MAX)
		return STACK_END_TOO_DEEP;
	if (evaluator->unreadable)
		return memory->live_tgid ? STACK_END_UNREADABLE : STACK_END_COPY_SHORT;
	return STACK_END_BAD_FRAME;
}
