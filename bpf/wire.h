/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The contract between the BPF programs and user space: every record that crosses is declared
 * here and nowhere else. Fixed-width fields, no pointers, no implicit padding; values are never
 * renumbered or reused.
 *
 * A record is its header followed by its body; .size_bytes counts both.
 *
 *   task iterator:  TASK [KSTACK] TASK [KSTACK] ...
 *   ring buffers:   SAMPLE; and of a recording: STACK MISS TICK EXIT REMAP VERIFY BIRTH DEATH
 */
#ifndef BPF_WIRE_H
#define BPF_WIRE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#include "bpf/futex_op.h"
#include "bpf/rule.h"

#define WIRE_COMM_BYTES 16
#define WIRE_REG_MAX 33 /* registers in the DWARF numbering of the ISA; x86-64 uses 17 */
#define WIRE_SYSCALL_ARG_MAX 6
#define WIRE_KSTACK_MAX 127	  /* frames; the kernel's own limit (PERF_MAX_STACK_DEPTH) */
#define WIRE_COPY_MAX_BYTES 32768 /* of user stack in one sample */

enum wire_type {
	WIRE_TASK = 1,
	WIRE_KSTACK = 2,
	WIRE_SAMPLE = 3,
	WIRE_STACK = 4,
	WIRE_MISS = 5,
	WIRE_TICK = 6,
	WIRE_EXIT = 7,
	WIRE_REMAP = 8,
	WIRE_VERIFY = 9,
	WIRE_BIRTH = 10,
	WIRE_DEATH = 11,
};

/* Bits of wire_task.flags and wire_sample.flags. */
enum wire_flag {
	WIRE_ON_CPU = 1 << 0,	   /* was executing when its record was made */
	WIRE_KTHREAD = 1 << 1,	   /* a kernel thread: no user space at all */
	WIRE_IO_WORKER = 1 << 2,   /* io_uring's worker in a user process: no user registers */
	WIRE_IN_IOWAIT = 1 << 3,   /* accounted as waiting for block I/O */
	WIRE_COMPAT = 1 << 4,	   /* 32-bit code: its stack is not walked */
	WIRE_EXITING = 1 << 5,	   /* in do_exit */
	WIRE_HAS_REGS = 1 << 6,	   /* .reg is filled */
	WIRE_IN_SYSCALL = 1 << 7,  /* .syscall_nr and .syscall_arg are filled */
	WIRE_KERNEL_MODE = 1 << 8, /* a sample that hit while the kernel ran for the thread */
	WIRE_IS_SELF = 1 << 9,	   /* the task is loiter itself, reading the iterator */
};

/* A thread's state, whatever the kernel's own bits are called. */
enum wire_state {
	WIRE_STATE_RUNNABLE = 1, /* running or in the run queue */
	WIRE_STATE_SLEEPING = 2, /* interruptible */
	WIRE_STATE_DISK = 3,	 /* uninterruptible: D in ps */
	WIRE_STATE_IDLE = 4,	 /* uninterruptible without load: idle kernel threads */
	WIRE_STATE_STOPPED = 5,	 /* by a signal */
	WIRE_STATE_TRACED = 6,	 /* stopped by a tracer */
	WIRE_STATE_ZOMBIE = 7,
	WIRE_STATE_DEAD = 8,
	WIRE_STATE_OTHER = 9,
};

struct wire_header {
	__u32 type;
	__u32 size_bytes;
};

/* One thread as the task iterator saw it. Counts are read after on_cpu and before the registers:
 * two records with equal counts, neither on a CPU, frame a time in which the thread did not run. */
