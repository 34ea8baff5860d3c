/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What every program asks of a task, over the differences between kernels: include behind
 * vmlinux.h. Shims test for the feature itself and name the commit that changed the kernel.
 */
#ifndef BPF_TASK_H
#define BPF_TASK_H

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "bpf/arch.h"
#include "bpf/wire.h"

#define TARGET_MAX 65536

#define TASK_PF_EXITING 0x00000004
#define TASK_PF_IO_WORKER 0x00000010
#define TASK_PF_KTHREAD 0x00200000

#define compiler_barrier() asm volatile("" ::: "memory")

/* targets: tgid in loiter's own PID namespace -> 1. Written by user space, read by all programs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TARGET_MAX);
	__type(key, __u32);
	__type(value, __u8);
} targets SEC(".maps") __weak;

/* Whether threads of every process are looked at, or of those in .targets only. Written by user
 * space. */
bool look_at_all __weak = false;

/* The PID namespace that loiter lives in, and its depth. Written by on_task, which loiter always
 * runs before on_sample, where the current task is another. */
__u32 reader_pidns_level __weak = 0;
__u64 reader_pidns __weak = 0;

/* "state" became "__state" in 5.14: 2f064a59a11f ("sched: Change task_struct::state"). */
struct task_struct___state_long {
	volatile long state;
} __attribute__((preserve_access_index));

static __always_inline __u32 task_state_bits(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return (__u32)((struct task_struct___state_long *)task)->state;
}

/* The kernel's bits (include/linux/sched.h) as one value. Some states are several bits. */
static __always_inline enum wire_state task_state(struct task_struct *task)
{
	__u32 bits = task_state_bits(task) & 0xffff;
	__u32 exit_bits = (__u32)BPF_CORE_READ(task, exit_state);

	if (exit_bits & 0x20) /* EXIT_ZOMBIE */
		return WIRE_STATE_ZOMBIE;
	if (exit_bits & 0x10) /* EXIT_DEAD */
		return WIRE_STATE_DEAD;
	if (!bits)
		return WIRE_STATE_RUNNABLE;
	if (bits & 0x1) /* TASK_INTERRUPTIBLE */
		return WIRE_STATE_SLEEPING;
	if ((bits & 0x402) == 0x402) /* TASK_IDLE: uninterruptible and no load */
		return WIRE_STATE_IDLE;
	if (bits & 0x2) /* TASK_UNINTERRUPTIBLE */
		return WIRE_STATE_DISK;
	if (bits & 0x4) /* __TASK_STOPPED */
		return WIRE_STATE_STOPPED;
	if (bits & 0x8) /* __TASK_TRACED */
		return WIRE_STATE_TRACED;
	if (bits & 0x80) /* TASK_DEAD */
		return WIRE_STATE_DEAD;
	return WIRE_STATE_OTHER;
}

/* Helper since 5.11: 3ca1032ab7ab ("bpf: Implement get_current_task_btf and RET_PTR_TO_BTF_ID"). */
#define HAS_CURRENT_TASK bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)
/* Helper since 5.15: dd6e10fbd9fb ("bpf: Add bpf_task_pt_regs() helper"). */
#define HAS_TASK_REGS                                                                              \
	(bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs) && HAS_CURRENT_TASK)

/* Reads a field of a task that may be the current one, or of its registers. Kernels that hand out
 * these pointers let programs follow them; on others it is memory as any other. */
#define TASK_READ(task, field) (HAS_CURRENT_TASK ? (task)->field : BPF_CORE_READ(task, field))
#define REGS_READ(regs, field) (HAS_TASK_REGS ? (regs)->field : BPF_CORE_READ(regs, field))

/* Returns the current task, to be read by TASK_READ. */
static __always_inline struct task_struct *current_task(void)
{
	if (HAS_CURRENT_TASK)
		return bpf_get_current_task_btf();
	return (void *)bpf_get_current_task();
}

/* Returns where @task's user registers are kept while it is in the kernel, to be read by
 * REGS_READ. */
static __always_inline struct pt_regs *task_regs(struct task_struct *task)
{
	if (HAS_TASK_REGS)
		return (struct pt_regs *)bpf_task_pt_regs(task);
	return TASK_READ(task, stack) + ARCH_KERNEL_STACK_BYTES -
	       bpf_core_type_size(struct pt_regs);
}

/* Copies the user registers that @task left when it entered the kernel. */
static __always_inline long task_user_regs(struct task_struct *task, struct pt_regs *ret)
{
	return bpf_probe_read_kernel(ret, sizeof(*ret), task_regs(task));
}

static __always_inline int read_upid(struct upid *ret, struct pid *pid, __u32 level)
{
	return (int)bpf_core_read(ret, sizeof(*ret), &pid->numbers[level & 31]);
}

/* Notes the PID namespace of the current task, which is loiter reading its iterator. */
static __always_inline void note_reader(void)
{
	struct task_struct *reader = current_task();
	struct pid *pid = BPF_CORE_READ(reader, thread_pid);
	struct upid upid = {};

	reader_pidns_level = BPF_CORE_READ(pid, level);
	if (!read_upid(&upid, pid, reader_pidns_level))
		reader_pidns = (__u64)upid.ns;
}

/* The id of @task in loiter's PID namespace, 0 when it has none there. */
static __always_inline __u32 task_tid(struct task_struct *task)
{
	__u32 level = reader_pidns_level;
	struct upid upid = {};
	struct pid *pid;

	if (!level)
		return (__u32)BPF_CORE_READ(task, pid);
	pid = BPF_CORE_READ(task, thread_pid);
	if (!pid || BPF_CORE_READ(pid, level) < level || read_upid(&upid, pid, level))
		return 0;
	return (__u64)upid.ns == reader_pidns ? (__u32)upid.nr : 0;
}

/* Counts the execs of @task's process. */
static __always_inline __u64 task_exec_id(struct task_struct *task)
{
	return (__u64)BPF_CORE_READ(task, self_exec_id);
}

/* How many pages of code @task's process has mapped. */
static __always_inline __u64 task_exec_pages(struct task_struct *task)
{
	return BPF_CORE_READ(task, mm, exec_vm);
}

#endif
