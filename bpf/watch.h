/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which processes are watched, what code they have, and what their threads are doing: what all
 * programs of a recording ask. */
#ifndef BPF_WATCH_H
#define BPF_WATCH_H

#include "bpf/walk.h"

#define RUN_MAX 131072
#define SPACE_MAX 16384
#define KNOWN_CODE_MAX 65536
#define WATCHED_WORDS (4194304 / 8) /* PID_MAX_LIMIT */

enum watch {
	WATCH_NO = 0,
	WATCH_YES = 1,
	WATCH_FROM_EXEC = 2, /* not yet: it is still loiter's own child */
};

/* Programs do nothing before user space sets it: the start of the window. */
volatile __u64 record_start_ns = 0;
__u64 drop_runs = 0;   /* .runs was full */
__u64 drop_spaces = 0; /* .spaces was full */

/* Counts the changes of code that were seen. An address space that user space read at one epoch
 * holds as long as no change of its process has a later one. */
__u64 code_epoch = 0;
/* By a part of the tgid: the epoch of the last change. Processes that share a slot are asked about
 * once too often. */
__u64 code_changed_at[WIRE_CHANGE_SLOTS] = {};

/* Whether every process is watched. */
const volatile bool cfg_all = false;

/* By a part of the tgid: 0 when none that shares it is, or ever was, watched. With cfg_all every
 * tgid is, but for 0 and loiter's own.
 *
 * A thread that is not watched must pay next to nothing, and what it pays is memory that is not at
 * hand: where each entry to the kernel empties the TLB, a page costs more than all instructions.
 * So each program asks this table, small and near the kernel's record of the program itself, before
 * anything else and of nothing else, in a function that is small enough to stay on the kernel's own
 * stack: one with a frame of 64 bytes has another, since 6.13: 7d1cd70d4b16 ("bpf, x86: Support
 * private stack in jit"). */
__u8 may_be_watched[WIRE_WATCH_SLOTS] = {};

/* watched: enum watch for each tgid, eight in a word so that each can be set alone. Written by user
 * space, through a mapping, and by birth.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WATCHED_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} watched SEC(".maps");

/* runs: tid -> its state. Written by the programs here, read by user space at the end. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RUN_MAX);
	__type(key, __u32);
	__type(value, struct wire_run);
} runs SEC(".maps");

/* spaces: tgid -> its address space. Made here, numbered by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SPACE_MAX);
	__type(key, __u32);
	__type(value, struct wire_space);
} spaces SEC(".maps");

/* known_code: what code an address space is known to have. Written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KNOWN_CODE_MAX);
	__type(key, struct wire_code_key);
	__type(value, __u8);
} known_code SEC(".maps");

/* Clocks of two CPUs can differ by some ns: time never runs backwards here. */
static __always_inline __u64 elapsed_ns(__u64 since, __u64 now)
{
	return now > since ? now - since : 0;
}

static __always_inline enum watch watch_of(__u32 tgid)
{
	__u32 word = tgid / 8;
	__u8 *bytes = bpf_map_lookup_elem(&watched, &word);

	return bytes ? bytes[tgid % 8] : WATCH_NO;
}

static __always_inline void set_watched(__u32 tgid, enum watch watch)
{
	__u32 word = tgid / 8;
	__u8 *bytes = bpf_map_lookup_elem(&watched, &word);

	if (bytes)
		bytes[tgid % 8] = watch;
	if (watch)
		may_be_watched[tgid % WIRE_WATCH_SLOTS] = 1;
}

static __always_inline bool is_watched(struct task_struct *task)
{
	__u32 tgid = TASK_READ(task, tgid);

	if (!may_be_watched[tgid % WIRE_WATCH_SLOTS] || watch_of(tgid) != WATCH_YES)
		return false;
	return !cfg_all || !(TASK_READ(task, flags) & TASK_PF_KTHREAD);
}

static __always_inline void code_changed(__u32 tgid)
{
	__u64 *changed_at = &code_changed_at[tgid % WIRE_CHANGE_SLOTS];
	__u64 epoch;

	/* Read again rather than fetched, which is since 5.12: 5ca419f2864a ("bpf: Add BPF_FETCH
	 * field / create atomic_fetch_add instruction"). A later epoch than the own holds as well.
	 */
	__sync_fetch_and_add(&code_epoch, 1);
	epoch = code_epoch;
	if (*changed_at < epoch)
		*changed_at = epoch;
}

static __always_inline __u64 last_change(__u32 tgid)
{
	return code_changed_at[tgid % WIRE_CHANGE_SLOTS];
}

