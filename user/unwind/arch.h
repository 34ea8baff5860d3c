/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * All that user space knows of the machine's ISA: register numbers, signal frames, the names of
 * system calls. One arch_<ISA>.c implements it.
 */
#ifndef UNWIND_ARCH_H
#define UNWIND_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/wire.h"

/* Returns the name of system call @nr, or NULL when it is not known. */
const char *arch_syscall_name(int64_t nr);

/* Registers of wire records and of libdw, in the DWARF numbering of the ISA. */
extern const unsigned int arch_reg_pc, arch_reg_sp, arch_reg_fp, arch_reg_cnt;

/* The register that holds the return address where CFI says so (vfork's wrapper), as a number. */
extern const unsigned int arch_reg_ra;

/* Where a frame has its return address, from its CFA. */
extern const int64_t arch_ra_cfa_off;

/* How to step out of code without CFI, if it did as most does: of a leaf that pushed nothing, and
 * by the frame pointer. */
extern const struct rule arch_rule_leaf, arch_rule_frame_pointer;

/* Where the signal frame that the kernel pushes keeps the interrupted registers, from the sp of the
 * restorer (struct rt_sigframe). */
extern const int64_t arch_sigframe_pc_off, arch_sigframe_sp_off, arch_sigframe_fp_off;

/* How many bytes before a return address arch_is_after_call wants to see. */
#define ARCH_CALL_BYTES_MAX 7

/* Whether the ARCH_CALL_BYTES_MAX bytes at @before, which lead up to a return address, can end in a
 * call instruction. */
bool arch_is_after_call(const uint8_t *before);

/* Whether the ARCH_SYSCALL_BYTES bytes at @before are a system call instruction. */
#define ARCH_SYSCALL_BYTES 2
bool arch_is_after_syscall(const uint8_t *before);

#endif
