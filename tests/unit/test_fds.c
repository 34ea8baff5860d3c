/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Descriptors, their holders, sockets and PID namespaces: the parsers with hostile text, the
 * readers on this very process. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/fds.h"
#include "proc/net.h"
#include "proc/pidns.h"

static void test_links(void **state)
{
	static const struct {
		const char *link;
		enum fd_type type;
		uint64_t inode;
		const char *path;
	} cases[] = {
		{ "/var/log/app.log", FD_FILE, 0, "/var/log/app.log" },
		{ "/tmp/x (deleted)", FD_FILE, 0, "/tmp/x (deleted)" },
		{ "pipe:[4711]", FD_PIPE, 4711, "" },
		{ "socket:[18446744073709551615]", FD_SOCKET, UINT64_MAX, "" },
		{ "anon_inode:[eventfd]", FD_ANON, 0, "eventfd" },
		{ "anon_inode:inotify", FD_ANON, 0, "inotify" },
		{ "anon_inode:[", FD_ANON, 0, "[" },
		{ "anon_inode:", FD_ANON, 0, "" },
		{ "pipe:[]", FD_FILE, 0, "pipe:[]" },
		{ "pipe:[12", FD_FILE, 0, "pipe:[12" },
		{ "pipe:[-1]", FD_FILE, 0, "pipe:[-1]" },
		{ "pipe:[1]]", FD_FILE, 0, "pipe:[1]]" },
		{ "socket:[99999999999999999999]", FD_FILE, 0, "socket:[99999999999999999999]" },
		{ "socket:[000000000000000000000000000001]", FD_FILE, 0,
		  "socket:[000000000000000000000000000001]" },
		{ "", FD_FILE, 0, "" },
	};
	struct fd_target target;
	char longest[5000];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fds_parse_link(cases[i].link, &target);
		assert_int_equal(target.type, cases[i].type);
		assert_true(target.inode == cases[i].inode);
		assert_string_equal(target.path, cases[i].path);
	}
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	fds_parse_link(longest, &target);
	assert_int_equal(strlen(target.path), FD_PATH_BYTES - 1);
}

static void test_own_descriptors(void **state)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int event = eventfd(0, EFD_CLOEXEC);
	struct fd_target target;
	char exe[FD_PATH_BYTES] = "";

	(void)state;
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_int_equal(fds_read(getpid(), file, &target), 0);
	assert_int_equal(target.type, FD_FILE);
	assert_string_equal(target.path, exe);
	assert_int_equal(fds_read(getpid(), event, &target), 0);
	assert_int_equal(target.type, FD_ANON);
	assert_string_equal(target.path, "eventfd");
	assert_true(fds_is_regular(getpid(), file));
	assert_false(fds_is_regular(getpid(), event));
	close(event);
	close(file);
	assert_int_equal(fds_read(getpid(), file, &target), -ENOENT);
	assert_false(fds_is_regular(getpid(), file));
}

static void test_gone_process(void **state)
{
	struct fd_target target;
	uint32_t cnt = 7;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(fds_read(pid, 0, &target), -ESRCH);
	assert_int_equal(fds_count_epoll(pid, 0, &cnt), -ENOENT);
	assert_int_equal(cnt, 7);
}

static void test_epoll(void **state)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), event = eventfd(0, EFD_CLOEXEC);
	struct epoll_event wanted = { .events = EPOLLIN };
	uint32_t cnt = 7;

	(void)state;
	assert_int_equal(fds_parse_epoll(""), 0);
	assert_int_equal(fds_parse_epoll("pos:\t0\ntfd: 5 events: 19\ntfd: 6"), 2);
	assert_int_equal(fds_parse_epoll("xtfd:\ntfdx\n tfd:\ntf"), 0);
	assert_int_equal(fds_count_epoll(getpid(), epoll, &cnt), 0);
	assert_int_equal(cnt, 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted), 0);
	assert_int_equal(fds_count_epoll(getpid(), epoll, &cnt), 0);
	assert_int_equal(cnt, 1);
	close(event);
	close(epoll);
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void test_holders(void **state)
{
	struct fd_holders *holders = fd_holders_new();
	const struct fd_holder *found;
	int ends[2], reads = 0, writes = 0;
	uint64_t inode;
	uint32_t cnt;

	(void)state;
	assert_non_null(holders);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	inode = inode_of(ends[0]);
	found = fd_holders_find(holders, getpid(), FD_PIPE, inode, &cnt);
	assert_int_equal(cnt, 2);
	for (uint32_t i = 0; i < cnt; i++) {
		assert_int_equal(found[i].tgid, getpid());
		assert_true(found[i].inode == inode);
		reads += found[i].fd == ends[0] && found[i].readable && !found[i].writable;
		writes += found[i].fd == ends[1] && !found[i].readable && found[i].writable;
	}
	assert_int_equal(reads, 1);
	assert_int_equal(writes, 1);
	assert_null(fd_holders_find(holders, getpid(), FD_SOCKET, inode, &cnt));
	assert_int_equal(cnt, 0);
	assert_null(fd_holders_find(holders, getpid(), FD_PIPE, UINT64_MAX, &cnt));
	close(ends[0]);
	close(ends[1]);
	fd_holders_free(holders);
	fd_holders_free(NULL);
}

