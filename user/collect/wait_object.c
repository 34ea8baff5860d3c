/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * One describing function for each group of system calls, found by a table. What does not depend
 * on the thread (a descriptor, an address, a thread id) is looked up once for the process: 25,000
 * threads that wait for one futex cost one look. Paths and names are the target's own words, which
 * the reports make harmless.
 */
#include "collect/wait_object.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "base/strpool.h"
#include "base/table.h"
#include "collect/places.h"
#include "collect/wait_timeout.h"
#include "proc/memory.h"
#include "proc/net.h"
#include "proc/pidns.h"

#define SHOWN_MAX 8	   /* descriptors or addresses of a list */
#define POLLFD_MAX 64	   /* read of a poll's list, to find those shown */
#define SELECT_FD_MAX 8192 /* read of a select's sets */
#define TEXT_CACHE_MAX (1u << 18)
#define THREAD_MAX (1u << 16) /* of a process in a PID namespace of its own */
#define TID_MAX (4u << 20)
#define CHILDREN_MAX_BYTES 65536
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define OBJECT_BYTES sizeof(((struct wait_answer *)NULL)->object)

/* What a cached text is about; part of its key. */
enum text_kind {
	TEXT_FD,
	TEXT_SLEEP_FD, /* of a transfer that sleeps */
	TEXT_EPOLL,
	TEXT_FUTEX,
	TEXT_THREAD,
};

struct wait_objects {
	pid_t tgid;
	const struct maps *maps;
	struct symbolizer *symbolizer;
	struct peers *peers;	 /* what is used */
	struct peers *own_peers; /* freed with this; NULL when borrowed */
	struct places places;
	struct strpool texts;
	struct table text_by_key;
	struct table inner_tids; /* when .pidns_nested: the target's own thread ids -> ours */
	bool pidns_known, pidns_nested;
};

struct wait_objects *wait_objects_new(pid_t tgid, const struct maps *maps,
				      struct symbolizer *symbolizer, struct err *err)
{
	struct wait_objects *objects = calloc(1, sizeof(*objects));

	if (!objects) {
		err_set_errno(err, -ENOMEM, "cannot describe the waits of process %d", tgid);
		return NULL;
	}
	objects->tgid = tgid;
	objects->maps = maps;
	objects->symbolizer = symbolizer;
	places_init(&objects->places, tgid);
	strpool_init(&objects->texts);
	table_init(&objects->text_by_key, TEXT_CACHE_MAX);
	table_init(&objects->inner_tids, THREAD_MAX);
	return objects;
}

void wait_objects_free(struct wait_objects *objects)
{
	if (!objects)
		return;
	peers_free(objects->own_peers);
	places_release(&objects->places);
	strpool_release(&objects->texts);
	table_release(&objects->text_by_key);
	table_release(&objects->inner_tids);
	free(objects);
}

void wait_objects_use_peers(struct wait_objects *objects, struct peers *peers)
{
	objects->peers = peers;
}

void wait_objects_add_stack(struct wait_objects *objects, uint32_t tid, uint64_t sp)
{
	places_add(&objects->places, tid, sp);
}

/* Appends formatted text to the object of @answer; what does not fit is cut. */
static void __attribute__((format(printf, 2, 3)))
append(struct wait_answer *answer, const char *fmt, ...)
{
	size_t len = strlen(answer->object);
	va_list args;

	va_start(args, fmt);
	vsnprintf(answer->object + len, OBJECT_BYTES - len, fmt, args);
	va_end(args);
}

/* Appends the text of (@kind, @value), which @make makes when it is not known yet. */
static void append_cached(struct wait_objects *objects, enum text_kind kind, uint64_t value,
			  struct wait_answer *answer,
			  void (*make)(struct wait_objects *, uint64_t, struct wait_answer *))
{
	uint64_t key = hash_mix(kind, value);
	struct wait_answer made = { 0 };
	uint32_t id;

	if (table_find(&objects->text_by_key, key, &id)) {
		append(answer, "%s", strpool_get(&objects->texts, id));
		return;
	}
	make(objects, value, &made);
	append(answer, "%s", made.object);
	answer->unreadable |= made.unreadable;
	id = strpool_add(&objects->texts, made.object);
	if (id || !made.object[0]) /* else it did not fit: it is made again each time */
		table_put(&objects->text_by_key, key, id);
}

