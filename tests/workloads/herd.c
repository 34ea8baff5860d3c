/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * herd N [heartbeat]: N threads in pthread_cond_wait for ever.
 *
 * With `heartbeat`, one more thread sleeps 1 ms over and over and keeps the longest time between
 * two of its wakes, printed as `gap_us N` and begun anew at SIGUSR1, and printed at the end: who
 * stops or slows the process makes it grow.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "workload.h"

#define STACK_BYTES (32 * 1024)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static atomic_int heartbeat_tid;
static _Atomic uint64_t gap_ns;

FRAME static void herd_wait(void)
{
	pthread_mutex_lock(&mutex);
	for (;;)
		pthread_cond_wait(&cond, &mutex);
}

FRAME static void *herd_main(void *arg)
{
	(void)arg;
	name_thread("herd");
	herd_wait();
	return NULL;
}

FRAME static void *heartbeat_main(void *arg)
{
	const struct timespec tick = { .tv_nsec = 1000000 };
	uint64_t last_ns = mono_ns();

	(void)arg;
	name_thread("heartbeat");
	atomic_store(&heartbeat_tid, own_tid());
	for (;;) {
		uint64_t now_ns;

		nanosleep(&tick, NULL);
		now_ns = mono_ns();
		if (now_ns - last_ns > atomic_load(&gap_ns))
			atomic_store(&gap_ns, now_ns - last_ns);
		last_ns = now_ns;
	}
	return NULL;
}

static void print_gap(void)
{
	printf("gap_us %llu\n", (unsigned long long)atomic_exchange(&gap_ns, 0) / 1000);
	fflush(stdout);
}

/* All stacks in one mapping: one each, with its guard page, would need more mappings than the
 * kernel grants a process. */
static void start_herd(size_t cnt)
{
	size_t bytes = cnt * STACK_BYTES, i;
	pthread_attr_t attr;
	pthread_t thread;
	char *stacks;

	stacks = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	/* EINVAL: a kernel without huge pages. */
	if (stacks == MAP_FAILED || (madvise(stacks, bytes, MADV_NOHUGEPAGE) && errno != EINVAL))
		die("mmap");
	pthread_attr_init(&attr);
	for (i = 0; i < cnt; i++) {
		pthread_attr_setstack(&attr, stacks + i * STACK_BYTES, STACK_BYTES);
		errno = pthread_create(&thread, &attr, herd_main, NULL);
		if (errno)
			die("pthread_create");
	}
	pthread_attr_destroy(&attr);
}

int main(int argc, char **argv)
{
	bool heartbeat = argc == 3 && strcmp(argv[2], "heartbeat") == 0;

	workload_init();
	if (argc < 2 || (argc == 3 && !heartbeat) || argc > 3) {
		errno = EINVAL;
		die("herd N [heartbeat]");
	}
	start_herd((size_t)parse_long(argv[1], 1, 100000));
	wait_settled(0);
	if (heartbeat) {
		start_thread_of(heartbeat_main, NULL, 0);
		while (!atomic_load(&heartbeat_tid))
			;
		atomic_store(&gap_ns, 0);
	}
	print_ready();
	wait_for_stop(heartbeat ? print_gap : NULL);
	if (heartbeat)
		print_gap();
	return 0;
}
