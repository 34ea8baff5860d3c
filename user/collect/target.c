/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/target.h"

static void target_open(struct target *target, const struct wire_task *task)
{
	pid_t tgid = (pid_t)task->tgid;

	target->tgid = task->tgid;
	target->start_ns = task->tgid_start_ns;
	target->exec_id = task->exec_id;
	target->exec_pages = task->exec_pages;
	target->modules = NULL;
	target->unwinder = NULL;
	maps_init(&target->maps);
	if (maps_read(&target->maps, tgid, NULL))
		return;
	target->modules = modules_new(tgid, &target->maps, NULL);
	if (target->modules)
		target->unwinder = unwinder_new(tgid, &target->maps, target->modules, NULL);
}

void target_init(struct target *target, const struct wire_task *task)
{
	target->generation = 1;
	target_open(target, task);
}

void target_release(struct target *target)
{
	unwinder_free(target->unwinder);
	modules_free(target->modules);
	maps_release(&target->maps);
	target->unwinder = NULL;
	target->modules = NULL;
}

int target_refresh(struct target *target, const struct wire_task *task)
{
	/* An exiting thread has no memory to compare any more. */
	if (!(task->flags & WIRE_HAS_REGS))
		return 0;
	if (task->tgid_start_ns == target->start_ns && task->exec_id == target->exec_id &&
	    task->exec_pages == target->exec_pages)
		return 0;
	target_release(target);
	target_open(target, task);
	target->generation++;
	return 1;
}