static struct peers *get_peers(struct wait_objects *objects)
{
	if (!objects->peers)
		objects->peers = objects->own_peers = peers_new();
	return objects->peers;
}

/* Whether a transfer that sleeps in descriptor @fd, now @target, began on another file: regular
 * ones do not have their readers and writers wait for somebody, but for some of the kernel's own.
 */
static bool is_other_file(pid_t tgid, int fd, const struct fd_target *target)
{
	static const char *const may_sleep[] = { "/proc/", "/sys/", "/dev/" };

	for (size_t i = 0; i < ARRAY_LEN(may_sleep); i++)
		if (!strncmp(target->path, may_sleep[i], strlen(may_sleep[i])))
			return false;
	return target->type == FD_FILE && fds_is_regular(tgid, fd);
}

static void append_fd_text(struct wait_objects *objects, int fd, bool sleeps,
			   struct wait_answer *answer)
{
	struct fd_target target;
	char text[NET_TEXT_BYTES * 2];
	int err = fds_read(objects->tgid, fd, &target);

	append(answer, "fd %d", fd);
	if (err == -ENOENT) {
		append(answer, " (not open)");
	} else if (err) {
		answer->unreadable = true;
	} else if (target.type == FD_PIPE || target.type == FD_SOCKET) {
		if (!get_peers(objects))
			return;
		peers_describe(objects->peers, objects->tgid, fd, &target, text, sizeof(text));
		append(answer, " (%s)", text);
	} else {
		sleeps = sleeps && is_other_file(objects->tgid, fd, &target);
		append(answer, " (%s%s)", sleeps ? "now " : "", target.path);
	}
}

static void make_fd(struct wait_objects *objects, uint64_t fd, struct wait_answer *answer)
{
	append_fd_text(objects, (int)fd, false, answer);
}

static void make_sleep_fd(struct wait_objects *objects, uint64_t fd, struct wait_answer *answer)
{
	append_fd_text(objects, (int)fd, true, answer);
}

static void append_fd(struct wait_objects *objects, uint64_t fd, struct wait_answer *answer)
{
	if ((int32_t)fd >= 0)
		append_cached(objects, TEXT_FD, (uint32_t)fd, answer, make_fd);
}

/* Appends the descriptor of a system call that has it as its first argument. */
static void append_call_fd(struct wait_objects *objects, const struct wait_request *request,
			   struct wait_answer *answer)
{
	const struct wait_evidence *evidence = request->evidence;
	enum wait_kind kind = request->kind;
	bool transfers = kind == WAIT_READ || kind == WAIT_WRITE || kind == WAIT_ACCEPT ||
			 kind == WAIT_RECV || kind == WAIT_SEND;

	if (!transfers || evidence->uninterruptible || (int32_t)evidence->arg[0] < 0)
		append_fd(objects, evidence->arg[0], answer);
	else
		append_cached(objects, TEXT_SLEEP_FD, (uint32_t)evidence->arg[0], answer,
			      make_sleep_fd);
}

static void make_epoll(struct wait_objects *objects, uint64_t fd, struct wait_answer *answer)
{
	uint32_t cnt = 0;
	int err = fds_count_epoll(objects->tgid, (int)fd, &cnt);

	append(answer, "epoll fd %d", (int)fd);
	if (!err)
		append(answer, " (%u fd%s)", cnt, cnt == 1 ? "" : "s");
	else if (err == -E2BIG)
		append(answer, " (more than %u fds)", cnt);
	else
		answer->unreadable = true;
}

/* Appends where @addr lies: "futex 0x55d1c0de4010 (cancel_cond+0x28)", else what it is in. */
static void make_futex(struct wait_objects *objects, uint64_t addr, struct wait_answer *answer)
{
	char name[OBJECT_BYTES];

	append(answer, "futex 0x%" PRIx64, addr);
	if (!objects->symbolizer ||
	    !symbolizer_name_data(objects->symbolizer, addr, name, sizeof(name)))
		places_name(&objects->places, objects->maps, addr, name, sizeof(name));
	if (name[0])
		append(answer, " (%s)", name);
}

