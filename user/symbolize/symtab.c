/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "symbolize/symtab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc/elf_sections.h"
#include "symbolize/ranges.h"

#define SYMTAB_MAX (4u << 20)
#define SYMTAB_SCAN_MAX (16 << 20)
#define SIZELESS_MAX_BYTES 65536

/* Until symtab_finish, a range's rank is its symbol's strength of binding with this flag, and a
 * sizeless one ends with its section. */
#define RANK_SIZELESS 4u

void symtab_init(struct symtab *symtab)
{
	*symtab = (struct symtab){ 0 };
	vec_init(&symtab->ranges, sizeof(struct range), SYMTAB_MAX);
}

void symtab_release(struct symtab *symtab)
{
	vec_release(&symtab->ranges);
}

static uint32_t bind_rank(uint8_t bind)
{
	switch (bind) {
	case STB_GLOBAL:
		return 3;
	case STB_WEAK:
		return 2;
	case STB_LOCAL:
		return 1;
	default:
		return 0;
	}
}

int symtab_add(struct symtab *symtab, const struct symtab_symbol *symbol)
{
	struct range range = { .start_addr = symbol->addr,
			       .id = symbol->idx,
			       .rank = bind_rank(symbol->bind) };
	int err;

	if (symbol->size_bytes) {
		if (__builtin_add_overflow(symbol->addr, symbol->size_bytes, &range.end_addr))
			range.end_addr = UINT64_MAX;
	} else {
		if (!symbol->section_end_addr)
			return 0;
		range.end_addr = symbol->section_end_addr;
		range.rank |= RANK_SIZELESS;
	}
	err = vec_append(&symtab->ranges, &range, 1);
	if (err == -E2BIG)
		symtab->lost_cnt++;
	return err;
}

/* By start; at one start the sized ones first, then from the least to the most wanted. */
static int compare_symbols(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->start_addr != y->start_addr)
		return x->start_addr < y->start_addr ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->end_addr != y->end_addr)
		return x->end_addr > y->end_addr ? -1 : 1;
	return (x->id < y->id) - (x->id > y->id);
}

/* Gives the sizeless symbols of the sorted table their ends: none to a label within a function. */
static void symtab_bound_sizeless(struct symtab *symtab)
{
	struct range *range = symtab->ranges.data;
	uint64_t covered_addr = 0, next_addr = UINT64_MAX;

	for (uint32_t i = symtab->ranges.len; i-- > 0;) {
		struct range *this = &range[i];

		if (i + 1 < symtab->ranges.len && range[i + 1].start_addr > this->start_addr)
			next_addr = range[i + 1].start_addr;
		if (!(this->rank & RANK_SIZELESS))
			continue;
		if (this->end_addr > next_addr)
			this->end_addr = next_addr;
		if (this->end_addr > this->start_addr &&
		    this->end_addr - this->start_addr > SIZELESS_MAX_BYTES)
			this->end_addr = this->start_addr + SIZELESS_MAX_BYTES;
	}
	for (uint32_t i = 0; i < symtab->ranges.len; i++) {
		if (range[i].rank & RANK_SIZELESS) {
			if (range[i].start_addr < covered_addr)
				range[i].end_addr = range[i].start_addr;
		} else if (range[i].end_addr > covered_addr) {
			covered_addr = range[i].end_addr;
		}
	}
}

int symtab_finish(struct symtab *symtab)
{
	struct range *range = symtab->ranges.data;

	if (!symtab->ranges.len)
		return 0;
	qsort(range, symtab->ranges.len, sizeof(*range), compare_symbols);
	symtab_bound_sizeless(symtab);
	for (uint32_t i = 0; i < symtab->ranges.len; i++)
		range[i].rank = i;
	return ranges_flatten(&symtab->ranges);
}

/* What is known of the section of the last symbol, since symbols come in runs of one section. */
struct section {
	Elf *elf;
	GElf_Word shndx;
	bool executable;
	uint64_t end_addr; /* of the file; 0: not known */
	bool has_symtab;   /* the file: else its symbols are .dynsym's */
};

static bool has_symbols(Elf *elf)
{
	return elf_has_section_type(elf, SHT_SYMTAB) || elf_has_section_type(elf, SHT_DYNSYM);
}

