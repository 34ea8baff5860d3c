/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The functions of libc and of the languages' runtimes that threads wait in. Functions are asked
 * leaf first and only as far as the plumbing goes: what a function of the program itself is
 * called never decides.
 */
#include "model/wait_funcs.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "model/func_name.h"

#define UNNAMED_LEAF_MAX 4 /* frames of a stripped libc below its first exported function */
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

struct func_rule {
	const char *pattern; /* of the plain name; a '*' at its end matches any end */
	enum wait_kind kind;
};

/* Functions that wait, WAIT_NONE where they only pass on what their caller waits for. */
static const struct func_rule wait_rules[] = {
	{ "futex_lock_pi*", WAIT_MUTEX },
	{ "futex_clocklock*", WAIT_MUTEX },
	{ "futex", WAIT_NONE },
	{ "futex_wait*", WAIT_NONE },
	{ "futex_abstimed_wait*", WAIT_NONE },
	{ "syscall", WAIT_NONE },
	{ "syscall_cp*", WAIT_NONE },
	{ "syscall_cancel*", WAIT_NONE },
	{ "internal_syscall_cancel*", WAIT_NONE },
	{ "lll_futex*", WAIT_NONE },
	{ "__timedwait*", WAIT_NONE },
	{ "__wait", WAIT_NONE },
	{ "__cp_end", WAIT_NONE },

	{ "pthread_mutex_lock*", WAIT_MUTEX },
	{ "pthread_mutex_timedlock*", WAIT_MUTEX },
	{ "pthread_mutex_clocklock*", WAIT_MUTEX },
	{ "pthread_mutex_cond_lock*", WAIT_MUTEX },
	{ "lll_lock_wait*", WAIT_MUTEX },
	{ "lll_timedlock_wait*", WAIT_MUTEX },
	{ "lll_clocklock_wait*", WAIT_MUTEX },
	{ "mtx_lock", WAIT_MUTEX },
	{ "mtx_timedlock", WAIT_MUTEX },
	{ "__lock", WAIT_MUTEX },
	{ "__lockfile", WAIT_MUTEX },
	{ "__tl_lock", WAIT_MUTEX },
	{ "std::mutex::*", WAIT_MUTEX },
	{ "std::timed_mutex::*", WAIT_MUTEX },
	{ "std::recursive_mutex::*", WAIT_MUTEX },
	{ "std::recursive_timed_mutex::*", WAIT_MUTEX },
	{ "std::sync::mutex::*", WAIT_MUTEX },
	{ "std::sync::poison::mutex::*", WAIT_MUTEX },
	{ "std::sync::nonpoison::mutex::*", WAIT_MUTEX },
	{ "std::sync::reentrant_lock::*", WAIT_MUTEX },
	{ "std::sys::sync::mutex::*", WAIT_MUTEX },
	{ "std::sys::unix::locks::futex_mutex::*", WAIT_MUTEX },
	{ "std::sys::unix::locks::pthread_mutex::*", WAIT_MUTEX },
	{ "parking_lot::raw_mutex::*", WAIT_MUTEX },
	{ "lock_api::mutex::*", WAIT_MUTEX },
	{ "absl::Mutex::Block", WAIT_NONE },
	{ "absl::Mutex::*", WAIT_MUTEX },
	{ "absl::base_internal::SpinLock::*", WAIT_MUTEX },
	{ "runtime.lock*", WAIT_MUTEX },

	{ "pthread_rwlock_rdlock*", WAIT_RWLOCK },
	{ "pthread_rwlock_wrlock*", WAIT_RWLOCK },
	{ "pthread_rwlock_timed*", WAIT_RWLOCK },
	{ "pthread_rwlock_clock*", WAIT_RWLOCK },
	{ "std::shared_mutex::*", WAIT_RWLOCK },
	{ "std::shared_timed_mutex::*", WAIT_RWLOCK },
	{ "std::__shared_mutex_pthread::*", WAIT_RWLOCK },
	{ "std::__glibcxx_rwlock*", WAIT_RWLOCK },
	{ "__glibcxx_rwlock*", WAIT_RWLOCK },
	{ "std::sync::rwlock::*", WAIT_RWLOCK },
	{ "std::sync::poison::rwlock::*", WAIT_RWLOCK },
	{ "std::sync::nonpoison::rwlock::*", WAIT_RWLOCK },
	{ "std::sys::sync::rwlock::*", WAIT_RWLOCK },
	{ "std::sys::unix::locks::futex_rwlock::*", WAIT_RWLOCK },
	{ "parking_lot::raw_rwlock::*", WAIT_RWLOCK },
	{ "lock_api::rwlock::*", WAIT_RWLOCK },

	{ "pthread_cond_wait*", WAIT_COND },
	{ "pthread_cond_timedwait*", WAIT_COND },
	{ "pthread_cond_clockwait*", WAIT_COND },
	{ "private_cond_wait", WAIT_COND },
	{ "cnd_wait", WAIT_COND },
	{ "cnd_timedwait", WAIT_COND },
	{ "std::condition_variable::*", WAIT_COND },
	{ "std::condition_variable_any::*", WAIT_COND },
	{ "std::__condvar::*", WAIT_COND },
	{ "std::sync::condvar::*", WAIT_COND },
	{ "std::sync::poison::condvar::*", WAIT_COND },
	{ "std::sync::nonpoison::condvar::*", WAIT_COND },
	{ "std::sys::sync::condvar::*", WAIT_COND },
	{ "std::sys::unix::locks::futex_condvar::*", WAIT_COND },
	{ "std::sys::unix::locks::pthread_condvar::*", WAIT_COND },
	{ "parking_lot::condvar::*", WAIT_COND },
	{ "absl::CondVar::*", WAIT_COND },

	{ "sem_wait*", WAIT_SEM },
	{ "sem_timedwait*", WAIT_SEM },
	{ "sem_clockwait*", WAIT_SEM },
	{ "new_sem_wait*", WAIT_SEM },
	{ "old_sem_wait*", WAIT_SEM },
	{ "do_futex_wait", WAIT_SEM }, /* glibc until 2.33 uses it in sem_wait alone */
	{ "std::counting_semaphore::*", WAIT_SEM },
	{ "std::__atomic_semaphore::*", WAIT_SEM },
	{ "std::__platform_semaphore::*", WAIT_SEM },

	{ "pthread_barrier_wait*", WAIT_BARRIER },
	{ "std::barrier::*", WAIT_BARRIER },
	{ "std::latch::*", WAIT_BARRIER },
	{ "std::__tree_barrier::*", WAIT_BARRIER },
	{ "std::sync::barrier::*", WAIT_BARRIER },
	{ "absl::Barrier::*", WAIT_BARRIER },
	{ "absl::BlockingCounter::*", WAIT_BARRIER },

	{ "pthread_join", WAIT_JOIN },
	{ "pthread_timedjoin*", WAIT_JOIN },
	{ "pthread_clockjoin*", WAIT_JOIN },
	{ "lll_wait_tid", WAIT_JOIN },
	{ "lll_timedwait_tid", WAIT_JOIN },
	{ "lll_clockwait_tid", WAIT_JOIN },
	{ "thrd_join", WAIT_JOIN },
	{ "std::thread::join", WAIT_JOIN },
	{ "std::jthread::join", WAIT_JOIN },
	{ "std::thread::JoinHandle::join", WAIT_JOIN },
	{ "std::thread::JoinInner::join", WAIT_JOIN },
	{ "std::thread::join_handle::*", WAIT_JOIN },
	{ "std::thread::lifecycle::JoinInner::join", WAIT_JOIN },
	{ "std::thread::scoped::*", WAIT_JOIN },
	{ "std::sys::thread::unix::Thread::join", WAIT_JOIN },
	{ "std::sys::unix::thread::Thread::join", WAIT_JOIN },
	{ "std::sys::pal::unix::thread::Thread::join", WAIT_JOIN },

	{ "pthread_once*", WAIT_ONCE },
	{ "call_once", WAIT_ONCE },
	{ "cxa_guard_acquire", WAIT_ONCE },
	{ "std::call_once", WAIT_ONCE },
	{ "std::once_flag::*", WAIT_ONCE },
	{ "std::sync::once::*", WAIT_ONCE },
	{ "std::sync::poison::once::*", WAIT_ONCE },
	{ "std::sync::nonpoison::once::*", WAIT_ONCE },
	{ "std::sync::once_lock::*", WAIT_ONCE },
	{ "std::sync::lazy_lock::*", WAIT_ONCE },
	{ "std::sys::sync::once::*", WAIT_ONCE },
	{ "std::sys_common::once::*", WAIT_ONCE },
	{ "parking_lot::once::*", WAIT_ONCE },
	{ "absl::call_once", WAIT_ONCE },
	{ "absl::base_internal::CallOnceImpl", WAIT_ONCE },

	{ "std::thread::park*", WAIT_PARK },
	{ "std::thread::functions::park*", WAIT_PARK },
	{ "std::thread::Thread::park*", WAIT_PARK },
	{ "std::thread::thread::Thread::park*", WAIT_PARK },
	{ "std::sys::sync::thread_parking::*", WAIT_PARK },
	{ "std::sys_common::thread_parking::*", WAIT_PARK },
	{ "std::sys_common::thread_parker::*", WAIT_PARK },
	{ "parking_lot_core::*", WAIT_PARK },
	{ "runtime.futex*", WAIT_PARK },
	{ "runtime.note*", WAIT_PARK },
	{ "runtime.semasleep", WAIT_PARK },
	{ "runtime.stopm", WAIT_PARK },
	{ "runtime.mPark", WAIT_PARK },
};