/* Writes our id of the living thread that the target itself knows as @tid: "thread 314", or
 * nothing when there is none. */
static void make_thread(struct wait_objects *objects, uint64_t tid, struct wait_answer *answer)
{
	uint32_t outer_tid = (uint32_t)tid;
	char path[64];

	if (!objects->pidns_known) {
		objects->pidns_known = true;
		objects->pidns_nested = pidns_is_nested(objects->tgid);
		if (objects->pidns_nested)
			pidns_read_threads(objects->tgid, &objects->inner_tids);
	}
	if (objects->pidns_nested && !table_find(&objects->inner_tids, (uint32_t)tid, &outer_tid))
		return;
	snprintf(path, sizeof(path), "/proc/%d/task/%u", objects->tgid, outer_tid);
	if (!access(path, F_OK))
		append(answer, "thread %u", outer_tid);
}

static void describe_futex(struct wait_objects *objects, const struct wait_request *request,
			   struct wait_answer *answer)
{
	const uint64_t *arg = request->evidence->arg;
	uint32_t expected = (uint32_t)arg[2];

	/* The futex of glibc's join holds the thread's id; others hold a state, as musl's does. */
	if (request->kind == WAIT_JOIN && expected > 1 && expected <= TID_MAX) {
		append_cached(objects, TEXT_THREAD, expected, answer, make_thread);
		if (answer->object[0])
			return;
	}
	append_cached(objects, TEXT_FUTEX, arg[0], answer, make_futex);
}

static void describe_futex_waitv(struct wait_objects *objects, const struct wait_request *request,
				 struct wait_answer *answer)
{
	struct {
		uint64_t value, addr;
		uint32_t flags, reserved;
	} waiters[SHOWN_MAX];
	uint32_t cnt = (uint32_t)request->evidence->arg[1];
	uint32_t shown_cnt = cnt < SHOWN_MAX ? cnt : SHOWN_MAX;
	ssize_t len = memory_read(objects->tgid, request->evidence->arg[0], waiters,
				  shown_cnt * sizeof(waiters[0]));

	if (len != (ssize_t)(shown_cnt * sizeof(waiters[0]))) {
		answer->unreadable = true;
		return;
	}
	if (cnt == 1) {
		append_cached(objects, TEXT_FUTEX, waiters[0].addr, answer, make_futex);
		return;
	}
	append(answer, "%u futexes:", cnt);
	for (uint32_t i = 0; i < shown_cnt; i++)
		append(answer, "%s 0x%" PRIx64, i ? "," : "", waiters[i].addr);
	append(answer, "%s", cnt > shown_cnt ? ", ..." : "");
}

static void describe_connect(struct wait_objects *objects, const struct wait_request *request,
			     struct wait_answer *answer)
{
	const uint64_t *arg = request->evidence->arg;
	size_t want = arg[2] < sizeof(struct sockaddr_storage) ? (size_t)arg[2]
							       : sizeof(struct sockaddr_storage);
	struct sockaddr_storage addr;
	char text[NET_TEXT_BYTES];
	ssize_t len = memory_read(objects->tgid, arg[1], &addr, want);

	if (len <= 0 || !net_format_sockaddr(&addr, (size_t)len, text, sizeof(text))) {
		answer->unreadable = len <= 0;
		append_fd(objects, arg[0], answer);
		return;
	}
	append(answer, "fd %d (to %s)", (int)arg[0], text);
}

static void describe_epoll(struct wait_objects *objects, const struct wait_request *request,
			   struct wait_answer *answer)
{
	append_cached(objects, TEXT_EPOLL, (uint32_t)request->evidence->arg[0], answer, make_epoll);
}

/* Appends "3 fds: 5, 7, 9" for the @cnt descriptors of which the first @known_cnt, or as many as
 * fit, are in @fds; or the one descriptor in full. */
static void append_fds(struct wait_objects *objects, const int *fds, uint32_t known_cnt,
		       uint32_t cnt, struct wait_answer *answer)
{
	uint32_t shown_cnt = known_cnt < SHOWN_MAX ? known_cnt : SHOWN_MAX;

	if (cnt == 1) {
		append_fd(objects, (uint32_t)fds[0], answer);
		return;
	}
	append(answer, "%u fds", cnt);
	for (uint32_t i = 0; i < shown_cnt; i++)
		append(answer, "%s %d", i ? "," : ":", fds[i]);
	append(answer, "%s", cnt > shown_cnt ? ", ..." : "");
}

