/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The server's ills. It is at one step at a time; each request to "/" does what the step says,
 * and leaving a step undoes all that its requests have done:
 *
 *   step  a request                                      leaving it
 *   0     does nothing more
 *   1     locks a mutex that another thread holds        the holder lets go
 *   2     burns CPU for 5 s                              ends the burning
 *   3     allocates 10 MB and keeps it                   frees it all
 *   4     allocates 10 MB and drops it
 *   5     starts 5 threads that wait for ever            ends them
 *   6     opens 5 files and leaves them open             closes them
 *   7     starts, once, two threads that lock two        cannot: POSIX has no way to take a plain
 *         mutexes in opposite order: a deadlock          mutex from a thread; both stay
 */
#ifndef DEMO_STEPS_H
#define DEMO_STEPS_H

#include <stdint.h>

#define STEP_CNT 8

/* Each switch makes a new generation; what a request began ends when its generation does. */
struct step {
	const char *ill;
	void (*request)(uint64_t generation); /* NULL: nothing */
	void (*enter)(uint64_t generation);   /* NULL: nothing */
	void (*leave)(void);		      /* NULL: nothing */
};

/* Returns the step the server is at, and its generation. */
const struct step *step_current(uint64_t *ret_generation);

/* Undoes the present step and goes to @idx, below STEP_CNT; also when it is there already.
 * Returns the new step when all that is done. */
const struct step *step_switch(unsigned int idx);

#endif
