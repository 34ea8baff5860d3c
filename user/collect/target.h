/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * All that is kept of one target process while it is looked at: its map, its files, its rules. When
 * the process execs, or its code mappings change, all of it is made anew and the generation counts
 * up, so that stacks walked with the old map are not taken for good.
 */
#ifndef COLLECT_TARGET_H
#define COLLECT_TARGET_H

#include <stdint.h>

#include "bpf/wire.h"
#include "proc/maps.h"
#include "proc/modules.h"
#include "unwind/walk.h"

struct target {
	uint32_t tgid;
	pid_t pid; /* to reach its memory and files by: .tgid, or a living thread's id when the
		    * main thread has ended and left nothing to read */
	uint32_t generation;
	uint64_t start_ns;
	uint64_t exec_id, exec_pages; /* of the generation */
	struct maps *maps; /* on its own, since it is borrowed and targets move; NULL: no memory */
	struct modules *modules;   /* NULL when the map could not be read */
	struct unwinder *unwinder; /* likewise */
};

/* Makes the target of the process that @task is a thread of. Never fails: a process whose map
 * cannot be read has no unwinder. */
void target_init(struct target *target, const struct wire_task *task);
void target_release(struct target *target);

/* Makes @target anew when @task shows that it is another process by now, or runs other code.
 * Returns 1 when it did, else 0. */
int target_refresh(struct target *target, const struct wire_task *task);

#endif