struct line_case {
	enum net_proto proto;
	const char *line;
	uint64_t inode;
	const char *want; /* NULL: no such line */
};

#define TCP_TAIL " 00000000:00000000 00:00000000 00000000   101        0 "

static const struct line_case line_cases[] = {
	{ NET_TCP,
	  "   0: 0100007F:18EB 00000000:0000 0A" TCP_TAIL "11 1 0000000000000000 100 0 0 10 0\n",
	  11, "tcp 127.0.0.1:6379 listening" },
	{ NET_TCP, "   1: 0100007F:18EB 0100007F:C823 01" TCP_TAIL "12 1", 12,
	  "tcp 127.0.0.1:6379 -> 127.0.0.1:51235" },
	{ NET_UDP, " 101: 00000000:0035 00000000:0000 07" TCP_TAIL "13 2 0 0\n", 13,
	  "udp 0.0.0.0:53" },
	{ NET_TCP6,
	  "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A" TCP_TAIL
	  "14 1\n",
	  14, "tcp [::]:80 listening" },
	{ NET_UDP6,
	  "   0: B80D0120000000000000000001000000:0050 B80D0120000000000000000002000000:1F90 01" TCP_TAIL
	  "15 1\n",
	  15, "udp [2001:db8::1]:80 -> [2001:db8::2]:8080" },
	{ NET_TCP6,
	  "   0: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000200007F:1F90 01" TCP_TAIL
	  "16 1\n",
	  16, "tcp 127.0.0.1:80 -> 127.0.0.2:8080" },
	{ NET_UNIX, "0000000000000000: 00000002 00000000 00010000 0001 01 17 /run/x.sock\n", 17,
	  "unix /run/x.sock listening" },
	{ NET_UNIX, "0000000000000000: 00000003 00000000 00000000 0001 03 18\n", 18, "unix" },
	{ NET_UNIX, "0000000000000000: 00000003 00000000 00000000 0001 03 19 @a b  c\n", 19,
	  "unix @a b  c" },
	/* headings, and what no kernel writes */
	{ NET_TCP, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n",
	  0, NULL },
	{ NET_UNIX, "Num       RefCount Protocol Flags    Type St Inode Path\n", 0, NULL },
	{ NET_TCP, "", 0, NULL },
	{ NET_TCP, "\n", 0, NULL },
	{ NET_TCP, "                         ", 0, NULL },
	{ NET_TCP, "0: 0100007F:18EB 00000000:0000 0A" TCP_TAIL, 0, NULL },
	{ NET_TCP, "0: 0100007F:18E 00000000:0000 0A" TCP_TAIL "21 1", 0, NULL },
	{ NET_TCP, "0: 0100007F-18EB 00000000:0000 0A" TCP_TAIL "21 1", 0, NULL },
	{ NET_TCP, "0: 0100007G:18EB 00000000:0000 0A" TCP_TAIL "21 1", 0, NULL },
	{ NET_TCP, "0: 0100007F:18EB 00000000:0000 AAA" TCP_TAIL "21 1", 0, NULL },
	{ NET_TCP, "0: 0100007F:18EB 00000000:0000 0A" TCP_TAIL "-21 1", 0, NULL },
	{ NET_TCP, "0: 0100007F:18EB 00000000:0000 0A" TCP_TAIL "99999999999999999999 1", 0, NULL },
	{ NET_TCP, "0: 0100007F:18EB 00000000:0000 0A" TCP_TAIL "0000000000000000000000000000021 1",
	  0, NULL },
	{ NET_TCP6, "0: 0100007F:18EB 00000000:0000 0A" TCP_TAIL "21 1", 0, NULL },
	{ NET_UNIX, "0: 2 0 1 1 1 21 /x", 0, NULL },
	{ NET_UNIX, "0000000000000000: 00000002 00000000 00010000 0001 01", 0, NULL },
	{ NET_UNIX, "0000000000000000: 00000002 00000000 00010000 0001 01 x /run/x.sock", 0, NULL },
};

