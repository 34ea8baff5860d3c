/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * futexes count      makes futex calls of every kind, by system calls of its own, and prints for
 *                    each word how many of which outcome there were, as a line of JSON; then
 *                    `ready`, and ends. Words are told apart by their names, which are symbols.
 * futexes hold N     N threads wait for held_word; at each SIGUSR1 all are woken, and wait again.
 * futexes stop       one thread waits for stopped_word with a timeout of an hour, one for
 *                    forever_word without: for others to stop and continue.
 *
 * What a call is counted as is what it returned: nothing depends on who is faster.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "workload.h"

#define LOCK_THREADS 4
#define LOCK_ROUNDS 2000
#define TURN_ROUNDS 3000
#define TIMEOUTS 25
#define CHANGES 100
#define NOBODIES 50
#define GATE_THREADS 8
#define HELD_MAX 1000

/* Newer than the oldest headers. */
#define NR_FUTEX_WAITV 449
#define NR_FUTEX_WAKE 454
#define NR_FUTEX_WAIT 455
#define NR_FUTEX_REQUEUE 456
#define FLAGS_32BIT 2 /* FUTEX2_SIZE_U32 */
#define FLAGS_PRIVATE (FLAGS_32BIT | FUTEX_PRIVATE_FLAG)

#define NO_TAIL_CALL() __asm__ volatile("" : : : "memory")

/* Each is a futex. */
static uint32_t lock_word, turn_word, timed_word, changed_word, nobody_word, gate_word, queue_word,
	op_word, op2_word, pi_word, shared_word, bad_word, any_word, any2_word, new_word, held_word,
	stopped_word, forever_word;

struct tally {
	const char *name;
	uint32_t *word;
	const char *waiter, *waker; /* functions that all of its calls come from; NULL: several */
	long wait_cnt, timeout_cnt, changed_cnt, failed_cnt;
	long wake_cnt, woken_cnt, moved_cnt, nobody_cnt;
};

#define TALLY(word, waiter, waker)                                                                 \
	{                                                                                          \
#word, &(word), waiter, waker, 0, 0, 0, 0, 0, 0, 0, 0                              \
	}

static struct tally tallies[] = {
	TALLY(lock_word, "take_lock", "give_lock"),
	TALLY(turn_word, "await_turn", "give_turn"),
	TALLY(timed_word, "time_out", NULL),
	TALLY(changed_word, "find_changed", NULL),
	TALLY(nobody_word, NULL, "wake_nobody"),
	TALLY(gate_word, "enter_gate", "open_gate"),
	TALLY(queue_word, NULL, "open_queue"),
	TALLY(op_word, "await_op", "wake_by_op"),
	TALLY(op2_word, "await_op", NULL),
	TALLY(pi_word, "lock_pi", NULL),
	TALLY(shared_word, "time_out", NULL),
	TALLY(bad_word, "fail", NULL),
	TALLY(any_word, "await_any", NULL),
	TALLY(any2_word, "await_any", "wake_any"),
	TALLY(new_word, "call_new", "call_new_wakes"),
};
#define TALLY_CNT (sizeof(tallies) / sizeof(tallies[0]))

static struct tally *tally_of(const uint32_t *word)
{
	for (size_t i = 0; i < TALLY_CNT; i++)
		if (tallies[i].word == word)
			return &tallies[i];
	die("no tally");
}

static void add(long *cnt, long n)
{
	__atomic_fetch_add(cnt, n, __ATOMIC_RELAXED);
}

/* Counts a wait for @word that returned @ret, with errno. Returns @ret. */
static long count_wait(const uint32_t *word, long ret)
{
	struct tally *tally = tally_of(word);

	if (ret < 0 && errno == ENOSYS)
		return ret;
	add(&tally->wait_cnt, 1);
	if (ret >= 0)
		return ret;
	add(errno == ETIMEDOUT ? &tally->timeout_cnt
	    : errno == EAGAIN  ? &tally->changed_cnt
			       : &tally->failed_cnt,
	    1);
	return ret;
}

/* Counts a call that woke @woken and moved @moved threads. */
static void count_wake(const uint32_t *word, long woken, long moved)
{
	struct tally *tally = tally_of(word);

	add(&tally->wake_cnt, 1);
	add(&tally->woken_cnt, woken);
	add(&tally->moved_cnt, moved);
	add(&tally->nobody_cnt, woken + moved == 0);
}

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

static long wait_for(uint32_t *word, uint32_t value, const struct timespec *timeout)
{
	return count_wait(word, futex(word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, value, timeout));
}

static long wake(uint32_t *word, int cnt)
{
	long woken = futex(word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, (uint32_t)cnt, NULL);

	if (woken < 0)
		die("FUTEX_WAKE");
	count_wake(word, woken, 0);
	return woken;
}

/* -- a lock, of which 2 means that somebody may wait for it -- */

