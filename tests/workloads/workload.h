/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What every workload shares: it starts, brings itself into its steady state, prints `ready` once
 * and runs until SIGTERM, or until its stdin ends when that is a pipe.
 */
#ifndef WORKLOADS_WORKLOAD_H
#define WORKLOADS_WORKLOAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A function that keeps a frame of its own, under its own name, at every level of optimisation. */
#if defined(__has_attribute)
#if __has_attribute(noipa)
#define FRAME __attribute__((noipa))
#endif
#endif
#ifndef FRAME
#define FRAME __attribute__((noinline))
#endif

/* Prints what failed, with errno, and exits with status 1. */
void die(const char *what) __attribute__((noreturn));

/* Parses @text, or dies. */
long parse_long(const char *text, long min, long max);

/* Names the calling thread. */
void name_thread(const char *name);

pid_t own_tid(void);
uint64_t mono_ns(void);

/* Starts a thread with @stack_bytes of stack (0: the default), or dies. */
pthread_t start_thread_of(void *(*run)(void *), void *arg, size_t stack_bytes);

/* Blocks SIGTERM and SIGUSR1 for the calling thread and those it will start, so that only
 * wait_for_stop() takes them. To be called first. */
void workload_init(void);

/* Whether thread @tid of this process is blocked, or gone. */
bool is_blocked(pid_t tid);

/* Waits until every thread but the calling one and @except (a tid, or 0) is blocked and none of
 * them ran between two looks. */
void wait_settled(pid_t except);

/* Prints `ready`. */
void print_ready(void);

/* Returns at SIGTERM or at the end of a piped stdin; calls @on_usr1 (or NULL) at each SIGUSR1. */
void wait_for_stop(void (*on_usr1)(void));

/* Whether stdin is a pipe and has ended, after @wait_ms at most; for those that cannot stay in
 * wait_for_stop(). */
bool stdin_ended(int wait_ms);

/* Starts a process that sleeps until the calling thread ends, or dies. Returns its pid. */
pid_t start_sleeping_child(void);

/* Makes this process die when its parent thread does; safe after vfork. */
void die_with_parent(void);

/* A time span that does not end while anybody looks. */
extern const struct timespec forever;

/* CLOCK_REALTIME in a year. */
struct timespec next_year(void);

#ifdef __cplusplus
}
#endif

#endif
