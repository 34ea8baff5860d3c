/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * mix [THREADS] [--no-vfork]: every kind of wait and every kind of stack, over and over until the
 * process has THREADS threads (200).
 *
 * --no-vfork leaves out the parents of a vfork: they are in state D, where ptrace hangs.
 */
#include <string.h>

#include "cell.h"
#include "mix.h"

static const struct cell_type first_types[] = {
	{ "holder", hold_locks },
	{ "once-owner", own_once },
};

static const struct cell_type fixed_types[] = {
	{ "mutex", wait_mutex },
	{ "mutex-timed", wait_mutex_timed },
	{ "mutex-pi", wait_mutex_pi },
	{ "rdlock", wait_rdlock },
	{ "wrlock", wait_wrlock },
	{ "cond", wait_cond },
	{ "cond-timed", wait_cond_timed },
	{ "sem", wait_sem },
	{ "sem-timed", wait_sem_timed },
	{ "barrier", wait_barrier },
	{ "sleep", wait_sleep },
	{ "join", wait_join },
	{ "once", wait_once },
	{ "usleep", wait_usleep },
	{ "select", wait_select },
	{ "poll", wait_poll },
	{ "epoll", wait_epoll },
	{ "read", wait_read_pipe },
	{ "eventfd", wait_read_eventfd },
	{ "write", wait_write_pipe },
	{ "accept", wait_accept },
	{ "accept-tcp", wait_accept_tcp },
	{ "connect", wait_connect },
	{ "recv", wait_recv },
	{ "recvmsg", wait_recvmsg },
	{ "send", wait_send },
	{ "sendmsg", wait_sendmsg },
	{ "waitpid", wait_waitpid },
	{ "waitid", wait_waitid },
	{ "sigwait", wait_sigwait },
	{ "pause", wait_pause },
	{ "flock", wait_flock },
	{ "futex", wait_futex },
	{ "alloca", walk_alloca },
	{ "qsort", walk_qsort },
	{ "deep", walk_deep },
	{ "handler", walk_handler },
	{ "altstack", walk_altstack },
	{ "segv", walk_segv },
	{ "realign", walk_realign },
	{ "drap", walk_drap },
	{ "bigframe", walk_bigframe },
	{ "variadic", walk_variadic },
	{ "manyargs", walk_manyargs },
	{ "noreturn", walk_noreturn },
};

#define FIXED_CNT (sizeof(fixed_types) / sizeof(fixed_types[0]))

static struct cell_type types[FIXED_CNT + 3];

static size_t choose_types(bool with_vfork)
{
	size_t cnt = FIXED_CNT;

	memcpy(types, fixed_types, sizeof(fixed_types));
	if (with_vfork)
		types[cnt++] = (struct cell_type){ "vfork", wait_vfork };
	if (have_io_uring())
		types[cnt++] = (struct cell_type){ "io_uring", wait_io_uring };
	if (have_userfault())
		types[cnt++] = (struct cell_type){ "userfault", wait_userfault };
	return cnt;
}

int main(int argc, char **argv)
{
	bool with_vfork = true;
	long thread_cnt = 200;
	int i;

	workload_init();
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--no-vfork") == 0)
			with_vfork = false;
		else
			thread_cnt = parse_long(argv[i], 1, 10000);
	}
	mix_waits_init();
	mix_walks_init();
	cell_start_one(&first_types[0]);
	cell_start_one(&first_types[1]);
	cells_run(types, choose_types(with_vfork), thread_cnt);
	return 0;
}
