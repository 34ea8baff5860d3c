/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * herd N [heartbeat|late|late-mapped]: N threads in pthread_cond_wait for ever.
 *
 * With `heartbeat`, one more thread sleeps 1 ms over and over and keeps the longest time between
 * two of its wakes, printed as `gap_us N` and begun anew at SIGUSR1, and printed at the end: who
 * stops or slows the process makes it grow.
 *
 * With `late`, the threads are created at SIGUSR1, after which `born` is printed; `late-mapped`
 * maps a page more of code before.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

static void map_code(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		die("map code");
	close(fd);
}

static size_t late_cnt;
static bool late_mapped;

static void start_late(void)
{
	if (late_mapped)
		map_code();
	start_herd(late_cnt);
	wait_settled(0);
	printf("born\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *mode = argc == 3 ? argv[2] : "";
	bool heartbeat = strcmp(mode, "heartbeat") == 0;
	bool late = strcmp(mode, "late") == 0;

	workload_init();
	late_mapped = strcmp(mode, "late-mapped") == 0;
	if (argc < 2 || (argc == 3 && !heartbeat && !late && !late_mapped) || argc > 3) {
		errno = EINVAL;
		die("herd N [heartbeat|late|late-mapped]");
	}
	late_cnt = (size_t)parse_long(argv[1], 1, 100000);
	if (late || late_mapped) {
		print_ready();
		wait_for_stop(start_late);
		return 0;
	}
	start_herd(late_cnt);
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
