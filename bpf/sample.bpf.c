/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The CPU clock: where a target's running threads are. Each tick on a CPU that runs one sends its
 * user registers and a copy of its stack, once a thread.
 */
#include "vmlinux.h"
#include "bpf/task.h"

#define COPY_CHUNK_BYTES 4096

/* samples: wire_sample records. Written by on_sample, read by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 << 20);
} samples SEC(".maps");

/* sampled: tid -> the window in which the thread was last caught. Written and read by on_sample;
 * bounded by evicting the oldest, which costs a second sample and nothing else. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} sampled SEC(".maps");

/* Counts the starts of the clock; written by user space. */
__u32 sample_window = 0;
__u64 drop_samples = 0;

static __always_inline __u32 copy_stack(struct wire_sample *sample, __u64 addr)
{
	__u32 first = COPY_CHUNK_BYTES - (addr & (COPY_CHUNK_BYTES - 1));
	__u32 len = 0;

	if (first < 1 || first > COPY_CHUNK_BYTES)
		return 0; /* cannot be */
	if (bpf_probe_read_user(sample->copy, first, (void *)addr))
		return 0; /* user space counts it as unreadable */
	len = first;
#pragma clang loop unroll(disable)
	for (int i = 0; i < WIRE_COPY_MAX_BYTES / COPY_CHUNK_BYTES; i++) {
		if (len > WIRE_COPY_MAX_BYTES - COPY_CHUNK_BYTES)
			break;
		if (bpf_probe_read_user(sample->copy + len, COPY_CHUNK_BYTES, (void *)(addr + len)))
			break;
		len += COPY_CHUNK_BYTES;
	}
	return len;
}

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = current_task();
	__u32 tgid = task_tid(BPF_CORE_READ(task, group_leader));
	__u32 tid = task_tid(task), window = sample_window, *caught;
	struct wire_sample *sample;
	struct pt_regs regs;

	if (!tgid || !tid)
		return 0; /* not in our namespace */
	if (!look_at_all && !bpf_map_lookup_elem(&targets, &tgid))
		return 0; /* not a target */
	caught = bpf_map_lookup_elem(&sampled, &tid);
	if (!BPF_CORE_READ(task, mm) || (caught && *caught == window))
		return 0; /* a kernel thread, or caught before */
	if (task_user_regs(task, &regs))
		return 0; /* cannot be */
	if (!arch_has_user_regs(&regs))
		return 0; /* never was in user mode */

	sample = bpf_ringbuf_reserve(&samples, sizeof(*sample), 0);
	if (!sample) {
		__sync_fetch_and_add(&drop_samples, 1);
		return 0;
	}
	sample->header.type = WIRE_SAMPLE;
	sample->header.size_bytes = sizeof(*sample);
	sample->tgid = tgid;
	sample->tid = tid;
	sample->flags = WIRE_ON_CPU | WIRE_HAS_REGS;
	if (!arch_hit_user_mode(ctx))
		sample->flags |= WIRE_KERNEL_MODE;
	if (arch_is_compat(&regs))
		sample->flags |= WIRE_COMPAT;
	sample->start_ns = BPF_CORE_READ(task, start_boottime);
	sample->time_ns = bpf_ktime_get_ns();
	sample->exec_id = task_exec_id(task);
	sample->exec_pages = task_exec_pages(task);
	arch_fill_regs(sample->reg, &regs);
	sample->copy_addr = arch_stack_pointer(sample->reg);
	sample->copy_bytes = copy_stack(sample, sample->copy_addr);
	bpf_ringbuf_submit(sample, 0);
	bpf_map_update_elem(&sampled, &tid, &window, BPF_ANY);
	return 0;
}
