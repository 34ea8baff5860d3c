/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * leaky MODE: threads that are created and end in the way that MODE names, over and over. Those
 * that are made by another function of each mode leak, or only look like it: see modes[].
 */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool.h"
#include "workload.h"

#define STACK_BYTES (64 * 1024)
#define MS 1000000L

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t go; /* posted at SIGUSR1 */

static void pause_ms(long ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * MS };

	nanosleep(&pause, NULL);
}

static pthread_attr_t detached;

/* Starts a thread that nobody joins. No function: who creates it is to be the one that says so. */
#define START_DETACHED(run, arg)                                                                   \
	do {                                                                                       \
		pthread_t thread_;                                                                 \
		if (pthread_create(&thread_, &detached, run, arg))                                 \
			die("pthread_create");                                                     \
		__asm__ volatile("" ::: "memory");                                                 \
	} while (0)

/* -- places to be stuck at -- */

FRAME static void wait_for_ever(void)
{
	pthread_mutex_lock(&mutex);
	for (;;)
		pthread_cond_wait(&cond, &mutex);
}

FRAME static void *stuck_main(void *arg)
{
	wait_for_ever();
	return arg;
}

/* -- leak: two threads at a time wait for ever -- */

FRAME static void leak_two(void)
{
	START_DETACHED(stuck_main, NULL);
	START_DETACHED(stuck_main, NULL);
}

static void run_leak(void)
{
	for (;; pause_ms(100))
		leak_two();
}

/* -- slow: a thread for each of 1,000 jobs a second, and one in 1,000 never ends -- */

FRAME static void do_job(long job)
{
	if (job % 1000 == 0)
		wait_for_ever();
	pause_ms(1);
}

FRAME static void *job_main(void *arg)
{
	do_job((long)arg);
	return arg;
}

FRAME static void start_job(long job)
{
	START_DETACHED(job_main, (void *)job);
}

static void run_slow(void)
{
	for (long job = 1;; job++) {
		start_job(job);
		if (job % 2 == 0)
			pause_ms(2);
	}
}

/* -- poll: the threads that leak look whether there is something to do, each second -- */

FRAME static void *polling_main(void *arg)
{
	while (!poll(NULL, 0, 1000))
		;
	return arg;
}

FRAME static void leak_poller(void)
{
	START_DETACHED(polling_main, NULL);
}

static void run_poll(void)
{
	for (;; pause_ms(100))
		leak_poller();
}

/* -- library: a pool makes a thread for each job that finds none idle, and no job ends -- */

FRAME static void run_stuck_job(void)
{
	wait_for_ever();
}

static void run_library(void)
{
	for (;; pause_ms(100))
		pool_submit(run_stuck_job);
}

/* -- pool, idle: workers that have been there all the time, with work and without -- */

#define WORKER_CNT 64

static sem_t jobs;
static atomic_int worker_cnt;

FRAME static void *worker_main(void *arg)
{
	atomic_fetch_add(&worker_cnt, 1);
	for (;;)
		sem_wait(&jobs);
	return arg;
}

FRAME static void start_worker(void)
{
	START_DETACHED(worker_main, NULL);
}

static void start_workers(int cnt)
{
	for (int i = 0; i < cnt; i++)
		start_worker();
	wait_settled(0);
}

static void ready_pool(void)
{
	start_workers(WORKER_CNT);
}

static void run_pool(void)
{
	for (;; pause_ms(5))
		sem_post(&jobs);
}

static void run_nothing(void)
{
	for (;;)
		pause();
}

/* -- plateau: a pool that grows to its size while there is work, from SIGUSR1 on -- */

#define PLATEAU_CNT 32

static void ready_plateau(void)
{
	start_workers(2);
}

static void run_plateau(void)
{
	while (sem_wait(&go))
		;
	while (atomic_load(&worker_cnt) < PLATEAU_CNT) {
		start_worker();
		sem_post(&jobs);
		pause_ms(60);
	}
	for (;; pause_ms(5))
		sem_post(&jobs);
}

/* -- connections: a thread for each; they come and go, all of them have something to say -- */

#define CONNECTION_CNT 40

static int clients[CONNECTION_CNT];

FRAME static void serve(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) == 1)
		send(fd, &byte, 1, MSG_NOSIGNAL);
}

FRAME static void *connection_main(void *arg)
{
	serve((int)(long)arg);
	close((int)(long)arg);
	return arg;
}

FRAME static void accept_connection(int fd)
{
	START_DETACHED(connection_main, (void *)(long)fd);
}

static void open_client(int i)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("socketpair");
	clients[i] = pair[0];
	accept_connection(pair[1]);
}

static void ready_connections(void)
{
	for (int i = 0; i < CONNECTION_CNT; i++)
		open_client(i);
	wait_settled(0);
}

/* Each lives for as long as it takes to go once around. */
static void run_connections(void)
{
	for (int i = 0;; i = (i + 1) % CONNECTION_CNT) {
		for (int j = 0; j < CONNECTION_CNT; j += 3) {
			int client = clients[(i + j) % CONNECTION_CNT];
			char byte = 'x';

			if (send(client, &byte, 1, MSG_NOSIGNAL) != 1 ||
			    recv(client, &byte, 1, 0) != 1)
				die("talk");
		}
		close(clients[i]);
		open_client(i);
		pause_ms(50);
	}
}

