/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Who creates threads and processes, and where; the processes that a watched one forks are watched
 * from their birth on. */
#ifndef BPF_BIRTH_H
#define BPF_BIRTH_H

#include <bpf/bpf_tracing.h>

#include "bpf/watch.h"

#define CLONE_THREAD_FLAG 0x00010000
#define ENOENT_NR 2

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

	set_watched(tgid, WATCH_YES);
	if (space)
		put_space(tgid, space);
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

/* The new program has other code at the old addresses. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	__u32 tgid = task->tgid;

	if (watch_of(task->tgid) == WATCH_FROM_EXEC) {
		struct wire_run *run = cfg_runs ? run_of(task, 0, bpf_ktime_get_ns()) : NULL;

		if (run)
			run->state = WIRE_RUN_ON_CPU;
		set_watched(task->tgid, WATCH_YES);
	}
	if (!is_watched(task))
		return 0; /* not ours */
	bpf_map_delete_elem(&spaces, &tgid);
	code_changed(tgid);
	return 0;
}

/* The last that is heard of a process: its pid can be given to another one. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
	__u32 tgid = task->tgid;

	if ((__u32)task->pid != tgid || !watch_of(tgid))
		return 0;
	if (!cfg_all)
		set_watched(tgid, WATCH_NO);
	bpf_map_delete_elem(&spaces, &tgid);
	return 0;
}

#define VM_EXEC_FLAG 4

#define FMODE_BACKING_FLAG 0x2000000

/* A file of an overlay is mapped as the one below it, but shown as itself since 6.8: def3ae83da02
 * ("fs: store real path instead of fake path in backing file f_path"). */
struct backing_file___user_path {
	struct file file;
	struct path user_path;
} __attribute__((preserve_access_index));

/* Returns the inode that /proc/PID/maps shows for @file. */
static __always_inline struct inode *shown_inode(struct file *file)
{
	struct backing_file___user_path *backing = (void *)file;

	if (bpf_core_field_exists(backing->user_path) &&
	    BPF_CORE_READ(file, f_mode) & FMODE_BACKING_FLAG)
		return BPF_CORE_READ(backing, user_path.dentry, d_inode);
	return BPF_CORE_READ(file, f_inode);
}

/* Returns the number of the code that @vma maps, 0 when it maps none. */
static __always_inline __u64 code_id_of(struct vm_area_struct *vma)
{
	struct file *file = BPF_CORE_READ(vma, vm_file);
	struct inode *inode;

	if (!file || !(BPF_CORE_READ(vma, vm_flags) & VM_EXEC_FLAG))
		return 0;
	inode = shown_inode(file);
	return wire_code_id(BPF_CORE_READ(inode, i_ino), BPF_CORE_READ(inode, i_sb, s_dev),
			    BPF_CORE_READ(vma, vm_start) -
				    (BPF_CORE_READ(vma, vm_pgoff) << ARCH_PAGE_SHIFT));
}

/* Whether a fault of the current @task can be the first touch of code: writing does not map it. */
static __always_inline bool may_map_code(struct task_struct *task, unsigned long error_code)
{
	return arch_fault_maps_code(error_code) && is_watched(task);
}

/* Returns the address space of @task if it matters that a page of it is touched, else NULL. */
static __always_inline struct wire_space *space_missed(struct task_struct *task)
{
	__u32 tgid = TASK_READ(task, tgid);
	struct wire_space *space = bpf_map_lookup_elem(&spaces, &tgid);

	/* A program that has just begun is asked about for the first time: all of its code is new.
	 */
	if (space && !space->number && !space->last_number)
		return NULL;
	return space;
}

/* Whether address space number @space is known to have code @code_id. While user space reads its
 * map again it has no number, and all that comes counts. */
static __always_inline bool is_known_code(__u32 space, __u64 code_id)
{
	struct wire_code_key key = { .code_id = code_id, .space = space };

	return space && bpf_map_lookup_elem(&known_code, &key);
}

static long look_at_vma(struct task_struct *task, struct vm_area_struct *vma, __u64 *ret_code_id)
{
	*ret_code_id = code_id_of(vma);
	return 0;
}

/* New code at an old address is noticed before it runs: none of its pages is there, and the first
 * one that is touched faults. Needs bpf_find_vma, since 5.17: 7c7e3d31e785 ("bpf: Introduce helper
 * bpf_find_vma"). */
