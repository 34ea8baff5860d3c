/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "pool.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_job = PTHREAD_COND_INITIALIZER;
static void (*waiting_job)(void);
static int idle_cnt;

static void *pool_thread(void *arg)
{
	pthread_mutex_lock(&mutex);
	for (;;) {
		void (*job)(void) = waiting_job;

		waiting_job = NULL;
		if (job) {
			pthread_mutex_unlock(&mutex);
			job();
			pthread_mutex_lock(&mutex);
			continue;
		}
		idle_cnt++;
		pthread_cond_wait(&has_job, &mutex);
		idle_cnt--;
	}
	return arg;
}

static void pool_grow(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, pool_thread, NULL))
		abort();
	pthread_detach(thread);
	__asm__ volatile("" ::: "memory");
}

void pool_submit(void (*job)(void))
{
	pthread_mutex_lock(&mutex);
	waiting_job = job;
	if (idle_cnt)
		pthread_cond_signal(&has_job);
	else
		pool_grow();
	pthread_mutex_unlock(&mutex);
}
