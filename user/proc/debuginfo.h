/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Where the symbols and the DWARF of a module are: in its own file or in a separate one; and the
 * DWARF may go on in one that several share.
 */
#ifndef PROC_DEBUGINFO_H
#define PROC_DEBUGINFO_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdint.h>

#include "proc/debugfile.h"

struct debuginfo {
	Dwfl_Module *own;	      /* NULL: not opened */
	struct debugfile_place place; /* of its file; borrowed */
	Dwfl *dwfl;		      /* for modules of separate files */
	uint32_t name;		      /* to be called there */

	bool searched;
	struct debugfile separate;
	Elf *elf; /* of the separate file, until libdwfl takes it */
	Dwfl_Module *module;

	bool linked;
	struct debugfile shared;
	Elf *no_elf; /* what stands for the shared file when there is none */
	Dwarf *shared_dwarf;
};

/* Returns the module with the better symbol table. */
Dwfl_Module *debuginfo_symbols(struct debuginfo *info);

/* Returns the module with the DWARF; NULL when there is none (errno 0) or it cannot be read
 * or told from others (EBADMSG). */
Dwfl_Module *debuginfo_dwarf(struct debuginfo *info);

/* Releases what the modules used; their Dwfls are ended before. */
void debuginfo_release(struct debuginfo *info);

#endif