struct wire_task {
	struct wire_header header;
	__u32 tgid; /* in the PID namespace of the reader */
	__u32 tid;
	__u32 state; /* enum wire_state */
	__u32 flags; /* enum wire_flag */
	char comm[WIRE_COMM_BYTES];
	__u64 nvcsw;
	__u64 nivcsw;
	__u64 tgid_start_ns;   /* CLOCK_BOOTTIME when the process began */
	__u64 start_ns;	       /* CLOCK_BOOTTIME when the thread began */
	__u64 last_arrival_ns; /* sched_clock when it last got a CPU */
	__u64 last_stint_ns;   /* how long it ran from then on */
	__u64 now_ns;	       /* CLOCK_MONOTONIC when the record was made */
	__u64 exec_id;	       /* counts the process's execs */
	__u64 exec_pages;      /* of code mapped: changes when libraries come and go */
	__s64 syscall_nr;
	__u64 syscall_arg[WIRE_SYSCALL_ARG_MAX];
	__u64 reg[WIRE_REG_MAX]; /* user registers, DWARF numbering */
};

/* Kernel frames of the TASK before it, leaf first. */
struct wire_kstack {
	struct wire_header header;
	__u32 tid;
	__u32 pc_cnt;
	__u64 pc[WIRE_KSTACK_MAX];
};

/* A running thread, caught by the CPU clock: user registers and a copy of its stack. */
struct wire_sample {
	struct wire_header header;
	__u32 tgid;
	__u32 tid;
	__u32 flags;
	__u32 copy_bytes;
	__u64 start_ns; /* of the thread, as in wire_task */
	__u64 time_ns;	/* CLOCK_MONOTONIC */
	__u64 exec_id;	/* as in wire_task, which tells whether its process's map still holds */
	__u64 exec_pages;
	__u64 copy_addr;
	__u64 reg[WIRE_REG_MAX];
	__u8 copy[WIRE_COPY_MAX_BYTES]; /* only .copy_bytes of it are filled */
};

#define WIRE_WALK_MAX 127	   /* frames that the walk in the kernel keeps */
#define WIRE_MISS_COPY_BYTES 16384 /* of user stack that comes with a miss */
#define WIRE_PC_EXACT                                                                              \
	(1ULL << 63)	 /* set in a pc to look up as it is; else it is a return address */
#define WIRE_HIST_CNT 28 /* buckets: below 1 us, then a power of two each */

/* Why a walk in the kernel ended: 1 to 9 are the model's enum stack_end. */
enum wire_end {
	WIRE_END_ROOT = 1,
	WIRE_END_UNREADABLE = 2,
	WIRE_END_NO_RULE = 3,
	WIRE_END_BAD_FRAME = 4,
	WIRE_END_TOO_DEEP = 5,
	WIRE_END_NO_CFI = 7,
	WIRE_END_UNLEARNED = 9, /* a pc without a rule, and user space was asked just before */
	WIRE_END_MISS = 16,	/* a pc without a rule: user space is asked for one */
};

/* What stands for the number of an address space, which has 16 bits, in stacks of the kernel. */
#define WIRE_SPACE_KERNEL 0x10000      /* of a thread that blocked: the scheduler's leaf first */
#define WIRE_SPACE_KERNEL_TICK 0x10001 /* of a thread that the clock hit: its leaf is exact */

/* A stack seen for the first time. */
struct wire_stack {
	struct wire_header header;
	__u32 tgid;
	__u32 space; /* number of the address space that its pcs are of, or WIRE_SPACE_KERNEL */
	__u64 id;    /* hash of .space and the pcs */
	__u32 end;   /* enum wire_end */
	__u32 pc_cnt;
	__u32 guessed_idx; /* first pc found without CFI; .pc_cnt when there is none */
	__u32 pad;
	__u64 pc[WIRE_WALK_MAX + 1]; /* leaf first; only .pc_cnt are sent. Those of user code have
				      * WIRE_PC_EXACT */
};

/* A walk that met a pc without a rule: what user space needs to finish it. The frames found so far
 * are .pc, the last of which is the one without a rule. */
