/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Processes as /proc lists them: found by id or name, and whether they can be looked at. */
#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/vec.h"

#define PROCESS_MAX 65536
#define PROCESS_STATUS_MAX_BYTES (1 << 20) /* with all the groups that the kernel allows */

/* Checks that @tgid is a process with a user side to look at. Returns 0, or -errno with @err set:
 * -ESRCH (no such process), -EINVAL (a thread's id, a kernel thread, a zombie). */
int process_check(pid_t tgid, struct err *err);

/* Returns whether nothing is left to look at of process @tgid; not when that cannot be told. */
bool process_has_ended(pid_t tgid);

/* Appends to @tgids (elements: pid_t) every user process whose command name or executable's base
 * name is @name, though the file may be gone; all of them when @name is NULL. The caller itself and
 * kernel threads are left out. Returns 0, or -errno with @err set. */
int process_find(const char *name, struct vec *tgids, struct err *err);

/* Sorts the processes @tgids (pid_t), and leaves each once. */
void process_unique(struct vec *tgids);

/* Writes how often thread @tid of process @tgid was switched out in its life to @ret_cnt. Returns 0
 * or -errno. */
int process_thread_switches(pid_t tgid, pid_t tid, uint64_t *ret_cnt);

/* Returns the id of a thread of process @tgid other than its main one, 0 when there is none. */
pid_t process_other_thread(pid_t tgid);

/* Writes the name of thread @tid of process @tgid to @comm, "" when it cannot be read. */
void process_comm(pid_t tgid, pid_t tid, char *comm, size_t len);

/* Writes the path of @tgid's executable to @path, "" when it has none or cannot be read. */
void process_exe(pid_t tgid, char *path, size_t len);

#endif
