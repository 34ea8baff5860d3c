/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The BPF programs on this kernel: needs root. */
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/capture.h"
#include "collect/snapshot.h"
#include "unwind/arch.h"

#define BLOCKED_THREADS 8
#define DEADLINE_NS (20 * 1000000000ULL)
#define SPIN_NS (50 * 1000000)
#define ENDING_THREADS 300 /* more than the kernel hands out in one read */
#define STAYING_THREADS 5
#define HERD_MAX (ENDING_THREADS + STAYING_THREADS)

static int gate[2]; /* a pipe that is never written to */
static atomic_int stop_spinning;
static _Atomic pid_t spinner_tid;

static void *block(void *arg)
{
	char byte;

	(void)arg;
	return (void *)(intptr_t)read(gate[0], &byte, 1);
}

static void *spin(void *arg)
{
	(void)arg;
	spinner_tid = gettid();
	while (!stop_spinning)
		;
	return NULL;
}

static struct capture *open_capture(pid_t tgid, bool kstacks)
{
	struct capture_options options = { .tgids = &tgid, .tgid_cnt = 1, .kstacks = kstacks };
	struct err err = { "" };
	struct capture *capture = capture_new(&options, &err);

	if (!capture)
		print_error("%s\n", err.msg);
	assert_non_null(capture);
	return capture;
}

struct seen {
	uint32_t task_cnt, kstack_cnt, in_read_cnt;
	struct wire_task last;
};

static int see(void *arg, const struct wire_record *record)
{
	struct seen *seen = arg;

	if (record->type == WIRE_KSTACK) {
		assert_int_equal(record->kstack.tid, seen->last.tid);
		seen->kstack_cnt += record->kstack.pc_cnt > 0;
		return 0;
	}
	assert_int_equal(record->type, WIRE_TASK);
	seen->last = record->task;
	seen->task_cnt++;
	assert_int_equal(record->task.tgid, getpid());
	if (record->task.flags & WIRE_IN_SYSCALL) {
		const char *name = arch_syscall_name(record->task.syscall_nr);

		seen->in_read_cnt += name && !strcmp(name, "read") &&
				     record->task.syscall_arg[0] == (uint64_t)gate[0];
	}
	return 0;
}

/* The blocked threads of this process, waited for until all of them are in read(2). */
static void test_every_thread_is_visited(void **state)
{
	struct capture *capture = open_capture(getpid(), true);
	uint64_t deadline_ns = clock_mono_ns() + DEADLINE_NS;
	struct seen seen;
	struct err err;

	(void)state;
	do {
		seen = (struct seen){ 0 };
		assert_int_equal(capture_read_tasks(capture, see, &seen, &err), 0);
	} while (seen.in_read_cnt < BLOCKED_THREADS && clock_mono_ns() < deadline_ns);
	assert_int_equal(seen.in_read_cnt, BLOCKED_THREADS);
	assert_int_equal(seen.task_cnt, BLOCKED_THREADS + 1);
	assert_true(seen.kstack_cnt >= BLOCKED_THREADS);
	assert_int_equal(capture_losses(capture).bad_records, 0);
	capture_free(capture);
}

static void test_self_is_this_thread(void **state)
{
	struct capture *capture = open_capture(1, false);
	struct wire_task self;

	(void)state;
	assert_int_equal(capture_read_self(capture, &self), 0);
	assert_int_equal(self.tid, gettid());
	assert_int_equal(self.tgid, getpid());
	assert_true(self.flags & WIRE_ON_CPU);
	assert_true(self.now_ns <= clock_mono_ns());
	capture_free(capture);
}

static int find_spinner(void *arg, const struct wire_record *record)
{
	bool *found = arg;

	assert_int_equal(record->type, WIRE_SAMPLE);
	if ((pid_t)record->sample.tid == spinner_tid) {
		assert_true(record->sample.copy_bytes > 0);
		assert_int_equal(record->sample.copy_addr, record->sample.reg[arch_reg_sp]);
		*found = true;
	}
	return 0;
}

