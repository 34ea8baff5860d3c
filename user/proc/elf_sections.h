/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What sections an ELF file has. Each takes NULL, which has none. */
#ifndef PROC_ELF_SECTIONS_H
#define PROC_ELF_SECTIONS_H

#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether there is a section called @name. */
bool elf_has_section(Elf *elf, const char *name);

/* Whether there is one whose name begins with @start. */
bool elf_has_section_like(Elf *elf, const char *start);

/* Whether there is one of @type (SHT_SYMTAB and the like) with something in it. */
bool elf_has_section_type(Elf *elf, uint32_t type);

#endif
