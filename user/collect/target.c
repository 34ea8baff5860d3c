/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proc/process.h"

/* Bounds what a process costs whose map cannot be read, or that does nothing but exec: it is then
 * given up, and its threads are reported without stacks. */
#define GENERATION_MAX 64

/* Reads the map through the main thread; when that has ended, through the thread of @task or any
 * other. */
static int read_maps(struct target *target, const struct wire_task *task)
{
	pid_t other;
	int err;

	target->pid = (pid_t)target->tgid;
	err = maps_read(&target->maps, target->pid, NULL);
	if (!err && target->maps.mappings.len)
		return 0;
	other = task->tid != task->tgid ? (pid_t)task->tid : process_other_thread(target->pid);
	if (!other)
		return err;
	target->pid = other;
	return maps_read(&target->maps, target->pid, NULL);
}

static void open_modules(struct target *target)
{
	target->opened_ns = clock_mono_ns();
	target->modules = modules_new(target->pid, &target->maps, NULL);
	if (target->modules)
		target->unwinder = unwinder_new(target->pid, &target->maps, target->modules, NULL);
}

static void target_open(struct target *target, const struct wire_task *task)
{
	char exe[4096];

	target->tgid = task->tgid;
	target->pid = (pid_t)task->tgid;
	target->start_ns = task->tgid_start_ns;
	target->exec_id = task->exec_id;
	target->exec_pages = task->exec_pages;
	target->code_changed = false;
	maps_init(&target->maps);
	process_exe(target->pid, exe, sizeof(exe));
	free(target->exe);
	target->exe = strdup(exe);
	/* A main thread that has ended: the next thread brings the map. */
	if (task->flags & WIRE_HAS_REGS && !read_maps(target, task))
		open_modules(target);
}

void target_close_files(struct target *target)
{
	unwinder_free(target->unwinder);
	modules_free(target->modules);
	target->unwinder = NULL;
	target->modules = NULL;
}

void target_close(struct target *target)
{
	target_close_files(target);
	maps_release(&target->maps);
}

struct target *target_new(const struct wire_task *task)
{
	struct target *target = calloc(1, sizeof(*target));

	if (!target)
		return NULL;
	target->generation = 1;
	target_open(target, task);
	return target;
}

void target_free(struct target *target)
{
	if (!target)
		return;
	target_close(target);
	free(target->exe);
	free(target);
}

static void note_code(struct target *target, uint64_t exec_pages)
{
	target->code_changed |= target->exec_pages != exec_pages;
	target->exec_pages = exec_pages;
}

void target_refresh(struct target *target, const struct wire_task *task)
{
	/* An exiting thread has no memory to compare any more. */
	if (!(task->flags & WIRE_HAS_REGS))
		return;
	if (target->given_up)
		return;
	if (task->tgid_start_ns == target->start_ns && task->exec_id == target->exec_id &&
	    target->maps.mappings.len) {
		note_code(target, task->exec_pages);
		return;
	}
	target_close(target);
	target->given_up = ++target->generation > GENERATION_MAX;
	if (!target->given_up)
		target_open(target, task);
}

bool target_fits_sample(struct target *target, const struct wire_sample *sample)
{
	if (sample->time_ns < target->opened_ns || sample->exec_id != target->exec_id)
		return false;
	note_code(target, sample->exec_pages);
	return true;
}

/* Returns the first mapping of a file's code from @*idx on and sets @*idx behind it, or NULL. */
static const struct mapping *next_file_code(const struct maps *maps, uint32_t *idx)
{
	while (*idx < maps->mappings.len) {
		const struct mapping *mapping = vec_at(&maps->mappings, (*idx)++);

		if (mapping->executable && mapping->inode)
			return mapping;
	}
	return NULL;
}

static bool same_file_code(const struct maps *a, const struct maps *b)
{
	uint32_t a_idx = 0, b_idx = 0;
	const struct mapping *x, *y;

	do {
		x = next_file_code(a, &a_idx);
		y = next_file_code(b, &b_idx);
		if (x && y &&
		    (x->start_addr != y->start_addr || x->end_addr != y->end_addr ||
		     x->file_off != y->file_off || x->inode != y->inode ||
		     x->dev_major != y->dev_major || x->dev_minor != y->dev_minor))
			return false;
	} while (x && y);
	return !x && !y;
}

void target_check(struct target *target)
{
	struct maps now;

	if (!target->code_changed || !target->modules)
		return;
	target->code_changed = false;
	maps_init(&now);
	/* When the map cannot be read, the next look finds out whether the process is still there.
	 */
	maps_read(&now, target->pid, NULL);
	if (same_file_code(&target->maps, &now)) {
		maps_release(&now);
		return;
	}
	target_close(target);
	target->maps = now;
	target->generation++;
	if (now.mappings.len)
		open_modules(target);
}