static pthread_t start_spinner(void)
{
	pthread_t thread;

	stop_spinning = 0;
	spinner_tid = 0;
	assert_int_equal(pthread_create(&thread, NULL, spin, NULL), 0);
	/* A window has one sample of it, which must not come before it can be told. */
	while (!spinner_tid)
		sched_yield();
	return thread;
}

static void end_spinner(pthread_t thread)
{
	stop_spinning = 1;
	pthread_join(thread, NULL);
}

/* Each start of the clock catches it once more. */
static void test_clock_catches_a_running_thread(void **state)
{
	struct capture *capture = open_capture(getpid(), false);
	uint64_t deadline_ns = clock_mono_ns() + DEADLINE_NS;
	bool found[2] = { false, false };
	pthread_t thread = start_spinner();
	struct err err;

	(void)state;
	for (int window = 0; window < 2; window++) {
		assert_int_equal(capture_sample_start(capture, &err), 0);
		while (!found[window] && clock_mono_ns() < deadline_ns)
			assert_int_equal(
				capture_sample_poll(capture, 10, find_spinner, &found[window]), 0);
		capture_sample_stop(capture);
	}
	end_spinner(thread);
	assert_true(found[0]);
	assert_true(found[1]);
	capture_free(capture);
}

/* What an earlier window saw is no news of the next one. */
static void test_clock_forgets_earlier_windows(void **state)
{
	struct capture *capture = open_capture(getpid(), false);
	uint64_t deadline_ns = clock_mono_ns() + DEADLINE_NS;
	pthread_t thread = start_spinner();
	struct timespec used = { 0 };
	bool found = false;
	clockid_t clock;
	struct err err;

	(void)state;
	assert_int_equal(pthread_getcpuclockid(thread, &clock), 0);
	assert_int_equal(capture_sample_start(capture, &err), 0);
	/* So much CPU time that the clock has hit it; the sample stays in the ring. */
	while (used.tv_nsec < SPIN_NS && !used.tv_sec && clock_mono_ns() < deadline_ns)
		clock_gettime(clock, &used);
	capture_sample_stop(capture);
	end_spinner(thread);
	assert_int_equal(capture_sample_start(capture, &err), 0);
	capture_sample_stop(capture);
	assert_int_equal(capture_sample_poll(capture, 0, find_spinner, &found), 0);
	assert_false(found);
	capture_free(capture);
}

/* A child's thread counts and stacks hold, and a thread that is gone is reported as such. */
static void test_snapshot_of_a_child(void **state)
{
	struct snapshot snapshot;
	struct capture *capture;
	struct err err;
	pid_t child = fork();

	(void)state;
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not come to its end */
		pause();
		_exit(0);
	}
	capture = open_capture(child, false);
	assert_int_equal(snapshot_take(capture, &snapshot, &err), 0);
	assert_int_equal(snapshot.entries.len, 1);
	assert_int_equal(((struct entry *)vec_at(&snapshot.entries, 0))->tid, child);
	assert_true(entry_is_settled(&snapshot, vec_at(&snapshot.entries, 0)));
	snapshot_release(&snapshot);

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(snapshot_take(capture, &snapshot, &err), 0);
	assert_int_equal(snapshot.entries.len, 0);
	snapshot_release(&snapshot);
	capture_free(capture);
}

/* Shared with a child: which of its threads are to end, by the order in which they began. */
struct herd {
	atomic_bool ready;
	_Atomic pid_t tids[HERD_MAX];
	sem_t end[HERD_MAX];
};

static struct herd *herd;

static void *wait_for_end(void *arg)
{
	size_t i = (size_t)(uintptr_t)arg;

	herd->tids[i] = gettid();
	while (sem_wait(&herd->end[i]))
		;
	return NULL;
}

