/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Futex calls: who waits for which futex, how long and how it ended; who wakes whom how often. They
 * are added up in the kernel by process, futex, what the call does, and stack.
 *
 * All that counts is known when a call returns, and a thread that is to be woken does not wait for
 * us before. Only waits are noted at the call as well: for their time, and since one that never
 * returns is to be told of too. Where a wait blocked, the stack was walked by the switch already.
 *
 * The programs are attached to the system calls' own tracepoints by perf, which runs them with
 * preemption disabled: one scratch for each CPU is enough.
 */
#ifndef BPF_FUTEX_H
#define BPF_FUTEX_H

#include "bpf/watch.h"

#define FUTEX_MAX 65536
#define FUTEX_WAIT_MAX 131072
#define FUTEX_LIST_MAX 128 /* FUTEX_WAITV_MAX */

/* What the kernel returns, as the programs see it: before signals make EINTR of the last four. */
#define RET_INTERRUPTED (-4)
#define RET_CHANGED (-11)
#define RET_TIMED_OUT (-110)
#define RET_RESTART_FIRST (-514) /* ERESTARTNOHAND .. ERESTARTSYS */
#define RET_RESTART_LAST (-512)
#define RET_RESTART_BLOCK (-516) /* goes on as restart_syscall */

const volatile bool cfg_futexes = false;

__u64 drop_futexes = 0;	    /* .futexes was full */
__u64 drop_futex_waits = 0; /* .futex_waits was full */

/* futexes: what was added up. Written by book_futex, read by user space at the end. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FUTEX_MAX);
	__type(key, struct wire_futex_key);
	__type(value, struct wire_futex);
} futexes SEC(".maps");

/* futex_waits: tid -> its last wait. Made at the call, or at the return from one that is older than
 * the window; deleted when the thread ends. Read by user space at the end. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FUTEX_WAIT_MAX);
	__type(key, __u32);
	__type(value, struct wire_futex_wait);
} futex_waits SEC(".maps");

/* futex_since: tgid -> since when it is watched, of processes that come to the recording later.
 * Written by user space. Its room is made beforehand: kernels before 6.1 warn of maps without it in
 * programs on tracepoints. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FUTEX_MAX);
	__type(key, __u32);
	__type(value, __u64);
} futex_since SEC(".maps");

static __always_inline bool is_interruption(long ret)
{
	return ret == RET_INTERRUPTED || ret == RET_RESTART_BLOCK ||
	       (ret >= RET_RESTART_FIRST && ret <= RET_RESTART_LAST);
}

static __always_inline void count_failure(struct wire_futex *sum, long ret)
{
	if (ret == RET_TIMED_OUT)
		__sync_fetch_and_add(&sum->timeout_cnt, 1);
	else if (ret == RET_CHANGED)
		__sync_fetch_and_add(&sum->changed_cnt, 1);
	else if (is_interruption(ret))
		__sync_fetch_and_add(&sum->interrupted_cnt, 1);
	else
		__sync_fetch_and_add(&sum->failed_cnt, 1);
}

/* A requeue counts those that it woke and those that it moved as one, the woken ones first. */
static __always_inline void count_woken(struct wire_futex *sum, const struct futex_act *act,
					long ret)
{
	__u64 woken = (__u64)ret;

	if (act->op == WIRE_FUTEX_REQUEUE && woken > act->wake_max)
		woken = act->wake_max;
	if (!ret)
		__sync_fetch_and_add(&sum->nobody_cnt, 1);
	__sync_fetch_and_add(&sum->woken_cnt, woken);
	__sync_fetch_and_add(&sum->moved_cnt, (__u64)ret - woken);
}

static __always_inline void add_to_futex(struct wire_futex *sum, const struct futex_act *act,
					 __u64 ns, long ret)
{
	__sync_fetch_and_add(&sum->cnt, 1);
	if (futex_op_waits(act->op)) {
		__sync_fetch_and_add(&sum->total_ns, ns);
		if (ns > sum->max_ns)
			sum->max_ns = ns;
	}
	if (ret < 0)
		count_failure(sum, ret);
	else if (act->op >= WIRE_FUTEX_WAKE && act->op != WIRE_FUTEX_UNLOCK_PI)
		count_woken(sum, act, ret);
}

static __always_inline void book_futex(__u32 tgid, __u64 stack_id, const struct futex_act *act,
				       __u64 ns, long ret)
{
	struct wire_futex_key key = { .addr = act->addr,
				      .stack_id = stack_id,
				      .tgid = tgid,
				      .op = (__u16)act->op,
				      .is_shared = (__u16)act->is_shared };
	struct wire_futex *sum = bpf_map_lookup_elem(&futexes, &key);

	if (!sum) {
		struct wire_futex zeros = {};

		bpf_map_update_elem(&futexes, &key, &zeros, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&futexes, &key);
		if (!sum) {
			__sync_fetch_and_add(&drop_futexes, 1);
			return;
		}
	}
	add_to_futex(sum, act, ns, ret);
}

/* Makes @act one of futex number @idx of its list, if it has one. Where that cannot be read, the
 * call fails and has no address. */
static __always_inline void choose_element(struct futex_act *act, __u64 idx)
{
	struct wire_futex_waitv element;

	if (act->list && idx < FUTEX_LIST_MAX &&
	    !bpf_probe_read_user(&element, sizeof(element),
				 (void *)(act->list + idx * sizeof(element))))
		futex_take_element(act, &element);
}

/* Notes the wait @act of thread @tid, with its arguments @arg, since @since_ns. Returns it, NULL
 * when there is no room. */
