/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Kinds of wait: from the thread's state, then from the system call's table, then, for a futex,
 * from the functions on the stack (wait_funcs.h).
 */
#include "model/wait.h"

#include <stddef.h>
#include <string.h>

#include "model/func_name.h"
#include "model/wait_funcs.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#define FUTEX_REALTIME 256
#define FUTEX_OP_MASK 127
#define TID_MAX (4u << 20)

enum futex_command {
	FUTEX_OP_WAIT = 0,
	FUTEX_OP_LOCK_PI = 6,
	FUTEX_OP_WAIT_BITSET = 9,
	FUTEX_OP_LOCK_PI2 = 13,
};

struct syscall_rule {
	const char *name;
	enum wait_kind kind;
	bool is_disk; /* may wait for a disk: told by an uninterruptible sleep */
};

static const struct syscall_rule syscall_rules[] = {
	{ "futex", WAIT_FUTEX, false },
	{ "futex_wait", WAIT_FUTEX, false },
	{ "futex_waitv", WAIT_FUTEX, false },
	{ "clock_nanosleep", WAIT_SLEEP, false },
	{ "nanosleep", WAIT_SLEEP, false },
	{ "epoll_wait", WAIT_SELECT, false },
	{ "epoll_pwait", WAIT_SELECT, false },
	{ "epoll_pwait2", WAIT_SELECT, false },
	{ "epoll_wait_old", WAIT_SELECT, false },
	{ "poll", WAIT_SELECT, false },
	{ "ppoll", WAIT_SELECT, false },
	{ "select", WAIT_SELECT, false },
	{ "pselect6", WAIT_SELECT, false },
	{ "read", WAIT_READ, true },
	{ "pread64", WAIT_READ, true },
	{ "readv", WAIT_READ, true },
	{ "preadv", WAIT_READ, true },
	{ "preadv2", WAIT_READ, true },
	{ "write", WAIT_WRITE, true },
	{ "pwrite64", WAIT_WRITE, true },
	{ "writev", WAIT_WRITE, true },
	{ "pwritev", WAIT_WRITE, true },
	{ "pwritev2", WAIT_WRITE, true },
	{ "accept", WAIT_ACCEPT, false },
	{ "accept4", WAIT_ACCEPT, false },
	{ "connect", WAIT_CONNECT, false },
	{ "recvfrom", WAIT_RECV, false },
	{ "recvmsg", WAIT_RECV, false },
	{ "recvmmsg", WAIT_RECV, false },
	{ "sendto", WAIT_SEND, false },
	{ "sendmsg", WAIT_SEND, false },
	{ "sendmmsg", WAIT_SEND, false },
	{ "sendfile", WAIT_SEND, true },
	{ "wait4", WAIT_CHILD, false },
	{ "waitid", WAIT_CHILD, false },
	{ "vfork", WAIT_CHILD, false },
	{ "pause", WAIT_SIGNAL, false },
	{ "rt_sigsuspend", WAIT_SIGNAL, false },
	{ "rt_sigtimedwait", WAIT_SIGNAL, false },
	{ "semop", WAIT_SEM, false },
	{ "semtimedop", WAIT_SEM, false },
	{ "io_uring_enter", WAIT_IO_URING, false },
	{ "io_getevents", WAIT_DISK, false },
	{ "io_pgetevents", WAIT_DISK, false },
	{ "io_submit", WAIT_SYSCALL, true },
	{ "fsync", WAIT_DISK, true },
	{ "fdatasync", WAIT_DISK, true },
	{ "sync", WAIT_DISK, true },
	{ "syncfs", WAIT_DISK, true },
	{ "sync_file_range", WAIT_DISK, true },
	{ "msync", WAIT_DISK, true },
	{ "open", WAIT_SYSCALL, true },
	{ "openat", WAIT_SYSCALL, true },
	{ "openat2", WAIT_SYSCALL, true },
	{ "creat", WAIT_SYSCALL, true },
	{ "close", WAIT_SYSCALL, true },
	{ "stat", WAIT_SYSCALL, true },
	{ "lstat", WAIT_SYSCALL, true },
	{ "fstat", WAIT_SYSCALL, true },
	{ "newfstatat", WAIT_SYSCALL, true },
	{ "statx", WAIT_SYSCALL, true },
	{ "access", WAIT_SYSCALL, true },
	{ "faccessat", WAIT_SYSCALL, true },
	{ "faccessat2", WAIT_SYSCALL, true },
	{ "readlink", WAIT_SYSCALL, true },
	{ "readlinkat", WAIT_SYSCALL, true },
	{ "getdents", WAIT_SYSCALL, true },
	{ "getdents64", WAIT_SYSCALL, true },
	{ "truncate", WAIT_SYSCALL, true },
	{ "ftruncate", WAIT_SYSCALL, true },
	{ "fallocate", WAIT_SYSCALL, true },
	{ "fadvise64", WAIT_SYSCALL, true },
	{ "readahead", WAIT_SYSCALL, true },
	{ "copy_file_range", WAIT_SYSCALL, true },
	{ "splice", WAIT_SYSCALL, true },
	{ "rename", WAIT_SYSCALL, true },
	{ "renameat", WAIT_SYSCALL, true },
	{ "renameat2", WAIT_SYSCALL, true },
	{ "unlink", WAIT_SYSCALL, true },
	{ "unlinkat", WAIT_SYSCALL, true },
	{ "link", WAIT_SYSCALL, true },
	{ "linkat", WAIT_SYSCALL, true },
	{ "symlink", WAIT_SYSCALL, true },
	{ "symlinkat", WAIT_SYSCALL, true },
	{ "mkdir", WAIT_SYSCALL, true },
	{ "mkdirat", WAIT_SYSCALL, true },
	{ "rmdir", WAIT_SYSCALL, true },
	{ "chmod", WAIT_SYSCALL, true },
	{ "fchmod", WAIT_SYSCALL, true },
	{ "fchmodat", WAIT_SYSCALL, true },
	{ "chown", WAIT_SYSCALL, true },
	{ "fchown", WAIT_SYSCALL, true },
	{ "fchownat", WAIT_SYSCALL, true },
	{ "utimensat", WAIT_SYSCALL, true },
	{ "statfs", WAIT_SYSCALL, true },
	{ "fstatfs", WAIT_SYSCALL, true },
	{ "mount", WAIT_SYSCALL, true },
	{ "umount2", WAIT_SYSCALL, true },
	{ "execve", WAIT_SYSCALL, true },
	{ "execveat", WAIT_SYSCALL, true },
};

