/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * execloop: keeps its pid and executes itself every few milliseconds, each time with two more
 * threads, which the next exec ends. Prints `ready` in its third life.
 */
#include <stdio.h>
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

int main(int argc, char **argv)
{
	long life = argc == 2 ? parse_long(argv[1], 0, 1000000000) : 0;
	char path[4096], text[24];
	ssize_t n;

	if (life == 2)
		print_ready();
	start_thread_of(exec_wait, NULL, 0);
	start_thread_of(exec_wait, NULL, 0);
	if (stdin_ended(LIFE_MS))
		return 0;
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n < 0)
		die("/proc/self/exe");
	path[n] = '\0';
	snprintf(text, sizeof(text), "%ld", life + 1);
	execl(path, argv[0], text, (char *)NULL);
	die("execl");
}
