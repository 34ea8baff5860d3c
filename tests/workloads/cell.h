/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Threads that know their own truth. A cell is a thread that blocks for ever in one known way; on
 * its way down it notes function and line of each of the workload's own frames, so that a test can
 * compare what an observer says with what is so. Before `ready` one line a thread is printed, tabs
 * between the fields, the stack leaf first:
 *
 *   truth TID NAME KIND FUNCTION LINE FUNCTION:LINE FUNCTION:LINE...
 *
 * KIND is the name of the wait, or `-` when several names would be right.
 */
#ifndef WORKLOADS_CELL_H
#define WORKLOADS_CELL_H

#include <pthread.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "workload.h"

struct cell_type {
	const char *name;
	void (*run)(void); /* blocks for ever by BLOCK */
};

/* Notes the calling frame, then evaluates @call, which leads further down. */
#define VIA(call)                                                                                  \
	do {                                                                                       \
		cell_enter(__func__, __LINE__);                                                    \
		call;                                                                              \
		cell_leave();                                                                      \
	} while (0)

/* Notes the calling frame and that it blocks in @call as @kind. A call that returns is repeated:
 * signals and debuggers interrupt some of them. */
#define BLOCK(kind, call)                                                                          \
	do {                                                                                       \
		cell_enter(__func__, __LINE__);                                                    \
		cell_block(kind);                                                                  \
		do {                                                                               \
			(void)!(call);                                                             \
		} while (cell_again());                                                            \
		cell_leave();                                                                      \
	} while (0)

void cell_enter(const char *func, int line);
void cell_leave(void);
void cell_block(const char *kind);

/* True, until the call has come back so often that it evidently does not block: dies then. */
int cell_again(void);

/* The thread of the cell that was started before this one. */
pthread_t cell_previous(void);

/* Starts one cell of @type and returns when it is about to block. */
void cell_start_one(const struct cell_type *type);

/* Starts cells of @types in turn until the process has @thread_cnt threads and each type at least
 * one, waits until all are blocked, prints the truth and `ready`, and returns when told to stop. */
void cells_run(const struct cell_type *types, size_t type_cnt, long thread_cnt);

#ifdef __cplusplus
}
#endif

#endif
