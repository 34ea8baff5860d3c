/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * ELF files for libdwfl, which is given each file opened, and finds none by itself: what it opens,
 * it maps (proc/elf_file.h says what is wrong with that).
 */
#ifndef PROC_DWFL_ELF_H
#define PROC_DWFL_ELF_H

#include <elfutils/libdwfl.h>

/* Returns a Dwfl for modules of dwfl_elf_report, or NULL. */
Dwfl *dwfl_elf_begin(void);

/* Writes what addresses @elf covers when its own address 0 is at @bias. Returns 0 or -ENOEXEC. */
int dwfl_elf_range(Elf *elf, GElf_Addr bias, GElf_Addr *ret_start, GElf_Addr *ret_end);

/* Adds a module of the file *@elf at these addresses, or returns NULL. When libdwfl asks for it, it
 * takes the reference to *@elf and leaves NULL there; until then it is the caller's to end.
 *
 * Each @name is its own: a module that is reported with the name and addresses of another makes
 * libdwfl free that other, whoever still uses it. */
Dwfl_Module *dwfl_elf_report(Dwfl *dwfl, uint32_t name, GElf_Addr start, GElf_Addr end, Elf **elf);

#endif
