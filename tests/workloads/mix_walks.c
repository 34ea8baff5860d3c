/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The cells of mix that stand for a kind of stack each: what makes a walk hard. */
#include "mix.h"

#include <alloca.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cell.h"

#define DEEP_FRAMES 60

/* Keeps what it points at in memory. */
#define KEEP(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")

FRAME static void on_usr2(int number)
{
	(void)number;
	BLOCK("sleep", nanosleep(&forever, NULL));
}

FRAME static void on_segv(int number)
{
	(void)number;
	BLOCK("sleep", nanosleep(&forever, NULL));
}

static void handle(int number, void (*handler)(int))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = SA_ONSTACK | SA_NODEFER;
	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

void mix_walks_init(void)
{
	handle(SIGUSR2, on_usr2);
	handle(SIGSEGV, on_segv);
}

/* A frame of a size that only the running program knows. */
FRAME static void wait_alloca(size_t size)
{
	char *bytes = alloca(size);

	memset(bytes, 0x5a, size);
	KEEP(bytes);
	BLOCK("sleep", nanosleep(&forever, NULL));
	KEEP(bytes);
}

FRAME void walk_alloca(void)
{
	VIA(wait_alloca((size_t)(own_tid() % 64) * 48 + 16));
}

/* Called back by libc. */
FRAME static int compare(const void *a, const void *b)
{
	BLOCK("sleep", nanosleep(&forever, NULL));
	return memcmp(a, b, sizeof(int));
}

FRAME void walk_qsort(void)
{
	int numbers[16] = { 3, 1, 2 };

	VIA(qsort(numbers, 16, sizeof(int), compare));
}

FRAME static void recurse(int left)
{
	volatile char bytes[200];

	bytes[left] = (char)left;
	if (left == 0)
		BLOCK("sleep", nanosleep(&forever, NULL));
	else
		VIA(recurse(left - 1));
	bytes[0]++;
}

FRAME void walk_deep(void)
{
	VIA(recurse(DEEP_FRAMES - 1));
}

FRAME void walk_handler(void)
{
	VIA(pthread_kill(pthread_self(), SIGUSR2));
}

static void use_altstack(void)
{
	stack_t stack;

	memset(&stack, 0, sizeof(stack));
	stack.ss_size = 64 * 1024;
	stack.ss_sp = malloc(stack.ss_size);
	if (!stack.ss_sp || sigaltstack(&stack, NULL))
		die("sigaltstack");
}

FRAME void walk_altstack(void)
{
	use_altstack();
	VIA(raise(SIGUSR2));
}

/* A handler above a faulting instruction, which no call leads to. */
FRAME static void poke(volatile int *where)
{
	VIA(*where = 1);
}

FRAME void walk_segv(void)
{
	use_altstack();
	VIA(poke((volatile int *)16));
}

FRAME void walk_realign(void)
{
	char bytes[256] __attribute__((aligned(64)));

	memset(bytes, 0x5a, sizeof(bytes));
	KEEP(bytes);
	BLOCK("sleep", nanosleep(&forever, NULL));
	KEEP(bytes);
}

/* Realigned with arguments on the stack and a frame of unknown size: the CFA is an expression. */
FRAME static long wait_drap(long a, long b, long c, long d, long e, long f, long g, size_t size)
{
	char bytes[128] __attribute__((aligned(64)));
	char *more = alloca(size);

	memset(bytes, 0x5a, sizeof(bytes));
	memset(more, 0x5a, size);
	KEEP(bytes);
	KEEP(more);
	BLOCK("sleep", nanosleep(&forever, NULL));
	KEEP(bytes);
	return a + b + c + d + e + f + g;
}

FRAME void walk_drap(void)
{
	VIA(wait_drap(1, 2, 3, 4, 5, 6, 7, (size_t)(own_tid() % 64) + 16));
}

FRAME static void wait_bigframe(void)
{
	char bytes[100 * 1024];

	memset(bytes, 0x5a, sizeof(bytes));
	KEEP(bytes);
	BLOCK("sleep", nanosleep(&forever, NULL));
	KEEP(bytes);
}

FRAME void walk_bigframe(void)
{
	VIA(wait_bigframe());
}

FRAME static int wait_variadic(const char *format, ...)
{
	char text[64];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	KEEP(text);
	BLOCK("sleep", nanosleep(&forever, NULL));
	va_end(args);
	return n;
}

FRAME void walk_variadic(void)
{
	VIA(wait_variadic("%d %g %s %ld", 1, 2.5, "three", 4L));
}

/* Arguments pushed for the call move the caller's sp at the return address. */
FRAME static long wait_manyargs(long a, long b, long c, long d, long e, long f, long g, long h,
				long i, long j, long k)
{
	BLOCK("sleep", nanosleep(&forever, NULL));
	return a + b + c + d + e + f + g + h + i + j + k;
}

FRAME void walk_manyargs(void)
{
	long n = own_tid();

	VIA(wait_manyargs(n, 2, 3, 4, 5, 6, n, 8, 9, 10, n));
}

__attribute__((noreturn)) FRAME static void wait_noreturn(void)
{
	BLOCK("sleep", nanosleep(&forever, NULL));
	_exit(1);
}

/* The call is this function's last instruction: its return address is in the next function. */
FRAME void walk_noreturn(void)
{
	VIA(wait_noreturn());
}
