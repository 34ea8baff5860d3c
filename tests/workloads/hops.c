/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * hops: a thread that blocks some thousand times a second, each time through HOPS call sites that
 * nothing has called through before, out of SITE_CNT that follow each other: more pcs than any
 * table has room for. True stacks are, leaf first: hop_wait, HOPS of hop_next above hop_sites,
 * hop_main. Another thread always blocks in the same place: hop_rest, rest_main.
 *
 * Prints at SIGUSR1 `hopped N`: how many sites were called through.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include "workload.h"

#define HOPS 40
#define SITE_CNT 262144
#define SITE_BYTES 16

/* Each site calls hop_next and returns. In many pieces, each with call frame information of its
 * own: one that described them all would be read from its start for each of them. */
__asm__(".text\n"
	".balign 16\n"
	".globl hop_sites\n"
	".type hop_sites, @function\n"
	"hop_sites:\n"
	".rept 4096\n"
	".cfi_startproc\n"
	".rept 64\n"
	".balign 16\n"
	"sub $8, %rsp\n"
	".cfi_adjust_cfa_offset 8\n"
	"call hop_next\n"
	"add $8, %rsp\n"
	".cfi_adjust_cfa_offset -8\n"
	"ret\n"
	".endr\n"
	".cfi_endproc\n"
	".endr\n"
	".size hop_sites, . - hop_sites\n");

extern const char hop_sites[];
void hop_next(void);

static const struct timespec pause_time = { .tv_nsec = 250000 };
static unsigned int site_idx, left;
static atomic_uint hop_cnt;

/* Keeps the call before it from becoming a jump, by which its caller would have no frame. */
#define NO_TAIL_CALL() __asm__ volatile("" : : : "memory")

FRAME static void hop_wait(void)
{
	nanosleep(&pause_time, NULL);
	NO_TAIL_CALL();
}

FRAME void hop_next(void)
{
	void (*site)(void);
	uintptr_t addr;

	if (!left) {
		hop_wait();
		NO_TAIL_CALL();
		return;
	}
	left--;
	addr = (uintptr_t)hop_sites + (uintptr_t)SITE_BYTES * (site_idx++ % SITE_CNT);
	site = (void (*)(void))addr;
	site();
	NO_TAIL_CALL();
}

FRAME static void *hop_main(void *arg)
{
	(void)arg;
	name_thread("hop");
	for (;;) {
		left = HOPS;
		hop_next();
		atomic_fetch_add(&hop_cnt, HOPS);
	}
	return NULL;
}

FRAME static void hop_rest(void)
{
	nanosleep(&pause_time, NULL);
	NO_TAIL_CALL();
}

FRAME static void *rest_main(void *arg)
{
	(void)arg;
	name_thread("rest");
	for (;;)
		hop_rest();
	return NULL;
}

static void print_count(void)
{
	printf("hopped %u\n", atomic_load(&hop_cnt));
	fflush(stdout);
}

int main(void)
{
	workload_init();
	start_thread_of(hop_main, NULL, 0);
	start_thread_of(rest_main, NULL, 0);
	print_ready();
	wait_for_stop(print_count);
	return 0;
}