FRAME static void take_lock(void)
{
	uint32_t was = 0;

	__atomic_compare_exchange_n(&lock_word, &was, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
	while (was) {
		was = __atomic_exchange_n(&lock_word, 2, __ATOMIC_ACQUIRE);
		if (!was)
			break;
		wait_for(&lock_word, 2, NULL);
	}
	NO_TAIL_CALL();
}

FRAME static void give_lock(void)
{
	if (__atomic_exchange_n(&lock_word, 0, __ATOMIC_RELEASE) == 2)
		wake(&lock_word, 1);
	NO_TAIL_CALL();
}

static void *use_lock(void *arg)
{
	for (int i = 0; i < LOCK_ROUNDS; i++) {
		take_lock();
		sched_yield(); /* to another one that wants it */
		give_lock();
	}
	return arg;
}

static void count_lock(void)
{
	pthread_t threads[LOCK_THREADS];

	for (int i = 0; i < LOCK_THREADS; i++)
		threads[i] = start_thread_of(use_lock, NULL, 0);
	for (int i = 0; i < LOCK_THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* -- two threads that take turns -- */

FRAME static void await_turn(uint32_t turn)
{
	uint32_t now;

	while ((now = __atomic_load_n(&turn_word, __ATOMIC_ACQUIRE)) != turn)
		wait_for(&turn_word, now, NULL);
	NO_TAIL_CALL();
}

FRAME static void give_turn(uint32_t turn)
{
	__atomic_store_n(&turn_word, turn, __ATOMIC_RELEASE);
	wake(&turn_word, 1);
	NO_TAIL_CALL();
}

static void *take_turns(void *arg)
{
	uint32_t own = arg != NULL;

	for (uint32_t i = 0; i < TURN_ROUNDS; i++) {
		await_turn(own);
		give_turn(!own);
	}
	return NULL;
}

static void count_turns(void)
{
	pthread_t other = start_thread_of(take_turns, &turn_word, 0);

	take_turns(NULL);
	pthread_join(other, NULL);
}

/* -- waits that nobody ends -- */

FRAME static void time_out(void)
{
	const struct timespec soon = { .tv_nsec = 1000000 };

	for (int i = 0; i < TIMEOUTS; i++)
		wait_for(&timed_word, 0, &soon);
	for (int i = 0; i < TIMEOUTS; i++)
		count_wait(&shared_word, futex(&shared_word, FUTEX_WAIT, 0, &soon));
	NO_TAIL_CALL();
}

FRAME static void find_changed(void)
{
	for (int i = 0; i < CHANGES; i++)
		wait_for(&changed_word, 1, NULL);
	NO_TAIL_CALL();
}

FRAME static void fail(void)
{
	const struct timespec bad = { .tv_nsec = -1 };

	wait_for(&bad_word, 0, &bad);
	NO_TAIL_CALL();
}

FRAME static void wake_nobody(void)
{
	for (int i = 0; i < NOBODIES; i++)
		wake(&nobody_word, INT_MAX);
	NO_TAIL_CALL();
}

/* -- waiters that are moved -- */

FRAME static void *enter_gate(void *arg)
{
	wait_for(&gate_word, 0, NULL);
	return arg;
}

FRAME static void open_gate(void)
{
	long cnt = syscall(SYS_futex, &gate_word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 2,
			   (void *)INT_MAX, &queue_word, 0);

	if (cnt != GATE_THREADS)
		die("FUTEX_CMP_REQUEUE");
	count_wake(&gate_word, 2, cnt - 2);
	NO_TAIL_CALL();
}

FRAME static void open_queue(void)
{
	wake(&queue_word, INT_MAX);
	NO_TAIL_CALL();
}

static void count_gate(void)
{
	pthread_t threads[GATE_THREADS];

	for (int i = 0; i < GATE_THREADS; i++)
		threads[i] = start_thread_of(enter_gate, NULL, 0);
	wait_settled(0);
	open_gate();
	open_queue();
	for (int i = 0; i < GATE_THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* -- FUTEX_WAKE_OP, which wakes those of a second word on a condition that holds -- */

FRAME static void *await_op(void *word)
{
	wait_for(word, 0, NULL);
	return NULL;
}

FRAME static void wake_by_op(void)
{
	long woken = syscall(SYS_futex, &op_word, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, (void *)1,
			     &op2_word, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0));

	if (woken < 0)
		die("FUTEX_WAKE_OP");
	count_wake(&op_word, woken, 0);
	NO_TAIL_CALL();
}

static void count_op(void)
{
	pthread_t one = start_thread_of(await_op, &op_word, 0);
	pthread_t two = start_thread_of(await_op, &op2_word, 0);

	wait_settled(0);
	wake_by_op();
	pthread_join(one, NULL);
	pthread_join(two, NULL);
}

/* -- a lock with priority inheritance -- */

FRAME static void *lock_pi(void *arg)
{
	count_wait(&pi_word, futex(&pi_word, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL));
	if (futex(&pi_word, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL))
		die("FUTEX_UNLOCK_PI");
	add(&tally_of(&pi_word)->wake_cnt, 1);
	return arg;
}

static void count_pi(void)
{
	pthread_t other;

	pi_word = (uint32_t)own_tid();
	other = start_thread_of(lock_pi, NULL, 0);
	wait_settled(0);
	if (futex(&pi_word, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL))
		die("FUTEX_UNLOCK_PI");
	add(&tally_of(&pi_word)->wake_cnt, 1);
	pthread_join(other, NULL);
}

/* -- calls that not every kernel has -- */

FRAME static void *await_any(void *until)
{
	struct futex_waitv list[] = { { .uaddr = (uintptr_t)&any_word, .flags = FLAGS_PRIVATE },
				      { .uaddr = (uintptr_t)&any2_word, .flags = FLAGS_PRIVATE } };
	long ret = syscall(NR_FUTEX_WAITV, list, 2, 0, until, CLOCK_MONOTONIC);

	count_wait(ret == 1 ? &any2_word : &any_word, ret);
	return NULL;
}

FRAME static void wake_any(void)
{
	wake(&any2_word, 1);
	NO_TAIL_CALL();
}

static void count_any(void)
{
	struct timespec past = { .tv_sec = 1 };
	pthread_t thread = start_thread_of(await_any, NULL, 0);

	wait_settled(0);
	wake_any();
	pthread_join(thread, NULL);
	await_any(&past);
}

FRAME static void call_new(void)
{
	const struct timespec past = { .tv_sec = 1 };

	for (int i = 0; i < TIMEOUTS; i++)
		count_wait(&new_word, syscall(NR_FUTEX_WAIT, &new_word, 0UL, ~0U, FLAGS_PRIVATE,
					      &past, CLOCK_MONOTONIC));
	NO_TAIL_CALL();
}

FRAME static void call_new_wakes(void)
{
	struct futex_waitv list[] = { { .uaddr = (uintptr_t)&new_word, .flags = FLAGS_PRIVATE },
				      { .uaddr = (uintptr_t)&any_word, .flags = FLAGS_PRIVATE } };

	if (!syscall(NR_FUTEX_WAKE, &new_word, ~0U, 1, FLAGS_PRIVATE))
		count_wake(&new_word, 0, 0);
	if (!syscall(NR_FUTEX_REQUEUE, list, 0, 1, 1))
		count_wake(&new_word, 0, 0);
	NO_TAIL_CALL();
}

struct quoted {
	char text[32];
};

static struct quoted quote(const char *text)
{
	struct quoted quoted = { "null" };

	if (text)
		snprintf(quoted.text, sizeof(quoted.text), "\"%s\"", text);
	return quoted;
}

static void print_tallies(void)
{
	for (size_t i = 0; i < TALLY_CNT; i++) {
		const struct tally *tally = &tallies[i];

		printf("{\"name\":\"%s\",\"waiter\":%s,\"waker\":%s,"
		       "\"waits\":{\"count\":%ld,\"timed_out\":%ld,\"changed\":%ld,\"failed\":%ld},"
		       "\"wakes\":{\"count\":%ld,\"woken\":%ld,\"moved\":%ld,\"nobody\":%ld}}\n",
		       tally->name, quote(tally->waiter).text, quote(tally->waker).text,
		       tally->wait_cnt, tally->timeout_cnt, tally->changed_cnt, tally->failed_cnt,
		       tally->wake_cnt, tally->woken_cnt, tally->moved_cnt, tally->nobody_cnt);
	}
}

FRAME static void *wait_for_ever(void *arg)
{
	for (;;)
		futex(&forever_word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL);
	return arg;
}

static void count_all(void)
{
	/* It is in its call when the process ends. */
	start_thread_of(wait_for_ever, NULL, 0);
	count_lock();
	count_turns();
	time_out();
	find_changed();
	fail();
	wake_nobody();
	count_gate();
	count_op();
	count_pi();
	count_any();
	call_new();
	call_new_wakes();
	wait_settled(0);
	print_tallies();
	print_ready();
}

/* -- hold, stop -- */

FRAME static void *be_held(void *arg)
{
	for (;;) {
		uint32_t value = __atomic_load_n(&held_word, __ATOMIC_ACQUIRE);

		futex(&held_word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, value, NULL);
	}
	return arg;
}

FRAME static void let_go(void)
{
	__atomic_fetch_add(&held_word, 1, __ATOMIC_RELEASE);
	futex(&held_word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL);
	NO_TAIL_CALL();
}

FRAME static void *be_stopped(void *arg)
{
	const struct timespec hour = { .tv_sec = 3600 };

	futex(&stopped_word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &hour);
	return arg;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	long held_cnt = argc > 2 ? parse_long(argv[2], 1, HELD_MAX) : 1;

	workload_init();
	if (!strcmp(what, "count")) {
		count_all();
		return 0;
	}
	if (!strcmp(what, "stop")) {
		start_thread_of(wait_for_ever, NULL, 0);
		start_thread_of(be_stopped, NULL, 0);
		printf("pid %d\n", getpid());
	} else if (!strcmp(what, "hold")) {
		for (long i = 0; i < held_cnt; i++)
			start_thread_of(be_held, NULL, 0);
	} else {
		errno = EINVAL;
		die(what);
	}
	wait_settled(0);
	print_ready();
	wait_for_stop(let_go);
	return 0;
}
