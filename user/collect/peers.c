/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "collect/peers.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/vec.h"
#include "proc/net.h"
#include "proc/process.h"

#define NAMESPACE_MAX 256
#define COMM_MAX_BYTES 64
#define PROTO_MAX_BYTES 32

/* One network namespace, known by the inode of its file; .net is NULL when memory ran out. */
struct namespace
{
	ino_t inode;
	struct net *net;
};

struct peers {
	struct fd_holders *holders;
	struct vec namespaces; /* struct namespace */
};

struct peers *peers_new(void)
{
	struct peers *peers = calloc(1, sizeof(*peers));

	if (!peers)
		return NULL;
	vec_init(&peers->namespaces, sizeof(struct namespace), NAMESPACE_MAX);
	peers->holders = fd_holders_new();
	if (!peers->holders) {
		peers_free(peers);
		return NULL;
	}
	return peers;
}

void peers_free(struct peers *peers)
{
	if (!peers)
		return;
	for (uint32_t i = 0; i < peers->namespaces.len; i++)
		net_free(((struct namespace *)vec_at(&peers->namespaces, i))->net);
	vec_release(&peers->namespaces);
	fd_holders_free(peers->holders);
	free(peers);
}

/* Returns the sockets that @tgid can see, or NULL. */
static struct net *find_net(struct peers *peers, pid_t tgid)
{
	struct namespace *space;
	struct stat st, own;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", tgid);
	if (stat(path, &st))
		return NULL;
	for (uint32_t i = 0; i < peers->namespaces.len; i++) {
		space = vec_at(&peers->namespaces, i);
		if (space->inode == st.st_ino)
			return space->net;
	}
	space = vec_push(&peers->namespaces);
	if (!space)
		return NULL;
	space->inode = st.st_ino;
	space->net = net_new();
	if (!space->net)
		return NULL;
	net_read(space->net, tgid, !stat("/proc/self/ns/net", &own) && own.st_ino == st.st_ino);
	return space->net;
}

/* Appends ", PHRASE its own fd 8 and 1 other process" or ", PHRASE cat 1234" for those of the @cnt
 * @holders that are @wanted. Its own end comes first: a reader that kept it open never sees the
 * end of the file. */
static void append_holders(const struct fd_holder *holders, uint32_t cnt, pid_t tgid, int own_fd,
			   bool (*wanted)(const struct fd_holder *), const char *phrase, char *text,
			   size_t len)
{
	const struct fd_holder *first = NULL, *own = NULL;
	uint32_t other_cnt = 0, last_tgid = 0;
	size_t at = strlen(text);
	char comm[COMM_MAX_BYTES];

	for (uint32_t i = 0; i < cnt; i++) {
		const struct fd_holder *holder = &holders[i];

		if (!wanted(holder) || (holder->tgid == (uint32_t)tgid && holder->fd == own_fd))
			continue;
		if (holder->tgid == (uint32_t)tgid) {
			own = own ? own : holder;
		} else if (holder->tgid != last_tgid) { /* holders are ordered by process */
			last_tgid = holder->tgid;
			first = first ? first : holder;
			other_cnt++;
		}
	}
	if (own) {
		at += (size_t)snprintf(text + at, len - at, ", %s its own fd %d", phrase, own->fd);
	} else if (first) {
		process_comm((pid_t)first->tgid, (pid_t)first->tgid, comm, sizeof(comm));
		at += (size_t)snprintf(text + at, len - at, ", %s %s %u", phrase,
				       comm[0] ? comm : "process", first->tgid);
		other_cnt--;
	}
	if (other_cnt && at < len)
		snprintf(text + at, len - at, " and %u other process%s", other_cnt,
			 other_cnt > 1 ? "es" : "");
}

static bool is_reader(const struct fd_holder *holder)
{
	return holder->readable;
}

static bool is_writer(const struct fd_holder *holder)
{
	return holder->writable;
}

static bool is_any(const struct fd_holder *holder)
{
	(void)holder;
	return true;
}

static void describe_pipe(struct peers *peers, pid_t tgid, int fd, const struct fd_target *target,
			  char *text, size_t len)
{
	const struct fd_holder *holders;
	uint32_t cnt;
	bool reads = false, writes = false;

	snprintf(text, len, "pipe");
	holders = fd_holders_find(peers->holders, tgid, FD_PIPE, target->inode, &cnt);
	for (uint32_t i = 0; i < cnt; i++) {
		if (holders[i].tgid != (uint32_t)tgid || holders[i].fd != fd)
			continue;
		reads = holders[i].readable;
		writes = holders[i].writable;
	}
	if (reads)
		append_holders(holders, cnt, tgid, fd, is_writer, "written by", text, len);
	else if (writes)
		append_holders(holders, cnt, tgid, fd, is_reader, "read by", text, len);
}

/* Writes the protocol of a socket as the kernel names it, such as "NETLINK"; "" when not known. */
static void read_protocol(pid_t tgid, int fd, char proto[PROTO_MAX_BYTES])
{
	char path[64];
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", tgid, fd);
	got = getxattr(path, "system.sockprotoname", proto, PROTO_MAX_BYTES - 1);
	proto[got > 0 ? got : 0] = '\0';
}

/* Whether @text cannot be of a socket of @proto: lines of unix sockets can be forged also for
 * sockets that have none themselves. */
static bool is_forged(const char *text, const char *proto)
{
	return !strncmp(text, "unix", 4) && proto[0] && strncmp(proto, "UNIX", 4) != 0;
}

static void describe_socket(struct peers *peers, pid_t tgid, int fd, const struct fd_target *target,
			    char *text, size_t len)
{
	struct net *net = find_net(peers, tgid);
	char peer_text[NET_TEXT_BYTES], proto[PROTO_MAX_BYTES];
	const struct fd_holder *holders;
	uint64_t peer;
	uint32_t cnt;
	size_t at;

	read_protocol(tgid, fd, proto);
	if (!net || !net_describe(net, target->inode, text, len) || is_forged(text, proto)) {
		snprintf(text, len, "%s%ssocket", proto, proto[0] ? " " : "");
		return;
	}
	if (!net_unix_peer(net, target->inode, &peer))
		return;
	if (net_describe(net, peer, peer_text, sizeof(peer_text)) && peer_text[4] == ' ') {
		at = strlen(text);
		snprintf(text + at, len - at, " -> %s", peer_text + 5);
	}
	holders = fd_holders_find(peers->holders, tgid, FD_SOCKET, peer, &cnt);
	append_holders(holders, cnt, tgid, fd, is_any, "other end held by", text, len);
}

void peers_describe(struct peers *peers, pid_t tgid, int fd, const struct fd_target *target,
		    char *text, size_t len)
{
	if (target->type == FD_PIPE)
		describe_pipe(peers, tgid, fd, target, text, len);
	else
		describe_socket(peers, tgid, fd, target, text, len);
}
