/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Kinds of wait, from stacks that real programs had: names as their symbol tables give them. */
#include "unit.h"

#include <string.h>

#include "model/func_name.h"
#include "model/wait.h"

#define FUNC_MAX 10
#define GLIBC_ROOT "start_thread", "__clone3"
#define FUTEX_ABS "__futex_abstimed_wait_common"
#define UNKNOWN "?" /* in the tables: no name */
#define RUST_ROOT                                                                                  \
	"std::sys::backtrace::__rust_begin_short_backtrace",                                       \
		"core::ops::function::FnOnce::call_once{{vtable.shim}}",                           \
		"<std::sys::thread::unix::Thread>::new::thread_start", GLIBC_ROOT

struct stack_case {
	enum wait_kind want;
	const char *funcs[FUNC_MAX];
};

static const struct stack_case futex_cases[] = {
	/* glibc 2.36, C */
	{ WAIT_MUTEX,
	  { "__GI___lll_lock_wait", "__pthread_mutex_lock@GLIBC_2.2.5", "mutex", GLIBC_ROOT } },
	{ WAIT_MUTEX, { FUTEX_ABS, "__pthread_mutex_clocklock_common", "mutex_timed" } },
	{ WAIT_MUTEX,
	  { FUTEX_ABS, "__futex_clocklock64", "__pthread_mutex_clocklock_common", "mutex_timed" } },
	{ WAIT_COND,
	  { "__futex_abstimed_wait_common64", FUTEX_ABS, "__pthread_cond_wait_common",
	    "___pthread_cond_clockwait64", "f" } },
	{ WAIT_MUTEX,
	  { "futex_wait", "__GI___lll_lock_wait", "lll_mutex_lock_optimized",
	    "__pthread_mutex_lock" } },
	{ WAIT_MUTEX, { "__futex_lock_pi64", "__pthread_mutex_lock_full", "mutex_pi" } },
	{ WAIT_MUTEX,
	  { "__GI___lll_lock_wait", "__pthread_mutex_lock@GLIBC_2.2.5", "mtx_lock@@GLIBC_2.34",
	    "mtxl" } },
	{ WAIT_MUTEX, { "__lll_lock_wait_private", "_IO_puts", "lockstdio", GLIBC_ROOT } },
	{ WAIT_COND, { FUTEX_ABS, "pthread_cond_wait@@GLIBC_2.3.2", "cond", GLIBC_ROOT } },
	{ WAIT_COND, { FUTEX_ABS, "pthread_cond_timedwait@@GLIBC_2.3.2", "cond_timed" } },
	{ WAIT_COND, { FUTEX_ABS, "pthread_cond_clockwait@GLIBC_2.30", "f" } },
	{ WAIT_COND,
	  { FUTEX_ABS, "pthread_cond_wait@@GLIBC_2.3.2", "cnd_wait@@GLIBC_2.34", "cnd" } },
	{ WAIT_SEM, { FUTEX_ABS, "__new_sem_wait_slow64.constprop.0", "semw", GLIBC_ROOT } },
	{ WAIT_BARRIER, { "pthread_barrier_wait@@GLIBC_2.34", "barrier", GLIBC_ROOT } },
	{ WAIT_JOIN, { FUTEX_ABS, "__pthread_clockjoin_ex", "join", GLIBC_ROOT } },
	{ WAIT_ONCE, { "__pthread_once_slow", "once2", GLIBC_ROOT } },
	{ WAIT_RWLOCK, { FUTEX_ABS, "pthread_rwlock_rdlock@GLIBC_2.2.5", "rd" } },
	{ WAIT_RWLOCK, { FUTEX_ABS, "pthread_rwlock_wrlock@@GLIBC_2.34", "wr" } },
	{ WAIT_RWLOCK, { FUTEX_ABS, "pthread_rwlock_timedwrlock@@GLIBC_2.34", "wrt" } },
	/* the mutex of a condition variable, taken back after the wakeup */
	{ WAIT_MUTEX,
	  { "__GI___lll_lock_wait", "__pthread_mutex_cond_lock",
	    "pthread_cond_wait@@GLIBC_2.3.2" } },
	/* glibc, stripped: only exported names */
	{ WAIT_COND, { UNKNOWN, "pthread_cond_wait", "cond", UNKNOWN, UNKNOWN } },
	{ WAIT_MUTEX, { UNKNOWN, "__pthread_mutex_lock", "mutex", UNKNOWN, UNKNOWN } },
	{ WAIT_FUTEX, { UNKNOWN, UNKNOWN, "semw", UNKNOWN, UNKNOWN } },
	{ WAIT_FUTEX, { UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, "pthread_cond_wait" } },
	/* glibc 2.31 and 2.41, static glibc */
	{ WAIT_COND,
	  { "futex_wait_cancelable", "__pthread_cond_wait_common", "__pthread_cond_wait" } },
	{ WAIT_SEM, { "do_futex_wait.constprop.0", "__new_sem_wait_slow.constprop.0" } },
	{ WAIT_COND,
	  { "__syscall_cancel_arch", "__internal_syscall_cancel", "__futex_abstimed_wait_common64",
	    FUTEX_ABS, "___pthread_cond_wait", "cond" } },
	{ WAIT_RWLOCK, { FUTEX_ABS, "___pthread_rwlock_timedrdlock64", "rdt" } },
	{ WAIT_JOIN, { "__lll_timedwait_tid", "pthread_join" } },
	/* musl */
	{ WAIT_COND,
	  { "__syscall_cp_c", "__timedwait_cp", "pthread_cond_timedwait", "cond", "start" } },
	{ WAIT_MUTEX, { "__timedwait_cp", "__timedwait", "__pthread_mutex_timedlock", "f" } },
	{ WAIT_MUTEX, { "__lockfile", "puts" } },
	{ WAIT_BARRIER, { "pthread_barrier_wait" } },
	{ WAIT_JOIN, { "__syscall_cp_c", "__timedwait_cp", "__pthread_timedjoin_np" } },
	{ WAIT_ONCE, { "__wait", "__pthread_once_full", "f" } },
	{ WAIT_FUTEX, { "__syscall_cp_c" } },
	/* libstdc++ */
	{ WAIT_MUTEX,
	  { "__GI___lll_lock_wait", "__pthread_mutex_lock@GLIBC_2.2.5",
	    "__gthread_mutex_lock(pthread_mutex_t*)", "std::mutex::lock()", "f_mutex()" } },
	{ WAIT_MUTEX,
	  { FUTEX_ABS, UNKNOWN,
	    "std::recursive_timed_mutex::_M_clocklock(int, timespec const&)" } },
	{ WAIT_RWLOCK, { UNKNOWN, UNKNOWN, "std::shared_mutex::lock()", "f_sm()" } },
	{ WAIT_COND,
	  { UNKNOWN, UNKNOWN, "std::condition_variable::wait(std::unique_lock<std::mutex>&)",
	    "f()" } },
	{ WAIT_COND,
	  { FUTEX_ABS, UNKNOWN,
	    "void std::_V2::condition_variable_any::wait<std::unique_lock<std::mutex> "
	    ">(std::unique_lock<std::mutex>&)",
	    "f_cva()" } },
	{ WAIT_SEM,
	  { "syscall", "void std::__detail::__platform_wait<int>(int const*, int)",
	    "void std::__atomic_wait_address_bare<std::__atomic_semaphore::_M_acquire()::{lambda()#1}"
	    ">(int const*, std::__atomic_semaphore::_M_acquire()::{lambda()#1})" } },
	{ WAIT_BARRIER,
	  { "syscall", "void std::__detail::__platform_wait<int>(int const*, int)",
	    "void std::__atomic_wait_address<int, std::latch::wait() const::{lambda()#1}>(int const*,"
	    " std::latch::wait() const::{lambda()#1})" } },
	{ WAIT_BARRIER,
	  { "syscall", "void std::__detail::__platform_wait<int>(int const*, int)",
	    "std::__tree_barrier<std::__empty_completion>::wait(std::__barrier_phase_t&&) const" } },
	{ WAIT_FUTEX,
	  { "syscall", "void std::__detail::__platform_wait<int>(int const*, int)", "f_a()" } },
	{ WAIT_JOIN, { UNKNOWN, UNKNOWN, "std::thread::join()", "f_join()" } },
	{ WAIT_ONCE,
	  { UNKNOWN, "__gthread_once(int*, void (*)())",
	    "void std::call_once<f_once()::{lambda()#1}>(std::once_flag&, f_once()::{lambda()#1}&&)" } },
	{ WAIT_ONCE, { "syscall", "__cxa_guard_acquire", "stat()" } },
	{ WAIT_COND,
	  { UNKNOWN, UNKNOWN, "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE" } },
	/* libc++, absl */
	{ WAIT_COND,
	  { FUTEX_ABS, UNKNOWN,
	    "std::__1::condition_variable::wait(std::__1::unique_lock<std::__1::mutex>&)" } },
	{ WAIT_MUTEX,
	  { "syscall", "absl::lts_20220623::synchronization_internal::Waiter::Wait(int)",
	    "AbslInternalPerThreadSemWait_lts_20220623",
	    "absl::lts_20220623::Mutex::Block(absl::lts_20220623::base_internal::PerThreadSynch*)",
	    "absl::lts_20220623::Mutex::LockSlowLoop(SynchWaitParams*, int)" } },
	{ WAIT_COND,
	  { "syscall", "AbslInternalPerThreadSemWait", "absl::Mutex::Block(PerThreadSynch*)",
	    "absl::CondVar::WaitCommon(absl::Mutex*, KernelTimeout)", "f()" } },
	/* Rust 1.95 (v0 and demangled), older Rust (legacy), parking_lot */
	{ WAIT_MUTEX,
	  { "syscall",
	    "_RNvMNtNtNtNtCsjrHSEGnQ3l9_3std3sys4sync5mutex5futexNtB2_5Mutex14lock_contended",
	    "r::f_mutex::h5222ead2a417a63a", RUST_ROOT } },
	{ WAIT_MUTEX,
	  { "syscall", "<std::sys::sync::mutex::futex::Mutex>::lock_contended", "r::f_mutex",
	    RUST_ROOT } },
	{ WAIT_COND,
	  { "syscall", "<std[e28293b1aa0f68bd]::sys::sync::condvar::futex::Condvar>::wait",
	    "r::f_cond", RUST_ROOT } },
	{ WAIT_RWLOCK,
	  { "syscall",
	    "_RNvMNtNtNtNtCsjrHSEGnQ3l9_3std3sys4sync6rwlock5futexNtB2_6RwLock14read_contended",
	    RUST_ROOT } },
	{ WAIT_BARRIER,
	  { "syscall", "<std::sys::sync::condvar::futex::Condvar>::wait",
	    "<std::sync::barrier::Barrier>::wait", RUST_ROOT } },
	{ WAIT_BARRIER,
	  { "syscall", "_RNvMs0_NtNtCsjrHSEGnQ3l9_3std4sync7barrierNtB5_7Barrier4wait",
	    RUST_ROOT } },
	{ WAIT_BARRIER,
	  { "syscall", "std::sys::pal::unix::futex::futex_wait",
	    "<std::sys::sync::condvar::futex::Condvar>::wait",
	    "<std::sync::nonpoison::condvar::Condvar>::wait_while::<std::sync::barrier::State, F>",
	    "<std::sync::barrier::Barrier>::wait", "r::f_bar" } },
	{ WAIT_ONCE, { "syscall", "<std::sys::sync::once::futex::Once>::call", RUST_ROOT } },
	{ WAIT_PARK, { "syscall", "_RNvNtNtCsjrHSEGnQ3l9_3std6thread9functions4park", RUST_ROOT } },
	{ WAIT_PARK,
	  { "syscall", "<std::thread::thread::Thread>::park",
	    "<std::sync::mpmc::list::Channel<T>>::recv::{closure#0}",
	    "std::sync::mpmc::list::Channel<T>::recv::ha155d1c5a320627a", RUST_ROOT } },
	{ WAIT_JOIN,
	  { FUTEX_ABS, "__pthread_clockjoin_ex", "<std::sys::thread::unix::Thread>::join",
	    "std::thread::lifecycle::JoinInner<T>::join::hfff90314570fb69d", "r::f_join" } },
	{ WAIT_JOIN,
	  { "syscall", "<std::thread::thread::Thread>::park",
	    "std::thread::scoped::scope::h381cfe4ef2352a87", RUST_ROOT } },
	{ WAIT_MUTEX,
	  { "syscall",
	    "_ZN3std3sys4unix5locks11futex_mutex5Mutex14lock_contended17h0123456789abcdefE",
	    "app::f" } },
	{ WAIT_MUTEX,
	  { "syscall",
	    "<parking_lot_core::thread_parker::imp::ThreadParker as "
	    "parking_lot_core::thread_parker::ThreadParkerT>::park",
	    "parking_lot_core::parking_lot::park::{{closure}}",
	    "parking_lot::raw_mutex::RawMutex::lock_slow::h0123456789abcdef" } },
	{ WAIT_COND,
	  { "syscall", "parking_lot_core::parking_lot::park",
	    "parking_lot::condvar::Condvar::wait_until_internal" } },
	/* Go */
	{ WAIT_PARK,
	  { "runtime.futex.abi0", "runtime.futexsleep", "runtime.notesleep", "runtime.mPark",
	    "runtime.stopm", "runtime.findRunnable", "runtime.schedule", "runtime.mcall" } },
	{ WAIT_MUTEX, { "runtime.futex", "runtime.futexsleep", "runtime.lock2", "runtime.main" } },
	/* python3.11, mariadbd */
	{ WAIT_SEM,
	  { FUTEX_ABS, "__new_sem_wait_slow64.constprop.0", "PyThread_acquire_lock_timed" } },
	{ WAIT_COND,
	  { FUTEX_ABS, "pthread_cond_clockwait@GLIBC_2.30",
	    "tpool::thread_pool_generic::wait_for_tasks(std::unique_lock<std::mutex>&, "
	    "tpool::worker_data*)" } },
	/* a function of the program never decides */
	{ WAIT_FUTEX, { "syscall", "my_pthread_mutex_lock_wrapper", "pthread_mutex_lock" } },
	{ WAIT_COND,
	  { FUTEX_ABS, "pthread_cond_wait@@GLIBC_2.3.2", "my_pthread_mutex_lock_wrapper" } },
	{ WAIT_FUTEX, { "syscall", "app::parking_lot::raw_mutex::f", "pthread_once" } },
	{ WAIT_FUTEX, { "" } },
	{ WAIT_FUTEX, { UNKNOWN } },
};

