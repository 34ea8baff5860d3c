/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Whether threads leak: a verdict on how the number of some threads went over a window. Pure: works
 * on numbers that others counted. docs/LEAKS.md has the rules in words, and the reason for each of
 * the thresholds.
 */
#ifndef MODEL_LEAKS_H
#define MODEL_LEAKS_H

#include <stdbool.h>
#include <stdint.h>

/* Fewer than so many threads more are no growth: one or two are made once, late. */
#define LEAK_GROWTH_MIN 3
/* How much of what the count did a straight line has to explain (R²). A single step, whenever it
 * comes, is explained to three quarters at most. */
#define LEAK_FIT_MIN 0.8
/* Growth has stopped when, at its pace, so many rises more were due since the last one: by chance
 * that happens once in twenty times (e^-3). */
#define LEAK_OVERDUE_MIN 3
/* And in any case when the last rise is so large a part of the window ago: 1 / LEAK_QUIET_PARTS. */
#define LEAK_QUIET_PARTS 3
/* Where threads come and go, their number varies by chance: growth is more than so many times the
 * standard deviation of that. */
#define LEAK_DEVIATIONS 3
/* A thread that waits with a timeout runs by itself so often in each of its periods at most: when
 * the time is over, and once more for a lock on its way back. */
#define LEAK_RUNS_A_PERIOD 2
/* Of threads that are stuck, 1 / LEAK_STRAY_PARTS may have run all the same: a broadcast, a signal,
 * a look that came while they were on their way. */
#define LEAK_STRAY_PARTS 10
/* Threads turn over when in the window 1 / LEAK_TURNOVER_PARTS of them were replaced. */
#define LEAK_TURNOVER_PARTS 10

enum leak_verdict {
	LEAK_LEAK = 1,	    /* grows, none ends, none of the stuck ones runs */
	LEAK_GROWING = 2,   /* grows; some end, or are given work */
	LEAK_SHRINKING = 3, /* more end than are born */
	LEAK_CHURN = 4,	    /* born and ended in step */
	LEAK_POOL = 5,	    /* constant, and wakes */
	LEAK_IDLE = 6,	    /* constant, and does not wake */
};

/* How many threads there were. */
struct leak_flow {
	uint64_t alive_start, born, ended, alive_end; /* start + born - ended = end */
};

/* A group of threads over a window: all that were made at one place and are stuck at one place. */
struct leak_history {
	struct leak_flow flow;
	/* The other threads that were made at the same place, wherever they are. Threads that move
	 * on from one place to the next make the first one grow only for as long as they stay. */
	struct leak_flow others;
	/* How many there were at equal steps, the first at the window's start, the last at its end,
	 * which can come sooner than a step after the one before. Borrowed. */
	const uint32_t *alive;
	uint32_t point_cnt;
	uint64_t point_ns;  /* the step */
	uint64_t window_ns; /* 0: there was no time to grow in */
	/* Of those that live at the end and were looked at more than once: */
	uint64_t watched;
	uint64_t ran;	/* ran between two of the looks */
	uint64_t timed; /* of those, by their own timeouts alone */
	/* Of all that live at the end: ran between two of the looks, from another place to this,
	 * where they have not been for 1 / LEAK_QUIET_PARTS of the window yet. */
	uint64_t moved;
	/* They were never seen to wait anywhere: unless they grow, they are what the others are. */
	bool is_passing;
	/* Of .flow.alive_end: so many lived when their program, watched from its birth, ended. */
	uint64_t left;
};

struct leak_judgement {
	enum leak_verdict verdict;
	double growth_per_min; /* the slope of the straight line that fits best */
	double fit;	       /* R²: 0 to 1, 0 when the number did not change */
	bool is_steady;	       /* grows along that line */
	bool moves_on;	       /* it grows, but those of the same origin do not: threads move on */
};

/* Fits a straight line to the points of @history. Writes its slope to @ret_per_min, and how well it
 * fits to @ret_fit. */
void leak_fit(const struct leak_history *history, double *ret_per_min, double *ret_fit);

/* Returns the verdict on @history. */
struct leak_judgement leak_judge(const struct leak_history *history);

/* Whether a thread that ran @run_cnt times in @watched_ns did so by its timeout of @timeout_ns
 * alone. */
bool leak_is_timed(uint64_t run_cnt, uint64_t watched_ns, uint64_t timeout_ns);

/* Returns "leak", "growing", "shrinking", "churn", "pool" or "idle". */
const char *leak_verdict_name(enum leak_verdict verdict);

#endif