static void describe_poll(struct wait_objects *objects, const struct wait_request *request,
			  struct wait_answer *answer)
{
	uint32_t cnt = (uint32_t)request->evidence->arg[1], found_cnt = 0;
	uint32_t read_cnt = cnt < POLLFD_MAX ? cnt : POLLFD_MAX;
	struct pollfd pollfds[POLLFD_MAX];
	int fds[SHOWN_MAX] = { 0 };
	ssize_t len;

	if (!cnt)
		return;
	len = memory_read(objects->tgid, request->evidence->arg[0], pollfds,
			  read_cnt * sizeof(pollfds[0]));
	if (len != (ssize_t)(read_cnt * sizeof(pollfds[0]))) {
		answer->unreadable = true;
		append(answer, "%u fd%s", cnt, cnt == 1 ? "" : "s");
		return;
	}
	for (uint32_t i = 0; i < read_cnt; i++) {
		if (pollfds[i].fd < 0) { /* poll leaves these out */
			cnt--;
			continue;
		}
		if (found_cnt < SHOWN_MAX)
			fds[found_cnt] = pollfds[i].fd;
		found_cnt++;
	}
	if (found_cnt)
		append_fds(objects, fds, found_cnt, cnt, answer);
}

static void describe_select(struct wait_objects *objects, const struct wait_request *request,
			    struct wait_answer *answer)
{
	const uint64_t *arg = request->evidence->arg;
	uint64_t all[SELECT_FD_MAX / 64] = { 0 }, set[SELECT_FD_MAX / 64];
	uint32_t limit = (uint32_t)arg[0], found_cnt = 0;
	int fds[SHOWN_MAX] = { 0 };
	size_t set_bytes;

	if ((int32_t)limit <= 0)
		return;
	if (limit > SELECT_FD_MAX)
		limit = SELECT_FD_MAX;
	set_bytes = (limit + 63) / 64 * 8;
	for (int i = 1; i <= 3; i++) {
		if (!arg[i])
			continue;
		if (memory_read(objects->tgid, arg[i], set, set_bytes) != (ssize_t)set_bytes) {
			answer->unreadable = true;
			return;
		}
		for (size_t word = 0; word < set_bytes / 8; word++)
			all[word] |= set[word];
	}
	for (uint32_t fd = 0; fd < limit; fd++) {
		if (!(all[fd / 64] >> (fd % 64) & 1))
			continue;
		if (found_cnt < SHOWN_MAX)
			fds[found_cnt] = (int)fd;
		found_cnt++;
	}
	if (found_cnt)
		append_fds(objects, fds, found_cnt, found_cnt, answer);
}

static void describe_wait4(struct wait_objects *objects, const struct wait_request *request,
			   struct wait_answer *answer)
{
	int pid = (int)request->evidence->arg[0];

	(void)objects;
	if (pid > 0)
		append(answer, "child %d", pid);
	else if (pid == -1)
		append(answer, "any child");
	else if (pid == 0)
		append(answer, "any child of its process group");
	else
		append(answer, "any child of process group %u", 0u - (unsigned int)pid);
}

static void describe_waitid(struct wait_objects *objects, const struct wait_request *request,
			    struct wait_answer *answer)
{
	uint64_t kind = request->evidence->arg[0];
	int id = (int)request->evidence->arg[1];

	(void)objects;
	if (kind == P_ALL)
		append(answer, "any child");
	else if (kind == P_PID)
		append(answer, "child %d", id);
	else if (kind == P_PIDFD)
		append(answer, "child of pidfd %d", id);
	else if (kind == P_PGID && id)
		append(answer, "any child of process group %d", id);
	else if (kind == P_PGID)
		append(answer, "any child of its process group");
}

/* The child of a vfork is the youngest of its parent thread's. */
static void describe_vfork(struct wait_objects *objects, const struct wait_request *request,
			   struct wait_answer *answer)
{
	char path[64], *last;
	uint32_t child;
	struct buf text;

