/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* spin N: N threads that compute in spin_inner, called by spin_outer, and never block. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "workload.h"

static volatile int stopping;
static atomic_int started;

FRAME static uint64_t spin_inner(uint64_t seed)
{
	uint64_t value = seed;

	while (!stopping)
		value = value * 6364136223846793005u + 1442695040888963407u;
	return value;
}

FRAME static uint64_t spin_outer(uint64_t seed)
{
	return spin_inner(seed) + 1;
}

FRAME static void *spin_main(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "spin-%u", (unsigned int)(uintptr_t)arg);
	name_thread(name);
	atomic_fetch_add(&started, 1);
	return (void *)(uintptr_t)spin_outer((uintptr_t)arg);
}

int main(int argc, char **argv)
{
	long cnt = parse_long(argc == 2 ? argv[1] : "", 1, 1000), i;

	workload_init();
	for (i = 0; i < cnt; i++)
		start_thread_of(spin_main, (void *)(uintptr_t)i, 0);
	while (atomic_load(&started) < cnt)
		usleep(1000);
	print_ready();
	wait_for_stop(NULL);
	stopping = 1;
	return 0;
}
