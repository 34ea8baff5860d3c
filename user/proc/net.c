/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The paths in /proc/PID/net/unix may hold anything, also a newline and what looks like another
 * socket's line, and anybody may bind to one. Names are taken from there only where sock_diag does
 * not answer, and then not for a socket of which two lines say different things.
 */
#include "proc/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "base/table.h"
#include "base/vec.h"

#define LINE_BYTES 512 /* longer than any line of these files */
#define PATHS_MAX_BYTES (8u << 20)
#define FIELD_MAX 12
#define TCP_STATE_LISTEN 10
#define DIAG_REPLY_BYTES 32768
#define DIAG_TIMEOUT_S 2

struct net_socket {
	uint8_t family; /* AF_INET, AF_INET6, AF_UNIX */
	bool tcp;
	bool listening;
	bool whole; /* told by sock_diag: no line of text can add to it */
	uint16_t local_port, remote_port;
	uint8_t local_addr[16], remote_addr[16];
	uint32_t path_off; /* of a unix socket, in .paths */
};

struct net {
	struct vec sockets; /* struct net_socket */
	struct buf paths;   /* each with its NUL; starts with "" */
	struct table by_inode;
	struct table peer_by_inode;
};

struct field {
	const char *text;
	size_t len;
};

struct net *net_new(void)
{
	struct net *net = calloc(1, sizeof(*net));

	if (!net)
		return NULL;
	vec_init(&net->sockets, sizeof(struct net_socket), NET_SOCKET_MAX);
	buf_init(&net->paths, PATHS_MAX_BYTES);
	table_init(&net->by_inode, NET_SOCKET_MAX);
	table_init(&net->peer_by_inode, NET_SOCKET_MAX);
	if (buf_put(&net->paths, "", 1)) {
		net_free(net);
		errno = ENOMEM;
		return NULL;
	}
	return net;
}

void net_free(struct net *net)
{
	if (!net)
		return;
	vec_release(&net->sockets);
	buf_release(&net->paths);
	table_release(&net->by_inode);
	table_release(&net->peer_by_inode);
	free(net);
}

/* Splits @line at blanks into at most @max fields; the last has the rest of the line. */
static size_t split_fields(const char *line, struct field *fields, size_t max)
{
	size_t cnt = 0;

	while (cnt < max) {
		line += strspn(line, " ");
		if (!*line || *line == '\n')
			break;
		fields[cnt].text = line;
		fields[cnt].len = strcspn(line, cnt + 1 < max ? " \n" : "\n");
		line += fields[cnt].len;
		cnt++;
	}
	return cnt;
}

static int parse_field_u64(const struct field *field, uint64_t *ret)
{
	char digits[24];

	if (field->len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, field->text, field->len);
	digits[field->len] = '\0';
	return parse_u64(digits, 0, UINT64_MAX, ret);
}

/* Parses exactly @digit_cnt hexadecimal digits. */
static int parse_hex(const char *text, size_t digit_cnt, uint32_t *ret)
{
	uint32_t value = 0;

	for (size_t i = 0; i < digit_cnt; i++) {
		char c = text[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint32_t)(c - '0');
		else if (c >= 'A' && c <= 'F')
			value = value << 4 | (uint32_t)(c - 'A' + 10);
		else
			return -EINVAL;
	}
	*ret = value;
	return 0;
}

