/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/target.h"

#include <stdlib.h>

/* Reads the map through the main thread, else through the thread of @task. */
static int read_maps(struct target *target, const struct wire_task *task)
{
	int err;

	target->pid = (pid_t)target->tgid;
	err = maps_read(target->maps, target->pid, NULL);
	if ((!err && target->maps->mappings.len) || task->tid == task->tgid)
		return err;
	target->pid = (pid_t)task->tid;
	return maps_read(target->maps, target->pid, NULL);
}

static void target_open(struct target *target, const struct wire_task *task)
{
	target->tgid = task->tgid;
	target->pid = (pid_t)task->tgid;
	target->start_ns = task->tgid_start_ns;
	target->exec_id = task->exec_id;
	target->exec_pages = task->exec_pages;
	target->modules = NULL;
	target->unwinder = NULL;
	target->maps = malloc(sizeof(*target->maps));
	if (!target->maps)
		return;
	maps_init(target->maps);
	/* A main thread that has ended: the next thread brings the map. */
	if (!(task->flags & WIRE_HAS_REGS) || read_maps(target, task))
		return;
	target->modules = modules_new(target->pid, target->maps, NULL);
	if (target->modules)
		target->unwinder = unwinder_new(target->pid, target->maps, target->modules, NULL);
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
	if (target->maps)
		maps_release(target->maps);
	free(target->maps);
	target->maps = NULL;
	target->unwinder = NULL;
	target->modules = NULL;
}

int target_refresh(struct target *target, const struct wire_task *task)
{
	/* An exiting thread has no memory to compare any more. */
	if (!(task->flags & WIRE_HAS_REGS))
		return 0;
	if (task->tgid_start_ns == target->start_ns && task->exec_id == target->exec_id &&
	    task->exec_pages == target->exec_pages && target->maps && target->maps->mappings.len)
		return 0;
	target_release(target);
	target_open(target, task);
	target->generation++;
	return 1;
}
