/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What plugs.c loads. Built twice, as PLUG alpha and PLUG omega, which differ in the names of their
 * functions and in the size of their frames (PLUG_FRAME_BYTES) alone: code and mappings have the
 * same size, and each instruction stands at the same place, under other call frame information.
 */
#include <stddef.h>
#include <time.h>

#ifndef PLUG
#define PLUG alpha
#define PLUG_FRAME_BYTES 304
#endif

#define FRAME __attribute__((noipa))
#define PASTE(a, b) a##_##b
#define EXPAND(a, b) PASTE(a, b)
#define NAMED(name) EXPAND(PLUG, name)

FRAME static void NAMED(wait)(long ns, int level)
{
	struct timespec pause = { .tv_nsec = ns };
	volatile char bytes[PLUG_FRAME_BYTES];

	bytes[0] = (char)level;
	nanosleep(&pause, NULL);
	bytes[1] = bytes[0];
}

FRAME static void NAMED(outer)(long ns, int level)
{
	volatile char bytes[PLUG_FRAME_BYTES * 2];

	bytes[0] = (char)level;
	NAMED(wait)(ns, level);
	bytes[1] = bytes[0];
}

void plug_enter(long ns, int level);

/* The one function that both have under one name. */
FRAME void plug_enter(long ns, int level)
{
	volatile char bytes[PLUG_FRAME_BYTES * 3];

	bytes[0] = (char)level;
	NAMED(outer)(ns, level);
	bytes[1] = bytes[0];
}
