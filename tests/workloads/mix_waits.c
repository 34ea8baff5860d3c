/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The cells of mix that stand for a kind of wait each. */
#include "mix.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cell.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t pi_mutex;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_barrier_t barrier;
static sem_t sem;
static pid_t child;

void mix_waits_init(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&pi_mutex, &attr);
	pthread_barrier_init(&barrier, NULL, 1000000);
	sem_init(&sem, 0, 0);
	child = start_sleeping_child();
}

FRAME void hold_locks(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_lock(&pi_mutex);
	pthread_rwlock_wrlock(&rwlock);
	BLOCK("sleep", nanosleep(&forever, NULL));
}

FRAME void wait_mutex(void)
{
	BLOCK("mutex lock", pthread_mutex_lock(&mutex));
}

FRAME void wait_mutex_timed(void)
{
	struct timespec until = next_year();

	BLOCK("mutex lock", pthread_mutex_timedlock(&mutex, &until));
}

FRAME void wait_mutex_pi(void)
{
	BLOCK("mutex lock", pthread_mutex_lock(&pi_mutex));
}

FRAME void wait_rdlock(void)
{
	BLOCK("rwlock lock", pthread_rwlock_rdlock(&rwlock));
}

FRAME void wait_wrlock(void)
{
	BLOCK("rwlock lock", pthread_rwlock_wrlock(&rwlock));
}

FRAME void wait_cond(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

	pthread_mutex_lock(&lock);
	BLOCK("cond wait", pthread_cond_wait(&cond, &lock));
}

FRAME void wait_cond_timed(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	struct timespec until = next_year();

	pthread_mutex_lock(&lock);
	BLOCK("cond wait", pthread_cond_timedwait(&cond, &lock, &until));
}

FRAME void wait_sem(void)
{
	BLOCK("sem wait", sem_wait(&sem));
}

FRAME void wait_sem_timed(void)
{
	struct timespec until = next_year();

	BLOCK("sem wait", sem_timedwait(&sem, &until));
}

FRAME void wait_barrier(void)
{
	BLOCK("barrier wait", pthread_barrier_wait(&barrier));
}

FRAME void wait_join(void)
{
	BLOCK("join", pthread_join(cell_previous(), NULL));
}

FRAME static void once_init(void)
{
	BLOCK("sleep", nanosleep(&forever, NULL));
}

FRAME void own_once(void)
{
	VIA(pthread_once(&once, once_init));
}

FRAME void wait_once(void)
{
	BLOCK("once", pthread_once(&once, once_init));
}

FRAME void wait_sleep(void)
{
	BLOCK("sleep", nanosleep(&forever, NULL));
}

FRAME void wait_usleep(void)
{
	BLOCK("sleep", clock_nanosleep(CLOCK_MONOTONIC, 0, &forever, NULL));
}

/* Makes a pipe or dies. */
static void make_pipe(int *fds)
{
	if (pipe2(fds, O_CLOEXEC))
		die("pipe2");
}

/* Returns a connected pair's first socket; the other one is never read. */
static int make_socket(int type)
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds))
		die("socketpair");
	return fds[0];
}

FRAME void wait_select(void)
{
	fd_set set;
	int fds[2];

	make_pipe(fds);
	FD_ZERO(&set);
	if (fds[0] < FD_SETSIZE)
		FD_SET(fds[0], &set);
	BLOCK("select", select(fds[0] < FD_SETSIZE ? fds[0] + 1 : 0, &set, NULL, NULL, NULL));
}

FRAME void wait_poll(void)
{
	struct pollfd pfd = { .events = POLLIN };
	int fds[2];

	make_pipe(fds);
	pfd.fd = fds[0];
	BLOCK("select", poll(&pfd, 1, -1));
}

FRAME void wait_epoll(void)
{
	struct epoll_event event;
	int fd = epoll_create1(EPOLL_CLOEXEC);

	BLOCK("select", epoll_wait(fd, &event, 1, -1));
}

FRAME void wait_read_pipe(void)
{
	int fds[2];
	char byte;

	make_pipe(fds);
	BLOCK("read", read(fds[0], &byte, 1));
}

FRAME void wait_read_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t value;

	BLOCK("read", read(fd, &value, sizeof(value)));
}

FRAME void wait_write_pipe(void)
{
	static const char page[4096];
	int fds[2];

	make_pipe(fds);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	while (write(fds[1], page, sizeof(page)) > 0)
		;
	fcntl(fds[1], F_SETFL, 0);
	BLOCK("write", write(fds[1], page, sizeof(page)));
}

/* Returns a socket that listens under an abstract name the kernel picks, which goes to @name. */
static int listen_unix(struct sockaddr_un *name, socklen_t *len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(name, 0, sizeof(*name));
	name->sun_family = AF_UNIX;
	*len = sizeof(*name);
	if (bind(fd, (struct sockaddr *)name, sizeof(name->sun_family)) ||
	    getsockname(fd, (struct sockaddr *)name, len) || listen(fd, 0))
		die("listen");
	return fd;
}

FRAME void wait_accept(void)
{
	struct sockaddr_un name;
	socklen_t len;
	int fd = listen_unix(&name, &len);

	BLOCK("accept", accept(fd, NULL, NULL));
}

