/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Threads whose creators are known: each is made by a function of its own. Makes them at the start,
 * and once more at SIGUSR1. The other side of each fork makes a thread as well. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "workload.h"

#define NEVER_INLINE __attribute__((noinline, noclone))

NEVER_INLINE static void *worker_main(void *arg)
{
	clock_nanosleep(CLOCK_MONOTONIC, 0, &forever, NULL);
	return arg;
}

/* Each by another function, none of them a tail call; the compiler would make equal ones one. */
#define MAKER(name, body)                                                                          \
	NEVER_INLINE static void name(void)                                                        \
	{                                                                                          \
		pthread_t thread;                                                                  \
		if (pthread_create(&thread, NULL, body, NULL))                                     \
			die("pthread_create");                                                     \
		pthread_detach(thread);                                                            \
		__asm__ volatile("# " #name ::: "memory");                                         \
	}

MAKER(make_second, worker_main)

NEVER_INLINE static void *foreman_main(void *arg)
{
	make_second();
	clock_nanosleep(CLOCK_MONOTONIC, 0, &forever, NULL);
	return arg;
}

MAKER(make_first, foreman_main)
MAKER(make_in_child, worker_main)

NEVER_INLINE static void fork_child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		die_with_parent();
		make_in_child();
		for (;;)
			pause();
	}
	__asm__ volatile("" ::: "memory");
}

static void make_all(void)
{
	make_first();
	fork_child();
}

int main(void)
{
	workload_init();
	signal(SIGCHLD, SIG_IGN);
	make_all();
	print_ready();
	wait_for_stop(make_all);
	return 0;
}