static void test_socket_lines(void **state)
{
	struct net *net = net_new();
	char text[NET_TEXT_BYTES];

	(void)state;
	assert_non_null(net);
	for (size_t i = 0; i < sizeof(line_cases) / sizeof(line_cases[0]); i++) {
		const struct line_case *test = &line_cases[i];
		int err = net_parse_line(net, test->proto, test->line);

		if (err != (test->want ? 0 : -EINVAL))
			fail_msg("case %zu: %d", i, err);
		if (!test->want)
			continue;
		assert_int_equal(net_describe(net, test->inode, text, sizeof(text)), 1);
		assert_string_equal(text, test->want);
	}
	assert_int_equal(net_describe(net, 21, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	net_free(net);
	net_free(NULL);
}

/* A path may hold a newline and the line of a socket that belongs to somebody else. */
static void test_forged_socket_takes_no_name(void **state)
{
	struct net *net = net_new();
	char text[NET_TEXT_BYTES];

	(void)state;
	assert_int_equal(net_parse_line(net, NET_UNIX, "0: 2 0 00010000 1 1 31 /forged"), 0);
	assert_int_equal(net_parse_line(net, NET_UNIX, "0: 2 0 00010000 1 1 31 /run/real"), 0);
	assert_int_equal(net_describe(net, 31, text, sizeof(text)), 1);
	assert_string_equal(text, "unix");
	assert_int_equal(net_parse_line(net, NET_UNIX, "0: 2 0 00010000 1 1 31 /forged"), 0);
	assert_int_equal(net_describe(net, 31, text, sizeof(text)), 1);
	assert_string_equal(text, "unix");
	/* one line twice, as when the table changes while it is read, is no contradiction */
	for (int i = 0; i < 2; i++)
		assert_int_equal(net_parse_line(net, NET_UNIX, "0: 2 0 00010000 1 1 32 /run/x"), 0);
	assert_int_equal(net_describe(net, 32, text, sizeof(text)), 1);
	assert_string_equal(text, "unix /run/x listening");
	assert_int_equal(net_describe(net, 32, text, 8), 1);
	assert_string_equal(text, "unix /r");
	/* one of another family is what it is */
	assert_int_equal(net_parse_line(net, NET_UDP,
					"0: 00000000:0035 00000000:0000 07" TCP_TAIL "33 1"),
			 0);
	assert_int_equal(net_parse_line(net, NET_UNIX, "0: 2 0 00010000 1 1 33 /forged"), 0);
	assert_int_equal(net_describe(net, 33, text, sizeof(text)), 1);
	assert_string_equal(text, "udp 0.0.0.0:53");
	/* Sockets without a file have inode 0, and are not one socket. */
	assert_int_equal(net_parse_line(net, NET_UNIX, "0: 2 0 00000000 1 1 0 /none"), 0);
	assert_int_equal(net_describe(net, 0, text, sizeof(text)), 0);
	net_free(net);
}

struct diag_reply {
	struct nlmsghdr header;
	struct unix_diag_msg msg;
	struct rtattr attr;
	uint32_t peer;
	struct nlmsghdr next;
};

static struct diag_reply diag_reply(void)
{
	return (struct diag_reply){
		.header = { .nlmsg_len = offsetof(struct diag_reply, next),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY },
		.msg = { .udiag_family = AF_UNIX, .udiag_ino = 41 },
		.attr = { .rta_len = RTA_LENGTH(4), .rta_type = UNIX_DIAG_PEER },
		.peer = 42,
		.next = { .nlmsg_len = NLMSG_LENGTH(0), .nlmsg_type = NLMSG_DONE },
	};
}

static void test_unix_diag_replies(void **state)
{
	struct net *net = net_new();
	struct diag_reply reply = diag_reply();
	uint64_t peer = 0;

	(void)state;
	for (size_t len = 0; len < offsetof(struct diag_reply, next); len++)
		assert_int_equal(net_parse_unix_diag(net, &reply, len), 1);
	assert_int_equal(net_unix_peer(net, 41, &peer), 0);
	reply.attr.rta_len = UINT16_MAX; /* longer than its message */
	assert_int_equal(net_parse_unix_diag(net, &reply, sizeof(reply)), 0);
	reply.attr.rta_len = 0;
	assert_int_equal(net_parse_unix_diag(net, &reply, sizeof(reply)), 0);
	reply.attr.rta_len = RTA_LENGTH(2);
	assert_int_equal(net_parse_unix_diag(net, &reply, sizeof(reply)), 0);
	assert_int_equal(net_unix_peer(net, 41, &peer), 0);
	reply = diag_reply();
	reply.header.nlmsg_len = NLMSG_LENGTH(4); /* too short for its body */
	assert_int_equal(net_parse_unix_diag(net, &reply, sizeof(reply)), -EINVAL);
	reply = diag_reply();
	reply.next.nlmsg_type = NLMSG_ERROR;
	assert_int_equal(net_parse_unix_diag(net, &reply, sizeof(reply)), -EIO);
	assert_int_equal(net_unix_peer(net, 41, &peer), 1);
	assert_int_equal(peer, 42);
	net_free(net);
}

struct diag_name_reply {
	struct nlmsghdr header;
	struct unix_diag_msg msg;
	struct rtattr attr;
	char name[128];
};

/* Returns what the socket of the @len bytes of @name is called. */
static const char *describe_named(struct net *net, uint8_t state, const char *name, size_t len)
{
	static char text[NET_TEXT_BYTES];
	static uint32_t inode = 50;
	struct diag_name_reply reply = {
		.header = { .nlmsg_len = (uint32_t)(offsetof(struct diag_name_reply, name) + len),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY },
		.msg = { .udiag_family = AF_UNIX, .udiag_state = state, .udiag_ino = ++inode },
		.attr = { .rta_len = (uint16_t)RTA_LENGTH(len), .rta_type = UNIX_DIAG_NAME },
	};
	char line[64];

	memcpy(reply.name, name, len);
	assert_int_equal(net_parse_unix_diag(net, &reply, reply.header.nlmsg_len), 1);
	/* no line of text changes it */
	snprintf(line, sizeof(line), "0: 2 0 00010000 1 1 %u /forged", inode);
	assert_int_equal(net_parse_line(net, NET_UNIX, line), 0);
	assert_int_equal(net_describe(net, inode, text, sizeof(text)), 1);
	return text;
}

static void test_unix_diag_names(void **state)
{
	struct net *net = net_new();
	char longest[120];

	(void)state;
	assert_string_equal(describe_named(net, 10, "/run/x\n0: 1", 12),
			    "unix /run/x\n0: 1 listening");
	assert_string_equal(describe_named(net, 7, "/run/x\0junk", 11), "unix /run/x");
	assert_string_equal(describe_named(net, 7, "\0abs\0t", 6), "unix @abs@t");
	assert_string_equal(describe_named(net, 1, "", 0), "unix");
	memset(longest, 'x', sizeof(longest)); /* longer than the kernel allows */
	assert_int_equal(strlen(describe_named(net, 1, longest, sizeof(longest))),
			 strlen("unix ") + sizeof(((struct sockaddr_un *)NULL)->sun_path));
	net_free(net);
}

/* Binds a listening socket to a name that forges a line for @victim. */
static int bind_forger(uint64_t victim)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int len = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1,
			   "\n0: 00000002 00000000 00010000 0001 01 %llu /run/forged",
			   (unsigned long long)victim);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, (socklen_t)(2 + 1 + len)), 0);
	return fd;
}

