/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What blocked threads wait for: threads of this process, blocked in every way, with what the
 * kernel shows of their system calls; and arguments made by hand, the hostile ones among them.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collect/wait_object.h"
#include "unwind/arch.h"

#define NS_PER_S 1000000000LL
#define DEADLINE_S 30
#define SLEEP_S 1000
#define BLOCKED_MAX 32

static struct maps maps;
static struct modules *modules;
static struct symbolizer *symbolizer;
static struct wait_objects *objects;

/* What the threads wait for. Their locks are never released: they wait until this process ends. */
static pthread_mutex_t test_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t cond_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t test_cond = PTHREAD_COND_INITIALIZER;
static pthread_t joined;
static struct timespec deadline_mono, deadline_wall;
static int pipe_fds[2], unix_fds[2], listen_fd, tcp_fds[2], epoll_fd;
static pid_t child;

static void *wait_mutex(void *arg)
{
	pthread_mutex_lock(&test_lock);
	return arg;
}

static void *wait_cond(void *arg)
{
	pthread_mutex_lock(&cond_lock);
	for (;;)
		pthread_cond_timedwait(&test_cond, &cond_lock, &deadline_wall);
	return arg;
}

static void *wait_join(void *arg)
{
	pthread_join(joined, NULL);
	return arg;
}

static void *wait_sleep(void *arg)
{
	const struct timespec time = { .tv_sec = SLEEP_S };

	nanosleep(&time, NULL);
	return arg;
}

static void *wait_clock(void *arg)
{
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline_mono, NULL);
	return arg;
}

static void *wait_pipe(void *arg)
{
	char byte;

	return read(pipe_fds[0], &byte, 1) < 0 ? arg : NULL;
}

static void *wait_unix(void *arg)
{
	char byte;

	return recv(unix_fds[0], &byte, 1, 0) < 0 ? arg : NULL;
}

static void *wait_tcp(void *arg)
{
	char byte;

	return recv(tcp_fds[0], &byte, 1, 0) < 0 ? arg : NULL;
}

static void *wait_accept(void *arg)
{
	return accept(listen_fd, NULL, NULL) < 0 ? arg : NULL;
}

static void *wait_epoll(void *arg)
{
	struct epoll_event event;

	epoll_wait(epoll_fd, &event, 1, -1);
	return arg;
}

static void *wait_poll(void *arg)
{
	struct pollfd fds[] = { { .fd = pipe_fds[0], .events = POLLIN },
				{ .fd = -1 },
				{ .fd = tcp_fds[0], .events = POLLIN } };

	poll(fds, 3, SLEEP_S * 1000);
	return arg;
}

static void *wait_select(void *arg)
{
	struct timeval timeout = { .tv_sec = SLEEP_S };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(pipe_fds[0], &set);
	select(pipe_fds[0] + 1, &set, NULL, NULL, &timeout);
	return arg;
}

static void *wait_child(void *arg)
{
	waitpid(child, NULL, 0);
	return arg;
}

struct blocked {
	void *(*block)(void *);
	_Atomic pid_t tid;
};

static void *run_blocked(void *arg)
{
	struct blocked *blocked = arg;

	blocked->tid = gettid();
	return blocked->block(NULL);
}

/* Starts a thread that runs @block and waits until the kernel shows it asleep in system call @nr.
 * Fills @ret_evidence from what it shows. Returns the thread's id. */