static struct wait_evidence in_syscall(const char *name)
{
	return (struct wait_evidence){ .in_syscall = true, .syscall = name };
}

static void test_futex_stacks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(futex_cases) / sizeof(futex_cases[0]); i++) {
		const struct stack_case *test = &futex_cases[i];
		const char *funcs[FUNC_MAX];
		struct wait_evidence evidence = in_syscall("futex");
		enum wait_kind got;

		for (; evidence.func_cnt < FUNC_MAX && test->funcs[evidence.func_cnt];
		     evidence.func_cnt++) {
			const char *func = test->funcs[evidence.func_cnt];

			funcs[evidence.func_cnt] = strcmp(func, UNKNOWN) ? func : NULL;
		}
		evidence.funcs = funcs;
		evidence.arg[1] = 128;
		got = wait_classify(&evidence);
		if (got != test->want)
			fail_msg("case %zu (%s, %s): '%s', not '%s'", i, test->funcs[0],
				 test->funcs[1] ? test->funcs[1] : "-", wait_name(got),
				 wait_name(test->want));
	}
}

static void test_futex_without_names(void **state)
{
	static const struct {
		uint64_t addr, op, value;
		enum wait_kind want;
	} cases[] = {
		{ 0x1000, 6 | 128, 0, WAIT_MUTEX },   /* LOCK_PI */
		{ 0x1000, 13, 0, WAIT_MUTEX },	      /* LOCK_PI2 */
		{ 0x1010, 9 | 256, 4711, WAIT_JOIN }, /* glibc from 2.34 */
		{ 0x1010, 0, 4711, WAIT_JOIN },	      /* glibc before */
		{ 0x1010, 9 | 256 | 128, 4711, WAIT_FUTEX },
		{ 0x1010, 9 | 256, 0, WAIT_FUTEX }, /* sem_wait between processes */
		{ 0x1010, 9 | 256, 0x80000011, WAIT_FUTEX },
		{ 0x1018, 9 | 256, 4711, WAIT_FUTEX },
		{ 0x1000, 0 | 128, 2, WAIT_FUTEX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wait_evidence evidence = in_syscall("futex");

		evidence.arg[0] = cases[i].addr;
		evidence.arg[1] = cases[i].op;
		evidence.arg[2] = cases[i].value;
		assert_int_equal(wait_classify(&evidence), cases[i].want);
	}
}

static void test_syscalls(void **state)
{
	static const struct {
		const char *name;
		uint64_t arg[WAIT_SYSCALL_ARG_MAX];
		bool uninterruptible, in_iowait;
		enum wait_kind want;
	} cases[] = {
		{ "clock_nanosleep", { 0 }, false, false, WAIT_SLEEP },
		{ "epoll_pwait", { 5, 1, 64, 1000 }, false, false, WAIT_SELECT },
		{ "poll", { 1, 2, 1000 }, false, false, WAIT_SELECT },
		{ "poll", { 0, 0, 1000 }, false, false, WAIT_SLEEP },
		{ "poll", { 0, 0, 0xffffffff }, false, false, WAIT_SELECT },
		{ "ppoll", { 0, 0, 0x1000 }, false, false, WAIT_SLEEP },
		{ "select", { 0, 0, 0, 0, 0x1000 }, false, false, WAIT_SLEEP },
		{ "select", { 8, 0x1000, 0, 0, 0x1000 }, false, false, WAIT_SELECT },
		{ "pselect6", { 8, 0, 0, 0, 0x1000 }, false, false, WAIT_SLEEP },
		{ "read", { 7 }, false, false, WAIT_READ },
		{ "read", { 7 }, true, false, WAIT_DISK },
		{ "preadv2", { 7 }, false, true, WAIT_DISK },
		{ "pwrite64", { 7 }, false, false, WAIT_WRITE },
		{ "fdatasync", { 7 }, true, true, WAIT_DISK },
		{ "openat", { 0 }, true, false, WAIT_DISK },
		{ "openat", { 0 }, false, false, WAIT_SYSCALL }, /* a FIFO without a reader */
		{ "accept4", { 7 }, false, false, WAIT_ACCEPT },
		{ "connect", { 7 }, false, false, WAIT_CONNECT },
		{ "recvmsg", { 7 }, false, false, WAIT_RECV },
		{ "sendfile", { 7 }, false, false, WAIT_SEND },
		{ "wait4", { 0 }, false, false, WAIT_CHILD },
		{ "vfork", { 0 }, true, false, WAIT_CHILD },
		{ "clone3", { 0 }, true, false, WAIT_CHILD },
		{ "clone3", { 0 }, false, false, WAIT_SYSCALL },
		{ "pause", { 0 }, false, false, WAIT_SIGNAL },
		{ "rt_sigtimedwait", { 0 }, false, false, WAIT_SIGNAL },
		{ "io_uring_enter", { 7 }, false, true, WAIT_IO_URING },
		{ "semtimedop", { 7 }, false, false, WAIT_SEM },
		{ "futex_waitv", { 0 }, false, false, WAIT_FUTEX },
		{ "flock", { 7 }, false, false, WAIT_SYSCALL },
		{ "munmap", { 0 }, true, false, WAIT_SYSCALL },
		{ "restart_syscall", { 0 }, false, false, WAIT_SYSCALL },
		{ NULL, { 0 }, true, true, WAIT_SYSCALL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wait_evidence evidence = in_syscall(cases[i].name);

		memcpy(evidence.arg, cases[i].arg, sizeof(evidence.arg));
		evidence.uninterruptible = cases[i].uninterruptible;
		evidence.in_iowait = cases[i].in_iowait;
		if (wait_classify(&evidence) != cases[i].want)
			fail_msg("case %zu (%s): '%s'", i, cases[i].name,
				 wait_name(wait_classify(&evidence)));
	}
}

/* A tracer that came and went leaves threads in restart_syscall. */
static void test_restarted_syscalls(void **state)
{
	static const struct {
		const char *funcs[3];
		enum wait_kind want;
	} cases[] = {
		{ { "clock_nanosleep@GLIBC_2.2.5", "__nanosleep", "f" }, WAIT_SLEEP },
		{ { "__poll", "__pthread_once_slow", "f" }, WAIT_SELECT },
		{ { FUTEX_ABS, "pthread_cond_timedwait", "f" }, WAIT_COND },
		{ { "my_poll", "f", "main" }, WAIT_SYSCALL },
		{ { NULL, NULL, NULL }, WAIT_SYSCALL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wait_evidence evidence = in_syscall("restart_syscall");

		evidence.arg[0] = 0x1000;
		evidence.arg[1] = 1;
		evidence.funcs = cases[i].funcs;
		evidence.func_cnt = 3;
		assert_int_equal(wait_classify(&evidence), cases[i].want);
	}
}

static void test_states(void **state)
{
	(void)state;
	assert_int_equal(wait_classify(&(struct wait_evidence){ .zombie = true }), WAIT_ZOMBIE);
	assert_int_equal(wait_classify(&(struct wait_evidence){
				 .stopped = true, .in_syscall = true, .syscall = "read" }),
			 WAIT_STOPPED);
	assert_int_equal(wait_classify(&(struct wait_evidence){ .running = true }), WAIT_RUNNING);
	assert_int_equal(wait_classify(&(struct wait_evidence){ .runnable = true }), WAIT_RUNNABLE);
	assert_int_equal(wait_classify(&(struct wait_evidence){ .io_worker = true }),
			 WAIT_IO_URING);
	assert_int_equal(wait_classify(&(struct wait_evidence){ .uninterruptible = true }),
			 WAIT_PAGE_FAULT);
}

static enum wait_kind by_kernel(bool in_syscall, const char *leaf, const char *root)
{
	const char *funcs[] = { leaf, NULL, root };

	return wait_classify(&(struct wait_evidence){ .in_syscall = in_syscall,
						      .syscall = in_syscall ? "read" : NULL,
						      .kernel_funcs = funcs,
						      .kernel_func_cnt = 3 });
}

/* Without a system call the kernel's own functions tell, if they were asked for. */
static void test_by_kernel(void **state)
{
	(void)state;
	assert_int_equal(by_kernel(false, "handle_userfault", "asm_exc_page_fault"),
			 WAIT_PAGE_FAULT);
	assert_int_equal(by_kernel(false, "do_signal_stop", "asm_exc_page_fault"), WAIT_STOPPED);
	assert_int_equal(by_kernel(false, "schedule_timeout", "exit_to_user_mode_loop"), WAIT_NONE);
	assert_int_equal(by_kernel(false, NULL, NULL), WAIT_PAGE_FAULT);
	assert_int_equal(by_kernel(true, "anon_pipe_read", "entry_SYSCALL_64"), WAIT_READ);
	assert_int_equal(by_kernel(true, "handle_userfault", "exc_page_fault"), WAIT_READ);
	assert_int_equal(by_kernel(true, "do_signal_stop", "entry_SYSCALL_64"), WAIT_STOPPED);
	assert_int_equal(by_kernel(true, NULL, NULL), WAIT_READ);
}

static void test_every_kind_has_a_name(void **state)
{
	(void)state;
	for (int kind = WAIT_RUNNING; kind < WAIT_KIND_CNT; kind++)
		assert_true(strlen(wait_name((enum wait_kind)kind)) > 2);
	assert_string_equal(wait_name(WAIT_NONE), "");
	assert_string_equal(wait_name((enum wait_kind)999), "");
	assert_true(wait_is_idle(WAIT_SELECT));
	assert_false(wait_is_idle(WAIT_COND));
}

static void test_calls_that_never_wait(void **state)
{
	static const char *const can[] = { "clock_nanosleep", "clone3", "flock", "read",
					   "no_such" };
	static const char *const cannot[] = { "exit", "exit_group", "futex_wake", "madvise",
					      "rt_sigprocmask" };

	(void)state;
	for (size_t i = 0; i < sizeof(can) / sizeof(can[0]); i++)
		assert_true(wait_can_block(can[i]));
	for (size_t i = 0; i < sizeof(cannot) / sizeof(cannot[0]); i++)
		assert_false(wait_can_block(cannot[i]));
}

static void test_runtime_frames(void **state)
{
	static const struct {
		const char *func, *module;
		bool want;
	} cases[] = {
		{ "main", "/usr/bin/app", false },
		{ "main", NULL, false },
		{ NULL, NULL, false },
		{ NULL, "/usr/lib/x86_64-linux-gnu/libc.so.6", true },
		{ NULL, "/lib/x86_64-linux-gnu/libc-2.31.so", true },
		{ NULL, "/usr/lib/libc-client.so.2007e", false },
		{ "anything", "/lib64/ld-linux-x86-64.so.2", true },
		{ "anything", "/lib/ld-musl-x86_64.so.1", true },
		{ "f", "/usr/lib/libstdc++.so.6.0.30", true },
		{ "f", "[vdso]", true },
		{ "f", "/opt/libc.so.6/app", false },
		{ "start_thread", "/srv/static", true },
		{ "__clone3", "/srv/static", true },
		{ "__libc_start_main_impl", "/srv/static", true },
		{ "_start", "/srv/static", true },
		{ "start", "/srv/static", false },
		{ "___pthread_cond_wait", "/srv/static", true },
		{ "__futex_abstimed_wait_common64", "/srv/static", true },
		{ "__libc_read", "/srv/static", true },
		{ "read", "/srv/static", false },
		{ "connect", "/srv/static", false },
		{ "my_pthread_mutex_lock_wrapper", "/srv/static", false },
		{ "std::sys::backtrace::__rust_begin_short_backtrace::hb8e0473d96dacc95", "r",
		  true },
		{ "core::ops::function::FnOnce::call_once{{vtable.shim}}", "r", true },
		{ "<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once", "r",
		  true },
		{ "std::rt::lang_start::<()>::{closure#0}", "r", true },
		{ "r::main::h086b0cfd890a8ea9", "r", false },
		{ "void std::__invoke_impl<void, void (*)()>(std::__invoke_other, void (*&&)())",
		  "c", true },
		{ "std::thread::_State_impl<std::thread::_Invoker<std::tuple<void (*)()> > >::_M_run()",
		  "c", true },
		{ "std::vector<int>::push_back(int&&)", "c", false },
		{ "runtime.goexit.abi0", "g", true },
		{ "internal/poll.(*FD).Read", "g", true },
		{ "main.main", "g", false },
		{ "net/http.(*conn).serve", "g", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (wait_is_runtime_frame(cases[i].func, cases[i].module) != cases[i].want)
			fail_msg("case %zu: %s in %s", i, cases[i].func, cases[i].module);
}

static void test_plain_names(void **state)
{
	static const char *const cases[][2] = {
		{ "pthread_cond_wait@@GLIBC_2.3.2", "pthread_cond_wait" },
		{ "f.part.0.cold", "f" },
		{ "f [clone .cold]", "f" },
		{ "pkg.constpropX", "pkg.constpropX" },
		{ "std::__cxx11::list<int, a<b> >::size() const", "std::list::size" },
		{ "non-virtual thunk to A::b(int)", "A::b" },
		{ "(anonymous namespace)::run(int)", "(anonymous namespace)::run" },
		{ "void f<&(g(int))>(int)", "f" },
		{ "A::operator()(int) const", "A::operator" },
		{ "std::operator<< <char>(int)", "std::operator" },
		{ "operator_table::f()", "operator_table::f" },
		{ "<T as a::Trait<X>>::method", "T::method" },
		{ "<<A as B>::C as D>::e", "A::C::e" },
		{ "a::f::<fn() -> u8>::g", "a::f::g" },
		{ "sync.(*Mutex).Lock", "sync.(*Mutex).Lock" },
		{ "_ZNSt5mutex4lockEv", "std::mutex::lock" },
		{ "_ZNK3foo3barEv", "foo::bar" },
		{ "_ZN4std17h0E", "std1" },
		{ "_RNvNtCs5_3app28___rust_begin_short_backtrace",
		  "app::__rust_begin_short_backtrace" },
		/* no such mangling: taken as they are */
		{ "_ZN99999999999999999999f", "_ZN99999999999999999999f" },
		{ "_ZN", "_ZN" },
		{ "_RN", "_RN" },
		{ "_RNvBs", "_RNvBs" },
		{ "<<<<", "" },
		{ "<a as ", "a" },
		{ "f<", "f" },
		{ "f[[[", "f" },
		{ "", "" },
	};
	char plain[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		func_name_plain(cases[i][0], plain, sizeof(plain));
		assert_string_equal(plain, cases[i][1]);
	}
	func_name_plain("abcdefgh", plain, 4);
	assert_string_equal(plain, "abc");
	assert_string_equal(func_name_base("__GI___lll_lock_wait"), "lll_lock_wait");
	assert_string_equal(func_name_base("___interceptor_pthread_join"), "pthread_join");
	assert_string_equal(func_name_base("____"), "");
	assert_string_equal(func_name_base("__a::b"), "__a::b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_futex_stacks),
		cmocka_unit_test(test_futex_without_names),
		cmocka_unit_test(test_syscalls),
		cmocka_unit_test(test_restarted_syscalls),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_by_kernel),
		cmocka_unit_test(test_every_kind_has_a_name),
		cmocka_unit_test(test_calls_that_never_wait),
		cmocka_unit_test(test_runtime_frames),
		cmocka_unit_test(test_plain_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