static void section_set(struct section *section, Elf *elf, GElf_Word shndx)
{
	GElf_Shdr shdr;

	if (section->elf == elf && section->shndx == shndx)
		return;
	if (section->elf != elf)
		section->has_symtab = elf_has_section_type(elf, SHT_SYMTAB);
	section->elf = elf;
	section->shndx = shndx;
	section->executable = false;
	section->end_addr = 0;
	if (elf && gelf_getshdr(elf_getscn(elf, shndx), &shdr)) {
		section->executable = shdr.sh_flags & SHF_EXECINSTR;
		section->end_addr = shdr.sh_addr + shdr.sh_size;
	}
}

/* Whether a symbol of @type is of @kind. Labels that only assemblers and debuggers care about
 * (mapping symbols, compiler-made ones) are not. */
static bool symbol_is_wanted(uint8_t type, const char *name, const struct section *section,
			     enum symtab_kind kind)
{
	if (!name[0])
		return false;
	if (kind == SYMTAB_DATA)
		return type == STT_OBJECT;
	if (type == STT_FUNC || type == STT_GNU_IFUNC)
		return true;
	return type == STT_NOTYPE && section->executable && name[0] != '$' &&
	       strncmp(name, ".L", 2) != 0;
}

static bool symtab_is_unreadable(Dwfl_Module *dwfl)
{
	GElf_Addr bias;

	return has_symbols(dwfl_module_getelf(dwfl, &bias));
}

/* Whether libdwfl would look for dynamic symbols without the help of section headers: it then
 * follows hash chains at a cost that grows with the square of what the file claims, without end
 * for a hostile one. No linker makes such files. */
static bool symtab_has_no_section(Dwfl_Module *dwfl)
{
	GElf_Addr bias;
	Elf *elf = dwfl_module_getelf(dwfl, &bias);
	size_t phdr_cnt;
	GElf_Phdr phdr;

	if (!elf || has_symbols(elf) || elf_getphdrnum(elf, &phdr_cnt))
		return false;
	for (size_t i = 0; i < phdr_cnt; i++)
		if (gelf_getphdr(elf, (int)i, &phdr) && phdr.p_type == PT_DYNAMIC)
			return true;
	return false;
}

int symtab_load(struct symtab *symtab, Dwfl_Module *dwfl, enum symtab_kind kind)
{
	struct section section = { 0 };
	int cnt = symtab_has_no_section(dwfl) ? 0 : dwfl_module_getsymtab(dwfl);

	if (cnt < 0)
		symtab->unreadable = symtab_is_unreadable(dwfl);
	if (cnt > SYMTAB_SCAN_MAX) {
		symtab->lost_cnt += (uint64_t)cnt - SYMTAB_SCAN_MAX;
		cnt = SYMTAB_SCAN_MAX;
	}
	for (int i = 1; i < cnt; i++) {
		struct symtab_symbol symbol = { .idx = (uint32_t)i };
		GElf_Word shndx = SHN_UNDEF;
		Dwarf_Addr bias = 0;
		GElf_Addr addr;
		Elf *elf = NULL;
		GElf_Sym sym;
		const char *name =
			dwfl_module_getsym_info(dwfl, i, &sym, &addr, &shndx, &elf, &bias);

		if (!name || sym.st_shndx == SHN_UNDEF || sym.st_shndx == SHN_ABS ||
		    sym.st_shndx == SHN_COMMON)
			continue;
		section_set(&section, elf, shndx);
		if (!symbol_is_wanted(GELF_ST_TYPE(sym.st_info), name, &section, kind))
			continue;
		symbol.addr = addr;
		symbol.size_bytes = sym.st_size;
		symbol.bind = GELF_ST_BIND(sym.st_info);
		if (kind == SYMTAB_FUNCS && section.has_symtab && section.end_addr)
			symbol.section_end_addr = section.end_addr + bias;
		if (symtab_add(symtab, &symbol) == -ENOMEM) {
			vec_clear(&symtab->ranges);
			return -ENOMEM;
		}
	}
	return symtab_finish(symtab);
}

int symtab_find(const struct symtab *symtab, uint64_t addr, uint32_t *ret_idx)
{
	const struct range *range = ranges_find(&symtab->ranges, addr);

	if (!range)
		return 0;
	*ret_idx = range->id;
	return 1;
}

const char *symtab_name(const struct symtab *symtab, Dwfl_Module *dwfl, uint64_t addr,
			uint64_t *ret_start_addr)
{
	const char *name;
	GElf_Addr start;
	GElf_Sym sym;
	uint32_t idx;

	if (!symtab_find(symtab, addr, &idx))
		return NULL;
	name = dwfl_module_getsym_info(dwfl, (int)idx, &sym, &start, NULL, NULL, NULL);
	if (name)
		*ret_start_addr = start;
	return name;
}