static pid_t block_thread(void *(*block)(void *), long nr, struct wait_evidence *ret_evidence,
			  pthread_t *ret_thread)
{
	static struct blocked list[BLOCKED_MAX]; /* read by threads that outlive their test */
	static unsigned int cnt;
	struct blocked *blocked = &list[cnt++];
	time_t end = time(NULL) + DEADLINE_S;
	char path[64], line[256];
	pthread_t thread;
	long shown_nr;
	FILE *file;
	pid_t tid;

	*ret_evidence = (struct wait_evidence){ .in_syscall = true };
	assert_true(cnt < BLOCKED_MAX);
	blocked->block = block;
	assert_int_equal(pthread_create(&thread, NULL, run_blocked, blocked), 0);
	if (ret_thread)
		*ret_thread = thread;
	while (!(tid = blocked->tid))
		usleep(1000);
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	do {
		uint64_t *arg = ret_evidence->arg;

		usleep(1000);
		file = fopen(path, "re");
		assert_non_null(file);
		line[0] = '\0';
		if (!fgets(line, sizeof(line), file))
			line[0] = '\0';
		fclose(file);
		if (sscanf(line, "%ld %lx %lx %lx %lx %lx %lx", &shown_nr, &arg[0], &arg[1],
			   &arg[2], &arg[3], &arg[4], &arg[5]) == 7 &&
		    shown_nr == nr) {
			ret_evidence->syscall = arch_syscall_name(nr);
			return tid;
		}
	} while (time(NULL) < end);
	fail_msg("no thread in system call %ld: %s", nr, line);
	return 0;
}

/* The times of a request are made so that what is left of absolute timeouts is known to the ns. */
static struct wait_answer describe(enum wait_kind kind, const struct wait_evidence *evidence)
{
	const struct wait_request request = {
		.tid = getpid(),
		.kind = kind,
		.evidence = evidence,
		.age_ns = 5 * NS_PER_S,
		.mono_ns =
			(uint64_t)((deadline_mono.tv_sec - 7) * NS_PER_S + deadline_mono.tv_nsec),
		.wall_ns =
			(uint64_t)((deadline_wall.tv_sec - 9) * NS_PER_S + deadline_wall.tv_nsec),
	};
	struct wait_answer answer;

	wait_objects_describe(objects, &request, &answer);
	return answer;
}

static struct wait_answer describe_call(enum wait_kind kind, const char *name, uint64_t arg0,
					uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
	const struct wait_evidence evidence = { .in_syscall = true,
						.syscall = name,
						.arg = { arg0, arg1, arg2, arg3 } };

	return describe(kind, &evidence);
}

static int start(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct epoll_event event = { .events = EPOLLERR };
	socklen_t addr_bytes = sizeof(addr);

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &deadline_mono);
	clock_gettime(CLOCK_REALTIME, &deadline_wall);
	deadline_mono.tv_sec += SLEEP_S;
	deadline_wall.tv_sec += SLEEP_S;
	pthread_mutex_lock(&test_lock);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	tcp_fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (pipe2(pipe_fds, O_CLOEXEC) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, unix_fds) ||
	    bind(listen_fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(listen_fd, 4) ||
	    getsockname(listen_fd, (struct sockaddr *)&addr, &addr_bytes) ||
	    connect(tcp_fds[0], (struct sockaddr *)&addr, sizeof(addr)) ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, unix_fds[1], &event) ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, tcp_fds[0], &event))
		return -1;
	tcp_fds[1] = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	maps_init(&maps);
	if (maps_read(&maps, getpid(), NULL))
		return -1;
	modules = modules_new(getpid(), &maps, NULL);
	symbolizer = symbolizer_new(getpid(), &maps, modules, NULL);
	objects = wait_objects_new(getpid(), &maps, symbolizer, NULL);
	return objects ? 0 : -1;
}

static int stop(void **state)
{
	const int fds[] = { pipe_fds[0], pipe_fds[1], unix_fds[0], unix_fds[1],
			    listen_fd,	 tcp_fds[0],  tcp_fds[1],  epoll_fd };

	(void)state;
	wait_objects_free(objects);
	symbolizer_free(symbolizer);
	modules_free(modules);
	maps_release(&maps);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
	return 0;
}

static void assert_starts_with(const char *text, const char *start_text)
{
	if (strncmp(text, start_text, strlen(start_text)))
		fail_msg("'%s' does not begin with '%s'", text, start_text);
}

