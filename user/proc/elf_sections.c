/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "proc/elf_sections.h"

#include <gelf.h>
#include <string.h>

/* Whether there is a section whose name has the first @len bytes of @name. */
static bool has_name(Elf *elf, const char *name, size_t len)
{
	Elf_Scn *scn = NULL;
	size_t strings;
	GElf_Shdr shdr;

	if (!elf || elf_getshdrstrndx(elf, &strings))
		return false;
	while ((scn = elf_nextscn(elf, scn)) != NULL) {
		const char *other =
			gelf_getshdr(scn, &shdr) ? elf_strptr(elf, strings, shdr.sh_name) : NULL;

		if (other && !strncmp(other, name, len))
			return true;
	}
	return false;
}

bool elf_has_section(Elf *elf, const char *name)
{
	return has_name(elf, name, strlen(name) + 1);
}

bool elf_has_section_like(Elf *elf, const char *start)
{
	return has_name(elf, start, strlen(start));
}

bool elf_has_section_type(Elf *elf, uint32_t type)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	while (elf && (scn = elf_nextscn(elf, scn)) != NULL)
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == type && shdr.sh_size)
			return true;
	return false;
}
