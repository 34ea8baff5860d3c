/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Register numbers: System V ABI, AMD64 supplement, figure 3.36. */
#include "unwind/arch.h"

const unsigned int arch_reg_pc = 16, arch_reg_sp = 7, arch_reg_fp = 6, arch_reg_cnt = 17;
const unsigned int arch_reg_ra = 5; /* rdi */
const int64_t arch_ra_cfa_off = -8;
const struct rule arch_rule_leaf = { .kind = RULE_SP, .flags = RULE_LEAF, .cfa_off = 8 };
const struct rule arch_rule_frame_pointer = {
	.kind = RULE_FP, .flags = RULE_GUESS, .fp_off = -16, .cfa_off = 16
};

/* struct rt_sigframe without pretcode: ucontext starts at sp, its mcontext 40 bytes in; gregs are
 * r8..r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip. */
const int64_t arch_sigframe_fp_off = 40 + 10 * 8;
const int64_t arch_sigframe_sp_off = 40 + 15 * 8;
const int64_t arch_sigframe_pc_off = 40 + 16 * 8;

/* The length of FF /2 with this ModRM byte and this SIB byte, without prefixes. */
static unsigned int call_indirect_bytes(uint8_t modrm, uint8_t sib)
{
	unsigned int mod = modrm >> 6, rm = modrm & 7;
	unsigned int len = 2;

	if ((modrm >> 3 & 7) != 2)
		return 0;
	if (mod == 3)
		return len;
	if (rm == 4) {
		len++;
		if (mod == 0 && (sib & 7) == 5)
			len += 4;
	} else if (mod == 0 && rm == 5) {
		len += 4;
	}
	return len + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

bool arch_is_after_call(const uint8_t *before)
{
	const uint8_t *end = before + ARCH_CALL_BYTES_MAX;

	if (end[-5] == 0xe8)
		return true;
	for (unsigned int len = 2; len <= ARCH_CALL_BYTES_MAX; len++) {
		const uint8_t *op = end - len;

		if (op[0] == 0xff && call_indirect_bytes(op[1], len > 2 ? op[2] : 0) == len)
			return true;
	}
	return false;
}

bool arch_is_after_syscall(const uint8_t *before)
{
	return before[0] == 0x0f && before[1] == 0x05;
}
