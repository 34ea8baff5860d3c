/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * plugs ROUNDS PAUSE_US: loads plug_alpha.so and plug_omega.so in turn, at one and the same
 * address, and calls into them with four threads, each of which blocks ROUNDS times for PAUSE_US.
 * Nobody is in the one or the other while they change places.
 *
 * True stacks are, leaf first: NAME_wait, NAME_outer, plug_enter, call_NAME, worker_main, where
 * NAME is alpha in all or omega in all; and meet, worker_main or meet, loader_main between them.
 *
 * Prints `address HEX` before `ready`, and at SIGUSR1 `loaded N moved M`: how often one was loaded,
 * and how often not at that address.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "workload.h"

#define WORKER_CNT 4
#define WARM_UP_CNT 4

typedef void plug_fn(long ns, int level);

static const char *const files[] = { "plug_alpha.so", "plug_omega.so" };
static char paths[2][4096];
static pthread_barrier_t barrier;
static plug_fn *enter;
static int loaded_idx;
static long round_cnt, pause_ns;
static uintptr_t first_address;
static atomic_ulong loaded_cnt, moved_cnt;

/* Keeps the call before it from becoming a jump, by which its caller would have no frame. */
#define NO_TAIL_CALL() __asm__ volatile("" : : : "memory")

FRAME static void meet(void)
{
	pthread_barrier_wait(&barrier);
	NO_TAIL_CALL();
}

FRAME static void call_alpha(int level)
{
	enter(pause_ns, level);
	NO_TAIL_CALL();
}

FRAME static void call_omega(int level)
{
	enter(pause_ns, level);
	NO_TAIL_CALL();
}

FRAME static void *worker_main(void *arg)
{
	(void)arg;
	name_thread("worker");
	for (;;) {
		meet();
		for (long i = 0; i < round_cnt; i++) {
			if (loaded_idx)
				call_omega((int)i);
			else
				call_alpha((int)i);
		}
		meet();
	}
	return NULL;
}

/* Loads plug @idx and returns its handle, or dies. */
static void *load(int idx)
{
	void *handle = dlopen(paths[idx], RTLD_NOW | RTLD_LOCAL);
	void *symbol = handle ? dlsym(handle, "plug_enter") : NULL;

	if (!symbol)
		die(dlerror());
	memcpy(&enter, &symbol, sizeof(enter));
	loaded_idx = idx;
	if (!first_address)
		first_address = (uintptr_t)symbol;
	atomic_fetch_add(&loaded_cnt, 1);
	if ((uintptr_t)symbol != first_address)
		atomic_fetch_add(&moved_cnt, 1);
	return handle;
}

FRAME static void *loader_main(void *arg)
{
	(void)arg;
	name_thread("loader");
	for (int idx = 0;; idx ^= 1) {
		void *handle = load(idx);

		meet();
		meet();
		if (dlclose(handle))
			die(dlerror());
	}
	return NULL;
}

/* The plugs lie beside the program. */
static void find_plugs(void)
{
	char self[4000], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		die("/proc/self/exe");
	self[n] = '\0';
	slash = strrchr(self, '/');
	slash[1] = '\0';
	for (int i = 0; i < 2; i++)
		snprintf(paths[i], sizeof(paths[i]), "%s%s", self, files[i]);
}

static void print_counts(void)
{
	printf("loaded %lu moved %lu\n", atomic_load(&loaded_cnt), atomic_load(&moved_cnt));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	workload_init();
	if (argc != 3) {
		errno = EINVAL;
		die("plugs ROUNDS PAUSE_US");
	}
	round_cnt = parse_long(argv[1], 1, 1000000);
	pause_ns = parse_long(argv[2], 1, 999999) * 1000;
	find_plugs();
	pthread_barrier_init(&barrier, NULL, WORKER_CNT + 1);
	for (int i = 0; i < WORKER_CNT; i++)
		start_thread_of(worker_main, NULL, 128 * 1024);
	start_thread_of(loader_main, NULL, 0);
	while (atomic_load(&loaded_cnt) < WARM_UP_CNT)
		usleep(1000);
	printf("address %#lx\n", (unsigned long)first_address);
	print_ready();
	wait_for_stop(print_counts);
	return 0;
}
