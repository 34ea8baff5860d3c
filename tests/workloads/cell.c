/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Threads that know their own truth; see cell.h. */
#include "cell.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define CELL_MAX 20000
#define CELL_DEPTH_MAX 80
#define CELL_STACK_BYTES (256 * 1024)
#define CELL_RETURNS_MAX 10000

struct cell {
	const struct cell_type *type;
	const char *kind;
	const char *func[CELL_DEPTH_MAX];
	int line[CELL_DEPTH_MAX];
	int depth;
	int return_cnt;
	int idx;
	pid_t tid;
	char name[16];
	pthread_t thread;
	atomic_bool blocked;
};

static struct cell *cells[CELL_MAX];
static int cell_cnt;
static __thread struct cell *self;

void cell_enter(const char *func, int line)
{
	if (self->depth == CELL_DEPTH_MAX) {
		errno = E2BIG;
		die(func);
	}
	self->func[self->depth] = func;
	self->line[self->depth] = line;
	self->depth++;
}

void cell_leave(void)
{
	self->depth--;
}

void cell_block(const char *kind)
{
	self->kind = kind;
	atomic_store(&self->blocked, true);
}

int cell_again(void)
{
	int err = errno;

	if (++self->return_cnt < CELL_RETURNS_MAX)
		return 1;
	errno = err;
	die(self->name);
}

pthread_t cell_previous(void)
{
	return cells[self->idx - 1]->thread;
}

FRAME static void *cell_main(void *arg)
{
	self = arg;
	self->tid = own_tid();
	name_thread(self->name);
	VIA(self->type->run());
	return NULL;
}

static struct cell *start_cell(const struct cell_type *type, long number)
{
	struct cell *cell = calloc(1, sizeof(*cell));

	if (!cell || cell_cnt == CELL_MAX)
		die("too many threads");
	cell->type = type;
	cell->idx = cell_cnt;
	snprintf(cell->name, sizeof(cell->name), "%.10s-%u", type->name,
		 (unsigned int)number % 1000u);
	cells[cell_cnt++] = cell;
	cell->thread = start_thread_of(cell_main, cell, CELL_STACK_BYTES);
	return cell;
}

static void wait_blocked(const struct cell *cell)
{
	while (!atomic_load(&cell->blocked))
		usleep(1000);
}

void cell_start_one(const struct cell_type *type)
{
	wait_blocked(start_cell(type, 0));
}

static void print_truth(const struct cell *cell)
{
	int i = cell->depth - 1;

	printf("truth\t%d\t%s\t%s\t%s\t%d\t", (int)cell->tid, cell->name, cell->kind, cell->func[i],
	       cell->line[i]);
	for (; i >= 0; i--)
		printf("%s:%d%s", cell->func[i], cell->line[i], i ? " " : "\n");
}

/* The files and pipes of many cells: as many as the system lets us have. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

void cells_run(const struct cell_type *types, size_t type_cnt, long thread_cnt)
{
	int first = cell_cnt;
	size_t i;
	int j;

	raise_file_limit();
	for (i = 0; i < type_cnt || cell_cnt + 1 < thread_cnt; i++)
		start_cell(&types[i % type_cnt], (long)(i / type_cnt));
	for (j = first; j < cell_cnt; j++)
		wait_blocked(cells[j]);
	wait_settled(0);
	for (j = 0; j < cell_cnt; j++)
		print_truth(cells[j]);
	print_ready();
	wait_for_stop(NULL);
}