static __always_inline void put_space(__u32 tgid, const struct wire_space *space)
{
	if (bpf_map_update_elem(&spaces, &tgid, space, BPF_ANY))
		__sync_fetch_and_add(&drop_spaces, 1);
}

/* Asks user space for the address space of @tgid, whose code covers @exec_pages pages; it was
 * @last_number. */
static __always_inline void ask_space(__u32 tgid, __u64 exec_pages, __u32 last_number)
{
	struct wire_remap remap = { .header = { WIRE_REMAP, sizeof(remap) },
				    .tgid = tgid,
				    .exec_pages = exec_pages };
	struct wire_space space = { .last_number = last_number,
				    .exec_pages = exec_pages,
				    .epoch = last_change(tgid) };

	/* Noted first: a program that is preempted as it asks would write over the answer. */
	put_space(tgid, &space);
	if (bpf_ringbuf_output(&events, &remap, sizeof(remap), wakeup_flags(true))) {
		__sync_fetch_and_add(&drop_events, 1);
		space.exec_pages = 0; /* no program has none: asked again at the next switch */
		put_space(tgid, &space);
	}
}

/* Returns the number of @task's address space, 0 while it has none. */
static __always_inline __u32 space_of(struct task_struct *task)
{
	__u32 tgid = TASK_READ(task, tgid);
	struct wire_space *space = bpf_map_lookup_elem(&spaces, &tgid);
	struct mm_struct *mm = TASK_READ(task, mm);
	__u64 exec_pages;

	if (!mm)
		return 0; /* exiting */
	exec_pages = TASK_READ(mm, exec_vm);
	if (space && space->exec_pages == exec_pages && space->epoch >= last_change(tgid))
		return space->number;
	ask_space(tgid, exec_pages,
		  space ? space->number ?: space->last_number : WIRE_SPACE_UNASKED);
	return 0;
}

/* Whether user space was asked about @tgid for the first time. Only then can it walk what is met
 * meanwhile: of a process whose code changes it will see the code of another moment. */
static __always_inline bool is_fresh(__u32 tgid)
{
	struct wire_space *space = bpf_map_lookup_elem(&spaces, &tgid);

	return space && (!space->last_number || space->last_number == WIRE_SPACE_UNASKED);
}

/* As current_stack, for who has the registers already: they cost a call. */
static __always_inline __u64 current_stack_from(struct task_struct *task, struct pt_regs *regs,
						__u32 walker)
{
	struct walk_scratch *s = bpf_map_lookup_elem(&walk_scratch, &walker);
	__u32 space, tgid = TASK_READ(task, tgid), tid = TASK_READ(task, pid);

	if (!s || TASK_READ(task, flags) & (TASK_PF_KTHREAD | TASK_PF_EXITING | TASK_PF_IO_WORKER))
		return 0; /* no user stack */
	if (!arch_regs_pc(regs) || arch_regs_compat(regs))
		return 0; /* not walked */
	space = space_of(task);
	if (!space && walker != WALKER_BIRTH && !is_fresh(tgid))
		return 0; /* counted by user space as a stack not known */
	s->space = space;
	s->stack.space = space;
	s->stack.tgid = tgid;
	s->epoch = last_change(tgid);
	arch_walk_start(s, regs);
	if (space ? walk_stack(walker, tid) : leave_walk(walker, tid))
		return 0; /* counted by user space as a stack not known */
	return s->id;
}

/* Walks the stack of the current @task. Returns its id, 0 when there is none. */
static __always_inline __u64 current_stack(struct task_struct *task, __u32 walker)
{
	return current_stack_from(task, task_regs(task), walker);
}

/* Returns the state of @task, made when this is the first event about it: until now it was in
 * @first_state. */
static __always_inline struct wire_run *run_of(struct task_struct *task, __u32 first_state,
					       __u64 now)
{
	__u32 tid = task->pid;
	struct wire_run *run = bpf_map_lookup_elem(&runs, &tid);
	struct wire_run fresh = {};

	if (run && run->start_ns == task->start_boottime)
		return run;
	if (run) /* of a thread whose end could not be told */
		__sync_fetch_and_add(&drop_events, 1);
	fresh.since_ns = now;
	fresh.first_ns = now;
	fresh.state = first_state;
	fresh.first_state = first_state;
	fresh.syscall_nr = WIRE_SYSCALL_UNKNOWN;
	fresh.tgid = task->tgid;
	fresh.start_ns = task->start_boottime;
	if (bpf_map_update_elem(&runs, &tid, &fresh, BPF_ANY))
		__sync_fetch_and_add(&drop_runs, 1);
	return bpf_map_lookup_elem(&runs, &tid);
}

#endif