struct wire_miss {
	struct wire_header header;
	__u32 tgid;
	__u32 tid;
	__u32 space; /* 0: not known yet; nothing was walked */
	__u32 pc_cnt;
	__u64 id; /* stands for the stack until user space knows it */
	__u64 sp; /* of the frame without a rule; the copy begins there */
	__u64 fp;
	__u64 ra_reg;
	__u64 epoch; /* of the process's code */
	__u32 guessed_idx;
	__u32 copy_bytes;
	__u64 pc[WIRE_WALK_MAX + 1];
	__u8 copy[WIRE_MISS_COPY_BYTES]; /* only .copy_bytes of it are sent */
};

/* The CPU clock hit a target's thread. */
struct wire_tick {
	struct wire_header header;
	__u32 tgid;
	__u32 tid;
	__u64 stack_id;
	__u64 kstack_id; /* 0: it hit user code, or they were not asked for */
};

/* WIRE_VERIFY has the form of a miss: a finished walk, with where it started and a copy from there.
 */

/* A thread's state, kept in the kernel while it lives. */
enum wire_run_state {
	WIRE_RUN_ON_CPU = 1,
	WIRE_RUN_BLOCKED = 2,
	WIRE_RUN_QUEUED = 3,
	WIRE_RUN_ENDED = 4, /* and its WIRE_EXIT could not be sent, or was not yet */
};

#define WIRE_WAKER_INTERRUPT 0xffffffffU /* no thread: an interrupt, such as a timer's */

/* What stands in .syscall_nr where there is no system call. */
#define WIRE_SYSCALL_NONE (-1)	    /* blocked outside of any: a page fault */
#define WIRE_SYSCALL_PREEMPTED (-2) /* not blocked at all */
#define WIRE_SYSCALL_UNKNOWN (-3)
#define WIRE_SYSCALL_STOPPED (-4) /* by a signal or a tracer, whatever call it was in */

struct wire_run {
	__u64 since_ns;		/* CLOCK_MONOTONIC when .state began */
	__u64 first_ns;		/* of the first event about the thread */
	__u64 blocked_since_ns; /* of the block that .state QUEUED follows; 0: it was preempted */
	__u64 stack_id;		/* of the last block; 0: none */
	__u64 kstack_id;	/* likewise, of the kernel; 0 unless asked for */
	__u64 waker_id;		/* stack of the thread that ended the last block; 0: none */
	__u64 on_cpu_ns, blocked_ns, queued_ns; /* totals since .first_ns */
	__s32 syscall_nr;			/* -1: none */
	__u32 syscall_op;  /* its second argument's low half: what a futex call does */
	__u32 state;	   /* enum wire_run_state */
	__u32 first_state; /* what the thread was in until .first_ns: enum wire_run_state */
	__u32 tgid;
	__u32 waker_tid; /* 0: not known; WIRE_WAKER_INTERRUPT */
	__u64 start_ns;	 /* of the thread: CLOCK_BOOTTIME */
	/* What could not be booked under its stack, for want of room. */
	__u64 unbooked_cnt, unbooked_blocked_ns, unbooked_queued_ns;
	/* Of the last program that it began, "" when it began none; of a thread that has ended, its
	 * own. One that ends can have left /proc before it is off its CPU for the last time. */
	char comm[WIRE_COMM_BYTES];
};

/* A thread ended. */
struct wire_exit {
	struct wire_header header;
	__u32 tid;
	__u32 pad;
	struct wire_run run;
};

/* A process is new, or its code mappings changed: its address space needs a number. */
struct wire_remap {
	struct wire_header header;
	__u32 tgid;
	__u32 pad;
	__u64 exec_pages; /* as it is now */
};

/* A thread was created, and with it a process when .tid is .tgid. */
struct wire_birth {
	struct wire_header header;
	__u32 tid;
	__u32 tgid;
	__u32 creator_tid;
	__u32 creator_tgid;
	__u64 start_ns; /* of the new thread: CLOCK_BOOTTIME */
	__u64 stack_id; /* of the creator; 0: not known */
	char creator_comm[WIRE_COMM_BYTES];
};