static void test_forged_sockets(void **state)
{
	int pair[2], forger;
	char text[NET_TEXT_BYTES];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	forger = bind_forger(inode_of(pair[0]));
	for (int is_ours = 0; is_ours < 2; is_ours++) {
		struct net *net = net_new();

		assert_int_equal(net_read(net, getpid(), is_ours), 0);
		assert_int_equal(net_describe(net, inode_of(pair[0]), text, sizeof(text)), 1);
		assert_string_equal(text, "unix");
		assert_int_equal(net_describe(net, inode_of(forger), text, sizeof(text)), 1);
		if (is_ours)
			assert_non_null(strstr(text, "unix @\n0: 00000002"));
		net_free(net);
	}
	close(forger);
	close(pair[0]);
	close(pair[1]);
}

static void test_own_sockets(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t addr_bytes = sizeof(addr);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];
	struct net *net = net_new();
	char text[NET_TEXT_BYTES], want[NET_TEXT_BYTES];
	uint64_t peer;

	(void)state;
	assert_int_equal(bind(tcp, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(tcp, 1), 0);
	assert_int_equal(getsockname(tcp, (struct sockaddr *)&addr, &addr_bytes), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(net_read(net, getpid(), true), 0);
	snprintf(want, sizeof(want), "tcp 127.0.0.1:%u listening", ntohs(addr.sin_port));
	assert_int_equal(net_describe(net, inode_of(tcp), text, sizeof(text)), 1);
	assert_string_equal(text, want);
	assert_int_equal(net_describe(net, inode_of(pair[0]), text, sizeof(text)), 1);
	assert_string_equal(text, "unix");
	assert_int_equal(net_unix_peer(net, inode_of(pair[0]), &peer), 1);
	assert_true(peer == inode_of(pair[1]));
	close(tcp);
	close(pair[0]);
	close(pair[1]);
	net_free(net);
}

static void test_addresses(void **state)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(443),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/run/x.sock" };
	char text[NET_TEXT_BYTES];

	(void)state;
	assert_int_equal(net_format_sockaddr(&in4, sizeof(in4), text, sizeof(text)), 1);
	assert_string_equal(text, "0.0.0.0:80");
	assert_int_equal(net_format_sockaddr(&in6, sizeof(in6), text, sizeof(text)), 1);
	assert_string_equal(text, "[::1]:443");
	assert_int_equal(net_format_sockaddr(&un, sizeof(un), text, sizeof(text)), 1);
	assert_string_equal(text, "unix /run/x.sock");
	assert_int_equal(net_format_sockaddr(&un, 6, text, sizeof(text)), 1);
	assert_string_equal(text, "unix /run");
	memcpy(un.sun_path, "\0abs\0x", 6);
	assert_int_equal(net_format_sockaddr(&un, 2 + 6, text, sizeof(text)), 1);
	assert_string_equal(text, "unix @abs");
	memset(un.sun_path, 'y', sizeof(un.sun_path)); /* no NUL at all */
	assert_int_equal(net_format_sockaddr(&un, sizeof(un), text, sizeof(text)), 1);
	assert_int_equal(strlen(text), strlen("unix ") + sizeof(un.sun_path));
	/* cut short, of no known family, empty */
	assert_int_equal(net_format_sockaddr(&in4, 7, text, sizeof(text)), 0);
	assert_int_equal(net_format_sockaddr(&in6, sizeof(in4), text, sizeof(text)), 0);
	assert_int_equal(net_format_sockaddr(&un, 2, text, sizeof(text)), 0);
	assert_int_equal(net_format_sockaddr("\xff\xff\xff\xff", 4, text, sizeof(text)), 0);
	assert_int_equal(net_format_sockaddr("", 0, text, sizeof(text)), 0);
	assert_string_equal(text, "");
}

