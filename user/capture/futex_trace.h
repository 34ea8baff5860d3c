/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The tracepoints of the system calls that wait for futexes and wake their waiters, and the tables
 * that their programs fill. While programs are attached to any system call's tracepoint, the kernel
 * takes a longer way through every system call of every process: they are for those reports only
 * that need them.
 */
#ifndef CAPTURE_FUTEX_TRACE_H
#define CAPTURE_FUTEX_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "bpf/wire.h"

struct bpf_program;

#define FUTEX_TRACE_LINKS_MAX 16

/* Attaches @enter and @exit to all of them that this kernel has. The links are added to @links
 * (struct bpf_link *), also when it fails. Returns 0 or -errno (-ENOENT: it has none). */
int futex_trace_attach(struct vec *links, struct bpf_program *enter, struct bpf_program *exit);

/* Writes "futex, futex_waitv", the names of those that this kernel has, to @text. Returns 0, or
 * -errno when the first is not to be had, without which there is nothing to see (-ENOENT: this
 * kernel does not have it). */
int futex_trace_probe(char *text, size_t len);

/* Visit what is in the tables of the map @map_fd; what cannot be true is counted in @bad_cnt. A
 * negative return of the visitor ends it and is passed on. Return 0 or -errno. */
int futex_trace_read_sums(int map_fd,
			  int (*visit)(void *arg, const struct wire_futex_key *key,
				       const struct wire_futex *sum),
			  void *arg, uint64_t *bad_cnt);
int futex_trace_read_waits(int map_fd,
			   int (*visit)(void *arg, uint32_t tid,
					const struct wire_futex_wait *wait),
			   void *arg, uint64_t *bad_cnt);

#endif
