/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Address spaces of the recorded processes, numbered for the kernel's rules. Processes with the
 * same code mappings share a number, and so a forked server's children learn from each other; a
 * process whose mappings change gets another, so a rule is never used for code that it is not of.
 */
#ifndef COLLECT_SPACES_H
#define COLLECT_SPACES_H

#include <stdint.h>

#include "base/table.h"
#include "base/vec.h"
#include "capture/recorder.h"
#include "collect/snapshot.h"
#include "collect/stackset.h"
#include "collect/target.h"

struct spaces {
	struct recorder *recorder;  /* borrowed */
	struct vec list;	    /* struct target *; number n is at index n - 1; NULL: dropped */
	struct table by_signature;  /* hash of the code mappings -> index */
	struct table guesses;	    /* keys of rules that were guessed and held once */
	struct table by_tgid;	    /* -> number */
	struct table epoch_by_tgid; /* -> epoch before its map was read */
	struct table spent_by_tgid; /* -> us that reading its maps took */
	uint64_t start_ns;	    /* CLOCK_MONOTONIC */
	uint64_t kept_bytes;	    /* of the maps of .list */
	uint64_t refused_cnt;	    /* changes of code that were not looked at */
	struct walk walk;
	struct stack_memory memory;
};

void spaces_init(struct spaces *spaces, struct recorder *recorder);
void spaces_release(struct spaces *spaces);

/* Reads the map of process @tgid and tells the kernel its number, which holds as long as its code
 * covers @exec_pages pages and does not change. Returns the number, 0 when the process cannot be
 * read; or may not be for now, since that took too long already or there is no room to keep more,
 * which is counted. */
uint32_t spaces_number(struct spaces *spaces, uint32_t tgid, uint64_t exec_pages);

/* Returns the number of the address space whose code is as @maps has it, 0 when there is none. */
uint32_t spaces_find(const struct spaces *spaces, const struct maps *maps);

/* Gives back what is read of address space @number, which no living process has. When one has it
 * again, it is read again. */
void spaces_drop(struct spaces *spaces, uint32_t number);

/* Notes that process @tgid was forked by @parent_tgid: it begins with the same code. */
void spaces_inherit(struct spaces *spaces, uint32_t parent_tgid, uint32_t tgid);

/* Returns the address space @number as it was when it got that number, NULL when there is none. */
struct target *spaces_target(const struct spaces *spaces, uint32_t number);

/* Returns the last address space of process @tgid, NULL when none is known. */
struct target *spaces_target_of(const struct spaces *spaces, uint32_t tgid);

/* Teaches the kernel every stack that @snapshot saw. */
void spaces_teach_snapshot(struct spaces *spaces, const struct snapshot *snapshot);

/* Opens the files of every stack that @snapshot saw, while their processes are there: later, it may
 * be for the space to name them. */
void spaces_open_snapshot(struct spaces *spaces, const struct snapshot *snapshot);

/* Walks again what the kernel walked. Returns 1 when the pcs are the same, 0 when not, -1 when the
 * copy does not reach. */
int spaces_verify(struct spaces *spaces, const struct wire_miss *miss);

/* Finishes the walk of @miss and teaches the kernel what it lacked. Returns the walk, valid until
 * the next call, with the number of its space in @ret_number; NULL when the space is not known. */
const struct walk *spaces_finish_walk(struct spaces *spaces, const struct wire_miss *miss,
				      uint32_t *ret_number);

#endif
