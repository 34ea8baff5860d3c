/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The contract between the BPF programs and user space: every record that crosses is declared
 * here and nowhere else. Fixed-width fields, no pointers, no implicit padding; values are never
 * renumbered or reused.
 *
 * A record is its header followed by its body; .size_bytes counts both.
 *
 *   task iterator:  TASK [KSTACK] TASK [KSTACK] ...
 *   ring buffer:    SAMPLE
 */
#ifndef BPF_WIRE_H
#define BPF_WIRE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define WIRE_COMM_BYTES 16
#define WIRE_REG_MAX 33 /* registers in the DWARF numbering of the ISA; x86-64 uses 17 */
#define WIRE_SYSCALL_ARG_MAX 6
#define WIRE_KSTACK_MAX 127	  /* frames; the kernel's own limit (PERF_MAX_STACK_DEPTH) */
#define WIRE_COPY_MAX_BYTES 32768 /* of user stack in one sample */

enum wire_type {
	WIRE_TASK = 1,
	WIRE_KSTACK = 2,
	WIRE_SAMPLE = 3,
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

_Static_assert(sizeof(struct wire_header) == 8, "wire_header");
_Static_assert(sizeof(struct wire_task) == 432, "wire_task");
_Static_assert(sizeof(struct wire_kstack) == 1032, "wire_kstack");
_Static_assert(sizeof(struct wire_sample) == 328 + WIRE_COPY_MAX_BYTES, "wire_sample");

#endif
