/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * ring pipe|sem|cond|eventfd|tcp: three threads that wake each other in a ring, red green, green
 * blue, blue red, one at a time. Each waits and wakes in functions of its own, at a depth of its
 * own:
 *
 *   red:   red_main, red_turn, red_take (waits) or red_give (wakes)
 *   green: green_main, green_turn, green_step, green_take or green_give
 *   blue:  blue_main, blue_turn, blue_step, blue_leap, blue_take or blue_give
 *
 * What they call of libc's is called by those that wait and wake, nothing in between.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "workload.h"

enum way {
	WAY_PIPE,
	WAY_SEM,
	WAY_COND,
	WAY_EVENTFD,
	WAY_TCP,
	WAY_CNT,
};

enum seat_name {
	RED,
	GREEN,
	BLUE,
	SEAT_CNT,
};

struct seat {
	int pipe[2]; /* of tcp: two ends of one connection */
	int event_fd;
	sem_t sem;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool has_turn;
};

static const char *const way_names[] = { "pipe", "sem", "cond", "eventfd", "tcp" };
static enum way way;
static struct seat seats[SEAT_CNT];

/* Keeps the call before it from becoming a jump, by which its caller would have no frame. */
#define NO_TAIL_CALL() __asm__ volatile("" : : : "memory")

/* Inlined into each thread's own functions. */
__attribute__((always_inline)) static inline void take(struct seat *seat)
{
	uint64_t cnt;
	char byte;

	switch (way) {
	case WAY_PIPE:
	case WAY_TCP:
		while (read(seat->pipe[0], &byte, 1) != 1)
			;
		break;
	case WAY_SEM:
		while (sem_wait(&seat->sem))
			;
		break;
	case WAY_COND:
		pthread_mutex_lock(&seat->mutex);
		while (!seat->has_turn)
			pthread_cond_wait(&seat->cond, &seat->mutex);
		seat->has_turn = false;
		pthread_mutex_unlock(&seat->mutex);
		break;
	case WAY_EVENTFD:
		while (read(seat->event_fd, &cnt, sizeof(cnt)) != sizeof(cnt))
			;
		break;
	case WAY_CNT:
		break;
	}
	NO_TAIL_CALL();
}

__attribute__((always_inline)) static inline void give(struct seat *seat)
{
	const uint64_t one = 1;

	switch (way) {
	case WAY_PIPE:
	case WAY_TCP:
		if (write(seat->pipe[1], "t", 1) != 1)
			die("write");
		break;
	case WAY_SEM:
		sem_post(&seat->sem);
		break;
	case WAY_COND:
		pthread_mutex_lock(&seat->mutex);
		seat->has_turn = true;
		pthread_mutex_unlock(&seat->mutex);
		/* Without the mutex: who is woken must not wait for it at once. */
		pthread_cond_signal(&seat->cond);
		break;
	case WAY_EVENTFD:
		if (write(seat->event_fd, &one, sizeof(one)) != sizeof(one))
			die("write");
		break;
	case WAY_CNT:
		break;
	}
	NO_TAIL_CALL();
}

FRAME static void red_take(void)
{
	take(&seats[RED]);
}

FRAME static void red_give(void)
{
	give(&seats[GREEN]);
}

FRAME static void red_turn(void)
{
	red_take();
	red_give();
	NO_TAIL_CALL();
}

FRAME static void *red_main(void *arg)
{
	name_thread(arg);
	for (;;)
		red_turn();
	return NULL;
}

FRAME static void green_take(void)
{
	take(&seats[GREEN]);
}

FRAME static void green_give(void)
{
	give(&seats[BLUE]);
}

FRAME static void green_step(void)
{
	green_take();
	green_give();
	NO_TAIL_CALL();
}

FRAME static void green_turn(void)
{
	green_step();
	NO_TAIL_CALL();
}

FRAME static void *green_main(void *arg)
{
	name_thread(arg);
	for (;;)
		green_turn();
	return NULL;
}

FRAME static void blue_take(void)
{
	take(&seats[BLUE]);
}

FRAME static void blue_give(void)
{
	give(&seats[RED]);
}

FRAME static void blue_leap(void)
{
	blue_take();
	blue_give();
	NO_TAIL_CALL();
}

FRAME static void blue_step(void)
{
	blue_leap();
	NO_TAIL_CALL();
}

FRAME static void blue_turn(void)
{
	blue_step();
	NO_TAIL_CALL();
}

FRAME static void *blue_main(void *arg)
{
	name_thread(arg);
	for (;;)
		blue_turn();
	return NULL;
}

/* Makes @fds the two ends of a connection over the loopback device. */
static int tcp_pair(int *fds)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(listener, 1) || getsockname(listener, (struct sockaddr *)&addr, &len) ||
	    connect(fds[1], (struct sockaddr *)&addr, sizeof(addr)))
		return -1;
	fds[0] = accept(listener, NULL, NULL);
	close(listener);
	return fds[0] < 0 ? -1 : setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void init_seat(struct seat *seat)
{
	seat->event_fd = eventfd(0, EFD_CLOEXEC);
	if ((way == WAY_TCP ? tcp_pair(seat->pipe) : pipe(seat->pipe)) || seat->event_fd < 0 ||
	    sem_init(&seat->sem, 0, 0))
		die("pipe, socket, eventfd or sem_init");
	pthread_mutex_init(&seat->mutex, NULL);
	pthread_cond_init(&seat->cond, NULL);
}

int main(int argc, char **argv)
{
	static char names[SEAT_CNT][8] = { "red", "green", "blue" };

	workload_init();
	while (way < WAY_CNT && (argc != 2 || strcmp(argv[1], way_names[way]) != 0))
		way++;
	if (way == WAY_CNT) {
		errno = EINVAL;
		die("ring pipe|sem|cond|eventfd|tcp");
	}
	for (int i = 0; i < SEAT_CNT; i++)
		init_seat(&seats[i]);
	start_thread_of(red_main, names[RED], 0);
	start_thread_of(green_main, names[GREEN], 0);
	start_thread_of(blue_main, names[BLUE], 0);
	wait_settled(0);
	give(&seats[RED]);
	print_ready();
	wait_for_stop(NULL);
	return 0;
}