/* Parses "0100007F:18EB": the address in words of the host's byte order, and the port. */
static int parse_addr(const struct field *field, size_t word_cnt, uint8_t *ret_addr,
		      uint16_t *ret_port)
{
	uint32_t word, port;

	if (field->len != word_cnt * 8 + 5 || field->text[word_cnt * 8] != ':')
		return -EINVAL;
	for (size_t i = 0; i < word_cnt; i++) {
		if (parse_hex(field->text + i * 8, 8, &word))
			return -EINVAL;
		memcpy(ret_addr + i * 4, &word, 4);
	}
	if (parse_hex(field->text + word_cnt * 8 + 1, 4, &port))
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

/* "  sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode"
 */
static int parse_inet(const char *line, enum net_proto proto, struct net_socket *ret,
		      uint64_t *ret_inode)
{
	size_t word_cnt = proto == NET_TCP6 || proto == NET_UDP6 ? 4 : 1;
	struct field fields[FIELD_MAX];
	uint32_t state;

	if (split_fields(line, fields, FIELD_MAX) < 10 || fields[3].len != 2 ||
	    parse_addr(&fields[1], word_cnt, ret->local_addr, &ret->local_port) ||
	    parse_addr(&fields[2], word_cnt, ret->remote_addr, &ret->remote_port) ||
	    parse_hex(fields[3].text, 2, &state) || parse_field_u64(&fields[9], ret_inode))
		return -EINVAL;
	ret->family = word_cnt == 4 ? AF_INET6 : AF_INET;
	ret->tcp = proto == NET_TCP || proto == NET_TCP6;
	ret->listening = ret->tcp && state == TCP_STATE_LISTEN;
	return 0;
}

static int add_path(struct net *net, const char *path, size_t len, uint32_t *ret_off)
{
	uint32_t off = (uint32_t)net->paths.len;
	int err = len ? buf_put(&net->paths, path, len) : 0;

	if (!err && len)
		err = buf_put(&net->paths, "", 1);
	if (!err)
		*ret_off = len ? off : 0;
	return err;
}

/* "Num RefCount Protocol Flags Type St Inode Path", the path with blanks and all, or none. */
static int parse_unix(struct net *net, const char *line, struct net_socket *ret,
		      uint64_t *ret_inode)
{
	struct field fields[8];
	size_t cnt = split_fields(line, fields, 8);
	uint32_t flags;

	if (cnt < 7 || fields[3].len != 8 || parse_hex(fields[3].text, 8, &flags) ||
	    parse_field_u64(&fields[6], ret_inode))
		return -EINVAL;
	ret->family = AF_UNIX;
	ret->listening = flags & 1 << 16; /* __SO_ACCEPTCON */
	return cnt < 8 ? 0 : add_path(net, fields[7].text, fields[7].len, &ret->path_off);
}

static int add_socket(struct net *net, uint64_t inode, const struct net_socket *socket)
{
	uint32_t idx = net->sockets.len;
	int err = vec_append(&net->sockets, socket, 1);

	return err ? err : table_put(&net->by_inode, inode, idx);
}

/* Takes back what was said of @known, a unix socket, when @other is told of the same one: one of
 * the two is forged, and which cannot be known. */
static void doubt_unix(const struct net *net, struct net_socket *known,
		       const struct net_socket *other)
{
	if (known->whole || known->family != AF_UNIX || other->family != AF_UNIX)
		return;
	if (known->listening == other->listening &&
	    !strcmp(net->paths.data + known->path_off, net->paths.data + other->path_off))
		return;
	known->path_off = 0;
	known->listening = false;
}

int net_parse_line(struct net *net, enum net_proto proto, const char *line)
{
	struct net_socket socket = { 0 };
	uint64_t inode;
	uint32_t idx;
	int err;

	err = proto == NET_UNIX ? parse_unix(net, line, &socket, &inode)
				: parse_inet(line, proto, &socket, &inode);
	/* Inode 0: no file has it any more, such as a connection in TIME_WAIT. */
	if (err || !inode)
		return err;
	if (table_find(&net->by_inode, inode, &idx)) {
		doubt_unix(net, vec_at(&net->sockets, idx), &socket);
		return 0;
	}
	return add_socket(net, inode, &socket);
}

static int read_file(struct net *net, pid_t tgid, enum net_proto proto, const char *name)
{
	_cleanup_fclose_ FILE *file = NULL;
	bool at_start = true;
	char line[LINE_BYTES];

	snprintf(line, sizeof(line), "/proc/%d/net/%s", tgid, name);
	file = fopen(line, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		int err = at_start ? net_parse_line(net, proto, line) : 0;

		if (err && err != -EINVAL)
			return err;
		at_start = strchr(line, '\n');
	}
	return 0;
}

/* Writes "1.2.3.4:80" or "[::1]:80". */
static void format_inet(int family, const uint8_t *addr, uint16_t port, char *text, size_t len)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char host[INET6_ADDRSTRLEN];

	if (family == AF_INET6 && !memcmp(addr, mapped, sizeof(mapped))) {
		family = AF_INET;
		addr += sizeof(mapped);
	}
	if (!inet_ntop(family, addr, host, sizeof(host)))
		host[0] = '\0';
	snprintf(text, len, family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port);
}

