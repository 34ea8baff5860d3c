/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * brood N: forks N processes one right after the other, each of which sleeps SLEEP_CNT times, and
 * ends when they have. True stacks of the sleeps are, leaf first: brood_wait, brood_child, main.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload.h"

#define SLEEP_CNT 200
#define PAUSE_NS 5000000

FRAME static void brood_wait(void)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	volatile char byte = 0;

	nanosleep(&pause, NULL);
	byte++;
}

FRAME static void brood_child(void)
{
	for (int i = 0; i < SLEEP_CNT; i++)
		brood_wait();
}

int main(int argc, char **argv)
{
	long cnt;

	if (argc != 2) {
		errno = EINVAL;
		die("brood N");
	}
	cnt = parse_long(argv[1], 1, 1000);
	for (long i = 0; i < cnt; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid) {
			die_with_parent();
			brood_child();
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	return 0;
}
