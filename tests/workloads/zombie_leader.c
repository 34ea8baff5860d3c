/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* zombie_leader: the main thread has ended, three others live on. */
#include <unistd.h>

#include "workload.h"

FRAME static void *leader_wait(void *arg)
{
	(void)arg;
	name_thread("survivor");
	for (;;)
		pause();
	return NULL;
}

FRAME static void *keeper_main(void *arg)
{
	pthread_t leader = *(pthread_t *)arg;

	name_thread("keeper");
	pthread_join(leader, NULL);
	wait_settled(0);
	print_ready();
	wait_for_stop(NULL);
	_exit(0);
}

int main(void)
{
	static pthread_t leader;

	workload_init();
	leader = pthread_self();
	start_thread_of(leader_wait, NULL, 0);
	start_thread_of(leader_wait, NULL, 0);
	start_thread_of(keeper_main, &leader, 0);
	pthread_exit(NULL);
}
