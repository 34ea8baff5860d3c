/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A snapshot of every thread of the targets, without stopping any.
 *
 * Iterate over the threads and walk a copy of each one's stack; iterate again: a thread whose
 * switch counts are the same and which is on no CPU did not run in between, so its stack is true.
 * The others are tried again, one by one, so that the time between the two looks is short. Those
 * that are really running are caught by the CPU clock instead.
 */
#ifndef COLLECT_SNAPSHOT_H
#define COLLECT_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/table.h"
#include "base/vec.h"
#include "bpf/wire.h"
#include "capture/capture.h"
#include "collect/stackset.h"
#include "collect/target.h"
#include "model/loss.h"

enum entry_state {
	ENTRY_PENDING = 1, /* looked at; not yet known whether it ran meanwhile */
	ENTRY_STABLE = 2,  /* did not run between two looks */
	ENTRY_SAMPLED = 3, /* was running; the stack is a sample of the CPU clock */
};

/* One thread as it was last looked at. */
struct entry {
	enum entry_state state;
	uint32_t target; /* index */
	uint32_t generation;
	bool was_walked;
	uint32_t stack;			 /* in .stacks; STACKSET_NONE: not walked, or no room */
	uint32_t kstack;		 /* in .stacks; STACKSET_NONE */
	uint32_t seen_pass, sought_pass; /* in which it was last seen; looked for by itself */
	/* From the record: */
	uint32_t tid;
	uint32_t task_state; /* enum wire_state */
	uint32_t flags;	     /* enum wire_flag */
	char comm[WIRE_COMM_BYTES];
	uint64_t nvcsw, nivcsw;
	uint64_t start_ns;
	uint64_t now_ns;      /* CLOCK_MONOTONIC of the look */
	uint64_t ended_ns;    /* CLOCK_MONOTONIC: when its process ended; 0: it lives */
	uint64_t last_ran_ns; /* sched_clock */
	uint64_t watched_ns;  /* CLOCK_MONOTONIC: of a recording that its process came to later */
	uint64_t sp;	      /* of user code; 0: not known */
	int64_t syscall_nr;
	uint64_t syscall_arg[WIRE_SYSCALL_ARG_MAX];
};

struct snapshot {
	struct vec targets;	     /* struct target * */
	struct vec entries;	     /* struct entry */
	struct table target_by_tgid; /* -> index */
	struct table entry_by_tid;
	struct stackset stacks;
	uint64_t losses[LOSS_CNT];
	/* The moment of the first look, on each clock. */
	uint64_t mono_ns, boot_ns, wall_ns;
	int64_t sched_clock_offset_ns; /* CLOCK_MONOTONIC - sched_clock */
	bool has_kstacks;	       /* they were asked for */
};

static inline struct target *snapshot_target(const struct snapshot *snapshot, uint32_t idx)
{
	return *(struct target **)vec_at(&snapshot->targets, idx);
}

/* Whether @entry holds: it was stable or sampled, and its process runs the same code since. */
bool entry_is_settled(const struct snapshot *snapshot, const struct entry *entry);

/* Takes a snapshot of the targets of @capture into @ret. Returns 0, or -errno with @err set; @ret
 * needs snapshot_release either way. */
int snapshot_take(struct capture *capture, struct snapshot *ret, struct err *err);

/* Drops the threads and what was read for them; the moment and the clocks stay. */
void snapshot_forget_threads(struct snapshot *snapshot);
void snapshot_release(struct snapshot *snapshot);

/* Moves the threads of @later, which was taken after @snapshot and of other processes, to it, as
 * ones that are watched since @watched_ns. Returns 0 or -errno; @later is to be released either
 * way. */
int snapshot_join(struct snapshot *snapshot, struct snapshot *later, uint64_t watched_ns);

#endif
