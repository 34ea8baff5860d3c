/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * execloop: keeps its pid and executes itself every few milliseconds, each time with two more
 * threads, which the next exec ends. Prints `ready` in its third life.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workload.h"

#define LIFE_MS 5

FRAME static void *exec_wait(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

/* Whether stdin was a pipe and has ended, after LIFE_MS at most. */
static bool stdin_ended(void)
{
	struct pollfd fd = { .fd = -1 };
	struct stat st;

	if (fstat(0, &st) == 0 && S_ISFIFO(st.st_mode))
		fd.fd = 0;
	return poll(&fd, 1, LIFE_MS) > 0 && fd.revents & (POLLHUP | POLLERR);
}

int main(int argc, char **argv)
{
	long life = argc == 2 ? parse_long(argv[1], 0, 1000000000) : 0;
	char path[4096], text[24];
	ssize_t n;

	if (life == 2)
		print_ready();
	start_thread_of(exec_wait, NULL, 0);
	start_thread_of(exec_wait, NULL, 0);
	if (stdin_ended())
		return 0;
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n < 0)
		die("/proc/self/exe");
	path[n] = '\0';
	snprintf(text, sizeof(text), "%ld", life + 1);
	execl(path, argv[0], text, (char *)NULL);
	die("execl");
}
