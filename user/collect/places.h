/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What an address that is no variable's is in: "heap", "stack of thread 314", "anonymous memory",
 * or the file that is mapped there. Whose a stack is, the threads' stack pointers tell.
 */
#ifndef COLLECT_PLACES_H
#define COLLECT_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"
#include "proc/maps.h"

/* The stack pointers of one process's threads. */
struct places {
	pid_t tgid;
	struct vec owners; /* struct place_owner */
	bool sorted;
};

void places_init(struct places *places, pid_t tgid);
void places_release(struct places *places);

/* Adds thread @tid, whose stack pointer is @sp (0: not known). One that does not fit is left out.
 */
void places_add(struct places *places, uint32_t tid, uint64_t sp);

/* Writes what @addr is in, by @maps, to @text; "" when nothing is mapped there. */
void places_name(struct places *places, const struct maps *maps, uint64_t addr, char *text,
		 size_t len);

#endif
