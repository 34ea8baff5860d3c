/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "unwind/cfi.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/vec.h"
#include "proc/elf_sections.h"
#include "unwind/arch.h"

#define RULE_MAX (4u << 20)
#define KEY_EXACT (1ULL << 63)

/* What is known of a module before its first rule. */
struct module_state {
	bool known;
	bool has_eh_cfi;
	Dwfl_Module *dwarf; /* NULL: no .debug_frame to look into */
	bool is_go;
};

struct cfi {
	const struct maps *maps;
	struct modules *modules;
	struct table rule_idx;	     /* pc with KEY_EXACT -> index in .rules */
	struct vec rules;	     /* struct rule */
	struct module_state *states; /* by module index */
};

struct cfi *cfi_new(const struct maps *maps, struct modules *modules, struct err *err)
{
	struct cfi *cfi = calloc(1, sizeof(*cfi));

	if (!cfi)
		goto fail;
	cfi->maps = maps;
	cfi->modules = modules;
	table_init(&cfi->rule_idx, RULE_MAX);
	vec_init(&cfi->rules, sizeof(struct rule), RULE_MAX);
	cfi->states = calloc(modules_cnt(modules) + 1, sizeof(cfi->states[0]));
	if (!cfi->states)
		goto fail;
	return cfi;
fail:
	cfi_free(cfi);
	err_set(err, -ENOMEM, "not enough memory for unwind rules");
	return NULL;
}

void cfi_free(struct cfi *cfi)
{
	if (!cfi)
		return;
	table_release(&cfi->rule_idx);
	vec_release(&cfi->rules);
	free(cfi->states);
	free(cfi);
}

static struct module_state *module_state(struct cfi *cfi, const struct module *module)
{
	struct module_state *state = &cfi->states[module->idx];
	Dwarf_Addr bias;
	Elf *elf;

	if (state->known)
		return state;
	state->known = true;
	elf = dwfl_module_getelf(module->dwfl, &bias);
	state->has_eh_cfi = dwfl_module_eh_cfi(module->dwfl, &bias) != NULL;
	/* A separate debug file could have .debug_frame too, but never for code that .eh_frame
	 * leaves out; looking for one may ask the network. */
	if (!state->has_eh_cfi || elf_has_section(elf, ".debug_frame") ||
	    elf_has_section(elf, ".zdebug_frame"))
		state->dwarf = module_dwarf(module);
	state->is_go =
		elf_has_section(elf, ".gopclntab") || elf_has_section(elf, ".note.go.buildid");
	return state;
}

/* Returns the frame information at @lookup_pc, or NULL; the caller frees it. */
static Dwarf_Frame *find_frame(const struct module *module, const struct module_state *state,
			       uint64_t lookup_pc, Dwarf_Addr *ret_bias)
{
	Dwarf_Frame *frame = NULL;
	Dwarf_CFI *table;

	if (state->has_eh_cfi) {
		table = dwfl_module_eh_cfi(module->dwfl, ret_bias);
		if (table && !dwarf_cfi_addrframe(table, lookup_pc - *ret_bias, &frame))
			return frame;
	}
	if (state->dwarf) {
		table = dwfl_module_dwarf_cfi(state->dwarf, ret_bias);
		if (table && !dwarf_cfi_addrframe(table, lookup_pc - *ret_bias, &frame))
			return frame;
	}
	return NULL;
}

/* Go's system stacks have no caller to go on to, though their CFI does not say so. */
static bool is_go_stack_end(const struct module *module, uint64_t lookup_pc)
{
	static const char *const ends[] = { "runtime.mcall",	   "runtime.goexit",
					    "runtime.mstart",	   "runtime.rt0_go",
					    "runtime.systemstack", "runtime.clone" };
	const char *name = dwfl_module_addrname(module_symbols(module), lookup_pc);

	if (!name || strncmp(name, "runtime.", 8))
		return false;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t len = strlen(ends[i]);

		if (!strncmp(name, ends[i], len) && (!name[len] || name[len] == '.'))
			return true;
	}
	return false;
}