static void test_futexes(void **state)
{
	struct wait_evidence evidence;
	struct wait_answer answer;
	char want[256], where[64];
	pid_t tid;

	(void)state;
	block_thread(wait_mutex, SYS_futex, &evidence, NULL);
	answer = describe(WAIT_MUTEX, &evidence);
	snprintf(want, sizeof(want), "futex %p (test_lock", (void *)&test_lock);
	assert_starts_with(answer.object, want);
	assert_false(answer.has_timeout);

	block_thread(wait_cond, SYS_futex, &evidence, NULL);
	answer = describe(WAIT_COND, &evidence);
	assert_non_null(strstr(answer.object, " (test_cond+0x"));
	assert_true(answer.has_timeout);
	assert_true(answer.timeout_left_ns == 9 * NS_PER_S);

	tid = block_thread(wait_sleep, SYS_clock_nanosleep, &evidence, &joined);
	block_thread(wait_join, SYS_futex, &evidence, NULL);
	answer = describe(WAIT_JOIN, &evidence);
	snprintf(want, sizeof(want), "thread %d", tid);
	assert_string_equal(answer.object, want);

	/* A tid in the futex word that is no thread of the process. */
	evidence.arg[2] = 1;
	assert_starts_with(describe(WAIT_JOIN, &evidence).object, "futex 0x");
	evidence.arg[2] = 4194303;
	assert_starts_with(describe(WAIT_JOIN, &evidence).object, "futex 0x");
	/* On a stack, also where the sanitizer keeps variables elsewhere: whose it is must be
	 * known. */
	evidence.arg[0] = (uint64_t)__builtin_frame_address(0);
	assert_non_null(strstr(describe(WAIT_FUTEX, &evidence).object, " ([stack])"));
	wait_objects_add_stack(objects, (uint32_t)getpid(), evidence.arg[0] - 65536);
	evidence.arg[0]++;
	snprintf(where, sizeof(where), " (stack of thread %d)", getpid());
	assert_non_null(strstr(describe(WAIT_FUTEX, &evidence).object, where));
	evidence.arg[0] = 8; /* nothing is there */
	assert_string_equal(describe(WAIT_FUTEX, &evidence).object, "futex 0x8");
}

static void test_sleeps(void **state)
{
	struct wait_evidence evidence;
	struct wait_answer answer;

	(void)state;
	block_thread(wait_sleep, SYS_clock_nanosleep, &evidence, NULL);
	answer = describe(WAIT_SLEEP, &evidence);
	assert_string_equal(answer.object, "");
	assert_true(answer.has_timeout);
	assert_true(answer.timeout_left_ns == (SLEEP_S - 5) * NS_PER_S);

	block_thread(wait_clock, SYS_clock_nanosleep, &evidence, NULL);
	answer = describe(WAIT_SLEEP, &evidence);
	assert_true(answer.has_timeout);
	assert_true(answer.timeout_left_ns == 7 * NS_PER_S);
}

static void test_files(void **state)
{
	struct wait_evidence evidence;
	struct wait_answer answer;
	struct sockaddr_in addr = { 0 };
	socklen_t addr_bytes = sizeof(addr);
	char want[256];
	int len;

	(void)state;
	block_thread(wait_pipe, SYS_read, &evidence, NULL);
	snprintf(want, sizeof(want), "fd %d (pipe, written by its own fd %d)", pipe_fds[0],
		 pipe_fds[1]);
	assert_string_equal(describe(WAIT_READ, &evidence).object, want);

	block_thread(wait_unix, SYS_recvfrom, &evidence, NULL);
	snprintf(want, sizeof(want), "fd %d (unix, other end held by its own fd %d)", unix_fds[0],
		 unix_fds[1]);
	assert_string_equal(describe(WAIT_RECV, &evidence).object, want);

	block_thread(wait_accept, SYS_accept, &evidence, NULL);
	assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&addr, &addr_bytes), 0);
	snprintf(want, sizeof(want), "fd %d (tcp 127.0.0.1:%u listening)", listen_fd,
		 ntohs(addr.sin_port));
	assert_string_equal(describe(WAIT_ACCEPT, &evidence).object, want);

	block_thread(wait_tcp, SYS_recvfrom, &evidence, NULL);
	assert_int_equal(getsockname(tcp_fds[0], (struct sockaddr *)&addr, &addr_bytes), 0);
	len = snprintf(want, sizeof(want), "fd %d (tcp 127.0.0.1:%u -> 127.0.0.1:", tcp_fds[0],
		       ntohs(addr.sin_port));
	assert_int_equal(getpeername(tcp_fds[0], (struct sockaddr *)&addr, &addr_bytes), 0);
	snprintf(want + len, sizeof(want) - (size_t)len, "%u)", ntohs(addr.sin_port));
	answer = describe(WAIT_RECV, &evidence);
	assert_string_equal(answer.object, want);
	assert_false(answer.has_timeout);
	assert_false(answer.unreadable);
	assert_string_equal(describe(WAIT_RECV, &evidence).object, want); /* now from the cache */
}

