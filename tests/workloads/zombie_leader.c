/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* zombie_leader [busy]: the main thread has ended, three others live on; two of them sleep for
 * ever, or over and over. True stacks of these are, leaf first: leader_nap (when busy),
 * leader_wait. */
#include <unistd.h>

#include "workload.h"

#define NAP_NS 5000000

static bool busy;

FRAME static void leader_nap(void)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };
	volatile char byte = 0;

	nanosleep(&nap, NULL);
	byte++;
}

FRAME static void *leader_wait(void *arg)
{
	(void)arg;
	name_thread("survivor");
	while (busy)
		leader_nap();
	for (;;)
		pause();
	return NULL;
}

FRAME static void *keeper_main(void *arg)
{
	pthread_t leader = *(pthread_t *)arg;

	name_thread("keeper");
	pthread_join(leader, NULL);
	if (!busy)
		wait_settled(0);
	print_ready();
	wait_for_stop(NULL);
	_exit(0);
}

int main(int argc, char **argv)
{
	static pthread_t leader;

	(void)argv;
	busy = argc > 1;
	workload_init();
	leader = pthread_self();
	start_thread_of(leader_wait, NULL, 0);
	start_thread_of(leader_wait, NULL, 0);
	start_thread_of(keeper_main, &leader, 0);
	pthread_exit(NULL);
}