static bool fits_cfa_off(int64_t off)
{
	return off >= INT32_MIN && off <= INT32_MAX;
}

static bool fits_fp_off(int64_t off)
{
	return off >= INT16_MIN && off <= INT16_MAX;
}

/* "register + constant", or its dereference. */
static bool reduce_simple_cfa(const Dwarf_Op *ops, size_t op_cnt, struct rule *rule)
{
	bool deref = op_cnt == 2 && ops[1].atom == DW_OP_deref;
	unsigned int reg;
	int64_t off;

	if (op_cnt != 1 && !deref)
		return false;
	if (ops[0].atom == DW_OP_bregx) {
		reg = (unsigned int)ops[0].number;
		off = (int64_t)ops[0].number2;
	} else if (ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31) {
		reg = ops[0].atom - DW_OP_breg0;
		off = (int64_t)ops[0].number;
	} else {
		return false;
	}
	if ((reg != arch_reg_sp && reg != arch_reg_fp) || !fits_cfa_off(off))
		return false;
	if (reg == arch_reg_sp)
		rule->kind = deref ? RULE_SP_DEREF : RULE_SP;
	else
		rule->kind = deref ? RULE_FP_DEREF : RULE_FP;
	rule->cfa_off = (int32_t)off;
	return true;
}

/* The linkers' expression for a lazy PLT: sp + 8 + ((((pc + k) & 15) >= limit) << 3). A rule is for
 * one pc, so it is a constant here. */
static bool reduce_plt_cfa(const Dwarf_Op *ops, size_t op_cnt, uint64_t file_pc, struct rule *rule)
{
	uint64_t limit;

	if (op_cnt != 9 || ops[0].atom != DW_OP_breg0 + arch_reg_sp ||
	    ops[1].atom != DW_OP_breg0 + arch_reg_pc || ops[2].atom != DW_OP_lit15 ||
	    ops[3].atom != DW_OP_and || ops[4].atom < DW_OP_lit0 || ops[4].atom > DW_OP_lit31 ||
	    ops[5].atom != DW_OP_ge || ops[6].atom != DW_OP_lit3 || ops[7].atom != DW_OP_shl ||
	    ops[8].atom != DW_OP_plus || !fits_cfa_off((int64_t)ops[0].number))
		return false;
	limit = ops[4].atom - DW_OP_lit0;
	rule->kind = RULE_SP;
	rule->cfa_off =
		(int32_t)ops[0].number + (((file_pc + ops[1].number) & 15) >= limit ? 8 : 0);
	return true;
}

/* Where the caller's fp is. Returns false when it takes the evaluator. */
static bool derive_fp(Dwarf_Frame *frame, struct rule *rule)
{
	Dwarf_Op memory[3], *ops;
	size_t cnt;
	int64_t off;

	if (dwarf_frame_register(frame, (int)arch_reg_fp, memory, &ops, &cnt))
		return false;
	if (!cnt)
		return true; /* same value, or undefined and so not needed */
	if (cnt == 2 && ops[0].atom == DW_OP_call_frame_cfa && ops[1].atom == DW_OP_plus_uconst) {
		off = (int64_t)ops[1].number;
	} else if (cnt == 2 && ops[0].atom == DW_OP_call_frame_cfa &&
		   ops[1].atom == DW_OP_breg0 + arch_reg_fp) {
		/* libdw puts the CFA in front of every such expression; this one does not use it.
		 */
		off = (int64_t)ops[1].number;
		rule->flags |= RULE_FP_AT_FP;
	} else {
		return false;
	}
	/* An offset of 0 from the CFA would read as "same value". */
	if (!fits_fp_off(off) || (!off && !(rule->flags & RULE_FP_AT_FP)))
		return false;
	rule->fp_off = (int16_t)off;
	return true;
}

