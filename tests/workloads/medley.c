/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * medley N: N threads of mixed behaviour, each named for its own: sleep (of many lengths), spin
 * (four in all), pong (a pair that wake each other by futex), poll (with a timeout), move (from CPU
 * to CPU, computing a little on each), burst (computes and sleeps by turns), still (blocked for
 * ever).
 *
 * At SIGUSR1 `mayfly` threads come and go for a while: MAYFLY_CNT of them live MAYFLY_MS each,
 * doing as the others do. Then it prints for each of them a line
 *
 *   life TID AT_LEAST_NS AT_MOST_NS
 *
 * of the time from its first instruction to its last, and from before its creation to after its
 * end; and `done`.
 */
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <linux/futex.h>
#include <unistd.h>

#include "workload.h"

#define STACK_BYTES (32 * 1024)
#define SPIN_MAX 4
#define MAYFLY_CNT 24
#define MAYFLY_MS 1200
#define CPU_MAX 64

struct member {
	void (*step)(struct member *member);
	const char *name;
	unsigned int seed;
	_Atomic uint32_t word; /* of a pong: set when it is its turn */
	struct member *other;
	uint64_t first_ns, last_ns, end_ns; /* of a mayfly */
	pid_t tid;
};

static int cpus[CPU_MAX];
static unsigned int cpu_cnt;

static void nap(struct member *member, unsigned int max_us)
{
	unsigned int us = 50 + (unsigned int)rand_r(&member->seed) % max_us;
	const struct timespec pause = { .tv_nsec = us * 1000L };

	nanosleep(&pause, NULL);
}

static void compute(unsigned int us)
{
	uint64_t end_ns = mono_ns() + us * 1000;

	while (mono_ns() < end_ns)
		;
}

static void step_sleep(struct member *member)
{
	nap(member, 200000);
}

static void step_spin(struct member *member)
{
	(void)member;
	compute(1000);
}

/* Gives the turn to the other one and waits for its own. */
static void step_pong(struct member *member)
{
	atomic_store(&member->other->word, 1);
	syscall(SYS_futex, &member->other->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	while (!atomic_exchange(&member->word, 0))
		syscall(SYS_futex, &member->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	nap(member, 20000);
}

static void step_poll(struct member *member)
{
	poll(NULL, 0, 1 + rand_r(&member->seed) % 100);
}

static void step_move(struct member *member)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpus[(unsigned int)rand_r(&member->seed) % cpu_cnt], &set);
	sched_setaffinity(0, sizeof(set), &set);
	compute(100);
	nap(member, 50000);
}

static void step_burst(struct member *member)
{
	compute((unsigned int)rand_r(&member->seed) % 500);
	nap(member, 100000);
}

static void step_still(struct member *member)
{
	(void)member;
	nanosleep(&forever, NULL);
}

static const struct kind {
	const char *name;
	void (*step)(struct member *member);
} kinds[] = {
	{ "sleep", step_sleep }, { "pong", step_pong },	  { "pong", step_pong },
	{ "poll", step_poll },	 { "move", step_move },	  { "burst", step_burst },
	{ "still", step_still }, { "sleep", step_sleep },
};
#define KIND_CNT (sizeof(kinds) / sizeof(kinds[0]))
#define FIRST_PONG 1

static void *member_main(void *arg)
{
	struct member *member = arg;

	name_thread(member->name);
	for (;;)
		member->step(member);
	return NULL;
}

static void start_member(struct member *members, unsigned int idx, unsigned int cnt)
{
	const struct kind *kind = &kinds[idx % KIND_CNT];
	struct member *member = &members[idx];

	member->seed = idx;
	member->name = kind->name;
	member->step = kind->step;
	if (idx < SPIN_MAX * KIND_CNT && kind->step == step_burst) {
		member->name = "spin";
		member->step = step_spin;
	}
	if (kind->step == step_pong) {
		unsigned int other = idx % KIND_CNT == FIRST_PONG ? idx + 1 : idx - 1;

		member->other = &members[other];
		if (other >= cnt) { /* alone: at once at the end of the row */
			member->name = "still";
			member->step = step_still;
		}
	}
	start_thread_of(member_main, member, STACK_BYTES);
}

static void *mayfly_main(void *arg)
{
	struct member *member = arg;

	member->first_ns = mono_ns();
	member->tid = own_tid();
	name_thread("mayfly");
	while (mono_ns() < member->end_ns)
		member->step(member);
	member->last_ns = mono_ns();
	return NULL;
}

static void mayflies(void)
{
	static void (*const steps[])(struct member *) = { step_sleep, step_poll, step_move,
							  step_burst };
	static struct member members[MAYFLY_CNT];
	uint64_t created_ns[MAYFLY_CNT], ended_ns;
	pthread_t threads[MAYFLY_CNT];

	for (unsigned int i = 0; i < MAYFLY_CNT; i++) {
		members[i] = (struct member){ .step = steps[i % 4], .seed = i };
		created_ns[i] = mono_ns();
		members[i].end_ns = created_ns[i] + MAYFLY_MS * 1000000ull;
		threads[i] = start_thread_of(mayfly_main, &members[i], STACK_BYTES);
		usleep(5000);
	}
	for (unsigned int i = 0; i < MAYFLY_CNT; i++) {
		pthread_join(threads[i], NULL);
		ended_ns = mono_ns();
		printf("life %d %llu %llu\n", (int)members[i].tid,
		       (unsigned long long)(members[i].last_ns - members[i].first_ns),
		       (unsigned long long)(ended_ns - created_ns[i]));
	}
	puts("done");
	fflush(stdout);
}

static void find_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		die("sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE && cpu_cnt < CPU_MAX; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[cpu_cnt++] = cpu;
}

int main(int argc, char **argv)
{
	unsigned int cnt = (unsigned int)parse_long(argc == 2 ? argv[1] : "", 1, 100000);
	struct member *members = calloc(cnt, sizeof(*members));

	workload_init();
	if (!members)
		die("calloc");
	find_cpus();
	for (unsigned int i = 0; i < cnt; i++)
		start_member(members, i, cnt);
	print_ready();
	wait_for_stop(mayflies);
	return 0;
}
