/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "base/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_boot_ns(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

uint64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t clock_thread_cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int32_t clock_utc_offset_s(uint64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / 1000000000ULL);
	struct tm local;

	if (!localtime_r(&seconds, &local))
		return 0;
	return (int32_t)local.tm_gmtoff;
}
