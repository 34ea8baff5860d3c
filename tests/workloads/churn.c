/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* churn RATE: creates and joins about RATE threads a second; prints `created N` at the end. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "workload.h"

#define ALIVE_CNT 16
#define WARM_UP_CNT 100

static atomic_ulong created;

FRAME static void *churn_main(void *arg)
{
	(void)arg;
	name_thread("churn");
	usleep(2000);
	return NULL;
}

static void sleep_until(uint64_t until_ns)
{
	struct timespec until = { .tv_sec = (time_t)(until_ns / 1000000000u),
				  .tv_nsec = (long)(until_ns % 1000000000u) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* Keeps ALIVE_CNT threads in a ring and replaces the oldest one at each tick. */
FRAME static void *creator_main(void *arg)
{
	uint64_t tick_ns = 1000000000u / *(long *)arg, next_ns = mono_ns();
	pthread_t ring[ALIVE_CNT];
	unsigned long i;

	name_thread("creator");
	for (i = 0;; i++) {
		if (i >= ALIVE_CNT)
			pthread_join(ring[i % ALIVE_CNT], NULL);
		ring[i % ALIVE_CNT] = start_thread_of(churn_main, NULL, 64 * 1024);
		atomic_fetch_add(&created, 1);
		next_ns += tick_ns;
		sleep_until(next_ns);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long rate = parse_long(argc == 2 ? argv[1] : "", 1, 100000);

	workload_init();
	start_thread_of(creator_main, &rate, 0);
	while (atomic_load(&created) < WARM_UP_CNT)
		usleep(1000);
	print_ready();
	wait_for_stop(NULL);
	printf("created %lu\n", atomic_load(&created));
	return 0;
}
