/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The task iterator: one record a thread, and its kernel stack when asked for. Reading it does not
 * touch the threads: they are not stopped, and need not even be able to run.
 */
#include "vmlinux.h"
#include "bpf/task.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile bool cfg_kstacks = false;

struct snap_scratch {
	struct wire_task task;
	struct wire_kstack kstack;
};

/* snap_scratch: room for the records being made, too large for the BPF stack. Written and read by
 * on_task, which runs one at a time: loiter reads its iterators from one thread. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct snap_scratch);
} snap_scratch SEC(".maps");

static __always_inline __u32 task_flag_bits(struct task_struct *task)
{
	__u32 bits = task->flags;
	__u32 flags = 0;

	if (bits & TASK_PF_KTHREAD)
		flags |= WIRE_KTHREAD;
	if (bits & TASK_PF_IO_WORKER)
		flags |= WIRE_IO_WORKER;
	if (bits & TASK_PF_EXITING)
		flags |= WIRE_EXITING;
	if (BPF_CORE_READ_BITFIELD(task, in_iowait))
		flags |= WIRE_IN_IOWAIT;
	if (task == (void *)bpf_get_current_task())
		flags |= WIRE_IS_SELF;
	return flags;
}

static __always_inline void fill_user_side(struct wire_task *record, struct task_struct *task)
{
	struct pt_regs regs;

	if (record->flags & (WIRE_KTHREAD | WIRE_IO_WORKER))
		return;
	if (!task->mm || task_user_regs(task, &regs) || !arch_has_user_regs(&regs))
		return;
	record->flags |= WIRE_HAS_REGS;
	if (arch_is_compat(&regs))
		record->flags |= WIRE_COMPAT;
	arch_fill_regs(record->reg, &regs);
	if (arch_fill_syscall(record, &regs))
		record->flags |= WIRE_IN_SYSCALL;
}

static __always_inline void write_kstack(struct seq_file *seq, struct wire_kstack *record,
					 struct task_struct *task, __u32 tid)
{
	long bytes;

	bytes = bpf_get_task_stack(task, record->pc, sizeof(record->pc), 0);
	record->header.type = WIRE_KSTACK;
	record->header.size_bytes = sizeof(*record);
	record->tid = tid;
	record->pc_cnt = bytes > 0 ? (__u32)bytes / 8 : 0; /* 0: user space counts it as missing */
	bpf_seq_write(seq, record, sizeof(*record));
}

SEC("iter/task")
int on_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct snap_scratch *scratch;
	struct wire_task *record;
	__u32 tid, tgid, zero = 0;

	if (!task)
		return 0; /* end of iteration */
	note_reader();
	tgid = task_tid(task->group_leader);
	tid = task_tid(task);
	if (!tgid || !tid)
		return 0; /* not in our namespace, or no longer */
	if (!look_at_all && !bpf_map_lookup_elem(&targets, &tgid))
		return 0; /* not a target */

	scratch = bpf_map_lookup_elem(&snap_scratch, &zero);
	if (!scratch)
		return 0; /* cannot be */
	record = &scratch->task;
	__builtin_memset(record, 0, sizeof(*record));
	record->header.type = WIRE_TASK;
	record->header.size_bytes = sizeof(*record);
	record->tgid = tgid;
	record->tid = tid;
	/* The order is the contract of wire_task: on_cpu, counts, registers. The first is an int at
	 * first and a byte since 7.3: it is read by the size that it has. */
	record->flags = BPF_CORE_READ_BITFIELD(task, on_cpu) ? WIRE_ON_CPU : 0;
	compiler_barrier();
	record->nvcsw = task->nvcsw;
	record->nivcsw = task->nivcsw;
	compiler_barrier();
	record->state = task_state(task);
	record->flags |= task_flag_bits(task);
	fill_user_side(record, task);

	bpf_probe_read_kernel_str(record->comm, sizeof(record->comm), task->comm);
	record->tgid_start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	record->start_ns = task->start_boottime;
	record->last_arrival_ns = task->sched_info.last_arrival;
	record->last_stint_ns = task->se.sum_exec_runtime - task->se.prev_sum_exec_runtime;
	record->exec_id = task_exec_id(task);
	record->exec_pages = task_exec_pages(task);
	record->now_ns = bpf_ktime_get_ns();
	bpf_seq_write(ctx->meta->seq, record, sizeof(*record));
	if (cfg_kstacks && !(record->flags & WIRE_ON_CPU))
		write_kstack(ctx->meta->seq, &scratch->kstack, task, tid);
	return 0;
}