/* A thread ended; told of where there is no WIRE_EXIT. */
struct wire_death {
	struct wire_header header;
	__u32 tid;
	__u32 tgid;
	__u64 start_ns;	    /* of the thread: CLOCK_BOOTTIME */
	__u64 time_ns;	    /* CLOCK_BOOTTIME */
	__u32 with_process; /* 1: it ended because its process did */
	__s32 syscall_nr;   /* it was in that when it ended; negative: in none */
	__u32 syscall_op;   /* second argument of that */
	__u32 pad;
};

/* The stack of a thread's creator, as a recording shows it to other loiters. */
struct wire_birth_stack {
	__u32 end; /* enum stack_end of the model */
	__u32 pc_cnt;
	__u32 guessed_idx; /* first pc found without CFI; .pc_cnt when there is none */
	__u32 pad;
	__u64 pc[WIRE_WALK_MAX + 1];   /* leaf first, with WIRE_PC_EXACT */
	__u32 code[WIRE_WALK_MAX + 1]; /* what code each is of: a number for a file in its place */
};

/* Names of the maps by which they do, of tids and of stack ids. */
#define WIRE_BIRTHS_MAP "loiter_births"
#define WIRE_BIRTH_STACKS_MAP "loiter_bstacks"

/* Key and value of the table that blocks are added up in. */
struct wire_span_key {
	__u32 tid;
	__u32 start_us; /* the thread's start, low half: tells users of one tid apart */
	__u64 stack_id;
	__u64 kstack_id;
	__u64 waker_id;
	__u32 waker_tid;
	__u32 pad;
	__s32 syscall_nr;
	__u32 syscall_op;
};

struct wire_span {
	__u64 cnt;
	__u64 blocked_ns, blocked_max_ns;
	__u64 queued_ns, queued_max_ns;
	__u32 blocked_hist[WIRE_HIST_CNT];
	__u32 queued_hist[WIRE_HIST_CNT];
};

/* Key and value of the table that futex calls are added up in. */
struct wire_futex_key {
	__u64 addr;
	__u64 stack_id; /* 0: not known */
	__u32 tgid;
	__u16 op;	 /* enum wire_futex_op */
	__u16 is_shared; /* with other processes: not FUTEX_PRIVATE_FLAG */
};

struct wire_futex {
	__u64 cnt;
	__u64 total_ns, max_ns; /* from the call to its return, of those that wait */
	__u64 timeout_cnt;	/* ETIMEDOUT */
	__u64 changed_cnt;	/* EAGAIN: the futex had not the value expected */
	__u64 interrupted_cnt;	/* by a signal, or stopped */
	__u64 failed_cnt;	/* any other error */
	__u64 woken_cnt;	/* threads that were woken */
	__u64 moved_cnt;	/* threads that wait for another futex now */
	__u64 nobody_cnt;	/* calls that neither woke nor moved any */
};

/* The last wait of a thread, kept in the kernel while the thread lives. */
struct wire_futex_wait {
	__u64 since_ns; /* CLOCK_MONOTONIC; 0: it is over */
	__u64 addr;
	__u64 list;	/* of a WIRE_FUTEX_WAITV */
	__u64 stack_id; /* of the last block in it; 0: none */
	__u64 arg[2];	/* of the call, by which its restart is told */
	__u32 tgid;
	__u16 op; /* enum wire_futex_op */
	__u8 is_shared;
	__u8 may_restart; /* it was interrupted, and may go on as restart_syscall */
};

/* One learned rule. The key is written last; 0: an empty slot. */
struct wire_rule {
	__u64 key;  /* wire_rule_key */
	__u64 rule; /* struct rule */
};

#define WIRE_RULE_TABLE_BITS 17
#define WIRE_RULE_PROBES 8	/* slots to look at */
#define WIRE_RULE_PC_BITS 47	/* all addresses that a process has unless it asks for more */
#define WIRE_RULE_SPACE_BITS 16 /* of an address space's number */

/* Returns the key of the rule for @pc of address space @space, 0 when there can be none: what is
 * read off a stack can be anything. */
