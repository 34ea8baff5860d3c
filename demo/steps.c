/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What makes the server ill, and its cure. See steps.h for the list.
 *
 * Invariant: what a request leaves behind is put into its list under .lock and only while the
 * request's generation is the present one, so a step that was left gets nothing more to undo.
 */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define WORKERS_PER_REQUEST 5
#define FILES_PER_REQUEST 5
#define BLOCK_BYTES (10u << 20)
#define BURN_SECONDS 5

/* Functions that a report is to name keep a frame and a name of their own under -O2. */
#if defined(__has_attribute) && __has_attribute(noipa)
#define OWN_FRAME __attribute__((noipa))
#else
#define OWN_FRAME __attribute__((noinline))
#endif

struct worker {
	struct worker *next;
	pthread_t thread;
	uint64_t generation;
	unsigned int number;
};

struct block {
	struct block *next;
	char bytes[BLOCK_BYTES];
};

struct open_files {
	struct open_files *next;
	int fds[FILES_PER_REQUEST];
	int cnt;
};

static struct {
	pthread_mutex_t switching; /* held for a whole switch: one at a time */
	pthread_mutex_t lock;	   /* guards all below but .generation's reads */
	unsigned int step_idx;
	_Atomic uint64_t generation; /* written under .lock */
	struct worker *workers;
	unsigned int worker_cnt;
	struct block *blocks;
	struct open_files *files;
	bool deadlocked;
} state = {
	.switching = PTHREAD_MUTEX_INITIALIZER,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

/* Broadcast at each switch. A name of its own, so that reports show it. */
static pthread_cond_t cancel_cond = PTHREAD_COND_INITIALIZER;

/* Blocks until the step is left in which @generation began. */
OWN_FRAME static void wait_for_cancel(uint64_t generation)
{
	pthread_mutex_lock(&state.lock);
	while (state.generation == generation)
		pthread_cond_wait(&cancel_cond, &state.lock);
	pthread_mutex_unlock(&state.lock);
}

/* Step 1: a mutex that another thread holds. */

static struct {
	pthread_mutex_t mutex;
	pthread_t holder;
	pthread_barrier_t held;
	bool has_holder; /* under state.switching */
	uint64_t generation;
} hostage = { .mutex = PTHREAD_MUTEX_INITIALIZER };

OWN_FRAME static void *hold_mutex(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "holder");
	pthread_mutex_lock(&hostage.mutex);
	pthread_barrier_wait(&hostage.held);
	wait_for_cancel(hostage.generation);
	pthread_mutex_unlock(&hostage.mutex);
	return NULL;
}

static void start_holder(uint64_t generation)
{
	int err;

	hostage.generation = generation;
	pthread_barrier_init(&hostage.held, NULL, 2);
	err = pthread_create(&hostage.holder, NULL, hold_mutex, NULL);
	hostage.has_holder = !err;
	if (err)
		log_error(err, "cannot start the thread that holds the mutex");
	else
		pthread_barrier_wait(&hostage.held);
}

static void end_holder(void)
{
	if (hostage.has_holder)
		pthread_join(hostage.holder, NULL);
	hostage.has_holder = false;
	pthread_barrier_destroy(&hostage.held);
}

OWN_FRAME static void wait_for_mutex(uint64_t generation)
{
	(void)generation;
	pthread_mutex_lock(&hostage.mutex);
	pthread_mutex_unlock(&hostage.mutex);
}

/* Step 2: CPU. */

OWN_FRAME static void eat_cpu(uint64_t generation)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += BURN_SECONDS;
	do {
		for (volatile unsigned int i = 0; i < 100000; i++)
			;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (state.generation == generation &&
		 (now.tv_sec < end.tv_sec ||
		  (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec)));
}

/* Steps 3 and 4: memory. */

static struct block *new_block(void)
{
	struct block *block = malloc(sizeof(*block));

	if (!block) {
		log_error(ENOMEM, "cannot allocate a block");
		return NULL;
	}
	memset(block->bytes, 'x', sizeof(block->bytes));
	/* Memory that nobody reads would be optimized away with its allocation. */
	__asm__ volatile("" : : "r"(block) : "memory");
	return block;
}

static void leak_memory(uint64_t generation)
{
	struct block *block = new_block();

	if (!block)
		return;
	pthread_mutex_lock(&state.lock);
	if (state.generation == generation) {
		block->next = state.blocks;
		state.blocks = block;
		block = NULL;
	}
	pthread_mutex_unlock(&state.lock);
	free(block);
}

static void free_memory(void)
{
	struct block *block, *next;

	pthread_mutex_lock(&state.lock);
	block = state.blocks;
	state.blocks = NULL;
	pthread_mutex_unlock(&state.lock);
	for (; block; block = next) {
		next = block->next;
		free(block);
	}
	malloc_trim(0); /* gives the pages back as well: the cure is to be seen from outside */
}

static void churn_memory(uint64_t generation)
{
	(void)generation;
	free(new_block());
}

/* Step 5: threads. */

OWN_FRAME static void *worker(void *arg)
{
	struct worker *self = arg;
	char name[16];

	snprintf(name, sizeof(name), "worker-%u", self->number);
	pthread_setname_np(pthread_self(), name);
	wait_for_cancel(self->generation);
	return self; /* a value of its own, so that the call above is no tail call */
}