/* Returns true when the rule is finished by what the return address is. */
static bool derive_return_address(Dwarf_Frame *frame, struct rule *rule)
{
	Dwarf_Op memory[3], *ops;
	Dwarf_Addr start, end;
	bool signal_frame;
	size_t cnt;
	int reg = dwarf_frame_info(frame, &start, &end, &signal_frame);

	rule->kind = RULE_COMPLEX;
	if (reg < 0 || dwarf_frame_register(frame, reg, memory, &ops, &cnt))
		return true;
	if (!cnt && ops) {
		rule->kind = RULE_END; /* undefined: there is no caller */
		return true;
	}
	if (signal_frame) {
		/* Others mark code of their own so (OCaml's runtime does). */
		if (cnt == 2 && ops[0].atom == DW_OP_call_frame_cfa &&
		    ops[1].atom == DW_OP_breg0 + arch_reg_sp &&
		    (int64_t)ops[1].number == arch_sigframe_pc_off)
			rule->kind = RULE_SIGFRAME;
		return true;
	}
	if (cnt == 1 && ops[0].atom == DW_OP_regx && ops[0].number == arch_reg_ra) {
		rule->flags |= RULE_RA_IN_REG;
		return false;
	}
	return !(cnt == 2 && ops[0].atom == DW_OP_call_frame_cfa &&
		 ops[1].atom == DW_OP_plus_uconst && (int64_t)ops[1].number == arch_ra_cfa_off);
}

static struct rule derive_from_frame(Dwarf_Frame *frame, uint64_t file_pc)
{
	struct rule rule = { 0 };
	Dwarf_Op *ops;
	size_t cnt;

	if (derive_return_address(frame, &rule))
		return rule;
	if (dwarf_frame_cfa(frame, &ops, &cnt) ||
	    (!reduce_simple_cfa(ops, cnt, &rule) && !reduce_plt_cfa(ops, cnt, file_pc, &rule)) ||
	    !derive_fp(frame, &rule))
		return (struct rule){ .kind = RULE_COMPLEX };
	return rule;
}

static struct rule derive(struct cfi *cfi, uint64_t pc, bool exact)
{
	uint64_t lookup_pc = exact ? pc : pc - 1;
	const struct mapping *mapping = maps_find(cfi->maps, lookup_pc);
	const struct module *module;
	struct module_state *state;
	Dwarf_Frame *frame;
	Dwarf_Addr bias;
	struct rule rule;

	if (!mapping || !mapping->executable)
		return (struct rule){ .kind = RULE_UNMAPPED };
	module = modules_find(cfi->modules, lookup_pc);
	if (!module || !module->dwfl)
		return arch_rule_frame_pointer;
	state = module_state(cfi, module);
	frame = find_frame(module, state, lookup_pc, &bias);
	if (!exact && state->is_go && is_go_stack_end(module, lookup_pc)) {
		free(frame);
		return (struct rule){ .kind = RULE_END };
	}
	if (frame)
		rule = derive_from_frame(frame, lookup_pc - bias);
	else
		rule = exact ? arch_rule_leaf : arch_rule_frame_pointer;
	free(frame);
	return module_is_lost(module) ? arch_rule_frame_pointer : rule;
}

struct rule cfi_rule(struct cfi *cfi, uint64_t pc, bool exact)
{
	uint64_t key = pc | (exact ? KEY_EXACT : 0);
	struct rule rule, *slot;
	uint32_t idx;

	if (pc & KEY_EXACT)
		return (struct rule){ .kind = RULE_UNMAPPED };
	if (table_find(&cfi->rule_idx, key, &idx))
		return *(struct rule *)vec_at(&cfi->rules, idx);
	rule = derive(cfi, pc, exact);
	/* Garbage pcs are cheap to look up again and must not fill the table. */
	if (rule.kind == RULE_UNMAPPED)
		return rule;
	slot = vec_push(&cfi->rules);
	if (slot) {
		*slot = rule;
		if (table_put(&cfi->rule_idx, key, cfi->rules.len - 1))
			cfi->rules.len--;
	}
	return rule;
}
