/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/dwfl_elf.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"

static int give_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
		    char **file_name, Elf **ret_elf)
{
	Elf **elf = *userdata;

	(void)module;
	(void)name;
	(void)base;
	(void)file_name;
	if (elf && *elf)
		*ret_elf = take_ptr(*elf);
	return -1;
}

static int give_no_debuginfo(Dwfl_Module *module, void **userdata, const char *name,
			     Dwarf_Addr base, const char *file_name, const char *link,
			     GElf_Word crc, char **debug_name)
{
	(void)module;
	(void)userdata;
	(void)name;
	(void)base;
	(void)file_name;
	(void)link;
	(void)crc;
	(void)debug_name;
	return -1;
}

Dwfl *dwfl_elf_begin(void)
{
	/* Where libdwfl itself may look, when it is asked: nowhere that a target can write. */
	static char trusted_path[] = "/usr/lib/debug";
	static char *trusted_path_ref = trusted_path;
	static const Dwfl_Callbacks callbacks = { .find_elf = give_elf,
						  .find_debuginfo = give_no_debuginfo,
						  .debuginfo_path = &trusted_path_ref };

	return dwfl_begin(&callbacks);
}

/* As libdwfl reckons it. */
int dwfl_elf_range(Elf *elf, GElf_Addr bias, GElf_Addr *ret_start, GElf_Addr *ret_end)
{
	bool found = false;
	size_t phdr_cnt;
	GElf_Phdr phdr;

	if (elf_getphdrnum(elf, &phdr_cnt))
		return -ENOEXEC;
	for (size_t i = 0; i < phdr_cnt; i++) {
		if (!gelf_getphdr(elf, (int)i, &phdr) || phdr.p_type != PT_LOAD)
			continue;
		if (!found)
			*ret_start = bias + (phdr.p_vaddr & -phdr.p_align);
		*ret_end = bias + phdr.p_vaddr + phdr.p_memsz;
		found = true;
	}
	return found ? 0 : -ENOEXEC;
}

Dwfl_Module *dwfl_elf_report(Dwfl *dwfl, uint32_t name, GElf_Addr start, GElf_Addr end, Elf **elf)
{
	Dwfl_Module *module;
	void **userdata;
	char text[16];

	snprintf(text, sizeof(text), "%u", name);
	dwfl_report_begin_add(dwfl);
	module = dwfl_report_module(dwfl, text, start, end);
	dwfl_report_end(dwfl, NULL, NULL);
	if (!module || !dwfl_module_info(module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL))
		return NULL;
	*userdata = elf;
	return module;
}
