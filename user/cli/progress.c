/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define NS_PER_S UINT64_C(1000000000)

static void put_line(const struct progress *progress)
{
	uint64_t passed_ns = clock_mono_ns() - progress->start_ns;

	if (*progress->stop || (progress->duration_ns && passed_ns >= progress->duration_ns))
		fputs("\rloiter: putting names to what was recorded\x1b[K", stderr);
	else if (progress->duration_ns)
		fprintf(stderr, "\rloiter: %s, %" PRIu64 "s left; Ctrl-C ends it now\x1b[K",
			progress->doing,
			(progress->duration_ns - passed_ns + NS_PER_S - 1) / NS_PER_S);
	else
		fprintf(stderr, "\rloiter: %s for %" PRIu64 "s; Ctrl-C ends it\x1b[K",
			progress->doing, passed_ns / NS_PER_S);
	fflush(stderr);
}

static void *run(void *arg)
{
	struct progress *progress = arg;

	pthread_mutex_lock(&progress->lock);
	while (!progress->done) {
		struct timespec next;

		put_line(progress);
		clock_gettime(CLOCK_MONOTONIC, &next);
		next.tv_sec++;
		pthread_cond_timedwait(&progress->changed, &progress->lock, &next);
	}
	pthread_mutex_unlock(&progress->lock);
	fputs("\r\x1b[K", stderr);
	return NULL;
}

/* Starts the thread with all signals blocked: they are for the one that records. */
static bool start_thread(struct progress *progress)
{
	sigset_t all, old;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	code = pthread_create(&progress->thread, NULL, run, progress);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return !code;
}

void progress_start(struct progress *progress, const char *doing, uint64_t duration_ns,
		    const volatile sig_atomic_t *stop)
{
	pthread_condattr_t attr;

	memset(progress, 0, sizeof(*progress));
	if (!isatty(STDERR_FILENO))
		return;
	progress->doing = doing;
	progress->start_ns = clock_mono_ns();
	progress->duration_ns = duration_ns;
	progress->stop = stop;
	pthread_mutex_init(&progress->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&progress->changed, &attr);
	pthread_condattr_destroy(&attr);
	progress->shown = start_thread(progress);
}

void progress_stop(struct progress *progress)
{
	if (!progress->shown)
		return;
	pthread_mutex_lock(&progress->lock);
	progress->done = true;
	pthread_cond_signal(&progress->changed);
	pthread_mutex_unlock(&progress->lock);
	pthread_join(progress->thread, NULL);
	pthread_cond_destroy(&progress->changed);
	pthread_mutex_destroy(&progress->lock);
	progress->shown = false;
}