/* libstdc++ names what it waits for in the template arguments of its atomic wait. */
static const struct func_rule atomic_wait_rules[] = {
	{ "std::latch::", WAIT_BARRIER },	 { "std::__tree_barrier", WAIT_BARRIER },
	{ "std::barrier", WAIT_BARRIER },	 { "std::__atomic_semaphore", WAIT_SEM },
	{ "std::counting_semaphore", WAIT_SEM },
};

/* More plumbing, above and below the waiting functions. Words that a program may well call its own
 * functions by are here only with libc's underscores. */
static const char *const runtime_patterns[] = {
	"pthread_*", "lll_*", "start_thread", "start_c11", "clone", "clone3", "__clone*",
	"__libc_*", "libc_start_main_stage2", "_start", "_start_c", "__restore_rt", "__vdso_*",
	"__kernel_vsyscall", "_dl_*", "__gthread_*", "__cxa_*", "_Unwind_*",
	/* system calls */
	"nanosleep", "clock_nanosleep", "epoll_wait", "epoll_pwait", "epoll_pwait2", "ppoll",
	"pselect", "sigtimedwait", "sigwaitinfo", "sigsuspend", "accept4", "recvfrom", "recvmsg",
	"recvmmsg", "sendto", "sendmsg", "sendmmsg", "wait4", "waitpid", "waitid", "__poll",
	"__select", "__read", "__write", "__pread64", "__pwrite64", "__readv", "__writev",
	"__connect", "__accept", "__recv", "__send", "__sleep", "__usleep", "__pause", "__open",
	"__open64", "__fsync", "__fdatasync", "__fcntl*", "__ioctl", "__flock", "__vfork",
	"__sigwait", "__io_getevents*",
	/* C++ */
	"std::thread::*", "std::jthread::*", "std::this_thread::*", "std::__invoke*",
	"std::__atomic*", "std::__detail::*", "std::__mutex*", "std::__timed_mutex*",
	"std::__future_base::*", "std::__basic_future::*", "std::future*", "std::shared_future*",
	"std::__semaphore*", "std::__thread*", "std::atomic*", "std::lock_guard::*",
	"std::unique_lock::*", "std::shared_lock::*", "std::scoped_lock::*", "std::lock",
	"std::execute_native_thread_routine", "execute_native_thread_routine",
	"absl::synchronization_internal::*", "AbslInternal*",
	/* Rust */
	"std::sys::*", "std::sys_common::*", "std::rt::*", "std::panic::*", "std::panicking::*",
	"std::sync::mpmc::*", "std::sync::mpsc::*", "core::ops::function::*",
	"core::panic::unwind_safe::*", "alloc::boxed::Box::call_once", "__rust_*",
	"std::io::stdio::*",
	/* Go */
	"runtime.*", "runtime/*", "internal/runtime/*", "internal/poll.*", "syscall.*"
};