/* -- churn: 1,000 threads a second -- */

FRAME static void *brief_main(void *arg)
{
	pause_ms(2);
	return arg;
}

FRAME static void start_brief(void)
{
	START_DETACHED(brief_main, NULL);
}

static void run_churn(void)
{
	for (;; pause_ms(4))
		for (int i = 0; i < 5; i++)
			start_brief();
}

/* -- late: threads end at once, and are joined much later -- */

#define LATE_CNT 40

FRAME static pthread_t start_late(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, brief_main, NULL))
		die("pthread_create");
	return thread;
}

static void run_late(void)
{
	pthread_t threads[LATE_CNT];

	for (int i = 0;; i++) {
		if (i >= LATE_CNT)
			pthread_join(threads[i % LATE_CNT], NULL);
		threads[i % LATE_CNT] = start_late();
		pause_ms(50);
	}
}

/* -- timers: threads that sleep and wake, and one for each time that a timer of libc's expires --
 */

FRAME static void *tick_main(void *arg)
{
	for (;;)
		pause_ms(100);
	return arg;
}

FRAME static void start_ticker(void)
{
	START_DETACHED(tick_main, NULL);
}

FRAME static void on_expiry(union sigval value)
{
	(void)value;
	pause_ms(1);
}

static void ready_timers(void)
{
	struct itimerspec often = { .it_interval.tv_nsec = 50 * MS, .it_value.tv_nsec = 50 * MS };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD,
				  .sigev_notify_function = on_expiry };
	timer_t timer;

	for (int i = 0; i < 4; i++)
		start_ticker();
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &often, NULL))
		die("timer");
}

/* -- forks: a process for each request -- */

FRAME static void fork_worker(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		pause_ms(20);
		_exit(0);
	}
	__asm__ volatile("" ::: "memory");
}

static void run_forks(void)
{
	for (;; pause_ms(50)) {
		fork_worker();
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

/* -- burst: at SIGUSR1 a lot of threads at once, each for a while; then none -- */

FRAME static void *while_main(void *arg)
{
	pause_ms(700);
	return arg;
}

FRAME static void start_while(void)
{
	START_DETACHED(while_main, NULL);
}

static void run_burst(void)
{
	for (;;) {
		if (sem_wait(&go))
			continue;
		for (int i = 0; i < 100; i++)
			start_while();
	}
}

/* -- stay: a few threads at SIGUSR1 that stay for ever, and that is all -- */

FRAME static void start_stayer(void)
{
	START_DETACHED(stuck_main, NULL);
}

static void run_stay(void)
{
	for (;;) {
		if (sem_wait(&go))
			continue;
		for (int i = 0; i < 20; i++)
			start_stayer();
	}
}

/* -- steps: at SIGUSR1 two threads that are at one place after another, each longer than a look
 * takes to come again -- */

#define STEP_MS 1200

FRAME static void first_step(void)
{
	pause_ms(STEP_MS);
	__asm__ volatile("" ::: "memory");
}

FRAME static void second_step(void)
{
	pause_ms(STEP_MS);
	__asm__ volatile("" ::: "memory");
}

FRAME static void third_step(void)
{
	pause_ms(STEP_MS);
	__asm__ volatile("" ::: "memory");
}

FRAME static void *stepping_main(void *arg)
{
	for (;;) {
		first_step();
		second_step();
		third_step();
	}
	return arg;
}

FRAME static void start_stepper(void)
{
	START_DETACHED(stepping_main, NULL);
}

static void run_steps(void)
{
	while (sem_wait(&go))
		;
	for (int i = 0; i < 2; i++)
		start_stepper();
	for (;;)
		pause();
}

static const struct mode {
	const char *name;
	void (*ready)(void); /* done before `ready`; NULL */
	void (*run)(void);
} modes[] = {
	{ "leak", NULL, run_leak },
	{ "slow", NULL, run_slow },
	{ "poll", NULL, run_poll },
	{ "library", NULL, run_library },
	{ "pool", ready_pool, run_pool },
	{ "idle", ready_pool, run_nothing },
	{ "plateau", ready_plateau, run_plateau },
	{ "connections", ready_connections, run_connections },
	{ "churn", NULL, run_churn },
	{ "late", NULL, run_late },
	{ "timers", ready_timers, run_nothing },
	{ "forks", NULL, run_forks },
	{ "burst", NULL, run_burst },
	{ "stay", NULL, run_stay },
	{ "steps", NULL, run_steps },
};

static void post_go(void)
{
	sem_post(&go);
}

FRAME static void *driver_main(void *arg)
{
	((const struct mode *)arg)->run();
	return arg;
}

int main(int argc, char **argv)
{
	const struct mode *mode = NULL;

	workload_init();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (argc == 2 && !strcmp(modes[i].name, argv[1]))
			mode = &modes[i];
	if (!mode) {
		errno = EINVAL;
		die("usage: leaky MODE");
	}
	sem_init(&go, 0, 0);
	sem_init(&jobs, 0, 0);
	pthread_attr_init(&detached);
	pthread_attr_setstacksize(&detached, STACK_BYTES);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	if (mode->ready)
		mode->ready();
	start_thread_of(driver_main, (void *)mode, STACK_BYTES);
	print_ready();
	wait_for_stop(post_go);
	_exit(0);
}
