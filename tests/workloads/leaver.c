/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* leaver N STATUS [BUSY]: lives for a moment, ends with STATUS, and leaves N threads that it has
 * started, and BUSY that never wait; it has waited for others to end. STATUS may be `abort`, or, of
 * a main thread that ends first: `exit`, which another one calls then, or `last`, whose end is the
 * program's. */
#include <linux/futex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "workload.h"

#define JOINED_CNT 5

static const struct timespec moment = { .tv_nsec = 300000000 };

FRAME static void *left_main(void *arg)
{
	clock_nanosleep(CLOCK_MONOTONIC, 0, &forever, NULL);
	return arg;
}

/* On a processor or waiting for one, and half of the time in calls of the kernel. */
FRAME static void *busy_main(void *arg)
{
	static uint32_t word;

	for (;;)
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return arg;
}

FRAME static void *joined_main(void *arg)
{
	return arg;
}

FRAME static void start_left(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, left_main, NULL))
		die("pthread_create");
}

FRAME static void start_busy(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, busy_main, NULL))
		die("pthread_create");
}

FRAME static void start_joined(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, joined_main, NULL) || pthread_join(thread, NULL))
		die("pthread_create");
}

FRAME static void *ender_main(void *arg)
{
	clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
	if (!strcmp(arg, "exit"))
		exit(0);
	return arg;
}

FRAME static void start_ender(char *how)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, ender_main, how) || pthread_detach(thread))
		die("pthread_create");
	pthread_exit(NULL);
}

int main(int argc, char **argv)
{
	long left_cnt = parse_long(argc >= 3 ? argv[1] : "", 0, 1000);
	bool aborts = argc >= 3 && !strcmp(argv[2], "abort");
	bool ends_first = argc >= 3 && (!strcmp(argv[2], "exit") || !strcmp(argv[2], "last"));
	long status = aborts || ends_first ? 0 : parse_long(argc >= 3 ? argv[2] : "", 0, 127);
	long busy_cnt = parse_long(argc >= 4 ? argv[3] : "0", 0, 1000);

	for (int i = 0; i < JOINED_CNT; i++)
		start_joined();
	for (long i = 0; i < left_cnt; i++)
		start_left();
	wait_settled(0);
	for (long i = 0; i < busy_cnt; i++)
		start_busy();
	if (ends_first)
		start_ender(argv[2]);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
	if (aborts)
		abort();
	return (int)status;
}
