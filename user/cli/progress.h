/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* A line on the terminal that tells how long a recording still takes, by a thread of its own. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *doing;    /* "recording"; borrowed */
	uint64_t start_ns;    /* CLOCK_MONOTONIC */
	uint64_t duration_ns; /* 0: until stopped */
	const volatile sig_atomic_t *stop;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool shown; /* there is a thread */
	bool done;
};

/* Shows the line from now on, where standard error is a terminal. @doing and @stop are borrowed. */
void progress_start(struct progress *progress, const char *doing, uint64_t duration_ns,
		    const volatile sig_atomic_t *stop);

/* Takes the line away. Takes one that was never started (zeroed). */
void progress_stop(struct progress *progress);

#endif
