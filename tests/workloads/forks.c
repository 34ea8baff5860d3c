/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * forks N: a process with N forked ones, each with a second thread. Process number i blocks over
 * and over, its main thread at i % DEPTH_CNT calls of fork_step below fork_child, the other one as
 * deep below fork_other. True stacks are, leaf first: fork_wait, fork_step as often as the digit
 * in the thread's name `depth-D` says, fork_child or fork_other.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "workload.h"

#define FORK_MAX 1000
#define DEPTH_CNT 9
#define PAUSE_NS 20000000

/* Keeps the call before it from becoming a jump, by which its caller would have no frame. */
#define NO_TAIL_CALL() __asm__ volatile("" : : : "memory")

FRAME static void fork_wait(void)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	nanosleep(&pause, NULL);
	NO_TAIL_CALL();
}

FRAME static void fork_step(int level)
{
	volatile char bytes[200];

	bytes[0] = (char)level;
	if (level > 1)
		fork_step(level - 1);
	else
		fork_wait();
	bytes[1] = bytes[0];
}

__attribute__((always_inline)) static inline void go_down(int depth)
{
	if (depth)
		fork_step(depth);
	else
		fork_wait();
	NO_TAIL_CALL();
}

FRAME static void *fork_other(void *arg)
{
	for (;;)
		go_down((int)(intptr_t)arg);
	return NULL;
}

FRAME static void fork_child(int depth)
{
	char name[16];

	die_with_parent();
	snprintf(name, sizeof(name), "depth-%d", depth % 10);
	name_thread(name);
	start_thread_of(fork_other, (void *)(intptr_t)depth, 64 * 1024);
	for (;;)
		go_down(depth);
}

int main(int argc, char **argv)
{
	long cnt = parse_long(argc == 2 ? argv[1] : "", 1, FORK_MAX);
	static pid_t pids[FORK_MAX];

	workload_init();
	for (long i = 0; i < cnt; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork");
		if (!pids[i])
			fork_child((int)(i % DEPTH_CNT));
	}
	print_ready();
	wait_for_stop(NULL);
	for (long i = 0; i < cnt; i++)
		kill(pids[i], SIGKILL);
	return 0;
}
