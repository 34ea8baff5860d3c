/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * All that the BPF programs know of x86-64: where a task's user registers are kept, and what is in
 * them. Register numbers are DWARF's (System V ABI, AMD64 supplement, figure 3.36).
 */
#ifndef BPF_ARCH_X86_64_H
#define BPF_ARCH_X86_64_H

#include <bpf/bpf_helpers.h>

#include "bpf/wire.h"

#define ARCH_USER_CS_COMPAT 0x23
#define ARCH_SYSCALL_X32_BIT 0x40000000
/* Kernels before 5.15 have no bpf_task_pt_regs; there the registers lie at the top of a kernel
 * stack of this size. */
#define ARCH_KERNEL_STACK_BYTES 16384
#define ARCH_PAGE_SHIFT 12
#define ARCH_EVENT_CS_OFF (17 * 8)

static __always_inline void arch_fill_regs(__u64 *reg, const struct pt_regs *regs)
{
	reg[0] = regs->ax;
	reg[1] = regs->dx;
	reg[2] = regs->cx;
	reg[3] = regs->bx;
	reg[4] = regs->si;
	reg[5] = regs->di;
	reg[6] = regs->bp;
	reg[7] = regs->sp;
	reg[8] = regs->r8;
	reg[9] = regs->r9;
	reg[10] = regs->r10;
	reg[11] = regs->r11;
	reg[12] = regs->r12;
	reg[13] = regs->r13;
	reg[14] = regs->r14;
	reg[15] = regs->r15;
	reg[16] = regs->ip;
}

static __always_inline __u64 arch_stack_pointer(const __u64 *reg)
{
	return reg[7];
}

/* A task that never was in user mode (an io_uring worker) has zeroed registers; in one that was,
 * the stack pointer can be anything. */
static __always_inline bool arch_has_user_regs(const struct pt_regs *regs)
{
	return regs->ip != 0;
}

/* Whether a perf event hit user code. The verifier wants the whole word read at once, where later
 * kernels have a field of two bytes: by its place, which user space relies on too
 * (arch/x86/include/uapi/asm/ptrace.h), and not by its type. */
static __always_inline bool arch_hit_user_mode(const struct bpf_perf_event_data *ctx)
{
	return (*(const volatile __u64 *)((const char *)ctx + ARCH_EVENT_CS_OFF) & 3) == 3;
}

static __always_inline bool arch_is_compat(const struct pt_regs *regs)
{
	return regs->cs == ARCH_USER_CS_COMPAT;
}

/* Exceptions and interrupts put -1 where system calls have their number. Returns false for them. */
static __always_inline bool arch_fill_syscall(struct wire_task *task, const struct pt_regs *regs)
{
	if ((__s64)regs->orig_ax < 0)
		return false;
	task->syscall_nr = (__s64)(regs->orig_ax & ~(__u64)ARCH_SYSCALL_X32_BIT);
	task->syscall_arg[0] = regs->di;
	task->syscall_arg[1] = regs->si;
	task->syscall_arg[2] = regs->dx;
	task->syscall_arg[3] = regs->r10;
	task->syscall_arg[4] = regs->r8;
	task->syscall_arg[5] = regs->r9;
	return true;
}

/* Where a frame has its return address, from its CFA. */
#define ARCH_RA_CFA_OFF (-8)

/* struct rt_sigframe behind pretcode: see arch_x86_64.c of user/unwind. */
#define ARCH_SIGFRAME_FP_OFF (40 + 10 * 8)
#define ARCH_SIGFRAME_SP_OFF (40 + 15 * 8)
#define ARCH_SIGFRAME_PC_OFF (40 + 16 * 8)

/* What follows takes registers as task_regs returns them. */

/* Copies what a walk starts from. */
#define arch_walk_start(scratch, regs)                                                             \
	do {                                                                                       \
		(scratch)->pc = REGS_READ(regs, ip);                                               \
		(scratch)->sp = REGS_READ(regs, sp);                                               \
		(scratch)->fp = REGS_READ(regs, bp);                                               \
		(scratch)->ra_reg = REGS_READ(regs, di);                                           \
	} while (0)

/* Whether a page fault with @error_code can have mapped code: none was there (bit 0), and it was
 * not a write (bit 1). */
#define arch_fault_maps_code(error_code) (!((error_code)&3))

#define arch_regs_syscall_nr(regs) ((__s32)REGS_READ(regs, orig_ax))
#define arch_regs_syscall_ret(regs) ((long)REGS_READ(regs, ax)) /* when it returns */
#define arch_regs_syscall_op(regs) ((__u32)REGS_READ(regs, si))
/* Copies the first four arguments of a system call, which are there until it returns. */
#define arch_regs_syscall_args(regs, args)                                                         \
	do {                                                                                       \
		(args)[0] = REGS_READ(regs, di);                                                   \
		(args)[1] = REGS_READ(regs, si);                                                   \
		(args)[2] = REGS_READ(regs, dx);                                                   \
		(args)[3] = REGS_READ(regs, r10);                                                  \
	} while (0)
#define arch_regs_pc(regs) REGS_READ(regs, ip)
#define arch_regs_compat(regs) (REGS_READ(regs, cs) == ARCH_USER_CS_COMPAT)

#define ARCH_NR_RESTART_SYSCALL 219

static __always_inline enum futex_call arch_futex_call(__s32 nr)
{
	switch (nr & ~ARCH_SYSCALL_X32_BIT) {
	case 202:
		return FUTEX_CALL_ANY;
	case 449:
		return FUTEX_CALL_WAITV;
	case 454:
		return FUTEX_CALL_WAKE;
	case 455:
		return FUTEX_CALL_WAIT;
	case 456:
		return FUTEX_CALL_REQUEUE;
	}
	return FUTEX_CALL_NONE;
}

#endif