static void test_selects(void **state)
{
	struct wait_evidence evidence;
	struct wait_answer answer;
	char want[256];

	(void)state;
	block_thread(wait_epoll, SYS_epoll_wait, &evidence, NULL);
	answer = describe(WAIT_SELECT, &evidence);
	snprintf(want, sizeof(want), "epoll fd %d (2 fds)", epoll_fd);
	assert_string_equal(answer.object, want);
	assert_false(answer.has_timeout);

	block_thread(wait_poll, SYS_poll, &evidence, NULL);
	answer = describe(WAIT_SELECT, &evidence);
	snprintf(want, sizeof(want), "2 fds: %d, %d", pipe_fds[0], tcp_fds[0]);
	assert_string_equal(answer.object, want);
	assert_true(answer.has_timeout);
	assert_true(answer.timeout_left_ns == (SLEEP_S - 5) * NS_PER_S);

	block_thread(wait_select, SYS_pselect6, &evidence, NULL);
	answer = describe(WAIT_SELECT, &evidence);
	snprintf(want, sizeof(want), "fd %d (pipe, written by its own fd %d)", pipe_fds[0],
		 pipe_fds[1]);
	assert_string_equal(answer.object, want);
	assert_true(answer.has_timeout);
	assert_true(answer.timeout_left_ns == (SLEEP_S - 5) * NS_PER_S);
}

static void test_children(void **state)
{
	struct wait_evidence evidence;
	char want[64];

	(void)state;
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	block_thread(wait_child, SYS_wait4, &evidence, NULL);
	snprintf(want, sizeof(want), "child %d", child);
	assert_string_equal(describe(WAIT_CHILD, &evidence).object, want);
	snprintf(want, sizeof(want), "vfork child %d", child); /* the youngest of this thread's */
	assert_string_equal(describe_call(WAIT_CHILD, "vfork", 0, 0, 0, 0).object, want);
	assert_string_equal(describe_call(WAIT_SYSCALL, "clone", 0, 0, 0, 0).object, "");
	kill(child, SIGKILL); /* the waiting thread reaps it */

	assert_string_equal(describe_call(WAIT_CHILD, "wait4", (uint64_t)-1, 0, 0, 0).object,
			    "any child");
	assert_string_equal(describe_call(WAIT_CHILD, "wait4", 0, 0, 0, 0).object,
			    "any child of its process group");
	assert_string_equal(describe_call(WAIT_CHILD, "wait4", (uint64_t)-7, 0, 0, 0).object,
			    "any child of process group 7");
	assert_string_equal(describe_call(WAIT_CHILD, "waitid", P_ALL, 5, 0, 0).object,
			    "any child");
	assert_string_equal(describe_call(WAIT_CHILD, "waitid", P_PID, 5, 0, 0).object, "child 5");
	assert_string_equal(describe_call(WAIT_CHILD, "waitid", P_PGID, 5, 0, 0).object,
			    "any child of process group 5");
	assert_string_equal(describe_call(WAIT_CHILD, "waitid", P_PIDFD, 5, 0, 0).object,
			    "child of pidfd 5");
	assert_string_equal(describe_call(WAIT_CHILD, "waitid", 99, 5, 0, 0).object, "");
}