/* Whether the arguments are those of glibc's pthread_join, whose functions no stripped libc names:
 * a futex shared with the kernel, expected to hold a thread's id, where struct pthread has it. */
static bool is_glibc_join(const struct wait_evidence *evidence)
{
	uint64_t op = evidence->arg[1], tid = evidence->arg[2];

	if (op != FUTEX_OP_WAIT && op != (FUTEX_OP_WAIT_BITSET | FUTEX_REALTIME))
		return false;
	return (evidence->arg[0] & 63) == 16 && (uint32_t)tid > 1 && (uint32_t)tid <= TID_MAX;
}

static enum wait_kind classify_futex(const struct wait_evidence *evidence, const char *syscall)
{
	enum wait_kind kind = wait_funcs_kind(evidence->funcs, evidence->func_cnt);
	uint64_t op = evidence->arg[1] & FUTEX_OP_MASK;

	if (kind != WAIT_NONE)
		return kind;
	if (strcmp(syscall, "futex")) /* the newer ones have other arguments */
		return WAIT_FUTEX;
	if (op == FUTEX_OP_LOCK_PI || op == FUTEX_OP_LOCK_PI2)
		return WAIT_MUTEX;
	if (is_glibc_join(evidence))
		return WAIT_JOIN;
	return WAIT_FUTEX;
}

/* What a call that the kernel restarts after a stop was before: it keeps its arguments, but its
 * number is that of restart_syscall. Only four are restarted so. */
static const char *restarted_syscall(const struct wait_evidence *evidence)
{
	static const char *const names[] = { "clock_nanosleep", "nanosleep", "poll" };
	char plain[WAIT_FUNC_NAME_BYTES];
	const char *base;

	if (evidence->func_cnt && evidence->funcs[0]) {
		func_name_plain(evidence->funcs[0], plain, sizeof(plain));
		base = func_name_base(plain);
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (!strcmp(base, names[i]))
				return names[i];
	}
	if (wait_funcs_kind(evidence->funcs, evidence->func_cnt) != WAIT_NONE)
		return "futex";
	return evidence->syscall;
}

static const char *actual_syscall(const struct wait_evidence *evidence)
{
	if (!evidence->syscall)
		return NULL;
	if (!strcmp(evidence->syscall, "restart_syscall"))
		return restarted_syscall(evidence);
	return evidence->syscall;
}

bool wait_can_block(const char *syscall)
{
	/* What threads do on their way to their end, or to their process's. */
	static const char *const passing[] = {
		"exit",	  "exit_group", "futex_wake",	  "madvise",	 "mprotect",
		"munmap", "rseq",	"rt_sigprocmask", "sched_yield", "set_robust_list",
	};

	for (size_t i = 0; i < ARRAY_LEN(passing); i++)
		if (!strcmp(syscall, passing[i]))
			return false;
	return true;
}

static const struct syscall_rule *find_syscall_rule(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(syscall_rules); i++)
		if (!strcmp(syscall_rules[i].name, name))
			return &syscall_rules[i];
	return NULL;
}

/* Whether a call that waits for any of several files was given none, and a time: a portable sleep.
 */
static bool is_sleeping_select(const char *syscall, const uint64_t *arg)
{
	if (!strcmp(syscall, "poll"))
		return !arg[1] && (int32_t)arg[2] >= 0;
	if (!strcmp(syscall, "ppoll"))
		return !arg[1] && arg[2];
	if (!strcmp(syscall, "select") || !strcmp(syscall, "pselect6"))
		return arg[4] && ((int32_t)arg[0] <= 0 || (!arg[1] && !arg[2] && !arg[3]));
	return false;
}

