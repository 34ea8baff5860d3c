/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Threads in cohorts: those of one process that were created at one stack, and were last seen
 * blocked at one place. Threads that live are kept one by one, those that have ended only as
 * numbers, so that days of them stay small. A thread is in one cohort with its whole life: when it
 * is seen at another place, its birth moves with it. So of each cohort, at any time,
 *
 *   alive_start + born - ended = alive
 *
 * and the same holds of how many were alive at each point of the window. Works on numbers alone:
 * stacks are those of a stackset, by index.
 *
 *   life cycle  cohorts_init, cohorts_release
 *   events      cohorts_birth, cohorts_death
 *   looks       cohorts_begin_look, then cohorts_see for each thread, then cohorts_end_look or, the
 *               last time, cohorts_close
 */
#ifndef COLLECT_COHORTS_H
#define COLLECT_COHORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "base/vec.h"
#include "bpf/wire.h"
#include "collect/snapshot.h"

#define COHORT_NONE UINT32_MAX
#define COHORT_STEP_CNT 64 /* of the window */
#define COHORT_MAX 16384
#define COHORT_PROCESS_MAX 65536
#define COHORT_LEFT_MAX 32768
/* The first cohort has what is beyond the maximum. */
#define COHORT_REST 0

/* A process that is, or was. */
struct cohort_process {
	uint64_t start_ns; /* CLOCK_BOOTTIME; 0: not known yet */
	uint32_t tgid;
	uint32_t alive_cnt; /* threads */
	bool is_kept;	    /* asked for by the user: its cohorts are never folded */
	char comm[WIRE_COMM_BYTES];
};

/* What threads of one cohort have in common. */
struct cohort_key {
	uint32_t process; /* index: the creator's, where it is known */
	uint32_t creator; /* stack; COHORT_NONE: not known */
	uint32_t place;	  /* stack; COHORT_NONE: never seen blocked */
	bool is_older;	  /* than the window, or met without its birth having been seen */
	bool is_forked;	  /* the main thread of a process that was forked */
};

struct cohort {
	struct cohort_key key;
	uint64_t alive_start, born, ended;
	uint64_t alive;
	uint64_t left;			 /* of these: they waited when their process ended */
	uint64_t left_main;		 /* of these: its main thread, with which it ended */
	int32_t change[COHORT_STEP_CNT]; /* of how many are alive, in each step of the window */
	int32_t syscall_nr;		 /* at the place; WIRE_SYSCALL_NONE */
};

struct cohort_thread {
	uint64_t start_ns;  /* CLOCK_BOOTTIME */
	uint64_t seen_ns;   /* of the last look that saw it; 0: none yet */
	uint64_t place_ns;  /* of the first one that saw it at its place */
	uint64_t seen_runs; /* how often it had been switched out by then, likewise */
	uint64_t place_runs;
	uint32_t tid;
	uint32_t process; /* index: its own */
	uint32_t cohort;  /* index */
	uint32_t look;	  /* number of the last look that saw it */
	uint32_t missed_looks;
	uint32_t entry; /* of that look's snapshot; COHORT_NONE */
	uint32_t creator_tid, creator_tgid;
	bool is_born;	/* in the window */
	bool has_moved; /* ran between two looks, and came to another place */
	char creator_comm[WIRE_COMM_BYTES];
};

/* A thread that its process left behind as it ended. */
struct cohort_left {
	struct cohort_thread thread;
	uint64_t ended_ns;  /* CLOCK_BOOTTIME */
	struct entry entry; /* of the last look, when .has_entry; its stacks are gone */
	bool has_entry;
};

/* What a look shows of a thread. */
struct cohort_sight {
	uint64_t start_ns; /* CLOCK_BOOTTIME */
	uint64_t now_ns;   /* CLOCK_MONOTONIC */
	uint64_t run_cnt;
	uint32_t tid, tgid;
	uint32_t place; /* where it is blocked; COHORT_NONE: it is not */
	uint32_t entry;
	int32_t syscall_nr; /* WIRE_SYSCALL_NONE */
};