static inline __u64 wire_rule_key(__u32 space, __u64 pc, int exact)
{
	if (pc >> WIRE_RULE_PC_BITS)
		return 0;
	return pc | (exact ? 1ULL << WIRE_RULE_PC_BITS : 0) |
	       (__u64)space << (64 - WIRE_RULE_SPACE_BITS);
}

/* Returns the slot to look for @key in first. The top bits of the product depend on every bit of
 * the key; code of many processes lies at the same addresses. */
static inline __u32 wire_rule_slot(__u64 key)
{
	return (__u32)((key * 0x9e3779b97f4a7c15ULL) >> (64 - WIRE_RULE_TABLE_BITS));
}

#define WIRE_SPACE_UNASKED 0xffffffffU

/* The address space of a process: .number 0 means that user space was asked and has not answered.
 */
struct wire_space {
	__u32 number;
	__u32 last_number; /* the one before it was asked; WIRE_SPACE_UNASKED: there was none; 0:
			    * neither, of a program that has begun since its exec was seen */
	__u64 exec_pages;
	__u64 epoch; /* of the programs' count of code changes, before its map was read */
};

/* Code that an address space is known to have: a number for a file and where it is mapped. */
struct wire_code_key {
	__u64 code_id;
	__u64 space;
};

/* Returns the number of the code of file @inode on @dev (major << 20 | minor) that has the file's
 * first byte, mapped or not, at @base_addr; never 0. */
static inline __u64 wire_code_id(__u64 inode, __u64 dev, __u64 base_addr)
{
	__u64 hash = (inode ^ dev << 40) * 0x9e3779b97f4a7c15ULL;

	hash = ((hash ^ hash >> 32) + base_addr) * 0xff51afd7ed558ccdULL;
	return (hash ^ hash >> 32) | 1;
}

/* Slots that processes share for the last change of their code. */
#define WIRE_CHANGE_SLOTS 4096
/* Slots that they share for whether one of them may be watched. */
#define WIRE_WATCH_SLOTS 32768

_Static_assert(sizeof(struct wire_stack) == 40 + 8 * (WIRE_WALK_MAX + 1), "wire_stack");
_Static_assert(sizeof(struct wire_miss) == 72 + 8 * (WIRE_WALK_MAX + 1) + WIRE_MISS_COPY_BYTES,
	       "wire_miss");
_Static_assert(sizeof(struct wire_tick) == 32, "wire_tick");
_Static_assert(sizeof(struct wire_run) == 144, "wire_run");
_Static_assert(sizeof(struct wire_exit) == 160, "wire_exit");
_Static_assert(sizeof(struct wire_remap) == 24, "wire_remap");
_Static_assert(sizeof(struct wire_birth) == 56, "wire_birth");
_Static_assert(sizeof(struct wire_death) == 48, "wire_death");
_Static_assert(sizeof(struct wire_birth_stack) == 16 + 12 * (WIRE_WALK_MAX + 1),
	       "wire_birth_stack");
_Static_assert(sizeof(struct wire_span_key) == 48, "wire_span_key");
_Static_assert(sizeof(struct wire_span) == 264, "wire_span");
_Static_assert(sizeof(struct wire_futex_key) == 24, "wire_futex_key");
_Static_assert(sizeof(struct wire_futex) == 80, "wire_futex");
_Static_assert(sizeof(struct wire_futex_wait) == 56, "wire_futex_wait");
_Static_assert(sizeof(struct wire_rule) == 16, "wire_rule");
_Static_assert(sizeof(struct wire_space) == 24, "wire_space");
_Static_assert(sizeof(struct wire_code_key) == 16, "wire_code_key");
_Static_assert(sizeof(struct wire_header) == 8, "wire_header");
_Static_assert(sizeof(struct wire_task) == 432, "wire_task");
_Static_assert(sizeof(struct wire_kstack) == 1032, "wire_kstack");
_Static_assert(sizeof(struct wire_sample) == 328 + WIRE_COPY_MAX_BYTES, "wire_sample");

#endif