/* The other end of a pipe in another process, found once for all tables that share their peers. */
static void test_peer_process(void **state)
{
	struct peers *peers = peers_new();
	struct wait_objects *sharing = wait_objects_new(getpid(), &maps, NULL, NULL);
	struct wait_evidence evidence = { .in_syscall = true, .syscall = "read" };
	struct wait_request request = { .kind = WAIT_READ, .evidence = &evidence };
	struct wait_answer answer;
	char want[128], comm[32] = "";
	FILE *file = fopen("/proc/self/comm", "re");
	int ends[2];
	pid_t pid;

	(void)state;
	assert_non_null(fgets(comm, sizeof(comm), file));
	fclose(file);
	comm[strcspn(comm, "\n")] = '\0';
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	close(ends[1]);
	wait_objects_use_peers(sharing, peers);
	evidence.arg[0] = (uint64_t)ends[0];
	wait_objects_describe(sharing, &request, &answer);
	snprintf(want, sizeof(want), "fd %d (pipe, written by %s %d)", ends[0], comm, pid);
	assert_string_equal(answer.object, want);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ends[0]);
	wait_objects_free(sharing);
	peers_free(peers);
	peers_free(NULL);
	wait_objects_free(NULL);
}

static void test_arguments(void **state)
{
	struct pollfd fds[12], many[80];
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct {
		uint64_t value, addr;
		uint32_t flags, reserved;
	} waiters[9] = { { .addr = 0x1000 }, { .addr = 0x2000 } };
	fd_set set;

	(void)state;
	for (int i = 0; i < 12; i++)
		fds[i] = (struct pollfd){ .fd = 100 + i };
	assert_string_equal(
		describe_call(WAIT_SELECT, "poll", (uint64_t)fds, 12, UINT_MAX, 0).object,
		"12 fds: 100, 101, 102, 103, 104, 105, 106, 107, ...");
	fds[0].fd = -1;
	assert_string_equal(
		describe_call(WAIT_SELECT, "poll", (uint64_t)fds, 1, UINT_MAX, 0).object, "");
	assert_string_equal(describe_call(WAIT_SELECT, "ppoll", (uint64_t)fds, 2, 0, 0).object,
			    "fd 101 (not open)");
	/* Most are left out, and of a long list only the beginning is read. */
	for (int i = 0; i < 80; i++)
		many[i] = (struct pollfd){ .fd = i < 62 ? -1 : 100 + i };
	assert_string_equal(
		describe_call(WAIT_SELECT, "poll", (uint64_t)many, 80, UINT_MAX, 0).object,
		"18 fds: 162, 163, ...");
	FD_ZERO(&set);
	for (int fd = 60; fd < 72; fd++)
		FD_SET(fd, &set);
	assert_string_equal(describe_call(WAIT_SELECT, "select", 70, (uint64_t)&set, 0, 0).object,
			    "10 fds: 60, 61, 62, 63, 64, 65, 66, 67, ...");
	assert_string_equal(describe_call(WAIT_SELECT, "select", 60, 0, 0, (uint64_t)&set).object,
			    "");
	assert_string_equal(
		describe_call(WAIT_CONNECT, "connect", 7, (uint64_t)&in4, sizeof(in4), 0).object,
		"fd 7 (to 0.0.0.0:80)");
	in4.sin_family = 0xffff;
	assert_string_equal(
		describe_call(WAIT_CONNECT, "connect", 777, (uint64_t)&in4, sizeof(in4), 0).object,
		"fd 777 (not open)");
	assert_string_equal(
		describe_call(WAIT_FUTEX, "futex_waitv", (uint64_t)waiters, 2, 0, 0).object,
		"2 futexes: 0x1000, 0x2000");
	assert_string_equal(
		describe_call(WAIT_FUTEX, "futex_waitv", (uint64_t)waiters, 9, 0, 0).object,
		"9 futexes: 0x1000, 0x2000, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, ...");
	assert_string_equal(describe_call(WAIT_SEM, "semop", 3, 0, 0, 0).object, "semaphore set 3");
	assert_string_equal(describe_call(WAIT_SYSCALL, "flock", 778, 0, 0, 0).object,
			    "fd 778 (not open)");
	assert_string_equal(describe_call(WAIT_SYSCALL, "munmap", 0, 0, 0, 0).object, "");
	assert_string_equal(describe_call(WAIT_READ, "read", UINT64_MAX, 0, 0, 0).object, "");
	/* Equal numbers of two kinds are two things. */
	assert_string_equal(describe_call(WAIT_READ, "read", 900, 0, 0, 0).object,
			    "fd 900 (not open)");
	assert_string_equal(describe_call(WAIT_SELECT, "epoll_wait", 901, 0, 0, 0).object,
			    "epoll fd 901");
	assert_string_equal(describe_call(WAIT_STOPPED, "read", 900, 0, 0, 0).object, "");
	assert_string_equal(describe_call(WAIT_SYSCALL, NULL, 900, 0, 0, 0).object, "");
}

