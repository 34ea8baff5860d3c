/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * depth pipe|futex FRAMES [PER_SECOND]: two threads hand one token to and fro through two pipes or
 * two futexes. Each time, before it waits for the token, a thread goes down so many calls that it
 * blocks with FRAMES frames in all, from clone3 to the system call. They switch PER_SECOND times a
 * second (about; in steps of a millisecond), or as often as they can.
 */
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "workload.h"

#define FRAMES_OUTSIDE 5 /* clone3, start_thread, depth_main; take_token, read or syscall */
#define STEPS_PER_SECOND 1000
#define STEP_NS (1000000000 / STEPS_PER_SECOND)
#define SWITCHES_PER_ROUND 2

static bool by_futex;
static int pipes[2][2];
static _Atomic uint32_t words[2]; /* 1: the token is there */
static int level_cnt;
static long rounds_per_step; /* 0: without a pause */

/* Keeps the call before it from becoming a jump, by which its caller would have no frame. */
#define NO_TAIL_CALL() __asm__ volatile("" : : : "memory")

FRAME static void take_token(int own)
{
	char token;

	if (!by_futex)
		while (read(pipes[own][0], &token, 1) != 1)
			;
	else
		while (!atomic_exchange(&words[own], 0))
			syscall(SYS_futex, &words[own], FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	NO_TAIL_CALL();
}

FRAME static void descend(int own, int level)
{
	if (level)
		descend(own, level - 1);
	else
		take_token(own);
	NO_TAIL_CALL();
}

static void put_token(int to)
{
	if (by_futex) {
		atomic_store(&words[to], 1);
		syscall(SYS_futex, &words[to], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	} else if (write(pipes[to][1], "t", 1) != 1) {
		die("write");
	}
}

/* Sleeps until the next step, so that the steps' own time is part of them. */
static void wait_for_step(struct timespec *step)
{
	step->tv_nsec += STEP_NS;
	if (step->tv_nsec >= 1000000000) {
		step->tv_nsec -= 1000000000;
		step->tv_sec++;
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, step, NULL);
}

FRAME static void *depth_main(void *arg)
{
	int own = arg ? 1 : 0;
	struct timespec step;
	long round = 0;

	clock_gettime(CLOCK_MONOTONIC, &step);

	name_thread(own ? "depth-1" : "depth-0");
	for (;;) {
		descend(own, level_cnt - 1);
		if (own && rounds_per_step && ++round % rounds_per_step == 0)
			wait_for_step(&step);
		put_token(!own);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long frame_cnt = parse_long(argc > 2 ? argv[2] : "", FRAMES_OUTSIDE + 1, 120);
	long per_second = argc > 3 ? parse_long(argv[3], 2 * STEPS_PER_SECOND, 1000000) : 0;

	workload_init();
	by_futex = strcmp(argv[1], "futex") == 0;
	level_cnt = (int)frame_cnt - FRAMES_OUTSIDE;
	rounds_per_step = per_second / STEPS_PER_SECOND / SWITCHES_PER_ROUND;
	if (pipe(pipes[0]) || pipe(pipes[1]))
		die("pipe");
	start_thread_of(depth_main, NULL, 0);
	start_thread_of(depth_main, pipes, 0);
	wait_settled(0);
	put_token(0);
	print_ready();
	wait_for_stop(NULL);
	return 0;
}