struct cohorts {
	struct vec list;      /* struct cohort */
	struct vec threads;   /* struct cohort_thread */
	struct vec left;      /* struct cohort_left */
	struct vec processes; /* struct cohort_process */
	struct table by_key;
	struct table thread_by_tid;
	struct table process_by_tgid;
	struct table
		ended_keys; /* threads that ended while the look goes on: hash of tid and start */
	uint64_t start_ns;  /* of the window: CLOCK_BOOTTIME */
	uint64_t step_ns;
	uint64_t look_ns; /* when the look began: CLOCK_BOOTTIME */
	uint32_t look;	  /* number */
	bool is_looking;
	uint32_t fold_at; /* how many cohorts are too many: time to fold */
	uint32_t fold_processes_at;
	bool keeps_left; /* cohorts with threads that their process ended with are not folded */
	uint64_t born, ended; /* of all */
	/* What went with the cohorts of processes that have ended. */
	uint64_t folded_born, folded_ended;
	uint64_t unseen_births, no_stack_births, unseen_ends, over_max; /* losses */
};

static inline uint64_t cohort_key_hash(const struct cohort_key *key)
{
	return hash_mix(hash_mix(hash_mix(key->process, key->creator), key->place),
			(uint64_t)key->is_older << 1 | key->is_forked);
}

static inline struct cohort *cohorts_at(const struct cohorts *cohorts, uint32_t idx)
{
	return vec_at(&cohorts->list, idx);
}

static inline struct cohort_thread *cohorts_thread(const struct cohorts *cohorts, uint32_t idx)
{
	return vec_at(&cohorts->threads, idx);
}

static inline struct cohort_process *cohorts_process(const struct cohorts *cohorts, uint32_t idx)
{
	return vec_at(&cohorts->processes, idx);
}

/* Begins a window at @start_ns (CLOCK_BOOTTIME); @duration_ns: how long it will be, 0: as long as
 * need be. */
void cohorts_init(struct cohorts *cohorts, uint64_t start_ns, uint64_t duration_ns);
void cohorts_release(struct cohorts *cohorts);

/* Keeps the cohorts of process @tgid, whatever becomes of it. Returns 0 or -errno. */
int cohorts_keep_process(struct cohorts *cohorts, uint32_t tgid);

/* Notes that a thread was created; @creator: the stack, COHORT_NONE. Returns 0 or -errno. */
int cohorts_birth(struct cohorts *cohorts, const struct wire_birth *birth, uint32_t creator);

/* Notes that a thread has ended; @is_left: its process left it behind, and it is in .left from then
 * on. @entries: struct entry, of the last look. Returns 0 or -errno. */
int cohorts_death(struct cohorts *cohorts, const struct wire_death *death, bool is_left,
		  const struct vec *entries);

/* Begins a look at @now_ns (CLOCK_BOOTTIME), before its snapshot is taken. */
void cohorts_begin_look(struct cohorts *cohorts, uint64_t now_ns);

/* Notes process @tgid as the look shows it. Returns 0 or -errno. */
int cohorts_see_process(struct cohorts *cohorts, uint32_t tgid, uint64_t start_ns,
			const char *comm);

/* Notes a living thread as the look shows it, after the events up to then. Returns 0 or -errno. */
int cohorts_see(struct cohorts *cohorts, const struct cohort_sight *sight);

/* Ends the look: who was in neither this nor the one before has ended without being seen to, as
 * events can be lost. */
void cohorts_end_look(struct cohorts *cohorts);

/* Ends the look, and the window with it: who is not in this look either has ended, or was born
 * after it began and is left out. */
void cohorts_close(struct cohorts *cohorts);

/* Returns how many points the window up to @end_ns (CLOCK_BOOTTIME) has, and writes to @points how
 * many threads of @cohort were alive at each: at most COHORT_STEP_CNT + 1. */
uint32_t cohorts_points(const struct cohorts *cohorts, const struct cohort *cohort, uint64_t end_ns,
			uint32_t *points);

/* -- cohort_fold.c -- */

/* Makes room: of processes that have ended, the cohorts are told as one number from now on, unless
 * they are kept. Returns 0 or -errno. */
int cohorts_fold(struct cohorts *cohorts);

#endif
