/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Where threads spend their time, from the scheduler's own events: each block is added up under
 * its stack, system call and waker when it ends, in the kernel; user space reads sums.
 *
 * State is kept by thread, not by CPU, so that migration loses nothing. Only blocking switches are
 * walked: a preempted thread stands at any instruction, and its stacks never repeat.
 */
#include "vmlinux.h"
#include <bpf/bpf_tracing.h>
#include "bpf/birth.h"
#include "bpf/death.h"
#include "bpf/fault.h"
#include "bpf/futex.h"
#include "bpf/kstack.h"
#include "bpf/watch.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SPAN_MAX 65536

#define WAKER_FRAMES 64 /* from a wakeup out to the system call that sends, and more */

const volatile bool cfg_wakers = false;
/* Where __local_bh_enable_ip begins, and ends; 0: not known. */
const volatile __u64 cfg_softirq_start = 0;
const volatile __u64 cfg_softirq_end = 0;
const volatile __u64 cfg_min_block_ns = 0;

__u64 missed_switches = 0; /* onto a CPU, known by the switch off it */
__u64 drop_spans = 0;	   /* .spans was full: time not booked under its stack */

/* spans: what was booked. Written by book, read by user space at the end. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SPAN_MAX);
	__type(key, struct wire_span_key);
	__type(value, struct wire_span);
} spans SEC(".maps");

/* new_span: zeros to insert. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_span);
} new_span SEC(".maps");

/* 1 when @x is at least @limit. No jump, which the compiler would make of it: each doubles what the
 * verifier goes through. */
static __always_inline __u64 reaches(__u64 x, __u64 limit)
{
	__u64 less = limit - 1 - x;

	asm volatile("" : "+r"(less));
	return less >> 63;
}

/* How many bits the microseconds of @ns have. */
static __always_inline __u64 hist_bucket(__u64 ns)
{
	__u64 us = ns / 1000, bucket = 0, bits;

	bits = reaches(us, 1 << 16) << 4;
	bucket += bits;
	us >>= bits;
	bits = reaches(us, 1 << 8) << 3;
	bucket += bits;
	us >>= bits;
	bits = reaches(us, 1 << 4) << 2;
	bucket += bits;
	us >>= bits;
	bits = reaches(us, 1 << 2) << 1;
	bucket += bits;
	us >>= bits;
	bucket += reaches(us, 1) + reaches(us, 2);
	return bucket < WIRE_HIST_CNT ? bucket : WIRE_HIST_CNT - 1;
}

/* Only the CPU that @span's thread is being switched to writes it: nothing needs to be atomic. */
static __always_inline void add_to_span(struct wire_span *span, __u64 blocked_ns, __u64 queued_ns)
{
	span->cnt++;
	span->blocked_ns += blocked_ns;
	span->queued_ns += queued_ns;
	if (blocked_ns > span->blocked_max_ns)
		span->blocked_max_ns = blocked_ns;
	if (queued_ns > span->queued_max_ns)
		span->queued_max_ns = queued_ns;
	span->blocked_hist[hist_bucket(blocked_ns)]++;
	span->queued_hist[hist_bucket(queued_ns)]++;
}

/* Books one block and the wait in the run queue behind it; a preempted thread has no block. */
static __always_inline void book(struct wire_run *run, __u32 tid, __u64 blocked_ns, __u64 queued_ns)
{
	struct wire_span_key key = {};
	struct wire_span *span;
	__u32 zero = 0;

	if (blocked_ns < cfg_min_block_ns)
		return; /* asked to leave it out; the thread's totals have it */
	key.tid = tid;
	key.start_us = (__u32)(run->start_ns / 1000);
	if (run->blocked_since_ns) {
		key.stack_id = run->stack_id;
		key.kstack_id = run->kstack_id;
		key.waker_id = run->waker_id;
		key.waker_tid = run->waker_tid;
		key.syscall_nr = run->syscall_nr;
		key.syscall_op = run->syscall_op;
	} else {
		key.syscall_nr = WIRE_SYSCALL_PREEMPTED;
	}
	span = bpf_map_lookup_elem(&spans, &key);
	if (!span) {
		struct wire_span *zeros = bpf_map_lookup_elem(&new_span, &zero);

		if (!zeros)
			return; /* cannot be */
		bpf_map_update_elem(&spans, &key, zeros, BPF_NOEXIST);
		span = bpf_map_lookup_elem(&spans, &key);
		if (!span) {
			__sync_fetch_and_add(&drop_spans, 1);
			run->unbooked_cnt++;
			run->unbooked_blocked_ns += blocked_ns;
			run->unbooked_queued_ns += queued_ns;
			return;
		}
	}
	add_to_span(span, blocked_ns, queued_ns);
}

