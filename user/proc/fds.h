/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What a process's file descriptors are, and which processes hold a pipe or a socket: the links in
 * /proc/PID/fd. Paths are the targets' own words: bounded here, cleaned by who prints them.
 */
#ifndef PROC_FDS_H
#define PROC_FDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FD_PATH_BYTES 256  /* longer paths are cut */
#define FD_SCAN_MAX 200000 /* descriptors that one scan of all processes looks at */

enum fd_type {
	FD_FILE = 1,
	FD_PIPE = 2,
	FD_SOCKET = 3,
	FD_ANON = 4, /* eventfd, epoll and the like */
};

struct fd_target {
	enum fd_type type;
	uint64_t inode;		  /* of a pipe or a socket */
	char path[FD_PATH_BYTES]; /* of a file; what an anonymous one is, such as "eventfd" */
};

/* Reads what descriptor @fd of @tgid is. Returns 0, -ENOENT (not open), -ESRCH (no such process),
 * or another -errno. */
int fds_read(pid_t tgid, int fd, struct fd_target *ret_target);

/* Whether descriptor @fd of @tgid is a regular file. Asks no server of a network file system; false
 * when it cannot be told. */
bool fds_is_regular(pid_t tgid, int fd);

/* Tells what a descriptor is from its link's text, which need not be complete. */
void fds_parse_link(const char *link, struct fd_target *ret_target);

/* Counts the descriptors that epoll descriptor @fd of @tgid watches into @ret_cnt.
 * Returns 0 or -errno; -E2BIG: more than could be read, @ret_cnt is the count so far. */
int fds_count_epoll(pid_t tgid, int fd, uint32_t *ret_cnt);

/* Counts the "tfd:" lines of a fdinfo file's text. */
uint32_t fds_parse_epoll(const char *text);

/* Who holds which pipes and sockets, in all processes, as one scan found it. */
struct fd_holders;

struct fd_holder {
	uint64_t inode;
	uint32_t tgid;
	int32_t fd;
	uint8_t type; /* enum fd_type */
	bool readable, writable;
};

/* Returns a table that is filled when it is first asked, or NULL (errno set). */
struct fd_holders *fd_holders_new(void);
void fd_holders_free(struct fd_holders *holders);

/* Returns the holders of the pipe or socket @inode, @ret_cnt of them, by process; NULL when none is
 * known. The first call scans /proc, @first_tgid before the others. Valid as long as @holders. */
const struct fd_holder *fd_holders_find(struct fd_holders *holders, pid_t first_tgid,
					enum fd_type type, uint64_t inode, uint32_t *ret_cnt);

#endif
