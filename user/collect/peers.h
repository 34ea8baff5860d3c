/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Who is at the other end of pipes and sockets. One table serves all processes of a run, since what
 * it takes (every process's descriptors, each network namespace's sockets) is read once, and only
 * when a thread waits on such a file.
 */
#ifndef COLLECT_PEERS_H
#define COLLECT_PEERS_H

#include <stddef.h>
#include <sys/types.h>

#include "proc/fds.h"

struct peers;

/* Returns a table that has read nothing yet, or NULL (errno set). */
struct peers *peers_new(void);
void peers_free(struct peers *peers);

/* Writes what the pipe or socket @target, descriptor @fd of @tgid, is in words to @text, as far as
 * can be told: "pipe, written by cat 1234", "tcp 127.0.0.1:80 -> 127.0.0.1:51234",
 * "unix /run/x.sock, other end held by cat 1234", "socket". */
void peers_describe(struct peers *peers, pid_t tgid, int fd, const struct fd_target *target,
		    char *text, size_t len);

#endif