/* Returns the first rule that fits, or NULL: an exception stands before its general rule. */
static const struct func_rule *find_wait_rule(const char *plain, const char *base)
{
	for (size_t i = 0; i < ARRAY_LEN(wait_rules); i++) {
		if (func_name_matches(wait_rules[i].pattern, plain, base))
			return &wait_rules[i];
	}
	return NULL;
}

/* Returns what @func waits for by its template arguments, or WAIT_NONE. */
static enum wait_kind atomic_wait_kind(const char *func, const char *plain)
{
	if (strncmp(plain, "std::__atomic_wait_address", 26) &&
	    strncmp(plain, "std::__detail::__waiter", 23))
		return WAIT_NONE;
	for (size_t i = 0; i < ARRAY_LEN(atomic_wait_rules); i++)
		if (strstr(func, atomic_wait_rules[i].pattern))
			return atomic_wait_rules[i].kind;
	return WAIT_NONE;
}

static bool is_runtime_plain(const char *plain, const char *base)
{
	for (size_t i = 0; i < ARRAY_LEN(runtime_patterns); i++)
		if (func_name_matches(runtime_patterns[i], plain, base))
			return true;
	return false;
}

/* Whether a wait found as @inner is better told by the function further out that waits in @outer,
 * because that is made of the other: a barrier of a condition variable, any lock of parking. */
