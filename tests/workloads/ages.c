/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * ages N: N threads that know since when they have been blocked. Each reads CLOCK_MONOTONIC as the
 * last thing before it blocks, in one of several ways. Prints one line a thread
 *
 *   blocked TID NS
 *
 * A thread that was preempted between its clock reading and its block, or whose processor stood
 * still then, as those of virtual machines do, is not printed: its truth is not known.
 */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "workload.h"

#define AGES_MAX 1000
#define UNSURE_NS (5 * 1000000)

struct age {
	pid_t tid;
	long preempted_cnt;
	uint64_t blocked_ns; /* its own clock reading */
	uint64_t seen_ns;    /* when the main thread saw it blocked */
	int kind;
	atomic_bool blocks;
};

static struct age ages[AGES_MAX];
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static int pipe_fds[2];

static long own_preempted_cnt(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

static void note(struct age *age)
{
	age->tid = own_tid();
	age->preempted_cnt = own_preempted_cnt();
	atomic_store(&age->blocks, true);
	age->blocked_ns = mono_ns();
}

FRAME static void block(struct age *age)
{
	struct timespec rest = forever;
	char byte;

	note(age);
	switch (age->kind) {
	case 0:
		nanosleep(&rest, NULL);
		break;
	case 1:
		pthread_mutex_lock(&held);
		break;
	case 2:
		poll(NULL, 0, -1);
		break;
	default:
		(void)!read(pipe_fds[0], &byte, 1);
		break;
	}
	die("a thread of ages came back");
}

static void *age_main(void *arg)
{
	block(arg);
	return NULL;
}

/* How often thread @tid was preempted, -1 when that cannot be read. */
static long preempted_cnt(pid_t tid)
{
	static const char key[] = "nonvoluntary_ctxt_switches:";
	char line[256];
	long cnt = -1;
	FILE *file;

	snprintf(line, sizeof(line), "/proc/self/task/%d/status", (int)tid);
	file = fopen(line, "re");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, key, strlen(key)))
			cnt = strtol(line + strlen(key), NULL, 10);
	}
	fclose(file);
	return cnt;
}

/* Returns when thread @tid is seen to be blocked. */
static uint64_t wait_blocked(pid_t tid)
{
	while (!is_blocked(tid))
		usleep(500);
	return mono_ns();
}

static bool knows_truth(const struct age *age)
{
	return preempted_cnt(age->tid) == age->preempted_cnt &&
	       age->seen_ns - age->blocked_ns < UNSURE_NS;
}

int main(int argc, char **argv)
{
	long i, cnt = parse_long(argc > 1 ? argv[1] : "20", 1, AGES_MAX);

	workload_init();
	if (pipe(pipe_fds))
		die("pipe");
	pthread_mutex_lock(&held);
	for (i = 0; i < cnt; i++) {
		ages[i].kind = (int)(i % 4);
		start_thread_of(age_main, &ages[i], 64 * 1024);
		while (!atomic_load(&ages[i].blocks))
			usleep(500);
		ages[i].seen_ns = wait_blocked(ages[i].tid);
	}
	wait_settled(0);
	for (i = 0; i < cnt; i++) {
		if (knows_truth(&ages[i]))
			printf("blocked %d %llu\n", (int)ages[i].tid,
			       (unsigned long long)ages[i].blocked_ns);
	}
	print_ready();
	wait_for_stop(NULL);
	return 0;
}