static enum wait_kind classify_syscall(const struct wait_evidence *evidence)
{
	bool disk_sleep = evidence->uninterruptible || evidence->in_iowait;
	const char *name = actual_syscall(evidence);
	const struct syscall_rule *rule;

	if (!name)
		return WAIT_SYSCALL;
	/* The parent of a vfork sleeps, uninterruptibly, until its child execs or exits. */
	if (evidence->uninterruptible && (!strcmp(name, "clone") || !strcmp(name, "clone3")))
		return WAIT_CHILD;
	rule = find_syscall_rule(name);
	if (!rule)
		return WAIT_SYSCALL;
	if (rule->is_disk && disk_sleep)
		return WAIT_DISK;
	if (rule->kind == WAIT_FUTEX)
		return classify_futex(evidence, name);
	if (rule->kind == WAIT_SELECT && is_sleeping_select(name, evidence->arg))
		return WAIT_SLEEP;
	return rule->kind;
}

/* What the functions of the kernel tell, where the system call does not: there is none, or the
 * thread was stopped on its way out of it. */
static const struct {
	const char *func;
	enum wait_kind kind;
} kernel_rules[] = {
	{ "do_signal_stop", WAIT_STOPPED },	   { "ptrace_stop", WAIT_STOPPED },
	{ "asm_exc_page_fault", WAIT_PAGE_FAULT }, { "exc_page_fault", WAIT_PAGE_FAULT },
	{ "handle_mm_fault", WAIT_PAGE_FAULT },	   { "do_page_fault", WAIT_PAGE_FAULT },
	{ "do_mem_abort", WAIT_PAGE_FAULT },
};

/* Returns WAIT_NONE when they do not tell; writes to @ret_named whether any has a name. */
static enum wait_kind classify_kernel(const struct wait_evidence *evidence, bool *ret_named)
{
	*ret_named = false;
	for (uint32_t i = 0; i < evidence->kernel_func_cnt; i++) {
		const char *func = evidence->kernel_funcs[i];

		for (size_t j = 0; func && j < ARRAY_LEN(kernel_rules); j++)
			if (!strcmp(func, kernel_rules[j].func))
				return kernel_rules[j].kind;
		*ret_named |= func != NULL;
	}
	return WAIT_NONE;
}

enum wait_kind wait_classify(const struct wait_evidence *evidence)
{
	enum wait_kind by_kernel;
	bool named;

	if (evidence->zombie)
		return WAIT_ZOMBIE;
	if (evidence->stopped)
		return WAIT_STOPPED;
	if (evidence->running)
		return WAIT_RUNNING;
	if (evidence->runnable)
		return WAIT_RUNNABLE;
	if (evidence->io_worker)
		return evidence->uninterruptible ? WAIT_DISK : WAIT_IO_URING;
	by_kernel = classify_kernel(evidence, &named);
	if (by_kernel == WAIT_STOPPED)
		return WAIT_STOPPED;
	/* Most by far are page faults. */
	if (!evidence->in_syscall)
		return named ? by_kernel : WAIT_PAGE_FAULT;
	return classify_syscall(evidence);
}

const char *wait_name(enum wait_kind kind)
{
	static const char *const names[WAIT_KIND_CNT] = {
		[WAIT_NONE] = "",
		[WAIT_RUNNING] = "running",
		[WAIT_RUNNABLE] = "runnable",
		[WAIT_MUTEX] = "mutex lock",
		[WAIT_RWLOCK] = "rwlock lock",
		[WAIT_COND] = "cond wait",
		[WAIT_SEM] = "sem wait",
		[WAIT_BARRIER] = "barrier wait",
		[WAIT_JOIN] = "join",
		[WAIT_ONCE] = "once",
		[WAIT_SLEEP] = "sleep",
		[WAIT_SELECT] = "select",
		[WAIT_READ] = "read",
		[WAIT_WRITE] = "write",
		[WAIT_ACCEPT] = "accept",
		[WAIT_CONNECT] = "connect",
		[WAIT_RECV] = "recv",
		[WAIT_SEND] = "send",
		[WAIT_CHILD] = "child wait",
		[WAIT_SIGNAL] = "signal wait",
		[WAIT_DISK] = "disk",
		[WAIT_PAGE_FAULT] = "page fault",
		[WAIT_IO_URING] = "io_uring",
		[WAIT_STOPPED] = "stopped",
		[WAIT_ZOMBIE] = "zombie",
		[WAIT_SYSCALL] = "syscall",
		[WAIT_FUTEX] = "futex",
		[WAIT_PARK] = "park",
	};

	return (unsigned int)kind < WAIT_KIND_CNT ? names[kind] : "";
}

/* Parked threads are not idle: what unparks them is another thread (a channel's sender, a scope's
 * last worker), and to hide one that nobody wakes is worse than to show a pool at rest. The same
 * holds for condition variables. */
bool wait_is_idle(enum wait_kind kind)
{
	return kind == WAIT_SELECT || kind == WAIT_ACCEPT || kind == WAIT_SLEEP ||
	       kind == WAIT_SIGNAL || kind == WAIT_IO_URING;
}
