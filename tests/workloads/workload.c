/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The shared parts of the workloads; see workload.h. */
#include "workload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct timespec forever = { .tv_sec = 100000000, .tv_nsec = 0 };

void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

long parse_long(const char *text, long min, long max)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max) {
		errno = EINVAL;
		die(text);
	}
	return value;
}

void name_thread(const char *name)
{
	prctl(PR_SET_NAME, name);
}

pid_t own_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

uint64_t mono_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct timespec next_year(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += 365 * 86400;
	return now;
}

pthread_t start_thread_of(void *(*run)(void *), void *arg, size_t stack_bytes)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	if (stack_bytes)
		pthread_attr_setstacksize(&attr, stack_bytes);
	errno = pthread_create(&thread, &attr, run, arg);
	if (errno)
		die("pthread_create");
	pthread_attr_destroy(&attr);
	return thread;
}

static void stop_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGUSR1);
}

void workload_init(void)
{
	sigset_t set;

	stop_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

/* Reads /proc/self/task/@tid/@name into @text. Returns false when the thread is gone. */
static bool read_task_file(const char *tid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%.10s/%s", tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

/* Adds the times that thread @tid was put on a CPU to @run_cnt. Returns whether it is blocked. */
static bool look_at_task(const char *tid, uint64_t *run_cnt)
{
	unsigned long long slices;
	const char *state;
	char text[512];

	if (!read_task_file(tid, "stat", text, sizeof(text)))
		return true;
	state = strrchr(text, ')');
	if (!state || !strchr("SDZ", state[2]))
		return false;
	if (read_task_file(tid, "schedstat", text, sizeof(text)) &&
	    sscanf(text, "%*u %*u %llu", &slices) == 1)
		*run_cnt += slices;
	return true;
}

/* Whether all other threads are blocked; how often they ran goes to @ret_run_cnt. */
static bool look_at_tasks(pid_t except, uint64_t *ret_run_cnt)
{
	uint64_t run_cnt = 0;
	struct dirent *entry;
	bool blocked = true;
	DIR *dir;

	dir = opendir("/proc/self/task");
	if (!dir)
		die("/proc/self/task");
	while (blocked && (entry = readdir(dir))) {
		pid_t tid = (pid_t)atoi(entry->d_name);

		if (tid > 0 && tid != except && tid != own_tid())
			blocked = look_at_task(entry->d_name, &run_cnt);
	}
	closedir(dir);
	*ret_run_cnt = run_cnt;
	return blocked;
}

bool is_blocked(pid_t tid)
{
	uint64_t run_cnt = 0;
	char name[16];

	snprintf(name, sizeof(name), "%d", (int)tid);
	return look_at_task(name, &run_cnt);
}

void wait_settled(pid_t except)
{
	uint64_t before = 0, after = 0;
	bool was_blocked = false;

	for (;;) {
		bool blocked = look_at_tasks(except, &after);

		if (blocked && was_blocked && before == after)
			return;
		was_blocked = blocked;
		before = after;
		usleep(20000);
	}
}

void print_ready(void)
{
	puts("ready");
	fflush(stdout);
}

/* The descriptor of stdin when that is a pipe: one of another kind says nothing about whether
 * anybody still wants us. */
static int stdin_pipe(void)
{
	struct stat st;

	return fstat(0, &st) == 0 && S_ISFIFO(st.st_mode) ? 0 : -1;
}

bool stdin_ended(int wait_ms)
{
	struct pollfd fd = { .fd = stdin_pipe() };

	return poll(&fd, 1, wait_ms) > 0 && fd.revents & (POLLHUP | POLLERR);
}

FRAME void wait_for_stop(void (*on_usr1)(void))
{
	struct signalfd_siginfo info;
	struct pollfd fds[2];
	sigset_t set;

	stop_signals(&set);
	fds[0].fd = signalfd(-1, &set, SFD_CLOEXEC);
	fds[0].events = POLLIN;
	fds[1].fd = stdin_pipe();
	fds[1].events = 0;
	for (;;) {
		fds[0].revents = fds[1].revents = 0;
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents & (POLLHUP | POLLERR))
			return;
		if (!(fds[0].revents & POLLIN))
			continue;
		if (read(fds[0].fd, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo == SIGTERM)
			return;
		if (on_usr1)
			on_usr1();
	}
}

void die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

pid_t start_sleeping_child(void)
{
	pid_t pid = fork();
	int fd;

	if (pid < 0)
		die("fork");
	if (pid > 0)
		return pid;
	die_with_parent();
	/* The reader of our stdout must not wait for this process too. */
	for (fd = 0; fd < 3; fd++)
		close(fd);
	for (;;)
		pause();
}