OWN_FRAME static void start_threads(uint64_t generation)
{
	pthread_mutex_lock(&state.lock);
	for (int i = 0; i < WORKERS_PER_REQUEST && state.generation == generation; i++) {
		struct worker *self = calloc(1, sizeof(*self));
		int err = ENOMEM;

		if (self) {
			self->generation = generation;
			self->number = state.worker_cnt + 1;
			err = pthread_create(&self->thread, NULL, worker, self);
		}
		if (err) {
			log_error(err, "cannot start a thread");
			free(self);
			break;
		}
		state.worker_cnt++;
		self->next = state.workers;
		state.workers = self;
	}
	pthread_mutex_unlock(&state.lock);
}

static void end_threads(void)
{
	struct worker *self, *next;

	pthread_mutex_lock(&state.lock);
	self = state.workers;
	state.workers = NULL;
	state.worker_cnt = 0;
	pthread_mutex_unlock(&state.lock);
	for (; self; self = next) {
		next = self->next;
		pthread_join(self->thread, NULL);
		free(self);
	}
}

/* Step 6: open files. */

static void close_all(struct open_files *files)
{
	struct open_files *next;

	for (; files; files = next) {
		next = files->next;
		for (int i = 0; i < files->cnt; i++)
			close(files->fds[i]);
		free(files);
	}
}

static void leak_files(uint64_t generation)
{
	struct open_files *files = calloc(1, sizeof(*files));

	if (!files) {
		log_error(ENOMEM, "cannot keep open files");
		return;
	}
	for (; files->cnt < FILES_PER_REQUEST; files->cnt++) {
		int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

		if (fd < 0) {
			log_error(errno, "cannot open a file");
			break;
		}
		files->fds[files->cnt] = fd;
	}
	pthread_mutex_lock(&state.lock);
	if (state.generation == generation) {
		files->next = state.files;
		state.files = files;
		files = NULL;
	}
	pthread_mutex_unlock(&state.lock);
	close_all(files);
}

static void close_files(void)
{
	struct open_files *files;

	pthread_mutex_lock(&state.lock);
	files = state.files;
	state.files = NULL;
	pthread_mutex_unlock(&state.lock);
	close_all(files);
}

/* Step 7: a deadlock. */

static pthread_mutex_t left_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t right_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both_have_one;

OWN_FRAME static void *left_then_right(void *arg)
{
	pthread_setname_np(pthread_self(), "left-right");
	pthread_mutex_lock(&left_mutex);
	pthread_barrier_wait(&both_have_one);
	pthread_mutex_lock(&right_mutex);
	return arg;
}

OWN_FRAME static void *right_then_left(void *arg)
{
	pthread_setname_np(pthread_self(), "right-left");
	pthread_mutex_lock(&right_mutex);
	pthread_barrier_wait(&both_have_one);
	pthread_mutex_lock(&left_mutex);
	return arg;
}

OWN_FRAME static void start_deadlock(uint64_t generation)
{
	pthread_t first, second;
	int err;

	pthread_mutex_lock(&state.lock);
	if (state.deadlocked || state.generation != generation)
		goto out;
	pthread_barrier_init(&both_have_one, NULL, 2);
	err = pthread_create(&first, NULL, left_then_right, NULL);
	if (err) {
		log_error(err, "cannot start a thread");
		goto out;
	}
	/* One thread is waiting from here on, so this is not tried a second time. */
	state.deadlocked = true;
	pthread_detach(first);
	err = pthread_create(&second, NULL, right_then_left, NULL);
	if (err)
		log_error(err, "cannot start the second thread of the deadlock");
	else
		pthread_detach(second);
out:
	pthread_mutex_unlock(&state.lock);
}

static void leave_deadlock(void)
{
	bool deadlocked;

	pthread_mutex_lock(&state.lock);
	deadlocked = state.deadlocked;
	pthread_mutex_unlock(&state.lock);
	if (deadlocked)
		log_line("step 7 cannot be undone: its two threads stay until the server ends");
}

static const struct step steps[STEP_CNT] = {
	{ .ill = "none" },
	{ .ill = "a mutex held elsewhere",
	  .request = wait_for_mutex,
	  .enter = start_holder,
	  .leave = end_holder },
	{ .ill = "burn CPU for 5 s", .request = eat_cpu },
	{ .ill = "leak 10 MB a request", .request = leak_memory, .leave = free_memory },
	{ .ill = "allocate 10 MB and drop it", .request = churn_memory },
	{ .ill = "5 threads a request that wait for ever",
	  .request = start_threads,
	  .leave = end_threads },
	{ .ill = "open 5 files a request", .request = leak_files, .leave = close_files },
	{ .ill = "two threads in a deadlock", .request = start_deadlock, .leave = leave_deadlock },
};

const struct step *step_current(uint64_t *ret_generation)
{
	const struct step *step;

	pthread_mutex_lock(&state.lock);
	step = &steps[state.step_idx];
	*ret_generation = state.generation;
	pthread_mutex_unlock(&state.lock);
	return step;
}

const struct step *step_switch(unsigned int idx)
{
	const struct step *from, *to = &steps[idx];
	uint64_t generation;

	pthread_mutex_lock(&state.switching);
	pthread_mutex_lock(&state.lock);
	from = &steps[state.step_idx];
	state.step_idx = idx;
	generation = ++state.generation;
	pthread_cond_broadcast(&cancel_cond);
	pthread_mutex_unlock(&state.lock);
	if (from->leave)
		from->leave();
	if (to->enter)
		to->enter(generation);
	pthread_mutex_unlock(&state.switching);
	return to;
}
