/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * garbage: threads that block with stack and frame pointers that lead nowhere good: random words;
 * addresses of code; a frame that is its own caller; unmapped; not even an address; code that can
 * be read but in no file. Named after what they have, all in one system call of ours.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "workload.h"

#define AREA_BYTES (64 * 1024)
#define AREA_WORDS (AREA_BYTES / sizeof(uint64_t))

struct garbage {
	const char *name;
	uint64_t (*make)(uint64_t *area); /* fills @area, returns the stack pointer to have */
};

/* Blocks for ever with @sp as stack and frame pointer. */
__attribute__((noreturn)) FRAME static void block_on(uint64_t sp)
{
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "mov %0, %%rbp\n"
			 "1:\n\t"
			 "mov $34, %%eax\n\t" /* pause */
			 "syscall\n\t"
			 "jmp 1b"
			 :
			 : "r"(sp)
			 : "rax", "rcx", "r11", "memory");
	__builtin_unreachable();
}

static uint64_t middle(uint64_t *area)
{
	return (uintptr_t)&area[AREA_WORDS / 2];
}

static uint64_t make_random(uint64_t *area)
{
	unsigned int seed = 1;
	size_t i;

	for (i = 0; i < AREA_WORDS; i++)
		area[i] = (uint64_t)rand_r(&seed) << 33 ^ (uint64_t)rand_r(&seed) << 10;
	return middle(area);
}

/* Words that all look like return addresses: of this program's and of libc's code. */
static uint64_t make_code(uint64_t *area)
{
	unsigned int seed = 2;
	size_t i;

	for (i = 0; i < AREA_WORDS; i++) {
		uintptr_t base = i % 2 ? (uintptr_t)block_on : (uintptr_t)qsort;

		area[i] = base + (uintptr_t)(rand_r(&seed) % 512);
	}
	return middle(area);
}

/* Every word is the address of itself or of block_on: rbp chains run in circles. */
static uint64_t make_loop(uint64_t *area)
{
	size_t i;

	for (i = 0; i < AREA_WORDS; i += 2) {
		area[i] = (uintptr_t)&area[i];
		area[i + 1] = (uintptr_t)block_on + 16;
	}
	return middle(area);
}

/* The stack ends in the middle of a frame. */
static uint64_t make_edge(uint64_t *area)
{
	return (uintptr_t)area + AREA_BYTES - 8;
}

static uint64_t make_unmapped(uint64_t *area)
{
	munmap(area, AREA_BYTES);
	return (uintptr_t)area + AREA_BYTES / 2;
}

static uint64_t make_null(uint64_t *area)
{
	(void)area;
	return 0;
}

static uint64_t make_noncanonical(uint64_t *area)
{
	(void)area;
	return 0xdeadbeefdeadbee8u;
}

static uint64_t make_top(uint64_t *area)
{
	(void)area;
	return UINT64_MAX - 7;
}

static const struct garbage garbages[] = {
	{ "random", make_random },
	{ "code", make_code },
	{ "loop", make_loop },
	{ "edge", make_edge },
	{ "unmapped", make_unmapped },
	{ "null", make_null },
	{ "noncanon", make_noncanonical },
	{ "top", make_top },
};

static void *garbage_main(void *arg)
{
	const struct garbage *garbage = arg;
	uint64_t *area;

	name_thread(garbage->name);
	/* A mapping that cannot be read on both sides, so that walks do not stray into others. */
	area = mmap(NULL, AREA_BYTES + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		die("mmap");
	area = (uint64_t *)((char *)area + 4096);
	if (mprotect(area, AREA_BYTES, PROT_READ | PROT_WRITE))
		die("mprotect");
	block_on(garbage->make(area));
}

int main(void)
{
	size_t i;

	workload_init();
	for (i = 0; i < sizeof(garbages) / sizeof(garbages[0]); i++)
		start_thread_of(garbage_main, (void *)&garbages[i], 0);
	wait_settled(0);
	print_ready();
	wait_for_stop(NULL);
	_exit(0);
}