static void test_pid_namespaces(void **state)
{
	struct table threads;
	uint32_t innermost = 7, tid;

	(void)state;
	assert_int_equal(pidns_parse_status("Name:\tx\nNSpid:\t4711\nNSpgid:\t1\n", &innermost), 1);
	assert_int_equal(innermost, 4711);
	assert_int_equal(pidns_parse_status("Name:\tx\nNSpid:\t4711\t12\t3\n", &innermost), 3);
	assert_int_equal(innermost, 3);
	assert_int_equal(pidns_parse_status("Name:\tx\nNSpid:\t5", &innermost), 1);
	innermost = 7;
	assert_int_equal(pidns_parse_status("", &innermost), 0);
	assert_int_equal(pidns_parse_status("Name:\tNSpid:\t5\n", &innermost), 0);
	assert_int_equal(pidns_parse_status("\nNSpid:\n", &innermost), 0);
	assert_int_equal(pidns_parse_status("\nNSpid:\tx\n", &innermost), 0);
	assert_int_equal(pidns_parse_status("\nNSpid:\t99999999999999\n", &innermost), 0);
	assert_int_equal(innermost, 7);
	table_init(&threads, 1);
	assert_int_equal(pidns_read_threads(getpid(), &threads), 0);
	assert_int_equal(threads.len, 1);
	if (!pidns_is_nested(getpid())) {
		assert_int_equal(table_find(&threads, (uint64_t)getpid(), &tid), 1);
		assert_int_equal(tid, getpid());
	}
	table_release(&threads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_own_descriptors),
		cmocka_unit_test(test_gone_process),
		cmocka_unit_test(test_epoll),
		cmocka_unit_test(test_holders),
		cmocka_unit_test(test_socket_lines),
		cmocka_unit_test(test_forged_socket_takes_no_name),
		cmocka_unit_test(test_unix_diag_replies),
		cmocka_unit_test(test_unix_diag_names),
		cmocka_unit_test(test_forged_sockets),
		cmocka_unit_test(test_own_sockets),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_pid_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
