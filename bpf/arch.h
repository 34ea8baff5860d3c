/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * All that the programs know of the machine's ISA: one arch_<ISA>.h has it. What that defines:
 *
 *   registers    arch_fill_regs, arch_stack_pointer, arch_has_user_regs, arch_is_compat,
 *                arch_fill_syscall, arch_hit_user_mode
 *   of the task  arch_walk_start, arch_regs_pc, arch_regs_compat, arch_regs_syscall_nr,
 *                arch_regs_syscall_op, arch_regs_syscall_args, arch_regs_syscall_ret
 *   frames       ARCH_RA_CFA_OFF
 *   signals      ARCH_SIGFRAME_FP_OFF, ARCH_SIGFRAME_SP_OFF, ARCH_SIGFRAME_PC_OFF
 *   calls        arch_futex_call, ARCH_NR_RESTART_SYSCALL
 *   memory       ARCH_KERNEL_STACK_BYTES, ARCH_PAGE_SHIFT, arch_fault_maps_code
 */
#ifndef BPF_ARCH_H
#define BPF_ARCH_H

#if defined(__TARGET_ARCH_x86)
#include "bpf/arch_x86_64.h"
#else
#error "no bpf/arch_<ISA>.h for this machine yet"
#endif

#endif
