/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * All that is kept of one target process while it is looked at: its map, its files, its rules. When
 * the process execs, or maps other files as code, all of it is made anew and the generation counts
 * up, so that stacks walked with the old map are not taken for good.
 */
#ifndef COLLECT_TARGET_H
#define COLLECT_TARGET_H

#include <stdbool.h>
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
	uint64_t exec_id;    /* of the generation */
	uint64_t exec_pages; /* when last seen */
	uint64_t opened_ns;  /* CLOCK_MONOTONIC when its map had been read */
	bool code_changed;   /* .exec_pages did since the map was last compared */
	bool given_up;	     /* nothing is read of it any more */
	bool has_ended;	     /* before it could be read */
	char *exe;	     /* path of its program; "" or NULL: not known */
	struct maps maps;
	struct modules *modules;   /* NULL when the map could not be read */
	struct unwinder *unwinder; /* likewise */
};

/* Returns the target of the process that @task is a thread of, or NULL when memory ran out; a
 * process whose map cannot be read has no unwinder. It stays where it is: its parts refer to each
 * other. */
struct target *target_new(const struct wire_task *task);
void target_free(struct target *target);

/* Gives back the files that were opened, and the rules; the map stays. */
void target_close_files(struct target *target);

/* Gives back all that was read of the process. */
void target_close(struct target *target);

/* Makes @target anew when @task shows that it is another process by now, or another program, or
 * brings the map that could not be read before; notes changes of its code for target_check. */
void target_refresh(struct target *target, const struct wire_task *task);

/* Whether the map of @target was that of its process when @sample was taken; notes changes of its
 * code for target_check. */
bool target_fits_sample(struct target *target, const struct wire_sample *sample);

/* Reads the map again if code mappings changed, and makes @target anew if they are of other files
 * now. To be called before the stacks walked since the last call are taken for good: compilers
 * change their own code mappings all the time, which harms no stack. */
void target_check(struct target *target);

#endif