static __noinline int page_missed(struct task_struct *task, unsigned long address)
{
	struct wire_space *space = space_missed(task);
	__u64 code_id = 0;
	long err;

	if (!space)
		return 0; /* not of interest */
	err = bpf_find_vma(task, address, look_at_vma, &code_id, 0);
	if (err == -ENOENT_NR || (!err && !code_id))
		return 0; /* no code */
	if (err || !is_known_code(space->number, code_id))
		code_changed(TASK_READ(task, tgid));
	return 0;
}

/* Whether a fault of the kernel's fails at once, as those of programs that read a page which is not
 * there: nothing comes to be mapped by it. */
static __always_inline bool maps_nothing(struct task_struct *task)
{
	return TASK_READ(task, pagefault_disabled);
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(on_user_fault, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	struct task_struct *task = current_task();

	return may_map_code(task, error_code) ? page_missed(task, address) : 0;
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(on_kernel_fault, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	struct task_struct *task = current_task();

	return may_map_code(task, error_code) && !maps_nothing(task) ? page_missed(task, address)
								     : 0;
}

/* Until 6.1 a process keeps its mappings in a red-black tree: 524e00b36e8c ("mm: remove rb tree.").
 */
struct mm_struct___rb {
	struct rb_root mm_rb;
} __attribute__((preserve_access_index));

struct vm_area_struct___rb {
	struct rb_node vm_rb;
} __attribute__((preserve_access_index));

/* Twice the logarithm of vm.max_map_count, unless that was raised much. */
#define TREE_DEPTH_MAX 40

/* Finds the mapping that @address of @mm lies in as the kernel itself would, but without its lock.
 * Returns NULL when there is none; anything when the tree is changed meanwhile. */
static __always_inline struct vm_area_struct *vma_in_tree(struct mm_struct *mm,
							  unsigned long address)
{
	struct mm_struct___rb *root = (void *)mm;
	struct rb_node *node = BPF_CORE_READ(root, mm_rb.rb_node);

#pragma clang loop unroll(disable)
	for (int i = 0; i < TREE_DEPTH_MAX && node; i++) {
		struct vm_area_struct *vma =
			(void *)node - bpf_core_field_offset(struct vm_area_struct___rb, vm_rb);

		if (BPF_CORE_READ(vma, vm_end) <= address)
			node = BPF_CORE_READ(node, rb_right);
		else if (BPF_CORE_READ(vma, vm_start) > address)
			node = BPF_CORE_READ(node, rb_left);
		else
			return vma;
	}
	return NULL;
}

/* Whether somebody holds @mm's mappings to change them: the lowest bit of the lock. */
static __always_inline bool is_changing(struct mm_struct *mm)
{
	return BPF_CORE_READ(mm, mmap_lock.count.counter) & 1;
}

/* As page_missed, without the helper: what may have been found while the mappings changed counts as
 * new. A page that is touched where nothing is mapped, as by a copy of more stack than there is, is
 * no code. */
static __noinline int page_missed_tree(struct task_struct *task, unsigned long address)
{
	struct wire_space *space = space_missed(task);
	struct vm_area_struct *vma;
	struct mm_struct *mm;
	__u64 code_id = 0;
	bool changing;
	int cnt;

	if (!space)
		return 0; /* not of interest */
	mm = TASK_READ(task, mm);
	changing = is_changing(mm);
	cnt = BPF_CORE_READ(mm, map_count);
	vma = vma_in_tree(mm, address);
	if (vma)
		code_id = code_id_of(vma);
	if (is_changing(mm) || cnt != BPF_CORE_READ(mm, map_count) ||
	    (vma && BPF_CORE_READ(vma, vm_mm) != mm))
		changing = true;
	if (!changing && !code_id)
		return 0; /* no code */
	if (changing || !is_known_code(space->number, code_id))
		code_changed(TASK_READ(task, tgid));
	return 0;
}

SEC("?tp_btf/page_fault_user")
int BPF_PROG(on_ufault_tree, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	struct task_struct *task = current_task();

	return may_map_code(task, error_code) ? page_missed_tree(task, address) : 0;
}

SEC("?tp_btf/page_fault_kernel")
int BPF_PROG(on_kfault_tree, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	struct task_struct *task = current_task();

	return may_map_code(task, error_code) && !maps_nothing(task)
		       ? page_missed_tree(task, address)
		       : 0;
}

#endif