static __always_inline void thread_ended(struct task_struct *task, struct wire_run *run)
{
	__u32 tid = task->pid;

	bpf_probe_read_kernel_str(run->comm, sizeof(run->comm), task->comm);
	if (tid == (__u32)task->tgid && BPF_CORE_READ(task, signal, live.counter) > 0)
		run->state = WIRE_RUN_ENDED; /* until on_free, or an exec by another thread */
	else
		end_run(tid, run);
	if (cfg_futexes)
		bpf_map_delete_elem(&futex_waits, &tid);
}

static __always_inline void switched_in(struct task_struct *next, __u64 now)
{
	struct wire_run *run = run_of(next, WIRE_RUN_QUEUED, now);
	__u64 queued_ns, blocked_ns = 0;

	if (!run)
		return; /* counted */
	if (run->state == WIRE_RUN_BLOCKED) {
		/* Its wakeup was not seen: all of it was blocked, as far as can be told. */
		run->blocked_since_ns = run->since_ns;
		run->since_ns = now;
	}
	if (run->state != WIRE_RUN_ON_CPU && run->state != WIRE_RUN_ENDED) {
		queued_ns = elapsed_ns(run->since_ns, now);
		if (run->blocked_since_ns)
			blocked_ns = elapsed_ns(run->blocked_since_ns, run->since_ns);
		run->queued_ns += queued_ns;
		run->blocked_ns += blocked_ns;
		if (run->first_ns != now)
			book(run, next->pid, blocked_ns, queued_ns);
	}
	run->state = WIRE_RUN_ON_CPU;
	run->since_ns = now;
	run->blocked_since_ns = 0;
}

/* Makes up for a switch in that was not seen. Tracepoints can fall silent on a CPU, as under an
 * agent of the hypervisor; the scheduler itself knows how long the thread has run since. */
static __always_inline void switch_in_missed(struct task_struct *task, const struct wire_run *run,
					     __u64 now)
{
	__u64 ran_ns = task->se.sum_exec_runtime - task->se.prev_sum_exec_runtime;
	__u64 since_ns = elapsed_ns(run->since_ns, now);

	if (run->state != WIRE_RUN_ENDED) /* it was seen, under the id that the thread had then */
		__sync_fetch_and_add(&missed_switches, 1);
	switched_in(task, now - (ran_ns < since_ns ? ran_ns : since_ns));
}

/* Whether @task was its process's main thread until another one began a program, which has its id
 * and its start time now. */
static __always_inline bool is_former_main(struct task_struct *task)
{
	return task->pid != task->tgid &&
	       BPF_CORE_READ(task, group_leader, start_boottime) == task->start_boottime;
}

static __always_inline void switched_out(struct task_struct *prev, bool preempt, __u64 now,
					 void *ctx)
{
	__u32 bits = task_state_bits(prev);
	struct wire_run *run;

	if (bits & 0x80 && is_former_main(prev)) /* TASK_DEAD */
		return; /* its state goes on as that of the thread in its place */
	run = run_of(prev, WIRE_RUN_ON_CPU, now);
	if (!run)
		return; /* counted */
	if (run->state != WIRE_RUN_ON_CPU)
		switch_in_missed(prev, run, now);
	if (run->state == WIRE_RUN_ON_CPU)
		run->on_cpu_ns += elapsed_ns(run->since_ns, now);
	if (bits & 0x80) {
		thread_ended(prev, run);
		return;
	}
	run->since_ns = now;
	run->waker_id = 0;
	run->waker_tid = 0;
	if (preempt || !bits) {
		run->state = WIRE_RUN_QUEUED;
		run->blocked_since_ns = 0;
		return;
	}
	run->state = WIRE_RUN_BLOCKED;
	run->syscall_nr = WIRE_SYSCALL_UNKNOWN;
	run->syscall_op = 0;
	run->stack_id = 0;
	run->kstack_id = 0;
	if (!(prev->flags & (TASK_PF_KTHREAD | TASK_PF_IO_WORKER))) {
		struct pt_regs *regs = task_regs(prev);

		run->syscall_nr = arch_regs_syscall_nr(regs);
		run->syscall_op = arch_regs_syscall_op(regs);
		if (bits & 0xc) { /* __TASK_STOPPED, __TASK_TRACED */
			run->syscall_nr = WIRE_SYSCALL_STOPPED;
			run->syscall_op = 0;
		}
		run->stack_id = current_stack_from(prev, regs, WALKER_SWITCH);
		if (cfg_futexes)
			futex_blocks(prev->pid, run->syscall_nr, run->stack_id);
	}
	if (cfg_kernel)
		run->kstack_id = kernel_stack(ctx, prev->tgid, WALKER_SWITCH, WIRE_SPACE_KERNEL);
}