static void *toggle_code(void *arg)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	for (;;) {
		mprotect(page, 4096, PROT_READ | PROT_EXEC);
		mprotect(page, 4096, PROT_READ);
	}
	return NULL;
}

/* Starts a child whose main thread waits for ever, with threads that run @main. */
static pid_t start_herd(void *(*thread_main)(void *), size_t thread_cnt)
{
	pid_t child;

	herd = mmap(NULL, sizeof(*herd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(herd, MAP_FAILED);
	for (size_t i = 0; i < HERD_MAX; i++)
		assert_int_equal(sem_init(&herd->end[i], 1, 0), 0);
	child = fork();
	if (child) {
		while (!herd->ready)
			usleep(1000);
		return child;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < thread_cnt; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, thread_main, (void *)(uintptr_t)i))
			_exit(1);
		while (thread_main == wait_for_end && !herd->tids[i])
			usleep(100);
	}
	herd->ready = true;
	for (;;)
		pause();
}

static void end_herd(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	munmap(herd, sizeof(*herd));
}

/* Ends all threads but the last ones at the first visit, when the kernel has handed out a part of
 * them and goes on from there; counts the visits of those that stay. */
static int end_most(void *arg, const struct wire_record *record)
{
	uint32_t *stay_cnt = arg;

	for (size_t i = 0; i < ENDING_THREADS; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%u/task/%d", record->task.tgid, herd->tids[i]);
		sem_post(&herd->end[i]);
		while (!access(path, F_OK))
			usleep(100);
	}
	for (size_t i = 0; i < STAYING_THREADS; i++)
		*stay_cnt += herd->tids[ENDING_THREADS + i] == (pid_t)record->task.tid;
	return 0;
}

static void test_ending_threads_hide_no_other(void **state)
{
	pid_t child = start_herd(wait_for_end, HERD_MAX);
	struct capture *capture = open_capture(child, false);
	uint32_t stay_cnt = 0;
	struct err err;

	(void)state;
	assert_int_equal(capture_read_every_task(capture, end_most, &stay_cnt, &err), 0);
	assert_int_equal(stay_cnt, STAYING_THREADS);
	capture_free(capture);
	end_herd(child);
}

/* As compilers do that keep their code write-protected: its other threads sleep on. */
static void test_changing_code_moves_no_stack(void **state)
{
	pid_t child = start_herd(toggle_code, 1);
	struct capture *capture = open_capture(child, false);
	struct snapshot snapshot;
	struct err err;

	(void)state;
	assert_int_equal(snapshot_take(capture, &snapshot, &err), 0);
	assert_int_equal(snapshot.entries.len, 2);
	for (uint32_t i = 0; i < snapshot.entries.len; i++) {
		const struct entry *entry = vec_at(&snapshot.entries, i);

		if (entry->tid != (uint32_t)child)
			continue;
		assert_true(entry_is_settled(&snapshot, entry));
		assert_int_not_equal(entry->stack, STACKSET_NONE);
	}
	snapshot_release(&snapshot);
	capture_free(capture);
	end_herd(child);
}

static int start_blocked(void **state)
{
	pthread_t thread;

	(void)state;
	if (pipe(gate))
		return -1;
	for (int i = 0; i < BLOCKED_THREADS; i++)
		if (pthread_create(&thread, NULL, block, NULL) || pthread_detach(thread))
			return -1;
	return 0;
}

static int end_blocked(void **state)
{
	(void)state;
	close(gate[1]);
	close(gate[0]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_thread_is_visited),
		cmocka_unit_test(test_self_is_this_thread),
		cmocka_unit_test(test_clock_catches_a_running_thread),
		cmocka_unit_test(test_clock_forgets_earlier_windows),
		cmocka_unit_test(test_ending_threads_hide_no_other),
		cmocka_unit_test(test_changing_code_moves_no_stack),
		cmocka_unit_test(test_snapshot_of_a_child),
	};

	return cmocka_run_group_tests(tests, start_blocked, end_blocked);
}
