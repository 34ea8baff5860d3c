/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Who creates threads and processes, and where; the processes that a watched one forks are watched
 * from their birth on. */
#ifndef BPF_BIRTH_H
#define BPF_BIRTH_H

#include <bpf/bpf_tracing.h>

#include "bpf/futex.h"
#include "bpf/watch.h"

#define CLONE_THREAD_FLAG 0x00010000

#define SHOWN_BIRTH_MAX 131072
#define SHOWN_STACK_MAX 8192

/* loiter_births, loiter_bstacks: who created each living thread, by tid, and the stacks by id.
 * Written by user space; no program reads them: they are for other loiters, which find them by
 * their names, and are gone when this one is. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SHOWN_BIRTH_MAX);
	__type(key, __u32);
	__type(value, struct wire_birth);
} loiter_births SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SHOWN_STACK_MAX);
	__type(key, __u64);
	__type(value, struct wire_birth_stack);
} loiter_bstacks SEC(".maps");

/* The child begins with its parent's code. */
static __always_inline void watch_child(__u32 parent_tgid, __u32 tgid)
{
	struct wire_space *space = bpf_map_lookup_elem(&spaces, &parent_tgid);
	struct wire_space own;

	set_watched(tgid, WATCH_YES);
	if (!space)
		return;
	own = *space;
	if (!own.number)
		own.exec_pages = 0; /* the answer will be its parent's alone: it asks as well */
	put_space(tgid, &own);
}

SEC("tp_btf/task_newtask")
int BPF_PROG(on_newtask, struct task_struct *task, unsigned long clone_flags)
{
	struct task_struct *creator = current_task();
	struct wire_birth birth = { .header = { WIRE_BIRTH, sizeof(birth) } };

	if (!is_watched(creator))
		return 0; /* not ours */
	if (!(clone_flags & CLONE_THREAD_FLAG))
		watch_child(TASK_READ(creator, tgid), task->tgid);
	if (!record_start_ns)
		return 0; /* not yet */
	birth.tid = task->pid;
	birth.tgid = task->tgid;
	birth.creator_tid = TASK_READ(creator, pid);
	birth.creator_tgid = TASK_READ(creator, tgid);
	birth.start_ns = task->start_boottime;
	bpf_probe_read_kernel_str(birth.creator_comm, sizeof(birth.creator_comm), creator->comm);
	birth.stack_id = current_stack(creator, WALKER_BIRTH);
	if (bpf_ringbuf_output(&events, &birth, sizeof(birth), wakeup_flags(false)))
		__sync_fetch_and_add(&drop_events, 1);
	return 0;
}

static __always_inline void note_program(struct task_struct *task)
{
	__u32 tid = task->pid;
	struct wire_run *run = bpf_map_lookup_elem(&runs, &tid);

	if (run)
		bpf_probe_read_kernel_str(run->comm, sizeof(run->comm), task->comm);
}

/* Hands the state of thread @tid over to user space: it has ended. A function of its own, since a
 * walk would else have the room on the stack for its record too. */
static __noinline int end_run(__u32 tid, struct wire_run *run)
{
	struct wire_exit record = { .header = { WIRE_EXIT, sizeof(record) }, .tid = tid };

	__builtin_memcpy(&record.run, run, sizeof(record.run));
	if (bpf_ringbuf_output(&events, &record, sizeof(record), 0))
		run->state =
			WIRE_RUN_ENDED; /* read at the end, unless the tid is taken until then */
	else
		bpf_map_delete_elem(&runs, &tid);
	return 0;
}

/* A thread that begins a program ends all others of its process, and goes on with the id and the
 * start time of the main one: de_thread() of the kernel. Here the thread of its old id ends, and
 * the main thread, which may have ended, goes on. */
static __always_inline void take_main_id(struct task_struct *task, __u32 old_tid)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 tid = task->pid;
	struct wire_run *run = bpf_map_lookup_elem(&runs, &tid);
	struct wire_run *old = bpf_map_lookup_elem(&runs, &old_tid);
	bool is_first = !run || run->state == WIRE_RUN_ENDED;

	if (old) {
		/* Else it was switched off since, which was booked under the new id. */
		if (is_first && old->state == WIRE_RUN_ON_CPU)
			old->on_cpu_ns += elapsed_ns(old->since_ns, now);
		end_run(old_tid, old);
	}
	if (cfg_futexes)
		bpf_map_delete_elem(&futex_waits, &old_tid);
	if (!is_first)
		return;
	run = run_of(task, 0, now);
	if (run) {
		run->state = WIRE_RUN_ON_CPU;
		run->since_ns = now;
	}
}

/* The new program has other code at the old addresses, of which nothing was asked yet. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old_tid)
{
	struct wire_space space = {};

	if (watch_of(task->tgid) == WATCH_FROM_EXEC) {
		struct wire_run *run = cfg_runs ? run_of(task, 0, bpf_ktime_get_ns()) : NULL;

		if (run)
			run->state = WIRE_RUN_ON_CPU;
		set_watched(task->tgid, WATCH_YES);
	}
	if (!is_watched(task))
		return 0; /* not ours */
	if (cfg_runs && record_start_ns && old_tid != task->pid)
		take_main_id(task, (__u32)old_tid);
	if (cfg_runs)
		note_program(task);
	put_space(task->tgid, &space);
	code_changed(task->tgid);
	return 0;
}

/* A main thread that ended before others has not been told of. */
static __always_inline void end_main(struct task_struct *task)
{
	__u32 tid = task->pid;
	struct wire_run *run = bpf_map_lookup_elem(&runs, &tid);

	if (run && run->state == WIRE_RUN_ENDED && run->start_ns == task->start_boottime)
		end_run(tid, run);
}

/* The last that is heard of a process: its pid can be given to another one. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
	__u32 tgid = task->tgid;

	if ((__u32)task->pid != tgid || !watch_of(tgid))
		return 0;
	if (cfg_runs)
		end_main(task);
	if (!cfg_all)
		set_watched(tgid, WATCH_NO);
	bpf_map_delete_elem(&spaces, &tgid);
	return 0;
}

#endif