/* A read that sleeps began on another file than a regular one, but for some of the kernel's own. */
static void test_other_file(void **state)
{
	struct wait_evidence evidence = { .in_syscall = true, .syscall = "read" };
	char path[] = "/tmp/loiter-XXXXXX", want[64];
	int file = mkostemp(path, O_CLOEXEC), own = open("/proc/version", O_RDONLY | O_CLOEXEC);

	(void)state;
	evidence.arg[0] = (uint64_t)file;
	snprintf(want, sizeof(want), "fd %d (now %s)", file, path);
	assert_string_equal(describe(WAIT_READ, &evidence).object, want);
	evidence.uninterruptible = true;
	snprintf(want, sizeof(want), "fd %d (%s)", file, path);
	assert_string_equal(describe(WAIT_READ, &evidence).object, want);
	evidence.uninterruptible = false;
	assert_string_equal(describe(WAIT_SYSCALL, &evidence).object, want);
	evidence.arg[0] = (uint64_t)own;
	snprintf(want, sizeof(want), "fd %d (/proc/version)", own);
	assert_string_equal(describe(WAIT_READ, &evidence).object, want);
	close(own);
	close(file);
	unlink(path);
}

/* A tracer's stop leaves restart_syscall in place of the call, with the call's arguments. */
static void test_restarted(void **state)
{
	struct timespec wall = deadline_wall, relative = { .tv_sec = 100 };
	struct pollfd fd = { .fd = 555 };
	struct wait_answer answer;

	(void)state;
	answer = describe_call(WAIT_COND, "restart_syscall", 0x10, 9 | 128 | 256, 0,
			       (uint64_t)&wall);
	assert_string_equal(answer.object, "futex 0x10");
	assert_true(answer.has_timeout);
	assert_true(answer.timeout_left_ns == 9 * NS_PER_S);
	answer = describe_call(WAIT_FUTEX, "restart_syscall", 0x10, 128, 0, (uint64_t)&relative);
	assert_false(answer.has_timeout);
	answer = describe_call(WAIT_SELECT, "restart_syscall", (uint64_t)&fd, 1, 1000, 0);
	assert_string_equal(answer.object, "fd 555 (not open)");
	assert_false(answer.has_timeout);
	assert_string_equal(describe_call(WAIT_SLEEP, "restart_syscall", 0x10, 1, 0, 0).object, "");
	assert_string_equal(describe_call(WAIT_SYSCALL, "restart_syscall", 1, 1, 0, 0).object, "");
}

static void test_unreadable(void **state)
{
	struct wait_answer answer;

	(void)state;
	answer = describe_call(WAIT_SELECT, "poll", 8, 3, UINT_MAX, 0);
	assert_string_equal(answer.object, "3 fds");
	assert_true(answer.unreadable);
	answer = describe_call(WAIT_SELECT, "poll", 8, UINT_MAX, UINT_MAX, 0);
	assert_true(answer.unreadable);
	assert_true(describe_call(WAIT_SELECT, "select", INT_MAX, 8, 0, 0).unreadable);
	assert_true(describe_call(WAIT_CONNECT, "connect", 777, 8, UINT64_MAX, 0).unreadable);
	assert_true(describe_call(WAIT_FUTEX, "futex_waitv", 8, UINT_MAX, 0, 0).unreadable);
	assert_true(describe_call(WAIT_SLEEP, "nanosleep", 8, 0, 0, 0).unreadable);
	assert_true(describe_call(WAIT_SLEEP, "nanosleep", UINT64_MAX, 0, 0, 0).unreadable);
	assert_false(describe_call(WAIT_SLEEP, "nanosleep", 8, 0, 0, 0).has_timeout);
}

