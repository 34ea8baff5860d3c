/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * How to step from one frame to its caller, for one pc, in 8 bytes: made from the CFI once, used
 * for every walk through that pc. "fp" is the register that frame pointers live in, "sp" the
 * stack pointer; the CFA is the caller's sp.
 */
#ifndef BPF_RULE_H
#define BPF_RULE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

enum rule_kind {
	RULE_SP = 1,	   /* CFA = sp + cfa_off */
	RULE_FP = 2,	   /* CFA = fp + cfa_off */
	RULE_SP_DEREF = 3, /* CFA = *(sp + cfa_off) */
	RULE_FP_DEREF = 4, /* CFA = *(fp + cfa_off): a realigned stack */
	RULE_SIGFRAME = 5, /* the kernel's signal frame is at sp */
	RULE_END = 6,	   /* the outermost frame */
	RULE_COMPLEX = 7,  /* needs the evaluator */
	RULE_UNMAPPED = 8, /* no code can be there */
};

enum rule_flag {
	RULE_FP_AT_FP = 1,  /* the caller's fp is at fp + fp_off, not at CFA + fp_off */
	RULE_RA_IN_REG = 2, /* the return address is in a register (arch_reg_ra): leaf frame only */
	RULE_GUESS = 4,	    /* no CFI: by frame pointer; holds only if its results are plausible */
	RULE_LEAF = 8,	    /* no CFI in the leaf: taken for one that pushed nothing; likewise */
};

struct rule {
	__u8 kind; /* enum rule_kind */
	__u8 flags;
	__s16 fp_off; /* where the caller's fp is saved; 0: it has the same value */
	__s32 cfa_off;
};

_Static_assert(sizeof(struct rule) == 8, "rule");

#endif
