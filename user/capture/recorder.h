/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The scheduler's events, recorded in the kernel: programs loaded, attached, fed with rules, read.
 * Nothing is pinned, as in capture.h.
 *
 *   life cycle  recorder_new, recorder_start, recorder_stop, recorder_free
 *   from then   recorder_epoch, recorder_put_rule, recorder_expect_space, recorder_put_space
 *   meanwhile   recorder_poll, recorder_watch, recorder_watches
 *   at the end  recorder_read_runs, recorder_read_spans, recorder_read_futexes,
 *               recorder_read_futex_waits
 */
#ifndef CAPTURE_RECORDER_H
#define CAPTURE_RECORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "bpf/wire.h"
#include "capture/capture.h"
#include "wire/event.h"

struct recorder;

struct recorder_options {
	const pid_t *tgids; /* borrowed during recorder_new; with .tgid_cnt 0: every process */
	uint32_t tgid_cnt;
	bool from_exec;		     /* each from its next exec on */
	bool births_only;	     /* only who creates threads and processes */
	bool deaths;		     /* of these, which end */
	uint64_t min_block_ns;	     /* single blocks shorter than this are not booked */
	uint32_t sample_hz;	     /* of the CPU clock; 0: none */
	bool wakers;		     /* note who wakes whom */
	uint64_t softirq_start_addr; /* of the kernel's __local_bh_enable_ip; 0: not known, then */
	uint64_t softirq_end_addr;   /* wakers over loopback are taken for interrupts */
	bool kernel;		     /* the kernel's part of stacks too */
	bool futexes;		     /* futex calls as well */
	uint32_t verify_every; /* one of so many finished walks is sent as WIRE_VERIFY; 0: none */
};

struct recorder_losses {
	uint64_t bad_records;
	uint64_t dropped_events;  /* ring buffer full */
	uint64_t dropped_runs;	  /* too many threads */
	uint64_t dropped_spans;	  /* too many different blocks */
	uint64_t dropped_rules;	  /* rule table full */
	uint64_t dropped_stacks;  /* walks whose stack was one too many */
	uint64_t dropped_spaces;  /* too many processes */
	uint64_t missed_events;	  /* or made up for: a program was interrupted by itself,
				   * or a switch was not told */
	uint64_t dropped_kstacks; /* kernel stacks that could not be had */

	uint64_t dropped_futexes;     /* too many different futex calls */
	uint64_t dropped_futex_waits; /* too many threads that wait for futexes */
};

/* Loads and attaches the programs; from here on changes of the targets' code are counted, and what
 * they fork is watched. Returns NULL with @err set. */
struct recorder *recorder_new(const struct recorder_options *options, struct err *err);
void recorder_free(struct recorder *recorder);

/* Whether code that replaces other code of the same size at the same address is noticed. */
bool recorder_sees_new_code(const struct recorder *recorder);

/* Returns the count of code changes that were seen, to be read before the map of a process is. */
uint64_t recorder_epoch(const struct recorder *recorder);

/* Returns that count as it was at the last change of process @tgid, or of one that it shares its
 * counter with. */
uint64_t recorder_epoch_of(const struct recorder *recorder, uint32_t tgid);

/* Starts the window. Returns its start (CLOCK_MONOTONIC). */
uint64_t recorder_start(struct recorder *recorder);

/* Ends the window and detaches. Returns its end (CLOCK_MONOTONIC). */
uint64_t recorder_stop(struct recorder *recorder);

/* Waits up to @timeout_ms for records and visits those that came, for a while if they come without
 * end. Returns 0 or -errno. */
int recorder_poll(struct recorder *recorder, int timeout_ms, capture_visit *visit, void *arg);

/* Watches process @tgid from now on, or does not any more. */
void recorder_watch(struct recorder *recorder, uint32_t tgid, bool watch);

/* Whether process @tgid is watched: one of the options', what these fork, or by recorder_watch. */
bool recorder_watches(const struct recorder *recorder, uint32_t tgid);

/* Visits what is left after recorder_stop. Returns 0 or -errno. */
int recorder_drain(struct recorder *recorder, capture_visit *visit, void *arg);

/* Teaches the kernel @rule for @pc of address space @space. A rule that is there is replaced. */
void recorder_put_rule(struct recorder *recorder, uint32_t space, uint64_t pc, bool exact,
		       struct rule rule);

/* Has new code of process @tgid noticed before its address space has a number: to be called before
 * its map is read for the first time. */
void recorder_expect_space(struct recorder *recorder, uint32_t tgid);

/* Has the programs ask for the address space of process @tgid once more. Its last one was
 * @last_number, 0 when it had none. */
void recorder_ask_again(struct recorder *recorder, uint32_t tgid, uint32_t last_number);

/* Gives process @tgid the address space @number, as long as its code covers @exec_pages pages and
 * does not change; its map was read after @epoch. Returns 0 or -errno. */
int recorder_put_space(struct recorder *recorder, uint32_t tgid, uint32_t number,
		       uint64_t exec_pages, uint64_t epoch);

/* Tells the kernel that code @code_id (wire_code_id) is part of address space @space. */
void recorder_put_code(struct recorder *recorder, uint32_t space, uint64_t code_id);

/* Show other loiters who created a thread, with the stack of that id, until the thread ends. What
 * does not fit is not shown. */
void recorder_show_birth(struct recorder *recorder, const struct wire_birth *birth);
void recorder_show_stack(struct recorder *recorder, uint64_t id,
			 const struct wire_birth_stack *stack);
void recorder_hide_birth(struct recorder *recorder, uint32_t tid);

/* Visits what is kept of each living thread, and each sum. A negative return of the visitor ends it
 * and is passed on. Returns 0 or -errno. */
int recorder_read_runs(struct recorder *recorder,
		       int (*visit)(void *arg, uint32_t tid, const struct wire_run *run),
		       void *arg);
int recorder_read_spans(struct recorder *recorder,
			int (*visit)(void *arg, const struct wire_span_key *key,
				     const struct wire_span *span),
			void *arg);

/* Visits each sum of futex calls, and the last wait of each living thread. Likewise. */
int recorder_read_futexes(struct recorder *recorder,
			  int (*visit)(void *arg, const struct wire_futex_key *key,
				       const struct wire_futex *sum),
			  void *arg);
int recorder_read_futex_waits(struct recorder *recorder,
			      int (*visit)(void *arg, uint32_t tid,
					   const struct wire_futex_wait *wait),
			      void *arg);

struct recorder_losses recorder_losses(const struct recorder *recorder);

#endif