int net_describe(const struct net *net, uint64_t inode, char *text, size_t len)
{
	char local[INET6_ADDRSTRLEN + 8], remote[INET6_ADDRSTRLEN + 8];
	const struct net_socket *socket;
	const char *path, *name;
	uint32_t idx;

	text[0] = '\0';
	if (!table_find(&net->by_inode, inode, &idx))
		return 0;
	socket = vec_at(&net->sockets, idx);
	if (socket->family == AF_UNIX) {
		path = net->paths.data + socket->path_off;
		snprintf(text, len, "unix%s%s%s", *path ? " " : "", path,
			 socket->listening ? " listening" : "");
		return 1;
	}
	name = socket->tcp ? "tcp" : "udp";
	format_inet(socket->family, socket->local_addr, socket->local_port, local, sizeof(local));
	format_inet(socket->family, socket->remote_addr, socket->remote_port, remote,
		    sizeof(remote));
	if (socket->listening)
		snprintf(text, len, "%s %s listening", name, local);
	else if (socket->remote_port)
		snprintf(text, len, "%s %s -> %s", name, local, remote);
	else
		snprintf(text, len, "%s %s", name, local);
	return 1;
}

int net_unix_peer(const struct net *net, uint64_t inode, uint64_t *ret_peer)
{
	uint32_t peer;

	if (!table_find(&net->peer_by_inode, inode, &peer))
		return 0;
	*ret_peer = peer;
	return 1;
}

/* Adds the unix socket of @msg, whose name is the @len bytes at @name. As in /proc/PID/net/unix, a
 * NUL of an abstract name, which begins with one, is an '@'. */
static int add_unix(struct net *net, const struct unix_diag_msg *msg, const char *name, size_t len)
{
	struct net_socket socket = { .family = AF_UNIX,
				     .listening = msg->udiag_state == TCP_STATE_LISTEN,
				     .whole = true };
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	uint32_t idx;
	int err;

	if (!msg->udiag_ino || table_find(&net->by_inode, msg->udiag_ino, &idx))
		return 0;
	if (len > sizeof(path))
		len = sizeof(path);
	if (len && name[0])
		len = strnlen(name, len);
	for (size_t i = 0; i < len; i++)
		path[i] = name[i] ? name[i] : '@';
	err = add_path(net, path, len, &socket.path_off);
	return err ? err : add_socket(net, msg->udiag_ino, &socket);
}

/* Learns from one socket's message, @len bytes with its attributes. */
static int parse_unix_diag_socket(struct net *net, const struct unix_diag_msg *msg, size_t len)
{
	const struct rtattr *attr = (const struct rtattr *)(msg + 1);
	int left = (int)len - (int)sizeof(*msg); /* signed: the macros step below 0 */
	const char *name = NULL;
	size_t name_len = 0;
	uint32_t peer = UINT32_MAX;
	int err;

	if (left < 0)
		return -EINVAL;
	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left)) {
		if (attr->rta_type == UNIX_DIAG_PEER && RTA_PAYLOAD(attr) >= sizeof(peer)) {
			memcpy(&peer, RTA_DATA(attr), sizeof(peer));
		} else if (attr->rta_type == UNIX_DIAG_NAME) {
			name = RTA_DATA(attr);
			name_len = RTA_PAYLOAD(attr);
		}
	}
	err = add_unix(net, msg, name, name_len);
	if (err || peer == UINT32_MAX)
		return err;
	return table_put(&net->peer_by_inode, msg->udiag_ino, peer);
}

