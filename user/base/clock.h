/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The clocks, all in nanoseconds. Times inside loiter are CLOCK_MONOTONIC unless a name says so. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC: does not count suspend */
uint64_t clock_boot_ns(void); /* CLOCK_BOOTTIME: counts suspend */
uint64_t clock_wall_ns(void); /* CLOCK_REALTIME: since the epoch */

/* Returns the CPU time that the calling thread has used. */
uint64_t clock_thread_cpu_ns(void);

/* Returns how far local time is ahead of UTC at @wall_ns, in seconds. */
int32_t clock_utc_offset_s(uint64_t wall_ns);

#endif
