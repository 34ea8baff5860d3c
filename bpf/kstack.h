/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Kernel stacks of a recording, in the scratch of the walks and sent as they are: named by a hash,
 * the pcs once. The kernel unwinds them itself, which takes longer than a walk of ours: nothing of
 * this is left in the programs unless it was asked for.
 */
#ifndef BPF_KSTACK_H
#define BPF_KSTACK_H

#include "bpf/walk.h"

const volatile bool cfg_kernel = false;

__u64 drop_kstacks = 0; /* the kernel did not unwind them */

/* Names the @cnt kernel pcs in @walker's scratch and sends them when they are new. Returns 0, or -1
 * when there are none. A global function, as walk_stack. */
__noinline int send_kstack(__u32 walker, __u32 cnt)
{
	struct walk_scratch *s = bpf_map_lookup_elem(&walk_scratch, &walker);

	if (!s)
		return -1; /* cannot be */
	s->id = walk_mix(0, s->stack.space);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < WIRE_KSTACK_MAX; i++) {
		if (i >= cnt)
			break;
		s->id = walk_mix(s->id, s->stack.pc[i]);
	}
	s->stack.pc_cnt = cnt;
	s->stack.guessed_idx = cnt;
	s->stack.end = cnt < WIRE_KSTACK_MAX ? WIRE_END_ROOT : WIRE_END_TOO_DEEP;
	send_stack(s);
	return 0;
}

/* Reads the kernel stack that @ctx, a program's own, is on, as one of @space. Returns its id, 0
 * when there is none. The scratch of @walker must not hold a walk any more. */
static __always_inline __u64 kernel_stack(void *ctx, __u32 tgid, __u32 walker, __u32 space)
{
	struct walk_scratch *s = bpf_map_lookup_elem(&walk_scratch, &walker);
	long bytes;

	if (!s)
		return 0; /* cannot be */
	bytes = bpf_get_stack(ctx, s->stack.pc, WIRE_KSTACK_MAX * sizeof(s->stack.pc[0]), 0);
	if (bytes < 0)
		__sync_fetch_and_add(&drop_kstacks, 1);
	if (bytes <= 0)
		return 0; /* 0: a tick that hit user code */
	s->stack.space = space;
	s->stack.tgid = tgid;
	return send_kstack(walker, (__u32)bytes / sizeof(s->stack.pc[0])) ? 0 : s->id;
}

#endif
