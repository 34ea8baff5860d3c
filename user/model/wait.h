/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What a thread waits in: one kind for each way to block, named as Go names it where the two mean
 * the same. Pure: works on names and numbers that others collected.
 */
#ifndef MODEL_WAIT_H
#define MODEL_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* Values are stored in captures: never renumbered. */
enum wait_kind {
	WAIT_NONE = 0,
	WAIT_RUNNING = 1,
	WAIT_RUNNABLE = 2,
	WAIT_MUTEX = 3,
	WAIT_RWLOCK = 4,
	WAIT_COND = 5,
	WAIT_SEM = 6,
	WAIT_BARRIER = 7,
	WAIT_JOIN = 8,
	WAIT_ONCE = 9,
	WAIT_SLEEP = 10,
	WAIT_SELECT = 11,
	WAIT_READ = 12,
	WAIT_WRITE = 13,
	WAIT_ACCEPT = 14,
	WAIT_CONNECT = 15,
	WAIT_RECV = 16,
	WAIT_SEND = 17,
	WAIT_CHILD = 18,
	WAIT_SIGNAL = 19,
	WAIT_DISK = 20,
	WAIT_PAGE_FAULT = 21,
	WAIT_IO_URING = 22,
	WAIT_STOPPED = 23,
	WAIT_ZOMBIE = 24,
	WAIT_SYSCALL = 25, /* any other: reported under the system call's own name */
	WAIT_FUTEX = 26,   /* a futex of no known kind */
	WAIT_PARK = 27,	   /* a runtime parks its thread (Go's, Rust's park) */
	WAIT_KIND_CNT,
};

#define WAIT_SYSCALL_ARG_MAX 6

/* All that is known of one thread's wait. */
struct wait_evidence {
	bool running, runnable, stopped, zombie;
	bool uninterruptible; /* state D */
	bool in_iowait;
	bool io_worker;	     /* an io_uring worker thread */
	bool in_syscall;     /* false while blocked: a page fault */
	const char *syscall; /* its name, NULL when unknown */
	uint64_t arg[WAIT_SYSCALL_ARG_MAX];
	/* Function names, leaf first, NULL where none is known; mangled or demangled. */
	const char *const *funcs;
	uint32_t func_cnt;
	/* Likewise of the kernel; none when they were not asked for. */
	const char *const *kernel_funcs;
	uint32_t kernel_func_cnt;
};

/* Returns the kind of wait that @evidence shows. */
enum wait_kind wait_classify(const struct wait_evidence *evidence);

/* Whether a thread can wait in the system call @syscall; for the lock of its memory map does not
 * count, nor does its process's end. What becomes of "futex" is up to its arguments, which are not
 * asked for here. */
bool wait_can_block(const char *syscall);

/* Returns the name of @kind as reports print it, such as "mutex lock"; for WAIT_SYSCALL the
 * caller prints the system call's own name. */
const char *wait_name(enum wait_kind kind);

/* Whether a thread in @kind is idle: waiting for work from outside rather than for another thread
 * (what --no-idle leaves out). */
bool wait_is_idle(enum wait_kind kind);

/* Whether the function @func of module @module (path or NULL) is plumbing of libc, the threading
 * library or the language runtime, which the grouped report folds into the wait's name. */
bool wait_is_runtime_frame(const char *func, const char *module);

#endif
