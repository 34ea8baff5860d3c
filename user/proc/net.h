/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The sockets of a network namespace, by inode, in words: /proc/PID/net/{tcp,tcp6,udp,udp6}, and
 * for unix sockets, their names and other ends, sock_diag(7). That answers for our own namespace
 * alone; in others, names are those of /proc/PID/net/unix, and there are no other ends.
 *
 *   "tcp 127.0.0.1:6379 -> 127.0.0.1:51234"   "tcp [::]:80 listening"
 *   "udp 0.0.0.0:53"                          "unix /run/x.sock"
 */
#ifndef PROC_NET_H
#define PROC_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NET_SOCKET_MAX (1u << 18)
#define NET_TEXT_BYTES 256 /* enough for any socket in words */

struct net;

enum net_proto {
	NET_TCP,
	NET_TCP6,
	NET_UDP,
	NET_UDP6,
	NET_UNIX,
};

/* Returns an empty table, or NULL (errno set). */
struct net *net_new(void);
void net_free(struct net *net);

/* Adds the sockets of the network namespace of @tgid, which is our own when @is_ours. Files that
 * cannot be read add nothing. Returns 0, or the -errno of the first failure. */
int net_read(struct net *net, pid_t tgid, bool is_ours);

/* Adds the socket of one @line of the file of @proto. Of a unix socket that two lines tell
 * different things of, neither is kept: it has no name. Returns 0, -EINVAL (no such line: a
 * heading, or not what the kernel writes), -E2BIG or -ENOMEM. */
int net_parse_line(struct net *net, enum net_proto proto, const char *line);

/* Writes the socket @inode in words to @text. Returns 1 when it is known, else 0 and "". */
int net_describe(const struct net *net, uint64_t inode, char *text, size_t len);

/* Adds the unix sockets of one reply of sock_diag, @len bytes at @reply. Returns 1 when more
 * follow, 0 at the end, or -errno. */
int net_parse_unix_diag(struct net *net, const void *reply, size_t len);

/* Writes the inode at the other end of unix socket @inode. Returns 1 when it is known, else 0. */
int net_unix_peer(const struct net *net, uint64_t inode, uint64_t *ret_peer);

/* Writes the address in the @addr_bytes bytes of a struct sockaddr at @addr to @text:
 * "10.0.0.1:80", "unix /run/x.sock". Returns 1 when its family is known, else 0 and "". */
int net_format_sockaddr(const void *addr, size_t addr_bytes, char *text, size_t len);

#endif