FRAME void wait_accept_tcp(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) || listen(fd, 1))
		die("listen");
	BLOCK("accept", accept4(fd, NULL, NULL, SOCK_CLOEXEC));
}

FRAME void wait_connect(void)
{
	struct sockaddr_un name;
	socklen_t len;
	int fd;

	listen_unix(&name, &len);
	/* The queue has room for one that nobody accepts. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&name, len))
		die("connect");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	BLOCK("connect", connect(fd, (struct sockaddr *)&name, len));
}

FRAME void wait_recv(void)
{
	int fd = make_socket(SOCK_STREAM);
	char byte;

	BLOCK("recv", recv(fd, &byte, 1, 0));
}

FRAME void wait_recvmsg(void)
{
	int fd = make_socket(SOCK_DGRAM);
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	BLOCK("recv", recvmsg(fd, &msg, 0));
}

/* Fills socket @fd until it takes no more. */
static void fill_socket(int fd, const void *bytes, size_t len)
{
	while (send(fd, bytes, len, MSG_DONTWAIT) > 0)
		;
}

FRAME void wait_send(void)
{
	static const char page[4096];
	int fd = make_socket(SOCK_STREAM);

	fill_socket(fd, page, sizeof(page));
	fill_socket(fd, page, 1);
	BLOCK("send", send(fd, page, sizeof(page), 0));
}

FRAME void wait_sendmsg(void)
{
	static char page[4096];
	int fd = make_socket(SOCK_DGRAM);
	struct iovec iov = { .iov_base = page, .iov_len = sizeof(page) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	fill_socket(fd, page, sizeof(page));
	BLOCK("send", sendmsg(fd, &msg, 0));
}

FRAME void wait_waitpid(void)
{
	int status;

	BLOCK("child wait", waitpid(child, &status, 0));
}

FRAME void wait_waitid(void)
{
	siginfo_t info;

	BLOCK("child wait", waitid(P_PID, (id_t)child, &info, WEXITED));
}

FRAME void wait_sigwait(void)
{
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	BLOCK("signal wait", sigwait(&set, &number));
}

FRAME void wait_pause(void)
{
	BLOCK("signal wait", pause());
}

/* What the child of a vfork does: on its parent's stack, so nothing but system calls. */
FRAME static void sleep_in_vfork(void)
{
	die_with_parent();
	for (;;)
		syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}

FRAME void wait_vfork(void)
{
	pid_t pid = 1;

	/* The parent is given its pid only when the child is gone. */
	BLOCK("child wait", pid = vfork() ?: (sleep_in_vfork(), 0));
	if (pid < 0)
		die("vfork");
}

FRAME void wait_flock(void)
{
	int fd = memfd_create("lock", MFD_CLOEXEC), other;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDWR | O_CLOEXEC);
	if (flock(fd, LOCK_EX) || other < 0)
		die("flock");
	BLOCK("flock", flock(other, LOCK_EX));
}

FRAME void wait_futex(void)
{
	uint32_t word = 0;

	BLOCK("futex", syscall(SYS_futex, &word, 0, 0, NULL, NULL, 0));
}

/* Returns a ring of 4 entries, or -1 where the kernel has none for us. */
static int make_ring(void)
{
	unsigned char params[120] = { 0 }; /* struct io_uring_params */

	return (int)syscall(SYS_io_uring_setup, 4, params);
}

int have_io_uring(void)
{
	int fd = make_ring();

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

FRAME void wait_io_uring(void)
{
	const unsigned int get_events = 1;
	int fd = make_ring();

	BLOCK("io_uring", syscall(SYS_io_uring_enter, fd, 0, 1, get_events, NULL, 0));
}

/* As linux/userfaultfd.h has them, which musl's headers lack. */
struct uffd_api {
	uint64_t api, features, ioctls;
};

struct uffd_register {
	uint64_t start, len, mode, ioctls;
};

#define UFFD_API_NR 0xAA
#define UFFD_API_IOCTL _IOWR(UFFD_API_NR, 0x3F, struct uffd_api)
#define UFFD_REGISTER_IOCTL _IOWR(UFFD_API_NR, 0x00, struct uffd_register)
#define UFFD_MODE_MISSING 1
#define UFFD_USER_ONLY 1

/* Returns a page whose first touch waits for a handler that never comes, or NULL. */
static volatile char *make_missing_page(void)
{
	struct uffd_api api = { .api = UFFD_API_NR };
	struct uffd_register reg = { .len = 4096, .mode = UFFD_MODE_MISSING };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_ONLY);
	void *page;

	if (fd < 0)
		return NULL;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.start = (uintptr_t)page;
	if (page == MAP_FAILED || ioctl(fd, UFFD_API_IOCTL, &api) ||
	    ioctl(fd, UFFD_REGISTER_IOCTL, &reg)) {
		close(fd);
		return NULL;
	}
	return page;
}

int have_userfault(void)
{
	return make_missing_page() != NULL;
}

FRAME void wait_userfault(void)
{
	volatile char *page = make_missing_page();

	BLOCK("page fault", *page);
}
