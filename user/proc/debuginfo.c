/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/debuginfo.h"

#include <errno.h>
#include <stddef.h>

#include "proc/dwfl_elf.h"
#include "proc/elf_sections.h"

/* An ELF file whose DWARF is one byte. */
struct no_dwarf {
	Elf64_Ehdr ehdr;
	Elf64_Shdr shdrs[3];
	char strings[16];
};

static struct no_dwarf no_dwarf = {
	.ehdr = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			       EV_CURRENT },
		  .e_type = ET_DYN,
		  .e_version = EV_CURRENT,
		  .e_shoff = offsetof(struct no_dwarf, shdrs),
		  .e_ehsize = sizeof(Elf64_Ehdr),
		  .e_shentsize = sizeof(Elf64_Shdr),
		  .e_shnum = 3,
		  .e_shstrndx = 1 },
	.shdrs = { [1] = { .sh_type = SHT_STRTAB,
			   .sh_offset = offsetof(struct no_dwarf, strings),
			   .sh_size = sizeof(no_dwarf.strings) },
		   [2] = { .sh_name = 1,
			   .sh_type = SHT_PROGBITS,
			   .sh_offset = offsetof(struct no_dwarf, strings),
			   .sh_size = 1 } },
	.strings = "\0.debug_info",
};

static void find_separate(struct debuginfo *info)
{
	GElf_Addr bias, start, end;
	Elf *elf;

	if (info->searched)
		return;
	info->searched = true;
	debugfile_find(&info->separate, info->own, &info->place);
	if (!info->separate.file)
		return;
	/* It has the addresses of the file that it was separated from. */
	dwfl_module_getelf(info->own, &bias);
	elf = elf_file_elf(info->separate.file);
	if (dwfl_elf_range(elf, bias, &start, &end))
		return;
	info->elf = elf_file_share_elf(info->separate.file);
	info->module = dwfl_elf_report(info->dwfl, info->name, start, end, &info->elf);
}

Dwfl_Module *debuginfo_symbols(struct debuginfo *info)
{
	GElf_Addr bias;

	if (elf_has_section_type(dwfl_module_getelf(info->own, &bias), SHT_SYMTAB))
		return info->own;
	find_separate(info);
	if (info->module && elf_has_section_type(elf_file_elf(info->separate.file), SHT_SYMTAB))
		return info->module;
	return info->own;
}

/* libdw is given the shared file of @dwarf, or one that has nothing: else it would open what is
 * named there by itself, whatever that is. Returns whether it will not. */
static bool link_shared(struct debuginfo *info, Dwarf *dwarf, const struct debugfile_place *place)
{
	if (info->linked)
		return true;
	if (!debugfile_find_shared(&info->shared, dwarf, place))
		return true;
	if (info->shared.file)
		info->shared_dwarf =
			dwarf_begin_elf(elf_file_elf(info->shared.file), DWARF_C_READ, NULL);
	if (!info->shared_dwarf) {
		info->no_elf = elf_memory((char *)&no_dwarf, sizeof(no_dwarf));
		info->shared_dwarf = dwarf_begin_elf(info->no_elf, DWARF_C_READ, NULL);
	}
	dwarf_setalt(dwarf, info->shared_dwarf);
	info->linked = info->shared_dwarf;
	return info->linked;
}

static bool claims_dwarf(const struct debuginfo *info)
{
	GElf_Addr bias;

	return elf_has_section(dwfl_module_getelf(info->own, &bias), ".debug_info") ||
	       (info->separate.file &&
		elf_has_section(elf_file_elf(info->separate.file), ".debug_info"));
}

Dwfl_Module *debuginfo_dwarf(struct debuginfo *info)
{
	const struct debugfile_place *place = &info->place;
	Dwfl_Module *module = info->own;
	Dwarf_Addr bias;
	Dwarf *dwarf = dwfl_module_getdwarf(module, &bias);

	if (!dwarf) {
		find_separate(info);
		module = info->module;
		place = &info->separate.place;
		dwarf = dwfl_module_getdwarf(module, &bias);
	}
	if (dwarf && link_shared(info, dwarf, place))
		return module;
	errno = dwarf || info->separate.unchecked || claims_dwarf(info) ? EBADMSG : 0;
	return NULL;
}

void debuginfo_release(struct debuginfo *info)
{
	dwarf_end(info->shared_dwarf);
	elf_end(info->no_elf);
	elf_end(info->elf);
	debugfile_release(&info->separate);
	debugfile_release(&info->shared);
	*info = (struct debuginfo){ 0 };
}
