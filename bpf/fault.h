/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * New code at an old address is noticed before it runs: none of its pages is there, and the first
 * one that is touched faults. What is mapped there is looked for without the lock of the mappings,
 * where the kernel tells whether they changed meanwhile; a helper does it with the lock, and gives
 * that back by an interrupt of its own.
 */
#ifndef BPF_FAULT_H
#define BPF_FAULT_H

#include <bpf/bpf_tracing.h>

#include "bpf/watch.h"

#define ENOENT_NR 2
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

/* Whether a fault of the current @task fails at once, as those of programs that read a page which
 * is not there: nothing comes to be mapped by it. Kernels on which this is read by a helper count
 * that too, which disables faults while it reads. */
static __always_inline bool maps_nothing(struct task_struct *task)
{
	return TASK_READ(task, pagefault_disabled) > (HAS_CURRENT_TASK ? 0 : 1);
}

/* Whether a fault of the current @task can be the first touch of code: writing does not map it. */
static __always_inline bool may_map_code(struct task_struct *task, unsigned long error_code)
{
	return arch_fault_maps_code(error_code) && is_watched(task) && !maps_nothing(task);
}

/* Returns the address space of @task if it matters that a page of it is touched, else NULL. */
static __always_inline struct wire_space *space_missed(struct task_struct *task)
{
	__u32 tgid = TASK_READ(task, tgid);
	struct wire_space *space = bpf_map_lookup_elem(&spaces, &tgid);

	/* A program that has just begun: all of its code is new. */
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

/* A count of the changes of a process's mappings, since 6.4: 5e31275cc997 ("mm: add per-VMA lock
 * and helper functions to control it"), counted at both ends of a change since 6.14: eb449bd96954
 * ("mm: convert mm_lock_seq to a proper seqcount"). */
struct mm_struct___seq {
	int mm_lock_seq;
} __attribute__((preserve_access_index));

struct mm_struct___seqcount {
	seqcount_t mm_lock_seq;
} __attribute__((preserve_access_index));

/* Where the kernel counts them. */
#define HAS_SEQ bpf_core_field_exists(((struct mm_struct___seq *)0)->mm_lock_seq)
#define HAS_SEQCOUNT bpf_core_field_exists(((struct mm_struct___seqcount *)0)->mm_lock_seq)

/* What differs when a process's mappings have been changed: nearly always, where they are not
 * counted. */
static __always_inline __u32 mapping_changes(struct mm_struct *mm)
{
	if (HAS_SEQCOUNT)
		return BPF_CORE_READ((struct mm_struct___seqcount *)mm, mm_lock_seq.sequence);
	if (HAS_SEQ)
		return (__u32)BPF_CORE_READ((struct mm_struct___seq *)mm, mm_lock_seq);
	return (__u32)BPF_CORE_READ(mm, map_count);
}

/* Whether somebody holds @mm's mappings to change them: the lowest bit of the lock. */
static __always_inline bool is_changing(struct mm_struct *mm)
{
	return BPF_CORE_READ(mm, mmap_lock.count.counter) & 1;
}

/* A node of the maple tree (lib/maple_tree.c) in words, and where its parts are. The lowest byte of
 * its address has its type, and in the root that it is a node. */
#define MAPLE_NODE_WORDS 32
#define MAPLE_PIVOTS 1
#define MAPLE_RANGE_SLOTS 16
#define MAPLE_RANGE_LAST 15
#define MAPLE_RANGE_END 31
#define MAPLE_ARANGE_SLOTS 10
#define MAPLE_ARANGE_END 30
#define MAPLE_IS_ROOT(entry) (((entry)&3) == 2 && (entry) > 4096)
#define MAPLE_TYPE(entry) ((entry) >> 3 & 15)
#define MAPLE_LEAF 1
#define MAPLE_ARANGE 3
#define MAPLE_DEPTH_MAX 8

/* Whether this kernel's tree is the one that is known here. */
#define HAS_MAPLE                                                                                  \
	(bpf_core_type_size(struct maple_range_64) == MAPLE_NODE_WORDS * 8 &&                      \
	 bpf_core_field_offset(struct maple_range_64, pivot) == MAPLE_PIVOTS * 8 &&                \
	 bpf_core_field_offset(struct maple_range_64, slot) == MAPLE_RANGE_SLOTS * 8 &&            \
	 bpf_core_field_offset(struct maple_range_64, meta) == MAPLE_RANGE_END * 8 &&              \
	 bpf_core_field_offset(struct maple_arange_64, pivot) == MAPLE_PIVOTS * 8 &&               \
	 bpf_core_field_offset(struct maple_arange_64, slot) == MAPLE_ARANGE_SLOTS * 8 &&          \
	 bpf_core_field_offset(struct maple_arange_64, meta) == MAPLE_ARANGE_END * 8 &&            \
	 bpf_core_enum_value(enum maple_type, maple_leaf_64) == MAPLE_LEAF &&                      \
	 bpf_core_enum_value(enum maple_type, maple_arange_64) == MAPLE_ARANGE)

/* Returns which slot of @node, of @type, has @address. */
static __always_inline __u32 maple_slot(const __u64 *node, __u32 type, __u64 address)
{
	__u32 end = MAPLE_RANGE_LAST, idx = 0;

	/* How many it has is written where there is room. */
	if (type == MAPLE_ARANGE)
		end = node[MAPLE_ARANGE_END] & 0xff;
	else if (!node[MAPLE_PIVOTS + MAPLE_RANGE_LAST - 1])
		end = node[MAPLE_RANGE_END] & 0xff;
#pragma unroll
	for (__u32 i = 0; i < MAPLE_RANGE_LAST; i++)
		if (idx == i && i < end && address > node[MAPLE_PIVOTS + i])
			idx = i + 1;
	return idx;
}

/* As vma_in_tree, since 6.1. Returns 0 with the mapping's address, 0 for none, -1 when the tree is
 * not as it should be. */
static __noinline int vma_in_maple(struct mm_struct *mm, unsigned long address, __u64 *ret)
{
	__u64 node[MAPLE_NODE_WORDS];
	__u64 entry = (__u64)BPF_CORE_READ(mm, mm_mt.ma_root);

	if (!MAPLE_IS_ROOT(entry))
		return -1; /* a single mapping: no program has less than its code and its stack */
#pragma clang loop unroll(disable)
	for (int i = 0; i < MAPLE_DEPTH_MAX; i++) {
		__u32 type = MAPLE_TYPE(entry), slot;
		__u64 addr = entry & ~0xffULL;

		if (type < MAPLE_LEAF || type > MAPLE_ARANGE ||
		    bpf_probe_read_kernel(node, sizeof(node), (void *)addr))
			return -1;
		slot = maple_slot(node, type, address);
		slot += type == MAPLE_ARANGE ? MAPLE_ARANGE_SLOTS : MAPLE_RANGE_SLOTS;
		if (bpf_probe_read_kernel(&entry, sizeof(entry), (void *)(addr + slot * 8ULL)))
			return -1;
		if (type == MAPLE_LEAF) {
			*ret = entry;
			return 0;
		}
	}
	return -1;
}

/* Looks for the code at @address where nothing holds the mappings still. Returns 0 with its number,
 * 0 for none, -1 when they may have changed meanwhile. A page that is touched where nothing is
 * mapped, as by a copy of more stack than there is, is no code. */
static __always_inline int code_at(struct mm_struct *mm, unsigned long address, bool in_maple,
				   __u64 *ret_code_id)
{
	bool changing = is_changing(mm);
	__u32 changes = mapping_changes(mm);
	struct vm_area_struct *vma;
	__u64 found = 0;

	if (!in_maple)
		found = (__u64)vma_in_tree(mm, address);
	else if (vma_in_maple(mm, address, &found))
		return -1;
	vma = (void *)found;
	if (vma) {
		*ret_code_id = code_id_of(vma);
		if (BPF_CORE_READ(vma, vm_mm) != mm || address < BPF_CORE_READ(vma, vm_start) ||
		    address >= BPF_CORE_READ(vma, vm_end))
			changing = true;
	}
	return changing || changes != mapping_changes(mm) || is_changing(mm) ? -1 : 0;
}

static long look_at_vma(struct task_struct *task, struct vm_area_struct *vma, __u64 *ret_code_id)
{
	*ret_code_id = code_id_of(vma);
	return 0;
}

/* As code_at, by bpf_find_vma. */
static __always_inline int code_found(struct task_struct *task, unsigned long address,
				      __u64 *ret_code_id)
{
	long err = bpf_find_vma(task, address, look_at_vma, ret_code_id, 0);

	return err && err != -ENOENT_NR ? -1 : 0;
}

/* Notices it when the code at @address is new. @rb: in the tree of kernels without bpf_find_vma,
 * which is since 5.17: 7c7e3d31e785 ("bpf: Introduce helper bpf_find_vma"). */
static __always_inline int look_for_code(struct task_struct *task, unsigned long address, bool rb)
{
	struct wire_space *space = space_missed(task);
	__u64 code_id = 0;
	int err;

	if (!space)
		return 0; /* not of interest */
	if (rb || (HAS_MAPLE && (HAS_SEQ || HAS_SEQCOUNT)))
		err = code_at(TASK_READ(task, mm), address, !rb, &code_id);
	else
		err = code_found(task, address, &code_id);
	if (err || (code_id && !is_known_code(space->number, code_id)))
		code_changed(TASK_READ(task, tgid));
	return 0;
}

static __noinline int page_missed(struct task_struct *task, unsigned long address)
{
	return look_for_code(task, address, false);
}

static __noinline int page_missed_rb(struct task_struct *task, unsigned long address)
{
	return look_for_code(task, address, true);
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

	return may_map_code(task, error_code) ? page_missed(task, address) : 0;
}

SEC("?tp_btf/page_fault_user")
int BPF_PROG(on_ufault_tree, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	struct task_struct *task = current_task();

	return may_map_code(task, error_code) ? page_missed_rb(task, address) : 0;
}

SEC("?tp_btf/page_fault_kernel")
int BPF_PROG(on_kfault_tree, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	struct task_struct *task = current_task();

	return may_map_code(task, error_code) ? page_missed_rb(task, address) : 0;
}

#endif
