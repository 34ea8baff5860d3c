/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * turncoat-north, turncoat-south LIFE_MS: one process that lives as the one program for LIFE_MS and
 * then executes the other one, for ever; by turns its main thread does that, and another one.
 *
 * They differ in the names of their functions and the size of their frames alone and are linked to
 * one address, so that a pc of the one is a pc of the other, with other call frame information.
 * True stacks of its two other threads are, leaf first: SIDE_wait, SIDE_outer, SIDE_main.
 *
 * Prints `ready` in its third life.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "workload.h"

#ifndef SIDE
#define SIDE north
#define SIDE_FRAME_BYTES 304
#endif

#define PASTE(a, b) a##_##b
#define EXPAND(a, b) PASTE(a, b)
#define NAMED(name) EXPAND(SIDE, name)
#define PAUSE_NS 300000
#define TICK_MS 5

static char path[4096];
static const char *life_text;
static uint64_t end_ns;
static long life;

FRAME static void NAMED(wait)(int level)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	volatile char bytes[SIDE_FRAME_BYTES];

	bytes[0] = (char)level;
	nanosleep(&pause, NULL);
	bytes[1] = bytes[0];
}

FRAME static void NAMED(outer)(int level)
{
	volatile char bytes[SIDE_FRAME_BYTES * 2];

	bytes[0] = (char)level;
	NAMED(wait)(level);
	bytes[1] = bytes[0];
}

/* Executes the other program, which is named as this one but for the side. */
static void turn(void)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", life + 1);
	execl(path, path, life_text, text, (char *)NULL);
	die(path);
}

FRAME static void *NAMED(main)(void *arg)
{
	bool turns = arg && life % 2;

	while (!turns || mono_ns() < end_ns)
		NAMED(outer)((int)life);
	turn();
	return NULL;
}

static void find_other(void)
{
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *side;

	if (n < 0)
		die("/proc/self/exe");
	path[n] = '\0';
	side = strrchr(path, '-');
	if (!side)
		die("no side in the name");
	memcpy(side + 1, strcmp(side + 1, "north") == 0 ? "south" : "north", 5);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		errno = EINVAL;
		die("turncoat-SIDE LIFE_MS");
	}
	life_text = argv[1];
	end_ns = mono_ns() + (uint64_t)parse_long(argv[1], 1, 1000000) * 1000000;
	life = argc > 2 ? parse_long(argv[2], 0, 1000000000) : 0;
	find_other();
	if (life == 2)
		print_ready();
	start_thread_of(NAMED(main), NULL, 0);
	start_thread_of(NAMED(main), &life, 0);
	while (!stdin_ended(TICK_MS))
		if (life % 2 == 0 && mono_ns() >= end_ns)
			turn();
	return 0;
}