static __always_inline struct wire_futex_wait *
note_wait(__u32 tid, __u32 tgid, const struct futex_act *act, const __u64 *arg, __u64 since_ns)
{
	struct wire_futex_wait *known = bpf_map_lookup_elem(&futex_waits, &tid);
	struct wire_futex_wait wait = { .since_ns = since_ns,
					.addr = act->addr,
					.list = act->list,
					.arg = { arg[0], arg[1] },
					.tgid = tgid,
					.op = (__u16)act->op,
					.is_shared = (__u8)act->is_shared };

	if (known) {
		*known = wait;
		return known;
	}
	if (bpf_map_update_elem(&futex_waits, &tid, &wait, BPF_NOEXIST))
		__sync_fetch_and_add(&drop_futex_waits, 1);
	return bpf_map_lookup_elem(&futex_waits, &tid);
}

/* Since when the calls of process @tgid are noted. */
static __always_inline __u64 noted_since(__u32 tgid)
{
	__u64 *since_ns = bpf_map_lookup_elem(&futex_since, &tgid);

	return since_ns && *since_ns > record_start_ns ? *since_ns : record_start_ns;
}

/* The wait that a signal interrupted goes on, if this is the restart of it: threads restart other
 * calls as well. */
static __always_inline void wait_goes_on(__u32 tid, const __u64 *arg)
{
	struct wire_futex_wait *wait = bpf_map_lookup_elem(&futex_waits, &tid);

	if (!wait || !wait->may_restart || wait->arg[0] != arg[0] || wait->arg[1] != arg[1])
		return;
	wait->since_ns = bpf_ktime_get_ns();
	wait->stack_id = 0;
	wait->may_restart = 0;
}

SEC("?tracepoint")
int on_futex_enter(void *ctx)
{
	struct task_struct *task = current_task();
	struct pt_regs *regs = task_regs(task);
	__u64 arg[FUTEX_CALL_ARGS];
	struct futex_act act;
	__s32 nr;

	if (!is_watched(task) || !record_start_ns)
		return 0; /* not ours */
	nr = arch_regs_syscall_nr(regs);
	arch_regs_syscall_args(regs, arg);
	if (nr == ARCH_NR_RESTART_SYSCALL) {
		wait_goes_on(TASK_READ(task, pid), arg);
		return 0;
	}
	futex_decode(arch_futex_call(nr), arg, &act);
	if (!futex_op_waits(act.op))
		return 0; /* looked at when it returns */
	choose_element(&act, 0);
	note_wait(TASK_READ(task, pid), TASK_READ(task, tgid), &act, arg, bpf_ktime_get_ns());
	return 0;
}

/* Books the wait that the current @task comes from. @act: as its arguments tell, WIRE_FUTEX_NONE
 * when it was restarted. */
static __always_inline void wait_over(struct task_struct *task, struct futex_act *act,
				      const __u64 *arg, long ret)
{
	__u32 tid = TASK_READ(task, pid), tgid = TASK_READ(task, tgid);
	struct wire_futex_wait *wait = bpf_map_lookup_elem(&futex_waits, &tid);
	__u64 since_ns, stack_id;

	if (!wait && act->op) {
		/* The thread was in it when the recording began, unless its calls are not noted. */
		if (drop_futex_waits) {
			__sync_fetch_and_add(&drop_futex_waits, 1);
			return;
		}
		choose_element(act, 0);
		wait = note_wait(tid, tgid, act, arg, noted_since(tgid));
	}
	if (!wait || !wait->since_ns)
		return; /* counted, or another call's restart */
	since_ns = wait->since_ns;
	stack_id = wait->stack_id;
	wait->since_ns = 0;
	wait->may_restart = ret == RET_RESTART_BLOCK;
	act->addr = wait->addr;
	act->list = wait->list;
	act->op = wait->op;
	act->is_shared = wait->is_shared;
	if (ret >= 0)
		choose_element(act, (__u64)ret);
	if (!stack_id)
		stack_id = current_stack(task, WALKER_FUTEX);
	book_futex(tgid, stack_id, act, elapsed_ns(since_ns, bpf_ktime_get_ns()), ret);
}

/* The result is taken from the registers: where it lies in what perf hands over differs between
 * kernels with PREEMPT_RT. */
SEC("?tracepoint")
int on_futex_exit(void *ctx)
{
	struct task_struct *task = current_task();
	struct pt_regs *regs = task_regs(task);
	__u64 arg[FUTEX_CALL_ARGS];
	struct futex_act act;
	long ret = arch_regs_syscall_ret(regs);
	__s32 nr;

	if (!is_watched(task) || !record_start_ns)
		return 0; /* not ours */
	nr = arch_regs_syscall_nr(regs);
	arch_regs_syscall_args(regs, arg);
	futex_decode(arch_futex_call(nr), arg, &act);
	if (nr == ARCH_NR_RESTART_SYSCALL || futex_op_waits(act.op)) {
		wait_over(task, &act, arg, ret);
	} else if (act.op) {
		choose_element(&act, 0);
		book_futex(TASK_READ(task, tgid), current_stack(task, WALKER_FUTEX), &act, 0, ret);
	}
	return 0;
}

/* Notes that thread @tid blocks at @stack_id in system call @nr. */
static __always_inline void futex_blocks(__u32 tid, __s32 nr, __u64 stack_id)
{
	struct wire_futex_wait *wait;

	if (!stack_id || (nr != ARCH_NR_RESTART_SYSCALL && arch_futex_call(nr) == FUTEX_CALL_NONE))
		return;
	wait = bpf_map_lookup_elem(&futex_waits, &tid);
	if (wait && wait->since_ns)
		wait->stack_id = stack_id;
}

#endif
