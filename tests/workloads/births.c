/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * births N: at each SIGUSR1 creates N threads, up to ALIVE_CNT at a time, waits until all of them
 * have ended and prints `done N`. Each blocks once, in birth_wait, called by birth_main.
 */
#include <stdint.h>
#include <stdio.h>

#include "workload.h"

#define ALIVE_CNT 64
#define STACK_BYTES (32 * 1024)

static long birth_cnt;

FRAME static void birth_wait(void)
{
	const struct timespec pause = { .tv_nsec = 200000 };

	nanosleep(&pause, NULL);
}

FRAME static void *birth_main(void *arg)
{
	(void)arg;
	name_thread("born");
	birth_wait();
	return NULL;
}

static void give_birth(void)
{
	pthread_t ring[ALIVE_CNT];
	long i;

	for (i = 0; i < birth_cnt + ALIVE_CNT; i++) {
		if (i >= ALIVE_CNT && i - ALIVE_CNT < birth_cnt)
			pthread_join(ring[i % ALIVE_CNT], NULL);
		if (i < birth_cnt)
			ring[i % ALIVE_CNT] = start_thread_of(birth_main, NULL, STACK_BYTES);
	}
	printf("done %ld\n", birth_cnt);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	workload_init();
	birth_cnt = parse_long(argc == 2 ? argv[1] : "", 1, 10000000);
	print_ready();
	wait_for_stop(give_birth);
	return 0;
}