int net_parse_unix_diag(struct net *net, const void *reply, size_t len)
{
	const struct nlmsghdr *msg = reply;
	int left = len < INT_MAX ? (int)len : 0;
	int err;

	for (; NLMSG_OK(msg, left); msg = NLMSG_NEXT(msg, left)) {
		if (msg->nlmsg_type == NLMSG_DONE)
			return 0;
		if (msg->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		if (msg->nlmsg_type != SOCK_DIAG_BY_FAMILY)
			continue;
		err = parse_unix_diag_socket(net, NLMSG_DATA(msg), NLMSG_PAYLOAD(msg, 0));
		if (err)
			return err;
	}
	return 1;
}

static int open_unix_diag(void)
{
	const struct timeval timeout = { .tv_sec = DIAG_TIMEOUT_S };
	const struct {
		struct nlmsghdr header;
		struct unix_diag_req req;
	} dump = {
		.header = { .nlmsg_len = sizeof(dump),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = AF_UNIX,
			 .udiag_states = UINT32_MAX,
			 .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER },
	};
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    send(fd, &dump, sizeof(dump), 0) < 0)
		return -errno;
	return take_fd(&fd);
}

static int read_unix_diag(struct net *net)
{
	_cleanup_close_ int fd = open_unix_diag();
	_cleanup_free_ void *reply = malloc(DIAG_REPLY_BYTES);
	int more = 1;

	if (fd < 0)
		return fd;
	if (!reply)
		return -ENOMEM;
	do {
		ssize_t len = recv(fd, reply, DIAG_REPLY_BYTES, 0);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		more = len ? net_parse_unix_diag(net, reply, (size_t)len) : 0;
	} while (more > 0);
	return more;
}

int net_read(struct net *net, pid_t tgid, bool is_ours)
{
	static const char *const names[] = {
		[NET_TCP] = "tcp",   [NET_TCP6] = "tcp6", [NET_UDP] = "udp",
		[NET_UDP6] = "udp6", [NET_UNIX] = "unix",
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int one;

		if (i == NET_UNIX && is_ours && !read_unix_diag(net))
			continue;
		one = read_file(net, tgid, (enum net_proto)i, names[i]);
		if (!err && one != -ENOENT) /* a kernel without IPv6 */
			err = one;
	}
	return err;
}

/* Writes "unix PATH" for a path of @path_len bytes: abstract ones, which begin with NUL, with '@'.
 */
static void format_unix(const char *path, size_t path_len, char *text, size_t len)
{
	if (path_len && !path[0])
		snprintf(text, len, "unix @%.*s", (int)strnlen(path + 1, path_len - 1), path + 1);
	else
		snprintf(text, len, "unix %.*s", (int)strnlen(path, path_len), path);
}

int net_format_sockaddr(const void *addr, size_t addr_bytes, char *text, size_t len)
{
	struct sockaddr_storage storage = { 0 };
	const struct sockaddr_in *in4 = (const void *)&storage;
	const struct sockaddr_in6 *in6 = (const void *)&storage;
	const size_t path_off = offsetof(struct sockaddr_un, sun_path);

	text[0] = '\0';
	if (addr_bytes > sizeof(storage))
		addr_bytes = sizeof(storage);
	memcpy(&storage, addr, addr_bytes);
	if (storage.ss_family == AF_INET && addr_bytes >= sizeof(*in4))
		format_inet(AF_INET, (const uint8_t *)&in4->sin_addr, ntohs(in4->sin_port), text,
			    len);
	else if (storage.ss_family == AF_INET6 &&
		 addr_bytes >= offsetof(struct sockaddr_in6, sin6_scope_id))
		format_inet(AF_INET6, (const uint8_t *)&in6->sin6_addr, ntohs(in6->sin6_port), text,
			    len);
	else if (storage.ss_family == AF_UNIX && addr_bytes > path_off)
		format_unix((const char *)&storage + path_off, addr_bytes - path_off, text, len);
	return text[0] != '\0';
}