	if (request->kind != WAIT_CHILD) /* a clone that waits for memory */
		return;
	append(answer, "vfork child");
	buf_init(&text, CHILDREN_MAX_BYTES);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", objects->tgid, request->tid);
	if (!file_read(path, &text) && text.len > 1) {
		text.data[text.len - 1] = '\0'; /* each id has a blank behind it */
		last = strrchr(text.data, ' ');
		if (!parse_u32(last ? last + 1 : text.data, 1, INT32_MAX, &child))
			append(answer, " %u", child);
	}
	buf_release(&text);
}

static void describe_semaphore(struct wait_objects *objects, const struct wait_request *request,
			       struct wait_answer *answer)
{
	(void)objects;
	append(answer, "semaphore set %d", (int)request->evidence->arg[0]);
}

struct object_rule {
	const char *syscall;
	void (*describe)(struct wait_objects *, const struct wait_request *, struct wait_answer *);
};

static const struct object_rule rules[] = {
	{ "futex", describe_futex },
	{ "futex_wait", describe_futex },
	{ "futex_waitv", describe_futex_waitv },
	{ "epoll_wait", describe_epoll },
	{ "epoll_pwait", describe_epoll },
	{ "epoll_pwait2", describe_epoll },
	{ "poll", describe_poll },
	{ "ppoll", describe_poll },
	{ "select", describe_select },
	{ "pselect6", describe_select },
	{ "wait4", describe_wait4 },
	{ "waitid", describe_waitid },
	{ "vfork", describe_vfork },
	{ "clone", describe_vfork },
	{ "clone3", describe_vfork },
	{ "connect", describe_connect },
	{ "semop", describe_semaphore },
	{ "semtimedop", describe_semaphore },
};

/* System calls whose first argument is the descriptor that they wait for. */
static const char *const fd_syscalls[] = {
	"read",		"pread64",	   "readv",	      "preadv",	   "preadv2",
	"write",	"pwrite64",	   "writev",	      "pwritev",   "pwritev2",
	"accept",	"accept4",	   "recvfrom",	      "recvmsg",   "recvmmsg",
	"sendto",	"sendmsg",	   "sendmmsg",	      "sendfile",  "splice",
	"tee",		"vmsplice",	   "copy_file_range", "fsync",	   "fdatasync",
	"syncfs",	"sync_file_range", "ftruncate",	      "fallocate", "readahead",
	"getdents",	"getdents64",	   "fstat",	      "fchmod",	   "fchown",
	"flock",	"fcntl",	   "ioctl",	      "close",	   "io_uring_enter",
	"mq_timedsend", "mq_timedreceive"
};

/* Returns the system call that the thread is in, NULL when none is known. One that the kernel
 * restarts after a stop keeps its arguments under another name; its kind tells which it was. */
static const char *actual_syscall(const struct wait_request *request)
{
	const struct wait_evidence *evidence = request->evidence;

	if (!evidence->in_syscall || !evidence->syscall)
		return NULL;
	if (strcmp(evidence->syscall, "restart_syscall"))
		return evidence->syscall;
	if (request->kind == WAIT_SELECT)
		return "poll";
	/* A sleep needs none: how long it was to last counts from before the stop. */
	return request->kind == WAIT_SLEEP || request->kind == WAIT_SYSCALL ? NULL : "futex";
}

static bool has_no_object(enum wait_kind kind)
{
	return kind == WAIT_NONE || kind == WAIT_RUNNING || kind == WAIT_RUNNABLE ||
	       kind == WAIT_STOPPED || kind == WAIT_ZOMBIE || kind == WAIT_PAGE_FAULT;
}

void wait_objects_describe(struct wait_objects *objects, const struct wait_request *request,
			   struct wait_answer *ret_answer)
{
	const char *syscall = actual_syscall(request);

	*ret_answer = (struct wait_answer){ 0 };
	if (!syscall || has_no_object(request->kind))
		return;
	wait_timeout_describe(objects->tgid, syscall, request, ret_answer);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (!strcmp(rules[i].syscall, syscall)) {
			rules[i].describe(objects, request, ret_answer);
			return;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(fd_syscalls); i++) {
		if (!strcmp(fd_syscalls[i], syscall)) {
			append_call_fd(objects, request, ret_answer);
			return;
		}
	}
}