static bool wait_refines(enum wait_kind inner, enum wait_kind outer)
{
	if (inner == WAIT_COND)
		return outer == WAIT_BARRIER;
	return inner == WAIT_NONE || inner == WAIT_PARK;
}

/* Whether any function further out could tell more. */
static bool wait_is_settled(enum wait_kind found)
{
	return found != WAIT_NONE && found != WAIT_PARK && found != WAIT_COND;
}

enum wait_kind wait_funcs_kind(const char *const *funcs, uint32_t cnt)
{
	enum wait_kind found = WAIT_NONE;
	uint32_t unnamed_cnt = 0;

	for (uint32_t i = 0; i < cnt && !wait_is_settled(found); i++) {
		char plain[WAIT_FUNC_NAME_BYTES];
		const struct func_rule *rule;
		enum wait_kind kind;
		const char *base;

		if (!funcs[i]) {
			if (found != WAIT_NONE || ++unnamed_cnt > UNNAMED_LEAF_MAX)
				break;
			continue;
		}
		func_name_plain(funcs[i], plain, sizeof(plain));
		base = func_name_base(plain);
		rule = find_wait_rule(plain, base);
		kind = rule ? rule->kind : atomic_wait_kind(funcs[i], plain);
		if (kind != WAIT_NONE && wait_refines(found, kind))
			found = kind;
		else if (!rule && !is_runtime_plain(plain, base))
			break;
	}
	return found;
}

/* Whether the file @module (path) is a part of libc, of its loader or of a language's runtime. */
static bool is_runtime_module(const char *module)
{
	static const char *const patterns[] = {
		"libc.so*",    "libc-2*",     "libpthread.so*", "libpthread-2*", "librt.so*",
		"librt-2*",    "libdl.so*",   "libdl-2*",	"ld-linux*",	 "ld-musl*",
		"ld-2*",       "ld.so*",      "libgcc_s*",	"libstdc++*",	 "libc++*",
		"libasan.so*", "libtsan.so*", "libubsan.so*",	"liblsan.so*",	 "[vdso]"
	};
	const char *slash = strrchr(module, '/');

	for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
		if (func_name_pattern_matches(patterns[i], slash ? slash + 1 : module))
			return true;
	return false;
}

bool wait_is_runtime_frame(const char *func, const char *module)
{
	char plain[WAIT_FUNC_NAME_BYTES];
	const char *base;

	if (func && !strcmp(func, "main"))
		return false;
	if (module && is_runtime_module(module))
		return true;
	if (!func)
		return false;
	func_name_plain(func, plain, sizeof(plain));
	base = func_name_base(plain);
	return find_wait_rule(plain, base) || is_runtime_plain(plain, base);
}