static void test_timeouts(void **state)
{
	const int64_t now_mono_s = deadline_mono.tv_sec - 7, now_wall_s = deadline_wall.tv_sec - 9;
	const struct {
		const char *syscall;
		uint64_t arg1, arg2; /* of a timespec in argument 3, or 0 */
		struct timespec time;
		bool want;
		int64_t left_s;
	} cases[] = {
		{ "futex", 0 | 128, 0, { 100, 0 }, true, 95 }, /* WAIT */
		{ "futex", 9 | 128, 0, { now_mono_s + 3, deadline_mono.tv_nsec }, true, 3 },
		{ "futex", 9 | 256, 0, { now_wall_s + 4, deadline_wall.tv_nsec }, true, 4 },
		{ "futex", 6, 0, { now_wall_s + 5, deadline_wall.tv_nsec }, true, 5 }, /* LOCK_PI */
		{ "futex", 13, 0, { now_mono_s + 6, deadline_mono.tv_nsec }, true, 6 },
		{ "futex", 3, 0, { 100, 0 }, false, 0 }, /* not a wait: argument 3 is a count */
		{ "epoll_pwait2", 0, 0, { 100, 0 }, true, 95 },
		{ "semtimedop", 0, 0, { 1, 0 }, true, -4 }, /* overdue */
		/* nobody means these */
		{ "epoll_pwait2", 0, 0, { -1, 0 }, false, 0 },
		{ "epoll_pwait2", 0, 0, { 1, -1 }, false, 0 },
		{ "epoll_pwait2", 0, 0, { 1, NS_PER_S }, false, 0 },
		{ "epoll_pwait2", 0, 0, { INT64_MAX, 0 }, false, 0 },
		{ "epoll_pwait2", 0, 0, { 8000000000, 0 }, false, 0 }, /* 250 years: none */
		{ "futex", 9, 0, { 0, 0 }, false, 0 },		       /* passed at boot */
		{ "futex", 9 | 256, 0, { 1000, 0 }, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wait_answer answer =
			describe_call(WAIT_SYSCALL, cases[i].syscall, 0, cases[i].arg1,
				      cases[i].arg2, (uint64_t)&cases[i].time);

		if (answer.has_timeout != cases[i].want)
			fail_msg("case %zu: %d", i, answer.has_timeout);
		if (answer.has_timeout)
			assert_true(answer.timeout_left_ns == cases[i].left_s * NS_PER_S);
	}
	/* in milliseconds, in the argument itself */
	assert_true(describe_call(WAIT_SELECT, "epoll_wait", 5, 0, 0, 6500).timeout_left_ns ==
		    3 * NS_PER_S / 2);
	assert_false(describe_call(WAIT_SELECT, "epoll_wait", 5, 0, 0, UINT_MAX).has_timeout);
	assert_false(describe_call(WAIT_FUTEX, "futex", 0x10, 9, 0, 0).has_timeout);
}

static void test_gone_process(void **state)
{
	struct wait_evidence evidence = { .in_syscall = true, .syscall = "read" };
	struct wait_request request = { .kind = WAIT_READ, .evidence = &evidence };
	struct wait_objects *gone;
	struct wait_answer answer;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	gone = wait_objects_new(pid, &maps, NULL, NULL);
	wait_objects_describe(gone, &request, &answer);
	assert_true(answer.unreadable);
	assert_string_equal(answer.object, "fd 0");
	evidence.syscall = "epoll_wait";
	wait_objects_describe(gone, &request, &answer);
	assert_true(answer.unreadable);
	wait_objects_free(gone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_futexes),	   cmocka_unit_test(test_sleeps),
		cmocka_unit_test(test_files),	   cmocka_unit_test(test_selects),
		cmocka_unit_test(test_children),   cmocka_unit_test(test_peer_process),
		cmocka_unit_test(test_other_file), cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_restarted),  cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_timeouts),   cmocka_unit_test(test_gone_process),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
