/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * paths N [DEPTH]: four threads that block over and over for some microseconds, each time in
 * another one of N different stacks: thread T goes through numbers T, T + 4, T + 8 ... below N, and
 * for each goes down PATH_BITS calls of path_left or path_right, as the bits of the number say,
 * below DEPTH (0) calls of path_down. True stacks are, leaf first: path_wait, PATH_BITS of
 * path_left or path_right, DEPTH of path_down, path_main.
 *
 * Prints at SIGUSR1 `blocked N`: how often all of them have.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "workload.h"

#define WALKER_CNT 4
#define PATH_BITS 20
#define DEPTH_MAX 90
#define STACK_BYTES (128 * 1024)

static unsigned int path_cnt;
static int depth;
static atomic_ulong block_cnt;

static void turn(unsigned int number, int level);

FRAME static void path_wait(unsigned int number)
{
	const struct timespec pause = { .tv_nsec = 10000 + number % 8 * 1000 };

	nanosleep(&pause, NULL);
	atomic_fetch_add_explicit(&block_cnt, 1, memory_order_relaxed);
}

FRAME static void path_left(unsigned int number, int level)
{
	volatile char bytes[40];

	bytes[0] = (char)level;
	turn(number, level + 1);
	bytes[1] = bytes[0];
}

FRAME static void path_right(unsigned int number, int level)
{
	volatile char bytes[200];

	bytes[0] = (char)level;
	turn(number, level + 1);
	bytes[1] = bytes[0];
}

/* Inlined into both, so that it is no frame of its own in the walk. */
__attribute__((always_inline)) static inline void turn(unsigned int number, int level)
{
	if (level == PATH_BITS)
		path_wait(number);
	else if (number >> level & 1)
		path_right(number, level);
	else
		path_left(number, level);
}

FRAME static void path_down(unsigned int number, int left)
{
	volatile char bytes[40];

	bytes[0] = (char)left;
	if (left > 1)
		path_down(number, left - 1);
	else
		turn(number, 0);
	bytes[1] = bytes[0];
}

FRAME static void *path_main(void *arg)
{
	unsigned int first = (unsigned int)(uintptr_t)arg;

	name_thread("path");
	/* Else a sleep takes 50 microseconds more. */
	prctl(PR_SET_TIMERSLACK, 1);
	for (;;) {
		for (unsigned int number = first; number < path_cnt; number += WALKER_CNT) {
			if (depth)
				path_down(number, depth);
			else
				turn(number, 0);
		}
	}
	return NULL;
}

static void print_count(void)
{
	printf("blocked %lu\n", atomic_load(&block_cnt));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	workload_init();
	if (argc < 2 || argc > 3) {
		errno = EINVAL;
		die("paths N [DEPTH]");
	}
	path_cnt = (unsigned int)parse_long(argv[1], WALKER_CNT, 1 << PATH_BITS);
	depth = argc == 3 ? (int)parse_long(argv[2], 0, DEPTH_MAX) : 0;
	for (unsigned int i = 0; i < WALKER_CNT; i++)
		start_thread_of(path_main, (void *)(uintptr_t)i, STACK_BYTES);
	print_ready();
	wait_for_stop(print_count);
	return 0;
}
