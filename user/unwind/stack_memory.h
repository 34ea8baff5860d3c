/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The memory that a walk reads: a copy of the top of the stack, and behind it either nothing (a
 * sample) or the living process, a window at a time.
 */
#ifndef UNWIND_STACK_MEMORY_H
#define UNWIND_STACK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STACK_WINDOW_BYTES 8192
#define STACK_FIRST_BYTES 2048 /* most stacks of blocked threads end within it */

struct stack_memory {
	pid_t live_tgid; /* 0: the copy is all there is */
	uint64_t copy_addr;
	const uint8_t *copy; /* borrowed */
	size_t copy_bytes;
	uint64_t window_addr;
	size_t window_bytes;
	uint8_t window[STACK_WINDOW_BYTES];
};

/* Starts on the living process @tgid with a window at @sp. */
void stack_memory_init_live(struct stack_memory *memory, pid_t tgid, uint64_t sp);

/* Starts on a copy of @len bytes at @addr, borrowed. */
void stack_memory_init_copy(struct stack_memory *memory, uint64_t addr, const void *copy,
			    size_t len);

/* Reads the word at @addr. Returns false when it cannot be had. */
bool stack_memory_read(struct stack_memory *memory, uint64_t addr, uint64_t *ret);

#endif