/* @ctx: on_switch's. */
static __noinline int switched(__u64 *ctx, bool out, bool in)
{
	__u64 now;

	if (!record_start_ns)
		return 0; /* not yet */
	now = bpf_ktime_get_ns();
	if (out)
		switched_out((void *)ctx[1], (bool)ctx[0], now, ctx);
	if (in)
		switched_in((void *)ctx[2], now);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	bool out = is_watched(prev), in = is_watched(next);

	return out || in ? switched(ctx, out, in) : 0;
}

/* Whether the kernel stack that @ctx, the event's arguments, is on leads back into the function
 * that runs softirqs at the end of a part of a system call that held them back: sending over
 * loopback wakes the receiver that way. */
static __always_inline bool is_own_softirq(void *ctx)
{
	__u32 walker = WALKER_WAKER;
	struct walk_scratch *s = bpf_map_lookup_elem(&walk_scratch, &walker);
	long bytes;

	if (!s || !cfg_softirq_start)
		return false;
	bytes = bpf_get_stack(ctx, s->stack.pc, WAKER_FRAMES * sizeof(s->stack.pc[0]), 0);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < WAKER_FRAMES; i++) {
		if ((long)(i * sizeof(s->stack.pc[0])) >= bytes)
			break;
		if (s->stack.pc[i] > cfg_softirq_start && s->stack.pc[i] <= cfg_softirq_end)
			return true;
	}
	return false;
}

/* Whether the current thread does the waking, rather than an interrupt that has nothing to do with
 * it. Interrupts run on a stack of their own; those that hit user code run on the thread's, which
 * then is in no system call. */
static __always_inline bool is_waking(struct task_struct *waker, void *ctx)
{
	struct pt_regs *regs = task_regs(waker);
	__u64 stack = (__u64)TASK_READ(waker, stack);
	void *args = ctx;
	__u64 addr;

	if (arch_regs_syscall_nr(regs) < 0)
		return false;
	/* Read back as a number: the verifier keeps pointers from being compared. */
	if (bpf_probe_read_kernel(&addr, sizeof(addr), &args))
		return false;
	return addr - stack < ARCH_KERNEL_STACK_BYTES || is_own_softirq(ctx);
}

static __always_inline void note_waker(struct wire_run *run, void *ctx)
{
	struct task_struct *waker = current_task();

	if (TASK_READ(waker, flags) & TASK_PF_KTHREAD) {
		run->waker_tid = TASK_READ(waker, pid);
	} else if (!is_waking(waker, ctx)) {
		run->waker_tid = WIRE_WAKER_INTERRUPT;
	} else {
		run->waker_tid = TASK_READ(waker, pid);
		if (is_watched(waker))
			run->waker_id = current_stack(waker, WALKER_WAKER);
	}
}

static __noinline int woken(struct task_struct *task, void *ctx)
{
	struct wire_run *run;
	__u64 now;

	if (!record_start_ns)
		return 0; /* not yet */
	now = bpf_ktime_get_ns();
	run = run_of(task, WIRE_RUN_BLOCKED, now);
	if (!run)
		return 0; /* counted */
	if (run->state != WIRE_RUN_BLOCKED)
		return 0; /* it had not gone to sleep yet */
	run->blocked_since_ns = run->first_ns == now ? 0 : run->since_ns;
	run->since_ns = now;
	run->state = WIRE_RUN_QUEUED;
	if (cfg_wakers)
		note_waker(run, ctx);
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	return is_watched(task) ? woken(task, ctx) : 0;
}

static __noinline int woken_new(struct task_struct *task)
{
	struct wire_run *run;
	__u64 now;

	if (!record_start_ns)
		return 0; /* not yet */
	now = bpf_ktime_get_ns();
	run = run_of(task, 0, now);
	if (!run)
		return 0; /* counted */
	run->state = WIRE_RUN_QUEUED;
	run->since_ns = now;
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_wakeup_new, struct task_struct *task)
{
	return is_watched(task) ? woken_new(task) : 0;
}

SEC("perf_event")
int on_tick(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = current_task();
	struct wire_tick tick = { .header = { WIRE_TICK, sizeof(tick) } };

	if (!is_watched(task) || !record_start_ns)
		return 0; /* not ours */
	tick.tgid = TASK_READ(task, tgid);
	tick.tid = TASK_READ(task, pid);
	tick.stack_id = current_stack(task, WALKER_CLOCK);
	if (cfg_kernel)
		tick.kstack_id = kernel_stack(ctx, tick.tgid, WALKER_CLOCK, WIRE_SPACE_KERNEL_TICK);
	if (bpf_ringbuf_output(&events, &tick, sizeof(tick), 0))
		__sync_fetch_and_add(&drop_events, 1);
	return 0;
}
