/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* vforker: a thread in vfork, in state D until its child ends, beside three that sleep. */
#include <sys/syscall.h>
#include <unistd.h>

#include "workload.h"

FRAME static void *sleeper_main(void *arg)
{
	(void)arg;
	name_thread("sleeper");
	for (;;)
		nanosleep(&forever, NULL);
	return NULL;
}

/* The child, on its parent's stack: nothing but system calls. */
FRAME static void sleep_in_vfork(void)
{
	die_with_parent();
	for (;;)
		syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}

FRAME static void vfork_wait(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		sleep_in_vfork();
	die("vfork");
}

FRAME static void *vfork_main(void *arg)
{
	(void)arg;
	name_thread("vfork");
	vfork_wait();
	return NULL;
}

int main(void)
{
	int i;

	workload_init();
	for (i = 0; i < 3; i++)
		start_thread_of(sleeper_main, NULL, 0);
	start_thread_of(vfork_main, NULL, 0);
	wait_settled(0);
	print_ready();
	wait_for_stop(NULL);
	return 0;
}
