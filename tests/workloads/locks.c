/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * locks   uses libc's own: a mutex that four threads want, a condition variable that two threads
 *         signal each other by, waits for one and for a semaphore that nobody ends, a barrier;
 *         then prints `ready`, and ends. Each is a symbol, and has a function to wait in.
 */
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#include "workload.h"

#define THREADS 4
#define MUTEX_ROUNDS 2000
#define SIGNAL_ROUNDS 2000
#define BARRIER_ROUNDS 200
#define TIMEOUTS 30 /* test_record_futex.py knows it too */
#define TIMEOUT_NS 1000000

#define NO_TAIL_CALL() __asm__ volatile("" : : : "memory")

static pthread_mutex_t shared_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t signal_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t signal_cond = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t late_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t late_cond = PTHREAD_COND_INITIALIZER;
static sem_t late_sem;
static pthread_barrier_t barrier;
static long turn;

static struct timespec soon(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += TIMEOUT_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return until;
}

FRAME static void want_mutex(void)
{
	pthread_mutex_lock(&shared_mutex);
	sched_yield(); /* to another one that wants it */
	pthread_mutex_unlock(&shared_mutex);
	NO_TAIL_CALL();
}

static void *want_mutex_often(void *arg)
{
	for (int i = 0; i < MUTEX_ROUNDS; i++)
		want_mutex();
	return arg;
}

FRAME static void signal_other(long own)
{
	pthread_mutex_lock(&signal_mutex);
	while (turn != own)
		pthread_cond_wait(&signal_cond, &signal_mutex);
	turn = !own;
	pthread_cond_signal(&signal_cond);
	pthread_mutex_unlock(&signal_mutex);
	NO_TAIL_CALL();
}

static void *signal_often(void *arg)
{
	for (int i = 0; i < SIGNAL_ROUNDS; i++)
		signal_other(arg != NULL);
	return NULL;
}

FRAME static void be_late(void)
{
	for (int i = 0; i < TIMEOUTS; i++) {
		struct timespec until = soon();

		pthread_mutex_lock(&late_mutex);
		if (pthread_cond_timedwait(&late_cond, &late_mutex, &until) != ETIMEDOUT)
			die("pthread_cond_timedwait");
		pthread_mutex_unlock(&late_mutex);
	}
	for (int i = 0; i < TIMEOUTS; i++) {
		struct timespec until = soon();

		if (!sem_timedwait(&late_sem, &until) || errno != ETIMEDOUT)
			die("sem_timedwait");
	}
	NO_TAIL_CALL();
}

FRAME static void meet(void)
{
	pthread_barrier_wait(&barrier);
	NO_TAIL_CALL();
}

static void *meet_often(void *arg)
{
	for (int i = 0; i < BARRIER_ROUNDS; i++)
		meet();
	return arg;
}

static void run(void *(*start)(void *), int thread_cnt, void *first_arg)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < thread_cnt; i++)
		threads[i] = start_thread_of(start, i ? NULL : first_arg, 0);
	for (int i = 0; i < thread_cnt; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	workload_init();
	sem_init(&late_sem, 0, 0);
	pthread_barrier_init(&barrier, NULL, THREADS);
	run(want_mutex_often, THREADS, NULL);
	run(signal_often, 2, &turn);
	run(meet_often, THREADS, NULL);
	be_late();
	print_ready();
	return 0;
}
