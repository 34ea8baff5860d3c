/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The cells of mix: one for each kind of wait, and one for each kind of stack. */
#ifndef WORKLOADS_MIX_H
#define WORKLOADS_MIX_H

/* Started before all others, in this order: they hold what others wait for. */
void hold_locks(void);
void own_once(void);

/* Makes what all cells share; in the main thread, before any cell starts. */
void mix_waits_init(void);
void mix_walks_init(void);

void wait_mutex(void);
void wait_mutex_timed(void);
void wait_mutex_pi(void);
void wait_rdlock(void);
void wait_wrlock(void);
void wait_cond(void);
void wait_cond_timed(void);
void wait_sem(void);
void wait_sem_timed(void);
void wait_barrier(void);
void wait_sleep(void);
void wait_join(void); /* of the cell before it, a sleeper */
void wait_once(void);
void wait_usleep(void);
void wait_select(void);
void wait_poll(void);
void wait_epoll(void);
void wait_read_pipe(void);
void wait_read_eventfd(void);
void wait_write_pipe(void);
void wait_accept(void);
void wait_accept_tcp(void);
void wait_connect(void);
void wait_recv(void);
void wait_recvmsg(void);
void wait_send(void);
void wait_sendmsg(void);
void wait_waitpid(void);
void wait_waitid(void);
void wait_sigwait(void);
void wait_pause(void);
void wait_vfork(void);
void wait_flock(void);
void wait_futex(void);
/* These need the kernel's leave: whether they can run here. */
int have_io_uring(void);
void wait_io_uring(void);
int have_userfault(void);
void wait_userfault(void);

void walk_alloca(void);
void walk_qsort(void);
void walk_deep(void);
void walk_handler(void);
void walk_altstack(void);
void walk_segv(void);
void walk_realign(void);
void walk_drap(void);
void walk_bigframe(void);
void walk_variadic(void);
void walk_manyargs(void);
void walk_noreturn(void);

#endif
