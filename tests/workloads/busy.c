/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * busy [THREADS [TOKENS]]: THREADS (16) threads in a ring pass TOKENS (3) tokens on as fast as they
 * can, even ones through condition variables, odd ones through pipes.
 *
 * Each time before it waits for a token, a thread goes down BUSY_DEPTH calls, each to left() or to
 * right(), which differ in size, as the bits of a fresh random byte say, that byte used twice over.
 * So every true stack's second half turns as its first half does, and one torn from two moments
 * shows: busy_main, BUSY_DEPTH of left/right from root to leaf, take_token.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "workload.h"

#define BUSY_DEPTH 16
#define BYTE_BITS 8
#define THREAD_MAX 1000

struct seat {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	int token_cnt;
	int pipe[2];
	unsigned int idx;
	unsigned int seed;
};

static struct seat seats[THREAD_MAX];
static unsigned int seat_cnt;

/* Keeps the call before it from becoming a jump, by which its caller would have no frame. */
#define NO_TAIL_CALL() __asm__ volatile("" : : : "memory")

FRAME static void take_by_cond(struct seat *seat)
{
	pthread_mutex_lock(&seat->mutex);
	while (seat->token_cnt == 0)
		pthread_cond_wait(&seat->cond, &seat->mutex);
	seat->token_cnt--;
	pthread_mutex_unlock(&seat->mutex);
	NO_TAIL_CALL();
}

FRAME static int take_by_pipe(struct seat *seat)
{
	char token;

	while (read(seat->pipe[0], &token, 1) != 1)
		;
	return token;
}

FRAME static void take_token(struct seat *seat)
{
	if (seat->idx % 2 == 0)
		take_by_cond(seat);
	else
		take_by_pipe(seat);
	NO_TAIL_CALL();
}

FRAME static void put_token(struct seat *seat)
{
	if (seat->idx % 2 == 0) {
		pthread_mutex_lock(&seat->mutex);
		seat->token_cnt++;
		pthread_cond_signal(&seat->cond);
		pthread_mutex_unlock(&seat->mutex);
	} else if (write(seat->pipe[1], "t", 1) != 1) {
		die("write");
	}
}

static void turn(struct seat *seat, unsigned int byte, int level);

FRAME static void left(struct seat *seat, unsigned int byte, int level)
{
	volatile char bytes[40];

	bytes[0] = (char)level;
	turn(seat, byte, level + 1);
	bytes[1] = bytes[0];
}

FRAME static void right(struct seat *seat, unsigned int byte, int level)
{
	volatile char bytes[700];

	bytes[0] = (char)level;
	turn(seat, byte, level + 1);
	bytes[1] = bytes[0];
}

/* Inlined into both, so that it is no frame of its own in the walk. */
__attribute__((always_inline)) static inline void turn(struct seat *seat, unsigned int byte,
						       int level)
{
	if (level == BUSY_DEPTH)
		take_token(seat);
	else if (byte >> (level % BYTE_BITS) & 1)
		right(seat, byte, level);
	else
		left(seat, byte, level);
}

FRAME static void *busy_main(void *arg)
{
	struct seat *seat = arg;
	char name[16];

	snprintf(name, sizeof(name), "busy-%u", seat->idx % 1000u);
	name_thread(name);
	for (;;) {
		unsigned int byte = (unsigned int)rand_r(&seat->seed) >> 8 & 0xff;

		turn(seat, byte, 0);
		put_token(&seats[(seat->idx + 1) % seat_cnt]);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int token_cnt, i;

	workload_init();
	seat_cnt = argc > 1 ? (unsigned int)parse_long(argv[1], 2, THREAD_MAX) : 16;
	token_cnt = argc > 2 ? (unsigned int)parse_long(argv[2], 1, seat_cnt) : 3;
	for (i = 0; i < seat_cnt; i++) {
		seats[i].idx = seats[i].seed = i;
		pthread_mutex_init(&seats[i].mutex, NULL);
		pthread_cond_init(&seats[i].cond, NULL);
		if (pipe(seats[i].pipe))
			die("pipe");
	}
	for (i = 0; i < seat_cnt; i++)
		start_thread_of(busy_main, &seats[i], 128 * 1024);
	wait_settled(0);
	for (i = 0; i < token_cnt; i++)
		put_token(&seats[i * (seat_cnt / token_cnt)]);
	print_ready();
	wait_for_stop(NULL);
	return 0;
}
