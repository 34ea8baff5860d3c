/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which threads end, and whether by themselves: loaded only where nothing watches the scheduler,
 * which tells of ends as well. */
#ifndef BPF_DEATH_H
#define BPF_DEATH_H

#include <bpf/bpf_tracing.h>

#include "bpf/watch.h"

/* Flags of a process that ends as a whole. Before 5.17 one that dumps core has the second instead
 * of the first: 2f824d4d197e ("signal: Remove SIGNAL_GROUP_COREDUMP"). */
#define SIGNAL_GROUP_EXIT_FLAG 4
#define SIGNAL_GROUP_COREDUMP_FLAG 8

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_death, struct task_struct *task)
{
	struct wire_death death = { .header = { WIRE_DEATH, sizeof(death) } };
	struct pt_regs *regs;

	if (!is_watched(task) || !record_start_ns)
		return 0; /* not ours */
	regs = task_regs(task);
	death.tid = task->pid;
	death.tgid = task->tgid;
	death.start_ns = task->start_boottime;
	death.time_ns = bpf_ktime_get_boot_ns();
	death.with_process =
		!!(task->signal->flags & (SIGNAL_GROUP_EXIT_FLAG | SIGNAL_GROUP_COREDUMP_FLAG));
	death.syscall_nr = arch_regs_syscall_nr(regs);
	death.syscall_op = arch_regs_syscall_op(regs);
	if (bpf_ringbuf_output(&events, &death, sizeof(death), wakeup_flags(false)))
		__sync_fetch_and_add(&drop_events, 1);
	return 0;
}

#endif
