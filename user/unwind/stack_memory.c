/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "unwind/stack_memory.h"

#include <string.h>

#include "proc/memory.h"

static void move_window(struct stack_memory *memory, uint64_t addr, size_t len)
{
	ssize_t got = memory_read(memory->live_tgid, addr, memory->window, len);

	memory->window_addr = addr;
	memory->window_bytes = got > 0 ? (size_t)got : 0;
}

void stack_memory_init_live(struct stack_memory *memory, pid_t tgid, uint64_t sp)
{
	memory->live_tgid = tgid;
	memory->copy = NULL;
	memory->copy_addr = memory->copy_bytes = 0;
	move_window(memory, sp, STACK_FIRST_BYTES);
}

void stack_memory_init_copy(struct stack_memory *memory, uint64_t addr, const void *copy,
			    size_t len)
{
	memory->live_tgid = 0;
	memory->copy = copy;
	memory->copy_addr = addr;
	memory->copy_bytes = len;
	memory->window_addr = memory->window_bytes = 0;
}

static bool read_within(const uint8_t *bytes, uint64_t base, size_t len, uint64_t addr,
			uint64_t *ret)
{
	if (addr < base || len < sizeof(*ret) || addr - base > len - sizeof(*ret))
		return false;
	memcpy(ret, bytes + (addr - base), sizeof(*ret));
	return true;
}

bool stack_memory_read(struct stack_memory *memory, uint64_t addr, uint64_t *ret)
{
	if (read_within(memory->window, memory->window_addr, memory->window_bytes, addr, ret) ||
	    read_within(memory->copy, memory->copy_addr, memory->copy_bytes, addr, ret))
		return true;
	if (!memory->live_tgid)
		return false;
	move_window(memory, addr, STACK_WINDOW_BYTES);
	return read_within(memory->window, memory->window_addr, memory->window_bytes, addr, ret);
}
