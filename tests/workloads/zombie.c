/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* zombie: has a child that has ended and is not waited for; prints `zombie PID`. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload.h"

int main(void)
{
	siginfo_t info;
	pid_t pid;

	workload_init();
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		_exit(0);
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT))
		die("waitid");
	printf("zombie %d\n", (int)pid);
	print_ready();
	wait_for_stop(NULL);
	return 0;
}
